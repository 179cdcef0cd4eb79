//! A report as text for a terminal, as Markdown and as a page.

use std::fmt::Write;

use ssl_provider_command::table::Table;

use super::cases::{Chart, Group};
use super::charts;
use super::compare::Comparison;
use super::report::Report;
use super::tables::{self, PEERS_TEXT};
use super::units::Style;
use crate::page::{Page, escape, id};

/// Returns the report for a terminal, with the comparison, if there is one.
pub(crate) fn text(
    report: &Report,
    groups: &[Group],
    comparison: Option<&Comparison>,
    style: Style,
) -> String {
    const BAR: u16 = 16;
    let mut text = String::new();
    for (name, value) in properties(report) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    for group in groups {
        let rows = tables::rows_of(report, group.name);
        if rows.is_empty() {
            continue;
        }
        let bars = match group.chart {
            Chart::Times => "bars: time, shorter is faster",
            Chart::Curves => "bars: throughput, longer is faster",
        };
        let table = tables::group(&rows, group, style, Some(BAR)).to_text();
        let _ = write!(text, "\n{} ({bars})\n\n{table}", group.title);
    }
    if let Some(table) = tables::peers(report, groups, style) {
        let _ = write!(text, "\n{}\n\n{}", peers_title(report), table.to_text());
    }
    if let Some(comparison) = comparison {
        let _ = writeln!(text, "\nCompared with the earlier run\n");
        for line in tables::comparison_text(comparison) {
            let _ = writeln!(text, "{line}");
        }
        if !comparison.changes.is_empty() {
            let table = tables::changes(comparison, groups, style);
            let _ = write!(text, "\n{}", table.to_text());
        }
    }
    text.push('\n');
    for remark in tables::remarks(report) {
        let _ = writeln!(text, "{remark}");
    }
    if style.unicode { text } else { text.replace('µ', "u") }
}

/// Returns the report as Markdown; `charts` is the folder in which the charts are, as links name
/// it.
pub(crate) fn markdown(
    report: &Report,
    groups: &[Group],
    comparison: Option<&Comparison>,
    charts: Option<&str>,
) -> String {
    let style = Style::UNICODE;
    let mut text = "# Benchmarks\n\nMade by `sslprov bench`; do not edit. Times are medians with \
        half the width of their 95 % confidence interval; what is compared ran in turns with it, \
        and the ratio is the median over the rounds with its interval.\n\n"
        .to_owned();
    let environment = environment(report);
    text.push_str(&environment.to_markdown());
    text.push('\n');
    for remark in tables::remarks(report) {
        let _ = writeln!(text, "- {remark}");
    }
    for group in groups {
        let rows = tables::rows_of(report, group.name);
        if rows.is_empty() {
            continue;
        }
        let table = tables::group(&rows, group, style, None).to_markdown();
        let _ = write!(text, "\n## {}\n\n{}\n\n{table}", group.title, group.text);
        if let Some(folder) = charts {
            text.push('\n');
            for (name, _) in charts::of(&rows, group) {
                let _ = writeln!(text, "![{}]({folder}/{name}.svg)", group.title);
            }
        }
    }
    if let Some(table) = tables::peers(report, groups, style) {
        let title = peers_title(report);
        let _ = write!(text, "\n## {title}\n\n{PEERS_TEXT}\n\n{}", table.to_markdown());
    }
    if let Some(comparison) = comparison {
        let _ = write!(text, "\n## Compared with the earlier run\n\n");
        for line in tables::comparison_text(comparison) {
            let _ = writeln!(text, "- {line}");
        }
        if !comparison.changes.is_empty() {
            let table = tables::changes(comparison, groups, style).to_markdown();
            let _ = write!(text, "\n{table}");
        }
    }
    text
}

/// Returns the report as a page of its own.
pub(crate) fn html(report: &Report, groups: &[Group], comparison: Option<&Comparison>) -> String {
    let style = Style::UNICODE;
    let mut page = Page::new("Benchmarks of crypto backends")
        .block(&table(&environment(report)))
        .block(&list(&tables::remarks(report)));
    if let Some(comparison) = comparison {
        let mut html = list(&tables::comparison_text(comparison));
        if !comparison.changes.is_empty() {
            html += &table(&tables::changes(comparison, groups, style));
        }
        page = page.open_section("comparison", "Compared with the earlier run", &html);
    }
    page = page.block(&overview(report, groups));
    for group in groups {
        let rows = tables::rows_of(report, group.name);
        if rows.is_empty() {
            continue;
        }
        let mut html = paragraph(group.text);
        for (name, chart) in charts::of(&rows, group) {
            let _ = writeln!(html, "<figure id=\"{}\">\n{}\n</figure>", id(&name), chart.inline());
        }
        html += &table(&tables::group(&rows, group, style, None));
        page = page.section(group.name, group.title, &html);
    }
    if let Some(cells) = tables::peers(report, groups, style) {
        let html = paragraph(PEERS_TEXT) + &table(&cells);
        page = page.open_section("peers", &peers_title(report), &html);
    }
    page.render()
}

