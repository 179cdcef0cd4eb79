//! Key agreement and signing by the libraries alone, as a program without our layers would call
//! them. Each does what ours does: a new key with its public key as bytes, and the secret with a
//! public key that comes as bytes; a signature in the form in which TLS carries it.

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EC_GROUP, EC_KEY, EC_KEY_free, EC_KEY_generate_key, EC_KEY_get0_public_key, EC_KEY_new,
    EC_KEY_parse_private_key, EC_KEY_set_group, EC_POINT_free, EC_POINT_new, EC_POINT_oct2point,
    EC_POINT_point2oct, EC_group_p256, EC_group_p384, ECDH_compute_key, ECDSA_sign, EVP_sha256,
    NID_sha256, RSA_PSS_SALTLEN_DIGEST, RSA_sign, RSA_sign_pss_mgf1, X25519, X25519_keypair,
};
use getrandom::SysRng;
use openssl::bn::BigNumContext;
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::md::Md;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner;
use p256::elliptic_curve::sec1::ToSec1Point;
use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral,
};
use ring::rand::SystemRandom;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::pss::Pss;
use sha2::Sha256;
use ssl_provider::NamedCurve;

use crate::library::AwsLcKey;

/// A new key, and the secret with a public key: the peer's bytes in, the secret out.
pub type Agreement = Box<dyn FnMut(&[u8], &mut [u8])>;

/// A signature over a digest of SHA-256; its length.
pub type Signer = Box<dyn FnMut(&[u8], &mut [u8]) -> usize>;

/// What signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RSA with PKCS#1 v1.5.
    RsaPkcs1,
    /// RSA-PSS with a salt as long as the digest.
    RsaPss,
    /// ECDSA on P-256.
    Ecdsa,
}

/// Key agreement of the library behind a backend; none for a curve that is not measured.
///
/// # Panics
///
/// Panics for an unknown backend, and when the library fails.
pub fn agreement(backend: &str, curve: NamedCurve) -> Option<Agreement> {
    match (backend, curve) {
        ("aws-lc", NamedCurve::X25519) => Some(Box::new(aws_lc_x25519)),
        ("aws-lc", _) => {
            let group = aws_lc_group(curve)?;
            Some(Box::new(move |peer, secret| aws_lc_on_curve(group, peer, secret)))
        }
        ("openssl", NamedCurve::X25519) => Some(Box::new(openssl_x25519)),
        ("openssl", _) => {
            let nid = match curve {
                NamedCurve::Secp256r1 => Nid::X9_62_PRIME256V1,
                NamedCurve::Secp384r1 => Nid::SECP384R1,
                _ => return None,
            };
            let group = EcGroup::from_curve_name(nid).expect("OpenSSL has the curve");
            Some(Box::new(move |peer, secret| openssl_on_curve(&group, peer, secret)))
        }
        ("rustcrypto", NamedCurve::X25519) => Some(Box::new(rustcrypto_x25519)),
        ("rustcrypto", NamedCurve::Secp256r1) => Some(Box::new(rustcrypto_on_curve!(p256))),
        ("rustcrypto", NamedCurve::Secp384r1) => Some(Box::new(rustcrypto_on_curve!(p384))),
        ("ring", _) => {
            let algorithm = match curve {
                NamedCurve::X25519 => &ring::agreement::X25519,
                NamedCurve::Secp256r1 => &ECDH_P256,
                NamedCurve::Secp384r1 => &ECDH_P384,
                _ => return None,
            };
            Some(Box::new(move |peer, secret| ring_agreement(algorithm, peer, secret)))
        }
        _ => None,
    }
}

fn aws_lc_x25519(peer: &[u8], secret: &mut [u8]) {
    let (mut private, mut public) = ([0; 32], [0; 32]);
    assert_eq!([peer.len(), secret.len()], [32; 2]);
    // SAFETY: the pointers are to 32 writable bytes each.
    unsafe { X25519_keypair(public.as_mut_ptr(), private.as_mut_ptr()) };
    black_box(&public);
    // SAFETY: the pointers are to 32 bytes each, of which the first may be written.
    let answer = unsafe { X25519(secret.as_mut_ptr(), private.as_ptr(), peer.as_ptr()) };
    assert_eq!(answer, 1, "AWS-LC refuses the public key");
}

fn aws_lc_group(curve: NamedCurve) -> Option<*const EC_GROUP> {
    match curve {
        // SAFETY: the call takes no pointer.
        NamedCurve::Secp256r1 => Some(unsafe { EC_group_p256() }),
        // SAFETY: as above.
        NamedCurve::Secp384r1 => Some(unsafe { EC_group_p384() }),
        _ => None,
    }
}

