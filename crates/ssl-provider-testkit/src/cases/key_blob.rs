//! Record keys on their way to another process: the copy goes on where the key was, and nothing
//! that is not such a key comes in.

use ssl_provider_core::{
    Backend, CipherMode, CipherSuite, Error, KeyExportPolicy, MAX_KEY_STREAM_POSITION, Policy,
    ProtocolVersion, Provider, RecordKey, RecordOptions, Side,
};

use crate::bytes::{Rng, flipped};
use crate::direction::{seal, unseal};
use crate::exchange::{Exchange, POLICY, open, rsa_suites};
use crate::fake::Fake;
use crate::rsa_key::TestKey;

/// The record key that the server writes with after an exchange, from a provider with this policy;
/// none where the backend has no such cipher.
fn record_key(
    backend: &Backend,
    policy: Policy,
    exchange: &Exchange,
    encrypt_then_mac: bool,
) -> Option<RecordKey> {
    let provider = Provider::open(backend).with_policy(policy);
    let key = TestKey::rsa_1024();
    let mut rng = Rng::new(u64::from(exchange.suite.id.0));
    let ciphertext = key.encrypt(&key.pad(&exchange.premaster_secret(&mut rng), &mut rng));
    let master_key = exchange.import(&provider, &key.load(&provider), &ciphertext).unwrap();
    let keys = master_key.session_keys(&exchange.parameters()).unwrap();
    let options = RecordOptions { encrypt_then_mac, ..RecordOptions::default() };
    match keys.record_key(Side::Server, options) {
        Ok(key) => Some(key),
        // Which ciphers a backend lacks is for the cases on support.
        Err(Error::Unsupported(_) | Error::UnsupportedSuite { .. }) => None,
        Err(error) => panic!("{}: {error}", exchange.suite.name),
    }
}

/// A key of any protocol, suite and option goes on in its copy, with chained vectors and key
/// streams where they were; the copy opens what the key writes, and the other way round.
pub fn key_blob_goes_on_where_the_key_was(backend: &Backend) {
    let provider = open(backend);
    let mut count = 0;
    for (protocol, suite) in rsa_suites() {
        let cbc = suite.cipher.mode == CipherMode::Cbc && protocol != ProtocolVersion::SSL3;
        for encrypt_then_mac in [false, true].into_iter().filter(|on| !on || cbc) {
            let exchange = Exchange::new(protocol, suite.id);
            let Some(mut writer) = record_key(backend, POLICY, &exchange, encrypt_then_mac) else {
                continue;
            };
            let mut reader = record_key(backend, POLICY, &exchange, encrypt_then_mac).unwrap();
            for number in 0..3 {
                let record = seal(&mut writer, number, 23, b"before");
                assert_eq!(unseal(&mut reader, number, &record), b"before");
            }
            let import = |key: &RecordKey| {
                provider.import_record_key(key.export().unwrap().expose()).unwrap()
            };
            let (mut writer_copy, mut reader_copy) = (import(&writer), import(&reader));
            // The copy of a copy goes on as well.
            let mut second_copy = import(&reader_copy);
            for number in 3..6 {
                let record = seal(&mut writer_copy, number, 23, b"after it");
                for reader in [&mut reader, &mut reader_copy, &mut second_copy] {
                    let name = exchange.suite.name;
                    assert_eq!(unseal(reader, number, &record), b"after it", "{name}");
                }
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

/// Any bit flipped, any byte missing or too many: refused, as a parameter.
pub fn key_blob_is_refused_when_damaged(backend: &Backend) {
    let provider = open(backend);
    for (protocol, suite) in [
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
    ] {
        let exchange = Exchange::new(protocol, suite);
        let key = record_key(backend, POLICY, &exchange, false).unwrap();
        let blob = key.export().unwrap();
        let blob = blob.expose();
        let refused = |blob: &[u8], what: &str| {
            let error = provider.import_record_key(blob).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{what}: {error}");
        };
        for bit in 0..blob.len() * 8 {
            refused(&flipped(blob, bit), "flipped");
        }
        for len in 0..blob.len() {
            refused(&blob[..len], "cut short");
            refused(&blob[blob.len() - len..], "without its beginning");
        }
        refused(&[blob, &[0]].concat(), "too long");
        refused(&[0; 4096], "zeros");
        assert!(provider.import_record_key(blob).is_ok());
    }
}

/// Contents that a right checksum stands behind are still read with care.
pub fn key_blob_is_refused_by_another_backend_or_policy(backend: &Backend) {
    let provider = open(backend);
    let exchange = Exchange::new(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA);
    let blob = record_key(backend, POLICY, &exchange, false).unwrap().export().unwrap();
    let strict = provider.clone().with_policy(Policy { legacy_ssl3: false, ..POLICY });
    let error = strict.import_record_key(blob.expose()).unwrap_err();
    assert_eq!(error, Error::UnsupportedProtocol { given: 0x0300 });

    let other = open(&Fake::new().share());
    let error = other.import_record_key(blob.expose()).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter(_)), "{error}");

    let resealed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut content = blob.expose()[..blob.expose().len() - 32].to_vec();
        change(&mut content);
        let checksum =
            crate::reference::hash(ssl_provider_core::HashAlgorithm::Sha256, &[&content]);
        provider.import_record_key(&[content, checksum].concat())
    };
    assert!(resealed(&|_| ()).is_ok());
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));
    let changes: [Change<'_>; 9] = [
        ("magic", &|content| content[0] ^= 1),
        ("version", &|content| content[7] += 1),
        ("suite", &|content| content[10..14].fill(0xff)),
        ("options", &|content| content[14] = 4),
        ("a position for a cipher without key stream", &|content| content[22] = 1),
        ("a position too far on", &|content| content[15..23].fill(0xff)),
        ("name", &|content| content[24] ^= 1),
        ("a length beyond the end", &|content| content[23] = 0xff),
        ("more than there is", &|content| content.push(0)),
    ];
    for (what, change) in changes {
        let error = resealed(change).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{what}: {error}");
    }
    let error = resealed(&|content| content[8..10].copy_from_slice(&[3, 4])).unwrap_err();
    assert_eq!(error, Error::UnsupportedProtocol { given: 0x0304 });
}

