//! What is known of a cell once it has been run, and its comparison with what the cell requested.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::interop::cell::{Cell, ClientCertificate, Resumption};
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
}

/// A master secret and the client random that it goes with, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// Missing if the peer does not report it.
    client_random: Option<String>,
    pub(crate) master_secret: String,
}

impl Secret {
    /// Reads the two words of a secret; `-` is a client random that is not reported.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let (client_random, master_secret) = words.trim().split_once(' ')?;
        let client_random = (client_random != "-").then(|| client_random.to_lowercase());
        Some(Self { client_random, master_secret: master_secret.to_lowercase() })
    }

    /// The secrets in an NSS key log.
    pub(crate) fn of_key_log(text: &str) -> Vec<Self> {
        text.lines()
            .filter_map(|line| line.strip_prefix("CLIENT_RANDOM "))
            .filter_map(Self::parse)
            .collect()
    }

    /// Returns whether the other side reports the same secret.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let randoms = self.client_random.as_ref().zip(other.client_random.as_ref());
        self.master_secret == other.master_secret && randoms.is_none_or(|(one, two)| one == two)
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

/// What our side must report of a session.
fn expected(cell: &Cell, role: Role, is_resumed: bool) -> Vec<(&'static str, Value)> {
    let group = cell.group.filter(|_| !is_resumed).map(|group| group.name());
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
    if role == Role::Server && !is_resumed {
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
        let single = stack.role == Role::Server && cell.resumption == Resumption::None;
        let connections = if single { 1 } else { 2 };
        let sessions = &self.sessions;
        let count = sessions.len();
        ensure!(count == connections, "expected {connections} connections, got {count}");
        let resumes = cell.resumption != Resumption::None;
        for (session, is_resumed) in sessions.iter().zip([false, resumes]) {
            for (name, wanted) in expected(cell, stack.role, is_resumed) {
                let got = session.get(name).with_context(|| format!("{name}: not reported"))?;
                ensure!(*got == wanted, "{name}: expected {wanted}, got {got}");
            }
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
        }
    }

    fn conversation(second: &str) -> Conversation {
        let secret = || vec![Secret::parse("aa bb").unwrap(), Secret::parse("cc bb").unwrap()];
        let sessions = [ANSWER, second].map(|answer| session_in(answer.as_bytes()).unwrap());
        Conversation { sessions: sessions.into(), secrets: secret(), own_secrets: secret() }
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
        other.own_secrets[0].master_secret = "cc".into();
        assert!(other.check(&cell(), stack).is_err());
        let mut once = conversation(&resumed);
        once.sessions.pop();
        assert!(once.check(&cell(), stack).is_err());
    }

    #[test]
    fn secrets_agree_by_client_random_where_both_tell_it() {
        let secrets = Secret::of_key_log("# comment\nCLIENT_RANDOM AA bb\nCLIENT_RANDOM cc bb\n");
        assert_eq!(secrets.len(), 2);
        assert!(!secrets[0].agrees_with(&secrets[1]));
        assert!(Secret::parse("aa bb").unwrap().agrees_with(&secrets[0]));
        assert!(Secret::parse("- bb").unwrap().agrees_with(&secrets[1]));
        assert!(!Secret::parse("- cc").unwrap().agrees_with(&secrets[1]));
    }
}
