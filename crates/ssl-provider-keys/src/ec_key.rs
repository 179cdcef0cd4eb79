//! Keys on curves: private keys are read from CNG's blobs or PKCS#8, public keys read and written.
//! That both halves of a key belong together is checked here, for all backends.

use p256::elliptic_curve::sec1::ToSec1Point;
use pkcs8::der::{Decode, Encode, Length};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};
use zeroize::Zeroizing;

use ssl_provider_core::backend::with_stack_wiped;
use ssl_provider_core::{Curve, EcPrivateKeyDer, Error, InvalidKey};

use crate::KeyError;
use crate::blob::{self, Blob};

/// What CNG takes a key on a curve for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EcAlgorithm {
    /// For key agreement.
    Ecdh,
    /// For signatures.
    Ecdsa,
}

/// A public key on a curve. The point of a key that was read lies on the curve.
#[derive(Clone, PartialEq, Eq)]
pub struct EcPublicKey {
    /// What it is for.
    pub algorithm: EcAlgorithm,
    /// The curve.
    pub curve: Curve,
    /// Uncompressed: 04, then both coordinates (SEC 1 section 2.3.3).
    pub point: Box<[u8]>,
}

/// A private key on a curve, whose two halves belong together.
pub(crate) struct EcPrivateParts {
    /// The key as an `ECPrivateKey` (RFC 5915) that names its curve. Secret.
    pub(crate) sec1: Zeroizing<Vec<u8>>,
    pub(crate) public: EcPublicKey,
}

impl EcPrivateParts {
    /// The key of a private blob, whose point must be that of its scalar.
    pub(crate) fn of_blob(blob: &Blob<'_>) -> Result<Self, KeyError> {
        let (algorithm, curve, [x, y, scalar]) = kind_and_numbers(blob)?;
        Self::new(algorithm, curve, scalar, Some(&uncompressed(x, y)))
    }

    /// The key of a PKCS#8 structure with a key on a curve (RFC 5958, RFC 5915); `None` for another
    /// kind of key and for other structures. It is for ECDSA unless its key usage allows no
    /// signatures.
    ///
    /// # Errors
    ///
    /// [`KeyError::Curve`], and [`KeyError::Key`] for a key that is malformed or whose halves do
    /// not belong together.
    pub(crate) fn of_pkcs8(der: &[u8]) -> Result<Option<Self>, KeyError> {
        let Ok(info) = PrivateKeyInfoRef::from_der(der) else { return Ok(None) };
        if info.algorithm.oid.to_string() != EC_PUBLIC_KEY {
            return Ok(None);
        }
        let oid = info.algorithm.parameters_oid().ok();
        let name = oid.map(|oid| oid.to_string()).unwrap_or_default();
        let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == name);
        let curve = curve.ok_or(KeyError::Curve)?;
        let key = EcPrivateKey::from_der(info.private_key.as_bytes()).map_err(|_| MALFORMED)?;
        if key.parameters.is_some_and(|parameters| parameters.named_curve() != oid) {
            return Err(MALFORMED);
        }
        // As on Windows, the key usage tells the two algorithms apart.
        let algorithm = match EcPrivateKeyDer::from_der(der) {
            Err(Error::Key(InvalidKey::Usage)) => EcAlgorithm::Ecdh,
            _ => EcAlgorithm::Ecdsa,
        };
        Self::new(algorithm, curve, key.private_key, key.public_key).map(Some)
    }

    fn new(
        algorithm: EcAlgorithm,
        curve: Curve,
        scalar: &[u8],
        given: Option<&[u8]>,
    ) -> Result<Self, KeyError> {
        let point = public_half(curve, scalar, given).ok_or(INCONSISTENT)?;
        let oid = ObjectIdentifier::new(curve.oid()).map_err(|_| MALFORMED)?;
        let key = EcPrivateKey {
            private_key: scalar,
            parameters: Some(EcParameters::NamedCurve(oid)),
            public_key: None,
        };
        let len = key.encoded_len().and_then(|len: Length| usize::try_from(len));
        let mut sec1 = Zeroizing::new(vec![0; len.map_err(|_| MALFORMED)?]);
        key.encode_to_slice(&mut sec1).map_err(|_| MALFORMED)?;
        Ok(Self { sec1, public: EcPublicKey { algorithm, curve, point } })
    }
}

impl EcPublicKey {
    /// The key of a public blob, whose point must be on the curve.
    pub(crate) fn of_public_blob(blob: &Blob<'_>) -> Result<Self, KeyError> {
        let (algorithm, curve, [x, y]) = kind_and_numbers(blob)?;
        let point = uncompressed(x, y);
        if !is_on_curve(curve, &point) {
            return Err(INCONSISTENT);
        }
        Ok(Self { algorithm, curve, point })
    }

    pub(crate) fn to_blob(&self) -> Vec<u8> {
        let purpose = match self.algorithm {
            EcAlgorithm::Ecdh => b'K',
            EcAlgorithm::Ecdsa => b'S',
        };
        let digit = match self.curve {
            Curve::P256 => b'1',
            Curve::P384 => b'3',
            Curve::P521 => b'5',
        };
        let coordinates = self.point.get(1..).unwrap_or_default();
        blob::write([b'E', b'C', purpose, digit], &[self.curve.coordinate_len()], &[coordinates])
    }
}

ssl_provider_core::redacted_debug! { EcPublicKey { algorithm, curve, .. } }

/// Returns the algorithm and the curve by the magic, and the `N` numbers after the header, each as
/// long as a coordinate of the curve.
fn kind_and_numbers<'a, const N: usize>(
    blob: &Blob<'a>,
) -> Result<(EcAlgorithm, Curve, [&'a [u8]; N]), KeyError> {
    let [_, _, purpose, digit] = blob.magic;
    let algorithm = if purpose == b'K' { EcAlgorithm::Ecdh } else { EcAlgorithm::Ecdsa };
    let curve = match digit {
        b'1' | b'2' => Curve::P256,
        b'3' | b'4' => Curve::P384,
        _ => Curve::P521,
    };
    let (expected, [got]) = (curve.coordinate_len(), blob.header()?);
    if got != expected {
        return Err(KeyError::Header { field: "cbKey", expected, got });
    }
    Ok((algorithm, curve, blob.numbers::<1, N>([expected; N])?))
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

/// The point of a private scalar, uncompressed; `None` when it is no scalar of the curve, or when
/// `given`, compressed or not, is another point.
pub(crate) fn public_half(curve: Curve, scalar: &[u8], given: Option<&[u8]>) -> Option<Box<[u8]>> {
    // The crates take the scalar apart on the stack.
    with_stack_wiped::<_, STACK_LEN>(|| {
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

pub(crate) fn is_on_curve(curve: Curve, point: &[u8]) -> bool {
    with_curve!(curve, |library| library::PublicKey::from_sec1_bytes(point).is_ok())
}

/// Two coordinates as a point.
fn uncompressed(x: &[u8], y: &[u8]) -> Box<[u8]> {
    [&[4], x, y].concat().into()
}

pub(crate) const INCONSISTENT: KeyError = KeyError::Key(Error::Key(InvalidKey::Inconsistent));

const MALFORMED: KeyError = KeyError::Key(Error::Key(InvalidKey::Malformed));

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
