//! Signature algorithms and schemes by name.

use crate::algorithm::HashAlgorithm;

/// The algorithm of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    RsaPkcs1,
    /// RSASSA-PSS (RFC 8017 section 8.1) with a salt as long as the hash and MGF1 of that hash, for
    /// keys under the object identifier rsaEncryption (RFC 8446 section 4.2.3).
    RsaPss,
    /// ECDSA (FIPS 186-5 section 6).
    Ecdsa,
}

/// What is known of a scheme.
#[derive(Clone, Copy)]
struct Row {
    algorithm: SignatureAlgorithm,
    hashes: &'static [HashAlgorithm],
    wire: Option<u16>,
    name: &'static str,
}

macro_rules! schemes {
    ($(
        $(#[$doc:meta])*
        $scheme:ident: $algorithm:ident $hashes:expr, $wire:expr, $name:literal;
    )*) => {
        /// How a digest was signed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum SignatureScheme {
            $($(#[$doc])* $scheme,)*
        }

        impl SignatureScheme {
            /// Every scheme of the interface.
            pub const ALL: [Self; [$(Self::$scheme),*].len()] = [$(Self::$scheme),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$scheme => Row {
                        algorithm: SignatureAlgorithm::$algorithm,
                        hashes: &$hashes,
                        wire: $wire,
                        name: $name,
                    },)*
                }
            }
        }
    };
}

schemes! {
    /// RSASSA-PKCS1-v1_5 over a digest of any length without a DigestInfo, which would name the
    /// hash. TLS has no such scheme but the next one.
    RsaWithoutDigestInfo: RsaPkcs1 [], None, "RSA without DigestInfo";
    /// RSASSA-PKCS1-v1_5 over MD5 and SHA-1, one after the other, without a DigestInfo: for RSA
    /// keys up to TLS 1.1 (RFC 2246 section 7.4.3).
    RsaMd5Sha1: RsaPkcs1 [HashAlgorithm::Md5, HashAlgorithm::Sha1], None, "RSA with MD5+SHA-1";
    /// RSASSA-PKCS1-v1_5 over SHA-1.
    RsaSha1: RsaPkcs1 [HashAlgorithm::Sha1], Some(0x0201), "RSA with SHA-1";
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    RsaSha256: RsaPkcs1 [HashAlgorithm::Sha256], Some(0x0401), "RSA with SHA-256";
    /// RSASSA-PKCS1-v1_5 over SHA-384.
    RsaSha384: RsaPkcs1 [HashAlgorithm::Sha384], Some(0x0501), "RSA with SHA-384";
    /// RSASSA-PKCS1-v1_5 over SHA-512.
    RsaSha512: RsaPkcs1 [HashAlgorithm::Sha512], Some(0x0601), "RSA with SHA-512";
    /// RSASSA-PSS over SHA-256: `rsa_pss_rsae_sha256`.
    RsaPssSha256: RsaPss [HashAlgorithm::Sha256], Some(0x0804), "RSA-PSS with SHA-256";
    /// RSASSA-PSS over SHA-384: `rsa_pss_rsae_sha384`.
    RsaPssSha384: RsaPss [HashAlgorithm::Sha384], Some(0x0805), "RSA-PSS with SHA-384";
    /// RSASSA-PSS over SHA-512: `rsa_pss_rsae_sha512`, for keys of 1034 bits or more.
    RsaPssSha512: RsaPss [HashAlgorithm::Sha512], Some(0x0806), "RSA-PSS with SHA-512";
    /// ECDSA over SHA-1, which is also that of TLS 1.1 and earlier (RFC 8422 section 5.10).
    EcdsaSha1: Ecdsa [HashAlgorithm::Sha1], Some(0x0203), "ECDSA with SHA-1";
    /// ECDSA over SHA-256.
    EcdsaSha256: Ecdsa [HashAlgorithm::Sha256], Some(0x0403), "ECDSA with SHA-256";
    /// ECDSA over SHA-384.
    EcdsaSha384: Ecdsa [HashAlgorithm::Sha384], Some(0x0503), "ECDSA with SHA-384";
    /// ECDSA over SHA-512.
    EcdsaSha512: Ecdsa [HashAlgorithm::Sha512], Some(0x0603), "ECDSA with SHA-512";
}

