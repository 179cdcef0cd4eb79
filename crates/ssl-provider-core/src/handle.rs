//! Handles that are not pointers: a table that tells live values from all others.
//! A value is kind, slot and generation under a keyed permutation; any other value is refused.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::error::Error;
use crate::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// A handle as the interface passes it: an opaque 64-bit number, never 0 and never all ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(u64);

impl Handle {
    /// Takes any number; whether it is a live handle only the table can say.
    pub const fn from_raw(value: u64) -> Self {
        Self(value)
    }

    /// The number.
    pub const fn into_raw(self) -> u64 {
        self.0
    }
}

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum HandleKind {
    /// An open provider.
    Provider = 1,
    /// A private key.
    PrivateKey = 2,
    /// A master key.
    MasterKey = 3,
    /// A session key.
    SessionKey = 4,
    /// A running handshake hash.
    HandshakeHash = 5,
    /// An open key storage provider.
    KeyStorageProvider = 6,
    /// A key in key storage.
    StoredKey = 7,
    /// A public key that was imported, of a certificate or of a key agreement.
    PublicKey = 8,
    /// A private key of one key agreement.
    EphemeralKey = 9,
    /// A premaster secret of a client.
    PremasterKey = 10,
    /// A pre-shared key that was agreed outside TLS.
    PreSharedKey = 11,
    /// A pre-shared key of TLS 1.3 that was derived from an earlier connection.
    ResumptionPreSharedKey = 12,
    /// An Early Secret of TLS 1.3.
    EarlySecret = 13,
    /// A Handshake Secret of TLS 1.3.
    HandshakeSecret = 14,
    /// A Master Secret of TLS 1.3, which is no [`MasterKey`](Self::MasterKey).
    Tls13MasterSecret = 15,
    /// A traffic secret of TLS 1.3.
    TrafficSecret = 16,
    /// An exporter secret of TLS 1.3.
    ExporterSecret = 17,
    /// A resumption secret of TLS 1.3.
    ResumptionSecret = 18,
    /// The key of a binder of TLS 1.3.
    BinderKey = 19,
}

const INDEX_BITS: u32 = 20;
const GENERATION_BITS: u32 = 38;
const CHUNK_LEN: usize = 1024;
const CHUNKS: usize = (1 << INDEX_BITS) / CHUNK_LEN;

/// A table of live objects.
///
/// An object is something that is cheap to clone, such as an `Arc` with its reference count.
/// Looking up takes one uncontended lock of one slot, clones the object and lets go before it is
/// used, so freeing a handle in another thread cannot pull the object from under an operation. A
/// slot counts its generations, 2^38 of them, and is retired at the last, so no value ever comes
/// back. The permutation is keyed per table: a value that was not handed out is a live handle with
/// probability of live handles / 2^64.
pub struct HandleTable<T> {
    /// A hash that has taken the key.
    keyed: DefaultHasher,
    chunks: Box<[OnceLock<Chunk<T>>]>,
    free: Mutex<FreeSlots>,
    last_generation: u64,
}

/// Slots that are made together, when the first of them is used.
type Chunk<T> = Box<[Slot<T>]>;

/// One slot, on a cache line of its own so that threads do not disturb each other.
#[repr(align(64))]
struct Slot<T>(RwLock<SlotState<T>>);

struct SlotState<T> {
    generation: u64,
    live: Option<(HandleKind, T)>,
}

/// Slots that may be filled: those that were emptied, oldest first, then those never used.
#[derive(Default)]
struct FreeSlots {
    emptied: VecDeque<u32>,
    never_used: u32,
    live: usize,
}

impl<T> HandleTable<T> {
    /// An empty table for up to 1 048 576 live handles.
    ///
    /// - `key`: random bytes of the operating system, which no other table has. A generator in the
    ///   process is not enough, because forked siblings inherit its state: each would take the
    ///   other's handles for its own.
    pub fn new(key: &[u8; 16]) -> Self {
        Self::with_last_generation(key, (1 << GENERATION_BITS) - 1)
    }

    fn with_last_generation(key: &[u8; 16], last_generation: u64) -> Self {
        let mut keyed = DefaultHasher::new();
        keyed.write(key);
        Self {
            keyed,
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
            free: Mutex::default(),
            last_generation,
        }
    }

