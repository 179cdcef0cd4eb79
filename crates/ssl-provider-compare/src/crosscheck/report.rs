//! The report of a cross-check: a table for the terminal, JSON, JUnit and an HTML page.

use std::fmt::Write;

use serde_json::{Value, json};
use ssl_provider_command::table::Table;

use super::engine::CASES;
use super::matrix::{Cell, Disagreement, Matrix, Row, RowKey, State};
use crate::page::{Page, escape, id};

/// Returns the matrix for a terminal: operations by backends, protocols and groups added up, with
/// the disagreements below.
pub fn text(matrix: &Matrix) -> String {
    let header = ["operation".to_owned()].into_iter().chain(matrix.backends.iter().cloned());
    let mut table = Table::with_header(header);
    for (operation, cells) in matrix.by_operation() {
        let cells = cells.iter().map(in_words);
        table.row([operation.to_owned()].into_iter().chain(cells));
    }
    format!("{}{}", table.to_text(), without_table(matrix))
}

/// The disagreements and how it ended.
pub fn without_table(matrix: &Matrix) -> String {
    let mut text = String::new();
    for disagreement in &matrix.disagreements {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", paragraph(disagreement, &matrix.backends));
    }
    let _ = writeln!(text, "\n{}", summary(matrix));
    text
}

/// A cell in a few characters.
fn in_words(cell: &Cell) -> String {
    let Cell { agree, disagree, slow, unjudged, .. } = *cell;
    match cell.state() {
        State::Disagree => format!("{disagree} of {} DIFFER", agree + disagree),
        State::Slow => format!("{slow} of {} slow", agree + disagree),
        State::Agree => format!("{agree} agree"),
        State::Unjudged => format!("{unjudged} not judged"),
        State::Skipped => "skipped".to_owned(),
        State::Unsupported => "-".to_owned(),
    }
}

/// What is known of a disagreement, with the test that shows it.
fn paragraph(disagreement: &Disagreement, backends: &[String]) -> String {
    let Disagreement { backend, row, name, .. } = disagreement;
    let mut text = format!("{backend}, {}: {name}\n", title(row));
    for (who, answer) in answers(disagreement, backends) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {who}: {answer:.200}");
    }
    text.push_str("  This test shows it:\n");
    for line in disagreement.test.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// Who answered what; the right answer last.
fn answers<'a>(
    disagreement: &'a Disagreement,
    backends: &'a [String],
) -> impl Iterator<Item = (&'a str, String)> {
    let is_of_all = disagreement.row.group != CASES;
    let names = if is_of_all { backends } else { std::slice::from_ref(&disagreement.backend) };
    let given = names.iter().zip(&disagreement.answers);
    let given = given.map(|(name, answer)| (name.as_str(), answer.clone()));
    let expected = disagreement.expected.clone();
    given.chain(expected.map(|answer| ("expected", answer)))
}

fn title(row: &RowKey) -> String {
    match &row.protocol {
        Some(protocol) => format!("{}, {protocol} ({})", row.operation, row.group),
        None => format!("{} ({})", row.operation, row.group),
    }
}

