//! The cipher suites of the interface: how each exchanges, encrypts, authenticates and derives.
//! All suites of `Sslprovider.h`, and the RSA suites of the IANA registry that the header lacks.

use std::fmt;

use crate::algorithm::{AeadAlgorithm, CbcAlgorithm, HashAlgorithm, PrfAlgorithm};
use crate::backend::KeyExchangeBackend;
use crate::error::Error;
use crate::operation::Operation;
use crate::version::ProtocolVersion;

/// A cipher suite: its number in the IANA registry, two bytes on the wire; three for SSL 2.0.
///
/// Any number can be held, because peers and C callers send any. [`info`](Self::info) returns the
/// facts about a suite that is known here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CipherSuite(pub u32);

impl CipherSuite {
    /// Returns the facts about the suite; none for one that is not known here.
    pub fn info(self) -> Option<&'static CipherSuiteInfo> {
        SUITES.iter().find(|info| info.id == self)
    }

    /// Returns the facts about a suite that an RSA key exchange over `version` may use.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedSuite`] when the suite is unknown, of another key exchange, or not of
    /// this version.
    pub fn for_rsa_key_exchange(
        self,
        version: ProtocolVersion,
    ) -> Result<&'static CipherSuiteInfo, Error> {
        self.info()
            .filter(|info| info.key_exchange.is_rsa() && info.allows(version))
            .ok_or(Error::UnsupportedSuite { given: self.0 })
    }
}

impl fmt::Display for CipherSuite {
    /// Writes the name, or the number of an unknown suite.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => f.pad(info.name),
            None => f.pad(&format!("0x{:04X}", self.0)),
        }
    }
}

impl fmt::Debug for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The facts about a cipher suite.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CipherSuiteInfo {
    /// The number.
    pub id: CipherSuite,
    /// The name in the header, or in the IANA registry where the header has none.
    pub name: &'static str,
    /// How the premaster secret is agreed.
    pub key_exchange: KeyExchange,
    /// How records are encrypted.
    pub cipher: BulkCipher,
    /// The hash of the record MAC; none for AEAD ciphers. SSL 3.0 does not use it as an HMAC.
    pub mac: Option<HashAlgorithm>,
    /// The PRF in TLS 1.2 and DTLS 1.2. Earlier versions have one PRF for all suites.
    pub prf: PrfAlgorithm,
    /// The lowest version that the suite is accepted with.
    ///
    /// AES-CBC and SHA-1 suites came with TLS 1.0 (RFC 3268), but SSL 3.0 peers negotiated them
    /// for decades, so they are accepted from SSL 3.0 on.
    pub lowest: ProtocolVersion,
    /// The highest version that the suite is accepted with.
    pub highest: ProtocolVersion,
    /// Whether the newest `Sslprovider.h` has it.
    pub in_windows_header: bool,
}

/// How a suite agrees on the premaster secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyExchange {
    /// The client encrypts it to the RSA key of the certificate.
    Rsa,
    /// As `Rsa`, with write keys cut down for export (RFC 2246 section 6.3.1). When the
    /// certificate's key was too long, a temporary key in ServerKeyExchange took its place.
    RsaExport,
    /// Ephemeral Diffie-Hellman, signed with DSS.
    DheDss,
    /// Ephemeral Diffie-Hellman, signed with DSS, with export keys.
    DheDssExport,
    /// Ephemeral Diffie-Hellman, signed with RSA.
    DheRsa,
    /// Ephemeral elliptic-curve Diffie-Hellman, signed with ECDSA.
    EcdheEcdsa,
    /// Ephemeral elliptic-curve Diffie-Hellman, signed with RSA.
    EcdheRsa,
    /// A pre-shared key.
    Psk,
    /// TLS 1.3, where the suite does not decide it.
    Tls13,
}

