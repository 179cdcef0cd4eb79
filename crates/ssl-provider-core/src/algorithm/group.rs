//! Groups of Diffie-Hellman key agreement by name: curves, and the finite fields of RFC 7919.

/// What is known of a curve.
#[derive(Clone, Copy)]
struct Row {
    wire: u16,
    name: &'static str,
    cng_name: &'static str,
    oid: Option<&'static str>,
    bits: u32,
}

macro_rules! curves {
    ($(
        $(#[$doc:meta])*
        $curve:ident: $wire:literal, $name:literal, $cng_name:literal, $oid:expr, $bits:literal;
    )*) => {
        /// A curve of key agreement (RFC 8422 section 5.1.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum NamedCurve {
            $($(#[$doc])* $curve,)*
        }

        impl NamedCurve {
            /// Every curve of the interface, those that are preferred first.
            pub const ALL: [Self; [$(Self::$curve),*].len()] = [$(Self::$curve),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$curve => Row {
                        wire: $wire,
                        name: $name,
                        cng_name: $cng_name,
                        oid: $oid,
                        bits: $bits,
                    },)*
                }
            }
        }
    };
}

curves! {
    /// X25519 (RFC 7748 section 5), which Windows calls curve25519.
    X25519: 29, "x25519", "curve25519", None, 255;
    /// NIST P-256.
    Secp256r1: 23, "secp256r1", "nistP256", Some("1.2.840.10045.3.1.7"), 256;
    /// NIST P-384.
    Secp384r1: 24, "secp384r1", "nistP384", Some("1.3.132.0.34"), 384;
    /// NIST P-521.
    Secp521r1: 25, "secp521r1", "nistP521", Some("1.3.132.0.35"), 521;
    /// brainpoolP256r1 (RFC 7027), up to TLS 1.2.
    BrainpoolP256r1: 26, "brainpoolP256r1", "brainpoolP256r1", Some("1.3.36.3.3.2.8.1.1.7"), 256;
    /// brainpoolP384r1 (RFC 7027), up to TLS 1.2.
    BrainpoolP384r1: 27, "brainpoolP384r1", "brainpoolP384r1", Some("1.3.36.3.3.2.8.1.1.11"), 384;
    /// brainpoolP512r1 (RFC 7027), up to TLS 1.2.
    BrainpoolP512r1: 28, "brainpoolP512r1", "brainpoolP512r1", Some("1.3.36.3.3.2.8.1.1.13"), 512;
    /// secp256k1 (SEC 2).
    Secp256k1: 22, "secp256k1", "secP256k1", Some("1.3.132.0.10"), 256;
}

impl NamedCurve {
    /// Returns the curve of a number on the wire, such as 23 (RFC 8422 section 5.1.1); none for one
    /// that is not known here.
    pub fn from_wire(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.wire() == number)
    }

    /// Returns the number on the wire.
    pub const fn wire(self) -> u16 {
        self.row().wire
    }

    /// Returns the name in the IANA registry.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the name that CNG has for it.
    pub const fn cng_name(self) -> &'static str {
        self.row().cng_name
    }

    /// Returns the object identifier; none for X25519, whose keys CNG names otherwise.
    pub const fn oid(self) -> Option<&'static str> {
        self.row().oid
    }

    /// Returns the length of a coordinate in bits.
    pub const fn bits(self) -> u32 {
        self.row().bits
    }

    /// Returns the length of a coordinate in bytes, which is that of the shared secret, the x of a
    /// point (RFC 8422 section 5.10), and that of a private key.
    pub const fn coordinate_len(self) -> usize {
        self.bits().div_ceil(8) as usize
    }

    /// Returns whether a public key is an x coordinate alone, as RFC 7748 encodes it.
    pub const fn is_montgomery(self) -> bool {
        matches!(self, Self::X25519)
    }

    /// Returns the length of a public key in bytes: an uncompressed point, or for X25519 its x.
    pub const fn public_key_len(self) -> usize {
        match self.is_montgomery() {
            true => self.coordinate_len(),
            false => 1 + 2 * self.coordinate_len(),
        }
    }
}

