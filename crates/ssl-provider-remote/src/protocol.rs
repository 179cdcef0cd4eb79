//! The messages between a program and its key server, as bytes: strict, bounded, versioned.
//! All numbers are big-endian.
//!
//! ```text
//! request: length (2), version (1), id (4), command (1), and
//!   1, public key:    index (2)
//!   2, master secret: key id (32), TLS version (2), suite (4), offered version (2),
//!                     seed (1 and 64: both randoms; 2, length (1) and hash: a session hash),
//!                     length (2) and ciphertext
//! reply: length (2), version (1), id (4), status (1), and if the status is 0
//!   to 1: length (2) and modulus, length (2) and public exponent
//!   to 2: master secret (48)
//! ```
//!
//! The length is that of what follows it. A message that another encoding could also mean, or that
//! has bytes left over, is malformed. A master secret has one form of reply: nothing about the
//! ciphertext changes its status or its length.

use std::fmt;

use ssl_provider_core::backend::KeyExchangeBackend;
use ssl_provider_core::{
    CipherSuite, Error, HashAlgorithm, MASTER_SECRET_LEN, MAX_MODULUS_LEN, MasterSeed,
    ProtocolVersion, PublicKeyParts, RANDOM_LEN,
};
use zeroize::Zeroizing;

/// The version of these messages.
pub const VERSION: u8 = 1;

/// Longest ciphertext of a request: that of the longest modulus. A longer one is sent as its hash,
/// see [`Exchange::ciphertext`].
pub const MAX_CIPHERTEXT_LEN: usize = MAX_MODULUS_LEN;

/// Longest session hash (SHA-384).
pub const MAX_SESSION_HASH_LEN: usize = 48;

/// Length of length, version, id, and command or status.
pub const HEADER_LEN: usize = LENGTH_LEN + 1 + 4 + 1;

/// Longest request.
pub const MAX_REQUEST_LEN: usize =
    HEADER_LEN + KeyId::LEN + 2 + 4 + 2 + 1 + 2 * RANDOM_LEN + 2 + MAX_CIPHERTEXT_LEN;

/// Length of every reply with a master secret.
pub const MASTER_SECRET_REPLY_LEN: usize = HEADER_LEN + MASTER_SECRET_LEN;

/// Longest reply: a public key.
pub const MAX_REPLY_LEN: usize = HEADER_LEN + 2 * (2 + MAX_MODULUS_LEN);

/// What is not a message. Connections with such bytes are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// Another version of the protocol.
    Version(u8),
    /// Bytes that no message begins with, or that do not fit together.
    Syntax,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "version of the protocol: expected {VERSION}, got {version}")
            }
            Self::Syntax => f.write_str("not a message of this protocol"),
        }
    }
}

impl std::error::Error for Malformed {}

/// The name of a key: the SHA-256 of its `SubjectPublicKeyInfo` in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; Self::LEN]);

