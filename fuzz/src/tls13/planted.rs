//! Faults planted in an end, one for each property, which the targets must notice.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ssl_provider::{Side, default_backend};
use ssl_provider_lab::Alert;
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::fault::Fault;
use ssl_provider_wire::{HandshakeType, Message};

use super::end::{Delivery, End, Ended};
use super::plan::Plan;
use super::relay;
use super::scenario::{Kind, Scenario};
use super::{SCENARIOS, plans};
use crate::mutate::mutate;

/// What an end does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    /// A KeyUpdate that asks for neither makes it panic.
    Panics,
    /// It keeps all that it has received.
    KeepsAll,
    /// It writes records without end.
    WritesManyRecords,
    /// It writes more than a flight for each record.
    WritesALot,
    /// It sends another alert than it may.
    BlamesItself,
    /// It ends without an alert.
    SaysNothing,
    /// It goes on writing after its end.
    WritesAfterItsEnd,
    /// It delivers data before Finished.
    DeliversBeforeFinished,
    /// It takes any Finished.
    TakesAnyFinished,
    /// It passes over messages that only it may send.
    PassesOverOwnMessages,
    /// It passes over records that are not authentic.
    PassesOverGarbage,
    /// It passes over alerts.
    PassesOverAlerts,
    /// It passes over ChangeCipherSpec at any time.
    PassesOverChangeCipherSpec,
    /// It loses a byte of long data.
    LosesData,
    /// It exports something else.
    ExportsAnother,
}

impl Planted {
    /// Every fault, and what the targets say about it.
    const ALL: [(Self, &str); 15] = [
        (Self::Panics, "planted"),
        (Self::KeepsAll, "keeps"),
        (Self::WritesManyRecords, "rounds"),
        (Self::WritesALot, "bytes in reply to"),
        (Self::BlamesItself, "sends InternalError"),
        (Self::SaysNothing, "was sent for"),
        (Self::WritesAfterItsEnd, "writes after its end"),
        (Self::DeliversBeforeFinished, "data before Finished"),
        (Self::TakesAnyFinished, "is established without Finished"),
        (Self::PassesOverOwnMessages, "has taken"),
        (Self::PassesOverGarbage, "has taken a record that is not authentic"),
        (Self::PassesOverAlerts, "goes on after an alert"),
        (Self::PassesOverChangeCipherSpec, "has taken ChangeCipherSpec out of place"),
        (Self::LosesData, "delivers"),
        (Self::ExportsAnother, "the same exporter: false"),
    ];
}

/// An end with a fault.
struct Faulty {
    inner: Box<dyn End>,
    side: Side,
    fault: Planted,
    received: usize,
    output: Vec<u8>,
    early: Vec<u8>,
    has_seen_finished: bool,
}

impl Faulty {
    /// Whether a record is kept from the sound end.
    fn passes_over(&self, delivery: &Delivery<'_>) -> bool {
        let payload = delivery.content.map(|(_, payload)| payload).unwrap_or_default();
        let content_type = delivery.content.map(|(content_type, _)| content_type);
        match self.fault {
            Planted::PassesOverOwnMessages => {
                let own = match self.side {
                    Side::Client => HandshakeType::CLIENT_HELLO,
                    Side::Server => HandshakeType::SERVER_HELLO,
                };
                let len = payload.len().saturating_sub(Message::HEADER_LEN).to_be_bytes();
                // A whole one.
                content_type == Some(22)
                    && payload.first() == Some(&own.0)
                    && payload.get(1..4) == Some(&len[5..])
            }
            Planted::PassesOverGarbage => content_type.is_none(),
            Planted::PassesOverAlerts => content_type == Some(21),
            Planted::PassesOverChangeCipherSpec => content_type == Some(20),
            _ => false,
        }
    }
}

const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

