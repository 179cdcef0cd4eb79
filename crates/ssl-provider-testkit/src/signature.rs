//! Signatures for tests: RSA ones made here with the private exponent, and RSA-PSS and ECDSA ones
//! that OpenSSL made. Digests count up from 00, since a signature does not know of what its digest
//! is.

use num_bigint::BigUint;

use ssl_provider_core::{
    HashAlgorithm, NamedCurve, SignatureAlgorithm, SignatureScheme, SigningKeyDer,
};

use crate::bytes::{counting, hex};
use crate::curve::Curve;
use crate::reference::hash;
use crate::rsa_key::{TestKey, der, integer};

/// A public key, and signatures of its private key.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The `SubjectPublicKeyInfo` in DER.
    pub public_key: Vec<u8>,
    /// Each scheme of the key, with the signature over [`digest`].
    pub signatures: Vec<(SignatureScheme, Vec<u8>)>,
}

/// The digest that is signed: of 21 bytes, as no hash has, where the scheme leaves the length open.
pub fn digest(scheme: SignatureScheme) -> Vec<u8> {
    counting::<64>(0)[..scheme.digest_len().unwrap_or(21)].to_vec()
}

/// Keys and signatures of every scheme: two RSA keys, and one on each curve.
pub fn signers() -> Vec<Signer> {
    vec![rsa(&TestKey::rsa_1024()), pss(), p256(), p384(), p521()]
}

/// Every scheme of an RSA key that is long enough for it.
pub fn rsa(key: &TestKey) -> Signer {
    let signature = |scheme: SignatureScheme| {
        let digest = digest(scheme);
        let block = match (scheme.algorithm(), scheme.hashes()) {
            (SignatureAlgorithm::RsaPkcs1, _) => encoded(scheme, &digest, key.len()),
            (SignatureAlgorithm::RsaPss, [hash]) => Pss::new(*hash).encode(&digest, key)?,
            _ => return None,
        };
        Some((scheme, sign_block(key, &block)))
    };
    let signatures = SignatureScheme::ALL.into_iter().filter_map(signature).collect();
    Signer { public_key: rsa_public_key(key), signatures }
}

/// The `SubjectPublicKeyInfo` of an RSA key.
pub fn rsa_public_key(key: &TestKey) -> Vec<u8> {
    let parts = key.parts();
    let pkcs1 = der(0x30, &[&integer(&parts.n), &integer(&parts.e)]);
    // rsaEncryption (1.2.840.113549.1.1.1), NULL.
    let algorithm = hex("300d06092a864886f70d0101010500");
    der(0x30, &[&algorithm, &der(0x03, &[&[0], &pkcs1])])
}

/// The `SubjectPublicKeyInfo` of a point on the curve with this object identifier.
pub fn ec_public_key(curve: &str, point: &[u8]) -> Vec<u8> {
    der(0x30, &[&ec_algorithm(curve), &der(0x03, &[&[0], point])])
}

/// A private key on P-256, as PKCS#8 in DER. It protects nothing.
pub const EC_P256_PKCS8: &[u8] = include_bytes!("../keys/ec-p256.der");

/// The `SubjectPublicKeyInfo` of [`EC_P256_PKCS8`].
pub fn ec_p256_public_key() -> Vec<u8> {
    let SigningKeyDer::Ec(key) = SigningKeyDer::from_der(EC_P256_PKCS8).unwrap() else {
        panic!("the key is not on a curve");
    };
    let curve = Curve::new(NamedCurve::Secp256r1).unwrap();
    let point = curve.public_key(&BigUint::from_bytes_be(key.number()));
    ec_public_key("1.2.840.10045.3.1.7", &point)
}

/// The `AlgorithmIdentifier` of a key on the curve with this object identifier (RFC 5480).
pub fn ec_algorithm(curve: &str) -> Vec<u8> {
    der(0x30, &[&oid("1.2.840.10045.2.1"), &oid(curve)])
}

/// An object identifier in DER.
fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u32> = text.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = vec![u8::try_from(40 * arcs[0] + arcs[1]).unwrap()];
    for arc in &arcs[2..] {
        let groups = (0..5_u32).rev().map(|group| (arc >> (7 * group), group));
        for (value, group) in groups.filter(|(value, group)| *value > 0 || *group == 0) {
            let low = u8::try_from(value & 0x7f).unwrap();
            content.push(if group == 0 { low } else { low | 0x80 });
        }
    }
    der(0x06, &[&content])
}

