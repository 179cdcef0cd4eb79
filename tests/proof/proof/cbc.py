"""What a CBC record goes through between decryption and the check of its MAC."""

from collections.abc import Sequence

from claripy.ast.bool import Bool

from proof import specification
from proof.call import Call, Machine, Pointer, Region, Stub
from proof.case import OK, Case, any_of, kept, unequal
from proof.engine import Outcome
from proof.finding import expect
from proof.names import OPEN, REMOVE_PADDING, VERIFY_BEHIND_PADDING, VERIFY_PADDING_AND_MAC
from proof.padding import RULE_SSL3, RULE_TLS, verdict_differs
from proof.record import Record, backend_of, header_of, methods_of, record_mac_fields


def record_padding(record: Record, **options) -> Case:
    """The copy of `padding::remove` in the check of a record, up to the check of its MAC. Where
    the lengths are wrong, nothing of the blocks is read."""
    has_room = record.length > record.hash.output_len
    is_refused = not has_room or record.length % record.block_len != 0

    def call() -> Call:
        cbc = record_mac_fields(record, Region("cbc", 0xB0), 0x18)
        cbc.set(0x68, 8, RULE_SSL3 if record.is_ssl3 else RULE_TLS)
        cbc.set(0x70, 8, record.block_len)
        cbc.set(0xA0, 8, record.block_len).set(0xA8, 1, 0)
        regions, functions = backend_of(record)
        size = 0 if is_refused else record.length
        regions += [Region("result", 40), cbc, header_of(record), Region("blocks", size)]
        arguments = [*map(Pointer, ("result", "cbc", "header", "blocks")), record.length]
        return Call(arguments, regions, functions=functions)

    def differs(outcome: Outcome) -> Bool:
        if is_refused:
            expect(outcome.notes == [], "no call")
            wrong = unequal(outcome.region("result")[:8], [1, *[0] * 7])
            return any_of([wrong, kept(outcome, ["result"])])
        blocks = outcome.execution.call.region("blocks").bytes
        expected = specification.padding(blocks, record.hash.output_len, record.ssl3_block_len)
        verdict, passed_on = outcome.given(VERIFY_BEHIND_PADDING, "blocks")
        return any_of(
            [
                verdict_differs(verdict, expected),
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
        stubs=[VERIFY_BEHIND_PADDING],
        **options,
    )


def record_opened(record: Record, *, explicit_iv: bool, **options) -> Case:
    """What `Cbc::open` does with the blocks that it has decrypted, up to the check of the MAC."""

    def call() -> Call:
        cbc = record_mac_fields(record, Region("cbc", 0xB0), 0x18)
        cbc.set(0x68, 8, RULE_SSL3 if record.is_ssl3 else RULE_TLS)
        cbc.set(0x70, 8, record.block_len)
        # The capacity of the vector, or a number that none can have.
        cbc.set(0x78, 8, 1 << 63 if explicit_iv else record.block_len)
        cbc.set(0x80, 8, Pointer("iv")).set(0x88, 8, record.block_len)
        cbc.set(0x90, 8, Pointer("cipher")).set(0x98, 8, Pointer("cipher_methods"))
        cbc.set(0xA0, 8, record.block_len).set(0xA8, 1, 0)
        regions, functions = backend_of(record)
        size = record.length + (record.block_len if explicit_iv else 0)
        regions += [Region("result", 32), cbc, header_of(record), Region("fragment", size)]
        regions += [Region("iv", record.block_len), Region("cipher", 16)]
        regions.append(methods_of(record, "cipher_methods", {0x28: "decrypt"}))
        arguments = [*map(Pointer, ("result", "cbc", "header", "fragment")), size]
        return Call(arguments, regions, functions=functions | {"decrypt": Stub(decrypt, 6)})

    def decrypt(machine: Machine, arguments: Sequence[int]) -> None:
        result, _, _, _, blocks, size = arguments
        machine.write(blocks, machine.fresh("plain", size))
        machine.write_field(result, 1, OK)

    def differs(outcome: Outcome) -> Bool:
        plain = outcome.execution.fresh("plain", record.length)
        expected = specification.padding(plain, record.hash.output_len, record.ssl3_block_len)
        verdict, blocks = outcome.given(VERIFY_BEHIND_PADDING, "blocks")
        return any_of(
            [
                verdict_differs(verdict, expected),
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
        stubs=[VERIFY_BEHIND_PADDING],
        **options,
    )


def verify_behind_padding(machine: Machine, arguments: Sequence[int]) -> None:
    """Stands for the function of this name: notes the verdict and the blocks, and finds the record
    good and empty, which after it is public."""
    result, mac, header, blocks, size, verdict = arguments
    expect(mac == machine.address(Pointer("cbc", 0x18)), "the MAC of the key")
    expect(header == machine.address(Pointer("header")), "the header of the record")
    machine.note(VERIFY_BEHIND_PADDING, machine.read(verdict, 32))
    machine.note("blocks", machine.read(blocks, size))
    for offset in (0, 8, 16, 24):
        machine.write_field(result + offset, 8, 0)
    machine.write_field(result + 32, 1, 0xFF)
