//! One handshake as both sides sent it, up to the ChangeCipherSpec of each.
//! Messages are in the order of the protocol, whatever the order of packets was.

use std::cell::OnceCell;

use ssl_provider_wire::{HandshakeType, Message, first_certificate};

use super::certificate::{PublicKey, public_key};
use super::conversation::RecordedConversation;
use super::flow::{End, Event, Flow};
use crate::capture::Moment;

/// A handshake as it was recorded, and where both directions go on behind it.
#[derive(Debug)]
pub(super) struct Halves<'t> {
    pub(super) client: Half,
    pub(super) server: Half,
    pub(super) client_flow: Flow<'t>,
    pub(super) server_flow: Flow<'t>,
    certificate: OnceCell<PublicKey>,
}

impl<'t> Halves<'t> {
    /// Reads both directions up to ChangeCipherSpec.
    pub(super) fn read(mut client_flow: Flow<'t>, mut server_flow: Flow<'t>) -> Self {
        let client = Half::read(&mut client_flow);
        let server = Half::read(&mut server_flow);
        Self { client, server, client_flow, server_flow, certificate: OnceCell::new() }
    }

    /// The first handshake of a conversation.
    pub(super) fn first_of(conversation: &'t RecordedConversation) -> Self {
        let client = conversation.client;
        Self::read(
            Flow::new(conversation.stream(client)),
            Flow::new(conversation.stream(client.other())),
        )
    }

    /// The public key of the server's certificate.
    pub(super) fn certificate(&self) -> &PublicKey {
        self.certificate.get_or_init(|| {
            let certificate = self.server.find(HandshakeType::CERTIFICATE);
            certificate
                .and_then(|message| first_certificate(message.body()))
                .map_or(PublicKey::Unreadable, public_key)
        })
    }
}

/// What one side sent.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Its messages, without HelloRequest, which no hash covers (RFC 5246 section 7.4.1.1).
    pub(super) messages: Vec<Message>,
    /// When the first of them passed.
    pub(super) moment: Option<Moment>,
    /// The last alert.
    pub(super) alert: Option<u8>,
    /// Why it ended before ChangeCipherSpec; none where it did not.
    pub(super) end: Option<End>,
}

impl Half {
    /// Reads up to ChangeCipherSpec.
    pub(super) fn read(flow: &mut Flow<'_>) -> Self {
        let mut half = Self::default();
        loop {
            match flow.read() {
                Event::Message(message) if message.kind == HandshakeType::HELLO_REQUEST => {}
                Event::Message(message) => {
                    half.moment.get_or_insert(flow.moment());
                    half.messages.push(message);
                }
                Event::Alert(description) => half.alert = Some(description),
                Event::ChangeCipherSpec => return half,
                Event::End(end) => {
                    half.end = Some(end);
                    return half;
                }
            }
        }
    }

    /// The first message of a type.
    pub(super) fn find(&self, kind: HandshakeType) -> Option<&Message> {
        self.messages.iter().find(|message| message.kind == kind)
    }

    /// Whether ChangeCipherSpec was reached.
    pub(super) fn is_whole(&self) -> bool {
        self.end.is_none()
    }

    /// The messages up to and including the first of a type, and those behind it.
    pub(super) fn split_after(&self, kind: HandshakeType) -> Option<(&[Message], &[Message])> {
        let at = self.messages.iter().position(|message| message.kind == kind)?;
        self.messages.split_at_checked(at + 1)
    }
}
