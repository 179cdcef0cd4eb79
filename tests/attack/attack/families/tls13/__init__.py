"""The classes of conversations about TLS 1.3.

Sections are of RFC 8446 where no other document is named.
"""

from attack.reply import fatal
from attack.tls13.client import Client
from attack.wire import Alert

UNEXPECTED = fatal(Alert.UNEXPECTED_MESSAGE)
ILLEGAL = fatal(Alert.ILLEGAL_PARAMETER)
UNREADABLE = fatal(Alert.DECODE_ERROR)
MISMATCH = fatal(Alert.DECRYPT_ERROR)
BAD_RECORD = fatal(Alert.BAD_RECORD_MAC)
TOO_LONG = fatal(Alert.RECORD_OVERFLOW)
MISSING = fatal(Alert.MISSING_EXTENSION)
FAILURE = fatal(Alert.HANDSHAKE_FAILURE)


def long_request(length: int) -> bytes:
    """A request of so many bytes."""
    start, end = b"GET / HTTP/1.0\r\nX: ", b"\r\n\r\n"
    return start + b"x" * (length - len(start) - len(end)) + end


def to_flight(client: Client) -> None:
    """Reads the server's flight, and goes on with the keys of the handshake."""
    client.to_flight()
    client.protect()
