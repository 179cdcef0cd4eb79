//! AWS-LC as a program in C calls it.

use std::ffi::c_int;
use std::hint::black_box;
use std::ptr::{self, NonNull};

use aws_lc_sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
use aws_lc_sys::{
    AES_DECRYPT, AES_ENCRYPT, AES_KEY, AES_cbc_encrypt, AES_set_decrypt_key, AES_set_encrypt_key,
    BIGNUM, BN_bin2bn, BN_bn2bin_padded, BN_free, CBS, DH, DH_compute_key_padded, DH_free,
    DH_generate_key, DH_get0_pub_key, DH_new, DH_set_length, DH_set0_pqg, EC_GROUP, EC_KEY,
    EC_KEY_free, EC_KEY_generate_key, EC_KEY_get0_public_key, EC_KEY_new, EC_KEY_set_group,
    EC_POINT, EC_POINT_free, EC_POINT_new, EC_POINT_oct2point, EC_POINT_point2oct, EC_group_p256,
    EC_group_p384, ECDH_compute_key, ECDSA_sign, ECDSA_size, ECDSA_verify, EVP_AEAD_CTX,
    EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_open_gather, EVP_AEAD_CTX_seal_scatter,
    EVP_PKEY, EVP_PKEY_free, EVP_PKEY_get0_EC_KEY, EVP_PKEY_get0_RSA, EVP_PKEY_get1_EC_KEY,
    EVP_aead_aes_128_gcm, EVP_aead_aes_256_gcm, EVP_aead_chacha20_poly1305, EVP_parse_private_key,
    EVP_parse_public_key, EVP_sha1, EVP_sha256, HMAC, NID_sha256, RSA, RSA_NO_PADDING,
    RSA_PSS_SALTLEN_DIGEST, RSA_decrypt, RSA_free, RSA_private_key_from_bytes, RSA_sign,
    RSA_sign_pss_mgf1, RSA_verify, RSA_verify_pss_mgf1, X25519, X25519_keypair,
};
use ssl_provider_core::{AeadAlgorithm, DhParameters, Group, NamedCurve};

use crate::{Aead, Agreement, CbcHmac, Failed, Library, RawOperation, Scheme, Signer, Verifier};

/// The library.
pub(crate) struct AwsLc;

impl Library for AwsLc {
    fn rsa(&self, der: &[u8]) -> Option<RawOperation> {
        let key = RsaKey::load(der)?;
        Some(Box::new(move |ciphertext, em| key.decrypt(ciphertext, em)))
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Option<Box<dyn Aead>> {
        let aead = match algorithm {
            // SAFETY: the call takes no pointer.
            AeadAlgorithm::Aes128Gcm => unsafe { EVP_aead_aes_128_gcm() },
            // SAFETY: as above.
            AeadAlgorithm::Aes256Gcm => unsafe { EVP_aead_aes_256_gcm() },
            // SAFETY: as above.
            AeadAlgorithm::ChaCha20Poly1305 => unsafe { EVP_aead_chacha20_poly1305() },
            _ => return None,
        };
        // SAFETY: the pointers are to a description that is static and to `key.len()` bytes.
        let context = unsafe { EVP_AEAD_CTX_new(aead, key.as_ptr(), key.len(), TAG_LEN) };
        Some(Box::new(AeadContext(NonNull::new(context)?)))
    }

    fn cbc_hmac(&self, key: &[u8; 16], mac_key: &[u8; 20]) -> Option<Box<dyn CbcHmac>> {
        Some(Box::new(Cbc::new(key, mac_key)?))
    }

    fn agreement(&self, group: &Group) -> Option<Agreement> {
        let curve = match group {
            Group::Curve(NamedCurve::X25519) => return Some(Box::new(x25519)),
            // SAFETY: the call takes no pointer.
            Group::Curve(NamedCurve::Secp256r1) => unsafe { EC_group_p256() },
            // SAFETY: as above.
            Group::Curve(NamedCurve::Secp384r1) => unsafe { EC_group_p384() },
            Group::FiniteField(field) => {
                let field = field.clone();
                return Some(Box::new(move |peer, secret| finite_field(&field, peer, secret)));
            }
            _ => return None,
        };
        Some(Box::new(move |peer, secret| on_curve(curve, peer, secret)))
    }

    fn signer(&self, scheme: Scheme, der: &[u8]) -> Option<Signer> {
        match scheme {
            Scheme::EcdsaP256 => {
                let key = EcKey::of_pkcs8(der)?;
                Some(Box::new(move |digest, out| key.sign(digest, out)))
            }
            Scheme::RsaPkcs1 => {
                let key = RsaKey::load(der)?;
                Some(Box::new(move |digest, out| key.sign_pkcs1(digest, out)))
            }
            Scheme::RsaPss => {
                let key = RsaKey::load(der)?;
                Some(Box::new(move |digest, out| key.sign_pss(digest, out)))
            }
        }
    }

    fn verifier(&self, scheme: Scheme) -> Option<Verifier> {
        Some(Box::new(move |key, digest, signature| verify(scheme, key, digest, signature)))
    }
}

const TAG_LEN: usize = 16;

/// Functions of AWS-LC return 1 for success.
fn succeeded(answer: c_int) -> Result<(), Failed> {
    if answer == 1 { Ok(()) } else { Err(Failed) }
}

struct RsaKey(NonNull<RSA>);

impl RsaKey {
    fn load(der: &[u8]) -> Option<Self> {
        // SAFETY: the pointer is to `der.len()` bytes, which the call does not keep.
        let rsa = unsafe { RSA_private_key_from_bytes(der.as_ptr(), der.len()) };
        NonNull::new(rsa).map(Self)
    }

