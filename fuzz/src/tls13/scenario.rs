//! The conversations: what both sides offer, and what they do once they are connected.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ssl_provider::{
    Backend, CipherSuite, CipherSuiteInfo, HashAlgorithm, HybridGroup, KeyLogPolicy, NamedCurve,
    Policy, ProtocolVersion, Provider, Side, SigningKey,
};
use ssl_provider_lab::client::{
    ClientConnection, ClientIdentity, ClientOptions, ClientSession, ClientSettings, Distrust,
    VerifyServer,
};
use ssl_provider_lab::{
    ClientAuth, Connection, EarlyData, ExternalPsk, Identity, NamedGroup, Options, Settings,
};
use ssl_provider_wire::{Assembler, ClientHello, ExtensionType, RecordHeader, View};

use super::end::End;
use super::keys::Log;

/// What a conversation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A full handshake.
    Full,
    /// HelloRetryRequest.
    Retry,
    /// Resumption by a ticket.
    Resumption,
    /// A pre-shared key that was agreed outside TLS.
    ExternalPsk,
    /// Early data that are accepted.
    EarlyData,
    /// A client certificate.
    ClientCertificate,
    /// A group that holds against a quantum computer.
    Hybrid,
    /// SHA-384, and a client that is asked for a certificate and has none.
    NoCertificate,
    /// Early data that a HelloRetryRequest declines.
    EarlyDataRetried,
    /// Early data that are declined.
    EarlyDataDeclined,
    /// ChaCha20-Poly1305 and a HelloRetryRequest on an external key.
    PskRetried,
}

impl Kind {
    /// Every conversation.
    pub const ALL: [Self; 11] = [
        Self::Full,
        Self::Retry,
        Self::Resumption,
        Self::ExternalPsk,
        Self::EarlyData,
        Self::ClientCertificate,
        Self::Hybrid,
        Self::NoCertificate,
        Self::EarlyDataRetried,
        Self::EarlyDataDeclined,
        Self::PskRetried,
    ];

    fn offers_early_data(self) -> bool {
        matches!(self, Self::EarlyData | Self::EarlyDataRetried | Self::EarlyDataDeclined)
    }

    fn resumes(self) -> bool {
        self == Self::Resumption || self.offers_early_data()
    }

    /// Whether the client offers the external key.
    pub fn has_external_psk(self) -> bool {
        matches!(self, Self::ExternalPsk | Self::PskRetried)
    }

    fn suite(self) -> CipherSuite {
        match self {
            Self::NoCertificate => CipherSuite::TLS_AES_256_GCM_SHA384,
            Self::PskRetried => CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
            _ => CipherSuite::TLS_AES_128_GCM_SHA256,
        }
    }
}

/// What a side does when nothing is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It sends so many bytes.
    Send(Side, usize),
    /// It replaces its keys; whether it asks the other side to do so, too.
    Update(Side, bool),
    /// It sends close_notify.
    Close(Side),
}

/// The steps of every conversation, after the handshake.
pub const STEPS: [Step; 8] = [
    Step::Send(Side::Client, 30),
    Step::Send(Side::Server, 50),
    Step::Update(Side::Client, true),
    Step::Send(Side::Client, 3),
    Step::Update(Side::Server, false),
    Step::Send(Side::Server, 4),
    Step::Close(Side::Client),
    Step::Close(Side::Server),
];

/// What the client sends as early data.
pub const EARLY_DATA: &[u8] = b"early data of a client";

/// Most bytes of early data.
pub const MAX_EARLY_DATA: u32 = 64;

/// The external key.
pub const PSK: [u8; 32] = [0x5a; 32];

/// The settings of both sides of a conversation.
#[derive(Debug)]
pub struct Scenario {
    /// What it is about.
    pub kind: Kind,
    /// The provider of both sides.
    pub provider: Provider,
    /// The suite that both sides agree on.
    pub suite: &'static CipherSuiteInfo,
    /// The keys of the certificates: the client's, and the server's.
    pub signing_keys: [SigningKey; 2],
    client: Arc<ClientSettings>,
    server: Arc<Settings>,
    /// What one run after the other uses.
    pub shared: Mutex<Shared>,
}

/// What is used by one run at a time.
#[derive(Debug)]
pub struct Shared {
    /// The key logs: the client's, and the server's.
    pub logs: [Log; 2],
    /// A session to resume.
    session: Option<Arc<ClientSession>>,
}

/// Trusts any server.
#[derive(Debug)]
struct TrustAll;

impl VerifyServer for TrustAll {
    fn verify(&self, _: &[Vec<u8>], _: Option<&str>) -> Result<(), Distrust> {
        Ok(())
    }
}

const X25519: NamedGroup = NamedGroup::Curve(NamedCurve::X25519);
const P256: NamedGroup = NamedGroup::Curve(NamedCurve::Secp256r1);
const HYBRID: NamedGroup = NamedGroup::Hybrid(HybridGroup::X25519MlKem768);

