//! The classes of plaintext that the time of an import must not distinguish (Marvin).
//! All others are compared with the first; the second, which is like it, shows the noise.

use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::exchange::premaster_secret;
use ssl_provider_testkit::rsa_key::TestKey;

/// The version that the client offers.
pub(crate) const VERSION: u16 = 0x0303;

/// The number of plaintexts of each class, so that none represents its class alone.
pub(crate) const SAMPLES: usize = 32;

/// A class.
#[derive(Debug)]
pub(crate) struct Class {
    /// What is special about it.
    pub(crate) name: &'static str,
    /// RSA blocks.
    pub(crate) blocks: Vec<Vec<u8>>,
    /// The same, encrypted.
    pub(crate) ciphertexts: Vec<Vec<u8>>,
}

/// How a well-formed block is modified.
type Change = fn(&mut Rng, &mut [u8]);

const CLASSES: [(&str, Change); 9] = [
    ("well formed", |_, _| ()),
    ("well formed too", |_, _| ()),
    ("bad first byte", |_, block| block[0] = 1),
    ("bad type byte", |_, block| block[1] = 1),
    ("zero in the padding", |_, block| block[3] = 0),
    ("no separator", |rng, block| rng.fill_nonzero(&mut block[2..])),
    ("wrong version", |_, block| {
        let version = block.len() - 47;
        block[version] ^= 1;
    }),
    ("short secret", |rng, block| {
        let separator = block.len() - 49;
        block[separator] = rng.nonzero_byte();
        block[separator + 8] = 0;
    }),
    ("short number", |_, block| block[..9].fill(0)),
];

/// Every class, under `key`.
pub(crate) fn all(key: &TestKey) -> Vec<Class> {
    let mut rng = Rng::new(2);
    CLASSES
        .iter()
        .map(|(name, change)| {
            let blocks: Vec<Vec<u8>> = (0..SAMPLES)
                .map(|_| {
                    let secret = premaster_secret(VERSION, &mut rng);
                    // No zero except the separator, so that each class has only its own fault.
                    let secret = secret.map(|byte| byte.max(1));
                    let mut block = key.pad(&secret, &mut rng);
                    change(&mut rng, &mut block);
                    block
                })
                .collect();
            let ciphertexts = blocks.iter().map(|block| key.encrypt(block)).collect();
            Class { name, blocks, ciphertexts }
        })
        .collect()
}
