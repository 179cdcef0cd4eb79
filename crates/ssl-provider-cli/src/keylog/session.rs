//! What is found out about one session: its verdict, the reason, and its line of the key log.
//! These are plain facts; how they are shown is in `report`.

use std::fmt;

use ssl_provider::{CipherSuite, MasterSecret, ProtocolVersion, RANDOM_LEN};
use ssl_provider_lab::key_log_line;
use zeroize::Zeroizing;

use crate::capture::Moment;
use crate::suites::iana;

/// How a session ended up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// The client's Finished was decrypted and is right.
    Proven,
    /// It resumes a session, without a key exchange of its own.
    Resumed,
    /// None of the keys is the server's, or the one that is does not open it.
    WrongKey,
    /// Its key exchange is not RSA.
    ForwardSecret,
    /// Something is missing.
    #[default]
    Incomplete,
    /// A message makes no sense.
    Malformed,
    /// Its Finished cannot be checked.
    Unverified,
    /// Policy forbids to open it.
    NotAllowed,
}

impl Verdict {
    /// The names in lists and in JSON, in the order of the variants.
    pub const NAMES: [&str; 8] = [
        "proven",
        "resumed",
        "wrong-key",
        "forward-secret",
        "incomplete",
        "malformed",
        "unverified",
        "not-allowed",
    ];

    /// Returns the name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

const _: () = assert!(Verdict::NotAllowed as usize + 1 == Verdict::NAMES.len());

/// A session and its verdict.
#[derive(Debug, Default)]
pub struct Session {
    /// Where its ClientHello is in the capture, or what there is in its place.
    pub moment: Moment,
    /// Client and server, with their ports.
    pub stream: String,
    /// The client random, where the ClientHello was captured.
    pub client_random: Option<[u8; RANDOM_LEN]>,
    /// The negotiated version.
    pub protocol: Option<ProtocolVersion>,
    /// The version that the client offered, up to TLS 1.2.
    pub offered_version: Option<u16>,
    /// The cipher suite.
    pub suite: Option<CipherSuite>,
    /// Whether extended_master_secret is in force.
    pub extended_master_secret: bool,
    /// Whether encrypt_then_mac is in force.
    pub encrypt_then_mac: bool,
    /// Whether the handshake ran inside another session of the connection.
    pub renegotiation: bool,
    /// Whether the server refused the handshake before any key exchange.
    pub refused: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, unless it is proven.
    pub reason: String,
    /// What is odd, but did not hinder.
    pub notes: Vec<String>,
    /// The key that opened it.
    pub key: Option<String>,
    /// The version that the premaster secret carries.
    pub premaster_version: Option<u16>,
    /// The client random of the session that it resumes, where that is known.
    pub resumes: Option<[u8; RANDOM_LEN]>,
    /// Its line of the key log; only behind a Finished that was checked.
    pub key_log: Option<KeyLogLine>,
}

impl Session {
    /// A session about which nothing is known yet.
    pub(super) fn new(moment: Moment, stream: String, renegotiation: bool) -> Self {
        Self { moment, stream, renegotiation, ..Self::default() }
    }

    /// Sets the verdict.
    pub(super) fn judge(&mut self, verdict: Verdict, reason: impl Into<String>) {
        self.verdict = verdict;
        self.reason = reason.into();
    }

    /// Whether the session counts for the exit code, and if so, whether it counts as opened.
    ///
    /// Sessions of another key exchange do not count, as no private key would open them, nor do
    /// those that the server refused.
    pub fn counts(&self) -> Option<bool> {
        match self.verdict {
            Verdict::ForwardSecret => None,
            Verdict::Incomplete if self.refused => None,
            Verdict::Proven => Some(true),
            Verdict::Resumed => Some(self.key_log.is_some()),
            Verdict::WrongKey
            | Verdict::Incomplete
            | Verdict::Malformed
            | Verdict::Unverified
            | Verdict::NotAllowed => Some(false),
        }
    }

    /// Whether another backend reached the same result.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let line = |session: &Self| session.key_log.as_ref().map(|line| line.0.clone());
        self.verdict == other.verdict
            && self.client_random == other.client_random
            && self.premaster_version == other.premaster_version
            && line(self) == line(other)
    }

    /// The name of the protocol, or its number.
    pub fn protocol_name(&self) -> String {
        let Some(version) = self.protocol else { return "unknown protocol".to_owned() };
        match (version.name(), version.wire().to_be_bytes()) {
            (Some(name), _) => name.to_owned(),
            (None, [0x7f, draft]) => format!("TLS 1.3 draft {draft}"),
            (None, _) => format!("protocol {version}"),
        }
    }

    /// The name of the cipher suite, or its number.
    pub fn suite_name(&self) -> String {
        let Some(suite) = self.suite else { return "unknown suite".to_owned() };
        suite_name(suite)
    }
}

/// The IANA name of a cipher suite, the usual one where it has none, or its number.
pub(super) fn suite_name(suite: CipherSuite) -> String {
    let registered = u16::try_from(suite.0).ok().and_then(iana::name);
    let usual = || suite.info().map(|info| info.name);
    registered.or_else(usual).map_or_else(|| format!("suite 0x{:04x}", suite.0), str::to_owned)
}

/// A line of the key log, as NSS defined the format: label, client random, master secret. Secret.
pub struct KeyLogLine(Zeroizing<String>);

impl KeyLogLine {
    pub(super) fn new(client_random: &[u8; RANDOM_LEN], secret: &MasterSecret) -> Self {
        Self(key_log_line(client_random, secret))
    }

    /// The line, without its end.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyLogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLogLine").finish_non_exhaustive()
    }
}
