//! The RustCrypto crates without our layers.

use std::hint::black_box;

use aes::Aes128;
use aes_gcm::aead::array::typenum::{U12, U16};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit};
use cbc::{Decryptor, Encryptor};
use chacha20poly1305::ChaCha20Poly1305;
use getrandom::SysRng;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::DecodePublicKey as _;
use rsa::BoxedUint;
use rsa::hazmat::rsa_decrypt_and_check;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::pss::Pss;
use rsa::traits::PublicKeyParts as _;
use sha1::Sha1;
use sha2::Sha256;
use ssl_provider_core::{AeadAlgorithm, Group, NamedCurve};

use crate::{Aead, Agreement, CbcHmac, Failed, Library, RawOperation, Scheme, Signer, Verifier};

/// The library.
pub(crate) struct RustCrypto;

impl Library for RustCrypto {
    fn rsa(&self, der: &[u8]) -> Option<RawOperation> {
        let key = rsa::PrivateKey::from_pkcs1_der(der).ok()?;
        Some(Box::new(move |ciphertext, em| {
            if em.len() != key.size() {
                return Err(Failed);
            }
            let c = BoxedUint::from_be_slice(ciphertext, key.n_bits_precision());
            let m = rsa_decrypt_and_check(&key, Some(&mut SysRng), &c.map_err(|_| Failed)?);
            let bytes = m.map_err(|_| Failed)?.to_be_bytes();
            // As wide as the modulus in whole words.
            let start = bytes.len().checked_sub(em.len()).ok_or(Failed)?;
            em.copy_from_slice(bytes.get(start..).ok_or(Failed)?);
            Ok(())
        }))
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Option<Box<dyn Aead>> {
        Some(match algorithm {
            AeadAlgorithm::Aes128Gcm => Box::new(Crate(Aes128Gcm::new_from_slice(key).ok()?)),
            AeadAlgorithm::Aes256Gcm => Box::new(Crate(Aes256Gcm::new_from_slice(key).ok()?)),
            AeadAlgorithm::ChaCha20Poly1305 => {
                Box::new(Crate(ChaCha20Poly1305::new_from_slice(key).ok()?))
            }
            _ => return None,
        })
    }

    fn cbc_hmac(&self, key: &[u8; 16], mac_key: &[u8; 20]) -> Option<Box<dyn CbcHmac>> {
        let mac = Hmac::<Sha1>::new_from_slice(mac_key).ok()?;
        Some(Box::new(Cbc { cipher: Aes128::new(key.into()), mac }))
    }

    fn agreement(&self, group: &Group) -> Option<Agreement> {
        match group {
            Group::Curve(NamedCurve::X25519) => Some(Box::new(x25519)),
            Group::Curve(NamedCurve::Secp256r1) => Some(Box::new(on_curve!(p256))),
            Group::Curve(NamedCurve::Secp384r1) => Some(Box::new(on_curve!(p384))),
            // There is no crate of it: the backend exponentiates numbers itself.
            _ => None,
        }
    }

    fn signer(&self, scheme: Scheme, der: &[u8]) -> Option<Signer> {
        if scheme == Scheme::EcdsaP256 {
            let key = p256::ecdsa::SigningKey::from_pkcs8_der(der).ok()?;
            return Some(Box::new(move |digest, out| {
                let signed: Result<p256::ecdsa::DerSignature, _> =
                    key.sign_prehash_with_rng(&mut SysRng, digest);
                write(signed.map_err(|_| Failed)?.as_bytes(), out)
            }));
        }
        let key = rsa::PrivateKey::from_pkcs1_der(der).ok()?;
        Some(Box::new(move |digest, out| {
            let signed = match scheme {
                Scheme::RsaPss => key.sign_with_rng(&mut SysRng, Pss::<Sha256>::new(), digest),
                _ => key.sign_with_rng(&mut SysRng, Pkcs1v15Sign::new::<Sha256>(), digest),
            };
            write(&signed.map_err(|_| Failed)?, out)
        }))
    }

    fn verifier(&self, scheme: Scheme) -> Option<Verifier> {
        Some(Box::new(move |key, digest, signature| {
            if scheme == Scheme::EcdsaP256 {
                let key = p256::ecdsa::VerifyingKey::from_public_key_der(key);
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| Failed)?;
                let verified = key.map_err(|_| Failed)?.verify_prehash(digest, &signature);
                return verified.map_err(|_| Failed);
            }
            let key = rsa::PublicKey::from_public_key_der(key).map_err(|_| Failed)?;
            match scheme {
                Scheme::RsaPss => key.verify(Pss::<Sha256>::new(), digest, signature),
                _ => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature),
            }
            .map_err(|_| Failed)
        }))
    }
}

