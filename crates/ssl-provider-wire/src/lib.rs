//! Messages of SSL 3.0 to TLS 1.3 as bytes: records, handshake messages, hellos and alerts.
//! Endpoints parse with [`View::Strict`], readers of captures with [`View::Lenient`].
//!
//! Nothing here indexes by a number that a peer sent, so that no length field causes a panic.

#![forbid(unsafe_code)]

mod alert;
mod extension;
mod handshake;
mod hello;
mod key_exchange;
mod reader;
mod record;
mod tls13;

pub use crate::alert::Alert;
pub use crate::extension::{ExtensionType, Extensions, UNCOMPRESSED_POINTS, put_extension};
pub use crate::handshake::{
    Assembler, ClientCertificateType, HandshakeType, Message, certificates, first_certificate,
    put_certificate, put_message, put_session_ticket, session_ticket,
};
pub use crate::hello::{
    ClientHello, DOWNGRADE_FROM_TLS_1_2, DOWNGRADE_FROM_TLS_1_3, EMPTY_RENEGOTIATION_INFO_SCSV,
    FALLBACK_SCSV, HELLO_RETRY_REQUEST_RANDOM, ServerHello,
};
pub use crate::key_exchange::{
    KeyExchangeParameters, ServerKeyExchange, dhe_public_key, ecdhe_public_key, put_signature,
};
pub use crate::reader::{Malformed, Reader, View, put_vec};
pub use crate::record::{ContentType, RecordHeader, Ssl2Header};
pub use crate::tls13::{
    CertificateEntry, CertificateMessage, CertificateRequest, CertificateVerify, KeyShare,
    KeyUpdate, NewSessionTicket, OfferedPsks, PskIdentity, PskMode, encrypted_extensions,
    put_certificate_chain, put_encrypted_extensions, put_psks,
};