/// A group of finite-field key agreement with a name (RFC 7919 appendix A). Other groups come as
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FfdheGroup {
    /// ffdhe2048.
    Ffdhe2048,
    /// ffdhe3072.
    Ffdhe3072,
    /// ffdhe4096.
    Ffdhe4096,
    /// ffdhe6144.
    Ffdhe6144,
    /// ffdhe8192.
    Ffdhe8192,
}

impl FfdheGroup {
    /// Every group.
    pub const ALL: [Self; 5] =
        [Self::Ffdhe2048, Self::Ffdhe3072, Self::Ffdhe4096, Self::Ffdhe6144, Self::Ffdhe8192];

    /// Returns the group of a number on the wire, such as 256 (RFC 7919 section 2).
    pub fn from_wire(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.wire() == number)
    }

    /// Returns the number on the wire.
    pub const fn wire(self) -> u16 {
        match self {
            Self::Ffdhe2048 => 256,
            Self::Ffdhe3072 => 257,
            Self::Ffdhe4096 => 258,
            Self::Ffdhe6144 => 259,
            Self::Ffdhe8192 => 260,
        }
    }

    /// Returns the name in the IANA registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ffdhe2048 => "ffdhe2048",
            Self::Ffdhe3072 => "ffdhe3072",
            Self::Ffdhe4096 => "ffdhe4096",
            Self::Ffdhe6144 => "ffdhe6144",
            Self::Ffdhe8192 => "ffdhe8192",
        }
    }

    /// Returns the length of the prime in bits.
    pub const fn bits(self) -> usize {
        match self {
            Self::Ffdhe2048 => 2048,
            Self::Ffdhe3072 => 3072,
            Self::Ffdhe4096 => 4096,
            Self::Ffdhe6144 => 6144,
            Self::Ffdhe8192 => 8192,
        }
    }

    /// Returns the length in bits of a private key that is as strong as the group: twice its
    /// strength (RFC 7919 section 5.2 and appendix A).
    pub const fn private_key_bits(self) -> usize {
        match self {
            Self::Ffdhe2048 => 225,
            Self::Ffdhe3072 => 275,
            Self::Ffdhe4096 => 325,
            Self::Ffdhe6144 => 375,
            Self::Ffdhe8192 => 400,
        }
    }

    /// What RFC 7919 appendix A adds to the digits of e, so that the number is a safe prime.
    const fn addend(self) -> u64 {
        match self {
            Self::Ffdhe2048 => 560_316,
            Self::Ffdhe3072 => 2_625_351,
            Self::Ffdhe4096 => 5_736_041,
            Self::Ffdhe6144 => 15_705_020,
            Self::Ffdhe8192 => 10_965_728,
        }
    }

    /// Returns the prime, big-endian: 64 bits that are set, the digits of e with a small number
    /// added, and again 64 bits that are set (RFC 7919 appendix A). The generator is 2.
    pub fn prime(self) -> Vec<u8> {
        let mut words = E[..self.bits() / 64 - 2].to_vec();
        // The lower 64 bits are those of -1, which takes 1 from what is above them.
        let mut carry = self.addend() - 1;
        for word in words.iter_mut().rev() {
            let (sum, overflow) = word.overflowing_add(carry);
            (*word, carry) = (sum, overflow.into());
        }
        let edge = [u64::MAX];
        let words = edge.iter().chain(&words).chain(&edge);
        words.flat_map(|word| word.to_be_bytes()).collect()
    }
}

