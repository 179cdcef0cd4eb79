"""Key shares (RFC 8446 section 4.2.8.2): X25519 and the curves of NIST."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class BadShare(Exception):
    """A key share of the peer is not one of the group."""


@dataclass(frozen=True)
class KeyPair:
    """Our key of one key exchange."""

    group: int
    share: bytes
    agree: Callable[[bytes], bytes]
    """What it makes of the peer's share. Raises `BadShare`."""


X25519 = 29
P256 = 23
P384 = 24
P521 = 25
CURVES = {P256: ec.SECP256R1(), P384: ec.SECP384R1(), P521: ec.SECP521R1()}
GROUPS = (X25519, *CURVES)
NAMES = {X25519: "x25519", P256: "secp256r1", P384: "secp384r1", P521: "secp521r1"}

HYBRIDS = {0x11EC: (1184, 32), 0x11EB: (65, 1184), 0x11ED: (97, 1568)}
"""Bytes of the two parts of a client's share in the hybrid groups, in their order there."""


def lengths(group: int) -> int:
    """Bytes of a share."""
    if group == X25519:
        return 32
    return 1 + 2 * ((CURVES[group].key_size + 7) // 8)


def generate(group: int, rng: Random) -> KeyPair:
    """A new key, made of random numbers that can be had again."""
    if group == X25519:
        key = x25519.X25519PrivateKey.from_private_bytes(rng.randbytes(32))
        share = key.public_key().public_bytes_raw()
        return KeyPair(group, share, lambda peer: _exchange_montgomery(key, peer))
    curve = CURVES[group]
    secret = rng.getrandbits(curve.key_size - 8) + 1
    private = ec.derive_private_key(secret, curve)
    share = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return KeyPair(group, share, lambda peer: _exchange_on_curve(private, curve, peer))


def _exchange_montgomery(key: x25519.X25519PrivateKey, peer: bytes) -> bytes:
    try:
        return key.exchange(x25519.X25519PublicKey.from_public_bytes(peer))
    except ValueError as reason:
        raise BadShare("not a share of x25519") from reason


def _exchange_on_curve(
    key: ec.EllipticCurvePrivateKey, curve: ec.EllipticCurve, peer: bytes
) -> bytes:
    try:
        if peer[:1] != b"\4":
            raise ValueError("not uncompressed")
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, peer)
        return key.exchange(ec.ECDH(), public)
    except ValueError as reason:
        raise BadShare(f"not a point of {curve.name}") from reason
