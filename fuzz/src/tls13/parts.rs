//! The targets of what the state machines of TLS 1.3 are made of: messages and extensions, records,
//! public keys of groups, and tickets.

// A target reports a failure by panicking.
#![allow(clippy::missing_panics_doc)]

use std::sync::LazyLock;

use ssl_provider::{
    Backend, CipherSuite, CipherSuiteInfo, Error, Group, HashAlgorithm, HybridGroup, NamedCurve,
    PeerPublicKey, Provider, RecordKey, RecordOptions, TicketKey, WriteKeys, backends,
    default_backend,
};
use ssl_provider_testkit::reference13;
use ssl_provider_wire::{
    CertificateMessage, CertificateRequest, CertificateVerify, ExtensionType, Extensions, KeyShare,
    KeyUpdate, Malformed, Message, NewSessionTicket, encrypted_extensions, put_certificate_chain,
    put_encrypted_extensions, put_extension, put_vec,
};

/// The body of the message, or the content of the extension, that the first byte selects: what is
/// parsed is written as the same bytes, so that no message has two meanings.
pub fn tls13_message(input: &[u8]) {
    let Some((which, body)) = input.split_first() else { return };
    let mut written = Vec::new();
    match which % 8 {
        0 => {
            let Ok(extensions) = encrypted_extensions(body) else { return };
            put_encrypted_extensions(&mut written, &body[2..]);
            assert_eq!(extensions.kinds().count() == 0, body.len() == 2);
        }
        1 => {
            let Ok(message) = CertificateMessage::parse(body) else { return };
            let has_extensions =
                message.entries.iter().any(|it| it.extensions.kinds().next().is_some());
            if has_extensions {
                return;
            }
            let chain = message.entries.iter().map(|it| it.certificate);
            put_certificate_chain(&mut written, message.context, chain);
        }
        2 => match CertificateRequest::parse(body) {
            Ok(message) => message.put(&mut written),
            Err(_) => return,
        },
        3 => match CertificateVerify::parse(body) {
            Ok(message) => message.put(&mut written),
            Err(_) => return,
        },
        4 => match KeyUpdate::parse(body) {
            Ok(message) => message.put(&mut written),
            Err(_) => return,
        },
        5 => {
            // Extensions that are not known are not written again.
            let Ok(message) = NewSessionTicket::parse(body) else { return };
            message.put(&mut written);
            let again = NewSessionTicket::parse(&written[Message::HEADER_LEN..]);
            assert_eq!(again, Ok(message));
            assert!(message.lifetime <= NewSessionTicket::MAX_LIFETIME);
            return;
        }
        _ => return extension(body),
    }
    assert_eq!(&written[Message::HEADER_LEN..], body);
}

/// An extension behind its number, by itself and with another one behind it.
fn extension(input: &[u8]) {
    let Some((kind, data)) = input.split_first_chunk() else { return };
    let data = &data[..data.len().min(usize::from(u16::MAX))];
    let kind = ExtensionType(u16::from_be_bytes(*kind));
    let mut list = Vec::new();
    put_extension(&mut list, kind, data);
    let alone = Extensions::new(&list);
    assert_eq!((alone.get(kind), alone.is_last(kind)), (Some(data), true));
    if let Ok(Some(shares)) = alone.key_shares() {
        let mut written = Vec::new();
        put_vec::<2>(&mut written, |out| shares.iter().for_each(|share| share.put(out)));
        assert_eq!(written, data);
    }
    if let Ok(Some(share)) = alone.key_share_of_server() {
        let mut written = Vec::new();
        share.put(&mut written);
        assert_eq!(written, data);
    }
    if let Ok(Some(offered)) = alone.offered_psks() {
        assert_eq!(offered.identities.len(), offered.binders.len());
        assert!(offered.binders_len < data.len());
        assert!(offered.binders.iter().all(|binder| binder.len() >= 32));
    }
    let numbers: [Result<Option<usize>, Malformed>; 7] = [
        alone.supported_versions().map(|it| it.map(|list| 2 * list.len())),
        alone.psk_modes().map(|it| it.map(<[u8]>::len)),
        alone.cookie().map(|it| it.map(<[u8]>::len)),
        alone.retry_group().map(|it| it.map(|_| 2)),
        alone.selected_psk().map(|it| it.map(|_| 2)),
        alone.numbers(kind).map(|it| it.map(|list| 2 * list.len())),
        alone.application_protocols().map(|it| it.map(|list| list.len())),
    ];
    assert!(numbers.into_iter().flatten().flatten().all(|len| (1..=data.len()).contains(&len)));
    list.extend([0xfe, 0xfe, 0, 0]);
    let before_another = Extensions::new(&list);
    assert!(before_another.offered_psks().is_ok_and(|it| it.is_none()) || kind == PSK);
    assert!(kind != PSK || before_another.offered_psks().is_err(), "it must be the last one");
}

