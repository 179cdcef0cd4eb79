"""Servers of TLS 1.3 that choose what the client did not offer, or want more and more hellos.

So RFC 8446 sections 4.1.3, 4.1.4 and 4.2.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Scope
from attack.families.tls13.hostile import (
    GOOD,
    ILLEGAL,
    UNASKED,
    UNEXPECTED,
    UNREADABLE,
    case,
    honest,
    on,
)
from attack.hostile import Plan as OldPlan
from attack.reply import either, fails, refuses
from attack.suites import ECDHE_RSA_AES128_GCM, ECDHE_RSA_AES128_SHA, Profile
from attack.tls13 import shares
from attack.tls13.client import entry
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.peer import DOWNGRADE_BELOW, DOWNGRADE_TO_1_2, encoded
from attack.tls13.suites import AES128_GCM, AES256_GCM, CHACHA20
from attack.wire import Alert, ContentType, Extension, HandshakeType, Version, vector

_VERSIONS = (Extension.SUPPORTED_VERSIONS, b"\3\4")
_SUITE_OR_VERSION = refuses(Alert.ILLEGAL_PARAMETER, Alert.PROTOCOL_VERSION)
_TWICE = refuses(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR)


def cases(scope: Scope) -> Iterator[Case]:
    """ServerHello and EncryptedExtensions."""
    for suite in (AES128_GCM, AES256_GCM, CHACHA20):
        for key in ("ec-p256", "server-2048"):
            plan = Plan(key, suite)
            yield case(f"an honest server with {suite} and {key}", GOOD, honest, plan=plan)
    yield from _fields()
    yield from _shares(scope)
    yield from _extensions(scope)
    yield from _encrypted_extensions(scope)
    yield from _shapes(scope)


def cases_of_retry(scope: Scope) -> Iterator[Case]:
    """HelloRetryRequest."""
    del scope
    yield case("a good one", GOOD, lambda server: (_retry(server), _rest(server)))
    yield case("a good one with a cookie", GOOD, _cookie)
    yield case("a cookie alone", GOOD, partial(_cookie, alone=True))
    yield case("two of them", UNEXPECTED.by("4.1.4"), _twice)
    yield case("two of them, with cookies", UNEXPECTED.by("4.1.4"), partial(_twice, cookies=True))
    yield case("one after another at once", UNEXPECTED.by("4.1.4, 5.1"), _twice_at_once)
    for name, extensions, expected in (
        ("that changes nothing", lambda _: [_VERSIONS], ILLEGAL),
        (
            "for a group that has a share",
            lambda server: [
                _VERSIONS,
                (51, next(iter(server.offered_shares())).to_bytes(2, "big")),
            ],
            ILLEGAL,
        ),
        ("for a group that is not offered", lambda _: [_VERSIONS, (51, b"\0\x16")], ILLEGAL),
        ("for an unknown group", lambda _: [_VERSIONS, (51, b"\x0a\x0a")], ILLEGAL),
        (
            "with a whole share",
            lambda _: [_VERSIONS, (51, b"\0\x1d\0\x20" + bytes(32))],
            UNREADABLE,
        ),
        ("with half a group", lambda _: [_VERSIONS, (51, b"\0")], UNREADABLE),
        ("with an empty cookie", lambda _: [_VERSIONS, (44, b"\0\0")], UNREADABLE),
        ("with no cookie in it", lambda _: [_VERSIONS, (44, b"")], UNREADABLE),
        (
            "with a cookie longer than it says",
            lambda _: [_VERSIONS, (44, b"\0\1xy")],
            UNREADABLE,
        ),
        (
            "with an unknown extension",
            lambda server: [*_good(server), (0xEEEE, b"")],
            UNASKED,
        ),
        (
            "with application protocols",
            lambda server: [*_good(server), (16, b"\0\3\2h2")],
            refuses(Alert.ILLEGAL_PARAMETER, Alert.UNSUPPORTED_EXTENSION),
        ),
        (
            "with pre_shared_key",
            lambda server: [*_good(server), (41, b"\0\0")],
            refuses(Alert.ILLEGAL_PARAMETER, Alert.UNSUPPORTED_EXTENSION),
        ),
        ("without supported_versions", lambda server: _good(server)[1:], None),
        (
            "of TLS 1.2",
            lambda server: [(43, b"\3\3"), *_good(server)[1:]],
            _SUITE_OR_VERSION,
        ),
        ("with its group twice", lambda server: [*_good(server), _good(server)[1]], _TWICE),
    ):
        # Without the version it is a hello of TLS 1.2, with a suite that TLS 1.2 has not.
        expected = expected or refuses(
            Alert.ILLEGAL_PARAMETER,
            Alert.MISSING_EXTENSION,
            Alert.PROTOCOL_VERSION,
            Alert.UNSUPPORTED_EXTENSION,
            Alert.HANDSHAKE_FAILURE,
        )
        yield case(
            f"one {name}",
            expected.by("4.1.4"),
            lambda server, extensions=extensions: (
                server.read_hello(),
                server.retry(extensions(server)),
            ),
        )
    for name, decided, expected in (
        ("another session id", {"session_id": bytes(32)}, ILLEGAL),
        ("compression", {"compression": 1}, ILLEGAL),
        ("a suite that is not offered", {"suite": 0x13FF}, ILLEGAL),
        ("a suite of TLS 1.2", {"suite": 0xC02F}, ILLEGAL),
        ("another version", {"version": 0x0302}, _SUITE_OR_VERSION),
    ):
        yield case(
            f"one with {name}",
            expected.by("4.1.4"),
            lambda server, decided=decided: (server.read_hello(), server.retry(**decided)),
        )
    yield case(
        "another suite after it",
        ILLEGAL.by("4.1.4"),
        lambda server: (_retry(server), server.hello(suite=AES256_GCM.id)),
    )
    yield case(
        "another group after it", ILLEGAL.by("4.2.8"), lambda server: (_retry(server), _odd(server))
    )
    yield case(
        "TLS 1.2 after it",
        _SUITE_OR_VERSION.by("4.1.4"),
        lambda server: (
            _retry(server),
            server.hello(extensions=[(43, b"\3\3"), (51, server.share())]),
        ),
    )
    yield case(
        "EncryptedExtensions after it",
        UNEXPECTED.by("4"),
        lambda server: (_retry(server), server.encrypted_extensions()),
    )


def cases_of_downgrade(scope: Scope) -> Iterator[Case]:
    """Servers that answer TLS 1.2 or less, with and without the mark of RFC 8446 section 4.1.3."""
    del scope
    for version, suite in (
        (Version.TLS1_2, ECDHE_RSA_AES128_GCM),
        (Version.TLS1_2, ECDHE_RSA_AES128_SHA),
        (Version.TLS1_1, ECDHE_RSA_AES128_SHA),
        (Version.TLS1_0, ECDHE_RSA_AES128_SHA),
    ):
        plan = OldPlan(Profile(version, suite))
        for mark in (DOWNGRADE_TO_1_2, DOWNGRADE_BELOW):
            yield case(
                f"{plan.profile}: the mark {mark!r}",
                ILLEGAL.by("4.1.3"),
                lambda server, mark=mark: server.open(random=bytes(24) + mark),
                plan=plan,
            )
        yield case(f"{plan.profile}: no mark", GOOD, honest, plan=plan)
        yield case(
            # Whoever takes the mark away on the wire changes what the server has signed.
            f"{plan.profile}: the mark taken away on the way",
            refuses(Alert.DECRYPT_ERROR),
            partial(_stripped, bytes(24) + DOWNGRADE_TO_1_2),
            plan=plan,
        )
        name = {Version.TLS1_2: "tls1.2", Version.TLS1_1: "tls1.1", Version.TLS1_0: "tls1.0"}
        mark = DOWNGRADE_TO_1_2 if version == Version.TLS1_2 else DOWNGRADE_BELOW
        yield case(
            f"{plan.profile}: the mark {mark!r}, where no more was offered",
            GOOD.by("4.1.3"),
            lambda server, mark=mark: (
                server.handshake(random=bytes(24) + mark),
                server.answer(),
                server.goodbye(),
            ),
            plan=plan,
            options=("--max-version", name[version]),
        )
    for mark in (DOWNGRADE_TO_1_2, DOWNGRADE_BELOW):
        yield case(
            # The mark has a meaning in older versions only.
            f"TLS 1.3 with the mark {mark!r}",
            GOOD.by("4.1.3"),
            lambda server, mark=mark: (server.open(random=bytes(24) + mark), on(server)),
        )
    yield case(
        "TLS 1.3 to a client that wants TLS 1.2 at most",
        refuses(Alert.UNSUPPORTED_EXTENSION, Alert.PROTOCOL_VERSION, Alert.ILLEGAL_PARAMETER),
        lambda server: (
            server.read_hello(),
            server.hello(extensions=[_VERSIONS, (51, entry(29, bytes(31) + b"\1"))]),
        ),
        options=("--max-version", "tls1.2"),
    )
    yield case(
        "TLS 1.2 to a client that wants TLS 1.3 at least",
        refuses(Alert.PROTOCOL_VERSION, Alert.ILLEGAL_PARAMETER).by("4.2.1"),
        lambda server: server.open(),
        plan=OldPlan(Profile(Version.TLS1_2, ECDHE_RSA_AES128_GCM)),
        options=("--min-version", "tls1.3"),
    )


def _stripped(random: bytes, server) -> None:
    server.read_hello()
    server.hello(random=bytes(32))
    server.certificate()
    server.server_random, seen = random, server.server_random
    server.key_exchange()
    server.server_random = seen
    server.hello_done()


def _retry(server: Hostile) -> None:
    server.read_hello()
    server.retry()
    server.read_hello(2)


def _rest(server: Hostile) -> None:
    server.open()
    on(server)


def _good(server: Hostile) -> list[tuple[int, bytes]]:
    return [_VERSIONS, (51, server.other_group().to_bytes(2, "big"))]


def _cookie(server: Hostile, alone: bool = False) -> None:
    cookie = server.rng.randbytes(300)
    server.read_hello()
    first = server.offer
    asked = [_VERSIONS] if alone else _good(server)
    server.retry([*asked, (44, vector(cookie, 2))])
    server.read_hello(2)
    sent = server.offer.get(Extension.COOKIE)
    server.require(sent == vector(cookie, 2), "the client does not send the cookie back")
    for name in ("random", "session_id", "suites", "version", "compression"):
        same = getattr(first, name) == getattr(server.offer, name)
        server.require(same, f"the client's second hello has another {name}")
    may_change = {Extension.COOKIE, Extension.KEY_SHARE, Extension.EARLY_DATA, Extension.PADDING}
    before, after = (
        [it for it in hello.extensions if it[0] not in may_change]
        for hello in (first, server.offer)
    )
    server.require(before == after, "the client's second hello has other extensions")
    _rest(server)


def _twice(server: Hostile, cookies: bool = False) -> None:
    server.read_hello()
    server.retry([*_good(server), (44, b"\0\1a")] if cookies else None)
    server.read_hello(2)
    group = next(iter(server.offered_shares())).to_bytes(2, "big")
    server.retry([_VERSIONS, (51, group), *([(44, b"\0\1b")] if cookies else [])])


def _twice_at_once(server: Hostile) -> None:
    """The second one comes before the client has answered the first."""
    server.read_hello()
    body = server.retry_body()
    server.hold()
    for _ in range(2):
        server.send_handshake(HandshakeType.SERVER_HELLO, body)
    server.release()
    server.read_until(lambda: len(server.client.hellos) == 2)
    server.mark()


def _odd(server: Hostile) -> None:
    """A share in a group that the second hello has none in."""
    has = server.offered_shares()
    group = next(it for it in shares.GROUPS if it not in has)
    share = shares.generate(group, server.rng).share
    server.hello(extensions=[_VERSIONS, (51, entry(group, share))])


def _fields() -> Iterator[Case]:
    for version in (0x0304, 0x0302, 0x0301, 0x0300, 0x0000, 0xFFFF):
        yield _decided(
            f"legacy_version {version:#06x}", _SUITE_OR_VERSION.by("4.1.3"), {"version": version}
        )
    for words, versions in (
        ("TLS 1.2", b"\3\3"),
        ("TLS 1.1", b"\3\2"),
        ("a draft", b"\x7f\x1c"),
        ("one that is higher", b"\3\5"),
        ("one of RFC 8701", b"\x0a\x0a"),
    ):
        yield case(
            f"supported_versions: {words}",
            ILLEGAL.by("4.2.1"),
            lambda server, versions=versions: server.greet(
                extensions=lambda: [(43, versions), (51, server.share())]
            ),
        )
    for words, body in (("a list", b"\2\3\4"), ("one byte", b"\3"), ("nothing", b"")):
        yield case(
            f"supported_versions: {words}",
            UNREADABLE.by("4.2.1"),
            lambda server, body=body: server.greet(
                extensions=lambda: [(43, body), (51, server.share())]
            ),
        )
    for length in (0, 1, 31, 32, 33):
        expected = _TWICE if length > 32 else ILLEGAL
        yield case(
            f"a session id of {length} other bytes",
            expected.by("4.1.3"),
            lambda server, length=length: server.greet(
                session_id=bytes(length) if server.read_hello() or server.offer.session_id else b"x"
            ),
        )
    for method in (1, 64, 255):
        yield _decided(f"compression method {method}", ILLEGAL.by("4.1.3"), {"compression": method})
    for words, suite in {
        "unknown": 0x13FF,
        "of RFC 8701": 0x1A1A,
        "of TLS 1.2": 0xC02F,
        "of TLS 1.2 without forward secrecy": 0x002F,
        "without encryption": 0x0000,
        "for integrity only": 0xC0B4,
        "a signal": 0x00FF,
    }.items():
        yield _decided(f"the suite {suite:#06x}: {words}", ILLEGAL.by("4.1.3"), {"suite": suite})
    for suite in (AES128_GCM, CHACHA20):
        yield case(
            f"the suite {suite}, when only another is offered",
            ILLEGAL.by("4.1.3"),
            lambda server, suite=suite: server.greet(suite=suite.id),
            options=("--suites", "TLS_AES_256_GCM_SHA384"),
        )


def _decided(name, expected, decided) -> Case:
    return case(name, expected, lambda server: server.greet(**decided))


def _shares(scope: Scope) -> Iterator[Case]:
    yield case(
        "no key_share",
        refuses(Alert.MISSING_EXTENSION, Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE).by(
            "9.2"
        ),
        lambda server: server.greet(extensions=lambda: [_VERSIONS]),
    )
    for words, share in {
        "in a group that is unknown": entry(0x0A0A, bytes(32)),
        "in a group of TLS 1.2": entry(22, b"\4" + bytes(64)),
        "in a finite field of 512 bytes": entry(258, bytes(511) + b"\2"),
    }.items():
        yield case(
            f"a share {words}",
            ILLEGAL.by("4.2.8"),
            lambda server, share=share: server.greet(extensions=lambda: [_VERSIONS, (51, share)]),
        )
    yield case(
        "a share in a group that the client has no key in",
        ILLEGAL.by("4.2.8"),
        lambda server: (server.read_hello(), _odd(server)),
    )
    for words, change in {
        "of no bytes": lambda _: b"",
        "of one byte": lambda share: share[:1],
        "a byte less": lambda share: share[:-1],
        "a byte more": lambda share: share + b"\0",
        "zeros": lambda share: bytes(len(share)),
        "of small order": lambda share: b"\1".ljust(len(share), b"\0"),
        "255s": lambda share: b"\xff" * len(share),
    }.items():
        # 255s are a number that is reduced in X25519 (RFC 7748 section 5).
        expected = either(ILLEGAL, fails()) if words == "255s" else _TWICE
        yield case(
            f"a share: {words}",
            expected.by("4.2.8, 7.4.2"),
            lambda server, change=change: (
                server.read_hello(),
                _reshared(server, change),
            ),
        )
    for words, body in {
        "nothing": b"",
        "a group alone": b"\0\x1d",
        "a list": vector(entry(29, bytes(32)), 2),
        "longer than it says": entry(29, bytes(31) + b"\1") + b"\0",
        "shorter than it says": b"\0\x1d\0\x21" + bytes(32),
    }.items():
        yield case(
            f"key_share: {words}",
            _TWICE.by("4.2.8"),
            lambda server, body=body: server.greet(extensions=lambda: [_VERSIONS, (51, body)]),
        )
    for group in scope.some((23, 24, 25), 1):
        yield case(
            f"honest, with {shares.NAMES[group]} if it is offered",
            either(GOOD, fails()),
            partial(_with_group, group),
            plan=Plan(group=group),
        )


def _with_group(group: int, server: Hostile) -> None:
    server.read_hello()
    if group in server.offered_groups() and group not in server.offered_shares():
        server.retry([_VERSIONS, (51, group.to_bytes(2, "big"))])
        server.read_hello(2)
        server.require(list(server.offered_shares()) == [group], "the client has another share")
    _rest(server)


def _reshared(server: Hostile, change: Callable[[bytes], bytes]) -> None:
    if not server.has_share():
        server.retry()
        server.read_hello(2)
    share = server.share()
    changed = share[:2] + vector(change(share[4:]), 2)
    server.hello(extensions=[_VERSIONS, (51, changed)])
    # Who takes it waits for more.
    server.end_sending()


_UNSOLICITED = {
    "server_name": (0, b""),
    "supported_groups": (10, b"\0\2\0\x1d"),
    "application protocols": (16, b"\0\3\2h2"),
    "signature_algorithms": (13, b"\0\2\4\3"),
    "early_data": (42, b""),
    "psk_key_exchange_modes": (45, b"\1\1"),
    "a cookie": (44, b"\0\1c"),
    "post_handshake_auth": (49, b""),
    "the extended master secret": (23, b""),
    "renegotiation_info": (0xFF01, b"\0"),
    "a session ticket": (35, b""),
    "an unknown kind": (0xEEEE, b""),
    "a kind of RFC 8701": (0x1A1A, b"\0"),
}
_WRONG_PLACE = refuses(Alert.ILLEGAL_PARAMETER, Alert.UNSUPPORTED_EXTENSION)
"""Section 4.2: the first for one that was offered and belongs elsewhere, the second else."""


def _extensions(scope: Scope) -> Iterator[Case]:
    for name, extension in scope.some(_UNSOLICITED.items(), 4):
        yield case(
            f"ServerHello with {name}",
            _WRONG_PLACE.by("4.2"),
            lambda server, extension=extension: server.greet(
                extensions=lambda: [_VERSIONS, (51, server.share()), extension]
            ),
        )
    yield case(
        "ServerHello with a pre-shared key that was not offered",
        refuses(Alert.UNSUPPORTED_EXTENSION, Alert.ILLEGAL_PARAMETER).by("4.2, 4.2.11"),
        lambda server: server.greet(
            extensions=lambda: [_VERSIONS, (51, server.share()), (41, b"\0\0")]
        ),
    )
    for kind in (43, 51):
        yield case(
            f"ServerHello with extension {kind} twice",
            _TWICE.by("4.2"),
            partial(_doubled, kind),
        )


def _doubled(kind: int, server: Hostile) -> None:
    server.read_hello()
    if not server.has_share():
        server.retry()
        server.read_hello(2)
    found = server.extensions()
    server.hello(extensions=[*found, *(it for it in found if it[0] == kind)])


def _encrypted_extensions(scope: Scope) -> Iterator[Case]:
    for name, extension in scope.some(
        {
            "supported_versions": (43, b"\3\4"),
            "a key share": (51, entry(29, bytes(32))),
            "a pre-shared key": (41, b"\0\0"),
            "signature_algorithms": (13, b"\0\2\4\3"),
            "psk_key_exchange_modes": (45, b"\1\1"),
            "certificate_authorities": (47, b"\0\3\0\1x"),
            "oid_filters": (48, b"\0\0"),
            "a cookie": (44, b"\0\1c"),
            "padding": (21, bytes(9)),
            "the extended master secret": (23, b""),
            "renegotiation_info": (0xFF01, b"\0"),
            "a session ticket": (35, b""),
            "early_data": (42, b""),
            "max_fragment_length": (1, b"\1"),
            "record_size_limit": (28, b"\x40\1"),
            "application protocols": (16, b"\0\3\2h2"),
            "heartbeat": (15, b"\1"),
            "an unknown kind": (0xEEEE, b""),
            "a kind of RFC 8701": (0x1A1A, b"\0"),
        }.items(),
        8,
    ):
        yield case(
            f"EncryptedExtensions with {name}",
            _WRONG_PLACE.by("4.2, 4.3.1"),
            lambda server, extension=extension: (
                server.greet(),
                server.encrypted_extensions([extension]),
            ),
        )
    yield case(
        "EncryptedExtensions with the groups of the server",
        GOOD.by("4.2.7"),
        lambda server: _with_extensions(server, [(10, b"\0\4\0\x17\0\x18")]),
    )
    yield case(
        "EncryptedExtensions with server_name",
        GOOD,
        lambda server: _with_extensions(server, [(0, b"")]),
    )
    for name, body, expected in (
        ("nothing", b"", UNREADABLE),
        ("half of a length", b"\0", UNREADABLE),
        ("a byte behind them", b"\0\0\0", UNREADABLE),
        ("a block longer than the message", b"\0\5\0\0", UNREADABLE),
        ("an extension longer than its block", b"\0\4\0\x0a\0\1", UNREADABLE),
        ("server_name twice", encoded([(0, b"")] * 2), _TWICE),
        ("server_name with content", encoded([(0, b"\0")]), UNREADABLE),
        ("groups cut", encoded([(10, b"\0\4\0\x1d")]), UNREADABLE),
    ):
        yield case(
            f"EncryptedExtensions: {name}",
            expected.by("4.3.1"),
            lambda server, body=body: (
                server.greet(),
                server.send_handshake(HandshakeType.ENCRYPTED_EXTENSIONS, body),
            ),
        )
    for name, content, expected in (
        ("never offered", b"\0\4\3foo", ILLEGAL),
        ("the beginning of one", b"\0\2\1h", ILLEGAL),
        ("two", b"\0\x0c\2h2\x08http/1.1", UNREADABLE),
        ("none", b"\0\0", UNREADABLE),
        ("an empty one", b"\0\1\0", UNREADABLE),
    ):
        yield case(
            f"application protocol: {name}",
            expected,
            lambda server, content=content: (
                server.greet(),
                server.encrypted_extensions([(16, content)]),
            ),
            options=("--alpn", "h2,http/1.1"),
        )


def _with_extensions(server: Hostile, extensions) -> None:
    server.greet()
    server.encrypted_extensions(extensions)
    server.certificate()
    server.certificate_verify()
    server.finished()
    on(server)


def _shapes(scope: Scope) -> Iterator[Case]:
    whole = 2 + 32 + 33 + 2 + 1 + 2 + 6 + 4 + 36
    without = whole - 48
    for length in scope.some((it for it in range(whole) if it != without), 5):
        yield case(
            f"first {length} bytes of a ServerHello",
            UNREADABLE.by("6.2"),
            partial(_shape, lambda body, length=length: body[:length]),
            group="cut",
        )
    yield case(
        "a byte behind ServerHello", UNREADABLE.by("6.2"), partial(_shape, lambda it: it + b"\0")
    )
    yield case(
        "ServerHello without extensions",
        # It is one of TLS 1.2 then, with a suite that TLS 1.2 has not.
        refuses(
            Alert.ILLEGAL_PARAMETER,
            Alert.PROTOCOL_VERSION,
            Alert.DECODE_ERROR,
            Alert.HANDSHAKE_FAILURE,
        ).by("4.1.3"),
        partial(_shape, lambda body: body[:without]),
    )
    for length in (1 << 17, (1 << 24) - 1):
        yield case(
            f"a ServerHello of {length} bytes",
            UNREADABLE.by("4"),
            lambda server, length=length: (
                server.read_hello(),
                server.send(ContentType.HANDSHAKE, b"\2" + length.to_bytes(3, "big") + bytes(99)),
            ),
        )
    yield case(
        "ServerHello and EncryptedExtensions in one record",
        UNEXPECTED.by("5.1"),
        partial(_shape_with_rest, b"\x08\0\0\2\0\0"),
    )
    yield case(
        "ServerHello and a byte of the next message in one record",
        UNEXPECTED.by("5.1"),
        partial(_shape_with_rest, b"\x08"),
    )


def _prepared(server: Hostile) -> bytes:
    server.read_hello()
    if not server.has_share():
        server.retry()
        server.read_hello(2)
    return server.hello_body()


def _shape(change: Callable[[bytes], bytes], server: Hostile) -> None:
    server.send_handshake(HandshakeType.SERVER_HELLO, change(_prepared(server)))


def _shape_with_rest(rest: bytes, server: Hostile) -> None:
    hello = server.noted(HandshakeType.SERVER_HELLO, _prepared(server))
    server.send(ContentType.HANDSHAKE, hello + rest)
