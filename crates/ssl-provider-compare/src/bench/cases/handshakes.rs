//! Whole handshakes of TLS 1.2: the server's side, without sockets.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ssl_provider::{Backend, CipherSuite, Operation, Provider, SignatureScheme};
use ssl_provider_lab::client::{
    ClientConnection, ClientOptions, ClientSettings, Distrust, VerifyServer,
};
use ssl_provider_lab::{Connection, Identity, Options, Settings, Zeroizing};

use super::{Case, Chart, Group, Scope, text};
use crate::bench::paired::{Contestant, Measure, Set};
use crate::bench::report::Row;

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "handshakes",
    title: "Handshakes of TLS 1.2, the server's side",
    text: "A full handshake of the lab server without sockets: only the time of the server counts, \
        the client runs in between on the same backend. RSA keys have 2048 bits, ephemeral keys \
        are on the first curve that both have, records are protected by AES-128-GCM. What sockets \
        and threads cost is measured by `cargo xtask handshakes` in the repository.",
    x: "",
    chart: Chart::Times,
    cases,
};

/// Name, suite and what the backend signs the key exchange with, if anything.
const KINDS: [(&str, CipherSuite, Option<SignatureScheme>); 3] = [
    ("RSA", CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256, None),
    (
        "ECDHE-RSA",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Some(SignatureScheme::RsaPssSha256),
    ),
    (
        "ECDHE-ECDSA",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Some(SignatureScheme::EcdsaSha256),
    ),
];

fn cases(scope: &Scope) -> Vec<Case> {
    let case = |backend: &Backend, name: &'static str, suite| {
        let backend = backend.clone();
        Case {
            group: GROUP.name,
            name: name.into(),
            backend: backend.info().name,
            weight: 2,
            prepare: Box::new(move || prepare(&backend, name, suite)),
        }
    };
    let able = |backend: &&Backend, signs: Option<SignatureScheme>| match signs {
        None => super::import::supports_import(backend),
        Some(scheme) => backend.support(Operation::Sign(scheme)).is_supported(),
    };
    let of_kind = |(name, suite, signs)| {
        let able = scope.backends.iter().filter(move |backend| able(backend, signs));
        able.map(move |backend| case(backend, name, suite))
    };
    KINDS.into_iter().flat_map(of_kind).collect()
}

fn prepare(
    backend: &Backend,
    name: &'static str,
    suite: CipherSuite,
) -> Result<Box<dyn Measure>, String> {
    let provider = Provider::open(backend);
    let identity = match suite {
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => {
            Identity::self_signed_ecdsa(&provider).map_err(text)?.identity
        }
        _ => rsa_identity(&provider)?,
    };
    let options = Options { suites: vec![suite], ..Options::default() };
    let server = Settings::new(provider.clone(), identity, options, None, None).map_err(text)?;
    let options = ClientOptions { suites: vec![suite], ..ClientOptions::default() };
    let client =
        ClientSettings::new(provider, options, Box::new(TrustAll), None, None).map_err(text)?;
    let clock = Rc::new(Cell::new(Duration::ZERO));
    let on_clock = Rc::clone(&clock);
    let contestant = Contestant::new("handshake", move |_| {
        let took = handshake(&server, &client)?;
        on_clock.set(on_clock.get() + took);
        Ok::<_, String>(())
    });
    let template = Row {
        group: GROUP.name.into(),
        case: name.into(),
        backend: backend.info().name.into(),
        ..Row::default()
    };
    Ok(Box::new(Set::new(template, "handshake", vec![contestant.with_clock(clock)])))
}

/// Returns an RSA key and its certificate, which all backends share: to make a key takes a while.
fn rsa_identity(provider: &Provider) -> Result<Identity, String> {
    static MADE: OnceLock<(Zeroizing<Vec<u8>>, Vec<u8>)> = OnceLock::new();
    let (key, certificate) = match MADE.get() {
        Some(made) => made,
        None => {
            let made = Identity::self_signed(provider).map_err(text)?;
            MADE.get_or_init(|| (made.key_der, made.certificate_der))
        }
    };
    Identity::from_der(provider, key, std::slice::from_ref(certificate)).map_err(text)
}

/// Runs a handshake and returns the time of the server.
fn handshake(server: &Arc<Settings>, client: &Arc<ClientSettings>) -> Result<Duration, String> {
    /// More than a handshake takes.
    const MOST_FLIGHTS: usize = 10;
    let mut client =
        ClientConnection::new(Arc::clone(client), Some("localhost"), None).map_err(text)?;
    let mut took = Duration::ZERO;
    let mut timed = Instant::now();
    let mut server = Connection::new(Arc::clone(server));
    took += timed.elapsed();
    for _ in 0..MOST_FLIGHTS {
        let flight = client.output().to_vec();
        client.sent(flight.len());
        timed = Instant::now();
        server.receive(&flight);
        took += timed.elapsed();
        let flight = server.output().to_vec();
        server.sent(flight.len());
        client.receive(&flight);
        if server.established().is_some() && client.established().is_some() {
            return Ok(took);
        }
        if let Some(ending) = server.ending() {
            return Err(format!("the server ended the handshake: {ending:?}"));
        }
        if let Some(ending) = client.ending() {
            return Err(format!("the client ended the handshake: {ending:?}"));
        }
    }
    Err("the handshake does not end".into())
}

/// The certificate of the server is new in every run.
#[derive(Debug)]
struct TrustAll;

impl VerifyServer for TrustAll {
    fn verify(&self, _chain: &[Vec<u8>], _name: Option<&str>) -> Result<(), Distrust> {
        Ok(())
    }
}
