//! `tls_records.json`: records that open, and records that must fail, all in one way.

use ssl_provider::{
    CipherAlgorithm, CipherMode, CipherSuiteInfo, HashAlgorithm, MAX_FRAGMENT_LEN, MAX_PAYLOAD_LEN,
    ProtocolVersion, RecordOptions,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::corpus::{
    Class, File, Hex, RecordGroup, RecordTest, SequenceNumber, Verdict,
};
use ssl_provider_testkit::direction::Direction;
use ssl_provider_testkit::exchange::PROTOCOLS;

use super::cipher::{self, Stream};
use super::{Numbers, file as file_of, flags, suite_number, suites, wire};

const HEADER: &[&str] = &[
    "Records of SSL 3.0 to TLS 1.2 and DTLS as their reader gets them, each test with fresh keys.",
    "preceding are the records before, whose sequence numbers lead up to sequenceNumber.",
    "Invalid records of one class must fail alike: same alert, same time.",
];

/// The content type of application data, of which most tests are.
const DATA: u8 = 23;

/// The file.
pub(super) fn file() -> File<RecordGroup> {
    let mut rng = Rng::new(0x5246_0003);
    let mut numbers = Numbers::default();
    let mut groups = Vec::new();
    for protocol in PROTOCOLS {
        for suite in suites(protocol, |suite| is_wanted(protocol, suite)) {
            let may_mac_last =
                suite.cipher.mode == CipherMode::Cbc && protocol != ProtocolVersion::SSL3;
            let orders: &[bool] = if may_mac_last { &[false, true] } else { &[false] };
            for encrypt_then_mac in orders {
                let direction = direction(&mut rng, protocol, suite, *encrypt_then_mac);
                let mut maker =
                    Maker { rng: &mut rng, numbers: &mut numbers, direction, tests: Vec::new() };
                maker.all();
                groups.push(maker.group());
            }
        }
    }
    file_of("tls_records", "TLS record protection", HEADER, groups)
}

/// A suite of each way to protect records: those of RSA, and what only others have. TLS 1.1 and
/// DTLS have a few, since they protect records as TLS 1.2 does.
fn is_wanted(protocol: ProtocolVersion, suite: &CipherSuiteInfo) -> bool {
    const FEW: [&str; 7] = [
        "TLS_RSA_WITH_NULL_SHA",
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_256_CBC_SHA256",
        "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_RSA_WITH_AES_128_CCM_8",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ];
    let has_few = protocol == ProtocolVersion::TLS1_1 || protocol.is_dtls();
    if has_few && !FEW.contains(&suite.name) {
        return false;
    }
    let kind = suite.key_exchange;
    let only_elsewhere = suite.name.starts_with("TLS_ECDHE_RSA_")
        && (suite.cipher.mode == CipherMode::Poly1305 || suite.mac == Some(HashAlgorithm::Sha384));
    let is_known = match suite.cipher.algorithm {
        CipherAlgorithm::Null
        | CipherAlgorithm::Rc4
        | CipherAlgorithm::TripleDes
        | CipherAlgorithm::Aes => kind.is_rsa() && !kind.is_export(),
        _ => false,
    };
    is_known || only_elsewhere
}

fn direction(
    rng: &mut Rng,
    protocol: ProtocolVersion,
    suite: &'static CipherSuiteInfo,
    encrypt_then_mac: bool,
) -> Direction {
    Direction {
        protocol,
        suite,
        options: RecordOptions { encrypt_then_mac, ..RecordOptions::default() },
        mac_key: rng.bytes(suite.mac.map_or(0, HashAlgorithm::output_len)),
        write_key: rng.bytes(suite.cipher.key_len),
        write_iv: rng.bytes(suite.cipher.fixed_iv_len(protocol)),
    }
}

/// Makes the tests of a group.
struct Maker<'r> {
    rng: &'r mut Rng,
    numbers: &'r mut Numbers,
    direction: Direction,
    tests: Vec<RecordTest>,
}

/// What one side of a connection has written so far.
struct Writer<'d> {
    direction: &'d Direction,
    iv: Vec<u8>,
    stream: Stream,
}

