//! Key encapsulation of AWS-LC: ML-KEM.

use std::ffi::c_int;
use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_free, EVP_PKEY_CTX_kem_set_params, EVP_PKEY_CTX_new,
    EVP_PKEY_CTX_new_id, EVP_PKEY_KEM, EVP_PKEY_decapsulate, EVP_PKEY_encapsulate,
    EVP_PKEY_encapsulate_deterministic, EVP_PKEY_free, EVP_PKEY_get_raw_public_key,
    EVP_PKEY_kem_check_key, EVP_PKEY_kem_new_raw_key, EVP_PKEY_kem_new_raw_public_key,
    EVP_PKEY_keygen, EVP_PKEY_keygen_deterministic, EVP_PKEY_keygen_init, NID_MLKEM768,
    NID_MLKEM1024,
};

use ssl_provider_core::backend::{
    BAD_CIPHERTEXT_LEN, BAD_KEM_KEY, DecapsulationKey, KemPrivateKey, KeyEncapsulation,
    encapsulation_key_in,
};
use ssl_provider_core::{Error, KEM_SECRET_LEN, KemAlgorithm, Operation};

use crate::{AwsLc, failure, succeeded};

impl KeyEncapsulation for AwsLc {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        let nid = nid(kem).ok_or(Error::Unsupported(Operation::Kem(kem)))?;
        let (context, mut key) = (Context::for_keys(nid)?, ptr::null_mut());
        // SAFETY: the context is live and set up for keys; the other pointer is to a null pointer,
        // which is to take a new key.
        let answer = unsafe { EVP_PKEY_keygen(context.0.as_ptr(), &raw mut key) };
        Ok(Box::new(Key::new(kem, PKey::of_result(answer, key)?)?))
    }

    fn load_kem(
        &self,
        kem: KemAlgorithm,
        key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        let nid = nid(kem).ok_or(Error::Unsupported(Operation::KemLoad(kem)))?;
        let key = match key {
            KemPrivateKey::Seed(seed) => from_seed(nid, seed)?,
            KemPrivateKey::Expanded(key) => from_expanded(kem, nid, key)?,
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
        let nid = nid(kem).ok_or(Error::Unsupported(Operation::Kem(kem)))?;
        let context = Context::to(kem, nid, encapsulation_key, ciphertext)?;
        let (mut len, mut secret_len) = (ciphertext.len(), secret.len());
        let (out, len) = (ciphertext.as_mut_ptr(), &raw mut len);
        let (secret, secret_len) = (secret.as_mut_ptr(), &raw mut secret_len);
        let context = context.0.as_ptr();
        // SAFETY: the context is live and has a key; the pointers are to as many writable bytes as
        // the lengths say, and to these.
        let answer = unsafe { EVP_PKEY_encapsulate(context, out, len, secret, secret_len) };
        // The lengths are right, so it is the modulus check that fails.
        succeeded(answer).map_err(|_| Error::BadKeyShare)
    }

    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        m: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let nid = nid(kem).ok_or(Error::Unsupported(Operation::KemLoad(kem)))?;
        let context = Context::to(kem, nid, encapsulation_key, ciphertext)?;
        let (mut len, mut secret_len, mut m_len) = (ciphertext.len(), secret.len(), m.len());
        let (out, len) = (ciphertext.as_mut_ptr(), &raw mut len);
        let (secret, secret_len) = (secret.as_mut_ptr(), &raw mut secret_len);
        let (m, m_len) = (m.as_ptr(), &raw mut m_len);
        let context = context.0.as_ptr();
        // SAFETY: as in `encapsulate`; the random bytes are as many as their length says, and are
        // only read.
        let answer = unsafe {
            EVP_PKEY_encapsulate_deterministic(context, out, len, secret, secret_len, m, m_len)
        };
        succeeded(answer).map_err(|_| Error::BadKeyShare)
    }
}

/// AWS-LC's number of a mechanism.
pub(crate) fn nid(kem: KemAlgorithm) -> Option<c_int> {
    Some(match kem {
        KemAlgorithm::MlKem768 => NID_MLKEM768,
        KemAlgorithm::MlKem1024 => NID_MLKEM1024,
        _ => return None,
    })
}

fn from_seed(nid: c_int, seed: &[u8; 64]) -> Result<PKey, Error> {
    let (context, mut key) = (Context::for_keys(nid)?, ptr::null_mut());
    let mut len = seed.len();
    let (out, seed, len) = (&raw mut key, seed.as_ptr(), &raw mut len);
    // SAFETY: the context is live and set up for keys; the pointers are to a null pointer, which is
    // to take a new key, to as many bytes as the length says, and to the length.
    let answer = unsafe { EVP_PKEY_keygen_deterministic(context.0.as_ptr(), out, seed, len) };
    PKey::of_result(answer, key)
}

fn from_expanded(kem: KemAlgorithm, nid: c_int, key: &[u8]) -> Result<PKey, Error> {
    let public = encapsulation_key_in(kem, key)?;
    let (public, public_len, secret, secret_len) =
        (public.as_ptr(), public.len(), key.as_ptr(), key.len());
    // SAFETY: the pointers are to as many bytes as said.
    let key = unsafe { EVP_PKEY_kem_new_raw_key(nid, public, public_len, secret, secret_len) };
    let key = NonNull::new(key).map(PKey).ok_or_else(failure)?;
    // SAFETY: the key is live. This is the modulus check and the hash check, which AWS-LC leaves
    // out above, and a trial of both parts.
    let answer = unsafe { EVP_PKEY_kem_check_key(key.0.as_ptr()) };
    succeeded(answer).map_err(|_| BAD_KEM_KEY)?;
    Ok(key)
}

