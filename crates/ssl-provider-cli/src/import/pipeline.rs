//! Runs jobs on several threads and passes on their results in the order of the jobs, without
//! delay. Both queues are short, so memory is bounded and a slow reader slows the rest down.

use std::ops::ControlFlow;
use std::panic;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many jobs may wait, and how many results.
const QUEUE_LEN: usize = 64;

/// Lets `produce` submit jobs on this thread, runs them with `work` on `threads` others, and passes
/// each result to `consume` on one more. If `consume` fails, `submit` returns `Break`.
///
/// Returns the results of `produce` and `consume`.
pub(super) fn run<Job, Answer, Produced, E>(
    threads: usize,
    produce: impl FnOnce(&mut dyn FnMut(Job) -> ControlFlow<()>) -> Produced,
    work: impl Fn(Job) -> Answer + Sync,
    mut consume: impl FnMut(Answer) -> Result<(), E> + Send,
) -> (Produced, Result<(), E>)
where
    Job: Send,
    Answer: Send,
    E: Send,
{
    let (jobs, waiting) = mpsc::sync_channel::<(Job, SyncSender<Answer>)>(QUEUE_LEN);
    // The receivers of the results, in the order of the jobs.
    let (order, answers) = mpsc::sync_channel::<Receiver<Answer>>(QUEUE_LEN);
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((job, answer)) = next(&waiting) {
                    // The receiver is gone if the consumer has failed.
                    let _ = answer.send(work(job));
                }
            });
        }
        let consumer = scope.spawn(move || {
            // A worker that panicked sends no result; the scope propagates the panic.
            answers.iter().map_while(|answer| answer.recv().ok()).try_for_each(&mut consume)
        });
        let produced = produce(&mut |job| {
            let (sender, receiver) = mpsc::sync_channel(1);
            if order.send(receiver).is_err() || jobs.send((job, sender)).is_err() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        drop((jobs, order));
        match consumer.join() {
            Ok(consumed) => (produced, consumed),
            Err(panic) => panic::resume_unwind(panic),
        }
    })
}

fn next<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    // A panic cannot leave a receiver in an invalid state.
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        let mut answers = Vec::new();
        let (produced, consumed) = run(
            4,
            |submit| (0..500).all(|job| submit(job).is_continue()),
            |job: u64| {
                thread::sleep(Duration::from_micros(job * 7919 % 300));
                job * 2
            },
            |answer| {
                answers.push(answer);
                Ok::<_, ()>(())
            },
        );
        assert!(produced && consumed.is_ok());
        assert_eq!(answers, (0..500).map(|job| job * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_consumer_that_fails_stops_the_producer() {
        let (submitted, consumed) = run(
            2,
            |submit| (0..1_000_000).take_while(|job| submit(*job).is_continue()).count(),
            |job: u32| job,
            |answer| if answer == 10 { Err("closed") } else { Ok(()) },
        );
        assert_eq!(consumed, Err("closed"));
        assert!(submitted < 1_000, "{submitted}");
    }
}
