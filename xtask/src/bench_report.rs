//! `cargo xtask bench-report`: runs the benchmarks and writes docs/benchmarks.md, with charts.
//! All figures of a report are from one run; times depend on the machine, ratios less so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::chart::{self, Bar, distinct};
use crate::command::Run;
use crate::features::all_of_facade;
use crate::multi_buffer::bench::{self, Comparison};
use crate::workspace::Workspace;

/// Runs the benchmarks, unless the last run is to be used, and writes the report.
///
/// # Errors
///
/// Fails when a benchmark does, and when a file cannot be read or written.
pub(crate) fn run(workspace: &Workspace, quick: bool, no_run: bool) -> Result<()> {
    let directory = workspace.target("bench-report");
    let notes = directory.join("notes.jsonl");
    if !no_run {
        workspace.empty_target("bench-report")?;
        fs::write(directory.join("load"), load_average()).context("cannot record the load")?;
        let short: &[&str] = if quick {
            &["--sample-size", "10", "--warm-up-time", "0.1", "--measurement-time", "0.2"]
        } else {
            &[]
        };
        Run::cargo("bench")
            .env("CRITERION_HOME", &directory)
            .env("SSL_PROVIDER_BENCH_NOTES", &notes)
            .args(["--package", "ssl-provider-benches", "--"])
            .args(short)
            .run(workspace)?;
        let extent = if quick { bench::QUICK } else { bench::USUAL };
        fs::write(directory.join(COMPARISON), bench::measure(workspace, extent)?)
            .context("cannot record the comparison with crypto_mb")?;
    }
    let notes = fs::read_to_string(&notes).context("there is no run to report")?;
    let notes = parse_notes(&notes)?;
    let mut times = read_times(&directory)?;
    times.extend(noted_times(&notes));
    let comparison = fs::read_to_string(directory.join(COMPARISON))
        .context("the last run has no comparison with crypto_mb")?;
    let measured = Measured {
        times,
        notes,
        comparison: Comparison::parse(&comparison)?,
        environment: environment(workspace, &directory)?,
        quick,
    };
    ensure!(!measured.times.is_empty(), "the benchmarks measured nothing");

    // A quick run shows that everything works; its figures are not for quoting.
    let docs = if quick { directory.clone() } else { workspace.root().join("docs") };
    let charts = docs.join("benchmarks");
    fs::create_dir_all(&charts).context("cannot create the folder of the charts")?;
    for group in &GROUPS {
        let svg = chart::render(group.title, group.unit, &group.bars(&measured));
        fs::write(charts.join(format!("{}.svg", group.name)), svg)
            .context("cannot write a chart")?;
    }
    let report = docs.join("benchmarks.md");
    fs::write(&report, render(&measured)?).context("cannot write the report")?;
    println!("{}: written, with {} charts", report.display(), GROUPS.len());
    Ok(())
}

/// Runs every benchmark once, without measuring, in the debug build that the tests have made.
///
/// # Errors
///
/// Fails when a benchmark does.
pub(crate) fn run_once(workspace: &Workspace) -> Result<()> {
    Run::cargo("test")
        .args(["--quiet", "--workspace", "--bench", "*", "--features", &all_of_facade()])
        .args(["--", "--test"])
        .run(workspace)
}

/// The file with the lines of the comparison with crypto_mb.
const COMPARISON: &str = "multi-buffer.jsonl";

/// The group whose section is followed by that comparison.
const BEFORE_COMPARISON: &str = "multi_buffer_single";

/// A group of benchmarks that is one section of the report and one chart.
struct Group {
    /// Its name in criterion, and of its chart.
    name: &'static str,
    title: &'static str,
    /// The meaning of its values.
    unit: &'static str,
    /// The meaning of a row.
    row: &'static str,
    /// The function by which backends are compared.
    compared: Option<&'static str>,
    /// The text before the table.
    text: &'static str,
}

const IMPORT_TEXT: &str = "`import_master_key` is the whole operation: RSA, padding check, version \
    check, the fallback premaster that is always computed, and the master secret. `raw` is the raw \
    RSA private operation of the same library through our trait, `library` is the library called \
    directly. The three run in turns. The paired ratios are medians over rounds, with the 95 % \
    confidence interval.";

