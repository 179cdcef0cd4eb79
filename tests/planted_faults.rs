//! Tests of the conformance suite itself: backends with one fault each, which the cases must find.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ssl_provider::Backend;
use ssl_provider_testkit::fault::{self, Fault, Injected};
use ssl_provider_testkit::{cases, run};

/// The library under the fault does not matter.
fn library() -> Backend {
    ssl_provider::backends().swap_remove(0)
}

/// Runs a case on a backend with a fault, or on a sound one in the same wrapper, and returns what
/// is wrong with the outcome.
fn examine(fault: Option<Fault>, name: &str) -> Option<String> {
    let injected = fault.map_or_else(|| fault::sound(&library()), |fault| fault.inject(&library()));
    let case = cases().iter().find(|case| case.name == name);
    let outcome = run(case.unwrap_or_else(|| panic!("no case {name}")), injected.backend());
    let changes = injected.changes();
    match (fault, outcome.failure) {
        (Some(fault), None) => {
            Some(format!("{name} passes although {fault:?} ({changes} changes)"))
        }
        (Some(fault), Some(failure)) if changes == 0 => {
            Some(format!("{name} fails with {fault:?}, which has changed nothing: {failure}"))
        }
        // Else a case could fail because of the wrapper and not because of the fault.
        (None, Some(failure)) => Some(format!("{name} fails without a fault: {failure}")),
        (None, None) if changes != 0 => Some(format!("{name}: {changes} changes without a fault")),
        _ => None,
    }
}

#[test]
fn each_planted_fault_is_found_by_the_cases_that_are_there_for_it() {
    let found_by = |fault: Fault| fault.found_by().iter().map(move |name| (Some(fault), *name));
    let faulty: Vec<_> = Fault::ALL.iter().copied().flat_map(found_by).collect();
    let names: BTreeSet<&str> = faulty.iter().map(|(_, name)| *name).collect();
    let sound = names.into_iter().map(|name| (None, name));
    let work: Vec<(Option<Fault>, &str)> = sound.chain(faulty).collect();

    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let wrong: Vec<String> = thread::scope(|scope| {
        let examine_some = || {
            let some = std::iter::from_fn(|| work.get(next.fetch_add(1, Ordering::Relaxed)));
            some.filter_map(|(fault, name)| examine(*fault, name)).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(examine_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_has_a_case_and_every_subject_a_fault() {
    assert!(Fault::ALL.len() >= 100, "faults were lost: {}", Fault::ALL.len());
    let subject = |name: &'static str| name.split("::").next();
    let mut covered = HashSet::new();
    for fault in Fault::ALL {
        assert!(!fault.found_by().is_empty(), "{fault:?}");
        covered.extend(fault.found_by().iter().map(|name| subject(name)));
    }
    for case in cases() {
        assert!(covered.contains(&subject(case.name)), "no fault for {}", case.name);
    }
}

/// What a fault does depends on the library only where the library lacks the operation.
#[test]
fn a_faulty_backend_announces_what_the_library_has() {
    let of = |injected: &Injected| {
        let all = ssl_provider::Operation::all();
        all.filter(|operation| injected.backend().support(*operation).is_supported()).count()
    };
    let sound = of(&fault::sound(&library()));
    for fault in Fault::ALL {
        let injected = fault.inject(&library());
        let lacks = [Fault::SupportIsNotAnnounced, Fault::LackNamesAnotherOperation];
        let expected = sound - usize::from(lacks.contains(fault));
        assert_eq!(of(&injected), expected, "{fault:?}");
    }
}
