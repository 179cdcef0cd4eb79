"""What the routines compute, by the RFCs, in a form that a person can check."""

from collections.abc import Sequence
from dataclasses import dataclass

from claripy import BVV, UGT, ULE, And, Concat, If, LShR, Or, ZeroExt
from claripy.ast.bool import Bool
from claripy.ast.bv import BV


def premaster(
    block: Sequence[BV], accepted: Sequence[BV], any_version: Bool, fallback: Sequence[BV]
) -> list[BV]:
    """RFC 8017 section 7.2.2 and RFC 5246 section 7.4.7.1: 00 02, padding without a zero, 00, and
    48 bytes that begin with an accepted version; else the fallback."""
    secret = block[-48:]
    version = Concat(secret[0], secret[1])
    good = And(
        block[0] == 0,
        block[1] == 2,
        *(byte != 0 for byte in block[2:-49]),
        block[-49] == 0,
        Or(any_version, *(version == one for one in accepted)),
    )
    return [If(good, ours, other) for ours, other in zip(secret, fallback, strict=True)]


@dataclass(frozen=True)
class Padding:
    """What is known of a record without its padding."""

    good: Bool
    payload_len: BV
    bounds: tuple[int, int]


def padding(blocks: Sequence[BV], mac_len: int, ssl3_block_len: int | None) -> Padding:
    """RFC 5246 section 6.2.3.2: up to 256 bytes, each one less than their number. In SSL 3.0 (RFC
    6101 section 5.2.3.2) only the last byte is, and there are no more than a block. Where it is
    bad, one byte is taken for padding."""
    room = len(blocks) - mac_len
    longest = min(room, ssl3_block_len or 256)
    last = blocks[-1] if blocks else BVV(0, 8)
    length = ZeroExt(56, last) + 1
    good = ULE(length, longest)
    if ssl3_block_len is None:
        tail = enumerate(reversed(blocks[-256:]))
        good = And(good, *(Or(ULE(length, i), byte == last) for i, byte in tail))
    return Padding(good, room - If(good, length, BVV(1, 64)), (room - longest, room - 1))


@dataclass(frozen=True)
class Hash:
    """Names and lengths of a hash, and whether it counts bits in little endian."""

    name: str
    rust_name: str
    output_len: int
    block_len: int = 64
    is_little: bool = False


def padded(message: Sequence[BV], length: BV, hash: Hash, size: int) -> list[tuple[Bool, BV]]:
    """RFC 1321 section 3, FIPS 180-4 section 5.1: the first `length` bytes of a message, 80,
    zeros, and the number of bits at the end of the last block. Of the first `size` bytes of that,
    whether there is one, and which."""
    bits = length << 3
    order = range(8) if hash.is_little else range(7, -1, -1)
    count = [bits[8 * byte + 7 : 8 * byte] for byte in order]
    end = (last_block(length, hash) + 1) * hash.block_len
    result = []
    for at in range(size):
        byte = If(length == at, BVV(0x80, 8), BVV(0, 8))
        if at < len(message):
            byte = If(UGT(length, at), message[at], byte)
        # Only the last eight bytes of a block can be the count.
        if (place := at % hash.block_len - hash.block_len + 8) >= 0:
            byte = If(end == at + 8 - place, count[place], byte)
        result.append((UGT(end, at), byte))
    return result


def last_block(length: BV, hash: Hash) -> BV:
    """The number of the last block: the 80 and the count have room in it."""
    shift = hash.block_len.bit_length() - 1
    return LShR(length + hash.block_len // 8, shift)


def mac_matches(
    blocks: Sequence[BV], payload_len: BV, bounds: tuple[int, int], mac: Sequence[BV]
) -> Bool:
    """RFC 5246 section 6.2.3.1: the MAC stands right behind the payload."""
    shortest, longest = bounds
    return Or(
        *(
            And(payload_len == at, *(blocks[at + i] == byte for i, byte in enumerate(mac)))
            for at in range(shortest, longest + 1)
        )
    )
