"""Records that are too long, empty, of a wrong version, or many (RFC 5246 section 6.2)."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from attack.case import Case, Lab, Scope
from attack.client import REQUEST, Client
from attack.protection import HONEST, Tamper
from attack.reply import (
    Reply,
    closes,
    completes,
    completes_and_says_so,
    either,
    ends_with,
    fatal,
    says_goodbye,
    splits_off_first_byte,
    waits,
)
from attack.suites import AES128_GCM, AES128_SHA, Profile
from attack.wire import (
    FATAL,
    MAX_EXPANSION,
    MAX_FRAGMENT,
    WARNING,
    Alert,
    ContentType,
    HandshakeType,
    Version,
    flip,
    message,
    record,
)

_EMPTY = either(
    # They must not be sent. A server may say so, or overlook it.
    fatal(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
    waits(),
)


def cases(scope: Scope) -> Iterator[Case]:
    """Lengths, empty records, versions, and floods."""
    for profile in (*scope.versions(AES128_SHA), *scope.versions(AES128_GCM)):
        yield from _lengths(profile)
        yield from _empty(profile)
        yield from _record_versions(profile)
        yield from _floods(profile)
    yield from _limits(scope)
    for profile in scope.profiles():
        yield from _turns(profile)
        yield from _pieces(profile)
        yield from _labels(profile)
        yield from _endings(profile)
    for profile in scope.profiles(of=_chains_ivs):
        yield Case(
            f"{profile}: a page by the 1/n-1 split (BEAST)",
            splits_off_first_byte(),
            partial(_send, profile, [(ContentType.APPLICATION_DATA, REQUEST)]),
        )
    for profile in scope.profiles(of=lambda profile: profile.suite.mac is None):
        for name, explicit in _NONCES.items():
            yield Case(
                # RFC 5288 section 3: how the explicit part is chosen is the sender's business.
                f"{profile}: explicit nonces {name}",
                completes(),
                partial(_nonces, profile, explicit),
            )


def _chains_ivs(profile: Profile) -> bool:
    """Whether the IV of a CBC record is the last block of the one before it."""
    return profile.version <= Version.TLS1_0 and bool(profile.suite.block)


def _lengths(profile: Profile) -> Iterator[Case]:
    for length in (MAX_FRAGMENT + 1, MAX_FRAGMENT + MAX_EXPANSION + 1, 0xFFFF):
        yield Case(
            f"{profile}: {length} bytes as the first record",
            ends_with(Alert.RECORD_OVERFLOW, Alert.UNEXPECTED_MESSAGE),
            partial(_long_first, profile, length),
        )
        yield Case(
            f"{profile}: {length} bytes instead of the ClientKeyExchange",
            ends_with(*_overflow(profile)),
            partial(_long_clear, profile, length),
        )
    for length in (MAX_FRAGMENT + MAX_EXPANSION + 1, 0xFFFF):
        yield Case(
            f"{profile}: {length} bytes as the request",
            fatal(*_overflow(profile)),
            partial(_protected_header, profile, length),
        )
    for length in (MAX_FRAGMENT + 1, MAX_FRAGMENT + 256):
        yield Case(
            f"{profile}: a request of {length} bytes, well protected",
            fatal(*_overflow(profile)),
            partial(_long_request, profile, length, HONEST),
        )
        yield Case(
            # What is in a record that does not open is nobody's business.
            f"{profile}: a request of {length} bytes, its last byte changed",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_long_request, profile, length, Tamper(fragment=partial(flip, at=-1))),
        )
    yield Case(
        f"{profile}: {MAX_FRAGMENT + MAX_EXPANSION} random bytes as the request",
        fatal(Alert.BAD_RECORD_MAC),
        partial(_random_request, profile, MAX_FRAGMENT + MAX_EXPANSION),
    )
    for length in (MAX_FRAGMENT + 1, MAX_FRAGMENT + 256):
        yield Case(
            f"{profile}: {length} bytes instead of Finished, well protected",
            fatal(*_overflow(profile)),
            partial(_long_finished, profile, length),
        )
    yield Case(
        f"{profile}: a request of {MAX_FRAGMENT} bytes",
        either(completes(), closes()),
        partial(_long_request, profile, MAX_FRAGMENT, HONEST),
    )
    yield Case(f"{profile}: a record that is cut off", waits(), partial(_cut_off, profile))


def _overflow(profile: Profile) -> tuple[Alert, ...]:
    """Section 7.2.2; SSL 3.0 lacks record_overflow."""
    if profile.version == Version.SSL3:
        return (
            Alert.RECORD_OVERFLOW,
            Alert.BAD_RECORD_MAC,
            Alert.ILLEGAL_PARAMETER,
            Alert.HANDSHAKE_FAILURE,
        )
    return (Alert.RECORD_OVERFLOW,)


def _long_first(profile: Profile, length: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.send_raw(record(ContentType.HANDSHAKE, client.record_version, _long_message(length)))
    return client.reply()


def _long_clear(profile: Profile, length: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_raw(record(ContentType.HANDSHAKE, profile.version, _long_message(length)))
    return client.reply()


def _long_message(length: int) -> bytes:
    return message(HandshakeType.CLIENT_KEY_EXCHANGE, bytes(length - 4))


def _protected_header(profile: Profile, length: int, lab: Lab) -> Reply:
    """Only the header is sent: what it says is enough."""
    client = lab.client(profile)
    client.handshake()
    client.send_raw(_header(ContentType.APPLICATION_DATA, profile.version, length))
    return client.reply()


def _long_request(profile: Profile, length: int, tamper: Tamper, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    field = b"X: " + b"x" * (length - len(REQUEST) - 5) + b"\r\n"
    client.send(ContentType.APPLICATION_DATA, REQUEST[:-2] + field + b"\r\n", tamper)
    return client.reply()


def _random_request(profile: Profile, length: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    tamper = Tamper(fragment=lambda _: lab.rng.randbytes(length))
    client.send(ContentType.APPLICATION_DATA, REQUEST, tamper)
    return client.reply()


def _long_finished(profile: Profile, length: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    finished = message(HandshakeType.FINISHED, client.verify_data())
    client.send(ContentType.HANDSHAKE, finished + bytes(length - len(finished)))
    return client.reply()


def _cut_off(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_raw(_header(ContentType.HANDSHAKE, profile.version, 262) + bytes(100))
    return client.reply_after_silence()


def _header(content_type: int, version: int, length: int) -> bytes:
    return record(content_type, version, b"")[:3] + length.to_bytes(2, "big")


def _empty(profile: Profile) -> Iterator[Case]:
    """Section 6.2.1: only application data may be empty."""
    for content_type in (ContentType.HANDSHAKE, ContentType.ALERT, ContentType.CHANGE_CIPHER_SPEC):
        name = content_type.name.lower()
        yield Case(
            f"{profile}: empty {name} record first",
            _EMPTY,
            partial(_empty_first, profile, content_type),
        )
        yield Case(
            f"{profile}: empty {name} record after ServerHelloDone",
            _EMPTY,
            partial(_empty_clear, profile, content_type),
        )
        yield Case(
            f"{profile}: empty {name} record after the handshake",
            _EMPTY,
            partial(_empty_protected, profile, content_type),
        )
    yield Case(
        f"{profile}: record without a fragment after the handshake",
        fatal(Alert.BAD_RECORD_MAC),
        partial(_no_fragment, profile),
    )
    yield Case(
        f"{profile}: empty application data before a request",
        completes(),
        partial(_empty_data, profile, 1),
    )


def _empty_first(profile: Profile, content_type: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.send(content_type, b"")
    return client.reply_after_silence()


def _empty_clear(profile: Profile, content_type: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send(content_type, b"")
    return client.reply_after_silence()


def _empty_protected(profile: Profile, content_type: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    client.send(content_type, b"")
    return client.reply_after_silence()


def _no_fragment(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    client.send(ContentType.APPLICATION_DATA, b"", Tamper(fragment=lambda _: b""))
    return client.reply()


def _empty_data(profile: Profile, count: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    for _ in range(count):
        client.send(ContentType.APPLICATION_DATA, b"")
    return client.page()


def _record_versions(profile: Profile) -> Iterator[Case]:
    for version in (0x0000, 0x0200, 0x0400, 0xFEFF, 0xFFFF):
        yield Case(
            f"{profile}: first record of version {version:#06x}",
            either(
                # A server may see no TLS in it at all.
                fatal(Alert.PROTOCOL_VERSION, Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
                closes(),
            ),
            partial(_first_version, profile, version),
        )
        yield Case(
            f"{profile}: ClientKeyExchange in a record of version {version:#06x}",
            fatal(
                Alert.PROTOCOL_VERSION,
                Alert.DECODE_ERROR,
                Alert.ILLEGAL_PARAMETER,
                # SSL 3.0 has none of the above but illegal_parameter.
                Alert.HANDSHAKE_FAILURE,
            ),
            partial(_later_version, profile, version),
        )
    for version in (Version.SSL3, Version.TLS1_0, Version.TLS1_1, Version.TLS1_2):
        # Appendix E.1: servers must accept any {3, x} there.
        yield Case(
            f"{profile}: ClientHello in a record of version {version:#06x}",
            completes(),
            partial(_hello_version, profile, version),
        )


def _first_version(profile: Profile, version: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    hello = message(HandshakeType.CLIENT_HELLO, client.hello_body())
    client.send_raw(record(ContentType.HANDSHAKE, version, hello))
    return client.reply()


def _later_version(profile: Profile, version: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    body = client.key_exchange_body(client.public_key.encrypt(client.pad(client.premaster())))
    encoded = message(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    client.send_raw(record(ContentType.HANDSHAKE, version, encoded))
    return client.reply()


def _hello_version(profile: Profile, version: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    hello = client.noted(HandshakeType.CLIENT_HELLO, client.hello_body())
    client.send_raw(record(ContentType.HANDSHAKE, version, hello))
    client.read_flight()
    client.key_exchange()
    client.finish()
    return client.complete()


def _floods(profile: Profile) -> Iterator[Case]:
    """What costs the sender nothing must not go on for ever; a server may end it or outlast it."""
    ends = either(ends_with(Alert.UNEXPECTED_MESSAGE), closes(), completes())
    yield Case(
        f"{profile}: a thousand empty records of data", ends, partial(_empty_data, profile, 1000)
    )
    yield Case(f"{profile}: a thousand warnings", ends, partial(_warnings, profile))


def _warnings(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    for _ in range(1000):
        client.alert(WARNING, Alert.USER_CANCELED)
    return client.page()


def _limits(scope: Scope) -> Iterator[Case]:
    """What one client does not do must not keep others waiting, nor cost the server for ever."""
    profile = Profile(scope.highest, AES128_SHA)
    yield Case(
        "among a hundred connections that say nothing",
        completes_and_says_so(),
        partial(_in_a_crowd, profile),
    )
    for name, begin in (
        {
            "nothing": lambda _: None,
            "half a ClientHello": lambda client: client.send_raw(_half_a_hello(client)),
            "a ClientHello": lambda client: client.hello(),
        }.items()
        if not scope.smoke
        else ()
    ):
        yield Case(f"{name}, and no more", closes(), partial(_left_alone, profile, begin))


def _in_a_crowd(profile: Profile, lab: Lab) -> Reply:
    for _ in range(100):
        lab.client(profile)
    client = lab.client(profile)
    client.handshake()
    return client.page()


def _half_a_hello(client: Client) -> bytes:
    return client.sealed(
        ContentType.HANDSHAKE, message(HandshakeType.CLIENT_HELLO, client.hello_body())
    )[:30]


def _left_alone(profile: Profile, begin: Callable[[Client], None], lab: Lab) -> Reply:
    client = lab.client(profile)
    begin(client)
    return client.reply()


def _turns(profile: Profile) -> Iterator[Case]:
    """Records that come again, out of their turn, or not at all (appendix F.2)."""
    for run in (_again, _swapped, _lost, _finished_again, _of_the_server):
        yield Case(
            f"{profile}: {run.__doc__}",
            ends_with(Alert.BAD_RECORD_MAC),
            partial(run, profile),
        )


def _again(profile: Profile, lab: Lab) -> Reply:
    """a record twice"""
    client = lab.client(profile)
    client.handshake()
    client.send_raw(client.sealed(ContentType.APPLICATION_DATA, REQUEST[:3]) * 2)
    return client.reply()


def _swapped(profile: Profile, lab: Lab) -> Reply:
    """two records the wrong way round"""
    client = lab.client(profile)
    client.handshake()
    first = client.sealed(ContentType.APPLICATION_DATA, REQUEST[:3])
    client.send_raw(client.sealed(ContentType.APPLICATION_DATA, REQUEST[3:]) + first)
    return client.reply()


def _lost(profile: Profile, lab: Lab) -> Reply:
    """a record that is lost"""
    client = lab.client(profile)
    client.handshake()
    client.sealed(ContentType.APPLICATION_DATA, REQUEST[:3])
    client.send(ContentType.APPLICATION_DATA, REQUEST[3:])
    return client.reply()


def _finished_again(profile: Profile, lab: Lab) -> Reply:
    """the record of Finished again"""
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    finished = client.noted(HandshakeType.FINISHED, client.verify_data())
    sealed = client.sealed(ContentType.HANDSHAKE, finished)
    client.send_raw(sealed)
    if client.read_until(lambda: client.server.finished):
        client.mark()
        client.send_raw(sealed)
    return client.reply()


def _of_the_server(profile: Profile, lab: Lab) -> Reply:
    """a record with the server's own keys"""
    client = lab.client(profile)
    client.handshake()
    client.write = client.server_keys()
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    return client.reply()


