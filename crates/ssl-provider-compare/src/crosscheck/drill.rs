//! Drill of the cross-check: each known fault is put into a backend, and must be found where it is,
//! and nowhere else.
//!
//! The fault counts the results that it changes, so that there is a line for every question between
//! "the fault touched this" and "it did not": only a touched one may turn red.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use indicatif::ProgressBar;
use serde::Serialize;
use ssl_provider::Backend;
use ssl_provider_command::table::Table;
use ssl_provider_testkit::fault::{self, Fault};
use ssl_provider_testkit::question::compare::{Comparison, ask};
use ssl_provider_testkit::question::generate::Generator;
use ssl_provider_testkit::question::{Answer, Question, Subject, Vector};
use ssl_provider_testkit::{cases, run as run_case};

use super::engine::keep_panics_quiet;

/// What became of a fault in a backend.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The name of the fault.
    pub fault: &'static str,
    /// The backend that it was put into.
    pub backend: String,
    /// Questions that the fault changed a result of.
    pub touched: usize,
    /// Questions that it was found by, for each operation.
    pub found_by_questions: BTreeMap<String, usize>,
    /// Conformance cases that it was found by, of those that are there for it.
    pub found_by_cases: Vec<&'static str>,
    /// What is wrong: a fault that was not found, or red where the fault is not.
    pub problems: Vec<String>,
}

impl Outcome {
    /// Returns whether the fault was found, and nothing else.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What a drill asks.
#[derive(Debug)]
pub struct Drill {
    /// Questions that all backends agree on when sound.
    vectors: Vec<Vector>,
    /// The right answer to each, and whether a result that differs each time is in it.
    answers: Vec<(Option<Answer>, bool)>,
    backends: Vec<Backend>,
}

impl Drill {
    /// Prepares a drill: makes `count` questions, and asks the sound backends.
    ///
    /// # Errors
    ///
    /// Says on which question the backends already disagree.
    pub fn prepare(backends: &[Backend], count: usize, seed: u64) -> Result<Self, String> {
        let subjects: Vec<Subject> = backends.iter().map(Subject::new).collect();
        let subjects: Vec<&Subject> = subjects.iter().collect();
        let generator = Generator::new(seed);
        let (mut vectors, mut answers) = (Vec::new(), Vec::new());
        for number in 0..count {
            let vector = generator.vector(number, &subjects);
            let comparison = Comparison::of(&vector, &subjects);
            if comparison.has_disagreement() {
                return Err(format!("the backends disagree without a fault: {}", vector.name));
            }
            // Peers judge what differs each time.
            let is_judged = matches!(
                (&comparison.right, &vector.question),
                (Some(Answer::Accepted), Question::Sign(_) | Question::EncryptRecord(_))
            );
            // What one backend alone supports is right as its sound self answers it.
            let lone = || comparison.answers.iter().find(|answer| answer.is_supported()).cloned();
            let right = comparison.right.clone().or_else(lone);
            answers.push((right, is_judged));
            vectors.push(vector);
        }
        Ok(Self { vectors, answers, backends: backends.to_vec() })
    }