impl Scenario {
    /// Makes the settings of a conversation.
    ///
    /// # Panics
    ///
    /// Panics where the backend lacks what it takes.
    pub fn new(kind: Kind, backend: &Backend) -> Self {
        let policy = Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() };
        let provider = Provider::open(backend.clone()).with_policy(policy);
        let own = Identity::self_signed_ecdsa(&provider).expect("there are random numbers");
        let of_client = Identity::self_signed_ecdsa(&provider).expect("there are random numbers");
        let load = |der: &[u8]| provider.load_signing_key(der).expect("a key that was made");
        let signing_keys = [load(&of_client.key_der), load(&own.key_der)];
        let psk = ExternalPsk::new(&provider, b"fuzz", HashAlgorithm::Sha256, &PSK);
        let psk = Arc::new(psk.expect("a good key"));
        let (client_log, client_keys) = Log::new();
        let (server_log, server_keys) = Log::new();
        let suite = kind.suite();
        let (client_groups, server_groups) = match kind {
            Kind::Retry | Kind::EarlyDataRetried | Kind::PskRetried => {
                (vec![X25519, P256], vec![P256])
            }
            Kind::Hybrid => (vec![HYBRID, X25519], vec![HYBRID, X25519]),
            _ => (vec![X25519], vec![X25519, P256]),
        };
        let tls13 = ProtocolVersion::TLS1_3;
        let window = match kind {
            // No two clocks agree.
            Kind::EarlyDataDeclined => Duration::ZERO,
            _ => Duration::from_secs(60),
        };
        let early_data = EarlyData { max_len: MAX_EARLY_DATA, window };
        let options = Options {
            versions: vec![tls13],
            suites: vec![suite, CipherSuite::TLS_AES_128_CCM_SHA256],
            client_auth: match kind {
                Kind::ClientCertificate => ClientAuth::Require,
                Kind::NoCertificate => ClientAuth::Request,
                _ => ClientAuth::None,
            },
            session_tickets: Some(Duration::from_secs(100_000)),
            groups: server_groups,
            external_psks: if kind.has_external_psk() { vec![psk.clone()] } else { Vec::new() },
            early_data: kind.offers_early_data().then_some(early_data),
            application_protocols: vec!["h2".to_owned()],
            ..Options::default()
        };
        let server =
            Settings::new(provider.clone(), own.identity, options, None, Some(server_keys));
        let options = ClientOptions {
            versions: tls13..=tls13,
            suites: vec![suite, CipherSuite::TLS_AES_128_CCM_SHA256],
            groups: client_groups,
            protocols: vec![b"h2".to_vec()],
            external_psk: kind.has_external_psk().then_some(psk),
            early_data: kind.offers_early_data(),
            ..ClientOptions::default()
        };
        let identity = (kind == Kind::ClientCertificate).then(|| {
            let chain = vec![of_client.certificate_der.clone()];
            ClientIdentity::new(&provider, load(&of_client.key_der), chain).expect("its own key")
        });
        let (verifier, key_log) = (Box::new(TrustAll), Some(client_keys));
        let client = ClientSettings::new(provider.clone(), options, verifier, identity, key_log);
        Self {
            kind,
            suite: suite.info().expect("a known suite"),
            signing_keys,
            client: client.expect("good options"),
            server: server.expect("good options"),
            provider,
            shared: Mutex::new(Shared { logs: [client_log, server_log], session: None }),
        }
    }

    /// Makes every scenario on a backend.
    pub fn all(backend: &Backend) -> Vec<Self> {
        Kind::ALL.into_iter().map(|kind| Self::new(kind, backend)).collect()
    }

    /// Starts a connection. The logs have what it logs, and no more.
    pub fn connect(&self, shared: &mut Shared) -> [Box<dyn End>; 2] {
        shared.logs.iter_mut().for_each(Log::clear);
        let mut client = self.client(shared.session.clone());
        if self.kind.resumes() && !offers_psk(client.output()) {
            // A fatal alert has made the session useless, or there was none.
            shared.session = Some(self.session());
            shared.logs.iter_mut().for_each(Log::clear);
            client = self.client(shared.session.clone());
        }
        [Box::new(client), Box::new(Connection::new(Arc::clone(&self.server)))]
    }

    fn client(&self, session: Option<Arc<ClientSession>>) -> ClientConnection {
        let settings = Arc::clone(&self.client);
        ClientConnection::new(settings, Some("localhost"), session).expect("a good name")
    }

    /// A session to resume, from a connection of its own.
    fn session(&self) -> Arc<ClientSession> {
        let mut client = self.client(None);
        let mut server = Connection::new(Arc::clone(&self.server));
        for _ in 0..10 {
            server.receive(client.output());
            client.sent(client.output().len());
            client.receive(server.output());
            server.sent(server.output().len());
        }
        let session = client.session().cloned();
        session.unwrap_or_else(|| panic!("{:?}: {:?} {:?}", self.kind, client, server.ending()))
    }

    /// Locks what runs share.
    pub fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the ClientHello in these records offers a pre-shared key.
fn offers_psk(output: &[u8]) -> bool {
    let mut messages = Assembler::default();
    messages.extend(output.get(RecordHeader::LEN..).unwrap_or_default());
    let message = messages.next_of_any_type().expect("a ClientHello in a record");
    let hello = ClientHello::parse(&message, View::Strict).expect("our own ClientHello");
    hello.extensions.has(ExtensionType::PRE_SHARED_KEY)
}
