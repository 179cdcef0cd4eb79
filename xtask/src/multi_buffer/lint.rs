//! Searches the machine code of the kernels of multi-buffer RSA for what depends on data: valgrind
//! supports neither AVX-512 nor AVX-IFMA, so `cargo xtask ctgrind` runs plain Rust in their place.

use std::fmt;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::disassembly::{Instruction, disassemble, function_name, instruction};
use crate::workspace::Workspace;

/// The library that has the kernels.
const PACKAGE: &str = "ssl-provider-multibuffer";

/// What the path of a kernel has: that of the crate, and one of the words.
const CRATE: &str = "ssl_provider_multibuffer::";
const KERNELS: [&str; 2] = ["::avx512", "::avx_ifma"];

/// Kernels that are found at least with each of the words: there is one for each kind of block.
const AT_LEAST: usize = 15;

/// Faults that are compiled and must be found, by the name of the function.
const PLANTED: [(&str, &[Rule]); 5] = [
    ("jump", &[Rule::Jump]),
    ("masked_memory", &[Rule::MaskedMemory]),
    ("masked_memory_of_halves", &[Rule::MaskedMemory]),
    ("mask_and_reveal", &[Rule::Mask, Rule::Reveal]),
    ("division", &[Rule::Division]),
];

/// Disassembles the release build and searches the kernels, after those with planted faults.
///
/// # Errors
///
/// Fails with the number of findings, after printing each, when there are too few kernels, and when
/// a planted fault is not found.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        println!("NOT CHECKED: the kernels: they are machine code of x86_64 only");
        return Ok(());
    }
    find_planted(workspace)?;
    Run::cargo("build").args(["--quiet", "--release", "--package", PACKAGE]).run(workspace)?;
    let library = format!("lib{}.rlib", PACKAGE.replace('-', "_"));
    let disassembly = disassemble(workspace, &workspace.target("release").join(library))?;
    let kernels = kernels(&disassembly);
    let found: Vec<_> = kernels.iter().flat_map(Function::findings).collect();
    for finding in &found {
        println!("{finding}");
    }
    let (count, instructions) =
        (kernels.len(), kernels.iter().map(|kernel| kernel.instructions.len()).sum::<usize>());
    ensure!(found.is_empty(), "{} findings in {count} kernels", found.len());
    for word in KERNELS {
        let found = kernels.iter().filter(|kernel| path(kernel.name).contains(word)).count();
        ensure!(found >= AT_LEAST, "expected {AT_LEAST} kernels `{word}` or more, found {found}");
    }
    println!("multi-buffer: {count} kernels, {instructions} instructions, nothing found");
    Ok(())
}

/// Compiles kernels with faults, which must all be found: compilers and objdump change.
fn find_planted(workspace: &Workspace) -> Result<()> {
    let directory = workspace.target("multi-buffer");
    fs::create_dir_all(&directory).context("cannot create the folder of planted faults")?;
    let library = directory.join("planted.rlib");
    Run::new("rustc")
        .args(["--edition", "2024", "-O", "--crate-type", "rlib"])
        .args(["--crate-name", CRATE.trim_end_matches(':'), "xtask/planted/kernels.rs", "-o"])
        .args([&library])
        .run(workspace)?;
    let disassembly = disassemble(workspace, &library)?;
    let kernels = kernels(&disassembly);
    for (name, rules) in PLANTED {
        let kernel = kernels.iter().find(|kernel| kernel.name.ends_with(&format!("::{name}")));
        let found = kernel.with_context(|| format!("the planted `{name}` is missing"))?.findings();
        for rule in rules {
            let is_found = found.iter().any(|finding| finding.rule == *rule);
            ensure!(is_found, "the planted fault in `{name}` was not found: {rule}");
        }
    }
    println!("multi-buffer: the faults in {} planted kernels are found", PLANTED.len());
    Ok(())
}

/// A function of the disassembly.
#[derive(Debug)]
struct Function<'a> {
    name: &'a str,
    instructions: Vec<Instruction<'a>>,
}

/// Something that may depend on data.
#[derive(Debug, PartialEq, Eq)]
struct Finding<'a> {
    function: &'a str,
    instruction: String,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Jump,
    Gather,
    MaskedMemory,
    Mask,
    Reveal,
    Division,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jump => "a conditional jump that is not on a count",
            Self::Gather => "a memory access whose addresses are data",
            Self::MaskedMemory => "a memory access under a mask",
            Self::Mask => "a comparison of vectors into a mask",
            Self::Reveal => "a part of a vector in a general register, which can be branched on",
            Self::Division => "a division, whose time depends on the operands",
        })
    }
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.function, self.rule, self.instruction)
    }
}

/// Returns the kernels of a disassembly by objdump.
fn kernels(disassembly: &str) -> Vec<Function<'_>> {
    let mut kernels: Vec<Function<'_>> = Vec::new();
    let mut in_kernel = false;
    for line in disassembly.lines() {
        if let Some(name) = function_name(line) {
            let path = path(name);
            in_kernel = path.contains(CRATE) && KERNELS.iter().any(|word| path.contains(word));
            if in_kernel {
                kernels.push(Function { name, instructions: Vec::new() });
            }
        } else if let Some(kernel) = kernels.last_mut().filter(|_| in_kernel) {
            kernel.instructions.extend(instruction(line).map(|(_, instruction)| instruction));
        }
    }
    kernels
}

