//! `cargo xtask ctgrind` and `callgrind`: the probe under valgrind, built with the release profile.
//! Each run has a positive control: a probe with a planted branch, which must be reported.

mod handshakes;
mod private_operation;
mod reports;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result, bail, ensure};

use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::workspace::Workspace;

/// How the probe is compiled, beside the release profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    opt_level: &'static str,
    /// The processor to compile for; none means the baseline of the platform.
    cpu: Option<&'static str>,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opt-level {}", self.opt_level)?;
        self.cpu.map_or(Ok(()), |cpu| write!(f, " for {cpu}"))
    }
}

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What a change must pass: at the level of the release profile.
    Release,
    /// At the levels of shipped programs.
    Shipped,
    /// At every level, and with the libraries.
    Full,
}

impl Extent {
    pub(crate) fn of(full: bool) -> Self {
        if full { Self::Full } else { Self::Shipped }
    }
}

/// The levels of shipped programs.
const SHIPPED: [Level; 2] =
    [Level { opt_level: "2", cpu: None }, Level { opt_level: "3", cpu: None }];

/// Every level, and a processor with vectors of 256 bits.
const EVERY: [Level; 8] = [
    Level { opt_level: "0", cpu: None },
    Level { opt_level: "1", cpu: None },
    Level { opt_level: "2", cpu: None },
    Level { opt_level: "3", cpu: None },
    Level { opt_level: "s", cpu: None },
    Level { opt_level: "z", cpu: None },
    Level { opt_level: "2", cpu: Some("x86-64-v3") },
    Level { opt_level: "3", cpu: Some("x86-64-v3") },
];

/// The release profile as it is.
const RELEASE: Level = Level { opt_level: "3", cpu: None };

/// The library that is all Rust, so that every level applies to it too.
const IN_RUST: &str = "rustcrypto";

/// Libraries with a private operation of their own.
const WITH_RSA: [&str; 3] = ["aws-lc", "openssl", "rustcrypto"];

/// The exit code that memcheck returns after it has reported an error.
const REPORTED: i32 = 99;

/// Runs the probe with its RSA blocks, its CBC records and a key of multi-buffer RSA marked as
/// undefined, at the optimisation levels of `extent`; at full extent also with the hashes and PRFs
/// of every backend. The secrets of both sides of the handshake are marked too, at
/// the level of the release profile.
///
/// # Errors
///
/// Fails when memcheck reports anything, and when it does not report the planted branch.
pub(crate) fn ctgrind(workspace: &Workspace, extent: Extent) -> Result<()> {
    ensure_platform()?;
    let levels: &[Level] = match extent {
        Extent::Release => &[RELEASE],
        Extent::Shipped => &SHIPPED,
        Extent::Full => &EVERY,
    };
    for level in levels {
        poison(workspace, Probe::clean(*level), IN_RUST)?;
    }
    if extent == Extent::Full {
        for library in BACKENDS {
            poison(workspace, Probe { libraries: true, ..Probe::clean(RELEASE) }, library)?;
        }
    }
    Ok(())
}

/// A clean run of imports, one of records and one of the arithmetic of multi-buffer RSA, at the
/// level of the release profile one of the handshakes, and the same with the planted branch.
fn poison(workspace: &Workspace, probe: Probe, library: &str) -> Result<()> {
    let has_handshakes = !probe.libraries && probe.level == RELEASE;
    let level = probe.level;
    // Each with the place of its planted branch.
    let runs: [(&[&str], &str); 3] = [
        (&["poison", library, "2"], "backend::planted_leak"),
        (&["poison-records", library], "record::planted_leak"),
        (&["poison-arithmetic"], "montgomery::planted_leak"),
    ];
    let clean = probe.build(workspace)?;
    for (arguments, _) in runs {
        let (status, printed) = memcheck(workspace, &clean, arguments)?;
        if !status.success() {
            println!("{printed}");
            bail!("{level}, {library}: memcheck's reports are above ({status})");
        }
        println!("{level}, {library}: clean: {}", printed.trim_end());
    }
    if library == IN_RUST {
        private_operation::check(workspace, &clean, level)?;
    }
    if has_handshakes {
        handshakes::check(workspace, &clean, level)?;
    }
    let planted = probe.planted().build(workspace)?;
    if library == IN_RUST {
        private_operation::check_planted(workspace, &planted, level)?;
    }
    if has_handshakes {
        handshakes::check_planted(workspace, &planted, level)?;
    }
    for (arguments, place) in runs {
        let (status, printed) = memcheck(workspace, &planted, arguments)?;
        let reports = printed.matches("depends on uninitialised value").count();
        if status.code() != Some(REPORTED) || reports == 0 || !printed.contains(place) {
            println!("{printed}");
            bail!("{level}, {library}: the planted branch was not reported ({status})");
        }
        println!("{level}, {library}: the planted branch is reported ({reports} reports)");
    }
    Ok(())
}

