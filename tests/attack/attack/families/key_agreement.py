"""Public keys of the client that are not keys of the server's group.

Whether one is on the curve is for everybody to see, so the server says so: illegal_parameter (RFC
8422 section 5.11); decode_error for a message that does not have the form (RFC 5246 section 7.2.2).
Neither may depend on the server's key.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.groups import CURVES, Curve, Field, Group, Montgomery
from attack.reply import Reply, completes, fatal
from attack.suites import (
    DHE_RSA_AES128_SHA,
    ECDHE_ECDSA_AES128_SHA,
    ECDHE_RSA_AES128_SHA,
    Profile,
)
from attack.wire import Alert, HandshakeType, Version, flip, vector

_NOT_OF_GROUP = fatal(Alert.ILLEGAL_PARAMETER)
_UNREADABLE = fatal(Alert.DECODE_ERROR)


def cases(scope: Scope) -> Iterator[Case]:
    """Every group that the server has, in every version."""
    for suite in (ECDHE_RSA_AES128_SHA, ECDHE_ECDSA_AES128_SHA, DHE_RSA_AES128_SHA):
        for profile in scope.versions(suite):
            for group in scope.groups:
                # SSL 3.0 has no list of groups.
                if profile.version == Version.SSL3:
                    continue
                if isinstance(group, Field) != (suite.exchange == "DHE"):
                    continue
                # The curve of the certificate is listed too, so that only curves before it are
                # chosen (RFC 8422 section 5.3).
                if suite.signer == "ECDSA" and group.number not in (23, 29):
                    continue
                yield from _shares(profile, group, scope)
                yield from _shapes(profile, group)
                yield from _secrets(profile, group)


def _shares(profile: Profile, group: Group, scope: Scope) -> Iterator[Case]:
    wrong = WRONG_SHARES[type(group)](group, scope)
    for name, share in wrong:
        yield Case(
            f"{profile}: {group.name}: {name}",
            _NOT_OF_GROUP,
            partial(_wrong, profile, group, share),
            group=f"{profile} {group.name} share",
        )


def _shapes(profile: Profile, group: Group) -> Iterator[Case]:
    length = 2 if isinstance(group, Field) else 1
    right = vector(group.share, length)
    for name, body in {
        "empty message": b"",
        "empty share": bytes(length),
        "last byte missing": right[:-1],
        "a byte behind it": right + b"\0",
        "twice": right * 2,
        "a length and nothing else": right[:length],
        "the highest length": b"\xff" * length + right[length:],
        "without its length": b"\xff" + group.share,
        "a length of three bytes": vector(group.share, 3),
        "a ciphertext of RSA behind it": right + vector(bytes(256), 2),
    }.items():
        yield Case(
            f"{profile}: {group.name}, the message: {name}",
            _UNREADABLE,
            partial(_shape, profile, group, body),
            group=f"{profile} {group.name} shape",
        )


def _secrets(profile: Profile, group: Group) -> Iterator[Case]:
    def case(name: str, agree: Callable, expected=None) -> Case:
        expected = expected or completes()
        return Case(
            f"{profile}: {group.name}: {name}", expected, partial(_agreed, profile, group, agree)
        )

    yield case("a good share", _good)
    yield case("the secret of another key", _other_secret, fatal(Alert.BAD_RECORD_MAC))
    yield case("a secret of zeros", _no_secret, fatal(Alert.BAD_RECORD_MAC))
    match group:
        case Curve():
            # RFC 8422 section 5.10: leading zeros are kept.
            yield case("a secret that begins with a zero", _leading_zero)
        case Montgomery():
            # RFC 7748 section 5: the highest bit is masked, and numbers are taken modulo p.
            yield case("the highest bit set", _highest_bit)
            # It is taken as any other, and nobody can know the secret.
            yield case("a point of the twist", _twist, fatal(Alert.BAD_RECORD_MAC))
        case Field():
            # RFC 5246 section 8.1.2: leading zeros are stripped.
            yield case("a secret that begins with a zero", _leading_zero)
            yield case("zeros before the number", _zeros_before)
            yield case("the generator", _generator)


def _open(profile: Profile, group: Group, lab: Lab) -> Client:
    listed = [group.number]
    if profile.suite.signer == "ECDSA" and group.number != 23:
        listed.append(23)
    client = lab.client(profile, groups=listed)
    client.hello()
    client.require(client.server_key.group == group, "the server chose another group")
    return client


def _wrong(profile: Profile, group: Group, share: bytes, lab: Lab) -> Reply:
    client = _open(profile, group, lab)
    client.send_share(share)
    return client.reply()


def _shape(profile: Profile, group: Group, body: bytes, lab: Lab) -> Reply:
    client = _open(profile, group, lab)
    client.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    return client.reply()


def _agreed(profile: Profile, group: Group, agree: Callable, lab: Lab) -> Reply:
    client = _open(profile, group, lab)
    share, secret = agree(group, client.server_key.share)
    client.send_share(share)
    client.derive(secret)
    client.finish()
    return client.complete()


def _good(group: Group, peer: bytes) -> tuple[bytes, bytes]:
    return group.share, group.agree(peer)


def _other_secret(group: Group, peer: bytes) -> tuple[bytes, bytes]:
    return group.share, flip(group.agree(peer), -1)


def _no_secret(group: Group, peer: bytes) -> tuple[bytes, bytes]:
    return group.share, bytes(len(group.agree(peer)))


def _leading_zero(group: Curve | Field, peer: bytes) -> tuple[bytes, bytes]:
    return group.with_leading_zero(peer)


def _highest_bit(group: Montgomery, peer: bytes) -> tuple[bytes, bytes]:
    return flip(group.share, 31, 0x80), group.agree(peer)


def _twist(group: Montgomery, peer: bytes) -> tuple[bytes, bytes]:
    return group.on_twist(peer)


def _zeros_before(group: Field, peer: bytes) -> tuple[bytes, bytes]:
    return bytes(3) + group.share, group.agree(peer)


def _generator(group: Field, peer: bytes) -> tuple[bytes, bytes]:
    """The private key is 1, and the secret the public key of the server."""
    return group.generator.to_bytes(1, "big"), peer.lstrip(b"\0")


def _on_curve(curve: Curve, _scope: Scope) -> Iterator[tuple[str, bytes]]:
    length, prime, share = curve.length, curve.prime, curve.share
    x, y = share[1 : 1 + length], share[1 + length :]
    for at in _scope.some(range(1, 1 + 2 * length), 4):
        yield f"byte {at} changed", flip(share, at)
    for first in (0, 1, 2, 3, 5, 6, 7, 0xFF):
        yield f"the form {first:02x} of a point", bytes([first]) + x + y
    yield "infinity", b"\0"
    yield "infinity, as long as a point", bytes(1 + 2 * length)
    yield "zeros", b"\4" + bytes(2 * length)
    yield "255s", b"\4" + b"\xff" * 2 * length
    yield "(1, 1)", curve.encode(1, 1)
    yield "a point of order 2 of another curve", curve.encode(1, 0)
    yield "(0, 1)", curve.encode(0, 1)
    yield "compressed, y even", b"\2" + x
    yield "compressed, y odd", b"\3" + x
    yield "compressed, as long as a point", b"\2" + x + bytes(length)
    yield "without its form", x + y
    yield "x only", b"\4" + x
    yield "x and y swapped", b"\4" + y + x
    yield "last byte missing", share[:-1]
    yield "a zero behind it", share + b"\0"
    yield "a zero before x", b"\4\0" + x + y
    yield "x = p", curve.encode(prime, int.from_bytes(y, "big"))
    yield "y = p", curve.encode(int.from_bytes(x, "big"), prime)
    yield "x = p - 1, y = p - 1", curve.encode(prime - 1, prime - 1)
    for name, point in curve.above_prime():
        yield f"a good point, {name}", point
    for other in CURVES:
        if other.number != curve.number:
            yield f"a point of {other.name}", other.share


def _on_x25519(group: Montgomery, _scope: Scope) -> Iterator[tuple[str, bytes]]:
    for name, point in _SMALL_ORDER.items():
        number = int.from_bytes(bytes.fromhex(point), "little")
        yield name, number.to_bytes(32, "little")
        yield f"{name}, the highest bit set", (number | 1 << 255).to_bytes(32, "little")
    share = group.share
    yield "last byte missing", share[:-1]
    yield "a byte behind it", share + b"\0"
    yield "one byte", share[:1]
    yield "the form of a point before it", b"\4" + share
    yield "twice", share * 2
    yield "64 bytes in the form of a point", b"\4" + share * 2
    yield "zeros, as long as a point", b"\4" + bytes(64)
    for other in CURVES:
        if other.number != group.number:
            yield f"a point of {other.name}", other.share


def _in_field(field: Field, _scope: Scope) -> Iterator[tuple[str, bytes]]:
    prime, length = field.prime, field.length
    for name, number in {
        "0": 0,
        "1": 1,
        "p - 1": prime - 1,
        "p": prime,
        "p + 1": prime + 1,
        "2p - 1": 2 * prime - 1,
        "the square of p": prime * prime,
        "p times 256": prime << 8,
        "a good number plus p": int.from_bytes(field.share, "big") + prime,
    }.items():
        yield name, number.to_bytes(max((number.bit_length() + 7) // 8, 1), "big")
    yield "255s", b"\xff" * length
    yield "zeros", bytes(length)
    yield "1 as long as p", bytes(length - 1) + b"\1"
    yield "1 longer than p", bytes(length) + b"\1"
    yield "zeros longer than p", bytes(length + 1)
    yield "a zero behind a good number", field.share + b"\0"
    yield "a good number twice", field.share * 2
    yield "as much as there is room for", b"\xff" * 0xFFFF


WRONG_SHARES = {Curve: _on_curve, Montgomery: _on_x25519, Field: _in_field}

_SMALL_ORDER = {
    "0": "00" * 32,
    "1": "01" + "00" * 31,
    "a point of order 8": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "another point of order 8": "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "p - 1": "ec" + "ff" * 30 + "7f",
    "p": "ed" + "ff" * 30 + "7f",
    "p + 1": "ee" + "ff" * 30 + "7f",
}
"""Points of X25519 with which every secret is zero (RFC 7748 section 6.1)."""
