//! The keys of a conversation, as the key log of either side has them, and records under them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use ssl_provider::{CipherSuiteInfo, Provider, RecordKey, RecordOptions, Side, WriteKeys};
use ssl_provider_lab::KeyLog;
use ssl_provider_testkit::bytes::hex;
use ssl_provider_testkit::reference13;
use ssl_provider_wire::RecordHeader;

/// What records of a direction are protected with (RFC 8446 section 7.1), in the order of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Epoch {
    /// In the clear.
    Clear,
    /// client_early_traffic_secret.
    Early,
    /// A handshake traffic secret.
    Handshake,
    /// An application traffic secret after so many changes of keys.
    Application(u32),
}

/// Reads what a side logs in one run.
#[derive(Debug)]
pub struct Log {
    file: File,
    secrets: BTreeMap<String, Vec<u8>>,
}

impl Log {
    /// Makes a key log, and what reads it. The file has no name any more when this returns.
    ///
    /// # Panics
    ///
    /// Panics where the folder of temporary files cannot be written.
    pub fn new() -> (Self, KeyLog) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ssl-provider-fuzz-keys-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        let key_log = KeyLog::append_to(&path).expect("a folder for temporary files");
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("it was made");
        fs::remove_file(&path).expect("it was made");
        (Self { file, secrets: BTreeMap::new() }, key_log)
    }

    /// Forgets what was logged so far.
    ///
    /// # Panics
    ///
    /// Panics when the file cannot be cut.
    pub fn clear(&mut self) {
        self.secrets.clear();
        self.file.set_len(0).expect("a file of this process");
        self.file.rewind().expect("a file of this process");
    }

    /// Returns the secret of a side in an epoch, once it is logged.
    pub fn secret(&mut self, suite: &CipherSuiteInfo, side: Side, epoch: Epoch) -> Option<Vec<u8>> {
        let label = match (epoch, side) {
            (Epoch::Clear, _) | (Epoch::Early, Side::Server) => return None,
            (Epoch::Early, Side::Client) => "CLIENT_EARLY_TRAFFIC_SECRET",
            (Epoch::Handshake, Side::Client) => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            (Epoch::Handshake, Side::Server) => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            (Epoch::Application(_), Side::Client) => "CLIENT_TRAFFIC_SECRET_0",
            (Epoch::Application(_), Side::Server) => "SERVER_TRAFFIC_SECRET_0",
        };
        let updates = if let Epoch::Application(number) = epoch { number } else { 0 };
        let mut secret = self.labelled(label)?.to_vec();
        for _ in 0..updates {
            secret = reference13::updated(reference13::hash_of(suite), &secret);
        }
        Some(secret)
    }

    /// Returns the secret under a label of RFC 9850.
    fn labelled(&mut self, label: &str) -> Option<&[u8]> {
        if !self.secrets.contains_key(label) {
            let mut text = String::new();
            self.file.read_to_string(&mut text).expect("a file of this process");
            for line in text.lines() {
                let mut words = line.split(' ');
                let (label, _, secret) = (words.next(), words.next(), words.next());
                let (label, secret) = label.zip(secret).expect("a line of a key log");
                self.secrets.insert(label.to_owned(), hex(secret));
            }
        }
        self.secrets.get(label).map(Vec::as_slice)
    }
}

/// The records of one direction under one secret.
#[derive(Debug)]
pub struct Sealer {
    suite: &'static CipherSuiteInfo,
    secret: Vec<u8>,
    key: RecordKey,
}

impl Sealer {
    /// Makes the key of a secret.
    ///
    /// # Panics
    ///
    /// Panics for a suite that the backend lacks.
    pub fn new(provider: &Provider, suite: &'static CipherSuiteInfo, secret: Vec<u8>) -> Self {
        let parameters = provider.tls13_parameters(suite.id).expect("a suite of TLS 1.3");
        let (write_key, write_iv) = reference13::traffic_keys(suite, &secret);
        let keys = WriteKeys { mac_key: &[], write_key: &write_key, write_iv: &write_iv };
        let options = RecordOptions::default();
        let key = RecordKey::new(parameters.security_parameters(), options, keys);
        Self { suite, secret, key: key.expect("a suite of this backend") }
    }

