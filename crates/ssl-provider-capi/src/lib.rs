//! The C interface of ssl-provider: the functions of `Sslprovider.h`, by name and exact prototype.
//! Each export is a thin shell over the Rust API; this crate is about the edge between the two.
//!
//! `include/sslprovider.h` declares what is exported and documents it for C callers. Rust callers
//! use the crate `ssl-provider` instead; only [`provider_handle`] is for them, which returns a C
//! handle to a provider that Rust code has configured.
//!
//! # Rules of the edge
//!
//! - One macro defines an export and puts the panic boundary, the mapping to a status and the trace
//!   event around it.
//! - What a caller passes is copied before it is used, at any alignment, and nothing of it is kept.
//!   Each pointer has a type of [`mod@pointer`], which documents what the caller promises about it.
//! - Checks come in this order: handles, NULL pointers, flags, protocol and suite, lists.
//! - Outputs are written last, and only on success, with two exceptions: a handle or pointer to be
//!   returned is set to 0 first, and the size is also written when a buffer is too small.
//! - A handle is a number from a table, never an address. A value that is not live, or is of
//!   another kind, is `NTE_INVALID_HANDLE`, or `STATUS_INVALID_HANDLE` where a function documents
//!   that. Each secret of TLS 1.3 is of a kind of its own, never a master key of earlier versions.
//! - Every backend's provider may be open at once. An object may be used with any handle of a
//!   provider with the same backend, and with no other.
//! - Any function may be called from any thread. Hashes and session keys serve one caller at a
//!   time; everything else runs at once.
//! - A child made by `fork` starts without handles, buffers and keys; those of its parent are not
//!   valid in it. `fork` waits up to a second for calls of other threads to return.

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "ssl-provider-capi needs a 64-bit target: a handle is a 64-bit value, of which 38 bits tell \
     its generation, and 32 bits could not keep a freed handle from coming back"
);

pub mod abi;
mod boundary;
mod check;
pub mod cipher_suites;
pub mod client_auth;
pub mod ephemeral_key;
pub mod exporter;
mod failure;
pub mod function_table;
pub mod handshake_hash;
pub mod key_exchange;
pub mod key_schedule;
#[cfg(target_os = "linux")]
mod key_server;
mod key_store;
pub mod key_transfer;
pub mod master_key;
mod memory;
pub mod ncrypt;
mod object;
mod own_key;
pub mod pointer;
pub mod policy;
pub mod pre_shared_key;
pub mod private_key;
mod process;
pub mod provider;
pub mod record;
mod session_key;
pub mod signature;
pub mod traffic_secret;

pub use crate::boundary::{SslProviderSetTrace, TraceFn};
pub use crate::provider::provider_handle;

/// Freed memory of this library holds no secret, whatever a crypto library in Rust leaves there.
#[cfg(feature = "wiping-allocator")]
#[global_allocator]
static ALLOCATOR: ssl_provider::WipingAllocator = ssl_provider::WipingAllocator::system();

/// The comparison with Microsoft's metadata can fail: this compiles,
///
/// ```
/// # #![allow(dead_code)]
/// # #[macro_use]
/// # #[path = "../tests/compatibility/abi.rs"]
/// # mod abi;
/// use std::mem::offset_of;
/// use sslprovider::abi as ours;
/// use sslprovider::provider::SslFreeObject as Export;
/// use windows_sys::Win32::Security::Cryptography as windows;
///
/// abi::assign(Export as unsafe extern "system" fn(_, _) -> _, windows::SslFreeObject);
/// same_layout! { ours::NCryptBuffer, windows::BCryptBuffer: cbBuffer BufferType pvBuffer }
/// same_numbers! { windows: NCRYPTBUFFER_SSL_SESSION_HASH }
/// ```
///
/// an argument that is too narrow does not,
///
/// ```compile_fail,E0271
/// # #![allow(dead_code)]
/// # #[path = "../tests/compatibility/abi.rs"]
/// # mod abi;
/// unsafe extern "system" fn Export(_object: u32, _flags: u32) -> i32 { 0 }
/// use windows_sys::Win32::Security::Cryptography as windows;
///
/// abi::assign(Export as unsafe extern "system" fn(_, _) -> _, windows::SslFreeObject);
/// ```
///
/// nor one argument less,
///
/// ```compile_fail,E0308
/// # #![allow(dead_code)]
/// # #[path = "../tests/compatibility/abi.rs"]
/// # mod abi;
/// unsafe extern "system" fn Export(_object: usize) -> i32 { 0 }
/// use windows_sys::Win32::Security::Cryptography as windows;
///
/// abi::assign(Export as unsafe extern "system" fn(_) -> _, windows::SslFreeObject);
/// ```
///
/// nor a pointer to another structure,
///
/// ```compile_fail,E0271
/// # #![allow(dead_code)]
/// # #[path = "../tests/compatibility/abi.rs"]
/// # mod abi;
/// use sslprovider::cipher_suites::SslEnumCipherSuites as Export;
/// use windows_sys::Win32::Security::Cryptography as windows;
///
/// abi::assign(
///     Export as unsafe extern "system" fn(_, _, _, _, _) -> _,
///     windows::SslEnumCipherSuitesEx,
/// );
/// ```
///
/// nor two fields of a structure in each other's place,
///
/// ```compile_fail,E0080
/// # #![allow(dead_code)]
/// # #[macro_use]
/// # #[path = "../tests/compatibility/abi.rs"]
/// # mod abi;
/// use std::mem::offset_of;
/// use windows_sys::Win32::Security::Cryptography as windows;
///
/// #[repr(C)]
/// struct Structure { BufferType: u32, cbBuffer: u32, pvBuffer: *mut u8 }
/// same_layout! { Structure, windows::BCryptBuffer: cbBuffer BufferType pvBuffer }
/// ```
///
/// nor a constant of another value.
///
/// ```compile_fail,E0080
/// # #![allow(dead_code)]
/// # #[macro_use]
/// # #[path = "../tests/compatibility/abi.rs"]
/// # mod abi;
/// mod ours {
///     pub const NCRYPTBUFFER_SSL_SESSION_HASH: u32 = 24;
/// }
/// use windows_sys::Win32::Security::Cryptography as windows;
///
/// same_numbers! { windows: NCRYPTBUFFER_SSL_SESSION_HASH }
/// ```
#[cfg(doctest)]
pub struct PlantedMismatch;
