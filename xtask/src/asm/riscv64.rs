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
        let name = instruction.mnemonic;
        let operands = instruction.operands();
        let label = || operands.last().copied().unwrap_or("").to_owned();
        let registers = || operands.iter().filter_map(|it| register(it)).collect::<Vec<_>>();
        match name {
            "ret" | "unimp" | "ebreak" => return Effect { step: Step::End, ..Effect::default() },
            "nop" | "fence" => return Effect::default(),
            "j" | "tail" => return Effect { step: Step::Jump(label()), ..Effect::default() },
            "call" => return Effect { step: Step::Call(label()), ..Effect::default() },
            "jr" => return Effect { step: Step::Indirect, ..Effect::default() },
            "jalr" | "jal" => return Effect { step: Step::Call(label()), ..Effect::default() },
            _ if name.starts_with('b') && operands.last().is_some_and(|it| it.starts_with('.')) => {
                return Effect {
                    reads: registers(),
                    step: Step::Branch(label()),
                    ..Effect::default()
                };
            }
            _ => {}
        }
        let loads = ["lb", "lbu", "lh", "lhu", "lw", "lwu", "ld", "flw", "fld"].contains(&name);
        let stores = ["sb", "sh", "sw", "sd", "fsw", "fsd"].contains(&name);
        if loads || stores {
            let access = if loads { Access::Load } else { Access::Store };
            let value = operands.first().and_then(|it| register(it)).into_iter().collect();
            let (reads, writes) = if loads { (vec![], value) } else { (value, vec![]) };
            let memory = operands.get(1).map(|it| memory(it, access));
            return Effect { reads, writes, memory, ..Effect::default() };
        }
        let divides = name.starts_with("div") || name.starts_with("rem");
        Effect {
            reads: operands.iter().skip(1).filter_map(|it| register(it)).collect(),
            writes: operands.first().and_then(|it| register(it)).into_iter().collect(),
            kind: if divides { Kind::Division } else { Kind::Plain },
            ..Effect::default()
        }
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
