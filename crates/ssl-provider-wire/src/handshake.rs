//! Handshake messages: their types, their assembly from records, and small bodies.
//! One may span records, and one record may hold several (RFC 5246 section 6.2.1).

use crate::alert::Alert;
use crate::reader::{Malformed, Reader, put_vec};

/// A handshake message type (RFC 5246 section 7.4 and the registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeType(pub u8);

impl HandshakeType {
    /// Asks the client for a new handshake; not part of the transcript hash.
    pub const HELLO_REQUEST: Self = Self(0);
    /// The client's offer.
    pub const CLIENT_HELLO: Self = Self(1);
    /// The server's choice.
    pub const SERVER_HELLO: Self = Self(2);
    /// A session ticket (RFC 5077).
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// The end of early data (RFC 8446 section 4.5).
    pub const END_OF_EARLY_DATA: Self = Self(5);
    /// HelloRetryRequest, in drafts of TLS 1.3 before 22.
    pub const HELLO_RETRY_REQUEST: Self = Self(6);
    /// What the server replies to the extensions of ClientHello in TLS 1.3 (RFC 8446 section
    /// 4.3.1).
    pub const ENCRYPTED_EXTENSIONS: Self = Self(8);
    /// A certificate chain.
    pub const CERTIFICATE: Self = Self(11);
    /// Key exchange parameters of the server.
    pub const SERVER_KEY_EXCHANGE: Self = Self(12);
    /// Asks the client for a certificate.
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    /// The end of the server's flight.
    pub const SERVER_HELLO_DONE: Self = Self(14);
    /// The client's signature over the handshake.
    pub const CERTIFICATE_VERIFY: Self = Self(15);
    /// The encrypted premaster secret of RSA, or the client's public key of (EC)DHE.
    pub const CLIENT_KEY_EXCHANGE: Self = Self(16);
    /// The first message under new keys, apart from a few extensions.
    pub const FINISHED: Self = Self(20);
    /// The sender's next records are under new keys (RFC 8446 section 4.6.3).
    pub const KEY_UPDATE: Self = Self(24);

    /// Returns the name in the RFCs; `None` for a type that is not known here.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::HELLO_REQUEST => "HelloRequest",
            Self::CLIENT_HELLO => "ClientHello",
            Self::SERVER_HELLO => "ServerHello",
            Self::NEW_SESSION_TICKET => "NewSessionTicket",
            Self::END_OF_EARLY_DATA => "EndOfEarlyData",
            Self::HELLO_RETRY_REQUEST => "HelloRetryRequest",
            Self::ENCRYPTED_EXTENSIONS => "EncryptedExtensions",
            Self::KEY_UPDATE => "KeyUpdate",
            Self::CERTIFICATE => "Certificate",
            Self::SERVER_KEY_EXCHANGE => "ServerKeyExchange",
            Self::CERTIFICATE_REQUEST => "CertificateRequest",
            Self::SERVER_HELLO_DONE => "ServerHelloDone",
            Self::CERTIFICATE_VERIFY => "CertificateVerify",
            Self::CLIENT_KEY_EXCHANGE => "ClientKeyExchange",
            Self::FINISHED => "Finished",
            _ => return None,
        })
    }
}

/// The kind of key in a client certificate, as CertificateRequest lists it (RFC 5246 section
/// 7.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCertificateType(pub u8);

impl ClientCertificateType {
    /// An RSA key that signs.
    pub const RSA_SIGN: Self = Self(1);
    /// A key on a curve that signs (RFC 8422 section 5.5).
    pub const ECDSA_SIGN: Self = Self(64);
}

/// A handshake message with its header, as the transcript hash covers it.
///
/// A ClientHello in the framing of SSL 2.0 is hashed without any header (RFC 5246 appendix E.2).
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
    /// Bytes before the body of a message: its type and its length.
    pub const HEADER_LEN: usize = 4;

    /// A ClientHello in the framing of SSL 2.0.
    pub fn ssl2_client_hello(bytes: Vec<u8>) -> Self {
        Self { kind: HandshakeType::CLIENT_HELLO, bytes, ssl2_framing: true }
    }

    /// Returns the body behind the header.
    pub fn body(&self) -> &[u8] {
        let header = if self.ssl2_framing { 0 } else { Self::HEADER_LEN };
        self.bytes.get(header..).unwrap_or_default()
    }
}

/// Assembles messages from the payloads of records.
#[derive(Debug, Default)]
pub struct Assembler {
    bytes: Vec<u8>,
    /// How many bytes were returned in messages.
    taken: usize,
}

impl Assembler {
    /// Adds the payload of a record.
    pub fn extend(&mut self, payload: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(payload);
    }

    /// Returns whether no message has begun.
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    /// Returns how many bytes of messages that were not returned are kept.
    pub fn buffered_len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// Returns the next message once it is complete. `max_len` returns the longest body of a type,
    /// or the alert for a type that is not expected now; it is called as soon as the type is known,
    /// so that nothing is buffered in vain.
    ///
    /// # Errors
    ///
    /// That of `max_len`, and [`Alert::DecodeError`] for a longer body.
    pub fn next(
        &mut self,
        max_len: impl FnOnce(HandshakeType) -> Result<usize, Alert>,
    ) -> Result<Option<Message>, Alert> {
        let begun = self.bytes.get(self.taken..).unwrap_or_default();
        let mut reader = Reader::new(begun);
        let Some(kind) = reader.u8().map(HandshakeType) else { return Ok(None) };
        let max_len = max_len(kind)?;
        let Some(len) = reader.u24() else { return Ok(None) };
        if len > max_len {
            return Err(Alert::DecodeError);
        }
        let Some(bytes) = begun.get(..Message::HEADER_LEN + len) else { return Ok(None) };
        let message = Message { kind, bytes: bytes.to_vec(), ssl2_framing: false };
        self.taken += message.bytes.len();
        if self.is_empty() {
            // Releases the memory.
            *self = Self::default();
        }
        Ok(Some(message))
    }

