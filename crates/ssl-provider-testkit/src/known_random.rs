//! A backend whose random numbers a test knows; all else is that of another backend.

use std::sync::Mutex;

use ssl_provider_core::backend::{
    Hashing, KeyAgreement, KeyEncapsulation, KeyExchangeBackend, RecordCiphers, RsaDecryption,
    RsaEncryption, SecureRandom, Signatures,
};
use ssl_provider_core::{Backend, BackendInfo, Error, Operation, Support};

use crate::bytes::Rng;

/// The backend. What a library draws itself, such as private keys, is as random as ever.
#[derive(Debug)]
pub struct KnownRandom {
    library: Backend,
    rng: Mutex<Rng>,
}

impl KnownRandom {
    /// The random numbers are those of [`Rng::new`] with this seed.
    pub fn backend(library: &Backend, seed: u64) -> Backend {
        Backend::new(Self { library: library.clone(), rng: Mutex::new(Rng::new(seed)) })
    }
}

impl SecureRandom for KnownRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        self.rng.lock().unwrap().fill(out);
        Ok(())
    }
}

impl KeyExchangeBackend for KnownRandom {
    ssl_provider_core::offers! { random }

    fn info(&self) -> &BackendInfo {
        self.library.info()
    }

    fn support(&self, operation: Operation) -> Support {
        self.library.support(operation)
    }

    fn hashing(&self) -> &dyn Hashing {
        self.library.hashing()
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self.library.rsa_decryption()
    }

    fn rsa_encryption(&self) -> &dyn RsaEncryption {
        self.library.rsa_encryption()
    }

    fn key_agreement(&self) -> &dyn KeyAgreement {
        self.library.key_agreement()
    }

    fn key_encapsulation(&self) -> &dyn KeyEncapsulation {
        self.library.key_encapsulation()
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self.library.record_ciphers()
    }

    fn signatures(&self) -> &dyn Signatures {
        self.library.signatures()
    }
}
