//! A server of the lab crate in this process, to be timed through a socket; and one with a planted
//! leak, as the control.

use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use ssl_provider::backend::{
    Hashing, KeyAgreement, KeyEncapsulation, KeyExchangeBackend, RecordCiphers, RsaDecryption,
    RsaEncryption, RsaPrivateKey, SecureRandom, Signatures,
};
use ssl_provider::{
    Backend, BackendInfo, CipherSuite, Error, Operation, RsaPrivateKeyDer, Support,
};
use ssl_provider_lab::{Identity, Limits, Options, Server, Settings, StopHandle};
use ssl_provider_testkit::rsa_key::TestKey;

use crate::timing::local::{VERSION, careless, provider};
use crate::timing::meter::{rounds_for, spin};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct LocalServer {
    address: SocketAddr,
    stop: StopHandle,
    thread: Option<JoinHandle<()>>,
}

impl LocalServer {
    /// Starts a server with this key on a port of the loopback interface.
    ///
    /// # Errors
    ///
    /// Why there is none, in words; of a backend that does not do all of it, `Ok(None)`.
    pub(crate) fn start(backend: &Backend, key: &TestKey) -> Result<Option<Self>, String> {
        let provider = provider(backend);
        let identity = match Identity::self_signed_with(&provider, &key.der) {
            Ok(made) => made.identity,
            Err(ssl_provider_lab::IdentityError::Provider(Error::Unsupported(_)))
            | Err(ssl_provider_lab::IdentityError::NoUse) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let options = Options {
            versions: vec![VERSION],
            suites: vec![CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256],
            ..Options::default()
        };
        let settings = match Settings::new(provider, identity, options, None, None) {
            Ok(settings) => settings,
            // No suite is left that the backend supports.
            Err(Error::Unsupported(_) | Error::InvalidParameter(_)) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let limits = Limits { threads: 1, ..Limits::default() };
        let failed = |error: std::io::Error| format!("no server on the loopback: {error}");
        let server = Server::bind("127.0.0.1:0", settings, limits).map_err(failed)?;
        let address = server.local_address().map_err(failed)?;
        let stop = server.stop_handle();
        // Its end is seen as connections that fail.
        let thread = thread::spawn(move || _ = server.run(&|_| ()));
        Ok(Some(Self { address, stop, thread: Some(thread) }))
    }

    /// HOST:PORT.
    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the hook.
            let _ = thread.join();
        }
    }
}

/// A backend whose private operation takes longer where the padding or the version is wrong.
#[derive(Debug)]
pub(crate) struct Leaky {
    info: BackendInfo,
    inner: Backend,
    /// Rounds of [`spin`].
    rounds: u32,
}

impl Leaky {
    /// Plants a delay of so many nanoseconds.
    pub(crate) fn around(inner: &Backend, delay: f64) -> Backend {
        let about = inner.info();
        let info = BackendInfo::new("leaky", "ssl-provider leaky", about.library.clone());
        let info = info.with_rsa(about.rsa);
        Backend::new(Self { info, inner: inner.clone(), rounds: rounds_for(delay) })
    }
}

impl KeyExchangeBackend for Leaky {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        self.inner.support(operation)
    }

    fn random(&self) -> &dyn SecureRandom {
        self.inner.random()
    }

    fn hashing(&self) -> &dyn Hashing {
        self.inner.hashing()
    }

    ssl_provider::offers! { rsa_decryption }

    fn rsa_encryption(&self) -> &dyn RsaEncryption {
        self.inner.rsa_encryption()
    }

    fn key_agreement(&self) -> &dyn KeyAgreement {
        self.inner.key_agreement()
    }

    fn key_encapsulation(&self) -> &dyn KeyEncapsulation {
        self.inner.key_encapsulation()
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self.inner.record_ciphers()
    }

    fn signatures(&self) -> &dyn Signatures {
        self.inner.signatures()
    }
}

impl RsaDecryption for Leaky {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = self.inner.rsa_decryption().load(key)?;
        Ok(Box::new(LeakyKey { key, rounds: self.rounds }))
    }
}

#[derive(Debug)]
struct LeakyKey {
    key: Box<dyn RsaPrivateKey>,
    rounds: u32,
}

impl RsaPrivateKey for LeakyKey {
    fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.key.decrypt_raw(ciphertext, em)?;
        if careless(em).is_err() {
            spin(self.rounds, em.first().copied().unwrap_or_default());
        }
        Ok(())
    }
}
