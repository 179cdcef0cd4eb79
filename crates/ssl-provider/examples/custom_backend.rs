//! A backend from outside the four: SHA-2 and the PRF of TLS 1.2 by the crates `sha2` and `hmac`,
//! all else by a backend that is compiled in. Look at `impl Hashing`: a kind of operation is one
//! small trait, and what it leaves out is passed on.

use std::error::Error as StdError;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha384};
use ssl_provider::backend::{
    BAD_OUTPUT_LEN, Composed, HashContext, Hashing, HmacKey, KeyExchangeBackend,
};
use ssl_provider::{
    Backend, BackendInfo, Error, HashAlgorithm, Operation, PrfAlgorithm, Provider, Support,
};

/// SHA-256, HMAC, and the PRF of TLS 1.2 made of it.
#[derive(Debug)]
struct Sha2Crates(BackendInfo);

impl KeyExchangeBackend for Sha2Crates {
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

impl Hashing for Sha2Crates {
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

/// An HMAC key, of which core makes HMAC and the PRF.
struct Key<M>(M);

impl<M: Mac + Clone> HmacKey for Key<M> {
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mac = self.0.clone().chain_update(head).chain_update(label);
        let mac = seed.iter().fold(mac, |mac, part| mac.chain_update(part));
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
}

/// The whole: what `Sha2Crates` returns `Unsupported` for, the other backend does.
fn composed(rest: Backend) -> Backend {
    let library = format!("sha2 0.11, hmac 0.13 and {}", rest.info().library);
    let alone = BackendInfo::new("sha2-crates", "SHA-2 Crates Alone", library.clone());
    let whole = BackendInfo::new("custom", "Custom Provider", library).with_rsa(rest.info().rsa);
    Backend::new(Composed::new(whole, Sha2Crates(alone), rest))
}

pub(crate) fn main() -> Result<(), Box<dyn StdError>> {
    ssl_provider::register(composed(ssl_provider::default_backend()?))?;
    // From here on the whole program finds it by name, as it does those that are compiled in.
    let custom = ssl_provider::backend("custom")?;
    println!("opened {:?}", Provider::open(&custom));

    // More than a hundred cases: known answers, malformed keys, every kind of bad ciphertext.
    let report = ssl_provider_testkit::check(custom);
    println!("{report}");
    if report.passed() { Ok(()) } else { Err("the backend does not conform".into()) }
}
