//! RSA keys that providers refuse, for captures only: a modulus below 1024 bits, or a public
//! exponent above 33 bits.
//!
//! The private operation takes the same steps for every ciphertext, but is neither blinded nor
//! checked for faults: this runs offline on a capture, so nobody can probe it.

use std::fmt;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use pkcs1::RsaPrivateKeyRef;
use pkcs1::der::Decode;
use ssl_provider::backend::{BAD_BLOCK_LEN, RsaPrivateKey};
use ssl_provider::{Error, InvalidKey, PrivateKey, Provider};
use zeroize::Zeroizing;

/// Takes a weak key as PKCS#1, whose numbers have been checked.
pub(super) fn load(provider: &Provider, pkcs1: &[u8]) -> Result<PrivateKey, Error> {
    let key = RsaPrivateKeyRef::from_der(pkcs1).map_err(|_| MALFORMED)?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    let weak = WeakKey::new(modulus, key.private_exponent.as_bytes())?;
    provider.private_key_of_raw(modulus, exponent, Box::new(weak))
}

/// The private half. Wiped on drop.
struct WeakKey {
    modulus: BoxedMontyParams,
    modulus_len: usize,
    private_exponent: Zeroizing<BoxedUint>,
}

impl WeakKey {
    fn new(modulus: &[u8], private_exponent: &[u8]) -> Result<Self, Error> {
        let modulus_len = modulus.len();
        let modulus = Option::from(Odd::new(number(modulus, modulus_len)?)).ok_or(MALFORMED)?;
        Ok(Self {
            modulus: BoxedMontyParams::new_vartime(modulus),
            modulus_len,
            private_exponent: Zeroizing::new(number(private_exponent, modulus_len)?),
        })
    }
}

impl RsaPrivateKey for WeakKey {
    fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let base = BoxedMontyForm::new(number(ciphertext, self.modulus_len)?, &self.modulus);
        let power = Zeroizing::new(base.pow(&self.private_exponent));
        let power = Zeroizing::new(power.retrieve());
        // As long as the modulus in whole words.
        let block = Zeroizing::new(power.to_be_bytes());
        let skip = block.len().checked_sub(em.len()).ok_or(BAD_BLOCK_LEN)?;
        em.copy_from_slice(&block[skip..]);
        Ok(())
    }
}

impl fmt::Debug for WeakKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakKey").field("modulus_len", &self.modulus_len).finish_non_exhaustive()
    }
}

/// A big-endian number of at most `len` bytes, with as much room.
fn number(big_endian: &[u8], len: usize) -> Result<BoxedUint, Error> {
    let room = u32::try_from(8 * len).map_err(|_| MALFORMED)?;
    BoxedUint::from_be_slice(big_endian, room).map_err(|_| MALFORMED)
}

const MALFORMED: Error = Error::Key(InvalidKey::Malformed);
