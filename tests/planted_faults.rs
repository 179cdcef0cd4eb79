//! Tests of the conformance suite itself: backends with one fault each, which the cases must find.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::sync::atomic::{AtomicBool, Ordering};

use ssl_provider::backend::{
    AeadCipher, AgreementKey, CbcCipher, CompressionFunction, HashContext, Hashing, KeyAgreement,
    KeyExchangeBackend, NONCE_LEN, RawDecryption, RecordCiphers, RsaDecryption, RsaEncryption,
    RsaPrivateKey, SecureRandom, SignatureKey, Signatures, StreamCipher,
};
use ssl_provider::{
    AeadAlgorithm, Backend, BackendInfo, CbcAlgorithm, DhParameters, Error, HashAlgorithm,
    InvalidKey, NamedCurve, Operation, PrfAlgorithm, PublicKeyDer, RsaPrivateKeyDer,
    SignatureAlgorithm, SignatureScheme, SigningKeyDer, Support,
};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::{cases, run};

/// A fault of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    Nothing,
    DescriptionMoves,
    PrfOfAnotherHash,
    PrfDropsTheLastSeedPart,
    PrfRefusesEmptySecrets,
    HmacCutsLongKeys,
    HashStopsAfterABlock,
    HashContextForgetsOnDuplication,
    CompressionIsOneBitOff,
    RandomIsZero,
    Rc4StartsAnew,
    CbcIgnoresTheVector,
    AeadDoesNotCheckTheTag,
    AeadIgnoresTheAad,
    SignatureIsNotChecked,
    SignatureMayBeTooLong,
    DigestInfoIsOptional,
    PssMayBePkcs1,
    BadPublicKeysAreBadSignatures,
    AgreementIsOneBitOff,
    AgreementDropsLeadingZeros,
    AgreementRepeatsItsKeys,
    PointsAreNotChecked,
    PrivateKeysOutOfRangeAreTaken,
    EncryptionIsOneBitOff,
    SigningIsOneBitOff,
    DecryptionDropsLeadingZeros,
    DecryptionFailsOnBadPadding,
    DecryptionIsOneBitOff,
    BatchMixesUpItsJobs,
    WrongPrimesAreTaken,
    BadKeysHaveAnErrorOfTheirOwn,
    SmallKeysAreRefused,
    SupportIsNotAnnounced,
    AnnouncedSupportIsMissing,
    DebugShowsTheKey,
}

