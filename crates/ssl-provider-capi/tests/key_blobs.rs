//! `NCryptImportKey` and the reader of key files, which `sslprov` has, accept the same RSA blobs;
//! public keys come in as every public blob.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::ptr::null;

use ssl_provider::RsaPrivateKeyDer;
use ssl_provider_keys::files::{Password, keys_in};
use ssl_provider_testkit::rsa_key::TestKey;
use sslprovider::abi::{NTE_BAD_KEY, NTE_INVALID_PARAMETER};
use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_PUBLIC_KEY_BLOB, BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_RSAPRIVATE_BLOB,
    BCRYPT_RSAPUBLIC_BLOB, LEGACY_RSAPUBLIC_BLOB, NCryptExportKey, NCryptFreeObject,
    NCryptImportKey, NCryptOpenStorageProvider,
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

/// The key of a blob of the named type in key storage, or the status.
fn store(name: *const u16, blob: &[u8]) -> Result<usize, i32> {
    let len = u32::try_from(blob.len()).unwrap();
    let (mut storage, mut key) = (0, 0);
    // SAFETY: the handle is a local, and the name may be NULL.
    assert_eq!(unsafe { NCryptOpenStorageProvider(&raw mut storage, null(), 0) }, 0);
    // SAFETY: the blob is as long as its length says, and the handle is a local.
    let status =
        unsafe { NCryptImportKey(storage, 0, name, null(), &raw mut key, blob.as_ptr(), len, 0) };
    free(storage);
    if status == 0 { Ok(key) } else { Err(status) }
}

fn free(handle: usize) {
    // SAFETY: a handle is a number.
    assert_eq!(unsafe { NCryptFreeObject(handle) }, 0);
}

/// The status of `NCryptImportKey`, with the type that the magic should have.
fn import(blob: &[u8], full: bool) -> i32 {
    let name = if full { BCRYPT_RSAFULLPRIVATE_BLOB } else { BCRYPT_RSAPRIVATE_BLOB };
    store(name, blob).map_or_else(
        |status| status,
        |key| {
            free(key);
            0
        },
    )
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

#[test]
fn public_keys_are_imported_from_every_public_blob() {
    let key = TestKey::rsa_1024();
    let key = RsaPrivateKeyDer::from_der(&key.der).unwrap();
    let little_endian = |field: u32| field.to_le_bytes();
    let header = [1024, 3, 128, 0, 0].map(little_endian).concat();
    let rsa = [b"RSA1", &header[..], key.public_exponent(), key.modulus()].concat();
    let reversed: Vec<u8> = key.modulus().iter().rev().copied().collect();
    let capi = |algorithm: u32, bits: u32| {
        let header = [0x206, algorithm, u32::from_le_bytes(*b"RSA1"), bits, 0x10001];
        [&header.map(little_endian).concat(), &reversed[..]].concat()
    };
    let exchange = capi(0xa400, 1024);
    for (name, blob) in [
        (BCRYPT_RSAPUBLIC_BLOB, &rsa),
        (BCRYPT_PUBLIC_KEY_BLOB, &rsa),
        (LEGACY_RSAPUBLIC_BLOB, &exchange),
        (LEGACY_RSAPUBLIC_BLOB, &capi(0x2400, 1024)),
    ] {
        let key = store(name, blob).unwrap();
        for name in [BCRYPT_RSAPUBLIC_BLOB, BCRYPT_PUBLIC_KEY_BLOB] {
            let (mut exported, mut len) = (vec![0; rsa.len()], 0);
            let room = u32::try_from(exported.len()).unwrap();
            // SAFETY: the output is as long as its length says, and the length is a local.
            let status = unsafe {
                let output = exported.as_mut_ptr();
                NCryptExportKey(key, 0, name, null(), output, room, &raw mut len, 0)
            };
            assert_eq!((status, exported), (0, rsa.clone()));
        }
        free(key);
    }
    for bad in
        [&rsa, &capi(0xa401, 1024), &capi(0xa400, 1023), &capi(0xa400, 0), &exchange[1..].to_vec()]
    {
        assert_eq!(store(LEGACY_RSAPUBLIC_BLOB, bad), Err(NTE_INVALID_PARAMETER));
    }
    for len in 0..exchange.len() {
        assert_eq!(store(LEGACY_RSAPUBLIC_BLOB, &exchange[..len]), Err(NTE_INVALID_PARAMETER));
    }
    assert_eq!(store(BCRYPT_PUBLIC_KEY_BLOB, &exchange), Err(NTE_INVALID_PARAMETER));
}
