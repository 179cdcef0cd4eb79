//! Imports one exchange on every chosen backend, compares the results, and writes them as JSON.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use ssl_provider::{
    Backend, Error, HashAlgorithm, KeyLogPolicy, MasterKey, Policy, PrivateKey, ProtocolVersion,
    Provider,
};
use zeroize::Zeroizing;

use crate::exit::Outcome;
use crate::hex;

use super::exchange::{Exchange, Problem};

/// A provider on each chosen backend.
pub(super) struct Importer {
    providers: Vec<Provider>,
    reveal_secrets: bool,
}

/// A private key in each chosen backend, or the error of that backend.
pub(super) type LoadedKey = Vec<Result<PrivateKey, Error>>;

/// What an entry of a batch requests: an import, nothing (skipped), or an invalid one.
pub(super) type Request = Result<Option<(Exchange, Arc<LoadedKey>)>, Problem>;

/// The results of one exchange.
#[derive(Default)]
pub(super) struct Answer {
    /// Lines of JSON, one for each backend. They may contain a secret.
    pub(super) lines: Zeroizing<Vec<u8>>,
    succeeded: u64,
    failed: u64,
    skipped: bool,
    /// A hint for the user, if the length of the ciphertext is wrong.
    pub(super) note: Option<String>,
    /// How the backends differ, if they do.
    pub(super) disagreement: Option<String>,
}

