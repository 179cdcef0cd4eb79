//! Key exchanges of both sides through the exports, where only Rust can stage it: every backend
//! with every other, threads that share an ephemeral key, faults of a backend, and what one lacks.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::thread;

use ssl_provider::backend::{Hashing, KeyExchangeBackend, RecordCiphers, SecureRandom};
use ssl_provider::{
    Backend, BackendInfo, DhParameters, Error, FfdheGroup, NamedCurve, Operation, Provider,
    SignatureScheme, Support, backends,
};
use ssl_provider_testkit::fake::{Fake, Fault};
use ssl_provider_testkit::rsa_key::{RSA_OID, TestKey, der, pkcs8, with_key_usage};
use ssl_provider_testkit::signature::rsa_public_key;
use sslprovider::abi::{
    NTE_BAD_KEY, NTE_BAD_KEY_STATE, NTE_FAIL, NTE_INTERNAL_ERROR, NTE_INVALID_HANDLE,
    NTE_NO_MORE_ITEMS, NTE_NOT_SUPPORTED,
};
use sslprovider::provider_handle;
use windows_sys::Win32::Foundation::NTE_BAD_DATA;
use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_DH_PUBLIC_BLOB, BCRYPT_KEY_DATA_BLOB, BCRYPT_RSAPUBLIC_BLOB, BCryptBuffer,
    BCryptBufferDesc, CERT_CONTEXT, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NCRYPT_SSL_ECC_CURVE,
    NCRYPTBUFFER_SSL_CLIENT_RANDOM, NCRYPTBUFFER_SSL_SERVER_RANDOM, NCryptFreeObject,
    NCryptImportKey, NCryptOpenStorageProvider, SSL_ECCPUBLIC_BLOB, SslComputeFinishedHash,
    SslCreateEphemeralKey, SslCreateHandshakeHash, SslEnumCipherSuites, SslEnumEccCurves,
    SslExportKey, SslFreeBuffer, SslFreeObject, SslGenerateMasterKey, SslGeneratePreMasterKey,
    SslGetKeyProperty, SslHashHandshake, SslImportKey, SslImportMasterKey, SslOpenPrivateKey,
    SslSignHash,
};

const TLS12: u32 = 0x0303;
const ECDHE: u32 = 0xC02F;
const DHE: u32 = 0x009E;
const RSA: u32 = 0x009C;
const PSK: u32 = 0x00A8;
const CLIENT: u32 = 1;
const SERVER: u32 = 2;
/// A curve whose points the library does not check when they are imported, as the fake has none.
const BRAINPOOL: u32 = 26;

/// Calls an export. Every pointer in this file is NULL or of a local that lives through the call.
macro_rules! call {
    ($($call:tt)*) => {
        // SAFETY: the pointers are NULL or of locals of the right size that outlive the call.
        unsafe { $($call)* }
    };
}

#[test]
fn every_backend_agrees_with_every_other() {
    let open = |backend: Backend| (provider_handle(Provider::open(&backend)).unwrap(), backend);
    let providers: Vec<(usize, Backend)> = backends().into_iter().map(open).collect();
    let mut agreed = 0;
    for (client, of_client) in &providers {
        for (server, of_server) in &providers {
            for curve in curves(*client) {
                if curves(*server).contains(&curve) {
                    agree([*client, *server], ECDHE, SSL_ECCPUBLIC_BLOB, |provider| {
                        ephemeral(provider, curve).unwrap()
                    });
                    agreed += 1;
                }
            }
            if [of_client, of_server].iter().all(|of| of.support(Operation::Dh).is_supported()) {
                agree([*client, *server], DHE, BCRYPT_DH_PUBLIC_BLOB, ephemeral_dh);
                agreed += 1;
            }
        }
    }
    assert!(agreed >= 4 * providers.len() * providers.len(), "{agreed}");
    providers.iter().for_each(|(provider, _)| free(&[*provider]));
}

