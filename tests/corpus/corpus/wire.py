"""Reads the clear part of a recorded conversation: what the two hellos agreed on.

The manifest says what stands on the wire, not what a cell asked for; the two are then compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from corpus.conversation import Direction, Flight


class ContentType(IntEnum):
    """The record types that matter here (RFC 5246 §6.2.1)."""

    CHANGE_CIPHER_SPEC = 20
    HANDSHAKE = 22


class HandshakeType(IntEnum):
    """The messages that matter here (RFC 5246 §7.4)."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    CLIENT_KEY_EXCHANGE = 16


_EXTENSION_ENCRYPT_THEN_MAC = 22
_EXTENSION_EXTENDED_MASTER_SECRET = 23
_EXTENSION_SUPPORTED_VERSIONS = 43


@dataclass
class Hellos:
    """What the first handshake of a conversation shows before encryption starts."""

    client_random: bytes = b""
    offered_version: int = 0
    sslv2_framed: bool = False
    protocol: int = 0
    suite_id: int = 0
    ems: bool = False
    etm: bool = False
    client_key_exchange: bytes | None = None


def observe(flights: list[Flight]) -> Hellos:
    """Reads both sides of the first handshake."""
    hellos = Hellos()
    for direction in (Direction.TO_SERVER, Direction.TO_CLIENT):
        stream = b"".join(f.data for f in flights if f.direction is direction)
        if direction is Direction.TO_SERVER and len(stream) > 2 and stream[0] & 0x80:
            stream = _read_sslv2_client_hello(stream, hellos)
        for kind, body in _handshake_messages(stream):
            _read_message(kind, body, hellos)
    return hellos


def records(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, version and fragment of each record; a cut last record is left out."""
    at = 0
    while at + 5 <= len(stream):
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        if at + 5 + length > len(stream):
            return
        version = int.from_bytes(stream[at + 1 : at + 3], "big")
        yield stream[at], version, stream[at + 5 : at + 5 + length]
        at += 5 + length


def _handshake_messages(stream: bytes) -> Iterator[tuple[int, bytes]]:
    clear = b""
    for content_type, _version, fragment in records(stream):
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            break
        if content_type == ContentType.HANDSHAKE:
            clear += fragment
    at = 0
    while at + 4 <= len(clear):
        length = int.from_bytes(clear[at + 1 : at + 4], "big")
        yield clear[at], clear[at + 4 : at + 4 + length]
        at += 4 + length


def _read_message(kind: int, body: bytes, hellos: Hellos) -> None:
    match kind:
        case HandshakeType.CLIENT_HELLO:
            hellos.offered_version = int.from_bytes(body[0:2], "big")
            hellos.client_random = body[2:34]
        case HandshakeType.SERVER_HELLO:
            _read_server_hello(body, hellos)
        case HandshakeType.CLIENT_KEY_EXCHANGE:
            hellos.client_key_exchange = body


def _read_server_hello(body: bytes, hellos: Hellos) -> None:
    hellos.protocol = int.from_bytes(body[0:2], "big")
    at = 35 + body[34]
    hellos.suite_id = int.from_bytes(body[at : at + 2], "big")
    at += 5
    while at + 4 <= len(body):
        kind = int.from_bytes(body[at : at + 2], "big")
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        if kind == _EXTENSION_ENCRYPT_THEN_MAC:
            hellos.etm = True
        elif kind == _EXTENSION_EXTENDED_MASTER_SECRET:
            hellos.ems = True
        elif kind == _EXTENSION_SUPPORTED_VERSIONS:
            hellos.protocol = int.from_bytes(body[at + 4 : at + 6], "big")
        at += 4 + length


def _read_sslv2_client_hello(stream: bytes, hellos: Hellos) -> bytes:
    """Reads a ClientHello in SSL 2.0 framing (RFC 5246 Appendix E.2); returns what follows it."""
    length = int.from_bytes(stream[0:2], "big") & 0x7FFF
    suites, session_id, challenge = (int.from_bytes(stream[at : at + 2], "big") for at in (5, 7, 9))
    start = 11 + suites + session_id
    hellos.sslv2_framed = True
    hellos.offered_version = int.from_bytes(stream[3:5], "big")
    # The challenge is the random, with zeros in front if it is shorter.
    hellos.client_random = stream[start : start + challenge].rjust(32, b"\0")
    return stream[2 + length :]
