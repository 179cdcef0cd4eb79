"""The numbers and encodings of TLS that the conversations are made of.

Sections are of RFC 5246 where no other document is named.
"""

from collections.abc import Iterable
from enum import IntEnum


class ContentType(IntEnum):
    """Record types (section 6.2.1; heartbeat: RFC 6520)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    HEARTBEAT = 24


class HandshakeType(IntEnum):
    """Handshake messages (section 7.4; RFC 8446 section 4)."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEW_SESSION_TICKET = 4
    END_OF_EARLY_DATA = 5
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20
    KEY_UPDATE = 24
    MESSAGE_HASH = 254


class Alert(IntEnum):
    """Alert descriptions (section 7.2; RFC 8446 section 6; 86: RFC 7507; 120: RFC 7301)."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    DECRYPTION_FAILED = 21
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    NO_CERTIFICATE = 41
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    UNKNOWN_PSK_IDENTITY = 115
    CERTIFICATE_REQUIRED = 116
    NO_APPLICATION_PROTOCOL = 120


class Extension(IntEnum):
    """Extensions (RFC 6066, 8422, 7301, 7366, 7627, 5077, 5746; RFC 8446 section 4.2)."""

    SERVER_NAME = 0
    MAX_FRAGMENT_LENGTH = 1
    STATUS_REQUEST = 5
    SUPPORTED_GROUPS = 10
    EC_POINT_FORMATS = 11
    SIGNATURE_ALGORITHMS = 13
    APPLICATION_PROTOCOLS = 16
    SIGNED_CERTIFICATE_TIMESTAMP = 18
    PADDING = 21
    ENCRYPT_THEN_MAC = 22
    EXTENDED_MASTER_SECRET = 23
    RECORD_SIZE_LIMIT = 28
    SESSION_TICKET = 35
    PRE_SHARED_KEY = 41
    EARLY_DATA = 42
    SUPPORTED_VERSIONS = 43
    COOKIE = 44
    PSK_KEY_EXCHANGE_MODES = 45
    CERTIFICATE_AUTHORITIES = 47
    OID_FILTERS = 48
    POST_HANDSHAKE_AUTH = 49
    SIGNATURE_ALGORITHMS_CERT = 50
    KEY_SHARE = 51
    RENEGOTIATION_INFO = 0xFF01


class Version(IntEnum):
    """Protocol versions as they stand on the wire."""

    SSL3 = 0x0300
    TLS1_0 = 0x0301
    TLS1_1 = 0x0302
    TLS1_2 = 0x0303

    @property
    def label(self) -> str:
        return "SSL 3.0" if self is Version.SSL3 else f"TLS 1.{(self & 0xFF) - 1}"

    @property
    def pair(self) -> tuple[int, int]:
        return self >> 8, self & 0xFF


WARNING = 1
FATAL = 2

TLS1_3 = 0x0304
"""TLS 1.3, which is no `Version`: its hellos and records say that they are of TLS 1.2."""

FALLBACK_SCSV = 0x5600
RENEGOTIATION_SCSV = 0x00FF

HEADER = 5
"""Bytes of a record's header."""
MAX_FRAGMENT = 1 << 14
"""Bytes of plaintext in a record, at most (section 6.2.1)."""
MAX_EXPANSION = 2048
"""What compression and encryption may add to it (section 6.2.3)."""


def vector(body: bytes, length_bytes: int) -> bytes:
    """A vector with its length in front (section 4.3)."""
    return len(body).to_bytes(length_bytes, "big") + body


def message(kind: int, body: bytes) -> bytes:
    """A handshake message (section 7.4)."""
    return bytes([kind]) + vector(body, 3)


def record(content_type: int, version: int, fragment: bytes) -> bytes:
    """A record (section 6.2.1)."""
    return bytes([content_type]) + version.to_bytes(2, "big") + vector(fragment, 2)


def extension(kind: int, body: bytes = b"") -> bytes:
    """A hello extension (section 7.4.1.4)."""
    return kind.to_bytes(2, "big") + vector(body, 2)


def numbers(values: Iterable[int]) -> bytes:
    """A vector of numbers of two bytes each."""
    return vector(b"".join(value.to_bytes(2, "big") for value in values), 2)


def flip(data: bytes, at: int, mask: int = 1) -> bytes:
    """`data` with bits of one byte turned over."""
    changed = bytearray(data)
    changed[at] ^= mask
    return bytes(changed)


def name_of(numbers: type[IntEnum], value: int) -> str:
    """A number's name in lower case, or the number."""
    try:
        return numbers(value).name.lower()
    except ValueError:
        return str(value)
