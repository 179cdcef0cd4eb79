//! Both sides of the handshake with what is secret in it marked as undefined: agreed secrets,
//! pre-shared keys, premaster secrets, ticket keys, and private keys that agree and sign.
//!
//! Each group is a function of its name, by which reports are told apart. What a group makes public
//! on purpose, such as a signature, is reported where it is used; `cargo xtask ctgrind` has the
//! list of those places.

mod groups;
mod keys;

use std::ffi::CString;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Result, ensure};
use ssl_provider::backend::{
    AeadCipher, AgreementKey, Hashing, KeyExchangeBackend, NONCE_LEN, RecordCiphers, RsaEncryption,
    SecureRandom,
};
use ssl_provider::{
    AeadAlgorithm, Backend, BackendInfo, CipherSuite, Error, KeyExportPolicy, KeyLogPolicy,
    MasterKey, Operation, ParameterList, Policy, ProtocolVersion, Provider, PublicKeyDer, Side,
    Support,
};

use crate::backend::Mark;
use crate::valgrind;

pub(crate) use groups::count;

/// Runs every group with its secrets marked.
///
/// # Errors
///
/// Names where the mark was not set or was lost: then a clean run would prove nothing.
pub(crate) fn poison() -> Result<String> {
    let library = ssl_provider::backend("rustcrypto")?;
    let operations = groups::poison(&library)? + keys::poison(&library)?;
    Ok(format!("{operations} operations, reports: {}", valgrind::error_count()))
}

/// A backend whose random numbers are the same in each run, and secret.
#[derive(Debug)]
struct KnownRandom {
    library: Backend,
    mark: Mark,
    state: AtomicU64,
    marked: AtomicUsize,
}

impl KnownRandom {
    /// A backend that lives as long as the program, as a provider requires.
    fn leak(library: &Backend, mark: Mark) -> &'static Self {
        let (state, marked) = (AtomicU64::new(1), AtomicUsize::new(0));
        Box::leak(Box::new(Self { library: library.clone(), mark, state, marked }))
    }

    /// Begins another sequence of random numbers.
    fn seed(&self, seed: u64) {
        self.state.store(seed, Ordering::Relaxed);
    }

    /// How many random numbers have been marked.
    fn marked(&self) -> usize {
        self.marked.load(Ordering::Relaxed)
    }
}

impl From<&'static KnownRandom> for Backend {
    fn from(backend: &'static KnownRandom) -> Self {
        Self::from_static(backend)
    }
}

impl KeyExchangeBackend for KnownRandom {
    fn info(&self) -> &BackendInfo {
        self.library.info()
    }

    fn support(&self, operation: Operation) -> Support {
        self.library.support(operation)
    }

    fn hashing(&self) -> &dyn Hashing {
        self.library.hashing()
    }

    ssl_provider::offers! { random, record_ciphers, rsa_encryption }
}

impl SecureRandom for KnownRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        let mut state = self.state.load(Ordering::Relaxed);
        for byte in out.iter_mut() {
            // Knuth's generator for 64 bits; its high bits are good enough for this.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_le_bytes()[7];
        }
        self.state.store(state, Ordering::Relaxed);
        if self.mark == Mark::Secret {
            valgrind::mark_undefined(out);
            self.marked.fetch_add(1, Ordering::Relaxed);
        }
        #[cfg(feature = "planted-leak")]
        planted_leak(out);
        Ok(())
    }
}

impl RsaEncryption for KnownRandom {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        self.library.rsa_encryption().encrypt_raw(key, em, ciphertext)
    }
}

impl RecordCiphers for KnownRandom {
    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        let cipher = self.library.record_ciphers().aead(cipher, key)?;
        Ok(Box::new(Tickets(cipher)))
    }
}

/// The cipher of tickets, behind which version, suite and state are public: the server says them to
/// the client in its next message.
#[derive(Debug)]
struct Tickets(Box<dyn AeadCipher>);

/// Where the master secret is in a ticket.
const SECRET_IN_TICKET: std::ops::Range<usize> = 6..54;

