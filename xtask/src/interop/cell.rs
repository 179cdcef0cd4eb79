//! A cell of the matrix: everything that a connection is to negotiate, and the backend for it.

use std::fmt;

use crate::interop::stacks::Role;

/// A protocol version, with its wire number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    Ssl3 = 0x0300,
    Tls1_0 = 0x0301,
    Tls1_1 = 0x0302,
    Tls1_2 = 0x0303,
    Tls1_3 = 0x0304,
}

impl Version {
    /// Every version, the oldest first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Ssl3, Self::Tls1_0, Self::Tls1_1, Self::Tls1_2, Self::Tls1_3];

    /// Those before TLS 1.3.
    pub(crate) const OLDER: [Self; 4] = [Self::Ssl3, Self::Tls1_0, Self::Tls1_1, Self::Tls1_2];

    /// Returns its name, which the server uses too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ssl3 => "SSL 3.0",
            Self::Tls1_0 => "TLS 1.0",
            Self::Tls1_1 => "TLS 1.1",
            Self::Tls1_2 => "TLS 1.2",
            Self::Tls1_3 => "TLS 1.3",
        }
    }

    /// Returns its name as an argument of `sslprov`.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Ssl3 => "ssl3",
            Self::Tls1_0 => "tls1.0",
            Self::Tls1_1 => "tls1.1",
            Self::Tls1_2 => "tls1.2",
            Self::Tls1_3 => "tls1.3",
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
    pub(crate) const CHACHA20: Self =
        cipher("ChaCha20-Poly1305", "CHACHA20-POLY1305", "CHACHA20-POLY1305", "ChaCha20Poly1305");
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
    pub(crate) const SHA384: Self = Self { openssl: "-SHA384", gnutls: "SHA384", botan: "SHA-384" };
    pub(crate) const AEAD: Self = Self { openssl: "", gnutls: "AEAD", botan: "AEAD" };
}

/// A key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    Rsa,
    EcdheEcdsa,
    EcdheRsa,
    DheRsa,
    /// Of TLS 1.3, whose suites name none.
    Tls13,
}

impl Exchange {
    /// Whether its ephemeral keys are on curves.
    pub(crate) const fn is_ecdhe(self) -> bool {
        matches!(self, Self::EcdheEcdsa | Self::EcdheRsa)
    }
}

/// A cipher suite.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    /// Its number in the IANA registry.
    pub(crate) id: u16,
    /// Its name there.
    pub(crate) name: &'static str,
    pub(crate) exchange: Exchange,
    pub(crate) cipher: Cipher,
    pub(crate) mac: Mac,
}

