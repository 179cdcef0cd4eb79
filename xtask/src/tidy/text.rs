//! Rules on the text of single files: headers, width, leftovers, unsafe code, RSA padding modes.
//! Search terms are assembled from pieces, so that this file does not match itself.

use std::ffi::OsStr;
use std::path::Path;

use super::Finding;

/// Checks every rule that applies to a file of this name.
pub(super) fn check(path: &Path, contents: &str) -> Vec<Finding> {
    let mut findings = forbidden_words(path, contents);
    let extension = path.extension().and_then(OsStr::to_str);
    let opening = match extension {
        Some("rs") => "//! ",
        Some("py") => "\"\"\"",
        Some("go" | "java") => "// ",
        Some("sh") => "# ",
        Some("c" | "h") => "/*",
        _ => return findings,
    };
    findings.extend(header(path, contents, opening));
    findings.extend(width(path, contents));
    if extension == Some("rs") {
        findings.extend(unsafe_code(path, contents));
        findings.extend(padding_modes(path, contents));
    }
    findings
}

/// A file begins with its purpose, after the line that names its interpreter. A C comment may
/// begin with an empty line.
fn header(path: &Path, contents: &str, opening: &str) -> Vec<Finding> {
    let mut lines = contents.lines().skip_while(|line| line.starts_with("#!/"));
    let words = lines.next().and_then(|line| line.strip_prefix(opening)).map(str::trim);
    let words = match words {
        Some("") => lines.next().and_then(|line| line.strip_prefix(" * ")).map(str::trim),
        words => words,
    };
    if words.is_some_and(|words| words.len() > 10) {
        return Vec::new();
    }
    let message = format!("expected `{}` and the purpose of the file", opening.trim());
    vec![Finding::at(path, 1, message)]
}

/// No line is longer than 100 columns.
fn width(path: &Path, contents: &str) -> Vec<Finding> {
    let lines = contents.lines().enumerate();
    lines
        .filter(|(_, line)| line.chars().count() > 100)
        .map(|(index, _)| Finding::at(path, index + 1, "longer than 100 columns"))
        .collect()
}

/// There is no unfinished work, no host of a registry and no path of one machine.
fn forbidden_words(path: &Path, contents: &str) -> Vec<Finding> {
    let unfinished = [["TO", "DO"], ["FIX", "ME"], ["db", "g!("], ["#[ig", "nore"]];
    let hosts = [
        ["py", "pi.org"],
        ["pythonhosted", ".org"],
        ["static.crates", ".io"],
        ["index.crates", ".io"],
        ["proxy.golang", ".org"],
        ["registry.npmjs", ".org"],
    ];
    let unfinished = unfinished.map(|pieces| (pieces.concat(), "is unfinished work"));
    let hosts = hosts.map(|pieces| (pieces.concat(), "names the host of a registry"));
    let paths = ["work", "root", "tmp", "home"]
        .map(|directory| (format!("/{directory}/"), "is a path of one machine"));
    let words: Vec<_> = unfinished.into_iter().chain(hosts).chain(paths).collect();

    with_words(path, contents.lines(), &words)
}

/// Unsafe code is only where C, valgrind, AVX-512 or the system is called, and each use has its
/// argument.
fn unsafe_code(path: &Path, contents: &str) -> Vec<Finding> {
    const ALLOWED: [&str; 15] = [
        "crates/ssl-provider-aws-lc/",
        "crates/ssl-provider-bare/",
        "crates/ssl-provider-openssl/",
        "crates/ssl-provider-capi/",
        "crates/ssl-provider-memory/",
        "crates/ssl-provider-multibuffer/src/vector.rs",
        "xtask/planted/",
        "xtask/probe/",
        "benches/",
        "tests/downstream/outside/boringssl/",
        "tests/interop/peers/boringssl/",
        "tests/interop/peers/openssl/",
        "tests/interop/peers/s2n/",
        // Counts allocations, which takes an allocator.
        "tests/allocations.rs",
        // Looks at memory after it was freed, which takes an allocator that keeps it.
        "tests/wiping.rs",
    ];
    let keyword = ["uns", "afe"].concat();
    let allowed = ALLOWED.iter().any(|prefix| path.starts_with(prefix));
    let lines: Vec<&str> = contents.lines().collect();
    let mut findings = Vec::new();
    let uses = |(_, line): &(usize, &&str)| has_word(code_of(line), &keyword);
    for (index, line) in lines.iter().enumerate().filter(uses) {
        if !allowed {
            let message = format!("`{keyword}` outside the crates that may use it");
            findings.push(Finding::at(path, index + 1, message));
        } else if !line.contains(&format!("{keyword} fn"))
            && !line.contains(&format!("{keyword} extern"))
            && !is_argued(&lines[..index])
        {
            findings.push(Finding::at(path, index + 1, "no `// SAFETY:` comment above"));
        }
    }
    findings
}

