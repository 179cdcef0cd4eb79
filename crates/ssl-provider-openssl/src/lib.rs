//! Backend of ssl-provider on OpenSSL: the system's, or one built from source (feature `vendored`).
//! The `openssl` crate does most of it; the hashes under the PRF are called directly, for speed.

mod cipher;
mod hash;
mod prf;
#[cfg(not(openssl_without_rc4))]
mod rc4;
mod rsa;
mod signature;

use std::sync::LazyLock;

use openssl::error::ErrorStack;
use openssl::{rand, version};

#[cfg(not(openssl_without_rc4))]
use ssl_provider_core::StreamCipher;
use ssl_provider_core::{
    AeadAlgorithm, AeadCipher, BackendInfo, CbcAlgorithm, CbcCipher, CompressionFunction,
    ConstantTime, Error, FipsStatus, HashAlgorithm, HashContext, KeyExchangeBackend, Operation,
    PrfAlgorithm, PublicKeyDer, RsaInfo, RsaPrivateKey, RsaPrivateKeyDer, SignatureScheme, Support,
};

/// The name of the backend.
const NAME: &str = "openssl";

/// OpenSSL 3.0.8 is the first of its line without CVE-2022-4304, a timing oracle in RSA decryption.
const CONSTANT_TIME_SINCE: i64 = 0x3000_0080;

/// Everything is OpenSSL's own, but that HMAC and PRF are put together here from its hashes.
static COMPLETE: [(Operation, Support); 39] = [
    (Operation::RsaDecryptRaw, Support::By("OpenSSL")),
    (Operation::Prf(PrfAlgorithm::Md5Sha1), Support::By("OpenSSL hashes")),
    (Operation::Prf(PrfAlgorithm::Sha256), Support::By("OpenSSL hashes")),
    (Operation::Prf(PrfAlgorithm::Sha384), Support::By("OpenSSL hashes")),
    (Operation::Hash(HashAlgorithm::Md5), Support::By("OpenSSL")),
    (Operation::Hash(HashAlgorithm::Sha1), Support::By("OpenSSL")),
    (Operation::Hash(HashAlgorithm::Sha256), Support::By("OpenSSL")),
    (Operation::Hash(HashAlgorithm::Sha384), Support::By("OpenSSL")),
    (Operation::Hmac(HashAlgorithm::Md5), Support::By("OpenSSL hashes")),
    (Operation::Hmac(HashAlgorithm::Sha1), Support::By("OpenSSL hashes")),
    (Operation::Hmac(HashAlgorithm::Sha256), Support::By("OpenSSL hashes")),
    (Operation::Hmac(HashAlgorithm::Sha384), Support::By("OpenSSL hashes")),
    (Operation::CompressionFunction(HashAlgorithm::Md5), Support::By("OpenSSL")),
    (Operation::CompressionFunction(HashAlgorithm::Sha1), Support::By("OpenSSL")),
    (Operation::CompressionFunction(HashAlgorithm::Sha256), Support::By("OpenSSL")),
    (Operation::CompressionFunction(HashAlgorithm::Sha384), Support::By("OpenSSL")),
    (Operation::Rc4, Support::By("OpenSSL")),
    (Operation::Cbc(CbcAlgorithm::Des), Support::By("OpenSSL")),
    (Operation::Cbc(CbcAlgorithm::TripleDes), Support::By("OpenSSL")),
    (Operation::Cbc(CbcAlgorithm::Aes128), Support::By("OpenSSL")),
    (Operation::Cbc(CbcAlgorithm::Aes256), Support::By("OpenSSL")),
    (Operation::Cbc(CbcAlgorithm::Camellia128), Support::By("OpenSSL")),
    (Operation::Cbc(CbcAlgorithm::Camellia256), Support::By("OpenSSL")),
    (Operation::Aead(AeadAlgorithm::Aes128Gcm), Support::By("OpenSSL")),
    (Operation::Aead(AeadAlgorithm::Aes256Gcm), Support::By("OpenSSL")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm), Support::By("OpenSSL")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm), Support::By("OpenSSL")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm8), Support::By("OpenSSL")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm8), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::RsaMd5Sha1), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::RsaSha1), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::RsaSha256), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::RsaSha384), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::RsaSha512), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::EcdsaSha1), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::EcdsaSha256), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::EcdsaSha384), Support::By("OpenSSL")),
    (Operation::Verify(SignatureScheme::EcdsaSha512), Support::By("OpenSSL")),
    (Operation::Random, Support::By("OpenSSL")),
];

/// The ciphers that the OpenSSL at hand was built without are known at run time only.
static SUPPORT: LazyLock<Vec<(Operation, Support)>> = LazyLock::new(|| {
    COMPLETE.into_iter().filter(|(operation, _)| cipher::is_built_in(*operation)).collect()
});

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| BackendInfo {
    name: NAME,
    provider_name: "ssl-provider OpenSSL Provider",
    library: version::version().to_owned(),
    rsa: Some(RsaInfo {
        implementation: "OpenSSL",
        assembly: true,
        constant_time: if version::number() >= CONSTANT_TIME_SINCE {
            ConstantTime::Claimed
        } else {
            ConstantTime::Disputed
        },
        blinding: true,
        // OpenSSL raises the result to e, and computes again without the primes when that differs.
        fault_check: true,
    }),
    fips: FipsStatus::NotValidated,
    support: &SUPPORT,
});

/// The backend.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &OpenSsl
}

/// OpenSSL as a backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSsl;

impl KeyExchangeBackend for OpenSsl {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn random(&self, out: &mut [u8]) -> Result<(), Error> {
        // OpenSSL takes a C int for the length.
        out.chunks_mut(1 << 20).try_for_each(rand::rand_priv_bytes).map_err(|_| Error::Random)
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

    #[cfg(not(openssl_without_rc4))]
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        Ok(rc4::Rc4::new(key)?)
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

/// Translates OpenSSL's errors, which the `openssl` crate has taken off the thread's queue.
fn failure(errors: ErrorStack) -> Error {
    // The number is a C unsigned long, which has 32 bits on some systems.
    #[allow(clippy::unnecessary_cast)]
    let code = errors.errors().first().map_or(0, |error| error.code() as u64);
    Error::Backend { backend: NAME, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A feature of the `openssl` crate, turned on anywhere in a build, would put AWS-LC in
    /// OpenSSL's place, and backends would be compared with themselves.
    #[test]
    fn the_library_is_openssl() {
        let library = &backend().info().library;
        assert!(library.starts_with("OpenSSL "), "{library}");
    }
}
