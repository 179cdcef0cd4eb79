//! Both ends of a connection behind one trait, so that tests can plant faults in either.

use std::fmt;

use ssl_provider_lab::client::{ClientConnection, ClientEnding, EarlyDataStatus};
use ssl_provider_lab::{Alert, Connection, Ending, ExportFrom};

/// How an end has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By close_notify of either side.
    Closed,
    /// It sent this alert.
    Refused(Alert),
    /// It received this alert.
    Failed(u8),
}

/// Bytes of a record on its way to an end, with what is in it as far as the end can read it.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// What is on the wire.
    pub bytes: &'a [u8],
    /// The type of the content and the content; none where the end cannot authenticate it.
    pub content: Option<(u8, &'a [u8])>,
    /// Whether the record ends with these bytes.
    pub is_last: bool,
}

/// One end of a connection.
pub trait End {
    /// Passes on bytes of the other end.
    fn receive(&mut self, delivery: Delivery<'_>);
    /// Takes what is to be sent.
    fn take_output(&mut self) -> Vec<u8>;
    /// Whether the handshake is complete.
    fn is_established(&self) -> bool;
    /// How it ended; none while it is open.
    fn ended(&self) -> Option<Ended>;
    /// Whether the other end has sent close_notify.
    fn is_closed_by_peer(&self) -> bool;
    /// Takes application data that were received.
    fn take_data(&mut self) -> Vec<u8>;
    /// Takes early data that were received.
    fn take_early_data(&mut self) -> Vec<u8>;
    /// Whether it says that early data were accepted.
    fn has_accepted_early_data(&self) -> bool;
    /// Bytes that it keeps for later.
    fn buffered_len(&self) -> usize;
    /// Sends application data.
    fn send(&mut self, data: &[u8]);
    /// Sends early data.
    fn send_early_data(&mut self, data: &[u8]);
    /// Replaces its keys, and with `both` those of the other end.
    fn update_keys(&mut self, both: bool);
    /// Sends close_notify.
    fn close(&mut self);
    /// Exports keying material; none where there is none.
    fn exported(&self) -> Option<[u8; 32]>;
}

impl fmt::Debug for dyn End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_established, ended) = (self.is_established(), self.ended());
        f.debug_struct("End")
            .field("is_established", &is_established)
            .field("ended", &ended)
            .finish_non_exhaustive()
    }
}

/// The label of what both sides export.
const LABEL: &[u8] = b"EXPERIMENTAL fuzz";

impl End for Connection {
    fn receive(&mut self, delivery: Delivery<'_>) {
        Self::receive(self, delivery.bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        let output = self.output().to_vec();
        self.sent(output.len());
        output
    }

    fn is_established(&self) -> bool {
        self.established().is_some()
    }

    fn ended(&self) -> Option<Ended> {
        self.ending().map(|ending| match ending {
            Ending::Closed => Ended::Closed,
            Ending::Refused(alert) => Ended::Refused(alert),
            Ending::FailedByClient(alert) => Ended::Failed(alert),
        })
    }

    fn is_closed_by_peer(&self) -> bool {
        self.is_closed_by_client()
    }

    fn take_data(&mut self) -> Vec<u8> {
        Self::take_data(self)
    }

    fn take_early_data(&mut self) -> Vec<u8> {
        Self::take_early_data(self)
    }

    fn has_accepted_early_data(&self) -> bool {
        self.established().is_some_and(|info| info.early_data.is_some())
    }

    fn buffered_len(&self) -> usize {
        Self::buffered_len(self)
    }

    fn send(&mut self, data: &[u8]) {
        let _ = Self::send(self, data);
    }

    fn send_early_data(&mut self, _: &[u8]) {}

    fn update_keys(&mut self, both: bool) {
        Self::update_keys(self, both);
    }

    fn close(&mut self) {
        Self::close(self);
    }

    fn exported(&self) -> Option<[u8; 32]> {
        let mut out = [0; 32];
        let from = ExportFrom::default();
        self.export_keying_material(from, LABEL, Some(b"x"), &mut out).is_ok().then_some(out)
    }
}

impl End for ClientConnection {
    fn receive(&mut self, delivery: Delivery<'_>) {
        Self::receive(self, delivery.bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        let output = self.output().to_vec();
        self.sent(output.len());
        output
    }

    fn is_established(&self) -> bool {
        self.established().is_some()
    }

    fn ended(&self) -> Option<Ended> {
        self.ending().map(|ending| match ending {
            ClientEnding::Closed => Ended::Closed,
            ClientEnding::Refused(alert) => Ended::Refused(alert),
            ClientEnding::FailedByServer(alert) => Ended::Failed(alert),
        })
    }

    fn is_closed_by_peer(&self) -> bool {
        self.is_closed_by_server()
    }

    fn take_data(&mut self) -> Vec<u8> {
        Self::take_data(self)
    }

    fn take_early_data(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn has_accepted_early_data(&self) -> bool {
        self.early_data() == EarlyDataStatus::Accepted
    }

    fn buffered_len(&self) -> usize {
        Self::buffered_len(self)
    }

    fn send(&mut self, data: &[u8]) {
        let _ = Self::send(self, data);
    }

    fn send_early_data(&mut self, data: &[u8]) {
        let _ = Self::send_early_data(self, data);
    }

    fn update_keys(&mut self, both: bool) {
        Self::update_keys(self, both);
    }

    fn close(&mut self) {
        Self::close(self);
    }

    fn exported(&self) -> Option<[u8; 32]> {
        let mut out = [0; 32];
        let from = ExportFrom::default();
        self.export_keying_material(from, LABEL, Some(b"x"), &mut out).is_ok().then_some(out)
    }
}
