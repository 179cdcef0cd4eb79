//! Comparison of what backends answer: who is right, who is not, and the smallest question that
//! shows it.

use super::{Answer, Question, Subject, Vector};

/// What a backend's answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is the right one.
    Agrees,
    /// It is not, or nobody can say which of two answers is.
    Disagrees,
    /// The backend does not support what was asked.
    Unsupported,
    /// Nobody can say: no other backend supports it, no answer is published, and no arithmetic of
    /// the test kit knows it.
    Unjudged,
}

/// The answers of several backends to one question.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// One answer for each backend.
    pub answers: Vec<Answer>,
    /// The right answer: the expected one, else that of the reference, else that of most backends;
    /// none where the backends are divided.
    pub right: Option<Answer>,
    /// One verdict for each backend.
    pub verdicts: Vec<Verdict>,
}

impl Comparison {
    /// Asks every backend.
    pub fn of(vector: &Vector, subjects: &[&Subject]) -> Self {
        let answers: Vec<Answer> =
            (0..subjects.len()).map(|at| ask(&vector.question, subjects, at)).collect();
        Self::judge(answers, vector)
    }

    /// Judges answers that were given to a vector.
    pub fn judge(answers: Vec<Answer>, vector: &Vector) -> Self {
        let supporting: Vec<&Answer> =
            answers.iter().filter(|answer| answer.is_supported()).collect();
        // A panic is never right, also where all backends share it.
        let sound: Vec<&Answer> = supporting
            .iter()
            .copied()
            .filter(|answer| !matches!(answer, Answer::Defect(_)))
            .collect();
        let all_agree = supporting.windows(2).all(|pair| pair[0] == pair[1]);
        let (question, expected) = (&vector.question, vector.expected.clone());
        let needs_reference = question.is_reference_cheap() || !all_agree || supporting.len() < 2;
        let right = expected
            .or_else(|| needs_reference.then(|| question.reference()).flatten())
            .or_else(|| (supporting.len() > 1).then(|| most_given(&sound).cloned()).flatten());
        let verdicts = answers
            .iter()
            .map(|answer| match answer {
                Answer::Unsupported => Verdict::Unsupported,
                Answer::Defect(_) => Verdict::Disagrees,
                _ if right.is_none() && supporting.len() == 1 => Verdict::Unjudged,
                answer if Some(answer) == right.as_ref() => Verdict::Agrees,
                _ => Verdict::Disagrees,
            })
            .collect();
        Self { answers, right, verdicts }
    }

    /// Returns whether a backend disagrees.
    pub fn has_disagreement(&self) -> bool {
        self.verdicts.contains(&Verdict::Disagrees)
    }
}

/// Asks the backend at this place; the others judge what differs each time.
pub fn ask(question: &Question, subjects: &[&Subject], at: usize) -> Answer {
    let others = subjects.iter().enumerate().filter(|(other, _)| *other != at);
    let peers: Vec<&Subject> = others.map(|(_, subject)| *subject).collect();
    question.ask(subjects[at], &peers)
}

/// Returns the answer that more backends give than any other.
fn most_given<'a>(answers: &[&'a Answer]) -> Option<&'a Answer> {
    let count = |answer: &Answer| answers.iter().filter(|other| **other == answer).count();
    let most = answers.iter().map(|answer| count(answer)).max()?;
    let mut leading = answers.iter().filter(|answer| count(answer) == most);
    let first = *leading.next()?;
    leading.all(|answer| *answer == first).then_some(first)
}

