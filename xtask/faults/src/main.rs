//! The program that `cargo xtask faults` runs: it flips bits of a private key that a backend has
//! loaded, in its own memory, imports or signs with it, and prints what came of each flip as a JSON
//! line.
//!
//! `faults TARGET FLIPS SEED`. The parts of the key take turns, and so do the places where a part
//! is; the bit is random. At the end, each part is flipped in all its places at once: which of them
//! a library reads, and where they are, differs from key to key, so that a short run may miss them.
//! `cargo xtask faults` judges the lines, and what happens to the process.

#![forbid(unsafe_code)]

mod forms;
mod imports;
mod memory;
mod signatures;
mod targets;

use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::{Value, json};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;

use crate::forms::Form;
use crate::imports::Imports;
use crate::memory::{Memory, Place};
use crate::signatures::Signing;
use crate::targets::Target;

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let [target, flips, seed] = arguments else {
        return Err(anyhow!("usage: faults TARGET FLIPS SEED; run `cargo xtask faults`"));
    };
    let flips = flips.parse().context("FLIPS is a number")?;
    let seed = seed.parse().context("SEED is a number")?;
    // What a panic would print on each of many flips is in the outcome.
    std::panic::set_hook(Box::new(|_| ()));
    if let Some(name) = target.strip_prefix("sign:") {
        return inject(&Signing::named(name)?, flips, seed);
    }
    let Some(target) = Target::named(target)? else {
        println!("{}", json!({ "missing": "AVX-512 IFMA or AVX-IFMA, for multi-buffer RSA" }));
        return Ok(());
    };
    inject(&Imports::of(target), flips, seed)
}

fn inject(trial: &impl Trial, flips: usize, seed: u64) -> Result<()> {
    let mut injection = Injection::new(trial)?;
    let mut rng = Rng::new(seed);
    let parts = trial.parts();
    for number in 0..flips {
        let which = Which::InTurn(number / parts.len());
        println!("{}", injection.flip(parts[number % parts.len()], which, &mut rng)?);
    }
    for part in parts {
        println!("{}", injection.flip(part, Which::All, &mut rng)?);
    }
    Ok(())
}

/// Something that is done with a key while one of its bits is wrong.
pub(crate) trait Trial {
    /// A loaded key.
    type Key;
    /// What was seen of it.
    type Observation: PartialEq;

    /// Whether the numbers are those of multi-buffer RSA.
    fn engine(&self) -> bool;

    /// The parts of the key that are flipped in turn.
    fn parts(&self) -> &'static [&'static str];

    /// Loads the key.
    fn load(&self) -> Result<Self::Key>;

    /// Uses the key.
    fn observe(&self, key: &Self::Key) -> Self::Observation;

    /// Judges what was seen with a flip in a part by what was seen without.
    fn judge(&self, part: &str, seen: &Self::Observation, without: &Self::Observation) -> Verdict;

    /// What must not happen even with two faults, in two parts of the key.
    fn problems_of_two(&self, seen: &Self::Observation) -> Vec<String>;
}

/// What a flip came to.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// `right` if nothing changed, `recomputed` if multi-buffer RSA left more to the library,
    /// `error` if operations were refused; the last also for panics and for wrong signatures, which
    /// are a problem besides.
    pub(crate) outcome: &'static str,
    /// What must not happen.
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    /// Whether all is as without a flip.
    pub(crate) fn is_right(&self) -> bool {
        self.outcome == "right" && self.problems.is_empty()
    }
}

/// A trial, and what its keys are searched for.
struct Injection<'t, T: Trial> {
    trial: &'t T,
    forms: Vec<Form>,
    memory: Memory,
    /// What is seen without a flip.
    good: T::Observation,
}

impl<'t, T: Trial> Injection<'t, T> {
    fn new(trial: &'t T) -> Result<Self> {
        // The test key is dropped before a key is loaded, so that its numbers are not taken for the
        // library's. The allocator overwrites what is freed; see `cargo xtask faults`.
        let forms = forms::all(&TestKey::rsa_2048().parts(), trial.engine());
        let memory = Memory::open()?;
        let good = trial.observe(&trial.load()?);
        let verdict = trial.judge("none", &good, &good);
        ensure!(verdict.is_right(), "without a flip: {verdict:?}");
        Ok(Self { trial, forms, memory, good })
    }

