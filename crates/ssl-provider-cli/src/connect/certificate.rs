//! What a certificate says, as text and as JSON.
//! Everything in it comes from a server that may be hostile: control characters are escaped.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ssl_provider::{PublicKeyDer, PublicKeyParts};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use crate::client::refusal::printable;

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
        let names = fields.get_extension::<SubjectAltName>().ok().flatten();
        let names =
            names.map(|(_, names)| names.0.iter().filter_map(name).take(MAX_NAMES).collect());
        Some(Self {
            subject: text(&fields.subject().to_string()),
            issuer: text(&fields.issuer().to_string()),
            serial: base16ct::lower::encode_string(fields.serial_number().as_bytes()),
            not_before: time(&fields.validity().not_before),
            not_after: time(&fields.validity().not_after),
            key: key(&info.to_der().ok()?, &info.algorithm.oid.to_string()),
            signature: algorithm(&certificate.signature_algorithm().oid.to_string()),
            names: names.unwrap_or_default(),
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

/// Text of a certificate, as much of it as is shown.
fn text(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_TEXT_LEN).collect();
    if shown.len() < text.len() {
        shown.push('\u{2026}');
    }
    printable(&shown)
}

fn time(time: &Time) -> String {
    time.to_date_time().to_string()
}

/// A host name or an address of subjectAltName.
fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(text(name.as_str())),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let ipv4 = <[u8; 4]>::try_from(bytes).map(|it| std::net::IpAddr::from(it).to_string());
            let ipv6 = <[u8; 16]>::try_from(bytes).map(|it| std::net::IpAddr::from(it).to_string());
            ipv4.or(ipv6).ok()
        }
        _ => None,
    }
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

/// Longest text that is shown, in characters.
const MAX_TEXT_LEN: usize = 300;

/// Most names that are shown.
const MAX_NAMES: usize = 50;