/// The block of RSASSA-PKCS1-v1_5 (RFC 8017 section 9.2), `len` bytes.
pub fn encoded(scheme: SignatureScheme, digest: &[u8], len: usize) -> Vec<u8> {
    // The beginnings of DigestInfo in note 1 there.
    let name = match scheme {
        SignatureScheme::RsaSha1 => "3021300906052b0e03021a05000414",
        SignatureScheme::RsaSha256 => "3031300d060960864801650304020105000420",
        SignatureScheme::RsaSha384 => "3041300d060960864801650304020205000430",
        SignatureScheme::RsaSha512 => "3051300d060960864801650304020305000440",
        _ => "",
    };
    let content = [&hex(name), digest].concat();
    let padding = vec![0xff; len - 3 - content.len()];
    [&[0, 1], &padding[..], &[0], &content].concat()
}

/// What the block of RSASSA-PSS is made of (RFC 8017 section 9.1.1), to be changed where it shall
/// be malformed.
#[derive(Clone, Debug)]
pub struct Pss {
    /// The hash of the digest and the salt.
    pub hash: HashAlgorithm,
    /// The hash of the mask.
    pub mask_hash: HashAlgorithm,
    /// The salt.
    pub salt: Vec<u8>,
    /// The last byte of the padding, zero.
    pub padding: u8,
    /// The byte between padding and salt, 01.
    pub separator: u8,
    /// The last byte, bc.
    pub trailer: u8,
}

impl Pss {
    /// That of `rsa_pss_rsae_*` (RFC 8446 section 4.2.3), with a salt of a0, a1, and so on.
    pub fn new(hash: HashAlgorithm) -> Self {
        let salt = counting::<64>(0xa0)[..hash.output_len()].to_vec();
        Self { hash, mask_hash: hash, salt, padding: 0, separator: 1, trailer: 0xbc }
    }

    /// The block, as long as the modulus; none for a key that is too short.
    pub fn encode(&self, digest: &[u8], key: &TestKey) -> Option<Vec<u8>> {
        let bits = usize::try_from(key.modulus().bits()).expect("a key") - 1;
        let len = bits.div_ceil(8);
        let hashed = hash(self.hash, &[&[0; 8], digest, &self.salt]);
        let mut padding = vec![0; len.checked_sub(hashed.len() + self.salt.len() + 2)?];
        if let Some(last) = padding.last_mut() {
            *last = self.padding;
        }
        let mut block = [&padding[..], &[self.separator], &self.salt].concat();
        let mask = (0_u32..).flat_map(|n| hash(self.mask_hash, &[&hashed, &n.to_be_bytes()]));
        block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        block[0] &= 0xff >> (8 * len - bits);
        Some([&vec![0; key.len() - len][..], &block, &hashed, &[self.trailer]].concat())
    }
}

/// The RSA private operation on a block.
pub fn sign_block(key: &TestKey, block: &[u8]) -> Vec<u8> {
    let exponent = BigUint::from_bytes_be(&key.private_exponent());
    key.left_pad(&BigUint::from_bytes_be(block).modpow(&exponent, key.modulus()))
}

/// Made by OpenSSL 3.0.19, of digests whose bytes count up from 00, for each of the three hashes:
/// `openssl pkeyutl -sign -keyform DER -inkey rsa-1536.der -in DIGEST -pkeyopt digest:sha256
/// -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest`.
fn pss() -> Signer {
    let signatures = [
        "a4a7c8aaa506c40457835c92e0e93a86dd0cfc19d5fbaa02e8e3e52aa2987de8f94f9fe44a8102fa241151\
         3af5b884ab70a29d57ff008e6030dd47ba136a320a45a1c66e9b632a2758e91f3308dd5c3d7810ed1ea53f\
         226c8fbfdb0875f1837d2822a2f21041250491484962f6069ee1ad3f4c158e41f4237665c137bf20ee1682\
         6f1603be213bb68f09d9edb380d26be04c4e305b783528317e28fffc46e3105cc7873fc5ddfc03c3770988\
         e6e1f59031a6465c35eeb07d21576600156b54a3",
        "1bc2f3f9618ffd82f0dafd9ad7ba7d8d9eb4018e1c11789da9c6308084b04408a152a3d485e2a0edb32c4f\
         34b522763686d1af517a8a44932f5c8034cc555afba62d43fc64e559fcd664060c4dd339b22372cf164dd0\
         b24e267565301ba414530846c6fec74b0ad0e0e9c641df0d913523764a2e2860b3d0bfa3f69cde45adba95\
         1c92f89329abcea358de9fc203824edcac3f837da8baf42243e5966f9d5230f8abc09de78dfb84da3f52a1\
         99d5f75fa46cd00dbddd5ade611d0f2f3e2ede87",
        "40a64f82a44eef6e20ba30a8dafb923ae19a35b2759978d31897968790ef9182b2d496d9c507d71112e63d\
         b3d967b2c8baf199482b13aef6dadf9d22420b313988ecbfbdbdf4eb21eae8f9d354f8d75e62ea45be566b\
         ea3bdf3298f61c945cff89a267c474360bb8777feffdf71caf5f741c56f3abf2deb20bd29e24b332e07b92\
         111a9ff3d86b1588cf3ba28608b4b02decafc348d6d2595ad92365a02459cc77faed1e34b6c486304dad75\
         e76b0050601d8fbfeb9ee38cb3e9c3dac1a82df1",
    ];
    let schemes = SignatureScheme::ALL.into_iter();
    let schemes = schemes.filter(|scheme| scheme.algorithm() == SignatureAlgorithm::RsaPss);
    Signer {
        public_key: rsa_public_key(&TestKey::rsa_1536()),
        signatures: schemes.zip(signatures.map(hex)).collect(),
    }
}