/// Counts the instructions of an import for each class of RSA block, of the check of a record for
/// each kind of padding and MAC, at each optimisation level that is shipped or only that of the
/// release profile, and of what core does with the secrets of key agreement and of clients, at the
/// latter; at full extent also those of the libraries' private operations.
///
/// # Errors
///
/// Fails when two blocks differ in the same variant, and when the planted branch makes no
/// difference.
pub(crate) fn callgrind(workspace: &Workspace, extent: Extent) -> Result<()> {
    ensure_platform()?;
    let full = extent == Extent::Full;
    let levels: &[Level] = if extent == Extent::Release { &[RELEASE] } else { &SHIPPED };
    for &level in levels {
        // The control needs to show only that a difference is seen.
        for (what, arguments, control) in [
            ("one import", &["count", "3"][..], &["count", "1"][..]),
            ("the check of one record", &["count-records"], &["count-records"]),
            ("one key exchange", &["count-handshakes"], &["count-handshakes"]),
        ] {
            if arguments == ["count-handshakes"] && level.opt_level != RELEASE.opt_level && !full {
                continue;
            }
            let probe = Probe::clean(level);
            let clean = counts(workspace, probe, arguments)?;
            let variants = Variants::collect(&clean);
            println!("{level}: instructions of {what}, over all blocks");
            println!("{variants}");
            variants.ensure_equal().with_context(|| level.to_string())?;

            let planted = counts(workspace, probe.planted(), control)?;
            let spread = Variants::collect(&planted).smallest_spread();
            ensure!(spread > 0, "{level}: the planted branch makes no difference");
            println!("{level}: with the planted branch the spread is {spread} or more");
        }
    }
    if full {
        for library in WITH_RSA {
            count_private_operations(workspace, library)?;
        }
    }
    Ok(())
}

/// Counts the instructions of a library's private operation for each kind of block. Its blinding
/// and the allocator add some now and then, so the cheapest operation of each kind is compared.
fn count_private_operations(workspace: &Workspace, library: &str) -> Result<()> {
    /// Instructions that allocator and blinding still make; the planted branch makes more.
    const TOLERANCE: u64 = 200;
    // Blinding draws a number until it is below the modulus: a few times in a row.
    const SAMPLES: &str = "12";
    let spread = |probe| -> Result<u64> {
        let counts = counts(workspace, probe, &["raw", library, SAMPLES])?;
        let cheapest = cheapest(&counts);
        ensure!(cheapest.len() >= 32, "{library}: only {} kinds of block", cheapest.len());
        Ok(spread(&cheapest.into_values().map(|count| (count, ())).collect()))
    };
    let probe = Probe { libraries: true, ..Probe::clean(RELEASE) };
    let clean = spread(probe)?;
    println!("{library}: the private operation differs by {clean} instructions at most");
    ensure!(clean <= TOLERANCE, "{library}: the private operation differs by {clean} instructions");
    let planted = spread(probe.planted())?;
    ensure!(planted > TOLERANCE, "{library}: the planted branch differs by {planted} only");
    println!("{library}: with the planted branch it differs by {planted}");
    Ok(())
}

fn ensure_platform() -> Result<()> {
    ensure!(
        cfg!(all(target_arch = "x86_64", target_os = "linux")),
        "this check needs x86_64 Linux: the probe uses its valgrind instructions"
    );
    Ok(())
}

/// Which probe.
#[derive(Clone, Copy)]
struct Probe {
    level: Level,
    /// Has every library and not only the one in Rust.
    libraries: bool,
    planted_leak: bool,
}

impl Probe {
    fn clean(level: Level) -> Self {
        Self { level, libraries: false, planted_leak: false }
    }

    fn planted(self) -> Self {
        Self { planted_leak: true, ..self }
    }

