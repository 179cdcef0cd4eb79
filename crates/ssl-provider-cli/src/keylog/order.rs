//! Puts sessions back into the order of the capture, whatever thread was done first, and follows
//! resumption from one connection to another, which only that order makes possible. In a live
//! capture it is the order in which handshakes are complete, and each session is reported once.

use std::collections::{BTreeMap, HashMap};

use super::analysis::{Analysis, analyse};
use super::conversation::{Part, RecordedConversation};
use super::keyring::Keyring;
use super::resumption::KnownSessions;
use super::session::{Session, Verdict};

/// Most bytes that wait for their turn; above that the oldest go first.
const MAX_WAITING: usize = 128 << 20;
/// Bytes that a session costs while it waits, about.
const SESSION_COST: usize = 1024;

/// A connection that has been analysed, once by each backend.
#[derive(Debug)]
pub(super) struct Analysed {
    pub(super) conversation: RecordedConversation,
    /// Empty where that is left until the connection has its turn.
    pub(super) by_backend: Vec<Analysis>,
}

/// One session as each backend judges it; the first is the one to be reported.
pub(super) type Judged = Vec<Session>;

/// Connections that wait for those that started before them.
#[derive(Debug)]
pub(super) struct Order<'k> {
    keyrings: &'k [Keyring],
    known: Vec<KnownSessions>,
    waiting: BTreeMap<(u64, u64), Analysed>,
    memory: usize,
    arrived: u64,
    /// How many sessions were reported of an opening, by the number of the connection.
    reported: HashMap<u64, usize>,
}

impl<'k> Order<'k> {
    pub(super) fn new(keyrings: &'k [Keyring]) -> Self {
        let known = keyrings.iter().map(|_| KnownSessions::default()).collect();
        let (waiting, reported) = (BTreeMap::new(), HashMap::new());
        Self { keyrings, known, waiting, memory: 0, arrived: 0, reported }
    }

    /// Takes a connection. They must come in the same order in every run.
    pub(super) fn take(&mut self, analysed: Analysed) {
        self.memory += analysed.cost();
        self.arrived += 1;
        self.waiting.insert((analysed.conversation.moment.packet, self.arrived), analysed);
    }

    /// The next session whose turn has come: it started before `watermark`, or too much is waiting.
    pub(super) fn next(&mut self, watermark: u64) -> Option<Vec<Judged>> {
        let entry = self.waiting.first_entry()?;
        if entry.key().0 >= watermark && self.memory <= MAX_WAITING {
            return None;
        }
        let analysed = entry.remove();
        self.memory -= analysed.cost();
        Some(self.resolve(analysed))
    }

    /// Looks again where a session is resumed, now that all earlier ones are known. Returns the
    /// sessions that have not been reported yet.
    fn resolve(&mut self, analysed: Analysed) -> Vec<Judged> {
        let Analysed { conversation, by_backend } = analysed;
        let reported = match conversation.part {
            Part::Whole | Part::Opening => 0,
            Part::Again { .. } => self.reported.remove(&conversation.number).unwrap_or(0),
        };
        if conversation.part == (Part::Again { renegotiated: false }) && reported > 0 {
            return Vec::new();
        }
        let mut by_backend = by_backend.into_iter();
        let mut judged: Vec<Judged> = Vec::new();
        for (keyring, known) in self.keyrings.iter().zip(&mut self.known) {
            let analysis = by_backend
                .next()
                .filter(|analysis| !analysis.resumes_unknown)
                .unwrap_or_else(|| analyse(&conversation, keyring, known));
            for (name, session) in analysis.learned {
                known.learn(name, session);
            }
            for (number, session) in analysis.sessions.into_iter().enumerate() {
                match judged.get_mut(number) {
                    Some(others) => others.push(session),
                    None => judged.push(vec![session]),
                }
            }
        }
        if conversation.part == Part::Opening {
            let incomplete = |session: &Session| session.verdict == Verdict::Incomplete;
            // What is missing may still come.
            while judged.pop_if(|sessions| sessions.iter().any(incomplete)).is_some() {}
            self.reported.insert(conversation.number, judged.len());
        }
        judged.drain(..reported.min(judged.len()));
        judged
    }
}

impl Analysed {
    /// Frees what is not needed any more: the records, unless they must be looked at again.
    pub(super) fn slim(mut self) -> Self {
        if !self.by_backend.iter().any(|analysis| analysis.resumes_unknown) {
            self.conversation.forget_records();
        }
        self
    }

    fn cost(&self) -> usize {
        let sessions: usize = self.by_backend.iter().map(|one| one.sessions.len()).sum();
        self.conversation.memory() + sessions * SESSION_COST
    }
}

#[cfg(test)]
#[cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
mod tests {
    use std::fs;
    use std::ops::ControlFlow;
    use std::path::Path;

    use ssl_provider::default_backend;

    use super::super::input::{Delivery, Input};
    use super::*;
    use crate::key_file::{PasswordArgs, read_keys};

    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data");

    /// The first connection in so many bytes of a capture, as this part of it.
    fn connection(capture: &[u8], part: Part) -> Analysed {
        let mut found = Vec::new();
        let mut take = |delivery: Delivery| {
            found.push(delivery.conversation);
            ControlFlow::Continue(())
        };
        let mut input = Input::default();
        assert!(input.read("capture", capture, &mut take).unwrap().is_continue());
        input.finish(&mut take);
        let mut conversation = found.swap_remove(0);
        conversation.part = part;
        Analysed { conversation, by_backend: Vec::new() }
    }

    #[test]
    fn a_session_is_reported_once_and_when_it_is_complete() {
        let key = Path::new(DATA).join("keys/server-2048.pem");
        let keys = read_keys(&key, &PasswordArgs::default().password().unwrap()).unwrap();
        let keyring = [Keyring::load(default_backend().unwrap(), &keys, false).unwrap()];
        let whole = fs::read(Path::new(DATA).join("no-close.pcap")).unwrap();
        // Without the packet that has the client's Finished.
        let part_len = whole.len() / 2 - 200;
        let (grown, same) =
            (Part::Again { renegotiated: true }, Part::Again { renegotiated: false });
        for (opening_len, again, reported) in [
            (whole.len(), same, [Some(Verdict::Proven), None]),
            (whole.len(), grown, [Some(Verdict::Proven), None]),
            (part_len, grown, [None, Some(Verdict::Proven)]),
            (part_len, same, [None, Some(Verdict::Proven)]),
        ] {
            let mut order = Order::new(&keyring);
            let parts = [(&whole[..opening_len], Part::Opening), (&whole[..], again)];
            let verdicts = parts.map(|(capture, part)| {
                order.take(connection(capture, part));
                let judged = order.next(u64::MAX).unwrap();
                judged.first().map(|session| session[0].verdict)
            });
            assert_eq!(verdicts, reported, "{opening_len} {again:?}");
        }
    }
}