/// Each fault with a case that must find it.
const PLANTS: &[(Plant, &str)] = &[
    (Plant::DescriptionMoves, "import::import_takes_rsa_suites_of_the_protocol"),
    (Plant::PrfOfAnotherHash, "prf::prf_ietf_known_answers"),
    (Plant::PrfOfAnotherHash, "schedule::schedule_known_answers"),
    (Plant::PrfOfAnotherHash, "session_keys::session_keys_are_cut_from_the_key_block_in_order"),
    (Plant::PrfOfAnotherHash, "exporter::exporter_known_answers"),
    (Plant::PrfOfAnotherHash, "suites::suites_recorded_from_the_master_secret_on"),
    (Plant::PrfDropsTheLastSeedPart, "prf::prf_label_and_seed_are_one_string"),
    (Plant::PrfDropsTheLastSeedPart, "exporter::exporter_of_every_suite"),
    (Plant::PrfRefusesEmptySecrets, "prf::prf_secret_of_any_length"),
    (Plant::PrfRefusesEmptySecrets, "exporter::exporter_eap_key_blocks"),
    (Plant::HmacCutsLongKeys, "hmac::hmac_with_keys_of_any_length"),
    (Plant::HmacCutsLongKeys, "hkdf::hkdf_wycheproof_vectors"),
    (Plant::HashStopsAfterABlock, "hash::hash_of_parts_is_the_hash_of_the_whole"),
    (Plant::HashStopsAfterABlock, "key_blob::key_blob_is_refused_when_damaged"),
    (Plant::HashContextForgetsOnDuplication, "hash::hash_context_duplicates_run_apart"),
    (Plant::HashContextForgetsOnDuplication, "finished::finished_leaves_the_hash_running"),
    (Plant::HashContextForgetsOnDuplication, "client_auth::client_auth_hash_of_every_version"),
    (Plant::CompressionIsOneBitOff, "hash::hash_compression_gives_the_hash"),
    (Plant::CompressionIsOneBitOff, "record::record_padding_of_any_length_opens"),
    (Plant::RandomIsZero, "random::random_bytes_fill_the_buffer_and_never_repeat"),
    (Plant::RandomIsZero, "record::record_nonces_and_vectors_never_repeat"),
    (Plant::Rc4StartsAnew, "record::record_nonces_and_vectors_never_repeat"),
    (Plant::CbcIgnoresTheVector, "cipher::cipher_wycheproof_cbc"),
    (Plant::CbcIgnoresTheVector, "record::record_nonces_and_vectors_never_repeat"),
    (Plant::CbcIgnoresTheVector, "suites::suites_recorded_from_the_master_secret_on"),
    (Plant::AeadDoesNotCheckTheTag, "cipher::cipher_wycheproof_aead"),
    (Plant::AeadDoesNotCheckTheTag, "cipher::cipher_keys_are_shared_by_threads"),
    (Plant::AeadDoesNotCheckTheTag, "record::record_tampering_has_one_answer"),
    (Plant::AeadIgnoresTheAad, "cipher::cipher_wycheproof_aead"),
    (Plant::AeadIgnoresTheAad, "record::record_tampering_has_one_answer"),
    (Plant::SignatureIsNotChecked, "signature::signature_over_another_digest_is_refused"),
    (Plant::SignatureIsNotChecked, "signature::signature_verifies_under_its_own_scheme_only"),
    (Plant::SignatureIsNotChecked, "signature::signature_of_malformed_blocks_is_refused"),
    (Plant::SignatureIsNotChecked, "signature::signature_of_numbers_at_the_edges_is_refused"),
    (Plant::SignatureIsNotChecked, "signature::signature_of_malformed_pss_blocks_is_refused"),
    (Plant::SignatureIsNotChecked, "signature::signature_without_digest_info_is_over_any_length"),
    (Plant::SignatureIsNotChecked, "signature::signature_rsa_pss_wycheproof_vectors"),
    (Plant::DigestInfoIsOptional, "signature::signature_of_malformed_blocks_is_refused"),
    (Plant::PssMayBePkcs1, "signature::signature_verifies_under_its_own_scheme_only"),
    (Plant::SignatureMayBeTooLong, "signature::signature_with_a_flipped_bit_is_refused"),
    (Plant::BadPublicKeysAreBadSignatures, "signature::signature_keys_are_checked"),
    (Plant::AgreementIsOneBitOff, "agreement::agreement_ecdh_wycheproof_vectors"),
    (Plant::AgreementIsOneBitOff, "agreement::agreement_x25519_wycheproof_vectors"),
    (Plant::AgreementIsOneBitOff, "agreement::agreement_on_curves_is_that_of_the_reference"),
    (Plant::AgreementIsOneBitOff, "agreement::agreement_in_finite_fields_is_that_of_the_reference"),
    (
        Plant::AgreementIsOneBitOff,
        "agreement::agreement_strips_leading_zeros_in_finite_fields_only",
    ),
    (
        Plant::AgreementDropsLeadingZeros,
        "agreement::agreement_in_finite_fields_is_that_of_the_reference",
    ),
    (
        Plant::AgreementDropsLeadingZeros,
        "agreement::agreement_strips_leading_zeros_in_finite_fields_only",
    ),
    (Plant::AgreementRepeatsItsKeys, "agreement::agreement_keys_are_new_every_time"),
    (Plant::PointsAreNotChecked, "agreement::agreement_ecdh_wycheproof_vectors"),
    (Plant::PointsAreNotChecked, "agreement::agreement_refuses_points_beside_the_curve"),
    (
        Plant::PrivateKeysOutOfRangeAreTaken,
        "agreement::agreement_private_keys_out_of_range_are_refused",
    ),
    (Plant::PrivateKeysOutOfRangeAreTaken, "signing::signing_keys_are_checked"),
    (Plant::EncryptionIsOneBitOff, "premaster::premaster_is_encrypted_to_the_server"),
    (Plant::EncryptionIsOneBitOff, "premaster::premaster_is_imported_by_the_server"),
    (Plant::RandomIsZero, "premaster::premaster_padding_has_no_zeros_and_never_repeats"),
    (Plant::PrfOfAnotherHash, "psk::psk_master_keys_are_those_of_rfc_4279"),
    (Plant::RandomIsZero, "ticket::ticket_gives_back_its_session"),
    (Plant::RandomIsZero, "ticket::ticket_that_was_altered_is_unknown"),
    (Plant::SigningIsOneBitOff, "signing::signing_rsa_is_that_of_the_reference"),
    (Plant::SigningIsOneBitOff, "signing::signing_verifies_with_every_scheme"),
    (Plant::SigningIsOneBitOff, "signing::signing_ecdsa_verifies_by_the_reference"),
    (Plant::DecryptionDropsLeadingZeros, "rsa::rsa_keeps_leading_zeros"),
    (Plant::DecryptionDropsLeadingZeros, "rejection::rejection_looks_like_success"),
    (Plant::DecryptionFailsOnBadPadding, "rejection::rejection_looks_like_success"),
    (Plant::DecryptionFailsOnBadPadding, "rejection::rejection_of_wycheproof_vectors"),
    (Plant::DecryptionIsOneBitOff, "rsa::rsa_decrypts_with_every_size_of_key"),
    (Plant::DecryptionIsOneBitOff, "threads::threads_that_share_a_key_get_the_same_answers"),
    (Plant::DecryptionIsOneBitOff, "handshakes::handshakes_of_every_suite"),
    (Plant::DecryptionIsOneBitOff, "external_key::external_key_raw_operation_of_a_token"),
    (Plant::BatchMixesUpItsJobs, "batch::batch_decrypts_with_every_size_of_key"),
    (Plant::BatchMixesUpItsJobs, "batch::batch_of_every_kind_is_imported_as_one_by_one"),
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
    inner: Backend,
    plant: Plant,
    info: BackendInfo,
    moved_info: BackendInfo,
    has_moved: AtomicBool,
}

