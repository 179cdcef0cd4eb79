//! The exports as a program on Windows calls them, through the declarations of windows-sys.
//! What only Rust can stage is here: every backend, panics and faults in one, and slow operations.

// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod common;

use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Barrier;
use std::thread;

use ssl_provider::backend::{
    AeadCipher, HashContext, Hashing, KeyExchangeBackend, RecordCiphers, RsaDecryption,
    RsaPrivateKey,
};
use ssl_provider::{
    AeadAlgorithm, Backend, BackendInfo, CipherSuite, Error, HashAlgorithm, KeyExportPolicy,
    KeyLogPolicy, Operation, ParameterList, Policy, PremasterVersion, PrfAlgorithm,
    ProtocolVersion, Provider, RsaPrivateKeyDer, Side, Support, backends,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::exchange::premaster_secret;
use ssl_provider_testkit::fake::{Fake, Fault};
use ssl_provider_testkit::rsa_key::{RSA_OID, TestKey, pkcs8};
use sslprovider::abi::{
    NTE_BAD_FLAGS, NTE_BUFFER_TOO_SMALL, NTE_DEVICE_NOT_READY, NTE_FAIL, NTE_INTERNAL_ERROR,
    NTE_INVALID_HANDLE, NTE_INVALID_PARAMETER, NTE_NO_KEY, NTE_NOT_SUPPORTED, NTE_PERM,
    STATUS_INVALID_HANDLE,
};
use sslprovider::provider_handle;
use windows_sys::Win32::Security::Cryptography::{
    BCryptBuffer, BCryptBufferDesc, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NCRYPTBUFFER_SSL_CLIENT_RANDOM,
    NCRYPTBUFFER_SSL_HIGHEST_VERSION, NCRYPTBUFFER_SSL_SERVER_RANDOM, NCryptFreeObject,
    NCryptImportKey, NCryptOpenStorageProvider, SslComputeFinishedHash, SslComputeSessionHash,
    SslCreateHandshakeHash, SslDuplicateTranscriptHash, SslEncryptPacket, SslEnumCipherSuites,
    SslExportKey, SslFreeBuffer, SslFreeObject, SslGenerateSessionKeys, SslHashHandshake,
    SslImportMasterKey, SslOpenPrivateKey, SslOpenProvider,
};

use common::{certificate, context};

const TLS12: u32 = 0x0303;
const GCM: u32 = 0x009C;
const SERVER: u32 = 2;
const CLIENT: u32 = 1;

/// Calls an export. Every pointer in this file is NULL or of a local that lives through the call.
macro_rules! call {
    ($($call:tt)*) => {
        // SAFETY: the pointers are NULL or of locals of the right size that outlive the call.
        unsafe { $($call)* }
    };
}

#[test]
fn every_backend_computes_the_finished_of_the_rust_api() {
    for backend in backends() {
        let name = wide(backend.info().provider_name);
        let mut provider = 0;
        assert_eq!(call!(SslOpenProvider(&raw mut provider, name.as_ptr(), 0)), 0);
        let session = Session::open(provider, 1);
        let master = session.import().unwrap();
        let hash = session.hash(b"message").unwrap();
        let mut verify_data = [0; 12];
        let status = call!(SslComputeFinishedHash(
            provider,
            master,
            hash,
            verify_data.as_mut_ptr(),
            12,
            CLIENT
        ));
        assert_eq!(status, 0);

        let rust = Provider::open(&backend);
        let key = session.key.load(&rust);
        let parameters = ParameterList::new()
            .client_random(session.client_random)
            .server_random(session.server_random)
            .highest_version(ProtocolVersion::TLS1_2);
        let version = ProtocolVersion::TLS1_2;
        let suite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;
        let expected_key =
            rust.import_master_key(&key, version, suite, &parameters, &session.encrypted).unwrap();
        let mut expected_hash = rust.handshake_hash(version, suite).unwrap();
        expected_hash.update(b"message");
        let mut expected = [0; 12];
        expected_key.verify_data(Side::Client, &expected_hash, &mut expected).unwrap();
        assert_eq!(verify_data, expected, "{}", backend.info().name);
        free(&[master, hash, session.private_key, provider]);
    }
}

#[test]
fn objects_of_one_provider_are_no_objects_of_another() {
    let first = Session::open(provider_handle(Provider::open(Fake::new().leak())).unwrap(), 2);
    let second = Session::open(provider_handle(Provider::open(Fake::new().leak())).unwrap(), 2);
    let master = first.import().unwrap();
    let hash = first.hash(b"message").unwrap();
    let foreign = Session { provider: second.provider, ..first.clone() };
    assert_eq!(foreign.import(), Err(NTE_INVALID_HANDLE));
    let mut out = [0; 48];
    let provider = second.provider;
    assert_eq!(
        call!(SslComputeFinishedHash(provider, master, hash, out.as_mut_ptr(), 12, CLIENT)),
        NTE_INVALID_HANDLE
    );
    assert_eq!(call!(SslHashHandshake(provider, hash, out.as_ptr(), 1, 0)), NTE_INVALID_HANDLE);
    free(&[master, hash, first.private_key, second.private_key, first.provider, provider]);
}

#[test]
fn two_handles_of_one_backend_are_the_same_provider() {
    let backend = Fake::new().leak();
    let first = Session::open(provider_handle(Provider::open(backend)).unwrap(), 3);
    let second = provider_handle(Provider::open(backend)).unwrap();
    free(&[first.provider]);
    let elsewhere = Session { provider: second, ..first };
    let master = elsewhere.import().unwrap();
    free(&[master, elsewhere.private_key, second]);
}

#[test]
fn a_panic_in_a_backend_is_a_status_and_leaves_everything_usable() {
    for operation in operations_of_an_import() {
        let backend = Fake::new().with_fault(operation, Fault::Panic).leak();
        let session = Session::open(provider_handle(Provider::open(backend)).unwrap(), 4);
        for _ in 0..3 {
            assert_eq!(session.import(), Err(NTE_INTERNAL_ERROR), "{operation}");
        }
        free(&[session.private_key, session.provider]);
    }
    let good = Session::open(provider_handle(Provider::open(Fake::new().leak())).unwrap(), 4);
    let master = good.import().unwrap();
    free(&[master, good.private_key, good.provider]);
}

#[test]
fn a_fault_in_a_backend_is_its_status() {
    let failed = Error::Backend { backend: "fake", code: 7 };
    for (error, status) in [(failed, NTE_FAIL), (Error::Random, NTE_DEVICE_NOT_READY)] {
        for operation in operations_of_an_import() {
            let backend = Fake::new().with_fault(operation, Fault::Error(error)).leak();
            let session = Session::open(provider_handle(Provider::open(backend)).unwrap(), 5);
            assert_eq!(session.import(), Err(status), "{operation}");
            free(&[session.private_key, session.provider]);
        }
    }
}

#[test]
fn a_hash_that_a_panic_interrupted_is_refused_from_then_on() {
    let provider = provider_handle(Provider::open(Backend::new(Staged::panicking()))).unwrap();
    let mut hash = 0;
    assert_eq!(call!(SslCreateHandshakeHash(provider, &raw mut hash, TLS12, GCM, 0)), 0);
    let message = [1; 100];
    for _ in 0..2 {
        let status = call!(SslHashHandshake(provider, hash, message.as_ptr(), 100, 0));
        assert_eq!(status, NTE_INTERNAL_ERROR);
    }
    let mut copy = 77;
    let status = call!(SslDuplicateTranscriptHash(provider, hash, &raw mut copy, 0));
    assert_eq!((status, copy), (NTE_INTERNAL_ERROR, 0));
    let (mut out, mut len) = ([0; 48], 0);
    let status =
        call!(SslComputeSessionHash(provider, hash, TLS12, out.as_mut_ptr(), 48, &raw mut len, 0));
    assert_eq!((status, len), (NTE_INTERNAL_ERROR, 0));
    free(&[hash, provider]);
}

#[test]
fn a_session_key_that_a_panic_interrupted_is_refused_from_then_on() {
    let staged = Backend::new(Staged::panicking());
    let session = Session::open(provider_handle(Provider::open(staged)).unwrap(), 8);
    let master = session.import().unwrap();
    let (mut read, mut write) = (0, 0);
    assert_eq!(session.generate(master, 0, &mut read, &mut write), 0);
    let (payload, mut record, mut len) = ([1; 10], [7; 100], 77);
    for _ in 0..2 {
        let status = call!(SslEncryptPacket(
            session.provider,
            write,
            payload.as_ptr(),
            10,
            record.as_mut_ptr(),
            100,
            &raw mut len,
            0,
            23,
            0,
        ));
        assert_eq!((status, len, record), (NTE_INTERNAL_ERROR, 77, [7; 100]));
    }
    free(&[read, write, master, session.private_key, session.provider]);
}

#[test]
fn an_aead_key_refuses_a_number_that_is_not_above_the_last_and_writes_nothing() {
    let session = Session::open(provider_handle(Provider::open(Fake::new().share())).unwrap(), 10);
    let master = session.import().unwrap();
    let (mut read, mut write) = (0, 0);
    assert_eq!(session.generate(master, 0, &mut read, &mut write), 0);
    let encrypt = |number, room: u32| {
        let (payload, mut record, mut len) = ([1; 10], [7; 100], 77);
        let (from, to) = (payload.as_ptr(), record.as_mut_ptr());
        let status = call!(SslEncryptPacket(
            session.provider,
            write,
            from,
            10,
            to,
            room,
            &raw mut len,
            number,
            23,
            0
        ));
        (status, len, record[0])
    };
    let refused = (NTE_INVALID_PARAMETER, 77, 7);
    let written = (0, 5 + 8 + 10 + 16, 23);
    assert_eq!(encrypt(5, 100), written);
    for used in [5, 4, 0] {
        assert_eq!(encrypt(used, 100), refused, "{used}");
    }
    assert_eq!(encrypt(6, 1), (NTE_BUFFER_TOO_SMALL, written.1, 7), "which uses no number up");
    assert_eq!(encrypt(6, 100), written);
    free(&[read, write, master, session.private_key, session.provider]);
}

#[test]
fn a_key_that_is_freed_while_it_decrypts_is_used_to_the_end() {
    let staged: &'static Staged = Box::leak(Box::new(Staged::waiting()));
    let session =
        Session::open(provider_handle(Provider::open(Backend::from_static(staged))).unwrap(), 6);
    thread::scope(|scope| {
        let importing = scope.spawn(|| session.import());
        staged.entered.wait();
        free(&[session.private_key, session.provider]);
        staged.leave.wait();
        free(&[importing.join().unwrap().unwrap()]);
    });
    assert_eq!(session.import(), Err(NTE_INVALID_HANDLE));
}

#[test]
fn the_policy_of_rust_code_holds_for_c_code() {
    let policy = Policy { legacy_ssl3: true, key_log: KeyLogPolicy::Denied, ..Policy::default() };
    let strict = provider_handle(Provider::open(Fake::new().leak())).unwrap();
    let legacy = provider_handle(Provider::open(Fake::new().leak()).with_policy(policy)).unwrap();
    let ssl3 = u32::from(ProtocolVersion::SSL3.wire());
    let mut hash = 0;
    assert_eq!(
        call!(SslCreateHandshakeHash(strict, &raw mut hash, ssl3, 0x002F, 0)),
        NTE_INVALID_PARAMETER
    );
    assert_eq!(call!(SslCreateHandshakeHash(legacy, &raw mut hash, ssl3, 0x002F, 0)), 0);
    assert_eq!(count_suites(strict, ssl3), 0);
    assert!(count_suites(legacy, ssl3) > 10);
    let (mut out, mut len) = ([0; 48], 0);
    let status =
        call!(SslComputeSessionHash(legacy, hash, ssl3, out.as_mut_ptr(), 48, &raw mut len, 0));
    assert_eq!(status, NTE_NOT_SUPPORTED);
    free(&[hash, strict, legacy]);
}

#[test]
fn a_disabled_protocol_is_refused_before_the_list() {
    let session = Session::open(provider_handle(Provider::open(Fake::new().share())).unwrap(), 11);
    let randoms = Randoms::of(&session);
    let no_randoms = randoms.list(0);
    let mut master = 77;
    for (protocol, expected) in [(0x0300, NTE_NOT_SUPPORTED), (TLS12, NTE_INVALID_PARAMETER)] {
        let status = call!(SslImportMasterKey(
            session.provider,
            session.private_key,
            &raw mut master,
            protocol,
            0x002F,
            &raw const no_randoms,
            session.encrypted.as_ptr(),
            256,
            SERVER,
        ));
        assert_eq!((status, master), (expected, 0), "{protocol:#x}");
    }
    free(&[session.private_key, session.provider]);
}

#[test]
fn a_key_is_refused_under_another_rule_for_the_version_than_it_was_opened_under() {
    let backend = Fake::new().share();
    let insecure = PremasterVersion::InsecureAny;
    let policy = Policy { premaster_version: insecure, ..Policy::default() };
    let strict = provider_handle(Provider::open(&backend)).unwrap();
    let lenient = provider_handle(Provider::open(&backend).with_policy(policy)).unwrap();
    for (opened_with, other) in [(strict, lenient), (lenient, strict)] {
        let session = Session::open(opened_with, 12);
        free(&[session.import().unwrap()]);
        let elsewhere = Session { provider: other, ..session.clone() };
        assert_eq!(elsewhere.import(), Err(NTE_PERM));
        free(&[session.private_key]);
    }
    free(&[strict, lenient]);
}

#[test]
fn session_keys_leave_only_where_the_policy_lets_them() {
    let policy = Policy { key_export: KeyExportPolicy::Allowed, ..Policy::default() };
    for (policy, status) in [(Policy::default(), NTE_PERM), (policy, 0)] {
        let provider = Provider::open(Fake::new().leak()).with_policy(policy);
        let session = Session::open(provider_handle(provider).unwrap(), 9);
        let master = session.import().unwrap();
        let (mut read, mut write, mut len) = (0, 0, 0);
        assert_eq!(session.generate(master, 0, &mut read, &mut write), 0);
        let kind = wide("OpaqueKeyBlob");
        let out = null_mut();
        let len_place = &raw mut len;
        let answer =
            call!(SslExportKey(session.provider, read, kind.as_ptr(), out, 0, len_place, 0));
        assert_eq!((answer, len > 0), (status, status == 0));
        free(&[read, write, master, session.private_key, session.provider]);
    }
}

#[test]
fn keys_of_every_size_are_found_by_their_certificates() {
    let provider = provider_handle(Provider::open(Fake::new().leak())).unwrap();
    let mut storage = 0;
    assert_eq!(call!(NCryptOpenStorageProvider(&raw mut storage, null(), 0)), 0);
    for key in TestKey::all() {
        let certificate = certificate(&key);
        let context = context(&certificate);
        let mut opened = 77;
        // Other tests import the key of 2048 bits.
        if key.len() != 256 {
            let status = call!(SslOpenPrivateKey(provider, &raw mut opened, &raw const context, 0));
            assert_eq!((status, opened), (NTE_NO_KEY, 0));
        }
        let stored = import(storage, &key);
        let status = call!(SslOpenPrivateKey(provider, &raw mut opened, &raw const context, 0));
        assert_eq!(status, 0);
        assert_eq!(call!(NCryptFreeObject(stored)), 0);
        free(&[opened]);
    }
    assert_eq!(call!(NCryptFreeObject(storage)), 0);
    free(&[provider]);
}

#[test]
fn both_session_keys_are_given_or_none() {
    let session = Session::open(provider_handle(Provider::open(Fake::new().leak())).unwrap(), 7);
    let master = session.import().unwrap();
    let (mut read, mut write) = (77, 77);
    assert_eq!(session.generate(master, 1, &mut read, &mut write), NTE_BAD_FLAGS);
    assert_eq!((read, write), (0, 0));
    assert_eq!(session.generate(master, 0, &mut read, &mut write), 0);
    free(&[read, write, master, session.private_key, session.provider]);

    for (fault, expected) in [
        (Fault::Error(Error::Unsupported(CIPHER)), NTE_NOT_SUPPORTED),
        (Fault::Panic, NTE_INTERNAL_ERROR),
    ] {
        let backend = Fake::new().with_fault(CIPHER, fault).leak();
        let session = Session::open(provider_handle(Provider::open(backend)).unwrap(), 7);
        let master = session.import().unwrap();
        let (mut read, mut write) = (77, 77);
        assert_eq!(session.generate(master, 0, &mut read, &mut write), expected);
        assert_eq!((read, write), (0, 0));
        free(&[master, session.private_key, session.provider]);
    }
}

/// The cipher of the suite of these tests.
const CIPHER: Operation = Operation::Aead(AeadAlgorithm::Aes128Gcm);

/// What one import asks of a backend that a fault can be planted in, with a key that is loaded.
fn operations_of_an_import() -> [Operation; 2] {
    [Operation::RsaDecryptRaw, Operation::Prf(PrfAlgorithm::Sha256)]
}

/// A server in the middle of a handshake.
#[derive(Clone)]
struct Session {
    provider: usize,
    key: TestKey,
    private_key: usize,
    client_random: [u8; 32],
    server_random: [u8; 32],
    encrypted: Vec<u8>,
}

impl Session {
    fn open(provider: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let key = TestKey::rsa_2048();
        let certificate = certificate(&key);
        let context = context(&certificate);
        let (mut storage, mut private_key) = (0, 0);
        assert_eq!(call!(NCryptOpenStorageProvider(&raw mut storage, null(), 0)), 0);
        let stored = import(storage, &key);
        let status =
            call!(SslOpenPrivateKey(provider, &raw mut private_key, &raw const context, 0));
        assert_eq!(status, 0);
        assert_eq!(call!(NCryptFreeObject(stored)), 0);
        assert_eq!(call!(NCryptFreeObject(storage)), 0);
        let premaster = premaster_secret(0x0303, &mut rng);
        let encrypted = key.encrypt(&key.pad(&premaster, &mut rng));
        let (client_random, server_random) = ([seed as u8; 32], [seed as u8 + 1; 32]);
        Self { provider, key, private_key, client_random, server_random, encrypted }
    }

    fn import(&self) -> Result<usize, i32> {
        let randoms = Randoms::of(self);
        let list = randoms.list(3);
        let mut master = 77;
        let len = u32::try_from(self.encrypted.len()).unwrap();
        let status = call!(SslImportMasterKey(
            self.provider,
            self.private_key,
            &raw mut master,
            TLS12,
            GCM,
            &raw const list,
            self.encrypted.as_ptr(),
            len,
            SERVER,
        ));
        assert_eq!(status == 0, master != 0, "a handle is given on success and only then");
        if status == 0 { Ok(master) } else { Err(status) }
    }

    fn generate(&self, master: usize, flags: u32, read: &mut usize, write: &mut usize) -> i32 {
        let randoms = Randoms::of(self);
        let list = randoms.list(2);
        let (read, write) = (&raw mut *read, &raw mut *write);
        call!(SslGenerateSessionKeys(self.provider, master, read, write, &raw const list, flags))
    }

    fn hash(&self, message: &[u8]) -> Result<usize, i32> {
        let mut hash = 0;
        let status = call!(SslCreateHandshakeHash(self.provider, &raw mut hash, TLS12, GCM, 0));
        assert_eq!(status, 0);
        let len = u32::try_from(message.len()).unwrap();
        match call!(SslHashHandshake(self.provider, hash, message.as_ptr(), len, 0)) {
            0 => Ok(hash),
            status => Err(status),
        }
    }
}

/// The entries of a parameter list, which point into a session.
struct Randoms<'a> {
    buffers: [BCryptBuffer; 3],
    _session: &'a Session,
}

