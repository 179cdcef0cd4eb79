//! Reports of memcheck, by the functions that they are in.

/// A report.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// Whether it is a branch; else it is an address, or what the kernel was given.
    pub(super) branch: bool,
    /// The innermost function first.
    pub(super) frames: Vec<Frame>,
}

/// A function in a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its last name, without what is in angle brackets.
    pub(super) function: String,
    /// The path of its file, as far as memcheck tells; without debug information that of the
    /// program or library.
    pub(super) path: String,
}

impl Frame {
    /// The name of the file alone.
    pub(super) fn file(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Reads a line such as `   by 0x1234: rsa::f<T> (src/algorithms/rsa.rs:69)`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start();
        let (_, text) = text.strip_prefix("at ").or(text.strip_prefix("by "))?.split_once(": ")?;
        let (name, place) = text.rsplit_once(" (")?;
        let path = place.rsplit_once(':').map_or(place, |(path, _)| path);
        let path = path.trim_start_matches("in ").trim_end_matches(')');
        Some(Self { function: last_name(name), path: path.to_owned() })
    }
}

impl Report {
    /// All reports in what memcheck printed.
    pub(super) fn all(printed: &str) -> Vec<Self> {
        let mut reports: Vec<Self> = Vec::new();
        for line in printed.lines() {
            let Some((_, text)) = line.strip_prefix("==").and_then(|line| line.split_once("== "))
            else {
                continue;
            };
            if text.contains("ninitialised") {
                let branch = text.starts_with("Conditional jump");
                reports.push(Self { branch, frames: Vec::new() });
            } else if let (Some(frame), Some(report)) = (Frame::parse(text), reports.last_mut()) {
                report.frames.push(frame);
            }
        }
        reports
    }

    /// The innermost function that has a name and is not one of the standard library, of valgrind,
    /// or of the crates of choices and optional values in constant time.
    pub(super) fn own(&self) -> Frame {
        let is_helper = |frame: &&Frame| {
            let Frame { function, path } = frame;
            let is_optional = ["from", "into", "into_option", "unwrap"].contains(&&**function);
            path.starts_with("library/")
                || path.contains("vgpreload")
                || path.ends_with("ct_option.rs")
                || path == "src/choice.rs"
                || (is_optional && path == "src/lib.rs")
                || function == "UnknownInlinedFun"
        };
        self.frames.iter().find(|frame| !is_helper(frame)).cloned().unwrap_or_default()
    }

    /// Whether one of its functions has this name.
    pub(super) fn is_in(&self, function: &str) -> bool {
        self.frames.iter().any(|frame| frame.function == function)
    }
}

/// The last name of a path, without what is in angle brackets.
fn last_name(path: &str) -> String {
    let (mut depth, mut name) = (0_usize, String::new());
    for letter in path.replace("->", "").chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth > 0 => (),
            ':' => name.clear(),
            _ => name.push(letter),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two reports as memcheck writes them, shortened.
    const PRINTED: &str = "\
==7927== Conditional jump or move depends on uninitialised value(s)
==7927==    at 0x272269: expect<core::num::nonzero::NonZero<u32>> (library/core/src/option.rs:969)
==7927==    by 0x272269: shl_assign_limb_with_carry (shl.rs:246)
==7927==    by 0x28BFA3: crypto_bigint::boxed::BoxedMontyParams::new (monty_params.rs:238)
==7927==    by 0x244B24: rsa::algorithms::blinding::pow_mod_blinded (src/algorithms/blinding.rs:67)
==7927== 
==7927== Use of uninitialised value of size 8
==7927==    at 0x4A9B1C0: BN_num_bits (in /usr/lib/x86_64-linux-gnu/libcrypto.so.3)
==7927==    by 0x241015: rsa_decrypt<SysRng, PrivateKey> (src/algorithms/rsa.rs:121)
rustcrypto, secret key in 46 places, reports: 2
";

    #[test]
    fn reports_are_read_with_their_functions() {
        let reports = Report::all(PRINTED);
        assert_eq!([reports[0].branch, reports[1].branch], [true, false]);
        let own = reports[0].own();
        assert_eq!((own.function.as_str(), own.file()), ("shl_assign_limb_with_carry", "shl.rs"));
        assert!(reports[0].is_in("pow_mod_blinded") && !reports[1].is_in("pow_mod_blinded"));
        let of_library = reports[1].own();
        assert_eq!(
            (of_library.function.as_str(), of_library.file()),
            ("BN_num_bits", "libcrypto.so.3")
        );
        // Where the choice and the check of what it selected share an instruction.
        let choice = PRINTED.replace("library/core/src/option.rs:969", "src/choice.rs:371");
        assert_eq!(Report::all(&choice)[0].own(), own);
        assert_eq!(last_name("<T as U>::f<fn(A) -> B>"), "f");
    }
}
