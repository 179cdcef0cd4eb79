//! `sslprov backends`: the compiled-in backends, and whose code performs each operation.
//! Everything shown comes from `BackendInfo`; the table of docs/support.md is this one as Markdown.

use std::fmt::Write as _;

use serde::Serialize;
use ssl_provider::{
    Backend, ConstantTime, Error, FipsStatus, Operation, RsaInfo, Support, backends,
    default_backend, multi_buffer_instructions,
};

use crate::exit::{Failure, Outcome, print};
use crate::table::Table;

/// Arguments of `sslprov backends`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Print JSON: an array with an object for each backend
    #[arg(long)]
    pub json: bool,

    /// Print a Markdown table, without versions, so that it is the same on every machine
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

const AFTER_HELP: &str = "\
`disputed by an advisory`: RUSTSEC-2023-0071 (Marvin) names no patched release of the crate `rsa`.
Under valgrind, no branch or address of its private operation depends on the key or on the
ciphertext, except for comparisons whose outcome is public. SECURITY.md has the details.

Exit codes:
  0  at least one backend is compiled in
  2  no backend is compiled in, or the arguments are not usable
  5  standard output cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov backends
  sslprov backends --json | jq -r '.[].library'";

/// Runs `sslprov backends`.
///
/// # Errors
///
/// [`Failure::Usage`] when no backend is compiled in; the text lists the features that add one,
/// and [`Failure::Output`] when standard output cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let backends = backends();
    if backends.is_empty() {
        return Err(Failure::usage(Error::NoBackend));
    }
    let default = default_backend().ok();
    let text = if args.json {
        json(&backends, default.as_ref())
    } else if args.markdown {
        markdown(&backends)
    } else {
        let described = backends.iter().map(|backend| description(backend, default.as_ref()));
        let multi_buffer = multi_buffer_instructions().unwrap_or("not supported by this processor");
        let multi_buffer = format!("multi-buffer RSA: {multi_buffer}\n");
        described.chain([multi_buffer]).collect::<Vec<_>>().join("\n")
    };
    print(text)?;
    Ok(Outcome::All)
}

/// Returns a paragraph about one backend.
fn description(backend: &Backend, default: Option<&Backend>) -> String {
    let info = backend.info();
    let mut text = String::new();
    let mark = if default == Some(backend) { " (default)" } else { "" };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}{mark}", info.name);
    let rsa = info.rsa.map_or("unsupported".to_owned(), rsa_properties);
    for (name, value) in [
        ("provider", info.provider_name),
        ("library", &info.library),
        ("RSA private operation", &rsa),
        ("FIPS 140", info.fips.name()),
    ] {
        let _ = writeln!(text, "  {name}: {value}");
    }
    for (name, group) in groups() {
        let _ = writeln!(text, "  {name}: {}", whose(backend, &group));
    }
    text
}

fn markdown(backends: &[Backend]) -> String {
    let mut table = Table::new([
        "Backend",
        "RSA private operation",
        "TLS PRF",
        "Hashes",
        "Hashes of record MACs",
        "HMAC",
        "Record ciphers",
        "RSA public operation",
        "Key agreement",
        "Key encapsulation",
        "Verification of signatures",
        "Signing",
        "Random numbers",
        "FIPS 140",
    ]);
    for backend in backends {
        let info = backend.info();
        let rsa = info.rsa.map_or("unsupported".to_owned(), rsa_properties);
        let name = format!("`{}`", info.name);
        let fips = info.fips.name().to_owned();
        let groups = groups().map(|(_, group)| whose(backend, &group));
        table.row([name, rsa].into_iter().chain(groups).chain([fips]));
    }
    table.to_markdown()
}

