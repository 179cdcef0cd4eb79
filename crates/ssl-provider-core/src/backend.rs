//! What a crypto library must supply: the backend trait, its key objects, and its description.
//! A backend translates arguments and errors; protocol decisions are made elsewhere in this crate.

use std::fmt;

use zeroize::Zeroizing;

use crate::cipher::{AeadAlgorithm, AeadCipher, CbcAlgorithm, CbcCipher, StreamCipher};
use crate::error::{Error, KeyFault};
use crate::rsa_der::RsaPrivateKeyDer;
use crate::signature::{PublicKeyDer, SignatureScheme};

/// A crypto library, as this project uses it.
///
/// Each method has a default body that answers [`Error::Unsupported`], so a backend implements what
/// its library offers, and its [`BackendInfo::support`] table must say the same. Inputs that hold
/// several parts are lists of slices, hashed one after another; outputs go to the caller's buffer.
///
/// # Contract
///
/// - Errors never depend on the value of a secret, only on public facts and on the environment.
/// - `out` is written only on success.
pub trait KeyExchangeBackend: fmt::Debug + Send + Sync {
    /// Describes the library and what it can do here.
    ///
    /// The address of the answer is the backend's identity: the same on every call, and shared
    /// with no other backend. A key that was loaded by one backend is refused by all others.
    fn info(&self) -> &BackendInfo;

    /// Fills `out` from the library's generator for secrets.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] when the generator fails.
    fn random(&self, _out: &mut [u8]) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Random))
    }

    /// Hashes `input`; `out` is exactly [`HashAlgorithm::output_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks.
    fn hash(&self, hash: HashAlgorithm, _input: &[&[u8]], _out: &mut [u8]) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Hash(hash)))
    }

    /// Starts a running hash.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks.
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Err(Error::Unsupported(Operation::Hash(hash)))
    }

    /// Starts the compression function of a hash, with which records find the MAC of a message
    /// whose length is secret. Without it such records take the time of hundreds of hashes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] where the library keeps it to itself.
    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        Err(Error::Unsupported(Operation::CompressionFunction(hash)))
    }

    /// Computes HMAC (RFC 2104); `out` is exactly [`HashAlgorithm::output_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks.
    fn hmac(
        &self,
        hash: HashAlgorithm,
        _key: &[u8],
        _input: &[&[u8]],
        _out: &mut [u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Hmac(hash)))
    }

    /// Computes the TLS PRF of `secret`, `label` and the concatenation of `seed`
    /// (RFC 2246 section 5, RFC 5246 section 5) and fills `out`, whatever its length.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for an algorithm that the library lacks.
    fn prf(
        &self,
        prf: PrfAlgorithm,
        _secret: &[u8],
        _label: &[u8],
        _seed: &[&[u8]],
        _out: &mut [u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Prf(prf)))
    }

    /// Loads an RSA private key into the library.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] when the library refuses the key, which all backends do alike.
    fn load_rsa_private_key(
        &self,
        _key: &RsaPrivateKeyDer<'_>,
    ) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Err(Error::Unsupported(Operation::RsaDecryptRaw))
    }

    /// Makes RC4 with `key`, which is [`RC4_KEY_LEN`](crate::cipher::RC4_KEY_LEN) bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the library lacks it, [`Error::Internal`] for a key of another
    /// length.
    fn rc4(&self, _key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        Err(Error::Unsupported(Operation::Rc4))
    }

    /// Makes a block cipher in CBC mode with `key`, which is [`CbcAlgorithm::key_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the library lacks it, [`Error::Internal`] for a key of another
    /// length.
    fn cbc(&self, cipher: CbcAlgorithm, _key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        Err(Error::Unsupported(Operation::Cbc(cipher)))
    }

    /// Makes an AEAD cipher with `key`, which is [`AeadAlgorithm::key_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when the library lacks it, [`Error::Internal`] for a key of another
    /// length.
    fn aead(&self, cipher: AeadAlgorithm, _key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        Err(Error::Unsupported(Operation::Aead(cipher)))
    }

    /// Verifies `signature` over `digest`, whose length is
    /// [`SignatureScheme::digest_len`], with a key that is of the scheme.
    ///
    /// RSA signatures are as long as the modulus; ECDSA signatures are a DER `Ecdsa-Sig-Value`
    /// (RFC 8422 section 5.10).
    ///
    /// # Errors
    ///
    /// [`Error::BadSignature`] when it is not the signature, for whatever reason;
    /// [`BAD_PUBLIC_KEY`](crate::signature::BAD_PUBLIC_KEY) for a key that the library refuses, as
    /// for a point that is not on its curve; [`Error::Unsupported`] when the library lacks it.
    fn verify_signature(
        &self,
        _key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        _digest: &[u8],
        _signature: &[u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Verify(scheme)))
    }
}

