//! `cargo xtask miri`: runs the handle table, the code that reads C pointers, the parameter list,
//! masks, both kinds of padding and the arithmetic of multi-buffer RSA under Miri, which detects
//! undefined behaviour, overflow and data races. Miri is a part of nightly Rust.

use anyhow::{Context, Result};

use crate::command::Run;
use crate::workspace::Workspace;

/// What is run: a crate, the options that build it without a C library, the tests.
const SUBJECTS: [(&str, &[&str], &[&str]); 3] = [
    (
        "ssl-provider-core",
        &[],
        &[
            "handle::",
            "parameter_list::",
            "secret::",
            "ct::",
            "record::",
            // Not those that try every value in every place, which takes hours.
            "premaster::tests::a_block",
            "premaster::tests::a_well_formed",
            "premaster::tests::any_version",
            "premaster::tests::blocks_of_59",
        ],
    ),
    // In plain Rust, with digits of 2 to 8 bits and of 52: Miri knows neither AVX-512 nor AVX-IFMA,
    // and a whole private operation takes too long. These take a minute and a half.
    (
        "ssl-provider-multibuffer",
        &[],
        &["number::", "model::products_of_several_blocks", "montgomery::tests::a_wrong_product"],
    ),
    (
        "ssl-provider-capi",
        &["--no-default-features", "--features", "rustcrypto"],
        // Not the panic within a panic, whose second payload is leaked on purpose.
        &["a_panic_becomes", "an_error_becomes", "pointer::", "memory::", "cipher_suites::"],
    ),
];

/// Schedules of the threads that the tests of the handle table start.
const SCHEDULES: &str = "-Zmiri-many-seeds=0..16";

/// Runs the tests.
///
/// # Errors
///
/// Fails when Miri is not installed, and at the first test that fails under it.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let miri = || Run::new("cargo").args(["+nightly", "miri"]);
    miri().args(["--version"]).read(workspace).context(
        "NOTHING WAS CHECKED: Miri is not installed; to install it: `rustup toolchain install \
         nightly --component miri,rust-src`",
    )?;
    let test = |package: &str, build: &[&str], tests: &[&str]| {
        miri()
            .args(["test", "--package", package, "--lib", "--target-dir"])
            .args([workspace.target("miri")])
            .args(build)
            .args(["--"])
            .args(tests)
    };
    for (package, build, tests) in SUBJECTS {
        // Under Miri's isolation, there is no randomness.
        test(package, build, tests).env("MIRIFLAGS", "-Zmiri-disable-isolation").run(workspace)?;
    }
    let threads = ["handle::tests::of_many_threads", "handle::tests::threads_that", "outlives"];
    test("ssl-provider-core", &[], &threads)
        .env("MIRIFLAGS", format!("-Zmiri-disable-isolation {SCHEDULES}"))
        .run(workspace)
}
