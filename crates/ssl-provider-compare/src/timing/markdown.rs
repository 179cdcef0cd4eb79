//! The results as a document, `docs/timing.md`: the method, how to read it, and the figures.

use std::fmt::Write;

use ssl_provider_command::table::Table;
use ssl_provider_testkit::timing_class::CLASSES;

use crate::timing::report::{Report, SubjectReport};
use crate::timing::text::{OVERVIEW, facts, summary, table as table_of};

/// Returns the document.
pub(crate) fn render(report: &Report) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut classes = Table::new(["Class", "What is special about it", "Accepted"]);
    for class in CLASSES {
        let good = if class.good { "yes" } else { "no" };
        classes.row([class.name, class.description, good].map(str::to_owned));
    }
    text.push_str(&classes.to_markdown());
    text.push_str(METHOD);
    for line in summary(report) {
        text.push_str(&item(&line));
    }
    let mut machine = Table::new(["Machine", ""]);
    for (name, value) in facts(report) {
        machine.row([name, value]);
    }
    // Writing to a string cannot fail.
    let _ = write!(text, "\n{}\n", machine.to_markdown());
    let mut table = Table::new(OVERVIEW);
    report.subjects.iter().for_each(|subject| table.row(subject.overview()));
    text.push_str(&table.to_markdown());
    for subject in &report.subjects {
        let _ = write!(text, "\n### {}\n\n{}.\n\n", capitalised(&subject.name), subject.extent());
        text.push_str(&table_of(subject).to_markdown());
    }
    text
}

/// A list item in lines of at most 100 columns.
fn item(text: &str) -> String {
    let (mut item, mut width) = ("-".to_owned(), 1);
    for word in text.split_ascii_whitespace() {
        let len = word.chars().count();
        if width + 1 + len > 100 {
            item.push_str("\n ");
            width = 1;
        }
        item.push(' ');
        item.push_str(word);
        width += 1 + len;
    }
    item + "\n"
}

impl SubjectReport {
    fn extent(&self) -> String {
        capitalised(&self.blocks_in_words())
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const INTRODUCTION: &str = "\
# Timing

Is there a leak, on this machine, with these libraries? `sslprov timing` times operations that
decrypt an RSA premaster secret with plaintexts of different classes, and tests whether the time
depends on the class (Bleichenbacher; Marvin). It measures the selection routine by itself, whole
imports, batches with multi-buffer RSA, and a TLS server through a socket.

The figures below are of one machine. They do not hold for another processor, library version or
compiler: run it there.

## Classes

All classes are compared with the first. The second is like it, so their difference is the noise
floor of the run.

";

const METHOD: &str = "
## Method

- A block times every class once, in a random order drawn from the seed, so a slow phase of the
  machine affects all classes. Each class is compared with the reference of the same block.
- Times are cycles in user space where the kernel counts them, else a clock: operations that were
  interrupted are timed again. Blocks in which the hypervisor took time are left out.
- Of each pair: the trimmed mean of the differences (20 % left out at either end) with its standard
  error (Tukey and McLaughlin 1963), a bootstrap interval of 95 % (Efron 1979), the sign test, and
  Wilcoxon's signed-rank test.
- The least of the three probabilities is multiplied by three (Bonferroni), and corrected for the
  number of pairs in the run (Holm 1979). It is significant at 0.01.
- A leak is significant and larger than the limit of its subject: 0.1 ns for a selection, 10 ns for
  imports and batches, 100 ns through a socket. A server whose usual answer differs between classes
  leaks without a clock.
- The detectable size is the effect that this run would have found with a probability of 95 %.
- Controls have a planted leak, and every bad class must stand out in them: a careless routine, the
  routine with one more branch, a careless server, an import that takes 20 ns longer where it
  rejects, a server in which that takes 5 µs longer. If one is missed, or if the two classes that
  are alike differ, the verdict is `inconclusive`, never `no leak`.

## How to read it

| Verdict | Meaning |
|---|---|
| leak | the time, or the answer, depends on the plaintext |
| no leak above X | an effect of X would have been found, and there was none |
| inconclusive | nothing can be said; the advice says what to do |
| planted leak found | the control works |
| - | in a control: this class has no planted leak |

## Results

";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::report::tests::example;

    #[test]
    fn the_document_has_the_classes_the_machine_and_every_pair() {
        let mut report = example();
        report.not_measured.push("words ".repeat(40));
        let text = render(&report);
        for class in CLASSES {
            assert!(text.contains(&format!("| {} | {} |", class.name, class.description)));
        }
        assert!(text.contains("| import with ring | 1000 | 1.50 ns (no separator) | 1.50 ns |"));
        assert!(text.contains("| leak (1 of 2) |"), "{text}");
        assert!(text.contains("| every planted leak found |"));
        assert!(text.contains("| inconclusive (1 of 2) |"));
        assert_eq!(text.matches("\n### ").count(), 3);
        let long = |line: &&str| !line.starts_with('|') && line.chars().count() > 100;
        assert_eq!(text.lines().find(long), None);
    }
}
