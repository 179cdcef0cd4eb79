//! What a certificate says, as text and as JSON.
//! Everything in it comes from a server that may be hostile: control characters are escaped.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ssl_provider::{PublicKeyDer, PublicKeyParts};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Encode};
use x509_cert::time::Time;

use crate::client::host_names::{self, text};

/// The facts about a certificate.
#[derive(Debug)]
pub(super) struct Description {
    subject: String,
    issuer: String,
    serial: String,
    not_before: String,
    not_after: String,
    key: String,
    signature: String,
    names: Vec<String>,
    sha256: String,
}

impl Description {
    /// Describes a certificate; none for one that cannot be read.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
        let fields = certificate.tbs_certificate();
        let info = fields.subject_public_key_info();
        Some(Self {
            subject: text(&fields.subject().to_string()),
            issuer: text(&fields.issuer().to_string()),
            serial: base16ct::lower::encode_string(fields.serial_number().as_bytes()),
            not_before: time(&fields.validity().not_before),
            not_after: time(&fields.validity().not_after),
            key: key(&info.to_der().ok()?, &info.algorithm.oid.to_string()),
            signature: algorithm(&certificate.signature_algorithm().oid.to_string()),
            names: host_names::of(&certificate),
            sha256: base16ct::lower::encode_string(&Sha256::digest(der)),
        })
    }

    /// Returns the lines of a report.
    pub(super) fn to_lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![
            ("subject", self.subject.clone()),
            ("issuer", self.issuer.clone()),
            ("valid", format!("{} to {}", self.not_before, self.not_after)),
            ("key", self.key.clone()),
            ("signature", self.signature.clone()),
        ];
        if !self.names.is_empty() {
            lines.push(("names", self.names.join(", ")));
        }
        lines.push(("SHA-256", self.sha256.clone()));
        lines
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "not_before": self.not_before,
            "not_after": self.not_after,
            "key": self.key,
            "signature": self.signature,
            "names": self.names,
            "sha256": self.sha256,
        })
    }
}

fn time(time: &Time) -> String {
    time.to_date_time().to_string()
}

/// The kind and size of a key.
fn key(info: &[u8], oid: &str) -> String {
    match PublicKeyDer::from_der(info).map(|key| (key.parts(), key.modulus_bits())) {
        Ok((PublicKeyParts::Rsa { .. }, Some(bits))) => format!("RSA, {bits} bits"),
        Ok((PublicKeyParts::Ec { curve, .. }, _)) => {
            format!("EC, P-{}", curve.bits())
        }
        _ => match oid {
            "1.2.840.113549.1.1.1" => "RSA of an unsupported size".to_owned(),
            "1.2.840.10045.2.1" => "EC, an unsupported curve".to_owned(),
            "1.2.840.10040.4.1" => "DSA".to_owned(),
            other => algorithm(other),
        },
    }
}

/// The name of an algorithm of signatures or keys, or its object identifier.
fn algorithm(oid: &str) -> String {
    match oid {
        "1.2.840.113549.1.1.4" => "RSA with MD5",
        "1.2.840.113549.1.1.5" => "RSA with SHA-1",
        "1.2.840.113549.1.1.10" => "RSA-PSS",
        "1.2.840.113549.1.1.11" => "RSA with SHA-256",
        "1.2.840.113549.1.1.12" => "RSA with SHA-384",
        "1.2.840.113549.1.1.13" => "RSA with SHA-512",
        "1.2.840.10045.4.1" => "ECDSA with SHA-1",
        "1.2.840.10045.4.3.2" => "ECDSA with SHA-256",
        "1.2.840.10045.4.3.3" => "ECDSA with SHA-384",
        "1.2.840.10045.4.3.4" => "ECDSA with SHA-512",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => other,
    }
    .to_owned()
}
