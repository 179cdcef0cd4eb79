//! AEAD ciphers with a fault.
//!
//! All of them encrypt by exclusive or with a key stream. So what a fault does to the text is done
//! to the plaintext, before a sound cipher seals it and after one has opened it.

use ssl_provider_core::backend::{AeadCipher, NONCE_LEN};
use ssl_provider_core::{AeadAlgorithm, Error};

use super::Fault;
use super::defect::Defect;

/// The faults of AEAD ciphers.
pub(super) const IN_AEAD: &[Fault] = &[
    Fault::AeadDoesNotCheckTheTag,
    Fault::AeadChecksHalfTheTag,
    Fault::AeadTakesShortTags,
    Fault::AeadIgnoresTheAad,
    Fault::AeadIgnoresTheNoncesEnd,
    Fault::AeadRefusesNoPlaintext,
    Fault::AeadIgnoresTheAadApart,
    Fault::BadTagsHaveAnErrorOfTheirOwn,
    Fault::Ccm8IsCcm,
    Fault::ChaCha20StartsLate,
    Fault::GcmCountsInAByte,
];

/// An AEAD cipher with a fault, around the sound one.
pub(super) struct FaultyAead {
    pub(super) inner: Box<dyn AeadCipher>,
    /// The cipher with the full tag, whose tag is cut.
    pub(super) full: Option<Box<dyn AeadCipher>>,
    pub(super) cipher: AeadAlgorithm,
    pub(super) defect: Defect,
}

ssl_provider_core::redacted_debug! { FaultyAead { cipher, .. } }

type Nonce = [u8; NONCE_LEN];

impl AeadCipher for FaultyAead {
    fn seal(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        let (mut expected, mut expected_tag) = (text.to_vec(), tag.to_vec());
        let sound = self.inner.seal(nonce, aad, &mut expected, &mut expected_tag);
        let result = self.seal_wrongly(nonce, aad, text, tag);
        let same = result == sound && *text == *expected && *tag == *expected_tag;
        self.defect.count_if(!same);
        result
    }

    fn seal_apart(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if sealed.len() < text.len() {
            return self.inner.seal_apart(nonce, aad, text, sealed, tag);
        }
        let (mut expected, mut expected_tag) = (sealed.to_vec(), tag.to_vec());
        let sound = self.inner.seal_apart(nonce, aad, text, &mut expected, &mut expected_tag);
        let ignores_aad = self.defect.is(Fault::AeadIgnoresTheAadApart);
        let aad = if ignores_aad { &[] } else { aad };
        sealed[..text.len()].copy_from_slice(text);
        let result = self.seal_wrongly(nonce, aad, sealed, tag);
        let same = result == sound && *sealed == *expected && *tag == *expected_tag;
        self.defect.count_if(!same);
        result
    }

    fn open(&self, nonce: &Nonce, aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Error> {
        let mut expected = text.to_vec();
        let sound = self.inner.open(nonce, aad, &mut expected, tag);
        let result = self.open_wrongly(nonce, aad, text, tag);
        // What a text holds after a failure is no result.
        self.defect.count_if(result != sound || (result.is_ok() && *text != *expected));
        result
    }
}

impl FaultyAead {
    fn seal_wrongly(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if tag.len() != self.cipher.tag_len() {
            return self.inner.seal(nonce, aad, text, tag);
        }
        if self.defect.is(Fault::AeadRefusesNoPlaintext) && text.is_empty() {
            return Err(self.defect.failure());
        }
        let (nonce, aad) = (&self.nonce(nonce), self.aad(aad));
        self.mask(nonce, text)?;
        let Some(full) = &self.full else { return self.inner.seal(nonce, aad, text, tag) };
        let mut full_tag = [0; 16];
        full.seal(nonce, aad, text, &mut full_tag)?;
        tag.copy_from_slice(&full_tag[..tag.len()]);
        Ok(())
    }

    fn open_wrongly(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let tag_len = self.cipher.tag_len();
        let takes_short = self.defect.is(Fault::AeadTakesShortTags) && tag.len() < tag_len;
        if tag.len() != tag_len && !takes_short {
            return self.inner.open(nonce, aad, text, tag);
        }
        if self.defect.is(Fault::AeadRefusesNoPlaintext) && text.is_empty() {
            return Err(self.defect.failure());
        }
        let (nonce, aad) = (&self.nonce(nonce), self.aad(aad));
        let checked_len = match self.defect.fault {
            Some(Fault::AeadDoesNotCheckTheTag) => 0,
            Some(Fault::AeadChecksHalfTheTag) => tag_len / 2,
            _ => tag.len(),
        };
        let cipher = self.full.as_ref().unwrap_or(&self.inner);
        let mut expected = vec![0; if self.full.is_some() { 16 } else { tag_len }];
        // The key stream is the same for both directions; sealed once more, the plaintext shows
        // its tag.
        cipher.seal(nonce, aad, text, &mut expected)?;
        let plaintext = text.to_vec();
        cipher.seal(nonce, aad, text, &mut expected)?;
        if tag[..checked_len] != expected[..checked_len] {
            return Err(match self.defect.fault {
                Some(Fault::BadTagsHaveAnErrorOfTheirOwn) => self.defect.failure(),
                _ => Error::BadRecord,
            });
        }
        text.copy_from_slice(&plaintext);
        self.mask(nonce, text)
    }

    fn nonce(&self, nonce: &Nonce) -> Nonce {
        let mut nonce = *nonce;
        if self.defect.is(Fault::AeadIgnoresTheNoncesEnd) {
            nonce[NONCE_LEN - 1] = 0;
        }
        nonce
    }

    fn aad<'a>(&self, aad: &'a [u8]) -> &'a [u8] {
        if self.defect.is(Fault::AeadIgnoresTheAad) { &[] } else { aad }
    }

    /// Adds the difference of the faulty key stream and the sound one.
    fn mask(&self, nonce: &Nonce, text: &mut [u8]) -> Result<(), Error> {
        const CHACHA20_BLOCK_LEN: usize = 64;
        // The first counter of a text is 2, so one byte has 254 of them before it wraps.
        const GCM_WRAPS_AT: usize = 254 * 16;
        let is_gcm = matches!(self.cipher, AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm);
        let position: fn(usize) -> usize = match (self.defect.fault, self.cipher) {
            (Some(Fault::ChaCha20StartsLate), AeadAlgorithm::ChaCha20Poly1305) => {
                |index| index + CHACHA20_BLOCK_LEN
            }
            (Some(Fault::GcmCountsInAByte), _) if is_gcm => |index| index % GCM_WRAPS_AT,
            _ => return Ok(()),
        };
        let mut key_stream = vec![0; text.len() + CHACHA20_BLOCK_LEN];
        self.inner.seal(nonce, &[], &mut key_stream, &mut vec![0; self.cipher.tag_len()])?;
        for (index, byte) in text.iter_mut().enumerate() {
            *byte ^= key_stream[index] ^ key_stream[position(index)];
        }
        Ok(())
    }
}
