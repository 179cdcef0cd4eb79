//! The names of IANA's registry "TLS Cipher Suites", in a table that `iana.sh` generates.

const TABLE: &str = include_str!("iana.txt");

/// Returns the registered name of a cipher suite.
pub(crate) fn name(suite: u16) -> Option<&'static str> {
    let number = format!("{suite:04x} ");
    TABLE.lines().find_map(|line| line.strip_prefix(&number))
}

#[cfg(test)]
mod tests {
    use ssl_provider::CipherSuiteInfo;

    use super::*;

    #[test]
    fn names_are_those_of_the_registry_and_of_the_library() {
        assert_eq!(name(0x0000), Some("TLS_NULL_WITH_NULL_NULL"));
        assert_eq!(name(0x1301), Some("TLS_AES_128_GCM_SHA256"));
        assert_eq!(name(0xc02f), Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!(name(0x00c7), Some("TLS_SM4_CCM_SM3"));
        assert_eq!([0x0a0a, 0xcc13, 0xe011, 0xffff].map(name), [None; 4]);
        for suite in CipherSuiteInfo::all() {
            // Those of SSL 2.0 have longer numbers.
            let registered = u16::try_from(suite.id.0).ok().and_then(name);
            assert!(registered.is_none_or(|name| name == suite.name), "{}", suite.name);
        }
    }
}