    fn decrypt(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Failed> {
        let mut written = 0;
        // SAFETY: the key is live; the pointers are to `em.len()` writable and `ciphertext.len()`
        // readable bytes, and to a length.
        let answer = unsafe {
            RSA_decrypt(
                self.0.as_ptr(),
                &raw mut written,
                em.as_mut_ptr(),
                em.len(),
                ciphertext.as_ptr(),
                ciphertext.len(),
                RSA_NO_PADDING,
            )
        };
        succeeded(answer)?;
        if written == em.len() { Ok(()) } else { Err(Failed) }
    }

    fn sign_pkcs1(&self, digest: &[u8; 32], out: &mut [u8]) -> Result<usize, Failed> {
        self.fits(out)?;
        let (data, len, to) = (digest.as_ptr(), digest.len(), out.as_mut_ptr());
        let mut written = 0;
        let key = self.0.as_ptr();
        // SAFETY: the key is live; the pointers are to `len` readable bytes, to at least as many
        // writable ones as the modulus has, and to a length.
        succeeded(unsafe { RSA_sign(NID_sha256, data, len, to, &raw mut written, key) })?;
        usize::try_from(written).map_err(|_| Failed)
    }

    fn sign_pss(&self, digest: &[u8; 32], out: &mut [u8]) -> Result<usize, Failed> {
        let (data, len, to, room) = (digest.as_ptr(), digest.len(), out.as_mut_ptr(), out.len());
        let (mut written, salt, key) = (0, RSA_PSS_SALTLEN_DIGEST, self.0.as_ptr());
        // SAFETY: the call takes no pointer.
        let hash = unsafe { EVP_sha256() };
        let length = &raw mut written;
        // SAFETY: the key is live; the pointers are to a length, `room` writable and `len` readable
        // bytes, and the method is a constant of the library.
        let answer =
            unsafe { RSA_sign_pss_mgf1(key, length, to, room, data, len, hash, hash, salt) };
        succeeded(answer)?;
        Ok(written)
    }

    /// The function for PKCS#1 v1.5 takes no room for its output.
    fn fits(&self, out: &[u8]) -> Result<(), Failed> {
        // SAFETY: the key is live.
        let len = unsafe { aws_lc_sys::RSA_size(self.0.as_ptr()) };
        let fits = usize::try_from(len).is_ok_and(|len| out.len() >= len);
        if fits { Ok(()) } else { Err(Failed) }
    }
}

impl Drop for RsaKey {
    fn drop(&mut self) {
        // SAFETY: the key is live, and nothing else refers to it.
        unsafe { RSA_free(self.0.as_ptr()) };
    }
}

struct AeadContext(NonNull<EVP_AEAD_CTX>);

impl AeadContext {
    /// # Safety
    ///
    /// `text` is readable and `sealed` writable for `len` bytes, and they are the same or apart.
    unsafe fn seal_scatter(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        (text, sealed, len): (*const u8, *mut u8, usize),
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let mut written = 0;
        // SAFETY: the context is live; the caller vouches for the texts, each other pointer is to
        // as many bytes as the length after it, and null is for no further input.
        succeeded(unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.as_ptr(),
                sealed,
                tag.as_mut_ptr(),
                &raw mut written,
                tag.len(),
                nonce.as_ptr(),
                nonce.len(),
                text,
                len,
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        })
    }
}

impl Aead for AeadContext {
    fn seal(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let place = text.as_mut_ptr();
        // SAFETY: both are the one text, which is borrowed for writing.
        unsafe { self.seal_scatter(nonce, aad, (place, place, text.len()), tag) }
    }

