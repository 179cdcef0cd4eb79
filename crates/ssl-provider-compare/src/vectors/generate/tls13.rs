//! `tls13_key_schedule.json` and `tls13_records.json`: every secret of a handshake of TLS 1.3, and
//! records that open or must fail.

use ssl_provider::{CipherSuite, CipherSuiteInfo, MAX_PAYLOAD_LEN, ProtocolVersion};
use ssl_provider_testkit::bytes::{Rng, flipped};
use ssl_provider_testkit::corpus::{
    Class, Exporter, File, Hex, SequenceNumber, Tls13KeyScheduleGroup, Tls13KeyScheduleTest,
    Tls13Messages, Tls13Psk, Tls13RecordGroup, Tls13RecordTest, Verdict,
};
use ssl_provider_testkit::question::Hex16;
use ssl_provider_testkit::question::tls13::{self, PskOrigin, Secrets, application_secret};
use ssl_provider_testkit::reference13 as reference;

use super::{Numbers, file as file_of, suite_number, suites, wire};

const SCHEDULE_HEADER: &[&str] = &[
    "The key schedule of TLS 1.3 (RFC 8446 section 7.1), each test a whole handshake.",
    "messages are hashed as they are; HelloRetryRequest follows a message_hash (section 4.4.1).",
    "Traffic secrets after the first of a list follow from it by KeyUpdate.",
    "The label of an exporter is text. context null is the same as an empty one.",
];

const RECORD_HEADER: &[&str] = &[
    "Records of TLS 1.3 (RFC 8446 section 5.2) as their reader gets them.",
    "contentType and plaintext are what is encrypted, without the padding.",
    "Invalid records of one class must fail alike: same alert, same time.",
];

const VERSION: ProtocolVersion = ProtocolVersion::TLS1_3;

/// Where the secrets of a handshake come from: the length of the pre-shared key and its origin, and
/// the length of the (EC)DHE secret.
type Source = (Option<(usize, PskOrigin)>, Option<usize>);

/// `tls13_key_schedule.json`.
pub(super) fn key_schedule() -> File<Tls13KeyScheduleGroup> {
    use PskOrigin::{External, Resumption};
    const HASHES: [CipherSuite; 2] =
        [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384];
    let mut rng = Rng::new(0x8446_0001);
    let mut numbers = Numbers::default();
    let groups = suites(VERSION, |_| true).into_iter().map(|suite| {
        let len = reference::hash_of(suite).output_len();
        // The other suites derive as these two do.
        let sources: &[Source] = if HASHES.contains(&suite.id) {
            &[
                (None, Some(32)),
                (None, Some(66)),
                (None, Some(256)),
                (Some((len, External)), Some(32)),
                (Some((1, External)), Some(48)),
                (Some((200, External)), None),
                (Some((len, Resumption)), Some(64)),
                (Some((len, Resumption)), None),
            ]
        } else {
            &[(None, Some(32)), (Some((len, Resumption)), Some(32))]
        };
        let mut tests = Vec::new();
        for (number, source) in sources.iter().enumerate() {
            for is_retried in [false, true] {
                let mut test = Handshake { rng: &mut rng, suite, is_retried }.test(*source, number);
                test.tc_id = numbers.next();
                tests.push(test);
            }
        }
        Tls13KeyScheduleGroup {
            kind: "Tls13KeySchedule".to_owned(),
            protocol: VERSION.to_string(),
            version: wire(VERSION),
            suite: suite.name.to_owned(),
            suite_number: suite_number(suite),
            hash: reference::hash_of(suite).name().replace('-', ""),
            tests,
        }
    });
    let groups = groups.collect();
    file_of("tls13_key_schedule", "TLS 1.3 key schedule", SCHEDULE_HEADER, groups)
}

/// Makes a test of the key schedule.
struct Handshake<'r> {
    rng: &'r mut Rng,
    suite: &'static CipherSuiteInfo,
    is_retried: bool,
}

