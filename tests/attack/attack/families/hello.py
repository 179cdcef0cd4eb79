"""ClientHello messages that are misshapen, or that ask for less than they could get."""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Offer
from attack.reply import Reply, closes, completes, either, fatal
from attack.suites import AES128_SHA, Profile
from attack.wire import (
    FALLBACK_SCSV,
    Alert,
    Extension,
    HandshakeType,
    Version,
    extension,
    vector,
)

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
        for run in (_server_hello, _fresh_every_time):
            yield Case(f"{profile}: {run.__doc__}", completes(), partial(run, profile))
        yield Case(
            f"{profile}: the same suite many times",
            completes(),
            partial(_suites, profile, (profile.suite.id,) * 100),
        )
        yield Case(
            # RFC 8701: values that are kept free so that servers learn to pass them over.
            f"{profile}: suites of RFC 8701",
            completes(),
            partial(_suites, profile, (*_GREASE, profile.suite.id)),
        )
        yield Case(
            f"{profile}: every compression method",
            completes(),
            partial(_offered, profile, {"compression": bytes(range(255))}),
        )
        yield from _of_ssl2(profile)
        yield from _cuts(profile, scope)
        if profile.version != Version.SSL3:
            yield from _extensions(profile)
            yield from _well_known(profile)
            yield from _server_names(profile)
    for profile in scope.profiles(of=lambda it: it.version != Version.SSL3 and not it.suite.block):
        yield Case(
            # RFC 7366 section 3: for CBC suites only.
            f"{profile}: encrypt-then-MAC offered",
            completes(),
            partial(_encrypt_then_mac_for_nothing, profile),
        )
    profile = Profile(scope.highest, AES128_SHA)
    yield from _signature_algorithms(profile)
    yield Case("a ClientHello of the greatest length", completes(), partial(_greatest, profile))
    for version in (0x0304, 0x037F, 0x0400, 0x0403, 0x0A0A, 0xFEFD, 0xFFFF):
        yield Case(
            # Appendix E.1: the server answers with the highest version that it speaks.
            f"client version {version:#06x}",
            completes(),
            partial(_offered, profile, {"client_version": version}),
        )
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


_SUITES_OF_SSL2 = bytes([1, 0, 0x80, 7, 0, 0xC0])


def _hello_of_ssl2(
    version: int,
    suites: bytes = _SUITES_OF_SSL2 + bytes([0, 0, 0x2F]),
    session_id: bytes = b"",
    challenge: bytes = bytes(range(32)),
) -> bytes:
    """A ClientHello in the form of SSL 2.0 (appendix E.2), without the record around it."""
    parts = (suites, session_id, challenge)
    lengths = b"".join(len(part).to_bytes(2, "big") for part in parts)
    return b"\1" + version.to_bytes(2, "big") + lengths + b"".join(parts)


def _record_of_ssl2(body: bytes) -> bytes:
    return (0x8000 | len(body)).to_bytes(2, "big") + body


_NO_RECORDS = {
    "a request in the clear": b"GET / HTTP/1.0\r\n\r\n",
    "zeros": bytes(64),
    "255s": b"\xff" * 64,
    "a single byte": b"\x16",
    "the beginning of a record": b"\x16\3\1\0",
    # RFC 6176: nobody speaks that.
    "the hello of SSL 2.0": _record_of_ssl2(_hello_of_ssl2(0x0002)),
    "another message of SSL 2.0": _record_of_ssl2(b"\2" + _hello_of_ssl2(0x0301)[1:]),
    "half of the hello of SSL 2.0, for TLS 1.2": _record_of_ssl2(_hello_of_ssl2(0x0303))[:20],
    "two bytes of the hello of SSL 2.0": _record_of_ssl2(_hello_of_ssl2(0x0303))[:2],
    "an empty record of SSL 2.0": b"\x80\0\1\3\3",
    "the longest hello of SSL 2.0": _record_of_ssl2(b"\1\3\3" + bytes(0x7FFC)),
    "a hello of SSL 2.0 with padding": b"\0" + _record_of_ssl2(_hello_of_ssl2(0x0301)),
}

_GREASE = tuple(0x0A0A + 0x1010 * step for step in range(16))


