//! Records beside the bare cipher of the same library, and the C interface beside the Rust one.
//! What is compared is measured in turns, so that ratios hold on a machine that others use too.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use ssl_provider::{Flags, KeyExchangeBackend, Provider, RecordKey, RecordOptions, Side};
use ssl_provider_benches::c_interface::CProvider;
use ssl_provider_benches::exchange::{KEYS, PROTOCOL, SUITE, ciphertexts, parameters};
use ssl_provider_benches::library::{Seal, seal_aes_128_gcm};
use ssl_provider_benches::paired::{self, Contestant};

/// Bytes of payload in a full record.
const PAYLOAD_LEN: usize = 16 * 1024;

/// The content type of application data.
const APPLICATION_DATA: u8 = 23;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    encrypt_packet(&mut criterion);
    c_interface(&mut criterion);
    criterion.final_summary();
}

/// A record of AES-128-GCM, 16 KiB, beside the sealing of as much text.
fn encrypt_packet(criterion: &mut Criterion) {
    const GROUP: &str = "encrypt_packet";
    let mut group = criterion.benchmark_group(GROUP);
    group.sampling_mode(SamplingMode::Flat);
    for backend in ssl_provider::backends() {
        let name = backend.info().name;
        let mut contestants = vec![
            Contestant { name: "encrypt_packet", operation: packet(record_key(*backend)) },
            Contestant { name: "encrypt_in_place", operation: in_place(record_key(*backend)) },
        ];
        if let Some(seal) = seal_aes_128_gcm(name) {
            contestants.push(Contestant { name: "library", operation: bare(seal) });
        }
        paired::bench(&mut group, GROUP, name, &mut contestants)
            .expect("the file of notes can be written");
    }
    group.finish();
}

fn record_key(backend: &'static dyn KeyExchangeBackend) -> RecordKey {
    let provider = Provider::open(backend);
    let key = provider.load_private_key(KEYS[0].der).expect("the key is well-formed");
    let encrypted = ciphertexts(&KEYS[0]).expect("the key is well-formed");
    let master_key = provider
        .import_master_key(&key, PROTOCOL, SUITE, &parameters(), &encrypted[0], Flags::SERVER)
        .expect("a good exchange");
    let keys = master_key.session_keys(&parameters()).expect("both randoms are there");
    keys.record_key(Side::Server, RecordOptions::default()).expect("every backend has AES-GCM")
}

fn packet(mut key: RecordKey) -> Box<dyn FnMut(usize)> {
    let payload = vec![0x77; PAYLOAD_LEN];
    let mut record = vec![0; key.record_len(PAYLOAD_LEN).expect("a full record")];
    Box::new(move |round| {
        key.encrypt_packet(round as u64, APPLICATION_DATA, &payload, &mut record)
            .expect("the record has room");
        black_box(&record);
    })
}

fn in_place(mut key: RecordKey) -> Box<dyn FnMut(usize)> {
    let mut record = vec![0x77; key.record_len(PAYLOAD_LEN).expect("a full record")];
    Box::new(move |round| {
        key.encrypt_in_place(round as u64, APPLICATION_DATA, PAYLOAD_LEN, &mut record)
            .expect("the record has room");
        black_box(&record);
    })
}

fn bare(mut seal: Seal) -> Box<dyn FnMut(usize)> {
    let mut text = vec![0x77; PAYLOAD_LEN];
    let mut tag = [0; 16];
    Box::new(move |round| {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&(round as u64).to_be_bytes());
        seal(&nonce, &[0; 13], &mut text, &mut tag);
        black_box((&text, &tag));
    })
}

/// `SslImportMasterKey` and the freeing of its handle, beside the Rust call and the drop.
fn c_interface(criterion: &mut Criterion) {
    const GROUP: &str = "c_interface";
    let key = &KEYS[0];
    let encrypted = ciphertexts(key).expect("the key is well-formed");
    let mut group = criterion.benchmark_group(GROUP);
    group.sampling_mode(SamplingMode::Flat);
    for backend in ssl_provider::backends() {
        let info = backend.info();
        let c = CProvider::open(info.provider_name, key.der);
        let provider = Provider::open(*backend);
        let private_key = provider.load_private_key(key.der).expect("the key is well-formed");
        let parameters = parameters();
        let from_c = |round: usize| c.import(&encrypted[round % encrypted.len()]);
        let from_rust = |round: usize| {
            let ciphertext = &encrypted[round % encrypted.len()];
            let master_key = provider
                .import_master_key(
                    &private_key,
                    PROTOCOL,
                    SUITE,
                    &parameters,
                    ciphertext,
                    Flags::SERVER,
                )
                .expect("a good exchange");
            black_box(master_key);
        };
        let mut contestants = [
            Contestant { name: "SslImportMasterKey", operation: Box::new(from_c) },
            Contestant { name: "import_master_key", operation: Box::new(from_rust) },
        ];
        paired::bench(&mut group, GROUP, info.name, &mut contestants)
            .expect("the file of notes can be written");
    }
    group.finish();
}