impl AeadCipher for Tickets {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        self.0.seal(nonce, aad, text, tag)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        self.0.open(nonce, aad, text, tag)?;
        for (at, byte) in text.iter_mut().enumerate() {
            if !SECRET_IN_TICKET.contains(&at) {
                valgrind::mark_defined(byte);
            }
        }
        Ok(())
    }
}

/// The key of an agreement whose secret the probe has prepared.
#[derive(Debug)]
struct Prepared {
    public_key: Vec<u8>,
    secret: Vec<u8>,
    mark: Mark,
}

impl AgreementKey for Prepared {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, _peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        if secret.len() != self.secret.len() {
            return Err(Error::Internal("the probe has prepared a secret of another length"));
        }
        secret.copy_from_slice(&self.secret);
        if self.mark == Mark::Secret {
            valgrind::mark_undefined(secret);
        }
        #[cfg(feature = "planted-leak")]
        planted_leak(secret);
        Ok(())
    }
}

/// Careless code: it counts the bytes before the first that is large.
#[cfg(feature = "planted-leak")]
#[inline(never)]
pub(crate) fn planted_leak(secret: &[u8]) {
    let small = secret.iter().take_while(|byte| **byte < 0xc0).count();
    if small % 2 == 1 {
        std::hint::black_box(small);
    }
}

/// What a connection agrees on.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    protocol: ProtocolVersion,
    suite: CipherSuite,
    /// Length of the session hash, where the extended master secret is used.
    session_hash: Option<usize>,
}

impl Agreed {
    const fn new(protocol: ProtocolVersion, suite: CipherSuite) -> Self {
        Self { protocol, suite, session_hash: None }
    }

    const fn extended(self, len: usize) -> Self {
        Self { session_hash: Some(len), ..self }
    }

    fn name(self) -> String {
        let extended = if self.session_hash.is_some() { " extended" } else { "" };
        format!("{} {}{extended}", self.protocol, self.suite)
    }

    fn parameters(self) -> Result<ParameterList, Error> {
        let randoms = ParameterList::new().client_random([0xc1; 32]).server_random([0x5e; 32]);
        match self.session_hash {
            Some(len) => randoms.session_hash(&vec![0x5a; len]),
            None => Ok(randoms),
        }
    }
}

/// The policy that lets the probe look at secrets.
fn open(backend: impl Into<Backend>) -> Provider {
    Provider::open(backend).with_policy(Policy {
        key_log: KeyLogPolicy::Allowed,
        key_export: KeyExportPolicy::Allowed,
        ..Policy::default()
    })
}

/// Checks the mark of a master secret, and derives session keys and both verify_data from it.
fn derive(provider: &Provider, agreed: Agreed, master_key: &MasterKey) -> Result<()> {
    let name = agreed.name();
    let secret = master_key.secret_for_key_log()?.expose();
    let is_marked = valgrind::is_wholly_undefined(secret);
    ensure!(is_marked, "{name}: the mark is lost before the master secret");
    let session_keys = master_key.session_keys(&agreed.parameters()?)?;
    let is_marked = valgrind::is_wholly_undefined(session_keys.expose(Side::Client)?.write_key);
    ensure!(is_marked, "{name}: the mark is lost before the session keys");
    let mut handshake = provider.handshake_hash(agreed.protocol, agreed.suite)?;
    handshake.update(b"handshake messages");
    for side in [Side::Client, Side::Server] {
        let mut verify_data = [0; 12];
        master_key.verify_data(side, &handshake, &mut verify_data)?;
        let is_marked = valgrind::is_wholly_undefined(&verify_data);
        ensure!(is_marked, "{name}: the mark is lost before verify_data");
    }
    Ok(())
}

/// Counts what `operation` takes for each class, in a part of its own that is named by both.
fn dump(variant: &str, class: &str, operation: impl FnOnce() -> Result<()>) -> Result<()> {
    let label = CString::new(format!("{variant}|{class}"))?;
    operation()?;
    valgrind::dump_counts(&label);
    Ok(())
}
