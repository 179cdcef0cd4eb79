//! Key agreement: one side of ECDHE and DHE.

use std::hint::black_box;

use ssl_provider::{
    Backend, CipherSuite, DhParameters, FfdheGroup, Group as KeyGroup, NamedCurve, Operation,
    PrfAlgorithm, Provider, Side,
};
use ssl_provider_bare::library;

use super::{Case, Chart, Group, Scope, text};
use crate::bench::exchange::{RANDOMS, VERSION, parameters};
use crate::bench::paired::{Contestant, Measure, Set};
use crate::bench::report::Row;

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "agreement",
    title: "Key agreement",
    text: "One side of ECDHE or DHE: a new key, its public key as bytes, and the master secret \
        with the peer's, which comes as bytes. The library called directly does the same, with the \
        PRF that the backend takes from it. RustCrypto has no crate of finite fields.",
    x: "",
    chart: Chart::Times,
    cases,
};

/// A group, and a suite and the length of the secret in bytes to go with it.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    group: KeyGroup,
    operation: Operation,
    suite: CipherSuite,
    secret_len: usize,
}

fn kinds() -> [Kind; 4] {
    let curve = |name, curve: NamedCurve| Kind {
        name,
        group: KeyGroup::Curve(curve),
        operation: Operation::Ecdh(curve),
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        secret_len: curve.coordinate_len(),
    };
    let field = DhParameters::named(FfdheGroup::Ffdhe2048);
    [
        curve("X25519", NamedCurve::X25519),
        curve("P-256", NamedCurve::Secp256r1),
        curve("P-384", NamedCurve::Secp384r1),
        Kind {
            name: "ffdhe2048",
            operation: Operation::Dh,
            suite: CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
            secret_len: field.prime().len(),
            group: KeyGroup::FiniteField(field),
        },
    ]
}

fn cases(scope: &Scope) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in kinds() {
        for backend in &scope.backends {
            if backend.support(kind.operation).is_supported() {
                let (backend, kind) = (backend.clone(), kind.clone());
                cases.push(Case {
                    group: GROUP.name,
                    name: kind.name.into(),
                    backend: backend.info().name,
                    weight: 1,
                    prepare: Box::new(move || prepare(&backend, kind.clone())),
                });
            }
        }
    }
    cases
}

fn prepare(backend: &Backend, kind: Kind) -> Result<Box<dyn Measure>, String> {
    let Kind { name, group, suite, secret_len, .. } = kind;
    let provider = Provider::open(backend);
    let peer = provider.generate_ephemeral_key(group.clone()).map_err(text)?;
    let peer = peer.public_key().to_vec();
    let (parameters, share, group_of_ours) = (parameters(), peer.clone(), group.clone());
    let ours = move |_| {
        let key = provider.generate_ephemeral_key(group_of_ours.clone())?;
        let peer = key.group().public_key(&share)?;
        let master_key =
            provider.generate_master_key(key, &peer, VERSION, suite, &parameters, Side::Server)?;
        drop(black_box(master_key));
        Ok::<_, ssl_provider::Error>(())
    };
    let mut contestants = vec![Contestant::new("agreement", ours)];
    let bare = library(backend.info().name).and_then(|library| library.agreement(&group));
    if let Some(mut bare) = bare {
        let backend = backend.clone();
        let (mut secret, mut master_secret) = (vec![0; secret_len], [0; 48]);
        let theirs = move |_| {
            bare(&peer, &mut secret).map_err(text)?;
            let hashing = backend.hashing();
            let (label, out) = (b"master secret", &mut master_secret);
            hashing.prf(PrfAlgorithm::Sha256, &secret, label, &RANDOMS, out).map_err(text)?;
            black_box(&master_secret);
            Ok::<_, String>(())
        };
        contestants.push(Contestant::new("library", theirs));
    }
    let template = Row {
        group: GROUP.name.into(),
        case: name.into(),
        backend: backend.info().name.into(),
        ..Row::default()
    };
    Ok(Box::new(Set::new(template, "agree", contestants)))
}
