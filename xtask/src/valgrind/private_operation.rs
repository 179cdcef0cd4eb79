//! RustCrypto's private operation under memcheck, with the key marked as undefined, then with the
//! ciphertext: exactly the comparisons that are public may be reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::Level;
use super::reports::Report;
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
            let Some(public) = public(report) else {
                println!("{printed}");
                let own = report.own();
                bail!(
                    "{level}, private operation with a secret {secret}: reported in `{}` ({}), \
                     within `{}`; memcheck's reports are above",
                    own.function,
                    own.file(),
                    within(report)
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
        let secret_ones = reports.iter().filter(|report| public(report).is_none());
        let functions: BTreeSet<_> = secret_ones.map(|report| report.own().function).collect();
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

/// Why a report of RustCrypto's private operation reveals nothing; none if it is not public.
pub(super) fn why_public(report: &Report) -> Option<&'static str> {
    public(report).map(|public| public.why)
}

/// The public comparison that a report is of.
fn public(report: &Report) -> Option<&'static Public> {
    let own = report.own();
    let at = (own.function.as_str(), own.file(), within(report));
    let is_here = |public: &&Public| (public.function, public.file, public.within) == at;
    PUBLIC.iter().find(is_here).filter(|_| report.branch)
}

/// The function of the `rsa` crate that a report is in.
fn within(report: &Report) -> &str {
    let frame = report.frames.iter().find(|frame| frame.path.contains("src/algorithms/"));
    frame.map_or("", |frame| &frame.function)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::valgrind::reports::Frame;

    fn report(function: &str, file: &str, within: &str) -> Report {
        let frame = |function: &str, path: String| Frame { function: function.to_owned(), path };
        let of_crate = frame(within, "src/algorithms/rsa.rs".to_owned());
        Report { branch: true, frames: vec![frame(function, file.to_owned()), of_crate] }
    }

    #[test]
    fn only_what_is_listed_is_public() {
        for Public { function, file, within, .. } in PUBLIC {
            assert!(public(&report(function, file, within)).is_some());
            assert!(public(&report(function, file, "unpad")).is_none());
            assert!(public(&report("pow", file, within)).is_none());
            let address = Report { branch: false, ..report(function, file, within) };
            assert!(public(&address).is_none());
        }
        // The same division for another purpose, with a divisor that may be secret.
        assert!(public(&report("div_rem", "div.rs", "rsa_decrypt")).is_none());
        assert!(public(&report("planted_leak", "backend.rs", "")).is_none());
    }
}
