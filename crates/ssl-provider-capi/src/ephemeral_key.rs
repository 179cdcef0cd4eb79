//! Ephemeral keys: generated for one key agreement, in the groups that are listed here and others.

use std::ffi::c_char;

use ssl_provider::{
    Backend, CipherSuite, DhParameters, Error, FfdheGroup, Group, HybridGroup, KeyExchange,
    NamedCurve, Operation, ProtocolVersion, Provider,
};
use ssl_provider_keys::read_dh_parameters;

use crate::abi::{KeyHandle, NCRYPT_SSL_ECC_CURVE, ProviderHandle};
use crate::boundary::export;
use crate::check::no_flags;
use crate::failure::{Failure, ensure};
use crate::key_store::MAX_BLOB_LEN;
use crate::memory::Block;
use crate::object::Object;
use crate::own_key::OwnKey;
use crate::pointer::{Bytes, Out};
use crate::process::process;

export! {
    /// Generates a private key for one key agreement of a DHE or ECDHE suite or of TLS 1.3.
    /// `SslExportKey` returns its public half, for ServerKeyExchange, ClientKeyExchange or the
    /// extension key_share, and `SslGenerateMasterKey` or `SslExtractHandshakeKey` agrees with it,
    /// once: a key of Diffie-Hellman that is used again may be found through the leading zeros of
    /// its secrets (Raccoon).
    ///
    /// - ECDHE: `dwKeyType` is the number of a curve in TLS, 22 to 29: secp256k1, P-256 (23), P-384
    ///   (24), P-521 (25), three brainpool curves, X25519 (29); `dwKeyBitLen` is then ignored. With
    ///   a `dwKeyType` of 0, a `dwKeyBitLen` of 256, 384 or 521 is a NIST curve, and 255 is X25519.
    ///   `pbParams` is NULL.
    /// - DHE: `pbParams` is the group that the server chose, a `BCRYPT_DH_PARAMETER_HEADER` with
    ///   prime and generator behind it, of `cbParams` bytes in all; on a client too, of
    ///   ServerKeyExchange. `dwKeyType` is 0, and `dwKeyBitLen` is 0 or the length of the prime.
    /// - TLS 1.3, with any suite of it: a curve as for ECDHE, of 23, 24, 25 and 29; a finite field
    ///   of RFC 7919, whose number, 256 to 260, is `dwKeyType`, or as for DHE; or a hybrid group:
    ///   SecP256r1MLKEM768 (4587), X25519MLKEM768 (4588) or SecP384r1MLKEM1024 (4589). For a hybrid
    ///   group a client passes no `pbParams`, and a server the share of the client, in the form of
    ///   `SslImportKey` for TLS_HYBRID_KEYEXCHANGE: its key answers that share alone. That, and
    ///   hybrid groups as a whole, are an extension of this library, since Windows has published no
    ///   contract for them.
    ///
    /// Returns `NTE_INVALID_PARAMETER` for an unknown curve and for numbers that are no group, that
    /// is an odd prime of at most 8192 bits and 1 < g < p - 1; that the prime is one is not
    /// checked. Returns `NTE_BAD_DATA` where a generator of small order makes a public key of 1 or
    /// p - 1, which tells that the group is a hostile one, and for a share of a hybrid group that
    /// must be refused. Returns `NTE_PERM` for a prime that is shorter than what the policy asks of
    /// RSA, and `NTE_NOT_SUPPORTED` for another suite and for a group that the backend does not
    /// have.
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
        let provider = provider.provider();
        let exchange = exchange(provider, protocol, cipher_suite)?;
        ensure(parameters_len <= MAX_BLOB_LEN, "cbParams: more than 64 KiB")?;
        // SAFETY: the caller of the export promises that pbParams is readable for cbParams bytes.
        let given = unsafe { parameters.copy_optional(parameters_len, "pbParams is NULL") }?;
        let given = given.as_deref().map(Vec::as_slice);
        let hybrid = u16::try_from(key_type).ok().and_then(HybridGroup::from_wire);
        let key = match (exchange, hybrid, given) {
            (KeyExchange::Tls13, Some(group), Some(share)) => {
                provider.answer_ephemeral_key(&Group::from(group).public_key(share)?)
            }
            (KeyExchange::Tls13, Some(group), None) => provider.generate_ephemeral_key(group),
            _ => provider.generate_ephemeral_key(group(exchange, key_type, key_bits, given)?),
        }?;
        let key = OwnKey::new(key)?;
        place.write(process().handles.insert(Object::EphemeralKey(key.into()))?);
        Ok(())
    }
}

