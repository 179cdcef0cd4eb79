//! Key agreement: on curves by the crate of each, in finite fields by `crypto-bigint`.
//! Numbers in memory are wiped; what the crates leave on the stack, core wipes.

use std::fmt;

use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use getrandom::SysRng;
use getrandom::rand_core::TryCryptoRng;
use k256::Secp256k1;
use p256::NistP256;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, Generate, NonZeroScalar, PublicKey,
    SecretKey,
};
use p384::NistP384;
use p521::NistP521;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use ssl_provider_core::backend::{AgreementKey, BAD_AGREEMENT_KEY, BAD_OUTPUT_LEN, KeyAgreement};
use ssl_provider_core::{DhParameters, Error, NamedCurve, Operation};

use crate::{RustCrypto, number};

impl KeyAgreement for RustCrypto {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        let library = Library::of(curve).ok_or(Error::Unsupported(Operation::Ecdh(curve)))?;
        (library.generate)(&mut SysRng)
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        let library = Library::of(curve).ok_or(Error::Unsupported(Operation::EcdhLoad(curve)))?;
        (library.load)(private_key)
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(Box::new(DhKey::generate(&mut SysRng, group)?))
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(Box::new(DhKey::load(group, private_key)?))
    }
}

/// The crates of this file with their release series.
pub(crate) const CRATES: &[(&str, &str)] = &[
    ("x25519-dalek", "3"),
    ("p256", "0.14"),
    ("p384", "0.14"),
    ("p521", "0.14"),
    ("bp256", "0.14"),
    ("bp384", "0.14"),
    ("k256", "0.14"),
    ("crypto-bigint", "0.7"),
];

/// Returns the crate of a curve, if there is one.
pub(crate) fn ecdh_crate(curve: NamedCurve) -> Option<&'static str> {
    Library::of(curve).map(|library| library.name)
}

/// How a crate makes keys of its curve.
struct Library {
    name: &'static str,
    generate: fn(&mut Rng) -> BoxedKey,
    load: fn(&[u8]) -> BoxedKey,
}

impl Library {
    fn of(curve: NamedCurve) -> Option<Self> {
        Some(match curve {
            NamedCurve::X25519 => Self::new::<X25519Key>("x25519-dalek"),
            NamedCurve::Secp256r1 => Self::new::<PointKey<NistP256>>("p256"),
            NamedCurve::Secp384r1 => Self::new::<PointKey<NistP384>>("p384"),
            NamedCurve::Secp521r1 => Self::new::<PointKey<NistP521>>("p521"),
            NamedCurve::BrainpoolP256r1 => Self::new::<PointKey<BrainpoolP256r1>>("bp256"),
            NamedCurve::BrainpoolP384r1 => Self::new::<PointKey<BrainpoolP384r1>>("bp384"),
            NamedCurve::Secp256k1 => Self::new::<PointKey<Secp256k1>>("k256"),
            _ => return None,
        })
    }

    fn new<K: EcdhKey>(name: &'static str) -> Self {
        Self {
            name,
            generate: |rng| Ok(Box::new(K::generate(rng)?)),
            load: |private_key| Ok(Box::new(K::load(private_key)?)),
        }
    }
}

/// What [`KeyAgreement`] returns.
type BoxedKey = Result<Box<dyn AgreementKey>, Error>;

/// The system's random numbers, or none in a test.
type Rng = dyn TryCryptoRng<Error = getrandom::Error>;

/// A private key on a curve.
trait EcdhKey: AgreementKey + Sized + 'static {
    fn generate(rng: &mut Rng) -> Result<Self, Error>;
    fn load(private_key: &[u8]) -> Result<Self, Error>;
}

/// A private key on a curve whose public keys are points. The crate wipes it on drop.
struct PointKey<C: CurveArithmetic> {
    private: SecretKey<C>,
    public: Box<[u8]>,
}

impl<C> PointKey<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn new(private: SecretKey<C>) -> Self {
        let public = private.public_key().to_sec1_point(false).as_bytes().into();
        Self { private, public }
    }
}

impl<C> EcdhKey for PointKey<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn generate(rng: &mut Rng) -> Result<Self, Error> {
        let number = NonZeroScalar::try_generate_from_rng(rng).map_err(|_| Error::Random)?;
        Ok(Self::new(SecretKey::from(&*Zeroizing::new(number))))
    }

    fn load(private_key: &[u8]) -> Result<Self, Error> {
        let bytes = <&FieldBytes<C>>::try_from(private_key).map_err(|_| BAD_AGREEMENT_KEY)?;
        SecretKey::from_bytes(bytes).map(Self::new).map_err(|_| BAD_AGREEMENT_KEY)
    }
}

