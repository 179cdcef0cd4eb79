//! The key schedule and the records of TLS 1.3 once more, written from RFC 8446 alone and over
//! other code than core's. Plain and slow on purpose; it keeps no secret.

use ssl_provider_core::{AeadAlgorithm, CipherMode, CipherSuiteInfo, HashAlgorithm};

use crate::aead;
use crate::reference::{hash, hmac};

/// The hash of a suite.
///
/// # Panics
///
/// Panics for a suite that is not of TLS 1.3.
pub fn hash_of(suite: &CipherSuiteInfo) -> HashAlgorithm {
    match suite.id.0 {
        0x1301 | 0x1303 | 0x1304 | 0x1305 => HashAlgorithm::Sha256,
        0x1302 => HashAlgorithm::Sha384,
        other => panic!("{other:#06x}: not a suite of TLS 1.3"),
    }
}

/// HKDF-Expand (RFC 5869 section 2.3), `len` bytes.
pub fn expand(algorithm: HashAlgorithm, secret: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let (mut out, mut block) = (Vec::new(), Vec::new());
    for counter in 1..=u8::MAX {
        if out.len() >= len {
            break;
        }
        block = hmac(algorithm, secret, &[&block, info, &[counter]]);
        out.extend(&block);
    }
    assert!(out.len() >= len, "HKDF has no more than 255 blocks");
    out.truncate(len);
    out
}

/// The encoding of HkdfLabel for an output of `len` bytes (RFC 8446 section 7.1).
pub fn hkdf_label(label: &[u8], context: &[u8], len: usize) -> Vec<u8> {
    let mut encoded = u16::try_from(len).expect("at most 65535 bytes").to_be_bytes().to_vec();
    for vector in [&[&b"tls13 "[..], label].concat()[..], context] {
        encoded.push(u8::try_from(vector.len()).expect("at most 255 bytes"));
        encoded.extend(vector);
    }
    encoded
}

/// HKDF-Expand-Label (RFC 8446 section 7.1), `len` bytes.
pub fn expand_label(
    algorithm: HashAlgorithm,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    len: usize,
) -> Vec<u8> {
    expand(algorithm, secret, &hkdf_label(label, context, len), len)
}

/// The same with an output as long as the hash; with a transcript hash for a context this is
/// Derive-Secret.
pub fn derive(algorithm: HashAlgorithm, secret: &[u8], label: &[u8], context: &[u8]) -> Vec<u8> {
    expand_label(algorithm, secret, label, context, algorithm.output_len())
}

/// Where a pre-shared key comes from: the label of its binder.
pub fn binder_label(is_external: bool) -> &'static [u8] {
    if is_external { b"ext binder" } else { b"res binder" }
}

/// The chain of secrets (RFC 8446 section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The hash of the suite.
    pub hash: HashAlgorithm,
    /// The Early Secret.
    pub early: Vec<u8>,
    /// What the Handshake Secret is extracted under.
    pub derived_for_handshake: Vec<u8>,
    /// The Handshake Secret.
    pub handshake: Vec<u8>,
    /// What the Master Secret is extracted under.
    pub derived_for_master: Vec<u8>,
    /// The Master Secret.
    pub master: Vec<u8>,
}

impl Schedule {
    /// The chain of a pre-shared key and of an (EC)DHE secret, either of which may be missing.
    pub fn new(hash: HashAlgorithm, psk: Option<&[u8]>, shared: Option<&[u8]>) -> Self {
        let zeros = vec![0; hash.output_len()];
        let empty = crate::reference::hash(hash, &[]);
        let extract = |salt: &[u8], input: &[u8]| hmac(hash, salt, &[input]);
        let early = extract(&[], psk.unwrap_or(&zeros));
        let derived_for_handshake = derive(hash, &early, b"derived", &empty);
        let handshake = extract(&derived_for_handshake, shared.unwrap_or(&zeros));
        let derived_for_master = derive(hash, &handshake, b"derived", &empty);
        let master = extract(&derived_for_master, &zeros);
        Self { hash, early, derived_for_handshake, handshake, derived_for_master, master }
    }

    /// The key of the binder of a pre-shared key.
    pub fn binder_key(&self, is_external: bool) -> Vec<u8> {
        derive(self.hash, &self.early, binder_label(is_external), &hash(self.hash, &[]))
    }
}

/// The verify_data of Finished, or a binder, over a transcript hash (RFC 8446 section 4.4.4).
pub fn finished(algorithm: HashAlgorithm, base_key: &[u8], transcript_hash: &[u8]) -> Vec<u8> {
    hmac(algorithm, &derive(algorithm, base_key, b"finished", &[]), &[transcript_hash])
}