/// Returns all operations by kind, except RSA decryption, and keys given for key agreement and
/// encapsulation.
fn groups() -> [(&'static str, Vec<Operation>); 11] {
    let of = |wanted: fn(&Operation) -> bool| Operation::all().filter(wanted).collect();
    [
        ("TLS PRF", of(|operation| matches!(operation, Operation::Prf(_)))),
        ("hashes", of(|operation| matches!(operation, Operation::Hash(_)))),
        (
            "hashes of record MACs",
            of(|operation| matches!(operation, Operation::CompressionFunction(_))),
        ),
        ("HMAC", of(|operation| matches!(operation, Operation::Hmac(_)))),
        ("record ciphers", of(is_cipher)),
        ("RSA public operation", of(|operation| matches!(operation, Operation::RsaEncryptRaw))),
        ("key agreement", of(|operation| matches!(operation, Operation::Ecdh(_) | Operation::Dh))),
        ("key encapsulation", of(|operation| matches!(operation, Operation::Kem(_)))),
        ("verification of signatures", of(|operation| matches!(operation, Operation::Verify(_)))),
        ("signing", of(|operation| matches!(operation, Operation::Sign(_)))),
        ("random numbers", of(|operation| matches!(operation, Operation::Random))),
    ]
}

fn is_cipher(operation: &Operation) -> bool {
    matches!(operation, Operation::Rc4 | Operation::Cbc(_) | Operation::Aead(_))
}

/// Returns whose code performs a group of operations: one name, or several, each with its
/// operations.
fn whose(backend: &Backend, group: &[Operation]) -> String {
    let mut owners: Vec<(&str, Vec<String>)> = Vec::new();
    for operation in group {
        let owner = match backend.support(*operation) {
            Support::By(owner) => owner,
            Support::Unsupported => "unsupported",
        };
        let name = operation.to_string();
        let kinds = ["PRF ", "HMAC-", "compression function of ", "ECDH ", "signing "];
        let name =
            kinds.iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(&name).to_owned();
        match owners.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, operations)) => operations.push(name),
            None => owners.push((owner, vec![name])),
        }
    }
    match owners.as_slice() {
        [(owner, _)] => (*owner).to_owned(),
        owners => {
            let parts = owners
                .iter()
                .map(|(owner, operations)| format!("{owner} ({})", operations.join(", ")));
            parts.collect::<Vec<_>>().join("; ")
        }
    }
}

fn rsa_properties(rsa: RsaInfo) -> String {
    let code = if rsa.assembly { "in assembly" } else { "in portable code" };
    let is_disputed = rsa.constant_time < ConstantTime::Claimed;
    let dispute = if is_disputed { ", disputed by an advisory" } else { "" };
    let time = format!("constant-time by its authors' claim{dispute}");
    let blinding = if rsa.blinding { "blinded" } else { "not blinded" };
    let check = if rsa.fault_check { "checked for faults" } else { "not checked for faults" };
    format!("{}: {code}, {time}, {blinding}, {check}", rsa.implementation)
}

/// A backend as JSON.
#[derive(Serialize)]
struct JsonBackend<'a> {
    name: &'a str,
    default: bool,
    provider_name: &'a str,
    library: &'a str,
    rsa: Option<Rsa<'a>>,
    fips_validated: bool,
    /// The instructions of multi-buffer RSA around it; null if this processor has none.
    multi_buffer: Option<&'a str>,
    operations: Vec<OperationSupport<'a>>,
}

#[derive(Serialize)]
struct Rsa<'a> {
    implementation: &'a str,
    assembly: bool,
    constant_time: &'a str,
    blinding: bool,
    fault_check: bool,
}

/// An operation, and whose code performs it; null if unsupported.
#[derive(Serialize)]
struct OperationSupport<'a> {
    operation: String,
    by: Option<&'a str>,
}

fn json(backends: &[Backend], default: Option<&Backend>) -> String {
    let backends: Vec<_> = backends.iter().map(|it| JsonBackend::new(it, default)).collect();
    // Strings and booleans into memory: neither the types nor the writing can fail.
    serde_json::to_string_pretty(&backends).unwrap_or_default() + "\n"
}

impl<'a> JsonBackend<'a> {
    fn new(backend: &'a Backend, default: Option<&Backend>) -> Self {
        let info = backend.info();
        let support = |operation: Operation| OperationSupport {
            operation: operation.to_string(),
            by: match backend.support(operation) {
                Support::By(owner) => Some(owner),
                Support::Unsupported => None,
            },
        };
        Self {
            name: info.name,
            default: default == Some(backend),
            provider_name: info.provider_name,
            library: &info.library,
            rsa: info.rsa.map(|rsa| Rsa {
                implementation: rsa.implementation,
                assembly: rsa.assembly,
                constant_time: rsa.constant_time.name(),
                blinding: rsa.blinding,
                fault_check: rsa.fault_check,
            }),
            fips_validated: info.fips >= FipsStatus::Validated,
            multi_buffer: multi_buffer_instructions(),
            operations: Operation::all().map(support).collect(),
        }
    }
}