impl SignatureScheme {
    /// Returns the scheme of a number on the wire, such as 0x0401: a `SignatureAndHashAlgorithm` of
    /// TLS 1.2 (RFC 5246 section 7.4.1.4.1) or a `SignatureScheme` (RFC 8446 section 4.2.3); none
    /// for one that is not verified here.
    pub fn from_wire(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.wire() == Some(number))
    }

    /// Returns the number on the wire; none for a scheme that TLS does not negotiate.
    pub const fn wire(self) -> Option<u16> {
        self.row().wire
    }

    /// Returns the algorithm.
    pub const fn algorithm(self) -> SignatureAlgorithm {
        self.row().algorithm
    }

    /// Returns the hashes that make up the digest, one after the other: two for
    /// [`RsaMd5Sha1`](Self::RsaMd5Sha1), none where the scheme does not say, else one.
    pub const fn hashes(self) -> &'static [HashAlgorithm] {
        self.row().hashes
    }

    /// Returns the length of the digest in bytes; none where it may be any length.
    pub fn digest_len(self) -> Option<usize> {
        let lengths = self.hashes().iter().map(|hash| hash.output_len());
        lengths.reduce(|sum, len| sum + len)
    }

    /// Returns whether keys of this scheme are RSA keys; they are on a curve otherwise.
    pub const fn is_rsa(self) -> bool {
        match self.algorithm() {
            SignatureAlgorithm::RsaPkcs1 | SignatureAlgorithm::RsaPss => true,
            SignatureAlgorithm::Ecdsa => false,
        }
    }

    /// Returns the usual name.
    pub const fn name(self) -> &'static str {
        self.row().name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_numbers_name_hash_and_key() {
        use HashAlgorithm::{Sha1, Sha256, Sha384, Sha512};

        let mut count = 0;
        for number in 0..=u16::MAX {
            let Some(scheme) = SignatureScheme::from_wire(number) else { continue };
            let (algorithm, hash) = match number.to_be_bytes() {
                // RFC 5246 section 7.4.1.4.1.
                [hash, 1] => (SignatureAlgorithm::RsaPkcs1, hash),
                [hash, 3] => (SignatureAlgorithm::Ecdsa, hash),
                // RFC 8446 section 4.2.3.
                [8, hash] => (SignatureAlgorithm::RsaPss, hash),
                other => panic!("{other:?}"),
            };
            let hash = [Sha1, Sha1, Sha256, Sha384, Sha512][usize::from(hash) - 2];
            assert_ne!(hash, if number >> 8 == 3 { Sha1 } else { HashAlgorithm::Md5 }, "SHA-224");
            assert_eq!(scheme.algorithm(), algorithm, "{number:04x}");
            assert_eq!(scheme.hashes(), [hash], "{number:04x}");
            assert_eq!(scheme.digest_len(), Some(hash.output_len()), "{number:04x}");
            assert_eq!(scheme.wire(), Some(number));
            count += 1;
        }
        assert_eq!(count, 11);
        assert_eq!(SignatureScheme::from_wire(0x0101), None, "MD5");
        assert_eq!(SignatureScheme::from_wire(0x0202), None, "DSA");
        assert_eq!(SignatureScheme::from_wire(0x0809), None, "keys for RSA-PSS only");
    }

    #[test]
    fn schemes_that_tls_does_not_negotiate_have_no_number_and_no_name_of_a_hash() {
        let unnumbered = SignatureScheme::ALL.into_iter().filter(|scheme| scheme.wire().is_none());
        let lengths = unnumbered.map(|scheme| (scheme, scheme.digest_len()));
        assert_eq!(
            lengths.collect::<Vec<_>>(),
            [
                (SignatureScheme::RsaWithoutDigestInfo, None),
                (SignatureScheme::RsaMd5Sha1, Some(36))
            ]
        );
    }
}
