//! The kinds of decrypted RSA block: one good one, and every way to be bad that a server must hide.
//! A block is 00 02, padding without a zero, 00, and 48 bytes that begin with the version.

use std::ops::Range;

use ssl_provider::MASTER_SECRET_LEN;

/// One kind of block.
pub(crate) struct Class {
    /// What is special about it.
    pub(crate) name: String,
    /// The block, as long as the modulus.
    pub(crate) block: Vec<u8>,
}

/// The version that the client offers in every variant.
pub(crate) const OFFERED_VERSION: u16 = 0x0303;

/// Every class for a modulus of `len` bytes.
pub(crate) fn all(len: usize) -> Vec<Class> {
    sample(len, 0)
}

/// Every class, with padding and secret that another `sample` has otherwise.
pub(crate) fn sample(len: usize, sample: u8) -> Vec<Class> {
    let good = |len| good(len, sample);
    let separator = len - MASTER_SECRET_LEN - 1;
    let secret = separator + 1;
    let mut classes = vec![Class { name: "valid".into(), block: good(len) }];
    let mut add = |name: String, change: &dyn Fn(&mut [u8])| {
        let mut block = good(len);
        change(&mut block);
        classes.push(Class { name, block });
    };

    for value in [0x01, 0x80] {
        add(format!("first byte {value:#04x}"), &|block| block[0] = value);
    }
    for value in [0x00, 0x01, 0x03, 0xff] {
        add(format!("block type {value:#04x}"), &|block| block[1] = value);
    }
    for position in [2, 3, 9, 10, 11, separator / 2, separator - 2, separator - 1] {
        add(format!("zero in the padding at {position}"), &|block| block[position] = 0);
    }
    for value in [0x01, 0xff] {
        add(format!("separator {value:#04x}"), &|block| block[separator] = value);
    }
    add("no zero anywhere".into(), &|block| fill_zeros(&mut block[2..]));
    for secret_len in [0, 1, 16, 46, 47, 49, 64, 128] {
        // Well padded, but for a secret of another length.
        add(format!("secret of {secret_len} bytes"), &|block| {
            fill_zeros(&mut block[2..]);
            block[len - secret_len - 1] = 0;
        });
    }
    for (name, version) in [
        ("major version", 0x0203),
        ("minor version", 0x0302),
        ("minor version above", 0x0304),
        ("both version bytes", 0x0a0b),
        ("zero version", 0x0000),
    ] {
        add(format!("other {name}"), &|block| set_version(block, secret, version));
    }
    add("padding and version".into(), &|block| {
        block[5] = 0;
        set_version(block, secret, 0x0301);
    });
    add("secret of zeros".into(), &|block| block[secret + 2..].fill(0));
    add("secret of ones".into(), &|block| block[secret + 2..].fill(0xff));
    for zeros in leading_zeros(len) {
        add(format!("{} leading zeros", zeros.len()), &|block| block[zeros.clone()].fill(0));
    }
    add("all zeros".into(), &|block| block.fill(0));
    add("all ones".into(), &|block| block.fill(0xff));
    classes
}

/// A well-formed block.
fn good(len: usize, sample: u8) -> Vec<u8> {
    // A fixed sequence without a zero, so that every run sees the same blocks.
    let start = 17 + usize::from(sample);
    let mut block: Vec<u8> = (1..=u8::MAX).cycle().skip(start).step_by(7).take(len).collect();
    block[..2].copy_from_slice(&[0, 2]);
    let secret = len - MASTER_SECRET_LEN;
    block[secret - 1] = 0;
    set_version(&mut block, secret, OFFERED_VERSION);
    block
}

fn set_version(block: &mut [u8], secret: usize, version: u16) {
    block[secret..secret + 2].copy_from_slice(&version.to_be_bytes());
}

fn fill_zeros(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 0xa5);
}

/// Blocks that are short as numbers, on which careless code trims or runs faster.
fn leading_zeros(len: usize) -> [Range<usize>; 3] {
    [0..3, 0..9, 0..len - 8]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_more_than_32_classes_and_no_two_are_alike() {
        let classes = all(256);
        assert!(classes.len() > 32, "{}", classes.len());
        let blocks: HashSet<_> = classes.iter().map(|class| class.block.clone()).collect();
        let names: HashSet<_> = classes.iter().map(|class| class.name.clone()).collect();
        assert_eq!((blocks.len(), names.len()), (classes.len(), classes.len()));
    }

    #[test]
    fn only_three_classes_are_well_formed() {
        let well_formed: Vec<_> = all(256)
            .into_iter()
            .filter(|class| {
                class.block.starts_with(&[0, 2])
                    && class.block[2..207].iter().all(|byte| *byte != 0)
                    && class.block[207..].starts_with(&[0, 3, 3])
            })
            .map(|class| class.name)
            .collect();
        assert_eq!(well_formed, ["valid", "secret of zeros", "secret of ones"]);
    }
}
