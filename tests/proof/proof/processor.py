"""Runs a routine on the processor, on bytes in the place of symbols, to compare with the lifter."""

import ctypes
import mmap
from collections.abc import Sequence
from pathlib import Path
from random import Random

import claripy
from claripy.ast.bv import BV

from proof.call import Call, Code, Machine, Pointer, Stub, Value
from proof.case import Case
from proof.engine import Outcome
from proof.finding import Finding, Kind
from proof.library import Function, Library
from proof.solver import Evaluator

Given = dict[str, int]
"""A value for each symbol."""


class Processor:
    """The library, loaded into this process."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._loaded = ctypes.CDLL(str(library.path.resolve()))
        self._base = _base_of(library.path.resolve())

    def compare(self, case: Case, outcome: Outcome, count: int, random: Random) -> None:
        """Calls the routine with so many inputs, and compares all that it wrote and gave to code
        of others with what the lifter says."""
        terms = [
            term for name, size in case.outputs.items() for term in outcome.region(name)[:size]
        ]
        terms += [byte for _, content in outcome.notes for byte in content]
        evaluator = Evaluator(terms)
        order = [(what, len(content)) for what, content in outcome.notes]
        for _ in range(count):
            run = _Run(case, random)
            run.call(self._address(self._library.function(case.function)))
            found = run.outputs(case.outputs)
            if run.order != order:
                raise Finding(Kind.PROCESSOR, f"{case.name}: other calls: {run.order}")
            if found != evaluator.evaluate(run.given, run.widths):
                raise Finding(Kind.PROCESSOR, f"{case.name}: {run.described()}")

    def _address(self, function: Function) -> int:
        return self._base + function.start - self._library.base


class _Run(Machine):
    """One call."""

    def __init__(self, case: Case, random: Random) -> None:
        self._case = case
        self._call: Call = case.call()
        self._random = random
        self.order: list[tuple[str, int]] = []
        self._noted = bytearray()
        self._kept: list[object] = []
        self.widths: dict[str, int] = {}
        self._buffers = {
            region.name: ctypes.create_string_buffer(len(region.bytes) + _ALIGNMENT)
            for region in self._call.regions
        }
        self.given = self._choose()
        self._codes = {name: self._code(stub) for name, stub in self._call.functions.items()}
        for region in self._call.regions:
            content = bytes(self._value(byte) for byte in region.content(self.address))
            ctypes.memmove(self._place(region.name), content, len(content))

    def call(self, address: int) -> None:
        """Calls the routine."""
        words = [self._value(self.address(value)) for value in self._call.arguments]
        prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * len(words))
        prototype(address)(*words)

    def outputs(self, outputs: dict[str, int]) -> bytes:
        """What was written, and what code of others was given."""
        written = (ctypes.string_at(self._place(name), size) for name, size in outputs.items())
        return b"".join(written) + bytes(self._noted)

    def described(self) -> str:
        """The call, for a person who repeats it."""
        return ", ".join(f"{name} {value:#x}" for name, value in sorted(self.given.items()))

    def read(self, address: int, size: int) -> list[BV]:
        return [claripy.BVV(byte, 8) for byte in ctypes.string_at(address, size)]

    def write(self, address: int, content: Sequence[BV]) -> None:
        written = bytes(self._value(byte) for byte in content)
        ctypes.memmove(address, written, len(written))

    def address(self, value: Value) -> int | BV:
        if isinstance(value, Pointer):
            return self._place(value.region) + value.offset
        if isinstance(value, Code):
            return self._codes[value.name]
        return value

    def fresh(self, name: str, size: int) -> list[BV]:
        names = [f"{name}_{index}" for index in range(size)]
        for name in names:
            self.given.setdefault(name, self._random.randrange(256))
        return [claripy.BVV(self.given[name], 8) for name in names]

    def note(self, what: str, content: Sequence[BV]) -> None:
        self.order.append((what, len(content)))
        self._noted += bytes(self._value(byte) for byte in content)

    def _place(self, region: str) -> int:
        address = ctypes.addressof(self._buffers[region])
        return -(-address // _ALIGNMENT) * _ALIGNMENT

    def _choose(self) -> Given:
        """A value for each symbol of the call: what the case wants to be tried, and random ones."""
        given = {
            byte.args[0]: self._random.randrange(256)
            for region in self._call.regions
            for byte in region.bytes
        }
        fields = (value for region in self._call.regions for _, value in region.fields.values())
        for value in (*self._call.arguments, *fields):
            if isinstance(value, BV) and value.op == "BVS":
                self.widths[value.args[0]] = value.length
                given[value.args[0]] = self._random.randrange(1 << value.length)
        if self._case.sample:
            self._case.sample(self._random, given)
        return given

    def _value(self, value: int | BV) -> int:
        if isinstance(value, int):
            return value
        if value.op == "BVS":
            return self.given[value.args[0]]
        if value.op == "Extract" and value.args[2].op == "BVS":
            high, low, symbol = value.args
            return (self.given[symbol.args[0]] >> low) % (1 << (high - low + 1))
        return value.concrete_value

    def _code(self, stub: Stub) -> int:
        def run(*arguments: int) -> int:
            return stub.run(self, arguments) or 0

        words = [ctypes.c_uint64] * stub.count
        callback = ctypes.CFUNCTYPE(ctypes.c_uint64, *words)(run)
        self._kept.append(callback)
        address = ctypes.cast(callback, ctypes.c_void_p).value
        if stub.result is None:
            return address
        # sub rsp, 8; mov rax, callback; call rax; add rsp, 8; mov rax, first; mov rdx, second; ret
        first, second = (self._value(self.address(word)) for word in stub.result)
        code = b"\x48\x83\xec\x08\x48\xb8" + address.to_bytes(8, "little") + b"\xff\xd0"
        code += b"\x48\x83\xc4\x08\x48\xb8" + first.to_bytes(8, "little")
        code += b"\x48\xba" + second.to_bytes(8, "little") + b"\xc3"
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        self._kept.append(page)
        return ctypes.addressof(ctypes.c_char.from_buffer(page))


def _base_of(path: Path) -> int:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(str(path)):
            return int(line.split("-")[0], 16)
    raise Finding(Kind.PROCESSOR, f"{path} is not loaded")


_ALIGNMENT = 64
