//! Key agreement of OpenSSL: on the NIST curves, the brainpool curves, secp256k1 and X25519, and in
//! finite fields. On curves but X25519 it runs on OpenSSL's older functions: the newer ones copy
//! each key into another form first.

use std::ffi::{c_int, c_long, c_uchar, c_void};
use std::sync::LazyLock;

use foreign_types::ForeignType;
use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::dh::Dh;
use openssl::ec::{EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, Private};
use openssl_sys::{BIGNUM, DH, EC_KEY, EC_POINT};

use ssl_provider_core::backend::{AgreementKey, BAD_AGREEMENT_KEY, KeyAgreement};
use ssl_provider_core::{DhParameters, Error, NamedCurve, Operation};

use crate::ec::{group, key_from_number};
use crate::rsa::secret;
use crate::{OpenSsl, failure};

impl KeyAgreement for OpenSsl {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        let unsupported = Error::Unsupported(Operation::Ecdh(curve));
        if curve == NamedCurve::X25519 {
            if !*HAS_X25519 {
                return Err(unsupported);
            }
            let key = PKey::generate_x25519().map_err(failure)?;
            return Ok(Box::new(Montgomery::new(key).map_err(failure)?));
        }
        let group = group(curve).ok_or(unsupported)?;
        let key = EcKey::generate(group).map_err(failure)?;
        Ok(Box::new(OnCurve::new(key).map_err(failure)?))
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        let unsupported = Error::Unsupported(Operation::EcdhLoad(curve));
        if curve == NamedCurve::X25519 {
            if !*HAS_X25519 {
                return Err(unsupported);
            }
            let key = PKey::private_key_from_raw_bytes(private_key, Id::X25519);
            let key = key.map_err(|_| BAD_AGREEMENT_KEY)?;
            return Ok(Box::new(Montgomery::new(key).map_err(failure)?));
        }
        let group = group(curve).ok_or(unsupported)?;
        if private_key.len() != curve.coordinate_len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        let key = key_from_number(group, private_key).map_err(failure)?.ok_or(BAD_AGREEMENT_KEY)?;
        Ok(Box::new(OnCurve::new(key).map_err(failure)?))
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(Box::new(FiniteField::new(group, None).map_err(failure)?))
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        if private_key.len() > group.prime().len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        Ok(Box::new(FiniteField::new(group, Some(private_key)).map_err(failure)?))
    }
}

/// Whether the OpenSSL at hand was built with an operation on a curve.
pub(crate) fn is_built_in(curve: NamedCurve) -> bool {
    match curve {
        NamedCurve::X25519 => *HAS_X25519,
        _ => group(curve).is_some(),
    }
}

/// Whether the OpenSSL at hand was built with X25519.
static HAS_X25519: LazyLock<bool> = LazyLock::new(|| {
    openssl::init();
    PKey::public_key_from_raw_bytes(&[9; X25519_LEN], Id::X25519).is_ok()
});

/// A key on a curve in Weierstrass form. OpenSSL wipes it when it is freed.
struct OnCurve {
    key: EcKey<Private>,
    public_key: Vec<u8>,
}

impl OnCurve {
    fn new(key: EcKey<Private>) -> Result<Self, ErrorStack> {
        let form = PointConversionForm::UNCOMPRESSED;
        let mut context = BigNumContext::new()?;
        let public_key = key.public_key().to_bytes(key.group(), form, &mut context)?;
        Ok(Self { key, public_key })
    }
}

impl AgreementKey for OnCurve {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        if peer.len() != self.public_key.len() || secret.len() != peer.len() / 2 {
            return Err(BAD_AGREEMENT_LEN);
        }
        let mut context = BigNumContext::new().map_err(failure)?;
        // This checks that the point is on the curve.
        let peer = EcPoint::from_bytes(self.key.group(), peer, &mut context);
        let peer = peer.map_err(|_| Error::BadKeyShare)?;
        let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
        let (peer, key) = (peer.as_ptr().cast_const(), self.key.as_ptr().cast_const());
        // SAFETY: point and key are live and on one curve; the pointer is to `len` writable bytes,
        // as many as a coordinate has; without a function for it, the secret is not hashed.
        let written = unsafe { ECDH_compute_key(out, len, peer, key, None) };
        if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(failure(ErrorStack::get())) }
    }
}

/// A key of X25519. OpenSSL wipes it when it is freed.
struct Montgomery {
    key: PKey<Private>,
    public_key: Vec<u8>,
}

impl Montgomery {
    fn new(key: PKey<Private>) -> Result<Self, ErrorStack> {
        let public_key = key.raw_public_key()?;
        Ok(Self { key, public_key })
    }

    fn derive(&self, peer: &[u8], secret: &mut [u8]) -> Result<usize, ErrorStack> {
        let peer = PKey::public_key_from_raw_bytes(peer, Id::X25519)?;
        let mut deriver = Deriver::new(&self.key)?;
        // Every 32 bytes are a public key of X25519.
        deriver.set_peer_ex(&peer, false)?;
        deriver.derive(secret)
    }
}

impl AgreementKey for Montgomery {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        if peer.len() != X25519_LEN || secret.len() != X25519_LEN {
            return Err(BAD_AGREEMENT_LEN);
        }
        // It fails for a secret of zeros (RFC 7748 section 6.1), if it is not want of memory.
        match self.derive(peer, secret) {
            Ok(X25519_LEN) => Ok(()),
            Ok(_) | Err(_) => Err(Error::BadKeyShare),
        }
    }
}

