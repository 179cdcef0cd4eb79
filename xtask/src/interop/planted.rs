//! Planted faults: after its cells, each stack runs some in which one thing is not as the cell
//! requests. Each must be found, by the comparison that is there for it.

use anyhow::{Result, anyhow};

use crate::interop::cell::{Cell, ClientCertificate, Resumption};
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

/// The kinds of faults that some stack of a role must have had.
pub(crate) fn kinds(role: Role) -> Vec<&'static str> {
    let mut kinds = DIMENSIONS.to_vec();
    kinds.extend(["secrets", "record"]);
    if role == Role::Server {
        kinds.push("data");
    }
    kinds
}

/// Plants every fault that the green cells of a stack allow.
pub(crate) fn plant(
    peer: &mut Peer<'_>,
    stack: &Stack,
    backends: &[&'static str],
    green: &[Cell],
    is_refused: &dyn Fn(&Cell) -> bool,
) -> Vec<Planted> {
    let domain = domain(stack, backends);
    let mut planted = Vec::new();
    for (dimension, what) in DIMENSIONS.into_iter().enumerate() {
        // The first hundred have each kind of cell.
        let pair = green.iter().take(100).find_map(|cell| {
            let other = other_in(dimension, stack, cell, &domain, is_refused)?;
            Some((cell, other))
        });
        let Some((cell, other)) = pair else { continue };
        // Another cell is run than the one that is compared.
        let found = peer
            .converse(&other, Meddling::None)
            .map(|conversation| conversation.check(cell, stack));
        let missed = match found {
            Ok(Err(error)) if error.to_string().starts_with(&format!("{what}:")) => None,
            Ok(Err(error)) => Some(format!("{cell}, in fact {other}: found as {error:#}")),
            Ok(Ok(())) => Some(format!("{cell}, in fact {other}: not found")),
            // A client without a session may find nothing to offer.
            Err(error) if what == "resumed" && !error.is::<OutOfTime>() => None,
            Err(error) => Some(format!("{other}: {error:#}")),
        };
        planted.push(Planted { what, missed });
    }
    let Some(cell) = green.iter().max_by_key(|cell| cell.version) else { return planted };
    if stack.secrets.at_least(1) > 0 {
        planted.push(Planted { what: "secrets", missed: with_other_secret(peer, stack, cell) });
    }
    let missed = match peer.converse(cell, Meddling::AlteredRecord) {
        Ok(_) => Some(format!("{cell}: not found")),
        Err(error) if error.is::<NothingAltered>() || error.is::<OutOfTime>() => {
            Some(format!("{cell}: {error:#}"))
        }
        Err(_) => None,
    };
    planted.push(Planted { what: "record", missed });
    if stack.role == Role::Server {
        let missed = match peer.converse(cell, Meddling::OtherEcho) {
            Err(error) if error.to_string().starts_with("data:") => None,
            Err(error) => Some(format!("{cell}: found as {error:#}")),
            Ok(_) => Some(format!("{cell}: not found")),
        };
        planted.push(Planted { what: "data", missed });
    }
    planted
}

/// Returns a cell that works and differs in one dimension only.
fn other_in(
    dimension: usize,
    stack: &Stack,
    cell: &Cell,
    domain: &[Cell],
    is_refused: &dyn Fn(&Cell) -> bool,
) -> Option<Cell> {
    let name = DIMENSIONS.get(dimension).copied();
    if name == Some("resumed") && stack.role == Role::Client {
        // A server that resumes nothing.
        return Some(Cell { resumption: Resumption::None, ..*cell });
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
        let shows = name != Some("client_certificate") || sends(cell) != sends(other);
        only && resumes && shows
    };
    domain.iter().filter(differs).find(|other| !is_refused(other)).copied()
}

/// Alters the secrets of our side.
fn with_other_secret(peer: &mut Peer<'_>, stack: &Stack, cell: &Cell) -> Option<String> {
    let mut found = || -> Result<()> {
        let mut conversation = peer.converse(cell, Meddling::None)?;
        for secret in &mut conversation.own_secrets {
            let last = secret.master_secret.pop().unwrap_or('0');
            secret.master_secret.push(if last == '0' { '1' } else { '0' });
        }
        match conversation.check(cell, stack) {
            Err(error) if error.to_string().starts_with("secrets:") => Ok(()),
            Err(error) => Err(anyhow!("found as {error:#}")),
            Ok(()) => Err(anyhow!("not found")),
        }
    };
    found().err().map(|error| format!("{cell}: {error:#}"))
}
