//! What a backend says about itself against what it does, and against the support matrix.
//! A promise that is not kept fails, and so does a service that is not announced.

use ssl_provider_core::{
    Error, FipsStatus, KeyExchangeBackend, Operation, Provider, RsaPrivateKeyDer, Support,
    provider::Requirements,
};

use crate::reference;
use crate::rsa_key::TestKey;
use crate::support::column;

/// Tries one operation, on an input whose answer the reference knows.
fn attempt(backend: &dyn KeyExchangeBackend, operation: Operation) -> Vec<Result<(), Error>> {
    let right = |result: Result<(), Error>, out: &[u8], expected: &[u8]| {
        if result.is_ok() {
            assert_eq!(out, expected, "{operation} gives a wrong answer");
        }
        result
    };
    let mut out = vec![0; 48];
    match operation {
        Operation::Random => vec![backend.random(&mut out)],
        Operation::Hash(hash) => {
            let expected = reference::hash(hash, &[b"abc"]);
            let out = &mut out[..expected.len()];
            let whole = backend.hash(hash, &[b"abc"], out);
            let whole = right(whole, out, &expected);
            let running = backend.hash_context(hash).and_then(|mut context| {
                context.update(b"abc");
                context.finish(out)
            });
            vec![whole, right(running, out, &expected)]
        }
        Operation::Hmac(hash) => {
            let expected = reference::hmac(hash, b"key", &[b"abc"]);
            let out = &mut out[..expected.len()];
            let result = backend.hmac(hash, b"key", &[b"abc"], out);
            vec![right(result, out, &expected)]
        }
        Operation::Prf(prf) => {
            let expected = reference::prf(prf, b"secret", b"label", &[b"seed"], 48);
            let result = backend.prf(prf, b"secret", b"label", &[b"seed"], &mut out);
            vec![right(result, &out, &expected)]
        }
        Operation::RsaDecryptRaw => {
            let key = TestKey::rsa_1024();
            let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
            let mut expected = vec![7; key.len()];
            expected[0] = 0;
            let result = backend.load_rsa_private_key(&der).and_then(|loaded| {
                let mut block = vec![0; key.len()];
                let result = loaded.decrypt_raw(&key.encrypt(&expected), &mut block);
                right(result, &block, &expected)
            });
            vec![result]
        }
        other => panic!("{other}: an operation that this case does not know"),
    }
}

/// Each operation works where the table of the backend says so, and answers `Unsupported`, naming
/// the operation, where it does not. The one case that a part of a backend has to pass.
pub fn support_is_what_the_backend_says(backend: &'static dyn KeyExchangeBackend) {
    let info = backend.info();
    for operation in Operation::ALL {
        for result in attempt(backend, operation) {
            let expected = match info.support(operation) {
                Support::By(_) => Ok(()),
                Support::Unsupported => Err(Error::Unsupported(operation)),
            };
            assert_eq!(result, expected, "{operation} by {}", info.name);
        }
    }
}

/// The backends of this project say what the support matrix says, operation by operation.
pub fn support_is_what_the_matrix_says(backend: &'static dyn KeyExchangeBackend) {
    let info = backend.info();
    // A backend of somebody else has no column; its own table is checked by the other case.
    let Some(column) = column(info.provider_name) else { return };
    for operation in Operation::ALL {
        let expected = (column.support)(operation);
        assert_eq!(info.support(operation), expected, "{operation} by {}", info.name);
    }
}

/// The description is complete: names, a library with a version, and no operation listed twice.
pub fn support_table_is_well_formed(backend: &'static dyn KeyExchangeBackend) {
    let info = backend.info();
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(!info.name.is_empty() && info.name.chars().all(is_name), "{}", info.name);
    assert!(!info.provider_name.is_empty());
    assert!(info.library.contains(|c: char| c.is_ascii_digit()), "no version: {}", info.library);
    for (position, (operation, support)) in info.support.iter().enumerate() {
        let repeated = info.support[..position].iter().any(|(earlier, _)| earlier == operation);
        assert!(!repeated, "{operation} is listed twice");
        assert_ne!(*support, Support::By(""), "{operation}");
    }
    let decrypts = info.support(Operation::RsaDecryptRaw) != Support::Unsupported;
    assert_eq!(info.rsa.is_some(), decrypts, "properties of RSA and support of RSA disagree");
}

/// A property that is required is there or is refused by name; none required, every backend opens.
pub fn support_requirements_are_met_or_refused(backend: &'static dyn KeyExchangeBackend) {
    let info = backend.info();
    let none = Requirements::default();
    assert!(Provider::open_requiring(backend, none).is_ok());
    let rows = [
        (
            Requirements { constant_time_rsa: true, ..none },
            info.rsa
                .is_some_and(|rsa| rsa.constant_time == ssl_provider_core::ConstantTime::Claimed),
        ),
        (Requirements { blinded_rsa: true, ..none }, info.rsa.is_some_and(|rsa| rsa.blinding)),
        (Requirements { fips: true, ..none }, info.fips == FipsStatus::Validated),
    ];
    for (requirements, met) in rows {
        match Provider::open_requiring(backend, requirements) {
            Ok(_) => assert!(met, "{requirements:?}"),
            Err(error) => {
                assert!(!met, "{requirements:?}");
                assert!(matches!(error, Error::RequirementNotMet(_)));
            }
        }
    }
}