/// An RSA private key inside a library, with its expanded form and blinding state.
pub trait RsaPrivateKey: fmt::Debug + Send + Sync {
    /// Length of the modulus in bytes.
    fn modulus_len(&self) -> usize;

    /// The raw private operation, RSADP of RFC 8017 section 5.1.2: `em` = `ciphertext`^d mod n.
    ///
    /// Both slices are exactly [`modulus_len`](Self::modulus_len) bytes, and the caller has made
    /// sure that 1 < ciphertext < n - 1. Leading zero bytes are kept. The result is secret: an
    /// implementation must not look at it, except for a check against faults that compares the
    /// result's public power with the ciphertext.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] or [`Error::Backend`], for reasons that the ciphertext does not decide.
    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error>;

    /// Runs [`decrypt_raw`](Self::decrypt_raw) for each job. An implementation that computes
    /// several at once gives the same results.
    ///
    /// # Errors
    ///
    /// Those of [`decrypt_raw`](Self::decrypt_raw); some results may then have been written.
    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        jobs.iter_mut().try_for_each(|job| self.decrypt_raw(job.ciphertext, job.em))
    }
}

/// One raw private operation of a batch: the arguments of [`RsaPrivateKey::decrypt_raw`].
pub struct RawDecryption<'j> {
    /// The ciphertext, of the length of the modulus.
    pub ciphertext: &'j [u8],
    /// Where the block goes, of the same length. Secret.
    pub em: &'j mut [u8],
}

impl fmt::Debug for RawDecryption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawDecryption").field("len", &self.em.len()).finish_non_exhaustive()
    }
}

/// Decrypts the ciphertext 2, which a backend does last when it loads a key, and gives the block.
///
/// With a factor that is not prime, a library that checks its results against faults fails here. A
/// library that corrects them instead has to compare the public power of the block with 2.
///
/// # Errors
///
/// [`KeyFault::Inconsistent`] when the library fails; else the errors of
/// [`RsaPrivateKey::decrypt_raw`].
pub fn trial_decryption(key: &dyn RsaPrivateKey) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut ciphertext = vec![0; key.modulus_len()];
    if let Some(last) = ciphertext.last_mut() {
        *last = 2;
    }
    let mut em = Zeroizing::new(vec![0; key.modulus_len()]);
    match key.decrypt_raw(&ciphertext, &mut em) {
        Err(Error::Backend { .. }) => Err(Error::Key(KeyFault::Inconsistent)),
        answer => answer.map(|()| em),
    }
}

/// A running hash.
pub trait HashContext: fmt::Debug + Send + Sync {
    /// Feeds `input`.
    fn update(&mut self, input: &[u8]);

    /// A second context that has been fed the same input.
    fn duplicate(&self) -> Box<dyn HashContext>;

    /// Writes the hash of all input; `out` is exactly the hash's output length.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when `out` has another length.
    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error>;
}

/// The inside of a hash: a chaining value that takes in whole blocks. Padding is the caller's.
pub trait CompressionFunction: fmt::Debug + Send + Sync {
    /// Takes in `blocks`, which are whole blocks of [`HashAlgorithm::block_len`] bytes, in time
    /// that their content does not decide.
    fn compress(&mut self, blocks: &[u8]);

    /// Writes the chaining value as the hash writes its result. `out` is exactly the hash's output
    /// length; of another length it is filled as far as it goes.
    fn chaining_value(&self, out: &mut [u8]);
}