impl KeyExchange {
    /// Returns whether the client sends the premaster secret encrypted to an RSA key.
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa | Self::RsaExport)
    }

    /// Returns whether both sides agree with ephemeral keys on a curve.
    pub const fn is_ecdhe(self) -> bool {
        matches!(self, Self::EcdheEcdsa | Self::EcdheRsa)
    }

    /// Returns whether both sides agree with ephemeral keys in a finite field.
    pub const fn is_dhe(self) -> bool {
        matches!(self, Self::DheDss | Self::DheDssExport | Self::DheRsa)
    }

    /// Returns whether the premaster secret is made of a pre-shared key alone.
    pub const fn is_psk(self) -> bool {
        matches!(self, Self::Psk)
    }

    /// Returns whether write keys go through the export derivation.
    pub const fn is_export(self) -> bool {
        matches!(self, Self::RsaExport | Self::DheDssExport)
    }

    /// Returns the usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::RsaExport => "RSA_EXPORT",
            Self::DheDss => "DHE_DSS",
            Self::DheDssExport => "DHE_DSS_EXPORT",
            Self::DheRsa => "DHE_RSA",
            Self::EcdheEcdsa => "ECDHE_ECDSA",
            Self::EcdheRsa => "ECDHE_RSA",
            Self::Psk => "PSK",
            Self::Tls13 => "any (TLS 1.3)",
        }
    }
}

/// A cipher with its mode and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkCipher {
    /// The algorithm.
    pub algorithm: CipherAlgorithm,
    /// The mode.
    pub mode: CipherMode,
    /// Bytes of the key that the cipher is used with.
    pub key_len: usize,
    /// Bytes of key in the key block; shorter than `key_len` in export suites.
    pub key_material_len: usize,
    /// Bits of strength, as the header counts them.
    pub bits: u32,
}

impl BulkCipher {
    /// Returns the bytes of a block; 1 for stream ciphers, as `dwCipherBlockLen` has it.
    pub const fn block_len(&self) -> usize {
        match self.algorithm {
            CipherAlgorithm::Null | CipherAlgorithm::Rc4 | CipherAlgorithm::ChaCha20 => 1,
            CipherAlgorithm::Rc2
            | CipherAlgorithm::Idea
            | CipherAlgorithm::Des
            | CipherAlgorithm::TripleDes => 8,
            CipherAlgorithm::Aes
            | CipherAlgorithm::Camellia
            | CipherAlgorithm::Seed
            | CipherAlgorithm::Aria => 16,
        }
    }

    /// Returns whether the cipher is an AEAD.
    pub const fn is_aead(&self) -> bool {
        matches!(
            self.mode,
            CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8 | CipherMode::Poly1305
        )
    }

    /// Returns the bytes of IV or salt per direction that `version` takes from the key block: a
    /// block for CBC up to TLS 1.0, none for CBC later, 4 for GCM and CCM (RFC 5288 section 3),
    /// 12 for ChaCha20-Poly1305 (RFC 7905 section 2) and in TLS 1.3 (RFC 8446 section 5.3), which
    /// derives it otherwise.
    pub const fn fixed_iv_len(&self, version: ProtocolVersion) -> usize {
        match self.mode {
            _ if is_tls13(version) => 12,
            CipherMode::Stream => 0,
            CipherMode::Cbc if version.has_explicit_iv() => 0,
            CipherMode::Cbc => self.block_len(),
            CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8 => 4,
            CipherMode::Poly1305 => 12,
        }
    }
}

/// A symmetric cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CipherAlgorithm {
    /// No encryption.
    Null,
    /// RC4.
    Rc4,
    /// RC2 (RFC 2268).
    Rc2,
    /// IDEA.
    Idea,
    /// DES.
    Des,
    /// Triple DES with three keys.
    TripleDes,
    /// AES.
    Aes,
    /// Camellia (RFC 3713).
    Camellia,
    /// SEED (RFC 4269).
    Seed,
    /// ARIA (RFC 5794).
    Aria,
    /// ChaCha20 (RFC 8439).
    ChaCha20,
}

/// How a cipher is used on records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CipherMode {
    /// A key stream, or none.
    Stream,
    /// Cipher block chaining, with a MAC.
    Cbc,
    /// Galois/counter mode, 16-byte tag.
    Gcm,
    /// Counter with CBC-MAC, 16-byte tag (RFC 6655).
    Ccm,
    /// Counter with CBC-MAC, 8-byte tag (RFC 6655).
    Ccm8,
    /// A stream cipher with Poly1305, 16-byte tag (RFC 8439).
    Poly1305,
}

const fn is_tls13(version: ProtocolVersion) -> bool {
    version.wire() == ProtocolVersion::TLS1_3.wire()
}

