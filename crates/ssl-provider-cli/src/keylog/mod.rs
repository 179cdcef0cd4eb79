//! Key logs out of captures: finds TLS sessions, opens those with RSA key exchange, proves each.
//!
//! The way of a packet: [`input`] reads captures and feeds TCP reassembly; each connection gathers
//! its records in a [`conversation`], which goes to a worker when it ends; there the private
//! operations of several are done at once (`ahead`), and [`analysis`] walks
//! through the handshakes and `proof` imports the master key and checks it against the client's
//! Finished; `order` puts the sessions back into the order of the capture and follows resumption
//! from one connection to the next; `report` writes.

mod ahead;
pub mod analysis;
pub mod certificate;
mod ciphertext;
pub mod command;
pub mod conversation;
mod dsb;
pub mod engine;
mod flow;
mod handshake;
pub mod input;
pub mod keyring;
mod negotiation;
mod order;
mod output_file;
mod proof;
pub mod recorder;
mod report;
pub mod resumption;
pub mod session;
mod shard;
mod weak_key;
