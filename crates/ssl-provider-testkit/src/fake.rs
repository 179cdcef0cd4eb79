//! A backend without any security, for tests of core alone: its answers are predictable, its RSA
//! returns whatever block the test chooses, and any operation can be made to fail or to panic.

use std::sync::{Arc, Mutex, PoisonError};

use ssl_provider_core::backend::{
    AeadCipher, AgreementKey, BAD_OUTPUT_LEN, CbcCipher, DecapsulationKey, HashContext, Hashing,
    KemPrivateKey, KeyAgreement, KeyEncapsulation, KeyExchangeBackend, NONCE_LEN, RecordCiphers,
    RsaDecryption, RsaEncryption, RsaPrivateKey, SecureRandom, SignatureKey, Signatures,
    StreamCipher,
};
use ssl_provider_core::{
    AeadAlgorithm, Backend, BackendInfo, CbcAlgorithm, DhParameters, Error, HashAlgorithm,
    KEM_SECRET_LEN, KemAlgorithm, NamedCurve, Operation, PrfAlgorithm, PublicKeyDer,
    RsaPrivateKeyDer, SignatureScheme, SigningKeyDer, Support,
};

/// What an operation of the fake does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It returns this error.
    Error(Error),
    /// It panics.
    Panic,
}

/// A backend **without any security**. Hashes are a mix of their input that anybody can invert,
/// random bytes count up, and "decryption" returns the ciphertext itself or a chosen block.
#[derive(Debug)]
pub struct Fake {
    info: BackendInfo,
    shared: Arc<Shared>,
}

/// What the fake and its keys have in common.
#[derive(Default)]
struct Shared {
    block: Option<Vec<u8>>,
    faults: Vec<(Operation, Fault)>,
    log: Mutex<Vec<Operation>>,
}

impl Fake {
    /// A fake that answers everything; decryption returns the ciphertext.
    pub fn new() -> Self {
        Self {
            info: BackendInfo::new("fake", "Fake Provider Without Security", "none".to_owned()),
            shared: Arc::default(),
        }
    }

    /// The same fake, whose decryption returns `block`, which has the modulus length.
    #[must_use]
    pub fn decrypting_to(mut self, block: &[u8]) -> Self {
        self.shared_mut().block = Some(block.to_vec());
        self
    }

    /// The same fake, in which `operation` goes wrong. For [`Operation::RsaDecryptRaw`] keys still
    /// load, and decryption goes wrong.
    #[must_use]
    pub fn with_fault(mut self, operation: Operation, fault: Fault) -> Self {
        self.shared_mut().faults.push((operation, fault));
        self
    }

    fn shared_mut(&mut self) -> &mut Shared {
        Arc::get_mut(&mut self.shared).expect("no key is loaded before the fake is complete")
    }

    /// Returns the fake as a backend that a provider takes.
    pub fn share(self) -> Backend {
        Backend::new(self)
    }

    /// Returns the fake for as long as the program runs, so that a test can read its
    /// [`log`](Self::log) besides.
    pub fn leak(self) -> &'static Self {
        Box::leak(Box::new(self))
    }

    /// The operations so far, in order; loading a key is not one.
    pub fn log(&self) -> Vec<Operation> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<&'static Fake> for Backend {
    fn from(fake: &'static Fake) -> Self {
        Self::from_static(fake)
    }
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    fn start(&self, operation: Operation) -> Result<(), Error> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
        match self.faults.iter().find(|(with_fault, _)| *with_fault == operation) {
            None => Ok(()),
            Some((_, Fault::Error(error))) => Err(*error),
            Some((_, Fault::Panic)) => panic!("the fake was told to panic"),
        }
    }
}

ssl_provider_core::redacted_debug! { Shared { .. } }

impl KeyExchangeBackend for Fake {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, _operation: Operation) -> Support {
        Support::By("fake")
    }

    ssl_provider_core::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, key_encapsulation,
        record_ciphers, signatures
    }
}

impl SecureRandom for Fake {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        self.shared.start(Operation::Random)?;
        mix(b"random", &[], out);
        Ok(())
    }
}

impl Hashing for Fake {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        self.shared.start(Operation::Hash(hash))?;
        mix(hash.name().as_bytes(), &[&input.concat()], out);
        Ok(())
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        self.shared.start(Operation::Hash(hash))?;
        Ok(Box::new(FakeHash { hash, input: Vec::new() }))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.shared.start(Operation::Hmac(hash))?;
        mix(b"hmac", &[hash.name().as_bytes(), key, &input.concat()], out);
        Ok(())
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.shared.start(Operation::Prf(prf))?;
        mix(b"prf", &[prf.name().as_bytes(), secret, label, &seed.concat()], out);
        Ok(())
    }
}

impl RsaDecryption for Fake {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(FakeKey { len: key.modulus().len(), shared: Arc::clone(&self.shared) }))
    }
}

impl RsaEncryption for Fake {
    fn encrypt_raw(
        &self,
        _key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        self.shared.start(Operation::RsaEncryptRaw)?;
        ciphertext.copy_from_slice(em);
        Ok(())
    }
}

/// A public key is 04 and then zeros, the same for all.
impl KeyAgreement for Fake {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        self.shared.start(Operation::Ecdh(curve))?;
        Ok(Box::new(FakeAgreementKey::of_len(curve.public_key_len())))
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        _private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        self.shared.start(Operation::EcdhLoad(curve))?;
        Ok(Box::new(FakeAgreementKey::of_len(curve.public_key_len())))
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        self.shared.start(Operation::Dh)?;
        Ok(Box::new(FakeAgreementKey::of_len(group.prime().len())))
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        _private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        self.generate_dh(group)
    }
}