    /// Stores an object and returns a handle for it.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] when the table is full.
    pub fn insert(&self, kind: HandleKind, object: T) -> Result<Handle, Error> {
        let index = self.take_free_slot()?;
        let slot = self.slot_or_new(index);
        let mut state = slot.0.write().unwrap_or_else(PoisonError::into_inner);
        // Generation 0 is never handed out. Values that C callers use for "none" are skipped.
        let handle = loop {
            state.generation += 1;
            let handle = self.encode(kind, index, state.generation);
            if !matches!(handle.0, 0 | u64::MAX) {
                break handle;
            }
        };
        state.live = Some((kind, object));
        Ok(handle)
    }

    /// A clone of the object behind a live handle of this kind.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for every other value: freed, forged, of another kind, or none.
    pub fn get(&self, handle: Handle, kind: HandleKind) -> Result<T, Error>
    where
        T: Clone,
    {
        let (index, generation) = self.decode(handle, kind).ok_or(Error::InvalidHandle)?;
        let slot = self.slot(index).ok_or(Error::InvalidHandle)?;
        let state = slot.0.read().unwrap_or_else(PoisonError::into_inner);
        match &state.live {
            Some((live_kind, object)) if state.generation == generation && *live_kind == kind => {
                Ok(object.clone())
            }
            Some(_) | None => Err(Error::InvalidHandle),
        }
    }

    /// Frees a live handle and returns the object; clones of it that are in use are not touched.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for every value that [`get`](Self::get) refuses; of several calls
    /// with one handle exactly one succeeds.
    pub fn remove(&self, handle: Handle, kind: HandleKind) -> Result<T, Error> {
        let (index, generation) = self.decode(handle, kind).ok_or(Error::InvalidHandle)?;
        let slot = self.slot(index).ok_or(Error::InvalidHandle)?;
        let (object, retired) = {
            let mut state = slot.0.write().unwrap_or_else(PoisonError::into_inner);
            match &state.live {
                Some((live, _)) if state.generation == generation && *live == kind => {}
                Some(_) | None => return Err(Error::InvalidHandle),
            }
            let (_, object) = state.live.take().ok_or(Error::InvalidHandle)?;
            // One generation is kept in reserve for a value that must be skipped.
            (object, state.generation + 1 >= self.last_generation)
        };
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.live -= 1;
        if !retired {
            free.emptied.push_back(index);
        }
        Ok(object)
    }

    /// The number of live handles.
    pub fn len(&self) -> usize {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).live
    }

    /// Whether no handle is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take_free_slot(&self) -> Result<u32, Error> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match free.emptied.pop_front() {
            Some(index) => index,
            None if free.never_used < 1 << INDEX_BITS => {
                free.never_used += 1;
                free.never_used - 1
            }
            None => return Err(Error::NoMemory),
        };
        free.live += 1;
        Ok(index)
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        let index = index as usize;
        self.chunks.get(index / CHUNK_LEN)?.get()?.get(index % CHUNK_LEN)
    }

    fn slot_or_new(&self, index: u32) -> &Slot<T> {
        let index = index as usize;
        let chunk = self.chunks[index / CHUNK_LEN].get_or_init(|| {
            (0..CHUNK_LEN)
                .map(|_| Slot(RwLock::new(SlotState { generation: 0, live: None })))
                .collect()
        });
        &chunk[index % CHUNK_LEN]
    }

    fn encode(&self, kind: HandleKind, index: u32, generation: u64) -> Handle {
        let plain = u64::from(kind as u8) << (INDEX_BITS + GENERATION_BITS)
            | u64::from(index) << GENERATION_BITS
            | generation;
        let (mut left, mut right) = split(plain);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        Handle(join(left, right))
    }

    fn decode(&self, handle: Handle, kind: HandleKind) -> Option<(u32, u64)> {
        let (mut left, mut right) = split(handle.0);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        let plain = join(left, right);
        let index = plain >> GENERATION_BITS & ((1 << INDEX_BITS) - 1);
        let of_kind = plain >> (INDEX_BITS + GENERATION_BITS) == u64::from(kind as u8);
        of_kind.then_some((u32::try_from(index).ok()?, plain & ((1 << GENERATION_BITS) - 1)))
    }

    /// The round function of the Feistel permutation: 32 bits of SipHash-1-3, of the key first.
    ///
    /// The input always has 21 bytes: key, number of the round, half. So the key as a prefix is as
    /// good as one in the initial state: no input continues another, and the output is not the
    /// state. If that is a pseudorandom function, the four rounds are four independent ones, since
    /// their numbers differ, and together a strong pseudorandom permutation (Luby and Rackoff
    /// 1988): also who chooses handles and learns which are live cannot tell it from a random one.
    /// With halves of 32 bits that holds for far fewer than 2^16 handles; with that many, chosen,
    /// four rounds can be told from a random permutation.
    ///
    /// Who sees handles knows what most of them encode, as slots and generations are counted. Below
    /// that bound they learn neither the key nor the next handle: a guess is a live handle with the
    /// probability that [`HandleTable`] states. Above it, no such claim is made. What does not rest
    /// on the permutation: a handle that was freed, or that has another kind, is refused. Handles
    /// detect mistakes and do not authorize: who can call the interface can read the key in the
    /// memory of the process. Who passes handles on to others has to check whose they are.
    ///
    /// The standard library may change its hash; that would change these claims, not the checks.
    fn round(&self, round: u8, half: u32) -> u32 {
        let mut hasher = self.keyed.clone();
        (round, half).hash(&mut hasher);
        split(hasher.finish()).1
    }
}