def _pieces(profile: Profile) -> Iterator[Case]:
    """A request in many records, with empty ones in between (section 6.2.1)."""
    for name, pieces in {
        "a byte, then the rest": [REQUEST[:1], REQUEST[1:]],
        "nothing, then the rest": [b"", REQUEST],
        "bytes": [bytes([byte]) for byte in REQUEST],
        "bytes and nothing by turns": [p for byte in REQUEST for p in (bytes([byte]), b"")],
    }.items():
        records = [(ContentType.APPLICATION_DATA, piece) for piece in pieces]
        yield Case(
            f"{profile}: a request in records of {name}",
            completes_and_says_so(),
            partial(_send, profile, records),
        )
    yield Case(
        f"{profile}: a request right behind Finished",
        completes_and_says_so(),
        partial(_right_behind, profile),
    )


def _right_behind(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.hold()
    client.finish()
    client.send(ContentType.APPLICATION_DATA, REQUEST)
    client.release()
    return client.reply()


def _labels(profile: Profile) -> Iterator[Case]:
    """The type and the version of a protected record are protected too."""
    for content_type in (ContentType.CHANGE_CIPHER_SPEC, ContentType.ALERT, ContentType.HANDSHAKE):
        yield Case(
            f"{profile}: data in a record that says {content_type.name.lower()}",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_labelled, profile, 0, content_type),
            group=f"{profile} label",
        )
    for at, byte in ((1, 2), (1, 4), (2, profile.version & 0xFF ^ 1), (2, 0xFF)):
        yield Case(
            f"{profile}: data in a record with {byte:#04x} as byte {at} of its version",
            fatal(Alert.PROTOCOL_VERSION, Alert.BAD_RECORD_MAC, Alert.HANDSHAKE_FAILURE),
            partial(_labelled, profile, at, byte),
            group=f"{profile} version",
        )


