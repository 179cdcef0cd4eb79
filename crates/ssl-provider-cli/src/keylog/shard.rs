//! Part of the work: `--shard i/n` takes every n-th connection, so that n runs do all of it.
//! Connections are counted in the order in which they end, which is the same in every run.

use std::str::FromStr;

/// One of several equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// All of the work.
    pub(super) const ALL: Self = Self { index: 1, count: 1 };

    /// Whether the connection with this number, counted from zero, is of this part.
    pub(super) fn takes(self, number: u64) -> bool {
        number % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = || {
            let (index, count) = text.split_once('/')?;
            let (index, count) = (index.parse().ok()?, count.parse().ok()?);
            (1..=count).contains(&index).then_some(Self { index, count })
        };
        part().ok_or_else(|| "expected i/n with 1 <= i <= n, such as 2/4".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole_without_overlap() {
        let shards: Vec<Shard> = (1..=3).map(|i| format!("{i}/3").parse().unwrap()).collect();
        for number in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.takes(number)).count(), 1);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3", "0/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
