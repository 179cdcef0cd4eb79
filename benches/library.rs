//! Operations of the libraries alone: the raw RSA private operation, and AES-128-GCM. The
//! difference to them is the cost of our layers.

use std::ptr::{self, NonNull};

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aws_lc_sys::{
    EVP_AEAD_CTX, EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_seal_scatter,
    EVP_aead_aes_128_gcm, RSA, RSA_NO_PADDING, RSA_decrypt, RSA_free, RSA_private_key_from_bytes,
};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// The raw private operation of a library: ciphertext in, block out, both of the modulus length.
pub type RawOperation = Box<dyn FnMut(&[u8], &mut [u8])>;

/// The operation of the library behind a backend, for those with a library of their own in C.
///
/// # Panics
///
/// Panics when the library refuses the key or the operation.
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

/// AES-128-GCM of a library, under one key that is set up once.
///
/// # Panics
///
/// Both panic when the library fails.
pub trait Aes128GcmSeal {
    /// Encrypts `text` in place and writes the tag.
    fn seal(&mut self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8; 16]);

    /// Encrypts `text` to `sealed`, which has the same length, and writes the tag.
    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    );
}

/// AES-128-GCM of the library behind a backend.
///
/// # Panics
///
/// Panics for an unknown backend, and when its library refuses the key.
pub fn aes_128_gcm(backend: &str) -> Box<dyn Aes128GcmSeal> {
    const KEY: [u8; 16] = [0x6b; 16];
    match backend {
        "aws-lc" => Box::new(AwsLcGcm::new(&KEY).expect("AWS-LC has AES-128-GCM")),
        "openssl" => {
            let mut context = CipherCtx::new().expect("OpenSSL has memory");
            let cipher = Some(Cipher::aes_128_gcm());
            context.encrypt_init(cipher, Some(&KEY), None).expect("OpenSSL has AES-128-GCM");
            Box::new(context)
        }
        "rustcrypto" => Box::new(Aes128Gcm::new(&KEY.into())),
        "ring" => {
            let key = UnboundKey::new(&AES_128_GCM, &KEY).expect("a key of the right length");
            Box::new(LessSafeKey::new(key))
        }
        other => panic!("no library is known for {other}"),
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

    /// # Safety
    ///
    /// `text` is readable and `sealed` writable for `len` bytes, and they are the same or apart.
    unsafe fn seal_scatter(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        (text, sealed, len): (*const u8, *mut u8, usize),
        tag: &mut [u8; 16],
    ) {
        let mut written = 0;
        // SAFETY: the context is live; the caller vouches for the texts, each other pointer is to
        // as many bytes as the length after it, and null is for no further input.
        let answer = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.as_ptr(),
                sealed,
                tag.as_mut_ptr(),
                &raw mut written,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                text,
                len,
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        assert_eq!(answer, 1, "AWS-LC refuses to seal");
    }
}

impl Aes128GcmSeal for AwsLcGcm {
    fn seal(&mut self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8; 16]) {
        let place = text.as_mut_ptr();
        // SAFETY: both are the one text, which is borrowed for writing.
        unsafe { self.seal_scatter(nonce, aad, (place, place, text.len()), tag) };
    }

    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) {
        assert_eq!(text.len(), sealed.len());
        let texts = (text.as_ptr(), sealed.as_mut_ptr(), text.len());
        // SAFETY: the borrows prove that the two are apart, and they have the same length.
        unsafe { self.seal_scatter(nonce, aad, texts, tag) };
    }
}

impl Drop for AwsLcGcm {
    fn drop(&mut self) {
        // SAFETY: the context is live, and nothing else refers to it.
        unsafe { EVP_AEAD_CTX_free(self.0.as_ptr()) };
    }
}

impl Aes128GcmSeal for CipherCtx {
    fn seal(&mut self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8; 16]) {
        let sealed = self
            .encrypt_init(None, None, Some(nonce))
            .and_then(|()| self.cipher_update(aad, None))
            .and_then(|_| self.cipher_update_inplace(text, text.len()))
            .and_then(|_| self.cipher_final(&mut []))
            .and_then(|_| self.tag(tag));
        sealed.expect("OpenSSL seals");
    }

    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) {
        let done = self
            .encrypt_init(None, None, Some(nonce))
            .and_then(|()| self.cipher_update(aad, None))
            .and_then(|_| self.cipher_update(text, Some(sealed)))
            .and_then(|_| self.cipher_final(&mut []))
            .and_then(|_| self.tag(tag));
        done.expect("OpenSSL seals");
    }
}

impl Aes128GcmSeal for Aes128Gcm {
    fn seal(&mut self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8; 16]) {
        let sealed = self.encrypt_inout_detached(nonce.into(), aad, text.into());
        *tag = sealed.expect("RustCrypto seals").into();
    }

    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) {
        let texts = InOutBuf::new(text, sealed).expect("texts of one length");
        let sealed = self.encrypt_inout_detached(nonce.into(), aad, texts);
        *tag = sealed.expect("RustCrypto seals").into();
    }
}

impl Aes128GcmSeal for LessSafeKey {
    fn seal(&mut self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &mut [u8; 16]) {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let sealed = self.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
        tag.copy_from_slice(sealed.expect("ring seals").as_ref());
    }

    /// ring encrypts only in place, so the text has to be copied first.
    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) {
        sealed.copy_from_slice(text);
        self.seal(nonce, aad, sealed, tag);
    }
}

pub(crate) struct AwsLcKey(NonNull<RSA>);

impl AwsLcKey {
    pub(crate) fn load(der: &[u8]) -> Option<Self> {
        // SAFETY: the pointer is to `der.len()` bytes, which the call does not keep.
        let rsa = unsafe { RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        NonNull::new(rsa).map(Self)
    }

    pub(crate) fn as_ptr(&self) -> *mut RSA {
        self.0.as_ptr()
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
