//! Records of TLS 1.3 (RFC 8446 section 5): byte for byte those of an independent implementation,
//! with padding and without, and one answer to every record that was tampered with.

use ssl_provider_core::{
    Backend, CipherSuite, CipherSuiteInfo, Error, KeyExportPolicy, MAX_PAYLOAD_LEN, OpenedRecord,
    Policy, ProtocolVersion, Provider, RecordKey, RecordOptions, Support,
};

use crate::bytes::{Rng, flipped};
use crate::direction::{seal, unseal};
use crate::exchange::{POLICY, open};
use crate::fake::Fake;
use crate::question::Hex16;
use crate::question::tls13::Traffic;
use crate::reference13;

/// What every record adds to what it encrypts: header, content type and tag.
fn overhead(suite: &CipherSuiteInfo) -> usize {
    5 + 1 + reference13::cipher(suite).tag_len()
}

/// Every suite of TLS 1.3 that the backend has a cipher for, each with a traffic secret; what it
/// lacks its table says too.
fn suites(backend: &Backend) -> Vec<Sender> {
    let suites = CipherSuiteInfo::all().iter();
    let suites = suites.filter(|suite| suite.allows(ProtocolVersion::TLS1_3)).map(Sender::new);
    let suites: Vec<Sender> = suites.collect();
    assert_eq!(suites.len(), 5);
    let has_cipher = |sender: &Sender| match sender.traffic.record_key(&open(backend), PLAIN) {
        Ok(_) => true,
        Err(Error::Unsupported(operation)) => {
            assert_eq!(backend.support(operation), Support::Unsupported, "{operation}");
            false
        }
        Err(error) => panic!("{}: {error}", sender.name()),
    };
    suites.into_iter().filter(has_cipher).collect()
}

/// One side that writes under a suite.
struct Sender {
    suite: &'static CipherSuiteInfo,
    traffic: Traffic,
}

impl Sender {
    fn new(suite: &'static CipherSuiteInfo) -> Self {
        let len = reference13::hash_of(suite).output_len();
        let secret = Rng::new(suite.id.0.into()).bytes(len).into();
        Self { suite, traffic: Traffic { suite: Hex16::of_suite(suite), secret } }
    }

    fn name(&self) -> &'static str {
        self.suite.name
    }

    fn key(&self, backend: &Backend) -> RecordKey {
        self.traffic.record_key(&open(backend), PLAIN).unwrap()
    }

    fn padding_key(&self, backend: &Backend, padding_block: u16) -> RecordKey {
        let options = RecordOptions { padding_block, ..PLAIN };
        self.traffic.record_key(&open(backend), options).unwrap()
    }

    /// A record around any plaintext, by the reference.
    fn forge(&self, number: u64, text: &[u8]) -> Vec<u8> {
        reference13::seal(self.suite, &self.traffic.secret, number, text)
    }

    /// Opens a record both ways, which must agree, and leave nothing behind when it does not open:
    /// content type and payload.
    fn open(&self, backend: &Backend, number: u64, record: &[u8]) -> Result<(u8, Vec<u8>), Error> {
        let mut payload = vec![0xa5; MAX_PAYLOAD_LEN + 3];
        let mut key = self.key(backend);
        let apart = key.open_packet(number, record, &mut payload);
        let mut copy = record.to_vec();
        let in_place = self.key(backend).open_in_place(number, &mut copy);
        match (apart, in_place) {
            (
                Ok((content_type, len)),
                Ok(OpenedRecord { content_type: second, payload: range }),
            ) => {
                assert_eq!((range.start, content_type), (5, second), "{}", self.name());
                assert_eq!(copy[range.end], content_type, "{}: behind the payload", self.name());
                assert_eq!(copy[range], payload[..len], "{}", self.name());
                let rest = &payload[len..];
                assert!(rest.iter().all(|byte| *byte == 0xa5), "written behind the payload");
                payload.truncate(len);
                Ok((content_type, payload))
            }
            (Err(apart), Err(in_place)) => {
                assert_eq!(apart, in_place, "{}", self.name());
                assert!(payload.iter().all(|byte| *byte == 0xa5), "written on failure");
                let fragment = copy.get(5..).unwrap_or_default();
                assert!(fragment.iter().all(|byte| *byte == 0), "plaintext left behind");
                // The other names of the same thing agree.
                let mut payload = vec![0xa5; MAX_PAYLOAD_LEN + 3];
                let again = self.key(backend).decrypt_packet(number, record, &mut payload);
                assert_eq!(again, Err(apart), "{}", self.name());
                let again = self.key(backend).decrypt_in_place(number, &mut record.to_vec());
                assert_eq!(again, Err(apart), "{}", self.name());
                Err(apart)
            }
            (apart, in_place) => panic!("apart {apart:?}, in place {in_place:?}"),
        }
    }
}

