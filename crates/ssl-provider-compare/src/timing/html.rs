//! The results as one HTML page: a row for each pair, which opens its drawings.

use std::fmt::Write;

use crate::page::{Page, escape, id, subsection};
use crate::timing::plot::{boxes, cumulative};
use crate::timing::report::{
    ClassReport, PairReport, Report, SubjectReport, Verdict, nanoseconds, probability,
};
use crate::timing::text::{OVERVIEW, facts, summary};

/// Returns the page.
pub(crate) fn render(report: &Report) -> String {
    let mut page = Page::new("Timing of RSA key exchanges").block(&overview(report));
    for subject in &report.subjects {
        let heading = format!("{}: {}", subject.name, subject.blocks_in_words());
        let pairs: Vec<_> = subject
            .pairs
            .iter()
            .map(|pair| {
                let heading = format!("{} and {}", pair.class, pair.reference);
                subsection(&pair_id(subject, pair), &heading, &drawings(subject, pair))
            })
            .collect();
        let id = id(&subject.name);
        let pairs = subsection(&format!("{id}-pairs"), "Drawings of each pair", &pairs.join("\n"));
        let content = format!("{}\n{pairs}", table(subject));
        page = match subject.is_control {
            true => page.section(&id, &heading, &content),
            false => page.open_section(&id, &heading, &content),
        };
    }
    page.render()
}

fn overview(report: &Report) -> String {
    let mut html = String::new();
    for line in summary(report) {
        // Writing to a string cannot fail.
        let _ = writeln!(html, "<p>{}</p>", escape(&line));
    }
    html.push_str("<table>\n");
    for (name, value) in facts(report) {
        let (name, value) = (escape(&name), escape(&value));
        let _ = writeln!(html, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    html.push_str("</table>\n<div class=\"wide\"><table>\n<tr>");
    for column in OVERVIEW {
        let _ = write!(html, "<th>{column}</th>");
    }
    html.push_str("</tr>\n");
    for subject in &report.subjects {
        let _ = write!(html, "<tr data-target=\"{}\">", id(&subject.name));
        for cell in subject.overview() {
            let _ = write!(html, "<td>{}</td>", escape(&cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n<p class=\"quiet\">A row opens its section.</p>");
    html
}

fn pair_id(subject: &SubjectReport, pair: &PairReport) -> String {
    id(&format!("{} {} and {}", subject.name, pair.class, pair.reference))
}

fn table(subject: &SubjectReport) -> String {
    let mut html = "<div class=\"wide\"><table>\n<tr><th>class</th><th>compared with</th>\
                    <th class=\"number\">difference</th><th class=\"number\">95 % interval</th>\
                    <th class=\"number\">p, corrected</th><th class=\"number\">detectable</th>\
                    <th>verdict</th></tr>\n"
        .to_owned();
    for pair in &subject.pairs {
        let [low, high] = pair.interval_ns.map(nanoseconds);
        let _ = writeln!(
            html,
            "<tr data-target=\"{}\"><td>{}</td><td>{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{low} to {high}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{}</td><td class=\"{}\">{}</td></tr>",
            pair_id(subject, pair),
            escape(&pair.class),
            escape(&pair.reference),
            nanoseconds(pair.difference_ns),
            probability(pair.corrected_p),
            nanoseconds(pair.detectable_ns),
            style(&pair.verdict),
            escape(&pair.verdict.to_string())
        );
    }
    html.push_str("</table></div>\n");
    html.push_str(&boxes(&subject.classes.iter().collect::<Vec<_>>(), "Times of every class"));
    html
}

/// The class of the page's style.
fn style(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Leak { .. } | Verdict::Missed => "bad",
        Verdict::NoLeak { .. } | Verdict::Found => "good",
        Verdict::Inconclusive { .. } => "unsure",
        Verdict::NotPlanted => "quiet",
    }
}

fn drawings(subject: &SubjectReport, pair: &PairReport) -> String {
    let class = |name: &str| subject.classes.iter().find(|class| class.name == name);
    let classes: Vec<&ClassReport> =
        [&pair.reference, &pair.class].into_iter().filter_map(|name| class(name)).collect();
    let mut html = String::new();
    if let Verdict::Inconclusive { advice } = &pair.verdict {
        let _ = writeln!(html, "<p class=\"unsure\">{}</p>", escape(advice));
    }
    for class in &classes {
        let (name, description) = (escape(&class.name), escape(&class.description));
        let _ = writeln!(html, "<p><b>{name}</b>: {description}</p>");
    }
    let _ = writeln!(
        html,
        "<h4>Share of times below a time</h4>\n{}\n<h4>Quartiles, median, and the middle 80 %</h4>\
         \n{}",
        cumulative(&classes, "Cumulative distribution of the times of both classes"),
        boxes(&classes, "Box plots of the times of both classes")
    );
    html.push_str("<table>\n");
    let answers = |class: &&ClassReport| {
        let answers = class.answers.iter().map(|(answer, count)| format!("{answer} ({count})"));
        (format!("answers to {}", class.name), answers.collect::<Vec<_>>().join(", "))
    };
    let answers = classes.iter().filter(|class| !class.answers.is_empty()).map(answers);
    for (name, value) in figures(pair).into_iter().chain(answers) {
        let (name, value) = (escape(&name), escape(&value));
        let _ = writeln!(html, "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>");
    }
    html.push_str("</table>");
    html
}

/// All figures of a pair.
fn figures(pair: &PairReport) -> Vec<(String, String)> {
    let sign = format!(
        "{} longer, {} shorter, p {}",
        pair.positive,
        pair.negative,
        probability(pair.sign_p)
    );
    let wilcoxon = format!("z {:.2}, p {}", pair.wilcoxon_z, probability(pair.wilcoxon_p));
    let mean = format!(
        "{}, standard error {}, p {}",
        nanoseconds(pair.difference_ns),
        nanoseconds(pair.standard_error_ns),
        probability(pair.mean_p)
    );
    [
        ("trimmed mean of the differences", mean),
        ("median of the differences", nanoseconds(pair.median_ns)),
        ("sign test", sign),
        ("Wilcoxon's signed-rank test", wilcoxon),
        ("least p, corrected (Holm)", probability(pair.corrected_p)),
        ("detectable size", nanoseconds(pair.detectable_ns)),
        ("verdict", pair.verdict.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::report::tests::example;

    #[test]
    fn the_page_has_a_row_and_a_section_with_drawings_for_each_pair() {
        let report = example();
        let page = render(&report);
        let pairs: usize = report.subjects.iter().map(|subject| subject.pairs.len()).sum();
        let rows = pairs + report.subjects.len();
        assert_eq!(page.matches("<tr data-target=").count(), rows, "and one for each subject");
        assert_eq!(page.matches("<polyline").count(), 2 * pairs);
        for subject in &report.subjects {
            for pair in &subject.pairs {
                let id = pair_id(subject, pair);
                assert!(page.contains(&format!("<details id=\"{id}\">")), "{id}");
                assert!(page.contains(&format!("data-target=\"{id}\"")), "{id}");
            }
        }
    }

    #[test]
    fn the_page_loads_nothing_and_escapes_what_it_shows() {
        let page = render(&example());
        for word in ["http", "<link", " src=", "url(", "@import", "<no separator>"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("ring 0.17 &amp; others"));
        assert!(page.contains("class=\"bad\">leak: 31 ns"));
    }
}
