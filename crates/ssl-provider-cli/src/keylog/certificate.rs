//! The RSA key in a server's certificate, which tells the private key that belongs to it.
//! Whatever else a certificate says is of no interest, its validity included.

use pkcs1::RsaPublicKeyRef;
use pkcs1::der::Decode;
use x509_cert::Certificate;
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// What key a certificate has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// An RSA key with this modulus, big-endian without leading zeros.
    Rsa(Vec<u8>),
    /// A key of another algorithm.
    Other,
    /// It could not be read.
    Unreadable,
}

/// Reads the key of a certificate, or of a bare public key in its place (RFC 7250).
pub fn public_key(der: &[u8]) -> PublicKey {
    let modulus = match Certificate::from_der(der) {
        Ok(certificate) => {
            let info = certificate.tbs_certificate().subject_public_key_info();
            rsa_modulus(&info.algorithm.oid, info.subject_public_key.as_bytes())
        }
        Err(_) => match SubjectPublicKeyInfoRef::from_der(der) {
            Ok(info) => rsa_modulus(&info.algorithm.oid, info.subject_public_key.as_bytes()),
            Err(_) => return PublicKey::Unreadable,
        },
    };
    modulus.map_or(PublicKey::Other, PublicKey::Rsa)
}

fn rsa_modulus(
    algorithm: &x509_cert::spki::ObjectIdentifier,
    key: Option<&[u8]>,
) -> Option<Vec<u8>> {
    if *algorithm != pkcs1::ALGORITHM_OID {
        return None;
    }
    let key = RsaPublicKeyRef::from_der(key?).ok()?;
    Some(key.modulus.as_bytes().to_vec())
}
