//! ring without our layers, and RustCrypto for what the ring backend takes from there.

use std::hint::black_box;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519,
    agree_ephemeral,
};
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ssl_provider_core::{AeadAlgorithm, Group, NamedCurve};

use crate::rustcrypto::RustCrypto;
use crate::{Aead, Agreement, CbcHmac, Failed, Library, RawOperation, Scheme, Signer, Verifier};

/// The library.
pub(crate) struct Ring;

impl From<Unspecified> for Failed {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl Library for Ring {
    fn rsa(&self, der: &[u8]) -> Option<RawOperation> {
        RustCrypto.rsa(der)
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Option<Box<dyn Aead>> {
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &AES_128_GCM,
            AeadAlgorithm::Aes256Gcm => &AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            _ => return None,
        };
        Some(Box::new(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?)))
    }

    fn cbc_hmac(&self, key: &[u8; 16], mac_key: &[u8; 20]) -> Option<Box<dyn CbcHmac>> {
        RustCrypto.cbc_hmac(key, mac_key)
    }

    fn agreement(&self, group: &Group) -> Option<Agreement> {
        let algorithm = match group {
            Group::Curve(NamedCurve::X25519) => &X25519,
            Group::Curve(NamedCurve::Secp256r1) => &ECDH_P256,
            Group::Curve(NamedCurve::Secp384r1) => &ECDH_P384,
            _ => return RustCrypto.agreement(group),
        };
        Some(Box::new(move |peer, secret| agreement(algorithm, peer, secret)))
    }

    fn signer(&self, scheme: Scheme, der: &[u8]) -> Option<Signer> {
        RustCrypto.signer(scheme, der)
    }

    fn verifier(&self, scheme: Scheme) -> Option<Verifier> {
        RustCrypto.verifier(scheme)
    }
}

impl Aead for LessSafeKey {
    fn seal(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let sealed = self.seal_in_place_separate_tag(nonce, Aad::from(aad), text)?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(())
    }

    /// ring encrypts only in place, so the text has to be copied first.
    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed> {
        if text.len() != sealed.len() {
            return Err(Failed);
        }
        sealed.copy_from_slice(text);
        self.seal(nonce, aad, sealed, tag)
    }

    /// ring decrypts only in place, as above.
    fn open_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Failed> {
        if text.len() != sealed.len() {
            return Err(Failed);
        }
        text.copy_from_slice(sealed);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.open_in_place_separate_tag(nonce, Aad::from(aad), (*tag).into(), text, 0..)?;
        Ok(())
    }
}

fn agreement(algorithm: &'static Algorithm, peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())?;
    black_box(private.compute_public_key()?);
    let peer = UnparsedPublicKey::new(algorithm, peer);
    agree_ephemeral(private, &peer, |shared| {
        secret.get_mut(..shared.len()).ok_or(Failed)?.copy_from_slice(shared);
        Ok(())
    })?
}
