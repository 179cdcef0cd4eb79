//! The JSON schemas of the files, for readers in other languages.

use serde_json::{Map, Value, json};

/// The name of each file and its schema as text.
pub(super) fn all() -> [(&'static str, String); 6] {
    [
        ("tls_rsa_import", rsa_import()),
        ("tls_key_schedule", key_schedule()),
        ("tls_records", records()),
        ("tls_key_agreement", key_agreement()),
        ("tls13_key_schedule", tls13_key_schedule()),
        ("tls13_records", tls13_records()),
    ]
    .map(|(name, group)| (name, schema(name, group)))
}

/// A field: its name, its schema, and whether every object has it.
type Field = (&'static str, Value, bool);

fn hex() -> Value {
    reference("hex")
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// Bytes of one of these lengths.
fn bytes(lengths: &[usize]) -> Value {
    let digits: Vec<String> =
        lengths.iter().map(|len| format!("[0-9a-f]{{{}}}", 2 * len)).collect();
    json!({ "type": "string", "pattern": format!("^({})$", digits.join("|")) })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn one_of(values: &[&str]) -> Value {
    json!({ "enum": values })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn object(fields: Vec<Field>) -> Value {
    let required: Vec<_> = fields.iter().filter(|field| field.2).map(|field| field.0).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema, _)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn protocol() -> [Field; 2] {
    [("protocol", reference("protocol"), true), ("version", bytes(&[2]), true)]
}

fn suite() -> [Field; 2] {
    [("suite", text(), true), ("suiteNumber", bytes(&[2]), true)]
}

/// What an exchange has from its hellos.
fn hellos() -> [Field; 3] {
    [
        ("clientRandom", bytes(&[32]), true),
        ("serverRandom", bytes(&[32]), true),
        ("sessionHash", bytes(&[32, 36, 48]), false),
    ]
}

fn group(types: &[&str], fields: Vec<Field>, test: Vec<Field>) -> Value {
    let test_fields = [
        ("tcId", json!({ "type": "integer", "minimum": 1 }), true),
        ("comment", text(), true),
        ("flags", list(text()), true),
        ("result", one_of(&["valid", "invalid"]), true),
    ];
    let test = object(test_fields.into_iter().chain(test).collect());
    let kind = [("type", one_of(types), true), ("tests", list(test), true)];
    object(kind.into_iter().chain(fields).collect())
}

fn class(names: &[&str]) -> Field {
    ("class", one_of(names), false)
}

fn rsa_import() -> Value {
    let numbers = ["n", "e", "d", "p", "q", "pkcs1"].map(|name| (name, hex(), true));
    let bits = ("bits", json!({ "type": "integer", "minimum": 1024 }), true);
    let key = object([bits].into_iter().chain(numbers).collect());
    let rejection = object(vec![
        ("note", text(), true),
        ("premaster", bytes(&[48]), true),
        ("masterSecret", bytes(&[48]), true),
    ]);
    let test = [
        ("clientVersion", bytes(&[2]), true),
        ("encryptedPremaster", hex(), true),
        ("premaster", bytes(&[48]), false),
        ("masterSecret", bytes(&[48]), false),
        ("implicitRejection", rejection, false),
        class(&["must-look-like-any-other-failure"]),
    ];
    let test = protocol().into_iter().chain(suite()).chain(hellos()).chain(test).collect();
    group(&["TlsRsaImport"], vec![("key", key, true)], test)
}

fn key_schedule() -> Value {
    let test = [
        ("prf", one_of(&["SSL3", "MD5+SHA1", "SHA256", "SHA384"]), true),
        ("premaster", hex(), true),
        ("messages", hex(), true),
        ("masterSecret", bytes(&[48]), true),
        ("keyBlock", hex(), true),
        ("keys", reference("keys"), true),
        ("clientVerifyData", bytes(&[12, 36]), true),
        ("clientFinished", hex(), true),
        ("serverVerifyData", bytes(&[12, 36]), true),
        ("exporters", list(exporter()), true),
    ];
    let test = suite().into_iter().chain(hellos()).chain(test).collect();
    group(&["TlsKeySchedule"], protocol().to_vec(), test)
}

fn records() -> Value {
    let keys = ["macKey", "writeKey", "writeIv"].map(|name| (name, hex(), true));
    let then_mac = ("encryptThenMac", json!({ "type": "boolean" }), true);
    let fields = protocol().into_iter().chain(suite()).chain([then_mac]).chain(keys).collect();
    let test = vec![
        ("preceding", list(hex()), false),
        ("sequenceNumber", bytes(&[8]), true),
        ("contentType", json!({ "type": "integer", "minimum": 0 }), true),
        ("plaintext", hex(), false),
        ("record", hex(), true),
        class(&["must-look-like-any-other-failure", "record-overflow"]),
    ];
    group(&["TlsRecord"], fields, test)
}

fn key_agreement() -> Value {
    let fields = vec![
        ("group", text(), true),
        ("groupNumber", bytes(&[2]), false),
        ("prime", hex(), false),
        ("generator", hex(), false),
    ];
    let test = [
        ("clientPrivate", hex(), true),
        ("clientPublic", hex(), true),
        ("serverPrivate", hex(), false),
        ("serverPublic", hex(), true),
        ("sharedSecret", hex(), false),
        ("premaster", hex(), false),
        ("masterSecret", bytes(&[48]), false),
        ("keys", reference("keys"), false),
        class(&["invalid-public-key"]),
    ];
    let test = protocol().into_iter().chain(suite()).chain(hellos()).chain(test).collect();
    group(&["TlsEcdhe", "TlsDhe"], fields, test)
}

fn exporter() -> Value {
    object(vec![
        ("label", text(), true),
        ("context", json!({ "anyOf": [reference("hex"), { "type": "null" }] }), true),
        ("keyingMaterial", hex(), true),
    ])
}

/// A secret of TLS 1.3, as long as the hash.
fn secret() -> Value {
    bytes(&[32, 48])
}

fn tls13_key_schedule() -> Value {
    let psk = object(vec![
        ("key", hex(), true),
        ("origin", one_of(&["external", "resumption"]), true),
        ("bindersLength", json!({ "type": "integer", "minimum": 0 }), true),
        ("binderKey", secret(), true),
        ("binder", secret(), true),
        ("clientEarlyTrafficSecret", secret(), true),
        ("earlyExporterMasterSecret", secret(), true),
    ]);
    let messages = object(vec![
        ("retriedClientHello", hex(), false),
        ("helloRetryRequest", hex(), false),
        ("clientHello", hex(), true),
        ("serverHello", hex(), true),
        ("serverFlight", hex(), true),
        ("serverFinished", hex(), true),
        ("clientFlight", hex(), true),
        ("clientFinished", hex(), true),
    ]);
    let secrets = [
        "earlySecret",
        "handshakeSecret",
        "clientHandshakeTrafficSecret",
        "serverHandshakeTrafficSecret",
        "serverVerifyData",
        "clientVerifyData",
        "masterSecret",
        "exporterMasterSecret",
        "resumptionMasterSecret",
        "resumptionPsk",
    ];
    let test = [
        ("psk", psk, false),
        ("sharedSecret", hex(), false),
        ("messages", messages, true),
        ("clientApplicationTrafficSecrets", list(secret()), true),
        ("serverApplicationTrafficSecrets", list(secret()), true),
        ("exporter", exporter(), true),
        ("ticketNonce", hex(), true),
    ];
    let test = test.into_iter().chain(secrets.map(|name| (name, secret(), true))).collect();
    let hash = ("hash", one_of(&["SHA256", "SHA384"]), true);
    let fields = protocol().into_iter().chain(suite()).chain([hash]).collect();
    group(&["Tls13KeySchedule"], fields, test)
}

fn tls13_records() -> Value {
    let keys = [
        ("trafficSecret", secret(), true),
        ("writeKey", bytes(&[16, 32]), true),
        ("writeIv", bytes(&[12]), true),
    ];
    let fields = protocol().into_iter().chain(suite()).chain(keys).collect();
    let test = vec![
        ("sequenceNumber", bytes(&[8]), true),
        ("contentType", json!({ "type": "integer", "minimum": 0 }), false),
        ("plaintext", hex(), false),
        ("record", hex(), true),
        class(&["must-look-like-any-other-failure", "record-overflow", "unexpected-message"]),
    ];
    group(&["Tls13Record"], fields, test)
}

fn schema(name: &str, group: Value) -> String {
    let note = object(vec![
        ("bugType", text(), true),
        ("description", text(), true),
        ("links", list(text()), false),
    ]);
    let keys = [
        "clientMacKey",
        "serverMacKey",
        "clientWriteKey",
        "serverWriteKey",
        "clientWriteIv",
        "serverWriteIv",
    ];
    let protocols = ["SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3", "DTLS 1.0", "DTLS 1.2"];
    let mut schema = object(vec![
        ("algorithm", text(), true),
        ("schema", one_of(&[&super::schema_path(name)]), true),
        ("generatorVersion", text(), true),
        ("numberOfTests", json!({ "type": "integer", "minimum": 1 }), true),
        ("header", list(text()), true),
        ("notes", json!({ "type": "object", "additionalProperties": note }), true),
        ("testGroups", list(group), true),
    ]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(name);
    schema["$defs"] = json!({
        "hex": { "type": "string", "pattern": "^([0-9a-f]{2})*$" },
        "protocol": one_of(&protocols),
        "keys": object(keys.map(|name| (name, hex(), true)).to_vec()),
    });
    format!("{schema:#}\n")
}
