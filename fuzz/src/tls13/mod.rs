//! The targets of the TLS 1.3 state machines: a conversation of our client with our server, whose
//! records are opened, changed and protected again on the way, so that changes reach what lies
//! behind the first keys.
//!
//! An input is a [`plan::Plan`]. What must hold after every record is in [`relay`], what an end may
//! accept in [`model`]: no panic, a bounded number of bytes kept and written, an alert of RFC 8446
//! or progress, no application data before Finished but early data that were accepted, and no end
//! that is established unless Finished covers what it has seen.

// A target reports a failure by panicking.
#![allow(clippy::missing_panics_doc)]

pub mod end;
pub mod keys;
pub mod model;
pub mod parts;
pub mod plan;
#[cfg(test)]
mod planted;
pub mod relay;
pub mod scenario;

use std::sync::LazyLock;

use ssl_provider::{Side, default_backend};

use self::plan::{Change, Kind, Plan};
use self::relay::Outcome;
use self::scenario::Scenario;

static SCENARIOS: LazyLock<Vec<Scenario>> =
    LazyLock::new(|| Scenario::all(&default_backend().expect("backends are compiled in")));

/// A conversation whose client messages are changed: what the server makes of them.
pub fn tls13_server(input: &[u8]) {
    run(&SCENARIOS, input, Side::Server);
}

/// A conversation whose server messages are changed: what the client makes of them.
pub fn tls13_client(input: &[u8]) {
    run(&SCENARIOS, input, Side::Client);
}

/// Runs an input on these scenarios.
///
/// # Panics
///
/// Panics when something does not hold.
pub fn run(scenarios: &[Scenario], input: &[u8], attacked: Side) -> Outcome {
    let plan = Plan::parse(input);
    let scenario = &scenarios[usize::from(plan.scenario) % scenarios.len()];
    relay::run(scenario, &plan, attacked, &|_, end| end)
}

/// A plan that changes nothing for every conversation, and every kind of change on some of them.
pub fn plans() -> Vec<Vec<u8>> {
    let count = scenario::Kind::ALL.len();
    let small = |number: usize| u8::try_from(number).expect("a few of each");
    let unchanged = (0..count).map(|it| Plan { scenario: small(it), ..Plan::default() });
    let mut plans: Vec<_> = unchanged.map(|plan| plan.to_bytes()).collect();
    for (place, kind) in Kind::ALL.into_iter().enumerate() {
        for (number, unit) in [place, 5 * place + 3, 7 * place + 1].into_iter().zip([0, 2, 5]) {
            let (scenario, flags) = (small(number % count), small(number % 16));
            let changes = vec![change_of(kind, unit)];
            plans.push(Plan { scenario, flags, changes }.to_bytes());
        }
    }
    plans
}

/// A change that is typical of its kind.
fn change_of(kind: Kind, unit: u8) -> Change {
    let (at, value, literal): (u16, u8, &[u8]) = match kind {
        // A KeyUpdate that asks for one.
        Kind::Message => (0, 10, &[1]),
        // Data, or an alert.
        Kind::Record if unit.is_multiple_of(2) => (9, 4, b"x"),
        Kind::Record => (0, 2, &[2, 40]),
        Kind::Raw => (0, 0, &[22, 3, 3, 0, 1, 1]),
        Kind::Extension => (1, 3, &[0, 2, 3, 4]),
        Kind::Insert | Kind::Data => (4, 0, b"abc"),
        Kind::Length => (38, 0xff, &[0xff]),
        _ => (40, 2, &[]),
    };
    Change { unit, kind, at, value, literal: literal.to_vec() }
}

#[cfg(test)]
mod tests {
    use ssl_provider_testkit::bytes::Rng;

    use super::*;
    use crate::mutate::mutate;

    const SIDES: [Side; 2] = [Side::Server, Side::Client];

    #[test]
    fn conversations_that_nothing_changes_succeed_in_pieces_and_repaired() {
        for attacked in SIDES {
            for scenario in 0..u8::try_from(scenario::Kind::ALL.len()).unwrap() {
                for flags in 0..16 {
                    let plan = Plan { scenario, flags, changes: Vec::new() };
                    let outcome = run(&SCENARIOS, &plan.to_bytes(), attacked);
                    assert_eq!(outcome.established, [true; 2], "{plan:?}");
                    assert!(!outcome.is_changed && !outcome.is_repaired, "{plan:?}: {outcome:?}");
                    assert!(outcome.protected > 4, "{plan:?}: {outcome:?}");
                }
            }
        }
    }

    #[test]
    fn changes_reach_what_lies_behind_the_first_keys() {
        let corpus = plans();
        for attacked in SIDES {
            let (mut rng, mut alerts) = (Rng::new(7), Vec::new());
            let (mut behind_keys, mut established_on_changes, mut repaired) = (0, 0, 0);
            for _ in 0..600 {
                let outcome = run(&SCENARIOS, &mutate(&mut rng, &corpus), attacked);
                let side = usize::from(attacked == Side::Server);
                behind_keys += usize::from(outcome.is_changed && outcome.protected > 0);
                repaired += usize::from(outcome.is_repaired);
                established_on_changes +=
                    usize::from(outcome.is_repaired && outcome.established[side]);
                if let Some(end::Ended::Refused(alert)) = outcome.ended[side]
                    && !alerts.contains(&alert)
                {
                    alerts.push(alert);
                }
            }
            println!(
                "{attacked:?}: {behind_keys} behind keys, {repaired} repaired, \
                 {established_on_changes} of them established, {alerts:?}"
            );
            assert!(behind_keys > 100, "{attacked:?}: {behind_keys} of 600 behind the first keys");
            assert!(established_on_changes > 0, "{attacked:?}: {repaired} repaired in vain");
            assert!(alerts.len() >= 4, "{attacked:?}: {alerts:?}");
        }
    }
}
