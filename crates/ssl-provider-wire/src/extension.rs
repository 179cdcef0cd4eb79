//! Extensions of the hellos: their types, the walk over a list, and the checks of the strict view.
//! Unknown extensions are ignored (RFC 5246 section 7.4.1.4).

use std::mem;

use crate::alert::Alert;
use crate::reader::{Malformed, Reader, View, put_vec};

/// The type of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExtensionType(pub u16);

impl ExtensionType {
    /// The host names of the server (RFC 6066 section 3).
    pub const SERVER_NAME: Self = Self(0);
    /// Truncated MACs (RFC 6066 section 7).
    pub const TRUNCATED_HMAC: Self = Self(4);
    /// Groups of ephemeral keys (RFC 8422 section 5.1.1, RFC 7919 section 3).
    pub const SUPPORTED_GROUPS: Self = Self(10);
    /// Encodings of points (RFC 8422 section 5.1.2).
    pub const EC_POINT_FORMATS: Self = Self(11);
    /// Supported signature algorithms (RFC 5246 section 7.4.1.4.1).
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    /// Application protocols (RFC 7301).
    pub const APPLICATION_LAYER_PROTOCOL_NEGOTIATION: Self = Self(16);
    /// Records are encrypted before they are authenticated (RFC 7366).
    pub const ENCRYPT_THEN_MAC: Self = Self(22);
    /// The master secret depends on the whole handshake (RFC 7627).
    pub const EXTENDED_MASTER_SECRET: Self = Self(23);
    /// A ticket, or a request for one (RFC 5077).
    pub const SESSION_TICKET: Self = Self(35);
    /// Zeros that make a ClientHello longer (RFC 7685).
    pub const PADDING: Self = Self(21);
    /// Pre-shared keys that a client offers, or the one that the server chose (RFC 8446 section
    /// 4.2.11).
    pub const PRE_SHARED_KEY: Self = Self(41);
    /// Data before the handshake is complete (RFC 8446 section 4.2.10).
    pub const EARLY_DATA: Self = Self(42);
    /// Versions from TLS 1.3 on (RFC 8446 section 4.2.1).
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    /// What a HelloRetryRequest wants to see again (RFC 8446 section 4.2.2).
    pub const COOKIE: Self = Self(44);
    /// Whether pre-shared keys go with a key agreement (RFC 8446 section 4.2.9).
    pub const PSK_KEY_EXCHANGE_MODES: Self = Self(45);
    /// Public keys of the key agreement (RFC 8446 section 4.2.8).
    pub const KEY_SHARE: Self = Self(51);
    /// Binds a renegotiation to the handshake before it (RFC 5746).
    pub const RENEGOTIATION_INFO: Self = Self(0xff01);
}

/// The encoding of points that all implementations have, in [`ExtensionType::EC_POINT_FORMATS`]
/// (RFC 8422 section 5.1.2).
pub const UNCOMPRESSED_POINTS: u8 = 0;

/// The extensions of a hello.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a>(&'a [u8]);

/// Whose hello it is; that of a client with the version that it offers.
#[derive(Clone, Copy)]
pub(crate) enum Sender {
    Client(u16),
    Server,
    /// A message of TLS 1.3 that is not a hello, of either side.
    Message,
}

impl<'a> Extensions<'a> {
    /// Takes a list that [`put_extension`] has written.
    pub fn new(list: &'a [u8]) -> Self {
        Self(list)
    }

