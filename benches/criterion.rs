//! The operations of `sslprov bench` under criterion, one by one, for whoever works with its
//! baselines and reports: `cargo bench -p ssl-provider-benches --bench criterion -- records`.
//!
//! What is compared with what is for `sslprov bench`, which measures in turns.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ssl_provider_compare::bench::cases::{GROUPS, Scope};
use ssl_provider_testkit::rsa_key::TestKey;

fn operations(criterion: &mut Criterion) {
    let keys = vec![Arc::new(TestKey::rsa_2048())];
    let scope = Scope { backends: ssl_provider::backends(), keys };
    for group in GROUPS {
        let mut shown = criterion.benchmark_group(group.name);
        for case in (group.cases)(&scope) {
            let mut measured = (case.prepare)().expect("every backend takes the test kit's keys");
            for (index, name) in measured.operations().into_iter().enumerate() {
                let id = BenchmarkId::new(format!("{}, {name}", case.name), case.backend);
                shown.bench_function(id, |bencher| {
                    bencher.iter_custom(|times| {
                        let times = u32::try_from(times).unwrap_or(u32::MAX);
                        measured.run(index, times).expect("the libraries work")
                    });
                });
            }
        }
        shown.finish();
    }
}

criterion_group!(benches, operations);
criterion_main!(benches);
