//! Ephemeral keys of (EC)DHE: generated for one key agreement, on the curves that are listed here.

use std::ffi::c_char;

use ssl_provider::{Backend, CipherSuite, Error, Group, NamedCurve, Operation, ProtocolVersion};
use ssl_provider_keys::read_dh_parameters;

use crate::abi::{KeyHandle, NCRYPT_SSL_ECC_CURVE, ProviderHandle};
use crate::boundary::export;
use crate::check::no_flags;
use crate::failure::ensure;
use crate::key_store::MAX_BLOB_LEN;
use crate::memory::Block;
use crate::object::Object;
use crate::own_key::OwnKey;
use crate::pointer::{Bytes, Out};
use crate::process::process;

export! {
    /// Generates a private key for one key agreement of a DHE or ECDHE suite. `SslExportKey`
    /// returns its public half, for ServerKeyExchange or ClientKeyExchange, and
    /// `SslGenerateMasterKey` agrees with it, once: a key of Diffie-Hellman that is used again may
    /// be found through the leading zeros of its secrets (Raccoon).
    ///
    /// - ECDHE: `dwKeyType` is the number of a curve in TLS, 22 to 29: secp256k1, P-256 (23), P-384
    ///   (24), P-521 (25), three brainpool curves, X25519 (29); `dwKeyBitLen` is then ignored. With
    ///   a `dwKeyType` of 0, a `dwKeyBitLen` of 256, 384 or 521 is a NIST curve, and 255 is X25519.
    ///   `pbParams` is NULL.
    /// - DHE: `pbParams` is the group that the server chose, a `BCRYPT_DH_PARAMETER_HEADER` with
    ///   prime and generator behind it, of `cbParams` bytes in all; on a client too, of
    ///   ServerKeyExchange. `dwKeyType` is 0, and `dwKeyBitLen` is 0 or the length of the prime.
    ///
    /// Returns `NTE_INVALID_PARAMETER` for an unknown curve and for numbers that are no group, that
    /// is an odd prime of at most 8192 bits and 1 < g < p - 1; that the prime is one is not
    /// checked. Returns `NTE_BAD_DATA` where a generator of small order makes a public key of 1 or
    /// p - 1, which tells that the group is a hostile one. Returns `NTE_PERM` for a prime that is
    /// shorter than what the policy asks of RSA, and `NTE_NOT_SUPPORTED` for another suite and for
    /// a group that the backend does not have.
    fn SslCreateEphemeralKey is CreateEphemeralKeyFn(
        provider: ProviderHandle,
        key: Out<KeyHandle>,
        protocol: u32,
        cipher_suite: u32,
        key_type: u32,
        key_bits: u32,
        parameters: Bytes,
        parameters_len: u32,
        flags: u32,
    ) {
        key.preset(0);
        let provider = process().handles.provider(provider)?;
        let place = key.required("phEphemeralKey is NULL")?;
        no_flags(flags)?;
        let (version, suite) = (ProtocolVersion::try_from(protocol)?, CipherSuite(cipher_suite));
        let connection = provider.provider().security_parameters(version, suite)?;
        let exchange = connection.suite().key_exchange;
        let group = if exchange.is_ecdhe() {
            ensure(parameters.is_null() && parameters_len == 0, "pbParams: expected NULL")?;
            curve(key_type, key_bits)?.into()
        } else if exchange.is_dhe() {
            ensure(key_type == 0, "dwKeyType: expected 0 for DHE")?;
            ensure(parameters_len <= MAX_BLOB_LEN, "cbParams: more than 64 KiB")?;
            // SAFETY: the caller of the export promises that pbParams is readable for cbParams
            // bytes.
            let bytes = unsafe { parameters.copy(parameters_len, "pbParams is NULL") }?;
            let group = read_dh_parameters(&bytes)?;
            let fits = key_bits == 0 || usize::try_from(key_bits) == Ok(group.bits());
            ensure(fits, "dwKeyBitLen: not that of the prime in pbParams")?;
            Group::from(group)
        } else {
            return Err(Error::UnsupportedSuite { given: suite.0 }.into());
        };
        let key = OwnKey::new(provider.provider().generate_ephemeral_key(group)?)?;
        place.write(process().handles.insert(Object::EphemeralKey(key.into()))?);
        Ok(())
    }
}

export! {
    /// Lists the curves of ephemeral keys that the backend has, best first, in one array, which
    /// `SslFreeBuffer` frees. `dwPublicKeyLength` is in bits, `dwCurveType` is what
    /// `SslCreateEphemeralKey` takes as `dwKeyType`, `szOID` is empty for curve25519 (X25519), and
    /// `dwFlags` is 0. The groups of DHE are the server's choice, and not listed.
    fn SslEnumEccCurves is EnumEccCurvesFn(
        provider: ProviderHandle,
        count: Out<u32>,
        curves: Out<*mut NCRYPT_SSL_ECC_CURVE>,
        flags: u32,
    ) {
        curves.preset(std::ptr::null_mut());
        let provider = process().handles.provider(provider)?;
        let count_place = count.required("pEccCurveCount is NULL")?;
        let curves_place = curves.required("ppEccCurve is NULL")?;
        no_flags(flags)?;
        let supported = supported_curves(provider.provider().backend());
        let number = u32::try_from(supported.len()).map_err(|_| Error::NoMemory)?;
        let mut block = Block::new(supported.len() * size_of::<NCRYPT_SSL_ECC_CURVE>())?;
        for (index, curve) in supported.into_iter().enumerate() {
            block.put_structure(index * size_of::<NCRYPT_SSL_ECC_CURVE>(), record(curve))?;
        }
        curves_place.write(process().blocks.publish(block).cast());
        count_place.write(number);
        Ok(())
    }
}

/// Returns the curves that ephemeral keys of a backend can be on, best first.
pub(crate) fn supported_curves(backend: &Backend) -> Vec<NamedCurve> {
    let curves = NamedCurve::ALL.into_iter();
    curves.filter(|curve| backend.support(Operation::Ecdh(*curve)).is_supported()).collect()
}

/// The curve of a key type, or of a length in bits.
fn curve(key_type: u32, key_bits: u32) -> Result<NamedCurve, Error> {
    let curve = match (key_type, key_bits) {
        (0, 255) => Some(NamedCurve::X25519),
        (0, 256) => Some(NamedCurve::Secp256r1),
        (0, 384) => Some(NamedCurve::Secp384r1),
        (0, 521) => Some(NamedCurve::Secp521r1),
        _ => u16::try_from(key_type).ok().and_then(NamedCurve::from_wire),
    };
    curve.ok_or(Error::InvalidParameter("dwKeyType: expected a curve, 22 to 29, or dwKeyBitLen"))
}

fn record(curve: NamedCurve) -> NCRYPT_SSL_ECC_CURVE {
    let mut record = NCRYPT_SSL_ECC_CURVE {
        szCurveName: [0; 255],
        szOID: [0; 255],
        dwPublicKeyLength: curve.bits(),
        dwCurveType: curve.wire().into(),
        dwFlags: 0,
    };
    for (place, unit) in record.szCurveName.iter_mut().zip(curve.cng_name().encode_utf16()) {
        *place = unit;
    }
    for (place, byte) in record.szOID.iter_mut().zip(curve.oid().unwrap_or_default().bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    record
}
