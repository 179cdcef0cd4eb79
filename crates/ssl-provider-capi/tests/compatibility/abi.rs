//! What compiles only where this library agrees with windows-sys: [`assign`] takes an export and a
//! Windows function of the same type, two macros compare layouts and numbers.

use std::ffi::c_void;

use sslprovider::abi as ours;
use sslprovider::function_table;
use sslprovider::pointer::{
    AsciiStr, BufferList, Bytes, CertContext, InOut, Opaque, Out, OutBytes, WideStr,
};
use windows_sys::Win32::Security::Cryptography as windows;

/// A type of ours, and what windows-sys has in its place.
pub(crate) trait Abi {
    /// The type of windows-sys.
    type Windows;
}

/// Takes an export and the function of windows-sys that it must be.
pub(crate) fn assign<F: Abi>(_export: F, _windows: F::Windows) {}

/// Compares size and alignment of a structure, and the offset of each of its fields, also of those
/// that are in a structure of their own here.
macro_rules! same_layout {
    ($ours:ty, $theirs:ty: $($field:ident)* $(; $inner:ident: $($nested:ident)*)?) => {
        const _: () = {
            assert!(size_of::<$ours>() == size_of::<$theirs>());
            assert!(align_of::<$ours>() == align_of::<$theirs>());
            $(assert!(offset_of!($ours, $field) == offset_of!($theirs, $field));)*
            $($(assert!(offset_of!($ours, $inner.$nested) == offset_of!($theirs, $nested));)*)?
        };
    };
}

/// Compares numbers.
macro_rules! same_numbers {
    ($theirs:ident: $($name:ident)*) => {
        $(const _: () = assert!(ours::$name == $theirs::$name);)*
    };
}

macro_rules! same {
    ($($ours:ty => $theirs:ty;)*) => {
        $(impl Abi for $ours {
            type Windows = $theirs;
        })*
    };
}

same! {
    u8 => u8;
    u16 => u16;
    u32 => u32;
    i32 => i32;
    u64 => u64;
    usize => usize;
    c_void => c_void;
    // An array as a parameter is a pointer to its elements.
    ours::Name => u16;
    ours::NCRYPT_SSL_CIPHER_SUITE => windows::NCRYPT_SSL_CIPHER_SUITE;
    ours::NCRYPT_SSL_CIPHER_SUITE_EX => windows::NCRYPT_SSL_CIPHER_SUITE_EX;
    ours::NCRYPT_SSL_CIPHER_LENGTHS => windows::NCRYPT_SSL_CIPHER_LENGTHS;
    ours::NCRYPT_SSL_ECC_CURVE => windows::NCRYPT_SSL_ECC_CURVE;
    ours::NCryptProviderName => windows::NCryptProviderName;
    function_table::NCRYPT_SSL_FUNCTION_TABLE => windows::NCRYPT_SSL_FUNCTION_TABLE;
    Bytes => *const u8;
    OutBytes => *mut u8;
    WideStr => *const u16;
    AsciiStr => *const u8;
    BufferList => *const windows::BCryptBufferDesc;
    CertContext => *const windows::CERT_CONTEXT;
    Opaque => *mut c_void;
}

impl<T: Abi> Abi for *mut T {
    type Windows = *mut T::Windows;
}

impl<T: Abi> Abi for Out<T> {
    type Windows = *mut T::Windows;
}

impl<T: Abi> Abi for InOut<T> {
    type Windows = *mut T::Windows;
}

// The wrappers are as wide as the pointers that they wrap.
const _: () = assert!(size_of::<Out<usize>>() == size_of::<*mut usize>());
const _: () = assert!(size_of::<WideStr>() == size_of::<*const u16>());

macro_rules! functions {
    ($($argument:ident)*) => {
        impl<R: Abi, $($argument: Abi),*> Abi for unsafe extern "system" fn($($argument),*) -> R {
            type Windows = unsafe extern "system" fn($($argument::Windows),*) -> R::Windows;
        }
    };
}

functions! { A1 }
functions! { A1 A2 }
functions! { A1 A2 A3 }
functions! { A1 A2 A3 A4 }
functions! { A1 A2 A3 A4 A5 }
functions! { A1 A2 A3 A4 A5 A6 }
functions! { A1 A2 A3 A4 A5 A6 A7 }
functions! { A1 A2 A3 A4 A5 A6 A7 A8 }
functions! { A1 A2 A3 A4 A5 A6 A7 A8 A9 }
functions! { A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 }
functions! { A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 }
