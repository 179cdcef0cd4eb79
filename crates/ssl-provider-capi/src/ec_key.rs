//! Keys on curves: private halves come in as blobs of CNG or as PKCS#8, public halves go both ways.
//! That the two halves of a key belong together is computed here, for all backends.

use std::fmt;

use p256::elliptic_curve::sec1::ToSec1Point;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::Decode;
use sec1::EcPrivateKey;

use ssl_provider::secret::on_wiped_stack;
use ssl_provider::signature::Curve;
use ssl_provider::{Error, KeyFault};

use crate::abi::{
    BCRYPT_ECDH_PRIVATE_P256_MAGIC, BCRYPT_ECDH_PRIVATE_P384_MAGIC, BCRYPT_ECDH_PRIVATE_P521_MAGIC,
    BCRYPT_ECDH_PUBLIC_P256_MAGIC, BCRYPT_ECDH_PUBLIC_P384_MAGIC, BCRYPT_ECDH_PUBLIC_P521_MAGIC,
    BCRYPT_ECDSA_PRIVATE_P256_MAGIC, BCRYPT_ECDSA_PRIVATE_P384_MAGIC,
    BCRYPT_ECDSA_PRIVATE_P521_MAGIC, BCRYPT_ECDSA_PUBLIC_P256_MAGIC,
    BCRYPT_ECDSA_PUBLIC_P384_MAGIC, BCRYPT_ECDSA_PUBLIC_P521_MAGIC, NTE_BAD_KEY, NTE_BAD_TYPE,
};
use crate::failure::Failure;
use crate::pointer::usize_of;

/// What CNG takes a key on a curve for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EcAlgorithm {
    Ecdh,
    Ecdsa,
}

/// A public key on a curve. The point of one that was imported has been seen to lie on it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct EcPublicKey {
    pub(crate) algorithm: EcAlgorithm,
    pub(crate) curve: Curve,
    /// Uncompressed: 04, then both coordinates (SEC 1 section 2.3.3).
    pub(crate) point: Box<[u8]>,
}

impl EcPublicKey {
    /// The public half of a `BCRYPT_ECCPRIVATE_BLOB`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when the blob is not what its header says, [`Error::Key`] when
    /// its point is not that of its scalar.
    pub(crate) fn of_private_blob(blob: &[u8]) -> Result<Self, Error> {
        let (kind, numbers) = Kind::of_blob(blob, |kind| kind.private_magic, 3)?;
        let (coordinates, scalar) =
            numbers.split_at_checked(2 * kind.curve.coordinate_len()).ok_or(WRONG_BLOB)?;
        let given = uncompressed(coordinates);
        let point = public_half(kind.curve, scalar, Some(&given)).ok_or(INCONSISTENT)?;
        Ok(Self { algorithm: kind.algorithm, curve: kind.curve, point })
    }

