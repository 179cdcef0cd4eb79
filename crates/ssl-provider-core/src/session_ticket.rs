//! Sessions that clients keep for a server (RFC 5077): sealed here, so that no program needs the
//! master secret for it.

use zeroize::Zeroizing;

use crate::algorithm::{AeadAlgorithm, HashAlgorithm};
use crate::backend::{AeadCipher, Backend, NONCE_LEN};
use crate::cipher_suite::CipherSuite;
use crate::ephemeral_key::BAD_PSK_LEN;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::provider::Provider;
use crate::schedule::Side;
use crate::secret::{MASTER_SECRET_LEN, MasterSecret, STACK_LEN, with_stack_wiped};
use crate::tls13::PreSharedKey;
use crate::version::ProtocolVersion;

/// A key that seals sessions with AES-256-GCM. It cannot be read, so it ends with the process.
///
/// Replace it every day at the latest: whoever got it could decrypt every session whose ticket they
/// recorded, with ephemeral keys too. Nonces are random, which is good for 2^32 tickets (NIST
/// SP 800-38D section 8.3).
pub struct TicketKey {
    backend: Backend,
    cipher: Box<dyn AeadCipher>,
}

const ALGORITHM: AeadAlgorithm = AeadAlgorithm::Aes256Gcm;

/// Authenticated with every ticket, for the key to have one purpose.
const LABEL: &[u8] = b"ssl-provider session ticket 1";

/// The same for tickets of TLS 1.3, so that neither kind opens as the other.
const LABEL_OF_TLS_1_3: &[u8] = b"ssl-provider session ticket 1, TLS 1.3";

impl TicketKey {
    /// Seals a master key of the server's side with `state`, what else the program needs to resume
    /// the session; both are encrypted. Returns the ticket: 12 bytes of nonce, the ciphertext of 54
    /// bytes and the state, 16 bytes of tag.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a master key of another backend,
    /// [`Error::InvalidParameter`] for one of the client's side, [`Error::Random`],
    /// [`Error::Backend`].
    pub fn seal(&self, master_key: &MasterKey, state: &[u8]) -> Result<Vec<u8>, Error> {
        if *master_key.parameters.backend() != self.backend {
            return Err(Error::InvalidHandle);
        }
        if master_key.side != Side::Server {
            return Err(Error::InvalidParameter("master key: expected one of the server's side"));
        }
        let version = master_key.version().wire().to_be_bytes();
        let suite = master_key.suite().id.0.to_be_bytes();
        self.seal_parts(LABEL, &[&version, &suite, master_key.secret.expose(), state])
    }

    /// Opens a ticket for `provider`. Returns the master key and the state, or `None` for bytes
    /// that this key has not sealed, and for a session that the policy of the provider forbids.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a provider of another backend, [`Error::Backend`].
    pub fn open(
        &self,
        provider: &Provider,
        ticket: &[u8],
    ) -> Result<Option<(MasterKey, Vec<u8>)>, Error> {
        let Some(text) = self.open_text(provider, LABEL, ticket)? else { return Ok(None) };
        let Some((version, suite, bytes, state)) = fields(&text) else { return Ok(None) };
        let Ok(parameters) = provider.security_parameters(version, suite) else {
            return Ok(None);
        };
        let mut secret = MasterSecret::zeroed();
        secret.expose_mut().copy_from_slice(bytes);
        Ok(Some((MasterKey { parameters, side: Side::Server, secret }, state.to_vec())))
    }

    /// Seals a pre-shared key of TLS 1.3 (RFC 8446 section 4.6.1) with the suite of the connection
    /// that it comes from, and `state`; all of it is encrypted. Returns the ticket: 12 bytes of
    /// nonce, the ciphertext of 6 bytes, the key and the state, 16 bytes of tag.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a key of another backend; [`Error::UnsupportedSuite`] for a
    /// suite that is not one of TLS 1.3; [`Error::InvalidParameter`] for a key of another hash
    /// than that of the suite; [`Error::Random`], [`Error::Backend`].
    pub fn seal_psk(
        &self,
        suite: CipherSuite,
        psk: &PreSharedKey,
        state: &[u8],
    ) -> Result<Vec<u8>, Error> {
        if psk.backend != self.backend {
            return Err(Error::InvalidHandle);
        }
        if tls13_hash(suite).ok_or(Error::UnsupportedSuite { given: suite.0 })? != psk.hash {
            return Err(Error::InvalidParameter("pre-shared key: not of the hash of the suite"));
        }
        let len = u16::try_from(psk.bytes.len()).map_err(|_| BAD_PSK_LEN)?;
        let (suite, len) = (suite.0.to_be_bytes(), len.to_be_bytes());
        self.seal_parts(LABEL_OF_TLS_1_3, &[&suite, &len, &psk.bytes, state])
    }

