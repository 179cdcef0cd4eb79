//! What a run has measured, as it is written to JSON and read back for a comparison.

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::statistics::{Interval, Noise};

/// The `format` of every report.
pub const FORMAT: &str = "sslprov-bench";

/// The version of the format; readers refuse others.
pub const VERSION: u32 = 1;

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The machine, and how busy it was.
    pub machine: Machine,
    /// The backends with the versions of their libraries.
    pub backends: Vec<BackendVersion>,
    /// The time that was asked for, in seconds.
    pub seconds: f64,
    /// The noise of the run, as A/A pairs show it.
    pub noise: Noise,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What other programs say about themselves.
    pub peers: Vec<Peer>,
    /// What could not be measured, and why.
    pub notes: Vec<String>,
}

/// What another program says about its own speed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// The program with its version.
    pub program: String,
    /// What it measured, such as `rsa2048 private`.
    pub measured: String,
    /// Nanoseconds of one operation.
    pub nanoseconds: f64,
    /// Group, case, operation and x of the row that does the same.
    pub group: String,
    /// See `group`.
    pub case: String,
    /// See `group`.
    pub operation: String,
    /// See `group`.
    pub x: Option<u64>,
    /// The backend of that row.
    pub backend: String,
}

impl Peer {
    /// Returns the row that does the same.
    pub fn row<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        let Self { group, case, operation, x, backend, .. } = self.clone();
        let same = Row { group, case, operation, x, backend, ..Row::default() };
        rows.iter().find(|row| row.is_same(&same))
    }
}

/// A backend and its library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendVersion {
    /// The name of the backend.
    pub name: String,
    /// The library with its version.
    pub library: String,
}

/// One measured operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The name of the group, such as `records`.
    pub group: String,
    /// The case within the group, such as a cipher.
    pub case: String,
    /// The backend.
    pub backend: String,
    /// The operation, such as `encrypt`.
    pub operation: String,
    /// The size, number of threads or number of operations at once; the group says which.
    pub x: Option<u64>,
    /// Nanoseconds of one operation.
    pub time: Interval,
    /// How many rounds were measured.
    pub rounds: usize,
    /// The medians of the two halves of the run, in nanoseconds: an A/A pair. `None` for what is
    /// computed from other rows, whose noise is that of all of them.
    pub halves: Option<[f64; 2]>,
    /// Bytes of payload that an operation protects.
    pub bytes: Option<u64>,
    /// What was measured in turns with it.
    pub other: Option<Other>,
    /// How long single operations took under load.
    pub latency: Option<Latency>,
}

/// What an operation is compared with, such as the library called directly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// The name.
    pub name: String,
    /// Nanoseconds of one operation.
    pub time: Interval,
    /// The time of the row relative to this one, of the same rounds.
    pub ratio: Interval,
}

/// Percentiles of the time of single operations, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half take no longer.
    pub p50: f64,
    /// 90 % take no longer.
    pub p90: f64,
    /// 99 % take no longer.
    pub p99: f64,
    /// 99.9 % take no longer; `None` with fewer than 1000 operations.
    pub p999: Option<f64>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            group: String::new(),
            case: String::new(),
            backend: String::new(),
            operation: String::new(),
            x: None,
            time: Interval { median: 0.0, low: 0.0, high: 0.0 },
            rounds: 0,
            halves: None,
            bytes: None,
            other: None,
            latency: None,
        }
    }
}

impl Row {
    /// Whether both are of the same operation.
    pub fn is_same(&self, other: &Self) -> bool {
        let key = |row: &Self| {
            let Self { group, case, backend, operation, x, .. } = row.clone();
            (group, case, backend, operation, x)
        };
        key(self) == key(other)
    }
}

impl Report {
    /// Returns the noise of a group, or of all of them.
    pub fn noise_of(&self, group: Option<&str>) -> Noise {
        let rows = self.rows.iter().filter(|row| group.is_none_or(|group| row.group == group));
        let pairs: Vec<[f64; 2]> = rows.filter_map(|row| row.halves).collect();
        Noise::of(&pairs)
    }

    /// Returns the report as JSON, with a line feed at its end.
    pub fn to_json(&self) -> String {
        // Strings and numbers into memory: neither the types nor the writing can fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads a report.
    ///
    /// # Errors
    ///
    /// The text says why it is not one.
    pub fn from_json(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            version: Option<u32>,
        }
        let head: Head =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(format!("not a report of `bench --json`: its format is not {FORMAT}"));
        }
        if head.version != Some(VERSION) {
            let found = head.version.map_or("none".to_owned(), |version| version.to_string());
            return Err(format!(
                "version {found} of the format, expected {VERSION}; measure again"
            ));
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with these rows, for tests of what reads reports.
    pub(crate) fn report(rows: Vec<Row>) -> Report {
        Report {
            format: FORMAT.into(),
            version: VERSION,
            machine: super::super::machine::tests::machine(),
            backends: vec![BackendVersion { name: "aws-lc".into(), library: "AWS-LC 1".into() }],
            seconds: 60.0,
            noise: Noise { median: 1.001, most: 1.01, pairs: 10 },
            rows,
            peers: Vec::new(),
            notes: vec!["no `openssl` program".into()],
        }
    }

    /// A row with this median, an interval of 1 % around it, and a library of half the time.
    pub(crate) fn row(group: &str, backend: &str, x: Option<u64>, median: f64) -> Row {
        let around = |median: f64| Interval { median, low: median * 0.99, high: median * 1.01 };
        Row {
            group: group.into(),
            case: "a case".into(),
            backend: backend.into(),
            operation: "an operation".into(),
            x,
            time: around(median),
            rounds: 100,
            halves: Some([median, median * 1.001]),
            bytes: None,
            other: Some(Other {
                name: "library".into(),
                time: around(median / 2.0),
                ratio: around(2.0),
            }),
            latency: None,
        }
    }

    #[test]
    fn reports_survive_json() {
        let latency = Latency { p50: 1.5, p90: 2.0, p99: 3.0, p999: None };
        let mut loaded = row("threads", "aws-lc", Some(2), 123.456);
        (loaded.latency, loaded.other) = (Some(latency), None);
        let report = report(vec![row("import", "aws-lc", None, 2e5), loaded]);
        assert_eq!(Report::from_json(&report.to_json()), Ok(report));
    }

    #[test]
    fn other_files_are_refused_with_the_reason() {
        let other_version = report(vec![]).to_json().replace("\"version\": 1", "\"version\": 2");
        for (text, reason) in [
            ("", "not JSON"),
            ("{}", "not a report of `bench --json`"),
            ("[1]", "not JSON"),
            (&other_version, "version 2 of the format, expected 1"),
            (&report(vec![]).to_json().replace("noise", "nose"), "missing field `noise`"),
        ] {
            let told = Report::from_json(text).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }

    #[test]
    fn the_same_operation_is_found_by_everything_but_times() {
        let one = row("records", "aws-lc", Some(64), 1.0);
        assert!(one.is_same(&row("records", "aws-lc", Some(64), 2.0)));
        assert!(!one.is_same(&row("records", "aws-lc", Some(65), 1.0)));
        assert!(!one.is_same(&row("records", "ring", Some(64), 1.0)));
    }
}
