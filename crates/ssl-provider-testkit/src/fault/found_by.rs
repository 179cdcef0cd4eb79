//! Which conformance cases have to find a fault.

use super::Fault;

impl Fault {
    /// Returns the cases that must find the fault, as `module::function`: those that are about it,
    /// and those of other subjects that would be worth little if they missed it.
    pub const fn found_by(self) -> &'static [&'static str] {
        match self {
            Self::DescriptionMoves => &["import::import_takes_rsa_suites_of_the_protocol"],
            Self::SupportIsNotAnnounced
            | Self::LackNamesAnotherOperation
            | Self::SupportIsUnattributed => &["support::support_is_what_the_matrix_says"],
            Self::AnnouncedSupportIsMissing | Self::RunningHashIsMissing => {
                &["support::support_is_what_the_backend_says"]
            }

            Self::RandomIsZero => &[
                "random::random_bytes_fill_the_buffer_and_never_repeat",
                "record::record_nonces_and_vectors_never_repeat",
                "premaster::premaster_padding_has_no_zeros_and_never_repeats",
                "ticket::ticket_gives_back_its_session",
                "ticket::ticket_that_was_altered_is_unknown",
            ],
            Self::RandomRepeats => &[
                "random::random_bytes_fill_the_buffer_and_never_repeat",
                "record::record_nonces_and_vectors_never_repeat",
                "premaster::premaster_padding_has_no_zeros_and_never_repeats",
            ],
            Self::RandomStopsShort | Self::RandomFillsWholeWords | Self::RandomRefusesNothing => {
                &["random::random_bytes_fill_the_buffer_and_never_repeat"]
            }

            Self::HashStopsAfterABlock => &[
                "hash::hash_of_parts_is_the_hash_of_the_whole",
                "key_blob::key_blob_is_refused_when_damaged",
            ],
            Self::HashTakesTheFirstPart => &["hash::hash_of_parts_is_the_hash_of_the_whole"],
            Self::HashMd5IsBigEndian | Self::HashSha384IsSha512 => &[
                "hash::hash_known_answers",
                "hash::hash_of_parts_is_the_hash_of_the_whole",
                "hash::hash_context_takes_input_in_pieces",
                "client_auth::client_auth_hash_of_every_algorithm",
            ],
            Self::HashSha512IsSha384 => &[
                "hash::hash_of_parts_is_the_hash_of_the_whole",
                "hash::hash_context_takes_input_in_pieces",
                "client_auth::client_auth_hash_of_every_algorithm",
            ],
            Self::HashSha1IsWrongBeyondABlock
            | Self::HashOfNothingIsZero
            | Self::HashPaddingMissesABlock => &[
                "hash::hash_of_parts_is_the_hash_of_the_whole",
                "hash::hash_context_takes_input_in_pieces",
            ],
            Self::HashDuplicateForgets => &[
                "hash::hash_context_duplicates_run_apart",
                "finished::finished_leaves_the_hash_running",
                "client_auth::client_auth_hash_of_every_version",
            ],
            Self::HashDuplicateIsShared => &["hash::hash_context_duplicates_run_apart"],
            Self::HashKeepsTheLastPiece => &["hash::hash_context_takes_input_in_pieces"],
            Self::HashTakesAnyOutput => &["hash::hash_context_refuses_other_output_lengths"],
            Self::CompressionIsOneBitOff | Self::CompressionTakesOneBlock => &[
                "hash::hash_compression_gives_the_hash",
                "record::record_padding_of_any_length_opens",
            ],

            Self::HmacCutsLongKeys => {
                &["hmac::hmac_with_keys_of_any_length", "hkdf::hkdf_wycheproof_vectors"]
            }
            Self::HmacHashesKeysOfABlock => &["hmac::hmac_with_keys_of_any_length"],
            Self::HmacRefusesEmptyKeys => {
                &["hmac::hmac_with_keys_of_any_length", "hkdf::hkdf_wycheproof_vectors"]
            }
            Self::HmacSha384IsSha512 | Self::HmacSha384PadsTo64 => &[
                "hmac::hmac_known_answers",
                "hmac::hmac_with_keys_of_any_length",
                "hkdf::hkdf_wycheproof_vectors",
            ],
            Self::HmacTakesTheFirstPart => {
                &["hmac::hmac_known_answers", "hkdf::hkdf_parts_and_lengths"]
            }
            Self::HmacTakesShortOutputs => &["hmac::hmac_refuses_other_output_lengths"],

            Self::PrfOfAnotherHash => &[
                "prf::prf_ietf_known_answers",
                "schedule::schedule_known_answers",
                "session_keys::session_keys_are_cut_from_the_key_block_in_order",
                "exporter::exporter_known_answers",
                "suites::suites_recorded_from_the_master_secret_on",
                "psk::psk_master_keys_are_those_of_rfc_4279",
            ],
            Self::PrfDropsTheLastSeedPart => {
                &["prf::prf_label_and_seed_are_one_string", "exporter::exporter_of_every_suite"]
            }
            Self::PrfRefusesEmptySecrets => {
                &["prf::prf_secret_of_any_length", "exporter::exporter_eap_key_blocks"]
            }
            Self::PrfSplitsOddSecretsWrongly => &["prf::prf_secret_of_any_length"],
            Self::PrfExchangesTheHalves | Self::PrfLeavesOutSha1 => {
                &["prf::prf_secret_of_any_length", "schedule::schedule_known_answers"]
            }
            Self::PrfTakesTheLabelLast => &[
                "prf::prf_ietf_known_answers",
                "prf::prf_label_and_seed_are_one_string",
                "schedule::schedule_known_answers",
            ],
            Self::PrfSha256StopsAfterABlock => &[
                "prf::prf_ietf_known_answers",
                "prf::prf_output_of_any_length",
                "session_keys::session_keys_are_cut_from_the_key_block_in_order",
            ],
            Self::PrfSha384WritesWholeBlocks => {
                &["prf::prf_ietf_known_answers", "prf::prf_output_of_any_length"]
            }
            Self::PrfCountsInAByte => &["prf::prf_output_of_any_length"],
            Self::PrfCutsLongSecrets => &["prf::prf_secret_of_any_length"],

            Self::HkdfExchangesSaltAndInput
            | Self::HkdfCountsFromZero
            | Self::HkdfIgnoresTheSalt
            | Self::HkdfSha384IsSha256 => &[
                "hkdf::hkdf_wycheproof_vectors",
                "hkdf::hkdf_parts_and_lengths",
                "tls13::tls13_known_answers",
                "tls13::tls13_secrets_are_those_of_the_reference",
            ],
            Self::HkdfTakesTheFirstInfo => {
                &["hkdf::hkdf_parts_and_lengths", "tls13::tls13_known_answers"]
            }
            Self::HkdfDropsTheLastInfo => &[
                "hkdf::hkdf_wycheproof_vectors",
                "hkdf::hkdf_parts_and_lengths",
                "tls13::tls13_known_answers",
                "tls13::tls13_secrets_are_those_of_the_reference",
            ],
            Self::HkdfDropsTheLabelPrefix => &[
                "tls13::tls13_known_answers",
                "tls13::tls13_secrets_are_those_of_the_reference",
                "tls13_record::tls13_record_is_that_of_the_reference",
            ],
            Self::HkdfDoesNotChain | Self::HkdfStopsAfterABlock => &[
                "hkdf::hkdf_wycheproof_vectors",
                "hkdf::hkdf_parts_and_lengths",
                "tls13::tls13_exporters_take_any_context_and_length",
            ],
            Self::HkdfWritesWholeBlocks => &[
                "hkdf::hkdf_wycheproof_vectors",
                "hkdf::hkdf_parts_and_lengths",
                "tls13_record::tls13_record_is_that_of_the_reference",
            ],
            Self::HkdfWraps => &["hkdf::hkdf_wycheproof_vectors"],

            Self::DecryptionDropsLeadingZeros => {
                &["rsa::rsa_keeps_leading_zeros", "rejection::rejection_looks_like_success"]
            }
            Self::DecryptionFailsOnBadPadding => &[
                "rejection::rejection_looks_like_success",
                "rejection::rejection_of_wycheproof_vectors",
            ],
            Self::DecryptionFailsOnShortBlocks => {
                &["rsa::rsa_keeps_leading_zeros", "rejection::rejection_looks_like_success"]
            }
            Self::DecryptionIsOneBitOff => &[
                "rsa::rsa_decrypts_with_every_size_of_key",
                "threads::threads_that_share_a_key_get_the_same_answers",
                "handshakes::handshakes_of_every_suite",
                "external_key::external_key_raw_operation_of_a_token",
            ],
            Self::DecryptionHalfIsWrong | Self::DecryptionLosesTheBorrow => &[
                "rsa::rsa_decrypts_with_every_size_of_key",
                "rsa::rsa_decrypts_ciphertexts_at_the_edges",
                "batch::batch_decrypts_with_every_size_of_key",
            ],
            Self::DecryptionNeedsTheLargerPrimeFirst => &[
                "rsa::rsa_decrypts_with_every_size_of_key",
                "keys::keys_with_the_primes_in_either_order_are_taken",
            ],
            Self::DecryptionNeedsALargeExponent => &[
                "rsa::rsa_decrypts_with_every_size_of_key",
                "rsa::rsa_decrypts_ciphertexts_at_the_edges",
            ],
            Self::DecryptionOf3072Bits => &["rsa::rsa_decrypts_with_every_size_of_key"],
            Self::DecryptionNeedsWholeWords => &[
                "rsa::rsa_decrypts_with_every_size_of_key",
                "rsa::rsa_decrypts_ciphertexts_at_the_edges",
            ],
            Self::DecryptionMisreadsShortCiphertexts => {
                &["rsa::rsa_decrypts_ciphertexts_at_the_edges"]
            }
            Self::DecryptionTakesShortCiphertexts => &["rsa::rsa_lengths_are_checked"],
            Self::DecryptionWearsOut => &["rsa::rsa_answers_alike_every_time"],
            Self::BatchMixesUpItsJobs => &[
                "batch::batch_decrypts_with_every_size_of_key",
                "batch::batch_of_every_kind_is_imported_as_one_by_one",
            ],
            Self::BatchOfOneIsLeftOut | Self::BatchStopsAtEight => {
                &["batch::batch_decrypts_with_every_size_of_key"]
            }
            Self::WrongPrimesAreTaken => &[
                "keys::keys_whose_parts_disagree_are_refused",
                "keys::keys_with_a_factor_that_is_not_prime_are_refused",
            ],
            Self::BadKeysHaveAnErrorOfTheirOwn => &["keys::keys_whose_parts_disagree_are_refused"],
            Self::SmallKeysAreRefused => &["keys::keys_of_a_size_out_of_range_are_refused"],
            Self::LargeKeysAreRefused => &["rsa::rsa_decrypts_with_every_size_of_key"],
            Self::PrimesInTheOtherOrderAreRefused => {
                &["keys::keys_with_the_primes_in_either_order_are_taken"]
            }
            Self::DebugShowsTheKey => &["secrets::secrets_are_not_in_debug_output"],
            Self::DebugShowsTheAgreementKey
            | Self::DebugShowsTheKemKey
            | Self::DebugShowsTheSigningKey => {
                &["secrets::secrets_of_the_library_are_not_in_debug_output"]
            }

            Self::EncryptionIsOneBitOff => &[
                "rsa::rsa_encrypts_as_the_reference",
                "premaster::premaster_is_encrypted_to_the_server",
                "premaster::premaster_is_imported_by_the_server",
            ],
            Self::EncryptionDropsLeadingZeros => &["rsa::rsa_encrypts_as_the_reference"],
            Self::EncryptionIgnoresTheExponent => &["rsa::rsa_encrypts_as_the_reference"],
            Self::EncryptionTakesShortBlocks => &["rsa::rsa_lengths_are_checked"],

            Self::AgreementIsOneBitOff => &[
                "agreement::agreement_ecdh_wycheproof_vectors",
                "agreement::agreement_x25519_wycheproof_vectors",
                "agreement::agreement_on_curves_is_that_of_the_reference",
                "agreement::agreement_in_finite_fields_is_that_of_the_reference",
                "agreement::agreement_strips_leading_zeros_in_finite_fields_only",
            ],
            Self::AgreementOfP384IsOff | Self::AgreementOfP521IsShort => {
                &["agreement::agreement_on_curves_is_that_of_the_reference"]
            }
            Self::AgreementDropsZerosOfFields => {
                &["agreement::agreement_in_finite_fields_is_that_of_the_reference"]
            }
            Self::AgreementDropsZerosOfCurves => &[
                "agreement::agreement_ecdh_wycheproof_vectors",
                "agreement::agreement_strips_leading_zeros_in_finite_fields_only",
            ],
            Self::AgreementRepeatsItsKeys => &["agreement::agreement_keys_are_new_every_time"],
            Self::PointsAreNotChecked => &[
                "agreement::agreement_ecdh_wycheproof_vectors",
                "agreement::agreement_refuses_points_beside_the_curve",
            ],
            Self::PointsAreReduced | Self::BadPointsHaveAnErrorOfTheirOwn => {
                &["agreement::agreement_refuses_points_beside_the_curve"]
            }
            Self::PublicKeysAreCompressed => {
                &["agreement::agreement_on_curves_is_that_of_the_reference"]
            }
            Self::PublicKeysOfFieldsAreShort => &["support::support_is_what_the_backend_says"],
            Self::FieldsWithoutANameAreRefused => {
                &["agreement::agreement_in_finite_fields_is_that_of_the_reference"]
            }
            Self::PrivateKeysOutOfRangeAreTaken | Self::ShortPrivateKeysAreTaken => {
                &["agreement::agreement_private_keys_out_of_range_are_refused"]
            }
            Self::X25519DoesNotClamp | Self::X25519KeepsTheHighBit => {
                &["agreement::agreement_x25519_wycheproof_vectors"]
            }

            Self::KemSecretIsOneBitOff => &[
                "kem::kem_acvp_encapsulation",
                "kem::kem_acvp_decapsulation",
                "kem::kem_is_that_of_the_reference",
            ],
            Self::KemRejectsExplicitly | Self::KemRejectsToZeros => &[
                "kem::kem_acvp_key_generation",
                "kem::kem_acvp_decapsulation",
                "kem::kem_rejection_is_implicit_and_the_same_every_time",
            ],
            Self::KemIgnoresTheModulus => &[
                "kem::kem_acvp_key_checks",
                "kem::kem_encapsulation_keys_that_are_not_reduced_are_refused",
                "hybrid::hybrid_shares_that_are_wrong_are_refused",
            ],
            Self::KemIgnoresTheHash => &[
                "kem::kem_acvp_key_checks",
                "kem::kem_expanded_keys_whose_parts_disagree_are_refused",
            ],
            Self::KemRepeatsItsKeys | Self::KemRepeatsItsRandomness => {
                &["kem::kem_keys_and_secrets_are_new_every_time"]
            }

            Self::Rc4StartsAnew => &["record::record_nonces_and_vectors_never_repeat"],
            Self::Rc4DropsItsFirstBytes => &["suites::suites_recorded_from_the_master_secret_on"],
            Self::CbcIgnoresTheIv => &[
                "cipher::cipher_wycheproof_cbc",
                "record::record_nonces_and_vectors_never_repeat",
                "suites::suites_recorded_from_the_master_secret_on",
            ],
            Self::CbcDoesNotChain
            | Self::CbcGoesOn
            | Self::CbcLeavesTheLastBlock
            | Self::CbcAes256HasHalfAKey => &["cipher::cipher_wycheproof_cbc"],
            Self::CbcTakesShortIvs => &["cipher::cipher_lengths_are_checked"],
            Self::TripleDesHasTwoKeys => &["suites::suites_recorded_from_the_master_secret_on"],

            Self::AeadDoesNotCheckTheTag => &[
                "cipher::cipher_wycheproof_aead",
                "cipher::cipher_keys_are_shared_by_threads",
                "record::record_tampering_has_one_answer",
                "tls13_record::tls13_record_tampering_has_one_answer",
            ],
            Self::AeadChecksHalfTheTag => &[
                "cipher::cipher_wycheproof_aead",
                "record::record_tampering_has_one_answer",
                "tls13_record::tls13_record_tampering_has_one_answer",
            ],
            Self::AeadTakesShortTags => &["cipher::cipher_lengths_are_checked"],
            Self::AeadIgnoresTheAad => &[
                "cipher::cipher_wycheproof_aead",
                "record::record_tampering_has_one_answer",
                "tls13_record::tls13_record_is_that_of_the_reference",
            ],
            Self::AeadIgnoresTheNoncesEnd => &[
                "cipher::cipher_wycheproof_aead",
                "tls13_record::tls13_record_is_that_of_the_reference",
                "tls13_record::tls13_record_tampering_has_one_answer",
            ],
            Self::AeadRefusesNoPlaintext => {
                &["cipher::cipher_wycheproof_aead", "cipher::cipher_lengths_are_checked"]
            }
            Self::AeadIgnoresTheAadApart => &["record::record_round_trips"],
            Self::BadTagsHaveAnErrorOfTheirOwn => &[
                "cipher::cipher_wycheproof_aead",
                "record::record_tampering_has_one_answer",
                "tls13_record::tls13_record_tampering_has_one_answer",
            ],
            Self::Ccm8IsCcm | Self::ChaCha20StartsLate => &["cipher::cipher_wycheproof_aead"],
            Self::GcmCountsInAByte => &["cipher::cipher_of_a_whole_record"],

            Self::SignatureIsNotChecked => &[
                "signature::signature_over_another_digest_is_refused",
                "signature::signature_verifies_under_its_own_scheme_only",
                "signature::signature_of_malformed_blocks_is_refused",
                "signature::signature_of_numbers_at_the_edges_is_refused",
                "signature::signature_of_malformed_pss_blocks_is_refused",
                "signature::signature_without_digest_info_is_over_any_length",
                "signature::signature_rsa_pss_wycheproof_vectors",
            ],
            Self::SignatureMayBeTooLong => &["signature::signature_with_a_flipped_bit_is_refused"],
            Self::BadSignaturesHaveAnErrorOfTheirOwn => &[
                "signature::signature_of_malformed_blocks_is_refused",
                "signature::signature_with_a_flipped_bit_is_refused",
            ],
            Self::BadPublicKeysAreBadSignatures => &["signature::signature_keys_are_checked"],
            Self::DigestInfoIsOptional | Self::PaddingMayBeShort => {
                &["signature::signature_of_malformed_blocks_is_refused"]
            }
            Self::PssMayBePkcs1 => &["signature::signature_verifies_under_its_own_scheme_only"],
            Self::PssSaltHasAnyLength => &[
                "signature::signature_of_malformed_pss_blocks_is_refused",
                "signature::signature_rsa_pss_wycheproof_vectors",
            ],
            Self::EcdsaTakesZeros
            | Self::EcdsaReducesItsNumbers
            | Self::EcdsaDerIsLax
            | Self::EcdsaTakesTheDigestsEnd
            | Self::EcdsaPadsTheDigestsEnd => &["signature::signature_ecdsa_wycheproof_vectors"],

            Self::SigningIsOneBitOff => &[
                "signing::signing_rsa_is_that_of_the_reference",
                "signing::signing_verifies_with_every_scheme",
                "signing::signing_ecdsa_verifies_by_the_reference",
            ],
            Self::SigningLeavesOutDigestInfo => &["signing::signing_rsa_is_that_of_the_reference"],
            Self::SigningLeavesOutTheSalt
            | Self::SigningRepeatsTheSalt
            | Self::SigningLeavesOutDer => &["signing::signing_verifies_with_every_scheme"],
            Self::SigningTakesTheDigestsEnd => &[
                "signing::signing_verifies_with_every_scheme",
                "signing::signing_ecdsa_verifies_by_the_reference",
            ],
            Self::SigningKeysOutOfRangeAreTaken => &["signing::signing_keys_are_checked"],
        }
    }
}
