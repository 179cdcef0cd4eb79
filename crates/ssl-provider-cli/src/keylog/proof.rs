//! The proof that a master key is the session's: the client's Finished opens with its keys, and the
//! verify_data in it is right.

use std::ptr;
use std::sync::Arc;

use ssl_provider::{
    CipherSuiteInfo, DecryptedPremaster, Error, HandshakeHash, MasterKey, ParameterList,
    PrivateKey, ProtocolVersion, Provider, SessionKeys, Side,
};
use ssl_provider_wire::{HandshakeType, Message};

use super::flow::{End, Event, Flow};
use super::keyring::{Key, Keyring};
use crate::record::{Options, RecordCipher, RecordError};

/// What both sides know of a handshake before its keys.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) version: ProtocolVersion,
    pub(super) suite: &'static CipherSuiteInfo,
    /// Both randoms.
    pub(super) randoms: ParameterList,
    pub(super) options: Options,
}

/// An RSA key exchange, as it takes a private key to go on.
#[derive(Debug)]
pub(super) struct Exchange<'e, 't> {
    pub(super) handshake: &'e Handshake,
    /// The parameters of the import, but for the version in the premaster secret.
    pub(super) parameters: ParameterList,
    pub(super) offered_version: u16,
    pub(super) encrypted_premaster: &'e [u8],
    /// The private operation, where it was done before; perhaps on another ciphertext.
    pub(super) decrypted: Option<&'e DecryptedPremaster<'e>>,
    /// All messages before Finished.
    pub(super) transcript: HandshakeHash,
    /// Right behind the client's ChangeCipherSpec.
    pub(super) client: &'e Flow<'t>,
}

/// A master key that is proven, and how to read on behind the Finished that proved it.
#[derive(Debug)]
pub(super) struct Proven<'t> {
    pub(super) master_key: Arc<MasterKey>,
    pub(super) keys: SessionKeys,
    pub(super) premaster_version: Option<u16>,
    pub(super) client: Flow<'t>,
    /// All messages up to and including the client's Finished.
    pub(super) transcript: HandshakeHash,
}

/// Why there is no proof.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoProof {
    /// Authentication of the record failed, or verify_data does not match.
    WrongKey,
    /// Finished is not there in full.
    Incomplete(End),
    /// It cannot be checked; says why.
    Unverified(String),
}

impl From<Error> for NoProof {
    fn from(error: Error) -> Self {
        Self::Unverified(error.to_string())
    }
}

impl<'t> Exchange<'_, 't> {
    /// Imports the master key with `key` and proves it. The premaster secret must carry the offered
    /// version first, then it may carry any; in that case the version is found out.
    pub(super) fn prove(&self, keyring: &Keyring, key: &Key) -> Result<Proven<'t>, NoProof> {
        let strict_key = &key.private_key;
        let offered = self.offered_version;
        match self.prove_with(&keyring.strict, strict_key, offered) {
            Err(NoProof::WrongKey) => {}
            Ok(proven) => return Ok(Proven { premaster_version: Some(offered), ..proven }),
            Err(other) => return Err(other),
        }
        let proven = self.prove_with(&keyring.lenient, &key.lenient_key, offered)?;
        let premaster_version =
            self.version_of_premaster(&keyring.strict, strict_key, &proven.master_key)?;
        Ok(Proven { premaster_version, ..proven })
    }

    fn prove_with(
        &self,
        provider: &Provider,
        key: &PrivateKey,
        version: u16,
    ) -> Result<Proven<'t>, NoProof> {
        let handshake = self.handshake;
        let master_key = self.import(provider, key, version)?;
        let keys = master_key.session_keys(&handshake.randoms)?;
        let (client, transcript) = handshake.check_finished(
            &master_key,
            &keys,
            Side::Client,
            self.client,
            self.transcript.duplicate(),
        )?;
        let master_key = Arc::new(master_key);
        Ok(Proven { master_key, keys, premaster_version: None, client, transcript })
    }

    fn import(
        &self,
        provider: &Provider,
        key: &PrivateKey,
        version: u16,
    ) -> Result<MasterKey, Error> {
        let (negotiated, suite) = (self.handshake.version, self.handshake.suite.id);
        let parameters = self.parameters.clone().highest_version(ProtocolVersion(version));
        let ciphertext = self.encrypted_premaster;
        match self.decrypted {
            Some(decrypted)
                if ptr::eq(decrypted.key(), key) && decrypted.ciphertext() == ciphertext =>
            {
                provider.import_decrypted(decrypted, negotiated, suite, &parameters)
            }
            _ => provider.import_master_key(key, negotiated, suite, &parameters, ciphertext),
        }
    }

    /// The version in a premaster secret that is not the offered one: with it, a strict import
    /// yields the proven master key.
    fn version_of_premaster(
        &self,
        strict: &Provider,
        key: &PrivateKey,
        proven: &MasterKey,
    ) -> Result<Option<u16>, Error> {
        let negotiated = self.handshake.version.wire();
        for version in [negotiated, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x0002] {
            let imported = self.import(strict, key, version)?;
            if imported.secret_for_key_log()?.expose() == proven.secret_for_key_log()?.expose() {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }
}

impl Handshake {
    /// Opens the records of `sender` behind its ChangeCipherSpec and checks its Finished;
    /// returns the position behind it and the transcript with it.
    pub(super) fn check_finished<'t>(
        &self,
        master_key: &MasterKey,
        keys: &SessionKeys,
        sender: Side,
        behind_change: &Flow<'t>,
        mut transcript: HandshakeHash,
    ) -> Result<(Flow<'t>, HandshakeHash), NoProof> {
        let cipher = RecordCipher::new(self.version, self.suite, keys, sender, self.options)
            .map_err(NoProof::Unverified)?;
        let mut flow = behind_change.with_cipher(cipher);
        let finished = read_finished(&mut flow, &mut transcript)?;
        let given = finished.body();
        let mut expected = vec![0; given.len()];
        // So are keys under which Finished has a length that none has.
        if master_key.verify_data(sender, &transcript, &mut expected).is_err() || expected != given
        {
            return Err(NoProof::WrongKey);
        }
        transcript.update(&finished.bytes);
        Ok((flow, transcript))
    }
}

/// Reads up to Finished. A few extensions put messages before it, such as NextProtocol.
fn read_finished(flow: &mut Flow<'_>, transcript: &mut HandshakeHash) -> Result<Message, NoProof> {
    loop {
        match flow.read() {
            Event::Message(message) if message.kind == HandshakeType::FINISHED => {
                return Ok(message);
            }
            Event::Message(message) => transcript.update(&message.bytes),
            Event::Alert(_) => {}
            Event::End(End::Sealed(RecordError::Bad(_)) | End::Malformed(_))
            | Event::ChangeCipherSpec => return Err(NoProof::WrongKey),
            Event::End(End::Sealed(RecordError::Missing(why))) => {
                return Err(NoProof::Unverified(why.to_owned()));
            }
            Event::End(end @ (End::Stream { .. } | End::Stopped(_))) => {
                return Err(NoProof::Incomplete(end));
            }
        }
    }
}
