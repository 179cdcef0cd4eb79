//! From the times of all subjects to verdicts. A leak is significant and larger than the limit; a
//! rare effect of a noisy machine is one or the other. Where a planted leak is missed, nothing else
//! can be said to be free of leaks.

use std::collections::{BTreeMap, BTreeSet};

use ssl_provider_testkit::bytes::Rng;

use crate::timing::report::{
    ClassReport, Kind, PairReport, Role, SubjectReport, Verdict, nanoseconds,
};
use crate::timing::sampling::{Samples, sorted};
use crate::timing::statistics::{
    Effect, SIGNIFICANCE, SignTest, TESTS, Wilcoxon, bootstrap_interval, detectable, holm,
    quantile, two_sided,
};

/// What is known of a subject before it is measured.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_control: bool,
    /// The effect in nanoseconds that is to be detectable.
    pub(crate) target: f64,
    /// Name, description and role of each class; the first is the reference.
    pub(crate) classes: Vec<(String, String, Role)>,
    /// Whether every class is compared with every other, not only with the first.
    pub(crate) all_pairs: bool,
}

impl Facts {
    /// The pairs to compare, as indices of the class and of its reference.
    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        let references = if self.all_pairs { self.classes.len() } else { 1 };
        let of = |reference| (reference + 1..self.classes.len()).map(move |it| (it, reference));
        (0..references).flat_map(of).collect()
    }
}

/// Steps between the quantiles that a report has.
const QUANTILES: u32 = 200;

/// Describes what was measured; the verdicts are still open.
pub(crate) fn describe(
    facts: &Facts,
    samples: &Samples,
    answers: Vec<BTreeMap<String, u64>>,
    rng: &mut Rng,
) -> SubjectReport {
    let mut answers = answers.into_iter();
    let classes = facts.classes.iter().enumerate().map(|(class, (name, description, role))| {
        let times = sorted(samples.times(class));
        let steps = 0..=QUANTILES;
        ClassReport {
            name: name.clone(),
            description: description.clone(),
            role: *role,
            quantiles_ns: steps
                .map(|step| quantile(&times, f64::from(step) / f64::from(QUANTILES)))
                .collect(),
            answers: answers.next().unwrap_or_default(),
        }
    });
    let pairs = facts.pairs().into_iter().map(|(class, reference)| {
        let differences = sorted(samples.differences(class, reference));
        let effect = Effect::of(&differences);
        let sign = SignTest::of(&differences);
        let wilcoxon = Wilcoxon::of(&differences);
        PairReport {
            class: facts.classes[class].0.clone(),
            reference: facts.classes[reference].0.clone(),
            difference_ns: effect.nanoseconds,
            standard_error_ns: effect.error,
            interval_ns: bootstrap_interval(&differences, rng),
            median_ns: quantile(&differences, 0.5),
            positive: sign.positive,
            negative: sign.negative,
            sign_p: sign.p,
            wilcoxon_z: wilcoxon.z,
            wilcoxon_p: wilcoxon.p,
            mean_p: two_sided(effect.z()),
            corrected_p: 1.0,
            detectable_ns: f64::INFINITY,
            verdict: Verdict::NotPlanted,
        }
    });
    SubjectReport {
        name: facts.name.clone(),
        kind: facts.kind,
        is_control: facts.is_control,
        blocks: samples.blocks(),
        discarded_blocks: samples.discarded,
        seconds: samples.elapsed.as_secs_f64(),
        limit_ns: facts.kind.limit(),
        target_ns: facts.target,
        classes: classes.collect(),
        pairs: pairs.collect(),
    }
}

/// Why nothing can be said of a subject.
#[derive(Clone, Debug, PartialEq)]
enum Doubt {
    /// It was a short run.
    Short,
    /// Classes that are alike differ by so many nanoseconds.
    Alike(f64),
    /// The leak planted in this control was not found.
    Missed(String),
    /// No control of its kind was measured.
    NoControl,
}

