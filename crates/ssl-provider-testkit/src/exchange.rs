//! One RSA key exchange: its public facts, how a backend imports it, and what the answer must be.
//! The expected values come from [`crate::reference`], never from the code under test.

use std::fmt;

use ssl_provider_core::{
    Backend, CipherSuite, CipherSuiteInfo, DecryptedPremaster, Error, KeyExportPolicy,
    KeyLogPolicy, MasterKey, ParameterList, Policy, PremasterVersion, PrfAlgorithm, PrivateKey,
    ProtocolVersion, Provider, SecurityParameters, SessionKeys, Side,
};

use crate::bytes::{Rng, counting, to_hex};
use crate::reference;
use crate::rsa_key::TestKey;

/// The policy of the cases: everything on that is off by default, so that it can be seen.
pub const POLICY: Policy = Policy {
    legacy_ssl3: true,
    key_log: KeyLogPolicy::Allowed,
    key_export: KeyExportPolicy::Allowed,
    premaster_version: PremasterVersion::Offered,
    min_modulus_bits: 1024,
};

/// Opens a provider with [`POLICY`].
pub fn open(backend: &Backend) -> Provider {
    Provider::open(backend).with_policy(POLICY)
}

/// A provider, and a key that it has loaded.
pub type Opened = (Provider, TestKey, PrivateKey);

/// Opens the backend, and loads an RSA key with 1024 bits.
pub fn open_with_key(backend: &Backend) -> Opened {
    load(open(backend), TestKey::rsa_1024())
}

/// Loads a key.
pub fn load(provider: Provider, test_key: TestKey) -> Opened {
    let key = test_key.load(&provider);
    (provider, test_key, key)
}

/// Returns what a connection with this version and suite agrees on, under [`POLICY`].
pub fn connection(
    backend: &Backend,
    version: ProtocolVersion,
    suite: CipherSuite,
) -> SecurityParameters {
    open(backend).security_parameters(version, suite).expect("a suite of the version")
}

/// The public facts of an RSA key exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The negotiated version.
    pub protocol: ProtocolVersion,
    /// The negotiated suite.
    pub suite: &'static CipherSuiteInfo,
    /// The random of the ClientHello.
    pub client_random: [u8; 32],
    /// The random of the ServerHello.
    pub server_random: [u8; 32],
    /// The session hash, where the extended master secret was negotiated.
    pub session_hash: Option<Vec<u8>>,
    /// The version that the client offered; none leaves it out of the parameter list.
    pub client_version: Option<u16>,
}

impl Exchange {
    /// An exchange with the randoms 00 01 … 1f and 20 21 … 3f.
    pub fn new(protocol: ProtocolVersion, suite: CipherSuite) -> Self {
        Self {
            protocol,
            suite: suite.info().expect("a suite of the table"),
            client_random: counting(0x00),
            server_random: counting(0x20),
            session_hash: None,
            client_version: Some(protocol.wire()),
        }
    }

