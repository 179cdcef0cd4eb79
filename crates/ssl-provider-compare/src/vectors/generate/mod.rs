//! Makes the files of the corpus, the same bytes every time. Expected values come from the test
//! kit's reference, from plain arithmetic and from cipher crates, never from a backend.

mod cipher;
mod key_agreement;
mod key_schedule;
mod notes;
mod record;
mod rsa_import;
mod schema;
mod tls13;

use std::collections::BTreeSet;

use ssl_provider::{CipherSuiteInfo, HashAlgorithm, ProtocolVersion};
use ssl_provider_testkit::corpus::{
    FORMAT_VERSION, File, Group, Hex, SessionKeys, Test as _, Wire,
};

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its path in the folder of the corpus.
    pub path: String,
    /// What is in it.
    pub contents: String,
}

/// Makes every file of the corpus, with the schemas.
///
/// # Panics
///
/// Panics when a test is not what its description says, which its own tests would find.
pub fn files() -> Vec<Generated> {
    let mut files = vec![
        generated("tls_rsa_import", &rsa_import::file()),
        generated("tls_key_schedule", &key_schedule::file()),
        generated("tls_records", &record::file()),
        generated("tls_key_agreement", &key_agreement::file()),
        generated("tls13_key_schedule", &tls13::key_schedule()),
        generated("tls13_records", &tls13::records()),
    ];
    let schemas = schema::all();
    files.extend(schemas.map(|(name, contents)| Generated { path: schema_path(name), contents }));
    files
}

fn generated<G: Group>(name: &str, file: &File<G>) -> Generated {
    Generated { path: format!("{name}.json"), contents: file.to_json() }
}

fn schema_path(name: &str) -> String {
    format!("schema/{name}_schema.json")
}

/// A file around its groups, with a note for each flag that a test has.
fn file<G: Group>(name: &str, algorithm: &str, header: &[&str], test_groups: Vec<G>) -> File<G> {
    let tests = || test_groups.iter().flat_map(|group| group.tests());
    let flags: BTreeSet<&str> = tests().flat_map(|test| test.flags()).map(String::as_str).collect();
    let file = File {
        algorithm: algorithm.to_owned(),
        schema: schema_path(name),
        generator_version: FORMAT_VERSION.to_owned(),
        number_of_tests: tests().count(),
        header: header.iter().map(|line| (*line).to_owned()).collect(),
        notes: notes::notes(flags),
        test_groups,
    };
    if let Err(error) = file.check() {
        panic!("{name}: {error}");
    }
    file
}

/// Numbers the tests of a file from 1.
#[derive(Default)]
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

fn flags<const N: usize>(flags: [&str; N]) -> Vec<String> {
    flags.map(str::to_owned).to_vec()
}

fn wire(protocol: ProtocolVersion) -> Wire {
    Wire(protocol.wire())
}

/// The number of a suite of SSL 3.0 and later, all of which have two bytes.
fn suite_number(suite: &CipherSuiteInfo) -> Wire {
    Wire(u16::try_from(suite.id.0).expect("a suite of SSL 3.0 or later"))
}

/// The suites of a protocol that pass a test.
fn suites(
    protocol: ProtocolVersion,
    wanted: impl Fn(&CipherSuiteInfo) -> bool,
) -> Vec<&'static CipherSuiteInfo> {
    let all = CipherSuiteInfo::all().iter();
    all.filter(|suite| suite.allows(protocol) && wanted(suite)).collect()
}

/// Cuts keys that follow one another in the order of the key block (RFC 5246 section 6.3).
fn cut(bytes: &[u8], protocol: ProtocolVersion, suite: &CipherSuiteInfo) -> SessionKeys {
    let mut rest = bytes;
    let mut next = |len| {
        let (part, after) = rest.split_at(len);
        rest = after;
        Hex::from(part)
    };
    let mac_len = suite.mac.map_or(0, HashAlgorithm::output_len);
    let (key_len, iv_len) = (suite.cipher.key_len, suite.cipher.fixed_iv_len(protocol));
    let keys = SessionKeys {
        client_mac_key: next(mac_len),
        server_mac_key: next(mac_len),
        client_write_key: next(key_len),
        server_write_key: next(key_len),
        client_write_iv: next(iv_len),
        server_write_iv: next(iv_len),
    };
    assert!(rest.is_empty(), "the keys are all there is");
    keys
}
