//! Record ciphers of AWS-LC: RC4, CBC and AEAD, each set up once for its key.
//! AES in CBC and GCM and ChaCha20-Poly1305 only read what was set up; DES and CCM run in a
//! context, under a lock.

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_sys::{
    AES_DECRYPT, AES_ENCRYPT, AES_KEY, AES_cbc_encrypt, AES_set_decrypt_key, AES_set_encrypt_key,
    EVP_AEAD, EVP_AEAD_CTX, EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_open_gather,
    EVP_AEAD_CTX_seal_scatter, EVP_CIPHER, EVP_CIPHER_CTX, EVP_CIPHER_CTX_ctrl,
    EVP_CIPHER_CTX_free, EVP_CIPHER_CTX_new, EVP_CIPHER_CTX_set_padding, EVP_CTRL_AEAD_GET_TAG,
    EVP_CTRL_AEAD_SET_IVLEN, EVP_CTRL_AEAD_SET_TAG, EVP_CipherInit_ex, EVP_CipherUpdate,
    EVP_aead_aes_128_gcm, EVP_aead_aes_256_gcm, EVP_aead_chacha20_poly1305, EVP_aes_128_ccm,
    EVP_aes_256_ccm, EVP_des_cbc, EVP_des_ede3_cbc, EVP_rc4,
};
use zeroize::Zeroize;

use ssl_provider_core::backend::{
    AeadCipher, BAD_BLOCKS, BAD_KEY_LEN, BAD_TAG_LEN, BAD_TEXT_LEN, CbcCipher, NONCE_LEN,
    RC4_KEY_LEN, RecordCiphers, StreamCipher,
};
use ssl_provider_core::{AeadAlgorithm, CbcAlgorithm, Error, Operation};

use crate::{AwsLc, failure, succeeded};

impl RecordCiphers for AwsLc {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        check_key(key, RC4_KEY_LEN)?;
        let mut context = Context::new(EVP_rc4)?;
        context.set_key(key)?;
        Ok(Box::new(Rc4(context)))
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        check_key(key, cipher.key_len())?;
        match cipher {
            CbcAlgorithm::Aes128 | CbcAlgorithm::Aes256 => Ok(AesCbc::new(key)?),
            CbcAlgorithm::Des => Ok(Box::new(DesCbc::new(EVP_des_cbc, key)?)),
            CbcAlgorithm::TripleDes => Ok(Box::new(DesCbc::new(EVP_des_ede3_cbc, key)?)),
            _ => Err(Error::Unsupported(Operation::Cbc(cipher))),
        }
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        check_key(key, cipher.key_len())?;
        let tag_len = cipher.tag_len();
        match cipher {
            AeadAlgorithm::Aes128Gcm => Ok(Box::new(OneShot::new(EVP_aead_aes_128_gcm, key)?)),
            AeadAlgorithm::Aes256Gcm => Ok(Box::new(OneShot::new(EVP_aead_aes_256_gcm, key)?)),
            AeadAlgorithm::Aes128Ccm | AeadAlgorithm::Aes128Ccm8 => {
                Ok(Box::new(Ccm::new(EVP_aes_128_ccm, tag_len, key)?))
            }
            AeadAlgorithm::Aes256Ccm | AeadAlgorithm::Aes256Ccm8 => {
                Ok(Box::new(Ccm::new(EVP_aes_256_ccm, tag_len, key)?))
            }
            AeadAlgorithm::ChaCha20Poly1305 => {
                Ok(Box::new(OneShot::new(EVP_aead_chacha20_poly1305, key)?))
            }
            _ => Err(Error::Unsupported(Operation::Aead(cipher))),
        }
    }
}

/// A getter of AWS-LC, which takes nothing, has no precondition and returns a constant.
type Constant<T> = unsafe extern "C" fn() -> *const T;

struct Rc4(Context);

impl StreamCipher for Rc4 {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.apply(bytes)
    }
}

/// AES in CBC mode: the key schedule of each direction.
struct AesCbc {
    encrypt: AES_KEY,
    decrypt: AES_KEY,
}

impl AesCbc {
    /// Sets the schedules where they will stay, so that no copy is left behind.
    fn new(key: &[u8]) -> Result<Box<Self>, Error> {
        const EMPTY: AES_KEY = AES_KEY { rd_key: [0; 60], rounds: 0 };
        let bits = c_uint::try_from(key.len() * 8).map_err(|_| BAD_KEY_LEN)?;
        let mut keys = Box::new(Self { encrypt: EMPTY, decrypt: EMPTY });
        // SAFETY: the pointers are to as many bits as said and to room for a schedule.
        let encrypt = unsafe { AES_set_encrypt_key(key.as_ptr(), bits, &raw mut keys.encrypt) };
        // SAFETY: as above.
        let decrypt = unsafe { AES_set_decrypt_key(key.as_ptr(), bits, &raw mut keys.decrypt) };
        // These two return 0 for success.
        if encrypt == 0 && decrypt == 0 { Ok(keys) } else { Err(failure()) }
    }
}

