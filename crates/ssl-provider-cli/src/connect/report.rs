//! The report about a connection, as text and as JSON.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use ssl_provider::{Backend, KeyExchange, ProtocolVersion};
use ssl_provider_lab::client::{
    Agreement, ClientCertificate, ClientConnection, ClientEnding, ClientSession, EarlyDataStatus,
    Resumption, ServerInfo,
};
use ssl_provider_wire::Alert;

use super::certificate::Description;
use super::link::Lost;
use crate::client::refusal::{self, printable};
use crate::client::target::Target;
use crate::client::trust::Trust;

/// What is known of a connection besides its session.
pub(super) struct Report<'a> {
    target: &'a Target,
    backend: &'a Backend,
    trust: &'a Trust,
    /// The address of the server, once it has been reached.
    pub(super) address: Option<SocketAddr>,
    /// The time from the start to the end of the handshake.
    pub(super) duration: Duration,
    /// Keying material in hexadecimal, if it was asked for and the session has some.
    pub(super) keying_material: Option<Option<String>>,
}

/// What became of a connection.
pub(super) enum Reached<'a> {
    /// The handshake is complete; with the session, if it can be resumed.
    Established(&'a ServerInfo, Option<&'a ClientSession>),
    /// It failed for this reason; with the connection, if it came so far.
    Failed(&'a str, Option<&'a ClientConnection>),
}

impl<'a> Report<'a> {
    pub(super) fn new(target: &'a Target, backend: &'a Backend, trust: &'a Trust) -> Self {
        let (address, duration) = (None, Duration::ZERO);
        Self { target, backend, trust, address, duration, keying_material: None }
    }

    /// Returns the report as one JSON object.
    pub(super) fn to_json(&self, result: &Reached<'_>) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("target", self.target.to_string().into());
        put("address", self.address.map(|it| it.to_string()).into());
        put("backend", self.backend.info().name.into());
        let certificates = match result {
            Reached::Established(info, session) => {
                put("event", "established".into());
                put("milliseconds", u64::try_from(self.duration.as_millis()).unwrap_or(0).into());
                put("version", info.protocol.to_string().into());
                put("suite", info.suite.name.into());
                put("suite_id", format!("0x{:04x}", info.suite.id.0).into());
                put("key_exchange", info.suite.key_exchange.name().into());
                let agreement = info.agreement;
                put("group", agreement.and_then(|it| it.group).map(|it| it.name()).into());
                put("group_bits", agreement.map(|it| it.bits).into());
                let scheme = agreement.and_then(|it| it.scheme);
                put("signature_scheme", scheme.map(|it| it.name()).into());
                put("extended_master_secret", info.extended_master_secret.into());
                put("encrypt_then_mac", info.encrypt_then_mac.into());
                put("secure_renegotiation", info.secure_renegotiation.into());
                put("alpn", info.application_protocol.as_deref().map(protocol).into());
                put("resumed", info.resumed.map(resumption).into());
                let offers = session.map(|it| if it.has_ticket() { "ticket" } else { "id" });
                put("resumable_by", offers.into());
                put("client_certificate", client_certificate(info.client_certificate).into());
                put("external_psk", info.external_psk.into());
                put("early_data", early_data(info.early_data).into());
                put("retried", info.retried.into());
                if let Some(material) = &self.keying_material {
                    put("keying_material", material.as_deref().into());
                }
                &info.certificates[..]
            }
            Reached::Failed(why, connection) => {
                put("event", "failed".into());
                put("error", (*why).into());
                let ending = connection.and_then(|it| it.ending());
                let (by, alert) = match ending {
                    Some(ClientEnding::Refused(alert)) => (Some("client"), Some(alert.code())),
                    Some(ClientEnding::FailedByServer(code)) => (Some("server"), Some(code)),
                    Some(ClientEnding::Closed) | None => (None, None),
                };
                put("alert", alert.map(Alert::name_of).into());
                put("alert_sent_by", by.into());
                connection.map(|it| it.certificates()).unwrap_or_default()
            }
        };
        let verdict = self.trust.verdict().filter(|_| !certificates.is_empty());
        put("trusted", verdict.as_ref().map(|verdict| verdict.is_ok()).into());
        put("distrust", verdict.and_then(|verdict| verdict.err()).map(|it| printable(&it)).into());
        let described = certificates.iter().map(|der| {
            Description::of(der).map_or(json!({ "error": "unreadable" }), |it| it.to_json())
        });
        put("certificates", described.collect());
        Value::Object(object)
    }

