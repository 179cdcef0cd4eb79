//! Records: published records, round trips over every protocol and suite, and one answer to every
//! record that was tampered with.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use ssl_provider_core::{
    Backend, CipherMode, CipherSuite, CipherSuiteInfo, Error, HashAlgorithm, MAX_FRAGMENT_LEN,
    MAX_PAYLOAD_LEN, ProtocolVersion, RecordKey, RecordOptions, Support,
};

use crate::bytes::{flipped, hex};
use crate::direction::{Direction, seal, unseal};
use crate::exchange::connection;
use crate::vectors::{field, hex_field, paragraphs, value, with_folder};

/// Opens the first record of a direction both ways, which must agree, and leave nothing behind when
/// it does not open.
fn open(
    direction: &Direction,
    backend: &Backend,
    sequence_number: u64,
    record: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut key = direction.key(backend).unwrap();
    let header_len = key.header_len();
    let mut payload = vec![0xa5; MAX_PAYLOAD_LEN];
    let apart = key.decrypt_packet(sequence_number, record, &mut payload);
    let mut copy = record.to_vec();
    let mut key = direction.key(backend).unwrap();
    let in_place = key.decrypt_in_place(sequence_number, &mut copy);
    match (apart, in_place) {
        (Ok(len), Ok(range)) => {
            assert_eq!(range.start, key.payload_offset());
            assert_eq!(copy[range], payload[..len]);
            assert!(payload[len..].iter().all(|byte| *byte == 0xa5), "written behind the payload");
            payload.truncate(len);
            Ok(payload)
        }
        (Err(apart), Err(in_place)) => {
            assert_eq!(apart, in_place);
            assert!(payload.iter().all(|byte| *byte == 0xa5), "written on failure");
            let fragment = copy.get(header_len..).unwrap_or_default();
            assert!(fragment.iter().all(|byte| *byte == 0), "plaintext left behind");
            Err(apart)
        }
        (apart, in_place) => panic!("apart {apart:?}, in place {in_place:?}"),
    }
}

/// Bytes that differ from each other, as payload.
fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

/// Every protocol, suite and option that the backend has ciphers for: what one side writes, apart
/// and in place, the other opens, with headers and lengths as the RFCs give them.
pub fn record_round_trips(backend: &Backend) {
    for direction in Direction::all() {
        let Some((mut writer, mut reader)) = keys(&direction, backend) else { continue };
        let name = direction.name();
        let first = if direction.protocol.is_dtls() { 1 << 48 } else { 0 };
        let lengths = [0, 1, 15, 16, 17, 40, 255, 256, 1000, MAX_PAYLOAD_LEN];
        for (sequence_number, len) in (first..).zip(lengths) {
            let payload = payload(len);
            let content_type = if len % 2 == 0 { 23 } else { 22 };
            let expected_len = writer.record_len(len).unwrap();
            let mut record = vec![0xa5; expected_len + 3];
            let written = if len % 2 == 0 {
                writer.encrypt_packet(sequence_number, content_type, &payload, &mut record)
            } else {
                let offset = writer.payload_offset();
                record[offset..offset + len].copy_from_slice(&payload);
                writer.encrypt_in_place(sequence_number, content_type, len, &mut record)
            };
            assert_eq!(written, Ok(expected_len), "{name} {len}");
            assert_eq!(record[expected_len..], [0xa5; 3], "{name} {len}: written behind");
            record.truncate(expected_len);
            let fragment_len = expected_len - writer.header_len();
            assert!(fragment_len <= MAX_FRAGMENT_LEN, "{name} {len}");
            let header = direction.header(sequence_number, content_type, fragment_len);
            assert_eq!(record[..header.len()], header, "{name} {len}");
            let longest = reader.max_payload_len(record.len());
            assert!(longest >= len, "{name} {len}: {longest}");

            let mut opened = vec![0; longest];
            let opened_len = reader.decrypt_packet(sequence_number, &record, &mut opened).unwrap();
            assert_eq!(opened[..opened_len], payload, "{name} {len}");
        }
    }
}

