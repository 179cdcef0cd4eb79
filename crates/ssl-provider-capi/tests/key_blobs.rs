//! `NCryptImportKey` and the reader of key files, which `sslprov` has, accept the same RSA blobs.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::ptr::null;

use ssl_provider::RsaPrivateKeyDer;
use ssl_provider_keys::files::{Password, keys_in};
use ssl_provider_testkit::rsa_key::TestKey;
use sslprovider::abi::{NTE_BAD_KEY, NTE_INVALID_PARAMETER};
use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_RSAPRIVATE_BLOB, NCryptFreeObject, NCryptImportKey,
    NCryptOpenStorageProvider,
};

/// `BCRYPT_RSAKEY_BLOB`: magic, BitLength, cbPublicExp, cbModulus, cbPrime1, cbPrime2.
const HEADER_LEN: usize = 24;

/// A blob with every number, or with no more than the primes.
fn blob(key: &TestKey, full: bool) -> Vec<u8> {
    let key = RsaPrivateKeyDer::from_der(&key.der).unwrap();
    let ([p, q], [dp, dq, coefficient]) = (key.primes(), key.crt_parts());
    let (n, e, d) = (key.modulus(), key.public_exponent(), key.private_exponent());
    let padded = |number: &[u8], len: usize| [&vec![0; len - number.len()], number].concat();
    let mut blob = if full { b"RSA3" } else { b"RSA2" }.to_vec();
    for field in [key.modulus_bits(), e.len(), n.len(), p.len(), q.len()] {
        blob.extend(u32::try_from(field).unwrap().to_le_bytes());
    }
    blob.extend([e, n, p, q].concat());
    if full {
        blob.extend(padded(dp, p.len()));
        blob.extend(padded(dq, q.len()));
        blob.extend(padded(coefficient, p.len()));
        blob.extend(padded(d, n.len()));
    }
    blob
}

/// The status of `NCryptImportKey`, with the type that the magic should have.
fn import(blob: &[u8], full: bool) -> i32 {
    let name = if full { BCRYPT_RSAFULLPRIVATE_BLOB } else { BCRYPT_RSAPRIVATE_BLOB };
    let len = u32::try_from(blob.len()).unwrap();
    let (mut storage, mut key) = (0, 0);
    // SAFETY: the handle is a local, and the name may be NULL.
    assert_eq!(unsafe { NCryptOpenStorageProvider(&raw mut storage, null(), 0) }, 0);
    // SAFETY: the blob is as long as its length says, and the handle is a local.
    let status =
        unsafe { NCryptImportKey(storage, 0, name, null(), &raw mut key, blob.as_ptr(), len, 0) };
    for handle in [key, storage].into_iter().filter(|handle| *handle != 0) {
        // SAFETY: a handle is a number.
        assert_eq!(unsafe { NCryptFreeObject(handle) }, 0);
    }
    status
}

#[track_caller]
fn both(what: &str, blob: &[u8], full: bool, expected: i32) {
    assert_eq!(import(blob, full), expected, "NCryptImportKey, full: {full}: {what}");
    let read = keys_in(blob, &Password::default());
    assert_eq!(read.is_ok(), expected == 0, "key file, full: {full}: {what}");
}

#[test]
fn the_c_interface_and_key_files_accept_and_refuse_the_same_blobs() {
    for full in [false, true] {
        for key in [TestKey::rsa_1024(), TestKey::rsa_1536(), TestKey::rsa_2048_e3()] {
            both("good", &blob(&key, full), full, 0);
        }
        let good = blob(&TestKey::rsa_1024(), full);
        for len in (0..good.len()).step_by(23) {
            both("cut off", &good[..len], full, NTE_INVALID_PARAMETER);
        }
        both("excess", &[&good[..], &[0]].concat(), full, NTE_INVALID_PARAMETER);
        for at in 0..HEADER_LEN {
            let mut bad = good.clone();
            bad[at] ^= 1;
            both("header", &bad, full, NTE_INVALID_PARAMETER);
        }
        // The last byte of the exponent, which the primes alone fit too; modulus, primes and what
        // follows from them. The first byte of the modulus would change its BitLength.
        let modulus = HEADER_LEN + 3;
        let from = if full { modulus - 1 } else { modulus + 1 };
        for at in (from..good.len()).step_by(37) {
            let mut bad = good.clone();
            bad[at] ^= 2;
            both("numbers", &bad, full, NTE_BAD_KEY);
        }
        let mut zeros = good.clone();
        zeros[HEADER_LEN..].fill(0);
        both("zeros", &zeros, full, NTE_INVALID_PARAMETER);
        // A file has no name that its type could differ from.
        let other = blob(&TestKey::rsa_1024(), !full);
        assert_eq!(import(&other, full), NTE_INVALID_PARAMETER);
    }
}
