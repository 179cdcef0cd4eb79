//! Keys, and the exchanges to import with them: well-formed premaster secrets of TLS 1.2.
//! Ill-formed ones take the same time, which `timing` checks.

use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::{KeyParts, TestKey};

/// The version of every exchange.
pub const VERSION: ProtocolVersion = ProtocolVersion::TLS1_2;

/// The suite of every import.
pub const SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;

/// How many different ciphertexts are imported in turn.
const CIPHERTEXTS: usize = 16;

/// Returns a key with a modulus of so many bits: one of the test kit, or one that is made anew,
/// which takes seconds for long ones.
pub fn rsa_key(bits: u64) -> TestKey {
    match bits {
        1024 => TestKey::rsa_1024(),
        1536 => TestKey::rsa_1536(),
        2048 => TestKey::rsa_2048(),
        3072 => TestKey::rsa_3072(),
        4096 => TestKey::rsa_4096(),
        8192 => TestKey::rsa_8192(),
        other => {
            let parts = KeyParts::generate(other, 1);
            TestKey::from_der(&format!("rsa-{other}"), &parts.to_der())
        }
    }
}

/// Returns blocks with premaster secrets, and the same encrypted under `key`.
pub fn blocks_and_ciphertexts(key: &TestKey) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut rng = Rng::new(1);
    let block = |_| {
        let mut premaster = rng.array::<48>();
        premaster[..2].copy_from_slice(&VERSION.wire().to_be_bytes());
        key.pad(&premaster, &mut rng)
    };
    let blocks: Vec<Vec<u8>> = (0..CIPHERTEXTS).map(block).collect();
    let ciphertexts = blocks.iter().map(|block| key.encrypt(block)).collect();
    (blocks, ciphertexts)
}

/// Returns premaster secrets encrypted under `key`.
pub fn ciphertexts(key: &TestKey) -> Vec<Vec<u8>> {
    blocks_and_ciphertexts(key).1
}

/// The randoms of every exchange, the client's first.
pub const RANDOMS: [&[u8]; 2] = [&[0xc1; 32], &[0x5e; 32]];

/// Returns the parameters of every exchange.
pub fn parameters() -> ParameterList {
    ParameterList::new()
        .client_random([0xc1; 32])
        .server_random([0x5e; 32])
        .highest_version(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssl_provider::{KeyLogPolicy, Policy, Provider};

    #[test]
    fn every_backend_imports_every_exchange_alike() {
        let policy = Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() };
        let key = rsa_key(2048);
        for ciphertext in ciphertexts(&key) {
            let mut secrets = ssl_provider::backends().into_iter().map(|backend| {
                let provider = Provider::open(backend).with_policy(policy);
                let private_key = key.load(&provider);
                let master_key = provider
                    .import_master_key(&private_key, VERSION, SUITE, &parameters(), &ciphertext)
                    .unwrap();
                *master_key.secret_for_key_log().unwrap().expose()
            });
            let Some(first) = secrets.next() else { return };
            assert!(secrets.all(|secret| secret == first));
        }
    }

    #[test]
    fn keys_have_the_size_that_was_asked_for() {
        for bits in [1024, 1032, 1536, 2048] {
            assert_eq!(rsa_key(bits).modulus().bits(), bits);
        }
    }
}
