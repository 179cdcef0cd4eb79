//! Reads RSA private keys from files, in the formats that servers keep them in.
//! The result is plain DER with a label; every backend loads that.
//!
//! Taken: PEM (several blocks, certificates among them) and DER of PKCS#1, PKCS#8 and encrypted
//! PKCS#8 (PBES2, RFC 8018), PKCS#12 (RFC 7292), and the `RSAPRIVATEBLOB` and
//! `RSAFULLPRIVATEBLOB` of CNG. The content tells the format; the name of the file does not matter.

mod container;
mod fault;
mod pem;
mod weak;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ssl_provider_core::{EcPrivateKeyDer, Error, InvalidKey};
use zeroize::Zeroizing;

use crate::blob::Blob;
use crate::ec_key::EcPrivateParts;
use crate::key::checked_rsa;
use crate::rsa_key::pkcs1_of_blob;
use crate::{BlobType, KeyError};

pub use self::fault::{Fault, KeyFileError};

/// The password of encrypted keys, if there is one. Wiped on drop.
#[derive(Default)]
pub struct Password(pub Option<Zeroizing<String>>);

/// A private key from a file.
#[non_exhaustive]
pub struct KeyDer {
    /// The file, and the number of the key in it where there are several: `server.pem#2`.
    pub label: String,
    /// PKCS#1 or PKCS#8, unencrypted, of the shape that `RsaPrivateKeyDer` or `SigningKeyDer` takes
    /// unless the key is weak. Secret.
    pub der: Zeroizing<Vec<u8>>,
    /// Why providers refuse the key, for its size or public exponent; `der` is then PKCS#1.
    pub weakness: Option<Error>,
}

ssl_provider_core::redacted_debug! { KeyDer { label, .. } }

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("given", &self.0.is_some()).finish_non_exhaustive()
    }
}

/// Reads every RSA private key of a file; at least one.
///
/// Keys of other kinds and certificates beside an RSA key are passed over; a damaged RSA key is an
/// error even when the file has another one.
///
/// # Errors
///
/// [`KeyFileError`] names the file and what was found in place of a key.
pub fn read_keys(path: &Path, password: &Password) -> Result<Vec<KeyDer>, KeyFileError> {
    let keys = read_keys_even_weak(path, password)?;
    match keys.iter().find_map(|key| key.weakness) {
        Some(error) => Err(KeyFileError { file: path.to_owned(), fault: Fault::Weak(error) }),
        None => Ok(keys),
    }
}

/// As [`read_keys`], also the keys that providers refuse for their size or public exponent. Only
/// captures may be read with those.
///
/// # Errors
///
/// Those of [`read_keys`], except for [`Fault::Weak`].
pub fn read_keys_even_weak(path: &Path, password: &Password) -> Result<Vec<KeyDer>, KeyFileError> {
    let keys = in_file(path, |content| find_keys(content, password))?;
    let alone = keys.len() == 1;
    let label = |number| match alone {
        true => path.display().to_string(),
        false => format!("{}#{number}", path.display()),
    };
    let keys = (1..).zip(keys).map(|(number, (der, weakness))| {
        let label = label(number);
        KeyDer { label, der, weakness }
    });
    Ok(keys.collect())
}

/// Reads a file that must have one RSA private key.
///
/// # Errors
///
/// Those of [`read_keys`], and [`Fault::SeveralKeys`].
pub fn read_key(path: &Path, password: &Password) -> Result<KeyDer, KeyFileError> {
    let mut keys = read_keys(path, password)?;
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (_, others) => {
            Err(KeyFileError { file: path.to_owned(), fault: Fault::SeveralKeys(others + 1) })
        }
    }
}

/// Reads a file that must have one private key on P-256, P-384 or P-521: PEM of SEC 1, PEM or DER
/// of PKCS#8, or PKCS#12. Keys of other kinds and certificates beside it are passed over.
///
/// # Errors
///
/// [`KeyFileError`] names the file and what was found in place of a key.
pub fn read_ec_key(path: &Path, password: &Password) -> Result<KeyDer, KeyFileError> {
    let der = in_file(path, |content| {
        let mut keys = Vec::new();
        let mut found = Vec::new();
        for part in find_parts(content, password)? {
            match part {
                Part::EcKey(der) => keys.push(der),
                Part::Key(..) => found.push("an RSA key"),
                Part::Other(what) => found.push(what),
            }
        }
        match (keys.pop(), keys.len()) {
            (Some(key), 0) => Ok(key),
            (Some(_), others) => Err(Fault::SeveralEcKeys(others + 1)),
            (None, _) if found.is_empty() => Err(Fault::NotAKeyFile),
            (None, _) => Err(Fault::NoEcKey { found }),
        }
    })?;
    Ok(KeyDer { label: path.display().to_string(), der, weakness: None })
}

