//! The page: one HTTP request on a connection, one response about the session, then closed.
//! Nothing that the client sent is shown, so there is nothing to escape.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::connection::SessionInfo;
use crate::settings::Settings;

/// Longest request in bytes, up to the empty line that ends its header section.
const MAX_REQUEST_LEN: usize = 8 << 10;

/// A request that is being received.
#[derive(Debug, Default)]
pub(crate) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// Adds bytes, and returns the response once the request is complete or too long.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        session: &SessionInfo,
        facts: impl FnOnce() -> Map<String, Value>,
    ) -> Option<Vec<u8>> {
        // One byte more than the limit is kept, which shows that it was exceeded.
        let room = (MAX_REQUEST_LEN + 1).saturating_sub(self.bytes.len());
        // The empty line may have begun in earlier bytes.
        let start = self.bytes.len().saturating_sub(3);
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if !ends_header(self.bytes.get(start..).unwrap_or_default()) {
            let too_long = self.bytes.len() > MAX_REQUEST_LEN;
            return too_long.then(|| error("431 Request Header Fields Too Large"));
        }
        Some(respond(&self.bytes, session, facts))
    }
}

/// Whether the empty line has been received; bare LF is accepted.
fn ends_header(bytes: &[u8]) -> bool {
    let has = |end: &[u8]| bytes.windows(end.len()).any(|window| window == end);
    has(b"\r\n\r\n") || has(b"\n\n")
}

fn respond(
    request: &[u8],
    session: &SessionInfo,
    facts: impl FnOnce() -> Map<String, Value>,
) -> Vec<u8> {
    let line = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(b"HTTP/1.0" | b"HTTP/1.1"), None) =
        (method, target, version, words.next())
    else {
        return error("400 Bad Request");
    };
    let with_body = match method {
        b"GET" => true,
        b"HEAD" => false,
        _ => return error("405 Method Not Allowed\r\nAllow: GET, HEAD"),
    };
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let object = facts();
    let (content_type, body) = match path {
        b"/" => ("text/html; charset=utf-8", html(&labelled(object), session)),
        b"/plain" => ("text/plain; charset=utf-8", plain(&labelled(object))),
        b"/session.json" => ("application/json", format!("{}\n", Value::Object(object))),
        _ => return error("404 Not Found"),
    };
    response("200 OK", content_type, &body, with_body)
}

fn error(status: &str) -> Vec<u8> {
    let text = status.lines().next().unwrap_or_default();
    response(status, "text/plain; charset=utf-8", &format!("{text}\n"), true)
}

fn response(status: &str, content_type: &str, body: &str, with_body: bool) -> Vec<u8> {
    let shown = if with_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\nCache-Control: no-store\r\n\r\n{shown}",
        body.len()
    )
    .into_bytes()
}

/// A label on the page, and its value.
type Fact = (&'static str, Value);

/// Keys in the JSON with their labels on the page, in the order of the page.
const LABELS: [(&str, &str); 13] = [
    ("version", "Version"),
    ("suite", "Cipher suite"),
    ("suite_id", "Suite number"),
    ("group", "Group"),
    ("signature_scheme", "Signature scheme"),
    ("backend", "Backend"),
    ("library", "Library"),
    ("extended_master_secret", "Extended master secret"),
    ("encrypt_then_mac", "Encrypt-then-MAC"),
    ("resumed", "Resumed"),
    ("secure_renegotiation", "Secure renegotiation"),
    ("application_protocol", "Application protocol"),
    ("client_certificate", "Client certificate (SHA-256)"),
];

/// Returns what the page shows, with keying material if some was asked for.
pub(crate) fn page_facts(
    settings: &Settings,
    session: &SessionInfo,
    keying_material: Option<String>,
) -> Map<String, Value> {
    let backend = settings.provider.backend().info();
    let mut object = session.to_json();
    object.insert("backend".to_owned(), backend.name.into());
    object.insert("library".to_owned(), backend.library.clone().into());
    if settings.options.exported_label.is_some() {
        object.insert("keying_material".to_owned(), keying_material.into());
    }
    object
}

fn labelled(mut object: Map<String, Value>) -> Vec<Fact> {
    let fact = |(key, label)| (label, object.remove(key).unwrap_or_default());
    LABELS.map(fact).into()
}

fn words(value: &Value) -> &str {
    match value {
        Value::String(text) => text,
        Value::Bool(true) => "yes",
        Value::Bool(false) => "no",
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => "none",
    }
}

fn html(facts: &[Fact], session: &SessionInfo) -> String {
    let secrecy = match session.suite.key_exchange.is_rsa() {
        true => "Anyone who obtains its key can decrypt this session later.",
        false => "The keys of this session were ephemeral (forward secrecy).",
    };
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>sslprov serve</title></head>\n<body><h1>sslprov serve</h1>\n\
         <p>A server for the lab. {secrecy}</p>\n\
         <table>\n",
    );
    for (name, value) in facts {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "<tr><th align=\"left\">{name}</th><td>{}</td></tr>", words(value));
    }
    page.push_str("</table></body></html>\n");
    page
}