impl Doubt {
    fn advice(&self) -> String {
        match self {
            Self::Short => "a run this short proves nothing; leave out --smoke".to_owned(),
            Self::Alike(difference) => format!(
                "two classes that are alike differ by {}; measure on a quiet machine",
                nanoseconds(*difference)
            ),
            Self::Missed(name) => format!(
                "the leak planted in '{name}' was not found; measure longer (--time) or on a quiet \
                 machine"
            ),
            Self::NoControl => "no planted leak was measured beside it".to_owned(),
        }
    }

    /// Whether a leak that stands out is in doubt too: it needs no control, but a machine that
    /// makes no differences up.
    fn covers_leaks(&self) -> bool {
        matches!(self, Self::Short | Self::Alike(_))
    }
}

/// Decides every pair of a run.
pub(crate) fn judge(subjects: &mut [SubjectReport], smoke: bool) {
    for is_control in [true, false] {
        correct(subjects, is_control);
    }
    let doubts: Vec<_> = subjects.iter().map(|it| doubt(it, subjects, smoke)).collect();
    for (subject, doubt) in subjects.iter_mut().zip(doubts) {
        let verdicts: Vec<_> =
            subject.pairs.iter().map(|pair| subject.verdict(pair, doubt.as_ref())).collect();
        for (pair, verdict) in subject.pairs.iter_mut().zip(verdicts) {
            pair.verdict = verdict;
        }
    }
}

/// Why nothing can be said of a subject, if so.
fn doubt(subject: &SubjectReport, all: &[SubjectReport], smoke: bool) -> Option<Doubt> {
    if smoke {
        return Some(Doubt::Short);
    }
    let kind = subject.kind.control();
    let controls: Vec<_> = all
        .iter()
        .filter(|it| it.kind == kind && it.pairs.iter().any(|pair| it.is_planted(pair)))
        .collect();
    // An artefact in a control makes the control worthless.
    let artefacts = controls.iter().copied().chain([subject]).find_map(SubjectReport::artefact);
    match artefacts {
        Some(difference) => Some(Doubt::Alike(difference)),
        None if controls.is_empty() => Some(Doubt::NoControl),
        None => {
            let missed = controls.into_iter().find(|it| it.misses_planted());
            missed.map(|control| Doubt::Missed(control.name.clone()))
        }
    }
}

/// Corrects the probabilities of all controls, or of everything else, for their number.
fn correct(subjects: &mut [SubjectReport], is_control: bool) {
    let mut pairs: Vec<_> = subjects
        .iter_mut()
        .filter(|subject| subject.is_control == is_control)
        .flat_map(|subject| {
            let limit = subject.limit_ns;
            subject.pairs.iter_mut().map(move |pair| (limit, pair))
        })
        .collect();
    let least = |pair: &PairReport| {
        let least = pair.sign_p.min(pair.wilcoxon_p).min(pair.mean_p);
        (least * TESTS as f64).min(1.0)
    };
    let corrected = holm(&pairs.iter().map(|(_, pair)| least(pair)).collect::<Vec<_>>());
    let count = pairs.len();
    for ((limit, pair), corrected) in pairs.iter_mut().zip(corrected) {
        pair.corrected_p = corrected;
        pair.detectable_ns = detectable(pair.standard_error_ns, count, *limit);
    }
}

/// The size in nanoseconds below which a leak may have been missed: what would have been found, or
/// the end of the interval if that is further out.
fn missed_below(pair: &PairReport) -> f64 {
    let [low, high] = pair.interval_ns;
    pair.detectable_ns.max(low.abs()).max(high.abs())
}

impl SubjectReport {
    /// The role of a class.
    pub(crate) fn role(&self, class: &str) -> Role {
        self.classes.iter().find(|it| it.name == class).map_or(Role::Good, |class| class.role)
    }

    /// Whether the difference is significant and larger than the limit.
    pub(crate) fn stands_out(&self, pair: &PairReport) -> bool {
        pair.corrected_p <= SIGNIFICANCE && pair.difference_ns.abs() > self.limit_ns
    }

