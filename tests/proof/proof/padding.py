"""`padding::remove`: from decrypted blocks to the length of what is before the padding."""

from collections.abc import Sequence
from random import Random

import claripy
from claripy.ast.bool import Bool
from claripy.ast.bv import BV

from proof import specification
from proof.call import Call, Pointer, Region, Value
from proof.case import Case, any_of, kept, spoil, word
from proof.engine import Outcome
from proof.layout import Layout
from proof.names import REMOVE_PADDING


def padding_removal(
    layout: Layout, length: int, mac_len: int = 0, ssl3_block_len: int | None = None, **options
) -> Case:
    """`padding::remove`, as it is called under encrypt-then-MAC."""
    rule = layout.tag(RULE, rule_name(ssl3_block_len)).value

    def call() -> Call:
        block_len: Value = ssl3_block_len or claripy.BVS("unused_0", 64, explicit_name=True)
        regions = [Region("verdict", layout.size(VERDICT)), Region("blocks", length)]
        arguments = [Pointer("verdict"), Pointer("blocks"), length, rule, block_len, mac_len]
        return Call(arguments, regions)

    def differs(outcome: Outcome) -> Bool:
        blocks = outcome.execution.call.region("blocks").bytes
        expected = specification.padding(blocks, mac_len, ssl3_block_len)
        wrong = verdict_differs(layout, outcome.region("verdict"), expected)
        return any_of([wrong, kept(outcome, ["verdict"])])

    good = layout.field(VERDICT, "good")
    name = f"padding::remove, {protocol(ssl3_block_len)}, {length} bytes"
    name += f" with a MAC of {mac_len}" if mac_len else ""

    def sample(random: Random, given: dict[str, int]) -> None:
        _pad(random, given, length)

    return Case(
        name,
        REMOVE_PADDING,
        call,
        differs,
        {"verdict": good.offset + 1},
        sample,
        weight=3 * length,
        **options,
    )


def _pad(random: Random, given: dict[str, int], length: int) -> None:
    """Ends the blocks in padding, which is good in one of three cases."""
    if length == 0:
        return
    pad = random.randint(1, min(length, 256))
    for index in range(length - pad, length):
        given[f"blocks_{index}"] = pad - 1
    spoil(random, given, "blocks", length)


def protocol(ssl3_block_len: int | None) -> str:
    return "TLS" if ssl3_block_len is None else f"SSL 3.0 with blocks of {ssl3_block_len}"


def verdict_differs(layout: Layout, verdict: Sequence[BV], expected: specification.Padding) -> Bool:
    """A `Verdict` has the bounds, the length of the payload, and a mask of one byte."""
    offsets = verdict_offsets(layout)
    shortest, longest, payload_len = (word(verdict, offset) for offset in offsets[:3])
    return any_of(
        [
            shortest != expected.bounds[0] % 2**64,
            longest != expected.bounds[1] % 2**64,
            payload_len != expected.payload_len,
            verdict[offsets[3]]
            != claripy.If(expected.good, claripy.BVV(0xFF, 8), claripy.BVV(0, 8)),
        ]
    )


def verdict_offsets(layout: Layout) -> list[int]:
    """Where the fields are: of eight bytes each, but for the mask, which is the last."""
    names = ("bounds.__0", "bounds.__1", "payload_len", "good")
    return [layout.field(VERDICT, name).offset for name in names]


def rule_name(ssl3_block_len: int | None) -> str:
    """The variant of a `Rule`."""
    return "Tls" if ssl3_block_len is None else "Ssl3"


RULE, VERDICT = "record::padding::Rule", "record::padding::Verdict"
