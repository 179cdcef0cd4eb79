//! RSA: private keys that are taken or refused, the private and the public operation.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};
use ssl_provider_core::{Error, PublicKeyDer, RsaPrivateKeyDer};

use super::{Answer, Bytes, Key, Kind, Subject, with_each, zeroed_bytes};
use crate::rsa_key::TestKey;
use crate::signature::rsa_public_key;

/// Whether a private key in DER is taken; the answer is its modulus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadPrivateKey {
    /// PKCS#1 or PKCS#8, good or bad.
    pub der: Bytes,
}

impl Kind for LoadPrivateKey {
    fn operation(&self) -> String {
        "RSA private keys".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let loaded = subject.provider().load_private_key(&self.der);
        Answer::of(loaded, |_| {
            let parsed = RsaPrivateKeyDer::from_der(&self.der);
            parsed.map_or_else(|_| Vec::new(), |key| key.modulus().to_vec())
        })
    }

    fn smaller(&self) -> Vec<Self> {
        super::smaller_bytes(&self.der).into_iter().map(|der| Self { der }).collect()
    }
}

/// The RSA private operation on a ciphertext that is at least 2 and below n − 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RsaPrivate {
    /// The key.
    pub key: Key,
    /// As long as the modulus.
    pub ciphertext: Bytes,
}

impl RsaPrivate {
    /// Whether the trait defines the result: core asks backends for no other ciphertexts.
    fn is_defined(&self, key: &TestKey) -> bool {
        let number = BigUint::from_bytes_be(&self.ciphertext);
        self.ciphertext.len() == key.len()
            && number > BigUint::from(1_u8)
            && number < key.modulus() - 1_u8
    }
}

impl Kind for RsaPrivate {
    fn operation(&self) -> String {
        "RSA private operation".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let Some(key) = self.key.parts().filter(|key| self.is_defined(key)) else {
            return Error::InvalidParameter("ciphertext: not one that a backend is given").into();
        };
        let decrypted = RsaPrivateKeyDer::from_der(&key.der)
            .and_then(|der| subject.backend().rsa_decryption().load(&der))
            .and_then(|loaded| {
                let mut block = vec![0; loaded.modulus_len()];
                loaded.decrypt_raw(&self.ciphertext, &mut block)?;
                Ok(block)
            });
        Answer::of(decrypted, |block| block)
    }

    fn reference(&self) -> Option<Answer> {
        let key = self.key.parts().filter(|key| self.is_defined(key))?;
        Some(Answer::Bytes(private_operation(&key, &self.ciphertext).into()))
    }

    fn is_reference_cheap(&self) -> bool {
        self.ciphertext.len() <= 128
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, zeroed_bytes(&self.ciphertext), |it, bytes| it.ciphertext = bytes).collect()
    }
}

/// Computes c^d mod n by plain numbers.
pub(super) fn private_operation(key: &TestKey, ciphertext: &[u8]) -> Vec<u8> {
    let exponent = BigUint::from_bytes_be(&key.private_exponent());
    key.left_pad(&BigUint::from_bytes_be(ciphertext).modpow(&exponent, key.modulus()))
}

/// The RSA public operation on a block below the modulus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RsaPublic {
    /// The private key of the pair.
    pub key: Key,
    /// As long as the modulus, and below it.
    pub block: Bytes,
}

impl RsaPublic {
    fn key_if_defined(&self) -> Option<TestKey> {
        let is_below = |key: &TestKey| BigUint::from_bytes_be(&self.block) < *key.modulus();
        self.key.parts().filter(|key| self.block.len() == key.len() && is_below(key))
    }
}

impl Kind for RsaPublic {
    fn operation(&self) -> String {
        "RSA public operation".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let Some(key) = self.key_if_defined() else {
            return Error::InvalidParameter("block: not below the modulus").into();
        };
        let public = rsa_public_key(&key);
        let mut ciphertext = vec![0; key.len()];
        let encrypted = PublicKeyDer::from_der(&public).and_then(|public| {
            let rsa = subject.backend().rsa_encryption();
            rsa.encrypt_raw(&public, &self.block, &mut ciphertext)
        });
        Answer::of(encrypted, |()| ciphertext)
    }

    fn reference(&self) -> Option<Answer> {
        self.key_if_defined().map(|key| Answer::Bytes(key.encrypt(&self.block).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, zeroed_bytes(&self.block), |it, block| it.block = block).collect()
    }
}