/// Made by `openssl ecparam -genkey` and `openssl pkeyutl -sign` of OpenSSL 3.0.22.
fn p256() -> Signer {
    ecdsa(
        "3059301306072a8648ce3d020106082a8648ce3d030107034200045f1f7ea577c6ced840067fc301a70f44\
         0c79d5d5b2f7528ee471cdcd8f812b087993b250e65621c7f0a5f868591f3505de033aa06af97aa570f740\
         d2c4d02486",
        [
            "304402205af72da962a1ce1df2582c21d84f1f9fc9e0089640df5b45fe84cebecf3792c602205321261704\
             c746b23b08a3380e361bbf65e4d6498645e3de3a51c72aaa99e9f5",
            "3045022100f26fb984dd6c11cb315e44cb2f48121ff0def0d9dcad7e0b15ab42675a77e6d6022010a81060\
             1ec4802469acc34bda80800b078e295fc19f0f1c0c485a523e41f621",
            "30450221008efaff6be58f19d53a5bce6ec50fd5080420aba8d4dfeb4f9b8f019df9b15583022010c62242\
             f80d823a4dfc945e92818139e8ad33e1da2d25212cc4860258c8da36",
            "30450220328a8a85d79ffa6e827a2056678556f08ce84b500ad84593dd222e5393c798af022100f1fad78c\
             650d8a5799ce32a833ba06b9cdbaab335ddba93ab26ab2870142ac40",
        ],
    )
}

/// Made as that of P-256.
fn p384() -> Signer {
    ecdsa(
        "3076301006072a8648ce3d020106052b8104002203620004a01b72507813b575927e4ff540aa58475dfa26\
         dc0ad0dbaf711bf5f81a0cc0cad1ee9d3068e1f3f798135624ef5f9531a7e44a8735950d79640ca922ea27\
         e0cacdd5939b9de9c3cdaeff513b212d12328e6890967bfb2127e50af3ee87618c73",
        [
            "3065023100de8f448457004618778e36bd8427b989afeb64450fa29976cde1b56c2da011a71654252f2709\
             42138199802e21f18daa0230520721e65fdb3c287b081fff0f904c798bcb09981206ea7221ca69286fc7ff\
             a491f74551fbfab66f1f00913996d6b58a",
            "3065023100ac7ed5e35c335d1003f056e8a52fc08f894eb7a858d3500b17447e895a46fc445e8fc30bc4ad\
             ae67dbee0fb76992847e02302e2558dd74f1c5a65d385d69dd641fc8b89e5c54289ee7c67b5a0db7de77a6\
             f5a1532b93f06d0aac485fcc488e7d5b28",
            "306402302a32054f4190e9123153b651e5ecf3528e9da76e434663e3a451e46d42763ce359213ea2bf557e\
             5fd9cd41508c92aad3023052d7c3629e4751a02fdf29e9f7e28151864380c322270c442b4194d0e8fcf88a\
             145b3d779d8b0078347b4deaf35796e5",
            "3066023100e40c87049a89d07c1a6b54a05dde8baec9ab9483598972274d65e9aaaf4801c016fa20e5a08d\
             9609a9c37323b291cf1102310095173dddcedec865a61884714cd9fa516308b254504d68d4bd9def3479a1\
             2136e448e68c2c4cc0dfd60ea20c46ba2ecf",
        ],
    )
}

