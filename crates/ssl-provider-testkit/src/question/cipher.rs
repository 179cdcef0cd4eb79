//! The ciphers of records by themselves.

use serde::{Deserialize, Serialize};
use ssl_provider_core::backend::NONCE_LEN;
use ssl_provider_core::{AeadAlgorithm, CbcAlgorithm, Error};

use super::{
    Answer, Bytes, Kind, Subject, smaller_bytes, text, with_each, without_each, zeroed_bytes,
};

/// RC4 over texts one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rc4 {
    /// The key, 16 bytes.
    pub key: Bytes,
    /// The texts, whose key stream goes on.
    pub texts: Vec<Bytes>,
}

impl Kind for Rc4 {
    fn operation(&self) -> String {
        "RC4".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let applied = subject.backend().record_ciphers().rc4(&self.key).and_then(|mut cipher| {
            let mut out = Vec::new();
            for text in &self.texts {
                let mut text = text.to_vec();
                cipher.apply(&mut text)?;
                out.extend(text);
            }
            Ok(out)
        });
        Answer::of(applied, |out| out)
    }

    /// The key schedule and the generator as they are published; nothing secret is here.
    fn reference(&self) -> Option<Answer> {
        // Backends take no other keys.
        if self.key.len() != 16 {
            return None;
        }
        let mut state: [u8; 256] = crate::bytes::counting(0);
        let mut swapped = 0_u8;
        for at in 0..256 {
            let key = self.key[at % self.key.len()];
            swapped = swapped.wrapping_add(state[at]).wrapping_add(key);
            state.swap(at, swapped.into());
        }
        let (mut first, mut second) = (0_u8, 0_u8);
        let out: Vec<u8> = self
            .texts
            .iter()
            .flat_map(|text| text.to_vec())
            .map(|byte| {
                first = first.wrapping_add(1);
                second = second.wrapping_add(state[usize::from(first)]);
                state.swap(first.into(), second.into());
                let sum = state[usize::from(first)].wrapping_add(state[usize::from(second)]);
                byte ^ state[usize::from(sum)]
            })
            .collect();
        Some(Answer::Bytes(out.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let fewer = with_each(self, without_each(&self.texts), |it, texts| it.texts = texts);
        let shorter = self.texts.iter().enumerate().flat_map(|(at, text)| {
            with_each(self, smaller_bytes(text), move |it, text| it.texts[at] = text)
        });
        fewer
            .chain(shorter)
            .chain(with_each(self, zeroed_bytes(&self.key), |it, key| it.key = key))
            .collect()
    }
}

/// Whether a cipher encrypts or decrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It encrypts.
    Encrypt,
    /// It decrypts.
    Decrypt,
}

/// A block cipher in CBC, without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cbc {
    /// The cipher.
    #[serde(with = "text::cbc")]
    pub cipher: CbcAlgorithm,
    /// Which way.
    pub direction: Direction,
    /// The key.
    pub key: Bytes,
    /// The IV, a block.
    pub iv: Bytes,
    /// Whole blocks.
    pub blocks: Bytes,
}

impl Kind for Cbc {
    fn operation(&self) -> String {
        self.cipher.name().to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let mut blocks = self.blocks.to_vec();
        let keyed = subject.backend().record_ciphers().cbc(self.cipher, &self.key);
        let done = keyed.and_then(|cipher| match self.direction {
            Direction::Encrypt => cipher.encrypt(&self.iv, &mut blocks),
            Direction::Decrypt => cipher.decrypt(&self.iv, &mut blocks),
        });
        Answer::of(done, |()| blocks)
    }

