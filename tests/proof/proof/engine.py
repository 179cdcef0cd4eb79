"""Runs a routine on symbolic bytes, one instruction at a time. There must be one path, and no
address, argument or time of an instruction may depend on a secret."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import angr
import capstone
import claripy
from angr.engines import HeavyVEXMixin
from angr.errors import SimError, SimMemoryAddressError
from angr.sim_state import SimState
from claripy.ast.bv import BV

from proof.call import Call, Code, Machine, Pointer, Stub, Value, to_bytes
from proof.finding import Finding, Kind, expect
from proof.instructions import IS_NOT_AN_ACCESS, ON_ANY_OPERAND, ON_PUBLIC_OPERANDS
from proof.library import Function, Library


@dataclass
class Outcome:
    """What a run left: memory, what code of others was given, and where it went."""

    execution: "Execution"
    notes: list[tuple[str, list[BV]]]
    covered: set[int]

    def region(self, name: str) -> list[BV]:
        """What is in a region now."""
        size = len(self.execution.call.region(name).bytes)
        return self.execution.read(self.execution.bases[name], size)

    def given(self, *expected: str) -> list[list[BV]]:
        """What code of others was given, of which the last calls must be these."""
        last = self.notes[-len(expected) :]
        names = [what for what, _ in last]
        expect(names == list(expected), f"calls {list(expected)}, found {names}")
        return [content for _, content in last]

    def changed(self, but: Iterable[str]) -> list[BV]:
        """The bytes that were written in regions other than those named, as pairs in a row."""
        found = []
        for region in self.execution.call.regions:
            if region.name not in but:
                before = region.content(self.execution.address)
                for old, new in zip(before, self.region(region.name), strict=True):
                    if old is not new and hash(old) != hash(new):
                        found += [old, new]
        return found


class Execution(Machine):
    """One run of one routine."""

    def __init__(
        self,
        library: Library,
        function: Function,
        call: Call,
        inside: Sequence[Function],
        stubs: dict[int, Stub],
    ) -> None:
        self.library = library
        self.call = call
        self.inside = [function, *inside]
        self.notes: list[tuple[str, list[BV]]] = []
        self.covered: set[int] = set()
        self.steps = 0
        self.bases = {
            region.name: _MEMORY + _APART * index for index, region in enumerate(call.regions)
        }
        self._sizes = [len(region.bytes) for region in call.regions]
        codes = {name: _CODE + _CODE_APART * index for index, name in enumerate(call.functions)}
        self._codes = codes
        self._stubs = stubs | {codes[name]: stub for name, stub in call.functions.items()}
        self._engine = _Engine(library.project, self)
        self._state = self._start(function)

    def run(self) -> Outcome:
        """Runs to the return of the routine."""
        while (address := self._state.addr) != _RETURN:
            if stub := self._stubs.get(address):
                self._run_stub(stub)
            elif any(address in function for function in self.inside):
                self._run_block()
            else:
                raise Finding(Kind.CALL, self.library.shown(address))
        return Outcome(self, self.notes, self.covered)

    def read(self, address: int, size: int) -> list[BV]:
        return [self._state.memory.load(address + index, 1) for index in range(size)]

    def write(self, address: int, content: Sequence[BV]) -> None:
        for index, byte in enumerate(content):
            self._state.memory.store(address + index, byte)

    def address(self, value: Value) -> int | BV:
        if isinstance(value, Pointer):
            return self.bases[value.region] + value.offset
        if isinstance(value, Code):
            return self._codes[value.name]
        return value

    def fresh(self, name: str, size: int) -> list[BV]:
        return [claripy.BVS(f"{name}_{index}", 8, explicit_name=True) for index in range(size)]

    def note(self, what: str, content: Sequence[BV]) -> None:
        self.notes.append((what, list(content)))

    def check(self, address: int) -> None:
        """Checks an instruction before it runs."""
        self.covered.add(address)
        self.steps += 1
        instruction = self._instruction(address)
        # Also of accesses that the lifter leaves out.
        if any(map(self._is_symbolic, instruction.addressing)):
            raise Finding(Kind.ADDRESS, self._shown(instruction))
        if instruction.mnemonic in ON_PUBLIC_OPERANDS:
            if instruction.addressing or any(map(self._is_symbolic, instruction.read)):
                raise Finding(Kind.INSTRUCTION, self._shown(instruction))
        elif instruction.mnemonic not in ON_ANY_OPERAND:
            raise Finding(Kind.INSTRUCTION, f"{self._shown(instruction)} is on neither list")

    def check_write(self, address: int) -> None:
        """Checks that what is written is known afterwards, or is stack that was given back."""
        index, offset = divmod(address - _MEMORY, _APART)
        is_ours = 0 <= index < len(self._sizes) and offset < self._sizes[index]
        if not is_ours and not _STACK - _STACK_SIZE <= address < _STACK:
            at = self._instruction(self._state.scratch.ins_addr)
            raise Finding(Kind.WRITE, f"{self._shown(at)}, to {self.library.shown(address)}")

    def _start(self, function: Function) -> SimState:
        state = self.library.project.factory.blank_state(
            addr=function.start,
            add_options={
                angr.options.SYMBOL_FILL_UNCONSTRAINED_MEMORY,
                angr.options.SYMBOL_FILL_UNCONSTRAINED_REGISTERS,
            },
            remove_options=angr.options.simplification
            | {angr.options.LAZY_SOLVES, angr.options.COPY_STATES},
        )
        self._state = state
        # No address is chosen where several are possible.
        state.memory.read_strategies = []
        state.memory.write_strategies = []
        for assumption in self.call.assumptions:
            state.solver.add(assumption)
        for region in self.call.regions:
            self.write(self.bases[region.name], region.content(self.address))
        # The stack is aligned before the call pushes the address to return to.
        state.regs.rsp = _STACK - 8
        self.write(_STACK - 8, to_bytes(_RETURN, 8))
        for register, value in zip(_ARGUMENTS, self.call.arguments, strict=False):
            setattr(state.regs, register, self.address(value))
        # Clear by the calling convention.
        state.regs.dflag = 1
        return state

    def _run_block(self) -> None:
        """Runs to the next jump, without the optimisations that would leave out accesses."""
        try:
            successors = self._engine.process(self._state, opt_level=0, inline=True)
        except SimError as error:
            at = self._shown(self._instruction(self._state.scratch.ins_addr))
            if isinstance(error, SimMemoryAddressError):
                raise Finding(Kind.ADDRESS, at) from error
            raise Finding(Kind.LIFTER, f"{at}: {error}") from error
        following = successors.flat_successors
        if len(following) != 1 or successors.unconstrained_successors:
            at = self._state.scratch.ins_addr
            raise Finding(Kind.BRANCH, self._shown(self._instruction(at)))
        [self._state] = following

    def _is_symbolic(self, register: str) -> bool:
        return getattr(self._state.regs, register).symbolic

    def _run_stub(self, stub: Stub) -> None:
        state = self._state
        arguments = []
        for register in _ARGUMENTS[: stub.count]:
            value = getattr(state.regs, register)
            if value.symbolic:
                back = state.memory.load(state.regs.rsp, 8, endness="Iend_LE").concrete_value
                raise Finding(
                    Kind.ARGUMENT, f"{register} of the call before {self.library.shown(back)}"
                )
            arguments.append(value.concrete_value)
        result = stub.run(self, arguments)
        for name in _CLOBBERED:
            setattr(state.regs, name, claripy.BVS(f"clobbered_{name}", _BITS.get(name[:3], 64)))
        words = (result,) if isinstance(result, int) else stub.result or ()
        for register, word in zip(("rax", "rdx"), words, strict=False):
            setattr(state.regs, register, self.address(word))
        state.regs.rip = state.memory.load(state.regs.rsp, 8, endness="Iend_LE")
        state.regs.rsp += 8

    def _instruction(self, address: int) -> "Instruction":
        cache = self.library.__dict__.setdefault("decoded", {})
        if address not in cache:
            code = self.library.project.loader.memory.load(address, 16)
            disassembler = self.library.project.arch.capstone
            cache[address] = Instruction.of(next(disassembler.disasm(code, address, 1)))
        return cache[address]

    def _shown(self, instruction: "Instruction") -> str:
        return f"`{instruction.text}` at {self.library.shown(instruction.address)}"


@dataclass(frozen=True)
class Instruction:
    """What must be known of an instruction before it runs."""

    address: int
    mnemonic: str
    text: str
    addressing: tuple[str, ...]
    """Registers that the addresses of its operands are computed from."""
    read: tuple[str, ...]
    """All registers that it reads."""

    @classmethod
    def of(cls, decoded: capstone.CsInsn) -> "Instruction":
        """Names the registers as angr does."""
        addressing = []
        for operand in decoded.operands:
            if operand.type == capstone.CS_OP_MEM and decoded.mnemonic not in IS_NOT_AN_ACCESS:
                addressing += [operand.mem.base, operand.mem.index]
        read, _ = decoded.regs_access()

        def names(registers: Iterable[int]) -> tuple[str, ...]:
            found = (decoded.reg_name(register) for register in registers if register)
            return tuple(name for name in found if name not in ("rip", "rflags", "eiz", "riz"))

        text = f"{decoded.mnemonic} {decoded.op_str}".strip()
        return cls(decoded.address, decoded.mnemonic, text, names(addressing), names(read))


class _Engine(HeavyVEXMixin):
    """The engine of angr, without what other programs need, and with a look at each instruction."""

    def __init__(self, project: angr.Project, execution: Execution) -> None:
        super().__init__(project)
        self._execution = execution

    def _handle_vex_stmt_IMark(self, stmt) -> None:
        self._execution.check(stmt.addr)
        super()._handle_vex_stmt_IMark(stmt)

    def _perform_vex_stmt_Store(self, addr, data, endness, **kwargs) -> None:
        # One that is symbolic is refused where it is resolved.
        if not addr.symbolic:
            self._execution.check_write(addr.concrete_value)
        super()._perform_vex_stmt_Store(addr, data, endness, **kwargs)


_ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
_CLOBBERED = (
    *("rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"),
    *(f"ymm{index}" for index in range(16)),
)
_BITS = {"ymm": 256}

_RETURN = 0x6000_0000_0000
_CODE = 0x6100_0000_0000
_CODE_APART = 0x100
_STACK = 0x5000_0000_0000
_STACK_SIZE = 0x1_0000
_MEMORY = 0x1000_0000
_APART = 0x100_0000