impl Handshake<'_> {
    /// A message of any contents.
    fn message(&mut self, kind: u8, len: usize) -> Vec<u8> {
        message(kind, &self.rng.bytes(len))
    }

    fn test(mut self, (psk, shared): Source, number: usize) -> Tls13KeyScheduleTest {
        let hash = reference::hash_of(self.suite);
        let psk = psk.map(|(len, origin)| tls13::Psk {
            key: self.rng.bytes(len).into(),
            origin,
            binders_len: 3 + hash.output_len(),
        });
        let shared = shared.map(|len| {
            let mut secret = self.rng.bytes(len);
            if number == 0 {
                secret[0] = 0;
            }
            secret
        });
        let key = psk.as_ref().map(|psk| &psk.key[..]);
        let schedule = reference::Schedule::new(hash, key, shared.as_deref());
        let messages = self.messages(&schedule, psk.as_ref(), number);
        let flags = [
            (true, "Normal"),
            (psk.is_some(), "Tls13PreSharedKey"),
            (shared.is_none(), "PskOnly"),
            (self.is_retried, "HelloRetryRequest"),
            (key_updates(number) > 0, "KeyUpdate"),
            (shared.as_ref().is_some_and(|secret| secret[0] == 0), "Tls13LeadingZeroSecret"),
        ];
        let flags = flags.into_iter().filter(|(holds, _)| *holds);
        let what = match (psk.as_ref().map(|psk| psk.origin), &shared) {
            (None, _) => "(EC)DHE",
            (Some(PskOrigin::External), Some(_)) => "external PSK with (EC)DHE",
            (Some(PskOrigin::External), None) => "external PSK alone",
            (Some(PskOrigin::Resumption), Some(_)) => "resumption with (EC)DHE",
            (Some(PskOrigin::Resumption), None) => "resumption alone",
        };
        let retry = if self.is_retried { ", HelloRetryRequest" } else { "" };
        let secrets = self.secrets(psk, shared, &messages, number);
        Tls13KeyScheduleTest {
            comment: format!("{} {what}{retry}", self.suite.name),
            flags: flags.map(|(_, flag)| flag.to_owned()).collect(),
            ..answered(self.suite, &secrets, messages)
        }
    }

    /// The messages, with a binder where there is a pre-shared key, and both Finished.
    fn messages(
        &mut self,
        schedule: &reference::Schedule,
        psk: Option<&tls13::Psk>,
        number: usize,
    ) -> Tls13Messages {
        let hash = schedule.hash;
        let retried = self.is_retried.then(|| (self.message(1, 90), self.message(2, 84)));
        let first = retried.as_ref().map(|(client_hello, _)| &client_hello[..]);
        let request = retried.as_ref().map(|(_, request)| &request[..]).unwrap_or_default();

        // The binder ends a hello whose length counts it.
        let binders_len = psk.map_or(0, |psk| psk.binders_len);
        let mut client_hello = self.message(1, 120 + binders_len);
        client_hello.truncate(client_hello.len() - binders_len);
        if let Some(psk) = psk {
            let truncated = [request, &client_hello];
            let context = reference::transcript_hash(hash, first, &truncated);
            let key = schedule.binder_key(psk.origin == PskOrigin::External);
            let binder = reference::finished(hash, &key, &context);
            let len = u8::try_from(binder.len()).expect("a hash");
            client_hello.extend([0, 1 + len, len]);
            client_hello.extend(binder);
        }
        let server_hello = self.message(2, 118);
        let server_flight = [self.message(8, 6), self.message(11, 40), self.message(15, 70)];
        let server_flight = server_flight[..if psk.is_some() { 1 } else { 3 }].concat();
        let client_flight = match number % 3 {
            1 => [self.message(11, 30), self.message(15, 60)].concat(),
            _ => Vec::new(),
        };
        let finished = |label: &[u8], messages: &[&[u8]]| {
            let hello = [request, &client_hello, &server_hello];
            let context = reference::transcript_hash(hash, first, &hello);
            let secret = reference::derive(hash, &schedule.handshake, label, &context);
            let context = reference::transcript_hash(hash, first, messages);
            message(20, &reference::finished(hash, &secret, &context))
        };
        let mut messages = vec![request, &client_hello, &server_hello, &server_flight];
        let server_finished = finished(b"s hs traffic", &messages);
        messages.extend([&server_finished[..], &client_flight]);
        let client_finished = finished(b"c hs traffic", &messages);
        Tls13Messages {
            retried_client_hello: first.map(Hex::from),
            hello_retry_request: first.map(|_| Hex::from(request)),
            client_hello: Hex(client_hello),
            server_hello: Hex(server_hello),
            server_flight: Hex(server_flight),
            server_finished: Hex(server_finished),
            client_flight: Hex(client_flight),
            client_finished: Hex(client_finished),
        }
    }

    /// What the secrets of the test are derived from.
    fn secrets(
        &mut self,
        psk: Option<tls13::Psk>,
        shared: Option<Vec<u8>>,
        messages: &Tls13Messages,
        number: usize,
    ) -> Secrets {
        let context_len = [None, Some(0), Some(1), Some(40), Some(300)][number % 5];
        let bytes = |message: &Hex| message.to_vec().into();
        let request = messages.hello_retry_request.as_deref().unwrap_or_default();
        Secrets {
            suite: Hex16::of_suite(self.suite),
            psk,
            shared_secret: shared.map(Into::into),
            retried_client_hello: messages.retried_client_hello.as_ref().map(bytes),
            client_hello: [request, &messages.client_hello[..]].concat().into(),
            server_hello: bytes(&messages.server_hello),
            server_flight: bytes(&messages.server_flight),
            server_finished: bytes(&messages.server_finished),
            client_flight: bytes(&messages.client_flight),
            client_finished: bytes(&messages.client_finished),
            exporter: tls13::Exporter {
                label: "EXPORTER-ssl-provider-vectors".to_owned(),
                context: context_len.map(|len| self.rng.bytes(len).into()),
                len: [32, 20, 49, 97, 200][number % 5],
            },
            ticket_nonce: {
                let len = [0, 1, 8, 255][number % 4];
                self.rng.bytes(len).into()
            },
            key_updates: key_updates(number),
            only: None,
        }
    }
}

