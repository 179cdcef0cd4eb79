//! Master keys: import of the client's encrypted premaster secret, session keys, and Finished.

use std::sync::Arc;

use ssl_provider::tls13::{BinderKey, TrafficSecret};
use ssl_provider::{CipherSuite, Error, MasterKey, ProtocolVersion, RecordOptions, Side};
use zeroize::Zeroizing;

use crate::abi::{
    HashHandle, KeyHandle, NCRYPT_SSL_CLIENT_FLAG, NCRYPT_SSL_SERVER_FLAG,
    NCRYPTBUFFER_SSL_CLIENT_RANDOM, NCRYPTBUFFER_SSL_SERVER_RANDOM, ProviderHandle,
};
use crate::boundary::export;
use crate::check::no_flags;
use crate::failure::{Failure, ensure};
use crate::handshake_hash::transcript;
use crate::object::{HashUse, Object, OpenProvider, RunningHash};
use crate::pointer::{BufferList, Bytes, Out, OutBytes, usize_of};
use crate::process::process;
use crate::session_key::SessionKey;

/// Longest encrypted premaster secret in bytes: the largest length field of ClientKeyExchange.
const MAX_ENCRYPTED_LEN: u32 = 0xffff;

/// Longest verify_data in bytes that is computed. No suite defines more than 36.
const MAX_VERIFY_DATA_LEN: u32 = 1024;

export! {
    /// Decrypts the premaster secret of an RSA key exchange and computes the master key.
    ///
    /// The list holds both randoms, or the session hash, which selects the extended master secret
    /// and takes precedence; and optionally the version that the client offered, 4 bytes.
    /// `pbEncryptedKey` is the bare RSA ciphertext. `dwFlags` is `NCRYPT_SSL_SERVER_FLAG`.
    ///
    /// Returns, in the order of the checks: `NTE_INVALID_HANDLE`; `NTE_BAD_TYPE` for a key that is
    /// not RSA; `NTE_INVALID_PARAMETER` for a NULL pointer; `NTE_BAD_FLAGS`; `NTE_NOT_SUPPORTED`
    /// for protocol or suite; `NTE_INVALID_PARAMETER` for the list; `NTE_PERM` for a key that the
    /// policy of the provider forbids.
    ///
    /// No content of the ciphertext is an error (implicit rejection), so that the call is no
    /// padding oracle (Bleichenbacher): with wrong padding, length or version it succeeds with a
    /// master key that no client has, and the handshake fails at Finished (RFC 5246, 7.4.7.1).
    fn SslImportMasterKey is ImportMasterKeyFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        master_key: Out<KeyHandle>,
        protocol: u32,
        cipher_suite: u32,
        parameters: BufferList,
        encrypted_key: Bytes,
        encrypted_key_len: u32,
        flags: u32,
    ) {
        master_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let private_key = process().handles.rsa_private_key(private_key, &provider)?;
        let place = master_key.required("phMasterKey is NULL")?;
        ensure(!parameters.is_null(), "pParameterList is NULL")?;
        ensure(!encrypted_key.is_null(), "pbEncryptedKey is NULL")?;
        ensure(encrypted_key_len <= MAX_ENCRYPTED_LEN, "cbEncryptedKey: at most 65535")?;
        if flags != NCRYPT_SSL_SERVER_FLAG {
            return Err(Error::BadFlags { given: flags }.into());
        }
        let (version, suite) = (ProtocolVersion::try_from(protocol)?, CipherSuite(cipher_suite));
        suite.for_rsa_key_exchange(version)?;
        provider.provider().security_parameters(version, suite)?;
        let parameters = parameters.parse()?;
        // SAFETY: the caller of the export promises that pbEncryptedKey is readable for
        // cbEncryptedKey bytes.
        let encrypted_key =
            unsafe { encrypted_key.copy(encrypted_key_len, "pbEncryptedKey is NULL") }?;
        let key = provider.provider().import_master_key(
            &private_key,
            version,
            suite,
            &parameters,
            &encrypted_key,
        )?;
        place.write(process().handles.insert(Object::MasterKey(key.into()))?);
        Ok(())
    }
}

