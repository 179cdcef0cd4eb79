//! What is known of a cell once it has been run, and its comparison with what the cell requested.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::interop::cell::{Cell, ClientCertificate, Extra, PSK, Resumption};
use crate::interop::stacks::{Role, Stack};

/// The request of a client; `sslprov serve` closes after its response.
pub(crate) const REQUEST: &[u8] = b"GET /session.json HTTP/1.0\r\n\r\n";

/// What both sides know of a cell.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// The sessions of both connections, as our side reports them.
    pub(crate) sessions: Vec<Value>,
    /// The secrets that the peer reports.
    pub(crate) secrets: Vec<Secret>,
    /// The secrets in the key log of our side.
    pub(crate) own_secrets: Vec<Secret>,
    /// The keying material that the peer exports on each connection of TLS 1.3, in hexadecimal. Our
    /// side reports its own with the sessions.
    pub(crate) exports: Vec<String>,
}

/// What a client of our server tells.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The sessions of its connections, as `sslprov serve` reports them.
    pub(crate) sessions: Vec<Value>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) exports: Vec<String>,
}

/// A master secret or one of the secrets of TLS 1.3, and the client random that it goes with, in
/// hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// What it is, as a key log calls it.
    label: String,
    /// Missing if the peer does not report it.
    client_random: Option<String>,
    pub(crate) secret: String,
}

/// The label of a master secret.
const MASTER_SECRET: &str = "CLIENT_RANDOM";

/// Labels of the secrets that every connection of TLS 1.3 has (RFC 9850 section 2).
const TRAFFIC_SECRETS: [&str; 4] = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
];

impl Secret {
    /// Reads the two words of a master secret; `-` is a client random that is not reported.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        Self::parse_line(&format!("{MASTER_SECRET} {}", words.trim()))
    }

    /// Reads a line of a key log.
    pub(crate) fn parse_line(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
        let client_random = (random != "-").then(|| random.to_lowercase());
        let is_whole = words.next().is_none() && !label.starts_with('#');
        is_whole.then(|| Self {
            label: label.to_owned(),
            client_random,
            secret: secret.to_lowercase(),
        })
    }

    /// The secrets in an NSS key log.
    pub(crate) fn of_key_log(text: &str) -> Vec<Self> {
        // OpenSSL also has the premaster secrets of RSA key exchanges, by their ciphertexts.
        text.lines().filter_map(Self::parse_line).filter(|it| it.label != "RSA").collect()
    }

    /// Returns whether the other side reports the same secret.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let randoms = self.client_random.as_ref().zip(other.client_random.as_ref());
        let is_same = self.label == other.label && self.secret == other.secret;
        is_same && randoms.is_none_or(|(one, two)| one == two)
    }
}

/// Finds the session in the response of `sslprov serve`, wherever it is in the output of a client.
///
/// # Errors
///
/// Fails when the output has no response.
pub(crate) fn session_in(output: &[u8]) -> Result<Value> {
    let output = String::from_utf8_lossy(output);
    let response = output.find("HTTP/1.1 200 OK").and_then(|start| output.get(start..));
    let body = response.and_then(|it| it.find('{').and_then(|start| it.get(start..)));
    let body = body.context("no response")?;
    let mut values = serde_json::Deserializer::from_str(body).into_iter();
    values.next().and_then(Result::ok).context("the response does not describe a session")
}