struct AwsLcEcKey(NonNull<EC_KEY>);

impl AwsLcEcKey {
    fn as_ptr(&self) -> *mut EC_KEY {
        self.0.as_ptr()
    }
}

impl Drop for AwsLcEcKey {
    fn drop(&mut self) {
        // SAFETY: the key is live, and nothing else refers to it.
        unsafe { EC_KEY_free(self.0.as_ptr()) };
    }
}

fn aws_lc_on_curve(group: *const EC_GROUP, peer: &[u8], secret: &mut [u8]) {
    use aws_lc_sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;

    // SAFETY: the call takes no pointer.
    let key = AwsLcEcKey(NonNull::new(unsafe { EC_KEY_new() }).expect("AWS-LC has memory"));
    let it = key.as_ptr();
    // SAFETY: the key is live, and the curve a constant of the library.
    assert_eq!(unsafe { EC_KEY_set_group(it, group) }, 1);
    // SAFETY: the key is live and has a curve.
    assert_eq!(unsafe { EC_KEY_generate_key(it) }, 1);
    let mut public = [0; 97];
    // SAFETY: the key is live.
    let own = unsafe { EC_KEY_get0_public_key(it) };
    let (out, room, none) = (public.as_mut_ptr(), peer.len(), ptr::null_mut());
    assert!(room <= public.len());
    let form = POINT_CONVERSION_UNCOMPRESSED;
    // SAFETY: the point is the key's; the pointer is to as many writable bytes as said.
    let written = unsafe { EC_POINT_point2oct(group, own, form, out, room, none) };
    assert_eq!(written, peer.len());
    black_box(&public);
    // SAFETY: the curve is a constant of the library.
    let point = unsafe { EC_POINT_new(group) };
    // SAFETY: the point is live or null, which AWS-LC refuses; the pointer is to as many bytes as
    // said.
    let answer = unsafe { EC_POINT_oct2point(group, point, peer.as_ptr(), peer.len(), none) };
    assert_eq!(answer, 1, "AWS-LC refuses the public key");
    let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
    // SAFETY: point and key are live; the pointer is to `len` writable bytes.
    let written = unsafe { ECDH_compute_key(out, len, point, it, None) };
    assert_eq!(usize::try_from(written), Ok(len));
    // SAFETY: the point is live, and nothing else refers to it.
    unsafe { EC_POINT_free(point) };
}

fn openssl_x25519(peer: &[u8], secret: &mut [u8]) {
    let key = PKey::generate_x25519().expect("OpenSSL has X25519");
    black_box(key.raw_public_key().expect("a public key"));
    let peer = PKey::public_key_from_raw_bytes(peer, Id::X25519).expect("32 bytes");
    let mut deriver = Deriver::new(&key).expect("OpenSSL has X25519");
    deriver.set_peer_ex(&peer, false).expect("a key of the same curve");
    assert_eq!(deriver.derive(secret).ok(), Some(secret.len()));
}

fn openssl_on_curve(group: &EcGroup, peer: &[u8], secret: &mut [u8]) {
    use foreign_types::ForeignType;

    let key = EcKey::generate(group).expect("OpenSSL has the curve");
    let mut context = BigNumContext::new().expect("OpenSSL has memory");
    let form = PointConversionForm::UNCOMPRESSED;
    black_box(key.public_key().to_bytes(group, form, &mut context).expect("a point"));
    let mut context = BigNumContext::new().expect("OpenSSL has memory");
    let peer = EcPoint::from_bytes(group, peer, &mut context).expect("a point");
    let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
    let (peer, key) = (peer.as_ptr().cast_const(), key.as_ptr().cast_const());
    // SAFETY: point and key are live; the pointer is to `len` writable bytes.
    let written = unsafe { openssl_ecdh(out, len, peer, key, None) };
    assert_eq!(usize::try_from(written), Ok(len));
}

// What `openssl-sys` leaves out of `openssl/ec.h`.
unsafe extern "C" {
    #[link_name = "ECDH_compute_key"]
    fn openssl_ecdh(
        out: *mut c_void,
        len: usize,
        peer: *const openssl_sys::EC_POINT,
        key: *const openssl_sys::EC_KEY,
        kdf: Option<unsafe extern "C" fn()>,
    ) -> c_int;
}

