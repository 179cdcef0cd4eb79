//! A cell of the matrix: protocol version, cipher suite, and the extensions that the client offers.

use std::fmt;

use crate::interop::stacks::Stack;

/// A protocol version, with its wire number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    Ssl3 = 0x0300,
    Tls1_0 = 0x0301,
    Tls1_1 = 0x0302,
    Tls1_2 = 0x0303,
}

impl Version {
    /// Every version, the oldest first.
    pub(crate) const ALL: [Self; 4] = [Self::Ssl3, Self::Tls1_0, Self::Tls1_1, Self::Tls1_2];

    /// Returns its name, which the server uses too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls1_0 => "TLS 1.0",
            Self::Tls1_1 => "TLS 1.1",
            Self::Tls1_2 => "TLS 1.2",
        }
    }
}

/// The cipher of a suite, by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cipher {
    /// As an operation of a backend.
    pub(crate) operation: &'static str,
    /// In the suites of OpenSSL, which omits the key exchange and the mode of IANA's names.
    pub(crate) openssl: &'static str,
    /// In the priorities of GnuTLS.
    pub(crate) gnutls: &'static str,
    /// In the policies of Botan.
    pub(crate) botan: &'static str,
}

impl Cipher {
    pub(crate) const NULL: Self = cipher("NULL", "NULL", "NULL", "NULL");
    pub(crate) const RC4: Self = cipher("RC4", "RC4", "ARCFOUR-128", "RC4");
    pub(crate) const DES: Self = cipher("DES-CBC", "DES-CBC", "DES-CBC", "DES");
    pub(crate) const TRIPLE_DES: Self = cipher("3DES-CBC", "DES-CBC3", "3DES-CBC", "3DES");
    pub(crate) const AES_128_CBC: Self = cipher("AES-128-CBC", "AES128", "AES-128-CBC", "AES-128");
    pub(crate) const AES_256_CBC: Self = cipher("AES-256-CBC", "AES256", "AES-256-CBC", "AES-256");
    pub(crate) const CAMELLIA_128_CBC: Self =
        cipher("Camellia-128-CBC", "CAMELLIA128", "CAMELLIA-128-CBC", "Camellia-128");
    pub(crate) const CAMELLIA_256_CBC: Self =
        cipher("Camellia-256-CBC", "CAMELLIA256", "CAMELLIA-256-CBC", "Camellia-256");
    pub(crate) const AES_128_GCM: Self =
        cipher("AES-128-GCM", "AES128-GCM-SHA256", "AES-128-GCM", "AES-128/GCM");
    pub(crate) const AES_256_GCM: Self =
        cipher("AES-256-GCM", "AES256-GCM-SHA384", "AES-256-GCM", "AES-256/GCM");
    pub(crate) const AES_128_CCM: Self =
        cipher("AES-128-CCM", "AES128-CCM", "AES-128-CCM", "AES-128/CCM");
    pub(crate) const AES_256_CCM: Self =
        cipher("AES-256-CCM", "AES256-CCM", "AES-256-CCM", "AES-256/CCM");
    pub(crate) const AES_128_CCM_8: Self =
        cipher("AES-128-CCM-8", "AES128-CCM8", "AES-128-CCM-8", "AES-128/CCM(8)");
    pub(crate) const AES_256_CCM_8: Self =
        cipher("AES-256-CCM-8", "AES256-CCM8", "AES-256-CCM-8", "AES-256/CCM(8)");
}

const fn cipher(
    operation: &'static str,
    openssl: &'static str,
    gnutls: &'static str,
    botan: &'static str,
) -> Cipher {
    Cipher { operation, openssl, gnutls, botan }
}

/// The MAC of a suite, by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mac {
    /// At the end of OpenSSL's suites; those with AEAD ciphers end in the name of the cipher.
    pub(crate) openssl: &'static str,
    /// In the priorities of GnuTLS.
    pub(crate) gnutls: &'static str,
    /// In the policies of Botan.
    pub(crate) botan: &'static str,
}

