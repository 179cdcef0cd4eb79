"""Servers whose records are too long, cut, damaged, or no records; and that take their time."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.families.hostile_hello import GOOD, TLS12
from attack.families.hostile_order import says_at_most_goodbye
from attack.hostile import PAGE, Hostile, Plan
from attack.protection import Tamper
from attack.reply import Expectation, Reply, delivers, refuses
from attack.suites import AES128_SHA, ECDHE_RSA_AES128_SHA, NULL_SHA, Profile
from attack.wire import (
    MAX_EXPANSION,
    MAX_FRAGMENT,
    Alert,
    ContentType,
    HandshakeType,
    Version,
    flip,
    message,
    record,
)

_TOO_LONG = refuses(Alert.RECORD_OVERFLOW)
_TIMEOUT = 3
"""Seconds that a client waits whose patience is tried."""

_UNEXPECTED = refuses(Alert.UNEXPECTED_MESSAGE)
_VERSION = refuses(Alert.PROTOCOL_VERSION)
_GONE = says_at_most_goodbye()

_PROFILES = (
    TLS12,
    Profile(Version.TLS1_2, AES128_SHA),
    Profile(Version.TLS1_2, AES128_SHA, encrypt_then_mac=True),
    Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA),
    Profile(Version.TLS1_1, AES128_SHA),
)


def cases(scope: Scope) -> Iterator[Case]:
    """Before there are keys, and with them."""
    yield from _no_records()
    yield from _in_the_clear()
    for profile in _PROFILES[1:2] if scope.smoke else _PROFILES:
        yield from _damaged(profile, scope)
        yield from _lengths(profile)
    yield from _slow()
    yield from _large()


def _no_records() -> Iterator[Case]:
    for name, data in {
        "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "a mail server": b"220 mail.example ESMTP\r\n",
        "SSH": b"SSH-2.0-example\r\n",
        "HTML": b"<html></html>",
        "zeros": bytes(5000),
        "255s": b"\xff" * 5000,
        "a record of SSL 2.0": b"\x80\x2e\4\0\1\0\2" + bytes(40),
    }.items():
        yield Case(f"{name} instead of a record", _UNEXPECTED, partial(_raw, data))
    for version in (0x0000, 0x0200, 0x0400, 0xFEFD, 0xFFFF):
        data = record(ContentType.HANDSHAKE, version, message(HandshakeType.SERVER_HELLO, b""))
        yield Case(f"first record of version {version:#06x}", _VERSION, partial(_raw, data))
    for length in (MAX_FRAGMENT + 1, MAX_FRAGMENT + MAX_EXPANSION, 0xFFFF):
        data = record(ContentType.HANDSHAKE, 0x0303, bytes(length))
        # The header says it.
        for cut, words in ((len(data), "whole"), (5, "its header only")):
            yield Case(
                f"first record of {length} bytes, {words}", _TOO_LONG, partial(_raw, data[:cut])
            )
    for length in (0, 1, 4):
        data = record(ContentType.HANDSHAKE, 0x0303, b"")[:length]
        yield Case(f"{length} bytes, and the end", _GONE, partial(_raw, data))
    yield Case(
        "half a record, and the end",
        _GONE,
        partial(_raw, record(ContentType.HANDSHAKE, 0x0303, bytes(100))[:50]),
    )
    yield Case("nothing, and the end", _GONE, partial(_raw, b""))


def _raw(data: bytes, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        server.send_raw(data)
        server.end_sending()

    return lab.meet(Plan(TLS12), script)


def _in_the_clear() -> Iterator[Case]:
    plan = Plan(TLS12)
    for version in (0x0300, 0x0301, 0x0302, 0x0304, 0xFEFD):
        yield Case(
            f"Certificate in a record of version {version:#06x}",
            _VERSION,
            partial(_other_version, plan, version),
        )
    for size in (1, 2, 3, 5, 100, 1000):
        yield Case(
            f"every message in records of {size} bytes", GOOD, partial(_fragmented, plan, size)
        )
    yield Case("the whole flight in one record", GOOD, partial(_together, plan))


def _other_version(plan: Plan, version: int, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        server.hello()
        content = message(HandshakeType.CERTIFICATE, server.chain())
        server.send_raw(record(ContentType.HANDSHAKE, version, content))

    return lab.meet(plan, script)


def _first_flight(server: Hostile) -> bytes:
    server.read_hello()
    flight = server.noted(HandshakeType.SERVER_HELLO, server.hello_body())
    flight += server.noted(HandshakeType.CERTIFICATE, server.chain())
    flight += server.noted(HandshakeType.SERVER_KEY_EXCHANGE, server.key_exchange_body())
    return flight + server.noted(HandshakeType.SERVER_HELLO_DONE, b"")


def _fragmented(plan: Plan, size: int, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        flight = _first_flight(server)
        server.hold()
        for at in range(0, len(flight), size):
            server.send(ContentType.HANDSHAKE, flight[at : at + size])
        server.release()
        server.read_flight()
        server.change_cipher_spec()
        finished = server.noted(HandshakeType.FINISHED, server.verify_data())
        server.hold()
        for at in range(0, len(finished), size):
            server.send(ContentType.HANDSHAKE, finished[at : at + size])
        server.release()
        server.answer()
        server.goodbye()

    return lab.meet(plan, script)


def _together(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.send(ContentType.HANDSHAKE, _first_flight(server))
        server.read_flight()
        server.finish()
        server.answer()
        server.goodbye()

    return lab.meet(plan, script)


def _damaged(profile: Profile, scope: Scope) -> Iterator[Case]:
    """One record of a page, which is not what the keys make; nothing of it is delivered."""
    plan = Plan(profile)
    bad = _cut_short(Alert.BAD_RECORD_MAC)
    group = f"{profile} damaged record"
    for at in scope.some(range(96), 4):
        yield Case(
            f"{profile}: byte {at} of a record changed",
            bad,
            partial(_tampered, plan, Tamper(fragment=partial(_flipped, at))),
            group,
        )
    for name, change in {
        "empty": lambda _: b"",
        "one byte": lambda it: it[:1],
        "its first half": lambda it: it[: len(it) // 2],
        "without its last block": lambda it: it[:-16],
        "with a block behind it": lambda it: it + bytes(16),
        "zeros": lambda it: bytes(len(it)),
        "twice": lambda it: it * 2,
    }.items():
        yield Case(
            f"{profile}: a record: {name}",
            bad,
            partial(_tampered, plan, Tamper(fragment=change)),
            group,
        )
    if profile.suite.block and not profile.encrypt_then_mac:
        for name, tamper in {
            "wrong padding": Tamper(padding=lambda it: flip(it, 0) if len(it) > 1 else b"\xff"),
            "padding that is too long": Tamper(padding=lambda it: b"\xff" * len(it)),
            "a wrong MAC": Tamper(mac=partial(flip, at=0)),
            "no padding": Tamper(plaintext=lambda it: bytes(len(it))),
        }.items():
            yield Case(
                f"{profile}: a record with {name}", bad, partial(_tampered, plan, tamper), group
            )
    yield Case(f"{profile}: a record twice", _replays(), partial(_twice, plan))
    yield Case(f"{profile}: a record left out", bad, partial(_left_out, plan), group)
    yield Case(f"{profile}: data in a record of an alert", bad, partial(_retyped, plan), group)


def _flipped(at: int, fragment: bytes) -> bytes:
    return flip(fragment, at % len(fragment), 1 << at % 8)


def _cut_short(*descriptions: Alert) -> Expectation:
    """An alert, exit code 3, and nothing delivered: the handshake was good, the page was not."""

    def accepts(reply: Reply) -> bool:
        refused = refuses(*descriptions)
        return reply.end == "exit code 3" and refused.accepts(Reply(reply.events, "exit code 1"))

    names = " or ".join(description.name.lower() for description in descriptions)
    return Expectation(f"fatal {names}, exit code 3", accepts)


def _replays() -> Expectation:
    """The first one is good."""
    return delivers(PAGE, 3, Alert.BAD_RECORD_MAC)


def _to_page(server: Hostile) -> None:
    server.handshake()
    server.read_until(lambda: server.client.data.endswith(b"\r\n\r\n"))
    server.mark()


def _tampered(plan: Plan, tamper: Tamper, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_page(server)
        server.send(ContentType.APPLICATION_DATA, PAGE, tamper)

    return lab.meet(plan, script)


def _twice(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_page(server)
        sealed = server.sealed(ContentType.APPLICATION_DATA, PAGE)
        server.send_raw(sealed * 2)

    return lab.meet(plan, script)


def _left_out(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_page(server)
        server.sealed(ContentType.APPLICATION_DATA, PAGE)
        server.send(ContentType.APPLICATION_DATA, PAGE)

    return lab.meet(plan, script)


def _retyped(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_page(server)
        sealed = server.sealed(ContentType.APPLICATION_DATA, PAGE)
        server.send_raw(bytes([ContentType.ALERT]) + sealed[1:])

    return lab.meet(plan, script)


def _lengths(profile: Profile) -> Iterator[Case]:
    plan = Plan(profile)
    largest = b"x" * MAX_FRAGMENT
    yield Case(
        f"{profile}: a record of the greatest length",
        delivers(largest),
        partial(_page_of, plan, largest),
    )
    yield Case(
        f"{profile}: a record of a byte more, well protected",
        _cut_short(Alert.RECORD_OVERFLOW),
        partial(_page_of, plan, largest + b"x"),
    )
    for length in (MAX_FRAGMENT + MAX_EXPANSION + 1, 0xFFFF):
        yield Case(
            f"{profile}: a record of {length} bytes",
            _cut_short(Alert.RECORD_OVERFLOW),
            partial(_longest, plan, length),
        )


def _page_of(plan: Plan, content: bytes, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.answer(content)
        server.goodbye()

    return lab.meet(plan, script)


def _longest(plan: Plan, length: int, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_page(server)
        server.send_raw(record(ContentType.APPLICATION_DATA, server.profile.version, bytes(length)))

    return lab.meet(plan, script)


def _slow() -> Iterator[Case]:
    """The client waits as long as it was told to, and not longer."""
    for name, script in {
        "silence": lambda server: server.read_hello(),
        "silence after ServerHello": lambda server: (server.read_hello(), server.hello()),
        "silence after ServerHelloDone": lambda server: (server.open(), server.read_flight()),
        "a byte of a record now and then": _drip,
        "warnings now and then": _warn,
    }.items():
        yield Case(f"{name}, for longer than is waited", _GONE, partial(_patiently, script))
    yield Case(
        "silence after a page, for longer than is waited",
        delivers(PAGE),
        partial(_patiently, lambda server: (server.handshake(), server.answer())),
    )
    yield Case("a flight a byte at a time", GOOD, _bytewise)


def _patiently(script: Callable[[Hostile], object], lab: ClientLab) -> Reply:
    # What is beyond its time is for a machine that does other things too.
    options = "--timeout", str(_TIMEOUT)
    return lab.meet(Plan(TLS12), script, options=options, patience=20)


def _drip(server: Hostile) -> None:
    """A message of a MiB, a byte in each second."""
    server.read_hello()
    until = time.monotonic() + 3 * _TIMEOUT
    server.send_raw(record(ContentType.HANDSHAKE, 0x0303, bytes(5000))[:5])
    while time.monotonic() < until and server.seen.end is None:
        server.send_raw(b"\2")
        server.wait(0.5)


def _warn(server: Hostile) -> None:
    server.read_hello()
    until = time.monotonic() + 3 * _TIMEOUT
    while time.monotonic() < until and server.seen.end is None:
        server.send(ContentType.ALERT, b"\1\x5a")
        server.wait(0.5)


def _bytewise(lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.hold()
        flight = _first_flight(server)
        server.send(ContentType.HANDSHAKE, flight)
        held, server._held = server._held, None
        for at in range(len(held)):
            server.send_raw(held[at : at + 1])
        server.read_flight()
        server.finish()
        server.answer()
        server.goodbye()

    return lab.meet(Plan(TLS12), script)


def _large() -> Iterator[Case]:
    """What a server sends does not pile up in the client."""
    size = 64 << 20
    yield Case(f"{size >> 20} MiB of data", delivers(bytes(size)), partial(_page_of_many, size))


def _page_of_many(size: int, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.read_until(lambda: server.client.data.endswith(b"\r\n\r\n"))
        server.mark()
        piece = bytes(MAX_FRAGMENT)
        for _ in range(size // MAX_FRAGMENT):
            server.send(ContentType.APPLICATION_DATA, piece)
        server.goodbye()

    # Without encryption, which Python would take long for.
    plan = Plan(Profile(Version.TLS1_2, NULL_SHA))
    return lab.meet(plan, script, options=("--suites", "legacy"), patience=60)
