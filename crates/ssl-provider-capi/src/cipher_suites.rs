//! Cipher suites: enumeration, and look-up of their properties.
//! Enumeration lists what the provider supports; look-ups know every suite.

use std::cmp::Reverse;
use std::ffi::c_void;

use ssl_provider::{
    CipherAlgorithm, CipherMode, CipherSuite, CipherSuiteInfo, Error, HashAlgorithm, KeyExchange,
    MAX_MODULUS_LEN, MIN_MODULUS_BITS, NamedCurve, Operation, PrfAlgorithm, ProtocolVersion,
    Provider, SecurityParameters, SignatureAlgorithm, SignatureScheme,
};
use ssl_provider_keys::PublicKey;

use crate::abi::{
    BCRYPT_3DES_ALGORITHM, BCRYPT_AES_ALGORITHM, BCRYPT_CHACHA20_POLY1305_ALGORITHM,
    BCRYPT_CHAIN_MODE_CBC, BCRYPT_CHAIN_MODE_CCM, BCRYPT_CHAIN_MODE_GCM, BCRYPT_CHAIN_MODE_NA,
    BCRYPT_DES_ALGORITHM, BCRYPT_DH_ALGORITHM, BCRYPT_DSA_ALGORITHM, BCRYPT_ECDH_ALGORITHM,
    BCRYPT_MD5_ALGORITHM, BCRYPT_RC2_ALGORITHM, BCRYPT_RC4_ALGORITHM, BCRYPT_RSA_ALGORITHM,
    BCRYPT_SHA1_ALGORITHM, BCRYPT_SHA256_ALGORITHM, BCRYPT_SHA384_ALGORITHM, KeyHandle,
    MAX_NAME_LEN, NCRYPT_SSL_CIPHER_LENGTHS, NCRYPT_SSL_CIPHER_LENGTHS_BLOCK_PADDING,
    NCRYPT_SSL_CIPHER_SUITE, NCRYPT_SSL_CIPHER_SUITE_EX, NCRYPT_SSL_CIPHER_SUITE_EX_VERSION,
    NTE_NO_MORE_ITEMS, NTE_NOT_SUPPORTED, Name, ProviderHandle, SSL_ECDSA_ALGORITHM,
    TLS_PSK_EXCHANGE,
};
use crate::boundary::export;
use crate::check::no_flags;
use crate::ephemeral_key::supported_curves;
use crate::failure::{Failure, ensure};
use crate::memory::{Block, Enumeration};
use crate::object::OpenedKey;
use crate::pointer::{InOut, Out};
use crate::process::process;

export! {
    /// Returns one cipher suite of one protocol per call, best first, until `NTE_NO_MORE_ITEMS`.
    /// `*ppEnumState` is NULL in the first call. Only suites that the provider supports are listed.
    /// `hPrivateKey` is 0, or a key of a server that limits the list to the suites that it can be
    /// used with: RSA suites, and DHE_RSA and ECDHE_RSA if it signs, for an RSA key, ECDHE_ECDSA
    /// for an ECDSA key, those of TLS 1.3 for both if they sign, and none for an ECDH key. Free
    /// suites and state with `SslFreeBuffer`.
    fn SslEnumCipherSuites is EnumCipherSuitesFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        cipher_suite: Out<*mut NCRYPT_SSL_CIPHER_SUITE>,
        state: InOut<*mut c_void>,
        flags: u32,
    ) {
        next_suite("SslEnumCipherSuites", provider, private_key, cipher_suite, state, flags, record)
    }
}

export! {
    /// As [`SslEnumCipherSuites`], with the chaining mode of the cipher.
    fn SslEnumCipherSuitesEx is EnumCipherSuitesExFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        cipher_suite: Out<*mut NCRYPT_SSL_CIPHER_SUITE_EX>,
        state: InOut<*mut c_void>,
        flags: u32,
    ) {
        const ME: &str = "SslEnumCipherSuitesEx";
        next_suite(ME, provider, private_key, cipher_suite, state, flags, extended_record)
    }
}

