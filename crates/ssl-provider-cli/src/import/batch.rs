//! Reads a batch: JSON lines or one array, entry by entry, so that a batch may be of any length.
//! An entry of the wrong type is passed on as such; only input that is not JSON ends the reading.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The JSON of an entry or of one of its fields, of any type.
pub(super) type Json = RawValue;

/// The fields of an entry by their names.
pub(super) type Object<'a> = BTreeMap<String, &'a Json>;

/// Returns the fields of an entry; the error is the type of an entry that is no object, in words.
pub(super) fn object(entry: &Json) -> Result<Object<'_>, &'static str> {
    parse(entry)
}

/// Returns the string of a field, none if it is absent or null; the error is its type in words.
pub(super) fn text(object: &Object<'_>, field: &str) -> Result<Option<String>, &'static str> {
    object.get(field).map_or(Ok(None), |value| parse(value))
}

/// Parses a value; the error is its type in words, or that it has surrogates without a partner.
fn parse<'a, T: Deserialize<'a>>(value: &'a Json) -> Result<T, &'static str> {
    serde_json::from_str(value.get())
        .map_err(|error| if error.is_data() { kind(value) } else { "text that is not Unicode" })
}

/// Returns the type of a value, in words.
fn kind(value: &Json) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Why the reading ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The input cannot be read.
    #[error("cannot read: {0}")]
    Unreadable(io::Error),
    /// The input is not JSON from this position on.
    #[error("line {line} column {column}: not JSON: {what}")]
    NotJson { line: usize, column: usize, what: String },
}

/// Reads entries and passes each to `take`, until that breaks or the input ends.
pub(super) fn read(
    input: impl Read,
    mut take: impl FnMut(&Json) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let mut input = BufReader::new(input);
    let start = Start::skip(&mut input).map_err(Fault::Unreadable)?;
    let budget = Rc::new(Cell::new(MAX_ENTRY_LEN));
    let limited = Limited { input, left: Rc::clone(&budget) };
    let mut json = serde_json::Deserializer::from_reader(limited);
    if start.is_array {
        let mut stopped = false;
        let entries = Entries { take: &mut take, stopped: &mut stopped, budget: &budget };
        let read = json.deserialize_seq(entries).and_then(|()| json.end());
        return match read {
            Err(error) if !stopped => Err(start.fault(error)),
            _ => Ok(()),
        };
    }
    for entry in json.into_iter::<Box<Json>>() {
        budget.set(MAX_ENTRY_LEN);
        match entry {
            Err(error) => return Err(start.fault(error)),
            Ok(entry) => {
                if take(&entry).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The position of the first entry: after white space, which is skipped, and perhaps a bracket.
struct Start {
    lines: usize,
    columns: usize,
    is_array: bool,
}

impl Start {
    fn skip(input: &mut impl BufRead) -> io::Result<Self> {
        let mut start = Self { lines: 0, columns: 0, is_array: false };
        // Some editors write a byte order mark.
        if input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
            input.consume(3);
        }
        loop {
            match input.fill_buf()?.first() {
                Some(b'\n') => (start.lines, start.columns) = (start.lines + 1, 0),
                Some(b' ' | b'\t' | b'\r') => start.columns += 1,
                next => {
                    start.is_array = next == Some(&b'[');
                    return Ok(start);
                }
            }
            input.consume(1);
        }
    }

    /// Converts an error, with its position counted from the start of the input.
    fn fault(&self, error: serde_json::Error) -> Fault {
        if error.is_io() {
            return Fault::Unreadable(error.into());
        }
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        let column = if line <= 1 { column + self.columns } else { column };
        Fault::NotJson { line: line + self.lines, column, what }
    }
}

/// The entries of an array, each passed on before the next is read.
struct Entries<'a, F> {
    take: &'a mut F,
    stopped: &'a mut bool,
    budget: &'a Cell<usize>,
}

impl<'de, F: FnMut(&Json) -> ControlFlow<()>> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of exchanges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(entry) = entries.next_element::<Box<Json>>()? {
            self.budget.set(MAX_ENTRY_LEN);
            if (self.take)(&entry).is_break() {
                *self.stopped = true;
                return Err(A::Error::custom("no more entries are wanted"));
            }
        }
        Ok(())
    }
}

