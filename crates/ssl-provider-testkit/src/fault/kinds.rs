//! The kinds of faults: name, description and operations of each, in one table.

use ssl_provider_core::{
    AeadAlgorithm, CbcAlgorithm, HashAlgorithm, KemAlgorithm, NamedCurve, Operation, PrfAlgorithm,
    SignatureAlgorithm, SignatureScheme,
};

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $fault:ident = $name:literal in $operations:expr;)+) => {
        /// A fault of a crypto library or of the code that binds it.
        ///
        /// Variants are in the order of the backend traits. Their docs are what
        /// [`description`](Self::description) returns.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])+ $fault,)+
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$fault),+];

            /// Returns the name on the command line, such as `prf-of-another-hash`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$fault => $name,)+
                }
            }

            /// Returns what the backend does wrong, as one sentence without a full stop.
            pub fn description(self) -> &'static str {
                let description = match self {
                    $(Self::$fault => concat!($($doc),+),)+
                };
                description.trim_start().trim_end_matches('.')
            }

            /// Returns the operations of the backend traits in which the fault is. There are none
            /// for a fault in a backend's description of itself.
            pub fn operations(self) -> Vec<Operation> {
                match self {
                    $(Self::$fault => $operations,)+
                }
            }
        }
    };
}

faults! {
    // The backend itself.
    /// The description is another one on every second call.
    DescriptionMoves = "description-moves" in vec![];
    /// MD5 is there and is not announced.
    SupportIsNotAnnounced = "support-is-not-announced" in hash(HashAlgorithm::Md5);
    /// SHA-1 is announced and the one-shot hash is missing.
    AnnouncedSupportIsMissing = "announced-support-is-missing" in hash(HashAlgorithm::Sha1);
    /// SHA-384 is announced and the running hash is missing.
    RunningHashIsMissing = "running-hash-is-missing" in hash(HashAlgorithm::Sha384);
    /// DES is neither announced nor there, and is reported as a missing RC4.
    LackNamesAnotherOperation = "lack-names-another-operation" in
        vec![Operation::Cbc(CbcAlgorithm::Des)];
    /// Whose code does SHA-256 is left out.
    SupportIsUnattributed = "support-is-unattributed" in hash(HashAlgorithm::Sha256);

    // Random numbers.
    /// Random numbers are zeros.
    RandomIsZero = "random-is-zero" in vec![Operation::Random];
    /// Random numbers are the same on every call.
    RandomRepeats = "random-repeats" in vec![Operation::Random];
    /// The last random byte is not written.
    RandomStopsShort = "random-stops-short" in vec![Operation::Random];
    /// Random numbers are written in whole words of four bytes, and the rest is left.
    RandomFillsWholeWords = "random-fills-whole-words" in vec![Operation::Random];
    /// A request for no random bytes fails.
    RandomRefusesNothing = "random-refuses-nothing" in vec![Operation::Random];

    // Hashes.
    /// The one-shot hash stops after a block.
    HashStopsAfterABlock = "hash-stops-after-a-block" in hashes();
    /// The one-shot hash takes the first part of its input only.
    HashTakesTheFirstPart = "hash-takes-the-first-part" in hashes();
    /// MD5 writes its words in big-endian order.
    HashMd5IsBigEndian = "hash-md5-is-big-endian" in hash(HashAlgorithm::Md5);
    /// SHA-1 has one wrong bit for input of more than a block.
    HashSha1IsWrongBeyondABlock = "hash-sha1-is-wrong-beyond-a-block" in hash(HashAlgorithm::Sha1);
    /// SHA-384 is SHA-512 cut to 48 bytes.
    HashSha384IsSha512 = "hash-sha384-is-sha512" in hash(HashAlgorithm::Sha384);
    /// SHA-512 is SHA-384 with zeros behind it.
    HashSha512IsSha384 = "hash-sha512-is-sha384" in hash(HashAlgorithm::Sha512);
    /// The hash of no input is zeros.
    HashOfNothingIsZero = "hash-of-nothing-is-zero" in hashes();
    /// The hash is wrong where the padding needs a block of its own.
    HashPaddingMissesABlock = "hash-padding-misses-a-block" in hashes();
    /// The duplicate of a running hash loses the input so far.
    HashDuplicateForgets = "hash-duplicate-forgets" in hashes();
    /// A running hash and its duplicate share one state.
    HashDuplicateIsShared = "hash-duplicate-is-shared" in hashes();
    /// A running hash keeps the last piece of its input only.
    HashKeepsTheLastPiece = "hash-keeps-the-last-piece" in hashes();
    /// A running hash writes as much as fits into an output of another length.
    HashTakesAnyOutput = "hash-takes-any-output" in hashes();
    /// The compression function's chaining value has one wrong bit.
    CompressionIsOneBitOff = "compression-is-one-bit-off" in compressions();
    /// The compression function takes the first block of several only.
    CompressionTakesOneBlock = "compression-takes-one-block" in compressions();

    // HMAC.
    /// HMAC cuts keys to 64 bytes.
    HmacCutsLongKeys = "hmac-cuts-long-keys" in hmacs();
    /// HMAC hashes a key that is as long as a block.
    HmacHashesKeysOfABlock = "hmac-hashes-keys-of-a-block" in hmacs();
    /// HMAC fails for an empty key.
    HmacRefusesEmptyKeys = "hmac-refuses-empty-keys" in hmacs();
    /// HMAC-SHA-384 is HMAC-SHA-512 cut to 48 bytes.
    HmacSha384IsSha512 = "hmac-sha384-is-sha512" in hmac(HashAlgorithm::Sha384);
    /// HMAC-SHA-384 pads its key to 64 bytes, the block of SHA-256.
    HmacSha384PadsTo64 = "hmac-sha384-pads-to-64" in hmac(HashAlgorithm::Sha384);
    /// HMAC takes the first part of its input only.
    HmacTakesTheFirstPart = "hmac-takes-the-first-part" in hmacs();
    /// HMAC cuts its result to a shorter output.
    HmacTakesShortOutputs = "hmac-takes-short-outputs" in hmacs();

    // The TLS PRF.
    /// The PRF with SHA-384 is that with SHA-256.
    PrfOfAnotherHash = "prf-of-another-hash" in prf(PrfAlgorithm::Sha384);
    /// The PRF takes the first part of its seed only.
    PrfDropsTheLastSeedPart = "prf-drops-the-last-seed-part" in prfs();
    /// The PRF fails for an empty secret.
    PrfRefusesEmptySecrets = "prf-refuses-empty-secrets" in prfs();
    /// The PRF of TLS 1.0 drops the middle byte of a secret of odd length.
    PrfSplitsOddSecretsWrongly = "prf-splits-odd-secrets-wrongly" in prf(PrfAlgorithm::Md5Sha1);
    /// The PRF of TLS 1.0 gives the first half of the secret to SHA-1.
    PrfExchangesTheHalves = "prf-exchanges-the-halves" in prf(PrfAlgorithm::Md5Sha1);
    /// The PRF of TLS 1.0 leaves out SHA-1.
    PrfLeavesOutSha1 = "prf-leaves-out-sha1" in prf(PrfAlgorithm::Md5Sha1);
    /// The PRF takes the label after the seed.
    PrfTakesTheLabelLast = "prf-takes-the-label-last" in prfs();
    /// The PRF with SHA-256 writes zeros after its first 32 bytes.
    PrfSha256StopsAfterABlock = "prf-sha256-stops-after-a-block" in prf(PrfAlgorithm::Sha256);
    /// The PRF with SHA-384 leaves a last part that is no whole block as zeros.
    PrfSha384WritesWholeBlocks = "prf-sha384-writes-whole-blocks" in prf(PrfAlgorithm::Sha384);
    /// The PRF counts its output in one byte, and leaves zeros behind it.
    PrfCountsInAByte = "prf-counts-in-a-byte" in prfs();
    /// The PRF of TLS 1.2 cuts secrets to the block of their hash.
    PrfCutsLongSecrets = "prf-cuts-long-secrets" in
        [PrfAlgorithm::Sha256, PrfAlgorithm::Sha384].map(Operation::Prf).to_vec();

    // HKDF, which has no operations of its own and is announced with HMAC.
    /// HKDF-Extract exchanges salt and input.
    HkdfExchangesSaltAndInput = "hkdf-exchanges-salt-and-input" in hmacs();
    /// HKDF-Expand counts from 0.
    HkdfCountsFromZero = "hkdf-counts-from-zero" in hmacs();
    /// HKDF-Expand takes the first part of the info only.
    HkdfTakesTheFirstInfo = "hkdf-takes-the-first-info" in hmacs();
    /// HKDF-Expand goes on after 255 blocks, with a counter that wraps.
    HkdfWraps = "hkdf-wraps" in hmacs();
    /// HKDF-Extract ignores the salt.
    HkdfIgnoresTheSalt = "hkdf-ignores-the-salt" in hmacs();
    /// HKDF-Expand leaves out the last part of the info.
    HkdfDropsTheLastInfo = "hkdf-drops-the-last-info" in hmacs();
    /// HKDF-Expand leaves out the prefix of the labels of TLS 1.3.
    HkdfDropsTheLabelPrefix = "hkdf-drops-the-label-prefix" in hmacs();
    /// HKDF-Expand does not chain its blocks.
    HkdfDoesNotChain = "hkdf-does-not-chain" in hmacs();
    /// HKDF-Expand writes zeros after its first block.
    HkdfStopsAfterABlock = "hkdf-stops-after-a-block" in hmacs();
    /// HKDF-Expand leaves a last part that is no whole block as zeros.
    HkdfWritesWholeBlocks = "hkdf-writes-whole-blocks" in hmacs();
    /// HKDF with SHA-384 is that with SHA-256.
    HkdfSha384IsSha256 = "hkdf-sha384-is-sha256" in hmac(HashAlgorithm::Sha384);

    // The RSA private operation.
    /// RSA decryption drops leading zeros of the block.
    DecryptionDropsLeadingZeros = "decryption-drops-leading-zeros" in decrypt();
    /// RSA decryption fails when the padding is bad.
    DecryptionFailsOnBadPadding = "decryption-fails-on-bad-padding" in decrypt();
    /// RSA decryption fails when the block begins with eight zeros.
    DecryptionFailsOnShortBlocks = "decryption-fails-on-short-blocks" in decrypt();
    /// RSA decryption has one wrong bit.
    DecryptionIsOneBitOff = "decryption-is-one-bit-off" in decrypt();
    /// RSA decryption is wrong modulo the second prime.
    DecryptionHalfIsWrong = "decryption-half-is-wrong" in decrypt();
    /// RSA decryption loses the borrow when it joins the halves of both primes.
    DecryptionLosesTheBorrow = "decryption-loses-the-borrow" in decrypt();
    /// RSA decryption is wrong with keys whose second prime is the larger.
    DecryptionNeedsTheLargerPrimeFirst = "decryption-needs-the-larger-prime-first" in decrypt();
    /// RSA decryption is wrong with keys whose public exponent is 3.
    DecryptionNeedsALargeExponent = "decryption-needs-a-large-exponent" in decrypt();
    /// RSA decryption is wrong with keys of 3072 bits.
    DecryptionOf3072Bits = "decryption-of-3072-bits" in decrypt();
    /// RSA decryption is wrong with keys whose length no word divides.
    DecryptionNeedsWholeWords = "decryption-needs-whole-words" in decrypt();
    /// RSA decryption is wrong for ciphertexts that begin with a zero.
    DecryptionMisreadsShortCiphertexts = "decryption-misreads-short-ciphertexts" in decrypt();
    /// RSA decryption takes a ciphertext that is a byte short.
    DecryptionTakesShortCiphertexts = "decryption-takes-short-ciphertexts" in decrypt();
    /// RSA decryption is wrong once in 32 operations, when its blinding is renewed.
    DecryptionWearsOut = "decryption-wears-out" in decrypt();
    /// A batch of RSA decryptions exchanges its first and last result.
    BatchMixesUpItsJobs = "batch-mixes-up-its-jobs" in decrypt();
    /// A batch of one RSA decryption writes nothing.
    BatchOfOneIsLeftOut = "batch-of-one-is-left-out" in decrypt();
    /// A batch of RSA decryptions stops after eight.
    BatchStopsAtEight = "batch-stops-at-eight" in decrypt();
    /// RSA keys whose parts disagree are loaded.
    WrongPrimesAreTaken = "wrong-primes-are-taken" in decrypt();
    /// Bad RSA keys have an error of the library.
    BadKeysHaveAnErrorOfTheirOwn = "bad-keys-have-an-error-of-their-own" in decrypt();
    /// RSA keys below 2048 bits are refused.
    SmallKeysAreRefused = "small-keys-are-refused" in decrypt();
    /// RSA keys above 4096 bits are refused.
    LargeKeysAreRefused = "large-keys-are-refused" in decrypt();
    /// RSA keys whose second prime is the larger are refused.
    PrimesInTheOtherOrderAreRefused = "primes-in-the-other-order-are-refused" in decrypt();
    /// The debug output of an RSA key shows its private exponent.
    DebugShowsTheKey = "debug-shows-the-key" in decrypt();

    // The RSA public operation.
    /// RSA encryption has one wrong bit in its block.
    EncryptionIsOneBitOff = "encryption-is-one-bit-off" in vec![Operation::RsaEncryptRaw];
    /// RSA encryption drops leading zeros of the ciphertext.
    EncryptionDropsLeadingZeros = "encryption-drops-leading-zeros" in
        vec![Operation::RsaEncryptRaw];
    /// RSA encryption uses the exponent 65537 with every key.
    EncryptionIgnoresTheExponent = "encryption-ignores-the-exponent" in
        vec![Operation::RsaEncryptRaw];
    /// RSA encryption takes a block that is a byte short.
    EncryptionTakesShortBlocks = "encryption-takes-short-blocks" in
        vec![Operation::RsaEncryptRaw];

    // Key agreement.
    /// Agreed secrets have one wrong bit.
    AgreementIsOneBitOff = "agreement-is-one-bit-off" in agreement();
    /// Agreed secrets of secp384r1 have one wrong bit.
    AgreementOfP384IsOff = "agreement-of-p384-is-off" in ecdh(&[NamedCurve::Secp384r1]);
    /// Agreed secrets of secp521r1 are cut to 64 bytes.
    AgreementOfP521IsShort = "agreement-of-p521-is-short" in ecdh(&[NamedCurve::Secp521r1]);
    /// Agreed secrets of finite fields drop their leading zeros.
    AgreementDropsZerosOfFields = "agreement-drops-zeros-of-fields" in vec![Operation::Dh];
    /// Agreed secrets of curves drop their leading zeros.
    AgreementDropsZerosOfCurves = "agreement-drops-zeros-of-curves" in ecdh(&NamedCurve::ALL);
    /// Generated keys of agreement are always the same.
    AgreementRepeatsItsKeys = "agreement-repeats-its-keys" in generation();
    /// Points that are not on the curve are agreed with.
    PointsAreNotChecked = "points-are-not-checked" in ecdh(&points());
    /// Coordinates that are not below the prime are reduced.
    PointsAreReduced = "points-are-reduced" in ecdh(&points());
    /// Bad points have an error of the library.
    BadPointsHaveAnErrorOfTheirOwn = "bad-points-have-an-error-of-their-own" in ecdh(&points());
    /// Public keys on curves are compressed points.
    PublicKeysAreCompressed = "public-keys-are-compressed" in ecdh(&points());
    /// Public keys of finite fields drop their leading zeros.
    PublicKeysOfFieldsAreShort = "public-keys-of-fields-are-short" in vec![Operation::Dh];
    /// Finite fields without a name are refused.
    FieldsWithoutANameAreRefused = "fields-without-a-name-are-refused" in vec![Operation::Dh];
    /// Private keys of agreement that are out of range are replaced.
    PrivateKeysOutOfRangeAreTaken = "private-keys-out-of-range-are-taken" in
        load_ecdh(&NamedCurve::ALL);
    /// Private keys of agreement that are a byte short are taken.
    ShortPrivateKeysAreTaken = "short-private-keys-are-taken" in load_ecdh(&NamedCurve::ALL);
    /// X25519 does not clamp its private keys.
    X25519DoesNotClamp = "x25519-does-not-clamp" in load_ecdh(&[NamedCurve::X25519]);
    /// X25519 takes the highest bit of a public key as part of the number.
    X25519KeepsTheHighBit = "x25519-keeps-the-high-bit" in ecdh(&[NamedCurve::X25519]);
    /// The debug output of a key of agreement shows the private key that it was loaded from.
    DebugShowsTheAgreementKey = "debug-shows-the-agreement-key" in load_ecdh(&NamedCurve::ALL);

    // Key encapsulation.
    /// Secrets of key encapsulation have one wrong bit.
    KemSecretIsOneBitOff = "kem-secret-is-one-bit-off" in kem();
    /// A ciphertext that nobody made is refused, not rejected implicitly.
    KemRejectsExplicitly = "kem-rejects-explicitly" in kem();
    /// A ciphertext that nobody made has a secret of zeros.
    KemRejectsToZeros = "kem-rejects-to-zeros" in kem();
    /// Encapsulation keys whose coefficients are not below the modulus are reduced.
    KemIgnoresTheModulus = "kem-ignores-the-modulus" in kem();
    /// Decapsulation keys with another hash than that of their encapsulation key are loaded.
    KemIgnoresTheHash = "kem-ignores-the-hash" in load_kem();
    /// Generated decapsulation keys are always the same.
    KemRepeatsItsKeys = "kem-repeats-its-keys" in generated_kem();
    /// Two encapsulations to one key are the same.
    KemRepeatsItsRandomness = "kem-repeats-its-randomness" in generated_kem();
    /// The debug output of a decapsulation key shows its z.
    DebugShowsTheKemKey = "debug-shows-the-kem-key" in kem();

    // Stream and CBC ciphers.
    /// RC4 begins anew with each call.
    Rc4StartsAnew = "rc4-starts-anew" in vec![Operation::Rc4];
    /// RC4 drops the first bytes of its key stream.
    Rc4DropsItsFirstBytes = "rc4-drops-its-first-bytes" in vec![Operation::Rc4];
    /// CBC takes zeros for every IV.
    CbcIgnoresTheIv = "cbc-ignores-the-iv" in cbc(&CbcAlgorithm::ALL);
    /// CBC chains every block to the IV.
    CbcDoesNotChain = "cbc-does-not-chain" in cbc(&CbcAlgorithm::ALL);
    /// CBC goes on from the last call in place of its IV.
    CbcGoesOn = "cbc-goes-on" in cbc(&CbcAlgorithm::ALL);
    /// CBC decryption leaves the last block as it was.
    CbcLeavesTheLastBlock = "cbc-leaves-the-last-block" in cbc(&CbcAlgorithm::ALL);
    /// CBC takes an IV that is a byte short.
    CbcTakesShortIvs = "cbc-takes-short-ivs" in cbc(&CbcAlgorithm::ALL);
    /// Triple DES uses its first key also as its third.
    TripleDesHasTwoKeys = "triple-des-has-two-keys" in cbc(&[CbcAlgorithm::TripleDes]);
    /// AES-256 in CBC mode repeats the first half of its key.
    CbcAes256HasHalfAKey = "cbc-aes256-has-half-a-key" in cbc(&[CbcAlgorithm::Aes256]);

    // AEAD ciphers.
    /// Tags are not checked.
    AeadDoesNotCheckTheTag = "aead-does-not-check-the-tag" in aeads();
    /// Half of the tag is checked.
    AeadChecksHalfTheTag = "aead-checks-half-the-tag" in aeads();
    /// Tags that are cut are taken.
    AeadTakesShortTags = "aead-takes-short-tags" in aeads();
    /// The additional data are ignored.
    AeadIgnoresTheAad = "aead-ignores-the-aad" in aeads();
    /// The last byte of the nonce is ignored.
    AeadIgnoresTheNoncesEnd = "aead-ignores-the-nonces-end" in aeads();
    /// AEAD ciphers fail for an empty plaintext.
    AeadRefusesNoPlaintext = "aead-refuses-no-plaintext" in aeads();
    /// AEAD ciphers that write elsewhere than they read ignore the additional data.
    AeadIgnoresTheAadApart = "aead-ignores-the-aad-apart" in aeads();
    /// Wrong tags have an error of the library.
    BadTagsHaveAnErrorOfTheirOwn = "bad-tags-have-an-error-of-their-own" in aeads();
    /// CCM-8 is CCM with its tag cut.
    Ccm8IsCcm = "ccm8-is-ccm" in
        aead(&[AeadAlgorithm::Aes128Ccm8, AeadAlgorithm::Aes256Ccm8]);
    /// ChaCha20 begins a block late.
    ChaCha20StartsLate = "chacha20-starts-late" in aead(&[AeadAlgorithm::ChaCha20Poly1305]);
    /// GCM counts its blocks in one byte.
    GcmCountsInAByte = "gcm-counts-in-a-byte" in
        aead(&[AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm]);

    // Verification.
    /// Signatures are not checked.
    SignatureIsNotChecked = "signature-is-not-checked" in verify(&ANY_SIGNATURE);
    /// ECDSA signatures may have a byte after their end.
    SignatureMayBeTooLong = "signature-may-be-too-long" in
        verify(&[SignatureAlgorithm::Ecdsa]);
    /// Bad signatures have an error of the library.
    BadSignaturesHaveAnErrorOfTheirOwn = "bad-signatures-have-an-error-of-their-own" in
        verify(&ANY_SIGNATURE);
    /// Bad public keys are reported as bad signatures.
    BadPublicKeysAreBadSignatures = "bad-public-keys-are-bad-signatures" in
        verify(&ANY_SIGNATURE);
    /// RSA signatures may lack the DigestInfo.
    DigestInfoIsOptional = "digest-info-is-optional" in verify(&[SignatureAlgorithm::RsaPkcs1]);
    /// RSA signatures may have garbage behind a short padding.
    PaddingMayBeShort = "padding-may-be-short" in verify(&[SignatureAlgorithm::RsaPkcs1]);
    /// RSA-PSS signatures may be of PKCS#1 v1.5.
    PssMayBePkcs1 = "pss-may-be-pkcs1" in verify(&[SignatureAlgorithm::RsaPss]);
    /// RSA-PSS signatures may have a salt of any length.
    PssSaltHasAnyLength = "pss-salt-has-any-length" in verify(&[SignatureAlgorithm::RsaPss]);
    /// ECDSA takes zeros for a signature.
    EcdsaTakesZeros = "ecdsa-takes-zeros" in verify(&[SignatureAlgorithm::Ecdsa]);
    /// ECDSA takes numbers that are not below the order.
    EcdsaReducesItsNumbers = "ecdsa-reduces-its-numbers" in verify(&[SignatureAlgorithm::Ecdsa]);
    /// ECDSA takes numbers with superfluous zeros.
    EcdsaDerIsLax = "ecdsa-der-is-lax" in verify(&[SignatureAlgorithm::Ecdsa]);
    /// ECDSA verification takes the end of a digest that is longer than the order.
    EcdsaTakesTheDigestsEnd = "ecdsa-takes-the-digests-end" in
        LONG_DIGESTS.map(Operation::Verify).to_vec();
    /// ECDSA verification fills up a digest that is shorter than the order behind its end.
    EcdsaPadsTheDigestsEnd = "ecdsa-pads-the-digests-end" in
        SHORT_DIGESTS.map(Operation::Verify).to_vec();

    // Signing.
    /// Made signatures have one wrong bit.
    SigningIsOneBitOff = "signing-is-one-bit-off" in sign(&ANY_SIGNATURE);
    /// RSA signatures with SHA-256 are made without DigestInfo.
    SigningLeavesOutDigestInfo = "signing-leaves-out-digest-info" in
        vec![Operation::Sign(SignatureScheme::RsaSha256)];
    /// RSA-PSS signatures are made without a salt.
    SigningLeavesOutTheSalt = "signing-leaves-out-the-salt" in
        sign(&[SignatureAlgorithm::RsaPss]);
    /// RSA-PSS signatures are made with one and the same salt.
    SigningRepeatsTheSalt = "signing-repeats-the-salt" in sign(&[SignatureAlgorithm::RsaPss]);
    /// ECDSA signatures are made over the end of a digest that is longer than the order.
    SigningTakesTheDigestsEnd = "signing-takes-the-digests-end" in
        LONG_DIGESTS.map(Operation::Sign).to_vec();
    /// ECDSA signatures are made as two numbers without DER.
    SigningLeavesOutDer = "signing-leaves-out-der" in sign(&[SignatureAlgorithm::Ecdsa]);
    /// Keys that sign whose number is out of range are replaced.
    SigningKeysOutOfRangeAreTaken = "signing-keys-out-of-range-are-taken" in
        sign(&[SignatureAlgorithm::Ecdsa]);
    /// The debug output of a key that signs shows the key.
    DebugShowsTheSigningKey = "debug-shows-the-signing-key" in sign(&ANY_SIGNATURE);
}

