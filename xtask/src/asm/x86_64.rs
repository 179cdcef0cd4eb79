//! What the instructions of x86-64 do, in the syntax of AT&T: the destination is the last operand.

use super::flow::{Access, Effect, Isa, Kind, Memory, Place, Step};
use crate::disassembly::Instruction;

#[derive(Debug)]
pub(super) struct X86_64;

/// Flags, but for the carry, which `inc` and `dec` leave as it is.
const FLAGS: &str = "flags";
const CARRY: &str = "carry";

impl Isa for X86_64 {
    const ARGUMENTS: &'static [&'static str] = &["rdi", "rsi", "rdx", "rcx", "r8", "r9"];
    const RESULT: Option<&'static str> = None;
    const STACK_POINTER: &'static str = "rsp";
    const CLOBBERED: &'static [&'static str] =
        &["rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", FLAGS, CARRY];

    fn effect(instruction: &Instruction<'_>) -> Effect {
        let name = instruction.mnemonic;
        if let Some(rest) = ["lock", "rep", "repz", "repnz", "data16", "cs", "notrack", "bnd"]
            .contains(&name)
            .then_some(instruction.operands)
        {
            let inner = crate::disassembly::parse(rest, instruction.symbol);
            let mut effect = Self::effect(&inner);
            if name.starts_with("rep") && inner.mnemonic.len() > 3 {
                let address = vec!["rdi", "rsi", "rcx"];
                let (access, place) = (Access::Both, Place::Elsewhere);
                effect.memory = Some(Memory { address, access, place });
                effect.writes = vec!["rdi", "rsi", "rcx"];
                effect.is_constant = true;
            }
            return effect;
        }
        let operands = instruction.operands();
        let label = || operands.last().copied().unwrap_or("");
        match name {
            "ret" | "retq" | "ud2" | "hlt" | "int3" => {
                return Effect { step: Step::End, ..Effect::default() };
            }
            "endbr64" | "vzeroupper" | "pause" | "leave" => return Effect::default(),
            _ if name.starts_with("nop")
                || name == "xchg" && operands.first() == operands.last() =>
            {
                return Effect::default();
            }
            "call" | "callq" => {
                let step = match label().strip_prefix('*').and_then(register) {
                    Some(register) => Step::CallBy(register),
                    None => Step::Call(instruction.symbol.unwrap_or(label()).to_owned()),
                };
                return Effect { step, ..Effect::default() };
            }
            "jmp" | "jmpq" => {
                let step = match (label().strip_prefix('*'), instruction.symbol) {
                    (Some(target), _) if target.contains("(%rip)") => {
                        Step::Jump(instruction.symbol.unwrap_or(target).to_owned())
                    }
                    (Some(_), _) => Step::Indirect,
                    (None, _) => Step::Jump(target_of(instruction.operands).to_owned()),
                };
                return Effect { step, ..Effect::default() };
            }
            _ if name.starts_with('j') => {
                return Effect {
                    reads: flags_of(&name[1..]),
                    step: Step::Branch(target_of(instruction.operands).to_owned()),
                    ..Effect::default()
                };
            }
            _ => {}
        }
        let mut effect = data(name, &operands);
        if name.starts_with("mov") && operands.first().is_some_and(|it| it.ends_with("(%rip)")) {
            effect.function = instruction.symbol.or(operands.first().copied()).map(str::to_owned);
        }
        effect
    }
}

/// The address in `1f20 <name+0x10>`, or the label.
fn target_of(operand: &str) -> &str {
    operand.split(' ').next().unwrap_or(operand)
}

/// The flags of a condition such as `ne`.
fn flags_of(condition: &str) -> Vec<&'static str> {
    match condition {
        "b" | "ae" | "nae" | "nb" | "c" | "nc" => vec![CARRY],
        "a" | "be" | "nbe" | "na" => vec![FLAGS, CARRY],
        _ => vec![FLAGS],
    }
}

