"""A client of TLS 1.3 that sends what it is told to, in any order, and reads whatever comes."""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from attack.client import REQUEST, Refused
from attack.peer import PATIENCE, Seen
from attack.reply import Reply
from attack.tls13 import schedule, shares, signing
from attack.tls13.peer import PSK_DHE_KE, RETRY, Hello, Peer, ServerHello, decoded
from attack.tls13.protection import HONEST, Tamper
from attack.tls13.schedule import Psk, Schedule
from attack.tls13.shares import P256, X25519, KeyPair
from attack.tls13.suites import USUAL, suite_of
from attack.wire import (
    TLS1_3,
    WARNING,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    message,
    name_of,
    numbers,
    vector,
)

_SOON = 0.2
"""Seconds that a server takes at most to refuse a flight."""

Binders = Callable[[list[bytes]], list[bytes]]


@dataclass(frozen=True)
class Offer:
    """What a ClientHello says."""

    suites: Sequence[int] = USUAL
    groups: Sequence[int] = (X25519, P256)
    shares: Sequence[int] | None = None
    """Groups with a key share; None for the first of the groups."""
    schemes: Sequence[int] = signing.USUAL
    versions: Sequence[int] = (TLS1_3,)
    psks: Sequence[Psk] = ()
    modes: Sequence[int] = (PSK_DHE_KE,)
    """Always said, so that the server gives tickets."""
    early_data: bool = False
    session_id: bytes | None = None
    """None for 32 random bytes (appendix D.4)."""
    skew: int = 0
    """Milliseconds that are added to the age of tickets."""
    certificate: str = ""
    """The name of the client's key and certificate."""


@dataclass
class _Server(Seen):
    """What the server's messages have said so far."""

    retry: ServerHello | None = None
    hello: ServerHello | None = None
    psk: int | None = None
    """The place of the pre-shared key that it takes."""
    extensions: dict[int, bytes] | None = None
    """Of EncryptedExtensions."""
    asks: bool = False
    context: bytes = b""
    """Of its CertificateRequest."""
    requested: dict[int, bytes] = field(default_factory=dict)
    """The extensions of it."""
    chain: list[bytes] = field(default_factory=list)
    verified: bool = False
    finished: bool = False
    tickets: list[Psk] = field(default_factory=list)
    key_updates: list[int] = field(default_factory=list)
    messages: dict[int, bytes] = field(default_factory=dict)


