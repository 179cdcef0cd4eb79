//! Reads keys from DER: PKCS#1, PKCS#8 plain and encrypted, PKCS#12; recognizes other structures.

use p12_keystore::{CertificateBag, Pkcs12Archive};
use pkcs8::der::{AnyRef, Decode, Tag, Tagged};
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfoRef, pkcs5};
use ssl_provider_core::{Error, InvalidKey};
use zeroize::Zeroizing;

use crate::key::fields;

use super::fault::Fault;
use super::{Part, Password, classify_key};

/// Whether content starts as a DER or BER SEQUENCE, as all of these formats do.
pub(super) fn is_sequence(content: &[u8]) -> bool {
    // The second byte is a length; 0x30 alone is also the digit 0 of a text.
    matches!(content, [0x30, 0x80..=0x84, ..]) || AnyRef::from_der(content).is_ok()
}

/// Reads DER of any of the formats and adds what it holds to `parts`.
pub(super) fn read(der: &[u8], password: &Password, parts: &mut Vec<Part>) -> Result<(), Fault> {
    match Shape::definite(der)? {
        Shape::Pkcs12 => return read_pkcs12(der, password, parts),
        Shape::EncryptedPkcs8 => {
            let decrypted = decrypt_pkcs8(der, password)?;
            // With a wrong password the padding is right once in 256 times, and the key malformed.
            parts.push(classify_key(decrypted).map_err(|error| match error {
                Error::Key(InvalidKey::Malformed) => Fault::WrongPassword,
                other => Fault::Key(other),
            })?);
        }
        Shape::PrivateKey => parts.push(classify_key(Zeroizing::new(der.to_vec()))?),
        Shape::Other(what) => parts.push(Part::Other(what)),
    }
    Ok(())
}

/// Returns the certificates of a PKCS#12 file, those of its keys first; none for other DER.
pub(super) fn certificates(der: &[u8], password: &Password) -> Result<Vec<Vec<u8>>, Fault> {
    let Shape::Pkcs12 = Shape::definite(der)? else { return Ok(Vec::new()) };
    let mut archive = open_pkcs12(der, password)?;
    let keys: Vec<_> = archive.keys.iter().filter_map(|bag| bag.local_key_id.as_ref()).collect();
    let of_a_key = |bag: &CertificateBag| {
        let id = bag.local_key_id.as_deref();
        id.is_some_and(|id| keys.iter().any(|key| key.as_ref() == id))
    };
    // The sort is stable: the others stay in the order of the file.
    archive.certs.sort_by_key(|bag| !of_a_key(bag));
    Ok(archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect())
}

