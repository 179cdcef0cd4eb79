//! An HMAC key (RFC 2104) on OpenSSL's hashes, of which core makes HMAC, the TLS PRF and HKDF.
//! OpenSSL's own TLS1-PRF and HMAC look algorithms up and allocate at every call.

use zeroize::Zeroizing;

use ssl_provider_core::backend::HmacKey;

use crate::hash::Digest;

/// An HMAC key: the states of the two hashes after the padded key.
pub(crate) struct Key<D> {
    inner: D,
    outer: D,
}

impl<D: Digest> Key<D> {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; MAX_BLOCK_LEN]);
        // The length of a key is public.
        if key.len() > D::BLOCK_LEN {
            let mut hash = D::new();
            hash.update(key);
            hash.finish(&mut block[..D::HASH.output_len()]);
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let block = &mut block[..D::BLOCK_LEN];
        let mut padded = |pad| {
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let mut hash = D::new();
            hash.update(block);
            hash
        };
        // The second pad takes the first off again.
        Self { inner: padded(INNER_PAD), outer: padded(INNER_PAD ^ OUTER_PAD) }
    }
}

impl<D: Digest> HmacKey for Key<D> {
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut inner = self.inner.clone();
        inner.update(head);
        inner.update(label);
        for part in seed {
            inner.update(part);
        }
        let mut outer = self.outer.clone();
        inner.finish(out);
        outer.update(out);
        outer.finish(out);
    }
}

const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// Length in bytes of the longest block: SHA-384.
const MAX_BLOCK_LEN: usize = 128;
