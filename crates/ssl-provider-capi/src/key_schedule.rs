//! The chain of secrets of TLS 1.3 (RFC 8446 section 7.1): early, handshake, master. What is
//! derived from each is in `traffic_secret`, `exporter` and `pre_shared_key`.

use std::sync::Arc;

use ssl_provider::tls13::{self, Tls13Parameters};
use ssl_provider::{CipherSuite, Error, ProtocolVersion, Provider};

use crate::abi::{KeyHandle, ProviderHandle};
use crate::boundary::export;
use crate::check::no_flags;
use crate::key_exchange::peer_share;
use crate::object::{Object, OpenProvider, PreSharedKey};
use crate::pointer::{BufferList, Out};
use crate::process::process;

export! {
    /// Computes the Early Secret of TLS 1.3, with which the key schedule starts, from a pre-shared
    /// key, or without one if `hPreSharedKey` is 0. `dwProtocol` is `TLS1_3_PROTOCOL_VERSION`; the
    /// suite fixes hash and cipher of everything that is derived from the secret.
    ///
    /// `hPreSharedKey` is a key of `SslExpandPreSharedKey`, which belongs to the hash of its
    /// connection, or one of `SslImportKey`, which belongs to the hash of the suite that it is
    /// first used with here: that is SHA-256 unless the two sides have agreed on another (RFC 8446,
    /// 4.2.11). It should not be used with TLS 1.2 too.
    ///
    /// In this function and the others of TLS 1.3, `pParameterList` is NULL, or a list whose
    /// entries are ignored. Returns `NTE_NOT_SUPPORTED` for another protocol and for a suite that
    /// is not of TLS 1.3, and `NTE_INVALID_PARAMETER` for a pre-shared key of another hash.
    fn SslExtractEarlyKey is ExtractEarlyKeyFn(
        provider: ProviderHandle,
        pre_shared_key: KeyHandle,
        early_key: Out<KeyHandle>,
        protocol: u32,
        cipher_suite: u32,
        parameters: BufferList,
        flags: u32,
    ) {
        early_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let psk = Psk::of(pre_shared_key, &provider)?;
        let place = early_key.required("phEarlyKey is NULL")?;
        no_flags(flags)?;
        let connection = connection(provider.provider(), protocol, cipher_suite)?;
        parameters.check_ignored()?;
        let secret = match psk {
            Psk::None => connection.early_secret(None),
            Psk::Resumption(key) => connection.early_secret(Some(&key)),
            Psk::External(key) => {
                let hash = key.hash_of_tls13(connection.hash());
                let key = provider.provider().pre_shared_key(hash, key.expose())?;
                connection.early_secret(Some(&key))
            }
        }?;
        place.write(process().handles.insert(Object::EarlySecret(secret.into()))?);
        Ok(())
    }
}

export! {
    /// Agrees with the peer and computes the Handshake Secret of TLS 1.3. `hPrivateKey` is an
    /// ephemeral key, which this uses up; `hPublicKey` is the key of the peer, from `SslImportKey`,
    /// in the same group. With both 0 there is no key agreement (psk_ke, RFC 8446, 4.2.9), which
    /// takes an Early Secret of a pre-shared key, and has no forward secrecy.
    ///
    /// Returns, in the order of the checks: `NTE_INVALID_HANDLE`, also for one key without the
    /// other; `NTE_BAD_TYPE` for a public key that is for signatures or encryption;
    /// `NTE_BAD_KEY_STATE` for an ephemeral key that has agreed before; `NTE_INVALID_PARAMETER` for
    /// a NULL pointer; `NTE_BAD_FLAGS`; `NTE_INVALID_PARAMETER` for the list, for a group that is
    /// not one of TLS 1.3, for a peer's key of another group, for another share than the one that a
    /// server's key of a hybrid group answers, and for an Early Secret without a pre-shared key if
    /// there is no key agreement. Up to here the ephemeral key is not used up. Then `NTE_BAD_DATA`
    /// for a peer's key that is not on its curve or of small order, and for a share of a hybrid
    /// group that must be refused.
    fn SslExtractHandshakeKey is ExtractHandshakeKeyFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        public_key: KeyHandle,
        early_key: KeyHandle,
        handshake_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        handshake_key.preset(0);
        let handles = &process().handles;
        let provider = handles.provider(provider)?;
        let early = handles.early_secret(early_key, &provider)?;
        let keys = match (private_key, public_key) {
            (0, 0) => None,
            (own, peer) => {
                let own = handles.ephemeral_key(own, &provider)?;
                let peer = peer_share(peer, &provider)?;
                own.check_unused()?;
                Some((own, peer))
            }
        };
        let place = handshake_key.required("phHandshakeKey is NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        let secret = match &keys {
            None => early.handshake_secret_of_psk(),
            Some((own, peer)) => {
                let peer = peer.as_peer();
                let key = own.take_if(|key| early.check_agreement(key, peer))?;
                early.handshake_secret(key, peer)
            }
        }?;
        place.write(handles.insert(Object::HandshakeSecret(secret.into()))?);
        Ok(())
    }
}

export! {
    /// Computes the Master Secret of TLS 1.3 from the Handshake Secret. It is no master key of
    /// earlier versions: `SslGenerateSessionKeys` and the others return `NTE_INVALID_HANDLE` for
    /// it.
    fn SslExtractMasterKey is ExtractMasterKeyFn(
        provider: ProviderHandle,
        handshake_key: KeyHandle,
        master_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        master_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let handshake = process().handles.handshake_secret(handshake_key, &provider)?;
        let place = master_key.required("phMasterKey is NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        let secret = handshake.master_secret()?;
        place.write(process().handles.insert(Object::Tls13MasterSecret(secret.into()))?);
        Ok(())
    }
}

/// The pre-shared key that a key schedule starts with.
enum Psk {
    None,
    /// Agreed outside TLS.
    External(Arc<PreSharedKey>),
    /// Derived from an earlier connection.
    Resumption(Arc<tls13::PreSharedKey>),
}

impl Psk {
    fn of(handle: KeyHandle, provider: &OpenProvider) -> Result<Self, Error> {
        let handles = &process().handles;
        if handle == 0 {
            return Ok(Self::None);
        }
        match handles.resumption_pre_shared_key(handle, provider) {
            Ok(key) => Ok(Self::Resumption(key)),
            Err(_) => handles.pre_shared_key(handle, provider).map(Self::External),
        }
    }
}

/// What a connection of TLS 1.3 has agreed on.
fn connection(provider: &Provider, protocol: u32, suite: u32) -> Result<Tls13Parameters, Error> {
    if ProtocolVersion::try_from(protocol)? != ProtocolVersion::TLS1_3 {
        return Err(Error::UnsupportedProtocol { given: protocol });
    }
    provider.tls13_parameters(CipherSuite(suite))
}
