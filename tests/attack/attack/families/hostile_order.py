"""Servers whose messages come out of order, without end, or not at all (RFC 5246 section 7.4)."""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.families.hostile_hello import TLS12
from attack.hostile import PAGE, Hostile, Plan
from attack.reply import (
    Event,
    Expectation,
    Reply,
    alert_event,
    delivers,
    ends_without_a_word,
    refuses,
)
from attack.suites import AES128_GCM, AES128_SHA, ECDHE_RSA_AES128_SHA, Profile
from attack.wire import (
    FATAL,
    WARNING,
    Alert,
    ContentType,
    HandshakeType,
    Version,
    flip,
    message,
)

_UNEXPECTED = refuses(Alert.UNEXPECTED_MESSAGE)
_GONE = ends_without_a_word(1)

_HIGHEST = ("--max-version", "tls1.2")

_PROFILES = (
    TLS12,
    Profile(Version.TLS1_2, AES128_GCM),
    Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA),
    Profile(Version.TLS1_1, AES128_SHA),
)

_MOST = 32
"""Records in a row without any progress that the client takes."""


def cases(scope: Scope) -> Iterator[Case]:
    """At every place of a handshake, with and without ephemeral keys."""
    for profile in _PROFILES[:1] if scope.smoke else _PROFILES:
        for place in scope.some(_PLACES, 4):
            if place == "after Certificate" and not profile.suite.ephemeral:
                continue
            yield from _messages(profile, place)
            yield from _ends(profile, place)
            yield from _floods(profile, place)
        yield from _finished(profile, scope)
        yield from _afterwards(profile)


def _place(server: Hostile, place: str) -> None:
    """Does what is right up to there."""
    server.read_hello()
    for name, step in _STEPS.items():
        if name == place:
            return
        if name == "after Certificate" and not server.profile.suite.ephemeral:
            continue
        step(server)


def _flight(server: Hostile) -> None:
    server.hello_done()
    server.read_flight()


def _key_exchange(server: Hostile) -> None:
    server.key_exchange()


_STEPS: dict[str, Callable[[Hostile], None]] = {
    "first": lambda server: server.hello(),
    "after ServerHello": lambda server: server.certificate(),
    "after Certificate": _key_exchange,
    "before ServerHelloDone": _flight,
    "after the client's Finished": lambda server: server.change_cipher_spec(),
    "after ChangeCipherSpec": lambda server: server.finished(),
}
_PLACES = tuple(_STEPS)

_DUE = {
    "first": ("ServerHello",),
    "after ServerHello": ("Certificate",),
    "after Certificate": ("ServerKeyExchange",),
    "before ServerHelloDone": ("ServerHelloDone", "CertificateRequest"),
    "after the client's Finished": (),
    "after ChangeCipherSpec": ("Finished",),
}
"""The messages that may come at each place."""


def _server_hello(server: Hostile) -> bytes:
    return message(HandshakeType.SERVER_HELLO, server.hello_body())


def _certificate(server: Hostile) -> bytes:
    return message(HandshakeType.CERTIFICATE, server.chain())


def _server_key_exchange(server: Hostile) -> bytes:
    if not server.profile.suite.ephemeral:
        return message(HandshakeType.SERVER_KEY_EXCHANGE, bytes(64))
    return message(HandshakeType.SERVER_KEY_EXCHANGE, server.key_exchange_body())


def _server_finished(server: Hostile) -> bytes:
    body = server.verify_data() if server.master else bytes(12)
    return message(HandshakeType.FINISHED, body)


