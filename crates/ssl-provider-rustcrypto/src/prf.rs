//! The HMAC key of the RustCrypto crates, of which core makes HMAC, the TLS PRF and HKDF.
//! A keyed `Hmac` has the padded key already hashed, so copying it saves that for every message.

use hmac::digest::FixedOutput;
use hmac::{EagerHash, Hmac, KeyInit, Mac};

use ssl_provider_core::backend::HmacKey;

/// An HMAC key: two hash states, which are wiped on drop by the crates' feature `zeroize`.
pub(crate) struct Key<D: EagerHash>(Hmac<D>);

impl<D: EagerHash> Key<D> {
    pub(crate) fn new(key: &[u8]) -> Self {
        // HMAC takes keys of every length (RFC 2104 section 3), so this never fails.
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }
}

impl<D: EagerHash + Clone> HmacKey for Key<D> {
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut mac = self.0.clone();
        mac.update(head);
        mac.update(label);
        for part in seed {
            mac.update(part);
        }
        // Core passes exactly as many bytes as the hash has.
        mac.finalize_into(out.try_into().expect("out is of the hash's length"));
    }
}

#[cfg(test)]
mod tests {
    use md5::Md5;
    use sha1::Sha1;
    use sha2::{Sha256, Sha384, Sha512};
    use zeroize::ZeroizeOnDrop;

    /// Holds by compiling, and no longer does when a feature `zeroize` is lost.
    #[test]
    fn the_states_that_a_key_consists_of_are_wiped_on_drop() {
        fn check<T: ZeroizeOnDrop>() {}
        check::<Md5>();
        check::<Sha1>();
        check::<Sha256>();
        check::<Sha384>();
        check::<Sha512>();
    }
}
