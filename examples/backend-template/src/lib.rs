//! A backend of ssl-provider, to start from: SHA-256, HMAC and the PRF of TLS 1.2 by the crates
//! `sha2` and `hmac`, all else by the backend `rustcrypto`.
//!
//! To make it yours: implement the kinds that your library has (`ssl_provider::backend` lists
//! them), name them in `offers!`, and say in `support` what it does. The tests tell the rest.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha384};
use ssl_provider::backend::{
    BAD_OUTPUT_LEN, Composed, HashContext, Hashing, HmacKey, KeyExchangeBackend,
};
use ssl_provider::{Backend, BackendInfo, Error, HashAlgorithm, Operation, PrfAlgorithm, Support};

/// The name that programs find the backend by, and that `--backend` takes.
pub const NAME: &str = "mine";

/// Makes the whole backend: what [`Mine`] does not support, `rustcrypto` does. With a library that
/// does everything, or without another for the rest, it is `Backend::new(Mine(info))`.
///
/// # Errors
///
/// [`Error::NoBackend`] or [`Error::UnknownBackend`] without the feature `rustcrypto`.
pub fn backend() -> Result<Backend, Error> {
    let rest = ssl_provider::backend("rustcrypto")?;
    let library = format!("sha2 0.11 and hmac 0.13 with {}", rest.info().library);
    let alone = BackendInfo::new(NAME, "My Provider, Alone", library.clone());
    let whole = BackendInfo::new(NAME, "My Provider", library).with_rsa(rest.info().rsa);
    Ok(Backend::new(Composed::new(whole, Mine(alone), rest)))
}

/// What the library of this backend does.
#[derive(Debug)]
struct Mine(BackendInfo);

impl KeyExchangeBackend for Mine {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Hash(HashAlgorithm::Sha256) => Support::By("sha2"),
            Operation::Hmac(HashAlgorithm::Sha256 | HashAlgorithm::Sha384)
            | Operation::Prf(PrfAlgorithm::Sha256 | PrfAlgorithm::Sha384) => Support::By("hmac"),
            _ => Support::Unsupported,
        }
    }

    ssl_provider::offers! { hashing }
}

impl Hashing for Mine {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        match hash {
            HashAlgorithm::Sha256 => Ok(Box::new(Running(Sha256::new()))),
            _ => Err(Error::Unsupported(Operation::Hash(hash))),
        }
    }

    fn with_hmac_key(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        work: &mut dyn FnMut(&dyn HmacKey),
    ) -> Result<(), Error> {
        // A key of any length is a key of HMAC (RFC 2104 section 2).
        let failed = |_| Error::Internal("HMAC refused a key");
        match hash {
            HashAlgorithm::Sha256 => {
                work(&Key(Hmac::<Sha256>::new_from_slice(key).map_err(failed)?));
            }
            HashAlgorithm::Sha384 => {
                work(&Key(Hmac::<Sha384>::new_from_slice(key).map_err(failed)?));
            }
            _ => return Err(Error::Unsupported(Operation::Hmac(hash))),
        }
        Ok(())
    }
}

/// A running SHA-256.
#[derive(Debug)]
struct Running(Sha256);

impl HashContext for Running {
    fn update(&mut self, input: &[u8]) {
        Digest::update(&mut self.0, input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        let hash = self.0.finalize();
        out.try_into().map(|out: &mut [u8; 32]| *out = hash.into()).map_err(|_| BAD_OUTPUT_LEN)
    }
}

/// An HMAC key, of which ssl-provider makes HMAC, HKDF and the PRF.
struct Key<M>(M);

impl<M: Mac + Clone> HmacKey for Key<M> {
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mac = self.0.clone().chain_update(head).chain_update(label);
        let mac = seed.iter().fold(mac, |mac, part| mac.chain_update(part));
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
}