/// A key whose secret is a mix of both public keys.
#[derive(Debug)]
struct FakeAgreementKey(Vec<u8>);

impl FakeAgreementKey {
    fn of_len(len: usize) -> Self {
        let mut public_key = vec![0; len];
        public_key[0] = 4;
        Self(public_key)
    }
}

impl AgreementKey for FakeAgreementKey {
    fn public_key(&self) -> &[u8] {
        &self.0
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        mix(b"agreement", &[&self.0, peer], secret);
        Ok(())
    }
}

/// An encapsulation key is zeros, and so is a ciphertext.
impl KeyEncapsulation for Fake {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        self.shared.start(Operation::Kem(kem))?;
        Ok(Box::new(FakeDecapsulationKey(vec![0; kem.encapsulation_key_len()])))
    }

    fn load_kem(
        &self,
        kem: KemAlgorithm,
        _key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        self.shared.start(Operation::KemLoad(kem))?;
        Ok(Box::new(FakeDecapsulationKey(vec![0; kem.encapsulation_key_len()])))
    }

    fn encapsulate(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        self.shared.start(Operation::Kem(kem))?;
        mix_encapsulation(encapsulation_key, ciphertext, secret);
        Ok(())
    }

    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        _m: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        self.shared.start(Operation::KemLoad(kem))?;
        mix_encapsulation(encapsulation_key, ciphertext, secret);
        Ok(())
    }
}

fn mix_encapsulation(key: &[u8], ciphertext: &mut [u8], secret: &mut [u8; KEM_SECRET_LEN]) {
    ciphertext.fill(0);
    mix(b"encapsulation", &[key, ciphertext], secret);
}

/// A key whose secret is a mix of its encapsulation key and the ciphertext.
#[derive(Debug)]
struct FakeDecapsulationKey(Vec<u8>);

impl DecapsulationKey for FakeDecapsulationKey {
    fn encapsulation_key(&self) -> &[u8] {
        &self.0
    }

    fn decapsulate(
        self: Box<Self>,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        mix(b"encapsulation", &[&self.0, ciphertext], secret);
        Ok(())
    }
}

impl RecordCiphers for Fake {
    fn rc4(&self, _key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        self.shared.start(Operation::Rc4)?;
        Ok(Box::new(FakeCipher))
    }

    fn cbc(&self, cipher: CbcAlgorithm, _key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        self.shared.start(Operation::Cbc(cipher))?;
        Ok(Box::new(FakeCipher))
    }

    fn aead(&self, cipher: AeadAlgorithm, _key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        self.shared.start(Operation::Aead(cipher))?;
        Ok(Box::new(FakeCipher))
    }
}

impl Signatures for Fake {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.shared.start(Operation::Verify(scheme))?;
        let mut expected = [0; 32];
        mix(b"signature", &[key.der(), scheme.name().as_bytes(), digest], &mut expected);
        if signature == expected { Ok(()) } else { Err(Error::BadSignature) }
    }

    fn load(&self, _key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        Ok(Box::new(FakeKey { len: 0, shared: Arc::clone(&self.shared) }))
    }
}

impl SignatureKey for FakeKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        self.shared.start(Operation::Sign(scheme))?;
        Ok(digest.to_vec())
    }
}

/// A key that decrypts and signs nothing.
#[derive(Debug)]
struct FakeKey {
    len: usize,
    shared: Arc<Shared>,
}

impl RsaPrivateKey for FakeKey {
    fn modulus_len(&self) -> usize {
        self.len
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.shared.start(Operation::RsaDecryptRaw)?;
        em.copy_from_slice(self.shared.block.as_deref().unwrap_or(ciphertext));
        Ok(())
    }
}

/// A cipher that leaves its text as it is, with a tag that anybody can compute.
#[derive(Debug)]
struct FakeCipher;

impl StreamCipher for FakeCipher {
    fn apply(&mut self, _bytes: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }
}

impl CbcCipher for FakeCipher {
    fn encrypt(&self, _iv: &[u8], _blocks: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn decrypt(&self, _iv: &[u8], _blocks: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }
}

impl AeadCipher for FakeCipher {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        mix(b"tag", &[nonce, aad, text], tag);
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let mut expected = vec![0; tag.len()];
        mix(b"tag", &[nonce, aad, text], &mut expected);
        if expected == tag { Ok(()) } else { Err(Error::BadRecord) }
    }
}

/// A hash that keeps its input, and does not show it.
struct FakeHash {
    hash: HashAlgorithm,
    input: Vec<u8>,
}

ssl_provider_core::redacted_debug! { FakeHash { hash, .. } }

impl HashContext for FakeHash {
    fn update(&mut self, input: &[u8]) {
        self.input.extend(input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(Self { hash: self.hash, input: self.input.clone() })
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        if out.len() != self.hash.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        mix(self.hash.name().as_bytes(), &[&self.input], out);
        Ok(())
    }
}

/// Fills `out` with bytes that depend on every part. FNV-1a with a counter: no security at all.
pub(crate) fn mix(domain: &[u8], parts: &[&[u8]], out: &mut [u8]) {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |byte: u8| {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        state
    };
    for part in [&[domain], parts].concat() {
        part.len().to_le_bytes().into_iter().for_each(|byte| _ = feed(byte));
        part.iter().for_each(|byte| _ = feed(*byte));
    }
    for byte in out {
        *byte = feed(1).to_be_bytes()[0];
    }
}
