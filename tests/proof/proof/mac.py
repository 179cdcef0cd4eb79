"""The MAC behind a payload of secret length (Lucky Thirteen)."""

from collections.abc import Sequence
from random import Random

import claripy
from claripy.ast.bool import Bool
from claripy.ast.bv import BV

from proof import specification
from proof.call import Call, Machine, Pointer, Region, Stub
from proof.case import Case, any_of, is_tagged, kept, spoil, unequal, word
from proof.cbc import VERDICT_RESULT
from proof.engine import Outcome
from proof.finding import expect
from proof.layout import Layout
from proof.names import (
    BELOW,
    DEALLOC,
    HASH_BY_BLOCKS,
    HASH_BY_LENGTHS,
    LEAVE_WIPE,
    SECRET_BYTES,
    VERIFY_BEHIND_PADDING,
    WIPE_VECTOR_REGISTERS,
    WITH_STACK_WIPED,
    ZEROIZE_STACK,
)
from proof.padding import VERDICT, verdict_offsets
from proof.record import (
    MARK,
    RECORD_HEADER,
    RECORD_MAC,
    Record,
    backend_of,
    header_of,
    record_mac_fields,
)
from proof.solver import Split


def record_mac(layout: Layout, record: Record, **options) -> Case:
    """The MAC behind a payload of secret length: what is hashed, where the MAC is looked for, and
    the verdict."""
    payload_len = claripy.BVS("payload_len_0", 64, explicit_name=True)
    good = claripy.BVS("good_0", 8, explicit_name=True)
    shortest, longest = record.bounds
    ok, content = layout.tag(VERDICT_RESULT, "Ok"), layout.field(VERDICT_RESULT, "Ok.__0")
    *numbers, mask = verdict_offsets(layout)
    assumptions = [
        claripy.UGE(payload_len, shortest),
        claripy.ULE(payload_len, longest),
        claripy.Or(good == 0, good == 0xFF),
    ]

    def call() -> Call:
        regions, functions = backend_of(layout, record)
        verdict = Region("verdict", layout.size(VERDICT)).set(mask, 1, good)
        for offset, number in zip(numbers, (shortest, longest, payload_len), strict=True):
            verdict.set(offset, 8, number)
        regions += [
            Region("result", layout.size(VERDICT_RESULT)),
            record_mac_fields(layout, record, Region("mac", layout.size(RECORD_MAC))),
            header_of(layout, record),
            Region("blocks", record.length),
            verdict,
        ]
        names = ["result", "mac", "header", "blocks"]
        arguments = [*map(Pointer, names), record.length, Pointer("verdict")]
        return Call(arguments, regions, assumptions, functions)

    def differs(outcome: Outcome) -> Bool:
        call = outcome.execution.call
        blocks = call.region("blocks").bytes
        result = outcome.region("result")
        if record.failure:
            is_error = is_tagged(result, layout.tag(VERDICT_RESULT, "Err"))
            return any_of([claripy.Not(is_error), kept(outcome, ["result"])])
        _, hash_of_message, mac = outcome.given("duplicate outer", "update", "finish")
        hashed = outcome.notes[:-3]
        compare = _blocks_differ if record.knows_compression else _lengths_differ
        matches = specification.mac_matches(blocks, payload_len, record.bounds, mac)
        expected_good = claripy.If(claripy.And(good == 0xFF, matches), _TRUE, _FALSE)
        return any_of(
            [
                compare(layout, record, call, payload_len, hashed, hash_of_message),
                claripy.Not(is_tagged(result, ok)),
                *(
                    word(result, content.offset + offset) != number
                    for offset, number in zip(
                        numbers, (shortest, longest, payload_len), strict=True
                    )
                ),
                result[content.offset + mask] != expected_good,
                kept(outcome, ["result"]),
            ]
        )

    def sample(random: Random, given: dict[str, int]) -> None:
        at = random.randint(shortest, longest)
        given["payload_len_0"] = at
        given["good_0"] = random.choice((0, 0xFF, 0xFF))
        # The MAC is the last value that is made.
        last = 0 if record.knows_compression else longest - shortest + 1
        for index in range(record.hash.output_len):
            given[f"finish{last}_{index}"] = given[f"blocks_{at + index}"]
        spoil(random, given, "blocks", record.length)

    return Case(
        f"MAC of secret length, {record}",
        VERIFY_BEHIND_PADDING,
        call,
        differs,
        {"result": ok.offset + 1 if record.failure else content.offset + mask + 1},
        # With destructors, memory of ours would be given to the allocator.
        None if record.is_shared else sample,
        inside=[
            HASH_BY_BLOCKS,
            HASH_BY_LENGTHS,
            SECRET_BYTES,
            WITH_STACK_WIPED,
            BELOW,
            ZEROIZE_STACK,
        ],
        stubs={
            DEALLOC: Stub(_skip, 3),
            # Not in `with_one_wipe`: the stack is wiped at once.
            LEAVE_WIPE: Stub(_skip, 1, (0, 0)),
            WIPE_VECTOR_REGISTERS: Stub(_skip, 0),
        },
        weight=1000 + record.length * len(record.hash.name),
        split=Split(payload_len, range(shortest, longest + 1)),
        **options,
    )


