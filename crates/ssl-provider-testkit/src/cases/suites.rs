//! Recorded connections, one for each suite, from the master secret onwards: key block, both
//! Finished messages, and the records with what is under their compression.

use std::collections::BTreeMap;

use flate2::{Decompress, FlushDecompress};
use serde_json::Value;

use ssl_provider_core::{
    Backend, Error, KeySchedule, MAX_PAYLOAD_LEN, MasterSecret, RsaExchange, RsaKeyExchange,
    Support,
};

use super::handshakes::{check_master_key, exchange};
use super::record::cut;
use crate::bytes::{flipped, hex, to_hex};
use crate::exchange::{Exchange, open};
use crate::rsa_key::TestKey;
use crate::vectors::{Vectors, field, hex_field, with_folder};

/// The suites of the recordings that are not in the table of suites, and why.
const NOT_IN_THE_TABLE: &[(&str, &[&str])] = &[
    (
        "static (EC)DH: neither the interface nor its header has it",
        &[
            "TLS_ECDH_ECDSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA",
            "TLS_ECDH_ECDSA_WITH_AES_128_CBC_SHA256",
            "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA",
            "TLS_ECDH_ECDSA_WITH_AES_256_CBC_SHA384",
            "TLS_ECDH_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDH_ECDSA_WITH_RC4_128_SHA",
            "TLS_ECDH_RSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA",
            "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA256",
            "TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA",
            "TLS_ECDH_RSA_WITH_AES_256_CBC_SHA384",
            "TLS_ECDH_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDH_RSA_WITH_RC4_128_SHA",
        ],
    ),
    (
        "DHE or ECDHE with a cipher and hash for which the header lists no such suite",
        &[
            "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256",
            "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384",
            "TLS_DHE_DSS_WITH_CAMELLIA_128_CBC_SHA",
            "TLS_DHE_DSS_WITH_CAMELLIA_256_CBC_SHA",
            "TLS_DHE_DSS_WITH_SEED_CBC_SHA",
            "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
            "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
            "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA",
            "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA",
            "TLS_DHE_RSA_WITH_DES_CBC_SHA",
            "TLS_DHE_RSA_WITH_SEED_CBC_SHA",
            "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
            "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
        ],
    ),
];

/// The suites of the table whose records no backend protects: their cipher is in no backend.
const NO_CIPHER: &[&str] = &["TLS_RSA_WITH_SEED_CBC_SHA"];

/// The captures of which the set states no values: export suites, and IDEA.
const NO_VALUES: &[&str] = &[
    "TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA",
    "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
    "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
    "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
    "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
    "TLS_RSA_WITH_IDEA_CBC_SHA",
];

/// The recordings of a suite that is in the table. One suite is recorded twice.
const IN_THE_TABLE: usize = 37;

/// Their records: five of each, and one more of the suite that is recorded twice.
const RECORDS: usize = 5 * IN_THE_TABLE + 1;

/// Their pages of OpenSSL's `s_server`, one each, but for the recording of another site.
const PAGES: usize = IN_THE_TABLE - 1;

/// Every recording of a suite that is in the table: key block, verify_data of both sides and
/// records are what it states, and no longer when one bit of it is changed. The others are listed
/// above, so that a suite that is added to the table, or to the set, is noticed.
pub fn suites_recorded_from_the_master_secret_on(backend: &Backend) {
    with_folder(IN_THE_TABLE, |vectors| {
        let handshakes = vectors.json("fq-suites/handshakes.json");
        let handshakes = handshakes.as_array().unwrap();
        assert_eq!(handshakes.len(), 68);
        check_lists(vectors, handshakes);

        let (mut count, mut all, mut unopened) = (0, Seen::default(), Vec::new());
        for json in handshakes {
            let Some(exchange) = exchange(json) else { continue };
            let recorded = Recorded { backend, exchange, json };
            let seen = recorded.check().unwrap_or_else(|error| panic!("{error:?}: {json:#}"));
            recorded.check_whole_exchange();
            recorded.find_planted_faults(seen.records > 0);
            count += 1;
            all.records += seen.records;
            all.pages += seen.pages;
            if seen.records == 0 {
                unopened.push(recorded.exchange.suite.name);
            }
        }
        assert_eq!(all.records, RECORDS - 5 * unopened.len());
        assert_eq!(all.pages, PAGES - unopened.len());
        assert!(NO_CIPHER.iter().all(|name| unopened.contains(name)), "{unopened:?}");
        println!(
            "{}: {count} recorded suites; {} records opened, {} pages with the master secret; \
             no cipher for {unopened:?}",
            backend.info().name,
            all.records,
            all.pages
        );
        count
    });
}

