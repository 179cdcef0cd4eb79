//! Asks the questions and runs the cases, on all processors, with progress.

use std::cell::Cell as Local;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use ssl_provider::HashAlgorithm;
use ssl_provider_testkit::bytes::to_hex;
use ssl_provider_testkit::question::compare::{Comparison, Verdict, as_test, ask, shrink};
use ssl_provider_testkit::question::generate::Generator;
use ssl_provider_testkit::question::{Answer, Subject, Vector};
use ssl_provider_testkit::{Case, cases, reference, run as run_case};

use super::Extra;
use super::matrix::{Cell, Disagreement, Matrix, RowKey, Sample};

/// What is asked.
#[derive(Debug)]
pub struct Plan {
    /// Questions that are made when their turn comes: their number, and how.
    pub generated: Option<(usize, Generator)>,
    /// Questions of others.
    pub vectors: Extra,
    /// Whether the conformance cases run.
    pub cases: bool,
    /// An answer that takes longer is slow.
    pub limit: Duration,
    /// Threads.
    pub jobs: usize,
    /// Only operations whose name has this in it.
    pub only: Option<String>,
}

/// A piece of work: a number below the count of its kind.
enum Piece {
    Generated(usize),
    Vector(usize),
    /// A case on a backend.
    Case(&'static Case, usize),
}

impl Plan {
    fn pieces(&self, backends: usize) -> Vec<Piece> {
        let generated = self.generated.as_ref().map_or(0, |(count, _)| *count);
        let mut pieces: Vec<Piece> = Vec::new();
        // The cases take longest, so they begin.
        if self.cases {
            let is_wanted = |case: &&Case| self.is_wanted(&operation_of(case));
            for case in cases().iter().filter(is_wanted) {
                pieces.extend((0..backends).map(|backend| Piece::Case(case, backend)));
            }
        }
        pieces.extend((0..self.vectors.len()).map(Piece::Vector));
        pieces.extend((0..generated).map(Piece::Generated));
        pieces
    }

    fn is_wanted(&self, operation: &str) -> bool {
        let lower = operation.to_lowercase();
        self.only.as_ref().is_none_or(|text| lower.contains(&text.to_lowercase()))
    }
}

/// The row of a conformance case: its module.
fn operation_of(case: &Case) -> String {
    let module = case.name.split("::").next().unwrap_or(case.name);
    format!("cases of {}", module.replace('_', " "))
}

/// Wrong answers of a cell that are reduced and kept; the others are counted.
const KEPT_OF_A_CELL: usize = 3;

/// The group of the conformance cases.
pub const CASES: &str = "cases";
/// The group of the questions that are made from a seed.
pub const GENERATED: &str = "generated";

/// Runs a plan on all backends.
pub fn run(plan: &Plan, subjects: &[Subject], progress: &ProgressBar) -> Matrix {
    let subjects: Vec<&Subject> = subjects.iter().collect();
    let names = subjects.iter().map(|subject| subject.name().to_owned()).collect();
    let collected = Collected {
        matrix: Mutex::new(Matrix::new(names)),
        kept: Mutex::default(),
        subjects: &subjects,
        plan,
    };
    let pieces = plan.pieces(subjects.len());
    progress.set_length(pieces.len() as u64);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                keep_panics_quiet();
                while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                    collected.ask(piece);
                    progress.inc(1);
                }
            });
        }
    });
    let mut matrix = collected.matrix.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Threads find them in any order.
    matrix.disagreements.sort_by(|one, other| {
        (&one.row, &one.backend, &one.name).cmp(&(&other.row, &other.backend, &other.name))
    });
    matrix
}

struct Collected<'a> {
    matrix: Mutex<Matrix>,
    /// How many wrong answers of a cell are kept.
    kept: Mutex<BTreeMap<(RowKey, usize), usize>>,
    subjects: &'a [&'a Subject],
    plan: &'a Plan,
}

