//! ClientHello, parsed, and ServerHello, written, with the extensions that this server speaks.
//! Extensions that it does not know are passed over (RFC 5246 section 7.4.1.4).

use std::borrow::Cow;
use std::mem;

use ssl_provider::Protocol;

use crate::alert::Alert;
use crate::negotiation::Choice;
use crate::wire::{Reader, put_message, put_vec};

/// Longest ClientHello in bytes: every field at its limit.
pub(crate) const MAX_CLIENT_HELLO_LEN: usize =
    2 + 32 + (1 + MAX_SESSION_ID_LEN) + (2 + 0xfffe) + (1 + 0xff) + (2 + 0xffff);

/// Longest session id in bytes (RFC 5246 section 7.4.1.2).
const MAX_SESSION_ID_LEN: usize = 32;

/// Shortest challenge in bytes, which is the client's random in the form of SSL 2.0.
const MIN_CHALLENGE_LEN: usize = 16;

/// The client speaks RFC 5746, said in the list of suites (section 3.3).
pub(crate) const EMPTY_RENEGOTIATION_INFO_SCSV: u16 = 0x00ff;
/// The client tries again with a lower version (RFC 7507).
pub(crate) const FALLBACK_SCSV: u16 = 0x5600;

const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// A ClientHello.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientHello<'a> {
    /// The highest version that the client offers.
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    /// The session that it asks to resume; may be empty.
    pub(crate) session_id: &'a [u8],
    /// Pairs of bytes.
    suites: Cow<'a, [u8]>,
    compression_methods: &'a [u8],
    /// The content of server_name (RFC 6066 section 3), well-formed.
    pub(crate) server_name: Option<&'a [u8]>,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    /// The renegotiated_connection of RFC 5746.
    pub(crate) renegotiated_connection: Option<&'a [u8]>,
}

impl<'a> ClientHello<'a> {
    /// Parses the body of the message.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Alert> {
        let mut reader = Reader::new(body);
        let mut hello = Self::fields(&mut reader).ok_or(Alert::DecodeError)?;
        if !reader.is_empty() {
            let extensions = reader.vec16().filter(|_| reader.is_empty());
            hello.extensions(extensions.ok_or(Alert::DecodeError)?)?;
        }
        Ok(hello)
    }

    fn fields(reader: &mut Reader<'a>) -> Option<Self> {
        let version = reader.u16()?;
        let random = reader.array()?;
        let session_id = reader.vec8().filter(|id| id.len() <= MAX_SESSION_ID_LEN)?;
        let suites = reader.vec16().filter(|list| !list.is_empty() && list.len() % 2 == 0)?;
        let suites = suites.into();
        let compression_methods = reader.vec8().filter(|list| !list.is_empty())?;
        Some(Self { version, random, session_id, suites, compression_methods, ..Self::default() })
    }

    /// Parses the message in the form that SSL 2.0 has for it (RFC 5246 appendix E.2).
    pub(crate) fn parse_ssl2(message: &'a [u8]) -> Result<Self, Alert> {
        Self::ssl2_fields(&mut Reader::new(message)).ok_or(Alert::DecodeError)
    }

    fn ssl2_fields(reader: &mut Reader<'a>) -> Option<Self> {
        let _kind = reader.u8()?;
        let version = reader.u16()?;
        let lens = [reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
        let [suites, session_id, challenge] = lens.map(|len| reader.take(len));
        let suites = suites?.chunks_exact(3);
        let session_id = session_id.filter(|id| id.len() <= MAX_SESSION_ID_LEN)?;
        let challenge = challenge.filter(|challenge| challenge.len() >= MIN_CHALLENGE_LEN)?;
        if suites.len() == 0 || !suites.remainder().is_empty() || !reader.is_empty() {
            return None;
        }
        let mut random = [0; 32];
        let start = random.len().checked_sub(challenge.len())?;
        random.get_mut(start..)?.copy_from_slice(challenge);
        // Those of SSL 2.0 itself do not begin with a zero.
        let suites: Vec<u8> =
            suites.filter_map(|it| it.strip_prefix(&[0])).flatten().copied().collect();
        let (suites, compression_methods) = (suites.into(), &[0][..]);
        Some(Self { version, random, session_id, suites, compression_methods, ..Self::default() })
    }

    fn extensions(&mut self, list: &'a [u8]) -> Result<(), Alert> {
        let mut list = Reader::new(list);
        let mut kinds = Vec::new();
        while !list.is_empty() {
            let kind = list.u16().ok_or(Alert::DecodeError)?;
            let data = list.vec16().ok_or(Alert::DecodeError)?;
            kinds.push(kind);
            match kind {
                SERVER_NAME => {
                    check_server_name(data)?;
                    self.server_name = Some(data);
                }
                // Older versions do not know it (RFC 5246 section 7.4.1.4.1).
                SIGNATURE_ALGORITHMS if self.version >= Protocol::Tls1_2.wire() => {
                    check_signature_algorithms(data)?;
                }
                ENCRYPT_THEN_MAC => self.encrypt_then_mac = empty(data)?,
                EXTENDED_MASTER_SECRET => self.extended_master_secret = empty(data)?,
                RENEGOTIATION_INFO => {
                    let mut reader = Reader::new(data);
                    let connection = reader.vec8().filter(|_| reader.is_empty());
                    self.renegotiated_connection = Some(connection.ok_or(Alert::DecodeError)?);
                }
                _ => {}
            }
        }
        kinds.sort_unstable();
        // "There MUST NOT be more than one extension of the same type" (RFC 5246 7.4.1.4).
        match kinds.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            true => Err(Alert::IllegalParameter),
            false => Ok(()),
        }
    }

    /// The list of suites.
    pub(crate) fn suites(&self) -> impl Iterator<Item = u16> {
        let (pairs, _) = self.suites.as_chunks();
        pairs.iter().map(|pair| u16::from_be_bytes(*pair))
    }

    /// Whether the list of suites has this number.
    pub(crate) fn offers(&self, suite: u16) -> bool {
        self.suites().any(|offered| offered == suite)
    }

    /// Whether records may stay as they are, which every client must offer.
    pub(crate) fn offers_null_compression(&self) -> bool {
        self.compression_methods.contains(&0)
    }
}