impl CbcCipher for AesCbc {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        aes_cbc(&self.encrypt, AES_ENCRYPT, iv, blocks)
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        aes_cbc(&self.decrypt, AES_DECRYPT, iv, blocks)
    }
}

fn aes_cbc(key: &AES_KEY, direction: c_int, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
    let mut chain: [u8; AES_BLOCK_LEN] = iv.try_into().map_err(|_| BAD_BLOCKS)?;
    if !blocks.len().is_multiple_of(AES_BLOCK_LEN) {
        return Err(BAD_BLOCKS);
    }
    // SAFETY: the pointers are to whole blocks, `blocks.len()` bytes of them, which may be read and
    // written in place; to a schedule for this direction; and to the chained block.
    unsafe {
        AES_cbc_encrypt(
            blocks.as_ptr(),
            blocks.as_mut_ptr(),
            blocks.len(),
            key,
            chain.as_mut_ptr(),
            direction,
        );
    }
    Ok(())
}

impl Drop for AesCbc {
    fn drop(&mut self) {
        self.encrypt.rd_key.zeroize();
        self.decrypt.rd_key.zeroize();
    }
}

/// DES or triple DES in CBC mode; one schedule serves both directions.
struct DesCbc(Mutex<Context>);

impl DesCbc {
    fn new(cipher: Constant<EVP_CIPHER>, key: &[u8]) -> Result<Self, Error> {
        let mut context = Context::new(cipher)?;
        context.set_key(key)?;
        // SAFETY: the context is live and has a cipher.
        succeeded(unsafe { EVP_CIPHER_CTX_set_padding(context.as_ptr(), 0) })?;
        Ok(Self(Mutex::new(context)))
    }

    fn run(&self, direction: c_int, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        if iv.len() != DES_BLOCK_LEN || !blocks.len().is_multiple_of(DES_BLOCK_LEN) {
            return Err(BAD_BLOCKS);
        }
        let mut context = lock(&self.0);
        context.start(iv, direction)?;
        context.apply(blocks)
    }
}

impl CbcCipher for DesCbc {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.run(ENCRYPT, iv, blocks)
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.run(DECRYPT, iv, blocks)
    }
}

/// Most bytes behind a text that are sealed without a copy of the text. TLS 1.3 has one, if it does
/// not pad.
const MOST_BEHIND: usize = 16;

/// AES in Galois/counter mode, or ChaCha20-Poly1305: both have tags of 16 bytes.
struct OneShot(NonNull<EVP_AEAD_CTX>);

// SAFETY: the context is on the heap, belongs to this value alone, and AWS-LC ties nothing in it to
// a thread.
unsafe impl Send for OneShot {}

// SAFETY: the context is only sealed and opened with, which AWS-LC says may be done at the same
// time; both take it as const.
unsafe impl Sync for OneShot {}

impl OneShot {
    fn new(aead: Constant<EVP_AEAD>, key: &[u8]) -> Result<Self, Error> {
        // SAFETY: the callers in this file pass only getters of AWS-LC, which have no precondition.
        let aead = unsafe { aead() };
        // SAFETY: the pointers are to a constant of AWS-LC and to `key.len()` bytes.
        let context = unsafe { EVP_AEAD_CTX_new(aead, key.as_ptr(), key.len(), ONE_SHOT_TAG_LEN) };
        NonNull::new(context).map(Self).ok_or_else(failure)
    }

    /// Encrypts `len` bytes from `input` to `output`, and those of `more` behind them, which come
    /// before the tag in `more_and_tag`.
    ///
    /// # Safety
    ///
    /// Both pointers are to `len` bytes, which may be the same but do not overlap otherwise, and
    /// `output` may be written to.
    #[expect(clippy::too_many_arguments, reason = "as many as the function of AWS-LC needs")]
    unsafe fn seal_texts(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        len: usize,
        input: *const u8,
        output: *mut u8,
        more: &[u8],
        more_and_tag: &mut [u8],
    ) -> Result<(), Error> {
        if more_and_tag.len() != more.len() + ONE_SHOT_TAG_LEN {
            return Err(BAD_TAG_LEN);
        }
        let mut written = 0;
        // SAFETY: the context is live; each pointer is to as many bytes as the length after it
        // says, and `input` and `output` are as AWS-LC asks by the contract of this function.
        succeeded(unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.as_ptr(),
                output,
                more_and_tag.as_mut_ptr(),
                &raw mut written,
                more_and_tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                input,
                len,
                more.as_ptr(),
                more.len(),
                aad.as_ptr(),
                aad.len(),
            )
        })
    }
}

