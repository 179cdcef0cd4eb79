"""Servers that resume a session as it never was, and tickets that are none.

The client connects twice. Exit code 3 says that the first connection was good, and the second not.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.families.hostile_hello import TLS12
from attack.hostile import PAGE, Hostile, Kept, Plan
from attack.reply import Expectation, Reply, delivers, refuses
from attack.suites import (
    AES128_GCM,
    AES128_SHA,
    AES256_SHA,
    ECDHE_RSA_AES128_GCM,
    ECDHE_RSA_AES128_SHA,
    Profile,
)
from attack.wire import (
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    flip,
    message,
)

_OPTIONS = ("--resume",)
_EMS = Extension.EXTENDED_MASTER_SECRET

_PROFILES = (
    TLS12,
    Profile(Version.TLS1_2, AES128_SHA),
    Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA),
)


def cases(scope: Scope) -> Iterator[Case]:
    """By session id and by ticket."""
    for profile in _PROFILES[:1] if scope.smoke else _PROFILES:
        for tickets in (False, True):
            plan = Plan(profile, tickets=tickets)
            how = "by ticket" if tickets else "by id"
            yield from _resumed(plan, how)
            yield from _otherwise(plan, how)
            yield from _finished(plan, how, scope)
        yield from _tickets(Plan(profile, tickets=True), scope)


def _second(code: int, *descriptions: Alert) -> Expectation:
    """The second connection is refused with an alert."""
    once = refuses(*descriptions)
    names = " or ".join(description.name.lower() for description in descriptions)
    return Expectation(
        f"fatal {names} in the second connection, exit code {code}",
        lambda reply: (
            reply.end == f"exit code {code}" and once.accepts(Reply(reply.events, "exit code 1"))
        ),
    )


_ILLEGAL = _second(3, Alert.ILLEGAL_PARAMETER)
_FAILURE = _second(3, Alert.HANDSHAKE_FAILURE)


def _resumed(plan: Plan, how: str) -> Iterator[Case]:
    yield Case(
        f"{plan.profile} {how}: resumed",
        delivers(PAGE),
        partial(_twice, plan, _resume_and_answer),
    )
    yield Case(
        f"{plan.profile} {how}: not resumed",
        delivers(PAGE, 3),
        partial(_twice, plan, _anew),
    )
    yield Case(
        f"{plan.profile} {how}: not resumed, and another suite",
        delivers(PAGE, 3),
        partial(_twice, replace(plan), _anew_with_another_suite),
    )


_Second = Callable[[Hostile, Kept], None]


def _twice(
    plan: Plan,
    second: _Second,
    lab: ClientLab,
    options: tuple[str, ...] = (),
    first: Callable[[Hostile], Kept] | None = None,
) -> Reply:
    kept: list[Kept] = []

    def begin(server: Hostile) -> None:
        kept.append(first(server) if first else server.handshake())

    def go_on(server: Hostile) -> None:
        second(server, kept[0])

    return lab.meet(plan, begin, go_on, options=(*_OPTIONS, *options))


def _resume(server: Hostile, kept: Kept, **decided) -> None:
    """Resumes by whatever is offered; a ticket comes with an id of the client's own."""
    decided.setdefault("extensions", _without_ticket(server))
    server.resume(kept, **decided)


def _without_ticket(server: Hostile):
    server.read_hello()
    extensions = server.extensions()
    extensions.pop(Extension.SESSION_TICKET, None)
    return extensions


def _resume_and_answer(server: Hostile, kept: Kept) -> None:
    _resume(server, kept)
    server.require(
        server.offer.extensions.get(Extension.SESSION_TICKET, b"") == kept.ticket,
        "the client offers another ticket than it was given",
    )
    server.read_flight()
    server.answer()
    server.goodbye()


def _anew(server: Hostile, _: Kept) -> None:
    server.handshake()
    server.answer()
    server.goodbye()


def _anew_with_another_suite(server: Hostile, kept: Kept) -> None:
    suite = AES256_SHA if kept.profile.version != Version.TLS1_2 else AES128_GCM
    server.profile = replace(server.profile, suite=suite, encrypt_then_mac=False)
    _anew(server, kept)


