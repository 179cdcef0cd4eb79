//! A master key, and what is derived from it: session keys, verify_data, and its secret only where
//! the policy of the provider allows it.

use std::ops::Range;

use ssl_provider_memory::SecretBytes;
use zeroize::Zeroizing;

use crate::algorithm::PrfAlgorithm;
use crate::cipher_suite::CipherSuiteInfo;
use crate::ct::Mask;
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::parameter_list::ParameterList;
use crate::policy::KeyLogPolicy;
use crate::record::{RecordKey, RecordOptions, WriteKeys};
use crate::schedule::{MasterSeed, Randoms, SSL3_VERIFY_DATA_LEN, Side, VERIFY_DATA_LEN};
use crate::secret::{MasterSecret, STACK_LEN, with_stack_wiped};
use crate::security_parameters::SecurityParameters;
use crate::version::{KeySchedule, ProtocolVersion};

/// The master key of a session: an opaque object, as `SslImportMasterKey` returns.
///
/// Kept for session resumption, it derives the session keys of an abbreviated handshake from the
/// new randoms.
pub struct MasterKey {
    pub(crate) parameters: SecurityParameters,
    pub(crate) side: Side,
    pub(crate) secret: MasterSecret,
}

impl MasterKey {
    /// Derives a master key from a premaster secret of any length.
    pub(crate) fn of_premaster(
        connection: &SecurityParameters,
        side: Side,
        premaster: &[u8],
        seed: MasterSeed<'_>,
    ) -> Result<Self, Error> {
        with_stack_wiped::<_, STACK_LEN>(|| {
            Self::of_premaster_unwiped(connection, side, premaster, seed)
        })
    }

    /// The same where the caller wipes the stack.
    pub(crate) fn of_premaster_unwiped(
        connection: &SecurityParameters,
        side: Side,
        premaster: &[u8],
        seed: MasterSeed<'_>,
    ) -> Result<Self, Error> {
        let mut secret = MasterSecret::zeroed();
        connection.master_secret_of(premaster, seed, &mut secret)?;
        Ok(Self { parameters: connection.clone(), side, secret })
    }

    /// Returns the side that the key was made on.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Returns what the session has agreed on.
    pub fn security_parameters(&self) -> &SecurityParameters {
        &self.parameters
    }

    /// Returns the version that the key was made for.
    pub fn version(&self) -> ProtocolVersion {
        self.parameters.version()
    }