export! {
    /// Returns the properties of a cipher suite in a protocol, whether or not the provider supports
    /// it. `dwKeyType` is 0, or for ECDHE suites the number of a curve in TLS, 22 to 29, such as 23
    /// (P-256). Returns `NTE_INVALID_PARAMETER` for an unknown combination.
    fn SslLookupCipherSuiteInfo is LookupCipherSuiteInfoFn(
        provider: ProviderHandle,
        protocol: u32,
        cipher_suite: u32,
        key_type: u32,
        info: Out<NCRYPT_SSL_CIPHER_SUITE>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let place = info.required("pCipherSuite is NULL")?;
        no_flags(flags)?;
        let (protocol, suite) = find(protocol, cipher_suite, key_type)?;
        place.write(NCRYPT_SSL_CIPHER_SUITE {
            dwKeyType: key_type,
            ..record(protocol, suite, provider.provider())
        });
        Ok(())
    }
}

export! {
    /// Returns what a record adds to its content, in bytes: the record header with an explicit IV
    /// or nonce, the MAC or tag, in TLS 1.3 with the byte of the content type that is encrypted,
    /// and the longest padding that is written. `dwKeyType` is as for [`SslLookupCipherSuiteInfo`].
    /// Returns `NTE_INVALID_PARAMETER` for an unknown combination or a `cbCipherLengths` below 20,
    /// and `NTE_NOT_SUPPORTED` for SSL 2.0.
    fn SslLookupCipherLengths is LookupCipherLengthsFn(
        provider: ProviderHandle,
        protocol: u32,
        cipher_suite: u32,
        key_type: u32,
        lengths: Out<NCRYPT_SSL_CIPHER_LENGTHS>,
        lengths_len: u32,
        flags: u32,
    ) {
        process().handles.provider(provider)?;
        let place = lengths.required("pCipherLengths is NULL")?;
        ensure(lengths_len >= LENGTHS_LEN, "cbCipherLengths: expected at least 20")?;
        no_flags(flags)?;
        let (protocol, suite) = find(protocol, cipher_suite, key_type)?;
        place.write(lengths_of(protocol, suite)?);
        Ok(())
    }
}

export! {
    /// Returns the hash of a suite's PRF, "SHA256" or "SHA384". `dwKeyType` is as for
    /// [`SslLookupCipherSuiteInfo`]. Returns `NTE_NOT_SUPPORTED` before TLS 1.2, where the PRF
    /// combines MD5 and SHA-1.
    fn SslGetCipherSuitePRFHashAlgorithm is CipherSuitePrfHashFn(
        provider: ProviderHandle,
        protocol: u32,
        cipher_suite: u32,
        key_type: u32,
        prf_hash: Out<Name>,
        flags: u32,
    ) {
        process().handles.provider(provider)?;
        let place = prf_hash.required("szPRFHash is NULL")?;
        no_flags(flags)?;
        let (protocol, suite) = find(protocol, cipher_suite, key_type)?;
        let hash = match protocol.as_tls() {
            ProtocolVersion::TLS1_2 | ProtocolVersion::TLS1_3 => match suite.prf {
                PrfAlgorithm::Sha256 => Some(BCRYPT_SHA256_ALGORITHM),
                PrfAlgorithm::Sha384 => Some(BCRYPT_SHA384_ALGORITHM),
                _ => None,
            },
            _ => None,
        };
        let hash = hash.ok_or(Failure::Status(NTE_NOT_SUPPORTED, "no PRF hash before TLS 1.2"))?;
        place.write(name(hash));
        Ok(())
    }
}

/// One step of an enumeration, the same for both kinds of record.
fn next_suite<T: Copy>(
    me: &'static str,
    provider: ProviderHandle,
    private_key: KeyHandle,
    cipher_suite: Out<*mut T>,
    state: InOut<*mut c_void>,
    flags: u32,
    make: fn(ProtocolVersion, &CipherSuiteInfo, &Provider) -> T,
) -> Result<(), Failure> {
    cipher_suite.preset(std::ptr::null_mut());
    let (handles, blocks) = (&process().handles, &process().blocks);
    let provider = handles.provider(provider)?;
    let key = match private_key {
        0 => None,
        key => Some(handles.private_key(key, &provider)?),
    };
    let place = cipher_suite.required("ppCipherSuite is NULL")?;
    let (state, state_place) =
        state.read().ok_or(Error::InvalidParameter("ppEnumState is NULL"))?;
    no_flags(flags)?;
    let suites = supported(provider.provider(), key.as_ref());
    // Everything is allocated before anything is returned or counted.
    let item = Block::new(size_of::<T>())?;
    let new_state = if state.is_null() { Some(Block::new(1)?) } else { None };
    let index =
        if state.is_null() { Some(0) } else { blocks.advance(state.addr(), me, suites.len())? };
    let Some((protocol, suite)) = index.and_then(|index| suites.get(index)) else {
        return Err(Failure::Status(NTE_NO_MORE_ITEMS, "no more cipher suites"));
    };
    let item = blocks.structure(item, make(*protocol, suite, provider.provider()))?;
    if let Some(block) = new_state {
        state_place.write(blocks.enumeration(block, Enumeration { of: me, next: 1 }));
    }
    place.write(item);
    Ok(())
}