_MESSAGES: dict[str, Callable[[Hostile], bytes]] = {
    "ClientHello": lambda _: message(HandshakeType.CLIENT_HELLO, bytes(40)),
    "ServerHello": _server_hello,
    "HelloVerifyRequest": lambda _: message(3, b"\3\3\0"),
    "NewSessionTicket": lambda _: message(
        HandshakeType.NEW_SESSION_TICKET, bytes(4) + b"\0\4" + bytes(4)
    ),
    "Certificate": _certificate,
    "ServerKeyExchange": _server_key_exchange,
    "CertificateRequest": lambda _: message(HandshakeType.CERTIFICATE_REQUEST, b"\1\1\0\2\4\1\0\0"),
    "ServerHelloDone": lambda _: message(HandshakeType.SERVER_HELLO_DONE, b""),
    "CertificateVerify": lambda _: message(HandshakeType.CERTIFICATE_VERIFY, bytes(64)),
    "ClientKeyExchange": lambda _: message(HandshakeType.CLIENT_KEY_EXCHANGE, bytes(64)),
    "Finished": _server_finished,
    "CertificateStatus": lambda _: message(22, b"\1\0\0\0"),
    "message of type 24": lambda _: message(24, b"\0"),
    "message of type 255": lambda _: message(255, bytes(16)),
    "ServerHelloDone with a byte in it": lambda _: message(HandshakeType.SERVER_HELLO_DONE, b"\0"),
    "HelloRequest with a byte in it": lambda _: message(HandshakeType.HELLO_REQUEST, b"\0"),
}


def _messages(profile: Profile, place: str) -> Iterator[Case]:
    plan = Plan(profile)
    for name, make in _MESSAGES.items():
        if name in _DUE[place]:
            continue
        expected = _UNEXPECTED
        if name == "HelloRequest with a byte in it" or (
            name.startswith("ServerHelloDone with") and place == "before ServerHelloDone"
        ):
            expected = refuses(Alert.DECODE_ERROR)
        yield Case(
            f"{profile}: {name} {place}",
            expected,
            partial(_sends, plan, place, ContentType.HANDSHAKE, make),
        )
    group = f"{profile} record {place}"
    for name, content_type, content in (
        ("application data", ContentType.APPLICATION_DATA, PAGE),
        ("empty application data", ContentType.APPLICATION_DATA, b""),
        ("an empty handshake record", ContentType.HANDSHAKE, b""),
        ("an empty alert record", ContentType.ALERT, b""),
        ("a record of type 0", 0, b"\0"),
        ("a heartbeat", ContentType.HEARTBEAT, b"\1\x40\0" + bytes(16)),
        ("a record of type 99", 99, b"\0"),
    ):
        yield Case(
            f"{profile}: {name} {place}",
            _UNEXPECTED,
            partial(_sends, plan, place, content_type, _just(content)),
            # Before a version is agreed on, that of the first record is the alert's too.
            "" if place == "first" else group,
        )
    if place != "after the client's Finished":
        yield Case(
            f"{profile}: ChangeCipherSpec {place}",
            _UNEXPECTED,
            partial(
                _sends,
                plan,
                place,
                ContentType.CHANGE_CIPHER_SPEC,
                _just(b"\1"),
                # Whoever offers TLS 1.3 drops one that comes first (RFC 8446 section 5).
                options=_HIGHEST if place == "first" else (),
            ),
            "" if place == "first" else group,
        )
    else:
        for content in (b"\0", b"\2", b"\1\1", b"\1\0"):
            yield Case(
                f"{profile}: ChangeCipherSpec {content.hex()}",
                refuses(Alert.DECODE_ERROR),
                partial(
                    _sends, plan, place, ContentType.CHANGE_CIPHER_SPEC, lambda _, c=content: c
                ),
            )
    yield Case(
        f"{profile}: ChangeCipherSpec within a message {place}",
        _UNEXPECTED,
        partial(_within, plan, place),
    )
    yield Case(
        f"{profile}: an alert of the level 3 {place}",
        refuses(Alert.ILLEGAL_PARAMETER),
        partial(_sends, plan, place, ContentType.ALERT, lambda _: b"\3\0"),
    )
    yield Case(
        f"{profile}: half an alert, then a message {place}",
        _UNEXPECTED,
        partial(_half_an_alert, plan, place),
    )


def _just(content: bytes) -> Callable[[Hostile], bytes]:
    return lambda _: content


def _sends(
    plan: Plan,
    place: str,
    content_type: int,
    make: Callable[[Hostile], bytes],
    lab: ClientLab,
    *,
    options: tuple[str, ...] = (),
) -> Reply:
    def script(server: Hostile) -> None:
        _place(server, place)
        server.send(content_type, make(server))

    return lab.meet(plan, script, options=options)


