//! The contract of `SslImportMasterKey`: which versions, suites and lists are taken, and
//! the status for each that is not. All of it is public, decided before the private key is used.

use ssl_provider_core::{
    Backend, Buffer, CipherSuite, CipherSuiteInfo, Error, MasterKey, ParameterList, Policy,
    PremasterVersion, PrivateKey, ProtocolVersion, Provider,
};

use crate::bytes::Rng;
use crate::exchange::{Exchange, POLICY, open, open_with_key};
use crate::fake::Fake;
use crate::rsa_key::TestKey;

const INVALID_HANDLE: u32 = 0x8009_0026;
const INVALID_PARAMETER: u32 = 0x8009_0027;
const NOT_SUPPORTED: u32 = 0x8009_0029;
const PERM: u32 = 0x8009_0010;

/// An import of which single arguments can be changed.
struct Import {
    provider: Provider,
    key: PrivateKey,
    protocol: u32,
    suite: u32,
    parameters: ParameterList,
    ciphertext: Vec<u8>,
}

impl Import {
    fn new(backend: &Backend) -> Self {
        let provider = open(backend);
        let test_key = TestKey::rsa_1024();
        let mut rng = Rng::new(40);
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256);
        let premaster_secret = exchange.premaster_secret(&mut rng);
        Self {
            key: test_key.load(&provider),
            provider,
            protocol: 0x0303,
            suite: 0x003C,
            parameters: exchange.parameters(),
            ciphertext: test_key.encrypt(&test_key.pad(&premaster_secret, &mut rng)),
        }
    }

    fn run(&self) -> Result<MasterKey, Error> {
        self.provider.import_master_key(
            &self.key,
            ProtocolVersion::try_from(self.protocol)?,
            CipherSuite(self.suite),
            &self.parameters,
            &self.ciphertext,
        )
    }

    /// The status, whatever the ciphertext: a public fault is found for good and bad ones alike.
    fn status(&mut self) -> u32 {
        let status =
            |result: Result<MasterKey, Error>| result.map_or_else(|e| e.status().code(), |_| 0);
        let good = status(self.run());
        let kept = std::mem::replace(&mut self.ciphertext, vec![0xff; 3]);
        let bad = status(self.run());
        self.ciphertext = kept;
        assert_eq!(good, bad, "the status depends on the ciphertext");
        good
    }
}

/// The six protocols with an RSA key exchange are taken, SSL 3.0 where policy says so; all else is
/// not supported.
pub fn import_takes_the_protocols_with_an_rsa_exchange(backend: &Backend) {
    let mut import = Import::new(backend);
    import.suite = 0x002F;
    let taken = [0x0300, 0x0301, 0x0302, 0x0303, 0xfeff, 0xfefd];
    let other = [0, 1, 2, 3, 0x0002, 0x0200, 0x0304, 0x0305, 0x0303_0303, 0x1_0303, 0xfefe, 0xfefc];
    for protocol in taken.into_iter().chain(other).chain([0x7f17, u32::MAX]) {
        import.protocol = protocol;
        let expected = if taken.contains(&protocol) { 0 } else { NOT_SUPPORTED };
        assert_eq!(import.status(), expected, "{protocol:#x}");
    }
    import.provider = Provider::open(backend).with_policy(Policy { legacy_ssl3: false, ..POLICY });
    for protocol in taken {
        import.protocol = protocol;
        let expected = if protocol == 0x0300 { NOT_SUPPORTED } else { 0 };
        assert_eq!(import.status(), expected, "{protocol:#x} under the strict policy");
    }
}