fn write(signature: &[u8], out: &mut [u8]) -> Result<usize, Failed> {
    out.get_mut(..signature.len()).ok_or(Failed)?.copy_from_slice(signature);
    Ok(signature.len())
}

/// A cipher of one of the AEAD crates.
struct Crate<C>(C);

impl<C: AeadInOut<NonceSize = U12, TagSize = U16>> Aead for Crate<C> {
    fn seal(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed> {
        let sealed = self.0.encrypt_inout_detached(nonce.into(), aad, text.into());
        *tag = sealed.map_err(|_| Failed)?.into();
        Ok(())
    }

    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed> {
        let texts = InOutBuf::new(text, sealed).map_err(|_| Failed)?;
        let sealed = self.0.encrypt_inout_detached(nonce.into(), aad, texts);
        *tag = sealed.map_err(|_| Failed)?.into();
        Ok(())
    }

    fn open_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Failed> {
        let texts = InOutBuf::new(sealed, text).map_err(|_| Failed)?;
        let opened = self.0.decrypt_inout_detached(nonce.into(), aad, texts, tag.into());
        opened.map_err(|_| Failed)
    }
}

struct Cbc {
    cipher: Aes128,
    mac: Hmac<Sha1>,
}

impl Cbc {
    fn mac(&self, data: &[u8], mac: &mut [u8; 20]) {
        let mut hmac = self.mac.clone();
        hmac.update(data);
        *mac = hmac.finalize().into_bytes().into();
    }
}

fn whole_blocks(bytes: &mut [u8]) -> Result<&mut [Block<Aes128>], Failed> {
    match Block::<Aes128>::slice_as_chunks_mut(bytes) {
        (blocks, []) => Ok(blocks),
        _ => Err(Failed),
    }
}

impl CbcHmac for Cbc {
    fn encrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed> {
        self.mac(blocks, mac);
        let mut mode = Encryptor::inner_iv_slice_init(&self.cipher, iv).map_err(|_| Failed)?;
        mode.encrypt_blocks(whole_blocks(blocks)?);
        Ok(())
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed> {
        let mut mode = Decryptor::inner_iv_slice_init(&self.cipher, iv).map_err(|_| Failed)?;
        mode.decrypt_blocks(whole_blocks(blocks)?);
        self.mac(blocks, mac);
        Ok(())
    }
}

fn x25519(peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Failed)?;
    let private = x25519_dalek::StaticSecret::from(bytes);
    black_box(x25519_dalek::PublicKey::from(&private));
    let peer: [u8; 32] = peer.try_into().map_err(|_| Failed)?;
    let shared = private.diffie_hellman(&peer.into());
    write(shared.as_bytes(), secret).map(drop)
}

/// Key agreement by the crate of a curve; each has types of its own.
macro_rules! on_curve {
    ($curve:ident) => {
        |peer: &[u8], secret: &mut [u8]| {
            use $curve::elliptic_curve::Generate;

            let private = $curve::SecretKey::try_generate_from_rng(&mut SysRng);
            let private = private.map_err(|_| Failed)?;
            black_box(private.public_key().to_sec1_point(false));
            let peer = $curve::PublicKey::from_sec1_bytes(peer).map_err(|_| Failed)?;
            let shared = private.diffie_hellman(&peer);
            write(shared.raw_secret_bytes(), secret).map(drop)
        }
    };
}
use on_curve;
