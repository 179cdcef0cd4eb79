//! The record layer: parses and decrypts received records, and encrypts those to be sent.
//! It holds the keys, sequence numbers and versions of both directions; payloads are opaque to it.

use std::ops::Range;

use ssl_provider::{
    CipherMode, CipherSuiteInfo, Error, MAX_FRAGMENT_LEN, MAX_PAYLOAD_LEN, ProtocolVersion,
    RecordKey,
};
use ssl_provider_wire::{Alert, ContentType, HandshakeType, RecordHeader, Ssl2Header};

use crate::alert::{internal_error, require};

/// The content of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A fragment of this type.
    Tls(ContentType),
    /// A ClientHello in the format of SSL 2.0, from an old client.
    Ssl2Hello,
    /// Early data that was declined: it is passed over.
    Skipped,
}

/// A record that was decrypted in place.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) content: Content,
    /// The range of the payload.
    pub(crate) payload: Range<usize>,
    /// Length of the record in bytes, with its header.
    pub(crate) len: usize,
}

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(crate) struct RecordLayer {
    read: Option<Direction>,
    write: Option<Direction>,
    /// Whether application data is written with the 1/n-1 split.
    splits_data: bool,
    /// The negotiated version.
    protocol: Option<ProtocolVersion>,
    /// Whether a record has been received.
    has_begun: bool,
    /// The version of the client's first records. Alerts carry it until a version is negotiated,
    /// as RFC 7507 section 3 requires.
    first_version: Option<ProtocolVersion>,
    /// Bytes of early data that may still be passed over; none where none is expected.
    skips: Option<usize>,
    /// Whether an alert in the clear is taken although there are keys: a client that refuses
    /// ServerHello of TLS 1.3 has none.
    takes_clear_alerts: bool,
    output: Vec<u8>,
    /// What a hostile peer writes in place of what it is told to.
    #[cfg(test)]
    pub(crate) tamper: Tamper,
}

/// Replaces payloads that are to be written by others; none for one that stays.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Tamper(pub(crate) Option<Box<TamperFn>>);

#[cfg(test)]
pub(crate) type TamperFn =
    dyn FnMut(ContentType, &[u8]) -> Option<Vec<(ContentType, Vec<u8>)>> + Send;

#[cfg(test)]
ssl_provider::redacted_debug! { Tamper { .. } }

#[derive(Debug)]
struct Direction {
    key: RecordKey,
    sequence_number: u64,
}

impl Direction {
    fn new(key: RecordKey) -> Self {
        Self { key, sequence_number: 0 }
    }

    /// Returns the sequence number of the next record. 2^64 records cannot be reached.
    fn next(&mut self) -> u64 {
        let number = self.sequence_number;
        self.sequence_number = number.wrapping_add(1);
        number
    }
}

impl RecordLayer {
    /// Returns the record layer of a client, which reads no record of SSL 2.0.
    pub(crate) fn of_client(first_version: ProtocolVersion) -> Self {
        Self { has_begun: true, first_version: Some(first_version), ..Self::default() }
    }

    pub(crate) fn protocol(&self) -> Option<ProtocolVersion> {
        self.protocol
    }