impl<'a> Randoms<'a> {
    fn of(session: &'a Session) -> Self {
        static VERSION: u32 = TLS12;
        let entry = |kind, len, data: *const c_void| BCryptBuffer {
            cbBuffer: len,
            BufferType: kind,
            pvBuffer: data.cast_mut(),
        };
        let buffers = [
            entry(NCRYPTBUFFER_SSL_CLIENT_RANDOM, 32, (&raw const session.client_random).cast()),
            entry(NCRYPTBUFFER_SSL_SERVER_RANDOM, 32, (&raw const session.server_random).cast()),
            entry(NCRYPTBUFFER_SSL_HIGHEST_VERSION, 4, (&raw const VERSION).cast()),
        ];
        Self { buffers, _session: session }
    }

    fn list(&self, count: u32) -> BCryptBufferDesc {
        let buffers = self.buffers.as_ptr().cast_mut();
        BCryptBufferDesc { ulVersion: 0, cBuffers: count, pBuffers: buffers }
    }
}

fn free(handles: &[usize]) {
    for handle in handles {
        assert_eq!(call!(SslFreeObject(*handle, 1)), NTE_BAD_FLAGS);
        assert_eq!(call!(SslFreeObject(*handle, 0)), 0);
        assert_eq!(call!(SslFreeObject(*handle, 0)), STATUS_INVALID_HANDLE);
        // The handle is checked before the flags.
        assert_eq!(call!(SslFreeObject(*handle, 1)), STATUS_INVALID_HANDLE);
    }
}

