"""Servers of TLS 1.3 whose records are too long, empty inside, damaged, or of another kind.

So RFC 8446 section 5. Nothing of a page that does not open is delivered.
"""

from collections.abc import Iterator
from functools import partial

from attack.case import Case, Scope
from attack.families.tls13.hostile import (
    GOOD,
    PLAN,
    TOO_LONG,
    UNEXPECTED,
    case,
    cut_short,
    to_request,
)
from attack.hostile import PAGE
from attack.reply import Expectation, delivers, either, refuses
from attack.tls13 import schedule
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.protection import Tamper
from attack.tls13.suites import AES256_GCM, CHACHA20
from attack.wire import (
    FATAL,
    MAX_FRAGMENT,
    Alert,
    ContentType,
    HandshakeType,
    flip,
    message,
    record,
)

_DATA = ContentType.APPLICATION_DATA
_EXPANSION = 256
_NOTHING = (Alert.UNEXPECTED_MESSAGE, Alert.BAD_RECORD_MAC, Alert.DECODE_ERROR)


def cases(scope: Scope) -> Iterator[Case]:
    """Instead of EncryptedExtensions, and instead of a page."""
    for plan in scope.some((PLAN, Plan(suite=AES256_GCM), Plan(suite=CHACHA20)), 1):
        yield from _damaged(plan, scope)
    yield from _lengths(scope)
    yield from _inner(scope)
    yield from _headers(scope)
    yield from _keys()
    yield from _in_the_clear()


