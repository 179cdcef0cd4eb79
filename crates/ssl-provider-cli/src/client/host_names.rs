//! The host names and addresses that a certificate is for, as they are shown.
//! They come from a server that may be hostile: control characters are escaped, and all is bounded.

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::client::refusal::printable;

/// Returns those of subjectAltName, of which there may be none.
pub(crate) fn of(certificate: &CertificateInner<Raw>) -> Vec<String> {
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>().ok().flatten();
    let names = names.map(|(_, names)| names.0.iter().filter_map(name).take(MAX_NAMES).collect());
    names.unwrap_or_default()
}

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

/// Returns a text of a certificate, as much of it as is shown.
pub(crate) fn text(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_TEXT_LEN).collect();
    if shown.len() < text.len() {
        shown.push('\u{2026}');
    }
    printable(&shown)
}

/// Longest text that is shown, in characters.
const MAX_TEXT_LEN: usize = 300;

/// Most names that are shown.
const MAX_NAMES: usize = 50;