impl Planted {
    fn share(inner: &Backend, plant: Plant) -> Backend {
        let BackendInfo { name, provider_name, library, rsa, .. } = inner.info();
        let info = || BackendInfo::new(name, provider_name, library.clone()).with_rsa(*rsa);
        Backend::new(Self {
            inner: inner.clone(),
            plant,
            info: info(),
            moved_info: info(),
            has_moved: AtomicBool::new(false),
        })
    }
}

impl KeyExchangeBackend for Planted {
    fn info(&self) -> &BackendInfo {
        let moves = self.plant == Plant::DescriptionMoves;
        if moves && self.has_moved.fetch_not(Ordering::Relaxed) {
            return &self.moved_info;
        }
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Hash(HashAlgorithm::Md5) if self.plant == Plant::SupportIsNotAnnounced => {
                Support::Unsupported
            }
            _ => self.inner.support(operation),
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self
    }

    fn hashing(&self) -> &dyn Hashing {
        self
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }

    fn rsa_encryption(&self) -> &dyn RsaEncryption {
        self
    }

    fn key_agreement(&self) -> &dyn KeyAgreement {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self
    }

    fn signatures(&self) -> &dyn Signatures {
        self
    }
}

impl SecureRandom for Planted {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        if self.plant == Plant::RandomIsZero {
            out.fill(0);
            return Ok(());
        }
        self.inner.random().fill(out)
    }
}

impl Hashing for Planted {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        if self.plant == Plant::AnnouncedSupportIsMissing && hash == HashAlgorithm::Sha1 {
            return Err(Error::Unsupported(Operation::Hash(hash)));
        }
        if self.plant == Plant::HashStopsAfterABlock {
            let input = input.concat();
            return self.inner.hashing().hash(
                hash,
                &[&input[..input.len().min(hash.block_len())]],
                out,
            );
        }
        self.inner.hashing().hash(hash, input, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        let inner = self.inner.hashing().hash_context(hash)?;
        if self.plant != Plant::HashContextForgetsOnDuplication {
            return Ok(inner);
        }
        Ok(Box::new(Forgetful { fresh: inner.duplicate(), inner }))
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        let inner = self.inner.hashing().compression_function(hash)?;
        if self.plant != Plant::CompressionIsOneBitOff {
            return Ok(inner);
        }
        Ok(Box::new(OneBitOff(inner)))
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
        self.inner.hashing().hmac(hash, key, input, out)
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
                self.inner.hashing().prf(PrfAlgorithm::Sha256, secret, label, seed, out)
            }
            (Plant::PrfDropsTheLastSeedPart, _, [first, _, ..]) => {
                self.inner.hashing().prf(prf, secret, label, &[first], out)
            }
            (Plant::PrfRefusesEmptySecrets, _, _) if secret.is_empty() => {
                Err(Error::Backend { backend: "planted", code: 0 })
            }
            _ => self.inner.hashing().prf(prf, secret, label, seed, out),
        }
    }
}

