//! The files of TLS 1.3: the key schedule, and records.

use serde::{Deserialize, Serialize};

use super::{Class, Exporter, Hex, SequenceNumber, Verdict, Wire};

/// Tests of the key schedule under one suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls13KeyScheduleGroup {
    /// `Tls13KeySchedule`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `TLS 1.3`.
    pub protocol: String,
    /// The version on the wire.
    pub version: Wire,
    /// The name of the suite in the IANA registry.
    pub suite: String,
    /// The number of the suite.
    pub suite_number: Wire,
    /// Its hash: `SHA256` or `SHA384`.
    pub hash: String,
    /// The tests.
    pub tests: Vec<Tls13KeyScheduleTest>,
}

/// One handshake, from pre-shared key and (EC)DHE secret to every secret that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls13KeyScheduleTest {
    /// The number of the test.
    pub tc_id: u32,
    /// What the test is.
    pub comment: String,
    /// What is special about it.
    pub flags: Vec<String>,
    /// The pre-shared key, with what there is for its sake only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub psk: Option<Tls13Psk>,
    /// The (EC)DHE secret; none in the mode psk_ke.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shared_secret: Option<Hex>,
    /// The messages.
    pub messages: Tls13Messages,
    /// The Early Secret.
    pub early_secret: Hex,
    /// The Handshake Secret.
    pub handshake_secret: Hex,
    /// client_handshake_traffic_secret.
    pub client_handshake_traffic_secret: Hex,
    /// server_handshake_traffic_secret.
    pub server_handshake_traffic_secret: Hex,
    /// The verify_data of the server's Finished.
    pub server_verify_data: Hex,
    /// The verify_data of the client's Finished.
    pub client_verify_data: Hex,
    /// The Master Secret.
    pub master_secret: Hex,
    /// client_application_traffic_secret_0, and those after each KeyUpdate.
    pub client_application_traffic_secrets: Vec<Hex>,
    /// server_application_traffic_secret_0, and those after each KeyUpdate.
    pub server_application_traffic_secrets: Vec<Hex>,
    /// exporter_master_secret.
    pub exporter_master_secret: Hex,
    /// A call of the exporter; a context that is null is the same as an empty one.
    pub exporter: Exporter,
    /// resumption_master_secret.
    pub resumption_master_secret: Hex,
    /// The nonce of a ticket.
    pub ticket_nonce: Hex,
    /// The pre-shared key of that ticket.
    pub resumption_psk: Hex,
    /// What must be done, which is always `valid`.
    pub result: Verdict,
}

/// A pre-shared key that was offered and taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls13Psk {
    /// The key.
    pub key: Hex,
    /// `external` or `resumption`.
    pub origin: String,
    /// Bytes of the list of binders, which ends ClientHello and which the binder is not over.
    pub binders_length: usize,
    /// The key of the binder.
    pub binder_key: Hex,
    /// The binder.
    pub binder: Hex,
    /// client_early_traffic_secret.
    pub client_early_traffic_secret: Hex,
    /// early_exporter_master_secret.
    pub early_exporter_master_secret: Hex,
}

/// Handshake messages with their headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls13Messages {
    /// The ClientHello that HelloRetryRequest answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retried_client_hello: Option<Hex>,
    /// HelloRetryRequest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hello_retry_request: Option<Hex>,
    /// ClientHello, which ends with the binder where there is one.
    pub client_hello: Hex,
    /// ServerHello.
    pub server_hello: Hex,
    /// What the server sends between ServerHello and Finished.
    pub server_flight: Hex,
    /// The server's Finished.
    pub server_finished: Hex,
    /// What the client sends before its Finished; empty where that is nothing.
    pub client_flight: Hex,
    /// The client's Finished.
    pub client_finished: Hex,
}

/// Tests of records under one traffic secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls13RecordGroup {
    /// `Tls13Record`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `TLS 1.3`.
    pub protocol: String,
    /// The version on the wire.
    pub version: Wire,
    /// The name of the suite in the IANA registry.
    pub suite: String,
    /// The number of the suite.
    pub suite_number: Wire,
    /// The traffic secret.
    pub traffic_secret: Hex,
    /// The key of the cipher, which follows from it.
    pub write_key: Hex,
    /// The IV, which follows from it.
    pub write_iv: Hex,
    /// The tests.
    pub tests: Vec<Tls13RecordTest>,
}

/// One record, as its reader gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls13RecordTest {
    /// The number of the test.
    pub tc_id: u32,
    /// What the test is.
    pub comment: String,
    /// What is special about it.
    pub flags: Vec<String>,
    /// The sequence number that the reader expects.
    pub sequence_number: SequenceNumber,
    /// The content type that is encrypted; where the test is invalid, none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_type: Option<u8>,
    /// The plaintext without content type and padding; where the test is invalid, none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plaintext: Option<Hex>,
    /// The record with its header.
    pub record: Hex,
    /// What must be done.
    pub result: Verdict,
    /// How, where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<Class>,
}
