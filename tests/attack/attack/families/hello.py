"""ClientHello messages that are misshapen, or that ask for less than they could get."""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Offer
from attack.reply import Reply, closes, completes, either, fatal
from attack.suites import AES128_SHA, Profile
from attack.wire import FALLBACK_SCSV, Alert, Extension, HandshakeType, Version, extension, vector

_UNREADABLE = fatal(Alert.DECODE_ERROR)
_NONE_IN_COMMON = fatal(Alert.HANDSHAKE_FAILURE, Alert.INSUFFICIENT_SECURITY)


def cases(scope: Scope) -> Iterator[Case]:
    """Fallbacks, versions, suites, compression, extensions, and every cut."""
    for profile in scope.versions(AES128_SHA):
        yield Case(
            # RFC 7507 section 3.
            f"{profile}: with the fallback signal",
            completes()
            if profile.version == scope.highest
            else fatal(Alert.INAPPROPRIATE_FALLBACK),
            partial(_suites, profile, (profile.suite.id, FALLBACK_SCSV)),
        )
        for name, suites in _NO_SUITES.items():
            yield Case(f"{profile}: {name}", _NONE_IN_COMMON, partial(_suites, profile, suites))
        yield Case(
            f"{profile}: a suite among 200 unknown ones",
            completes(),
            partial(_suites, profile, (*range(0xE000, 0xE0C8), profile.suite.id)),
        )
        for compression in (b"\1", b"\x40\x01"):
            # Section 7.4.1.2: the list MUST contain null.
            yield Case(
                f"{profile}: compression methods {compression.hex()}",
                fatal(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR, Alert.HANDSHAKE_FAILURE),
                partial(_offered, profile, {"compression": compression}),
            )
        yield Case(
            f"{profile}: compression methods 01 and null",
            completes(),
            partial(_offered, profile, {"compression": b"\1\0"}),
        )
        yield from _cuts(profile, scope)
        if profile.version != Version.SSL3:
            yield from _extensions(profile)
    profile = Profile(scope.highest, AES128_SHA)
    for version in (0x0001, 0x0002, 0x0100, 0x0200, 0x02FF):
        yield Case(
            # Appendix E.1.
            f"client version {version:#06x}",
            fatal(Alert.PROTOCOL_VERSION),
            partial(_offered, profile, {"client_version": version}),
        )
    for name, data in _NO_RECORDS.items():
        yield Case(
            f"{name} instead of a record",
            either(
                closes(),
                fatal(
                    Alert.UNEXPECTED_MESSAGE,
                    Alert.PROTOCOL_VERSION,
                    Alert.DECODE_ERROR,
                    Alert.RECORD_OVERFLOW,
                    Alert.ILLEGAL_PARAMETER,
                    Alert.HANDSHAKE_FAILURE,
                ),
            ),
            partial(_raw, profile, data),
        )


_NO_SUITES = {
    "only suites that do not exist": (0xE001, 0xE002),
    "only the null suites": (0x0000, 0x0001, 0x0002, 0x003B),
    "only a suite of TLS 1.3": (0x1301,),
    "only a suite with Diffie-Hellman": (0x0033,),
    "only a suite without a certificate": (0x0034, 0x0018),
}

_NO_RECORDS = {
    "a request in the clear": b"GET / HTTP/1.0\r\n\r\n",
    "zeros": bytes(64),
    "255s": b"\xff" * 64,
    "the hello of SSL 2.0": b"\x80\x2e\1\0\2\0\x15\0\0\0\x10" + bytes([1, 0, 128]) * 7 + bytes(16),
}


def _suites(profile: Profile, suites: tuple[int, ...], lab: Lab) -> Reply:
    return _offered(profile, {"suites": suites}, lab)


def _offered(profile: Profile, offer: dict, lab: Lab) -> Reply:
    client = lab.client(profile, **offer)
    client.send_hello()
    if not client.read_until(lambda: client.server.hello_done):
        return client.reply()
    client.key_exchange()
    client.finish()
    return client.complete()


