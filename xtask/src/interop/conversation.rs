//! What a client reports about a cell, and its comparison with what the cell requested.
//! Every cell is two connections: the second offers the session of the first.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::interop::cell::Cell;

/// The request of a client; the server closes after its response.
pub(crate) const REQUEST: &[u8] = b"GET /session.json HTTP/1.0\r\n\r\n";

/// What a client received and knows.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// The server's responses, one for each connection, perhaps with other output.
    pub(crate) answers: Vec<Vec<u8>>,
    /// The secrets that the client reports.
    pub(crate) secrets: Vec<Secret>,
}

/// A master secret and the client random that it goes with, in hexadecimal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// Missing if the client does not report it.
    client_random: Option<String>,
    master_secret: String,
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

/// A session as the server describes it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Session {
    version: String,
    suite: String,
    backend: String,
    extended_master_secret: bool,
    encrypt_then_mac: bool,
    resumed: bool,
}

impl Session {
    /// Finds and reads the JSON object of an HTTP response, whatever a client printed around it.
    ///
    /// # Errors
    ///
    /// Fails when there is no response, or a field is missing.
    pub(crate) fn find(answer: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(answer);
        let response = text.find("HTTP/1.").and_then(|start| text.get(start..));
        let object = response.and_then(|response| response.get(response.find('{')?..));
        serde_json::Deserializer::from_str(object.context("no response")?)
            .into_iter()
            .next()
            .context("no response")?
            .context("the response does not describe a session")
    }

    /// Returns the session that a cell requests.
    fn of_cell(cell: &Cell, backend: &str, resumed: bool) -> Self {
        Self {
            version: cell.version.name().into(),
            suite: cell.suite.name.into(),
            backend: backend.into(),
            extended_master_secret: cell.extended_master_secret,
            encrypt_then_mac: cell.agrees_encrypt_then_mac(),
            resumed,
        }
    }
}

impl Conversation {
    /// Compares both sessions with the cell; the second is resumed if the client can do that.
    ///
    /// # Errors
    ///
    /// Names what was expected and what came.
    pub(crate) fn check(&self, cell: &Cell, backend: &str, resumes: bool) -> Result<()> {
        ensure!(self.answers.len() == 2, "expected 2 responses, got {}", self.answers.len());
        for (answer, resumed) in self.answers.iter().zip([false, resumes]) {
            let session = Session::find(answer)?;
            let expected = Session::of_cell(cell, backend, resumed);
            ensure!(session == expected, "expected {expected:?}, got {session:?}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::cell::{SUITES, Version};

    const ANSWER: &str = "- Handshake was completed {}\nHTTP/1.1 200 OK\r\nDate: x\r\n\r\n\
        {\"version\": \"TLS 1.2\", \"suite\": \"TLS_RSA_WITH_AES_128_CBC_SHA\", \
        \"backend\": \"ring\", \"extended_master_secret\": true, \"encrypt_then_mac\": true, \
        \"resumed\": false}- Peer has closed";

    fn cell() -> Cell {
        Cell {
            version: Version::Tls1_2,
            suite: &SUITES[6],
            extended_master_secret: true,
            encrypt_then_mac: true,
        }
    }

    fn conversation(second: &str) -> Conversation {
        let answers = vec![ANSWER.into(), second.into()];
        Conversation { answers, secrets: Vec::new() }
    }

    #[test]
    fn a_response_is_found_among_other_output() {
        let session = Session::find(ANSWER.as_bytes()).unwrap();
        assert_eq!(session, Session::of_cell(&cell(), "ring", false));
    }

    #[test]
    fn whatever_differs_from_the_cell_is_red() {
        let resumed = ANSWER.replace("\"resumed\": false", "\"resumed\": true");
        assert!(conversation(&resumed).check(&cell(), "ring", true).is_ok());
        assert!(conversation(&resumed).check(&cell(), "ring", false).is_err());
        assert!(conversation(&resumed).check(&cell(), "openssl", true).is_err());
        assert!(conversation(ANSWER).check(&cell(), "ring", true).is_err());
        for (right, wrong) in [
            ("TLS 1.2", "TLS 1.1"),
            ("AES_128", "AES_256"),
            ("secret\": true", "secret\": false"),
            ("mac\": true", "mac\": false"),
            ("mac\": true", "mac\": \"yes\""),
            ("HTTP/1.1", "HTTP/9"),
        ] {
            let wrong = resumed.replace(right, wrong);
            assert!(conversation(&wrong).check(&cell(), "ring", true).is_err(), "{wrong}");
        }
        let once = Conversation { answers: vec![ANSWER.into()], secrets: Vec::new() };
        assert!(once.check(&cell(), "ring", false).is_err());
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