    /// Returns the cipher suite that the key was made for.
    pub fn suite(&self) -> &'static CipherSuiteInfo {
        self.parameters.suite()
    }

    /// Derives the session keys (`SslGenerateSessionKeys`) from the two randoms in `parameters`;
    /// everything else in the list is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a random is missing, and errors of the backend.
    pub fn session_keys(&self, parameters: &ParameterList) -> Result<SessionKeys, Error> {
        let randoms = parameters.randoms()?;
        let layout = Layout::new(&self.parameters);
        let mut bytes = SecretBytes::zeroed(layout.len());
        with_stack_wiped::<_, STACK_LEN>(|| {
            if self.suite().key_exchange.is_export() {
                self.export_keys(randoms, layout, &mut bytes)
            } else {
                self.key_block(randoms, &mut bytes)
            }
        })?;
        Ok(SessionKeys { bytes, layout, parameters: self.parameters.clone() })
    }

    /// The keys of an export suite, which takes short keys from the block, derives the write keys
    /// from them, and takes no IVs (RFC 2246 section 6.3.1).
    fn export_keys(
        &self,
        randoms: Randoms<'_>,
        layout: Layout,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let short = self.suite().cipher.key_material_len;
        let mut block = Zeroizing::new(vec![0; 2 * (layout.mac_len + short)]);
        self.key_block(randoms, &mut block)?;

        let (macs, short_keys) = block.split_at(2 * layout.mac_len);
        let (client_short, server_short) = short_keys.split_at(short);
        let (mac_out, rest) = out.split_at_mut(2 * layout.mac_len);
        let (client_key, rest) = rest.split_at_mut(layout.key_len);
        let (server_key, ivs) = rest.split_at_mut(layout.key_len);
        let (client_iv, server_iv) = ivs.split_at_mut(layout.iv_len);
        mac_out.copy_from_slice(macs);
        self.parameters.export_write_key(client_short, randoms, Side::Client, client_key)?;
        self.parameters.export_write_key(server_short, randoms, Side::Server, server_key)?;
        self.parameters.export_ivs(randoms, client_iv, server_iv)
    }

    fn key_block(&self, (client, server): Randoms<'_>, out: &mut [u8]) -> Result<(), Error> {
        self.parameters.key_block(&self.secret, client, server, out)
    }

    /// Computes the verify_data of a Finished message that `sender` sends
    /// (`SslComputeFinishedHash`): 12 bytes or more, 36 in SSL 3.0. More messages can be added
    /// afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when `out` has a length that the protocol does not know, and
    /// when the hash is of another length than that of this version and suite; errors of the
    /// backend.
    pub fn verify_data(
        &self,
        sender: Side,
        handshake: &HandshakeHash,
        out: &mut [u8],
    ) -> Result<(), Error> {
        match self.parameters.schedule() {
            KeySchedule::Ssl3 => {
                let out = out.try_into().map_err(|_| BAD_VERIFY_DATA_LEN)?;
                let sender = match sender {
                    Side::Client => b"CLNT",
                    Side::Server => b"SRVR",
                };
                handshake.ssl3_hash(&self.parameters, sender, self.secret.expose(), out)
            }
            KeySchedule::Tls(prf) => {
                if out.len() < VERIFY_DATA_LEN {
                    return Err(BAD_VERIFY_DATA_LEN);
                }
                let label: &[u8] = match sender {
                    Side::Client => b"client finished",
                    Side::Server => b"server finished",
                };
                let hash = handshake.current()?;
                if hash.len() != prf.handshake_hash_len() {
                    return Err(Error::InvalidParameter(
                        "handshake hash: not one of this version and suite",
                    ));
                }
                self.derive(prf, label, &[&hash], out)
            }
            KeySchedule::Tls13(_) => Err(self.version().unsupported()),
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
        with_stack_wiped::<_, STACK_LEN>(|| {
            self.parameters.hashing().prf(prf, self.secret.expose(), label, seed, out)
        })
    }

    /// Returns the length in bytes of the verify_data of this version: 12, or 36 in SSL 3.0.
    pub fn verify_data_len(&self) -> usize {
        match self.parameters.schedule() {
            KeySchedule::Ssl3 => SSL3_VERIFY_DATA_LEN,
            KeySchedule::Tls(_) | KeySchedule::Tls13(_) => VERIFY_DATA_LEN,
        }
    }

    /// Checks that `received` is the verify_data of the Finished message that `sender` must send
    /// now, in constant time.
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

    /// Returns the master secret itself, for a key log. The application must have asked for it when
    /// it opened the provider.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] unless the provider's policy is [`KeyLogPolicy::Allowed`].
    pub fn secret_for_key_log(&self) -> Result<&MasterSecret, Error> {
        match self.parameters.policy().key_log {
            KeyLogPolicy::Allowed => Ok(&self.secret),
            KeyLogPolicy::Denied => {
                Err(Error::NotAllowed("the provider was opened without key log"))
            }
        }
    }
}

crate::redacted_debug! { MasterKey { parameters, .. } }

/// The keys that protect the records of a connection, cut from the key block
/// (RFC 5246 section 6.3).
pub struct SessionKeys {
    bytes: SecretBytes,
    layout: Layout,
    parameters: SecurityParameters,
}

#[derive(Clone, Copy)]
struct Layout {
    mac_len: usize,
    key_len: usize,
    iv_len: usize,
}

impl Layout {
    fn new(parameters: &SecurityParameters) -> Self {
        let suite = parameters.suite();
        Self {
            mac_len: suite.mac.map_or(0, |hash| hash.output_len()),
            key_len: suite.cipher.key_len,
            iv_len: suite.cipher.fixed_iv_len(parameters.version()),
        }
    }

    fn len(self) -> usize {
        2 * (self.mac_len + self.key_len + self.iv_len)
    }
}

impl SessionKeys {
    /// Returns the key that protects the records which `writer` writes; the other side decrypts
    /// them with the same key. It starts at the beginning of the direction: call this once for each
    /// direction.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when the options are not for this version and suite,
    /// [`Error::UnsupportedSuite`] for a cipher that this crate does not know, and
    /// [`Error::Unsupported`] for one that the backend lacks.
    pub fn record_key(&self, writer: Side, options: RecordOptions) -> Result<RecordKey, Error> {
        RecordKey::new(&self.parameters, options, self.of(writer))
    }

    /// Returns the bytes of what `writer` writes with. The application must have asked for them
    /// when it opened the provider; [`record_key`](Self::record_key) does not require this policy.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] unless the provider's policy is
    /// [`KeyExportPolicy::Allowed`](crate::KeyExportPolicy::Allowed).
    pub fn expose(&self, writer: Side) -> Result<WriteKeys<'_>, Error> {
        self.parameters.policy().key_export.check()?;
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

crate::redacted_debug! { SessionKeys { .. } }

const BAD_VERIFY_DATA_LEN: Error =
    Error::InvalidParameter("verify_data: expected 36 bytes for SSL 3.0, at least 12 for TLS");
