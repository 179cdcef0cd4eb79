//! Key encapsulation by name (FIPS 203), and the groups of TLS 1.3 that join it with a curve.

use crate::algorithm::NamedCurve;

/// Length of the secret of every key encapsulation of the interface, in bytes.
pub const KEM_SECRET_LEN: usize = 32;

/// A key encapsulation mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KemAlgorithm {
    /// ML-KEM-768 (FIPS 203).
    MlKem768,
    /// ML-KEM-1024 (FIPS 203).
    MlKem1024,
}

impl KemAlgorithm {
    /// Every mechanism of the interface.
    pub const ALL: [Self; 2] = [Self::MlKem768, Self::MlKem1024];

    /// Returns the length of an encapsulation key in bytes (FIPS 203 table 3).
    pub const fn encapsulation_key_len(self) -> usize {
        match self {
            Self::MlKem768 => 1184,
            Self::MlKem1024 => 1568,
        }
    }

    /// Returns the length of a decapsulation key in its expanded form, in bytes (FIPS 203 table 3).
    pub const fn decapsulation_key_len(self) -> usize {
        match self {
            Self::MlKem768 => 2400,
            Self::MlKem1024 => 3168,
        }
    }

    /// Returns the length of a ciphertext in bytes (FIPS 203 table 3).
    pub const fn ciphertext_len(self) -> usize {
        match self {
            Self::MlKem768 => 1088,
            Self::MlKem1024 => 1568,
        }
    }

    /// Returns the usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlKem768 => "ML-KEM-768",
            Self::MlKem1024 => "ML-KEM-1024",
        }
    }
}

/// A group of TLS 1.3 whose secret is that of a curve and that of a key encapsulation, one behind
/// the other (draft-ietf-tls-ecdhe-mlkem).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HybridGroup {
    /// X25519MLKEM768.
    X25519MlKem768,
    /// SecP256r1MLKEM768.
    Secp256r1MlKem768,
    /// SecP384r1MLKEM1024.
    Secp384r1MlKem1024,
}

impl HybridGroup {
    /// Every hybrid group of the interface, those that are preferred first.
    pub const ALL: [Self; 3] =
        [Self::X25519MlKem768, Self::Secp256r1MlKem768, Self::Secp384r1MlKem1024];

    /// Returns the group with this number in the registry of TLS Supported Groups.
    pub fn from_wire(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.wire() == number)
    }

    /// Returns the number in the registry of TLS Supported Groups.
    pub const fn wire(self) -> u16 {
        match self {
            Self::Secp256r1MlKem768 => 4587,
            Self::X25519MlKem768 => 4588,
            Self::Secp384r1MlKem1024 => 4589,
        }
    }

    /// Returns the name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::Secp256r1MlKem768 => "SecP256r1MLKEM768",
            Self::Secp384r1MlKem1024 => "SecP384r1MLKEM1024",
        }
    }

    /// Returns the name in Windows, which lists hybrid groups with its curves.
    pub const fn cng_name(self) -> &'static str {
        match self {
            Self::X25519MlKem768 => "x25519_mlkem768",
            Self::Secp256r1MlKem768 => "secp256r1_mlkem768",
            Self::Secp384r1MlKem1024 => "secp384r1_mlkem1024",
        }
    }

    /// Returns the curve.
    pub const fn curve(self) -> NamedCurve {
        match self {
            Self::X25519MlKem768 => NamedCurve::X25519,
            Self::Secp256r1MlKem768 => NamedCurve::Secp256r1,
            Self::Secp384r1MlKem1024 => NamedCurve::Secp384r1,
        }
    }

    /// Returns the key encapsulation.
    pub const fn kem(self) -> KemAlgorithm {
        match self {
            Self::X25519MlKem768 | Self::Secp256r1MlKem768 => KemAlgorithm::MlKem768,
            Self::Secp384r1MlKem1024 => KemAlgorithm::MlKem1024,
        }
    }

    /// Returns whether the part of the key encapsulation stands before that of the curve, in shares
    /// and in the secret, which is so with X25519 alone.
    pub const fn is_kem_first(self) -> bool {
        matches!(self, Self::X25519MlKem768)
    }

    /// Returns the length of the client's share in bytes.
    pub const fn client_share_len(self) -> usize {
        self.curve().public_key_len() + self.kem().encapsulation_key_len()
    }

    /// Returns the length of the server's share in bytes.
    pub const fn server_share_len(self) -> usize {
        self.curve().public_key_len() + self.kem().ciphertext_len()
    }

    /// Returns the length of the secret in bytes.
    pub const fn secret_len(self) -> usize {
        self.curve().coordinate_len() + KEM_SECRET_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_draft() {
        let lens = |group: HybridGroup| {
            (group.client_share_len(), group.server_share_len(), group.secret_len())
        };
        assert_eq!(lens(HybridGroup::X25519MlKem768), (1216, 1120, 64));
        assert_eq!(lens(HybridGroup::Secp256r1MlKem768), (1249, 1153, 64));
        assert_eq!(lens(HybridGroup::Secp384r1MlKem1024), (1665, 1665, 80));
        for group in HybridGroup::ALL {
            assert_eq!(HybridGroup::from_wire(group.wire()), Some(group));
        }
    }
}
