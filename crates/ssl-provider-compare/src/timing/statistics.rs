//! The statistics of paired differences: an effect with its standard error and interval, tests of
//! whether there is one, and the effect that would have been found.
//!
//! Within a block the classes are timed in random order. So where a class is like the reference, a
//! difference has either sign with equal probability, whatever the machine does meanwhile: that is
//! all that the sign test and Wilcoxon's test assume.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};
use statrs::function::erf::erfc;

use ssl_provider_testkit::bytes::Rng;

/// The share of the differences that the mean leaves out at either end: those of interrupts.
pub(crate) const TRIM: f64 = 0.2;

/// The probability of any false leak in a whole run.
pub(crate) const SIGNIFICANCE: f64 = 0.01;

/// The probability with which an effect of the detectable size is found.
pub(crate) const POWER: f64 = 0.95;

/// The tests of each pair: the trimmed mean in standard errors, the sign test, and Wilcoxon's.
pub(crate) const TESTS: usize = 3;

/// How many times the differences are drawn anew for an interval.
const RESAMPLES: usize = 1000;

/// Most bins that the differences are drawn in; up to so many differences each is its own.
const BINS: usize = 2048;

/// How much longer one class takes than another: the trimmed mean of the differences, and its
/// standard error from the winsorised deviation (Tukey and McLaughlin 1963).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    /// The trimmed mean in nanoseconds.
    pub(crate) nanoseconds: f64,
    /// Its standard error in nanoseconds; infinite without a difference.
    pub(crate) error: f64,
}

impl Effect {
    /// Returns the effect in differences that are sorted.
    pub(crate) fn of(sorted: &[f64]) -> Self {
        let cut = sorted.len() / 5;
        let kept = &sorted[cut..sorted.len() - cut];
        let (Some(least), Some(most)) = (kept.first(), kept.last()) else {
            return Self { nanoseconds: 0.0, error: f64::INFINITY };
        };
        let nanoseconds = mean(kept.iter().copied());
        let winsorised = || sorted.iter().map(|value| value.clamp(*least, *most));
        let centre = mean(winsorised());
        let deviation = mean(winsorised().map(|value| (value - centre).powi(2))).sqrt();
        let error = deviation / ((1.0 - 2.0 * TRIM) * (sorted.len() as f64).sqrt());
        Self { nanoseconds, error }
    }

    /// The effect in standard errors; zero if no difference was measured in any block.
    pub(crate) fn z(self) -> f64 {
        if self.nanoseconds == 0.0 { 0.0 } else { self.nanoseconds / self.error }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Returns the probability that a standard normal value is as far from zero as `z`.
pub(crate) fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// Returns the value below which a standard normal one is with this probability.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// The sign test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SignTest {
    /// Differences above zero.
    pub(crate) positive: u64,
    /// Differences below zero; those of zero do not count.
    pub(crate) negative: u64,
    /// The two-sided probability.
    pub(crate) p: f64,
}

impl SignTest {
    /// Tests whether differences are as often positive as negative. Up to 1000 of them exactly, for
    /// more by the normal approximation, with the correction for continuity.
    pub(crate) fn of(differences: &[f64]) -> Self {
        let count = |is: fn(&f64) -> bool| differences.iter().filter(|value| is(value)).count();
        let (positive, negative) = (count(|it| *it > 0.0) as u64, count(|it| *it < 0.0) as u64);
        let (fewer, all) = (positive.min(negative), positive + negative);
        let p = match Binomial::new(0.5, all) {
            Ok(exact) if all <= 1000 => (2.0 * exact.cdf(fewer)).min(1.0),
            _ => {
                let distance = (all - 2 * fewer).saturating_sub(1) as f64;
                two_sided(distance / (all as f64).sqrt())
            }
        };
        Self { positive, negative, p }
    }
}

/// Wilcoxon's signed-rank test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Wilcoxon {
    /// The sum of the ranks of positive differences, in standard deviations from its mean.
    pub(crate) z: f64,
    /// The two-sided probability, by the normal approximation.
    pub(crate) p: f64,
}

