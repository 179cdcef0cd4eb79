"""KeyUpdate: floods, other values, and out of place (RFC 8446 section 4.6.3)."""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.families.tls13 import BAD_RECORD, ILLEGAL, UNEXPECTED, to_flight
from attack.reply import Reply, completes, either, ends_with, fatal
from attack.tls13.client import Client
from attack.tls13.suites import Suite
from attack.wire import Alert, ContentType, HandshakeType, message

_KIND = HandshakeType.KEY_UPDATE
_FLOODS = (40, 1000)


def cases(scope: Scope) -> Iterator[Case]:
    """One, many, misshapen, early, and with the wrong keys behind it."""
    for suite in scope.some(scope.suites, 2):
        for request in (0, 1):
            for count in (1, 2, 5):
                yield Case(
                    f"{suite}: {count} with request {request}",
                    completes().by("4.6.3"),
                    partial(_good, suite, request, count),
                )
    for value in scope.some((2, 3, 127, 128, 255), 2):
        yield Case(
            f"with request {value}",
            ILLEGAL.by("4.6.3"),
            partial(_body, bytes([value])),
            group="value",
        )
    for body in (b"", b"\0\0", b"\1\0", bytes(100)):
        yield Case(
            f"of {len(body)} bytes, {body[:1].hex() or 'none'}",
            fatal(Alert.DECODE_ERROR).by("6.2"),
            partial(_body, body),
            group="length",
        )
    for request in (0, 1):
        yield Case(
            f"before Finished, with request {request}",
            UNEXPECTED.by("4.6.3"),
            partial(_early, request, to_flight),
        )
        yield Case(
            f"in place of the ClientHello, with request {request}",
            UNEXPECTED.by("4.6.3"),
            partial(_early, request, lambda _: None),
        )
        yield Case(
            f"in the clear, with request {request}",
            UNEXPECTED.by("5"),
            partial(_clear, request),
        )
        yield Case(
            f"and on with the old keys, with request {request}",
            # The answer to the request may come first.
            ends_with(Alert.BAD_RECORD_MAC).by("4.6.3"),
            partial(_old_keys, request),
        )
    yield Case("never, but new keys", BAD_RECORD.by("5.2"), _new_keys)
    yield Case("twice in one record", ends_with(Alert.UNEXPECTED_MESSAGE).by("5.1"), _joined)
    yield Case(
        "within Finished", fatal(Alert.UNEXPECTED_MESSAGE, Alert.DECRYPT_ERROR).by("5.1"), _within
    )
    for count in _FLOODS[:1] if scope.smoke else _FLOODS:
        for request in (0, 1):
            yield Case(
                f"{count} in a row with request {request}",
                either(completes(), ends_with(Alert.UNEXPECTED_MESSAGE)).by("4.6.3"),
                partial(_flood, request, count),
            )


def _good(suite: Suite, request: int, count: int, lab: Lab) -> Reply:
    client = lab.tls13(suites=[suite.id])
    client.handshake()
    for _ in range(count):
        client.key_update(request)
    reply = client.page()
    answers = client.server.key_updates
    if request:
        # Before the next data; one answer to several requests is enough.
        client.require(1 <= len(answers) <= count, f"{len(answers)} answers to {count} requests")
    else:
        client.require(not answers, "the server answers what is no request")
    client.require(1 not in answers, "the server answers a request with a request")
    return reply


def _body(body: bytes, lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.send(ContentType.HANDSHAKE, message(_KIND, body))
    return client.reply()


def _early(request: int, reach: Callable[[Client], None], lab: Lab) -> Reply:
    client = lab.tls13()
    reach(client)
    client.send(ContentType.HANDSHAKE, message(_KIND, bytes([request])))
    return client.reply()


def _clear(request: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.send_clear(ContentType.HANDSHAKE, message(_KIND, bytes([request])))
    return client.reply()


def _old_keys(request: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.hold()
    client.send(ContentType.HANDSHAKE, message(_KIND, bytes([request])))
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    client.release()
    return client.reply()


def _new_keys(lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.write = client.write.updated()
    return client.page()


def _joined(lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.send(ContentType.HANDSHAKE, message(_KIND, b"\0") * 2)
    return client.reply()


def _within(lab: Lab) -> Reply:
    client = lab.tls13()
    client.to_flight()
    client.protect()
    finished = message(HandshakeType.FINISHED, client.verify_data(client.client_secret))
    client.hold()
    client.send(ContentType.HANDSHAKE, finished[:9])
    client.send(ContentType.HANDSHAKE, message(_KIND, b"\0"))
    client.send(ContentType.HANDSHAKE, finished[9:])
    client.release()
    return client.reply()


def _flood(request: int, count: int, lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    client.hold()
    for _ in range(count):
        client.key_update(request)
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    client.release()
    reply = client.reply()
    client.require(len(client.server.key_updates) <= count, "the server has more answers")
    return reply
