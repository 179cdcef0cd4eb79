//! Our errors, grouped by who is at fault, and the one place that maps them to a status.
//! There is no variant for anything that the plaintext of an RSA ciphertext decides.

use std::fmt;

use crate::operation::Operation;
use crate::status::SecurityStatus;

/// Why an operation did not happen.
///
/// A premaster secret that is wrong in padding, length or version is *not* here: such an import
/// succeeds with a fallback secret (implicit rejection), so that this library is no oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    // The caller's fault.
    /// A key or handle is not live, is of another kind, or belongs to another backend.
    InvalidHandle,
    /// A parameter is missing or malformed; the text names it and what was expected.
    InvalidParameter(&'static str),
    /// The flags are not the ones that the operation asks for.
    BadFlags {
        /// The flags as given.
        given: u32,
    },
    /// The protocol version is unknown, not one of this operation, or disabled by policy.
    UnsupportedProtocol {
        /// The protocol as given, such as 0x0304.
        given: u32,
    },
    /// The cipher suite is unknown, not of this protocol, or not of this key exchange.
    UnsupportedSuite {
        /// The suite as given, such as 0x1301.
        given: u32,
    },
    /// The private key cannot be used; see the reason.
    Key(InvalidKey),
    /// A buffer is smaller than the output.
    BufferTooSmall {
        /// Bytes that the output takes.
        needed: usize,
    },
    /// The policy of the provider forbids it; the text names the policy.
    NotAllowed(&'static str),

    // The peer's fault.
    /// Authentication of a record failed. This is the one error for every reason: header, length,
    /// padding, MAC or tag, so that it is no padding oracle.
    BadRecord,
    /// A record holds more than one may (RFC 5246 section 6.2). Its length on the wire shows it, or
    /// its payload does, and then its MAC or tag is right: only a holder of the keys can write it.
    RecordOverflow,
    /// An authentic record of TLS 1.3 holds what none may: nothing but padding, no bytes of an
    /// alert or a handshake message (RFC 8446 section 5.4), a ChangeCipherSpec (section 5). Only a
    /// holder of the keys can write it; the alert is unexpected_message.
    UnexpectedRecord,
    /// A public key of the peer in a key agreement is malformed, not of the group, or one whose
    /// shared secret anybody knows; or a group that the peer chose makes such a key of one's own.
    BadKeyShare,
    /// A signature is not that of the key over the digest, whatever the reason.
    BadSignature,
    /// The verify_data of a Finished message does not match.
    BadFinished,

    // The environment's fault.
    /// The random number generator failed.
    Random,
    /// Memory, or room in a table, ran out.
    NoMemory,
    /// No backend is compiled in.
    NoBackend,
    /// There are backends, but none has the wanted name.
    UnknownBackend,
    /// The backend lacks a property that the caller required.
    RequirementNotMet(&'static str),
    /// What holds the private key cannot be reached, such as a key server; the text says why.
    Unavailable(&'static str),

    // The backend.
    /// The backend does not support this, as its `support` returns too.
    Unsupported(Operation),
    /// The library failed for a reason that no input explains.
    Backend {
        /// Name of the backend.
        backend: &'static str,
        /// The library's own error number, or 0.
        code: u64,
    },

    // Our fault.
    /// A condition that should not be possible; the text names it.
    Internal(&'static str),
}

/// What is wrong with a private key. Keys are not attacker-controlled, so this may be precise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// Not a PKCS#1 `RSAPrivateKey` or PKCS#8 `PrivateKeyInfo` structure.
    Malformed,
    /// A key of another algorithm; the text names it.
    NotRsa(&'static str),
    /// More than two primes.
    MultiPrime,
    /// The modulus is smaller than 1024 or larger than 8192 bits, or even, or has leading zeros.
    Modulus {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The public exponent is even, smaller than 3, larger than 33 bits, or has leading zeros. The
    /// upper limit holds for keys loaded from DER.
    Exponent,
    /// The parts of the key do not belong together.
    Inconsistent,
    /// Not a key that can sign: neither of RSA nor on a curve, or not in DER.
    NotRsaOrEc,
    /// A key on a curve other than P-256, P-384 and P-521, or whose curve is not named.
    Curve,
    /// The key usage in the PKCS#8 structure does not allow what the key is loaded for.
    Usage,
}

impl Error {
    /// Returns the status of the C interface for this error.
    pub const fn status(self) -> SecurityStatus {
        match self {
            Self::InvalidHandle => SecurityStatus::NTE_INVALID_HANDLE,
            Self::InvalidParameter(_) => SecurityStatus::NTE_INVALID_PARAMETER,
            Self::BadFlags { .. } => SecurityStatus::NTE_BAD_FLAGS,
            Self::UnsupportedProtocol { .. }
            | Self::UnsupportedSuite { .. }
            | Self::RequirementNotMet(_)
            | Self::Unsupported(_) => SecurityStatus::NTE_NOT_SUPPORTED,
            Self::Key(InvalidKey::NotRsa(_) | InvalidKey::NotRsaOrEc | InvalidKey::Curve) => {
                SecurityStatus::NTE_BAD_TYPE
            }
            Self::Key(_) => SecurityStatus::NTE_BAD_KEY,
            Self::BufferTooSmall { .. } => SecurityStatus::NTE_BUFFER_TOO_SMALL,
            Self::NotAllowed(_) => SecurityStatus::NTE_PERM,
            Self::BadKeyShare => SecurityStatus::NTE_BAD_DATA,
            Self::BadRecord | Self::RecordOverflow | Self::UnexpectedRecord => {
                SecurityStatus::NTE_DECRYPTION_FAILURE
            }
            Self::BadSignature | Self::BadFinished => SecurityStatus::NTE_BAD_SIGNATURE,
            Self::Random | Self::Unavailable(_) => SecurityStatus::NTE_DEVICE_NOT_READY,
            Self::NoMemory => SecurityStatus::NTE_NO_MEMORY,
            Self::NoBackend | Self::UnknownBackend => SecurityStatus::NTE_PROV_DLL_NOT_FOUND,
            Self::Backend { .. } => SecurityStatus::NTE_FAIL,
            Self::Internal(_) => SecurityStatus::NTE_INTERNAL_ERROR,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidHandle => f.write_str(
                "the key or handle is not live, is of another kind, or belongs to another backend",
            ),
            Self::InvalidParameter(what) => write!(f, "invalid parameter: {what}"),
            Self::BadFlags { given } => write!(f, "flags 0x{given:08x} are not allowed here"),
            Self::UnsupportedProtocol { given } => {
                write!(f, "protocol version 0x{given:04x} is not supported or not enabled")
            }
            Self::UnsupportedSuite { given } => {
                write!(f, "cipher suite 0x{given:04x} is not supported here or not of this version")
            }
            Self::Key(fault) => write!(f, "private key: {fault}"),
            Self::BufferTooSmall { needed } => {
                write!(f, "buffer too small: {needed} bytes are needed")
            }
            Self::NotAllowed(policy) => write!(f, "not allowed by policy: {policy}"),
            Self::BadRecord => f.write_str("record authentication failed"),
            Self::RecordOverflow => f.write_str("the record is longer than TLS allows"),
            Self::BadKeyShare => f.write_str(
                "the public key is not one of the group, or its secrets are known to anybody",
            ),
            Self::BadSignature => f.write_str("the signature is not valid"),
            Self::BadFinished => f.write_str("Finished verify_data does not match"),
            Self::Random => f.write_str("the random number generator failed"),
            Self::NoMemory => f.write_str("out of memory, or too many live handles"),
            Self::NoBackend => f.write_str(
                "no crypto backend is compiled in; build with at least one of the features \
                 aws-lc, openssl, openssl-vendored, rustcrypto, ring",
            ),
            Self::UnexpectedRecord => {
                f.write_str("the record holds only padding, or a type or length that none may have")
            }
            Self::UnknownBackend => f.write_str("no backend of this name; `backends()` lists them"),
            Self::RequirementNotMet(what) => write!(f, "the backend does not offer: {what}"),
            Self::Unavailable(why) => f.write_str(why),
            Self::Unsupported(operation) => write!(f, "the backend does not support {operation}"),
            Self::Backend { backend, code } => {
                write!(f, "the {backend} library failed (its code 0x{code:x})")
            }
            Self::Internal(what) => write!(f, "internal error: {what}"),
        }
    }
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "expected an RSA key in DER, as PKCS#1 or PKCS#8; PEM has to be decoded",
            ),
            Self::NotRsa(found) => write!(f, "expected an RSA key, found {found}"),
            Self::MultiPrime => f.write_str("keys of more than two primes are not supported"),
            Self::Modulus { bits } => {
                write!(
                    f,
                    "expected an odd modulus of 1024 to 8192 bits without leading zeros, \
                     found {bits} bits"
                )
            }
            Self::Exponent => {
                f.write_str("expected an odd public exponent of at least 3 and at most 33 bits")
            }
            Self::Inconsistent => f.write_str("the parts of the key do not belong together"),
            Self::NotRsaOrEc => f.write_str(
                "expected an RSA key, or one on a curve, in DER, as PKCS#1, SEC 1 or PKCS#8",
            ),
            Self::Curve => f.write_str("expected a key on P-256, P-384 or P-521"),
            Self::Usage => f.write_str(
                "its key usage does not allow this; as PKCS#1, which has no key usage, the key \
                 can be loaded all the same",
            ),
        }
    }
}

impl std::error::Error for Error {}

impl std::error::Error for InvalidKey {}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row for each variant: the error, the number that the pages give, and a word of its text.
    const ROWS: &[(Error, u32, &str)] = &[
        (Error::InvalidHandle, 0x8009_0026, "handle"),
        (Error::InvalidParameter("client random: 32 bytes"), 0x8009_0027, "32 bytes"),
        (Error::BadFlags { given: 3 }, 0x8009_0009, "0x00000003"),
        (Error::UnsupportedProtocol { given: 0x0304 }, 0x8009_0029, "0x0304"),
        (Error::UnsupportedSuite { given: 0x1301 }, 0x8009_0029, "0x1301"),
        (Error::Key(InvalidKey::Malformed), 0x8009_0003, "PKCS#8"),
        (Error::Key(InvalidKey::NotRsa("EC")), 0x8009_000A, "EC"),
        (Error::Key(InvalidKey::MultiPrime), 0x8009_0003, "two primes"),
        (Error::Key(InvalidKey::Modulus { bits: 512 }), 0x8009_0003, "512"),
        (Error::Key(InvalidKey::Exponent), 0x8009_0003, "exponent"),
        (Error::Key(InvalidKey::Inconsistent), 0x8009_0003, "belong together"),
        (Error::Key(InvalidKey::Usage), 0x8009_0003, "key usage"),
        (Error::BufferTooSmall { needed: 48 }, 0x8009_0028, "48"),
        (Error::Key(InvalidKey::NotRsaOrEc), 0x8009_000A, "SEC 1"),
        (Error::Key(InvalidKey::Curve), 0x8009_000A, "P-384"),
        (Error::NotAllowed("key log"), 0x8009_0010, "key log"),
        (Error::BadRecord, 0x8009_002C, "authentication failed"),
        (Error::RecordOverflow, 0x8009_002C, "longer"),
        (Error::UnexpectedRecord, 0x8009_002C, "padding"),
        (Error::BadKeyShare, 0x8009_0005, "group"),
        (Error::BadSignature, 0x8009_0006, "signature"),
        (Error::BadFinished, 0x8009_0006, "verify_data"),
        (Error::Random, 0x8009_0030, "random"),
        (Error::NoMemory, 0x8009_000E, "memory"),
        (Error::NoBackend, 0x8009_001E, "aws-lc, openssl, openssl-vendored, rustcrypto, ring"),
        (Error::UnknownBackend, 0x8009_001E, "no backend of this name; `backends()` lists them"),
        (Error::RequirementNotMet("FIPS"), 0x8009_0029, "FIPS"),
        (Error::Unavailable("the key server is gone"), 0x8009_0030, "key server"),
        (Error::Unsupported(Operation::RsaDecryptRaw), 0x8009_0029, "RSA"),
        (Error::Backend { backend: "openssl", code: 0x41 }, 0x8009_0020, "0x41"),
        (Error::Internal("out of step"), 0x8009_002D, "out of step"),
    ];

    #[test]
    fn every_error_has_its_documented_status_and_says_what_is_wrong() {
        for (error, code, word) in ROWS {
            assert_eq!(error.status().code(), *code, "{error:?}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_key_is_an_error_by_itself() {
        let boxed: Box<dyn std::error::Error + Send + Sync> = InvalidKey::Curve.into();
        assert_eq!(boxed.to_string(), InvalidKey::Curve.to_string());
    }
}