const PSK: ExtensionType = ExtensionType::PRE_SHARED_KEY;

/// Seeds of [`tls13_message`].
pub fn messages() -> Vec<Vec<u8>> {
    let behind = |which: u8, message: &[u8]| {
        [&[which], message.get(Message::HEADER_LEN..).unwrap_or_default()].concat()
    };
    let mut list = Vec::new();
    put_extension(&mut list, ExtensionType::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]);
    put_extension(&mut list, ExtensionType::EARLY_DATA, &[]);
    let mut seeds = Vec::new();
    let mut seed = |which, put: &dyn Fn(&mut Vec<u8>)| {
        let mut message = Vec::new();
        put(&mut message);
        seeds.push(behind(which, &message));
    };
    seed(0, &|out| put_encrypted_extensions(out, &list));
    seed(1, &|out| put_certificate_chain(out, b"c", [&[0x30, 1, 7][..], &[0x30, 0]]));
    seed(2, &|out| {
        CertificateRequest { context: b"", extensions: Extensions::new(&list) }.put(out);
    });
    seed(3, &|out| CertificateVerify { scheme: 0x0403, signature: &[7; 70] }.put(out));
    seed(4, &|out| KeyUpdate { update_requested: true }.put(out));
    seed(5, &|out| {
        let (nonce, ticket) = (&[0][..], &[9; 40][..]);
        NewSessionTicket { lifetime: 7200, age_add: 1, nonce, ticket, max_early_data: Some(9) }
            .put(out);
    });
    let mut psks = vec![0, 12, 0, 6];
    psks.extend(*b"ticket");
    psks.extend([0, 0, 0, 1, 0, 33, 32]);
    psks.extend([5; 32]);
    let mut share = Vec::new();
    put_vec::<2>(&mut share, |out| KeyShare { group: 29, public_key: &[9; 32] }.put(out));
    let contents: [(ExtensionType, &[u8]); 9] = [
        (ExtensionType::SUPPORTED_VERSIONS, &[4, 3, 4, 3, 3]),
        (ExtensionType::KEY_SHARE, &share),
        (ExtensionType::KEY_SHARE, &share[2..]),
        (ExtensionType::KEY_SHARE, &[0, 29]),
        (PSK, &psks),
        (PSK, &[0, 0]),
        (ExtensionType::PSK_KEY_EXCHANGE_MODES, &[2, 1, 0]),
        (ExtensionType::COOKIE, &[0, 3, 1, 2, 3]),
        (ExtensionType::SUPPORTED_GROUPS, &[0, 4, 0, 29, 0, 23]),
    ];
    for (kind, data) in contents {
        seeds.push([&[7], &kind.0.to_be_bytes()[..], data].concat());
    }
    seeds
}

/// A suite and its backends; the secret of every record is the same.
const SUITES: [CipherSuite; 5] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_AES_128_CCM_SHA256,
    CipherSuite::TLS_AES_128_CCM_8_SHA256,
];

const SECRET: [u8; 48] = [0x33; 48];

fn suite(which: u8) -> &'static CipherSuiteInfo {
    SUITES[usize::from(which >> 1) % SUITES.len()].info().expect("a known suite")
}

fn record_key(backend: &Backend, suite: &'static CipherSuiteInfo) -> Result<RecordKey, Error> {
    let provider = Provider::open(backend.clone());
    let parameters = provider.tls13_parameters(suite.id)?;
    let secret = &SECRET[..reference13::hash_of(suite).output_len()];
    let (write_key, write_iv) = reference13::traffic_keys(suite, secret);
    let keys = WriteKeys { mac_key: &[], write_key: &write_key, write_iv: &write_iv };
    RecordKey::new(parameters.security_parameters(), RecordOptions::default(), keys)
}