    /// Returns the report as lines for people; of a connection that failed, the certificates.
    pub(super) fn to_text(&self, result: &Reached<'_>) -> String {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut put = |name: &str, value: String| lines.push((name.to_owned(), value));
        let certificates = match result {
            Reached::Established(info, session) => {
                let address = self.address.map(|it| format!(" at {it}")).unwrap_or_default();
                put("server", format!("{}{address}", self.target));
                put("version", info.protocol.to_string());
                let id = info.suite.id.0;
                put("suite", format!("{} (0x{id:04x})", info.suite.name));
                put("key exchange", key_exchange(info));
                put("extended master secret", yes(info.extended_master_secret));
                put("encrypt-then-MAC", yes(info.encrypt_then_mac));
                put("secure renegotiation", yes(info.secure_renegotiation));
                let alpn = info.application_protocol.as_deref().map(protocol);
                put("application protocol", alpn.unwrap_or_else(|| "none".to_owned()));
                put("session", session_text(info, *session));
                put("client certificate", client_certificate(info.client_certificate).to_owned());
                if let Some(became) = early_data(info.early_data) {
                    put("early data", became.to_owned());
                }
                if info.retried {
                    put("hello retry", "the server asked for a second ClientHello".to_owned());
                }
                if let Some(material) = &self.keying_material {
                    put("keying material", material.clone().unwrap_or_else(|| "none".to_owned()));
                }
                put(
                    "time",
                    format!("{} ms, backend {}", self.duration.as_millis(), {
                        self.backend.info().name
                    }),
                );
                &info.certificates[..]
            }
            Reached::Failed(_, connection) => {
                connection.map(|it| it.certificates()).unwrap_or_default()
            }
        };
        if let Some(verdict) = self.trust.verdict().filter(|_| !certificates.is_empty()) {
            put(
                "trusted",
                match verdict {
                    Ok(()) => "yes".to_owned(),
                    Err(why) => format!("no: {}", printable(&why)),
                },
            );
        }
        for (number, der) in certificates.iter().enumerate() {
            put(
                &format!("certificate {number}"),
                match Description::of(der) {
                    Some(_) => format!("{} bytes", der.len()),
                    None => "unreadable".to_owned(),
                },
            );
            for (name, value) in Description::of(der).map(|it| it.to_lines()).unwrap_or_default() {
                put(&format!("  {name}"), value);
            }
        }
        let mut text = String::new();
        for (name, value) in lines {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:24}{value}");
        }
        text
    }
}

/// Why a handshake failed.
pub(super) fn why_failed(connection: &ClientConnection, lost: Option<Lost>) -> String {
    match (refusal::reason(connection), lost) {
        (Some(reason), _) => reason,
        (None, Some(Lost::CutOff)) => {
            "the server closed the connection during the handshake".to_owned()
        }
        (None, Some(lost)) => format!("the handshake: {lost}"),
        (None, None) => "the handshake did not end".to_owned(),
    }
}

fn key_exchange(info: &ServerInfo) -> String {
    if info.resumed.is_some() && info.agreement.is_none() {
        return format!("none, of the session {}", info.suite.key_exchange.name());
    }
    match info.agreement {
        Some(Agreement { group, bits, scheme, .. }) => {
            let group = match group {
                Some(group) => group.name().to_owned(),
                None => format!("a group of the server's own, {bits} bits"),
            };
            let name = match info.suite.key_exchange {
                KeyExchange::Tls13 => "TLS 1.3",
                exchange if exchange.is_dhe() => "DHE",
                _ => "ECDHE",
            };
            match scheme {
                Some(scheme) => format!("{name}, {group}, signed by {}", scheme.name()),
                None => format!("{name}, {group}, with a pre-shared key"),
            }
        }
        None if info.suite.key_exchange == KeyExchange::Rsa => {
            "RSA, without forward secrecy".to_owned()
        }
        None => info.suite.key_exchange.name().to_owned(),
    }
}

fn session_text(info: &ServerInfo, session: Option<&ClientSession>) -> String {
    let resumed = match info.resumed {
        Some(how) => format!("resumed by {}", resumption(how)),
        None => "new".to_owned(),
    };
    let offers = match session.map(ClientSession::has_ticket) {
        // They come behind the handshake.
        None if info.protocol == ProtocolVersion::TLS1_3 => ", tickets may follow",
        Some(true) => ", can be resumed by ticket",
        Some(false) => ", can be resumed by id",
        None => ", cannot be resumed",
    };
    resumed + offers
}

fn resumption(how: Resumption) -> &'static str {
    match how {
        Resumption::Id => "id",
        Resumption::Ticket => "ticket",
    }
}

fn client_certificate(certificate: ClientCertificate) -> &'static str {
    match certificate {
        ClientCertificate::NotRequested => "not requested",
        ClientCertificate::Declined => "requested, and none was sent",
        ClientCertificate::Sent(_) => "sent",
    }
}

/// What became of early data; none if there were none.
fn early_data(status: EarlyDataStatus) -> Option<&'static str> {
    match status {
        EarlyDataStatus::NotOffered => None,
        EarlyDataStatus::Accepted => Some("accepted"),
        EarlyDataStatus::Offered | EarlyDataStatus::Declined => Some("declined"),
    }
}

fn protocol(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

fn yes(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}