/// A list of names, one of a type at most (RFC 6066 section 3). What the names are does not matter:
/// there is one certificate.
fn check_server_name(data: &[u8]) -> Result<(), Alert> {
    let mut reader = Reader::new(data);
    let list = reader.vec16().filter(|list| !list.is_empty() && reader.is_empty());
    let mut list = Reader::new(list.ok_or(Alert::DecodeError)?);
    let mut seen = [false; 256];
    while !list.is_empty() {
        let kind = list.u8().ok_or(Alert::DecodeError)?;
        list.vec16().filter(|name| !name.is_empty()).ok_or(Alert::DecodeError)?;
        if mem::replace(&mut seen[usize::from(kind)], true) {
            return Err(Alert::IllegalParameter);
        }
    }
    Ok(())
}

/// Pairs of bytes, of which there is one at least. Nothing is signed here that they could choose.
fn check_signature_algorithms(data: &[u8]) -> Result<(), Alert> {
    let mut reader = Reader::new(data);
    let list = reader.vec16().filter(|_| reader.is_empty()).ok_or(Alert::DecodeError)?;
    if list.is_empty() || list.len() % 2 != 0 { Err(Alert::DecodeError) } else { Ok(()) }
}

/// An extension that says all by being there.
fn empty(data: &[u8]) -> Result<bool, Alert> {
    if data.is_empty() { Ok(true) } else { Err(Alert::DecodeError) }
}

