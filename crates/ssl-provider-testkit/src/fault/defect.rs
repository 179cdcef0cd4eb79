//! Which fault a backend has, and how often it has changed a result.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ssl_provider_core::Error;

use super::Fault;

/// The fault of a backend, shared by all that the backend makes: keys, ciphers, running hashes.
#[derive(Clone, Debug)]
pub(super) struct Defect {
    /// The fault; none in a sound backend.
    pub(super) fault: Option<Fault>,
    backend: &'static str,
    changes: Arc<AtomicU64>,
}

impl Defect {
    pub(super) fn new(fault: Option<Fault>, backend: &'static str) -> Self {
        Self { fault, backend, changes: Arc::default() }
    }

    /// How many results the fault has changed so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn is_one_of(&self, faults: &[Fault]) -> bool {
        self.fault.is_some_and(|fault| faults.contains(&fault))
    }

    /// A failure of the library that no input explains.
    pub(super) fn failure(&self) -> Error {
        Error::Backend { backend: self.backend, code: 0 }
    }

    /// Counts one change if there was any.
    pub(super) fn count_if(&self, changed: bool) {
        if changed {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the faulty result in place of the sound one, and counts if they differ.
    pub(super) fn settle<T: PartialEq>(&self, sound: &T, faulty: T) -> T {
        self.count_if(*sound != faulty);
        faulty
    }

    /// Fills `out` with the result of `faulty`, and counts if that of `sound` differs. What the
    /// library does not support stays unsupported.
    pub(super) fn replace(
        &self,
        out: &mut [u8],
        sound: impl FnOnce(&mut [u8]) -> Result<(), Error>,
        faulty: impl FnOnce(&mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut expected = out.to_vec();
        let sound = sound(&mut expected);
        if let Err(Error::Unsupported(_)) = sound {
            return sound;
        }
        let result = faulty(out);
        self.count_if(result != sound || *out != *expected);
        result
    }

    /// Changes the bytes of a sound result, and counts if they are others then.
    pub(super) fn alter(&self, bytes: &mut [u8], change: impl FnOnce(&mut [u8])) {
        let sound = bytes.to_vec();
        change(bytes);
        self.count_if(*bytes != *sound);
    }
}

/// Flips one bit, of the last byte, if there is any.
pub(super) fn flip(bytes: &mut [u8]) {
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
}

/// Moves leading zeros to the end, as a binding does that takes a number for its minimal encoding.
pub(super) fn drop_leading_zeros(bytes: &mut [u8]) {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.rotate_left(zeros);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_that_differ_are_counted() {
        let defect = Defect::new(None, "test");
        let write = |byte| {
            move |out: &mut [u8]| -> Result<(), Error> {
                out.fill(byte);
                Ok(())
            }
        };
        let fail = |_: &mut [u8]| Err(Error::BadRecord);
        let mut out = [0; 4];
        assert_eq!(defect.replace(&mut out, write(1), write(1)), Ok(()));
        assert_eq!(defect.changes(), 0);
        assert_eq!(defect.replace(&mut out, write(1), write(2)), Ok(()));
        assert_eq!((defect.changes(), out), (1, [2; 4]));
        assert_eq!(defect.replace(&mut out, write(2), fail), Err(Error::BadRecord));
        assert_eq!((defect.changes(), out), (2, [2; 4]));
        defect.alter(&mut out, drop_leading_zeros);
        assert_eq!(defect.changes(), 2);
        defect.alter(&mut out, flip);
        assert_eq!((defect.changes(), out), (3, [2, 2, 2, 3]));
    }

    #[test]
    fn what_is_unsupported_stays_so_and_is_not_counted() {
        let defect = Defect::new(Some(Fault::RandomIsZero), "test");
        let unsupported = Err(Error::Unsupported(ssl_provider_core::Operation::Rc4));
        let result = defect.replace(&mut [7; 4], |_| unsupported, |_| Ok(()));
        assert_eq!((result, defect.changes()), (unsupported, 0));
    }

    #[test]
    fn leading_zeros_go_to_the_end() {
        let mut bytes = [0, 0, 1, 0, 2];
        drop_leading_zeros(&mut bytes);
        assert_eq!(bytes, [1, 0, 2, 0, 0]);
    }
}