/// What a structure is, by the tags of its fields.
enum Shape {
    /// PKCS#1 or PKCS#8, or another structure, which core names in its error.
    PrivateKey,
    EncryptedPkcs8,
    Pkcs12,
    Other(&'static str),
}

impl Shape {
    /// The shape of DER; BER with indefinite lengths is refused.
    fn definite(der: &[u8]) -> Result<Self, Fault> {
        if let [0x30, 0x80, ..] = der {
            return Err(Fault::Container(
                "expected DER, found BER with indefinite lengths; convert it: openssl pkcs12 -nodes"
                    .to_owned(),
            ));
        }
        let Some(fields) = fields(der) else { return Ok(Self::PrivateKey) };
        let tags: Vec<_> = fields.iter().map(|field| field.tag()).collect();
        Ok(match tags.as_slice() {
            // EncryptedPrivateKeyInfo, RFC 5208 section 6.
            [Tag::Sequence, Tag::OctetString] => Self::EncryptedPkcs8,
            // PFX, RFC 7292 section 4: version 3, content, and mostly a MAC.
            [Tag::Integer, Tag::Sequence] | [Tag::Integer, Tag::Sequence, Tag::Sequence]
                if fields.first().is_some_and(|version| version.value() == [3]) =>
            {
                Self::Pkcs12
            }
            [Tag::Sequence, Tag::Sequence, Tag::BitString] => Self::Other("a certificate"),
            [Tag::Sequence, Tag::BitString] | [Tag::Integer, Tag::Integer] => {
                Self::Other("a public key")
            }
            // OpenSSL's DSAPrivateKey: version, p, q, g, y, x.
            _ if tags == [Tag::Integer; 6] => Self::Other("a DSA key"),
            _ => Self::PrivateKey,
        })
    }
}

fn decrypt_pkcs8(der: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der)
        .map_err(|_| Fault::UnsupportedEncryption("not PBES2 with AES or DES".to_owned()))?;
    let parameters = match &info.encryption_algorithm {
        pkcs5::EncryptionScheme::Pbes2(parameters) => parameters,
        other => return Err(Fault::UnsupportedEncryption(format!("PBES1, {}", other.oid()))),
    };
    // Checked before the password: the file chooses the cost, so it is bounded here.
    let affordable = match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => (1..=MAX_ITERATIONS).contains(&pbkdf2.iteration_count),
        Kdf::Scrypt(scrypt) => {
            let memory = u64::from(scrypt.block_size).saturating_mul(128);
            let memory = memory.saturating_mul(scrypt.cost_parameter);
            (1..=MAX_SCRYPT_MEMORY).contains(&memory)
                && (1..=MAX_SCRYPT_PARALLELISM).contains(&scrypt.parallelization)
        }
        _ => false,
    };
    if !affordable {
        return Err(Fault::UnsupportedEncryption("unknown or excessive key derivation".to_owned()));
    }
    let password = password.0.as_ref().ok_or(Fault::NoPassword)?;
    match parameters.decrypt(password.as_bytes(), info.encrypted_data.as_bytes()) {
        Ok(decrypted) => Ok(Zeroizing::new(decrypted)),
        Err(pkcs5::Error::DecryptFailed) => Err(Fault::WrongPassword),
        Err(error) => Err(Fault::UnsupportedEncryption(error.to_string())),
    }
}

fn read_pkcs12(der: &[u8], password: &Password, parts: &mut Vec<Part>) -> Result<(), Fault> {
    let archive = open_pkcs12(der, password)?;
    for bag in &archive.keys {
        parts.push(classify_key(Zeroizing::new(bag.key.as_der().to_vec()))?);
    }
    parts.extend(archive.certs.iter().map(|_| Part::Other("a certificate")));
    parts.extend(archive.secrets.iter().map(|_| Part::Other("a symmetric key")));
    if parts.is_empty() {
        parts.push(Part::Other("an empty PKCS#12 file"));
    }
    Ok(())
}

/// Decrypts a PKCS#12 file. The library keeps copies of its own, which it does not wipe.
fn open_pkcs12(der: &[u8], password: &Password) -> Result<Pkcs12Archive, Fault> {
    use p12_keystore::error::Error as P12;

    let given = password.0.as_ref();
    let open = |password: &str| Pkcs12Archive::from_pkcs12(der, password);
    // Many files have the empty password, and the password that was given may be for other keys.
    let is_password =
        |error: &P12| matches!(error, P12::MacError(_) | P12::UnpadError | P12::Pkcs5Error(_));
    let archive = match given {
        None => open(""),
        Some(password) => match open(password) {
            Err(error) if is_password(&error) => open("").map_err(|_| error),
            archive => archive,
        },
    };
    archive.map_err(|error| match error {
        error if is_password(&error) => match given {
            Some(_) => Fault::WrongPassword,
            None => Fault::NoPassword,
        },
        P12::UnsupportedEncryptionScheme
        | P12::UnsupportedMacAlgorithm
        | P12::InvalidParameters => {
            Fault::Container(format!("PKCS#12 of a kind that is not supported: {error}"))
        }
        other => Fault::Container(format!("damaged PKCS#12: {other}")),
    })
}

/// Ten times what tools write by default today.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Bytes of memory for scrypt, N * r * 128 (RFC 7914 section 2).
const MAX_SCRYPT_MEMORY: u64 = 1 << 28;

const MAX_SCRYPT_PARALLELISM: u16 = 16;
