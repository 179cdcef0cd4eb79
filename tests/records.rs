//! Records between backends: each decrypts the records of every other, and where nothing is random
//! they write the same bytes.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use ssl_provider::backend::{
    HashContext, Hashing, KeyExchangeBackend, RecordCiphers, SecureRandom,
};
use ssl_provider::{
    Backend, BackendInfo, CipherMode, Error, HashAlgorithm, Operation, RecordKey, Support,
};
use ssl_provider_testkit::cases::record::{
    record_padding_and_mac_errors_have_one_answer, record_padding_of_any_length_opens,
};
use ssl_provider_testkit::direction::Direction;

const LENGTHS: [usize; 7] = [0, 1, 16, 31, 256, 4000, 16384];

/// Returns the records of a direction as a backend writes them; none if it lacks the cipher.
fn seal(backend: &Backend, direction: &Direction) -> Option<Vec<Vec<u8>>> {
    let mut key = key(backend, direction)?;
    let records = LENGTHS.iter().zip(0..).map(|(len, sequence_number)| {
        let mut record = vec![0; key.record_len(*len).expect("a short payload")];
        let payload = vec![0xb7; *len];
        key.encrypt_packet(sequence_number, 23, &payload, &mut record).expect("room for it");
        record
    });
    Some(records.collect())
}

fn key(backend: &Backend, direction: &Direction) -> Option<RecordKey> {
    match direction.key(backend) {
        Ok(key) => Some(key),
        Err(Error::Unsupported(_) | Error::UnsupportedSuite { .. }) => None,
        Err(error) => panic!("{} {}: {error}", backend.info().name, direction.name()),
    }
}

#[test]
fn what_one_backend_seals_every_other_opens() {
    let mut opened = 0;
    for direction in Direction::all() {
        for writer in ssl_provider::backends() {
            let Some(records) = seal(&writer, &direction) else { continue };
            for reader in ssl_provider::backends() {
                let Some(mut key) = key(&reader, &direction) else { continue };
                let name = format!(
                    "{} by {}, opened by {}",
                    direction.name(),
                    writer.info().name,
                    reader.info().name
                );
                for ((record, len), sequence_number) in records.iter().zip(LENGTHS).zip(0..) {
                    let mut payload = vec![0; key.max_payload_len(record.len())];
                    let result = key.decrypt_packet(sequence_number, record, &mut payload);
                    assert_eq!(result, Ok(len), "{name}, {len} bytes");
                    assert!(payload[..len].iter().all(|byte| *byte == 0xb7), "{name}");
                    opened += 1;
                }
            }
        }
    }
    let backends = ssl_provider::backends().len();
    // More than ninety directions; every backend supports all except those with Camellia.
    assert!(opened >= 80 * backends * backends * LENGTHS.len(), "{opened} records were opened");
}

#[test]
fn records_without_random_vectors_are_the_same_bytes_from_every_backend() {
    for direction in Direction::all() {
        if direction.suite.cipher.mode == CipherMode::Cbc && direction.protocol.has_explicit_iv() {
            continue;
        }
        let sealed: Vec<_> = ssl_provider::backends()
            .iter()
            .filter_map(|backend| Some((backend.info().name, seal(backend, &direction)?)))
            .collect();
        for [(one, first), (other, second)] in sealed.array_windows() {
            assert_eq!(first, second, "{} by {one} and {other}", direction.name());
        }
    }
}

/// A backend whose library does not expose its compression functions.
#[derive(Debug)]
struct WithoutCompression(Backend);

impl KeyExchangeBackend for WithoutCompression {
    fn info(&self) -> &BackendInfo {
        self.0.info()
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::CompressionFunction(_) => Support::Unsupported,
            _ => self.0.support(operation),
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self.0.random()
    }

    fn hashing(&self) -> &dyn Hashing {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self.0.record_ciphers()
    }
}

impl Hashing for WithoutCompression {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        self.0.hashing().hash_context(hash)
    }
}

#[test]
fn records_decrypt_alike_without_compression_functions() {
    for backend in ssl_provider::backends() {
        let backend = Backend::new(WithoutCompression(backend));
        record_padding_of_any_length_opens(&backend);
        record_padding_and_mac_errors_have_one_answer(&backend);
    }
}
