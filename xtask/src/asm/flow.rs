//! Taint analysis of a function: follows secrets from its secret arguments and from everything that
//! it reads from memory, through registers and flags, to what must not depend on them.
//!
//! Public are the other arguments, constants, and what the function itself has saved on its stack.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, ensure};

use crate::disassembly::{Instruction, demangled};

/// How much is known of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taint {
    /// The same in every call. On the stack it is the first content of a variable, which a secret
    /// may replace through a pointer; so it is not trusted when it is read again.
    Constant,
    Public,
    /// Public, and computed from the stack pointer: what is stored there may replace any word of
    /// this function's stack.
    Frame,
    Secret,
}

/// What an instruction does.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Registers and flags that it computes with.
    pub(super) reads: Vec<&'static str>,
    /// Those that it sets.
    pub(super) writes: Vec<&'static str>,
    /// The memory that it reads, writes or fetches in advance.
    pub(super) memory: Option<Memory>,
    pub(super) step: Step,
    /// What it is besides, of which something must not be secret.
    pub(super) kind: Kind,
    /// It sets the same whatever it reads.
    pub(super) is_constant: bool,
    /// It loads the address of this function.
    pub(super) function: Option<String>,
}

impl From<Step> for Effect {
    fn from(step: Step) -> Self {
        Self { step, ..Self::default() }
    }
}

impl Effect {
    /// A conditional jump on what these registers or flags hold.
    pub(super) fn branch(reads: Vec<&'static str>, label: &str) -> Self {
        Self { reads, ..Step::Branch(label.to_owned()).into() }
    }
}

/// An access to memory.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// The registers of which the address is made.
    pub(super) address: Vec<&'static str>,
    pub(super) access: Access,
    /// What is there.
    pub(super) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
    Both,
    Prefetch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// So many bytes from the stack pointer.
    Stack(i64),
    /// A constant of the program, or the address of one.
    Static,
    Elsewhere,
}

/// What comes next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Step {
    #[default]
    Next,
    /// One or the other.
    Branch(String),
    Jump(String),
    /// To an address in a register.
    Indirect,
    Call(String),
    /// Of what this register has the address.
    CallBy(&'static str),
    End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Plain,
    Division,
    /// A conditional move.
    Select,
}

/// A processor.
pub(super) trait Isa {
    /// Registers of arguments, in order.
    const ARGUMENTS: &'static [&'static str];
    /// The register with the place of a result in memory; `None` if it is the first argument.
    const RESULT: Option<&'static str>;
    const STACK_POINTER: &'static str;
    /// What a call may change.
    const CLOBBERED: &'static [&'static str];

    fn effect(instruction: &Instruction<'_>) -> Effect;
}

/// Something that depends on a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    Branch,
    Address,
    ConditionalLoad,
    Division,
    Call,
    Indirect,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Branch => "a branch on a secret",
            Self::Address => "an address that depends on a secret: a look-up or a chosen pointer",
            Self::ConditionalLoad => "a conditional move from memory on a secret",
            Self::Division => "a division of or by a secret, whose time depends on it",
            Self::Call => "a call of what is not checked here",
            Self::Indirect => "a jump to an address in a register",
        })
    }
}

/// A function: its instructions, and the names of places in it.
#[derive(Debug, Default)]
pub(super) struct Function<'a> {
    pub(super) name: String,
    pub(super) instructions: Vec<Instruction<'a>>,
    pub(super) labels: BTreeMap<&'a str, usize>,
}

/// What is known before an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Others are public.
    registers: BTreeMap<&'static str, Taint>,
    /// Words on the stack that are public, addresses of the stack among them; others are secret.
    public_slots: BTreeMap<i64, Taint>,
    /// Registers with the address of a function.
    functions: BTreeMap<&'static str, String>,
}

/// Calls that copy or set memory: the arguments that say where and how much. The compiler makes
/// them out of loops.
const MEMORY_CALLS: [(&str, &[usize]); 3] =
    [("memcpy", &[0, 1, 2]), ("memmove", &[0, 1, 2]), ("memset", &[0, 2])];

/// Calls that do not return: they panic, for which a branch has to be on something public.
const PANICS: [&str; 4] = [
    "core::panicking::",
    "core::slice::index::",
    "core::option::unwrap_failed",
    "core::slice::copy_from_slice_impl::len_mismatch_fail",
];

