//! What became of every question: a matrix of operation, protocol and group of cases by backend,
//! and the disagreements.

use std::collections::BTreeMap;

use serde::Serialize;
use ssl_provider_testkit::question::Vector;

/// A row of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RowKey {
    /// Where the questions are from, such as `generated`.
    pub group: String,
    /// What is done, such as `HMAC-SHA-256`.
    pub operation: String,
    /// The protocol, such as `TLS 1.2`, of questions that are of one.
    pub protocol: Option<String>,
}

/// How often each answer was given by a backend in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Right answers.
    pub agree: usize,
    /// Others.
    pub disagree: usize,
    /// Questions that the backend does not support.
    pub unsupported: usize,
    /// Answers that nothing is there to judge.
    pub unjudged: usize,
    /// Cases that could not run, since published vectors are absent.
    pub skipped: usize,
    /// Answers that took longer than the limit, whatever they were.
    pub slow: usize,
}

/// What a cell comes to, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A question was answered differently.
    Disagree,
    /// All answers are right, and one took longer than the limit.
    Slow,
    /// All questions that are supported were answered alike.
    Agree,
    /// The answers are of this backend alone, and nothing is there to judge them.
    Unjudged,
    /// Nothing of it ran, since published vectors are absent.
    Skipped,
    /// The backend supports none of it.
    Unsupported,
}

impl State {
    /// Returns the name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disagree => "disagree",
            Self::Slow => "slow",
            Self::Agree => "agree",
            Self::Unjudged => "unjudged",
            Self::Skipped => "skipped",
            Self::Unsupported => "unsupported",
        }
    }
}

impl Cell {
    /// Returns what the cell comes to.
    pub fn state(&self) -> State {
        match self {
            Self { disagree: 1.., .. } => State::Disagree,
            Self { slow: 1.., .. } => State::Slow,
            Self { agree: 1.., .. } => State::Agree,
            Self { unjudged: 1.., .. } => State::Unjudged,
            Self { skipped: 1.., .. } => State::Skipped,
            _ => State::Unsupported,
        }
    }

    fn add(&mut self, other: &Self) {
        self.agree += other.agree;
        self.disagree += other.disagree;
        self.unsupported += other.unsupported;
        self.unjudged += other.unjudged;
        self.skipped += other.skipped;
        self.slow += other.slow;
    }

    /// Returns the sum of cells.
    pub fn sum<'a>(cells: impl Iterator<Item = &'a Self>) -> Self {
        cells.fold(Self::default(), |mut sum, cell| {
            sum.add(cell);
            sum
        })
    }
}

/// The answers to one question that is kept, to be looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// The question, or the case, by name.
    pub name: String,
    /// What each backend answered, in the order of the matrix.
    pub answers: Vec<String>,
}

/// A row with its cells.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// One cell for each backend.
    pub cells: Vec<Cell>,
    /// Some of the questions, with the answers.
    pub samples: Vec<Sample>,
}

/// A wrong answer.
#[derive(Clone, Debug, Serialize)]
pub struct Disagreement {
    /// The backend that gave it.
    pub backend: String,
    /// The row that it is counted in.
    #[serde(flatten)]
    pub row: RowKey,
    /// The question or the case, by name.
    pub name: String,
    /// The smallest question found that shows it; none for a conformance case.
    pub vector: Option<Vector>,
    /// The right answer, if anybody knows it; for a case, none.
    pub expected: Option<String>,
    /// What was answered: by each backend in the order of the matrix, or by the one that failed a
    /// case.
    pub answers: Vec<String>,
    /// A test in Rust that fails because of it.
    pub test: String,
}

/// The result of a whole run.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// The names of the backends.
    pub backends: Vec<String>,
    /// The rows.
    pub rows: BTreeMap<RowKey, Row>,
    /// Wrong answers: some of each cell, as many as are worth reading.
    pub disagreements: Vec<Disagreement>,
    /// Questions and cases that were asked.
    pub asked: usize,
}

/// Samples that are kept of a row.
const SAMPLES: usize = 5;

