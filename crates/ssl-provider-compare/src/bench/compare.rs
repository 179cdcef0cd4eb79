//! What changed between two runs beyond their noise.

use super::report::{Report, Row};
use super::statistics::Interval;

/// The differences of two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Why the runs may differ for other reasons than the code: machine, versions, load.
    pub cautions: Vec<String>,
    /// The noise of each group: a change must be a factor above it. It is that of 95 % of the A/A
    /// pairs of the noisier run, and at least 1.01.
    pub noise: Vec<(String, f64)>,
    /// What changed.
    pub changes: Vec<Change>,
    /// How many quantities were compared.
    pub compared: usize,
    /// How many rows only the old run has.
    pub only_old: usize,
    /// How many rows only the new run has.
    pub only_new: usize,
}

/// A change beyond noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The row of the new run.
    pub row: Row,
    /// What changed.
    pub quantity: Quantity,
    /// The value of the old run.
    pub old: Interval,
    /// The value of the new run.
    pub new: Interval,
    /// New relative to old; above 1 is slower.
    pub factor: Interval,
}

/// What is compared of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The time of the operation.
    Time,
    /// The time relative to what was measured in turns with it, on which a slower machine and a
    /// busy one have little effect.
    Ratio,
}

/// Compares two runs, row by row.
pub fn compare(old: &Report, new: &Report) -> Comparison {
    let mut comparison = Comparison {
        cautions: cautions(old, new),
        noise: Vec::new(),
        changes: Vec::new(),
        compared: 0,
        only_old: 0,
        only_new: 0,
    };
    for row in &new.rows {
        let Some(before) = old.rows.iter().find(|before| before.is_same(row)) else {
            comparison.only_new += 1;
            continue;
        };
        let threshold = comparison.noise_of(&row.group, [old, new]);
        let ratios = before.other.as_ref().zip(row.other.as_ref());
        let ratios = ratios.filter(|(old, new)| old.name == new.name);
        let quantities = [
            Some((Quantity::Time, before.time, row.time)),
            ratios.map(|(old, new)| (Quantity::Ratio, old.ratio, new.ratio)),
        ];
        for (quantity, old, new) in quantities.into_iter().flatten() {
            comparison.compared += 1;
            let factor = new.over(&old);
            if is_change(&old, &new, &factor, threshold) {
                let row = row.clone();
                comparison.changes.push(Change { row, quantity, old, new, factor });
            }
        }
    }
    let is_gone = |before: &&Row| !new.rows.iter().any(|row| row.is_same(before));
    comparison.only_old = old.rows.iter().filter(is_gone).count();
    comparison
}

/// The least factor that counts as a change: the same code at other addresses differs by as much.
const LEAST_CHANGE: f64 = 1.01;

impl Comparison {
    /// Returns the noise of a group, which is computed once.
    fn noise_of(&mut self, group: &str, runs: [&Report; 2]) -> f64 {
        if let Some((_, noise)) = self.noise.iter().find(|(known, _)| known == group) {
            return *noise;
        }
        let noise = runs.map(|run| run.noise_of(Some(group)).most);
        let noise = noise.into_iter().fold(LEAST_CHANGE, f64::max);
        self.noise.push((group.to_owned(), noise));
        noise
    }
}

/// Whether the intervals are apart, and the medians further than by noise.
fn is_change(old: &Interval, new: &Interval, factor: &Interval, threshold: f64) -> bool {
    let apart = new.low > old.high || new.high < old.low;
    // What is left of a whole may be below zero, and has no factor then.
    let has_factor = old.low > 0.0 && new.low > 0.0;
    apart && has_factor && factor.median.max(1.0 / factor.median) > threshold
}

