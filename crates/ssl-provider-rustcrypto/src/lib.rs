//! Backend of ssl-provider on the RustCrypto crates: `rsa`, `hmac`, the hashes and the ciphers.
//! All of it is Rust, so it builds where there is no C compiler.

#![forbid(unsafe_code)]

mod cipher;
mod hash;
mod prf;
mod random;
mod rsa;
mod signature;

use std::sync::LazyLock;

use ssl_provider_core::backend::{
    Hashing, KeyExchangeBackend, RecordCiphers, RsaDecryption, SecureRandom, Signatures,
};
use ssl_provider_core::{
    AeadAlgorithm, BackendInfo, CbcAlgorithm, ConstantTime, HashAlgorithm, Operation, RsaInfo,
    Support,
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

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| {
    let library = VERSIONS.map(|(name, version)| format!("{name} {version}")).join(", ");
    BackendInfo::new(NAME, "ssl-provider RustCrypto Provider", library).with_rsa(Some(RSA_INFO))
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

    fn support(&self, operation: Operation) -> Support {
        Support::By(match operation {
            Operation::Random => "getrandom",
            Operation::RsaDecryptRaw => "rsa",
            Operation::Hmac(_) | Operation::Prf(_) => "hmac",
            Operation::Hash(hash) | Operation::CompressionFunction(hash) => match hash {
                HashAlgorithm::Md5 => "md-5",
                HashAlgorithm::Sha1 => "sha1",
                _ => "sha2",
            },
            Operation::Rc4 => "rc4",
            Operation::Cbc(CbcAlgorithm::Des | CbcAlgorithm::TripleDes) => "des",
            Operation::Cbc(CbcAlgorithm::Camellia128 | CbcAlgorithm::Camellia256) => "camellia",
            Operation::Cbc(_) => "aes",
            Operation::Aead(AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm) => "aes-gcm",
            Operation::Aead(_) => "ccm",
            Operation::Verify(scheme) if scheme.is_rsa() => "rsa",
            Operation::Verify(_) => "p256, p384 and p521",
            _ => return Support::Unsupported,
        })
    }

    fn random(&self) -> &dyn SecureRandom {
        self
    }

    fn hashing(&self) -> &dyn Hashing {
        self
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self
    }

    fn signatures(&self) -> &dyn Signatures {
        self
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
