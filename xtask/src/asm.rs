//! `cargo xtask asm`: follows secrets through the machine code of what works on them after the RSA
//! private operation and after the decryption of a record: the removal of both kinds of padding,
//! the extraction of a MAC, and masks. No branch, no address, no division may depend on one.
//!
//! It reads what rustc writes for x86-64, aarch64 and riscv64, and the shipped C library of x86-64.
//! On each of them, faults that are compiled with it must be found in the same run.

mod aarch64;
mod flow;
mod riscv64;
mod x86_64;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::asm::flow::{Function, Isa, Rule};
use crate::capi;
use crate::command::{Run, is_installed};
use crate::disassembly::{demangled, disassemble, function_name, instruction, parse};
use crate::workspace::Workspace;

/// What is checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask asm                                  every target, and the shipped C library
  cargo xtask asm --target riscv64gc-unknown-linux-gnu
  cargo xtask asm --allow-missing                  warns of targets that rustup cannot add")]
pub(crate) struct Options {
    /// Only this target; may be given several times.
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
    /// Skip targets whose standard library is absent and that rustup does not add, with a warning.
    #[arg(long)]
    allow_missing: bool,
}

/// A target: its name, and how its functions are searched.
struct Target {
    triple: &'static str,
    search: Search,
}

/// Finds what depends on secrets in one function of some machine code.
type Search = for<'a> fn(&Function<'a>, &Subject) -> Result<Vec<(Rule, String)>>;

const TARGETS: [Target; 3] = [
    Target { triple: X86_64, search: search::<x86_64::X86_64> },
    Target { triple: "aarch64-unknown-linux-gnu", search: search::<aarch64::Aarch64> },
    Target { triple: "riscv64gc-unknown-linux-gnu", search: search::<riscv64::Riscv64> },
];

const X86_64: &str = "x86_64-unknown-linux-gnu";

/// A function that works on secrets.
struct Subject {
    /// Its path.
    name: &'static str,
    /// The numbers of its arguments that are secret, a slice counted as two. What it reads from
    /// memory is secret anyway.
    secrets: &'static [usize],
    /// It returns its result in memory.
    result_in_memory: bool,
}

const fn subject(name: &'static str, secrets: &'static [usize]) -> Subject {
    Subject { name, secrets, result_in_memory: false }
}

const RECOVER_PREMASTER: Subject = Subject {
    result_in_memory: true,
    ..subject("ssl_provider_core::premaster::recover_premaster", &[])
};

const REMOVE_PADDING: Subject = Subject {
    result_in_memory: true,
    ..subject("ssl_provider_core::record::padding::remove", &[])
};

/// Of the window, a slice, and of the offset, the offset is secret.
const EXTRACT_MAC: Subject =
    Subject { result_in_memory: true, ..subject("ssl_provider_core::record::mac::extract", &[2]) };

const CORE: [Subject; 3] = [RECOVER_PREMASTER, REMOVE_PADDING, EXTRACT_MAC];

/// What the shipped library has as functions of their own.
const SHIPPED: [Subject; 2] = [RECOVER_PREMASTER, REMOVE_PADDING];

/// The functions of `xtask/planted/masks.rs`, around those of the mask type.
const MASKS: [Subject; 11] = [
    subject("masks::is_zero", &[0]),
    subject("masks::eq", &[0, 1]),
    subject("masks::less_byte", &[0, 1]),
    subject("masks::less", &[0, 1]),
    subject("masks::eq_len", &[0, 1]),
    subject("masks::eq_bytes", &[]),
    subject("masks::bit", &[0]),
    subject("masks::choose_len", &[0, 1, 2]),
    subject("masks::merge", &[0]),
    subject("masks::replace", &[0]),
    subject("masks::select", &[0]),
];