impl Wilcoxon {
    /// Tests whether differences are symmetric about zero. Zeros are left out (Wilcoxon's way),
    /// ties have their average rank, and the variance is corrected for them.
    pub(crate) fn of(differences: &[f64]) -> Self {
        let mut values: Vec<f64> = differences.iter().copied().filter(|it| *it != 0.0).collect();
        values.sort_unstable_by(|one, other| one.abs().total_cmp(&other.abs()));
        let count = values.len() as f64;
        let (mut positive, mut ties, mut rank) = (0.0, 0.0, 0.0);
        for tied in values.chunk_by(|one, other| one.abs() == other.abs()) {
            let len = tied.len() as f64;
            let average = rank + (len + 1.0) / 2.0;
            positive += average * tied.iter().filter(|value| **value > 0.0).count() as f64;
            ties += len.powi(3) - len;
            rank += len;
        }
        let mean = count * (count + 1.0) / 4.0;
        let variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - ties / 48.0;
        let z = if variance > 0.0 { (positive - mean) / variance.sqrt() } else { 0.0 };
        Self { z, p: two_sided(z) }
    }
}

/// Returns the interval that holds the trimmed mean with 95 % confidence, by the percentiles of a
/// bootstrap (Efron 1979). More than 2048 differences are drawn in bins of neighbours, each as
/// often as a Poisson variable tells: for so many that is the same as drawing with replacement.
pub(crate) fn bootstrap_interval(sorted: &[f64], rng: &mut Rng) -> [f64; 2] {
    let bins = sorted.len().min(BINS);
    if bins == 0 {
        return [f64::NEG_INFINITY, f64::INFINITY];
    }
    let bins: Vec<(f64, f64)> = (0..bins)
        .map(|bin| &sorted[bin * sorted.len() / bins..(bin + 1) * sorted.len() / bins])
        .map(|bin| (bin.len() as f64, mean(bin.iter().copied())))
        .collect();
    let mut weights = vec![0.0; bins.len()];
    let mut means = Vec::with_capacity(RESAMPLES);
    while means.len() < RESAMPLES {
        if bins.len() == sorted.len() {
            weights.fill(0.0);
            (0..bins.len()).for_each(|_| weights[rng.below(bins.len())] += 1.0);
        } else {
            for (weight, (count, _)) in weights.iter_mut().zip(&bins) {
                *weight = poisson(*count, rng);
            }
        }
        let total: f64 = weights.iter().sum();
        means.push(weighted_trimmed_mean(&bins, &weights, total));
    }
    means.sort_unstable_by(f64::total_cmp);
    [quantile(&means, 0.025), quantile(&means, 0.975)]
}

/// The trimmed mean of bins that are sorted, each with its mean, and counted as often as it weighs.
fn weighted_trimmed_mean(bins: &[(f64, f64)], weights: &[f64], total: f64) -> f64 {
    let (begin, end) = (total * TRIM, total * (1.0 - TRIM));
    let (mut at, mut sum) = (0.0, 0.0);
    for ((_, mean), weight) in bins.iter().zip(weights) {
        let kept = (at + weight).min(end) - f64::max(at, begin);
        sum += kept.max(0.0) * mean;
        at += weight;
    }
    sum / (end - begin)
}

/// A Poisson variable with this mean: by Knuth's method, or a rounded normal one if it is large.
fn poisson(mean: f64, rng: &mut Rng) -> f64 {
    if mean > 30.0 {
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0);
    }
    let limit = (-mean).exp();
    let (mut count, mut product) = (0.0, uniform(rng));
    while product > limit {
        count += 1.0;
        product *= uniform(rng);
    }
    count
}

/// A number in (0, 1).
pub(crate) fn uniform(rng: &mut Rng) -> f64 {
    const BITS: u32 = 52;
    ((rng.next_u64() >> (64 - BITS)) as f64 + 0.5) / (1_u64 << BITS) as f64
}

/// A standard normal variable (Box and Muller 1958).
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * uniform(rng).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

/// Returns the quantile of values that are sorted, between two of them by interpolation; NaN
/// without any.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to last")]
    let index = at as usize;
    let (lower, upper) = (sorted[index], sorted[(index + 1).min(last)]);
    lower + (upper - lower) * (at - index as f64)
}

/// Returns the probabilities corrected for their number, in their order (Holm 1979): the chance of
/// any false finding stays below the level that they are compared with.
pub(crate) fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|one, other| probabilities[*one].total_cmp(&probabilities[*other]));
    let mut corrected = vec![0.0; probabilities.len()];
    let mut least = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let factor = (probabilities.len() - rank) as f64;
        least = f64::max(least, (probabilities[index] * factor).min(1.0));
        corrected[index] = least;
    }
    corrected
}

