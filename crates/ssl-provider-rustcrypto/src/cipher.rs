//! The ciphers of records, from the RustCrypto crates: RC4, block ciphers in CBC mode, GCM and CCM.
//! A cipher holds its expanded key, which the crates wipe on drop by their feature `zeroize`.

use std::any;
use std::fmt;

use aes::{Aes128, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, Nonce, Tag};
use camellia::{Camellia128, Camellia256};
use cbc::cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    InvalidLength, KeyInit, StreamCipher as _,
};
use cbc::{Decryptor, Encryptor};
use ccm::Ccm;
use ccm::consts::{U8, U12, U16};
use chacha20poly1305::ChaCha20Poly1305;
use des::{Des, TdesEde3};
use rc4::Rc4;

use ssl_provider_core::backend::{
    AeadCipher, BAD_BLOCKS, BAD_KEY_LEN, BAD_TAG_LEN, BAD_TEXT_LEN, CbcCipher, NONCE_LEN,
    RC4_KEY_LEN, RecordCiphers, StreamCipher, with_stack_wiped,
};
use ssl_provider_core::{AeadAlgorithm, CbcAlgorithm, Error, Operation};

use crate::{NAME, RustCrypto};

impl RecordCiphers for RustCrypto {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        if key.len() != RC4_KEY_LEN {
            return Err(BAD_KEY_LEN);
        }
        boxed(|| Rc4::new_from_slice(key).map(Stream)).map(|cipher| cipher as _)
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        match cipher {
            CbcAlgorithm::Des => Cbc::<Des>::boxed(key),
            CbcAlgorithm::TripleDes => Cbc::<TdesEde3>::boxed(key),
            CbcAlgorithm::Aes128 => Cbc::<Aes128>::boxed(key),
            CbcAlgorithm::Aes256 => Cbc::<Aes256>::boxed(key),
            CbcAlgorithm::Camellia128 => Cbc::<Camellia128>::boxed(key),
            CbcAlgorithm::Camellia256 => Cbc::<Camellia256>::boxed(key),
            _ => Err(Error::Unsupported(Operation::Cbc(cipher))),
        }
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        match cipher {
            AeadAlgorithm::Aes128Gcm => Aead::<AesGcm<Aes128, U12>>::boxed(key),
            AeadAlgorithm::Aes256Gcm => Aead::<AesGcm<Aes256, U12>>::boxed(key),
            AeadAlgorithm::Aes128Ccm => Aead::<Ccm<Aes128, U16, U12>>::boxed(key),
            AeadAlgorithm::Aes256Ccm => Aead::<Ccm<Aes256, U16, U12>>::boxed(key),
            AeadAlgorithm::Aes128Ccm8 => Aead::<Ccm<Aes128, U8, U12>>::boxed(key),
            AeadAlgorithm::Aes256Ccm8 => Aead::<Ccm<Aes256, U8, U12>>::boxed(key),
            AeadAlgorithm::ChaCha20Poly1305 => Aead::<ChaCha20Poly1305>::boxed(key),
            _ => Err(Error::Unsupported(Operation::Aead(cipher))),
        }
    }
}

/// The crates of this file with their release series.
pub(crate) const CRATES: &[(&str, &str)] = &[
    ("aes", "0.9"),
    ("aes-gcm", "0.11"),
    ("ccm", "0.6"),
    ("chacha20poly1305", "0.11"),
    ("cbc", "0.2"),
    ("des", "0.9"),
    ("camellia", "0.2"),
    ("rc4", "0.2"),
];

/// Returns the crate of a block cipher.
pub(crate) fn cbc_crate(cipher: CbcAlgorithm) -> &'static str {
    match cipher {
        CbcAlgorithm::Des | CbcAlgorithm::TripleDes => "des",
        CbcAlgorithm::Camellia128 | CbcAlgorithm::Camellia256 => "camellia",
        _ => "aes",
    }
}

/// Returns the crate of an AEAD cipher.
pub(crate) fn aead_crate(cipher: AeadAlgorithm) -> &'static str {
    match cipher {
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => "aes-gcm",
        AeadAlgorithm::ChaCha20Poly1305 => "chacha20poly1305",
        _ => "ccm",
    }
}

