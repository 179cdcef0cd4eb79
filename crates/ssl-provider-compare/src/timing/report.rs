//! The results of a run as data: what `--json` prints, and what text, HTML and Markdown show.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The machine and the time.
    pub environment: Environment,
    /// What was asked for.
    pub settings: Settings,
    /// What was measured, controls included.
    pub subjects: Vec<SubjectReport>,
    /// What this machine cannot do, and why.
    pub not_measured: Vec<String>,
    /// What failed, and how.
    #[serde(default)]
    pub failed: Vec<String>,
}

/// The machine, the libraries and the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The date and time of the start, in UTC (RFC 3339).
    pub date: String,
    /// The model of the processor.
    pub processor: String,
    /// The operating system with its version.
    pub system: String,
    /// What local operations are measured with.
    pub meter: String,
    /// Libraries by the name of their backend.
    pub libraries: BTreeMap<String, String>,
    /// The version of this program.
    pub version: String,
    /// Whether the program was compiled with optimisation.
    pub optimised: bool,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Bits of the RSA key.
    pub bits: usize,
    /// The seed of inputs and orders.
    pub seed: u64,
    /// Whether it was a short run, which proves nothing.
    pub smoke: bool,
    /// Whether every class was compared with every other.
    pub all_pairs: bool,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The selection routine by itself.
    Selection,
    /// Whole imports.
    Import,
    /// Imports in batches of eight.
    Batch,
    /// A server in this process, through a socket.
    Socket,
    /// A server elsewhere.
    Server,
}

impl Kind {
    /// The smallest effect in nanoseconds that counts, below what a network could carry. Effects
    /// that occur only in the first of several timed selections appear diluted: a branch that is
    /// mispredicted once shows as a sixteenth of its cost.
    pub fn limit(self) -> f64 {
        match self {
            Self::Selection => 0.1,
            Self::Import | Self::Batch => 10.0,
            Self::Socket | Self::Server => 100.0,
        }
    }

    /// The effect in nanoseconds that is to be detectable, unless asked otherwise.
    pub fn target(self) -> f64 {
        match self {
            Self::Selection => 0.2,
            Self::Import | Self::Batch => 100.0,
            Self::Socket => 5_000.0,
            Self::Server => 20_000.0,
        }
    }

    /// Whose controls speak for it.
    pub fn control(self) -> Self {
        if self == Self::Batch { Self::Import } else { self }
    }
}

/// One timed operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectReport {
    /// Its name, unique in the report.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether a leak was planted in it, which must be found.
    pub is_control: bool,
    /// Blocks; each timed every class once.
    pub blocks: usize,
    /// Blocks that were left out, since the hypervisor took time in them.
    pub discarded_blocks: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// The smallest effect that counts, in nanoseconds.
    pub limit_ns: f64,
    /// The effect that was to be detectable, in nanoseconds.
    pub target_ns: f64,
    /// The classes, the reference first.
    pub classes: Vec<ClassReport>,
    /// The pairs that were compared.
    pub pairs: Vec<PairReport>,
}

/// One class of plaintext of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// Its name, unique in the subject.
    pub name: String,
    /// What is special about it.
    pub description: String,
    /// What it is for.
    pub role: Role,
    /// Quantiles of its times in nanoseconds, from 0 to 1 in equal steps.
    pub quantiles_ns: Vec<f64>,
    /// What a server has answered, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, u64>,
}

/// What a class is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The others are compared with it.
    Reference,
    /// It is like the reference: a difference shows that the measurement is wrong.
    Alike,
    /// A server takes it, but it may be treated otherwise, as by a cache.
    Good,
    /// A server must not take it, nor show that.
    Bad,
    /// The client adds a delay to it, which must be found.
    Delayed,
}

/// Two classes compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    /// The class.
    pub class: String,
    /// The class that it is compared with.
    pub reference: String,
    /// The trimmed mean of the differences in nanoseconds: 20 % are left out at either end.
    pub difference_ns: f64,
    /// Its standard error.
    pub standard_error_ns: f64,
    /// The bootstrap interval of the trimmed mean, with 95 % confidence.
    pub interval_ns: [f64; 2],
    /// The median of the differences.
    pub median_ns: f64,
    /// Differences above zero.
    pub positive: u64,
    /// Differences below zero.
    pub negative: u64,
    /// The probability of the sign test.
    pub sign_p: f64,
    /// The statistic of Wilcoxon's signed-rank test, in standard deviations.
    pub wilcoxon_z: f64,
    /// Its probability.
    pub wilcoxon_p: f64,
    /// The probability of the trimmed mean.
    pub mean_p: f64,
    /// The least of the three, corrected for their number (Bonferroni) and for the number of pairs
    /// of the run (Holm).
    pub corrected_p: f64,
    /// The effect in nanoseconds that would have been found with a probability of 95 %.
    pub detectable_ns: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    /// The time, or the answer, depends on the plaintext.
    Leak {
        /// By what.
        by: String,
    },
    /// There is none of this size, or a larger one.
    NoLeak {
        /// In nanoseconds.
        above_ns: f64,
    },
    /// Nothing can be said.
    Inconclusive {
        /// Why, and what to do.
        advice: String,
    },
    /// Of a control: the planted leak was found.
    Found,
    /// Of a control: the planted leak was not found.
    Missed,
    /// Of a control: this class has no planted leak.
    NotPlanted,
}

