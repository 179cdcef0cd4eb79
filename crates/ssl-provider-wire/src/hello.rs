//! ClientHello, in the framing of TLS and that of SSL 2.0, and ServerHello.
//! Both borrow from their message.

use crate::extension::{ExtensionType, Extensions, Sender};
use crate::handshake::{HandshakeType, Message, put_message};
use crate::reader::{Malformed, Reader, View, put_vec};

/// In a list of suites: the client supports RFC 5746 (section 3.3).
pub const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00ff;
/// In a list of suites: the client retries with a lower version (RFC 7507).
pub const FALLBACK_SCSV: u16 = 0x5600;

/// The end of the server random of a server that supports TLS 1.2 and chose a lower version (RFC
/// 8446 section 4.1.3).
pub const DOWNGRADE_FROM_TLS_1_2: [u8; 8] = *b"DOWNGRD\x00";

/// The end of the server random of a server that supports TLS 1.3 and chose TLS 1.2 (RFC 8446
/// section 4.1.3).
pub const DOWNGRADE_FROM_TLS_1_3: [u8; 8] = *b"DOWNGRD\x01";

/// The random of a ServerHello that is a HelloRetryRequest: SHA-256 of "HelloRetryRequest"
/// (RFC 8446 section 4.1.3).
pub const HELLO_RETRY_REQUEST_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The highest version that the client offers, up to TLS 1.2.
    pub version: u16,
    /// The client random. A challenge of SSL 2.0 that is shorter is padded with zeros in front.
    pub random: [u8; 32],
    /// The session to resume; may be empty.
    pub session_id: &'a [u8],
    suites: &'a [u8],
    /// Length of a suite in bytes: 3 in the framing of SSL 2.0, else 2.
    suite_len: usize,
    compression_methods: &'a [u8],
    /// The extensions; none in the framing of SSL 2.0.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Longest body in bytes: every field at its limit.
    pub const MAX_LEN: usize =
        2 + 32 + (1 + MAX_SESSION_ID_LEN) + (2 + 0xfffe) + (1 + 0xff) + (2 + 0xffff);

    /// Parses a ClientHello in either framing.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first field that is.
    pub fn parse(message: &'a Message, view: View) -> Result<Self, Malformed> {
        let reader = Reader::new(message.body());
        if message.ssl2_framing {
            let hello = Self::parse_ssl2(reader, view);
            return Ok(hello.ok_or("SSL 2.0 framing: lengths do not match the message")?);
        }
        Self::parse_tls(reader, view)
    }

    fn parse_tls(mut reader: Reader<'a>, view: View) -> Result<Self, Malformed> {
        let (version, random, session_id) = start(&mut reader)?;
        let suites = reader.vec16().ok_or("cipher suites exceed the message")?;
        let are_pairs = !suites.is_empty() && suites.len().is_multiple_of(2);
        view.require(are_pairs, "empty or odd list of cipher suites")?;
        let compression_methods = reader.vec8().ok_or("compression methods exceed the message")?;
        view.require(!compression_methods.is_empty(), "no compression method")?;
        let extensions = Extensions::parse(reader, Sender::Client(version), view)?;
        let suite_len = 2;
        Ok(Self { version, random, session_id, suites, suite_len, compression_methods, extensions })
    }

    /// Parses the framing of SSL 2.0 (RFC 5246 appendix E.2).
    fn parse_ssl2(mut reader: Reader<'a>, view: View) -> Option<Self> {
        let _kind = reader.u8()?;
        let version = reader.u16()?;
        let lens = [reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
        let [suites, session_id, challenge] = lens.map(|len| reader.take(len));
        let (suites, session_id, challenge) = (suites?, session_id?, challenge?);
        let is_regular = !suites.is_empty()
            && suites.len().is_multiple_of(3)
            && session_id.len() <= MAX_SESSION_ID_LEN
            && challenge.len() >= MIN_CHALLENGE_LEN
            && reader.is_empty();
        if view == View::Strict && !is_regular {
            return None;
        }
        let mut random = [0; 32];
        let start = random.len().checked_sub(challenge.len())?;
        random.get_mut(start..)?.copy_from_slice(challenge);
        let (suite_len, compression_methods, extensions) = (3, &[0][..], Extensions::default());
        Some(Self {
            version,
            random,
            session_id,
            suites,
            suite_len,
            compression_methods,
            extensions,
        })
    }

    /// Returns the cipher suites, most preferred first, without those of SSL 2.0.
    pub fn suites(&self) -> impl Iterator<Item = u16> {
        self.suites.chunks_exact(self.suite_len).filter_map(|suite| match suite {
            // Those of SSL 2.0 do not begin with a zero.
            [high, low] | [0, high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        })
    }

    /// Returns whether the client offers this suite.
    pub fn offers(&self, suite: u16) -> bool {
        self.suites().any(|offered| offered == suite)
    }

    /// Returns whether the client offers not to compress, as every client must.
    pub fn offers_null_compression(&self) -> bool {
        self.compression_methods.contains(&0)
    }

    /// Returns whether the client offers no compression at all, as TLS 1.3 asks (RFC 8446 section
    /// 4.1.2).
    pub fn offers_only_null_compression(&self) -> bool {
        self.compression_methods == [0]
    }

    /// Returns whether the hello after a HelloRetryRequest is the first one, apart from what may
    /// change (RFC 8446 section 4.1.2): key_share, early_data, cookie, pre_shared_key, padding.
    pub fn repeats(&self, first: &Self) -> bool {
        const MAY_CHANGE: [ExtensionType; 5] = [
            ExtensionType::KEY_SHARE,
            ExtensionType::EARLY_DATA,
            ExtensionType::COOKIE,
            ExtensionType::PRE_SHARED_KEY,
            ExtensionType::PADDING,
        ];
        let others = |hello: &Self| {
            let entries = hello.extensions.entries();
            entries.filter(|(kind, _)| !MAY_CHANGE.contains(kind)).collect::<Vec<_>>()
        };
        self.version == first.version
            && self.random == first.random
            && self.session_id == first.session_id
            && self.suites == first.suites
            && self.compression_methods == first.compression_methods
            && others(self) == others(first)
    }
}

/// A ServerHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version up to TLS 1.2; see [`selected_version`](Self::selected_version).
    pub version: u16,
    /// The server random.
    pub random: [u8; 32],
    /// The session; that of the client if it is resumed. May be empty.
    pub session_id: &'a [u8],
    /// The cipher suite.
    pub suite: u16,
    /// The compression method: 0 none, 1 DEFLATE (RFC 3749).
    pub compression: u8,
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Parses a ServerHello.
    ///
    /// # Errors
    ///
    /// [`Malformed`], with the first field that is.
    pub fn parse(message: &'a Message, view: View) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message.body());
        let (version, random, session_id) = start(&mut reader)?;
        let suite = reader.u16().ok_or("message ends before the cipher suite")?;
        let compression = reader.u8().ok_or("message ends before the compression method")?;
        let extensions = Extensions::parse(reader, Sender::Server, view)?;
        Ok(Self { version, random, session_id, suite, compression, extensions })
    }

    /// Returns whether this is a HelloRetryRequest (RFC 8446 section 4.1.3).
    pub fn is_retry_request(&self) -> bool {
        self.random == HELLO_RETRY_REQUEST_RANDOM
    }

    /// Returns the version of the connection: that of supported_versions if present, which TLS 1.3
    /// and later use (RFC 8446 section 4.2.1).
    pub fn selected_version(&self) -> u16 {
        let selected = self.extensions.get(ExtensionType::SUPPORTED_VERSIONS);
        let selected = selected.and_then(|data| data.try_into().ok());
        selected.map_or(self.version, u16::from_be_bytes)
    }

    /// Writes the message.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_message(out, HandshakeType::SERVER_HELLO, |out| {
            out.extend(self.version.to_be_bytes());
            out.extend(self.random);
            put_vec::<1>(out, |out| out.extend_from_slice(self.session_id));
            out.extend(self.suite.to_be_bytes());
            out.push(self.compression);
            self.extensions.put(out);
        });
    }
}

