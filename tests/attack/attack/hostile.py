"""A server that sends what it is told to, to a client that must not believe it.

Its keys follow from what the client did, so an honest server is one that is told nothing odd.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from attack import schedule, signatures
from attack.client import REQUEST
from attack.groups import FFDHE2048, P256, Curve, Field, Group, Montgomery
from attack.peer import Broken, Peer, Seen
from attack.signatures import certificate, private_key
from attack.suites import Profile
from attack.wire import (
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
    vector,
)

PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhonest\n"


class GoneAway(Exception):
    """The client ended a conversation before the point that is tested."""


@dataclass(frozen=True)
class Hello:
    """What the client offers."""

    version: int
    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    extensions: Mapping[int, bytes]

    @classmethod
    def parse(cls, body: bytes) -> "Hello":
        at = 35 + body[34]
        session_id = body[35:at]
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        listed = body[at + 2 : end]
        suites = tuple(int.from_bytes(listed[i : i + 2], "big") for i in range(0, len(listed), 2))
        block = body[end + 1 + body[end] :]
        extensions, at = {}, 2
        while at + 4 <= len(block):
            end = at + 4 + int.from_bytes(block[at + 2 : at + 4], "big")
            extensions[int.from_bytes(block[at : at + 2], "big")] = block[at + 4 : end]
            at = end
        return cls(int.from_bytes(body[:2], "big"), body[2:34], session_id, suites, extensions)


@dataclass(frozen=True)
class Kept:
    """What a server keeps of a session, to resume it."""

    id: bytes
    profile: Profile
    master: bytes
    extended: bool
    ticket: bytes = b""


@dataclass
class _Client(Seen):
    """What the client's messages have said so far."""

    hello: Hello | None = None
    key_exchange: bool = False
    premaster: bytes = b""
    finished: bool = False
    data: bytes = b""


@dataclass
class Plan:
    """What an honest server decides. Scripts may decide otherwise."""

    profile: Profile
    key: str = ""
    """Name of key and certificate; empty for one that fits the suite."""
    group: Group = field(default=P256)
    tickets: bool = False

    def __post_init__(self) -> None:
        if not self.key:
            self.key = "ec-p256" if self.profile.suite.signer == "ECDSA" else "server-2048"
        if self.profile.suite.exchange == "DHE" and not isinstance(self.group, Field):
            self.group = FFDHE2048

    def serve(self, connected: socket.socket, rng: Random) -> "Hostile":
        """The server at one connection."""
        return Hostile(connected, self, rng)


