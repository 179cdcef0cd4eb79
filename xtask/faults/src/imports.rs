//! Imports of good and bad ciphertexts with a key that may have a wrong bit, and what they may
//! come to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use ssl_provider::{DecryptedPremaster, Error, MasterKey};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::exchange::Exchange;
use ssl_provider_testkit::rsa_key::TestKey;

use crate::targets::{Loaded, Raw, Target};
use crate::{Trial, Verdict};

/// A ciphertext, and what its import must be.
struct Input {
    good: bool,
    ciphertext: Vec<u8>,
    block: Vec<u8>,
    /// The master secret: that of the premaster secret in the block, or the fallback.
    right: Vec<u8>,
    /// The master secret of implicit rejection.
    fallback: Vec<u8>,
}

/// Good and bad ciphertexts in turn, one for each lane of multi-buffer RSA.
fn inputs(key: &TestKey) -> Vec<Input> {
    type Change = fn(&mut Rng, &mut [u8]);
    const NONE: Change = |_, _| ();
    const CHANGES: [(bool, Change); 8] = [
        (true, NONE),
        (false, |_, block| block[1] = 1),
        (true, NONE),
        (false, |_, block| block[3] = 0),
        (true, NONE),
        (false, |rng, block| rng.fill_nonzero(&mut block[2..])),
        (true, NONE),
        (false, |_, block| {
            let version = block.len() - 47;
            block[version] ^= 1;
        }),
    ];
    let exchange = Exchange::tls1_2();
    let mut rng = Rng::new(0xb0d1);
    let inputs = CHANGES.iter().map(|(good, change)| {
        let premaster_secret = exchange.premaster_secret(&mut rng);
        let mut block = key.pad(&premaster_secret, &mut rng);
        change(&mut rng, &mut block);
        let ciphertext = key.encrypt(&block);
        let expected = good.then_some(&premaster_secret[..]);
        let right = exchange.expected_secret(key, &ciphertext, expected);
        let fallback = exchange.rejected_master_secret(key, &ciphertext);
        Input { good: *good, ciphertext, block, right, fallback }
    });
    inputs.collect()
}

/// How an import ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Secret(Vec<u8>),
    Error(Error),
    /// With its message.
    Panic(String),
}

/// What was seen of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Observation {
    /// The batches: for each import of one the number of its input, and its end.
    batches: Vec<Vec<(usize, End)>>,
    operations: Vec<Raw>,
    /// How many operations multi-buffer RSA left to the library.
    by_library: usize,
}

/// A target, and the ciphertexts that are imported with its keys.
pub(crate) struct Imports {
    target: Target,
    inputs: Vec<Input>,
}

impl Imports {
    pub(crate) fn of(target: Target) -> Self {
        Self { target, inputs: inputs(&TestKey::rsa_2048()) }
    }
}

impl Trial for Imports {
    type Key = Loaded;
    type Observation = Observation;

    fn engine(&self) -> bool {
        self.target.engine()
    }

    fn parts(&self) -> &'static [&'static str] {
        self.target.parts()
    }

    fn load(&self) -> Result<Loaded> {
        self.target.load()
    }

    fn observe(&self, key: &Loaded) -> Observation {
        observe(&self.target, key, &self.inputs)
    }

    fn judge(&self, part: &str, seen: &Observation, without: &Observation) -> Verdict {
        let another_block_allowed = self.target.may_return_another_block(part);
        seen.judge(&self.inputs, without, another_block_allowed)
    }

    /// Two faults may deliver a wrong plaintext: OpenSSL does not check what it computes with d.
    fn problems_of_two(&self, _seen: &Observation) -> Vec<String> {
        Vec::new()
    }
}

