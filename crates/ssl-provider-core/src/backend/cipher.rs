//! The kind of record ciphers: stream, CBC and AEAD.
//! They know keys and blocks only; headers, padding and MACs are in [`crate::record`].

use std::fmt;

use crate::algorithm::{AeadAlgorithm, CbcAlgorithm};
use crate::error::Error;
use crate::operation::Operation;

/// The ciphers of records. A key of another length than the cipher's is [`BAD_KEY_LEN`].
pub trait RecordCiphers: fmt::Debug + Send + Sync {
    /// Makes RC4 with `key`, which is [`RC4_KEY_LEN`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the library lacks it, [`BAD_KEY_LEN`].
    fn rc4(&self, _key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        Err(Error::Unsupported(Operation::Rc4))
    }

    /// Makes a block cipher in CBC mode with `key`, which is [`CbcAlgorithm::key_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the library lacks it, [`BAD_KEY_LEN`].
    fn cbc(&self, cipher: CbcAlgorithm, _key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        Err(Error::Unsupported(Operation::Cbc(cipher)))
    }

    /// Makes an AEAD cipher with `key`, which is [`AeadAlgorithm::key_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the library lacks it, [`BAD_KEY_LEN`].
    fn aead(&self, cipher: AeadAlgorithm, _key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        Err(Error::Unsupported(Operation::Aead(cipher)))
    }
}

/// Length in bytes of the nonce of every AEAD cipher here (RFC 5288 section 3, RFC 6655 section 3).
pub const NONCE_LEN: usize = 12;

/// Length in bytes of the key that RC4 is used with; export suites expand theirs to it.
pub const RC4_KEY_LEN: usize = 16;

/// A stream cipher with its key.
pub trait StreamCipher: fmt::Debug + Send + Sync {
    /// XORs the key stream into `bytes`; the next call continues it.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when the library fails.
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// A block cipher with its key, in CBC mode.
///
/// `iv` is one block and `blocks` are whole blocks; another length is [`BAD_BLOCKS`]. There is no
/// padding here.
pub trait CbcCipher: fmt::Debug + Send + Sync {
    /// Encrypts in place.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when the library fails.
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error>;

    /// Decrypts in place, in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when the library fails.
    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error>;
}

/// An AEAD cipher with its key.
///
/// `tag` is exactly [`AeadAlgorithm::tag_len`] bytes; another length is [`BAD_TAG_LEN`].
pub trait AeadCipher: fmt::Debug + Send + Sync {
    /// Encrypts `text` in place and writes the tag.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when the library fails.
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error>;

    /// As [`seal`](Self::seal), from `text` to the beginning of `sealed`. What `sealed` holds
    /// behind that belongs to the plaintext too and is encrypted in its place: in TLS 1.3 content
    /// type and padding. A library that can write elsewhere than it reads saves a copy here.
    ///
    /// # Errors
    ///
    /// Those of [`seal`](Self::seal), and [`BAD_TEXT_LEN`] when `sealed` is shorter than `text`.
    fn seal_apart(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        sealed.get_mut(..text.len()).ok_or(BAD_TEXT_LEN)?.copy_from_slice(text);
        self.seal(nonce, aad, sealed, tag)
    }

    /// Decrypts `text` in place if the tag is right; if not, what `text` then holds must not be
    /// used, and the caller wipes it.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecord`] when the tag is wrong, [`Error::Backend`] when the library fails.
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error>;
}

/// What every backend returns for a key that is not of the cipher's length.
pub const BAD_KEY_LEN: Error = Error::Internal("key length differs from that of the cipher");

/// What every backend returns for an IV that is not one block, or blocks that are not whole.
pub const BAD_BLOCKS: Error =
    Error::Internal("CBC needs a one-block IV and a whole number of blocks");

/// What every backend returns for a tag that is not of the cipher's length.
pub const BAD_TAG_LEN: Error = Error::Internal("tag length differs from that of the cipher");

/// What every backend returns for an output that is shorter than the plaintext.
pub const BAD_TEXT_LEN: Error = Error::Internal("output is shorter than the plaintext");
