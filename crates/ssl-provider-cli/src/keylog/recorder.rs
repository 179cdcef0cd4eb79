//! The RSA key exchanges of captures as they are imported, for commands that import them again.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ssl_provider::{CipherSuite, ProtocolVersion};

use super::analysis::analyse;
use super::input::{self, Delivery, Input};
use super::keyring::Keyring;
use super::resumption::KnownSessions;
use crate::exit::Failure;

/// An RSA key exchange of a capture.
#[derive(Clone, Debug)]
pub struct RecordedExchange {
    /// The connection.
    pub stream: String,
    /// The label of the key that may be the server's.
    pub key: String,
    /// The negotiated version.
    pub version: ProtocolVersion,
    /// The negotiated suite.
    pub suite: CipherSuite,
    /// The version of the ClientHello.
    pub offered_version: u16,
    /// The random of the ClientHello.
    pub client_random: [u8; 32],
    /// The random of the ServerHello.
    pub server_random: [u8; 32],
    /// The session hash, where the extended master secret was negotiated (RFC 7627).
    pub session_hash: Option<Vec<u8>>,
    /// The RSA ciphertext of the ClientKeyExchange.
    pub encrypted_premaster: Vec<u8>,
}

/// Keeps exchanges.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<Vec<RecordedExchange>>);

impl Recorder {
    pub(super) fn add(&self, exchange: RecordedExchange) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    }
}

/// Returns the RSA key exchanges of captures that are for one of the keys.
///
/// # Errors
///
/// [`Failure::Usage`] for a capture that is not usable.
pub fn exchanges_of(
    captures: &[PathBuf],
    mut keyring: Keyring,
) -> Result<Vec<RecordedExchange>, Failure> {
    keyring.recorder = Some(Recorder::default());
    let known = KnownSessions::default();
    let mut take = |delivery: Delivery| {
        // The verdict does not matter here.
        let _ = analyse(&delivery.conversation, &keyring, &known);
        ControlFlow::Continue(())
    };
    let mut input = Input::default();
    for path in captures {
        let capture = input::open(path)?;
        let name = path.display().to_string();
        // The reading is never broken off.
        let _ =
            input.read(&name, capture, &mut take).map_err(|error| input::unusable(path, &error))?;
    }
    input.finish(&mut take);
    let recorder = keyring.recorder.take().unwrap_or_default();
    Ok(recorder.0.into_inner().unwrap_or_else(PoisonError::into_inner))
}