impl Matrix {
    /// Returns an empty matrix for these backends.
    pub fn new(backends: Vec<String>) -> Self {
        Self { backends, ..Self::default() }
    }

    /// Adds what the backends answered to a question, or what one of them did in a case.
    pub fn add(&mut self, key: RowKey, cells: &[Cell], sample: Sample) {
        let columns = self.backends.len();
        let row = self.rows.entry(key).or_default();
        row.cells.resize(columns, Cell::default());
        for (sum, cell) in row.cells.iter_mut().zip(cells) {
            sum.add(cell);
        }
        let is_remarkable = cells.iter().any(|cell| cell.disagree + cell.slow > 0);
        if row.samples.len() < SAMPLES || is_remarkable && row.samples.len() < 4 * SAMPLES {
            row.samples.push(sample);
        }
        self.asked += 1;
    }

    /// Gives a backend another name, such as one that tells of a planted fault.
    pub fn rename(&mut self, from: &str, to: &str) {
        let of_disagreements = self.disagreements.iter_mut().map(|it| &mut it.backend);
        for name in self.backends.iter_mut().chain(of_disagreements).filter(|it| **it == from) {
            to.clone_into(name);
        }
    }

    /// Returns what the whole comes to: the worst state of any cell.
    pub fn state(&self) -> State {
        let cells = self.rows.values().flat_map(|row| &row.cells);
        cells.map(Cell::state).min().unwrap_or(State::Skipped)
    }

    /// Returns the rows with protocols and groups added up, in the order of the operations.
    pub fn by_operation(&self) -> BTreeMap<&str, Vec<Cell>> {
        let mut sums: BTreeMap<&str, Vec<Cell>> = BTreeMap::new();
        for (key, row) in &self.rows {
            let cells = sums.entry(&key.operation).or_default();
            cells.resize(self.backends.len(), Cell::default());
            for (sum, cell) in cells.iter_mut().zip(&row.cells) {
                sum.add(cell);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(protocol: &str) -> RowKey {
        RowKey {
            group: "generated".to_owned(),
            operation: "Finished".to_owned(),
            protocol: Some(protocol.to_owned()),
        }
    }

    fn sample() -> Sample {
        Sample { name: "a question".to_owned(), answers: Vec::new() }
    }

    #[test]
    fn the_worst_cell_decides() {
        let agree = Cell { agree: 1, ..Cell::default() };
        let unsupported = Cell { unsupported: 1, ..Cell::default() };
        let mut matrix = Matrix::new(vec!["one".to_owned(), "two".to_owned()]);
        assert_eq!(matrix.state(), State::Skipped);
        matrix.add(key("TLS 1.2"), &[agree, unsupported], sample());
        assert_eq!(matrix.state(), State::Agree);
        matrix.add(key("TLS 1.2"), &[Cell { slow: 1, ..agree }, agree], sample());
        assert_eq!(matrix.state(), State::Slow);
        matrix.add(key("TLS 1.1"), &[agree, Cell { disagree: 1, ..Cell::default() }], sample());
        assert_eq!(matrix.state(), State::Disagree);
        let sums = matrix.by_operation();
        let states: Vec<State> = sums["Finished"].iter().map(Cell::state).collect();
        assert_eq!(states, [State::Slow, State::Disagree]);
        assert_eq!(matrix.asked, 3);
    }

    #[test]
    fn a_disagreement_is_kept_also_behind_many_samples() {
        let agree = Cell { agree: 1, ..Cell::default() };
        let mut matrix = Matrix::new(vec!["one".to_owned()]);
        for _ in 0..100 {
            matrix.add(key("TLS 1.2"), &[agree], sample());
        }
        let disagree = Cell { disagree: 1, ..Cell::default() };
        let name = "the one that differs".to_owned();
        matrix.add(key("TLS 1.2"), &[disagree], Sample { name: name.clone(), answers: vec![] });
        let samples = &matrix.rows[&key("TLS 1.2")].samples;
        assert_eq!((samples.len(), &samples[5].name), (SAMPLES + 1, &name));
    }
}
