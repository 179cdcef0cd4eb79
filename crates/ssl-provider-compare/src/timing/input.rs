//! The inputs of a measurement: RSA blocks or ciphertexts of every class, from a seed.

use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestPublicKey;
use ssl_provider_testkit::timing_class::{CLASSES, Supply};

/// Inputs of each class in the stock, so that none represents its class alone.
const STOCK: usize = 64;

/// How often, in blocks of measurements, inputs of the stock are made anew: a library whose time
/// depends on the ciphertext, which is public, must not look as if it depended on the class.
const RENEWAL: usize = 4;

/// The inputs of every class.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// What the blocks are encrypted with; none for blocks as they are.
    key: Option<TestPublicKey>,
    block_len: usize,
    version: u16,
    stock: Vec<Vec<Vec<u8>>>,
    /// Which of the stock the current block of measurements uses.
    sample: usize,
}

impl Inputs {
    /// RSA blocks of the length of this key's modulus, which is at least 64 bytes, with the version
    /// that the client offers.
    pub(crate) fn blocks(key: &TestPublicKey, version: u16, rng: &mut Rng) -> Self {
        Self::new(None, key.len(), version, rng)
    }

    /// The same, encrypted.
    pub(crate) fn ciphertexts(key: &TestPublicKey, version: u16, rng: &mut Rng) -> Self {
        Self::new(Some(key.clone()), key.len(), version, rng)
    }

    fn new(key: Option<TestPublicKey>, block_len: usize, version: u16, rng: &mut Rng) -> Self {
        let mut inputs = Self { key, block_len, version, stock: Vec::new(), sample: 0 };
        for (class, facts) in CLASSES.iter().enumerate() {
            let count = match facts.supply {
                Supply::Stock => STOCK,
                Supply::Repeated | Supply::Fresh => 1,
            };
            inputs.stock.push((0..count).map(|_| inputs.make(class, rng)).collect());
        }
        inputs
    }

    fn make(&self, class: usize, rng: &mut Rng) -> Vec<u8> {
        let block = CLASSES[class].block(rng, self.block_len, self.version);
        match &self.key {
            Some(key) => key.encrypt(&block),
            None => block,
        }
    }

    /// Chooses the inputs of the next block of measurements, and makes those that are always new.
    pub(crate) fn prepare(&mut self, rng: &mut Rng) {
        self.sample = rng.below(STOCK);
        let is_renewed = rng.one_in(RENEWAL);
        for (class, facts) in CLASSES.iter().enumerate() {
            let place = match facts.supply {
                Supply::Fresh => 0,
                Supply::Stock if is_renewed => self.sample,
                Supply::Stock | Supply::Repeated => continue,
            };
            self.stock[class][place] = self.make(class, rng);
        }
    }

    /// The input of a class.
    pub(crate) fn of(&self, class: usize) -> &[u8] {
        let stock = &self.stock[class];
        &stock[self.sample % stock.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssl_provider_testkit::rsa_key::TestKey;

    #[test]
    fn inputs_are_repeated_fresh_or_of_the_stock() {
        let key = TestKey::rsa_1024().public_key();
        let mut rng = Rng::new(1);
        let mut inputs = Inputs::ciphertexts(&key, 0x0303, &mut rng);
        let place = |supply| CLASSES.iter().position(|it| it.supply == supply).unwrap();
        let mut seen = |supply| {
            let inputs = (0..200).map(|_| {
                inputs.prepare(&mut rng);
                inputs.of(place(supply)).to_vec()
            });
            inputs.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!((seen(Supply::Repeated), seen(Supply::Fresh)), (1, 200));
        let stock = seen(Supply::Stock);
        // 200 draws, and every fourth one new.
        assert!((STOCK / 2..200).contains(&stock), "{stock}");
    }

    #[test]
    fn inputs_are_encrypted_where_a_subject_decrypts() {
        let key = TestKey::rsa_1024().public_key();
        let blocks = Inputs::blocks(&key, 0x0303, &mut Rng::new(5));
        let ciphertexts = Inputs::ciphertexts(&key, 0x0303, &mut Rng::new(5));
        for class in 0..CLASSES.len() {
            assert_eq!(ciphertexts.of(class), key.encrypt(blocks.of(class)));
        }
    }
}
