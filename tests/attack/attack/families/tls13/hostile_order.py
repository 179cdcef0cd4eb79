"""Servers of TLS 1.3 whose messages come out of order, twice, not at all or without end.

KeyUpdate and ChangeCipherSpec are among them (RFC 8446 sections 4, 4.4.4, 4.6.3 and 5).
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Scope
from attack.families.hostile_order import says_at_most_goodbye
from attack.families.tls13.hostile import (
    BAD_RECORD,
    GOOD,
    MISMATCH,
    UNEXPECTED,
    case,
    cut_short,
    on,
    to_request,
)
from attack.hostile import PAGE
from attack.reply import delivers, either, refuses
from attack.tls13 import schedule
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.peer import encoded
from attack.tls13.suites import AES128_GCM, AES256_GCM
from attack.wire import FATAL, WARNING, Alert, ContentType, HandshakeType, flip, message

_GONE = says_at_most_goodbye()
_MANY = 1000


def cases(scope: Scope) -> Iterator[Case]:
    """At every place of the flight."""
    places = scope.some(_STEPS, 2)
    for place in places:
        for name, make in _MESSAGES.items():
            if name in _DUE[place]:
                continue
            yield case(
                f"{name} {place}",
                UNEXPECTED.by("4"),
                partial(_message, place, make),
                group=f"message {place}",
            )
        for kind in scope.some((0, 19, 24, 25, 255), 1):
            yield case(
                f"record of type {kind} {place}",
                UNEXPECTED.by("5"),
                lambda server, place=place, kind=kind: (
                    _place(server, place),
                    server.send(kind, b"\1\0\0"),
                ),
            )
        yield case(
            f"application data {place}",
            UNEXPECTED.by("5"),
            lambda server, place=place: (
                _place(server, place),
                server.send(ContentType.APPLICATION_DATA, PAGE),
            ),
        )
        for level, description in scope.some(((FATAL, 40), (WARNING, 40), (WARNING, 199)), 1):
            yield case(
                f"alert {description} of level {level} {place}",
                _GONE.by("6"),
                lambda server, place=place, body=bytes([level, description]): (
                    _place(server, place),
                    server.send(ContentType.ALERT, body),
                ),
            )
        yield case(
            f"the end {place}",
            _GONE,
            lambda server, place=place: (_place(server, place), server.end_sending()),
        )
    yield from _left_out()
    yield from _change_cipher_spec(places, scope)
    yield from _afterwards()
    for size in scope.some((1, 2, 3, 5, 100, 1000), 2):
        yield case(
            f"every message in records of {size} bytes", GOOD.by("5.1"), partial(_pieces, size)
        )


def cases_of_finished(scope: Scope) -> Iterator[Case]:
    """Each bit, each length, and what belongs to somebody else."""
    for suite in (AES128_GCM, AES256_GCM):
        plan, length = Plan(suite=suite), suite.hash_length
        for bit in scope.some(range(8 * length), 6):
            yield _finished(
                plan, f"bit {bit} changed", lambda it, bit=bit: flip(it, bit // 8, 1 << bit % 8)
            )
        yield _finished(plan, "all zeros", lambda it: bytes(len(it)))
        yield _finished(plan, "backwards", lambda it: it[::-1])
        for name, make in {
            "of the client": lambda server: server.verify_data(server.client_secret),
            "without CertificateVerify": lambda server: schedule.finished(
                server.suite, server.server_secret, server.before
            ),
            "of another ClientHello": lambda server: schedule.finished(
                server.suite, server.server_secret, flip(server.transcript, 40)
            ),
        }.items():
            yield case(
                f"{suite}: {name}",
                MISMATCH.by("4.4.4"),
                lambda server, make=make: (_to_finished(server), server.finished(make(server))),
                group=f"{suite} verify_data",
                plan=plan,
            )
        for count in scope.some(sorted({0, 1, 12, 31, length - 1, length + 1, 64}), 3):
            if count == length:
                continue
            yield case(
                f"{suite}: {count} bytes of verify_data",
                refuses(Alert.DECODE_ERROR, Alert.DECRYPT_ERROR).by("4.4.4, 6.2"),
                lambda server, count=count: (_to_finished(server), server.finished(bytes(count))),
                group=f"{suite} length",
                plan=plan,
            )
    for name, rest in {"KeyUpdate": b"\x18\0\0\1\0", "a byte": b"\4"}.items():
        yield case(
            f"Finished and {name} in one record",
            UNEXPECTED.by("5.1"),
            partial(_finished_and, rest),
        )


def cases_of_key_update(scope: Scope) -> Iterator[Case]:
    """Good ones, floods, and what is no KeyUpdate."""
    for request in (0, 1):
        for count in scope.some((1, 2, 5), 2):
            yield case(
                f"{count} with request {request}",
                GOOD.by("4.6.3"),
                partial(_updates, request, count),
            )
        yield case(
            f"before Finished, with request {request}",
            UNEXPECTED.by("4.6.3"),
            lambda server, request=request: (_to_finished(server), server.key_update(request)),
        )
        yield case(
            f"and on with the old keys, with request {request}",
            cut_short(Alert.BAD_RECORD_MAC).by("4.6.3"),
            partial(_old_keys, request),
        )
        yield case(
            f"{_MANY} with request {request}",
            either(GOOD, cut_short(Alert.UNEXPECTED_MESSAGE)).by("4.6.3"),
            partial(_updates, request, _MANY),
        )
    for value in scope.some((2, 3, 128, 255), 2):
        yield case(
            f"with request {value}",
            cut_short(Alert.ILLEGAL_PARAMETER).by("4.6.3"),
            partial(_post, HandshakeType.KEY_UPDATE, bytes([value])),
            group="value",
        )
    for body in (b"", b"\0\0", bytes(100)):
        yield case(
            f"of {len(body)} bytes",
            cut_short(Alert.DECODE_ERROR).by("6.2"),
            partial(_post, HandshakeType.KEY_UPDATE, body),
            group="length",
        )
    yield case(
        "never, but new keys",
        cut_short(Alert.BAD_RECORD_MAC).by("5.2"),
        lambda server: (
            to_request(server),
            setattr(server, "write", server.write.updated()),
            server.send(ContentType.APPLICATION_DATA, PAGE),
        ),
    )
    yield case(
        "twice in one record",
        cut_short(Alert.UNEXPECTED_MESSAGE).by("5.1"),
        lambda server: (
            to_request(server),
            server.send(ContentType.HANDSHAKE, message(HandshakeType.KEY_UPDATE, b"\0") * 2),
        ),
    )
    yield case(
        "in the clear",
        cut_short(Alert.UNEXPECTED_MESSAGE).by("5"),
        lambda server: (
            to_request(server),
            server.send_clear(ContentType.HANDSHAKE, message(HandshakeType.KEY_UPDATE, b"\0")),
        ),
    )


_STEPS: dict[str, Callable[[Hostile], object]] = {
    "after ServerHello": lambda server: server.encrypted_extensions(),
    "after EncryptedExtensions": lambda server: server.certificate(),
    "after Certificate": lambda server: server.certificate_verify(),
    "after CertificateVerify": lambda server: server.finished(),
}
_DUE = {
    "after ServerHello": ("EncryptedExtensions",),
    "after EncryptedExtensions": ("Certificate", "CertificateRequest"),
    "after Certificate": ("CertificateVerify",),
    "after CertificateVerify": ("Finished",),
}


def _place(server: Hostile, place: str) -> None:
    """Does what is right up to there."""
    server.greet()
    for name, step in _STEPS.items():
        if name == place:
            return
        step(server)


_MESSAGES: dict[str, Callable[[Hostile], bytes]] = {
    "HelloRequest": lambda _: message(HandshakeType.HELLO_REQUEST, b""),
    "ClientHello": lambda server: server.client.encoded[0],
    "ServerHello": lambda server: message(HandshakeType.SERVER_HELLO, server.hello_body()),
    "NewSessionTicket": lambda server: message(
        HandshakeType.NEW_SESSION_TICKET, server.ticket_body()
    ),
    "EndOfEarlyData": lambda _: message(HandshakeType.END_OF_EARLY_DATA, b""),
    "EncryptedExtensions": lambda _: message(HandshakeType.ENCRYPTED_EXTENSIONS, b"\0\0"),
    "Certificate": lambda server: message(HandshakeType.CERTIFICATE, server.certificate_body()),
    "ServerKeyExchange": lambda _: message(HandshakeType.SERVER_KEY_EXCHANGE, bytes(64)),
    "CertificateRequest": lambda _: message(
        HandshakeType.CERTIFICATE_REQUEST, b"\0" + encoded([(13, b"\0\2\4\3")])
    ),
    "ServerHelloDone": lambda _: message(HandshakeType.SERVER_HELLO_DONE, b""),
    "CertificateVerify": lambda server: message(
        HandshakeType.CERTIFICATE_VERIFY, server.signature()
    ),
    "Finished": lambda server: message(
        HandshakeType.FINISHED, server.verify_data(server.server_secret)
    ),
    "KeyUpdate": lambda _: message(HandshakeType.KEY_UPDATE, b"\0"),
    "message_hash": lambda _: message(HandshakeType.MESSAGE_HASH, bytes(32)),
    "message of type 67": lambda _: message(67, bytes(34)),
    "message of type 255": lambda _: message(255, bytes(16)),
}


def _message(place: str, make: Callable[[Hostile], bytes], server: Hostile) -> None:
    _place(server, place)
    server.send(ContentType.HANDSHAKE, make(server))


def _left_out() -> Iterator[Case]:
    """What follows is not due."""
    for name, steps in {
        "EncryptedExtensions": ("certificate", "certificate_verify", "finished"),
        "Certificate": ("encrypted_extensions", "certificate_verify", "finished"),
        "Certificate and CertificateVerify": ("encrypted_extensions", "finished"),
        "CertificateVerify": ("encrypted_extensions", "certificate", "finished"),
    }.items():
        yield case(f"{name} left out", UNEXPECTED.by("4.4"), partial(_steps, steps))
    yield case(
        "Finished left out",
        BAD_RECORD.by("5.2"),
        lambda server: (
            _to_finished(server),
            server.agree_on_traffic(),
            setattr(server, "write", server.protection(server.server_traffic)),
            server.send(ContentType.APPLICATION_DATA, PAGE),
        ),
    )
    yield case(
        "EncryptedExtensions in the clear",
        UNEXPECTED.by("5"),
        lambda server: (
            server.greet(),
            server.send_clear(
                ContentType.HANDSHAKE, message(HandshakeType.ENCRYPTED_EXTENSIONS, b"\0\0")
            ),
        ),
    )
    yield case(
        "data in the clear after the handshake",
        cut_short(Alert.BAD_RECORD_MAC, Alert.UNEXPECTED_MESSAGE).by("5.2"),
        lambda server: (
            to_request(server),
            server.send_clear(ContentType.APPLICATION_DATA, PAGE),
        ),
    )


def _steps(steps: tuple[str, ...], server: Hostile) -> None:
    server.greet()
    server.hold()
    for step in steps:
        getattr(server, step)()
    server.release()


def _change_cipher_spec(places: list[str], scope: Scope) -> Iterator[Case]:
    for place in places:
        yield case(f"ChangeCipherSpec {place}", GOOD.by("5"), partial(_with_change, place, 1))
        yield case(
            f"ChangeCipherSpec protected {place}",
            UNEXPECTED.by("5"),
            lambda server, place=place: (
                _place(server, place),
                server.send(ContentType.CHANGE_CIPHER_SPEC, b"\1"),
            ),
        )
        for content in scope.some((b"\0", b"\2", b"\1\1", b"\xff", bytes(99)), 1):
            yield case(
                f"ChangeCipherSpec {content[:4].hex()}, {len(content)} bytes, {place}",
                UNEXPECTED.by("5"),
                lambda server, place=place, content=content: (
                    _place(server, place),
                    server.change_cipher_spec(content),
                ),
            )
    yield case(
        # Before ServerHello, the client cannot know that this is TLS 1.3.
        "ChangeCipherSpec before ServerHello",
        either(GOOD, UNEXPECTED).by("5"),
        lambda server: (server.read_hello(), server.change_cipher_spec(), _rest(server)),
    )
    yield case(
        f"{_MANY} ChangeCipherSpecs",
        either(GOOD, UNEXPECTED).by("5"),
        partial(_with_change, "after ServerHello", _MANY),
    )
    yield case(
        "ChangeCipherSpec after Finished",
        cut_short(Alert.UNEXPECTED_MESSAGE).by("5"),
        lambda server: (to_request(server), server.change_cipher_spec()),
    )


def _rest(server: Hostile) -> None:
    server.open()
    on(server)


def _with_change(place: str, count: int, server: Hostile) -> None:
    server.greet()
    server.hold()
    for name, step in _STEPS.items():
        if name == place:
            for _ in range(count):
                server.change_cipher_spec()
        step(server)
    server.release()
    if server.read_until(lambda: server.client.finished):
        on(server)


def _afterwards() -> Iterator[Case]:
    """After a good handshake, up to the page."""
    for name, make in _MESSAGES.items():
        if name in ("NewSessionTicket", "KeyUpdate"):
            continue
        yield case(
            f"{name} after the request",
            cut_short(Alert.UNEXPECTED_MESSAGE).by("4.6"),
            lambda server, make=make: (
                to_request(server),
                server.send(ContentType.HANDSHAKE, make(server)),
            ),
            group="message after the request",
        )
    yield case(
        "no close_notify after a page",
        delivers(PAGE, 3).by("6.1"),
        lambda server: (server.handshake(), server.answer(), server.end_sending()),
    )
    yield case(
        "a fatal alert after a page",
        delivers(PAGE, 3).by("6.2"),
        lambda server: (
            server.handshake(),
            server.answer(),
            server.send(ContentType.ALERT, bytes([FATAL, 80])),
        ),
    )
    yield case(
        "an error of level warning after a page",
        delivers(PAGE, 3).by("6"),
        lambda server: (
            server.handshake(),
            server.answer(),
            server.send(ContentType.ALERT, bytes([WARNING, 80])),
        ),
    )
    yield case(
        "data within a message",
        cut_short(Alert.UNEXPECTED_MESSAGE).by("5.1"),
        lambda server: (
            to_request(server),
            server.send(ContentType.HANDSHAKE, b"\4\0\0"),
            server.send(ContentType.APPLICATION_DATA, PAGE),
        ),
    )


def _to_finished(server: Hostile) -> None:
    server.greet()
    server.encrypted_extensions()
    server.certificate()
    server.before = server.transcript
    server.certificate_verify()


def _finished(plan: Plan, name: str, change: Callable[[bytes], bytes]) -> Case:
    return case(
        f"{plan.suite}: {name}",
        MISMATCH.by("4.4.4"),
        lambda server: (
            _to_finished(server),
            server.finished(change(server.verify_data(server.server_secret))),
        ),
        group=f"{plan.suite} verify_data",
        plan=plan,
    )


def _finished_and(rest: bytes, server: Hostile) -> None:
    _to_finished(server)
    encoded_finished = message(HandshakeType.FINISHED, server.verify_data(server.server_secret))
    server.send(ContentType.HANDSHAKE, encoded_finished + rest)


def _pieces(size: int, server: Hostile) -> None:
    """Cut wherever no key changes."""
    server.read_hello()
    if not server.has_share():
        server.retry()
        server.read_hello(2)

    def send(encoded_messages: bytes) -> None:
        server.hold()
        for at in range(0, len(encoded_messages), size):
            server.send(ContentType.HANDSHAKE, encoded_messages[at : at + size])
        server.release()

    send(server.noted(HandshakeType.SERVER_HELLO, server.hello_body()))
    server.use_handshake()
    flight = server.noted(HandshakeType.ENCRYPTED_EXTENSIONS, b"\0\0")
    flight += server.noted(HandshakeType.CERTIFICATE, server.certificate_body())
    flight += server.noted(HandshakeType.CERTIFICATE_VERIFY, server.signature())
    flight += server.noted(HandshakeType.FINISHED, server.verify_data(server.server_secret))
    send(flight)
    server.agree_on_traffic()
    server.write = server.protection(server.server_traffic)
    on(server)


def _updates(request: int, count: int, server: Hostile) -> None:
    to_request(server)
    server.hold()
    for _ in range(count):
        server.key_update(request)
    server.send(ContentType.APPLICATION_DATA, PAGE)
    server.release()
    server.goodbye()
    server.read_until(lambda: False)
    answers = server.client.key_updates
    server.require(1 not in answers, "the client answers a request with a request")
    server.require(len(answers) <= count, "the client has more answers than there are requests")
    server.require(bool(request) or not answers, "the client answers what is no request")
    server.forget_key_updates()


def _old_keys(request: int, server: Hostile) -> None:
    to_request(server)
    server.send_post(HandshakeType.KEY_UPDATE, bytes([request]))
    server.send(ContentType.APPLICATION_DATA, PAGE)
    server.read_until(lambda: False)
    server.forget_key_updates()


def _post(kind: int, body: bytes, server: Hostile) -> None:
    to_request(server)
    server.send_post(kind, body)