/// Faults that must be found: the functions of `xtask/planted/leaks.rs`, and what each breaks, one
/// way or another.
const PLANTED: [(Subject, &[Rule]); 7] = [
    (subject("leaks::early_return", &[]), &[Rule::Branch]),
    (subject("leaks::chosen_pointer", &[]), &[Rule::Address, Rule::Branch, Rule::ConditionalLoad]),
    (subject("leaks::look_up", &[]), &[Rule::Address]),
    (
        Subject { result_in_memory: true, ..subject("leaks::at_secret_offset", &[2]) },
        &[Rule::Address, Rule::Call],
    ),
    (subject("leaks::division", &[]), &[Rule::Division]),
    (subject("leaks::library_comparison", &[]), &[Rule::Call]),
    (subject("leaks::secret_length", &[]), &[Rule::Call, Rule::Branch]),
];

/// Searches the targets and the shipped library.
///
/// # Errors
///
/// Fails with the number of findings, after printing each; when a function is missing, when a
/// planted fault is not found, and when a target is absent.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    for triple in &options.target {
        let known = TARGETS.map(|target| target.triple);
        ensure!(
            known.contains(&triple.as_str()),
            "no target `{triple}`; choose one of {}",
            known.join(", ")
        );
    }
    let is_chosen =
        |triple: &str| options.target.is_empty() || options.target.iter().any(|it| it == triple);
    let mut found = 0;
    for target in TARGETS.iter().filter(|target| is_chosen(target.triple)) {
        if !add_target(workspace, target.triple)? {
            let triple = target.triple;
            ensure!(
                options.allow_missing,
                "{triple}: the standard library is absent; run `rustup target add {triple}`, or \
                 pass --allow-missing to skip this target"
            );
            println!("NOT CHECKED: {triple}: its standard library is absent, and was not added");
            continue;
        }
        found += target.check(workspace)?;
    }
    if is_chosen(X86_64) {
        found += check_shipped(workspace)?;
    }
    ensure!(found == 0, "{found} findings; each is printed above");
    Ok(())
}

/// As CI runs it: a target that cannot be added is skipped with a warning.
///
/// # Errors
///
/// As for [`run`].
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    run(workspace, &Options { target: Vec::new(), allow_missing: true })
}

/// Has rustup install the standard library of a target where it is absent, and returns whether it
/// is there then.
fn add_target(workspace: &Workspace, triple: &str) -> Result<bool> {
    let is_present = || -> Result<bool> {
        let printed = Run::new("rustc")
            .args(["--print", "target-libdir", "--target", triple])
            .quiet()
            .read(workspace)?;
        Ok(Path::new(printed.trim()).is_dir())
    };
    if !is_present()? && is_installed("rustup") {
        // Offline it fails, which the caller says.
        let _ = Run::new("rustup").args(["--quiet", "target", "add", triple]).outcome(workspace)?;
    }
    is_present()
}

impl Target {
    /// Returns the number of findings.
    fn check(&self, workspace: &Workspace) -> Result<usize> {
        let triple = self.triple;
        let planted = self.compile(workspace, "leaks")?;
        self.find_planted(triple, &functions_of_assembly(&planted))?;
        let masks = self.compile(workspace, "masks")?;
        let core = self.compile_core(workspace)?;
        let mut functions = functions_of_assembly(&core);
        functions.extend(functions_of_assembly(&masks));
        self.report(triple, &functions, CORE.iter().chain(&MASKS))
    }

