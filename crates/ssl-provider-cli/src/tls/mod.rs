//! TLS as a capture shows it: records, handshake messages and hellos, found in streams of bytes.
//! Nothing here decrypts; `record` does that, and `keylog` puts both together.

pub mod alert;
pub mod hello;
pub mod message;
pub mod scan;
pub mod stream;

pub use self::hello::{ClientHello, ServerHello};
pub use self::message::{HandshakeType, Message};
pub use self::stream::{ContentType, Record, RecordStream, Skipped, Stop};
