//! A master key, and what may be had from it: session keys, verify_data, and its secret only where
//! the provider's policy says so.

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::backend::{KeyExchangeBackend, PrfAlgorithm};
use crate::cipher_suite::CipherSuite;
use crate::ct::Mask;
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::parameter_list::{ParameterList, RANDOM_LEN};
use crate::protocol::{Protocol, Schedule};
use crate::provider::{KeyExportPolicy, KeyLogPolicy};
use crate::record::{RecordKey, RecordOptions};
use crate::schedule::{
    SSL3_VERIFY_DATA_LEN, VERIFY_DATA_LEN, export_ivs, export_write_key, key_block, schedule_of,
};
use crate::secret::{MasterSecret, STACK_LEN, on_wiped_stack};

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// The client's random and the server's.
type Randoms<'r> = (&'r [u8; RANDOM_LEN], &'r [u8; RANDOM_LEN]);

/// The master key of a session: an opaque object, as `SslImportMasterKey` returns.
pub struct MasterKey {
    pub(crate) backend: &'static dyn KeyExchangeBackend,
    pub(crate) protocol: Protocol,
    pub(crate) suite: &'static CipherSuite,
    pub(crate) secret: Box<MasterSecret>,
    pub(crate) key_log: KeyLogPolicy,
    pub(crate) key_export: KeyExportPolicy,
}

impl MasterKey {
    /// The protocol that the key was made for.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The cipher suite that the key was made for.
    pub fn suite(&self) -> &'static CipherSuite {
        self.suite
    }

    /// Derives the session keys (`SslGenerateSessionKeys`) from the two randoms in `parameters`;
    /// everything else in the list is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a random is missing, and what the backend answers.
    pub fn session_keys(&self, parameters: &ParameterList) -> Result<SessionKeys, Error> {
        let randoms = parameters.randoms()?;
        let layout = Layout::new(self.protocol, self.suite);
        let mut bytes = Zeroizing::new(vec![0; layout.len()]);
        on_wiped_stack::<_, STACK_LEN>(|| {
            if self.suite.key_exchange.is_export() {
                self.export_keys(randoms, layout, &mut bytes)
            } else {
                self.key_block(randoms, &mut bytes)
            }
        })?;
        Ok(SessionKeys {
            bytes,
            layout,
            backend: self.backend,
            protocol: self.protocol,
            suite: self.suite,
            key_export: self.key_export,
        })
    }

    /// The keys of an export suite, which takes short keys from the block and derives those that
    /// are used from them, and takes no initialisation vectors (RFC 2246 section 6.3.1).
    fn export_keys(
        &self,
        randoms: Randoms<'_>,
        layout: Layout,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let (client_random, server_random) = randoms;
        let short = self.suite.cipher.key_material_len;
        let mut block = Zeroizing::new(vec![0; 2 * (layout.mac_len + short)]);
        self.key_block(randoms, &mut block)?;

        let (macs, short_keys) = block.split_at(2 * layout.mac_len);
        let (client_short, server_short) = short_keys.split_at(short);
        let (mac_out, rest) = out.split_at_mut(2 * layout.mac_len);
        let (client_key, rest) = rest.split_at_mut(layout.key_len);
        let (server_key, ivs) = rest.split_at_mut(layout.key_len);
        let (client_iv, server_iv) = ivs.split_at_mut(layout.iv_len);
        mac_out.copy_from_slice(macs);
        for (writer, short_key, out) in
            [(Side::Client, client_short, client_key), (Side::Server, server_short, server_key)]
        {
            export_write_key(
                self.backend,
                self.protocol,
                short_key,
                client_random,
                server_random,
                writer,
                out,
            )?;
        }
        export_ivs(self.backend, self.protocol, client_random, server_random, client_iv, server_iv)
    }

    fn key_block(&self, randoms: Randoms<'_>, out: &mut [u8]) -> Result<(), Error> {
        let (client_random, server_random) = randoms;
        key_block(
            self.backend,
            self.protocol,
            self.suite,
            &self.secret,
            client_random,
            server_random,
            out,
        )
    }

    /// Computes the verify_data of a Finished message that `sender` sends
    /// (`SslComputeFinishedHash`): 12 bytes or more, 36 in SSL 3.0. The hash goes on running.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when `out` has a length that the protocol does not know, and
    /// when the hash is of another protocol or suite; and what the backend answers.
    pub fn verify_data(
        &self,
        sender: Side,
        handshake: &HandshakeHash,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let schedule = schedule_of(self.protocol)?;
        let good_len = match schedule {
            Schedule::Ssl3 => out.len() == SSL3_VERIFY_DATA_LEN,
            Schedule::Md5Sha1 | Schedule::SuiteHash => out.len() >= VERIFY_DATA_LEN,
        };
        if !good_len {
            return Err(Error::InvalidParameter(
                "verify_data: expected 36 bytes for SSL 3.0, at least 12 for TLS",
            ));
        }
        match schedule.prf(self.suite.prf) {
            None => {
                let sender = match sender {
                    Side::Client => b"CLNT",
                    Side::Server => b"SRVR",
                };
                handshake.ssl3_hash(self.backend, sender, self.secret.expose(), out)
            }
            Some(prf) => {
                let label: &[u8] = match sender {
                    Side::Client => b"client finished",
                    Side::Server => b"server finished",
                };
                let hash = handshake.current()?;
                if hash.len() != prf.handshake_hash_len() {
                    return Err(Error::InvalidParameter(
                        "handshake hash: not one of this protocol and suite",
                    ));
                }
                self.derive(prf, label, &[&hash], out)
            }
        }
    }

    /// Fills `out` with the PRF of the master secret.
    pub(crate) fn derive(
        &self,
        prf: PrfAlgorithm,
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        on_wiped_stack::<_, STACK_LEN>(|| {
            self.backend.prf(prf, self.secret.expose(), label, seed, out)
        })
    }

    /// Length in bytes of the verify_data that this protocol sends: 12, or 36 in SSL 3.0.
    pub fn verify_data_len(&self) -> usize {
        match self.protocol {
            Protocol::Ssl3 => SSL3_VERIFY_DATA_LEN,
            _ => VERIFY_DATA_LEN,
        }
    }

    /// Checks that `received` is the verify_data of the Finished message that `sender` must send
    /// now. The time does not tell where it differs.
    ///
    /// # Errors
    ///
    /// [`Error::BadFinished`] when it is not, and those of [`verify_data`](Self::verify_data).
    pub fn verify_finished(
        &self,
        sender: Side,
        handshake: &HandshakeHash,
        received: &[u8],
    ) -> Result<(), Error> {
        let mut expected = Zeroizing::new([0; SSL3_VERIFY_DATA_LEN]);
        let expected = &mut expected[..self.verify_data_len()];
        self.verify_data(sender, handshake, expected)?;
        if Mask::eq_bytes(expected, received).reveal() { Ok(()) } else { Err(Error::BadFinished) }
    }

    /// The master secret itself, for a key log. The application must have asked for it when it
    /// opened the provider.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] unless the provider's policy is [`KeyLogPolicy::Allowed`].
    pub fn secret_for_key_log(&self) -> Result<&MasterSecret, Error> {
        match self.key_log {
            KeyLogPolicy::Allowed => Ok(&self.secret),
            KeyLogPolicy::Denied => {
                Err(Error::NotAllowed("the provider was opened without key log"))
            }
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("backend", &self.backend.info().name)
            .field("protocol", &self.protocol)
            .field("suite", &self.suite.name)
            .finish_non_exhaustive()
    }
}

