//! The charts of a group.

use super::cases::{self, Group};
use super::report::Row;
use super::statistics::Interval;
use super::units::{Style, label, rate, scaled};
use crate::chart::{Bar, Chart, Line, Point, distinct};
use crate::page::id;

/// Returns the charts of a group, each with a name for a file.
pub(crate) fn of(rows: &[&Row], group: &Group) -> Vec<(String, Chart)> {
    match group.chart {
        cases::Chart::Times => bars(rows, group),
        cases::Chart::Curves => curves(rows, group),
    }
}

/// A chart for each case: the backends, with a bar for each operation.
fn bars(rows: &[&Row], group: &Group) -> Vec<(String, Chart)> {
    let chart = |case: String| {
        let of_case = rows.iter().filter(|row| label(row, group.x) == case);
        let bar = |row: &Row, series: &str, time: &Interval| Bar {
            label: row.backend.clone(),
            series: series.to_owned(),
            value: time.median,
            interval: [time.low, time.high],
            shown: match time.median > 0.0 {
                true => {
                    format!("{} ({})", Style::UNICODE.duration(time.median), rate(row, time.median))
                }
                false => Style::UNICODE.duration(time.median),
            },
        };
        let mut bars: Vec<Bar> = Vec::new();
        for row in of_case {
            bars.push(bar(row, &row.operation, &row.time));
            let other = row.other.as_ref().map(|other| {
                let name = format!("{}, {}", other.name, row.operation);
                bar(row, &name, &other.time)
            });
            // Several operations may be compared with the same one.
            let is_new = |other: &Bar| {
                !bars.iter().any(|bar| bar.label == other.label && bar.interval == other.interval)
            };
            bars.extend(other.filter(is_new));
        }
        // Bars of one backend stand together.
        let backends = distinct(bars.iter().map(|bar| bar.label.clone()));
        bars.sort_by_key(|bar| backends.iter().position(|backend| *backend == bar.label));
        let title = format!("{}: {case}", group.title);
        let name = id(&format!("{}-{case}", group.name));
        (name, Chart::bars(&title, "time of one operation, shorter is faster", &bars))
    };
    distinct(rows.iter().map(|row| label(row, group.x))).into_iter().map(chart).collect()
}

/// A chart for each case and operation over the numbers: a line for each backend, and one for what
/// it is compared with.
fn curves(rows: &[&Row], group: &Group) -> Vec<(String, Chart)> {
    // Operations on bytes have a chart each; others are compared with each other.
    let chart_of = |row: &Row| match row.bytes {
        Some(_) => (row.case.clone(), row.operation.clone()),
        None => (row.case.clone(), String::new()),
    };
    let chart = |(case, operation): (String, String)| {
        let here = || rows.iter().filter(|row| chart_of(row) == (case.clone(), operation.clone()));
        let mut lines: Vec<Line> = Vec::new();
        let mut add = |series: String, row: &Row, time: &Interval| {
            let per_second = |time: f64| row.bytes.unwrap_or(1) as f64 * 1e9 / time;
            let point = Point {
                x: row.x.unwrap_or(1),
                y: per_second(time.median),
                interval: [per_second(time.high), per_second(time.low)],
            };
            match lines.iter_mut().find(|line| line.series == series) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { series, points: vec![point] }),
            }
        };
        for row in here() {
            let name = if operation.is_empty() {
                format!("{}, {}", row.backend, row.operation)
            } else {
                row.backend.clone()
            };
            add(name, row, &row.time);
            if let Some(other) = &row.other {
                add(format!("{}, {}", row.backend, other.name), row, &other.time);
            }
        }
        for line in &mut lines {
            line.points.sort_by_key(|point| point.x);
        }
        let has_bytes = here().any(|row| row.bytes.is_some());
        let (unit, base) = match has_bytes {
            true => ("payload a second, higher is faster", "B/s"),
            false => ("operations a second, higher is faster", "/s"),
        };
        let what = if operation.is_empty() { String::new() } else { format!(", {operation}") };
        let title = format!("{}: {case}{what}", group.title);
        let name = id(&format!("{}-{case}{what}", group.name));
        (name, Chart::lines(&title, unit, group.x, &lines, |value| scaled(value, base)))
    };
    distinct(rows.iter().map(|row| chart_of(row))).into_iter().map(chart).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cases::GROUPS;
    use super::super::report::tests::row;
    use super::*;

    fn charts(rows: &[Row], name: &str) -> Vec<(String, String)> {
        let group = GROUPS.iter().find(|group| group.name == name).unwrap();
        let rows: Vec<&Row> = rows.iter().collect();
        let charts = of(&rows, group).into_iter();
        charts.map(|(name, chart)| (name, chart.inline())).collect()
    }

    #[test]
    fn times_are_bars_of_each_backend_and_its_library() {
        let rows = [
            row("import", "aws-lc", Some(2048), 100.0),
            row("import", "ring", Some(2048), 900.0),
            row("import", "ring", Some(3072), 2000.0),
        ];
        let charts = charts(&rows, "import");
        let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["import-a-case-2048-bits", "import-a-case-3072-bits"]);
        let svg = &charts[0].1;
        // Four bars, and two keys of the legend.
        assert_eq!(svg.matches("<rect").count(), 6, "{svg}");
        assert!(svg.contains(">library, an operation<") && svg.contains(">aws-lc<"));
    }

    #[test]
    fn sizes_are_a_curve_of_throughput() {
        let mut rows = [64, 1024].map(|size| {
            let bytes = Some(size);
            Row { bytes, ..row("records", "aws-lc", Some(size), 100.0) }
        });
        rows[1].time.median = 200.0;
        let charts = charts(&rows, "records");
        let [(name, svg)] = &charts[..] else { panic!("{charts:?}") };
        assert_eq!(name, "records-a-case-an-operation");
        assert_eq!(svg.matches("<polyline").count(), 2, "ours and the library");
        assert!(svg.contains("aws-lc, 64: 640 MB/s") && svg.contains("aws-lc, 1024: 5.12 GB/s"));
    }

    #[test]
    fn kinds_of_load_are_in_one_chart() {
        let of = |operation: &str, x| {
            let (operation, other) = (operation.into(), None);
            Row { operation, other, ..row("threads", "aws-lc", Some(x), 1e5) }
        };
        let charts = charts(&[of("import", 1), of("import", 2), of("batcher", 1)], "threads");
        let [(_, svg)] = &charts[..] else { panic!("{charts:?}") };
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">aws-lc, batcher<") && svg.contains(">threads<"));
    }
}
