//! `cargo xtask residue`: what calls leave on the stack and in freed blocks; with `--process`, what
//! the shipped C library leaves in a process.
//!
//! For that, a C program works with keys, frees everything and waits; gdb writes its memory and
//! registers to a file, pages included that are kept from core dumps; the file is searched for
//! every secret. The same program without freeing is the control: there, each kind of secret must
//! be found.
//!
//! Secrets that the library draws at random become known by what the program sends to a peer, whose
//! private keys are known. Ephemeral private keys do not: every place in the file is tried as one.

mod ephemeral;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result, bail, ensure};
use data_encoding::HEXLOWER;
use serde::Deserialize;

use crate::capi;
use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::interop::process::Dialogue;
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// Bytes of a secret that must not be found together.
const WINDOW: usize = 16;

/// Secrets of which something must be found in the program that has freed nothing: names, or their
/// beginnings. Every part of the private key is there, as the C library stores imported keys.
const IN_CONTROL: [&str; 16] = [
    "d",
    "p",
    "q",
    "dp",
    "dq",
    "q^-1 mod p",
    "reject key",
    "master secret ",
    "client key ",
    "agreed master secret ",
    "client premaster secret ",
    "client master secret ",
    "pre-shared key",
    "PSK master secret",
    "EC private key",
    "ephemeral key unused-",
];

/// The name of the pattern that the program puts on its stacks and into a register.
const PATTERN: &str = "planted pattern";

/// Searches the stack and the heap for secrets that calls leave there, in the release build: where
/// they are depends on the optimiser.
///
/// # Errors
///
/// Fails when one is found.
pub(crate) fn calls(workspace: &Workspace) -> Result<()> {
    // What the rest relies on: freed blocks and registers are wiped, also where code is optimised.
    Run::cargo("test").args(["--release", "--package", "ssl-provider-memory"]).run(workspace)?;
    with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--release", "--package", "ssl-provider", "--features", &all_of_facade()])
        .args(["--test", "stack", "--test", "wiping"])
        .run(workspace)
}

/// Runs the program with every backend, with and without batches.
///
/// # Errors
///
/// Names what was found where; fails too when the control finds nothing.
pub(crate) fn process(workspace: &Workspace) -> Result<()> {
    let secrets = Secrets::read(workspace)?;
    let program = capi::compile_with_release(workspace, "residue")?;
    let mut left = Vec::new();
    // The provider at index 0 is the default one.
    for (index, backend) in (1..).zip(BACKENDS) {
        for options in [&[][..], &["batches"]] {
            let name = [&[backend], options].concat().join(", ");
            let look = |mode: &str| {
                let mut command = Command::new(&program);
                command.arg(mode).args(options);
                command.env("SSL_PROVIDER_TEST_INDEX", index.to_string());
                Image::take(workspace, &mut command)
            };
            let Some(live) = look("live")? else {
                println!("WARNING: {name}: not looked at, for lack of AVX-512 IFMA and AVX-IFMA");
                continue;
            };
            let released = look("released")?.context("batches come and go")?;
            let (live, mut released) = (
                secrets.found_in(workspace, &live, &released)?,
                secrets.found_in(workspace, &released, &live)?,
            );
            let is_found = |kind: &str| match kind.ends_with([' ', '-']) {
                true => live.keys().any(|secret| secret.starts_with(kind)),
                false => live.contains_key(kind),
            };
            for kind in IN_CONTROL {
                ensure!(is_found(kind), "{name}: the program that frees nothing has no {kind}");
            }
            for places in [live.get(PATTERN).cloned(), released.remove(PATTERN)] {
                let places = places.unwrap_or_default();
                for place in PLACES {
                    ensure!(places.contains(*place), "{name}: {PATTERN} not found in {place}");
                }
            }
            let (found, still) = (live.len(), released.len());
            println!("{name}: {found} secrets found while they live, {still} after");
            left.extend(released.into_iter().map(|(secret, places)| {
                format!("{name}: {secret} in {}", Vec::from_iter(places).join(", "))
            }));
        }
    }
    ensure!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    println!("nothing is left in heap, stack and registers, with every backend");
    Ok(())
}

/// What was found, and in which mappings.
type Found = BTreeMap<String, BTreeSet<String>>;

/// What is looked for: pieces of secrets, in each form that a library may keep them in, each with
/// the name of its secret.
struct Secrets(Vec<(String, Vec<u8>)>);