    /// The public half of a PKCS#8 structure with a key on a curve (RFC 5958, RFC 5915); none for
    /// another kind of key, and for what is no such structure.
    ///
    /// # Errors
    ///
    /// `NTE_BAD_TYPE` for another curve, `NTE_BAD_KEY` for a key that is malformed or whose halves
    /// do not belong together.
    pub(crate) fn of_pkcs8(der: &[u8]) -> Result<Option<Self>, Failure> {
        const MALFORMED: Failure = Failure::Status(NTE_BAD_KEY, "malformed ECPrivateKey");
        let Ok(info) = PrivateKeyInfoRef::from_der(der) else { return Ok(None) };
        if info.algorithm.oid.to_string() != EC_PUBLIC_KEY {
            return Ok(None);
        }
        let oid = info.algorithm.parameters_oid().ok();
        let name = oid.map(|oid| oid.to_string()).unwrap_or_default();
        let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == name);
        let curve =
            curve.ok_or(Failure::Status(NTE_BAD_TYPE, "a curve other than P-256, P-384, P-521"))?;
        let key = EcPrivateKey::from_der(info.private_key.as_bytes()).map_err(|_| MALFORMED)?;
        if key.parameters.is_some_and(|parameters| parameters.named_curve() != oid) {
            return Err(MALFORMED);
        }
        let point = public_half(curve, key.private_key, key.public_key).ok_or(INCONSISTENT)?;
        Ok(Some(Self { algorithm: EcAlgorithm::Ecdsa, curve, point }))
    }

    /// The key of a `BCRYPT_ECCPUBLIC_BLOB`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when the blob is not what its header says, [`Error::Key`] when
    /// its point is not on the curve.
    pub(crate) fn of_public_blob(blob: &[u8]) -> Result<Self, Error> {
        let (kind, coordinates) = Kind::of_blob(blob, |kind| kind.public_magic, 2)?;
        let point = uncompressed(coordinates);
        if !is_on_curve(kind.curve, &point) {
            return Err(INCONSISTENT);
        }
        Ok(Self { algorithm: kind.algorithm, curve: kind.curve, point })
    }

    /// A `BCRYPT_ECCPUBLIC_BLOB` of the key.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] for a key of a kind that has no blob, which none is.
    pub(crate) fn public_blob(&self) -> Result<Vec<u8>, Error> {
        let kind = KINDS
            .iter()
            .find(|kind| (kind.algorithm, kind.curve) == (self.algorithm, self.curve))
            .ok_or(Error::Internal("every kind of key on a curve has a blob"))?;
        let len = u32::try_from(self.curve.coordinate_len())
            .map_err(|_| Error::Internal("a coordinate longer than 4 GiB"))?;
        let header = [kind.public_magic, len];
        let mut blob: Vec<u8> = header.iter().flat_map(|field| field.to_ne_bytes()).collect();
        blob.extend(self.point.iter().skip(1));
        Ok(blob)
    }
}

impl fmt::Debug for EcPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcPublicKey")
            .field("algorithm", &self.algorithm)
            .field("curve", &self.curve)
            .finish_non_exhaustive()
    }
}

/// A kind of key, and the numbers that its blobs begin with.
struct Kind {
    algorithm: EcAlgorithm,
    curve: Curve,
    public_magic: u32,
    private_magic: u32,
}

const KINDS: [Kind; 6] = [
    Kind {
        algorithm: EcAlgorithm::Ecdh,
        curve: Curve::P256,
        public_magic: BCRYPT_ECDH_PUBLIC_P256_MAGIC,
        private_magic: BCRYPT_ECDH_PRIVATE_P256_MAGIC,
    },
    Kind {
        algorithm: EcAlgorithm::Ecdh,
        curve: Curve::P384,
        public_magic: BCRYPT_ECDH_PUBLIC_P384_MAGIC,
        private_magic: BCRYPT_ECDH_PRIVATE_P384_MAGIC,
    },
    Kind {
        algorithm: EcAlgorithm::Ecdh,
        curve: Curve::P521,
        public_magic: BCRYPT_ECDH_PUBLIC_P521_MAGIC,
        private_magic: BCRYPT_ECDH_PRIVATE_P521_MAGIC,
    },
    Kind {
        algorithm: EcAlgorithm::Ecdsa,
        curve: Curve::P256,
        public_magic: BCRYPT_ECDSA_PUBLIC_P256_MAGIC,
        private_magic: BCRYPT_ECDSA_PRIVATE_P256_MAGIC,
    },
    Kind {
        algorithm: EcAlgorithm::Ecdsa,
        curve: Curve::P384,
        public_magic: BCRYPT_ECDSA_PUBLIC_P384_MAGIC,
        private_magic: BCRYPT_ECDSA_PRIVATE_P384_MAGIC,
    },
    Kind {
        algorithm: EcAlgorithm::Ecdsa,
        curve: Curve::P521,
        public_magic: BCRYPT_ECDSA_PUBLIC_P521_MAGIC,
        private_magic: BCRYPT_ECDSA_PRIVATE_P521_MAGIC,
    },
];

