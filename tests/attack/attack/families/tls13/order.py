"""Messages that are repeated, left out, or out of their order (RFC 8446 section 4).

A message that is not due is an unexpected_message.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.families.tls13 import BAD_RECORD, UNEXPECTED, to_flight
from attack.reply import Reply, closes, either, ends_with, fatal, waits
from attack.tls13.client import Client
from attack.tls13.signing import PSS_SHA256
from attack.wire import FATAL, WARNING, Alert, ContentType, HandshakeType, message

_NO_RECORD = fatal(
    # Before the first record, a server need not even believe that this is TLS.
    Alert.UNEXPECTED_MESSAGE,
    Alert.DECODE_ERROR,
    Alert.RECORD_OVERFLOW,
    Alert.PROTOCOL_VERSION,
)


def cases(scope: Scope) -> Iterator[Case]:
    """Every message in every place but its own, and other record types in between."""
    places = list(_PLACES) if not scope.smoke else ["after the flight", "after Finished"]
    for place in places:
        reach = _PLACES[place]
        for name, make in _MESSAGES.items():
            if (place, name) in _RIGHT:
                continue
            yield Case(
                f"{name} {place}",
                UNEXPECTED.by("4"),
                partial(_message, reach, make),
                group=f"message {place}",
            )
        first = place in ("first", "after HelloRetryRequest")
        for kind in scope.some((0, 19, 24, 25, 0x80, 255), 2):
            yield Case(
                f"record of type {kind} {place}",
                (_NO_RECORD if first else UNEXPECTED).by("5"),
                partial(_record, reach, kind, b"\1\0\0"),
                group="" if first else f"record type {place}",
            )
        if place != "after Finished":
            yield Case(
                f"application data {place}",
                UNEXPECTED.by("5"),
                partial(_record, reach, ContentType.APPLICATION_DATA, b"GET /"),
            )
        yield from _alerts(place, reach, scope)
        if not first:
            yield Case(
                f"a message in the clear {place}",
                UNEXPECTED.by("5"),
                partial(_in_the_clear, reach, ContentType.HANDSHAKE, b"\x14\0\0\x20" + bytes(32)),
            )
    for run, expected in {
        _finished_left_out: BAD_RECORD.by("5.2"),
        _finished_twice: UNEXPECTED.by("4"),
        _finished_in_the_clear: UNEXPECTED.by("5"),
        _hello_twice: ends_with(Alert.UNEXPECTED_MESSAGE).by("4.1.2"),
        _data_before_finished: BAD_RECORD.by("5.2"),
        _keys_never_changed: UNEXPECTED.by("4.4.4"),
        _data_within_message: UNEXPECTED.by("5.1"),
        _another_hello_in_the_clear: UNEXPECTED.by("4.1.2"),
    }.items():
        yield Case(run.__doc__, expected, run)


def _alerts(place: str, reach: Callable[[Client], None], scope: Scope) -> Iterator[Case]:
    # Within a handshake, some servers find an alert unexpected.
    over = closes() if place == "after Finished" else either(closes(), UNEXPECTED)
    # Before the first hello, this need not be TLS 1.3, and a warning is one.
    for level in (FATAL,) if place == "first" else (WARNING, FATAL):
        for description in scope.some((Alert.HANDSHAKE_FAILURE, Alert.INTERNAL_ERROR, 199), 1):
            # The level says nothing, and what is unknown is an error.
            yield Case(
                f"alert {description:d} of level {level} {place}",
                over.by("6, 6.2"),
                partial(_record, reach, ContentType.ALERT, bytes([level, description])),
            )
    yield Case(
        f"close_notify {place}",
        over.by("6.1"),
        partial(_record, reach, ContentType.ALERT, bytes([WARNING, Alert.CLOSE_NOTIFY])),
    )
    for content in scope.some((b"\2", bytes([FATAL, 40, 0]), bytes([2, 40, 2, 40])), 1):
        yield Case(
            # Alerts are neither cut nor joined (section 5.1).
            f"alert of the bytes {content.hex()} {place}",
            either(
                fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER, Alert.UNEXPECTED_MESSAGE),
                closes(),
                waits(),
            ).by("5.1"),
            partial(_odd_alert, reach, content),
        )


def _retry(client: Client) -> None:
    hello = client.hello()
    hello.put(51, client.key_shares([]))
    client.send_hello(hello)
    client.read_retry()


_PLACES: dict[str, Callable[[Client], None]] = {
    "first": lambda _: None,
    "after HelloRetryRequest": _retry,
    "after the flight": to_flight,
    "after Finished": lambda client: client.handshake(),
}


def _finished(client: Client) -> bytes:
    body = client.verify_data(client.client_secret) if client.schedule else bytes(32)
    return message(HandshakeType.FINISHED, body)


def _client_hello(client: Client) -> bytes:
    return message(HandshakeType.CLIENT_HELLO, client.encode(client.hello()))


_MESSAGES: dict[str, Callable[[Client], bytes]] = {
    "HelloRequest": lambda _: message(HandshakeType.HELLO_REQUEST, b""),
    "ClientHello": _client_hello,
    "ServerHello": lambda _: message(
        HandshakeType.SERVER_HELLO, b"\3\3" + bytes(33) + b"\x13\1\0\0\6\0\x2b\0\2\3\4"
    ),
    "NewSessionTicket": lambda _: message(
        HandshakeType.NEW_SESSION_TICKET, bytes(8) + b"\1\0\0\1t\0\0"
    ),
    "EndOfEarlyData": lambda _: message(HandshakeType.END_OF_EARLY_DATA, b""),
    "EncryptedExtensions": lambda _: message(HandshakeType.ENCRYPTED_EXTENSIONS, b"\0\0"),
    "Certificate": lambda _: message(HandshakeType.CERTIFICATE, bytes(4)),
    "ServerKeyExchange": lambda _: message(HandshakeType.SERVER_KEY_EXCHANGE, bytes(64)),
    "CertificateRequest": lambda _: message(
        HandshakeType.CERTIFICATE_REQUEST, b"\0\0\x08\0\x0d\0\4\0\2\4\3"
    ),
    "ServerHelloDone": lambda _: message(HandshakeType.SERVER_HELLO_DONE, b""),
    "CertificateVerify": lambda client: message(
        HandshakeType.CERTIFICATE_VERIFY, b"\4\3\0\x48" + client.rng.randbytes(0x48)
    ),
    "ClientKeyExchange": lambda client: message(
        HandshakeType.CLIENT_KEY_EXCHANGE, b"\x20" + client.rng.randbytes(32)
    ),
    "Finished": _finished,
    "KeyUpdate": lambda _: message(HandshakeType.KEY_UPDATE, b"\0"),
    "message_hash": lambda _: message(HandshakeType.MESSAGE_HASH, bytes(32)),
    "message of type 3": lambda _: message(3, b""),
    "message of type 67": lambda _: message(67, bytes(34)),
    "message of type 255": lambda _: message(255, bytes(16)),
}

_RIGHT = {
    ("first", "ClientHello"),
    ("after HelloRetryRequest", "ClientHello"),
    ("after the flight", "Finished"),
    ("after Finished", "KeyUpdate"),
}


def _message(reach: Callable[[Client], None], make: Callable[[Client], bytes], lab: Lab) -> Reply:
    client = lab.tls13()
    reach(client)
    client.send(ContentType.HANDSHAKE, make(client))
    return client.reply()


def _record(reach: Callable[[Client], None], kind: int, body: bytes, lab: Lab) -> Reply:
    client = lab.tls13()
    reach(client)
    client.send(kind, body)
    return client.reply()


def _odd_alert(reach: Callable[[Client], None], body: bytes, lab: Lab) -> Reply:
    client = lab.tls13()
    reach(client)
    client.send(ContentType.ALERT, body)
    return client.reply_after_silence()


def _in_the_clear(reach: Callable[[Client], None], kind: int, body: bytes, lab: Lab) -> Reply:
    client = lab.tls13()
    reach(client)
    client.send_clear(kind, body)
    return client.reply()


def _finished_left_out(lab: Lab) -> Reply:
    """no Finished, but data with the keys behind it"""
    client = lab.tls13()
    client.to_flight()
    client.use_traffic()
    return client.page()


def _finished_twice(lab: Lab) -> Reply:
    """Finished twice"""
    client = lab.tls13()
    client.handshake()
    client.send(ContentType.HANDSHAKE, _finished(client))
    return client.reply()


def _finished_in_the_clear(lab: Lab) -> Reply:
    """Finished in the clear"""
    client = lab.tls13()
    client.to_flight()
    client.send_clear(ContentType.HANDSHAKE, _finished(client))
    return client.reply()


def _hello_twice(lab: Lab) -> Reply:
    """the ClientHello twice, at once"""
    # Signatures of RSA have one length, so that backends can be compared.
    client = lab.tls13(schemes=[PSS_SHA256])
    client.hold()
    client.send_hello()
    client.send_raw(client._held)
    client.release()
    return client.reply()


def _data_before_finished(lab: Lab) -> Reply:
    """data with keys of later, then Finished"""
    client = lab.tls13()
    client.to_flight()
    client.hold()
    client.use_traffic()
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    client.protect()
    client.finished()
    client.release()
    return client.reply()


def _keys_never_changed(lab: Lab) -> Reply:
    """data with the keys of the handshake, without Finished"""
    client = lab.tls13()
    client.to_flight()
    client.protect()
    return client.page()


def _data_within_message(lab: Lab) -> Reply:
    """data within a message after Finished"""
    client = lab.tls13()
    client.handshake()
    client.hold()
    client.send(ContentType.HANDSHAKE, message(HandshakeType.KEY_UPDATE, b"\0")[:2])
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    client.release()
    return client.reply()


def _another_hello_in_the_clear(lab: Lab) -> Reply:
    """another ClientHello in the clear, after Finished"""
    client = lab.tls13()
    client.handshake()
    client.send_clear(ContentType.HANDSHAKE, _client_hello(client))
    return client.reply()