impl KeyId {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// Returns the name of an RSA key, of its numbers big-endian without leading zeros.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for numbers that no structure holds; errors of the backend.
    pub fn of(
        backend: &dyn KeyExchangeBackend,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<Self, Error> {
        let info = PublicKeyParts::Rsa { modulus, exponent }.to_der()?;
        let mut id = Self([0; Self::LEN]);
        backend.hashing().hash(HashAlgorithm::Sha256, &[&info], &mut id.0)?;
        Ok(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A request. All of it is public.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Chosen by the client, and repeated in the reply.
    pub id: u32,
    /// What to do.
    pub command: Command<'a>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Command<'a> {
    /// The public half of the key at an index; [`Status::NoSuchKey`] behind the last.
    PublicKey {
        /// Counted from 0.
        index: u16,
    },
    /// A whole RSA key exchange.
    MasterSecret(Exchange<'a>),
}

/// An RSA key exchange.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The name of the key.
    pub key: KeyId,
    /// The negotiated version.
    pub version: ProtocolVersion,
    /// The negotiated suite.
    pub suite: CipherSuite,
    /// The version that the premaster secret must carry: the one that the client has offered. A
    /// key server has this one rule, as two rules for one key are an oracle.
    pub offered: ProtocolVersion,
    /// What the master secret is derived from besides.
    pub seed: MasterSeed<'a>,
    /// The ciphertext, or the SHA-256 of one that is longer than [`MAX_CIPHERTEXT_LEN`]. Both have
    /// a length that no modulus has, so both are rejected implicitly, with a fallback that depends
    /// on all of the ciphertext.
    pub ciphertext: &'a [u8],
}

impl<'a> Request<'a> {
    /// Parses a whole request, with its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for every other input.
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let (id, command, mut fields) = header(message, MAX_REQUEST_LEN)?;
        let command = match command {
            PUBLIC_KEY => Command::PublicKey { index: fields.u16()? },
            EXCHANGE => Command::MasterSecret(Exchange {
                key: KeyId(*fields.array()?),
                version: ProtocolVersion(fields.u16()?),
                suite: CipherSuite(u32::from_be_bytes(*fields.array()?)),
                offered: ProtocolVersion(fields.u16()?),
                seed: seed(&mut fields)?,
                ciphertext: fields.sized(MAX_CIPHERTEXT_LEN)?,
            }),
            _ => return Err(Malformed::Syntax),
        };
        fields.end()?;
        Ok(Self { id, command })
    }

    /// Returns the request as bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when session hash or ciphertext are too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(MAX_REQUEST_LEN);
        match &self.command {
            Command::PublicKey { index } => {
                start(&mut out, self.id, PUBLIC_KEY);
                out.extend(index.to_be_bytes());
            }
            Command::MasterSecret(exchange) => {
                start(&mut out, self.id, EXCHANGE);
                out.extend(exchange.key.0);
                out.extend(exchange.version.wire().to_be_bytes());
                out.extend(exchange.suite.0.to_be_bytes());
                out.extend(exchange.offered.wire().to_be_bytes());
                match exchange.seed {
                    MasterSeed::Randoms(client, server) => {
                        out.push(RANDOMS);
                        out.extend(client);
                        out.extend(server);
                    }
                    MasterSeed::SessionHash(hash) => {
                        let len = u8::try_from(hash.len()).ok();
                        let len = len.filter(|_| hash.len() <= MAX_SESSION_HASH_LEN);
                        out.extend([SESSION_HASH, len.ok_or(TOO_LONG)?]);
                        out.extend(hash);
                    }
                }
                put_sized(&mut out, exchange.ciphertext, MAX_CIPHERTEXT_LEN)?;
            }
        }
        finish(&mut out)?;
        Ok(out)
    }
}

fn seed<'a>(fields: &mut Fields<'a>) -> Result<MasterSeed<'a>, Malformed> {
    match fields.u8()? {
        RANDOMS => Ok(MasterSeed::Randoms(fields.array()?, fields.array()?)),
        SESSION_HASH => {
            let len = usize::from(fields.u8()?);
            if len > MAX_SESSION_HASH_LEN {
                return Err(Malformed::Syntax);
            }
            Ok(MasterSeed::SessionHash(fields.bytes(len)?))
        }
        _ => Err(Malformed::Syntax),
    }
}

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// Why a request was not done. Nothing that a ciphertext decides is a reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Status {
            $($(#[$doc])* $name,)*
        }

        impl Status {
            /// Every status.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            const fn number(self) -> u8 {
                match self {
                    $(Self::$name => $number,)*
                }
            }
        }
    };
}