def _skip(machine: Machine, arguments: Sequence[int]) -> None:
    del machine, arguments


_TRUE, _FALSE = claripy.BVV(0xFF, 8), claripy.BVV(0, 8)


def _blocks_differ(
    layout: Layout,
    record: Record,
    call: Call,
    payload_len: BV,
    notes: Sequence[tuple[str, list[BV]]],
    result: Sequence[BV],
) -> Bool:
    """Whether the blocks are not those of the message of this length, or the result is not the
    chaining value after the last of them."""
    hash = record.hash
    message = [*_prefix_and_header(layout, record, call, payload_len), *call.region("blocks").bytes]
    head_len = len(message) - record.length
    stream: list[BV] = []
    values: dict[int, list[BV]] = {}
    for what, content in notes:
        if what == "compress":
            stream += content
        elif what == "chaining_value":
            values[len(stream) // hash.block_len - 1] = content
    length = payload_len + head_len
    right = specification.padded(message, length, hash, len(stream))
    wrong = [
        claripy.And(is_part, found != expected)
        for found, (is_part, expected) in zip(stream, right, strict=True)
    ]
    last = specification.last_block(length, hash)
    known = [
        claripy.And(last == index, claripy.Not(unequal(result, value)))
        for index, value in values.items()
    ]
    return any_of([*wrong, claripy.Not(any_of(known))])


def _lengths_differ(
    layout: Layout,
    record: Record,
    call: Call,
    payload_len: BV,
    notes: Sequence[tuple[str, list[BV]]],
    result: Sequence[BV],
) -> Bool:
    """Whether the result is not that of the context after the header and the payload."""
    message = _prefix_and_header(layout, record, call, payload_len)[record.prefix_len :]
    head_len = len(message)
    message += call.region("blocks").bytes
    stream: list[BV] = []
    values: dict[int, list[BV]] = {}
    contexts = [what for what, _ in notes if what.startswith("duplicate")]
    copies = ["duplicate copy"] * (len(contexts) - 1)
    expect(contexts == ["duplicate inner", *copies], f"copies of the context, found {contexts}")
    for what, content in notes:
        if what == "update":
            stream += content
        elif what == "finish":
            values[len(stream) - head_len] = content
    wrong = unequal(stream, message[: len(stream)])
    known = [
        claripy.And(payload_len == length, claripy.Not(unequal(result, value)))
        for length, value in values.items()
    ]
    return any_of([wrong, claripy.Not(any_of(known))])


def _prefix_and_header(layout: Layout, record: Record, call: Call, payload_len: BV) -> list[BV]:
    """RFC 5246 section 6.2.3.1, RFC 6101 section 5.2.3.1: what is hashed before the payload."""
    number, content_type = (
        layout.field(RECORD_HEADER, name).offset for name in ("sequence_number", "content_type")
    )
    header = call.region("header").content(lambda value: value)
    version = [] if record.is_ssl3 else [claripy.BVV(record.version >> 8, 8)]
    version += [] if record.is_ssl3 else [claripy.BVV(record.version & 0xFF, 8)]
    return [
        *call.region("prefix").bytes[len(MARK) :][: record.prefix_len],
        *reversed(header[number : number + 8]),
        header[content_type],
        *version,
        payload_len[15:8],
        payload_len[7:0],
    ]
