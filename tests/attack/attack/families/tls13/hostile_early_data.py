"""Servers that take early data which they must not take, or refuse it (RFC 8446 section 4.2.10).

The client connects twice, and sends a file as early data on the second connection.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Scope
from attack.client import REQUEST
from attack.clients import ClientLab
from attack.families.tls13.hostile import cut_short, on
from attack.hostile import PAGE
from attack.reply import Expectation, Reply, delivers
from attack.signatures import KEYS
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.schedule import Psk
from attack.tls13.suites import CHACHA20
from attack.wire import Alert, Extension, HandshakeType, flip

_FILE = KEYS / "ec-p256.cert.pem"
_EARLY = _FILE.read_bytes()
_TAKEN = [(Extension.EARLY_DATA, b"")]
_GOOD = delivers(PAGE)
_UNASKED = cut_short(Alert.UNSUPPORTED_EXTENSION, Alert.ILLEGAL_PARAMETER)
_Second = Callable[[Hostile, Psk], object]


def cases(scope: Scope) -> Iterator[Case]:
    """Whether it may be taken, then how much of it, and what tickets say about it."""
    yield _case("taken", _GOOD.by("2.3"), _taken)
    yield _case("refused", _GOOD.by("4.2.10"), _refused)
    yield _case("refused, and a retry", _GOOD.by("4.2.10"), _refused_with_retry)
    yield _case("not resumed", delivers(PAGE, 3).by("4.2.10"), _not_resumed)
    yield _case("taken, but not resumed", _UNASKED.by("4.2.10"), _taken_not_resumed)
    yield _case("taken after a retry", _UNASKED.by("4.2.10"), _taken_after_retry)
    yield _case(
        "taken with another suite of the same hash",
        cut_short(Alert.ILLEGAL_PARAMETER).by("4.2.10"),
        _taken_with_another_suite,
    )
    yield _case(
        "taken, with content",
        cut_short(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER).by("4.2.10"),
        lambda server, psk: (
            server.resume(psk),
            server.encrypted_extensions([(Extension.EARLY_DATA, b"\0")]),
        ),
    )
    for bit in scope.some(range(256), 2):
        yield _case(
            f"taken, with bit {bit} of Finished changed",
            cut_short(Alert.DECRYPT_ERROR).by("4.4.4"),
            partial(_finished, bit),
            group="Finished",
        )
    for most in scope.some((0, 1, 100, len(_EARLY) - 1, len(_EARLY)), 3):
        yield _case(
            f"a ticket for {most} bytes",
            _GOOD.by("4.6.1"),
            partial(_limited, most),
            plan=Plan(tickets=1, early_data=most),
        )
    for body in (b"", b"\0", bytes(3), bytes(5)):
        yield Case(
            f"a ticket whose limit has {len(body)} bytes",
            cut_short(Alert.DECODE_ERROR).by("4.6.1"),
            partial(_bad_ticket, body),
        )


def _case(
    name: str,
    expected: Expectation,
    second: _Second,
    group: str = "",
    plan: Plan | None = None,
) -> Case:
    plan = plan or Plan(tickets=1, early_data=1 << 14)
    return Case(name, expected, partial(_twice, plan, second), group)


def _twice(plan: Plan, second: _Second, lab: ClientLab) -> Reply:
    kept: list[Psk] = []

    def first(server: Hostile) -> None:
        psk = server.handshake()
        server.goodbye()
        kept.append(psk)

    def again(server: Hostile) -> None:
        server.expected = _EARLY + REQUEST
        second(server, kept[0])

    options = ("--resume", "--early-data", str(_FILE))
    return lab.meet(plan, first, again, options=options)


def _require_offer(server: Hostile, psk: Psk | None = None) -> None:
    """The client offers early data; they are read with the keys of this ticket."""
    server.read_hello()
    if psk is None:
        server.skips = True
    else:
        server.read_early(psk)
    offers = server.offer.get(Extension.EARLY_DATA) is not None
    server.require(offers, "the client does not offer early data")


def _read_early(server: Hostile) -> None:
    """The client ends it with EndOfEarlyData, before its Finished."""
    server.read_until(lambda: server.client.end_of_early_data or server.client.finished)
    server.require(server.client.end_of_early_data, "there is no EndOfEarlyData")
    server.require(_EARLY.startswith(server.client.data), "the client sends other early data")


def _taken(server: Hostile, psk: Psk) -> None:
    _require_offer(server, psk)
    server.resume(psk)
    server.encrypted_extensions(_TAKEN)
    server.finished()
    _read_early(server)
    server.require(server.client.data == _EARLY, "not all of the early data has come")
    on(server)


def _refused(server: Hostile, psk: Psk) -> None:
    """Records with its keys are passed over; the client sends all of it again."""
    _require_offer(server)
    server.resume(psk)
    server.encrypted_extensions()
    server.finished()
    on(server)


def _refused_with_retry(server: Hostile, psk: Psk) -> None:
    _require_offer(server)
    _retry(server, psk)
    server.hello()
    server.encrypted_extensions()
    server.finished()
    on(server)


def _retry(server: Hostile, psk: Psk) -> None:
    server.check_binder(psk)
    server.suite, server.psk = psk.suite, psk
    server.retry()
    server.read_hello(2)
    offers = server.offer.get(Extension.EARLY_DATA) is not None
    server.require(not offers, "the client offers early data in its second hello")


def _not_resumed(server: Hostile, _: Psk) -> None:
    _require_offer(server)
    server.open()
    on(server)


def _taken_not_resumed(server: Hostile, psk: Psk) -> None:
    _require_offer(server, psk)
    server.hello()
    server.encrypted_extensions(_TAKEN)


def _taken_after_retry(server: Hostile, psk: Psk) -> None:
    _require_offer(server)
    _retry(server, psk)
    server.hello()
    server.encrypted_extensions(_TAKEN)


def _taken_with_another_suite(server: Hostile, psk: Psk) -> None:
    _require_offer(server, psk)
    server.check_binder(psk)
    server.psk, server.suite = psk, CHACHA20
    server.hello()
    server.encrypted_extensions(_TAKEN)


def _finished(bit: int, server: Hostile, psk: Psk) -> None:
    server.resume(psk)
    server.encrypted_extensions(_TAKEN)
    right = server.verify_data(server.server_secret)
    server.finished(flip(right, bit // 8, 1 << bit % 8))


def _limited(most: int, server: Hostile, psk: Psk) -> None:
    server.resume(psk)
    takes = bool(most) and server.offer.get(Extension.EARLY_DATA) is not None
    server.encrypted_extensions(_TAKEN if takes else [])
    server.finished()
    if takes:
        _read_early(server)
        server.require(len(server.client.data) <= most, "the client sends more than it may")
    on(server)


def _bad_ticket(body: bytes, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.read_request()
        extensions = [(Extension.EARLY_DATA, body)]
        ticket = server.ticket_body(extensions=extensions)
        server.send_post(HandshakeType.NEW_SESSION_TICKET, ticket)

    return lab.meet(Plan(), script)
