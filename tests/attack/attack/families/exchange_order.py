"""Messages of the key exchange out of place, and those of another key exchange than the suite's.

One that is not due is an unexpected_message (RFC 5246 section 7.2.2).
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.groups import FFDHE2048, P256
from attack.reply import Expectation, Reply, completes, ends_with, fatal
from attack.suites import AES128_SHA, DHE_RSA_AES128_SHA, ECDHE_RSA_AES128_SHA, Profile
from attack.wire import (
    Alert,
    ContentType,
    HandshakeType,
    Version,
    message,
    vector,
)

_UNEXPECTED = fatal(Alert.UNEXPECTED_MESSAGE)
_UNREADABLE = fatal(Alert.DECODE_ERROR)
_NO_KEYS = fatal(Alert.BAD_RECORD_MAC)

_Step = Callable[[Client], None]


def cases(scope: Scope) -> Iterator[Case]:
    """With each kind of key exchange, in every version of TLS."""
    for suite in (ECDHE_RSA_AES128_SHA, DHE_RSA_AES128_SHA, AES128_SHA):
        for profile in scope.versions(suite):
            if profile.version == Version.SSL3:
                continue
            yield from _permuted(profile)
            yield from _of_servers(profile)
            yield from _of_another_exchange(profile)


def _permuted(profile: Profile) -> Iterator[Case]:
    """The client's flight in every wrong order, with each of its parts left out or sent twice."""
    right = tuple(_STEPS)
    orders = {
        order
        for length in (1, 2, 3, 4)
        for steps in (right, (*right, "ClientKeyExchange"), (*right, "ChangeCipherSpec"))
        for order in permutations(steps, length)
    }
    for order in sorted(orders):
        # What is right so far is waited with; what comes behind the right flight is no part of it.
        if order[: len(right)] == right or order == right[: len(order)]:
            continue
        yield Case(
            f"{profile}: {', '.join(order)}",
            ends_with(Alert.UNEXPECTED_MESSAGE),
            partial(_in_order, profile, order),
        )
    yield Case(f"{profile}: the right order", completes(), partial(_in_order, profile, right))


def _of_servers(profile: Profile) -> Iterator[Case]:
    """What the server has sent itself is sent back to it."""
    kinds = [HandshakeType.SERVER_HELLO, HandshakeType.CERTIFICATE, HandshakeType.SERVER_HELLO_DONE]
    if profile.suite.ephemeral:
        kinds.append(HandshakeType.SERVER_KEY_EXCHANGE)
    for kind in kinds:
        for place, reach in _PLACES.items():
            yield Case(
                f"{profile}: the server's {kind.name.lower()} {place}",
                _UNEXPECTED,
                partial(_echoed, profile, kind, reach),
                group=f"{profile} echo {place}",
            )


def _of_another_exchange(profile: Profile) -> Iterator[Case]:
    """A ClientKeyExchange of another suite."""
    yield from (
        Case(f"{profile}: {name}", expected, partial(_other, profile, make))
        for name, (make, expected) in _OTHERS[profile.suite.exchange].items()
    )


def _in_order(profile: Profile, order: tuple[str, ...], lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.hold()
    for step in order:
        _STEPS[step](client)
    client.release()
    return client.complete()


def _change_cipher_spec(client: Client) -> None:
    if not client.master:
        client.use(bytes(48))
    client.change_cipher_spec()


def _finished(client: Client) -> None:
    if not client.master:
        client.use(bytes(48))
    client.finished()


_STEPS: dict[str, _Step] = {
    "ClientKeyExchange": lambda client: client.key_exchange(),
    "ChangeCipherSpec": _change_cipher_spec,
    "Finished": _finished,
}


def _hello(client: Client) -> None:
    client.hello()


def _key_exchange(client: Client) -> None:
    client.hello()
    client.key_exchange()


def _changed(client: Client) -> None:
    _key_exchange(client)
    client.change_cipher_spec()


def _handshake(client: Client) -> None:
    client.handshake()


_PLACES: dict[str, _Step] = {
    "after ServerHelloDone": _hello,
    "after ClientKeyExchange": _key_exchange,
    "after ChangeCipherSpec": _changed,
    "after the handshake": _handshake,
}


def _echoed(profile: Profile, kind: int, reach: _Step, lab: Lab) -> Reply:
    client = lab.client(profile)
    reach(client)
    sent = client.server.messages[kind]
    client.send(ContentType.HANDSHAKE, message(kind, sent))
    return client.reply()


def _other(profile: Profile, make: Callable[[Client], bytes], lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, make(client))
    client.use(bytes(48))
    client.finish()
    return client.complete()


def _ciphertext(client: Client) -> bytes:
    return vector(client.public_key.encrypt(client.pad(client.premaster())), 2)


_OTHERS: dict[str, dict[str, tuple[Callable[[Client], bytes], Expectation]]] = {
    "RSA": {
        "a point": (lambda _: vector(P256.share, 1), _UNREADABLE),
        "a number of a finite field": (lambda _: vector(FFDHE2048.share, 2), _NO_KEYS),
        "a point with a length of two bytes": (lambda _: vector(P256.share, 2), _NO_KEYS),
        "an identity": (lambda _: vector(b"me", 2), _NO_KEYS),
    },
    "ECDHE": {
        "a ciphertext": (_ciphertext, _UNREADABLE),
        "a number of a finite field": (lambda _: vector(FFDHE2048.share, 2), _UNREADABLE),
        "a point with a length of two bytes": (lambda _: vector(P256.share, 2), _UNREADABLE),
        "a point and a ciphertext": (
            lambda client: vector(P256.share, 1) + _ciphertext(client),
            _UNREADABLE,
        ),
    },
    "DHE": {
        # They have the form of a number below p, if not the secret.
        "a ciphertext": (_ciphertext, fatal(Alert.BAD_RECORD_MAC, Alert.ILLEGAL_PARAMETER)),
        "a point with a length of two bytes": (lambda _: vector(P256.share, 2), _NO_KEYS),
        "a point": (lambda _: vector(P256.share, 1), _UNREADABLE),
    },
}
