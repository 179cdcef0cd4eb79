//! The groups of TLS 1.3 that join a curve with key encapsulation: published secrets, both sides,
//! and shares that must be refused.

use ssl_provider_core::backend::{
    Composed, DecapsulationKey, KemPrivateKey, KeyEncapsulation, KeyExchangeBackend,
};
use ssl_provider_core::tls13::Tls13Parameters;
use ssl_provider_core::{
    Backend, BackendInfo, CipherSuite, EphemeralKey, Error, Group, HybridGroup, KEM_SECRET_LEN,
    KemAlgorithm, NamedCurve, Operation, PeerPublicKey, ProtocolVersion, Provider, Side, Support,
};

use crate::bytes::flipped;
use crate::curve::Curve;
use crate::exchange::{Exchange, open};
use crate::fault;
use crate::ml_kem::{MlKem, Q};
use crate::vectors::{field, hex_field, with_folder};

/// The groups that a backend has.
fn groups(backend: &Backend) -> impl Iterator<Item = HybridGroup> + '_ {
    let all = HybridGroup::ALL.into_iter();
    all.filter(|group| {
        let parts = [Operation::Ecdh(group.curve()), Operation::Kem(group.kem())];
        parts.into_iter().all(|part| backend.support(part).is_supported())
    })
}

/// What both sides derive from a key agreement: the handshake traffic secrets of client and server
/// over a text.
///
/// # Errors
///
/// Those of `HandshakeSecret` and what comes before it; [`Error::NotAllowed`] where the policy
/// forbids key logs.
pub fn traffic_secrets(
    connection: &Tls13Parameters,
    transcript: &[u8],
    key: EphemeralKey,
    peer: &PeerPublicKey,
) -> Result<[Vec<u8>; 2], Error> {
    let secret = connection.early_secret(None)?.handshake_secret(key, peer)?;
    let mut hash = connection.transcript()?;
    hash.update(transcript);
    let of = |side| secret.traffic_secret(side, &hash)?.secret_for_key_log().map(<[u8]>::to_vec);
    Ok([of(Side::Client)?, of(Side::Server)?])
}

/// A connection with SHA-256.
fn connection(provider: &Provider) -> Tls13Parameters {
    provider.tls13_parameters(CipherSuite::TLS_AES_128_GCM_SHA256).unwrap()
}

/// Whether a side takes a share, and what it derives.
fn agree(
    provider: &Provider,
    key: EphemeralKey,
    peer: &PeerPublicKey,
) -> Result<[Vec<u8>; 2], Error> {
    traffic_secrets(&connection(provider), b"hellos", key, peer)
}

/// Takes the share of a peer.
fn share(group: HybridGroup, bytes: &[u8]) -> PeerPublicKey {
    Group::from(group).public_key(bytes).unwrap()
}

/// Joins the parts of a share, as the draft has them: that of ML-KEM first with X25519 alone.
fn joined(group: HybridGroup, curve: &[u8], kem: &[u8]) -> Vec<u8> {
    match group {
        HybridGroup::X25519MlKem768 => [kem, curve].concat(),
        _ => [curve, kem].concat(),
    }
}

/// Splits a share: the part of the curve, and that of ML-KEM.
fn split(group: HybridGroup, share: &[u8]) -> (&[u8], &[u8]) {
    match group {
        HybridGroup::X25519MlKem768 => {
            let (kem, curve) = share.split_at(share.len() - 32);
            (curve, kem)
        }
        _ => share.split_at(group.curve().public_key_len()),
    }
}

/// Key encapsulation whose secret the case chooses, since a vector has that and neither key nor
/// ciphertext.
#[derive(Debug)]
struct Given {
    info: BackendInfo,
    secret: [u8; KEM_SECRET_LEN],
}

impl Given {
    /// Puts it into a library.
    fn within(library: &Backend, secret: [u8; KEM_SECRET_LEN]) -> Backend {
        let info = || BackendInfo::new("given", "Given secrets", String::new());
        let given = Self { info: info(), secret };
        Backend::new(Composed::new(info().with_rsa(library.info().rsa), given, library.clone()))
    }
}

impl KeyExchangeBackend for Given {
    ssl_provider_core::offers! { key_encapsulation }

    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Kem(_) | Operation::KemLoad(_) => Support::By("this case"),
            _ => Support::Unsupported,
        }
    }
}

