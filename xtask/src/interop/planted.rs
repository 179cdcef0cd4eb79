//! Planted faults: after its cells, each stack runs some in which one thing is not as the cell
//! requests. Each must be found, by the comparison that is there for it.

use anyhow::{Result, anyhow};

use crate::interop::cell::{Cell, ClientCertificate, Extra, Resumption};
use crate::interop::choose::domain;
use crate::interop::peer::{Meddling, NothingAltered, Peer};
use crate::interop::process::OutOfTime;
use crate::interop::stacks::{Role, Stack};

/// A fault that was planted.
#[derive(Debug)]
pub(crate) struct Planted {
    /// What was altered: what a comparison is called by.
    pub(crate) what: &'static str,
    /// Why it was not found, if so.
    pub(crate) missed: Option<String>,
}

/// What the dimensions of a cell are called in the comparison, in their order.
const DIMENSIONS: [&str; 8] = [
    "version",
    "suite",
    "group",
    "client_certificate",
    "resumed",
    "extended_master_secret",
    "encrypt_then_mac",
    "backend",
];

/// The dimensions of a cell of TLS 1.3 that a comparison sees: the index of each among the values
/// of a cell, what the fault is called here, and what the comparison calls it.
const TLS13_DIMENSIONS: [(usize, &str, &str); 7] = [
    (1, "TLS 1.3 suite", "suite"),
    (2, "TLS 1.3 group", "group"),
    (3, "TLS 1.3 client_certificate", "client_certificate"),
    (4, "TLS 1.3 resumed", "resumed"),
    (7, "TLS 1.3 backend", "backend"),
    (8, "TLS 1.3 retried", "retried"),
    (9, "TLS 1.3 early_data", "early_data"),
];

/// The kinds of faults that some stack of a role must have had.
pub(crate) fn kinds(role: Role) -> Vec<&'static str> {
    let mut kinds = DIMENSIONS.to_vec();
    // A server of TLS 1.3 is not seen to resume nothing: it is not asked to.
    let of_role = |it: &(usize, _, _)| it.0 != RESUMED || role == Role::Client;
    kinds.extend(TLS13_DIMENSIONS.into_iter().filter(of_role).map(|(_, name, _)| name));
    kinds.extend(["secrets", "record"]);
    kinds.extend(["TLS 1.3 secrets", "TLS 1.3 keying_material", "TLS 1.3 record"]);
    if role == Role::Server {
        kinds.extend(["data", "TLS 1.3 data"]);
    }
    kinds
}