/// The keys that protect the records of a connection, cut from the key block
/// (RFC 5246 section 6.3).
pub struct SessionKeys {
    bytes: Zeroizing<Vec<u8>>,
    layout: Layout,
    backend: &'static dyn KeyExchangeBackend,
    protocol: Protocol,
    suite: &'static CipherSuite,
    key_export: KeyExportPolicy,
}

#[derive(Clone, Copy)]
struct Layout {
    mac_len: usize,
    key_len: usize,
    iv_len: usize,
}

impl Layout {
    fn new(protocol: Protocol, suite: &CipherSuite) -> Self {
        Self {
            mac_len: suite.mac.map_or(0, |hash| hash.output_len()),
            key_len: suite.cipher.key_len,
            iv_len: suite.cipher.fixed_iv_len(protocol),
        }
    }

    fn len(self) -> usize {
        2 * (self.mac_len + self.key_len + self.iv_len)
    }
}

impl SessionKeys {
    /// The key that protects the records which `writer` writes; the other side opens them with the
    /// same key. It starts at the beginning of the direction: call this once for each direction.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when the options are not for this protocol and suite,
    /// [`Error::UnsupportedSuite`] for a cipher that this crate does not know, and
    /// [`Error::Unsupported`] for one that the backend lacks.
    pub fn record_key(&self, writer: Side, options: RecordOptions) -> Result<RecordKey, Error> {
        let WriteKeys { mac_key, write_key, write_iv } = self.of(writer);
        let key = RecordKey::new(
            self.backend,
            self.protocol,
            self.suite,
            options,
            mac_key,
            write_key,
            write_iv,
        )?;
        Ok(key.with_export(self.key_export, mac_key, write_key))
    }

    /// The bytes of what `writer` writes with. The application must have asked for them when it
    /// opened the provider; [`record_key`](Self::record_key) needs no leave.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] unless the provider's policy is [`KeyExportPolicy::Allowed`].
    pub fn expose(&self, writer: Side) -> Result<WriteKeys<'_>, Error> {
        self.key_export.check()?;
        Ok(self.of(writer))
    }

    fn of(&self, writer: Side) -> WriteKeys<'_> {
        let Layout { mac_len, key_len, iv_len } = self.layout;
        WriteKeys {
            mac_key: self.part(0, mac_len, writer),
            write_key: self.part(2 * mac_len, key_len, writer),
            write_iv: self.part(2 * (mac_len + key_len), iv_len, writer),
        }
    }

    fn part(&self, start: usize, len: usize, side: Side) -> &[u8] {
        let start = match side {
            Side::Client => start,
            Side::Server => start + len,
        };
        let range: Range<usize> = start..start + len;
        &self.bytes[range]
    }
}

/// What one side writes with, from [`SessionKeys::expose`]. Secret.
pub struct WriteKeys<'a> {
    /// The key of the record MAC; empty for AEAD ciphers.
    pub mac_key: &'a [u8],
    /// The key of the cipher; empty for NULL.
    pub write_key: &'a [u8],
    /// The first initialisation vector, or the salt of an AEAD cipher; empty where records carry
    /// their own.
    pub write_iv: &'a [u8],
}

impl fmt::Debug for WriteKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteKeys").finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").finish_non_exhaustive()
    }
}