/// Makes a cipher in a box and wipes what its key schedule left on the stack, where the crates make
/// it and move it from. They pass round keys on by value while they work, too.
fn boxed<T>(make: impl FnOnce() -> Result<T, InvalidLength>) -> Result<Box<T>, Error> {
    with_stack_wiped::<_, STACK_LEN>(|| make().map(Box::new)).map_err(|_| BAD_KEY_LEN)
}

/// Bytes of stack that a constructor or an operation may leave round keys in: 7 600 were seen.
const STACK_LEN: usize = 12 * 1024;

struct Stream(Rc4);

impl StreamCipher for Stream {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.apply_keystream(bytes);
        Ok(())
    }
}

struct Cbc<C>(C);

impl<C> Cbc<C>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + KeyInit + Send + Sync + 'static,
{
    fn boxed(key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        boxed(|| C::new_from_slice(key).map(Self)).map(|cipher| cipher as _)
    }
}

impl<C> CbcCipher for Cbc<C>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync,
{
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        let mut mode = Encryptor::inner_iv_slice_init(&self.0, iv).map_err(|_| BAD_BLOCKS)?;
        let blocks = whole_blocks::<C>(blocks)?;
        with_stack_wiped::<_, STACK_LEN>(|| mode.encrypt_blocks(blocks));
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        let mut mode = Decryptor::inner_iv_slice_init(&self.0, iv).map_err(|_| BAD_BLOCKS)?;
        let blocks = whole_blocks::<C>(blocks)?;
        with_stack_wiped::<_, STACK_LEN>(|| mode.decrypt_blocks(blocks));
        Ok(())
    }
}

fn whole_blocks<C: BlockCipherEncrypt>(bytes: &mut [u8]) -> Result<&mut [Block<C>], Error> {
    match Block::<C>::slice_as_chunks_mut(bytes) {
        (blocks, []) => Ok(blocks),
        _ => Err(BAD_BLOCKS),
    }
}

struct Aead<A>(A);

impl<A: AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static> Aead<A> {
    fn boxed(key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        boxed(|| A::new_from_slice(key).map(Self)).map(|cipher| cipher as _)
    }
}

impl<A: AeadInOut<NonceSize = U12>> Aead<A> {
    /// Encrypts from one text to another, which may be the same.
    fn seal_texts(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        texts: InOutBuf<'_, '_, u8>,
        tag: &mut [u8],
    ) -> Result<(), Error> {
        let nonce: &Nonce<A> = nonce.into();
        let tag = <&mut Tag<A>>::try_from(tag).map_err(|_| BAD_TAG_LEN)?;
        let seal = || self.0.encrypt_inout_detached(nonce, aad, texts);
        // Fails for texts longer than the mode allows only; the crate has no error numbers.
        *tag = with_stack_wiped::<_, STACK_LEN>(seal)
            .map_err(|_| Error::Backend { backend: NAME, code: 0 })?;
        Ok(())
    }
}

impl<A: AeadInOut<NonceSize = U12> + Send + Sync> AeadCipher for Aead<A> {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        self.seal_texts(nonce, aad, text.into(), tag)
    }

    fn seal_apart(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if sealed.len() > text.len() {
            // One buffer in, one buffer out: what stands behind must be with the rest.
            sealed[..text.len()].copy_from_slice(text);
            return self.seal(nonce, aad, sealed, tag);
        }
        let texts = InOutBuf::new(text, sealed).map_err(|_| BAD_TEXT_LEN)?;
        self.seal_texts(nonce, aad, texts, tag)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let nonce: &Nonce<A> = nonce.into();
        let tag = <&Tag<A>>::try_from(tag).map_err(|_| BAD_TAG_LEN)?;
        let open = || self.0.decrypt_inout_detached(nonce, aad, text.into(), tag);
        with_stack_wiped::<_, STACK_LEN>(open).map_err(|_| Error::BadRecord)
    }
}

ssl_provider_core::redacted_debug! { Stream { .. } }

impl<C> fmt::Debug for Cbc<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cbc({})", any::type_name::<C>())
    }
}