/// The path of a function or of the type that it belongs to, without what it is generic over.
fn path(name: &str) -> &str {
    let path = name.trim_start_matches('<');
    let path = path.split(" as ").next().unwrap_or(path);
    path.split('<').next().unwrap_or(path)
}

impl<'a> Function<'a> {
    fn findings(&self) -> Vec<Finding<'a>> {
        let found = self.instructions.iter().enumerate().filter_map(|(index, instruction)| {
            let rule = if instruction.is_conditional_jump() {
                (!self.is_counted(index)).then_some(Rule::Jump)
            } else {
                instruction.rule()
            };
            Some(Finding { function: self.name, instruction: instruction.to_string(), rule: rule? })
        });
        found.collect()
    }

    /// Whether the jump at `index` is on flags that general registers have set.
    fn is_counted(&self, index: usize) -> bool {
        let before = self.instructions[..index].iter().rev();
        let flags = before.into_iter().find(|instruction| !instruction.keeps_flags());
        flags.is_some_and(Instruction::counts)
    }
}

/// What an instruction is, in the syntax of AT&T: the destination is the last operand.
impl Instruction<'_> {
    fn is_conditional_jump(&self) -> bool {
        self.mnemonic.starts_with('j') && !self.mnemonic.starts_with("jmp")
    }

    /// Whether it leaves the flags as they are.
    fn keeps_flags(&self) -> bool {
        let name = self.mnemonic;
        let of_vectors = name.starts_with('v') && !name.starts_with("vptest");
        let compares = ["vtest", "vcomi", "vucomi"].iter().any(|prefix| name.starts_with(prefix));
        of_vectors && !compares
            || ["mov", "lea", "nop"].iter().any(|prefix| name.starts_with(prefix))
    }

    /// Whether it compares or changes a count, which is in a register or has been spilled to the
    /// stack.
    fn counts(&self) -> bool {
        let is_of = |stem: &str| {
            let suffix = self.mnemonic.strip_prefix(stem);
            suffix.is_some_and(|suffix| ["", "b", "w", "l", "q"].contains(&suffix))
        };
        let on_stack = |operand: &str| ["(%rsp)", "(%rbp)"].iter().any(|it| operand.ends_with(it));
        ["cmp", "test", "dec", "inc", "add", "sub"].into_iter().any(is_of)
            && self.operands().iter().all(|operand| !operand.contains('(') || on_stack(operand))
    }

    fn rule(&self) -> Option<Rule> {
        let name = self.mnemonic;
        let operands = self.operands();
        let (destination, _) = operands.last().map_or(("", ""), |last| split_mask(last));
        let in_memory = operands.iter().any(|operand| operand.contains('('));
        let masked = operands.iter().any(|operand| split_mask(operand).1.starts_with("{%k"));
        if name.contains("gather") || name.contains("scatter") {
            Some(Rule::Gather)
        } else if (in_memory && masked) || name.contains("maskmov") {
            Some(Rule::MaskedMemory)
        } else if name.starts_with('v') && is_mask(destination) {
            Some(Rule::Mask)
        } else if name.starts_with(['v', 'k']) && is_general(destination) {
            Some(Rule::Reveal)
        } else if name.starts_with("div") || name.starts_with("idiv") {
            Some(Rule::Division)
        } else {
            None
        }
    }
}

/// An operand, and what stands behind it in braces.
fn split_mask(operand: &str) -> (&str, &str) {
    operand.split_at(operand.find('{').unwrap_or(operand.len()))
}

fn is_mask(operand: &str) -> bool {
    operand.strip_prefix("%k").is_some_and(|number| number.parse::<u8>().is_ok())
}

