//! Backend of ssl-provider on OpenSSL: the system's, or one built from source (feature `vendored`).
//! The `openssl` crate does most of it; the hashes under the PRF and key agreement are called
//! directly, for speed.

mod agreement;
mod cipher;
mod ec;
mod hash;
mod kem;
mod prf;
mod random;
#[cfg(not(openssl_without_rc4))]
mod rc4;
mod rsa;
mod signature;

use std::sync::LazyLock;

use openssl::error::ErrorStack;
use openssl::version;

use ssl_provider_core::backend::KeyExchangeBackend;
use ssl_provider_core::{BackendInfo, ConstantTime, Error, Operation, RsaInfo, Support};

/// The name of the backend.
const NAME: &str = "openssl";

/// OpenSSL 3.0.8 is the first of its line without CVE-2022-4304, a timing oracle in RSA decryption.
const CONSTANT_TIME_SINCE: i64 = 0x3000_0080;

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| {
    let constant_time = if version::number() >= CONSTANT_TIME_SINCE {
        ConstantTime::Claimed
    } else {
        ConstantTime::Disputed
    };
    let rsa = RsaInfo::new("OpenSSL", constant_time)
        .with_assembly(true)
        .with_blinding(true)
        // OpenSSL raises the result to e, and computes again without the primes when that differs.
        .with_fault_check(true);
    let library = version::version().to_owned();
    BackendInfo::new(NAME, "ssl-provider OpenSSL Provider", library).with_rsa(Some(rsa))
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

    fn support(&self, operation: Operation) -> Support {
        match operation {
            // HMAC and PRF are put together here from its hashes.
            Operation::Hmac(_) | Operation::Prf(_) => Support::By("OpenSSL hashes"),
            // What the OpenSSL at hand has is known at run time only.
            Operation::Ecdh(curve) | Operation::EcdhLoad(curve)
                if !agreement::is_built_in(curve) =>
            {
                Support::Unsupported
            }
            Operation::Kem(kem) | Operation::KemLoad(kem) if !kem::is_built_in(kem) => {
                Support::Unsupported
            }
            _ if cipher::is_built_in(operation) => Support::By("OpenSSL"),
            _ => Support::Unsupported,
        }
    }

    ssl_provider_core::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, key_encapsulation,
        record_ciphers, signatures
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