/// A writer and a reader, or none where the backend has no such cipher and says so.
fn keys(direction: &Direction, backend: &Backend) -> Option<(RecordKey, RecordKey)> {
    match direction.key(backend) {
        Ok(writer) => Some((writer, direction.key(backend).unwrap())),
        Err(Error::Unsupported(operation)) => {
            assert_eq!(backend.support(operation), Support::Unsupported, "{operation}");
            None
        }
        // A cipher that no backend has.
        Err(error) => {
            let given = direction.suite.id.0;
            assert_eq!(error, Error::UnsupportedSuite { given }, "{}", direction.name());
            None
        }
    }
}

/// Whether the backend has what a fixed list of test directions needs; its table then says so too.
fn available(directions: Vec<Direction>, backend: &Backend) -> Vec<Direction> {
    directions.into_iter().filter(|direction| keys(direction, backend).is_some()).collect()
}

/// A suite of each kind, with every way to protect a record.
fn kinds() -> Vec<Direction> {
    [
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_NULL_SHA256, false),
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_NULL_MD5, false),
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_RC4_128_SHA, false),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_RC4_128_MD5, false),
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, false),
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, false),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, false),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, true),
        (ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, false),
        (ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, true),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256, false),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256, true),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256, false),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384, false),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CCM, false),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_CCM_8, false),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, false),
        (ProtocolVersion::DTLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, false),
        (ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256, true),
        (ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256, false),
    ]
    .map(|(protocol, suite, encrypt_then_mac)| Direction::of(protocol, suite, encrypt_then_mac))
    .to_vec()
}

/// One bit of any byte flipped, any length cut off, anything added, another sequence number: each
/// gives the one error, and nothing of the plaintext.
pub fn record_tampering_has_one_answer(backend: &Backend) {
    for direction in available(kinds(), backend) {
        let name = direction.name();
        // The padding, where there is one, is shorter than a block.
        let payload = payload(37);
        let mut writer = direction.key(backend).unwrap();
        let record = seal(&mut writer, 5, 23, &payload);
        assert_eq!(open(&direction, backend, 5, &record), Ok(payload), "{name}");

        let refused = |what: &str, position: usize, record: &[u8]| {
            let opened = open(&direction, backend, 5, record);
            assert_eq!(opened, Err(Error::BadRecord), "{name}: {what} {position}");
        };
        for position in 0..record.len() {
            let bit = 8 * position + position % 8;
            refused("flipped bit in byte", position, &flipped(&record, bit));
        }
        for len in 0..record.len() {
            refused("cut to", len, &record[..len]);
            // With a header that says so.
            if let Some(fragment_len) = len.checked_sub(writer.header_len()) {
                let header = direction.header(5, 23, fragment_len);
                let cut = [&header, &record[header.len()..len]].concat();
                refused("cut, and named, to", len, &cut);
            }
        }
        let longer = [&record[..], &[0]].concat();
        refused("longer by a byte", longer.len(), &longer);
        let header = direction.header(5, 23, longer.len() - writer.header_len());
        let named = [&header, &longer[header.len()..]].concat();
        refused("longer, and named", named.len(), &named);
        for sequence_number in [4, 6, 5 << 48] {
            let opened = open(&direction, backend, sequence_number, &record);
            assert_eq!(opened, Err(Error::BadRecord), "{name}: number {sequence_number}");
        }
    }
}

/// Directions with CBC and the MAC inside, of which the forged records are.
fn cbc_directions() -> Vec<Direction> {
    [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA),
        (ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256),
        (ProtocolVersion::DTLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
    ]
    .map(|(protocol, suite)| Direction::of(protocol, suite, false))
    .to_vec()
}