/// A line of JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Skipped { index: u64, skipped: &'a str },
    Revealed { index: u64, backend: &'a str, status: &'a str, master_secret: &'a str },
    Fingerprint { index: u64, backend: &'a str, status: &'a str, master_secret_sha256: &'a str },
    Failed { index: u64, backend: &'a str, status: &'a str, error: &'a str },
}

impl Importer {
    pub(super) fn new(backends: &[Backend], policy: Policy, reveal_secrets: bool) -> Self {
        // Secrets are compared between backends even when they are not shown.
        let policy = Policy { key_log: KeyLogPolicy::Allowed, ..policy };
        let open = |backend: &Backend| Provider::open(backend).with_policy(policy);
        Self { providers: backends.iter().map(open).collect(), reveal_secrets }
    }

    /// Loads a key into each backend.
    pub(super) fn load(&self, der: &[u8]) -> LoadedKey {
        self.providers.iter().map(|provider| provider.load_private_key(der)).collect()
    }

    /// Processes an entry.
    pub(super) fn answer(&self, index: u64, request: Request) -> Answer {
        let mut answer = Answer {
            lines: Zeroizing::new(Vec::with_capacity(self.providers.len() * MAX_LINE_LEN)),
            ..Answer::default()
        };
        match request {
            Ok(None) => {
                answer.skipped = true;
                answer.push(&Line::Skipped { index, skipped: "no encrypted_premaster" });
            }
            Ok(Some((exchange, keys))) => {
                let imports: Vec<_> = self
                    .providers
                    .iter()
                    .zip(keys.iter())
                    .map(|(provider, key)| import(provider, key, &exchange))
                    .collect();
                answer.note = other_length(index, &exchange, &keys);
                answer.disagreement = self.disagreement(index, &imports);
                for (provider, import) in self.providers.iter().zip(imports) {
                    let line = import.and_then(|master_key| self.show(provider, &master_key));
                    answer.push_import(index, provider, line.map_err(explain));
                }
            }
            Err(problem) => {
                for provider in &self.providers {
                    answer.push_import(index, provider, Err(problem.clone()));
                }
            }
        }
        answer
    }

    /// Returns the master secret or its fingerprint in hex.
    fn show(&self, provider: &Provider, master_key: &MasterKey) -> Result<Shown, Error> {
        let secret = master_key.secret_for_key_log()?.expose();
        if self.reveal_secrets {
            return Ok(Shown::Secret(hex::encode(secret)));
        }
        let mut fingerprint = [0; 32];
        provider.backend().hashing().hash(HashAlgorithm::Sha256, &[secret], &mut fingerprint)?;
        Ok(Shown::Fingerprint(hex::encode(&fingerprint)))
    }

    /// Returns how the backends differ, in status or in the secret, if they do.
    fn disagreement(&self, index: u64, imports: &[Result<MasterKey, Error>]) -> Option<String> {
        let mut named = self.providers.iter().map(name).zip(imports);
        let (first_name, first) = named.next()?;
        let (other_name, other) = named.find(|(_, other)| !agree(first, other))?;
        let status = |import: &Result<MasterKey, Error>| match import {
            Ok(_) => "a master key".to_owned(),
            Err(error) => format!("{:?}", error.status()),
        };
        let what = match (first, other) {
            (Ok(_), Ok(_)) => "different master secrets".to_owned(),
            _ => format!("{} and {}", status(first), status(other)),
        };
        Some(format!("exchange {index}: {first_name} and {other_name} returned {what}"))
    }
}

enum Shown {
    Secret(Zeroizing<String>),
    Fingerprint(Zeroizing<String>),
}

fn import(
    provider: &Provider,
    key: &Result<PrivateKey, Error>,
    exchange: &Exchange,
) -> Result<MasterKey, Error> {
    let key = key.as_ref().map_err(|error| *error)?;
    provider.import_master_key(
        key,
        exchange.version,
        exchange.suite,
        &exchange.parameters,
        &exchange.encrypted_premaster,
    )
}

/// Returns a hint if the length of a ciphertext differs from that of the modulus, such as with the
/// length prefix of TLS (RFC 5246 section 7.4.7.1). Lengths are public.
fn other_length(index: u64, exchange: &Exchange, keys: &LoadedKey) -> Option<String> {
    let takes = keys.iter().flatten().next()?.modulus_len();
    let encrypted = &exchange.encrypted_premaster;
    let has = encrypted.len();
    let has_prefix = encrypted.split_first_chunk().is_some_and(|(prefix, rest)| {
        rest.len() == takes && usize::from(u16::from_be_bytes(*prefix)) == takes
    });
    let consequence = match has_prefix {
        true => "remove the two-byte TLS length prefix",
        false => "implicit rejection makes a master secret that no client has",
    };
    (has != takes).then(|| {
        format!(
            "exchange {index}: encrypted_premaster: expected {takes} bytes for this key, got \
             {has}; {consequence}"
        )
    })
}

/// Converts an error, and adds the option that helps, if any.
fn explain(error: Error) -> Problem {
    let mut problem = Problem::from(error);
    if error == (Error::UnsupportedProtocol { given: ProtocolVersion::SSL3.0.into() }) {
        problem.text += " (--allow-ssl3 enables SSL 3.0)";
    }
    problem
}

fn agree(one: &Result<MasterKey, Error>, other: &Result<MasterKey, Error>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => match (one.secret_for_key_log(), other.secret_for_key_log()) {
            // Variable time is no side channel here: the output shows whether they are equal.
            (Ok(one), Ok(other)) => one.expose() == other.expose(),
            _ => false,
        },
        (Err(one), Err(other)) => one.status() == other.status(),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

fn name(provider: &Provider) -> &'static str {
    provider.backend().info().name
}

impl Answer {
    fn push_import(&mut self, index: u64, provider: &Provider, import: Result<Shown, Problem>) {
        let backend = name(provider);
        let success = "0x00000000";
        match &import {
            Ok(Shown::Secret(master_secret)) => {
                self.succeeded += 1;
                self.push(&Line::Revealed { index, backend, status: success, master_secret });
            }
            Ok(Shown::Fingerprint(master_secret_sha256)) => {
                self.succeeded += 1;
                self.push(&Line::Fingerprint {
                    index,
                    backend,
                    status: success,
                    master_secret_sha256,
                });
            }
            Err(problem) => {
                self.failed += 1;
                let status = problem.status.to_string();
                self.push(&Line::Failed { index, backend, status: &status, error: &problem.text });
            }
        }
    }

    fn push(&mut self, line: &Line<'_>) {
        // Strings and numbers into memory: neither the types nor the writing can fail.
        let written = serde_json::to_writer(&mut *self.lines, line);
        debug_assert!(written.is_ok());
        self.lines.push(b'\n');
    }
}

/// Counts over all results.
#[derive(Debug, Default)]
pub(super) struct Tally {
    succeeded: u64,
    failed: u64,
    skipped: u64,
    disagreements: u64,
}

impl Tally {
    pub(super) fn add(&mut self, answer: &Answer) {
        self.succeeded += answer.succeeded;
        self.failed += answer.failed;
        self.skipped += u64::from(answer.skipped);
        self.disagreements += u64::from(answer.disagreement.is_some());
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.disagreements {
            0 => Outcome::of(self.succeeded, self.failed),
            _ => Outcome::Disagreement,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { succeeded, failed, skipped, disagreements } = self;
        write!(f, "{succeeded} imported, {failed} failed, {skipped} skipped")?;
        match disagreements {
            0 => Ok(()),
            count => write!(f, ", BACKENDS DISAGREE on {count}"),
        }
    }
}

/// Longest line with a secret in bytes, generously, so that the buffer is allocated once.
const MAX_LINE_LEN: usize = 256;

#[cfg(all(
    test,
    any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring")
))]
mod tests {
    use ssl_provider::backend::{Composed, Hashing, KeyExchangeBackend};
    use ssl_provider::{
        BackendInfo, CipherSuite, Operation, ParameterList, PrfAlgorithm, Support, backends,
    };

