//! Keys of a key server (`sslprov key-server`), which the environment names, for programs that have
//! imported none.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ssl_provider::{Error, PrivateKey, Provider};
use ssl_provider_keys::PublicKey;
use ssl_provider_remote::{KeyServer, KeyServerError};

use crate::abi::NTE_NO_KEY;
use crate::failure::Failure;

/// The variable with the path of the key server's socket.
const PATH_VARIABLE: &str = "SSL_PROVIDER_KEY_SERVER";

/// The variable with the number of its user, if that is neither root nor the user of this process.
const UID_VARIABLE: &str = "SSL_PROVIDER_KEY_SERVER_UID";

/// Returns the private half of a public key from the key server, or `None` where the environment
/// names none, or for a key that is not RSA.
///
/// # Errors
///
/// `NTE_NO_KEY` when the key server lacks the key, `NTE_DEVICE_NOT_READY` when it cannot be
/// reached, `NTE_INVALID_PARAMETER` for a user that is no number, and those of the provider.
pub(crate) fn private_key(
    provider: &Provider,
    public: &PublicKey,
) -> Result<Option<PrivateKey>, Failure> {
    let PublicKey::Rsa(public) = public else { return Ok(None) };
    let Some(path) = variable(PATH_VARIABLE) else { return Ok(None) };
    let uid = match variable(UID_VARIABLE) {
        Some(uid) => Some(uid.to_str().and_then(|uid| uid.parse().ok()).ok_or(BAD_UID)?),
        None => None,
    };
    match server(Path::new(&path), uid).private_key(provider, &public.modulus) {
        Ok(key) => Ok(Some(key)),
        Err(KeyServerError::NoSuchKey) => Err(NOT_SERVED),
        Err(error) => Err(Error::from(error).into()),
    }
}

/// Returns the value of an environment variable; an empty one counts as not set.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the key server of this path and user. Keys share its connections, so the last one is
/// kept.
fn server(path: &Path, uid: Option<u32>) -> KeyServer {
    static LAST: Mutex<Option<(KeyServer, Option<u32>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((server, last_uid)) if (server.path(), *last_uid) == (path, uid) => server.clone(),
        Some(_) | None => last.insert((KeyServer::at(path).trusting(uid), uid)).0.clone(),
    }
}

const NOT_SERVED: Failure = Failure::Status(
    NTE_NO_KEY,
    "no key with the public key of the certificate was imported, and the key server of \
     SSL_PROVIDER_KEY_SERVER does not have it",
);

const BAD_UID: Error =
    Error::InvalidParameter("SSL_PROVIDER_KEY_SERVER_UID: expected the number of a user");
