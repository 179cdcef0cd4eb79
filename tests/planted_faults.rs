//! The suite itself under test: backends with one fault each, which the cases must find.
//! A suite that passes whatever a backend does would be worth nothing.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use ssl_provider::{
    AeadAlgorithm, AeadCipher, BackendInfo, CbcAlgorithm, CbcCipher, Compression, Error,
    HashAlgorithm, HashContext, KeyExchangeBackend, KeyFault, Operation, PrfAlgorithm,
    PublicKeyDer, RsaPrivateKey, RsaPrivateKeyDer, SignatureScheme, StreamCipher, Support,
};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::{cases, run};

/// What is wrong with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    Nothing,
    PrfOfAnotherHash,
    PrfDropsTheLastSeedPart,
    PrfRefusesEmptySecrets,
    HmacCutsLongKeys,
    HashContextForgetsOnDuplication,
    RandomIsZero,
    DecryptionDropsLeadingZeros,
    DecryptionFailsOnBadPadding,
    DecryptionIsOneBitOff,
    WrongPrimesAreTaken,
    BadKeysHaveAnErrorOfTheirOwn,
    SmallKeysAreRefused,
    SupportIsNotAnnounced,
    AnnouncedSupportIsMissing,
    DebugShowsTheKey,
}

/// Each fault with a case that must find it.
const PLANTS: &[(Plant, &str)] = &[
    (Plant::PrfOfAnotherHash, "prf::prf_ietf_known_answers"),
    (Plant::PrfOfAnotherHash, "schedule::schedule_known_answers"),
    (Plant::PrfDropsTheLastSeedPart, "prf::prf_label_and_seed_are_one_string"),
    (Plant::PrfRefusesEmptySecrets, "prf::prf_secret_of_any_length"),
    (Plant::HmacCutsLongKeys, "hmac::hmac_with_keys_of_any_length"),
    (Plant::HashContextForgetsOnDuplication, "hash::hash_context_duplicates_run_apart"),
    (Plant::HashContextForgetsOnDuplication, "finished::finished_leaves_the_hash_running"),
    (Plant::RandomIsZero, "random::random_bytes_fill_the_buffer_and_never_repeat"),
    (Plant::DecryptionDropsLeadingZeros, "rsa::rsa_keeps_leading_zeros"),
    (Plant::DecryptionDropsLeadingZeros, "rejection::rejection_looks_like_success"),
    (Plant::DecryptionFailsOnBadPadding, "rejection::rejection_looks_like_success"),
    (Plant::DecryptionFailsOnBadPadding, "rejection::rejection_of_wycheproof_vectors"),
    (Plant::DecryptionIsOneBitOff, "rsa::rsa_decrypts_with_every_size_of_key"),
    (Plant::DecryptionIsOneBitOff, "threads::threads_that_share_a_key_get_the_same_answers"),
    (Plant::WrongPrimesAreTaken, "keys::keys_whose_parts_disagree_are_refused"),
    (Plant::WrongPrimesAreTaken, "keys::keys_with_a_factor_that_is_not_prime_are_refused"),
    (Plant::BadKeysHaveAnErrorOfTheirOwn, "keys::keys_whose_parts_disagree_are_refused"),
    (Plant::SmallKeysAreRefused, "keys::keys_of_a_size_out_of_range_are_refused"),
    (Plant::SupportIsNotAnnounced, "support::support_is_what_the_backend_says"),
    (Plant::SupportIsNotAnnounced, "support::support_is_what_the_matrix_says"),
    (Plant::AnnouncedSupportIsMissing, "support::support_is_what_the_backend_says"),
    (Plant::DebugShowsTheKey, "secrets::secrets_are_not_in_debug_output"),
];

/// A backend with a fault in it.
#[derive(Debug)]
struct Planted {
    inner: &'static dyn KeyExchangeBackend,
    plant: Plant,
    info: BackendInfo,
}

