//! Key agreement of AWS-LC: on the NIST curves, secp256k1 and X25519, and in finite fields.

use std::mem;
use std::ptr::{self, NonNull};

use aws_lc_sys::{
    BN_bn2bin_padded, DH, DH_compute_key_padded, DH_free, DH_generate_key, DH_get0_pub_key, DH_new,
    DH_set_length, DH_set0_key, DH_set0_pqg, ECDH_compute_key, X25519, X25519_keypair,
    X25519_public_from_private,
};
use zeroize::Zeroizing;

use ssl_provider_core::backend::{AgreementKey, BAD_AGREEMENT_KEY, KeyAgreement};
use ssl_provider_core::{DhParameters, Error, NamedCurve, Operation};

use crate::ec::{EcKey, Point, group};
use crate::number::Number;
use crate::{AwsLc, failure, succeeded};

impl KeyAgreement for AwsLc {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        if curve == NamedCurve::X25519 {
            return Ok(Montgomery::generate());
        }
        let group = group(curve).ok_or(Error::Unsupported(Operation::Ecdh(curve)))?;
        Ok(Box::new(OnCurve::new(EcKey::generate(group)?, curve)?))
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        if curve == NamedCurve::X25519 {
            return Ok(Montgomery::load(private_key)?);
        }
        let group = group(curve).ok_or(Error::Unsupported(Operation::EcdhLoad(curve)))?;
        if private_key.len() != curve.coordinate_len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        let key = EcKey::from_number(group, private_key)?.ok_or(BAD_AGREEMENT_KEY)?;
        Ok(Box::new(OnCurve::new(key, curve)?))
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        Ok(Box::new(FiniteField::new(group, None)?))
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        if private_key.len() > group.prime().len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        Ok(Box::new(FiniteField::new(group, Some(private_key))?))
    }
}

/// A key on a curve in Weierstrass form.
struct OnCurve {
    key: EcKey,
    public_key: Vec<u8>,
}

impl OnCurve {
    fn new(key: EcKey, curve: NamedCurve) -> Result<Self, Error> {
        let public_key = key.public_key(curve.public_key_len())?;
        Ok(Self { key, public_key })
    }
}

impl AgreementKey for OnCurve {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        if peer.len() != self.public_key.len() || secret.len() != peer.len() / 2 {
            return Err(BAD_AGREEMENT_LEN);
        }
        let peer = Point::from_bytes(self.key.group(), peer)?;
        let (out, len) = (secret.as_mut_ptr().cast(), secret.len());
        // SAFETY: point and key are live and on one curve, or AWS-LC refuses them; the pointer is
        // to `len` writable bytes, as many as a coordinate has.
        let written = unsafe { ECDH_compute_key(out, len, peer.as_ptr(), self.key.as_ptr(), None) };
        if usize::try_from(written) == Ok(len) { Ok(()) } else { Err(failure()) }
    }
}

/// A key of X25519, which AWS-LC keeps no object for.
struct Montgomery {
    private_key: Zeroizing<[u8; X25519_LEN]>,
    public_key: [u8; X25519_LEN],
}

impl Montgomery {
    /// Generates a key where it will stay, so that no copy is left behind.
    fn generate() -> Box<Self> {
        let mut key = Self::empty();
        // SAFETY: the pointers are to 32 writable bytes each.
        unsafe { X25519_keypair(key.public_key.as_mut_ptr(), key.private_key.as_mut_ptr()) };
        key
    }

    fn load(private_key: &[u8]) -> Result<Box<Self>, Error> {
        let mut key = Self::empty();
        if private_key.len() != X25519_LEN {
            return Err(BAD_AGREEMENT_KEY);
        }
        key.private_key.copy_from_slice(private_key);
        let private_key = key.private_key.as_ptr();
        // SAFETY: the pointers are to 32 bytes each, of which the first may be written.
        unsafe { X25519_public_from_private(key.public_key.as_mut_ptr(), private_key) };
        Ok(key)
    }

    fn empty() -> Box<Self> {
        Box::new(Self { private_key: Zeroizing::new([0; X25519_LEN]), public_key: [0; X25519_LEN] })
    }
}

impl AgreementKey for Montgomery {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        if peer.len() != X25519_LEN || secret.len() != X25519_LEN {
            return Err(BAD_AGREEMENT_LEN);
        }
        let private_key = self.private_key.as_ptr();
        // SAFETY: the pointers are to 32 bytes each, of which the first may be written.
        let answer = unsafe { X25519(secret.as_mut_ptr(), private_key, peer.as_ptr()) };
        // It fails for a secret of zeros only (RFC 7748 section 6.1), and makes no error of that.
        if answer == 1 { Ok(()) } else { Err(Error::BadKeyShare) }
    }
}

/// A key in a finite field.
struct FiniteField {
    dh: Dh,
    public_key: Vec<u8>,
}