impl AeadCipher for OneShot {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        let (input, output) = (text.as_ptr(), text.as_mut_ptr());
        // SAFETY: both pointers are to `text.len()` bytes, in the same place, and the second may be
        // written to.
        unsafe { self.seal_texts(nonce, aad, text.len(), input, output, &[], tag) }
    }

    fn seal_apart(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if tag.len() != ONE_SHOT_TAG_LEN {
            return Err(BAD_TAG_LEN);
        }
        let (place, behind) = sealed.split_at_mut_checked(text.len()).ok_or(BAD_TEXT_LEN)?;
        let (input, output) = (text.as_ptr(), place.as_mut_ptr());
        // AWS-LC writes what stands behind next to the tag, and the padding of a record is long.
        let mut room = [0; MOST_BEHIND + ONE_SHOT_TAG_LEN];
        let Some(more_and_tag) = room.get_mut(..behind.len() + ONE_SHOT_TAG_LEN) else {
            place.copy_from_slice(text);
            return self.seal(nonce, aad, sealed, tag);
        };
        // SAFETY: both pointers are to `text.len()` bytes that do not overlap, since one of them is
        // borrowed for writing.
        unsafe { self.seal_texts(nonce, aad, text.len(), input, output, behind, more_and_tag)? };
        let (sealed_behind, sealed_tag) = more_and_tag.split_at(behind.len());
        behind.copy_from_slice(sealed_behind);
        tag.copy_from_slice(sealed_tag);
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        if tag.len() != ONE_SHOT_TAG_LEN {
            return Err(BAD_TAG_LEN);
        }
        // SAFETY: as for sealing, with the tag read only.
        let opened = succeeded(unsafe {
            EVP_AEAD_CTX_open_gather(
                self.0.as_ptr(),
                text.as_mut_ptr(),
                nonce.as_ptr(),
                nonce.len(),
                text.as_ptr(),
                text.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        });
        opened.map_err(|_| Error::BadRecord)
    }
}

impl Drop for OneShot {
    fn drop(&mut self) {
        // SAFETY: the context is live and nobody else has the pointer.
        unsafe { EVP_AEAD_CTX_free(self.0.as_ptr()) };
    }
}

/// AES in CCM mode. AWS-LC has it as an `EVP_AEAD` for nonces of 13 bytes only; TLS has 12.
struct Ccm {
    context: Mutex<Context>,
    tag_len: usize,
}

impl Ccm {
    fn new(cipher: Constant<EVP_CIPHER>, tag_len: usize, key: &[u8]) -> Result<Self, Error> {
        let mut context = Context::new(cipher)?;
        context.control(EVP_CTRL_AEAD_SET_IVLEN, int(NONCE_LEN)?)?;
        context.control(EVP_CTRL_AEAD_SET_TAG, int(tag_len)?)?;
        context.set_key(key)?;
        Ok(Self { context: Mutex::new(context), tag_len })
    }
}

impl AeadCipher for Ccm {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if tag.len() != self.tag_len {
            return Err(BAD_TAG_LEN);
        }
        let mut context = lock(&self.context);
        context.start(nonce, ENCRYPT)?;
        context.announce(text.len())?;
        context.authenticate(aad)?;
        context.apply(text)?;
        let len = int(tag.len())?;
        let tag = tag.as_mut_ptr().cast::<c_void>();
        // SAFETY: the context is live, and the pointer is to `len` writable bytes.
        succeeded(unsafe { EVP_CIPHER_CTX_ctrl(context.as_ptr(), EVP_CTRL_AEAD_GET_TAG, len, tag) })
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        if tag.len() != self.tag_len {
            return Err(BAD_TAG_LEN);
        }
        let mut context = lock(&self.context);
        context.start(nonce, DECRYPT)?;
        let (len, tag) = (int(tag.len())?, tag.as_ptr().cast_mut().cast::<c_void>());
        // SAFETY: the context is live; the pointer is to `len` bytes, from which AWS-LC copies.
        succeeded(unsafe {
            EVP_CIPHER_CTX_ctrl(context.as_ptr(), EVP_CTRL_AEAD_SET_TAG, len, tag)
        })?;
        context.announce(text.len())?;
        context.authenticate(aad)?;
        // The text is known in whole, so this is where the tag is compared.
        context.apply(text).map_err(|_| Error::BadRecord)
    }
}

