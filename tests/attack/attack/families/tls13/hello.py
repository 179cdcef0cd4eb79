"""ClientHellos that no client may send, and what a server must take all the same.

So RFC 8446 sections 4.1.2, 4.2 and 9.2.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import FAILURE, ILLEGAL, MISSING, UNREADABLE
from attack.reply import Expectation, Reply, completes, either, fatal
from attack.suites import ECDHE_RSA_AES128_SHA, Profile
from attack.tls13 import shares
from attack.tls13.client import Client, entry
from attack.tls13.peer import DOWNGRADE_BELOW, DOWNGRADE_TO_1_2, Hello
from attack.wire import (
    FALLBACK_SCSV,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    numbers,
    vector,
)

_VERSION = fatal(Alert.PROTOCOL_VERSION)
_TWICE = fatal(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR)
_Change = Callable[[Hello, Client], None]


def cases(scope: Scope) -> Iterator[Case]:
    """Field by field, then extension by extension."""
    for suite in scope.suites:
        for group in scope.shares:
            yield Case(
                f"{suite} with {shares.NAMES[group]}",
                completes(),
                partial(_honest, {"suites": [suite.id], "groups": [group]}),
            )
    yield from _legacy_fields(scope)
    yield from _versions()
    yield from _extensions(scope)
    yield from _lists()
    yield from _shapes(scope)


def cases_of_shares(scope: Scope) -> Iterator[Case]:
    """Key shares (section 4.2.8), and what is in common."""
    yield from _share_lists()
    for group in scope.shares:
        yield from _shares(group, scope)
    for group, parts in shares.HYBRIDS.items():
        whole = sum(parts)
        for name, share in {
            "zeros": bytes(whole),
            "255s, which are no numbers of the field": b"\xff" * whole,
            "a byte less": bytes(whole - 1),
            "a byte more": bytes(whole + 1),
            "its first part": bytes(parts[0]),
        }.items():
            # Whoever lacks the group has none in common.
            has_it = group in scope.hybrids
            yield Case(
                f"group {group:#06x}{'' if has_it else ', which is not there'}: {name}",
                ILLEGAL.by("4.2.8") if has_it else FAILURE.by("4.1.1"),
                partial(_share, group, share),
                group=f"group {group:#06x}",
            )


def cases_of_downgrade(scope: Scope) -> Iterator[Case]:
    """What a server says in its random that could do more (section 4.1.3)."""
    del scope
    for version, mark in (
        (Version.TLS1_2, DOWNGRADE_TO_1_2),
        (Version.TLS1_1, DOWNGRADE_BELOW),
        (Version.TLS1_0, DOWNGRADE_BELOW),
    ):
        yield Case(
            f"{version.label} offered: the mark {mark!r}",
            completes().by("4.1.3"),
            partial(_marked, version, mark),
        )
        yield Case(
            f"{version.label} offered, with the fallback signal",
            fatal(Alert.INAPPROPRIATE_FALLBACK),
            partial(_fallback, version),
        )
    yield Case("TLS 1.3: no mark", completes().by("4.1.3"), _unmarked)


def _legacy_fields(scope: Scope) -> Iterator[Case]:
    for version in (0x0301, 0x0302, 0x0304, 0x0305, 0x7F1C, 0xFFFF):
        yield _case(
            f"legacy_version {version:#06x}", completes().by("4.2.1"), _set("version", version)
        )
    yield _case("legacy_version 0x0300", _VERSION.by("D.5"), _set("version", 0x0300))
    for length in scope.some((0, 1, 16, 31, 32), 3):
        yield _case(
            f"session id of {length} bytes",
            completes().by("4.1.3"),
            _set("session_id", bytes(length)),
        )
    for length in (33, 64, 255):
        yield _case(
            f"session id of {length} bytes", _TWICE.by("4.1.2"), _set("session_id", bytes(length))
        )
    for methods in (b"\1", b"\1\0", b"\0\1", b"\0\0", b"\xff", bytes(255)):
        yield _case(
            f"compression {methods[:4].hex()}, {len(methods)} bytes",
            ILLEGAL.by("4.1.2"),
            _set("compression", methods),
            group="compression",
        )
    yield _case("no compression method", _TWICE.by("4.1.2"), _set("compression", b""))
    yield _case("a random of zeros", completes(), _set("random", bytes(32)))


def _versions() -> Iterator[Case]:
    for name, body, expected in (
        ("with others that are unknown", b"\6\x0a\x0a\3\5\3\4", completes()),
        ("last of many", b"\xfe" + b"\x0a\x0a" * 126 + b"\3\4", completes()),
        ("TLS 1.3 twice", b"\4\3\4\3\4", either(completes(), ILLEGAL)),
        ("an unknown one alone", b"\2\3\5", _VERSION),
        ("a draft alone", b"\2\x7f\x1c", _VERSION),
        # A server that has it finds no suite of it.
        ("SSL 3.0 alone", b"\2\3\0", fatal(Alert.PROTOCOL_VERSION, Alert.HANDSHAKE_FAILURE)),
        ("none", b"\0", UNREADABLE),
        ("no content", b"", UNREADABLE),
        ("half of one", b"\1\3", UNREADABLE),
        ("one and a half", b"\3\3\4\3", UNREADABLE),
        ("a byte behind them", b"\2\3\4\0", UNREADABLE),
        ("fewer than it says", b"\4\3\4", UNREADABLE),
    ):
        yield _case(
            f"supported_versions: {name}",
            expected.by("4.2.1"),
            _put(Extension.SUPPORTED_VERSIONS, body),
        )


def _extensions(scope: Scope) -> Iterator[Case]:
    for kind in (43, 10, 13, 51, 45):
        yield _case(f"extension {kind} twice", _TWICE.by("4.2"), partial(_doubled, kind))
    yield _case("an unknown extension twice", _TWICE.by("4.2"), _also(0xEEEE, b"", times=2))
    for kind, body in ((0x0A0A, b""), (0xEEEE, bytes(3000)), (0xFFFF, b"x"), (17, b""), (24, b"")):
        yield _case(f"unknown extension {kind:#06x}", completes().by("4.2"), _also(kind, body))
    yield _case("60 unknown extensions", completes().by("4.2"), _many)
    yield _case("extensions backwards", completes().by("4.2"), _backwards)
    for kind in (
        Extension.SUPPORTED_GROUPS,
        Extension.SIGNATURE_ALGORITHMS,
        Extension.KEY_SHARE,
    ):
        yield _case(f"no {kind.name.lower()}", MISSING.by("9.2"), partial(_dropped, kind))
    yield _case(
        "neither supported_groups nor key_share",
        MISSING.by("9.2"),
        lambda hello, _: (hello.drop(10), hello.drop(51)),
    )
    yield _case("no psk_key_exchange_modes", completes().by("4.2.9"), partial(_dropped, 45))
    # Those of other messages: who knows them refuses them.
    for name, kind, body in (
        ("oid_filters", Extension.OID_FILTERS, b"\0\0"),
        ("a cookie in a first hello", Extension.COOKIE, b"\0\1c"),
        ("early_data without a key", Extension.EARLY_DATA, b""),
        ("certificate_authorities", Extension.CERTIFICATE_AUTHORITIES, b"\0\3\0\1x"),
    ):
        yield _case(
            name,
            either(
                completes(),
                fatal(Alert.ILLEGAL_PARAMETER, Alert.UNSUPPORTED_EXTENSION, Alert.DECODE_ERROR),
            ).by("4.2"),
            _also(kind, body),
        )
    yield _case("the fallback signal", completes(), _suite_added(FALLBACK_SCSV))
    for kind in scope.some((10, 13, 51, 45), 4):
        for name, change in {
            "cut": lambda body: body[:-1],
            "with a byte behind it": lambda body: body + b"\0",
            "empty": lambda _: b"",
        }.items():
            yield _case(
                f"extension {kind} {name}", UNREADABLE.by("4.2"), partial(_reshaped, kind, change)
            )


def _lists() -> Iterator[Case]:
    suites = Extension.SIGNATURE_ALGORITHMS
    for name, body, expected in (
        ("none", b"\0\0", UNREADABLE),
        ("half of one", b"\0\1\4", UNREADABLE),
        ("unknown ones only", numbers([0x0A0A, 0xEEEE]), FAILURE),
        ("those of PKCS #1 only", numbers([0x0401, 0x0501, 0x0201]), FAILURE),
        ("SHA-1 only", numbers([0x0201, 0x0203]), FAILURE),
    ):
        yield _case(f"signature_algorithms: {name}", expected.by("4.2.3"), _put(suites, body))
    for name, body, expected in (
        ("none", b"\0\0", UNREADABLE),
        ("half of one", b"\0\1\0", UNREADABLE),
    ):
        yield _case(
            f"supported_groups: {name}",
            expected.by("4.2.7"),
            _put(Extension.SUPPORTED_GROUPS, body),
        )
    for name, body, expected in (
        ("none", b"\0", UNREADABLE),
        ("unknown ones only", b"\2\x0a\xff", completes()),
        ("one too few", b"\2\1", UNREADABLE),
    ):
        yield _case(
            f"psk_key_exchange_modes: {name}",
            expected.by("4.2.9"),
            _put(Extension.PSK_KEY_EXCHANGE_MODES, body),
        )
    for name, listed in {
        "unknown ones only": [0x13FF, 0x1A1A],
        "those of TLS 1.2 only": [0xC02F, 0xC02B, 0x009C, 0x002F],
        "signals only": [0x00FF],
    }.items():
        yield _case(f"suites: {name}", FAILURE.by("4.1.1"), _set("suites", listed))
    yield _case("no suite", _TWICE.by("4.1.2"), _set("suites", []))
    yield _case("many suites", completes(), _suite_added(*range(0x2000, 0x2400)))


def _shapes(scope: Scope) -> Iterator[Case]:
    fixed = 2 + 32 + 33 + 8 + 2
    for length in scope.some((*range(fixed), *range(fixed + 1, fixed + 80)), 8):
        yield Case(
            f"first {length} bytes of a ClientHello",
            UNREADABLE.by("6.2"),
            partial(_shape, lambda body, length=length: body[:length]),
            group="cut",
        )
    for name, change in {
        "a byte behind it": lambda body: body + b"\0",
        "extensions longer than the message": lambda body: body[:fixed] + b"\xff\xff" + body[79:],
        "extensions shorter than the message": lambda body: body[:fixed] + b"\0\5" + body[79:],
        "suites longer than the message": lambda body: body[:67] + b"\xff\xfe" + body[69:],
        "an odd number of bytes of suites": lambda body: body[:67] + b"\0\5" + body[69:],
    }.items():
        yield Case(name, UNREADABLE.by("6.2"), partial(_shape, change))
    for length in (1 << 18, (1 << 24) - 1):
        yield Case(
            # It says so at once; nothing of it needs to come.
            f"a ClientHello of {length} bytes",
            fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE).by("4"),
            partial(_announced, length),
        )


def _share_lists() -> Iterator[Case]:
    kind = Extension.KEY_SHARE
    yield _case("no key share", completes().by("4.1.4"), _put(kind, b"\0\0"))
    for name, body, expected in (
        ("a share of no bytes", vector(entry(29, b""), 2), _TWICE),
        ("a share longer than its list", b"\0\5\0\x1d\0\x20\0", UNREADABLE),
        ("a list longer than its extension", b"\0\x40" + entry(29, bytes(32)), UNREADABLE),
        ("three bytes of an entry", vector(b"\0\x1d\0", 2), UNREADABLE),
    ):
        yield _case(f"key_share: {name}", expected.by("4.2.8"), _put(kind, body))
    yield _case(
        "key_share: two shares of a group",
        either(completes(), ILLEGAL).by("4.2.8"),
        lambda hello, client: hello.put(kind, client.key_shares([29, 29])),
    )
    yield _case(
        "key_share: of a group that is not in supported_groups",
        either(completes(), ILLEGAL).by("4.2.8"),
        lambda hello, client: (
            hello.put(Extension.SUPPORTED_GROUPS, numbers([23])),
            hello.put(kind, client.key_shares([29])),
        ),
    )
    yield _case(
        "key_share: an unknown group first",
        completes().by("4.2.8"),
        lambda hello, client: (
            hello.put(Extension.SUPPORTED_GROUPS, numbers([0x0A0A, 29])),
            hello.put(kind, vector(entry(0x0A0A, b"\0") + client.key_shares([29])[2:], 2)),
        ),
    )
    for groups in ([0x0A0A], [22], [0xFF01]):
        yield _case(
            f"only the group {groups[0]:#06x}",
            FAILURE.by("4.1.1"),
            lambda hello, _, groups=groups: (
                hello.put(Extension.SUPPORTED_GROUPS, numbers(groups)),
                hello.put(kind, b"\0\0"),
            ),
        )


def _shares(group: int, scope: Scope) -> Iterator[Case]:
    length = shares.lengths(group)
    bad: dict[str, bytes] = {}
    for count in scope.some((1, length - 1, length + 1, 2 * length, 1000), 3):
        bad[f"{count} bytes"] = b"\4" + bytes(count - 1)
    if group == shares.X25519:
        for name, number in _SMALL_ORDER.items():
            bad[name] = number.to_bytes(32, "little")
    else:
        half = (length - 1) // 2
        prime = _PRIMES[group]
        bad |= {
            "(0, 0)": b"\4" + bytes(2 * half),
            "(1, 1)": b"\4" + (1).to_bytes(half, "big") * 2,
            "(p, p)": b"\4" + prime.to_bytes(half, "big") * 2,
            "255s": b"\4" + b"\xff" * 2 * half,
            "the point at infinity": b"\0",
            "zeros": bytes(length),
        }
    for name, share in bad.items():
        yield Case(
            f"{shares.NAMES[group]}: {name}",
            ILLEGAL.by("4.2.8.2, 7.4.2"),
            partial(_share, group, share),
            group=shares.NAMES[group],
        )
    if group == shares.X25519:
        return
    for name, change in {
        "compressed": lambda it: b"\2" + it[1 : 1 + length // 2],
        "in hybrid form": lambda it: bytes([6 + (it[-1] & 1)]) + it[1:],
        "without its first byte": lambda it: it[1:],
        "with y negative": lambda it: (
            it[: 1 + half]
            + (prime - int.from_bytes(it[1 + half :], "big") - 1).to_bytes(half, "big")
        ),
    }.items():
        yield _case(
            f"{shares.NAMES[group]}: a good point, {name}",
            ILLEGAL.by("4.2.8.2"),
            partial(_reshared, group, change),
            group=shares.NAMES[group],
            groups=[group],
        )


_P25519 = 2**255 - 19
_SMALL_ORDER = {
    "0": 0,
    "1": 1,
    "a point of order 8": 0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    "another point of order 8": 0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    "p - 1": _P25519 - 1,
    "p": _P25519,
    "p + 1": _P25519 + 1,
}
_PRIMES = {
    23: 2**256 - 2**224 + 2**192 + 2**96 - 1,
    24: 2**384 - 2**128 - 2**96 + 2**32 - 1,
    25: 2**521 - 1,
}


def _case(name: str, expected: Expectation, change: _Change, group: str = "", **offer) -> Case:
    return Case(name, expected, partial(_changed, change, offer), group)


def _set(field: str, value) -> _Change:
    return lambda hello, _: setattr(hello, field, value)


def _put(kind: int, body: bytes) -> _Change:
    return lambda hello, _: hello.put(kind, body)


def _also(kind: int, body: bytes, times: int = 1) -> _Change:
    return lambda hello, _: hello.extensions.extend([(kind, body)] * times)


def _suite_added(*suites: int) -> _Change:
    return lambda hello, _: hello.suites.extend(suites)


def _dropped(kind: int, hello: Hello, _: Client) -> None:
    hello.drop(kind)


def _doubled(kind: int, hello: Hello, _: Client) -> None:
    hello.extensions.append((kind, hello.get(kind)))


def _many(hello: Hello, _: Client) -> None:
    hello.extensions = [(0x5000 + at, bytes(at)) for at in range(60)] + hello.extensions


def _backwards(hello: Hello, _: Client) -> None:
    hello.extensions.reverse()


def _reshaped(kind: int, change: Callable[[bytes], bytes], hello: Hello, _: Client) -> None:
    hello.put(kind, change(hello.get(kind)))


def _reshared(group: int, change: Callable[[bytes], bytes], hello: Hello, client: Client) -> None:
    share = change(client.key(group).share)
    hello.put(Extension.KEY_SHARE, vector(entry(group, share), 2))


def _changed(change: _Change, offer: dict, lab: Lab) -> Reply:
    """The handshake goes on if the server lets it."""
    client = lab.tls13(**offer)
    hello = client.hello()
    change(hello, client)
    client.send_hello(hello)
    if not client.read_until(lambda: client.server.finished or client.server.retry):
        return client.reply()
    client.read_flight()
    return client.complete()


def _honest(offer: dict, lab: Lab) -> Reply:
    client = lab.tls13(**offer)
    client.handshake()
    client.require(client.server.retry is None, "the server retries without need")
    return client.page()


def _share(group: int, share: bytes, lab: Lab) -> Reply:
    client = lab.tls13(groups=[group], shares=())
    hello = client.hello()
    hello.put(Extension.KEY_SHARE, vector(entry(group, share), 2))
    client.send_hello(hello)
    return client.reply()


def _shape(change: Callable[[bytes], bytes], lab: Lab) -> Reply:
    client = lab.tls13()
    client.send_handshake(HandshakeType.CLIENT_HELLO, change(client.hello().body()))
    return client.reply()


def _announced(length: int, lab: Lab) -> Reply:
    client = lab.tls13()
    start = b"\1" + length.to_bytes(3, "big") + client.hello().body()[:100]
    client.send(ContentType.HANDSHAKE, start)
    return client.reply()


def _profile(version: Version) -> Profile:
    return Profile(version, ECDHE_RSA_AES128_SHA)


def _marked(version: Version, mark: bytes, lab: Lab) -> Reply:
    client = lab.client(_profile(version))
    client.handshake()
    client.require(client.server_random.endswith(mark), "the server's random has no mark")
    return client.page()


def _fallback(version: Version, lab: Lab) -> Reply:
    profile = _profile(version)
    client = lab.client(profile, suites=[profile.suite.id, FALLBACK_SCSV])
    client.send_hello()
    return client.reply()


def _unmarked(lab: Lab) -> Reply:
    client = lab.tls13()
    client.handshake()
    marked = client.server.hello.random.endswith((DOWNGRADE_TO_1_2, DOWNGRADE_BELOW))
    client.require(not marked, "the server marks a downgrade that is none")
    return client.page()
