//! CertificateVerify: the hashes that clients sign.

use ssl_provider::{ClientKey, Error, HashAlgorithm};

use crate::abi::{
    BCRYPT_DSA_ALGORITHM, BCRYPT_ECDSA_ALGORITHM, BCRYPT_ECDSA_P256_ALGORITHM,
    BCRYPT_ECDSA_P384_ALGORITHM, BCRYPT_ECDSA_P521_ALGORITHM, BCRYPT_RSA_ALGORITHM,
    BCRYPT_RSA_SIGN_ALGORITHM, BCRYPT_SHA1_ALGORITHM, BCRYPT_SHA256_ALGORITHM,
    BCRYPT_SHA384_ALGORITHM, BCRYPT_SHA512_ALGORITHM, HashHandle, KeyHandle, NTE_NOT_SUPPORTED,
    ProviderHandle,
};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::cipher_suites::security_parameters;
use crate::failure::{Failure, ensure};
use crate::object::{HashUse, Object, RunningHash};
use crate::pointer::{Out, OutBytes, WideStr};
use crate::process::process;

/// The hashes that are signed, by name.
pub(crate) const SIGNED_HASHES: [(&str, HashAlgorithm); 4] = [
    (BCRYPT_SHA1_ALGORITHM, HashAlgorithm::Sha1),
    (BCRYPT_SHA256_ALGORITHM, HashAlgorithm::Sha256),
    (BCRYPT_SHA384_ALGORITHM, HashAlgorithm::Sha384),
    (BCRYPT_SHA512_ALGORITHM, HashAlgorithm::Sha512),
];

export! {
    /// Starts a hash for the CertificateVerify of TLS 1.2 with "SHA1", "SHA256", "SHA384" or
    /// "SHA512"; add the same messages as to the handshake hash. `SslComputeClientAuthHash` returns
    /// its value, and `SslComputeSessionHash` refuses it. Returns `NTE_NOT_SUPPORTED` for other
    /// algorithms, and `NTE_INVALID_PARAMETER` for other protocols, where the handshake hash is
    /// used.
    fn SslCreateClientAuthHash is CreateClientAuthHashFn(
        provider: ProviderHandle,
        handshake_hash: Out<HashHandle>,
        protocol: u32,
        cipher_suite: u32,
        algorithm: WideStr,
        flags: u32,
    ) {
        handshake_hash.preset(0);
        let provider = process().handles.provider(provider)?;
        let place = handshake_hash.required("phHandshakeHash is NULL")?;
        let algorithm = algorithm.required("pszHashAlgId is NULL")?;
        no_flags(flags)?;
        let (_, algorithm) = SIGNED_HASHES
            .into_iter()
            .find(|(name, _)| *name == algorithm)
            .ok_or(Failure::Status(NTE_NOT_SUPPORTED, "not SHA1, or SHA256 to SHA512"))?;
        let parameters = security_parameters(provider.provider(), protocol, cipher_suite)?;
        let hash = provider.provider().client_auth_hash(parameters.version(), algorithm)?;
        let hash = RunningHash::new(parameters, HashUse::ClientAuth, hash);
        place.write(process().handles.insert(Object::HandshakeHash(hash.into()))?);
        Ok(())
    }
}

export! {
    /// Returns what a client signs in CertificateVerify with a key of `pszAlgId`, such as "RSA" or
    /// "ECDSA", to be passed to `SslVerifySignature`. Before TLS 1.2 that is computed from the
    /// handshake hash: MD5 and SHA-1, 36 bytes, for RSA, and SHA-1, 20 bytes, for other keys. In
    /// TLS 1.2 it is the value of the hash itself, from [`SslCreateClientAuthHash`] or the
    /// handshake hash. More messages can be added to the hash afterwards.
    fn SslComputeClientAuthHash is ComputeClientAuthHashFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        handshake_hash: HashHandle,
        algorithm: WideStr,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let master_key = process().handles.master_key(master_key, &provider)?;
        let hash = process().handles.handshake_hash(handshake_hash, &provider)?;
        let algorithm = algorithm.required("pszAlgId is NULL")?;
        let output = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let key = match algorithm.as_str() {
            BCRYPT_RSA_ALGORITHM | BCRYPT_RSA_SIGN_ALGORITHM => ClientKey::Rsa,
            BCRYPT_DSA_ALGORITHM
            | BCRYPT_ECDSA_ALGORITHM
            | BCRYPT_ECDSA_P256_ALGORITHM
            | BCRYPT_ECDSA_P384_ALGORITHM
            | BCRYPT_ECDSA_P521_ALGORITHM => ClientKey::DsaOrEcdsa,
            _ => return Err(Error::InvalidParameter("pszAlgId: not a signature algorithm").into()),
        };
        let same_version = hash.parameters.version() == master_key.version();
        ensure(same_version, "hHandshakeHash: wrong protocol")?;
        // A copy is finalized, so that other callers of the hash do not wait.
        let so_far = hash.hash()?.duplicate();
        let value = master_key.client_auth_hash(key, &so_far)?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(&value) }
    }
}