/// Plants every fault that the green cells of a stack allow; in a short run, in TLS 1.3 only those
/// that are not about a dimension.
pub(crate) fn plant(
    peer: &mut Peer<'_>,
    stack: &Stack,
    backends: &[&'static str],
    green: &[Cell],
    smoke: bool,
    is_refused: &dyn Fn(&Cell) -> bool,
) -> Vec<Planted> {
    let domain = domain(stack, backends);
    let (tls13, older): (Vec<Cell>, Vec<Cell>) = green.iter().partition(|cell| cell.is_tls13());
    let mut planted = Vec::new();
    let older_names = DIMENSIONS.iter().enumerate().map(|(index, what)| (index, *what, *what));
    for (dimension, name, what) in older_names {
        planted.extend(other_value(
            peer,
            stack,
            &domain,
            &older,
            (dimension, name, what),
            is_refused,
        ));
    }
    for dimension in TLS13_DIMENSIONS.into_iter().filter(|_| !smoke) {
        planted.extend(other_value(peer, stack, &domain, &tls13, dimension, is_refused));
    }
    let names = ["secrets", "record", "data"];
    if let Some(cell) = older.iter().max_by_key(|cell| cell.version) {
        planted.extend(on_the_way(peer, stack, cell, names));
    }
    if let Some(cell) = tls13.iter().find(|cell| cell.extra == Extra::Nothing) {
        let names = ["TLS 1.3 secrets", "TLS 1.3 record", "TLS 1.3 data"];
        planted.extend(on_the_way(peer, stack, cell, names));
        if stack.exports.is_compared() {
            let missed = with_other_export(peer, stack, cell);
            planted.push(Planted { what: "TLS 1.3 keying_material", missed });
        }
    }
    planted
}

/// Runs another cell than the one that is compared, if there are two that differ in a dimension.
fn other_value(
    peer: &mut Peer<'_>,
    stack: &Stack,
    domain: &[Cell],
    green: &[Cell],
    (dimension, name, what): (usize, &'static str, &str),
    is_refused: &dyn Fn(&Cell) -> bool,
) -> Option<Planted> {
    // The first hundred have each kind of cell.
    let (cell, other) = green.iter().take(100).find_map(|cell| {
        let other = other_in(dimension, stack, cell, domain, is_refused)?;
        Some((cell, other))
    })?;
    let found =
        peer.converse(&other, Meddling::None).map(|conversation| conversation.check(cell, stack));
    let missed = match found {
        Ok(Err(error)) if error.to_string().starts_with(&format!("{what}:")) => None,
        Ok(Err(error)) => Some(format!("{cell}, in fact {other}: found as {error:#}")),
        Ok(Ok(())) => Some(format!("{cell}, in fact {other}: not found")),
        // A client without a session may find nothing to offer.
        Err(error) if what == "resumed" && !error.is::<OutOfTime>() => None,
        Err(error) => Some(format!("{other}: {error:#}")),
    };
    Some(Planted { what: name, missed })
}

/// Alters our secrets, a record and the data of a cell; `names` are what these faults are called.
fn on_the_way(
    peer: &mut Peer<'_>,
    stack: &Stack,
    cell: &Cell,
    [secrets, record, data]: [&'static str; 3],
) -> Vec<Planted> {
    let mut planted = Vec::new();
    if stack.secrets_of(cell).at_least(1) > 0 {
        planted.push(Planted { what: secrets, missed: with_other_secret(peer, stack, cell) });
    }
    let missed = match peer.converse(cell, Meddling::AlteredRecord) {
        Ok(_) => Some(format!("{cell}: not found")),
        Err(error) if error.is::<NothingAltered>() || error.is::<OutOfTime>() => {
            Some(format!("{cell}: {error:#}"))
        }
        Err(_) => None,
    };
    planted.push(Planted { what: record, missed });
    if stack.role == Role::Server {
        let missed = match peer.converse(cell, Meddling::OtherEcho) {
            Err(error) if error.to_string().starts_with("data:") => None,
            Err(error) => Some(format!("{cell}: found as {error:#}")),
            Ok(_) => Some(format!("{cell}: not found")),
        };
        planted.push(Planted { what: data, missed });
    }
    planted
}

/// The index of the dimensions among the values of a cell.
const CLIENT_CERTIFICATE: usize = 3;
const RESUMED: usize = 4;
const EXTRA: usize = 9;

/// Returns a cell that works and differs in one dimension only.
fn other_in(
    dimension: usize,
    stack: &Stack,
    cell: &Cell,
    domain: &[Cell],
    is_refused: &dyn Fn(&Cell) -> bool,
) -> Option<Cell> {
    if dimension == RESUMED && (stack.role == Role::Client || cell.is_tls13()) {
        // A server that resumes nothing, or that is not asked to.
        let fits = cell.resumption.resumes() && cell.extra == Extra::Nothing;
        return (fits && stack.role == Role::Client)
            .then_some(Cell { resumption: Resumption::None, ..*cell });
    }
    let differs = |other: &&Cell| {
        let (one, two) = (cell.values(), other.values());
        let mut pairs = one.iter().zip(&two).enumerate();
        let only = pairs.all(|(index, (one, two))| (one != two) == (index == dimension));
        // The number of connections would differ too, and be found first.
        let resumes =
            (cell.resumption == Resumption::None) == (other.resumption == Resumption::None);
        let sends = |cell: &Cell| cell.client_certificate != ClientCertificate::None;
        // A comparison sees whether a certificate is sent, not whether one is asked for.
        let shows = dimension != CLIENT_CERTIFICATE || sends(cell) != sends(other);
        // It sees early data, but not that keys were replaced.
        let is_early = |cell: &Cell| cell.extra == Extra::EarlyData;
        let shows = shows && (dimension != EXTRA || is_early(cell) != is_early(other));
        only && resumes && shows
    };
    domain.iter().filter(differs).find(|other| !is_refused(other)).copied()
}

/// Alters the secrets of our side.
fn with_other_secret(peer: &mut Peer<'_>, stack: &Stack, cell: &Cell) -> Option<String> {
    let mut found = || -> Result<()> {
        let mut conversation = peer.converse(cell, Meddling::None)?;
        for secret in &mut conversation.own_secrets {
            alter(&mut secret.secret);
        }
        match conversation.check(cell, stack) {
            Err(error) if error.to_string().starts_with("secrets:") => Ok(()),
            Err(error) => Err(anyhow!("found as {error:#}")),
            Ok(()) => Err(anyhow!("not found")),
        }
    };
    found().err().map(|error| format!("{cell}: {error:#}"))
}

/// Alters the keying material that our side exports.
fn with_other_export(peer: &mut Peer<'_>, stack: &Stack, cell: &Cell) -> Option<String> {
    let mut found = || -> Result<()> {
        let mut conversation = peer.converse(cell, Meddling::None)?;
        for session in &mut conversation.sessions {
            let mut material = session["keying_material"].as_str().unwrap_or_default().to_owned();
            alter(&mut material);
            session["keying_material"] = material.into();
        }
        match conversation.check(cell, stack) {
            Err(error) if error.to_string().starts_with("keying_material:") => Ok(()),
            Err(error) => Err(anyhow!("found as {error:#}")),
            Ok(()) => Err(anyhow!("not found")),
        }
    };
    found().err().map(|error| format!("{cell}: {error:#}"))
}

/// Replaces the last digit of a number in hexadecimal.
fn alter(hex: &mut String) {
    let last = hex.pop().unwrap_or('0');
    hex.push(if last == '0' { '1' } else { '0' });
}
