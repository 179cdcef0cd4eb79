//! The `RSAFULLPRIVATEBLOB` of CNG: `BCRYPT_RSAKEY_BLOB` and the numbers of the key after it.
//! Source: Microsoft's page on the structure. The header is little-endian, the numbers big-endian.

use pkcs1::RsaPrivateKey;
use pkcs1::der::Encode;
use pkcs1::der::asn1::UintRef;
use zeroize::Zeroizing;

use super::fault::Fault;

/// Whether content starts as a blob of an RSA key, public, private or full.
pub(super) fn is_blob(content: &[u8]) -> bool {
    [PUBLIC, PRIVATE, FULL].iter().any(|magic| content.starts_with(magic))
}

/// Writes the key of a full blob as a PKCS#1 `RSAPrivateKey`.
pub(super) fn to_pkcs1(blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if blob.starts_with(PUBLIC) {
        return Err(Fault::NoRsaKey { found: vec!["a public key"] });
    }
    if blob.starts_with(PRIVATE) {
        return Err(Fault::Blob("it lacks the private exponent; export an RSAFULLPRIVATEBLOB"));
    }
    let mut rest = blob.strip_prefix(FULL).ok_or(Fault::Blob("unknown magic"))?;
    let _bit_length = length(&mut rest)?;
    let exponent_len = length(&mut rest)?;
    let modulus_len = length(&mut rest)?;
    let prime1_len = length(&mut rest)?;
    let prime2_len = length(&mut rest)?;
    let public_exponent = number(&mut rest, exponent_len)?;
    let modulus = number(&mut rest, modulus_len)?;
    let prime1 = number(&mut rest, prime1_len)?;
    let prime2 = number(&mut rest, prime2_len)?;
    let exponent1 = number(&mut rest, prime1_len)?;
    let exponent2 = number(&mut rest, prime2_len)?;
    let coefficient = number(&mut rest, prime1_len)?;
    let private_exponent = number(&mut rest, modulus_len)?;
    if !rest.is_empty() {
        return Err(Fault::Blob("it is longer than its header says"));
    }
    let key = RsaPrivateKey {
        modulus,
        public_exponent,
        private_exponent,
        prime1,
        prime2,
        exponent1,
        exponent2,
        coefficient,
        other_prime_infos: None,
    };
    let der = key.to_der().map_err(|_| Fault::Blob("its numbers are too large"))?;
    Ok(Zeroizing::new(der))
}

fn length(rest: &mut &[u8]) -> Result<usize, Fault> {
    let (bytes, after) = rest.split_first_chunk().ok_or(CUT_OFF)?;
    *rest = after;
    usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_| CUT_OFF)
}

fn number<'a>(rest: &mut &'a [u8], len: usize) -> Result<UintRef<'a>, Fault> {
    let (bytes, after) = rest.split_at_checked(len).ok_or(CUT_OFF)?;
    *rest = after;
    UintRef::new(bytes).map_err(|_| Fault::Blob("its numbers are too large"))
}

const CUT_OFF: Fault = Fault::Blob("it is shorter than its header says");

/// `BCRYPT_RSAPUBLIC_MAGIC`, `BCRYPT_RSAPRIVATE_MAGIC`, `BCRYPT_RSAFULLPRIVATE_MAGIC` as bytes.
const PUBLIC: &[u8] = b"RSA1";
const PRIVATE: &[u8] = b"RSA2";
const FULL: &[u8] = b"RSA3";

#[cfg(test)]
mod tests {
    use super::*;

    /// A blob with numbers of one byte, 3 and up, in the order of the layout.
    fn blob() -> Vec<u8> {
        let mut blob = FULL.to_vec();
        for field in [8_u32, 1, 1, 1, 1] {
            blob.extend(field.to_le_bytes());
        }
        blob.extend(3..=10);
        blob
    }

    #[test]
    fn the_numbers_land_in_their_places() {
        let der = to_pkcs1(&blob()).unwrap();
        // version 0, n, e, d, p, q, dp, dq, qinv; the blob has e n p q dp dq qinv d.
        let fields = [0, 4, 3, 10, 5, 6, 7, 8, 9].map(|value| [0x02, 0x01, value]).concat();
        assert_eq!(*der, [&[0x30, 27], &fields[..]].concat());
    }

    #[test]
    fn every_truncation_and_an_excess_are_refused() {
        let blob = blob();
        for len in 0..blob.len() {
            assert!(to_pkcs1(&blob[..len]).is_err(), "{len}");
        }
        assert!(to_pkcs1(&[&blob[..], &[0]].concat()).is_err());
    }

    #[test]
    fn blobs_without_the_private_exponent_are_named() {
        let message = |magic: &[u8]| to_pkcs1(magic).unwrap_err().to_string();
        assert!(message(b"RSA1").contains("public key"));
        assert!(message(b"RSA2").contains("RSAFULLPRIVATEBLOB"));
    }
}
