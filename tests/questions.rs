//! The same generated questions to every backend, and to independent arithmetic: status and bytes
//! must be equal, also where a library would rather say something else.
//!
//! `SSL_PROVIDER_SEED` chooses the questions and `SSL_PROVIDER_QUESTIONS` their number. A failure
//! prints the smallest question that shows it, as a test.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ssl_provider::Operation;
use ssl_provider_testkit::bytes::{Rng, number_from_env};
use ssl_provider_testkit::ciphertext::KINDS;
use ssl_provider_testkit::question::compare::{Comparison, Verdict, as_test, shrink};
use ssl_provider_testkit::question::generate::{Generator, tls13_secrets};
use ssl_provider_testkit::question::{Question, Subject, Vector};

const DEFAULT_QUESTIONS: u64 = 12_000;

#[test]
fn generated_questions_have_the_same_answers_on_every_backend() {
    let seed = number_from_env("SSL_PROVIDER_SEED", Generator::DEFAULT_SEED);
    let questions = number_from_env("SSL_PROVIDER_QUESTIONS", DEFAULT_QUESTIONS);
    println!("SSL_PROVIDER_SEED={seed} SSL_PROVIDER_QUESTIONS={questions}");
    let subjects: Vec<Subject> = ssl_provider::backends().iter().map(Subject::new).collect();
    let subjects: Vec<&Subject> = subjects.iter().collect();
    let generator = Generator::new(seed);
    let next = AtomicUsize::new(0);
    let tally: Mutex<BTreeMap<String, [usize; 2]>> = Mutex::default();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number as u64 >= questions {
                        break;
                    }
                    let vector = generator.vector(number, &subjects);
                    let comparison = Comparison::of(&vector, &subjects);
                    let disagrees = |verdict: &Verdict| *verdict == Verdict::Disagrees;
                    if let Some(at) = comparison.verdicts.iter().position(disagrees) {
                        let smallest = shrink(&vector, &subjects, at);
                        panic!("{}: {comparison:#?}\n{}", subjects[at].name(), as_test(&smallest));
                    }
                    let is_answer =
                        |it: &Verdict| matches!(it, Verdict::Agrees | Verdict::Unjudged);
                    let answered = comparison.verdicts.iter().any(is_answer);
                    let mut tally = tally.lock().unwrap();
                    tally.entry(vector.question.operation()).or_default()[usize::from(answered)] +=
                        1;
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    for (operation, [unanswered, answered]) in &tally {
        println!("{operation}: {answered} answered, {unanswered} supported by no backend");
    }
    let is_long = questions >= DEFAULT_QUESTIONS;
    assert!(!is_long || tally.len() > 80, "{} operations", tally.len());
    // OpenSSL has every curve, and from 3.5 on key encapsulation; the other three lack some curves.
    let has = |operation| {
        let backends = subjects.iter().map(|subject| subject.backend());
        backends.into_iter().any(|backend| backend.support(operation).is_supported())
    };
    let has_all = Operation::all().all(has);
    let never: Vec<_> = tally.iter().filter(|(_, [_, answered])| *answered == 0).collect();
    assert!(never.is_empty() || !has_all || !is_long, "no backend answers {never:?}");
}

/// Every secret of handshakes of TLS 1.3: with pre-shared keys or without, after HelloRetryRequest
/// or not, with both hashes. `SSL_PROVIDER_SCHEDULES` is their number.
#[test]
fn generated_schedules_of_tls13_have_the_same_secrets_on_every_backend() {
    let seed = number_from_env("SSL_PROVIDER_SEED", Generator::DEFAULT_SEED);
    let schedules = number_from_env("SSL_PROVIDER_SCHEDULES", 10_000);
    println!("SSL_PROVIDER_SEED={seed} SSL_PROVIDER_SCHEDULES={schedules}");
    let subjects: Vec<Subject> = ssl_provider::backends().iter().map(Subject::new).collect();
    let subjects: Vec<&Subject> = subjects.iter().collect();
    let mut rng = Rng::new(seed);
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for number in 0..schedules {
        let (what, secrets) = tls13_secrets(&mut rng);
        let name = format!("seed {seed:#x}, schedule {number}: {what}");
        let question = Question::Tls13Secrets(secrets);
        let vector = Vector { name, question, expected: None };
        let comparison = Comparison::of(&vector, &subjects);
        let agree = comparison.verdicts.iter().all(|verdict| *verdict == Verdict::Agrees);
        // Whether a lone backend is right to refuse one, nobody can say.
        if !agree && (subjects.len() > 1 || comparison.has_disagreement()) {
            panic!("{comparison:#?}\n{}", as_test(&vector));
        }
        *tally.entry(what).or_default() += 1;
    }
    println!("{tally:?}");
    assert!(schedules < 100 || tally.len() == 4, "{tally:?}");
}

#[test]
fn a_seed_makes_the_same_questions_again_and_another_seed_others() {
    // Without makers nothing differs each time.
    let questions = |seed| {
        let generator = Generator::new(seed);
        (0..200).map(|number| generator.vector(number, &[])).collect::<Vec<Vector>>()
    };
    assert_eq!(questions(1), questions(1));
    let same = questions(1).iter().zip(questions(2)).filter(|(one, other)| **one == *other).count();
    assert_eq!(same, 0);
    for vector in questions(3) {
        assert_eq!(Vector::from_json(&vector.to_json()).unwrap(), vector);
    }
}

#[test]
fn every_kind_of_ciphertext_is_asked() {
    let generator = Generator::new(Generator::DEFAULT_SEED);
    let asked: BTreeSet<String> = (0..6_000)
        .map(|number| generator.vector(number, &[]).name)
        .filter_map(|name| name.split_once(": ").map(|(_, kind)| kind.to_owned()))
        .collect();
    for kind in KINDS {
        assert!(asked.contains(kind.name), "{} is never asked", kind.name);
    }
}