    /// Whether a leak was planted between these classes.
    fn is_planted(&self, pair: &PairReport) -> bool {
        match (self.role(&pair.reference), self.role(&pair.class)) {
            (Role::Reference, Role::Bad) => self.is_control,
            (Role::Reference, Role::Delayed) => true,
            _ => false,
        }
    }

    /// Whether a planted leak was not found.
    fn misses_planted(&self) -> bool {
        self.pairs.iter().any(|pair| self.is_planted(pair) && !self.stands_out(pair))
    }

    /// The difference between classes that are alike, if it stands out.
    fn artefact(&self) -> Option<f64> {
        let is_artefact = |pair: &&PairReport| {
            let roles = [&pair.reference, &pair.class].map(|class| self.role(class));
            roles == [Role::Reference, Role::Alike] && self.stands_out(pair)
        };
        self.pairs.iter().find(is_artefact).map(|pair| pair.difference_ns)
    }

    /// The answer of a server that comes significantly more or less often to one class than to the
    /// other: two proportions, corrected for all answers and pairs. One vulnerable host behind a
    /// load balancer gives the revealing answer rarely.
    fn different_answer(&self, pair: &PairReport) -> Option<String> {
        let of_class = |name: &str| {
            let class = self.classes.iter().find(|it| it.name == name)?;
            let total: u64 = class.answers.values().sum();
            (total > 0).then_some((&class.answers, total as f64))
        };
        let (reference, of_reference) = of_class(&pair.reference)?;
        let (class, of_class) = of_class(&pair.class)?;
        let texts: BTreeSet<&String> = reference.keys().chain(class.keys()).collect();
        let tests = (texts.len() * self.pairs.len()) as f64;
        let compared = texts.into_iter().map(|text| {
            let count =
                |answers: &BTreeMap<String, u64>| answers.get(text).copied().unwrap_or(0) as f64;
            let (often, before) = (count(class), count(reference));
            let pooled = (often + before) / (of_class + of_reference);
            let [share, share_before] = [often / of_class, before / of_reference];
            let variance = pooled * (1.0 - pooled) * (1.0 / of_class + 1.0 / of_reference);
            // An answer that comes always, or to nobody, is no difference.
            let z = if variance > 0.0 { (share - share_before) / variance.sqrt() } else { 0.0 };
            (
                z,
                format!(
                    "{text} in {:.1} % instead of {:.1} %",
                    100.0 * share,
                    100.0 * share_before
                ),
            )
        });
        let (z, by) = compared.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
        (two_sided(z) * tests <= SIGNIFICANCE).then_some(by)
    }

