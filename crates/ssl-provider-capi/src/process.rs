//! The state of a process: its handles, the buffers of its callers, and its keys in storage.
//! A forked child starts with nothing, because what it inherits belongs to its parent.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use crate::key_store::KeyStore;
use crate::memory::Blocks;
use crate::object::Handles;

/// The state behind the exports.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) handles: Handles,
    pub(crate) blocks: Blocks,
    pub(crate) keys: KeyStore,
}

/// The state of this process; NULL before the first call, and in a child after `fork`.
static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// What a child inherited. Its locks may be held by threads that do not exist here, so it is never
/// touched again; this keeps it reachable for tools that look for leaks. Nothing reads it, so
/// `#[used]` keeps it.
#[used]
static INHERITED: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// The state of this process, made when it is first asked for.
pub(crate) fn process() -> &'static Process {
    let current = CURRENT.load(Ordering::Acquire);
    // SAFETY: a pointer in CURRENT is NULL or came from `Box::into_raw` below; it is never freed
    // once published, so the reference stays good, and only shared references are ever made.
    match unsafe { current.as_ref() } {
        Some(process) => process,
        None => start(),
    }
}

#[cold]
fn start() -> &'static Process {
    watch_forks();
    warm_up();
    let fresh = Box::into_raw(Box::<Process>::default());
    let published =
        CURRENT.compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire);
    let current = match published {
        Ok(_) => fresh,
        Err(other) => {
            // SAFETY: `fresh` is from `Box::into_raw` above and was not published: another thread
            // was first, and this one was never shared.
            drop(unsafe { Box::from_raw(fresh) });
            other
        }
    };
    // SAFETY: as in `process`; the pointer is one that has been published, so it is not NULL.
    unsafe { &*current }
}

/// A call in progress. `fork` waits until other threads are in none: AWS-LC takes locks of its own,
/// and one that is held at that moment is held in the child forever.
pub(crate) struct InCall(&'static AtomicUsize);

/// The calls in progress. A thread counts on one line, so that threads do not wait for each other.
static CALLS: [Line; 16] = [const { Line(AtomicUsize::new(0)) }; 16];

/// A count on a cache line of its own.
#[repr(align(64))]
struct Line(AtomicUsize);

/// The number of forks that wait for calls to end; calls that begin wait for these.
static FORKS: AtomicUsize = AtomicUsize::new(0);

impl InCall {
    pub(crate) fn begin() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static LINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % CALLS.len();
        }
        loop {
            let call = Self(&CALLS[LINE.with(|line| *line)].0);
            call.0.fetch_add(1, Ordering::SeqCst);
            if FORKS.load(Ordering::SeqCst) == 0 {
                return call;
            }
            drop(call);
            thread::yield_now();
        }
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Registers the handlers of `fork`, by which a child starts without handles. A second thread at
/// the same moment registers them again, which does no harm; a lock in its place could block a
/// child forever.
///
/// # Panics
///
/// Panics if there is no memory to register, as for an allocation. The call fails, and the next one
/// tries again.
fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if WATCHED.load(Ordering::Acquire) {
        return;
    }
    // Miri has no fork.
    #[cfg(all(unix, not(miri)))]
    {
        // SAFETY: the handlers are functions that live as long as the library; `before_fork` and
        // `in_parent` run in an ordinary context, and `in_child` does nothing but atomic
        // operations, which is allowed between `fork` and `exec` of a process with threads.
        let error =
            unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) };
        assert_eq!(error, 0, "no memory for the handlers of fork");
    }
    WATCHED.store(true, Ordering::Release);
}

/// Completes every once-only initialisation, for which a child would wait forever if another thread
/// had begun it at `fork`, and waits for calls in progress.
#[cfg(all(unix, not(miri)))]
extern "C" fn before_fork() {
    warm_up();
    FORKS.fetch_add(1, Ordering::SeqCst);
    // A second in all: a `fork` that is made within a call would wait for itself.
    for _ in 0..20_000 {
        if CALLS.iter().all(|line| line.0.load(Ordering::SeqCst) == 0) {
            return;
        }
        thread::sleep(std::time::Duration::from_micros(50));
    }
}

#[cfg(all(unix, not(miri)))]
extern "C" fn in_parent() {
    // A handler that was registered after `before_fork` has nothing to take back.
    let _ = FORKS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |forks| forks.checked_sub(1));
}

#[cfg(all(unix, not(miri)))]
extern "C" fn in_child() {
    FORKS.store(0, Ordering::SeqCst);
    CALLS.iter().for_each(|line| line.0.store(0, Ordering::SeqCst));
    let parents = CURRENT.swap(ptr::null_mut(), Ordering::AcqRel);
    // Registered twice, it has nothing left to do the second time.
    if !parents.is_null() {
        INHERITED.store(parents, Ordering::Release);
    }
}

/// Asks every backend for its description, which initialises its library. A panic is left for the
/// call that needs the backend.
fn warm_up() {
    let _ = std::panic::catch_unwind(|| {
        for backend in ssl_provider::backends() {
            backend.info();
        }
    });
}