const GROUPS: [Group; 18] = [
    import("rsa-2048", "Import of a master key, RSA with 2048 bits", IMPORT_TEXT),
    import("rsa-3072", "Import of a master key, RSA with 3072 bits", "As above."),
    import("rsa-4096", "Import of a master key, RSA with 4096 bits", "As above."),
    Group {
        name: "prf",
        title: "PRF, the 48 bytes of a master secret",
        unit: "time of one call, shorter is faster",
        row: "backend",
        compared: Some("SHA-256"),
        text: "One column for each algorithm.",
    },
    Group {
        name: "premaster",
        title: "Padding check, version check and selection",
        unit: "time of one call, shorter is faster",
        row: "modulus, bits",
        compared: None,
        text: "The only routine that examines the decrypted block; every backend uses it.",
    },
    Group {
        name: "multi_buffer",
        title: "Sixteen private operations",
        unit: "time of the batch on one core, shorter is faster",
        row: "key",
        compared: None,
        text: "With the default backend's library one by one, and with multi-buffer RSA around it, \
            on processors with AVX-512 IFMA or AVX-IFMA.",
    },
    Group {
        name: "multi_buffer_single",
        title: "One private operation, RSA with 2048 bits",
        unit: "time of one operation on one core, shorter is faster",
        row: "backend",
        compared: None,
        text: "With the backend's library, and with multi-buffer RSA around the same backend, on \
            processors with AVX-512 IFMA or AVX-IFMA. Multi-buffer RSA runs single operations \
            where the library has portable code, and for shorter keys with every library.",
    },
    Group {
        name: "record-gcm",
        title: "A record of 16 KiB, AES-128-GCM",
        unit: "time of one record, shorter is faster",
        row: "backend",
        compared: None,
        text: "`encrypt_packet` writes the whole record to another buffer; `library` encrypts the \
            same payload from one buffer to another with the library alone. ring encrypts only in \
            place: there, both copy the payload first.",
    },
    Group {
        name: "record-gcm-in-place",
        title: "A record of 16 KiB in place, AES-128-GCM",
        unit: "time of one record, shorter is faster",
        row: "backend",
        compared: None,
        text: "`encrypt_in_place` builds the record around the payload in its buffer; `library` \
            encrypts the same payload in place with the library alone.",
    },
    Group {
        name: "record-cbc",
        title: "A record of 16 KiB, AES-128-CBC with SHA-1",
        unit: "time of one record, shorter is faster",
        row: "backend",
        compared: None,
        text: "`decrypt_packet` checks padding and MAC in constant time (Lucky Thirteen); `cipher \
            and hmac` is one decryption and one HMAC of the backend. ring's HMAC with SHA-1 is \
            slow; its records use RustCrypto's compression function.",
    },
    Group {
        name: "c_interface",
        title: "The C interface",
        unit: "time of one import, RSA with 2048 bits, shorter is faster",
        row: "backend",
        compared: None,
        text: "`SslImportMasterKey` and `SslFreeObject`, compared with the same import in Rust.",
    },
    handshake("agreement-x25519", "Key agreement, X25519", AGREEMENT_TEXT),
    handshake("agreement-secp256r1", "Key agreement, P-256", "As above."),
    handshake("agreement-secp384r1", "Key agreement, P-384", "As above."),
    handshake("signing-rsa-pkcs1", "Signing, RSA with 2048 bits, PKCS#1 v1.5", SIGNING_TEXT),
    handshake("signing-rsa-pss", "Signing, RSA with 2048 bits, PSS", "As above."),
    handshake("signing-ecdsa-p256", "Signing, ECDSA on P-256", "As above."),
    Group {
        name: "handle_lookup",
        title: "Looking up a handle",
        unit: "time of one lookup in each thread, shorter is faster",
        row: "live handles",
        compared: None,
        text: "`1 thread` and `2 threads` look up the same 64 handles per thread again and again, \
            among this many live ones; equal times mean that two threads do twice the work of one. \
            `1 thread, cold` looks up all live handles in an order that defeats the caches.",
    },
];

const AGREEMENT_TEXT: &str = "One side of an ECDHE: a new key, its public key as bytes, and the \
    master secret with the peer's, also as bytes. `generate_master_key` is that through our \
    layers, `library` the library called directly, with the PRF that the backend takes from it. \
    The two run in turns.";

const SIGNING_TEXT: &str = "A signature over a digest of SHA-256. `sign` is `SigningKey::sign`, \
    `library` the library called directly, for PSS by its own function for that. The ring backend \
    signs with RustCrypto. The two run in turns.";

const fn handshake(name: &'static str, title: &'static str, text: &'static str) -> Group {
    Group {
        name,
        title,
        unit: "time of one operation on one core, shorter is faster",
        row: "backend",
        compared: None,
        text,
    }
}