/// Writes the ServerHello message.
pub(crate) fn put_server_hello(
    out: &mut Vec<u8>,
    choice: &Choice,
    server_random: &[u8; 32],
    session_id: &[u8],
) {
    put_message(out, crate::message::SERVER_HELLO, |out| {
        out.extend(choice.protocol.wire().to_be_bytes());
        out.extend(server_random);
        put_vec::<1>(out, |out| out.extend(session_id));
        // Suites of TLS have numbers of two bytes.
        out.extend(u16::try_from(choice.suite.id).unwrap_or_default().to_be_bytes());
        out.push(0);
        let flags = [
            (choice.encrypt_then_mac, ENCRYPT_THEN_MAC, &[][..]),
            (choice.extended_master_secret, EXTENDED_MASTER_SECRET, &[]),
            (choice.secure_renegotiation, RENEGOTIATION_INFO, &[0]),
        ];
        // A client that offered no extension may not know that there are any.
        if flags.iter().any(|(present, ..)| *present) {
            put_vec::<2>(out, |out| {
                for (_, kind, data) in flags.iter().filter(|(present, ..)| *present) {
                    out.extend(kind.to_be_bytes());
                    put_vec::<2>(out, |out| out.extend(*data));
                }
            });
        }
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The body of a ClientHello with these suites and extensions.
    pub(crate) fn body(version: u16, suites: &[u16], extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(version.to_be_bytes());
        out.extend([7; 32]);
        put_vec::<1>(&mut out, |_| {});
        put_vec::<2>(&mut out, |out| {
            out.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
        });
        put_vec::<1>(&mut out, |out| out.push(0));
        if !extensions.is_empty() {
            put_vec::<2>(&mut out, |out| {
                for (kind, data) in extensions {
                    out.extend(kind.to_be_bytes());
                    put_vec::<2>(out, |out| out.extend(*data));
                }
            });
        }
        out
    }

    /// A server_name for the host `x`.
    const SERVER_NAME_X: &[u8] = &[0, 4, 0, 0, 1, b'x'];

    fn refusal(body: &[u8]) -> Option<Alert> {
        ClientHello::parse(body).err()
    }

    #[test]
    fn the_fields_of_a_hello_are_found() {
        let body = body(
            0x0303,
            &[0x002f, EMPTY_RENEGOTIATION_INFO_SCSV],
            &[(22, &[]), (0x1a1a, &[1]), (23, &[]), (0xff01, &[0]), (0, SERVER_NAME_X)],
        );
        let hello = ClientHello::parse(&body).unwrap();
        assert_eq!((hello.version, hello.random), (0x0303, [7; 32]));
        assert!(hello.offers(0x002f) && hello.offers(0x00ff) && !hello.offers(0x2f00));
        assert!(hello.offers_null_compression());
        assert!(hello.extended_master_secret && hello.encrypt_then_mac);
        assert_eq!(hello.renegotiated_connection, Some(&[][..]));
        assert_eq!(hello.server_name, Some(SERVER_NAME_X));
    }

    #[test]
    fn the_form_of_ssl_2_has_the_same_fields() {
        let with = |suites: &[u8], session_id: &[u8], challenge: &[u8]| {
            let mut out = vec![1, 3, 1];
            for part in [suites, session_id, challenge] {
                out.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            }
            [&out[..], suites, session_id, challenge].concat()
        };
        let refusal = |message: &[u8]| ClientHello::parse_ssl2(message).err();
        let suites = [1, 0, 0x80, 0, 0, 0x2f, 7, 0, 0xc0, 0, 0, 0xff];
        let message = with(&suites, &[4; 16], &[5; 17]);
        let hello = ClientHello::parse_ssl2(&message).unwrap();
        assert_eq!((hello.version, hello.session_id), (0x0301, &[4; 16][..]));
        assert_eq!(hello.random[..], [&[0; 15][..], &[5; 17]].concat(), "to the right");
        assert!(hello.offers(0x002f) && hello.offers(EMPTY_RENEGOTIATION_INFO_SCSV));
        assert!(!hello.offers(0x0080) && !hello.offers(0x00c0));
        assert!(hello.offers_null_compression() && hello.renegotiated_connection.is_none());
        for len in 0..message.len() {
            assert_eq!(refusal(&message[..len]), Some(Alert::DecodeError), "{len}");
        }
        for bad in [
            [message, vec![0]].concat(),
            with(&suites, &[], &[5; 15]),
            with(&suites, &[], &[5; 33]),
            with(&suites, &[0; 33], &[5; 32]),
            with(&suites[..11], &[], &[5; 32]),
            with(&[], &[], &[5; 32]),
        ] {
            assert_eq!(refusal(&bad), Some(Alert::DecodeError), "{bad:?}");
        }
    }

    #[test]
    fn a_hello_cut_or_continued_is_a_decode_error() {
        let whole = body(0x0303, &[0x002f], &[(23, &[]), (0x1234, &[1, 2])]);
        let without_extensions = body(0x0303, &[0x002f], &[]).len();
        for len in 0..whole.len() {
            let expected = (len != without_extensions).then_some(Alert::DecodeError);
            assert_eq!(refusal(&whole[..len]), expected, "{len}");
        }
        assert_eq!(refusal(&[whole, vec![0]].concat()), Some(Alert::DecodeError));
    }

    #[test]
    fn lists_out_of_their_range_are_decode_errors() {
        assert_eq!(refusal(&body(0x0303, &[], &[])), Some(Alert::DecodeError), "no suite");
        let good = body(0x0303, &[0x002f], &[]);
        let change = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            bad
        };
        // Session id of 33 bytes; a list of suites of odd length; no compression method.
        let long_id = [&good[..34], &[33], &[0; 33], &good[35..]].concat();
        assert_eq!(refusal(&long_id), Some(Alert::DecodeError));
        assert_eq!(refusal(&change(36, 1)), Some(Alert::DecodeError));
        assert_eq!(refusal(&[&good[..39], &[0]].concat()), Some(Alert::DecodeError));
    }

    #[test]
    fn extensions_that_say_too_much_or_twice_are_refused() {
        let with = |extensions| refusal(&body(0x0303, &[0x002f], extensions));
        assert_eq!(with(&[(23, &[0])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(22, &[0])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(0xff01, &[])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(0xff01, &[0, 0])]), Some(Alert::DecodeError));
        assert_eq!(with(&[(23, &[]), (5, &[]), (23, &[])]), Some(Alert::IllegalParameter));
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
}
