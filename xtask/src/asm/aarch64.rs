//! What the instructions of aarch64 do: the destination is the first operand.

use super::flow::{Access, Effect, Isa, Kind, Memory, Place, Step};
use crate::disassembly::Instruction;

#[derive(Debug)]
pub(super) struct Aarch64;

const FLAGS: &str = "flags";

impl Isa for Aarch64 {
    const ARGUMENTS: &'static [&'static str] = &["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"];
    const RESULT: Option<&'static str> = Some("x8");
    const STACK_POINTER: &'static str = "sp";
    const CLOBBERED: &'static [&'static str] = &[
        "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
        "x14", "x15", "x16", "x17", "x18", "x30", FLAGS,
    ];

    fn effect(instruction: &Instruction<'_>) -> Effect {
        let name = instruction.mnemonic;
        let operands = instruction.operands();
        if let Some(effect) = control(name, &operands) {
            return effect;
        }
        let is_load = name.starts_with("ld");
        if is_load || name.starts_with("st") {
            transfer(&operands, is_load)
        } else {
            computation(name, &operands)
        }
    }
}

/// The effect of a jump, a call, a prefetch or nothing.
fn control(name: &str, operands: &[&str]) -> Option<Effect> {
    let label = operands.last().copied().unwrap_or("");
    Some(match name {
        "ret" | "brk" | "udf" => Step::End.into(),
        "nop" | "hint" | "bti" | "paciasp" | "autiasp" | "dmb" | "yield" => Effect::default(),
        "b" => Step::Jump(label.to_owned()).into(),
        "bl" => Step::Call(label.to_owned()).into(),
        "br" => Step::Indirect.into(),
        "blr" => Step::CallBy(operands.first().and_then(|it| register(it)).unwrap_or("sp")).into(),
        "cbz" | "cbnz" | "tbz" | "tbnz" => {
            Effect::branch(operands.iter().filter_map(|it| register(it)).collect(), label)
        }
        _ if name.starts_with("b.") => Effect::branch(vec![FLAGS], label),
        "prfm" | "prfum" => {
            let memory = operands.last().map(|it| memory(it, Access::Prefetch));
            Effect { memory, ..Effect::default() }
        }
        _ => return None,
    })
}

/// The effect of an instruction that computes.
fn computation(name: &str, operands: &[&str]) -> Effect {
    let starts_with_any = |prefixes: &[&str]| prefixes.iter().any(|it| name.starts_with(it));
    let compares = starts_with_any(&["cmp", "cmn", "tst", "ccmp", "ccmn", "fcmp"]);
    let selects = starts_with_any(&["cs", "cinc", "cinv", "cneg", "fcsel"]);
    // These change a part of the destination.
    let in_part =
        starts_with_any(&["movk", "bfi", "bfxil", "bfm", "ins", "mla", "mls", "bsl", "bit", "bif"])
            || name.ends_with('2')
            || operands.first().is_some_and(|it| it.contains('['));
    let (destination, sources) = match operands.split_first() {
        Some((first, sources)) if !compares => (register(first), sources),
        _ => (None, operands),
    };
    let mut effect = Effect::default();
    effect.reads.extend(sources.iter().filter_map(|it| register(it)));
    effect.writes.extend(destination);
    if in_part {
        effect.reads.extend(destination);
    }
    if selects || starts_with_any(&["adc", "sbc", "ngc", "ccm"]) {
        effect.reads.push(FLAGS);
    }
    let sets_flags = ["adds", "subs", "ands", "bics", "negs", "adcs", "sbcs", "ngcs"];
    if compares || sets_flags.contains(&name) {
        effect.writes.push(FLAGS);
    }
    effect.kind = match name {
        "udiv" | "sdiv" => Kind::Division,
        _ if selects => Kind::Select,
        _ => Kind::Plain,
    };
    effect
}

/// A load or a store: registers, a place, and perhaps a number that is added to its address.
fn transfer(operands: &[&str], is_load: bool) -> Effect {
    let mut effect = Effect::default();
    let access = if is_load { Access::Load } else { Access::Store };
    for operand in operands {
        if operand.starts_with('[') {
            let memory = memory(operand, access);
            // Before, as in `[sp, #-16]!`, or behind it, as in `[x0], #16`. Another base changes by
            // a constant, so it stays as public as it was.
            let changes = operand.ends_with('!') || operands.last() != Some(operand);
            if changes && memory.address.first() == Some(&"sp") {
                effect.writes.push("sp");
            }
            effect.memory = Some(memory);
        } else if effect.memory.is_none() {
            let inside = operand.trim_matches(['{', '}']);
            let registers = inside.split(',').filter_map(register);
            match is_load {
                true => effect.writes.extend(registers),
                false => effect.reads.extend(registers),
            }
        }
    }
    // Of a constant beside the code.
    if effect.memory.is_none() {
        let (address, place) = (Vec::new(), Place::Static);
        effect.memory = Some(Memory { address, access, place });
    }
    effect
}

/// The memory of an operand such as `[x0, w1, uxtw #2]`.
fn memory(operand: &str, access: Access) -> Memory {
    let inside = operand.trim_start_matches('[').trim_end_matches('!').trim_end_matches(']');
    let address: Vec<_> = inside.split(',').filter_map(register).collect();
    let offset = inside.split_once('#').map_or(Some(0), |(_, number)| number.parse().ok());
    let place = match (&address[..], offset) {
        (["sp"], Some(offset)) => Place::Stack(offset),
        _ if inside.contains(":lo12:") || inside.contains(":got_lo12:") => Place::Static,
        _ => Place::Elsewhere,
    };
    Memory { address, access, place }
}

/// The whole register of an operand such as `w1` or `v0.16b`; none for zero and for constants.
fn register(operand: &str) -> Option<&'static str> {
    const GENERAL: [&str; 31] = [
        "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
        "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
        "x27", "x28", "x29", "x30",
    ];
    const VECTORS: [&str; 32] = [
        "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
        "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
        "v27", "v28", "v29", "v30", "v31",
    ];
    let name = operand.trim().trim_matches(['{', '}']).trim();
    let name = name.split(['.', '[']).next().unwrap_or(name);
    if name == "sp" || name == "wsp" {
        return Some("sp");
    }
    let number = name.get(1..)?.parse::<usize>().ok()?;
    match name.chars().next()? {
        'x' | 'w' => GENERAL.get(number).copied(),
        'v' | 'q' | 'd' | 's' | 'h' | 'b' => VECTORS.get(number).copied(),
        _ => None,
    }
}