/// A key in a finite field. OpenSSL wipes it when it is freed.
struct FiniteField {
    dh: Dh<Private>,
    public_key: Vec<u8>,
}

impl FiniteField {
    /// Generates a key, or takes one.
    fn new(group: &DhParameters, private_key: Option<&[u8]>) -> Result<Self, ErrorStack> {
        let prime = BigNum::from_slice(group.prime())?;
        let dh = Dh::from_pqg(prime, None, BigNum::from_slice(group.generator())?)?;
        let dh = match private_key {
            Some(private_key) => dh.set_private_key(secret(private_key)?)?,
            None => {
                // A prime of core has at most 8192 bits, so this is one of them at the most.
                let bits = c_long::try_from(group.private_key_bits()).unwrap_or(c_long::MAX);
                // SAFETY: the group is live and nobody else has the pointer.
                if unsafe { DH_set_length(dh.as_ptr(), bits) } != 1 {
                    return Err(ErrorStack::get());
                }
                dh.generate_key()?
            }
        };
        let len = c_int::try_from(group.prime().len()).unwrap_or(c_int::MAX);
        let public_key = dh.public_key().to_vec_padded(len)?;
        Ok(Self { dh, public_key })
    }
}

impl AgreementKey for FiniteField {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        let len = self.public_key.len();
        if peer.len() != len || secret.len() != len {
            return Err(BAD_AGREEMENT_LEN);
        }
        let peer = BigNum::from_slice(peer).map_err(failure)?;
        let (out, peer, dh) = (secret.as_mut_ptr(), peer.as_ptr(), self.dh.as_ptr());
        // SAFETY: key and number are live, nobody else has the key, and the other pointer is to as
        // many writable bytes as the prime has, which is what OpenSSL writes.
        let written = unsafe { DH_compute_key_padded(out, peer, dh) };
        if usize::try_from(written) == Ok(len) {
            return Ok(());
        }
        // Core has checked the range of the peer's number, so this is a secret of 1 or p - 1, which
        // OpenSSL refuses (SP 800-56A section 5.7.1.1), if it is not want of memory. This empties
        // the queue of errors.
        let _ = ErrorStack::get();
        Err(Error::BadKeyShare)
    }
}

ssl_provider_core::redacted_debug! { OnCurve { .. } Montgomery { .. } FiniteField { .. } }

/// Length in bytes of private keys, public keys and secrets of X25519.
const X25519_LEN: usize = 32;

/// Core sees to the lengths of the peer's public key and of the secret.
const BAD_AGREEMENT_LEN: Error =
    Error::Internal("public key or secret: its length is not that of the group");

/// A function that hashes a secret; none is used.
type Kdf = unsafe extern "C" fn(*const c_void, usize, *mut c_void, *mut usize) -> *mut c_void;

// What `openssl-sys` leaves out of `openssl/ec.h` and `openssl/dh.h`.
unsafe extern "C" {
    fn ECDH_compute_key(
        out: *mut c_void,
        len: usize,
        peer: *const EC_POINT,
        key: *const EC_KEY,
        kdf: Option<Kdf>,
    ) -> c_int;
    fn DH_set_length(dh: *mut DH, bits: c_long) -> c_int;
    fn DH_compute_key_padded(out: *mut c_uchar, peer: *const BIGNUM, dh: *mut DH) -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;

    use ssl_provider_core::FfdheGroup;

    fn queue_is_empty() -> bool {
        ErrorStack::get().errors().is_empty()
    }

    #[test]
    fn what_is_refused_leaves_the_queue_of_errors_empty() {
        for number in [[0; 32], [0xff; 32]] {
            let refused = OpenSsl.load_ecdh(NamedCurve::Secp256r1, &number).err();
            assert_eq!(refused, Some(BAD_AGREEMENT_KEY));
            assert!(queue_is_empty());
        }
        let peer = [&[4][..], &[1; 64]].concat();
        let key = OpenSsl.generate_ecdh(NamedCurve::Secp256r1).unwrap();
        assert_eq!(key.agree(&peer, &mut [0; 32]), Err(Error::BadKeyShare));
        assert!(queue_is_empty());
        let key = OpenSsl.generate_ecdh(NamedCurve::X25519).unwrap();
        assert_eq!(key.agree(&[0; 32], &mut [0; 32]), Err(Error::BadKeyShare));
        assert!(queue_is_empty());
        // p - 1 has the order 2, so that a key of 2 makes it 1.
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        let key = OpenSsl.load_dh(&group, &[2]).unwrap();
        let peer = [&group.prime()[..255], &[0xfe]].concat();
        assert_eq!(key.agree(&peer, &mut [0; 256]), Err(Error::BadKeyShare));
        assert!(queue_is_empty());
    }

    #[test]
    fn private_keys_are_as_long_as_the_group_says() {
        for (group, bits) in [(FfdheGroup::Ffdhe2048, 225), (FfdheGroup::Ffdhe3072, 275)] {
            let lengths = (0..8).map(|_| {
                let key = FiniteField::new(&DhParameters::named(group), None).unwrap();
                key.dh.private_key().num_bits()
            });
            let longest = lengths.max().unwrap();
            // The first 16 bits of 8 random keys are all 0 once in 2^128 runs.
            assert!((bits - 16..=bits).contains(&longest), "{longest} bits in {}", group.name());
        }
    }

    #[test]
    fn curves_that_every_openssl_has_are_found() {
        for curve in [NamedCurve::X25519, NamedCurve::Secp256r1, NamedCurve::Secp384r1] {
            assert!(is_built_in(curve), "{}", curve.name());
        }
        assert!(queue_is_empty());
    }
}
