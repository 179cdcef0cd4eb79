"""Early data: too much of it, replayed, refused and passed over, and what ends it.

So RFC 8446 sections 4.2.10, 4.5 and 8.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.families.tls13 import BAD_RECORD, UNEXPECTED
from attack.reply import Reply, completes, either, ends_with, fatal
from attack.tls13.client import Client
from attack.tls13.protection import Tamper
from attack.tls13.schedule import Psk
from attack.tls13.suites import AES128_GCM
from attack.wire import (
    MAX_FRAGMENT,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    flip,
    message,
    record,
)

_DATA = ContentType.APPLICATION_DATA
_END = message(HandshakeType.END_OF_EARLY_DATA, b"")
_SUITES = [AES128_GCM.id]


def cases(scope: Scope) -> Iterator[Case]:
    """With a server that takes early data."""
    yield Case("taken, as the request", completes().by("2.3"), _taken)
    yield Case("taken, in pieces of a byte", completes().by("2.3"), partial(_pieces, 1))
    yield Case("taken, none sent", completes().by("4.5"), partial(_pieces, 0))
    yield Case("replayed at once", completes().by("8"), _replayed)
    yield Case("replayed, another random", completes().by("8"), _ticket_twice)
    for skew in (60_000, 3_600_000, -60_000):
        yield Case(
            f"with an age that is {skew} ms off", completes().by("8.3"), partial(_skewed, skew)
        )
    yield Case("as much as there may be", either(completes(), ends_with_data()), partial(_much, 0))
    for more in scope.some((1, 100, 5000), 2):
        yield Case(
            f"{more} bytes more than there may be",
            ends_with(Alert.UNEXPECTED_MESSAGE).by("4.2.10"),
            partial(_much, more),
        )
    for name, (make, expected) in _ENDS.items():
        yield Case(f"ended by {name}", expected, partial(_ended, make))
    for bit in scope.some(range(128), 4):
        yield Case(
            f"with bit {bit} of a tag changed",
            BAD_RECORD.by("5.2"),
            partial(_damaged, bit),
            group="damaged",
        )
    for kind in (20, 24, 0, 255):
        yield Case(f"a record with inner type {kind}", UNEXPECTED.by("5"), partial(_of_type, kind))
    for name, body in {
        "ClientHello": message(HandshakeType.CLIENT_HELLO, bytes(60)),
        "KeyUpdate": message(HandshakeType.KEY_UPDATE, b"\0"),
        "Finished": message(HandshakeType.FINISHED, bytes(32)),
    }.items():
        yield Case(f"{name} within it", UNEXPECTED.by("4.5"), partial(_message_within, body))
    yield Case("with the second of two keys", completes().by("4.2.10"), _second_key)
    yield Case("with another suite than the ticket's", completes().by("4.2.10"), _other_suite)
    yield from _refused("and a retry", {"shares": ()}, scope)
    yield Case(
        "extension with content",
        fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER).by("4.2.10"),
        _with_content,
    )
    yield Case("again in the second hello", fatal(Alert.ILLEGAL_PARAMETER).by("4.2.10"), _in_second)


def cases_of_refusal(scope: Scope) -> Iterator[Case]:
    """With a server that refuses all of it."""
    yield from _refused("and refused", {}, scope)
    yield Case("EndOfEarlyData all the same", UNEXPECTED.by("4.5"), _end_unasked)
    yield Case(
        "passed over, and on with it after Finished",
        BAD_RECORD.by("4.2.10"),
        _after_finished,
    )
    yield Case("no limit for tickets", completes().by("4.6.1"), _no_limit)


def ends_with_data():
    """The server closes on a request that is too long for it."""
    return ends_with(Alert.UNEXPECTED_MESSAGE)


def _refused(words: str, offer: dict, scope: Scope) -> Iterator[Case]:
    """Section 4.2.10: records that do not open are passed over, up to some length."""
    for count in scope.some((0, 1, 2, 16, 100), 3):
        yield Case(
            f"{count} records {words}", completes().by("4.2.10"), partial(_skipped, offer, count)
        )
    yield Case(
        f"a megabyte of records {words}",
        either(
            completes(),
            ends_with(Alert.UNEXPECTED_MESSAGE, Alert.BAD_RECORD_MAC, Alert.RECORD_OVERFLOW),
        ).by("4.2.10"),
        partial(_flood, offer),
    )


def _ticket(lab: Lab) -> Psk:
    return lab.ticket(suites=_SUITES)


def _early(lab: Lab, psk: Psk | None = None, **offer) -> Client:
    """A client that has sent its hello, and goes on with early data."""
    psk = psk or _ticket(lab)
    client = lab.tls13(**({"suites": _SUITES, "psks": [psk], "early_data": True} | offer))
    client.send_hello()
    return client


def _is_taken(client: Client) -> bool:
    return Extension.EARLY_DATA in (client.server.extensions or {})


def _on(client: Client, *, taken: bool) -> Reply:
    """Finishes, and asks for a page unless it was asked for early."""
    client.read_flight()
    words = "the server refuses early data" if taken else "the server takes early data"
    client.require(_is_taken(client) == taken, words)
    client.finish()
    return client.reply() if taken else client.page()


def _taken(lab: Lab) -> Reply:
    client = _early(lab)
    client.send(_DATA, REQUEST)
    return _on(client, taken=True)


def _pieces(size: int, lab: Lab) -> Reply:
    client = _early(lab)
    for at in range(0, len(REQUEST) if size else 0, size or 1):
        client.send(_DATA, REQUEST[at : at + size])
    if size:
        return _on(client, taken=True)
    client.read_flight()
    client.require(_is_taken(client), "the server refuses early data")
    return client.complete()


def _replayed(lab: Lab) -> Reply:
    """The same bytes to the same server; whoever recorded them can do that without any key."""
    first = _early(lab)
    first.send(_DATA, REQUEST)
    first.read_flight()
    first.require(_is_taken(first), "the server refuses early data")
    second = lab.tls13(suites=_SUITES, psks=first.offer.psks, early_data=True)
    second.random, second.session_id, second.keys = first.random, first.session_id, first.keys
    second.sent, second.transcript = first.sent, first.first
    second.suite = AES128_GCM
    second.send_raw(record(ContentType.HANDSHAKE, 0x0301, first.first))
    second.write = second.protection(first.early_secret)
    second.send(_DATA, REQUEST)
    return _on(second, taken=False)


def _ticket_twice(lab: Lab) -> Reply:
    """Each ticket is good for early data once, whatever the hello says."""
    psk = _ticket(lab)
    first = _early(lab, psk)
    first.send(_DATA, REQUEST)
    first.read_flight()
    first.require(_is_taken(first), "the server refuses early data")
    first.finish()
    first.reply()
    second = _early(lab, psk)
    second.send(_DATA, REQUEST)
    second.read_flight()
    if _is_taken(second):
        # Another hello is no replay of the first (section 8.2).
        second.finish()
        return second.reply()
    return second.complete()


def _skewed(skew: int, lab: Lab) -> Reply:
    client = _early(lab, skew=skew)
    client.send(_DATA, REQUEST)
    return _on(client, taken=False)


def _much(more: int, lab: Lab) -> Reply:
    psk = _ticket(lab)
    client = _early(lab, psk)
    client.require(0 < psk.most_early_data <= 1 << 22, "the limit is none")
    rest = psk.most_early_data + more
    # A request whose end never comes early.
    client.hold()
    client.send(_DATA, b"GET / HTTP/1.0\r\nX: "[:rest])
    rest -= 19
    while rest > 0:
        client.send(_DATA, b"x" * min(rest, MAX_FRAGMENT))
        rest -= MAX_FRAGMENT
    client.release()
    if not client.read_until(lambda: client.server.finished):
        return client.reply()
    client.require(_is_taken(client), "the server refuses early data")
    client.hold()
    client.finish()
    client.send(_DATA, b"\r\n\r\n")
    client.release()
    return client.reply()


_MISSING = ends_with(Alert.BAD_RECORD_MAC, Alert.UNEXPECTED_MESSAGE).by("4.5")
_MISPLACED = ends_with(Alert.UNEXPECTED_MESSAGE).by("4.5")


def _finished(client: Client) -> None:
    client.protect()
    client.finished()


def _ends_twice(client: Client) -> None:
    client.send(ContentType.HANDSHAKE, _END)
    client.send(ContentType.HANDSHAKE, _END)


def _ends_with_finished(client: Client) -> None:
    """Finished in the record of EndOfEarlyData, with its keys."""
    end = client.noted(HandshakeType.END_OF_EARLY_DATA, b"")
    finished = message(HandshakeType.FINISHED, client.verify_data(client.client_secret))
    client.send(ContentType.HANDSHAKE, end + finished)


def _ends_and_goes_on(client: Client) -> None:
    client.send(ContentType.HANDSHAKE, _END)
    client.send(_DATA, b"more")


def _ends_with_new_keys(client: Client) -> None:
    client.protect()
    client.send(ContentType.HANDSHAKE, _END)


_ENDS: dict[str, tuple[Callable[[Client], None], object]] = {
    "Finished": (_finished, _MISSING),
    "EndOfEarlyData twice": (_ends_twice, _MISSING),
    "EndOfEarlyData and Finished in one record": (_ends_with_finished, _MISPLACED),
    "EndOfEarlyData, and more of it": (_ends_and_goes_on, _MISSING),
    "EndOfEarlyData with the keys of the handshake": (_ends_with_new_keys, _MISSING),
    "EndOfEarlyData with content": (
        lambda client: client.send(ContentType.HANDSHAKE, message(5, b"\0")),
        ends_with(Alert.DECODE_ERROR, Alert.UNEXPECTED_MESSAGE).by("4.5"),
    ),
    "EndOfEarlyData in the clear": (
        lambda client: client.send_clear(ContentType.HANDSHAKE, _END),
        _MISPLACED,
    ),
    "half of EndOfEarlyData, then data": (
        lambda client: (client.send(ContentType.HANDSHAKE, _END[:2]), client.send(_DATA, b"x")),
        _MISPLACED,
    ),
    "data with the keys of application data": (
        lambda client: (client.use_traffic(), client.send(_DATA, REQUEST)),
        _MISSING,
    ),
}


def _ended(make: Callable[[Client], None], lab: Lab) -> Reply:
    client = _early(lab)
    client.send(_DATA, REQUEST[:5])
    client.read_flight()
    client.require(_is_taken(client), "the server refuses early data")
    make(client)
    return client.reply()


def _damaged(bit: int, lab: Lab) -> Reply:
    """Behind a record that opens, nothing is passed over."""
    client = _early(lab)
    client.send(_DATA, REQUEST[:5])
    client.read_flight()
    client.require(_is_taken(client), "the server refuses early data")
    at = bit // 8 - 16
    client.send(_DATA, b"rest", Tamper(fragment=lambda it: flip(it, at, 1 << bit % 8)))
    return client.reply()


def _of_type(kind: int, lab: Lab) -> Reply:
    client = _early(lab)
    client.send(_DATA, REQUEST[:5])
    client.read_flight()
    client.send(kind, b"\1")
    return client.reply()


def _message_within(body: bytes, lab: Lab) -> Reply:
    client = _early(lab)
    client.send(_DATA, REQUEST[:5])
    client.read_flight()
    client.send(ContentType.HANDSHAKE, body)
    return client.reply()


def _second_key(lab: Lab) -> Reply:
    """It is bound to the first one, which nobody knows."""
    unknown = Psk(lab.rng.randbytes(200), lab.rng.randbytes(32), AES128_GCM)
    psk = _ticket(lab)
    client = lab.tls13(suites=_SUITES, psks=[unknown, psk], early_data=True)
    client.send_hello()
    client.send(_DATA, REQUEST)
    return _on(client, taken=False)


def _other_suite(lab: Lab) -> Reply:
    client = _early(lab, suites=[0x1303])
    client.send(_DATA, REQUEST)
    return _on(client, taken=False)


def _skipped(offer: dict, count: int, lab: Lab) -> Reply:
    client = _early(lab, **offer)
    for _ in range(count):
        client.send(_DATA, REQUEST)
    return _on(client, taken=False)


def _flood(offer: dict, lab: Lab) -> Reply:
    client = _early(lab, **offer)
    client.hold()
    for _ in range(64):
        client.send(_DATA, bytes(MAX_FRAGMENT))
    client.release()
    reached = client.read_until(lambda: client.server.finished or client.server.retry)
    if not reached:
        return client.reply()
    if client.server.retry and not client.server.finished:
        client.write = None
        client.mark()
        client.send_hello(client.second_hello())
        if not client.read_until(lambda: client.server.finished):
            return client.reply()
    client.mark()
    client.require(not _is_taken(client), "the server takes early data")
    return client.complete()


def _end_unasked(lab: Lab) -> Reply:
    client = _early(lab)
    client.read_flight()
    client.require(not _is_taken(client), "the server takes early data")
    client.protect()
    client.send(ContentType.HANDSHAKE, _END)
    return client.reply()


def _after_finished(lab: Lab) -> Reply:
    client = _early(lab)
    early = client.write
    client.send(_DATA, b"early")
    client.read_flight()
    client.require(not _is_taken(client), "the server takes early data")
    client.finish()
    client.write = early
    return client.page()


def _no_limit(lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    reply = client.page()
    for psk in client.server.tickets:
        client.require(psk.most_early_data == 0, "a ticket allows early data")
    return reply


def _with_content(lab: Lab) -> Reply:
    psk = _ticket(lab)
    client = lab.tls13(suites=_SUITES, psks=[psk], early_data=True)
    hello = client.hello()
    hello.put(Extension.EARLY_DATA, b"\0")
    client.send_hello(hello)
    return client.reply()


def _in_second(lab: Lab) -> Reply:
    client = _early(lab, shares=())
    client.read_retry()
    client.write = None
    hello = client.second_hello()
    hello.extensions.insert(0, (Extension.EARLY_DATA, b""))
    client.send_hello(hello)
    return client.reply()
