//! Key agreement of ring on X25519, P-256 and P-384. ring loads no private key.

use std::hint::black_box;
use std::mem;

use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, X25519,
    agree_ephemeral,
};
use ring::rand::SystemRandom;

use ssl_provider_core::backend::{AgreementKey, BAD_OUTPUT_LEN, KeyAgreement, with_stack_wiped};
use ssl_provider_core::{Error, NamedCurve, Operation};

use crate::{NAME, Ring};

impl KeyAgreement for Ring {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        let algorithm = algorithm(curve).ok_or(Error::Unsupported(Operation::Ecdh(curve)))?;
        let private = generate(algorithm)?;
        let public = private.compute_public_key();
        let public = public.map_err(|_| Error::Backend { backend: NAME, code: 0 })?;
        Ok(Box::new(Key { private, public, is_taken: false }))
    }
}

/// Returns what ring calls a curve; none for one that it lacks.
pub(crate) fn algorithm(curve: NamedCurve) -> Option<&'static Algorithm> {
    match curve {
        NamedCurve::X25519 => Some(&X25519),
        NamedCurve::Secp256r1 => Some(&ECDH_P256),
        NamedCurve::Secp384r1 => Some(&ECDH_P384),
        _ => None,
    }
}

/// A private key, with the public key that belongs to it.
///
/// ring does not wipe private keys, so another one is written over it before its memory is freed.
struct Key {
    private: EphemeralPrivateKey,
    public: PublicKey,
    /// Whether `private` is the one that was written over it, which nobody uses.
    is_taken: bool,
}

impl Key {
    /// Takes the private key out and leaves another one in its place.
    fn take(&mut self) -> Result<EphemeralPrivateKey, Error> {
        let other = generate(self.private.algorithm())?;
        let private = mem::replace(&mut self.private, other);
        self.is_taken = true;
        // Else the compiler leaves out what nobody reads.
        black_box(self);
        Ok(private)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // Without random numbers there is nothing to write. The key that is taken out is moved by
        // value, and this may be where no caller wipes the stack.
        if !self.is_taken {
            let _ = with_stack_wiped::<_, STACK_LEN>(|| self.take().map(drop));
        }
    }
}

/// Bytes of stack that a key may be replaced in. Nothing is computed on a curve.
const STACK_LEN: usize = 12 * 1024;

impl AgreementKey for Key {
    fn public_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn agree(mut self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        let private = self.take()?;
        let peer = UnparsedPublicKey::new(private.algorithm(), peer);
        agree_ephemeral(private, &peer, |shared| {
            if secret.len() != shared.len() {
                return Err(BAD_OUTPUT_LEN);
            }
            secret.copy_from_slice(shared);
            Ok(())
        })
        // ring fails for a public key that is not one of the curve, or whose secret is 0.
        .map_err(|_| Error::BadKeyShare)?
    }
}

ssl_provider_core::redacted_debug! { Key { public, .. } }

fn generate(algorithm: &'static Algorithm) -> Result<EphemeralPrivateKey, Error> {
    // Nothing but the random numbers can fail.
    EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).map_err(|_| Error::Random)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::collections::BTreeSet;
    #[cfg(target_os = "linux")]
    use std::fs::File;
    #[cfg(target_os = "linux")]
    use std::os::unix::fs::FileExt;

    #[cfg(target_os = "linux")]
    use ssl_provider_testkit::stack::{Remains, Secrets};

    use super::*;

    fn boxed(algorithm: &'static Algorithm) -> Box<Key> {
        let private = generate(algorithm).unwrap();
        let public = private.compute_public_key().unwrap();
        Box::new(Key { private, public, is_taken: false })
    }

    /// The number of a key, of which ring gives nothing away: what two keys do not have in common.
    #[cfg(target_os = "linux")]
    fn number(key: &Key, other: &Key) -> Vec<u8> {
        let memory = File::open("/proc/self/mem").unwrap();
        let [bytes, of_other] = [key, other].map(|key| {
            let mut bytes = vec![0; size_of::<EphemeralPrivateKey>()];
            let place = (&raw const key.private).addr() as u64;
            memory.read_exact_at(&mut bytes, place).unwrap();
            bytes
        });
        let differs = |at: &usize| bytes[*at] != of_other[*at];
        let first = (0..bytes.len()).find(differs).unwrap();
        let last = (0..bytes.len()).rfind(differs).unwrap();
        bytes[first..=last].to_vec()
    }

    /// The same without the wipe must be found, else this would hold for nothing.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_key_that_is_dropped_unused_is_not_left_on_the_stack() {
        for algorithm in NamedCurve::ALL.into_iter().filter_map(algorithm) {
            let (key, mut other) = (boxed(algorithm), boxed(algorithm));
            let [secrets, of_other] = [(&key, &other), (&other, &key)].map(|(key, other)| {
                let number = number(key, other);
                assert!((28..=48).contains(&number.len()), "{}", number.len());
                Secrets::default().and("private key", &number)
            });
            let unwiped = Remains::of(|| {
                let taken = other.take().unwrap();
                black_box(&taken);
            });
            assert_eq!(unwiped.found(&of_other), BTreeSet::from(["private key"]));
            let remains = Remains::of(|| drop(key));
            assert_eq!(remains.found(&secrets), BTreeSet::new());
            assert!(remains.wiped_to_the_bottom());
        }
    }

    #[test]
    fn another_key_takes_the_place_of_one_that_is_used() {
        for curve in NamedCurve::ALL {
            let Some(algorithm) = algorithm(curve) else { continue };
            let private = generate(algorithm).unwrap();
            let public = private.compute_public_key().unwrap();
            let mut key = Key { private, public, is_taken: false };
            let taken = key.take().unwrap().compute_public_key().unwrap();
            assert_eq!(taken.as_ref(), key.public_key(), "{curve:?}");
            let left = key.private.compute_public_key().unwrap();
            assert_ne!(left.as_ref(), key.public_key(), "{curve:?}");
        }
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_and_a_secret_of_0_are_the_peers_fault() {
        for curve in NamedCurve::ALL {
            let Ok(key) = Ring.generate_ecdh(curve) else { continue };
            let mut bad = key.public_key().to_vec();
            match curve.is_montgomery() {
                true => bad.fill(0),
                false => bad[64] ^= 1,
            }
            let mut secret = vec![0xaa; curve.coordinate_len()];
            assert_eq!(key.agree(&bad, &mut secret), Err(Error::BadKeyShare), "{curve:?}");
            assert!(secret.iter().all(|byte| *byte == 0xaa));
        }
    }
}
