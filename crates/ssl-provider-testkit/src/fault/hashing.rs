//! Hashes, HMAC, the TLS PRF and HKDF with a fault. What a fault computes comes from
//! [`reference`], given the wrong arguments.

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, CompressionFunction, HashContext, Hashing};
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

use super::Fault;
use super::backend::FaultyBackend;
use super::defect::flip;
use super::running_hash::{FaultyCompression, FaultyContext};
use crate::reference;

/// The faults in running hashes, which one-shot hashes share or do not have.
const IN_CONTEXTS: &[Fault] = &[
    Fault::HashMd5IsBigEndian,
    Fault::HashSha1IsWrongBeyondABlock,
    Fault::HashSha384IsSha512,
    Fault::HashSha512IsSha384,
    Fault::HashOfNothingIsZero,
    Fault::HashPaddingMissesABlock,
    Fault::HashDuplicateForgets,
    Fault::HashDuplicateIsShared,
    Fault::HashKeepsTheLastPiece,
    Fault::HashTakesAnyOutput,
];

/// The faults in HMAC, which an HKDF made of HMAC has too.
const IN_HMAC: &[Fault] = &[
    Fault::HmacCutsLongKeys,
    Fault::HmacHashesKeysOfABlock,
    Fault::HmacRefusesEmptyKeys,
    Fault::HmacSha384IsSha512,
    Fault::HmacSha384PadsTo64,
    Fault::HmacTakesTheFirstPart,
    Fault::HmacTakesShortOutputs,
];

impl Hashing for FaultyBackend {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        let sound = |out: &mut [u8]| self.inner.hashing().hash(hash, input, out);
        let missing = self.defect.is(Fault::AnnouncedSupportIsMissing);
        if missing && hash == HashAlgorithm::Sha1 {
            let unsupported = |_: &mut [u8]| Err(Error::Unsupported(Operation::Hash(hash)));
            return self.defect.replace(out, sound, unsupported);
        }
        match self.defect.fault.and_then(|fault| wrong_hash(fault, hash, input)) {
            Some(digest) => self.defect.replace(out, sound, |out| fill(out, &digest)),
            None => sound(out),
        }
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        let inner = self.inner.hashing().hash_context(hash)?;
        let missing = self.defect.is(Fault::RunningHashIsMissing);
        if missing && hash == HashAlgorithm::Sha384 {
            self.defect.count_if(true);
            return Err(Error::Unsupported(Operation::Hash(hash)));
        }
        if !self.defect.is_one_of(IN_CONTEXTS) {
            return Ok(inner);
        }
        Ok(Box::new(FaultyContext::new(inner, hash, self.defect.clone())))
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        let sound = self.inner.hashing().compression_function(hash)?;
        let faults = [Fault::CompressionIsOneBitOff, Fault::CompressionTakesOneBlock];
        if !self.defect.is_one_of(&faults) {
            return Ok(sound);
        }
        let faulty = self.inner.hashing().compression_function(hash)?;
        Ok(Box::new(FaultyCompression { sound, faulty, hash, defect: self.defect.clone() }))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let sound = |out: &mut [u8]| self.inner.hashing().hmac(hash, key, input, out);
        let short = self.defect.is(Fault::HmacTakesShortOutputs) && out.len() < hash.output_len();
        if short {
            let mac = reference::hmac(hash, key, input);
            return self.defect.replace(out, sound, |out| fill(out, &mac[..out.len()]));
        }
        if self.defect.is(Fault::HmacRefusesEmptyKeys) && key.is_empty() {
            return self.defect.replace(out, sound, |_| Err(self.defect.failure()));
        }
        match self.defect.fault.and_then(|fault| wrong_hmac(fault, hash, key, input)) {
            Some(mac) => self.defect.replace(out, sound, |out| fill(out, &mac)),
            None => sound(out),
        }
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let sound = |out: &mut [u8]| self.inner.hashing().prf(prf, secret, label, seed, out);
        if self.defect.is(Fault::PrfRefusesEmptySecrets) && secret.is_empty() {
            return self.defect.replace(out, sound, |_| Err(self.defect.failure()));
        }
        let len = out.len();
        match self.defect.fault.and_then(|fault| wrong_prf(fault, prf, secret, label, seed, len)) {
            Some(bytes) => self.defect.replace(out, sound, |out| fill(out, &bytes)),
            None => sound(out),
        }
    }

    fn hkdf_extract(
        &self,
        hash: HashAlgorithm,
        salt: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let sound = |out: &mut [u8]| self.inner.hashing().hkdf_extract(hash, salt, input, out);
        let faulty = match self.defect.fault {
            Some(Fault::HkdfExchangesSaltAndInput) => {
                Some(reference::hmac(hash, &input.concat(), &[salt]))
            }
            Some(Fault::HkdfIgnoresTheSalt) => Some(reference::hmac(hash, &[], input)),
            Some(Fault::HkdfSha384IsSha256) if hash == HashAlgorithm::Sha384 => {
                let secret = reference::hmac(HashAlgorithm::Sha256, salt, input);
                Some(resized(secret, hash.output_len()))
            }
            _ => None,
        };
        if let Some(secret) = faulty {
            return self.defect.replace(out, sound, |out| fill(out, &secret));
        }
        if self.defect.is_one_of(IN_HMAC) {
            return OfHmac(self).hkdf_extract(hash, salt, input, out);
        }
        sound(out)
    }

    fn hkdf_expand(
        &self,
        hash: HashAlgorithm,
        secret: &[u8],
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let inner = self.inner.hashing();
        let sound = |out: &mut [u8]| inner.hkdf_expand(hash, secret, info, out);
        if self.defect.is_one_of(IN_HMAC) {
            return OfHmac(self).hkdf_expand(hash, secret, info, out);
        }
        let len = out.len();
        match self.defect.fault.and_then(|fault| wrong_expand(fault, hash, secret, info, len)) {
            Some(faulty) => self.defect.replace(out, sound, |out| fill(out, &faulty)),
            None => sound(out),
        }
    }
}

