//! Both sides of the handshake under memcheck, with their secrets marked as undefined: exactly what
//! is made public, by the protocol or by a library, may be reported. The places are those of the
//! release profile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::reports::{Frame, Report};
use super::{Level, private_operation};
use crate::command::Run;
use crate::workspace::Workspace;

/// What the probe does, by its functions: each has its secrets, and its planted branch.
const GROUPS: [(&str, &str); 8] = [
    ("agreement", "the agreed secret, up to the record keys and Finished"),
    ("pre_shared_key", "a pre-shared key, up to the record keys and Finished"),
    ("premaster", "the random numbers of a client's premaster secret, and its RSA encryption"),
    ("ticket", "the key and the master secret of a session ticket"),
    ("curve_key", "an ephemeral private key on each curve, in the library"),
    ("field_key", "an ephemeral private key in a finite field, in the library"),
    ("ecdsa_key", "a private key that signs on each curve, in the library"),
    ("rsa_key", "a private key of RSA that signs, in the library"),
];

/// Where a report may come from.
struct Public {
    /// The function of the probe.
    group: &'static str,
    function: &'static str,
    file: &'static str,
    /// Whether everything that the function calls is public too, such as all work on a signature.
    /// If not, the branch has to be in the function itself.
    with_callees: bool,
    /// Why it reveals nothing, or what it reveals.
    why: &'static str,
}

const fn within(
    group: &'static str,
    function: &'static str,
    file: &'static str,
    why: &'static str,
) -> Public {
    Public { group, function, file, with_callees: true, why }
}

const fn exactly(
    group: &'static str,
    function: &'static str,
    file: &'static str,
    why: &'static str,
) -> Public {
    Public { group, function, file, with_callees: false, why }
}

const TRIVIAL: &str = "whether anybody knows the agreed secret, which ends the handshake";
const ZEROS: &str = "how many leading zeros the secret of a finite field has: TLS up to 1.2 strips \
    them (RFC 5246 section 8.1.2; Raccoon). A key agrees once, so this is said of one secret";
const TICKET: &str = "whether a ticket is one of this server";
const RANGE: &str = "whether the number of a key that is loaded is in the range of its curve";
const NONCE: &str = "whether a nonce is in the range of its curve; else another is drawn";
const SIGNATURE: &str = "the numbers of the signature, which are public";

/// All places where something depends on a secret, in core and in RustCrypto's crates. The first
/// two must be there: TLS and this library make that public.
const PUBLIC: &[Public] = &[
    exactly("agreement", "agree", "ephemeral_key.rs", TRIVIAL),
    exactly("agreement", "{closure#0}", "ephemeral_key.rs", ZEROS),
    exactly("ticket", "decrypt_inout_detached", "lib.rs", TICKET),
    exactly("ticket", "open", "cipher.rs", TICKET),
    exactly("curve_key", "from_bytes", "secret_key.rs", RANGE),
    exactly("curve_key", "new", "agreement.rs", "the public key as bytes"),
    exactly("ecdsa_key", "from_bytes", "secret_key.rs", RANGE),
    exactly("ecdsa_key", "fill_next_k", "lib.rs", NONCE),
    exactly("ecdsa_key", "sign_prehashed_rfc6979", "hazmat.rs", NONCE),
    exactly("ecdsa_key", "invert", "nonzero.rs", "whether a nonce is 0, which was seen before"),
    exactly("ecdsa_key", "from_slice", "value.rs", SIGNATURE),
    exactly("ecdsa_key", "eq", "lib.rs", SIGNATURE),
    within("ecdsa_key", "from_scalars", "lib.rs", SIGNATURE),
    within("ecdsa_key", "from_components", "der.rs", SIGNATURE),
];

/// How many of them must be reported.
const CERTAIN: usize = 2;

