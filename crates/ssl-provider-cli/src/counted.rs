//! Numbers with their nouns, in the singular and the plural.

/// A count with its noun, in the plural where it takes that.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_a_plural() {
        let texts = [0, 1, 2].map(|count| counted(count, "session"));
        assert_eq!(texts, ["0 sessions", "1 session", "2 sessions"]);
    }
}