def _damaged(plan: Plan, scope: Scope) -> Iterator[Case]:
    for place in _PLACES:
        group = f"{plan.suite} {place}"
        bad = _at(place, Alert.BAD_RECORD_MAC).by("5.2")
        for bit in scope.some(range(8 * plan.suite.tag_length), 3):
            at = bit // 8 - plan.suite.tag_length
            tamper = Tamper(fragment=lambda it, at=at, bit=bit: flip(it, at, 1 << bit % 8))
            name = f"{plan.suite}: {place} with bit {bit} of the tag changed"
            yield case(name, bad, partial(_tampered, place, tamper), group, plan)
        for name, change in {
            "first byte changed": lambda it: flip(it, 0),
            "first half": lambda it: it[: len(it) // 2],
            "a byte behind it": lambda it: it + b"\0",
            "zeros": lambda it: bytes(len(it)),
            "the tag alone": lambda it: it[-16:],
        }.items():
            yield case(
                f"{plan.suite}: {place}: {name}",
                bad,
                partial(_tampered, place, Tamper(fragment=change)),
                group,
                plan,
            )
        for count in scope.some(range(plan.suite.tag_length + 1), 2):
            yield case(
                f"{plan.suite}: {place}: {count} bytes of ciphertext",
                _at(place, *_NOTHING).by("5.2"),
                partial(_tampered, place, Tamper(fragment=lambda it, count=count: it[:count])),
                plan=plan,
            )
    yield case(
        f"{plan.suite}: a page twice",
        delivers(PAGE, 3, Alert.BAD_RECORD_MAC).by("5.3"),
        lambda server: (to_request(server), server.send_raw(server.sealed(_DATA, PAGE) * 2)),
        plan=plan,
    )
    yield case(
        f"{plan.suite}: a part left out",
        cut_short(Alert.BAD_RECORD_MAC).by("5.3"),
        lambda server: (
            to_request(server),
            server.sealed(_DATA, b"left out"),
            server.send(_DATA, PAGE),
        ),
        plan=plan,
    )


def _lengths(scope: Scope) -> Iterator[Case]:
    largest = b"x" * MAX_FRAGMENT
    yield _page("of the greatest length", delivers(largest).by("5.1"), largest)
    yield _page("of no bytes, then a page", GOOD.by("5.1"), b"", PAGE)
    yield _page(
        "of no bytes a thousand times, then a page",
        either(GOOD, cut_short(Alert.UNEXPECTED_MESSAGE)).by("5.1"),
        *[b""] * 1000,
        PAGE,
    )
    padding = MAX_FRAGMENT - len(PAGE)
    for count in scope.some((1, 255, padding - 1, padding), 2):
        yield _page(f"with {count} bytes of padding", GOOD.by("5.4"), PAGE, padding=count)
    overflow = cut_short(Alert.RECORD_OVERFLOW)
    for count in (padding + 1, padding + 200):
        yield _page(f"with {count} bytes of padding", overflow.by("5.4"), PAGE, padding=count)
    for count in (1, 200):
        yield _page(
            f"of {MAX_FRAGMENT + count} bytes, well protected",
            overflow.by("5.1, 5.4"),
            largest + bytes(count),
        )
    for place in _PLACES:
        for length in (MAX_FRAGMENT + _EXPANSION, MAX_FRAGMENT + _EXPANSION + 1, 0xFFFF):
            fits = length <= MAX_FRAGMENT + _EXPANSION
            alert = Alert.BAD_RECORD_MAC if fits else Alert.RECORD_OVERFLOW
            for whole in (True,) if fits else (True, False):
                words = "" if whole else ", the header only"
                yield case(
                    f"{length} random bytes as {place}{words}",
                    _at(place, alert).by("5.2"),
                    partial(_random, place, length, whole),
                )


def _page(name: str, expected: Expectation, *pages: bytes, padding: int = 0) -> Case:
    def script(server: Hostile) -> None:
        to_request(server)
        server.hold()
        for page in pages:
            server.send(_DATA, page, Tamper(padding=padding))
        server.release()
        server.goodbye()

    return case(f"a record {name}", expected, script)


def _inner(scope: Scope) -> Iterator[Case]:
    for place in _PLACES:
        for count in scope.some((0, 1, 2, 16, 1000, MAX_FRAGMENT + 1), 3):
            allowed = (Alert.UNEXPECTED_MESSAGE,) if count else _NOTHING
            yield case(
                f"{count} zeros inside, as {place}",
                _at(place, *allowed).by("5.4"),
                partial(_tampered, place, Tamper(inner=lambda _, count=count: bytes(count))),
                group=f"zeros as {place}" if count else "",
            )
        for kind in scope.some((*range(1, 21), *range(24, 31), 128, 255), 4):
            yield case(
                f"inner type {kind} as {place}",
                _at(place, Alert.UNEXPECTED_MESSAGE).by("5"),
                lambda server, place=place, kind=kind: (
                    _PLACES[place](server),
                    server.send(kind, _due(place)[1]),
                ),
                group=f"inner type as {place}",
            )
        for kind in (ContentType.HANDSHAKE, ContentType.ALERT):
            yield case(
                f"empty {kind.name.lower()} record as {place}",
                _at(place, Alert.UNEXPECTED_MESSAGE).by("5.4"),
                lambda server, place=place, kind=kind: (
                    _PLACES[place](server),
                    server.send(kind, b""),
                ),
            )


def _headers(scope: Scope) -> Iterator[Case]:
    for place in _PLACES:
        for kind in (20, 22, 24, 0, 255):
            yield case(
                f"{place} in a record of type {kind}",
                _at(place, *_NOTHING).by("5.2"),
                partial(_tampered, place, Tamper(outer_type=kind)),
            )
        for name, covered in {
            "nothing": lambda _: b"",
            "another version": lambda it: it[:1] + b"\3\4" + it[3:],
            "another length": lambda it: it[:3] + b"\0\1",
            "what TLS 1.2 covers": lambda it: bytes(8) + it,
        }.items():
            yield case(
                f"{place}, with a tag that covers {name}",
                _at(place, Alert.BAD_RECORD_MAC).by("5.2"),
                partial(_tampered, place, Tamper(covered=covered)),
                group=f"{PLAN.suite} {place}",
            )
    for version in scope.some((0x0301, 0x0304, 0x0300, 0xFFFF), 2):
        yield case(
            # It has no meaning.
            f"a page in a record of version {version:#06x}",
            either(GOOD, cut_short(Alert.PROTOCOL_VERSION, Alert.BAD_RECORD_MAC)).by("5.1"),
            lambda server, version=version: (
                to_request(server),
                server.send(_DATA, PAGE, Tamper(version=version)),
                server.goodbye(),
            ),
        )


def _keys() -> Iterator[Case]:
    for name, secret in {
        "the keys of the handshake": lambda server: server.server_secret,
        "the client's keys": lambda server: server.client_traffic,
        "the next keys": lambda server: schedule.updated(server.suite, server.server_traffic),
        "keys of zeros": lambda _: bytes(32),
    }.items():
        yield case(
            f"a page with {name}",
            cut_short(Alert.BAD_RECORD_MAC).by("5.2"),
            lambda server, secret=secret: (
                to_request(server),
                setattr(server, "write", server.protection(secret(server))),
                server.send(_DATA, PAGE),
            ),
            group=f"{PLAN.suite} page",
        )


def _in_the_clear() -> Iterator[Case]:
    for length in (MAX_FRAGMENT + 1, MAX_FRAGMENT + _EXPANSION, 0xFFFF):
        for whole in (True, False):
            words = "" if whole else ", the header only"
            data = record(ContentType.HANDSHAKE, 0x0303, b"\2\0\x40\0".ljust(length, b"\0"))
            yield case(
                f"first record of {length} bytes{words}",
                TOO_LONG.by("5.1"),
                lambda server, data=data if whole else data[:5]: (
                    server.read_hello(),
                    server.send_raw(data),
                ),
            )
    for kind in (ContentType.HANDSHAKE, ContentType.ALERT):
        yield case(
            f"empty {kind.name.lower()} record first",
            refuses(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR).by("5.1"),
            lambda server, kind=kind: (server.read_hello(), server.send(kind, b"")),
        )
    yield case(
        "data first",
        UNEXPECTED.by("5"),
        lambda server: (server.read_hello(), server.send(_DATA, PAGE)),
    )
    yield case(
        "a protected record before ServerHello",
        refuses(Alert.UNEXPECTED_MESSAGE, Alert.BAD_RECORD_MAC).by("5"),
        lambda server: (
            server.read_hello(),
            setattr(server, "write", server.protection(bytes(32))),
            server.send(
                ContentType.HANDSHAKE, message(HandshakeType.ENCRYPTED_EXTENSIONS, b"\0\0")
            ),
        ),
    )
    yield case(
        "a fatal alert of one byte in a record of data",
        cut_short(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR).by("5.1"),
        lambda server: (to_request(server), server.send(ContentType.ALERT, bytes([FATAL]))),
    )


_PLACES = {"EncryptedExtensions": lambda server: server.greet(), "page": to_request}


def _at(place: str, *descriptions: Alert) -> Expectation:
    return cut_short(*descriptions) if place == "page" else refuses(*descriptions)


def _due(place: str) -> tuple[int, bytes]:
    """What comes next."""
    if place == "page":
        return _DATA, PAGE
    return ContentType.HANDSHAKE, message(HandshakeType.ENCRYPTED_EXTENSIONS, b"\0\0")


def _tampered(place: str, tamper: Tamper, server: Hostile) -> None:
    _PLACES[place](server)
    server.send(*_due(place), tamper)


def _random(place: str, length: int, whole: bool, server: Hostile) -> None:
    _PLACES[place](server)
    data = record(_DATA, 0x0303, server.rng.randbytes(length))
    server.send_raw(data if whole else data[:5])