/// Returns the suites whose key exchange and cipher the provider supports, best first, each with
/// its protocols; with a key of a server, those that it is for. SSL 3.0 is among them if the policy
/// allows it.
fn supported(
    provider: &Provider,
    key: Option<&OpenedKey>,
) -> Vec<(ProtocolVersion, &'static CipherSuiteInfo)> {
    let supports = |operation| provider.backend().support(operation).is_supported();
    // What is for import is for every key exchange, but for the RSA operation.
    let mut needed = Operation::all()
        .filter(|operation| operation.is_for_import() && *operation != Operation::RsaDecryptRaw);
    if !needed.all(supports) {
        return Vec::new();
    }
    let verifies = |algorithm: SignatureAlgorithm| {
        let mut schemes = SignatureScheme::ALL.into_iter();
        schemes.any(|scheme| scheme.algorithm() == algorithm && supports(Operation::Verify(scheme)))
    };
    let (rsa, ecdsa) =
        (verifies(SignatureAlgorithm::RsaPkcs1), verifies(SignatureAlgorithm::Ecdsa));
    let has_curves = !supported_curves(provider.backend()).is_empty();
    let is_supported = |exchange| match exchange {
        KeyExchange::Rsa | KeyExchange::RsaExport => supports(Operation::RsaDecryptRaw),
        KeyExchange::DheRsa => rsa && supports(Operation::Dh),
        KeyExchange::EcdheRsa => rsa && has_curves,
        KeyExchange::EcdheEcdsa => ecdsa && has_curves,
        KeyExchange::Psk => true,
        // With a key agreement or a pre-shared key; CertificateVerify of RSA is PSS.
        KeyExchange::Tls13 => has_curves && (ecdsa || verifies(SignatureAlgorithm::RsaPss)),
        _ => false,
    };
    let serves = |exchange| key.is_none_or(|key| is_for(key, exchange));
    let all = CipherSuiteInfo::all().iter();
    let mut suites: Vec<&CipherSuiteInfo> = all
        .filter(|suite| is_supported(suite.key_exchange) && serves(suite.key_exchange))
        .filter(|suite| provider.supports_records(suite.id))
        .collect();
    suites.sort_by_key(|suite| {
        let ((kind, exchange), cipher) = (exchange_rank(suite.key_exchange), rank(suite));
        // The kind of exchange counts before that of a good cipher, and after that of a bad one.
        let bad_cipher = if cipher < SHORT_BLOCKS { 0 } else { cipher };
        let order = (suite.key_exchange.is_export(), bad_cipher, kind, cipher, exchange);
        (order, Reverse(suite.cipher.bits), suite.id)
    });
    let protocols = ProtocolVersion::ALL.into_iter().filter(|protocol| {
        let switched_on = *protocol != ProtocolVersion::SSL3 || provider.policy().legacy_ssl3;
        let has_schedule = protocol.key_schedule(PrfAlgorithm::Sha256).is_some();
        has_schedule && switched_on || *protocol == ProtocolVersion::TLS1_3
    });
    let protocols: Vec<ProtocolVersion> = protocols.collect();
    suites
        .into_iter()
        .flat_map(|suite| protocols.iter().map(move |protocol| (*protocol, suite)))
        .filter(|(protocol, suite)| suite.allows(*protocol))
        .collect()
}

/// Returns whether a key of a server is for suites of a key exchange.
fn is_for(key: &OpenedKey, exchange: KeyExchange) -> bool {
    match (&*key.public, exchange) {
        (PublicKey::Rsa(_), KeyExchange::Rsa | KeyExchange::RsaExport) => key.decryption.is_ok(),
        (PublicKey::Rsa(_), KeyExchange::DheRsa | KeyExchange::EcdheRsa | KeyExchange::Tls13)
        | (PublicKey::Ec(_), KeyExchange::EcdheEcdsa | KeyExchange::Tls13) => key.signing.is_ok(),
        _ => false,
    }
}