class Hostile(Peer):
    """One connection of a client, at the server."""

    side = "server"

    def __init__(self, connected: socket.socket, plan: Plan, rng: Random) -> None:
        super().__init__(connected, plan.profile, rng)
        self.plan = plan
        self.server_random = rng.randbytes(31) + b"\x77"
        self.session_id = rng.randbytes(32)
        self.extended = False
        self.client_verify_data = b""
        self.seen = self.client = _Client()

    # Whole steps of a handshake.

    @property
    def offer(self) -> Hello:
        if self.client.hello is None:
            raise GoneAway(f"no ClientHello: {self.reply()}")
        return self.client.hello

    def read_hello(self) -> None:
        """Reads the ClientHello, unless it has been read."""
        self.read_until(lambda: self.client.hello is not None)
        self.client_random = self.offer.random
        self.mark()

    def extensions(self) -> dict[int, bytes]:
        """Those that an honest server answers with."""
        offered = self.offer.extensions
        found = {}
        if RENEGOTIATION_SCSV in self.offer.suites and self.profile.version > Version.SSL3:
            found[Extension.RENEGOTIATION_INFO] = b"\0"
        if Extension.EXTENDED_MASTER_SECRET in offered and self.profile.version > Version.SSL3:
            found[Extension.EXTENDED_MASTER_SECRET] = b""
        if self.profile.encrypt_then_mac:
            found[Extension.ENCRYPT_THEN_MAC] = b""
        if self.plan.tickets and Extension.SESSION_TICKET in offered:
            found[Extension.SESSION_TICKET] = b""
        return found

    def hello_body(
        self,
        *,
        version: int | None = None,
        random: bytes | None = None,
        session_id: bytes | None = None,
        suite: int | None = None,
        compression: int = 0,
        extensions: Mapping[int, bytes] | None = None,
        block: bytes | None = None,
    ) -> bytes:
        """The body of a ServerHello, and notes what it has decided."""
        if random is not None:
            self.server_random = random
        if extensions is None:
            extensions = self.extensions()
        self.extended = Extension.EXTENDED_MASTER_SECRET in extensions
        version = self.profile.version if version is None else version
        suite = self.profile.suite.id if suite is None else suite
        body = version.to_bytes(2, "big") + self.server_random
        body += vector(self.session_id if session_id is None else session_id, 1)
        body += suite.to_bytes(2, "big") + bytes([compression])
        if block is None:
            encoded = b"".join(extension(kind, data) for kind, data in extensions.items())
            block = vector(encoded, 2) if encoded else b""
        return body + block

    def hello(self, **decided) -> None:
        """Sends a ServerHello."""
        self.send_handshake(HandshakeType.SERVER_HELLO, self.hello_body(**decided))

    def certificate(self, chain: Sequence[bytes] | None = None) -> None:
        """Sends a Certificate."""
        self.send_handshake(HandshakeType.CERTIFICATE, self.chain(chain))

    def chain(self, chain: Sequence[bytes] | None = None) -> bytes:
        """The body of a Certificate message (RFC 5246 section 7.4.2)."""
        chain = [certificate(self.plan.key)] if chain is None else chain
        return vector(b"".join(vector(each, 3) for each in chain), 3)

    def parameters(self, group: Group | None = None, share: bytes | None = None) -> bytes:
        """The server's key of this key exchange (RFC 8422 section 5.4, RFC 5246 section 7.4.3)."""
        group = self.plan.group if group is None else group
        share = group.share if share is None else share
        match group:
            case Curve() | Montgomery():
                return b"\3" + group.number.to_bytes(2, "big") + vector(share, 1)
            case Field():
                prime = group.prime.to_bytes(group.length, "big")
                generator = group.generator.to_bytes(
                    max((group.generator.bit_length() + 7) // 8, 1), "big"
                )
                return vector(prime, 2) + vector(generator, 2) + vector(share, 2)

    @property
    def scheme(self) -> int:
        """What an honest server signs with in TLS 1.2."""
        on_curve = self.plan.key == "ec-p256"
        return signatures.ECDSA_SHA256 if on_curve else signatures.RSA_SHA256

    def sign(self, signed: bytes, *, key: str = "", scheme: int = 0) -> bytes:
        """A signature of bytes."""
        key, scheme = key or self.plan.key, scheme or self.scheme
        return signatures.sign(private_key(key), self.profile.version, scheme, signed)

    def key_exchange_body(
        self,
        parameters: bytes | None = None,
        *,
        signature: bytes | None = None,
        scheme: int | None = None,
    ) -> bytes:
        """The body of a ServerKeyExchange."""
        parameters = self.parameters() if parameters is None else parameters
        if signature is None:
            signature = self.sign(self.client_random + self.server_random + parameters)
        scheme = self.scheme if scheme is None else scheme
        named = scheme.to_bytes(2, "big") if self.profile.version == Version.TLS1_2 else b""
        return parameters + named + vector(signature, 2)

    def key_exchange(self, parameters: bytes | None = None, **decided) -> None:
        """Sends a ServerKeyExchange."""
        body = self.key_exchange_body(parameters, **decided)
        self.send_handshake(HandshakeType.SERVER_KEY_EXCHANGE, body)

    def hello_done(self) -> None:
        self.send_handshake(HandshakeType.SERVER_HELLO_DONE, b"")

    def open(self, **decided) -> None:
        """Reads the ClientHello, and answers it with the whole flight."""
        self.read_hello()
        self.hello(**decided)
        self.certificate()
        if self.profile.suite.ephemeral:
            self.key_exchange()
        self.hello_done()

    def read_flight(self) -> None:
        """Reads the client's flight, up to its Finished."""
        if not self.read_until(lambda: self.client.finished):
            raise GoneAway(f"the client did not finish: {self.reply()}")
        self.mark()

    def ticket(self, content: bytes | None = None, lifetime: int = 300) -> bytes:
        """Sends a NewSessionTicket, and returns the ticket."""
        content = self.rng.randbytes(160) if content is None else content
        body = lifetime.to_bytes(4, "big") + vector(content, 2)
        self.send_handshake(HandshakeType.NEW_SESSION_TICKET, body)
        return content

    def finish(self) -> None:
        """Sends ChangeCipherSpec and Finished."""
        self.change_cipher_spec()
        self.finished()

    def finished(self) -> None:
        self.send_handshake(HandshakeType.FINISHED, self.verify_data())

    def handshake(self, **decided) -> Kept:
        """A whole handshake, as it should be."""
        self.open(**decided)
        self.read_flight()
        ticket = b""
        if self.plan.tickets and Extension.SESSION_TICKET in self.offer.extensions:
            ticket = self.ticket()
        self.finish()
        return Kept(self.session_id, self.profile, self.master, self.extended, ticket)

    def resume(self, kept: Kept, **decided) -> None:
        """An abbreviated handshake, up to the server's Finished. Reads no answer."""
        decided.setdefault("session_id", self.offer.session_id)
        self.hello(**decided)
        self.use(kept.master)
        self.finish()

    def answer(self, page: bytes = PAGE) -> None:
        """Reads a request, and answers it."""
        if not self.read_until(lambda: self.client.data.endswith(b"\r\n\r\n")):
            raise GoneAway(f"the client sent no request: {self.reply()}")
        self.mark()
        self.send(ContentType.APPLICATION_DATA, page)

    def goodbye(self) -> None:
        """Sends close_notify and ends."""
        self.alert(WARNING, Alert.CLOSE_NOTIFY)
        self.end_sending()

    # Reading.

    def take_message(self, kind: int, body: bytes) -> str:
        match kind:
            case HandshakeType.CLIENT_HELLO:
                self.client.hello = Hello.parse(body)
            case HandshakeType.CLIENT_KEY_EXCHANGE:
                self.client.premaster = self._premaster(body)
            case HandshakeType.FINISHED:
                right = schedule.verify_data(self.profile, self.master, "client", self.transcript)
                if body != right:
                    return "finished with wrong verify_data"
                self.client_verify_data = body
                self.client.finished = True
        return name_of(HandshakeType, kind)

    def took_message(self, kind: int) -> None:
        if kind != HandshakeType.CLIENT_KEY_EXCHANGE:
            return
        premaster = self.client.premaster
        if self.extended:
            self.use(schedule.extended_master_secret(self.profile, premaster, self.transcript))
        else:
            randoms = self.client_random, self.server_random
            self.use(schedule.master_secret(self.profile, premaster, *randoms))

    def took_data(self, data: bytes) -> None:
        self.client.data += data
        if not REQUEST.startswith(self.client.data):
            raise Broken("the client sends other data than its standard input")

    def _premaster(self, body: bytes) -> bytes:
        if self.profile.suite.ephemeral:
            length = 1 if self.profile.suite.exchange == "ECDHE" else 2
            return self.plan.group.agree(body[length:])
        encrypted = body if self.profile.version == Version.SSL3 else body[2:]
        key = private_key(self.plan.key)
        if len(encrypted) != (int(key.n).bit_length() + 7) // 8:
            raise Broken("the ciphertext has another length than the modulus")
        block = bytes(key._raw_private_key_op_bytes(bytearray(encrypted)))
        if block[:2] != b"\0\2" or block[-49] != 0:
            # It is for another key than ours.
            return bytes(48)
        return block[-48:]


def lone(kind: int, body: bytes = b"") -> bytes:
    """A message that no transcript has."""
    return message(kind, body)