/// Writes a record in place.
fn seal_in_place(key: &mut RecordKey, number: u64, content_type: u8, payload: &[u8]) -> Vec<u8> {
    let len = key.record_len(payload.len()).unwrap();
    let mut record = vec![0xa5; len + 3];
    let start = key.payload_offset();
    record[start..start + payload.len()].copy_from_slice(payload);
    let written = key.encrypt_in_place(number, content_type, payload.len(), &mut record);
    assert_eq!(written, Ok(len));
    assert_eq!(record[len..], [0xa5; 3], "written behind");
    record.truncate(len);
    record
}

/// Bytes that differ from each other, as payload.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

/// Key and IV of a record key, as its opaque blob has them. The policy has to allow that.
pub(super) fn exposed_keys(key: &RecordKey) -> (Vec<u8>, Vec<u8>) {
    /// Magic, protocol, suite, options, padding block and position.
    const FIXED_LEN: usize = 8 + 2 + 4 + 1 + 2 + 8;
    let blob = key.export().unwrap();
    let mut rest = &blob.expose()[FIXED_LEN..];
    let mut counted = || {
        let (len, after) = rest.split_first().unwrap();
        let (part, after) = after.split_at(usize::from(*len));
        rest = after;
        part.to_vec()
    };
    let (_name, mac_key) = (counted(), counted());
    assert!(mac_key.is_empty());
    (counted(), counted())
}

/// Every suite, content type and length class: what one side writes, apart and in place, the other
/// opens.
pub fn tls13_record_round_trips(backend: &Backend) {
    for sender in suites(backend) {
        let (mut writer, mut reader) = (sender.key(backend), sender.key(backend));
        let name = sender.name();
        assert_eq!((writer.header_len(), writer.payload_offset()), (5, 5), "{name}");
        let lengths = [0, 1, 15, 16, 17, 40, 255, 256, 1000, MAX_PAYLOAD_LEN - 1, MAX_PAYLOAD_LEN];
        for (number, len) in (0..).zip(lengths) {
            let payload = bytes(len);
            let content_type = [23, 22, 21, 24, 255][len % 5];
            let content_type = if len == 0 { 23 } else { content_type };
            let record = match number % 2 {
                0 => seal(&mut writer, number, content_type, &payload),
                _ => seal_in_place(&mut writer, number, content_type, &payload),
            };
            assert_eq!(record.len(), len + overhead(sender.suite), "{name} {len}");
            assert_eq!(record[..5], reference13::header(record.len() - 5), "{name} {len}");
            assert_eq!(reader.max_payload_len(record.len()), len, "{name} {len}");
            assert_eq!(unseal(&mut reader, number, &record), payload, "{name} {len}");
            let opened = sender.open(backend, number, &record);
            assert_eq!(opened, Ok((content_type, payload)), "{name} {len}");
        }
    }
}

