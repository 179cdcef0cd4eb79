//! Signatures with a key that may have a wrong bit: each must verify, or not be delivered. From one
//! that does not, anybody computes a factor of the modulus (Boneh, DeMillo and Lipton, 1997).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result, ensure};
use num_bigint::BigUint;
use ssl_provider::backend::{KeyExchangeBackend, SignatureKey, Signatures};
use ssl_provider::{
    Backend, BackendInfo, Error, InvalidKey, Operation, Provider, SignatureScheme, SigningKey,
    SigningKeyDer, Support,
};
use ssl_provider_testkit::exchange;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::signature::{digest, encoded, rsa_public_key};

use crate::forms;
use crate::targets::{CrtKey, KEY};
use crate::{Trial, Verdict};

/// One scheme for each way to make the block: without and with a DigestInfo, and PSS.
const SCHEMES: [SignatureScheme; 3] =
    [SignatureScheme::RsaMd5Sha1, SignatureScheme::RsaSha256, SignatureScheme::RsaPssSha256];

/// A backend whose keys sign, and the schemes of it.
pub(crate) struct Signing {
    provider: Provider,
    schemes: Vec<SignatureScheme>,
    /// Verifies what the backend signs. It gets the public key from the test key.
    verifier: Provider,
}

impl Signing {
    /// `aws-lc` and so on, or `unchecked`, the planted one.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let backend = match name {
            "unchecked" => Backend::new(Unchecked::new()),
            name => ssl_provider::backend(name)?,
        };
        let offered =
            |scheme: &SignatureScheme| backend.support(Operation::Sign(*scheme)).is_supported();
        let schemes: Vec<_> = SCHEMES.into_iter().filter(offered).collect();
        ensure!(!schemes.is_empty(), "{name}: signs with no RSA key");
        let verifier = ssl_provider::backends().into_iter().next();
        let verifier = verifier.context("the manifest of this program names the backends")?;
        let [provider, verifier] = [&backend, &verifier].map(exchange::open);
        Ok(Self { provider, schemes, verifier })
    }

    fn sign(&self, key: &SigningKey, scheme: SignatureScheme) -> End {
        let digest = digest(scheme);
        // What the closure shares is a key, which is dropped after a flip.
        match catch_unwind(AssertUnwindSafe(|| key.sign(scheme, &digest))) {
            Err(_) => End::Panic,
            Ok(Err(error)) => End::Error(error),
            Ok(Ok(signature)) => {
                // Made anew each time, so that no copy of the modulus is found on the heap.
                let public_key = rsa_public_key(&TestKey::rsa_2048());
                match self.verifier.verify_signature(&public_key, scheme, &digest, &signature) {
                    Ok(()) => End::Good,
                    Err(_) => End::Wrong,
                }
            }
        }
    }
}

/// How a signature ended. Its bytes do not count: those of PSS and wrong ones of blinded operations
/// are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It verifies.
    Good,
    /// It was delivered, and does not verify.
    Wrong,
    Error(Error),
    Panic,
}

impl Trial for Signing {
    type Key = SigningKey;
    type Observation = Vec<(SignatureScheme, End)>;

    fn engine(&self) -> bool {
        false
    }

    /// The modulus too: faults in it reveal the key from signatures as well (Brier, Naccache,
    /// Nguyen and Tibouchi, "Modulus Fault Attacks Against RSA-CRT", 2011).
    fn parts(&self) -> &'static [&'static str] {
        &forms::ALL
    }

    fn load(&self) -> Result<SigningKey> {
        let key = self.provider.load_signing_key(KEY).context("cannot load the key")?;
        // OpenSSL copies the key when it first signs, and then uses that copy.
        self.observe(&key);
        Ok(key)
    }

    fn observe(&self, key: &SigningKey) -> Self::Observation {
        self.schemes.iter().map(|scheme| (*scheme, self.sign(key, *scheme))).collect()
    }

    fn judge(
        &self,
        _part: &str,
        seen: &Self::Observation,
        _without: &Self::Observation,
    ) -> Verdict {
        let outcome = match seen.iter().all(|(_, end)| *end == End::Good) {
            true => "right",
            false => "error",
        };
        Verdict { outcome, problems: self.problems_of_two(seen) }
    }

    /// The same as with one: what was signed is verified, whatever went wrong before.
    fn problems_of_two(&self, seen: &Self::Observation) -> Vec<String> {
        seen.iter().filter_map(problem).collect()
    }
}

fn problem((scheme, end): &(SignatureScheme, End)) -> Option<String> {
    let name = scheme.name();
    match end {
        End::Good | End::Error(Error::Backend { .. }) => None,
        End::Wrong => Some(format!("wrong signature: {name} does not verify")),
        End::Error(error) => Some(format!("undocumented error of {name}: {error:?}")),
        End::Panic => Some(format!("{name} panicked")),
    }
}

/// A planted backend, which signs by the Chinese remainder theorem and does not check the result.
#[derive(Debug)]
struct Unchecked(BackendInfo);

impl Unchecked {
    fn new() -> Self {
        Self(BackendInfo::new("unchecked", "unchecked", "of the fault injection".to_owned()))
    }
}

impl KeyExchangeBackend for Unchecked {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Sign(SignatureScheme::RsaMd5Sha1 | SignatureScheme::RsaSha256) => {
                Support::By("the fault injection")
            }
            _ => Support::Unsupported,
        }
    }

    ssl_provider::offers! { signatures }
}

impl Signatures for Unchecked {
    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        match key {
            SigningKeyDer::Rsa(der) => Ok(Box::new(UncheckedKey(CrtKey::new(der)))),
            _ => Err(Error::Key(InvalidKey::NotRsaOrEc)),
        }
    }
}

struct UncheckedKey(CrtKey);

impl fmt::Debug for UncheckedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UncheckedKey").finish_non_exhaustive()
    }
}

impl SignatureKey for UncheckedKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let block = encoded(scheme, digest, self.0.modulus_len());
        let mut signature = vec![0; block.len()];
        self.0.write(&self.0.power(&BigUint::from_bytes_be(&block)), &mut signature);
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_verify_and_what_is_no_error_of_a_backend_are_problems() {
        let signing = Signing::named("unchecked").unwrap();
        let right = signing.observe(&signing.load().unwrap());
        assert_eq!(right.len(), 2, "both schemes that the planted backend has");
        assert!(signing.judge("none", &right, &right).is_right());

        let with = |end| {
            let mut seen = right.clone();
            seen[1].1 = end;
            signing.judge("p", &seen, &right)
        };
        let refused = with(End::Error(Error::Backend { backend: "x", code: 7 }));
        assert_eq!((refused.outcome, refused.problems), ("error", Vec::new()));
        for (end, words) in [
            (End::Wrong, "wrong signature"),
            (End::Error(Error::Internal("x")), "undocumented error"),
            (End::Panic, "RSA with SHA-256 panicked"),
        ] {
            let problems = with(end).problems;
            assert!(matches!(&problems[..], [one] if one.starts_with(words)), "{problems:?}");
        }
    }
}
