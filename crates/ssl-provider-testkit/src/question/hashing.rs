//! Hashes, HMAC, the TLS PRF and HKDF.

use serde::{Deserialize, Serialize};
use ssl_provider_core::{HashAlgorithm, PrfAlgorithm};

use super::{Answer, Bytes, Kind, Subject, smaller_bytes, text, with_each};
use crate::reference;

fn parts(parts: &[Bytes]) -> Vec<&[u8]> {
    parts.iter().map(|part| &part[..]).collect()
}

/// Fewer parts, or smaller ones.
fn smaller_parts(parts: &[Bytes]) -> Vec<Vec<Bytes>> {
    let mut smaller = Vec::new();
    for at in 0..parts.len() {
        let mut fewer = parts.to_vec();
        fewer.remove(at);
        smaller.push(fewer);
        smaller.extend(with_each(&parts.to_vec(), smaller_bytes(&parts[at]), |it, bytes| {
            it[at] = bytes;
        }));
    }
    smaller
}

fn smaller_len(len: usize) -> Vec<usize> {
    if len < 2 { Vec::new() } else { vec![1, len / 2, len - 1] }
}

/// The hash of an input, whole and part by part; both must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hash {
    /// The hash.
    #[serde(with = "text::hash")]
    pub hash: HashAlgorithm,
    /// The input in parts.
    pub input: Vec<Bytes>,
}

impl Kind for Hash {
    fn operation(&self) -> String {
        self.hash.name().to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let hashing = subject.backend().hashing();
        let mut out = vec![0; self.hash.output_len()];
        let whole = Answer::of(
            hashing.hash(self.hash, &parts(&self.input), &mut out).map(|()| out.clone()),
            |out| out,
        );
        let in_parts = hashing.hash_context(self.hash).and_then(|mut context| {
            for part in &self.input {
                // A duplicate that goes its own way must leave the first alone.
                let mut aside = context.duplicate();
                aside.update(b"aside");
                context.update(part);
            }
            context.finish(&mut out)
        });
        match Answer::of(in_parts, |()| out) {
            same if same == whole => whole,
            other => Answer::Defect(format!("whole: {whole}; in parts: {other}")),
        }
    }

    fn reference(&self) -> Option<Answer> {
        Some(Answer::Bytes(reference::hash(self.hash, &parts(&self.input)).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, smaller_parts(&self.input), |it, input| it.input = input).collect()
    }
}

/// The chaining value after whole blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// The hash.
    #[serde(with = "text::hash")]
    pub hash: HashAlgorithm,
    /// Whole blocks of the hash.
    pub blocks: Bytes,
}