/// Every length of padding that a peer may choose opens, and one that is longer than the record, or
/// than SSL 3.0 allows, does not.
pub fn record_padding_of_any_length_opens(backend: &Backend) {
    for direction in available(cbc_directions(), backend) {
        let block_len = direction.suite.cipher.block_len();
        for padding in 0..=u8::MAX {
            // The payload fills the blocks: short ones, and one longer than any padding.
            for least in [0, 300] {
                let padding_len = usize::from(padding) + 1;
                let mac_len = direction.suite.mac.unwrap().output_len();
                let over = (least + mac_len + padding_len) % block_len;
                let payload = payload(least + (block_len - over) % block_len);
                let mac = direction.mac(0, 23, &payload);
                let blocks = [payload.clone(), mac, vec![padding; padding_len]].concat();
                let opened = open(&direction, backend, 0, &direction.forge(backend, &blocks));
                let allowed =
                    direction.protocol != ProtocolVersion::SSL3 || padding_len <= block_len;
                let expected = if allowed { Ok(payload) } else { Err(Error::BadRecord) };
                assert_eq!(opened, expected, "{} padding {padding}", direction.name());
            }
        }
    }
}

/// Every byte of padding and MAC made wrong, with everything else right; padding that claims more
/// than there is; and blocks of one value throughout.
pub fn record_padding_and_mac_errors_have_one_answer(backend: &Backend) {
    for direction in available(cbc_directions(), backend) {
        let name = direction.name();
        let block_len = direction.suite.cipher.block_len();
        let mac_len = direction.suite.mac.unwrap().output_len();
        let is_ssl3 = direction.protocol == ProtocolVersion::SSL3;
        for padding_len in [1, 2, block_len, 2 * block_len - 1, 100, 255, 256] {
            if is_ssl3 && padding_len > block_len {
                continue;
            }
            let over = (mac_len + padding_len) % block_len;
            let payload = payload((block_len - over) % block_len);
            let padding = vec![u8::try_from(padding_len - 1).unwrap(); padding_len];
            let mac = direction.mac(0, 23, &payload);
            let mut blocks = [payload.clone(), mac, padding].concat();
            for position in payload.len()..blocks.len() {
                blocks[position] ^= 0x81;
                let opened = open(&direction, backend, 0, &direction.forge(backend, &blocks));
                let in_padding = position >= payload.len() + mac_len;
                let ignored = is_ssl3 && in_padding && position + 1 < blocks.len();
                let expected = if ignored { Ok(payload.clone()) } else { Err(Error::BadRecord) };
                assert_eq!(opened, expected, "{name} padding {padding_len} byte {position}");
                blocks[position] ^= 0x81;
            }
        }
        for value in 0..=u8::MAX {
            for count in mac_len / block_len + 1..=5 {
                let blocks = vec![value; count * block_len];
                let opened = open(&direction, backend, 0, &direction.forge(backend, &blocks));
                assert_eq!(opened, Err(Error::BadRecord), "{name} {count} blocks of {value}");
            }
        }
    }
}

