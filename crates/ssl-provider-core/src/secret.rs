//! The secrets of a key exchange, each in a type of its own that wipes itself.
//! None of them can be cloned, compared or printed; bytes come out through `expose` only.

use std::cell::Cell;

use ssl_provider_memory::{SecretBytes, wipe_vector_registers};
use zeroize::{Zeroize, ZeroizeOnDrop, zeroize_stack};

use crate::algorithm::KemAlgorithm;

/// Length of a premaster secret and of a master secret in bytes (RFC 5246 sections 7.4.7.1, 8.1).
pub const MASTER_SECRET_LEN: usize = 48;

const AS_LONG: &str = "a secret is made with its length";

macro_rules! secret {
    // Lives for one operation: an array, to be kept behind a reference or in a box.
    ($(#[$doc:meta])* $vis:vis $name:ident, $len:expr) => {
        secret! { $(#[$doc])* $vis $name, $len, [u8; $len], [0; $len] }
    };
    // Lives as long as an object: locked memory.
    ($(#[$doc:meta])* $vis:vis $name:ident, $len:expr, kept) => {
        secret! { $(#[$doc])* $vis $name, $len, SecretBytes, SecretBytes::zeroed($len) }
    };
    ($(#[$doc:meta])* $vis:vis $name:ident, $len:expr, $bytes:ty, $zeroed:expr) => {
        $(#[$doc])*
        #[derive(Zeroize, ZeroizeOnDrop)]
        $vis struct $name($bytes);

        impl $name {
            /// Returns a value of all zeros, to be filled through [`expose_mut`](Self::expose_mut).
            $vis fn zeroed() -> Self {
                Self($zeroed)
            }

            /// Returns the secret bytes. The caller is responsible for where they go.
            $vis fn expose(&self) -> &[u8; $len] {
                self.0[..].try_into().expect(AS_LONG)
            }

            /// Returns the secret bytes, to be written in place so that no copy stays behind.
            $vis fn expose_mut(&mut self) -> &mut [u8; $len] {
                (&mut self.0[..]).try_into().expect(AS_LONG)
            }
        }

        $crate::redacted_debug! { $name { .. } }
    };
}

/// Implements `Debug` for each type, with the listed fields or methods without arguments, which are
/// not secret: `Key { modulus_len(), .. }`. For the crates of this project only; it is no part of
/// the public API.
#[doc(hidden)]
#[macro_export]
macro_rules! redacted_debug {
    // The optional parentheses are those of a method call; nothing stands in them.
    ($($name:ident $(<$lifetime:lifetime>)? { $($field:ident $(($($none:tt)?))?,)* .. })+) => {
        $(impl ::std::fmt::Debug for $name $(<$lifetime>)? {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &self.$field $(($($none)?))?))*
                    .finish_non_exhaustive()
            }
        })+
    };
}

secret! {
    /// The 48-byte premaster secret of an RSA key exchange: two version bytes and 46 random ones.
    pub PremasterSecret, MASTER_SECRET_LEN
}

secret! {
    /// The 48-byte master secret of a session.
    pub MasterSecret, MASTER_SECRET_LEN, kept
}

secret! {
    /// The 32-byte key of implicit rejection, derived from the primes of the private key.
    pub(crate) RejectKey, 32, kept
}

secret! {
    /// A 32-byte secret of the process, from which keys of implicit rejection are derived where the
    /// private key is hidden. A child has the same, so it is not in memory that may be wiped there.
    pub(crate) ProcessSecret, 32
}

/// Bytes of stack that a library may use for an operation on a curve, or while it derives secrets
/// or makes a cipher of a key: 8 000 were seen, and a backend that wipes by itself wipes 12 KiB.
pub(crate) const STACK_LEN: usize = 16 * 1024;

/// Does `work`, and wipes the vector registers and the `N` bytes of stack below it, where it may
/// have left secrets that it made or moved there, also where it panics. In [`with_one_wipe`] that
/// is left to its end.
pub fn with_stack_wiped<T, const N: usize>(work: impl FnOnce() -> T) -> T {
    struct Wipe<const N: usize>;

    impl<const N: usize> Drop for Wipe<N> {
        fn drop(&mut self) {
            if !OneWipe::leave(N) {
                wipe_vector_registers();
                zeroize_stack::<N>();
            }
        }
    }

    let _wipe = Wipe::<N>;
    below(work)
}

/// Does `work`, in which several operations would each wipe the vector registers and the stack, and
/// wipes them once at its end, as deep as the deepest of them would have; also where it panics.
/// Nothing in it should wait, as secrets stay on the stack meanwhile. One in another is a part of
/// it.
pub fn with_one_wipe<T>(work: impl FnOnce() -> T) -> T {
    match OneWipe::begin() {
        Some(_wipe) => below(work),
        None => work(),
    }
}

/// Keeps what `work` puts on the stack below the frame of the caller.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Lives as long as the work of [`with_one_wipe`], and wipes the stack when it is dropped.
struct OneWipe;

/// The part of the stack that a thread in [`with_one_wipe`] will wipe, as addresses.
#[derive(Clone, Copy)]
struct Left {
    start: usize,
    end: usize,
}

thread_local! {
    static LEFT: Cell<Option<Left>> = const { Cell::new(None) };
}

impl OneWipe {
    /// The longest wipe at the end; a deeper one is not left to it.
    const MAX_LEN: usize = 160 << 10;

    /// Returns none in another one.
    fn begin() -> Option<Self> {
        if LEFT.get().is_some() {
            return None;
        }
        let start = stack_address();
        LEFT.set(Some(Left { start, end: start }));
        Some(Self)
    }

    /// Leaves the wipe of `len` bytes below the caller to the end. Returns whether that will wipe
    /// them. Not inlined, as every operation has a copy of [`with_stack_wiped`], and so that the
    /// proof in tests/proof can leave it out.
    #[inline(never)]
    fn leave(len: usize) -> bool {
        let Some(left) = LEFT.get() else { return false };
        let end = stack_address().saturating_sub(len);
        let is_left = left.start.saturating_sub(end) <= Self::MAX_LEN;
        if is_left {
            LEFT.set(Some(Left { end: left.end.min(end), ..left }));
        }
        is_left
    }
}

impl Drop for OneWipe {
    fn drop(&mut self) {
        const KIB: usize = 1 << 10;
        let len = LEFT.take().map_or(0, |left| left.start.saturating_sub(left.end));
        wipe_vector_registers();
        match len.div_ceil(KIB) {
            0 => {}
            1..=20 => zeroize_stack::<{ 20 * KIB }>(),
            21..=40 => zeroize_stack::<{ 40 * KIB }>(),
            41..=56 => zeroize_stack::<{ 56 * KIB }>(),
            57..=88 => zeroize_stack::<{ 88 * KIB }>(),
            _ => zeroize_stack::<{ Self::MAX_LEN }>(),
        }
    }
}

/// Returns an address in the frame of the caller, or below it.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0_u8;
    (&raw const here).addr()
}

/// As [`with_stack_wiped`], for an operation of a library on a curve, or with numbers as long as an
/// RSA modulus. Which it is is public.
pub(crate) fn with_stack_of_key_wiped<T>(is_on_curve: bool, work: impl FnOnce() -> T) -> T {
    match is_on_curve {
        true => with_stack_wiped::<_, STACK_LEN>(work),
        false => with_stack_wiped::<_, LONG_NUMBERS_STACK_LEN>(work),
    }
}

/// Bytes of stack that a library may use for an operation with numbers as long as an RSA modulus;
/// the `rsa` crate was seen to use 29 000 for a key of 8192 bits.
pub(crate) const LONG_NUMBERS_STACK_LEN: usize = 40 * 1024;

/// Does `work`, and wipes the stack that a library may use for key encapsulation: the crate
/// `ml-kem` was seen to use 49 000 bytes for ML-KEM-1024, AWS-LC 30 000. Which it is is public.
pub(crate) fn with_stack_of_kem_wiped<T>(kem: KemAlgorithm, work: impl FnOnce() -> T) -> T {
    match kem {
        KemAlgorithm::MlKem768 => with_stack_wiped::<_, { 48 * 1024 }>(work),
        KemAlgorithm::MlKem1024 => with_stack_wiped::<_, { 64 * 1024 }>(work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret_byte() {
        let mut premaster_secret = PremasterSecret::zeroed();
        premaster_secret.expose_mut().fill(0xa5);
        let shown = format!("{premaster_secret:?} {premaster_secret:#?}");
        assert_eq!(shown, "PremasterSecret { .. } PremasterSecret { .. }");
        assert_eq!(format!("{:?}", MasterSecret::zeroed()), "MasterSecret { .. }");
        assert_eq!(format!("{:?}", RejectKey::zeroed()), "RejectKey { .. }");
    }

    #[test]
    fn zeroize_clears_every_byte() {
        let mut master_secret = MasterSecret::zeroed();
        master_secret.expose_mut().fill(0xa5);
        master_secret.zeroize();
        assert_eq!(master_secret.expose(), &[0; MASTER_SECRET_LEN]);
    }
}