/// Reads the certificates of a PEM or PKCS#12 file as DER, in their order; those of the keys in a
/// PKCS#12 file come first. Keys are passed over; there may be no certificate.
///
/// # Errors
///
/// [`KeyFileError`] when the file cannot be read, is damaged, or takes another password.
pub fn read_certificates(path: &Path, password: &Password) -> Result<Vec<Vec<u8>>, KeyFileError> {
    in_file(path, |content| {
        if container::is_sequence(content) {
            return container::certificates(content, password);
        }
        let mut blocks = pem::blocks(content)?;
        blocks.retain(|block| matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE"));
        blocks.iter().map(|block| Ok(block.decode()?.to_vec())).collect()
    })
}

/// Runs `find` on the content of a file, and names the file in what it reports.
fn in_file<T>(
    path: &Path,
    find: impl FnOnce(&[u8]) -> Result<T, Fault>,
) -> Result<T, KeyFileError> {
    let found = match read_bounded(path) {
        Ok(Some(content)) => find(&content),
        Ok(None) => Err(Fault::TooLarge),
        Err(error) => Err(Fault::Unreadable(error)),
    };
    found.map_err(|fault| KeyFileError { file: path.to_owned(), fault })
}

/// What a part of a file turned out to be.
enum Part {
    /// An RSA private key that core takes, or why it does not where only captures do.
    Key(Zeroizing<Vec<u8>>, Option<Error>),
    /// A private key on a curve that core takes.
    EcKey(Zeroizing<Vec<u8>>),
    /// Something else, in words for the message that no key was found.
    Other(&'static str),
}

/// The RSA private keys in the content of a file, as PKCS#1 or PKCS#8; at least one.
///
/// # Errors
///
/// [`Fault`] names what was found in place of a key.
pub fn keys_in(content: &[u8], password: &Password) -> Result<Vec<Zeroizing<Vec<u8>>>, Fault> {
    let strong = |(der, weakness): (_, Option<Error>)| match weakness {
        Some(error) => Err(Fault::Weak(error)),
        None => Ok(der),
    };
    find_keys(content, password)?.into_iter().map(strong).collect()
}

/// A key, and why core refuses it if it is weak.
type Found = (Zeroizing<Vec<u8>>, Option<Error>);

fn find_parts(content: &[u8], password: &Password) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    if content.is_empty() {
        return Err(Fault::Empty);
    // BLOBHEADER with PRIVATEKEYBLOB (7) and version 2, then the magic of RSAPUBKEY (wincrypt.h).
    } else if let [7, 2, 0, 0, _, _, _, _, b'R', b'S', b'A', b'2', ..] = content {
        return Err(Fault::Container(
            "expected RSAPRIVATEBLOB or RSAFULLPRIVATEBLOB, found a CAPI PRIVATEKEYBLOB; convert \
             it: openssl rsa -inform MSBLOB"
                .to_owned(),
        ));
    } else if let Some(blob_type) = BlobType::of(content) {
        parts.push(read_blob(blob_type, content)?);
    } else if container::is_sequence(content) {
        container::read(content, password, &mut parts)?;
    } else {
        for block in pem::blocks(content)? {
            read_block(&block, password, &mut parts)?;
        }
    }
    Ok(parts)
}

fn find_keys(content: &[u8], password: &Password) -> Result<Vec<Found>, Fault> {
    let mut keys = Vec::new();
    let mut others = Vec::new();
    for part in find_parts(content, password)? {
        match part {
            Part::Key(der, weakness) => keys.push((der, weakness)),
            Part::EcKey(_) => others.push("an EC key"),
            Part::Other(what) => others.push(what),
        }
    }
    match (keys.is_empty(), others.is_empty()) {
        (false, _) => Ok(keys),
        (true, false) => Err(Fault::NoRsaKey { found: others }),
        (true, true) => Err(Fault::NotAKeyFile),
    }
}

/// Reads a CNG blob.
fn read_blob(blob_type: BlobType, blob: &[u8]) -> Result<Part, KeyError> {
    if blob_type.is_public() {
        return Ok(Part::Other("a public key"));
    }
    let blob = Blob::new(blob).ok_or(KeyError::Magic)?;
    match blob_type {
        BlobType::EcPrivate => EcPrivateParts::of_blob(&blob).map(|_| Part::Other("an EC key")),
        _ => Ok(classify_key(pkcs1_of_blob(&blob)?)?),
    }
}

/// Reads one block of a PEM file. Labels: RFC 7468, and those of OpenSSL.
fn read_block(
    block: &pem::Block<'_>,
    password: &Password,
    parts: &mut Vec<Part>,
) -> Result<(), Fault> {
    let other = match block.label.as_str() {
        "RSA PRIVATE KEY" if block.legacy_encryption => return Err(Fault::LegacyEncryption),
        "RSA PRIVATE KEY" | "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
            return container::read(&block.decode()?, password, parts);
        }
        "EC PRIVATE KEY" if !block.legacy_encryption => {
            let der = block.decode()?;
            if EcPrivateKeyDer::from_der(&der).is_ok() {
                parts.push(Part::EcKey(der));
                return Ok(());
            }
            "an EC key"
        }
        "EC PRIVATE KEY" => "an EC key",
        "DSA PRIVATE KEY" => "a DSA key",
        "OPENSSH PRIVATE KEY" => "a key in OpenSSH's own format",
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "a public key",
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => "a certificate",
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a certificate request",
        "EC PARAMETERS" | "DH PARAMETERS" | "DSA PARAMETERS" => "parameters without a key",
        "PKCS7" | "CMS" => "certificates as PKCS#7",
        _ => "a PEM block of another kind",
    };
    parts.push(Part::Other(other));
    Ok(())
}

