//! What a call leaves on the stack: it is made on a stack that was painted before, and what lies
//! below it afterwards is read through the kernel, as memory of this process. Of Linux alone.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::thread;

use crate::bytes::to_hex;

/// Bytes of stack that are looked at. Multi-buffer RSA wipes 768 KiB for keys of 8192 bits.
const DEPTH: usize = 1024 * 1024;

/// What they hold before the call.
const PAINT: u8 = 0xa5;

/// Bytes of a secret that are looked for at a time: no more than a register holds, and enough that
/// no other memory has them by chance.
const NEEDLE_LEN: usize = 8;

/// Pieces of secrets, each with the name of its secret.
#[derive(Clone, Debug, Default)]
pub struct Secrets(HashMap<[u8; NEEDLE_LEN], &'static str>);

impl Secrets {
    /// Adds a secret of at least 8 bytes: all of it, in both orders of bytes, as hashes take it
    /// apart, in words of 32 bits, and as numbers of multi-buffer RSA lie in memory, in digits of
    /// 52 bits.
    ///
    /// # Panics
    ///
    /// When it is shorter, as nothing would be looked for.
    #[must_use]
    pub fn and(mut self, name: &'static str, secret: &[u8]) -> Self {
        assert!(secret.len() >= NEEDLE_LEN, "{name} has {} bytes", secret.len());
        let reversed: Vec<u8> = secret.iter().rev().copied().collect();
        let words = secret.chunks_exact(4).flat_map(|word| word.iter().rev().copied());
        let words: Vec<u8> = words.collect();
        let bytes = [secret, &reversed, &words].map(|form| form.windows(NEEDLE_LEN));
        let bytes = bytes.into_iter().flatten();
        self.0.extend(bytes.map(|piece| (piece.try_into().unwrap(), name)));
        // 13 hex digits have 52 bits.
        let hex = to_hex(secret);
        let digits = hex.as_bytes().rchunks_exact(13).map(|digit| {
            u64::from_str_radix(std::str::from_utf8(digit).unwrap(), 16).unwrap().to_le_bytes()
        });
        self.0.extend(digits.map(|piece| (piece, name)));
        self
    }
}

/// What a call left on the stack, the deepest first.
#[derive(Debug)]
pub struct Remains(Vec<u8>);

impl Remains {
    /// Makes the call, on a thread of its own. Secrets that it is given or gives back have to be on
    /// the heap, else they are found there.
    ///
    /// # Panics
    ///
    /// As the call does, and where the kernel does not show this memory.
    pub fn of(call: impl FnOnce() + Send) -> Self {
        let run = || {
            paint();
            apart(call);
            Self(read())
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(2 * DEPTH).spawn_scoped(scope, run);
            thread.unwrap().join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// The names of the secrets of which a piece was left.
    pub fn found(&self, secrets: &Secrets) -> BTreeSet<&'static str> {
        self.0.windows(NEEDLE_LEN).filter_map(|piece| secrets.0.get(piece).copied()).collect()
    }

    /// Whether the last wipe reached as deep as anything was written: below its zeros is nothing
    /// but the frame of the function that wipes.
    pub fn wiped_to_the_bottom(&self) -> bool {
        const FRAME_LEN: usize = 64;
        /// The shortest wipe is of 12 KiB, and what comes after it may lie in its upper part.
        const LEAST_WIPED: usize = 8 * 1024;
        let bottom = self.0.iter().position(|byte| *byte != PAINT).unwrap();
        assert_ne!(bottom, 0, "more stack was used than is looked at");
        let zeros = self.0.iter().skip(bottom + FRAME_LEN).take(LEAST_WIPED);
        zeros.filter(|byte| **byte == 0).count() == LEAST_WIPED
    }
}

#[inline(never)]
fn paint() {
    // A page more, as the frames of this function and of `read` are not of one size.
    black_box(&mut [PAINT; DEPTH + 4096]);
}

/// Makes the call so far down that nothing that runs after it writes where it was.
#[inline(never)]
fn apart(call: impl FnOnce()) {
    let mut between = [PAINT; 16 * 1024];
    black_box(&mut between);
    call();
    black_box(&mut between);
}

#[inline(never)]
fn read() -> Vec<u8> {
    let mut bytes = vec![0; DEPTH];
    let here = (&raw const bytes).addr();
    let memory = File::open("/proc/self/mem").unwrap();
    memory.read_exact_at(&mut bytes, (here - DEPTH) as u64).unwrap();
    bytes
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use ssl_provider_core::backend::{with_one_wipe, with_stack_wiped};

    use super::*;
    use crate::bytes::Rng;

    /// Leaves a copy below `DISTANCE` bytes that it does not write to.
    #[inline(never)]
    fn leave<const DISTANCE: usize>(secret: &[u8]) {
        let mut frame = [[0; DISTANCE], [0; DISTANCE]];
        black_box(&mut frame);
        frame[0][..secret.len()].copy_from_slice(secret);
        black_box(&mut frame);
    }

    #[test]
    fn a_secret_is_found_unless_it_is_wiped_deep_enough() {
        const LEN: usize = 12 * 1024;
        let secret = Rng::new(90).bytes(48);
        let backwards: Vec<u8> = secret.iter().rev().copied().collect();
        let secrets = Secrets::default().and("planted", &secret);
        let planted = BTreeSet::from(["planted"]);

        let left = Remains::of(|| leave::<64>(&secret));
        assert_eq!(left.found(&secrets), planted);
        assert_eq!(left.found(&Secrets::default().and("planted", &backwards)), planted);
        assert_eq!(left.found(&Secrets::default().and("other", &[1; 48])), BTreeSet::new());
        assert!(!left.wiped_to_the_bottom());

        let words: Vec<u8> = secret.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        assert_eq!(left.found(&Secrets::default().and("planted", &words)), planted);

        let wiped = Remains::of(|| with_stack_wiped::<_, LEN>(|| leave::<64>(&secret)));
        assert_eq!(wiped.found(&secrets), BTreeSet::new());
        assert!(wiped.wiped_to_the_bottom());

        let deeper = Remains::of(|| with_stack_wiped::<_, LEN>(|| leave::<LEN>(&secret)));
        assert_eq!(deeper.found(&secrets), planted);
        assert!(!deeper.wiped_to_the_bottom());
    }

    #[test]
    fn one_wipe_is_as_deep_as_the_deepest_of_those_that_it_replaces() {
        const LEN: usize = 12 * 1024;
        let secret = Rng::new(90).bytes(48);
        let secrets = Secrets::default().and("planted", &secret);
        let shallow: &(dyn Fn() + Sync) = &|| with_stack_wiped::<_, LEN>(|| leave::<64>(&secret));
        let deep: &(dyn Fn() + Sync) =
            &|| with_stack_wiped::<_, { 5 * LEN }>(|| leave::<{ 2 * LEN }>(&secret));
        // Too long to be left to the end.
        let deepest: &(dyn Fn() + Sync) =
            &|| with_stack_wiped::<_, { 25 * LEN }>(|| leave::<{ 10 * LEN }>(&secret));
        for order in [&[shallow, deep, shallow][..], &[deepest, shallow], &[deep, deepest]] {
            let wiped = Remains::of(|| {
                with_one_wipe(|| order.iter().for_each(|operation| operation()));
            });
            assert_eq!(wiped.found(&secrets), BTreeSet::new());
        }
        // What nobody says is secret is not wiped.
        let deeper = Remains::of(|| with_one_wipe(|| leave::<LEN>(&secret)));
        assert_eq!(deeper.found(&secrets), BTreeSet::from(["planted"]));
    }

    #[test]
    fn one_wipe_leaves_secrets_until_its_end_and_no_longer() {
        const LEN: usize = 12 * 1024;
        let secret = Rng::new(90).bytes(48);
        let secrets = Secrets::default().and("planted", &secret);
        let operation = || with_stack_wiped::<_, LEN>(|| leave::<4096>(&secret));
        let twice = || {
            with_one_wipe(|| with_one_wipe(operation));
            // Now it is this one's turn again.
            leave::<4096>(&secret);
            operation();
        };
        assert_eq!(Remains::of(twice).found(&secrets), BTreeSet::new());
        let panics = || -> () {
            operation();
            resume_unwind(Box::new("planted"));
        };
        let wiped = Remains::of(|| {
            assert!(catch_unwind(|| with_one_wipe(panics)).is_err());
        });
        assert_eq!(wiped.found(&secrets), BTreeSet::new());
        let within = Remains::of(|| {
            with_one_wipe(|| {
                operation();
                // Seen from here, as nothing has been wiped yet.
                let seen = Remains(read());
                assert_eq!(seen.found(&secrets), BTreeSet::from(["planted"]));
            });
        });
        assert_eq!(within.found(&secrets), BTreeSet::new());
    }

    #[test]
    fn a_secret_is_wiped_below_a_panic() {
        const LEN: usize = 12 * 1024;
        let secret = Rng::new(90).bytes(48);
        let secrets = Secrets::default().and("planted", &secret);
        // Deeper than what unwinding writes to, which would wipe it in the control too.
        let panics = || {
            leave::<4096>(&secret);
            resume_unwind(Box::new("planted"));
        };
        let left = Remains::of(|| assert!(catch_unwind(panics).is_err()));
        assert_eq!(left.found(&secrets), BTreeSet::from(["planted"]));
        let wiped = Remains::of(|| {
            assert!(catch_unwind(|| with_stack_wiped::<(), LEN>(panics)).is_err());
        });
        assert_eq!(wiped.found(&secrets), BTreeSet::new());
    }

    #[test]
    fn a_digit_of_52_bits_is_found() {
        let secrets = Secrets::default().and("number", &Rng::new(91).bytes(26));
        let all: Vec<u8> = secrets.0.keys().flatten().copied().collect();
        let digits = all.chunks(NEEDLE_LEN).filter(|piece| piece[7] == 0 && piece[6] < 0x10);
        assert_eq!(digits.count(), 4);
    }
}
