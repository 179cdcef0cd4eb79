//! Cipher suites as the command line takes them: by number in hex, or by name.

use ssl_provider::{CipherSuite, CipherSuiteInfo};

use crate::hex;

/// Reads a suite by its name in any case, or its number, which may be unknown.
pub(crate) fn suite(text: &str) -> Result<CipherSuite, String> {
    match CipherSuiteInfo::all().iter().find(|suite| suite.name.eq_ignore_ascii_case(text)) {
        Some(suite) => Ok(suite.id),
        None => hex::number(text).map(CipherSuite).map_err(|_| {
            "expected a hex number such as 0x002f, or a name that `sslprov suites` lists".to_owned()
        }),
    }
}

/// Reads a suite of a list that takes `default` and `legacy` too.
pub(crate) fn of_list(text: &str) -> Result<CipherSuite, String> {
    suite(text).map_err(|_| {
        let expected = "expected default, legacy, a hex number such as 0x002f, or a name that \
                        `sslprov suites` lists, separated by commas";
        match similar(text) {
            Some(name) => format!("{expected}; did you mean {name}?"),
            None => expected.to_owned(),
        }
    })
}

/// Returns the name that begins like this, or that differs in a few letters; none for other texts.
fn similar(text: &str) -> Option<&'static str> {
    const MOST_EDITS: usize = 3;
    let text = text.to_ascii_uppercase();
    if !text.contains("_WITH_") {
        return None;
    }
    let names = || CipherSuiteInfo::all().iter().map(|suite| suite.name);
    let longer = names().find(|name| name.starts_with(&text));
    longer.or_else(|| {
        let all = names().map(|name| (edits(&text, name), name));
        all.filter(|(edits, _)| *edits <= MOST_EDITS).min().map(|(_, name)| name)
    })
}

/// Counts the letters to insert, delete or replace between two texts (Levenshtein).
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, from) in one.bytes().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (above, to) in row.iter_mut().skip(1).zip(other.bytes()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *above;
            left = replaced.min(left + 1).min(diagonal + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_taken_by_number_and_by_name() {
        assert_eq!(
            suite("tls_rsa_with_aes_128_cbc_sha"),
            Ok(CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA)
        );
        assert_eq!(suite("9C"), Ok(CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256));
        assert!(suite("TLS_NO_SUCH_SUITE").is_err());
    }

    #[test]
    fn a_misspelt_suite_of_a_list_is_told_the_words_and_the_nearest_name() {
        for (text, name) in [
            ("TLS_RSA_WITH_AES_128_CBC", "TLS_RSA_WITH_AES_128_CBC_SHA"),
            ("tls_rsa_with_aes_128_cbc_sha1", "TLS_RSA_WITH_AES_128_CBC_SHA"),
            ("TLS_RSA_WITH_AES128_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ] {
            let told = of_list(text).unwrap_err();
            assert!(told.starts_with("expected default, legacy, a hex number"), "{told}");
            assert!(told.ends_with(&format!("commas; did you mean {name}?")), "{told}");
        }
        for text in ["defaults", "TLS", "", "AES128-SHA", "TLS_WITH_NOTHING_LIKE_IT"] {
            let told = of_list(text).unwrap_err();
            assert!(told.ends_with("commas"), "{told}");
        }
        assert_eq!(of_list("0x002f"), suite("002f"));
    }

    #[test]
    fn edits_are_counted() {
        for (one, other, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "axc", 1),
            ("abc", "ac", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(one, other), count, "{one} {other}");
        }
    }
}
