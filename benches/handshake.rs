//! Key agreement and signing, compared with the library alone, by backend.
//! The two are measured in turns, so that their ratio holds on a shared machine too.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};

use ssl_provider::{
    Backend, CipherSuite, NamedCurve, PrfAlgorithm, Provider, Side, SignatureScheme,
};
use ssl_provider_benches::bare::{self, Scheme};
use ssl_provider_benches::exchange::{CURVES, KEYS, VERSION, ec_key, parameters};
use ssl_provider_benches::paired::{self, Contestant};

/// A suite with the PRF of TLS 1.2 and SHA-256.
const SUITE: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for curve in CURVES {
        let name = format!("agreement-{}", curve.name());
        let mut group = criterion.benchmark_group(&name);
        group.sampling_mode(SamplingMode::Flat);
        for backend in ssl_provider::backends() {
            paired::bench(&mut group, &name, backend.info().name, &mut agreement(&backend, curve))
                .expect("the file of notes can be written");
        }
        group.finish();
    }
    let (rsa, ec) = (KEYS[0].der, &ec_key()[..]);
    for (name, scheme, bare, der) in [
        ("signing-rsa-pkcs1", SignatureScheme::RsaSha256, Scheme::RsaPkcs1, rsa),
        ("signing-rsa-pss", SignatureScheme::RsaPssSha256, Scheme::RsaPss, rsa),
        ("signing-ecdsa-p256", SignatureScheme::EcdsaSha256, Scheme::Ecdsa, ec),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        for backend in ssl_provider::backends() {
            let mut contestants = signing(&backend, scheme, bare, der);
            paired::bench(&mut group, name, backend.info().name, &mut contestants)
                .expect("the file of notes can be written");
        }
        group.finish();
    }
    criterion.final_summary();
}

/// One side of an ECDHE: a new key, and the master secret with a key of the peer; and the same
/// calls to the library alone, with the PRF that the backend takes from it.
fn agreement(backend: &Backend, curve: NamedCurve) -> Vec<Contestant<'static>> {
    let peer = backend.key_agreement().generate_ecdh(curve).expect("every backend has the curve");
    let peer = peer.public_key().to_vec();
    let (provider, parameters, share) = (Provider::open(backend), parameters(), peer.clone());
    let ours = move |_| {
        let key = provider.generate_ephemeral_key(curve).expect("every backend has the curve");
        let peer = key.group().public_key(&share).expect("a point");
        let master_key = provider
            .generate_master_key(key, &peer, VERSION, SUITE, &parameters, Side::Server)
            .expect("a good exchange");
        black_box(master_key);
    };
    let mut library = bare::agreement(backend.info().name, curve).expect("a measured curve");
    let backend = backend.clone();
    let (mut secret, mut master_secret) = (vec![0; curve.coordinate_len()], [0; 48]);
    let theirs = move |_| {
        library(&peer, &mut secret);
        let randoms: [&[u8]; 2] = [&[0xc1; 32], &[0x5e; 32]];
        backend
            .hashing()
            .prf(PrfAlgorithm::Sha256, &secret, b"master secret", &randoms, &mut master_secret)
            .expect("every backend has the PRF");
        black_box(&master_secret);
    };
    vec![
        Contestant { name: "generate_master_key", operation: Box::new(ours) },
        Contestant { name: "library", operation: Box::new(theirs) },
    ]
}

/// A signature over a digest, and that of the library alone.
fn signing(
    backend: &Backend,
    scheme: SignatureScheme,
    bare: Scheme,
    der: &[u8],
) -> Vec<Contestant<'static>> {
    let key = Provider::open(backend).load_signing_key(der).expect("every backend takes the key");
    let ours = move |round| {
        black_box(key.sign(scheme, &digest(round)).expect("every backend signs"));
    };
    let mut library = bare::signer(backend.info().name, bare, der);
    let mut out = [0; 256];
    let theirs = move |round| {
        black_box(library(&digest(round), &mut out));
        black_box(&out);
    };
    vec![
        Contestant { name: "sign", operation: Box::new(ours) },
        Contestant { name: "library", operation: Box::new(theirs) },
    ]
}

/// A different digest for each round.
fn digest(round: usize) -> [u8; 32] {
    let mut digest = [0x3d; 32];
    digest[..8].copy_from_slice(&round.to_be_bytes());
    digest
}
