"""The groups of ephemeral keys: curves, X25519, and the finite fields of RFC 7919.

A client has one key in a group for all of its conversations: it has nothing to hide.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import ecdsa
from ecdsa.ellipticcurve import PointJacobi
from ecdsa.numbertheory import square_root_mod_prime
from tlslite import mathtls
from tlslite.utils.x25519 import X25519_G, x25519

_SECRET = 0x5EC2E7 << 200 | 0xA77AC4
"""The private key of everybody here, in every group."""


class BadShare(Exception):
    """A public key of the peer is not one of the group."""


@dataclass(frozen=True)
class Curve:
    """A curve in the form of Weierstrass, with uncompressed points (RFC 8422 section 5.4.1)."""

    number: int
    name: str
    curve: ecdsa.curves.Curve

    @property
    def prime(self) -> int:
        return int(self.curve.curve.p())

    @property
    def length(self) -> int:
        """Bytes of a coordinate."""
        return (self.prime.bit_length() + 7) // 8

    def encode(self, x: int, y: int) -> bytes:
        """An uncompressed point."""
        return b"\4" + x.to_bytes(self.length, "big") + y.to_bytes(self.length, "big")

    @cached_property
    def share(self) -> bytes:
        """The public key."""
        point = self.curve.generator * _SECRET
        return self.encode(int(point.x()), int(point.y()))

    def agree(self, peer: bytes) -> bytes:
        """The secret of our key and that of the peer."""
        length = self.length
        if len(peer) != 1 + 2 * length or peer[0] != 4:
            raise BadShare
        x, y = (int.from_bytes(half, "big") for half in (peer[1 : 1 + length], peer[1 + length :]))
        if not self.curve.curve.contains_point(x, y):
            raise BadShare
        return self._secret(PointJacobi(self.curve.curve, x, y, 1) * _SECRET)

    def _secret(self, point: PointJacobi) -> bytes:
        return int(point.x()).to_bytes(self.length, "big")

    def with_leading_zero(self, peer: bytes) -> tuple[bytes, bytes]:
        """A public key, and a secret that begins with a zero."""
        length, curve = self.length, self.curve.curve
        x, y = (int.from_bytes(half, "big") for half in (peer[1 : 1 + length], peer[1 + length :]))
        base = PointJacobi(curve, x, y, 1)
        own, secret = self.curve.generator * _SECRET, base * _SECRET
        while (found := self._secret(secret))[0]:
            own, secret = own + self.curve.generator, secret + base
        return self.encode(int(own.x()), int(own.y())), found

    def above_prime(self) -> Iterator[tuple[str, bytes]]:
        """Points of the curve with a coordinate that has p added to it, as far as there is room."""
        room = (1 << 8 * self.length) - self.prime
        a, b = int(self.curve.curve.a()), int(self.curve.curve.b())
        for x in range(min(room, 100)):
            square = (x**3 + a * x + b) % self.prime
            if square and pow(square, (self.prime - 1) // 2, self.prime) == 1:
                y = int(square_root_mod_prime(square, self.prime))
                yield "x plus p", self.encode(x + self.prime, y)
                if y < room:
                    yield "y plus p", self.encode(x, y + self.prime)
                return


@dataclass(frozen=True)
class Montgomery:
    """X25519 (RFC 7748)."""

    number: int
    name: str

    @cached_property
    def share(self) -> bytes:
        return bytes(x25519(_scalar(), bytearray(X25519_G)))

    def agree(self, peer: bytes) -> bytes:
        if len(peer) != 32:
            raise BadShare
        return bytes(x25519(_scalar(), bytearray(peer)))

    def on_twist(self, peer: bytes) -> tuple[bytes, bytes]:
        """A public key on the twist. Nobody knows its secret but who has the server's key."""
        del peer
        return (2).to_bytes(32, "little"), bytes(32)


@dataclass(frozen=True)
class Field:
    """A finite field."""

    number: int
    name: str
    generator: int
    prime: int

    @property
    def length(self) -> int:
        """Bytes of the prime."""
        return (self.prime.bit_length() + 7) // 8

    @cached_property
    def share(self) -> bytes:
        return pow(self.generator, _SECRET, self.prime).to_bytes(self.length, "big")

    def agree(self, peer: bytes) -> bytes:
        """Without leading zeros (RFC 5246 section 8.1.2)."""
        return self._secret(pow(int.from_bytes(peer, "big"), _SECRET, self.prime))

    def _secret(self, number: int) -> bytes:
        return number.to_bytes(self.length, "big").lstrip(b"\0")

    def with_leading_zero(self, peer: bytes) -> tuple[bytes, bytes]:
        """A public key, and a secret whose leading zero is stripped."""
        base = int.from_bytes(peer, "big")
        own = int.from_bytes(self.share, "big")
        secret = pow(base, _SECRET, self.prime)
        while len(self._secret(secret)) == self.length:
            own, secret = own * self.generator % self.prime, secret * base % self.prime
        return own.to_bytes(self.length, "big"), self._secret(secret)


Group = Curve | Montgomery | Field


def _scalar() -> bytearray:
    return bytearray(_SECRET.to_bytes(32, "little"))


P256 = Curve(23, "secp256r1", ecdsa.NIST256p)
P384 = Curve(24, "secp384r1", ecdsa.NIST384p)
P521 = Curve(25, "secp521r1", ecdsa.NIST521p)
X25519 = Montgomery(29, "x25519")
FFDHE2048 = Field(256, "ffdhe2048", *map(int, mathtls.FFDHE2048))

CURVES: Sequence[Curve | Montgomery] = (
    X25519,
    P256,
    P384,
    P521,
    Curve(22, "secp256k1", ecdsa.SECP256k1),
    Curve(26, "brainpoolP256r1", ecdsa.BRAINPOOLP256r1),
    Curve(27, "brainpoolP384r1", ecdsa.BRAINPOOLP384r1),
    Curve(28, "brainpoolP512r1", ecdsa.BRAINPOOLP512r1),
)
FIELDS: Sequence[Field] = (
    FFDHE2048,
    Field(257, "ffdhe3072", *map(int, mathtls.FFDHE3072)),
    Field(258, "ffdhe4096", *map(int, mathtls.FFDHE4096)),
)
"""Without those of 6144 and 8192 bits, with which a debug build takes seconds for a key."""

GROUPS: dict[int, Group] = {group.number: group for group in (*CURVES, *FIELDS)}

USUAL = (29, 23, 24, 25, 256)
"""Numbers of the groups that a client offers that is told nothing else."""


def same_field(prime: int, generator: int) -> Field:
    """The field with these numbers, which may have no name."""
    known = next((field for field in FIELDS if field.prime == prime), None)
    return known if known and known.generator == generator else Field(0, "", generator, prime)
