"""Messages that are repeated, left out, or out of their order (RFC 5246 section 7.4).

A message that is not due is an unexpected_message (section 7.2.2).
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST, Client
from attack.reply import Reply, closes, either, ends_with, fatal, waits
from attack.suites import Profile
from attack.wire import FATAL, WARNING, Alert, ContentType, HandshakeType, Version, message

_UNEXPECTED = fatal(Alert.UNEXPECTED_MESSAGE)
_NO_RECORD = fatal(
    # Before the first record, a server need not even believe that this is TLS.
    Alert.UNEXPECTED_MESSAGE,
    Alert.DECODE_ERROR,
    Alert.RECORD_OVERFLOW,
    Alert.PROTOCOL_VERSION,
)


def cases(scope: Scope) -> Iterator[Case]:
    """Every message in every place but its own, and other record types in between."""
    for profile in scope.versions():
        for place, reach in _PLACES.items():
            for name, encoded in _MESSAGES.items():
                if (place, name) in _RIGHT:
                    continue
                yield Case(
                    f"{profile}: {name} {place}",
                    _UNEXPECTED,
                    partial(_message, profile, reach, encoded),
                    group=f"{profile} message {place}",
                )
            for content_type in (0, 19, 24, 25, 0x80, 255):
                first = place == "first"
                yield Case(
                    f"{profile}: record of type {content_type} {place}",
                    _NO_RECORD if first else _UNEXPECTED,
                    partial(_record, profile, reach, content_type, b"\1\0\0"),
                    group="" if first else f"{profile} record type {place}",
                )
            if place != "after the handshake":
                yield Case(
                    f"{profile}: application data {place}",
                    _UNEXPECTED,
                    partial(_record, profile, reach, ContentType.APPLICATION_DATA, b"GET /"),
                )
            yield from _alerts(profile, place, reach)
        yield Case(
            f"{profile}: ClientKeyExchange twice",
            _UNEXPECTED,
            partial(_key_exchange_twice, profile),
        )
        yield Case(
            f"{profile}: Finished and the beginning of another message",
            ends_with(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR),
            partial(_finished_and_more, profile),
        )
        yield Case(
            # A message that is cut is continued before anything else comes (section 6.2.1).
            f"{profile}: application data within a message after the handshake",
            _UNEXPECTED,
            partial(_data_within, profile),
        )
        for place in ("first", "after ServerHelloDone", "after the handshake"):
            yield Case(
                f"{profile}: fatal alert {place}, in halves",
                closes(),
                partial(_alert_in_halves, profile, _PLACES[place]),
            )
        yield Case(
            f"{profile}: half an alert, then ChangeCipherSpec",
            _UNEXPECTED,
            partial(_half_an_alert, profile),
        )
        yield Case(
            f"{profile}: ClientKeyExchange and Finished in one record in the clear",
            _UNEXPECTED,
            partial(_together, profile),
        )


def _alerts(profile: Profile, place: str, reach: Callable[[Client], None]) -> Iterator[Case]:
    # Within a handshake, some servers find an alert unexpected.
    over = closes() if place == "after the handshake" else either(closes(), _UNEXPECTED)
    for description in (Alert.HANDSHAKE_FAILURE, Alert.BAD_RECORD_MAC, Alert.INTERNAL_ERROR):
        yield Case(
            # Section 7.2.2: on a fatal alert, both close immediately.
            f"{profile}: fatal {description.name.lower()} {place}",
            over,
            partial(_alert, profile, reach, bytes([FATAL, description])),
        )
    yield Case(
        f"{profile}: close_notify {place}",
        over,
        partial(_alert, profile, reach, bytes([WARNING, Alert.CLOSE_NOTIFY])),
    )
    for content in (b"", b"\2", bytes([FATAL, 40, 0]), bytes([0, 0]), bytes([3, 40])):
        yield Case(
            f"{profile}: alert of the bytes {content.hex() or 'none'} {place}",
            either(
                fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER, Alert.UNEXPECTED_MESSAGE),
                closes(),
                # An alert may be cut too: there may be more to come.
                waits(),
            ),
            partial(_odd_alert, profile, reach, content),
        )


def _nowhere(_: Client) -> None:
    pass


def _hello(client: Client) -> None:
    client.hello()


def _key_exchange(client: Client) -> None:
    client.hello()
    client.key_exchange()


def _change_cipher_spec(client: Client) -> None:
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()


def _handshake(client: Client) -> None:
    client.handshake()


_PLACES: dict[str, Callable[[Client], None]] = {
    "first": _nowhere,
    "after ServerHelloDone": _hello,
    "after ClientKeyExchange": _key_exchange,
    "after ChangeCipherSpec": _change_cipher_spec,
    "after the handshake": _handshake,
}


def _client_hello(client: Client) -> bytes:
    return message(HandshakeType.CLIENT_HELLO, client.hello_body())


def _key_exchange_message(client: Client) -> bytes:
    """A ClientKeyExchange; before the certificate is known, with random bytes in it."""
    if client.server.certified is not None:
        body, _ = client.new_key_exchange()
    elif client.profile.suite.ephemeral:
        body = client.share_body(client.rng.randbytes(65))
    else:
        body = client.key_exchange_body(client.rng.randbytes(256))
    return message(HandshakeType.CLIENT_KEY_EXCHANGE, body)


def _finished(client: Client) -> bytes:
    body = client.verify_data() if client.master else client.rng.randbytes(12)
    return message(HandshakeType.FINISHED, body)


_MESSAGES: dict[str, Callable[[Client], bytes]] = {
    "ClientHello": _client_hello,
    "ServerHello": lambda client: message(
        HandshakeType.SERVER_HELLO,
        client.profile.version.to_bytes(2, "big") + bytes(33) + b"\0\x2f\0",
    ),
    "Certificate": lambda _: message(HandshakeType.CERTIFICATE, bytes(3)),
    "CertificateRequest": lambda _: message(HandshakeType.CERTIFICATE_REQUEST, b"\1\1\0\0"),
    "CertificateVerify": lambda client: message(
        HandshakeType.CERTIFICATE_VERIFY, b"\4\1\1\0" + client.rng.randbytes(256)
    ),
    "ServerHelloDone": lambda _: message(HandshakeType.SERVER_HELLO_DONE, b""),
    "ServerKeyExchange": lambda _: message(HandshakeType.SERVER_KEY_EXCHANGE, bytes(64)),
    "NewSessionTicket": lambda _: message(HandshakeType.NEW_SESSION_TICKET, bytes(6)),
    "HelloRequest": lambda _: message(HandshakeType.HELLO_REQUEST, b""),
    "ClientKeyExchange": _key_exchange_message,
    "Finished": _finished,
    "message of type 3": lambda _: message(3, b""),
    "message of type 24": lambda _: message(24, b"\0"),
    "message of type 67": lambda _: message(67, bytes(34)),
    "message of type 255": lambda _: message(255, bytes(16)),
}

_RIGHT = {
    ("first", "ClientHello"),
    ("after ServerHelloDone", "ClientKeyExchange"),
    ("after ChangeCipherSpec", "Finished"),
    # A renegotiation, which has a class of its own.
    ("after the handshake", "ClientHello"),
}


def _message(
    profile: Profile, reach: Callable[[Client], None], make: Callable[[Client], bytes], lab: Lab
) -> Reply:
    client = lab.client(profile)
    reach(client)
    client.send(ContentType.HANDSHAKE, make(client))
    return client.reply()


def _record(
    profile: Profile, reach: Callable[[Client], None], content_type: int, body: bytes, lab: Lab
) -> Reply:
    client = lab.client(profile)
    reach(client)
    client.send(content_type, body)
    return client.reply()


def _alert(profile: Profile, reach: Callable[[Client], None], body: bytes, lab: Lab) -> Reply:
    return _record(profile, reach, ContentType.ALERT, body, lab)


def _odd_alert(profile: Profile, reach: Callable[[Client], None], body: bytes, lab: Lab) -> Reply:
    client = lab.client(profile)
    reach(client)
    client.send(ContentType.ALERT, body)
    return client.reply_after_silence()


def _key_exchange_twice(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.send(ContentType.HANDSHAKE, _key_exchange_message(client))
    return client.reply()


def _finished_and_more(profile: Profile, lab: Lab) -> Reply:
    """The server may finish before it finds out; the request then comes within a message."""
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    finished = client.noted(HandshakeType.FINISHED, client.verify_data())
    client.send(ContentType.HANDSHAKE, finished + b"\x14\0\0\x0c")
    return client.complete()


def _together(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    length = 36 if profile.version == Version.SSL3 else 12
    finished = message(HandshakeType.FINISHED, bytes(length))
    client.send(ContentType.HANDSHAKE, _key_exchange_message(client) + finished)
    return client.reply()


def _data_within(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    client.hold()
    client.send(ContentType.HANDSHAKE, _client_hello(client)[:9])
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    client.release()
    return client.reply()


def _alert_in_halves(profile: Profile, reach: Callable[[Client], None], lab: Lab) -> Reply:
    client = lab.client(profile)
    reach(client)
    client.send(ContentType.ALERT, bytes([FATAL]))
    client.send(ContentType.ALERT, bytes([Alert.HANDSHAKE_FAILURE]))
    return client.reply()


def _half_an_alert(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.send(ContentType.ALERT, bytes([WARNING]))
    client.finish()
    return client.complete()