/// Compares the lists of suites that are left out with the set.
fn check_lists(vectors: &Vectors, handshakes: &[Value]) {
    let not_known = handshakes.iter().filter(|json| exchange(json).is_none()).map(suite_of_file);
    let mut listed: Vec<_> = NOT_IN_THE_TABLE.iter().flat_map(|(_, names)| *names).collect();
    listed.sort_unstable();
    let mut not_known: Vec<_> = not_known.collect();
    not_known.sort_unstable();
    assert!(listed.iter().copied().eq(&not_known), "{not_known:#?}");

    let no_values = vectors.json("fq-suites/not-derived.json");
    let mut no_values: Vec<_> = no_values.as_array().unwrap().iter().map(suite_of_file).collect();
    no_values.sort_unstable();
    assert_eq!(no_values, NO_VALUES);
}

/// The suite after which a capture is named.
fn suite_of_file(json: &Value) -> &str {
    field(json, "file").strip_suffix(".pcap").unwrap()
}

/// What a recording states otherwise than it is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mismatch {
    KeyBlock,
    VerifyData(&'static str),
    Record,
}

/// What of a recording could be compared beyond key block and Finished; nothing where the backend
/// lacks the cipher.
#[derive(Default)]
struct Seen {
    records: usize,
    /// Pages of OpenSSL's `s_server`, which state the master secret.
    pages: usize,
}

/// A recording, and the backend that must repeat it.
struct Recorded<'a> {
    backend: &'a Backend,
    exchange: Exchange,
    json: &'a Value,
}