/// How many KeyUpdates the test of this number has.
fn key_updates(number: usize) -> u8 {
    u8::try_from(number % 3).expect("below 3")
}

/// Returns the test of a handshake, still without number, comment and flags.
fn answered(
    suite: &CipherSuiteInfo,
    secrets: &Secrets,
    messages: Tls13Messages,
) -> Tls13KeyScheduleTest {
    let values = secrets.by_reference().expect("a handshake with a secret");
    let value = |name: &str| {
        let found = values.iter().find(|(found, _)| found == name);
        Hex::from(&found.unwrap_or_else(|| panic!("no value {name}")).1)
    };
    let resumption = value("resumption_master_secret");
    let hash = reference::hash_of(suite);
    let psk_of_ticket = reference::resumption_psk(hash, &resumption, &secrets.ticket_nonce);
    let application = |side: &str| -> Vec<Hex> {
        (0..=secrets.key_updates).map(|it| value(&application_secret(side, it))).collect()
    };
    let origin = |psk: &tls13::Psk| match psk.origin {
        PskOrigin::External => "external",
        PskOrigin::Resumption => "resumption",
    };
    Tls13KeyScheduleTest {
        tc_id: 0,
        comment: String::new(),
        flags: Vec::new(),
        psk: secrets.psk.as_ref().map(|psk| Tls13Psk {
            key: Hex::from(&psk.key[..]),
            origin: origin(psk).to_owned(),
            binders_length: psk.binders_len,
            binder_key: value("binder_key"),
            binder: value("binder"),
            client_early_traffic_secret: value("client_early_traffic_secret"),
            early_exporter_master_secret: value("early_exporter_master_secret"),
        }),
        shared_secret: secrets.shared_secret.as_ref().map(|secret| Hex::from(&secret[..])),
        messages,
        early_secret: value("early_secret"),
        handshake_secret: value("handshake_secret"),
        client_handshake_traffic_secret: value("client_handshake_traffic_secret"),
        server_handshake_traffic_secret: value("server_handshake_traffic_secret"),
        server_verify_data: value("server_verify_data"),
        client_verify_data: value("client_verify_data"),
        master_secret: value("master_secret"),
        client_application_traffic_secrets: application("client"),
        server_application_traffic_secrets: application("server"),
        exporter_master_secret: value("exporter_master_secret"),
        exporter: Exporter {
            label: secrets.exporter.label.clone(),
            context: secrets.exporter.context.as_ref().map(|context| Hex::from(&context[..])),
            keying_material: value("exported"),
        },
        resumption_master_secret: resumption,
        ticket_nonce: Hex::from(&secrets.ticket_nonce[..]),
        resumption_psk: Hex(psk_of_ticket),
        result: Verdict::Valid,
    }
}