def _labelled(profile: Profile, at: int, byte: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    sealed = client.sealed(ContentType.APPLICATION_DATA, REQUEST)
    client.send_raw(sealed[:at] + bytes([byte]) + sealed[at + 1 :])
    return client.reply()


def _endings(profile: Profile) -> Iterator[Case]:
    """How a connection ends when both sides behave, or one does not (section 7.2.1)."""
    close = bytes([WARNING, Alert.CLOSE_NOTIFY])
    for name, records in {
        "close_notify": [(ContentType.ALERT, close)],
        "close_notify in two records": [
            (ContentType.ALERT, close[:1]),
            (ContentType.ALERT, close[1:]),
        ],
        "user_canceled and close_notify": [
            (ContentType.ALERT, bytes([WARNING, Alert.USER_CANCELED])),
            (ContentType.ALERT, close),
        ],
        "user_canceled and close_notify in one record": [
            (ContentType.ALERT, bytes([WARNING, Alert.USER_CANCELED]) + close)
        ],
        "half a request and close_notify": [
            (ContentType.APPLICATION_DATA, REQUEST[:5]),
            (ContentType.ALERT, close),
        ],
        "close_notify and a request": [
            (ContentType.ALERT, close),
            (ContentType.APPLICATION_DATA, REQUEST),
        ],
        "close_notify and a fatal alert": [
            (ContentType.ALERT, close),
            (ContentType.ALERT, bytes([FATAL, Alert.INTERNAL_ERROR])),
        ],
    }.items():
        yield Case(f"{profile}: {name}", says_goodbye(), partial(_send, profile, records))
    for name, alert in {
        "a fatal alert of an unknown number": bytes([FATAL, 0xEE]),
        "a fatal close_notify": bytes([FATAL, Alert.CLOSE_NOTIFY]),
        "a fatal no_renegotiation": bytes([FATAL, Alert.NO_RENEGOTIATION]),
    }.items():
        yield Case(
            f"{profile}: {name}", closes(), partial(_send, profile, [(ContentType.ALERT, alert)])
        )
    yield Case(
        f"{profile}: a request after warnings of every number",
        completes(),
        partial(
            _send,
            profile,
            [*_warnings_of_every_number(), (ContentType.APPLICATION_DATA, REQUEST)],
        ),
    )
    yield Case(
        # A stream that just ends was cut off, perhaps by somebody else.
        f"{profile}: nothing but the end of the stream",
        either(closes(), says_goodbye()),
        partial(_cut, profile),
    )


def _warnings_of_every_number() -> Iterator[tuple[int, bytes]]:
    for number in (1, 41, 43, 90, 100, 110, 112, 115, 200, 255):
        yield ContentType.ALERT, bytes([WARNING, number])


def _send(profile: Profile, records: list[tuple[int, bytes]], lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    client.hold()
    for content_type, payload in records:
        client.send(content_type, payload)
    client.release()
    return client.reply()


def _cut(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.handshake()
    client.end_sending()
    return client.reply()


_NONCES: dict[str, Callable[[Random], bytes]] = {
    "of zeros": lambda _: bytes(8),
    "of 255s": lambda _: b"\xff" * 8,
    "at random": lambda rng: rng.randbytes(8),
}


def _nonces(profile: Profile, explicit: Callable[[Random], bytes], lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    client.write.explicit_nonce = partial(explicit, lab.rng)
    client.finished()
    return client.complete()