/// Returns the effect in nanoseconds that would have been found with a probability of 95 %, as one
/// of `pairs` and if it must be larger than `limit` to count.
pub(crate) fn detectable(error: f64, pairs: usize, limit: f64) -> f64 {
    let level = SIGNIFICANCE / (TESTS * pairs.max(1)) as f64;
    let (significant, power) = (normal_quantile(1.0 - level / 2.0), normal_quantile(POWER));
    ((significant + power) * error).max(limit + power * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differences with ties, zeros and outliers, of which SciPy 1.17.1 computed the values below.
    const SAMPLE: [f64; 20] = [
        1.5, -0.5, 2.0, 0.0, 3.25, -1.5, 4.0, 2.0, 100.0, -2.0, 0.5, 1.0, 1.0, -0.25, 6.0, 7.5,
        -3.0, 2.5, 0.0, 5.0,
    ];

    fn sorted(values: &[f64]) -> Vec<f64> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    }

    fn normals(count: usize, mean: f64, seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        (0..count).map(|_| mean + normal(&mut rng)).collect()
    }

    #[track_caller]
    fn assert_near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} instead of {expected}");
    }

    /// A thousand differences with many ties, without randomness.
    fn many() -> Vec<f64> {
        (0..1000).map(|i| f64::from((i * 7919) % 101 - 48)).collect()
    }

    #[test]
    fn the_trimmed_mean_and_its_error_are_those_of_scipy() {
        // scipy.stats.trim_mean and scipy.stats.mstats.trimmed_stde, 20 % at either end; that
        // divides by the count less one, and we by the count.
        for (values, nanoseconds, error) in [
            (SAMPLE.to_vec(), 1.458_333_333_333_333_3, 0.644_434_676_776_148_4),
            (many(), 1.925, 1.229_280_482_845_760_2),
        ] {
            let effect = Effect::of(&sorted(&values));
            let count = values.len() as f64;
            assert_near(effect.nanoseconds, nanoseconds, 1e-12);
            assert_near(effect.error * (count / (count - 1.0)).sqrt(), error, 1e-12);
            assert_near(effect.z(), effect.nanoseconds / effect.error, 1e-12);
        }
        assert_eq!(Effect::of(&[]).error, f64::INFINITY);
        assert_eq!(Effect::of(&[0.0; 9]).z(), 0.0);
    }

    #[test]
    fn outliers_do_not_move_the_mean() {
        let mut values = many();
        let calm = Effect::of(&sorted(&values));
        values[..100].fill(1e9);
        let disturbed = Effect::of(&sorted(&values));
        assert!((disturbed.nanoseconds - calm.nanoseconds).abs() < 10.0, "{disturbed:?}");
    }

    #[test]
    fn the_sign_test_is_that_of_scipy() {
        // scipy.stats.binomtest(fewer, all, 0.5).
        let differences = |positive: usize, negative: usize| {
            [vec![1.0; positive], vec![-1.0; negative], vec![0.0; 7]].concat()
        };
        let test = SignTest::of(&SAMPLE);
        assert_eq!((test.positive, test.negative), (13, 5));
        assert_near(test.p, 0.096_252_441_406_25, 1e-12);
        assert_near(SignTest::of(&differences(3, 37)).p, 1.946_500_560_734_421e-8, 1e-16);
        assert_near(SignTest::of(&differences(560, 440)).p, 1.650_498_705_504_528_6e-4, 1e-12);
        // Approximated.
        let p = SignTest::of(&differences(49_500, 50_500)).p;
        assert_near(p, 0.001_582_359_878_851_515_4, 1e-6);
        assert_eq!(SignTest::of(&[0.0; 3]).p, 1.0);
        assert_eq!(SignTest::of(&differences(600, 600)).p, 1.0);
    }

    #[test]
    fn the_signed_rank_test_is_that_of_scipy() {
        // scipy.stats.wilcoxon(x, zero_method="wilcox", correction=False, method="asymptotic"),
        // whose z is that of the smaller sum.
        for (values, z, p) in [
            (SAMPLE.to_vec(), 2.375_466_308_007_692, 0.017_526_792_408_782_004),
            (many(), 2.057_176_724_789_108, 0.039_669_229_562_058_345),
        ] {
            let test = Wilcoxon::of(&values);
            assert_near(test.z, z, 1e-12);
            assert_near(test.p, p, 1e-10);
            let negated: Vec<f64> = values.iter().map(|value| -value).collect();
            assert_near(Wilcoxon::of(&negated).z, -z, 1e-12);
        }
        assert_eq!(Wilcoxon::of(&[0.0; 5]).p, 1.0);
    }

    #[test]
    fn the_interval_is_that_of_scipy() {
        // scipy.stats.bootstrap((x,), trim_mean, n_resamples=20000, method="percentile").
        for (values, [low, high]) in
            [(SAMPLE.to_vec(), [0.25, 3.0625]), (many(), [-0.501_708, 4.350_125])]
        {
            let interval = bootstrap_interval(&sorted(&values), &mut Rng::new(4));
            let tolerance = (high - low) / 20.0;
            assert_near(interval[0], low, tolerance);
            assert_near(interval[1], high, tolerance);
        }
    }

    #[test]
    fn the_interval_of_many_differences_is_as_wide_as_their_error() {
        let values = sorted(&normals(50_000, 3.0, 7));
        let effect = Effect::of(&values);
        let [low, high] = bootstrap_interval(&values, &mut Rng::new(1));
        assert!(low < effect.nanoseconds && effect.nanoseconds < high);
        assert_near((high - low) / (2.0 * 1.96 * effect.error), 1.0, 0.1);
        assert_eq!(bootstrap_interval(&[5.0], &mut Rng::new(1)), [5.0, 5.0]);
        assert_eq!(bootstrap_interval(&[], &mut Rng::new(1))[1], f64::INFINITY);
    }

    #[test]
    fn the_interval_holds_the_mean_as_often_as_it_says() {
        let holds = |seed| {
            let values = sorted(&normals(100, 1.0, 1000 + seed));
            let [low, high] = bootstrap_interval(&values, &mut Rng::new(seed));
            low <= 1.0 && 1.0 <= high
        };
        let held = (0..200).filter(|seed| holds(*seed)).count();
        assert!((180..=198).contains(&held), "{held} of 200");
    }

    #[test]
    fn the_normal_distribution_is_that_of_scipy() {
        // 2 * scipy.stats.norm.sf(z), and scipy.stats.norm.ppf.
        for (z, p) in [
            (0.0, 1.0),
            (1.0, 0.317_310_507_862_914_15),
            (-1.959_963_984_540_054, 0.05),
            (4.5, 6.795_346_249_460_107e-6),
            (6.0, 1.973_175_290_075_389e-9),
        ] {
            assert_near(two_sided(z), p, p * 1e-6);
        }
        assert_near(normal_quantile(0.95), 1.644_853_626_951_472_2, 1e-9);
        assert_near(normal_quantile(1.0 - 0.01 / 600.0), 4.149_409_984_347_971, 1e-6);
    }

    #[test]
    fn corrected_probabilities_are_those_of_holm() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
        for (value, expected) in corrected.iter().zip([0.04, 0.09, 0.09, 0.025, 0.5]) {
            assert_near(*value, expected, 1e-12);
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert_near(quantile(&values, share), expected, 1e-12);
        }
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn an_effect_of_the_detectable_size_is_found_as_often_as_stated() {
        // Of one pair, and with no limit: by the trimmed mean alone, as the size is computed.
        let (count, trials) = (400, 300_u32);
        let error = Effect::of(&sorted(&normals(20_000, 0.0, 3))).error * (20_000.0_f64).sqrt()
            / f64::from(count).sqrt();
        let size = detectable(error, 1, 0.0);
        let level = SIGNIFICANCE / TESTS as f64;
        let found = |seed| {
            let values = normals(400, size, 5000 + u64::from(seed));
            two_sided(Effect::of(&sorted(&values)).z()) <= level
        };
        let count = (0..trials).filter(|seed| found(*seed)).count();
        assert!((270..=297).contains(&count), "{count} of {trials}");
        // An effect that must exceed a limit is found half of the time at the limit itself.
        assert_near(detectable(1e-9, 1, 10.0), 10.0, 1e-6);
        assert!(detectable(1.0, 1000, 0.0) > detectable(1.0, 1, 0.0));
    }

    #[test]
    fn poisson_variables_have_their_mean_as_variance() {
        for mean in [0.5, 1.0, 12.0, 500.0] {
            let mut rng = Rng::new(9);
            let drawn: Vec<f64> = (0..20_000).map(|_| poisson(mean, &mut rng)).collect();
            let average = super::mean(drawn.iter().copied());
            let variance = super::mean(drawn.iter().map(|value| (value - average).powi(2)));
            assert_near(average / mean, 1.0, 0.03);
            assert_near(variance / mean, 1.0, 0.05);
        }
    }
}