/// Returns the smallest vector found on which the backend at this place still disagrees, with the
/// right answer if anybody knows it. The vector itself where nothing smaller does, or where only
/// its expected answer shows the disagreement.
pub fn shrink(vector: &Vector, subjects: &[&Subject], at: usize) -> Vector {
    /// Questions that are tried: seconds, for the slowest kind.
    const MOST_TRIALS: usize = 400;
    let disagrees = |question: &Question| {
        let name = format!("{}, reduced", vector.name);
        let trial = Vector { name, question: question.clone(), expected: None };
        let comparison = Comparison::of(&trial, subjects);
        let found = comparison.verdicts[at] == Verdict::Disagrees && comparison.right.is_some();
        found.then_some(Vector { expected: comparison.right, ..trial })
    };
    let Some(mut smallest) = disagrees(&vector.question) else { return vector.clone() };
    smallest.name.clone_from(&vector.name);
    let mut trials = 0;
    loop {
        let candidates = smallest.question.smaller();
        let found = candidates.iter().find_map(|candidate| {
            trials += 1;
            (trials <= MOST_TRIALS).then(|| disagrees(candidate)).flatten()
        });
        match found {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

/// Returns a test in Rust that fails on a backend which disagrees.
pub fn as_test(vector: &Vector) -> String {
    let name: String = vector
        .question
        .operation()
        .to_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("_");
    // Escaped as Rust strings: a file of vectors cannot write code into the test.
    let (what, json) = (format!("{:?}", vector.name), format!("{:?}", vector.to_json()));
    format!(
        "// {what}\n#[test]\nfn regression_of_{name}() {{\n    let vector = \
         ssl_provider_testkit::question::Vector::from_json(\n        {json},\n    );\n    let \
         vector = vector.expect(\"JSON of the cross-check\");\n    let backends = \
         ssl_provider::backends();\n    for backend in &backends {{\n        \
         vector.check(backend, &backends);\n    }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: u8) -> Answer {
        Answer::Bytes(vec![value].into())
    }

    fn vector(expected: Option<Answer>) -> Vector {
        // No reference knows the answer to this one.
        let json = r#"{"name": "test", "question": {"operation": "load-private-key", "der": ""}}"#;
        Vector { expected, ..Vector::from_json(json).unwrap() }
    }

    fn verdicts(answers: Vec<Answer>, expected: Option<Answer>) -> Vec<Verdict> {
        Comparison::judge(answers, &vector(expected)).verdicts
    }

    #[test]
    fn the_expected_answer_wins_over_the_majority() {
        use Verdict::{Agrees, Disagrees, Unsupported};
        let answers = || vec![bytes(1), bytes(1), bytes(2), Answer::Unsupported];
        assert_eq!(verdicts(answers(), None), [Agrees, Agrees, Disagrees, Unsupported]);
        let expected = Some(bytes(2));
        assert_eq!(verdicts(answers(), expected), [Disagrees, Disagrees, Agrees, Unsupported]);
    }

    #[test]
    fn a_panic_is_never_right_and_a_lone_answer_is_not_judged() {
        let panicked = || Answer::Defect("panicked: index out of bounds".to_owned());
        assert_eq!(verdicts(vec![panicked(), panicked()], None), [Verdict::Disagrees; 2]);
        let all = verdicts(vec![panicked(), bytes(1), bytes(1)], None);
        assert_eq!(all, [Verdict::Disagrees, Verdict::Agrees, Verdict::Agrees]);
        let lone = verdicts(vec![bytes(1), Answer::Unsupported], None);
        assert_eq!(lone, [Verdict::Unjudged, Verdict::Unsupported]);
        let judged = verdicts(vec![bytes(1), Answer::Unsupported], Some(bytes(1)));
        assert_eq!(judged, [Verdict::Agrees, Verdict::Unsupported]);
    }

    #[test]
    fn where_backends_are_divided_each_of_them_disagrees() {
        let divided = Comparison::judge(vec![bytes(1), bytes(2)], &vector(None));
        assert_eq!(divided.verdicts, [Verdict::Disagrees; 2]);
        assert_eq!(divided.right, None);
        let status = Answer::Status(super::super::Status(0x8009_0027));
        assert_eq!(verdicts(vec![status.clone(), status], None), [Verdict::Agrees; 2]);
    }

    #[test]
    fn vectors_survive_json_and_misspelt_fields_are_refused() {
        let before = vector(Some(bytes(7)));
        assert_eq!(Vector::from_json(&before.to_json()).unwrap(), before);
        let misspelt = before.to_json().replace("\"der\"", "\"dre\"");
        assert!(Vector::from_json(&misspelt).unwrap_err().to_string().contains("dre"));
    }
}