/// Returns the rank of the kind of a key exchange, with forward secrecy, RSA, or a key that both
/// sides must have, and its rank among those of the kind.
fn exchange_rank(exchange: KeyExchange) -> (u8, u8) {
    match exchange {
        KeyExchange::Tls13 => (0, 0),
        KeyExchange::EcdheEcdsa => (0, 1),
        KeyExchange::EcdheRsa => (0, 2),
        KeyExchange::DheRsa => (0, 3),
        KeyExchange::Psk => (2, 0),
        _ => (1, 0),
    }
}

/// Returns the rank of a suite's cipher: AEAD, CBC with long blocks, CBC with short blocks
/// (Sweet32, RFC 7457 section 2.5), RC4 (RFC 7465), weak keys, no encryption.
fn rank(suite: &CipherSuiteInfo) -> u8 {
    match (suite.cipher.mode, suite.cipher.block_len(), suite.cipher.bits) {
        (_, _, 0) => 5,
        (_, _, 1..112) => 4,
        (CipherMode::Cbc, 16.., _) => 1,
        (CipherMode::Cbc, ..) => SHORT_BLOCKS,
        (CipherMode::Stream, ..) => 3,
        _ => 0,
    }
}

/// The rank from which on ciphers are bad.
const SHORT_BLOCKS: u8 = 2;

/// The protocol and the suite behind their numbers.
fn find(
    protocol: u32,
    suite: u32,
    key_type: u32,
) -> Result<(ProtocolVersion, &'static CipherSuiteInfo), Error> {
    let protocol = ProtocolVersion::try_from(protocol)
        .ok()
        .filter(|protocol| protocol.name().is_some())
        .ok_or(Error::InvalidParameter("dwProtocol: unknown"))?;
    let suite = CipherSuite(suite)
        .info()
        .filter(|suite| suite.allows(protocol))
        .ok_or(Error::InvalidParameter("dwCipherSuite: unknown or not of this protocol"))?;
    let is_curve = u16::try_from(key_type).is_ok_and(|key| NamedCurve::from_wire(key).is_some());
    let fits = key_type == 0 || suite.key_exchange.is_ecdhe() && is_curve;
    ensure(fits, "dwKeyType: expected 0, or a curve of an ECDHE suite")?;
    Ok((protocol, suite))
}

/// What a connection with this protocol and suite has agreed on.
///
/// # Errors
///
/// [`Error::InvalidParameter`] for a protocol or suite that is unknown or disabled.
pub(crate) fn security_parameters(
    provider: &Provider,
    protocol: u32,
    suite: u32,
) -> Result<SecurityParameters, Error> {
    let (version, suite) = find(protocol, suite, 0)?;
    let parameters = if version == ProtocolVersion::TLS1_3 {
        let connection = provider.tls13_parameters(suite.id);
        connection.map(|connection| connection.security_parameters().clone())
    } else {
        provider.security_parameters(version, suite.id)
    };
    parameters
        .map_err(|_| Error::InvalidParameter("dwProtocol: no key exchange here, or not enabled"))
}

fn record(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    provider: &Provider,
) -> NCRYPT_SSL_CIPHER_SUITE {
    let (hash, hash_bits) = match suite.mac {
        Some(HashAlgorithm::Md5) => (BCRYPT_MD5_ALGORITHM, 128),
        Some(HashAlgorithm::Sha1) => (BCRYPT_SHA1_ALGORITHM, 160),
        Some(HashAlgorithm::Sha256) => (BCRYPT_SHA256_ALGORITHM, 256),
        Some(HashAlgorithm::Sha384) => (BCRYPT_SHA384_ALGORITHM, 384),
        _ => ("", 0),
    };
    let (exchange, (shortest, longest)) = exchange(suite.key_exchange, provider);
    NCRYPT_SSL_CIPHER_SUITE {
        dwProtocol: protocol.wire().into(),
        dwCipherSuite: suite.id.0,
        dwBaseCipherSuite: suite.id.0,
        szCipherSuite: name(suite.name),
        szCipher: name(cipher(suite.cipher.algorithm)),
        dwCipherLen: suite.cipher.bits,
        dwCipherBlockLen: bytes(suite.cipher.block_len()),
        szHash: name(hash),
        dwHashLen: hash_bits,
        szExchange: name(exchange),
        dwMinExchangeLen: shortest,
        dwMaxExchangeLen: longest,
        szCertificate: name(certificate(suite.key_exchange)),
        dwKeyType: 0,
    }
}