statuses! {
    /// The request is malformed; the connection is closed.
    Malformed = 1;
    /// The request has another version of the protocol; the connection is closed.
    Version = 2;
    /// There is no key with this name, or at this index.
    NoSuchKey = 3;
    /// The TLS version is unknown, or not enabled on the key server.
    UnsupportedProtocol = 4;
    /// The suite is unknown, not of the version, or not of this key exchange.
    UnsupportedSuite = 5;
    /// The session hash has another length than that of the suite.
    InvalidParameter = 6;
    /// The library of the key server does not support it.
    Unsupported = 7;
    /// The library of the key server failed, for a reason that no input explains.
    Failed = 8;
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request is malformed",
            Self::Version => {
                "it has another version of the protocol; use the same release for both"
            }
            Self::NoSuchKey => "it does not have the key",
            Self::UnsupportedProtocol => "the TLS version is unknown to it or not enabled",
            Self::UnsupportedSuite => "the suite is not one of RSA key exchange for this version",
            Self::InvalidParameter => "the session hash has another length than that of the suite",
            Self::Unsupported => "its library does not support the operation",
            Self::Failed => "its library failed",
        })
    }
}

impl std::error::Error for Status {}

/// The reply to a request, with the rest of its bytes. The content of a reply to
/// [`Command::MasterSecret`] is secret.
pub struct Reply<'a> {
    /// The id of the request.
    pub id: u32,
    /// What was asked for.
    pub content: Result<&'a [u8], Status>,
}

impl<'a> Reply<'a> {
    /// Parses a whole reply, with its length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for every other input.
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let (id, status, fields) = header(message, MAX_REPLY_LEN)?;
        let Fields(content) = fields;
        let content = match Status::ALL.iter().find(|it| it.number() == status) {
            None if status == OK => Ok(content),
            Some(status) if content.is_empty() => Err(*status),
            _ => return Err(Malformed::Syntax),
        };
        Ok(Self { id, content })
    }

    /// Returns the reply as bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when the content is longer than any.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (status, content) = match self.content {
            Ok(content) => (OK, content),
            Err(status) => (status.number(), &[][..]),
        };
        // Of its final size, so that no copy of a secret stays behind.
        let mut out = Zeroizing::new(Vec::with_capacity(HEADER_LEN + content.len()));
        start(&mut out, self.id, status);
        out.extend_from_slice(content);
        if out.len() > MAX_REPLY_LEN {
            return Err(TOO_LONG);
        }
        finish(&mut out)?;
        Ok(out)
    }
}

ssl_provider_core::redacted_debug! { Reply<'_> { id, .. } }

/// The content of a reply to [`Command::PublicKey`]: modulus and public exponent, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKeyContent<'a> {
    /// The modulus.
    pub modulus: &'a [u8],
    /// The public exponent.
    pub exponent: &'a [u8],
}

impl<'a> PublicKeyContent<'a> {
    /// Parses it.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for every other input.
    pub fn parse(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(content);
        let modulus = fields.sized(MAX_MODULUS_LEN)?;
        let exponent = fields.sized(MAX_MODULUS_LEN)?;
        fields.end()?;
        Ok(Self { modulus, exponent })
    }

    /// Returns it as bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for numbers that are too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        put_sized(&mut out, self.modulus, MAX_MODULUS_LEN)?;
        put_sized(&mut out, self.exponent, MAX_MODULUS_LEN)?;
        Ok(out)
    }
}

/// Returns the length of the message that `received` begins with, once that is known. Its bytes may
/// not all be there.
///
/// # Errors
///
/// [`Malformed`] for a length that no message of at most `max` bytes has.
pub fn message_len(received: &[u8], max: usize) -> Result<Option<usize>, Malformed> {
    let Some(len) = received.first_chunk() else { return Ok(None) };
    let len = LENGTH_LEN + usize::from(u16::from_be_bytes(*len));
    if (HEADER_LEN..=max).contains(&len) { Ok(Some(len)) } else { Err(Malformed::Syntax) }
}

