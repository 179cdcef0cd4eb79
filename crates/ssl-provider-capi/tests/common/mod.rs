//! Certificates by which C programs open a private key.

use std::ptr::null_mut;

use ssl_provider_testkit::rsa_key::{TestKey, der};
use ssl_provider_testkit::signature::rsa_public_key;
use windows_sys::Win32::Security::Cryptography::CERT_CONTEXT;

/// A certificate of the key, with nothing in it but what is read.
pub(crate) fn certificate(key: &TestKey) -> Vec<u8> {
    let fields = [
        der(0xa0, &[&[0x02, 1, 2]]),
        der(0x02, &[&[1]]),
        der(0x30, &[]).repeat(4),
        rsa_public_key(key),
    ];
    der(0x30, &[&der(0x30, &[&fields.concat()])])
}

/// The record by which a call gets the certificate, which must outlive it.
pub(crate) fn context(certificate: &[u8]) -> CERT_CONTEXT {
    CERT_CONTEXT {
        dwCertEncodingType: 1,
        pbCertEncoded: certificate.as_ptr().cast_mut(),
        cbCertEncoded: u32::try_from(certificate.len()).expect("certificates are short"),
        pCertInfo: null_mut(),
        hCertStore: null_mut(),
    }
}