class Client(Peer):
    """One connection of a client."""

    def __init__(self, address: tuple[str, int], offer: Offer, rng: Random) -> None:
        super().__init__(socket.create_connection(address, timeout=PATIENCE), rng)
        self.offer = offer
        self.random = rng.randbytes(32)
        session_id = rng.randbytes(32) if offer.session_id is None else offer.session_id
        self.session_id = session_id
        self.keys: dict[int, KeyPair] = {}
        self.resumption = b""
        self.early_secret = b""
        self.sent: Hello | None = None
        """The last hello."""
        self._answers_retry = True
        self.first = b""
        """The first ClientHello, as it was sent."""
        self._may_get_tickets = False
        self.seen = self.server = _Server()

    # Hellos.

    def hello(self) -> Hello:
        """The first hello of the offer; its binders are made when it is encoded."""
        offer = self.offer
        listed = offer.groups[:1] if offer.shares is None else offer.shares
        extensions = [
            (Extension.SUPPORTED_VERSIONS, _short(offer.versions)),
            (Extension.SUPPORTED_GROUPS, numbers(offer.groups)),
            (Extension.SIGNATURE_ALGORITHMS, numbers(offer.schemes)),
            (Extension.KEY_SHARE, self.key_shares(listed)),
            (Extension.PSK_KEY_EXCHANGE_MODES, vector(bytes(offer.modes), 1)),
        ]
        if offer.early_data:
            extensions.append((Extension.EARLY_DATA, b""))
        if offer.psks:
            extensions.append((Extension.PRE_SHARED_KEY, b""))
        return Hello(self.random, self.session_id, list(offer.suites), extensions)

    def key_shares(self, groups: Sequence[int]) -> bytes:
        """The content of key_share, with a key in each of these groups."""
        return vector(b"".join(entry(group, self.key(group).share) for group in groups), 2)

    def key(self, group: int) -> KeyPair:
        """Our key in a group."""
        if group not in self.keys:
            self.keys[group] = shares.generate(group, self.rng)
        return self.keys[group]

    def second_hello(self) -> Hello:
        """The answer to a HelloRetryRequest (section 4.1.2)."""
        hello = self.sent.copy()
        retry = self.server.retry.extensions
        if Extension.KEY_SHARE in retry:
            group = int.from_bytes(retry[Extension.KEY_SHARE][:2], "big")
            hello.put(Extension.KEY_SHARE, self.key_shares([group]))
        if Extension.COOKIE in retry:
            hello.put(Extension.COOKIE, retry[Extension.COOKIE])
        hello.drop(Extension.EARLY_DATA)
        return hello

    def identities(self) -> bytes:
        """The first part of pre_shared_key."""
        now = time.monotonic()
        found = b""
        for psk in self.offer.psks:
            age = 0 if psk.external else int((now - psk.born) * 1000) + psk.age_add
            age = 0 if psk.external else age + self.offer.skew
            found += vector(psk.identity, 2) + (age % (1 << 32)).to_bytes(4, "big")
        return vector(found, 2)

    def encode(self, hello: Hello, change: Binders = lambda binders: binders) -> bytes:
        """The body of a hello, with the binders of its pre-shared keys (section 4.2.11.2)."""
        if not self.offer.psks or hello.get(Extension.PRE_SHARED_KEY) is None:
            return hello.body()
        identities = self.identities()

        def filled(binders: list[bytes]) -> bytes:
            bound = hello.copy()
            listed = b"".join(vector(binder, 1) for binder in binders)
            bound.put(Extension.PRE_SHARED_KEY, identities + vector(listed, 2))
            return bound.body()

        lengths = [psk.suite.hash_length for psk in self.offer.psks]
        whole = message(HandshakeType.CLIENT_HELLO, filled([bytes(it) for it in lengths]))
        cut = whole[: -2 - sum(1 + length for length in lengths)]
        binders = [psk.binder(self.transcript + cut) for psk in self.offer.psks]
        return filled(change(binders))

    def send_hello(
        self, hello: Hello | None = None, change: Binders = lambda binders: binders
    ) -> None:
        """Sends a ClientHello, by default that of the offer."""
        self.sent = hello or self.hello()
        body = self.encode(self.sent, change)
        self.first = self.first or message(HandshakeType.CLIENT_HELLO, body)
        self.send_handshake(HandshakeType.CLIENT_HELLO, body)
        if self.offer.early_data and self.offer.psks and self.server.retry is None:
            psk = self.offer.psks[0]
            self.suite = psk.suite
            secret = Schedule(psk.suite, psk.key).early_traffic(self.transcript)
            self.early_secret = secret
            self.write = self.protection(secret)

    @property
    def record_version(self) -> int:
        """The first record has a version that every server can read (section 5.1)."""
        return 0x0303 if self.sent and self.transcript else 0x0301

    # Whole steps of a handshake.

    def read_flight(self) -> None:
        """Reads the server's flight, and answers a HelloRetryRequest on the way.

        Raises `Refused` when the flight does not come.
        """
        if self._answers_retry:
            self.read_retry(needed=False)
        if self.server.retry is not None and self._answers_retry:
            self.write = None
            self.send_hello(self.second_hello())
        if not self.read_until(lambda: self.server.finished):
            raise Refused(self.reply())
        self.mark()

    def read_retry(self, *, needed: bool = True) -> None:
        """Reads a HelloRetryRequest, or if none is needed the flight.

        Who needs one answers it.
        Raises `Refused` when it does not come.
        """
        self.read_until(lambda: self.server.retry or self.server.finished)
        if needed:
            self._answers_retry = False
            if self.server.retry is None:
                raise Refused(self.reply())
        if self.server.retry is not None:
            # A ChangeCipherSpec may come behind it, or before the rest (appendix D.4).
            self.mark()

    def to_flight(self, hello: Hello | None = None) -> None:
        """Sends a hello, and reads the flight."""
        self.send_hello(hello)
        self.read_flight()

    def protect(self) -> None:
        """Goes on with the keys of the handshake."""
        self.write = self.protection(self.client_secret)

    def end_early_data(self) -> None:
        """Sends EndOfEarlyData, if the server takes early data."""
        if Extension.EARLY_DATA in (self.server.extensions or ()):
            self.send_handshake(HandshakeType.END_OF_EARLY_DATA, b"")

    def certificate_body(self, names: Sequence[str], context: bytes | None = None) -> bytes:
        """The body of a Certificate message (section 4.4.2)."""
        context = self.server.context if context is None else context
        listed = (vector(signing.certificate(name), 3) + b"\0\0" for name in names)
        return vector(context, 1) + vector(b"".join(listed), 3)

    def certificates(self) -> None:
        """Sends Certificate and CertificateVerify, if the server asks for them."""
        if not self.server.asks:
            return
        name = self.offer.certificate
        self.send_handshake(
            HandshakeType.CERTIFICATE, self.certificate_body([name] if name else [])
        )
        if name:
            self.send_handshake(HandshakeType.CERTIFICATE_VERIFY, self.signature(name))

    def signature(
        self,
        name: str,
        *,
        scheme: int | None = None,
        context: bytes = signing.CLIENT,
        transcript: bytes | None = None,
        **content: int | bytes,
    ) -> bytes:
        """The body of a CertificateVerify (section 4.4.3)."""
        scheme = signing.usual_scheme(name) if scheme is None else scheme
        digest = self.suite.digest(self.transcript if transcript is None else transcript)
        signed = signing.content(context, digest, **content)
        return scheme.to_bytes(2, "big") + vector(signing.sign(name, scheme, signed), 2)

    def finished(self, body: bytes | None = None, tamper: Tamper = HONEST) -> None:
        """Sends Finished."""
        body = self.verify_data(self.client_secret) if body is None else body
        self.send_handshake(HandshakeType.FINISHED, body, tamper)
        self.resumption = self.schedule.resumption(self.transcript)

    def use_traffic(self) -> None:
        """Goes on with the keys of application data."""
        self.write = self.protection(self.client_traffic)

    def finish(self) -> None:
        """Sends the client's second flight."""
        self.hold()
        self.end_early_data()
        self.protect()
        self.certificates()
        self.finished()
        self.release()
        self.use_traffic()
        self._may_get_tickets = True

    def handshake(self, *, resumes: bool | None = None) -> None:
        """A whole handshake, full or with a pre-shared key as the server decides.

        Raises `Refused` when the server does not finish it, and `Broken` when it does not resume as
        it should.
        """
        self.to_flight()
        self.expect_resumption(resumes)
        self.finish()

    def expect_resumption(self, resumes: bool | None) -> None:
        """Raises `Broken` when the server takes a pre-shared key and should not, or the reverse."""
        if resumes is not None:
            words = "the server does not resume" if resumes else "the server resumes"
            self.require((self.server.psk is not None) == resumes, words)

    # Ends of a conversation.

    def reply(self) -> Reply:
        """Without what a server sends of its own.

        That is a ChangeCipherSpec after its HelloRetryRequest (appendix D.4), and tickets after a
        good Finished.
        """
        reply = super().reply()
        events = reply.events
        if self.server.retry and events and events[0].detail == "01":
            events = events[1:]
        if self._may_get_tickets:
            ticket = name_of(HandshakeType, HandshakeType.NEW_SESSION_TICKET)
            events = tuple(it for it in events if it.detail != ticket)
        return replace(reply, events=events)

    def page(self) -> Reply:
        """Asks for a page on a finished connection and reads to the end."""
        self.send(ContentType.APPLICATION_DATA, REQUEST)
        return self.reply()

    def complete(self) -> Reply:
        """Finishes a handshake of which the flight is read, and asks for a page."""
        self.finish()
        return self.page()

    def page_if_taken(self) -> Reply:
        """Asks for a page, unless the server soon says that it does not take the second flight."""
        self.wait(_SOON)
        self._may_get_tickets = True
        if self.seen.end is None and not any(it.kind == "alert" for it in self.seen.events):
            self.use_traffic()
            self.send(ContentType.APPLICATION_DATA, REQUEST)
        return self.reply()

    def goodbye(self) -> None:
        """Ends a connection as it should be ended."""
        self.send(ContentType.ALERT, bytes([WARNING, Alert.CLOSE_NOTIFY]))
        self.close()

    # Reading.

    def take(self, kind: int, body: bytes) -> str:
        server = self.server
        server.messages[kind] = body
        match kind:
            case HandshakeType.SERVER_HELLO:
                hello = ServerHello.parse(body)
                if hello.random == RETRY:
                    self.require(server.retry is None, "the server sends two HelloRetryRequests")
                    server.retry = hello
                    self._check_hello(hello)
                    return "hello_retry_request"
                server.hello = hello
                self._check_hello(hello)
            case HandshakeType.ENCRYPTED_EXTENSIONS:
                server.extensions = dict(decoded(body))
            case HandshakeType.CERTIFICATE_REQUEST:
                server.asks = True
                server.context = body[1 : 1 + body[0]]
                server.requested = dict(decoded(body[1 + body[0] :]))
            case HandshakeType.CERTIFICATE:
                server.chain = certificates(body)
            case HandshakeType.CERTIFICATE_VERIFY:
                self._check_signature(body)
            case HandshakeType.FINISHED:
                if body != self.verify_data(self.server_secret):
                    return "finished with wrong verify_data"
                signed = server.verified or server.psk is not None
                self.require(signed, "the server does not show who it is")
                server.finished = True
            case HandshakeType.NEW_SESSION_TICKET:
                server.tickets.append(self._ticket(body))
            case HandshakeType.KEY_UPDATE:
                server.key_updates.append(body[0])
        return name_of(HandshakeType, kind)

    def took_message(self, kind: int) -> None:
        match kind:
            case HandshakeType.SERVER_HELLO if self.server.hello is None:
                self.after_retry(self._raw)
            case HandshakeType.SERVER_HELLO:
                self._agree(self.server.hello)
                self.read_with(self.server_secret)
            case HandshakeType.FINISHED if self.server.finished:
                self.agree_on_traffic()
                self.read_with(self.server_traffic)
            case HandshakeType.KEY_UPDATE:
                self.require(not self._messages, "a message spans a change of keys")
                self.reads = [self.reads[0].updated()]

    def _check_hello(self, hello: ServerHello) -> None:
        """Whatever the client says, a server that goes on must answer with these."""
        self.require(hello.version == 0x0303, "the server's legacy_version is not 0x0303")
        version = hello.extensions.get(Extension.SUPPORTED_VERSIONS)
        self.require(version == b"\3\4", "the server does not choose TLS 1.3")
        self.require(hello.session_id == self.sent.session_id, "the session id is not echoed")
        self.require(hello.compression == 0, "the server compresses")
        self.require(hello.suite in self.sent.suites, "a suite that was not offered is chosen")
        suite = suite_of(hello.suite)
        self.require(suite is not None, "the server chooses a suite that is unknown here")
        first = self.server.retry
        self.require(first is None or first.suite == hello.suite, "the suite changes after a retry")
        self.suite = suite

    def _agree(self, hello: ServerHello) -> None:
        psk, secret = b"", b""
        if chosen := hello.extensions.get(Extension.PRE_SHARED_KEY):
            self.server.psk = int.from_bytes(chosen, "big")
            known = self.server.psk < len(self.offer.psks)
            self.require(known, "the server takes a pre-shared key that was not offered")
            taken = self.offer.psks[self.server.psk]
            self.require(taken.suite.hash == self.suite.hash, "the hash is not that of the key")
            psk = taken.key
        if share := hello.extensions.get(Extension.KEY_SHARE):
            group = int.from_bytes(share[:2], "big")
            self.require(group in self.keys, "the server answers in a group without our share")
            try:
                secret = self.keys[group].agree(share[4:])
            except shares.BadShare as reason:
                self.require(False, f"the server's share is {reason}")
        self.agree(psk, secret)

    def _check_signature(self, body: bytes) -> None:
        scheme = int.from_bytes(body[:2], "big")
        self.require(scheme in self.offer.schemes, "the server signs with what was not offered")
        signed = signing.content(signing.SERVER, self.suite.digest(self.transcript))
        key = signing.public_key(self.server.chain[0])
        self.require(signing.verify(key, scheme, signed, body[4:]), "the signature is wrong")
        self.server.verified = True

    def _ticket(self, body: bytes) -> Psk:
        """Section 4.6.1."""
        self.require(bool(self.resumption), "a ticket comes before the client's Finished")
        end = 9 + body[8]
        nonce = body[9:end]
        length = int.from_bytes(body[end : end + 2], "big")
        identity = body[end + 2 : end + 2 + length]
        most = dict(decoded(body[end + 2 + length :])).get(Extension.EARLY_DATA, b"")
        return Psk(
            identity,
            schedule.ticket_key(self.suite, self.resumption, nonce),
            self.suite,
            age_add=int.from_bytes(body[4:8], "big"),
            born=time.monotonic(),
            lifetime=int.from_bytes(body[:4], "big"),
            most_early_data=int.from_bytes(most, "big"),
            nonce=nonce,
        )


def certificates(body: bytes) -> list[bytes]:
    """The certificates of a Certificate message (section 4.4.2)."""
    at = 4 + body[0]
    found = []
    while at + 3 <= len(body):
        end = at + 3 + int.from_bytes(body[at : at + 3], "big")
        found.append(body[at + 3 : end])
        at = end + 2 + int.from_bytes(body[end : end + 2], "big")
    return found


def entry(group: int, share: bytes) -> bytes:
    """A KeyShareEntry (section 4.2.8)."""
    return group.to_bytes(2, "big") + vector(share, 2)


def _short(versions: Sequence[int]) -> bytes:
    return vector(b"".join(version.to_bytes(2, "big") for version in versions), 1)