/// Reads the fields that both hellos begin with: version, random and session id.
fn start<'a>(reader: &mut Reader<'a>) -> Result<(u16, [u8; 32], &'a [u8]), Malformed> {
    let version = reader.u16().ok_or("message ends before the version")?;
    let random = reader.array().ok_or("message ends before the random")?;
    let session_id = reader.vec8().ok_or("session id exceeds the message")?;
    if session_id.len() > MAX_SESSION_ID_LEN {
        return Err("session id exceeds 32 bytes".into());
    }
    Ok((version, random, session_id))
}

/// Longest session id in bytes (RFC 5246 section 7.4.1.2).
const MAX_SESSION_ID_LEN: usize = 32;

/// Shortest challenge in bytes, which is the client random in the framing of SSL 2.0.
const MIN_CHALLENGE_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Alert;
    use crate::extension::put_extension;

    fn message(kind: HandshakeType, body: &[u8]) -> Message {
        let mut bytes = Vec::new();
        put_message(&mut bytes, kind, |out| out.extend_from_slice(body));
        Message { kind, bytes, ssl2_framing: false }
    }

    fn client_message(body: &[u8]) -> Message {
        message(HandshakeType::CLIENT_HELLO, body)
    }

    /// The body of a ClientHello with these suites and extensions.
    fn body(version: u16, suites: &[u16], extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (kind, data) in extensions {
            put_extension(&mut list, ExtensionType(*kind), data);
        }
        let mut out = Vec::new();
        out.extend(version.to_be_bytes());
        out.extend([7; 32]);
        put_vec::<1>(&mut out, |_| {});
        put_vec::<2>(&mut out, |out| {
            out.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
        });
        put_vec::<1>(&mut out, |out| out.push(0));
        Extensions::new(&list).put(&mut out);
        out
    }

    /// A server_name for the host `x`.
    const SERVER_NAME_X: &[u8] = &[0, 4, 0, 0, 1, b'x'];

    fn refusal(body: &[u8]) -> Option<Alert> {
        ClientHello::parse(&client_message(body), View::Strict).err().map(Alert::from)
    }

    fn is_lenient_about(body: &[u8]) -> bool {
        ClientHello::parse(&client_message(body), View::Lenient).is_ok()
    }

    #[test]
    fn both_views_find_the_fields_of_a_client_hello() {
        let mut body = body(
            0x0303,
            &[0x002f, EMPTY_RENEGOTIATION_INFO_SCSV],
            &[
                (22, &[]),
                (0x1a1a, &[1]),
                (23, &[]),
                (35, &[1, 2, 3]),
                (0xff01, &[0]),
                (0, SERVER_NAME_X),
            ],
        );
        body.splice(34..35, [2, 0xaa, 0xbb]);
        let message = client_message(&body);
        let hello = ClientHello::parse(&message, View::Strict).unwrap();
        assert_eq!(ClientHello::parse(&message, View::Lenient), Ok(hello));
        assert_eq!((hello.version, hello.random), (0x0303, [7; 32]));
        assert_eq!(hello.session_id, [0xaa, 0xbb]);
        assert!(hello.offers(0x002f) && hello.offers(0x00ff) && !hello.offers(0x2f00));
        assert!(hello.offers_null_compression());
        let extensions = hello.extensions;
        assert!(extensions.has(ExtensionType::EXTENDED_MASTER_SECRET));
        assert!(extensions.has(ExtensionType::ENCRYPT_THEN_MAC));
        assert!(!extensions.has(ExtensionType::TRUNCATED_HMAC));
        assert_eq!(extensions.renegotiated_connection(), Some(&[][..]));
        assert_eq!(extensions.get(ExtensionType::SERVER_NAME), Some(SERVER_NAME_X));
        assert_eq!(extensions.session_ticket(), Some(&[1, 2, 3][..]));
        let kinds: Vec<u16> = extensions.kinds().map(|kind| kind.0).collect();
        assert_eq!(kinds, [22, 0x1a1a, 23, 35, 0xff01, 0]);
    }

    fn ssl2_message(suites: &[u8], session_id: &[u8], challenge: &[u8]) -> Vec<u8> {
        let mut out = vec![1, 3, 1];
        for part in [suites, session_id, challenge] {
            out.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        }
        [&out[..], suites, session_id, challenge].concat()
    }

    #[test]
    fn the_framing_of_ssl_2_has_the_same_fields() {
        let refusal = |bytes: &[u8], view| {
            let message = Message::ssl2_client_hello(bytes.to_vec());
            ClientHello::parse(&message, view).err().map(Alert::from)
        };
        let suites = [1, 0, 0x80, 0, 0, 0x2f, 7, 0, 0xc0, 0, 0, 0xff];
        let bytes = ssl2_message(&suites, &[4; 16], &[5; 17]);
        let message = Message::ssl2_client_hello(bytes.clone());
        let hello = ClientHello::parse(&message, View::Strict).unwrap();
        assert_eq!(ClientHello::parse(&message, View::Lenient), Ok(hello));
        assert_eq!((hello.version, hello.session_id), (0x0301, &[4; 16][..]));
        assert_eq!(hello.random[..], [&[0; 15][..], &[5; 17]].concat(), "to the right");
        assert!(hello.offers(0x002f) && hello.offers(EMPTY_RENEGOTIATION_INFO_SCSV));
        assert!(!hello.offers(0x0080) && !hello.offers(0x00c0));
        assert!(hello.offers_null_compression());
        assert_eq!(hello.extensions.renegotiated_connection(), None);
        for view in [View::Strict, View::Lenient] {
            for len in 0..bytes.len() {
                assert_eq!(refusal(&bytes[..len], view), Some(Alert::DecodeError), "{len}");
            }
            let long_challenge = ssl2_message(&suites, &[], &[5; 33]);
            assert_eq!(refusal(&long_challenge, view), Some(Alert::DecodeError));
        }
        for irregular in [
            [bytes, vec![0]].concat(),
            ssl2_message(&suites, &[], &[5; 15]),
            ssl2_message(&suites, &[0; 33], &[5; 32]),
            ssl2_message(&suites[..11], &[], &[5; 32]),
            ssl2_message(&[], &[], &[5; 32]),
        ] {
            assert_eq!(refusal(&irregular, View::Strict), Some(Alert::DecodeError));
            assert_eq!(refusal(&irregular, View::Lenient), None, "{irregular:?}");
        }
    }

    #[test]
    fn a_truncated_hello_is_a_decode_error_except_where_extensions_begin() {
        let whole = body(0x0303, &[0x002f], &[(23, &[]), (0x1234, &[1, 2])]);
        let without_extensions = body(0x0303, &[0x002f], &[]).len();
        for len in 0..whole.len() {
            let expected = (len != without_extensions).then_some(Alert::DecodeError);
            assert_eq!(refusal(&whole[..len]), expected, "{len}");
            assert_eq!(is_lenient_about(&whole[..len]), expected.is_none(), "{len}");
        }
        let continued = [whole, vec![0]].concat();
        assert_eq!(refusal(&continued), Some(Alert::DecodeError));
        assert!(is_lenient_about(&continued));
    }

    #[test]
    fn lists_out_of_their_range_are_decode_errors() {
        let no_suite = body(0x0303, &[], &[]);
        assert_eq!(refusal(&no_suite), Some(Alert::DecodeError));
        assert!(is_lenient_about(&no_suite));
        let good = body(0x0303, &[0x002f], &[]);
        let change = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            bad
        };
        // Session id of 33 bytes; a list of suites of odd length; no compression method.
        let long_id = [&good[..34], &[33], &[0; 33], &good[35..]].concat();
        assert_eq!(refusal(&long_id), Some(Alert::DecodeError));
        let lenient = ClientHello::parse(&client_message(&long_id), View::Lenient).unwrap_err();
        assert_eq!(lenient.to_string(), "session id exceeds 32 bytes");
        assert_eq!(refusal(&change(36, 1)), Some(Alert::DecodeError));
        let no_compression = [&good[..39], &[0]].concat();
        assert_eq!(refusal(&no_compression), Some(Alert::DecodeError));
        assert!(is_lenient_about(&no_compression));
    }

    #[test]
    fn malformed_or_repeated_extensions_are_refused_in_the_strict_view() {
        let with = |extensions| {
            let body = body(0x0303, &[0x002f], extensions);
            assert!(is_lenient_about(&body));
            refusal(&body)
        };
        assert_eq!(with(&[(23, &[0])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(22, &[0])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(0xff01, &[])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(0xff01, &[0, 0])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(23, &[]), (5, &[]), (23, &[])]), Some(Alert::IllegalParameter));
        // Malformed content is found before a repetition in front of it.
        assert_eq!(with(&[(5, &[]), (5, &[]), (23, &[0])]), Some(Alert::DecodeError));
        // These are not negotiated by a server that ignores them.
        assert_eq!(with(&[(4, &[1]), (35, &[1]), (43, &[1])]), None);
    }

    #[test]
    fn the_last_of_repeated_extensions_counts_in_the_lenient_view() {
        let body = body(0x0303, &[0x002f], &[(35, &[1]), (23, &[]), (35, &[2])]);
        let message = client_message(&body);
        let hello = ClientHello::parse(&message, View::Lenient).unwrap();
        assert_eq!(hello.extensions.session_ticket(), Some(&[2][..]));
    }

    #[test]
    fn a_list_of_names_has_one_of_a_type() {
        let with = |data| refusal(&body(0x0303, &[0x002f], &[(0, data)]));
        assert_eq!(with(SERVER_NAME_X), None);
        assert_eq!(with(&[0, 8, 0, 0, 1, b'x', 7, 0, 1, b'x']), None, "of an unknown type too");
        assert_eq!(with(&[0, 8, 0, 0, 1, b'x', 0, 0, 1, b'y']), Some(Alert::IllegalParameter));
        for bad in [
            &[][..],
            &[0],
            &[0, 0],
            &[0, 1, 0],
            &[0, 3, 0, 0, 0],
            &[0, 4, 0, 0, 2, b'x'],
            &[0, 3, 0, 0, 1, b'x'],
            &[0, 5, 0, 0, 1, b'x'],
            &[0, 4, 0, 0, 1, b'x', 0],
        ] {
            assert_eq!(with(bad), Some(Alert::DecodeError), "{bad:?}");
        }
    }

    #[test]
    fn signature_algorithms_are_pairs_of_bytes_from_tls_1_2_on() {
        let with = |version, data| refusal(&body(version, &[0x002f], &[(13, data)]));
        assert_eq!(with(0x0303, &[0, 4, 4, 1, 0xee, 0xee]), None);
        for bad in
            [&[][..], &[0], &[0, 0], &[0, 1, 4], &[0, 2, 4], &[0, 3, 4, 1, 4], &[0, 2, 4, 1, 0]]
        {
            assert_eq!(with(0x0303, bad), Some(Alert::DecodeError), "{bad:?}");
            assert_eq!(with(0x0302, bad), None, "{bad:?}");
        }
    }

    /// A ServerHello with these extensions.
    fn server_message(extensions: &[(u16, &[u8])]) -> Message {
        let mut list = Vec::new();
        for (kind, data) in extensions {
            put_extension(&mut list, ExtensionType(*kind), data);
        }
        let mut bytes = Vec::new();
        let hello = ServerHello {
            version: 0x0303,
            random: [9; 32],
            session_id: &[8, 8],
            suite: 0x002f,
            compression: 0,
            extensions: Extensions::new(&list),
        };
        hello.put(&mut bytes);
        let message = Message { kind: HandshakeType::SERVER_HELLO, bytes, ssl2_framing: false };
        assert_eq!(ServerHello::parse(&message, View::Lenient), Ok(hello), "read back");
        message
    }

    #[test]
    fn a_truncated_server_hello_is_malformed_in_the_lenient_view_too() {
        let message = server_message(&[]);
        let expected = [&[3, 3][..], &[9; 32], &[2, 8, 8, 0, 0x2f, 0]].concat();
        assert_eq!(message.body(), expected);
        for len in 0..expected.len() {
            let cut = self::message(HandshakeType::SERVER_HELLO, &expected[..len]);
            assert!(ServerHello::parse(&cut, View::Lenient).is_err(), "{len}");
        }
        let too_long = [&expected[..], &[0, 6, 0, 43, 0, 3, 3, 4]].concat();
        let too_long = self::message(HandshakeType::SERVER_HELLO, &too_long);
        let error = ServerHello::parse(&too_long, View::Lenient).unwrap_err();
        assert_eq!(error.to_string(), "extension exceeds the list");
    }

    #[test]
    fn the_version_of_tls_1_3_is_in_an_extension() {
        let version = |extensions: &[(u16, &[u8])]| {
            let message = server_message(extensions);
            ServerHello::parse(&message, View::Lenient).unwrap().selected_version()
        };
        assert_eq!(version(&[]), 0x0303);
        assert_eq!(version(&[(43, &[3, 4])]), 0x0304);
        assert_eq!(version(&[(43, &[3])]), 0x0303);
    }

    #[test]
    fn a_client_checks_the_extensions_of_a_server_hello() {
        let refusal = |extensions: &[(u16, &[u8])]| {
            let message = server_message(extensions);
            ServerHello::parse(&message, View::Strict).err().map(Alert::from)
        };
        let good: [(u16, &[u8]); 6] =
            [(0, &[]), (4, &[]), (22, &[]), (35, &[]), (43, &[3, 4]), (0xff01, &[0])];
        assert_eq!(refusal(&good), None);
        for (kind, _) in good {
            assert_eq!(refusal(&[(kind, &[7])]), Some(Alert::DecodeError), "{kind}");
        }
    }
}