impl CipherSuiteInfo {
    /// Returns every known suite, those of the header first.
    pub fn all() -> &'static [Self] {
        SUITES
    }

    /// Returns whether the suite may be used with `version`.
    ///
    /// DTLS 1.0 counts as TLS 1.1 and DTLS 1.2 as TLS 1.2; neither takes RC4, whose key stream
    /// cannot lose a record (RFC 4347 section 4.1.2.2).
    pub fn allows(&self, version: ProtocolVersion) -> bool {
        let survives_loss = !(version.is_dtls() && self.cipher.algorithm == CipherAlgorithm::Rc4);
        (self.lowest..=self.highest).contains(&version.as_tls()) && survives_loss
    }

    /// Returns whether `backend` has the cipher of the suite, for its records.
    pub fn has_records(&self, backend: &dyn KeyExchangeBackend) -> bool {
        let operation = match self.record_cipher() {
            None => return false,
            Some(RecordCipher::Null(_)) => return true,
            Some(RecordCipher::Rc4(_)) => Operation::Rc4,
            Some(RecordCipher::Cbc(algorithm, _)) => Operation::Cbc(algorithm),
            Some(RecordCipher::Aead(algorithm)) => Operation::Aead(algorithm),
        };
        backend.support(operation).is_supported()
    }

    /// Returns what protects the records of the suite; none where no backend has the cipher.
    pub(crate) fn record_cipher(&self) -> Option<RecordCipher> {
        use CipherAlgorithm as A;
        use CipherMode as M;
        let BulkCipher { mode, algorithm, key_len, .. } = self.cipher;
        Some(match (mode, algorithm, key_len, self.mac) {
            (M::Stream, A::Null, _, Some(mac)) => RecordCipher::Null(mac),
            (M::Stream, A::Rc4, _, Some(mac)) => RecordCipher::Rc4(mac),
            (M::Cbc, A::Des, _, Some(mac)) => RecordCipher::Cbc(CbcAlgorithm::Des, mac),
            (M::Cbc, A::TripleDes, _, Some(mac)) => RecordCipher::Cbc(CbcAlgorithm::TripleDes, mac),
            (M::Cbc, A::Aes, 16, Some(mac)) => RecordCipher::Cbc(CbcAlgorithm::Aes128, mac),
            (M::Cbc, A::Aes, 32, Some(mac)) => RecordCipher::Cbc(CbcAlgorithm::Aes256, mac),
            (M::Cbc, A::Camellia, 16, Some(mac)) => {
                RecordCipher::Cbc(CbcAlgorithm::Camellia128, mac)
            }
            (M::Cbc, A::Camellia, 32, Some(mac)) => {
                RecordCipher::Cbc(CbcAlgorithm::Camellia256, mac)
            }
            (M::Gcm, A::Aes, 16, None) => RecordCipher::Aead(AeadAlgorithm::Aes128Gcm),
            (M::Gcm, A::Aes, 32, None) => RecordCipher::Aead(AeadAlgorithm::Aes256Gcm),
            (M::Ccm, A::Aes, 16, None) => RecordCipher::Aead(AeadAlgorithm::Aes128Ccm),
            (M::Ccm, A::Aes, 32, None) => RecordCipher::Aead(AeadAlgorithm::Aes256Ccm),
            (M::Ccm8, A::Aes, 16, None) => RecordCipher::Aead(AeadAlgorithm::Aes128Ccm8),
            (M::Ccm8, A::Aes, 32, None) => RecordCipher::Aead(AeadAlgorithm::Aes256Ccm8),
            (M::Poly1305, A::ChaCha20, _, None) => {
                RecordCipher::Aead(AeadAlgorithm::ChaCha20Poly1305)
            }
            _ => return None,
        })
    }
}

/// What protects the records of a suite: an algorithm that backends have, and the hash of the MAC.
#[derive(Clone, Copy)]
pub(crate) enum RecordCipher {
    Null(HashAlgorithm),
    Rc4(HashAlgorithm),
    Cbc(CbcAlgorithm, HashAlgorithm),
    Aead(AeadAlgorithm),
}

const NULL: BulkCipher = cipher(CipherAlgorithm::Null, CipherMode::Stream, 0, 0);
const RC4_40: BulkCipher =
    BulkCipher { key_material_len: 5, ..cipher(CipherAlgorithm::Rc4, CipherMode::Stream, 16, 40) };
const RC4_56: BulkCipher =
    BulkCipher { key_material_len: 7, ..cipher(CipherAlgorithm::Rc4, CipherMode::Stream, 16, 56) };
