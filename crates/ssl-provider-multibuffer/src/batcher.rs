//! Collects the RSA private operations of many threads into batches, for servers in which each
//! thread has one at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ssl_provider_core::backend::{
    Composed, KeyExchangeBackend, RawDecryption, RsaDecryption, RsaPrivateKey,
};
use ssl_provider_core::{Backend, BackendInfo, Error, Operation, RsaPrivateKeyDer, Support};
use zeroize::Zeroizing;

use crate::number::LANES;
use crate::of_rsa_only;

/// A backend around another one, whose RSA keys collect the operations of all threads.
pub type Collecting = Composed<Batcher>;

/// Makes backends that collect, and counts what they do. Cheap to clone; clones count together.
///
/// Each loaded key has a queue. A thread whose operation comes when nobody else uses the key
/// computes it at once, as without a batcher. Otherwise it queues the operation, and the owner of
/// the first one in the queue leads: it takes up to eight, from the front, as soon as there are
/// eight or a limit of time has passed, and computes them in its own thread. So the order is first
/// in, first out; a thread computes at most one batch for each of its own; and as many batches run
/// at once as there are processors.
///
/// A leader waits only where others are likely: while other threads are inside a call of this key,
/// or after a batch that had operations of several threads. Waits that gain nothing become rare.
/// What is batched with what depends on the times of arrival only.
///
/// An operation waits for batches that run, and for the limit of time, but never for another
/// thread to arrive. An error reaches the operations of its batch and no others. After a panic each
/// thread of the batch computes its own, so that only the one whose operation panics does.
#[derive(Clone, Debug)]
pub struct BatchSettings {
    wait: Duration,
    counters: Arc<Counters>,
}

impl BatchSettings {
    /// The longest wait.
    pub const MAX_WAIT: Duration = Duration::from_millis(1);

    /// Sets how long the first operation of a batch waits for others; longer than
    /// [`MAX_WAIT`](Self::MAX_WAIT) counts as that. With 0 a batch takes what has queued up while
    /// others ran, and waits for nothing. The system's timer adds some tens of microseconds.
    pub fn new(wait: Duration) -> Self {
        Self { wait: wait.min(Self::MAX_WAIT), counters: Arc::default() }
    }

    /// Returns the wait.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Puts a batcher around a backend; returns `None` if that has no RSA private operation.
    ///
    /// It has the name and the description of the inner one. It is another backend all the same:
    /// each refuses the keys of the other. It is worth its queue around [`around`](crate::around),
    /// and around any backend that computes batches faster than single operations. Around others it
    /// limits the concurrent operations of a key to the number of processors.
    pub fn around(&self, inner: &Backend) -> Option<Collecting> {
        let BackendInfo { name, provider_name, library, rsa, fips, .. } = inner.info();
        (*rsa)?;
        let info = BackendInfo::new(name, provider_name, library.clone());
        let info = info.with_rsa(*rsa).with_fips(*fips);
        let batcher = Batcher { inner: inner.clone(), settings: self.clone() };
        Some(Composed::new(info, batcher, inner.clone()))
    }

    /// Returns how many operations were computed so far, and in how many batches.
    pub fn counts(&self) -> BatchCounts {
        BatchCounts {
            batches: self.counters.batches.load(Ordering::Relaxed),
            operations: self.counters.operations.load(Ordering::Relaxed),
        }
    }
}

/// What the keys of a [`BatchSettings`] have computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchCounts {
    /// Batches, each of one to eight operations.
    pub batches: u64,
    /// Private operations.
    pub operations: u64,
}

#[derive(Debug, Default)]
struct Counters {
    batches: AtomicU64,
    operations: AtomicU64,
}

/// The part of [`Collecting`] that is new: the loading of RSA keys.
#[derive(Debug)]
pub struct Batcher {
    inner: Backend,
    settings: BatchSettings,
}

of_rsa_only! { Batcher }

impl RsaDecryption for Batcher {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let inner = self.inner.rsa_decryption().load(der)?;
        let processors = thread::available_parallelism().map_or(1, Into::into);
        Ok(Box::new(Key::new(inner, self.settings.clone(), processors)))
    }
}