/// The traits are used as `&'static dyn` and `Box<dyn …>`; this keeps them so.
const _: Option<(&'static dyn KeyExchangeBackend, &dyn RsaPrivateKey)> = None;
const _: Option<(&dyn HashContext, &dyn CompressionFunction)> = None;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// MD5 (RFC 1321), for SSL 3.0 to TLS 1.1.
    Md5,
    /// SHA-1 (FIPS 180-4).
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
}

impl HashAlgorithm {
    /// Every hash of the interface.
    pub const ALL: [Self; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384];

    /// Length of the hash in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// Length in bytes of the blocks that the hash works on.
    pub const fn block_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 => 128,
        }
    }

    /// The usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
        }
    }
}

/// A TLS pseudorandom function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrfAlgorithm {
    /// P_MD5 xor P_SHA1, of TLS 1.0 and 1.1 (RFC 2246 section 5).
    Md5Sha1,
    /// P_SHA256, of TLS 1.2 (RFC 5246 section 5).
    Sha256,
    /// P_SHA384, of TLS 1.2 suites that say so (RFC 5288 section 3).
    Sha384,
}

impl PrfAlgorithm {
    /// Every PRF of the interface.
    pub const ALL: [Self; 3] = [Self::Md5Sha1, Self::Sha256, Self::Sha384];