    fn seal_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        text: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        if text.len() != sealed.len() {
            return Err(Failed);
        }
        let texts = (text.as_ptr(), sealed.as_mut_ptr(), text.len());
        // SAFETY: the borrows prove that the two are apart, and they have the same length.
        unsafe { self.seal_scatter(nonce, aad, texts, tag) }
    }

    fn open_apart(
        &mut self,
        nonce: &[u8; 12],
        aad: &[u8],
        sealed: &[u8],
        text: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed> {
        if text.len() != sealed.len() {
            return Err(Failed);
        }
        // SAFETY: the context is live; the output is apart from the input and as long, and each
        // other pointer is to as many bytes as the length after it.
        succeeded(unsafe {
            EVP_AEAD_CTX_open_gather(
                self.0.as_ptr(),
                text.as_mut_ptr(),
                nonce.as_ptr(),
                nonce.len(),
                sealed.as_ptr(),
                sealed.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        })
    }
}

impl Drop for AeadContext {
    fn drop(&mut self) {
        // SAFETY: the context is live, and nothing else refers to it.
        unsafe { EVP_AEAD_CTX_free(self.0.as_ptr()) };
    }
}

struct Cbc {
    encrypt: AES_KEY,
    decrypt: AES_KEY,
    mac_key: [u8; 20],
}

impl Cbc {
    fn new(key: &[u8; 16], mac_key: &[u8; 20]) -> Option<Self> {
        const EMPTY: AES_KEY = AES_KEY { rd_key: [0; 60], rounds: 0 };
        const KEY_BITS: u32 = 128;
        let mut keys = Self { encrypt: EMPTY, decrypt: EMPTY, mac_key: *mac_key };
        // SAFETY: the pointers are to as many bits as said and to room for a schedule.
        let encrypt = unsafe { AES_set_encrypt_key(key.as_ptr(), KEY_BITS, &raw mut keys.encrypt) };
        // SAFETY: as above.
        let decrypt = unsafe { AES_set_decrypt_key(key.as_ptr(), KEY_BITS, &raw mut keys.decrypt) };
        // These two return 0 for success.
        (encrypt == 0 && decrypt == 0).then_some(keys)
    }

    fn apply(
        key: &AES_KEY,
        direction: c_int,
        iv: &[u8; 16],
        blocks: &mut [u8],
    ) -> Result<(), Failed> {
        if !blocks.len().is_multiple_of(iv.len()) {
            return Err(Failed);
        }
        let (mut chain, len) = (*iv, blocks.len());
        let place = blocks.as_mut_ptr();
        // SAFETY: the pointers are to whole blocks, which may be read and written in place; to a
        // schedule for this direction; and to the chained block.
        unsafe { AES_cbc_encrypt(place, place, len, key, chain.as_mut_ptr(), direction) };
        Ok(())
    }

    fn mac(&self, data: &[u8], mac: &mut [u8; 20]) -> Result<(), Failed> {
        let (key, key_len) = (self.mac_key.as_ptr().cast(), self.mac_key.len());
        let (bytes, len, mut written) = (data.as_ptr(), data.len(), 0);
        // SAFETY: the call takes no pointer.
        let hash = unsafe { EVP_sha1() };
        let (out, out_len) = (mac.as_mut_ptr(), &raw mut written);
        // SAFETY: the pointers are to as many bytes as said, to as many writable ones as SHA-1
        // writes, and to a length; the method is a constant of the library.
        let answer = unsafe { HMAC(hash, key, key_len, bytes, len, out, out_len) };
        if answer.is_null() { Err(Failed) } else { Ok(()) }
    }
}

impl CbcHmac for Cbc {
    fn encrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed> {
        self.mac(blocks, mac)?;
        Self::apply(&self.encrypt, AES_ENCRYPT, iv, blocks)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 16],
        blocks: &mut [u8],
        mac: &mut [u8; 20],
    ) -> Result<(), Failed> {
        Self::apply(&self.decrypt, AES_DECRYPT, iv, blocks)?;
        self.mac(blocks, mac)
    }
}

fn x25519(peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let (mut private, mut public) = ([0; 32], [0; 32]);
    if [peer.len(), secret.len()] != [32; 2] {
        return Err(Failed);
    }
    // SAFETY: the pointers are to 32 writable bytes each.
    unsafe { X25519_keypair(public.as_mut_ptr(), private.as_mut_ptr()) };
    black_box(&public);
    // SAFETY: the pointers are to 32 bytes each, of which the first may be written.
    succeeded(unsafe { X25519(secret.as_mut_ptr(), private.as_ptr(), peer.as_ptr()) })
}

struct EcKey(NonNull<EC_KEY>);

impl EcKey {
    fn of_pkcs8(der: &[u8]) -> Option<Self> {
        let mut input = CBS { data: der.as_ptr(), len: der.len() };
        // SAFETY: the pointer is to a reader of `der`.
        let key = PublicOrPrivate::new(unsafe { EVP_parse_private_key(&raw mut input) })?;
        // SAFETY: the key is live.
        NonNull::new(unsafe { EVP_PKEY_get1_EC_KEY(key.0.as_ptr()) }).map(Self)
    }