    fn verdict(&self, pair: &PairReport, doubt: Option<&Doubt>) -> Verdict {
        let delayed = [&pair.class, &pair.reference].map(|it| self.role(it) == Role::Delayed);
        if self.is_control || delayed.contains(&true) {
            return match (self.is_planted(pair), self.stands_out(pair)) {
                (false, _) => Verdict::NotPlanted,
                (true, true) => Verdict::Found,
                (true, false) => Verdict::Missed,
            };
        }
        if let Some(by) = self.different_answer(pair) {
            // It needs no clock.
            return Verdict::Leak { by };
        }
        let is_leak = self.stands_out(pair);
        if let Some(doubt) = doubt.filter(|doubt| !is_leak || doubt.covers_leaks()) {
            return Verdict::Inconclusive { advice: doubt.advice() };
        }
        if is_leak {
            let sign = if pair.difference_ns > 0.0 { "longer" } else { "shorter" };
            let by = format!("{} {sign}", nanoseconds(pair.difference_ns.abs()));
            return Verdict::Leak { by };
        }
        let above_ns = missed_below(pair);
        if above_ns <= self.target_ns {
            return Verdict::NoLeak { above_ns };
        }
        // The same advice for each pair of the subject.
        let largest = self.pairs.iter().map(missed_below).fold(above_ns, f64::max);
        let advice = format!(
            "effects up to {} may have been missed, and {} was asked for; measure longer (--time) \
             or on a quiet machine, or ask for less (--detect)",
            nanoseconds(largest),
            nanoseconds(self.target_ns)
        );
        Verdict::Inconclusive { advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::sampling::tests::{PLAN, Simulated};

    /// Times three classes, a reference, one like it and a bad one, on a simulated machine.
    fn measure(name: &str, is_control: bool, nanoseconds: [f64; 3], noise: f64) -> SubjectReport {
        let role = [Role::Reference, Role::Alike, Role::Bad];
        let names = ["well formed", "well formed too", "no separator"];
        let class = |(name, role): (&str, Role)| (name.to_owned(), String::new(), role);
        let facts = Facts {
            name: name.to_owned(),
            kind: Kind::Import,
            is_control,
            target: 100.0,
            classes: names.into_iter().zip(role).map(class).collect(),
            all_pairs: false,
        };
        let plan = crate::timing::sampling::Plan { blocks: 2000, rounds: 1, ..PLAN };
        let mut subject = Simulated::new(&nanoseconds, noise);
        let mut rng = Rng::new(7);
        let samples = Samples::take(&mut subject, 3, plan, &mut rng, &mut |_, _, _| ()).unwrap();
        describe(&facts, &samples, Vec::new(), &mut rng)
    }

    const EQUAL: [f64; 3] = [1000.0; 3];
    const LEAK: [f64; 3] = [1000.0, 1000.0, 1050.0];

    fn judged(subjects: impl Into<Vec<SubjectReport>>) -> Vec<SubjectReport> {
        let mut subjects = subjects.into();
        judge(&mut subjects, false);
        subjects
    }

    fn control() -> SubjectReport {
        measure("control", true, LEAK, 100.0)
    }

    #[test]
    fn a_planted_leak_is_found_and_an_equal_class_is_not() {
        let all = judged([
            control(),
            measure("equal", false, EQUAL, 100.0),
            measure("leak", false, LEAK, 100.0),
        ]);
        assert_eq!(all[0].pairs[0].verdict, Verdict::NotPlanted);
        assert_eq!(all[0].pairs[1].verdict, Verdict::Found);
        for pair in &all[1].pairs {
            let Verdict::NoLeak { above_ns } = pair.verdict else { panic!("{pair:?}") };
            assert!((10.0..40.0).contains(&above_ns), "{above_ns}");
        }
        assert!(matches!(all[2].pairs[0].verdict, Verdict::NoLeak { .. }));
        let Verdict::Leak { by } = &all[2].pairs[1].verdict else { panic!("{:?}", all[2]) };
        assert!(by.ends_with("ns longer"), "{by}");
        assert!((40.0..60.0).contains(&all[2].pairs[1].difference_ns));
    }

    #[test]
    fn without_a_control_that_is_found_there_is_no_absence_of_leaks() {
        let missed = measure("control", true, EQUAL, 100.0);
        let all = judged([missed, measure("equal", false, EQUAL, 100.0)]);
        assert_eq!(all[0].pairs[1].verdict, Verdict::Missed);
        let Verdict::Inconclusive { advice } = &all[1].pairs[1].verdict else { panic!() };
        assert!(advice.contains("'control' was not found; measure longer"), "{advice}");
        let all = judged([measure("equal", false, EQUAL, 100.0)]);
        assert!(matches!(all[0].pairs[0].verdict, Verdict::Inconclusive { .. }), "no control");
        // A leak that stands out needs no control.
        let all = judged([measure("leak", false, LEAK, 100.0)]);
        assert!(matches!(all[0].pairs[1].verdict, Verdict::Leak { .. }));
    }

    #[test]
    fn a_machine_that_makes_differences_up_says_nothing() {
        let artefact = measure("import", false, [1000.0, 1060.0, 1060.0], 100.0);
        let all = judged([control(), artefact]);
        for pair in &all[1].pairs {
            let Verdict::Inconclusive { advice } = &pair.verdict else { panic!("{pair:?}") };
            assert!(advice.contains("quiet machine"), "{advice}");
        }
        let worthless = measure("control", true, [1000.0, 1060.0, 1060.0], 100.0);
        let all = judged([worthless, measure("equal", false, EQUAL, 100.0)]);
        assert!(matches!(all[1].pairs[1].verdict, Verdict::Inconclusive { .. }));
    }

    #[test]
    fn noise_that_hides_what_was_asked_for_is_inconclusive() {
        let all = judged([control(), measure("noisy", false, EQUAL, 2000.0)]);
        let Verdict::Inconclusive { advice } = &all[1].pairs[1].verdict else { panic!() };
        assert!(advice.contains("100 ns was asked for; measure longer"), "{advice}");
    }

    #[test]
    fn an_effect_below_the_limit_is_no_leak_whatever_its_significance() {
        let small = measure("small", false, [1000.0, 1000.0, 1008.0], 20.0);
        let all = judged([control(), small]);
        let pair = &all[1].pairs[1];
        assert!(pair.corrected_p < 1e-9, "{pair:?}");
        assert!(matches!(pair.verdict, Verdict::NoLeak { above_ns } if above_ns < 20.0));
    }

    #[test]
    fn a_short_run_says_nothing() {
        let mut all = vec![control(), measure("leak", false, LEAK, 100.0)];
        judge(&mut all, true);
        assert!(matches!(all[1].pairs[1].verdict, Verdict::Inconclusive { .. }));
    }

    #[test]
    fn a_server_that_answers_otherwise_leaks_without_a_clock() {
        let mut subject = measure("server", false, EQUAL, 100.0);
        let answer = |text: &str| BTreeMap::from([(text.to_owned(), 9), ("reset".to_owned(), 1)]);
        for class in &mut subject.classes {
            class.answers = answer("alert bad_record_mac");
        }
        subject.classes[2].answers = answer("alert decode_error");
        let all = judged([control(), subject]);
        assert!(matches!(all[1].pairs[0].verdict, Verdict::NoLeak { .. }));
        let Verdict::Leak { by } = &all[1].pairs[1].verdict else { panic!() };
        assert_eq!(by, "alert decode_error in 90.0 % instead of 0.0 %");
    }

    #[test]
    fn a_rare_answer_leaks_and_one_that_comes_by_chance_does_not() {
        let answers = |rare: u64| {
            let usual = ("alert bad_record_mac".to_owned(), 1000 - rare);
            BTreeMap::from([usual, ("no answer".to_owned(), rare)])
        };
        let verdict = |rare: u64| {
            let mut subject = measure("server", false, EQUAL, 100.0);
            for class in &mut subject.classes {
                class.answers = answers(100);
            }
            subject.classes[2].answers = answers(rare);
            judged([control(), subject])[1].pairs[1].verdict.clone()
        };
        assert!(matches!(verdict(110), Verdict::NoLeak { .. }));
        for rare in [0, 250, 490] {
            assert!(matches!(verdict(rare), Verdict::Leak { .. }), "{rare}");
        }
    }

    #[test]
    fn a_delay_that_the_client_adds_is_the_control_of_its_subject() {
        let with_delay = |nanoseconds| {
            let mut subject = measure("server", false, nanoseconds, 100.0);
            subject.classes[2].role = Role::Delayed;
            subject
        };
        let all = judged([with_delay(LEAK)]);
        assert_eq!(all[0].pairs[1].verdict, Verdict::Found);
        assert!(matches!(all[0].pairs[0].verdict, Verdict::NoLeak { .. }));
        let all = judged([with_delay(EQUAL)]);
        assert_eq!(all[0].pairs[1].verdict, Verdict::Missed);
        assert!(matches!(all[0].pairs[0].verdict, Verdict::Inconclusive { .. }));
    }

    #[test]
    fn all_pairs_are_each_compared_once() {
        let class = |name: &str| (name.to_owned(), String::new(), Role::Good);
        let mut facts = Facts {
            name: String::new(),
            kind: Kind::Selection,
            is_control: false,
            target: 1.0,
            classes: ["a", "b", "c", "d"].map(class).to_vec(),
            all_pairs: false,
        };
        assert_eq!(facts.pairs(), [(1, 0), (2, 0), (3, 0)]);
        facts.all_pairs = true;
        assert_eq!(facts.pairs().len(), 6);
    }
}