/// The effect of an instruction that computes.
fn data(name: &str, operands: &[&str]) -> Effect {
    let mut effect = Effect::default();
    let is_prefetch = name.starts_with("prefetch");
    let (last, sources) =
        operands.split_last().map_or((None, &[][..]), |(it, rest)| (Some(*it), rest));
    for source in sources {
        if is_memory(source) {
            effect.memory = Some(memory(source, Access::Load));
        } else {
            effect.reads.extend(register(source));
        }
    }
    let of_vectors = operands.iter().any(|operand| operand.contains("mm"));
    let moves = ["mov", "lea", "cvt", "kmov", "vmov", "vbroadcast", "vpbroadcast", "pshufd"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    let compares = is_comparison(name);
    if name == "push" || name == "pushq" || name == "pop" || name == "popq" {
        let is_push = name.starts_with("push");
        let value: Vec<_> = last.into_iter().filter_map(register).collect();
        effect.writes.push("rsp");
        if !is_push {
            // What the caller had there.
            effect.writes.extend(value);
        }
        return effect;
    }
    if name.starts_with("cqto") || name.starts_with("cltd") || name == "cdq" || name == "cqo" {
        return Effect { reads: vec!["rax"], writes: vec!["rdx"], ..effect };
    }
    if ["cltq", "cdqe", "cwtl", "cbtw"].contains(&name) {
        return Effect { reads: vec!["rax"], writes: vec!["rax"], ..effect };
    }
    if name.starts_with("cmov") {
        effect.kind = Kind::Select;
        // The condition is followed by a length.
        effect.reads.extend([FLAGS, CARRY]);
    } else if let Some(condition) = name.strip_prefix("set") {
        effect.reads.extend(flags_of(condition));
    } else if ["adc", "sbb", "rcl", "rcr"].iter().any(|prefix| name.starts_with(prefix)) {
        effect.reads.push(CARRY);
    }
    let divides = name.starts_with("div") || name.starts_with("idiv");
    let multiplies = name.starts_with("mul") || name.starts_with("imul");
    let into_rax = operands.len() == 1 && (divides || multiplies);
    if into_rax {
        // Of rdx and rax, into both.
        effect.reads.extend(["rax", "rdx"].iter().take(if divides { 2 } else { 1 }));
        effect.writes.extend(["rax", "rdx"]);
        if divides {
            effect.kind = Kind::Division;
        }
    }
    if let Some(last) = last {
        if is_memory(last) {
            let access = match () {
                () if is_prefetch => Access::Prefetch,
                () if compares || into_rax => Access::Load,
                () if moves => Access::Store,
                () => Access::Both,
            };
            effect.memory = Some(memory(last, access));
        } else if let Some(register) = register(last) {
            let is_whole = !is_part(last);
            let same = sources.len() == 1 && sources[0] == last;
            let clears = ["xor", "sub", "pxor", "xorp", "pcmpeq", "psub"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            if same && clears && is_whole {
                effect.is_constant = true;
            } else if into_rax || compares || !moves || !is_whole {
                effect.reads.push(register);
            }
            if !compares && !into_rax {
                effect.writes.push(register);
            }
        }
    }
    if name.starts_with("lea") {
        // Only the address is computed.
        if let Some(memory) = effect.memory.take() {
            effect.reads.extend(memory.address);
        }
    }
    if name.starts_with("xchg") || name.starts_with("xadd") {
        effect.writes.extend(sources.iter().filter_map(|source| register(source)));
    }
    let keeps = ["mov", "lea", "not", "cmov", "set", "bswap", "prefetch", "xchg"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || ["shlx", "shrx", "sarx", "rorx", "mulx", "pdep", "pext"].contains(&name)
        || of_vectors && !compares;
    if !keeps {
        effect.writes.push(FLAGS);
        if !name.starts_with("inc") && !name.starts_with("dec") {
            effect.writes.push(CARRY);
        }
    }
    effect
}

/// Whether an instruction sets flags and nothing else. Others begin with the same letters and have
/// a destination: `bts`, and comparisons of vectors.
fn is_comparison(name: &str) -> bool {
    match name.trim_end_matches(['b', 'w', 'l', 'q']) {
        "cmp" | "test" | "bt" | "ptest" | "vptest" | "vtestps" | "vtestpd" => true,
        name => name.trim_start_matches('v').trim_start_matches('u').starts_with("comis"),
    }
}

fn is_memory(operand: &str) -> bool {
    operand.contains('(')
}

/// The memory of an operand such as `0x8(%rax,%rcx,4)`.
fn memory(operand: &str, access: Access) -> Memory {
    let (offset, inside) = operand.split_once('(').unwrap_or((operand, ""));
    let inside = inside.split(')').next().unwrap_or(inside);
    let address: Vec<_> = inside.split(',').filter_map(register).collect();
    let place = match (&address[..], number(offset)) {
        (["rsp"], Some(offset)) => Place::Stack(offset),
        ([], _) if inside.contains("%rip") => Place::Static,
        _ => Place::Elsewhere,
    };
    Memory { address, access, place }
}

/// A number in decimal, or in hexadecimal.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let number = match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None if digits.is_empty() => 0,
        None => digits.parse().ok()?,
    };
    Some(sign * number)
}

/// Whether an operand is the lower 8 or 16 bits of a register.
fn is_part(operand: &str) -> bool {
    let name = operand.trim_start_matches('%');
    match name.strip_prefix('r').filter(|rest| rest.starts_with(|it: char| it.is_ascii_digit())) {
        Some(numbered) => numbered.ends_with(['b', 'w']),
        None => !name.starts_with(['r', 'e', 'x', 'y', 'z', 'k']),
    }
}

/// The whole register of an operand such as `%eax`; none for a constant.
fn register(operand: &str) -> Option<&'static str> {
    const GENERAL: [(&str, [&str; 5]); 8] = [
        ("rax", ["rax", "eax", "ax", "al", "ah"]),
        ("rbx", ["rbx", "ebx", "bx", "bl", "bh"]),
        ("rcx", ["rcx", "ecx", "cx", "cl", "ch"]),
        ("rdx", ["rdx", "edx", "dx", "dl", "dh"]),
        ("rsi", ["rsi", "esi", "si", "sil", "sil"]),
        ("rdi", ["rdi", "edi", "di", "dil", "dil"]),
        ("rbp", ["rbp", "ebp", "bp", "bpl", "bpl"]),
        ("rsp", ["rsp", "esp", "sp", "spl", "spl"]),
    ];
    const NUMBERED: [&str; 8] = ["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
    const VECTORS: [&str; 32] = [
        "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
        "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
        "v27", "v28", "v29", "v30", "v31",
    ];
    const MASKS: [&str; 8] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"];
    let name = operand.trim().strip_prefix('%')?;
    let name = name.split('{').next().unwrap_or(name);
    let of = |names: &[&'static str], number: &str| -> Option<&'static str> {
        names.get(number.parse::<usize>().ok()?).copied()
    };
    if let Some((whole, _)) = GENERAL.iter().find(|(_, parts)| parts.contains(&name)) {
        return Some(whole);
    }
    for prefix in ["xmm", "ymm", "zmm"] {
        if let Some(number) = name.strip_prefix(prefix) {
            return of(&VECTORS, number);
        }
    }
    if let Some(number) = name.strip_prefix('k') {
        return of(&MASKS, number);
    }
    let number = name.strip_prefix('r')?.trim_end_matches(['d', 'w', 'b']);
    NUMBERED.get(number.parse::<usize>().ok()?.checked_sub(8)?).copied()
}
