//! The results as text for a terminal.

use std::fmt::Write;

use ssl_provider_command::table::Table;

use crate::timing::report::{
    PairReport, Report, Role, SubjectReport, Verdict, nanoseconds, probability,
};

/// Returns the tables, the advice and the summary.
pub(crate) fn render(report: &Report) -> String {
    let mut text = format!("measured with {}\n\n", report.environment.meter);
    for subject in &report.subjects {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {}", subject.name, subject.blocks_in_words());
        for line in table(subject).to_text().lines() {
            let _ = writeln!(text, "  {line}");
        }
        text.push('\n');
    }
    let mut overview = Table::new(OVERVIEW);
    report.subjects.iter().for_each(|subject| overview.row(subject.overview()));
    text.push_str(&overview.to_text());
    text.push('\n');
    for line in summary(report) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The table of a subject.
pub(crate) fn table(subject: &SubjectReport) -> Table {
    let header = ["class", "difference", "95 % interval", "p", "detectable", "verdict"];
    let mut table = Table::new(header);
    for pair in &subject.pairs {
        let [low, high] = pair.interval_ns.map(nanoseconds);
        let reference = subject.classes.first().map(|class| class.name.as_str());
        let class = match reference == Some(pair.reference.as_str()) {
            true => pair.class.clone(),
            false => format!("{} / {}", pair.class, pair.reference),
        };
        table.row([
            class,
            nanoseconds(pair.difference_ns),
            format!("{low} to {high}"),
            probability(pair.corrected_p),
            nanoseconds(pair.detectable_ns),
            pair.verdict.to_string(),
        ]);
    }
    table
}

/// Says how the run ended, what to do, and what was not measured.
pub(crate) fn summary(report: &Report) -> Vec<String> {
    let [leaks, none, unsure] = report.counts();
    let mut lines = report.advice();
    if report.settings.smoke {
        // Each subject has this advice.
        lines.clear();
        lines.push("a run this short proves nothing: no time was judged".to_owned());
    }
    if !report.environment.optimised {
        lines
            .push("this program was compiled without optimisation: build it with --release".into());
    }
    lines.extend(report.not_measured.iter().map(|line| format!("not measured: {line}")));
    lines.extend(report.failed.iter().map(|line| format!("failed: {line}")));
    let pairs = leaks + none + unsure;
    lines.push(match (leaks, unsure) {
        _ if pairs == 0 => "nothing was measured".to_owned(),
        (0, 0) => format!("no leak in {pairs} pairs of classes"),
        (0, _) => format!("no leak found, but {unsure} of {pairs} pairs are inconclusive"),
        (_, 0) => format!("LEAK in {leaks} of {pairs} pairs of classes"),
        _ => format!("LEAK in {leaks} of {pairs} pairs of classes; {unsure} are inconclusive"),
    });
    lines
}

/// The machine, the libraries and the settings, by name.
pub(crate) fn facts(report: &Report) -> Vec<(String, String)> {
    let environment = &report.environment;
    let mut facts: Vec<(String, String)> = vec![
        ("date".into(), environment.date.clone()),
        ("processor".into(), environment.processor.clone()),
        ("system".into(), environment.system.clone()),
        ("measured".into(), environment.meter.clone()),
        ("ssl-provider".into(), environment.version.clone()),
        ("RSA key".into(), format!("{} bits", report.settings.bits)),
        ("seed".into(), report.settings.seed.to_string()),
    ];
    let libraries = environment.libraries.iter();
    facts.extend(libraries.map(|(name, library)| (name.clone(), library.clone())));
    facts
}

/// The columns of an overview.
pub(crate) const OVERVIEW: [&str; 6] =
    ["what was timed", "blocks", "largest difference", "noise floor", "detectable", "verdict"];

impl SubjectReport {
    /// The subject in one line, with these columns.
    pub(crate) fn overview(&self) -> [String; 6] {
        let of = |roles: &'static [Role]| {
            self.pairs.iter().filter(|pair| roles.contains(&self.role(&pair.class)))
        };
        let size = |pair: &&PairReport| pair.difference_ns.abs();
        let widest = of(&[Role::Good, Role::Bad]).max_by(|a, b| size(a).total_cmp(&size(b)));
        let widest =
            widest.map(|pair| format!("{} ({})", nanoseconds(pair.difference_ns), pair.class));
        let largest = |values: &mut dyn Iterator<Item = f64>| {
            values.max_by(f64::total_cmp).map_or_else(|| "-".to_owned(), nanoseconds)
        };
        [
            self.name.clone(),
            self.blocks.to_string(),
            widest.unwrap_or_else(|| "-".to_owned()),
            largest(&mut of(&[Role::Alike]).map(|pair| pair.difference_ns.abs())),
            largest(&mut self.pairs.iter().map(|pair| pair.detectable_ns)),
            self.in_one_word(),
        ]
    }

    /// The verdict of all pairs.
    fn in_one_word(&self) -> String {
        let words: Vec<_> = self.pairs.iter().map(|pair| pair.verdict.word()).collect();
        let count = |word| words.iter().filter(|it| **it == word).count();
        let of_all = |pairs: usize| format!("{pairs} of {}", words.len());
        match [count("leak"), count("missed"), count("inconclusive"), count("no leak")] {
            [0, 0, 0, 0] => "every planted leak found".to_owned(),
            [0, 0, 0, _] => self.no_leak_above(),
            [0, 0, unsure, _] => format!("inconclusive ({})", of_all(unsure)),
            [0, missed, ..] => format!("planted leak missed ({})", of_all(missed)),
            [leaks, ..] => format!("leak ({})", of_all(leaks)),
        }
    }

    /// The largest of the sizes below which a leak may have been missed.
    fn no_leak_above(&self) -> String {
        let sizes = self.pairs.iter().filter_map(|pair| match pair.verdict {
            Verdict::NoLeak { above_ns } => Some(above_ns),
            _ => None,
        });
        format!("no leak above {}", nanoseconds(sizes.fold(0.0, f64::max)))
    }

    /// How much was measured.
    pub(crate) fn blocks_in_words(&self) -> String {
        let discarded = match self.discarded_blocks {
            0 => String::new(),
            count => format!(", {count} left out for stolen time"),
        };
        format!(
            "{} blocks in {:.0} s{discarded}; effects count above {}",
            self.blocks,
            self.seconds,
            nanoseconds(self.limit_ns)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::report::tests::example;

    #[test]
    fn every_pair_has_a_line_and_the_end_says_what_to_do() {
        let text = render(&example());
        assert_eq!(text.matches("  no separator ").count(), 3, "{text}");
        assert!(text.contains("import with ring     1000    1.50 ns (no separator)"), "{text}");
        let end: Vec<&str> = text.lines().rev().take(3).collect();
        assert_eq!(end[0], "LEAK in 1 of 4 pairs of classes; 1 are inconclusive");
        assert_eq!(end[1], "not measured: batches: the processor has no AVX-IFMA");
        assert_eq!(end[2], "import with openssl: measure longer");
    }

    #[test]
    fn a_short_run_says_that_it_proves_nothing() {
        let mut report = example();
        report.settings.smoke = true;
        assert!(render(&report).contains("a run this short proves nothing"));
        report.subjects.clear();
        assert!(render(&report).ends_with("nothing was measured\n"));
    }
}