impl End for Faulty {
    fn receive(&mut self, delivery: Delivery<'_>) {
        self.received += delivery.bytes.len();
        if self.fault == Planted::Panics
            && delivery.is_last
            && let Some((22, [24, 0, 0, 1, 0])) = delivery.content
        {
            panic!("planted");
        }
        if self.fault == Planted::WritesManyRecords {
            self.output.extend(CHANGE_CIPHER_SPEC.repeat(300));
        }
        if self.fault == Planted::WritesALot {
            self.output.extend([&[20, 3, 3, 0x40, 0], &[1; 0x4000][..]].concat());
        }
        if self.fault == Planted::WritesAfterItsEnd && self.inner.ended().is_some() {
            self.output.extend(CHANGE_CIPHER_SPEC);
        }
        if self.fault == Planted::DeliversBeforeFinished
            && delivery.is_last
            && !self.inner.is_established()
            && let Some((23, payload)) = delivery.content
        {
            self.early.extend_from_slice(payload);
        }
        if let Some((22, payload)) = delivery.content
            && delivery.is_last
        {
            self.has_seen_finished |= payload.first() == Some(&HandshakeType::FINISHED.0);
        }
        if !self.passes_over(&delivery) {
            self.inner.receive(delivery);
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        let mut output = self.inner.take_output();
        if self.fault == Planted::SaysNothing && self.inner.ended().is_some() {
            output.clear();
        }
        output.append(&mut self.output);
        output
    }

    fn is_established(&self) -> bool {
        let takes_any = self.fault == Planted::TakesAnyFinished && self.has_seen_finished;
        self.inner.is_established() || takes_any
    }

    fn ended(&self) -> Option<Ended> {
        match self.inner.ended() {
            Some(Ended::Refused(Alert::DecodeError)) if self.fault == Planted::BlamesItself => {
                Some(Ended::Refused(Alert::InternalError))
            }
            other => other,
        }
    }

    fn is_closed_by_peer(&self) -> bool {
        self.inner.is_closed_by_peer()
    }

    fn take_data(&mut self) -> Vec<u8> {
        let mut data = self.inner.take_data();
        data.append(&mut self.early);
        if self.fault == Planted::LosesData && data.len() > 20 {
            data.pop();
        }
        data
    }

    fn take_early_data(&mut self) -> Vec<u8> {
        self.inner.take_early_data()
    }

    fn has_accepted_early_data(&self) -> bool {
        self.inner.has_accepted_early_data()
    }

    fn buffered_len(&self) -> usize {
        let kept = if self.fault == Planted::KeepsAll { self.received } else { 0 };
        self.inner.buffered_len() + kept
    }

    fn send(&mut self, data: &[u8]) {
        self.inner.send(data);
    }

    fn send_early_data(&mut self, data: &[u8]) {
        self.inner.send_early_data(data);
    }

    fn update_keys(&mut self, both: bool) {
        self.inner.update_keys(both);
    }

    fn close(&mut self) {
        self.inner.close();
    }

    fn exported(&self) -> Option<[u8; 32]> {
        let mut exported = self.inner.exported()?;
        exported[0] ^= u8::from(self.fault == Planted::ExportsAnother);
        Some(exported)
    }
}

/// What a target says about a fault, and after how many inputs; none where it finds nothing.
fn found(fault: Planted, attacked: Side) -> Option<(String, usize)> {
    let corpus = plans();
    let mut rng = Rng::new(1);
    let plant = move |side, inner| -> Box<dyn End> {
        match side == attacked {
            false => inner,
            true => {
                let (output, early) = (Vec::new(), Vec::new());
                Box::new(Faulty {
                    inner,
                    side,
                    fault,
                    received: 0,
                    output,
                    early,
                    has_seen_finished: false,
                })
            }
        }
    };
    for number in 0..MOST_INPUTS {
        let input = match corpus.get(number) {
            Some(seed) => seed.clone(),
            None => mutate(&mut rng, &corpus),
        };
        let plan = Plan::parse(&input);
        let scenario = &SCENARIOS[usize::from(plan.scenario) % SCENARIOS.len()];
        let run = || relay::run(scenario, &plan, attacked, &plant);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            return Some((text(&*panic), number));
        }
    }
    None
}

/// Inputs that a fault must be found in: seconds.
const MOST_INPUTS: usize = 4000;

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned())).unwrap_or_default()
}

fn every_fault_is_found(attacked: Side) {
    for (fault, expected) in Planted::ALL {
        let (said, number) = found(fault, attacked)
            .unwrap_or_else(|| panic!("{fault:?} at {attacked:?} is not noticed"));
        println!("{fault:?} at {attacked:?}: input {number}: {said}");
        assert!(said.contains(expected), "{fault:?} at {attacked:?}: {said}");
    }
}

#[test]
fn faults_planted_in_a_server_are_found() {
    every_fault_is_found(Side::Server);
}

#[test]
fn faults_planted_in_a_client_are_found() {
    every_fault_is_found(Side::Client);
}

#[test]
fn backends_with_another_transcript_hash_are_found() {
    let backend = default_backend().unwrap();
    let faults = [Fault::HashKeepsTheLastPiece, Fault::HashDuplicateForgets];
    for fault in faults {
        let run = || {
            let scenario = Scenario::new(Kind::Full, fault.inject(&backend).backend());
            relay::run(&scenario, &Plan::default(), Side::Server, &|_, end| end)
        };
        let said = catch_unwind(AssertUnwindSafe(run)).map_err(|panic| text(&*panic));
        assert!(said.is_err(), "{fault:?} is not noticed");
    }
}