impl KeyEncapsulation for Given {
    fn load_kem(
        &self,
        kem: KemAlgorithm,
        _: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        let encapsulation_key = vec![0; kem.encapsulation_key_len()];
        Ok(Box::new(GivenKey { encapsulation_key, secret: self.secret }))
    }

    fn encapsulate_with(
        &self,
        _: KemAlgorithm,
        _: &[u8],
        _: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        ciphertext.fill(0);
        *secret = self.secret;
        Ok(())
    }
}

#[derive(Debug)]
struct GivenKey {
    encapsulation_key: Vec<u8>,
    secret: [u8; KEM_SECRET_LEN],
}

impl DecapsulationKey for GivenKey {
    fn encapsulation_key(&self) -> &[u8] {
        &self.encapsulation_key
    }

    fn decapsulate(
        self: Box<Self>,
        _: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        *secret = self.secret;
        Ok(())
    }
}

/// The secrets of s2n-tls, on both sides: three agreements on curves, and two traffic secrets of
/// each group with each hash.
pub fn hybrid_secrets_of_s2n(backend: &Backend) {
    with_folder(15, |vectors| {
        let values = vectors.json("hybrid/s2n-hybrid-secrets.json");
        let values = values.as_array().expect("a list of values");
        let mut count = 0;
        for value in values {
            let number = u16::from_str_radix(field(value, "group"), 16).expect("a number");
            let group = HybridGroup::from_wire(number).expect("a group of the interface");
            let suite = u32::from_str_radix(field(value, "suite_id"), 16).expect("a number");
            let is_first_of_group = field(value, "hash") == "sha256";
            count += 2 + usize::from(is_first_of_group);
            if !backend.support(Operation::EcdhLoad(group.curve())).is_supported() {
                continue;
            }
            let secret = hex_field(value, "mlkem_shared").try_into().expect("32 bytes");
            let provider = open(&Given::within(backend, secret));
            let library = provider.backend();
            let load = |side: &str| {
                let private_key = hex_field(value, &format!("{side}_ecdhe_private"));
                library.key_agreement().load_ecdh(group.curve(), &private_key).unwrap()
            };
            let [client, server] =
                ["client", "server"].map(|side| hex_field(value, &format!("{side}_ecdhe_public")));
            for (own, peer) in [("client", &server), ("server", &client)] {
                let mut agreed = vec![0; group.curve().coordinate_len()];
                load(own).agree(peer, &mut agreed).unwrap();
                assert_eq!(agreed, hex_field(value, "ecdhe_shared"), "{}", group.name());
            }

            let [client, server] = [
                (client, group.kem().encapsulation_key_len()),
                (server, group.kem().ciphertext_len()),
            ]
            .map(|(curve, len)| joined(group, &curve, &vec![0; len]));
            let kem =
                library.key_encapsulation().load_kem(group.kem(), KemPrivateKey::Expanded(&[]));
            let of_client = provider.hybrid_key_of(group, load("client"), kem.unwrap()).unwrap();
            assert_eq!(of_client.public_key(), client, "{}", group.name());
            let to_server = share(group, &client);
            let of_server =
                provider.answer_ephemeral_key_with(&to_server, load("server"), &[0; 32]).unwrap();
            assert_eq!(of_server.public_key(), server, "{}", group.name());

            let connection = provider.tls13_parameters(CipherSuite(suite)).unwrap();
            let expected = ["client", "server"]
                .map(|side| hex_field(value, &format!("{side}_handshake_traffic_secret")));
            let transcript = hex_field(value, "transcript_bytes");
            let sides = [(of_client, share(group, &server)), (of_server, to_server)];
            for (key, peer) in sides {
                let found = traffic_secrets(&connection, &transcript, key, &peer);
                assert_eq!(found.as_ref(), Ok(&expected), "{}", group.name());
            }
        }
        count
    });
}