impl Mac {
    pub(crate) const MD5: Self = Self { openssl: "-MD5", gnutls: "MD5", botan: "MD5" };
    pub(crate) const SHA1: Self = Self { openssl: "-SHA", gnutls: "SHA1", botan: "SHA-1" };
    pub(crate) const SHA256: Self = Self { openssl: "-SHA256", gnutls: "SHA256", botan: "SHA-256" };
    pub(crate) const AEAD: Self = Self { openssl: "", gnutls: "AEAD", botan: "AEAD" };
}

/// A cipher suite with RSA key exchange.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    /// Its number in the IANA registry.
    pub(crate) id: u16,
    /// Its name there.
    pub(crate) name: &'static str,
    pub(crate) cipher: Cipher,
    pub(crate) mac: Mac,
}

/// The suites of the matrix: every RSA suite whose records the project encrypts.
pub(crate) const SUITES: [Suite; 21] = [
    suite(0x0001, "TLS_RSA_WITH_NULL_MD5", Cipher::NULL, Mac::MD5),
    suite(0x0002, "TLS_RSA_WITH_NULL_SHA", Cipher::NULL, Mac::SHA1),
    suite(0x0004, "TLS_RSA_WITH_RC4_128_MD5", Cipher::RC4, Mac::MD5),
    suite(0x0005, "TLS_RSA_WITH_RC4_128_SHA", Cipher::RC4, Mac::SHA1),
    suite(0x0009, "TLS_RSA_WITH_DES_CBC_SHA", Cipher::DES, Mac::SHA1),
    suite(0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", Cipher::TRIPLE_DES, Mac::SHA1),
    suite(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", Cipher::AES_128_CBC, Mac::SHA1),
    suite(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", Cipher::AES_256_CBC, Mac::SHA1),
    suite(0x0041, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA", Cipher::CAMELLIA_128_CBC, Mac::SHA1),
    suite(0x0084, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA", Cipher::CAMELLIA_256_CBC, Mac::SHA1),
    suite(0x003B, "TLS_RSA_WITH_NULL_SHA256", Cipher::NULL, Mac::SHA256),
    suite(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", Cipher::AES_128_CBC, Mac::SHA256),
    suite(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", Cipher::AES_256_CBC, Mac::SHA256),
    suite(0x00BA, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256", Cipher::CAMELLIA_128_CBC, Mac::SHA256),
    suite(0x00C0, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256", Cipher::CAMELLIA_256_CBC, Mac::SHA256),
    suite(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", Cipher::AES_128_GCM, Mac::AEAD),
    suite(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", Cipher::AES_256_GCM, Mac::AEAD),
    suite(0xC09C, "TLS_RSA_WITH_AES_128_CCM", Cipher::AES_128_CCM, Mac::AEAD),
    suite(0xC09D, "TLS_RSA_WITH_AES_256_CCM", Cipher::AES_256_CCM, Mac::AEAD),
    suite(0xC0A0, "TLS_RSA_WITH_AES_128_CCM_8", Cipher::AES_128_CCM_8, Mac::AEAD),
    suite(0xC0A1, "TLS_RSA_WITH_AES_256_CCM_8", Cipher::AES_256_CCM_8, Mac::AEAD),
];

const fn suite(id: u16, name: &'static str, cipher: Cipher, mac: Mac) -> Suite {
    Suite { id, name, cipher, mac }
}

impl Suite {
    /// Whether its cipher is a block cipher in CBC mode, which encrypt-then-MAC is for (RFC 7366
    /// section 3).
    pub(crate) fn is_cbc(&self) -> bool {
        self.cipher.operation.ends_with("-CBC")
    }

    /// Whether the suite exists in `version`: MACs of SHA-256 and AEAD ciphers came with TLS 1.2.
    pub(crate) fn exists_in(&self, version: Version) -> bool {
        version == Version::Tls1_2 || matches!(self.mac, Mac::MD5 | Mac::SHA1)
    }
}

/// One cell: what the client offers, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) version: Version,
    pub(crate) suite: &'static Suite,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
}

impl Cell {
    /// Whether both sides are to use encrypt-then-MAC: a server declines it for other ciphers.
    pub(crate) fn agrees_encrypt_then_mac(&self) -> bool {
        self.encrypt_then_mac && self.suite.is_cbc()
    }

    /// Whether the short run has it: one suite in every version, one AEAD suite, and of what the
    /// client may offer all or nothing.
    fn is_in_smoke(&self) -> bool {
        let suite = matches!(
            (self.suite.cipher, self.suite.mac),
            (Cipher::AES_128_CBC, Mac::SHA1) | (Cipher::AES_128_GCM, _)
        );
        suite && (self.extended_master_secret == self.encrypt_then_mac || !self.suite.is_cbc())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version.name(), self.suite.name)?;
        if self.extended_master_secret {
            f.write_str(" EMS")?;
        }
        if self.encrypt_then_mac {
            f.write_str(" EtM")?;
        }
        Ok(())
    }
}

/// Returns every cell of a stack, also unsupported ones; only a few in a `smoke` run.
pub(crate) fn cells_of(stack: &Stack, smoke: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for version in Version::ALL {
        for suite in SUITES.iter().filter(|suite| suite.exists_in(version)) {
            cells.extend(variants(stack, version, suite));
        }
    }
    if smoke {
        cells.retain(Cell::is_in_smoke);
    }
    cells
}

/// Returns the combinations of extensions for `version` and `suite`. There is only one for a client
/// that supports neither, and for SSL 3.0, which has no extensions.
fn variants(stack: &Stack, version: Version, suite: &'static Suite) -> Vec<Cell> {
    let plain = Cell { version, suite, extended_master_secret: false, encrypt_then_mac: false };
    if version == Version::Ssl3 || stack.refusal(version, suite).is_some() {
        return vec![plain];
    }
    let encrypt_then_mac = stack.encrypt_then_mac.values();
    // Offered even where it has no effect, to check that the server declines it.
    let encrypt_then_mac = if suite.is_cbc() { encrypt_then_mac } else { &encrypt_then_mac[..1] };
    let mut cells = Vec::new();
    for &extended_master_secret in stack.extended_master_secret.values() {
        for &encrypt_then_mac in encrypt_then_mac {
            cells.push(Cell { extended_master_secret, encrypt_then_mac, ..plain });
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::interop::stacks::STACKS;

    #[test]
    fn suites_have_numbers_and_names_of_their_own() {
        let ids: BTreeSet<_> = SUITES.iter().map(|suite| suite.id).collect();
        let names: BTreeSet<_> = SUITES.iter().map(|suite| suite.name).collect();
        assert_eq!((ids.len(), names.len()), (SUITES.len(), SUITES.len()));
    }

    #[test]
    fn every_suite_is_in_the_matrix_of_every_stack() {
        for stack in &STACKS {
            let cells = cells_of(stack, false);
            for suite in &SUITES {
                for version in Version::ALL {
                    let found =
                        cells.iter().any(|cell| cell.suite == suite && cell.version == version);
                    assert_eq!(found, suite.exists_in(version), "{} {suite:?}", stack.name);
                }
            }
        }
    }

    #[test]
    fn a_smoke_run_has_every_version() {
        for stack in &STACKS {
            let cells = cells_of(stack, true);
            let versions: Vec<_> = Version::ALL
                .into_iter()
                .filter(|version| cells.iter().any(|cell| cell.version == *version))
                .collect();
            assert_eq!(versions, Version::ALL, "{}", stack.name);
            assert!(cells.len() < 20, "{} {}", stack.name, cells.len());
        }
    }
}
