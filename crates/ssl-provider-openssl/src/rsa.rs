//! The raw RSA operations of OpenSSL. The private one is blinded, checked against faults and never
//! unpadded: its PKCS#1 mode returns an error or random bytes for bad padding, by the release.

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};

use ssl_provider_core::backend::{
    BAD_BLOCK_LEN, BAD_PUBLIC_KEY, RsaDecryption, RsaEncryption, RsaPrivateKey, trial_decryption,
};
use ssl_provider_core::{Error, InvalidKey, PublicKeyDer, PublicKeyParts, RsaPrivateKeyDer};

use crate::{OpenSsl, failure};

impl RsaDecryption for OpenSsl {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(Key::load(key)?))
    }
}

impl RsaEncryption for OpenSsl {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        // OpenSSL's own parser of such keys takes several times as long as the operation.
        let PublicKeyParts::Rsa { modulus, exponent } = key.parts() else {
            return Err(BAD_PUBLIC_KEY);
        };
        if em.len() != modulus.len() || ciphertext.len() != modulus.len() {
            return Err(BAD_BLOCK_LEN);
        }
        let n = BigNum::from_slice(modulus).map_err(failure)?;
        let e = BigNum::from_slice(exponent).map_err(failure)?;
        let key = Rsa::from_public_components(n, e).map_err(failure)?;
        let written = key.public_encrypt(em, ciphertext, Padding::NONE).map_err(failure)?;
        if written != ciphertext.len() {
            return Err(BAD_BLOCK_LEN);
        }
        Ok(())
    }
}

/// A private key with its Montgomery forms and blinding factors. OpenSSL wipes it when it is freed.
pub(crate) struct Key(pub(crate) Rsa<Private>);

impl Key {
    /// Loads a key whose parts belong together.
    pub(crate) fn load(der: &RsaPrivateKeyDer<'_>) -> Result<Self, Error> {
        // OpenSSL takes any numbers, and its own check looks for primes, for 35 ms at 2048 bits.
        if !is_consistent(der).map_err(failure)? {
            return Err(INCONSISTENT);
        }
        let key = Self(Rsa::private_key_from_der(der.pkcs1()).map_err(|_| INCONSISTENT)?);
        key.check_round_trip()?;
        Ok(key)
    }

    /// Tries the key once. OpenSSL corrects a result that its check against faults does not pass,
    /// by a private exponent that is as wrong as the factor is.
    fn check_round_trip(&self) -> Result<(), Error> {
        let em = trial_decryption(self)?;
        let mut power = vec![0; em.len()];
        self.0.public_encrypt(&em, &mut power, Padding::NONE).map_err(failure)?;
        let two = BigNum::from_u32(2).map_err(failure)?;
        if BigNum::from_slice(&power).map_err(failure)? != two {
            return Err(INCONSISTENT);
        }
        Ok(())
    }
}

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        // A C unsigned int, at least 32 bits on every system that OpenSSL runs on.
        self.0.size() as usize
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let len = self.modulus_len();
        // OpenSSL would pad a shorter ciphertext.
        if ciphertext.len() != len || em.len() != len {
            return Err(BAD_BLOCK_LEN);
        }
        let written = self.0.private_decrypt(ciphertext, em, Padding::NONE).map_err(failure)?;
        if written != len {
            return Err(BAD_BLOCK_LEN);
        }
        Ok(())
    }
}

ssl_provider_core::redacted_debug! { Key { modulus_len(), .. } }

const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);

/// Whether the parts of a key are what RFC 8017 section 3.2 says, as far as arithmetic can tell.
fn is_consistent(der: &RsaPrivateKeyDer<'_>) -> Result<bool, ErrorStack> {
    let mut context = BigNumContext::new_secure()?;
    let n = secret(der.modulus())?;
    let e = secret(der.public_exponent())?;
    let d = secret(der.private_exponent())?;
    let [p, q] = der.primes();
    let (p, q) = (secret(p)?, secret(q)?);
    let [dp, dq, qinv] = der.crt_parts();
    let (dp, dq, qinv) = (secret(dp)?, secret(dq)?, secret(qinv)?);
    let one = BigNum::from_u32(1)?;

    let mut product = BigNum::new_secure()?;
    product.checked_mul(&p, &q, &mut context)?;
    // A factor of 1 leaves nothing to compute modulo.
    if product != n || p <= one || q <= one || d >= n {
        return Ok(false);
    }
    let mut de = BigNum::new_secure()?;
    de.checked_mul(&d, &e, &mut context)?;
    let mut remainder = BigNum::new_secure()?;
    for (prime, exponent) in [(&p, &dp), (&q, &dq)] {
        let mut order = BigNum::new_secure()?;
        order.checked_sub(prime, &one)?;
        order.set_const_time();
        remainder.nnmod(&de, &order, &mut context)?;
        if remainder != one {
            return Ok(false);
        }
        remainder.nnmod(&d, &order, &mut context)?;
        if remainder != *exponent {
            return Ok(false);
        }
    }
    remainder.mod_mul(&q, &qinv, &p, &mut context)?;
    Ok(qinv < p && remainder == one)
}

/// A number that OpenSSL wipes when it is freed.
pub(crate) fn secret(big_endian: &[u8]) -> Result<BigNum, ErrorStack> {
    let mut number = BigNum::new_secure()?;
    number.copy_from_slice(big_endian)?;
    number.set_const_time();
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(der: &[u8]) -> Result<Key, Error> {
        Key::load(&RsaPrivateKeyDer::from_der(der).unwrap())
    }

    #[test]
    fn a_length_that_openssl_would_pad_is_refused() {
        let key = load(include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der")).unwrap();
        let refused = Err(BAD_BLOCK_LEN);
        assert_eq!(key.decrypt_raw(&[1; 127], &mut [0; 128]), refused);
        assert_eq!(key.decrypt_raw(&[1; 128], &mut [0; 129]), refused);
    }

    #[test]
    fn an_error_carries_openssls_number() {
        let key = load(include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der")).unwrap();
        let failed = key.decrypt_raw(&[0xff; 128], &mut [0; 128]);
        let Err(Error::Backend { backend: "openssl", code }) = failed else {
            panic!("a ciphertext above the modulus is refused: {failed:?}");
        };
        assert_ne!(code, 0);
        assert!(ErrorStack::get().errors().is_empty());
    }
}
