"""A client that sends what it is told to, in any order, and reads whatever comes.

Its keys follow from what it meant to send, so an honest client is one that is told nothing odd.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from tlslite.x509 import X509

from attack import groups, schedule, signatures
from attack.groups import BadShare, Group
from attack.peer import PATIENCE, QUIET_TIME, Broken, Peer, Seen
from attack.protection import HONEST, Tamper
from attack.reply import Reply
from attack.suites import SUITES, Profile
from attack.wire import (
    RENEGOTIATION_SCSV,
    WARNING,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    extension,
    name_of,
    numbers,
    vector,
)

__all__ = ["PATIENCE", "QUIET_TIME", "Broken", "Client", "Offer", "PublicKey", "Refused", "Session"]

REQUEST = b"GET / HTTP/1.0\r\n\r\n"


class Refused(Exception):
    """The server ended a conversation before the point that is tested."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the server did not get to the point: {reply}")
        self.reply = reply


@dataclass(frozen=True)
class Session:
    """What a client keeps to resume."""

    id: bytes
    profile: Profile
    master: bytes
    extended: bool
    ticket: bytes = b""
    """What the server gave to be kept for it (RFC 5077); the id is then the client's own."""


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
    groups: Sequence[int] | None = groups.USUAL
    """Listed with ephemeral keys; None for no list."""
    schemes: Sequence[int] | None = signatures.USUAL
    """Listed with ephemeral keys in TLS 1.2; None for no list."""
    tickets: bool = False
    """Asks for a session ticket."""
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
        hello += numbers(suites)
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
        ticket = self.session.ticket if self.session else b""
        if ticket or self.tickets:
            extensions += extension(Extension.SESSION_TICKET, ticket)
        if self.profile.suite.ephemeral:
            if self.groups is not None:
                extensions += extension(Extension.SUPPORTED_GROUPS, numbers(self.groups))
            if self.schemes is not None and self.profile.version == Version.TLS1_2:
                extensions += extension(Extension.SIGNATURE_ALGORITHMS, numbers(self.schemes))
        return extensions


@dataclass(frozen=True)
class ServerKey:
    """The server's key of one key exchange."""

    group: Group
    share: bytes
    scheme: int
    """What it is signed with, in TLS 1.2."""


@dataclass
class _State(Seen):
    """What the server's messages have said so far."""

    resumed: bool = False
    hello_done: bool = False
    finished: bool = False
    extended: bool = False
    secure_renegotiation: bool = False
    renegotiated: bytes = b""
    """The content of renegotiation_info."""
    asks: bool = False
    """Whether the server asks for a certificate."""
    session_id: bytes = b""
    ticket: bytes | None = None
    lifetime: int = 0
    """Seconds that the ticket is good for, as the server says."""
    compression: int = 0
    extensions: set[int] = field(default_factory=set)
    public_key: PublicKey | None = None
    messages: dict[int, bytes] = field(default_factory=dict)
    """The body of its last message of each kind."""
    certified: Any = None
    """The key of its certificate, as tlslite-ng has it."""
    key: ServerKey | None = None
    verify_data: bytes = b""