/// What our side must report of the session of a connection, the first or the second.
fn expected(cell: &Cell, role: Role, is_second: bool) -> Vec<(&'static str, Value)> {
    let is_resumed = is_second && cell.resumption.resumes();
    let group = cell.group.filter(|_| !is_resumed || cell.is_tls13()).map(|group| group.name());
    let is_sent = !is_resumed && cell.client_certificate != ClientCertificate::None;
    let how = is_resumed.then(|| cell.resumption.name());
    let (resumed, client_certificate): (Value, Value) = match role {
        Role::Client => (is_resumed.into(), cell.client_certificate.fingerprint().into()),
        Role::Server => (how.into(), if is_sent { "sent" } else { "not requested" }.into()),
    };
    let mut facts = vec![
        ("version", cell.version.name().into()),
        ("suite", cell.suite.name.into()),
        ("backend", cell.backend.into()),
        ("resumed", resumed),
        ("group", group.into()),
        ("client_certificate", client_certificate),
        ("extended_master_secret", cell.extended_master_secret.into()),
        ("encrypt_then_mac", cell.agrees_encrypt_then_mac().into()),
    ];
    let has_psk = cell.resumption == Resumption::ExternalPsk;
    if cell.is_tls13() {
        let is_early = is_second && cell.extra == Extra::EarlyData;
        facts.extend(match role {
            Role::Client => [
                ("external_psk", has_psk.then_some(PSK.0).into()),
                ("early_data", is_early.then_some(REQUEST.len()).into()),
            ],
            Role::Server => [
                ("external_psk", has_psk.into()),
                ("early_data", is_early.then_some("accepted").into()),
            ],
        });
        // The second time, a client may know which group the server prefers.
        if !is_second {
            facts.push(("retried", cell.retried.into()));
        }
    }
    if role == Role::Server && !is_resumed && !has_psk {
        facts.push(("trusted", json!(true)));
    }
    facts
}

impl Conversation {
    /// Compares the sessions and the secrets with the cell.
    ///
    /// # Errors
    ///
    /// Names what was expected and what came.
    pub(crate) fn check(&self, cell: &Cell, stack: &Stack) -> Result<()> {
        let connections = match stack.role {
            Role::Client => 2,
            Role::Server => cell.connections_to_server(),
        };
        let sessions = &self.sessions;
        let count = sessions.len();
        ensure!(count == connections, "expected {connections} connections, got {count}");
        for (session, is_second) in sessions.iter().zip([false, true]) {
            for (name, wanted) in expected(cell, stack.role, is_second) {
                let got = session.get(name).with_context(|| format!("{name}: not reported"))?;
                ensure!(*got == wanted, "{name}: expected {wanted}, got {got}");
            }
        }
        if cell.is_tls13() {
            self.check_secrets(cell, stack, connections)?;
            return self.check_exports(stack);
        }
        let told = self.secrets.len();
        ensure!(
            told >= stack.secrets.at_least(connections),
            "secrets: the peer reports {told} for {connections} connections"
        );
        for secret in &self.secrets {
            let is_known = self.own_secrets.iter().any(|own| own.agrees_with(secret));
            ensure!(is_known, "secrets: one of the peer is not in our key log");
        }
        Ok(())
    }

    /// Compares the key logs of TLS 1.3 with one another, under the labels that the peer has.
    fn check_secrets(&self, cell: &Cell, stack: &Stack, connections: usize) -> Result<()> {
        // GnuTLS has those of early data for every pre-shared key, and OpenSSL those that KeyUpdate
        // makes, for which RFC 9850 has no label.
        let is_compared = |secret: &&Secret| {
            let is_of_cell = cell.extra == Extra::EarlyData || !secret.label.contains("EARLY_");
            is_of_cell && !secret.label.ends_with("_TRAFFIC_SECRET_N")
        };
        let secrets: Vec<&Secret> = self.secrets.iter().filter(is_compared).collect();
        let labels: BTreeSet<&str> = secrets.iter().map(|it| it.label.as_str()).collect();
        // Some stacks report what is left of a handshake only.
        for label in TRAFFIC_SECRETS.into_iter().skip(2) {
            let told = secrets.iter().filter(|secret| secret.label == label).count();
            let enough = stack.tls13_secrets.at_least(connections);
            ensure!(told >= enough, "secrets: the peer reports {told} {label}");
        }
        for secret in &secrets {
            let is_known = self.own_secrets.iter().any(|own| own.agrees_with(secret));
            ensure!(is_known, "secrets: {} of the peer is not in our key log", secret.label);
        }
        let compared = self.own_secrets.iter().filter(|own| labels.contains(own.label.as_str()));
        for own in compared {
            let is_known = secrets.iter().any(|secret| secret.agrees_with(own));
            ensure!(is_known, "secrets: our {} is not in the key log of the peer", own.label);
        }
        let has_all = |label: &&&str| {
            let own = self.own_secrets.iter().filter(|own| own.label == ***label);
            // GnuTLS connects once more to get a session.
            own.count() >= connections
        };
        let expected = TRAFFIC_SECRETS.iter().chain(&["EXPORTER_SECRET"]);
        let missing = expected.clone().count() - expected.filter(has_all).count();
        ensure!(missing == 0, "secrets: our key log lacks {missing} labels of a connection");
        Ok(())
    }