    /// Parses the extensions, which end a hello and may be absent.
    pub(crate) fn parse(
        mut reader: Reader<'a>,
        sender: Sender,
        view: View,
    ) -> Result<Self, Malformed> {
        if reader.is_empty() {
            return Ok(Self::default());
        }
        let list = reader.vec16().ok_or("extensions exceed the message")?;
        view.require(reader.is_empty(), "message continues behind the extensions")?;
        let mut kinds = Vec::new();
        let mut reader = Reader::new(list);
        while !reader.is_empty() {
            let (kind, data) = next(&mut reader).ok_or("extension exceeds the list")?;
            if view == View::Strict {
                check(kind, data, sender)?;
                kinds.push(kind);
            }
        }
        kinds.sort_unstable();
        // "There MUST NOT be more than one extension of the same type" (RFC 5246 7.4.1.4).
        match kinds.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            true => Err(Malformed { reason: "repeated extension", alert: Alert::IllegalParameter }),
            false => Ok(Self(list)),
        }
    }

    /// Parses the extensions of a message other than a hello, whose list is never absent (RFC 8446
    /// section 4.3.1, for one). They are not the end of each.
    pub(crate) fn parse_list(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let before = *reader;
        reader.vec16().ok_or("extensions exceed the message")?;
        let len = before.rest().len() - reader.rest().len();
        let list = before.rest().get(..len).unwrap_or_default();
        Self::parse(Reader::new(list), Sender::Message, View::Strict)
    }

    /// Returns whether an extension is the last one, as pre_shared_key must be (RFC 8446 section
    /// 4.2.11).
    pub fn is_last(self, kind: ExtensionType) -> bool {
        self.kinds().last() == Some(kind)
    }

    /// Returns the content of an extension; that of the last one if the lenient view let several of
    /// the same type pass.
    pub fn get(self, kind: ExtensionType) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.0);
        let list = std::iter::from_fn(move || next(&mut reader));
        list.filter(|(found, _)| *found == kind).map(|(_, data)| data).last()
    }

    /// Returns the types of the extensions, in their order.
    pub fn kinds(self) -> impl Iterator<Item = ExtensionType> + 'a {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || next(&mut reader)).map(|(kind, _)| kind)
    }

    /// Returns whether an extension is present.
    pub fn has(self, kind: ExtensionType) -> bool {
        self.get(kind).is_some()
    }

    /// Returns the numbers of two bytes that an extension lists, such as supported_groups and
    /// signature_algorithms; `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for an empty list, and for one that does not fill the extension.
    pub fn numbers(self, kind: ExtensionType) -> Result<Option<Vec<u16>>, Malformed> {
        let Some(data) = self.get(kind) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let list = reader.vec16().filter(|list| !list.is_empty() && reader.is_empty());
        let (numbers, rest) = list.unwrap_or_default().as_chunks();
        if numbers.is_empty() || !rest.is_empty() {
            return Err("malformed list of groups or signature algorithms".into());
        }
        Ok(Some(numbers.iter().copied().map(u16::from_be_bytes).collect()))
    }

    /// Returns the encodings of points (RFC 8422 section 5.1.2); `None` if there is no list.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for an empty list, and for one that does not fill the extension.
    pub fn point_formats(self) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(data) = self.get(ExtensionType::EC_POINT_FORMATS) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let list = reader.vec8().filter(|list| !list.is_empty() && reader.is_empty());
        list.map(Some).ok_or_else(|| "malformed ec_point_formats".into())
    }

    /// Returns the application protocols (RFC 7301 section 3.1); `None` if there is no list.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for an empty list, one that does not fill the extension, and an empty name.
    pub fn application_protocols(self) -> Result<Option<Vec<&'a [u8]>>, Malformed> {
        const REASON: &str = "malformed list of application protocols";
        let kind = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
        let Some(data) = self.get(kind) else { return Ok(None) };
        let mut reader = Reader::new(data);
        let list = reader.vec16().filter(|list| !list.is_empty() && reader.is_empty());
        let mut list = Reader::new(list.ok_or(REASON)?);
        let mut protocols = Vec::new();
        while !list.is_empty() {
            protocols.push(list.vec8().filter(|name| !name.is_empty()).ok_or(REASON)?);
        }
        Ok(Some(protocols))
    }

    /// Returns the renegotiated_connection of renegotiation_info (RFC 5746 section 3.2).
    pub fn renegotiated_connection(self) -> Option<&'a [u8]> {
        Reader::new(self.get(ExtensionType::RENEGOTIATION_INFO)?).vec8()
    }

    /// Returns the ticket that a client offers (RFC 5077); `None` for an empty one, which requests
    /// one.
    pub fn session_ticket(self) -> Option<&'a [u8]> {
        self.get(ExtensionType::SESSION_TICKET).filter(|ticket| !ticket.is_empty())
    }

    /// Writes the extensions behind their length, also where there are none.
    pub(crate) fn put_list(self, out: &mut Vec<u8>) {
        put_vec::<2>(out, |out| out.extend_from_slice(self.0));
    }

    /// Returns types and contents, in their order.
    pub(crate) fn entries(self) -> impl Iterator<Item = (ExtensionType, &'a [u8])> {
        let mut reader = Reader::new(self.0);
        std::iter::from_fn(move || next(&mut reader))
    }

    /// Writes the extensions behind their length; nothing if there are none, since a peer that sent
    /// none may not support any.
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            put_vec::<2>(out, |out| out.extend_from_slice(self.0));
        }
    }
}

