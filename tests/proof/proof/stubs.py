"""Functions that are left out of a run: those of the C library, and those that the case names."""

from collections.abc import Sequence

import claripy

from proof.call import Machine, Stub
from proof.case import Case
from proof.library import Library


def of(library: Library, case: Case) -> dict[int, Stub]:
    """What runs instead, by the address where it is called."""
    stubs = {library.imported(name): stub for name, stub in _IMPORTED.items()}
    stubs |= {library.function(name).start: stub for name, stub in case.stubs.items()}
    stubs.pop(0, None)
    return stubs


def _memcpy(machine: Machine, arguments: Sequence[int]) -> int:
    to, source, size = arguments
    machine.write(to, machine.read(source, size))
    return to


def _memset(machine: Machine, arguments: Sequence[int]) -> int:
    to, value, size = arguments
    machine.write(to, [claripy.BVV(value & 0xFF, 8)] * size)
    return to


_IMPORTED = {
    "memcpy": Stub(_memcpy, 3),
    "memmove": Stub(_memcpy, 3),
    "memset": Stub(_memset, 3),
}