/// Owns a cipher context. AWS-LC wipes what it frees.
struct Context(NonNull<EVP_CIPHER_CTX>);

// SAFETY: the context is on the heap, belongs to this value alone, and AWS-LC ties nothing in it to
// a thread.
unsafe impl Send for Context {}

// SAFETY: nothing can be done with a context through a shared reference.
unsafe impl Sync for Context {}

impl Context {
    /// A context for `cipher`, without a key.
    fn new(cipher: Constant<EVP_CIPHER>) -> Result<Self, Error> {
        // SAFETY: the callers in this file pass only getters of AWS-LC, which have no precondition.
        let cipher = unsafe { cipher() };
        // SAFETY: as above.
        let context = NonNull::new(unsafe { EVP_CIPHER_CTX_new() }).ok_or(Error::NoMemory)?;
        let mut context = Self(context);
        context.init(cipher, ptr::null(), ptr::null(), ENCRYPT)?;
        Ok(context)
    }

    /// Sets the key, whose length the caller has checked to be that of the cipher.
    fn set_key(&mut self, key: &[u8]) -> Result<(), Error> {
        self.init(ptr::null(), key.as_ptr(), ptr::null(), ENCRYPT)
    }

    /// Starts a record under the key that is set. The caller has checked the length of the nonce
    /// or initialisation vector to be that of the cipher.
    fn start(&mut self, nonce: &[u8], direction: c_int) -> Result<(), Error> {
        self.init(ptr::null(), ptr::null(), nonce.as_ptr(), direction)
    }

    fn init(
        &mut self,
        cipher: *const EVP_CIPHER,
        key: *const u8,
        nonce: *const u8,
        direction: c_int,
    ) -> Result<(), Error> {
        // SAFETY: the context is live; each of the others is null, for what stays as it is, or a
        // constant of AWS-LC, or to as many bytes as the cipher takes, which the callers see to.
        succeeded(unsafe {
            EVP_CipherInit_ex(self.as_ptr(), cipher, ptr::null_mut(), key, nonce, direction)
        })
    }

    /// Sets a number.
    fn control(&mut self, command: c_int, number: c_int) -> Result<(), Error> {
        // SAFETY: the context is live and has a cipher; null is for no data.
        succeeded(unsafe { EVP_CIPHER_CTX_ctrl(self.as_ptr(), command, number, ptr::null_mut()) })
    }

    /// Announces the length of the text, as CCM wants it first.
    fn announce(&mut self, text_len: usize) -> Result<(), Error> {
        self.update(ptr::null_mut(), ptr::null(), text_len)
    }

    /// Feeds what is authenticated and not encrypted.
    fn authenticate(&mut self, aad: &[u8]) -> Result<(), Error> {
        self.update(ptr::null_mut(), aad.as_ptr(), aad.len())
    }

    /// Encrypts or decrypts in place: whole blocks, or all of a record.
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.update(bytes.as_mut_ptr(), bytes.as_ptr(), bytes.len())
    }

    fn update(&mut self, out: *mut u8, input: *const u8, len: usize) -> Result<(), Error> {
        let (mut written, len) = (0, int(len)?);
        // SAFETY: the context is live and set up; the pointers are null, or to `len` bytes which
        // may be read and, for `out`, written. No more is written: stream ciphers and CCM write as
        // much as they read, and DES does so without padding, for whole blocks.
        succeeded(unsafe { EVP_CipherUpdate(self.as_ptr(), out, &raw mut written, input, len) })
    }

    fn as_ptr(&mut self) -> *mut EVP_CIPHER_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is live and nobody else has the pointer.
        unsafe { EVP_CIPHER_CTX_free(self.as_ptr()) };
    }
}

ssl_provider_core::redacted_debug! {
    Rc4 { .. } AesCbc { .. } DesCbc { .. } OneShot { .. } Ccm { .. }
}

/// Takes the lock. What a panic left in a context does not matter: each record starts it anew.
fn lock(context: &Mutex<Context>) -> MutexGuard<'_, Context> {
    context.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_key(key: &[u8], len: usize) -> Result<(), Error> {
    if key.len() == len { Ok(()) } else { Err(BAD_KEY_LEN) }
}

/// A length as AWS-LC takes it; records are far shorter.
fn int(len: usize) -> Result<c_int, Error> {
    c_int::try_from(len).map_err(|_| Error::Internal("longer than a C int counts"))
}

const ENCRYPT: c_int = 1;
const DECRYPT: c_int = 0;

const AES_BLOCK_LEN: usize = 16;
const DES_BLOCK_LEN: usize = 8;
const ONE_SHOT_TAG_LEN: usize = 16;