/// A key with its queue.
struct Key {
    inner: Box<dyn RsaPrivateKey>,
    settings: BatchSettings,
    /// Most batches that run at once.
    at_once: usize,
    queue: Mutex<Queue>,
}

ssl_provider_core::redacted_debug! { Key { inner, settings, .. } }

#[derive(Default)]
struct Queue {
    /// In order of arrival. The owner of the first leads; each thread has at most a batch here.
    jobs: VecDeque<Job>,
    /// Batches that run.
    running: usize,
    /// Whether the last batch had jobs of several threads.
    was_shared: bool,
    /// Waits in a row that gained nothing.
    empty_waits: u32,
    /// Batches so far.
    batches: u64,
}

/// A private operation in the queue.
struct Job {
    call: Arc<Call>,
    /// Its place among those of the call.
    place: usize,
    ciphertext: Box<[u8]>,
    /// Secret.
    em: Zeroizing<Box<[u8]>>,
}

/// A call of a thread, whose jobs others may compute.
#[derive(Default)]
struct Call {
    progress: Mutex<Progress>,
    /// Signalled when the call is complete, and when it may lead. Waited for with the lock of the
    /// queue.
    changed: Condvar,
}

#[derive(Default)]
struct Progress {
    /// Jobs that are not complete.
    left: usize,
    /// Blocks by place. Secret.
    blocks: Vec<(usize, Zeroizing<Box<[u8]>>)>,
    error: Option<Error>,
}

impl Call {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        self.inner.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.decrypt_raw_batch(&mut [RawDecryption { ciphertext, em }])
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let len = self.modulus_len();
        if jobs.iter().any(|job| job.ciphertext.len() != len || job.em.len() != len) {
            // The inner key refuses them; the jobs of others must not fail for it.
            return self.inner.decrypt_raw_batch(jobs);
        }
        jobs.chunks_mut(MAX_BATCH).try_for_each(|jobs| self.decrypt_chunk(jobs))
    }
}