    /// The usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5Sha1 => "MD5+SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
        }
    }

    /// Length in bytes of the handshake hash that goes with this PRF (RFC 7627 section 3).
    pub const fn handshake_hash_len(self) -> usize {
        match self {
            Self::Md5Sha1 => 36,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// An operation that a backend may or may not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`KeyExchangeBackend::random`].
    Random,
    /// [`KeyExchangeBackend::hash`] and [`KeyExchangeBackend::hash_context`].
    Hash(HashAlgorithm),
    /// [`KeyExchangeBackend::compression_function`].
    CompressionFunction(HashAlgorithm),
    /// [`KeyExchangeBackend::hmac`].
    Hmac(HashAlgorithm),
    /// [`KeyExchangeBackend::prf`].
    Prf(PrfAlgorithm),
    /// [`KeyExchangeBackend::load_rsa_private_key`] and [`RsaPrivateKey::decrypt_raw`].
    RsaDecryptRaw,
    /// [`KeyExchangeBackend::rc4`].
    Rc4,
    /// [`KeyExchangeBackend::cbc`].
    Cbc(CbcAlgorithm),
    /// [`KeyExchangeBackend::aead`].
    Aead(AeadAlgorithm),
    /// [`KeyExchangeBackend::verify_signature`].
    Verify(SignatureScheme),
}

impl Operation {
    /// Every operation, in the order of the support matrix.
    pub const ALL: [Self; 39] = [
        Self::RsaDecryptRaw,
        Self::Prf(PrfAlgorithm::Md5Sha1),
        Self::Prf(PrfAlgorithm::Sha256),
        Self::Prf(PrfAlgorithm::Sha384),
        Self::Hash(HashAlgorithm::Md5),
        Self::Hash(HashAlgorithm::Sha1),
        Self::Hash(HashAlgorithm::Sha256),
        Self::Hash(HashAlgorithm::Sha384),
        Self::Hmac(HashAlgorithm::Md5),
        Self::Hmac(HashAlgorithm::Sha1),
        Self::Hmac(HashAlgorithm::Sha256),
        Self::Hmac(HashAlgorithm::Sha384),
        Self::CompressionFunction(HashAlgorithm::Md5),
        Self::CompressionFunction(HashAlgorithm::Sha1),
        Self::CompressionFunction(HashAlgorithm::Sha256),
        Self::CompressionFunction(HashAlgorithm::Sha384),
        Self::Rc4,
        Self::Cbc(CbcAlgorithm::Des),
        Self::Cbc(CbcAlgorithm::TripleDes),
        Self::Cbc(CbcAlgorithm::Aes128),
        Self::Cbc(CbcAlgorithm::Aes256),
        Self::Cbc(CbcAlgorithm::Camellia128),
        Self::Cbc(CbcAlgorithm::Camellia256),
        Self::Aead(AeadAlgorithm::Aes128Gcm),
        Self::Aead(AeadAlgorithm::Aes256Gcm),
        Self::Aead(AeadAlgorithm::Aes128Ccm),
        Self::Aead(AeadAlgorithm::Aes256Ccm),
        Self::Aead(AeadAlgorithm::Aes128Ccm8),
        Self::Aead(AeadAlgorithm::Aes256Ccm8),
        Self::Verify(SignatureScheme::RsaMd5Sha1),
        Self::Verify(SignatureScheme::RsaSha1),
        Self::Verify(SignatureScheme::RsaSha256),
        Self::Verify(SignatureScheme::RsaSha384),
        Self::Verify(SignatureScheme::RsaSha512),
        Self::Verify(SignatureScheme::EcdsaSha1),
        Self::Verify(SignatureScheme::EcdsaSha256),
        Self::Verify(SignatureScheme::EcdsaSha384),
        Self::Verify(SignatureScheme::EcdsaSha512),
        Self::Random,
    ];

    /// Whether importing a master key takes this operation, with one suite and protocol or another.
    pub const fn is_for_import(self) -> bool {
        match self {
            Self::Random | Self::Hash(_) | Self::Hmac(_) | Self::Prf(_) | Self::RsaDecryptRaw => {
                true
            }
            Self::CompressionFunction(_)
            | Self::Rc4
            | Self::Cbc(_)
            | Self::Aead(_)
            | Self::Verify(_) => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random numbers"),
            Self::Hash(hash) => f.write_str(hash.name()),
            Self::CompressionFunction(hash) => {
                write!(f, "compression function of {}", hash.name())
            }
            Self::Hmac(hash) => write!(f, "HMAC-{}", hash.name()),
            Self::Prf(prf) => write!(f, "PRF {}", prf.name()),
            Self::RsaDecryptRaw => f.write_str("RSA private operation"),
            Self::Rc4 => f.write_str("RC4"),
            Self::Cbc(cipher) => f.write_str(cipher.name()),
            Self::Aead(cipher) => f.write_str(cipher.name()),
            Self::Verify(scheme) => f.write_str(scheme.name()),
        }
    }
}

/// Who does an operation in a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Code of the named library.
    By(&'static str),
    /// Nobody: the backend answers [`Error::Unsupported`].
    Unsupported,
}

/// A backend's description of itself.
#[derive(Clone, Debug)]
pub struct BackendInfo {
    /// The short name: the Cargo feature and the argument of `--backend`.
    pub name: &'static str,
    /// The provider name that `SslOpenProvider` takes for this backend.
    pub provider_name: &'static str,
    /// Libraries with their versions as they report them, such as `OpenSSL 3.0.19 27 Jan 2026`.
    pub library: String,
    /// Properties of the RSA private operation; none when it is unsupported.
    pub rsa: Option<RsaInfo>,
    /// Whether the code that runs has a FIPS 140 validation.
    pub fips: FipsStatus,
    /// Who does each operation; an operation that is not listed is unsupported.
    pub support: &'static [(Operation, Support)],
}

impl BackendInfo {
    /// Who does `operation`.
    pub fn support(&self, operation: Operation) -> Support {
        self.support
            .iter()
            .find(|(listed, _)| *listed == operation)
            .map_or(Support::Unsupported, |(_, support)| *support)
    }
}

/// Properties of a backend's RSA private operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RsaInfo {
    /// Whose code runs.
    pub implementation: &'static str,
    /// Whether its arithmetic is in assembly, on processors that the library has it for. In
    /// portable code it takes several times as long.
    pub assembly: bool,
    /// What its authors say about time.
    pub constant_time: ConstantTime,
    /// Whether the ciphertext is blinded with a random factor.
    pub blinding: bool,
    /// Whether the result is checked against faults before it is used.
    pub fault_check: bool,
}

/// What the authors of an RSA implementation say about its time, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConstantTime {
    /// An open advisory says that the time may tell about the plaintext.
    Disputed,
    /// The implementation is meant to be constant-time.
    Claimed,
}

/// FIPS 140 status, weakest first, so that the status of a whole is the minimum of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FipsStatus {
    /// No validated module is in use.
    NotValidated,
    /// A validated module is in use.
    Validated,
}