/// Whether the lines before a statement end in a comment that argues safety. The statement may
/// have begun a few lines earlier.
fn is_argued(before: &[&str]) -> bool {
    const STATEMENT_LINES: usize = 4;
    let mut code_lines = 0;
    for line in before.iter().rev() {
        let line = line.trim_start();
        if line.starts_with("// SAFETY: ") {
            return true;
        }
        if !line.starts_with("//") {
            code_lines += 1;
            if code_lines > STATEMENT_LINES || line.is_empty() {
                return false;
            }
        }
    }
    false
}

/// No library removes RSA padding (Bleichenbacher): only the raw operation and core's routine.
fn padding_modes(path: &Path, contents: &str) -> Vec<Finding> {
    // Tests may encrypt, and compare with a library's own result.
    let tested = path.components().any(|part| {
        ["tests", "benches", "ssl-provider-testkit"].iter().any(|name| part.as_os_str() == *name)
    });
    if tested {
        return Vec::new();
    }
    let modes = [
        ["Padding::PK", "CS1"],
        ["Padding::PK", "CS1_OAEP"],
        ["Pkcs1v15", "Encrypt"],
        ["RSA_PKCS1_", "PADDING"],
        ["RSA_PKCS1_WITH_TLS_", "PADDING"],
        ["Pkcs1PrivateDecrypting", "Key"],
    ]
    .map(|pieces| (pieces.concat(), "is not for backends, which do the raw RSA operation only"));
    let before_tests = contents.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    with_words(path, before_tests.map(code_of), &modes)
}

/// A finding for each of the words in each of the lines, with what is wrong with it.
fn with_words<'a>(
    path: &Path,
    lines: impl Iterator<Item = &'a str>,
    words: &[(String, &str)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in lines.enumerate() {
        for (word, why) in words.iter().filter(|(word, _)| has_word(line, word)) {
            findings.push(Finding::at(path, index + 1, format!("`{word}` {why}")));
        }
    }
    findings
}

