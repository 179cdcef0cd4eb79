"""A server of TLS 1.3 that sends what it is told to, to a client that must not believe it."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from attack.client import REQUEST
from attack.hostile import PAGE, GoneAway
from attack.peer import Broken, Seen
from attack.reply import Reply
from attack.tls13 import schedule, shares, signing
from attack.tls13.client import certificates, entry
from attack.tls13.peer import RETRY, Extensions, Hello, Peer, encoded
from attack.tls13.protection import HONEST, Protection, Tamper
from attack.tls13.schedule import Psk, Schedule
from attack.tls13.suites import AES128_GCM, Suite
from attack.wire import (
    MAX_FRAGMENT,
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


@dataclass
class _Client(Seen):
    """What the client's messages have said so far."""

    hellos: list[Hello] = field(default_factory=list)
    encoded: list[bytes] = field(default_factory=list)
    """The same, as they came."""
    chain: list[bytes] | None = None
    finished: bool = False
    end_of_early_data: bool = False
    key_updates: list[int] = field(default_factory=list)
    data: bytes = b""


@dataclass
class Plan:
    """What an honest server decides. Scripts may decide otherwise."""

    key: str = "ec-p256"
    """Name of key and certificate."""
    suite: Suite = AES128_GCM
    group: int = shares.X25519
    """The group, if the client has it."""
    tickets: int = 0
    early_data: int = 0
    """Bytes of early data that tickets allow."""

    def serve(self, connected: socket.socket, rng: Random) -> "Hostile":
        """The server at one connection."""
        return Hostile(connected, self, rng)


