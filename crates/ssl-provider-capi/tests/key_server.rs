//! Keys of a key server, seen from C. In a process of its own: it sets an environment variable.
#![cfg(target_os = "linux")]
// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

mod common;

use std::env;
use std::ffi::{CStr, c_char};
use std::sync::Mutex;
use std::thread;

use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion, Provider, Side, default_backend};
use ssl_provider_remote::{Limits, Listener, Peers, ServedKeys, Server};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_testkit::exchange::premaster_secret;
use ssl_provider_testkit::rsa_key::TestKey;
use sslprovider::SslProviderSetTrace;
use sslprovider::abi::{NTE_DEVICE_NOT_READY, NTE_INVALID_PARAMETER, NTE_NO_KEY};
use windows_sys::Win32::Security::Cryptography::{
    BCryptBuffer, BCryptBufferDesc, NCRYPTBUFFER_SSL_CLIENT_RANDOM, NCRYPTBUFFER_SSL_SERVER_RANDOM,
    SslComputeFinishedHash, SslCreateHandshakeHash, SslFreeObject, SslImportMasterKey,
    SslOpenPrivateKey, SslOpenProvider,
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
fn a_c_program_uses_the_keys_of_a_key_server_as_its_own() {
    if default_backend().is_err() {
        return not_tested("key servers in C", "this build has no backend");
    }
    let path = env::temp_dir().join(format!("sslp-capi-{}.sock", std::process::id()));
    let (key, other) = (TestKey::rsa_2048(), TestKey::rsa_1024());
    let mut provider = 0;
    assert_eq!(call!(SslOpenProvider(&raw mut provider, std::ptr::null(), 0)), 0);
    // SAFETY: the function may be called from any thread, and does not unwind.
    unsafe { SslProviderSetTrace(Some(remember)) };
    assert_eq!(open(provider, &key), Err(NTE_NO_KEY), "no variable");
    assert_eq!(last_reason(), "no key with the public key of the certificate was imported");
    // SAFETY: no other thread of this process runs yet.
    unsafe { env::set_var("SSL_PROVIDER_KEY_SERVER", &path) };
    assert_eq!(open(provider, &key), Err(NTE_DEVICE_NOT_READY), "no server");
    for (uid, status) in [("nobody", NTE_INVALID_PARAMETER), ("77", NTE_DEVICE_NOT_READY)] {
        // SAFETY: as above.
        unsafe { env::set_var("SSL_PROVIDER_KEY_SERVER_UID", uid) };
        assert_eq!(open(provider, &key), Err(status), "{uid}");
    }

    let mut opened = None;
    for run in 0..2 {
        let mut keys = ServedKeys::new(default_backend().unwrap(), false);
        keys.add(&key.der).unwrap();
        let listener = Listener::bind(&path, Peers::same_user()).unwrap();
        let server = Server::new(listener, keys, Limits::default()).unwrap();
        let stop = server.stop_handle();
        let running = thread::spawn(move || server.run(&|_| {}));
        // The handle of the first run outlives its server.
        let private_key = *opened.get_or_insert_with(|| open(provider, &key).unwrap());
        assert_eq!(open(provider, &other), Err(NTE_NO_KEY));
        let reason = last_reason();
        assert!(reason.contains("the key server of SSL_PROVIDER_KEY_SERVER"), "{reason}");
        let mut rng = Rng::new(run);
        let premaster = premaster_secret(0x0303, &mut rng);
        let good = key.encrypt(&key.pad(&premaster, &mut rng));
        let bad = key.encrypt(&[1; 256]);
        for ciphertext in [good, bad] {
            let finished = finished(provider, private_key, &ciphertext).unwrap();
            assert_eq!(finished, expected(&key, &ciphertext));
        }
        stop.stop();
        running.join().unwrap().unwrap();
        let failed = finished(provider, private_key, &[7; 256]);
        assert_eq!(failed, Err(NTE_DEVICE_NOT_READY), "it has ended");
    }
    for handle in [opened.unwrap(), provider] {
        assert_eq!(call!(SslFreeObject(handle, 0)), 0);
    }
}

static LAST_REASON: Mutex<String> = Mutex::new(String::new());

/// Remembers the reason of a call for [`last_reason`].
unsafe extern "C" fn remember(_: *const c_char, _: i32, reason: *const c_char) {
    // SAFETY: it is terminated and lives through the call.
    let reason = unsafe { CStr::from_ptr(reason) };
    *LAST_REASON.lock().unwrap() = reason.to_str().unwrap().to_owned();
}

/// Returns the reason of the last call of an export.
fn last_reason() -> String {
    LAST_REASON.lock().unwrap().clone()
}

/// Opens the private key by a certificate with its public half.
fn open(provider: usize, key: &TestKey) -> Result<usize, i32> {
    let certificate = certificate(key);
    let context = context(&certificate);
    let mut handle = 77;
    match call!(SslOpenPrivateKey(provider, &raw mut handle, &raw const context, 0)) {
        0 => Ok(handle),
        status => {
            assert_eq!(handle, 0);
            Err(status)
        }
    }
}

/// Imports a master key and computes the verify_data of an empty transcript with it.
fn finished(provider: usize, private_key: usize, ciphertext: &[u8]) -> Result<[u8; 12], i32> {
    let (client_random, server_random) = ([1_u8; 32], [2_u8; 32]);
    let mut buffers = [
        (NCRYPTBUFFER_SSL_CLIENT_RANDOM, client_random),
        (NCRYPTBUFFER_SSL_SERVER_RANDOM, server_random),
    ];
    let mut records = buffers.each_mut().map(|(kind, random)| BCryptBuffer {
        cbBuffer: 32,
        BufferType: *kind,
        pvBuffer: random.as_mut_ptr().cast(),
    });
    let list = BCryptBufferDesc { ulVersion: 0, cBuffers: 2, pBuffers: records.as_mut_ptr() };
    let mut master = 0;
    let status = call!(SslImportMasterKey(
        provider,
        private_key,
        &raw mut master,
        TLS12,
        GCM,
        &raw const list,
        ciphertext.as_ptr(),
        256,
        SERVER,
    ));
    if status != 0 {
        return Err(status);
    }
    let (mut hash, mut verify_data) = (0, [0; 12]);
    assert_eq!(call!(SslCreateHandshakeHash(provider, &raw mut hash, TLS12, GCM, 0)), 0);
    let out = verify_data.as_mut_ptr();
    assert_eq!(call!(SslComputeFinishedHash(provider, master, hash, out, 12, CLIENT)), 0);
    for handle in [master, hash] {
        assert_eq!(call!(SslFreeObject(handle, 0)), 0);
    }
    Ok(verify_data)
}

/// The same with the key in this process.
fn expected(key: &TestKey, ciphertext: &[u8]) -> [u8; 12] {
    let provider = Provider::open(default_backend().unwrap());
    let private_key = key.load(&provider);
    let (version, suite) = (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256);
    let parameters = ParameterList::new().client_random([1; 32]).server_random([2; 32]);
    let master_key =
        provider.import_master_key(&private_key, version, suite, &parameters, ciphertext).unwrap();
    let mut out = [0; 12];
    let hash = provider.handshake_hash(version, suite).unwrap();
    master_key.verify_data(Side::Client, &hash, &mut out).unwrap();
    out
}
