//! Backend of ssl-provider on the RustCrypto crates: RSA, curves, hashes and ciphers.
//! All of it is Rust, so it builds where there is no C compiler.

#![forbid(unsafe_code)]

mod agreement;
mod cipher;
mod hash;
mod kem;
mod number;
mod prf;
mod random;
mod rsa;
mod signature;

use std::sync::LazyLock;

use ssl_provider_core::backend::KeyExchangeBackend;
use ssl_provider_core::{BackendInfo, ConstantTime, HashAlgorithm, Operation, RsaInfo, Support};

/// The name of the backend.
const NAME: &str = "rustcrypto";

/// The release series that are linked, each with the file that uses it. The crates do not export
/// their versions, and which release of a series it is, only the lock file of the final program
/// knows. A test compares this with the requirements of the manifest.
const VERSIONS: [&[(&str, &str)]; 5] =
    [rsa::CRATES, agreement::CRATES, kem::CRATES, hash::CRATES, cipher::CRATES];

/// The properties of the RSA private operation of the `rsa` crate.
///
/// RUSTSEC-2023-0071 (Marvin) states that its time may reveal the plaintext. Its authors state that
/// 0.10 is fixed; as of 2026-11-22 the advisory lists no patched release.
pub const RSA_INFO: RsaInfo = RsaInfo::new("RustCrypto rsa", ConstantTime::Disputed)
    .with_blinding(true)
    .with_fault_check(true);

static INFO: LazyLock<BackendInfo> = LazyLock::new(|| {
    let crates = VERSIONS.concat();
    let crates: Vec<_> = crates.iter().map(|(name, series)| format!("{name} {series}")).collect();
    let library = crates.join(", ");
    BackendInfo::new(NAME, "ssl-provider RustCrypto Provider", library).with_rsa(Some(RSA_INFO))
});

/// The backend.
pub fn backend() -> &'static dyn KeyExchangeBackend {
    &RustCrypto
}

/// The RustCrypto crates as a backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl KeyExchangeBackend for RustCrypto {
    fn info(&self) -> &BackendInfo {
        &INFO
    }

    fn support(&self, operation: Operation) -> Support {
        Support::By(match operation {
            Operation::Random => "getrandom",
            Operation::RsaDecryptRaw | Operation::RsaEncryptRaw => "rsa",
            Operation::Ecdh(curve) | Operation::EcdhLoad(curve) => {
                match agreement::ecdh_crate(curve) {
                    Some(name) => name,
                    None => return Support::Unsupported,
                }
            }
            Operation::Dh => "crypto-bigint",
            Operation::Kem(kem) | Operation::KemLoad(kem) if kem::has(kem) => "ml-kem",
            Operation::Hmac(_) | Operation::Prf(_) => "hmac",
            Operation::Hash(hash) | Operation::CompressionFunction(hash) => match hash {
                HashAlgorithm::Md5 => "md-5",
                HashAlgorithm::Sha1 => "sha1",
                _ => "sha2",
            },
            Operation::Rc4 => "rc4",
            Operation::Cbc(cipher) => cipher::cbc_crate(cipher),
            Operation::Aead(cipher) => cipher::aead_crate(cipher),
            Operation::Verify(scheme) | Operation::Sign(scheme) if scheme.is_rsa() => "rsa",
            Operation::Verify(_) | Operation::Sign(_) => "p256, p384 and p521",
            _ => return Support::Unsupported,
        })
    }

    ssl_provider_core::offers! {
        random, hashing, rsa_decryption, rsa_encryption, key_agreement, key_encapsulation,
        record_ciphers, signatures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_requirements_of_the_manifests() {
        let manifest = concat!(include_str!("../../../Cargo.toml"), include_str!("../Cargo.toml"));
        for (name, version) in VERSIONS.concat() {
            let entry = format!("\n{name} = {{ version = \"{version}\",");
            assert!(manifest.contains(&entry), "{name} is not {version}");
        }
    }

    /// The other libraries take less; `tests/stack.rs` looks for secrets there.
    #[cfg(target_os = "linux")]
    #[test]
    fn core_wipes_as_much_stack_as_agreement_and_signing_take() {
        use ssl_provider_core::{
            Backend, CipherSuite, Curve, DhParameters, FfdheGroup, Group, HybridGroup, NamedCurve,
            ProtocolVersion, Provider, Side, SignatureScheme,
        };
        use ssl_provider_testkit::exchange::Exchange;
        use ssl_provider_testkit::rsa_key::TestKey;
        use ssl_provider_testkit::stack::Remains;

        let provider = Provider::open(Backend::from_static(backend()));
        let assert_wiped = |what: &str, call: &mut (dyn FnMut() + Send)| {
            assert!(Remains::of(call).wiped_to_the_bottom(), "{what}");
        };

        let fields = [FfdheGroup::Ffdhe2048, FfdheGroup::Ffdhe8192];
        let fields = fields.map(|field| Group::from(DhParameters::named(field)));
        let curves = NamedCurve::ALL.into_iter();
        let curves = curves
            .filter(|curve| provider.backend().support(Operation::Ecdh(*curve)).is_supported());
        for group in curves.map(Group::from).chain(fields) {
            let what = format!("{group:?}");
            let suite = match group {
                Group::Curve(_) => CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                _ => CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
            };
            let exchange = Exchange::new(ProtocolVersion::TLS1_2, suite);
            let (version, suite, parameters) =
                (exchange.protocol, exchange.suite.id, exchange.parameters());
            let generate = || provider.generate_ephemeral_key(group.clone()).unwrap();
            let mut keys = vec![generate()];
            let peer = group.public_key(keys[0].public_key()).unwrap();
            assert_wiped(&what, &mut || keys.push(generate()));
            let mut key = keys.pop();
            assert_wiped(&what, &mut || {
                let key = key.take().unwrap();
                let side = Side::Client;
                let agreed =
                    provider.generate_master_key(key, &peer, version, suite, &parameters, side);
                drop(agreed.unwrap());
            });
        }

        let suite = CipherSuite::TLS_AES_256_GCM_SHA384;
        let early = provider.tls13_parameters(suite).unwrap().early_secret(None).unwrap();
        for group in HybridGroup::ALL {
            let (what, mut keys) = (group.name(), Vec::new());
            assert_wiped(what, &mut || keys.push(provider.generate_ephemeral_key(group).unwrap()));
            let of_client = Group::from(group).public_key(keys[0].public_key()).unwrap();
            assert_wiped(what, &mut || {
                keys.push(provider.answer_ephemeral_key(&of_client).unwrap());
            });
            let of_server = Group::from(group).public_key(keys[1].public_key()).unwrap();
            let mut client = Some(keys.swap_remove(0));
            assert_wiped(what, &mut || {
                let key = client.take().unwrap();
                drop(early.handshake_secret(key, &of_server).unwrap());
            });
        }

        let on_curves = Curve::ALL.map(|curve| {
            let scheme = SignatureScheme::EcdsaSha256;
            (format!("{curve:?}"), signature::tests::private_key(curve), scheme)
        });
        let of_rsa = TestKey::all()
            .into_iter()
            .filter(|key| key.len() >= 256)
            .map(|key| (key.name.to_owned(), key.der.to_vec(), SignatureScheme::RsaPssSha256));
        for (what, der, scheme) in on_curves.into_iter().chain(of_rsa) {
            let mut key = None;
            assert_wiped(&what, &mut || key = Some(provider.load_signing_key(&der).unwrap()));
            let key = key.unwrap();
            assert_wiped(&what, &mut || drop(key.sign(scheme, &[7; 32]).unwrap()));
        }
    }
}
