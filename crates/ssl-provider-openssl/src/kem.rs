//! Key encapsulation of OpenSSL: ML-KEM, from 3.5 on. Whether the OpenSSL at hand has it is known
//! at run time only.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::LazyLock;

use foreign_types::ForeignType;
use openssl::error::ErrorStack;
use openssl::pkey::{KeyType, PKey, Private, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl_sys::{
    EVP_PKEY_CTX_new_from_name, EVP_PKEY_KEYPAIR, EVP_PKEY_decapsulate, EVP_PKEY_decapsulate_init,
    EVP_PKEY_encapsulate, EVP_PKEY_encapsulate_init, EVP_PKEY_fromdata, EVP_PKEY_fromdata_init,
    OSSL_PARAM, OSSL_PARAM_construct_end, OSSL_PARAM_construct_octet_string,
};

use ssl_provider_core::backend::{
    BAD_CIPHERTEXT_LEN, BAD_KEM_KEY, DecapsulationKey, KemPrivateKey, KeyEncapsulation,
    encapsulation_key_in,
};
use ssl_provider_core::{Error, KEM_SECRET_LEN, KemAlgorithm, Operation};

use crate::{OpenSsl, failure};

impl KeyEncapsulation for OpenSsl {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        let mechanism = mechanism(kem).ok_or(Error::Unsupported(Operation::Kem(kem)))?;
        let key = mechanism.generate().map_err(failure)?;
        Ok(Box::new(Key::new(kem, key)?))
    }

    fn load_kem(
        &self,
        kem: KemAlgorithm,
        key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        let mechanism = mechanism(kem).ok_or(Error::Unsupported(Operation::KemLoad(kem)))?;
        let key = match key {
            KemPrivateKey::Seed(seed) => mechanism.load_seed(seed).map_err(failure)?,
            KemPrivateKey::Expanded(key) => {
                encapsulation_key_in(kem, key)?;
                // This checks ranges and hash, and tries both parts.
                let key = PKey::private_key_from_raw_bytes_ex(None, mechanism.key_type, None, key);
                key.map_err(|_| BAD_KEM_KEY)?
            }
        };
        Ok(Box::new(Key::new(kem, key)?))
    }

    fn encapsulate(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let mechanism = mechanism(kem).ok_or(Error::Unsupported(Operation::Kem(kem)))?;
        let peer = mechanism.peer(kem, encapsulation_key, ciphertext)?;
        encapsulate(&peer, None, ciphertext, secret).map_err(failure)
    }

    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        m: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let mechanism = mechanism(kem).ok_or(Error::Unsupported(Operation::KemLoad(kem)))?;
        let peer = mechanism.peer(kem, encapsulation_key, ciphertext)?;
        encapsulate(&peer, Some(m), ciphertext, secret).map_err(failure)
    }
}

/// Whether the OpenSSL at hand has a mechanism.
pub(crate) fn is_built_in(kem: KemAlgorithm) -> bool {
    mechanism(kem).is_some()
}

/// How OpenSSL names a mechanism.
#[derive(Clone, Copy)]
struct Mechanism {
    name: &'static CStr,
    key_type: KeyType,
}

/// Returns the name of a mechanism, if the OpenSSL at hand has it.
fn mechanism(kem: KemAlgorithm) -> Option<Mechanism> {
    let (_, mechanism) = MECHANISMS.iter().find(|(known, _)| *known == kem)?;
    Some(*mechanism)
}

/// Every mechanism that there is, looked up once.
static MECHANISMS: LazyLock<Vec<(KemAlgorithm, Mechanism)>> = LazyLock::new(|| {
    // Nothing of OpenSSL runs before this, as in `cipher.rs`.
    openssl::init();
    let all = KemAlgorithm::ALL.into_iter().filter_map(|kem| {
        let mechanism = match kem {
            KemAlgorithm::MlKem768 => {
                Mechanism { name: c"ML-KEM-768", key_type: KeyType::ML_KEM_768 }
            }
            KemAlgorithm::MlKem1024 => {
                Mechanism { name: c"ML-KEM-1024", key_type: KeyType::ML_KEM_1024 }
            }
            _ => return None,
        };
        mechanism.context().is_ok().then_some((kem, mechanism))
    });
    all.collect()
});