def _of_ssl2(profile: Profile) -> Iterator[Case]:
    """Appendix E.2: a server may take a hello in the form of SSL 2.0, but no more than that."""
    taken_or_not = either(
        completes(), fatal(Alert.UNEXPECTED_MESSAGE, Alert.PROTOCOL_VERSION), closes()
    )
    version = profile.version
    for name, body in {
        "challenge of 32 bytes": _hello_of_ssl2(version),
        "challenge of 16 bytes": _hello_of_ssl2(version, challenge=b"\7" * 16),
        "a session id": _hello_of_ssl2(version, session_id=bytes(16)),
    }.items():
        for size in (0xFFFF, 1):
            yield Case(
                f"{profile}: hello of SSL 2.0, {name}, in segments of at most {size} bytes",
                taken_or_not,
                partial(_with_ssl2, profile, body, size),
            )
    right = _hello_of_ssl2(version)
    for name, body in {
        "no suites": _hello_of_ssl2(version, suites=b""),
        "half a suite": _hello_of_ssl2(version, suites=b"\0\0"),
        "a challenge of 15 bytes": _hello_of_ssl2(version, challenge=bytes(15)),
        "a challenge of 33 bytes": _hello_of_ssl2(version, challenge=bytes(33)),
        "its last byte missing": right[:-1],
        "a byte too many": right + b"\0",
        "a length that is too high": right[:3] + b"\xff" + right[4:],
    }.items():
        yield Case(
            f"{profile}: hello of SSL 2.0 with {name}",
            fatal(
                Alert.DECODE_ERROR,
                Alert.ILLEGAL_PARAMETER,
                Alert.UNEXPECTED_MESSAGE,
                Alert.HANDSHAKE_FAILURE,
            ),
            partial(_raw, profile, _record_of_ssl2(body)),
            group=f"{profile} misshapen hello of SSL 2.0",
        )
    yield Case(
        f"{profile}: hello of SSL 2.0 with suites of SSL 2.0 only",
        _NONE_IN_COMMON,
        partial(_raw, profile, _record_of_ssl2(_hello_of_ssl2(version, suites=_SUITES_OF_SSL2))),
    )
    yield Case(
        f"{profile}: hello of SSL 2.0 after ServerHelloDone",
        fatal(Alert.UNEXPECTED_MESSAGE, Alert.PROTOCOL_VERSION, Alert.DECODE_ERROR),
        partial(_late_ssl2, profile),
    )


