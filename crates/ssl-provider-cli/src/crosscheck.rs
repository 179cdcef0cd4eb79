//! `sslprov crosscheck`: that of `ssl-provider-compare`, with exchanges of batches and captures.

use std::collections::HashMap;
use std::path::PathBuf;

use ssl_provider::{Error, default_backend};
use ssl_provider_compare::crosscheck::{self, Asked, Extra};
use ssl_provider_testkit::question::import::ImportMasterKey;
use ssl_provider_testkit::question::master_key::{Exchange, SessionKeys};
use ssl_provider_testkit::question::{Hex16, Key, Question, Vector};

use crate::exit::{Failure, Outcome};
use crate::import;
use crate::key_file::{KeyDer, PasswordArgs, not_usable, read_keys};
use crate::keylog::input;
use crate::keylog::keyring::Keyring;
use crate::keylog::recorder::{RecordedExchange, exchanges_of};
use crate::outputs::Named;

/// Arguments of `sslprov crosscheck`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = crosscheck::AFTER_HELP)]
#[group(id = "with_captures")]
pub struct Args {
    /// What is asked, and how it is reported.
    #[command(flatten)]
    pub common: crosscheck::Args,

    /// Ask the exchanges of a batch too, which is as `sslprov import --batch` takes it. May be
    /// repeated. Reports have hashes in place of its keys and secrets
    #[arg(long, value_name = "FILE")]
    pub batch: Vec<PathBuf>,

    /// Ask the RSA key exchanges of a capture too. May be repeated. Reports have hashes in place of
    /// their secrets
    #[arg(long, value_name = "FILE", requires = "key")]
    pub capture: Vec<PathBuf>,

    /// Private key of the server for --capture, and for exchanges of --batch that name none
    #[arg(long, short, value_name = "FILE")]
    pub key: Vec<PathBuf>,

    /// The password of keys.
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Runs `sslprov crosscheck`.
///
/// # Errors
///
/// Those of [`crosscheck::run_with`]; [`Failure::Usage`] also for batches, captures and keys that
/// are not usable.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let files = [("--batch", &args.batch), ("--capture", &args.capture), ("--key", &args.key)];
    let files = files
        .into_iter()
        .flat_map(|(option, paths)| paths.iter().map(move |path| (option, Some(path.as_path()))));
    let password = ("--key-password-file", args.password.key_password_file.as_deref());
    let inputs: Vec<Named<'_>> = files.chain([password]).collect();
    crosscheck::run_with(&args.common, &inputs, || read(args))
}

fn read(args: &Args) -> Result<Extra, Failure> {
    let mut extra = Extra::new();
    let password = args.password.password()?;
    for batch in &args.batch {
        for (name, import) in import::read_all(batch, args.key.first(), &password)? {
            extra.extend(questions("batch", &name, import));
        }
    }
    if !args.capture.is_empty() {
        let mut keys: Vec<KeyDer> = Vec::new();
        for path in &args.key {
            keys.extend(read_keys(path, &password).map_err(not_usable)?);
        }
        input::check(&args.capture)?;
        extra.extend(of_captures(&args.capture, &keys)?);
    }
    Ok(extra)
}

fn of_captures(captures: &[PathBuf], keys: &[KeyDer]) -> Result<Extra, Failure> {
    let backend = default_backend().map_err(Failure::usage)?;
    let refused = |(label, error): (String, Error)| Failure::Usage(format!("{label}: {error}"));
    let keyring = Keyring::load(backend, keys, true).map_err(refused)?;
    let exchanges = exchanges_of(captures, keyring)?;
    let of_label = keys.iter().map(|key| (&key.label, Key::Der(key.der.to_vec().into())));
    let of_label: HashMap<&String, Key> = of_label.collect();
    let mut extra = Extra::new();
    for exchange in exchanges {
        // Every label is that of a key which was loaded.
        let Some(key) = of_label.get(&exchange.key).cloned() else { continue };
        let name = exchange.stream.clone();
        extra.extend(questions("capture", &name, import_of(exchange, key)));
    }
    Ok(extra)
}

fn import_of(exchange: RecordedExchange, key: Key) -> ImportMasterKey {
    ImportMasterKey {
        key,
        protocol: exchange.version.into(),
        // The suites of TLS have 16 bits.
        suite: Hex16(u16::try_from(exchange.suite.0).unwrap_or_default()),
        client_random: Some(exchange.client_random.into()),
        server_random: Some(exchange.server_random.into()),
        session_hash: exchange.session_hash.map(Into::into),
        client_version: Some(Hex16(exchange.offered_version)),
        ciphertext: exchange.encrypted_premaster.into(),
    }
}

/// The questions of an exchange: its master key, and its session keys where both randoms are there.
fn questions(group: &'static str, name: &str, import: ImportMasterKey) -> Extra {
    let vector = |question| Vector { name: name.to_owned(), question, expected: None };
    let asked = |question| Asked { group, vector: vector(question), is_confidential: true };
    let has_randoms = import.client_random.is_some() && import.server_random.is_some();
    let exchange = Exchange::Rsa(import.clone());
    let keys = has_randoms.then_some(Question::SessionKeys(SessionKeys { exchange }));
    [Question::ImportMasterKey(import)].into_iter().chain(keys).map(asked).collect()
}
