//! An RSA private key that master keys are imported with. Its holder does the raw private
//! operation, of which core makes the exchange, or the whole exchange.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use zeroize::{Zeroize, Zeroizing};

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::{Backend, KeyExchangeBackend, RawDecryption, RsaPrivateKey};
use crate::error::{Error, InvalidKey};
use crate::policy::PremasterVersion;
use crate::premaster::{MIN_BLOCK_LEN, VersionCheck, recover_premaster};
use crate::rsa_der::{MAX_MODULUS_LEN, RsaPrivateKeyDer, bit_len, is_even};
use crate::schedule::MasterSeed;
use crate::secret::{
    LONG_NUMBERS_STACK_LEN, MasterSecret, PremasterSecret, ProcessSecret, RejectKey, STACK_LEN,
    with_stack_wiped,
};
use crate::security_parameters::SecurityParameters;

/// The whole RSA key exchange: ciphertext and seed in, master secret out.
///
/// For holders of keys that return no raw result, such as a key server or a token with TLS
/// mechanisms; [`Provider::private_key_of_exchange`](crate::Provider::private_key_of_exchange)
/// takes one. For a [`RsaPrivateKey`] core does all of this itself.
///
/// # Contract
///
/// Implicit rejection is the implementation's (RFC 5246 section 7.4.7.1). A ciphertext that is
/// wrong in length, range, padding or version returns success, in the same time as a good one: its
/// premaster secret is replaced by the fallback of [`RsaExchange::fallback_premaster`], or by
/// another PRF under a secret key of exactly the same inputs, and the master secret is derived from
/// that as from a good one. A fallback that depends on more or less is an oracle for whoever
/// imports one ciphertext twice, and so is anything else that tells good ciphertexts from bad ones
/// (Bleichenbacher).
pub trait RsaKeyExchange: fmt::Debug + Send + Sync {
    /// Decrypts the premaster secret and writes the master secret derived from it.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`] or [`Error::Unavailable`], for reasons that the
    /// ciphertext does not decide.
    fn master_secret(
        &self,
        exchange: &RsaExchange<'_>,
        out: &mut MasterSecret,
    ) -> Result<(), Error>;
}

/// One RSA key exchange; all of it is public.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RsaExchange<'a> {
    /// The RSA ciphertext as the client sent it, of any length.
    pub ciphertext: &'a [u8],
    /// Which versions the premaster secret may carry.
    pub premaster_version: VersionCheck,
    /// Version, suite and key schedule of the connection.
    pub parameters: &'a SecurityParameters,
    /// What the master secret is derived from besides.
    pub seed: MasterSeed<'a>,
}

impl RsaExchange<'_> {
    /// Computes the fallback premaster secret of implicit rejection, which takes the place of a bad
    /// one, with the backend of the provider.
    ///
    /// A key is derived from `reject_key`, a secret of the private key, and the ciphertext as in
    /// draft-irtf-cfrg-rsa-guidance, and expanded over the expected version (none where any is
    /// accepted) and the randoms or session hash, so that the same input has the same result.
    /// Protocol and suite stay out: those that derive alike have the same result for a good
    /// premaster secret too. Compute it always, before the plaintext is known.
    ///
    /// # Errors
    ///
    /// Errors of the backend.
    pub fn fallback_premaster(
        &self,
        reject_key: &[u8; 32],
        out: &mut PremasterSecret,
    ) -> Result<(), Error> {
        let hashing = self.parameters.backend().hashing();
        let mut derivation_key = Zeroizing::new([0; 32]);
        hashing.hmac(
            HashAlgorithm::Sha256,
            reject_key,
            &[self.ciphertext],
            derivation_key.as_mut(),
        )?;
        let version = self.premaster_version.fallback_version().wire().to_be_bytes();
        let (first, second): (&[u8], &[u8]) = match self.seed {
            MasterSeed::Randoms(client_random, server_random) => (client_random, server_random),
            MasterSeed::SessionHash(hash) => (hash, &[]),
        };
        hashing.prf(
            PrfAlgorithm::Sha256,
            derivation_key.as_ref(),
            b"fallback premaster secret",
            &[&version, first, second],
            out.expose_mut(),
        )
    }
}

/// An RSA private key that a provider can import master keys with.
///
/// It belongs to the backend that loaded it, and to the rule about premaster versions that it was
/// loaded under. Share it between threads behind an `Arc`; no lock is held around the private
/// operation other than what the library itself takes.
pub struct PrivateKey {
    backend: Backend,
    modulus: Box<[u8]>,
    public_exponent: Box<[u8]>,
    premaster_version: PremasterVersion,
    holder: KeyHolder,
}

/// Who turns a ciphertext into a master secret.
enum KeyHolder {
    Raw(RawKeyExchange),
    Exchange(Box<dyn RsaKeyExchange>),
}

