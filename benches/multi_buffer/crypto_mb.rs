//! Intel's crypto_mb, loaded at run time: the RSA private operation with eight messages under keys
//! of 1024, 2048, 3072 or 4096 bits. Its package has no header; these are the declarations.

use std::error::Error;
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;

use libloading::{Library, Symbol};
use ssl_provider_testkit::rsa_key::KeyParts;

use crate::LANES;

/// `mbx_is_crypto_mb_applicable`: 1 where the processor has what the library needs.
type IsApplicable = unsafe extern "C" fn() -> c_int;

/// `mbx_RSA2K_private_crt_Method` and its like.
type Method = unsafe extern "C" fn() -> *const c_void;

/// `mbx_RSA_Method_BufSize`.
type BufferSize = unsafe extern "C" fn(method: *const c_void) -> c_int;

/// `mbx_rsa_private_crt_mb8`. Messages are big-endian; the parts of keys are little-endian in words
/// of 64 bits. Returns four bits for each lane, zero for success.
type PrivateCrt = unsafe extern "C" fn(
    from: *const *const u8,
    to: *const *mut u8,
    p: *const *const u64,
    q: *const *const u64,
    dp: *const *const u64,
    dq: *const *const u64,
    inverse_of_q: *const *const u64,
    modulus_bits: c_int,
    method: *const c_void,
    buffer: *mut u8,
) -> u32;

/// What `mbx_getversion` returns a pointer to: numbers, and strings that are static.
#[repr(C)]
struct Version {
    major: c_int,
    minor: c_int,
    revision: c_int,
    name: *const c_char,
    build_date: *const c_char,
    text: *const c_char,
}

/// The library; unloaded on drop.
pub(crate) struct CryptoMb {
    library: Library,
}

impl CryptoMb {
    /// Loads it, and says why not if it cannot be used here.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: its initialisation selects code for the processor and touches nothing of ours.
        let library = unsafe { Library::new(path) }.map_err(|error| reason(&error))?;
        let this = Self { library };
        let is_applicable: Symbol<'_, IsApplicable> = this.symbol("mbx_is_crypto_mb_applicable")?;
        // SAFETY: the call takes nothing.
        if unsafe { is_applicable() } != 1 {
            return Err("it needs AVX-512 IFMA, which this processor does not have".to_owned());
        }
        Ok(this)
    }

    /// Returns its version.
    pub(crate) fn version(&self) -> String {
        type GetVersion = unsafe extern "C" fn() -> *const Version;
        let Ok(version) = self.symbol::<GetVersion>("mbx_getversion") else {
            return "unknown".to_owned();
        };
        // SAFETY: the call takes nothing.
        let version = unsafe { version() };
        // SAFETY: the pointer is null or to what is static, until the library is unloaded.
        match unsafe { version.as_ref() } {
            Some(Version { major, minor, revision, .. }) => format!("{major}.{minor}.{revision}"),
            None => "unknown".to_owned(),
        }
    }

    /// A function by its name. `T` must be its type.
    fn symbol<T>(&self, name: &str) -> Result<Symbol<'_, T>, String> {
        // SAFETY: each caller names the type that the documentation of the function has.
        unsafe { self.library.get(name) }.map_err(|error| reason(&error))
    }
}

/// An error with what caused it, which has the message of the system.
fn reason(error: &libloading::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A private key in the form that the library takes, the same in every lane.
pub(crate) struct Key<'a> {
    private_crt: Symbol<'a, PrivateCrt>,
    method: *const c_void,
    bits: c_int,
    len: usize,
    /// p, q, d mod p-1, d mod q-1, q^-1 mod p.
    parts: [Vec<u64>; 5],
    buffer: Vec<u8>,
}

impl<'a> Key<'a> {
    /// Prepares a key; none for a size that the library does not have.
    pub(crate) fn new(library: &'a CryptoMb, parts: &KeyParts) -> Option<Self> {
        let bits = c_int::try_from(parts.n.bits()).ok()?;
        let name = match bits {
            1024 => "mbx_RSA1K_private_crt_Method",
            2048 => "mbx_RSA2K_private_crt_Method",
            3072 => "mbx_RSA3K_private_crt_Method",
            4096 => "mbx_RSA4K_private_crt_Method",
            _ => return None,
        };
        let method: Symbol<'_, Method> = library.symbol(name).ok()?;
        // SAFETY: the call takes nothing and returns a pointer to what is static.
        let method = unsafe { method() };
        let buffer_size: Symbol<'_, BufferSize> = library.symbol("mbx_RSA_Method_BufSize").ok()?;
        // SAFETY: the method is one of the library.
        let size = unsafe { buffer_size(method) };
        let private_crt = library.symbol("mbx_rsa_private_crt_mb8").ok()?;
        let words = usize::try_from(bits / 2 / 64).ok()?;
        let KeyParts { p, q, dp, dq, qinv, .. } = parts;
        let parts = [p, q, dp, dq, qinv].map(|number| {
            let mut digits = number.to_u64_digits();
            digits.resize(words, 0);
            digits
        });
        let buffer = vec![0; usize::try_from(size).ok()?];
        Some(Self { private_crt, method, bits, len: words * 16, parts, buffer })
    }

    /// Does eight private operations.
    ///
    /// # Panics
    ///
    /// Panics for another number of messages, for a wrong length, and when the library reports a
    /// failure.
    pub(crate) fn decrypt(&mut self, from: &[&[u8]], to: &mut [Vec<u8>]) {
        assert!(from.iter().all(|message| message.len() == self.len));
        assert!(to.iter().all(|message| message.len() == self.len));
        let from: Vec<*const u8> = from.iter().map(|message| message.as_ptr()).collect();
        let to: Vec<*mut u8> = to.iter_mut().map(|message| message.as_mut_ptr()).collect();
        assert_eq!((from.len(), to.len()), (LANES, LANES));
        let [p, q, dp, dq, qinv] = self.parts.each_ref().map(|part| [part.as_ptr(); LANES]);
        // SAFETY: each array has a pointer for each lane: to messages as long as the modulus and to
        // parts half as long. The buffer is as long as the method needs.
        let status = unsafe {
            (self.private_crt)(
                from.as_ptr(),
                to.as_ptr(),
                p.as_ptr(),
                q.as_ptr(),
                dp.as_ptr(),
                dq.as_ptr(),
                qinv.as_ptr(),
                self.bits,
                self.method,
                self.buffer.as_mut_ptr(),
            )
        };
        assert_eq!(status, 0, "crypto_mb reports a failure");
    }
}
