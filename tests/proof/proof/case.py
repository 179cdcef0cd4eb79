"""A case: one call of a routine, and what must hold afterwards.

Where the fields of structures lie follows from the debug information, and which registers hold
the arguments from the machine code, since Rust promises nothing about either. A wrong guess cannot
pass: the result would differ from the specification."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import claripy
from claripy.ast.bool import Bool
from claripy.ast.bv import BV

from proof.call import Call, Stub
from proof.engine import Outcome
from proof.layout import Tag
from proof.solver import Split


@dataclass(frozen=True)
class Case:
    """One call of a routine with lengths that are public, and every other byte secret."""

    name: str
    function: str
    call: Callable[[], Call]
    differs: Callable[[Outcome], Bool]
    """Whether anything differs from the specification."""
    outputs: dict[str, int]
    """Regions that the routine writes, and how many of their bytes."""
    sample: Callable[[Random, dict[str, int]], None] | None = None
    """Makes random input such that it reaches what the routine is for. Without it, the case does
    not run on the processor."""
    inside: Sequence[str] = ()
    """Functions that it may call."""
    stubs: Mapping[str, Stub] = field(default_factory=dict)
    """Functions of ours that are left out, by name, and what runs in their place."""
    split: Split | None = None
    weight: int = 0
    """About how long it takes."""


def any_of(conditions: Sequence[Bool]) -> Bool:
    return claripy.Or(claripy.false(), *conditions)


def unequal(found: Sequence[BV], expected: Sequence[BV | int]) -> Bool:
    """Whether two sequences of bytes differ."""
    return any_of([a != b for a, b in zip(found, expected, strict=True)])


def kept(outcome: Outcome, but: Sequence[str]) -> Bool:
    """Whether a region changed that must not."""
    pairs = outcome.changed(but)
    return any_of([old != new for old, new in zip(pairs[::2], pairs[1::2], strict=True)])


def is_tagged(content: Sequence[BV], tag: Tag) -> Bool:
    """Whether a value is this variant, which has a number."""
    number = claripy.Concat(*reversed(content[tag.offset : tag.offset + tag.size]))
    return number == tag.value


def word(content: Sequence[BV], offset: int) -> BV:
    return claripy.Concat(*reversed(content[offset : offset + 8]))


def spoil(random: Random, given: dict[str, int], region: str, length: int) -> None:
    """Changes a byte of a region, in two of three cases."""
    if random.randrange(3):
        given[f"{region}_{random.randrange(length)}"] = random.choice((0, 1, 2, 3, 15, 255))


RESULT = "Result<(), ssl_provider_core::error::Error>"
"""What a function returns that returns nothing but errors."""