/// Client and server derive the same, with either hash, and something else the next time; shares
/// have the lengths of the draft.
pub fn hybrid_groups_give_both_sides_the_same_secret(backend: &Backend) {
    let provider = open(backend);
    for group in groups(backend) {
        let mut before = None;
        let suites = [
            CipherSuite::TLS_AES_256_GCM_SHA384,
            CipherSuite::TLS_AES_128_GCM_SHA256,
            CipherSuite::TLS_AES_128_GCM_SHA256,
        ];
        for suite in suites {
            let connection = provider.tls13_parameters(suite).unwrap();
            let client = provider.generate_ephemeral_key(group).unwrap();
            assert_eq!(client.public_key().len(), group.client_share_len());
            let to_server = share(group, client.public_key());
            let server = provider.answer_ephemeral_key(&to_server).unwrap();
            assert_eq!(server.public_key().len(), group.server_share_len());
            let to_client = share(group, server.public_key());
            let [of_client, of_server] = [(client, to_client), (server, to_server)]
                .map(|(key, peer)| traffic_secrets(&connection, b"hellos", key, &peer).unwrap());
            assert_eq!(of_client, of_server, "{}", group.name());
            assert_ne!(before.replace(of_client.clone()), Some(of_client), "{}", group.name());
        }
    }
    // Where a part is missing, so is the group.
    let all = HybridGroup::ALL.into_iter();
    for group in all.filter(|group| groups(backend).all(|there| there != *group)) {
        let refused = provider.generate_ephemeral_key(group).map(drop);
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{}: {refused:?}", group.name());
    }
}

/// Shares of another length, and points in another form, are refused before any library sees them.
pub fn hybrid_shares_of_another_form_are_refused(_backend: &Backend) {
    for group in HybridGroup::ALL {
        let curve = group.curve();
        let mut point = vec![9; curve.public_key_len()];
        point[0] = 4;
        let lens = [group.client_share_len(), group.server_share_len()];
        for len in lens {
            let kem = vec![1; len - point.len()];
            let good = joined(group, &point, &kem);
            let taken = Group::from(group).public_key(&good);
            assert_eq!(taken.unwrap().as_bytes(), good, "{}", group.name());
            let refused = |bytes: &[u8]| {
                let taken = Group::from(group).public_key(bytes);
                assert_eq!(taken, Err(Error::BadKeyShare), "{}", group.name());
            };
            for other in [0, 1, 32, 65, 97, point.len(), kem.len(), len - 1, len + 1, 2 * len] {
                let mut bytes = good.clone();
                bytes.resize(other, 4);
                refused(&bytes);
            }
            for form in [0, 2, 3, 5, 6, 7].into_iter().filter(|_| !curve.is_montgomery()) {
                refused(&joined(group, &[&[form], &point[1..]].concat(), &kem));
            }
        }
    }
}

/// A key of a client, and that of the server that answers it.
fn answered(provider: &Provider, group: HybridGroup) -> (EphemeralKey, EphemeralKey) {
    let client = provider.generate_ephemeral_key(group).unwrap();
    let server = provider.answer_ephemeral_key(&share(group, client.public_key())).unwrap();
    (client, server)
}

/// The share of the wrong side, a part of the curve that must be refused, on either side, and an
/// encapsulation key that is not reduced are refused; another ciphertext is rejected implicitly.
pub fn hybrid_shares_that_are_wrong_are_refused(backend: &Backend) {
    let provider = open(backend);
    let bad = || Err(Error::BadKeyShare);
    for group in groups(backend) {
        let what = group.name();
        let answer = |bytes: &[u8]| provider.answer_ephemeral_key(&share(group, bytes)).map(drop);
        let (client, server) = answered(&provider, group);
        let (of_client, of_server) = (client.public_key().to_vec(), server.public_key().to_vec());
        let finish = |bytes: &[u8]| {
            let key = provider.generate_ephemeral_key(group).unwrap();
            agree(&provider, key, &share(group, bytes))
        };

        assert_eq!(answer(&of_server), bad(), "{what}");
        // With P-384 both shares are equally long, and bytes are a ciphertext whatever they are.
        if group.client_share_len() != group.server_share_len() {
            assert_eq!(finish(&of_client).map(drop), bad(), "{what}");
        }

        let point = split(group, &of_server).0;
        let bad_points = match Curve::new(group.curve()) {
            Some(curve) => {
                let zeros = [&[4][..], &vec![0; point.len() - 1]].concat();
                vec![curve.point_beside(point), zeros]
            }
            // Zero and one are of small order.
            None => vec![vec![0; 32], [&[1][..], &[0; 31]].concat()],
        };
        for point in bad_points {
            let (_, encapsulation_key) = split(group, &of_client);
            assert_eq!(answer(&joined(group, &point, encapsulation_key)), bad(), "{what}");
            let (_, ciphertext) = split(group, &of_server);
            assert_eq!(finish(&joined(group, &point, ciphertext)).map(drop), bad(), "{what}");
        }

        let (point, encapsulation_key) = split(group, &of_client);
        let ml_kem = MlKem::new(group.kem()).unwrap();
        let unreduced = ml_kem.with_coefficient(encapsulation_key, 300, Q);
        assert_eq!(answer(&joined(group, point, &unreduced)), bad(), "{what}");

        let (point, ciphertext) = split(group, &of_server);
        let altered = joined(group, point, &flipped(ciphertext, 5));
        let rejected = agree(&provider, client, &share(group, &altered)).unwrap();
        let right = agree(&provider, server, &share(group, &of_client)).unwrap();
        assert_ne!(rejected, right, "{what}");
    }
}

