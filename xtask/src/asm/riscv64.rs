//! What the instructions of riscv64gc do: the destination is the first operand.

use super::flow::{Access, Effect, Isa, Kind, Memory, Place, Step};
use crate::disassembly::Instruction;

#[derive(Debug)]
pub(super) struct Riscv64;

impl Isa for Riscv64 {
    const ARGUMENTS: &'static [&'static str] = &["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"];
    const RESULT: Option<&'static str> = None;
    const STACK_POINTER: &'static str = "sp";
    const CLOBBERED: &'static [&'static str] = &[
        "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
        "a7",
    ];

    fn effect(instruction: &Instruction<'_>) -> Effect {
        let operands = instruction.operands();
        control(instruction.mnemonic, &operands)
            .or_else(|| transfer(instruction.mnemonic, &operands))
            .unwrap_or_else(|| computation(instruction.mnemonic, &operands))
    }
}

/// The effect of a jump, a call or nothing.
fn control(name: &str, operands: &[&str]) -> Option<Effect> {
    let label = operands.last().copied().unwrap_or("");
    Some(match name {
        "ret" | "unimp" | "ebreak" => Step::End.into(),
        "nop" | "fence" => Effect::default(),
        "j" | "tail" => Step::Jump(label.to_owned()).into(),
        "call" | "jal" | "jalr" => Step::Call(label.to_owned()).into(),
        "jr" => Step::Indirect.into(),
        _ if name.starts_with('b') && label.starts_with('.') => {
            Effect::branch(operands.iter().filter_map(|it| register(it)).collect(), label)
        }
        _ => return None,
    })
}

/// The effect of a load or a store.
fn transfer(name: &str, operands: &[&str]) -> Option<Effect> {
    let value = operands.first().and_then(|it| register(it)).into_iter().collect();
    let (access, reads, writes) = match name {
        "lb" | "lbu" | "lh" | "lhu" | "lw" | "lwu" | "ld" | "flw" | "fld" => {
            (Access::Load, vec![], value)
        }
        "sb" | "sh" | "sw" | "sd" | "fsw" | "fsd" => (Access::Store, value, vec![]),
        _ => return None,
    };
    let memory = operands.get(1).map(|it| memory(it, access));
    Some(Effect { reads, writes, memory, ..Effect::default() })
}

fn computation(name: &str, operands: &[&str]) -> Effect {
    let divides = name.starts_with("div") || name.starts_with("rem");
    Effect {
        reads: operands.iter().skip(1).filter_map(|it| register(it)).collect(),
        writes: operands.first().and_then(|it| register(it)).into_iter().collect(),
        kind: if divides { Kind::Division } else { Kind::Plain },
        ..Effect::default()
    }
}

/// The memory of an operand such as `8(sp)`.
fn memory(operand: &str, access: Access) -> Memory {
    let (offset, inside) = operand.rsplit_once('(').unwrap_or((operand, ""));
    let address: Vec<_> = register(inside.trim_end_matches(')')).into_iter().collect();
    let place = match (&address[..], offset.parse()) {
        (["sp"], Ok(offset)) => Place::Stack(offset),
        _ if offset.starts_with('%') => Place::Static,
        _ => Place::Elsewhere,
    };
    Memory { address, access, place }
}

/// A register; none for zero and for constants.
fn register(operand: &str) -> Option<&'static str> {
    const NAMES: [&str; 31] = [
        "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
        "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5",
        "t6",
    ];
    const FLOATS: [&str; 3] = ["fa", "fs", "ft"];
    let name = operand.trim();
    if FLOATS.iter().any(|prefix| name.starts_with(prefix)) {
        // None is used here; all count as one.
        return Some("f");
    }
    NAMES.into_iter().find(|known| *known == name)
}