/// Every suite of the table with every protocol: taken exactly where the suite exchanges by RSA and
/// belongs to the protocol. Numbers that are no suite are not supported.
pub fn import_takes_rsa_suites_of_the_protocol(backend: &Backend) {
    let mut import = Import::new(backend);
    let mut taken = 0;
    for protocol in ProtocolVersion::ALL {
        for suite in CipherSuiteInfo::all() {
            (import.protocol, import.suite) = (u32::from(protocol.wire()), suite.id.0);
            let named_rsa = suite.name.starts_with("TLS_RSA_");
            let known = protocol != ProtocolVersion::SSL2 && protocol != ProtocolVersion::TLS1_3;
            let expected = if named_rsa && known && suite.allows(protocol) {
                taken += 1;
                0
            } else {
                NOT_SUPPORTED
            };
            assert_eq!(import.status(), expected, "{} {}", protocol, suite.name);
        }
    }
    assert_eq!(taken, crate::exchange::rsa_suites().len());

    // Named ones, so that this does not lean on the table alone.
    let rows = [
        (0x0303, 0xC02F, "ECDHE"),
        (0x0303, 0x009E, "DHE"),
        (0x0303, 0x00A8, "PSK"),
        (0x0303, 0x1301, "TLS 1.3"),
        (0x0303, 0x1_0080, "SSL 2.0"),
        (0x0302, 0x009C, "GCM under TLS 1.1"),
        (0xfeff, 0x009D, "GCM under DTLS 1.0"),
        (0x0301, 0x003C, "SHA-256 under TLS 1.0"),
        (0x0300, 0x009C, "GCM under SSL 3.0"),
        (0xfefd, 0x0005, "RC4 under DTLS"),
        (0x0303, 0x0000, "the null suite"),
        (0x0303, 0x00FF, "the renegotiation marker"),
        (0x0303, 0x5600, "the fallback marker"),
        (0x0303, 0xFFFF, "no suite"),
        (0x0303, 0x2F, "taken"),
        (0x0303, 0x1_002F, "more than 16 bits"),
        (0x0303, u32::MAX, "all ones"),
    ];
    for (protocol, suite, what) in rows {
        (import.protocol, import.suite) = (protocol, suite);
        let expected = if what == "taken" { 0 } else { NOT_SUPPORTED };
        assert_eq!(import.status(), expected, "{what}");
    }
}

/// Either both randoms or the session hash must be in the list.
pub fn import_needs_randoms_or_session_hash(backend: &Backend) {
    let mut import = Import::new(backend);
    let list = ParameterList::new;
    let (random, hash) = ([7; 32], [8; 32]);
    let rows = [
        (list(), INVALID_PARAMETER),
        (list().highest_version(ProtocolVersion::TLS1_2), INVALID_PARAMETER),
        (list().client_random(random), INVALID_PARAMETER),
        (list().server_random(random), INVALID_PARAMETER),
        (list().client_random(random).server_random(random), 0),
        (list().session_hash(&hash).unwrap(), 0),
        (list().client_random(random).session_hash(&hash).unwrap(), 0),
        (list().server_random(random).session_hash(&hash).unwrap(), 0),
    ];
    for (parameters, status) in rows {
        import.parameters = parameters.clone();
        assert_eq!(import.status(), status, "{parameters:?}");
    }
}

/// The session hash has the length of the handshake hash; SSL 3.0 has no extended master secret.
pub fn import_takes_a_session_hash_of_the_right_length(backend: &Backend) {
    let mut import = Import::new(backend);
    let rows = [
        (0x0301, 0x002F, 36),
        (0x0302, 0x002F, 36),
        (0xfeff, 0x002F, 36),
        (0x0303, 0x002F, 32),
        (0x0303, 0x003C, 32),
        (0x0303, 0x009C, 32),
        (0x0303, 0x009D, 48),
        (0xfefd, 0x009D, 48),
        (0xfefd, 0x002F, 32),
    ];
    for (protocol, suite, right) in rows {
        (import.protocol, import.suite) = (protocol, suite);
        for len in [32, 36, 48] {
            import.parameters = ParameterList::new()
                .client_random([1; 32])
                .server_random([2; 32])
                .session_hash(&vec![3; len])
                .unwrap();
            let expected = if len == right { 0 } else { INVALID_PARAMETER };
            assert_eq!(import.status(), expected, "{protocol:#x} {suite:#x} {len}");
            (import.protocol, import.suite) = (0x0300, 0x002F);
            assert_eq!(import.status(), NOT_SUPPORTED, "SSL 3.0 {len}");
            (import.protocol, import.suite) = (protocol, suite);
        }
    }
}

/// With a session hash the randoms do not count; they are not mixed in.
pub fn import_lets_the_session_hash_win_over_the_randoms(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384)
            .extended();
    let hash = exchange.session_hash.clone().unwrap();
    let mut rng = Rng::new(41);
    let (premaster_secret, good) = exchange.encrypted(&test_key, &mut rng);
    let bad = test_key.encrypt(&test_key.pad(b"bad", &mut rng));
    let alone = ParameterList::new().session_hash(&hash).unwrap();
    for ciphertext in [&good, &bad] {
        let expected = exchange.imported_secret(&provider, &key, ciphertext);
        for parameters in [
            alone.clone(),
            alone.clone().client_random([9; 32]).server_random([9; 32]),
            alone.clone().client_random([5; 32]),
        ] {
            let master_key = provider
                .import_master_key(
                    &key,
                    exchange.protocol,
                    exchange.suite.id,
                    &parameters,
                    ciphertext,
                )
                .unwrap();
            assert_eq!(master_key.secret_for_key_log().unwrap().expose(), &expected);
        }
    }
    let expected = exchange.master_secret(&premaster_secret);
    assert_eq!(exchange.imported_secret(&provider, &key, &good).as_slice(), expected);
}