/// A record of the suite that the first byte selects, or, if its last bit is set, one with the rest
/// as its plaintext: every backend reads it as RFC 8446 section 5.4 has it, or refuses it for the
/// same reason and leaves no plaintext.
pub fn tls13_record(input: &[u8]) {
    let Some((which, rest)) = input.split_first() else { return };
    let suite = suite(*which);
    let is_sealed = which & 1 == 1;
    // Plain arithmetic is slow.
    let text = &rest[..rest.len().min(MAX_TEXT_LEN)];
    let secret = &SECRET[..reference13::hash_of(suite).output_len()];
    let record = if is_sealed { reference13::seal(suite, secret, 0, text) } else { rest.to_vec() };
    let open = |mut key: RecordKey| {
        let mut copy = record.clone();
        match key.open_in_place(0, &mut copy) {
            Ok(opened) => Ok((opened.content_type, copy[opened.payload].to_vec())),
            Err(error) => {
                let fragment = copy.get(key.header_len()..).unwrap_or_default();
                assert!(fragment.iter().all(|byte| *byte == 0), "plaintext left behind");
                Err(error)
            }
        }
    };
    let expected = inner(text);
    let mut answers = Vec::new();
    for backend in backends() {
        let Ok(key) = record_key(&backend, suite) else { continue };
        let answer = open(key);
        if is_sealed {
            assert_eq!(answer, expected, "{}", backend.info().name);
        } else if let Err(error) = &answer {
            let is_known =
                matches!(error, Error::BadRecord | Error::RecordOverflow | Error::UnexpectedRecord);
            assert!(is_known, "{error}");
        }
        answers.push(answer);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

const MAX_TEXT_LEN: usize = 256;

/// What a plaintext is (RFC 8446 section 5.4).
fn inner(text: &[u8]) -> Result<(u8, Vec<u8>), Error> {
    let Some(place) = text.iter().rposition(|byte| *byte != 0) else {
        return Err(Error::UnexpectedRecord);
    };
    match (text[place], place) {
        // An alert or a message of no bytes, and ChangeCipherSpec.
        (21 | 22, 0) | (20, _) => Err(Error::UnexpectedRecord),
        (content_type, _) => Ok((content_type, text[..place].to_vec())),
    }
}

/// Seeds of [`tls13_record`].
pub fn records() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 5] = [b"data\x17", &[2, 40, 21, 0, 0], &[0; 20], &[1, 20], &[22]];
    let mut seeds = Vec::new();
    for (number, which) in (0..10).step_by(2).enumerate() {
        let suite = suite(which);
        let secret = &SECRET[..reference13::hash_of(suite).output_len()];
        seeds.push([&[which + 1], texts[number]].concat());
        seeds.push([&[which], &reference13::seal(suite, secret, 0, texts[number])[..]].concat());
    }
    seeds
}

/// A record key of TLS 1.3 in each of its forms, for the target of blobs.
///
/// # Panics
///
/// Panics where the provider exports no keys.
pub fn record_key_blobs(provider: &Provider) -> Vec<Vec<u8>> {
    let keys = SUITES[..3].iter().map(|suite| {
        let parameters = provider.tls13_parameters(*suite).expect("a suite of TLS 1.3");
        let (write_key, write_iv) = (vec![3; suite.info().expect("known").cipher.key_len], [4; 12]);
        let keys = WriteKeys { mac_key: &[], write_key: &write_key, write_iv: &write_iv };
        let options = RecordOptions { padding_block: 64, ..RecordOptions::default() };
        RecordKey::new(parameters.security_parameters(), options, keys).expect("good lengths")
    });
    keys.flat_map(|key| {
        let writes = key.export().expect("the policy allows it").expose().to_vec();
        let reads = key.for_reading().export().expect("the policy allows it").expose().to_vec();
        [writes, reads]
    })
    .collect()
}

/// The groups of shares.
const GROUPS: [Group; 7] = [
    Group::Hybrid(HybridGroup::X25519MlKem768),
    Group::Hybrid(HybridGroup::Secp256r1MlKem768),
    Group::Hybrid(HybridGroup::Secp384r1MlKem1024),
    Group::Curve(NamedCurve::X25519),
    Group::Curve(NamedCurve::Secp256r1),
    Group::Curve(NamedCurve::Secp384r1),
    Group::Curve(NamedCurve::Secp521r1),
];

