//! Medians of values and of the ratios of two servers, with an interval.

/// The upper one of the two in the middle; not a number where there is none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let values = sorted(values);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios of rounds, and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Ratio {
    /// Compares what two servers did in the same rounds. The interval holds the median with a
    /// confidence of 95 % whatever the distribution; of fewer than 6 rounds, it is that of the
    /// lowest and highest ratio.
    pub(super) fn of(ours: &[f64], theirs: &[f64]) -> Self {
        let ratios = sorted(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs));
        let cut = cut(ratios.len());
        let at = |index: usize| ratios.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: median(ratios.iter().copied()),
            low: at(cut),
            high: at(ratios.len().saturating_sub(1 + cut)),
        }
    }
}

/// How many of the lowest of `len` values lie outside the interval of their median, and how many of
/// the highest: as many as leave at most 2.5 % on either side of a binomial distribution of 1/2.
fn cut(len: usize) -> usize {
    let mut weight = (1..=len).fold(1.0, |weight: f64, _| weight / 2.0);
    let mut sum = weight;
    let mut cut = 0;
    for index in 1..=len {
        weight *= count(len + 1 - index) / count(index);
        sum += weight;
        if sum > 0.025 {
            break;
        }
        cut = index;
    }
    cut
}

/// A number of rounds, which is small.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_tables_of_the_sign_test() {
        // Ranks of the lower end, from 1, as tables of the confidence interval of a median have
        // them.
        for (len, rank) in [(5, 1), (6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (15, 4), (20, 6)] {
            assert_eq!(cut(len) + 1, rank, "{len} values");
        }
        assert_eq!(cut(0), 0);
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let theirs = [1.0, 2.0, 4.0, 8.0, 16.0];
        let ours = [1.1, 2.4, 4.0, 7.2, 16.0];
        let ratio = Ratio::of(&ours, &theirs);
        assert_eq!((ratio.median, ratio.low, ratio.high), (1.0, 0.9, 1.2));
        assert!(Ratio::of(&[], &[]).median.is_nan());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 4.0);
    }
}