    /// Runs the drill of every fault in the backends at these places, on this many threads.
    pub fn run(&self, places: &[usize], jobs: usize, progress: &ProgressBar) -> Vec<Outcome> {
        let work: Vec<(Option<Fault>, usize)> = places
            .iter()
            .flat_map(|place| {
                let faults = Fault::ALL.iter().map(|fault| Some(*fault));
                [None].into_iter().chain(faults).map(move |fault| (fault, *place))
            })
            .collect();
        progress.set_length(work.len() as u64);
        let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    keep_panics_quiet();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some((fault, place)) = work.get(number) else { break };
                        let outcome = self.inject(*fault, *place);
                        let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                        outcomes.push((number, outcome));
                        progress.inc(1);
                    }
                });
            }
        });
        let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        outcomes.sort_by_key(|(number, _)| *number);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Puts a fault into the backend at a place, or none, and asks every question.
    fn inject(&self, fault: Option<Fault>, place: usize) -> Outcome {
        let sound = &self.backends[place];
        let injected = fault.map_or_else(|| fault::sound(sound), |fault| fault.inject(sound));
        let mut problems = Vec::new();
        let subjects: Vec<Subject> = self
            .backends
            .iter()
            .enumerate()
            .map(|(at, backend)| {
                Subject::new(if at == place { injected.backend() } else { backend })
            })
            .collect();
        let subjects: Vec<&Subject> = subjects.iter().collect();
        let mut found_by_questions: BTreeMap<String, usize> = BTreeMap::new();
        let mut touched = 0;
        for (vector, (right, is_judged)) in self.vectors.iter().zip(&self.answers) {
            let others = (0..subjects.len()).filter(|at| *at != place);
            for at in [place].into_iter().chain(others) {
                // The answers of the others do not change, unless the faulty one judges them.
                if at != place && !is_judged {
                    continue;
                }
                let before = injected.changes();
                let answer = ask(&vector.question, &subjects, at);
                let is_touched = injected.changes() != before;
                touched += usize::from(is_touched && at == place);
                let is_right = !answer.is_supported() || Some(&answer) == right.as_ref();
                if is_right {
                    continue;
                }
                let operation = vector.question.operation();
                if at == place && is_touched {
                    *found_by_questions.entry(operation).or_default() += 1;
                } else if at == place {
                    problems.push(format!("red though untouched: {operation}, {}", vector.name));
                } else if subjects.len() > 2 {
                    let name = subjects[at].name();
                    problems.push(format!("{name} is red: {operation}, {}", vector.name));
                }
            }
        }
        let of_fault = fault.map(Fault::found_by).unwrap_or_default();
        let fails = |name: &&&str| {
            let case = cases().iter().find(|case| case.name == **name);
            case.is_some_and(|case| run_case(case, injected.backend()).failure.is_some())
        };
        // One case is enough where no question shows the fault.
        let enough = if found_by_questions.is_empty() { 1 } else { 0 };
        let found_by_cases: Vec<&str> =
            of_fault.iter().filter(fails).take(enough).copied().collect();
        let is_found = !found_by_questions.is_empty() || !found_by_cases.is_empty();
        // A library without the operations has nothing that could be at fault.
        let is_there = |fault: Fault| {
            let operations = fault.operations();
            operations.is_empty()
                || operations.iter().any(|operation| sound.support(*operation).is_supported())
        };
        match fault {
            Some(fault) if !is_found && is_there(fault) => problems.push("not found".to_owned()),
            None if is_found || injected.changes() > 0 => {
                problems.push("found though there is no fault".to_owned());
            }
            _ => {}
        }
        Outcome {
            fault: fault.map_or("no-fault", Fault::name),
            backend: sound.info().name.to_owned(),
            touched,
            found_by_questions,
            found_by_cases,
            problems,
        }
    }
}

/// Returns the outcomes as a table for a terminal.
pub fn text(outcomes: &[Outcome]) -> String {
    let mut table = Table::new(["fault", "backend", "questions touched", "found by"]);
    for outcome in outcomes {
        let questions: usize = outcome.found_by_questions.values().sum();
        let found = match (questions, outcome.found_by_cases.first()) {
            _ if !outcome.passed() => outcome.problems.join("; "),
            (0, Some(case)) => format!("case {case}"),
            (0, None) => "nothing, as it must be".to_owned(),
            (count, _) => {
                let operations: Vec<_> =
                    outcome.found_by_questions.keys().map(String::as_str).collect();
                let (first, more) = operations.split_at(operations.len().min(2));
                let more = if more.is_empty() {
                    String::new()
                } else {
                    format!(" and {} more", more.len())
                };
                format!("{count} questions: {}{more}", first.join(", "))
            }
        };
        let touched = outcome.touched.to_string();
        table.row([outcome.fault.to_owned(), outcome.backend.clone(), touched, found]);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
    let kinds = Fault::ALL.len();
    format!(
        "{}\n{kinds} kinds of faults, {} drills: {} found where they are and nowhere else, \
         {failed} not\n",
        table.to_text(),
        outcomes.len(),
        outcomes.len() - failed
    )
}