impl PrivateKey {
    /// Loads a key into `backend`.
    pub(crate) fn load(
        backend: Backend,
        der: &RsaPrivateKeyDer<'_>,
        premaster_version: PremasterVersion,
    ) -> Result<Self, Error> {
        let (reject_key, key) = with_stack_wiped::<_, LONG_NUMBERS_STACK_LEN>(|| {
            Ok((reject_key(&*backend, der)?, backend.rsa_decryption().load(der)?))
        })?;
        let (modulus, exponent) = (der.modulus(), der.public_exponent());
        let holder = KeyHolder::Raw(RawKeyExchange::new(key, modulus, reject_key)?);
        Ok(Self::new(backend, modulus, exponent, premaster_version, holder))
    }

    /// Takes a key that does the raw operation outside of the backend.
    pub(crate) fn of_raw(
        backend: Backend,
        modulus: &[u8],
        public_exponent: &[u8],
        premaster_version: PremasterVersion,
        key: Box<dyn RsaPrivateKey>,
    ) -> Result<Self, Error> {
        check_public_key(modulus, public_exponent)?;
        if key.modulus_len() != modulus.len() {
            return Err(Error::InvalidParameter(
                "modulus: its length differs from that of the key",
            ));
        }
        let reject_key =
            with_stack_wiped::<_, STACK_LEN>(|| hidden_reject_key(&*backend, modulus))?;
        let holder = KeyHolder::Raw(RawKeyExchange::new(key, modulus, reject_key)?);
        Ok(Self::new(backend, modulus, public_exponent, premaster_version, holder))
    }

    /// Takes a key that does the whole exchange.
    pub(crate) fn of_exchange(
        backend: Backend,
        modulus: &[u8],
        public_exponent: &[u8],
        premaster_version: PremasterVersion,
        exchange: Box<dyn RsaKeyExchange>,
    ) -> Result<Self, Error> {
        check_public_key(modulus, public_exponent)?;
        let holder = KeyHolder::Exchange(exchange);
        Ok(Self::new(backend, modulus, public_exponent, premaster_version, holder))
    }

    fn new(
        backend: Backend,
        modulus: &[u8],
        public_exponent: &[u8],
        premaster_version: PremasterVersion,
        holder: KeyHolder,
    ) -> Self {
        let (modulus, public_exponent) = (modulus.into(), public_exponent.into());
        Self { backend, modulus, public_exponent, premaster_version, holder }
    }

    /// Returns the length of the modulus, and so of a ciphertext, in bytes.
    pub fn modulus_len(&self) -> usize {
        self.modulus.len()
    }

    /// Returns the length of the modulus in bits.
    pub fn modulus_bits(&self) -> usize {
        bit_len(&self.modulus)
    }

    /// Returns the modulus, big-endian without leading zeros. Public.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// Returns the public exponent, big-endian without leading zeros.
    pub fn public_exponent(&self) -> &[u8] {
        &self.public_exponent
    }

    /// Returns the backend that holds the key.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the rule about premaster versions that the key was loaded under.
    pub fn premaster_version(&self) -> PremasterVersion {
        self.premaster_version
    }

    /// Runs the private operation on many ciphertexts, for
    /// [`Provider::import_decrypted`](crate::Provider::import_decrypted).
    ///
    /// A backend that computes several at once does so here, with the same results as one by one.
    /// Nothing that a ciphertext decides is an error. A key that does the whole exchange does it
    /// on import.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`]: the library failed.
    pub fn decrypt_premasters(
        &self,
        ciphertexts: &[&[u8]],
    ) -> Result<Vec<DecryptedPremaster<'_>>, Error> {
        let blocks = match &self.holder {
            KeyHolder::Raw(raw) => raw.decrypt_blocks(ciphertexts)?.into_iter().map(Some).collect(),
            KeyHolder::Exchange(_) => ciphertexts.iter().map(|_| None).collect::<Vec<_>>(),
        };
        let all = ciphertexts.iter().zip(blocks);
        Ok(all
            .map(|(ciphertext, block)| DecryptedPremaster {
                key: self,
                ciphertext: ciphertext.to_vec(),
                block,
            })
            .collect())
    }

    /// Derives the master secret of an exchange whose private operation may have been done before.
    pub(crate) fn master_secret(
        &self,
        exchange: &RsaExchange<'_>,
        decrypted: Option<&Block>,
        out: &mut MasterSecret,
    ) -> Result<(), Error> {
        match &self.holder {
            KeyHolder::Raw(raw) => raw.derive(exchange, decrypted, out),
            KeyHolder::Exchange(whole) => {
                // One that reports success and writes nothing leaves a secret that nobody knows.
                self.backend.random().fill(out.expose_mut())?;
                with_stack_wiped::<_, LONG_NUMBERS_STACK_LEN>(|| whole.master_secret(exchange, out))
            }
        }
    }
}