    /// Whether a record has been received.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(crate) fn agree_on(&mut self, protocol: ProtocolVersion) {
        self.protocol = Some(protocol);
    }

    /// Writes records with the version that TLS 1.3 has behind its first ClientHello (RFC 8446
    /// section 5.1), for a client with early data, before the server has chosen a version.
    pub(crate) fn expect_tls13(&mut self) {
        self.first_version = Some(ProtocolVersion::TLS1_2);
    }

    pub(crate) fn read_with(&mut self, key: RecordKey) {
        self.read = Some(Direction::new(key));
    }

    /// Takes alerts in the clear until the first record that is decrypted.
    pub(crate) fn take_clear_alerts(&mut self) {
        self.takes_clear_alerts = true;
    }

    /// Passes over early data of at most `max` bytes: without keys all of application data, with
    /// keys what cannot be decrypted, until the first record that can (RFC 8446 section 4.2.10).
    pub(crate) fn skip_early_data(&mut self, max: usize) {
        self.skips = Some(max);
    }

    /// Whether so many records were written under one key that a new one is due. RFC 8446 section
    /// 5.5 sets the limit for AES-GCM at 2^24.5 full records.
    pub(crate) fn needs_key_update(&self) -> bool {
        self.write.as_ref().is_some_and(|write| write.sequence_number >= MAX_RECORDS_OF_KEY)
    }

    /// Writes further records in the clear, after early data that the server has declined.
    pub(crate) fn write_in_clear(&mut self) {
        self.write = None;
    }

    fn is_tls13(&self) -> bool {
        self.protocol == Some(ProtocolVersion::TLS1_3)
    }

    /// Encrypts all further records with `key`, in the negotiated version.
    pub(crate) fn write_with(&mut self, key: RecordKey, suite: &CipherSuiteInfo) {
        self.write = Some(Direction::new(key));
        let chains_ivs = self.protocol.is_some_and(|protocol| !protocol.has_explicit_iv());
        self.splits_data = chains_ivs && suite.cipher.mode == CipherMode::Cbc;
    }

    /// Decrypts the record at the start of `input`. Returns `None` if it is incomplete. The header
    /// is checked as soon as it is complete.
    pub(crate) fn open(&mut self, input: &mut [u8]) -> Result<Option<Record>, Alert> {
        let record = match input.first() {
            Some(byte) if !self.has_begun && Ssl2Header::begins_with(*byte) => {
                self.open_ssl2_hello(input)?
            }
            _ => self.open_tls(input)?,
        };
        self.has_begun |= record.is_some();
        Ok(record)
    }

    fn open_tls(&mut self, input: &mut [u8]) -> Result<Option<Record>, Alert> {
        let Some(content_type) = input.first() else { return Ok(None) };
        let content_type = ContentType::from_wire(*content_type).ok_or(Alert::UnexpectedMessage)?;
        let Some(header) = input.first_chunk().copied().map(RecordHeader::from_bytes) else {
            return Ok(None);
        };
        self.check_version(content_type, ProtocolVersion(header.version))?;
        let fragment_len = usize::from(header.fragment_len);
        let is_encrypted = self.is_encrypted(content_type)?;
        let may_be_early = self.skips.is_some() && content_type == ContentType::ApplicationData;
        let max_len = match (is_encrypted, self.is_tls13()) {
            (false, _) if !may_be_early => MAX_PAYLOAD_LEN,
            (_, true) => MAX_TLS_1_3_FRAGMENT_LEN,
            (_, false) => MAX_FRAGMENT_LEN,
        };
        require(fragment_len <= max_len, Alert::RecordOverflow)?;
        let len = RecordHeader::LEN + fragment_len;
        let Some(record) = input.get_mut(..len) else { return Ok(None) };
        let is_early = content_type == ContentType::ApplicationData && self.read.is_none();
        if is_early && self.skips.is_some() {
            return self.skip(len, Alert::UnexpectedMessage).map(Some);
        }
        let Some(direction) = self.read.as_mut().filter(|_| is_encrypted) else {
            let payload = RecordHeader::LEN..len;
            return Ok(Some(Record { content: Content::Tls(content_type), payload, len }));
        };
        let opened = match direction.key.open_in_place(direction.sequence_number, record) {
            Ok(opened) => opened,
            Err(Error::BadRecord) if self.skips.is_some() => {
                return self.skip(len, Alert::BadRecordMac).map(Some);
            }
            Err(Error::BadRecord) => return Err(Alert::BadRecordMac),
            Err(Error::RecordOverflow) => return Err(Alert::RecordOverflow),
            Err(Error::UnexpectedRecord) => return Err(Alert::UnexpectedMessage),
            Err(other) => return Err(internal_error(other)),
        };
        direction.next();
        self.skips = None;
        self.takes_clear_alerts = false;
        // ChangeCipherSpec is never encrypted in TLS 1.3 (RFC 8446 section 5).
        let content_type = ContentType::from_wire(opened.content_type)
            .filter(|inner| !self.is_tls13() || *inner != ContentType::ChangeCipherSpec)
            .ok_or(Alert::UnexpectedMessage)?;
        let payload = opened.payload;
        Ok(Some(Record { content: Content::Tls(content_type), payload, len }))
    }

    /// Whether a record with this type in its header is encrypted. In TLS 1.3 all are that look
    /// like application data, and others have no business once there are keys (RFC 8446 section 5).
    fn is_encrypted(&self, content_type: ContentType) -> Result<bool, Alert> {
        match content_type {
            _ if self.read.is_none() => Ok(false),
            _ if !self.is_tls13() => Ok(true),
            ContentType::ApplicationData => Ok(true),
            ContentType::ChangeCipherSpec => Ok(false),
            ContentType::Alert if self.takes_clear_alerts => Ok(false),
            ContentType::Alert | ContentType::Handshake => Err(Alert::UnexpectedMessage),
        }
    }

    /// Passes over a record of `len` bytes, or fails with `alert` when there were too many.
    fn skip(&mut self, len: usize, alert: Alert) -> Result<Record, Alert> {
        self.skips = self.skips.and_then(|left| left.checked_sub(len));
        require(self.skips.is_some(), alert)?;
        Ok(Record { content: Content::Skipped, payload: len..len, len })
    }

    /// Before a version is negotiated, the header may have any minor version (RFC 5246 appendix
    /// E.1). So may an unencrypted alert: OpenSSL rejects a version in records of its own.
    fn check_version(
        &mut self,
        content_type: ContentType,
        version: ProtocolVersion,
    ) -> Result<(), Alert> {
        let is_clear_alert = content_type == ContentType::Alert && self.read.is_none();
        match self.protocol {
            // "MUST be ignored for all purposes" (RFC 8446 section 5.1).
            Some(ProtocolVersion::TLS1_3) => Ok(()),
            Some(protocol) if version == protocol => Ok(()),
            Some(_) if is_clear_alert && is_ssl3_or_tls(version) => Ok(()),
            None => self.note_version(version),
            Some(_) => Err(Alert::ProtocolVersion),
        }
    }

    fn note_version(&mut self, version: ProtocolVersion) -> Result<(), Alert> {
        require(is_ssl3_or_tls(version), Alert::ProtocolVersion)?;
        self.first_version = Some(version.min(ProtocolVersion::TLS1_2));
        Ok(())
    }

    /// Parses an SSL 2.0 record with a ClientHello that offers SSL 3.0 or TLS (RFC 5246 appendix
    /// E.2). SSL 2.0 itself is prohibited (RFC 6176).
    fn open_ssl2_hello(&mut self, input: &[u8]) -> Result<Option<Record>, Alert> {
        let Some(&[high, low, kind, major, minor]) = input.first_chunk() else { return Ok(None) };
        require(kind == HandshakeType::CLIENT_HELLO.0, Alert::UnexpectedMessage)?;
        self.note_version(ProtocolVersion(u16::from_be_bytes([major, minor])))?;
        let len = Ssl2Header::LEN + usize::from(Ssl2Header::from_bytes([high, low]).message_len);
        let whole = Record { content: Content::Ssl2Hello, payload: Ssl2Header::LEN..len, len };
        Ok((input.len() >= len).then_some(whole))
    }

    /// Writes a payload in as many records as needed.
    ///
    /// In CBC suites of TLS 1.0 and SSL 3.0 the IV of a record is the last block of the one before
    /// it, which an attacker who chooses the next plaintext knows (BEAST, CVE-2011-3389). The first
    /// byte of application data therefore gets a record of its own (1/n-1 split): its MAC makes the
    /// IV of the rest unpredictable.
    pub(crate) fn write(&mut self, content_type: ContentType, payload: &[u8]) -> Result<(), Alert> {
        #[cfg(test)]
        if let Some(records) =
            self.tamper.0.as_mut().and_then(|tamper| tamper(content_type, payload))
        {
            return records.into_iter().try_for_each(|(content_type, payload)| {
                self.write_records(content_type, &payload)
            });
        }
        self.write_records(content_type, payload)
    }

    fn write_records(&mut self, content_type: ContentType, payload: &[u8]) -> Result<(), Alert> {
        let version = self.protocol.or(self.first_version).unwrap_or(ProtocolVersion::TLS1_0);
        let version = version.min(ProtocolVersion::TLS1_2);
        let splits = self.splits_data && content_type == ContentType::ApplicationData;
        let (first, rest) = payload.split_at(usize::from(splits).min(payload.len()));
        for payload in first.chunks(MAX_PAYLOAD_LEN).chain(rest.chunks(MAX_PAYLOAD_LEN)) {
            let start = self.output.len();
            let Some(direction) = &mut self.write else {
                let header = RecordHeader {
                    content_type: content_type.wire(),
                    version: version.wire(),
                    fragment_len: u16::try_from(payload.len()).unwrap_or(u16::MAX),
                };
                self.output.extend(header.to_bytes());
                self.output.extend_from_slice(payload);
                continue;
            };
            let number = direction.next();
            let key = &mut direction.key;
            self.output.resize(start + key.record_len(payload.len()).map_err(internal_error)?, 0);
            let record = self.output.get_mut(start..).unwrap_or_default();
            let len = key
                .encrypt_packet(number, content_type.wire(), payload, record)
                .map_err(internal_error)?;
            self.output.truncate(start + len);
        }
        Ok(())
    }

    /// Writes a record of any content type, which a hostile peer does.
    #[cfg(test)]
    pub(crate) fn write_of_type(&mut self, content_type: u8, payload: &[u8]) {
        let direction = self.write.as_mut().unwrap();
        let number = direction.next();
        let mut record = vec![0; direction.key.record_len(payload.len()).unwrap()];
        direction.key.encrypt_packet(number, content_type, payload, &mut record).unwrap();
        self.output.extend(record);
    }

    /// Returns the bytes to be sent.
    pub(crate) fn output(&self) -> &[u8] {
        &self.output
    }

    /// Removes the first `len` bytes of the output, which have been sent.
    pub(crate) fn sent(&mut self, len: usize) {
        self.output.drain(..len.min(self.output.len()));
    }

    /// Frees the memory that the output does not need.
    pub(crate) fn release_memory(&mut self) {
        self.output.shrink_to_fit();
    }

    /// Bytes that the output has allocated.
    #[cfg(test)]
    pub(crate) fn output_capacity(&self) -> usize {
        self.output.capacity()
    }
}