fn is_general(operand: &str) -> bool {
    let vector = ["%xmm", "%ymm", "%zmm"].iter().any(|prefix| operand.starts_with(prefix));
    let memory = operand.contains('(');
    operand.starts_with('%') && !vector && !memory && !is_mask(operand)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disassembly with a kernel of these instructions, between functions that are none.
    fn with_kernel(instructions: &[&str]) -> String {
        let body = |lines: &[&str]| {
            let numbered = lines.iter().enumerate();
            numbered.map(|(at, line)| format!(" {at:3x}:\t{line}\n")).collect::<String>()
        };
        let bad = body(&["idiv   %rcx", "kortestw %k0,%k0", "je     0 <other>"]);
        let kernel = body(instructions);
        format!(
            "\nDisassembly of section .text.multiply:\n\n\
             0000000000000000 <ssl_provider_multibuffer::engine::decrypt>:\n{bad}\n\
             0000000000000000 <ssl_provider_multibuffer::vector::avx512::multiply>:\n{kernel}\n\
             0000000000000000 <other::avx512::multiply>:\n{bad}\n"
        )
    }

    fn rules(instructions: &[&str]) -> Vec<Rule> {
        let disassembly = with_kernel(instructions);
        let kernels = kernels(&disassembly);
        assert_eq!(kernels.len(), 1);
        assert_eq!(kernels[0].instructions.len(), instructions.len());
        kernels[0].findings().into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn arithmetic_in_counted_loops_is_taken() {
        let kernel = [
            "push   %rbp",
            "mov    $0x80,%al",
            "kmovw  %eax,%k1",
            "vpsrlq $0x38,%zmm0,%zmm8{%k1}",
            "vpaddq 0x0(%rip){1to8},%zmm14,%zmm14        # f6 <select+0xf6>",
            "vpmadd52luq -0x740(%rdi,%rax,1),%zmm14,%zmm31",
            "vmovdqa64 %zmm1,(%rsp,%rsi,1)",
            "vpbroadcastq %rcx,%zmm14",
            "vmovq  %xmm0,0x8(%rax)",
            "cmp    $0x7f40,%rax",
            "vpmadd52huq %zmm0,%zmm30,%zmm31",
            "lea    0x8(%rax),%rax",
            "jne    e0 <select+0xe0>",
            "decq   0x18(%rsp)",
            "jne    e0 <select+0xe0>",
            "test   %ecx,%ecx",
            "je     e0 <select+0xe0>",
            "jmp    e0 <select+0xe0>",
            "call   0 <memcpy>",
            "vzeroupper",
            "ret",
        ];
        assert_eq!(rules(&kernel), []);
    }

    #[test]
    fn every_planted_fault_is_found() {
        let jump = "jne    40 <multiply+0x40>";
        for (planted, rule) in [
            (&["vmovdqu64 (%rdi),%zmm0{%k1}{z}"][..], Rule::MaskedMemory),
            (&["vpaddq (%rdi,%rax,8),%zmm1,%zmm0{%k1}"], Rule::MaskedMemory),
            (&["vmovdqu64 %zmm0,(%rdi){%k1}"], Rule::MaskedMemory),
            (&["vpaddq (%rdi){1to8},%zmm1,%zmm0{%k2}"], Rule::MaskedMemory),
            (&["vpmaskmovq (%rdi),%ymm1,%ymm0"], Rule::MaskedMemory),
            (&["vpmaskmovq %ymm0,%ymm1,(%rdi)"], Rule::MaskedMemory),
            (&["vpgatherqq (%rdi,%zmm1,8),%zmm0{%k1}"], Rule::Gather),
            (&["vpscatterqq %zmm0,(%rdi,%zmm1,8){%k1}"], Rule::Gather),
            (&["vptestmq %zmm0,%zmm1,%k1"], Rule::Mask),
            (&["vpcmpltuq (%rdi),%zmm1,%k1"], Rule::Mask),
            (&["vpcmpeqq %zmm0,%zmm1,%k3{%k1}"], Rule::Mask),
            (&["vpmovq2m %zmm0,%k1"], Rule::Mask),
            (&["vmovq  %xmm0,%rax"], Rule::Reveal),
            (&["vpextrq $0x1,%xmm0,%rcx"], Rule::Reveal),
            (&["vpmovmskb %ymm0,%eax"], Rule::Reveal),
            (&["kmovw  %k1,%eax"], Rule::Reveal),
            (&["div    %rcx"], Rule::Division),
            (&["idivq  (%rdi)"], Rule::Division),
            (&["vptest %ymm0,%ymm0", jump], Rule::Jump),
            (&["kortestw %k0,%k1", jump], Rule::Jump),
            (&["ktestb %k0,%k1", "nop", jump], Rule::Jump),
            (&["vucomisd %xmm0,%xmm1", jump], Rule::Jump),
            (&["cmpq   $0x0,(%rdi)", jump], Rule::Jump),
            (&["cmp    %rax,(%rsp,%rdi,8)", jump], Rule::Jump),
            (&["and    %rax,%rcx", jump], Rule::Jump),
            (&["shr    %rcx", "jb     40 <multiply+0x40>"], Rule::Jump),
            (&[jump], Rule::Jump),
        ] {
            assert_eq!(rules(planted), [rule], "{planted:?}");
        }
    }

    #[test]
    fn kernels_are_known_by_their_path_and_not_by_what_others_are_generic_over() {
        let kernel = "ssl_provider_multibuffer::vector::x86_64::avx512::Avx512";
        assert_eq!(path(kernel), kernel);
        assert_eq!(
            path(&format!("<{kernel} as ssl_provider_multibuffer::Kernel>::select")),
            kernel
        );
        assert_eq!(path(&format!("<{kernel}<20>>::square")), kernel);
        assert_eq!(
            path(&format!("core::ptr::drop_in_place<{kernel}>")),
            "core::ptr::drop_in_place"
        );
    }

    #[test]
    fn a_finding_names_the_function_and_the_instruction() {
        let disassembly = with_kernel(&["vmovq  %xmm0,%rax"]);
        let finding = kernels(&disassembly)[0].findings().remove(0);
        let shown = "ssl_provider_multibuffer::vector::avx512::multiply: a part of a vector in a \
                     general register, which can be branched on: vmovq %xmm0,%rax";
        assert_eq!(finding.to_string(), shown);
    }
}
