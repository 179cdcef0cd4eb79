"""Records of TLS 1.3 that are too long, empty inside, damaged, or of another kind.

So RFC 8446 section 5. Whatever does not open has one answer.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.families.tls13 import BAD_RECORD, TOO_LONG, UNEXPECTED, long_request, to_flight
from attack.reply import Reply, closes, completes, either, ends_with, fatal
from attack.tls13 import schedule
from attack.tls13.client import Client
from attack.tls13.protection import Tamper
from attack.tls13.suites import Suite
from attack.wire import MAX_FRAGMENT, Alert, ContentType, HandshakeType, flip, message, record

_DATA = ContentType.APPLICATION_DATA
_PLACES: dict[str, Callable[[Client], None]] = {
    "Finished": to_flight,
    "data": lambda client: client.handshake(),
}
_NOTHING = fatal(Alert.UNEXPECTED_MESSAGE, Alert.BAD_RECORD_MAC, Alert.DECODE_ERROR)
_EXPANSION = 256
"""Bytes that encryption may add (section 5.2)."""


def cases(scope: Scope) -> Iterator[Case]:
    """With every suite: damage. With the first: all lengths and types."""
    for suite in scope.some(scope.suites, 2):
        yield Case(f"{suite}: good", completes(), partial(_tampered, suite, "data", Tamper()))
        yield from _damaged(suite, scope)
    suite = scope.suites[0]
    yield from _lengths(suite, scope)
    yield from _inner(suite, scope)
    yield from _headers(suite, scope)
    yield from _keys(suite)
    yield from _in_the_clear(scope)


def _damaged(suite: Suite, scope: Scope) -> Iterator[Case]:
    for place in _PLACES:
        group = f"{suite} {place}"
        length = 4 + suite.hash_length if place == "Finished" else len(REQUEST)
        for bit in scope.some(range(8 * suite.tag_length), 5):
            at = bit // 8 - suite.tag_length
            yield Case(
                f"{suite}: {place} with bit {bit} of the tag changed",
                BAD_RECORD.by("5.2"),
                partial(_changed, suite, place, at, 1 << bit % 8),
                group,
            )
        for at in scope.some(range(length + 1), 3):
            yield Case(
                f"{suite}: {place} with byte {at} changed",
                BAD_RECORD.by("5.2"),
                partial(_changed, suite, place, at, 1 << at % 8),
                group,
            )
        for name, change in {
            "first half": lambda it: it[: len(it) // 2],
            "without its last byte": lambda it: it[:-1],
            "with a byte behind it": lambda it: it + b"\0",
            "zeros": lambda it: bytes(len(it)),
            "twice": lambda it: it * 2,
            "the tag alone": lambda it: it[-suite.tag_length :],
        }.items():
            yield Case(
                f"{suite}: {place}: {name}",
                BAD_RECORD.by("5.2"),
                partial(_tampered, suite, place, Tamper(fragment=change)),
                group,
            )
        for count in scope.some(range(suite.tag_length + 1), 3):
            yield Case(
                f"{suite}: {place}: {count} bytes of ciphertext",
                fatal(Alert.BAD_RECORD_MAC, Alert.DECODE_ERROR, Alert.UNEXPECTED_MESSAGE).by("5.2"),
                partial(
                    _tampered,
                    suite,
                    place,
                    Tamper(fragment=partial(lambda count, it: it[:count], count)),
                ),
            )
    for run in (_twice, _left_out, _swapped):
        yield Case(f"{suite}: {run.__doc__}", ends_with(Alert.BAD_RECORD_MAC), partial(run, suite))


def _lengths(suite: Suite, scope: Scope) -> Iterator[Case]:
    yield Case(
        f"a request of {MAX_FRAGMENT} bytes",
        either(completes(), closes()).by("5.1"),
        partial(_request, suite, long_request(MAX_FRAGMENT), Tamper()),
    )
    padding = MAX_FRAGMENT - len(REQUEST)
    for count in scope.some((1, 255, 8192, padding - 1, padding), 3):
        yield Case(
            f"a request with {count} bytes of padding",
            completes().by("5.4"),
            partial(_request, suite, REQUEST, Tamper(padding=count)),
        )
    # 2^14 + 1 bytes of inner plaintext are allowed, with the type.
    for count in scope.some((padding + 1, padding + 2, padding + 200), 2):
        yield Case(
            f"a request with {count} bytes of padding",
            TOO_LONG.by("5.4"),
            partial(_request, suite, REQUEST, Tamper(padding=count)),
        )
    for length in scope.some((MAX_FRAGMENT + 1, MAX_FRAGMENT + 200), 1):
        yield Case(
            f"a request of {length} bytes, well protected",
            TOO_LONG.by("5.1, 5.4"),
            partial(_request, suite, long_request(length), Tamper()),
        )
        yield Case(
            f"{length} bytes instead of Finished, well protected",
            TOO_LONG.by("5.1, 5.4"),
            partial(_long_message, suite, length),
        )
    for place in _PLACES:
        for length in (MAX_FRAGMENT + _EXPANSION - 1, MAX_FRAGMENT + _EXPANSION):
            yield Case(
                f"{length} random bytes as {place}",
                BAD_RECORD.by("5.2"),
                partial(_random, suite, place, length, True),
            )
        for length in (MAX_FRAGMENT + _EXPANSION + 1, 0xFFFF):
            # The header says it.
            for whole in (True, False):
                words = "" if whole else ", the header only"
                yield Case(
                    f"{length} random bytes as {place}{words}",
                    TOO_LONG.by("5.2"),
                    partial(_random, suite, place, length, whole),
                )


def _inner(suite: Suite, scope: Scope) -> Iterator[Case]:
    for place in _PLACES:
        for count in scope.some((0, 1, 2, 16, 1000, MAX_FRAGMENT, MAX_FRAGMENT + 1)):
            yield Case(
                f"{count} zeros inside, as {place}",
                # A record of a tag alone has no room for a type.
                (UNEXPECTED if count else _NOTHING).by("5.4"),
                partial(_tampered, suite, place, Tamper(inner=lambda _, count=count: bytes(count))),
                group=f"zeros as {place}" if count else "",
            )
        for kind in scope.some((*range(1, 20), 20, *range(24, 31), 64, 128, 254, 255), 8):
            yield Case(
                f"inner type {kind} as {place}",
                UNEXPECTED.by("5"),
                partial(_of_type, suite, place, kind),
                group=f"inner type as {place}",
            )
    yield Case("data as an alert", closes_or_unexpected(), partial(_of_type, suite, "data", 21))


def closes_or_unexpected():
    """What is in the record is no alert."""
    return either(
        closes(), fatal(Alert.DECODE_ERROR, Alert.UNEXPECTED_MESSAGE, Alert.ILLEGAL_PARAMETER)
    ).by("5.1, 6")


def _headers(suite: Suite, scope: Scope) -> Iterator[Case]:
    for place in _PLACES:
        for kind in (20, 21, 22, 24, 0, 255):
            expected = fatal(Alert.UNEXPECTED_MESSAGE, Alert.BAD_RECORD_MAC, Alert.DECODE_ERROR)
            yield Case(
                f"{place} in a record of type {kind}",
                (either(expected, closes()) if kind == 21 else expected).by("5.2"),
                partial(_tampered, suite, place, Tamper(outer_type=kind)),
            )
        for version in scope.some((0x0301, 0x0302, 0x0304, 0x0300, 0x0000, 0xFFFF), 2):
            # It has no meaning; but who has it in another record than the first is no client.
            yield Case(
                f"{place} in a record of version {version:#06x}",
                either(completes(), fatal(Alert.PROTOCOL_VERSION, Alert.BAD_RECORD_MAC)).by(
                    "5.1, 5.2"
                ),
                partial(_finishing, suite, place, Tamper(version=version)),
            )
        for name, covered in {
            "nothing": lambda _: b"",
            "the type alone": lambda it: it[:1],
            "another version": lambda it: it[:1] + b"\3\4" + it[3:],
            "another length": lambda it: it[:3] + b"\0\1",
            "what TLS 1.2 covers": lambda it: bytes(8) + it,
        }.items():
            yield Case(
                f"{place}, with a tag that covers {name}",
                BAD_RECORD.by("5.2"),
                partial(_tampered, suite, place, Tamper(covered=covered)),
                group=f"{suite} {place}",
            )


def _keys(suite: Suite) -> Iterator[Case]:
    for name, secret in {
        "the keys of the handshake": lambda client: client.client_secret,
        "the server's keys": lambda client: client.server_traffic,
        "the server's keys of the handshake": lambda client: client.server_secret,
        "the next keys": lambda client: schedule.updated(client.suite, client.client_traffic),
        "keys of zeros": lambda client: bytes(client.suite.hash_length),
    }.items():
        yield Case(
            f"data with {name}",
            BAD_RECORD.by("5.2"),
            partial(_with_keys, suite, secret),
            group=f"{suite} data",
        )
    for number in (1, 2, 1 << 32):
        yield Case(
            f"data with the number {number}",
            BAD_RECORD.by("5.3"),
            partial(_with_number, suite, number),
            group=f"{suite} data",
        )


def _in_the_clear(scope: Scope) -> Iterator[Case]:
    for length in scope.some((MAX_FRAGMENT + 1, MAX_FRAGMENT + 256, MAX_FRAGMENT + 2049, 0xFFFF)):
        for whole in (True, False):
            words = "" if whole else ", the header only"
            yield Case(
                f"first record of {length} bytes{words}",
                TOO_LONG.by("5.1"),
                partial(_first, length, whole),
            )
    for version in (0x0300, 0x0302, 0x0303, 0x0304):
        yield Case(
            # It is ignored.
            f"ClientHello in a record of version {version:#06x}",
            either(completes(), fatal(Alert.PROTOCOL_VERSION)).by("5.1"),
            partial(_hello_in, version),
        )


def _reach(suite: Suite, place: str, lab: Lab) -> Client:
    client = lab.tls13(suites=[suite.id])
    _PLACES[place](client)
    return client


def _due(client: Client, place: str) -> tuple[int, bytes]:
    """What comes next."""
    if place == "data":
        return _DATA, REQUEST
    body = client.verify_data(client.client_secret)
    return ContentType.HANDSHAKE, message(HandshakeType.FINISHED, body)


def _tampered(suite: Suite, place: str, tamper: Tamper, lab: Lab) -> Reply:
    client = _reach(suite, place, lab)
    client.send(*_due(client, place), tamper)
    return client.reply()


def _finishing(suite: Suite, place: str, tamper: Tamper, lab: Lab) -> Reply:
    client = _reach(suite, place, lab)
    if place == "data":
        client.send(_DATA, REQUEST, tamper)
        return client.reply()
    client.finished(tamper=tamper)
    return client.page_if_taken()


def _changed(suite: Suite, place: str, at: int, mask: int, lab: Lab) -> Reply:
    tamper = Tamper(fragment=lambda fragment: flip(fragment, at, mask))
    return _tampered(suite, place, tamper, lab)


def _of_type(suite: Suite, place: str, kind: int, lab: Lab) -> Reply:
    client = _reach(suite, place, lab)
    client.send(kind, _due(client, place)[1])
    return client.reply()


def _request(suite: Suite, request: bytes, tamper: Tamper, lab: Lab) -> Reply:
    client = _reach(suite, "data", lab)
    client.send(_DATA, request, tamper)
    return client.reply()


def _long_message(suite: Suite, length: int, lab: Lab) -> Reply:
    client = _reach(suite, "Finished", lab)
    client.send(ContentType.HANDSHAKE, message(HandshakeType.FINISHED, bytes(length - 4)))
    return client.reply()


def _random(suite: Suite, place: str, length: int, whole: bool, lab: Lab) -> Reply:
    client = _reach(suite, place, lab)
    encoded = record(_DATA, 0x0303, client.rng.randbytes(length))
    client.send_raw(encoded if whole else encoded[:5])
    return client.reply()


def _twice(suite: Suite, lab: Lab) -> Reply:
    """a part of the request twice"""
    client = _reach(suite, "data", lab)
    client.send_raw(client.sealed(_DATA, b"GET / HT") * 2)
    return client.reply()


def _left_out(suite: Suite, lab: Lab) -> Reply:
    """a part of the request left out"""
    client = _reach(suite, "data", lab)
    client.sealed(_DATA, b"GET / HT")
    client.send(_DATA, b"TP/1.0\r\n\r\n")
    return client.reply()


def _swapped(suite: Suite, lab: Lab) -> Reply:
    """two parts of the request swapped"""
    client = _reach(suite, "data", lab)
    first = client.sealed(_DATA, b"GET / HT")
    client.send_raw(client.sealed(_DATA, b"TP/1.0\r\n\r\n") + first)
    return client.reply()


def _with_keys(suite: Suite, secret: Callable[[Client], bytes], lab: Lab) -> Reply:
    client = _reach(suite, "data", lab)
    client.write = client.protection(secret(client))
    return client.page()


def _with_number(suite: Suite, number: int, lab: Lab) -> Reply:
    client = _reach(suite, "data", lab)
    client.write.sequence = number
    return client.page()


def _first(length: int, whole: bool, lab: Lab) -> Reply:
    client = lab.tls13()
    start = b"\1" + (length - 4).to_bytes(3, "big") + b"\3\3"
    encoded = record(ContentType.HANDSHAKE, 0x0301, start.ljust(length, b"\0"))
    client.send_raw(encoded if whole else encoded[:5])
    return client.reply()


def _hello_in(version: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.sent = client.hello()
    encoded = client.noted(HandshakeType.CLIENT_HELLO, client.encode(client.sent))
    client.send_raw(record(ContentType.HANDSHAKE, version, encoded))
    client.read_flight()
    return client.complete()
