//! Backend of ssl-provider on ring, composed with RustCrypto for what ring leaves out on purpose.
//! [`Ring`] is ring alone, without RSA, MD5 and CBC; [`backend`] is the whole.

#![forbid(unsafe_code)]

mod cipher;
mod hash;
mod prf;

use std::sync::LazyLock;

use ring::rand::{SecureRandom, SystemRandom};

use ssl_provider_core::{
    AeadAlgorithm, AeadCipher, BackendInfo, CbcAlgorithm, Composed, Error, FipsStatus,
    HashAlgorithm, HashContext, KeyExchangeBackend, Operation, PrfAlgorithm, SignatureScheme,
    Support,
};
use ssl_provider_rustcrypto::RustCrypto;

/// The name of the backend.
const NAME: &str = "ring";

/// The release series that is linked, as in `ssl-provider-rustcrypto`: ring exports no version.
const VERSION: &str = "0.17";

/// Who does what in the composition.
static SUPPORT: [(Operation, Support); 39] = [
    (Operation::RsaDecryptRaw, Support::By("RustCrypto")),
    (Operation::Prf(PrfAlgorithm::Md5Sha1), Support::By("RustCrypto")),
    (Operation::Prf(PrfAlgorithm::Sha256), Support::By("ring")),
    (Operation::Prf(PrfAlgorithm::Sha384), Support::By("ring")),
    (Operation::Hash(HashAlgorithm::Md5), Support::By("RustCrypto")),
    (Operation::Hash(HashAlgorithm::Sha1), Support::By("ring")),
    (Operation::Hash(HashAlgorithm::Sha256), Support::By("ring")),
    (Operation::Hash(HashAlgorithm::Sha384), Support::By("ring")),
    (Operation::Hmac(HashAlgorithm::Md5), Support::By("RustCrypto")),
    (Operation::Hmac(HashAlgorithm::Sha1), Support::By("ring")),
    (Operation::Hmac(HashAlgorithm::Sha256), Support::By("ring")),
    (Operation::Hmac(HashAlgorithm::Sha384), Support::By("ring")),
    (Operation::CompressionFunction(HashAlgorithm::Md5), Support::By("RustCrypto")),
    (Operation::CompressionFunction(HashAlgorithm::Sha1), Support::By("RustCrypto")),
    (Operation::CompressionFunction(HashAlgorithm::Sha256), Support::By("RustCrypto")),
    (Operation::CompressionFunction(HashAlgorithm::Sha384), Support::By("RustCrypto")),
    (Operation::Rc4, Support::By("RustCrypto")),
    (Operation::Cbc(CbcAlgorithm::Des), Support::By("RustCrypto")),
    (Operation::Cbc(CbcAlgorithm::TripleDes), Support::By("RustCrypto")),
    (Operation::Cbc(CbcAlgorithm::Aes128), Support::By("RustCrypto")),
    (Operation::Cbc(CbcAlgorithm::Aes256), Support::By("RustCrypto")),
    (Operation::Cbc(CbcAlgorithm::Camellia128), Support::By("RustCrypto")),
    (Operation::Cbc(CbcAlgorithm::Camellia256), Support::By("RustCrypto")),
    (Operation::Aead(AeadAlgorithm::Aes128Gcm), Support::By("ring")),
    (Operation::Aead(AeadAlgorithm::Aes256Gcm), Support::By("ring")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm), Support::By("RustCrypto")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm), Support::By("RustCrypto")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm8), Support::By("RustCrypto")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm8), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::RsaMd5Sha1), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::RsaSha1), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::RsaSha256), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::RsaSha384), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::RsaSha512), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::EcdsaSha1), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::EcdsaSha256), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::EcdsaSha384), Support::By("RustCrypto")),
    (Operation::Verify(SignatureScheme::EcdsaSha512), Support::By("RustCrypto")),
    (Operation::Random, Support::By("ring")),
];

/// What ring does by itself; the rest is unsupported.
static SUPPORT_ALONE: [(Operation, Support); 11] = [
    (Operation::Prf(PrfAlgorithm::Sha256), Support::By("ring")),
    (Operation::Prf(PrfAlgorithm::Sha384), Support::By("ring")),
    (Operation::Hash(HashAlgorithm::Sha1), Support::By("ring")),
    (Operation::Hash(HashAlgorithm::Sha256), Support::By("ring")),
    (Operation::Hash(HashAlgorithm::Sha384), Support::By("ring")),
    (Operation::Hmac(HashAlgorithm::Sha1), Support::By("ring")),
    (Operation::Hmac(HashAlgorithm::Sha256), Support::By("ring")),
    (Operation::Hmac(HashAlgorithm::Sha384), Support::By("ring")),
    (Operation::Aead(AeadAlgorithm::Aes128Gcm), Support::By("ring")),
    (Operation::Aead(AeadAlgorithm::Aes256Gcm), Support::By("ring")),
    (Operation::Random, Support::By("ring")),
];