    /// Compares the keying material that both sides export.
    fn check_exports(&self, stack: &Stack) -> Result<()> {
        let own = self.sessions.iter().map(|session| &session["keying_material"]);
        if !stack.exports.is_compared() {
            return Ok(());
        }
        let (told, count) = (self.exports.len(), self.sessions.len());
        ensure!(told == count, "keying_material: the peer reports {told} of {count}");
        for (own, peer) in own.zip(&self.exports) {
            let peer = peer.to_lowercase();
            ensure!(*own == json!(peer), "keying_material: expected {own}, the peer has {peer}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::cell::{Group, SUITES, Version};
    use crate::interop::stacks::CLIENTS;

    const ANSWER: &str = "- Handshake was completed {}\nHTTP/1.1 200 OK\r\nDate: x\r\n\r\n\
        {\"version\": \"TLS 1.2\", \"suite\": \"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\", \
        \"backend\": \"ring\", \"extended_master_secret\": true, \"encrypt_then_mac\": true, \
        \"resumed\": false, \"group\": \"x25519\", \"client_certificate\": null}- closed";

    fn cell() -> Cell {
        Cell {
            backend: "ring",
            version: Version::Tls1_2,
            suite: SUITES.iter().find(|suite| suite.id == 0xC013).unwrap(),
            group: Some(Group::X25519),
            client_certificate: ClientCertificate::None,
            resumption: Resumption::Id,
            extended_master_secret: true,
            encrypt_then_mac: true,
            retried: false,
            extra: Extra::Nothing,
        }
    }

    fn conversation(second: &str) -> Conversation {
        let secret = || vec![Secret::parse("aa bb").unwrap(), Secret::parse("cc bb").unwrap()];
        let sessions = [ANSWER, second].map(|answer| session_in(answer.as_bytes()).unwrap());
        Conversation {
            sessions: sessions.into(),
            secrets: secret(),
            own_secrets: secret(),
            exports: Vec::new(),
        }
    }

    #[test]
    fn whatever_differs_from_the_cell_is_red() {
        let stack = &CLIENTS[0];
        let check = |second: &str| conversation(second).check(&cell(), stack);
        let resumed =
            ANSWER.replace("\"resumed\": false", "\"resumed\": true").replace("\"x25519\"", "null");
        check(&resumed).unwrap();
        assert!(check(ANSWER).is_err());
        for (right, wrong) in [
            ("TLS 1.2", "TLS 1.1"),
            ("AES_128", "AES_256"),
            ("\"ring\"", "\"openssl\""),
            ("secret\": true", "secret\": false"),
            ("mac\": true", "mac\": false"),
            ("mac\": true", "mac\": \"yes\""),
            ("\"group\": null", "\"group\": \"secp256r1\""),
            ("\"group\": null, ", ""),
            ("certificate\": null", "certificate\": \"aa\""),
        ] {
            let wrong = resumed.replace(right, wrong);
            assert_ne!(wrong, resumed, "{right}");
            assert!(check(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_must_be_there_and_equal() {
        let stack = &CLIENTS[0];
        let resumed =
            ANSWER.replace("\"resumed\": false", "\"resumed\": true").replace("\"x25519\"", "null");
        let mut few = conversation(&resumed);
        few.secrets.pop();
        assert!(few.check(&cell(), stack).is_err());
        let mut other = conversation(&resumed);
        other.own_secrets[0].secret = "cc".into();
        assert!(other.check(&cell(), stack).is_err());
        let mut once = conversation(&resumed);
        once.sessions.pop();
        assert!(once.check(&cell(), stack).is_err());
    }

    /// Of two connections with certificates, as our server and a client report them.
    fn of_tls13() -> (Cell, Conversation) {
        let cell = Cell {
            version: Version::Tls1_3,
            suite: SUITES.iter().find(|suite| suite.id == 0x1301).unwrap(),
            resumption: Resumption::None,
            encrypt_then_mac: false,
            ..cell()
        };
        let session = json!({
            "version": "TLS 1.3", "suite": "TLS_AES_128_GCM_SHA256", "backend": "ring",
            "extended_master_secret": true, "encrypt_then_mac": false, "resumed": false,
            "group": "x25519", "client_certificate": null, "external_psk": null,
            "early_data": null, "retried": false, "keying_material": "0a",
        });
        let labels = TRAFFIC_SECRETS.iter().chain(&["EXPORTER_SECRET"]);
        let lines = labels.flat_map(|label| [format!("{label} aa 01"), format!("{label} bb 02")]);
        let secrets: Vec<_> = lines.filter_map(|line| Secret::parse_line(&line)).collect();
        let conversation = Conversation {
            sessions: vec![session.clone(), session],
            own_secrets: secrets.clone(),
            secrets,
            exports: vec!["0A".into(), "0a".into()],
        };
        (cell, conversation)
    }

    #[test]
    fn key_logs_and_keying_material_of_tls_1_3_must_be_there_and_equal() {
        let stack = &CLIENTS[0];
        let found = |alter: fn(&mut Conversation)| {
            let (cell, mut conversation) = of_tls13();
            alter(&mut conversation);
            conversation.check(&cell, stack).err().map(|error| error.to_string())
        };
        assert_eq!(found(|_| {}), None);
        let secrets = |alter| assert!(found(alter).unwrap().starts_with("secrets:"));
        secrets(|it| it.own_secrets[9].secret = "03".into());
        secrets(|it| drop(it.own_secrets.pop()));
        secrets(|it| drop(it.secrets.remove(9)));
        secrets(|it| it.secrets.retain(|it| it.label != "SERVER_TRAFFIC_SECRET_0"));
        secrets(|it| it.secrets[0].client_random = Some("cc".into()));
        let material = |alter| assert!(found(alter).unwrap().starts_with("keying_material:"));
        material(|it| it.exports[1] = "0b".into());
        material(|it| it.sessions[0]["keying_material"] = json!("0b"));
        material(|it| it.sessions[0]["keying_material"] = Value::Null);
        material(|it| drop(it.exports.pop()));
        // What RFC 9850 has no label for, and early secrets where no data are early.
        let more = ["CLIENT_TRAFFIC_SECRET_N aa 05", "CLIENT_EARLY_TRAFFIC_SECRET aa 06"];
        let (cell, mut conversation) = of_tls13();
        conversation.secrets.extend(more.iter().filter_map(|line| Secret::parse_line(line)));
        conversation.check(&cell, stack).unwrap();
    }

    #[test]
    fn secrets_agree_by_client_random_where_both_tell_it() {
        let secrets =
            Secret::of_key_log("# comment\nRSA aa dd\nCLIENT_RANDOM AA bb\nCLIENT_RANDOM cc bb\n");
        assert_eq!(secrets.len(), 2);
        assert!(!secrets[0].agrees_with(&secrets[1]));
        assert!(Secret::parse("aa bb").unwrap().agrees_with(&secrets[0]));
        assert!(Secret::parse("- bb").unwrap().agrees_with(&secrets[1]));
        assert!(!Secret::parse("- cc").unwrap().agrees_with(&secrets[1]));
    }
}