fn rustcrypto_x25519(peer: &[u8], secret: &mut [u8]) {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let private = x25519_dalek::StaticSecret::from(bytes);
    black_box(x25519_dalek::PublicKey::from(&private));
    let peer: [u8; 32] = peer.try_into().expect("32 bytes");
    secret.copy_from_slice(private.diffie_hellman(&peer.into()).as_bytes());
}

/// Key agreement by the crate of a curve; each has types of its own.
macro_rules! rustcrypto_on_curve {
    ($curve:ident) => {
        |peer: &[u8], secret: &mut [u8]| {
            use $curve::elliptic_curve::Generate;

            let private =
                $curve::SecretKey::try_generate_from_rng(&mut SysRng).expect("random numbers");
            black_box(private.public_key().to_sec1_point(false));
            let peer = $curve::PublicKey::from_sec1_bytes(peer).expect("a point");
            secret.copy_from_slice(private.diffie_hellman(&peer).raw_secret_bytes());
        }
    };
}
use rustcrypto_on_curve;

fn ring_agreement(algorithm: &'static Algorithm, peer: &[u8], secret: &mut [u8]) {
    let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new());
    let private = private.expect("random numbers");
    black_box(private.compute_public_key().expect("a public key"));
    let peer = UnparsedPublicKey::new(algorithm, peer);
    agree_ephemeral(private, &peer, |shared| secret.copy_from_slice(shared)).expect("a public key");
}

/// Signing by the library that signs behind a backend, with a key of RSA in PKCS#1 or one on P-256
/// in PKCS#8.
///
/// # Panics
///
/// Panics for an unknown backend, and when the library fails.
pub fn signer(backend: &str, scheme: Scheme, der: &[u8]) -> Signer {
    match (backend, scheme) {
        ("aws-lc", Scheme::Ecdsa) => {
            let key = aws_lc_ec_key(der);
            Box::new(move |digest, out| {
                let mut len = 0;
                let (data, room) = (digest.as_ptr(), digest.len());
                // SAFETY: the key is live; the pointers are to `room` readable bytes, to more
                // writable ones than a signature on P-256 has, and to a length.
                let answer = unsafe {
                    ECDSA_sign(0, data, room, out.as_mut_ptr(), &raw mut len, key.as_ptr())
                };
                assert_eq!(answer, 1, "AWS-LC does not sign");
                len as usize
            })
        }
        ("aws-lc", _) => {
            let key = AwsLcKey::load(der).expect("AWS-LC takes the keys of the benchmark");
            Box::new(move |digest, out| aws_lc_rsa(&key, scheme, digest, out))
        }
        ("openssl", Scheme::Ecdsa) => {
            let key = PKey::private_key_from_der(der).and_then(|key| key.ec_key());
            let key = key.expect("OpenSSL takes the key");
            Box::new(move |digest, out| openssl_ecdsa(&key, digest, out))
        }
        ("openssl", _) => {
            let key = PKey::private_key_from_der(der).expect("OpenSSL takes the key");
            Box::new(move |digest, out| openssl_rsa(&key, scheme, digest, out))
        }
        // ring signs nothing here: its backend takes RustCrypto for that.
        ("rustcrypto" | "ring", Scheme::Ecdsa) => {
            let key =
                p256::ecdsa::SigningKey::from_pkcs8_der(der).expect("the crate takes the key");
            Box::new(move |digest, out| {
                let signed: Result<p256::ecdsa::DerSignature, _> =
                    key.sign_prehash_with_rng(&mut SysRng, digest);
                write(signed.expect("random numbers").as_bytes(), out)
            })
        }
        ("rustcrypto" | "ring", _) => {
            let key = rsa_key(der);
            Box::new(move |digest, out| {
                let signed = match scheme {
                    Scheme::RsaPss => key.sign_with_rng(&mut SysRng, Pss::<Sha256>::new(), digest),
                    _ => key.sign_with_rng(&mut SysRng, Pkcs1v15Sign::new::<Sha256>(), digest),
                };
                write(&signed.expect("the crate signs"), out)
            })
        }
        (other, _) => panic!("no library is known for {other}"),
    }
}

fn write(signature: &[u8], out: &mut [u8]) -> usize {
    out[..signature.len()].copy_from_slice(signature);
    signature.len()
}

fn rsa_key(der: &[u8]) -> rsa::PrivateKey {
    // The crate reads PKCS#1 with a feature that nothing else here needs.
    let pkcs8 = PKey::private_key_from_der(der).and_then(|key| key.private_key_to_pkcs8());
    rsa::PrivateKey::from_pkcs8_der(&pkcs8.expect("OpenSSL takes the key"))
        .expect("the crate takes the key")
}

