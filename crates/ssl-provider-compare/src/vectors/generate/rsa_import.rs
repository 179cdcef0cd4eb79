//! `tls_rsa_import.json`: what a server makes of a ClientKeyExchange, well formed and not.

use num_bigint::BigUint;

use ssl_provider::{CipherSuiteInfo, ProtocolVersion};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::ciphertext::{KINDS, Kind, Sample};
use ssl_provider_testkit::corpus::{
    Class, File, Hex, ImplicitRejection, OWN_FALLBACK, RsaImportGroup, RsaImportTest, RsaKey,
    Verdict, Wire,
};
use ssl_provider_testkit::exchange::{Exchange, PROTOCOLS, premaster_secret, session_hash_len};
use ssl_provider_testkit::reference;
use ssl_provider_testkit::rsa_key::TestKey;

use super::{Numbers, file as file_of, suite_number, suites, wire};

const HEADER: &[&str] = &[
    "RSA key exchanges of SSL 3.0 to TLS 1.2 and DTLS, as a server computes them.",
    "encryptedPremaster has no length prefix. clientVersion is that of the ClientHello.",
    "With sessionHash the extended master secret was negotiated, else randoms are used.",
    "Invalid tests must look alike: a server goes on with a premaster secret that nobody knows.",
    "implicitRejection is what ssl-provider goes on with; other implementations have another \
     value.",
];

/// The protocol of the tests of every kind of ciphertext, for each key but the first.
const EVERY_KIND: [ProtocolVersion; 6] = [
    ProtocolVersion::TLS1_2,
    ProtocolVersion::TLS1_0,
    ProtocolVersion::TLS1_1,
    ProtocolVersion::TLS1_2,
    ProtocolVersion::DTLS1_0,
    ProtocolVersion::DTLS1_2,
];

/// The file.
pub(super) fn file() -> File<RsaImportGroup> {
    let mut maker = Maker { rng: Rng::new(0x5246_0001), numbers: Numbers::default() };
    let keys = [
        TestKey::rsa_1024(),
        TestKey::rsa_1536(),
        TestKey::rsa_2048(),
        TestKey::rsa_2048_p_lt_q(),
        TestKey::rsa_3072(),
        TestKey::rsa_4096(),
    ];
    let mut groups = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let mut tests = Vec::new();
        // The smallest key has the tests that do not depend on one.
        if index == 0 {
            for protocol in PROTOCOLS {
                // The key schedule has every suite; here every third stands for them.
                for suite in suites(protocol, |suite| suite.key_exchange.is_rsa()).iter().step_by(3)
                {
                    tests.extend(maker.well_formed(key, protocol, suite));
                }
            }
            for protocol in [ProtocolVersion::SSL3, ProtocolVersion::TLS1_2] {
                tests.extend(maker.of_every_kind(key, protocol));
            }
            tests.extend(maker.versions(key));
        } else {
            for protocol in PROTOCOLS {
                let suites = suites(protocol, |suite| suite.key_exchange.is_rsa());
                let suite = suites[index % suites.len()];
                tests.extend(maker.well_formed(key, protocol, suite));
            }
            tests.extend(maker.of_every_kind(key, EVERY_KIND[index]));
        }
        tests.extend(maker.raised(key));
        // Moduli of one length, so that the ciphertext is as long as it should be.
        match index {
            2 => tests.extend(maker.for_another_key(key, &keys[3])),
            3 => {
                tests.extend(maker.for_another_key(key, &keys[2]));
                for test in &mut tests {
                    test.flags.push("SmallerPrimeFirst".to_owned());
                }
            }
            _ => {}
        }
        groups.push(RsaImportGroup { kind: "TlsRsaImport".to_owned(), key: parts(key), tests });
    }
    file_of("tls_rsa_import", "TLS RSA key exchange", HEADER, groups)
}

fn parts(key: &TestKey) -> RsaKey {
    let parts = key.parts();
    let number = |number: &BigUint| Hex::from(number.to_bytes_be());
    RsaKey {
        bits: usize::try_from(parts.n.bits()).expect("at most 8192"),
        n: number(&parts.n),
        e: number(&parts.e),
        d: number(&parts.d),
        p: number(&parts.p),
        q: number(&parts.q),
        pkcs1: Hex::from(&key.der),
    }
}

struct Maker {
    rng: Rng,
    numbers: Numbers,
}

impl Maker {
    /// An exchange with randoms of its own, and a session hash where that is asked for and exists.
    fn exchange(
        &mut self,
        protocol: ProtocolVersion,
        suite: &'static CipherSuiteInfo,
        extended: bool,
        client_version: u16,
    ) -> Exchange {
        let hash_len = session_hash_len(protocol, suite).filter(|_| extended);
        Exchange {
            protocol,
            suite,
            client_random: self.rng.array(),
            server_random: self.rng.array(),
            session_hash: hash_len.map(|len| self.rng.bytes(len)),
            client_version: Some(client_version),
        }
    }