    /// The faults in the functions of `xtask/planted/leaks.rs` must be found: compilers change.
    fn find_planted(&self, place: &str, functions: &[Function<'_>]) -> Result<()> {
        for (subject, rules) in &PLANTED {
            let found = self.findings(functions, subject)?;
            ensure!(
                found.iter().any(|(rule, _)| rules.contains(rule)),
                "{place}: the planted fault in {} was not found",
                subject.name
            );
        }
        println!("{place}: the faults in {} planted functions are found", PLANTED.len());
        Ok(())
    }

    /// Searches functions, and prints what is found.
    fn report<'s>(
        &self,
        place: &str,
        functions: &[Function<'_>],
        subjects: impl Iterator<Item = &'s Subject>,
    ) -> Result<usize> {
        let (mut count, mut searched) = (0, 0);
        for subject in subjects {
            for (rule, instruction) in self.findings(functions, subject)? {
                println!("{place}: {}: {rule}: {instruction}", subject.name);
                count += 1;
            }
            searched += 1;
        }
        if count == 0 {
            println!("{place}: {searched} functions, nothing depends on a secret");
        }
        Ok(count)
    }

    fn findings(
        &self,
        functions: &[Function<'_>],
        subject: &Subject,
    ) -> Result<Vec<(Rule, String)>> {
        let named: Vec<_> = functions.iter().filter(|it| it.name == subject.name).collect();
        let [function] = named[..] else {
            bail!(
                "{}: expected one function {}, found {}: its code is inlined where nothing is \
                 checked",
                self.triple,
                subject.name,
                named.len()
            );
        };
        ensure!(function.instructions.len() > 1, "{}: no instructions", subject.name);
        (self.search)(function, subject).context(self.triple)
    }

    /// The assembly of a file in `xtask/planted`.
    fn compile(&self, workspace: &Workspace, name: &str) -> Result<String> {
        let directory = workspace.target("asm");
        fs::create_dir_all(&directory).context("cannot create the folder of assembly")?;
        let assembly = directory.join(format!("{name}-{}.s", self.triple));
        Run::new("rustc")
            .args(["--edition", "2024", "-O", "--crate-type", "lib", "--emit", "asm"])
            .args(["-C", "codegen-units=1", "--target", self.triple, "--crate-name", name])
            .args([format!("xtask/planted/{name}.rs")])
            .args([Path::new("-o"), &assembly])
            .run(workspace)?;
        read(&assembly)
    }

    /// The assembly of core, in which the functions in question are not inlined.
    fn compile_core(&self, workspace: &Workspace) -> Result<String> {
        let directory = workspace.target("asm");
        Run::cargo("rustc")
            .args(["--quiet", "--release", "--package", "ssl-provider-core", "--lib"])
            .args(["--features", "__asm", "--target", self.triple, "--target-dir"])
            .args([&directory])
            // What they export is compiled with core.
            .args(["--config", "profile.release.package.\"*\".opt-level=0"])
            .args(["--", "--emit", "asm", "-C", "codegen-units=1", "-C", "debuginfo=0"])
            .run(workspace)?;
        let built = directory.join(self.triple).join("release/deps");
        read(&newest(&built, "ssl_provider_core-", ".s")?)
    }
}

/// Searches the C library as it ships.
fn check_shipped(workspace: &Workspace) -> Result<usize> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        println!("NOT CHECKED: the shipped C library: it is built for another machine here");
        return Ok(0);
    }
    let [target, ..] = &TARGETS;
    let planted = workspace.target("asm").join("libleaks.so");
    Run::new("rustc")
        .args(["--edition", "2024", "-O", "--crate-type", "dylib", "-C", "prefer-dynamic"])
        .args(["xtask/planted/leaks.rs", "-o"])
        .args([&planted])
        .run(workspace)?;
    let disassembly = disassemble(workspace, &planted)?;
    target.find_planted("libleaks.so", &functions_of_disassembly(&disassembly, "leaks::"))?;

    // As the step `capi` of CI builds it.
    Run::cargo("build")
        .args(["--quiet", "--release", "--package", "ssl-provider-capi"])
        .args(["--no-default-features", "--features", &capi::features()])
        .run(workspace)?;
    let library = workspace.target("release/libsslprovider.so");
    let disassembly = disassemble(workspace, &library)?;
    let functions = functions_of_disassembly(&disassembly, "ssl_provider_core::");
    target.report("libsslprovider.so", &functions, SHIPPED.iter())
}

fn search<I: Isa>(function: &Function<'_>, subject: &Subject) -> Result<Vec<(Rule, String)>> {
    let found = flow::findings::<I>(function, subject.secrets, subject.result_in_memory)?;
    Ok(found.into_values().map(|(rule, instruction)| (rule, instruction.to_string())).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The file of such a name that was written last.
fn newest(directory: &Path, prefix: &str, suffix: &str) -> Result<PathBuf> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(suffix) {
            files.insert(entry.metadata()?.modified()?, entry.path());
        }
    }
    let newest = files.pop_last().map(|(_, path)| path);
    newest.with_context(|| format!("{}: no {prefix}*{suffix}", directory.display()))
}