    /// Flips a random bit of a part of a key, in one place or in all, and returns what came of it.
    fn flip(&mut self, part: &str, which: Which, rng: &mut Rng) -> Result<Value> {
        // A key of its own, since the one before may have kept what it computed with a wrong bit.
        let loaded = self.trial.load()?;
        let places = self.memory.places(&self.forms)?;
        let of_part: Vec<&Place> =
            places.iter().filter(|place| self.forms[place.form].part == part).collect();
        let chosen: Vec<&Place> = match which {
            Which::InTurn(turn) => in_turn(&of_part, turn).into_iter().collect(),
            Which::All => of_part.clone(),
        };
        let Some(bits) = chosen.iter().map(|place| place.bits(&self.forms)).min() else {
            return Ok(json!({ "part": part, "places": 0 }));
        };
        let bit = rng.below(bits);
        let form = match which {
            Which::InTurn(_) => self.forms[chosen[0].form].name,
            Which::All => "all places",
        };
        // Before it happens, in case that the process ends.
        println!("{}", json!({ "flipping": bit, "part": part, "form": form }));
        self.flip_each(&chosen, bit)?;
        let verdict = self.trial.judge(part, &self.trial.observe(&loaded), &self.good);
        let is_right = verdict.is_right();
        let Verdict { outcome, mut problems } = verdict;
        let in_use = !is_right || {
            let (in_use, of_two) = self.try_two(&loaded, &places, &chosen, bit)?;
            problems.extend(of_two);
            in_use
        };
        self.flip_each(&chosen, bit)?;
        Ok(json!({
            "part": part, "form": form, "places": of_part.len(), "bit": bit, "in_use": in_use,
            "outcome": outcome, "problems": problems,
        }))
    }

    fn flip_each(&self, places: &[&Place], bit: usize) -> Result<()> {
        places.iter().try_for_each(|place| self.memory.flip(place, &self.forms, bit))
    }

    /// Returns whether a place is read at all where its flip changed no result: OpenSSL computes a
    /// result that its check does not pass again, with the private exponent. A second fault, in
    /// that exponent or in dp, shows the first: where nobody reads the place, all is as with the
    /// second alone. Returns also what two faults came to and must not.
    fn try_two(
        &self,
        loaded: &T::Key,
        places: &[Place],
        first: &[&Place],
        bit: usize,
    ) -> Result<(bool, Vec<String>)> {
        let Self { trial, forms, .. } = self;
        let is_d = first.iter().any(|place| forms[place.form].part == "d");
        let second = if is_d { "dp" } else { "d" };
        let second: Vec<&Place> =
            places.iter().filter(|place| forms[place.form].part == second).collect();
        self.flip_each(&second, MIDDLE)?;
        let both = trial.observe(loaded);
        self.flip_each(first, bit)?;
        let second_alone = trial.observe(loaded);
        self.flip_each(first, bit)?;
        self.flip_each(&second, MIDDLE)?;
        Ok((both != second_alone, trial.problems_of_two(&both)))
    }
}

/// Which places of a part are flipped.
#[derive(Clone, Copy)]
enum Which {
    /// The one that takes this turn.
    InTurn(usize),
    All,
}

/// The place that is flipped in this turn. Forms take turns, and the places of each do, in steps: a
/// few flips then reach all of them that differ, such as the lanes of multi-buffer RSA.
fn in_turn<'p>(places: &[&'p Place], turn: usize) -> Option<&'p Place> {
    let forms: BTreeSet<usize> = places.iter().map(|place| place.form).collect();
    let form = forms.iter().nth(turn % forms.len().max(1))?;
    let of_form: Vec<_> = places.iter().filter(|place| place.form == *form).collect();
    let step = if of_form.len().is_multiple_of(5) { 7 } else { 5 };
    of_form.get(turn / forms.len() * step % of_form.len()).map(|place| **place)
}

/// A bit of every part.
const MIDDLE: usize = 517;