/// Imports a good ciphertext and a bad one after the other; where the key is one of multi-buffer
/// RSA, batches that fill all of its lanes, half of them, and a quarter.
fn observe(target: &Target, loaded: &Loaded, inputs: &[Input]) -> Observation {
    let lens: &[usize] = if target.engine() { &[8, 4, 2] } else { &[1, 1] };
    let mut first = 0;
    let mut batches = Vec::new();
    for len in lens {
        let batch = first..first + len;
        // The wider batches begin anew, and single ones go on.
        first = if *len == 1 { batch.end } else { 0 };
        batches.push(batch.clone().zip(import(loaded, &inputs[batch])).collect());
    }
    let (operations, by_library) = target.take_log();
    Observation { batches, operations, by_library }
}

/// Imports ciphertexts as one batch, or by itself if it is only one.
fn import(loaded: &Loaded, inputs: &[Input]) -> Vec<End> {
    let Loaded { provider, key } = loaded;
    let exchange = Exchange::tls1_2();
    let (version, suite, parameters) =
        (exchange.protocol, exchange.suite.id, exchange.parameters());
    let end = |imported: Result<MasterKey, Error>| {
        let secret =
            imported.and_then(|master_key| Ok(master_key.secret_for_key_log()?.expose().to_vec()));
        secret.map_or_else(End::Error, End::Secret)
    };
    let work = || match inputs {
        [input] => vec![end(exchange.import(provider, key, &input.ciphertext))],
        batch => {
            let ciphertexts: Vec<&[u8]> = batch.iter().map(|it| &it.ciphertext[..]).collect();
            let import = |premaster: &DecryptedPremaster<'_>| {
                end(provider.import_decrypted(premaster, version, suite, &parameters))
            };
            match key.decrypt_premasters(&ciphertexts) {
                Ok(premasters) => premasters.iter().map(import).collect(),
                Err(error) => vec![End::Error(error); batch.len()],
            }
        }
    };
    // What the closure shares are keys, which are dropped after a flip.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        // The first line alone: what RustCrypto's assertions compare, after it, are the primes.
        let message = panic.downcast::<String>().map_or_else(|_| String::new(), |text| *text);
        let message = message.lines().next().unwrap_or_default().to_owned();
        vec![End::Panic(message); inputs.len()]
    })
}

impl Observation {
    /// Judges what was seen with a flip by what was seen without.
    fn judge(&self, inputs: &[Input], without: &Self, another_block_allowed: bool) -> Verdict {
        let mut problems = Vec::new();
        for Raw { ciphertext, block } in &self.operations {
            let input = inputs.iter().find(|input| input.ciphertext == *ciphertext);
            match (block, input) {
                (Ok(block), Some(input)) if *block != input.block && !another_block_allowed => {
                    problems.push("wrong plaintext: the backend returned another block".to_owned());
                }
                (Err(Error::Backend { .. }) | Ok(_), Some(_)) => (),
                (Err(error), _) => {
                    problems.push(format!("undocumented error of the backend: {error:?}"));
                }
                (Ok(_), None) => problems.push("an operation on another ciphertext".to_owned()),
            }
        }
        for batch in &self.batches {
            for (number, end) in batch {
                let Input { right, fallback, .. } = &inputs[*number];
                match end {
                    End::Secret(secret) if secret == right || secret == fallback => (),
                    End::Secret(_) => {
                        problems
                            .push("wrong secret: neither the right one nor the fallback".into());
                    }
                    End::Error(Error::Backend { .. }) => (),
                    End::Error(error) => {
                        problems.push(format!("undocumented error of the import: {error:?}"));
                    }
                    End::Panic(message) => problems.push(format!("the import panicked: {message}")),
                }
            }
        }
        problems.extend(self.status_problem(inputs));
        problems.sort();
        problems.dedup();
        Verdict { outcome: self.outcome(without), problems }
    }

    /// Whoever sends a ciphertext sees the status, which must not tell good ones from bad ones.
    fn status_problem(&self, inputs: &[Input]) -> Option<String> {
        let statuses = |good: bool| {
            let ends = self.batches.iter().flatten();
            ends.filter(move |(number, _)| inputs[*number].good == good).map(|(_, end)| match end {
                End::Secret(_) => Ok(()),
                End::Error(error) => Err(Some(*error)),
                End::Panic(_) => Err(None),
            })
        };
        let differ = statuses(true).any(|good| statuses(false).any(|bad| good != bad));
        differ.then(|| "status: good and bad ciphertexts differ".to_owned())
    }

