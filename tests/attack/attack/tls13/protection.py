"""Protection of records (RFC 8446 section 5.2), and the ways to get it wrong."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from attack.protection import CannotOpen
from attack.tls13 import schedule
from attack.tls13.suites import Suite
from attack.wire import ContentType, record

Change = Callable[[bytes], bytes]


def _same(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Tamper:
    """Changes to one record."""

    padding: int = 0
    """Zeros behind the inner type (section 5.4)."""
    inner: Change = _same
    """The inner plaintext: content, type and padding."""
    fragment: Change = _same
    """The ciphertext with its tag, as it goes on the wire."""
    outer_type: int = ContentType.APPLICATION_DATA
    version: int = 0x0303
    covered: Change = _same
    """The header that the tag covers."""


HONEST = Tamper()


class Protection:
    """One direction of a connection, with one traffic secret."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self.suite = suite
        self.secret = secret
        key = schedule.expand_label(suite, secret, "key", b"", suite.key_length)
        self._iv = schedule.expand_label(suite, secret, "iv", b"", 12)
        self._cipher = suite.cipher(key)
        self.sequence = 0

    def updated(self) -> "Protection":
        """With the next secret (section 7.2)."""
        return Protection(self.suite, schedule.updated(self.suite, self.secret))

    def seal(self, content_type: int, payload: bytes, tamper: Tamper = HONEST) -> bytes:
        """The next record."""
        inner = tamper.inner(payload + bytes([content_type]) + bytes(tamper.padding))
        length = len(inner) + self.suite.tag_length
        header = bytes([tamper.outer_type]) + tamper.version.to_bytes(2, "big")
        covered = tamper.covered(header + length.to_bytes(2, "big"))
        fragment = self._cipher.encrypt(self._nonce(), inner, covered)
        return record(tamper.outer_type, tamper.version, tamper.fragment(fragment))

    def open(self, header: bytes, fragment: bytes) -> tuple[int, bytes]:
        """The type and the content of the next record.

        Raises `CannotOpen` for one that is not what the keys make.
        """
        return self.without_padding(self.inner(header, fragment))

    def inner(self, header: bytes, fragment: bytes) -> bytes:
        """The inner plaintext of the next record.

        Raises `CannotOpen` for one that is not what the keys make.
        """
        if len(fragment) < self.suite.tag_length:
            raise CannotOpen("the record is too short")
        try:
            inner = self._cipher.decrypt(self._nonce(), fragment, header)
        except (InvalidTag, ValueError) as reason:
            self.sequence -= 1
            raise CannotOpen("the tag is wrong") from reason
        return inner

    def without_padding(self, inner: bytes) -> tuple[int, bytes]:
        """The type and the content of an inner plaintext."""
        content = inner.rstrip(b"\0")
        if not content:
            raise CannotOpen("there is no inner type")
        return content[-1], content[:-1]

    def _nonce(self) -> bytes:
        """Section 5.3."""
        sequence, self.sequence = self.sequence, self.sequence + 1
        number = int.from_bytes(self._iv, "big") ^ sequence
        return number.to_bytes(12, "big")