impl Key {
    fn new(inner: Box<dyn RsaPrivateKey>, settings: BatchSettings, at_once: usize) -> Self {
        Self { inner, settings, at_once, queue: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decrypts up to a batch of a thread.
    fn decrypt_chunk(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let mut queue = self.lock();
        let is_first = queue.jobs.is_empty() && queue.running < self.at_once;
        if is_first && (jobs.len() == MAX_BATCH || !self.expects_others(&queue)) {
            let _running = Running::start(self, &mut queue, jobs.len(), Vec::new());
            drop(queue);
            return self.inner.decrypt_raw_batch(jobs);
        }
        let call = Arc::new(Call::default());
        call.progress().left = jobs.len();
        queue.jobs.extend(jobs.iter().enumerate().map(|(place, job)| Job {
            call: Arc::clone(&call),
            place,
            ciphertext: job.ciphertext.into(),
            em: Zeroizing::new(vec![0; job.em.len()].into()),
        }));
        if queue.jobs.len() >= MAX_BATCH
            && let Some(leader) = queue.leader()
        {
            leader.changed.notify_one();
        }
        self.wait_for(&call, queue);

        let progress = &mut *call.progress();
        match progress.error {
            None => {}
            Some(PANICKED) => {
                let _running = Running::start(self, &mut self.lock(), jobs.len(), Vec::new());
                return self.inner.decrypt_raw_batch(jobs);
            }
            Some(error) => return Err(error),
        }
        for (place, block) in progress.blocks.drain(..) {
            if let Some(job) = jobs.get_mut(place) {
                job.em.copy_from_slice(&block);
            }
        }
        Ok(())
    }

    /// Waits until all jobs of a call are complete. Leads whenever the first job is one of them.
    fn wait_for<'k>(&'k self, call: &Arc<Call>, mut queue: MutexGuard<'k, Queue>) {
        let patience = match self.expects_others(&queue) {
            true => self.settings.wait,
            false => Duration::ZERO,
        };
        let until = Instant::now() + patience;
        // Jobs in the queue when the wait for others began.
        let mut len_before_wait = None;
        while call.progress().left > 0 {
            let may_lead = queue.running < self.at_once && queue.is_led_by(call);
            if !may_lead {
                queue = wait(&call.changed, queue);
                continue;
            }
            let remaining = until.saturating_duration_since(Instant::now());
            if queue.jobs.len() < MAX_BATCH && !remaining.is_zero() {
                len_before_wait.get_or_insert(queue.jobs.len());
                queue = wait_for_at_most(&call.changed, queue, remaining);
                continue;
            }
            match len_before_wait.take() {
                Some(before) if before == queue.jobs.len() => {
                    queue.empty_waits = queue.empty_waits.saturating_add(1)
                }
                Some(_) => queue.empty_waits = 0,
                None => {}
            }
            self.lead(queue);
            queue = self.lock();
        }
    }

    /// Computes the batch at the front of the queue.
    fn lead(&self, mut queue: MutexGuard<'_, Queue>) {
        let len = queue.jobs.len().min(MAX_BATCH);
        let batch: Vec<Job> = queue.jobs.drain(..len).collect();
        let mut running = Running::start(self, &mut queue, len, batch);
        // Who is first now may lead another batch, or begins to wait for one.
        let next = queue.leader();
        drop(queue);
        if let Some(next) = next {
            next.changed.notify_one();
        }
        let mut jobs: Vec<_> = running
            .batch
            .iter_mut()
            .map(|job| RawDecryption { ciphertext: &job.ciphertext, em: &mut job.em })
            .collect();
        // It may be the operation of another thread that panics. All that it leaves behind is the
        // blocks, which nobody reads then.
        let decrypt = AssertUnwindSafe(|| self.inner.decrypt_raw_batch(&mut jobs));
        running.outcome = catch_unwind(decrypt).unwrap_or(Err(PANICKED));
    }

    /// Whether it is worth while to wait for jobs of other threads.
    fn expects_others(&self, queue: &Queue) -> bool {
        let others = queue.running > 0 || queue.was_shared || !queue.jobs.is_empty();
        let is_due = queue.empty_waits < MAX_EMPTY_WAITS || queue.batches.is_multiple_of(RETRY);
        others && is_due
    }
}

impl Queue {
    fn is_led_by(&self, call: &Arc<Call>) -> bool {
        self.jobs.front().is_some_and(|job| Arc::ptr_eq(&job.call, call))
    }

    fn leader(&self) -> Option<Arc<Call>> {
        self.jobs.front().map(|job| Arc::clone(&job.call))
    }
}

/// A batch that runs. Dropped, also by a panic, it completes its jobs and wakes the next leader.
struct Running<'k> {
    key: &'k Key,
    /// Empty where a thread computes for itself only.
    batch: Vec<Job>,
    outcome: Result<(), Error>,
}

impl<'k> Running<'k> {
    fn start(key: &'k Key, queue: &mut Queue, len: usize, batch: Vec<Job>) -> Self {
        queue.running += 1;
        queue.batches = queue.batches.wrapping_add(1);
        queue.was_shared = batch.windows(2).any(|two| match two {
            [one, other] => !Arc::ptr_eq(&one.call, &other.call),
            _ => false,
        });
        let counters = &key.settings.counters;
        counters.batches.fetch_add(1, Ordering::Relaxed);
        counters.operations.fetch_add(len as u64, Ordering::Relaxed);
        Self { key, batch, outcome: Err(PANICKED) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut queue = self.key.lock();
        queue.running -= 1;
        let mut complete = Vec::new();
        for Job { call, place, em, .. } in self.batch.drain(..) {
            let mut progress = call.progress();
            progress.left -= 1;
            match self.outcome {
                Ok(()) => progress.blocks.push((place, em)),
                Err(error) => progress.error = Some(error),
            }
            let is_complete = progress.left == 0;
            drop(progress);
            complete.extend(is_complete.then_some(call));
        }
        let next = queue.leader();
        // Threads that wake up need the lock.
        drop(queue);
        complete.into_iter().chain(next).for_each(|call| call.changed.notify_one());
    }
}

fn wait<'q>(changed: &Condvar, queue: MutexGuard<'q, Queue>) -> MutexGuard<'q, Queue> {
    changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
}

