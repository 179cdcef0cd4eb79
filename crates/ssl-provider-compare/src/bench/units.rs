//! Numbers as people read them.

use super::report::Row;
use super::statistics::Interval;

/// Whether text may have characters beyond ASCII: on a terminal, unless `NO_COLOR` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether bars and units use Unicode.
    pub unicode: bool,
}

impl Style {
    /// For documents.
    pub const UNICODE: Self = Self { unicode: true };

    /// Returns a duration with three digits.
    pub fn duration(self, nanoseconds: f64) -> String {
        let micro = if self.unicode { "µs" } else { "us" };
        let (value, unit) = match nanoseconds.abs() {
            n if n < 1e3 => (nanoseconds, "ns"),
            n if n < 1e6 => (nanoseconds / 1e3, micro),
            n if n < 1e9 => (nanoseconds / 1e6, "ms"),
            _ => (nanoseconds / 1e9, "s"),
        };
        format!("{} {unit}", digits(value))
    }

    /// Returns half the width of an interval relative to its median.
    pub fn uncertainty(interval: &Interval) -> String {
        format!("{:.1} %", 100.0 * interval.uncertainty())
    }

    /// Returns a bar of a part (0 to 1) of so many characters.
    pub fn bar(self, part: f64, width: u16) -> String {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let steps = if self.unicode { 8 } else { 1 };
        // At least the thinnest bar, so that every row has one.
        let filled = (part.clamp(0.0, 1.0) * f64::from(width) * f64::from(steps)).round().max(1.0);
        // Between one and eight times the width.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let filled = filled as usize;
        if self.unicode {
            "█".repeat(filled / 8) + EIGHTHS[filled % 8]
        } else {
            "#".repeat(filled)
        }
    }
}

/// Returns how much is done in a second: operations, or bytes of payload.
pub fn rate(row: &Row, nanoseconds: f64) -> String {
    let per_second = 1e9 / nanoseconds;
    match row.bytes {
        Some(bytes) => scaled(per_second * bytes as f64, "B/s"),
        None => scaled(per_second, "/s"),
    }
}

/// Returns a number of some unit with three digits and a prefix.
pub fn scaled(value: f64, unit: &str) -> String {
    let (value, prefix) = match value {
        v if v < 1e3 => (v, ""),
        v if v < 1e6 => (v / 1e3, "k"),
        v if v < 1e9 => (v / 1e6, "M"),
        v => (v / 1e9, "G"),
    };
    format!("{} {prefix}{unit}", digits(value))
}

/// Returns a number with three digits, or all those before the decimal point.
pub fn digits(value: f64) -> String {
    match value.abs() {
        v if v < 10.0 => format!("{value:.2}"),
        v if v < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Returns a ratio with its interval.
pub fn ratio(interval: &Interval) -> String {
    let Interval { median, low, high } = interval;
    format!("{median:.3} ({low:.3} to {high:.3})")
}

/// Returns the case of a row with its size or number, in the unit of its group.
pub fn label(row: &Row, unit: &str) -> String {
    match row.x {
        Some(1) => format!("{}, 1 {}", row.case, unit.trim_end_matches('s')),
        Some(x) if !unit.is_empty() => format!("{}, {x} {unit}", row.case),
        _ => row.case.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Style = Style { unicode: false };

    #[test]
    fn durations_and_rates_have_three_digits() {
        assert_eq!(ASCII.duration(1.234), "1.23 ns");
        assert_eq!(ASCII.duration(-12.34), "-12.3 ns");
        assert_eq!(ASCII.duration(245_678.0), "246 us");
        assert_eq!(Style::UNICODE.duration(245_678.0), "246 µs");
        assert_eq!(ASCII.duration(12_345_678.0), "12.3 ms");
        assert_eq!(ASCII.duration(2e9), "2.00 s");
        let mut row = Row::default();
        assert_eq!(rate(&row, 250_000.0), "4.00 k/s");
        row.bytes = Some(16384);
        assert_eq!(rate(&row, 1450.0), "11.3 GB/s");
    }

    #[test]
    fn bars_are_blocks_or_plain_and_never_empty() {
        assert_eq!(ASCII.bar(0.5, 10), "#####");
        assert_eq!(ASCII.bar(0.0, 10), "#");
        assert_eq!(ASCII.bar(7.0, 10), "##########");
        assert_eq!(Style::UNICODE.bar(0.55, 10), "█████▌");
        assert_eq!(Style::UNICODE.bar(0.0, 10), "▏");
    }

    #[test]
    fn the_unit_of_the_group_follows_the_number() {
        let row = Row { case: "RSA".into(), x: Some(2048), ..Row::default() };
        assert_eq!(label(&row, "bits"), "RSA, 2048 bits");
        assert_eq!(label(&Row { x: Some(1), ..row.clone() }, "threads"), "RSA, 1 thread");
        assert_eq!(label(&Row { x: None, ..row }, "bits"), "RSA");
    }
}
