//! Every conformance case on every backend that is compiled in, and guards that none is missing.

use std::collections::BTreeSet;
use std::process::Command;

use ssl_provider_testkit::{cases, support::support_matrix};

// Without a backend no tests are generated, and the guards below report that.
#[cfg(feature = "aws-lc")]
ssl_provider_testkit::conformance_tests!(aws_lc, ssl_provider::backend("aws-lc").unwrap());
#[cfg(feature = "openssl")]
ssl_provider_testkit::conformance_tests!(openssl, ssl_provider::backend("openssl").unwrap());
#[cfg(feature = "rustcrypto")]
ssl_provider_testkit::conformance_tests!(rustcrypto, ssl_provider::backend("rustcrypto").unwrap());
#[cfg(feature = "ring")]
ssl_provider_testkit::conformance_tests!(ring, ssl_provider::backend("ring").unwrap());

/// The backends that the features of this build select, in the documented order.
fn promised() -> Vec<&'static str> {
    [
        ("aws-lc", cfg!(feature = "aws-lc")),
        ("openssl", cfg!(feature = "openssl")),
        ("rustcrypto", cfg!(feature = "rustcrypto")),
        ("ring", cfg!(feature = "ring")),
    ]
    .into_iter()
    .filter_map(|(name, compiled)| compiled.then_some(name))
    .collect()
}

fn compiled() -> Vec<&'static str> {
    ssl_provider::backends().iter().map(|backend| backend.info().name).collect()
}

#[test]
fn backends_are_those_that_the_features_promise() {
    assert_eq!(compiled(), promised());
}

#[test]
fn backends_are_those_that_the_environment_expects() {
    let Ok(expected) = std::env::var("SSL_PROVIDER_EXPECT_BACKENDS") else { return };
    let expected: Vec<&str> = expected.split(',').filter(|name| !name.is_empty()).collect();
    assert_eq!(compiled(), expected, "SSL_PROVIDER_EXPECT_BACKENDS says otherwise");
}

/// `.config/nextest.toml` shows what this prints, which nextest hides for the others.
#[test]
fn published_vectors_are_read_or_their_absence_is_shown() {
    if let Some(folder) = ssl_provider_testkit::vectors::folder() {
        assert!(folder.join("openssl").is_dir(), "not a folder of vectors: {}", folder.display());
    }
}

/// Lists the tests of this program, so that a case without a test, or a backend that is missing
/// above, cannot go unnoticed.
#[test]
fn every_case_is_a_test_of_every_backend() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let stamped: BTreeSet<&str> =
        listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let stamped: BTreeSet<&str> = stamped.into_iter().filter(|name| name.contains("::")).collect();

    let mut expected = BTreeSet::new();
    for backend in promised() {
        for case in cases() {
            let (_, function) = case.name.split_once("::").unwrap();
            expected.insert(format!("{}::{function}", backend.replace('-', "_")));
        }
    }
    assert_eq!(expected.len(), promised().len() * cases().len(), "two cases share a name");
    assert_eq!(stamped, expected.iter().map(String::as_str).collect());
    assert!(cases().len() >= 70, "cases were lost: {}", cases().len());
}

#[test]
fn every_backend_has_a_column_in_the_support_matrix() {
    for backend in ssl_provider::backends() {
        let info = backend.info();
        let found = support_matrix().iter().find(|column| {
            column.backend == info.name && column.provider_name == info.provider_name
        });
        assert!(found.is_some(), "{} ({})", info.name, info.provider_name);
    }
}

/// ring by itself is a part, not a backend of the list; its support is in the matrix all the same.
#[cfg(feature = "ring")]
#[test]
fn ring_alone_supports_what_the_matrix_lists() {
    use ssl_provider_testkit::cases::support;

    let ring = &ssl_provider::Backend::new(ssl_provider_ring::Ring);
    let name = ring.info().provider_name;
    assert!(support_matrix().iter().any(|column| column.provider_name == name));
    support::support_is_what_the_matrix_says(ring);
    support::support_is_what_the_backend_says(ring);
    support::support_table_is_well_formed(ring);
    support::support_requirements_are_met_or_refused(ring);
}