crate::redacted_debug! { PrivateKey { backend, modulus_len(), .. } }

/// The adapter that makes the whole exchange of a raw private operation.
struct RawKeyExchange {
    key: Box<dyn RsaPrivateKey>,
    /// Big-endian. The modulus is odd, so this differs from it in the last bit only.
    modulus_minus_one: Box<[u8]>,
    /// The number 2, as long as the modulus.
    two: Box<[u8]>,
    reject_key: RejectKey,
}

impl RawKeyExchange {
    fn new(
        key: Box<dyn RsaPrivateKey>,
        modulus: &[u8],
        reject_key: RejectKey,
    ) -> Result<Self, Error> {
        if key.modulus_len() != modulus.len() {
            return Err(Error::Internal("the backend disagrees about the modulus length"));
        }
        let mut modulus_minus_one: Box<[u8]> = modulus.into();
        let mut two: Box<[u8]> = vec![0; modulus.len()].into();
        if let (Some(last), Some(two)) = (modulus_minus_one.last_mut(), two.last_mut()) {
            *last &= 0xfe;
            *two = 2;
        }
        Ok(Self { key, modulus_minus_one, two, reject_key })
    }

    /// Derives the master secret, from the block of `decrypted` where the private operation was
    /// done before.
    fn derive(
        &self,
        exchange: &RsaExchange<'_>,
        decrypted: Option<&Block>,
        out: &mut MasterSecret,
    ) -> Result<(), Error> {
        with_stack_wiped::<_, STACK_LEN>(|| {
            // Everything is ready before the plaintext is: memory, and the fallback.
            let mut fallback = PremasterSecret::zeroed();
            exchange.fallback_premaster(self.reject_key.expose(), &mut fallback)?;
            let mut premaster_secret = PremasterSecret::zeroed();
            let mut decrypted_now = Block::new();
            let block = match decrypted {
                Some(block) => block,
                None => {
                    self.decrypt_block(exchange.ciphertext, &mut decrypted_now)?;
                    &decrypted_now
                }
            };
            let version = exchange.premaster_version;
            recover_premaster(block.expose(), version, &fallback, &mut premaster_secret)?;
            exchange.parameters.master_secret(&premaster_secret, exchange.seed, out)
        })
    }

    /// Decrypts `ciphertext` into `block`. A publicly invalid ciphertext (wrong length, not below
    /// n, or 0, 1 or n - 1, which some libraries refuse) yields zeros, which never pass the padding
    /// check; a dummy operation keeps the time equal.
    fn decrypt_block(&self, ciphertext: &[u8], block: &mut Block) -> Result<(), Error> {
        let em = block.start(self.two.len());
        if let Some(operand) = self.operand(ciphertext) {
            with_stack_wiped::<_, LONG_NUMBERS_STACK_LEN>(|| self.key.decrypt_raw(operand, em))?;
        }
        if !self.is_proper_ciphertext(ciphertext) {
            block.clear();
        }
        Ok(())
    }

    /// Runs the private operation on each ciphertext, several at once where the library does that.
    #[expect(clippy::vec_box, reason = "a block that is moved must leave no copy behind")]
    fn decrypt_blocks(&self, ciphertexts: &[&[u8]]) -> Result<Vec<Box<Block>>, Error> {
        let mut blocks: Vec<_> = ciphertexts.iter().map(|_| Box::new(Block::new())).collect();
        let mut jobs = Vec::with_capacity(blocks.len());
        for (ciphertext, block) in ciphertexts.iter().zip(&mut blocks) {
            let em = block.start(self.two.len());
            if let Some(operand) = self.operand(ciphertext) {
                jobs.push(RawDecryption { ciphertext: operand, em });
            }
        }
        with_stack_wiped::<_, LONG_NUMBERS_STACK_LEN>(|| self.key.decrypt_raw_batch(&mut jobs))?;
        for (ciphertext, block) in ciphertexts.iter().zip(&mut blocks) {
            if !self.is_proper_ciphertext(ciphertext) {
                block.clear();
            }
        }
        Ok(blocks)
    }

    /// Returns what goes through the private operation: the ciphertext, or the number 2 in place of
    /// an invalid one, so that it takes as long. None for one of another length.
    fn operand<'o>(&'o self, ciphertext: &'o [u8]) -> Option<&'o [u8]> {
        if self.is_proper_ciphertext(ciphertext) {
            Some(ciphertext)
        } else {
            (ciphertext.len() == self.two.len()).then_some(&self.two)
        }
    }

    fn is_proper_ciphertext(&self, ciphertext: &[u8]) -> bool {
        let Some((last, high)) = ciphertext.split_last() else { return false };
        let above_one = *last > 1 || high.iter().any(|byte| *byte != 0);
        // Slices of equal length compare like the big-endian numbers that they are.
        ciphertext.len() == self.two.len() && above_one && *ciphertext < *self.modulus_minus_one
    }
}

