//! The tables of a report, for the terminal, Markdown and the page alike.

use ssl_provider_command::table::Table;

use super::cases::Group;
use super::compare::{Change, Comparison, Quantity};
use super::report::{Report, Row};
use super::units::{Style, label, rate, ratio};

/// Returns the rows of a group in the order in which they were measured.
pub(crate) fn rows_of<'a>(report: &'a Report, group: &str) -> Vec<&'a Row> {
    report.rows.iter().filter(|row| row.group == group).collect()
}

/// Returns the table of a group; with a bar of so many characters for each row, if any.
pub(crate) fn group(rows: &[&Row], group: &Group, style: Style, bar: Option<u16>) -> Table {
    // A terminal has no room for a column with the same word in every row.
    let is_narrow = bar.is_some();
    let name = rows.iter().find_map(|row| row.other.as_ref()).map_or("it", |other| &other.name);
    let relative = format!("time relative to {}", if is_narrow { name } else { "it" });
    let mut table = Table::new([
        "case",
        "backend",
        "operation",
        "time",
        if style.unicode { "±" } else { "+-" },
        "rate",
        "",
        "compared with",
        "its time",
        &relative,
        "p50",
        "p90",
        "p99",
        "p99.9",
    ]);
    // Throughput where that is drawn, else time.
    let is_rate = group.chart == super::cases::Chart::Curves;
    let of = |row: &Row| match (is_rate, row.time.median) {
        (true, time) => row.bytes.unwrap_or(1) as f64 / time,
        (false, time) => time,
    };
    let most = rows.iter().map(|row| of(row)).fold(f64::MIN_POSITIVE, f64::max);
    for row in rows {
        let time = row.time.median;
        let latency = |pick: fn(&super::report::Latency) -> Option<f64>| {
            row.latency.as_ref().and_then(pick).map_or(String::new(), |it| style.duration(it))
        };
        let other = row.other.as_ref();
        let shown = other.filter(|_| !is_narrow);
        // What is left of a whole may be below zero.
        let has_rate = time > 0.0;
        table.row([
            label(row, group.x),
            row.backend.clone(),
            row.operation.clone(),
            style.duration(time),
            Style::uncertainty(&row.time),
            if has_rate { rate(row, time) } else { String::new() },
            bar.map_or(String::new(), |width| style.bar(of(row) / most, width)),
            shown.map_or(String::new(), |other| other.name.clone()),
            shown.map_or(String::new(), |other| style.duration(other.time.median)),
            other.map_or(String::new(), |other| ratio(&other.ratio)),
            latency(|it| Some(it.p50)),
            latency(|it| Some(it.p90)),
            latency(|it| Some(it.p99)),
            latency(|it| it.p999),
        ]);
    }
    table.without_empty_columns()
}

/// Returns what other programs say beside our rows; `None` where there is none.
pub(crate) fn peers(report: &Report, groups: &[Group], style: Style) -> Option<Table> {
    let mut table =
        Table::new(["measured", "its time", "our row", "our time", "time relative to it"]);
    for peer in &report.peers {
        let row = peer.row(&report.rows);
        let unit = groups.iter().find(|group| group.name == peer.group).map_or("", |it| it.x);
        table.row([
            peer.measured.clone(),
            style.duration(peer.nanoseconds),
            row.map_or("not measured".into(), |row| {
                format!("{}: {}, {}", row.group, label(row, unit), row.operation)
            }),
            row.map_or(String::new(), |row| style.duration(row.time.median)),
            row.map_or(String::new(), |row| format!("{:.3}", row.time.median / peer.nanoseconds)),
        ]);
    }
    (!report.peers.is_empty()).then_some(table)
}

/// What the figures of other programs are worth.
pub(crate) const PEERS_TEXT: &str = "What `openssl speed` says of the OpenSSL that is installed, \
    beside the openssl backend. The two do not run in turns, the program may use another OpenSSL \
    than this one is built with, and it verifies with a key that it has parsed once.";

/// Returns the table of changes, slowest first.
pub(crate) fn changes(comparison: &Comparison, groups: &[Group], style: Style) -> Table {
    let mut table = Table::new([
        "group",
        "case",
        "backend",
        "operation",
        "changed",
        "then",
        "now",
        "now relative to then",
    ]);
    let mut changes: Vec<&Change> = comparison.changes.iter().collect();
    changes.sort_by(|one, other| other.factor.median.total_cmp(&one.factor.median));
    for Change { row, quantity, old, new, factor } in changes {
        let unit = groups.iter().find(|group| group.name == row.group).map_or("", |it| it.x);
        let (what, old, new) = match quantity {
            Quantity::Time => {
                ("time".to_owned(), style.duration(old.median), style.duration(new.median))
            }
            Quantity::Ratio => {
                let name = row.other.as_ref().map_or("", |other| other.name.as_str());
                (format!("relative to {name}"), ratio(old), ratio(new))
            }
        };
        let verdict = if factor.median > 1.0 { "slower" } else { "faster" };
        table.row([
            row.group.clone(),
            label(row, unit),
            row.backend.clone(),
            row.operation.clone(),
            what,
            old,
            new,
            format!("{} {verdict}", ratio(factor)),
        ]);
    }
    table
}