    use super::*;

    /// The PRF of a backend with one bit flipped; everything else is the backend's own.
    #[derive(Debug)]
    struct OneBitOff(Backend);

    impl KeyExchangeBackend for OneBitOff {
        fn info(&self) -> &BackendInfo {
            self.0.info()
        }

        fn support(&self, operation: Operation) -> Support {
            match operation {
                Operation::Prf(_) => self.0.support(operation),
                _ => Support::Unsupported,
            }
        }

        fn hashing(&self) -> &dyn Hashing {
            self
        }
    }

    impl Hashing for OneBitOff {
        fn prf(
            &self,
            prf: PrfAlgorithm,
            secret: &[u8],
            label: &[u8],
            seed: &[&[u8]],
            out: &mut [u8],
        ) -> Result<(), Error> {
            self.0.hashing().prf(prf, secret, label, seed, out)?;
            out[47] ^= 1;
            Ok(())
        }
    }

    fn one_bit_off(backend: &Backend) -> Backend {
        let info = BackendInfo::new("one-bit-off", "One bit off", String::new());
        Backend::new(Composed::new(info, OneBitOff(backend.clone()), backend.clone()))
    }

    const KEY: &[u8] = include_bytes!("../../../../tests/data/keys/server-2048.der");

    fn answer(backends: [&Backend; 2], suite: CipherSuite) -> Answer {
        let importer = Importer::new(&backends.map(Backend::clone), Policy::default(), true);
        let exchange = Exchange {
            version: ProtocolVersion::TLS1_2,
            suite,
            parameters: ParameterList::new().client_random([1; 32]).server_random([2; 32]),
            encrypted_premaster: vec![3; 256],
        };
        importer.answer(7, Ok(Some((exchange, Arc::new(importer.load(KEY))))))
    }

    fn tally(answer: &Answer) -> (Outcome, String) {
        let mut tally = Tally::default();
        tally.add(answer);
        (tally.outcome(), tally.to_string())
    }

    #[test]
    fn one_bit_of_difference_between_backends_is_reported() {
        for backend in backends() {
            let name = backend.info().name;
            let answer = answer(
                [&backend, &one_bit_off(&backend)],
                CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
            );
            let told = answer.disagreement.as_deref().unwrap_or_default();
            assert!(told.contains("exchange 7") && told.contains("one-bit-off"), "{told}");
            assert!(told.contains(name) && told.contains("different master secrets"), "{told}");
            let (outcome, text) = tally(&answer);
            assert_eq!(outcome, Outcome::Disagreement);
            assert!(text.contains("BACKENDS DISAGREE on 1"), "{text}");
            assert_eq!(answer.lines.iter().filter(|byte| **byte == b'\n').count(), 2);
        }
    }

    #[test]
    fn equal_secrets_and_equal_statuses_are_agreement() {
        for backend in backends() {
            let good = answer([&backend, &backend], CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
            assert!(good.disagreement.is_none());
            assert_eq!(tally(&good).0, Outcome::All);
            let refused =
                answer([&backend, &backend], CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
            assert!(refused.disagreement.is_none());
            assert_eq!(tally(&refused).0, Outcome::None);
        }
    }

    #[test]
    fn lines_never_outgrow_their_buffer() {
        for backend in backends() {
            let answer = answer([&backend, &backend], CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
            assert!(answer.lines.len() < 2 * MAX_LINE_LEN, "{}", answer.lines.len());
        }
    }
}