/// Looks at unencrypted DER: an RSA key, a key of another algorithm, or an error.
fn classify_key(der: Zeroizing<Vec<u8>>) -> Result<Part, Error> {
    match checked_rsa(&der).map(drop) {
        Ok(()) => Ok(Part::Key(der, None)),
        Err(Error::Key(InvalidKey::NotRsa(found))) => Ok(match EcPrivateKeyDer::from_der(&der) {
            Ok(_) => Part::EcKey(der),
            Err(Error::Key(InvalidKey::Usage)) => {
                Part::Other("an EC key whose key usage allows no signatures")
            }
            Err(_) => Part::Other(found),
        }),
        Err(error @ Error::Key(InvalidKey::Modulus { .. } | InvalidKey::Exponent)) => {
            weak::pkcs1_of(&der).map(|pkcs1| Part::Key(pkcs1, Some(error))).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// Reads a file; returns `None` for one that is longer than any key file. Wiped on drop, all of it:
/// the buffer never grows beyond its first allocation.
///
/// # Errors
///
/// Those of opening and reading the file.
pub fn read_bounded(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(MAX_FILE_LEN + 1));
    let limit = u64::try_from(MAX_FILE_LEN + 1).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut content)?;
    Ok((content.len() <= MAX_FILE_LEN).then_some(content))
}

/// Longest key file in bytes. The largest key takes 6 kB; the rest is for certificates beside it.
const MAX_FILE_LEN: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use ssl_provider_testkit::bytes::hex;
    use ssl_provider_testkit::rsa_key::{RSA_OID, TestKey, pkcs8, with_key_usage};

    use super::*;

    #[test]
    fn keys_that_only_decrypt_or_only_sign_are_read_and_others_are_not() {
        let plain = pkcs8(RSA_OID, &TestKey::rsa_1024().parts().to_der());
        let read = |usage| keys_in(&with_key_usage(&plain, usage), &Password(None));
        for usage in [0x80, 0x20, 0xa0] {
            let der = with_key_usage(&plain, usage);
            assert_eq!(*read(usage).unwrap()[0], der, "the usage stays with the key");
        }
        assert!(matches!(read(0x08), Err(Fault::Key(Error::Key(InvalidKey::Usage)))));
    }

    #[test]
    fn a_key_on_a_curve_that_may_not_sign_is_named() {
        // PKCS#8 of the number 1 on P-256.
        let plain = hex("3041020100301306072a8648ce3d020106082a8648ce3d030107\
             042730250201010420\
             0000000000000000000000000000000000000000000000000000000000000001");
        let find = |usage| find_parts(&with_key_usage(&plain, usage), &Password(None)).unwrap();
        assert!(matches!(find(0x80)[..], [Part::EcKey(_)]));
        let found = find(0x08);
        let [Part::Other(found)] = found[..] else { panic!("one part that is no key") };
        assert!(found.contains("allows no signatures"), "{found}");
    }
}
