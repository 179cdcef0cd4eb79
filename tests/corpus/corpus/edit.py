"""Edits of recorded conversations, for what no well-behaved peer sends on demand.

An edit that keeps a session provable only moves record borders: the handshake hash covers messages,
not records (RFC 5246 §7.4.9), so both peers could have sent exactly this.
"""

from collections.abc import Callable, Iterator
from itertools import groupby

from corpus.conversation import Direction, Flight
from corpus.wire import ContentType, HandshakeType, records

_Record = tuple[int, int, bytes]


def coalesce_handshake(flights: list[Flight]) -> list[Flight]:
    """Joins the clear handshake messages of each flight into one record."""

    def join(clear: list[_Record]) -> Iterator[_Record]:
        for content_type, run in groupby(clear, key=lambda record: record[0]):
            members = list(run)
            if content_type == ContentType.HANDSHAKE:
                fragment = b"".join(fragment for _, _, fragment in members)
                yield ContentType.HANDSHAKE, members[0][1], fragment
            else:
                yield from members

    return _rewrite_clear(flights, join)


def split_handshake(flights: list[Flight], size: int) -> list[Flight]:
    """Cuts the clear handshake messages into records of at most `size` bytes."""

    def split(clear: list[_Record]) -> Iterator[_Record]:
        for content_type, version, fragment in clear:
            step = size if content_type == ContentType.HANDSHAKE else len(fragment)
            for start in range(0, len(fragment), step):
                yield content_type, version, fragment[start : start + step]

    return _rewrite_clear(flights, split)


def stop_before_client_finished(flights: list[Flight]) -> list[Flight]:
    """The client sends its ClientKeyExchange and is never heard of again; nor is the server."""
    result = []
    for flight in flights:
        kept = b""
        for content_type, version, fragment in records(flight.data):
            if content_type == ContentType.CHANGE_CIPHER_SPEC:
                result.append(Flight(flight.direction, kept))
                return result
            kept += _record(content_type, version, fragment)
        result.append(flight)
    return result


def overstate_encrypted_premaster(flights: list[Flight]) -> list[Flight]:
    """The length in front of the encrypted premaster promises more than the message holds."""

    def change(message: bytes) -> bytes:
        length = int.from_bytes(message[4:6], "big")
        return message[:4] + (length + 64).to_bytes(2, "big") + message[6:]

    return _rewrite_message(flights, Direction.TO_SERVER, HandshakeType.CLIENT_KEY_EXCHANGE, change)


def overstate_server_session_id(flights: list[Flight]) -> list[Flight]:
    """The session id of the ServerHello claims 200 bytes; 32 is the most there can be."""

    def change(message: bytes) -> bytes:
        return message[:38] + b"\xc8" + message[39:]

    return _rewrite_message(flights, Direction.TO_CLIENT, HandshakeType.SERVER_HELLO, change)


def _rewrite_clear(
    flights: list[Flight], rewrite: Callable[[list[_Record]], Iterator[_Record]]
) -> list[Flight]:
    """Rewrites the records of each flight up to the sender's ChangeCipherSpec."""
    result = []
    encrypted: set[Direction] = set()
    for flight in flights:
        if flight.direction in encrypted:
            result.append(flight)
            continue
        all_records = list(records(flight.data))
        types = [content_type for content_type, _, _ in all_records]
        border = len(types)
        if ContentType.CHANGE_CIPHER_SPEC in types:
            border = types.index(ContentType.CHANGE_CIPHER_SPEC)
            encrypted.add(flight.direction)
        changed = [*rewrite(all_records[:border]), *all_records[border:]]
        result.append(Flight(flight.direction, b"".join(_record(*record) for record in changed)))
    return result


def _rewrite_message(
    flights: list[Flight], direction: Direction, kind: int, change: Callable[[bytes], bytes]
) -> list[Flight]:
    """Rewrites the one clear handshake message of that kind; it must have its own record."""

    def rewrite(clear: list[_Record]) -> Iterator[_Record]:
        for content_type, version, fragment in clear:
            if content_type == ContentType.HANDSHAKE and fragment[0] == kind:
                yield content_type, version, change(fragment)
            else:
                yield content_type, version, fragment

    speaks = [flight for flight in flights if flight.direction is direction]
    rewritten = iter(_rewrite_clear(speaks, rewrite))
    return [next(rewritten) if flight.direction is direction else flight for flight in flights]


def _record(content_type: int, version: int, fragment: bytes) -> bytes:
    header = bytes([content_type]) + version.to_bytes(2, "big") + len(fragment).to_bytes(2, "big")
    return header + fragment