/// A handshake message with its header.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [.., high, low] = body.len().to_be_bytes();
    [&[kind, 0, high, low], body].concat()
}

/// `tls13_records.json`.
pub(super) fn records() -> File<Tls13RecordGroup> {
    let mut rng = Rng::new(0x8446_0002);
    let mut numbers = Numbers::default();
    let groups = suites(VERSION, |_| true).into_iter().map(|suite| {
        let secret = rng.bytes(reference::hash_of(suite).output_len());
        let mut maker =
            Records { rng: &mut rng, numbers: &mut numbers, suite, secret, tests: Vec::new() };
        maker.valid();
        maker.invalid();
        if suite.id == CipherSuite::TLS_AES_128_GCM_SHA256 {
            maker.long();
        }
        let Records { secret, tests, .. } = maker;
        let (write_key, write_iv) = reference::traffic_keys(suite, &secret);
        Tls13RecordGroup {
            kind: "Tls13Record".to_owned(),
            protocol: VERSION.to_string(),
            version: wire(VERSION),
            suite: suite.name.to_owned(),
            suite_number: suite_number(suite),
            traffic_secret: Hex(secret),
            write_key: Hex(write_key),
            write_iv: Hex(write_iv),
            tests,
        }
    });
    let groups = groups.collect();
    file_of("tls13_records", "TLS 1.3 record protection", RECORD_HEADER, groups)
}

/// Makes the tests of a group of records.
struct Records<'r> {
    rng: &'r mut Rng,
    numbers: &'r mut Numbers,
    suite: &'static CipherSuiteInfo,
    secret: Vec<u8>,
    tests: Vec<Tls13RecordTest>,
}

