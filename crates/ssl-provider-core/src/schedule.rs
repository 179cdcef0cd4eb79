//! The key schedule of SSL 3.0 to TLS 1.2: master secret, key block, Finished.
//! Every choice here is made by public facts: protocol, suite, and whether a session hash is given.

use zeroize::Zeroizing;

use crate::backend::{HashAlgorithm, KeyExchangeBackend, PrfAlgorithm};
use crate::cipher_suite::CipherSuite;
use crate::error::Error;
use crate::master_key::Side;
use crate::parameter_list::RANDOM_LEN;
use crate::protocol::{Protocol, Schedule};
use crate::secret::{MasterSecret, PremasterSecret};

/// Length of verify_data in bytes from TLS 1.0 on (RFC 5246 section 7.4.9).
pub const VERIFY_DATA_LEN: usize = 12;

/// Length of verify_data in bytes in SSL 3.0: an MD5 and a SHA-1 hash (RFC 6101 section 5.6.9).
pub const SSL3_VERIFY_DATA_LEN: usize = 36;

/// What a master secret is derived from besides the premaster secret.
#[derive(Clone, Copy, Debug)]
pub enum MasterSeed<'a> {
    /// The client random and the server random (RFC 5246 section 8.1).
    Randoms(&'a [u8; RANDOM_LEN], &'a [u8; RANDOM_LEN]),
    /// The session hash, for the extended master secret (RFC 7627 section 4).
    SessionHash(&'a [u8]),
}

impl MasterSeed<'_> {
    /// Checks that the seed is one of this protocol and suite.
    pub(crate) fn check(&self, protocol: Protocol, suite: &CipherSuite) -> Result<(), Error> {
        let schedule = schedule_of(protocol)?;
        match (self, schedule.prf(suite.prf)) {
            (Self::Randoms(..), _) => Ok(()),
            // SSL 3.0 has no extended master secret.
            (Self::SessionHash(_), None) => {
                Err(Error::UnsupportedProtocol { given: u32::from(protocol.wire()) })
            }
            (Self::SessionHash(hash), Some(prf)) if hash.len() == prf.handshake_hash_len() => {
                Ok(())
            }
            (Self::SessionHash(_), Some(_)) => Err(Error::InvalidParameter(
                "session hash: its length is not that of the handshake hash of the suite",
            )),
        }
    }
}

/// Derives the master secret (RFC 5246 section 8.1, RFC 7627 section 4, RFC 6101 section 6.1).
///
/// # Errors
///
/// [`Error::UnsupportedProtocol`] for a protocol without this exchange, and what the backend
/// answers.
pub fn master_secret(
    backend: &dyn KeyExchangeBackend,
    protocol: Protocol,
    suite: &CipherSuite,
    premaster_secret: &PremasterSecret,
    seed: MasterSeed<'_>,
    out: &mut MasterSecret,
) -> Result<(), Error> {
    seed.check(protocol, suite)?;
    let secret = premaster_secret.expose();
    match (schedule_of(protocol)?.prf(suite.prf), seed) {
        (None, MasterSeed::Randoms(client, server)) => {
            ssl3_expand(backend, secret, &[client, server], out.expose_mut())
        }
        (None, MasterSeed::SessionHash(_)) => {
            Err(Error::Internal("the seed has been checked against the protocol"))
        }
        (Some(prf), MasterSeed::Randoms(client, server)) => {
            backend.prf(prf, secret, b"master secret", &[client, server], out.expose_mut())
        }
        (Some(prf), MasterSeed::SessionHash(hash)) => {
            backend.prf(prf, secret, b"extended master secret", &[hash], out.expose_mut())
        }
    }
}

/// Derives the key block (RFC 5246 section 6.3, RFC 6101 section 6.2.2) and fills `out`.
///
/// # Errors
///
/// [`Error::UnsupportedProtocol`] for a protocol without this exchange, and what the backend
/// answers.
pub fn key_block(
    backend: &dyn KeyExchangeBackend,
    protocol: Protocol,
    suite: &CipherSuite,
    master_secret: &MasterSecret,
    client_random: &[u8; RANDOM_LEN],
    server_random: &[u8; RANDOM_LEN],
    out: &mut [u8],
) -> Result<(), Error> {
    let secret = master_secret.expose();
    let seed: [&[u8]; 2] = [server_random, client_random];
    match schedule_of(protocol)?.prf(suite.prf) {
        None => ssl3_expand(backend, secret, &seed, out),
        Some(prf) => backend.prf(prf, secret, b"key expansion", &seed, out),
    }
}