/// A decapsulation key.
struct Key {
    kem: KemAlgorithm,
    key: PKey,
    encapsulation_key: Vec<u8>,
}

impl Key {
    fn new(kem: KemAlgorithm, key: PKey) -> Result<Self, Error> {
        let mut encapsulation_key = vec![0; kem.encapsulation_key_len()];
        let mut len = encapsulation_key.len();
        let (out, len) = (encapsulation_key.as_mut_ptr(), &raw mut len);
        // SAFETY: the key is live; the pointers are to as many writable bytes as the length says,
        // and to the length.
        succeeded(unsafe { EVP_PKEY_get_raw_public_key(key.0.as_ptr(), out, len) })?;
        Ok(Self { kem, key, encapsulation_key })
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
        if ciphertext.len() != self.kem.ciphertext_len() {
            return Err(Error::BadKeyShare);
        }
        let context = Context::of(&self.key)?;
        let mut secret_len = secret.len();
        let (secret, secret_len) = (secret.as_mut_ptr(), &raw mut secret_len);
        let (context, ciphertext, len) =
            (context.0.as_ptr(), ciphertext.as_ptr(), ciphertext.len());
        // SAFETY: the context is live and has a key; the pointers are to as many bytes as the
        // lengths say, of which those of the secret may be written, and to a length.
        succeeded(unsafe { EVP_PKEY_decapsulate(context, secret, secret_len, ciphertext, len) })
    }
}

/// Owns a key. AWS-LC wipes what it frees.
struct PKey(NonNull<EVP_PKEY>);

// SAFETY: the key is on the heap, belongs to this value alone, and AWS-LC ties nothing in it to a
// thread.
unsafe impl Send for PKey {}

// SAFETY: nothing is done with a key through a shared reference.
unsafe impl Sync for PKey {}

impl PKey {
    /// Takes the result of a generation.
    fn of_result(answer: c_int, key: *mut EVP_PKEY) -> Result<Self, Error> {
        let key = NonNull::new(key).map(Self);
        succeeded(answer)?;
        key.ok_or_else(failure)
    }
}

impl Drop for PKey {
    fn drop(&mut self) {
        // SAFETY: the key is live and nobody else has the pointer.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}

/// Owns a context of operations, and a reference to the key that it is for.
struct Context(NonNull<EVP_PKEY_CTX>);

impl Context {
    /// A context that makes keys.
    fn for_keys(nid: c_int) -> Result<Self, Error> {
        // SAFETY: null is for the engine, of which there is none.
        let context = unsafe { EVP_PKEY_CTX_new_id(EVP_PKEY_KEM, ptr::null_mut()) };
        let context = NonNull::new(context).map(Self).ok_or_else(failure)?;
        // SAFETY: the context is live, of key encapsulation and without a key.
        succeeded(unsafe { EVP_PKEY_CTX_kem_set_params(context.0.as_ptr(), nid) })?;
        // SAFETY: the context is live.
        succeeded(unsafe { EVP_PKEY_keygen_init(context.0.as_ptr()) })?;
        Ok(context)
    }

    /// A context that uses a key.
    fn of(key: &PKey) -> Result<Self, Error> {
        // SAFETY: the key is live, and the context takes a reference of its own; null is for the
        // engine.
        let context = unsafe { EVP_PKEY_CTX_new(key.0.as_ptr(), ptr::null_mut()) };
        NonNull::new(context).map(Self).ok_or_else(failure)
    }

    /// A context that encapsulates to a key of the peer, for a ciphertext of this length.
    fn to(kem: KemAlgorithm, nid: c_int, peer: &[u8], ciphertext: &[u8]) -> Result<Self, Error> {
        if peer.len() != kem.encapsulation_key_len() {
            return Err(Error::BadKeyShare);
        }
        if ciphertext.len() != kem.ciphertext_len() {
            return Err(BAD_CIPHERTEXT_LEN);
        }
        // SAFETY: the pointer is to as many bytes as said.
        let key = unsafe { EVP_PKEY_kem_new_raw_public_key(nid, peer.as_ptr(), peer.len()) };
        Self::of(&NonNull::new(key).map(PKey).ok_or_else(failure)?)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is live and nobody else has the pointer.
        unsafe { EVP_PKEY_CTX_free(self.0.as_ptr()) };
    }
}

ssl_provider_core::redacted_debug! { Key { kem, .. } }

#[cfg(test)]
mod tests {
    use super::*;

    use aws_lc_sys::ERR_peek_error;

    #[test]
    fn what_is_refused_leaves_the_queue_of_errors_empty() {
        // SAFETY: the call takes no pointer.
        let queue_is_empty = || unsafe { ERR_peek_error() == 0 };
        for kem in KemAlgorithm::ALL {
            let mut ciphertext = vec![7; kem.ciphertext_len()];
            let mut secret = [7; KEM_SECRET_LEN];
            let too_large = vec![0xff; kem.encapsulation_key_len()];
            let refused = AwsLc.encapsulate(kem, &too_large, &mut ciphertext, &mut secret);
            assert_eq!(refused, Err(Error::BadKeyShare));
            let refused =
                AwsLc.encapsulate_with(kem, &too_large, &[1; 32], &mut ciphertext, &mut secret);
            assert_eq!(refused, Err(Error::BadKeyShare));
            assert!(ciphertext.iter().chain(&secret).all(|byte| *byte == 7));
            assert!(queue_is_empty());
            let zeros = vec![0; kem.decapsulation_key_len()];
            let refused = AwsLc.load_kem(kem, KemPrivateKey::Expanded(&zeros)).map(drop);
            assert_eq!(refused, Err(BAD_KEM_KEY));
            assert!(queue_is_empty());
        }
    }
}