const RC4_128: BulkCipher = cipher(CipherAlgorithm::Rc4, CipherMode::Stream, 16, 128);
const RC2_CBC_40: BulkCipher =
    BulkCipher { key_material_len: 5, ..cipher(CipherAlgorithm::Rc2, CipherMode::Cbc, 16, 40) };
const RC2_CBC_128: BulkCipher = cipher(CipherAlgorithm::Rc2, CipherMode::Cbc, 16, 128);
const IDEA_CBC: BulkCipher = cipher(CipherAlgorithm::Idea, CipherMode::Cbc, 16, 128);
const DES40_CBC: BulkCipher =
    BulkCipher { key_material_len: 5, ..cipher(CipherAlgorithm::Des, CipherMode::Cbc, 8, 40) };
const DES_CBC: BulkCipher = cipher(CipherAlgorithm::Des, CipherMode::Cbc, 8, 56);
const TRIPLE_DES: BulkCipher = cipher(CipherAlgorithm::TripleDes, CipherMode::Cbc, 24, 168);
const AES_128_CBC: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Cbc, 16, 128);
const AES_256_CBC: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Cbc, 32, 256);
const AES_128_GCM: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Gcm, 16, 128);
const AES_256_GCM: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Gcm, 32, 256);
const AES_128_CCM: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Ccm, 16, 128);
const AES_256_CCM: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Ccm, 32, 256);
const AES_128_CCM8: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Ccm8, 16, 128);
const AES_256_CCM8: BulkCipher = cipher(CipherAlgorithm::Aes, CipherMode::Ccm8, 32, 256);
const CAMELLIA_128: BulkCipher = cipher(CipherAlgorithm::Camellia, CipherMode::Cbc, 16, 128);
const CAMELLIA_256: BulkCipher = cipher(CipherAlgorithm::Camellia, CipherMode::Cbc, 32, 256);
const CAMELLIA_128_GCM: BulkCipher = cipher(CipherAlgorithm::Camellia, CipherMode::Gcm, 16, 128);
const CAMELLIA_256_GCM: BulkCipher = cipher(CipherAlgorithm::Camellia, CipherMode::Gcm, 32, 256);
const SEED_CBC: BulkCipher = cipher(CipherAlgorithm::Seed, CipherMode::Cbc, 16, 128);
const ARIA_128: BulkCipher = cipher(CipherAlgorithm::Aria, CipherMode::Cbc, 16, 128);
const ARIA_256: BulkCipher = cipher(CipherAlgorithm::Aria, CipherMode::Cbc, 32, 256);
const ARIA_128_GCM: BulkCipher = cipher(CipherAlgorithm::Aria, CipherMode::Gcm, 16, 128);
const ARIA_256_GCM: BulkCipher = cipher(CipherAlgorithm::Aria, CipherMode::Gcm, 32, 256);

const CHACHA20_POLY1305: BulkCipher =
    cipher(CipherAlgorithm::ChaCha20, CipherMode::Poly1305, 32, 256);

const fn cipher(
    algorithm: CipherAlgorithm,
    mode: CipherMode,
    key_len: usize,
    bits: u32,
) -> BulkCipher {
    BulkCipher { algorithm, mode, key_len, key_material_len: key_len, bits }
}

/// Builds the constants and the table; each row is: number, name, key exchange, cipher, MAC, PRF,
/// lowest and highest version.
macro_rules! suites {
    (@header) => { true };
    (@registry) => { false };
    (@mac Aead) => { None };
    (@mac $mac:ident) => { Some(HashAlgorithm::$mac) };
    ($($header:ident { $($id:literal $name:ident $kx:ident $cipher:ident $mac:ident $prf:ident
        $lowest:ident $highest:ident;)* })*) => {
        impl CipherSuite {
            $($(
                #[doc = concat!("Number ", stringify!($id), ".")]
                pub const $name: Self = Self($id);
            )*)*
        }

        const SUITES: &[CipherSuiteInfo] = &[$($(CipherSuiteInfo {
            id: CipherSuite::$name,
            name: stringify!($name),
            key_exchange: KeyExchange::$kx,
            cipher: $cipher,
            mac: suites!(@mac $mac),
            prf: PrfAlgorithm::$prf,
            lowest: ProtocolVersion::$lowest,
            highest: ProtocolVersion::$highest,
            in_windows_header: suites!(@$header),
        },)*)*];
    };
}

