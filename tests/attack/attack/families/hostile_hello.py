"""Servers that choose what the client did not offer (RFC 5246 section 7.4.1.3)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.hostile import PAGE, Hostile, Plan
from attack.reply import Expectation, Reply, delivers, refuses
from attack.suites import (
    AES128_GCM,
    AES128_SHA,
    DHE_RSA_AES128_GCM,
    ECDHE_ECDSA_AES128_GCM,
    ECDHE_RSA_AES128_GCM,
    ECDHE_RSA_AES128_SHA,
    TRIPLE_DES_SHA,
    Profile,
)
from attack.wire import (
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    message,
    vector,
)

GOOD = delivers(PAGE)
TLS12 = Profile(Version.TLS1_2, ECDHE_RSA_AES128_GCM)
PROFILES = (
    TLS12,
    Profile(Version.TLS1_2, ECDHE_ECDSA_AES128_GCM),
    Profile(Version.TLS1_2, DHE_RSA_AES128_GCM),
    Profile(Version.TLS1_2, AES128_GCM),
    Profile(Version.TLS1_2, AES128_SHA),
    Profile(Version.TLS1_2, AES128_SHA, encrypt_then_mac=True),
    Profile(Version.TLS1_1, ECDHE_RSA_AES128_SHA),
    Profile(Version.TLS1_0, AES128_SHA),
    Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA),
)
"""What servers choose that are told nothing odd."""

_HIGHEST = ("--max-version", "tls1.2")

_ILLEGAL = refuses(Alert.ILLEGAL_PARAMETER)
_UNREADABLE = refuses(Alert.DECODE_ERROR)
_VERSION = refuses(Alert.PROTOCOL_VERSION)
_UNASKED = refuses(Alert.UNSUPPORTED_EXTENSION)


def cases(scope: Scope) -> Iterator[Case]:
    """Versions, suites, compression, extensions, and every cut."""
    for profile in PROFILES:
        yield Case(f"{profile}: an honest server", GOOD, partial(honest, Plan(profile)))
    yield from _versions()
    yield from _suites(scope)
    for method in (1, 64, 255):
        yield case(f"compression method {method}", _ILLEGAL, {"compression": method})
    yield from _extensions()
    yield from _shapes(scope)


def case(
    name: str,
    expected: Expectation,
    decided: dict,
    profile: Profile = TLS12,
    options: tuple[str, ...] = (),
) -> Case:
    """A server that decides something in its ServerHello, and is honest in everything else."""

    def script(server: Hostile) -> None:
        server.open(**decided)

    return Case(
        f"{profile}: {name}", expected, partial(_met, Plan(profile), script, options=options)
    )


def honest(plan: Plan, lab: ClientLab, **how) -> Reply:
    """A server that does everything as it should be done."""

    def script(server: Hostile) -> None:
        server.handshake()
        server.answer()
        server.goodbye()

    return lab.meet(plan, script, **how)


def _met(plan: Plan, script: Callable[[Hostile], None], lab: ClientLab, **how) -> Reply:
    return lab.meet(plan, script, **how)


def _versions() -> Iterator[Case]:
    for version in (0x0000, 0x0002, 0x0200, 0x0300, 0x0304, 0x0305, 0x0400, 0xFEFD, 0xFEFF, 0xFFFF):
        yield case(f"version {version:#06x}", _VERSION, {"version": version})
    for least, version in (("tls1.2", 0x0301), ("tls1.2", 0x0302), ("tls1.1", 0x0301)):
        options = "--min-version", least
        name = f"version {version:#06x}, at least {least} wanted"
        yield case(name, _VERSION, {"version": version}, options=options)
    for highest, version in (("tls1.1", 0x0303), ("tls1.0", 0x0302), ("tls1.0", 0x0303)):
        options = "--max-version", highest
        profile = Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA)
        name = f"version {version:#06x}, at most {highest} wanted"
        yield case(name, _VERSION, {"version": version}, profile, options)
    mark = bytes(24) + b"DOWNGRD\0"
    for version in (Version.TLS1_0, Version.TLS1_1):
        profile = Profile(version, ECDHE_RSA_AES128_SHA)
        # RFC 8446 section 4.1.3.
        yield case("the mark of a downgrade", _ILLEGAL, {"random": mark}, profile)
        how = {"options": ("--max-version", version.label.lower().replace(" ", ""))}
        yield Case(
            f"{profile}: the mark of a downgrade, where no more was offered",
            GOOD,
            partial(_marked, Plan(profile), mark, **how),
        )
    other = bytes(24) + b"DOWNGRD\1"
    yield Case(
        f"{TLS12}: the mark of a server with TLS 1.3, where no more was offered",
        GOOD,
        partial(_marked, Plan(TLS12), other, options=_HIGHEST),
    )


def _marked(plan: Plan, random: bytes, lab: ClientLab, **how) -> Reply:
    def script(server: Hostile) -> None:
        server.handshake(random=random)
        server.answer()
        server.goodbye()

    return lab.meet(plan, script, **how)


def _suites(scope: Scope) -> Iterator[Case]:
    never = {
        "no encryption": (0x0000, 0x0001, 0x0002, 0x003B, 0xC006, 0xC010),
        "export": (0x0003, 0x0006, 0x0008, 0x0014, 0x0062, 0x0064),
        "RC4": (0x0004, 0x0005, 0xC007, 0xC011),
        "DES and 3DES": (0x0009, 0x000A, 0x0016, 0xC012),
        "no certificate": (0x0018, 0x001B, 0x0034, 0x006C, 0x00A6, 0xC018),
        "DSA": (0x0013, 0x0032, 0x0038, 0x00A2),
        "static keys": (0x000D, 0x0030, 0xC004, 0xC00E, 0xC02D),
        "shared keys": (0x008C, 0x00A8, 0x00AC, 0xC035, 0xD001),
        "TLS 1.3": (0x1301, 0x1302, 0x1303),
        "signals": (0x00FF, 0x5600),
        "nothing": (0x1A1A, 0xEEEE, 0xFFFF),
    }
    for kind, suites in never.items():
        for suite in suites[:1] if scope.smoke else suites:
            yield case(f"the suite {suite:#06x}: {kind}", _ILLEGAL, {"suite": suite})
    for suite in (AES128_GCM, ECDHE_RSA_AES128_GCM, DHE_RSA_AES128_GCM):
        for version in (Version.TLS1_0, Version.TLS1_1):
            profile = Profile(version, ECDHE_RSA_AES128_SHA)
            name = f"the suite {suite.id:#06x} of TLS 1.2"
            yield case(name, _ILLEGAL, {"suite": suite.id}, profile)
    options = "--suites", "TLS_RSA_WITH_AES_128_GCM_SHA256"
    for suite in (ECDHE_RSA_AES128_GCM, AES128_SHA, TRIPLE_DES_SHA):
        name = f"the suite {suite.id:#06x}, when only another is offered"
        yield case(name, _ILLEGAL, {"suite": suite.id}, options=options)


_UNSOLICITED = {
    "max_fragment_length": (1, b"\1"),
    "client_certificate_url": (2, b""),
    "truncated_hmac": (4, b""),
    "status_request": (5, b""),
    "use_srtp": (14, b"\0\2\0\1\0"),
    "heartbeat": (15, b"\1"),
    "application protocols": (16, b"\0\3\2h2"),
    "status_request_v2": (17, b""),
    "certificate timestamps": (18, b"\0\0"),
    "padding": (21, bytes(100)),
    "token_binding": (24, b"\0\1\1\2"),
    "record_size_limit": (28, b"\x40\0"),
    "pre_shared_key": (41, b"\0\0"),
    "early_data": (42, b""),
    "supported versions": (43, b"\3\4"),
    "cookie": (44, b"\0\1c"),
    "a key share": (51, b"\0\x1d\0\x20" + bytes(32)),
    "next protocol": (13172, b"\2h2"),
    "a kind of RFC 8701": (0x1A1A, b"\0"),
    "an unknown kind": (0xEEEE, b""),
    "the highest kind": (0xFFFF, bytes(10)),
}


def _extensions() -> Iterator[Case]:
    right = {Extension.EXTENDED_MASTER_SECRET: b"", Extension.RENEGOTIATION_INFO: b"\0"}
    for name, (kind, content) in _UNSOLICITED.items():
        decided = {"extensions": right | {kind: content}}
        # A client of TLS 1.3 asks for some of them.
        yield case(f"unasked: {name}", _UNASKED, decided, options=_HIGHEST)
    for name, option, kind in (
        ("the extended master secret", "--no-ems", Extension.EXTENDED_MASTER_SECRET),
        ("encrypt-then-MAC", "--no-etm", Extension.ENCRYPT_THEN_MAC),
        ("a session ticket", "--no-tickets", Extension.SESSION_TICKET),
    ):
        decided = {"extensions": {kind: b""}}
        profile = Profile(Version.TLS1_2, ECDHE_RSA_AES128_SHA)
        yield case(f"unasked: {name}", _UNASKED, decided, profile, (option,))
    decided = {"extensions": right | {Extension.SIGNATURE_ALGORITHMS: b"\0\2\4\1"}}
    yield case("signature_algorithms", _ILLEGAL, decided)
    for content in (b"\x01x", b"\x0c" + bytes(12), b"\x18" + bytes(24)):
        decided = {"extensions": {Extension.RENEGOTIATION_INFO: content}}
        name = f"renegotiation_info with {len(content) - 1} bytes in it"
        # RFC 5746 section 3.4.
        yield case(name, refuses(Alert.HANDSHAKE_FAILURE), decided)
    decided = {"extensions": right | {Extension.ENCRYPT_THEN_MAC: b""}}
    yield case("encrypt-then-MAC for a suite without CBC", _ILLEGAL, decided)
    for content, expected in ((b"\1\1", _ILLEGAL), (b"\2\1\2", _ILLEGAL), (b"\0", _UNREADABLE)):
        decided = {"extensions": right | {Extension.EC_POINT_FORMATS: content}}
        yield case(f"point formats {content.hex()}", expected, decided)
    options = "--alpn", "h2,http/1.1"
    for name, content, expected in (
        ("never offered", b"\0\4\3foo", _ILLEGAL),
        ("the beginning of one", b"\0\2\1h", _ILLEGAL),
        ("two", b"\0\x0c\2h2\x08http/1.1", _UNREADABLE),
        ("none", b"\0\0", _UNREADABLE),
        ("an empty one", b"\0\1\0", _UNREADABLE),
        ("no content", b"", _UNREADABLE),
        ("a byte behind it", b"\0\3\2h2\0", _UNREADABLE),
    ):
        decided = {"extensions": {Extension.APPLICATION_PROTOCOLS: content}}
        yield case(f"application protocol: {name}", expected, decided, TLS12, options)
    for name, content in {
        "extended_master_secret": (Extension.EXTENDED_MASTER_SECRET, b"\0"),
        "renegotiation_info without content": (Extension.RENEGOTIATION_INFO, b""),
        "renegotiation_info with a length that is too high": (Extension.RENEGOTIATION_INFO, b"\5"),
        "renegotiation_info with a byte behind it": (Extension.RENEGOTIATION_INFO, b"\0\0"),
    }.items():
        kind, data = content
        yield case(f"misshapen: {name}", _UNREADABLE, {"extensions": {kind: data}})
    empty = Extension.EXTENDED_MASTER_SECRET.to_bytes(2, "big") + b"\0\0"
    for name, block, expected in (
        ("one twice", vector(empty * 2, 2), refuses(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER)),
        ("longer than their block", vector(b"\0\x17\0\1", 2), _UNREADABLE),
        ("three bytes of one", vector(b"\0\x17\0", 2), _UNREADABLE),
        ("a block longer than the message", b"\0\x10" + empty, _UNREADABLE),
        ("a block shorter than the message", b"\0\0" + empty, _UNREADABLE),
        ("half of a length", b"\0", _UNREADABLE),
    ):
        yield case(f"extensions: {name}", expected, {"block": block})
    # As many as there is room for; the first is unasked.
    many = b"".join(kind.to_bytes(2, "big") + b"\0\0" for kind in range(0x4000, 0x4000 + 16000))
    yield case("extensions: sixteen thousand", _UNASKED, {"block": vector(many, 2)})


def _shapes(scope: Scope) -> Iterator[Case]:
    whole = 2 + 32 + 1 + 32 + 2 + 1 + 2 + 5 + 4
    without = whole - 11
    for length in scope.some(range(whole), 5):
        if length != without:
            yield Case(
                f"{TLS12}: first {length} bytes of a ServerHello",
                _UNREADABLE,
                partial(_shape, lambda body, length=length: body[:length]),
                group="cut ServerHello",
            )
    for name, change in {
        "a byte behind it": lambda body: body + b"\0",
        "a session id longer than the message": lambda body: body[:34] + b"\xff" + body[35:],
        "a session id of 33 bytes": lambda body: body[:34] + b"\x21" + bytes(33) + body[67:],
    }.items():
        yield Case(f"{TLS12}: {name}", _UNREADABLE, partial(_shape, change))
    for length in (1 << 17, (1 << 24) - 1):
        yield Case(
            # It says so at once; nothing of it needs to come.
            f"{TLS12}: a ServerHello of {length} bytes",
            _UNREADABLE,
            partial(_announced, HandshakeType.SERVER_HELLO, length),
        )


def _shape(change: Callable[[bytes], bytes], lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        body = change(server.hello_body())
        server.send_handshake(HandshakeType.SERVER_HELLO, body)

    return lab.meet(Plan(TLS12), script)


def _announced(kind: int, length: int, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        header = message(kind, b"")[:1] + length.to_bytes(3, "big")
        server.send(ContentType.HANDSHAKE, header + bytes(100))

    return lab.meet(Plan(replace(TLS12)), script)