    /// TLS 1.2 with AES-128-GCM, for cases that any protocol and suite would do for.
    pub fn tls1_2() -> Self {
        Self::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256)
    }

    /// The same exchange with the extended master secret over the session hash 40 41 ….
    #[must_use]
    pub fn extended(mut self) -> Self {
        let hash: [u8; 48] = counting(0x40);
        let len = session_hash_len(self.protocol, self.suite).expect("not SSL 3.0");
        self.session_hash = Some(hash[..len].to_vec());
        self
    }

    /// Any exchange that is allowed, by a seeded generator.
    pub fn random(rng: &mut Rng) -> Self {
        let (protocol, suite) = *rng.pick(&rsa_suites());
        let session_hash =
            session_hash_len(protocol, suite).filter(|_| rng.one_in(2)).map(|len| rng.bytes(len));
        let client_version = match rng.below(4) {
            0 => None,
            1 => Some(0x0303),
            _ => Some(protocol.wire()),
        };
        Self {
            protocol,
            suite,
            client_random: rng.array(),
            server_random: rng.array(),
            session_hash,
            client_version,
        }
    }

    /// The version that the premaster secret must carry.
    pub fn expected_version(&self) -> u16 {
        self.client_version.unwrap_or(self.protocol.wire())
    }

    /// A premaster secret with the expected version.
    pub fn premaster_secret(&self, rng: &mut Rng) -> [u8; 48] {
        premaster_secret(self.expected_version(), rng)
    }

    /// A premaster secret with the version that the import expects, and its encryption.
    pub fn encrypted(&self, key: &TestKey, rng: &mut Rng) -> ([u8; 48], Vec<u8>) {
        let premaster_secret = self.premaster_secret(rng);
        (premaster_secret, key.encrypt(&key.pad(&premaster_secret, rng)))
    }

    /// The parameter list: both randoms, and whichever of version and session hash there are.
    pub fn parameters(&self) -> ParameterList {
        let mut parameters = ParameterList::new()
            .client_random(self.client_random)
            .server_random(self.server_random);
        if let Some(version) = self.client_version {
            parameters = parameters.highest_version(ProtocolVersion(version));
        }
        match &self.session_hash {
            Some(hash) => parameters.session_hash(hash).expect("a known length"),
            None => parameters,
        }
    }

    /// Imports a premaster secret that is the same every time.
    pub fn master_key(&self, backend: &Backend) -> MasterKey {
        let (provider, test_key, key) = open_with_key(backend);
        let mut rng = Rng::new(0x5246);
        let (_, ciphertext) = self.encrypted(&test_key, &mut rng);
        self.import(&provider, &key, &ciphertext).unwrap()
    }

    /// Imports `ciphertext` as a server does.
    ///
    /// # Errors
    ///
    /// Those of [`Provider::import_master_key`].
    pub fn import(
        &self,
        provider: &Provider,
        key: &PrivateKey,
        ciphertext: &[u8],
    ) -> Result<MasterKey, Error> {
        provider.import_master_key(
            key,
            self.protocol,
            self.suite.id,
            &self.parameters(),
            ciphertext,
        )
    }

    /// Imports `ciphertext`, which must succeed, and reads the master secret.
    pub fn imported_secret(
        &self,
        provider: &Provider,
        key: &PrivateKey,
        ciphertext: &[u8],
    ) -> [u8; 48] {
        let master_key = self
            .import(provider, key, ciphertext)
            .unwrap_or_else(|error| panic!("import failed with {error}\n{}", self.describe()));
        *master_key.secret_for_key_log().expect("the policy allows it").expose()
    }

    /// Imports what was decrypted ahead, which must succeed, and reads the master secret.
    pub fn decrypted_secret(
        &self,
        provider: &Provider,
        premaster: &DecryptedPremaster<'_>,
    ) -> [u8; 48] {
        let (version, suite) = (self.protocol, self.suite.id);
        let imported = provider.import_decrypted(premaster, version, suite, &self.parameters());
        *imported.unwrap().secret_for_key_log().unwrap().expose()
    }

    /// Asserts that importing `ciphertext` gives its [`expected_secret`](Self::expected_secret).
    pub fn check(
        &self,
        (provider, test_key, key): &Opened,
        ciphertext: &[u8],
        premaster_secret: Option<&[u8]>,
        what: impl fmt::Display,
    ) {
        let secret = self.imported_secret(provider, key, ciphertext);
        let expected = self.expected_secret(test_key, ciphertext, premaster_secret);
        assert_eq!(secret.as_slice(), expected, "{what}\n{}", self.describe());
    }

    /// The master secret that this premaster secret must give.
    pub fn master_secret(&self, premaster_secret: &[u8]) -> Vec<u8> {
        match &self.session_hash {
            Some(hash) => {
                reference::extended_master_secret(self.protocol, self.suite, premaster_secret, hash)
            }
            None => reference::master_secret(
                self.protocol,
                self.suite,
                premaster_secret,
                &self.client_random,
                &self.server_random,
            ),
        }
    }

    /// The master secret of a ciphertext that holds `premaster_secret`, or that is rejected.
    pub fn expected_secret(
        &self,
        key: &TestKey,
        ciphertext: &[u8],
        premaster_secret: Option<&[u8]>,
    ) -> Vec<u8> {
        match premaster_secret {
            Some(premaster_secret) => self.master_secret(premaster_secret),
            None => self.rejected_master_secret(key, ciphertext),
        }
    }

    /// The master secret that a rejected ciphertext must give where the version is checked.
    pub fn rejected_master_secret(&self, key: &TestKey, ciphertext: &[u8]) -> Vec<u8> {
        self.rejected_under(key, ciphertext, self.expected_version())
    }

    /// The same where any version is taken, so that none may decide.
    pub fn rejected_whatever_the_version(&self, key: &TestKey, ciphertext: &[u8]) -> Vec<u8> {
        self.rejected_under(key, ciphertext, 0)
    }

    fn rejected_under(&self, key: &TestKey, ciphertext: &[u8], version: u16) -> Vec<u8> {
        let randoms = [self.client_random, self.server_random].concat();
        let fallback = reference::fallback_premaster(
            &key.reject_key(),
            ciphertext,
            version,
            self.session_hash.as_deref().unwrap_or(&randoms),
        );
        self.master_secret(&fallback)
    }

    /// The session keys that a master secret must give, in the order of the key block.
    pub fn session_keys(&self, master_secret: &[u8]) -> Vec<u8> {
        reference::session_keys(
            self.protocol,
            self.suite,
            master_secret,
            &self.client_random,
            &self.server_random,
        )
    }

    /// The exchange as Rust that can be pasted into a test.
    pub fn describe(&self) -> String {
        let session_hash = match &self.session_hash {
            Some(hash) => format!("Some(hex(\"{}\"))", to_hex(hash)),
            None => "None".to_owned(),
        };
        format!(
            "let exchange = Exchange {{\n    \
             client_random: hex(\"{}\").try_into().unwrap(),\n    \
             server_random: hex(\"{}\").try_into().unwrap(),\n    \
             session_hash: {session_hash},\n    \
             client_version: {:?},\n    \
             ..Exchange::new(ProtocolVersion(0x{:04x}), CipherSuite(0x{:04X}))\n}};",
            to_hex(&self.client_random),
            to_hex(&self.server_random),
            self.client_version,
            self.protocol.wire(),
            self.suite.id.0,
        )
    }
}

