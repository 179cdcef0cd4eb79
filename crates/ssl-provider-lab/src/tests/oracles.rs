//! Oracles: ciphertexts and records that are malformed in every way an attacker would try.
//! None may be distinguishable by its replies (Bleichenbacher, ROBOT, Vaudenay).

use ssl_provider::{ProtocolVersion, backends};

use super::*;

/// Blocks that a ciphertext may decrypt to, each with what is wrong with it.
fn blocks(client: &mut Client) -> Vec<(&'static str, Vec<u8>)> {
    let offered = client.offered.to_be_bytes();
    let mut premaster: [u8; 48] = client.rng.array();
    premaster[..2].copy_from_slice(&offered);
    let len = client.test_key.len();
    let mut rng = client.rng.clone();
    let good = client.test_key.pad(&premaster, &mut rng);
    let separator = len - 49;
    let change = |what: &'static str, at: usize, value: u8| {
        let mut block = good.clone();
        block[at] = value;
        (what, block)
    };
    let mut of =
        |what: &'static str, message: &[u8]| (what, client.test_key.pad(message, &mut rng));
    let mut early_zeros = good.clone();
    early_zeros[2..10].fill(0);
    vec![
        of("a premaster of 47 bytes", &premaster[..47]),
        of("a premaster of 49 bytes", &[&premaster[..], &[1]].concat()),
        of("a premaster of no bytes", &[]),
        of("a premaster of 2 bytes", &premaster[..2]),
        of("the major version", &[&[2, offered[1]], &premaster[2..]].concat()),
        of("a lower minor version", &[&[3, offered[1].wrapping_sub(1)], &premaster[2..]].concat()),
        of("a higher minor version", &[&[3, offered[1] + 1], &premaster[2..]].concat()),
        of("version zero", &[&[0, 0], &premaster[2..]].concat()),
        change("the first byte", 0, 1),
        change("block type 1", 1, 1),
        change("block type 0", 1, 0),
        change("a zero at the start of the padding", 2, 0),
        change("a zero in the first eight bytes of padding", 9, 0),
        change("a zero in the middle of the padding", separator / 2, 0),
        change("a zero at the end of the padding", separator - 1, 0),
        change("no separator", separator, 1),
        ("only zeros in the first eight bytes of padding", early_zeros),
        ("a block of zeros", vec![0; len]),
        ("a block of ones", [&[0][..], &vec![1; len - 1]].concat()),
    ]
}

/// Ciphertexts that some libraries treat specially.
fn numbers(key: &TestKey) -> Vec<(&'static str, Vec<u8>)> {
    let modulus = key.left_pad(key.modulus());
    let mut below = modulus.clone();
    *below.last_mut().unwrap() -= 1;
    let mut above = modulus.clone();
    *above.last_mut().unwrap() |= 2;
    let mut one = vec![0; key.len()];
    one[key.len() - 1] = 1;
    vec![
        ("zero", vec![0; key.len()]),
        ("one", one),
        ("the modulus less one", below),
        ("the modulus", modulus),
        ("above the modulus", above),
        ("all bits", vec![0xff; key.len()]),
    ]
}

/// Ciphertexts of another length than the modulus, up to the limit of the length field.
fn lengths(client: &mut Client) -> Vec<(&'static str, Vec<u8>)> {
    let good = client.encrypted_premaster();
    vec![
        ("no bytes", vec![]),
        ("one byte", vec![1]),
        ("48 bytes", vec![0x55; 48]),
        ("cut by its first byte", good[1..].to_vec()),
        ("cut by its last byte", good[..good.len() - 1].to_vec()),
        ("a zero in front", [&[0], &good[..]].concat()),
        ("a zero behind", [&good[..], &[0]].concat()),
        ("two bytes more", [&good[..], &[0, 0]].concat()),
        ("twice", good.repeat(2)),
        ("65535 bytes", vec![0x55; 0xffff]),
    ]
}

/// Returns the server's replies to a ciphertext: after each of ClientKeyExchange, ChangeCipherSpec,
/// and a Finished under the keys of another ciphertext, as an attacker cannot do better.
fn replies(client: &mut Client, encrypted: &[u8]) -> Vec<Vec<Sent>> {
    let message = client.key_exchange_message(encrypted);
    client.send_message(&message);
    let after_key_exchange = client.received();
    client.rng = Rng::new(0xa77ac);
    let own = client.encrypted_premaster();
    client.take_keys_of(&own);
    client.change_cipher_spec();
    let after_change = client.received();
    let finished = client.finished_message();
    client.send_message(&finished);
    vec![after_key_exchange, after_change, client.received()]
}

