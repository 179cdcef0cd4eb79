//! Backend of ssl-provider on the RustCrypto crates: `rsa`, `hmac`, the hashes and the ciphers.
//! All of it is Rust, so it builds where there is no C compiler.

#![forbid(unsafe_code)]

mod cipher;
mod hash;
mod prf;
mod rsa;
mod signature;

use std::sync::LazyLock;

use getrandom::SysRng;
use getrandom::rand_core::TryRng;

use ssl_provider_core::{
    AeadAlgorithm, AeadCipher, BackendInfo, CbcAlgorithm, CbcCipher, CompressionFunction,
    ConstantTime, Error, FipsStatus, HashAlgorithm, HashContext, KeyExchangeBackend, Operation,
    PrfAlgorithm, PublicKeyDer, RsaInfo, RsaPrivateKey, RsaPrivateKeyDer, SignatureScheme,
    StreamCipher, Support,
};

/// The name of the backend.
const NAME: &str = "rustcrypto";

/// The release series that are linked. The crates do not export their versions, and which release
/// of a series it is, only the lock file of the final program knows. A test compares this with the
/// requirements of the manifest.
const VERSIONS: [(&str, &str); 12] = [
    ("rsa", "0.10"),
    ("hmac", "0.13"),
    ("sha2", "0.11"),
    ("sha1", "0.11"),
    ("md-5", "0.11"),
    ("aes", "0.9"),
    ("aes-gcm", "0.11"),
    ("ccm", "0.6"),
    ("cbc", "0.2"),
    ("des", "0.9"),
    ("camellia", "0.2"),
    ("rc4", "0.2"),
];

/// The properties of the RSA private operation of the `rsa` crate.
///
/// RUSTSEC-2023-0071 (Marvin) says that its time may reveal the plaintext. Its authors state that
/// 0.10 is fixed; the advisory named no patched release when it was last read (2026-11-22).
pub const RSA_INFO: RsaInfo = RsaInfo {
    implementation: "RustCrypto rsa",
    assembly: false,
    constant_time: ConstantTime::Disputed,
    blinding: true,
    fault_check: true,
};

static SUPPORT: [(Operation, Support); 39] = [
    (Operation::RsaDecryptRaw, Support::By("rsa")),
    (Operation::Prf(PrfAlgorithm::Md5Sha1), Support::By("hmac")),
    (Operation::Prf(PrfAlgorithm::Sha256), Support::By("hmac")),
    (Operation::Prf(PrfAlgorithm::Sha384), Support::By("hmac")),
    (Operation::Hash(HashAlgorithm::Md5), Support::By("md-5")),
    (Operation::Hash(HashAlgorithm::Sha1), Support::By("sha1")),
    (Operation::Hash(HashAlgorithm::Sha256), Support::By("sha2")),
    (Operation::Hash(HashAlgorithm::Sha384), Support::By("sha2")),
    (Operation::Hmac(HashAlgorithm::Md5), Support::By("hmac")),
    (Operation::Hmac(HashAlgorithm::Sha1), Support::By("hmac")),
    (Operation::Hmac(HashAlgorithm::Sha256), Support::By("hmac")),
    (Operation::Hmac(HashAlgorithm::Sha384), Support::By("hmac")),
    (Operation::CompressionFunction(HashAlgorithm::Md5), Support::By("md-5")),
    (Operation::CompressionFunction(HashAlgorithm::Sha1), Support::By("sha1")),
    (Operation::CompressionFunction(HashAlgorithm::Sha256), Support::By("sha2")),
    (Operation::CompressionFunction(HashAlgorithm::Sha384), Support::By("sha2")),
    (Operation::Rc4, Support::By("rc4")),
    (Operation::Cbc(CbcAlgorithm::Des), Support::By("des")),
    (Operation::Cbc(CbcAlgorithm::TripleDes), Support::By("des")),
    (Operation::Cbc(CbcAlgorithm::Aes128), Support::By("aes")),
    (Operation::Cbc(CbcAlgorithm::Aes256), Support::By("aes")),
    (Operation::Cbc(CbcAlgorithm::Camellia128), Support::By("camellia")),
    (Operation::Cbc(CbcAlgorithm::Camellia256), Support::By("camellia")),
    (Operation::Aead(AeadAlgorithm::Aes128Gcm), Support::By("aes-gcm")),
    (Operation::Aead(AeadAlgorithm::Aes256Gcm), Support::By("aes-gcm")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm), Support::By("ccm")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm), Support::By("ccm")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm8), Support::By("ccm")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm8), Support::By("ccm")),
    (Operation::Verify(SignatureScheme::RsaMd5Sha1), Support::By("rsa")),
    (Operation::Verify(SignatureScheme::RsaSha1), Support::By("rsa")),
    (Operation::Verify(SignatureScheme::RsaSha256), Support::By("rsa")),
    (Operation::Verify(SignatureScheme::RsaSha384), Support::By("rsa")),
    (Operation::Verify(SignatureScheme::RsaSha512), Support::By("rsa")),
    (Operation::Verify(SignatureScheme::EcdsaSha1), Support::By("p256, p384 and p521")),
    (Operation::Verify(SignatureScheme::EcdsaSha256), Support::By("p256, p384 and p521")),
    (Operation::Verify(SignatureScheme::EcdsaSha384), Support::By("p256, p384 and p521")),
    (Operation::Verify(SignatureScheme::EcdsaSha512), Support::By("p256, p384 and p521")),
    (Operation::Random, Support::By("getrandom")),
];

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| BackendInfo {
    name: NAME,
    provider_name: "ssl-provider RustCrypto Provider",
    library: VERSIONS.map(|(name, version)| format!("{name} {version}")).join(", "),
    rsa: Some(RSA_INFO),
    fips: FipsStatus::NotValidated,
    support: &SUPPORT,
});

/// The backend.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &RustCrypto
}

/// The RustCrypto crates as a backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl KeyExchangeBackend for RustCrypto {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn random(&self, out: &mut [u8]) -> Result<(), Error> {
        SysRng.try_fill_bytes(out).map_err(|_| Error::Random)
    }

    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        hash::hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Ok(hash::context(hash))
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        Ok(hash::compression_function(hash))
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
        prf::prf(prf, secret, label, seed, out);
        Ok(())
    }

    fn load_rsa_private_key(
        &self,
        key: &RsaPrivateKeyDer<'_>,
    ) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(rsa::Key::load(key)?))
    }

    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        cipher::rc4(key)
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        cipher::cbc(cipher, key)
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        cipher::aead(cipher, key)
    }

    fn verify_signature(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        signature::verify(key, scheme, digest, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_requirements_of_the_manifest() {
        let manifest = include_str!("../../../Cargo.toml");
        for (name, version) in VERSIONS {
            let entry = format!("\n{name} = {{ version = \"{version}\",");
            assert!(manifest.contains(&entry), "{name} is not {version}");
        }
    }
}