    /// Builds it with the release profile at its optimisation level.
    fn build(self, workspace: &Workspace) -> Result<PathBuf> {
        let Level { opt_level, cpu } = self.level;
        // A directory for each processor: cargo would rebuild everything at each change of flags.
        // What the release profile has built by itself is used as it is.
        let (mut directory, mut run) = (workspace.target("probe"), Run::cargo("build"));
        if self.level == RELEASE {
            directory = workspace.target("");
        } else {
            run = run.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", opt_level);
        }
        if let Some(cpu) = cpu {
            directory.set_file_name(format!("probe-{cpu}"));
            run = run.env("RUSTFLAGS", format!("-C target-cpu={cpu}"));
        }
        let mut name = format!("probe-o{opt_level}");
        if self.libraries {
            run = run.args(["--features", &all_of_facade()]);
            name.push_str("-libraries");
        }
        if self.planted_leak {
            run = run.args(["--features", "planted-leak"]);
            name.push_str("-planted");
        }
        run.args(["--quiet", "--release", "--package", "ssl-provider-probe", "--target-dir"])
            .args([&directory])
            .run(workspace)?;
        // The next build of another kind overwrites the program.
        let program = workspace.target("probe").join(name);
        fs::create_dir_all(workspace.target("probe"))
            .context("cannot make a folder for the probe")?;
        fs::copy(directory.join("release/ssl-provider-probe"), &program)
            .context("cannot copy the probe")?;
        Ok(program)
    }
}

fn memcheck(
    workspace: &Workspace,
    probe: &Path,
    arguments: &[&str],
) -> Result<(ExitStatus, String)> {
    Run::new("valgrind")
        .args(["-q", "--tool=memcheck", "--track-origins=yes"])
        .args([format!("--error-exitcode={REPORTED}")])
        .args([probe])
        .args(arguments)
        .outcome(workspace)
}

/// One import, check or private operation: its variant or library, its kind of block, and the
/// instructions that it took.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    variant: String,
    class: String,
    instructions: u64,
}

/// The number of instructions of the cheapest operation of each class.
fn cheapest(counts: &[Count]) -> BTreeMap<&str, u64> {
    let mut cheapest = BTreeMap::new();
    for Count { class, instructions, .. } in counts {
        let least = cheapest.entry(class.as_str()).or_insert(*instructions);
        *least = (*least).min(*instructions);
    }
    cheapest
}

fn counts(workspace: &Workspace, probe: Probe, arguments: &[&str]) -> Result<Vec<Count>> {
    let probe = probe.build(workspace)?;
    let out = probe.with_extension("callgrind");
    let (status, printed) = Run::new("valgrind")
        .args(["-q", "--tool=callgrind", "--toggle-collect=*ssl_provider_probe::*measured_*"])
        .args(["--combine-dumps=yes"])
        .args([format!("--callgrind-out-file={}", out.display())])
        .args([&probe])
        .args(arguments)
        .outcome(workspace)?;
    ensure!(status.success(), "the probe failed under callgrind ({status}):\n{printed}");
    let text = fs::read_to_string(&out).context("cannot read callgrind's counts")?;
    let counts = parse_counts(&text)?;
    // It has the profile of every import: a hundred megabytes.
    fs::remove_file(&out).context("cannot remove callgrind's counts")?;
    ensure!(!counts.is_empty(), "callgrind wrote no counts");
    Ok(counts)
}

/// Reads the parts that the probe asked for: a description with its label, then the total.
fn parse_counts(text: &str) -> Result<Vec<Count>> {
    let mut counts = Vec::new();
    let mut label = None;
    for line in text.lines() {
        if let Some(trigger) = line.strip_prefix("desc: Trigger: ") {
            label = trigger.strip_prefix("Client Request: ");
        } else if let Some(total) = line.strip_prefix("summary: ").or(line.strip_prefix("totals: "))
        {
            // The part at the end of the program was not asked for, and has no label.
            let Some(label) = label.take() else { continue };
            let (variant, class) = label.split_once('|').context("a label without a class")?;
            let instructions = total.trim().parse().with_context(|| format!("`{total}`"))?;
            counts.push(Count { variant: variant.into(), class: class.into(), instructions });
        }
    }
    Ok(counts)
}

/// The counts of each variant: by number of instructions, the classes that took so many.
struct Variants<'a> {
    by_name: BTreeMap<&'a str, BTreeMap<u64, BTreeSet<&'a str>>>,
    imports: usize,
}