/// Every algorithm of signatures.
const ANY_SIGNATURE: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::RsaPkcs1, SignatureAlgorithm::RsaPss, SignatureAlgorithm::Ecdsa];

/// Schemes of ECDSA whose digest is longer than the order of some curve.
const LONG_DIGESTS: [SignatureScheme; 2] =
    [SignatureScheme::EcdsaSha384, SignatureScheme::EcdsaSha512];

/// Schemes of ECDSA whose digest is shorter than the order of some curve by bytes.
const SHORT_DIGESTS: [SignatureScheme; 3] =
    [SignatureScheme::EcdsaSha1, SignatureScheme::EcdsaSha256, SignatureScheme::EcdsaSha384];

fn hash(hash: HashAlgorithm) -> Vec<Operation> {
    vec![Operation::Hash(hash)]
}

fn hashes() -> Vec<Operation> {
    HashAlgorithm::ALL.map(Operation::Hash).to_vec()
}

fn compressions() -> Vec<Operation> {
    HashAlgorithm::ALL.map(Operation::CompressionFunction).to_vec()
}

fn hmac(hash: HashAlgorithm) -> Vec<Operation> {
    vec![Operation::Hmac(hash)]
}

fn hmacs() -> Vec<Operation> {
    HashAlgorithm::ALL.map(Operation::Hmac).to_vec()
}

