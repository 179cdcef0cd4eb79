//! Machine code as text: functions and instructions of objdump's disassembly, and of the assembly
//! that rustc writes.

use std::fmt;
use std::path::Path;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instruction<'a> {
    pub(crate) mnemonic: &'a str,
    pub(crate) operands: &'a str,
    /// The symbol that objdump found behind an address.
    pub(crate) symbol: Option<&'a str>,
}

/// Disassembles a library with objdump.
///
/// # Errors
///
/// Fails when objdump is missing or fails.
pub(crate) fn disassemble(workspace: &Workspace, library: &Path) -> Result<String> {
    Run::new("objdump")
        .args(["--disassemble", "--demangle", "--no-show-raw-insn", "--wide"])
        .args([library])
        .read(workspace)
}

/// The name in a line of objdump such as `0000000000000000 <name>:`.
pub(crate) fn function_name(line: &str) -> Option<&str> {
    let (address, name) = line.split_once(" <")?;
    let name = name.strip_suffix(">:")?;
    is_hexadecimal(address).then_some(name)
}

/// The address and the instruction in a line of objdump such as
/// `  1f:\tvpandq 0x0(%rip),%zmm0,%zmm8        # 29 <name>`.
pub(crate) fn instruction(line: &str) -> Option<(&str, Instruction<'_>)> {
    let (address, text) = line.split_once(":\t")?;
    let address = address.trim();
    let symbol = text.rsplit_once(" <").and_then(|(_, name)| name.trim_end().strip_suffix('>'));
    let text = text.split('#').next().unwrap_or(text).trim();
    is_hexadecimal(address).then_some((address, parse(text, symbol)))
}

/// A mnemonic and its operands, without prefixes.
pub(crate) fn parse<'a>(text: &'a str, symbol: Option<&'a str>) -> Instruction<'a> {
    let (mnemonic, operands) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    Instruction { mnemonic, operands: operands.trim(), symbol }
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The path in a mangled name such as `_ZN4core3mem4swap17h0123456789abcdefE`; any other name as
/// it is.
pub(crate) fn demangled(name: &str) -> String {
    let Some(mut rest) = name.strip_prefix("_ZN") else { return name.to_owned() };
    let mut words = Vec::new();
    while let Some(end) = rest.find(|letter: char| !letter.is_ascii_digit()) {
        let Ok(len) = rest[..end].parse::<usize>() else { break };
        let Some(word) = rest.get(end..end + len) else { break };
        words.push(word);
        rest = &rest[end + len..];
    }
    // The last one is a hash.
    words.pop();
    words.join("::")
}

impl<'a> Instruction<'a> {
    /// The operands. Those in memory and lists of registers have commas of their own.
    pub(crate) fn operands(&self) -> Vec<&'a str> {
        let mut depth = 0;
        let split = self.operands.split(|letter| {
            match letter {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
            letter == ',' && depth == 0
        });
        split.map(str::trim).filter(|operand| !operand.is_empty()).collect()
    }
}

impl fmt::Display for Instruction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.mnemonic, self.operands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_operands_are_read() {
        assert_eq!(function_name("0000000000001f20 <a::b<c>>:"), Some("a::b<c>"));
        assert_eq!(function_name("Disassembly of section <x>:"), None);
        let line = "  1f:\tvpandq 0x8(%rax,%rcx,1),%zmm0,%zmm8        # 29 <name>";
        let (address, instruction) = instruction(line).unwrap();
        assert_eq!((address, instruction.mnemonic), ("1f", "vpandq"));
        assert_eq!(instruction.operands(), ["0x8(%rax,%rcx,1)", "%zmm0", "%zmm8"]);
        assert_eq!(instruction.symbol, Some("name"));
        let stored = parse("stp\tx0, x1, [sp, #16]", None);
        assert_eq!(stored.operands(), ["x0", "x1", "[sp, #16]"]);
    }
}