/// The line without a comment that fills it or ends it.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// Whether `word` is in the line, and not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, found)| {
        let before = line[..start].chars().next_back();
        let after = line[start + found.len()..].chars().next();
        let joined_before = word.starts_with(in_word) && before.is_some_and(in_word);
        let joined_after = word.ends_with(in_word) && after.is_some_and(in_word);
        // A path of a machine is absolute: nothing that is part of a longer path comes before it.
        let relative =
            word.starts_with('/') && before.is_some_and(|c| in_word(c) || ".~})".contains(c));
        !joined_before && !joined_after && !relative
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "//! What this file is for.\n//! And what else it holds.\n";

    fn messages(path: &str, body: &str) -> Vec<String> {
        check(Path::new(path), &format!("{HEADER}{body}"))
            .into_iter()
            .map(|finding| finding.message)
            .collect()
    }

    #[test]
    fn a_clean_file_has_no_finding() {
        assert_eq!(messages("crates/x/src/lib.rs", "fn main() {}\n"), [""; 0]);
    }

    #[test]
    fn a_missing_header_is_found() {
        for contents in ["fn main() {}\n", "// What it is for.\nfn main() {}\n", "//!\n//!\n", ""] {
            let findings = check(Path::new("crates/x/src/lib.rs"), contents);
            assert_eq!(findings.len(), 1, "{contents:?}");
            assert_eq!(findings[0].place, "crates/x/src/lib.rs:1");
        }
    }

    #[test]
    fn every_language_has_a_header_with_the_purpose() {
        for (path, good, bad) in [
            (
                "a.py",
                "#!/usr/bin/env python3\n\"\"\"Makes a thing of things.\"\"\"\n",
                "import os\n",
            ),
            ("a.sh", "#!/bin/sh\n# Makes a thing of things.\n", "#!/bin/sh\nset -eu\n"),
            ("a.go", "// A client of something.\n", "package main\n"),
            ("a.java", "// A client of something.\n", "import java.util.List;\n"),
            ("a.c", "/* Programs of something. */\n", "#include <stdio.h>\n"),
            ("a.h", "/*\n * What programs share.\n */\n", "/*\n */\n"),
        ] {
            assert_eq!(check(Path::new(path), good), [], "{path}");
            assert_eq!(check(Path::new(path), bad).len(), 1, "{path}");
        }
    }

    #[test]
    fn a_line_of_101_columns_is_found_and_one_of_100_is_not() {
        assert_eq!(messages("a.rs", &"x".repeat(100)), [""; 0]);
        assert_eq!(messages("a.rs", &"x".repeat(101)).len(), 1);
        assert_eq!(messages("a.rs", &"…".repeat(100)), [""; 0]);
        let script = format!("# What this is for.\n{}\n", "x".repeat(101));
        assert_eq!(check(Path::new("a.sh"), &script).len(), 1);
    }

    #[test]
    fn leftovers_are_found() {
        for pieces in [["// TO", "DO: later"], ["// FIX", "ME"], ["db", "g!(x)"], ["#[ig", "nore]"]]
        {
            assert_eq!(messages("a.rs", &pieces.concat()).len(), 1, "{pieces:?}");
        }
        assert_eq!(messages("a.rs", &["mas", "TO", "DON"].concat()), [""; 0]);
    }

    #[test]
    fn registry_hosts_and_paths_of_a_machine_are_found_in_any_file() {
        for pieces in
            [["see https://py", "pi.org/x"], ["out = \"/tm", "p/x\""], ["cd /wo", "rk/main"]]
        {
            assert_eq!(check(Path::new("notes.md"), &pieces.concat()).len(), 1, "{pieces:?}");
        }
        for fine in ["target/tmp/x", "./work/x", "$HOME/work/x", "teamwork/x"] {
            assert_eq!(check(Path::new("notes.md"), fine), [], "{fine}");
        }
    }

    #[test]
    fn code_that_may_not_be_unsafe_is_found() {
        let block = ["let x = uns", "afe { f() };\n"].concat();
        assert_eq!(messages("crates/ssl-provider-core/src/a.rs", &block).len(), 1);
        let lint = ["#![forbid(uns", "afe_code)]\n"].concat();
        assert_eq!(messages("crates/ssl-provider-core/src/a.rs", &lint), [""; 0]);
    }

    #[test]
    fn code_without_an_argument_is_found() {
        let path = "crates/ssl-provider-openssl/src/a.rs";
        let block = ["let x = uns", "afe { f() };\n"].concat();
        assert_eq!(messages(path, &block).len(), 1);
        assert_eq!(messages(path, &format!("// A comment.\n{block}")).len(), 1);
        assert_eq!(messages(path, &format!("// SAFETY: f has no conditions.\n{block}")), [""; 0]);
        let far = format!("// SAFETY: f has no conditions.\nf();\n\n{block}");
        assert_eq!(messages(path, &far).len(), 1);
    }

    #[test]
    fn the_padding_of_pss_is_one_of_signatures_only() {
        let line = "context.set_rsa_padding(Padding::PKCS1_PSS)?;";
        assert_eq!(messages("crates/ssl-provider-openssl/src/signature.rs", line), [""; 0]);
    }

    #[test]
    fn a_padding_mode_is_found_in_code_and_allowed_in_tests() {
        for pieces in [
            ["key.private_decrypt(c, m, Padding::PK", "CS1)"],
            ["key.private_decrypt(c, m, Padding::PK", "CS1_OAEP)"],
            ["key.decrypt(Pkcs1v15", "Encrypt, c)"],
            ["RSA_decrypt(key, RSA_PKCS1_", "PADDING)"],
            ["use aws_lc_rs::rsa::Pkcs1PrivateDecrypting", "Key;"],
        ] {
            let line = pieces.concat();
            assert_eq!(
                messages("crates/ssl-provider-openssl/src/rsa.rs", &line).len(),
                1,
                "{line}"
            );
            assert_eq!(messages("tests/oracle.rs", &line), [""; 0]);
            let test = format!("#[cfg(test)]\n{line}\n");
            assert_eq!(messages("crates/ssl-provider-openssl/src/rsa.rs", &test), [""; 0]);
        }
    }
}
