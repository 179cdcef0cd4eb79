//! Several RSA private operations at once, by multi-buffer RSA.

use std::hint::black_box;
use std::sync::Arc;

use ssl_provider::{Backend, Provider, with_multi_buffer};
use ssl_provider_testkit::rsa_key::TestKey;

use super::{Case, Chart, Group, Scope, text};
use crate::bench::exchange::ciphertexts;
use crate::bench::paired::{Contestant, Measure, Set};
use crate::bench::report::Row;

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "batches",
    title: "Batches of RSA private operations",
    text: "The time of one operation of a batch on one core, by multi-buffer RSA around the \
        backend, compared with the backend's library one by one. It needs a processor with AVX-512 \
        IFMA or AVX-IFMA. Each result is checked; blinding and wiping are included.",
    x: "at once",
    chart: Chart::Curves,
    cases,
};

/// How many operations are done at once.
const SIZES: [usize; 5] = [1, 2, 4, 8, 16];

fn cases(scope: &Scope) -> Vec<Case> {
    let mut cases = Vec::new();
    let able = |backend: &&Backend| {
        super::import::supports_import(backend) && with_multi_buffer(backend).is_some()
    };
    for key in &scope.keys {
        for size in SIZES {
            for backend in scope.backends.iter().filter(able) {
                let (key, backend) = (Arc::clone(key), backend.clone());
                cases.push(Case {
                    group: GROUP.name,
                    name: format!("{}, {size} at once", super::import::name(&key)),
                    backend: backend.info().name,
                    weight: 1,
                    prepare: Box::new(move || prepare(&backend, &key, size)),
                });
            }
        }
    }
    cases
}

fn prepare(backend: &Backend, key: &TestKey, size: usize) -> Result<Box<dyn Measure>, String> {
    let around = with_multi_buffer(backend).ok_or("the processor has no such instructions")?;
    let encrypted: Arc<[Vec<u8>]> = ciphertexts(key).into();
    let contestant = |name, backend: &Backend| {
        let private_key = key.try_load(&Provider::open(backend)).map_err(text)?;
        let encrypted = Arc::clone(&encrypted);
        Ok::<_, String>(Contestant::new(name, move |_| {
            let batch: Vec<&[u8]> =
                encrypted.iter().cycle().take(size).map(Vec::as_slice).collect();
            let decrypted = private_key.decrypt_premasters(&batch);
            decrypted.map(|decrypted| drop(black_box(decrypted)))
        }))
    };
    let contestants = vec![contestant("batch", &around)?, contestant("one by one", backend)?];
    let template = Row {
        group: GROUP.name.into(),
        case: super::import::name(key),
        backend: backend.info().name.into(),
        x: u64::try_from(size).ok(),
        ..Row::default()
    };
    let many = u32::try_from(size).map_err(text)?;
    Ok(Box::new(Set::new(template, "decrypt", contestants).of_many(many)))
}
