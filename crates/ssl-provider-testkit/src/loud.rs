//! What a test says although it passes, or before it ends. The test runner keeps what passing tests
//! print to itself, so it goes to standard error directly.

use std::fmt::Display;
use std::io::{self, Write};

/// Says that `what` was not tested, and why.
pub fn not_tested(what: &str, why: impl Display) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "NOT TESTED: {what}: {why}");
}

/// Says how far a test that takes minutes has come.
pub fn progress(state: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{state}");
}
