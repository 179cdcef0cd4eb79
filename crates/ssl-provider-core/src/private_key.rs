//! An RSA private key, loaded by a backend, with what core adds: the checks on ciphertexts that are
//! public, and the key of the deterministic fallback.

use std::fmt;

use zeroize::Zeroize;

use crate::backend::{HashAlgorithm, KeyExchangeBackend, RawDecryption, RsaPrivateKey};
use crate::error::Error;
use crate::rsa_der::{MAX_MODULUS_LEN, RsaPrivateKeyDer};
use crate::secret::{RejectKey, on_wiped_stack};

/// An RSA private key that a provider can import master keys with.
///
/// It belongs to the backend that loaded it. Share it between threads behind an `Arc`; no lock is
/// held around the private operation other than what the library itself takes.
pub struct PrivateKey {
    backend: &'static dyn KeyExchangeBackend,
    key: Box<dyn RsaPrivateKey>,
    /// Big-endian. The modulus is odd, so this differs from it in the last bit only.
    modulus_minus_one: Box<[u8]>,
    /// As long as the modulus.
    two: Box<[u8]>,
    modulus_bits: usize,
    public_exponent: Box<[u8]>,
    reject_key: Box<RejectKey>,
}

impl PrivateKey {
    /// Loads a key into `backend`.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] when the backend refuses the key, [`Error::Unsupported`] when it has no RSA
    /// private operation, [`Error::Internal`] when it reports another modulus length.
    pub fn load(
        backend: &'static dyn KeyExchangeBackend,
        der: &RsaPrivateKeyDer<'_>,
    ) -> Result<Self, Error> {
        let mut modulus_minus_one: Box<[u8]> = der.modulus().into();
        if let Some(last) = modulus_minus_one.last_mut() {
            *last &= 0xfe;
        }
        let (reject_key, key) = on_wiped_stack::<_, RSA_STACK_LEN>(|| {
            Ok((reject_key(backend, der)?, backend.load_rsa_private_key(der)?))
        })?;
        if key.modulus_len() != modulus_minus_one.len() {
            return Err(Error::Internal("the backend disagrees about the modulus length"));
        }
        let modulus_bits = der.modulus_bits();
        let public_exponent = der.public_exponent().into();
        let mut two: Box<[u8]> = vec![0; modulus_minus_one.len()].into();
        if let Some(last) = two.last_mut() {
            *last = 2;
        }
        Ok(Self { backend, key, modulus_minus_one, two, modulus_bits, public_exponent, reject_key })
    }

    /// Length of the modulus, and so of a ciphertext, in bytes.
    pub fn modulus_len(&self) -> usize {
        self.modulus_minus_one.len()
    }

    /// Length of the modulus in bits.
    pub fn modulus_bits(&self) -> usize {
        self.modulus_bits
    }

    /// The modulus, big-endian without leading zeros. Public.
    pub fn modulus(&self) -> Vec<u8> {
        let mut modulus = self.modulus_minus_one.to_vec();
        if let Some(last) = modulus.last_mut() {
            *last |= 1;
        }
        modulus
    }

    /// The public exponent, big-endian without leading zeros.
    pub fn public_exponent(&self) -> &[u8] {
        &self.public_exponent
    }

