//! CBC records after decryption: every class of padding and MAC, good and bad, of several lengths.
//! Core's work up to the verdict must not depend on their content (Lucky Thirteen).

use std::ffi::CString;
use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use ssl_provider::{
    Backend, CipherSuite, CipherSuiteInfo, HashAlgorithm, Policy, ProtocolVersion, Provider,
    RecordKey, RecordOptions, Verdict, WriteKeys,
};

use crate::{measured_check, valgrind};

const SEQUENCE_NUMBER: u64 = 0x0102_0304_0506_0708;
const CONTENT_TYPE: u8 = 23;
const MAC_KEY: [u8; 48] = [0x3a; 48];

/// Records of one suite and length, which an observer must not be able to distinguish.
pub(crate) struct Variant {
    /// Its name in reports.
    pub(crate) name: String,
    protocol: ProtocolVersion,
    suite: &'static CipherSuiteInfo,
    blocks_len: usize,
    key: RecordKey,
}

/// One kind of record.
pub(crate) struct Class {
    /// Its name.
    pub(crate) name: String,
    /// The decrypted blocks.
    pub(crate) blocks: Vec<u8>,
    /// The length of the payload, where the record is good.
    pub(crate) payload_len: Option<usize>,
}

impl Variant {
    /// Every hash, padding rule and length, on a library that exposes its compression functions and
    /// on one that does not.
    pub(crate) fn all(open: &Backend, closed: &Backend) -> Result<Vec<Self>> {
        let mut variants = Vec::new();
        for (protocol, suite) in [
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384),
        ] {
            for (backend, how) in [(open, "blocks"), (closed, "lengths")] {
                // The longer way takes seconds for each record under valgrind.
                let lengths: &[usize] = if how == "blocks" { &[96, 400, 1040] } else { &[96, 336] };
                for blocks_len in lengths {
                    variants.push(Self::new(backend, how, protocol, suite, *blocks_len)?);
                }
            }
        }
        Ok(variants)
    }

    fn new(
        backend: &Backend,
        how: &str,
        protocol: ProtocolVersion,
        suite: CipherSuite,
        blocks_len: usize,
    ) -> Result<Self> {
        let policy = Policy { legacy_ssl3: true, ..Policy::default() };
        let provider = Provider::open(backend).with_policy(policy);
        let connection = provider.security_parameters(protocol, suite)?;
        let suite = connection.suite();
        let keys = WriteKeys {
            mac_key: &MAC_KEY[..suite.mac.map_or(0, HashAlgorithm::output_len)],
            write_key: &[0x4b; 32][..suite.cipher.key_len],
            write_iv: &[0x5c; 16][..suite.cipher.fixed_iv_len(protocol)],
        };
        let key = RecordKey::new(&connection, RecordOptions::default(), keys)?;
        let name = format!("record {protocol} {:#06x} {blocks_len} by {how}", suite.id.0);
        Ok(Self { name, protocol, suite, blocks_len, key })
    }

    /// Every class: each length of padding that is good, then every way to be bad.
    pub(crate) fn classes(&self) -> Result<Vec<Class>> {
        let mac_len = self.mac()?.output_len();
        let longest_padding = match self.protocol {
            ProtocolVersion::SSL3 => self.suite.cipher.block_len(),
            _ => 256.min(self.blocks_len - mac_len),
        };
        let mut classes = Vec::new();
        // Not all of 256: they fall into the same few cases.
        let lens = (1..=longest_padding).filter(|len| *len <= 24 || len % 11 == 0 || *len > 250);
        for padding_len in lens {
            let payload_len = self.blocks_len - mac_len - padding_len;
            classes.push(Class {
                name: format!("padding of {padding_len}"),
                blocks: self.good(padding_len)?,
                payload_len: Some(payload_len),
            });
        }
        let mut add = |name: &str, padding_len: usize, change: &dyn Fn(&mut [u8])| {
            let mut blocks = self.good(padding_len)?;
            change(&mut blocks);
            classes.push(Class { name: name.into(), blocks, payload_len: None });
            anyhow::Ok(())
        };
        let end = self.blocks_len;
        for padding_len in [1, 2, 7, 8] {
            let mac = end - padding_len - mac_len;
            add(&format!("first byte of the MAC, {padding_len}"), padding_len, &|b| b[mac] ^= 1)?;
            add(&format!("last byte of the MAC, {padding_len}"), padding_len, &|b| {
                b[mac + mac_len - 1] ^= 0x80;
            })?;
            add(&format!("first byte of the payload, {padding_len}"), padding_len, &|b| b[0] ^= 4)?;
            add(&format!("all of the MAC, {padding_len}"), padding_len, &|b| {
                b[mac..mac + mac_len].fill(0);
            })?;
        }
        for last in [8, 16, 31, 64, 127, 128, 200, 254, 255] {
            add(&format!("only the last byte {last}"), 8, &|b| b[end - 1] = last)?;
            add(&format!("all bytes {last}"), 8, &|b| b.fill(last))?;
        }
        add("all zeros", 8, &|b| b.fill(0))?;
        Ok(classes)
    }

    /// Core's work on decrypted blocks, up to the verdict.
    pub(crate) fn check(&self, blocks: &[u8]) -> Result<Verdict, ssl_provider::Error> {
        self.key.verify_padding_and_mac(SEQUENCE_NUMBER, CONTENT_TYPE, blocks)
    }

    /// A record with this much padding, valid if the padding is not longer than allowed.
    fn good(&self, padding_len: usize) -> Result<Vec<u8>> {
        let payload_len = self.blocks_len - self.mac()?.output_len() - padding_len;
        let mut blocks: Vec<u8> = (0..=u8::MAX).cycle().take(payload_len).collect();
        blocks.extend(self.mac_of(&blocks)?);
        blocks.resize(self.blocks_len, u8::try_from(padding_len - 1)?);
        Ok(blocks)
    }

    /// The MAC of a payload, by the one-shot functions of the library.
    fn mac_of(&self, payload: &[u8]) -> Result<Vec<u8>> {
        let library = ssl_provider::backend("rustcrypto")?;
        let hash = self.mac()?;
        let key = &MAC_KEY[..hash.output_len()];
        let number = SEQUENCE_NUMBER.to_be_bytes();
        let len = u16::try_from(payload.len())?.to_be_bytes();
        let mut mac = vec![0; hash.output_len()];
        if self.protocol == ProtocolVersion::SSL3 {
            let mut inner = mac.clone();
            let head = [CONTENT_TYPE, len[0], len[1]];
            library.hashing().hash(
                hash,
                &[key, &[0x36; 40], &number, &head, payload],
                &mut inner,
            )?;
            library.hashing().hash(hash, &[key, &[0x5c; 40], &inner], &mut mac)?;
        } else {
            let [major, minor] = self.protocol.wire().to_be_bytes();
            let head = [CONTENT_TYPE, major, minor, len[0], len[1]];
            library.hashing().hmac(hash, key, &[&number, &head, payload], &mut mac)?;
        }
        Ok(mac)
    }

    fn mac(&self) -> Result<HashAlgorithm> {
        self.suite.mac.context("a suite without a MAC")
    }
}

