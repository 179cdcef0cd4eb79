"""`recover_premaster`: from a decrypted RSA block to 48 bytes."""

from dataclasses import dataclass
from random import Random

import claripy
from claripy.ast.bool import Bool

from proof import specification
from proof.call import Call, Pointer, Region
from proof.case import RESULT, Case, any_of, is_tagged, kept, spoil, unequal
from proof.engine import Outcome
from proof.layout import Layout, Tag
from proof.names import RECOVER_PREMASTER


@dataclass(frozen=True)
class Convention:
    """How versions are passed in a register, and what is returned."""

    expected: int
    """The first bit of it."""
    alternate: int
    any_version: int
    ok: Tag
    result_size: int

    @classmethod
    def of(cls, layout: Layout) -> "Convention":
        """That of the shipped function."""
        bits = (
            8 * layout.field("premaster::VersionCheck", name).offset
            for name in ("expected", "alternate", "any")
        )
        return cls(*bits, layout.tag(RESULT, "Ok"), layout.size(RESULT))


def premaster(convention: Convention, length: int, **options) -> Case:
    """`recover_premaster` on a block of so many bytes."""
    version = claripy.BVS("version_0", 64, explicit_name=True)
    first, second, third = convention.expected, convention.alternate, convention.any_version
    # What Rust promises of a bool.
    is_bool = version[third + 7 : third + 1] == 0

    def call() -> Call:
        regions = [Region("result", convention.result_size), Region("block", length)]
        regions += [Region("fallback", 48), Region("out", 48)]
        result, block, fallback, out = (Pointer(region.name) for region in regions)
        return Call([result, block, length, version, fallback, out], regions, [is_bool])

    def differs(outcome: Outcome) -> Bool:
        regions = {region.name: region for region in outcome.execution.call.regions}
        before = {name: region.bytes for name, region in regions.items()}
        is_ok = is_tagged(outcome.region("result"), convention.ok)
        if length < 59:
            return any_of([is_ok, kept(outcome, ["result"])])
        expected = specification.premaster(
            before["block"],
            [version[first + 15 : first], version[second + 15 : second]],
            version[third:third] == 1,
            before["fallback"],
        )
        return any_of(
            [
                claripy.Not(is_ok),
                unequal(outcome.region("out"), expected),
                kept(outcome, ["result", "out"]),
            ]
        )

    def sample(random: Random, given: dict[str, int]) -> None:
        given["version_0"] &= 0xFFFF << first | 0xFFFF << second | 1 << third
        good = {0: 0, 1: 2, length - 49: 0}
        good |= {
            length - 48 + index: given["version_0"] >> first + 8 * (1 - index) & 0xFF
            for index in (0, 1)
        }
        for index in range(length - 48):
            given[f"block_{index}"] = good.get(index, given[f"block_{index}"] or 1)
        spoil(random, given, "block", length)

    return Case(
        f"recover_premaster, {length} bytes",
        RECOVER_PREMASTER,
        call,
        differs,
        {"out": 48, "result": convention.ok.offset + convention.ok.size},
        sample,
        weight=length,
        **options,
    )
