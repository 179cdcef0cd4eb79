//! Signing and verification.

use std::hint::black_box;

use ssl_provider::{Backend, Operation, Provider, SignatureScheme};
use ssl_provider_bare::{Failed, Scheme, library};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::signature::{EC_P256_PKCS8, ec_p256_public_key, rsa_public_key};

use super::{Case, Chart, Group, Scope, text};
use crate::bench::paired::{Contestant, Measure, Set};
use crate::bench::report::Row;

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "signatures",
    title: "Signatures",
    text: "Over a digest of SHA-256. `sign` has its key loaded, `verify` takes the public key as a \
        certificate has it, each time. The ring backend takes RustCrypto for both.",
    x: "",
    chart: Chart::Times,
    cases,
};

const SCHEMES: [(&str, SignatureScheme, Scheme); 3] = [
    ("RSA-2048 PKCS#1", SignatureScheme::RsaSha256, Scheme::RsaPkcs1),
    ("RSA-2048 PSS", SignatureScheme::RsaPssSha256, Scheme::RsaPss),
    ("ECDSA P-256", SignatureScheme::EcdsaSha256, Scheme::EcdsaP256),
];

fn cases(scope: &Scope) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, ours, bare) in SCHEMES {
        for signs in [true, false] {
            let operation = if signs { Operation::Sign(ours) } else { Operation::Verify(ours) };
            let verb = if signs { "sign" } else { "verify" };
            for backend in &scope.backends {
                // A signature to verify is made by the same backend.
                let needs = [operation, Operation::Sign(ours)];
                if !needs.iter().all(|operation| backend.support(*operation).is_supported()) {
                    continue;
                }
                let backend = backend.clone();
                cases.push(Case {
                    group: GROUP.name,
                    name: format!("{name}, {verb}"),
                    backend: backend.info().name,
                    weight: 1,
                    prepare: Box::new(move || prepare(&backend, name, ours, bare, signs)),
                });
            }
        }
    }
    cases
}

fn prepare(
    backend: &Backend,
    name: &'static str,
    scheme: SignatureScheme,
    bare: Scheme,
    signs: bool,
) -> Result<Box<dyn Measure>, String> {
    let (private, public) = match bare {
        Scheme::EcdsaP256 => (EC_P256_PKCS8.to_vec(), ec_p256_public_key()),
        Scheme::RsaPkcs1 | Scheme::RsaPss => {
            let key = TestKey::rsa_2048();
            (key.der.clone(), rsa_public_key(&key))
        }
    };
    let library = library(backend.info().name);
    let provider = Provider::open(backend);
    let key = provider.load_signing_key(&private).map_err(text)?;
    let mut contestants = Vec::new();
    if signs {
        contestants.push(Contestant::new("sign", move |round| {
            key.sign(scheme, &digest(round)).map(|signature| drop(black_box(signature)))
        }));
        if let Some(mut sign) = library.and_then(|library| library.signer(bare, &private)) {
            let mut out = vec![0; 512];
            contestants.push(Contestant::new("library", move |round| {
                black_box(sign(&digest(round), &mut out)?);
                black_box(&out);
                Ok::<_, Failed>(())
            }));
        }
    } else {
        let signature = key.sign(scheme, &digest(0)).map_err(text)?;
        let (public_of_ours, signature_of_ours) = (public.clone(), signature.clone());
        contestants.push(Contestant::new("verify", move |_| {
            let (key, signature) = (black_box(&public_of_ours), black_box(&signature_of_ours));
            provider.verify_signature(key, scheme, &digest(0), signature)
        }));
        if let Some(mut verify) = library.and_then(|library| library.verifier(bare)) {
            contestants.push(Contestant::new("library", move |_| {
                verify(black_box(&public), &digest(0), black_box(&signature))
            }));
        }
    }
    let template = Row {
        group: GROUP.name.into(),
        case: name.into(),
        backend: backend.info().name.into(),
        ..Row::default()
    };
    let operation = if signs { "sign" } else { "verify" };
    Ok(Box::new(Set::new(template, operation, contestants)))
}

/// A different digest for each round.
fn digest(round: usize) -> [u8; 32] {
    let mut digest = [0x3d; 32];
    let number = round.to_be_bytes();
    digest[..number.len()].copy_from_slice(&number);
    digest
}
