//! Signatures that are verified, and that are made.

use serde::{Deserialize, Serialize};
use ssl_provider_core::{Operation, SignatureAlgorithm, SignatureScheme};

use super::{
    Answer, Bytes, Key, Kind, Subject, accepted_by_most, announces, smaller_bytes, text, with_each,
    zeroed_bytes,
};
use crate::signature::{encoded, sign_block};

/// A signature over a digest that is verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The `SubjectPublicKeyInfo` in DER.
    pub public_key: Bytes,
    /// The scheme.
    #[serde(with = "text::scheme")]
    pub scheme: SignatureScheme,
    /// The digest.
    pub digest: Bytes,
    /// The signature.
    pub signature: Bytes,
}

impl Kind for Verify {
    fn operation(&self) -> String {
        format!("verification of {}", self.scheme.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let verified = subject.provider().verify_signature(
            &self.public_key,
            self.scheme,
            &self.digest,
            &self.signature,
        );
        match verified {
            Ok(()) => Answer::Accepted,
            Err(error) => error.into(),
        }
    }

    fn smaller(&self) -> Vec<Self> {
        let digests = with_each(self, zeroed_bytes(&self.digest), |it, digest| it.digest = digest);
        let signatures = with_each(self, smaller_bytes(&self.signature), |it, signature| {
            it.signature = signature;
        });
        digests.chain(signatures).collect()
    }
}

/// A signature over a digest that is made: with PKCS#1 v1.5 the answer is the signature, with the
/// others whether the peers verify it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The private key in DER.
    pub private_key: Bytes,
    /// The `SubjectPublicKeyInfo` in DER.
    pub public_key: Bytes,
    /// The scheme.
    #[serde(with = "text::scheme")]
    pub scheme: SignatureScheme,
    /// The digest.
    pub digest: Bytes,
}

impl Kind for Sign {
    fn operation(&self) -> String {
        format!("signing {}", self.scheme.name())
    }

    fn ask(&self, subject: &Subject, peers: &[&Subject]) -> Answer {
        if !announces(subject, Operation::Sign(self.scheme)) {
            return Answer::Unsupported;
        }
        let signed = subject
            .signing_key(&self.private_key)
            .and_then(|key| key.sign(self.scheme, &self.digest));
        let signature = match signed {
            Ok(signature) if self.scheme.algorithm() == SignatureAlgorithm::RsaPkcs1 => {
                return Answer::Bytes(signature.into());
            }
            Ok(signature) => Bytes::from(signature),
            Err(error) => return error.into(),
        };
        let (public_key, digest) = (self.public_key.clone(), self.digest.clone());
        let verify = Verify { public_key, scheme: self.scheme, digest, signature };
        accepted_by_most(subject, peers, |peer| verify.ask(peer, &[]))
    }

    /// A signature of PKCS#1 v1.5 has one right value.
    fn reference(&self) -> Option<Answer> {
        let is_pkcs1 = self.scheme.algorithm() == SignatureAlgorithm::RsaPkcs1;
        let fits = self.scheme.digest_len() == Some(self.digest.len());
        let key = Key::Der(self.private_key.clone()).parts();
        let key = key.filter(|key| is_pkcs1 && fits && (128..=256).contains(&key.len()))?;
        let block = encoded(self.scheme, &self.digest, key.len());
        Some(Answer::Bytes(sign_block(&key, &block).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, zeroed_bytes(&self.digest), |it, digest| it.digest = digest).collect()
    }
}