/// Calls that wipe memory.
const WIPES: &str = "zeroize::";

/// Finds what depends on secrets in a function whose arguments with these numbers are secret.
///
/// # Errors
///
/// Names a secret argument that the function never reads: then the convention of calls is another
/// than is thought here, and nothing would be found.
pub(super) fn findings<'a, I: Isa>(
    function: &Function<'a>,
    secret_arguments: &[usize],
    result_in_memory: bool,
) -> Result<BTreeMap<usize, (Rule, Instruction<'a>)>> {
    let effects: Vec<Effect> = function.instructions.iter().map(I::effect).collect();
    // The place of the result takes the register of the first argument where it has none of its
    // own. Functions that only one crate calls do without that of their own.
    let has_own = I::RESULT.is_some_and(|register| is_argument(&effects, register));
    let shift = usize::from(result_in_memory && !has_own);
    let mut entry = State::default();
    entry.registers.insert(I::STACK_POINTER, Taint::Frame);
    for place in secret_arguments {
        let register = I::ARGUMENTS[place + shift];
        ensure!(
            is_argument(&effects, register),
            "{}: argument {place} was expected in {register}, which is not read",
            function.name
        );
        entry.registers.insert(register, Taint::Secret);
    }
    let mut before: Vec<Option<State>> = vec![None; effects.len()];
    let mut worklist = vec![(0, entry)];
    let mut found = BTreeMap::new();
    while let Some((place, state)) = worklist.pop() {
        let Some(known) = before.get_mut(place) else { continue };
        let joined = known.as_ref().map_or_else(|| state.clone(), |known| known.join(&state));
        if known.as_ref() == Some(&joined) {
            continue;
        }
        *known = Some(joined.clone());
        let effect = &effects[place];
        if let Some(rule) = joined.rule::<I>(effect) {
            found.insert(place, (rule, function.instructions[place]));
        }
        let after = joined.after::<I>(effect);
        let target = |label: &String| function.labels.get(label.as_str()).copied();
        match &effect.step {
            Step::Next => worklist.push((place + 1, after)),
            Step::Branch(label) => {
                worklist.push((place + 1, after.clone()));
                worklist.extend(target(label).map(|target| (target, after)));
            }
            Step::Jump(label) => worklist.extend(target(label).map(|target| (target, after))),
            Step::Call(name) if is_panic(&demangled(name)) => {}
            Step::Call(_) | Step::CallBy(_) => worklist.push((place + 1, after)),
            Step::Indirect | Step::End => {}
        }
        // A jump out of the function is a call that returns to the caller.
        if let Step::Jump(label) | Step::Branch(label) = &effect.step
            && target(label).is_none()
            && joined.breaks_call::<I>(label)
        {
            found.insert(place, (Rule::Call, function.instructions[place]));
        }
    }
    Ok(found)
}

/// Whether the caller sets a register: in the order of the code, it is read before it is written.
fn is_argument(effects: &[Effect], register: &str) -> bool {
    let reads = |effect: &Effect| {
        let address = effect.memory.iter().flat_map(|memory| &memory.address);
        effect.reads.iter().chain(address).any(|read| *read == register)
    };
    let first = effects.iter().find(|it| reads(it) || it.writes.contains(&register));
    first.is_some_and(reads)
}

fn is_panic(name: &str) -> bool {
    PANICS.iter().any(|known| name.contains(known))
}

impl State {
    fn taint_of(&self, register: &str) -> Taint {
        self.registers.get(register).copied().unwrap_or(Taint::Public)
    }

    fn any_secret(&self, registers: &[&str]) -> bool {
        self.has_any(registers, Taint::Secret)
    }

    fn has_any(&self, registers: &[&str], taint: Taint) -> bool {
        registers.iter().any(|register| self.taint_of(register) == taint)
    }

    fn join(&self, other: &Self) -> Self {
        let names = self.registers.keys().chain(other.registers.keys());
        Self {
            registers: names
                .map(|name| (*name, self.taint_of(name).max(other.taint_of(name))))
                .collect(),
            public_slots: self
                .public_slots
                .iter()
                .filter_map(|(slot, taint)| {
                    Some((*slot, *taint.max(other.public_slots.get(slot)?)))
                })
                .collect(),
            functions: self
                .functions
                .iter()
                .filter(|(register, name)| other.functions.get(*register) == Some(name))
                .map(|(register, name)| (*register, name.clone()))
                .collect(),
        }
    }

