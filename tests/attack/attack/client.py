"""A client that sends what it is told to, in any order, and reads whatever comes.

Its keys follow from what it meant to send, so an honest client is one that is told nothing odd.
"""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from tlslite.x509 import X509

from attack import schedule
from attack.protection import HONEST, CannotOpen, Protection, Tamper
from attack.reply import CLOSED, QUIET, RESET, SILENT, Event, Reply, alert_detail
from attack.suites import SUITES, Profile
from attack.wire import (
    HEADER,
    MAX_FRAGMENT,
    RENEGOTIATION_SCSV,
    WARNING,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    extension,
    message,
    name_of,
    record,
    vector,
)

PATIENCE = 20.0
"""Seconds that a server may take for an answer."""
QUIET_TIME = 0.4
"""Seconds that a server must stay quiet when nothing is due."""
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


class Refused(Exception):
    """The server ended a conversation before the point that is tested."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the server did not get to the point: {reply}")
        self.reply = reply


class Broken(Exception):
    """The server sent what no server may."""


@dataclass(frozen=True)
class Session:
    """What a client keeps to resume."""

    id: bytes
    profile: Profile
    master: bytes
    extended: bool


@dataclass(frozen=True)
class PublicKey:
    """The server's RSA key."""

    modulus: int
    exponent: int

    @property
    def length(self) -> int:
        """Bytes of the modulus."""
        return (self.modulus.bit_length() + 7) // 8

    def encrypt(self, block: bytes) -> bytes:
        """The raw RSA operation on a block of the modulus' length."""
        number = pow(int.from_bytes(block, "big"), self.exponent, self.modulus)
        return number.to_bytes(self.length, "big")


@dataclass(frozen=True)
class Offer:
    """A ClientHello."""

    profile: Profile
    client_version: int = 0
    """0 for that of the profile."""
    suites: Sequence[int] = ()
    """Empty for that of the profile."""
    extended: bool = True
    """Offers the extended master secret (RFC 7627), where there are extensions."""
    session: Session | None = None
    session_id: bytes = b""
    signal_renegotiation: bool = True
    extensions: bytes = b""
    """Further ones, encoded."""
    compression: bytes = b"\0"

    def body(self, client_random: bytes) -> bytes:
        """RFC 5246 section 7.4.1.2."""
        suites = list(self.suites or (self.profile.suite.id,))
        if self.signal_renegotiation:
            suites.append(RENEGOTIATION_SCSV)
        session_id = self.session.id if self.session else self.session_id
        hello = (self.client_version or self.profile.version).to_bytes(2, "big") + client_random
        hello += vector(session_id, 1)
        hello += vector(b"".join(suite.to_bytes(2, "big") for suite in suites), 2)
        hello += vector(self.compression, 1)
        extensions = self._extensions()
        return hello + vector(extensions, 2) if extensions else hello

    def _extensions(self) -> bytes:
        if self.profile.version == Version.SSL3:
            return self.extensions
        extensions = self.extensions
        if self.extended:
            extensions += extension(Extension.EXTENDED_MASTER_SECRET)
        if self.profile.encrypt_then_mac:
            extensions += extension(Extension.ENCRYPT_THEN_MAC)
        return extensions


@dataclass
class _State:
    """What the server's messages have said so far."""

    resumed: bool = False
    hello_done: bool = False
    finished: bool = False
    extended: bool = False
    secure_renegotiation: bool = False
    session_id: bytes = b""
    compression: int = 0
    extensions: set[int] = field(default_factory=set)
    server_random: bytes = b""
    public_key: PublicKey | None = None
    events: list[Event] = field(default_factory=list)
    end: str | None = None