impl RsaDecryption for Planted {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        if self.plant == Plant::SmallKeysAreRefused && key.modulus().len() < 256 {
            let bits = key.modulus().len() * 8;
            return Err(Error::Key(InvalidKey::Modulus { bits }));
        }
        let inner = match (self.inner.rsa_decryption().load(key), self.plant) {
            (Err(_), Plant::WrongPrimesAreTaken) => {
                let other = TestKey::rsa_1024();
                self.inner.rsa_decryption().load(&RsaPrivateKeyDer::from_der(&other.der)?)?
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

impl RsaEncryption for Planted {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        let mut em = em.to_vec();
        if let (Plant::EncryptionIsOneBitOff, Some(last)) = (self.plant, em.last_mut()) {
            *last ^= 1;
        }
        self.inner.rsa_encryption().encrypt_raw(key, &em, ciphertext)
    }
}

impl Planted {
    fn agreement_key(&self, inner: Box<dyn AgreementKey>) -> Box<dyn AgreementKey> {
        Box::new(PlantedAgreement { inner, plant: self.plant })
    }
}

impl KeyAgreement for Planted {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        if self.plant == Plant::AgreementRepeatsItsKeys {
            return self.load_ecdh(curve, &vec![1; curve.coordinate_len()]);
        }
        Ok(self.agreement_key(self.inner.key_agreement().generate_ecdh(curve)?))
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        match self.inner.key_agreement().load_ecdh(curve, private_key) {
            Err(Error::InvalidParameter(_))
                if self.plant == Plant::PrivateKeysOutOfRangeAreTaken =>
            {
                self.generate_ecdh(curve)
            }
            loaded => Ok(self.agreement_key(loaded?)),
        }
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(self.agreement_key(self.inner.key_agreement().generate_dh(group)?))
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(self.agreement_key(self.inner.key_agreement().load_dh(group, private_key)?))
    }
}

/// A key of key agreement with a fault in it.
#[derive(Debug)]
struct PlantedAgreement {
    inner: Box<dyn AgreementKey>,
    plant: Plant,
}

impl AgreementKey for PlantedAgreement {
    fn public_key(&self) -> &[u8] {
        self.inner.public_key()
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        match (self.inner.agree(peer, secret), self.plant) {
            (Err(Error::BadKeyShare), Plant::PointsAreNotChecked) => secret.fill(7),
            (agreed, _) => agreed?,
        }
        match self.plant {
            Plant::AgreementIsOneBitOff => secret[secret.len() - 1] ^= 1,
            Plant::AgreementDropsLeadingZeros => {
                let zeros = secret.iter().take_while(|byte| **byte == 0).count();
                secret.rotate_left(zeros);
            }
            _ => {}
        }
        Ok(())
    }
}

impl RecordCiphers for Planted {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        if self.plant != Plant::Rc4StartsAnew {
            return self.inner.record_ciphers().rc4(key);
        }
        Ok(Box::new(StartsAnew { backend: self.inner.clone(), key: key.to_vec() }))
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        let inner = self.inner.record_ciphers().cbc(cipher, key)?;
        if self.plant != Plant::CbcIgnoresTheVector {
            return Ok(inner);
        }
        Ok(Box::new(IgnoresTheVector(inner)))
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        Ok(Box::new(PlantedAead {
            inner: self.inner.record_ciphers().aead(cipher, key)?,
            plant: self.plant,
        }))
    }
}

impl Signatures for Planted {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let under =
            |scheme, signature| self.inner.signatures().verify(key, scheme, digest, signature);
        let verify = |signature| under(scheme, signature);
        match (self.plant, verify(signature), signature) {
            (Plant::SignatureIsNotChecked, Err(Error::BadSignature), _) => Ok(()),
            (Plant::SignatureMayBeTooLong, Err(Error::BadSignature), [shorter @ .., _]) => {
                verify(shorter)
            }
            (Plant::DigestInfoIsOptional, Err(Error::BadSignature), _) if scheme.is_rsa() => {
                under(SignatureScheme::RsaWithoutDigestInfo, signature)
            }
            (Plant::PssMayBePkcs1, Err(Error::BadSignature), _) if scheme.is_rsa() => {
                let is_pkcs1 = |other: &SignatureScheme| {
                    other.algorithm() == SignatureAlgorithm::RsaPkcs1
                        && other.hashes() == scheme.hashes()
                };
                let pkcs1 = SignatureScheme::ALL.into_iter().find(is_pkcs1);
                pkcs1.map_or(Err(Error::BadSignature), |pkcs1| under(pkcs1, signature))
            }
            (Plant::BadPublicKeysAreBadSignatures, Err(Error::InvalidParameter(_)), _) => {
                Err(Error::BadSignature)
            }
            (_, answer, _) => answer,
        }
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        let inner = match self.inner.signatures().load(key) {
            Err(_) if self.plant == Plant::PrivateKeysOutOfRangeAreTaken => {
                let other = TestKey::rsa_1024();
                self.inner.signatures().load(&SigningKeyDer::from_der(&other.der)?)?
            }
            loaded => loaded?,
        };
        Ok(Box::new(PlantedSigningKey { inner, plant: self.plant }))
    }
}