/// HKDF made of the HMAC of a faulty backend: the defaults of the trait.
#[derive(Debug)]
struct OfHmac<'a>(&'a FaultyBackend);

impl Hashing for OfHmac<'_> {
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.0.hmac(hash, key, input, out)
    }
}

/// Writes a result, which has to be as long as `out`.
fn fill(out: &mut [u8], bytes: &[u8]) -> Result<(), Error> {
    if out.len() != bytes.len() {
        return Err(BAD_OUTPUT_LEN);
    }
    out.copy_from_slice(bytes);
    Ok(())
}

/// The digest that a fault makes of `parts`; none where it makes no difference.
pub(super) fn wrong_hash(fault: Fault, hash: HashAlgorithm, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let input = parts.concat();
    let (block_len, len) = (hash.block_len(), hash.output_len());
    let one_bit_off = || {
        let mut digest = reference::hash(hash, &[&input]);
        flip(&mut digest);
        digest
    };
    Some(match (fault, hash) {
        (Fault::HashStopsAfterABlock, _) => {
            reference::hash(hash, &[&input[..input.len().min(block_len)]])
        }
        (Fault::HashTakesTheFirstPart, _) => reference::hash(hash, &parts[..parts.len().min(1)]),
        (Fault::HashMd5IsBigEndian, HashAlgorithm::Md5) => {
            let mut digest = reference::hash(hash, &[&input]);
            digest.chunks_mut(4).for_each(<[u8]>::reverse);
            digest
        }
        (Fault::HashSha1IsWrongBeyondABlock, HashAlgorithm::Sha1) if input.len() > block_len => {
            one_bit_off()
        }
        (Fault::HashSha384IsSha512, HashAlgorithm::Sha384) => {
            resized(reference::hash(HashAlgorithm::Sha512, &[&input]), len)
        }
        (Fault::HashSha512IsSha384, HashAlgorithm::Sha512) => {
            resized(reference::hash(HashAlgorithm::Sha384, &[&input]), len)
        }
        (Fault::HashOfNothingIsZero, _) if input.is_empty() => vec![0; len],
        // The length field takes an eighth of a block, the padding at least one byte more.
        (Fault::HashPaddingMissesABlock, _) if input.len() % block_len >= block_len / 8 * 7 => {
            one_bit_off()
        }
        _ => return None,
    })
}

/// The MAC that a fault makes; none where it makes no difference.
fn wrong_hmac(fault: Fault, hash: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    Some(match (fault, hash) {
        (Fault::HmacCutsLongKeys, _) => reference::hmac(hash, &key[..key.len().min(64)], parts),
        (Fault::HmacHashesKeysOfABlock, _) if key.len() == hash.block_len() => {
            reference::hmac(hash, &reference::hash(hash, &[key]), parts)
        }
        (Fault::HmacSha384IsSha512, HashAlgorithm::Sha384) => {
            resized(reference::hmac(HashAlgorithm::Sha512, key, parts), hash.output_len())
        }
        (Fault::HmacSha384PadsTo64, HashAlgorithm::Sha384) => {
            let key = if key.len() > 64 { reference::hash(hash, &[key]) } else { key.to_vec() };
            let padded = |pad: u8| -> Vec<u8> {
                resized(key.clone(), 64).iter().map(|byte| byte ^ pad).collect()
            };
            let inner = reference::hash(hash, &[&padded(0x36), &parts.concat()]);
            reference::hash(hash, &[&padded(0x5c), &inner])
        }
        (Fault::HmacTakesTheFirstPart, _) => {
            reference::hmac(hash, key, &parts[..parts.len().min(1)])
        }
        _ => return None,
    })
}