    /// The rule that an instruction breaks.
    fn rule<I: Isa>(&self, effect: &Effect) -> Option<Rule> {
        let memory = effect.memory.as_ref();
        if memory.is_some_and(|memory| self.any_secret(&memory.address)) {
            return Some(Rule::Address);
        }
        let loads = memory.map(|memory| self.loaded(memory)) == Some(Taint::Secret);
        let reads_secret = self.any_secret(&effect.reads);
        match (effect.kind, &effect.step) {
            (Kind::Division, _) if reads_secret || loads => Some(Rule::Division),
            (Kind::Select, _) if reads_secret && memory.is_some() => Some(Rule::ConditionalLoad),
            (_, Step::Branch(_)) if reads_secret => Some(Rule::Branch),
            (_, Step::Indirect) => Some(Rule::Indirect),
            (_, Step::Call(name)) if self.breaks_call::<I>(name) => Some(Rule::Call),
            (_, Step::CallBy(register)) => {
                let name = self.functions.get(register);
                name.is_none_or(|name| self.breaks_call::<I>(name)).then_some(Rule::Call)
            }
            _ => None,
        }
    }

    /// Whether a function must not be called, or not with these arguments.
    fn breaks_call<I: Isa>(&self, name: &str) -> bool {
        let name = demangled(name);
        match MEMORY_CALLS.iter().find(|(known, _)| name.contains(known)) {
            Some((_, places)) => {
                let public: Vec<_> = places.iter().map(|place| I::ARGUMENTS[*place]).collect();
                self.any_secret(&public)
            }
            None => !is_panic(&name) && !name.contains(WIPES),
        }
    }

    /// How much is known of what is loaded from memory.
    fn loaded(&self, memory: &Memory) -> Taint {
        match (memory.access, memory.place) {
            (Access::Store | Access::Prefetch, _) => Taint::Constant,
            (_, Place::Static) => Taint::Public,
            (_, Place::Stack(offset)) => {
                self.public_slots.get(&offset).copied().unwrap_or(Taint::Secret)
            }
            (_, Place::Elsewhere) => Taint::Secret,
        }
    }

    /// What is known after an instruction.
    fn after<I: Isa>(&self, effect: &Effect) -> Self {
        let mut after = self.clone();
        let mut value =
            effect.reads.iter().map(|it| self.taint_of(it)).max().unwrap_or(Taint::Constant);
        if let Some(memory) = &effect.memory {
            value = value.max(self.loaded(memory));
            let is_public = matches!(value, Taint::Public | Taint::Frame);
            match (memory.access, memory.place) {
                (Access::Store | Access::Both, Place::Stack(offset)) => {
                    // What overlaps is no longer what it was; the longest store has 64 bytes.
                    after
                        .public_slots
                        .retain(|slot, _| *slot + 8 <= offset || *slot >= offset + 64);
                    if is_public {
                        after.public_slots.insert(offset, value);
                    }
                }
                // By a frame pointer or another copy of the stack pointer: where is not known here.
                (Access::Store | Access::Both, Place::Elsewhere)
                    if !is_public && self.has_any(&memory.address, Taint::Frame) =>
                {
                    after.public_slots.clear();
                }
                _ => {}
            }
        }
        if effect.is_constant {
            value = Taint::Constant;
        }
        for register in &effect.writes {
            after.registers.insert(register, value);
            after.functions.remove(register);
            if let Some(function) = &effect.function {
                after.functions.insert(register, function.clone());
            }
            if *register == I::STACK_POINTER {
                // Places on the stack are counted from there.
                after.registers.insert(register, Taint::Frame);
                after.public_slots.clear();
            }
        }
        if matches!(effect.step, Step::Call(_) | Step::CallBy(_)) {
            // Of the calls that are allowed, each writes where its first argument says.
            if self.taint_of(I::ARGUMENTS[0]) == Taint::Frame {
                after.public_slots.clear();
            }
            for register in I::CLOBBERED {
                after.registers.insert(register, Taint::Public);
                after.functions.remove(register);
            }
        }
        after
    }
}
