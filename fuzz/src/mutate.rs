//! Mutates input as corrupt files and hostile peers do: bits, lengths, truncation, repetition,
//! mixtures. All choices come from a seeded generator, so a run can be repeated.

use ssl_provider_testkit::bytes::Rng;

/// Longest input in bytes.
pub const MAX_LEN: usize = 64 * 1024;

/// Boundary values of lengths and counters.
const EDGES: [u8; 8] = [0x00, 0x01, 0x02, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/// Returns a mutated input of `corpus`, which is not empty.
pub fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = rng.pick(corpus).clone();
    for _ in 0..=rng.below(6) {
        let at = rng.below(input.len() + 1);
        let len = rng.below(input.len() - at + 1);
        let len = if rng.one_in(2) { len.min(8) } else { len };
        match rng.below(8) {
            0 if at < input.len() => input[at] ^= 1 << rng.below(8),
            1 if at < input.len() => input[at] = *rng.pick(&EDGES),
            2 => input[at..at + len.min(8)].fill(*rng.pick(&EDGES)),
            3 => input.truncate(at),
            4 => drop(input.drain(at..at + len)),
            5 => {
                let repeated = input[at..at + len].to_vec();
                input.splice(at..at, repeated);
            }
            6 => {
                let len = rng.below(16);
                input.splice(at..at, rng.bytes(len));
            }
            _ => {
                let other = rng.pick(corpus);
                let from = rng.below(other.len() + 1);
                input.splice(at..at + len, other[from..].iter().copied().take(len.max(16)));
            }
        }
    }
    input.truncate(MAX_LEN);
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_inputs_and_another_makes_others() {
        let corpus = [vec![1, 2, 3, 4], vec![], vec![9; 100]];
        let inputs = |seed| {
            let mut rng = Rng::new(seed);
            (0..200).map(|_| mutate(&mut rng, &corpus)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert!(inputs(3).iter().all(|input| input.len() <= MAX_LEN));
    }
}
