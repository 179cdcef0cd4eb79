//! Parses one RSA key exchange from text to numbers, parameters and a ciphertext.
//! All errors in the text are found here, and only here.

use ssl_provider::{CipherSuite, Error, ParameterList, ProtocolVersion, SecurityStatus};

use crate::hex;

use super::batch::{Entry, Field};

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

/// The fields of an exchange as hex text. An empty one counts as absent.
pub(super) struct Fields<'a> {
    pub(super) version: ProtocolVersion,
    pub(super) suite: CipherSuite,
    pub(super) client_version: Option<&'a str>,
    pub(super) client_random: Option<&'a str>,
    pub(super) server_random: Option<&'a str>,
    pub(super) session_hash: Option<&'a str>,
    pub(super) encrypted_premaster: &'a str,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(&self) -> Result<Exchange, Problem> {
        let given = |text: Option<&'a str>| text.filter(|text| !text.is_empty());
        let mut parameters = ParameterList::new();
        if let Some(text) = given(self.client_random) {
            parameters = parameters.client_random(random("client_random", text)?);
        }
        if let Some(text) = given(self.server_random) {
            parameters = parameters.server_random(random("server_random", text)?);
        }
        if let Some(text) = given(self.session_hash) {
            parameters = parameters.session_hash(&bytes("session_hash", text)?)?;
        }
        if let Some(text) = given(self.client_version) {
            let version = u16::try_from(number("client_version", text)?).map_err(|_| {
                Problem::parameter("client_version: expected 1 to 4 hex digits".to_owned())
            })?;
            parameters = parameters.highest_version(ProtocolVersion(version));
        }
        if given(self.session_hash).is_none() {
            let randoms =
                [("client_random", self.client_random), ("server_random", self.server_random)];
            if let Some((name, _)) = randoms.iter().find(|(_, value)| given(*value).is_none()) {
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
    pub(super) fn from_entry(entry: Entry) -> Result<Option<(Self, Option<String>)>, Problem> {
        let Entry::Object(object) = entry else {
            let found = entry.kind();
            return Err(Problem::parameter(format!("expected an object, found {found}")));
        };
        let text = |field: Field| match object.text(field) {
            Ok(text) => Ok(text.filter(|text| !text.is_empty())),
            Err(found) => {
                let name = field.name();
                Err(Problem::parameter(format!("{name}: expected a string, found {found}")))
            }
        };
        let Some(encrypted_premaster) = text(Field::EncryptedPremaster)? else { return Ok(None) };
        let required = |field: Field| match text(field)? {
            Some(text) => number(field.name(), text),
            None => Err(Problem::parameter(format!("{}: missing", field.name()))),
        };
        let fields = Fields {
            version: ProtocolVersion::try_from(required(Field::Version)?)?,
            suite: CipherSuite(required(Field::SuiteId)?),
            client_version: text(Field::ClientVersion)?,
            client_random: text(Field::ClientRandom)?,
            server_random: text(Field::ServerRandom)?,
            session_hash: text(Field::SessionHash)?,
            encrypted_premaster,
        };
        let key = text(Field::Key)?.map(str::to_owned);
        Ok(Some((fields.parse()?, key)))
    }
}

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
        ..=MAX_LEN => Ok(bytes),
        _ => Err(Problem::parameter(format!(
            "{name}: expected at most {MAX_LEN} bytes, found {}",
            bytes.len()
        ))),
    }
}

fn number(name: &str, text: &str) -> Result<u32, Problem> {
    hex::number(text).map_err(|what| Problem::parameter(format!("{name}: {what}")))
}

/// The length field of a ciphertext has two bytes.
const MAX_LEN: usize = 0xffff;