impl<C> AgreementKey for PointKey<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        // The crates take compressed points too, which are shorter.
        if peer.len() != self.public.len() {
            return Err(Error::BadKeyShare);
        }
        let peer = PublicKey::<C>::from_sec1_bytes(peer).map_err(|_| Error::BadKeyShare)?;
        copy(self.private.diffie_hellman(&peer).raw_secret_bytes(), secret)
    }
}

/// A private key of X25519. The crate wipes it on drop.
struct X25519Key {
    private: StaticSecret,
    public: x25519_dalek::PublicKey,
}

impl X25519Key {
    fn new(private_key: &[u8; 32]) -> Self {
        let private = StaticSecret::from(*private_key);
        let public = x25519_dalek::PublicKey::from(&private);
        Self { private, public }
    }
}

impl EcdhKey for X25519Key {
    fn generate(rng: &mut Rng) -> Result<Self, Error> {
        let mut private_key = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(&mut *private_key).map_err(|_| Error::Random)?;
        Ok(Self::new(&private_key))
    }

    fn load(private_key: &[u8]) -> Result<Self, Error> {
        private_key.try_into().map(Self::new).map_err(|_| BAD_AGREEMENT_KEY)
    }
}

impl AgreementKey for X25519Key {
    fn public_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        let peer: [u8; 32] = peer.try_into().map_err(|_| Error::BadKeyShare)?;
        copy(self.private.diffie_hellman(&peer.into()).as_bytes(), secret)
    }
}

/// A private key in a finite field.
struct DhKey {
    params: BoxedMontyParams,
    exponent: Zeroizing<BoxedUint>,
    /// How many bits of the exponent are read, which the time of an exponentiation shows.
    exponent_bits: u32,
    public: Vec<u8>,
}

impl DhKey {
    /// Generates an exponent whose top bit is set, so that it is never 0.
    fn generate(rng: &mut Rng, group: &DhParameters) -> Result<Self, Error> {
        let bits = group.private_key_bits();
        let mut exponent = Zeroizing::new(vec![0; bits.div_ceil(8)]);
        rng.try_fill_bytes(&mut exponent).map_err(|_| Error::Random)?;
        if let Some(first) = exponent.first_mut() {
            let top_bit = 1 << ((bits - 1) % 8);
            *first = (*first & (top_bit - 1)) | top_bit;
        }
        Self::new(group, &exponent, bits)
    }

    /// Takes an exponent, all of whose bits are read, since it may have more than a generated one.
    fn load(group: &DhParameters, private_key: &[u8]) -> Result<Self, Error> {
        let len = group.prime().len();
        if private_key.len() > len {
            return Err(BAD_AGREEMENT_KEY);
        }
        Self::new(group, private_key, 8 * len)
    }

    fn new(group: &DhParameters, exponent: &[u8], exponent_bits: usize) -> Result<Self, Error> {
        let prime = Odd::new(BoxedUint::from_be_slice_vartime(group.prime())).into_option();
        let params = BoxedMontyParams::new_vartime(prime.ok_or(BAD_NUMBER)?);
        let exponent = BoxedUint::from_be_slice(exponent, params.bits_precision());
        let mut key = Self {
            params,
            exponent: Zeroizing::new(exponent.map_err(|_| BAD_NUMBER)?),
            exponent_bits: u32::try_from(exponent_bits).map_err(|_| BAD_NUMBER)?,
            public: vec![0; group.prime().len()],
        };
        let public = key.power(group.generator())?;
        number::write(&public, &mut key.public).ok_or(BAD_NUMBER)?;
        Ok(key)
    }

    /// Computes base^x mod p in constant time. The crate leaves the power of the base that belongs
    /// to the last 4 bits of the exponent in a freed block, and wipes the others.
    fn power(&self, base: &[u8]) -> Result<Zeroizing<BoxedUint>, Error> {
        let base = BoxedUint::from_be_slice(base, self.params.bits_precision());
        let base = BoxedMontyForm::new(base.map_err(|_| BAD_NUMBER)?, &self.params);
        let power = Zeroizing::new(base.pow_bounded_exp(&self.exponent, self.exponent_bits));
        Ok(Zeroizing::new(power.retrieve()))
    }
}