    fn sign(&self, digest: &[u8; 32], out: &mut [u8]) -> Result<usize, Failed> {
        // SAFETY: the key is live.
        if out.len() < unsafe { ECDSA_size(self.0.as_ptr()) } {
            return Err(Failed);
        }
        let mut len = 0;
        let (data, data_len, to) = (digest.as_ptr(), digest.len(), out.as_mut_ptr());
        // SAFETY: the key is live; the pointers are to `data_len` readable bytes, to at least as
        // many writable ones as the longest signature of the key has, and to a length.
        succeeded(unsafe { ECDSA_sign(0, data, data_len, to, &raw mut len, self.0.as_ptr()) })?;
        usize::try_from(len).map_err(|_| Failed)
    }
}

impl Drop for EcKey {
    fn drop(&mut self) {
        // SAFETY: the key is live, and nothing else refers to it.
        unsafe { EC_KEY_free(self.0.as_ptr()) };
    }
}

struct EcPoint(NonNull<EC_POINT>);

impl Drop for EcPoint {
    fn drop(&mut self) {
        // SAFETY: the point is live, and nothing else refers to it.
        unsafe { EC_POINT_free(self.0.as_ptr()) };
    }
}

fn on_curve(group: *const EC_GROUP, peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    // SAFETY: the call takes no pointer.
    let key = EcKey(NonNull::new(unsafe { EC_KEY_new() }).ok_or(Failed)?);
    let it = key.0.as_ptr();
    // SAFETY: the key is live, and the curve a constant of the library.
    succeeded(unsafe { EC_KEY_set_group(it, group) })?;
    // SAFETY: the key is live and has a curve.
    succeeded(unsafe { EC_KEY_generate_key(it) })?;
    let mut public = [0; 97];
    // SAFETY: the key is live.
    let own = unsafe { EC_KEY_get0_public_key(it) };
    let (out, room, none) = (public.as_mut_ptr(), peer.len().min(public.len()), ptr::null_mut());
    let form = POINT_CONVERSION_UNCOMPRESSED;
    // SAFETY: the point is the key's; the pointer is to as many writable bytes as said.
    let written = unsafe { EC_POINT_point2oct(group, own, form, out, room, none) };
    if written != peer.len() {
        return Err(Failed);
    }
    black_box(&public);
    // SAFETY: the curve is a constant of the library.
    let point = EcPoint(NonNull::new(unsafe { EC_POINT_new(group) }).ok_or(Failed)?);
    let (bytes, len, at) = (peer.as_ptr(), peer.len(), point.0.as_ptr());
    // SAFETY: the point is live; the pointer is to as many bytes as said.
    succeeded(unsafe { EC_POINT_oct2point(group, at, bytes, len, none) })?;
    let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
    // SAFETY: point and key are live; the pointer is to `len` writable bytes.
    let written = unsafe { ECDH_compute_key(out, len, at, it, None) };
    if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(Failed) }
}

struct Number(NonNull<BIGNUM>);

