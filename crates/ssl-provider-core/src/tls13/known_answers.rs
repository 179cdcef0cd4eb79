//! What tests with known answers need besides: secrets that come from elsewhere, and the bytes of
//! those that nothing else reads. No part of the public API.
//!
//! A program does without: a shared secret that is handed in has passed none of the checks of
//! [`EarlySecret::handshake_secret`], and a traffic secret that is handed in may be a second one
//! that writes under the nonces of the first.

use ssl_provider_memory::SecretBytes;

use crate::error::Error;
use crate::schedule::Side;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::tls13::secret::Secret;
use crate::tls13::{
    BinderKey, EarlySecret, HandshakeSecret, MasterSecret, ResumptionSecret, Tls13Parameters,
    TrafficPhase, TrafficSecret,
};

impl EarlySecret {
    /// Computes the Handshake Secret from a shared secret of a published vector, which has it as
    /// bytes and has no keys.
    ///
    /// # Errors
    ///
    /// Errors of the backend.
    #[doc(hidden)]
    pub fn handshake_secret_of_shared(&self, shared: &[u8]) -> Result<HandshakeSecret, Error> {
        with_stack_wiped::<_, STACK_LEN>(|| self.next(shared))
    }
}

impl Tls13Parameters {
    /// Takes a traffic secret of a key log.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for one that is not as long as the hash of the suite.
    #[doc(hidden)]
    pub fn traffic_secret_for_vectors(
        &self,
        writer: Side,
        phase: TrafficPhase,
        secret: &[u8],
    ) -> Result<TrafficSecret, Error> {
        if secret.len() != self.hash_len() {
            return Err(Error::InvalidParameter("traffic secret: expected as long as the hash"));
        }
        let secret = Secret::of_bytes(self, SecretBytes::copied(secret));
        Ok(TrafficSecret::new(secret, writer, phase))
    }
}

/// The bytes of a secret, under the policy of key logs.
macro_rules! readable {
    ($($name:ident: $field:tt;)+) => {
        $(impl $name {
            /// Returns the secret itself.
            ///
            /// # Errors
            ///
            /// [`Error::NotAllowed`] unless the policy lets key logs have secrets.
            #[doc(hidden)]
            pub fn secret_for_vectors(&self) -> Result<&[u8], Error> {
                self.$field.for_key_log()
            }
        })+
    };
}

readable! {
    EarlySecret: secret;
    HandshakeSecret: 0;
    MasterSecret: 0;
    BinderKey: 0;
    ResumptionSecret: 0;
}