const fn import(name: &'static str, title: &'static str, text: &'static str) -> Group {
    Group {
        name,
        title,
        unit: "operations per second on one core, longer is faster",
        row: "backend",
        compared: Some("import_master_key"),
        text,
    }
}

impl Group {
    fn is_rate(&self) -> bool {
        self.name.starts_with("rsa-")
    }

    /// The times of the group: function, then row, in the order of the report.
    fn cells<'a>(&self, measured: &'a Measured) -> Vec<(&'a Key, f64)> {
        let mut cells: Vec<_> = measured
            .times
            .iter()
            .filter(|(key, _)| key.group == self.name)
            .map(|(key, nanoseconds)| (key, *nanoseconds))
            .collect();
        cells.sort_by_key(|(key, _)| (rank(&key.row), turn(&key.function), &key.function));
        cells
    }

    fn bars(&self, measured: &Measured) -> Vec<Bar> {
        self.cells(measured)
            .into_iter()
            .map(|(key, nanoseconds)| Bar {
                label: key.row.clone(),
                series: key.function.clone(),
                value: if self.is_rate() { 1e9 / nanoseconds } else { nanoseconds },
                shown: self.shown(nanoseconds),
            })
            .collect()
    }

    fn shown(&self, nanoseconds: f64) -> String {
        if self.is_rate() {
            format!("{}/s ({})", digits(1e9 / nanoseconds), duration(nanoseconds))
        } else {
            duration(nanoseconds)
        }
    }

    /// The section of the report.
    fn section(&self, measured: &Measured) -> Result<String> {
        let cells = self.cells(measured);
        let functions = distinct(cells.iter().map(|(key, _)| key.function.as_str()));
        let rows = distinct(cells.iter().map(|(key, _)| key.row.as_str()));
        ensure!(!rows.is_empty(), "{} was not measured", self.name);
        let time = |row: &str, function: &str| {
            cells
                .iter()
                .find(|(key, _)| key.row == row && key.function == function)
                .map(|(_, nanoseconds)| *nanoseconds)
        };

        let mut header = vec![self.row.to_owned()];
        header.extend(functions.iter().map(|function| format!("`{function}`")));
        if let Some(function) = self.compared {
            header.push(format!("`{function}`, time relative to aws-lc"));
        }
        let paired = measured.compared_in(self.name);
        header.extend(paired.iter().map(|(name, other)| format!("paired: {name} / {other}")));
        let mut lines = Vec::new();
        for row in &rows {
            let mut line = vec![(*row).to_owned()];
            line.extend(functions.iter().map(|function| {
                time(row, function).map_or_else(|| "–".into(), |time| self.shown(time))
            }));
            if let Some(function) = self.compared {
                let relative = time(row, function).zip(time("aws-lc", function));
                line.push(
                    relative
                        .map_or_else(|| "–".into(), |(this, base)| format!("{:.2}", this / base)),
                );
            }
            for (_, other) in &paired {
                line.push(measured.ratio(self.name, row, other)?);
            }
            lines.push(line);
        }
        let Self { name, title, text, .. } = self;
        let table = table(header, lines);
        Ok(format!("## {title}\n\n{text}\n\n{table}\n![{title}](benchmarks/{name}.svg)\n"))
    }
}

/// The measurements of a run.
struct Measured {
    /// Median times in nanoseconds.
    times: BTreeMap<Key, f64>,
    /// Paired ratios, and the versions of the libraries.
    notes: Vec<Value>,
    /// With crypto_mb, in turns.
    comparison: Comparison,
    environment: Vec<(&'static str, String)>,
    quick: bool,
}

impl Measured {
    /// Returns the paired comparisons of a group: the first operation with each other one.
    fn compared_in(&self, group: &str) -> Vec<(&str, &str)> {
        let of_group = self.notes.iter().filter(|note| note["group"] == group);
        distinct(of_group.filter_map(|note| note["name"].as_str().zip(note["other"].as_str())))
    }

    /// The paired ratio of the first operation to another one, as text.
    fn ratio(&self, group: &str, backend: &str, other: &str) -> Result<String> {
        for note in &self.notes {
            if note["group"] == group && note["backend"] == backend && note["other"] == other {
                let number = |name: &str| note[name].as_f64().context("a ratio without numbers");
                let (median, low, high) = (number("median")?, number("low")?, number("high")?);
                return Ok(format!("{median:.4} ({low:.4} to {high:.4})"));
            }
        }
        Ok("–".into())
    }
}

/// Reads the notes of the benchmarks: one JSON object per line.
fn parse_notes(text: &str) -> Result<Vec<Value>> {
    let parse = |line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}"));
    text.lines().map(parse).collect()
}

