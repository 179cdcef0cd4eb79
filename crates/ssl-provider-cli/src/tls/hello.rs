//! ClientHello and ServerHello, as far as the key exchange depends on them.
//! Both framings of ClientHello are read: that of SSL 3.0 and TLS, and that of SSL 2.0.

use ssl_provider_wire::Reader;

use super::message::Message;

const EXTENSION_TRUNCATED_HMAC: u16 = 4;
const EXTENSION_ENCRYPT_THEN_MAC: u16 = 22;
const EXTENSION_EXTENDED_MASTER_SECRET: u16 = 23;
const EXTENSION_SESSION_TICKET: u16 = 35;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;

/// Longest session id in bytes (RFC 5246 section 7.4.1.2).
const MAX_SESSION_ID_LEN: usize = 32;

/// Extensions that change how secrets are derived or records are protected. They are in force where
/// both hellos have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// extended_master_secret (RFC 7627).
    pub extended_master_secret: bool,
    /// encrypt_then_mac (RFC 7366).
    pub encrypt_then_mac: bool,
    /// truncated_hmac (RFC 6066 section 7).
    pub truncated_hmac: bool,
    /// The ticket that a client offers; empty in ServerHello and where there is none.
    pub session_ticket: Vec<u8>,
    /// The version in supported_versions of a ServerHello (RFC 8446 section 4.2.1).
    pub selected_version: Option<u16>,
}

/// A ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The highest version that the client offers, up to TLS 1.2.
    pub version: u16,
    /// The random.
    pub random: [u8; 32],
    /// The session that the client asks to resume; may be empty.
    pub session_id: Vec<u8>,
    /// The extensions.
    pub extensions: Extensions,
}

/// A ServerHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version, or 0x0304 and later as supported_versions gives it.
    pub version: u16,
    /// The random.
    pub random: [u8; 32],
    /// The session; that of the client where it is resumed. May be empty.
    pub session_id: Vec<u8>,
    /// The cipher suite.
    pub suite: u16,
    /// The compression method: 0 none, 1 DEFLATE (RFC 3749).
    pub compression: u8,
    /// The extensions.
    pub extensions: Extensions,
}

impl ClientHello {
    /// Parses a ClientHello message.
    ///
    /// # Errors
    ///
    /// Names the field that does not fit.
    pub fn parse(message: &Message) -> Result<Self, &'static str> {
        if message.ssl2_framing {
            return Self::parse_ssl2(message.body()).ok_or("the lengths of an SSL 2.0 ClientHello");
        }
        let mut reader = Reader::new(message.body());
        let version = reader.u16().ok_or("the version")?;
        let random = reader.array().ok_or("the random")?;
        let session_id = session_id(&mut reader)?;
        reader.vec16().ok_or("the cipher suites")?;
        reader.vec8().ok_or("the compression methods")?;
        let extensions = Extensions::parse(&mut reader, |_| None)?;
        Ok(Self { version, random, session_id, extensions })
    }

    /// Parses the framing of SSL 2.0 (RFC 5246 appendix E.2).
    fn parse_ssl2(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        reader.u8()?;
        let version = reader.u16()?;
        let [suites, session_id, challenge] = [reader.u16()?, reader.u16()?, reader.u16()?];
        reader.take(usize::from(suites))?;
        let session_id = reader.take(usize::from(session_id))?.to_vec();
        let challenge = reader.take(usize::from(challenge))?;
        // A shorter challenge is the end of the random, behind zeros.
        let mut random = [0; 32];
        let start = random.len().checked_sub(challenge.len())?;
        random.get_mut(start..)?.copy_from_slice(challenge);
        Some(Self { version, random, session_id, extensions: Extensions::default() })
    }
}

impl ServerHello {
    /// Parses a ServerHello message.
    ///
    /// # Errors
    ///
    /// Names the field that does not fit.
    pub fn parse(message: &Message) -> Result<Self, &'static str> {
        let mut reader = Reader::new(message.body());
        let version = reader.u16().ok_or("the version")?;
        let random = reader.array().ok_or("the random")?;
        let session_id = session_id(&mut reader)?;
        let suite = reader.u16().ok_or("the cipher suite")?;
        let compression = reader.u8().ok_or("the compression method")?;
        let selected = |data: &[u8]| data.try_into().ok().map(u16::from_be_bytes);
        let extensions = Extensions::parse(&mut reader, selected)?;
        let version = extensions.selected_version.unwrap_or(version);
        Ok(Self { version, random, session_id, suite, compression, extensions })
    }
}