/// Returns the key exchange of a protocol and a suite, if it has ephemeral keys.
fn exchange(provider: &Provider, protocol: u32, suite: u32) -> Result<KeyExchange, Error> {
    let (version, suite) = (ProtocolVersion::try_from(protocol)?, CipherSuite(suite));
    let exchange = if version == ProtocolVersion::TLS1_3 {
        provider.tls13_parameters(suite)?.suite().key_exchange
    } else {
        provider.security_parameters(version, suite)?.suite().key_exchange
    };
    match exchange {
        KeyExchange::Tls13 => Ok(exchange),
        _ if exchange.is_ecdhe() || exchange.is_dhe() => Ok(exchange),
        _ => Err(Error::UnsupportedSuite { given: suite.0 }),
    }
}

/// The group of a key that is not of a hybrid one, for a key exchange.
fn group(
    exchange: KeyExchange,
    key_type: u32,
    key_bits: u32,
    given: Option<&[u8]>,
) -> Result<Group, Failure> {
    let number = u16::try_from(key_type).ok();
    let group = match (given, number.and_then(FfdheGroup::from_wire)) {
        (Some(_), _) if exchange.is_ecdhe() => {
            return Err(Error::InvalidParameter("pbParams: expected NULL").into());
        }
        (Some(numbers), _) => {
            ensure(key_type == 0, "dwKeyType: expected 0 for DHE, and NULL as pbParams else")?;
            let group = read_dh_parameters(numbers)?;
            let fits = key_bits == 0 || usize::try_from(key_bits) == Ok(group.bits());
            ensure(fits, "dwKeyBitLen: not that of the prime in pbParams")?;
            Group::from(group)
        }
        (None, _) if exchange.is_dhe() => {
            return Err(Error::InvalidParameter("pbParams is NULL").into());
        }
        (None, Some(named)) if exchange == KeyExchange::Tls13 => DhParameters::named(named).into(),
        (None, _) => curve(key_type, key_bits)?.into(),
    };
    let is_allowed = exchange != KeyExchange::Tls13 || group.is_of_tls13();
    ensure(is_allowed, "dwKeyType, pbParams: not a group of TLS 1.3")?;
    Ok(group)
}

export! {
    /// Lists the curves of ephemeral keys that the backend has, best first, in one array, which
    /// `SslFreeBuffer` frees. `dwPublicKeyLength` is in bits, `dwCurveType` is what
    /// `SslCreateEphemeralKey` takes as `dwKeyType`, `szOID` is empty for curve25519 (X25519), and
    /// `dwFlags` is 0. Behind all curves stand the hybrid groups of TLS 1.3, best first again, with
    /// a `dwCurveType` above 255, no `szOID`, and the length of a client's share: only TLS 1.3 has
    /// them, where they should be preferred. The groups of DHE are the server's choice, and not
    /// listed.
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
        let backend = provider.provider().backend();
        let curves = supported_curves(backend).into_iter().map(record);
        let records: Vec<_> = curves.chain(supported_hybrids(backend).map(hybrid_record)).collect();
        let number = u32::try_from(records.len()).map_err(|_| Error::NoMemory)?;
        let mut block = Block::new(records.len() * size_of::<NCRYPT_SSL_ECC_CURVE>())?;
        for (index, record) in records.into_iter().enumerate() {
            block.put_structure(index * size_of::<NCRYPT_SSL_ECC_CURVE>(), record)?;
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

/// Returns the hybrid groups that ephemeral keys of a backend can be in, best first.
fn supported_hybrids(backend: &Backend) -> impl Iterator<Item = HybridGroup> {
    HybridGroup::ALL.into_iter().filter(|group| {
        let needed = [Operation::Ecdh(group.curve()), Operation::Kem(group.kem())];
        needed.iter().all(|operation| backend.support(*operation).is_supported())
    })
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
    named_record(curve.cng_name(), curve.oid(), curve.bits(), curve.wire())
}

fn hybrid_record(group: HybridGroup) -> NCRYPT_SSL_ECC_CURVE {
    let bits = u32::try_from(8 * group.client_share_len()).unwrap_or(u32::MAX);
    named_record(group.cng_name(), None, bits, group.wire())
}

fn named_record(name: &str, oid: Option<&str>, bits: u32, number: u16) -> NCRYPT_SSL_ECC_CURVE {
    let mut record = NCRYPT_SSL_ECC_CURVE {
        szCurveName: [0; 255],
        szOID: [0; 255],
        dwPublicKeyLength: bits,
        dwCurveType: number.into(),
        dwFlags: 0,
    };
    for (place, unit) in record.szCurveName.iter_mut().zip(name.encode_utf16()) {
        *place = unit;
    }
    for (place, byte) in record.szOID.iter_mut().zip(oid.unwrap_or_default().bytes()) {
        *place = c_char::from_ne_bytes([byte]);
    }
    record
}
