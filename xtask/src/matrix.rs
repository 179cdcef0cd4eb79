//! `cargo xtask matrix`: the facade and the CLI with each backend alone, all of them, and none.
//! Each set is built package by package, since one build of several packages unifies features.

use anyhow::Result;

use crate::command::Run;
use crate::features::{BACKENDS, OpenSsl, feature_of};
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// Which sets, and how much is run with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What a change must pass: with one backend alone, only the tests of the CLI, and those with
    /// [`OF_SMOKE`] alone. Those of the facade call the same code as with all backends, which
    /// `cargo xtask test` does. With no backend, only the tests of the facade.
    Smoke,
    /// The tests of the facade too.
    Tests,
    /// Those, and with OpenSSL built from source.
    Vendored,
}

/// The backend whose set has tests in [`Extent::Smoke`]: the one that lacks most.
const OF_SMOKE: &str = "ring";

/// Checks that every set compiles without warnings, and runs the tests of the facade and of the CLI
/// with it; for all four backends, [`crate::test::run`] does that.
///
/// # Errors
///
/// Fails at the first set that does not build or pass.
pub(crate) fn run(workspace: &Workspace, extent: Extent) -> Result<()> {
    let openssl = OpenSsl::choose();
    let sets = sets(openssl, extent == Extent::Vendored);
    for (number, set) in sets.iter().enumerate() {
        println!("--- feature set {} of {}: {}", number + 1, sets.len(), set.name);
        // The tests of sets whose tests are not run are not compiled either.
        let has_tests = set.backends.iter().all(|backend| *backend == OF_SMOKE);
        let is_whole = extent != Extent::Smoke || has_tests || set.backends == BACKENDS;
        let targets: &[&str] = if is_whole { &["--all-targets"] } else { &["--lib", "--bins"] };
        for package in ["ssl-provider", "ssl-provider-cli"] {
            // Clippy includes the compiler's warnings, and shares its results with the clippy step.
            let targets = if package == "ssl-provider" && !is_whole { &["--lib"] } else { targets };
            set.cargo("clippy", package)
                .args(targets)
                .args(["--", "-D", "warnings"])
                .run(workspace)?;
        }
        if set.backends == BACKENDS {
            println!("its tests are those of `cargo xtask test`");
            continue;
        }
        if extent == Extent::Smoke && set.backends.iter().any(|backend| *backend != OF_SMOKE) {
            println!("its tests are those of `cargo xtask matrix`");
            continue;
        }
        if extent != Extent::Smoke || set.backends.is_empty() {
            // Backends are compared, and faults are planted, with all of them only.
            with_expectations(set.cargo("test", "ssl-provider"), workspace, &set.backends)
                .args(["--", "--skip", "generated_", "--skip", "each_planted_fault"])
                .run(workspace)?;
        }
        // Most of the command is built again for that.
        if extent == Extent::Smoke && set.backends.is_empty() {
            println!("the tests of the command are those of `cargo xtask matrix`");
            continue;
        }
        // With no backend, the command must report that, too.
        let tests = if set.backends.is_empty() {
            ["no_backend"].as_slice()
        } else {
            &["backends", "import", "key_file", "keylog"]
        };
        with_expectations(set.cargo("test", "ssl-provider-cli"), workspace, &set.backends)
            .args(tests.iter().flat_map(|test| ["--test", test]))
            .run(workspace)?;
    }
    println!(
        "{} feature sets compile without warnings; their tests pass{}, but for those that need all \
         backends, which are for `cargo xtask test`",
        sets.len(),
        if extent == Extent::Smoke { " where they ran" } else { "" }
    );
    Ok(())
}

/// A set of features, and the backends that it must add.
struct Set {
    name: String,
    features: Vec<&'static str>,
    backends: Vec<&'static str>,
}

impl Set {
    fn cargo(&self, subcommand: &str, package: &str) -> Run {
        let features = self.features.join(",");
        let run = Run::cargo(subcommand).args(["--package", package, "--no-default-features"]);
        if features.is_empty() { run } else { run.args(["--features", features.as_str()]) }
    }
}

fn sets(openssl: OpenSsl, full: bool) -> Vec<Set> {
    let mut sets = vec![Set { name: "none".into(), features: vec![], backends: vec![] }];
    for backend in BACKENDS {
        sets.push(Set {
            name: backend.into(),
            features: vec![feature_of(backend, openssl)],
            backends: vec![backend],
        });
    }
    sets.push(Set {
        name: "all".into(),
        features: BACKENDS.map(|backend| feature_of(backend, openssl)).into(),
        backends: BACKENDS.into(),
    });
    if full && openssl == OpenSsl::System {
        sets.push(Set {
            name: "openssl-vendored".into(),
            features: vec!["openssl-vendored"],
            backends: vec!["openssl"],
        });
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backend_stands_alone_once_and_all_and_none_are_there() {
        let sets = sets(OpenSsl::System, true);
        let names: Vec<_> = sets.iter().map(|set| set.name.as_str()).collect();
        let expected =
            ["none", "aws-lc", "openssl", "rustcrypto", "ring", "all", "openssl-vendored"];
        assert_eq!(names, expected);
        assert!(sets[0].features.is_empty());
        assert_eq!(sets[5].features, BACKENDS);
    }

    #[test]
    fn without_a_system_library_openssl_is_vendored_in_every_set() {
        let sets = sets(OpenSsl::Vendored, true);
        assert_eq!(sets.len(), 6);
        assert!(sets.iter().all(|set| !set.features.contains(&"openssl")));
    }
}
