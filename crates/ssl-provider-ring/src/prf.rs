//! The HMAC key of ring, of which core makes HMAC, the TLS PRF and HKDF.
//! A `hmac::Key` has the padded key already hashed, so it serves many messages.

use ring::hmac;

use ssl_provider_core::backend::HmacKey;

/// An HMAC key. ring has no way to wipe it, nor the tag it returns; SECURITY.md says so.
pub(crate) struct Key(pub(crate) hmac::Key);

impl HmacKey for Key {
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(head);
        context.update(label);
        for part in seed {
            context.update(part);
        }
        // Core passes exactly as many bytes as the hash has.
        out.copy_from_slice(context.sign().as_ref());
    }
}
