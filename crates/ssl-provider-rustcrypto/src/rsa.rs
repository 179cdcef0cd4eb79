//! The raw RSA operations of the `rsa` crate, the private one blinded and checked against faults.
//! The crate's own decryption would remove the padding, which core does without a branch.

use getrandom::SysRng;
use getrandom::rand_core::TryCryptoRng;
use rsa::BoxedUint;
use rsa::hazmat::{rsa_decrypt_and_check, rsa_encrypt};
use rsa::traits::{PrivateKeyParts, PublicKeyParts as _};
use zeroize::Zeroizing;

use ssl_provider_core::backend::{
    BAD_BLOCK_LEN, BAD_PUBLIC_KEY, RsaDecryption, RsaEncryption, RsaPrivateKey, trial_decryption,
};
use ssl_provider_core::{Error, InvalidKey, PublicKeyDer, PublicKeyParts, RsaPrivateKeyDer};

use crate::{NAME, RustCrypto, number};

impl RsaDecryption for RustCrypto {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(Key::load(key)?))
    }
}

impl RsaEncryption for RustCrypto {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        let key = public_key(&key.parts())?;
        if [em.len(), ciphertext.len()] != [key.size(); 2] {
            return Err(BAD_BLOCK_LEN);
        }
        let m = BoxedUint::from_be_slice(em, key.n_bits_precision()).map_err(|_| BAD_BLOCK_LEN)?;
        // In constant time but for the exponent, which is public.
        let c = rsa_encrypt(&key, &Zeroizing::new(m)).map_err(failure)?;
        number::write(&c, ciphertext).ok_or(BAD_BLOCK_LEN)
    }
}

/// Takes an RSA key that encrypts or verifies.
pub(crate) fn public_key(parts: &PublicKeyParts<'_>) -> Result<rsa::PublicKey, Error> {
    let PublicKeyParts::Rsa { modulus, exponent } = parts else { return Err(BAD_PUBLIC_KEY) };
    let number = BoxedUint::from_be_slice_vartime;
    rsa::PublicKey::new(number(modulus), number(exponent)).map_err(|_| BAD_PUBLIC_KEY)
}

/// The crate of this file with its release series.
pub(crate) const CRATES: &[(&str, &str)] = &[("rsa", "0.10")];

/// An expanded private key. The crate wipes it on drop.
pub(crate) struct Key(pub(crate) rsa::PrivateKey);

impl Key {
    /// Loads a key whose parts belong together.
    pub(crate) fn load(der: &RsaPrivateKeyDer<'_>) -> Result<Self, Error> {
        let [p, q] = der.primes();
        let (n, e, d) = (der.modulus(), der.public_exponent(), der.private_exponent());
        let (n, e, d, primes) = (part(n)?, part(e)?, part(d)?, vec![part(p)?, part(q)?]);
        // The crate keeps primes in half the modulus' width unless told otherwise. Whether a key is
        // unbalanced then shows in the time, as it did in the length of its file.
        let half = n.bit_width_vartime().div_ceil(2);
        let key = if primes.iter().any(|prime| prime.bit_width_vartime() > half) {
            rsa::PrivateKey::from_components_with_wide_primes(n, e, d, primes)
        } else {
            rsa::PrivateKey::from_components(n, e, d, primes)
        };
        let key = Self(key.map_err(|_| INCONSISTENT)?);
        key.check_crt_parts(der)?;
        trial_decryption(&key)?;
        Ok(key)
    }

    /// The crate computes d mod p-1, d mod q-1 and q^-1 mod p itself; the key's own must agree.
    fn check_crt_parts(&self, der: &RsaPrivateKeyDer<'_>) -> Result<(), Error> {
        let key = &self.0;
        let computed = [key.dp().cloned(), key.dq().cloned(), key.crt_coefficient()];
        for (computed, given) in computed.into_iter().zip(der.crt_parts()) {
            let computed = Zeroizing::new(computed.ok_or(INCONSISTENT)?);
            if *computed != *Zeroizing::new(part(given)?) {
                return Err(INCONSISTENT);
            }
        }
        Ok(())
    }

    /// The operation, blinded by a factor from `rng`, which comes before what it may spoil.
    fn decrypt_blinded<R: TryCryptoRng>(
        &self,
        rng: &mut R,
        ciphertext: &[u8],
        em: &mut [u8],
    ) -> Result<(), Error> {
        let c = BoxedUint::from_be_slice(ciphertext, self.0.n_bits_precision())
            .map_err(|_| BAD_BLOCK_LEN)?;
        let m = rsa_decrypt_and_check(&self.0, Some(rng), &c).map_err(failure)?;
        number::write(&Zeroizing::new(m), em).ok_or(BAD_BLOCK_LEN)
    }
}

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        self.0.size()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        // The crate would take a shorter ciphertext as the same number.
        if [ciphertext.len(), em.len()] != [self.modulus_len(); 2] {
            return Err(BAD_BLOCK_LEN);
        }
        self.decrypt_blinded(&mut SysRng, ciphertext, em)
    }
}

ssl_provider_core::redacted_debug! { Key { modulus_len(), .. } }

const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);

/// A number of a key, which core has made sure is no longer than the modulus.
fn part(big_endian: &[u8]) -> Result<BoxedUint, Error> {
    let bits = u32::try_from(big_endian.len() * 8).map_err(|_| INCONSISTENT)?;
    BoxedUint::from_be_slice(big_endian, bits).map_err(|_| INCONSISTENT)
}

pub(crate) fn failure(error: rsa::Error) -> Error {
    match error {
        rsa::Error::Rng => Error::Random,
        // The crate has no error numbers.
        _ => Error::Backend { backend: NAME, code: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::broken::Broken;

    fn load(der: &[u8]) -> Result<Key, Error> {
        Key::load(&RsaPrivateKeyDer::from_der(der).unwrap())
    }

    /// The crate's usual constructor refuses them, the other libraries do not.
    #[test]
    fn primes_of_unequal_length_are_taken() {
        let der = include_bytes!("../../ssl-provider-testkit/keys/rsa-1024-unbalanced.der");
        let key = load(der).unwrap();
        let mut em = [0; 128];
        key.decrypt_raw(&[1; 128], &mut em).unwrap();
        let em = BoxedUint::from_be_slice(&em, 1024).unwrap();
        let power = rsa::hazmat::rsa_encrypt(&key.0, &em).unwrap();
        assert_eq!(power.to_be_bytes().as_ref(), [1; 128]);
    }

    #[test]
    fn leading_zeros_are_kept_where_the_modulus_ends_inside_a_word() {
        let key = load(include_bytes!("../../ssl-provider-testkit/keys/rsa-2056.der")).unwrap();
        assert_eq!(key.modulus_len(), 257);
        // The ciphertext of 2 is 2^e, so the block of it is 2 after 256 zeros.
        let two = BoxedUint::from_be_slice(&[2], key.0.n_bits_precision()).unwrap();
        let ciphertext = rsa::hazmat::rsa_encrypt(&key.0, &two).unwrap().to_be_bytes();
        let ciphertext = &ciphertext[ciphertext.len() - 257..];
        let mut em = [0xff; 257];
        key.decrypt_raw(ciphertext, &mut em).unwrap();
        assert_eq!(em[..256], [0; 256]);
        assert_eq!(em[256], 2);
    }

    #[test]
    fn without_random_numbers_there_is_no_operation() {
        let key = load(include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der")).unwrap();
        let mut em = [0xaa; 128];
        assert_eq!(key.decrypt_blinded(&mut Broken, &[1; 128], &mut em), Err(Error::Random));
        assert_eq!(em, [0xaa; 128]);
    }
}
