"""Records that are too long, empty, of a wrong version, or many (RFC 5246 section 6.2)."""

from collections.abc import Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.protection import HONEST, Tamper
from attack.reply import Reply, closes, completes, either, ends_with, fatal, waits
from attack.suites import AES128_GCM, AES128_SHA, Profile
from attack.wire import (
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