/// A key that signs with a fault.
#[derive(Debug)]
struct PlantedSigningKey {
    inner: Box<dyn SignatureKey>,
    plant: Plant,
}

impl SignatureKey for PlantedSigningKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = self.inner.sign(scheme, digest)?;
        if let (Plant::SigningIsOneBitOff, Some(last)) = (self.plant, signature.last_mut()) {
            *last ^= 1;
        }
        Ok(signature)
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

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        self.inner.decrypt_raw_batch(jobs)?;
        if let (Plant::BatchMixesUpItsJobs, [first, .., last]) = (self.plant, jobs) {
            first.em.swap_with_slice(last.em);
        }
        Ok(())
    }
}

/// A compression function with one wrong bit in its result.
#[derive(Debug)]
struct OneBitOff(Box<dyn CompressionFunction>);

impl CompressionFunction for OneBitOff {
    fn compress(&mut self, blocks: &[u8]) {
        self.0.compress(blocks);
    }

    fn chaining_value(&self, out: &mut [u8]) {
        self.0.chaining_value(out);
        out[0] ^= 1;
    }
}

/// RC4 that restarts its key stream with each call.
#[derive(Debug)]
struct StartsAnew {
    backend: Backend,
    key: Vec<u8>,
}

impl StreamCipher for StartsAnew {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.backend.record_ciphers().rc4(&self.key)?.apply(bytes)
    }
}

/// CBC that uses zeros in place of every IV.
#[derive(Debug)]
struct IgnoresTheVector(Box<dyn CbcCipher>);

impl CbcCipher for IgnoresTheVector {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.0.encrypt(&vec![0; iv.len()], blocks)
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.0.decrypt(&vec![0; iv.len()], blocks)
    }
}

/// An AEAD cipher with a fault in it.
#[derive(Debug)]
struct PlantedAead {
    inner: Box<dyn AeadCipher>,
    plant: Plant,
}

impl PlantedAead {
    fn aad<'a>(&self, aad: &'a [u8]) -> &'a [u8] {
        if self.plant == Plant::AeadIgnoresTheAad { &[] } else { aad }
    }
}

impl AeadCipher for PlantedAead {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        self.inner.seal(nonce, self.aad(aad), text, tag)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        match self.inner.open(nonce, self.aad(aad), text, tag) {
            Err(Error::BadRecord) if self.plant == Plant::AeadDoesNotCheckTheTag => Ok(()),
            answer => answer,
        }
    }
}

/// A running hash whose duplicate loses the input so far.
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

fn outcome(name: &str, backend: &Backend) -> Option<String> {
    let case = cases().iter().find(|case| case.name == name);
    run(case.unwrap_or_else(|| panic!("no case {name}")), backend).failure
}

#[test]
fn each_planted_fault_is_found_by_the_case_that_is_there_for_it() {
    // The library under the fault does not matter.
    let inner = &ssl_provider::backends()[0];
    for (plant, name) in PLANTS {
        assert!(
            outcome(name, &Planted::share(inner, *plant)).is_some(),
            "{name} passes although {plant:?}"
        );
        // The case fails because of the fault and not because of the wrapper.
        let sound = outcome(name, &Planted::share(inner, Plant::Nothing));
        assert_eq!(sound, None, "{name} fails without a fault");
    }
}

#[test]
fn every_subject_has_a_planted_fault() {
    let subject = |name: &'static str| name.split("::").next();
    for case in cases() {
        let is_covered = PLANTS.iter().any(|(_, found_by)| subject(found_by) == subject(case.name));
        assert!(is_covered, "no fault for {}", case.name);
    }
}
