//! The client of the matrix: `sslprov connect`, one process for each cell. A line goes to the
//! server, which sends it back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::interop::cell::{Cell, EXPORT, Extra, Group, Resumption};
use crate::interop::commands::Place;
use crate::interop::conversation::Secret;
use crate::interop::process::exchange;
use crate::interop::server::psk_file;
use crate::interop::stacks::Role;

/// How a server sends a line back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// As it came; the server closes.
    AndClose,
    /// As it came; the client closes.
    Plain,
    /// As it came, without early data; the client closes.
    WithoutEarly,
    /// Its characters in the reverse order; the client closes.
    Reversed,
}

/// Characters of a line: more than a small record, fewer than a command reads at once.
const LINE_LEN: usize = 900;

/// Runs a cell. Returns the sessions and the secrets as our client reports them.
///
/// # Errors
///
/// Fails when the client does, with its message, and when the line does not come back.
pub(crate) fn converse(
    program: &Path,
    place: &Place,
    cell: &Cell,
    port: u16,
    echo: Echo,
) -> Result<(Vec<Value>, Vec<Secret>)> {
    let key_log = place.directory.join("client-keys");
    if key_log.exists() {
        fs::remove_file(&key_log).context("cannot remove the key log of the last cell")?;
    }
    let version = cell.version.argument();
    let groups: Vec<_> = cell.groups(Role::Server).into_iter().map(Group::name).collect();
    let mut command = Command::new(program);
    command
        .arg("connect")
        .arg(format!("127.0.0.1:{port}"))
        .args(["--server-name", "localhost", "--json", "--pipe", "--timeout", "15"])
        .args(["--backend", cell.backend, "--min-version", version, "--max-version", version])
        .arg(format!("--suites=0x{:04x}", cell.suite.id))
        .args((!groups.is_empty()).then(|| format!("--groups={}", groups.join(","))))
        .args((!cell.extended_master_secret).then_some("--no-ems"))
        .args((!cell.encrypt_then_mac).then_some("--no-etm"))
        .args((cell.resumption == Resumption::Id).then_some("--no-tickets"))
        .args(cell.resumption.resumes().then_some("--resume"))
        .args(cell.is_tls13().then_some(["--keying-material", EXPORT.0]).into_iter().flatten())
        .args((echo != Echo::AndClose).then_some("--close-at-end"))
        .arg("--ca-file")
        .arg(place.identities.certificate(cell.server_identity()))
        .arg("--key-log")
        .arg(&key_log);
    if let Some(name) = cell.client_certificate.identity() {
        command.arg("--key").arg(place.identities.key(name));
        command.arg("--cert").arg(place.identities.certificate(name));
    }
    if cell.resumption == Resumption::ExternalPsk {
        command.arg("--external-psk").arg(psk_file(place, cell)?);
    }
    let line = line(cell);
    let input = format!("{line}\n");
    let mut late = input.as_str();
    if cell.extra == Extra::EarlyData {
        // The first half of the line comes early, the other one behind the handshake.
        let (early, rest) = input.split_at(LINE_LEN / 2);
        let path = place.directory.join("early-data");
        fs::write(&path, early).context("cannot write the early data")?;
        command.arg("--early-data").arg(path);
        late = rest;
    }
    let answer_len = if echo == Echo::WithoutEarly { late.len() } else { input.len() };
    let done = exchange(&mut command, late.as_bytes(), answer_len)?;
    let (reports, other): (Vec<_>, Vec<_>) =
        done.errors.lines().partition(|line| line.starts_with('{'));
    let reports: Vec<Value> = reports
        .into_iter()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("a report that is not JSON")?;
    if let Some(failed) = reports.iter().find(|report| report["event"] != "established") {
        bail!("{}", failed["error"].as_str().unwrap_or("a report without an error"));
    }
    let secrets = match key_log.exists() {
        true => Secret::of_key_log(&fs::read_to_string(&key_log).context("our key log")?),
        false => Vec::new(),
    };
    let complaint = other.iter().rev().find(|line| !line.trim().is_empty()).copied();
    let complaint = complaint.unwrap_or("it fails without a message");
    if reports.is_empty() {
        bail!("{complaint}");
    }
    if cell.resumption.resumes() && reports.len() == 1 {
        bail!("resumed: expected another connection; {complaint}");
    }
    // The comparison with the cell finds it.
    let is_new = reports.get(1).is_some_and(|it| it["resumed"].is_null());
    let came = String::from_utf8_lossy(&done.output);
    let wanted = match echo {
        Echo::AndClose | Echo::Plain => line,
        Echo::WithoutEarly => late.trim_end().to_owned(),
        Echo::Reversed => line.chars().rev().collect(),
    };
    ensure!(came.trim_end() == wanted, "data: {} bytes came back, not the line", came.len());
    ensure!(done.success || is_new, "the client fails: {complaint}");
    Ok((reports, secrets))
}

/// A line of its own for every cell.
fn line(cell: &Cell) -> String {
    let start = cell.to_string().replace(' ', "_");
    start.chars().chain(('a'..='z').cycle()).take(LINE_LEN).collect()
}
