//! The raw RSA operations of AWS-LC. The private one is blinded, checked against faults and never
//! unpadded: its PKCS#1 mode returns an error for bad padding, which would be a padding oracle.

use std::ptr::NonNull;

use aws_lc_sys::{
    RSA, RSA_NO_PADDING, RSA_decrypt, RSA_encrypt, RSA_free, RSA_private_key_from_bytes, RSA_size,
};

use ssl_provider_core::backend::{
    BAD_BLOCK_LEN, BAD_PUBLIC_KEY, RsaDecryption, RsaEncryption, RsaPrivateKey, trial_decryption,
};
use ssl_provider_core::{Error, InvalidKey, PublicKeyDer, PublicKeyParts, RsaPrivateKeyDer};

use crate::signature::PublicKey;
use crate::{AwsLc, failure, succeeded};

impl RsaDecryption for AwsLc {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(Key::load(key)?))
    }
}

impl RsaEncryption for AwsLc {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        let PublicKeyParts::Rsa { modulus, .. } = key.parts() else {
            return Err(BAD_PUBLIC_KEY);
        };
        if [em.len(), ciphertext.len()] != [modulus.len(); 2] {
            return Err(BAD_BLOCK_LEN);
        }
        let key = PublicKey::parse(key.der())?;
        let rsa = key.rsa().map_err(|_| BAD_PUBLIC_KEY)?.as_ptr();
        let mut written = 0;
        // SAFETY: the key is live as long as `key`; the pointers are to `ciphertext.len()` writable
        // and `em.len()` readable bytes, and to a length. AWS-LC refuses a block whose length is
        // not the modulus', and an output that is shorter.
        succeeded(unsafe {
            RSA_encrypt(
                rsa,
                &raw mut written,
                ciphertext.as_mut_ptr(),
                ciphertext.len(),
                em.as_ptr(),
                em.len(),
                RSA_NO_PADDING,
            )
        })?;
        if written != ciphertext.len() {
            return Err(BAD_BLOCK_LEN);
        }
        Ok(())
    }
}

/// Owns a private key with its Montgomery forms and pool of blinding factors.
pub(crate) struct Key {
    rsa: NonNull<RSA>,
    modulus_len: usize,
}

// SAFETY: the key is on the heap, this value has the only reference, and AWS-LC ties nothing in it
// to a thread.
unsafe impl Send for Key {}

// SAFETY: through a shared reference the key only decrypts and signs, which AWS-LC documents as
// non-mutating for the purposes of threads; it locks what it caches in the key.
unsafe impl Sync for Key {}

impl Key {
    /// Loads a key whose parts belong together.
    pub(crate) fn load(der: &RsaPrivateKeyDer<'_>) -> Result<Self, Error> {
        let pkcs1 = der.pkcs1();
        // SAFETY: the pointer is to `pkcs1.len()` bytes.
        let rsa = unsafe { RSA_private_key_from_bytes(pkcs1.as_ptr(), pkcs1.len()) };
        let Some(rsa) = NonNull::new(rsa) else {
            // Core has checked the shape, so it is the numbers; the library's error adds nothing.
            let _ = failure();
            return Err(INCONSISTENT);
        };
        let mut key = Self { rsa, modulus_len: 0 };
        // SAFETY: the key is live.
        let size = unsafe { RSA_size(key.rsa.as_ptr()) };
        key.modulus_len = usize::try_from(size).map_err(|_| INCONSISTENT)?;
        trial_decryption(&key)?;
        Ok(key)
    }

    pub(crate) fn as_ptr(&self) -> *mut RSA {
        self.rsa.as_ptr()
    }
}

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        // AWS-LC refuses other lengths with an error of its own, and takes a longer output.
        if [ciphertext.len(), em.len()] != [self.modulus_len; 2] {
            return Err(BAD_BLOCK_LEN);
        }
        let mut written = 0;
        // SAFETY: the key is live; the pointers are to `em.len()` writable and `ciphertext.len()`
        // readable bytes, and to a length. AWS-LC refuses lengths that are not the modulus'.
        succeeded(unsafe {
            RSA_decrypt(
                self.rsa.as_ptr(),
                &raw mut written,
                em.as_mut_ptr(),
                em.len(),
                ciphertext.as_ptr(),
                ciphertext.len(),
                RSA_NO_PADDING,
            )
        })?;
        if written != em.len() {
            return Err(BAD_BLOCK_LEN);
        }
        Ok(())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is live and nobody else has the pointer.
        unsafe { RSA_free(self.rsa.as_ptr()) };
    }
}

ssl_provider_core::redacted_debug! { Key { modulus_len, .. } }

const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);

#[cfg(test)]
mod tests {
    use super::*;

    use aws_lc_sys::ERR_peek_error;

    fn load(der: &[u8]) -> Result<Key, Error> {
        Key::load(&RsaPrivateKeyDer::from_der(der).unwrap())
    }

    #[test]
    fn an_error_carries_the_number_of_the_library_and_leaves_the_queue_empty() {
        let key = load(include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der")).unwrap();
        // Not below the modulus; core passes no such ciphertext.
        let failed = key.decrypt_raw(&[0xff; 128], &mut [0; 128]);
        let Err(Error::Backend { backend: "aws-lc", code }) = failed else {
            panic!("a ciphertext above the modulus is refused: {failed:?}");
        };
        assert_ne!(code, 0);
        // SAFETY: the call takes no pointer.
        assert_eq!(unsafe { ERR_peek_error() }, 0);
    }
}
