"""One side of a connection of TLS 1.3."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from attack.peer import Link
from attack.protection import CannotOpen
from attack.reply import Event
from attack.tls13 import schedule
from attack.tls13.protection import HONEST, Protection, Tamper
from attack.tls13.schedule import Schedule
from attack.tls13.suites import AES128_GCM, Suite
from attack.wire import ContentType, HandshakeType, numbers, record, vector

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a HelloRetryRequest (section 4.1.3)."""
DOWNGRADE_TO_1_2 = b"DOWNGRD\1"
DOWNGRADE_BELOW = b"DOWNGRD\0"

PSK_KE = 0
PSK_DHE_KE = 1

Extensions = list[tuple[int, bytes]]


def encoded(extensions: Iterable[tuple[int, bytes]]) -> bytes:
    """Extensions with their length in front (section 4.2)."""
    return vector(
        b"".join(kind.to_bytes(2, "big") + vector(body, 2) for kind, body in extensions), 2
    )


def decoded(block: bytes) -> Extensions:
    """Extensions from a block with its length in front, as far as they are whole."""
    found, at = [], 2
    while at + 4 <= len(block):
        end = at + 4 + int.from_bytes(block[at + 2 : at + 4], "big")
        found.append((int.from_bytes(block[at : at + 2], "big"), block[at + 4 : end]))
        at = end
    return found


@dataclass
class Hello:
    """A ClientHello in its parts, each of which can be changed (section 4.1.2)."""

    random: bytes
    session_id: bytes
    suites: list[int]
    extensions: Extensions
    version: int = 0x0303
    compression: bytes = b"\0"

    def body(self) -> bytes:
        body = self.version.to_bytes(2, "big") + self.random + vector(self.session_id, 1)
        body += numbers(self.suites) + vector(self.compression, 1)
        return body + encoded(self.extensions)

    @classmethod
    def parse(cls, body: bytes) -> "Hello":
        at = 35 + body[34]
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        suites = [int.from_bytes(body[i : i + 2], "big") for i in range(at + 2, end, 2)]
        last = end + 1 + body[end]
        return cls(
            body[2:34],
            body[35:at],
            suites,
            decoded(body[last:]),
            int.from_bytes(body[:2], "big"),
            body[end + 1 : last],
        )

    def copy(self) -> "Hello":
        return Hello(
            self.random,
            self.session_id,
            list(self.suites),
            list(self.extensions),
            self.version,
            self.compression,
        )

    def get(self, kind: int) -> bytes | None:
        """The content of the first extension of a kind."""
        return next((body for each, body in self.extensions if each == kind), None)

    def put(self, kind: int, body: bytes) -> None:
        """Changes an extension, or adds it before all others."""
        if self.get(kind) is None:
            self.extensions.insert(0, (kind, body))
        else:
            found = [(each, body if each == kind else old) for each, old in self.extensions]
            self.extensions = found

    def drop(self, kind: int) -> None:
        """Leaves an extension out."""
        self.extensions = [(each, body) for each, body in self.extensions if each != kind]


@dataclass
class ServerHello:
    """A ServerHello in its parts (section 4.1.3)."""

    version: int
    random: bytes
    session_id: bytes
    suite: int
    compression: int
    extensions: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: bytes) -> "ServerHello":
        at = 35 + body[34]
        return cls(
            int.from_bytes(body[:2], "big"),
            body[2:34],
            body[35:at],
            int.from_bytes(body[at : at + 2], "big"),
            body[at + 2],
            dict(decoded(body[at + 3 :])),
        )