impl Records<'_> {
    fn seal(&self, number: u64, text: &[u8]) -> Vec<u8> {
        reference::seal(self.suite, &self.secret, number, text)
    }

    /// A record that opens.
    fn opens(&mut self, what: &str, flag: &str, number: u64, inner: (u8, &[u8], usize)) {
        let (content_type, plaintext, padding) = inner;
        let record = self.seal(number, &reference::inner(content_type, plaintext, padding));
        self.tests.push(Tls13RecordTest {
            tc_id: self.numbers.next(),
            comment: what.to_owned(),
            flags: vec![flag.to_owned()],
            sequence_number: SequenceNumber(number),
            content_type: Some(content_type),
            plaintext: Some(Hex::from(plaintext)),
            record: Hex(record),
            result: Verdict::Valid,
            class: None,
        });
    }

    /// A record that fails.
    fn fails(&mut self, what: &str, flag: &str, class: Class, number: u64, record: Vec<u8>) {
        self.tests.push(Tls13RecordTest {
            tc_id: self.numbers.next(),
            comment: what.to_owned(),
            flags: vec![flag.to_owned()],
            sequence_number: SequenceNumber(number),
            content_type: None,
            plaintext: None,
            record: Hex(record),
            result: Verdict::Invalid,
            class: Some(class),
        });
    }

    fn valid(&mut self) {
        let text = self.rng.bytes(300);
        self.opens("a handshake message", "Normal", 0, (22, &text[..50], 0));
        self.opens("an alert", "Normal", 1, (21, &[1, 0], 0));
        self.opens("application data", "Normal", 2, (23, &text, 0));
        self.opens("application data without plaintext", "EmptyPlaintext", 3, (23, &[], 0));
        self.opens("an unknown content type", "InnerType", 4, (24, &text[..8], 0));
        for number in [255, 256, 1 << 32, u64::MAX - 1] {
            let what = format!("sequence number {number}");
            self.opens(&what, "LargeSequenceNumber", number, (23, &text[..16], 0));
        }
        for padding in [1, 15, 16, 255, 300] {
            let what = format!("{padding} bytes of padding");
            self.opens(&what, "InnerPadding", 5, (22, &text[..20], padding));
        }
        self.opens("padding without plaintext", "InnerPadding", 5, (23, &[], 40));
        let zeros = [&text[..4], &[0; 28]].concat();
        self.opens("plaintext that ends with zeros", "TrailingZeros", 6, (23, &zeros, 0));
        self.opens("zeros, then padding", "TrailingZeros", 7, (23, &[0; 16], 16));
    }

    fn invalid(&mut self) {
        let alike = Class::MustLookLikeAnyOtherFailure;
        let text = self.rng.bytes(40);
        let good = self.seal(5, &reference::inner(22, &text, 3));
        let cut = |len: usize| [&reference::header(len)[..], &good[5..5 + len]].concat();
        let fragment_len = good.len() - 5;
        let header = |header: [u8; 3]| [&header, &good[3..]].concat();
        let last = 8 * good.len() - 1;
        let longer = [&reference::header(fragment_len + 1)[..], &good[5..], &[0]].concat();
        let tag_len = reference::cipher(self.suite).tag_len();
        let rows = [
            ("content type 22 in the header", "HeaderModified", 5, header([22, 3, 3])),
            ("version 0301 in the header", "HeaderModified", 5, header([23, 3, 1])),
            ("the first bit of the ciphertext", "CiphertextChanged", 5, flipped(&good, 8 * 5)),
            ("the encrypted content type", "CiphertextChanged", 5, flipped(&good, 8 * 45)),
            ("the padding", "CiphertextChanged", 5, flipped(&good, 8 * 47)),
            ("the last bit of the tag", "TagModified", 5, flipped(&good, last)),
            ("without its last byte", "Truncated", 5, cut(fragment_len - 1)),
            ("no more than a tag", "Truncated", 5, cut(tag_len)),
            ("less than a tag", "Truncated", 5, cut(tag_len - 1)),
            ("nothing", "Truncated", 5, cut(0)),
            ("a byte more", "Extended", 5, longer),
            ("the number before", "WrongSequenceNumber", 4, good.clone()),
            ("the number after", "WrongSequenceNumber", 6, good.clone()),
            ("a number 2^32 later", "WrongSequenceNumber", 5 + (1 << 32), good.clone()),
        ];
        for (what, flag, number, record) in rows {
            self.fails(what, flag, alike, number, record);
        }
        let unexpected = [
            ("no inner plaintext at all", "OnlyPadding", Vec::new()),
            ("a zero", "OnlyPadding", vec![0]),
            ("16 zeros", "OnlyPadding", vec![0; 16]),
            ("ChangeCipherSpec", "UnexpectedInner", vec![20]),
            ("ChangeCipherSpec with its byte", "UnexpectedInner", vec![1, 20]),
            ("an alert without bytes", "UnexpectedInner", vec![21]),
            ("a handshake message without bytes", "UnexpectedInner", vec![22]),
            ("the same with padding", "UnexpectedInner", vec![22, 0, 0]),
        ];
        for (what, flag, text) in unexpected {
            let record = self.seal(5, &text);
            self.fails(what, flag, Class::UnexpectedMessage, 5, record);
        }
    }

    /// What is about as long as may be, for one suite since it is long.
    fn long(&mut self) {
        let text = self.rng.bytes(MAX_PAYLOAD_LEN + 1);
        let most = &text[..MAX_PAYLOAD_LEN];
        self.opens("the longest plaintext", "LongestPlaintext", 9, (23, most, 0));
        self.opens("the longest padding", "InnerPadding", 9, (23, &text[..1], MAX_PAYLOAD_LEN - 1));
        let overflow = Class::RecordOverflow;
        for (what, inner) in [
            ("a byte of plaintext too much", reference::inner(23, &text, 0)),
            ("a byte of padding too much", reference::inner(23, most, 1)),
            ("the longest ciphertext", reference::inner(23, &text[..1], MAX_PAYLOAD_LEN + 238)),
        ] {
            let record = self.seal(9, &inner);
            self.fails(what, "RecordOverflow", overflow, 9, record);
        }
        let fragment = self.rng.bytes(MAX_PAYLOAD_LEN + 257);
        let record = [&reference::header(fragment.len())[..], &fragment].concat();
        self.fails("a ciphertext too long", "RecordOverflow", overflow, 9, record.clone());
        let fragment = &fragment[..MAX_PAYLOAD_LEN + 256];
        let record = [&reference::header(fragment.len())[..], fragment].concat();
        let alike = Class::MustLookLikeAnyOtherFailure;
        self.fails("the longest ciphertext, of noise", "OverflowNotAuthentic", alike, 9, record);
    }
}
