//! Key agreement of BoringSSL, on the NIST curves and X25519, and in finite fields. Its crate has
//! neither X25519 on raw keys nor keys in finite fields, so this calls the C functions.

use std::fmt;
use std::ptr;

use boring::bn::{BigNum, BigNumContext};
use boring::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use boring::error::ErrorStack;
use boring::nid::Nid;
use boring::pkey::Private;
use foreign_types::ForeignType;
use ssl_provider::backend::{AgreementKey, BAD_AGREEMENT_KEY, BAD_OUTPUT_LEN, KeyAgreement};
use ssl_provider::{DhParameters, Error, NamedCurve, Operation};
use zeroize::Zeroizing;

use crate::{BoringSsl, check, failure};

impl KeyAgreement for BoringSsl {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        if curve == NamedCurve::X25519 {
            let mut number = Zeroizing::new([0; X25519_LEN]);
            boring::rand::rand_bytes(&mut *number).map_err(|_| Error::Random)?;
            return Ok(Box::new(Montgomery::new(number)));
        }
        let group = group(curve)?.ok_or(Error::Unsupported(Operation::Ecdh(curve)))?;
        let key = EcKey::generate(&group).map_err(failure)?;
        Ok(Box::new(OnCurve::new(key).map_err(failure)?))
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        if curve == NamedCurve::X25519 {
            let number = private_key.try_into().map_err(|_| BAD_AGREEMENT_KEY)?;
            return Ok(Box::new(Montgomery::new(Zeroizing::new(number))));
        }
        let group = group(curve)?.ok_or(Error::Unsupported(Operation::EcdhLoad(curve)))?;
        if private_key.len() != curve.coordinate_len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        let key = key_from_number(&group, private_key).map_err(|_| BAD_AGREEMENT_KEY)?;
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

/// Whether BoringSSL has a curve.
pub(crate) fn has(curve: NamedCurve) -> bool {
    curve == NamedCurve::X25519 || nid(curve).is_some()
}

fn nid(curve: NamedCurve) -> Option<Nid> {
    Some(match curve {
        NamedCurve::Secp256r1 => Nid::X9_62_PRIME256V1,
        NamedCurve::Secp384r1 => Nid::SECP384R1,
        NamedCurve::Secp521r1 => Nid::SECP521R1,
        _ => return None,
    })
}

/// The curve in Weierstrass form; none for one that BoringSSL lacks.
pub(crate) fn group(curve: NamedCurve) -> Result<Option<EcGroup>, Error> {
    nid(curve).map(EcGroup::from_curve_name).transpose().map_err(failure)
}

/// A key of its number, big-endian. BoringSSL refuses 0 and what is not below the order.
pub(crate) fn key_from_number(
    group: &EcGroup,
    number: &[u8],
) -> Result<EcKey<Private>, ErrorStack> {
    let number = BigNum::from_slice(number)?;
    let mut context = BigNumContext::new()?;
    let mut order = BigNum::new()?;
    group.order(&mut order, &mut context)?;
    if number >= order {
        return Err(ErrorStack::get());
    }
    let mut public = EcPoint::new(group)?;
    public.mul_generator(group, &number, &mut context)?;
    let key = EcKey::from_private_components(group, &number, &public)?;
    key.check_key()?;
    Ok(key)
}

/// A key on a curve in Weierstrass form. BoringSSL wipes it when it is freed.
struct OnCurve {
    key: EcKey<Private>,
    public_key: Vec<u8>,
}

impl OnCurve {
    fn new(key: EcKey<Private>) -> Result<Self, ErrorStack> {
        let mut context = BigNumContext::new()?;
        let form = PointConversionForm::UNCOMPRESSED;
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
            return Err(BAD_OUTPUT_LEN);
        }
        let mut context = BigNumContext::new().map_err(failure)?;
        // This checks that the point is on the curve.
        let peer = EcPoint::from_bytes(self.key.group(), peer, &mut context);
        let peer = peer.map_err(|_| Error::BadKeyShare)?;
        let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
        // SAFETY: point and key are live and on one curve; `out` is `len` writable bytes, as many
        // as a coordinate has; without a function for it, the secret is not hashed.
        let written = unsafe {
            boring_sys::ECDH_compute_key(out, len, peer.as_ptr(), self.key.as_ptr(), None)
        };
        if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(failure(ErrorStack::get())) }
    }
}

/// A key of X25519.
struct Montgomery {
    number: Zeroizing<[u8; X25519_LEN]>,
    public_key: [u8; X25519_LEN],
}

impl Montgomery {
    fn new(number: Zeroizing<[u8; X25519_LEN]>) -> Self {
        let mut public_key = [0; X25519_LEN];
        // SAFETY: both are 32 bytes, the first of them writable.
        unsafe {
            boring_sys::X25519_public_from_private(public_key.as_mut_ptr(), number.as_ptr());
        }
        Self { number, public_key }
    }
}