/// Returns the medians of operations that were measured in turns, one by one. They replace those of
/// criterion, which are of sums over many calls and include interruptions.
fn noted_times(notes: &[Value]) -> impl Iterator<Item = (Key, f64)> {
    notes.iter().filter_map(|note| {
        Some((Key::of(note, ["group", "name", "backend"])?, note["nanoseconds"].as_f64()?))
    })
}

/// The name of a criterion benchmark: `group/function/row`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: String,
    function: String,
    row: String,
}

impl Key {
    /// Reads it from the fields of these names.
    fn of(value: &Value, fields: [&str; 3]) -> Option<Self> {
        let [group, function, row] = fields.map(|field| value[field].as_str().map(str::to_owned));
        Some(Self { group: group?, function: function?, row: row? })
    }
}

/// Reads every `new/benchmark.json` with the `estimates.json` beside it.
fn read_times(directory: &Path) -> Result<BTreeMap<Key, f64>> {
    let mut times = BTreeMap::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = fs::read_dir(&directory)
            .with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let path = entry.context("cannot read a folder of criterion")?.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name == "new") {
                let benchmark = read_json(&path.join("benchmark.json"))?;
                let estimates = read_json(&path.join("estimates.json"))?;
                let (key, nanoseconds) = time(&benchmark, &estimates)
                    .with_context(|| format!("unexpected format: {}", path.display()))?;
                times.insert(key, nanoseconds);
            } else if path.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(times)
}

fn time(benchmark: &Value, estimates: &Value) -> Option<(Key, f64)> {
    let key = Key::of(benchmark, ["group_id", "function_id", "value_str"])?;
    Some((key, estimates["median"]["point_estimate"].as_f64()?))
}

fn read_json(path: &Path) -> Result<Value> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("not JSON: {}", path.display()))
}

fn render(measured: &Measured) -> Result<String> {
    let mut report = String::from(
        "# Benchmarks\n\n\
         Generated by `cargo xtask bench-report`; do not edit. All figures are medians of one run \
         on one machine, which other work may have shared; ratios say more than times.\n\n",
    );
    if measured.quick {
        report.push_str("**A brief run: these figures are not to be quoted.**\n\n");
    }
    let environment = measured.environment.iter();
    let mut rows: Vec<_> =
        environment.map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    for note in &measured.notes {
        if let Some(library) = note["library"].as_str() {
            let backend = note["backend"].as_str().context("a library without a backend")?;
            rows.push(vec![format!("`{backend}`"), library.to_owned()]);
        }
    }
    report.push_str(&table(vec![String::new(); 2], rows));
    for group in &GROUPS {
        let _ = write!(report, "\n{}", group.section(measured)?);
        if group.name == BEFORE_COMPARISON {
            let _ = write!(report, "\n{}", measured.comparison.section());
        }
    }
    Ok(report)
}