class Client:
    """One connection."""

    def __init__(self, address: tuple[str, int], offer: Offer, rng: Random) -> None:
        self.offer = offer
        self.profile = offer.profile
        self.rng = rng
        self.transcript = b""
        self.client_random = rng.randbytes(32)
        self.master = b""
        self.server = _State()
        self.write: Protection | None = None
        self._pending_write: Protection | None = None
        self._read: Protection | None = None
        self._pending_read: Protection | None = None
        self._received = b""
        self._messages = b""
        self._held: bytes | None = None
        self._socket = socket.create_connection(address, timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # Whole steps of a handshake.

    def hello(self) -> None:
        """Sends the ClientHello and reads what the server says to it.

        Raises `Refused` when that is not its whole flight.
        """
        self.send_hello()
        self.read_flight()

    def send_hello(self) -> None:
        """Sends the ClientHello, in as many records as it takes."""
        hello = self.noted(HandshakeType.CLIENT_HELLO, self.hello_body())
        for at in range(0, len(hello), MAX_FRAGMENT):
            self.send(ContentType.HANDSHAKE, hello[at : at + MAX_FRAGMENT])

    def hello_body(self) -> bytes:
        """The ClientHello of the offer."""
        return self.offer.body(self.client_random)

    def read_flight(self) -> None:
        """Reads until ServerHelloDone, or until the server's Finished when it resumes.

        Raises `Refused` when neither comes.
        """
        if not self.read_until(lambda: self.server.hello_done or self.server.finished):
            raise Refused(self.reply())
        self.mark()

    def premaster(self) -> bytes:
        """A premaster secret as a client must make it (RFC 5246 section 7.4.7.1)."""
        version = self.offer.client_version or self.profile.version
        return version.to_bytes(2, "big") + self.rng.randbytes(46)

    def pad(self, premaster: bytes) -> bytes:
        """RSAES-PKCS1-v1_5 encoding (RFC 8017 section 7.2.1)."""
        count = self.public_key.length - 3 - len(premaster)
        return b"\0\2" + nonzero(self.rng, count) + b"\0" + premaster

    def key_exchange(self) -> None:
        """Sends a good ClientKeyExchange and makes the keys."""
        premaster = self.premaster()
        self.send_key_exchange(self.public_key.encrypt(self.pad(premaster)))
        self.derive(premaster)

    def send_key_exchange(self, encrypted: bytes) -> None:
        """Sends a ClientKeyExchange with this ciphertext."""
        body = self.key_exchange_body(encrypted)
        self.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, body)

    def key_exchange_body(self, encrypted: bytes) -> bytes:
        """In SSL 3.0 the ciphertext is the message; TLS has a length in front."""
        return encrypted if self.profile.version == Version.SSL3 else vector(encrypted, 2)

    def derive(self, premaster: bytes, extended: bool | None = None) -> None:
        """Makes the keys of a premaster secret, after the ClientKeyExchange."""
        randoms = self.client_random, self.server.server_random
        if self.server.extended if extended is None else extended:
            self.use(schedule.extended_master_secret(self.profile, premaster, self.transcript))
        else:
            self.use(schedule.master_secret(self.profile, premaster, *randoms))

    def use(self, master: bytes) -> None:
        """Makes the keys of a master secret; ChangeCipherSpec puts them to use."""
        self.master = master
        keys = schedule.key_block(
            self.profile, master, self.client_random, self.server.server_random
        )
        self._pending_write = self._protection(keys.client_mac, keys.client_key, keys.client_iv)
        self._pending_read = self._protection(keys.server_mac, keys.server_key, keys.server_iv)

    def server_keys(self) -> Protection:
        """What the server writes with, from its first record on."""
        keys = schedule.key_block(
            self.profile, self.master, self.client_random, self.server.server_random
        )
        return self._protection(keys.server_mac, keys.server_key, keys.server_iv)

    def change_cipher_spec(self) -> None:
        """Sends ChangeCipherSpec and protects what follows."""
        self.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")
        self.protect()

    def protect(self) -> None:
        """Protects what follows with the latest keys."""
        self.write = self._pending_write

    def verify_data(self) -> bytes:
        """The client's, of all messages so far."""
        return schedule.verify_data(self.profile, self.master, "client", self.transcript)

    def finished(self, tamper: Tamper = HONEST) -> None:
        """Sends Finished."""
        self.send_handshake(HandshakeType.FINISHED, self.verify_data(), tamper)

    def finish(self) -> None:
        """Sends ChangeCipherSpec and Finished."""
        self.change_cipher_spec()
        self.finished()

    def handshake(self, *, resumes: bool | None = None) -> None:
        """A whole handshake, full or abbreviated as the server decides.

        Raises `Refused` when the server does not finish it, and `Broken` when it does not resume as
        it should.
        """
        self.hello()
        if resumes is not None:
            words = "the server does not resume" if resumes else "the server resumes"
            self.require(self.server.resumed == resumes, words)
        if not self.server.resumed:
            self.key_exchange()
        self.finish()
        if not self.read_until(lambda: self.server.finished):
            raise Refused(self.reply())
        self.mark()

    def require(self, holds: bool, otherwise: str) -> None:
        """Raises `Broken`, with what is the case otherwise, unless something holds."""
        if not holds:
            raise Broken(otherwise)

    @property
    def session(self) -> Session:
        """What the handshake left for resumption."""
        return Session(self.server.session_id, self.profile, self.master, self.server.extended)

    @property
    def public_key(self) -> PublicKey:
        if self.server.public_key is None:
            raise Broken("the server sent no certificate")
        return self.server.public_key

    # Sending.

    def send(self, content_type: int, payload: bytes, tamper: Tamper = HONEST) -> None:
        """Sends one record under the protection of the moment."""
        self.send_raw(self.sealed(content_type, payload, tamper))

    def sealed(self, content_type: int, payload: bytes, tamper: Tamper = HONEST) -> bytes:
        """One record under the protection of the moment."""
        fragment = payload
        if self.write is not None:
            fragment = self.write.seal(content_type, payload, tamper)
        return record(content_type, self.record_version, fragment)

    @property
    def record_version(self) -> int:
        """The first record has a version that every server can read (RFC 5246 appendix E.1)."""
        if self.server.server_random:
            return self.profile.version
        return min(self.profile.version, Version.TLS1_0)

    def send_handshake(self, kind: int, body: bytes, tamper: Tamper = HONEST) -> None:
        """Sends one handshake message in a record of its own."""
        self.send(ContentType.HANDSHAKE, self.noted(kind, body), tamper)

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
        # When the server has hung up, what it said before is still there to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def end_sending(self) -> None:
        """Says that nothing more will come."""
        # The server may have hung up.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    # Reading.

    def mark(self) -> None:
        """Forgets what the server did so far: what follows is its reply."""
        self.server.events.clear()

    def reply(self) -> Reply:
        """Reads to the end of the connection, and gives everything since the last mark."""
        self.read_until(lambda: False)
        return Reply(tuple(self.server.events), self.server.end or SILENT)

    def reply_after_silence(self) -> Reply:
        """Waits for a while, hangs up, and reads to the end."""
        self.wait(QUIET_TIME)
        if self.server.end is None:
            self.server.events.append(QUIET)
        self.end_sending()
        return self.reply()

    def complete(self) -> Reply:
        """Reads the server's Finished, asks for a page, and reads to the end."""
        if self.read_until(lambda: self.server.finished):
            self.send(ContentType.APPLICATION_DATA, REQUEST)
        return self.reply()

    def page(self) -> Reply:
        """Asks for a page on a finished connection and reads to the end."""
        self.send(ContentType.APPLICATION_DATA, REQUEST)
        return self.reply()

    def goodbye(self) -> None:
        """Ends a connection as it should be ended."""
        self.alert(WARNING, Alert.CLOSE_NOTIFY)
        self.close()

    def wait(self, seconds: float) -> None:
        """Reads for so long, or to the end."""
        until = time.monotonic() + seconds
        while self.server.end is None and self._read_record(until):
            pass

    def read_until(self, reached: Callable[[], bool]) -> bool:
        """Reads records until something is reached, or to the end; says whether it was."""
        until = time.monotonic() + PATIENCE
        while not reached() and self.server.end is None:
            if not self._read_record(until):
                self.server.end = SILENT
        return reached()

    def _read_record(self, until: float) -> bool:
        """Reads one record, or the end of the connection; False when neither comes in time."""
        while self.server.end is None:
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
            self.server.end = RESET
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        if not received:
            if self._received:
                self.server.events.append(Event("cut-off record"))
            self.server.end = CLOSED
        self._received += received
        return True

    def _take(self, content_type: int, version: int, fragment: bytes) -> None:
        def note(kind: str, detail: str = "") -> None:
            self.server.events.append(Event(kind, detail, version, len(fragment)))

        payload = fragment
        if self._read is not None:
            try:
                payload = self._read.open(content_type, fragment)
            except CannotOpen as reason:
                note(f"{name_of(ContentType, content_type)} that does not open", str(reason))
                return
        match content_type:
            case ContentType.CHANGE_CIPHER_SPEC:
                note("change_cipher_spec", payload.hex())
                self._read = self._pending_read or self._read
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
            details.append(self._take_message(encoded[0], encoded[4:]))
            self.transcript += encoded
        return details

    def _take_message(self, kind: int, body: bytes) -> str:
        match kind:
            case HandshakeType.SERVER_HELLO:
                self._take_server_hello(body)
            case HandshakeType.CERTIFICATE:
                self.server.public_key = _public_key(body)
            case HandshakeType.SERVER_HELLO_DONE:
                self.server.hello_done = True
            case HandshakeType.FINISHED:
                right = schedule.verify_data(self.profile, self.master, "server", self.transcript)
                if body != right:
                    return "finished with wrong verify_data"
                self.server.finished = True
        return name_of(HandshakeType, kind)

    def _take_server_hello(self, body: bytes) -> None:
        """RFC 5246 section 7.4.1.3."""
        server = self.server
        version = Version(int.from_bytes(body[:2], "big"))
        server.server_random = body[2:34]
        at = 35 + body[34]
        server.session_id = body[35:at]
        suite_id = int.from_bytes(body[at : at + 2], "big")
        server.compression = body[at + 2]
        extensions = server.extensions = _extensions(body[at + 3 :])
        server.extended = Extension.EXTENDED_MASTER_SECRET in extensions
        server.secure_renegotiation = Extension.RENEGOTIATION_INFO in extensions
        suite = next((suite for suite in SUITES if suite.id == suite_id), None)
        if suite is None:
            raise Broken(
                f"the server chose the suite {suite_id:#06x}, which the client cannot speak"
            )
        self.profile = Profile(version, suite, Extension.ENCRYPT_THEN_MAC in extensions)
        session = self.offer.session
        if session and session.id and session.id == server.session_id:
            server.resumed = True
            self.use(session.master)

    def _protection(self, mac_key: bytes, key: bytes, iv: bytes) -> Protection:
        return Protection(self.profile, mac_key, key, iv, self.rng)


def nonzero(rng: Random, count: int) -> bytes:
    """Random bytes without a zero."""
    return bytes(rng.randrange(1, 256) for _ in range(count))


def _extensions(block: bytes) -> set[int]:
    found = set()
    at = 2
    while at + 4 <= len(block):
        found.add(int.from_bytes(block[at : at + 2], "big"))
        at += 4 + int.from_bytes(block[at + 2 : at + 4], "big")
    return found


@lru_cache(maxsize=8)
def _public_key(certificates: bytes) -> PublicKey:
    """The key of the first certificate of a Certificate message (RFC 5246 section 7.4.2)."""
    length = int.from_bytes(certificates[3:6], "big")
    certificate = X509()
    certificate.parseBinary(bytearray(certificates[6 : 6 + length]))
    return PublicKey(int(certificate.publicKey.n), int(certificate.publicKey.e))
