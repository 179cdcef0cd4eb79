//! Encrypting and decrypting records, compared with the cipher of the library alone, by backend.
//! The two are measured in turns, so that their ratio holds on a shared machine too.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use ssl_provider::{
    Backend, CbcAlgorithm, CipherSuite, HashAlgorithm, MAX_PAYLOAD_LEN, ProtocolVersion, Provider,
    RecordKey, RecordOptions, WriteKeys,
};
use ssl_provider_benches::library::aes_128_gcm;
use ssl_provider_benches::paired::{self, Contestant};

const AES_128_GCM: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;
const AES_128_CBC_SHA: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    type Contestants = fn(&Backend) -> Vec<Contestant<'static>>;
    let groups: [(&str, Contestants); 3] =
        [("record-gcm", gcm), ("record-gcm-in-place", gcm_in_place), ("record-cbc", cbc)];
    for (name, contestants) in groups {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        for backend in ssl_provider::backends() {
            paired::bench(&mut group, name, backend.info().name, &mut contestants(&backend))
                .expect("the file of notes can be written");
        }
        group.finish();
    }
    criterion.final_summary();
}

/// The key of a direction of TLS 1.2.
fn record_key(backend: &Backend, suite: CipherSuite) -> RecordKey {
    let connection = Provider::open(backend)
        .security_parameters(ProtocolVersion::TLS1_2, suite)
        .expect("a suite of TLS 1.2");
    let suite = connection.suite();
    let keys = WriteKeys {
        mac_key: &[0x3a; 64][..suite.mac.map_or(0, HashAlgorithm::output_len)],
        write_key: &[0x4b; 32][..suite.cipher.key_len],
        write_iv: &[0x5c; 16][..suite.cipher.fixed_iv_len(ProtocolVersion::TLS1_2)],
    };
    RecordKey::new(&connection, RecordOptions::default(), keys).expect("every backend has AES")
}

/// AES-128-GCM on 16 KiB, from one buffer to another: a record, and the library's cipher alone.
fn gcm(backend: &Backend) -> Vec<Contestant<'static>> {
    let payload = vec![0x6d; MAX_PAYLOAD_LEN];
    let mut key = record_key(backend, AES_128_GCM);
    let mut record = vec![0; key.record_len(payload.len()).expect("the longest payload")];
    let mut sequence_numbers = 0..;
    let encrypt_packet = move |_| {
        let number = sequence_numbers.next().unwrap_or_default();
        key.encrypt_packet(number, 23, &payload, &mut record).expect("room for the record");
        black_box(&record);
    };
    let text = vec![0x6d; MAX_PAYLOAD_LEN];
    let mut sealed = vec![0; MAX_PAYLOAD_LEN];
    let mut tag = [0; 16];
    let mut library = aes_128_gcm(backend.info().name);
    let library = move |round: usize| {
        library.seal_apart(&nonce(round), &[0x17; 13], &text, &mut sealed, &mut tag);
        black_box((&sealed, &tag));
    };
    vec![
        Contestant { name: "encrypt_packet", operation: Box::new(encrypt_packet) },
        Contestant { name: "library", operation: Box::new(library) },
    ]
}

/// As [`gcm`], in place.
fn gcm_in_place(backend: &Backend) -> Vec<Contestant<'static>> {
    let mut key = record_key(backend, AES_128_GCM);
    let mut record = vec![0x6d; key.record_len(MAX_PAYLOAD_LEN).expect("the longest payload")];
    let mut sequence_numbers = 0..;
    let encrypt_in_place = move |_| {
        let number = sequence_numbers.next().unwrap_or_default();
        key.encrypt_in_place(number, 23, MAX_PAYLOAD_LEN, &mut record)
            .expect("room for the record");
        black_box(&record);
    };
    let mut text = vec![0x6d; MAX_PAYLOAD_LEN];
    let mut tag = [0; 16];
    let mut library = aes_128_gcm(backend.info().name);
    let library = move |round: usize| {
        library.seal(&nonce(round), &[0x17; 13], &mut text, &mut tag);
        black_box((&text, &tag));
    };
    vec![
        Contestant { name: "encrypt_in_place", operation: Box::new(encrypt_in_place) },
        Contestant { name: "library", operation: Box::new(library) },
    ]
}

/// A different nonce for each round.
fn nonce(round: usize) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&round.to_be_bytes());
    nonce
}

/// AES-128-CBC with HMAC-SHA-1 on 16 KiB: decrypting a record in constant time, and the cipher and
/// the HMAC alone.
fn cbc(backend: &Backend) -> Vec<Contestant<'static>> {
    let backend = backend.clone();
    let payload = vec![0x6d; MAX_PAYLOAD_LEN];
    let mut writer = record_key(&backend, AES_128_CBC_SHA);
    let mut record = vec![0; writer.record_len(payload.len()).expect("a payload")];
    writer.encrypt_packet(0, 23, &payload, &mut record).expect("room for the record");
    let mut key = record_key(&backend, AES_128_CBC_SHA);
    let mut opened = vec![0; key.max_payload_len(record.len())];
    let decrypt_packet = move |_| {
        key.decrypt_packet(0, &record, &mut opened).expect("a good record");
        black_box(&opened);
    };

    let cipher = backend
        .record_ciphers()
        .cbc(CbcAlgorithm::Aes128, &[0x4b; 16])
        .expect("every backend has it");
    let mut blocks = vec![0x6d; MAX_PAYLOAD_LEN + 32];
    let mut mac = [0; 20];
    let parts = move |_| {
        cipher.decrypt(&[7; 16], &mut blocks).expect("whole blocks");
        backend
            .hashing()
            .hmac(HashAlgorithm::Sha1, &[0x3a; 20], &[&blocks], &mut mac)
            .expect("SHA-1");
        black_box((&blocks, &mac));
    };
    vec![
        Contestant { name: "decrypt_packet", operation: Box::new(decrypt_packet) },
        Contestant { name: "cipher and hmac", operation: Box::new(parts) },
    ]
}
