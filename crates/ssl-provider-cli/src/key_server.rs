//! `sslprov key-server`: private keys in a process of their own, the way LSASS keeps those of
//! Windows. The server is `ssl-provider-remote`; this module has its options and reports.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use ssl_provider::{Backend, BackendInfo};
use ssl_provider_remote::protocol::KeyId;
use ssl_provider_remote::{
    Event, Limits, Listener, Peer, Peers, ServedKeys, Server, deny_inspection,
};

use crate::backend_choice::{BatchArgs, OneBackendArgs};
use crate::exit::{Failure, Outcome, print, tell};
use crate::key_file::{self, PasswordArgs, not_usable};
use crate::report::{ReportArgs, Reporter};

/// Arguments of `sslprov key-server`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Key file: PEM, DER, PKCS#12 or CNG blob; may be given several times, and have several keys
    #[arg(long, short, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,

    /// Path of the socket to listen on, which is created, and removed when the server stops. A
    /// socket that nobody listens on is replaced
    #[arg(long, value_name = "SOCKET")]
    pub listen: PathBuf,

    /// Serve processes of this user too, by number; may be given several times. By default, only
    /// those of the user that runs the key server may connect, not even root
    #[arg(long, value_name = "UID", value_parser = user_id)]
    pub allow_uid: Vec<u32>,

    /// Serve processes with this effective group too, by number; may be given several times.
    /// Supplementary groups do not count
    #[arg(long, value_name = "GID", value_parser = group_id)]
    pub allow_gid: Vec<u32>,

    /// Do key exchanges of SSL 3.0 too
    #[arg(long)]
    pub allow_ssl3: bool,

    /// Worker threads. Default: one for each processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Most concurrent connections; a program has one for each key exchange at a time
    #[arg(long, value_name = "N", default_value_t = 512)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub max_connections: u16,

    /// How long a thread that has replied asks for the next request over and over before it sleeps:
    /// shorter delays, for a processor in use. 0 is not at all
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0)]
    pub busy_poll: u16,

    /// The reports.
    #[command(flatten)]
    pub report: ReportArgs,

    /// The backend.
    #[command(flatten)]
    pub backend: OneBackendArgs,

    /// Batches of private operations, also across clients.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// The password of the keys.
    #[command(flatten)]
    pub password: PasswordArgs,
}

const AFTER_HELP: &str = "\
Clients send ciphertext, version, suite and randoms or session hash, and receive the master secret.
The key server does implicit rejection itself, so it is no padding oracle, and never returns a raw
RSA result or a key. Whoever may connect can decrypt sessions, also recorded ones, while the server
runs. Nobody but root can read its memory. Run it as a user of its own, with --allow-uid, so that
programs cannot read the key file either.

Clients are `sslprov serve --key-server SOCKET --cert CHAIN`, C programs whose environment has
SSL_PROVIDER_KEY_SERVER=SOCKET, and Rust programs with the crate ssl-provider-remote. They take
replies from their own user, from root, and from the one that they name (--key-server-uid).

Standard output has a line `listening on SOCKET`; with --json it has a line for each event,
`listening` first. Without --json, events are on standard error.

Exit codes:
  0  the server was stopped (SIGINT, SIGTERM)
  2  the arguments or keys are not usable, or the server cannot listen at the path
  5  standard output cannot be written
  6  the server cannot continue
  141  the reader of standard output has gone away

Examples:
  sslprov key-server --key server.pem --listen /run/user/1000/keys.sock
  sslprov key-server --key one.pem --key two.p12 --listen keys.sock --key-password-file word.txt
  sslprov key-server --key server.pem --listen /run/keys/tls.sock --allow-uid 33 --batch-wait 50
  sslprov serve --key-server /run/user/1000/keys.sock --cert chain.pem";

/// Reads the number of a user.
pub(crate) fn user_id(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "expected a number such as 33; `id -u NAME` prints it".to_owned())
}

/// Reads the number of a group.
fn group_id(text: &str) -> Result<u32, String> {
    let expected = "expected a number such as 33; `getent group NAME` prints it";
    text.parse().map_err(|_| expected.to_owned())
}

/// Requests that a thread takes at once: as many as multi-buffer RSA has lanes.
const BATCH_LEN: usize = 8;

