//! OpenSSL as a program in Rust calls it, with what its crate leaves out from C.

use std::ffi::{c_int, c_long, c_uchar, c_uint, c_void};
use std::hint::black_box;

use foreign_types::ForeignType;
use openssl::bn::{BigNum, BigNumContext};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::derive::Deriver;
use openssl::dh::Dh;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::RsaPssSaltlen;
use ssl_provider_core::{AeadAlgorithm, DhParameters, Group, NamedCurve};

use crate::{Aead, Agreement, CbcHmac, Failed, Library, RawOperation, Scheme, Signer, Verifier};

/// The library.
pub(crate) struct OpenSsl;

impl From<ErrorStack> for Failed {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

impl Library for OpenSsl {
    fn rsa(&self, der: &[u8]) -> Option<RawOperation> {
        let key: Rsa<Private> = Rsa::private_key_from_der(der).ok()?;
        Some(Box::new(move |ciphertext, em| {
            // The crate panics at an output that is too short.
            if em.len() != key.size() as usize {
                return Err(Failed);
            }
            let written = key.private_decrypt(ciphertext, em, Padding::NONE)?;
            if written == em.len() { Ok(()) } else { Err(Failed) }
        }))
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Option<Box<dyn Aead>> {
        let name = match algorithm {
            AeadAlgorithm::Aes128Gcm => "AES-128-GCM",
            AeadAlgorithm::Aes256Gcm => "AES-256-GCM",
            AeadAlgorithm::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            _ => return None,
        };
        let cipher = Cipher::fetch(None, name, None).ok()?;
        let (mut seal, mut open) = (CipherCtx::new().ok()?, CipherCtx::new().ok()?);
        seal.encrypt_init(Some(&cipher), Some(key), None).ok()?;
        open.decrypt_init(Some(&cipher), Some(key), None).ok()?;
        Some(Box::new(Contexts { seal, open }))
    }

    fn cbc_hmac(&self, key: &[u8; 16], mac_key: &[u8; 20]) -> Option<Box<dyn CbcHmac>> {
        let cipher = Cipher::fetch(None, "AES-128-CBC", None).ok()?;
        let (mut encrypt, mut decrypt) = (CipherCtx::new().ok()?, CipherCtx::new().ok()?);
        encrypt.encrypt_init(Some(&cipher), Some(key), None).ok()?;
        encrypt.set_padding(false);
        decrypt.decrypt_init(Some(&cipher), Some(key), None).ok()?;
        decrypt.set_padding(false);
        let sha1 = Md::fetch(None, "SHA1", None).ok()?;
        Some(Box::new(Cbc { encrypt, decrypt, mac_key: *mac_key, sha1 }))
    }

    fn agreement(&self, group: &Group) -> Option<Agreement> {
        let nid = match group {
            Group::Curve(NamedCurve::X25519) => return Some(Box::new(x25519)),
            Group::Curve(NamedCurve::Secp256r1) => Nid::X9_62_PRIME256V1,
            Group::Curve(NamedCurve::Secp384r1) => Nid::SECP384R1,
            Group::FiniteField(field) => {
                let field = field.clone();
                return Some(Box::new(move |peer, secret| finite_field(&field, peer, secret)));
            }
            _ => return None,
        };
        let curve = EcGroup::from_curve_name(nid).ok()?;
        Some(Box::new(move |peer, secret| on_curve(&curve, peer, secret)))
    }

    fn signer(&self, scheme: Scheme, der: &[u8]) -> Option<Signer> {
        let key = PKey::private_key_from_der(der).ok()?;
        if scheme != Scheme::EcdsaP256 {
            return Some(Box::new(move |digest, out| {
                let mut context = context(&key, scheme, PkeyCtxRef::sign_init)?;
                Ok(context.sign(digest, Some(out))?)
            }));
        }
        let key = key.ec_key().ok()?;
        Some(Box::new(move |digest, out| {
            let signature = openssl::ecdsa::EcdsaSig::sign(digest, &key)?.to_der()?;
            out.get_mut(..signature.len()).ok_or(Failed)?.copy_from_slice(&signature);
            Ok(signature.len())
        }))
    }

    fn verifier(&self, scheme: Scheme) -> Option<Verifier> {
        Some(Box::new(move |key, digest, signature| {
            let key = PKey::public_key_from_der(key)?;
            let mut context = context(&key, scheme, PkeyCtxRef::verify_init)?;
            if context.verify(digest, signature)? { Ok(()) } else { Err(Failed) }
        }))
    }
}

/// A context for one signature, as a program makes it for each.
fn context<T: HasPublic>(
    key: &PKeyRef<T>,
    scheme: Scheme,
    init: impl FnOnce(&mut PkeyCtxRef<T>) -> Result<(), ErrorStack>,
) -> Result<PkeyCtx<T>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    init(&mut context)?;
    context.set_signature_md(Md::sha256())?;
    if scheme == Scheme::RsaPss {
        context.set_rsa_padding(Padding::PKCS1_PSS)?;
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    Ok(context)
}

/// A context for each direction, in which the key is set up.
struct Contexts {
    seal: CipherCtx,
    open: CipherCtx,
}

impl Aead for Contexts {
    fn seal(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed> {
        let context = &mut self.seal;
        context.encrypt_init(None, None, Some(nonce))?;
        context.cipher_update(aad, None)?;
        context.cipher_update_inplace(text, text.len())?;
        context.cipher_final(&mut [])?;
        Ok(context.tag(tag)?)
    }

    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), Failed> {
        let context = &mut self.seal;
        context.encrypt_init(None, None, Some(nonce))?;
        context.cipher_update(aad, None)?;
        context.cipher_update(text, Some(sealed))?;
        context.cipher_final(&mut [])?;
        Ok(context.tag(tag)?)
    }