#[test]
fn every_ciphertext_gets_the_same_replies_at_any_length() {
    for backend in backends() {
        let settings = settings_on(&backend, |_| {});
        for version in VERSIONS {
            let suites: &[u16] = match version {
                ProtocolVersion::TLS1_2 => &[AES_128_GCM, AES_128_CBC_SHA, 0x003d],
                _ => &[AES_128_CBC_SHA, 0x000a],
            };
            for suite in suites {
                for extensions in [&[][..], &[EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC]] {
                    let open = || {
                        let mut client = Client::new(&settings, version);
                        client.open(&[*suite], extensions);
                        client
                    };
                    let mut probe = open();
                    let good = probe.encrypted_premaster();
                    let mut ciphertexts = numbers(&probe.test_key);
                    ciphertexts.push(("nothing, but of another session", good));
                    for (what, block) in blocks(&mut probe) {
                        ciphertexts.push((what, probe.test_key.encrypt(&block)));
                    }
                    ciphertexts.extend(lengths(&mut probe));
                    assert_eq!(ciphertexts.len(), 36);
                    for (what, encrypted) in ciphertexts {
                        let mut client = open();
                        let replies = replies(&mut client, &encrypted);
                        let alert = Sent { content_type: 21, payload: vec![2, 20] };
                        let name = backend.info().name;
                        assert_eq!(
                            replies,
                            [vec![], vec![], vec![alert]],
                            "{name}, {version:?}, {suite:04x}: {what}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_rollback_of_the_version_in_the_premaster_fails() {
    // An attacker changed the ClientHello: the client offered TLS 1.2, as its premaster shows.
    let mut client = Client::new(&settings(), ProtocolVersion::TLS1_0);
    client.open(&[AES_128_CBC_SHA], &[]);
    client.offered = 0x0303;
    let encrypted = client.encrypted_premaster();
    client.offered = 0x0301;
    let replies = replies(&mut client, &encrypted);
    assert_eq!(replies[2], [Sent { content_type: 21, payload: vec![2, 20] }]);
}

#[test]
fn a_record_changed_anywhere_meets_bad_record_mac() {
    let settings = settings();
    for (version, suite, extensions) in [
        (ProtocolVersion::TLS1_2, AES_128_GCM, &[][..]),
        (ProtocolVersion::TLS1_2, AES_128_CBC_SHA, &[]),
        (ProtocolVersion::TLS1_2, AES_128_CBC_SHA, &[ENCRYPT_THEN_MAC]),
        (ProtocolVersion::TLS1_1, AES_128_CBC_SHA, &[]),
        (ProtocolVersion::TLS1_0, AES_128_CBC_SHA, &[]),
        (ProtocolVersion::SSL3, AES_128_CBC_SHA, &[]),
        (ProtocolVersion::TLS1_2, 0x0005, &[]),
        (ProtocolVersion::TLS1_2, 0x0002, &[]),
    ] {
        let mut len = 6;
        let mut at = 5;
        while at < len {
            let mut client = Client::new(&settings, version);
            client.handshake(&[suite], extensions);
            let mut record = client.record(23, b"GET / HTTP/1.0");
            len = record.len();
            // SSL 3.0 padding is arbitrary except for its last byte (RFC 6101 section 5.2.3.2,
            // POODLE), which a change of the block before would alter.
            let is_free = version == ProtocolVersion::SSL3 && at >= len - 16 && at < len - 1;
            record[at] ^= 0x40;
            if !is_free {
                client.server.receive(&record);
                assert_eq!(client.refusal(), Alert::BadRecordMac, "{version:?} {suite:04x} {at}");
            }
            at += 1;
        }
    }
}

#[test]
fn a_record_cut_short_meets_bad_record_mac() {
    let settings = settings();
    for (suite, extensions) in
        [(AES_128_GCM, &[][..]), (AES_128_CBC_SHA, &[]), (AES_128_CBC_SHA, &[ENCRYPT_THEN_MAC])]
    {
        for cut in 0..=64 {
            let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
            client.handshake(&[suite], extensions);
            let record = client.record(23, &[b'x'; 80]);
            let mut record = record[..5 + cut].to_vec();
            record[3..5].copy_from_slice(&u16::try_from(cut).unwrap().to_be_bytes());
            client.server.receive(&record);
            assert_eq!(client.refusal(), Alert::BadRecordMac, "{suite:04x}, {cut} bytes");
        }
    }
}

#[test]
fn a_record_out_of_its_turn_meets_bad_record_mac() {
    let mut client = Client::new(&settings(), ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_GCM], &[]);
    let first = client.record(23, b"one");
    client.server.receive(&first);
    client.server.receive(&first);
    assert_eq!(client.refusal(), Alert::BadRecordMac);
    let mut client = Client::new(&settings(), ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_GCM], &[]);
    client.record(23, b"lost");
    let second = client.record(23, b"two");
    client.server.receive(&second);
    assert_eq!(client.refusal(), Alert::BadRecordMac);
}
