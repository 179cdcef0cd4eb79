//! Handshake messages: their types, and the ones whose content matters beyond the hellos.
//! Bodies that hold one field are read here; hellos have a module of their own.

use ssl_provider_lab::Reader;

/// Bytes before the body of a handshake message: type and length (RFC 5246 section 7.4).
pub const HEADER_LEN: usize = 4;

/// A handshake message type (RFC 5246 section 7.4 and the registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeType(pub u8);

impl HandshakeType {
    /// Asks the client for a new handshake; not hashed.
    pub const HELLO_REQUEST: Self = Self(0);
    /// The client's offer.
    pub const CLIENT_HELLO: Self = Self(1);
    /// The server's choice.
    pub const SERVER_HELLO: Self = Self(2);
    /// A session ticket (RFC 5077).
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// Asks for another ClientHello, in drafts of TLS 1.3 before 22.
    pub const HELLO_RETRY_REQUEST: Self = Self(6);
    /// A certificate chain.
    pub const CERTIFICATE: Self = Self(11);
    /// Key exchange parameters of the server.
    pub const SERVER_KEY_EXCHANGE: Self = Self(12);
    /// The end of the server's flight.
    pub const SERVER_HELLO_DONE: Self = Self(14);
    /// The encrypted premaster secret, for RSA.
    pub const CLIENT_KEY_EXCHANGE: Self = Self(16);
    /// The first message under new keys, apart from a few extensions.
    pub const FINISHED: Self = Self(20);
}

/// A handshake message with its header, as it goes into the handshake hash.
///
/// For a ClientHello in the framing of SSL 2.0 that is the message without any header (RFC 5246
/// appendix E.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The type.
    pub kind: HandshakeType,
    /// Header and body.
    pub bytes: Vec<u8>,
    /// Whether it came in the framing of SSL 2.0.
    pub ssl2_framing: bool,
}

impl Message {
    /// The body behind the header.
    pub fn body(&self) -> &[u8] {
        let header = if self.ssl2_framing { 0 } else { HEADER_LEN };
        self.bytes.get(header..).unwrap_or_default()
    }
}

/// The first certificate of a Certificate message, DER; none where it is absent or malformed.
pub fn first_certificate(body: &[u8]) -> Option<&[u8]> {
    Reader::new(Reader::new(body).vec24()?).vec24()
}

/// The ticket of a NewSessionTicket message (RFC 5077 section 3.3), unless it is empty.
pub fn session_ticket(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    reader.take(4)?;
    reader.vec16().filter(|ticket| !ticket.is_empty())
}