impl<'a> Variants<'a> {
    fn collect(counts: &'a [Count]) -> Self {
        let mut by_name: BTreeMap<&str, BTreeMap<u64, BTreeSet<&str>>> = BTreeMap::new();
        for Count { variant, class, instructions } in counts {
            by_name.entry(variant).or_default().entry(*instructions).or_default().insert(class);
        }
        Self { by_name, imports: counts.len() }
    }

    /// The difference between the dearest and the cheapest import, in the variant where it is
    /// smallest.
    fn smallest_spread(&self) -> u64 {
        self.by_name.values().map(spread).min().unwrap_or(0)
    }

    /// The least number of variants and classes that a run must cover.
    fn ensure_equal(&self) -> Result<()> {
        const VARIANTS: usize = 5;
        const CLASSES: usize = 32;
        ensure!(self.by_name.len() >= VARIANTS, "only {} variants", self.by_name.len());
        for (name, counts) in &self.by_name {
            let classes: BTreeSet<_> = counts.values().flatten().collect();
            ensure!(classes.len() >= CLASSES, "{name}: only {} classes", classes.len());
            ensure!(
                spread(counts) == 0,
                "{name}: the number of instructions depends on the block:\n{counts:#?}"
            );
        }
        Ok(())
    }
}

fn spread<T>(counts: &BTreeMap<u64, T>) -> u64 {
    match (counts.first_key_value(), counts.last_key_value()) {
        (Some((least, _)), Some((most, _))) => most - least,
        _ => 0,
    }
}

impl fmt::Display for Variants<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<32} {:>12} {:>7} {:>7}", "variant", "instructions", "spread", "classes")?;
        for (name, counts) in &self.by_name {
            let least = counts.keys().next().copied().unwrap_or(0);
            let classes: BTreeSet<_> = counts.values().flatten().collect();
            let spread = spread(counts);
            writeln!(f, "  {name:<32} {least:>12} {spread:>7} {:>7}", classes.len())?;
        }
        write!(f, "  {} imports in all", self.imports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(variant: &str, class: &str, instructions: u64) -> Count {
        Count { variant: variant.into(), class: class.into(), instructions }
    }

    /// Counts of 5 variants and 32 classes, all equal within a variant.
    fn equal() -> Vec<Count> {
        (0..5)
            .flat_map(|variant| {
                (0..32).map(move |class| {
                    count(&format!("v{variant}"), &format!("c{class}"), 1000 + variant)
                })
            })
            .collect()
    }

    #[test]
    fn parts_that_were_asked_for_are_read_and_the_last_is_not() {
        let text = "desc: Trigger: Client Request: TLS 1.2|valid\nsummary: 123\ntotals: 123\n\
                    desc: Trigger: Client Request: TLS 1.2|no zero\ntotals: 124\n\
                    desc: Trigger: Program termination\ntotals: 9\n";
        let expected = [count("TLS 1.2", "valid", 123), count("TLS 1.2", "no zero", 124)];
        assert_eq!(parse_counts(text).unwrap(), expected);
        assert!(parse_counts("desc: Trigger: Client Request: a|b\ntotals: x\n").is_err());
        assert!(parse_counts("desc: Trigger: Client Request: a\ntotals: 1\n").is_err());
    }

    #[test]
    fn equal_counts_pass_and_one_more_instruction_does_not() {
        let mut counts = equal();
        Variants::collect(&counts).ensure_equal().unwrap();
        counts[70].instructions += 1;
        assert!(Variants::collect(&counts).ensure_equal().is_err());
    }

    #[test]
    fn the_cheapest_operation_of_each_class_counts() {
        let counts = [count("a", "x", 9), count("a", "y", 7), count("a", "x", 7)];
        assert_eq!(cheapest(&counts), BTreeMap::from([("x", 7), ("y", 7)]));
    }

    #[test]
    fn too_few_classes_or_variants_prove_nothing() {
        let counts = equal();
        assert!(Variants::collect(&counts[..32 * 4]).ensure_equal().is_err());
        assert!(Variants::collect(&counts[1..]).ensure_equal().is_err());
        assert!(Variants::collect(&[]).ensure_equal().is_err());
    }

    #[test]
    fn the_control_must_show_in_every_variant() {
        let mut counts = equal();
        for variant in 0..4 {
            counts[variant * 32].instructions += 5;
        }
        assert_eq!(Variants::collect(&counts).smallest_spread(), 0);
        counts[4 * 32].instructions += 5;
        assert_eq!(Variants::collect(&counts).smallest_spread(), 5);
    }
}