/// The same records byte for byte by the reference, whose ciphers are plain arithmetic: key, IV,
/// nonce, header, content type and padding are where they belong.
pub fn tls13_record_is_that_of_the_reference(backend: &Backend) {
    for sender in suites(backend) {
        let name = sender.name();
        let keys = reference13::traffic_keys(sender.suite, &sender.traffic.secret);
        assert_eq!(exposed_keys(&sender.key(backend)), keys, "{name}");
        let numbers = [0, 1, 2, 255, 256, 65_536, 1 << 32, 1 << 63, u64::MAX - 1];
        for padding_block in [0, 1, 16, 100] {
            let mut apart = sender.padding_key(backend, padding_block);
            let mut in_place = sender.padding_key(backend, padding_block);
            for (number, len) in numbers.into_iter().zip([0, 1, 2, 14, 15, 16, 31, 99, 600]) {
                let payload = bytes(len);
                let content_type = if len == 0 { 23 } else { 22 };
                let padding = match usize::from(padding_block) {
                    0 => 0,
                    block => (len + 1).next_multiple_of(block) - len - 1,
                };
                let text = reference13::inner(content_type, &payload, padding);
                let expected = sender.forge(number, &text);
                let what = format!("{name} {number} {len} {padding_block}");
                assert_eq!(seal(&mut apart, number, content_type, &payload), expected, "{what}");
                let record = seal_in_place(&mut in_place, number, content_type, &payload);
                assert_eq!(record, expected, "{what}");
                let opened = sender.open(backend, number, &expected);
                assert_eq!(opened, Ok((content_type, payload)), "{what}");
            }
        }
    }
}

/// Padding fills whole blocks up to the longest record, never beyond it, and is never payload;
/// padding of any length opens.
pub fn tls13_record_padding_fills_blocks(backend: &Backend) {
    for sender in suites(backend) {
        let name = sender.name();
        for block in [1, 2, 3, 16, 512, 4096, 16_384, 16_385, u16::MAX] {
            let mut key = sender.padding_key(backend, block);
            let block = usize::from(block);
            let lengths = [0, 1, 510, 511, 512, 4094, 4095, 4096, 16_382, 16_383, 16_384];
            for (number, len) in (0..).zip(lengths) {
                let payload = vec![0; len];
                let record = seal(&mut key, number, 23, &payload);
                let inner = record.len() - overhead(sender.suite) + 1;
                let is_whole = inner.is_multiple_of(block);
                assert!(is_whole || inner == MAX_PAYLOAD_LEN + 1, "{name} {block} {len}: {inner}");
                assert!((len + 1..len + 1 + block).contains(&inner), "{name} {block} {len}");
                let opened = sender.open(backend, number, &record);
                assert_eq!(opened, Ok((23, payload)), "{name} {block} {len}");
            }
        }
        for padding in (0..64).chain([255, 256, 257, 16_000, 16_380]) {
            for payload in [&b""[..], b"\0", b"a\0", b"\0\0\0\x17"] {
                let text = reference13::inner(23, payload, padding);
                let opened = sender.open(backend, 0, &sender.forge(0, &text));
                assert_eq!(opened, Ok((23, payload.to_vec())), "{name} {padding}");
            }
        }
    }
}

/// Every bit of header, ciphertext and tag flipped, any length cut off, anything added, another
/// sequence number, the record of another suite's key: each gives the one error, and nothing of the
/// plaintext.
pub fn tls13_record_tampering_has_one_answer(backend: &Backend) {
    let senders = suites(backend);
    for sender in &senders {
        let name = sender.name();
        let payload = bytes(37);
        let mut key = sender.padding_key(backend, 16);
        let record = seal(&mut key, 6, 22, &payload);
        assert_eq!(sender.open(backend, 6, &record), Ok((22, payload.clone())), "{name}");
        let refused = |what: &str, at: usize, record: &[u8]| {
            let opened = sender.open(backend, 6, record);
            assert_eq!(opened, Err(Error::BadRecord), "{name}: {what} {at}");
        };
        for bit in 0..8 * record.len() {
            refused("flipped bit", bit, &flipped(&record, bit));
        }
        for len in 0..record.len() {
            refused("cut to", len, &record[..len]);
            if let Some(fragment_len) = len.checked_sub(5) {
                let header = reference13::header(fragment_len);
                refused("cut, and named, to", len, &[&header, &record[5..len]].concat());
            }
        }
        let longer = [&record[5..], &[0]].concat();
        refused("longer", 1, &[&record[..5], &longer].concat());
        let header = reference13::header(longer.len());
        refused("longer, and named", 1, &[&header[..], &longer].concat());
        for header in [[22, 3, 3], [21, 3, 3], [20, 3, 3], [23, 3, 1], [23, 3, 4], [23, 0, 0]] {
            refused("header", header[0].into(), &[&header, &record[3..]].concat());
        }
        for number in [0, 5, 7, 6 + 256, 6 + (1 << 32), 6 + (1 << 63)] {
            let opened = sender.open(backend, number, &record);
            assert_eq!(opened, Err(Error::BadRecord), "{name}: number {number}");
        }
        for other in senders.iter().filter(|other| other.suite.id != sender.suite.id) {
            let opened = other.open(backend, 6, &record);
            assert_eq!(opened, Err(Error::BadRecord), "{name} as {}", other.name());
        }
    }
}