class Hostile(Peer):
    """One connection of a client, at the server."""

    # A client may say what is wrong in the clear until it sends something else (appendix A.1).
    tolerates_clear = True

    def __init__(self, connected: socket.socket, plan: Plan, rng: Random) -> None:
        super().__init__(connected, rng)
        self.plan = plan
        self.suite = plan.suite
        self.random = rng.randbytes(32)
        self.secret = b""
        """What the key shares agree on."""
        self.psk: Psk | None = None
        self.early: Protection | None = None
        """What early data are read with."""
        self.skips = False
        """Whether early data are passed over."""
        self.expected = REQUEST
        """What the client has to say."""
        self.before = b""
        """A transcript of earlier."""
        self.seen = self.client = _Client()

    # Whole steps of a handshake.

    @property
    def offer(self) -> Hello:
        """The last hello."""
        if not self.client.hellos:
            raise GoneAway(f"no ClientHello: {self.reply()}")
        return self.client.hellos[-1]

    def read_hello(self, number: int = 1) -> None:
        """Reads so many ClientHellos, unless they have been read."""
        if not self.read_until(lambda: len(self.client.hellos) >= number):
            raise GoneAway(f"no ClientHello: {self.reply()}")
        self.mark()

    def offered_shares(self) -> dict[int, bytes]:
        """The client's key shares by their groups."""
        body, found, at = self.offer.get(Extension.KEY_SHARE) or b"\0\0", {}, 2
        while at + 4 <= len(body):
            end = at + 4 + int.from_bytes(body[at + 2 : at + 4], "big")
            found[int.from_bytes(body[at : at + 2], "big")] = body[at + 4 : end]
            at = end
        return found

    def offered_groups(self) -> list[int]:
        body = self.offer.get(Extension.SUPPORTED_GROUPS) or b"\0\0"
        return [int.from_bytes(body[at : at + 2], "big") for at in range(2, len(body), 2)]

    def has_share(self) -> bool:
        """Whether the client has a key in a group of ours."""
        return any(group in shares.GROUPS for group in self.offered_shares())

    def choose(self) -> tuple[int, bytes]:
        """A group in which the client has a key, the planned one first, and its share."""
        found = self.offered_shares()
        ours = [group for group in (self.plan.group, *shares.GROUPS) if group in found]
        if not ours:
            raise GoneAway("the client has no key in a group of ours")
        return ours[0], found[ours[0]]

    def share(self) -> bytes:
        """The content of our key_share, and agrees on a secret."""
        group, peer = self.choose()
        key = shares.generate(group, self.rng)
        try:
            self.secret = key.agree(peer)
        except shares.BadShare as reason:
            raise Broken(f"the client's share is {reason}") from reason
        return entry(group, key.share)

    def extensions(self) -> Extensions:
        """Those of an honest ServerHello."""
        found = [(Extension.SUPPORTED_VERSIONS, b"\3\4"), (Extension.KEY_SHARE, self.share())]
        if self.psk is not None:
            found.append((Extension.PRE_SHARED_KEY, b"\0\0"))
        return found

    def hello_body(
        self,
        *,
        version: int = 0x0303,
        random: bytes | None = None,
        session_id: bytes | None = None,
        suite: int | None = None,
        compression: int = 0,
        extensions: Extensions | Callable[[], Extensions] | None = None,
        block: bytes | None = None,
    ) -> bytes:
        """The body of a ServerHello."""
        if extensions is None:
            extensions = self.extensions()
        elif callable(extensions):
            extensions = extensions()
        body = version.to_bytes(2, "big") + (self.random if random is None else random)
        body += vector(self.offer.session_id if session_id is None else session_id, 1)
        body += (self.suite.id if suite is None else suite).to_bytes(2, "big")
        return body + bytes([compression]) + (encoded(extensions) if block is None else block)

    def hello(self, **decided) -> None:
        """Sends a ServerHello, and goes on with the keys of the handshake."""
        self.send_handshake(HandshakeType.SERVER_HELLO, self.hello_body(**decided))
        self.use_handshake()

    def use_handshake(self) -> None:
        """Makes the keys of the handshake, and goes on with them."""
        self.agree(self.psk.key if self.psk else b"", self.secret)
        self.write = self.protection(self.server_secret)
        early = [self.early] if self.early else []
        self.reads = [*early, self.protection(self.client_secret)]

    def retry_body(self, extensions: Extensions | None = None, **decided) -> bytes:
        """The body of a HelloRetryRequest."""
        if extensions is None:
            extensions = [
                (Extension.SUPPORTED_VERSIONS, b"\3\4"),
                (Extension.KEY_SHARE, self.other_group().to_bytes(2, "big")),
            ]
        return self.hello_body(**({"random": RETRY, "extensions": extensions} | decided))

    def other_group(self) -> int:
        """A group of ours that the client offers, and has no key in."""
        has = self.offered_shares()
        ours = [it for it in self.offered_groups() if it in shares.GROUPS and it not in has]
        if not ours:
            raise GoneAway("the client has keys in all of its groups")
        return ours[0]

    def retry(self, extensions: Extensions | None = None, **decided) -> None:
        """Sends a HelloRetryRequest."""
        body = self.retry_body(extensions, **decided)
        self.send_handshake(HandshakeType.SERVER_HELLO, body)
        self.after_retry(message(HandshakeType.SERVER_HELLO, body))

    def greet(self, **decided) -> None:
        """Reads the ClientHello, asks for another share if needed, and sends ServerHello."""
        self.read_hello()
        if not self.has_share():
            self.retry()
            self.read_hello(2)
        self.hello(**decided)

    def encrypted_extensions(self, extensions: Extensions = ()) -> None:
        """Sends EncryptedExtensions."""
        self.send_handshake(HandshakeType.ENCRYPTED_EXTENSIONS, encoded(extensions))

    def certificate_request(self, body: bytes | None = None) -> None:
        """Sends CertificateRequest (section 4.3.2)."""
        if body is None:
            schemes = [(Extension.SIGNATURE_ALGORITHMS, numbers(signing.USUAL))]
            body = b"\0" + encoded(schemes)
        self.send_handshake(HandshakeType.CERTIFICATE_REQUEST, body)

    def certificate_body(
        self,
        chain: Sequence[bytes] | None = None,
        *,
        context: bytes = b"",
        extensions: bytes = b"\0\0",
    ) -> bytes:
        """The body of a Certificate message (section 4.4.2)."""
        chain = [signing.certificate(self.plan.key)] if chain is None else chain
        listed = b"".join(vector(each, 3) + extensions for each in chain)
        return vector(context, 1) + vector(listed, 3)

    def certificate(self, chain: Sequence[bytes] | None = None, **decided) -> None:
        """Sends Certificate."""
        body = self.certificate_body(chain, **decided)
        self.send_handshake(HandshakeType.CERTIFICATE, body)

    def signature(
        self,
        *,
        key: str = "",
        scheme: int | None = None,
        context: bytes = signing.SERVER,
        transcript: bytes | None = None,
        **content: int | bytes,
    ) -> bytes:
        """The body of a CertificateVerify (section 4.4.3)."""
        key = key or self.plan.key
        scheme = signing.usual_scheme(key) if scheme is None else scheme
        digest = self.suite.digest(self.transcript if transcript is None else transcript)
        signed = signing.content(context, digest, **content)
        return scheme.to_bytes(2, "big") + vector(signing.sign(key, scheme, signed), 2)

    def certificate_verify(self, body: bytes | None = None, **decided) -> None:
        """Sends CertificateVerify."""
        body = self.signature(**decided) if body is None else body
        self.send_handshake(HandshakeType.CERTIFICATE_VERIFY, body)

    def finished(self, body: bytes | None = None, tamper: Tamper = HONEST) -> None:
        """Sends Finished, and goes on with the keys of application data."""
        body = self.verify_data(self.server_secret) if body is None else body
        self.send_handshake(HandshakeType.FINISHED, body, tamper)
        self.agree_on_traffic()
        self.write = self.protection(self.server_traffic)

    def open(self, **decided) -> None:
        """Reads the ClientHello, and answers it with the whole flight."""
        self.greet(**decided)
        self.hold()
        self.encrypted_extensions()
        if self.psk is None:
            self.certificate()
            self.certificate_verify()
        self.finished()
        self.release()

    def read_flight(self) -> None:
        """Reads the client's flight, up to its Finished."""
        if not self.read_until(lambda: self.client.finished):
            raise GoneAway(f"the client did not finish: {self.reply()}")
        self.mark()

    def ticket_body(
        self,
        *,
        lifetime: int = 3600,
        age_add: int = 0x1234,
        nonce: bytes = b"\0",
        identity: bytes | None = None,
        extensions: Extensions | None = None,
    ) -> bytes:
        """The body of a NewSessionTicket (section 4.6.1)."""
        identity = self.rng.randbytes(100) if identity is None else identity
        if extensions is None:
            most = self.plan.early_data.to_bytes(4, "big")
            extensions = [(Extension.EARLY_DATA, most)] if self.plan.early_data else []
        body = lifetime.to_bytes(4, "big") + age_add.to_bytes(4, "big") + vector(nonce, 1)
        return body + vector(identity, 2) + encoded(extensions)

    def ticket(self, **decided) -> Psk:
        """Sends NewSessionTicket, and returns what it stands for."""
        identity = decided.setdefault("identity", self.rng.randbytes(100))
        nonce = decided.setdefault("nonce", self.rng.randbytes(8))
        self.send_post(HandshakeType.NEW_SESSION_TICKET, self.ticket_body(**decided))
        key = schedule.ticket_key(self.suite, self.resumption, nonce)
        return Psk(identity, key, self.suite, age_add=decided.get("age_add", 0x1234), nonce=nonce)

    def send_post(self, kind: int, body: bytes) -> None:
        """Sends a message that no transcript has."""
        whole = message(kind, body)
        for at in range(0, len(whole), MAX_FRAGMENT):
            self.send(ContentType.HANDSHAKE, whole[at : at + MAX_FRAGMENT])

    @property
    def resumption(self) -> bytes:
        """The secret that tickets are made of, after the client's Finished."""
        return self.schedule.resumption(self.transcript)

    def handshake(self, **decided) -> Psk | None:
        """A whole handshake, as it should be; with a ticket if one is planned."""
        self.open(**decided)
        self.read_flight()
        tickets = [self.ticket() for _ in range(self.plan.tickets)]
        return tickets[-1] if tickets else None

    def check_binder(self, psk: Psk, before: bytes = b"") -> None:
        """Reads the ClientHello, which must have this key last, with the right binder.

        `before` is the transcript before that hello.
        """
        self.read_hello()
        body = self.offer.get(Extension.PRE_SHARED_KEY) or b""
        if psk.identity not in body:
            raise GoneAway("the client does not offer the ticket")
        length = psk.suite.hash_length
        cut = self.client.encoded[-1][: -3 - length]
        self.require(body[-length:] == psk.binder(before + cut), "the client's binder is wrong")

    def resume(self, psk: Psk, **decided) -> None:
        """Reads the ClientHello, which must have this key, and answers it, up to ServerHello."""
        self.check_binder(psk)
        self.suite, self.psk = psk.suite, psk
        if not self.skips:
            self.read_early(psk)
        self.hello(**decided)

    def read_early(self, psk: Psk) -> None:
        """Reads early data with the keys of a ticket, if the client offers some."""
        if self.offer.get(Extension.EARLY_DATA) is not None:
            secret = Schedule(psk.suite, psk.key).early_traffic(self.transcript)
            self.early = Protection(psk.suite, secret)

    def answer(self, page: bytes = PAGE) -> None:
        """Reads a request, and answers it."""
        self.read_request()
        self.send(ContentType.APPLICATION_DATA, page)

    def read_request(self) -> None:
        if not self.read_until(lambda: self.client.data == self.expected):
            raise GoneAway(f"the client sent no request: {self.reply()}")
        self.mark()

    def goodbye(self) -> None:
        """Sends close_notify and ends."""
        self.send(ContentType.ALERT, bytes([WARNING, Alert.CLOSE_NOTIFY]))
        self.end_sending()

    def forget_key_updates(self) -> None:
        """Takes the client's answers to requests out of what it did."""
        update = name_of(HandshakeType, HandshakeType.KEY_UPDATE)
        self.client.events = [it for it in self.client.events if it.detail != update]

    def reply(self) -> Reply:
        """Without early data, and the ChangeCipherSpec before a flight (appendix D.4)."""
        reply = super().reply()
        events = reply.events
        if self.early:
            events = tuple(event for event in events if event.kind != "data")
        if events and events[0].kind == "change_cipher_spec" and events[0].detail == "01":
            events = events[1:]
        return Reply(events, reply.end)

    # Reading.

    def opened(self) -> None:
        self.tolerates_clear = self.skips = False

    def _take(self, content_type: int, version: int, fragment: bytes) -> None:
        count = len(self.seen.events)
        if self.skips and not self.reads and content_type == ContentType.APPLICATION_DATA:
            return
        super()._take(content_type, version, fragment)
        if self.skips and self.seen.events[count:]:
            last = self.seen.events[-1]
            if last.kind == "record that does not open":
                self.seen.events.pop()

    def take(self, kind: int, body: bytes) -> str:
        client = self.client
        match kind:
            case HandshakeType.CLIENT_HELLO:
                client.hellos.append(Hello.parse(body))
                client.encoded.append(self._raw)
            case HandshakeType.CERTIFICATE:
                client.chain = certificates(body)
            case HandshakeType.CERTIFICATE_VERIFY:
                self._check_signature(body)
            case HandshakeType.END_OF_EARLY_DATA:
                client.end_of_early_data = True
            case HandshakeType.FINISHED:
                if body != self.verify_data(self.client_secret):
                    return "finished with wrong verify_data"
                client.finished = True
            case HandshakeType.KEY_UPDATE:
                client.key_updates.append(body[0])
        return name_of(HandshakeType, kind)

    def took_message(self, kind: int) -> None:
        match kind:
            case HandshakeType.FINISHED if self.client.finished:
                self.read_with(self.client_traffic)
            case HandshakeType.END_OF_EARLY_DATA:
                self.read_with(self.client_secret)
            case HandshakeType.KEY_UPDATE:
                self.require(not self._messages, "a message spans a change of keys")
                self.reads = [self.reads[0].updated()]

    def took_data(self, data: bytes) -> None:
        self.client.data += data
        if not self.expected.startswith(self.client.data):
            raise Broken("the client sends other data than its standard input")

    def _check_signature(self, body: bytes) -> None:
        signed = signing.content(signing.CLIENT, self.suite.digest(self.transcript))
        key = signing.public_key(self.client.chain[0])
        scheme = int.from_bytes(body[:2], "big")
        self.require(signing.verify(key, scheme, signed, body[4:]), "the signature is wrong")
