//! The backend passes the cases of every backend, and its gaps are those that are listed here.

use ssl_provider::{HashAlgorithm, KemAlgorithm, Operation};

ssl_provider_testkit::conformance_tests!(botan, outside_botan::backend());

#[test]
fn only_key_encapsulation_and_compression_functions_are_missing() {
    let backend = outside_botan::backend();
    let missing = Operation::all().filter(|operation| !backend.support(*operation).is_supported());
    let expected = KemAlgorithm::ALL.map(Operation::Kem).into_iter();
    let expected = expected.chain(KemAlgorithm::ALL.map(Operation::KemLoad));
    let expected = expected.chain(HashAlgorithm::ALL.map(Operation::CompressionFunction));
    assert_eq!(missing.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