    fn outcome(&self, without: &Self) -> &'static str {
        let secrets = |seen: &Self| -> Vec<Option<Vec<u8>>> {
            let ends = seen.batches.iter().flatten();
            ends.map(|(_, end)| match end {
                End::Secret(secret) => Some(secret.clone()),
                End::Error(_) | End::Panic(_) => None,
            })
            .collect()
        };
        let (seen, right) = (secrets(self), secrets(without));
        if seen.contains(&None) {
            "error"
        } else if seen != right {
            "fallback"
        } else if self.by_library != without.by_library {
            "recomputed"
        } else {
            "right"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a backend in order returns for one good and one bad ciphertext.
    fn seen(inputs: &[Input]) -> Observation {
        let one = |number: usize| vec![(number, End::Secret(inputs[number].right.clone()))];
        let operation = |input: &Input| Raw {
            ciphertext: input.ciphertext.clone(),
            block: Ok(input.block.clone()),
        };
        let operations = inputs[..2].iter().map(operation).collect();
        Observation { batches: vec![one(0), one(1)], operations, by_library: 0 }
    }

    #[track_caller]
    fn has_problem(seen: &Observation, inputs: &[Input], without: &Observation, words: &str) {
        let problems = seen.judge(inputs, without, false).problems;
        assert!(problems.iter().any(|problem| problem.starts_with(words)), "{problems:?}");
    }

    #[test]
    fn each_thing_that_must_not_happen_is_a_problem() {
        let inputs = inputs(&TestKey::rsa_1024());
        let right = seen(&inputs);
        assert!(right.judge(&inputs, &right, false).is_right());

        let mut wrong = seen(&inputs);
        wrong.operations[0].block.as_mut().unwrap()[72] ^= 1;
        has_problem(&wrong, &inputs, &right, "wrong plaintext");
        assert_eq!(wrong.judge(&inputs, &right, true).problems, Vec::<String>::new());

        let mut wrong = seen(&inputs);
        wrong.batches[0][0].1 = End::Secret(inputs[1].right.clone());
        has_problem(&wrong, &inputs, &right, "wrong secret");
        assert!(!wrong.judge(&inputs, &right, true).problems.is_empty(), "of another block");

        let refused = End::Error(Error::Backend { backend: "x", code: 7 });
        let mut wrong = seen(&inputs);
        wrong.batches[1][0].1 = refused.clone();
        has_problem(&wrong, &inputs, &right, "status");

        let mut wrong = seen(&inputs);
        wrong.batches[0][0].1 = End::Panic("index out of range".to_owned());
        has_problem(&wrong, &inputs, &right, "the import panicked");

        let mut wrong = seen(&inputs);
        wrong.operations[0].block = Err(Error::Internal("x"));
        has_problem(&wrong, &inputs, &right, "undocumented error of the backend");

        let mut both = seen(&inputs);
        both.batches.iter_mut().for_each(|batch| batch[0].1 = refused.clone());
        let verdict = both.judge(&inputs, &right, false);
        assert_eq!((verdict.outcome, verdict.problems), ("error", Vec::new()));
    }

    #[test]
    fn the_fallback_is_allowed_and_named() {
        let inputs = inputs(&TestKey::rsa_1024());
        let right = seen(&inputs);
        let mut fallback = seen(&inputs);
        fallback.batches[0][0].1 = End::Secret(inputs[0].fallback.clone());
        let verdict = fallback.judge(&inputs, &right, false);
        assert_eq!((verdict.outcome, verdict.problems), ("fallback", Vec::new()));

        let mut recomputed = seen(&inputs);
        recomputed.by_library = 8;
        assert_eq!(recomputed.judge(&inputs, &right, false).outcome, "recomputed");
    }
}
