//! Charts as SVG: bars with intervals, and lines over a number. They are readable on a light and on
//! a dark page, need no script and no font, and stand in a page or in a file of their own.

use std::fmt::Write;

use crate::page::escape;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The group of the bar, such as the backend; bars of one label are adjacent.
    pub label: String,
    /// The series within the label, such as the operation; it has one colour everywhere.
    pub series: String,
    /// Its length.
    pub value: f64,
    /// The ends of the interval around the value.
    pub interval: [f64; 2],
    /// The text of the value at the end of the bar.
    pub shown: String,
}

/// A line through points.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The series, such as the backend.
    pub series: String,
    /// Number, value, and the ends of the interval around the value, in the order of the numbers.
    pub points: Vec<Point>,
}

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The number on the axis, such as of threads; at least 1.
    pub x: u64,
    /// The value.
    pub y: f64,
    /// The ends of the interval around the value.
    pub interval: [f64; 2],
}

/// A drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    title: String,
    unit: String,
    height: f64,
    body: String,
}

impl Chart {
    /// Draws bars under a title, with the unit of the values.
    pub fn bars(title: &str, unit: &str, bars: &[Bar]) -> Self {
        let labels = distinct(bars.iter().map(|bar| bar.label.as_str()));
        let series = distinct(bars.iter().map(|bar| bar.series.as_str()));
        let most = bars.iter().map(|bar| bar.interval[1].max(bar.value));
        let most = most.fold(f64::MIN_POSITIVE, f64::max);
        let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let left = (MARGIN + CHARACTER * widest as f64 + 12.0).round();
        let scale = |value: f64| (WIDTH - VALUE_WIDTH - left) * (value / most).max(0.0);

        let mut body = String::new();
        let mut y = TOP;
        for label in &labels {
            let rows: Vec<&Bar> = bars.iter().filter(|bar| bar.label == *label).collect();
            let height = rows.len() as f64 * ROW;
            text(&mut body, [left - 10.0, y + height / 2.0 + 4.0], "end", label);
            for bar in rows {
                let class = colour(series.iter().position(|name| *name == bar.series));
                // Every bar is long enough to be visible.
                let length = scale(bar.value).max(1.0);
                let (top, middle) = (y + (ROW - BAR) / 2.0, y + ROW / 2.0);
                rectangle(&mut body, &class, [left, top], [length, BAR]);
                let ends = bar.interval.map(|end| left + scale(end));
                whisker(&mut body, [ends[0], middle], [ends[1], middle]);
                let after = left + length.max(scale(bar.interval[1])) + 6.0;
                text(&mut body, [after, middle + 4.0], "start", &bar.shown);
                y += ROW;
            }
            y += GAP;
        }
        let axis_end = y - GAP + 2.0;
        axis(&mut body, [left, TOP - 2.0], [left, axis_end]);
        if series.len() > 1 {
            y = legend(&mut body, &series, left, y + 4.0);
        }
        Self { title: title.to_owned(), unit: unit.to_owned(), height: y + 6.0, body }
    }

    /// Draws lines over numbers, whose axis is logarithmic. `unit` is that of the values, `shown`
    /// writes a value, `x` says what the numbers count.
    pub fn lines(
        title: &str,
        unit: &str,
        x: &str,
        lines: &[Line],
        shown: impl Fn(f64) -> String,
    ) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let mut numbers = distinct(points().map(|point| point.x));
        numbers.sort_unstable();
        let most = points().map(|point| point.interval[1].max(point.y));
        let most = nice(most.fold(f64::MIN_POSITIVE, f64::max));
        let (left, right) = (MARGIN + 80.0, WIDTH - 24.0);
        let (top, bottom) = (TOP, TOP + PLOT);
        let log = |number: u64| (number.max(1) as f64).ln();
        let ends = [numbers.first(), numbers.last()].map(|end| log(end.copied().unwrap_or(1)));
        let at_x = |number: u64| {
            let width = ends[1] - ends[0];
            let part = if width > 0.0 { (log(number) - ends[0]) / width } else { 0.5 };
            left + 20.0 + part * (right - left - 40.0)
        };
        let at_y = |value: f64| bottom - (value / most).clamp(0.0, 1.0) * PLOT;