impl Mechanism {
    /// A context that makes keys. An OpenSSL without the mechanism makes none.
    fn context(self) -> Result<PkeyCtx<Private>, ErrorStack> {
        // SAFETY: the name ends in NUL; null is for the default library context and for the
        // properties, of which none are asked for.
        let context =
            unsafe { EVP_PKEY_CTX_new_from_name(ptr::null_mut(), self.name.as_ptr(), ptr::null()) };
        if context.is_null() {
            return Err(ErrorStack::get());
        }
        // SAFETY: the context is live and nobody else has the pointer.
        Ok(unsafe { PkeyCtx::from_ptr(context) })
    }

    fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        let mut context = self.context()?;
        context.keygen_init()?;
        context.keygen()
    }

    /// The crate `openssl` has this only where it is built against the headers of 3.5.
    fn load_seed(self, seed: &[u8; 64]) -> Result<PKey<Private>, ErrorStack> {
        let context = self.context()?;
        // SAFETY: the context is live.
        succeeded(unsafe { EVP_PKEY_fromdata_init(context.as_ptr()) })?;
        let (mut parameters, mut key) = (parameters(c"seed", seed), ptr::null_mut());
        let (out, list) = (&raw mut key, parameters.as_mut_ptr());
        // SAFETY: the context is live; the pointers are to a null pointer, which is to take a new
        // key, and to a list with an end, whose one item is as long as it says and lives on.
        succeeded(unsafe { EVP_PKEY_fromdata(context.as_ptr(), out, EVP_PKEY_KEYPAIR, list) })?;
        // SAFETY: a call that succeeds has made a key, which is live; nobody else has the pointer.
        Ok(unsafe { PKey::from_ptr(key) })
    }

    /// Takes the key of a peer, for a ciphertext of this length.
    fn peer(
        self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &[u8],
    ) -> Result<PKey<Public>, Error> {
        if encapsulation_key.len() != kem.encapsulation_key_len() {
            return Err(Error::BadKeyShare);
        }
        if ciphertext.len() != kem.ciphertext_len() {
            return Err(BAD_CIPHERTEXT_LEN);
        }
        // This is the modulus check, if it is not want of memory.
        let key = PKey::public_key_from_raw_bytes_ex(None, self.key_type, None, encapsulation_key);
        key.map_err(|_| Error::BadKeyShare)
    }
}

/// Encapsulates, with the random bytes `m` where they are given. The ciphertext has the length of
/// the mechanism.
fn encapsulate(
    peer: &PKey<Public>,
    m: Option<&[u8; 32]>,
    ciphertext: &mut [u8],
    secret: &mut [u8; KEM_SECRET_LEN],
) -> Result<(), ErrorStack> {
    let context = PkeyCtx::new(peer)?;
    let parameters = m.map(|m| parameters(c"ikme", m));
    let list = parameters.as_ref().map_or(ptr::null(), |parameters| parameters.as_ptr());
    // SAFETY: the context is live; the list is null, or has an end and one item, which is as long
    // as it says, and is copied.
    succeeded(unsafe { EVP_PKEY_encapsulate_init(context.as_ptr(), list) })?;
    let (mut len, mut secret_len) = (ciphertext.len(), secret.len());
    let (out, len) = (ciphertext.as_mut_ptr(), &raw mut len);
    let (secret, secret_len) = (secret.as_mut_ptr(), &raw mut secret_len);
    // SAFETY: the context is live; the pointers are to as many writable bytes as the lengths say,
    // and to these.
    succeeded(unsafe { EVP_PKEY_encapsulate(context.as_ptr(), out, len, secret, secret_len) })
}

