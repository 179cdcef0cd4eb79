//! Backend of ssl-provider on the RustCrypto crates: RSA, curves, hashes and ciphers.
//! All of it is Rust, so it builds where there is no C compiler.

#![forbid(unsafe_code)]

mod agreement;
mod cipher;
mod hash;
mod number;
mod prf;
mod random;
mod rsa;
mod signature;

use std::sync::LazyLock;

use ssl_provider_core::backend::KeyExchangeBackend;
use ssl_provider_core::{BackendInfo, ConstantTime, HashAlgorithm, Operation, RsaInfo, Support};

/// The name of the backend.
const NAME: &str = "rustcrypto";

/// The release series that are linked, each with the file that uses it. The crates do not export
/// their versions, and which release of a series it is, only the lock file of the final program
/// knows. A test compares this with the requirements of the manifest.
const VERSIONS: [&[(&str, &str)]; 4] =
    [rsa::CRATES, agreement::CRATES, hash::CRATES, cipher::CRATES];

/// The properties of the RSA private operation of the `rsa` crate.
///
/// RUSTSEC-2023-0071 (Marvin) states that its time may reveal the plaintext. Its authors state that
/// 0.10 is fixed; as of 2026-11-22 the advisory lists no patched release.
pub const RSA_INFO: RsaInfo = RsaInfo {
    implementation: "RustCrypto rsa",
    assembly: false,
    constant_time: ConstantTime::Disputed,
    blinding: true,
    fault_check: true,
};

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| {
    let crates = VERSIONS.concat();
    let crates: Vec<_> = crates.iter().map(|(name, series)| format!("{name} {series}")).collect();
    let library = crates.join(", ");
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
            Operation::RsaDecryptRaw | Operation::RsaEncryptRaw => "rsa",
            Operation::Ecdh(curve) | Operation::EcdhLoad(curve) => {
                match agreement::ecdh_crate(curve) {
                    Some(name) => name,
                    None => return Support::Unsupported,
                }
            }
            Operation::Dh => "crypto-bigint",
            Operation::Hmac(_) | Operation::Prf(_) => "hmac",
            Operation::Hash(hash) | Operation::CompressionFunction(hash) => match hash {
                HashAlgorithm::Md5 => "md-5",
                HashAlgorithm::Sha1 => "sha1",
                _ => "sha2",
            },
            Operation::Rc4 => "rc4",
            Operation::Cbc(cipher) => cipher::cbc_crate(cipher),
            Operation::Aead(cipher) => cipher::aead_crate(cipher),
            Operation::Verify(scheme) | Operation::Sign(scheme) if scheme.is_rsa() => "rsa",
            Operation::Verify(_) | Operation::Sign(_) => "p256, p384 and p521",
            _ => return Support::Unsupported,
        })
    }

    ssl_provider_core::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, record_ciphers, signatures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_requirements_of_the_manifests() {
        let manifest = concat!(include_str!("../../../Cargo.toml"), include_str!("../Cargo.toml"));
        for (name, version) in VERSIONS.concat() {
            let entry = format!("\n{name} = {{ version = \"{version}\",");
            assert!(manifest.contains(&entry), "{name} is not {version}");
        }
    }
}