/// The output of `make_data.py secrets` and of `make_data.py sent`.
#[derive(Deserialize)]
struct Printed {
    bytes: BTreeMap<String, String>,
    /// Digits of 52 bits.
    digits: BTreeMap<String, Vec<u64>>,
}

/// Where the pattern must be found: the stacks of both threads, and the registers, into which the C
/// program can put it on x86-64 only.
const PLACES: &[&str] = if cfg!(target_arch = "x86_64") {
    &["[stack]", "anonymous memory", "registers"]
} else {
    &["[stack]", "anonymous memory"]
};

impl Secrets {
    fn read(workspace: &Workspace) -> Result<Self> {
        let pattern: Vec<u8> = (0..32_u8).map(|at| at.wrapping_mul(37).wrapping_add(11)).collect();
        let mut secrets = Self(vec![(PATTERN.to_owned(), pattern[..WINDOW].to_vec())]);
        secrets.add(workspace, &["secrets".to_owned()])?;
        Ok(secrets)
    }

    /// Adds what the script prints.
    fn add(&mut self, workspace: &Workspace, arguments: &[String]) -> Result<()> {
        let script = "crates/ssl-provider-capi/tests/c/make_data.py";
        let printed = Run::new("python3").quiet().args([script]).args(arguments).read(workspace)?;
        let printed: Printed = serde_json::from_str(&printed).context("what the script prints")?;
        for (name, bytes) in printed.bytes {
            let bytes = HEXLOWER.decode(bytes.as_bytes()).context("what the script prints")?;
            for form in forms(&bytes) {
                // Pieces at every word, and the last one.
                let last = form.len().checked_sub(WINDOW).context("a secret is too short")?;
                for start in (0..last).step_by(8).chain([last]) {
                    self.0.push((name.clone(), form[start..start + WINDOW].to_vec()));
                }
            }
        }
        for (name, digits) in printed.digits {
            // A digit stands in several lanes, side by side.
            for digit in digits.into_iter().filter(|digit| *digit >> 40 != 0) {
                self.0.push((name.clone(), [digit.to_le_bytes(), digit.to_le_bytes()].concat()));
            }
        }
        Ok(())
    }

    /// Searches the memory of a process, with that of another for comparison.
    fn found_in(&self, workspace: &Workspace, image: &Image, other: &Image) -> Result<Found> {
        let mut all = Self(self.0.clone());
        let lines = image.sent.iter().map(|(name, bytes)| format!("{name}={bytes}"));
        all.add(workspace, &[vec!["sent".to_owned()], lines.collect()].concat())?;
        let pieces = AhoCorasick::new(all.0.iter().map(|(_, piece)| piece));
        let pieces = pieces.context("a search for all secrets")?;
        let keys = ephemeral::PublicKeys::of(&image.sent)?;
        let others = other.segments()?;
        let of_others = others.iter().flat_map(|it| ephemeral::candidates(it.bytes));
        let of_others = of_others.map(|(_, bytes)| *bytes).collect();
        let mut found = Found::new();
        for segment in image.segments()? {
            for hit in pieces.find_overlapping_iter(segment.bytes) {
                let place = segment.place(hit.start(), &image.maps);
                found.entry(all.0[hit.pattern()].0.clone()).or_default().insert(place);
            }
            for (name, at) in keys.find_private(segment.bytes, &of_others) {
                let place = segment.place(at, &image.maps);
                found.entry(format!("ephemeral key {name}")).or_default().insert(place);
            }
        }
        Ok(found)
    }
}

/// The memory and the registers of a process.
struct Image {
    core: Vec<u8>,
    /// What Linux says of its mappings.
    maps: String,
    /// What it sent to its peer: names, and bytes in hexadecimal.
    sent: Vec<(String, String)>,
}