_DUE_NEXT: dict[str, Callable[[Hostile], bytes]] = {
    "first": _server_hello,
    "after ServerHello": _certificate,
    "after Certificate": _server_key_exchange,
    "before ServerHelloDone": _MESSAGES["CertificateRequest"],
    "after the client's Finished": _server_finished,
    "after ChangeCipherSpec": _server_finished,
}


def _within(plan: Plan, place: str, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _place(server, place)
        half = _DUE_NEXT[place](server)[:10]
        server.send(ContentType.HANDSHAKE, half)
        server.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")

    return lab.meet(plan, script)


def _half_an_alert(plan: Plan, place: str, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _place(server, place)
        server.send(ContentType.ALERT, bytes([WARNING]))
        server.send(ContentType.HANDSHAKE, _DUE_NEXT[place](server))

    return lab.meet(plan, script)


def _ends(profile: Profile, place: str) -> Iterator[Case]:
    """The server goes away: nothing is to be said."""
    plan = Plan(profile)
    for description in (Alert.HANDSHAKE_FAILURE, Alert.INTERNAL_ERROR):
        content = bytes([FATAL, description])
        yield Case(
            f"{profile}: fatal {description.name.lower()} {place}",
            _GONE,
            partial(_sends, plan, place, ContentType.ALERT, _just(content)),
        )
    yield Case(
        f"{profile}: fatal alert {place}, in halves", _GONE, partial(_in_halves, plan, place)
    )
    yield Case(
        f"{profile}: close_notify {place}",
        says_at_most_goodbye(),
        partial(_sends, plan, place, ContentType.ALERT, lambda _: bytes([WARNING, 0])),
    )
    yield Case(
        f"{profile}: the end {place}", says_at_most_goodbye(), partial(_hangs_up, plan, place)
    )


def says_at_most_goodbye() -> Expectation:
    """Exit code 1; close_notify may be answered."""

    def accepts(reply: Reply) -> bool:
        answers = [Event(e.kind, e.detail) for e in reply.events]
        return reply.end == "exit code 1" and answers in (
            [],
            [Event("alert", "warning close_notify")],
        )

    return Expectation("at most a close_notify, exit code 1", accepts)


def _in_halves(plan: Plan, place: str, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _place(server, place)
        server.send(ContentType.ALERT, bytes([FATAL]))
        server.send(ContentType.ALERT, bytes([Alert.HANDSHAKE_FAILURE]))

    return lab.meet(plan, script)


def _hangs_up(plan: Plan, place: str, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _place(server, place)
        server.end_sending()

    return lab.meet(plan, script)


def _floods(profile: Profile, place: str) -> Iterator[Case]:
    """What brings nothing forward is taken for a while only."""
    plan = Plan(profile)
    warning = bytes([WARNING, Alert.USER_CANCELED])
    request = message(HandshakeType.HELLO_REQUEST, b"")
    for name, content_type, content in (
        ("warnings", ContentType.ALERT, warning),
        ("HelloRequests", ContentType.HANDSHAKE, request),
    ):
        yield Case(
            f"{profile}: {name} without end {place}",
            _UNEXPECTED,
            partial(_flood, plan, place, content_type, content, 20 * _MOST),
        )
        yield Case(
            f"{profile}: {name} without end {place}, many in a record",
            _UNEXPECTED,
            partial(_flood, plan, place, content_type, content * 4000, 2),
        )
        if place == "first":
            yield Case(
                f"{profile}: a few {name} at every place",
                delivers(PAGE),
                partial(_a_few, plan, content_type, content),
            )


def _flood(
    plan: Plan, place: str, content_type: int, content: bytes, count: int, lab: ClientLab
) -> Reply:
    def script(server: Hostile) -> None:
        _place(server, place)
        server.hold()
        for _ in range(count):
            server.send(content_type, content)
        server.release()

    return lab.meet(plan, script)


def _a_few(plan: Plan, content_type: int, content: bytes, lab: ClientLab) -> Reply:
    """One at each place, and the handshake goes on."""

    def script(server: Hostile) -> None:
        server.read_hello()
        for name, step in _STEPS.items():
            if name == "after Certificate" and not server.profile.suite.ephemeral:
                continue
            server.send(content_type, content)
            step(server)
        server.answer()
        server.goodbye()

    return lab.meet(plan, script)


def _finished(profile: Profile, scope: Scope) -> Iterator[Case]:
    plan = Plan(profile)

    def case(name: str, expected: Expectation, change: Callable[[Hostile, bytes], bytes]) -> Case:
        return Case(f"{profile}: {name}", expected, partial(_wrong_finished, plan, change))

    wrong = refuses(Alert.DECRYPT_ERROR)
    for at in scope.some(range(12), 3):
        yield case(f"byte {at} of Finished changed", wrong, lambda _, it, at=at: flip(it, at))
    yield case("Finished of zeros", wrong, lambda _, it: bytes(len(it)))
    yield case("the client's Finished", wrong, lambda server, _: server.client_verify_data)
    unreadable = refuses(Alert.DECODE_ERROR)
    for length in (0, 1, 11):
        yield case(f"{length} bytes of Finished", unreadable, lambda _, it, n=length: it[:n])
    for length in (13, 36, 100):
        yield case(
            f"Finished of {length} bytes", unreadable, lambda _, it, n=length: it.ljust(n, b"\0")
        )
    yield Case(f"{profile}: Finished in the clear", _UNEXPECTED, partial(_in_the_clear, plan))
    yield Case(
        f"{profile}: Finished in the clear, after ChangeCipherSpec",
        refuses(Alert.BAD_RECORD_MAC),
        partial(_unprotected, plan, HandshakeType.FINISHED),
    )
    yield Case(
        f"{profile}: a page in the clear, after ChangeCipherSpec",
        refuses(Alert.BAD_RECORD_MAC),
        partial(_unprotected, plan, None),
    )
    yield Case(
        f"{profile}: Finished under other keys",
        refuses(Alert.BAD_RECORD_MAC),
        partial(_other_keys, plan),
    )
    yield Case(
        f"{profile}: Finished and the beginning of a message, and no more",
        refuses(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR),
        partial(_and_more, plan),
    )


def _wrong_finished(plan: Plan, change: Callable[[Hostile, bytes], bytes], lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.open()
        server.read_flight()
        server.change_cipher_spec()
        body = change(server, server.verify_data())
        server.send_handshake(HandshakeType.FINISHED, body)

    return lab.meet(plan, script)


def _in_the_clear(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.open()
        server.read_flight()
        server.finished()

    return lab.meet(plan, script)


def _unprotected(plan: Plan, kind: int | None, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.open()
        server.read_flight()
        server.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")
        if kind is None:
            server.send(ContentType.APPLICATION_DATA, PAGE)
        else:
            server.finished()

    return lab.meet(plan, script)


def _other_keys(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.open()
        server.read_flight()
        right = server.verify_data()
        server.use(flip(server.master, 0))
        server.change_cipher_spec()
        server.send_handshake(HandshakeType.FINISHED, right)

    return lab.meet(plan, script)


def _and_more(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.open()
        server.read_flight()
        server.change_cipher_spec()
        finished = message(HandshakeType.FINISHED, server.verify_data())
        server.send(ContentType.HANDSHAKE, finished + b"\x04\0\0\x0c")

    return lab.meet(plan, script)


def _afterwards(profile: Profile) -> Iterator[Case]:
    """After the handshake the client has a page already; exit code 3 says that it is not whole."""
    plan = Plan(profile)
    cut = delivers(PAGE, 3, Alert.UNEXPECTED_MESSAGE)
    for name, make in _MESSAGES.items():
        expected = cut
        if name == "HelloRequest with a byte in it":
            expected = delivers(PAGE, 3, Alert.DECODE_ERROR)
        yield Case(
            f"{profile}: {name} after a page",
            expected,
            partial(_after_page, plan, ContentType.HANDSHAKE, make),
        )
    for name, content_type, content in (
        ("ChangeCipherSpec", ContentType.CHANGE_CIPHER_SPEC, b"\1"),
        ("a record of type 99", 99, b"\0"),
        ("an empty handshake record", ContentType.HANDSHAKE, b""),
    ):
        yield Case(
            f"{profile}: {name} after a page",
            cut,
            partial(_after_page, plan, content_type, _just(content)),
        )
    yield Case(
        f"{profile}: a fatal alert after a page",
        _only_delivers(3),
        partial(
            _after_page, plan, ContentType.ALERT, lambda _: bytes([FATAL, Alert.INTERNAL_ERROR])
        ),
    )
    yield Case(
        # RFC 5246 section 7.2.1: it may have been cut off.
        f"{profile}: no close_notify after a page",
        _only_delivers(3),
        partial(_cut_off, plan),
    )
    yield Case(
        f"{profile}: data after close_notify",
        delivers(PAGE),
        partial(_after_goodbye, plan),
    )
    yield Case(
        # RFC 5246 section 7.2.2.
        f"{profile}: a HelloRequest after a page",
        _declines(),
        partial(_asks_again, plan, 1),
    )
    flood = Expectation(
        "warnings no_renegotiation, then fatal unexpected_message, exit code 3", _gives_up
    )
    yield Case(
        f"{profile}: HelloRequests without end after a page", flood, partial(_asks_again, plan, 640)
    )
    for name, content_type, content in (
        ("warnings", ContentType.ALERT, bytes([WARNING, Alert.USER_CANCELED])),
        ("empty records", ContentType.APPLICATION_DATA, b""),
    ):
        yield Case(
            f"{profile}: {name} without end after a page",
            cut,
            partial(_flood_after_page, plan, content_type, content),
        )


def _after_page(
    plan: Plan, content_type: int, make: Callable[[Hostile], bytes], lab: ClientLab
) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.answer()
        server.send(content_type, make(server))

    return lab.meet(plan, script)


def _only_delivers(code: int) -> Expectation:
    """The page, and nothing said."""

    def accepts(reply: Reply) -> bool:
        kinds = [event.kind for event in reply.events]
        return kinds == ["delivered"] and reply.end == f"exit code {code}"

    return Expectation(f"delivers the page, exit code {code}", accepts)


def _cut_off(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.answer()
        server.end_sending()

    return lab.meet(plan, script)


def _after_goodbye(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.answer()
        server.hold()
        server.alert(WARNING, Alert.CLOSE_NOTIFY)
        server.send(ContentType.APPLICATION_DATA, b"more, which nobody wants")
        server.release()
        server.end_sending()

    return lab.meet(plan, script)


def _declines() -> Expectation:
    def accepts(reply: Reply) -> bool:
        first, *rest = reply.events or (Event(""),)
        return alert_event(first, WARNING, Alert.NO_RENEGOTIATION) and delivers(PAGE).accepts(
            Reply(tuple(rest), reply.end)
        )

    return Expectation("warning no_renegotiation, and the page", accepts)


def _gives_up(reply: Reply) -> bool:
    warnings = [e for e in reply.events if alert_event(e, WARNING, Alert.NO_RENEGOTIATION)]
    rest = tuple(event for event in reply.events if event not in warnings)
    ended = Reply(rest, reply.end)
    return len(warnings) == _MOST and delivers(PAGE, 3, Alert.UNEXPECTED_MESSAGE).accepts(ended)


def _asks_again(plan: Plan, count: int, lab: ClientLab) -> Reply:
    request = message(HandshakeType.HELLO_REQUEST, b"")

    def script(server: Hostile) -> None:
        server.handshake()
        server.answer()
        server.hold()
        for _ in range(count):
            server.send(ContentType.HANDSHAKE, request)
        server.release()
        if count == 1:
            server.goodbye()

    return lab.meet(plan, script)


def _flood_after_page(plan: Plan, content_type: int, content: bytes, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake()
        server.answer()
        server.hold()
        for _ in range(20 * _MOST):
            server.send(content_type, content)
        server.release()

    return lab.meet(plan, script)
