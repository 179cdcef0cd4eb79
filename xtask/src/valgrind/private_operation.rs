//! RustCrypto's private operation under memcheck, with the key marked as undefined, then with the
//! ciphertext: exactly the comparisons that are public may be reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::Level;
use crate::command::Run;
use crate::workspace::Workspace;

/// Where a report may come from.
struct Public {
    /// The innermost function that is not one of the standard library or of `ctutils`.
    function: &'static str,
    file: &'static str,
    /// The function of the `rsa` crate that it works for.
    within: &'static str,
    /// Why it reveals nothing.
    why: &'static str,
}

/// All branches that depend on a secret. Each goes the same way for every key and every ciphertext,
/// but for the first, whose operands are public.
const PUBLIC: [Public; 10] = [
    Public {
        function: "rsa_decrypt",
        file: "rsa.rs",
        within: "rsa_decrypt",
        why: "whether the ciphertext is below the modulus",
    },
    Public {
        function: RESULT,
        file: "rsa.rs",
        within: RESULT,
        why: "whether the result is right: it always is, but for a fault",
    },
    of_modulus("new", "monty_params.rs", "whether the modulus is 1, or has 64 leading zeros"),
    of_modulus("div_rem", "div.rs", "whether the modulus is 0"),
    of_modulus("div_rem_shifted", "div.rs", "whether the modulus is 0"),
    of_modulus("bounded_shl_assign", "shl.rs", "whether a shift is within the width"),
    of_modulus("bounded_shl_by_limbs_assign", "shl.rs", "whether a shift is within the width"),
    of_modulus("bounded_shr_by_limbs_assign", "shr.rs", "whether a shift is within the width"),
    of_modulus("shl_assign_limb_with_carry", "shl.rs", SHIFT_IS_NOT_ZERO),
    of_modulus("shr_assign_limb_with_carry", "shr.rs", SHIFT_IS_NOT_ZERO),
];

/// The last comparison of the operation, which depends on all of its arithmetic.
const RESULT: &str = "rsa_decrypt_and_check";

const SHIFT_IS_NOT_ZERO: &str = "whether a shift, which was replaced by 1 if it is 0, is 0";

/// An assertion while the modulus, a prime times a random factor, is prepared.
const fn of_modulus(function: &'static str, file: &'static str, why: &'static str) -> Public {
    Public { function, file, within: "pow_mod_blinded", why }
}

/// The secrets, of which each run marks one.
const SECRETS: [&str; 2] = ["key", "ciphertext"];

/// Runs the operation with each of the secrets marked.
///
/// # Errors
///
/// Fails when anything but a public comparison is reported, and when the last one is not, which
/// depends on the secret: then the mark was lost.
pub(super) fn check(workspace: &Workspace, probe: &Path, level: Level) -> Result<()> {
    for secret in SECRETS {
        let (reports, printed) = run(workspace, probe, secret)?;
        let mut found = BTreeMap::<_, usize>::new();
        for report in &reports {
            let Some(public) = report.public() else {
                println!("{printed}");
                bail!(
                    "{level}, private operation with a secret {secret}: reported in `{}` ({}), \
                     within `{}`; memcheck's reports are above",
                    report.function,
                    report.file,
                    report.within
                );
            };
            *found.entry((public.function, public.why)).or_default() += 1;
        }
        let is_whole = found.keys().any(|(function, _)| *function == RESULT);
        ensure!(is_whole, "{level}, secret {secret}: no report in `{RESULT}`: the mark was lost");
        println!("{level}, private operation of rustcrypto, secret {secret}: public only:");
        for ((function, why), count) in found {
            println!("  {function}: {why} ({count} reports)");
        }
    }
    Ok(())
}

/// Runs the operation with the planted branch on its result.
///
/// # Errors
///
/// Fails when the branch is not reported as one that is not public.
pub(super) fn check_planted(workspace: &Workspace, probe: &Path, level: Level) -> Result<()> {
    for secret in SECRETS {
        let (reports, printed) = run(workspace, probe, secret)?;
        let secret_ones = reports.iter().filter(|report| report.public().is_none());
        let functions: BTreeSet<_> = secret_ones.map(|report| report.function.as_str()).collect();
        if !functions.contains("planted_leak") {
            println!("{printed}");
            bail!("{level}, secret {secret}: the planted branch was not reported");
        }
        println!("{level}, private operation, secret {secret}: the planted branch is reported");
    }
    Ok(())
}

fn run(workspace: &Workspace, probe: &Path, secret: &str) -> Result<(Vec<Report>, String)> {
    let (status, printed) = Run::new("valgrind")
        .args(["-q", "--tool=memcheck", "--error-limit=no", "--num-callers=30"])
        .args([probe])
        .args(["poison-private-operation", secret])
        .outcome(workspace)?;
    ensure!(status.success(), "the probe failed under memcheck ({status}):\n{printed}");
    Ok((Report::all(&printed), printed))
}

