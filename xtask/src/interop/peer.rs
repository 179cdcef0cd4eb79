//! A peer of our side, which runs cells: as a client of `sslprov serve`, or as a server of
//! `sslprov connect`.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context, Error, Result, anyhow};

use crate::interop::cell::{Cell, Extra};
use crate::interop::commands::{Place, Tool, server_exports};
use crate::interop::connect::{self, Echo};
use crate::interop::conversation::{Conversation, Secret, Told};
use crate::interop::process::OutOfTime;
use crate::interop::programs::Running;
use crate::interop::relay::Relay;
use crate::interop::server::Servers;
use crate::interop::stacks::{Ready, Role, Start};
use crate::workspace::Workspace;

/// A fault that is planted between the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meddling {
    None,
    /// A bit of the server's data is altered on the way.
    AlteredRecord,
    /// The line is expected back in the wrong order.
    OtherEcho,
}

/// A peer with what it needs to run.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    workspace: &'a Workspace,
    servers: &'a Servers,
    ready: &'a Ready,
    place: &'a Place,
    program: Option<Running<'a>>,
}

impl<'a> Peer<'a> {
    pub(crate) fn new(
        workspace: &'a Workspace,
        servers: &'a Servers,
        ready: &'a Ready,
        place: &'a Place,
    ) -> Self {
        let program = match &ready.start {
            Start::Program(launch) => Some(Running::new(launch, place)),
            Start::Command(_) => None,
        };
        Self { workspace, servers, ready, place, program }
    }

    /// Runs a cell.
    ///
    /// # Errors
    ///
    /// Fails when a connection does, with the messages of both sides.
    pub(crate) fn converse(&mut self, cell: &Cell, meddling: Meddling) -> Result<Conversation> {
        match self.ready.stack.role {
            Role::Client => self.as_client(cell, meddling),
            Role::Server => self.as_server(cell, meddling),
        }
    }

    fn as_client(&mut self, cell: &Cell, meddling: Meddling) -> Result<Conversation> {
        // Its key log has no other cell in it.
        let own = cell.is_tls13().then(|| self.servers.of_tls13_cell(self.place, cell));
        let own = own.transpose()?;
        let (port, key_log) = match &own {
            Some(server) => (server.port, server.key_log.clone()),
            None => self.servers.of_cell(self.workspace, cell)?,
        };
        let relay = relay(port, meddling)?;
        let to = relay.as_ref().map_or(port, |relay| relay.port);
        let outcome = match (&self.ready.start, &mut self.program) {
            (Start::Command(tool), _) => tool.converse(self.place, cell, to),
            (Start::Program(_), Some(running)) => running.converse(cell, to),
            (Start::Program(_), None) => Err(anyhow!("the program is not prepared")),
        };
        let Told { sessions, secrets, exports } = altered(outcome, relay.as_ref())?;
        let text = fs::read_to_string(key_log).context("cannot read the server's key log")?;
        Ok(Conversation { sessions, secrets, own_secrets: Secret::of_key_log(&text), exports })
    }

    fn as_server(&mut self, cell: &Cell, meddling: Meddling) -> Result<Conversation> {
        let echo = match (&self.ready.start, meddling) {
            (Start::Command(Tool::OpenSsl), Meddling::OtherEcho) => Echo::Plain,
            (Start::Command(_), Meddling::OtherEcho) => Echo::Reversed,
            (Start::Command(Tool::OpenSsl), _) => Echo::Reversed,
            (Start::Command(Tool::GnuTls), _) if cell.extra == Extra::EarlyData => {
                Echo::WithoutEarly
            }
            (Start::Command(Tool::GnuTls | Tool::Botan), _) => Echo::Plain,
            (Start::Program(_), Meddling::OtherEcho) => Echo::Reversed,
            (Start::Program(_), _) => Echo::AndClose,
        };
        let connect = |port: u16| {
            let relay = relay(port, meddling)?;
            let to = relay.as_ref().map_or(port, |relay| relay.port);
            let program = &self.servers.program;
            altered(connect::converse(program, self.place, cell, to, echo), relay.as_ref())
        };
        let (outcome, of_server) = match (&self.ready.start, &mut self.program) {
            (Start::Command(tool), _) => {
                let server = tool.serve(self.place, cell)?;
                let outcome = connect(server.port);
                let complaint = server.complaint();
                let secrets = server.finish()?;
                let exports = server_exports(self.place);
                (outcome, if secrets.is_empty() { Err(complaint) } else { Ok((secrets, exports)) })
            }
            (Start::Program(_), Some(running)) => {
                let port = running.listen(cell)?;
                let outcome = connect(port);
                if outcome.is_err() {
                    // It may wait for a connection, or it has failed already.
                    let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                }
                (outcome, running.finish()?)
            }
            (Start::Program(_), None) => return Err(anyhow!("the program is not prepared")),
        };
        let is_silent = self.ready.stack.secrets_of(cell).at_least(1) == 0;
        match (outcome, of_server) {
            (Ok((sessions, own_secrets)), Ok((secrets, exports))) => {
                Ok(Conversation { sessions, secrets, own_secrets, exports })
            }
            (Ok((sessions, own_secrets)), Err(_)) if is_silent && self.program.is_none() => {
                Ok(Conversation { sessions, own_secrets, ..Conversation::default() })
            }
            (Ok(_), Err(complaint)) => Err(anyhow!("the server: {complaint}")),
            (Err(error), _) if error.is::<OutOfTime>() => Err(error),
            (Err(error), Ok(_)) => Err(error),
            (Err(error), Err(complaint)) => Err(anyhow!("{error:#}; the server: {complaint}")),
        }
    }
}

fn relay(port: u16, meddling: Meddling) -> Result<Option<Relay>> {
    (meddling == Meddling::AlteredRecord).then(|| Relay::start(port)).transpose()
}

/// A relay that has altered nothing is no fault.
fn altered<T>(outcome: Result<T>, relay: Option<&Relay>) -> Result<T> {
    match (outcome, relay.map(Relay::altered)) {
        (Err(error), Some(0)) => Err(Error::new(NothingAltered).context(format!("{error:#}"))),
        (outcome, _) => outcome,
    }
}

/// The connection failed before the relay could alter anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NothingAltered;

impl std::fmt::Display for NothingAltered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the relay altered nothing")
    }
}

impl std::error::Error for NothingAltered {}