/// 48 bytes that begin with `version`.
pub fn premaster_secret(version: u16, rng: &mut Rng) -> [u8; 48] {
    let mut premaster_secret = rng.array();
    premaster_secret[..2].copy_from_slice(&version.to_be_bytes());
    premaster_secret
}

/// Length of the session hash in bytes; none in SSL 3.0, which has no extended master secret.
pub fn session_hash_len(protocol: ProtocolVersion, suite: &CipherSuiteInfo) -> Option<usize> {
    reference::prf_of(protocol, suite).map(|prf| match prf {
        PrfAlgorithm::Md5Sha1 => 36,
        PrfAlgorithm::Sha256 => 32,
        PrfAlgorithm::Sha384 => 48,
        other => panic!("{}: a PRF that is not known here", other.name()),
    })
}

/// The protocols that have an RSA key exchange here.
pub const PROTOCOLS: [ProtocolVersion; 6] = [
    ProtocolVersion::SSL3,
    ProtocolVersion::TLS1_0,
    ProtocolVersion::TLS1_1,
    ProtocolVersion::TLS1_2,
    ProtocolVersion::DTLS1_0,
    ProtocolVersion::DTLS1_2,
];

/// Every pair of a protocol and an RSA suite of it.
pub fn rsa_suites() -> Vec<(ProtocolVersion, &'static CipherSuiteInfo)> {
    PROTOCOLS
        .iter()
        .flat_map(|protocol| {
            CipherSuiteInfo::all()
                .iter()
                .filter(|suite| suite.key_exchange.is_rsa() && suite.allows(*protocol))
                .map(|suite| (*protocol, suite))
        })
        .collect()
}

/// All session keys in the order of the key block.
pub fn concatenated(keys: &SessionKeys) -> Vec<u8> {
    let [client, server] = [Side::Client, Side::Server].map(|writer| keys.expose(writer).unwrap());
    [
        client.mac_key,
        server.mac_key,
        client.write_key,
        server.write_key,
        client.write_iv,
        server.write_iv,
    ]
    .concat()
}