/// Modules of cases about operations that what is around a backend hands on to it unchanged, and a
/// short one of each, which shows that it does.
#[cfg(feature = "multi-buffer")]
const HANDED_ON: [(&str, &str); 7] = [
    ("agreement", "agreement_keys_are_new_every_time"),
    ("hybrid", "hybrid_groups_give_both_sides_the_same_secret"),
    ("kem", "kem_keys_and_secrets_are_new_every_time"),
    ("psk", "psk_master_keys_are_those_of_rfc_4279"),
    ("signature", "signature_of_another_length_is_refused"),
    ("signing", "signing_keys_are_checked"),
    ("ticket", "ticket_gives_back_its_session"),
];

/// Every case again, but of [`HANDED_ON`] only one of each module.
#[cfg(feature = "multi-buffer")]
fn assert_still_conforms(around: &ssl_provider::Backend, what: &str) {
    let mut handed_on = 0;
    for case in cases() {
        let (module, function) = case.name.split_once("::").unwrap_or_default();
        if let Some((_, shown)) = HANDED_ON.iter().find(|(handed_on, _)| *handed_on == module) {
            if function != *shown {
                continue;
            }
            handed_on += 1;
        }
        let outcome = ssl_provider_testkit::run(case, around);
        let name = around.info().name;
        assert_eq!(outcome.failure, None, "{name} {what}: {}", case.name);
    }
    assert_eq!(handed_on, HANDED_ON.len());
}

/// The cases again, on every backend with multi-buffer RSA around it.
#[cfg(feature = "multi-buffer")]
#[test]
fn every_backend_conforms_with_multi_buffer_around_it() {
    for backend in ssl_provider::backends() {
        let Some(around) = ssl_provider::with_multi_buffer(&backend) else {
            ssl_provider_testkit::diagnostics::not_tested(
                "multi-buffer RSA",
                "this processor has neither AVX-512 IFMA nor AVX-IFMA",
            );
            return;
        };
        // A different backend: each refuses the keys of the other.
        assert_ne!(around, backend);
        assert_still_conforms(&around, "with multi-buffer");
    }
}

/// The cases again, on every backend with a batcher around it.
#[cfg(feature = "multi-buffer")]
#[test]
fn every_backend_conforms_with_a_batcher_around_it() {
    use std::time::Duration;

    for backend in ssl_provider::backends() {
        // Without AVX-512 IFMA the batcher is around the library's own operations.
        let inner = ssl_provider::with_multi_buffer(&backend).unwrap_or(backend);
        let around = ssl_provider::with_batcher(&inner, Duration::from_micros(50)).unwrap();
        assert_ne!(around, inner);
        assert_still_conforms(&around, "with a batcher");
    }
}

#[cfg(not(any(
    feature = "aws-lc",
    feature = "openssl",
    feature = "rustcrypto",
    feature = "ring"
)))]
#[test]
fn without_a_backend_the_error_lists_the_features() {
    let error = ssl_provider::default_backend().unwrap_err();
    for feature in ["aws-lc", "openssl", "openssl-vendored", "rustcrypto", "ring"] {
        assert!(error.to_string().contains(feature), "{error}");
    }
    assert_eq!(error.status().code(), 0x8009_001E);
}

#[test]
fn the_default_is_the_first_backend_of_the_documented_order() {
    match (ssl_provider::default_backend(), promised().first()) {
        (Ok(backend), Some(first)) => assert_eq!(backend.info().name, *first),
        (Err(error), None) => assert_eq!(error, ssl_provider::Error::NoBackend),
        (default, first) => panic!("{default:?}, but the first is {first:?}"),
    }
}

#[test]
fn backends_are_found_by_their_names_alone() {
    for name in promised() {
        assert_eq!(ssl_provider::backend(name).unwrap().info().name, name);
        assert!(ssl_provider::backend(&name.to_uppercase()).is_err());
    }
    for unknown in ["", "none", "fake", "aws_lc", "openssl-vendored"] {
        assert!(ssl_provider::backend(unknown).is_err(), "{unknown}");
    }
}
