//! The pipeline: one thread reads and reassembles, workers do the cryptography, and the caller's
//! thread takes the sessions in the order of the capture.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::analysis::analyse;
use super::conversation::Transcript;
use super::input::{self, Finished, Flow, Input, InputSummary};
use super::keyring::Keyring;
use super::order::{Analysed, Judged, Order};
use super::resumption::KnownSessions;
use super::shard::Shard;
use crate::capture::source;
use crate::exit::Failure;

/// Units of memory that may be under way between reader and caller, and the size of one in bytes.
const PERMITS: usize = 4096;
const PERMIT_LEN: usize = 64 * 1024;

/// Watches the reading of a capture.
pub(super) type Progress<'p> = dyn Fn(source::Input) -> source::Input + Sync + 'p;

/// What to do.
#[derive(Debug)]
pub(super) struct Plan<'p> {
    pub(super) captures: &'p [PathBuf],
    /// One for each backend; the first is the one whose answers are reported.
    pub(super) keyrings: &'p [Keyring],
    pub(super) threads: usize,
    pub(super) shard: Shard,
}

/// A connection on its way to a worker.
struct Job {
    number: u64,
    transcript: Transcript,
    watermark: Option<u64>,
    permits: usize,
}

/// A connection on its way from a worker.
struct Done {
    number: u64,
    analysed: Analysed,
    watermark: Option<u64>,
    permits: usize,
}

/// Runs the plan. `progress` wraps each capture as it is opened; `report` gets every session as
/// each backend judges it.
pub(super) fn run(
    plan: &Plan<'_>,
    progress: &Progress<'_>,
    mut report: impl FnMut(Judged) -> Result<(), Failure>,
) -> Result<InputSummary, Failure> {
    let (to_workers, jobs) = channel::<Job>();
    let (to_caller, done) = channel::<Done>();
    let (permits, returned) = sync_channel::<()>(PERMITS);
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(plan, progress, &to_workers, &permits));
        for _ in 0..plan.threads {
            let to_caller = to_caller.clone();
            let jobs = &jobs;
            scope.spawn(move || work(plan.keyrings, jobs, &to_caller));
        }
        drop(to_caller);
        // Returning early drops `done` and `returned`, which stops the reader and the workers.
        collect(plan.keyrings, done, &returned, &mut report)?;
        drop(returned);
        match reader.join() {
            Ok(summary) => summary,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Reads the captures and sends every connection of this shard to the workers.
fn read(
    plan: &Plan<'_>,
    progress: &Progress<'_>,
    to_workers: &Sender<Job>,
    permits: &SyncSender<()>,
) -> Result<InputSummary, Failure> {
    let mut seen = 0;
    let mut sent = 0;
    let mut send = |finished: Finished| {
        let number = seen;
        seen += 1;
        if !plan.shard.takes(number) {
            return Flow::Continue;
        }
        let Finished { transcript, watermark } = finished;
        let needed = 1 + transcript.memory() / PERMIT_LEN;
        for _ in 0..needed {
            if permits.send(()).is_err() {
                return Flow::Stop;
            }
        }
        let job = Job { number: sent, transcript, watermark, permits: needed };
        sent += 1;
        match to_workers.send(job) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Stop,
        }
    };
    let mut input = Input::default();
    for path in plan.captures {
        let capture = progress(input::open(path)?);
        let flow = input
            .read(&path.display().to_string(), capture, &mut send)
            .map_err(|error| input::unusable(path, &error))?;
        if flow == Flow::Stop {
            break;
        }
    }
    Ok(input.finish(&mut send))
}

fn work(keyrings: &[Keyring], jobs: &Mutex<Receiver<Job>>, to_caller: &Sender<Done>) {
    // Resumption is followed later, in order; see `order`.
    let nothing_known = KnownSessions::default();
    loop {
        // A lock is poisoned only by a panic of another worker, which ends the run anyway.
        let Ok(job) = jobs.lock().map(|jobs| jobs.recv()) else { return };
        let Ok(job) = job else { return };
        let by_backend = keyrings
            .iter()
            .map(|keyring| analyse(&job.transcript, keyring, &nothing_known))
            .collect();
        let analysed = Analysed { transcript: job.transcript, by_backend }.slim();
        let (number, watermark, permits) = (job.number, job.watermark, job.permits);
        if to_caller.send(Done { number, analysed, watermark, permits }).is_err() {
            return;
        }
    }
}

/// Takes what the workers have done in the order in which it was sent to them, and reports it in
/// the order of the capture.
fn collect(
    keyrings: &[Keyring],
    done: Receiver<Done>,
    returned: &Receiver<()>,
    report: &mut impl FnMut(Judged) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut order = Order::new(keyrings);
    let mut early = BTreeMap::new();
    let mut next_number = 0;
    let mut report_until = |order: &mut Order<'_>, watermark| {
        while let Some(sessions) = order.next(watermark) {
            for session in sessions {
                report(session)?;
            }
        }
        Ok(())
    };
    for one in done {
        early.insert(one.number, one);
        while let Some(one) = early.remove(&next_number) {
            next_number += 1;
            for _ in 0..one.permits {
                // They were sent before the job was, so they are there.
                let _ = returned.try_recv();
            }
            order.take(one.analysed);
            report_until(&mut order, one.watermark.unwrap_or(0))?;
        }
    }
    report_until(&mut order, u64::MAX)
}
