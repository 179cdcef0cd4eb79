//! One direction of a connection with its keys: a protocol, a suite, and what the hellos agreed on.
//! It also makes records that no honest peer would: of any decrypted blocks, and of any length.

use ssl_provider_core::{
    AeadAlgorithm, Backend, CbcAlgorithm, CipherAlgorithm, CipherMode, CipherSuite,
    CipherSuiteInfo, Error, HashAlgorithm, ProtocolVersion, RecordKey, RecordOptions, WriteKeys,
};

use crate::bytes::Rng;
use crate::exchange::{open, rsa_suites};
use crate::reference;

/// A suite of a protocol with the keys of one direction, for tests.
#[derive(Clone, Debug)]
pub struct Direction {
    /// The protocol.
    pub protocol: ProtocolVersion,
    /// The suite.
    pub suite: &'static CipherSuiteInfo,
    /// What the hellos agreed on.
    pub options: RecordOptions,
    /// The key of the MAC; empty for AEAD suites.
    pub mac_key: Vec<u8>,
    /// The key of the cipher.
    pub write_key: Vec<u8>,
    /// The first initialisation vector, or the salt; empty where records carry their own.
    pub write_iv: Vec<u8>,
}

impl Direction {
    /// A direction with keys that are the same on every call.
    pub fn new(
        protocol: ProtocolVersion,
        suite: &'static CipherSuiteInfo,
        encrypt_then_mac: bool,
    ) -> Self {
        let mut rng = Rng::new(u64::from(suite.id.0));
        let mut bytes = |len| (0..len).map(|_| rng.byte()).collect();
        Self {
            protocol,
            suite,
            options: RecordOptions { encrypt_then_mac, ..RecordOptions::default() },
            mac_key: bytes(suite.mac.map_or(0, HashAlgorithm::output_len)),
            write_key: bytes(suite.cipher.key_len),
            write_iv: bytes(suite.cipher.fixed_iv_len(protocol)),
        }
    }

    /// The same, for the suite with this number.
    pub fn of(protocol: ProtocolVersion, suite: CipherSuite, encrypt_then_mac: bool) -> Self {
        Self::new(protocol, suite.info().unwrap(), encrypt_then_mac)
    }

