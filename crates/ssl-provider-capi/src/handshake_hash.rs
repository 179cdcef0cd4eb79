//! Handshake hashes: creation, update, duplication, and the session hash.

use ssl_provider::tls13::Tls13Parameters;
use ssl_provider::{Error, HandshakeHash, KeySchedule};

use crate::abi::{HashHandle, NTE_NOT_SUPPORTED, ProviderHandle};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::cipher_suites::security_parameters;
use crate::failure::{Failure, ensure};
use crate::object::{HashUse, Object, RunningHash};
use crate::pointer::{Bytes, Out, OutBytes};
use crate::process::process;

export! {
    /// Starts a handshake hash for a protocol and a suite. In TLS 1.3, whose transcript hash it is,
    /// the hash of the suite is all that matters. Returns `NTE_INVALID_PARAMETER` for a protocol or
    /// suite that is unknown or disabled.
    fn SslCreateHandshakeHash is CreateHandshakeHashFn(
        provider: ProviderHandle,
        handshake_hash: Out<HashHandle>,
        protocol: u32,
        cipher_suite: u32,
        flags: u32,
    ) {
        handshake_hash.preset(0);
        let provider = process().handles.provider(provider)?;
        let place = handshake_hash.required("phHandshakeHash is NULL")?;
        no_flags(flags)?;
        let parameters = security_parameters(provider.provider(), protocol, cipher_suite)?;
        let hash = HandshakeHash::new(&parameters)?;
        let hash = RunningHash::new(parameters, HashUse::Handshake, hash);
        place.write(process().handles.insert(Object::HandshakeHash(hash.into()))?);
        Ok(())
    }
}

export! {
    /// Adds handshake messages to a hash: whole messages, each with its four-byte header, any
    /// number of them per call.
    fn SslHashHandshake is HashHandshakeFn(
        provider: ProviderHandle,
        handshake_hash: HashHandle,
        input: Bytes,
        input_len: u32,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let hash = process().handles.handshake_hash(handshake_hash, &provider)?;
        no_flags(flags)?;
        let mut hash = hash.hash()?;
        // SAFETY: the caller of the export promises that pbInput is readable for cbInput bytes.
        unsafe { input.copy_chunks(input_len, "pbInput is NULL", |chunk| hash.update(chunk)) }?;
        Ok(())
    }
}

export! {
    /// Returns the value of a hash of `SslCreateHandshakeHash`, 36 bytes before TLS 1.2 and 32 or
    /// 48 in TLS 1.2 and 1.3. After ClientKeyExchange it is the session hash of the extended master
    /// secret (RFC 7627), to be passed as `NCRYPTBUFFER_SSL_SESSION_HASH`. In TLS 1.3 it is the
    /// transcript hash, for CertificateVerify and for the message_hash that takes the place of the
    /// first ClientHello after HelloRetryRequest (RFC 8446, 4.4.1). More messages can be added
    /// afterwards. Returns `NTE_NOT_SUPPORTED` in SSL 3.0, and `NTE_INVALID_PARAMETER` for a hash
    /// of `SslCreateClientAuthHash`, whose value `SslComputeClientAuthHash` returns.
    fn SslComputeSessionHash is ComputeSessionHashFn(
        provider: ProviderHandle,
        handshake_hash: HashHandle,
        protocol: u32,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let hash = process().handles.handshake_hash(handshake_hash, &provider)?;
        let output = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let version = u32::from(hash.parameters.version().wire());
        ensure(protocol == version, "dwProtocol: not that of the hash")?;
        ensure(hash.hash_use == HashUse::Handshake, "hHandshakeHash: not a handshake hash")?;
        if hash.parameters.schedule() == KeySchedule::Ssl3 {
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "SSL 3.0 has no session hash"));
        }
        let value = hash.hash()?.current()?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(&value) }
    }
}

export! {
    /// Creates a second hash with the same messages.
    fn SslDuplicateTranscriptHash is DuplicateTranscriptHashFn(
        provider: ProviderHandle,
        transcript_hash: HashHandle,
        duplicate: Out<HashHandle>,
        flags: u32,
    ) {
        duplicate.preset(0);
        let provider = process().handles.provider(provider)?;
        let hash = process().handles.handshake_hash(transcript_hash, &provider)?;
        let place = duplicate.required("phTranscriptHash is NULL")?;
        no_flags(flags)?;
        let copy = hash.hash()?.duplicate();
        let copy = RunningHash::new(hash.parameters.clone(), hash.hash_use, copy);
        place.write(process().handles.insert(Object::HandshakeHash(copy.into()))?);
        Ok(())
    }
}

/// Returns a copy of a transcript hash of TLS 1.3, so that other callers of the hash do not wait.
///
/// # Errors
///
/// [`Error::InvalidParameter`] for a hash of another version, for one of `SslCreateClientAuthHash`,
/// and for one of another algorithm than that of the suite.
pub(crate) fn transcript(
    hash: &RunningHash,
    connection: &Tls13Parameters,
) -> Result<HandshakeHash, Error> {
    let is_alike = hash.hash_use == HashUse::Handshake
        && hash.parameters.schedule() == KeySchedule::Tls13(connection.hash());
    ensure(is_alike, "handshake hash: not one of TLS 1.3 with the hash of the suite")?;
    Ok(hash.hash()?.duplicate())
}
