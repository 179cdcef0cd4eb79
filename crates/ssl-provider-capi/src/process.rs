//! The state of a process: its handles, the buffers of its callers, and its keys in storage.
//! A forked child starts with nothing, because what it inherits belongs to its parent.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use crate::key_store::KeyStore;
use crate::memory::Blocks;
use crate::object::Handles;

/// The state behind the exports.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) handles: Handles,
    pub(crate) blocks: Blocks,
    pub(crate) keys: KeyStore,
}

impl Process {
    /// A state without handles, whose handles are those of no other process.
    ///
    /// # Panics
    ///
    /// Panics if the operating system has no random numbers.
    fn new() -> Self {
        let mut key = [0; 16];
        getrandom::fill(&mut key).expect("the operating system has random numbers");
        Self { handles: Handles::new(&key), blocks: Blocks::default(), keys: KeyStore::default() }
    }
}

/// The state of this process; NULL before the first call, and in a child.
static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// The state of this process, made when it is first asked for.
pub(crate) fn process() -> &'static Process {
    fork::disown_in_child();
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
    // A child refuses its parent's handles, so it needs none of the secrets behind them. Its
    // handlers of `fork` hold locks, so they must run after those that wait for calls to end.
    ssl_provider::wipe_secret_memory_in_children();
    fork::watch();
    warm_up();
    let fresh = Box::into_raw(Box::new(Process::new()));
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
pub(crate) struct InCall {
    line: &'static AtomicUsize,
    epoch: usize,
}

/// The calls in progress. A thread counts on one line, so that threads do not wait for each other.
static CALLS: [Line; 16] = [const { Line(AtomicUsize::new(0)) }; 16];

/// A count on a cache line of its own.
#[repr(align(64))]
struct Line(AtomicUsize);

/// The number of forks that wait for calls to end; calls that begin wait for these.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// How often the process has become another one. A call that `fork` was made in ends twice, and is
/// counted no longer in the child.
static EPOCH: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The calls that this thread is in: more than one where a backend's own code calls again.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl InCall {
    pub(crate) fn begin() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static LINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % CALLS.len();
        }
        fork::disown_in_child();
        let line = &CALLS[LINE.with(|line| *line)].0;
        let depth = DEPTH.get();
        loop {
            line.fetch_add(1, Ordering::SeqCst);
            // A `fork` waits for this thread's outer call, which must not wait for it.
            if depth > 0 || FORKS.load(Ordering::SeqCst) == 0 {
                break;
            }
            line.fetch_sub(1, Ordering::SeqCst);
            thread::yield_now();
        }
        DEPTH.set(depth + 1);
        Self { line, epoch: EPOCH.load(Ordering::SeqCst) }
    }
}

impl Drop for InCall {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        if self.epoch == EPOCH.load(Ordering::SeqCst) {
            self.line.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// How a process learns that it is the child of a `fork`.
#[cfg(all(unix, not(miri)))]
mod fork {
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
    use std::time::Duration;
    use std::{ptr, thread};

    use super::{CALLS, CURRENT, DEPTH, EPOCH, FORKS, Process, warm_up};

    /// A number by which a process knows itself; NULL before the first call. It is 0 in a child,
    /// where it is on a page that the system wipes there; else the process id. So children are
    /// told also from `_Fork` and `clone`, which run no handlers.
    static MARK: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());

    /// The mark where there is no page that a child finds wiped.
    static ID: AtomicU32 = AtomicU32::new(0);

    /// The mark of every process where there is such a page.
    const MINE: u32 = 1;

    /// The mark while a thread of a child lets go of what it inherited. No process has this id.
    const BUSY: u32 = u32::MAX;

    /// What a child inherited. Its locks may be held by threads that do not exist here, so it is
    /// never touched again; this keeps it reachable for tools that look for leaks. Nothing reads
    /// it, so `#[used]` keeps it.
    #[used]
    static INHERITED: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

    /// Lets go of the parent's state when this is a child.
    pub(super) fn disown_in_child() {
        let Some((mark, mine)) = mark() else { return };
        let mut seen = mark.load(Ordering::Acquire);
        while seen != mine {
            // One thread does it, and others wait: for a few atomic operations only.
            let begun = match seen {
                BUSY => Err(BUSY),
                _ => mark.compare_exchange(seen, BUSY, Ordering::AcqRel, Ordering::Acquire),
            };
            if begun.is_ok() {
                disown();
                mark.store(mine, Ordering::Release);
                return;
            }
            thread::yield_now();
            seen = mark.load(Ordering::Acquire);
        }
    }

