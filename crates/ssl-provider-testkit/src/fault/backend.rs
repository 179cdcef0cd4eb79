//! The backend with a fault: its description, its support and its random numbers.

use std::sync::atomic::{AtomicBool, Ordering};

use ssl_provider_core::backend::{KeyExchangeBackend, SecureRandom};
use ssl_provider_core::{
    Backend, BackendInfo, CbcAlgorithm, Error, HashAlgorithm, Operation, Support,
};

use super::Fault;
use super::defect::Defect;
use crate::bytes::Rng;

/// A backend with a fault, around the sound one.
#[derive(Debug)]
pub(super) struct FaultyBackend {
    pub(super) inner: Backend,
    pub(super) defect: Defect,
    info: BackendInfo,
    moved_info: BackendInfo,
    has_moved: AtomicBool,
}

impl FaultyBackend {
    pub(super) fn new(inner: Backend, defect: Defect) -> Self {
        let info = || {
            let BackendInfo { name, provider_name, library, rsa, fips, .. } = inner.info();
            BackendInfo::new(name, provider_name, library.clone()).with_rsa(*rsa).with_fips(*fips)
        };
        let (info, moved_info) = (info(), info());
        Self { inner, defect, info, moved_info, has_moved: AtomicBool::new(false) }
    }
}

impl KeyExchangeBackend for FaultyBackend {
    ssl_provider_core::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, key_encapsulation,
        record_ciphers, signatures
    }

    fn info(&self) -> &BackendInfo {
        let moves = self.defect.is(Fault::DescriptionMoves);
        if moves && self.has_moved.fetch_not(Ordering::Relaxed) {
            self.defect.count_if(true);
            return &self.moved_info;
        }
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        let sound = self.inner.support(operation);
        let faulty = match (self.defect.fault, operation) {
            (Some(Fault::SupportIsNotAnnounced), Operation::Hash(HashAlgorithm::Md5))
            | (Some(Fault::LackNamesAnotherOperation), Operation::Cbc(CbcAlgorithm::Des)) => {
                Support::Unsupported
            }
            (Some(Fault::SupportIsUnattributed), Operation::Hash(HashAlgorithm::Sha256)) => {
                Support::By("")
            }
            _ => return sound,
        };
        self.defect.settle(&sound, faulty)
    }
}

impl SecureRandom for FaultyBackend {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        let before = out.to_vec();
        self.inner.random().fill(out)?;
        match self.defect.fault {
            Some(Fault::RandomIsZero) => self.defect.alter(out, |out| out.fill(0)),
            Some(Fault::RandomRepeats) => self.defect.alter(out, |out| Rng::new(0).fill(out)),
            Some(Fault::RandomStopsShort) => {
                self.defect.alter(out, |out| leave(out, &before, out.len().saturating_sub(1)));
            }
            Some(Fault::RandomFillsWholeWords) => {
                self.defect.alter(out, |out| leave(out, &before, out.len() / 4 * 4));
            }
            Some(Fault::RandomRefusesNothing) if out.is_empty() => {
                return self.defect.settle(&Ok(()), Err(Error::Random));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Puts back what was in `out` from `start` on.
fn leave(out: &mut [u8], before: &[u8], start: usize) {
    out[start..].copy_from_slice(&before[start..]);
}
