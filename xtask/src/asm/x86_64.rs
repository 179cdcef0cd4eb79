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
        if PREFIXES.contains(&name) {
            return prefixed(instruction);
        }
        let operands = instruction.operands();
        if let Some(effect) = control(instruction, &operands) {
            return effect;
        }
        let mut effect = implicit(name, &operands).unwrap_or_else(|| computation(name, &operands));
        if name.starts_with("mov") && operands.first().is_some_and(|it| it.ends_with("(%rip)")) {
            effect.function = instruction.symbol.or(operands.first().copied()).map(str::to_owned);
        }
        effect
    }
}

const PREFIXES: [&str; 8] = ["lock", "rep", "repz", "repnz", "data16", "cs", "notrack", "bnd"];

/// The effect of what follows a prefix; repeated, it goes through memory.
fn prefixed(instruction: &Instruction<'_>) -> Effect {
    let inner = crate::disassembly::parse(instruction.operands, instruction.symbol);
    let mut effect = X86_64::effect(&inner);
    if instruction.mnemonic.starts_with("rep") && inner.mnemonic.len() > 3 {
        let address = vec!["rdi", "rsi", "rcx"];
        effect.writes.clone_from(&address);
        effect.memory = Some(Memory { address, access: Access::Both, place: Place::Elsewhere });
        effect.is_constant = true;
    }
    effect
}

/// The effect of a jump, a call or nothing.
fn control(instruction: &Instruction<'_>, operands: &[&str]) -> Option<Effect> {
    let (name, symbol) = (instruction.mnemonic, instruction.symbol);
    let label = operands.last().copied().unwrap_or("");
    let target = || target_of(instruction.operands);
    Some(match name {
        "ret" | "retq" | "ud2" | "hlt" | "int3" => Step::End.into(),
        "endbr64" | "vzeroupper" | "pause" => Effect::default(),
        "xchg" if operands.first() == operands.last() => Effect::default(),
        _ if name.starts_with("nop") => Effect::default(),
        "call" | "callq" => match label.strip_prefix('*').and_then(register) {
            Some(register) => Step::CallBy(register).into(),
            None => Step::Call(symbol.unwrap_or(label).to_owned()).into(),
        },
        "jmp" | "jmpq" => match label.strip_prefix('*') {
            Some(target) if target.contains("(%rip)") => {
                Step::Jump(symbol.unwrap_or(target).to_owned()).into()
            }
            Some(_) => Step::Indirect.into(),
            None => Step::Jump(target().to_owned()).into(),
        },
        _ if name.starts_with('j') => Effect::branch(flags_of(&name[1..]), target()),
        _ => return None,
    })
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

/// The effect of an instruction with operands that are not written: the stack, rax and rdx.
fn implicit(name: &str, operands: &[&str]) -> Option<Effect> {
    let writes = match name {
        "leave" | "leaveq" => vec!["rsp", "rbp"],
        "push" | "pushq" => vec!["rsp"],
        // What the caller had there.
        "pop" | "popq" => operands.iter().filter_map(|it| register(it)).chain(["rsp"]).collect(),
        "cltd" | "cqto" | "cdq" | "cqo" => {
            return Some(Effect { reads: vec!["rax"], writes: vec!["rdx"], ..Effect::default() });
        }
        "cltq" | "cdqe" | "cwtl" | "cbtw" => {
            return Some(Effect { reads: vec!["rax"], writes: vec!["rax"], ..Effect::default() });
        }
        _ => return None,
    };
    Some(Effect { writes, ..Effect::default() })
}

/// The effect of an instruction that computes.
fn computation(name: &str, operands: &[&str]) -> Effect {
    let mut effect = Effect::default();
    let starts_with_any = |prefixes: &[&str]| prefixes.iter().any(|it| name.starts_with(it));
    let (last, sources) =
        operands.split_last().map_or((None, &[][..]), |(it, rest)| (Some(*it), rest));
    for source in sources {
        if is_memory(source) {
            effect.memory = Some(memory(source, Access::Load));
        } else {
            effect.reads.extend(register(source));
        }
    }
    if name.starts_with("cmov") {
        effect.kind = Kind::Select;
        // The condition is followed by a length.
        effect.reads.extend([FLAGS, CARRY]);
    } else if let Some(condition) = name.strip_prefix("set") {
        effect.reads.extend(flags_of(condition));
    } else if starts_with_any(&["adc", "sbb", "rcl", "rcr"]) {
        effect.reads.push(CARRY);
    }
    let divides = starts_with_any(&["div", "idiv"]);
    let into_rax = operands.len() == 1 && (divides || starts_with_any(&["mul", "imul"]));
    if into_rax {
        // Of rdx and rax, into both.
        effect.reads.extend(["rax", "rdx"].iter().take(if divides { 2 } else { 1 }));
        effect.writes.extend(["rax", "rdx"]);
        if divides {
            effect.kind = Kind::Division;
        }
    }
    let moves =
        starts_with_any(&["mov", "lea", "cvt", "kmov", "vmov", "vbroadcast", "vpbroadcast"])
            || name.starts_with("pshufd");
    let compares = is_comparison(name);
    if let Some(last) = last {
        if is_memory(last) {
            let access = match () {
                () if name.starts_with("prefetch") => Access::Prefetch,
                () if compares || into_rax => Access::Load,
                () if moves => Access::Store,
                () => Access::Both,
            };
            effect.memory = Some(memory(last, access));
        } else if let Some(register) = register(last) {
            let is_whole = !is_part(last);
            let clears = sources == [last]
                && starts_with_any(&["xor", "sub", "pxor", "xorp", "pcmpeq", "psub"]);
            if clears && is_whole {
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
    if starts_with_any(&["xchg", "xadd"]) {
        effect.writes.extend(sources.iter().filter_map(|source| register(source)));
    }
    effect.writes.extend(flags_that_change(name, operands));
    effect
}

/// The flags that an instruction that computes sets.
fn flags_that_change(name: &str, operands: &[&str]) -> &'static [&'static str] {
    const KEEP: [&str; 8] = ["mov", "lea", "not", "cmov", "set", "bswap", "prefetch", "xchg"];
    const OF_BMI2: [&str; 7] = ["shlx", "shrx", "sarx", "rorx", "mulx", "pdep", "pext"];
    let of_vectors = operands.iter().any(|operand| operand.contains("mm"));
    if KEEP.iter().any(|prefix| name.starts_with(prefix))
        || OF_BMI2.contains(&name)
        || of_vectors && !is_comparison(name)
    {
        &[]
    } else if name.starts_with("inc") || name.starts_with("dec") {
        &[FLAGS]
    } else {
        &[FLAGS, CARRY]
    }
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
