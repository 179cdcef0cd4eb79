//! The mean of paired differences, without the outliers of interrupts, and its standard error.
//! Trimmed mean and winsorised deviation, after Tukey and McLaughlin (1963).

/// The share that is trimmed at either end.
const TRIM: f64 = 0.2;

/// How much longer one class takes than another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Effect {
    /// The trimmed mean of the differences.
    pub(crate) nanoseconds: f64,
    /// Its standard error.
    pub(crate) error: f64,
}

impl Effect {
    /// Returns the effect in paired differences. Without any, the error is infinite.
    pub(crate) fn of(mut differences: Vec<f64>) -> Self {
        differences.sort_by(f64::total_cmp);
        let count = differences.len();
        let cut = count / 5;
        let kept = &differences[cut..count - cut];
        let (Some(least), Some(most)) = (kept.first(), kept.last()) else {
            return Self { nanoseconds: 0.0, error: f64::INFINITY };
        };
        let nanoseconds = mean(kept.iter().copied());
        let winsorised = || differences.iter().map(|value| value.clamp(*least, *most));
        let centre = mean(winsorised());
        let deviation = mean(winsorised().map(|value| (value - centre).powi(2))).sqrt();
        let error = deviation / ((1.0 - 2.0 * TRIM) * (count as f64).sqrt());
        Self { nanoseconds, error }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_move_the_mean() {
        let mut differences: Vec<f64> = (0..1000).map(|i| f64::from(i % 11)).collect();
        let calm = Effect::of(differences.clone());
        assert!((calm.nanoseconds - 5.0).abs() < 0.1, "{calm:?}");
        // The standard error of a trimmed mean of 1000 values between 0 and 10.
        assert!((0.05..0.2).contains(&calm.error), "{calm:?}");
        differences[..100].fill(1e9);
        let disturbed = Effect::of(differences);
        assert!((disturbed.nanoseconds - 5.0).abs() < 1.0, "{disturbed:?}");
    }

    #[test]
    fn nothing_is_known_without_a_measurement() {
        assert_eq!(Effect::of(Vec::new()).error, f64::INFINITY);
    }
}
