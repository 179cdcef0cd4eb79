//! Threads that serve many connections each. A panic, which the panic hook reports, ends at most
//! the connections of its thread; the thread goes on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What one thread of a server does.
pub trait Worker: Send {
    /// Serves until the server stops.
    ///
    /// # Errors
    ///
    /// Those of polling sockets, after which the thread cannot serve anyone.
    fn serve(&mut self) -> io::Result<()>;

    /// Ends every connection that it has: [`serve`](Self::serve) has panicked outside the work for
    /// a single one, so none of them can be relied on. It is called again after this.
    fn abandon_all(&mut self);
}

/// The place of a connection among those that may be open at a time on all threads together, which
/// its end makes free.
#[derive(Debug)]
pub struct Place<'a>(&'a AtomicU64);

impl<'a> Place<'a> {
    /// Takes a place; none if `most` are taken. It is taken before the connection is accepted, so
    /// that two threads cannot both take the last one.
    ///
    /// - `open`: the number of places that are taken, which nothing else changes.
    pub fn take(open: &'a AtomicU64, most: u64) -> Option<Self> {
        let place = Self(open);
        (place.0.fetch_add(1, Ordering::AcqRel) < most).then_some(place)
    }

    /// Whether `most` places are taken.
    pub fn is_none_left(open: &AtomicU64, most: u64) -> bool {
        open.load(Ordering::Acquire) >= most
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Runs each worker on a thread of its own until all of them have ended.
///
/// # Errors
///
/// The first error of a worker, in their order; and [`io::ErrorKind::Other`] where ending the
/// connections after a panic panicked too.
pub fn run_workers(workers: impl IntoIterator<Item: Worker>) -> io::Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> =
            workers.into_iter().map(|worker| scope.spawn(|| run(worker))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(panicked())))
    })
}

fn run(mut worker: impl Worker) -> io::Result<()> {
    loop {
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| worker.serve())) {
            return result;
        }
        worker.abandon_all();
    }
}

fn panicked() -> io::Error {
    io::Error::other("a thread panicked twice in a row")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Adds up the numbers it is sent; 0 is a panic.
    struct Adder {
        numbers: Receiver<u32>,
        sum: u32,
        results: Sender<u32>,
        survives: bool,
    }

    impl Worker for Adder {
        fn serve(&mut self) -> io::Result<()> {
            while let Ok(number) = self.numbers.recv() {
                assert_ne!(number, 0, "planted");
                self.sum += number;
            }
            self.results.send(self.sum).map_err(io::Error::other)
        }

        fn abandon_all(&mut self) {
            assert!(self.survives, "planted");
            self.sum = 0;
        }
    }

    fn run_adders(all: &[&[u32]], survives: bool) -> (io::Result<()>, Vec<u32>) {
        let (results, received) = channel();
        let workers: Vec<_> = all
            .iter()
            .map(|numbers| {
                let (sender, receiver) = channel();
                numbers.iter().try_for_each(|number| sender.send(*number)).unwrap();
                Adder { numbers: receiver, sum: 0, results: results.clone(), survives }
            })
            .collect();
        drop(results);
        let result = run_workers(workers);
        let mut sums: Vec<u32> = received.iter().collect();
        sums.sort_unstable();
        (result, sums)
    }

    #[test]
    fn a_panic_costs_what_its_worker_had_and_the_worker_goes_on() {
        let (result, sums) = run_adders(&[&[1, 2, 0, 4, 0, 8], &[100, 200]], true);
        result.unwrap();
        assert_eq!(sums, [8, 300]);
    }

    #[test]
    fn a_worker_that_cannot_go_on_is_an_error_and_the_others_do_their_work() {
        let (result, sums) = run_adders(&[&[1, 0, 2], &[100, 200]], false);
        assert_eq!(result.unwrap_err().to_string(), "a thread panicked twice in a row");
        assert_eq!(sums, [300]);
    }
}
