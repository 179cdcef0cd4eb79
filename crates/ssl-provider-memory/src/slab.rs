//! Memory for secrets that live long: many small ones on few pages, since the amount of memory that
//! a process may lock is small (8 MiB usually, room for 100 000 master secrets).

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroize;

use crate::pages;

/// Bytes of the slots, of which a mark takes eight: for a master secret, for a key block, for what
/// is longer, and for the longest, a pre-shared key of 1024 bytes.
const SLOT_LENS: [usize; 4] = [64, 256, 576, 1032];

/// What a slot begins with, except in a child that found it wiped.
const MARK: [u8; 8] = *b"not void";

/// Bytes that are mapped at once.
const SLAB_LEN: usize = 64 << 10;

/// Free slots of each length.
static FREE: [Mutex<Vec<Slot>>; SLOT_LENS.len()] =
    [const { Mutex::new(Vec::new()) }; SLOT_LENS.len()];

static LOCKED: AtomicUsize = AtomicUsize::new(0);
static UNLOCKED: AtomicUsize = AtomicUsize::new(0);

/// Whether children find the memory wiped.
static WIPED_IN_CHILDREN: AtomicBool = AtomicBool::new(false);

/// A slot that nobody else has. After its mark its bytes are zero while it is free.
struct Slot(NonNull<u8>);

// SAFETY: a slot is memory that is never unmapped and that only its owner uses.
unsafe impl Send for Slot {}

impl Slot {
    /// Whether the slot is as this process left it, and not wiped by a fork.
    fn is_marked(&self) -> bool {
        // SAFETY: a slot is longer than its mark, and a mark of any bytes is valid.
        unsafe { self.0.cast::<[u8; 8]>().read() == MARK }
    }

    fn mark(&mut self) {
        // SAFETY: a slot is longer than its mark, and belongs to this value.
        unsafe { self.0.cast::<[u8; 8]>().write(MARK) }
    }

    /// Where the bytes begin.
    fn bytes(&self) -> NonNull<u8> {
        // SAFETY: a slot is longer than its mark.
        unsafe { self.0.add(MARK.len()) }
    }
}

/// Lets forked children find wiped memory in place of [`SecretBytes`] of their parent, which panic
/// there when they are used. It holds for memory that is mapped afterwards, on Linux 4.14 and
/// later.
///
/// Only for programs whose children do not use what their parent has made, such as the C interface:
/// a server that loads its key before it forks its workers is none of them.
///
/// Handlers of `fork` that the program registers afterwards run before those of this memory.
pub fn wipe_secret_memory_in_children() {
    fork::watch();
    WIPED_IN_CHILDREN.store(true, Ordering::Relaxed);
}

/// What `fork` does: it waits until no thread holds a lock, and a child begins with memory of its
/// own, since what it inherited is not locked.
#[cfg(all(unix, not(miri)))]
mod fork {
    use std::cell::RefCell;
    use std::sync::atomic::Ordering;
    use std::sync::{MutexGuard, Once, PoisonError};

    use super::{FREE, LOCKED, Slot, UNLOCKED};

    type Guards = [MutexGuard<'static, Vec<Slot>>; FREE.len()];

    thread_local! {
        /// The locks, while this thread forks.
        static HELD: RefCell<Option<Guards>> = const { RefCell::new(None) };
    }

    /// Registers the handlers of `fork`; without memory for that, there are none.
    pub(super) fn watch() {
        static WATCHED: Once = Once::new();
        WATCHED.call_once(|| {
            // SAFETY: the handlers are functions that live as long as the program, and do nothing
            // but take and release locks, and forget what lists hold.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
    }

    extern "C" fn before() {
        let lock = |list| std::sync::Mutex::lock(list).unwrap_or_else(PoisonError::into_inner);
        HELD.set(Some(FREE.each_ref().map(lock)));
    }

    extern "C" fn in_parent() {
        HELD.take();
    }

    extern "C" fn in_child() {
        for list in HELD.take().iter_mut().flatten() {
            list.clear();
        }
        LOCKED.store(0, Ordering::Relaxed);
        UNLOCKED.store(0, Ordering::Relaxed);
    }
}

/// Other systems have no `fork`, and neither has Miri.
#[cfg(not(all(unix, not(miri))))]
mod fork {
    pub(super) fn watch() {}
}

/// The memory of [`SecretBytes`] in this process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretMemory {
    /// Bytes that are locked: they never reach a swap device.
    pub locked: usize,
    /// Bytes that the system refused to lock, because the limit of the process is reached
    /// (`ulimit -l`), or that it cannot lock.
    pub unlocked: usize,
}

/// Returns how much memory secrets have, and how much of it is locked.
pub fn secret_memory() -> SecretMemory {
    SecretMemory {
        locked: LOCKED.load(Ordering::Relaxed),
        unlocked: UNLOCKED.load(Ordering::Relaxed),
    }
}

/// Secret bytes in memory that is locked (never swapped) and left out of core dumps: on Linux, and
/// as far as limits allow, which [`secret_memory`] tells. They are wiped when dropped.
pub struct SecretBytes {
    slot: Slot,
    len: usize,
}

// SAFETY: a shared reference gives out shared references to the bytes only, which belong to this
// value alone.
unsafe impl Sync for SecretBytes {}

impl SecretBytes {
    /// Most bytes that one value holds.
    pub const MAX_LEN: usize = SLOT_LENS[SLOT_LENS.len() - 1] - MARK.len();

    /// Returns as many zeros, to be filled in place.
    ///
    /// # Panics
    ///
    /// Panics for more than [`MAX_LEN`](Self::MAX_LEN) bytes.
    pub fn zeroed(len: usize) -> Self {
        let class = class_of(len);
        let mut free = FREE[class].lock().unwrap_or_else(PoisonError::into_inner);
        // A child that ran no handler finds wiped slots, which are not locked either.
        if free.last().is_some_and(|slot| !slot.is_marked()) {
            free.clear();
        }
        if free.is_empty() {
            free.extend(new_slots(SLOT_LENS[class]));
        }
        Self { slot: free.pop().expect("a slab has slots"), len }
    }

    /// Returns a copy of these bytes.
    ///
    /// # Panics
    ///
    /// As [`zeroed`](Self::zeroed).
    pub fn copied(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.copy_from_slice(bytes);
        copy
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    /// # Panics
    ///
    /// Panics in a child that found the bytes wiped: zeros are no key.
    fn deref(&self) -> &[u8] {
        assert!(self.slot.is_marked(), "a child of this process has no secrets of its parent");
        // SAFETY: the slot has at least `len` bytes, which were set when it was mapped, are never
        // unmapped, and belong to this value.
        unsafe { std::slice::from_raw_parts(self.slot.bytes().as_ptr(), self.len) }
    }
}

impl DerefMut for SecretBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        assert!(self.slot.is_marked(), "a child of this process has no secrets of its parent");
        // SAFETY: as in `deref`; the reference to `self` is unique.
        unsafe { std::slice::from_raw_parts_mut(self.slot.bytes().as_ptr(), self.len) }
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        // A slot that was wiped by a fork is left alone.
        if self.slot.is_marked() {
            self.zeroize();
            let mut free = FREE[class_of(self.len)].lock().unwrap_or_else(PoisonError::into_inner);
            free.push(Slot(self.slot.0));
        }
    }
}

impl Zeroize for SecretBytes {
    /// Wipes the bytes; those that a fork has wiped are left alone.
    fn zeroize(&mut self) {
        if self.slot.is_marked() {
            self.deref_mut().zeroize();
        }
    }
}

impl zeroize::ZeroizeOnDrop for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretBytes").finish_non_exhaustive()
    }
}

