//! One's own key of a key agreement, which agrees once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ssl_provider::{Backend, EphemeralKey, Error};
use ssl_provider_keys::KeyShare;

use crate::abi::NTE_BAD_KEY_STATE;
use crate::failure::Failure;

/// An ephemeral key until it has agreed, and its public half for as long as its handle lives.
#[derive(Debug)]
pub(crate) struct OwnKey {
    pub(crate) backend: Backend,
    pub(crate) share: KeyShare,
    key: Mutex<Option<EphemeralKey>>,
}

impl OwnKey {
    pub(crate) fn new(key: EphemeralKey) -> Result<Self, Error> {
        let share = KeyShare::new(key.group(), key.public_key())
            .map_err(|_| Error::Internal("the backend generated a key that is not of its group"))?;
        Ok(Self { backend: key.backend().clone(), share, key: Mutex::new(Some(key)) })
    }

    /// Checks that the key has not agreed yet.
    ///
    /// # Errors
    ///
    /// `NTE_BAD_KEY_STATE` when it has.
    pub(crate) fn check_unused(&self) -> Result<(), Failure> {
        self.lock().as_ref().map(|_| ()).ok_or(USED_UP)
    }

    /// Returns the key for its only agreement, if it passes `check`.
    ///
    /// # Errors
    ///
    /// `NTE_BAD_KEY_STATE` when it has agreed before; those of `check`, which leave the key here.
    pub(crate) fn take_if(
        &self,
        check: impl FnOnce(&EphemeralKey) -> Result<(), Error>,
    ) -> Result<EphemeralKey, Failure> {
        let mut key = self.lock();
        check(key.as_ref().ok_or(USED_UP)?)?;
        key.take().ok_or(USED_UP)
    }

    fn lock(&self) -> MutexGuard<'_, Option<EphemeralKey>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const USED_UP: Failure =
    Failure::Status(NTE_BAD_KEY_STATE, "hPrivateKey: an ephemeral key agrees once");