fn import(storage: usize, key: &TestKey) -> usize {
    let blob = pkcs8(RSA_OID, &key.parts().to_der());
    let len = u32::try_from(blob.len()).unwrap();
    let mut stored = 0;
    let status = call!(NCryptImportKey(
        storage,
        0,
        NCRYPT_PKCS8_PRIVATE_KEY_BLOB,
        null(),
        &raw mut stored,
        blob.as_ptr(),
        len,
        0,
    ));
    assert_eq!(status, 0);
    stored
}

fn count_suites(provider: usize, protocol: u32) -> usize {
    let (mut state, mut suite, mut count) = (null_mut(), null_mut(), 0);
    while call!(SslEnumCipherSuites(provider, 0, &raw mut suite, &raw mut state, 0)) == 0 {
        // SAFETY: the call succeeded, so this is a record, not freed yet.
        count += usize::from(unsafe { suite.read() }.dwProtocol == protocol);
        assert_eq!(call!(SslFreeBuffer(suite.cast())), 0);
    }
    assert_eq!(call!(SslFreeBuffer(state)), 0);
    count
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A fake backend whose hashes and ciphers panic, or whose keys wait in the middle of decrypting.
#[derive(Debug)]
struct Staged {
    fake: &'static Fake,
    panics: bool,
    entered: &'static Barrier,
    leave: &'static Barrier,
}

impl Staged {
    fn panicking() -> Self {
        Self { panics: true, ..Self::waiting() }
    }

    fn waiting() -> Self {
        let barrier = || &*Box::leak(Box::new(Barrier::new(2)));
        Self { fake: Fake::new().leak(), panics: false, entered: barrier(), leave: barrier() }
    }
}

impl KeyExchangeBackend for Staged {
    fn info(&self) -> &BackendInfo {
        self.fake.info()
    }

    fn support(&self, operation: Operation) -> Support {
        self.fake.support(operation)
    }

    fn hashing(&self) -> &dyn Hashing {
        self
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self
    }
}

impl Hashing for Staged {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        self.fake.hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        assert!(self.panics);
        let _ = hash;
        Ok(Box::new(PanickingHash))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.fake.hmac(hash, key, input, out)
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.fake.prf(prf, secret, label, seed, out)
    }
}

