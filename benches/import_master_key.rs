//! Importing a master key, compared with the raw RSA operation of the library, by size and backend.
//! The two are measured in turns, so that their ratio holds on a shared machine too.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use ssl_provider::{Backend, Provider, RsaPrivateKeyDer};
use ssl_provider_benches::exchange::{KEYS, Key, SUITE, VERSION, ciphertexts, parameters};
use ssl_provider_benches::library::raw_operation;
use ssl_provider_benches::paired::{self, Contestant};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for backend in ssl_provider::backends() {
        let info = backend.info();
        paired::note_library(info.name, &info.library).expect("the file of notes can be written");
    }
    for key in &KEYS {
        let mut group = criterion.benchmark_group(key.name);
        group.sampling_mode(SamplingMode::Flat);
        for backend in ssl_provider::backends() {
            let name = backend.info().name;
            paired::bench(&mut group, key.name, name, &mut contestants(&backend, key))
                .expect("the file of notes can be written");
        }
        group.finish();
    }
    criterion.final_summary();
}

/// The import, its raw RSA operation, and the same operation of the library without our trait.
fn contestants(backend: &Backend, key: &'static Key) -> Vec<Contestant<'static>> {
    let ciphertexts = ciphertexts(key).expect("OpenSSL takes the keys of the benchmark");
    let len = ciphertexts[0].len();

    let provider = Provider::open(backend);
    let private_key = provider.load_private_key(key.der).expect("every backend takes the key");
    let parameters = parameters();
    let encrypted = ciphertexts.clone();
    let import = move |round: usize| {
        let master_key = provider
            .import_master_key(
                &private_key,
                VERSION,
                SUITE,
                &parameters,
                &encrypted[round % encrypted.len()],
            )
            .expect("a good exchange");
        black_box(master_key);
    };

    let der = RsaPrivateKeyDer::from_der(key.der).expect("a good key");
    let raw_key = backend.rsa_decryption().load(&der).expect("every backend takes the key");
    let encrypted = ciphertexts.clone();
    let mut em = vec![0; len];
    let raw = move |round: usize| {
        raw_key.decrypt_raw(&encrypted[round % encrypted.len()], &mut em).expect("a good exchange");
        black_box(&em);
    };

    let mut contestants = vec![
        Contestant { name: "import_master_key", operation: Box::new(import) },
        Contestant { name: "raw", operation: Box::new(raw) },
    ];
    if let Some(mut library) = raw_operation(backend.info().name, key.der) {
        let mut em = vec![0; len];
        let operation = move |round: usize| {
            library(&ciphertexts[round % ciphertexts.len()], &mut em);
            black_box(&em);
        };
        contestants.push(Contestant { name: "library", operation: Box::new(operation) });
    }
    contestants
}
