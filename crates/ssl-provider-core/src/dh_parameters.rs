//! A group of finite-field Diffie-Hellman as numbers: one with a name, or one that a server chose.

use std::fmt;

use crate::algorithm::FfdheGroup;
use crate::error::Error;
use crate::rsa_der::{MAX_MODULUS_LEN, bit_len, is_even};

/// The prime and the generator of a finite-field group.
///
/// Of a group that came as numbers only the form has been checked: an odd modulus of at most 8192
/// bits, and 1 < g < p - 1. That the modulus is prime, and the order of the generator, have not: no
/// TLS client can afford that for each connection. A server that sends bad numbers exposes only its
/// own session, since keys are used once.
#[derive(Clone, PartialEq, Eq)]
pub struct DhParameters {
    prime: Box<[u8]>,
    generator: Box<[u8]>,
    private_key_bits: usize,
    name: Option<FfdheGroup>,
}

impl DhParameters {
    /// Returns the group with this name.
    pub fn named(group: FfdheGroup) -> Self {
        Self {
            prime: group.prime().into(),
            generator: Box::new([2]),
            private_key_bits: group.private_key_bits(),
            name: Some(group),
        }
    }

    /// Takes numbers, big-endian; leading zeros are dropped. Numbers of RFC 7919 are that group.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for numbers that are not a group of at most 8192 bits.
    pub fn new(prime: &[u8], generator: &[u8]) -> Result<Self, Error> {
        let (prime, generator) = (without_leading_zeros(prime), without_leading_zeros(generator));
        if prime.len() > MAX_MODULUS_LEN || is_even(prime) || !is_between(generator, prime) {
            return Err(BAD_DH_PARAMETERS);
        }
        let named = FfdheGroup::ALL
            .into_iter()
            .find(|group| group.bits() == bit_len(prime) && generator == [2]);
        match named.map(Self::named).filter(|named| *named.prime == *prime) {
            Some(named) => Ok(named),
            None => Ok(Self {
                prime: prime.into(),
                generator: generator.into(),
                // The order of the generator is unknown, so no shorter key is known to be as
                // strong.
                private_key_bits: bit_len(prime) - 1,
                name: None,
            }),
        }
    }

    /// Returns the prime p, big-endian without leading zeros.
    pub fn prime(&self) -> &[u8] {
        &self.prime
    }

    /// Returns the generator g, big-endian without leading zeros.
    pub fn generator(&self) -> &[u8] {
        &self.generator
    }

    /// Returns the group of RFC 7919 that this is, if it is one.
    pub fn name(&self) -> Option<FfdheGroup> {
        self.name
    }

    /// Returns the length of the prime in bits.
    pub fn bits(&self) -> usize {
        bit_len(&self.prime)
    }

    /// Returns the length of a private key in bits: twice the strength of a group with a name
    /// (RFC 7919 section 5.2), else one less than the prime has.
    pub fn private_key_bits(&self) -> usize {
        self.private_key_bits
    }

    /// Returns p - 1, as long as the prime.
    pub(crate) fn prime_minus_one(&self) -> Vec<u8> {
        minus_one(&self.prime)
    }

    /// Returns a public key of the peer as long as the prime, if 1 < Y < p - 1 (RFC 7919
    /// section 5.1).
    pub(crate) fn public_key(&self, peer: &[u8]) -> Result<Vec<u8>, Error> {
        let peer = without_leading_zeros(peer);
        if !is_between(peer, &self.prime) {
            return Err(Error::BadKeyShare);
        }
        Ok([&vec![0; self.prime.len() - peer.len()], peer].concat())
    }
}

impl fmt::Debug for DhParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DhParameters").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// Whether 1 < number < prime - 1, for an odd `prime`; neither has leading zeros.
fn is_between(number: &[u8], prime: &[u8]) -> bool {
    let above_one = number.len() > 1 || number.first().is_some_and(|byte| *byte > 1);
    let last = minus_one(prime);
    above_one && (number.len(), number) < (last.len(), &last[..])
}

/// Returns the number before an odd one, which differs in the last bit only.
fn minus_one(odd: &[u8]) -> Vec<u8> {
    let mut number = odd.to_vec();
    if let Some(byte) = number.last_mut() {
        *byte &= 0xfe;
    }
    number
}

const BAD_DH_PARAMETERS: Error = Error::InvalidParameter(
    "Diffie-Hellman group: expected an odd prime of at most 8192 bits and 1 < g < p - 1",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_named_group_are_that_group() {
        for group in FfdheGroup::ALL {
            let prime = [&[0, 0][..], &group.prime()].concat();
            assert_eq!(DhParameters::new(&prime, &[0, 2]), Ok(DhParameters::named(group)));
            let other = DhParameters::new(&prime, &[3]).unwrap();
            assert_eq!(other.private_key_bits(), group.bits() - 1);
        }
    }

    #[test]
    fn numbers_that_are_no_group_are_refused() {
        let prime = FfdheGroup::Ffdhe2048.prime();
        let mut minus_one = prime.clone();
        minus_one[255] = 0xfe;
        let too_long = [&[1][..], &[0xff; 1024]].concat();
        let none: &[u8] = &[];
        for (prime, generator) in [
            (&prime[..], none),
            (&prime, &[0]),
            (&prime, &[1]),
            (&prime, &minus_one),
            (&prime, &prime),
            (&minus_one, &[2]),
            (&too_long, &[2]),
            (none, &[2]),
            (&[0], &[2]),
            (&[3], &[2]),
        ] {
            assert_eq!(DhParameters::new(prime, generator), Err(BAD_DH_PARAMETERS));
        }
        assert!(DhParameters::new(&[5], &[2]).is_ok());
    }

    #[test]
    fn public_keys_are_between_1_and_p_minus_1_and_as_long_as_the_prime() {
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        let mut key = group.prime().to_vec();
        let public_key = |key: &[u8]| group.public_key(key);
        assert_eq!(public_key(&key), Err(Error::BadKeyShare), "p");
        key[255] = 0xfe;
        assert_eq!(public_key(&key), Err(Error::BadKeyShare), "p - 1");
        key[255] = 0xfd;
        assert_eq!(public_key(&key), Ok(key.clone()), "p - 2");
        for small in [&[][..], &[0], &[1], &[0, 0, 1]] {
            assert_eq!(public_key(small), Err(Error::BadKeyShare), "{small:?}");
        }
        let two = public_key(&[0, 2]).unwrap();
        assert_eq!((two.len(), two[255]), (256, 2));
        let longer = [&[1][..], &[0; 256]].concat();
        assert_eq!(public_key(&longer), Err(Error::BadKeyShare));
    }
}
