//! Keying material exporters (RFC 5705, RFC 8446 section 7.5), on either side.

use std::sync::Arc;

use ssl_provider::tls13::ExporterSecret;
use ssl_provider::{Error, MasterKey, RANDOMS_LEN};

/// Which sessions may export keying material.
///
/// Without the extended master secret, an attacker who is the server of one connection and the
/// client of another can give both the same master secret and randoms, and so the same keying
/// material (triple handshake). RFC 7627 section 5.4: an endpoint "MUST NOT export any key material
/// based on the new master secret for any subsequent application-level authentication. In
/// particular, it MUST disable" RFC 5705.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFrom {
    /// Those with the extended master secret.
    #[default]
    ExtendedMasterSecret,
    /// All of them: where the peer knows no extended master secret, and the keying material
    /// authenticates nobody.
    AnySession,
}

/// What a connection exports from: its last handshake that is complete.
#[derive(Debug)]
pub(crate) enum Exporter {
    /// Of a version up to TLS 1.2.
    MasterKey {
        master_key: Arc<MasterKey>,
        /// The client's random, then the server's.
        randoms: [u8; RANDOMS_LEN],
        has_extended_master_secret: bool,
    },
    /// Of TLS 1.3, whose secrets always depend on the whole handshake (RFC 8446 section 7.5).
    Secret(ExporterSecret),
}

impl Exporter {
    pub(crate) fn new(
        master_key: Arc<MasterKey>,
        client_random: &[u8; 32],
        server_random: &[u8; 32],
        has_extended_master_secret: bool,
    ) -> Self {
        let mut randoms = [0; RANDOMS_LEN];
        let (client, server) = randoms.split_at_mut(RANDOMS_LEN / 2);
        client.copy_from_slice(client_random);
        server.copy_from_slice(server_random);
        Self::MasterKey { master_key, randoms, has_extended_master_secret }
    }

    /// Fills `out`; see [`crate::Connection::export_keying_material`].
    pub(crate) fn export(
        &self,
        from: ExportFrom,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        match (self, from) {
            (Self::Secret(secret), _) => secret.export_keying_material(label, context, out),
            (
                Self::MasterKey { has_extended_master_secret: false, .. },
                ExportFrom::ExtendedMasterSecret,
            ) => Err(Error::NotAllowed("exporter: the session has no extended master secret")),
            (Self::MasterKey { master_key, randoms, .. }, _) => {
                master_key.export_keying_material(label, randoms, context, out)
            }
        }
    }
}

/// The error of a connection that has nothing to export from.
pub(crate) const NOT_ESTABLISHED: Error =
    Error::InvalidParameter("exporter: expected a connection that is established and open");
