//! Backend of ssl-provider on ring, composed with RustCrypto for what ring leaves out on purpose.
//! [`Ring`] is ring alone, without RSA, signatures, MD5 and CBC; [`backend`] is the whole.

#![forbid(unsafe_code)]

mod agreement;
mod cipher;
mod hash;
mod prf;
mod random;

use std::sync::LazyLock;

use ssl_provider_core::backend::{Composed, KeyExchangeBackend};
use ssl_provider_core::{Backend, BackendInfo, HashAlgorithm, Operation, PrfAlgorithm, Support};
use ssl_provider_rustcrypto::RustCrypto;

/// The name of the backend.
const NAME: &str = "ring";

/// The release series that is linked, as in `ssl-provider-rustcrypto`: ring exports no version.
const VERSION: &str = "0.17";

static INFO_ALONE: LazyLock<BackendInfo> = LazyLock::new(|| {
    let library = format!("ring {VERSION}");
    BackendInfo::new(NAME, "ssl-provider ring Provider without RSA", library)
});

static BACKEND: LazyLock<Composed<Ring>> = LazyLock::new(|| {
    let library = format!("ring {VERSION} with {}", RustCrypto.info().library);
    let info = BackendInfo::new(NAME, "ssl-provider ring Provider", library)
        .with_rsa(RustCrypto.info().rsa);
    Composed::new(info, Ring, Backend::from_static(ssl_provider_rustcrypto::backend()))
});

/// The backend: ring, and RustCrypto for RSA, signatures over digests, Diffie-Hellman in finite
/// fields, key encapsulation, everything with MD5, the compression functions of hashes, and the
/// curves and ciphers that ring lacks.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &*BACKEND
}

/// ring alone. It returns [`Error::Unsupported`](ssl_provider_core::Error::Unsupported) for RSA and
/// MD5, so it cannot import master keys, for signatures and key encapsulation, for key agreement
/// but on X25519, P-256 and P-384 with keys that it generates, and for every cipher of records but
/// AES-GCM and ChaCha20-Poly1305.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ring;

impl KeyExchangeBackend for Ring {
    fn info(&self) -> &BackendInfo {
        &INFO_ALONE
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Hash(HashAlgorithm::Md5)
            | Operation::Hmac(HashAlgorithm::Md5)
            | Operation::Prf(PrfAlgorithm::Md5Sha1) => Support::Unsupported,
            Operation::Random | Operation::Hash(_) | Operation::Hmac(_) | Operation::Prf(_) => {
                Support::By("ring")
            }
            Operation::Aead(cipher) if cipher::algorithm(cipher).is_some() => Support::By("ring"),
            Operation::Ecdh(curve) if agreement::algorithm(curve).is_some() => Support::By("ring"),
            _ => Support::Unsupported,
        }
    }

    ssl_provider_core::offers! { random, hashing, key_agreement, record_ciphers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssl_provider_core::{
        AeadAlgorithm, DhParameters, Error, FfdheGroup, KemAlgorithm, NamedCurve, PublicKeyDer,
        PublicKeyParts, RsaPrivateKeyDer, SignatureScheme, SigningKeyDer,
    };

    #[test]
    fn version_is_the_requirement_of_the_manifest() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("\nring = \"{VERSION}.")), "ring is not {VERSION}");
    }

    #[test]
    fn ring_alone_leaves_out_rsa_signatures_dh_md5_compression_and_old_ciphers() {
        for operation in Operation::all() {
            let left_out = match operation {
                Operation::Aead(cipher) => cipher::algorithm(cipher).is_none(),
                Operation::Ecdh(curve) => !matches!(
                    curve,
                    NamedCurve::X25519 | NamedCurve::Secp256r1 | NamedCurve::Secp384r1
                ),
                Operation::RsaDecryptRaw
                | Operation::RsaEncryptRaw
                | Operation::EcdhLoad(_)
                | Operation::Dh
                | Operation::Kem(_)
                | Operation::KemLoad(_)
                | Operation::Prf(PrfAlgorithm::Md5Sha1)
                | Operation::Hash(HashAlgorithm::Md5)
                | Operation::Hmac(HashAlgorithm::Md5)
                | Operation::CompressionFunction(_)
                | Operation::Rc4
                | Operation::Cbc(_)
                | Operation::Verify(_)
                | Operation::Sign(_) => true,
                _ => false,
            };
            let alone = Ring.support(operation);
            assert_eq!(alone == Support::Unsupported, left_out, "{operation}");
            let whose = if left_out { RustCrypto.support(operation) } else { alone };
            assert_eq!(backend().support(operation), whose, "{operation}");
        }
    }

    #[test]
    fn ring_alone_returns_unsupported_for_what_it_leaves_out() {
        let md5 = HashAlgorithm::Md5;
        let mut out = [0; 16];
        let unsupported = |operation| Err(Error::Unsupported(operation));
        let ring = Ring.hashing();
        assert_eq!(ring.hash(md5, &[], &mut out), unsupported(Operation::Hash(md5)));
        assert_eq!(ring.hash_context(md5).map(drop), unsupported(Operation::Hash(md5)));
        assert_eq!(ring.hmac(md5, &[], &[], &mut out), unsupported(Operation::Hmac(md5)));
        let prf = PrfAlgorithm::Md5Sha1;
        assert_eq!(ring.prf(prf, &[], &[], &[], &mut out), unsupported(Operation::Prf(prf)));
        let der = include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der");
        let key = RsaPrivateKeyDer::from_der(der).unwrap();
        let loaded = Ring.rsa_decryption().load(&key).map(drop);
        assert_eq!(loaded, unsupported(Operation::RsaDecryptRaw));
        let signing = Ring.signatures().load(&SigningKeyDer::from_der(der).unwrap()).map(drop);
        assert_eq!(signing, unsupported(Operation::Sign(SignatureScheme::RsaSha256)));
        let (modulus, exponent) = (key.modulus(), key.public_exponent());
        let public = PublicKeyParts::Rsa { modulus, exponent }.to_der().unwrap();
        let public = PublicKeyDer::from_der(&public).unwrap();
        let encrypted = Ring.rsa_encryption().encrypt_raw(&public, &[0; 128], &mut [0; 128]);
        assert_eq!(encrypted, unsupported(Operation::RsaEncryptRaw));
        let agreement = Ring.key_agreement();
        let p521 = NamedCurve::Secp521r1;
        let generated = agreement.generate_ecdh(p521).map(drop);
        assert_eq!(generated, unsupported(Operation::Ecdh(p521)));
        let p256 = NamedCurve::Secp256r1;
        let loaded = agreement.load_ecdh(p256, &[1; 32]).map(drop);
        assert_eq!(loaded, unsupported(Operation::EcdhLoad(p256)));
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        assert_eq!(agreement.generate_dh(&group).map(drop), unsupported(Operation::Dh));
        assert_eq!(agreement.load_dh(&group, &[2]).map(drop), unsupported(Operation::Dh));
        let kem = KemAlgorithm::MlKem768;
        let generated = Ring.key_encapsulation().generate_kem(kem).map(drop);
        assert_eq!(generated, unsupported(Operation::Kem(kem)));
        let ccm = AeadAlgorithm::Aes128Ccm;
        let aead = Ring.record_ciphers().aead(ccm, &[0; 16]).map(drop);
        assert_eq!(aead, unsupported(Operation::Aead(ccm)));
    }
}
