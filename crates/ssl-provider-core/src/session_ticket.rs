//! Sessions that clients keep for a server (RFC 5077): sealed here, so that no program needs the
//! master secret for it.

use zeroize::Zeroizing;

use crate::algorithm::AeadAlgorithm;
use crate::backend::{AeadCipher, Backend, NONCE_LEN};
use crate::cipher_suite::CipherSuite;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::provider::Provider;
use crate::schedule::Side;
use crate::secret::{MASTER_SECRET_LEN, MasterSecret, STACK_LEN, with_stack_wiped};
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

/// Length in bytes of what is sealed before the state: version, suite and master secret.
const FIXED_LEN: usize = 2 + 4 + MASTER_SECRET_LEN;

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
        let text_len = FIXED_LEN + state.len();
        let mut nonce = [0; NONCE_LEN];
        self.backend.random().fill(&mut nonce)?;
        let mut text = Zeroizing::new(Vec::with_capacity(text_len));
        text.extend_from_slice(&master_key.version().wire().to_be_bytes());
        text.extend_from_slice(&master_key.suite().id.0.to_be_bytes());
        text.extend_from_slice(master_key.secret.expose());
        text.extend_from_slice(state);
        let mut tag = vec![0; ALGORITHM.tag_len()];
        with_stack_wiped::<_, STACK_LEN>(|| self.cipher.seal(&nonce, LABEL, &mut text, &mut tag))?;
        Ok([&nonce[..], &text, &tag].concat())
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
            with_stack_wiped::<_, STACK_LEN>(|| self.cipher.open(nonce, LABEL, &mut text, tag));
        match opened {
            Ok(()) => {}
            Err(Error::BadRecord) => return Ok(None),
            Err(other) => return Err(other),
        }
        let Some((version, suite, bytes, state)) = fields(&text) else { return Ok(None) };
        let Ok(parameters) = provider.security_parameters(version, suite) else {
            return Ok(None);
        };
        let mut secret = MasterSecret::zeroed();
        secret.expose_mut().copy_from_slice(bytes);
        Ok(Some((MasterKey { parameters, side: Side::Server, secret }, state.to_vec())))
    }
}

/// Splits what was sealed: version, suite, master secret, state.
fn fields(text: &[u8]) -> Option<(ProtocolVersion, CipherSuite, &[u8], &[u8])> {
    let (version, rest) = text.split_first_chunk()?;
    let (suite, rest) = rest.split_first_chunk()?;
    let (secret, state) = rest.split_at_checked(MASTER_SECRET_LEN)?;
    let version = ProtocolVersion(u16::from_be_bytes(*version));
    Some((version, CipherSuite(u32::from_be_bytes(*suite)), secret, state))
}

crate::redacted_debug! { TicketKey { backend, .. } }

impl Provider {
    /// Generates a key that seals sessions for clients to keep (RFC 5077).
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