const ROUNDS: u8 = 4;

fn split(value: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl<T> fmt::Debug for HandleTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleTable").field("live", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const KIND: HandleKind = HandleKind::MasterKey;

    /// How often something is tried: Miri takes about a thousand times as long.
    const fn times(count: usize) -> usize {
        if cfg!(miri) { count.div_ceil(500) } else { count }
    }

    #[test]
    fn a_handle_finds_its_object_until_it_is_freed_and_never_after() {
        let table = HandleTable::new(&[1; 16]);
        let handle = table.insert(KIND, Arc::new(7)).unwrap();
        assert_eq!(*table.get(handle, KIND).unwrap(), 7);
        assert_eq!(*table.remove(handle, KIND).unwrap(), 7);
        assert_eq!(table.get(handle, KIND).unwrap_err(), Error::InvalidHandle);
        assert_eq!(table.remove(handle, KIND).unwrap_err(), Error::InvalidHandle);
        let next = table.insert(KIND, Arc::new(8)).unwrap();
        assert_ne!(next, handle);
        assert_eq!(table.get(handle, KIND).unwrap_err(), Error::InvalidHandle);
        assert_eq!(table.remove(handle, KIND).unwrap_err(), Error::InvalidHandle);
        assert_eq!(table.len(), 1);
        assert!(!table.is_empty());
    }

    #[test]
    fn debug_output_of_a_table_counts_its_handles() {
        let table = HandleTable::new(&[1; 16]);
        table.insert(KIND, Arc::new(7)).unwrap();
        assert_eq!(format!("{table:?}"), "HandleTable { live: 1, .. }");
    }

    #[test]
    fn a_handle_is_found_again_by_its_number() {
        let table = HandleTable::new(&[1; 16]);
        let handle = table.insert(KIND, Arc::new(7)).unwrap();
        let number = handle.into_raw();
        assert_eq!(*table.get(Handle::from_raw(number), KIND).unwrap(), 7);
    }

    #[test]
    fn a_handle_of_another_kind_or_table_is_refused() {
        let table = HandleTable::new(&[1; 16]);
        let other = HandleTable::new(&[2; 16]);
        let handle = table.insert(KIND, Arc::new(7)).unwrap();
        other.insert(KIND, Arc::new(8)).unwrap();
        assert!(table.get(handle, HandleKind::Provider).is_err());
        assert!(table.remove(handle, HandleKind::PrivateKey).is_err());
        assert!(other.get(handle, KIND).is_err());
        assert!(table.get(handle, KIND).is_ok());
    }

    /// So a key that two processes share would make each other's handles valid.
    #[test]
    fn handles_follow_from_the_key_and_differ_between_keys() {
        let handles = |key: u8| {
            let table = HandleTable::new(&[key; 16]);
            (0..100).map(|_| table.insert(KIND, Arc::new(())).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(handles(1), handles(1));
        let (one, other) = (handles(1), handles(2));
        assert!(one.iter().all(|handle| !other.contains(handle)));
    }

    #[test]
    fn forged_values_are_refused() {
        let table = HandleTable::new(&[1; 16]);
        let live: Vec<Handle> =
            (0..times(1000)).map(|i| table.insert(KIND, Arc::new(i)).unwrap()).collect();
        let numbers = RandomState::new();
        for i in 0..times(1_000_000) {
            let forged = Handle(numbers.hash_one(i));
            assert!(table.get(forged, KIND).is_err(), "{forged:?}");
        }
        for handle in &live {
            for bit in 0..64 {
                let flipped = Handle(handle.0 ^ 1 << bit);
                assert!(table.get(flipped, KIND).is_err(), "{flipped:?}");
            }
        }
        for none in [0, u64::MAX, 1, u64::MAX - 1] {
            assert!(table.get(Handle(none), KIND).is_err());
        }
    }

    #[test]
    fn a_slot_is_retired_at_its_last_generation() {
        let table = HandleTable::with_last_generation(&[1; 16], 5);
        let mut seen = Vec::new();
        for _ in 0..100 {
            let handle = table.insert(KIND, Arc::new(())).unwrap();
            assert!(!seen.contains(&handle));
            seen.push(handle);
            table.remove(handle, KIND).unwrap();
        }
        assert!(seen.iter().all(|old| table.get(*old, KIND).is_err()));
        assert_eq!(table.free.lock().unwrap().never_used, 25, "four generations a slot");
    }

    #[test]
    fn a_full_table_says_so_and_works_on() {
        let table = HandleTable::new(&[1; 16]);
        table.free.lock().unwrap().never_used = (1 << INDEX_BITS) - 1;
        let last = table.insert(KIND, Arc::new(1)).unwrap();
        assert_eq!(table.insert(KIND, Arc::new(2)).unwrap_err(), Error::NoMemory);
        table.remove(last, KIND).unwrap();
        assert!(table.insert(KIND, Arc::new(3)).is_ok());
    }

    #[test]
    fn an_object_in_use_outlives_its_handle() {
        let table = HandleTable::new(&[1; 16]);
        let handle = table.insert(KIND, Arc::new(AtomicUsize::new(0))).unwrap();
        thread::scope(|scope| {
            let in_use = table.get(handle, KIND).unwrap();
            scope.spawn(|| table.remove(handle, KIND).unwrap());
            scope.spawn(move || in_use.fetch_add(1, Ordering::Relaxed));
        });
        assert!(table.is_empty());
    }

    #[test]
    fn of_many_threads_that_free_one_handle_exactly_one_succeeds() {
        let table = HandleTable::new(&[1; 16]);
        for _ in 0..times(500) {
            let handle = table.insert(KIND, Arc::new(())).unwrap();
            let freed = AtomicUsize::new(0);
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let _ = table.get(handle, KIND);
                        if table.remove(handle, KIND).is_ok() {
                            freed.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(freed.into_inner(), 1);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn threads_that_insert_and_free_leave_an_empty_table_and_never_share_a_handle() {
        let table = HandleTable::new(&[1; 16]);
        thread::scope(|scope| {
            for thread in 0..4_usize {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..times(5_000) {
                        let mine = (thread, round);
                        let handle = table.insert(KIND, Arc::new(mine)).unwrap();
                        assert_eq!(*table.get(handle, KIND).unwrap(), mine);
                        assert_eq!(*table.remove(handle, KIND).unwrap(), mine);
                    }
                });
            }
        });
        assert!(table.is_empty());
    }

    #[test]
    fn a_panic_with_a_lock_held_leaves_the_table_usable() {
        let table = HandleTable::new(&[1; 16]);
        let handle = table.insert(KIND, Arc::new(7)).unwrap();
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| {
                    let _slot = table.slot(0).unwrap().0.write().unwrap();
                    let _free = table.free.lock().unwrap();
                    panic!("with both locks held");
                })
                .join()
        });
        assert!(panicked.is_err());
        assert_eq!(*table.get(handle, KIND).unwrap(), 7);
        assert!(table.remove(handle, KIND).is_ok());
        assert!(table.insert(KIND, Arc::new(8)).is_ok());
    }
}
