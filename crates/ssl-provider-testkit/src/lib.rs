//! Conformance cases of ssl-provider as plain functions of a backend, and what they are made of.
//! Whoever writes a backend runs [`check`], or stamps tests with [`conformance_tests!`].
//!
//! ```
//! use ssl_provider_testkit::{check, fake::Fake};
//!
//! // `Fake` has no security and no real algorithm, so the suite has to find that out.
//! # std::panic::set_hook(Box::new(|_| {}));
//! let report = check(Fake::new().share());
//! assert!(!report.passed());
//! assert!(report.failures().any(|failed| failed.name == "prf::prf_ietf_known_answers"));
//! ```
//!
//! # What is compared with what
//!
//! Expected values come from published vectors, read in place (see [`vectors`]), and from
//! [`mod@reference`] and [`mod@reference13`], a second implementation of the key schedules that
//! shares no code with core.
//! RSA test data is made with the public operation alone ([`rsa_key`]). Inputs that vary come from
//! a seeded generator, and a failure prints what is needed to repeat it.
//!
//! # What the cases are tested with
//!
//! Backends with one planted fault each (see [`mod@fault`]), which says the cases that must find
//! it.

// A case says what is wrong by panicking; that is its purpose and needs no section each time.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]
#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

// For `conformance_tests!`.
#[doc(hidden)]
pub use ssl_provider_core::Backend;

pub mod aead;
pub mod bytes;
pub mod cases;
pub mod ciphertext;
pub mod corpus;
pub mod curve;
pub mod diagnostics;
pub mod direction;
pub mod exchange;
pub mod fake;
pub mod fault;
pub mod group;
pub mod known_random;
pub mod ml_kem;
pub mod question;
pub mod reference;
pub mod reference13;
pub mod rsa_key;
pub mod signature;
#[cfg(target_os = "linux")]
pub mod stack;
pub mod support;
pub mod timing_class;
pub mod trap;
pub mod vectors;

/// One conformance case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its module and its function, such as `prf::prf_secret_of_any_length`.
    pub name: &'static str,
    /// The case. It returns when the backend conforms and panics when it does not.
    pub run: fn(&Backend),
}

/// Every case, in the order of the modules.
pub fn cases() -> &'static [Case] {
    CASES
}

const CASES: &[Case] = conformance_tests! { @cases (@list) };

/// What became of one case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The name of the case.
    pub name: &'static str,
    /// The message where the case failed.
    pub failure: Option<String>,
    /// Whether published vectors that the case needs were absent; it has not failed then.
    pub skipped: bool,
}

/// What became of all cases on a backend.
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the backend.
    pub backend: &'static str,
    /// One row for each of [`cases()`].
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Whether no case failed. Some may have been skipped.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_some())
    }
}

impl fmt::Display for Report {
    /// Writes the failures, one on a line, and a summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Outcome { name, failure, .. } in &self.outcomes {
            if let Some(message) = failure {
                writeln!(f, "{} {name}: {message}", self.backend)?;
            }
        }
        let failed = self.failures().count();
        let skipped = self.outcomes.iter().filter(|outcome| outcome.skipped).count();
        let passed = self.outcomes.len() - skipped - failed;
        write!(f, "{}: {passed} passed, {skipped} skipped, {failed} failed", self.backend)
    }
}

/// Runs every case on a backend, to the end, whatever fails, on as many threads as there are
/// processors.
///
/// The panic hook still prints each failure as it happens; set another hook to keep it quiet.
pub fn check(backend: impl Into<Backend>) -> Report {
    let backend = &backend.into();
    let next = AtomicUsize::new(0);
    let some = || -> Vec<(usize, Outcome)> {
        let numbers = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = numbers.map_while(|number| Some((number, cases().get(number)?)));
        mine.map(|(number, case)| (number, run(case, backend))).collect()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        let results = workers.into_iter().map(|worker| worker.join());
        results.flat_map(|result| result.expect("the panics of cases are caught")).collect()
    });
    outcomes.sort_unstable_by_key(|(number, _)| *number);
    let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    Report { backend: backend.info().name, outcomes }
}

