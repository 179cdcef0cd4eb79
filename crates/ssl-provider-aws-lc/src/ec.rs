//! Private keys on curves in AWS-LC, which agree and sign. Curves are constants of the library.

use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EC_GROUP, EC_KEY, EC_KEY_free, EC_KEY_generate_key, EC_KEY_get0_group, EC_KEY_get0_public_key,
    EC_KEY_new, EC_KEY_set_group, EC_KEY_set_private_key, EC_KEY_set_public_key, EC_POINT,
    EC_POINT_free, EC_POINT_mul, EC_POINT_new, EC_POINT_oct2point, EC_POINT_point2oct,
    EC_group_p256, EC_group_p384, EC_group_p521, EC_group_secp256k1, point_conversion_form_t,
};

use ssl_provider_core::{Error, NamedCurve};

use crate::number::Number;
use crate::{failure, succeeded};

/// A curve of AWS-LC, a constant.
pub(crate) type Group = *const EC_GROUP;

/// Returns the curve, if AWS-LC has it.
pub(crate) fn group(curve: NamedCurve) -> Option<Group> {
    let constant: unsafe extern "C" fn() -> Group = match curve {
        NamedCurve::Secp256r1 => EC_group_p256,
        NamedCurve::Secp384r1 => EC_group_p384,
        NamedCurve::Secp521r1 => EC_group_p521,
        NamedCurve::Secp256k1 => EC_group_secp256k1,
        _ => return None,
    };
    // SAFETY: each of the four takes nothing and has no precondition.
    Some(unsafe { constant() })
}

/// Owns a private key on a curve, with its public key.
pub(crate) struct EcKey(NonNull<EC_KEY>);

// SAFETY: the key is on the heap, belongs to this value alone, and AWS-LC ties nothing in it to a
// thread.
unsafe impl Send for EcKey {}

// SAFETY: through a shared reference the key only agrees and signs, which take it as const; AWS-LC
// documents that such calls may be made at the same time.
unsafe impl Sync for EcKey {}

impl EcKey {
    /// Generates a key.
    pub(crate) fn generate(group: Group) -> Result<Self, Error> {
        let key = Self::empty(group)?;
        // SAFETY: the key is live, has a curve, and nobody else has the pointer.
        succeeded(unsafe { EC_KEY_generate_key(key.as_ptr()) })?;
        Ok(key)
    }

    /// Takes a private key; none if it is 0 or not below the order.
    pub(crate) fn from_number(group: Group, number: &[u8]) -> Result<Option<Self>, Error> {
        let (key, number) = (Self::empty(group)?, Number::new(number)?);
        // SAFETY: key and number are live; AWS-LC copies the number.
        let set = unsafe { EC_KEY_set_private_key(key.as_ptr(), number.as_ptr()) };
        if succeeded(set).is_err() {
            return Ok(None);
        }
        let public = Point::new(group)?;
        let (out, none) = (public.0.as_ptr(), ptr::null());
        // SAFETY: point and number are live, and the point is on the curve; null is for no second
        // product and, last, for memory that AWS-LC then finds itself.
        succeeded(unsafe {
            EC_POINT_mul(group, out, number.as_ptr(), none, ptr::null(), ptr::null_mut())
        })?;
        // SAFETY: key and point are live; AWS-LC copies the point.
        succeeded(unsafe { EC_KEY_set_public_key(key.as_ptr(), out) })?;
        Ok(Some(key))
    }

    /// A key on a curve, without its numbers.
    fn empty(group: Group) -> Result<Self, Error> {
        // SAFETY: the call takes no pointer.
        let key = NonNull::new(unsafe { EC_KEY_new() }).map(Self).ok_or_else(failure)?;
        // SAFETY: the key is live and has no curve yet; the curve is a constant of AWS-LC.
        succeeded(unsafe { EC_KEY_set_group(key.as_ptr(), group) })?;
        Ok(key)
    }

    /// Returns the public key, an uncompressed point; `len` is its length.
    pub(crate) fn public_key(&self, len: usize) -> Result<Vec<u8>, Error> {
        let form = point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
        let mut bytes = vec![0; len];
        // SAFETY: the key is live and has a public key, since there is no other way to make one.
        let point = unsafe { EC_KEY_get0_public_key(self.as_ptr()) };
        let (group, out) = (self.group(), bytes.as_mut_ptr());
        // SAFETY: curve and point are the key's, which is live; the pointer is to `len` writable
        // bytes; null is for memory that AWS-LC then finds itself.
        let written = unsafe { EC_POINT_point2oct(group, point, form, out, len, ptr::null_mut()) };
        if written == len { Ok(bytes) } else { Err(failure()) }
    }

    /// Returns the curve of the key.
    pub(crate) fn group(&self) -> Group {
        // SAFETY: the key is live.
        unsafe { EC_KEY_get0_group(self.as_ptr()) }
    }

    pub(crate) fn as_ptr(&self) -> *mut EC_KEY {
        self.0.as_ptr()
    }
}

impl Drop for EcKey {
    fn drop(&mut self) {
        // SAFETY: the key is live and nobody else has the pointer.
        unsafe { EC_KEY_free(self.0.as_ptr()) };
    }
}

ssl_provider_core::redacted_debug! { EcKey { .. } }

/// Owns a point on a curve.
pub(crate) struct Point(NonNull<EC_POINT>);

impl Point {
    fn new(group: Group) -> Result<Self, Error> {
        // SAFETY: the curve is a constant of AWS-LC or belongs to a live key.
        let point = unsafe { EC_POINT_new(group) };
        NonNull::new(point).map(Self).ok_or_else(failure)
    }

    /// Takes a point of another party.
    ///
    /// # Errors
    ///
    /// [`Error::BadKeyShare`] when it is not on the curve.
    pub(crate) fn from_bytes(group: Group, bytes: &[u8]) -> Result<Self, Error> {
        let point = Self::new(group)?;
        let (start, len) = (bytes.as_ptr(), bytes.len());
        // SAFETY: the point is live and of the curve; the pointer is to `len` bytes; null is for
        // memory that AWS-LC then finds itself.
        let answer =
            unsafe { EC_POINT_oct2point(group, point.0.as_ptr(), start, len, ptr::null_mut()) };
        succeeded(answer).map_err(|_| Error::BadKeyShare)?;
        Ok(point)
    }

    pub(crate) fn as_ptr(&self) -> *const EC_POINT {
        self.0.as_ptr()
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        // SAFETY: the point is live and nobody else has the pointer.
        unsafe { EC_POINT_free(self.0.as_ptr()) };
    }
}