/// A server's key is for the share that it answers, and for no other; no key is for another group
/// or another backend.
pub fn hybrid_keys_answer_one_share_only(backend: &Backend) {
    let provider = open(backend);
    let other_backend = fault::sound(backend);
    let elsewhere = open(other_backend.backend());
    for group in groups(backend) {
        let what = group.name();
        let (client, server) = answered(&provider, group);
        let (other, _) = answered(&provider, group);
        let refused = agree(&provider, server, &share(group, other.public_key()));
        assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{what}: {refused:?}");
        let (_, server) = answered(&provider, group);
        let of_server = share(group, server.public_key());
        let refused = agree(&elsewhere, client, &of_server);
        assert_eq!(refused, Err(Error::InvalidHandle), "{what}");
        for another in groups(backend).filter(|another| *another != group) {
            let key = provider.generate_ephemeral_key(another).unwrap();
            let refused = agree(&provider, key, &of_server);
            assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{what}: {refused:?}");
        }
        let on_curve = provider.generate_ephemeral_key(group.curve()).unwrap();
        let refused = agree(&provider, on_curve, &of_server);
        assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{what}: {refused:?}");
    }
}

/// No suite up to TLS 1.2 takes a hybrid group, and keys that do not belong to one do not become
/// it.
pub fn hybrid_groups_are_of_tls_1_3_only(backend: &Backend) {
    let provider = open(backend);
    for group in groups(backend) {
        let what = group.name();
        let (client, server) = answered(&provider, group);
        let peer = share(group, server.public_key());
        let suite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        let exchange = Exchange::new(ProtocolVersion::TLS1_2, suite);
        let (version, parameters) = (exchange.protocol, exchange.parameters());
        let refused =
            provider.generate_master_key(client, &peer, version, suite, &parameters, Side::Client);
        let given = suite.0;
        assert_eq!(refused.map(drop), Err(Error::UnsupportedSuite { given }), "{what}");

        let is_refused =
            |result: Result<EphemeralKey, Error>| matches!(result, Err(Error::InvalidParameter(_)));
        let agreement = backend.key_agreement();
        let on_curve = || agreement.generate_ecdh(group.curve()).unwrap();
        assert!(is_refused(provider.ephemeral_key_of(group, on_curve())), "{what}");
        let kem = || backend.key_encapsulation().generate_kem(group.kem()).unwrap();
        assert!(provider.hybrid_key_of(group, on_curve(), kem()).is_ok(), "{what}");
        let other = HybridGroup::ALL.into_iter().find(|other| other.curve() != group.curve());
        let other = other.expect("a group on another curve");
        assert!(is_refused(provider.hybrid_key_of(other, on_curve(), kem())), "{what}");
        if !backend.support(Operation::KemLoad(group.kem())).is_supported() {
            continue;
        }
        let to_server = share(group, provider.generate_ephemeral_key(group).unwrap().public_key());
        let answer =
            |peer: &PeerPublicKey, key| provider.answer_ephemeral_key_with(peer, key, &[3; 32]);
        assert!(answer(&to_server, on_curve()).is_ok(), "{what}");
        let plain = NamedCurve::Secp256r1;
        let plain_key = agreement.generate_ecdh(plain).unwrap();
        let plain_share = Group::from(plain).public_key(plain_key.public_key()).unwrap();
        assert!(is_refused(answer(&plain_share, on_curve())), "{what}");
        if group.curve() != plain {
            assert!(is_refused(answer(&to_server, plain_key)), "{what}");
        }
    }
}
