//! Records of TLS 1.2 and 1.3, by cipher and size, in both directions.

use std::hint::black_box;

use ssl_provider::{
    AeadAlgorithm, Backend, CipherSuite, HashAlgorithm, ProtocolVersion, Provider, RecordKey,
    RecordOptions, Side, WriteKeys,
};
use ssl_provider_bare::{Failed, library};

use super::{Case, Chart, Group, Scope, text};
use crate::bench::paired::{Contestant, Measure, Set};
use crate::bench::report::Row;

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "records",
    title: "Records",
    text: "A whole record from one buffer to another, compared with the library's cipher alone on \
        the same payload. ring encrypts and decrypts only in place: there, both copy first. \
        `encrypt in place` builds the record around its payload. For AES-128-CBC-SHA the library \
        does the cipher and HMAC-SHA-1, while `decrypt` checks padding and MAC in constant time \
        (Lucky Thirteen).",
    x: "bytes",
    chart: Chart::Curves,
    cases,
};

/// Sizes of the payload in bytes.
const SIZES: [usize; 3] = [64, 1024, 16384];

/// A cipher with a suite that has it; an AEAD cipher, or AES-128-CBC with SHA-1.
type Cipher = (&'static str, CipherSuite, Option<AeadAlgorithm>);

const CIPHERS: [Cipher; 5] = [
    (
        "AES-128-GCM",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Some(AeadAlgorithm::Aes128Gcm),
    ),
    (
        "AES-256-GCM",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Some(AeadAlgorithm::Aes256Gcm),
    ),
    (
        "ChaCha20-Poly1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        Some(AeadAlgorithm::ChaCha20Poly1305),
    ),
    ("AES-128-GCM, TLS 1.3", CipherSuite::TLS_AES_128_GCM_SHA256, Some(AeadAlgorithm::Aes128Gcm)),
    ("AES-128-CBC-SHA", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, None),
];

/// What is done with a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Encrypt,
    EncryptInPlace,
    Decrypt,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::EncryptInPlace => "encrypt in place",
            Self::Decrypt => "decrypt",
        }
    }
}

fn cases(scope: &Scope) -> Vec<Case> {
    let mut cases = Vec::new();
    for cipher in CIPHERS {
        for direction in [Direction::Encrypt, Direction::EncryptInPlace, Direction::Decrypt] {
            for size in SIZES {
                // Short records are built faster than they are copied, and CBC is done in place.
                let in_place = direction == Direction::EncryptInPlace;
                if in_place && (size < 16384 || cipher.2.is_none()) {
                    continue;
                }
                for backend in &scope.backends {
                    if !Provider::open(backend).supports_records(cipher.1) {
                        continue;
                    }
                    let backend = backend.clone();
                    cases.push(Case {
                        group: GROUP.name,
                        name: format!("{}, {size} bytes, {}", cipher.0, direction.name()),
                        backend: backend.info().name,
                        weight: 1,
                        prepare: Box::new(move || prepare(&backend, cipher, direction, size)),
                    });
                }
            }
        }
    }
    cases
}

const KEY: [u8; 32] = [0x4b; 32];
const MAC_KEY: [u8; 20] = [0x3a; 20];
const APPLICATION_DATA: u8 = 23;

/// Returns a key of one direction.
fn record_key(backend: &Backend, suite: CipherSuite) -> Result<RecordKey, String> {
    let provider = Provider::open(backend);
    if suite.info().is_some_and(|info| info.allows(ProtocolVersion::TLS1_3)) {
        return of_tls13(&provider, suite).map_err(text);
    }
    let connection = provider.security_parameters(ProtocolVersion::TLS1_2, suite).map_err(text)?;
    let suite = connection.suite();
    let keys = WriteKeys {
        mac_key: &MAC_KEY[..suite.mac.map_or(0, HashAlgorithm::output_len)],
        write_key: &KEY[..suite.cipher.key_len],
        write_iv: &[0x5c; 16][..suite.cipher.fixed_iv_len(ProtocolVersion::TLS1_2)],
    };
    RecordKey::new(&connection, RecordOptions::default(), keys).map_err(text)
}

/// Returns the key of the server's side of a handshake without messages, which is as good as any.
fn of_tls13(provider: &Provider, suite: CipherSuite) -> Result<RecordKey, ssl_provider::Error> {
    let connection = provider.tls13_parameters(suite)?;
    let psk = provider.pre_shared_key(connection.hash(), &KEY)?;
    let secret = connection.early_secret(Some(&psk))?.handshake_secret_of_psk()?;
    let traffic = secret.traffic_secret(Side::Server, &connection.transcript()?)?;
    traffic.record_key(RecordOptions::default())
}