def _otherwise(plan: Plan, how: str) -> Iterator[Case]:
    profile = plan.profile

    def case(name: str, expected: Expectation, second: _Second, **more) -> Case:
        return Case(f"{profile} {how}: {name}", expected, partial(_twice, plan, second, **more))

    def without(kind: int) -> _Second:
        def second(server: Hostile, kept: Kept) -> None:
            extensions = _without_ticket(server)
            extensions.pop(kind)
            _resume(server, kept, extensions=extensions)

        return second

    # RFC 7627 section 5.3.
    yield case("the extended master secret dropped", _FAILURE, without(_EMS))
    yield case("the extended master secret added", _FAILURE, _resume, first=_without_extended)
    other = AES256_SHA if profile.version != Version.TLS1_2 else ECDHE_RSA_AES128_GCM
    other = AES128_GCM if other == profile.suite else other

    def suite(server: Hostile, kept: Kept) -> None:
        _resume(server, kept, suite=other.id)

    yield case("another suite", _ILLEGAL, suite)
    version = Version.TLS1_1 if profile.version != Version.TLS1_1 else Version.TLS1_0

    def in_version(server: Hostile, kept: Kept) -> None:
        _resume(server, kept, version=version, suite=AES128_SHA.id)

    yield case(f"in {version.label}", _ILLEGAL, in_version)
    if profile.suite.block and profile.version == Version.TLS1_2:
        # RFC 7366 section 3.1.
        authenticated = replace(plan, profile=replace(profile, encrypt_then_mac=True))

        def dropped(server: Hostile, kept: Kept) -> None:
            server.profile = replace(server.profile, encrypt_then_mac=False)
            _resume(server, kept)

        yield Case(
            f"{profile} {how}: encrypt-then-MAC dropped",
            _FAILURE,
            partial(_twice, authenticated, dropped),
        )

    def certificate(server: Hostile, _: Kept) -> None:
        """As if it resumed, and then a full handshake all the same."""
        server.read_hello()
        server.hello(session_id=server.offer.session_id, extensions=_without_ticket(server))
        server.certificate()

    yield case("and a Certificate all the same", _second(3, Alert.UNEXPECTED_MESSAGE), certificate)


def _without_extended(server: Hostile) -> Kept:
    server.read_hello()
    extensions = server.extensions()
    extensions.pop(_EMS)
    kept_hello = {"extensions": extensions}
    server.hello(**kept_hello)
    server.certificate()
    if server.profile.suite.ephemeral:
        server.key_exchange()
    server.hello_done()
    server.read_flight()
    ticket = server.ticket() if server.plan.tickets else b""
    server.finish()
    return Kept(server.session_id, server.profile, server.master, server.extended, ticket)


def _finished(plan: Plan, how: str, scope: Scope) -> Iterator[Case]:
    profile = plan.profile

    def case(name: str, alert: Alert, second: _Second) -> Case:
        return Case(f"{profile} {how}: {name}", _second(3, alert), partial(_twice, plan, second))

    def other_master(server: Hostile, kept: Kept) -> None:
        _resume(server, replace(kept, master=flip(kept.master, 47)))

    yield case("another master secret", Alert.BAD_RECORD_MAC, other_master)
    for at in scope.some(range(12), 3):

        def changed(server: Hostile, kept: Kept, at: int = at) -> None:
            server.read_hello()
            extensions = _without_ticket(server)
            server.hello(session_id=server.offer.session_id, extensions=extensions)
            server.use(kept.master)
            server.change_cipher_spec()
            body = flip(server.verify_data(), at)
            server.send_handshake(HandshakeType.FINISHED, body)

        yield case(f"byte {at} of Finished changed", Alert.DECRYPT_ERROR, changed)

    def data_first(server: Hostile, kept: Kept) -> None:
        server.read_hello()
        extensions = _without_ticket(server)
        server.hello(session_id=server.offer.session_id, extensions=extensions)
        server.use(kept.master)
        server.change_cipher_spec()
        server.send(ContentType.APPLICATION_DATA, PAGE)

    yield case("data before Finished", Alert.UNEXPECTED_MESSAGE, data_first)