    fn smaller(&self) -> Vec<Self> {
        let block = self.cipher.block_len();
        let len = self.blocks.len();
        let mut fewer = Vec::new();
        if len > block {
            fewer.push(Bytes::from(self.blocks[..len - block].to_vec()));
            fewer.push(Bytes::from(self.blocks[block..].to_vec()));
        }
        fewer.extend(zeroed_bytes(&self.blocks));
        let ivs = with_each(self, zeroed_bytes(&self.iv), |it, iv| it.iv = iv);
        let keys = with_each(self, zeroed_bytes(&self.key), |it, key| it.key = key);
        with_each(self, fewer, |it, blocks| it.blocks = blocks).chain(ivs).chain(keys).collect()
    }
}

fn nonce(bytes: &Bytes) -> Result<[u8; NONCE_LEN], Error> {
    bytes[..].try_into().map_err(|_| Error::InvalidParameter("nonce: expected 12 bytes"))
}

/// An AEAD that encrypts; the answer is the ciphertext with the tag behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AeadSeal {
    /// The cipher.
    #[serde(with = "text::aead")]
    pub cipher: AeadAlgorithm,
    /// The key.
    pub key: Bytes,
    /// The nonce, 12 bytes.
    pub nonce: Bytes,
    /// The additional data.
    pub aad: Bytes,
    /// The plaintext.
    pub text: Bytes,
}

impl Kind for AeadSeal {
    fn operation(&self) -> String {
        self.cipher.name().to_owned()
    }

    /// In place and from one buffer to another, which must be the same.
    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let mut tags = [vec![0; self.cipher.tag_len()], vec![0; self.cipher.tag_len()]];
        let mut in_place = self.text.to_vec();
        let mut apart = vec![0; self.text.len()];
        let [tag, tag_apart] = &mut tags;
        let keyed = subject.backend().record_ciphers().aead(self.cipher, &self.key);
        let sealed = keyed.and_then(|cipher| {
            let nonce = nonce(&self.nonce)?;
            cipher.seal(&nonce, &self.aad, &mut in_place, tag)?;
            cipher.seal_apart(&nonce, &self.aad, &self.text, &mut apart, tag_apart)
        });
        if sealed.is_ok() && (&in_place, &tags[0]) != (&apart, &tags[1]) {
            return Answer::Defect("sealed in place and apart differ".to_owned());
        }
        Answer::of(sealed, |()| [in_place, tags[0].clone()].concat())
    }

    fn smaller(&self) -> Vec<Self> {
        let texts = with_each(self, smaller_bytes(&self.text), |it, text| it.text = text);
        let data = with_each(self, smaller_bytes(&self.aad), |it, aad| it.aad = aad);
        let nonces = with_each(self, zeroed_bytes(&self.nonce), |it, nonce| it.nonce = nonce);
        let keys = with_each(self, zeroed_bytes(&self.key), |it, key| it.key = key);
        texts.chain(data).chain(nonces).chain(keys).collect()
    }
}

/// An AEAD that decrypts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AeadOpen {
    /// The cipher.
    #[serde(with = "text::aead")]
    pub cipher: AeadAlgorithm,
    /// The key.
    pub key: Bytes,
    /// The nonce, 12 bytes.
    pub nonce: Bytes,
    /// The additional data.
    pub aad: Bytes,
    /// The ciphertext.
    pub text: Bytes,
    /// The tag.
    pub tag: Bytes,
}

impl Kind for AeadOpen {
    fn operation(&self) -> String {
        self.cipher.name().to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let mut text = self.text.to_vec();
        let keyed = subject.backend().record_ciphers().aead(self.cipher, &self.key);
        let opened = keyed
            .and_then(|cipher| cipher.open(&nonce(&self.nonce)?, &self.aad, &mut text, &self.tag));
        Answer::of(opened, |()| text)
    }

    fn smaller(&self) -> Vec<Self> {
        let texts = with_each(self, smaller_bytes(&self.text), |it, text| it.text = text);
        let data = with_each(self, smaller_bytes(&self.aad), |it, aad| it.aad = aad);
        let tags = with_each(self, zeroed_bytes(&self.tag), |it, tag| it.tag = tag);
        texts.chain(data).chain(tags).collect()
    }
}