fn prepare(
    backend: &Backend,
    cipher: Cipher,
    direction: Direction,
    size: usize,
) -> Result<Box<dyn Measure>, String> {
    let ours = match direction {
        Direction::Encrypt => encrypt(record_key(backend, cipher.1)?, size)?,
        Direction::EncryptInPlace => encrypt_in_place(record_key(backend, cipher.1)?, size)?,
        Direction::Decrypt => {
            decrypt(record_key(backend, cipher.1)?, record_key(backend, cipher.1)?, size)?
        }
    };
    let name = backend.info().name;
    let theirs = match cipher.2 {
        Some(algorithm) => aead(name, algorithm, direction, size),
        None => cbc(name, direction, size),
    };
    let template = Row {
        group: GROUP.name.into(),
        case: cipher.0.into(),
        backend: name.into(),
        x: u64::try_from(size).ok(),
        bytes: u64::try_from(size).ok(),
        ..Row::default()
    };
    let contestants = [Some(ours), theirs].into_iter().flatten().collect();
    Ok(Box::new(Set::new(template, direction.name(), contestants)))
}

fn encrypt(mut key: RecordKey, size: usize) -> Result<Contestant<'static>, String> {
    let payload = vec![0x6d; size];
    let mut record = vec![0; key.record_len(size).map_err(text)?];
    let mut numbers = 0..u64::MAX;
    Ok(Contestant::new("record", move |_| {
        let number = numbers.next().unwrap_or_default();
        key.encrypt_packet(number, APPLICATION_DATA, black_box(&payload), &mut record)?;
        black_box(&record);
        Ok::<_, ssl_provider::Error>(())
    }))
}

fn encrypt_in_place(mut key: RecordKey, size: usize) -> Result<Contestant<'static>, String> {
    let mut record = vec![0x6d; key.record_len(size).map_err(text)?];
    let mut numbers = 0..u64::MAX;
    Ok(Contestant::new("record", move |_| {
        let number = numbers.next().unwrap_or_default();
        key.encrypt_in_place(number, APPLICATION_DATA, size, &mut record)?;
        black_box(&record);
        Ok::<_, ssl_provider::Error>(())
    }))
}

fn decrypt(
    mut writer: RecordKey,
    mut key: RecordKey,
    size: usize,
) -> Result<Contestant<'static>, String> {
    let payload = vec![0x6d; size];
    let mut record = vec![0; writer.record_len(size).map_err(text)?];
    let len = writer.encrypt_packet(0, APPLICATION_DATA, &payload, &mut record).map_err(text)?;
    record.truncate(len);
    let mut opened = vec![0; key.max_payload_len(len)];
    Ok(Contestant::new("record", move |_| {
        key.decrypt_packet(0, black_box(&record), &mut opened)?;
        black_box(&opened);
        Ok::<_, ssl_provider::Error>(())
    }))
}

/// The AEAD cipher of the library alone.
fn aead(
    backend: &str,
    algorithm: AeadAlgorithm,
    direction: Direction,
    size: usize,
) -> Option<Contestant<'static>> {
    const AAD: [u8; 13] = [0x17; 13];
    let mut cipher = library(backend)?.aead(algorithm, &KEY[..algorithm.key_len()])?;
    let (mut text, mut other, mut tag) = (vec![0x6d; size], vec![0; size], [0; 16]);
    let mut numbers = 0..u64::MAX;
    let mut next = move || {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&numbers.next().unwrap_or_default().to_be_bytes());
        nonce
    };
    Some(match direction {
        Direction::Encrypt => Contestant::new("library", move |_| {
            cipher.seal_apart(&next(), &AAD, black_box(&text), &mut other, &mut tag)?;
            black_box((&other, &tag));
            Ok::<_, Failed>(())
        }),
        Direction::EncryptInPlace => Contestant::new("library", move |_| {
            cipher.seal(&next(), &AAD, &mut text, &mut tag)?;
            black_box((&text, &tag));
            Ok::<_, Failed>(())
        }),
        Direction::Decrypt => {
            let nonce = next();
            cipher.seal_apart(&nonce, &AAD, &text, &mut other, &mut tag).ok()?;
            Contestant::new("library", move |_| {
                cipher.open_apart(&nonce, &AAD, black_box(&other), &mut text, &tag)?;
                black_box(&text);
                Ok::<_, Failed>(())
            })
        }
    })
}

/// CBC and HMAC of the library alone, over as many bytes as the record has.
fn cbc(backend: &str, direction: Direction, size: usize) -> Option<Contestant<'static>> {
    /// MAC, padding and its length, in whole blocks.
    const MORE: usize = 32;
    let (key, _) = KEY.split_first_chunk()?;
    let mut cipher = library(backend)?.cbc_hmac(key, &MAC_KEY)?;
    let (mut blocks, mut mac) = (vec![0x6d; size + MORE], [0; 20]);
    Some(Contestant::new("library", move |_| {
        match direction {
            Direction::Decrypt => cipher.decrypt(&[7; 16], &mut blocks, &mut mac)?,
            _ => cipher.encrypt(&[7; 16], &mut blocks, &mut mac)?,
        }
        black_box((&blocks, &mac));
        Ok::<_, Failed>(())
    }))
}
