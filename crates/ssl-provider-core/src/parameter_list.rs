//! The parameter list of the interface, `NCryptBufferDesc`: built in Rust, parsed for C.
//! It is parsed once; nobody below looks at raw buffers again.

use crate::error::Error;
use crate::version::ProtocolVersion;

/// Length of a client or server random in bytes (RFC 5246 section 7.4.1.2).
pub const RANDOM_LEN: usize = 32;

/// Longest session hash in bytes: SHA-384 (RFC 7627 section 3).
const MAX_SESSION_HASH_LEN: usize = 48;

/// The type of a buffer, as `ncrypt.h` numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum BufferType {
    /// `NCRYPTBUFFER_EMPTY`: skipped.
    Empty = 0,
    /// `NCRYPTBUFFER_SSL_CLIENT_RANDOM`, 32 bytes.
    ClientRandom = 20,
    /// `NCRYPTBUFFER_SSL_SERVER_RANDOM`, 32 bytes.
    ServerRandom = 21,
    /// `NCRYPTBUFFER_SSL_HIGHEST_VERSION`, a 32-bit number in native byte order: the version that
    /// the client offered.
    HighestVersion = 22,
    /// `NCRYPTBUFFER_SSL_SESSION_HASH`, 36, 32 or 48 bytes; its presence asks for the extended
    /// master secret (RFC 7627).
    SessionHash = 25,
}

impl BufferType {
    fn known(value: u32) -> Option<Self> {
        [
            Self::Empty,
            Self::ClientRandom,
            Self::ServerRandom,
            Self::HighestVersion,
            Self::SessionHash,
        ]
        .into_iter()
        .find(|known| *known as u32 == value)
    }
}

/// One entry of a raw list, as a C caller passes it.
#[derive(Clone, Copy, Debug)]
pub struct Buffer<'a> {
    /// The type as given.
    pub buffer_type: u32,
    /// The content; none where the caller passed a null pointer.
    pub data: Option<&'a [u8]>,
}

/// The parameters of a key derivation, parsed and owned.
///
/// ```
/// use ssl_provider_core::{ParameterList, ProtocolVersion};
///
/// let parameters = ParameterList::new()
///     .client_random([1; 32])
///     .server_random([2; 32])
///     .highest_version(ProtocolVersion::TLS1_2);
/// # assert!(format!("{parameters:?}").contains("highest_version"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterList {
    client_random: Option<[u8; RANDOM_LEN]>,
    server_random: Option<[u8; RANDOM_LEN]>,
    highest_version: Option<ProtocolVersion>,
    session_hash: Option<SessionHash>,
}

/// A session hash of RFC 7627 with its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionHash {
    bytes: [u8; MAX_SESSION_HASH_LEN],
    len: usize,
}

