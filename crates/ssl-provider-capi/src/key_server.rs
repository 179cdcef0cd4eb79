//! Keys of a key server (`sslprov key-server`), which the environment names, for programs that have
//! imported none.

use std::env;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ssl_provider::{Error, PrivateKey, Provider};
use ssl_provider_keys::PublicKey;
use ssl_provider_remote::{KeyServer, KeyServerError};

use crate::failure::Failure;

/// The variables with the path of the key server's socket, and with the number of its user.
const VARIABLE: &str = "SSL_PROVIDER_KEY_SERVER";
const UID_VARIABLE: &str = "SSL_PROVIDER_KEY_SERVER_UID";

/// Returns the private half of a public key from the key server, if the environment names one and
/// it has the key.
///
/// # Errors
///
/// `NTE_DEVICE_NOT_READY` when the key server cannot be reached, `NTE_INVALID_PARAMETER` for a user
/// that is no number, and those of the provider.
pub(crate) fn private_key(
    provider: &Provider,
    public: &PublicKey,
) -> Result<Option<PrivateKey>, Failure> {
    let PublicKey::Rsa(public) = public else { return Ok(None) };
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    let uid = match env::var_os(UID_VARIABLE).filter(|uid| !uid.is_empty()) {
        Some(uid) => Some(uid.to_str().and_then(|uid| uid.parse().ok()).ok_or(BAD_UID)?),
        None => None,
    };
    match server(Path::new(&path), uid).private_key(provider, &public.modulus) {
        Ok(key) => Ok(Some(key)),
        Err(KeyServerError::NoSuchKey) => Ok(None),
        Err(error) => Err(error.as_error().into()),
    }
}

/// Returns the key server of this path and user. Keys share its connections.
fn server(path: &Path, uid: Option<u32>) -> KeyServer {
    static LAST: Mutex<Option<(KeyServer, Option<u32>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((server, of)) = &*last
        && (server.path(), *of) == (path, uid)
    {
        return server.clone();
    }
    let server = uid.iter().fold(KeyServer::at(path), |server, uid| server.trusting(*uid));
    last.insert((server, uid)).0.clone()
}

const BAD_UID: Error =
    Error::InvalidParameter("SSL_PROVIDER_KEY_SERVER_UID: expected the number of a user");