/// Checks records with their blocks marked as undefined, and compares the verdicts.
///
/// # Errors
///
/// Names where the mark was not set or was lost, and which verdict is wrong.
pub(crate) fn poison(variants: &[Variant]) -> Result<usize> {
    let mut checked = 0;
    for variant in variants {
        for class in variant.classes()? {
            let name = format!("{}, {}", variant.name, class.name);
            let blocks = class.blocks;
            valgrind::mark_undefined(&blocks);
            let is_marked = valgrind::is_wholly_undefined(&blocks);
            ensure!(is_marked, "{name}: valgrind has not marked the blocks");
            let mut verdict = measured_check(variant, &blocks)?;
            let is_marked = valgrind::is_wholly_undefined(&[verdict.secret()]);
            ensure!(is_marked, "{name}: the mark is lost before the verdict");
            valgrind::mark_defined(&mut verdict);
            ensure!(verdict.reveal().ok() == class.payload_len, "{name}: the verdict is wrong");
            checked += 1;
        }
    }
    Ok(checked)
}

/// Counts the instructions of each check: one dump of callgrind for each.
///
/// # Errors
///
/// Names what failed.
pub(crate) fn count(variants: &[Variant]) -> Result<usize> {
    let mut checked = 0;
    for variant in variants {
        let classes = variant.classes()?;
        let labels: Vec<CString> = classes
            .iter()
            .map(|class| CString::new(format!("{}|{}", variant.name, class.name)))
            .collect::<Result<_, _>>()?;
        // All in one place: a long copy takes another path where source and target are pages apart.
        let mut blocks = classes[0].blocks.clone();
        measured_check(variant, &blocks)?;
        valgrind::zero_counts();
        for (class, label) in classes.iter().zip(&labels) {
            blocks.copy_from_slice(&class.blocks);
            black_box(measured_check(variant, &blocks)?);
            valgrind::dump_counts(label);
            checked += 1;
        }
    }
    Ok(checked)
}

/// A careless receiver: it checks the padding until a byte is wrong.
#[cfg(feature = "planted-leak")]
#[inline(never)]
pub(crate) fn planted_leak(blocks: &[u8]) {
    let last = blocks.last().copied().unwrap_or_default();
    let padding = blocks.iter().rev().take_while(|byte| **byte == last).count();
    if padding > usize::from(last) {
        black_box(padding);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_verdict_is_right_and_every_variant_has_its_classes() {
        let open = ssl_provider::backend("rustcrypto").unwrap();
        let closed = crate::backend::ProbeBackend::leak(&open, crate::backend::Mark::Nothing);
        for variant in Variant::all(&open, &closed.into()).unwrap() {
            let classes = variant.classes().unwrap();
            let names: HashSet<_> = classes.iter().map(|class| class.name.clone()).collect();
            assert!(names.len() == classes.len() && names.len() >= 32, "{}", variant.name);
            for class in classes {
                let verdict = measured_check(&variant, &class.blocks).unwrap();
                assert_eq!(
                    verdict.reveal().ok(),
                    class.payload_len,
                    "{}, {}",
                    variant.name,
                    class.name
                );
            }
        }
    }
}