def _raw(profile: Profile, data: bytes, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.send_raw(data)
    client.end_sending()
    return client.reply()


def _cuts(profile: Profile, scope: Scope) -> Iterator[Case]:
    """The message ends early, and its header knows."""
    whole = Offer(profile).body(bytes(32))
    complete_without = len(Offer(profile, extended=False).body(bytes(32)))
    for length in scope.some(range(len(whole))):
        if length != complete_without:
            yield Case(
                f"{profile}: first {length} bytes of a ClientHello",
                _UNREADABLE if profile.version != Version.SSL3 else _SSL3_UNREADABLE,
                partial(_body, profile, partial(_first, length)),
                group=f"{profile} cut ClientHello",
            )
    for name, change in _MISSHAPEN.items():
        yield Case(
            f"{profile}: {name}",
            fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE),
            partial(_body, profile, change),
        )


_SSL3_UNREADABLE = fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE)
"""SSL 3.0 has no decode_error, but the server cannot know yet that SSL 3.0 will be spoken."""


def _body(profile: Profile, change: Callable[[bytes], bytes], lab: Lab) -> Reply:
    client = lab.client(profile)
    client.send_handshake(HandshakeType.CLIENT_HELLO, change(client.hello_body()))
    return client.reply()


def _first(length: int, body: bytes) -> bytes:
    return body[:length]


_MISSHAPEN: dict[str, Callable[[bytes], bytes]] = {
    "no suites": lambda body: body[:35] + b"\0\0" + b"\1\0",
    "half a suite": lambda body: body[:35] + b"\0\3\0\x2f\0" + b"\1\0",
    "no compression methods": lambda body: body[:35] + b"\0\2\0\x2f" + b"\0",
    "a session id longer than the message": lambda body: body[:34] + b"\xff" + body[35:],
    "suites longer than the message": lambda body: body[:35] + b"\xff\xfe" + body[37:],
}


def _extensions(profile: Profile) -> Iterator[Case]:
    empty = extension(Extension.EXTENDED_MASTER_SECRET)
    for name, block in {
        "an extension longer than their block": vector(b"\0\x17\0\1", 2),
        "three bytes of an extension": vector(b"\0\x17\0", 2),
        "a block longer than the message": b"\0\x10" + empty,
        "a block shorter than the message": b"\0\0" + empty,
        "half of a length": b"\0",
    }.items():
        yield Case(
            f"{profile}: extensions: {name}",
            _UNREADABLE,
            partial(_body, profile, partial(_with_block, profile, block)),
            group=f"{profile} misshapen extensions",
        )
    yield Case(
        # Section 7.4.1.4: at most one of a type.
        f"{profile}: extensions: the same twice",
        fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
        partial(_body, profile, partial(_with_block, profile, vector(empty * 2, 2))),
    )
    filled = extension(Extension.ENCRYPT_THEN_MAC, b"\0")
    yield Case(
        # RFC 7366 section 2: it is empty. Nothing says what to do if not.
        f"{profile}: extensions: encrypt-then-MAC with a byte in it",
        either(fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER), completes()),
        partial(_offered, profile, {"extensions": filled}),
    )
    yield Case(
        f"{profile}: a hundred unknown extensions",
        completes(),
        partial(
            _offered,
            profile,
            {"extensions": b"".join(extension(kind, b"x") for kind in range(0xE000, 0xE064))},
        ),
    )
    yield Case(
        f"{profile}: an empty block of extensions",
        completes(),
        partial(_empty_block, profile),
    )


def _with_block(profile: Profile, block: bytes, _: bytes) -> bytes:
    """A ClientHello without extensions, and this behind it."""
    return Offer(profile, extended=False).body(bytes(32)) + block


def _empty_block(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile, extended=False)
    client.send_handshake(HandshakeType.CLIENT_HELLO, client.hello_body() + b"\0\0")
    client.read_flight()
    client.key_exchange()
    client.finish()
    return client.complete()