/// The suites of the matrix: every suite that `sslprov serve` can negotiate.
pub(crate) const SUITES: [Suite; 45] = [
    tls13(0x1301, "TLS_AES_128_GCM_SHA256", Cipher::AES_128_GCM),
    tls13(0x1302, "TLS_AES_256_GCM_SHA384", Cipher::AES_256_GCM),
    tls13(0x1303, "TLS_CHACHA20_POLY1305_SHA256", Cipher::CHACHA20),
    tls13(0x1304, "TLS_AES_128_CCM_SHA256", Cipher::AES_128_CCM),
    tls13(0x1305, "TLS_AES_128_CCM_8_SHA256", Cipher::AES_128_CCM_8),
    rsa(0x0001, "TLS_RSA_WITH_NULL_MD5", Cipher::NULL, Mac::MD5),
    rsa(0x0002, "TLS_RSA_WITH_NULL_SHA", Cipher::NULL, Mac::SHA1),
    rsa(0x0004, "TLS_RSA_WITH_RC4_128_MD5", Cipher::RC4, Mac::MD5),
    rsa(0x0005, "TLS_RSA_WITH_RC4_128_SHA", Cipher::RC4, Mac::SHA1),
    rsa(0x0009, "TLS_RSA_WITH_DES_CBC_SHA", Cipher::DES, Mac::SHA1),
    rsa(0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", Cipher::TRIPLE_DES, Mac::SHA1),
    rsa(0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA", Cipher::AES_128_CBC, Mac::SHA1),
    rsa(0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", Cipher::AES_256_CBC, Mac::SHA1),
    rsa(0x0041, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA", Cipher::CAMELLIA_128_CBC, Mac::SHA1),
    rsa(0x0084, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA", Cipher::CAMELLIA_256_CBC, Mac::SHA1),
    rsa(0x003B, "TLS_RSA_WITH_NULL_SHA256", Cipher::NULL, Mac::SHA256),
    rsa(0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256", Cipher::AES_128_CBC, Mac::SHA256),
    rsa(0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256", Cipher::AES_256_CBC, Mac::SHA256),
    rsa(0x00BA, "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256", Cipher::CAMELLIA_128_CBC, Mac::SHA256),
    rsa(0x00C0, "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256", Cipher::CAMELLIA_256_CBC, Mac::SHA256),
    rsa(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", Cipher::AES_128_GCM, Mac::AEAD),
    rsa(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", Cipher::AES_256_GCM, Mac::AEAD),
    rsa(0xC09C, "TLS_RSA_WITH_AES_128_CCM", Cipher::AES_128_CCM, Mac::AEAD),
    rsa(0xC09D, "TLS_RSA_WITH_AES_256_CCM", Cipher::AES_256_CCM, Mac::AEAD),
    rsa(0xC0A0, "TLS_RSA_WITH_AES_128_CCM_8", Cipher::AES_128_CCM_8, Mac::AEAD),
    rsa(0xC0A1, "TLS_RSA_WITH_AES_256_CCM_8", Cipher::AES_256_CCM_8, Mac::AEAD),
    ecdhe_ecdsa(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Cipher::AES_128_GCM, Mac::AEAD),
    ecdhe_rsa(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Cipher::AES_128_GCM, Mac::AEAD),
    ecdhe_ecdsa(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Cipher::AES_256_GCM, Mac::AEAD),
    ecdhe_rsa(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Cipher::AES_256_GCM, Mac::AEAD),
    ecdhe_ecdsa(
        0xCCA9,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Cipher::CHACHA20,
        Mac::AEAD,
    ),
    ecdhe_rsa(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Cipher::CHACHA20, Mac::AEAD),
    ecdhe_ecdsa(
        0xC023,
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        Cipher::AES_128_CBC,
        Mac::SHA256,
    ),
    ecdhe_rsa(0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", Cipher::AES_128_CBC, Mac::SHA256),
    ecdhe_ecdsa(
        0xC024,
        "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        Cipher::AES_256_CBC,
        Mac::SHA384,
    ),
    ecdhe_rsa(0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", Cipher::AES_256_CBC, Mac::SHA384),
    ecdhe_ecdsa(0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", Cipher::AES_128_CBC, Mac::SHA1),
    ecdhe_rsa(0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Cipher::AES_128_CBC, Mac::SHA1),
    ecdhe_ecdsa(0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", Cipher::AES_256_CBC, Mac::SHA1),
    ecdhe_rsa(0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", Cipher::AES_256_CBC, Mac::SHA1),
    dhe_rsa(0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", Cipher::AES_128_GCM, Mac::AEAD),
    dhe_rsa(0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", Cipher::AES_256_GCM, Mac::AEAD),
    dhe_rsa(0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Cipher::CHACHA20, Mac::AEAD),
    dhe_rsa(0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", Cipher::AES_128_CBC, Mac::SHA1),
    dhe_rsa(0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", Cipher::AES_256_CBC, Mac::SHA1),
];

const fn rsa(id: u16, name: &'static str, cipher: Cipher, mac: Mac) -> Suite {
    Suite { id, name, exchange: Exchange::Rsa, cipher, mac }
}

const fn ecdhe_ecdsa(id: u16, name: &'static str, cipher: Cipher, mac: Mac) -> Suite {
    Suite { id, name, exchange: Exchange::EcdheEcdsa, cipher, mac }
}

const fn ecdhe_rsa(id: u16, name: &'static str, cipher: Cipher, mac: Mac) -> Suite {
    Suite { id, name, exchange: Exchange::EcdheRsa, cipher, mac }
}

const fn tls13(id: u16, name: &'static str, cipher: Cipher) -> Suite {
    Suite { id, name, exchange: Exchange::Tls13, cipher, mac: Mac::AEAD }
}

const fn dhe_rsa(id: u16, name: &'static str, cipher: Cipher, mac: Mac) -> Suite {
    Suite { id, name, exchange: Exchange::DheRsa, cipher, mac }
}

impl Suite {
    /// Whether its cipher is a block cipher in CBC mode, which encrypt-then-MAC is for (RFC 7366
    /// section 3).
    pub(crate) fn is_cbc(&self) -> bool {
        self.cipher.operation.ends_with("-CBC")
    }

    /// Whether its hash is SHA-384 (RFC 8446 appendix B.4).
    pub(crate) fn has_sha384(&self) -> bool {
        self.cipher == Cipher::AES_256_GCM
    }

    /// Whether the suite exists in `version`: MACs of SHA-2 and AEAD ciphers came with TLS 1.2,
    /// curves with TLS 1.0 (RFC 8422 section 1).
    pub(crate) fn exists_in(&self, version: Version) -> bool {
        let is_tls13 = self.exchange == Exchange::Tls13;
        if is_tls13 || version == Version::Tls1_3 {
            return is_tls13 && version == Version::Tls1_3;
        }
        match self.mac {
            Mac::MD5 | Mac::SHA1 => version != Version::Ssl3 || !self.exchange.is_ecdhe(),
            _ => version == Version::Tls1_2,
        }
    }

    /// Returns the groups that its ephemeral keys may be in; a single `None` without such keys.
    pub(crate) fn groups(&self) -> &'static [Option<Group>] {
        match self.exchange {
            Exchange::Rsa => &[None],
            Exchange::EcdheEcdsa | Exchange::EcdheRsa => &Group::CURVES,
            Exchange::DheRsa => &Group::FIELDS,
            Exchange::Tls13 => &Group::OF_TLS13,
        }
    }
}

/// A group of ephemeral keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    P256 = 23,
    P384 = 24,
    P521 = 25,
    X25519 = 29,
    Ffdhe2048 = 256,
    Ffdhe3072 = 257,
    Ffdhe4096 = 258,
    Secp256r1MlKem768 = 4587,
    X25519MlKem768 = 4588,
    Secp384r1MlKem1024 = 4589,
}

impl Group {
    /// Every group.
    pub(crate) const ALL: [Self; 10] = [
        Self::X25519,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Ffdhe2048,
        Self::Ffdhe3072,
        Self::Ffdhe4096,
        Self::X25519MlKem768,
        Self::Secp256r1MlKem768,
        Self::Secp384r1MlKem1024,
    ];

    /// The curves, the one that every stack has first.
    const CURVES: [Option<Self>; 4] =
        [Some(Self::P256), Some(Self::X25519), Some(Self::P384), Some(Self::P521)];

    /// The groups of TLS 1.3, the one that every stack has first.
    const OF_TLS13: [Option<Self>; 8] = [
        Some(Self::X25519),
        Some(Self::P256),
        Some(Self::P384),
        Some(Self::P521),
        Some(Self::Ffdhe2048),
        Some(Self::X25519MlKem768),
        Some(Self::Secp256r1MlKem768),
        Some(Self::Secp384r1MlKem1024),
    ];

    /// The finite fields of RFC 7919 that the stacks have.
    const FIELDS: [Option<Self>; 3] =
        [Some(Self::Ffdhe2048), Some(Self::Ffdhe3072), Some(Self::Ffdhe4096)];

    /// Returns its name in the IANA registry.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "secp256r1",
            Self::P384 => "secp384r1",
            Self::P521 => "secp521r1",
            Self::X25519 => "x25519",
            Self::Ffdhe2048 => "ffdhe2048",
            Self::Ffdhe3072 => "ffdhe3072",
            Self::Ffdhe4096 => "ffdhe4096",
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::Secp256r1MlKem768 => "SecP256r1MLKEM768",
            Self::Secp384r1MlKem1024 => "SecP384r1MLKEM1024",
        }
    }

    /// Whether it joins a curve with ML-KEM.
    pub(crate) const fn is_hybrid(self) -> bool {
        self.kem().is_some()
    }

    /// Returns the key encapsulation of a hybrid group, as an operation of a backend.
    pub(crate) const fn kem(self) -> Option<&'static str> {
        match self {
            Self::X25519MlKem768 | Self::Secp256r1MlKem768 => Some("ML-KEM-768"),
            Self::Secp384r1MlKem1024 => Some("ML-KEM-1024"),
            _ => None,
        }
    }

    /// Returns the group whose public key a client of TLS 1.3 sends first, in a cell in which it
    /// must be asked for that of this one. It is of the same kind, since many clients send one
    /// public key of each kind. Our own client sends one of a hybrid group and one of a curve.
    pub(crate) const fn before(self, role: Role) -> Self {
        match (self, role) {
            (Self::X25519MlKem768, Role::Server) => Self::Secp256r1MlKem768,
            (Self::Secp256r1MlKem768 | Self::Secp384r1MlKem1024, Role::Server) => {
                Self::X25519MlKem768
            }
            (Self::P256, _) => Self::P384,
            (Self::P384 | Self::P521 | Self::X25519, _) => Self::P256,
            _ => Self::X25519,
        }
    }

    /// Returns its name in the policies of Botan.
    pub(crate) const fn botan(self) -> &'static str {
        match self {
            Self::Ffdhe2048 => "ffdhe/ietf/2048",
            Self::Ffdhe3072 => "ffdhe/ietf/3072",
            Self::Ffdhe4096 => "ffdhe/ietf/4096",
            _ => self.name(),
        }
    }
}

/// The certificate that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientCertificate {
    None,
    Rsa,
    Ecdsa,
}

impl ClientCertificate {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Rsa, Self::Ecdsa];

    /// Returns its name for the programs and the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rsa => "rsa",
            Self::Ecdsa => "ecdsa",
        }
    }
}

/// How the second connection resumes the session of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resumption {
    /// By the id of the session, in a cache of the server.
    Id,
    /// By a ticket (RFC 5077).
    Ticket,
    /// There is no resumption.
    None,
    /// There is none, and a pre-shared key of TLS 1.3 stands for certificates on each connection.
    ExternalPsk,
}

impl Resumption {
    /// Returns its name for the programs and the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Ticket => "ticket",
            Self::None => "none",
            Self::ExternalPsk => "psk",
        }
    }

    /// Whether the second connection resumes the session of the first.
    pub(crate) const fn resumes(self) -> bool {
        matches!(self, Self::Id | Self::Ticket)
    }
}

/// What else happens on a connection of TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extra {
    Nothing,
    /// The peer replaces the keys of both directions before its data (RFC 8446 section 4.6.3).
    KeyUpdate,
    /// The client's data come as early data on the second connection (section 2.3).
    EarlyData,
}

impl Extra {
    pub(crate) const ALL: [Self; 3] = [Self::Nothing, Self::KeyUpdate, Self::EarlyData];

    /// Returns its name for the programs and the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "-",
            Self::KeyUpdate => "key-update",
            Self::EarlyData => "early-data",
        }
    }
}

/// One cell: what is to be negotiated, and nothing else is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Of our side.
    pub(crate) backend: &'static str,
    pub(crate) version: Version,
    pub(crate) suite: &'static Suite,
    pub(crate) group: Option<Group>,
    pub(crate) client_certificate: ClientCertificate,
    pub(crate) resumption: Resumption,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    /// Whether the server asks for another public key (HelloRetryRequest).
    pub(crate) retried: bool,
    pub(crate) extra: Extra,
}

/// The name and the key, in hexadecimal, of [`Resumption::ExternalPsk`].
pub(crate) const PSK: (&str, &str) =
    ("interop", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");

/// The label under which both sides export keying material, and the number of bytes.
pub(crate) const EXPORT: (&str, usize) = ("EXPERIMENTAL-interop", 32);

impl Cell {
    pub(crate) fn is_tls13(&self) -> bool {
        self.version == Version::Tls1_3
    }

    /// The number of connections that a server of the matrix accepts.
    pub(crate) const fn connections_to_server(&self) -> usize {
        if self.resumption.resumes() { 2 } else { 1 }
    }

    /// Whether both sides are to use encrypt-then-MAC: a server declines it for other ciphers.
    pub(crate) fn agrees_encrypt_then_mac(&self) -> bool {
        self.encrypt_then_mac && self.suite.is_cbc()
    }

    /// The certificate of the server: of the key exchange, and on the curve of the ephemeral keys.
    /// A client that offers that curve alone also accepts the certificate (RFC 8422 section 5.3).
    pub(crate) fn server_identity(&self) -> &'static str {
        match (self.suite.exchange, self.group) {
            (Exchange::EcdheEcdsa, Some(Group::P384)) => "server-p384",
            (Exchange::EcdheEcdsa, Some(Group::P521)) => "server-p521",
            (Exchange::EcdheEcdsa, _) => "server-p256",
            // In TLS 1.3, suites and groups say nothing about it.
            (Exchange::Tls13, Some(Group::P384)) => "server-p384",
            (Exchange::Tls13, _) if self.suite.id % 2 == 1 => "server-p256",
            _ => "server-rsa",
        }
    }

    /// Returns the groups that both sides support: first that of the ephemeral keys, then P-256
    /// where a certificate needs it. Not for the certificate of a client of `sslprov serve`, which
    /// accepts it anyway, and would prefer P-256 to larger curves.
    pub(crate) fn groups(&self, role: Role) -> Vec<Group> {
        let Some(group) = self.group else { return Vec::new() };
        if self.is_tls13() {
            return match self.retried {
                true => vec![group.before(role), group],
                false => vec![group],
            };
        }
        let by_server = group == Group::X25519 && self.suite.exchange == Exchange::EcdheEcdsa;
        let by_client = role == Role::Server && self.client_certificate == ClientCertificate::Ecdsa;
        let more = (by_server || by_client) && group != Group::P256;
        [group].into_iter().chain(more.then_some(Group::P256)).collect()
    }

    /// Returns those of them that the stack in this role supports: a server of TLS 1.3 only the one
    /// that it may have to ask for.
    pub(crate) fn peer_groups(&self, role: Role) -> Vec<Group> {
        match (role, self.is_tls13()) {
            (Role::Server, true) => self.group.into_iter().collect(),
            _ => self.groups(role),
        }
    }

    /// Returns the cell as a line for the programs in `tests/interop`.
    pub(crate) fn line(&self, role: Role) -> String {
        let groups = self.peer_groups(role);
        let groups: Vec<_> =
            groups.into_iter().map(|group| format!("{:04x}", group as u16)).collect();
        let groups = if groups.is_empty() { "-".to_owned() } else { groups.join(",") };
        format!(
            "{:04x} {:04x} {} {} {groups} {} {} {} {}",
            self.version as u16,
            self.suite.id,
            u8::from(self.extended_master_secret),
            u8::from(self.encrypt_then_mac),
            self.client_certificate.name(),
            self.resumption.name(),
            self.server_identity(),
            self.extra.name(),
        )
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.backend, self.version.name(), self.suite.name)?;
        if let Some(group) = self.group {
            write!(f, " {}", group.name())?;
        }
        if self.client_certificate != ClientCertificate::None {
            write!(f, " client {}", self.client_certificate.name())?;
        }
        write!(f, " {}", self.resumption.name())?;
        if self.extended_master_secret && !self.is_tls13() {
            f.write_str(" EMS")?;
        }
        if self.retried {
            f.write_str(" retried")?;
        }
        if self.extra != Extra::Nothing {
            write!(f, " {}", self.extra.name())?;
        }
        if self.encrypt_then_mac {
            f.write_str(" EtM")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn suites_have_numbers_and_names_of_their_own() {
        let ids: BTreeSet<_> = SUITES.iter().map(|suite| suite.id).collect();
        let names: BTreeSet<_> = SUITES.iter().map(|suite| suite.name).collect();
        assert_eq!((ids.len(), names.len()), (SUITES.len(), SUITES.len()));
        for suite in &SUITES {
            let exchange = match suite.exchange {
                Exchange::Rsa => "TLS_RSA_WITH_",
                Exchange::EcdheEcdsa => "TLS_ECDHE_ECDSA_WITH_",
                Exchange::EcdheRsa => "TLS_ECDHE_RSA_WITH_",
                Exchange::DheRsa => "TLS_DHE_RSA_WITH_",
                Exchange::Tls13 => "TLS_",
            };
            assert!(suite.name.starts_with(exchange), "{suite:?}");
        }
    }
}
