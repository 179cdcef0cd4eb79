"""HelloRetryRequest: second hellos that are not the first one, and cookies.

So RFC 8446 sections 4.1.2, 4.1.4 and 4.2.2.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import BAD_RECORD, ILLEGAL, MISSING, UNEXPECTED, UNREADABLE
from attack.reply import Expectation, Reply, completes, either, ends_with, fatal
from attack.tls13 import shares
from attack.tls13.client import Client, entry
from attack.tls13.peer import Hello
from attack.tls13.suites import AES128_GCM, AES256_GCM, CHACHA20
from attack.wire import Alert, ContentType, Extension, HandshakeType, flip, message, numbers, vector

_Change = Callable[[Hello, Client], None]


def cases(scope: Scope) -> Iterator[Case]:
    """Honest ones, changes in each field, and what comes in place of the second hello."""
    for group in scope.shares:
        yield Case(
            f"to {shares.NAMES[group]}",
            completes().by("4.1.4"),
            partial(_changed, lambda *_: None, {"groups": [group], "shares": ()}),
        )
    for suite in scope.suites:
        yield _case(f"with {suite}", completes().by("4.1.4"), lambda *_: None, suites=[suite.id])
    yield from _key_shares()
    yield from _fields()
    yield from _cookies(scope)
    yield Case("the same hello again", ILLEGAL.by("4.2.8"), _again)
    yield Case("a third hello", UNEXPECTED.by("4.1.2"), _third)
    yield Case(
        "the second hello, and another one, in one record",
        ends_with(Alert.UNEXPECTED_MESSAGE).by("5.1"),
        _joined,
    )
    yield Case("first hello and second hello at once", fatal(Alert.ILLEGAL_PARAMETER), _blindly)
    yield Case("protected, before there are keys", either(BAD_RECORD, UNEXPECTED), _protected)


def _key_shares() -> Iterator[Case]:
    """There is one share in the second hello, and it is of the group that was asked for."""
    kind = Extension.KEY_SHARE
    for name, change in {
        "no share": lambda hello, _: hello.put(kind, b"\0\0"),
        "a share of another group": lambda hello, client: hello.put(kind, client.key_shares([23])),
        "a share of an unknown group": lambda hello, _: hello.put(
            kind, vector(entry(0x0A0A, bytes(32)), 2)
        ),
        "a share of zeros": lambda hello, _: hello.put(kind, vector(entry(29, bytes(32)), 2)),
        "a share that is cut": lambda hello, _: hello.put(kind, vector(entry(29, bytes(31)), 2)),
    }.items():
        yield _case(name, ILLEGAL.by("4.2.8"), change, group="share")
    yield _case(
        "two shares, the right one second",
        ILLEGAL.by("4.2.8"),
        lambda hello, client: hello.put(kind, client.key_shares([23, 29])),
    )
    yield _case("no key_share", MISSING.by("9.2"), lambda hello, _: hello.drop(kind))


def _fields() -> Iterator[Case]:
    """Section 4.1.2: the same hello, but for what it lists.

    A server need not find out (openssl's does not); ours does.
    """
    for name, change in {
        "another random": _set("random", bytes(32)),
        "another session id": _set("session_id", bytes(32)),
        "no session id": _set("session_id", b""),
        "another legacy_version": _set("version", 0x0302),
        "another suite added": lambda hello, _: hello.suites.append(0x1304),
        "the suites backwards": lambda hello, _: hello.suites.reverse(),
        "an unknown extension added": lambda hello, _: hello.extensions.insert(0, (0xEEEE, b"")),
        "server_name added": lambda hello, _: hello.put(
            Extension.SERVER_NAME, vector(b"\0" + vector(b"two.example", 2), 2)
        ),
        "extensions backwards": lambda hello, _: hello.extensions.reverse(),
        "other groups": lambda hello, _: hello.put(Extension.SUPPORTED_GROUPS, numbers([29])),
        "other schemes": lambda hello, _: hello.put(
            Extension.SIGNATURE_ALGORITHMS, numbers([0x0804, 0x0403])
        ),
        "an application protocol added": lambda hello, _: hello.put(
            Extension.APPLICATION_PROTOCOLS, b"\0\3\2h2"
        ),
    }.items():
        yield _case(name, ILLEGAL.by("4.1.2"), change, group="altered")
    yield _case(
        "the suite that was chosen left out",
        fatal(Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE).by("4.1.4"),
        lambda hello, _: setattr(hello, "suites", [AES256_GCM.id]),
        suites=[AES128_GCM.id],
    )
    yield _case(
        "another suite in place of the one with SHA-384",
        fatal(Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE).by("4.1.4"),
        lambda hello, _: setattr(hello, "suites", [AES128_GCM.id, CHACHA20.id]),
        suites=[AES256_GCM.id],
    )
    for name, versions in {"TLS 1.2": b"\2\3\3", "an unknown version": b"\2\3\5"}.items():
        yield _case(
            f"{name} in place of TLS 1.3",
            fatal(Alert.ILLEGAL_PARAMETER, Alert.PROTOCOL_VERSION).by("4.1.2"),
            lambda hello, _, versions=versions: hello.put(Extension.SUPPORTED_VERSIONS, versions),
        )
    yield _case(
        "no supported_versions",
        fatal(
            Alert.ILLEGAL_PARAMETER,
            Alert.PROTOCOL_VERSION,
            Alert.MISSING_EXTENSION,
            Alert.UNEXPECTED_MESSAGE,
            Alert.HANDSHAKE_FAILURE,
        ).by("4.1.2"),
        lambda hello, _: hello.drop(Extension.SUPPORTED_VERSIONS),
    )
    for name, methods in {"compression": b"\1\0", "more compression": b"\1"}.items():
        yield _case(f"{name} added", ILLEGAL.by("4.1.2"), _set("compression", methods))
    yield _case(
        "early_data added",
        ILLEGAL.by("4.2.10"),
        lambda hello, _: hello.extensions.insert(0, (Extension.EARLY_DATA, b"")),
    )
    yield _case(
        "supported_groups without the one that was asked for",
        ILLEGAL.by("4.1.2"),
        lambda hello, _: hello.put(Extension.SUPPORTED_GROUPS, numbers([23])),
    )


def _cookies(scope: Scope) -> Iterator[Case]:
    """A server that sends a cookie wants it back; one that sends none wants none."""
    for name, change in {
        "left out": lambda _: None,
        "random": lambda cookie: bytes(len(cookie)),
        "cut": lambda cookie: cookie[:-1],
        "longer": lambda cookie: cookie + b"\0",
        "of one byte": lambda _: b"c",
    }.items():
        yield Case(
            f"cookie {name}",
            either(
                completes(),
                fatal(
                    Alert.ILLEGAL_PARAMETER,
                    Alert.MISSING_EXTENSION,
                    Alert.DECODE_ERROR,
                    Alert.UNSUPPORTED_EXTENSION,
                ),
            ).by("4.2.2"),
            partial(_cookie, change),
        )
    for bit in scope.some(range(256), 3):
        yield Case(
            f"cookie with bit {bit} changed",
            either(completes(), ILLEGAL).by("4.2.2"),
            partial(_cookie, partial(_flipped, bit)),
            group="cookie",
        )
    yield _case(
        "an empty cookie",
        either(UNREADABLE, fatal(Alert.ILLEGAL_PARAMETER, Alert.UNSUPPORTED_EXTENSION)).by("4.2.2"),
        lambda hello, _: hello.put(Extension.COOKIE, b"\0\0"),
    )


def _case(name: str, expected: Expectation, change: _Change, group: str = "", **offer) -> Case:
    offer = {"groups": [29, 23], "shares": ()} | offer
    return Case(name, expected, partial(_changed, change, offer), group)


def _set(field: str, value) -> _Change:
    return lambda hello, _: setattr(hello, field, value)


def _flipped(bit: int, cookie: bytes) -> bytes:
    return flip(cookie, bit // 8 % len(cookie), 1 << bit % 8)


def _to_retry(lab: Lab, **offer) -> Client:
    client = lab.tls13(**({"shares": ()} | offer))
    client.send_hello()
    client.read_retry()
    return client


def _changed(change: _Change, offer: dict, lab: Lab) -> Reply:
    client = _to_retry(lab, **offer)
    hello = client.second_hello()
    change(hello, client)
    return _on(client, hello)


def _on(client: Client, hello: Hello) -> Reply:
    """Goes on if the server does."""
    client.send_hello(hello)
    if not client.read_until(lambda: client.server.finished):
        return client.reply()
    client.mark()
    return client.complete()


def _cookie(change: Callable[[bytes], bytes | None], lab: Lab) -> Reply:
    client = _to_retry(lab)
    hello = client.second_hello()
    sent = client.server.retry.extensions.get(Extension.COOKIE)
    changed = change(sent[2:] if sent else bytes(32))
    hello.drop(Extension.COOKIE)
    if changed is not None:
        hello.put(Extension.COOKIE, vector(changed, 2))
    reply = _on(client, hello)
    if sent is not None:
        good = any(event.kind == "data" for event in reply.events)
        client.require(not good, "the server takes a cookie that it did not send")
    return reply


def _again(lab: Lab) -> Reply:
    client = _to_retry(lab)
    return _on(client, client.sent)


def _third(lab: Lab) -> Reply:
    client = _to_retry(lab)
    client.send_hello(client.second_hello())
    client.read_flight()
    client.send_clear(
        ContentType.HANDSHAKE, message(HandshakeType.CLIENT_HELLO, client.sent.body())
    )
    return client.reply()


def _joined(lab: Lab) -> Reply:
    client = _to_retry(lab)
    encoded = message(HandshakeType.CLIENT_HELLO, client.second_hello().body())
    client.send(ContentType.HANDSHAKE, encoded * 2)
    return client.reply()


def _blindly(lab: Lab) -> Reply:
    """The server's retry comes too late; the hello behind the first is the second one."""
    client = lab.tls13(shares=())
    client.hold()
    client.send_hello()
    client.send_hello()
    client.release()
    client.read_retry()
    return client.reply()


def _protected(lab: Lab) -> Reply:
    client = _to_retry(lab)
    client.write = client.protection(bytes(client.suite.hash_length))
    client.send_handshake(HandshakeType.CLIENT_HELLO, client.second_hello().body())
    return client.reply()