/// Without the offered version in the list, the negotiated one is expected; of the version in the
/// list only 16 bits count.
pub fn import_expects_the_negotiated_version_by_default(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let mut rng = Rng::new(42);
    for protocol in crate::exchange::PROTOCOLS {
        let exchange = Exchange {
            client_version: None,
            ..Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA)
        };
        let premaster_secret = exchange.premaster_secret(&mut rng);
        assert_eq!(premaster_secret[..2], protocol.wire().to_be_bytes());
        let ciphertext = test_key.encrypt(&test_key.pad(&premaster_secret, &mut rng));
        let secret = exchange.imported_secret(&provider, &key, &ciphertext);
        let expected = exchange.master_secret(&premaster_secret);
        assert_eq!(secret.as_slice(), expected, "{}", protocol);

        let version = (0xabcd_0000 | u32::from(protocol.wire())).to_ne_bytes();
        let entry = |buffer_type, data| Buffer { buffer_type, data: Some(data) };
        let buffers = [
            entry(20, &exchange.client_random[..]),
            entry(21, &exchange.server_random),
            entry(22, &version),
        ];
        let parameters = ParameterList::parse(0, &buffers).unwrap();
        let master_key = provider
            .import_master_key(&key, protocol, exchange.suite.id, &parameters, &ciphertext)
            .unwrap();
        assert_eq!(
            master_key.secret_for_key_log().unwrap().expose(),
            expected.as_slice(),
            "{} with high bits",
            protocol
        );
    }
}

/// A key of another backend is not a key of this provider.
pub fn import_refuses_a_key_of_another_backend(backend: &Backend) {
    let mut import = Import::new(backend);
    let stranger = Provider::open(Fake::new().share());
    import.key = TestKey::rsa_1024().load(&stranger);
    assert_eq!(import.status(), INVALID_HANDLE);
    // The handle comes first: nothing else about the call is looked at.
    import.protocol = 0;
    assert_eq!(import.status(), INVALID_HANDLE);
}

/// A key keeps the rule about premaster versions that it was loaded under: a provider with another
/// rule refuses it, whatever the ciphertext.
pub fn import_refuses_a_key_of_another_premaster_rule(backend: &Backend) {
    let rules = [
        PremasterVersion::Offered,
        PremasterVersion::InsecureOfferedOrNegotiated,
        PremasterVersion::InsecureAny,
    ];
    let provider = |premaster_version| open_with(backend, Policy { premaster_version, ..POLICY });
    for loaded in rules {
        let mut import = Import::new(backend);
        import.key = TestKey::rsa_1024().load(&provider(loaded));
        assert_eq!(import.key.premaster_version(), loaded);
        for rule in rules {
            import.provider = provider(rule);
            let expected = if rule == loaded { 0 } else { PERM };
            assert_eq!(import.status(), expected, "{loaded:?} under {rule:?}");
        }
    }
}

fn open_with(backend: &Backend, policy: Policy) -> Provider {
    Provider::open(backend).with_policy(policy)
}

/// Several faults at once are reported in the documented order: handle, protocol, suite, list. The
/// flags are for the C interface.
pub fn import_checks_in_a_fixed_order(backend: &Backend) {
    let mut import = Import::new(backend);
    import.parameters = ParameterList::new();
    assert_eq!(import.status(), INVALID_PARAMETER);
    import.suite = 0xC02F;
    assert_eq!(import.run().unwrap_err(), Error::UnsupportedSuite { given: 0xC02F });
    import.protocol = 0x0304;
    assert_eq!(import.run().unwrap_err(), Error::UnsupportedProtocol { given: 0x0304 });
}

/// The master key remembers what it was made for.
pub fn import_gives_a_master_key_of_its_protocol_and_suite(backend: &Backend) {
    let mut import = Import::new(backend);
    for (protocol, suite) in crate::exchange::rsa_suites() {
        (import.protocol, import.suite) = (u32::from(protocol.wire()), suite.id.0);
        let master_key = import.run().unwrap();
        assert_eq!((master_key.version(), master_key.suite().id), (protocol, suite.id));
    }
}

/// A backend that says it supports everything that an import takes is one on which imports work.
pub fn import_is_announced_by_the_provider(backend: &Backend) {
    assert!(open(backend).supports_import());
    assert!(Import::new(backend).run().is_ok());
}