impl<A> fmt::Debug for Aead<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aead({})", any::type_name::<A>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use zeroize::ZeroizeOnDrop;

    /// Holds by compiling, and no longer does when a feature `zeroize` is lost.
    #[test]
    fn expanded_keys_are_wiped_on_drop() {
        fn check<T: ZeroizeOnDrop>() {}
        check::<Rc4>();
        check::<Des>();
        check::<TdesEde3>();
        check::<Aes128>();
        check::<Aes256>();
        check::<Camellia128>();
        check::<ChaCha20Poly1305>();
        check::<Camellia256>();
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert_eq!(RustCrypto.rc4(&[0; 5]).map(drop), Err(BAD_KEY_LEN));
        assert_eq!(RustCrypto.aead(AeadAlgorithm::Aes128Gcm, &[0; 32]).map(drop), Err(BAD_KEY_LEN));
        for cipher in CbcAlgorithm::ALL {
            assert_eq!(RustCrypto.cbc(cipher, &[0; 15]).map(drop), Err(BAD_KEY_LEN), "{cipher:?}");
            let made = RustCrypto.cbc(cipher, &[0; 32][..cipher.key_len()]).unwrap();
            let (iv, mut blocks) = ([0; 16], [0; 32]);
            let iv = &iv[..cipher.block_len()];
            assert!(made.encrypt(&iv[1..], &mut blocks).is_err(), "{cipher:?}");
            assert!(made.decrypt(iv, &mut blocks[1..]).is_err(), "{cipher:?}");
            assert_eq!(blocks, [0; 32], "{cipher:?}");
        }
        let gcm = RustCrypto.aead(AeadAlgorithm::Aes128Gcm, &[0; 16]).unwrap();
        assert_eq!(gcm.seal(&[0; 12], &[], &mut [0; 3], &mut [0; 8]), Err(BAD_TAG_LEN));
    }

    /// The same without the wipe must be found, else this would hold for nothing.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_key_is_left_on_the_stack() {
        use std::collections::BTreeSet;

        use ssl_provider_testkit::bytes::Rng;
        use ssl_provider_testkit::stack::{Remains, Secrets};

        let key = Rng::new(95).bytes(32);
        let secrets = Secrets::default().and("key", &key);
        let mut blocks = vec![0; 1024];
        // Its round keys begin with the key itself, on every processor.
        let unwiped = Remains::of(|| drop(Box::new(Camellia256::new_from_slice(&key))));
        assert_eq!(unwiped.found(&secrets), BTreeSet::from(["key"]));

        let mut cipher = None;
        for algorithm in CbcAlgorithm::ALL {
            let (key, iv) = (&key[..algorithm.key_len()], &[0; 16][..algorithm.block_len()]);
            let made = Remains::of(|| cipher = RustCrypto.cbc(algorithm, key).ok());
            let cipher = cipher.as_ref().unwrap();
            let sealed = Remains::of(|| cipher.encrypt(iv, &mut blocks).unwrap());
            let opened = Remains::of(|| cipher.decrypt(iv, &mut blocks).unwrap());
            for remains in [made, sealed, opened] {
                assert_eq!(remains.found(&secrets), BTreeSet::new(), "{algorithm:?}");
                assert!(remains.wiped_to_the_bottom(), "{algorithm:?}");
            }
        }
        let mut cipher = None;
        for algorithm in AeadAlgorithm::ALL {
            let mut tag = vec![0; algorithm.tag_len()];
            let made = Remains::of(|| {
                cipher = RustCrypto.aead(algorithm, &key[..algorithm.key_len()]).ok()
            });
            let cipher = cipher.as_ref().unwrap();
            let sealed = Remains::of(|| cipher.seal(&[0; 12], &[], &mut blocks, &mut tag).unwrap());
            let opened = Remains::of(|| cipher.open(&[0; 12], &[], &mut blocks, &tag).unwrap());
            for remains in [made, sealed, opened] {
                assert_eq!(remains.found(&secrets), BTreeSet::new(), "{algorithm:?}");
                assert!(remains.wiped_to_the_bottom(), "{algorithm:?}");
            }
        }
    }
}
