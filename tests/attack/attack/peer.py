"""One side of a connection: it sends what it is told to, in any order, and reads whatever comes."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from attack import schedule
from attack.protection import HONEST, CannotOpen, Protection, Tamper
from attack.reply import CLOSED, QUIET, RESET, SILENT, Event, Reply, alert_detail
from attack.suites import Profile
from attack.wire import HEADER, MAX_FRAGMENT, Alert, ContentType, message, name_of, record

PATIENCE = 20.0
"""Seconds that the other side may take for an answer."""
QUIET_TIME = 0.4
"""Seconds that it must stay quiet when nothing is due."""


class Broken(Exception):
    """The other side sent what nobody may."""


@dataclass
class Seen:
    """What the other side has done so far."""

    events: list[Event] = field(default_factory=list)
    end: str | None = None


class Link:
    """The records of one connection, of any version of the protocol."""

    def __init__(self, connected: socket.socket, rng: Random) -> None:
        self.rng = rng
        self.seen = Seen()
        self.transcript = b""
        self._messages = b""
        self._received = b""
        self._held: bytes | None = None
        self._socket = connected
        self._socket.settimeout(PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def require(self, holds: bool, otherwise: str) -> None:
        """Raises `Broken`, with what is the case otherwise, unless something holds."""
        if not holds:
            raise Broken(otherwise)

    def _take(self, content_type: int, version: int, fragment: bytes) -> None:
        """Takes a record."""
        raise NotImplementedError

    def take_message(self, kind: int, body: bytes) -> str:
        """Takes a message, and says what it is."""
        raise NotImplementedError

    def took_message(self, kind: int) -> None:
        """A message is in the transcript now."""

    def took_data(self, data: bytes) -> None:
        """Application data has come."""

    # Sending.

    def send(self, content_type: int, payload: bytes, *tamper: Any) -> None:
        """Sends one record under the protection of the moment."""
        self.send_raw(self.sealed(content_type, payload, *tamper))

    def sealed(self, content_type: int, payload: bytes, *tamper: Any) -> bytes:
        """One record under the protection of the moment."""
        raise NotImplementedError

    def send_handshake(self, kind: int, body: bytes, *tamper: Any) -> None:
        """Sends one handshake message in a record of its own, or as many as it takes."""
        encoded = self.noted(kind, body)
        for at in range(0, len(encoded), MAX_FRAGMENT):
            self.send(ContentType.HANDSHAKE, encoded[at : at + MAX_FRAGMENT], *tamper)

    def noted(self, kind: int, body: bytes) -> bytes:
        """A handshake message, after it was added to what Finished covers."""
        encoded = message(kind, body)
        self.transcript += encoded
        return encoded

    def alert(self, level: int, description: int) -> None:
        """Sends an alert."""
        self.send(ContentType.ALERT, bytes([level, description]))

    def hold(self) -> None:
        """Keeps what is sent, until `release`."""
        self._held = b""

    def release(self) -> None:
        """Sends all that was kept in one piece."""
        held, self._held = self._held, None
        self.send_raw(held or b"")

    def send_raw(self, data: bytes) -> None:
        """Sends bytes as they are."""
        if self._held is not None:
            self._held += data
            return
        # When the other side has hung up, what it said before is still there to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def end_sending(self) -> None:
        """Says that nothing more will come."""
        # The other side may have hung up.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    # Reading.

    def mark(self) -> None:
        """Forgets what the other side did so far: what follows is its reply."""
        self.seen.events.clear()

    def reply(self) -> Reply:
        """Reads to the end of the connection, and gives everything since the last mark."""
        self.read_until(lambda: False)
        return Reply(tuple(self.seen.events), self.seen.end or SILENT)

    def reply_after_silence(self) -> Reply:
        """Waits for a while, hangs up, and reads to the end."""
        self.wait(QUIET_TIME)
        if self.seen.end is None:
            self.seen.events.append(QUIET)
        self.end_sending()
        return self.reply()

    def wait(self, seconds: float) -> None:
        """Reads for so long, or to the end."""
        until = time.monotonic() + seconds
        while self.seen.end is None and self._read_record(until):
            pass

    def read_until(self, reached: Callable[[], bool]) -> bool:
        """Reads records until something is reached, or to the end; says whether it was."""
        until = time.monotonic() + PATIENCE
        while not reached() and self.seen.end is None:
            if not self._read_record(until):
                self.seen.end = SILENT
        return reached()

    def _read_record(self, until: float) -> bool:
        """Reads one record, or the end of the connection; False when neither comes in time."""
        while self.seen.end is None:
            length = HEADER + int.from_bytes(self._received[3:5], "big")
            if len(self._received) >= HEADER and len(self._received) >= length:
                encoded, self._received = self._received[:length], self._received[length:]
                self._take(encoded[0], int.from_bytes(encoded[1:3], "big"), encoded[HEADER:])
                return True
            if not self._receive(until):
                return False
        return True

    def _receive(self, until: float) -> bool:
        self._socket.settimeout(max(until - time.monotonic(), 0.001))
        try:
            received = self._socket.recv(1 << 16)
        except TimeoutError:
            return False
        except ConnectionResetError:
            self.seen.end = RESET
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        if not received:
            if self._received:
                self.seen.events.append(Event("cut-off record"))
            self.seen.end = CLOSED
        self._received += received
        return True

    def _take_content(
        self, content_type: int, payload: bytes, note: Callable[[str, str], None]
    ) -> None:
        """Takes what was in a record, and notes it."""
        match content_type:
            case ContentType.CHANGE_CIPHER_SPEC:
                note("change_cipher_spec", payload.hex())
            case ContentType.ALERT if len(payload) == 2:
                note("alert", alert_detail(payload[0], payload[1]))
                if payload[1] == Alert.CLOSE_NOTIFY:
                    # Who gets it closes too (RFC 5246 section 7.2.1); some servers wait for that.
                    self.end_sending()
            case ContentType.HANDSHAKE:
                for detail in self._take_messages(payload):
                    note("handshake", detail)
            case ContentType.APPLICATION_DATA:
                note("data", payload.decode("latin-1"))
                self.took_data(payload)
            case _:
                note(f"record of type {content_type}", payload.hex())

    def _take_messages(self, payload: bytes) -> list[str]:
        self._messages += payload
        details = []
        while len(self._messages) >= 4:
            end = 4 + int.from_bytes(self._messages[1:4], "big")
            if len(self._messages) < end:
                break
            encoded, self._messages = self._messages[:end], self._messages[end:]
            details.append(self.take_message(encoded[0], encoded[4:]))
            self.transcript += encoded
            self.took_message(encoded[0])
        return details


class Peer(Link):
    """One side of one connection. What the messages mean is for the side to say."""

    side = ""
    """`client` or `server`."""

    def __init__(self, connected: socket.socket, profile: Profile, rng: Random) -> None:
        super().__init__(connected, rng)
        self.profile = profile
        self.client_random = b""
        self.server_random = b""
        self.master = b""
        self.write: Protection | None = None
        self._pending_write: Protection | None = None
        self._read: Protection | None = None
        self._pending_read: Protection | None = None

    # Keys.

    def use(self, master: bytes) -> None:
        """Makes the keys of a master secret; ChangeCipherSpec puts them to use."""
        self.master = master
        keys = schedule.key_block(self.profile, master, self.client_random, self.server_random)
        client = keys.client_mac, keys.client_key, keys.client_iv
        server = keys.server_mac, keys.server_key, keys.server_iv
        own, other = (client, server) if self.side == "client" else (server, client)
        self._pending_write = self._protection(*own)
        self._pending_read = self._protection(*other)

    def server_keys(self) -> Protection:
        """What the server writes with, from its first record on."""
        keys = schedule.key_block(self.profile, self.master, self.client_random, self.server_random)
        return self._protection(keys.server_mac, keys.server_key, keys.server_iv)

    def change_cipher_spec(self) -> None:
        """Sends ChangeCipherSpec and protects what follows."""
        self.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")
        self.protect()

    def protect(self) -> None:
        """Protects what follows with the latest keys."""
        self.write = self._pending_write

    def verify_data(self) -> bytes:
        """Our own, of all messages so far."""
        return schedule.verify_data(self.profile, self.master, self.side, self.transcript)

    @property
    def record_version(self) -> int:
        """The version in the header of our records."""
        return self.profile.version

    def _protection(self, mac_key: bytes, key: bytes, iv: bytes) -> Protection:
        return Protection(self.profile, mac_key, key, iv, self.rng)

    # Sending.

    def sealed(self, content_type: int, payload: bytes, tamper: Tamper = HONEST) -> bytes:
        """One record under the protection of the moment."""
        fragment = payload
        if self.write is not None:
            fragment = self.write.seal(content_type, payload, tamper)
        return record(content_type, self.record_version, fragment)

    # Reading.

    def _take(self, content_type: int, version: int, fragment: bytes) -> None:
        def note(kind: str, detail: str = "") -> None:
            self.seen.events.append(Event(kind, detail, version, len(fragment)))

        payload = fragment
        if self._read is not None:
            try:
                payload = self._read.open(content_type, fragment)
            except CannotOpen as reason:
                note(f"{name_of(ContentType, content_type)} that does not open", str(reason))
                return
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            self._read = self._pending_read or self._read
        self._take_content(content_type, payload, note)