/// Sets the key of implicit rejection apart from other values that are computed from the primes.
const REJECT_KEY_LABEL: &[u8] = b"ssl-provider implicit rejection";

/// Computes the key of implicit rejection: HMAC-SHA-256 of one prime under a label, xor that of the
/// other.
///
/// draft-irtf-cfrg-rsa-guidance hashes the private exponent, which has many forms: reduced by
/// lambda(n), by phi(n), or not. A key that is loaded in two of them must have the same fallback in
/// both, as it has the same good results. The primes have one form, in either order, and xor needs
/// no comparison of them.
fn reject_key(
    backend: &dyn KeyExchangeBackend,
    der: &RsaPrivateKeyDer<'_>,
) -> Result<RejectKey, Error> {
    let [mut of_p, mut of_q] = [(); 2].map(|()| RejectKey::zeroed());
    for (prime, mac) in der.primes().into_iter().zip([&mut of_p, &mut of_q]) {
        let mac = mac.expose_mut();
        backend.hashing().hmac(HashAlgorithm::Sha256, REJECT_KEY_LABEL, &[prime], mac)?;
    }
    for (to, from) in of_p.expose_mut().iter_mut().zip(of_q.expose()) {
        *to ^= from;
    }
    Ok(of_p)
}

/// Computes the key of implicit rejection for a private key whose numbers are hidden: HMAC-SHA-256
/// of the modulus under a random secret of this process. Two objects of one key have the same,
/// since different ones would tell a bad ciphertext from a good one.
fn hidden_reject_key(backend: &dyn KeyExchangeBackend, modulus: &[u8]) -> Result<RejectKey, Error> {
    static SECRET: Mutex<Option<Box<ProcessSecret>>> = Mutex::new(None);
    let mut secret = SECRET.lock().unwrap_or_else(PoisonError::into_inner);
    let secret = match &mut *secret {
        Some(secret) => secret,
        none => {
            let mut random = Box::new(ProcessSecret::zeroed());
            backend.random().fill(random.expose_mut())?;
            none.insert(random)
        }
    };
    let mut reject_key = RejectKey::zeroed();
    let out = reject_key.expose_mut();
    backend.hashing().hmac(HashAlgorithm::Sha256, secret.expose(), &[modulus], out)?;
    Ok(reject_key)
}

/// Checks the public half of a key that is not loaded from DER: odd numbers without leading zeros,
/// a block of the modulus' length holds a premaster secret, and the exponent is no 1.
fn check_public_key(modulus: &[u8], exponent: &[u8]) -> Result<(), Error> {
    if !(MIN_BLOCK_LEN..=MAX_MODULUS_LEN).contains(&modulus.len())
        || is_even(modulus)
        || modulus.first() == Some(&0)
    {
        return Err(Error::Key(InvalidKey::Modulus { bits: bit_len(modulus) }));
    }
    if is_even(exponent) || exponent.first() == Some(&0) || exponent == [1] {
        return Err(Error::Key(InvalidKey::Exponent));
    }
    Ok(())
}

/// Result of the RSA private operation on one ciphertext; opaque.
pub struct DecryptedPremaster<'k> {
    pub(crate) key: &'k PrivateKey,
    pub(crate) ciphertext: Vec<u8>,
    /// Boxed, so that a value that is moved leaves no copy of the block behind. None where the key
    /// does the whole exchange.
    pub(crate) block: Option<Box<Block>>,
}

impl DecryptedPremaster<'_> {
    /// Returns the key.
    pub fn key(&self) -> &PrivateKey {
        self.key
    }

    /// Returns the ciphertext.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }
}

crate::redacted_debug! { DecryptedPremaster<'_> { key, .. } }

/// Room for a decrypted RSA block of any supported size. Wiped on drop, over the bytes in use.
pub(crate) struct Block {
    bytes: [u8; MAX_MODULUS_LEN],
    len: usize,
}

impl Block {
    fn new() -> Self {
        Self { bytes: [0; MAX_MODULUS_LEN], len: 0 }
    }

    /// Returns the block as `len` bytes, zeros so far.
    fn start(&mut self, len: usize) -> &mut [u8] {
        self.len = len.min(MAX_MODULUS_LEN);
        &mut self.bytes[..self.len]
    }

    /// Makes it zeros again.
    fn clear(&mut self) {
        self.bytes[..self.len].zeroize();
    }

    fn expose(&self) -> &[u8] {
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

    #[test]
    fn moving_a_decrypted_premaster_moves_no_block() {
        assert!(size_of::<DecryptedPremaster<'_>>() < MIN_BLOCK_LEN);
    }
}