impl Kind for Compression {
    fn operation(&self) -> String {
        format!("compression function of {}", self.hash.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let started = subject.backend().hashing().compression_function(self.hash);
        Answer::of(started, |mut function| {
            let mut out = vec![0; self.hash.output_len()];
            for block in self.blocks.chunks_exact(self.hash.block_len()) {
                function.compress(block);
            }
            function.chaining_value(&mut out);
            out
        })
    }

    /// The hash of a message is the chaining value after its padding (RFC 1321 section 3.1, FIPS
    /// 180-4 section 5.1), which is the last of the blocks here if they end as a message does.
    fn reference(&self) -> Option<Answer> {
        let message = unpadded(self.hash, &self.blocks)?;
        Some(Answer::Bytes(reference::hash(self.hash, &[&message]).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let block = self.hash.block_len();
        let fewer = self.blocks.len().checked_sub(block).filter(|len| *len > 0);
        let fewer = fewer.map(|len| Bytes::from(self.blocks[..len].to_vec()));
        let zeroed = super::zeroed_bytes(&self.blocks);
        with_each(self, fewer.into_iter().chain(zeroed).collect(), |it, blocks| it.blocks = blocks)
            .collect()
    }
}

/// Returns the message that these blocks are the padded form of, if they are one.
fn unpadded(hash: HashAlgorithm, blocks: &[u8]) -> Option<Vec<u8>> {
    let message_len = blocks.iter().rposition(|byte| *byte == 0x80)?;
    (0..message_len + 1)
        .rev()
        .take(hash.block_len() + 1)
        .find_map(|len| (padded(hash, &blocks[..len]) == blocks).then(|| blocks[..len].to_vec()))
}

/// Returns a message with its padding: the blocks that a hash compresses.
pub fn padded(hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    let block = hash.block_len();
    // The length field has an eighth of a block.
    let field = block / 8;
    let mut padded = [message, &[0x80]].concat();
    padded.resize((padded.len() + field).next_multiple_of(block) - field, 0);
    let bits = 8 * message.len() as u128;
    if hash == HashAlgorithm::Md5 {
        padded.extend(&bits.to_le_bytes()[..field]);
    } else {
        padded.extend(&bits.to_be_bytes()[16 - field..]);
    }
    padded
}

/// An HMAC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The hash.
    #[serde(with = "text::hash")]
    pub hash: HashAlgorithm,
    /// The key.
    pub key: Bytes,
    /// The input in parts.
    pub input: Vec<Bytes>,
}

impl Kind for Hmac {
    fn operation(&self) -> String {
        format!("HMAC-{}", self.hash.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let mut out = vec![0; self.hash.output_len()];
        let input = parts(&self.input);
        let mac = subject.backend().hashing().hmac(self.hash, &self.key, &input, &mut out);
        Answer::of(mac, |()| out)
    }

    fn reference(&self) -> Option<Answer> {
        let mac = reference::hmac(self.hash, &self.key, &parts(&self.input));
        Some(Answer::Bytes(mac.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let keys = with_each(self, smaller_bytes(&self.key), |it, key| it.key = key);
        let inputs = with_each(self, smaller_parts(&self.input), |it, input| it.input = input);
        keys.chain(inputs).collect()
    }
}

/// The TLS PRF (RFC 2246 section 5, RFC 5246 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prf {
    /// The PRF.
    #[serde(with = "text::prf")]
    pub prf: PrfAlgorithm,
    /// The secret.
    pub secret: Bytes,
    /// The label.
    pub label: Bytes,
    /// The seed in parts.
    pub seed: Vec<Bytes>,
    /// Length of the output in bytes, at most 1 MiB.
    #[serde(deserialize_with = "text::output_len")]
    pub len: usize,
}

impl Kind for Prf {
    fn operation(&self) -> String {
        format!("PRF {}", self.prf.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let mut out = vec![0; self.len];
        let (hashing, seed) = (subject.backend().hashing(), parts(&self.seed));
        let done = hashing.prf(self.prf, &self.secret, &self.label, &seed, &mut out);
        Answer::of(done, |()| out)
    }

    fn reference(&self) -> Option<Answer> {
        let seed = parts(&self.seed);
        let out = reference::prf(self.prf, &self.secret, &self.label, &seed, self.len);
        Some(Answer::Bytes(out.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let secrets = with_each(self, smaller_bytes(&self.secret), |it, secret| it.secret = secret);
        let labels = with_each(self, smaller_bytes(&self.label), |it, label| it.label = label);
        let seeds = with_each(self, smaller_parts(&self.seed), |it, seed| it.seed = seed);
        let lengths = with_each(self, smaller_len(self.len), |it, len| it.len = len);
        secrets.chain(labels).chain(seeds).chain(lengths).collect()
    }
}

/// HKDF-Extract and HKDF-Expand (RFC 5869).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hkdf {
    /// The hash.
    #[serde(with = "text::hash")]
    pub hash: HashAlgorithm,
    /// The input keying material.
    pub ikm: Bytes,
    /// The salt.
    pub salt: Bytes,
    /// The context.
    pub info: Bytes,
    /// Length of the output in bytes, at most 1 MiB.
    #[serde(deserialize_with = "text::output_len")]
    pub len: usize,
}

impl Kind for Hkdf {
    fn operation(&self) -> String {
        format!("HKDF-{}", self.hash.name())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let hashing = subject.backend().hashing();
        let mut extracted = vec![0; self.hash.output_len()];
        let mut out = vec![0; self.len];
        let done = hashing
            .hkdf_extract(self.hash, &self.salt, &[&self.ikm], &mut extracted)
            .and_then(|()| hashing.hkdf_expand(self.hash, &extracted, &[&self.info], &mut out));
        Answer::of(done, |()| out)
    }

    fn reference(&self) -> Option<Answer> {
        let key = reference::hmac(self.hash, &self.salt, &[&self.ikm]);
        let (mut block, mut out) = (Vec::new(), Vec::new());
        for number in 1..=u8::MAX {
            if out.len() >= self.len {
                break;
            }
            block = reference::hmac(self.hash, &key, &[&block, &self.info, &[number]]);
            out.extend(&block);
        }
        // A longer output is refused, and by which status is not for a reference to say.
        if out.len() < self.len {
            return None;
        }
        out.truncate(self.len);
        Some(Answer::Bytes(out.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let keys = with_each(self, smaller_bytes(&self.ikm), |it, ikm| it.ikm = ikm);
        let salts = with_each(self, smaller_bytes(&self.salt), |it, salt| it.salt = salt);
        let infos = with_each(self, smaller_bytes(&self.info), |it, info| it.info = info);
        let lengths = with_each(self, smaller_len(self.len), |it, len| it.len = len);
        keys.chain(salts).chain(infos).chain(lengths).collect()
    }
}
