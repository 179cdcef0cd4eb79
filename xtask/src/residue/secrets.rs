//! The secrets that must not be left, in the forms that a library may keep them in, and the search
//! for them.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;
use anyhow::{Context, Result, ensure};
use data_encoding::HEXLOWER;
use serde::Deserialize;

use super::image::Image;
use super::{PATTERN, ephemeral};
use crate::command::Run;
use crate::workspace::Workspace;

/// Bytes of a secret that must not be found together.
const WINDOW: usize = 16;

/// The shortest secret, which is looked for as a whole: a write IV of TLS 1.3.
const SHORTEST: usize = 12;

/// What was found, and in which mappings.
pub(super) type Found = BTreeMap<String, BTreeSet<String>>;

/// What is looked for: pieces of secrets, in each form that a library may keep them in, each with
/// the name of its secret.
pub(super) struct Secrets(Vec<(String, Vec<u8>)>);

/// The output of `make_data.py secrets`, `sent` and `session`.
#[derive(Deserialize)]
struct Printed {
    bytes: BTreeMap<String, String>,
    /// Digits of 52 bits.
    digits: BTreeMap<String, Vec<u64>>,
}

impl Secrets {
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let pattern: Vec<u8> = (0..32_u8).map(|at| at.wrapping_mul(37).wrapping_add(11)).collect();
        let mut secrets = Self(vec![(PATTERN.to_owned(), pattern[..WINDOW].to_vec())]);
        secrets.add(workspace, &["secrets".to_owned()])?;
        Ok(secrets)
    }

    /// Those of a session: premaster and master secret, and the randoms of client and server, in
    /// hexadecimal.
    pub(super) fn of_session(workspace: &Workspace, numbers: [String; 4]) -> Result<Self> {
        let mut secrets = Self(Vec::new());
        secrets.add(workspace, &[&["session".to_owned()][..], &numbers].concat())?;
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
                ensure!(form.len() >= SHORTEST, "{name}: too short to be looked for");
                let window = form.len().min(WINDOW);
                let last = form.len() - window;
                for start in (0..last).step_by(8).chain([last]) {
                    self.0.push((name.clone(), form[start..start + window].to_vec()));
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

    /// Searches the memory of the C program, with that of another run for comparison, also for what
    /// became known by what it sent.
    pub(super) fn found_in(
        &self,
        workspace: &Workspace,
        image: &Image,
        other: &Image,
    ) -> Result<Found> {
        let mut all = Self(self.0.clone());
        let lines = image.sent.iter().map(|(name, bytes)| format!("{name}={bytes}"));
        all.add(workspace, &[vec!["sent".to_owned()], lines.collect()].concat())?;
        let mut found = all.search(image)?;
        let keys = ephemeral::PublicKeys::of(&image.sent)?;
        let others = other.segments()?;
        let of_others = others.iter().flat_map(|it| ephemeral::candidates(it.bytes));
        let of_others = of_others.map(|(_, bytes)| *bytes).collect();
        for segment in image.segments()? {
            for (name, at) in keys.find_private(segment.bytes, &of_others) {
                let place = segment.place(at, &image.maps);
                found.entry(format!("ephemeral key {name}")).or_default().insert(place);
            }
        }
        Ok(found)
    }

    /// Searches the memory of a process.
    pub(super) fn search(&self, image: &Image) -> Result<Found> {
        let pieces = AhoCorasick::new(self.0.iter().map(|(_, piece)| piece));
        let pieces = pieces.context("a search for all secrets")?;
        let mut found = Found::new();
        for segment in image.segments()? {
            for hit in pieces.find_overlapping_iter(segment.bytes) {
                let place = segment.place(hit.start(), &image.maps);
                found.entry(self.0[hit.pattern()].0.clone()).or_default().insert(place);
            }
        }
        Ok(found)
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
}