/// Returns a Markdown table.
pub(crate) fn table(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let rule = vec!["---".to_owned(); header.len()];
    let lines = [header, rule].into_iter().chain(rows);
    lines.map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

/// Returns the machine and the versions of the run.
fn environment(workspace: &Workspace, directory: &Path) -> Result<Vec<(&'static str, String)>> {
    let read = |program: &str, args: &[&str]| -> Result<String> {
        let text = Run::new(program).args(args).quiet().read(workspace)?;
        Ok(text.trim().to_owned())
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string(directory.join("load")).context("cannot read the load")?;
    Ok(vec![
        ("processor", format!("{}, {cpus} logical", processor())),
        ("system", read("uname", &["-sm"])?),
        ("load average before the run", load),
        ("compiler", read("rustc", &["--version"])?),
        ("commit", read("git", &["rev-parse", "--short=12", "HEAD"])?),
        ("date", read("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?),
        ("command", "`cargo xtask bench-report`".into()),
    ])
}

fn processor() -> String {
    let info = fs::read_to_string(PathBuf::from("/proc/cpuinfo")).unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let unknown = || "unknown".to_owned();
    let name = field("model name").unwrap_or_else(unknown);
    match field("cpu family").zip(field("model")) {
        Some((family, model)) => format!("{name} (family {family}, model {model})"),
        None => name,
    }
}

fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}

/// The order of rows: backends by preference, numbers by size.
fn rank(row: &str) -> (u64, String) {
    let backend = crate::features::BACKENDS.iter().position(|backend| *backend == row);
    let number = backend.map(|index| index as u64).or_else(|| row.parse().ok());
    (number.unwrap_or(u64::MAX), row.to_owned())
}

/// The order of the operations that are measured in turns; others come by name.
fn turn(function: &str) -> usize {
    const TURNS: [&str; 9] = [
        "SslImportMasterKey",
        "import_master_key",
        "raw",
        "encrypt_packet",
        "encrypt_in_place",
        "decrypt_packet",
        "generate_master_key",
        "sign",
        "library",
    ];
    TURNS.iter().position(|known| *known == function).unwrap_or(usize::MAX)
}

/// A duration with three digits.
fn duration(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n => (n / 1e6, "ms"),
    };
    format!("{} {unit}", digits(value))
}

/// Returns a number with three digits, or all those before the decimal point.
pub(crate) fn digits(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn measured() -> Measured {
        let mut times = BTreeMap::new();
        for group in &GROUPS {
            for (row, nanoseconds) in [("openssl", 250_000.0), ("aws-lc", 200_000.0)] {
                let key = Key {
                    group: group.name.into(),
                    function: "import_master_key".into(),
                    row: row.into(),
                };
                times.insert(key, nanoseconds);
            }
        }
        let ratio = json!({
            "group": "rsa-2048", "backend": "aws-lc", "name": "import_master_key",
            "other": "raw", "median": 1.0123, "low": 1.01, "high": 1.015, "rounds": 100,
        });
        let library = json!({ "backend": "aws-lc", "library": "AWS-LC 1.2.3" });
        Measured {
            times,
            notes: parse_notes(&format!("{ratio}\n{library}\n")).unwrap(),
            comparison: Comparison::parse(&bench::tests::lines()).unwrap(),
            environment: vec![("processor", "a processor".into())],
            quick: false,
        }
    }

    #[test]
    fn the_report_has_times_ratios_and_the_environment() {
        let report = render(&measured()).unwrap();
        for part in [
            "| processor | a processor |",
            "| `aws-lc` | AWS-LC 1.2.3 |",
            "| aws-lc | 5000/s (200 µs) | 1.00 | 1.0123 (1.0100 to 1.0150) |",
            "| openssl | 4000/s (250 µs) | 1.25 | – |",
            "(benchmarks/rsa-2048.svg)",
            "## Multi-buffer RSA and crypto_mb",
        ] {
            assert!(report.contains(part), "{part} in:\n{report}");
        }
    }

    #[test]
    fn backends_come_in_the_order_of_preference() {
        let bars = GROUPS[0].bars(&measured());
        let labels: Vec<_> = bars.iter().map(|bar| bar.label.as_str()).collect();
        assert_eq!(labels, ["aws-lc", "openssl"]);
    }

    #[test]
    fn a_group_that_was_not_measured_is_an_error() {
        let nothing = Measured { times: BTreeMap::new(), ..measured() };
        assert!(render(&nothing).is_err());
    }

    #[test]
    fn criterion_files_give_the_median() {
        let benchmark = json!({ "group_id": "g", "function_id": "f", "value_str": "r" });
        let estimates = json!({ "median": { "point_estimate": 12.5 } });
        let (key, nanoseconds) = time(&benchmark, &estimates).unwrap();
        assert_eq!((key.group.as_str(), key.function.as_str(), key.row.as_str()), ("g", "f", "r"));
        assert!((nanoseconds - 12.5).abs() < f64::EPSILON);
        assert!(time(&json!({}), &estimates).is_none());
    }

    #[test]
    fn medians_of_single_calls_are_read_and_ratios_are_not_times() {
        let notes = [
            json!({ "group": "g", "backend": "b", "name": "n", "nanoseconds": 12 }),
            json!({ "group": "g", "backend": "b", "name": "n", "other": "o", "median": 1.01 }),
            json!({ "backend": "b", "library": "l" }),
        ];
        let times: Vec<_> = noted_times(&notes).collect();
        assert_eq!(times.len(), 1);
        assert_eq!(times[0].0.function, "n");
        assert!(parse_notes("{}\nnot JSON").is_err());
    }

    #[test]
    fn durations_have_three_digits() {
        assert_eq!(duration(1.234), "1.23 ns");
        assert_eq!(duration(245_678.0), "246 µs");
        assert_eq!(duration(12_345_678.0), "12.3 ms");
    }
}
