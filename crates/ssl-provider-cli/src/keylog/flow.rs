//! Reads the handshake messages of one direction, through the record protection where there is one.
//! A position can be taken up again with other keys, to try one key after the other.

use ssl_provider_wire::{Assembler, ContentType, Message};

use crate::capture::Moment;
use crate::record::{RecordCipher, RecordError};
use crate::tls::{RecordStream, Skipped, Stop};

/// What comes next in a direction.
#[derive(Debug)]
pub(super) enum Event {
    Message(Message),
    ChangeCipherSpec,
    Alert(u8),
    End(End),
}

/// Why nothing more can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum End {
    /// The connection or the capture ended, in the middle of a record or not.
    #[error("the stream ends {}", if *within_a_record { "within a record" } else { "before it" })]
    Stream { within_a_record: bool },
    /// The stream broke off.
    #[error(transparent)]
    Stopped(Stop),
    /// The handshake layer makes no sense.
    #[error("{0}")]
    Malformed(&'static str),
    /// A record cannot be opened.
    #[error(transparent)]
    Sealed(RecordError),
}

/// A position in a direction, with what is needed to read on from there.
#[derive(Debug)]
pub(super) struct Flow<'t> {
    stream: &'t RecordStream,
    next: usize,
    cipher: Option<RecordCipher>,
    messages: Assembler,
    /// When the record passed that was read last.
    moment: Moment,
    skipped: Skipped,
}

impl<'t> Flow<'t> {
    /// The start of a direction.
    pub(super) fn new(stream: &'t RecordStream) -> Self {
        Self {
            stream,
            next: 0,
            cipher: None,
            messages: Assembler::default(),
            moment: Moment::default(),
            skipped: Skipped::default(),
        }
    }

    /// The same position, right behind a ChangeCipherSpec, with new keys.
    pub(super) fn with_cipher(&self, cipher: RecordCipher) -> Self {
        Self { next: self.next, cipher: Some(cipher), ..Self::new(self.stream) }
    }

    /// When the record passed that was read last.
    pub(super) fn moment(&self) -> Moment {
        self.moment
    }

    /// Whether any record follows.
    pub(super) fn has_more(&self) -> bool {
        self.next < self.stream.kept_records().len()
    }

    /// Reads on.
    pub(super) fn read(&mut self) -> Event {
        loop {
            if let Some(message) = self.messages.next_of_any_type() {
                return Event::Message(message);
            }
            let Some(record) = self.stream.kept_records().get(self.next) else {
                return Event::End(self.end());
            };
            self.next += 1;
            self.moment = record.moment;
            self.skipped.add(&record.skipped);
            let fragment = self.stream.fragment(record);
            let content_type = record.content_type;
            let plaintext = match &mut self.cipher {
                None => fragment.to_vec(),
                // Alerts under encryption are not read: only what a handshake needs is opened.
                Some(_) if content_type == ContentType::Alert => {
                    self.skipped.add_record(fragment);
                    continue;
                }
                Some(cipher) => {
                    cipher.skip(&std::mem::take(&mut self.skipped));
                    match cipher.open(content_type.wire(), record.version, fragment) {
                        Ok(plaintext) => plaintext,
                        Err(error) => return Event::End(End::Sealed(error)),
                    }
                }
            };
            match content_type {
                ContentType::Handshake if record.is_ssl2() => {
                    return Event::Message(Message::ssl2_client_hello(plaintext));
                }
                ContentType::Handshake => self.messages.extend(&plaintext),
                ContentType::ChangeCipherSpec if !self.messages.is_empty() => {
                    let what = "ChangeCipherSpec in the middle of a handshake message";
                    return Event::End(End::Malformed(what));
                }
                ContentType::ChangeCipherSpec => return Event::ChangeCipherSpec,
                ContentType::Alert => {
                    if let [_, description] = plaintext[..] {
                        return Event::Alert(description);
                    }
                }
                // Never kept.
                ContentType::ApplicationData => {}
            }
        }
    }

    /// Why nothing follows behind the last record.
    pub(super) fn end(&self) -> End {
        match self.stream.stopped() {
            Some(stop) => End::Stopped(stop.clone()),
            None => End::Stream { within_a_record: self.stream.ends_within_a_record() },
        }
    }
}