impl SessionHash {
    fn new(hash: &[u8]) -> Result<Self, Error> {
        let mut bytes = [0; MAX_SESSION_HASH_LEN];
        match hash.len() {
            len @ (32 | 36 | 48) => {
                bytes[..len].copy_from_slice(hash);
                Ok(Self { bytes, len })
            }
            _ => Err(Error::InvalidParameter("session hash: expected 36, 32 or 48 bytes")),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl ParameterList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the random of the ClientHello.
    #[must_use]
    pub fn client_random(mut self, random: [u8; RANDOM_LEN]) -> Self {
        self.client_random = Some(random);
        self
    }

    /// Sets the random of the ServerHello.
    #[must_use]
    pub fn server_random(mut self, random: [u8; RANDOM_LEN]) -> Self {
        self.server_random = Some(random);
        self
    }

    /// Sets the version that the client offered (`ClientHello.client_version`), which the
    /// premaster secret repeats.
    #[must_use]
    pub fn highest_version(mut self, version: ProtocolVersion) -> Self {
        self.highest_version = Some(version);
        self
    }

    /// Sets the session hash and with it asks for the extended master secret (RFC 7627).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] unless the hash has 36 bytes (before TLS 1.2), 32 or 48.
    pub fn session_hash(mut self, hash: &[u8]) -> Result<Self, Error> {
        self.session_hash = Some(SessionHash::new(hash)?);
        Ok(self)
    }

    /// Parses a raw list with the `ulVersion` of its descriptor.
    ///
    /// Entries may come in any order. Entries of type empty and of unknown types are ignored; of
    /// several entries of one type the last counts, as in Microsoft's sample provider. Of the
    /// highest version the low 16 bits count.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a `ulVersion` other than 0 and for a known entry whose
    /// pointer is null or whose size is not the documented one.
    pub fn parse(version: u32, buffers: &[Buffer<'_>]) -> Result<Self, Error> {
        if version != 0 {
            return Err(Error::InvalidParameter("parameter list: expected ulVersion 0"));
        }
        let mut list = Self::new();
        for buffer in buffers {
            let Some(buffer_type) = BufferType::known(buffer.buffer_type) else { continue };
            if buffer_type == BufferType::Empty {
                continue;
            }
            let data = buffer
                .data
                .ok_or(Error::InvalidParameter("parameter list: an entry has a null pointer"))?;
            match buffer_type {
                BufferType::Empty => {}
                BufferType::ClientRandom => list.client_random = Some(random(data)?),
                BufferType::ServerRandom => list.server_random = Some(random(data)?),
                BufferType::HighestVersion => {
                    let bytes = data.try_into().map_err(|_| {
                        Error::InvalidParameter("highest version: expected 4 bytes")
                    })?;
                    let [_, _, high, low] = u32::from_ne_bytes(bytes).to_be_bytes();
                    let version = u16::from_be_bytes([high, low]);
                    list.highest_version = Some(ProtocolVersion(version));
                }
                BufferType::SessionHash => list.session_hash = Some(SessionHash::new(data)?),
            }
        }
        Ok(list)
    }

    /// Both randoms, client first.
    pub(crate) fn randoms(&self) -> Result<(&[u8; RANDOM_LEN], &[u8; RANDOM_LEN]), Error> {
        match (&self.client_random, &self.server_random) {
            (Some(client), Some(server)) => Ok((client, server)),
            (None, _) => Err(Error::InvalidParameter("client random: missing from the list")),
            (_, None) => Err(Error::InvalidParameter("server random: missing from the list")),
        }
    }

    /// The version that the client offered.
    pub(crate) fn offered_version(&self) -> Option<ProtocolVersion> {
        self.highest_version
    }

    pub(crate) fn extended_hash(&self) -> Option<&SessionHash> {
        self.session_hash.as_ref()
    }
}

fn random(data: &[u8]) -> Result<[u8; RANDOM_LEN], Error> {
    data.try_into().map_err(|_| Error::InvalidParameter("random: expected 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(buffer_type: u32, data: &[u8]) -> Buffer<'_> {
        Buffer { buffer_type, data: Some(data) }
    }

    #[test]
    fn order_does_not_matter_and_unknown_types_are_ignored() {
        let version = 0x0303_u32.to_ne_bytes();
        let (client, server) = ([1; 32], [2; 32]);
        let buffers = [
            entry(22, &version),
            entry(99, &[]),
            Buffer { buffer_type: 0, data: None },
            Buffer { buffer_type: 77, data: None },
            entry(21, &server),
            entry(20, &client),
        ];
        let built = ParameterList::new()
            .client_random(client)
            .server_random(server)
            .highest_version(ProtocolVersion::TLS1_2);
        assert_eq!(ParameterList::parse(0, &buffers), Ok(built.clone()));
        let reversed: Vec<_> = buffers.iter().rev().copied().collect();
        assert_eq!(ParameterList::parse(0, &reversed), Ok(built));
    }

    #[test]
    fn the_last_of_several_entries_counts() {
        let list = ParameterList::parse(0, &[entry(20, &[1; 32]), entry(20, &[2; 32])]).unwrap();
        assert_eq!(list, ParameterList::new().client_random([2; 32]));
    }

    #[test]
    fn every_wrong_size_of_a_known_type_is_refused() {
        let bytes = [0; 64];
        for (buffer_type, good) in [(20, &[32][..]), (21, &[32]), (22, &[4]), (25, &[32, 36, 48])] {
            for len in 0..=bytes.len() {
                let parsed = ParameterList::parse(0, &[entry(buffer_type, &bytes[..len])]);
                assert_eq!(parsed.is_ok(), good.contains(&len), "type {buffer_type} len {len}");
            }
            let null = Buffer { buffer_type, data: None };
            let status = ParameterList::parse(0, &[null]).unwrap_err().status().code();
            assert_eq!(status, 0x8009_0027, "type {buffer_type}");
        }
    }

    #[test]
    fn only_list_version_0_is_taken() {
        assert_eq!(ParameterList::parse(0, &[]), Ok(ParameterList::new()));
        assert!(ParameterList::parse(1, &[]).is_err());
    }

    #[test]
    fn only_the_low_16_bits_of_the_highest_version_count() {
        let version = 0xabcd_0302_u32.to_ne_bytes();
        let list = ParameterList::parse(0, &[entry(22, &version)]).unwrap();
        assert_eq!(list.offered_version(), Some(ProtocolVersion::TLS1_1));
    }
}
