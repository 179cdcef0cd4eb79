//! Parses one RSA key exchange from text to numbers, parameters and a ciphertext.
//! All errors in the text are found here, and only here.

use ssl_provider::{CipherSuite, Error, ParameterList, ProtocolVersion, SecurityStatus};

use crate::hex;
use crate::protocol_argument::version;
use crate::suite_argument::suite;

use super::batch::{self, Json, Object};

/// A key exchange, ready to be imported.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) version: ProtocolVersion,
    pub(super) suite: CipherSuite,
    pub(super) parameters: ParameterList,
    pub(super) encrypted_premaster: Vec<u8>,
}

/// Why an exchange cannot be imported: a status and a text.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: SecurityStatus,
    pub(super) text: String,
}

impl Problem {
    /// Returns the problem of an invalid parameter.
    pub(super) fn parameter(text: String) -> Self {
        Self { status: SecurityStatus::NTE_INVALID_PARAMETER, text }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { status: error.status(), text: error.to_string() }
    }
}

/// The fields of an exchange; bytes as hex text.
pub(super) struct Fields<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) suite: CipherSuite,
    pub(super) client_version: Option<ProtocolVersion>,
    pub(super) client_random: Option<&'a str>,
    pub(super) server_random: Option<&'a str>,
    pub(super) session_hash: Option<&'a str>,
    pub(super) encrypted_premaster: &'a str,
}

impl Fields<'_> {
    pub(super) fn parse(&self) -> Result<Exchange, Problem> {
        let mut parameters = ParameterList::new();
        if let Some(text) = self.client_random {
            parameters = parameters.client_random(random("client_random", text)?);
        }
        if let Some(text) = self.server_random {
            parameters = parameters.server_random(random("server_random", text)?);
        }
        if let Some(text) = self.session_hash {
            let hash = bytes("session_hash", text)?;
            let what = format!("session_hash: expected 32, 36 or 48 bytes, found {}", hash.len());
            parameters = parameters.session_hash(&hash).map_err(|_| Problem::parameter(what))?;
        }
        if let Some(version) = self.client_version {
            parameters = parameters.highest_version(version);
        }
        if self.session_hash.is_none() {
            let randoms =
                [("client_random", self.client_random), ("server_random", self.server_random)];
            if let Some((name, _)) = randoms.iter().find(|(_, value)| value.is_none()) {
                return Err(Problem::parameter(format!("{name}: missing")));
            }
        }
        Ok(Exchange {
            version: self.version,
            suite: self.suite,
            parameters,
            encrypted_premaster: bytes("encrypted_premaster", self.encrypted_premaster)?,
        })
    }
}

impl Exchange {
    /// Reads an entry of a batch, with the path of its key; returns none if it has no ciphertext.
    pub(super) fn from_entry(entry: &Json) -> Result<Option<(Self, Option<String>)>, Problem> {
        let object = batch::object(entry)
            .map_err(|found| Problem::parameter(format!("expected an object, found {found}")))?;
        let text = |name: &str| text(&object, name);
        let Some(encrypted_premaster) = text("encrypted_premaster")? else { return Ok(None) };
        let required =
            |name: &str| text(name)?.ok_or_else(|| Problem::parameter(format!("{name}: missing")));
        let client_version = text("client_version")?;
        let key = text("key")?;
        let exchange = Fields {
            version: named("version", version(&required("version")?))?,
            suite: named("suite_id", suite(&required("suite_id")?))?,
            client_version: named(
                "client_version",
                client_version.as_deref().map(version).transpose(),
            )?,
            client_random: text("client_random")?.as_deref(),
            server_random: text("server_random")?.as_deref(),
            session_hash: text("session_hash")?.as_deref(),
            encrypted_premaster: &encrypted_premaster,
        }
        .parse()?;
        Ok(Some((exchange, key)))
    }
}

/// Returns the text of a field, none if it is absent.
fn text(object: &Object<'_>, name: &str) -> Result<Option<String>, Problem> {
    let found = match batch::text(object, name) {
        Ok(Some(text)) if !text.is_empty() => return Ok(Some(text)),
        Ok(Some(_)) if !MAY_BE_EMPTY.contains(&name) => "an empty one",
        Ok(_) => return Ok(None),
        Err(found) => found,
    };
    Err(Problem::parameter(format!("{name}: expected a string, found {found}")))
}

/// Recorded handshakes have "" for what a session did not have.
const MAY_BE_EMPTY: [&str; 2] = ["session_hash", "encrypted_premaster"];

fn random(name: &str, text: &str) -> Result<[u8; 32], Problem> {
    let bytes = bytes(name, text)?;
    let found = bytes.len();
    bytes
        .try_into()
        .map_err(|_| Problem::parameter(format!("{name}: expected 32 bytes, found {found}")))
}

fn bytes(name: &str, text: &str) -> Result<Vec<u8>, Problem> {
    let bytes = hex::decode(text).map_err(|what| Problem::parameter(format!("{name}: {what}")))?;
    match bytes.len() {
        0 => Err(Problem::parameter(format!("{name}: expected hex, found nothing"))),
        1..=MAX_LEN => Ok(bytes),
        _ => Err(Problem::parameter(format!(
            "{name}: expected at most {MAX_LEN} bytes, found {}",
            bytes.len()
        ))),
    }
}

fn named<T>(name: &str, result: Result<T, String>) -> Result<T, Problem> {
    result.map_err(|what| Problem::parameter(format!("{name}: {what}")))
}

/// The length field of a ciphertext has two bytes.
const MAX_LEN: usize = 0xffff;
