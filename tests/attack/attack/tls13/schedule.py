"""The key schedule of TLS 1.3 (RFC 8446 section 7.1)."""

import hmac
from dataclasses import dataclass

from attack.tls13.suites import Suite
from attack.wire import HandshakeType, message, vector


def extract(suite: Suite, salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 section 2.2)."""
    return hmac.digest(salt or bytes(suite.hash_length), secret, suite.hash)


def expand_label(suite: Suite, secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label."""
    info = length.to_bytes(2, "big") + vector(b"tls13 " + label.encode(), 1) + vector(context, 1)
    found, block, count = b"", b"", 1
    while len(found) < length:
        block = hmac.digest(secret, block + info + bytes([count]), suite.hash)
        found, count = found + block, count + 1
    return found[:length]


def derive(suite: Suite, secret: bytes, label: str, transcript: bytes) -> bytes:
    """Derive-Secret."""
    return expand_label(suite, secret, label, suite.digest(transcript), suite.hash_length)


def finished(suite: Suite, secret: bytes, transcript: bytes) -> bytes:
    """The verify_data of a Finished message (section 4.4.4), and a binder (section 4.2.11.2)."""
    key = expand_label(suite, secret, "finished", b"", suite.hash_length)
    return hmac.digest(key, suite.digest(transcript), suite.hash)


def updated(suite: Suite, secret: bytes) -> bytes:
    """The next traffic secret (section 7.2)."""
    return expand_label(suite, secret, "traffic upd", b"", suite.hash_length)


def ticket_key(suite: Suite, resumption: bytes, nonce: bytes) -> bytes:
    """The pre-shared key of a ticket (section 4.6.1)."""
    return expand_label(suite, resumption, "resumption", nonce, suite.hash_length)


def message_hash(suite: Suite, hello: bytes) -> bytes:
    """What stands for the first ClientHello after a HelloRetryRequest (section 4.4.1)."""
    return message(HandshakeType.MESSAGE_HASH, suite.digest(hello))


@dataclass(frozen=True)
class Psk:
    """A pre-shared key, from outside or of a ticket."""

    identity: bytes
    key: bytes
    suite: Suite
    external: bool = False
    age_add: int = 0
    born: float = 0.0
    """When the ticket came, on the clock `time.monotonic`."""
    lifetime: int = 0
    """Seconds."""
    most_early_data: int = 0
    """Bytes of early data that the server takes with it."""
    nonce: bytes = b""

    def binder(self, transcript: bytes) -> bytes:
        """The binder over the hellos so far, the last one cut before its binders."""
        label = "ext binder" if self.external else "res binder"
        early = extract(self.suite, b"", self.key)
        return finished(self.suite, derive(self.suite, early, label, b""), transcript)


class Schedule:
    """The secrets of a connection, as its transcript grows."""

    def __init__(self, suite: Suite, psk: bytes = b"") -> None:
        self.suite = suite
        self._early = extract(suite, b"", psk or bytes(suite.hash_length))
        self._handshake = b""
        self._master = b""

    def early_traffic(self, transcript: bytes) -> bytes:
        return derive(self.suite, self._early, "c e traffic", transcript)

    def agree(self, secret: bytes) -> None:
        """Goes on with what the key shares agree on; with no shares, that is nothing."""
        salt = derive(self.suite, self._early, "derived", b"")
        self._handshake = extract(self.suite, salt, secret or bytes(self.suite.hash_length))
        salt = derive(self.suite, self._handshake, "derived", b"")
        self._master = extract(self.suite, salt, bytes(self.suite.hash_length))

    def handshake_traffic(self, transcript: bytes) -> tuple[bytes, bytes]:
        """Of client and server, with the messages up to ServerHello."""
        return (
            derive(self.suite, self._handshake, "c hs traffic", transcript),
            derive(self.suite, self._handshake, "s hs traffic", transcript),
        )

    def traffic(self, transcript: bytes) -> tuple[bytes, bytes]:
        """Of client and server, with the messages up to the server's Finished."""
        return (
            derive(self.suite, self._master, "c ap traffic", transcript),
            derive(self.suite, self._master, "s ap traffic", transcript),
        )

    def resumption(self, transcript: bytes) -> bytes:
        """With the messages up to the client's Finished."""
        return derive(self.suite, self._master, "res master", transcript)