fn extended_record(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    provider: &Provider,
) -> NCRYPT_SSL_CIPHER_SUITE_EX {
    NCRYPT_SSL_CIPHER_SUITE_EX {
        dwVersion: NCRYPT_SSL_CIPHER_SUITE_EX_VERSION,
        CipherSuite: record(protocol, suite, provider),
        szCipherMode: name(mode(suite.cipher.mode)),
    }
}

/// The exchange, and the shortest and longest keys of it in bits. For RSA and DHE these are what
/// this provider takes, for the others what Windows shows.
fn exchange(key_exchange: KeyExchange, provider: &Provider) -> (&'static str, (u32, u32)) {
    match key_exchange {
        KeyExchange::Rsa | KeyExchange::RsaExport => {
            let shortest = provider.policy().min_modulus_bits.max(MIN_MODULUS_BITS);
            (BCRYPT_RSA_ALGORITHM, (bytes(shortest), bytes(MAX_MODULUS_LEN * 8)))
        }
        KeyExchange::DheDss | KeyExchange::DheDssExport | KeyExchange::DheRsa => {
            let shortest = provider.policy().min_modulus_bits;
            (BCRYPT_DH_ALGORITHM, (bytes(shortest), bytes(MAX_MODULUS_LEN * 8)))
        }
        KeyExchange::EcdheEcdsa | KeyExchange::EcdheRsa => (BCRYPT_ECDH_ALGORITHM, (0, 65536)),
        KeyExchange::Psk => (TLS_PSK_EXCHANGE, (0, 65536)),
        _ => ("", (0, 0)),
    }
}

fn certificate(key_exchange: KeyExchange) -> &'static str {
    match key_exchange {
        KeyExchange::Rsa | KeyExchange::RsaExport | KeyExchange::DheRsa | KeyExchange::EcdheRsa => {
            BCRYPT_RSA_ALGORITHM
        }
        KeyExchange::DheDss | KeyExchange::DheDssExport => BCRYPT_DSA_ALGORITHM,
        KeyExchange::EcdheEcdsa => SSL_ECDSA_ALGORITHM,
        _ => "",
    }
}

fn cipher(algorithm: CipherAlgorithm) -> &'static str {
    match algorithm {
        CipherAlgorithm::Rc4 => BCRYPT_RC4_ALGORITHM,
        CipherAlgorithm::Rc2 => BCRYPT_RC2_ALGORITHM,
        CipherAlgorithm::Idea => "IDEA",
        CipherAlgorithm::Des => BCRYPT_DES_ALGORITHM,
        CipherAlgorithm::TripleDes => BCRYPT_3DES_ALGORITHM,
        CipherAlgorithm::Aes => BCRYPT_AES_ALGORITHM,
        CipherAlgorithm::Camellia => "CAMELLIA",
        CipherAlgorithm::Seed => "SEED",
        CipherAlgorithm::Aria => "ARIA",
        CipherAlgorithm::ChaCha20 => BCRYPT_CHACHA20_POLY1305_ALGORITHM,
        _ => "",
    }
}

fn mode(mode: CipherMode) -> &'static str {
    match mode {
        CipherMode::Cbc => BCRYPT_CHAIN_MODE_CBC,
        CipherMode::Gcm => BCRYPT_CHAIN_MODE_GCM,
        CipherMode::Ccm | CipherMode::Ccm8 => BCRYPT_CHAIN_MODE_CCM,
        _ => BCRYPT_CHAIN_MODE_NA,
    }
}

/// What a record adds (RFC 5246 section 6.2, RFC 5288, RFC 6655, RFC 8446 section 5.2, and eight
/// bytes of epoch and sequence number in DTLS, RFC 6347 section 4.1).
fn lengths_of(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
) -> Result<NCRYPT_SSL_CIPHER_LENGTHS, Failure> {
    // Its record headers have two or three bytes, which the fields cannot express.
    if protocol == ProtocolVersion::SSL2 {
        return Err(Failure::Status(NTE_NOT_SUPPORTED, "SSL 2.0: lengths not supported"));
    }
    let header = if protocol.is_dtls() { 13 } else { 5 };
    let block = bytes(suite.cipher.block_len());
    let is_tls13 = protocol == ProtocolVersion::TLS1_3;
    let (explicit, tag) = match suite.cipher.mode {
        CipherMode::Cbc if protocol.has_explicit_iv() => (block, 0),
        // The tag, and the true content type that is encrypted with the content.
        CipherMode::Gcm | CipherMode::Ccm if is_tls13 => (0, 17),
        CipherMode::Gcm | CipherMode::Ccm => (8, 16),
        CipherMode::Ccm8 if is_tls13 => (0, 9),
        CipherMode::Ccm8 => (8, 8),
        CipherMode::Poly1305 if is_tls13 => (0, 17),
        CipherMode::Poly1305 => (0, 16),
        _ => (0, 0),
    };
    let pads = suite.cipher.mode == CipherMode::Cbc;
    Ok(NCRYPT_SSL_CIPHER_LENGTHS {
        cbLength: LENGTHS_LEN,
        dwHeaderLen: header + explicit,
        dwFixedTrailerLen: suite.mac.map_or(tag, |hash| bytes(hash.output_len())),
        dwMaxVariableTrailerLen: if pads { block } else { 0 },
        dwFlags: if pads { NCRYPT_SSL_CIPHER_LENGTHS_BLOCK_PADDING } else { 0 },
    })
}

