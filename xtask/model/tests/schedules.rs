//! What must hold in every thread schedule: an object that is freed while it is in use stays alive
//! (reference count), and a freed handle stays freed.

// Tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::sync::Arc;
use shuttle::thread;

use ssl_provider_model::handle::{HandleKind, HandleTable};

const KIND: HandleKind = HandleKind::MasterKey;

/// Schedules of each model: drawn at random, and with few changes of thread at rare places.
const SCHEDULES: usize = 5_000;
const CHANGES: usize = 3;

fn under_many_schedules(model: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(model.clone(), SCHEDULES);
    shuttle::check_pct(model, SCHEDULES, CHANGES);
}

/// An object that detects use after drop.
struct Used {
    dropped: Arc<AtomicUsize>,
}

impl Used {
    fn work(&self) {
        thread::yield_now();
        assert_eq!(self.dropped.load(Ordering::SeqCst), 0, "used after it was dropped");
        thread::yield_now();
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        assert_eq!(self.dropped.fetch_add(1, Ordering::SeqCst), 0, "dropped twice");
    }
}

#[test]
fn an_object_freed_while_in_use_lives_until_its_last_user_is_done() {
    under_many_schedules(|| {
        let table = Arc::new(HandleTable::new(&[1; 16]));
        let dropped = Arc::new(AtomicUsize::new(0));
        let object = Used { dropped: Arc::clone(&dropped) };
        let handle = table.insert(KIND, Arc::new(object)).unwrap();
        let users: Vec<_> = (0..2)
            .map(|_| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    if let Ok(object) = table.get(handle, KIND) {
                        object.work();
                    }
                })
            })
            .collect();
        assert!(table.remove(handle, KIND).is_ok());
        assert!(table.get(handle, KIND).is_err(), "found after it was freed");
        users.into_iter().for_each(|user| user.join().unwrap());
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert!(table.is_empty());
    });
}

#[test]
fn of_two_threads_that_free_a_handle_one_succeeds_and_no_newer_object_is_touched() {
    under_many_schedules(|| {
        let table = Arc::new(HandleTable::new(&[1; 16]));
        let first = table.insert(KIND, Arc::new(1)).unwrap();
        let freeing: Vec<_> = (0..2)
            .map(|_| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    let freed = table.remove(first, KIND).map(|object| assert_eq!(*object, 1));
                    // Reuses the slot, if it is free by now.
                    let second = table.insert(KIND, Arc::new(2)).unwrap();
                    assert_ne!(first, second);
                    assert!(table.remove(first, KIND).is_err(), "freed twice");
                    assert_eq!(*table.get(second, KIND).unwrap(), 2);
                    usize::from(freed.is_ok())
                })
            })
            .collect();
        let freed: usize = freeing.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(freed, 1);
        assert_eq!(table.len(), 2);
    });
}
