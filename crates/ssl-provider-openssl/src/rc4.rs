//! RC4 of OpenSSL, called directly: OpenSSL 3 has it otherwise in a module only, which many systems
//! do not install. An OpenSSL may be built without it; then this file is left out.

use std::ffi::{c_int, c_uchar, c_uint};

use zeroize::Zeroize;

use ssl_provider_core::Error;
use ssl_provider_core::backend::{BAD_KEY_LEN, RC4_KEY_LEN, StreamCipher};

/// RC4 with its state.
pub(crate) struct Rc4(RC4_KEY);

impl Rc4 {
    /// Sets the state where it will stay, so that no copy is left behind.
    pub(crate) fn new(key: &[u8]) -> Result<Box<Self>, Error> {
        if key.len() != RC4_KEY_LEN {
            return Err(BAD_KEY_LEN);
        }
        let len = c_int::try_from(key.len()).map_err(|_| BAD_KEY_LEN)?;
        let mut rc4 = Box::new(Self(RC4_KEY([0; 258])));
        // SAFETY: the pointers are to room for a state and to `len` bytes. The call cannot fail.
        unsafe { RC4_set_key(&raw mut rc4.0, len, key.as_ptr()) };
        Ok(rc4)
    }
}

impl StreamCipher for Rc4 {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        // SAFETY: the state has been set up, since there is no other way to make one; the pointers
        // are to `bytes.len()` bytes, which may be read and written in place. It cannot fail.
        unsafe { RC4(&raw mut self.0, bytes.len(), bytes.as_ptr(), bytes.as_mut_ptr()) };
        Ok(())
    }
}

impl Drop for Rc4 {
    fn drop(&mut self) {
        self.0.0.zeroize();
    }
}

ssl_provider_core::redacted_debug! { Rc4 { .. } }

/// OpenSSL's `RC4_KEY` of `openssl/rc4.h`, which `openssl-sys` leaves out: two indices and a table
/// of 256, of a type that is an unsigned int or, on some processors, shorter.
#[repr(C)]
#[allow(clippy::upper_case_acronyms)]
struct RC4_KEY([c_uint; 258]);

unsafe extern "C" {
    fn RC4_set_key(state: *mut RC4_KEY, len: c_int, key: *const c_uchar);
    fn RC4(state: *mut RC4_KEY, len: usize, input: *const c_uchar, out: *mut c_uchar);
}