fn prf(prf: PrfAlgorithm) -> Vec<Operation> {
    vec![Operation::Prf(prf)]
}

fn prfs() -> Vec<Operation> {
    PrfAlgorithm::ALL.map(Operation::Prf).to_vec()
}

fn decrypt() -> Vec<Operation> {
    vec![Operation::RsaDecryptRaw]
}

/// The curves whose public keys are points.
fn points() -> Vec<NamedCurve> {
    NamedCurve::ALL.into_iter().filter(|curve| !curve.is_montgomery()).collect()
}

/// Agreement on curves, with generated and with given keys.
fn ecdh(curves: &[NamedCurve]) -> Vec<Operation> {
    let generated = curves.iter().copied().map(Operation::Ecdh);
    generated.chain(load_ecdh(curves)).collect()
}

fn load_ecdh(curves: &[NamedCurve]) -> Vec<Operation> {
    curves.iter().copied().map(Operation::EcdhLoad).collect()
}

/// Agreement with generated keys.
fn generation() -> Vec<Operation> {
    NamedCurve::ALL.into_iter().map(Operation::Ecdh).chain([Operation::Dh]).collect()
}

/// Agreement with generated and with given keys.
fn agreement() -> Vec<Operation> {
    [ecdh(&NamedCurve::ALL), vec![Operation::Dh]].concat()
}