#[test]
fn keys_of_one_backend_are_none_of_another_and_are_not_used_up_by_the_attempt() {
    let [provider, other] = [Fake::new(), Fake::new()]
        .map(|fake| provider_handle(Provider::open(fake.leak())).unwrap());
    let own = ephemeral(provider, BRAINPOOL).unwrap();
    let [peer, foreign] = [provider, other].map(|to| share(provider, own, to));
    let premaster = premaster(provider).unwrap();
    let psk = psk(provider);
    for (own, peer, suite, side) in [
        (own, foreign, ECDHE, SERVER),
        (own, peer, ECDHE, SERVER),
        (premaster, 0, RSA, CLIENT),
        (0, premaster, RSA, CLIENT),
        (psk, 0, PSK, SERVER),
    ] {
        assert_eq!(generate(other, own, peer, suite, side), Err(NTE_INVALID_HANDLE));
    }
    assert_eq!(generate(provider, own, foreign, ECDHE, SERVER), Err(NTE_INVALID_HANDLE));
    let mut len = 0;
    let status =
        call!(SslExportKey(other, own, SSL_ECCPUBLIC_BLOB, null_mut(), 0, &raw mut len, 0));
    assert_eq!((status, len), (NTE_INVALID_HANDLE, 0));
    let masters = [
        generate(provider, own, peer, ECDHE, SERVER).unwrap(),
        generate(provider, premaster, 0, RSA, CLIENT).unwrap(),
        generate(provider, psk, 0, PSK, SERVER).unwrap(),
    ];
    free(&masters);
    free(&[own, peer, foreign, premaster, psk, provider, other]);
}

#[test]
fn of_threads_that_share_an_ephemeral_key_one_gets_a_master_key() {
    let provider = provider_handle(Provider::open(Fake::new().leak())).unwrap();
    for _ in 0..50 {
        let own = ephemeral(provider, BRAINPOOL).unwrap();
        let peer = share(provider, own, provider);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let attempt = || generate(provider, own, peer, ECDHE, CLIENT);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(attempt)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let masters: Vec<usize> = outcomes.iter().filter_map(|outcome| outcome.ok()).collect();
        assert_eq!(masters.len(), 1);
        let refused = outcomes.iter().filter(|outcome| **outcome == Err(NTE_BAD_KEY_STATE));
        assert_eq!(refused.count(), 3);
        free(&masters);
        free(&[own, peer]);
    }
    free(&[provider]);
}

#[test]
fn a_fault_in_a_backend_is_its_status_and_a_panic_an_internal_error() {
    let failed = Error::Backend { backend: "fake", code: 7 };
    let curve = Operation::Ecdh(NamedCurve::BrainpoolP256r1);
    for (fault, expected) in [(Fault::Error(failed), NTE_FAIL), (Fault::Panic, NTE_INTERNAL_ERROR)]
    {
        let open = |operation| {
            let fake = Fake::new().with_fault(operation, fault).leak();
            provider_handle(Provider::open(fake)).unwrap()
        };
        let provider = open(curve);
        assert_eq!(ephemeral(provider, BRAINPOOL), Err(expected));
        free(&[provider]);

        let provider = open(Operation::RsaEncryptRaw);
        assert_eq!(premaster(provider), Err(expected));
        free(&[provider]);

        let provider = open(Operation::Sign(SignatureScheme::RsaWithoutDigestInfo));
        let key = open_key(provider);
        assert_eq!(sign(provider, key), Err(expected));
        free(&[key, provider]);
    }
}

#[test]
fn what_a_backend_lacks_is_not_supported_and_not_listed() {
    let all = listed(provider_handle(Provider::open(Fake::new().leak())).unwrap(), 0);
    assert!([RSA, ECDHE, DHE, PSK, 0xC02B].iter().all(|suite| all.contains(suite)));

    // No key agreement at all, and no signatures.
    let provider =
        provider_handle(Provider::open(Backend::new(Lacking(Fake::new().leak())))).unwrap();
    assert!(curves(provider).is_empty());
    assert_eq!(ephemeral(provider, 23), Err(NTE_NOT_SUPPORTED));
    assert_eq!(premaster(provider), Err(NTE_NOT_SUPPORTED));
    let suites = listed(provider, 0);
    assert!(suites.contains(&PSK));
    assert!(![RSA, ECDHE, DHE, 0xC02B].iter().any(|suite| suites.contains(suite)));
    free(&[provider]);
}