/// The functions of assembly that rustc has written. Directives are left out.
fn functions_of_assembly(assembly: &str) -> Vec<Function<'_>> {
    let mut functions: Vec<Function<'_>> = Vec::new();
    for line in assembly.lines() {
        let line = line.split("//").next().unwrap_or(line);
        let text = line.trim();
        if let Some(label) = text.strip_suffix(':') {
            if label.starts_with('.') {
                if let Some(function) = functions.last_mut() {
                    let next = function.instructions.len();
                    function.labels.insert(label, next);
                }
            } else {
                functions.push(Function { name: demangled(label), ..Function::default() });
            }
        } else if line.starts_with('\t')
            && !text.starts_with(['.', '#'])
            && !text.is_empty()
            && let Some(function) = functions.last_mut()
        {
            // Comments on x86-64; on aarch64 it is before a number, without a space.
            let text = text.split("# ").next().unwrap_or(text).trim();
            function.instructions.push(parse(text, None));
        }
    }
    functions
}

/// The functions of a disassembly whose names begin so.
fn functions_of_disassembly<'a>(disassembly: &'a str, prefix: &str) -> Vec<Function<'a>> {
    let mut functions: Vec<Function<'_>> = Vec::new();
    let mut is_wanted = false;
    for line in disassembly.lines() {
        if let Some(name) = function_name(line) {
            is_wanted = name.starts_with(prefix);
            if is_wanted {
                functions.push(Function { name: name.to_owned(), ..Function::default() });
            }
        } else if let Some(function) = functions.last_mut().filter(|_| is_wanted)
            && let Some((address, instruction)) = instruction(line)
        {
            let next = function.instructions.len();
            function.labels.insert(address, next);
            function.instructions.push(instruction);
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_as_objdump_does_it() {
        let mangled = "_ZN17ssl_provider_core6record3mac7extract17h0123456789abcdefE";
        assert_eq!(demangled(mangled), EXTRACT_MAC.name);
        assert_eq!(demangled("memcpy"), "memcpy");
    }

    /// Searches these instructions, after one that reads the secret argument.
    fn rules<I: Isa>(first: &str, lines: &[&str], secrets: &[usize]) -> Vec<Rule> {
        let mut body = format!("\t{first}\n");
        let has_label = lines.contains(&".L1:");
        for line in lines.iter().chain(if has_label { &[][..] } else { &[".L1:", "ret"] }) {
            body.push_str(if line.ends_with(':') { "" } else { "\t" });
            body.push_str(line);
            body.push('\n');
        }
        let assembly = format!("_ZN4test17h0123456789abcdefE:\n{body}");
        let functions = functions_of_assembly(&assembly);
        assert_eq!(functions.len(), 1);
        let found = flow::findings::<I>(&functions[0], secrets, false).unwrap();
        found.into_values().map(|(rule, _)| rule).collect()
    }

    #[test]
    fn a_secret_that_is_not_where_it_is_thought_to_be_is_an_error() {
        let assembly = "_ZN4test17h0123456789abcdefE:\n\tmv a0, a2\n\tlbu a0, 0(a0)\n\tret\n";
        let functions = functions_of_assembly(assembly);
        let error = flow::findings::<riscv64::Riscv64>(&functions[0], &[1], false).unwrap_err();
        assert!(error.to_string().contains("expected in a1"), "{error}");
        let found = flow::findings::<riscv64::Riscv64>(&functions[0], &[1], true).unwrap();
        assert_eq!(found.len(), 1);
    }

    /// The second argument of each is secret, and so is what the first points to.
    #[test]
    fn secrets_are_followed_on_x86_64() {
        let check = |lines: &[&str]| rules::<x86_64::X86_64>("movq %rsi, %r15", lines, &[1]);
        let counted = ["xorl %eax, %eax", ".L1:", "movzbl (%rdi,%rax), %ecx", "xorl %ecx, %edx"];
        let end = ["incq %rax", "cmpq $48, %rax", "jne .L1", "retq"];
        assert_eq!(check(&[&counted[..], &end].concat()), []);
        let spilled = ["movq %rdx, 8(%rsp)", "movq 8(%rsp), %rcx", "testq %rcx, %rcx", "je .L1"];
        assert_eq!(check(&spilled), []);
        let beside = ["movq %rsp, %rbp", "movq %rdx, 8(%rsp)", "movq %rdx, -8(%rbp)"];
        let read = ["movq 8(%rsp), %rcx", "testq %rcx, %rcx", "je .L1"];
        assert_eq!(check(&[&beside[..], &read].concat()), []);
        // Through a copy of the stack pointer, which may be spilled itself, or by a call.
        for overwritten in [
            &["movq %rsp, %rbp", "movq %rdx, 8(%rsp)", "movq %rsi, 8(%rbp)"][..],
            &["leaq 64(%rsp), %rbx", "movq %rdx, 8(%rsp)", "movb %sil, -56(%rbx,%rax)"],
            &[
                "movq %rdx, 8(%rsp)",
                "movq %rsp, 16(%rsp)",
                "movq 16(%rsp), %rbx",
                "movq %rsi, (%rbx)",
            ],
            &["leaq 8(%rsp), %rdi", "movq %rdx, 8(%rsp)", "movq %rcx, %rsi", "callq memcpy@PLT"],
            &["movq %rdx, 8(%rsp)", "leave"],
        ] {
            assert_eq!(check(&[overwritten, &read].concat()), [Rule::Branch], "{overwritten:?}");
        }
        let copied = ["movq memcpy@GOTPCREL(%rip), %r13", "callq *%r13", "callq *%r13", "retq"];
        assert_eq!(rules::<x86_64::X86_64>("movq %rcx, %r15", &copied, &[3]), []);
        for (lines, rule) in [
            (&["testb %sil, %sil", "je .L1", ".L1:", "retq"][..], Rule::Branch),
            (&["cmpb $2, (%rdi)", "jne .L1", ".L1:", "retq"], Rule::Branch),
            (
                &["movq %rsi, 8(%rsp)", "movq 8(%rsp), %rcx", "testq %rcx, %rcx", "je .L1"],
                Rule::Branch,
            ),
            (&["testb %sil, %sil", "incq %rax", "jb .L1", ".L1:", "retq"], Rule::Branch),
            (&["movzbl %sil, %eax", "movb (%rdx,%rax), %al"], Rule::Address),
            (&["testb %sil, %sil", "cmoveq %rdx, %rcx", "movq (%rcx), %rax"], Rule::Address),
            (&["testb %sil, %sil", "cmoveq (%rdx), %rcx"], Rule::ConditionalLoad),
            (&["movq (%rdi), %rdi", "movb (%rdi), %al"], Rule::Address),
            (&["btsq %rsi, %rcx", "testq %rcx, %rcx", "je .L1", ".L1:", "retq"], Rule::Branch),
            (
                &["vpternlogq $1, (%rdx), %zmm0, %zmm1", "vmovq %xmm1, %rax", "movb (%rax), %al"],
                Rule::Address,
            ),
            (&["prefetcht0 (%rsi)"], Rule::Address),
            (&["movl %esi, %eax", "xorl %edx, %edx", "divl %ecx"], Rule::Division),
            (&["callq bcmp@PLT"], Rule::Call),
            (&["movq bcmp@GOTPCREL(%rip), %r13", "callq *%r13"], Rule::Call),
            (&["movq memcpy@GOTPCREL(%rip), %r13", "movq %rdi, %r13", "callq *%r13"], Rule::Call),
            (&["movq %rsi, %rdx", "callq memcpy@PLT"], Rule::Call),
            (&["jmpq *%rax"], Rule::Indirect),
            // A variable on the stack, which is written through a pointer meanwhile.
            (
                &["movq $0, 8(%rsp)", "movq 8(%rsp), %rax", "testq %rax, %rax", "je .L1"],
                Rule::Branch,
            ),
        ] {
            assert_eq!(check(lines), [rule], "{lines:?}");
        }
    }

    #[test]
    fn secrets_are_followed_on_aarch64() {
        let check = |lines: &[&str]| rules::<aarch64::Aarch64>("mov x28, x1", lines, &[1]);
        let counted = ["mov x8, xzr", ".L1:", "ldrb w9, [x0, x8]", "eor w10, w10, w9"];
        let end = ["add x8, x8, #1", "cmp x8, #48", "b.ne .L1", "ret"];
        assert_eq!(check(&[&counted[..], &end].concat()), []);
        let spilled = ["str x2, [sp, #8]", "ldr x3, [sp, #8]", "cbz x3, .L1"];
        assert_eq!(check(&spilled), []);
        let overwritten = ["add x29, sp, #16", "str x2, [sp, #8]", "stur x1, [x29, #-8]"];
        assert_eq!(check(&[&overwritten[..], &spilled[1..]].concat()), [Rule::Branch]);
        for (lines, rule) in [
            (&["cbz w1, .L1", ".L1:", "ret"][..], Rule::Branch),
            (&["ldrb w8, [x0], #1", "cmp w8, #2", "b.ne .L1", ".L1:", "ret"], Rule::Branch),
            (&["tbnz w1, #3, .L1", ".L1:", "ret"], Rule::Branch),
            // What is loaded replaces the address that it was loaded from.
            (&["ldrb w0, [x0]", "cbz w0, .L1", ".L1:", "ret"], Rule::Branch),
            (&["ldp x2, x3, [x3]", "ldr x4, [x3]"], Rule::Address),
            (&["and x8, x1, #0xff", "ldrb w0, [x2, x8]"], Rule::Address),
            (&["cmp w1, #0", "csel x8, x2, x3, eq", "ldr x0, [x8]"], Rule::Address),
            (&["ldp q0, q1, [x0]", "umov w8, v1.b[0]", "strb w2, [x3, w8, uxtw]"], Rule::Address),
            (&["udiv w0, w1, w2"], Rule::Division),
            (&["bl bcmp"], Rule::Call),
            (&["mov x2, x1", "bl memcpy"], Rule::Call),
            (&["br x8"], Rule::Indirect),
        ] {
            assert_eq!(check(lines), [rule], "{lines:?}");
        }
    }

    #[test]
    fn secrets_are_followed_on_riscv64() {
        let check = |lines: &[&str]| rules::<riscv64::Riscv64>("mv s11, a1", lines, &[1]);
        let counted = ["li a4, 48", ".L1:", "lbu a3, 0(a0)", "xor a5, a5, a3", "addi a0, a0, 1"];
        let end = ["addi a4, a4, -1", "bnez a4, .L1", "ret"];
        assert_eq!(check(&[&counted[..], &end].concat()), []);
        let spilled = ["sd a2, 8(sp)", "ld a3, 8(sp)", "beqz a3, .L1"];
        assert_eq!(check(&spilled), []);
        let overwritten = ["addi s0, sp, 16", "sd a2, 8(sp)", "sd a1, -8(s0)"];
        assert_eq!(check(&[&overwritten[..], &spilled[1..]].concat()), [Rule::Branch]);
        for (lines, rule) in [
            (&["beqz a1, .L1", ".L1:", "ret"][..], Rule::Branch),
            (&["lbu a3, 0(a0)", "li a4, 2", "bne a3, a4, .L1", ".L1:", "ret"], Rule::Branch),
            (&["lbu a0, 0(a0)", "beqz a0, .L1", ".L1:", "ret"], Rule::Branch),
            (&["add a2, a2, a1", "lbu a0, 0(a2)"], Rule::Address),
            (&["divuw a0, a1, a2"], Rule::Division),
            (&["call bcmp"], Rule::Call),
            (&["mv a2, a1", "call memcpy"], Rule::Call),
            (&["jr a3"], Rule::Indirect),
        ] {
            assert_eq!(check(lines), [rule], "{lines:?}");
        }
    }
}