    /// A well-formed exchange, and the same kind with the extended master secret.
    fn well_formed(
        &mut self,
        key: &TestKey,
        protocol: ProtocolVersion,
        suite: &'static CipherSuiteInfo,
    ) -> Vec<RsaImportTest> {
        let variants: &[bool] =
            if protocol == ProtocolVersion::SSL3 { &[false] } else { &[false, true] };
        let mut tests = Vec::new();
        for extended in variants {
            let exchange = self.exchange(protocol, suite, *extended, protocol.wire());
            let sample = KINDS[0].sample(&mut self.rng, key, protocol.wire());
            tests.push(self.test(key, &exchange, &sample, "well formed", "Normal"));
        }
        tests
    }

    /// Every kind of ciphertext, with suites, offered versions and derivations that take turns.
    fn of_every_kind(&mut self, key: &TestKey, protocol: ProtocolVersion) -> Vec<RsaImportTest> {
        let suites = suites(protocol, |suite| suite.key_exchange.is_rsa());
        let highest = if protocol.is_dtls() { 0xfefd } else { 0x0303 };
        let mut tests = Vec::new();
        for (index, kind) in KINDS.iter().enumerate() {
            let suite = suites[index % suites.len()];
            let offered = if index % 3 == 0 { highest } else { protocol.wire() };
            let exchange = self.exchange(protocol, suite, index % 2 == 1, offered);
            let sample = kind.sample(&mut self.rng, key, offered);
            tests.push(self.test(key, &exchange, &sample, kind.name, flag(kind)));
        }
        tests
    }

    /// Versions that were offered, negotiated and carried.
    fn versions(&mut self, key: &TestKey) -> Vec<RsaImportTest> {
        use ProtocolVersion as V;
        let suite = ssl_provider::CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
        let suite = suite.info().expect("a suite of the table");
        let rows = [
            (V::SSL3, 0x0301, 0x0301),
            (V::SSL3, 0x0303, 0x0300),
            (V::TLS1_0, 0x0303, 0x0303),
            (V::TLS1_0, 0x0303, 0x0301),
            (V::TLS1_0, 0x0303, 0x0302),
            (V::TLS1_1, 0x0303, 0x0303),
            (V::TLS1_1, 0x0303, 0x0302),
            (V::TLS1_2, 0x0304, 0x0304),
            (V::TLS1_2, 0x0304, 0x0303),
            (V::DTLS1_0, 0xfefd, 0xfefd),
            (V::DTLS1_0, 0xfefd, 0xfeff),
            (V::DTLS1_2, 0xfefd, 0x0303),
        ];
        let mut tests = Vec::new();
        for (protocol, offered, carried) in rows {
            let exchange = self.exchange(protocol, suite, false, offered);
            let secret = premaster_secret(carried, &mut self.rng);
            let sample = Sample {
                ciphertext: key.encrypt(&key.pad(&secret, &mut self.rng)),
                premaster_secret: (offered == carried).then(|| secret.to_vec()),
            };
            let flag = match carried {
                carried if carried == offered => "OfferedVersion",
                carried if carried == protocol.wire() => "NegotiatedVersion",
                _ => "PremasterVersion",
            };
            let comment = format!("offered {offered:04x}, premaster secret with {carried:04x}");
            tests.push(self.test(key, &exchange, &sample, &comment, flag));
        }
        tests
    }

    /// A good ciphertext plus the modulus, which is the same residue and must not be reduced.
    fn raised(&mut self, key: &TestKey) -> Option<RsaImportTest> {
        let exchange = self.tls1_2();
        // Half of them or fewer fit in the length of the modulus; of some keys hardly any.
        let ciphertext = (0..1000).find_map(|_| {
            let secret = premaster_secret(0x0303, &mut self.rng);
            let good = key.encrypt(&key.pad(&secret, &mut self.rng));
            let raised = (BigUint::from_bytes_be(&good) + key.modulus()).to_bytes_be();
            (raised.len() == key.len()).then_some(raised)
        })?;
        let sample = Sample { ciphertext, premaster_secret: None };
        Some(self.test(key, &exchange, &sample, "well formed, plus the modulus", "CiphertextRange"))
    }

    fn for_another_key(&mut self, key: &TestKey, other: &TestKey) -> Option<RsaImportTest> {
        let exchange = self.tls1_2();
        let ciphertext = (0..1000).find_map(|_| {
            let secret = premaster_secret(0x0303, &mut self.rng);
            let ciphertext = other.encrypt(&other.pad(&secret, &mut self.rng));
            (BigUint::from_bytes_be(&ciphertext) < *key.modulus()).then_some(ciphertext)
        })?;
        let sample = Sample { ciphertext, premaster_secret: None };
        Some(self.test(key, &exchange, &sample, "encrypted to another key", "WrongKey"))
    }

