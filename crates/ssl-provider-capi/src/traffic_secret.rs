//! Traffic secrets of TLS 1.3 and the record keys that they yield (RFC 8446 sections 7.1 to 7.3).

use std::sync::Arc;

use ssl_provider::tls13::{
    self, EarlySecret, ExporterSecret, HandshakeSecret, Tls13Parameters, TrafficSecret,
};
use ssl_provider::{Error, HandleKind, HandshakeHash, RecordOptions, Side};

use crate::abi::{HashHandle, KeyHandle, ProviderHandle};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::ensure;
use crate::handshake_hash::transcript;
use crate::object::{Object, OpenProvider};
use crate::pointer::{BufferList, Out, OutBytes};
use crate::process::process;
use crate::session_key::SessionKey;

export! {
    /// Derives the traffic secrets of a phase of TLS 1.3, that of the client and that of the
    /// server; one of the outputs may be NULL. `hHashValue` is the handshake hash, whose value at
    /// the time of the call counts, and which goes on running. What `hBaseKey` is tells the phase:
    ///
    /// - Early Secret, of a pre-shared key: early data, over ClientHello. `phServerTrafficKey` is
    ///   NULL, since servers send none.
    /// - Handshake Secret: the handshake, over ClientHello to ServerHello.
    /// - Master Secret: application data, over ClientHello to the server's Finished.
    ///
    /// `SslExpandWriteKey` makes the record keys, and `SslComputeFinishedHash` the Finished of the
    /// writer. On failure both handles are 0. Returns `NTE_INVALID_PARAMETER` for a hash that is
    /// not one of TLS 1.3 with the hash of the suite.
    fn SslExpandTrafficKeys is ExpandTrafficKeysFn(
        provider: ProviderHandle,
        base_key: KeyHandle,
        hash: HashHandle,
        client_key: Out<KeyHandle>,
        server_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        client_key.preset(0);
        server_key.preset(0);
        let handles = &process().handles;
        let provider = handles.provider(provider)?;
        let base = Base::of(base_key, &provider)?;
        let hash = handles.handshake_hash(hash, &provider)?;
        let (client_place, server_place) = (client_key.optional(), server_key.optional());
        let is_asked = client_place.is_some() || server_place.is_some();
        ensure(is_asked, "phClientTrafficKey and phServerTrafficKey are NULL")?;
        let is_same = client_key.is_same(server_key);
        ensure(!is_same, "phClientTrafficKey and phServerTrafficKey are the same")?;
        let is_early = matches!(base, Base::Early(_));
        ensure(!is_early || server_place.is_none(), "phServerTrafficKey: expected NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        let transcript = transcript(&hash, base.parameters())?;
        // Both are derived before the first handle is made.
        let secrets = [(client_place, Side::Client), (server_place, Side::Server)]
            .into_iter()
            .filter_map(|(place, writer)| Some((place?, base.traffic_secret(writer, &transcript))))
            .map(|(place, secret)| secret.map(|secret| (place, secret)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut made = Vec::new();
        for (place, secret) in secrets {
            let handle = handles.insert(Object::TrafficSecret(secret.into())).inspect_err(|_| {
                // The caller has not seen the other handle yet.
                for (_, handle) in &made {
                    let _ = handles.free(*handle, &[HandleKind::TrafficSecret]);
                }
            })?;
            made.push((place, handle));
        }
        for (place, handle) in made {
            place.write(handle);
        }
        Ok(())
    }
}

export! {
    /// Derives the key and the IV of the records under a traffic secret of TLS 1.3, as a session
    /// key for `SslEncryptPacket` or, if the peer is the writer, for `SslDecryptPacket`. Sequence
    /// numbers start at 0. Call it once for each traffic secret: two keys of one secret that both
    /// write use their nonces twice. Returns `NTE_NOT_SUPPORTED` if the backend does not have the
    /// cipher.
    fn SslExpandWriteKey is ExpandWriteKeyFn(
        provider: ProviderHandle,
        base_traffic_key: KeyHandle,
        write_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        write_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let secret = process().handles.traffic_secret(base_traffic_key, &provider)?;
        let place = write_key.required("phWriteKey is NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        let key = secret.record_key(RecordOptions::default())?;
        let key = SessionKey::new(secret.parameters().backend().clone(), key);
        place.write(process().handles.insert(Object::SessionKey(key.into()))?);
        Ok(())
    }
}

export! {
    /// Derives the traffic secret that follows one of application data (RFC 8446, 7.2): what the
    /// sender of a KeyUpdate writes with after it. The old one stays valid until it is freed.
    /// Returns `NTE_INVALID_PARAMETER` for a traffic secret of early data or of the handshake. An
    /// extension of this library: Windows exports `SslExpandNextGenTrafficKey` for this, without a
    /// public prototype.
    fn SslProviderUpdateTrafficKey(
        provider: ProviderHandle,
        traffic_key: KeyHandle,
        next_traffic_key: Out<KeyHandle>,
        flags: u32,
    ) {
        next_traffic_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let secret = process().handles.traffic_secret(traffic_key, &provider)?;
        let place = next_traffic_key.required("phNextTrafficKey is NULL")?;
        no_flags(flags)?;
        let next = secret.updated()?;
        place.write(process().handles.insert(Object::TrafficSecret(next.into()))?);
        Ok(())
    }
}

export! {
    /// Returns a traffic secret or an exporter secret of TLS 1.3, 32 or 48 bytes, for a key log
    /// (RFC 9850) with which others can decrypt the connection. Returns `NTE_PERM` unless the
    /// provider that the key schedule started with was opened with `fAllowKeyLog`. An extension of
    /// this library.
    fn SslProviderGetTls13Secret(
        provider: ProviderHandle,
        key: KeyHandle,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let handles = &process().handles;
        let provider = handles.provider(provider)?;
        let logged = match handles.traffic_secret(key, &provider) {
            Ok(secret) => Logged::Traffic(secret),
            Err(_) => Logged::Exporter(handles.exporter_secret(key, &provider)?),
        };
        let output = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let secret = match &logged {
            Logged::Traffic(secret) => secret.secret_for_key_log(),
            Logged::Exporter(secret) => secret.secret_for_key_log(),
        }?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(secret) }
    }
}

/// A secret that key logs have.
enum Logged {
    Traffic(Arc<TrafficSecret>),
    Exporter(Arc<ExporterSecret>),
}

/// A secret that traffic secrets are derived from.
enum Base {
    Early(Arc<EarlySecret>),
    Handshake(Arc<HandshakeSecret>),
    Master(Arc<tls13::MasterSecret>),
}

impl Base {
    fn of(handle: KeyHandle, provider: &OpenProvider) -> Result<Self, Error> {
        let handles = &process().handles;
        handles
            .early_secret(handle, provider)
            .map(Self::Early)
            .or_else(|_| handles.handshake_secret(handle, provider).map(Self::Handshake))
            .or_else(|_| handles.tls13_master_secret(handle, provider).map(Self::Master))
    }

    fn parameters(&self) -> &Tls13Parameters {
        match self {
            Self::Early(secret) => secret.parameters(),
            Self::Handshake(secret) => secret.parameters(),
            Self::Master(secret) => secret.parameters(),
        }
    }

    /// The secret that `writer` writes with, who is the client if this is an early one.
    fn traffic_secret(
        &self,
        writer: Side,
        transcript: &HandshakeHash,
    ) -> Result<TrafficSecret, Error> {
        match self {
            Self::Early(secret) => secret.traffic_secret(transcript),
            Self::Handshake(secret) => secret.traffic_secret(writer, transcript),
            Self::Master(secret) => secret.traffic_secret(writer, transcript),
        }
    }
}
