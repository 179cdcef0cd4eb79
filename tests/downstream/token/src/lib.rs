//! A backend from outside the repository: RSA by this crate's own `rsa`, as a token would do it,
//! and all else by the backend that this crate asks for.

use std::fmt;

use getrandom::SysRng;
use rsa::hazmat::rsa_decrypt_and_check;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, PrivateKey as Expanded};
use ssl_provider::backend::{
    BAD_BLOCK_LEN, Composed, KeyExchangeBackend, RsaDecryption, RsaPrivateKey, trial_decryption,
};
use ssl_provider::{
    Backend, BackendInfo, ConstantTime, Error, InvalidKey, Operation, RsaInfo, RsaPrivateKeyDer,
    Support,
};
use zeroize::Zeroizing;

/// The name that programs find the backend by.
pub const NAME: &str = "token";

/// Opens the backend, with an identity of its own each time.
///
/// # Errors
///
/// [`Error::NoBackend`] when the backend for all else is not compiled in.
pub fn open() -> Result<Backend, Error> {
    let rest = ssl_provider::backend("rustcrypto")?;
    let library = format!("rsa 0.10 and {}", rest.info().library);
    let alone = BackendInfo::new(NAME, "Token Alone", library.clone()).with_rsa(Some(RSA));
    let whole = BackendInfo::new(NAME, "Token Provider", library).with_rsa(Some(RSA));
    Ok(Backend::new(Composed::new(whole, Token(alone), rest)))
}

const RSA: RsaInfo = RsaInfo::new("rsa of the token", ConstantTime::Disputed)
    .with_blinding(true)
    .with_fault_check(true);

#[derive(Debug)]
struct Token(BackendInfo);

impl KeyExchangeBackend for Token {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::RsaDecryptRaw => Support::By("rsa of the token"),
            _ => Support::Unsupported,
        }
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }
}

impl RsaDecryption for Token {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let [p, q] = der.primes();
        let (n, e, d) = (der.modulus(), der.public_exponent(), der.private_exponent());
        let (n, e, d, primes) = (number(n)?, number(e)?, number(d)?, vec![number(p)?, number(q)?]);
        let half = n.bit_width_vartime().div_ceil(2);
        let key = if primes.iter().any(|prime| prime.bit_width_vartime() > half) {
            Expanded::from_components_with_wide_primes(n, e, d, primes)
        } else {
            Expanded::from_components(n, e, d, primes)
        };
        let key = key.map_err(|_| INCONSISTENT)?;
        // The crate computes these itself; the numbers in the file must agree.
        let computed = [key.dp().cloned(), key.dq().cloned(), key.crt_coefficient()];
        for (computed, given) in computed.into_iter().zip(der.crt_parts()) {
            if computed.map(Zeroizing::new) != Some(Zeroizing::new(number(given)?)) {
                return Err(INCONSISTENT);
            }
        }
        let key = Key(key);
        trial_decryption(&key)?;
        Ok(Box::new(key))
    }
}

struct Key(Expanded);

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        self.0.size()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        if ciphertext.len() != self.modulus_len() || em.len() != self.modulus_len() {
            return Err(BAD_BLOCK_LEN);
        }
        let ciphertext = BoxedUint::from_be_slice(ciphertext, self.0.n_bits_precision())
            .map_err(|_| BAD_BLOCK_LEN)?;
        let block = rsa_decrypt_and_check(&self.0, Some(&mut SysRng), &ciphertext)
            .map(Zeroizing::new)
            .map_err(|error| match error {
                rsa::Error::Rng => Error::Random,
                _ => Error::Backend { backend: NAME, code: 0 },
            })?;
        // As wide as the modulus in whole words, and below it: what is cut off is zero.
        let bytes = Zeroizing::new(block.to_be_bytes());
        let start = bytes.len().checked_sub(em.len()).ok_or(BAD_BLOCK_LEN)?;
        em.copy_from_slice(&bytes[start..]);
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

fn number(big_endian: &[u8]) -> Result<BoxedUint, Error> {
    let bits = u32::try_from(big_endian.len() * 8).map_err(|_| INCONSISTENT)?;
    BoxedUint::from_be_slice(big_endian, bits).map_err(|_| INCONSISTENT)
}

const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);