impl AgreementKey for DhKey {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        let power = self.power(peer)?;
        number::write(&power, secret).ok_or(BAD_OUTPUT_LEN)
    }
}

/// Copies a shared secret of the crate, which wipes it.
fn copy(shared: &[u8], secret: &mut [u8]) -> Result<(), Error> {
    if secret.len() != shared.len() {
        return Err(BAD_OUTPUT_LEN);
    }
    secret.copy_from_slice(shared);
    Ok(())
}

impl<C: CurveArithmetic> fmt::Debug for PointKey<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PointKey").field("public", &self.public).finish_non_exhaustive()
    }
}

ssl_provider_core::redacted_debug! { X25519Key { public, .. } DhKey { public, .. } }

/// Core has made sure that the prime is odd, and that no number of a key is longer than it.
const BAD_NUMBER: Error = Error::Internal("a number does not fit its Diffie-Hellman group");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::broken::Broken;

    use ssl_provider_core::FfdheGroup;

    #[test]
    fn without_random_numbers_there_is_no_key() {
        for curve in NamedCurve::ALL {
            let Some(library) = Library::of(curve) else { continue };
            let error = (library.generate)(&mut Broken).map(drop);
            assert_eq!(error, Err(Error::Random), "{}", library.name);
        }
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        assert_eq!(DhKey::generate(&mut Broken, &group).map(drop), Err(Error::Random));
    }

    /// The crates take them.
    #[test]
    fn compressed_points_are_refused() {
        let private = SecretKey::<NistP256>::from_slice(&[1; 32]).unwrap();
        let compressed = private.public_key().to_sec1_point(true);
        assert!(PublicKey::<NistP256>::from_sec1_bytes(compressed.as_bytes()).is_ok());
        let key = Box::new(PointKey::new(private));
        let mut secret = [0; 32];
        assert_eq!(key.agree(compressed.as_bytes(), &mut secret), Err(Error::BadKeyShare));
    }

    /// The crates take these too, and fill them up with zeros.
    #[test]
    fn a_private_key_has_the_length_of_its_curve() {
        let load = |len| RustCrypto.load_ecdh(NamedCurve::Secp256r1, &vec![1; len]).map(drop);
        assert_eq!(load(32), Ok(()));
        for len in [0, 24, 31, 33] {
            assert_eq!(load(len), Err(BAD_AGREEMENT_KEY), "{len}");
        }
    }

    #[test]
    fn a_generated_exponent_has_the_bits_that_are_read_and_its_top_bit() {
        for group in [FfdheGroup::Ffdhe2048, FfdheGroup::Ffdhe3072] {
            let bits = u32::try_from(group.private_key_bits()).unwrap();
            let group = DhParameters::named(group);
            for _ in 0..10 {
                let key = DhKey::generate(&mut SysRng, &group).unwrap();
                assert_eq!((key.exponent.bit_width(), key.exponent_bits), (bits, bits));
            }
        }
    }

    /// Fields of 2^bits - 1, a prime of Mersenne that ends inside a word.
    fn fields() -> impl Iterator<Item = DhParameters> {
        [61, 89, 127, 521, 1279].into_iter().map(|bits| {
            let mut prime = vec![0xff; usize::div_ceil(bits, 8)];
            prime[0] >>= (8 - bits % 8) % 8;
            DhParameters::new(&prime, &[3]).unwrap()
        })
    }

    #[test]
    fn both_sides_agree_in_fields_that_end_inside_a_word() {
        for group in fields() {
            let [ours, theirs] = [(); 2].map(|()| DhKey::generate(&mut SysRng, &group).unwrap());
            let keys = [ours.public.clone(), theirs.public.clone()];
            let [mut one, mut other] = [(); 2].map(|()| vec![0; group.prime().len()]);
            Box::new(ours).agree(&keys[1], &mut one).unwrap();
            Box::new(theirs).agree(&keys[0], &mut other).unwrap();
            assert_eq!(one, other, "{group:?}");
        }
    }

    #[test]
    fn every_bit_of_a_loaded_exponent_is_read() {
        for group in fields() {
            // 3^(p - 1) = 1, by Fermat's little theorem, so 3^p = 3.
            let key = DhKey::load(&group, group.prime()).unwrap();
            let mut three = vec![0; group.prime().len()];
            *three.last_mut().unwrap() = 3;
            assert_eq!(key.public, three, "{group:?}");
        }
    }
}
