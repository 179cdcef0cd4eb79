//! The C interface compared with the Rust one, by backend.
//! The two are measured in turns, so that their ratio holds on a shared machine too.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use ssl_provider::Provider;
use ssl_provider_benches::c_interface::CProvider;
use ssl_provider_benches::exchange::{KEYS, SUITE, VERSION, ciphertexts, parameters};
use ssl_provider_benches::paired::{self, Contestant};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    c_interface(&mut criterion);
    criterion.final_summary();
}

/// `SslImportMasterKey` and `SslFreeObject`, compared with the Rust call and the drop.
fn c_interface(criterion: &mut Criterion) {
    const GROUP: &str = "c_interface";
    let key = &KEYS[0];
    let encrypted = ciphertexts(key).expect("the key is well-formed");
    let mut group = criterion.benchmark_group(GROUP);
    group.sampling_mode(SamplingMode::Flat);
    for backend in ssl_provider::backends() {
        let info = backend.info();
        let c = CProvider::open(info.provider_name, key.der);
        let provider = Provider::open(&backend);
        let private_key = provider.load_private_key(key.der).expect("the key is well-formed");
        let parameters = parameters();
        let from_c = |round: usize| c.import(&encrypted[round % encrypted.len()]);
        let from_rust = |round: usize| {
            let ciphertext = &encrypted[round % encrypted.len()];
            let master_key = provider
                .import_master_key(&private_key, VERSION, SUITE, &parameters, ciphertext)
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
