//! A batch as the questions of a cross-check.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ssl_provider::ParameterList;
use ssl_provider_testkit::question::import::ImportMasterKey;
use ssl_provider_testkit::question::{Bytes, Hex16, Key};

use crate::exit::Failure;
use crate::hex;
use crate::key_file::{Password, explain, read_key};
use crate::protocol_argument::version;
use crate::suite_argument::suite;

use super::batch::{self, Json, Object};
use super::batch_name;

/// Reads every exchange of a batch, with its place in it as name.
///
/// # Errors
///
/// [`Failure::Usage`] for a batch that cannot be read, that is not JSON, and for an exchange that
/// is not whole, with its number.
pub(crate) fn read_all(
    path: &Path,
    default_key: Option<&PathBuf>,
    password: &Password,
) -> Result<Vec<(String, ImportMasterKey)>, Failure> {
    let name = batch_name(path);
    let wrong = |what: String| Failure::Usage(format!("{name}: {what}"));
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| wrong(error.to_string()))?)
    };
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut keys: HashMap<PathBuf, Key> = HashMap::new();
    let mut key_of = |named: Option<String>| -> Result<Key, String> {
        let path = named.map(|named| folder.join(named)).or_else(|| default_key.cloned());
        let path = path.ok_or("key: missing, and there is no --key")?;
        if let Some(key) = keys.get(&path) {
            return Ok(key.clone());
        }
        let key = read_key(&path, password).map_err(|error| explain(&error))?;
        let key = Key::Der(key.der.to_vec().into());
        keys.insert(path, key.clone());
        Ok(key)
    };
    let mut exchanges = Vec::new();
    let (mut number, mut failed) = (0_usize, None);
    let read = batch::read(input, |entry| {
        match exchange(entry, &mut key_of) {
            Ok(exchange) => {
                exchanges.extend(exchange.map(|it| (format!("{name}, exchange {number}"), it)));
            }
            Err(what) => {
                failed = Some(wrong(format!("exchange {number}: {what}")));
                return ControlFlow::Break(());
            }
        }
        number += 1;
        ControlFlow::Continue(())
    });
    match (failed, read) {
        (Some(failure), _) => Err(failure),
        (None, Err(fault)) => Err(wrong(fault.to_string())),
        (None, Ok(())) => Ok(exchanges),
    }
}

/// Reads an entry; none if it has no ciphertext.
fn exchange(
    entry: &Json,
    key_of: &mut impl FnMut(Option<String>) -> Result<Key, String>,
) -> Result<Option<ImportMasterKey>, String> {
    let object =
        batch::object(entry).map_err(|found| format!("expected an object, got {found}"))?;
    let text = |name: &str| text(&object, name);
    let bytes = |name: &str| -> Result<Option<Bytes>, String> {
        let decode = |text: String| hex::decode(&text).map_err(|what| format!("{name}: {what}"));
        Ok(text(name)?.map(decode).transpose()?.map(|bytes| bytes.to_vec().into()))
    };
    let required = |name: &str| text(name)?.ok_or_else(|| format!("{name}: missing"));
    let Some(ciphertext) = bytes("encrypted_premaster")? else { return Ok(None) };
    let number = |name: &str, text: &str| version(text).map_err(|what| format!("{name}: {what}"));
    let protocol = number("version", &required("version")?)?;
    let suite = suite(&required("suite_id")?).map_err(|what| format!("suite_id: {what}"))?;
    let client_version = text("client_version")?;
    let client_version = client_version.map(|text| number("client_version", &text)).transpose()?;
    let session_hash = bytes("session_hash")?;
    if let Some(hash) = &session_hash {
        ParameterList::new().session_hash(hash).map_err(|error| error.to_string())?;
    }
    Ok(Some(ImportMasterKey {
        key: key_of(text("key")?)?,
        protocol: protocol.into(),
        suite: Hex16(u16::try_from(suite.0).map_err(|_| "suite_id: more than 16 bits")?),
        client_random: bytes("client_random")?,
        server_random: bytes("server_random")?,
        session_hash,
        client_version: client_version.map(Hex16::from),
        ciphertext,
    }))
}

/// Returns the text of a field; none if it is absent or empty.
fn text(object: &Object<'_>, name: &str) -> Result<Option<String>, String> {
    let found = batch::text(object, name);
    let found = found.map_err(|found| format!("{name}: expected a string, got {found}"))?;
    Ok(found.filter(|text| !text.is_empty()))
}
