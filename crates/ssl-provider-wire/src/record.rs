//! Record headers (RFC 5246 section 6.2.1), and those of SSL 2.0, in which old clients begin.
//! Which values are acceptable depends on the connection, and is up to the caller.

/// The content type of a record that an endpoint accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ContentType {
    /// Switches to the keys of the handshake in progress.
    ChangeCipherSpec = 20,
    /// A warning, or a fatal error.
    Alert = 21,
    /// Handshake messages, or fragments of them.
    Handshake = 22,
    /// The data of the application.
    ApplicationData = 23,
}

impl ContentType {
    /// The content type of heartbeats (RFC 6520), which only readers of captures accept.
    pub const HEARTBEAT: u8 = 24;

    /// Returns the content type with this number; none for another number.
    pub const fn from_wire(number: u8) -> Option<Self> {
        Some(match number {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            _ => return None,
        })
    }

    /// Returns the number on the wire, which goes into the MAC.
    pub const fn wire(self) -> u8 {
        self as u8
    }
}

/// A record header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The number of the content type.
    pub content_type: u8,
    /// The version.
    pub version: u16,
    /// Length of the fragment behind the header, in bytes.
    pub fragment_len: u16,
}

impl RecordHeader {
    /// Length of a record header in bytes.
    pub const LEN: usize = 5;

    /// Parses a header.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [content_type, major, minor, high, low] = bytes;
        let version = u16::from_be_bytes([major, minor]);
        Self { content_type, version, fragment_len: u16::from_be_bytes([high, low]) }
    }

    /// Returns the bytes of the header.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let ([major, minor], [high, low]) =
            (self.version.to_be_bytes(), self.fragment_len.to_be_bytes());
        [self.content_type, major, minor, high, low]
    }
}

/// A record header of SSL 2.0 without padding, as precedes a ClientHello (RFC 5246 appendix E.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssl2Header {
    /// Length of the message behind the header, in bytes.
    pub message_len: u16,
}

impl Ssl2Header {
    /// Length of the header in bytes.
    pub const LEN: usize = 2;

    /// Set in the first byte of a header that is two bytes long and has no padding length.
    const LENGTH_OF_TWO_BYTES: u8 = 0x80;

    /// Returns whether a record that begins with this byte has such a header.
    pub const fn begins_with(byte: u8) -> bool {
        byte & Self::LENGTH_OF_TWO_BYTES != 0
    }

    /// Parses a header; its first bit is ignored.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [high, low] = bytes;
        Self { message_len: u16::from_be_bytes([high & !Self::LENGTH_OF_TWO_BYTES, low]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_header_is_read_back() {
        let header = RecordHeader { content_type: 22, version: 0x0301, fragment_len: 0x1234 };
        assert_eq!(header.to_bytes(), [22, 3, 1, 0x12, 0x34]);
        assert_eq!(RecordHeader::from_bytes(header.to_bytes()), header);
    }

    #[test]
    fn content_types_are_known_by_their_numbers() {
        for number in 0..=u8::MAX {
            let known = ContentType::from_wire(number);
            assert_eq!(known.is_some(), (20..=23).contains(&number), "{number}");
            assert!(known.is_none_or(|it| it.wire() == number));
        }
    }

    #[test]
    fn the_first_bit_of_an_ssl_2_header_is_no_part_of_the_length() {
        assert!(Ssl2Header::begins_with(0x80) && !Ssl2Header::begins_with(22));
        assert_eq!(Ssl2Header::from_bytes([0x81, 2]).message_len, 0x0102);
    }
}