/// Input that fails if one entry is longer than any exchange.
struct Limited<R> {
    input: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.left.get());
        if len == 0 && !buffer.is_empty() {
            return Err(io::Error::other("an entry is longer than the limit of 16 MiB"));
        }
        let read = self.input.read(&mut buffer[..len])?;
        self.left.set(self.left.get().saturating_sub(read));
        Ok(read)
    }
}

/// Most bytes of JSON in one entry. Entries may carry much else, such as the records of a session.
const MAX_ENTRY_LEN: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the version field of every entry, or the type of the value in its place, and the
    /// error at the end.
    fn versions(input: &str) -> (Vec<String>, Option<String>) {
        let mut versions = Vec::new();
        let read = read(input.as_bytes(), |entry| {
            let version = object(entry).and_then(|object| text(&object, "version"));
            versions.push(match version {
                Ok(text) => text.unwrap_or("absent".to_owned()),
                Err(kind) => kind.to_owned(),
            });
            ControlFlow::Continue(())
        });
        (versions, read.err().map(|fault| fault.to_string()))
    }

    #[test]
    fn lines_and_arrays_give_the_same_entries() {
        let expected = ["0301", "0302", "absent"].map(str::to_owned).to_vec();
        let entries = ["{\"version\":\"0301\"}", "{\"x\":[1],\"version\":\"0302\"}", "{}"];
        assert_eq!(versions(&entries.join("\n")), (expected.clone(), None));
        assert_eq!(versions(&entries.join("\r\n\r\n")), (expected.clone(), None));
        let array = format!("\u{feff} \n[{}]\n", entries.join(",\n"));
        assert_eq!(versions(&array), (expected, None));
        assert_eq!(versions(""), (vec![], None));
        assert_eq!(versions(" [ ] "), (vec![], None));
    }

    #[test]
    fn wrong_types_are_handed_on_and_the_rest_is_read() {
        let input = "[5, null, [[1],{}], \"x\", true, -1.5, {\"version\":7}, {\"version\":{}}, \
                     {\"version\":null}, {\"version\":\"0303\"}, {\"version\":\"\\ud800\"}, \
                     {\"\\ud800\":1}]";
        let expected = [
            "a number",
            "null",
            "an array",
            "a string",
            "true or false",
            "a number",
            "a number",
            "an object",
            "absent",
            "0303",
            "text that is not Unicode",
            "text that is not Unicode",
        ];
        assert_eq!(versions(input), (expected.map(str::to_owned).to_vec(), None));
    }

    #[test]
    fn what_is_not_json_is_placed_after_the_entries_before_it() {
        let (entries, fault) = versions("{}\n{\"version\": oops}");
        assert_eq!(entries, ["absent"]);
        let fault = fault.unwrap();
        assert!(fault.contains("line 2 column 13"), "{fault}");

        let (entries, fault) = versions("\n\n  [{},\n }");
        assert_eq!(entries, ["absent"]);
        assert!(fault.unwrap().contains("line 4 column 2"));

        assert!(versions("[{}").1.unwrap().contains("EOF"));
        assert!(versions("[{}] x").1.unwrap().contains("trailing"));
        assert!(versions(&"[".repeat(100_000)).1.unwrap().contains("EOF"));
        assert!(versions(&"{\"key\":".repeat(100_000)).1.unwrap().contains("EOF"));
    }

    #[test]
    fn an_entry_without_end_is_given_up() {
        let endless = io::repeat(b'x');
        let fault = read((&b"[{\"version\":\""[..]).chain(endless), |_| ControlFlow::Continue(()));
        assert!(fault.unwrap_err().to_string().contains("16 MiB"));
    }

    #[test]
    fn reading_stops_when_no_more_is_wanted() {
        for input in ["[{},{},oops", "{}\n{}\noops"] {
            let mut taken = 0;
            let read = read(input.as_bytes(), |_| {
                taken += 1;
                if taken == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(read.is_ok() && taken == 2, "{input}");
        }
    }
}