/// The public key of a peer in the group that the first byte selects; the last bit is the side that
/// it is for. Every backend takes it, or all refuse it as a bad share.
pub fn key_share(input: &[u8]) {
    let Some((which, share)) = input.split_first() else { return };
    let group = GROUPS[usize::from(which >> 1) % GROUPS.len()].clone();
    let Ok(peer) = group.public_key(share) else { return };
    let mut answers = Vec::new();
    for backend in backends() {
        let provider = Provider::open(backend);
        let answer = match which & 1 {
            0 => answered(&provider, &peer),
            _ => agreed(&provider, &group, &peer),
        };
        match answer {
            Err(Error::Unsupported(_)) => {}
            Ok(()) | Err(Error::BadKeyShare) => answers.push(answer),
            Err(other) => panic!("{}: {other}", provider.backend().info().name),
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

/// A server's answer to the share, and the secret of both.
fn answered(provider: &Provider, peer: &PeerPublicKey) -> Result<(), Error> {
    let key = provider.answer_ephemeral_key(peer)?;
    assert!(!key.public_key().is_empty());
    let parameters = provider.tls13_parameters(SUITES[0])?;
    parameters.early_secret(None)?.handshake_secret(key, peer).map(drop)
}

/// A client's secret with the share of a server.
fn agreed(provider: &Provider, group: &Group, peer: &PeerPublicKey) -> Result<(), Error> {
    let key = provider.generate_ephemeral_key(group.clone())?;
    let parameters = provider.tls13_parameters(SUITES[0])?;
    parameters.early_secret(None)?.handshake_secret(key, peer).map(drop)
}

/// Seeds of [`key_share`].
pub fn key_shares() -> Vec<Vec<u8>> {
    let provider = Provider::open(default_backend().expect("backends are compiled in"));
    let mut seeds = Vec::new();
    for (group, which) in GROUPS.into_iter().zip((0_u8..).step_by(2)) {
        let key = provider.generate_ephemeral_key(group.clone()).expect("the default has it");
        let share = key.public_key().to_vec();
        let peer = group.public_key(&share).expect("its own");
        let answer = provider.answer_ephemeral_key(&peer).expect("the default has it");
        seeds.push([&[which], &share[..]].concat());
        seeds.push([&[which + 1], answer.public_key()].concat());
    }
    seeds
}

/// A ticket, and what a ticket is sealed with: one that was not sealed does not open, one that was
/// opens to what is in it, and no longer once a bit is flipped.
pub fn ticket(input: &[u8]) {
    static SEALS: LazyLock<(Provider, TicketKey)> = LazyLock::new(|| {
        let provider = Provider::open(default_backend().expect("backends are compiled in"));
        let key = provider.generate_ticket_key().expect("there are random numbers");
        (provider, key)
    });
    let (provider, key) = &*SEALS;
    let Some((head, state)) = input.split_first_chunk::<4>() else { return };
    let [which, high, low, psk_len] = *head;
    let suite = suite(which);
    let hash: HashAlgorithm = reference13::hash_of(suite);
    let psk = vec![0x55; usize::from(psk_len).max(1)];
    let psk = provider.pre_shared_key(hash, &psk).expect("a good length");
    let mut sealed = key.seal_psk(suite.id, &psk, state).expect("of the hash of the suite");
    let (found, opened, said) =
        key.open_psk(provider, &sealed).expect("no failure").expect("its own");
    assert_eq!((found, opened.hash(), &said[..]), (suite.id, hash, state));
    let bit = usize::from(u16::from_be_bytes([high, low])) % (8 * sealed.len());
    sealed[bit / 8] ^= 1 << (bit % 8);
    assert!(key.open_psk(provider, &sealed).expect("no failure").is_none(), "a bit is flipped");
    assert!(key.open_psk(provider, state).expect("no failure").is_none(), "not sealed");
    assert!(key.open(provider, &sealed).expect("no failure").is_none(), "another kind");
}

/// Seeds of [`ticket`].
pub fn tickets() -> Vec<Vec<u8>> {
    let heads: [[u8; 4]; 4] = [[0, 0, 1, 32], [2, 1, 0, 48], [4, 0, 97, 32], [1, 2, 3, 1]];
    let state: [&[u8]; 4] = [b"", b"state", &[0; 60], &[7; 300]];
    heads.into_iter().zip(state).map(|(head, state)| [&head[..], state].concat()).collect()
}
