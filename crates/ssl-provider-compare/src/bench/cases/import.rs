//! The import of a master key, whole and in its parts.

use std::hint::black_box;
use std::sync::Arc;

use ssl_provider::{
    Backend, HashAlgorithm, PremasterSecret, PrfAlgorithm, Provider, RsaPrivateKeyDer,
    VersionCheck, recover_premaster,
};
use ssl_provider_bare::library;
use ssl_provider_testkit::rsa_key::TestKey;

use super::{Case, Chart, Group, Scope, text};
use crate::bench::exchange::{RANDOMS, SUITE, VERSION, blocks_and_ciphertexts, parameters};
use crate::bench::paired::{Contestant, Measure, RowOf, Set};
use crate::bench::report::Row;

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "import",
    title: "Import of a master key",
    text: "`import` is the whole operation of TLS 1.2, compared with the raw RSA private operation \
        of the library called directly. Its parts: `RSA`, the private operation through our \
        trait; `unpadding`, the check of padding and version and the selection, in constant time \
        (Bleichenbacher); `fallback`, the premaster secret of implicit rejection, which is always \
        computed; `PRF`, the master secret; `rest`, what the whole takes besides. Whole and parts \
        run in turns, and the rest is computed in each round.",
    x: "bits",
    chart: Chart::Times,
    cases,
};

fn cases(scope: &Scope) -> Vec<Case> {
    let case = |key: &Arc<TestKey>, backend: &Backend| {
        let (key, backend) = (Arc::clone(key), backend.clone());
        Case {
            group: GROUP.name,
            name: name(&key),
            backend: backend.info().name,
            weight: 4,
            prepare: Box::new(move || prepare(&key, &backend)),
        }
    };
    let able = || scope.backends.iter().filter(|backend| supports_import(backend));
    scope.keys.iter().flat_map(|key| able().map(|backend| case(key, backend))).collect()
}

/// Whether the backend has an RSA private operation.
pub(crate) fn supports_import(backend: &Backend) -> bool {
    Provider::open(backend).supports_import()
}

/// The name of a key for reports.
pub(crate) fn name(key: &TestKey) -> String {
    format!("RSA-{}", key.modulus().bits())
}

fn prepare(key: &TestKey, backend: &Backend) -> Result<Box<dyn Measure>, String> {
    let (blocks, encrypted) = blocks_and_ciphertexts(key);
    let encrypted: Arc<[Vec<u8>]> = encrypted.into();
    let len = key.len();

    let provider = Provider::open(backend);
    let private_key = key.try_load(&provider).map_err(text)?;
    let (parameters, ciphertexts) = (parameters(), Arc::clone(&encrypted));
    let import = move |round: usize| {
        let ciphertext = &ciphertexts[round % ciphertexts.len()];
        provider
            .import_master_key(&private_key, VERSION, SUITE, &parameters, ciphertext)
            .map(|master_key| drop(black_box(master_key)))
    };

    let der = RsaPrivateKeyDer::from_der(&key.der).map_err(text)?;
    let raw_key = backend.rsa_decryption().load(&der).map_err(text)?;
    let (mut em, ciphertexts) = (vec![0; len], Arc::clone(&encrypted));
    let raw = move |round: usize| {
        raw_key.decrypt_raw(&ciphertexts[round % ciphertexts.len()], &mut em)?;
        black_box(&em);
        Ok::<_, ssl_provider::Error>(())
    };

    let (fallback, mut out) = (PremasterSecret::zeroed(), PremasterSecret::zeroed());
    let version = VersionCheck::offered(VERSION);
    let unpadding = move |round: usize| {
        let block = black_box(&blocks[round % blocks.len()]);
        recover_premaster(block, version, &fallback, &mut out)?;
        black_box(out.expose());
        Ok::<_, ssl_provider::Error>(())
    };

    let (library_of_fallback, ciphertexts) = (backend.clone(), Arc::clone(&encrypted));
    let fallback = move |round: usize| {
        let hashing = library_of_fallback.hashing();
        let (mut key, mut out) = ([0; 32], [0; 48]);
        let ciphertext = &ciphertexts[round % ciphertexts.len()];
        hashing.hmac(HashAlgorithm::Sha256, &[0x3a; 32], &[ciphertext], &mut key)?;
        let seed: [&[u8]; 3] = [&[3, 3], RANDOMS[0], RANDOMS[1]];
        let label = b"fallback premaster secret";
        hashing.prf(PrfAlgorithm::Sha256, &key, label, &seed, &mut out)?;
        black_box(&out);
        Ok::<_, ssl_provider::Error>(())
    };

    let library_of_prf = backend.clone();
    let prf = move |_| {
        let mut out = [0; 48];
        let (secret, label) = (black_box(&[3; 48]), b"master secret");
        library_of_prf.hashing().prf(PrfAlgorithm::Sha256, secret, label, &RANDOMS, &mut out)?;
        black_box(&out);
        Ok::<_, ssl_provider::Error>(())
    };

    let mut contestants = vec![
        Contestant::new("import", import),
        Contestant::new("RSA", raw),
        Contestant::new("unpadding", unpadding),
        Contestant::new("fallback", fallback),
        Contestant::new("PRF", prf),
    ];
    let bare = library(backend.info().name).and_then(|library| library.rsa(&key.der));
    let against = bare.map(|mut bare| {
        let mut em = vec![0; len];
        let operation = move |round: usize| {
            bare(&encrypted[round % encrypted.len()], &mut em)?;
            black_box(&em);
            Ok::<_, ssl_provider_bare::Failed>(())
        };
        contestants.push(Contestant::new("library", operation));
        contestants.len() - 1
    });
    let whole = RowOf { operation: "import", plus: vec![0], minus: vec![], against };
    let part = |operation, index| RowOf { operation, plus: vec![index], ..whole.clone() };
    let alone = |operation, index| RowOf { against: None, ..part(operation, index) };
    let rows = vec![
        whole.clone(),
        part("RSA", 1),
        alone("unpadding", 2),
        alone("fallback", 3),
        alone("PRF", 4),
        RowOf { minus: vec![1, 2, 3, 4], ..alone("rest", 0) },
    ];
    let template = Row {
        group: GROUP.name.into(),
        case: "RSA".into(),
        backend: backend.info().name.into(),
        x: Some(key.modulus().bits()),
        ..Row::default()
    };
    Ok(Box::new(Set::with_rows(template, contestants, rows)))
}
