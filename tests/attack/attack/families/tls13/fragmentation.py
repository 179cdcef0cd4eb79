"""Client messages cut at every byte, and joined over a change of keys (RFC 8446 section 5.1).

A cut carries no meaning, but a message must not go on with other keys than it began with.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import UNEXPECTED
from attack.reply import Reply, completes, either, ends_with, fatal
from attack.tls13.client import Client
from attack.wire import Alert, ContentType, HandshakeType, message

_HELLO_LENGTH = 4 + 2 + 32 + 33 + 8 + 2 + 2 + 7 + 10 + 16 + 42 + 6
"""Bytes of a ClientHello."""
_FINISHED_LENGTH = 4 + 32
_CERTIFICATE_LENGTH = 400

_Cut = Callable[[bytes], list[bytes]]

_SPANS = ends_with(Alert.UNEXPECTED_MESSAGE).by("5.1")


def cases(scope: Scope) -> Iterator[Case]:
    """Cuts in two at every place, pieces of every size, and segments."""
    for name, length in {"ClientHello": _HELLO_LENGTH, "Finished": _FINISHED_LENGTH}.items():
        for at in scope.some(range(1, length)):
            yield Case(
                f"{name} cut at {at}",
                completes().by("5.1"),
                partial(_cut, name, partial(_two, at)),
            )
        for size in scope.some((1, 2, 3, 5, 16, 64), 2):
            yield Case(
                f"{name} in records of {size} bytes",
                completes().by("5.1"),
                partial(_cut, name, partial(_pieces, size)),
            )
    for at in scope.some(range(1, _HELLO_LENGTH), 3):
        yield Case(
            f"second ClientHello cut at {at}",
            completes().by("5.1"),
            partial(_second_hello, partial(_two, at)),
        )
    for size in scope.some((1, 2, 5, 7), 2):
        yield Case(
            f"both flights in segments of {size} bytes", completes(), partial(_segments, size)
        )
    for at in scope.some(range(1, 5), 2):
        yield Case(
            f"KeyUpdate cut at {at}",
            completes().by("5.1"),
            partial(_key_update, partial(_two, at)),
        )
    for name, rest in _RESTS.items():
        for run in (_hello_and, _finished_and, _key_update_and):
            # KeyUpdate after Finished, in one record with it: also where it would be due.
            yield Case(f"{run.__doc__} {name}, in one record", _SPANS, partial(run, rest))
    empty = fatal(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR)
    for kind in (ContentType.HANDSHAKE, ContentType.ALERT):
        words = kind.name.lower()
        yield Case(f"empty {words} record first", empty.by("5.1"), partial(_empty_first, kind))
        for place in _EMPTY_PLACES:
            yield Case(
                f"empty {words} record {place}",
                UNEXPECTED.by("5.4"),
                partial(_empty, kind, place),
            )
    yield Case("empty data", completes().by("5.1"), partial(_empty_data, 1))
    yield Case(
        "empty data a thousand times",
        either(completes(), ends_with(Alert.UNEXPECTED_MESSAGE)).by("5.1"),
        partial(_empty_data, 1000),
    )


def cases_with_certificate(scope: Scope) -> Iterator[Case]:
    """The messages of a client that shows a certificate."""
    for at in scope.some(range(1, _CERTIFICATE_LENGTH), 5):
        yield Case(
            f"Certificate to Finished cut at {at}",
            completes().by("5.1"),
            partial(_with_certificate, partial(_two, at)),
        )
    for size in scope.some((1, 3, 64, 1 << 14), 2):
        yield Case(
            f"Certificate to Finished in records of {size} bytes",
            completes().by("5.1"),
            partial(_with_certificate, partial(_pieces, size)),
        )


_RESTS = {
    "the first byte of a message": b"\x18",
    "the header of a message": b"\x18\0\0\1",
    "KeyUpdate": message(HandshakeType.KEY_UPDATE, b"\0"),
    "a byte of a message that is unknown": b"\xff",
}


def _two(at: int, encoded: bytes) -> list[bytes]:
    return [encoded[:at], encoded[at:]]


def _pieces(size: int, encoded: bytes) -> list[bytes]:
    return [encoded[at : at + size] for at in range(0, len(encoded), size)]


def _send(client: Client, encoded: bytes, cut: _Cut | None) -> None:
    for piece in cut(encoded) if cut else [encoded]:
        if piece:
            client.send(ContentType.HANDSHAKE, piece)


def _cut(name: str, cut: _Cut, lab: Lab) -> Reply:
    client = lab.tls13()
    client.sent = client.hello()
    encoded = client.noted(HandshakeType.CLIENT_HELLO, client.encode(client.sent))
    _send(client, encoded, cut if name == "ClientHello" else None)
    client.read_flight()
    client.protect()
    finished = client.noted(HandshakeType.FINISHED, client.verify_data(client.client_secret))
    _send(client, finished, cut if name == "Finished" else None)
    client.use_traffic()
    client.resumption = client.schedule.resumption(client.transcript)
    return client.page()


def _second_hello(cut: _Cut, lab: Lab) -> Reply:
    client = lab.tls13(shares=())
    client.send_hello()
    client.read_retry()
    client.sent = client.second_hello()
    _send(client, client.noted(HandshakeType.CLIENT_HELLO, client.sent.body()), cut)
    client.read_flight()
    return client.complete()


def _segments(size: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.hold()
    client.send_hello()
    held, client._held = client._held, None
    for piece in _pieces(size, held):
        client.send_raw(piece)
    client.read_flight()
    client.hold()
    client.protect()
    client.finished()
    held, client._held = client._held, None
    for piece in _pieces(size, held):
        client.send_raw(piece)
    client.use_traffic()
    return client.page()


def _key_update(cut: _Cut, lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    _send(client, message(HandshakeType.KEY_UPDATE, b"\0"), cut)
    client.write = client.write.updated()
    return client.page()


def _hello_and(rest: bytes, lab: Lab) -> Reply:
    """ClientHello and"""
    client = lab.tls13()
    encoded = message(HandshakeType.CLIENT_HELLO, client.encode(client.hello()))
    client.send(ContentType.HANDSHAKE, encoded + rest)
    return client.reply()


def _finished_and(rest: bytes, lab: Lab) -> Reply:
    """Finished and"""
    client = lab.tls13()
    client.to_flight()
    client.protect()
    finished = message(HandshakeType.FINISHED, client.verify_data(client.client_secret))
    client.send(ContentType.HANDSHAKE, finished + rest)
    return client.reply()


def _key_update_and(rest: bytes, lab: Lab) -> Reply:
    """KeyUpdate and"""
    client = lab.tls13()
    client.handshake()
    client.send(ContentType.HANDSHAKE, message(HandshakeType.KEY_UPDATE, b"\0") + rest)
    return client.reply()


def _with_certificate(cut: _Cut, lab: Lab) -> Reply:
    client = lab.tls13(certificate="ec-p256")
    client.to_flight()
    client.protect()
    body = client.certificate_body(["ec-p256"])
    flight = client.noted(HandshakeType.CERTIFICATE, body)
    flight += client.noted(HandshakeType.CERTIFICATE_VERIFY, client.signature("ec-p256"))
    flight += client.noted(HandshakeType.FINISHED, client.verify_data(client.client_secret))
    _send(client, flight, cut)
    client.use_traffic()
    client.resumption = client.schedule.resumption(client.transcript)
    return client.page()


def _empty_first(kind: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.send(kind, b"")
    return client.reply()


_EMPTY_PLACES = ("after the flight", "within Finished", "after Finished")


def _empty(kind: int, place: str, lab: Lab) -> Reply:
    client = lab.tls13()
    client.to_flight()
    if place == "after Finished":
        client.finish()
    else:
        client.protect()
    client.hold()
    if place == "within Finished":
        finished = message(HandshakeType.FINISHED, client.verify_data(client.client_secret))
        client.send(ContentType.HANDSHAKE, finished[:7])
    client.send(kind, b"")
    client.release()
    return client.reply()


def _empty_data(count: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.hold()
    for _ in range(count):
        client.send(ContentType.APPLICATION_DATA, b"")
    client.release()
    return client.page()
