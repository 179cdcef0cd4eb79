//! Rule on licences: every package offers one of the licences that we may combine with ours.
//! A small reader of SPDX expressions; what it cannot read is a finding.

use std::iter::Peekable;
use std::str::SplitWhitespace;

use cargo_metadata::Package;

use super::Finding;

/// The allowed licences; `deny.toml` has the same list.
const ALLOWED: [&str; 11] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Zlib",
    "bzip2-1.0.6",
];

/// Checks every package.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .filter_map(|package| {
            let place = format!("{} {}", package.name, package.version);
            finding(&place, package.license.as_deref())
        })
        .collect()
}

fn finding(place: &str, licence: Option<&str>) -> Option<Finding> {
    match licence {
        None => Some(Finding::new(place, "has no licence")),
        Some(licence) if is_allowed(licence) => None,
        Some(licence) => Some(Finding::new(place, format!("licence `{licence}` is not allowed"))),
    }
}

/// Whether an expression can be met with allowed licences. AND binds more tightly than OR.
fn is_allowed(expression: &str) -> bool {
    // An old notation, before SPDX expressions, for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut reader = Reader { words: spaced.split_whitespace().peekable() };
    let allowed = reader.any();
    reader.words.next().is_none() && allowed == Some(true)
}

struct Reader<'a> {
    words: Peekable<SplitWhitespace<'a>>,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut allowed = self.every()?;
        while self.take("OR") {
            allowed |= self.every()?;
        }
        Some(allowed)
    }

    fn every(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.take("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let allowed = self.any()?;
            return self.take(")").then_some(allowed);
        }
        let licence = self.words.next()?;
        if self.take("WITH") {
            let exception = self.words.next()?;
            return Some(ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()));
        }
        Some(ALLOWED.contains(&licence))
    }

    fn take(&mut self, word: &str) -> bool {
        self.words.next_if_eq(&word).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_needs_one_allowed_licence_and_a_conjunction_all() {
        for fine in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "ISC AND (Apache-2.0 OR ISC) AND OpenSSL",
            "Apache-2.0 WITH LLVM-exception OR MIT",
        ] {
            assert!(is_allowed(fine), "{fine}");
        }
    }

    #[test]
    fn a_foreign_licence_and_an_unreadable_expression_are_found() {
        for bad in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR AGPL-3.0-only)",
            "GPL-2.0 WITH Classpath-exception-2.0",
            "(MIT",
            "MIT MIT",
            "MIT AND",
            "",
        ] {
            assert!(!is_allowed(bad), "{bad}");
            assert!(finding("package", Some(bad)).is_some());
        }
        assert!(finding("package", None).is_some());
    }
}
