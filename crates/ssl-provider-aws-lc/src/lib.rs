//! Backend of ssl-provider on AWS-LC: random numbers through `aws-lc-rs`, the rest through its C
//! interface, for want of a safe RSA operation without padding, MD5, RC4, CBC and the old PRF.

mod cipher;
mod compression;
mod hash;
mod prf;
mod rsa;
mod signature;

use std::ffi::{CStr, c_int};
use std::sync::LazyLock;

use aws_lc_rs::rand;
use aws_lc_sys::{ERR_clear_error, ERR_get_error, OPENSSL_VERSION, OpenSSL_version};

use ssl_provider_core::{
    AeadAlgorithm, AeadCipher, BackendInfo, CbcAlgorithm, CbcCipher, CompressionFunction,
    ConstantTime, Error, FipsStatus, HashAlgorithm, HashContext, KeyExchangeBackend, Operation,
    PrfAlgorithm, PublicKeyDer, RsaInfo, RsaPrivateKey, RsaPrivateKeyDer, SignatureScheme,
    StreamCipher, Support,
};

/// The name of the backend.
const NAME: &str = "aws-lc";

/// Camellia is not in AWS-LC.
static SUPPORT: [(Operation, Support); 37] = [
    (Operation::RsaDecryptRaw, Support::By("AWS-LC")),
    (Operation::Prf(PrfAlgorithm::Md5Sha1), Support::By("AWS-LC")),
    (Operation::Prf(PrfAlgorithm::Sha256), Support::By("AWS-LC")),
    (Operation::Prf(PrfAlgorithm::Sha384), Support::By("AWS-LC")),
    (Operation::Hash(HashAlgorithm::Md5), Support::By("AWS-LC")),
    (Operation::Hash(HashAlgorithm::Sha1), Support::By("AWS-LC")),
    (Operation::Hash(HashAlgorithm::Sha256), Support::By("AWS-LC")),
    (Operation::Hash(HashAlgorithm::Sha384), Support::By("AWS-LC")),
    (Operation::Hmac(HashAlgorithm::Md5), Support::By("AWS-LC")),
    (Operation::Hmac(HashAlgorithm::Sha1), Support::By("AWS-LC")),
    (Operation::Hmac(HashAlgorithm::Sha256), Support::By("AWS-LC")),
    (Operation::Hmac(HashAlgorithm::Sha384), Support::By("AWS-LC")),
    (Operation::CompressionFunction(HashAlgorithm::Md5), Support::By("AWS-LC")),
    (Operation::CompressionFunction(HashAlgorithm::Sha1), Support::By("AWS-LC")),
    (Operation::CompressionFunction(HashAlgorithm::Sha256), Support::By("AWS-LC")),
    (Operation::CompressionFunction(HashAlgorithm::Sha384), Support::By("AWS-LC")),
    (Operation::Rc4, Support::By("AWS-LC")),
    (Operation::Cbc(CbcAlgorithm::Des), Support::By("AWS-LC")),
    (Operation::Cbc(CbcAlgorithm::TripleDes), Support::By("AWS-LC")),
    (Operation::Cbc(CbcAlgorithm::Aes128), Support::By("AWS-LC")),
    (Operation::Cbc(CbcAlgorithm::Aes256), Support::By("AWS-LC")),
    (Operation::Aead(AeadAlgorithm::Aes128Gcm), Support::By("AWS-LC")),
    (Operation::Aead(AeadAlgorithm::Aes256Gcm), Support::By("AWS-LC")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm), Support::By("AWS-LC")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm), Support::By("AWS-LC")),
    (Operation::Aead(AeadAlgorithm::Aes128Ccm8), Support::By("AWS-LC")),
    (Operation::Aead(AeadAlgorithm::Aes256Ccm8), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::RsaMd5Sha1), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::RsaSha1), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::RsaSha256), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::RsaSha384), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::RsaSha512), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::EcdsaSha1), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::EcdsaSha256), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::EcdsaSha384), Support::By("AWS-LC")),
    (Operation::Verify(SignatureScheme::EcdsaSha512), Support::By("AWS-LC")),
    (Operation::Random, Support::By("AWS-LC")),
];

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| BackendInfo {
    name: NAME,
    provider_name: "ssl-provider AWS-LC Provider",
    library: library_version(),
    rsa: Some(RsaInfo {
        implementation: "AWS-LC",
        assembly: true,
        constant_time: ConstantTime::Claimed,
        blinding: true,
        fault_check: true,
    }),
    fips: FipsStatus::NotValidated,
    support: &SUPPORT,
});

/// The backend.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &AwsLc
}

/// AWS-LC as a backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl KeyExchangeBackend for AwsLc {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn random(&self, out: &mut [u8]) -> Result<(), Error> {
        rand::fill(out).map_err(|_| Error::Random)
    }

    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        hash::hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        hash::context(hash)
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        Ok(compression::compression_function(hash))
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

/// Translates AWS-LC's usual answer, where 1 is success.
fn succeeded(answer: c_int) -> Result<(), Error> {
    if answer == 1 { Ok(()) } else { Err(failure()) }
}

/// Takes the first error off the thread's queue, and empties it, so that nobody takes what is left
/// for their own later.
fn failure() -> Error {
    // SAFETY: the queue is the thread's own, and the call takes no pointer.
    let code = unsafe { ERR_get_error() };
    // SAFETY: as above.
    unsafe { ERR_clear_error() };
    Error::Backend { backend: NAME, code: code.into() }
}

fn library_version() -> String {
    // SAFETY: the call takes no pointer.
    let text = unsafe { OpenSSL_version(OPENSSL_VERSION) };
    // SAFETY: AWS-LC returns a string constant that ends in NUL, whatever the argument.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_reports_itself_and_the_version_it_was_built_as() {
        let library = &backend().info().library;
        let built = CStr::from_bytes_until_nul(aws_lc_sys::AWSLC_VERSION_NUMBER_STRING).unwrap();
        assert_eq!(*library, format!("AWS-LC {}", built.to_str().unwrap()));
    }
}