    /// Lets go of what a child inherited. Does nothing but atomic operations.
    fn disown() {
        let parents = CURRENT.swap(ptr::null_mut(), Ordering::AcqRel);
        if !parents.is_null() {
            INHERITED.store(parents, Ordering::Release);
        }
        FORKS.store(0, Ordering::SeqCst);
        EPOCH.fetch_add(1, Ordering::SeqCst);
        CALLS.iter().for_each(|line| line.0.store(0, Ordering::SeqCst));
    }

    /// The mark, and what it is in this process; none before the first call.
    fn mark() -> Option<(&'static AtomicU32, u32)> {
        // SAFETY: a pointer in MARK is NULL or to a number that lives as long as the process.
        let mark = unsafe { MARK.load(Ordering::Acquire).as_ref() }?;
        Some((mark, if ptr::eq(mark, &ID) { process_id() } else { MINE }))
    }

    fn process_id() -> u32 {
        std::process::id()
    }

    /// Makes the mark, and registers the handlers of `fork`. A second thread at the same moment
    /// registers them again, which does no harm; a lock in its place could block a child forever.
    ///
    /// # Panics
    ///
    /// Panics if there is no memory to register, as for an allocation. The call fails, and the next
    /// one tries again.
    pub(super) fn watch() {
        static WATCHED: AtomicBool = AtomicBool::new(false);
        if WATCHED.load(Ordering::Acquire) {
            return;
        }
        if MARK.load(Ordering::Acquire).is_null() {
            ID.store(process_id(), Ordering::Release);
            let mark = page().unwrap_or_else(|| (&raw const ID).cast_mut());
            // Of two threads the first counts; a page that is too many stays.
            let _ =
                MARK.compare_exchange(ptr::null_mut(), mark, Ordering::AcqRel, Ordering::Acquire);
        }
        // SAFETY: the handlers are functions that live as long as the library; `before_fork` and
        // `in_parent` run in an ordinary context, and `in_child` does nothing but atomic
        // operations, which is allowed between `fork` and `exec` of a process with threads.
        let error =
            unsafe { libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child)) };
        assert_eq!(error, 0, "no memory for the handlers of fork");
        WATCHED.store(true, Ordering::Release);
    }

    /// A page of which a child finds zeros, where the system has such pages.
    #[cfg(target_os = "linux")]
    fn page() -> Option<*mut AtomicU32> {
        const LEN: usize = size_of::<AtomicU32>();
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping anywhere, which overlaps nothing.
        let page = unsafe { libc::mmap(ptr::null_mut(), LEN, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the mapping above, which nobody else has.
        let advise = |advice| unsafe { libc::madvise(page, LEN, advice) };
        // Linux before 4.14 refuses it, and some emulators take every advice and follow none.
        if advise(-1) == 0 || advise(libc::MADV_WIPEONFORK) != 0 {
            // SAFETY: as above; it is not used any more.
            unsafe { libc::munmap(page, LEN) };
            return None;
        }
        let mark = page.cast::<AtomicU32>();
        // SAFETY: the mapping is writable, aligned to a page, and long enough; it is shared after
        // this only, and zero is a valid number before.
        unsafe { &*mark }.store(MINE, Ordering::Release);
        Some(mark)
    }

    #[cfg(not(target_os = "linux"))]
    fn page() -> Option<*mut AtomicU32> {
        None
    }

    /// Completes every once-only initialisation, for which a child would wait forever if another
    /// thread had begun it at `fork`, and waits for calls in progress.
    extern "C" fn before_fork() {
        warm_up();
        FORKS.fetch_add(1, Ordering::SeqCst);
        // A call that this is made within does not end before.
        let own = DEPTH.get();
        // A second in all, for a call that waits for something else.
        for _ in 0..20_000 {
            let calls: usize = CALLS.iter().map(|line| line.0.load(Ordering::SeqCst)).sum();
            if calls <= own {
                return;
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    extern "C" fn in_parent() {
        // A handler that was registered after `before_fork` has nothing to take back.
        let _ =
            FORKS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |forks| forks.checked_sub(1));
    }

    extern "C" fn in_child() {
        disown();
        if let Some((mark, mine)) = mark() {
            mark.store(mine, Ordering::Release);
        }
    }
}

/// Other systems have no `fork`, and neither has Miri.
#[cfg(not(all(unix, not(miri))))]
mod fork {
    pub(super) fn disown_in_child() {}

    pub(super) fn watch() {}
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
