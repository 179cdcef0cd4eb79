//! The C interface as a program uses it, through the declarations of windows-sys: an open provider
//! and private key, and imports of master keys.

use std::ptr::null;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Builder};
use windows_sys::Win32::Security::Cryptography::{
    BCryptBuffer, BCryptBufferDesc, CERT_CONTEXT, NCRYPT_PKCS8_PRIVATE_KEY_BLOB,
    NCRYPTBUFFER_SSL_CLIENT_RANDOM, NCRYPTBUFFER_SSL_HIGHEST_VERSION,
    NCRYPTBUFFER_SSL_SERVER_RANDOM, NCryptFreeObject, NCryptImportKey, NCryptOpenStorageProvider,
    SslFreeObject, SslImportMasterKey, SslOpenPrivateKey, SslOpenProvider, X509_ASN_ENCODING,
};
// Links the library of these declarations.
use sslprovider as _;

use crate::exchange::{SUITE, VERSION};

/// `NCRYPT_SSL_SERVER_FLAG`.
const SERVER: u32 = 2;

/// An open provider with a private key.
#[derive(Debug)]
pub struct CProvider {
    provider: usize,
    private_key: usize,
    client_random: [u8; 32],
    server_random: [u8; 32],
    highest_version: u32,
}

impl CProvider {
    /// Opens the provider of this name and a key in DER.
    ///
    /// # Panics
    ///
    /// Panics when a call fails.
    pub fn open(name: &str, der: &[u8]) -> Self {
        let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
        let key = PKey::private_key_from_der(der).expect("OpenSSL takes the key");
        let pkcs8 = key.private_key_to_pkcs8().expect("OpenSSL writes the key");
        let certificate = certificate(&key).and_then(|it| it.to_der()).expect("a certificate");
        let context = CERT_CONTEXT {
            dwCertEncodingType: X509_ASN_ENCODING,
            pbCertEncoded: certificate.as_ptr().cast_mut(),
            cbCertEncoded: len(&certificate),
            pCertInfo: std::ptr::null_mut(),
            hCertStore: std::ptr::null_mut(),
        };
        let (mut provider, mut private_key, mut storage, mut stored) = (0, 0, 0, 0);
        // SAFETY: the pointers are to a string that ends in NUL and to room for a handle.
        succeeded(unsafe { SslOpenProvider(&raw mut provider, name.as_ptr(), 0) });
        // SAFETY: the pointer is to room for a handle, and NULL names the default.
        succeeded(unsafe { NCryptOpenStorageProvider(&raw mut storage, null(), 0) });
        // SAFETY: the pointers are to `pkcs8` and to room for a handle.
        succeeded(unsafe {
            NCryptImportKey(
                storage,
                0,
                NCRYPT_PKCS8_PRIVATE_KEY_BLOB,
                null(),
                &raw mut stored,
                pkcs8.as_ptr(),
                len(&pkcs8),
                0,
            )
        });
        // SAFETY: the pointers are to a certificate that outlives the call and to a handle.
        succeeded(unsafe {
            SslOpenPrivateKey(provider, &raw mut private_key, &raw const context, 0)
        });
        for handle in [stored, storage] {
            // SAFETY: the call takes no pointer.
            succeeded(unsafe { NCryptFreeObject(handle) });
        }
        Self {
            provider,
            private_key,
            client_random: [0xc1; 32],
            server_random: [0x5e; 32],
            highest_version: VERSION.wire().into(),
        }
    }

    /// Imports a master key and frees it.
    ///
    /// # Panics
    ///
    /// Panics when that fails.
    pub fn import(&self, encrypted_premaster: &[u8]) {
        let entry = |kind, len, data: *const u8| BCryptBuffer {
            cbBuffer: len,
            BufferType: kind,
            pvBuffer: data.cast_mut().cast(),
        };
        let version = (&raw const self.highest_version).cast();
        let mut entries = [
            entry(NCRYPTBUFFER_SSL_CLIENT_RANDOM, 32, self.client_random.as_ptr()),
            entry(NCRYPTBUFFER_SSL_SERVER_RANDOM, 32, self.server_random.as_ptr()),
            entry(NCRYPTBUFFER_SSL_HIGHEST_VERSION, 4, version),
        ];
        let list = BCryptBufferDesc { ulVersion: 0, cBuffers: 3, pBuffers: entries.as_mut_ptr() };
        let mut master_key = 0;
        // SAFETY: the list and what it points to, the ciphertext and the room for the handle all
        // outlive the call.
        succeeded(unsafe {
            SslImportMasterKey(
                self.provider,
                self.private_key,
                &raw mut master_key,
                VERSION.wire().into(),
                SUITE.0,
                &raw const list,
                encrypted_premaster.as_ptr(),
                len(encrypted_premaster),
                SERVER,
            )
        });
        // SAFETY: the call takes no pointer.
        succeeded(unsafe { SslFreeObject(master_key, 0) });
    }
}

impl Drop for CProvider {
    fn drop(&mut self) {
        for handle in [self.private_key, self.provider] {
            // SAFETY: the call takes no pointer.
            succeeded(unsafe { SslFreeObject(handle, 0) });
        }
    }
}

/// A certificate for a key, by which the key is found.
fn certificate(key: &PKey<Private>) -> Result<X509, openssl::error::ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_pubkey(key)?;
    builder.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::days_from_now(1)?.as_ref())?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn succeeded(status: i32) {
    assert_eq!(status, 0, "a status of the C interface: {status:#010x}");
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("keys are short")
}