/// `sizeof(NCRYPT_SSL_CIPHER_LENGTHS)`.
const LENGTHS_LEN: u32 = 20;
const _: () = assert!(size_of::<NCRYPT_SSL_CIPHER_LENGTHS>() == 20);

/// A text in a fixed field. Every text here is shorter than the field; a test looks.
fn name(text: &str) -> Name {
    let mut field = [0; MAX_NAME_LEN];
    for (place, unit) in field[..MAX_NAME_LEN - 1].iter_mut().zip(text.encode_utf16()) {
        *place = unit;
    }
    field
}

/// A length of the tables, all of which are small.
fn bytes(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_fits_its_field() {
        for suite in CipherSuiteInfo::all() {
            assert!(suite.name.len() < MAX_NAME_LEN, "{}", suite.name);
        }
    }

    #[test]
    fn only_what_has_no_name_is_named_by_nothing() {
        let provider = Provider::open(ssl_provider_testkit::fake::Fake::new().share());
        for suite in CipherSuiteInfo::all() {
            let cipher_name = cipher(suite.cipher.algorithm);
            let has_cipher = suite.cipher.algorithm != CipherAlgorithm::Null;
            assert_eq!(!cipher_name.is_empty(), has_cipher, "{}", suite.name);
            let has_mode = !matches!(suite.cipher.mode, CipherMode::Stream | CipherMode::Poly1305);
            assert_eq!(mode(suite.cipher.mode) != BCRYPT_CHAIN_MODE_NA, has_mode, "{}", suite.name);
            let (exchange, _) = exchange(suite.key_exchange, &provider);
            let has_exchange = suite.key_exchange != KeyExchange::Tls13;
            assert_eq!(!exchange.is_empty(), has_exchange, "{}", suite.name);
            let record = record(ProtocolVersion::TLS1_2, suite, &provider);
            assert_eq!(record.dwHashLen != 0, suite.mac.is_some(), "{}", suite.name);
        }
    }

    #[test]
    fn lengths_are_those_of_the_record_formats() {
        use CipherSuite as Suite;
        use ProtocolVersion as Version;
        for (version, suite, expected) in [
            (Version::TLS1_0, Suite::TLS_RSA_WITH_AES_128_CBC_SHA, (5, 20, 16)),
            (Version::TLS1_1, Suite::TLS_RSA_WITH_AES_128_CBC_SHA, (21, 20, 16)),
            (Version::TLS1_2, Suite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, (13, 20, 8)),
            (Version::TLS1_2, Suite::TLS_RSA_WITH_RC4_128_SHA, (5, 20, 0)),
            (Version::TLS1_2, Suite::TLS_RSA_WITH_AES_128_GCM_SHA256, (13, 16, 0)),
            (Version::TLS1_2, Suite::TLS_RSA_WITH_AES_128_CCM_8, (13, 8, 0)),
            (Version::TLS1_3, Suite::TLS_AES_128_GCM_SHA256, (5, 17, 0)),
            (Version::TLS1_3, Suite(0x1305), (5, 9, 0)),
            (Version::DTLS1_2, Suite::TLS_RSA_WITH_AES_128_GCM_SHA256, (21, 16, 0)),
            (Version::TLS1_2, Suite::TLS_RSA_WITH_NULL_SHA256, (5, 32, 0)),
        ] {
            let of = lengths_of(version, suite.info().unwrap()).unwrap();
            let lengths = (of.dwHeaderLen, of.dwFixedTrailerLen, of.dwMaxVariableTrailerLen);
            assert_eq!(lengths, expected, "{version}, {suite}");
        }
    }
}