/// The first 8064 binary digits of e.
#[rustfmt::skip]
const E: [u64; 126] = [
    0xadf8_5458_a2bb_4a9a, 0xafdc_5620_273d_3cf1, 0xd8b9_c583_ce2d_3695, 0xa9e1_3641_1464_33fb,
    0xcc93_9dce_249b_3ef9, 0x7d2f_e363_630c_75d8, 0xf681_b202_aec4_617a, 0xd3df_1ed5_d5fd_6561,
    0x2433_f51f_5f06_6ed0, 0x8563_6555_3ded_1af3, 0xb557_135e_7f57_c935, 0x984f_0c70_e0e6_8b77,
    0xe2a6_89da_f3ef_e872, 0x1df1_58a1_36ad_e735, 0x30ac_ca4f_483a_797a, 0xbc0a_b182_b324_fb61,
    0xd108_a94b_b2c8_e3fb, 0xb96a_dab7_60d7_f468, 0x1d4f_42a3_de39_4df4, 0xae56_ede7_6372_bb19,
    0x0b07_a7c8_ee0a_6d70, 0x9e02_fce1_cdf7_e2ec, 0xc034_04cd_2834_2f61, 0x9172_fe9c_e985_83ff,
    0x8e4f_1232_eef2_8183, 0xc3fe_3b1b_4c6f_ad73, 0x3bb5_fcbc_2ec2_2005, 0xc58e_f183_7d16_83b2,
    0xc6f3_4a26_c1b2_effa, 0x886b_4238_611f_cfdc, 0xde35_5b3b_6519_035b, 0xbc34_f4de_f99c_0238,
    0x61b4_6fc9_d6e6_c907, 0x7ad9_1d26_91f7_f7ee, 0x598c_b0fa_c186_d91c, 0xaefe_1309_8513_9270,
    0xb413_0c93_bc43_7944, 0xf4fd_4452_e2d7_4dd3, 0x64f2_e21e_71f5_4bff, 0x5cae_82ab_9c9d_f69e,
    0xe86d_2bc5_2236_3a0d, 0xabc5_2197_9b0d_eada, 0x1dbf_9a42_d5c4_484e, 0x0abc_d06b_fa53_ddef,
    0x3c1b_20ee_3fd5_9d7c, 0x25e4_1d2b_669e_1ef1, 0x6e6f_52c3_164d_f4fb, 0x7930_e9e4_e588_57b6,
    0xac7d_5f42_d69f_6d18, 0x7763_cf1d_5503_4004, 0x87f5_5ba5_7e31_cc7a, 0x7135_c886_efb4_318a,
    0xed6a_1e01_2d9e_6832, 0xa907_600a_9181_30c4, 0x6dc7_78f9_71ad_0038, 0x0929_99a3_33cb_8b7a,
    0x1a1d_b93d_7140_003c, 0x2a4e_cea9_f98d_0acc, 0x0a82_91cd_cec9_7dcf, 0x8ec9_b55a_7f88_a46b,
    0x4db5_a851_f441_82e1, 0xc68a_007e_5e0d_d902, 0x0bfd_64b6_4503_6c7a, 0x4e67_7d2c_3853_2a3a,
    0x23ba_4442_caf5_3ea6, 0x3bb4_5432_9b76_24c8, 0x917b_dd64_b1c0_fd4c, 0xb38e_8c33_4c70_1c3a,
    0xcdad_0657_fccf_ec71, 0x9b1f_5c3e_4e46_041f, 0x3881_47fb_4cfd_b477, 0xa524_71f7_a9a9_6910,
    0xb855_322e_db63_40d8, 0xa00e_f092_3505_11e3, 0x0abe_c1ff_f9e3_a26e, 0x7fb2_9f8c_1830_23c3,
    0x587e_38da_0077_d9b4, 0x763e_4e4b_94b2_bbc1, 0x94c6_651e_77ca_f992, 0xeeaa_c023_2a28_1bf6,
    0xb3a7_39c1_2261_1682, 0x0ae8_db58_47a6_7cbe, 0xf9c9_091b_462d_538c, 0xd72b_0374_6ae7_7f5e,
    0x6229_2c31_1562_a846, 0x505d_c82d_b854_338a, 0xe49f_5235_c95b_9117, 0x8ccf_2dd5_cace_f403,
    0xec9d_1810_c627_2b04, 0x5b3b_71f9_dc6b_80d6, 0x3fdd_4a8e_9adb_1e69, 0x62a6_9526_d431_61c1,
    0xa41d_570d_7938_dad4, 0xa40e_329c_cff4_6aaa, 0x36ad_004c_f600_c838, 0x1e42_5a31_d951_ae64,
    0xfdb2_3fce_c950_9d43, 0x687f_eb69_edd1_cc5e, 0x0b8c_c3bd_f64b_10ef, 0x86b6_3142_a3ab_8829,
    0x555b_2f74_7c93_2665, 0xcb2c_0f1c_c01b_d702, 0x2938_8839_d2af_05e4, 0x5450_4ac7_8b75_8282,
    0x2846_c0ba_35c3_5f5c, 0x5916_0cc0_46fd_8251, 0x541f_c68c_9c86_b022, 0xbb70_9987_6a46_0e74,
    0x51a8_a931_0970_3fee, 0x1c21_7e6c_3826_e52c, 0x51aa_691e_0e42_3cfc, 0x99e9_e316_50c1_217b,
    0x6248_16cd_ad9a_95f9, 0xd5b8_0194_88d9_c0a0, 0xa1fe_3075_a577_e231, 0x83f8_1d4a_3f2f_a457,
    0x1efc_8ce0_ba8a_4fe8, 0xb685_5dfe_72b0_a66e, 0xded2_fbab_fbe5_8a30, 0xfafa_be1c_5d71_a87e,
    0x2f74_1ef8_c1fe_86fe, 0xa6bb_fde5_3067_7f0d, 0x97d1_1d49_f7a8_443d, 0x0822_e506_a9f4_614e,
    0x011e_2a94_838f_f88c, 0xd68c_8bb7_c51e_ef6d,
];

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;

    use super::*;

    /// Computes floor(e * 2^bits) from the series of the reciprocals of factorials.
    fn digits_of_e(bits: usize) -> BigUint {
        const GUARD: usize = 64;
        let mut term = BigUint::from(1_u8) << (bits + GUARD);
        let mut sum = term.clone();
        for divisor in 1_u32.. {
            term /= divisor;
            if term == BigUint::ZERO {
                break;
            }
            sum += &term;
        }
        sum >> GUARD
    }

    #[test]
    fn primes_are_those_of_the_formula_in_rfc_7919() {
        for group in FfdheGroup::ALL {
            let one = BigUint::from(1_u8);
            let bits = group.bits();
            let middle = digits_of_e(bits - 130) + group.addend();
            let prime: BigUint = (&one << bits) - (&one << (bits - 64)) + (middle << 64) - &one;
            assert_eq!(group.prime(), prime.to_bytes_be(), "{}", group.name());
        }
    }

    #[test]
    fn primes_and_their_halves_pass_a_test_of_fermat() {
        let two = BigUint::from(2_u8);
        for group in FfdheGroup::ALL.into_iter().take(3) {
            let prime = BigUint::from_bytes_be(&group.prime());
            let half = &prime >> 1;
            for number in [prime, half] {
                assert_eq!(two.modpow(&(&number - 1_u8), &number), BigUint::from(1_u8));
            }
        }
    }

    #[test]
    fn numbers_on_the_wire_name_one_group_each() {
        let curves = (0..=u16::MAX).filter_map(NamedCurve::from_wire).count();
        assert_eq!(curves, NamedCurve::ALL.len());
        let groups = (0..=u16::MAX).filter_map(FfdheGroup::from_wire).count();
        assert_eq!(groups, FfdheGroup::ALL.len());
        // RFC 8422 section 5.1.1, RFC 7027 section 2 and RFC 7919 section 2.
        assert_eq!(NamedCurve::from_wire(24), Some(NamedCurve::Secp384r1));
        assert_eq!(NamedCurve::from_wire(29), Some(NamedCurve::X25519));
        assert_eq!(NamedCurve::from_wire(30), None, "x448");
        assert_eq!(FfdheGroup::from_wire(0x0101), Some(FfdheGroup::Ffdhe3072));
    }

    #[test]
    fn public_keys_are_as_long_as_rfc_8422_and_rfc_7748_have_them() {
        let len = |curve: NamedCurve| (curve.public_key_len(), curve.coordinate_len());
        assert_eq!(len(NamedCurve::Secp256r1), (65, 32));
        assert_eq!(len(NamedCurve::Secp384r1), (97, 48));
        assert_eq!(len(NamedCurve::Secp521r1), (133, 66));
        assert_eq!(len(NamedCurve::X25519), (32, 32));
        assert_eq!(len(NamedCurve::BrainpoolP512r1), (129, 64));
    }
}
