//! The key schedule of SSL 3.0 to TLS 1.2: master secret and key block.
//! Every choice here is made by public facts: version, suite, and whether a session hash is given.

use zeroize::Zeroizing;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::error::Error;
use crate::parameter_list::{ParameterList, RANDOM_LEN};
use crate::secret::{MasterSecret, PremasterSecret};
use crate::security_parameters::SecurityParameters;
use crate::version::KeySchedule;

/// Length of verify_data in bytes from TLS 1.0 on (RFC 5246 section 7.4.9).
pub const VERIFY_DATA_LEN: usize = 12;

/// Length of verify_data in bytes in SSL 3.0: an MD5 and a SHA-1 hash (RFC 6101 section 5.6.9).
pub const SSL3_VERIFY_DATA_LEN: usize = 36;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// The client's random and the server's.
pub(crate) type Randoms<'r> = (&'r [u8; RANDOM_LEN], &'r [u8; RANDOM_LEN]);

/// What a master secret is derived from besides the premaster secret.
#[derive(Clone, Copy, Debug)]
pub enum MasterSeed<'a> {
    /// The client random and the server random (RFC 5246 section 8.1).
    Randoms(&'a [u8; RANDOM_LEN], &'a [u8; RANDOM_LEN]),
    /// The session hash, for the extended master secret (RFC 7627 section 4).
    SessionHash(&'a [u8]),
}

impl<'a> MasterSeed<'a> {
    /// The seed in a list: the session hash, which wins, or both randoms.
    pub(crate) fn of(
        list: &'a ParameterList,
        connection: &SecurityParameters,
    ) -> Result<Self, Error> {
        let seed = match list.extended_hash() {
            Some(hash) => Self::SessionHash(hash.as_bytes()),
            None => {
                let (client_random, server_random) = list.randoms()?;
                Self::Randoms(client_random, server_random)
            }
        };
        seed.check(connection)?;
        Ok(seed)
    }

    /// Checks that the seed is one of this version and suite.
    pub(crate) fn check(&self, parameters: &SecurityParameters) -> Result<(), Error> {
        let Self::SessionHash(hash) = self else { return Ok(()) };
        // SSL 3.0 has no extended master secret.
        if hash.len() == parameters.prf()?.handshake_hash_len() {
            Ok(())
        } else {
            Err(Error::InvalidParameter(
                "session hash: length differs from that of the handshake hash of the suite",
            ))
        }
    }
}