static INFO_ALONE: LazyLock<BackendInfo> = LazyLock::new(|| BackendInfo {
    name: NAME,
    provider_name: "ssl-provider ring Provider without RSA",
    library: format!("ring {VERSION}"),
    rsa: None,
    fips: FipsStatus::NotValidated,
    support: &SUPPORT_ALONE,
});

static BACKEND: LazyLock<Composed<Ring>> = LazyLock::new(|| {
    let info = BackendInfo {
        name: NAME,
        provider_name: "ssl-provider ring Provider",
        library: format!("ring {VERSION} with {}", RustCrypto.info().library),
        rsa: RustCrypto.info().rsa,
        fips: FipsStatus::NotValidated,
        support: &SUPPORT,
    };
    Composed::new(info, Ring, ssl_provider_rustcrypto::backend())
});

/// The backend: ring, and RustCrypto for the RSA private operation, everything with MD5, the
/// compression functions of hashes, and the ciphers that ring lacks.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &*BACKEND
}

/// ring alone. It answers [`Error::Unsupported`] for RSA and MD5, so it cannot import master keys,
/// and for every cipher of records but AES-GCM.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ring;

impl KeyExchangeBackend for Ring {
    fn info(&self) -> &BackendInfo {
        &INFO_ALONE
    }

    fn random(&self, out: &mut [u8]) -> Result<(), Error> {
        SystemRandom::new().fill(out).map_err(|_| Error::Random)
    }

    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        hash::hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        hash::context(hash)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        prf::hmac(hash, key, input, out)
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        prf::prf(prf, secret, label, seed, out)
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        cipher::aead(cipher, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_the_requirement_of_the_manifest() {
        let manifest = include_str!("../../../Cargo.toml");
        assert!(manifest.contains(&format!("\nring = \"{VERSION}.")), "ring is not {VERSION}");
    }

    #[test]
    fn ring_alone_leaves_out_rsa_md5_signatures_compression_and_all_ciphers_but_gcm() {
        let gcm = [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm].map(Operation::Aead);
        for operation in Operation::ALL {
            let left_out = match operation {
                Operation::Aead(_) => !gcm.contains(&operation),
                Operation::RsaDecryptRaw
                | Operation::Prf(PrfAlgorithm::Md5Sha1)
                | Operation::Hash(HashAlgorithm::Md5)
                | Operation::Hmac(HashAlgorithm::Md5)
                | Operation::CompressionFunction(_)
                | Operation::Rc4
                | Operation::Cbc(_)
                | Operation::Verify(_) => true,
                _ => false,
            };
            let alone = Ring.info().support(operation);
            assert_eq!(alone == Support::Unsupported, left_out, "{operation}");
            let whose = if left_out { "RustCrypto" } else { "ring" };
            assert_eq!(backend().info().support(operation), Support::By(whose), "{operation}");
        }
    }

    #[test]
    fn ring_alone_answers_unsupported_for_what_it_leaves_out() {
        let md5 = HashAlgorithm::Md5;
        let mut out = [0; 16];
        let unsupported = |operation| Err(Error::Unsupported(operation));
        assert_eq!(Ring.hash(md5, &[], &mut out), unsupported(Operation::Hash(md5)));
        assert_eq!(Ring.hash_context(md5).map(drop), unsupported(Operation::Hash(md5)));
        assert_eq!(Ring.hmac(md5, &[], &[], &mut out), unsupported(Operation::Hmac(md5)));
        let prf = PrfAlgorithm::Md5Sha1;
        assert_eq!(Ring.prf(prf, &[], &[], &[], &mut out), unsupported(Operation::Prf(prf)));
        let der = include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der");
        let key = ssl_provider_core::RsaPrivateKeyDer::from_der(der).unwrap();
        let loaded = Ring.load_rsa_private_key(&key).map(drop);
        assert_eq!(loaded, unsupported(Operation::RsaDecryptRaw));
        let ccm = AeadAlgorithm::Aes128Ccm;
        assert_eq!(Ring.aead(ccm, &[0; 16]).map(drop), unsupported(Operation::Aead(ccm)));
    }
}
