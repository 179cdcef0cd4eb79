"""Every client message cut at every boundary, in records and in TCP segments.

Cuts carry no meaning (RFC 5246 section 6.2.1): the handshake must complete.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.reply import Reply, completes
from attack.suites import Profile
from attack.wire import ContentType, HandshakeType, Version, message, record

_HELLO = "ClientHello"
_KEY_EXCHANGE = "ClientKeyExchange"
_FINISHED = "Finished"

_Cut = Callable[[bytes], list[bytes]]

_STEP = 0.02
"""Seconds between two bytes of a slow client."""

_KEY_EXCHANGE_LENGTH = 262
"""Bytes of the message with a ciphertext of 2048 bits."""


def cases(scope: Scope) -> Iterator[Case]:
    """Cuts in two at every place, and pieces of every size."""
    for profile in scope.versions():
        for name, length in _lengths(profile).items():
            for at in scope.some(range(1, length)):
                yield _records(profile, name, f"cut at {at}", partial(_two, at))
            for size in scope.some((1, 2, 3, 5, 16, 64), 2):
                yield _records(profile, name, f"in records of {size} bytes", partial(_pieces, size))
        for size in (1, 2, 5, 7):
            yield Case(
                f"{profile}: whole flight in segments of {size} bytes",
                completes(),
                partial(_segments, profile, size),
            )
        yield Case(
            f"{profile}: ClientHello a byte at a time, slowly",
            completes(),
            partial(_slowly, profile),
        )
        for at in scope.some(range(1, 12)):
            yield Case(
                f"{profile}: segments cut {at} bytes into a record",
                completes(),
                partial(_segment_cut, profile, at),
            )


def _records(profile: Profile, name: str, how: str, cut: _Cut) -> Case:
    return Case(f"{profile}: {name} {how}", completes(), partial(_cut, profile, name, cut))


def _lengths(profile: Profile) -> dict[str, int]:
    ssl3 = profile.version == Version.SSL3
    extensions = 0 if ssl3 else 2 + 4
    return {
        _HELLO: 4 + 2 + 32 + 1 + 2 + 4 + 2 + extensions,
        _KEY_EXCHANGE: _KEY_EXCHANGE_LENGTH - (2 if ssl3 else 0),
        _FINISHED: 4 + (36 if ssl3 else 12),
    }


def _cut(profile: Profile, name: str, cut: _Cut, lab: Lab) -> Reply:
    client = lab.client(profile)
    hello = client.noted(HandshakeType.CLIENT_HELLO, client.hello_body())
    _send(client, hello, cut if name == _HELLO else None)
    client.read_flight()
    body, premaster = client.new_key_exchange()
    key_exchange = client.noted(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    _send(client, key_exchange, cut if name == _KEY_EXCHANGE else None)
    client.derive(premaster)
    client.change_cipher_spec()
    finished = message(HandshakeType.FINISHED, client.verify_data())
    client.transcript += finished
    _send(client, finished, cut if name == _FINISHED else None)
    return client.complete()


def _send(client: Client, encoded: bytes, cut: _Cut | None) -> None:
    for piece in cut(encoded) if cut else [encoded]:
        client.send(ContentType.HANDSHAKE, piece)


def _two(at: int, encoded: bytes) -> list[bytes]:
    return [encoded[:at], encoded[at:]]


def _pieces(size: int, encoded: bytes) -> list[bytes]:
    return [encoded[at : at + size] for at in range(0, len(encoded), size)]


def _flight(client: Client) -> bytes:
    """The client's second flight, as one string of records."""
    body, premaster = client.new_key_exchange()
    encoded = client.noted(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    flight = client.sealed(ContentType.HANDSHAKE, encoded)
    client.derive(premaster)
    flight += client.sealed(ContentType.CHANGE_CIPHER_SPEC, b"\1")
    client.protect()
    finished = client.noted(HandshakeType.FINISHED, client.verify_data())
    return flight + client.sealed(ContentType.HANDSHAKE, finished)


def _segments(profile: Profile, size: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    hello = client.noted(HandshakeType.CLIENT_HELLO, client.hello_body())
    for piece in _pieces(size, record(ContentType.HANDSHAKE, client.record_version, hello)):
        client.send_raw(piece)
    client.read_flight()
    for piece in _pieces(size, _flight(client)):
        client.send_raw(piece)
    return client.complete()


def _slowly(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    hello = client.noted(HandshakeType.CLIENT_HELLO, client.hello_body())
    for byte in record(ContentType.HANDSHAKE, client.record_version, hello):
        client.send_raw(bytes([byte]))
        time.sleep(_STEP)
    client.read_flight()
    client.key_exchange()
    client.finish()
    return client.complete()


def _segment_cut(profile: Profile, at: int, lab: Lab) -> Reply:
    """Each flight stops for a moment within a record's header or shortly after it."""
    client = lab.client(profile)
    hello = client.noted(HandshakeType.CLIENT_HELLO, client.hello_body())
    _paused(client, record(ContentType.HANDSHAKE, client.record_version, hello), at)
    client.read_flight()
    _paused(client, _flight(client), at)
    return client.complete()


def _paused(client: Client, data: bytes, at: int) -> None:
    client.send_raw(data[:at])
    time.sleep(0.02)
    client.send_raw(data[at:])
