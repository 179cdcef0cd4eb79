//! Both sides of the handshake under memcheck, with their secrets marked as undefined: exactly what
//! is made public, by the protocol or by a library, may be reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, bail, ensure};

use super::Level;
use super::reports::Report;
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
    /// The innermost function that is not one of the standard library.
    function: &'static str,
    file: &'static str,
    /// Why it reveals nothing, or what it reveals.
    why: &'static str,
    /// Whether it must be there: the protocol or the interface asks for it.
    is_certain: bool,
}

const fn by_protocol(function: &'static str, file: &'static str, why: &'static str) -> Public {
    Public { group: "agreement", function, file, why, is_certain: true }
}

const TRIVIAL: &str = "whether anybody knows the agreed secret, which ends the handshake";
const ZEROS: &str = "how many leading zeros the secret of a finite field has: TLS up to 1.2 strips \
    them (RFC 5246 section 8.1.2; Raccoon). A key agrees once, so this is said of one secret";

/// All places where something depends on a secret, in core and in each library.
const PUBLIC: &[Public] = &[
    by_protocol("agree", "ephemeral_key.rs", TRIVIAL),
    by_protocol("{closure#0}", "ephemeral_key.rs", ZEROS),
];

/// Runs all groups with a library.
///
/// # Errors
///
/// Fails when anything but what is public is reported, and when what the protocol makes public is
/// not: then the mark was lost.
pub(super) fn check(
    workspace: &Workspace,
    probe: &Path,
    level: Level,
    library: &str,
) -> Result<()> {
    let (reports, printed) = run(workspace, probe, library)?;
    let mut found = BTreeMap::<_, usize>::new();
    for report in &reports {
        let Some(public) = public(report) else {
            println!("{printed}");
            let own = report.own();
            bail!(
                "{level}, handshakes of {library}: reported in `{}` ({}) of {:?}; memcheck's \
                 reports are above",
                own.function,
                own.file(),
                group(report)
            );
        };
        *found.entry((public.group, public.function, public.why)).or_default() += 1;
    }
    for public in PUBLIC.iter().filter(|public| public.is_certain) {
        let key = (public.group, public.function, public.why);
        ensure!(found.contains_key(&key), "{level}, {library}: not reported: {}", public.why);
    }
    println!("{level}, handshakes of {library}: public only: {}", summary(&printed));
    for ((group, function, why), places) in found {
        println!("  {group}, {function}: {why} ({places} places)");
    }
    Ok(())
}

/// Runs all groups with their planted branches.
///
/// # Errors
///
/// Fails when the branch of a group is not reported.
pub(super) fn check_planted(
    workspace: &Workspace,
    probe: &Path,
    level: Level,
    library: &str,
) -> Result<()> {
    let (reports, printed) = run(workspace, probe, library)?;
    let planted = reports.iter().filter(|report| report.is_in("planted_leak"));
    let found: BTreeSet<_> = planted.filter_map(group).collect();
    for (name, secret) in GROUPS.into_iter().filter(|(name, _)| has_group(library, name)) {
        if !found.contains(name) {
            println!("{printed}");
            bail!("{level}, {library}, {secret}: the planted branch was not reported");
        }
    }
    println!("{level}, handshakes of {library}: the planted branches are reported: {found:?}");
    Ok(())
}

/// Whether the probe can mark the secrets of a group in this library.
fn has_group(library: &str, group: &str) -> bool {
    match group {
        // ring has no finite fields. Libraries in C branch on blinded values of RSA, which memcheck
        // cannot tell from secret ones; the key of the ring backend that signs is RustCrypto's.
        "field_key" => library != "ring",
        "rsa_key" => library == super::IN_RUST,
        "ecdsa_key" => library != "ring",
        _ => true,
    }
}

fn run(workspace: &Workspace, probe: &Path, library: &str) -> Result<(Vec<Report>, String)> {
    let (status, printed) = Run::new("valgrind")
        .args(["-q", "--tool=memcheck", "--error-limit=no", "--num-callers=40"])
        .args([probe])
        .args(["poison-handshakes", library])
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

fn public(report: &Report) -> Option<&'static Public> {
    let (own, group) = (report.own(), group(report)?);
    let is_here = |public: &&Public| {
        public.group == group && public.function == own.function && public.file == own.file()
    };
    PUBLIC.iter().find(is_here).filter(|_| report.branch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::valgrind::reports::Frame;

    #[test]
    fn only_what_is_listed_is_public_and_in_its_group_only() {
        let frame =
            |function: &str, path: &str| Frame { function: function.into(), path: path.into() };
        let report = |group: &str, function: &str, file: &str| Report {
            branch: true,
            frames: vec![frame(function, file), frame(group, "groups.rs")],
        };
        for Public { group, function, file, .. } in PUBLIC {
            assert!(public(&report(group, function, file)).is_some());
            assert!(public(&report(group, "planted_leak", file)).is_none());
            assert!(public(&report("pre_shared_key", function, file)).is_none());
            assert!(public(&report("main", function, file)).is_none());
            let address = Report { branch: false, ..report(group, function, file) };
            assert!(public(&address).is_none());
        }
    }
}
