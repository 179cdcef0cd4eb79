//! A backend whose RSA private operation returns a block that the probe has prepared.
//! Everything else is the tested library's, except the compression functions, which are hidden.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ssl_provider::backend::{
    HashContext, Hashing, KeyExchangeBackend, RecordCiphers, RsaDecryption, RsaPrivateKey,
    SecureRandom,
};
use ssl_provider::{
    Backend, BackendInfo, Error, HashAlgorithm, Operation, PrfAlgorithm, RsaPrivateKeyDer, Support,
};

use crate::valgrind;

/// The treatment of a block after the private operation has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It is marked as undefined, so that nothing may depend on it.
    Secret,
    /// It stays as it is.
    Nothing,
}

/// The backend.
#[derive(Debug)]
pub(crate) struct ProbeBackend {
    library: Backend,
    shared: Arc<Shared>,
}

/// What the backend and its keys share.
#[derive(Debug)]
struct Shared {
    mark: Mark,
    next_block: RwLock<Vec<u8>>,
    blocks_marked: AtomicUsize,
}

impl ProbeBackend {
    /// A backend that lives as long as the program, as a provider requires.
    pub(crate) fn leak(library: &Backend, mark: Mark) -> &'static Self {
        Box::leak(Box::new(Self {
            library: library.clone(),
            shared: Arc::new(Shared {
                mark,
                next_block: RwLock::default(),
                blocks_marked: AtomicUsize::new(0),
            }),
        }))
    }

    /// Sets the block that the next private operations return.
    pub(crate) fn next_block(&self, block: &[u8]) {
        let mut next = self.shared.next_block.write().unwrap_or_else(PoisonError::into_inner);
        next.clear();
        next.extend_from_slice(block);
    }

    /// How many blocks have been marked as secret.
    pub(crate) fn blocks_marked(&self) -> usize {
        self.shared.blocks_marked.load(Ordering::Relaxed)
    }
}

/// The key of a [`ProbeBackend`].
#[derive(Debug)]
struct ProbeKey {
    shared: Arc<Shared>,
    modulus_len: usize,
}

impl RsaPrivateKey for ProbeKey {
    fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    fn decrypt_raw(&self, _ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let block = self.shared.next_block.read().unwrap_or_else(PoisonError::into_inner);
        if block.len() != em.len() {
            return Err(Error::Internal("the probe has prepared a block of another length"));
        }
        em.copy_from_slice(&block);
        if self.shared.mark == Mark::Secret {
            valgrind::mark_undefined(em);
            if !valgrind::is_wholly_undefined(em) {
                return Err(Error::Internal("valgrind has not marked the block"));
            }
            self.shared.blocks_marked.fetch_add(1, Ordering::Relaxed);
        }
        #[cfg(feature = "planted-leak")]
        planted_leak(em);
        Ok(())
    }
}

/// A careless server: it searches for the end of the padding, and stops there.
#[cfg(feature = "planted-leak")]
#[inline(never)]
pub(crate) fn planted_leak(em: &[u8]) {
    let padding = em.iter().skip(2).take_while(|byte| **byte != 0).count();
    if em[..2] == [0, 2] && padding >= 8 {
        std::hint::black_box(padding);
    }
}

impl KeyExchangeBackend for ProbeBackend {
    fn info(&self) -> &BackendInfo {
        self.library.info()
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::CompressionFunction(_) => Support::Unsupported,
            _ => self.library.support(operation),
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self.library.random()
    }

    ssl_provider::offers! { hashing, rsa_decryption }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self.library.record_ciphers()
    }
}

impl Hashing for ProbeBackend {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        self.library.hashing().hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        self.library.hashing().hash_context(hash)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.library.hashing().hmac(hash, key, input, out)
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.library.hashing().prf(prf, secret, label, seed, out)
    }
}

impl From<&'static ProbeBackend> for Backend {
    fn from(backend: &'static ProbeBackend) -> Self {
        Self::from_static(backend)
    }
}

impl RsaDecryption for ProbeBackend {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(ProbeKey {
            shared: Arc::clone(&self.shared),
            modulus_len: key.modulus().len(),
        }))
    }
}
