//! The crypto libraries behind the backends, called as a program without our layers would call
//! them, to measure what the layers cost. A feature with the name of a backend adds its library.
//!
//! Each operation does what ours does: a key agreement makes a new key and its public key as bytes,
//! and takes that of the peer as bytes; a signature has the form in which TLS carries it; what is
//! verified comes with the public key as a certificate has it. Nothing here is for anything but
//! measurements: nothing is wiped, and CBC is not decrypted in constant time.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(feature = "openssl")]
mod openssl;
#[cfg(feature = "ring")]
mod ring;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;

use std::fmt;

use ssl_provider_core::{AeadAlgorithm, Group};

/// A library without our layers. Each method returns `None` where the library has no such
/// operation, or none that is measured.
pub trait Library: Sync {
    /// Returns the raw RSA private operation with a key in PKCS#1 DER.
    fn rsa(&self, der: &[u8]) -> Option<RawOperation>;

    /// Returns an AEAD cipher under a key of its length, which is set up once.
    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Option<Box<dyn Aead>>;

    /// Returns AES-128-CBC and HMAC-SHA-1 under keys of 16 and 20 bytes.
    fn cbc_hmac(&self, key: &[u8; 16], mac_key: &[u8; 20]) -> Option<Box<dyn CbcHmac>>;

    /// Returns the key agreement in a group.
    fn agreement(&self, group: &Group) -> Option<Agreement>;

    /// Returns what signs, with an RSA key in PKCS#1 DER or one on P-256 in PKCS#8.
    fn signer(&self, scheme: Scheme, der: &[u8]) -> Option<Signer>;

    /// Returns what verifies signatures.
    fn verifier(&self, scheme: Scheme) -> Option<Verifier>;
}

/// Returns the library behind the backend of this name; `None` for a backend that is not ours, and
/// for one whose feature is off.
pub fn library(backend: &str) -> Option<&'static dyn Library> {
    match backend {
        #[cfg(feature = "aws-lc")]
        "aws-lc" => Some(&aws_lc::AwsLc),
        #[cfg(feature = "openssl")]
        "openssl" => Some(&openssl::OpenSsl),
        #[cfg(feature = "rustcrypto")]
        "rustcrypto" => Some(&rustcrypto::RustCrypto),
        #[cfg(feature = "ring")]
        "ring" => Some(&ring::Ring),
        _ => None,
    }
}

/// The raw RSA private operation: the ciphertext in, the block out, both of the modulus length.
pub type RawOperation = Box<dyn FnMut(&[u8], &mut [u8]) -> Result<(), Failed>>;

/// A new key, and the secret with the public key of a peer: that in, the secret out.
pub type Agreement = Box<dyn FnMut(&[u8], &mut [u8]) -> Result<(), Failed>>;

/// A signature over a digest of SHA-256: that in, the signature out; returns its length.
pub type Signer = Box<dyn FnMut(&[u8; 32], &mut [u8]) -> Result<usize, Failed>>;

/// Verifies a signature: the public key as a `SubjectPublicKeyInfo`, a digest of SHA-256, the
/// signature.
pub type Verifier = Box<dyn FnMut(&[u8], &[u8; 32], &[u8]) -> Result<(), Failed>>;

/// The library failed or refused its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the library called directly failed")
    }
}

impl std::error::Error for Failed {}

/// What signs and verifies, over a digest of SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RSA with PKCS#1 v1.5.
    RsaPkcs1,
    /// RSA-PSS with a salt as long as the digest.
    RsaPss,
    /// ECDSA on P-256.
    EcdsaP256,
}

/// An AEAD cipher of a library, with tags of 16 bytes.
pub trait Aead {
    /// Encrypts `text` in place and writes the tag.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    fn seal(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed>;

    /// Encrypts `text` to `sealed`, which has the same length, and writes the tag.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed>;

    /// Decrypts `sealed` to `text`, which has the same length, and verifies the tag.
    ///
    /// # Errors
    ///
    /// [`Failed`], also for a wrong tag.
    fn open_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Failed>;
}

/// AES-128-CBC and HMAC-SHA-1 of a library, one after the other over the same bytes. Padding and
/// MAC are left to the caller, who does not check them here.
pub trait CbcHmac {
    /// Writes the HMAC of `blocks` and encrypts them in place.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    fn encrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed>;

    /// Decrypts `blocks` in place and writes the HMAC of them.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    fn decrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed>;
}

#[cfg(test)]
mod tests;
