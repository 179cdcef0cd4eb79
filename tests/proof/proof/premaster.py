"""`recover_premaster`: from a decrypted RSA block to 48 bytes."""

from random import Random

import claripy
from claripy.ast.bool import Bool

from proof import specification
from proof.call import Call, Pointer, Region
from proof.case import OK, Case, any_of, kept, spoil, unequal
from proof.engine import Outcome
from proof.names import RECOVER_PREMASTER


def premaster(length: int, **options) -> Case:
    """`recover_premaster` on a block of so many bytes."""
    version = claripy.BVS("version_0", 64, explicit_name=True)
    # What Rust promises of a bool.
    is_bool = version[39:33] == 0

    def call() -> Call:
        regions = [Region("result", 24), Region("block", length)]
        regions += [Region("fallback", 48), Region("out", 48)]
        result, block, fallback, out = (Pointer(region.name) for region in regions)
        return Call([result, block, length, version, fallback, out], regions, [is_bool])

    def differs(outcome: Outcome) -> Bool:
        regions = {region.name: region for region in outcome.execution.call.regions}
        before = {name: region.bytes for name, region in regions.items()}
        result = outcome.region("result")[0]
        if length < 59:
            return any_of([result == OK, kept(outcome, ["result"])])
        expected = specification.premaster(
            before["block"],
            [version[15:0], version[31:16]],
            version[32:32] == 1,
            before["fallback"],
        )
        return any_of(
            [
                result != OK,
                unequal(outcome.region("out"), expected),
                kept(outcome, ["result", "out"]),
            ]
        )

    def sample(random: Random, given: dict[str, int]) -> None:
        given["version_0"] %= 1 << 33
        good = {0: 0, 1: 2, length - 49: 0}
        good |= {
            length - 48 + index: given["version_0"] >> 8 * (1 - index) & 0xFF for index in (0, 1)
        }
        for index in range(length - 48):
            given[f"block_{index}"] = good.get(index, given[f"block_{index}"] or 1)
        spoil(random, given, "block", length)

    return Case(
        f"recover_premaster, {length} bytes",
        RECOVER_PREMASTER,
        call,
        differs,
        {"out": 48, "result": 1},
        sample,
        weight=length,
        **options,
    )
