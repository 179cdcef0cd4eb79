"""ClientKeyExchange messages that are misshapen, and ciphertexts that are no RSA ciphertexts.

A message whose lengths contradict each other is a decode_error (RFC 5246 section 7.2.2). Everything
that has the right shape, also a ciphertext that is not below the modulus or that has another length
than it, is answered as a wrong premaster secret is: with bad_record_mac after Finished (section
7.4.7.1).
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.reply import Expectation, Reply, completes, either, fatal, waits
from attack.suites import AES128_SHA, Profile
from attack.wire import Alert, ContentType, HandshakeType, Version, message, vector


def cases(scope: Scope) -> Iterator[Case]:
    """Ciphertexts, lengths, and the version in the premaster secret."""
    for profile in scope.versions(AES128_SHA):
        yield from _ciphertexts(profile)
        yield from _shapes(profile)
        yield from _versions(profile, scope)


def _ciphertexts(profile: Profile) -> Iterator[Case]:
    for name, ciphertext in _CIPHERTEXTS.items():
        yield Case(
            f"{profile}: ciphertext {name}",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_ciphertext, profile, ciphertext, True),
            group=f"{profile} ciphertext",
        )
        yield Case(
            f"{profile}: ciphertext {name}, and silence",
            waits(),
            partial(_ciphertext, profile, ciphertext, False),
            group=f"{profile} ciphertext, and silence",
        )


def _ciphertext(
    profile: Profile, make: Callable[[Client, int], bytes], goes_on: bool, lab: Lab
) -> Reply:
    client = lab.client(profile)
    client.hello()
    key = client.public_key
    premaster = client.premaster()
    good = key.encrypt(client.pad(premaster))
    if make is _congruent:
        # Most blocks have a ciphertext that the modulus can be added to; a few have not.
        while int.from_bytes(good, "big") + key.modulus >= 1 << 8 * key.length:
            good = key.encrypt(client.pad(premaster))
    client.send_key_exchange(make(client, int.from_bytes(good, "big")))
    client.derive(premaster)
    if not goes_on:
        return client.reply_after_silence()
    client.finish()
    return client.complete()


def _congruent(client: Client, good: int) -> bytes:
    """A number that decrypts to a good block, if it is taken modulo the modulus."""
    return _bytes(client, good + client.public_key.modulus)


def _with_length(client: Client, good: int) -> bytes:
    return vector(_bytes(client, good), 2)


def _bytes(client: Client, number: int, longer: int = 0) -> bytes:
    return number.to_bytes(client.public_key.length + longer, "big")


_CIPHERTEXTS: dict[str, Callable[[Client, int], bytes]] = {
    "0": lambda client, _: _bytes(client, 0),
    "1": lambda client, _: _bytes(client, 1),
    "2": lambda client, _: _bytes(client, 2),
    "modulus - 1": lambda client, _: _bytes(client, client.public_key.modulus - 1),
    "equal to the modulus": lambda client, _: _bytes(client, client.public_key.modulus),
    "modulus + 1": lambda client, _: _bytes(client, client.public_key.modulus + 1),
    "of bits that are all set": lambda client, _: b"\xff" * client.public_key.length,
    "good, plus the modulus": _congruent,
    "the modulus minus a good one": lambda client, good: _bytes(
        client, client.public_key.modulus - good
    ),
    "good, one bit turned": lambda client, good: _bytes(client, good ^ 1),
    "of 1 byte": lambda _client, _good: b"\1",
    "of 48 bytes": lambda client, _: client.rng.randbytes(48),
    # As long as a Diffie-Hellman public value of 1024 bits.
    "of 128 bytes": lambda client, good: _bytes(client, good)[:128],
    "cut by its last byte": lambda client, good: _bytes(client, good)[:-1],
    "cut by its first byte": lambda client, good: _bytes(client, good)[1:],
    "with a zero in front": lambda client, good: _bytes(client, good, 1),
    "with a zero behind": lambda client, good: _bytes(client, good) + b"\0",
    "twice": lambda client, good: _bytes(client, good) * 2,
    "of 4096 bytes": lambda client, good: _bytes(client, good) + bytes(3840),
}


def _shapes(profile: Profile) -> Iterator[Case]:
    tls = profile.version != Version.SSL3
    for name, body in _SHAPES.items() if tls else ():
        yield Case(
            f"{profile}: {name}",
            _unreadable(profile),
            partial(_shape, profile, body),
            group=f"{profile} shape",
        )
    if not tls:
        yield Case(
            f"{profile}: empty message",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_ciphertext, profile, lambda _client, _good: b"", True),
        )
        yield Case(
            # Some clients put the length of TLS before it.
            f"{profile}: with a length",
            either(completes(), fatal(Alert.BAD_RECORD_MAC)),
            partial(_ciphertext, profile, _with_length, True),
        )
    for name, header in _HEADERS.items():
        yield Case(
            f"{profile}: {name}",
            either(fatal(Alert.UNEXPECTED_MESSAGE, Alert.ILLEGAL_PARAMETER), _unreadable(profile)),
            partial(_header, profile, header),
        )


def _unreadable(profile: Profile) -> Expectation:
    """Section 7.2.2: decode_error is for a message of incorrect length. SSL 3.0 lacks it."""
    if profile.version == Version.SSL3:
        return fatal(Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE, Alert.DECODE_ERROR)
    return fatal(Alert.DECODE_ERROR)


def _shape(profile: Profile, shape: Callable[[bytes], bytes], lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    encrypted = client.public_key.encrypt(client.pad(client.premaster()))
    client.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, shape(encrypted))
    return client.reply()


def _header(profile: Profile, header: Callable[[bytes], bytes], lab: Lab) -> Reply:
    """A message whose own length is wrong, followed by ChangeCipherSpec."""
    client = lab.client(profile)
    client.hello()
    encrypted = client.public_key.encrypt(client.pad(client.premaster()))
    encoded = message(HandshakeType.CLIENT_KEY_EXCHANGE, client.key_exchange_body(encrypted))
    client.hold()
    client.send(ContentType.HANDSHAKE, header(encoded))
    client.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")
    client.release()
    return client.reply()


_SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "empty message": lambda _: b"",
    "half of a length": lambda _: b"\1",
    "a length and nothing else": lambda encrypted: vector(encrypted, 2)[:2],
    "a length that is one too high": lambda encrypted: _prefixed(encrypted, 1),
    "a length that is one too low": lambda encrypted: _prefixed(encrypted, -1),
    "the highest length": lambda encrypted: b"\xff\xff" + encrypted,
    "a length of 0 before a ciphertext": lambda encrypted: b"\0\0" + encrypted,
    "last byte missing": lambda encrypted: vector(encrypted, 2)[:-1],
    "a byte too many": lambda encrypted: vector(encrypted, 2) + b"\0",
    "half of the ciphertext missing": lambda encrypted: vector(encrypted, 2)[: len(encrypted) // 2],
    "a length of three bytes": lambda encrypted: vector(encrypted, 3),
    "a length of one byte": lambda encrypted: b"\0" + encrypted,
    "a point of an elliptic curve": lambda encrypted: vector(b"\4" + encrypted[:64], 1),
    "an identity before the ciphertext": lambda encrypted: vector(b"me", 2) + vector(encrypted, 2),
    "the ciphertext twice, the length once": lambda encrypted: vector(encrypted, 2) + encrypted,
}

_HEADERS: dict[str, Callable[[bytes], bytes]] = {
    "message one byte shorter than its header says": lambda encoded: encoded[:-1],
    "header of a message and nothing else": lambda encoded: encoded[:4],
    "three bytes of a message's header": lambda encoded: encoded[:3],
    "message with the first byte of another": lambda encoded: encoded + b"\x14",
    "message of 16 MiB": lambda encoded: encoded[:1] + b"\xff\xff\xff" + encoded[4:],
}


def _prefixed(encrypted: bytes, more: int) -> bytes:
    return (len(encrypted) + more).to_bytes(2, "big") + encrypted


def _versions(profile: Profile, scope: Scope) -> Iterator[Case]:
    """The version of the ClientHello must stand in the premaster secret, and no other."""
    offered = profile.version
    for version in scope.some(_wrong_versions(offered)):
        yield Case(
            f"{profile}: premaster secret of version {version:#06x}",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_version, profile, 0, version),
            group=f"{profile} rollback",
        )
    if offered != scope.highest:
        return
    for higher in (0x0304, 0x0305, 0x03FF):
        # The server speaks its own version to a client that offers more.
        yield Case(
            f"{profile}: {higher:#06x} offered, and in the premaster secret",
            completes(),
            partial(_version, profile, higher, higher),
        )
        for version in (offered, offered - 1, higher + 1, higher ^ 0x0100):
            yield Case(
                f"{profile}: {higher:#06x} offered, {version:#06x} in the premaster secret",
                fatal(Alert.BAD_RECORD_MAC),
                partial(_version, profile, higher, version),
                group=f"{profile} rollback",
            )


def _wrong_versions(offered: int) -> list[int]:
    bits = [offered ^ 1 << bit for bit in range(16)]
    known = [0x0002, 0x0200, *range(0x0300, 0x0306), 0xFEFF, 0xFEFD, 0x0000, 0xFFFF]
    return sorted({*bits, *known} - {int(offered)})


def _version(profile: Profile, offered: int, version: int, lab: Lab) -> Reply:
    client = lab.client(profile, client_version=offered)
    client.hello()
    premaster = version.to_bytes(2, "big") + lab.rng.randbytes(46)
    client.send_key_exchange(client.public_key.encrypt(client.pad(premaster)))
    client.derive(premaster)
    client.finish()
    return client.complete()