export! {
    /// Derives both session keys from a master key and the two randoms in the list; other entries
    /// are ignored. The read key is the key that the peer writes with, and the side is that which
    /// the master key was made on. On failure both handles are 0. Returns `NTE_NOT_SUPPORTED` if
    /// the backend does not have the cipher.
    fn SslGenerateSessionKeys is GenerateSessionKeysFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        read_key: Out<KeyHandle>,
        write_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        read_key.preset(0);
        write_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let master_key = process().handles.master_key(master_key, &provider)?;
        let read_place = read_key.required("phReadKey is NULL")?;
        let write_place = write_key.required("phWriteKey is NULL")?;
        ensure(!read_key.is_same(write_key), "phReadKey and phWriteKey are the same")?;
        ensure(!parameters.is_null(), "pParameterList is NULL")?;
        no_flags(flags)?;
        let randoms = [NCRYPTBUFFER_SSL_CLIENT_RANDOM, NCRYPTBUFFER_SSL_SERVER_RANDOM];
        let keys = master_key.session_keys(&parameters.parse_only(&randoms)?)?;
        let own = master_key.side();
        let peer = match own {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        let backend = master_key.security_parameters().backend();
        let insert = |writer| {
            let key = keys.record_key(writer, RecordOptions::default())?;
            let key = if writer == peer { key.for_reading() } else { key };
            let key = SessionKey::new(backend.clone(), key);
            process().handles.insert(Object::SessionKey(key.into()))
        };
        let read = insert(peer)?;
        let write = insert(own).inspect_err(|_| {
            // The caller has not seen this handle yet.
            let _ = process().handles.free(read, &[ssl_provider::HandleKind::SessionKey]);
        })?;
        read_place.write(read);
        write_place.write(write);
        Ok(())
    }
}

export! {
    /// Computes the verify_data of a Finished message, the client's (`NCRYPT_SSL_CLIENT_FLAG`) or
    /// the server's (`NCRYPT_SSL_SERVER_FLAG`). It fills `cbOutput` bytes: 12 or more in TLS, 36 in
    /// SSL 3.0. More messages can be added to the hash afterwards.
    ///
    /// In TLS 1.3, `hMasterKey` is the traffic secret of the sender, and of the handshake, or of
    /// application data if the client authenticates after the handshake; the flag is that of the
    /// sender, or else `NTE_BAD_FLAGS`. With a key of `SslExpandBinderKey` it computes the binder
    /// of a pre-shared key, with either flag. `cbOutput` is the length of the hash of the suite, 32
    /// or 48. Returns `NTE_INVALID_PARAMETER` for a traffic secret of early data, which have no
    /// Finished.
    fn SslComputeFinishedHash is ComputeFinishedHashFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        handshake_hash: HashHandle,
        output: OutBytes,
        output_len: u32,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = FinishedKey::of(master_key, &provider)?;
        let hash = process().handles.handshake_hash(handshake_hash, &provider)?;
        ensure(!output.is_null(), "pbOutput is NULL")?;
        let sender = match flags {
            NCRYPT_SSL_CLIENT_FLAG => Side::Client,
            NCRYPT_SSL_SERVER_FLAG => Side::Server,
            _ => return Err(Error::BadFlags { given: flags }.into()),
        };
        if matches!(&key, FinishedKey::Traffic(secret) if secret.writer() != sender) {
            return Err(Error::BadFlags { given: flags }.into());
        }
        ensure(output_len <= MAX_VERIFY_DATA_LEN, "cbOutput: longer than any verify_data")?;
        let mut verify_data = Zeroizing::new(vec![0; usize_of(output_len)]);
        key.verify_data(sender, &hash, &mut verify_data)?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(output_len, &verify_data, "pbOutput is NULL") }.map_err(Failure::from)
    }
}

/// What the verify_data of a Finished message is computed with, or a binder.
enum FinishedKey {
    /// Up to TLS 1.2.
    Master(Arc<MasterKey>),
    /// In TLS 1.3.
    Traffic(Arc<TrafficSecret>),
    /// In TLS 1.3, for a pre-shared key.
    Binder(Arc<BinderKey>),
}

impl FinishedKey {
    fn of(handle: KeyHandle, provider: &OpenProvider) -> Result<Self, Error> {
        let handles = &process().handles;
        handles
            .master_key(handle, provider)
            .map(Self::Master)
            .or_else(|_| handles.traffic_secret(handle, provider).map(Self::Traffic))
            .or_else(|_| handles.binder_key(handle, provider).map(Self::Binder))
    }

    fn verify_data(&self, sender: Side, hash: &RunningHash, out: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Master(key) => {
                ensure(hash.hash_use == HashUse::Handshake, NO_HANDSHAKE_HASH)?;
                let of_hash = &hash.parameters;
                let is_alike =
                    of_hash.version() == key.version() && of_hash.suite().prf == key.suite().prf;
                ensure(is_alike, "hHandshakeHash: wrong protocol or PRF")?;
                // A copy is finalized, so that other callers of the hash do not wait.
                let so_far = hash.hash()?.duplicate();
                key.verify_data(sender, &so_far, out)
            }
            Self::Traffic(secret) => {
                secret.verify_data(&transcript(hash, secret.parameters())?, out)
            }
            Self::Binder(key) => key.binder(&transcript(hash, key.parameters())?, out),
        }
    }
}

const NO_HANDSHAKE_HASH: &str = "hHandshakeHash: not a handshake hash";
