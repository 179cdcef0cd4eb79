//! Operations as the libraries offer them, with nothing of ours around: the raw RSA private
//! operation, and AES-128-GCM. What our layers add is the difference to these.

use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EVP_AEAD_CTX, EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_seal_scatter,
    EVP_aead_aes_128_gcm, RSA, RSA_NO_PADDING, RSA_decrypt, RSA_free, RSA_private_key_from_bytes,
};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
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

/// The sealing of a library: nonce, additional data, text in place, tag.
pub type Seal = Box<dyn FnMut(&[u8; 12], &[u8], &mut [u8], &mut [u8])>;

/// AES-128-GCM of the library behind a backend, for those with a library of their own in C, under
/// one key, in a context that is set up once.
///
/// # Panics
///
/// Panics when the library refuses: there is nothing to measure then.
pub fn seal_aes_128_gcm(backend: &str) -> Option<Seal> {
    const KEY: [u8; 16] = [0x6b; 16];
    match backend {
        "aws-lc" => {
            let context = AwsLcGcm::new(&KEY).expect("AWS-LC has AES-128-GCM");
            Some(Box::new(move |nonce, aad, text, tag| {
                assert!(context.seal(nonce, aad, text, tag), "AWS-LC refuses to seal");
            }))
        }
        "openssl" => {
            let mut context = CipherCtx::new().expect("OpenSSL has memory");
            let cipher = Some(Cipher::aes_128_gcm());
            context.encrypt_init(cipher, Some(&KEY), None).expect("OpenSSL has AES-128-GCM");
            Some(Box::new(move |nonce, aad, text, tag| {
                let sealed = context
                    .encrypt_init(None, None, Some(nonce))
                    .and_then(|()| context.cipher_update(aad, None))
                    .and_then(|_| context.cipher_update_inplace(text, text.len()))
                    .and_then(|_| context.cipher_final(&mut []))
                    .and_then(|_| context.tag(tag));
                sealed.expect("OpenSSL seals");
            }))
        }
        _ => None,
    }
}

struct AwsLcGcm(NonNull<EVP_AEAD_CTX>);

impl AwsLcGcm {
    fn new(key: &[u8; 16]) -> Option<Self> {
        // SAFETY: the call takes no pointer.
        let aead = unsafe { EVP_aead_aes_128_gcm() };
        // SAFETY: the pointers are to a description that is static and to `key.len()` bytes.
        NonNull::new(unsafe { EVP_AEAD_CTX_new(aead, key.as_ptr(), key.len(), 16) }).map(Self)
    }

    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8]) -> bool {
        let mut written = 0;
        // SAFETY: the context is live; each pointer is to as many bytes as the length after it
        // says, the text may be written in place, and null is for no further input.
        let answer = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.as_ptr(),
                text.as_mut_ptr(),
                tag.as_mut_ptr(),
                &raw mut written,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                text.as_ptr(),
                text.len(),
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        answer == 1
    }
}

impl Drop for AwsLcGcm {
    fn drop(&mut self) {
        // SAFETY: the context is live, and nothing else refers to it.
        unsafe { EVP_AEAD_CTX_free(self.0.as_ptr()) };
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