def _tickets(plan: Plan, scope: Scope) -> Iterator[Case]:
    """NewSessionTicket (RFC 5077 section 3.3) in the first connection."""
    profile = plan.profile

    def first_with(body: bytes) -> Callable[[Hostile], None]:
        def script(server: Hostile) -> None:
            server.open()
            server.read_flight()
            server.send_handshake(HandshakeType.NEW_SESSION_TICKET, body)

        return script

    for name, body in {
        "no content": b"",
        "half a lifetime": bytes(2),
        "no ticket": bytes(4),
        "a ticket longer than the message": bytes(4) + b"\0\5abcd",
        "a byte behind the ticket": bytes(4) + b"\0\4abcde",
        "half a length": bytes(5),
    }.items():
        yield Case(
            f"{profile}: NewSessionTicket: {name}",
            refuses(Alert.DECODE_ERROR),
            partial(_once, plan, first_with(body)),
            group=f"{profile} misshapen NewSessionTicket",
        )
    yield Case(
        f"{profile}: NewSessionTicket of 16 MiB",
        refuses(Alert.DECODE_ERROR),
        partial(_once, plan, _announced),
    )
    yield Case(
        f"{profile}: no NewSessionTicket, though it was announced",
        refuses(Alert.UNEXPECTED_MESSAGE),
        partial(_once, plan, _announced_only),
    )
    twice = message(HandshakeType.NEW_SESSION_TICKET, bytes(4) + b"\0\4abcd")
    yield Case(
        f"{profile}: two of NewSessionTicket",
        refuses(Alert.UNEXPECTED_MESSAGE),
        partial(_once, plan, lambda server: _two(server, twice)),
    )
    for length in scope.some((0, 1, 255, 256, 4096, 16384, 60000, 65000, 65400, 65535), 4):
        yield Case(
            # One that a hello has no room for is as good as none.
            f"{profile}: a ticket of {length} bytes",
            _any_good_end(),
            partial(_long_ticket, plan, length),
        )


def _any_good_end() -> Expectation:
    """The page comes, resumed or not, and nobody crashes."""

    def accepts(reply: Reply) -> bool:
        return delivers(PAGE).accepts(reply) or delivers(PAGE, 3).accepts(reply)

    return Expectation("the page in the second connection, exit code 0 or 3", accepts)


def _once(plan: Plan, script: Callable[[Hostile], None], lab: ClientLab) -> Reply:
    return lab.meet(plan, script)


def _announced(server: Hostile) -> None:
    server.open()
    server.read_flight()
    header = bytes([HandshakeType.NEW_SESSION_TICKET]) + b"\xff\xff\xff"
    server.send(ContentType.HANDSHAKE, header + bytes(100))


def _announced_only(server: Hostile) -> None:
    server.open()
    server.read_flight()
    server.finish()


def _two(server: Hostile, encoded: bytes) -> None:
    server.open()
    server.read_flight()
    server.send(ContentType.HANDSHAKE, encoded)
    server.send(ContentType.HANDSHAKE, encoded)


def _long_ticket(plan: Plan, length: int, lab: ClientLab) -> Reply:
    def first(server: Hostile) -> Kept:
        server.open()
        server.read_flight()
        ticket = server.ticket(bytes(length))
        server.finish()
        return Kept(server.session_id, server.profile, server.master, server.extended, ticket)

    def second(server: Hostile, kept: Kept) -> None:
        server.read_hello()
        offered = server.offer.extensions.get(Extension.SESSION_TICKET, b"")
        server.require(offered in (b"", kept.ticket), "the client offers another ticket")
        resumes = offered == kept.ticket != b""
        if resumes:
            _resume_and_answer(server, kept)
        else:
            server.hello()
            server.certificate()
            if server.profile.suite.ephemeral:
                server.key_exchange()
            server.hello_done()
            server.read_flight()
            server.ticket()
            server.finish()
            server.answer()
            server.goodbye()

    return _twice(plan, second, lab, first=first)