impl Number {
    fn new(bytes: &[u8]) -> Result<Self, Failed> {
        // SAFETY: the pointer is to as many bytes as said; null is for a new number.
        let number = unsafe { BN_bin2bn(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
        NonNull::new(number).map(Self).ok_or(Failed)
    }

    /// Returns the pointer, which from then on belongs to the caller.
    fn into_ptr(self) -> *mut BIGNUM {
        let number = self.0.as_ptr();
        std::mem::forget(self);
        number
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: the number is live, and nothing else refers to it.
        unsafe { BN_free(self.0.as_ptr()) };
    }
}

struct DhKey(NonNull<DH>);

impl Drop for DhKey {
    fn drop(&mut self) {
        // SAFETY: the key is live, and nothing else refers to it.
        unsafe { DH_free(self.0.as_ptr()) };
    }
}

fn finite_field(field: &DhParameters, peer: &[u8], secret: &mut [u8]) -> Result<(), Failed> {
    let len = field.prime().len();
    if [peer.len(), secret.len()] != [len; 2] {
        return Err(Failed);
    }
    // SAFETY: the call takes no pointer.
    let key = DhKey(NonNull::new(unsafe { DH_new() }).ok_or(Failed)?);
    let it = key.0.as_ptr();
    let p = Number::new(field.prime())?.into_ptr();
    let g = Number::new(field.generator())?.into_ptr();
    // SAFETY: key and numbers are live, and nothing else refers to the numbers, which are the key's
    // if this succeeds, and are left behind if it fails; null is for the order.
    succeeded(unsafe { DH_set0_pqg(it, p, ptr::null_mut(), g) })?;
    let bits = field.private_key_bits().try_into().map_err(|_| Failed)?;
    // SAFETY: the key is live.
    succeeded(unsafe { DH_set_length(it, bits) })?;
    // SAFETY: the key is live and has a group.
    succeeded(unsafe { DH_generate_key(it) })?;
    let mut public = vec![0; len];
    // SAFETY: the key is live.
    let number = unsafe { DH_get0_pub_key(it) };
    // SAFETY: the number is the key's; the pointer is to `len` writable bytes.
    succeeded(unsafe { BN_bn2bin_padded(public.as_mut_ptr(), len, number) })?;
    black_box(&public);
    let peer = Number::new(peer)?;
    let out = secret.as_mut_ptr();
    // SAFETY: key and number are live, and the pointer is to as many writable bytes as the prime
    // has, which is what AWS-LC writes.
    let written = unsafe { DH_compute_key_padded(out, peer.0.as_ptr(), it) };
    if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(Failed) }
}

struct PublicOrPrivate(NonNull<EVP_PKEY>);

impl PublicOrPrivate {
    fn new(key: *mut EVP_PKEY) -> Option<Self> {
        NonNull::new(key).map(Self)
    }
}

impl Drop for PublicOrPrivate {
    fn drop(&mut self) {
        // SAFETY: the key is live, and nothing else refers to it.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}

fn verify(scheme: Scheme, key: &[u8], digest: &[u8; 32], signature: &[u8]) -> Result<(), Failed> {
    let mut input = CBS { data: key.as_ptr(), len: key.len() };
    // SAFETY: the pointer is to a reader of `key`.
    let parsed = unsafe { EVP_parse_public_key(&raw mut input) };
    let key = PublicOrPrivate::new(parsed).ok_or(Failed)?;
    // SAFETY: the key is live. What is not RSA has no such key, and that is null.
    let rsa = unsafe { EVP_PKEY_get0_RSA(key.0.as_ptr()) };
    // SAFETY: the key is live. What is not on a curve has no such key, and that is null.
    let ec = unsafe { EVP_PKEY_get0_EC_KEY(key.0.as_ptr()) };
    let (data, len) = (digest.as_ptr(), digest.len());
    let (sealed, sealed_len) = (signature.as_ptr(), signature.len());
    // SAFETY: the call takes no pointer.
    let hash = unsafe { EVP_sha256() };
    let salt = RSA_PSS_SALTLEN_DIGEST;
    let is_other_kind = if scheme == Scheme::EcdsaP256 { ec.is_null() } else { rsa.is_null() };
    if is_other_kind {
        return Err(Failed);
    }
    succeeded(match scheme {
        // SAFETY: the key is live as long as `key`; the pointers are to as many bytes as said.
        Scheme::EcdsaP256 => unsafe { ECDSA_verify(0, data, len, sealed, sealed_len, ec) },
        // SAFETY: as above.
        Scheme::RsaPkcs1 => unsafe { RSA_verify(NID_sha256, data, len, sealed, sealed_len, rsa) },
        // SAFETY: as above; the digest method is a constant of the library.
        Scheme::RsaPss => unsafe {
            RSA_verify_pss_mgf1(rsa, data, len, hash, hash, salt, sealed, sealed_len)
        },
    })
}
