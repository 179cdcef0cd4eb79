"""ChangeCipherSpec, which is dropped from the ClientHello to Finished, and an error elsewhere.

So says RFC 8446 section 5; appendix D.4 has what it is for.
"""

from collections.abc import Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import UNEXPECTED
from attack.reply import Reply, completes, either, ends_with, fatal
from attack.tls13.client import Client
from attack.wire import Alert, ContentType, HandshakeType, message

_CCS = ContentType.CHANGE_CIPHER_SPEC
_MANY = 1000


def cases(scope: Scope) -> Iterator[Case]:
    """Every place, every content, protected and not."""
    for run in (_once, _without_session_id, _twice, _between_hellos, _before_and_after_hello):
        yield Case(run.__doc__, completes().by("5"), run)
    for run in (
        _before_hello,
        _within_hello,
        _protected,
        _protected_after_finished,
        _after_finished,
        _after_data,
    ):
        yield Case(run.__doc__, UNEXPECTED.by("5"), run)
    yield Case(
        # Not interleaved (section 5.1), but dropped without further processing (section 5).
        "within Finished",
        either(UNEXPECTED, completes()).by("5, 5.1"),
        _within_finished,
    )
    yield Case(
        f"{_MANY} of them",
        either(completes(), ends_with(Alert.UNEXPECTED_MESSAGE)).by("5"),
        _many,
    )
    for place, reach in _PLACES.items():
        for content in scope.some(_CONTENTS):
            expected = (
                UNEXPECTED if content else fatal(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR)
            )
            yield Case(
                f"content {content[:8].hex() or 'of nothing'}, {len(content)} bytes, {place}",
                expected.by("5"),
                partial(_content, reach, content),
                group=f"wrong content {place}" if content else "",
            )


_CONTENTS = (b"", b"\0", b"\2", b"\xff", b"\1\1", b"\1\0", b"\0\1", b"\1" * 17, bytes(1024))


def _to_flight(client: Client) -> None:
    client.to_flight()


def _to_retry(client: Client) -> None:
    hello = client.hello()
    hello.put(51, client.key_shares([]))
    client.send_hello(hello)
    client.read_retry()


_PLACES = {"after the server's Finished": _to_flight, "after HelloRetryRequest": _to_retry}


def _once(lab: Lab) -> Reply:
    """before the second flight"""
    client = lab.tls13()
    client.to_flight()
    client.change_cipher_spec()
    return client.complete()


def _without_session_id(lab: Lab) -> Reply:
    """without a session id"""
    client = lab.tls13(session_id=b"")
    client.to_flight()
    client.change_cipher_spec()
    return client.complete()


def _twice(lab: Lab) -> Reply:
    """twice"""
    client = lab.tls13()
    client.to_flight()
    client.change_cipher_spec()
    client.change_cipher_spec()
    return client.complete()


def _between_hellos(lab: Lab) -> Reply:
    """between the hellos"""
    client = lab.tls13()
    _to_retry(client)
    client.change_cipher_spec()
    client.send_hello(client.second_hello())
    client.read_flight()
    return client.complete()


def _before_and_after_hello(lab: Lab) -> Reply:
    """right after the ClientHello, and again"""
    client = lab.tls13()
    client.hold()
    client.send_hello()
    client.change_cipher_spec()
    client.release()
    client.read_flight()
    client.change_cipher_spec()
    return client.complete()


def _many(lab: Lab) -> Reply:
    client = lab.tls13()
    client.to_flight()
    client.hold()
    for _ in range(_MANY):
        client.change_cipher_spec()
    client.release()
    return client.complete()


def _before_hello(lab: Lab) -> Reply:
    """before the ClientHello"""
    client = lab.tls13()
    client.change_cipher_spec()
    return client.reply()


def _within_hello(lab: Lab) -> Reply:
    """within the ClientHello"""
    client = lab.tls13()
    encoded = message(HandshakeType.CLIENT_HELLO, client.encode(client.hello()))
    client.hold()
    client.send_clear(ContentType.HANDSHAKE, encoded[:50])
    client.change_cipher_spec()
    client.release()
    return client.reply()


def _within_finished(lab: Lab) -> Reply:
    client = lab.tls13()
    client.to_flight()
    client.protect()
    whole = client.noted(HandshakeType.FINISHED, client.verify_data(client.client_secret))
    client.hold()
    client.send(ContentType.HANDSHAKE, whole[:9])
    client.change_cipher_spec()
    client.send(ContentType.HANDSHAKE, whole[9:])
    client.resumption = client.schedule.resumption(client.transcript)
    client.use_traffic()
    client.release()
    return client.page()


def _protected(lab: Lab) -> Reply:
    """protected"""
    client = lab.tls13()
    client.to_flight()
    client.protect()
    client.send(_CCS, b"\1")
    return client.reply()


def _protected_after_finished(lab: Lab) -> Reply:
    """protected, after Finished"""
    client = lab.tls13()
    client.handshake()
    client.send(_CCS, b"\1")
    return client.reply()


def _after_finished(lab: Lab) -> Reply:
    """after Finished"""
    client = lab.tls13()
    client.handshake()
    client.change_cipher_spec()
    return client.reply()


def _after_data(lab: Lab) -> Reply:
    """after a part of the request"""
    client = lab.tls13()
    client.handshake()
    client.send(ContentType.APPLICATION_DATA, b"GET / ")
    client.change_cipher_spec()
    return client.reply()


def _content(reach, content: bytes, lab: Lab) -> Reply:
    client = lab.tls13()
    reach(client)
    client.change_cipher_spec(content)
    return client.reply()