class Peer(Link):
    """One side of one connection. What the messages mean is for the side to say."""

    tolerates_clear = False
    """Whether records may come in the clear though there are keys."""

    def __init__(self, connected: socket.socket, rng: Random) -> None:
        super().__init__(connected, rng)
        self.suite: Suite = AES128_GCM
        self.schedule: Schedule | None = None
        self.write: Protection | None = None
        self.reads: list[Protection] = []
        """What the other side may protect its next record with."""
        self.client_secret = b""
        """Of the handshake."""
        self.server_secret = b""
        self.client_traffic = b""
        """Of the application data."""
        self.server_traffic = b""
        self._raw = b""

    # Keys.

    def protection(self, secret: bytes) -> Protection:
        return Protection(self.suite, secret)

    def agree(self, psk: bytes, secret: bytes) -> None:
        """Makes the secrets of the handshake, of the messages up to ServerHello."""
        self.schedule = Schedule(self.suite, psk)
        self.schedule.agree(secret)
        secrets = self.schedule.handshake_traffic(self.transcript)
        self.client_secret, self.server_secret = secrets

    def agree_on_traffic(self) -> None:
        """Makes the secrets of application data, of the messages up to the server's Finished."""
        secrets = self.schedule.traffic(self.transcript)
        self.client_traffic, self.server_traffic = secrets

    def verify_data(self, secret: bytes) -> bytes:
        """Of the messages so far (section 4.4.4)."""
        return schedule.finished(self.suite, secret, self.transcript)

    def after_retry(self, retry: bytes) -> None:
        """Puts a hash in the place of the first ClientHello (section 4.4.1)."""
        first = self.transcript[: len(self.transcript) - len(retry)]
        self.transcript = schedule.message_hash(self.suite, first) + retry

    # Sending.

    @property
    def record_version(self) -> int:
        """The version in the header of our records in the clear."""
        return 0x0303

    def sealed(self, content_type: int, payload: bytes, tamper: Tamper = HONEST) -> bytes:
        if self.write is None:
            return record(content_type, self.record_version, payload)
        return self.write.seal(content_type, payload, tamper)

    def send_clear(self, content_type: int, payload: bytes) -> None:
        """Sends one record without protection."""
        self.send_raw(record(content_type, self.record_version, payload))

    def change_cipher_spec(self, content: bytes = b"\1") -> None:
        """Sends what only looks like TLS 1.2 (appendix D.4)."""
        self.send_clear(ContentType.CHANGE_CIPHER_SPEC, content)

    def key_update(self, request: int = 0) -> None:
        """Sends KeyUpdate, and goes on with the next keys (section 4.6.3)."""
        self.send_handshake(HandshakeType.KEY_UPDATE, bytes([request]))
        self.write = self.write.updated()

    # Reading.

    def _take(self, content_type: int, version: int, fragment: bytes) -> None:
        clear = ""

        def note(kind: str, detail: str = "") -> None:
            self.seen.events.append(Event(kind, detail + clear, version, len(fragment)))

        payload = fragment
        if self.reads and content_type == ContentType.APPLICATION_DATA:
            header = bytes([content_type]) + version.to_bytes(2, "big")
            try:
                inner = self._open(header + len(fragment).to_bytes(2, "big"), fragment)
                content_type, payload = self.reads[0].without_padding(inner)
            except CannotOpen as reason:
                note("record that does not open", str(reason))
                return
            self.opened()
        elif self.reads and content_type != ContentType.CHANGE_CIPHER_SPEC:
            clear = "" if self.tolerates_clear else " in the clear"
        self._take_content(content_type, payload, note)

    def opened(self) -> None:
        """A protected record has come."""

    def _open(self, header: bytes, fragment: bytes) -> bytes:
        """Opens a record with the first keys that fit; those before them are done with."""
        trouble = None
        for at, protection in enumerate(self.reads):
            try:
                inner = protection.inner(header, fragment)
            except CannotOpen as reason:
                trouble = trouble or reason
                continue
            self.reads = self.reads[at:]
            return inner
        raise trouble

    def take_message(self, kind: int, body: bytes) -> str:
        self._raw = bytes([kind]) + vector(body, 3)
        return self.take(kind, body)

    def take(self, kind: int, body: bytes) -> str:
        """Takes a message, and says what it is."""
        raise NotImplementedError

    def read_with(self, *secrets: bytes) -> None:
        """Reads with the keys of these secrets; no message may be half there (section 5.1)."""
        self.require(not self._messages, "a message spans a change of keys")
        self.reads = [self.protection(secret) for secret in secrets]
