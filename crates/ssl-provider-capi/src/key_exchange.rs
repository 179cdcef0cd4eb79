//! Master keys that a client makes, and those that both sides agree on. What a server makes of an
//! encrypted premaster secret is in [`crate::master_key`].

use std::sync::Arc;

use ssl_provider::{
    CipherSuite, Error, HandleKind, MasterKey, ParameterList, PremasterKey, ProtocolVersion,
    Provider, PublicKeyDer, Side,
};
use ssl_provider_keys::{KeyShare, PublicKey, RsaPublicKey};

use crate::abi::{
    KeyHandle, NCRYPT_SSL_CLIENT_FLAG, NCRYPT_SSL_SERVER_FLAG, NTE_BAD_TYPE, ProviderHandle,
};
use crate::boundary::export;
use crate::check::SizedOutput;
use crate::failure::{Failure, ensure};
use crate::object::{Object, OpenProvider, PreSharedKey, PublicHalf};
use crate::own_key::OwnKey;
use crate::pointer::{BufferList, Out, OutBytes};
use crate::process::process;

export! {
    /// Generates the premaster secret of a client, and writes it to `pbOutput` encrypted to the RSA
    /// key of the server, for ClientKeyExchange: as many bytes as the modulus has, without the
    /// length that TLS puts before them. It is for the extended master secret, which depends on
    /// that message: hash it, then pass the session hash and `*phPreMasterKey` to
    /// `SslGenerateMasterKey`.
    ///
    /// `hPublicKey` is a key of `SslImportKey`, of `SslOpenPrivateKey` or of key storage. The list
    /// may hold the version that the client offered (type 22), which the premaster secret carries,
    /// without it `dwProtocol`; other entries are ignored. `dwFlags` is 0 or
    /// `NCRYPT_SSL_CLIENT_FLAG`. With a NULL or short `pbOutput` no premaster secret is made.
    ///
    /// Returns `NTE_BAD_TYPE` for a key that is not RSA, `NTE_NOT_SUPPORTED` for a protocol or
    /// suite without RSA key exchange, `NTE_INVALID_PARAMETER` for a modulus that is not of 1024 to
    /// 8192 bits, and `NTE_PERM` for one that is shorter than the policy asks.
    fn SslGeneratePreMasterKey is GeneratePreMasterKeyFn(
        provider: ProviderHandle,
        public_key: KeyHandle,
        premaster_key: Out<KeyHandle>,
        protocol: u32,
        cipher_suite: u32,
        parameters: BufferList,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        premaster_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let server_key = rsa_public_key(public_key, &provider)?;
        let place = premaster_key.required("phPreMasterKey is NULL")?;
        ensure(!parameters.is_null(), "pParameterList is NULL")?;
        let output = SizedOutput::new(output, output_len, result_len)?;
        if !matches!(flags, 0 | NCRYPT_SSL_CLIENT_FLAG) {
            return Err(Error::BadFlags { given: flags }.into());
        }
        let connection = Connection::rsa(provider.provider(), protocol, cipher_suite)?;
        let parameters = parameters.parse()?;
        let Some(key) = connection.premaster_key(&server_key, &parameters, &output)? else {
            return Ok(());
        };
        let key = Arc::new(key);
        let handle = process().handles.insert(Object::PremasterKey(Arc::clone(&key)))?;
        write(output, key.encrypted(), handle, HandleKind::PremasterKey)?;
        place.write(handle);
        Ok(())
    }
}