/// Made as that of P-256.
fn p521() -> Signer {
    ecdsa(
        "30819b301006072a8648ce3d020106052b8104002303818600040155bd692b001b0910159a57d6748fe5b4\
         c697a4a89bd0827d56edc7bf3eb3624c03b3b22b394d2c89086317d9644fce45faf7aedabf2578cad13fb4\
         0e828e6940600046d9a02583c352c5107f11bfc8d49fe6541659223878ecc7b5ab64c76cf88db82a87b360\
         e9419989d6425a995078c7f96d19fc9fcffaeaea8375c62c8ba8dc0571",
        [
            "308188024201040eb05419b29b46f9f98069cc557d49545a0a03f9df4b7bb6ef463da8b4cb498cd8a47600\
             7c979efbb3c28289e97ea354f70d874db0d089652dc95d7d90b323fc024201eee952f8c641c76c9a547e92\
             14a0a171c25a196817dffbc7b32cd274a7b8ff91fbb650ca1254bcf8481d291c3b8a2b139cf85060d88ec4\
             be1818dda9a566091d79",
            "308188024200a78a7497cdc5f10208c16081ca2a94863c74ab84ef318dd52c905b0072407b3b3c70227cb4\
             9873555ed8e7348a77830fe5376ba0e310abc2eb52bd9d311f99c978024201455c17c485601af01b907193\
             223bc623959d39cff3fd89bb156a7cae1d237ae41210d13cd80e131b9bc3a68f03759328ffb2121a30e1d5\
             5f138b9b61f7f1e080fe",
            "30818702414003d046940558ac19b119eade0fa5377b5b10cccc5d367f3e5ad84ad410583766532f42e415\
             e380b463d4a07db4e74554be4da3f9a2f9346e9a0a90a91006b15202420156276e2e946afb55c862a33c3a\
             4a90130f4e243442e44596e01b3e744437a4b409e6ec84f2c9a8eed3c87b578c911dae12d82d062b4c104c\
             c06588f4d5c2562ae7",
            "3081870242016e764e1075a4306197a3a537a5e957496b97c713663c46d3d1ee7c1354bb3c7430d30bb37e\
             9bd133e3fcf4d16da1771e4d6d11ab0efc12997430a06790d50a6e25024100b03b010caa5e498c668b8cb4\
             1306a2dca3d70c6229f12e9e5bd7a24d9241eb29fc81da4339da8c018d6369ea60fbb8d6d3f9c403ca2f05\
             153d4a6bf00cec47f3",
        ],
    )
}

fn ecdsa(public_key: &str, signatures: [&str; 4]) -> Signer {
    let schemes = SignatureScheme::ALL.into_iter().filter(|scheme| !scheme.is_rsa());
    let signatures = schemes.zip(signatures.map(hex)).collect();
    Signer { public_key: hex(public_key), signatures }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl pkeyutl -sign -keyform DER -inkey rsa-1024.der -in DIGEST` of OpenSSL 3.0.19, which
    /// writes no DigestInfo unless it is told a hash.
    #[test]
    fn a_signature_without_digest_info_is_that_of_openssl() {
        let expected = "70a19b49d7bdf474a4f48f8dde326e627d096c0bb375e01fb0d353f5382d02fbefece1b1\
                        f73b4125bbb6b7abeb5ce8cdc798a5ab7f2d940afb28b28ef71c1f138f82f8daa419035a\
                        1ddd40c9afdf9b6741073eec63133c3eeff8aeedf776c356cfb3a5dd13f9df4decc69da2\
                        997a577d3b6b16abe0466eb389d70c8a1c6b4f49";
        let made = rsa(&TestKey::rsa_1024()).signatures;
        let scheme = SignatureScheme::RsaWithoutDigestInfo;
        assert!(made.contains(&(scheme, hex(expected))));
    }

    #[test]
    fn a_key_too_short_for_the_hash_and_its_salt_has_no_pss_signature() {
        let digest = digest(SignatureScheme::RsaPssSha512);
        let pss = Pss::new(HashAlgorithm::Sha512);
        assert_eq!(pss.encode(&digest, &TestKey::rsa_1024()), None);
        assert!(pss.encode(&digest, &TestKey::rsa_1536()).is_some());
    }

    #[test]
    fn there_is_a_signature_of_every_scheme() {
        let signers = signers();
        for scheme in SignatureScheme::ALL {
            let mut known = signers.iter().flat_map(|signer| &signer.signatures);
            assert!(known.any(|(known, _)| *known == scheme), "{}", scheme.name());
        }
    }
}
