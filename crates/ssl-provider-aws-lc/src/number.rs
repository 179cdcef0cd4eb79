//! Numbers of AWS-LC, which it makes of big-endian bytes and wipes when they are freed.

use std::ptr::{self, NonNull};

use aws_lc_sys::{BIGNUM, BN_bin2bn, BN_clear_free};

use ssl_provider_core::Error;

use crate::failure;

/// Owns a number.
pub(crate) struct Number(NonNull<BIGNUM>);

impl Number {
    pub(crate) fn new(big_endian: &[u8]) -> Result<Self, Error> {
        // SAFETY: the pointer is to `big_endian.len()` bytes; null is for a new number.
        let number = unsafe { BN_bin2bn(big_endian.as_ptr(), big_endian.len(), ptr::null_mut()) };
        NonNull::new(number).map(Self).ok_or_else(failure)
    }

    pub(crate) fn as_ptr(&self) -> *mut BIGNUM {
        self.0.as_ptr()
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: the number is live and nobody else has the pointer.
        unsafe { BN_clear_free(self.0.as_ptr()) };
    }
}