impl Verdict {
    /// A word for the table and for style: `leak`, `no leak`, `inconclusive`, `found`, `missed` or
    /// `-`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Leak { .. } => "leak",
            Self::NoLeak { .. } => "no leak",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Found => "found",
            Self::Missed => "missed",
            Self::NotPlanted => "-",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leak { by } => write!(f, "leak: {by}"),
            Self::NoLeak { above_ns } => write!(f, "no leak above {}", nanoseconds(*above_ns)),
            Self::Inconclusive { .. } => f.write_str(self.word()),
            Self::Found => f.write_str("planted leak found"),
            Self::Missed => f.write_str("planted leak not found"),
            Self::NotPlanted => f.write_str("-"),
        }
    }
}

impl Report {
    /// How many pairs have a verdict, controls left out: leaks, none, and inconclusive.
    pub fn counts(&self) -> [usize; 3] {
        let pairs = || {
            let subjects = self.subjects.iter().filter(|subject| !subject.is_control);
            subjects.flat_map(|subject| &subject.pairs)
        };
        let count = |is: fn(&Verdict) -> bool| pairs().filter(|pair| is(&pair.verdict)).count();
        [
            count(|it| matches!(it, Verdict::Leak { .. })),
            count(|it| matches!(it, Verdict::NoLeak { .. })),
            count(|it| matches!(it, Verdict::Inconclusive { .. })),
        ]
    }

    /// The advice of inconclusive pairs, each once behind the subjects that it is for, in their
    /// order.
    pub fn advice(&self) -> Vec<String> {
        let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
        for subject in &self.subjects {
            for pair in &subject.pairs {
                let Verdict::Inconclusive { advice } = &pair.verdict else { continue };
                match all.iter_mut().find(|(known, _)| known == advice) {
                    Some((_, names)) if names.contains(&subject.name.as_str()) => (),
                    Some((_, names)) => names.push(&subject.name),
                    None => all.push((advice, vec![&subject.name])),
                }
            }
        }
        all.into_iter().map(|(advice, names)| format!("{}: {advice}", names.join(", "))).collect()
    }