impl RsaDecryption for Staged {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = self.fake.load(key)?;
        if self.panics {
            return Ok(key);
        }
        Ok(Box::new(WaitingKey { key, entered: self.entered, leave: self.leave }))
    }
}

impl RecordCiphers for Staged {
    fn aead(&self, _: AeadAlgorithm, _: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        assert!(self.panics);
        Ok(Box::new(PanickingCipher))
    }
}

#[derive(Debug)]
struct PanickingCipher;

impl AeadCipher for PanickingCipher {
    fn seal(&self, _: &[u8; 12], _: &[u8], _: &mut [u8], _: &mut [u8]) -> Result<(), Error> {
        panic!("staged");
    }

    fn open(&self, _: &[u8; 12], _: &[u8], _: &mut [u8], _: &[u8]) -> Result<(), Error> {
        panic!("staged");
    }
}

#[derive(Debug)]
struct WaitingKey {
    key: Box<dyn RsaPrivateKey>,
    entered: &'static Barrier,
    leave: &'static Barrier,
}

impl RsaPrivateKey for WaitingKey {
    fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.entered.wait();
        self.leave.wait();
        self.key.decrypt_raw(ciphertext, em)
    }
}

#[derive(Debug)]
struct PanickingHash;

impl HashContext for PanickingHash {
    fn update(&mut self, _input: &[u8]) {
        panic!("staged");
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(Self)
    }

    fn finish(self: Box<Self>, _out: &mut [u8]) -> Result<(), Error> {
        panic!("staged");
    }
}