impl SecurityParameters {
    /// Derives the master secret (RFC 5246 section 8.1, RFC 7627 section 4, RFC 6101 section 6.1).
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedProtocol`] for a session hash in SSL 3.0 and for TLS 1.3,
    /// [`Error::InvalidParameter`] for a hash of a wrong length, and errors of the backend.
    pub fn master_secret(
        &self,
        premaster_secret: &PremasterSecret,
        seed: MasterSeed<'_>,
        out: &mut MasterSecret,
    ) -> Result<(), Error> {
        self.master_secret_of(premaster_secret.expose(), seed, out)
    }

    /// As [`master_secret`](Self::master_secret), for a premaster secret of any length.
    pub(crate) fn master_secret_of(
        &self,
        secret: &[u8],
        seed: MasterSeed<'_>,
        out: &mut MasterSecret,
    ) -> Result<(), Error> {
        seed.check(self)?;
        let out = out.expose_mut();
        match (self.schedule(), seed) {
            (KeySchedule::Ssl3, MasterSeed::Randoms(client, server)) => {
                self.ssl3_expand(secret, &[client, server], out)
            }
            (KeySchedule::Ssl3, MasterSeed::SessionHash(_)) | (KeySchedule::Tls13(_), _) => {
                Err(self.version().unsupported())
            }
            (KeySchedule::Tls(prf), MasterSeed::Randoms(client, server)) => {
                self.hashing().prf(prf, secret, b"master secret", &[client, server], out)
            }
            (KeySchedule::Tls(prf), MasterSeed::SessionHash(hash)) => {
                self.hashing().prf(prf, secret, b"extended master secret", &[hash], out)
            }
        }
    }

    /// Derives the key block (RFC 5246 section 6.3, RFC 6101 section 6.2.2) and fills `out`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for more than 416 bytes in SSL 3.0,
    /// [`Error::UnsupportedProtocol`] for TLS 1.3, and errors of the backend.
    pub fn key_block(
        &self,
        master_secret: &MasterSecret,
        client_random: &[u8; RANDOM_LEN],
        server_random: &[u8; RANDOM_LEN],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let secret = master_secret.expose();
        let seed: [&[u8]; 2] = [server_random, client_random];
        match self.schedule() {
            KeySchedule::Ssl3 => self.ssl3_expand(secret, &seed, out),
            KeySchedule::Tls(prf) => self.hashing().prf(prf, secret, b"key expansion", &seed, out),
            KeySchedule::Tls13(_) => Err(self.version().unsupported()),
        }
    }

    /// Derives one write key of an export suite from the short key of the key block
    /// (RFC 2246 section 6.3.1, RFC 6101 section 6.2.2.1).
    pub(crate) fn export_write_key(
        &self,
        short_key: &[u8],
        (client_random, server_random): Randoms<'_>,
        writer: Side,
        out: &mut [u8],
    ) -> Result<(), Error> {
        match self.export_prf() {
            None => {
                let (first, second) = match writer {
                    Side::Client => (client_random, server_random),
                    Side::Server => (server_random, client_random),
                };
                self.md5_prefix(&[short_key, first, second], out)
            }
            Some(prf) => {
                let label: &[u8] = match writer {
                    Side::Client => b"client write key",
                    Side::Server => b"server write key",
                };
                self.hashing().prf(prf, short_key, label, &[client_random, server_random], out)
            }
        }
    }

    /// Derives both IVs of an export suite, which come from the randoms alone.
    pub(crate) fn export_ivs(
        &self,
        (client_random, server_random): Randoms<'_>,
        client_iv: &mut [u8],
        server_iv: &mut [u8],
    ) -> Result<(), Error> {
        match self.export_prf() {
            None => {
                self.md5_prefix(&[client_random, server_random], client_iv)?;
                self.md5_prefix(&[server_random, client_random], server_iv)
            }
            Some(prf) => {
                let mut block = [0; 2 * MAX_IV_LEN];
                let seed: [&[u8]; 2] = [client_random, server_random];
                self.hashing().prf(prf, &[], b"IV block", &seed, &mut block)?;
                for (to, from) in client_iv.iter_mut().chain(server_iv).zip(block) {
                    *to = from;
                }
                Ok(())
            }
        }
    }

    /// The PRF of the export derivation. The suites were withdrawn before TLS 1.2; stacks that used
    /// them there kept its default PRF.
    fn export_prf(&self) -> Option<PrfAlgorithm> {
        match self.version().key_schedule(PrfAlgorithm::Sha256) {
            Some(KeySchedule::Tls(prf)) => Some(prf),
            Some(KeySchedule::Ssl3 | KeySchedule::Tls13(_)) | None => None,
        }
    }

    /// The first bytes of an MD5 hash, for keys and IVs of at most 16 bytes.
    fn md5_prefix(&self, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        let mut digest = Zeroizing::new([0; 16]);
        self.hashing().hash(HashAlgorithm::Md5, input, digest.as_mut())?;
        for (to, from) in out.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        Ok(())
    }

    /// The expansion of SSL 3.0: MD5(secret, SHA1("A", secret, seed)), then with "BB", "CCC", …
    /// (RFC 6101 sections 6.1 and 6.2.2).
    fn ssl3_expand(&self, secret: &[u8], seed: &[&[u8]; 2], out: &mut [u8]) -> Result<(), Error> {
        let mut inner = Zeroizing::new([0; 20]);
        let mut outer = Zeroizing::new([0; 16]);
        let mut letters = (1..).zip(b'A'..=b'Z');
        for chunk in out.chunks_mut(16) {
            let (len, letter) = letters.next().ok_or(LONG_KEY_BLOCK)?;
            let salt = &[letter; 26][..len];
            self.hashing().hash(
                HashAlgorithm::Sha1,
                &[salt, secret, seed[0], seed[1]],
                inner.as_mut(),
            )?;
            self.hashing().hash(HashAlgorithm::Md5, &[secret, inner.as_ref()], outer.as_mut())?;
            chunk.copy_from_slice(&outer[..chunk.len()]);
        }
        Ok(())
    }

    pub(crate) fn hashing(&self) -> &dyn crate::backend::Hashing {
        self.backend().hashing()
    }
}

/// SSL 3.0 derives an MD5 hash for each letter.
const LONG_KEY_BLOCK: Error =
    Error::InvalidParameter("key block: SSL 3.0 derives at most 416 bytes");

/// Longest IV of an export suite in bytes: they have DES, RC2 or RC4.
const MAX_IV_LEN: usize = 8;