impl Planted {
    fn leak(inner: &'static dyn KeyExchangeBackend, plant: Plant) -> &'static Self {
        let mut info = inner.info().clone();
        if plant == Plant::SupportIsNotAnnounced {
            let mut support = info.support.to_vec();
            for row in &mut support {
                if row.0 == Operation::Hash(HashAlgorithm::Md5) {
                    row.1 = Support::Unsupported;
                }
            }
            info.support = support.leak();
        }
        Box::leak(Box::new(Self { inner, plant, info }))
    }
}

impl KeyExchangeBackend for Planted {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn random(&self, out: &mut [u8]) -> Result<(), Error> {
        if self.plant == Plant::RandomIsZero {
            out.fill(0);
            return Ok(());
        }
        self.inner.random(out)
    }

    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        if self.plant == Plant::AnnouncedSupportIsMissing && hash == HashAlgorithm::Sha1 {
            return Err(Error::Unsupported(Operation::Hash(hash)));
        }
        self.inner.hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        let inner = self.inner.hash_context(hash)?;
        if self.plant != Plant::HashContextForgetsOnDuplication {
            return Ok(inner);
        }
        Ok(Box::new(Forgetful { fresh: inner.duplicate(), inner }))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let cut = self.plant == Plant::HmacCutsLongKeys;
        let key = if cut { &key[..key.len().min(64)] } else { key };
        self.inner.hmac(hash, key, input, out)
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        match (self.plant, prf, seed) {
            (Plant::PrfOfAnotherHash, PrfAlgorithm::Sha384, _) => {
                self.inner.prf(PrfAlgorithm::Sha256, secret, label, seed, out)
            }
            (Plant::PrfDropsTheLastSeedPart, _, [first, _, ..]) => {
                self.inner.prf(prf, secret, label, &[first], out)
            }
            (Plant::PrfRefusesEmptySecrets, _, _) if secret.is_empty() => {
                Err(Error::Backend { backend: "planted", code: 0 })
            }
            _ => self.inner.prf(prf, secret, label, seed, out),
        }
    }

    fn compression(&self, hash: HashAlgorithm) -> Option<Box<dyn Compression>> {
        self.inner.compression(hash)
    }

    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        self.inner.rc4(key)
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        self.inner.cbc(cipher, key)
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        self.inner.aead(cipher, key)
    }

    fn verify_signature(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.inner.verify_signature(key, scheme, digest, signature)
    }

    fn load_rsa_private_key(
        &self,
        key: &RsaPrivateKeyDer<'_>,
    ) -> Result<Box<dyn RsaPrivateKey>, Error> {
        if self.plant == Plant::SmallKeysAreRefused && key.modulus().len() < 256 {
            let bits = key.modulus().len() * 8;
            return Err(Error::Key(KeyFault::Modulus { bits }));
        }
        let inner = match (self.inner.load_rsa_private_key(key), self.plant) {
            (Err(_), Plant::WrongPrimesAreTaken) => {
                let other = TestKey::rsa_1024();
                self.inner.load_rsa_private_key(&RsaPrivateKeyDer::from_der(&other.der)?)?
            }
            (Err(_), Plant::BadKeysHaveAnErrorOfTheirOwn) => {
                return Err(Error::Backend { backend: "planted", code: 0 });
            }
            (result, _) => result?,
        };
        let shown = if self.plant == Plant::DebugShowsTheKey {
            key.private_exponent().to_vec()
        } else {
            Vec::new()
        };
        Ok(Box::new(PlantedKey { inner, plant: self.plant, shown }))
    }
}

/// A key with a fault in it.
#[derive(Debug)]
struct PlantedKey {
    inner: Box<dyn RsaPrivateKey>,
    plant: Plant,
    #[expect(dead_code, reason = "shown by Debug, which is the fault")]
    shown: Vec<u8>,
}

impl RsaPrivateKey for PlantedKey {
    fn modulus_len(&self) -> usize {
        self.inner.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.inner.decrypt_raw(ciphertext, em)?;
        match self.plant {
            Plant::DecryptionDropsLeadingZeros => {
                let zeros = em.iter().take_while(|byte| **byte == 0).count();
                em.rotate_left(zeros);
            }
            Plant::DecryptionFailsOnBadPadding if !em.starts_with(&[0, 2]) => {
                return Err(Error::Backend { backend: "planted", code: 0 });
            }
            Plant::DecryptionIsOneBitOff => em[em.len() - 1] ^= 1,
            _ => {}
        }
        Ok(())
    }
}

/// A running hash whose duplicate has fed nothing.
#[derive(Debug)]
struct Forgetful {
    fresh: Box<dyn HashContext>,
    inner: Box<dyn HashContext>,
}

impl HashContext for Forgetful {
    fn update(&mut self, input: &[u8]) {
        self.inner.update(input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        self.fresh.duplicate()
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        self.inner.finish(out)
    }
}

fn outcome(name: &str, backend: &'static dyn KeyExchangeBackend) -> Option<String> {
    let case = cases().iter().find(|case| case.name == name);
    run(case.unwrap_or_else(|| panic!("no case {name}")), backend).failure
}

#[test]
fn each_planted_fault_is_found_by_the_case_that_is_there_for_it() {
    // Which library is behind the fault does not matter.
    let inner = ssl_provider::backends()[0];
    for (plant, name) in PLANTS {
        assert!(
            outcome(name, Planted::leak(inner, *plant)).is_some(),
            "{name} passes although {plant:?}"
        );
        // The case fails for the fault and not for being wrapped.
        let sound = outcome(name, Planted::leak(inner, Plant::Nothing));
        assert_eq!(sound, None, "{name} fails without a fault");
    }
}