/// Runs one case.
pub fn run(case: &Case, backend: &Backend) -> Outcome {
    CURRENT.set(Some((case.name, false)));
    let result = catch_unwind(AssertUnwindSafe(|| (case.run)(backend)));
    let failure = result.err().map(|panic| message(panic.as_ref()));
    let skipped = CURRENT.take().is_some_and(|(_, skipped)| skipped) && failure.is_none();
    Outcome { name: case.name, failure, skipped }
}

/// Records that the case that runs on this thread, if any, is skipped, and returns its name.
pub(crate) fn skip_current() -> Option<&'static str> {
    let (name, _) = CURRENT.get()?;
    CURRENT.set(Some((name, true)));
    Some(name)
}

thread_local! {
    /// The case that [`run`] runs on this thread, and whether it is skipped.
    static CURRENT: Cell<Option<(&'static str, bool)>> = const { Cell::new(None) };
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panic without a message").to_owned()
}

/// Stamps one test for each case: `conformance_tests!(aws_lc, backend())` makes a module `aws_lc`
/// with tests such as `aws_lc::prf_secret_of_any_length`. The expression is evaluated in each.
///
/// ```
/// ssl_provider_testkit::conformance_tests!(mine, ssl_provider_testkit::fake::Fake::new().share());
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($name:ident, $backend:expr) => {
        $crate::conformance_tests! { @cases (@tests $name, $backend) }
    };
    (@tests $name:ident, $backend:expr; $($module:ident: $($case:ident)*;)*) => {
        mod $name {
            $($(#[test]
            fn $case() {
                $crate::cases::$module::$case(&$crate::Backend::from($backend));
            })*)*
        }
    };
    (@list; $($module:ident: $($case:ident)*;)*) => {
        &[$($($crate::Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            run: $crate::cases::$module::$case,
        }),*),*]
    };
    // The list of cases by module, in one place.
    (@cases ($($then:tt)*)) => {
        $crate::conformance_tests! { $($then)*;
            hash: hash_known_answers hash_of_parts_is_the_hash_of_the_whole
                hash_context_takes_input_in_pieces hash_context_duplicates_run_apart
                hash_context_refuses_other_output_lengths hash_compression_gives_the_hash;
            hmac: hmac_known_answers hmac_with_keys_of_any_length
                hmac_refuses_other_output_lengths;
            hkdf: hkdf_wycheproof_vectors hkdf_parts_and_lengths;
            random: random_bytes_fill_the_buffer_and_never_repeat;
            prf: prf_ietf_known_answers prf_secret_of_any_length prf_output_of_any_length
                prf_label_and_seed_are_one_string prf_openssl_vectors prf_botan_vectors
                prf_mbedtls_vectors;
            schedule: schedule_known_answers schedule_nist_vectors
                schedule_boringssl_and_aws_lc_vectors schedule_mbedtls_ssl3_vector;
            finished: finished_has_the_lengths_of_its_protocol finished_leaves_the_hash_running
                finished_is_verified_down_to_a_bit
                finished_refuses_the_hash_of_another_protocol_or_suite;
            client_auth: client_auth_hash_of_every_version client_auth_hash_of_every_algorithm
                client_auth_hash_refuses_the_hash_of_another_version;
            session_keys: session_keys_are_cut_from_the_key_block_in_order
                session_keys_of_export_suites_are_derived_again
                session_keys_take_both_randoms_from_the_list;
            record: record_round_trips record_tampering_has_one_answer
                record_padding_of_any_length_opens record_padding_and_mac_errors_have_one_answer
                record_limits_are_kept record_payloads_that_are_too_long_overflow
                record_keys_are_checked record_nonces_and_vectors_never_repeat
                record_sequence_numbers_of_aead_keys_only_grow
                record_keys_that_read_do_not_write record_openssl_vectors
                record_botan_vectors record_botan_paddings record_botan_null_vectors
                record_recorded_connections;
            cipher: cipher_wycheproof_aead cipher_wycheproof_cbc cipher_of_a_whole_record
                cipher_keys_are_shared_by_threads cipher_lengths_are_checked;
            exporter: exporter_known_answers exporter_of_every_suite
                exporter_takes_a_context_as_long_as_its_length_field
                exporter_refuses_reserved_and_malformed_requests exporter_eap_key_blocks;
            handshakes: handshakes_of_go handshakes_of_go_without_extended_master_secret
                handshakes_of_captures handshakes_of_recorded_agreements
                handshakes_verify_over_the_recorded_messages
                handshakes_of_every_suite;
            suites: suites_recorded_from_the_master_secret_on;
            rsa: rsa_decrypts_with_every_size_of_key rsa_keeps_leading_zeros
                rsa_decrypts_ciphertexts_at_the_edges rsa_answers_alike_every_time
                rsa_encrypts_as_the_reference rsa_lengths_are_checked;
            agreement: agreement_ecdh_wycheproof_vectors agreement_x25519_wycheproof_vectors
                agreement_on_curves_is_that_of_the_reference
                agreement_in_finite_fields_is_that_of_the_reference
                agreement_keys_are_new_every_time agreement_refuses_points_beside_the_curve
                agreement_refuses_x25519_keys_of_small_order
                agreement_refuses_secrets_of_small_order_in_finite_fields
                agreement_refuses_own_public_keys_of_small_order
                agreement_takes_secrets_of_zeros_from_points
                agreement_refuses_public_keys_of_another_form
                agreement_private_keys_out_of_range_are_refused
                agreement_gives_both_sides_the_same_master_key
                agreement_strips_leading_zeros_in_finite_fields_only
                agreement_checks_suite_group_and_policy;
            kem: kem_acvp_key_generation kem_acvp_encapsulation kem_acvp_decapsulation
                kem_acvp_key_checks kem_is_that_of_the_reference
                kem_keys_and_secrets_are_new_every_time
                kem_rejection_is_implicit_and_the_same_every_time
                kem_encapsulation_keys_that_are_not_reduced_are_refused
                kem_expanded_keys_whose_parts_disagree_are_refused kem_lengths_are_checked;
            hybrid: hybrid_secrets_of_s2n hybrid_groups_give_both_sides_the_same_secret
                hybrid_shares_of_another_form_are_refused hybrid_shares_that_are_wrong_are_refused
                hybrid_keys_answer_one_share_only hybrid_groups_are_of_tls_1_3_only;
            premaster: premaster_is_encrypted_to_the_server premaster_is_imported_by_the_server
                premaster_padding_has_no_zeros_and_never_repeats premaster_keys_are_checked;
            psk: psk_master_keys_are_those_of_rfc_4279 psk_lengths_and_suites_are_checked;
            ticket: ticket_gives_back_its_session ticket_that_was_altered_is_unknown
                ticket_is_checked;
            signing: signing_rsa_is_that_of_the_reference signing_verifies_with_every_scheme
                signing_ecdsa_verifies_by_the_reference signing_refuses_what_is_not_of_the_key
                signing_keys_are_checked;
            batch: batch_decrypts_with_every_size_of_key
                batch_of_every_kind_is_imported_as_one_by_one
                batch_is_imported_under_the_same_conditions;
            key_blob: key_blob_goes_on_where_the_key_was key_blob_is_refused_when_damaged
                key_blob_is_refused_by_another_backend_or_policy
                key_blob_is_given_only_where_policy_allows
                key_blob_of_rc4_ends_where_it_costs_too_much;
            keys: keys_load_from_both_containers keys_of_a_size_out_of_range_are_refused
                keys_shorter_than_the_policy_are_refused keys_shorter_than_the_policy_import_nothing
                keys_with_a_bad_public_exponent_are_refused keys_of_more_than_two_primes_are_refused
                keys_whose_parts_disagree_are_refused keys_with_a_flipped_bit_are_refused
                keys_with_a_factor_that_is_not_prime_are_refused
                keys_with_the_primes_in_either_order_are_taken
                keys_answer_alike_however_they_are_written keys_of_another_algorithm_are_named
                keys_cut_short_or_extended_are_refused keys_from_primes_reject_the_mbedtls_vectors;
            import: import_takes_the_protocols_with_an_rsa_exchange
                import_takes_rsa_suites_of_the_protocol import_needs_randoms_or_session_hash
                import_takes_a_session_hash_of_the_right_length
                import_lets_the_session_hash_win_over_the_randoms
                import_expects_the_negotiated_version_by_default
                import_refuses_a_key_of_another_backend
                import_refuses_a_key_of_another_premaster_rule import_checks_in_a_fixed_order
                import_gives_a_master_key_of_its_protocol_and_suite
                import_is_announced_by_the_provider;
            external_key: external_key_raw_operation_of_a_token
                external_key_whole_exchange_of_a_key_server
                external_key_whole_exchange_that_writes_nothing_is_not_known
                external_key_of_impossible_numbers_is_refused;
            rejection: rejection_looks_like_success rejection_is_the_same_for_every_size_of_key
                rejection_finds_a_change_of_any_byte rejection_of_every_length_of_ciphertext
                rejection_of_numbers_at_the_edges rejection_answers_alike_every_time
                rejection_depends_on_everything_that_was_asked
                rejection_never_gives_the_secret_of_a_bad_block
                rejection_of_versions_follows_the_policy
                rejection_of_padding_is_the_same_under_every_policy
                rejection_tells_nothing_to_who_asks_with_two_versions
                rejection_leaves_a_master_key_like_any_other rejection_of_wycheproof_vectors
                rejection_of_openssl_vectors rejection_of_published_blocks
                rejection_of_ciphertexts_for_another_key;
            secrets: secrets_are_not_in_debug_output secrets_of_the_library_are_not_in_debug_output
                secrets_are_read_only_where_policy_allows;
            signature: signature_known_answers signature_with_a_flipped_bit_is_refused
                signature_over_another_digest_is_refused
                signature_verifies_under_its_own_scheme_only
                signature_of_malformed_blocks_is_refused
                signature_of_malformed_pss_blocks_is_refused
                signature_without_digest_info_is_over_any_length
                signature_of_numbers_at_the_edges_is_refused
                signature_of_another_length_is_refused signature_keys_are_checked
                signature_rsa_wycheproof_vectors signature_rsa_pss_wycheproof_vectors
                signature_ecdsa_wycheproof_vectors;
            support: support_is_what_the_backend_says support_is_what_the_matrix_says
                support_table_is_well_formed support_requirements_are_met_or_refused;
            threads: threads_that_share_a_key_get_the_same_answers
                threads_that_share_a_master_key_get_the_same_keys;
            tls13: tls13_known_answers tls13_nist_vectors tls13_rfc_8448_traces
                tls13_recorded_handshakes tls13_captures_from_their_key_logs
                tls13_recorded_private_keys_agree tls13_secrets_are_those_of_the_reference
                tls13_key_update_goes_on_from_the_last_secret
                tls13_exporters_take_any_context_and_length
                tls13_tickets_take_nonces_as_long_as_their_length_field
                tls13_finished_is_verified_down_to_a_bit
                tls13_without_a_pre_shared_key_nothing_is_early
                tls13_refuses_keys_of_another_hash_or_backend
                tls13_refuses_transcripts_of_another_hash tls13_parameters_are_of_its_suites_alone
                tls13_secrets_are_read_only_where_policy_allows
                tls13_secrets_are_not_in_debug_output;
            tls13_record: tls13_record_round_trips tls13_record_is_that_of_the_reference
                tls13_record_padding_fills_blocks tls13_record_tampering_has_one_answer
                tls13_record_limits_are_kept tls13_record_refuses_what_none_may_hold
                tls13_record_sequence_numbers_only_grow tls13_record_options_are_of_its_version
                tls13_record_key_blob_goes_on_where_the_key_was;
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_case_is_neither_passed_nor_failed() {
        let skip = |_: &Backend| assert_eq!(skip_current(), Some("a::case"));
        let skip_and_fail = |_: &Backend| panic!("{:?}", skip_current());
        let backend = &fake::Fake::new().share();
        let cases: [fn(&Backend); 3] = [skip, skip_and_fail, |_| ()];
        let outcomes = cases.map(|run| self::run(&Case { name: "a::case", run }, backend)).to_vec();
        assert_eq!(skip_current(), None, "no case runs");
        let report = Report { backend: "fake", outcomes };
        assert!(report.to_string().ends_with("fake: 1 passed, 1 skipped, 1 failed"), "{report}");
    }
}
