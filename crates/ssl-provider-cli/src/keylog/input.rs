//! Reads captures one after the other and cuts them into conversations.
//! A connection may go on from one capture to the next, as rotating capture tools leave them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::conversation::{Conversation, Part, RecordedConversation};
use crate::capture::link::ip_packet;
use crate::capture::{
    CaptureError, CaptureReader, Ended, IpStage, Limits, Moment, OtherTraffic, TcpStage, source,
};
use crate::counted::counted;
use crate::exit::Failure;

/// What was read.
#[derive(Debug, Default)]
pub struct InputSummary {
    /// Packets of all captures.
    pub packets: u64,
    /// What none of them was looked into for, and how often it was there.
    pub other: BTreeMap<OtherTraffic, u64>,
    /// What the user should know, such as a capture that breaks off.
    pub warnings: Vec<String>,
}

/// A conversation as it is handed over.
#[derive(Debug)]
pub struct Delivery {
    /// Its records.
    pub conversation: RecordedConversation,
    /// Conversations that started before this packet wait for no others, where that is known.
    pub watermark: Option<u64>,
}

/// Reads captures and hands over each conversation with TLS in it when it ends.
#[derive(Debug, Default)]
pub struct Input {
    ip: IpStage,
    tcp: TcpStage<Conversation>,
    ended: Vec<Ended<Conversation>>,
    /// Whether conversations are handed over at Finished too.
    live: bool,
    opening: Option<RecordedConversation>,
    /// Conversations that have a number.
    numbered: u64,
    moment: Moment,
    cut_packets: u64,
    since_watermark: usize,
    summary: InputSummary,
}

impl Input {
    /// Starts with nothing read.
    pub fn new(limits: Limits) -> Self {
        Self { tcp: TcpStage::new(limits), ..Self::default() }
    }

    /// The same for a capture that goes on while it is read: the opening of a conversation is
    /// handed over at Finished, and nothing waits for older conversations to end.
    #[must_use]
    pub fn live(self, live: bool) -> Self {
        Self { live, ..self }
    }

    /// Reads one capture and hands over what ends in it, until `take` breaks. Where the capture
    /// breaks off, what comes before counts, and a warning tells.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when it is no capture at all.
    pub fn read(
        &mut self,
        name: &str,
        capture: impl Read,
        mut take: impl FnMut(Delivery) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, CaptureError> {
        let mut reader = CaptureReader::new(capture)?;
        loop {
            match reader.next_packet() {
                Ok(Some(packet)) => {
                    self.moment = Moment { packet: self.moment.packet + 1, time: packet.time };
                    self.cut_packets +=
                        u64::from((packet.original_len as usize) > packet.data.len());
                    match ip_packet(packet.link_type, packet.data) {
                        Ok(ip) => self.ip_packet(ip),
                        Err(other) => {
                            let count = self.ip.other.entry(other).or_default();
                            *count += 1;
                            if let (OtherTraffic::Link(_), 1) = (other, *count) {
                                self.warn(format!("{name}: {other} is not supported"));
                            }
                        }
                    }
                    if (self.opening.is_some() || !self.ended.is_empty())
                        && self.hand_over(&mut take).is_break()
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(None) => return Ok(ControlFlow::Continue(())),
                Err(error) => {
                    self.warn(format!("{name}: {error}; what comes before is used"));
                    return Ok(ControlFlow::Continue(()));
                }
            }
        }
    }

    /// Ends what is still open: all captures are read.
    pub fn finish(mut self, mut take: impl FnMut(Delivery) -> ControlFlow<()>) -> InputSummary {
        let ended = &mut self.ended;
        self.tcp.finish(|end| ended.push(end));
        // Nothing follows that a break could keep from being read.
        let _ = self.hand_over(&mut take);
        if self.cut_packets > 0 {
            let packets = counted(self.cut_packets, "packet");
            self.warn(format!("captured in part only (snap length): {packets}"));
        }
        self.summary.packets = self.moment.packet;
        self.summary.other = self.ip.other;
        self.summary.other.retain(|_, count| *count > 0);
        self.summary
    }

    fn ip_packet(&mut self, packet: &[u8]) {
        let Some(segment) = self.ip.segment(packet) else { return };
        let ended = &mut self.ended;
        self.tcp.segment(&segment, self.moment, Conversation::default, |end| ended.push(end));
        if self.live
            && let Some((endpoints, conversation)) = self.tcp.open_connection(&segment)
            && let Some(opening) = conversation.opening(endpoints, self.numbered)
        {
            self.numbered += 1;
            self.opening = Some(opening);
        }
    }

    fn hand_over(&mut self, take: &mut impl FnMut(Delivery) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut ended = std::mem::take(&mut self.ended);
        let mut conversations = ended
            .drain(..)
            .filter_map(|end| end.handler.finish(end.endpoints, end.evicted))
            .chain(self.opening.take())
            .peekable();
        while let Some(mut conversation) = conversations.next() {
            self.since_watermark += 1;
            if conversation.part == Part::Whole {
                conversation.number = self.numbered;
                self.numbered += 1;
            }
            // Those behind it in the line count as open.
            let watermark = if conversations.peek().is_none() { self.watermark() } else { None };
            take(Delivery { conversation, watermark })?;
        }
        drop(conversations);
        self.ended = ended;
        ControlFlow::Continue(())
    }

    /// The packet at which the oldest open conversation started. Looking for it takes a walk over
    /// all of them, so it is done seldom where there are many.
    fn watermark(&mut self) -> Option<u64> {
        if self.live {
            return Some(u64::MAX);
        }
        if self.since_watermark * 16 < self.tcp.len() {
            return None;
        }
        self.since_watermark = 0;
        let oldest = self.tcp.handlers().filter_map(Conversation::started).min();
        Some(oldest.map_or(self.moment.packet, |moment| moment.packet))
    }

    fn warn(&mut self, warning: String) {
        self.summary.warnings.push(warning);
    }
}

/// Checks that each capture can be opened and is one, before work on any begins. Pipes, standard
/// input among them, are not touched, for they can be read once only.
///
/// # Errors
///
/// [`Failure::Usage`] names the capture and what is wrong with it.
pub fn check(captures: &[PathBuf]) -> Result<(), Failure> {
    for path in captures.iter().filter(|path| path.as_os_str() != source::STDIN) {
        let found = fs::metadata(path).map_err(|error| unusable(path, &error))?;
        if found.is_dir() {
            return Err(unusable(path, &"is a directory"));
        }
        if found.is_file() {
            CaptureReader::new(open(path)?).map_err(|error| unusable(path, &error))?;
        }
    }
    Ok(())
}

/// Opens a capture.
///
/// # Errors
///
/// [`Failure::Usage`] names the capture and what is wrong with it.
pub fn open(path: &Path) -> Result<source::Input, Failure> {
    open_watched(path, &|input| input)
}

/// Opens a capture, with `watch` around the bytes as they are in the file.
///
/// # Errors
///
/// Those of [`open`].
pub fn open_watched(
    path: &Path,
    watch: &dyn Fn(source::Input) -> source::Input,
) -> Result<source::Input, Failure> {
    source::open_watched(path, watch).map_err(|error: io::Error| unusable(path, &error))
}

/// The failure of a capture that cannot be used.
pub fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("{}: {why}", path.display()))
}