/// Runs `sslprov key-server`.
///
/// # Errors
///
/// [`Failure::Usage`] when a file, an option or the path cannot be used, [`Failure::Output`] when
/// standard output cannot be written, [`Failure::Server`] when the server cannot continue.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    // Before there is a key to see.
    deny_inspection().map_err(|error| {
        Failure::usage(format_args!("cannot keep others from reading this memory: {error}"))
    })?;
    let library = args.backend.choose()?;
    let backend = args.batches.around(library.clone());
    let limits = args.limits(backend != library);
    let keys = args.keys(&backend)?;
    let names: Vec<_> = keys.names().collect();
    let listener = Listener::bind(&args.listen, args.peers()).map_err(|error| {
        Failure::usage(format_args!("--listen {}: {error}", args.listen.display()))
    })?;
    let server = Server::new(listener, keys, limits).map_err(Failure::Server)?;
    let stop = server.stop_handle();
    ctrlc::set_handler(move || stop.stop()).map_err(Failure::usage)?;
    args.report_start(backend.info(), &names)?;

    let stop = server.stop_handle();
    let reporter = Reporter::new(args.report, || stop.stop());
    let observer = |event: Event<'_>| reporter.report(|| as_json(event), || as_text(event));
    server.run(&observer).map_err(Failure::Server)?;
    reporter.outcome()
}

impl Args {
    fn limits(&self, has_batches: bool) -> Limits {
        let default = Limits::default();
        Limits {
            threads: self.threads.map_or(default.threads, Into::into),
            connections: self.max_connections.into(),
            // A library by itself decrypts one after another: another thread may be free for the
            // next.
            batch: if has_batches { BATCH_LEN } else { 1 },
            busy_poll: Duration::from_micros(self.busy_poll.into()),
            ..default
        }
    }

    fn keys(&self, backend: &Backend) -> Result<ServedKeys, Failure> {
        let mut keys = ServedKeys::new(backend, self.allow_ssl3);
        let password = self.password.password()?;
        for path in &self.key {
            for key in key_file::read_keys(path, &password).map_err(not_usable)? {
                keys.add(&key.der)
                    .map_err(|error| Failure::usage(format_args!("{}: {error}", key.label)))?;
            }
        }
        Ok(keys)
    }

    /// Reports where the server listens, and with which keys.
    fn report_start(&self, backend: &BackendInfo, keys: &[(KeyId, usize)]) -> Result<(), Failure> {
        let path = self.listen.display().to_string();
        if self.report.json {
            let keys: Vec<_> = keys
                .iter()
                .map(|(id, bits)| json!({ "id": id.to_string(), "bits": bits }))
                .collect();
            let listening = json!({
                "event": "listening",
                "path": path,
                "backend": backend.name,
                "library": backend.library,
                "keys": keys,
            });
            print(format!("{listening}\n"))?;
        } else {
            print(format!("listening on {path}\n"))?;
            if !self.report.quiet {
                for (id, bits) in keys {
                    tell(format_args!("key {id}, {bits} bits"));
                }
            }
        }
        Ok(())
    }

    fn peers(&self) -> Peers {
        let (uids, gids) = (self.allow_uid.iter().copied(), self.allow_gid.iter().copied());
        Peers::same_user().and_users(uids).and_groups(gids)
    }
}

/// Returns what happened, to whom, and what there is to know or do about it.
fn parts(event: Event<'_>) -> (&'static str, Option<Peer>, String) {
    match event {
        Event::Refused(peer) => {
            ("refused", Some(peer), "not served; --allow-uid and --allow-gid serve more".to_owned())
        }
        Event::Full(peer) => {
            ("full", Some(peer), "too many connections; --max-connections allows more".to_owned())
        }
        Event::Malformed(peer, what) => ("malformed", Some(peer), what.to_string()),
        Event::TooSlow(peer) => {
            ("too slow", Some(peer), "it did not send a request or read a reply in time".to_owned())
        }
        Event::CannotAccept(error) => {
            ("cannot accept", None, format!("cannot accept connections: {error}"))
        }
        Event::Failed(error) => ("failed", None, error.to_string()),
        Event::Panicked(peer) => {
            let detail = "the key server panicked and goes on; report the message of the panic, \
                          which is on standard error";
            ("panicked", peer, detail.to_owned())
        }
        other => ("other", None, format!("{other:?}")),
    }
}

fn as_json(event: Event<'_>) -> Value {
    let (name, peer, detail) = parts(event);
    json!({
        "event": name,
        "pid": peer.map(|peer| peer.pid),
        "uid": peer.map(|peer| peer.uid),
        "gid": peer.map(|peer| peer.gid),
        "detail": detail,
    })
}

fn as_text(event: Event<'_>) -> String {
    let (_, peer, detail) = parts(event);
    match peer {
        Some(peer) => format!("{peer}: disconnected: {detail}"),
        None => detail,
    }
}
