//! A horizontal bar chart as SVG: one row of bars per label, with the value at the end of each bar.
//! It is readable on a light and on a dark page, and needs no script and no font of its own.

use std::fmt::Write;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// The group of the bar, such as the backend; bars of one label are adjacent.
    pub(crate) label: String,
    /// The series within the label, such as the operation; it has one colour everywhere.
    pub(crate) series: String,
    /// Its length.
    pub(crate) value: f64,
    /// The text of the value at the end of the bar.
    pub(crate) shown: String,
}

/// Draws the bars under a title, with the unit of the values.
pub(crate) fn render(title: &str, unit: &str, bars: &[Bar]) -> String {
    let labels = distinct(bars.iter().map(|bar| bar.label.as_str()));
    let series = distinct(bars.iter().map(|bar| bar.series.as_str()));
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let left = (MARGIN + CHARACTER * widest as f64 + 12.0).round();
    let right = WIDTH - VALUE_WIDTH;

    let mut body = String::new();
    let mut y = TOP;
    for label in &labels {
        let rows: Vec<&Bar> = bars.iter().filter(|bar| bar.label == *label).collect();
        let height = rows.len() as f64 * ROW;
        text(&mut body, left - 10.0, y + height / 2.0 + 4.0, "label", label);
        for bar in rows {
            let index = series.iter().position(|name| *name == bar.series).unwrap_or(0);
            // Every bar is long enough to be visible.
            let length = ((right - left) * bar.value / most).max(1.0);
            let fill = format!("fill=\"{}\"", COLOURS[index % COLOURS.len()]);
            let top = y + (ROW - BAR) / 2.0;
            let _ = writeln!(
                body,
                r#"<rect x="{left}" y="{top:.1}" width="{length:.1}" height="{BAR}" {fill}/>"#
            );
            text(&mut body, left + length + 6.0, y + ROW / 2.0 + 4.0, "value", &bar.shown);
            y += ROW;
        }
        y += GAP;
    }
    let axis_end = y - GAP + 2.0;
    let _ = writeln!(
        body,
        r#"<line x1="{left}" y1="{:.1}" x2="{left}" y2="{axis_end:.1}"/>"#,
        TOP - 2.0
    );
    if series.len() > 1 {
        legend(&mut body, &series, left, y + 4.0);
        y += LEGEND;
    }
    let height = y + 6.0;
    let (title, unit) = (escaped(title), escaped(unit));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{title}"
  width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">
<style>
text {{ font: 12px system-ui, sans-serif; fill: #1f2328; }}
.title {{ font-size: 15px; font-weight: 600; }}
.unit, .value {{ fill: #59636e; }}
.label {{ text-anchor: end; }}
line {{ stroke: #8c959f; }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #e6edf3; }}
  .unit, .value {{ fill: #9198a1; }}
}}
</style>
<text class="title" x="{MARGIN}" y="22">{title}</text>
<text class="unit" x="{MARGIN}" y="40">{unit}</text>
{body}</svg>
"#
    )
}

/// The colours of the series, distinguishable also with colour blindness.
const COLOURS: [&str; 4] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

const WIDTH: f64 = 720.0;
const MARGIN: f64 = 16.0;
const TOP: f64 = 56.0;
const ROW: f64 = 20.0;
const BAR: f64 = 14.0;
const GAP: f64 = 12.0;
const LEGEND: f64 = 28.0;
/// About the width of one character.
const CHARACTER: f64 = 6.8;
/// Space for the value of the longest bar.
const VALUE_WIDTH: f64 = 190.0;

fn legend(body: &mut String, series: &[&str], left: f64, y: f64) {
    let mut x = left;
    for (index, name) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let _ = writeln!(
            body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="12" height="12" rx="2" fill="{colour}"/>"#
        );
        text(body, x + 17.0, y + 10.0, "key", name);
        x += 17.0 + CHARACTER * name.chars().count() as f64 + 22.0;
    }
}

fn text(body: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(body, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{words}</text>"#);
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns what is in `all`, each once, in the order of its first occurrence.
pub(crate) fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, series: &str, value: f64) -> Bar {
        Bar { label: label.into(), series: series.into(), value, shown: format!("{value} µs") }
    }

    #[test]
    fn the_longest_bar_fills_the_width_and_half_its_value_half_of_it() {
        let svg = render("t", "u", &[bar("a", "s", 2.0), bar("b", "s", 4.0)]);
        let widths: Vec<f64> = svg
            .split(r#"width=""#)
            .filter_map(|part| part.split_once('"')?.0.parse().ok())
            .skip(1)
            .collect();
        assert_eq!(widths.len(), 2, "{svg}");
        assert!((widths[1] - 2.0 * widths[0]).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn a_series_has_one_colour_and_the_legend_names_it() {
        let svg = render("t", "u", &[bar("a", "raw", 1.0), bar("a", "import", 2.0)]);
        assert_eq!(svg.matches(COLOURS[1]).count(), 2, "one bar, one key");
        assert!(svg.contains(">raw<") && svg.contains(">import<"));
    }

    #[test]
    fn words_are_escaped() {
        assert!(render("a < b & c", "u", &[]).contains("a &lt; b &amp; c"));
    }
}
