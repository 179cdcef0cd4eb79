//! Operations as data: what a backend may or may not support, generated from the algorithms.

use std::fmt;

use crate::algorithm::{
    AeadAlgorithm, CbcAlgorithm, HashAlgorithm, KemAlgorithm, NamedCurve, PrfAlgorithm,
    SignatureScheme,
};

/// An operation that a backend may or may not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`SecureRandom::fill`](crate::backend::SecureRandom::fill).
    Random,
    /// [`Hashing::hash`](crate::backend::Hashing::hash) and
    /// [`Hashing::hash_context`](crate::backend::Hashing::hash_context).
    Hash(HashAlgorithm),
    /// [`Hashing::compression_function`](crate::backend::Hashing::compression_function).
    CompressionFunction(HashAlgorithm),
    /// [`Hashing::hmac`](crate::backend::Hashing::hmac).
    Hmac(HashAlgorithm),
    /// [`Hashing::prf`](crate::backend::Hashing::prf).
    Prf(PrfAlgorithm),
    /// [`RsaDecryption::load`](crate::backend::RsaDecryption::load) and
    /// [`RsaPrivateKey::decrypt_raw`](crate::backend::RsaPrivateKey::decrypt_raw).
    RsaDecryptRaw,
    /// [`RsaEncryption::encrypt_raw`](crate::backend::RsaEncryption::encrypt_raw).
    RsaEncryptRaw,
    /// [`KeyAgreement::generate_ecdh`](crate::backend::KeyAgreement::generate_ecdh), and the
    /// agreement.
    Ecdh(NamedCurve),
    /// [`KeyAgreement::load_ecdh`](crate::backend::KeyAgreement::load_ecdh).
    EcdhLoad(NamedCurve),
    /// [`KeyAgreement::generate_dh`](crate::backend::KeyAgreement::generate_dh) and
    /// [`load_dh`](crate::backend::KeyAgreement::load_dh), and the agreement.
    Dh,
    /// [`KeyEncapsulation::generate_kem`](crate::backend::KeyEncapsulation::generate_kem) and
    /// [`encapsulate`](crate::backend::KeyEncapsulation::encapsulate), and the decapsulation.
    Kem(KemAlgorithm),
    /// [`KeyEncapsulation::load_kem`](crate::backend::KeyEncapsulation::load_kem) and
    /// [`encapsulate_with`](crate::backend::KeyEncapsulation::encapsulate_with).
    KemLoad(KemAlgorithm),
    /// [`RecordCiphers::rc4`](crate::backend::RecordCiphers::rc4).
    Rc4,
    /// [`RecordCiphers::cbc`](crate::backend::RecordCiphers::cbc).
    Cbc(CbcAlgorithm),
    /// [`RecordCiphers::aead`](crate::backend::RecordCiphers::aead).
    Aead(AeadAlgorithm),
    /// [`Signatures::verify`](crate::backend::Signatures::verify).
    Verify(SignatureScheme),
    /// [`Signatures::load`](crate::backend::Signatures::load) and
    /// [`SignatureKey::sign`](crate::backend::SignatureKey::sign).
    Sign(SignatureScheme),
}

impl Operation {
    /// Returns every operation, in the order of the support matrix.
    pub fn all() -> impl Iterator<Item = Self> {
        let hashes = HashAlgorithm::ALL.into_iter();
        let (curves, schemes) = (NamedCurve::ALL.into_iter(), SignatureScheme::ALL.into_iter());
        [Self::RsaDecryptRaw, Self::RsaEncryptRaw]
            .into_iter()
            .chain(curves.clone().map(Self::Ecdh))
            .chain(curves.map(Self::EcdhLoad))
            .chain([Self::Dh])
            .chain(KemAlgorithm::ALL.into_iter().map(Self::Kem))
            .chain(KemAlgorithm::ALL.into_iter().map(Self::KemLoad))
            .chain(PrfAlgorithm::ALL.into_iter().map(Self::Prf))
            .chain(hashes.clone().map(Self::Hash))
            .chain(hashes.clone().map(Self::Hmac))
            .chain(hashes.map(Self::CompressionFunction))
            .chain([Self::Rc4])
            .chain(CbcAlgorithm::ALL.into_iter().map(Self::Cbc))
            .chain(AeadAlgorithm::ALL.into_iter().map(Self::Aead))
            .chain(schemes.clone().map(Self::Verify))
            .chain(schemes.map(Self::Sign))
            .chain([Self::Random])
    }

    /// Returns whether importing a master key takes this operation, with one suite and version or
    /// another.
    pub const fn is_for_import(self) -> bool {
        match self {
            Self::Random | Self::Prf(_) | Self::RsaDecryptRaw => true,
            Self::Hash(hash) | Self::Hmac(hash) => !matches!(hash, HashAlgorithm::Sha512),
            Self::CompressionFunction(_)
            | Self::Rc4
            | Self::Cbc(_)
            | Self::Aead(_)
            | Self::RsaEncryptRaw
            | Self::Ecdh(_)
            | Self::EcdhLoad(_)
            | Self::Dh
            | Self::Kem(_)
            | Self::KemLoad(_)
            | Self::Verify(_)
            | Self::Sign(_) => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random numbers"),
            Self::Hash(hash) => f.write_str(hash.name()),
            Self::CompressionFunction(hash) => {
                write!(f, "compression function of {}", hash.name())
            }
            Self::Hmac(hash) => write!(f, "HMAC-{}", hash.name()),
            Self::Prf(prf) => write!(f, "PRF {}", prf.name()),
            Self::RsaDecryptRaw => f.write_str("RSA private operation"),
            Self::Rc4 => f.write_str("RC4"),
            Self::Cbc(cipher) => f.write_str(cipher.name()),
            Self::Aead(cipher) => f.write_str(cipher.name()),
            Self::RsaEncryptRaw => f.write_str("RSA public operation"),
            Self::Ecdh(curve) => write!(f, "ECDH {}", curve.name()),
            Self::EcdhLoad(curve) => write!(f, "ECDH {} with a given key", curve.name()),
            Self::Dh => f.write_str("Diffie-Hellman"),
            Self::Kem(kem) => f.write_str(kem.name()),
            Self::KemLoad(kem) => write!(f, "{} with a given key", kem.name()),
            Self::Verify(scheme) => f.write_str(scheme.name()),
            Self::Sign(scheme) => write!(f, "signing {}", scheme.name()),
        }
    }
}

/// Whose code does an operation in a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Code of the named library.
    By(&'static str),
    /// Nobody's: the operation returns [`Error::Unsupported`](crate::Error::Unsupported).
    Unsupported,
}

impl Support {
    /// Returns whether the operation is supported.
    pub const fn is_supported(self) -> bool {
        matches!(self, Self::By(_))
    }
}