    /// Returns a record with this content and so many zeros behind the type, also one that no
    /// honest writer makes.
    pub fn seal(&mut self, number: u64, content_type: u8, payload: &[u8], zeros: usize) -> Vec<u8> {
        if zeros == 0
            && let Ok(len) = self.key.record_len(payload.len())
        {
            let mut record = vec![0; len];
            // It refuses what is forbidden, and numbers that it has used.
            if self.key.encrypt_packet(number, content_type, payload, &mut record).is_ok() {
                return record;
            }
        }
        // A payload and padding for the longest record that a header can have.
        let room = usize::from(u16::MAX) - MAX_TAG_LEN - 1;
        let payload = &payload[..payload.len().min(room)];
        let text = reference13::inner(content_type, payload, zeros.min(room - payload.len()));
        reference13::seal(self.suite, &self.secret, number, &text)
    }
}

/// Bytes of the tag of an AEAD cipher of TLS 1.3, at most.
const MAX_TAG_LEN: usize = 16;

/// What reads the records of one side.
#[derive(Debug)]
pub struct Opener {
    side: Side,
    epoch: Epoch,
    key: Option<RecordKey>,
    number: u64,
    bytes: Vec<u8>,
}

/// A record that was read.
#[derive(Debug)]
pub struct Opened {
    /// What it was protected with.
    pub epoch: Epoch,
    /// The type of its content; 0 where it is under no secret of the key log.
    pub content_type: u8,
    /// The content.
    pub payload: Vec<u8>,
    /// The record itself.
    pub record: Vec<u8>,
}

impl Opener {
    /// Reads what this side writes, from the start of its connection.
    pub fn new(side: Side) -> Self {
        Self { side, epoch: Epoch::Clear, key: None, number: 0, bytes: Vec::new() }
    }

    /// Adds bytes that the side wrote.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The side goes on under its next application traffic secret.
    pub fn update(&mut self) {
        if let Epoch::Application(number) = self.epoch {
            (self.epoch, self.key) = (Epoch::Application(number + 1), None);
            self.number = 0;
        }
    }

    /// Returns the next record. The suites are that of early data, and that of the rest once the
    /// side knows it.
    ///
    /// # Panics
    ///
    /// Panics for bytes that are not whole records: our own sides write no others.
    pub fn next(
        &mut self,
        provider: &Provider,
        log: &mut Log,
        (of_ticket, agreed): (&'static CipherSuiteInfo, Option<&'static CipherSuiteInfo>),
    ) -> Option<Opened> {
        let header = RecordHeader::from_bytes(*self.bytes.first_chunk()?);
        let len = RecordHeader::LEN + usize::from(header.fragment_len);
        assert!(len <= self.bytes.len(), "half a record of {:?}", self.side);
        let record: Vec<u8> = self.bytes.drain(..len).collect();
        if header.content_type != 23 {
            let payload = record[RecordHeader::LEN..].to_vec();
            let content_type = header.content_type;
            return Some(Opened { epoch: Epoch::Clear, content_type, payload, record });
        }
        let later = [Epoch::Early, Epoch::Handshake, Epoch::Application(0)];
        let epochs =
            [self.epoch].into_iter().chain(later.into_iter().filter(|it| *it > self.epoch));
        for epoch in epochs.collect::<Vec<_>>() {
            let is_current = epoch == self.epoch;
            let key = if is_current { self.key.take() } else { None };
            let key = key.or_else(|| {
                let suite = if epoch == Epoch::Early { of_ticket } else { agreed? };
                let secret = log.secret(suite, self.side, epoch)?;
                Some(Sealer::new(provider, suite, secret).key)
            });
            let Some(mut key) = key else { continue };
            let number = if is_current { self.number } else { 0 };
            let mut copy = record.clone();
            if let Ok(opened) = key.open_in_place(number, &mut copy) {
                (self.epoch, self.key, self.number) = (epoch, Some(key), number + 1);
                let (content_type, payload) = (opened.content_type, copy[opened.payload].to_vec());
                return Some(Opened { epoch, content_type, payload, record });
            }
            if is_current {
                self.key = Some(key);
            }
        }
        Some(Opened { epoch: self.epoch, content_type: 0, payload: Vec::new(), record })
    }
}