/// Takes the header of a message apart: id, command or status, and the rest.
fn header(message: &[u8], max: usize) -> Result<(u32, u8, Fields<'_>), Malformed> {
    if message_len(message, max)? != Some(message.len()) {
        return Err(Malformed::Syntax);
    }
    let mut fields = Fields(message);
    fields.u16()?;
    let version = fields.u8()?;
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    Ok((u32::from_be_bytes(*fields.array()?), fields.u8()?, fields))
}

/// The bytes that are left.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed::Syntax)?;
        self.0 = rest;
        Ok(array)
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed::Syntax)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|byte| byte[0])
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// Bytes with their length in front.
    fn sized(&mut self, max: usize) -> Result<&'a [u8], Malformed> {
        let len = usize::from(self.u16()?);
        if len > max { Err(Malformed::Syntax) } else { self.bytes(len) }
    }

    fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Syntax) }
    }
}

/// Begins a message; [`finish`] sets its length.
fn start(out: &mut Vec<u8>, id: u32, kind: u8) {
    out.extend([0; LENGTH_LEN]);
    out.push(VERSION);
    out.extend(id.to_be_bytes());
    out.push(kind);
}

fn finish(out: &mut [u8]) -> Result<(), Error> {
    let len = u16::try_from(out.len().saturating_sub(LENGTH_LEN)).map_err(|_| TOO_LONG)?;
    let place = out.first_chunk_mut().ok_or(TOO_LONG)?;
    *place = len.to_be_bytes();
    Ok(())
}

