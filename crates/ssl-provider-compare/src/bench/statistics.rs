//! Medians with their confidence intervals, percentiles, and the noise of a run.

use serde::{Deserialize, Serialize};

/// A median with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The median.
    pub median: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Returns the median of the values; `None` without any. The interval is by order statistics
    /// and assumes no distribution: of a few values it reaches from the least to the greatest.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        // Ranks n/2 -+ 1.96 sqrt(n)/2.
        let middle = sorted.len() as f64 / 2.0;
        let reach = (sorted.len() as f64).sqrt() * 0.98;
        let at = |rank: f64| at_rank(&sorted, rank);
        Some(Self { median: at(middle)?, low: at(middle - reach)?, high: at(middle + reach)? })
    }

    /// Returns the quotient of two medians that were measured apart, with the interval that their
    /// intervals allow.
    pub fn over(&self, other: &Self) -> Self {
        Self {
            median: self.median / other.median,
            low: self.low / other.high,
            high: self.high / other.low,
        }
    }

    /// Returns half the width of the interval as a part of the median.
    pub fn uncertainty(&self) -> f64 {
        ((self.high - self.low) / 2.0 / self.median).abs()
    }
}

/// Returns the value below which this part (0 to 1) of the others lies; `None` without any.
pub fn percentile(values: impl IntoIterator<Item = f64>, part: f64) -> Option<f64> {
    let sorted = sorted(values);
    at_rank(&sorted, sorted.len() as f64 * part)
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn at_rank(sorted: &[f64], rank: f64) -> Option<f64> {
    let rank = rank.clamp(0.0, sorted.len().saturating_sub(1) as f64);
    // Clamped to the existing ranks.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    sorted.get(rank as usize).copied()
}

/// How far medians of the same operation are apart within a run, as factors of 1 and more. Every
/// operation is measured in two halves of the run, some time apart: each is an A/A pair.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Of half of the pairs.
    pub median: f64,
    /// Of 95 % of the pairs.
    pub most: f64,
    /// How many pairs there are.
    pub pairs: usize,
}

impl Noise {
    /// Returns the noise of pairs of medians; 1 without any.
    pub fn of(pairs: &[[f64; 2]]) -> Self {
        let usable = |pair: &&[f64; 2]| pair.iter().all(|half| *half > 0.0);
        let apart = |[one, other]: &[f64; 2]| (one / other).max(other / one);
        let factors: Vec<f64> = pairs.iter().filter(usable).map(apart).collect();
        let at = |part| percentile(factors.iter().copied(), part).unwrap_or(1.0);
        Self { median: at(0.5), most: at(0.95), pairs: factors.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_its_interval() {
        let of = Interval::of((1..=101).rev().map(f64::from)).unwrap();
        assert_eq!(of, Interval { median: 51.0, low: 41.0, high: 61.0 });
        assert_eq!(Interval::of([]), None);
        let few = Interval::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(few, Interval { median: 2.0, low: 1.0, high: 3.0 });
        assert!((few.uncertainty() - 0.5).abs() < 1e-9);
    }

    /// Of samples of a known distribution, 95 % of the intervals hold its median.
    #[test]
    fn intervals_hold_the_true_median_as_often_as_said() {
        let mut rng = ssl_provider_testkit::bytes::Rng::new(7);
        let mut uniform = || rng.below(1_000_000) as f64 / 1e6;
        let holds = (0..2000).filter(|_| {
            let sample: Vec<f64> = (0..50).map(|_| uniform()).collect();
            Interval::of(sample).is_some_and(|of| of.low <= 0.5 && 0.5 <= of.high)
        });
        let part = holds.count() as f64 / 2000.0;
        assert!((0.92..0.98).contains(&part), "{part}");
    }

    #[test]
    fn quotients_are_as_uncertain_as_both_parts() {
        let one = Interval { median: 4.0, low: 3.0, high: 6.0 };
        let other = Interval { median: 2.0, low: 1.0, high: 3.0 };
        assert_eq!(one.over(&other), Interval { median: 2.0, low: 1.0, high: 6.0 });
    }

    #[test]
    fn percentiles_are_taken_from_the_sorted_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        let parts = [0.0, 0.1, 0.5, 0.9, 1.0].map(|part| percentile(values, part));
        assert_eq!(parts, [1.0, 1.0, 3.0, 5.0, 5.0].map(Some));
        assert_eq!(percentile([], 0.5), None);
    }

    #[test]
    fn noise_is_a_factor_in_either_direction() {
        let noise = Noise::of(&[[1.0, 1.1], [1.1, 1.0], [0.0, 5.0]]);
        assert_eq!(noise.pairs, 2);
        assert!((noise.median - 1.1).abs() < 1e-9 && (noise.most - 1.1).abs() < 1e-9);
        assert_eq!(Noise::of(&[]), Noise { median: 1.0, most: 1.0, pairs: 0 });
    }
}
