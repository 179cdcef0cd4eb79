//! A backend of ssl-provider on Botan, through its Rust crate, which has no `unsafe` to be written
//! here. Botan does everything itself but the compression functions of hashes, which it keeps to
//! itself: records with CBC then take longer (Lucky Thirteen). Its ML-KEM is not bound here.

#![forbid(unsafe_code)]

mod agreement;
mod cipher;
mod hash;
mod rsa;
mod signature;

use botan::{MPI, Privkey, RandomNumberGenerator, Version};
use ssl_provider::backend::{KeyExchangeBackend, SecureRandom};
use ssl_provider::{Backend, BackendInfo, ConstantTime, Error, Operation, RsaInfo, Support};

/// The name of the backend.
pub const NAME: &str = "botan";

/// Makes the backend, with an identity of its own each time.
pub fn backend() -> Backend {
    let version = Version::current().map_or_else(
        |_| "Botan of an unknown version, at least 2.13".to_owned(),
        |version| version.string,
    );
    // Not `Claimed`: the interface returns the block without its leading zeros.
    let rsa = RsaInfo::new("Botan", ConstantTime::Disputed)
        .with_assembly(true)
        .with_blinding(true)
        .with_fault_check(true);
    Backend::new(Botan(BackendInfo::new(NAME, "Botan Provider", version).with_rsa(Some(rsa))))
}

/// Botan.
#[derive(Debug)]
struct Botan(BackendInfo);

impl KeyExchangeBackend for Botan {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::CompressionFunction(_) | Operation::Kem(_) | Operation::KemLoad(_) => {
                Support::Unsupported
            }
            Operation::Aead(cipher) if cipher::aead_name(cipher).is_none() => Support::Unsupported,
            Operation::Cbc(cipher) if cipher::cbc_name(cipher).is_none() => Support::Unsupported,
            Operation::Ecdh(curve) | Operation::EcdhLoad(curve)
                if agreement::name(curve).is_none() =>
            {
                Support::Unsupported
            }
            _ => Support::By("Botan"),
        }
    }

    ssl_provider::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, record_ciphers, signatures
    }
}

impl SecureRandom for Botan {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        random()?.fill(out).map_err(|_| Error::Random)
    }
}

/// The generator of the operating system.
fn random() -> Result<RandomNumberGenerator, Error> {
    RandomNumberGenerator::new_system().map_err(|_| Error::Random)
}

/// Botan's errors have kinds and texts, and no numbers that its crate would hand on.
fn failure(_: botan::Error) -> Error {
    Error::Backend { backend: NAME, code: 0 }
}

/// A number, which Botan wipes when it is freed.
fn number(big_endian: &[u8]) -> Result<MPI, Error> {
    MPI::new_from_bytes(big_endian).map_err(failure)
}

/// Whether the number of a key on a curve is one of the curve's order, which Botan does not check.
fn is_in_range(key: &Privkey, number: &MPI) -> Result<bool, botan::Error> {
    Ok(number.compare(&key.get_field("order")?)?.is_lt())
}
