//! A key and the exchanges to import with it: well-formed premaster secrets of TLS 1.2.
//! Ill-formed ones take the same time, which `cargo xtask timing` checks.

use openssl::pkey::PKey;
use openssl::rsa::{Padding, Rsa};

use ssl_provider::{CipherSuite, NamedCurve, ParameterList, ProtocolVersion};

/// The version of every exchange.
pub const VERSION: ProtocolVersion = ProtocolVersion::TLS1_2;

/// The suite of every exchange.
pub const SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;

/// How many different ciphertexts are imported in turn.
const CIPHERTEXTS: u8 = 16;

/// A private key with a name for the report.
#[derive(Debug)]
pub struct Key {
    /// The name, such as `rsa-2048`.
    pub name: &'static str,
    /// The key as DER.
    pub der: &'static [u8],
}

/// The keys of the benchmark: 2048, 3072 and 4096 bits.
pub const KEYS: [Key; 3] = [
    Key {
        name: "rsa-2048",
        der: include_bytes!("../crates/ssl-provider-testkit/keys/rsa-2048.der"),
    },
    Key {
        name: "rsa-3072",
        der: include_bytes!("../crates/ssl-provider-testkit/keys/rsa-3072.der"),
    },
    Key {
        name: "rsa-4096",
        der: include_bytes!("../crates/ssl-provider-testkit/keys/rsa-4096.der"),
    },
];

/// Returns a private key on P-256, in PKCS#8.
///
/// # Panics
///
/// Never: OpenSSL reads the key of this repository.
pub fn ec_key() -> Vec<u8> {
    let pem = include_bytes!("../tests/data/keys/ec-p256.pem");
    let key = PKey::private_key_from_pem(pem).and_then(|key| key.private_key_to_pkcs8());
    key.expect("OpenSSL reads the key")
}

/// The curves of the benchmark.
pub const CURVES: [NamedCurve; 3] =
    [NamedCurve::X25519, NamedCurve::Secp256r1, NamedCurve::Secp384r1];

/// Encrypts premaster secrets under `key`.
///
/// # Errors
///
/// The error of OpenSSL.
pub fn ciphertexts(key: &Key) -> Result<Vec<Vec<u8>>, openssl::error::ErrorStack> {
    let rsa = Rsa::private_key_from_der(key.der)?;
    let len = rsa.size() as usize;
    (1..=CIPHERTEXTS)
        .map(|number| {
            let mut block = vec![number; len];
            block[..2].copy_from_slice(&[0, 2]);
            block[len - 49..len - 46].copy_from_slice(&[0, 3, 3]);
            let mut ciphertext = vec![0; len];
            rsa.public_encrypt(&block, &mut ciphertext, Padding::NONE)?;
            Ok(ciphertext)
        })
        .collect()
}

/// The parameters of every exchange.
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
        for key in &KEYS[..1] {
            for ciphertext in ciphertexts(key).unwrap() {
                let mut secrets = ssl_provider::backends().into_iter().map(|backend| {
                    let provider = Provider::open(backend).with_policy(policy);
                    let private_key = provider.load_private_key(key.der).unwrap();
                    let master_key = provider
                        .import_master_key(&private_key, VERSION, SUITE, &parameters(), &ciphertext)
                        .unwrap();
                    *master_key.secret_for_key_log().unwrap().expose()
                });
                let first = secrets.next().unwrap();
                assert!(secrets.all(|secret| secret == first));
            }
        }
    }
}
