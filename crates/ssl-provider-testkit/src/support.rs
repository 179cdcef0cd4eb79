//! The support matrix as data: whose code does each operation in each backend of this project.
//! The cases compare it with what a backend says of itself and with what it does.

use ssl_provider_core::{
    AeadAlgorithm, CbcAlgorithm, HashAlgorithm, NamedCurve, Operation, PrfAlgorithm, Support,
};

/// One column of the matrix: a backend and whose code does each operation in it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name of the backend.
    pub backend: &'static str,
    /// The provider name, by which a part of a backend is told from the whole.
    pub provider_name: &'static str,
    /// Whose code does an operation.
    pub support: fn(Operation) -> Support,
    /// Whether a system's build of the library may lack an operation all the same.
    pub may_lack: fn(Operation) -> bool,
}

impl Column {
    /// The column of a backend that has what its table says, on every system.
    const fn new(
        backend: &'static str,
        provider_name: &'static str,
        support: fn(Operation) -> Support,
    ) -> Self {
        Self { backend, provider_name, support, may_lack: |_| false }
    }
}

/// The expected support of the backends of this project, and of ring by itself.
pub const fn support_matrix() -> &'static [Column] {
    const {
        &[
            Column::new("aws-lc", "ssl-provider AWS-LC Provider", aws_lc),
            Column {
                may_lack: |operation| {
                    matches!(operation, Operation::Rc4)
                        || is_camellia(operation)
                        || is_rare_curve(operation)
                        || is_kem(operation)
                },
                ..Column::new("openssl", "ssl-provider OpenSSL Provider", openssl)
            },
            Column::new("rustcrypto", "ssl-provider RustCrypto Provider", rustcrypto),
            Column::new("ring", "ssl-provider ring Provider", ring),
            Column::new("ring", "ssl-provider ring Provider without RSA", ring_alone),
        ]
    }
}

/// The column of a backend by its provider name; none for a backend of somebody else.
pub fn column(provider_name: &str) -> Option<&'static Column> {
    support_matrix().iter().find(|column| column.provider_name == provider_name)
}

/// AWS-LC does everything itself, and has no Camellia and none of the brainpool curves.
fn aws_lc(operation: Operation) -> Support {
    match curve(operation) {
        _ if is_camellia(operation) => Support::Unsupported,
        Some(curve) if is_brainpool(curve) => Support::Unsupported,
        _ => Support::By("AWS-LC"),
    }
}

/// OpenSSL has a PRF and an HMAC of its own, slower than ours over its hashes.
fn openssl(operation: Operation) -> Support {
    match operation {
        Operation::Hmac(_) | Operation::Prf(_) => Support::By("OpenSSL hashes"),
        _ => Support::By("OpenSSL"),
    }
}

/// RustCrypto is a crate for each thing.
fn rustcrypto(operation: Operation) -> Support {
    Support::By(match operation {
        Operation::RsaDecryptRaw | Operation::RsaEncryptRaw => "rsa",
        Operation::Ecdh(curve) | Operation::EcdhLoad(curve) => match curve {
            NamedCurve::X25519 => "x25519-dalek",
            NamedCurve::Secp256r1 => "p256",
            NamedCurve::Secp384r1 => "p384",
            NamedCurve::Secp521r1 => "p521",
            NamedCurve::Secp256k1 => "k256",
            NamedCurve::BrainpoolP256r1 => "bp256",
            NamedCurve::BrainpoolP384r1 => "bp384",
            _ => return Support::Unsupported,
        },
        Operation::Dh => "crypto-bigint",
        Operation::Kem(_) | Operation::KemLoad(_) => "ml-kem",
        Operation::Prf(_) | Operation::Hmac(_) => "hmac",
        Operation::Hash(hash) | Operation::CompressionFunction(hash) => match hash {
            HashAlgorithm::Md5 => "md-5",
            HashAlgorithm::Sha1 => "sha1",
            _ => "sha2",
        },
        Operation::Rc4 => "rc4",
        Operation::Cbc(CbcAlgorithm::Des | CbcAlgorithm::TripleDes) => "des",
        Operation::Cbc(CbcAlgorithm::Aes128 | CbcAlgorithm::Aes256) => "aes",
        Operation::Cbc(CbcAlgorithm::Camellia128 | CbcAlgorithm::Camellia256) => "camellia",
        Operation::Aead(AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm) => "aes-gcm",
        Operation::Aead(AeadAlgorithm::ChaCha20Poly1305) => "chacha20poly1305",
        Operation::Aead(_) => "ccm",
        Operation::Verify(scheme) | Operation::Sign(scheme) if scheme.is_rsa() => "rsa",
        Operation::Verify(_) | Operation::Sign(_) => "p256, p384 and p521",
        _ => "getrandom",
    })
}

/// What ring leaves out, RustCrypto does.
fn ring(operation: Operation) -> Support {
    match ring_alone(operation) {
        Support::Unsupported => rustcrypto(operation),
        by_ring => by_ring,
    }
}

/// ring leaves out RSA encryption and decryption and MD5 on purpose, with MD5 the PRF of TLS 1.0,
/// and every cipher but AES-GCM and ChaCha20-Poly1305. It signs and verifies messages, and no
/// digests, its hashes keep their compression functions to themselves, it agrees on three curves,
/// with keys of its own only, and has no key encapsulation.
fn ring_alone(operation: Operation) -> Support {
    match operation {
        Operation::RsaDecryptRaw
        | Operation::Prf(PrfAlgorithm::Md5Sha1)
        | Operation::Hash(HashAlgorithm::Md5)
        | Operation::Hmac(HashAlgorithm::Md5)
        | Operation::CompressionFunction(_)
        | Operation::Rc4
        | Operation::Cbc(_)
        | Operation::Aead(
            AeadAlgorithm::Aes128Ccm
            | AeadAlgorithm::Aes256Ccm
            | AeadAlgorithm::Aes128Ccm8
            | AeadAlgorithm::Aes256Ccm8,
        )
        | Operation::RsaEncryptRaw
        | Operation::EcdhLoad(_)
        | Operation::Dh
        | Operation::Kem(_)
        | Operation::KemLoad(_)
        | Operation::Verify(_)
        | Operation::Sign(_) => Support::Unsupported,
        Operation::Ecdh(NamedCurve::X25519 | NamedCurve::Secp256r1 | NamedCurve::Secp384r1) => {
            Support::By("ring")
        }
        Operation::Ecdh(_) => Support::Unsupported,
        _ => Support::By("ring"),
    }
}

/// The curve of an operation of key agreement.
fn curve(operation: Operation) -> Option<NamedCurve> {
    match operation {
        Operation::Ecdh(curve) | Operation::EcdhLoad(curve) => Some(curve),
        _ => None,
    }
}

fn is_brainpool(curve: NamedCurve) -> bool {
    curve.name().starts_with("brainpool")
}

/// Whether systems build OpenSSL without it, such as Red Hat's.
fn is_rare_curve(operation: Operation) -> bool {
    let rare = |curve| is_brainpool(curve) || curve == NamedCurve::Secp256k1;
    curve(operation).is_some_and(rare)
}

fn is_camellia(operation: Operation) -> bool {
    matches!(operation, Operation::Cbc(CbcAlgorithm::Camellia128 | CbcAlgorithm::Camellia256))
}

/// Whether OpenSSL has it from 3.5 on only.
fn is_kem(operation: Operation) -> bool {
    matches!(operation, Operation::Kem(_) | Operation::KemLoad(_))
}