fn aws_lc_ec_key(pkcs8: &[u8]) -> AwsLcEcKey {
    let key = PKey::private_key_from_der(pkcs8).and_then(|key| key.ec_key());
    let sec1 = key.and_then(|key| key.private_key_to_der()).expect("OpenSSL takes the key");
    let mut input = aws_lc_sys::CBS { data: sec1.as_ptr(), len: sec1.len() };
    // SAFETY: the pointer is to a reader of `sec1`, and null is for a curve that the key names.
    let key = unsafe { EC_KEY_parse_private_key(&raw mut input, ptr::null()) };
    AwsLcEcKey(NonNull::new(key).expect("AWS-LC takes the key"))
}

fn aws_lc_rsa(key: &AwsLcKey, scheme: Scheme, digest: &[u8], out: &mut [u8]) -> usize {
    let (data, len, to, room) = (digest.as_ptr(), digest.len(), out.as_mut_ptr(), out.len());
    if scheme == Scheme::RsaPkcs1 {
        let mut written = 0;
        // SAFETY: the key is live; the pointers are to `len` readable bytes, to as many writable
        // ones as the modulus has, and to a length.
        let answer = unsafe { RSA_sign(NID_sha256, data, len, to, &raw mut written, key.as_ptr()) };
        assert_eq!(answer, 1, "AWS-LC does not sign");
        return written as usize;
    }
    let (mut written, salt) = (0, RSA_PSS_SALTLEN_DIGEST);
    // SAFETY: the call takes no pointer.
    let hash = unsafe { EVP_sha256() };
    let it = key.as_ptr();
    // SAFETY: as above, and the method is a constant of the library.
    let answer =
        unsafe { RSA_sign_pss_mgf1(it, &raw mut written, to, room, data, len, hash, hash, salt) };
    assert_eq!(answer, 1, "AWS-LC does not sign");
    written
}

/// `EVP_PKEY_sign` with the padding, as a program calls it for each signature.
fn openssl_rsa(key: &PKey<Private>, scheme: Scheme, digest: &[u8], out: &mut [u8]) -> usize {
    let mut sign = || {
        let mut context = PkeyCtx::new(key)?;
        context.sign_init()?;
        context.set_signature_md(Md::sha256())?;
        if scheme == Scheme::RsaPss {
            context.set_rsa_padding(Padding::PKCS1_PSS)?;
            context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        context.sign(digest, Some(out))
    };
    let signed: Result<usize, openssl::error::ErrorStack> = sign();
    signed.expect("OpenSSL signs")
}

fn openssl_ecdsa(key: &EcKey<Private>, digest: &[u8], out: &mut [u8]) -> usize {
    let signature = openssl::ecdsa::EcdsaSig::sign(digest, key).expect("OpenSSL signs");
    write(&signature.to_der().expect("OpenSSL writes the signature"), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssl_provider::{Provider, SignatureScheme};

    use crate::exchange::{KEYS, ec_key};

    #[test]
    fn every_library_agrees_and_signs_as_its_backend_does() {
        let (rsa, ec) = (KEYS[0].der, &ec_key()[..]);
        for backend in ssl_provider::backends() {
            let name = backend.info().name;
            for curve in crate::exchange::CURVES {
                let mut library = agreement(name, curve).unwrap();
                let key = backend.key_agreement().generate_ecdh(curve).unwrap();
                let mut secret = vec![0; curve.coordinate_len()];
                library(key.public_key(), &mut secret);
                assert_ne!(secret, vec![0; secret.len()], "{name}, {}", curve.name());
            }
            let provider = Provider::open(&backend);
            for (scheme, ours, der) in [
                (Scheme::RsaPkcs1, SignatureScheme::RsaSha256, rsa),
                (Scheme::RsaPss, SignatureScheme::RsaPssSha256, rsa),
                (Scheme::Ecdsa, SignatureScheme::EcdsaSha256, ec),
            ] {
                let key = PKey::private_key_from_der(der).unwrap();
                let public = key.public_key_to_der().unwrap();
                let mut out = [0; 256];
                let len = signer(name, scheme, der)(&[7; 32], &mut out);
                let verified = provider.verify_signature(&public, ours, &[7; 32], &out[..len]);
                assert_eq!(verified, Ok(()), "{name}, {scheme:?}");
                let other = provider.verify_signature(&public, ours, &[8; 32], &out[..len]);
                assert!(other.is_err(), "{name}, {scheme:?}");
            }
        }
    }
}
