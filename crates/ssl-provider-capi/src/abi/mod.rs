//! The types of the C interface, laid out as the Windows headers lay them out.
//! Pointers in prototypes are of [`crate::pointer`]; layouts are compared with windows-sys.

// The names of types and fields are those of the Windows headers, but for `CipherSuite`, and
// documented there.
#![allow(missing_docs, non_snake_case)]

mod constants;

use std::ffi::{c_char, c_void};

pub use self::constants::*;

/// `NCRYPT_PROV_HANDLE`: an open provider.
pub type ProviderHandle = usize;
/// `NCRYPT_KEY_HANDLE`: a key or a secret of any kind.
pub type KeyHandle = usize;
/// `NCRYPT_HASH_HANDLE`: a handshake hash.
pub type HashHandle = usize;
/// `NCRYPT_HANDLE`: any of them.
pub type ObjectHandle = usize;

/// Characters of a fixed string field, terminator included: `NCRYPT_SSL_MAX_NAME_SIZE`.
pub const MAX_NAME_LEN: usize = 64;

/// A fixed UTF-16 string field, terminated and filled with zeros.
pub type Name = [u16; MAX_NAME_LEN];

/// `BCRYPT_INTERFACE_VERSION`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BCRYPT_INTERFACE_VERSION {
    pub MajorVersion: u16,
    pub MinorVersion: u16,
}

/// `NCryptBuffer`, one entry of a parameter list.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCryptBuffer {
    /// Bytes at `pvBuffer`.
    pub cbBuffer: u32,
    /// One of the `NCRYPTBUFFER_*` numbers.
    pub BufferType: u32,
    pub pvBuffer: *mut c_void,
}

/// `NCryptBufferDesc`, a parameter list.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCryptBufferDesc {
    /// 0, `NCRYPTBUFFER_VERSION`.
    pub ulVersion: u32,
    /// Entries at `pBuffers`.
    pub cBuffers: u32,
    pub pBuffers: *mut NCryptBuffer,
}

/// `CERT_CONTEXT`. Only the encoded certificate is read.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CERT_CONTEXT {
    pub dwCertEncodingType: u32,
    pub pbCertEncoded: *mut u8,
    /// Bytes at `pbCertEncoded`.
    pub cbCertEncoded: u32,
    /// `CERT_INFO`, ignored.
    pub pCertInfo: *mut c_void,
    /// Ignored.
    pub hCertStore: *mut c_void,
}

/// `NCryptProviderName`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCryptProviderName {
    pub pszName: *mut u16,
    pub pszComment: *mut u16,
}

/// `NCRYPT_SSL_CIPHER_SUITE`: lengths are in bits, except `dwCipherBlockLen`, which is in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCRYPT_SSL_CIPHER_SUITE {
    pub dwProtocol: u32,
    pub dwCipherSuite: u32,
    pub dwBaseCipherSuite: u32,
    pub szCipherSuite: Name,
    pub szCipher: Name,
    pub dwCipherLen: u32,
    pub dwCipherBlockLen: u32,
    pub szHash: Name,
    pub dwHashLen: u32,
    pub szExchange: Name,
    pub dwMinExchangeLen: u32,
    pub dwMaxExchangeLen: u32,
    pub szCertificate: Name,
    pub dwKeyType: u32,
}

/// `NCRYPT_SSL_CIPHER_SUITE_EX`. `CipherSuite` stands for the fields of
/// [`NCRYPT_SSL_CIPHER_SUITE`], which the Windows header repeats at the same offsets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCRYPT_SSL_CIPHER_SUITE_EX {
    pub dwVersion: u32,
    pub CipherSuite: NCRYPT_SSL_CIPHER_SUITE,
    pub szCipherMode: Name,
}

/// `NCRYPT_SSL_CIPHER_LENGTHS`: what a record adds to its content, in bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCRYPT_SSL_CIPHER_LENGTHS {
    pub cbLength: u32,
    pub dwHeaderLen: u32,
    pub dwFixedTrailerLen: u32,
    pub dwMaxVariableTrailerLen: u32,
    pub dwFlags: u32,
}

/// `NCRYPT_SSL_ECC_CURVE`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NCRYPT_SSL_ECC_CURVE {
    pub szCurveName: [u16; 255],
    pub szOID: [c_char; 255],
    pub dwPublicKeyLength: u32,
    pub dwCurveType: u32,
    pub dwFlags: u32,
}

/// `SSL_PROVIDER_POLICY`, an extension of this library: zeros allow nothing that is
/// optional, and keys of 2048 bits and more.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SSL_PROVIDER_POLICY {
    pub cbSize: u32,
    pub dwMinKeyBits: u32,
    pub fAllowSsl3: i32,
    pub fAllowKeyExport: i32,
    pub fRequireConstantTimeRsa: i32,
    pub fAllowKeyLog: i32,
    pub dwBatchWaitMicroseconds: u32,
}