impl Collected<'_> {
    fn ask(&self, piece: &Piece) {
        match piece {
            Piece::Case(case, backend) => self.run_case(case, *backend),
            Piece::Vector(number) => {
                if let Some(asked) = self.plan.vectors.get(*number) {
                    self.compare(asked.group, &asked.vector, asked.is_confidential);
                }
            }
            Piece::Generated(number) => {
                if let Some((_, generator)) = &self.plan.generated {
                    let make = |makers: &[&Subject]| generator.vector(*number, makers);
                    // A backend may fail as a maker of a part too; its own question shows that.
                    let made = catch_unwind(AssertUnwindSafe(|| make(self.subjects)));
                    self.compare(GENERATED, &made.unwrap_or_else(|_| make(&[])), false);
                }
            }
        }
    }

    fn compare(&self, group: &str, vector: &Vector, is_confidential: bool) {
        let operation = vector.question.operation();
        if !self.plan.is_wanted(&operation) {
            return;
        }
        let protocol = vector.question.protocol().map(|protocol| protocol.to_string());
        let row = RowKey { group: group.to_owned(), operation, protocol };
        let mut slow = vec![false; self.subjects.len()];
        let mut answers = Vec::new();
        for (at, slow) in slow.iter_mut().enumerate() {
            let start = Instant::now();
            answers.push(ask(&vector.question, self.subjects, at));
            *slow = start.elapsed() > self.plan.limit;
        }
        let comparison = Comparison::judge(answers, vector);
        let cells: Vec<Cell> = comparison
            .verdicts
            .iter()
            .zip(slow)
            .map(|(verdict, slow)| Cell {
                agree: usize::from(*verdict == Verdict::Agrees),
                disagree: usize::from(*verdict == Verdict::Disagrees),
                unsupported: usize::from(*verdict == Verdict::Unsupported),
                unjudged: usize::from(*verdict == Verdict::Unjudged),
                slow: usize::from(slow),
                skipped: 0,
            })
            .collect();
        let shown = |answer: &Answer| match is_confidential {
            true => hashed(answer),
            false => answer.to_string(),
        };
        let answers: Vec<String> = comparison.answers.iter().map(shown).collect();
        for (at, cell) in cells.iter().enumerate() {
            if cell.disagree > 0 && self.is_kept(&row, at) {
                let smallest = (!is_confidential).then(|| shrink(vector, self.subjects, at));
                self.keep(Disagreement {
                    backend: self.subjects[at].name().to_owned(),
                    row: row.clone(),
                    name: vector.name.clone(),
                    test: smallest.as_ref().map_or_else(|| CONFIDENTIAL.to_owned(), as_test),
                    vector: smallest,
                    expected: comparison.right.as_ref().map(shown),
                    answers: answers.clone(),
                });
            }
        }
        self.add(row, &cells, Sample { name: vector.name.clone(), answers });
    }

    fn run_case(&self, case: &Case, at: usize) {
        let start = Instant::now();
        let outcome = run_case(case, self.subjects[at].backend());
        // A case asks hundreds of questions.
        let slow = start.elapsed() > 100 * self.plan.limit;
        let mut cells = vec![Cell::default(); self.subjects.len()];
        let (failed, skipped) = (outcome.failure.is_some(), outcome.skipped);
        cells[at] = Cell {
            agree: usize::from(!failed && !skipped),
            disagree: usize::from(failed),
            skipped: usize::from(skipped),
            slow: usize::from(slow),
            ..Cell::default()
        };
        let row = RowKey { group: CASES.to_owned(), operation: operation_of(case), protocol: None };
        let answer = match (&outcome.failure, skipped) {
            (Some(message), _) => message.clone(),
            (None, true) => "skipped: published vectors are absent".to_owned(),
            (None, false) => "passed".to_owned(),
        };
        let backend = self.subjects[at].name();
        if failed && self.is_kept(&row, at) {
            self.keep(Disagreement {
                backend: backend.to_owned(),
                row: row.clone(),
                name: case.name.to_owned(),
                vector: None,
                expected: None,
                answers: vec![answer.clone()],
                test: test_of_case(case, backend),
            });
        }
        let mut answers = vec![String::new(); self.subjects.len()];
        answers[at] = answer;
        self.add(row, &cells, Sample { name: case.name.to_owned(), answers });
    }

    fn is_kept(&self, row: &RowKey, at: usize) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let count = kept.entry((row.clone(), at)).or_default();
        *count += 1;
        *count <= KEPT_OF_A_CELL
    }

    fn keep(&self, disagreement: Disagreement) {
        let mut matrix = self.matrix.lock().unwrap_or_else(PoisonError::into_inner);
        matrix.disagreements.push(disagreement);
    }

    fn add(&self, row: RowKey, cells: &[Cell], sample: Sample) {
        self.matrix.lock().unwrap_or_else(PoisonError::into_inner).add(row, cells, sample);
    }
}

/// In place of a test that would hold somebody's key.
const CONFIDENTIAL: &str = "// None is written: it would hold the private key.\n";

/// An answer without what may be secret.
fn hashed(answer: &Answer) -> String {
    match answer {
        Answer::Bytes(bytes) => {
            let hash = reference::hash(HashAlgorithm::Sha256, &[bytes]);
            format!("SHA-256 {}", to_hex(&hash))
        }
        // The message of a panic may hold anything.
        Answer::Defect(_) => "a defect".to_owned(),
        other => other.to_string(),
    }
}

/// Returns a test in Rust that runs a case on a backend.
fn test_of_case(case: &Case, backend: &str) -> String {
    let function = case.name.rsplit("::").next().unwrap_or(case.name);
    format!(
        "#[test]\nfn {function}() {{\n    let backend = ssl_provider::backend(\"{backend}\");\n    \
         let backend = backend.expect(\"compiled in or registered\");\n    \
         ssl_provider_testkit::cases::{}(&backend);\n}}\n",
        case.name
    )
}

thread_local! {
    /// Whether this thread asks questions, whose panics are answers.
    static ASKING: Local<bool> = const { Local::new(false) };
}

/// Keeps panics on this thread quiet from now on: they are in the report.
pub(super) fn keep_panics_quiet() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !ASKING.get() {
                before(info);
            }
        }));
    });
    ASKING.set(true);
}
