//! TLS as a capture shows it: where it starts in a stream, and its records.
//! Nothing here decrypts; `record` does that, and `keylog` puts both together.

pub mod scan;
pub mod stream;

pub use self::stream::{Record, RecordStream, Skipped, Stop};