/// Most bytes of an encrypted fragment in TLS 1.3 (RFC 8446 section 5.2).
const MAX_TLS_1_3_FRAGMENT_LEN: usize = MAX_PAYLOAD_LEN + 256;

/// After how many records a key of TLS 1.3 is replaced.
const MAX_RECORDS_OF_KEY: u64 = 1 << 23;

/// Whether the major version is that of SSL 3.0 and TLS.
fn is_ssl3_or_tls(version: ProtocolVersion) -> bool {
    version.wire() >> 8 == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(layer: &mut RecordLayer, record: &[u8]) -> Option<Alert> {
        layer.open(&mut record.to_vec()).err()
    }

    #[test]
    fn only_early_data_that_are_passed_over_may_be_as_long_as_ciphertext() {
        let mut layer = RecordLayer::default();
        layer.agree_on(ProtocolVersion::TLS1_3);
        layer.skip_early_data(20 << 10);
        assert_eq!(refusal(&mut layer, &[23, 3, 3, 0x41, 0]), None);
        for content_type in [20, 21, 22] {
            assert_eq!(refusal(&mut layer, &[content_type, 3, 3, 0x40, 0]), None);
            let refused = refusal(&mut layer, &[content_type, 3, 3, 0x40, 1]);
            assert_eq!(refused, Some(Alert::RecordOverflow), "{content_type}");
        }
        assert_eq!(refusal(&mut layer, &[23, 3, 3, 0x41, 1]), Some(Alert::RecordOverflow));
    }

    #[test]
    fn alerts_before_a_version_is_negotiated_carry_that_of_the_client_s_records() {
        let replied = |first: &[u8]| {
            let mut layer = RecordLayer::default();
            let _ = layer.open(&mut first.to_vec());
            layer.write(ContentType::Alert, &[2, 86]).unwrap();
            [layer.output()[1], layer.output()[2]]
        };
        for (minor, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (0xff, 3)] {
            assert_eq!(replied(&[22, 3, minor, 0, 1, 1]), [3, expected]);
            assert_eq!(replied(&[0x80, 9, 1, 3, minor]), [3, expected], "in the format of SSL 2.0");
        }
        assert_eq!(replied(b"GET / HTTP/1.0"), [3, 1]);
    }

    #[test]
    fn a_record_is_returned_when_it_is_complete() {
        let mut layer = RecordLayer::default();
        let mut record = vec![22, 3, 1, 0, 2, 7, 8, 22];
        for len in 0..7 {
            assert!(layer.open(&mut record[..len]).unwrap().is_none());
        }
        let opened = layer.open(&mut record).unwrap().unwrap();
        assert_eq!(
            (opened.content, opened.payload, opened.len),
            (Content::Tls(ContentType::Handshake), 5..7, 7)
        );
    }

    #[test]
    fn a_hello_of_ssl_2_may_come_first() {
        let mut record = vec![0x80, 4, 1, 3, 1, 9, 22];
        for len in 0..6 {
            assert!(RecordLayer::default().open(&mut record[..len]).unwrap().is_none());
        }
        let opened = RecordLayer::default().open(&mut record).unwrap().unwrap();
        assert_eq!((opened.content, opened.payload, opened.len), (Content::Ssl2Hello, 2..6, 6));
        let mut layer = RecordLayer::default();
        assert_eq!(refusal(&mut layer, &[0x80, 4, 2, 3, 1]), Some(Alert::UnexpectedMessage));
        assert_eq!(refusal(&mut layer, &[0x80, 4, 1, 0, 2]), Some(Alert::ProtocolVersion));
        assert_eq!(refusal(&mut layer, &[22, 3, 1, 0, 1, 1]), None);
        assert_eq!(refusal(&mut layer, &record), Some(Alert::UnexpectedMessage), "later");
    }

    #[test]
    fn headers_are_checked_at_once() {
        let mut layer = RecordLayer::default();
        assert_eq!(refusal(&mut layer, b"GET "), Some(Alert::UnexpectedMessage));
        assert_eq!(refusal(&mut layer, &[24, 3, 3, 0, 1]), Some(Alert::UnexpectedMessage));
        assert_eq!(refusal(&mut layer, &[22, 2, 0, 0, 1]), Some(Alert::ProtocolVersion));
        assert_eq!(refusal(&mut layer, &[22, 3, 1, 0x40, 0]), None);
        assert_eq!(refusal(&mut layer, &[22, 3, 1, 0x40, 1]), Some(Alert::RecordOverflow));
        for minor in [0, 1, 3, 4, 0xff] {
            assert_eq!(refusal(&mut layer, &[22, 3, minor, 0, 1, 1]), None);
        }
        layer.agree_on(ProtocolVersion::TLS1_1);
        assert_eq!(refusal(&mut layer, &[22, 3, 2, 0, 1, 1]), None);
        for minor in [0, 1, 3] {
            let record = [22, 3, minor, 0, 1, 1];
            assert_eq!(refusal(&mut layer, &record), Some(Alert::ProtocolVersion));
        }
    }

    #[test]
    fn a_long_payload_takes_several_records() {
        let mut layer = RecordLayer::default();
        layer.agree_on(ProtocolVersion::TLS1_2);
        layer.write(ContentType::Handshake, &[5; MAX_PAYLOAD_LEN + 1]).unwrap();
        assert_eq!(layer.output()[..RecordHeader::LEN], [22, 3, 3, 0x40, 0]);
        let second = RecordHeader::LEN + MAX_PAYLOAD_LEN;
        assert_eq!(layer.output()[second..], [22, 3, 3, 0, 1, 5]);
        layer.sent(second);
        assert_eq!(layer.output().len(), 6);
    }
}