impl AgreementKey for Montgomery {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        if peer.len() != X25519_LEN || secret.len() != X25519_LEN {
            return Err(BAD_OUTPUT_LEN);
        }
        let mut shared = Zeroizing::new([0; X25519_LEN]);
        // SAFETY: all three are 32 bytes, the first of them writable.
        let done =
            unsafe { boring_sys::X25519(shared.as_mut_ptr(), self.number.as_ptr(), peer.as_ptr()) };
        // It fails for a secret of zeros (RFC 7748 section 6.1).
        if done != 1 {
            return Err(Error::BadKeyShare);
        }
        secret.copy_from_slice(&*shared);
        Ok(())
    }
}

/// A key in a finite field. BoringSSL wipes it when it is freed.
struct FiniteField {
    dh: Owned,
    public_key: Vec<u8>,
}

/// The only pointer to a `DH`.
struct Owned(ptr::NonNull<boring_sys::DH>);

// SAFETY: nothing in a `DH` belongs to a thread.
unsafe impl Send for Owned {}
// SAFETY: nothing is done with a shared one; an agreement takes the key.
unsafe impl Sync for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the pointer is that of `DH_new`, and nobody else has it.
        unsafe { boring_sys::DH_free(self.0.as_ptr()) }
    }
}

impl FiniteField {
    /// Generates a key, or takes one.
    fn new(group: &DhParameters, private_key: Option<&[u8]>) -> Result<Self, ErrorStack> {
        // SAFETY: takes nothing; a null pointer is an error below.
        let dh = unsafe { boring_sys::DH_new() };
        let dh = Owned(ptr::NonNull::new(dh).ok_or_else(ErrorStack::get)?);
        let (prime, generator) =
            (BigNum::from_slice(group.prime())?, BigNum::from_slice(group.generator())?);
        // SAFETY: all pointers are live, and q may be null.
        check(unsafe {
            boring_sys::DH_set0_pqg(
                dh.0.as_ptr(),
                prime.as_ptr(),
                ptr::null_mut(),
                generator.as_ptr(),
            )
        })?;
        // The group has taken both numbers.
        std::mem::forget((prime, generator));
        if let Some(private_key) = private_key {
            let number = BigNum::from_slice(private_key)?;
            // SAFETY: both pointers are live, and the public key may be null.
            check(unsafe {
                boring_sys::DH_set0_key(dh.0.as_ptr(), ptr::null_mut(), number.as_ptr())
            })?;
            std::mem::forget(number);
        } else {
            // A prime of core has at most 8192 bits, so this is one of them at the most.
            let bits = u32::try_from(group.private_key_bits()).unwrap_or(u32::MAX);
            // SAFETY: the pointer is live.
            check(unsafe { boring_sys::DH_set_length(dh.0.as_ptr(), bits) })?;
        }
        // It computes the public key, and generates a private key where there is none.
        // SAFETY: the pointer is live.
        check(unsafe { boring_sys::DH_generate_key(dh.0.as_ptr()) })?;
        let mut public_key = vec![0; group.prime().len()];
        // SAFETY: the pointer is live; the number that is returned lives as long.
        let number = unsafe { boring_sys::DH_get0_pub_key(dh.0.as_ptr()) };
        // SAFETY: the number is live, and the pointer is to as many writable bytes as are named.
        check(unsafe {
            boring_sys::BN_bn2bin_padded(public_key.as_mut_ptr(), public_key.len(), number)
        })?;
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
            return Err(BAD_OUTPUT_LEN);
        }
        let peer = BigNum::from_slice(peer).map_err(failure)?;
        let mut shared = Zeroizing::new(vec![0; len]);
        let (out, dh) = (shared.as_mut_ptr(), self.dh.0.as_ptr());
        // SAFETY: key and number are live, nobody else has the key, and `out` is as many writable
        // bytes as the prime has, which is what is written.
        let written = unsafe { boring_sys::DH_compute_key_padded(out, peer.as_ptr(), dh) };
        if usize::try_from(written) != Ok(len) {
            // Core has checked the range of the peer's number, so this is a secret of 1 or p - 1,
            // if it is not want of memory. This empties the queue of errors.
            let _ = ErrorStack::get();
            return Err(Error::BadKeyShare);
        }
        secret.copy_from_slice(&shared);
        Ok(())
    }
}

macro_rules! named_debug {
    ($($name:ident)+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

named_debug! { OnCurve Montgomery FiniteField }

/// Length in bytes of private keys, public keys and secrets of X25519.
const X25519_LEN: usize = 32;