impl Recorded<'_> {
    /// Derives everything from the master secret, and compares.
    fn check(&self) -> Result<Seen, Mismatch> {
        let Self { backend, exchange, json } = self;
        let name = suite_of_file(json);
        // One recording is named after its site.
        assert!(name == exchange.suite.name || name == "testtls.com.http1.1-tls1.2", "{name}");
        let provider = open(backend);
        let parameters = provider.security_parameters(exchange.protocol, exchange.suite.id);
        let parameters = parameters.unwrap();
        let mut secret = MasterSecret::zeroed();
        secret.expose_mut().copy_from_slice(&hex_field(json, "master_secret"));

        let expected = hex_field(json, "key_block");
        let mut key_block = vec![0; expected.len()];
        let Exchange { client_random, server_random, .. } = exchange;
        parameters.key_block(&secret, client_random, server_random, &mut key_block).unwrap();
        if key_block != expected {
            return Err(Mismatch::KeyBlock);
        }

        let KeySchedule::Tls(prf) = parameters.schedule() else { panic!("{name}: SSL 3.0") };
        for (side, label) in [("client", "client finished"), ("server", "server finished")] {
            let hash = hex_field(json, &format!("{side}_handshake_hash"));
            let mut out = [0; 12];
            let (hashing, secret) = (backend.hashing(), secret.expose());
            hashing.prf(prf, secret, label.as_bytes(), &[&hash], &mut out).unwrap();
            if out != hex_field(json, &format!("{side}_verify_data")).as_slice() {
                return Err(Mismatch::VerifyData(side));
            }
        }
        self.check_records(&key_block)
    }

    /// Opens all records with the keys of the key block, and compares their content.
    fn check_records(&self, key_block: &[u8]) -> Result<Seen, Mismatch> {
        let Self { backend, exchange: Exchange { protocol, suite, .. }, json } = self;
        let mut readers = BTreeMap::new();
        for (side, direction) in SIDES.into_iter().zip(cut(key_block, *protocol, suite)) {
            let key = match direction.key(backend) {
                Ok(key) => key,
                Err(Error::Unsupported(operation)) => {
                    assert_eq!(backend.support(operation), Support::Unsupported, "{operation}");
                    return Ok(Seen::default());
                }
                Err(error) => {
                    assert_eq!(error, Error::UnsupportedSuite { given: suite.id.0 });
                    assert!(NO_CIPHER.contains(&suite.name), "{}", suite.name);
                    return Ok(Seen::default());
                }
            };
            let decompress = (json["compression"] == DEFLATE).then(|| Decompress::new(true));
            readers.insert(side, (direction, key, decompress));
        }
        let mut seen = Seen::default();
        for entry in json["records"].as_array().unwrap() {
            let side = field(entry, "dir");
            let (direction, key, decompress) = readers.get_mut(side).unwrap();
            let content_type = u8::try_from(entry["type"].as_u64().unwrap()).unwrap();
            let sequence_number = entry["seq"].as_u64().unwrap();
            let fragment = hex_field(entry, "fragment");
            let header = direction.header(sequence_number, content_type, fragment.len());
            let record = [header, fragment].concat();
            let mut payload = vec![0; key.max_payload_len(record.len())];
            let opened = key.decrypt_packet(sequence_number, &record, &mut payload);
            let len = opened.map_err(|_| Mismatch::Record)?;
            payload.truncate(len);
            if payload != hex_field(entry, "plaintext") {
                return Err(Mismatch::Record);
            }
            seen.records += 1;

            // What is under the compression is not in the set. It is what both sides meant, so it
            // must agree with the rest: Finished with verify_data, the page with the master secret.
            let content = match decompress {
                Some(decompress) => inflated(decompress, &payload),
                None => payload,
            };
            if sequence_number == 0 {
                let verify_data = hex_field(json, &format!("{side}_verify_data"));
                assert_eq!(content, [&[20, 0, 0, 12][..], &verify_data].concat(), "{entry}");
            }
            if let Some((_, rest)) = String::from_utf8_lossy(&content).split_once("Master-Key: ") {
                let stated = rest.split_whitespace().next().unwrap();
                assert_eq!(hex(stated), hex_field(json, "master_secret"), "{entry}");
                seen.pages += 1;
            }
        }
        Ok(seen)
    }

    /// Where the key exchange is RSA, a key in another place can return the recorded master secret:
    /// the master key of it has the keys and verify_data of the recording.
    fn check_whole_exchange(&self) {
        let Self { backend, exchange, json } = self;
        if !exchange.suite.key_exchange.is_rsa() {
            return;
        }
        let (provider, n) = (open(backend), TestKey::rsa_1024().modulus().to_bytes_be());
        let elsewhere = Box::new(Elsewhere(hex_field(json, "master_secret")));
        let key = provider.private_key_of_exchange(&n, &[3], elsewhere).unwrap();
        let master_key = exchange.import(&provider, &key, &[7; 128]).unwrap();
        check_master_key(backend, exchange, &master_key, json);
    }

    /// Changes a bit of each thing that a recording states, and exchanges the labels of the two
    /// Finished messages: the comparison must notice each.
    fn find_planted_faults(&self, has_records: bool) {
        let flip = |name: &str| {
            let mut json = self.json.clone();
            json[name] = to_hex(&flipped(&hex_field(&json, name), 77)).into();
            json
        };
        let mut planted = vec![
            (flip("master_secret"), Mismatch::KeyBlock),
            (flip("key_block"), Mismatch::KeyBlock),
            (flip("client_verify_data"), Mismatch::VerifyData("client")),
            (flip("server_handshake_hash"), Mismatch::VerifyData("server")),
        ];
        let mut exchanged = self.json.clone();
        for name in ["handshake_hash", "verify_data"] {
            let [client, server] = SIDES.map(|side| format!("{side}_{name}"));
            exchanged[&client] = self.json[&server].clone();
            exchanged[&server] = self.json[&client].clone();
        }
        planted.push((exchanged, Mismatch::VerifyData("client")));
        if has_records {
            for name in ["fragment", "plaintext"] {
                let mut json = self.json.clone();
                let last = json["records"].as_array_mut().unwrap().last_mut().unwrap();
                last[name] = to_hex(&flipped(&hex_field(last, name), 3)).into();
                planted.push((json, Mismatch::Record));
            }
        }
        for (json, expected) in &planted {
            let recorded = Recorded { json, exchange: self.exchange.clone(), ..*self };
            let found = recorded.check().err();
            assert_eq!(found, Some(*expected), "a planted fault in {}", suite_of_file(json));
        }
    }
}

/// A key that returns a master secret, whatever the ciphertext.
struct Elsewhere(Vec<u8>);

ssl_provider_core::redacted_debug! { Elsewhere { .. } }

impl RsaKeyExchange for Elsewhere {
    fn master_secret(&self, _: &RsaExchange<'_>, out: &mut MasterSecret) -> Result<(), Error> {
        out.expose_mut().copy_from_slice(&self.0);
        Ok(())
    }
}

/// Continues the compressed stream of a side by a record (RFC 3749 section 2).
fn inflated(decompress: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(MAX_PAYLOAD_LEN + 1);
    let before = decompress.total_in();
    decompress.decompress_vec(payload, &mut content, FlushDecompress::Sync).unwrap();
    assert_eq!(decompress.total_in() - before, payload.len() as u64);
    assert!(content.len() <= MAX_PAYLOAD_LEN);
    content
}

const SIDES: [&str; 2] = ["client", "server"];

/// The compression method (RFC 3749 section 2).
const DEFLATE: u8 = 1;