class Client(Peer):
    """One connection of a client."""

    side = "client"

    def __init__(self, address: tuple[str, int], offer: Offer, rng: Random) -> None:
        connected = socket.create_connection(address, timeout=PATIENCE)
        super().__init__(connected, offer.profile, rng)
        self.offer = offer
        self.client_random = rng.randbytes(32)
        self.own_verify_data = b""
        self.seen = self.server = _State()

    # Whole steps of a handshake.

    def hello(self) -> None:
        """Sends the ClientHello and reads what the server says to it.

        Raises `Refused` when that is not its whole flight.
        """
        self.send_hello()
        self.read_flight()

    def send_hello(self) -> None:
        """Sends the ClientHello."""
        self.send_handshake(HandshakeType.CLIENT_HELLO, self.hello_body())

    def hello_body(self) -> bytes:
        """The ClientHello of the offer."""
        return self.offer.body(self.client_random)

    def begin_again(self, offer: Offer) -> None:
        """Forgets a handshake that is over, and is to offer this in the next one."""
        self.offer, self.profile = offer, offer.profile
        self.transcript = b""
        self.client_random = self.rng.randbytes(32)
        server = _State(verify_data=self.server.verify_data)
        server.end = self.server.end
        self.seen = self.server = server

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
        body, premaster = self.new_key_exchange()
        self.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, body)
        self.derive(premaster)

    def new_key_exchange(self) -> tuple[bytes, bytes]:
        """The body of a good ClientKeyExchange, and its premaster secret."""
        if self.profile.suite.ephemeral:
            return self.share_body(self.server_key.group.share), self.secret()
        premaster = self.premaster()
        return self.key_exchange_body(self.public_key.encrypt(self.pad(premaster))), premaster

    def decline(self) -> None:
        """Sends an empty list of certificates, if the server asks for some."""
        if self.server.asks:
            self.send_handshake(HandshakeType.CERTIFICATE, bytes(3))

    def send_key_exchange(self, encrypted: bytes) -> None:
        """Sends a ClientKeyExchange with this ciphertext."""
        body = self.key_exchange_body(encrypted)
        self.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, body)

    def key_exchange_body(self, encrypted: bytes) -> bytes:
        """In SSL 3.0 the ciphertext is the message; TLS has a length in front."""
        return encrypted if self.profile.version == Version.SSL3 else vector(encrypted, 2)

    def send_share(self, share: bytes) -> None:
        """Sends a ClientKeyExchange with this public key."""
        self.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, self.share_body(share))

    def share_body(self, share: bytes) -> bytes:
        """RFC 8422 section 5.7, and RFC 5246 section 7.4.7.2."""
        return vector(share, 1 if self.profile.suite.exchange == "ECDHE" else 2)

    def secret(self) -> bytes:
        """What our key and that of the server agree on."""
        try:
            return self.server_key.group.agree(self.server_key.share)
        except BadShare as error:
            raise Broken("the server's public key is not one of its group") from error

    def derive(self, premaster: bytes, extended: bool | None = None) -> None:
        """Makes the keys of a premaster secret, after the ClientKeyExchange."""
        randoms = self.client_random, self.server_random
        if self.server.extended if extended is None else extended:
            self.use(schedule.extended_master_secret(self.profile, premaster, self.transcript))
        else:
            self.use(schedule.master_secret(self.profile, premaster, *randoms))

    def finished(self, tamper: Tamper = HONEST) -> None:
        """Sends Finished."""
        self.own_verify_data = self.verify_data()
        self.send_handshake(HandshakeType.FINISHED, self.own_verify_data, tamper)

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
            self.decline()
            self.key_exchange()
        self.finish()
        if not self.read_until(lambda: self.server.finished):
            raise Refused(self.reply())
        self.mark()

    @property
    def session(self) -> Session:
        """What the handshake left for resumption."""
        server = self.server
        session_id = self.rng.randbytes(32) if server.ticket else server.session_id
        ticket = server.ticket or b""
        return Session(session_id, self.profile, self.master, server.extended, ticket)

    @property
    def public_key(self) -> PublicKey:
        if self.server.public_key is None:
            raise Broken("the server sent no certificate with an RSA key")
        return self.server.public_key

    @property
    def server_key(self) -> ServerKey:
        if self.server.key is None:
            raise Broken("the server sent no key of its own")
        return self.server.key

    @property
    def record_version(self) -> int:
        """The first record has a version that every server can read (RFC 5246 appendix E.1)."""
        if self.server_random:
            return self.profile.version
        return min(self.profile.version, Version.TLS1_0)

    # Ends of a conversation.

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

    # Reading.

    def take_message(self, kind: int, body: bytes) -> str:
        self.server.messages[kind] = body
        match kind:
            case HandshakeType.SERVER_HELLO:
                self._take_server_hello(body)
            case HandshakeType.CERTIFICATE:
                self.server.certified = _certified(body)
                self.server.public_key = _public_key(self.server.certified)
            case HandshakeType.SERVER_KEY_EXCHANGE:
                self._take_key_exchange(body)
            case HandshakeType.CERTIFICATE_REQUEST:
                self.server.asks = True
            case HandshakeType.SERVER_HELLO_DONE:
                self.server.hello_done = True
            case HandshakeType.NEW_SESSION_TICKET:
                self.server.lifetime = int.from_bytes(body[:4], "big")
                self.server.ticket = body[6:]
            case HandshakeType.FINISHED:
                right = schedule.verify_data(self.profile, self.master, "server", self.transcript)
                if body != right:
                    return "finished with wrong verify_data"
                self.server.verify_data = body
                self.server.finished = True
        return name_of(HandshakeType, kind)

    def _take_server_hello(self, body: bytes) -> None:
        """RFC 5246 section 7.4.1.3."""
        server = self.server
        version = Version(int.from_bytes(body[:2], "big"))
        self.server_random = body[2:34]
        at = 35 + body[34]
        server.session_id = body[35:at]
        suite_id = int.from_bytes(body[at : at + 2], "big")
        server.compression = body[at + 2]
        extensions = _extensions(body[at + 3 :])
        server.extensions = set(extensions)
        server.extended = Extension.EXTENDED_MASTER_SECRET in extensions
        server.secure_renegotiation = Extension.RENEGOTIATION_INFO in extensions
        server.renegotiated = extensions.get(Extension.RENEGOTIATION_INFO, b"\0")[1:]
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

    def _take_key_exchange(self, body: bytes) -> None:
        """RFC 8422 section 5.4, and RFC 5246 section 7.4.3. The signature must be right."""
        if self.profile.suite.exchange == "ECDHE":
            group = groups.GROUPS.get(int.from_bytes(body[1:3], "big"))
            self.require(body[0] == 3 and group is not None, "the server has an unknown curve")
            end = 4 + body[3]
            share = body[4:end]
        else:
            found, end = [], 0
            for _ in range(3):
                at = end + 2
                end = at + int.from_bytes(body[end:at], "big")
                found.append(body[at:end])
            prime, generator = (int.from_bytes(number, "big") for number in found[:2])
            group, share = groups.same_field(prime, generator), found[2]
        scheme = 0
        signed, rest = self.client_random + self.server_random + body[:end], body[end:]
        if self.profile.version == Version.TLS1_2:
            scheme, rest = int.from_bytes(rest[:2], "big"), rest[2:]
        right = signatures.verify(
            self.server.certified, self.profile.version, scheme, signed, rest[2:]
        )
        self.require(right, "the server's signature is wrong")
        self.server.key = ServerKey(group, share, scheme)


def nonzero(rng: Random, count: int) -> bytes:
    """Random bytes without a zero."""
    return bytes(rng.randrange(1, 256) for _ in range(count))


def _extensions(block: bytes) -> dict[int, bytes]:
    found = {}
    at = 2
    while at + 4 <= len(block):
        end = at + 4 + int.from_bytes(block[at + 2 : at + 4], "big")
        found[int.from_bytes(block[at : at + 2], "big")] = block[at + 4 : end]
        at = end
    return found


@lru_cache(maxsize=8)
def _certified(certificates: bytes):
    """The key of the first certificate of a Certificate message (RFC 5246 section 7.4.2)."""
    length = int.from_bytes(certificates[3:6], "big")
    certificate = X509()
    certificate.parseBinary(bytearray(certificates[6 : 6 + length]))
    return certificate.publicKey


def _public_key(certified) -> PublicKey | None:
    if not hasattr(certified, "n"):
        return None
    return PublicKey(int(certified.n), int(certified.e))