fn put_sized(out: &mut Vec<u8>, bytes: &[u8], max: usize) -> Result<(), Error> {
    let len = u16::try_from(bytes.len()).ok().filter(|_| bytes.len() <= max).ok_or(TOO_LONG)?;
    out.extend(len.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

/// Length of the length.
const LENGTH_LEN: usize = 2;

// Commands, kinds of seed, and the status of a reply with content.
const PUBLIC_KEY: u8 = 1;
const EXCHANGE: u8 = 2;
const RANDOMS: u8 = 1;
const SESSION_HASH: u8 = 2;
const OK: u8 = 0;

const TOO_LONG: Error = Error::InvalidParameter("key server: the message would be too long");

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: [u8; 32] = [3; 32];
    const SERVER: [u8; 32] = [4; 32];

    fn exchange<'a>(seed: MasterSeed<'a>, ciphertext: &'a [u8]) -> Vec<u8> {
        let command = Command::MasterSecret(Exchange {
            key: KeyId([9; 32]),
            version: ProtocolVersion::TLS1_0,
            suite: CipherSuite(0x2f),
            offered: ProtocolVersion::TLS1_2,
            seed,
            ciphertext,
        });
        Request { id: 0x0102_0304, command }.to_bytes().unwrap()
    }

    fn requests() -> Vec<Vec<u8>> {
        let hash = [5; MAX_SESSION_HASH_LEN];
        let ciphertext = [6; MAX_CIPHERTEXT_LEN];
        vec![
            Request { id: 7, command: Command::PublicKey { index: 0x0809 } }.to_bytes().unwrap(),
            exchange(MasterSeed::Randoms(&CLIENT, &SERVER), &ciphertext),
            exchange(MasterSeed::Randoms(&CLIENT, &SERVER), &[]),
            exchange(MasterSeed::SessionHash(&hash), &ciphertext[..128]),
            exchange(MasterSeed::SessionHash(&hash[..32]), &ciphertext[..5]),
        ]
    }

    #[test]
    fn a_request_has_the_documented_bytes() {
        let bytes = exchange(MasterSeed::Randoms(&CLIENT, &SERVER), &[6, 6]);
        let expected = [
            &[0, 115, 1, 1, 2, 3, 4, 2][..],
            &[9; 32],
            &[3, 1, 0, 0, 0, 0x2f, 3, 3, 1],
            &CLIENT,
            &SERVER,
            &[0, 2, 6, 6],
        ];
        assert_eq!(bytes, expected.concat());
        let largest = exchange(MasterSeed::Randoms(&CLIENT, &SERVER), &[6; MAX_CIPHERTEXT_LEN]);
        assert_eq!(largest.len(), MAX_REQUEST_LEN);
    }

    #[test]
    fn a_request_that_is_parsed_is_written_as_it_was() {
        for bytes in requests() {
            assert_eq!(Request::parse(&bytes).unwrap().to_bytes().unwrap(), bytes);
        }
    }

    #[test]
    fn a_request_that_is_cut_or_has_bytes_left_over_is_malformed() {
        for bytes in requests() {
            for len in 0..bytes.len() {
                assert!(Request::parse(&bytes[..len]).is_err(), "{len} of {}", bytes.len());
                // Also where the length says so.
                let mut cut = bytes[..len].to_vec();
                let _ = finish(&mut cut);
                assert!(Request::parse(&cut).is_err(), "{len} of {}", bytes.len());
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert_eq!(Request::parse(&longer).map(drop), Err(Malformed::Syntax));
            finish(&mut longer).unwrap();
            assert_eq!(Request::parse(&longer).map(drop), Err(Malformed::Syntax));
        }
    }

    #[test]
    fn another_version_is_named() {
        for mut bytes in requests() {
            bytes[2] = 2;
            assert_eq!(Request::parse(&bytes).map(drop), Err(Malformed::Version(2)));
        }
    }

    #[test]
    fn what_is_too_long_is_not_written() {
        let hash = [0; MAX_SESSION_HASH_LEN + 1];
        let long = [0; MAX_CIPHERTEXT_LEN + 1];
        for (seed, ciphertext) in [
            (MasterSeed::SessionHash(&hash), &[][..]),
            (MasterSeed::Randoms(&CLIENT, &SERVER), &long),
        ] {
            let exchange = Exchange {
                key: KeyId([0; 32]),
                version: ProtocolVersion::TLS1_2,
                suite: CipherSuite(0x2f),
                offered: ProtocolVersion::TLS1_2,
                seed,
                ciphertext,
            };
            let request = Request { id: 0, command: Command::MasterSecret(exchange) };
            assert_eq!(request.to_bytes(), Err(TOO_LONG));
        }
        let reply = Reply { id: 0, content: Ok(&[0; MAX_REPLY_LEN]) };
        assert_eq!(reply.to_bytes().map(drop), Err(TOO_LONG));
    }

    #[test]
    fn replies_come_back_and_a_failure_has_no_content() {
        for content in [Ok(&[7; 48][..]), Ok(&[])]
            .into_iter()
            .chain(Status::ALL.iter().map(|status| Err(*status)))
        {
            let bytes = Reply { id: 5, content }.to_bytes().unwrap();
            let parsed = Reply::parse(&bytes).unwrap();
            assert_eq!((parsed.id, parsed.content), (5, content));
        }
        let mut failed = Reply { id: 5, content: Ok(&[1]) }.to_bytes().unwrap();
        failed[HEADER_LEN - 1] = Status::Failed.number();
        assert_eq!(Reply::parse(&failed).map(drop), Err(Malformed::Syntax));
        failed[HEADER_LEN - 1] = 0xff;
        assert_eq!(Reply::parse(&failed).map(drop), Err(Malformed::Syntax));
        let shown = format!("{:?}", Reply { id: 5, content: Ok(&[0xa5]) });
        assert_eq!(shown, "Reply { id: 5, .. }");
    }

    #[test]
    fn public_keys_come_back() {
        let key = PublicKeyContent { modulus: &[1; MAX_MODULUS_LEN], exponent: &[1, 0, 1] };
        let bytes = key.to_bytes().unwrap();
        assert_eq!(PublicKeyContent::parse(&bytes), Ok(key));
        for len in 0..bytes.len() {
            assert_eq!(PublicKeyContent::parse(&bytes[..len]), Err(Malformed::Syntax));
        }
    }
}