/// Without the policy nothing leaves, whether the key was derived here or imported; no blob shows
/// its bytes.
pub fn key_blob_is_given_only_where_policy_allows(backend: &Backend) {
    let denied = Policy { key_export: KeyExportPolicy::Denied, ..POLICY };
    assert_eq!(Policy::default().key_export, KeyExportPolicy::Denied);
    let exchange = Exchange::tls1_2();
    let key = record_key(backend, denied, &exchange, false).unwrap();
    assert!(matches!(key.export(), Err(Error::NotAllowed(_))));

    let blob = record_key(backend, POLICY, &exchange, false).unwrap().export().unwrap();
    let shown = format!("{blob:?}");
    assert_eq!(shown, format!("OpaqueKeyBlob {{ len: {}, .. }}", blob.expose().len()));
    let strict = Provider::open(backend).with_policy(denied);
    let copy = strict.import_record_key(blob.expose()).unwrap();
    assert!(matches!(copy.export(), Err(Error::NotAllowed(_))));
}

/// RC4 has to run as far as it was; beyond a limit, a key is not exported any more.
pub fn key_blob_of_rc4_ends_where_it_costs_too_much(backend: &Backend) {
    let exchange = Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_RC4_128_SHA);
    let Some(mut key) = record_key(backend, POLICY, &exchange, false) else { return };
    let payload = vec![0; 1 << 14];
    let mut written = 0;
    while written + (1 << 14) + 20 <= MAX_KEY_STREAM_POSITION {
        seal(&mut key, 0, 23, &payload);
        written += (1 << 14) + 20;
    }
    let blob = key.export().unwrap();
    let mut copy = open(backend).import_record_key(blob.expose()).unwrap();
    assert_eq!(seal(&mut copy, 1, 23, b"next"), seal(&mut key, 1, 23, b"next"));
    seal(&mut key, 2, 23, &payload);
    let error = key.export().unwrap_err();
    assert!(matches!(error, Error::InvalidParameter(_)), "{error}");
}
