//! Private keys inside RustCrypto's crates, which agree and sign.

use anyhow::{Context, Result, ensure};
use ssl_provider::backend::SignatureKey;
use ssl_provider::{
    Backend, DhParameters, FfdheGroup, NamedCurve, Operation, RsaPrivateKeyDer, SignatureScheme,
    SigningKeyDer,
};

use super::groups::element;
use crate::{ARENA, KEY, private_operation, valgrind};

/// Agrees and signs with each kind of key, the key marked.
///
/// # Errors
///
/// Names where the mark was not set or was lost.
pub(super) fn poison(library: &Backend) -> Result<usize> {
    // ECDSA comes last: after a hundred reports memcheck takes those for one that are in the same
    // two functions.
    Ok(curve_key(library)? + field_key(library)? + rsa_key(library)? + ecdsa_key(library)?)
}

#[inline(never)]
fn curve_key(library: &Backend) -> Result<usize> {
    let mut operations = 0;
    for curve in NamedCurve::ALL {
        if !library.support(Operation::EcdhLoad(curve)).is_supported() {
            continue;
        }
        let number = number(curve);
        valgrind::mark_undefined(&number);
        let key = library.key_agreement().load_ecdh(curve, &number)?;
        let peer = library.key_agreement().generate_ecdh(curve)?;
        let mut secret = vec![0; curve.coordinate_len()];
        key.agree(peer.public_key(), &mut secret)?;
        #[cfg(feature = "planted-leak")]
        super::planted_leak(&secret);
        // A coordinate of P-521 has one bit in its first byte, and X25519 none at the highest.
        let is_marked = valgrind::is_undefined_in_each_byte(&secret);
        ensure!(is_marked, "{}: the mark is lost before the secret", curve.name());
        operations += 1;
    }
    Ok(operations)
}

#[inline(never)]
fn field_key(library: &Backend) -> Result<usize> {
    let group = DhParameters::named(FfdheGroup::Ffdhe2048);
    let number: Vec<u8> = (0..28_u8).map(|at| at.wrapping_mul(73) ^ 0x5b).collect();
    valgrind::mark_undefined(&number);
    let key = library.key_agreement().load_dh(&group, &number)?;
    let peer = library.key_agreement().generate_dh(&group)?;
    let mut secret = vec![0; group.prime().len()];
    key.agree(peer.public_key(), &mut secret)?;
    #[cfg(feature = "planted-leak")]
    super::planted_leak(&secret);
    ensure!(valgrind::is_wholly_undefined(&secret), "the mark is lost before the secret");
    Ok(1)
}

/// A number in the range of the curve.
fn number(curve: NamedCurve) -> Vec<u8> {
    let len = curve.coordinate_len();
    let mut number: Vec<u8> = (1..=u8::MAX).cycle().step_by(37).skip(5).take(len).collect();
    // Below every order that has all of its bits; that of P-521 has one in its first byte.
    number[0] = if curve.bits() % 8 == 1 { 0 } else { 0x5a };
    number
}

#[inline(never)]
fn ecdsa_key(library: &Backend) -> Result<usize> {
    let mut operations = 0;
    for (curve, oid) in [
        (NamedCurve::Secp256r1, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7][..]),
        (NamedCurve::Secp384r1, &[0x2b, 0x81, 4, 0, 0x22]),
        (NamedCurve::Secp521r1, &[0x2b, 0x81, 4, 0, 0x23]),
    ] {
        let number = number(curve);
        let oid = element(6, oid);
        let content = [&[2, 1, 1][..], &element(4, &number), &element(0xa0, &oid)];
        let der = element(0x30, &content.concat());
        let at = der.windows(number.len()).position(|bytes| bytes == number);
        let at = at.context("the number is in the key")?;
        valgrind::mark_undefined(&der[at..at + number.len()]);
        let key = library.signatures().load(&SigningKeyDer::from_der(&der)?)?;
        let signature = sign(key.as_ref(), SignatureScheme::EcdsaSha256)?;
        #[cfg(feature = "planted-leak")]
        super::planted_leak(&signature);
        drop(signature);
        operations += 1;
    }
    Ok(operations)
}

/// The numbers of the loaded key are found in memory, as for decryption.
#[inline(never)]
fn rsa_key(library: &Backend) -> Result<usize> {
    let parsed = RsaPrivateKeyDer::from_der(KEY)?;
    let start = ARENA.end();
    let key = library.signatures().load(&SigningKeyDer::from_der(KEY)?)?;
    private_operation::mark_key(&parsed, start..ARENA.end())?;
    for scheme in [SignatureScheme::RsaSha256, SignatureScheme::RsaPssSha256] {
        let signature = sign(key.as_ref(), scheme)?;
        #[cfg(feature = "planted-leak")]
        super::planted_leak(&signature);
        drop(signature);
    }
    Ok(2)
}

/// Signs, and checks that the signature is marked.
fn sign(key: &dyn SignatureKey, scheme: SignatureScheme) -> Result<Vec<u8>> {
    let signature = key.sign(scheme, &[0x6d; 32])?;
    let is_marked = valgrind::is_undefined_in_part(&signature);
    ensure!(is_marked, "{scheme:?}: the mark is lost before the signature");
    Ok(signature)
}