    /// Returns the next message once it is complete, of any type and length.
    pub fn next_of_any_type(&mut self) -> Option<Message> {
        self.next(|_| Ok(usize::MAX)).unwrap_or_default()
    }
}

/// Writes a handshake message around what `body` writes (RFC 5246 section 7.4).
pub fn put_message(out: &mut Vec<u8>, kind: HandshakeType, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind.0);
    put_vec::<3>(out, body);
}

/// Writes a Certificate message with this chain, DER (RFC 5246 section 7.4.2).
pub fn put_certificate<'a>(out: &mut Vec<u8>, chain: impl IntoIterator<Item = &'a [u8]>) {
    put_message(out, HandshakeType::CERTIFICATE, |out| {
        put_vec::<3>(out, |out| {
            for certificate in chain {
                put_vec::<3>(out, |out| out.extend_from_slice(certificate));
            }
        });
    });
}

/// Returns the chain in the body of a Certificate message, DER.
///
/// # Errors
///
/// For lengths that do not add up, and for an empty certificate.
pub fn certificates(body: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut reader = Reader::new(body);
    let list = reader.vec24().filter(|_| reader.is_empty());
    let mut list = Reader::new(list.ok_or("certificate list: length does not match the message")?);
    let mut chain = Vec::new();
    while !list.is_empty() {
        chain
            .push(list.vec24().filter(|it| !it.is_empty()).ok_or("certificate empty or too long")?);
    }
    Ok(chain)
}

/// Returns the first certificate in the body of a Certificate message, whatever follows it; `None`
/// if it is absent or malformed.
pub fn first_certificate(body: &[u8]) -> Option<&[u8]> {
    Reader::new(Reader::new(body).vec24()?).vec24()
}

/// Writes a NewSessionTicket message (RFC 5077 section 3.3), with the lifetime in seconds.
pub fn put_session_ticket(out: &mut Vec<u8>, lifetime: u32, ticket: &[u8]) {
    put_message(out, HandshakeType::NEW_SESSION_TICKET, |out| {
        out.extend(lifetime.to_be_bytes());
        put_vec::<2>(out, |out| out.extend_from_slice(ticket));
    });
}

/// Returns the ticket in the body of a NewSessionTicket message (RFC 5077 section 3.3), unless it
/// is empty.
pub fn session_ticket(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    let _lifetime = reader.take(4)?;
    reader.vec16().filter(|ticket| !ticket.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: HandshakeType) -> Result<usize, Alert> {
        Ok(100)
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let messages: [&[u8]; 3] = [&[1, 0, 0, 2, 9, 9], &[14, 0, 0, 0], &[20, 0, 0, 1, 7]];
        let stream = messages.concat();
        for piece_len in 1..=stream.len() {
            let mut assembler = Assembler::default();
            let mut found = Vec::new();
            for piece in stream.chunks(piece_len) {
                assembler.extend(piece);
                while let Some(message) = assembler.next(any).unwrap() {
                    assert_eq!(message.kind.0, message.bytes[0]);
                    found.push(message.bytes);
                }
            }
            assert_eq!(found, messages, "{piece_len}");
            assert!(assembler.is_empty());
        }
    }

    #[test]
    fn a_type_is_refused_at_its_first_byte_and_a_length_with_the_header() {
        let mut assembler = Assembler::default();
        assembler.extend(&[9]);
        let refused = assembler.next(|_| Err(Alert::UnexpectedMessage));
        assert_eq!(refused, Err(Alert::UnexpectedMessage));
        assembler.extend(&[0, 0, 101]);
        assert_eq!(assembler.next(any), Err(Alert::DecodeError));
        assert_eq!(assembler.next_of_any_type(), None, "not whole");
        assembler.extend(&[0; 101]);
        assert_eq!(assembler.next_of_any_type().unwrap().body(), [0; 101]);
    }

    #[test]
    fn a_chain_that_is_written_is_read_back_and_every_cut_of_it_is_malformed() {
        let chain = [&[1, 2, 3][..], &[4]];
        let mut message = Vec::new();
        put_certificate(&mut message, chain);
        let body = &message[Message::HEADER_LEN..];
        assert_eq!(certificates(body), Ok(chain.to_vec()));
        assert_eq!(first_certificate(body), Some(chain[0]));
        for len in 0..body.len() {
            assert!(certificates(&body[..len]).is_err(), "{len}");
            assert_eq!(first_certificate(&body[..len]), None, "{len}");
        }
        assert!(certificates(&[body, &[0]].concat()).is_err());
        assert!(certificates(&[0, 0, 3, 0, 0, 0]).is_err(), "an empty certificate");
    }

    #[test]
    fn a_ticket_is_found_unless_it_is_cut_or_empty() {
        let mut message = Vec::new();
        put_session_ticket(&mut message, 256, &[7, 8]);
        let body = [0, 0, 1, 0, 0, 2, 7, 8];
        assert_eq!(message, [&[4, 0, 0, 8], &body[..]].concat());
        assert_eq!(session_ticket(&body), Some(&[7, 8][..]));
        for len in 0..body.len() {
            assert_eq!(session_ticket(&body[..len]), None, "{len}");
        }
        assert_eq!(session_ticket(&[0; 6]), None);
    }
}