    fn tls1_2(&mut self) -> Exchange {
        let suite = ssl_provider::CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;
        let suite = suite.info().expect("a suite of the table");
        self.exchange(ProtocolVersion::TLS1_2, suite, false, 0x0303)
    }

    fn test(
        &mut self,
        key: &TestKey,
        exchange: &Exchange,
        sample: &Sample,
        comment: &str,
        flag: &str,
    ) -> RsaImportTest {
        let Sample { ciphertext, premaster_secret } = sample;
        let mut flags = vec![flag.to_owned()];
        if exchange.session_hash.is_some() {
            flags.push("ExtendedMasterSecret".to_owned());
        }
        let is_valid = premaster_secret.is_some();
        RsaImportTest {
            tc_id: self.numbers.next(),
            comment: comment.to_owned(),
            flags,
            protocol: exchange.protocol.to_string(),
            version: wire(exchange.protocol),
            suite: exchange.suite.name.to_owned(),
            suite_number: suite_number(exchange.suite),
            client_version: Wire(exchange.expected_version()),
            client_random: Hex::from(exchange.client_random),
            server_random: Hex::from(exchange.server_random),
            session_hash: exchange.session_hash.as_ref().map(Hex::from),
            encrypted_premaster: Hex::from(ciphertext),
            premaster: premaster_secret.as_ref().map(Hex::from),
            master_secret: premaster_secret
                .as_ref()
                .map(|secret| Hex::from(exchange.master_secret(secret))),
            implicit_rejection: (!is_valid).then(|| rejection(key, exchange, ciphertext)),
            result: if is_valid { Verdict::Valid } else { Verdict::Invalid },
            class: (!is_valid).then_some(Class::MustLookLikeAnyOtherFailure),
        }
    }
}

fn rejection(key: &TestKey, exchange: &Exchange, ciphertext: &[u8]) -> ImplicitRejection {
    let randoms = [exchange.client_random, exchange.server_random].concat();
    let seed = exchange.session_hash.as_deref().unwrap_or(&randoms);
    let version = exchange.expected_version();
    let premaster = reference::fallback_premaster(&key.reject_key(), ciphertext, version, seed);
    ImplicitRejection {
        note: OWN_FALLBACK.to_owned(),
        master_secret: Hex::from(exchange.master_secret(&premaster)),
        premaster: Hex::from(premaster),
    }
}

/// The flag of a kind, by its name.
fn flag(kind: &Kind) -> &'static str {
    let name = kind.name;
    match name {
        "well formed" => "Normal",
        "well formed, eight 0x03 before the separator as SSL 2.0 clients mark" => {
            "Ssl2RollbackMark"
        }
        _ if kind.good => "UnusualPadding",
        "zero as first padding byte" | "zero as second padding byte" | "seven bytes of padding" => {
            "PaddingLength"
        }
        "eight bytes of padding"
        | "zero somewhere in the padding"
        | "zero right before the separator"
        | "padding all zeros" => "ZeroInPadding",
        "no separator in its place" | "no zero anywhere" => "NoSeparator",
        "empty message"
        | "longest message"
        | "premaster secret after its length in two bytes"
        | "premaster secret before a zero" => "MessageLength",
        "version one higher"
        | "version one lower"
        | "version with bytes swapped"
        | "version 0"
        | "version 0xffff"
        | "top bit of the major version"
        | "random message of 48 bytes" => "PremasterVersion",
        "premaster secret alone after zeros"
        | "well formed for a modulus 8 bytes shorter"
        | "well formed for a modulus one byte shorter"
        | "half zeros"
        | "the number 3" => "LeadingZeros",
        "random block after 00" | "well formed backwards" => "RandomBlock",
        "empty ciphertext"
        | "one byte"
        | "one byte short at the end"
        | "one byte short at the front"
        | "half"
        | "one zero in front"
        | "its length in two bytes in front"
        | "one byte more at the end"
        | "twice" => "CiphertextLength",
        "zero" | "one" | "two" | "n - 2" | "n - 1" | "n" | "n + 1" | "all ones" => {
            "CiphertextRange"
        }
        "one bit changed" | "random below the modulus" => "CiphertextModified",
        _ if name.starts_with("other m") => "PremasterVersion",
        _ if name.starts_with("message of ") => "MessageLength",
        _ if name.contains("first byte") || name.contains("second byte") => "BlockType",
        "a signature block: 00 01 ff … 00" => "BlockType",
        _ => panic!("{name}: a kind without a flag; add it here"),
    }
}