    fn open_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
        text: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Failed> {
        let context = &mut self.open;
        context.decrypt_init(None, None, Some(nonce))?;
        context.set_tag(tag)?;
        context.cipher_update(aad, None)?;
        context.cipher_update(sealed, Some(text))?;
        context.cipher_final(&mut [])?;
        Ok(())
    }
}

struct Cbc {
    encrypt: CipherCtx,
    decrypt: CipherCtx,
    mac_key: [u8; 20],
    sha1: Md,
}

impl Cbc {
    fn mac(&self, data: &[u8], mac: &mut [u8; 20]) -> Result<(), Failed> {
        let key_len = c_int::try_from(self.mac_key.len()).map_err(|_| Failed)?;
        let (key, bytes, len) = (self.mac_key.as_ptr().cast(), data.as_ptr(), data.len());
        let mut written = 0;
        let (out, out_len) = (mac.as_mut_ptr(), &raw mut written);
        let hash = self.sha1.as_ptr();
        // SAFETY: the pointers are to as many bytes as said, to as many writable ones as SHA-1
        // writes, and to a length; the method is live.
        let answer = unsafe { HMAC(hash, key, key_len, bytes, len, out, out_len) };
        if answer.is_null() { Err(Failed) } else { Ok(()) }
    }
}

/// Runs a context over whole blocks in place. The crate wants room for a block more than is read,
/// so the last block goes through a buffer.
fn apply(context: &mut CipherCtx, blocks: &mut [u8]) -> Result<(), Failed> {
    const BLOCK_LEN: usize = 16;
    let whole = blocks.len().is_multiple_of(BLOCK_LEN);
    let head_len = blocks.len().checked_sub(BLOCK_LEN).filter(|_| whole).ok_or(Failed)?;
    context.cipher_update_inplace(blocks, head_len)?;
    let (_, last) = blocks.split_at_mut(head_len);
    let mut room = [0; 2 * BLOCK_LEN];
    context.cipher_update(last, Some(&mut room))?;
    last.copy_from_slice(&room[..BLOCK_LEN]);
    Ok(())
}

impl CbcHmac for Cbc {
    fn encrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed> {
        self.mac(blocks, mac)?;
        self.encrypt.encrypt_init(None, None, Some(iv))?;
        apply(&mut self.encrypt, blocks)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed> {
        self.decrypt.decrypt_init(None, None, Some(iv))?;
        apply(&mut self.decrypt, blocks)?;
        self.mac(blocks, mac)
    }
}

fn x25519(peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let key = PKey::generate_x25519()?;
    black_box(key.raw_public_key()?);
    let peer = PKey::public_key_from_raw_bytes(peer, Id::X25519)?;
    let mut deriver = Deriver::new(&key)?;
    deriver.set_peer_ex(&peer, false)?;
    if deriver.derive(secret)? == secret.len() { Ok(()) } else { Err(Failed) }
}

fn on_curve(group: &EcGroup, peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let key = EcKey::generate(group)?;
    let form = PointConversionForm::UNCOMPRESSED;
    black_box(key.public_key().to_bytes(group, form, &mut *BigNumContext::new()?)?);
    let peer = EcPoint::from_bytes(group, peer, &mut *BigNumContext::new()?)?;
    let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
    let (peer, key) = (peer.as_ptr().cast_const(), key.as_ptr().cast_const());
    // SAFETY: point and key are live; the pointer is to `len` writable bytes.
    let written = unsafe { ECDH_compute_key(out, len, peer, key, None) };
    if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(Failed) }
}

fn finite_field(field: &DhParameters, peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let len = field.prime().len();
    if [peer.len(), secret.len()] != [len; 2] {
        return Err(Failed);
    }
    let (p, g) = (BigNum::from_slice(field.prime())?, BigNum::from_slice(field.generator())?);
    let group = Dh::from_pqg(p, None, g)?;
    let bits = c_long::try_from(field.private_key_bits()).map_err(|_| Failed)?;
    // SAFETY: the group is live, and nothing else refers to it.
    if unsafe { DH_set_length(group.as_ptr(), bits) } != 1 {
        return Err(Failed);
    }
    let key = group.generate_key()?;
    black_box(key.public_key().to_vec_padded(c_int::try_from(len).map_err(|_| Failed)?)?);
    let peer = BigNum::from_slice(peer)?;
    let (out, peer, key) = (secret.as_mut_ptr(), peer.as_ptr(), key.as_ptr());
    // SAFETY: key and number are live, and the pointer is to as many writable bytes as the prime
    // has, which is what OpenSSL writes.
    let written = unsafe { DH_compute_key_padded(out, peer, key) };
    if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(Failed) }
}

// What `openssl-sys` leaves out of `openssl/ec.h`, `openssl/dh.h` and `openssl/evp.h`.
unsafe extern "C" {
    fn ECDH_compute_key(
        out: *mut c_void,
        len: usize,
        peer: *const openssl_sys::EC_POINT,
        key: *const openssl_sys::EC_KEY,
        kdf: Option<unsafe extern "C" fn()>,
    ) -> c_int;
    fn DH_set_length(dh: *mut openssl_sys::DH, bits: c_long) -> c_int;
    fn DH_compute_key_padded(
        out: *mut c_uchar,
        peer: *const openssl_sys::BIGNUM,
        dh: *mut openssl_sys::DH,
    ) -> c_int;
    fn HMAC(
        hash: *const openssl_sys::EVP_MD,
        key: *const c_void,
        key_len: c_int,
        data: *const c_uchar,
        len: usize,
        out: *mut c_uchar,
        out_len: *mut c_uint,
    ) -> *mut c_uchar;
}