/// Payloads and fragments at and above their limits, headers of another version, and buffers that
/// are too small, after which the record can be tried again.
pub fn record_limits_are_kept(backend: &Backend) {
    for direction in available(kinds(), backend) {
        let name = direction.name();
        let mut key = direction.key(backend).unwrap();
        let too_long = Error::InvalidParameter("payload: expected at most 16384 bytes");
        assert_eq!(key.record_len(MAX_PAYLOAD_LEN + 1), Err(too_long), "{name}");
        let mut big = vec![0; MAX_FRAGMENT_LEN + 64];
        let sealed = key.encrypt_packet(0, 23, &vec![0; MAX_PAYLOAD_LEN + 1], &mut big);
        assert_eq!(sealed, Err(too_long), "{name}");
        assert_eq!(key.encrypt_in_place(0, 23, usize::MAX, &mut big), Err(too_long), "{name}");

        let needed = key.record_len(20).unwrap();
        let mut small = vec![0xa5; needed - 1];
        let sealed = key.encrypt_packet(0, 23, &[1; 20], &mut small);
        assert_eq!(sealed, Err(Error::BufferTooSmall { needed }), "{name}");
        assert!(small.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");

        let record = seal(&mut key, 0, 23, &[1; 20]);
        let mut reader = direction.key(backend).unwrap();
        let needed = reader.max_payload_len(record.len());
        let mut payload = vec![0xa5; needed];
        let opened = reader.decrypt_packet(0, &record, &mut payload[..needed - 1]);
        assert_eq!(opened, Err(Error::BufferTooSmall { needed }), "{name}");
        let opened = reader.decrypt_packet(0, &record, &mut payload);
        assert_eq!(opened, Ok(20), "{name}: the same record, again");

        for (fragment_len, expected) in [
            (MAX_FRAGMENT_LEN, Error::BadRecord),
            (MAX_FRAGMENT_LEN + 1, Error::RecordOverflow),
            (65535, Error::RecordOverflow),
        ] {
            let record = [direction.header(0, 23, fragment_len), vec![7; fragment_len]].concat();
            let opened = open(&direction, backend, 0, &record);
            assert_eq!(opened, Err(expected), "{name} {fragment_len}");
        }
        let mut record = seal(&mut direction.key(backend).unwrap(), 0, 23, b"abc");
        for version in [0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0xfefd, 0xfeff_u16] {
            record[1..3].copy_from_slice(&version.to_be_bytes());
            let is_right = version == direction.protocol.wire();
            let expected = if is_right { Ok(b"abc".to_vec()) } else { Err(Error::BadRecord) };
            assert_eq!(open(&direction, backend, 0, &record), expected, "{name} {version:04x}");
        }
    }
}

/// A payload of more than 2^14 bytes is told apart from a bad record when the record is right
/// otherwise, and only then: a wrong MAC, tag or padding is `BadRecord` at any length.
pub fn record_payloads_that_are_too_long_overflow(backend: &Backend) {
    for direction in available(kinds(), backend) {
        let name = direction.name();
        for len in [MAX_PAYLOAD_LEN, MAX_PAYLOAD_LEN + 1, MAX_PAYLOAD_LEN + 900] {
            let payload = payload(len);
            let mut record = direction.seal(backend, &payload);
            let opened = open(&direction, backend, 0, &record);
            let expected =
                if len <= MAX_PAYLOAD_LEN { Ok(payload) } else { Err(Error::RecordOverflow) };
            assert_eq!(opened, expected, "{name} {len}");
            for from_end in [1, 40, 300] {
                let at = record.len() - from_end;
                record[at] ^= 0x11;
                let opened = open(&direction, backend, 0, &record);
                assert_eq!(opened, Err(Error::BadRecord), "{name} {len} {from_end}");
                record[at] ^= 0x11;
            }
        }
    }
}

/// Keys of a wrong size, protocols and suites without such records, and encrypt-then-MAC where it
/// does not exist.
pub fn record_keys_are_checked(backend: &Backend) {
    let misuse = |protocol, suite| {
        let made = Direction::of(protocol, suite, true).key(backend);
        let expected = Error::InvalidParameter("encrypt-then-MAC: only for CBC suites of TLS");
        assert_eq!(made.map(drop), Err(expected), "{protocol} {suite}");
    };
    misuse(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
    misuse(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256);
    misuse(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_RC4_128_SHA);
    misuse(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_NULL_SHA);
    let refused = |protocol, suite, expected| {
        let made = Direction::of(protocol, suite, false).key(backend);
        assert_eq!(made.map(drop), Err(expected), "{protocol} {suite}");
    };
    for (protocol, suite) in [
        (ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256),
        (ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_RC4_128_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_SEED_CBC_SHA),
    ] {
        refused(protocol, suite, Error::UnsupportedSuite { given: suite.0 });
    }
    for (protocol, suite) in [
        (ProtocolVersion::TLS1_3, CipherSuite::TLS_AES_128_GCM_SHA256),
        (ProtocolVersion::SSL2, CipherSuite::SSL_CK_RC4_128_WITH_MD5),
    ] {
        refused(protocol, suite, Error::UnsupportedProtocol { given: protocol.wire().into() });
    }
    for direction in kinds() {
        type Part = fn(&mut Direction) -> &mut Vec<u8>;
        let parts: [Part; 3] = [|d| &mut d.mac_key, |d| &mut d.write_key, |d| &mut d.write_iv];
        for part in parts {
            let mut longer = direction.clone();
            part(&mut longer).push(0);
            let expected = Error::InvalidParameter("record key: a part has another length");
            assert_eq!(longer.key(backend).map(drop), Err(expected), "{}", direction.name());
        }
    }
}

/// The nonce of an AEAD record carries the sequence number, so no two are alike; the vector of a
/// CBC record is random, and the key stream of RC4 goes on, so two records of one plaintext differ.
pub fn record_nonces_and_vectors_never_repeat(backend: &Backend) {
    for direction in available(kinds(), backend) {
        let name = direction.name();
        let explicit_len = match direction.suite.cipher.mode {
            CipherMode::Stream if direction.suite.cipher.key_len == 0 => continue,
            CipherMode::Stream => 0,
            CipherMode::Cbc if !direction.protocol.has_explicit_iv() => continue,
            CipherMode::Cbc => direction.suite.cipher.block_len(),
            _ => 12 - direction.write_iv.len(),
        };
        let mut key = direction.key(backend).unwrap();
        let mut fragment = |sequence_number| {
            seal(&mut key, sequence_number, 23, b"plaintext").split_off(key.header_len())
        };
        if direction.suite.cipher.is_aead() {
            let mut fragments = HashSet::new();
            for sequence_number in [0, 1, 0x0102_0304_0506_0708, u64::MAX - 1] {
                let fragment = fragment(sequence_number);
                let number = &sequence_number.to_be_bytes()[..explicit_len];
                assert_eq!(&fragment[..explicit_len], number, "{name}");
                assert!(fragments.insert(fragment), "{name} {sequence_number}");
            }
        } else {
            let (first, second) = (fragment(7), fragment(7));
            if explicit_len > 0 {
                assert_ne!(first[..explicit_len], second[..explicit_len], "{name}");
            }
            assert_ne!(first[explicit_len..], second[explicit_len..], "{name}");
        }
    }
}

/// An AEAD key seals no record under a sequence number that is not above the last, nor under the
/// last of all, and writes nothing then; it decrypts in any order.
pub fn record_sequence_numbers_of_aead_keys_only_grow(backend: &Backend) {
    let aead = available(kinds(), backend).into_iter().filter(|it| it.suite.cipher.is_aead());
    for direction in aead {
        let (mut writer, mut reader) =
            (direction.key(backend).unwrap(), direction.key(backend).unwrap());
        let mut record = vec![0xa5; writer.record_len(9).unwrap()];
        let untouched = record.clone();
        for (sequence_number, taken) in [
            (7, true),
            (7, false),
            (0, false),
            (6, false),
            (9, true),
            (8, false),
            (u64::MAX, false),
        ] {
            record.copy_from_slice(&untouched);
            let sealed = writer.encrypt_packet(sequence_number, 23, b"plaintext", &mut record);
            let what = format!("{} {sequence_number}", direction.name());
            if taken {
                assert_eq!(sealed, Ok(record.len()), "{what}");
                let mut payload = [0; 9];
                for _ in 0..2 {
                    let opened = reader.decrypt_packet(sequence_number, &record, &mut payload);
                    assert_eq!(opened, Ok(9), "{what}");
                }
            } else {
                assert!(matches!(sealed, Err(Error::InvalidParameter(_))), "{what}: {sealed:?}");
                assert_eq!(record, untouched, "{what}");
            }
        }
    }
}

/// A key that has decrypted, also one that was exported then, or that is for reading, encrypts
/// nothing: it is the peer's, whose nonces and key stream would be used twice.
pub fn record_keys_that_read_do_not_write(backend: &Backend) {
    for direction in available(kinds(), backend) {
        let key = || direction.key(backend).unwrap();
        let (mut writer, mut reader) = (key(), key());
        let mut record = seal(&mut writer, 0, 23, b"plaintext");
        assert!(reader.decrypt_in_place(0, &mut record).is_ok());
        let blob = reader.export().unwrap();
        let imported = crate::exchange::open(backend).import_record_key(blob.expose()).unwrap();
        for mut reader in [reader, imported, key().for_reading()] {
            let untouched = record.clone();
            let sealed = reader.encrypt_packet(1, 23, b"plaintext", &mut record);
            assert!(matches!(sealed, Err(Error::InvalidParameter(_))), "{}", direction.name());
            assert_eq!(record, untouched, "{}", direction.name());
        }
    }
}

/// OpenSSL's records of CBC with HMAC and of RC4 with HMAC.
pub fn record_openssl_vectors(backend: &Backend) {
    with_folder(14, |vectors| {
        let mut count = 0;
        for file in ["openssl/evpciph_aes_stitched.txt", "openssl/evpciph_rc4_stitched.txt"] {
            for case in paragraphs(&vectors.text(file)) {
                let Some(aad) = value(&case, "TLSAAD").map(hex) else { continue };
                count += 1;
                let cipher = value(&case, "Cipher").unwrap();
                let suite = match cipher {
                    "AES-128-CBC-HMAC-SHA1" => CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
                    "AES-256-CBC-HMAC-SHA1" => CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA,
                    "AES-128-CBC-HMAC-SHA256" => CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256,
                    "AES-256-CBC-HMAC-SHA256" => CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256,
                    "RC4-HMAC-MD5" => CipherSuite::TLS_RSA_WITH_RC4_128_MD5,
                    other => panic!("{other}"),
                };
                openssl_vector(backend, suite, &aad, &case);
            }
        }
        count
    });
}

fn openssl_vector(backend: &Backend, suite: CipherSuite, aad: &[u8], case: &[(String, String)]) {
    let get = |name| hex(value(case, name).unwrap());
    let suite = suite.info().unwrap();
    let protocol = ProtocolVersion(u16::from_be_bytes([aad[9], aad[10]]));
    let mut mac_key = get("MACKey");
    // HMAC fills a short key up with zeros.
    mac_key.resize(suite.mac.unwrap().output_len(), 0);
    let sequence_number = u64::from_be_bytes(aad[..8].try_into().unwrap());
    let is_cbc = suite.cipher.mode == CipherMode::Cbc;
    let explicit = is_cbc && protocol.has_explicit_iv();
    let direction = Direction {
        protocol,
        suite,
        options: RecordOptions::default(),
        mac_key,
        write_key: get("Key"),
        write_iv: if is_cbc && !explicit { get("IV") } else { Vec::new() },
    };
    let fragment = get("Ciphertext");
    let header = direction.header(sequence_number, aad[8], fragment.len());
    let record = [header, fragment].concat();
    // The length says how much of the plaintext is payload: with the explicit vector before it, and
    // for RC4 in one of the two cases with the MAC behind it.
    let covered = usize::from(u16::from_be_bytes([aad[11], aad[12]]));
    let start = if explicit { 16 } else { 0 };
    let extra = if !is_cbc && covered == get("Ciphertext").len() { 16 } else { 0 };
    let payload = &get("Plaintext")[start..covered - extra];
    // The suites with SHA-256 are of TLS 1.2; these vectors have them in TLS 1.0 and 1.1.
    let connection =
        connection(backend, ProtocolVersion::TLS1_2, suite.id).for_vectors(protocol, suite.mac);
    let key = || RecordKey::new(&connection, direction.options, direction.write_keys()).unwrap();
    let opened = unseal(&mut key(), sequence_number, &record);
    assert_eq!(opened, payload, "{}", direction.name());
    if !explicit {
        let sealed = seal(&mut key(), sequence_number, aad[8], payload);
        assert_eq!(sealed, record, "{}", direction.name());
    }
}

/// Botan's records of CBC with HMAC, before and after encryption, in TLS 1.2 and DTLS 1.2.
pub fn record_botan_vectors(backend: &Backend) {
    with_folder(10, |vectors| {
        let mut count = 0;
        for case in paragraphs(&vectors.text("botan/tls_cbc_kat.vec")) {
            let Some(cipher) = value(&case, "BlockCipher") else { continue };
            count += 1;
            let get = |name| hex(value(&case, name).unwrap());
            let aad = get("AssociatedData");
            let version = u32::from(u16::from_be_bytes([aad[9], aad[10]]));
            let suite = match (cipher, value(&case, "MAC").unwrap()) {
                ("AES-128", "HMAC(SHA-256)") => CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256,
                ("TripleDES", "HMAC(SHA-1)") => CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA,
                other => panic!("{other:?}"),
            };
            let suite = suite.info().unwrap();
            // The key of the MAC, then that of the cipher, as in a key block.
            let mut mac_key = get("Key");
            let write_key = mac_key.split_off(suite.mac.unwrap().output_len());
            let direction = Direction {
                protocol: ProtocolVersion::try_from(version).unwrap(),
                suite,
                options: RecordOptions {
                    encrypt_then_mac: value(&case, "EncryptThenMAC") == Some("true"),
                    ..RecordOptions::default()
                },
                mac_key,
                write_key,
                write_iv: Vec::new(),
            };
            let sequence_number = u64::from_be_bytes(aad[..8].try_into().unwrap());
            let fragment = [get("Nonce"), get("Ciphertext")].concat();
            let header = direction.header(sequence_number, aad[8], fragment.len());
            let record = [header, fragment].concat();
            let opened = open(&direction, backend, sequence_number, &record);
            assert_eq!(opened, Ok(get("Plaintext")), "{}", direction.name());
        }
        count
    });
}

/// Botan's paddings. With encrypt-then-MAC a record may hold any decrypted bytes, so each stands at
/// the end of one, behind bytes that are no padding.
pub fn record_botan_paddings(backend: &Backend) {
    let direction =
        Direction::of(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, true);
    with_folder(22, |vectors| {
        let mut count = 0;
        for case in paragraphs(&vectors.text("botan/tls_cbc_padding.vec")) {
            let end = hex(value(&case, "Record").unwrap());
            let padding_len: usize = value(&case, "Output").unwrap().parse().unwrap();
            let mut blocks = vec![!end.last().unwrap(); end.len().next_multiple_of(16) + 16];
            let start = blocks.len() - end.len();
            blocks[start..].copy_from_slice(&end);
            let expected = match padding_len {
                0 => Err(Error::BadRecord),
                len => Ok(blocks[..blocks.len() - len].to_vec()),
            };
            let opened = open(&direction, backend, 0, &direction.forge(backend, &blocks));
            assert_eq!(opened, expected, "{end:02x?}");
            count += 1;
        }
        count
    });
}

/// Botan's MACs of the NULL cipher. Their header is no header of a record, so HMAC itself answers.
pub fn record_botan_null_vectors(backend: &Backend) {
    with_folder(5, |vectors| {
        let text = vectors.text("botan/tls_null.vec");
        let (valid, invalid) = text.split_once("[InvalidMAC]").unwrap();
        let mut count = 0;
        for (cases, is_valid) in [(valid, true), (invalid, false)] {
            for case in paragraphs(cases) {
                let get = |name| hex(value(&case, name).unwrap());
                let hash = match value(&case, "Hash").unwrap() {
                    "SHA-1" => HashAlgorithm::Sha1,
                    "SHA-256" => HashAlgorithm::Sha256,
                    "SHA-384" => HashAlgorithm::Sha384,
                    other => panic!("{other}"),
                };
                let message = get("Message");
                let input: [&[u8]; 2] = [&get("AssociatedData"), &message];
                let mut mac = vec![0; hash.output_len()];
                backend.hashing().hmac(hash, &get("Key"), &input, &mut mac).unwrap();
                assert_eq!([message, mac].concat() == get("Fragment"), is_valid, "{case:?}");
                count += 1;
            }
        }
        count
    });
}

/// The records of handshakes that Go and OpenSSL recorded, and of captures with SSL 3.0: both
/// directions, from the Finished message on.
pub fn record_recorded_connections(backend: &Backend) {
    for (folder, expected) in [("go-tls", 368), ("go-tls-no-ems", 368), ("captures", 35)] {
        with_folder(expected, |vectors| {
            let handshakes = vectors.json(&format!("{folder}/handshakes.json"));
            let mut keys = BTreeMap::new();
            let handshakes = handshakes.as_array().unwrap().iter();
            handshakes.map(|handshake| recorded(backend, handshake, &mut keys)).sum()
        });
    }
}

/// For each side the direction that it writes, and its keys to read and to write with.
type Keys = BTreeMap<String, (Direction, RecordKey, RecordKey)>;

/// Opens the records of one handshake, and seals them again where that gives the same bytes. A side
/// has the keys of the handshake before until it begins to count anew.
fn recorded(backend: &Backend, handshake: &Value, keys: &mut Keys) -> usize {
    let id = u32::from_str_radix(field(handshake, "suite_id"), 16).unwrap();
    let suite = CipherSuite(id).info().unwrap();
    let version = u32::from_str_radix(field(handshake, "version"), 16).unwrap();
    let protocol = ProtocolVersion::try_from(version).unwrap();
    let [client, server] = cut(&hex_field(handshake, "key_block"), protocol, suite);
    let records = handshake["records"].as_array().unwrap();
    for entry in records {
        let side = field(entry, "dir");
        let content_type = u8::try_from(entry["type"].as_u64().unwrap()).unwrap();
        let sequence_number = entry["seq"].as_u64().unwrap();
        if sequence_number == 0 {
            let direction = if side == "client" { &client } else { &server };
            let make = || direction.key(backend).unwrap();
            keys.insert(side.to_owned(), (direction.clone(), make(), make()));
        }
        let (direction, reader, writer) = keys.get_mut(side).unwrap();
        let (fragment, expected) = (hex_field(entry, "fragment"), hex_field(entry, "plaintext"));
        let header = direction.header(sequence_number, content_type, fragment.len());
        let record = [header, fragment].concat();
        let mut payload = vec![0; reader.max_payload_len(record.len())];
        let opened = reader.decrypt_packet(sequence_number, &record, &mut payload);
        let len = opened.unwrap_or_else(|error| panic!("{} {entry}: {error}", direction.name()));
        assert_eq!(payload[..len], expected, "{} {entry}", direction.name());
        // Vectors that are random, nonces of the peer's choice and free padding cannot be repeated.
        if protocol == ProtocolVersion::TLS1_0 || suite.cipher.mode == CipherMode::Stream {
            let sealed = seal(writer, sequence_number, content_type, &expected);
            assert_eq!(sealed, record, "{} {entry}", direction.name());
        }
    }
    records.len()
}

/// Both directions out of a key block (RFC 5246 section 6.3), the client's first.
pub(super) fn cut(
    key_block: &[u8],
    protocol: ProtocolVersion,
    suite: &'static CipherSuiteInfo,
) -> [Direction; 2] {
    let mut rest = key_block;
    let mut next = |len| {
        let (part, after) = rest.split_at(len);
        rest = after;
        part.to_vec()
    };
    let mac_len = suite.mac.map_or(0, HashAlgorithm::output_len);
    let (key_len, iv_len) = (suite.cipher.key_len, suite.cipher.fixed_iv_len(protocol));
    let mac_keys = [next(mac_len), next(mac_len)];
    let write_keys = [next(key_len), next(key_len)];
    let write_ivs = [next(iv_len), next(iv_len)];
    [0, 1].map(|side: usize| Direction {
        protocol,
        suite,
        options: RecordOptions::default(),
        mac_key: mac_keys[side].clone(),
        write_key: write_keys[side].clone(),
        write_iv: write_ivs[side].clone(),
    })
}