impl Writer<'_> {
    /// Encrypts what stands inside a record: for CBC whole blocks, for streams with the MAC.
    /// `explicit` is the IV or the nonce that the record carries.
    fn seal(&mut self, number: u64, content_type: u8, explicit: &[u8], inside: &[u8]) -> Vec<u8> {
        let direction = self.direction;
        let suite_cipher = direction.suite.cipher;
        let key = &direction.write_key;
        let fragment = match suite_cipher.mode {
            CipherMode::Stream => {
                let mut sealed = inside.to_vec();
                self.stream.apply(&mut sealed);
                sealed
            }
            CipherMode::Cbc => {
                let iv = if explicit.is_empty() { &self.iv } else { explicit };
                let sealed = cipher::cbc(suite_cipher, key, iv, inside);
                self.iv = sealed[sealed.len() - suite_cipher.block_len()..].to_vec();
                let mut fragment = [explicit, &sealed].concat();
                if direction.options.encrypt_then_mac {
                    fragment.extend(direction.mac(number, content_type, &fragment));
                }
                fragment
            }
            _ => {
                let aad = aad(direction, number, content_type, inside.len());
                let mut nonce = [&direction.write_iv[..], explicit].concat();
                if explicit.is_empty() {
                    // RFC 7905 section 2.
                    for (to, byte) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
                        *to ^= byte;
                    }
                }
                let sealed = cipher::aead(suite_cipher, key, &nonce, &aad, inside);
                [explicit, &sealed].concat()
            }
        };
        with_header(direction, number, content_type, &fragment)
    }
}

/// What an AEAD covers besides the plaintext (RFC 5246 section 6.2.3.3).
fn aad(direction: &Direction, number: u64, content_type: u8, len: usize) -> Vec<u8> {
    let mut aad = number.to_be_bytes().to_vec();
    aad.push(content_type);
    aad.extend(direction.protocol.wire().to_be_bytes());
    aad.extend(u16::try_from(len).expect("a short text").to_be_bytes());
    aad
}

fn with_header(direction: &Direction, number: u64, content_type: u8, fragment: &[u8]) -> Vec<u8> {
    let header = direction.header(number, content_type, fragment.len());
    [&header[..], fragment].concat()
}

/// Flips a bit of a byte.
fn flip(record: &[u8], position: usize) -> Vec<u8> {
    let mut flipped = record.to_vec();
    flipped[position] ^= 0x10;
    flipped
}

/// How much padding a CBC record has, and of what.
#[derive(Clone, Copy)]
enum Padding {
    /// The least that fills the blocks.
    Least,
    /// The most that fills the blocks and is not above 256 bytes.
    Most,
    /// The least, and one block more.
    OneBlockMore,
    /// The least, of any bytes but for the last.
    AnyBytes,
}