    /// The backend that holds the key.
    pub fn backend(&self) -> &'static dyn KeyExchangeBackend {
        self.backend
    }

    /// Runs the private operation on many ciphertexts, for [`crate::Provider::import_decrypted`].
    ///
    /// A backend that computes several at once does so here; the answers are the same as one by
    /// one. As there, nothing that a ciphertext decides is an error.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`]: the library failed.
    pub fn decrypt_premasters(
        &self,
        ciphertexts: &[&[u8]],
    ) -> Result<Vec<DecryptedPremaster<'_>>, Error> {
        let mut all: Vec<DecryptedPremaster<'_>> = ciphertexts
            .iter()
            .map(|ciphertext| DecryptedPremaster {
                key: self,
                ciphertext: ciphertext.to_vec(),
                block: Box::new(Block::new()),
            })
            .collect();
        let mut jobs = Vec::with_capacity(all.len());
        for DecryptedPremaster { ciphertext, block, .. } in &mut all {
            let em = block.start(self.modulus_len());
            if let Some(operand) = self.operand(ciphertext) {
                jobs.push(RawDecryption { ciphertext: operand, em });
            }
        }
        on_wiped_stack::<_, RSA_STACK_LEN>(|| self.key.decrypt_raw_batch(&mut jobs))?;
        for DecryptedPremaster { ciphertext, block, .. } in &mut all {
            if !self.is_proper_ciphertext(ciphertext) {
                block.clear();
            }
        }
        Ok(all)
    }

    pub(crate) fn reject_key(&self) -> &RejectKey {
        &self.reject_key
    }

    /// Runs the private operation, or leaves zeros, which no version of the padding check accepts,
    /// where the ciphertext cannot be one: of another length, not below n, or 0, 1 or n - 1,
    /// which some libraries refuse. All of that is public.
    pub(crate) fn decrypt_block(&self, ciphertext: &[u8], block: &mut Block) -> Result<(), Error> {
        let em = block.start(self.modulus_len());
        if let Some(operand) = self.operand(ciphertext) {
            on_wiped_stack::<_, RSA_STACK_LEN>(|| self.key.decrypt_raw(operand, em))?;
        }
        if !self.is_proper_ciphertext(ciphertext) {
            block.clear();
        }
        Ok(())
    }

    /// What goes through the private operation: a ciphertext of the right length, or in its place
    /// the number 2 where it cannot be one, so that it takes as long. Of another length, none.
    fn operand<'o>(&'o self, ciphertext: &'o [u8]) -> Option<&'o [u8]> {
        if self.is_proper_ciphertext(ciphertext) {
            Some(ciphertext)
        } else {
            (ciphertext.len() == self.modulus_len()).then_some(&self.two)
        }
    }

    fn is_proper_ciphertext(&self, ciphertext: &[u8]) -> bool {
        let Some((last, high)) = ciphertext.split_last() else { return false };
        let above_one = *last > 1 || high.iter().any(|byte| *byte != 0);
        // Slices of equal length compare like the big-endian numbers that they are.
        ciphertext.len() == self.modulus_len() && above_one && *ciphertext < *self.modulus_minus_one
    }
}

/// Bytes of stack that a library may use while it loads a key or decrypts; the `rsa` crate was seen
/// to use 29 000 for a key of 8192 bits.
const RSA_STACK_LEN: usize = 40 * 1024;

/// SHA-256 of one prime, xor that of the other.
///
/// draft-irtf-cfrg-rsa-guidance hashes the private exponent, which has many forms: reduced by
/// lambda(n), by phi(n), or not. A key that is loaded in two of them must give a bad ciphertext the
/// same answer in both, as it does a good one. The primes have one form, in either order.
fn reject_key(
    backend: &dyn KeyExchangeBackend,
    der: &RsaPrivateKeyDer<'_>,
) -> Result<Box<RejectKey>, Error> {
    let [mut of_p, mut of_q] = [(); 2].map(|()| Box::new(RejectKey::zeroed()));
    for (prime, hash) in der.primes().into_iter().zip([&mut of_p, &mut of_q]) {
        backend.hash(HashAlgorithm::Sha256, &[prime], hash.expose_mut())?;
    }
    for (to, from) in of_p.expose_mut().iter_mut().zip(of_q.expose()) {
        *to ^= from;
    }
    Ok(of_p)
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("backend", &self.backend.info().name)
            .field("modulus_len", &self.modulus_len())
            .finish_non_exhaustive()
    }
}

/// What the private operation made of a ciphertext, which nobody is told.
pub struct DecryptedPremaster<'k> {
    pub(crate) key: &'k PrivateKey,
    pub(crate) ciphertext: Vec<u8>,
    /// Boxed, so that a value that is moved leaves no copy of the block behind.
    pub(crate) block: Box<Block>,
}

impl DecryptedPremaster<'_> {
    /// The key that did it.
    pub fn key(&self) -> &PrivateKey {
        self.key
    }

    /// The ciphertext.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }
}

impl fmt::Debug for DecryptedPremaster<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptedPremaster").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Room for a decrypted RSA block of any supported size. Wiped on drop, over the bytes in use.
pub(crate) struct Block {
    bytes: [u8; MAX_MODULUS_LEN],
    len: usize,
}

impl Block {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; MAX_MODULUS_LEN], len: 0 }
    }

    /// The block as `len` bytes, zeros so far.
    fn start(&mut self, len: usize) -> &mut [u8] {
        self.len = len.min(MAX_MODULUS_LEN);
        &mut self.bytes[..self.len]
    }

    /// Makes it zeros again.
    fn clear(&mut self) {
        self.bytes[..self.len].zeroize();
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.bytes[..self.len].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::premaster::MIN_BLOCK_LEN;

    #[test]
    fn moving_a_decrypted_premaster_moves_no_block() {
        assert!(size_of::<DecryptedPremaster<'_>>() < MIN_BLOCK_LEN);
    }
}