export! {
    /// Computes the master key of a client with RSA key exchange, or of either side of (EC)DHE and
    /// PSK. `dwFlags` is `NCRYPT_SSL_CLIENT_FLAG` or `NCRYPT_SSL_SERVER_FLAG`, the side that the
    /// caller is on. What is computed depends on the keys:
    ///
    /// - (EC)DHE: `hPrivateKey` is an ephemeral key, which this uses up; `hPublicKey` is the key of
    ///   the peer, from `SslImportKey`, in the same group.
    /// - RSA: `hPrivateKey` is 0, `hPublicKey` is the key of the server, as for
    ///   `SslGeneratePreMasterKey`, which describes what is written to `pbOutput`.
    /// - RSA, after `SslGeneratePreMasterKey`: its `*phPreMasterKey` is `hPrivateKey`, with the key
    ///   of the server or 0 as `hPublicKey`, or it is `hPublicKey`, and `hPrivateKey` is 0. Which
    ///   of the two Windows takes is not documented. Protocol and suite are those of the first
    ///   call.
    /// - PSK (RFC 4279), an extension of this library: `hPrivateKey` is a pre-shared key of
    ///   `SslImportKey`, and `hPublicKey` is 0.
    ///
    /// The list holds both randoms, or the session hash, which selects the extended master secret
    /// and takes precedence; and for RSA optionally the version that the client offered. Only RSA
    /// without a premaster key has an output: with a NULL `pbOutput` it returns the size, and no
    /// master key. The others ignore `pbOutput`, and set `*pcbResult` to 0 unless it is NULL.
    ///
    /// Returns, in the order of the checks: `NTE_INVALID_HANDLE`, also for keys that are none of
    /// these combinations; `NTE_BAD_TYPE` for a public key of another algorithm, such as ECDSA in
    /// place of ECDH; `NTE_BAD_KEY_STATE` for an ephemeral key that has agreed before;
    /// `NTE_INVALID_PARAMETER` for a NULL pointer; `NTE_BAD_FLAGS`, also for a server with RSA;
    /// `NTE_NOT_SUPPORTED` for protocol or suite, also of another key exchange;
    /// `NTE_INVALID_PARAMETER` for the list, for a peer's key of another group, and for another
    /// protocol or suite than that of the premaster key; `NTE_BUFFER_TOO_SMALL`. Up to here an
    /// ephemeral key is not used up. Then `NTE_BAD_DATA` for a peer's key that is not on its curve,
    /// or of small order.
    fn SslGenerateMasterKey is GenerateMasterKeyFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        public_key: KeyHandle,
        master_key: Out<KeyHandle>,
        protocol: u32,
        cipher_suite: u32,
        parameters: BufferList,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        master_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let exchange = Exchange::of(private_key, public_key, &provider)?;
        let place = master_key.required("phMasterKey is NULL")?;
        ensure(!parameters.is_null(), "pParameterList is NULL")?;
        let sized = match exchange {
            Exchange::Rsa(_) => Some(SizedOutput::new(output, output_len, result_len)?),
            _ => None,
        };
        let side = match flags {
            NCRYPT_SSL_CLIENT_FLAG => Side::Client,
            NCRYPT_SSL_SERVER_FLAG if !exchange.is_rsa() => Side::Server,
            _ => return Err(Error::BadFlags { given: flags }.into()),
        };
        let connection = Connection::new(provider.provider(), protocol, cipher_suite, &exchange)?;
        let parameters = parameters.parse()?;
        let Some(sized) = sized else {
            let key = connection.master_key(&exchange, &parameters, side)?;
            let handle = process().handles.insert(Object::MasterKey(key.into()))?;
            result_len.preset(0);
            place.write(handle);
            return Ok(());
        };
        let Exchange::Rsa(server_key) = &exchange else { return Err(NO_OUTPUT.into()) };
        let Some(premaster) = connection.premaster_key(server_key, &parameters, &sized)? else {
            return Ok(());
        };
        let key = premaster.generate_master_key(&parameters)?;
        let handle = process().handles.insert(Object::MasterKey(key.into()))?;
        write(sized, premaster.encrypted(), handle, HandleKind::MasterKey)?;
        place.write(handle);
        Ok(())
    }
}

/// The keys of a key exchange, by what they are.
enum Exchange {
    /// A client, with the key of the server.
    Rsa(RsaPublicKey),
    /// A client that has made its premaster secret.
    Premaster(Arc<PremasterKey>),
    /// Either side, with the key of the peer.
    Agreement(Arc<OwnKey>, KeyShare),
    /// Either side.
    Psk(Arc<PreSharedKey>),
}

impl Exchange {
    fn of(own: KeyHandle, peer: KeyHandle, provider: &OpenProvider) -> Result<Self, Failure> {
        let handles = &process().handles;
        if own == 0 {
            return match handles.premaster_key(peer, provider) {
                Ok(key) => Ok(Self::Premaster(key)),
                Err(_) => rsa_public_key(peer, provider).map(Self::Rsa),
            };
        }
        if let Ok(key) = handles.premaster_key(own, provider) {
            if peer != 0 {
                rsa_public_key(peer, provider)?;
            }
            return Ok(Self::Premaster(key));
        }
        if let (Ok(key), 0) = (handles.pre_shared_key(own, provider), peer) {
            return Ok(Self::Psk(key));
        }
        let own = handles.ephemeral_key(own, provider)?;
        let peer = peer_share(peer, provider)?;
        own.check_unused()?;
        Ok(Self::Agreement(own, peer))
    }

    fn is_rsa(&self) -> bool {
        matches!(self, Self::Rsa(_) | Self::Premaster(_))
    }
}