fn cautions(old: &Report, new: &Report) -> Vec<String> {
    let mut cautions = Vec::new();
    let (before, after) = (&old.machine, &new.machine);
    for (what, old, new) in [
        ("processor", before.processor.clone(), after.processor.clone()),
        (
            "logical processors",
            before.logical_processors.to_string(),
            after.logical_processors.to_string(),
        ),
        ("system", before.system.clone(), after.system.clone()),
        ("version of this program", before.program.clone(), after.program.clone()),
    ] {
        if old != new {
            cautions.push(format!("{what}: {old} then, {new} now"));
        }
    }
    for backend in &new.backends {
        let before = old.backends.iter().find(|before| before.name == backend.name);
        if let Some(before) = before.filter(|before| before.library != backend.library) {
            let (name, now) = (&backend.name, &backend.library);
            cautions.push(format!("library of {name}: {} then, {now} now", before.library));
        }
    }
    for (when, machine) in [("then", before), ("now", after)] {
        if machine.debug_build {
            cautions.push(format!("a debug build {when}: its times mean nothing"));
        }
        if let Some(load) = machine.load_before.filter(|_| machine.was_busy()) {
            let processors = machine.logical_processors;
            cautions.push(format!(
                "the machine was busy {when}: load {load:.2} on {processors} processors"
            ));
        }
    }
    cautions
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{report, row};
    use super::*;

    /// A run with the times of one operation and its library, in nanoseconds.
    fn run(time: f64, ratio: f64) -> Report {
        let mut row = row("import", "aws-lc", Some(2048), time);
        let other = row.other.as_mut().unwrap();
        other.ratio = Interval { median: ratio, low: ratio * 0.999, high: ratio * 1.001 };
        report(vec![row])
    }

    #[test]
    fn a_change_beyond_noise_is_found() {
        let found = compare(&run(100.0, 1.0), &run(110.0, 1.05));
        let changed: Vec<_> = found.changes.iter().map(|change| change.quantity).collect();
        assert_eq!(changed, [Quantity::Time, Quantity::Ratio]);
        assert!((found.changes[0].factor.median - 1.1).abs() < 1e-9);
        assert!(found.changes[0].factor.low > 1.0);
        assert_eq!((found.compared, found.only_old, found.only_new), (2, 0, 0));
        // And one for the better.
        let found = compare(&run(110.0, 1.0), &run(100.0, 1.0));
        assert!(found.changes.len() == 1 && found.changes[0].factor.high < 1.0);
    }

    #[test]
    fn noise_is_no_change() {
        // Intervals of 1 % on both sides overlap.
        assert_eq!(compare(&run(100.0, 1.0), &run(101.5, 1.0)).changes, []);
        // The intervals are apart, but the same code at other addresses differs by as much.
        assert_eq!(compare(&run(100.0, 1.0), &run(100.0, 1.008)).changes, []);
        // The intervals are apart, but A/A pairs of the old run are as far from each other.
        let noisy = |mut run: Report, group: &str| {
            let noise = Row { group: group.into(), halves: Some([1.0, 1.2]), ..Row::default() };
            run.rows.extend(vec![noise; 9]);
            run
        };
        let found = compare(&noisy(run(100.0, 1.0), "import"), &run(115.0, 1.1));
        assert_eq!((found.changes, found.noise), (vec![], vec![("import".into(), 1.2)]));
        // In the new one too.
        assert_eq!(compare(&run(100.0, 1.0), &noisy(run(115.0, 1.1), "import")).changes, []);
        // That of another group hides nothing.
        let found = compare(&noisy(run(100.0, 1.0), "threads"), &run(115.0, 1.1));
        assert_eq!(found.changes.len(), 2);
    }

    #[test]
    fn the_slower_machine_shows_in_times_but_not_in_ratios() {
        let mut elsewhere = run(200.0, 1.0);
        elsewhere.machine.processor = "another processor".into();
        let found = compare(&run(100.0, 1.0), &elsewhere);
        assert!(matches!(&found.changes[..], [change] if change.quantity == Quantity::Time));
        let expected = "processor: a processor then, another processor now";
        assert_eq!(found.cautions, [expected]);
    }

    #[test]
    fn versions_load_and_debug_builds_are_named() {
        let mut new = run(100.0, 1.0);
        new.backends[0].library = "AWS-LC 2".into();
        new.machine.load_before = Some(3.5);
        new.machine.debug_build = true;
        let cautions = compare(&run(100.0, 1.0), &new).cautions.join("\n");
        for part in [
            "library of aws-lc: AWS-LC 1 then, AWS-LC 2 now",
            "the machine was busy now: load 3.50 on 4 processors",
            "a debug build now",
        ] {
            assert!(cautions.contains(part), "{cautions}");
        }
    }

    #[test]
    fn rows_of_one_run_only_are_counted_and_negative_rests_have_no_factor() {
        let old = report(vec![row("a", "x", None, 1.0), row("b", "x", None, 1.0)]);
        let new = report(vec![row("b", "x", None, 1.0), row("c", "x", None, 1.0)]);
        let found = compare(&old, &new);
        assert_eq!((found.only_old, found.only_new, found.compared), (1, 1, 2));
        let negative = Interval { median: -5.0, low: -6.0, high: -4.0 };
        let (mut before, mut after) = (run(100.0, 1.0), run(100.0, 1.0));
        before.rows[0].time = negative;
        after.rows[0].time = Interval { median: 5.0, low: 4.0, high: 6.0 };
        assert_eq!(compare(&before, &after).changes, []);
    }
}
