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
}