/// Appends an extension to a list.
pub fn put_extension(list: &mut Vec<u8>, kind: ExtensionType, data: &[u8]) {
    list.extend(kind.0.to_be_bytes());
    put_vec::<2>(list, |list| list.extend_from_slice(data));
}

fn next<'a>(reader: &mut Reader<'a>) -> Option<(ExtensionType, &'a [u8])> {
    Some((ExtensionType(reader.u16()?), reader.vec16()?))
}

/// Checks the content of an extension, as far as one that is not negotiated still has to be
/// well-formed. A server ignores that of truncated_hmac, session_ticket and supported_versions;
/// lists of groups, point formats and protocols are checked by a server that uses them.
fn check(kind: ExtensionType, data: &[u8], sender: Sender) -> Result<(), Malformed> {
    let mut reader = Reader::new(data);
    let good = match (kind, sender) {
        (ExtensionType::SERVER_NAME, Sender::Client(_)) => return check_server_name(data),
        // Older versions do not have it (RFC 5246 section 7.4.1.4.1).
        (ExtensionType::SIGNATURE_ALGORITHMS, Sender::Client(version)) if version >= TLS1_2 => {
            let list = reader.vec16().unwrap_or_default();
            !list.is_empty() && list.len().is_multiple_of(2) && reader.is_empty()
        }
        (ExtensionType::SUPPORTED_VERSIONS, Sender::Server) => data.len() == 2,
        (ExtensionType::RENEGOTIATION_INFO, _) => reader.vec8().is_some() && reader.is_empty(),
        (ExtensionType::ENCRYPT_THEN_MAC | ExtensionType::EXTENDED_MASTER_SECRET, _)
        | (
            ExtensionType::SERVER_NAME
            | ExtensionType::TRUNCATED_HMAC
            | ExtensionType::SESSION_TICKET,
            Sender::Server,
        ) => data.is_empty(),
        _ => true,
    };
    if good { Ok(()) } else { Err("malformed extension".into()) }
}

/// A list of names, at most one of a type (RFC 6066 section 3). Any name is accepted.
fn check_server_name(data: &[u8]) -> Result<(), Malformed> {
    const REASON: &str = "malformed server_name";
    let mut reader = Reader::new(data);
    let list = reader.vec16().filter(|list| !list.is_empty() && reader.is_empty());
    let mut list = Reader::new(list.ok_or(REASON)?);
    let mut seen = [false; 256];
    while !list.is_empty() {
        let kind = list.u8().ok_or(REASON)?;
        list.vec16().filter(|name| !name.is_empty()).ok_or(REASON)?;
        if mem::replace(&mut seen[usize::from(kind)], true) {
            return Err(Malformed { reason: REASON, alert: Alert::IllegalParameter });
        }
    }
    Ok(())
}

const TLS1_2: u16 = 0x0303;

#[cfg(test)]
mod tests {
    use super::*;

    /// A list with one extension.
    fn extension(kind: ExtensionType, data: &[u8]) -> Vec<u8> {
        let mut list = Vec::new();
        put_extension(&mut list, kind, data);
        list
    }

    #[test]
    fn lists_are_read_whole_or_are_malformed() {
        let groups = ExtensionType::SUPPORTED_GROUPS;
        let read = |data| Extensions(&extension(groups, data)).numbers(groups);
        assert_eq!(read(&[0, 4, 0, 29, 1, 0]), Ok(Some(vec![29, 256])));
        for bad in
            [&[][..], &[0], &[0, 0], &[0, 1, 0], &[0, 2, 0], &[0, 3, 0, 29, 0], &[0, 2, 0, 29, 0]]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Extensions::default().numbers(groups), Ok(None));

        let read = |data| {
            let list = extension(ExtensionType::EC_POINT_FORMATS, data);
            Extensions(&list).point_formats().map(|formats| formats.map(<[u8]>::to_vec))
        };
        assert_eq!(read(&[2, 1, 0]), Ok(Some(vec![1, 0])));
        for bad in [&[][..], &[0], &[2, 0], &[1, 0, 0]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }

        let read = |data| {
            let kind = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
            let list = extension(kind, data);
            let protocols = Extensions(&list).application_protocols();
            protocols.map(|found| found.map(|found| found.concat()))
        };
        assert_eq!(read(b"\0\x06\x02h2\x02xy"), Ok(Some(b"h2xy".to_vec())));
        for bad in
            [&b""[..], b"\0\0", b"\0\x01\0", b"\0\x03\x03h2", b"\0\x03\x02h2\0", b"\0\x04\x02h2"]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