        let mut body = String::new();
        for step in 0..=4 {
            let value = most * f64::from(step) / 4.0;
            let y = at_y(value);
            line(
                &mut body,
                format_args!(
                    r#"<line class="grid" x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/>"#
                ),
            );
            text(&mut body, [left - 8.0, y + 4.0], "end", &shown(value));
        }
        for number in &numbers {
            text(&mut body, [at_x(*number), bottom + 18.0], "middle", &number.to_string());
        }
        text(&mut body, [f64::midpoint(left, right), bottom + 36.0], "middle", x);
        axis(&mut body, [left, top], [left, bottom]);
        axis(&mut body, [left, bottom], [right, bottom]);
        for (index, one) in lines.iter().enumerate() {
            let class = colour(Some(index));
            let place = |point: &Point| format!("{:.1},{:.1}", at_x(point.x), at_y(point.y));
            let path: Vec<String> = one.points.iter().map(place).collect();
            let path = path.join(" ");
            line(&mut body, format_args!(r#"<polyline class="line {class}" points="{path}"/>"#));
            for point in &one.points {
                let (x, y) = (at_x(point.x), at_y(point.y));
                whisker(&mut body, [x, at_y(point.interval[0])], [x, at_y(point.interval[1])]);
                let place = format!(r#"cx="{x:.1}" cy="{y:.1}" r="3""#);
                let title = format!("{}, {}: {}", one.series, point.x, shown(point.y));
                let title = format!("<title>{}</title>", escape(&title));
                line(
                    &mut body,
                    format_args!(r#"<circle class="fill {class}" {place}>{title}</circle>"#),
                );
            }
        }
        let series: Vec<&str> = lines.iter().map(|line| line.series.as_str()).collect();
        let y = legend(&mut body, &series, left, bottom + 48.0);
        Self { title: title.to_owned(), unit: unit.to_owned(), height: y + 6.0, body }
    }

    /// Returns the drawing for a page that has the classes of [`Page`](crate::page::Page).
    pub fn inline(&self) -> String {
        self.svg("", "")
    }

    /// Returns the drawing as a file of its own.
    pub fn standalone(&self) -> String {
        self.svg(r#"xmlns="http://www.w3.org/2000/svg" "#, STYLE) + "\n"
    }

    fn svg(&self, namespace: &str, style: &str) -> String {
        let Self { height, body, .. } = self;
        let (title, unit) = (escape(&self.title), escape(&self.unit));
        let size = format!(r#"width="{WIDTH}" height="{height:.0}""#);
        let view = format!(r#"viewBox="0 0 {WIDTH} {height:.0}""#);
        format!(
            r#"<svg {namespace}role="img" aria-label="{title}" {size} {view}>
{style}<text x="{MARGIN}" y="22" style="font-size:15px;font-weight:600">{title}</text>
<text x="{MARGIN}" y="40">{unit}</text>
{body}</svg>"#
        )
    }
}

/// The classes of the page, for a file of its own.
const STYLE: &str = "\
<style>
svg { --text: #1d2329; --quiet: #5b6670; --line: #d4dae0; --c0: #0b62b0; --c1: #c2410c;
  --c2: #14803c; --c3: #8b3fb8; --c4: #b4236b; --c5: #0e7c86; --c6: #8a6a00; --c7: #5b6670;
  --c8: #5148c9; --c9: #7a3b12; }
@media (prefers-color-scheme: dark) { svg { --text: #e3e8ed; --quiet: #9aa6b2; --line: #39424b;
  --c0: #6db3f2; --c1: #ff9d6b; --c2: #62d08c; --c3: #cf9bf0; --c4: #ff8fbd; --c5: #5fd0da;
  --c6: #e0c04f; --c7: #9aa6b2; --c8: #a8a2ff; --c9: #d9a377; } }
text { font: 12px system-ui, sans-serif; fill: var(--text); }
.axis { stroke: var(--quiet); fill: none; } .grid { stroke: var(--line); fill: none; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); } .c5 { --c: var(--c5); } .c6 { --c: var(--c6); } .c7 { --c: var(--c7); }
.c8 { --c: var(--c8); } .c9 { --c: var(--c9); }
.line { stroke: var(--c); fill: none; stroke-width: 1.5; } .fill { fill: var(--c); }
</style>
";

const WIDTH: f64 = 760.0;
const MARGIN: f64 = 16.0;
const TOP: f64 = 56.0;
const ROW: f64 = 20.0;
const BAR: f64 = 14.0;
const GAP: f64 = 12.0;
/// The height of the lines.
const PLOT: f64 = 220.0;
/// About the width of one character.
const CHARACTER: f64 = 6.8;
/// Space for the value of the longest bar.
const VALUE_WIDTH: f64 = 210.0;
/// How many colours the page has.
const COLOURS: usize = 10;

/// Returns the class with the colour of a series.
fn colour(index: Option<usize>) -> String {
    format!("c{}", index.unwrap_or(0) % COLOURS)
}

/// Draws a key for each series, in as many rows as they need, and returns where they end.
fn legend(body: &mut String, series: &[&str], left: f64, top: f64) -> f64 {
    let (mut x, mut y) = (left, top);
    for (index, name) in series.iter().enumerate() {
        let width = 17.0 + CHARACTER * name.chars().count() as f64 + 22.0;
        if x > left && x + width > WIDTH {
            (x, y) = (left, y + ROW);
        }
        let class = colour(Some(index));
        rectangle(body, &class, [x, y], [12.0, 12.0]);
        text(body, [x + 17.0, y + 10.0], "start", name);
        x += width;
    }
    y + ROW + 4.0
}

/// Draws an interval, with its ends.
fn whisker(body: &mut String, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    const HALF: f64 = 3.0;
    let (dx, dy) = if (x1 - x2).abs() > (y1 - y2).abs() { (0.0, HALF) } else { (HALF, 0.0) };
    let ends = [[x1, y1], [x2, y2]]
        .map(|[x, y]| format!("M{:.1} {:.1}L{:.1} {:.1}", x - dx, y - dy, x + dx, y + dy));
    let path = ends.concat();
    line(body, format_args!(r#"<path class="axis" d="M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}{path}"/>"#));
}

fn rectangle(body: &mut String, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
    let place = format!(r#"x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#);
    line(body, format_args!(r#"<rect class="fill {class}" {place}/>"#));
}

fn axis(body: &mut String, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    let ends = format_args!(r#"x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}""#).to_string();
    line(body, format_args!(r#"<line class="axis" {ends}/>"#));
}

fn text(body: &mut String, [x, y]: [f64; 2], anchor: &str, words: &str) {
    let words = escape(words);
    line(
        body,
        format_args!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#),
    );
}

fn line(body: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(body, "{element}");
}

/// Returns the least of some numbers times a power of ten that is not less.
fn nice(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    steps.map(|step| step * power).into_iter().find(|nice| *nice >= value).unwrap_or(value)
}

/// Returns what is in `all`, each once, in the order of its first occurrence.
pub fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
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
        let (label, series) = (label.into(), series.into());
        Bar { label, series, value, interval: [value, value], shown: format!("{value} µs") }
    }

    fn attributes(svg: &str, element: &str, name: &str) -> Vec<f64> {
        let of = |part: &str| {
            let element = part.split_once('>')?.0;
            element.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.parse().ok()
        };
        svg.split(&format!("<{element} ")).skip(1).filter_map(of).collect()
    }

    #[test]
    fn the_longest_bar_fills_the_width_and_half_its_value_half_of_it() {
        let svg = Chart::bars("t", "u", &[bar("a", "s", 2.0), bar("b", "s", 4.0)]).inline();
        let widths = attributes(&svg, "rect", "width");
        assert_eq!(widths.len(), 2, "{svg}");
        assert!((widths[1] - 2.0 * widths[0]).abs() < 0.2, "{widths:?}");
    }

    #[test]
    fn intervals_are_drawn_around_the_ends_of_bars() {
        let wide = Bar { interval: [1.0, 4.0], ..bar("a", "s", 2.0) };
        let svg = Chart::bars("t", "u", &[wide]).inline();
        let (x, width) = (attributes(&svg, "rect", "x")[0], attributes(&svg, "rect", "width")[0]);
        let path = format!("M{:.1} 66.0L{:.1} 66.0", x + width / 2.0, x + width * 2.0);
        assert!(svg.contains(&path), "{path} in {svg}");
    }

    #[test]
    fn a_series_has_one_colour_and_the_legend_names_it() {
        let svg = Chart::bars("t", "u", &[bar("a", "raw", 1.0), bar("a", "import", 2.0)]).inline();
        assert_eq!(svg.matches("fill c1").count(), 2, "one bar, one key");
        assert!(svg.contains(">raw<") && svg.contains(">import<"));
    }

    #[test]
    fn lines_go_up_with_their_values_and_right_with_their_numbers() {
        let point = |x, y| Point { x, y, interval: [y, y] };
        let points = vec![point(1, 1.0), point(2, 2.0), point(4, 3.0)];
        let line = Line { series: "aws-lc".into(), points };
        let svg = Chart::lines("t", "u", "threads", &[line], |y| format!("{y:.1}/s")).inline();
        let (x, y) = (attributes(&svg, "circle", "cx"), attributes(&svg, "circle", "cy"));
        assert!(y.is_sorted_by(|one, next| one > next), "{y:?}");
        assert!((x[1] - x[0] - (x[2] - x[1])).abs() < 0.2, "logarithmic: {x:?}");
        assert!(svg.contains(">threads<") && svg.contains("aws-lc, 4: 3.0/s"));
        // One number only.
        let line = Line { series: "one".into(), points: vec![point(1, 1.0)] };
        let svg = Chart::lines("t", "u", "threads", &[line], |y| y.to_string()).inline();
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn words_are_escaped_and_only_files_name_the_namespace() {
        let chart = Chart::bars("a < b & c", "u", &[]);
        assert!(chart.inline().contains("a &lt; b &amp; c"));
        assert!(!chart.inline().contains("http") && !chart.inline().contains("NaN"));
        assert!(chart.standalone().contains("xmlns=") && chart.standalone().contains("<style>"));
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, expected) in [(1.0, 1.0), (1.1, 1.5), (23.0, 25.0), (41.0, 50.0), (0.9, 1.0)] {
            assert!((nice(value) - expected).abs() < 1e-9, "{value}: {}", nice(value));
        }
    }
}