def _with_ssl2(profile: Profile, body: bytes, size: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    challenge = int.from_bytes(body[7:9], "big")
    client.client_random = body[-challenge:].rjust(32, b"\0")
    client.transcript = body
    sent = _record_of_ssl2(body)
    for at in range(0, len(sent), size):
        client.send_raw(sent[at : at + size])
    if not client.read_until(lambda: client.server.hello_done):
        return client.reply()
    client.mark()
    client.key_exchange()
    client.finish()
    return client.complete()


def _late_ssl2(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_raw(_record_of_ssl2(_hello_of_ssl2(profile.version)))
    return client.reply()


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


def _server_hello(profile: Profile, lab: Lab) -> Reply:
    """what the ServerHello has in it"""
    client = lab.client(profile, signal_renegotiation=False)
    client.hello()
    server = client.server
    client.require(server.compression == 0, "the server chose a compression method")
    client.require(len(server.session_id) in (0, 32), "a session id of an odd length")
    offered = {Extension.EXTENDED_MASTER_SECRET, Extension.ENCRYPT_THEN_MAC}
    client.require(server.extensions <= offered, "the server answers what was not offered")
    # RFC 8446 section 4.1.3: who could do better says so.
    falls_short = client.server_random[-8:] == b"DOWNGRD\0"
    client.require(
        falls_short == (profile.version < Version.TLS1_2), "the mark of a downgrade is wrong"
    )
    client.key_exchange()
    client.finish()
    return client.complete()


def _fresh_every_time(profile: Profile, lab: Lab) -> Reply:
    """random and session id anew in each handshake"""
    clients = [lab.client(profile) for _ in range(4)]
    for client in clients:
        client.hello()
    for values in zip(
        *((client.server_random[:24], client.server.session_id) for client in clients),
        strict=True,
    ):
        client.require(len(set(values)) == len(clients), "something comes twice")
    client.key_exchange()
    client.finish()
    return client.complete()


def _encrypt_then_mac_for_nothing(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile, extensions=extension(Extension.ENCRYPT_THEN_MAC))
    client.hello()
    client.require(
        Extension.ENCRYPT_THEN_MAC not in client.server.extensions,
        "the server answers encrypt-then-MAC for a suite without CBC",
    )
    client.key_exchange()
    client.finish()
    return client.complete()


_PASSED_OVER = {
    "max_fragment_length of 512": (1, b"\1"),
    "max_fragment_length of no known number": (1, b"\5"),
    "max_fragment_length without content": (1, b""),
    "status_request": (5, b"\1\0\0\0\0"),
    "groups, all unknown": (10, b"\0\4\xee\xee\xfe\xed"),
    "groups without content": (10, b""),
    "point formats without the uncompressed": (11, b"\1\1"),
    "heartbeat": (15, b"\1"),
    "application protocols": (16, b"\0\3\2h2"),
    "application protocols, an empty one": (16, b"\0\1\0"),
    "certificate timestamps": (18, b""),
    "padding that is not of zeros": (21, b"\xff" * 300),
    "a session ticket": (35, bytes(192)),
    "supported versions, TLS 1.3 first": (43, b"\4\3\4\3\3"),
    "a key share": (51, b"\0\x24\0\x1d\0\x20" + bytes(32)),
    "next protocol": (13172, b""),
    "a kind of RFC 8701": (0x1A1A, b"\0"),
}


def _well_known(profile: Profile) -> Iterator[Case]:
    """Extensions that a server need not speak, and then passes over (section 7.4.1.4)."""
    for name, (kind, data) in _PASSED_OVER.items():
        yield Case(
            f"{profile}: extension {name}",
            either(completes(), fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER))
            if kind != 0x1A1A
            else completes(),
            partial(_passed_over, profile, kind, data),
        )
    yield Case(
        f"{profile}: as many extensions as there is room for",
        completes(),
        partial(_offered, profile, {"extensions": _many_extensions(16000)}),
    )
    for name, block in {
        "unknown": extension(0xEEEE, b"1") + extension(0xEEEF) + extension(0xEEEE, b"2"),
        "renegotiation_info": extension(Extension.RENEGOTIATION_INFO, b"\0") * 2,
        "server_name": extension(Extension.SERVER_NAME, _names((0, b"one"))) * 2,
    }.items():
        yield Case(
            f"{profile}: extension {name} twice",
            fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
            partial(_offered, profile, {"extensions": block, "signal_renegotiation": False}),
            group=f"{profile} twice",
        )


def _many_extensions(count: int) -> bytes:
    """Of no meaning and no content, each of a kind of its own."""
    return b"".join(extension(kind) for kind in range(0x4000, 0x4000 + count))


def _passed_over(profile: Profile, kind: int, data: bytes, lab: Lab) -> Reply:
    client = lab.client(profile, extensions=extension(kind, data))
    client.send_hello()
    if not client.read_until(lambda: client.server.hello_done):
        return client.reply()
    client.mark()
    client.require(kind not in client.server.extensions, "the server answers the extension")
    client.key_exchange()
    client.finish()
    return client.complete()


def _names(*names: tuple[int, bytes]) -> bytes:
    """The content of server_name (RFC 6066 section 3)."""
    return vector(b"".join(bytes([kind]) + vector(name, 2) for kind, name in names), 2)


def _server_names(profile: Profile) -> Iterator[Case]:
    for name, data in {
        "a host": _names((0, b"localhost")),
        "the longest host": _names((0, b"a" * 0xFF)),
        "bytes that are no host": _names((0, b"\0\xff \n")),
        "a name of an unknown type": _names((7, b"x")),
        "names of two types": _names((0, b"localhost"), (7, b"x")),
    }.items():
        yield Case(
            f"{profile}: server_name: {name}",
            completes(),
            partial(_named, profile, data),
        )
    right = _names((0, b"localhost"))
    for name, data in {
        "no content": b"",
        "an empty list": _names(),
        "an empty host": _names((0, b"")),
        "a list one byte too short": right[:-1],
        "a byte behind the list": right + b"\0",
        "a list longer than the extension": b"\xff\xff" + right[2:],
        "a host longer than the list": vector(b"\0\0\x40localhost", 2),
        "half of a length": vector(b"\0\0", 2),
    }.items():
        yield Case(
            f"{profile}: server_name: {name}",
            _UNREADABLE,
            partial(_named, profile, data),
            group=f"{profile} misshapen server_name",
        )
    yield Case(
        # RFC 6066 section 3: one name of a type at most.
        f"{profile}: server_name: two hosts",
        fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
        partial(_named, profile, _names((0, b"one"), (0, b"two"))),
    )


def _named(profile: Profile, data: bytes, lab: Lab) -> Reply:
    return _offered(profile, {"extensions": extension(Extension.SERVER_NAME, data)}, lab)


def _signature_algorithms(profile: Profile) -> Iterator[Case]:
    """Nothing is signed with RSA key exchange, so that no list is a reason to refuse."""
    for name, data in {
        "usual ones": b"\0\4\4\1\2\1",
        "only unknown ones": b"\0\4\xee\xee\xfe\xfe",
        "only one for elliptic curves": b"\0\2\4\3",
        "as many as there is room for": vector(b"\4\1" * 0x7FF0, 2),
    }.items():
        yield Case(
            f"{profile}: signature_algorithms: {name}",
            completes(),
            partial(_algorithms, profile, data),
        )
    for name, data in {
        "no content": b"",
        "an empty list": b"\0\0",
        "half of one": b"\0\1\4",
        "one and a half": b"\0\3\4\1\4",
        "a list longer than the extension": b"\0\4\4\1",
        "a byte behind the list": b"\0\2\4\1\0",
    }.items():
        yield Case(
            f"{profile}: signature_algorithms: {name}",
            _UNREADABLE,
            partial(_algorithms, profile, data),
            group=f"{profile} misshapen signature_algorithms",
        )


def _algorithms(profile: Profile, data: bytes, lab: Lab) -> Reply:
    return _offered(profile, {"extensions": extension(Extension.SIGNATURE_ALGORITHMS, data)}, lab)


def _greatest(profile: Profile, lab: Lab) -> Reply:
    """Every field at its limit."""
    unknown = range(0xE000, 0xE000 + 0x1000)
    suites = (*(unknown[at % len(unknown)] for at in range(0x7FFD)), profile.suite.id)
    client = lab.client(
        profile,
        suites=suites,
        session_id=lab.rng.randbytes(32),
        compression=bytes(range(255)),
        extensions=extension(0xEEEE, bytes(0xFFFF - 8)),
    )
    client.send_hello()
    client.read_flight()
    client.key_exchange()
    client.finish()
    return client.complete()
