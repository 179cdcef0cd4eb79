//! The raw RSA operations of Botan. It blinds the private one and checks its result.

use std::sync::{Mutex, PoisonError};

use botan::{Decryptor, Encryptor, MPI, Privkey, Pubkey};
use ssl_provider::backend::{
    BAD_BLOCK_LEN, BAD_PUBLIC_KEY, RsaDecryption, RsaEncryption, RsaPrivateKey, trial_decryption,
};
use ssl_provider::{Error, InvalidKey, PublicKeyDer, PublicKeyParts, RsaPrivateKeyDer};
use zeroize::Zeroizing;

use crate::{Botan, failure, number, random};

impl RsaDecryption for Botan {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = load(der)?;
        let key = Key::new(key, der.modulus().len()).map_err(failure)?;
        trial_decryption(&key)?;
        Ok(Box::new(key))
    }
}

impl RsaEncryption for Botan {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        let PublicKeyParts::Rsa { modulus, exponent } = key.parts() else {
            return Err(BAD_PUBLIC_KEY);
        };
        if em.len() != modulus.len() || ciphertext.len() != modulus.len() {
            return Err(BAD_BLOCK_LEN);
        }
        let key = Pubkey::load_rsa(&number(modulus)?, &number(exponent)?);
        let key = key.map_err(|_| BAD_PUBLIC_KEY)?;
        let mut encryptor = Encryptor::new(&key, "Raw").map_err(failure)?;
        let encrypted = encryptor.encrypt(em, &mut random()?).map_err(failure)?;
        copy_to_the_end(&encrypted, ciphertext)
    }
}

/// Loads a key whose parts belong together.
pub(crate) fn load(der: &RsaPrivateKeyDer<'_>) -> Result<Privkey, Error> {
    // Botan takes any numbers, and its own check looks for primes, for as long as many operations.
    if !is_consistent(der).map_err(failure)? {
        return Err(INCONSISTENT);
    }
    Privkey::load_rsa_pkcs1(der.pkcs1()).map_err(|_| INCONSISTENT)
}

/// Whether the parts of a key are what RFC 8017 section 3.2 says, as far as arithmetic can tell.
fn is_consistent(der: &RsaPrivateKeyDer<'_>) -> Result<bool, botan::Error> {
    let number = MPI::new_from_bytes;
    let (n, d) = (number(der.modulus())?, number(der.private_exponent())?);
    let [p, q] = der.primes().map(number);
    let [dp, dq, qinv] = der.crt_parts().map(number);
    let (p, q, qinv) = (p?, q?, qinv?);
    let one = MPI::new_from_u32(1)?;
    // A factor of 1 leaves nothing to compute modulo.
    if p.mp_mul(&q)? != n || p <= one || q <= one || d >= n || qinv >= p {
        return Ok(false);
    }
    let de = d.mp_mul(&number(der.public_exponent())?)?;
    for (prime, exponent) in [(&p, dp?), (&q, dq?)] {
        let order = prime.mp_sub_u32(1)?;
        if de.divrem(&order)?.1 != one || d.divrem(&order)?.1 != exponent {
            return Ok(false);
        }
    }
    Ok(q.mp_mul(&qinv)?.divrem(&p)?.1 == one)
}

/// A private key. Botan wipes it when it is freed.
#[derive(Debug)]
struct Key {
    // Refers to the key, and so is dropped before it.
    decryptor: Mutex<Decryptor>,
    _key: Privkey,
    modulus_len: usize,
}

impl Key {
    fn new(key: Privkey, modulus_len: usize) -> Result<Self, botan::Error> {
        let decryptor = Mutex::new(Decryptor::new(&key, "Raw")?);
        Ok(Self { decryptor, _key: key, modulus_len })
    }
}

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        if ciphertext.len() != self.modulus_len || em.len() != self.modulus_len {
            return Err(BAD_BLOCK_LEN);
        }
        let mut decryptor = self.decryptor.lock().unwrap_or_else(PoisonError::into_inner);
        let block = decryptor.decrypt(ciphertext).map(Zeroizing::new).map_err(failure)?;
        copy_to_the_end(&block, em)
    }
}

/// Writes a number of which Botan has removed leading zeros, with masks. How many there were then
/// shows in the time of copies, so the backend does not claim to be constant-time.
fn copy_to_the_end(number: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let zeros = out.len().checked_sub(number.len()).ok_or(BAD_BLOCK_LEN)?;
    out[..zeros].fill(0);
    out[zeros..].copy_from_slice(number);
    Ok(())
}

pub(crate) const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);