impl Image {
    /// Starts a program, waits until it is ready, and takes its memory. `None` if it cannot do what
    /// is asked on this machine.
    fn take(workspace: &Workspace, command: &mut Command) -> Result<Option<Self>> {
        let image = workspace.target("residue.core");
        let mut program = Dialogue::start(command).context("the C program does not start")?;
        let mut sent = Vec::new();
        loop {
            let line = program.receive().context("the C program")?;
            match (line.as_str(), line.split_once(' ')) {
                ("ready", _) => break,
                ("no batches", _) => return Ok(None),
                (_, Some((name, bytes))) => sent.push((name.to_owned(), bytes.to_owned())),
                (other, None) => bail!("the C program says: {other}"),
            }
        }
        let maps = fs::read_to_string(format!("/proc/{}/maps", program.id()))
            .context("cannot read the mappings of the program")?;
        // Pages that are kept from core dumps are of interest here.
        Run::new("gdb")
            .quiet()
            .args(["--batch", "--nx", "-ex", "set dump-excluded-mappings on"])
            .args(["-ex", &format!("generate-core-file {}", image.display())])
            .args(["--pid", &program.id().to_string()])
            .read(workspace)?;
        let core = fs::read(&image).context("gdb wrote no image of the process")?;
        fs::remove_file(&image).context("cannot remove the image of the process")?;
        program.send("go on")?;
        Ok(Some(Self { core, maps, sent }))
    }

    fn segments(&self) -> Result<Vec<Segment<'_>>> {
        segments(&self.core).context("gdb wrote an image that is cut off")
    }
}

/// A secret as it is, and as numbers in words of the processor: reversed as a whole, in words of
/// eight bytes and of four.
fn forms(bytes: &[u8]) -> [Vec<u8>; 4] {
    let in_words = |len: usize| {
        let words = bytes.chunks(len);
        words.flat_map(|word| word.iter().rev().copied().collect::<Vec<_>>()).collect()
    };
    [bytes.to_vec(), bytes.iter().rev().copied().collect(), in_words(8), in_words(4)]
}

/// A part of the image: memory at an address, or the registers.
struct Segment<'a> {
    address: Option<u64>,
    bytes: &'a [u8],
}

impl Segment<'_> {
    /// The name of the mapping that an offset is in.
    fn place(&self, offset: usize, maps: &str) -> String {
        let Some(start) = self.address else { return "registers".to_owned() };
        let address = start + offset as u64;
        let mapping = maps.lines().find_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (from, to) = range.split_once('-')?;
            let [from, to] = [from, to].map(|end| u64::from_str_radix(end, 16).ok());
            (from?..to?).contains(&address).then(|| rest.split_whitespace().nth(4))
        });
        mapping.flatten().map_or("anonymous memory", |name| name).to_owned()
    }
}

/// The segments of a core file for a 64-bit little-endian processor; `None` if it is cut off.
fn segments(core: &[u8]) -> Option<Vec<Segment<'_>>> {
    const PT_LOAD: u64 = 1;
    const PT_NOTE: u64 = 4;
    let number = |at: usize, len: usize| {
        let mut bytes = [0; 8];
        bytes.get_mut(..len)?.copy_from_slice(core.get(at..at + len)?);
        Some(u64::from_le_bytes(bytes))
    };
    let offset = |at: usize| usize::try_from(number(at, 8)?).ok();
    let table = offset(0x20)?;
    let (entry_len, count) = (number(0x36, 2)?, number(0x38, 2)?);
    let mut segments = Vec::new();
    for index in 0..count {
        let entry = table + usize::try_from(index * entry_len).ok()?;
        let kind = number(entry, 4)?;
        let (start, len) = (offset(entry + 0x08)?, offset(entry + 0x20)?);
        let address = match kind {
            PT_LOAD => Some(number(entry + 0x10, 8)?),
            PT_NOTE => None,
            _ => continue,
        };
        segments.push(Segment { address, bytes: core.get(start..start + len)? });
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_looked_for_in_both_byte_orders_and_in_words() {
        let forms = forms(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(forms[1], [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(forms[2], [8, 7, 6, 5, 4, 3, 2, 1, 12, 11, 10, 9]);
        assert_eq!(forms[3], [4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9]);
    }

    #[test]
    fn a_place_is_named_by_its_mapping() {
        let maps = "1000-2000 rw-p 00000000 00:00 0 [heap]\n2000-3000 rw-p 00000000 00:00 0\n";
        let segment = Segment { address: Some(0x1000), bytes: &[] };
        assert_eq!(segment.place(0xfff, maps), "[heap]");
        assert_eq!(segment.place(0x1000, maps), "anonymous memory");
        assert_eq!(Segment { address: None, ..segment }.place(0, maps), "registers");
    }

    #[test]
    fn an_image_that_is_cut_off_has_no_segments() {
        assert!(segments(&[0; 16]).is_none());
        assert!(segments(&[0; 64]).is_some_and(|segments| segments.is_empty()));
    }
}
