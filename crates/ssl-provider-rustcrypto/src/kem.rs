//! Key encapsulation: ML-KEM by the crate `ml-kem`, which wipes its keys. What it leaves on the
//! stack, core wipes.

use std::fmt;

use getrandom::SysRng;
use getrandom::rand_core::TryCryptoRng;
// Seeds are shorter, and known answers have the other form all the same.
#[allow(deprecated)]
use ml_kem::ExpandedKeyEncoding;
use ml_kem::{Ciphertext, Decapsulate, Kem, KeyExport, KeyInit, MlKem768, MlKem1024, SharedKey};
use zeroize::Zeroizing;

use ssl_provider_core::backend::{
    BAD_CIPHERTEXT_LEN, BAD_KEM_KEY, DecapsulationKey, KemPrivateKey, KeyEncapsulation,
};
use ssl_provider_core::{Error, KEM_SECRET_LEN, KemAlgorithm, Operation};

use crate::RustCrypto;

impl KeyEncapsulation for RustCrypto {
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        let library = Library::of(kem).ok_or(Error::Unsupported(Operation::Kem(kem)))?;
        let seed = random::<64>(&mut SysRng)?;
        (library.load)(KemPrivateKey::Seed(&seed))
    }

    fn load_kem(
        &self,
        kem: KemAlgorithm,
        key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        let library = Library::of(kem).ok_or(Error::Unsupported(Operation::KemLoad(kem)))?;
        (library.load)(key)
    }

    fn encapsulate(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let library = Library::of(kem).ok_or(Error::Unsupported(Operation::Kem(kem)))?;
        let m = random::<32>(&mut SysRng)?;
        (library.encapsulate)(encapsulation_key, &m, ciphertext, secret)
    }

    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        encapsulation_key: &[u8],
        m: &[u8; 32],
        ciphertext: &mut [u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let library = Library::of(kem).ok_or(Error::Unsupported(Operation::KemLoad(kem)))?;
        (library.encapsulate)(encapsulation_key, m, ciphertext, secret)
    }
}

/// The crate of this file with its release series.
pub(crate) const CRATES: &[(&str, &str)] = &[("ml-kem", "0.3")];

/// Returns whether the crate has a mechanism.
pub(crate) fn has(kem: KemAlgorithm) -> bool {
    Library::of(kem).is_some()
}

/// What [`KeyEncapsulation`] returns.
type BoxedKey = Result<Box<dyn DecapsulationKey>, Error>;

type Encapsulation =
    fn(&[u8], &[u8; 32], &mut [u8], &mut [u8; KEM_SECRET_LEN]) -> Result<(), Error>;

/// How the crate does a mechanism.
struct Library {
    load: fn(KemPrivateKey<'_>) -> BoxedKey,
    encapsulate: Encapsulation,
}

impl Library {
    fn of(kem: KemAlgorithm) -> Option<Self> {
        Some(match kem {
            KemAlgorithm::MlKem768 => Self::new::<MlKem768>(),
            KemAlgorithm::MlKem1024 => Self::new::<MlKem1024>(),
            _ => return None,
        })
    }

    fn new<K: Mechanism>() -> Self {
        Self {
            load: |key| Ok(Box::new(DecapKey::<K>::load(key)?)),
            encapsulate: |encapsulation_key, m, ciphertext, secret| {
                // This is the modulus check.
                let peer = K::peer(encapsulation_key).ok_or(Error::BadKeyShare)?;
                let ciphertext = ciphertext.try_into().map_err(|_| BAD_CIPHERTEXT_LEN)?;
                secret.copy_from_slice(&K::encapsulate(&peer, m, ciphertext));
                Ok(())
            },
        }
    }
}

/// A mechanism of the crate, whose own traits leave out some of this.
trait Mechanism: Kem<DecapsulationKey: Send + Sync> + 'static {
    fn load(seed: &[u8; 64]) -> Self::DecapsulationKey;
    fn load_expanded(key: &[u8]) -> Option<Self::DecapsulationKey>;
    fn public(key: &Self::DecapsulationKey) -> &Self::EncapsulationKey;
    fn peer(encapsulation_key: &[u8]) -> Option<Self::EncapsulationKey>;
    fn encapsulate(
        peer: &Self::EncapsulationKey,
        m: &[u8; 32],
        ciphertext: &mut Ciphertext<Self>,
    ) -> Zeroizing<SharedKey>;
    fn decapsulate(
        key: &Self::DecapsulationKey,
        ciphertext: &Ciphertext<Self>,
    ) -> Zeroizing<SharedKey>;
}