/// Derives one write key of an export suite from the short key of the key block
/// (RFC 2246 section 6.3.1, RFC 6101 section 6.2.2.1).
pub(crate) fn export_write_key(
    backend: &dyn KeyExchangeBackend,
    protocol: Protocol,
    short_key: &[u8],
    client_random: &[u8; RANDOM_LEN],
    server_random: &[u8; RANDOM_LEN],
    writer: Side,
    out: &mut [u8],
) -> Result<(), Error> {
    match export_prf(protocol)? {
        None => {
            let (first, second) = match writer {
                Side::Client => (client_random, server_random),
                Side::Server => (server_random, client_random),
            };
            md5_prefix(backend, &[short_key, first, second], out)
        }
        Some(prf) => {
            let label = match writer {
                Side::Client => b"client write key",
                Side::Server => b"server write key",
            };
            backend.prf(prf, short_key, label, &[client_random, server_random], out)
        }
    }
}

/// Derives both initialisation vectors of an export suite, which come from the randoms alone.
pub(crate) fn export_ivs(
    backend: &dyn KeyExchangeBackend,
    protocol: Protocol,
    client_random: &[u8; RANDOM_LEN],
    server_random: &[u8; RANDOM_LEN],
    client_iv: &mut [u8],
    server_iv: &mut [u8],
) -> Result<(), Error> {
    match export_prf(protocol)? {
        None => {
            md5_prefix(backend, &[client_random, server_random], client_iv)?;
            md5_prefix(backend, &[server_random, client_random], server_iv)
        }
        Some(prf) => {
            let mut block = [0; 64];
            let both = block
                .get_mut(..client_iv.len() + server_iv.len())
                .ok_or(Error::Internal("initialisation vectors of an export suite are short"))?;
            backend.prf(prf, &[], b"IV block", &[client_random, server_random], both)?;
            let (client, server) = both.split_at(client_iv.len());
            client_iv.copy_from_slice(client);
            server_iv.copy_from_slice(server);
            Ok(())
        }
    }
}

/// The PRF of the export derivation. The suites were withdrawn before TLS 1.2; stacks that used
/// them there kept its default PRF.
fn export_prf(protocol: Protocol) -> Result<Option<PrfAlgorithm>, Error> {
    Ok(schedule_of(protocol)?.prf(PrfAlgorithm::Sha256))
}

fn md5_prefix(
    backend: &dyn KeyExchangeBackend,
    input: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let mut digest = Zeroizing::new([0; 16]);
    backend.hash(HashAlgorithm::Md5, input, digest.as_mut())?;
    let prefix = digest.get(..out.len()).ok_or(Error::Internal("more than an MD5 hash asked"))?;
    out.copy_from_slice(prefix);
    Ok(())
}

/// The schedule of a protocol that has an RSA key exchange.
pub(crate) fn schedule_of(protocol: Protocol) -> Result<Schedule, Error> {
    protocol.schedule().ok_or(Error::UnsupportedProtocol { given: u32::from(protocol.wire()) })
}

/// The expansion of SSL 3.0: MD5(secret, SHA1("A", secret, seed)), then with "BB", "CCC", …
/// (RFC 6101 sections 6.1 and 6.2.2).
fn ssl3_expand(
    backend: &dyn KeyExchangeBackend,
    secret: &[u8],
    seed: &[&[u8]; 2],
    out: &mut [u8],
) -> Result<(), Error> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut inner = Zeroizing::new([0; 20]);
    let mut outer = Zeroizing::new([0; 16]);
    for (round, chunk) in out.chunks_mut(16).enumerate() {
        let letter =
            *LETTERS.get(round).ok_or(Error::Internal("SSL 3.0 expands at most 416 bytes"))?;
        let salt = [letter; 26];
        backend.hash(
            HashAlgorithm::Sha1,
            &[&salt[..=round], secret, seed[0], seed[1]],
            inner.as_mut(),
        )?;
        backend.hash(HashAlgorithm::Md5, &[secret, inner.as_ref()], outer.as_mut())?;
        chunk.copy_from_slice(&outer[..chunk.len()]);
    }
    Ok(())
}
