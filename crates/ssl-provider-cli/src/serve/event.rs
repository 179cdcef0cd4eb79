//! The events of `sslprov serve`, as JSON and as lines for people.

use std::net::SocketAddr;

use serde_json::{Value, json};
use ssl_provider::SignatureScheme;
use ssl_provider_lab::{Cause, End, Ending, Event, NamedGroup, SessionInfo};
use ssl_provider_wire::Alert;

use crate::serve::advice::Advisor;

/// Returns an event as a line of JSON.
pub(super) fn as_json(event: Event<'_>, advisor: &Advisor) -> Value {
    match event {
        Event::Established { peer, session } => {
            let mut object = session.to_json();
            object.insert("event".to_owned(), "established".into());
            object.insert("peer".to_owned(), peer.to_string().into());
            Value::Object(object)
        }
        Event::Ended { peer, how, cause } => {
            let (reason, alert) = reason(how);
            json!({
                "event": "ended",
                "peer": peer.to_string(),
                "reason": reason,
                "alert": alert,
                "detail": cause.map(Cause::to_string),
                "advice": cause.and_then(|cause| advisor.advice(cause)),
            })
        }
        Event::CannotAccept { error } => {
            json!({ "event": "cannot accept", "detail": error.to_string() })
        }
        other => json!({ "event": "other", "detail": format!("{other:?}") }),
    }
}

/// Returns an event as a line for people.
pub(super) fn as_text(event: Event<'_>, advisor: &Advisor) -> String {
    match event {
        Event::Established { peer, session } => established(peer, session),
        Event::Ended { peer, how, cause } => {
            let (reason, alert) = reason(how);
            let advice = cause.and_then(|cause| advisor.advice(cause));
            let advice = advice.map(|it| format!("; {it}")).unwrap_or_default();
            let parts = [Some(reason.to_owned()), alert, cause.map(Cause::to_string)];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("{peer}: {}{advice}", parts.join(": "))
        }
        Event::CannotAccept { error } => {
            format!("cannot accept connections, so idle ones are closed sooner: {error}")
        }
        other => format!("{other:?}"),
    }
}

fn established(peer: SocketAddr, session: &SessionInfo) -> String {
    let mut line = format!("{peer}: {}, {}", session.protocol, session.suite.name);
    let names =
        [session.group.map(NamedGroup::name), session.signature_scheme.map(SignatureScheme::name)];
    for name in names.into_iter().flatten() {
        line.push_str(", ");
        line.push_str(name);
    }
    for (flag, text) in [
        (session.extended_master_secret, ", extended master secret"),
        (session.encrypt_then_mac, ", encrypt-then-MAC"),
        (session.resumed, ", resumed"),
        (session.external_psk.is_some(), ", external pre-shared key"),
        (session.early_data.is_some(), ", early data"),
    ] {
        if flag {
            line.push_str(text);
        }
    }
    line
}

/// Returns why a connection ended, with the name of the alert that was sent for it, if any.
fn reason(how: End) -> (&'static str, Option<String>) {
    match how {
        End::Tls(Ending::Closed) => ("closed", None),
        End::Tls(Ending::Refused(it)) => ("refused", Some(Alert::name_of(it.code()))),
        End::Tls(Ending::FailedByClient(code)) => ("failed by client", Some(Alert::name_of(code))),
        End::Lost => ("lost", None),
        End::TimedOut => ("timed out", None),
        _ => ("ended", None),
    }
}
