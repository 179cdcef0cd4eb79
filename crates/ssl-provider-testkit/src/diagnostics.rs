//! Diagnostics: what a test reports although it passes, or before it ends. The test runner captures
//! what passing tests print, so it is written to standard error directly.

use std::env;
use std::fmt::Display;
use std::io::{self, Write};

/// The variable that lists what the processor must have, separated by commas: a test that would be
/// skipped without one of them fails.
pub const EXPECT_CPU: &str = "SSL_PROVIDER_EXPECT_CPU";

/// What [`EXPECT_CPU`] can list: AVX-512 with IFMA, and AVX-IFMA.
pub const CPU_FEATURES: [&str; 2] = ["avx512ifma", "avxifma"];

/// Reports that `what` was not tested, and why.
pub fn not_tested(what: &str, why: impl Display) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "NOT TESTED: {what}: {why}");
}

/// Reports that `what` was not tested, since the processor has none of `features`.
///
/// # Panics
///
/// When [`EXPECT_CPU`] lists one of them.
pub fn not_tested_without(features: &[&str], what: &str) {
    assert_not_expected(features);
    not_tested(what, format_args!("this processor has no {}", features.join(" and no ")));
}

/// To be called where the processor has none of `features`.
///
/// # Panics
///
/// When [`EXPECT_CPU`] lists one of them.
pub fn assert_not_expected(features: &[&str]) {
    for name in expected_cpu_features() {
        assert!(
            !features.contains(&name.as_str()),
            "{EXPECT_CPU} lists {name}, which this processor lacks: run the tests on one that has \
             it, or strike {name} from the list"
        );
    }
}

/// Returns what [`EXPECT_CPU`] lists.
///
/// # Panics
///
/// When it lists anything but [`CPU_FEATURES`].
pub fn expected_cpu_features() -> Vec<String> {
    parse_cpu_features(&env::var(EXPECT_CPU).unwrap_or_default())
}

fn parse_cpu_features(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .inspect(|name| {
            let known = CPU_FEATURES.join(", ");
            assert!(
                CPU_FEATURES.contains(name),
                "{EXPECT_CPU}: expected some of {known}, got {name}"
            );
        })
        .map(str::to_owned)
        .collect()
}

/// Reports how far a test that takes minutes has come.
pub fn progress(state: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{state}");
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_misspelt_feature_is_refused_and_does_not_pass_for_one_that_is_there() {
        assert_eq!(parse_cpu_features(""), [""; 0]);
        assert_eq!(parse_cpu_features("avx512ifma, avxifma,"), CPU_FEATURES);
        assert!(catch_unwind(|| parse_cpu_features("avx512-ifma")).is_err());
    }
}
