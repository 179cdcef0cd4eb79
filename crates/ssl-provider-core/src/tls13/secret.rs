//! What all secrets of the schedule have in common, and the labels (RFC 8446 section 7.1).

use ssl_provider_memory::SecretBytes;
use zeroize::Zeroizing;

use crate::ct::Mask;
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::policy::KeyLogPolicy;
use crate::tls13::constants::Constants;
use crate::tls13::{MAX_SECRET_LEN, Tls13Parameters};

/// A secret as long as the hash of the suite. Its methods leave copies on the stack, which the
/// public methods above them wipe.
pub(super) struct Secret {
    pub(super) connection: Tls13Parameters,
    bytes: SecretBytes,
}

impl Secret {
    /// A secret whose bytes are known; they are as long as the hash.
    pub(super) fn of_bytes(connection: &Tls13Parameters, bytes: SecretBytes) -> Self {
        Self { connection: connection.clone(), bytes }
    }

    /// HKDF-Extract. No input and no salt are as many zeros as the hash has bytes.
    pub(super) fn extract(
        connection: &Tls13Parameters,
        salt: &[u8],
        input: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let mut bytes = SecretBytes::zeroed(connection.hash_len());
        let zeros = [0; MAX_SECRET_LEN];
        let input = input.unwrap_or(&zeros[..connection.hash_len()]);
        let hashing = connection.parameters.hashing();
        hashing.hkdf_extract(connection.hash(), salt, &[input], &mut bytes)?;
        Ok(Self { connection: connection.clone(), bytes })
    }

    /// HKDF-Expand-Label: fills `out`.
    pub(super) fn expand_label(
        &self,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let output_len = u16::try_from(out.len()).map_err(|_| LONG_OUTPUT)?.to_be_bytes();
        let label_len = u8::try_from(PREFIX.len() + label.len()).map_err(|_| LONG_LABEL)?;
        let context_len = u8::try_from(context.len()).map_err(|_| LONG_CONTEXT)?;
        let info: [&[u8]; 6] = [&output_len, &[label_len], PREFIX, label, &[context_len], context];
        let connection = &self.connection;
        connection.parameters.hashing().hkdf_expand(connection.hash(), &self.bytes, &info, out)
    }

    /// The same with an output as long as the hash.
    pub(super) fn derive(&self, label: &[u8], context: &[u8]) -> Result<Self, Error> {
        let mut bytes = SecretBytes::zeroed(self.bytes.len());
        self.expand_label(label, context, &mut bytes)?;
        Ok(Self { connection: self.connection.clone(), bytes })
    }

    /// Derive-Secret over the messages so far.
    pub(super) fn derive_from(
        &self,
        label: &[u8],
        transcript: &HandshakeHash,
    ) -> Result<Self, Error> {
        self.derive(label, &self.connection.hash_of(transcript)?)
    }

    /// Derive-Secret over no messages.
    pub(super) fn derive_from_nothing(&self, label: &[u8]) -> Result<Self, Error> {
        self.derive(label, Constants::of(self.connection.hash()).empty_hash)
    }

    /// The next secret in the chain: HKDF-Extract of `input` under Derive-Secret "derived".
    pub(super) fn next(&self, input: Option<&[u8]>) -> Result<Self, Error> {
        let salt = self.derive_from_nothing(b"derived")?;
        Self::extract(&self.connection, &salt.bytes, input)
    }

    /// HMAC over the transcript hash under the "finished" key: Finished and binders (RFC 8446
    /// section 4.4.4). `out` is as long as the hash.
    pub(super) fn finished(&self, transcript: &HandshakeHash, out: &mut [u8]) -> Result<(), Error> {
        let hash = self.connection.hash_of(transcript)?;
        if out.len() != hash.len() {
            return Err(Error::InvalidParameter("verify_data: expected as long as the hash"));
        }
        let key = self.derive(b"finished", &[])?;
        self.connection.parameters.hashing().hmac(self.connection.hash(), &key.bytes, &[&hash], out)
    }

    /// Whether `received` is what [`finished`](Self::finished) gives, in constant time.
    pub(super) fn verify_finished(
        &self,
        transcript: &HandshakeHash,
        received: &[u8],
    ) -> Result<(), Error> {
        let mut expected = Zeroizing::new([0; MAX_SECRET_LEN]);
        let expected = &mut expected[..self.bytes.len()];
        self.finished(transcript, expected)?;
        if Mask::eq_bytes(expected, received).reveal() { Ok(()) } else { Err(Error::BadFinished) }
    }

    /// The bytes, where the policy lets key logs have them.
    pub(super) fn for_key_log(&self) -> Result<&[u8], Error> {
        match self.connection.parameters.policy().key_log {
            KeyLogPolicy::Allowed => Ok(&self.bytes),
            KeyLogPolicy::Denied => {
                Err(Error::NotAllowed("the provider was opened without key log"))
            }
        }
    }
}

/// Before every label.
const PREFIX: &[u8] = b"tls13 ";

const LONG_OUTPUT: Error = Error::InvalidParameter("output: expected at most 65535 bytes");
const LONG_LABEL: Error = Error::InvalidParameter("label: expected at most 249 bytes");
const LONG_CONTEXT: Error = Error::InvalidParameter("context: expected at most 255 bytes");
