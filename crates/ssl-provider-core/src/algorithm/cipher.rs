//! Record ciphers by name.

/// A block cipher in CBC mode, as records use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CbcAlgorithm {
    /// DES, whose 56 bits a home computer searches: for old captures and devices.
    Des,
    /// Triple DES with three keys.
    TripleDes,
    /// AES with a 128-bit key.
    Aes128,
    /// AES with a 256-bit key.
    Aes256,
    /// Camellia with a 128-bit key (RFC 3713).
    Camellia128,
    /// Camellia with a 256-bit key (RFC 3713).
    Camellia256,
}

impl CbcAlgorithm {
    /// Every block cipher of the interface.
    pub const ALL: [Self; 6] = [
        Self::Des,
        Self::TripleDes,
        Self::Aes128,
        Self::Aes256,
        Self::Camellia128,
        Self::Camellia256,
    ];

    /// Returns the length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::TripleDes => 24,
            Self::Aes128 | Self::Camellia128 => 16,
            Self::Aes256 | Self::Camellia256 => 32,
        }
    }

    /// Returns the length of a block, and of the IV, in bytes.
    pub const fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes => 8,
            Self::Aes128 | Self::Aes256 | Self::Camellia128 | Self::Camellia256 => 16,
        }
    }

    /// Returns the usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "DES-CBC",
            Self::TripleDes => "3DES-CBC",
            Self::Aes128 => "AES-128-CBC",
            Self::Aes256 => "AES-256-CBC",
            Self::Camellia128 => "Camellia-128-CBC",
            Self::Camellia256 => "Camellia-256-CBC",
        }
    }
}

/// An AEAD cipher, as records use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AeadAlgorithm {
    /// AES in Galois/counter mode with a 128-bit key (RFC 5288).
    Aes128Gcm,
    /// AES in Galois/counter mode with a 256-bit key (RFC 5288).
    Aes256Gcm,
    /// AES in counter mode with CBC-MAC and a 128-bit key (RFC 6655).
    Aes128Ccm,
    /// AES in counter mode with CBC-MAC and a 256-bit key (RFC 6655).
    Aes256Ccm,
    /// As `Aes128Ccm`, with the tag cut to 8 bytes.
    Aes128Ccm8,
    /// As `Aes256Ccm`, with the tag cut to 8 bytes.
    Aes256Ccm8,
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Every AEAD cipher of the interface.
    pub const ALL: [Self; 7] = [
        Self::Aes128Gcm,
        Self::Aes256Gcm,
        Self::Aes128Ccm,
        Self::Aes256Ccm,
        Self::Aes128Ccm8,
        Self::Aes256Ccm8,
        Self::ChaCha20Poly1305,
    ];

    /// Returns the length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Ccm | Self::Aes128Ccm8 => 16,
            Self::Aes256Gcm | Self::Aes256Ccm | Self::Aes256Ccm8 | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Returns the length of the tag in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Gcm
            | Self::Aes256Gcm
            | Self::Aes128Ccm
            | Self::Aes256Ccm
            | Self::ChaCha20Poly1305 => 16,
            Self::Aes128Ccm8 | Self::Aes256Ccm8 => 8,
        }
    }

    /// Returns the usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::Aes128Ccm => "AES-128-CCM",
            Self::Aes256Ccm => "AES-256-CCM",
            Self::Aes128Ccm8 => "AES-128-CCM-8",
            Self::Aes256Ccm8 => "AES-256-CCM-8",
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        }
    }
}