/// Returns what a comparison found, in sentences.
pub(crate) fn comparison_text(comparison: &Comparison) -> Vec<String> {
    let Comparison { noise, changes, compared, only_old, only_new, .. } = comparison;
    let noise =
        noise.iter().map(|(group, noise)| format!("{group} {:.1} %", 100.0 * (noise - 1.0)));
    let noise: Vec<String> = noise.collect();
    let mut text = vec![format!(
        "{} of {compared} quantities changed beyond noise: their 95 % intervals are apart, and the \
         medians further than 1 % and than 95 % of the A/A pairs of the same group ({}).",
        changes.len(),
        noise.join(", ")
    )];
    if only_old + only_new > 0 {
        text.push(format!(
            "Only in the old run: {only_old} rows; only in the new one: {only_new}."
        ));
    }
    let cautions = comparison.cautions.iter();
    text.extend(cautions.map(|caution| format!("Mind the difference: {caution}.")));
    text
}

/// Returns what to know about the figures of a run.
pub(crate) fn remarks(report: &Report) -> Vec<String> {
    /// An interval that is wider proves little.
    const WIDE: f64 = 0.05;
    let mut remarks = Vec::new();
    let noise = &report.noise;
    if noise.pairs > 0 {
        remarks.push(format!(
            "Noise: every operation was measured in two halves of the run; the medians of half of \
             the {} pairs differ by less than {:.1} %, of 95 % by less than {:.1} %.",
            noise.pairs,
            100.0 * (noise.median - 1.0),
            100.0 * (noise.most - 1.0)
        ));
    }
    let is_wide = |row: &&Row| row.halves.is_some() && row.time.uncertainty() > WIDE;
    let wide = report.rows.iter().filter(is_wide).count();
    if wide > 0 {
        remarks.push(format!(
            "{wide} of {} intervals are wider than 5 % in each direction: a longer --time, or \
             fewer groups, makes them narrower.",
            report.rows.len()
        ));
    }
    if let Some(load) = report.machine.load_before.filter(|_| report.machine.was_busy()) {
        remarks.push(format!(
            "The machine was busy before the run (load {load:.2}): ratios of one row mean more \
             than times."
        ));
    }
    if report.machine.debug_build {
        remarks.push("A debug build: its times mean nothing.".into());
    }
    remarks.extend(report.notes.iter().map(|note| format!("Not measured: {note}.")));
    remarks
}

#[cfg(test)]
mod tests {
    use super::super::cases::GROUPS;
    use super::super::compare::compare;
    use super::super::report::Peer;
    use super::super::report::tests::{report, row};
    use super::*;

    #[test]
    fn a_row_has_time_rate_bar_and_ratio_and_empty_columns_are_left_out() {
        let report = report(vec![
            row("import", "aws-lc", Some(2048), 250_000.0),
            row("import", "ring", Some(2048), 500_000.0),
        ]);
        let rows = rows_of(&report, "import");
        let text = group(&rows, &GROUPS[0], Style { unicode: false }, Some(8)).to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(!lines[0].contains("p99"), "{text}");
        assert!(lines[1].starts_with("a case, 2048 bits  aws-lc   an operation  250 us  1.0 %"));
        assert!(lines[1].contains("4.00 k/s  ####  "), "{text}");
        assert!(lines[0].ends_with("time relative to library") && !lines[1].contains("library"));
        assert!(lines[1].ends_with("2.000 (1.980 to 2.020)"));
        assert!(lines[2].contains("########"), "{text}");
    }

    #[test]
    fn changes_are_told_with_their_quantity_and_direction() {
        let old = report(vec![row("records", "aws-lc", Some(64), 100.0)]);
        let mut new = report(vec![row("records", "aws-lc", Some(64), 150.0)]);
        new.machine.logical_processors = 8;
        let found = compare(&old, &new);
        let text = comparison_text(&found).join("\n");
        assert!(text.starts_with("1 of 2 quantities changed beyond noise"), "{text}");
        assert!(text.contains("Mind the difference: logical processors: 4 then, 8 now."), "{text}");
        let table = changes(&found, &GROUPS, Style::UNICODE).to_markdown();
        assert!(table.contains("| a case, 64 bytes | aws-lc | an operation | time | 100 ns |"));
        assert!(table.contains("| 1.500 (1.470 to 1.530) slower |"), "{table}");
    }

    #[test]
    fn peers_stand_beside_the_row_that_does_the_same() {
        let mut report = report(vec![row("import", "openssl", Some(2048), 200.0)]);
        let peer = Peer {
            program: "openssl speed".into(),
            measured: "RSA".into(),
            nanoseconds: 100.0,
            group: "import".into(),
            case: "a case".into(),
            operation: "an operation".into(),
            x: Some(2048),
            backend: "openssl".into(),
        };
        report.peers = vec![peer.clone(), Peer { x: None, ..peer }];
        let table = peers(&report, &GROUPS, Style::UNICODE).unwrap();
        let rows = table.rows();
        assert_eq!(rows[1][2], "import: a case, 2048 bits, an operation");
        assert_eq!(rows[1][4], "2.000");
        assert_eq!(rows[2][2], "not measured");
    }

    #[test]
    fn wide_intervals_and_missing_parts_are_remarked() {
        let mut wide = row("import", "aws-lc", None, 100.0);
        wide.time.high = 200.0;
        let remarks = remarks(&report(vec![wide])).join("\n");
        assert!(remarks.contains("1 of 1 intervals are wider than 5 %"), "{remarks}");
        assert!(remarks.contains("Not measured: no `openssl` program."), "{remarks}");
        assert!(remarks.contains("95 % by less than 1.0 %"), "{remarks}");
    }
}
