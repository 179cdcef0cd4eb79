//! Runs the targets on mutated input, on stable Rust; `cargo xtask fuzz` starts it.
//! An input that makes a target panic or hang is written to a file, and can be run again by itself.

#![forbid(unsafe_code)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;

use ssl_provider_fuzz::mutate::mutate;
use ssl_provider_fuzz::{TARGETS, Target, corpus};
use ssl_provider_testkit::bytes::Rng;

/// Runs the fuzz targets of ssl-provider.
#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds for all targets together.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Seed of the inputs; the same seed makes the same inputs in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run this target only.
    #[arg(long, value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,
    /// Run the target on this file, once.
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
    /// Write the corpora of the chosen targets into this folder, in place of what is there.
    #[arg(long, value_name = "FOLDER", conflicts_with = "input")]
    write_corpus: Option<PathBuf>,
    /// Folder for inputs that make a target panic or hang.
    #[arg(long, default_value = "target/fuzz")]
    failures: PathBuf,
}

/// The time limit for one input. Most take microseconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let chosen: Vec<Target> = TARGETS
        .into_iter()
        .filter(|target| arguments.target.as_deref().is_none_or(|name| name == target.name))
        .collect();
    if let Some(path) = &arguments.input {
        let input = fs::read(path).with_context(|| path.display().to_string())?;
        chosen.iter().for_each(|target| (target.run)(&input));
        return Ok(());
    }
    if let Some(folder) = &arguments.write_corpus {
        for target in chosen {
            let count = corpus::write(folder, target)
                .with_context(|| format!("cannot write {}", folder.display()))?;
            println!("{}: {count} seeds", target.name);
        }
        return Ok(());
    }
    let current = Arc::new(Current::default());
    let watched = Arc::clone(&current);
    let failures = arguments.failures.clone();
    thread::spawn(move || watched.watch(&failures));
    let share = Duration::from_secs(arguments.seconds.into()) / u32::try_from(chosen.len())?;
    for target in chosen {
        let inputs = fuzz(target, share, &arguments, &current)?;
        println!("{}: {inputs} inputs", target.name);
    }
    Ok(())
}

/// Runs a target until its time is up; returns the number of inputs.
fn fuzz(target: Target, time: Duration, arguments: &Arguments, current: &Current) -> Result<u64> {
    let mut corpus = (target.corpus)();
    let kept = corpus::read(Path::new(corpus::FOLDER), target);
    corpus.extend(kept.with_context(|| format!("cannot read {}", corpus::FOLDER))?);
    let mut rng = Rng::new(arguments.seed);
    let start = Instant::now();
    let mut inputs = 0;
    while start.elapsed() < time {
        let input = mutate(&mut rng, &corpus);
        current.begin(target, &input);
        let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        current.end();
        inputs += 1;
        if outcome.is_err() {
            bail!("{} panicked: {}", target.name, keep(&arguments.failures, target, &input));
        }
    }
    Ok(inputs)
}

/// Writes an input to a file and prints how to run it again.
fn keep(folder: &PathBuf, target: Target, input: &[u8]) -> String {
    let path = folder.join(format!("{}.input", target.name));
    match fs::create_dir_all(folder).and_then(|()| fs::write(&path, input)) {
        Ok(()) => format!(
            "the input is kept; cargo run -p ssl-provider-fuzz -- --target {} --input {}",
            target.name,
            path.display()
        ),
        Err(error) => format!("the input is lost: {}: {error}", path.display()),
    }
}

/// The running input, for the thread that watches for hangs.
#[derive(Default)]
struct Current(Mutex<Option<(Instant, Target, Vec<u8>)>>);

impl Current {
    fn begin(&self, target: Target, input: &[u8]) {
        *self.lock() = Some((Instant::now(), target, input.to_vec()));
    }

    fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Target, Vec<u8>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exits the program when an input exceeds its time limit.
    fn watch(&self, failures: &PathBuf) {
        loop {
            thread::sleep(Duration::from_secs(1));
            if let Some((start, target, input)) = &*self.lock()
                && start.elapsed() > PATIENCE
            {
                eprintln!("error: {} hangs: {}", target.name, keep(failures, *target, input));
                exit(1);
            }
        }
    }
}
