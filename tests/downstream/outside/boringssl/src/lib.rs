//! A backend of ssl-provider on BoringSSL. What BoringSSL lacks is unsupported here: Camellia, CCM
//! with nonces of 12 bytes, secp256k1 and the brainpool curves. So are the compression functions of
//! hashes, which its crate leaves out, and ML-KEM.

mod agreement;
mod cipher;
mod hash;
mod rsa;
mod signature;

use boring::error::ErrorStack;
use ssl_provider::backend::{KeyExchangeBackend, SecureRandom};
use ssl_provider::{Backend, BackendInfo, ConstantTime, Error, Operation, RsaInfo, Support};

/// The name of the backend.
pub const NAME: &str = "boringssl";

/// Makes the backend, with an identity of its own each time.
pub fn backend() -> Backend {
    let rsa = RsaInfo::new("BoringSSL", ConstantTime::Claimed)
        .with_assembly(true)
        .with_blinding(true)
        .with_fault_check(true);
    // It has no releases of its own; the crate has. The number is that of the interface.
    let library = format!("BoringSSL of boring 5 (interface {:x})", boring::version::number());
    let info = BackendInfo::new(NAME, "BoringSSL Provider", library).with_rsa(Some(rsa));
    Backend::new(BoringSsl(info))
}

/// BoringSSL.
#[derive(Debug)]
struct BoringSsl(BackendInfo);

impl KeyExchangeBackend for BoringSsl {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, operation: Operation) -> Support {
        let is_missing = match operation {
            Operation::CompressionFunction(_) | Operation::Kem(_) | Operation::KemLoad(_) => true,
            Operation::Cbc(algorithm) => cipher::cbc(algorithm).is_none(),
            Operation::Aead(algorithm) => cipher::aead(algorithm).is_none(),
            Operation::Ecdh(curve) | Operation::EcdhLoad(curve) => !agreement::has(curve),
            _ => false,
        };
        if is_missing { Support::Unsupported } else { Support::By("BoringSSL") }
    }

    ssl_provider::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, record_ciphers, signatures
    }
}

impl SecureRandom for BoringSsl {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        boring::rand::rand_bytes(out).map_err(|_| Error::Random)
    }
}

/// The last error of BoringSSL, by its reason. The queue of errors is empty then.
fn failure(errors: ErrorStack) -> Error {
    let reason = errors.errors().last().map_or(0, |error| error.reason_code());
    let code = u64::try_from(reason).unwrap_or(0);
    Error::Backend { backend: NAME, code }
}

/// The result of a C function that returns 1 for success.
fn check(result: i32) -> Result<(), ErrorStack> {
    if result == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}