/// Returns the result in a line.
pub fn summary(matrix: &Matrix) -> String {
    let total = Cell::sum(matrix.rows.values().flat_map(|row| &row.cells));
    let Cell { agree, disagree, unsupported, unjudged, skipped, slow } = total;
    let mut text = format!(
        "{} questions and cases, {} backends: {agree} answers agree, {disagree} disagree, \
         {unsupported} unsupported",
        matrix.asked,
        matrix.backends.len()
    );
    for (count, what) in [
        (slow, "slower than the limit"),
        (unjudged, "of one backend alone, which nothing is there to judge"),
        (skipped, "skipped without published vectors (SSL_PROVIDER_VECTORS names their folder)"),
    ] {
        if count > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

/// Returns the whole as one JSON object.
pub fn json(matrix: &Matrix) -> Value {
    let rows = matrix.rows.iter().map(|(key, row)| {
        let cells = matrix.backends.iter().zip(&row.cells).map(
            |(backend, cell)| json!({ "backend": backend, "state": cell.state(), "counts": cell }),
        );
        json!({
            "group": key.group,
            "operation": key.operation,
            "protocol": key.protocol,
            "cells": cells.collect::<Vec<_>>(),
        })
    });
    json!({
        "backends": matrix.backends,
        "asked": matrix.asked,
        "state": matrix.state(),
        "rows": rows.collect::<Vec<_>>(),
        "disagreements": matrix.disagreements,
    })
}

/// Returns the whole as JUnit XML: a suite for each backend, a case for each row.
pub fn junit(matrix: &Matrix) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for (at, backend) in matrix.backends.iter().enumerate() {
        let states = matrix.rows.values().filter_map(|row| row.cells.get(at)).map(Cell::state);
        let states: Vec<State> = states.collect();
        let count = |wanted: &[State]| states.iter().filter(|it| wanted.contains(it)).count();
        // Writing to a string cannot fail.
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            xml_escape(backend),
            states.len(),
            count(&[State::Disagree, State::Slow]),
            count(&[State::Skipped, State::Unsupported, State::Unjudged]),
        );
        for ((key, _), state) in matrix.rows.iter().zip(states) {
            let class = xml_escape(&format!("{backend}.{}", key.group));
            let protocol = key.protocol.as_ref().map(|it| format!(", {it}")).unwrap_or_default();
            let name = xml_escape(&format!("{}{protocol}", key.operation));
            let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\"");
            match state {
                State::Agree => xml.push_str("/>\n"),
                State::Skipped | State::Unsupported | State::Unjudged => {
                    let _ = writeln!(xml, "><skipped message=\"{}\"/></testcase>", state.name());
                }
                State::Slow => {
                    xml.push_str("><failure message=\"slower than the limit\"/></testcase>\n");
                }
                State::Disagree => {
                    let of_cell = |it: &&Disagreement| it.backend == *backend && it.row == *key;
                    let texts = matrix.disagreements.iter().filter(of_cell);
                    let texts = texts.map(|it| paragraph(it, &matrix.backends));
                    let text = xml_escape(&texts.collect::<Vec<_>>().join("\n"));
                    let message = "<failure message=\"disagrees\">";
                    let _ = writeln!(xml, ">{message}{text}</failure></testcase>");
                }
            }
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Escapes text for XML, which has no control characters at all.
fn xml_escape(text: &str) -> String {
    let is_allowed = |character: &char| !character.is_control() || "\n\t".contains(*character);
    escape(&text.chars().filter(is_allowed).collect::<String>())
}

/// Returns the whole as one page that needs nothing else: the matrix, whose rows open the questions
/// behind them.
pub fn html(matrix: &Matrix) -> String {
    let mut page = Page::new("Cross-check of crypto backends")
        .block(&format!("<p>{}</p>", escape(&summary(matrix))))
        .block(
            "<p class=\"quiet\">Each row is an operation; a click opens some of its questions, and \
             whatever was answered differently.</p>",
        )
        .block(&table(matrix));
    for (key, row) in &matrix.rows {
        page = page.section(&row_id(key), &title(key), &details(matrix, key, row));
    }
    page.render()
}

fn row_id(key: &RowKey) -> String {
    id(&title(key))
}

fn class(state: State) -> &'static str {
    match state {
        State::Agree => "good",
        State::Disagree => "bad",
        State::Slow | State::Unjudged => "unsure",
        State::Skipped | State::Unsupported => "quiet",
    }
}

fn table(matrix: &Matrix) -> String {
    let mut html = "<div class=\"wide\"><table id=\"matrix\">\n<tr><th>operation</th>\
                    <th>protocol</th><th>source</th>"
        .to_owned();
    for backend in &matrix.backends {
        // Writing to a string cannot fail.
        let _ = write!(html, "<th>{}</th>", escape(backend));
    }
    html.push_str("</tr>\n");
    for (key, row) in &matrix.rows {
        let protocol = key.protocol.as_deref().unwrap_or_default();
        let _ = write!(
            html,
            "<tr data-target=\"{}\"><td>{}</td><td>{}</td><td>{}</td>",
            escape(&row_id(key)),
            escape(&key.operation),
            escape(protocol),
            escape(&key.group),
        );
        for cell in &row.cells {
            let text = escape(&in_words(cell));
            let _ = write!(html, "<td class=\"{}\">{text}</td>", class(cell.state()));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>");
    html
}

fn details(matrix: &Matrix, key: &RowKey, row: &Row) -> String {
    let mut html = String::new();
    for disagreement in matrix.disagreements.iter().filter(|it| it.row == *key) {
        let Disagreement { backend, name, .. } = disagreement;
        // Writing to a string cannot fail.
        let _ =
            write!(html, "<h3 class=\"bad\">{}: {}</h3>\n<table>", escape(backend), escape(name));
        for (who, answer) in answers(disagreement, &matrix.backends) {
            let _ = write!(html, "<tr><th>{}</th><td>{}</td></tr>", escape(who), escape(&answer));
        }
        let test = escape(&disagreement.test);
        let _ = write!(html, "</table>\n<p>This test shows it:</p>\n<pre>{test}</pre>\n");
    }
    let _ =
        write!(html, "<h3>Some of the questions</h3>\n<div class=\"wide\"><table><tr><th></th>");
    for backend in &matrix.backends {
        let _ = write!(html, "<th>{}</th>", escape(backend));
    }
    html.push_str("</tr>\n");
    for sample in &row.samples {
        let _ = write!(html, "<tr><td>{}</td>", escape(&sample.name));
        for answer in &sample.answers {
            let _ = write!(html, "<td><code>{}</code></td>", escape(&shortened(answer)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>");
    html
}

/// The beginning of a long answer.
fn shortened(answer: &str) -> String {
    const MOST: usize = 40;
    match answer.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &answer[..at]),
        None => answer.to_owned(),
    }
}