/// A row for each group, which opens it: how many rows it has, and how far they are from what they
/// are measured beside.
fn overview(report: &Report, groups: &[Group]) -> String {
    let mut html =
        "<table>\n<tr><th>measured</th><th>rows</th><th>time relative to the library</th></tr>\n"
            .to_owned();
    for group in groups {
        let rows = tables::rows_of(report, group.name);
        if rows.is_empty() {
            continue;
        }
        let others = rows.iter().filter_map(|row| row.other.as_ref());
        let ratios: Vec<f64> = others.map(|other| other.ratio.median).collect();
        let (least, most) = (
            ratios.iter().copied().fold(f64::INFINITY, f64::min),
            ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        );
        let range = match ratios.is_empty() {
            true => String::new(),
            false => format!("{least:.3} to {most:.3}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            html,
            "<tr data-target=\"{}\"><td>{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{range}</td></tr>",
            escape(group.name),
            escape(group.title),
            rows.len(),
        );
    }
    html + "</table>"
}

fn properties(report: &Report) -> Vec<(String, String)> {
    let machine = report.machine.properties().into_iter();
    let mut properties: Vec<_> = machine.map(|(name, value)| (name.to_owned(), value)).collect();
    properties.push(("time".to_owned(), format!("{} s", report.seconds)));
    let backends = report.backends.iter();
    properties.extend(backends.map(|backend| (backend.name.clone(), backend.library.clone())));
    properties
}

fn environment(report: &Report) -> Table {
    let mut table = Table::new(["", ""]);
    for (name, value) in properties(report) {
        table.row([name, value]);
    }
    table
}

fn peers_title(report: &Report) -> String {
    let program = report.peers.first().map_or("openssl speed", |peer| peer.program.as_str());
    format!("Other programs: {program}")
}

/// Returns text with code in backticks as a paragraph.
fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", words(text))
}

fn words(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let piece = |(index, piece): (usize, &str)| match index % 2 {
        0 => escape(piece),
        _ => format!("<code>{}</code>", escape(piece)),
    };
    pieces.map(piece).collect()
}

fn list(lines: &[String]) -> String {
    let items: String = lines.iter().map(|line| format!("<li>{}</li>\n", words(line))).collect();
    format!("<ul>\n{items}</ul>\n")
}

fn table(table: &Table) -> String {
    let (header, rows) = table.rows().split_first().unwrap_or((const { &Vec::new() }, &[]));
    let has_header = !header.iter().all(String::is_empty);
    let row = |cells: &[String], element: &str| {
        let cell = |cell: &String| {
            let is_number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
            let class = if is_number && has_header { " class=\"number\"" } else { "" };
            format!("<{element}{class}>{}</{element}>", escape(cell))
        };
        format!("<tr>{}</tr>\n", cells.iter().map(cell).collect::<String>())
    };
    let head = match has_header {
        true => format!("<thead>{}</thead>\n", row(header, "th")),
        false => String::new(),
    };
    let body: String = rows.iter().map(|cells| row(cells, "td")).collect();
    format!("<div class=\"wide\"><table>\n{head}<tbody>\n{body}</tbody></table></div>\n")
}

#[cfg(test)]
mod tests {
    use super::super::cases::GROUPS;
    use super::super::compare::compare;
    use super::super::report::Row;
    use super::super::report::tests::{report, row};
    use super::*;

    /// A row of each group.
    fn all_groups() -> Report {
        let of = |group: &Group| {
            let x = (!group.x.is_empty()).then_some(4);
            let bytes = x.filter(|_| group.name == "records");
            Row { bytes, ..row(group.name, "aws-lc", x, 1000.0) }
        };
        report(GROUPS.iter().map(of).collect())
    }

    #[test]
    fn the_page_loads_nothing_and_has_a_chart_for_each_group() {
        let html = html(&all_groups(), &GROUPS, None);
        for word in ["http", "@import", "url(", " src="] {
            assert!(!html.contains(word), "{word}");
        }
        for group in &GROUPS {
            let start = html.find(&format!("<details id=\"{}\"", group.name)).unwrap();
            let section = html[start..].split("</details>").next().unwrap();
            assert!(section.contains("<svg ") && section.contains("<table>"), "{}", group.name);
        }
        assert!(html.contains("<code>import</code>"));
    }

    #[test]
    fn markdown_links_the_charts_that_are_drawn() {
        let report = all_groups();
        let text = markdown(&report, &GROUPS, None, Some("benchmarks"));
        for group in &GROUPS {
            for (name, _) in charts::of(&tables::rows_of(&report, group.name), group) {
                assert!(text.contains(&format!("(benchmarks/{name}.svg)")), "{name}");
            }
            assert!(text.contains(&format!("## {}\n", group.title)));
        }
        assert!(!markdown(&report, &GROUPS, None, None).contains(".svg"));
    }

    #[test]
    fn a_comparison_stands_in_every_form() {
        let (old, mut new) = (all_groups(), all_groups());
        for row in &mut new.rows {
            for value in [&mut row.time.median, &mut row.time.low, &mut row.time.high] {
                *value *= 2.0;
            }
        }
        let found = compare(&old, &new);
        let plain = Style { unicode: false };
        for text in [
            text(&new, &GROUPS, Some(&found), plain),
            markdown(&new, &GROUPS, Some(&found), None),
            html(&new, &GROUPS, Some(&found)),
        ] {
            assert!(text.contains("Compared with the earlier run"), "{text}");
            assert!(text.contains("7 of 14 quantities changed beyond noise"), "{text}");
            assert_eq!(text.matches(" slower").count(), 7, "{text}");
        }
    }

    #[test]
    fn plain_text_is_ascii() {
        let text = text(&all_groups(), &GROUPS, None, Style { unicode: false });
        assert!(text.is_ascii(), "{text}");
        assert!(text.contains("processor: a processor, 4 logical\n"));
    }
}