/// Key encapsulation with keys and randomness of the library's own.
fn generated_kem() -> Vec<Operation> {
    KemAlgorithm::ALL.into_iter().map(Operation::Kem).collect()
}

fn load_kem() -> Vec<Operation> {
    KemAlgorithm::ALL.into_iter().map(Operation::KemLoad).collect()
}

fn kem() -> Vec<Operation> {
    [generated_kem(), load_kem()].concat()
}

fn cbc(ciphers: &[CbcAlgorithm]) -> Vec<Operation> {
    ciphers.iter().copied().map(Operation::Cbc).collect()
}

fn aead(ciphers: &[AeadAlgorithm]) -> Vec<Operation> {
    ciphers.iter().copied().map(Operation::Aead).collect()
}

fn aeads() -> Vec<Operation> {
    aead(&AeadAlgorithm::ALL)
}

fn verify(algorithms: &[SignatureAlgorithm]) -> Vec<Operation> {
    schemes(algorithms).map(Operation::Verify).collect()
}

fn sign(algorithms: &[SignatureAlgorithm]) -> Vec<Operation> {
    schemes(algorithms).map(Operation::Sign).collect()
}

fn schemes(algorithms: &[SignatureAlgorithm]) -> impl Iterator<Item = SignatureScheme> + '_ {
    let schemes = SignatureScheme::ALL.into_iter();
    schemes.filter(|scheme| algorithms.contains(&scheme.algorithm()))
}