/// The output of `len` bytes that a fault makes; none where it makes no difference.
fn wrong_prf(
    fault: Fault,
    prf: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    len: usize,
) -> Option<Vec<u8>> {
    let right = || reference::prf(prf, secret, label, seed, len);
    let p_hash = |hash, secret: &[u8]| {
        reference::p_hash(hash, secret, &[label, &seed.concat()].concat(), len)
    };
    let of_halves = |for_md5: &[u8], for_sha1: &[u8]| -> Vec<u8> {
        let md5 = p_hash(HashAlgorithm::Md5, for_md5);
        md5.iter().zip(p_hash(HashAlgorithm::Sha1, for_sha1)).map(|(a, b)| a ^ b).collect()
    };
    let half = secret.len().div_ceil(2);
    Some(match (fault, prf) {
        (Fault::PrfOfAnotherHash, PrfAlgorithm::Sha384) => {
            reference::prf(PrfAlgorithm::Sha256, secret, label, seed, len)
        }
        (Fault::PrfDropsTheLastSeedPart, _) if seed.len() > 1 => {
            reference::prf(prf, secret, label, &seed[..1], len)
        }
        (Fault::PrfSplitsOddSecretsWrongly, PrfAlgorithm::Md5Sha1) => {
            of_halves(&secret[..secret.len() / 2], &secret[half..])
        }
        (Fault::PrfExchangesTheHalves, PrfAlgorithm::Md5Sha1) => {
            of_halves(&secret[secret.len() - half..], &secret[..half])
        }
        (Fault::PrfLeavesOutSha1, PrfAlgorithm::Md5Sha1) => {
            p_hash(HashAlgorithm::Md5, &secret[..half])
        }
        (Fault::PrfTakesTheLabelLast, _) => {
            reference::prf(prf, secret, &seed.concat(), &[label], len)
        }
        (Fault::PrfSha256StopsAfterABlock, PrfAlgorithm::Sha256) => cut(right(), 32),
        (Fault::PrfSha384WritesWholeBlocks, PrfAlgorithm::Sha384) => cut(right(), len / 48 * 48),
        (Fault::PrfCountsInAByte, _) => cut(right(), len % 256),
        (Fault::PrfCutsLongSecrets, PrfAlgorithm::Sha256) => {
            reference::prf(prf, &secret[..secret.len().min(64)], label, seed, len)
        }
        (Fault::PrfCutsLongSecrets, PrfAlgorithm::Sha384) => {
            reference::prf(prf, &secret[..secret.len().min(128)], label, seed, len)
        }
        _ => return None,
    })
}

/// The output of `len` bytes of HKDF-Expand that a fault makes; none where it makes no difference.
fn wrong_expand(
    fault: Fault,
    hash: HashAlgorithm,
    secret: &[u8],
    info: &[&[u8]],
    len: usize,
) -> Option<Vec<u8>> {
    let (whole, block_len) = (info.concat(), hash.output_len());
    if len > 255 * block_len && fault != Fault::HkdfWraps {
        return None;
    }
    let right = || expand(hash, secret, &whole, 1, len);
    Some(match fault {
        Fault::HkdfCountsFromZero => expand(hash, secret, &whole, 0, len),
        Fault::HkdfWraps => right(),
        Fault::HkdfTakesTheFirstInfo => {
            expand(hash, secret, info.first().copied().unwrap_or_default(), 1, len)
        }
        Fault::HkdfDropsTheLastInfo => {
            let first = &info[..info.len().saturating_sub(1)];
            expand(hash, secret, &first.concat(), 1, len)
        }
        Fault::HkdfDropsTheLabelPrefix => {
            let rest: Vec<&[u8]> = info.iter().copied().filter(|part| *part != b"tls13 ").collect();
            expand(hash, secret, &rest.concat(), 1, len)
        }
        Fault::HkdfDoesNotChain => {
            let block = |number| reference::hmac(hash, secret, &[&whole, &[number]]);
            resized((1..=u8::MAX).take(len.div_ceil(block_len)).flat_map(block).collect(), len)
        }
        Fault::HkdfStopsAfterABlock => cut(right(), block_len),
        Fault::HkdfWritesWholeBlocks => cut(right(), len / block_len * block_len),
        Fault::HkdfSha384IsSha256 if hash == HashAlgorithm::Sha384 => {
            // It has fewer bytes to give.
            let most = len.min(255 * HashAlgorithm::Sha256.output_len());
            resized(expand(HashAlgorithm::Sha256, secret, &whole, 1, most), len)
        }
        _ => return None,
    })
}

/// HKDF-Expand with a counter that begins with `first`.
fn expand(hash: HashAlgorithm, secret: &[u8], info: &[u8], first: u8, len: usize) -> Vec<u8> {
    let (mut out, mut block, mut counter) = (Vec::new(), Vec::new(), first);
    while out.len() < len {
        block = reference::hmac(hash, secret, &[&block, info, &[counter]]);
        out.extend_from_slice(&block);
        counter = counter.wrapping_add(1);
    }
    resized(out, len)
}

/// As many bytes, cut or with zeros behind them.
fn resized(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes.resize(len, 0);
    bytes
}

/// The same bytes with zeros from `start` on.
fn cut(mut bytes: Vec<u8>, start: usize) -> Vec<u8> {
    bytes.iter_mut().skip(start).for_each(|byte| *byte = 0);
    bytes
}