impl FiniteField {
    /// Generates a key, or takes one. The order of the generator is not told, with which AWS-LC
    /// would make longer keys than those of the group, and raise every public key of a peer to it.
    fn new(group: &DhParameters, private_key: Option<&[u8]>) -> Result<Self, Error> {
        let dh = Dh::new()?;
        let (p, g) = (Number::new(group.prime())?, Number::new(group.generator())?);
        // SAFETY: all are live; null is for the order. The numbers are the key's if this succeeds.
        let answer = unsafe { DH_set0_pqg(dh.0.as_ptr(), p.as_ptr(), ptr::null_mut(), g.as_ptr()) };
        succeeded(answer)?;
        mem::forget((p, g));
        match private_key {
            Some(private_key) => {
                let number = Number::new(private_key)?;
                // SAFETY: key and number are live; null is for the public key. The number is the
                // key's if this succeeds.
                succeeded(unsafe { DH_set0_key(dh.0.as_ptr(), ptr::null_mut(), number.as_ptr()) })?;
                mem::forget(number);
            }
            None => {
                let bits = group.private_key_bits().try_into().map_err(|_| BAD_AGREEMENT_KEY)?;
                // SAFETY: the key is live.
                succeeded(unsafe { DH_set_length(dh.0.as_ptr(), bits) })?;
            }
        }
        // SAFETY: the key is live and has a group. A private key that is there is kept.
        succeeded(unsafe { DH_generate_key(dh.0.as_ptr()) })?;
        let mut public_key = vec![0; group.prime().len()];
        // SAFETY: the key is live.
        let number = unsafe { DH_get0_pub_key(dh.0.as_ptr()) };
        let (out, len) = (public_key.as_mut_ptr(), public_key.len());
        // SAFETY: the number is the key's, which is live and has just got it; the other pointer is
        // to `len` writable bytes.
        succeeded(unsafe { BN_bn2bin_padded(out, len, number) })?;
        Ok(Self { dh, public_key })
    }
}

impl AgreementKey for FiniteField {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        let len = self.public_key.len();
        if peer.len() != len || secret.len() != len {
            return Err(BAD_AGREEMENT_LEN);
        }
        let (peer, dh) = (Number::new(peer)?, self.dh.0.as_ptr());
        // SAFETY: key and number are live, nobody else has the key, and the other pointer is to as
        // many writable bytes as the prime has, which is what AWS-LC writes.
        let written = unsafe { DH_compute_key_padded(secret.as_mut_ptr(), peer.as_ptr(), dh) };
        if usize::try_from(written) == Ok(len) {
            return Ok(());
        }
        // Core has checked the range of the peer's number, so this is a secret of 1 or p - 1, which
        // AWS-LC refuses (SP 800-56A section 5.7.1.1), if it is not want of memory.
        let _ = failure();
        Err(Error::BadKeyShare)
    }
}

/// Owns a group of a finite field with a key in it.
struct Dh(NonNull<DH>);

// SAFETY: the key is on the heap, belongs to this value alone, and AWS-LC ties nothing in it to a
// thread.
unsafe impl Send for Dh {}

// SAFETY: nothing is done with a key through a shared reference.
unsafe impl Sync for Dh {}

impl Dh {
    fn new() -> Result<Self, Error> {
        // SAFETY: the call takes no pointer.
        NonNull::new(unsafe { DH_new() }).map(Self).ok_or_else(failure)
    }
}

impl Drop for Dh {
    fn drop(&mut self) {
        // SAFETY: the key is live and nobody else has the pointer.
        unsafe { DH_free(self.0.as_ptr()) };
    }
}

ssl_provider_core::redacted_debug! { OnCurve { .. } Montgomery { .. } FiniteField { .. } }

/// Length in bytes of private keys, public keys and secrets of X25519.
const X25519_LEN: usize = 32;

/// Core sees to the lengths of the peer's public key and of the secret.
const BAD_AGREEMENT_LEN: Error =
    Error::Internal("public key or secret: its length is not that of the group");

#[cfg(test)]
mod tests {
    use super::*;

    use aws_lc_sys::{BN_num_bits, DH_get0_priv_key, ERR_peek_error};
    use ssl_provider_core::FfdheGroup;

    fn queue_is_empty() -> bool {
        // SAFETY: the call takes no pointer.
        unsafe { ERR_peek_error() == 0 }
    }

    #[test]
    fn what_is_refused_leaves_the_queue_of_errors_empty() {
        for number in [[0; 32], [0xff; 32]] {
            let refused = AwsLc.load_ecdh(NamedCurve::Secp256r1, &number).err();
            assert_eq!(refused, Some(BAD_AGREEMENT_KEY));
            assert!(queue_is_empty());
        }
        let peer = [&[4][..], &[1; 64]].concat();
        let key = AwsLc.generate_ecdh(NamedCurve::Secp256r1).unwrap();
        assert_eq!(key.agree(&peer, &mut [0; 32]), Err(Error::BadKeyShare));
        assert!(queue_is_empty());
        let key = AwsLc.generate_ecdh(NamedCurve::X25519).unwrap();
        assert_eq!(key.agree(&[0; 32], &mut [0; 32]), Err(Error::BadKeyShare));
        assert!(queue_is_empty());
        // p - 1 has the order 2, so that a key of 2 makes it 1.
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        let key = AwsLc.load_dh(&group, &[2]).unwrap();
        let peer = [&group.prime()[..255], &[0xfe]].concat();
        assert_eq!(key.agree(&peer, &mut [0; 256]), Err(Error::BadKeyShare));
        assert!(queue_is_empty());
    }

    #[test]
    fn private_keys_are_as_long_as_the_group_says() {
        for (group, bits) in [(FfdheGroup::Ffdhe2048, 225), (FfdheGroup::Ffdhe3072, 275)] {
            let lengths = (0..8).map(|_| {
                let key = FiniteField::new(&DhParameters::named(group), None).unwrap();
                // SAFETY: the key is live.
                let number = unsafe { DH_get0_priv_key(key.dh.0.as_ptr()) };
                // SAFETY: the number is the key's.
                unsafe { BN_num_bits(number) }
            });
            let longest = lengths.max().unwrap();
            // The first 16 bits of 8 random keys are all 0 once in 2^128 runs.
            assert!((bits - 16..=bits).contains(&longest), "{longest} bits in {}", group.name());
        }
    }
}