/// A list of one byte string, which OpenSSL only reads, by a name of OpenSSL.
fn parameters(name: &'static CStr, bytes: &[u8]) -> [OSSL_PARAM; 2] {
    let data = bytes.as_ptr().cast_mut().cast::<c_void>();
    // SAFETY: the call stores its arguments; the name ends in NUL.
    let item = unsafe { OSSL_PARAM_construct_octet_string(name.as_ptr(), data, bytes.len()) };
    // SAFETY: the call takes no pointer.
    [item, unsafe { OSSL_PARAM_construct_end() }]
}

/// Translates OpenSSL's usual result, where 1 is success.
fn succeeded(answer: c_int) -> Result<(), ErrorStack> {
    if answer == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}

/// A decapsulation key. OpenSSL wipes it when it is freed.
struct Key {
    kem: KemAlgorithm,
    key: PKey<Private>,
    encapsulation_key: Vec<u8>,
}

impl Key {
    fn new(kem: KemAlgorithm, key: PKey<Private>) -> Result<Self, Error> {
        let encapsulation_key = key.raw_public_key().map_err(failure)?;
        Ok(Self { kem, key, encapsulation_key })
    }

    fn secret_of(
        &self,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), ErrorStack> {
        let context = PkeyCtx::new(&self.key)?;
        // SAFETY: the context is live; null is for parameters, of which there are none.
        succeeded(unsafe { EVP_PKEY_decapsulate_init(context.as_ptr(), ptr::null()) })?;
        let mut secret_len = secret.len();
        let (secret, secret_len) = (secret.as_mut_ptr(), &raw mut secret_len);
        let (ciphertext, len) = (ciphertext.as_ptr(), ciphertext.len());
        // SAFETY: the context is live; the pointers are to as many bytes as the lengths say, of
        // which those of the secret may be written, and to a length.
        succeeded(unsafe {
            EVP_PKEY_decapsulate(context.as_ptr(), secret, secret_len, ciphertext, len)
        })
    }
}

impl DecapsulationKey for Key {
    fn encapsulation_key(&self) -> &[u8] {
        &self.encapsulation_key
    }

    fn decapsulate(
        self: Box<Self>,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        // OpenSSL writes random bytes for a ciphertext of another length, and fails.
        if ciphertext.len() != self.kem.ciphertext_len() {
            return Err(Error::BadKeyShare);
        }
        self.secret_of(ciphertext, secret).map_err(failure)
    }
}

ssl_provider_core::redacted_debug! { Key { kem, .. } }

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenSSL has all mechanisms from 3.5 on, and none before.
    #[test]
    fn mechanisms_are_there_from_3_5_on() {
        const SINCE: i64 = 0x3050_0000;
        for kem in KemAlgorithm::ALL {
            let is_recent = openssl::version::number() >= SINCE;
            assert_eq!(is_built_in(kem), is_recent, "{}", kem.name());
        }
        assert!(ErrorStack::get().errors().is_empty());
    }

    #[test]
    fn what_is_refused_leaves_the_queue_of_errors_empty() {
        for kem in KemAlgorithm::ALL.into_iter().filter(|kem| is_built_in(*kem)) {
            let mut ciphertext = vec![7; kem.ciphertext_len()];
            let mut secret = [7; KEM_SECRET_LEN];
            let too_large = vec![0xff; kem.encapsulation_key_len()];
            let refused = OpenSsl.encapsulate(kem, &too_large, &mut ciphertext, &mut secret);
            assert_eq!(refused, Err(Error::BadKeyShare));
            assert!(ErrorStack::get().errors().is_empty());
            let zeros = vec![0; kem.decapsulation_key_len()];
            let refused = OpenSsl.load_kem(kem, KemPrivateKey::Expanded(&zeros)).map(drop);
            assert_eq!(refused, Err(BAD_KEM_KEY));
            assert!(ErrorStack::get().errors().is_empty());
        }
    }
}
