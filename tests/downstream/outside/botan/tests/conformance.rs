//! The backend passes the cases of every backend, and its gaps are those that are listed here.

use ssl_provider::{HashAlgorithm, Operation};

ssl_provider_testkit::conformance_tests!(botan, outside_botan::backend());

#[test]
fn only_compression_functions_are_missing() {
    let backend = outside_botan::backend();
    let missing = Operation::all().filter(|operation| !backend.support(*operation).is_supported());
    let expected = HashAlgorithm::ALL.map(Operation::CompressionFunction);
    assert_eq!(missing.collect::<Vec<_>>(), expected);
}
