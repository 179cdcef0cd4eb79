//! Bugs that a backend on a new library may well have, planted in this one: the cases find them.

use ssl_provider::backend::{
    Composed, KeyExchangeBackend, RsaDecryption, RsaPrivateKey, SignatureKey, Signatures,
};
use ssl_provider::{
    Backend, BackendInfo, Error, Operation, PublicKeyDer, RsaPrivateKeyDer, SignatureScheme,
    SigningKeyDer, Support,
};
use ssl_provider_testkit::{cases, run};

/// A case about signatures that takes no long time.
const FLIPPED: &str = "signature::signature_with_a_flipped_bit_is_refused";

/// The names of the cases of some modules that fail with a bug.
fn failures(bug: Bug, modules: &[&str]) -> Vec<&'static str> {
    let rest = outside_botan::backend();
    let info = |name| {
        BackendInfo::new(name, "Planted", rest.info().library.clone()).with_rsa(rest.info().rsa)
    };
    let planted = Planted { info: info("botan"), of: rest.clone(), bug };
    let backend = Backend::new(Composed::new(info("planted"), planted, rest));
    let is_chosen = |name: &str| modules.iter().any(|module| name.starts_with(module));
    let chosen = cases().iter().filter(|case| is_chosen(case.name));
    let outcomes = chosen.map(|case| run(case, &backend));
    outcomes.filter(|outcome| outcome.failure.is_some()).map(|outcome| outcome.name).collect()
}

#[test]
fn without_a_bug_no_case_fails() {
    assert_eq!(failures(Bug::None, &["rsa::", FLIPPED]), [""; 0]);
}

/// What Botan cuts off is put back at the wrong end, when it is more than the zero of the padding.
#[test]
fn zeros_at_the_wrong_end_are_found() {
    assert_eq!(failures(Bug::ZerosAtTheEnd, &["rsa::", FLIPPED]), ["rsa::rsa_keeps_leading_zeros"]);
}

/// As the parser of another crate has it.
#[test]
fn bytes_after_a_signature_that_are_ignored_are_found() {
    let found = failures(Bug::BytesAfterSignature, &["rsa::", FLIPPED]);
    assert_eq!(found, [FLIPPED]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    ZerosAtTheEnd,
    BytesAfterSignature,
}

#[derive(Debug)]
struct Planted {
    info: BackendInfo,
    of: Backend,
    bug: Bug,
}

impl KeyExchangeBackend for Planted {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::RsaDecryptRaw | Operation::Verify(_) => self.of.support(operation),
            _ => Support::Unsupported,
        }
    }

    ssl_provider::offers! { rsa_decryption, signatures }
}

impl RsaDecryption for Planted {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = self.of.rsa_decryption().load(der)?;
        Ok(if self.bug == Bug::ZerosAtTheEnd { Box::new(Shifted(key)) } else { key })
    }
}

#[derive(Debug)]
struct Shifted(Box<dyn RsaPrivateKey>);

impl RsaPrivateKey for Shifted {
    fn modulus_len(&self) -> usize {
        self.0.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.0.decrypt_raw(ciphertext, em)?;
        let zeros = em.iter().take_while(|byte| **byte == 0).count();
        em.rotate_left(zeros.saturating_sub(1));
        Ok(())
    }
}

impl Signatures for Planted {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let end = match signature {
            // A short form of the length.
            [0x30, len @ 0..0x80, ..]
                if self.bug == Bug::BytesAfterSignature && !scheme.is_rsa() =>
            {
                signature.len().min(2 + usize::from(*len))
            }
            _ => signature.len(),
        };
        self.of.signatures().verify(key, scheme, digest, &signature[..end])
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        self.of.signatures().load(key)
    }
}