/// The index of the shortest slots that are long enough.
fn class_of(len: usize) -> usize {
    let fits = |slot: &usize| len + MARK.len() <= *slot;
    SLOT_LENS.iter().position(fits).expect("no secret is longer than the longest slot")
}

fn new_slots(slot_len: usize) -> impl Iterator<Item = Slot> {
    fork::watch();
    let slab = pages::map(SLAB_LEN, WIPED_IN_CHILDREN.load(Ordering::Relaxed));
    let counter = if slab.is_locked { &LOCKED } else { &UNLOCKED };
    counter.fetch_add(SLAB_LEN, Ordering::Relaxed);
    (0..SLAB_LEN / slot_len).map(move |number| {
        // SAFETY: the slab has so many slots of this length.
        let mut slot = Slot(unsafe { slab.start.add(number * slot_len) });
        slot.mark();
        slot
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_empty_and_values_never_share_one() {
        for len in [0, 1, 48, 56, 57, 248, 249, SecretBytes::MAX_LEN] {
            let mut values: Vec<SecretBytes> =
                (0..3000).map(|_| SecretBytes::zeroed(len)).collect();
            for (number, value) in values.iter_mut().enumerate() {
                assert_eq!(**value, vec![0; len]);
                value.fill(u8::try_from(number % 251).unwrap() + 1);
            }
            for (number, value) in values.iter().enumerate() {
                assert_eq!(**value, vec![u8::try_from(number % 251).unwrap() + 1; len]);
            }
            let place = values[0].slot.bytes();
            drop(values);
            // SAFETY: slots are never unmapped. Nobody else writes to this one meanwhile: it was
            // freed first, so all others are taken before it, for which the other tests take too
            // few.
            let left = unsafe { std::slice::from_raw_parts(place.as_ptr(), len.min(1)) };
            assert_eq!(left, vec![0; len.min(1)]);
        }
        assert!(secret_memory().locked + secret_memory().unlocked >= 3 * SLAB_LEN);
    }

    #[test]
    fn nothing_is_printed_and_copies_are_equal() {
        let secret = SecretBytes::copied(&[0xa5; 48]);
        assert_eq!(*secret, [0xa5; 48]);
        assert_eq!(format!("{secret:?} {secret:#?}"), "SecretBytes { .. } SecretBytes { .. }");
    }

    #[test]
    #[should_panic(expected = "no secret is longer")]
    fn more_than_the_longest_slot_is_refused() {
        let _ = SecretBytes::zeroed(SecretBytes::MAX_LEN + 1);
    }

    #[test]
    fn threads_that_make_and_drop_values_do_not_see_each_others() {
        std::thread::scope(|scope| {
            for thread in 1..=4 {
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        let mut value = SecretBytes::zeroed(48);
                        assert_eq!(*value, [0; 48]);
                        value.fill(thread);
                        assert_eq!(*value, [thread; 48]);
                    }
                });
            }
        });
    }

    /// 100 000 master secrets fit into the 8 MiB that a process may usually lock.
    #[test]
    fn a_slab_has_room_for_as_many_secrets_as_the_limit_of_locked_memory_is_meant_for() {
        let slabs = 100_000_usize.div_ceil(SLAB_LEN / SLOT_LENS[0]);
        assert!(slabs * SLAB_LEN < 8 << 20);
    }
}
