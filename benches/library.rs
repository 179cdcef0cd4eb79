//! The raw RSA private operation as the libraries offer it, with nothing of ours around it.
//! What [`ssl_provider::RsaPrivateKey`] adds is the difference to these.

use std::ptr::NonNull;

use aws_lc_sys::{RSA, RSA_NO_PADDING, RSA_decrypt, RSA_free, RSA_private_key_from_bytes};
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};

/// The raw private operation of a library: ciphertext in, block out, both of the modulus length.
pub type RawOperation = Box<dyn FnMut(&[u8], &mut [u8])>;

/// The operation of the library behind a backend, for those with a library of their own in C.
///
/// # Panics
///
/// Panics when the library refuses the key or the operation: there is nothing to measure then.
pub fn raw_operation(backend: &str, der: &[u8]) -> Option<RawOperation> {
    match backend {
        "aws-lc" => {
            let key = AwsLcKey::load(der).expect("AWS-LC takes the keys of the benchmark");
            Some(Box::new(move |ciphertext, em| {
                assert!(key.decrypt(ciphertext, em), "AWS-LC refuses the ciphertext");
            }))
        }
        "openssl" => {
            let key: Rsa<Private> =
                Rsa::private_key_from_der(der).expect("OpenSSL takes the keys of the benchmark");
            Some(Box::new(move |ciphertext, em| {
                let written = key
                    .private_decrypt(ciphertext, em, Padding::NONE)
                    .expect("OpenSSL takes the ciphertexts of the benchmark");
                assert_eq!(written, em.len());
            }))
        }
        _ => None,
    }
}

struct AwsLcKey(NonNull<RSA>);

impl AwsLcKey {
    fn load(der: &[u8]) -> Option<Self> {
        // SAFETY: the pointer is to `der.len()` bytes, which the call does not keep.
        let rsa = unsafe { RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        NonNull::new(rsa).map(Self)
    }

    fn decrypt(&self, ciphertext: &[u8], em: &mut [u8]) -> bool {
        let mut written = 0;
        // SAFETY: the key is live; the pointers are to `em.len()` writable and `ciphertext.len()`
        // readable bytes, and to a length.
        let answer = unsafe {
            RSA_decrypt(
                self.0.as_ptr(),
                &raw mut written,
                em.as_mut_ptr(),
                em.len(),
                ciphertext.as_ptr(),
                ciphertext.len(),
                RSA_NO_PADDING,
            )
        };
        answer == 1 && written == em.len()
    }
}

impl Drop for AwsLcKey {
    fn drop(&mut self) {
        // SAFETY: the key is live, and nothing else refers to it.
        unsafe { RSA_free(self.0.as_ptr()) };
    }
}
