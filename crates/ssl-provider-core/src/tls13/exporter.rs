//! Exporters of TLS 1.3 (RFC 8446 section 7.5).

use crate::error::Error;
use crate::exporter::check_label;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::tls13::secret::Secret;
use crate::tls13::{MAX_SECRET_LEN, Tls13Parameters};

/// exporter_master_secret, or early_exporter_master_secret.
pub struct ExporterSecret {
    pub(super) secret: Secret,
    pub(super) is_early: bool,
}

impl ExporterSecret {
    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.secret.connection
    }

    /// Derives keying material for another protocol (`SslExportKeyingMaterial`) and fills `out`,
    /// 1 to 8160 bytes, or 12240 with SHA-384.
    ///
    /// - `label`: printable ASCII of at most 249 bytes, without an ending NUL.
    /// - `context`: of any length; none is the same as an empty one, other than in TLS 1.2.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a length or the label is not as said; errors of the
    /// backend.
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        check_label(label)?;
        let connection = &self.secret.connection;
        if !(1..=255 * connection.hash_len()).contains(&out.len()) {
            return Err(Error::InvalidParameter("output: expected 1 byte to 255 hashes"));
        }
        let mut hash = [0; MAX_SECRET_LEN];
        let hash = &mut hash[..connection.hash_len()];
        let hashing = connection.parameters.hashing();
        hashing.hash(connection.hash(), &[context.unwrap_or_default()], hash)?;
        with_stack_wiped::<_, STACK_LEN>(|| {
            self.secret.derive_from_nothing(label)?.expand_label(b"exporter", hash, out)
        })
    }

    /// Returns the label under which a key log has the secret (RFC 9850 section 2).
    pub fn key_log_label(&self) -> &'static str {
        if self.is_early { "EARLY_EXPORTER_SECRET" } else { "EXPORTER_SECRET" }
    }

    /// Returns the secret itself, for a key log.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] unless the provider's policy is
    /// [`KeyLogPolicy::Allowed`](crate::KeyLogPolicy::Allowed).
    pub fn secret_for_key_log(&self) -> Result<&[u8], Error> {
        self.secret.for_key_log()
    }
}

crate::redacted_debug! { ExporterSecret { is_early, .. } }
