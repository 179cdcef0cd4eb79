"""What a CBC record goes through between decryption and the check of its MAC."""

from collections.abc import Sequence

import claripy
from claripy.ast.bool import Bool

from proof import specification
from proof.call import Call, Machine, Pointer, Region, Stub
from proof.case import RESULT, Case, any_of, is_tagged, kept, unequal
from proof.engine import Outcome
from proof.finding import expect
from proof.layout import Layout
from proof.names import OPEN, REMOVE_PADDING, VERIFY_BEHIND_PADDING, VERIFY_PADDING_AND_MAC
from proof.padding import VERDICT, rule_name, verdict_differs, verdict_offsets
from proof.record import (
    Record,
    backend_of,
    header_of,
    methods_of,
    record_mac_fields,
    write_tag,
)


def record_padding(layout: Layout, record: Record, **options) -> Case:
    """The copy of `padding::remove` in the check of a record, up to the check of its MAC. Where
    the lengths are wrong, nothing of the blocks is read."""
    has_room = record.length > record.hash.output_len
    is_refused = not has_room or record.length % record.block_len != 0

    def call() -> Call:
        cbc = _cbc(layout, record)
        regions, functions = backend_of(layout, record)
        size = 0 if is_refused else record.length
        regions += [Region("result", layout.size(VERDICT_RESULT)), cbc]
        regions += [header_of(layout, record), Region("blocks", size)]
        arguments = [*map(Pointer, ("result", "cbc", "header", "blocks")), record.length]
        return Call(arguments, regions, functions=functions)

    def differs(outcome: Outcome) -> Bool:
        if is_refused:
            expect(outcome.notes == [], "no call")
            is_error = is_tagged(outcome.region("result"), layout.tag(VERDICT_RESULT, "Err"))
            return any_of([claripy.Not(is_error), kept(outcome, ["result"])])
        blocks = outcome.execution.call.region("blocks").bytes
        expected = specification.padding(blocks, record.hash.output_len, record.ssl3_block_len)
        verdict, passed_on = outcome.given(VERIFY_BEHIND_PADDING, "blocks")
        return any_of(
            [
                verdict_differs(layout, verdict, expected),
                unequal(passed_on, blocks),
                kept(outcome, ["result"]),
            ]
        )

    return Case(
        f"padding before the MAC, {record}",
        VERIFY_PADDING_AND_MAC,
        call,
        differs,
        {},
        stubs={VERIFY_BEHIND_PADDING: verify_behind_padding(layout)},
        **options,
    )


def record_opened(layout: Layout, record: Record, *, explicit_iv: bool, **options) -> Case:
    """What `Cbc::open` does with the blocks that it has decrypted, up to the check of the MAC."""

    def call() -> Call:
        cbc = _cbc(layout, record)
        if explicit_iv:
            layout.choose(cbc, CBC, "Explicit", "iv")
        else:
            layout.choose(cbc, CBC, "Chained", "iv")
            layout.put(cbc, CBC, "iv.Chained..cap", record.block_len)
            layout.put(cbc, CBC, "iv.Chained..ptr", Pointer("iv"))
            layout.put(cbc, CBC, "iv.Chained..len", record.block_len)
        layout.put(cbc, CBC, "cipher.pointer", Pointer("cipher"))
        layout.put(cbc, CBC, "cipher.vtable", Pointer("cipher_methods"))
        regions, functions = backend_of(layout, record)
        methods, refused = methods_of(
            record, "cipher_methods", ("cipher.rs", "CbcCipher"), ["decrypt"]
        )
        size = record.length + (record.block_len if explicit_iv else 0)
        regions += [Region("result", 32), cbc, header_of(layout, record), Region("fragment", size)]
        regions += [Region("iv", record.block_len), Region("cipher", 16)]
        regions.append(methods)
        arguments = [*map(Pointer, ("result", "cbc", "header", "fragment")), size]
        return Call(
            arguments, regions, functions=functions | refused | {"decrypt": Stub(decrypt, 6)}
        )

    def decrypt(machine: Machine, arguments: Sequence[int]) -> None:
        result, _, _, _, blocks, size = arguments
        machine.write(blocks, machine.fresh("plain", size))
        write_tag(machine, result, layout.tag(RESULT, "Ok"))

    def differs(outcome: Outcome) -> Bool:
        plain = outcome.execution.fresh("plain", record.length)
        expected = specification.padding(plain, record.hash.output_len, record.ssl3_block_len)
        verdict, blocks = outcome.given(VERIFY_BEHIND_PADDING, "blocks")
        return any_of(
            [
                verdict_differs(layout, verdict, expected),
                unequal(blocks, plain),
                kept(outcome, ["result", "fragment", "iv"]),
            ]
        )

    return Case(
        f"Cbc::open, {record}, IV {'in the record' if explicit_iv else 'chained'}",
        OPEN,
        call,
        differs,
        {},
        inside=[REMOVE_PADDING],
        stubs={VERIFY_BEHIND_PADDING: verify_behind_padding(layout)},
        **options,
    )


def verify_behind_padding(layout: Layout) -> Stub:
    """Stands for the function of this name: notes the verdict and the blocks, and finds the record
    good and empty, which after it is public."""
    verdict_size = layout.size(VERDICT)
    ok, content = layout.tag(VERDICT_RESULT, "Ok"), layout.field(VERDICT_RESULT, "Ok.__0")
    *numbers, good = verdict_offsets(layout)

    def run(machine: Machine, arguments: Sequence[int]) -> None:
        result, mac, header, blocks, size, verdict = arguments
        right = machine.address(Pointer("cbc", layout.field(CBC, "mac").offset))
        expect(mac == right, "the MAC of the key")
        expect(header == machine.address(Pointer("header")), "the header of the record")
        machine.note(VERIFY_BEHIND_PADDING, machine.read(verdict, verdict_size))
        machine.note("blocks", machine.read(blocks, size))
        write_tag(machine, result, ok)
        for offset in numbers:
            machine.write_field(result + content.offset + offset, 8, 0)
        machine.write_field(result + content.offset + good, 1, 0xFF)

    return Stub(run, 6)


def _cbc(layout: Layout, record: Record) -> Region:
    """A `Cbc` without cipher and IV."""
    cbc = Region("cbc", layout.size(CBC))
    record_mac_fields(layout, record, cbc, layout.field(CBC, "mac").offset)
    layout.choose(cbc, CBC, rule_name(record.ssl3_block_len), "rule")
    if record.is_ssl3:
        layout.put(cbc, CBC, "rule.Ssl3.block_len", record.block_len)
    layout.put(cbc, CBC, "block_len", record.block_len)
    layout.put(cbc, CBC, "encrypt_then_mac", 0)
    return cbc


CBC = "record::cbc::Cbc"

VERDICT_RESULT = (
    "Result<ssl_provider_core::record::padding::Verdict, ssl_provider_core::error::Error>"
)