/// Key and IV of the records under a traffic secret (RFC 8446 section 7.3).
pub fn traffic_keys(suite: &CipherSuiteInfo, secret: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let expand = |label: &[u8], len| expand_label(hash_of(suite), secret, label, &[], len);
    (expand(b"key", suite.cipher.key_len), expand(b"iv", 12))
}

/// The traffic secret after KeyUpdate (RFC 8446 section 7.2).
pub fn updated(algorithm: HashAlgorithm, secret: &[u8]) -> Vec<u8> {
    derive(algorithm, secret, b"traffic upd", &[])
}

/// The pre-shared key of a ticket (RFC 8446 section 4.6.1).
pub fn resumption_psk(algorithm: HashAlgorithm, secret: &[u8], nonce: &[u8]) -> Vec<u8> {
    derive(algorithm, secret, b"resumption", nonce)
}

/// Exported keying material of `len` bytes (RFC 8446 section 7.5).
pub fn exported(
    algorithm: HashAlgorithm,
    exporter_secret: &[u8],
    label: &[u8],
    context: &[u8],
    len: usize,
) -> Vec<u8> {
    let secret = derive(algorithm, exporter_secret, label, &hash(algorithm, &[]));
    expand_label(algorithm, &secret, b"exporter", &hash(algorithm, &[context]), len)
}

/// The hash of the messages so far. After HelloRetryRequest a message_hash stands for the first
/// ClientHello (RFC 8446 section 4.4.1), which is `retried` then.
pub fn transcript_hash(
    algorithm: HashAlgorithm,
    retried: Option<&[u8]>,
    messages: &[&[u8]],
) -> Vec<u8> {
    let first = retried.map(|client_hello| {
        let len = u8::try_from(algorithm.output_len()).expect("a hash");
        [&[254, 0, 0, len][..], &hash(algorithm, &[client_hello])].concat()
    });
    let first = first.unwrap_or_default();
    hash(algorithm, &[&[&first[..]][..], messages].concat())
}

/// The AEAD cipher of a suite.
pub fn cipher(suite: &CipherSuiteInfo) -> AeadAlgorithm {
    match (suite.cipher.mode, suite.cipher.key_len) {
        (CipherMode::Gcm, 16) => AeadAlgorithm::Aes128Gcm,
        (CipherMode::Gcm, 32) => AeadAlgorithm::Aes256Gcm,
        (CipherMode::Poly1305, 32) => AeadAlgorithm::ChaCha20Poly1305,
        (CipherMode::Ccm, 16) => AeadAlgorithm::Aes128Ccm,
        (CipherMode::Ccm8, 16) => AeadAlgorithm::Aes128Ccm8,
        other => panic!("{other:?}: not of a suite of TLS 1.3"),
    }
}

/// A TLSInnerPlaintext (RFC 8446 section 5.2).
pub fn inner(content_type: u8, payload: &[u8], padding: usize) -> Vec<u8> {
    [payload, &[content_type], &vec![0; padding]].concat()
}

/// The record of any plaintext, also of one that no record may have.
pub fn seal(suite: &CipherSuiteInfo, secret: &[u8], sequence_number: u64, text: &[u8]) -> Vec<u8> {
    let (key, iv) = traffic_keys(suite, secret);
    let header = header(text.len() + cipher(suite).tag_len());
    let nonce = nonce(&iv, sequence_number);
    let sealed = aead::seal(cipher(suite), &key, &nonce, &header, text);
    [&header[..], &sealed].concat()
}

/// The plaintext of a record; none for a header that is not one and for a wrong tag.
pub fn open(
    suite: &CipherSuiteInfo,
    secret: &[u8],
    sequence_number: u64,
    record: &[u8],
) -> Option<Vec<u8>> {
    let (found, sealed) = record.split_at_checked(5)?;
    if sealed.len() > usize::from(u16::MAX) || found != header(sealed.len()) {
        return None;
    }
    let (key, iv) = traffic_keys(suite, secret);
    aead::open(cipher(suite), &key, &nonce(&iv, sequence_number), found, sealed)
}

/// The header of a protected record, which is also what is authenticated besides.
pub fn header(fragment_len: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(fragment_len).expect("at most 65535 bytes").to_be_bytes();
    [23, 3, 3, high, low]
}

/// The nonce of a record (RFC 8446 section 5.3).
fn nonce(iv: &[u8], sequence_number: u64) -> [u8; 12] {
    let number = [&[0; 4][..], &sequence_number.to_be_bytes()].concat();
    let sum: Vec<u8> = iv.iter().zip(number).map(|(iv, byte)| iv ^ byte).collect();
    sum.try_into().expect("an IV of 12 bytes")
}
