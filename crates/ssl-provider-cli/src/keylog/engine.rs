//! The pipeline: one thread reads and reassembles, workers do the cryptography, and the caller's
//! thread takes the sessions in the order of the capture, or of their Finished where it is live.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::ahead::{CONVERSATIONS, decrypt_ahead};
use super::analysis::{Analysis, analyse_from};
use super::conversation::{Part, RecordedConversation};
use super::handshake::Halves;
use super::input::{self, Delivery, Input, InputSummary};
use super::keyring::Keyring;
use super::order::{Analysed, Judged, Order};
use super::resumption::KnownSessions;
use super::shard::Shard;
use crate::capture::source;
use crate::exit::Failure;

/// Units of memory that may be under way between reader and caller, and the size of one in bytes.
const PERMITS: usize = 4096;
const PERMIT_LEN: usize = 64 * 1024;

/// Watches the reading of a capture, before decompression.
pub(super) type Progress<'p> = dyn Fn(source::Input) -> source::Input + Sync + 'p;

/// What to do.
#[derive(Debug)]
pub(super) struct Plan<'p> {
    pub(super) captures: &'p [PathBuf],
    /// One for each backend; the first is the one whose results are reported.
    pub(super) keyrings: &'p [Keyring],
    pub(super) threads: usize,
    pub(super) shard: Shard,
    /// Whether a capture goes on while it is read.
    pub(super) live: bool,
}

/// A connection on its way to a worker.
struct Job {
    number: u64,
    conversation: RecordedConversation,
    watermark: Option<u64>,
    permits: usize,
}

/// A connection on its way from a worker.
struct Done {
    number: u64,
    /// Or the panic of the worker, which goes on in the caller's thread.
    analysed: thread::Result<Analysed>,
    watermark: Option<u64>,
    permits: usize,
}

/// Runs the plan. `progress` wraps each capture as it is opened; `report` gets every session as
/// each backend judges it.
pub(super) fn run(
    plan: &Plan<'_>,
    progress: &Progress<'_>,
    report: impl FnMut(Judged) -> Result<(), Failure>,
) -> Result<InputSummary, Failure> {
    // Resumption is followed later, in order; see `order`.
    let nothing_known = KnownSessions::default();
    let by_backend = |conversations: &[&RecordedConversation]| {
        let openings: Vec<_> = conversations.iter().map(|one| Halves::first_of(one)).collect();
        let mut analyses: Vec<Vec<Analysis>> = openings.iter().map(|_| Vec::new()).collect();
        for keyring in plan.keyrings {
            let decrypted = decrypt_ahead(keyring, &openings);
            let each = conversations.iter().zip(&openings).zip(&decrypted).zip(&mut analyses);
            for (((conversation, first), decrypted), analyses) in each {
                let decrypted = decrypted.as_ref();
                let analysis =
                    analyse_from(first, conversation, keyring, &nothing_known, decrypted);
                analyses.push(analysis);
            }
        }
        analyses
    };
    run_with(by_backend, PERMITS, plan, progress, report)
}