/// 2^14 bytes of payload, 2^14 + 1 of plaintext and 2^14 + 256 of ciphertext, and one more of each;
/// buffers that are too small, after which the record can be tried again.
pub fn tls13_record_limits_are_kept(backend: &Backend) {
    for sender in suites(backend) {
        let name = sender.name();
        let mut key = sender.key(backend);
        let too_long = Error::InvalidParameter("payload: expected at most 16384 bytes");
        let mut big = vec![0xa5; 2 * MAX_PAYLOAD_LEN];
        assert_eq!(key.record_len(MAX_PAYLOAD_LEN + 1), Err(too_long), "{name}");
        let sealed = key.encrypt_packet(0, 23, &vec![0; MAX_PAYLOAD_LEN + 1], &mut big);
        assert_eq!(sealed, Err(too_long), "{name}");
        let sealed = key.encrypt_in_place(0, 23, usize::MAX, &mut big);
        assert_eq!(sealed, Err(too_long), "{name}");
        assert!(big.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");

        let needed = key.record_len(20).unwrap();
        let mut small = vec![0xa5; needed - 1];
        let sealed = key.encrypt_packet(0, 23, &[1; 20], &mut small);
        assert_eq!(sealed, Err(Error::BufferTooSmall { needed }), "{name}");
        assert!(small.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");
        let record = seal(&mut key, 0, 23, &[1; 20]);
        let mut reader = sender.key(backend);
        let mut payload = vec![0xa5; 20];
        let opened = reader.open_packet(0, &record, &mut payload[..19]);
        assert_eq!(opened, Err(Error::BufferTooSmall { needed: 20 }), "{name}");
        assert_eq!(reader.open_packet(0, &record, &mut payload), Ok((23, 20)), "{name}: again");

        // The plaintext as long as may be: all payload, or padding.
        let longest = bytes(MAX_PAYLOAD_LEN);
        for (payload, padding) in [(&longest[..], 0), (b"", MAX_PAYLOAD_LEN), (b"ab", 16_382)] {
            let text = reference13::inner(23, payload, padding);
            assert_eq!(text.len(), MAX_PAYLOAD_LEN + 1);
            let opened = sender.open(backend, 0, &sender.forge(0, &text));
            assert_eq!(opened, Ok((23, payload.to_vec())), "{name} {padding}");
        }
        let too_long = bytes(MAX_PAYLOAD_LEN + 1);
        let tag_len = reference13::cipher(sender.suite).tag_len();
        // Up to the longest ciphertext, what is authentic overflows; beyond it, nobody looks.
        let most_padding = MAX_PAYLOAD_LEN + 256 - tag_len - 1;
        let overflows = [
            reference13::inner(23, &longest, 1),
            reference13::inner(23, &too_long, 0),
            reference13::inner(23, b"", MAX_PAYLOAD_LEN + 1),
            reference13::inner(23, b"a", most_padding - 1),
            reference13::inner(23, b"a", most_padding),
        ];
        for text in overflows {
            let opened = sender.open(backend, 0, &sender.forge(0, &text));
            assert_eq!(opened, Err(Error::RecordOverflow), "{name} {}", text.len());
        }
        for (fragment_len, expected) in [
            (MAX_PAYLOAD_LEN + 256, Error::BadRecord),
            (MAX_PAYLOAD_LEN + 257, Error::RecordOverflow),
            (MAX_PAYLOAD_LEN + 2048, Error::RecordOverflow),
            (65_535, Error::RecordOverflow),
            (tag_len - 1, Error::BadRecord),
            (tag_len, Error::BadRecord),
            (0, Error::BadRecord),
        ] {
            let header = reference13::header(fragment_len);
            let record = [&header[..], &vec![0x5a; fragment_len]].concat();
            let opened = sender.open(backend, 0, &record);
            assert_eq!(opened, Err(expected), "{name} {fragment_len}");
        }
    }
}

/// Nothing but zeros, ChangeCipherSpec, and alerts and handshake messages of no bytes are neither
/// written nor opened; empty application data are.
pub fn tls13_record_refuses_what_none_may_hold(backend: &Backend) {
    for sender in suites(backend) {
        let name = sender.name();
        for len in [0, 1, 2, 16, 100, MAX_PAYLOAD_LEN + 1] {
            let opened = sender.open(backend, 0, &sender.forge(0, &vec![0; len]));
            assert_eq!(opened, Err(Error::UnexpectedRecord), "{name}: {len} zeros");
        }
        for padding in [0, 1, 40] {
            for (content_type, payload) in [(20, &[1][..]), (20, &[]), (21, &[]), (22, &[])] {
                let text = reference13::inner(content_type, payload, padding);
                let opened = sender.open(backend, 0, &sender.forge(0, &text));
                assert_eq!(opened, Err(Error::UnexpectedRecord), "{name}: type {content_type}");
            }
            for content_type in [23, 24, 1, 255] {
                let text = reference13::inner(content_type, b"", padding);
                let opened = sender.open(backend, 0, &sender.forge(0, &text));
                assert_eq!(opened, Ok((content_type, Vec::new())), "{name}: type {content_type}");
            }
        }
        let mut key = sender.key(backend);
        for (content_type, payload) in
            [(0, &b"a"[..]), (0, b""), (20, &[1]), (20, b""), (21, b""), (22, b"")]
        {
            let mut record = vec![0xa5; 100];
            let apart = key.encrypt_packet(0, content_type, payload, &mut record).unwrap_err();
            let in_place =
                key.encrypt_in_place(0, content_type, payload.len(), &mut record).unwrap_err();
            assert!(matches!(apart, Error::InvalidParameter(_)), "{name} {content_type}: {apart}");
            assert_eq!(apart, in_place, "{name} {content_type}");
            assert!(record.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");
        }
        // The number was not used up.
        let record = seal(&mut key, 0, 23, b"");
        assert_eq!(sender.open(backend, 0, &record), Ok((23, Vec::new())), "{name}");
    }
}

/// No key writes twice under one number, or under the last; a key that reads does not write.
pub fn tls13_record_sequence_numbers_only_grow(backend: &Backend) {
    for sender in suites(backend) {
        let name = sender.name();
        let mut key = sender.padding_key(backend, 16);
        let mut record = vec![0xa5; 100];
        for (number, is_allowed) in [
            (5, true),
            (5, false),
            (4, false),
            (0, false),
            (6, true),
            (100, true),
            (7, false),
            (1 << 63, true),
            (u64::MAX, false),
            (u64::MAX - 1, true),
            (u64::MAX - 1, false),
            (u64::MAX, false),
        ] {
            record.fill(0xa5);
            let sealed = key.encrypt_packet(number, 23, b"payload", &mut record);
            if is_allowed {
                assert!(sealed.is_ok(), "{name} {number}: {sealed:?}");
            } else {
                let error = sealed.unwrap_err();
                assert!(matches!(error, Error::InvalidParameter(_)), "{name} {number}: {error}");
                assert!(record.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");
            }
        }

        let good = seal(&mut sender.key(backend), 0, 23, b"payload");
        let refuses = |mut key: RecordKey, how: &str| {
            let mut record = vec![0xa5; 100];
            let error = key.encrypt_packet(1, 23, b"payload", &mut record).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{name} {how}: {error}");
            assert!(record.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");
            // It still reads, in any order.
            for _ in 0..2 {
                assert_eq!(unseal(&mut key, 0, &good), b"payload", "{name} {how}");
            }
        };
        refuses(sender.key(backend).for_reading(), "marked");
        let mut key = sender.key(backend);
        unseal(&mut key, 0, &good);
        refuses(key, "after it read");
        let mut key = sender.key(backend);
        assert_eq!(key.open_in_place(0, &mut flipped(&good, 99)), Err(Error::BadRecord));
        refuses(key, "after it failed to read");
    }
}

/// TLS 1.3 has no encrypt-then-MAC, and earlier versions no padding.
pub fn tls13_record_options_are_of_its_version(backend: &Backend) {
    for sender in suites(backend) {
        let options = RecordOptions { encrypt_then_mac: true, ..PLAIN };
        let error = sender.traffic.record_key(&open(backend), options).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{}: {error}", sender.name());
    }
    let directions = [
        CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256,
    ];
    for suite in directions {
        let version = ProtocolVersion::TLS1_2;
        let mut direction = crate::direction::Direction::of(version, suite, false);
        if direction.key(backend).is_err() {
            continue;
        }
        direction.options.padding_block = 1;
        let error = direction.key(backend).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{suite}: {error}");
    }
}

/// A key goes on in its copy, in another process perhaps: sequence numbers, padding and direction
/// included; what is altered, of another backend or another suite is refused.
pub fn tls13_record_key_blob_goes_on_where_the_key_was(backend: &Backend) {
    let provider = open(backend);
    for sender in suites(backend) {
        let name = sender.name();
        for padding_block in [0, 64] {
            let mut writer = sender.padding_key(backend, padding_block);
            let mut reader = sender.key(backend);
            for number in 0..3 {
                let record = seal(&mut writer, number, 23, b"before");
                assert_eq!(unseal(&mut reader, number, &record), b"before", "{name}");
            }
            let import = |key: &RecordKey| {
                provider.import_record_key(key.export().unwrap().expose()).unwrap()
            };
            let mut copy = import(&import(&writer));
            for number in 0..3 {
                let error = copy.encrypt_packet(number, 23, b"again", &mut [0; 200]).unwrap_err();
                assert!(matches!(error, Error::InvalidParameter(_)), "{name} {number}: {error}");
            }
            let mut reader_copy = import(&reader);
            for number in 3..6 {
                let record = seal(&mut copy, number, 22, b"after");
                assert_eq!(record, seal(&mut writer, number, 22, b"after"), "{name} {number}");
                assert_eq!(unseal(&mut reader, number, &record), b"after", "{name}");
                assert_eq!(unseal(&mut reader_copy, number, &record), b"after", "{name}");
            }
            let error = reader_copy.encrypt_packet(9, 23, b"no", &mut [0; 200]).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{name}: reads: {error}");
        }

        let blob = sender.key(backend).export().unwrap();
        for bit in 0..8 * blob.expose().len() {
            let error = provider.import_record_key(&flipped(blob.expose(), bit)).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{name} {bit}: {error}");
        }
        let other = open(&Fake::new().share());
        let error = other.import_record_key(blob.expose()).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{name}: {error}");

        let resealed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut content = blob.expose()[..blob.expose().len() - 32].to_vec();
            change(&mut content);
            let hash = ssl_provider_core::HashAlgorithm::Sha256;
            let checksum = crate::reference::hash(hash, &[&content]);
            provider.import_record_key(&[content, checksum].concat())
        };
        assert!(resealed(&|_| ()).is_ok(), "{name}");
        // Encrypt-then-MAC, which no suite of TLS 1.3 has.
        let error = resealed(&|content| content[14] |= 1).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{name}: {error}");
        // A suite of TLS 1.2, and a version that is none.
        let error = resealed(&|content| content[12..14].copy_from_slice(&[0, 0x9c])).unwrap_err();
        assert_eq!(error, Error::UnsupportedSuite { given: 0x9c }, "{name}");
        let error = resealed(&|content| content[9] = 5).unwrap_err();
        assert_eq!(error, Error::UnsupportedProtocol { given: 0x0305 }, "{name}");
        let error = resealed(&|content| content[9] = 3).unwrap_err();
        assert_eq!(error, Error::UnsupportedSuite { given: sender.suite.id.0 }, "{name}");

        let denied = Policy { key_export: KeyExportPolicy::Denied, ..POLICY };
        let strict = Provider::open(backend).with_policy(denied);
        let key = sender.traffic.record_key(&strict, PLAIN).unwrap();
        assert!(matches!(key.export(), Err(Error::NotAllowed(_))), "{name}");
        let copy = strict.import_record_key(blob.expose()).unwrap();
        assert!(matches!(copy.export(), Err(Error::NotAllowed(_))), "{name}");
    }
}

/// Neither padding nor encrypt-then-MAC.
const PLAIN: RecordOptions = RecordOptions { encrypt_then_mac: false, padding_block: 0 };