impl Maker<'_> {
    fn all(&mut self) {
        self.valid();
        self.tampered();
        if self.direction.suite.cipher.mode == CipherMode::Cbc {
            if self.direction.options.encrypt_then_mac {
                self.mac_last();
            } else {
                self.bad_blocks();
            }
        }
        if self.is_with_long_records() {
            self.long();
        }
    }

    fn group(self) -> RecordGroup {
        let Direction { protocol, suite, options, mac_key, write_key, write_iv } = self.direction;
        RecordGroup {
            kind: "TlsRecord".to_owned(),
            protocol: protocol.to_string(),
            version: wire(protocol),
            suite: suite.name.to_owned(),
            suite_number: suite_number(suite),
            encrypt_then_mac: options.encrypt_then_mac,
            mac_key: Hex(mac_key),
            write_key: Hex(write_key),
            write_iv: Hex(write_iv),
            tests: self.tests,
        }
    }

    fn writer(&self) -> Writer<'_> {
        let direction = &self.direction;
        Writer {
            direction,
            iv: direction.write_iv.clone(),
            stream: Stream::new(direction.suite.cipher, &direction.write_key),
        }
    }

    fn is_dtls(&self) -> bool {
        self.direction.protocol.is_dtls()
    }

    fn block_len(&self) -> usize {
        self.direction.suite.cipher.block_len()
    }

    fn mac_len(&self) -> usize {
        self.direction.suite.mac.map_or(0, HashAlgorithm::output_len)
    }

    /// Bytes of IV or nonce that a record carries.
    fn explicit_len(&self) -> usize {
        match self.direction.suite.cipher.mode {
            CipherMode::Cbc if self.direction.protocol.has_explicit_iv() => self.block_len(),
            CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8 => 8,
            _ => 0,
        }
    }

    /// The IV or nonce that a record carries: a random one, or the sequence number.
    fn explicit(&mut self, number: u64) -> Vec<u8> {
        match self.direction.suite.cipher.mode {
            CipherMode::Cbc => self.rng.bytes(self.explicit_len()),
            _ if self.explicit_len() > 0 => number.to_be_bytes().to_vec(),
            _ => Vec::new(),
        }
    }

    /// What stands inside a record around a plaintext: MAC and padding, as far as there are any.
    fn inside(&mut self, number: u64, kind: u8, plaintext: &[u8], padding: Padding) -> Vec<u8> {
        let mac_is_inside = self.mac_len() > 0 && !self.direction.options.encrypt_then_mac;
        let mac = match mac_is_inside {
            true => self.direction.mac(number, kind, plaintext),
            false => Vec::new(),
        };
        let text = [plaintext, &mac].concat();
        match self.direction.suite.cipher.mode {
            CipherMode::Cbc => self.padded(text, padding),
            _ => text,
        }
    }

    fn padded(&mut self, mut text: Vec<u8>, padding: Padding) -> Vec<u8> {
        let block_len = self.block_len();
        let least = block_len - text.len() % block_len;
        let len = match padding {
            Padding::Least | Padding::AnyBytes => least,
            Padding::OneBlockMore => least + block_len,
            Padding::Most => least + (256 - least) / block_len * block_len,
        };
        let value = u8::try_from(len - 1).expect("at most 256 bytes");
        match padding {
            Padding::AnyBytes => text.extend(self.rng.bytes(len - 1)),
            _ => text.extend(vec![value; len - 1]),
        }
        text.push(value);
        text
    }

    /// A record that a fresh writer writes.
    fn record(&mut self, number: u64, kind: u8, plaintext: &[u8], padding: Padding) -> Vec<u8> {
        let inside = self.inside(number, kind, plaintext, padding);
        let explicit = self.explicit(number);
        self.writer().seal(number, kind, &explicit, &inside)
    }

    /// A record of application data around any blocks, the first of the direction.
    fn forged(&mut self, blocks: &[u8]) -> Vec<u8> {
        let explicit = self.explicit(0);
        self.writer().seal(0, DATA, &explicit, blocks)
    }

    fn push(
        &mut self,
        comment: impl Into<String>,
        flag: &str,
        sequence_number: u64,
        content_type: u8,
        record: Vec<u8>,
        answer: Result<&[u8], Class>,
    ) {
        self.tests.push(RecordTest {
            tc_id: self.numbers.next(),
            comment: comment.into(),
            flags: flags([flag]),
            preceding: Vec::new(),
            sequence_number: SequenceNumber(sequence_number),
            content_type,
            plaintext: answer.ok().map(Hex::from),
            record: Hex(record),
            result: if answer.is_ok() { Verdict::Valid } else { Verdict::Invalid },
            class: answer.err(),
        });
    }

    fn opens(&mut self, comment: impl Into<String>, flag: &str, plaintext: &[u8], record: Vec<u8>) {
        self.push(comment, flag, 0, DATA, record, Ok(plaintext));
    }

    fn fails(&mut self, comment: impl Into<String>, flag: &str, number: u64, record: Vec<u8>) {
        let class = Err(Class::MustLookLikeAnyOtherFailure);
        self.push(comment, flag, number, DATA, record, class);
    }

    fn valid(&mut self) {
        let epoch = if self.is_dtls() { 1 << 48 } else { 0 };
        let block_len = self.block_len().max(16);
        for (len, kind, number) in [
            (0, DATA, 0),
            (1, DATA, 1),
            (2, 21, 2),
            (block_len - 1, DATA, 0xff),
            (block_len, 22, 0x0001_0000),
            (block_len + 1, DATA, 0xffff_fffe),
            (40, 20, 0x7fff_ffff_ffff),
            (100, DATA, 0),
        ] {
            let (number, plaintext) = (epoch + number, self.rng.bytes(len));
            let record = self.record(number, kind, &plaintext, Padding::Least);
            let flag = if len == 0 { "EmptyPlaintext" } else { "Normal" };
            self.push(format!("{len} bytes"), flag, number, kind, record, Ok(&plaintext));
        }
        self.sequence(epoch);
        let plaintext = self.rng.bytes(37);
        match self.direction.suite.cipher.mode {
            CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8 => {
                let explicit = self.rng.bytes(8);
                let record = self.writer().seal(0, DATA, &explicit, &plaintext);
                self.opens("nonce of the sender's choice", "ExplicitNonce", &plaintext, record);
            }
            CipherMode::Cbc if self.direction.protocol == ProtocolVersion::SSL3 => {
                let record = self.record(0, DATA, &plaintext, Padding::AnyBytes);
                self.opens("padding of any bytes", "Ssl3Padding", &plaintext, record);
            }
            CipherMode::Cbc => {
                for (comment, padding) in [
                    ("a block more of padding than needed", Padding::OneBlockMore),
                    ("longest padding", Padding::Most),
                ] {
                    let record = self.record(0, DATA, &plaintext, padding);
                    self.opens(comment, "LongPadding", &plaintext, record);
                }
            }
            _ => {}
        }
    }

    /// Three records in a row, of which the last is tested.
    fn sequence(&mut self, first: u64) {
        let plaintexts = [5, 64, 23].map(|len| self.rng.bytes(len));
        let mut parts = Vec::new();
        for (number, plaintext) in (first..).zip(&plaintexts) {
            let inside = self.inside(number, DATA, plaintext, Padding::Least);
            parts.push((number, self.explicit(number), inside));
        }
        let mut writer = self.writer();
        let sealed = |(number, explicit, inside): &(u64, Vec<u8>, Vec<u8>)| {
            writer.seal(*number, DATA, explicit, inside)
        };
        let mut records: Vec<_> = parts.iter().map(sealed).collect();
        let last = records.pop().expect("three records");
        let [.., plaintext] = &plaintexts;
        self.push("third of three", "Sequence", first + 2, DATA, last, Ok(plaintext));
        if let Some(test) = self.tests.last_mut() {
            test.preceding = records.into_iter().map(Hex).collect();
        }
    }

    /// A good record with every part changed.
    fn tampered(&mut self) {
        let number = if self.is_dtls() { (1 << 48) + 5 } else { 5 };
        // The padding, where there is one, is shorter than a block.
        let plaintext = self.rng.bytes(37);
        let good = self.record(number, DATA, &plaintext, Padding::Least);
        self.push("before it is changed", "Normal", number, DATA, good.clone(), Ok(&plaintext));
        let header_len = if self.is_dtls() { 13 } else { 5 };
        let mut content_type = good.clone();
        content_type[0] = 22;
        self.fails("content type of handshake", "HeaderModified", number, content_type);
        let mut version = good.clone();
        version[2] ^= 3;
        self.fails("another version", "HeaderModified", number, version);
        if self.is_dtls() {
            let mut epoch = good.clone();
            epoch[4] ^= 2;
            self.fails("another epoch in the header", "HeaderModified", number, epoch);
            let mut behind = good.clone();
            behind[10] ^= 1;
            self.fails("another number in the header", "HeaderModified", number, behind);
        }
        let explicit_len = self.explicit_len();
        let text = header_len + explicit_len;
        let last = good.len() - 1;
        if explicit_len > 0 {
            self.fails("IV or nonce", "NonceModified", number, flip(&good, header_len));
            self.fails("end of IV or nonce", "NonceModified", number, flip(&good, text - 1));
        }
        self.fails("first byte of the text", "CiphertextChanged", number, flip(&good, text));
        self.fails("36th byte of the text", "CiphertextChanged", number, flip(&good, text + 36));
        self.fails("last byte", "TagModified", number, flip(&good, last));

        let cut = |maker: &Self, len: usize| {
            let fragment = &good[header_len..header_len + len];
            with_header(&maker.direction, number, DATA, fragment)
        };
        let fragment_len = good.len() - header_len;
        let mut lengths =
            vec![0, 1, explicit_len, self.mac_len(), fragment_len - 16, fragment_len - 1];
        lengths.sort_unstable();
        lengths.dedup();
        for len in lengths {
            let record = cut(self, len);
            self.fails(format!("{len} of {fragment_len} bytes"), "Truncated", number, record);
        }
        for (more, comment) in [(1, "a byte"), (16, "16 bytes")] {
            let fragment = [&good[header_len..], &vec![0; more]].concat();
            let record = with_header(&self.direction, number, DATA, &fragment);
            self.fails(format!("{comment} appended"), "Extended", number, record);
        }
        // A reader of DTLS takes the number from the header (RFC 6347 section 4.1.2).
        let others = if self.is_dtls() { vec![] } else { vec![number - 1, number + 1] };
        for expected in others {
            let record = good.clone();
            self.fails(
                "the reader expects another number",
                "WrongSequenceNumber",
                expected,
                record,
            );
        }
    }

    /// CBC records with the MAC inside whose blocks are wrong: each is encrypted as it should be.
    fn bad_blocks(&mut self) {
        let (block_len, mac_len) = (self.block_len(), self.mac_len());
        let is_ssl3 = self.direction.protocol == ProtocolVersion::SSL3;
        // With the MAC, and with padding of a block, it fills blocks.
        let plaintext_len = 3 * block_len + (block_len - mac_len % block_len) % block_len;
        let plaintext = self.rng.bytes(plaintext_len);
        let good = self.inside(0, DATA, &plaintext, Padding::Least);
        let mac = plaintext.len();
        let padding = mac + mac_len;
        let last = good.len() - 1;
        let changed = |position: usize, by: u8| {
            let mut blocks = good.clone();
            blocks[position] ^= by;
            blocks
        };
        let mut rows = vec![
            ("first byte of the MAC", "BadMac", changed(mac, 1)),
            ("last byte of the MAC", "BadMac", changed(padding - 1, 0x80)),
            ("byte before the MAC", "BadMac", changed(mac - 1, 4)),
            ("padding that claims a byte less", "BadMac", changed(last, 0)),
            ("padding longer than the record", "BadPadding", changed(last, 0xf0)),
            (
                "no MAC, blocks of 00",
                "BadMac",
                vec![0; 4 * block_len + mac_len / block_len * block_len],
            ),
            ("no MAC, one value throughout", "BadPadding", vec![0xff; 6 * block_len]),
        ];
        rows[3].2[last] -= 1;
        if !is_ssl3 {
            rows[3].1 = "BadPadding";
            rows.push(("first byte of the padding", "BadPadding", changed(padding, 1)));
            rows.push(("byte before the last", "BadPadding", changed(last - 1, 0x80)));
            // Padding that hides all of the MAC, and padding of 256 bytes around a wrong one.
            let mut longest = self.inside(0, DATA, &plaintext, Padding::Most);
            longest[mac] ^= 1;
            rows.push(("wrong MAC before the longest padding", "BadMac", longest));
            let mut longest = self.inside(0, DATA, &plaintext, Padding::Most);
            longest[padding] ^= 1;
            rows.push(("first byte of the longest padding", "BadPadding", longest));
        } else {
            let longer = self.inside(0, DATA, &plaintext, Padding::OneBlockMore);
            rows.push(("a block more than allowed", "Ssl3PaddingTooLong", longer));
        }
        let short = self.direction.mac(0, DATA, &plaintext[1..]);
        let mut other = good.clone();
        other[mac..padding].copy_from_slice(&short);
        rows.push(("MAC of another plaintext", "BadMac", other));
        for (comment, flag, blocks) in rows {
            let record = self.forged(&blocks);
            self.fails(comment, flag, 0, record);
        }
    }

    /// Records of encrypt-then-MAC: the outer MAC is right, and what is inside is not; or the MAC
    /// is inside.
    fn mac_last(&mut self) {
        let block_len = self.block_len();
        let plaintext = self.rng.bytes(2 * block_len);
        let good = self.inside(0, DATA, &plaintext, Padding::Least);
        let mut longer = good.clone();
        *longer.last_mut().expect("padding") = 0xff;
        let record = self.forged(&longer);
        self.fails("padding longer than the record", "BadPadding", 0, record);
        let mut first = good.clone();
        first[2 * block_len] ^= 1;
        let record = self.forged(&first);
        self.fails("first byte of the padding", "BadPadding", 0, record);

        self.direction.options.encrypt_then_mac = false;
        let record = self.record(0, DATA, &plaintext, Padding::Least);
        self.direction.options.encrypt_then_mac = true;
        self.fails("the MAC is inside", "MacThenEncrypt", 0, record);
    }

    /// Long records make the file long, so that a few suites stand for all.
    fn is_with_long_records(&self) -> bool {
        let Direction { protocol, suite, options, .. } = &self.direction;
        let suites: &[&str] = match *protocol {
            ProtocolVersion::TLS1_0 => &["TLS_RSA_WITH_RC4_128_SHA"],
            ProtocolVersion::TLS1_2 => {
                &["TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_128_GCM_SHA256"]
            }
            _ => &[],
        };
        suites.contains(&suite.name) && !options.encrypt_then_mac
    }

    fn long(&mut self) {
        let plaintext = self.rng.bytes(MAX_PAYLOAD_LEN);
        let record = self.record(0, DATA, &plaintext, Padding::Least);
        self.opens("16384 bytes", "LongestPlaintext", &plaintext, record);

        let plaintext = self.rng.bytes(MAX_PAYLOAD_LEN + 1);
        let record = self.record(0, DATA, &plaintext, Padding::Least);
        let changed = flip(&record, record.len() - 1);
        let class = Err(Class::RecordOverflow);
        self.push("16385 bytes", "RecordOverflow", 0, DATA, record, class);
        self.fails("16385 bytes, last byte changed", "OverflowNotAuthentic", 0, changed);
        if self.direction.suite.cipher.is_aead() {
            let fragment = self.rng.bytes(MAX_FRAGMENT_LEN + 1);
            let record = with_header(&self.direction, 0, DATA, &fragment);
            self.push("fragment of 18433 bytes", "RecordOverflow", 0, DATA, record, class);
        }
    }
}