    /// Every protocol with every RSA suite that records are defined for, and with encrypt-then-MAC
    /// where that exists.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for (protocol, suite) in rsa_suites() {
            all.push(Self::new(protocol, suite, false));
            if suite.cipher.mode == CipherMode::Cbc && protocol != ProtocolVersion::SSL3 {
                all.push(Self::new(protocol, suite, true));
            }
        }
        all
    }

    /// The key of the direction, at its beginning.
    ///
    /// # Errors
    ///
    /// Those of [`Provider::security_parameters`](ssl_provider_core::Provider::security_parameters)
    /// and of [`RecordKey::new`].
    pub fn key(&self, backend: &Backend) -> Result<RecordKey, Error> {
        let connection = open(backend).security_parameters(self.protocol, self.suite.id)?;
        RecordKey::new(&connection, self.options, self.write_keys())
    }

    /// The keys as a record key takes them.
    pub fn write_keys(&self) -> WriteKeys<'_> {
        WriteKeys { mac_key: &self.mac_key, write_key: &self.write_key, write_iv: &self.write_iv }
    }

    /// Protocol, suite and options, for messages.
    pub fn name(&self) -> String {
        let then_mac = if self.options.encrypt_then_mac { ", encrypt-then-MAC" } else { "" };
        format!("{} {}{then_mac}", self.protocol, self.suite.name)
    }

    /// A header for a fragment of this length.
    pub fn header(&self, sequence_number: u64, content_type: u8, fragment_len: usize) -> Vec<u8> {
        let mut header = vec![content_type];
        header.extend(self.protocol.wire().to_be_bytes());
        if self.protocol.is_dtls() {
            header.extend(sequence_number.to_be_bytes());
        }
        header.extend(u16::try_from(fragment_len).unwrap().to_be_bytes());
        header
    }

    /// The MAC of a payload, by the independent hashes.
    pub fn mac(&self, sequence_number: u64, content_type: u8, payload: &[u8]) -> Vec<u8> {
        let hash = self.suite.mac.unwrap();
        let number = sequence_number.to_be_bytes();
        let version = self.protocol.wire().to_be_bytes();
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        if self.protocol == ProtocolVersion::SSL3 {
            let pad_len = if hash == HashAlgorithm::Md5 { 48 } else { 40 };
            let (first, second) = (vec![0x36; pad_len], vec![0x5c; pad_len]);
            let head = [content_type, len[0], len[1]];
            let inner = reference::hash(hash, &[&self.mac_key, &first, &number, &head, payload]);
            return reference::hash(hash, &[&self.mac_key, &second, &inner]);
        }
        let head = [content_type, version[0], version[1], len[0], len[1]];
        reference::hmac(hash, &self.mac_key, &[&number, &head, payload])
    }

    /// A CBC record whose decrypted blocks are `blocks`, whatever they are; with encrypt-then-MAC
    /// its outer MAC is right. The first record of the direction.
    pub fn forge(&self, backend: &Backend, blocks: &[u8]) -> Vec<u8> {
        let (sequence_number, content_type) = (0, 23);
        let algorithm = match (self.suite.cipher.block_len(), self.suite.cipher.key_len) {
            (8, 24) => CbcAlgorithm::TripleDes,
            (16, 16) => CbcAlgorithm::Aes128,
            other => panic!("{other:?}: a suite that is not forged here"),
        };
        let explicit = self.protocol.has_explicit_iv();
        let iv = match explicit {
            true => vec![0x77; self.suite.cipher.block_len()],
            false => self.write_iv.clone(),
        };
        let mut sealed = blocks.to_vec();
        let cipher = backend.record_ciphers().cbc(algorithm, &self.write_key).unwrap();
        cipher.encrypt(&iv, &mut sealed).unwrap();
        let mut fragment = if explicit { [iv, sealed].concat() } else { sealed };
        if self.options.encrypt_then_mac {
            fragment.extend(self.mac(sequence_number, content_type, &fragment.clone()));
        }
        [self.header(sequence_number, content_type, fragment.len()), fragment].concat()
    }

    /// The first record of the direction around a payload of any length, also of one that no record
    /// may have.
    pub fn seal(&self, backend: &Backend, payload: &[u8]) -> Vec<u8> {
        let cipher = self.suite.cipher;
        let (sequence_number, content_type) = (0_u64, 23);
        let mut fragment = payload.to_vec();
        match cipher.mode {
            CipherMode::Cbc => {
                if !self.options.encrypt_then_mac {
                    fragment.extend(self.mac(sequence_number, content_type, payload));
                }
                let padding_len = cipher.block_len() - fragment.len() % cipher.block_len();
                let value = u8::try_from(padding_len - 1).unwrap();
                fragment.resize(fragment.len() + padding_len, value);
                return self.forge(backend, &fragment);
            }
            CipherMode::Stream => {
                fragment.extend(self.mac(sequence_number, content_type, payload));
                if cipher.algorithm == CipherAlgorithm::Rc4 {
                    let mut rc4 = backend.record_ciphers().rc4(&self.write_key).unwrap();
                    rc4.apply(&mut fragment).unwrap();
                }
            }
            _ => {
                // The number is 0, so that exclusive or leaves a write IV of 12 bytes as it is.
                let explicit = vec![0x77; 12 - self.write_iv.len()];
                let nonce = [&self.write_iv[..], &explicit].concat().try_into().unwrap();
                let number = sequence_number.to_be_bytes();
                let [high, low] = self.protocol.wire().to_be_bytes();
                let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
                let aad = [&number[..], &[content_type, high, low], &len].concat();
                let algorithm = self.aead_algorithm();
                let mut tag = vec![0; algorithm.tag_len()];
                let aead = backend.record_ciphers().aead(algorithm, &self.write_key).unwrap();
                aead.seal(&nonce, &aad, &mut fragment, &mut tag).unwrap();
                fragment = [&explicit[..], &fragment, &tag].concat();
            }
        }
        [self.header(sequence_number, content_type, fragment.len()), fragment].concat()
    }

    fn aead_algorithm(&self) -> AeadAlgorithm {
        match (self.suite.cipher.mode, self.suite.cipher.key_len) {
            (CipherMode::Gcm, 16) => AeadAlgorithm::Aes128Gcm,
            (CipherMode::Gcm, 32) => AeadAlgorithm::Aes256Gcm,
            (CipherMode::Ccm, 16) => AeadAlgorithm::Aes128Ccm,
            (CipherMode::Ccm8, 32) => AeadAlgorithm::Aes256Ccm8,
            (CipherMode::Poly1305, 32) => AeadAlgorithm::ChaCha20Poly1305,
            other => panic!("{other:?}: a suite that is not sealed here"),
        }
    }
}

/// Encrypts a record.
pub fn seal(
    key: &mut RecordKey,
    sequence_number: u64,
    content_type: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut record = vec![0; key.record_len(payload.len()).unwrap()];
    key.encrypt_packet(sequence_number, content_type, payload, &mut record).unwrap();
    record
}

/// Decrypts a record.
pub fn unseal(key: &mut RecordKey, sequence_number: u64, record: &[u8]) -> Vec<u8> {
    let mut payload = vec![0; key.max_payload_len(record.len())];
    let len = key.decrypt_packet(sequence_number, record, &mut payload).unwrap();
    payload.truncate(len);
    payload
}
