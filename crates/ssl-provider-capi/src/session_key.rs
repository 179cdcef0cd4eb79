//! Session keys: the record key of one direction, and the memory that its records are processed in.

use std::sync::{Mutex, MutexGuard};

use zeroize::Zeroizing;

use ssl_provider::{Backend, Error, MAX_FRAGMENT_LEN, RecordKey};

/// The key of one direction of a connection.
#[derive(Debug)]
pub(crate) struct SessionKey {
    pub(crate) backend: Backend,
    records: Mutex<Records>,
}

impl SessionKey {
    pub(crate) fn new(backend: Backend, key: RecordKey) -> Self {
        Self { backend, records: Mutex::new(Records::new(key)) }
    }

    /// Locks the key and its memory for one caller.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] after a panic in an earlier call: the key may be out of step.
    pub(crate) fn records(&self) -> Result<MutexGuard<'_, Records>, Error> {
        self.records
            .lock()
            .map_err(|_| Error::Internal("an earlier call panicked while it used the key"))
    }
}

/// The record key of one direction, and the memory that its records are processed in.
///
/// Records are not processed in the caller's buffers. That costs one more copy of each record,
/// which is little compared with its encryption. In return a caller that changes a buffer during
/// the call harms only itself, nothing is written for a record that fails, and buffers may overlap.
#[derive(Debug)]
pub(crate) struct Records {
    key: RecordKey,
    /// Empty before the first record. Never reallocated while it holds plaintext.
    work: Zeroizing<Vec<u8>>,
}

impl Records {
    fn new(key: RecordKey) -> Self {
        Self { key, work: Zeroizing::default() }
    }

    /// Returns the key alone.
    pub(crate) fn key(&self) -> &RecordKey {
        &self.key
    }

    /// Returns the key, and memory for one record.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`], for the first record only.
    pub(crate) fn parts(&mut self) -> Result<(&mut RecordKey, &mut [u8]), Error> {
        if self.work.is_empty() {
            self.work.try_reserve_exact(MAX_RECORD_LEN).map_err(|_| Error::NoMemory)?;
            self.work.resize(MAX_RECORD_LEN, 0);
        }
        Ok((&mut self.key, &mut self.work))
    }
}

/// Length in bytes of the longest record with the longest header, that of DTLS.
const MAX_RECORD_LEN: usize = 13 + MAX_FRAGMENT_LEN;