    /// Opens a ticket of TLS 1.3 for `provider`. Returns suite, pre-shared key and state, or `None`
    /// for bytes that [`seal_psk`](Self::seal_psk) of this key has not sealed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a provider of another backend, [`Error::Backend`].
    pub fn open_psk(
        &self,
        provider: &Provider,
        ticket: &[u8],
    ) -> Result<Option<(CipherSuite, PreSharedKey, Vec<u8>)>, Error> {
        let Some(text) = self.open_text(provider, LABEL_OF_TLS_1_3, ticket)? else {
            return Ok(None);
        };
        let Some((suite, bytes, state)) = psk_fields(&text) else { return Ok(None) };
        let Some(hash) = tls13_hash(suite) else { return Ok(None) };
        Ok(Some((suite, provider.pre_shared_key(hash, bytes)?, state.to_vec())))
    }

    /// Encrypts these parts, one behind the other.
    fn seal_parts(&self, label: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        self.backend.random().fill(&mut nonce)?;
        // Of the whole length from the start, so that no copy is left behind.
        let mut text = Zeroizing::new(Vec::with_capacity(parts.iter().map(|it| it.len()).sum()));
        parts.iter().for_each(|part| text.extend_from_slice(part));
        let mut tag = vec![0; ALGORITHM.tag_len()];
        with_stack_wiped::<_, STACK_LEN>(|| self.cipher.seal(&nonce, label, &mut text, &mut tag))?;
        Ok([&nonce[..], &text, &tag].concat())
    }

    /// Decrypts what was sealed with this label; `None` for anything else.
    fn open_text(
        &self,
        provider: &Provider,
        label: &[u8],
        ticket: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        if *provider.backend() != self.backend {
            return Err(Error::InvalidHandle);
        }
        let Some((nonce, sealed)) = ticket.split_first_chunk() else { return Ok(None) };
        let Some(text_len) = sealed.len().checked_sub(ALGORITHM.tag_len()) else {
            return Ok(None);
        };
        let (text, tag) = sealed.split_at(text_len);
        let mut text = Zeroizing::new(text.to_vec());
        let opened =
            with_stack_wiped::<_, STACK_LEN>(|| self.cipher.open(nonce, label, &mut text, tag));
        match opened {
            Ok(()) => Ok(Some(text)),
            Err(Error::BadRecord) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// Returns the hash of a suite of TLS 1.3; none for another suite.
fn tls13_hash(suite: CipherSuite) -> Option<HashAlgorithm> {
    let info = suite.info().filter(|info| info.allows(ProtocolVersion::TLS1_3))?;
    info.prf.hash()
}

/// Splits what was sealed: version, suite, master secret, state.
fn fields(text: &[u8]) -> Option<(ProtocolVersion, CipherSuite, &[u8], &[u8])> {
    let (version, rest) = text.split_first_chunk()?;
    let (suite, rest) = rest.split_first_chunk()?;
    let (secret, state) = rest.split_at_checked(MASTER_SECRET_LEN)?;
    let version = ProtocolVersion(u16::from_be_bytes(*version));
    Some((version, CipherSuite(u32::from_be_bytes(*suite)), secret, state))
}

/// Splits what was sealed for TLS 1.3: suite, pre-shared key, state.
fn psk_fields(text: &[u8]) -> Option<(CipherSuite, &[u8], &[u8])> {
    let (suite, rest) = text.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (psk, state) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
    Some((CipherSuite(u32::from_be_bytes(*suite)), psk, state))
}

crate::redacted_debug! { TicketKey { backend, .. } }

impl Provider {
    /// Generates a key that seals sessions for clients to keep (RFC 5077, RFC 8446 section 4.6.1).
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`], [`Error::Unsupported`].
    pub fn generate_ticket_key(&self) -> Result<TicketKey, Error> {
        let mut key = Zeroizing::new(vec![0; ALGORITHM.key_len()]);
        self.backend().random().fill(&mut key)?;
        let ciphers = self.backend().record_ciphers();
        let cipher = with_stack_wiped::<_, STACK_LEN>(|| ciphers.aead(ALGORITHM, &key))?;
        Ok(TicketKey { backend: self.backend().clone(), cipher })
    }
}