fn plain(facts: &[Fact]) -> String {
    facts.iter().map(|(name, value)| format!("{name}: {}\n", words(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(request: &str) -> String {
        let response = String::from_utf8(reply(request, request.len()).unwrap()).unwrap();
        let (header, _) = response.split_once("\r\n\r\n").unwrap();
        header.split_whitespace().nth(1).unwrap().to_owned()
    }

    fn reply(request: &str, piece_len: usize) -> Option<Vec<u8>> {
        let settings = crate::tests::settings();
        let session = crate::tests::session_info();
        let mut collected = Request::default();
        request.as_bytes().chunks(piece_len).find_map(|piece| {
            collected.receive(piece, &session, || page_facts(&settings, &session, None))
        })
    }

    #[test]
    fn the_page_names_version_suite_and_backend_in_three_forms() {
        let backend = ssl_provider::default_backend().unwrap().info().name;
        for path in ["/", "/plain", "/session.json", "/?x=1"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let whole = reply(&request, request.len()).unwrap();
            assert_eq!(reply(&request, 1).as_ref(), Some(&whole), "{path}");
            let text = String::from_utf8(whole).unwrap();
            for part in ["TLS 1.2", "TLS_RSA_WITH_AES_128_CBC_SHA", backend, "HTTP/1.1 200 OK"] {
                assert!(text.contains(part), "{path}: {part}: {text}");
            }
        }
    }

    #[test]
    fn what_the_json_has_is_on_the_page_too() {
        let object = page_facts(&crate::tests::settings(), &crate::tests::session_info(), None);
        for key in object.keys() {
            assert!(LABELS.iter().any(|(known, _)| known == key), "{key}");
        }
        assert_eq!(object.len(), LABELS.len());
    }

    #[test]
    fn a_response_to_head_has_the_length_of_the_body_that_it_leaves_out() {
        let text = |method| {
            let response = reply(&format!("{method} / HTTP/1.0\n\n"), 100).unwrap();
            String::from_utf8(response).unwrap()
        };
        let (header, body) =
            text("GET").split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.len())).unwrap();
        assert!(header.contains(&format!("Content-Length: {body}\r\n")), "{header}");
        assert_eq!(text("HEAD"), header + "\r\n\r\n");
    }

    #[test]
    fn other_requests_get_the_status_of_their_error() {
        assert_eq!(status("POST / HTTP/1.1\r\n\r\n"), "405");
        assert_eq!(status("GET /nowhere HTTP/1.1\r\n\r\n"), "404");
        for bad in ["GET /\r\n\r\n", "\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET /  HTTP/1.1\r\n\r\n"]
        {
            assert_eq!(status(bad), "400", "{bad:?}");
        }
        assert_eq!(status(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9000))), "431");
        assert_eq!(reply("GET / HTTP/1.1\r\nHost: x\r\n", 5), None);
    }
}
