//! Keys and certificates of both sides, in `tests/interop/identities`: self-signed, for `localhost`
//! and for the clients, on the curves of the ephemeral keys. `README.md` there says how they were
//! made.

use std::path::PathBuf;

use crate::interop::cell::ClientCertificate;
use crate::workspace::Workspace;

/// Where the files are.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    pub(crate) directory: PathBuf,
}

impl Identities {
    pub(crate) fn of(workspace: &Workspace) -> Self {
        Self { directory: workspace.root().join("tests/interop/identities") }
    }

    /// Returns the path of the private key of an identity.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.key.pem"))
    }

    /// Returns the path of its certificate.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.cert.pem"))
    }
}

impl ClientCertificate {
    /// Returns the name of the identity.
    pub(crate) const fn identity(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Rsa => Some("client-rsa"),
            Self::Ecdsa => Some("client-p256"),
        }
    }

    /// Returns the SHA-256 fingerprint of the certificate.
    pub(crate) const fn fingerprint(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Rsa => Some("32bc14424a9d25c3bd191799bea5eb9afb520e2854389c3a1d5f3fdbb9a728f7"),
            Self::Ecdsa => Some("8176b230561d1e201d5b6bd34b0fcc8e250df6018fca0b0ca657fbe501df6f3d"),
        }
    }
}