fn wait_for_at_most<'q>(
    changed: &Condvar,
    queue: MutexGuard<'q, Queue>,
    time: Duration,
) -> MutexGuard<'q, Queue> {
    changed.wait_timeout(queue, time).unwrap_or_else(PoisonError::into_inner).0
}

/// Most operations of a batch: the lanes of the engine.
const MAX_BATCH: usize = LANES;

/// After so many waits in a row that gained nothing, one batch in [`RETRY`] waits.
const MAX_EMPTY_WAITS: u32 = 4;
const RETRY: u64 = 16;

/// The outcome of a batch that panicked, which no caller sees.
const PANICKED: Error = Error::Internal("a private operation of the same batch panicked");

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{ScopedJoinHandle, scope};

    use ssl_provider_testkit::fake::Fake;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;

    const LEN: usize = 4;
    const FAILURE: Error = Error::Backend { backend: "gate", code: 7 };
    const EVER: Duration = Duration::from_secs(3600);
    const LONG_ENOUGH: Duration = Duration::from_secs(60);

    /// A key that inverts the ciphertext, and computes only as many batches as it is let.
    #[derive(Clone, Debug, Default)]
    struct Gate(Arc<(Mutex<Batches>, Condvar)>);

    #[derive(Debug, Default)]
    struct Batches {
        /// The first bytes of the ciphertexts of each batch that was started.
        started: Vec<Vec<u8>>,
        admitted: usize,
        /// A batch with this job fails.
        fails: Option<u8>,
        /// A batch with this job panics.
        panics: Option<u8>,
    }

    impl Gate {
        fn admitting(batches: usize) -> Self {
            let gate = Self::default();
            gate.admit(batches);
            gate
        }

        fn change(&self, change: impl FnOnce(&mut Batches)) {
            change(&mut self.0.0.lock().unwrap());
            self.0.1.notify_all();
        }

        fn admit(&self, batches: usize) {
            self.change(|it| it.admitted += batches);
        }

        /// Waits until so many batches have been started, and returns their jobs.
        fn started(&self, batches: usize) -> Vec<Vec<u8>> {
            let all = self.0.0.lock().unwrap();
            let is_fewer = |it: &mut Batches| it.started.len() < batches;
            let (all, timeout) = self.0.1.wait_timeout_while(all, LONG_ENOUGH, is_fewer).unwrap();
            assert!(!timeout.timed_out(), "only {:?}", all.started);
            all.started.clone()
        }
    }

    impl RsaPrivateKey for Gate {
        fn modulus_len(&self) -> usize {
            LEN
        }

        fn decrypt_raw(&self, _ciphertext: &[u8], _em: &mut [u8]) -> Result<(), Error> {
            panic!("a batcher hands on batches only")
        }

        fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
            let ids: Vec<u8> = jobs.iter().map(|job| job.ciphertext[0]).collect();
            let mut all = self.0.0.lock().unwrap();
            all.started.push(ids.clone());
            self.0.1.notify_all();
            let mut all = self.0.1.wait_while(all, |it| it.admitted == 0).unwrap();
            all.admitted -= 1;
            let is_hit = |id: Option<u8>| id.is_some_and(|id| ids.contains(&id));
            let (fails, panics) = (is_hit(all.fails), is_hit(all.panics));
            drop(all);
            assert!(!panics, "the gate was told to panic");
            if fails {
                return Err(FAILURE);
            }
            for RawDecryption { ciphertext, em } in jobs {
                em.iter_mut().zip(*ciphertext).for_each(|(to, from)| *to = !from);
            }
            Ok(())
        }
    }

    fn key(gate: &Gate, wait: Duration, at_once: usize) -> Key {
        let settings = BatchSettings { wait, counters: Arc::default() };
        Key::new(Box::new(gate.clone()), settings, at_once)
    }

    fn decrypt(key: &Key, id: u8) -> Result<(), Error> {
        let mut em = [0; LEN];
        key.decrypt_raw(&[id; LEN], &mut em)?;
        assert_eq!(em, [!id; LEN], "the result of another");
        Ok(())
    }

    /// Starts a call, and returns when its job is in the queue, which has `queued` then.
    fn queue<'s>(
        scope: &'s thread::Scope<'s, '_>,
        key: &'s Key,
        id: u8,
        queued: usize,
    ) -> ScopedJoinHandle<'s, Result<(), Error>> {
        let call = scope.spawn(move || decrypt(key, id));
        let start = Instant::now();
        while key.lock().jobs.len() < queued {
            assert!(start.elapsed() < LONG_ENOUGH, "{id} does not queue up");
            thread::yield_now();
        }
        call
    }

    #[test]
    fn a_lone_caller_does_not_wait() {
        let gate = Gate::admitting(3);
        let key = Arc::new(key(&gate, EVER, 2));
        let (done, is_done) = mpsc::channel();
        let lone = Arc::clone(&key);
        thread::spawn(move || {
            (1..=3).for_each(|id| decrypt(&lone, id).unwrap());
            done.send(()).unwrap();
        });
        is_done.recv_timeout(LONG_ENOUGH).expect("it waits for others");
        assert_eq!(gate.started(3), [[1], [2], [3]]);
        assert_eq!(key.settings.counts(), BatchCounts { batches: 3, operations: 3 });
    }

    #[test]
    fn what_queues_up_behind_a_batch_runs_by_eights_first_in_first_out() {
        let gate = Gate::default();
        let key = key(&gate, Duration::ZERO, 1);
        scope(|scope| {
            let first = scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            let calls: Vec<_> =
                (1..=10).map(|id| queue(scope, &key, id, usize::from(id))).collect();
            gate.admit(3);
            for call in calls.into_iter().chain([first]) {
                call.join().unwrap().unwrap();
            }
        });
        let expected = [vec![0], (1..=8).collect(), vec![9, 10]];
        assert_eq!(gate.started(3), expected);
        assert_eq!(key.settings.counts(), BatchCounts { batches: 3, operations: 11 });
    }

    #[test]
    fn a_job_waits_for_others_as_long_as_the_limit_and_then_runs_alone() {
        let gate = Gate::default();
        let limit = Duration::from_millis(20);
        let key = key(&gate, limit, 2);
        scope(|scope| {
            scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            let start = Instant::now();
            scope.spawn(|| decrypt(&key, 1));
            assert_eq!(gate.started(2), [[0], [1]]);
            assert!(start.elapsed() >= limit);
            gate.admit(2);
        });
        assert_eq!(key.lock().empty_waits, 1);
    }

    #[test]
    fn the_eighth_job_ends_the_wait() {
        let gate = Gate::default();
        let key = key(&gate, EVER, 2);
        scope(|scope| {
            scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            (1..8).for_each(|id| _ = queue(scope, &key, id, usize::from(id)));
            assert_eq!(gate.started(1).len(), 1, "seven wait");
            scope.spawn(|| decrypt(&key, 8));
            assert_eq!(gate.started(2), [vec![0], (1..=8).collect()]);
            gate.admit(2);
        });
    }

    #[test]
    fn after_empty_waits_a_job_does_not_wait() {
        let gate = Gate::default();
        let key = key(&gate, EVER, 2);
        key.lock().empty_waits = MAX_EMPTY_WAITS;
        scope(|scope| {
            scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            scope.spawn(|| decrypt(&key, 1));
            assert_eq!(gate.started(2), [[0], [1]]);
            gate.admit(2);
        });
    }

    #[test]
    fn no_more_batches_run_at_once_than_there_are_processors() {
        let gate = Gate::default();
        let key = key(&gate, Duration::ZERO, 2);
        scope(|scope| {
            scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            scope.spawn(|| decrypt(&key, 1));
            gate.started(2);
            queue(scope, &key, 2, 1);
            queue(scope, &key, 3, 2);
            gate.admit(3);
        });
        let batches = gate.started(3);
        assert_eq!((batches.len(), &batches[2]), (3, &vec![2, 3]));
    }

    #[test]
    fn a_call_of_many_jobs_takes_turns_with_others() {
        let gate = Gate::default();
        let key = key(&gate, Duration::ZERO, 1);
        let ciphertext = [100; LEN];
        scope(|scope| {
            let many = scope.spawn(|| {
                let mut blocks = [[0; LEN]; 20];
                let jobs = blocks.iter_mut();
                let mut jobs: Vec<_> =
                    jobs.map(|em| RawDecryption { ciphertext: &ciphertext, em }).collect();
                key.decrypt_raw_batch(&mut jobs).unwrap();
                assert_eq!(blocks, [[!100; LEN]; 20]);
            });
            gate.started(1);
            let other = queue(scope, &key, 1, 1);
            gate.admit(20);
            other.join().unwrap().unwrap();
            many.join().unwrap();
        });
        let batches = gate.started(3);
        assert_eq!(batches[0], [100; 8]);
        assert!(batches[1].contains(&1), "{batches:?}");
        assert_eq!(key.settings.counts().operations, 21);
    }

    #[test]
    fn an_error_reaches_the_jobs_of_its_batch_and_no_others() {
        let gate = Gate::default();
        gate.change(|it| it.fails = Some(3));
        let key = key(&gate, Duration::ZERO, 1);
        scope(|scope| {
            let first = scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            let calls: Vec<_> = (1..=9).map(|id| queue(scope, &key, id, usize::from(id))).collect();
            gate.admit(3);
            assert_eq!(first.join().unwrap(), Ok(()));
            for (id, call) in (1..=9).zip(calls) {
                let expected = if id <= 8 { Err(FAILURE) } else { Ok(()) };
                assert_eq!(call.join().unwrap(), expected, "{id}");
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_call_of_its_job_and_no_others() {
        let gate = Gate::default();
        gate.change(|it| it.panics = Some(3));
        let key = key(&gate, Duration::ZERO, 1);
        scope(|scope| {
            let first = scope.spawn(|| decrypt(&key, 0));
            gate.started(1);
            let calls: Vec<_> = (1..=9).map(|id| queue(scope, &key, id, usize::from(id))).collect();
            // The eight of the batch are computed again.
            gate.admit(12);
            assert_eq!(first.join().unwrap(), Ok(()));
            for (id, call) in (1..=9).zip(calls) {
                match (id, call.join()) {
                    (3, outcome) => assert!(outcome.is_err(), "it panics"),
                    (_, outcome) => assert_eq!(outcome.unwrap(), Ok(()), "{id}"),
                }
            }
            decrypt(&key, 10).unwrap();
        });
        assert_eq!(key.lock().running, 0);
    }

    #[test]
    fn a_job_of_a_wrong_length_fails_by_itself() {
        let key = TestKey::rsa_1024();
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        let inner = Fake::new().leak().rsa_decryption().load(&der).unwrap();
        let key = Key::new(inner, BatchSettings::new(Duration::ZERO), 1);
        let mut em = [0; 128];
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            key.decrypt_raw(&[1; 127], &mut em)
        }));
        assert!(!matches!(refused, Ok(Ok(()))));
        assert_eq!(key.settings.counts().batches, 0, "it was not in a batch");
    }

    #[test]
    fn a_backend_around_another_has_its_description_and_keys_of_its_own() {
        let fake = Fake::new().share();
        assert!(BatchSettings::new(EVER).around(&fake).is_none(), "the fake describes no RSA");
        let inner = Backend::from_static(ssl_provider_rustcrypto::backend());
        let settings = BatchSettings::new(EVER);
        assert_eq!(settings.wait(), BatchSettings::MAX_WAIT);
        let around = Backend::new(settings.around(&inner).unwrap());
        assert_ne!(around, inner);
        assert_eq!(around.info().name, inner.info().name);
        assert_eq!(around.info().library, inner.info().library);
        assert_eq!(around.info().rsa, inner.info().rsa);
    }
}
