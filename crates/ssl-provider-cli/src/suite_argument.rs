//! Cipher suites as the command line takes them: by number in hex, or by name.

use ssl_provider::CipherSuite;

use crate::hex;

/// Reads a suite by its name in any case, or its number, which may be unknown.
pub(crate) fn suite(text: &str) -> Result<u32, String> {
    match CipherSuite::all().iter().find(|suite| suite.name.eq_ignore_ascii_case(text)) {
        Some(suite) => Ok(suite.id),
        None => hex::number(text).map_err(|_| {
            "expected a hex number such as 0x002f, or a name that `sslprov suites` lists".to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_taken_by_number_and_by_name() {
        assert_eq!(suite("tls_rsa_with_aes_128_cbc_sha"), Ok(0x002f));
        assert_eq!(suite("9C"), Ok(0x009c));
        assert!(suite("TLS_NO_SUCH_SUITE").is_err());
    }
}