macro_rules! mechanisms {
    ($($mechanism:ident)+) => {
        $(impl Mechanism for $mechanism {
            fn load(seed: &[u8; 64]) -> Self::DecapsulationKey {
                Self::DecapsulationKey::new(seed.into())
            }

            #[allow(deprecated)]
            fn load_expanded(key: &[u8]) -> Option<Self::DecapsulationKey> {
                // This is the hash check.
                Self::DecapsulationKey::from_expanded_bytes(key.try_into().ok()?).ok()
            }

            fn public(key: &Self::DecapsulationKey) -> &Self::EncapsulationKey {
                key.encapsulation_key()
            }

            fn peer(encapsulation_key: &[u8]) -> Option<Self::EncapsulationKey> {
                Self::EncapsulationKey::new(encapsulation_key.try_into().ok()?).ok()
            }

            fn encapsulate(
                peer: &Self::EncapsulationKey,
                m: &[u8; 32],
                ciphertext: &mut Ciphertext<Self>,
            ) -> Zeroizing<SharedKey> {
                let (made, secret) = peer.encapsulate_deterministic(m.into());
                *ciphertext = made;
                Zeroizing::new(secret)
            }

            fn decapsulate(
                key: &Self::DecapsulationKey,
                ciphertext: &Ciphertext<Self>,
            ) -> Zeroizing<SharedKey> {
                Zeroizing::new(Decapsulate::decapsulate(key, ciphertext))
            }
        })+
    };
}

mechanisms! { MlKem768 MlKem1024 }

/// Returns random bytes.
fn random<const N: usize>(
    rng: &mut dyn TryCryptoRng<Error = getrandom::Error>,
) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut bytes = Zeroizing::new([0; N]);
    rng.try_fill_bytes(&mut *bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

/// A decapsulation key. The crate wipes it on drop.
struct DecapKey<K: Kem> {
    private: K::DecapsulationKey,
    public: Vec<u8>,
}

impl<K: Mechanism> DecapKey<K> {
    fn load(key: KemPrivateKey<'_>) -> Result<Self, Error> {
        let private = match key {
            KemPrivateKey::Seed(seed) => K::load(seed),
            KemPrivateKey::Expanded(key) => {
                let private = K::load_expanded(key).ok_or(BAD_KEM_KEY)?;
                // Whether both parts belong together shows in a trial: the crate does not look.
                let mut ciphertext = Ciphertext::<K>::default();
                let sent = K::encapsulate(K::public(&private), &[0; 32], &mut ciphertext);
                if K::decapsulate(&private, &ciphertext) != sent {
                    return Err(BAD_KEM_KEY);
                }
                private
            }
        };
        let public = K::public(&private).to_bytes().to_vec();
        Ok(Self { private, public })
    }
}

impl<K: Mechanism> DecapsulationKey for DecapKey<K> {
    fn encapsulation_key(&self) -> &[u8] {
        &self.public
    }

    fn decapsulate(
        self: Box<Self>,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        let ciphertext = ciphertext.try_into().map_err(|_| Error::BadKeyShare)?;
        secret.copy_from_slice(&K::decapsulate(&self.private, ciphertext));
        Ok(())
    }
}

impl<K: Kem> fmt::Debug for DecapKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecapKey").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::broken::Broken;

    #[test]
    fn without_random_numbers_there_is_no_key_and_no_ciphertext() {
        assert_eq!(random::<64>(&mut Broken).map(drop), Err(Error::Random));
        assert_eq!(random::<32>(&mut Broken).map(drop), Err(Error::Random));
    }
}
