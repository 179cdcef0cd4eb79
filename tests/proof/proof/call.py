"""The memory and the registers with which a routine is called, for the engine and the processor."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import claripy
from claripy.ast.bv import BV


@dataclass(frozen=True)
class Pointer:
    """An address in a region."""

    region: str
    offset: int = 0


@dataclass(frozen=True)
class Code:
    """The address of a function that stands for code of others."""

    name: str


Value = int | BV | Pointer | Code
"""What a register or a field holds; bits that nothing says anything about are secret."""


class Region:
    """Memory that the routine gets a pointer to. Every byte is a secret of its own, but for the
    fields that are set."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.bytes = [
            claripy.BVS(f"{name}_{index}", 8, explicit_name=True) for index in range(size)
        ]
        self.fields: dict[int, tuple[int, Value]] = {}

    def set(self, offset: int, size: int, value: Value) -> "Region":
        """Sets a field of so many bytes, in the byte order of the processor."""
        self.fields[offset] = (size, value)
        return self

    def content(self, address: Callable[[Value], int | BV]) -> list[BV]:
        """All bytes, with what addresses stand for filled in."""
        content = list(self.bytes)
        for offset, (size, value) in self.fields.items():
            content[offset : offset + size] = to_bytes(address(value), size)
        return content


@dataclass
class Call:
    """One call: arguments in the registers of the platform's calling convention."""

    arguments: Sequence[Value]
    regions: Sequence[Region]
    assumptions: Sequence[claripy.ast.Bool] = ()
    functions: dict[str, "Stub"] = field(default_factory=dict)

    def region(self, name: str) -> Region:
        return next(region for region in self.regions if region.name == name)


@dataclass(frozen=True)
class Stub:
    """Code of others, done here. It gets the machine that calls it and the arguments, all of which
    are public, and returns nothing or the two words that it returns in every case."""

    run: Callable[["Machine", Sequence[int]], None]
    count: int
    """Arguments."""
    result: tuple[Value, Value] | None = None


class Machine:
    """What a stub can do: the engine and the processor implement it."""

    def read(self, address: int, size: int) -> list[BV]:
        """Bytes of the caller's memory."""
        raise NotImplementedError

    def write(self, address: int, content: Sequence[BV]) -> None:
        """Writes to the caller's memory."""
        raise NotImplementedError

    def write_field(self, address: int, size: int, value: Value) -> None:
        """Writes a number or an address."""
        self.write(address, to_bytes(self.address(value), size))

    def address(self, value: Value) -> int | BV:
        """Where something is."""
        raise NotImplementedError

    def fresh(self, name: str, size: int) -> list[BV]:
        """Bytes that may be anything, the same for each name."""
        raise NotImplementedError

    def note(self, what: str, content: Sequence[BV]) -> None:
        """Keeps what code of others was given, in order."""
        raise NotImplementedError


def to_bytes(value: int | BV, size: int) -> list[BV]:
    """A number as bytes in the byte order of the processor."""
    if isinstance(value, int):
        return [claripy.BVV(byte, 8) for byte in value.to_bytes(size, "little")]
    return [value[8 * index + 7 : 8 * index] for index in range(size)]