/// Runs all groups with RustCrypto.
///
/// # Errors
///
/// Fails when anything but what is public is reported, and when what the protocol makes public is
/// not: then the mark was lost.
pub(super) fn check(workspace: &Workspace, probe: &Path, level: Level) -> Result<()> {
    let (reports, printed) = run(workspace, probe)?;
    let mut found = BTreeMap::<_, usize>::new();
    for report in &reports {
        let Some(public) = why_public(report) else {
            println!("{printed}");
            let own = report.own();
            bail!(
                "{level}, handshakes: reported in `{}` ({}) of {:?}; memcheck's reports are above",
                own.function,
                own.file(),
                group(report)
            );
        };
        *found.entry((group(report).unwrap_or_default(), public)).or_default() += 1;
    }
    for Public { group, why, .. } in &PUBLIC[..CERTAIN] {
        ensure!(found.contains_key(&(group, why)), "{level}, handshakes: not reported: {why}");
    }
    println!("{level}, handshakes: public only: {}", summary(&printed));
    for ((group, why), places) in found {
        println!("  {group}: {why} ({places} places)");
    }
    Ok(())
}

/// Runs all groups with their planted branches.
///
/// # Errors
///
/// Fails when the branch of a group is not reported.
pub(super) fn check_planted(workspace: &Workspace, probe: &Path, level: Level) -> Result<()> {
    let (reports, printed) = run(workspace, probe)?;
    let planted = reports.iter().filter(|report| report.is_in("planted_leak"));
    let planted = planted.filter(|report| why_public(report).is_none());
    let found: BTreeSet<_> = planted.filter_map(group).collect();
    for (name, secret) in GROUPS {
        if !found.contains(name) {
            println!("{printed}");
            bail!("{level}, {name}, {secret}: the planted branch was not reported");
        }
    }
    println!("{level}, handshakes: the planted branches are reported: {found:?}");
    Ok(())
}

fn run(workspace: &Workspace, probe: &Path) -> Result<(Vec<Report>, String)> {
    let (status, printed) = Run::new("valgrind")
        .args(["-q", "--tool=memcheck", "--error-limit=no", "--num-callers=40"])
        .args([probe])
        .args(["poison-handshakes"])
        .outcome(workspace)?;
    ensure!(status.success(), "the probe failed under memcheck ({status}):\n{printed}");
    Ok((Report::all(&printed), printed))
}

/// The last line that the probe itself printed.
fn summary(printed: &str) -> &str {
    printed.lines().rfind(|line| !line.starts_with("==")).unwrap_or_default()
}

/// The group that a report is in.
fn group(report: &Report) -> Option<&'static str> {
    GROUPS.into_iter().map(|(name, _)| name).find(|name| report.is_in(name))
}

/// Why what a report is of is public; none if it is not.
fn why_public(report: &Report) -> Option<&'static str> {
    let (own, group) = (report.own(), group(report)?);
    if group == "rsa_key" {
        return private_operation::why_public(report);
    }
    let is_here = |public: &&Public| {
        let is_it =
            |frame: &Frame| frame.function == public.function && frame.file() == public.file;
        let is_near =
            if public.with_callees { report.frames.iter().any(is_it) } else { is_it(&own) };
        public.group == group && is_near
    };
    PUBLIC.iter().find(is_here).map(|public| public.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, path: &str) -> Frame {
        Frame { function: function.into(), path: path.into() }
    }

    #[test]
    fn only_what_is_listed_is_public_and_in_its_group_only() {
        let report = |group: &str, function: &str, file: &str| Report {
            branch: true,
            frames: vec![frame(function, file), frame(group, "groups.rs")],
        };
        for Public { group, function, file, with_callees, .. } in PUBLIC {
            assert!(why_public(&report(group, function, file)).is_some());
            assert!(why_public(&report(group, "planted_leak", file)).is_none());
            assert!(why_public(&report("pre_shared_key", function, file)).is_none());
            assert!(why_public(&report("main", function, file)).is_none());
            let mut deeper = report(group, function, file);
            deeper.frames.insert(0, frame("mul", "src/mul.rs"));
            assert_eq!(why_public(&deeper).is_some(), *with_callees, "{function}");
        }
        let of_signature = report("rsa_key", "planted_leak", "handshake.rs");
        assert!(why_public(&of_signature).is_none());
    }
}