/// Runs the plan with this analysis and so many units of memory.
fn run_with(
    analyse: impl Fn(&[&RecordedConversation]) -> Vec<Vec<Analysis>> + Sync,
    permits: usize,
    plan: &Plan<'_>,
    progress: &Progress<'_>,
    mut report: impl FnMut(Judged) -> Result<(), Failure>,
) -> Result<InputSummary, Failure> {
    let (to_workers, jobs) = channel::<Job>();
    let (to_caller, done) = channel::<Done>();
    let (permits, returned) = sync_channel::<()>(permits);
    let (jobs, analyse) = (Mutex::new(jobs), &analyse);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read(plan, progress, &to_workers, &permits));
        for _ in 0..plan.threads {
            let to_caller = to_caller.clone();
            let jobs = &jobs;
            scope.spawn(move || work(analyse, jobs, &to_caller));
        }
        drop(to_caller);
        // An early return or a panic drops `done` and `returned`, which stops reader and workers.
        collect(plan.keyrings, done, &returned, &mut report)?;
        drop(returned);
        match reader.join() {
            Ok(summary) => summary,
            Err(panic) => resume_unwind(panic),
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
    let mut sent = 0;
    let mut send = |delivery: Delivery| {
        let Delivery { conversation, watermark } = delivery;
        if !plan.shard.takes(conversation.number) {
            return ControlFlow::Continue(());
        }
        let needed = 1 + conversation.memory() / PERMIT_LEN;
        for _ in 0..needed {
            if permits.send(()).is_err() {
                return ControlFlow::Break(());
            }
        }
        let job = Job { number: sent, conversation, watermark, permits: needed };
        sent += 1;
        match to_workers.send(job) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    let mut input = Input::default().live(plan.live);
    for path in plan.captures {
        let capture = input::open_watched(path, progress)?;
        let read = input
            .read(&path.display().to_string(), capture, &mut send)
            .map_err(|error| input::unusable(path, &error))?;
        if read.is_break() {
            break;
        }
    }
    Ok(input.finish(&mut send))
}

fn work(
    analyse: impl Fn(&[&RecordedConversation]) -> Vec<Vec<Analysis>>,
    jobs: &Mutex<Receiver<Job>>,
    to_caller: &Sender<Done>,
) {
    loop {
        let jobs = next_jobs(jobs);
        if jobs.is_empty() {
            return;
        }
        // What was reported at Finished and has not gone on needs no second look.
        let (known, jobs): (Vec<_>, Vec<_>) = jobs
            .into_iter()
            .partition(|job| job.conversation.part == Part::Again { renegotiated: false });
        for Job { number, conversation, watermark, permits } in known {
            let analysed = Ok(Analysed { conversation, by_backend: Vec::new() });
            if to_caller.send(Done { number, analysed, watermark, permits }).is_err() {
                return;
            }
        }
        let Some(&Job { number: first, watermark, permits, .. }) = jobs.first() else { continue };
        // A number that never arrived would keep all later ones, and with their permits the reader,
        // waiting. Nothing that a panic may have left half-changed is used again.
        let analyses = catch_unwind(AssertUnwindSafe(|| {
            analyse(&jobs.iter().map(|job| &job.conversation).collect::<Vec<_>>())
        }));
        let analyses = match analyses {
            Ok(analyses) => analyses,
            Err(panic) => {
                // It ends the run when its turn comes, so the later numbers are not missed.
                let analysed = Err(panic);
                let _ = to_caller.send(Done { number: first, analysed, watermark, permits });
                return;
            }
        };
        for (job, by_backend) in jobs.into_iter().zip(analyses) {
            let Job { number, conversation, watermark, permits } = job;
            let analysed = Ok(Analysed { conversation, by_backend }.slim());
            if to_caller.send(Done { number, analysed, watermark, permits }).is_err() {
                return;
            }
        }
    }
}

/// Waits for a job, and takes along those behind it that are there already. None at the end.
fn next_jobs(jobs: &Mutex<Receiver<Job>>) -> Vec<Job> {
    // The lock is held for receiving only, which leaves nothing half-changed.
    let jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
    let first = jobs.recv().ok();
    first.into_iter().chain(jobs.try_iter()).take(CONVERSATIONS).collect()
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
            let analysed = one.analysed.unwrap_or_else(|panic| resume_unwind(panic));
            for _ in 0..one.permits {
                // They were sent before the job was, so they are there.
                let _ = returned.try_recv();
            }
            order.take(analysed);
            report_until(&mut order, one.watermark.unwrap_or(0))?;
        }
    }
    report_until(&mut order, u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    /// Runs over the recorded handshakes with one permit, so that the reader soon waits for it, and
    /// returns whether that panicked.
    fn panics(
        analyse: impl Fn(&[&RecordedConversation]) -> Vec<Vec<Analysis>> + Send + Sync + 'static,
    ) -> bool {
        let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/handshakes.pcapng");
        let (sender, ended) = channel();
        thread::spawn(move || {
            let captures = [PathBuf::from(capture)];
            let shard = Shard::ALL;
            let plan = Plan { captures: &captures, keyrings: &[], threads: 2, shard, live: false };
            let run = || run_with(analyse, 1, &plan, &|input| input, |_| Ok(()));
            sender.send(catch_unwind(AssertUnwindSafe(run)).map(|summary| summary.unwrap()))
        });
        // A run takes milliseconds.
        ended.recv_timeout(Duration::from_secs(60)).expect("the run hangs").is_err()
    }

    #[test]
    fn a_worker_that_panics_ends_the_run_with_its_panic() {
        let nothing = |conversations: &[&RecordedConversation]| {
            conversations.iter().map(|_| Vec::new()).collect()
        };
        assert!(!panics(nothing));
        assert!(panics(|_| panic!("meant to happen")));
        let seen = AtomicUsize::new(0);
        assert!(panics(move |conversations| {
            let before = seen.fetch_add(conversations.len(), Ordering::Relaxed);
            assert!(before + conversations.len() < 7, "meant to happen");
            nothing(conversations)
        }));
    }
}
