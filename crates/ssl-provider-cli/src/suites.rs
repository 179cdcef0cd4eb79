//! `sslprov suites`: the known cipher suites, and which of them an import accepts.
//! Everything shown comes from `CipherSuiteInfo`.

pub(crate) mod iana;

use serde::Serialize;
use ssl_provider::{CipherAlgorithm, CipherMode, CipherSuiteInfo, ProtocolVersion};

use crate::exit::{Failure, Outcome, print};
use crate::protocol_argument;
use crate::table::Table;

/// Arguments of `sslprov suites`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Print JSON: an array with an object for each suite
    #[arg(long)]
    pub json: bool,

    /// Only the suites of this protocol: its number in hex such as 0303, or a name such as tls1.2
    #[arg(long, value_name = "VERSION", value_parser = protocol_argument::known)]
    pub protocol: Option<ProtocolVersion>,
}

const AFTER_HELP: &str = "\
The PRF is that of TLS 1.2 and DTLS 1.2; earlier versions use one PRF for all suites. Importable
means that `sslprov import` and SslImportMasterKey accept the suite in at least one protocol.

Exit codes:
  0  the suites were printed
  2  the arguments are not usable
  5  standard output cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov suites --protocol tls1.2
  sslprov suites --json | jq -r '.[] | select(.importable) | .name'";

/// Runs `sslprov suites`.
///
/// # Errors
///
/// [`Failure::Output`] when standard output cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let wanted = |suite: &&CipherSuiteInfo| args.protocol.is_none_or(|it| suite.allows(it));
    let suites: Vec<_> = CipherSuiteInfo::all().iter().filter(wanted).map(Suite::new).collect();
    let text = if args.json {
        // Strings and numbers into memory: neither the types nor the writing can fail.
        serde_json::to_string_pretty(&suites).unwrap_or_default() + "\n"
    } else {
        table(&suites)
    };
    print(text)?;
    Ok(Outcome::All)
}

/// A suite as JSON.
#[derive(Serialize)]
struct Suite {
    id: String,
    name: &'static str,
    key_exchange: &'static str,
    cipher: &'static str,
    /// Null for stream ciphers.
    mode: Option<&'static str>,
    bits: u32,
    /// The hash of the record MAC; null for AEAD ciphers.
    mac: Option<&'static str>,
    prf: &'static str,
    protocols: Vec<&'static str>,
    in_windows_header: bool,
    importable: bool,
}

impl Suite {
    fn new(suite: &CipherSuiteInfo) -> Self {
        let versions = || ProtocolVersion::ALL.into_iter().filter(|it| suite.allows(*it));
        let mut importable = versions().filter(|version| {
            version.key_schedule(suite.prf).is_some()
                && suite.id.for_rsa_key_exchange(*version).is_ok()
        });
        Self {
            id: format!("0x{:04x}", suite.id.0),
            name: suite.name,
            key_exchange: suite.key_exchange.name(),
            cipher: algorithm(suite.cipher.algorithm),
            mode: mode(suite.cipher.mode),
            bits: suite.cipher.bits,
            mac: suite.mac.map(|hash| hash.name()),
            prf: suite.prf.name(),
            protocols: versions().filter_map(ProtocolVersion::name).collect(),
            in_windows_header: suite.in_windows_header,
            importable: importable.next().is_some(),
        }
    }
}

fn table(suites: &[Suite]) -> String {
    let mut table = Table::new([
        "Id",
        "Name",
        "Key exchange",
        "Cipher",
        "Bits",
        "MAC",
        "PRF",
        "Windows header",
        "Importable",
        "Protocols",
    ]);
    let yes = |it: bool| if it { "yes" } else { "no" }.to_owned();
    for suite in suites {
        let cipher = match suite.mode {
            Some(mode) => format!("{} {mode}", suite.cipher),
            None => suite.cipher.to_owned(),
        };
        table.row([
            suite.id.clone(),
            suite.name.to_owned(),
            suite.key_exchange.to_owned(),
            cipher,
            suite.bits.to_string(),
            suite.mac.unwrap_or("AEAD").to_owned(),
            suite.prf.to_owned(),
            yes(suite.in_windows_header),
            yes(suite.importable),
            suite.protocols.join(", "),
        ]);
    }
    table.to_text()
}

fn algorithm(algorithm: CipherAlgorithm) -> &'static str {
    match algorithm {
        CipherAlgorithm::Null => "none",
        CipherAlgorithm::Rc4 => "RC4",
        CipherAlgorithm::Rc2 => "RC2",
        CipherAlgorithm::Idea => "IDEA",
        CipherAlgorithm::Des => "DES",
        CipherAlgorithm::TripleDes => "3DES",
        CipherAlgorithm::Aes => "AES",
        CipherAlgorithm::Camellia => "Camellia",
        CipherAlgorithm::Seed => "SEED",
        CipherAlgorithm::Aria => "ARIA",
        CipherAlgorithm::ChaCha20 => "ChaCha20",
        _ => UNNAMED,
    }
}

fn mode(mode: CipherMode) -> Option<&'static str> {
    match mode {
        CipherMode::Stream => None,
        CipherMode::Cbc => Some("CBC"),
        CipherMode::Gcm => Some("GCM"),
        CipherMode::Ccm => Some("CCM"),
        CipherMode::Ccm8 => Some("CCM-8"),
        CipherMode::Poly1305 => Some("Poly1305"),
        _ => Some(UNNAMED),
    }
}

/// Stands for what the library knows and this table does not name; a test finds it.
const UNNAMED: &str = "?";