    /// Adds the subjects of another run, so that one document shows both.
    ///
    /// # Errors
    ///
    /// The name of a subject that both have, and other machines or settings.
    pub fn merge(&mut self, other: Self) -> Result<(), String> {
        let machine = |it: &Self| {
            let Environment { processor, system, libraries, version, optimised, .. } =
                it.environment.clone();
            (processor, system, libraries, version, optimised)
        };
        let comparable = |it: &Self| (machine(it), it.settings.smoke, it.settings.bits);
        if comparable(self) != comparable(&other) {
            return Err("the reports are of different machines, programs, keys or lengths".into());
        }
        for subject in other.subjects {
            if self.subjects.iter().any(|it| it.name == subject.name && it != &subject) {
                return Err(format!("both reports have the subject '{}'", subject.name));
            }
            if !self.subjects.contains(&subject) {
                self.subjects.push(subject);
            }
        }
        for (lines, of_other) in
            [(&mut self.not_measured, other.not_measured), (&mut self.failed, other.failed)]
        {
            for line in of_other {
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        Ok(())
    }
}

/// Writes a time with a unit that fits, and three digits.
pub(crate) fn nanoseconds(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    let (scaled, unit) = match size {
        _ if size < 1e3 => (value, "ns"),
        _ if size < 1e6 => (value / 1e3, "µs"),
        _ if size < 1e9 => (value / 1e6, "ms"),
        _ => (value / 1e9, "s"),
    };
    let digits = match scaled.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{scaled:.digits$} {unit}");
    // Rounded to zero, a negative number has no sign.
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

/// Writes a probability.
pub(crate) fn probability(value: f64) -> String {
    match value {
        _ if value >= 0.01 => format!("{value:.2}"),
        _ if value >= 1e-4 => format!("{value:.4}"),
        _ if value >= 1e-99 => format!("{value:.0e}"),
        _ => "<1e-99".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with a leak, a control, and an inconclusive pair.
    pub(crate) fn example() -> Report {
        let class = |name: &str, role, from: f64| ClassReport {
            name: name.to_owned(),
            description: format!("blocks <{name}>"),
            role,
            quantiles_ns: (0..=100).map(|step| from + f64::from(step)).collect(),
            answers: BTreeMap::new(),
        };
        let pair = |class: &str, difference_ns, verdict| PairReport {
            class: class.to_owned(),
            reference: "well formed".to_owned(),
            difference_ns,
            standard_error_ns: 1.5,
            interval_ns: [difference_ns - 3.0, difference_ns + 3.0],
            median_ns: difference_ns,
            positive: 600,
            negative: 400,
            sign_p: 0.25,
            wilcoxon_z: 1.0,
            wilcoxon_p: 0.3,
            mean_p: 0.5,
            corrected_p: 0.75,
            detectable_ns: 12.5,
            verdict,
        };
        let subject = |name: &str, is_control, verdicts: [Verdict; 2]| SubjectReport {
            name: name.to_owned(),
            kind: Kind::Import,
            is_control,
            blocks: 1000,
            discarded_blocks: 16,
            seconds: 2.5,
            limit_ns: 10.0,
            target_ns: 100.0,
            classes: vec![
                class("well formed", Role::Reference, 100.0),
                class("well formed too", Role::Alike, 100.0),
                class("no separator", Role::Bad, 130.0),
            ],
            pairs: ["well formed too", "no separator"]
                .into_iter()
                .zip(verdicts)
                .map(|(class, verdict)| pair(class, 1.5, verdict))
                .collect(),
        };
        let inconclusive = Verdict::Inconclusive { advice: "measure longer".to_owned() };
        Report {
            environment: Environment {
                date: "2026-11-30T12:00:00Z".to_owned(),
                processor: "a processor".to_owned(),
                system: "Linux 6.1".to_owned(),
                meter: "a clock".to_owned(),
                libraries: BTreeMap::from([("ring".to_owned(), "ring 0.17 & others".to_owned())]),
                version: "0.1.0".to_owned(),
                optimised: true,
            },
            settings: Settings { bits: 1024, seed: 1, smoke: false, all_pairs: false },
            subjects: vec![
                subject("control: 20 ns", true, [Verdict::NotPlanted, Verdict::Found]),
                subject(
                    "import with ring",
                    false,
                    [Verdict::NoLeak { above_ns: 12.5 }, Verdict::Leak { by: "31 ns".to_owned() }],
                ),
                subject(
                    "import with openssl",
                    false,
                    [Verdict::NoLeak { above_ns: 12.5 }, inconclusive],
                ),
            ],
            not_measured: vec!["batches: the processor has no AVX-IFMA".to_owned()],
            failed: Vec::new(),
        }
    }

    #[test]
    fn json_is_read_back_as_it_was() {
        let report = example();
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pair = &value["subjects"][1]["pairs"][0];
        assert_eq!(pair["verdict"]["is"], "no-leak");
        assert_eq!(pair["verdict"]["above_ns"], 12.5);
        assert_eq!(value["subjects"][1]["kind"], "import");
    }

    #[test]
    fn controls_do_not_count_and_advice_is_given_once() {
        assert_eq!(example().counts(), [1, 2, 1]);
        assert_eq!(example().advice(), ["import with openssl: measure longer"]);
        let mut report = example();
        report.subjects[1].pairs = report.subjects[2].pairs.clone();
        report.subjects[1].pairs[0].verdict = report.subjects[2].pairs[1].verdict.clone();
        let names = "import with ring, import with openssl";
        assert_eq!(report.advice(), [format!("{names}: measure longer")]);
    }

    #[test]
    fn reports_of_one_machine_are_merged() {
        let mut report = example();
        report.merge(example()).unwrap();
        assert_eq!(report, example(), "the same subjects once");
        let mut other = example();
        other.subjects[1].blocks = 7;
        assert!(report.clone().merge(other.clone()).unwrap_err().contains("import with ring"));
        other.subjects[1].name = "import with aws-lc".to_owned();
        report.merge(other.clone()).unwrap();
        assert_eq!(report.subjects.len(), 4);
        other.environment.processor.clear();
        assert!(report.merge(other).is_err());
    }

    #[test]
    fn times_and_probabilities_have_few_digits() {
        for (value, text) in [
            (0.123_4, "0.123 ns"),
            (-12.34, "-12.3 ns"),
            (-0.000_4, "0.000 ns"),
            (1234.0, "1.23 µs"),
            (2_500_000.0, "2.50 ms"),
            (3e9, "3.00 s"),
            (f64::INFINITY, "unknown"),
        ] {
            assert_eq!(nanoseconds(value), text);
        }
        for (value, text) in [(1.0, "1.00"), (0.001, "0.0010"), (3e-12, "3e-12"), (0.0, "<1e-99")] {
            assert_eq!(probability(value), text);
        }
    }
}
