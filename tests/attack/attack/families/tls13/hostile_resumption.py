"""Servers of TLS 1.3 that resume a session as it never was, and tickets that are none.

The client connects twice. Exit code 3 says that the first connection was good, and the second not.
So RFC 8446 sections 4.2.11 and 4.6.1.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.families.tls13.hostile import cut_short, on
from attack.hostile import PAGE
from attack.reply import Expectation, Reply, delivers, either, fails
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.schedule import Psk
from attack.tls13.suites import AES128_GCM, AES256_GCM, CHACHA20
from attack.wire import Alert, Extension, HandshakeType, flip

_PLAN = Plan(tickets=1)
_RESUMED = delivers(PAGE)
_ANEW = delivers(PAGE, 3)
_VERSIONS = (Extension.SUPPORTED_VERSIONS, b"\3\4")
_ILLEGAL = cut_short(Alert.ILLEGAL_PARAMETER)
_RETURN_TIME = 4.0
"""Seconds until a client that has a ticket is back."""
_GONE = Expectation(
    "no second connection, exit code 3",
    lambda reply: (
        reply.end == "exit code 3" and [event.detail for event in reply.events] == ["timed out"]
    ),
)
_Second = Callable[[Hostile, Psk], object]


def cases(scope: Scope) -> Iterator[Case]:
    """What the second connection is, then the tickets of the first."""
    for suite in (AES128_GCM, AES256_GCM):
        plan = Plan(suite=suite, tickets=1)
        yield _case(f"{suite}: resumed", _RESUMED, _resume, plan)
        yield _case(f"{suite}: not resumed", _ANEW, lambda server, _: _anew(server), plan)
        for bit in scope.some(range(8 * suite.hash_length), 3):
            yield _case(
                f"{suite}: bit {bit} of Finished changed",
                cut_short(Alert.DECRYPT_ERROR).by("4.4.4"),
                partial(_finished, bit),
                plan,
                f"{suite} Finished",
            )
    for number in (1, 2, 0xFFFF):
        yield _case(
            f"the key number {number}",
            _ILLEGAL.by("4.2.11"),
            lambda server, psk, number=number: server.resume(
                psk, extensions=_with(server, (41, number.to_bytes(2, "big")))
            ),
        )
    for name, body in {"none": b"", "half a number": b"\0", "three bytes": b"\0\0\0"}.items():
        yield _case(
            f"the key number: {name}",
            cut_short(Alert.DECODE_ERROR).by("4.2.11"),
            lambda server, psk, body=body: server.resume(psk, extensions=_with(server, (41, body))),
        )
    yield _case(
        "a suite with another hash",
        cut_short(Alert.ILLEGAL_PARAMETER).by("4.2.11"),
        lambda server, psk: server.resume(psk, suite=AES256_GCM.id),
    )
    yield _case("another suite with its hash", either(_RESUMED, _ILLEGAL).by("4.6.1"), _with_chacha)
    yield _case(
        # The client says psk_dhe_ke only.
        "without a key share",
        cut_short(Alert.ILLEGAL_PARAMETER, Alert.MISSING_EXTENSION, Alert.HANDSHAKE_FAILURE).by(
            "4.2.9"
        ),
        lambda server, psk: server.resume(psk, extensions=[_VERSIONS, (41, b"\0\0")]),
    )
    yield _case(
        # What the client says then is under keys that the server has not.
        "the key of somebody else",
        fails(3).by("5.2"),
        _with_wrong_key,
    )
    for name, step in {
        "Certificate": lambda server: server.certificate(),
        "CertificateRequest": lambda server: server.certificate_request(),
        "CertificateVerify": lambda server: server.certificate_verify(),
    }.items():
        yield _case(
            f"resumed, and {name}",
            cut_short(Alert.UNEXPECTED_MESSAGE).by("4.3.2, 4.4.2"),
            lambda server, psk, step=step: (
                server.resume(psk),
                server.encrypted_extensions(),
                step(server),
            ),
        )
    yield _case(
        "early data that was not offered",
        cut_short(Alert.UNSUPPORTED_EXTENSION, Alert.ILLEGAL_PARAMETER).by("4.2"),
        lambda server, psk: (server.resume(psk), server.encrypted_extensions([(42, b"")])),
    )
    yield _case("a retry, then resumed", _RESUMED.by("4.1.4"), _after_retry)
    yield from _tickets(scope)


def _tickets(scope: Scope) -> Iterator[Case]:
    """Section 4.6.1."""
    unreadable = cut_short(Alert.DECODE_ERROR)
    for name, change in {
        "of nothing": lambda _: b"",
        "cut": lambda body: body[:-1],
        "with a byte behind it": lambda body: body + b"\0",
        "without extensions": lambda body: body[:-2],
        "of no bytes": lambda body: body[:9] + b"\0" + b"\0\0" + b"\0\0",
    }.items():
        yield Case(
            f"a ticket {name}",
            cut_short(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER).by("4.6.1")
            if name == "of no bytes"
            else unreadable.by("4.6.1"),
            partial(_bad_ticket, change),
        )
    for name, decided, second in (
        ("a lifetime of 0", {"lifetime": 0}, either(_ANEW, _GONE)),
        ("a lifetime of 8 days", {"lifetime": 8 * 86400}, either(_RESUMED, _ANEW, _GONE)),
        ("a lifetime of 136 years", {"lifetime": 0xFFFFFFFF}, either(_RESUMED, _ANEW, _GONE)),
        ("no nonce", {"nonce": b""}, _RESUMED),
        ("a nonce of 255 bytes", {"nonce": bytes(255)}, _RESUMED),
        ("a great age_add", {"age_add": 0xFFFFFFFF}, _RESUMED),
        ("unknown extensions", {"extensions": [(0xEEEE, b"x"), (0x1A1A, b"")]}, _RESUMED),
        ("no more than a byte", {"identity": b"t"}, _RESUMED),
        ("60000 bytes", {"identity": bytes(60000)}, either(_RESUMED, _ANEW, _GONE)),
    ):
        yield Case(f"a ticket with {name}", second.by("4.6.1"), partial(_good_ticket, decided))
    for count in scope.some((2, 30, 1000), 2):
        yield Case(
            f"{count} tickets",
            either(_RESUMED, _ANEW, _GONE).by("4.6.1"),
            partial(_twice, Plan(tickets=count), _resume_or_not),
        )


def _case(name: str, expected, second: _Second, plan: Plan = _PLAN, group: str = "") -> Case:
    return Case(name, expected, partial(_twice, plan, second), group)


def _twice(plan: Plan, second: _Second, lab: ClientLab) -> Reply:
    kept: list[Psk] = []

    def first(server: Hostile) -> None:
        psk = server.handshake()
        server.goodbye()
        kept.append(psk)

    return lab.meet(
        plan,
        first,
        lambda server: second(server, kept[0]),
        options=("--resume",),
        return_time=_RETURN_TIME,
    )


def _on(server: Hostile) -> None:
    """Ends a flight that resumes, and goes on."""
    server.encrypted_extensions()
    server.finished()
    on(server)


def _resume(server: Hostile, psk: Psk) -> None:
    server.resume(psk)
    _on(server)


def _resume_or_not(server: Hostile, psk: Psk) -> None:
    server.read_hello()
    if psk.identity in (server.offer.get(Extension.PRE_SHARED_KEY) or b""):
        _resume(server, psk)
    else:
        _anew(server)


def _anew(server: Hostile) -> None:
    server.open()
    on(server)


def _with(server: Hostile, extension: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    server.read_hello()
    return [_VERSIONS, (51, server.share()), extension]


def _finished(bit: int, server: Hostile, psk: Psk) -> None:
    server.resume(psk)
    server.encrypted_extensions()
    right = server.verify_data(server.server_secret)
    server.finished(flip(right, bit // 8, 1 << bit % 8))


def _with_chacha(server: Hostile, psk: Psk) -> None:
    """The binder is checked with the ticket's hash, which is the same."""
    server.check_binder(psk)
    server.psk, server.suite = psk, CHACHA20
    server.hello()
    _on(server)


def _with_wrong_key(server: Hostile, psk: Psk) -> None:
    server.check_binder(psk)
    server.psk = Psk(psk.identity, bytes(len(psk.key)), psk.suite)
    server.hello()
    server.encrypted_extensions()


def _after_retry(server: Hostile, psk: Psk) -> None:
    server.check_binder(psk)
    server.suite = psk.suite
    server.retry()
    transcript = server.transcript
    server.read_hello(2)
    server.check_binder(psk, transcript)
    server.psk = psk
    server.hello(extensions=[_VERSIONS, (51, server.share()), (41, b"\0\0")])
    _on(server)


def _bad_ticket(change: Callable[[bytes], bytes], lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.read_request()
        server.send_post(HandshakeType.NEW_SESSION_TICKET, change(server.ticket_body(nonce=b"n")))

    return lab.meet(Plan(), script)


def _good_ticket(decided: dict, lab: ClientLab) -> Reply:
    kept: list[Psk] = []

    def first(server: Hostile) -> None:
        server.handshake()
        kept.append(server.ticket(**decided))
        server.goodbye()

    def second(server: Hostile) -> None:
        _resume_or_not(server, kept[0])

    return lab.meet(Plan(), first, second, options=("--resume",), return_time=_RETURN_TIME)