#[test]
fn a_key_lists_the_suites_that_it_is_for() {
    let provider = provider_handle(Provider::open(Fake::new().leak())).unwrap();
    let key = open_key(provider);
    assert!(sign(provider, key).is_ok());
    let suites = listed(provider, key);
    assert!([RSA, ECDHE, DHE].iter().all(|suite| suites.contains(suite)));
    assert!(![PSK, 0xC02B].iter().any(|suite| suites.contains(suite)));
    free(&[key, provider]);
}

/// What the key usage in PKCS#8 allows, and nothing else, is what an RSA key does.
#[test]
fn a_key_does_what_its_key_usage_allows() {
    let provider = provider_handle(Provider::open(backends().remove(0))).unwrap();
    let test_key = TestKey::rsa_1536();
    let plain = pkcs8(RSA_OID, &test_key.parts().to_der());
    let open = |usage| open_pkcs8(provider, &test_key, &with_key_usage(&plain, usage));
    let expected = |is_allowed| if is_allowed { Ok(()) } else { Err(NTE_BAD_KEY) };
    for (usage, decrypts, signs) in [(0x20, true, false), (0x80, false, true), (0xa0, true, true)] {
        let key = open(usage).unwrap();
        assert_eq!(key_usage(key), u32::from(decrypts) + 2 * u32::from(signs), "{usage:#x}");
        let suites = listed(provider, key);
        assert_eq!(suites.contains(&RSA), decrypts, "{usage:#x}");
        assert_eq!(suites.contains(&ECDHE), signs, "{usage:#x}");
        assert_eq!(sign(provider, key).map(drop), expected(signs), "{usage:#x}");
        let imported = import_master(provider, key).map(|master| free(&[master]));
        assert_eq!(imported, expected(decrypts), "{usage:#x}");
        free(&[key]);
    }
    for usage in [0x08, 0x00] {
        assert_eq!(open(usage), Err(NTE_BAD_KEY), "{usage:#x}");
    }
    free(&[provider]);
}

/// With a generator of order 3, one's own public key is 1 one time in three.
#[test]
fn a_hostile_group_is_the_fault_of_whoever_chose_it() {
    // The cube of 2^512 is 1 modulo 2^1024 + 2^512 + 1.
    let mut prime = vec![0; 129];
    (prime[0], prime[64], prime[128]) = (1, 1, 1);
    let mut generator = vec![0; 65];
    generator[0] = 1;
    let group = DhParameters::new(&prime, &generator).unwrap();
    let mut counts = [0; 2];
    for backend in backends().into_iter().filter(|it| it.support(Operation::Dh).is_supported()) {
        let provider = provider_handle(Provider::open(backend)).unwrap();
        for _ in 0..20 {
            let key = ephemeral_in(provider, &group);
            counts[usize::from(key.is_ok())] += 1;
            match key {
                Ok(key) => free(&[key]),
                Err(status) => assert_eq!(status, NTE_BAD_DATA),
            }
        }
        free(&[provider]);
    }
    assert!(!counts.contains(&0), "{counts:?}");
}

