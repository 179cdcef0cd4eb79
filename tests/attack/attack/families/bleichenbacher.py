"""Premaster secrets in a wrong encoding, which nobody may notice (RFC 5246 section 7.4.7.1).

The client goes on with the keys of the premaster secret that it meant. A server that hides what it
found answers only to Finished, and always with bad_record_mac: whether the encoding is wrong, or
the encoding is right and Finished is made with other keys. Without Finished it says nothing.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client, nonzero
from attack.reply import Reply, completes, fatal, waits
from attack.suites import Profile
from attack.wire import Alert, flip

_STEP = 0.02
"""Seconds between the messages of a client that sends them one by one."""


@dataclass(frozen=True)
class Kind:
    """A way to encode a premaster secret: gives the block and what the client makes of it."""

    name: str
    make: Callable[[Client], tuple[bytes, bytes]]


def cases(scope: Scope) -> Iterator[Case]:
    """Every kind in every flow, for every profile."""
    # Encrypt-then-MAC changes nothing before the first protected record.
    for profile in scope.profiles(of=lambda profile: not profile.encrypt_then_mac):
        for kind in _VALID:
            for flow in (_at_once, _in_steps):
                yield Case(
                    f"{profile}: {kind.name}, {flow.__doc__}",
                    completes(),
                    partial(_probe, profile, kind, flow),
                )
        for kind in (*MALFORMED, *_OTHER_KEYS):
            for flow in (_at_once, _in_steps):
                yield Case(
                    f"{profile}: {kind.name}, {flow.__doc__}",
                    fatal(Alert.BAD_RECORD_MAC),
                    partial(_probe, profile, kind, flow),
                    group=f"{profile} with Finished",
                )
        for flow in (_key_exchange_only, _without_finished):
            for kind in (*_VALID, *MALFORMED):
                yield Case(
                    f"{profile}: {kind.name}, {flow.__doc__}",
                    waits(),
                    partial(_probe, profile, kind, flow),
                    group=f"{profile} {flow.__doc__}",
                )


def _probe(profile: Profile, kind: Kind, flow: Callable[[Client], Reply], lab: Lab) -> Reply:
    client = lab.client(profile, extended=lab.rng.random() < 0.5)
    client.hello()
    block, premaster = kind.make(client)
    client.hold()
    client.send_key_exchange(client.public_key.encrypt(block))
    client.derive(premaster)
    return flow(client)


def _at_once(client: Client) -> Reply:
    """all in one segment"""
    client.finish()
    client.release()
    return client.complete()


def _in_steps(client: Client) -> Reply:
    """message by message"""
    client.release()
    time.sleep(_STEP)
    client.change_cipher_spec()
    time.sleep(_STEP)
    client.finished()
    return client.complete()


def _key_exchange_only(client: Client) -> Reply:
    """ClientKeyExchange only"""
    client.release()
    return client.reply_after_silence()


def _without_finished(client: Client) -> Reply:
    """without Finished"""
    client.change_cipher_spec()
    client.release()
    return client.reply_after_silence()


def _padded(client: Client, premaster: bytes, *, lead: int = 0, kind: int = 2) -> bytes:
    """An encoding with the two bytes in front to be chosen."""
    return bytes([lead, kind]) + client.pad(premaster)[2:]


def _lead(lead: int, client: Client) -> tuple[bytes, bytes]:
    premaster = client.premaster()
    return _padded(client, premaster, lead=lead), premaster


def _type(kind: int, client: Client) -> tuple[bytes, bytes]:
    premaster = client.premaster()
    return _padded(client, premaster, kind=kind), premaster


def _zero_at(at: int, client: Client) -> tuple[bytes, bytes]:
    """A zero in the padding; from the end of the block when `at` is negative."""
    premaster = client.premaster()
    block = bytearray(client.pad(premaster))
    block[at] = 0
    return bytes(block), premaster


def _separator(byte: int, client: Client) -> tuple[bytes, bytes]:
    """No zero after the padding, and none in the premaster secret either."""
    version = client.premaster()[:2].replace(b"\0", b"\3")
    premaster = version + nonzero(client.rng, 46)
    block = bytearray(client.pad(premaster))
    block[-49] = byte
    return bytes(block), premaster


def _separator_moved(client: Client) -> tuple[bytes, bytes]:
    """The only zero stands one byte into the premaster secret."""
    premaster = client.premaster()[:1] + nonzero(client.rng, 47)
    block = bytearray(client.pad(premaster))
    block[-49], block[-48] = premaster[0], 0
    return bytes(block), premaster


def _length(length: int, client: Client) -> tuple[bytes, bytes]:
    """A premaster secret of another length; negative counts from the longest that fits."""
    if length < 0:
        length += client.public_key.length - 2
    premaster = (client.premaster() + client.rng.randbytes(max(length - 48, 0)))[:length]
    return client.pad(premaster), premaster


def _version(version: Callable[[int], int], client: Client) -> tuple[bytes, bytes]:
    offered = client.premaster()
    number = version(int.from_bytes(offered[:2], "big"))
    premaster = number.to_bytes(2, "big") + offered[2:]
    return client.pad(premaster), premaster


def _random(client: Client) -> tuple[bytes, bytes]:
    block = client.rng.randbytes(client.public_key.length)
    return bytes([block[0] & 0x7F]) + block[1:], client.premaster()


def _filled(byte: int, client: Client) -> tuple[bytes, bytes]:
    """Padding of one byte over and over."""
    premaster = client.premaster()
    count = client.public_key.length - 51
    return b"\0\2" + bytes([byte]) * count + b"\0" + premaster, premaster


def _signature(client: Client) -> tuple[bytes, bytes]:
    """The padding of signatures (RFC 8017 section 9.2)."""
    premaster = client.premaster()
    count = client.public_key.length - 51
    return b"\0\1" + b"\xff" * count + b"\0" + premaster, premaster


def _bare(client: Client) -> tuple[bytes, bytes]:
    """The premaster secret as a number, without padding."""
    premaster = client.premaster()
    return premaster.rjust(client.public_key.length, b"\0"), premaster


def _in_front(client: Client) -> tuple[bytes, bytes]:
    """The premaster secret where the padding should be."""
    premaster = client.premaster()[:2] + nonzero(client.rng, 46)
    rest = client.public_key.length - 51
    return b"\0\2" + premaster + b"\0" + client.rng.randbytes(rest), premaster


def _number(number: int, client: Client) -> tuple[bytes, bytes]:
    return number.to_bytes(client.public_key.length, "big"), client.premaster()


def _good(client: Client) -> tuple[bytes, bytes]:
    premaster = client.premaster()
    return client.pad(premaster), premaster


def _with_zeroes(client: Client) -> tuple[bytes, bytes]:
    premaster = client.premaster()[:2] + bytes(46)
    return client.pad(premaster), premaster


def _threes(client: Client) -> tuple[bytes, bytes]:
    """The mark of a client that would speak SSL 3.0 had it not been for SSL 2.0 (RFC 6101 E.3)."""
    premaster = client.premaster()
    block = bytearray(client.pad(premaster))
    block[-57:-49] = b"\3" * 8
    return bytes(block), premaster


def _other_finished(at: int, client: Client) -> tuple[bytes, bytes]:
    """A good block; the client then uses a premaster secret that differs in one bit."""
    block, premaster = _good(client)
    return block, flip(premaster, at)


_VALID = (
    Kind("good encoding", _good),
    Kind("premaster secret full of zeros", _with_zeroes),
    Kind("padding that ends in eight threes", _threes),
)

MALFORMED = (
    Kind("first byte 1", partial(_lead, 1)),
    Kind("first byte 0x7f", partial(_lead, 0x7F)),
    Kind("block type 0", partial(_type, 0)),
    Kind("block type 1", partial(_type, 1)),
    Kind("block type 3", partial(_type, 3)),
    Kind("block type 255", partial(_type, 255)),
    Kind("padding of a signature", _signature),
    Kind("no separator", partial(_separator, 1)),
    Kind("no separator, but 255", partial(_separator, 255)),
    Kind("separator one byte late", _separator_moved),
    Kind("zero in first byte of padding", partial(_zero_at, 2)),
    Kind("zero in second byte of padding", partial(_zero_at, 3)),
    Kind("zero in eighth byte of padding", partial(_zero_at, 9)),
    Kind("zero in ninth byte of padding", partial(_zero_at, 10)),
    Kind("zero in the middle of the padding", partial(_zero_at, 100)),
    Kind("zero in last byte of padding", partial(_zero_at, -50)),
    Kind("padding of zeros", partial(_filled, 0)),
    Kind("premaster secret of 0 bytes", partial(_length, 0)),
    Kind("premaster secret of 1 byte", partial(_length, 1)),
    Kind("premaster secret of 2 bytes", partial(_length, 2)),
    Kind("premaster secret of 4 bytes", partial(_length, 4)),
    Kind("premaster secret of 46 bytes", partial(_length, 46)),
    Kind("premaster secret of 47 bytes", partial(_length, 47)),
    Kind("premaster secret of 49 bytes", partial(_length, 49)),
    Kind("premaster secret of 50 bytes", partial(_length, 50)),
    Kind("premaster secret of 96 bytes", partial(_length, 96)),
    Kind("premaster secret of 124 bytes", partial(_length, 124)),
    Kind("padding of 8 bytes", partial(_length, -9)),
    Kind("padding of 1 byte", partial(_length, -2)),
    Kind("padding of 0 bytes", partial(_length, -1)),
    Kind("version 0.0", partial(_version, lambda _: 0x0000)),
    Kind("version 2.2", partial(_version, lambda _: 0x0202)),
    Kind("version 255.255", partial(_version, lambda _: 0xFFFF)),
    Kind("one version lower", partial(_version, lambda offered: offered - 1)),
    Kind("one version higher", partial(_version, lambda offered: offered + 1)),
    Kind("one major version higher", partial(_version, lambda offered: offered + 0x100)),
    Kind("random block", _random),
    Kind("premaster secret without padding", _bare),
    Kind("premaster secret in front", _in_front),
    Kind("the number 2", partial(_number, 2)),
)

_OTHER_KEYS = (
    Kind("good encoding, Finished of other keys", partial(_other_finished, 2)),
    Kind("good encoding, Finished of almost the same keys", partial(_other_finished, 47)),
)