impl Extensions {
    /// Parses the extensions, which end the message and may be absent.
    fn parse(
        reader: &mut Reader<'_>,
        selected_version: impl Fn(&[u8]) -> Option<u16>,
    ) -> Result<Self, &'static str> {
        let mut found = Self::default();
        if reader.is_empty() {
            return Ok(found);
        }
        let mut list = Reader::new(reader.vec16().ok_or("the extensions")?);
        while !list.is_empty() {
            let kind = list.u16().ok_or("an extension")?;
            let data = list.vec16().ok_or("an extension")?;
            match kind {
                EXTENSION_TRUNCATED_HMAC => found.truncated_hmac = true,
                EXTENSION_ENCRYPT_THEN_MAC => found.encrypt_then_mac = true,
                EXTENSION_EXTENDED_MASTER_SECRET => found.extended_master_secret = true,
                EXTENSION_SESSION_TICKET => found.session_ticket = data.to_vec(),
                EXTENSION_SUPPORTED_VERSIONS => found.selected_version = selected_version(data),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn session_id(reader: &mut Reader<'_>) -> Result<Vec<u8>, &'static str> {
    reader
        .vec8()
        .filter(|id| id.len() <= MAX_SESSION_ID_LEN)
        .map(<[u8]>::to_vec)
        .ok_or("the session id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::HandshakeType;

    fn message(kind: HandshakeType, body: &[u8]) -> Message {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        let bytes = [&[kind.0], &len[1..], body].concat();
        Message { kind, bytes, ssl2_framing: false }
    }

    fn client_hello() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([2, 0xaa, 0xbb]);
        body.extend([0, 4, 0, 0x2f, 0, 0xff]);
        body.extend([1, 0]);
        // extended_master_secret, a ticket of three bytes, encrypt_then_mac.
        body.extend([0, 15, 0, 23, 0, 0, 0, 35, 0, 3, 1, 2, 3, 0, 22, 0, 0]);
        body
    }

    fn server_hello(extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.extend([0, 0, 0x2f, 0]);
        body.extend(extensions);
        body
    }

    #[test]
    fn the_fields_of_a_client_hello_are_found() {
        let message = message(HandshakeType::CLIENT_HELLO, &client_hello());
        let hello = ClientHello::parse(&message).unwrap();
        assert_eq!((hello.version, hello.random), (0x0303, [7; 32]));
        assert_eq!(hello.session_id, [0xaa, 0xbb]);
        assert!(hello.extensions.extended_master_secret && hello.extensions.encrypt_then_mac);
        assert!(!hello.extensions.truncated_hmac);
        assert_eq!(hello.extensions.session_ticket, [1, 2, 3]);
    }

    #[test]
    fn a_hello_cut_anywhere_is_refused_except_where_extensions_begin() {
        let whole = client_hello();
        let without_extensions = whole.len() - 17;
        for len in 0..whole.len() {
            let parsed = ClientHello::parse(&message(HandshakeType::CLIENT_HELLO, &whole[..len]));
            assert_eq!(parsed.is_ok(), len == without_extensions, "{len}");
        }
    }

    #[test]
    fn the_version_of_tls_1_3_stands_in_an_extension() {
        let parse = |extensions: &[u8]| {
            ServerHello::parse(&message(HandshakeType::SERVER_HELLO, &server_hello(extensions)))
        };
        let hello = parse(&[]).unwrap();
        assert_eq!((hello.version, hello.suite, hello.compression), (0x0303, 0x002f, 0));
        assert_eq!(parse(&[0, 6, 0, 43, 0, 2, 3, 4]).unwrap().version, 0x0304);
        assert!(parse(&[0, 6, 0, 43, 0, 3, 3, 4]).is_err());
    }

    #[test]
    fn a_session_id_has_at_most_32_bytes() {
        let mut body = client_hello();
        body[34] = 33;
        let parsed = ClientHello::parse(&message(HandshakeType::CLIENT_HELLO, &body));
        assert_eq!(parsed, Err("the session id"));
    }

    #[test]
    fn the_challenge_of_ssl_2_becomes_the_random() {
        let mut bytes = vec![1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f];
        bytes.extend([5; 16]);
        let kind = HandshakeType::CLIENT_HELLO;
        let hello = ClientHello::parse(&Message { kind, bytes, ssl2_framing: true }).unwrap();
        assert_eq!(hello.version, 0x0301);
        assert_eq!((&hello.random[..16], &hello.random[16..]), (&[0; 16][..], &[5; 16][..]));
    }
}