/// A backend without key agreement, RSA and signatures.
#[derive(Debug)]
struct Lacking(&'static Fake);

impl KeyExchangeBackend for Lacking {
    fn info(&self) -> &BackendInfo {
        self.0.info()
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::RsaDecryptRaw
            | Operation::RsaEncryptRaw
            | Operation::Ecdh(_)
            | Operation::EcdhLoad(_)
            | Operation::Dh
            | Operation::Kem(_)
            | Operation::KemLoad(_)
            | Operation::Verify(_)
            | Operation::Sign(_) => Support::Unsupported,
            _ => self.0.support(operation),
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self.0.random()
    }

    fn hashing(&self) -> &dyn Hashing {
        self.0.hashing()
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self.0.record_ciphers()
    }
}

/// Two sides, each of a provider, make the same master key, of which the Finished tells.
fn agree(providers: [usize; 2], suite: u32, blob: *const u16, key: impl Fn(usize) -> usize) {
    let own = providers.map(&key);
    let (to_client, to_server) = (
        transfer(providers[1], own[1], blob, providers[0]),
        transfer(providers[0], own[0], blob, providers[1]),
    );
    let masters = [
        generate(providers[0], own[0], to_client, suite, CLIENT).unwrap(),
        generate(providers[1], own[1], to_server, suite, SERVER).unwrap(),
    ];
    let [client, server] = [0, 1].map(|side| finished(providers[side], masters[side], suite));
    assert_eq!(client, server, "{suite:#x}");
    free(&masters);
    free(&own);
    free(&[to_client, to_server]);
}

fn finished(provider: usize, master: usize, suite: u32) -> [u8; 12] {
    let (mut hash, mut out) = (0, [0; 12]);
    assert_eq!(call!(SslCreateHandshakeHash(provider, &raw mut hash, TLS12, suite, 0)), 0);
    assert_eq!(call!(SslHashHandshake(provider, hash, out.as_ptr(), 12, 0)), 0);
    let status =
        call!(SslComputeFinishedHash(provider, master, hash, out.as_mut_ptr(), 12, CLIENT));
    assert_eq!(status, 0);
    free(&[hash]);
    out
}

fn ephemeral(provider: usize, curve: u32) -> Result<usize, i32> {
    let mut key = 77;
    let status =
        call!(SslCreateEphemeralKey(provider, &raw mut key, TLS12, ECDHE, curve, 0, null(), 0, 0));
    handle(status, key)
}

/// A key in ffdhe2048.
fn ephemeral_dh(provider: usize) -> usize {
    ephemeral_in(provider, &DhParameters::named(FfdheGroup::Ffdhe2048)).unwrap()
}

fn ephemeral_in(provider: usize, group: &DhParameters) -> Result<usize, i32> {
    let bits = u32::try_from(group.bits()).unwrap();
    let group = ssl_provider_keys::write_dh_parameters(group);
    let len = u32::try_from(group.len()).unwrap();
    let mut key = 77;
    let status = call!(SslCreateEphemeralKey(
        provider,
        &raw mut key,
        TLS12,
        DHE,
        0,
        bits,
        group.as_ptr(),
        len,
        0
    ));
    handle(status, key)
}

/// The public half of a key on a curve, for another provider.
fn share(provider: usize, key: usize, to: usize) -> usize {
    transfer(provider, key, SSL_ECCPUBLIC_BLOB, to)
}

fn transfer(provider: usize, key: usize, kind: *const u16, to: usize) -> usize {
    let (mut blob, mut len, mut imported) = ([0; 1024], 0, 77);
    let (out, room) = (blob.as_mut_ptr(), 1024);
    assert_eq!(call!(SslExportKey(provider, key, kind, out, room, &raw mut len, 0)), 0);
    let status = call!(SslImportKey(to, &raw mut imported, kind, blob.as_ptr(), len, 0));
    handle(status, imported).unwrap()
}

/// An entry of a parameter list, which points to the random.
fn entry(kind: u32, random: &[u8; 32]) -> BCryptBuffer {
    let random = random.as_ptr().cast_mut().cast::<c_void>();
    BCryptBuffer { cbBuffer: 32, BufferType: kind, pvBuffer: random }
}

fn generate(provider: usize, own: usize, peer: usize, suite: u32, side: u32) -> Result<usize, i32> {
    let randoms = [[1_u8; 32], [2; 32]];
    let mut buffers = [
        entry(NCRYPTBUFFER_SSL_CLIENT_RANDOM, &randoms[0]),
        entry(NCRYPTBUFFER_SSL_SERVER_RANDOM, &randoms[1]),
    ];
    let list = BCryptBufferDesc { ulVersion: 0, cBuffers: 2, pBuffers: buffers.as_mut_ptr() };
    let mut master = 77;
    let status = call!(SslGenerateMasterKey(
        provider,
        own,
        peer,
        &raw mut master,
        TLS12,
        suite,
        &raw const list,
        null_mut(),
        0,
        null_mut(),
        side
    ));
    handle(status, master)
}

fn premaster(provider: usize) -> Result<usize, i32> {
    let key = ssl_provider_keys::CheckedKey::from_der(&TestKey::rsa_2048().der).unwrap();
    let blob = key.public().to_blob();
    let (mut server, mut premaster, mut out, mut len) = (0, 77, [0; 256], 0);
    let blob_len = u32::try_from(blob.len()).unwrap();
    let status = call!(SslImportKey(
        provider,
        &raw mut server,
        BCRYPT_RSAPUBLIC_BLOB,
        blob.as_ptr(),
        blob_len,
        0
    ));
    assert_eq!(status, 0);
    let list = BCryptBufferDesc { ulVersion: 0, cBuffers: 0, pBuffers: null_mut() };
    let status = call!(SslGeneratePreMasterKey(
        provider,
        server,
        &raw mut premaster,
        TLS12,
        RSA,
        &raw const list,
        out.as_mut_ptr(),
        256,
        &raw mut len,
        0
    ));
    assert_eq!(out == [0; 256], status != 0, "the ciphertext is written on success and only then");
    free(&[server]);
    handle(status, premaster)
}

fn psk(provider: usize) -> usize {
    let blob = [&b"KDBM"[..], &1_u32.to_le_bytes(), &3_u32.to_le_bytes(), b"psk"].concat();
    let len = u32::try_from(blob.len()).unwrap();
    let mut key = 77;
    let from = blob.as_ptr();
    let status = call!(SslImportKey(provider, &raw mut key, BCRYPT_KEY_DATA_BLOB, from, len, 0));
    handle(status, key).unwrap()
}

/// The RSA test key.
fn open_key(provider: usize) -> usize {
    let key = TestKey::rsa_2048();
    open_pkcs8(provider, &key, &pkcs8(RSA_OID, &key.parts().to_der())).unwrap()
}

/// A key in PKCS#8, by a certificate with nothing in it but what is read; or the status of its
/// import.
fn open_pkcs8(provider: usize, key: &TestKey, blob: &[u8]) -> Result<usize, i32> {
    let (mut storage, mut stored, mut opened) = (0, 0, 77);
    assert_eq!(call!(NCryptOpenStorageProvider(&raw mut storage, null(), 0)), 0);
    let len = u32::try_from(blob.len()).unwrap();
    let kind = NCRYPT_PKCS8_PRIVATE_KEY_BLOB;
    let from = blob.as_ptr();
    let status = call!(NCryptImportKey(storage, 0, kind, null(), &raw mut stored, from, len, 0));
    if let Err(status) = handle(status, stored) {
        assert_eq!(call!(NCryptFreeObject(storage)), 0);
        return Err(status);
    }
    let fields = [
        der(0xa0, &[&[0x02, 1, 2]]),
        der(0x02, &[&[1]]),
        der(0x30, &[]).repeat(4),
        rsa_public_key(key),
    ];
    let certificate = der(0x30, &[&der(0x30, &[&fields.concat()])]);
    let context = CERT_CONTEXT {
        dwCertEncodingType: 1,
        pbCertEncoded: certificate.as_ptr().cast_mut(),
        cbCertEncoded: u32::try_from(certificate.len()).unwrap(),
        pCertInfo: null_mut(),
        hCertStore: null_mut(),
    };
    let status = call!(SslOpenPrivateKey(provider, &raw mut opened, &raw const context, 0));
    assert_eq!(call!(NCryptFreeObject(stored)), 0);
    assert_eq!(call!(NCryptFreeObject(storage)), 0);
    Ok(handle(status, opened).unwrap())
}

/// The property "Key Usage".
fn key_usage(key: usize) -> u32 {
    let name: Vec<u16> = "Key Usage\0".encode_utf16().collect();
    let (mut value, mut len): (*mut u8, u32) = (null_mut(), 0);
    let status = call!(SslGetKeyProperty(key, name.as_ptr(), &raw mut value, &raw mut len, 0));
    assert_eq!((status, len), (0, 4));
    // SAFETY: the call succeeded, so there are four bytes, not freed yet.
    let number = unsafe { value.cast::<u32>().read_unaligned() };
    assert_eq!(call!(SslFreeBuffer(value.cast())), 0);
    number
}

/// Imports a premaster secret that is none, which yields a master key all the same.
fn import_master(provider: usize, key: usize) -> Result<usize, i32> {
    let (randoms, mut master) = ([[1_u8; 32], [2; 32]], 77);
    let mut buffers = [
        entry(NCRYPTBUFFER_SSL_CLIENT_RANDOM, &randoms[0]),
        entry(NCRYPTBUFFER_SSL_SERVER_RANDOM, &randoms[1]),
    ];
    let list = BCryptBufferDesc { ulVersion: 0, cBuffers: 2, pBuffers: buffers.as_mut_ptr() };
    let encrypted = [9; 192];
    let status = call!(SslImportMasterKey(
        provider,
        key,
        &raw mut master,
        TLS12,
        RSA,
        &raw const list,
        encrypted.as_ptr(),
        192,
        SERVER
    ));
    handle(status, master)
}

fn sign(provider: usize, key: usize) -> Result<u32, i32> {
    let (hash, mut signature, mut len) = ([7; 36], [0; 256], 0);
    let out = signature.as_mut_ptr();
    let status = call!(SslSignHash(provider, key, hash.as_ptr(), 36, out, 256, &raw mut len, 0));
    if status == 0 { Ok(len) } else { Err(status) }
}

/// The curves that are listed, without the hybrid groups of TLS 1.3.
fn curves(provider: usize) -> Vec<u32> {
    let (mut count, mut curves): (u32, *mut NCRYPT_SSL_ECC_CURVE) = (0, null_mut());
    assert_eq!(call!(SslEnumEccCurves(provider, &raw mut count, &raw mut curves, 0)), 0);
    let types = (0..count as usize)
        // SAFETY: the call succeeded, so there are so many, not freed yet.
        .map(|index| unsafe { curves.wrapping_add(index).read_unaligned() }.dwCurveType)
        .filter(|curve| *curve < 256)
        .collect();
    assert_eq!(call!(SslFreeBuffer(curves.cast())), 0);
    types
}

/// The suites of TLS 1.2 that are listed for a key, or for none.
fn listed(provider: usize, key: usize) -> Vec<u32> {
    let (mut state, mut suite, mut found) = (null_mut(), null_mut(), Vec::new());
    loop {
        let status = call!(SslEnumCipherSuites(provider, key, &raw mut suite, &raw mut state, 0));
        if status != 0 {
            assert_eq!(status, NTE_NO_MORE_ITEMS);
            break;
        }
        // SAFETY: the call succeeded, so this is a record, not freed yet.
        let record = unsafe { suite.read() };
        if record.dwProtocol == TLS12 {
            found.push(record.dwCipherSuite);
        }
        assert_eq!(call!(SslFreeBuffer(suite.cast())), 0);
    }
    if !state.is_null() {
        assert_eq!(call!(SslFreeBuffer(state)), 0);
    }
    found
}

fn handle(status: i32, handle: usize) -> Result<usize, i32> {
    assert_eq!(status == 0, handle != 0, "a handle is given on success and only then");
    if status == 0 { Ok(handle) } else { Err(status) }
}

fn free(handles: &[usize]) {
    for handle in handles {
        assert_eq!(call!(SslFreeObject(*handle, 0)), 0);
    }
}