/// A report of memcheck, by where it is.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    /// Whether it is a branch; else it is an address, or what the kernel was given.
    branch: bool,
    function: String,
    file: String,
    within: String,
}

impl Report {
    fn all(printed: &str) -> Vec<Self> {
        let mut reports: Vec<(bool, Vec<(String, String)>)> = Vec::new();
        for line in printed.lines() {
            let Some((_, text)) = line.strip_prefix("==").and_then(|line| line.split_once("== "))
            else {
                continue;
            };
            if text.contains("ninitialised") {
                reports.push((text.starts_with("Conditional jump"), Vec::new()));
            } else if let (Some(frame), Some((_, frames))) = (frame(text), reports.last_mut()) {
                frames.push(frame);
            }
        }
        reports.iter().map(|(branch, frames)| Self::of(*branch, frames)).collect()
    }

    fn of(branch: bool, frames: &[(String, String)]) -> Self {
        let is_helper = |path: &str| path.starts_with("library/") || path.ends_with("ct_option.rs");
        let own = frames.iter().find(|(_, path)| !is_helper(path)).cloned();
        let (function, path) = own.unwrap_or_default();
        let file = path.rsplit('/').next().unwrap_or_default().to_owned();
        let within = frames.iter().find(|(_, path)| path.contains("src/algorithms/"));
        let within = within.map(|(function, _)| function.clone()).unwrap_or_default();
        Self { branch, function, file, within }
    }

    fn public(&self) -> Option<&'static Public> {
        let at = (self.function.as_str(), self.file.as_str(), self.within.as_str());
        let is_here = |public: &&Public| (public.function, public.file, public.within) == at;
        PUBLIC.iter().find(is_here).filter(|_| self.branch)
    }
}

/// The name of the function and the path of the file in a line such as
/// `   by 0x1234: rsa::f<T> (src/algorithms/rsa.rs:69)`.
fn frame(text: &str) -> Option<(String, String)> {
    let text = text.trim_start();
    let (_, text) = text.strip_prefix("at ").or(text.strip_prefix("by "))?.split_once(": ")?;
    let (name, place) = text.rsplit_once(" (")?;
    let path = place.rsplit_once(':').map_or(place, |(path, _)| path);
    Some((last_name(name), path.to_owned()))
}

/// The last name of a path, without what is in angle brackets.
fn last_name(path: &str) -> String {
    let (mut depth, mut name) = (0_usize, String::new());
    for letter in path.replace("->", "").chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth > 0 => (),
            ':' => name.clear(),
            _ => name.push(letter),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two reports as memcheck writes them, shortened.
    const PRINTED: &str = "\
==7927== Conditional jump or move depends on uninitialised value(s)
==7927==    at 0x272269: expect<core::num::nonzero::NonZero<u32>> (library/core/src/option.rs:969)
==7927==    by 0x272269: shl_assign_limb_with_carry (shl.rs:246)
==7927==    by 0x28BFA3: crypto_bigint::boxed::BoxedMontyParams::new (monty_params.rs:238)
==7927==    by 0x244B24: rsa::algorithms::blinding::pow_mod_blinded (src/algorithms/blinding.rs:67)
==7927==    by 0x241015: rsa_decrypt<SysRng, fn(A) -> B> (src/algorithms/rsa.rs:121)
==7927== 
==7927== Use of uninitialised value of size 8
==7927==    at 0x272270: <T as crypto_bigint::X>::div_rem (div.rs:32)
==7927==    by 0x241015: rsa_decrypt<SysRng, PrivateKey> (src/algorithms/rsa.rs:121)
rustcrypto, secret key in 46 places, reports: 2
";

    fn report(function: &str, file: &str, within: &str) -> Report {
        let [function, file, within] = [function, file, within].map(str::to_owned);
        Report { branch: true, function, file, within }
    }

    #[test]
    fn reports_are_read_with_their_functions() {
        let reports = Report::all(PRINTED);
        let expected = [
            report("shl_assign_limb_with_carry", "shl.rs", "pow_mod_blinded"),
            Report { branch: false, ..report("div_rem", "div.rs", "rsa_decrypt") },
        ];
        assert_eq!(reports, expected);
        assert_eq!(last_name("<T as U>::f<fn(A) -> B>"), "f");
    }

    #[test]
    fn only_what_is_listed_is_public() {
        for Public { function, file, within, .. } in PUBLIC {
            assert!(report(function, file, within).public().is_some());
            assert!(report(function, file, "unpad").public().is_none());
            assert!(report("pow", file, within).public().is_none());
            let address = Report { branch: false, ..report(function, file, within) };
            assert!(address.public().is_none());
        }
        // The same division for another purpose, with a divisor that may be secret.
        assert!(report("div_rem", "div.rs", "rsa_decrypt").public().is_none());
        assert!(report("planted_leak", "backend.rs", "").public().is_none());
    }
}
