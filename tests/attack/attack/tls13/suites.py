"""The cipher suites of TLS 1.3 (RFC 8446 appendix B.4)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305


@dataclass(frozen=True)
class Suite:
    """A cipher suite: an AEAD and a hash."""

    id: int
    name: str
    hash: str
    key_length: int
    cipher: Callable[[bytes], Any]
    tag_length: int = 16

    @property
    def hash_length(self) -> int:
        """Bytes of a hash, and of every secret."""
        return hashlib.new(self.hash).digest_size

    def digest(self, data: bytes) -> bytes:
        """The hash of bytes."""
        return hashlib.new(self.hash, data).digest()

    def __str__(self) -> str:
        return self.name


AES128_GCM = Suite(0x1301, "AES_128_GCM_SHA256", "sha256", 16, AESGCM)
AES256_GCM = Suite(0x1302, "AES_256_GCM_SHA384", "sha384", 32, AESGCM)
CHACHA20 = Suite(0x1303, "CHACHA20_POLY1305_SHA256", "sha256", 32, ChaCha20Poly1305)
AES128_CCM = Suite(0x1304, "AES_128_CCM_SHA256", "sha256", 16, AESCCM)
AES128_CCM8 = Suite(
    0x1305, "AES_128_CCM_8_SHA256", "sha256", 16, partial(AESCCM, tag_length=8), tag_length=8
)

SUITES = (AES128_GCM, AES256_GCM, CHACHA20, AES128_CCM, AES128_CCM8)
REQUIRED = (AES128_GCM, AES256_GCM)
"""What a server must speak for the conversations to mean anything."""

USUAL = (AES128_GCM.id, AES256_GCM.id, CHACHA20.id)
"""What is offered by a client that is told nothing else."""


def suite_of(number: int) -> Suite | None:
    """The suite with a number, if it is known here."""
    return next((suite for suite in SUITES if suite.id == number), None)