// Numbers and names of the header block: `Sslprovider.h` of the Windows SDK. Version ranges:
// the defining RFCs, but for suites that later RFCs withdrew (DES, IDEA, export): deployed stacks
// went on to negotiate those up to TLS 1.2, so their range ends there.
suites! {
    header {
    0x0001 TLS_RSA_WITH_NULL_MD5 Rsa NULL Md5 Sha256 SSL3 TLS1_2;
    0x0002 TLS_RSA_WITH_NULL_SHA Rsa NULL Sha1 Sha256 SSL3 TLS1_2;
    0x0003 TLS_RSA_EXPORT_WITH_RC4_40_MD5 RsaExport RC4_40 Md5 Sha256 SSL3 TLS1_2;
    0x0004 TLS_RSA_WITH_RC4_128_MD5 Rsa RC4_128 Md5 Sha256 SSL3 TLS1_2;
    0x0005 TLS_RSA_WITH_RC4_128_SHA Rsa RC4_128 Sha1 Sha256 SSL3 TLS1_2;
    0x0009 TLS_RSA_WITH_DES_CBC_SHA Rsa DES_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x000A TLS_RSA_WITH_3DES_EDE_CBC_SHA Rsa TRIPLE_DES Sha1 Sha256 SSL3 TLS1_2;
    0x0012 TLS_DHE_DSS_WITH_DES_CBC_SHA DheDss DES_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0013 TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA DheDss TRIPLE_DES Sha1 Sha256 SSL3 TLS1_2;
    0x0016 TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA DheRsa TRIPLE_DES Sha1 Sha256 SSL3 TLS1_2;
    0x002F TLS_RSA_WITH_AES_128_CBC_SHA Rsa AES_128_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0032 TLS_DHE_DSS_WITH_AES_128_CBC_SHA DheDss AES_128_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0033 TLS_DHE_RSA_WITH_AES_128_CBC_SHA DheRsa AES_128_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0035 TLS_RSA_WITH_AES_256_CBC_SHA Rsa AES_256_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0038 TLS_DHE_DSS_WITH_AES_256_CBC_SHA DheDss AES_256_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0039 TLS_DHE_RSA_WITH_AES_256_CBC_SHA DheRsa AES_256_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x003B TLS_RSA_WITH_NULL_SHA256 Rsa NULL Sha256 Sha256 TLS1_2 TLS1_2;
    0x003C TLS_RSA_WITH_AES_128_CBC_SHA256 Rsa AES_128_CBC Sha256 Sha256 TLS1_2 TLS1_2;
    0x003D TLS_RSA_WITH_AES_256_CBC_SHA256 Rsa AES_256_CBC Sha256 Sha256 TLS1_2 TLS1_2;
    0x0040 TLS_DHE_DSS_WITH_AES_128_CBC_SHA256 DheDss AES_128_CBC Sha256 Sha256 TLS1_2 TLS1_2;
    0x0062 TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA RsaExport DES_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0063 TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA DheDssExport DES_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0064 TLS_RSA_EXPORT1024_WITH_RC4_56_SHA RsaExport RC4_56 Sha1 Sha256 SSL3 TLS1_2;
    0x006A TLS_DHE_DSS_WITH_AES_256_CBC_SHA256 DheDss AES_256_CBC Sha256 Sha256 TLS1_2 TLS1_2;
    0x009C TLS_RSA_WITH_AES_128_GCM_SHA256 Rsa AES_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0x009D TLS_RSA_WITH_AES_256_GCM_SHA384 Rsa AES_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0x009E TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 DheRsa AES_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0x009F TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 DheRsa AES_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0x00A8 TLS_PSK_WITH_AES_128_GCM_SHA256 Psk AES_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0x00A9 TLS_PSK_WITH_AES_256_GCM_SHA384 Psk AES_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0x00AE TLS_PSK_WITH_AES_128_CBC_SHA256 Psk AES_128_CBC Sha256 Sha256 TLS1_0 TLS1_2;
    0x00AF TLS_PSK_WITH_AES_256_CBC_SHA384 Psk AES_256_CBC Sha384 Sha384 TLS1_0 TLS1_2;
    0x00B0 TLS_PSK_WITH_NULL_SHA256 Psk NULL Sha256 Sha256 TLS1_0 TLS1_2;
    0x00B1 TLS_PSK_WITH_NULL_SHA384 Psk NULL Sha384 Sha384 TLS1_0 TLS1_2;
    0xC009 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA EcdheEcdsa AES_128_CBC Sha1 Sha256 TLS1_0 TLS1_2;
    0xC00A TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA EcdheEcdsa AES_256_CBC Sha1 Sha256 TLS1_0 TLS1_2;
    0xC013 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA EcdheRsa AES_128_CBC Sha1 Sha256 TLS1_0 TLS1_2;
    0xC014 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA EcdheRsa AES_256_CBC Sha1 Sha256 TLS1_0 TLS1_2;
    0xC023 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
        EcdheEcdsa AES_128_CBC Sha256 Sha256 TLS1_2 TLS1_2;
    0xC024 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
        EcdheEcdsa AES_256_CBC Sha384 Sha384 TLS1_2 TLS1_2;
    0xC027 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 EcdheRsa AES_128_CBC Sha256 Sha256 TLS1_2 TLS1_2;
    0xC028 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 EcdheRsa AES_256_CBC Sha384 Sha384 TLS1_2 TLS1_2;
    0xC02B TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 EcdheEcdsa AES_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0xC02C TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 EcdheEcdsa AES_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0xC02F TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 EcdheRsa AES_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0xC030 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 EcdheRsa AES_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0x1301 TLS_AES_128_GCM_SHA256 Tls13 AES_128_GCM Aead Sha256 TLS1_3 TLS1_3;
    0x1302 TLS_AES_256_GCM_SHA384 Tls13 AES_256_GCM Aead Sha384 TLS1_3 TLS1_3;
    0x1_0080 SSL_CK_RC4_128_WITH_MD5 Rsa RC4_128 Md5 Sha256 SSL2 SSL2;
    0x2_0080 SSL_CK_RC4_128_EXPORT40_WITH_MD5 RsaExport RC4_40 Md5 Sha256 SSL2 SSL2;
    0x3_0080 SSL_CK_RC2_128_CBC_WITH_MD5 Rsa RC2_CBC_128 Md5 Sha256 SSL2 SSL2;
    0x4_0080 SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5 RsaExport RC2_CBC_40 Md5 Sha256 SSL2 SSL2;
    0x5_0080 SSL_CK_IDEA_128_CBC_WITH_MD5 Rsa IDEA_CBC Md5 Sha256 SSL2 SSL2;
    0x6_0040 SSL_CK_DES_64_CBC_WITH_MD5 Rsa DES_CBC Md5 Sha256 SSL2 SSL2;
    0x7_00C0 SSL_CK_DES_192_EDE3_CBC_WITH_MD5 Rsa TRIPLE_DES Md5 Sha256 SSL2 SSL2;
    }
    registry {
    0x0006 TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5 RsaExport RC2_CBC_40 Md5 Sha256 SSL3 TLS1_2;
    0x0007 TLS_RSA_WITH_IDEA_CBC_SHA Rsa IDEA_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0008 TLS_RSA_EXPORT_WITH_DES40_CBC_SHA RsaExport DES40_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x0041 TLS_RSA_WITH_CAMELLIA_128_CBC_SHA Rsa CAMELLIA_128 Sha1 Sha256 SSL3 TLS1_2;
    0x0084 TLS_RSA_WITH_CAMELLIA_256_CBC_SHA Rsa CAMELLIA_256 Sha1 Sha256 SSL3 TLS1_2;
    0x0096 TLS_RSA_WITH_SEED_CBC_SHA Rsa SEED_CBC Sha1 Sha256 SSL3 TLS1_2;
    0x00BA TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256 Rsa CAMELLIA_128 Sha256 Sha256 TLS1_2 TLS1_2;
    0x00C0 TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256 Rsa CAMELLIA_256 Sha256 Sha256 TLS1_2 TLS1_2;
    0xC03C TLS_RSA_WITH_ARIA_128_CBC_SHA256 Rsa ARIA_128 Sha256 Sha256 TLS1_2 TLS1_2;
    0xC03D TLS_RSA_WITH_ARIA_256_CBC_SHA384 Rsa ARIA_256 Sha384 Sha384 TLS1_2 TLS1_2;
    0xC050 TLS_RSA_WITH_ARIA_128_GCM_SHA256 Rsa ARIA_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0xC051 TLS_RSA_WITH_ARIA_256_GCM_SHA384 Rsa ARIA_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0xC07A TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256 Rsa CAMELLIA_128_GCM Aead Sha256 TLS1_2 TLS1_2;
    0xC07B TLS_RSA_WITH_CAMELLIA_256_GCM_SHA384 Rsa CAMELLIA_256_GCM Aead Sha384 TLS1_2 TLS1_2;
    0xC09C TLS_RSA_WITH_AES_128_CCM Rsa AES_128_CCM Aead Sha256 TLS1_2 TLS1_2;
    0xC09D TLS_RSA_WITH_AES_256_CCM Rsa AES_256_CCM Aead Sha256 TLS1_2 TLS1_2;
    0xC0A0 TLS_RSA_WITH_AES_128_CCM_8 Rsa AES_128_CCM8 Aead Sha256 TLS1_2 TLS1_2;
    0xC0A1 TLS_RSA_WITH_AES_256_CCM_8 Rsa AES_256_CCM8 Aead Sha256 TLS1_2 TLS1_2;
    0x1303 TLS_CHACHA20_POLY1305_SHA256 Tls13 CHACHA20_POLY1305 Aead Sha256 TLS1_3 TLS1_3;
    0x1304 TLS_AES_128_CCM_SHA256 Tls13 AES_128_CCM Aead Sha256 TLS1_3 TLS1_3;
    0x1305 TLS_AES_128_CCM_8_SHA256 Tls13 AES_128_CCM8 Aead Sha256 TLS1_3 TLS1_3;
    0xCCA8 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        EcdheRsa CHACHA20_POLY1305 Aead Sha256 TLS1_2 TLS1_2;
    0xCCA9 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        EcdheEcdsa CHACHA20_POLY1305 Aead Sha256 TLS1_2 TLS1_2;
    0xCCAA TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        DheRsa CHACHA20_POLY1305 Aead Sha256 TLS1_2 TLS1_2;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_header_has_55_suites_and_no_id_appears_twice() {
        assert_eq!(SUITES.iter().filter(|suite| suite.in_windows_header).count(), 55);
        let ids: HashSet<_> = SUITES.iter().map(|info| info.id).collect();
        assert_eq!(ids.len(), SUITES.len());
    }

    #[test]
    fn names_agree_with_the_facts() {
        for suite in SUITES {
            let name = suite.name;
            assert_eq!(suite.cipher.is_aead(), suite.mac.is_none(), "{name}");
            assert_eq!(name.contains("GCM"), suite.cipher.mode == CipherMode::Gcm, "{name}");
            assert_eq!(name.contains("EXPORT"), suite.key_exchange.is_export(), "{name}");
            assert_eq!(name.ends_with("SHA384"), suite.prf == PrfAlgorithm::Sha384, "{name}");
            let rsa_by_name = name.starts_with("TLS_RSA_") || name.starts_with("SSL_CK_");
            assert_eq!(suite.key_exchange.is_rsa(), rsa_by_name, "{name}");
            assert!(suite.lowest <= suite.highest, "{name}");
            assert!(suite.cipher.key_material_len <= suite.cipher.key_len, "{name}");
        }
    }

    #[test]
    fn only_rsa_suites_of_the_version_are_taken_for_the_rsa_key_exchange() {
        let taken = |number, version| CipherSuite(number).for_rsa_key_exchange(version).is_ok();
        assert!(taken(0x002F, ProtocolVersion::TLS1_0));
        assert!(taken(0x0035, ProtocolVersion::SSL3));
        assert!(taken(0x009C, ProtocolVersion::DTLS1_2));
        assert!(!taken(0x009C, ProtocolVersion::TLS1_1), "AEAD before TLS 1.2");
        assert!(!taken(0x009C, ProtocolVersion::DTLS1_0), "AEAD before DTLS 1.2");
        assert!(!taken(0x0005, ProtocolVersion::DTLS1_0), "RC4 over datagrams");
        assert!(!taken(0xC02F, ProtocolVersion::TLS1_2), "ECDHE");
        assert!(!taken(0x1301, ProtocolVersion::TLS1_2), "TLS 1.3 suite");
        assert!(!taken(0x1_0080, ProtocolVersion::TLS1_2), "SSL 2.0 suite");
        assert!(!taken(0xffff, ProtocolVersion::TLS1_2), "unknown suite");
    }
}
