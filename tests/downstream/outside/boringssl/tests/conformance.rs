//! The backend passes the cases of every backend, and its gaps are those that are listed here.

use ssl_provider::{
    AeadAlgorithm, CbcAlgorithm, HashAlgorithm, KemAlgorithm, NamedCurve, Operation,
};

ssl_provider_testkit::conformance_tests!(boringssl, outside_boringssl::backend());

#[test]
fn the_gaps_are_those_of_the_library_and_of_its_crate() {
    let curves = [
        NamedCurve::BrainpoolP256r1,
        NamedCurve::BrainpoolP384r1,
        NamedCurve::BrainpoolP512r1,
        NamedCurve::Secp256k1,
    ];
    // CCM is there with nonces of 13 bytes; records have 12.
    let ccm = [
        AeadAlgorithm::Aes128Ccm,
        AeadAlgorithm::Aes256Ccm,
        AeadAlgorithm::Aes128Ccm8,
        AeadAlgorithm::Aes256Ccm8,
    ];
    let camellia = [CbcAlgorithm::Camellia128, CbcAlgorithm::Camellia256];
    let expected = curves.into_iter().map(Operation::Ecdh);
    let expected = expected.chain(curves.map(Operation::EcdhLoad));
    let expected = expected.chain(KemAlgorithm::ALL.map(Operation::Kem));
    let expected = expected.chain(KemAlgorithm::ALL.map(Operation::KemLoad));
    // These are in the library, and its crate does not hand them on.
    let expected = expected.chain(HashAlgorithm::ALL.map(Operation::CompressionFunction));
    let expected = expected.chain(camellia.map(Operation::Cbc)).chain(ccm.map(Operation::Aead));

    let backend = outside_boringssl::backend();
    let missing = Operation::all().filter(|operation| !backend.support(*operation).is_supported());
    assert_eq!(missing.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