impl Kind {
    /// The kind of a blob by its magic, and the `count` numbers behind its `BCRYPT_ECCKEY_BLOB`,
    /// each as long as a coordinate of the curve.
    fn of_blob(
        blob: &[u8],
        magic_of: fn(&Self) -> u32,
        count: usize,
    ) -> Result<(&'static Self, &[u8]), Error> {
        let (magic, rest) = blob.split_first_chunk().ok_or(WRONG_BLOB)?;
        let (len, numbers) = rest.split_first_chunk().ok_or(WRONG_BLOB)?;
        let (magic, len) = (u32::from_ne_bytes(*magic), u32::from_ne_bytes(*len));
        let kind = KINDS.iter().find(|kind| magic_of(kind) == magic).ok_or(WRONG_BLOB)?;
        let expected = kind.curve.coordinate_len();
        if usize_of(len) != expected || numbers.len() != count * expected {
            return Err(Error::InvalidParameter("key blob: its length is not that of the curve"));
        }
        Ok((kind, numbers))
    }
}

/// Does the same with the crate of a curve, whichever it is.
macro_rules! with_curve {
    ($curve:expr, |$library:ident| $body:expr) => {
        match $curve {
            Curve::P256 => {
                use p256 as $library;
                $body
            }
            Curve::P384 => {
                use p384 as $library;
                $body
            }
            Curve::P521 => {
                use p521 as $library;
                $body
            }
        }
    };
}

/// The point of a private scalar, uncompressed; none when it is no scalar of the curve, or not that
/// of the point that is given for it, compressed or not.
fn public_half(curve: Curve, scalar: &[u8], given: Option<&[u8]>) -> Option<Box<[u8]>> {
    // The crates take the scalar apart on the stack.
    on_wiped_stack::<_, STACK_LEN>(|| {
        with_curve!(curve, |library| {
            let point = library::SecretKey::from_slice(scalar).ok()?.public_key();
            if let Some(given) = given
                && library::PublicKey::from_sec1_bytes(given).ok()? != point
            {
                return None;
            }
            Some(point.to_sec1_point(false).as_bytes().into())
        })
    })
}

/// Bytes of stack that a multiplication with a scalar may use; P-521 was seen to use 10 000.
const STACK_LEN: usize = 16 * 1024;

fn is_on_curve(curve: Curve, point: &[u8]) -> bool {
    with_curve!(curve, |library| library::PublicKey::from_sec1_bytes(point).is_ok())
}

/// Two coordinates as a point.
fn uncompressed(coordinates: &[u8]) -> Box<[u8]> {
    [&[4], coordinates].concat().into()
}

const INCONSISTENT: Error = Error::Key(KeyFault::Inconsistent);

const WRONG_BLOB: Error = Error::InvalidParameter("key blob: not one of the type that was named");

/// id-ecPublicKey (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::BTreeSet;

    use ssl_provider_testkit::bytes::Rng;
    use ssl_provider_testkit::stack::{Remains, Secrets};

    use super::*;

    /// The same without the wipe must be found, else this would hold for nothing.
    #[test]
    fn no_scalar_is_left_on_the_stack() {
        let mut left_unwiped = BTreeSet::new();
        for curve in Curve::ALL {
            let mut scalar = Rng::new(96).bytes(curve.coordinate_len());
            // Below the order of the curve.
            scalar[0] = 0;
            let secrets = Secrets::default().and("scalar", &scalar);
            let unwiped = Remains::of(|| {
                with_curve!(curve, |library| {
                    library::SecretKey::from_slice(&scalar).unwrap().public_key();
                });
            });
            left_unwiped.extend(unwiped.found(&secrets));
            let remains = Remains::of(|| drop(public_half(curve, &scalar, None).unwrap()));
            assert_eq!(remains.found(&secrets), BTreeSet::new(), "{curve:?}");
            assert!(remains.wiped_to_the_bottom(), "{curve:?}");
        }
        assert_eq!(left_unwiped, BTreeSet::from(["scalar"]));
    }
}
