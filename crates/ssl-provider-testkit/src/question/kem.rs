//! Key encapsulation, with keys and random bytes that the question names.

use serde::{Deserialize, Serialize};
use ssl_provider_core::backend::{BAD_KEM_KEY, DecapsulationKey, KemPrivateKey};
use ssl_provider_core::{Error, KEM_SECRET_LEN, KemAlgorithm};

use super::{Answer, Bytes, Kind, Subject, smaller_bytes, text, with_each, zeroed_bytes};
use crate::ml_kem::MlKem;

/// The ciphertext and the secret that random bytes lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encapsulate {
    /// The mechanism.
    #[serde(with = "text::kem")]
    pub kem: KemAlgorithm,
    /// The key of the peer, which may be wrong in any way.
    pub encapsulation_key: Bytes,
    /// The random bytes m of FIPS 203 section 6.2, 32 bytes.
    pub m: Bytes,
}

impl Kind for Encapsulate {
    fn operation(&self) -> String {
        format!("{} encapsulation", self.kem.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let Ok(m) = self.m[..].try_into() else { return BAD_M.into() };
        let library = subject.backend().key_encapsulation();
        let mut ciphertext = vec![0; self.kem.ciphertext_len()];
        let mut secret = [0; KEM_SECRET_LEN];
        let key = &self.encapsulation_key;
        let made = library.encapsulate_with(self.kem, key, m, &mut ciphertext, &mut secret);
        Answer::of(made, |()| [&ciphertext[..], &secret].concat())
    }

    fn reference(&self) -> Option<Answer> {
        let (key, ml_kem) = (&self.encapsulation_key, MlKem::new(self.kem)?);
        let Ok(m) = self.m[..].try_into() else { return Some(BAD_M.into()) };
        if key.len() != self.kem.encapsulation_key_len() || !ml_kem.is_reduced(key) {
            return Some(Error::BadKeyShare.into());
        }
        let (ciphertext, secret) = ml_kem.encapsulate(key, m);
        Some(Answer::Bytes([&ciphertext[..], &secret].concat().into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let keys = smaller_bytes(&self.encapsulation_key);
        let keys = with_each(self, keys, |it, key| it.encapsulation_key = key);
        keys.chain(with_each(self, zeroed_bytes(&self.m), |it, m| it.m = m)).collect()
    }
}

/// The secret of a ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decapsulate {
    /// The mechanism.
    #[serde(with = "text::kem")]
    pub kem: KemAlgorithm,
    /// The key: of 64 bytes the seed, d and z; of any other length the expanded form.
    pub decapsulation_key: Bytes,
    /// The ciphertext, which may be wrong in any way.
    pub ciphertext: Bytes,
}

impl Decapsulate {
    fn load(&self, subject: &Subject) -> Result<Box<dyn DecapsulationKey>, Error> {
        let key = match self.decapsulation_key[..].try_into() {
            Ok(seed) => KemPrivateKey::Seed(seed),
            Err(_) => KemPrivateKey::Expanded(&self.decapsulation_key),
        };
        subject.backend().key_encapsulation().load_kem(self.kem, key)
    }
}

impl Kind for Decapsulate {
    fn operation(&self) -> String {
        format!("{} decapsulation", self.kem.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let secret = self.load(subject).and_then(|key| {
            let mut secret = [0; KEM_SECRET_LEN];
            key.decapsulate(&self.ciphertext, &mut secret).map(|()| secret)
        });
        Answer::of(secret, |secret| secret.to_vec())
    }

    fn reference(&self) -> Option<Answer> {
        let ml_kem = MlKem::new(self.kem)?;
        let key = match self.decapsulation_key[..].try_into() {
            Ok(seed) => ml_kem.key_pair(seed).decapsulation_key,
            Err(_) => self.decapsulation_key.to_vec(),
        };
        if key.len() != self.kem.decapsulation_key_len() || !ml_kem.is_consistent(&key) {
            return Some(BAD_KEM_KEY.into());
        }
        if self.ciphertext.len() != self.kem.ciphertext_len() {
            return Some(Error::BadKeyShare.into());
        }
        let secret = ml_kem.decapsulate(&key, &self.ciphertext);
        Some(Answer::Bytes(secret.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let keys = zeroed_bytes(&self.decapsulation_key);
        let keys = with_each(self, keys, |it, key| it.decapsulation_key = key);
        let ciphertexts = smaller_bytes(&self.ciphertext);
        keys.chain(with_each(self, ciphertexts, |it, ciphertext| it.ciphertext = ciphertext))
            .collect()
    }
}

const BAD_M: Error = Error::InvalidParameter("m: expected 32 bytes");