/// The peer's key of a key agreement.
pub(crate) fn peer_share(handle: KeyHandle, provider: &OpenProvider) -> Result<KeyShare, Failure> {
    let share = match process().handles.public_half(handle, provider)? {
        PublicHalf::Share(share) => Some(share),
        PublicHalf::Key(PublicKey::Ec(key)) => KeyShare::of_ec(&key),
        PublicHalf::Key(PublicKey::Rsa(_)) => None,
    };
    share.ok_or(Failure::Status(NTE_BAD_TYPE, "hPublicKey: not a DH or ECDH key"))
}

/// The RSA key of a server.
fn rsa_public_key(handle: KeyHandle, provider: &OpenProvider) -> Result<RsaPublicKey, Failure> {
    match process().handles.public_half(handle, provider)? {
        PublicHalf::Key(PublicKey::Rsa(key)) => Ok(key),
        _ => Err(Failure::Status(NTE_BAD_TYPE, "hPublicKey: not an RSA key")),
    }
}

/// What is negotiated when a master key is made.
struct Connection<'p> {
    provider: &'p Provider,
    version: ProtocolVersion,
    suite: CipherSuite,
}

impl<'p> Connection<'p> {
    /// Takes a protocol and a suite with the key exchange of the keys.
    fn new(
        provider: &'p Provider,
        protocol: u32,
        suite: u32,
        exchange: &Exchange,
    ) -> Result<Self, Error> {
        if exchange.is_rsa() {
            return Self::rsa(provider, protocol, suite);
        }
        let (version, suite) = (ProtocolVersion::try_from(protocol)?, CipherSuite(suite));
        let of_suite = provider.security_parameters(version, suite)?.suite().key_exchange;
        let fits = match exchange {
            Exchange::Psk(_) => of_suite.is_psk(),
            _ => of_suite.is_ecdhe() || of_suite.is_dhe(),
        };
        if !fits {
            return Err(Error::UnsupportedSuite { given: suite.0 });
        }
        Ok(Self { provider, version, suite })
    }

    /// Takes a protocol and a suite with RSA key exchange.
    fn rsa(provider: &'p Provider, protocol: u32, suite: u32) -> Result<Self, Error> {
        let (version, suite) = (ProtocolVersion::try_from(protocol)?, CipherSuite(suite));
        suite.for_rsa_key_exchange(version)?;
        provider.security_parameters(version, suite)?;
        Ok(Self { provider, version, suite })
    }

    /// Makes a premaster secret whose ciphertext fits the output; none for a size query.
    fn premaster_key(
        &self,
        server_key: &RsaPublicKey,
        parameters: &ParameterList,
        output: &SizedOutput,
    ) -> Result<Option<PremasterKey>, Error> {
        let len = server_key.modulus.len();
        let server_key = PublicKey::Rsa(server_key.clone()).subject_public_key_info()?;
        PublicKeyDer::from_der(&server_key)?;
        if output.answer_size_query(len)? {
            return Ok(None);
        }
        let Self { provider, version, suite } = self;
        provider.generate_premaster_key(&server_key, *version, *suite, parameters).map(Some)
    }

    /// Makes the master key of an exchange that has no output.
    fn master_key(
        &self,
        exchange: &Exchange,
        parameters: &ParameterList,
        side: Side,
    ) -> Result<MasterKey, Failure> {
        let Self { provider, version, suite } = *self;
        match exchange {
            Exchange::Rsa(_) => Err(NO_OUTPUT.into()),
            Exchange::Premaster(key) => {
                let of_key = key.security_parameters();
                let is_same = (of_key.version(), of_key.suite().id) == (version, suite);
                ensure(is_same, "dwProtocol, dwCipherSuite: not those of the premaster key")?;
                Ok(key.generate_master_key(parameters)?)
            }
            Exchange::Agreement(key, peer) => {
                let peer = peer.as_peer();
                let key = key.take_if(|key| {
                    provider.check_agreement(key, peer, version, suite, parameters)
                })?;
                Ok(provider.generate_master_key(key, peer, version, suite, parameters, side)?)
            }
            Exchange::Psk(psk) => Ok(provider.generate_psk_master_key(
                psk.expose(),
                version,
                suite,
                parameters,
                side,
            )?),
        }
    }
}

/// Writes a ciphertext whose size has been checked, or frees the handle that the caller does not
/// get then.
fn write(
    output: SizedOutput,
    ciphertext: &[u8],
    handle: KeyHandle,
    kind: HandleKind,
) -> Result<(), Failure> {
    // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
    unsafe { output.write(ciphertext) }.inspect_err(|_| {
        let _ = process().handles.free(handle, &[kind]);
    })
}

const NO_OUTPUT: Error = Error::Internal("an RSA key exchange without an output");
