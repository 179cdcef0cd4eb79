//! The kinds of RSA decryption and encryption: the raw operations, whose blocks core alone makes
//! and looks at.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, InvalidKey};
use crate::operation::Operation;
use crate::public_key::PublicKeyDer;
use crate::rsa_der::RsaPrivateKeyDer;

/// RSA private keys that decrypt. Core makes the whole key exchange of the raw operation; a holder
/// of keys that returns no raw result implements [`RsaKeyExchange`](crate::RsaKeyExchange) instead.
pub trait RsaDecryption: fmt::Debug + Send + Sync {
    /// Loads an RSA private key into the library.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] when the library refuses the key, for the same keys in all backends.
    fn load(&self, _key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Err(Error::Unsupported(Operation::RsaDecryptRaw))
    }
}

/// An RSA private key inside a library, with its expanded form and blinding state.
pub trait RsaPrivateKey: fmt::Debug + Send + Sync {
    /// Returns the length of the modulus in bytes.
    fn modulus_len(&self) -> usize;

    /// The raw private operation, RSADP of RFC 8017 section 5.1.2: `em` = `ciphertext`^d mod n.
    ///
    /// Both slices are exactly [`modulus_len`](Self::modulus_len) bytes, and the caller has made
    /// sure that 1 < ciphertext < n - 1. Leading zero bytes are kept. The result is secret: an
    /// implementation must not look at it, except for a check against faults that compares the
    /// result's public power with the ciphertext.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] or [`Error::Backend`], for reasons that the ciphertext does not decide.
    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error>;

    /// Runs [`decrypt_raw`](Self::decrypt_raw) for each job. An implementation that computes
    /// several at once has the same results.
    ///
    /// # Errors
    ///
    /// Those of [`decrypt_raw`](Self::decrypt_raw); some results may then have been written.
    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        jobs.iter_mut().try_for_each(|job| self.decrypt_raw(job.ciphertext, job.em))
    }
}

/// RSA encryption to the public key of a server.
pub trait RsaEncryption: fmt::Debug + Send + Sync {
    /// The raw public operation, RSAEP of RFC 8017 section 5.1.1: `ciphertext` = `em`^e mod n.
    ///
    /// Both slices are as long as the modulus, and the first byte of the block is 0. The block is
    /// secret; the key is not.
    ///
    /// # Errors
    ///
    /// [`BAD_PUBLIC_KEY`](crate::backend::BAD_PUBLIC_KEY) for a key that is not of RSA or that the
    /// library refuses; [`Error::Backend`].
    fn encrypt_raw(
        &self,
        _key: &PublicKeyDer<'_>,
        _em: &[u8],
        _ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::RsaEncryptRaw))
    }
}

/// One raw private operation of a batch: the arguments of [`RsaPrivateKey::decrypt_raw`].
pub struct RawDecryption<'j> {
    /// The ciphertext, of the length of the modulus.
    pub ciphertext: &'j [u8],
    /// Where the block goes, of the same length. Secret.
    pub em: &'j mut [u8],
}

impl fmt::Debug for RawDecryption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawDecryption").field("len", &self.em.len()).finish_non_exhaustive()
    }
}

/// Decrypts the ciphertext 2, which a backend does last when it loads a key, and returns the block.
///
/// With a factor that is not prime, a library that checks its results against faults fails here. A
/// library that corrects them instead has to compare the public power of the block with 2.
///
/// # Errors
///
/// [`InvalidKey::Inconsistent`] when the library fails; else the errors of
/// [`RsaPrivateKey::decrypt_raw`].
pub fn trial_decryption(key: &dyn RsaPrivateKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut ciphertext = vec![0; key.modulus_len()];
    if let Some(last) = ciphertext.last_mut() {
        *last = 2;
    }
    let mut em = Zeroizing::new(vec![0; key.modulus_len()]);
    match key.decrypt_raw(&ciphertext, &mut em) {
        Err(Error::Backend { .. }) => Err(Error::Key(InvalidKey::Inconsistent)),
        answer => answer.map(|()| em),
    }
}

/// What every backend returns for a ciphertext or a block that is not as long as the modulus.
pub const BAD_BLOCK_LEN: Error = Error::Internal("block length differs from that of the modulus");
