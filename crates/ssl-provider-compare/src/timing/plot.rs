//! Drawings of times as SVG, from quantiles: cumulative distributions and box plots. They are part
//! of a page, whose style has their colours, and load nothing.

use std::fmt::Write;

use crate::page::escape;
use crate::timing::report::{ClassReport, nanoseconds};

/// Width of a drawing, and of the room for labels at its left and right.
const WIDTH: f64 = 760.0;
const MARGIN: f64 = 150.0;
const RIGHT_MARGIN: f64 = 60.0;

/// Ticks of the axis of times.
const TICKS: u32 = 5;

/// Number of colours of the page.
const COLOURS: usize = 10;

/// The axis of times: from the fastest to where the slow ones thin out.
struct Axis {
    from: f64,
    to: f64,
}

impl Axis {
    /// Holds all quantiles between these shares; interrupts are beyond.
    fn of(classes: &[&ClassReport], low: f64, high: f64) -> Self {
        let all = |share| classes.iter().map(move |class| class.quantile(share));
        let from = all(low).fold(f64::INFINITY, f64::min);
        let to = all(high).fold(f64::NEG_INFINITY, f64::max);
        // Of equal times, or of none.
        match to - from > 0.0 {
            true => Self { from, to },
            false if from.is_finite() => Self { from: from - 1.0, to: from + 1.0 },
            false => Self { from: 0.0, to: 1.0 },
        }
    }

    fn x(&self, nanoseconds: f64) -> f64 {
        let share = (nanoseconds - self.from) / (self.to - self.from);
        MARGIN + share.clamp(0.0, 1.0) * (WIDTH - MARGIN - RIGHT_MARGIN)
    }

    /// Draws lines at the ticks, with their times below.
    fn draw(&self, svg: &mut String, height: f64) {
        for tick in 0..=TICKS {
            let value = self.from + (self.to - self.from) * f64::from(tick) / f64::from(TICKS);
            let x = self.x(value);
            let bottom = height - 22.0;
            // Writing to a string cannot fail.
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{x:.1} 6V{bottom:.1}\"/><text x=\"{x:.1}\" \
                 y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                height - 6.0,
                nanoseconds(value)
            );
        }
    }
}

impl ClassReport {
    /// The quantile that is nearest to this share; NaN if there is none.
    fn quantile(&self, share: f64) -> f64 {
        crate::timing::statistics::quantile(&self.quantiles_ns, share)
    }
}

fn begin(height: f64, title: &str) -> String {
    let title = escape(title);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"{title}\"><title>{title}</title>"
    )
}

/// Draws which share of the times of each class is below a time: one line a class.
pub(crate) fn cumulative(classes: &[&ClassReport], title: &str) -> String {
    let axis = Axis::of(classes, 0.0, 0.95);
    let plot_height = 240.0;
    let legend = 18.0 * classes.len() as f64;
    let height = plot_height + 36.0_f64.max(legend - plot_height + 20.0);
    let mut svg = begin(height, title);
    axis.draw(&mut svg, plot_height + 28.0);
    let y = |share: f64| 6.0 + (1.0 - share) * plot_height;
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let at = y(share);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{MARGIN} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"start\">{:.0} %</text>",
            WIDTH - RIGHT_MARGIN,
            WIDTH - RIGHT_MARGIN + 6.0,
            at + 4.0,
            share * 100.0
        );
    }
    for (number, class) in classes.iter().enumerate() {
        let colour = number % COLOURS;
        let steps = class.quantiles_ns.len().saturating_sub(1).max(1) as f64;
        let points: Vec<String> = class
            .quantiles_ns
            .iter()
            .enumerate()
            .map(|(step, time)| format!("{:.1},{:.1}", axis.x(*time), y(step as f64 / steps)))
            .collect();
        let _ = write!(
            svg,
            "<g class=\"c{colour}\"><polyline class=\"line\" points=\"{}\"/>\
             <path class=\"line\" d=\"M4 {:.1}h14\"/></g><text x=\"22\" y=\"{:.1}\">{}</text>",
            points.join(" "),
            14.0 + 18.0 * number as f64,
            18.0 + 18.0 * number as f64,
            escape(&class.name)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Draws a box for each class: from the first to the third quartile with the median, and lines to
/// the tenth of the fastest and of the slowest.
pub(crate) fn boxes(classes: &[&ClassReport], title: &str) -> String {
    let axis = Axis::of(classes, 0.1, 0.9);
    let height = 22.0 * classes.len() as f64 + 34.0;
    let mut svg = begin(height, title);
    axis.draw(&mut svg, height);
    for (number, class) in classes.iter().enumerate() {
        let top = 8.0 + 22.0 * number as f64;
        let middle = top + 8.0;
        let at = |share| axis.x(class.quantile(share));
        let [low, first, median, third, high] = [0.1, 0.25, 0.5, 0.75, 0.9].map(at);
        let _ = write!(
            svg,
            "<text x=\"4\" y=\"{:.1}\">{}</text><g class=\"c{}\">\
             <path class=\"line\" d=\"M{low:.1} {middle:.1}H{first:.1}M{third:.1} \
             {middle:.1}H{high:.1}\"/><rect class=\"box\" x=\"{first:.1}\" y=\"{top:.1}\" \
             width=\"{:.1}\" height=\"16\"/><path class=\"line\" d=\"M{median:.1} {top:.1}v16\"/>\
             </g>",
            middle + 4.0,
            escape(&class.name),
            number % COLOURS,
            (third - first).max(0.5)
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::report::tests::example;

    #[test]
    fn every_class_has_a_line_and_a_box() {
        let report = example();
        let classes: Vec<_> = report.subjects[0].classes.iter().collect();
        let svg = cumulative(&classes, "a < b");
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert!(svg.contains("aria-label=\"a &lt; b\""), "{svg}");
        let svg = boxes(&classes, "boxes");
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("no separator") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn slower_classes_are_further_right_and_interrupts_do_not_move_the_axis() {
        let mut report = example();
        let classes = &mut report.subjects[0].classes;
        *classes[1].quantiles_ns.last_mut().unwrap() = 1e9;
        let classes: Vec<&ClassReport> = classes.iter().collect();
        let axis = Axis::of(&classes, 0.0, 0.95);
        assert!(axis.to < 300.0, "{}", axis.to);
        assert!(axis.x(classes[0].quantile(0.5)) < axis.x(classes[2].quantile(0.5)));
    }

    #[test]
    fn equal_and_missing_times_can_be_drawn() {
        let mut report = example();
        let class = &mut report.subjects[0].classes[0];
        for quantiles in [vec![5.0; 101], Vec::new()] {
            class.quantiles_ns = quantiles;
            assert!(!cumulative(&[class], "").contains("NaN"));
            assert!(!boxes(&[class], "").contains("inf"));
        }
    }
}
