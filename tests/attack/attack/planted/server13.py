"""A server of TLS 1.3 with what is due in it, in whose methods faults are planted."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from random import SystemRandom

from cryptography import x509

from attack.planted import strict
from attack.planted.strict import Fatal, Gone, check
from attack.planted.strict_records import Strict
from attack.reply import SILENT
from attack.servers import SHARED_KEY, Server, Setup
from attack.tls13 import shares, signing
from attack.tls13.client import entry
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.peer import PSK_DHE_KE, Hello
from attack.tls13.schedule import Psk
from attack.tls13.suites import suite_of
from attack.wire import FATAL, WARNING, Alert, ContentType, Extension, HandshakeType

_PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nplanted\n"
_LAST_WORDS = 5.0
"""Seconds that a client may go on sending after the end."""
_POLL = 0.02
_WINDOW = 10.0
"""Seconds that the age of a ticket may be off for early data."""
_EARLY_DATA = 16384
_SCHEMES = {0x0403: "ec-p256", 0x0804: "server-2048", 0x0805: "server-2048", 0x0806: "server-2048"}


class Store:
    """The tickets of a server, and the hellos that had early data."""

    def __init__(self) -> None:
        self.tickets: dict[bytes, Psk] = {}
        self.early: set[bytes] = set()


class Connection(Strict, Hostile):
    """A connection of the planted server."""

    state = "first hello"

    def __init__(self, connected: socket.socket, setup: Setup, store: Store) -> None:
        super().__init__(connected, Plan(), SystemRandom())
        self.setup = setup
        self.store = store
        self.retried: tuple[int, int] | None = None
        """Suite and group of the HelloRetryRequest."""
        self.request = b""
        self.taken_early = 0
        self.accepts_early = False
        self.most_early_data = 0
        self.peer_key = None

    def serve(self) -> None:
        """A handshake, a request and its page."""
        try:
            if self.read_request_to_end():
                self.send(ContentType.APPLICATION_DATA, _PAGE)
                self.send(ContentType.ALERT, bytes([WARNING, Alert.CLOSE_NOTIFY]))
        except Fatal as fatal:
            self.send(ContentType.ALERT, bytes([FATAL, fatal.alert]))
        except Gone:
            pass
        self._end()

    def read_request_to_end(self) -> bool:
        """Waits for as long as the client does; says whether there is a request."""
        reached = False
        while not reached and self.seen.end in (None, SILENT):
            self.seen.end = None
            reached = self.read_until(self.has_request)
        return reached

    def has_request(self) -> bool:
        return self.state == "open" and self.request.endswith(b"\r\n\r\n")

    def _end(self) -> None:
        """Reads what is there, for else the close is a reset."""
        self.end_sending()
        self._socket.settimeout(_LAST_WORDS)
        with suppress(OSError):
            while self._socket.recv(1 << 16):
                pass

    # Order.

    def due(self) -> dict:
        return {
            "first hello": {HandshakeType.CLIENT_HELLO: self.take_hello},
            "second hello": {HandshakeType.CLIENT_HELLO: self.take_hello},
            "end of early data": {HandshakeType.END_OF_EARLY_DATA: self.take_end},
            "certificate": {HandshakeType.CERTIFICATE: self.take_certificate},
            "verify": {HandshakeType.CERTIFICATE_VERIFY: self.take_verify},
            "finished": {HandshakeType.FINISHED: self.take_finished},
            "open": {},
        }[self.state]

    def may_have_data(self) -> bool:
        return self.state in ("open", "end of early data")

    def took_data(self, data: bytes) -> None:
        if self.state == "end of early data":
            self.taken_early += len(data)
            self.check_early_length()
        self.request += data

    def check_early_length(self) -> None:
        check(self.taken_early <= self.most_early_data, Alert.UNEXPECTED_MESSAGE)

    # Hello.

    def take_hello(self, body: bytes) -> None:
        hello = self.parse_hello(body)
        found = dict(hello.extensions)
        self.check_fields(hello)
        versions = self.versions(found)
        check(0x0304 in versions, Alert.PROTOCOL_VERSION)
        self.check_boundary()
        groups, offered, modes = self.key_exchange(found)
        if Extension.PRE_SHARED_KEY in found:
            self.check_place(hello)
            self.check_modes(modes)
        schemes = self.schemes(found)
        self.suite = self.choose_suite(hello)
        group = self.choose_group(groups, offered)
        early = Extension.EARLY_DATA in found
        if early:
            check(not found[Extension.EARLY_DATA], Alert.DECODE_ERROR)
        if group not in dict(offered) and self.retried is None:
            self.ask_again(hello, group, early)
            return
        if self.retried is not None:
            self.check_second(hello, offered, early)
        self.agree_on_secret(group, dict(offered)[group])
        self.psk, index = self.choose_psk(found, modes or ())
        self.client.hellos = [hello]
        self.noted_message()
        self.accepts_early = early and self.takes_early(index, found)
        self.skips = early and not self.accepts_early
        if self.accepts_early:
            self.read_early(self.psk)
        self.answer_hello(group, index, schemes)

    def parse_hello(self, body: bytes) -> Hello:
        reader = strict.whole(body)
        version, random, session_id = reader.number(2), reader.take(32), reader.vector(1)
        check(len(session_id) <= 32, Alert.DECODE_ERROR)
        suites, compression = reader.numbers(2), reader.vector(1, 1)
        extensions = strict.extensions(reader) if reader else []
        reader.end()
        return Hello(random, session_id, suites, extensions, version, compression)

    def check_fields(self, hello: Hello) -> None:
        check(hello.version != 0x0300, Alert.PROTOCOL_VERSION)
        self.check_compression(hello)

    def check_compression(self, hello: Hello) -> None:
        check(hello.compression == b"\0", Alert.ILLEGAL_PARAMETER)

    def versions(self, found: dict[int, bytes]) -> list[int]:
        body = found.get(Extension.SUPPORTED_VERSIONS)
        # TLS 1.2 at most; there must be something to choose a key exchange by.
        return [0x0303] if body is None else strict.listed(body, 1)

    def key_exchange(self, found: dict[int, bytes]) -> tuple[list, list, bytes | None]:
        groups, listed = found.get(Extension.SUPPORTED_GROUPS), found.get(Extension.KEY_SHARE)
        check(groups is not None and listed is not None, Alert.MISSING_EXTENSION)
        offered = strict.entries(strict.alone(strict.whole(listed), 2))
        modes = found.get(Extension.PSK_KEY_EXCHANGE_MODES)
        modes = None if modes is None else strict.alone(strict.whole(modes), 1, 1)
        return strict.listed(groups, 2), offered, modes

    def schemes(self, found: dict[int, bytes]) -> list[int]:
        body = found.get(Extension.SIGNATURE_ALGORITHMS)
        check(body is not None, Alert.MISSING_EXTENSION)
        return strict.listed(body, 2)

    def check_place(self, hello: Hello) -> None:
        last = hello.extensions[-1][0] == Extension.PRE_SHARED_KEY
        check(last, Alert.ILLEGAL_PARAMETER)

    def check_modes(self, modes: bytes | None) -> None:
        check(modes is not None, Alert.MISSING_EXTENSION)

    def choose_suite(self, hello: Hello):
        if self.retried is not None:
            check(self.retried[0] in hello.suites, Alert.ILLEGAL_PARAMETER)
            return suite_of(self.retried[0])
        ours = [suite_of(number) for number in hello.suites if suite_of(number)]
        check(bool(ours), Alert.HANDSHAKE_FAILURE)
        return ours[0]

    def choose_group(self, groups: list[int], offered: list[tuple[int, bytes]]) -> int:
        if self.retried is not None:
            return self.retried[1]
        ours = [group for group in groups if group in shares.GROUPS]
        check(bool(ours), Alert.HANDSHAKE_FAILURE)
        has = dict(offered)
        return next((group for group in ours if group in has), ours[0])

    def ask_again(self, hello: Hello, group: int, early: bool) -> None:
        self.retried = self.suite.id, group
        self.client.hellos = [hello]
        self.noted_message()
        self.skips = early
        self.retry([(Extension.SUPPORTED_VERSIONS, b"\3\4"), (51, group.to_bytes(2, "big"))])
        self.state = "second hello"

    def check_second(self, hello: Hello, offered: list, early: bool) -> None:
        self.check_same(self.client.hellos[0], hello)
        self.check_second_share(offered)
        check(not early, Alert.ILLEGAL_PARAMETER)
        cookie = dict(hello.extensions).get(Extension.COOKIE)
        check(cookie is None, Alert.ILLEGAL_PARAMETER)

    def check_same(self, first: Hello, second: Hello) -> None:
        """The second hello is the first one but for what section 4.1.2 lists."""
        for name in ("version", "random", "session_id", "suites", "compression"):
            check(getattr(first, name) == getattr(second, name), Alert.ILLEGAL_PARAMETER)
        may_change = {
            Extension.COOKIE,
            Extension.KEY_SHARE,
            Extension.EARLY_DATA,
            Extension.PADDING,
            Extension.PRE_SHARED_KEY,
        }
        left = [
            [it for it in hello.extensions if it[0] not in may_change] for hello in (first, second)
        ]
        check(left[0] == left[1], Alert.ILLEGAL_PARAMETER)

    def check_second_share(self, offered: list) -> None:
        alone = [group for group, _ in offered] == [self.retried[1]]
        check(alone, Alert.ILLEGAL_PARAMETER)

    def agree_on_secret(self, group: int, share: bytes) -> None:
        key = shares.generate(group, self.rng)
        self.own_share = entry(group, key.share)
        self.secret = self.exchange(key, share)

    def exchange(self, key: shares.KeyPair, share: bytes) -> bytes:
        try:
            return key.agree(share)
        except shares.BadShare as reason:
            raise Fatal(Alert.ILLEGAL_PARAMETER) from reason

    # Pre-shared keys.

    def choose_psk(self, found: dict[int, bytes], modes: bytes) -> tuple[Psk | None, int]:
        body = found.get(Extension.PRE_SHARED_KEY)
        if body is None:
            return None, 0
        listed, binders, length = strict.identities(body)
        for index, (identity, age) in enumerate(listed):
            psk = self.known(identity)
            if psk is None or not self.fits(psk) or PSK_DHE_KE not in modes:
                continue
            self.check_binder_of(psk, binders[index], length)
            self.age = age
            return psk, index
        return None, 0

    def known(self, identity: bytes) -> Psk | None:
        """The key of an identity, if it is still good."""
        if self.setup.shared_key and identity == SHARED_KEY.identity:
            return SHARED_KEY
        psk = self.find(identity)
        if psk is None or not self.is_young(psk):
            return None
        return psk

    def find(self, identity: bytes) -> Psk | None:
        return self.store.tickets.get(identity)

    def is_young(self, psk: Psk) -> bool:
        return time.monotonic() - psk.born <= (self.setup.lifetime or 3600)

    def fits(self, psk: Psk) -> bool:
        return psk.suite.hash == self.suite.hash

    def check_binder_of(self, psk: Psk, binder: bytes, length: int) -> None:
        check(len(binder) == psk.suite.hash_length, Alert.ILLEGAL_PARAMETER)
        right = psk.binder(self.transcript + self._raw[:-length])
        check(self.is_binder(right, binder), Alert.DECRYPT_ERROR)

    def is_binder(self, right: bytes, binder: bytes) -> bool:
        return right == binder

    def takes_early(self, index: int, found: dict[int, bytes]) -> bool:
        psk = self.psk
        if psk is None or index or not psk.most_early_data or psk.suite != self.suite:
            return False
        self.most_early_data = psk.most_early_data
        return self.is_timely(psk) and self.is_new(found)

    def is_timely(self, psk: Psk) -> bool:
        age = (self.age - psk.age_add) % (1 << 32) / 1000
        return abs(time.monotonic() - psk.born - age) < _WINDOW

    def is_new(self, found: dict[int, bytes]) -> bool:
        """Whether this hello has had no early data before."""
        binder = found[Extension.PRE_SHARED_KEY][-32:]
        seen = binder in self.store.early
        self.store.early.add(binder)
        return not seen

    # The flight.

    def answer_hello(self, group: int, index: int, schemes: list[int]) -> None:
        del group
        self.hold()
        extensions = [(Extension.SUPPORTED_VERSIONS, b"\3\4"), (51, self.own_share)]
        if self.psk is not None:
            extensions.append((Extension.PRE_SHARED_KEY, index.to_bytes(2, "big")))
        self.hello(extensions=extensions)
        self.encrypted_extensions([(42, b"")] if self.accepts_early else [])
        asks = self.psk is None and self.setup.client_auth != "none"
        if asks:
            self.certificate_request()
        if self.psk is None:
            usable = [scheme for scheme in schemes if scheme in _SCHEMES]
            if not usable:
                self._held = None
                self.write = None
                raise Fatal(Alert.HANDSHAKE_FAILURE)
            self.plan = replace(self.plan, key=_SCHEMES[usable[0]])
            self.certificate()
            self.certificate_verify(scheme=usable[0])
        self.finished()
        self.release()
        self.flight = self.transcript
        self.state = "certificate" if asks else "finished"
        if self.accepts_early:
            self.state = "end of early data"

    def use_handshake(self) -> None:
        self.agree(self.psk.key if self.psk else b"", self.secret)
        self.write = self.protection(self.server_secret)
        self.reads = [self.early or self.protection(self.client_secret)]

    # The second flight.

    def take_end(self, body: bytes) -> None:
        check(not body, Alert.DECODE_ERROR)
        self.noted_message()
        self.change_reads(self.client_secret)
        self.state = "finished"

    def take_certificate(self, body: bytes) -> None:
        context, chain = strict.certificates(body)
        check(context == b"", Alert.ILLEGAL_PARAMETER)
        check(not any(extensions for _, extensions in chain), Alert.UNSUPPORTED_EXTENSION)
        self.noted_message()
        if not chain:
            self.check_optional()
            self.state = "finished"
            return
        try:
            self.peer_key = x509.load_der_x509_certificate(chain[0][0]).public_key()
        except ValueError as reason:
            raise Fatal(Alert.BAD_CERTIFICATE) from reason
        self.state = "verify"

    def check_optional(self) -> None:
        check(self.setup.client_auth != "require", Alert.CERTIFICATE_REQUIRED)

    def take_verify(self, body: bytes) -> None:
        scheme, signature = strict.signature(body)
        self.check_scheme(scheme)
        digest = self.suite.digest(self.transcript)
        good = any(
            self.verify(scheme, signing.content(context, digest), signature)
            for context in self.contexts()
        )
        check(good, Alert.DECRYPT_ERROR)
        self.noted_message()
        self.state = "finished"

    def contexts(self) -> tuple[bytes, ...]:
        return (signing.CLIENT,)

    def check_scheme(self, scheme: int) -> None:
        on_curve = hasattr(self.peer_key, "curve")
        usable = (0x0403,) if on_curve else (0x0804, 0x0805, 0x0806)
        check(scheme in usable, Alert.ILLEGAL_PARAMETER)

    def verify(self, scheme: int, signed: bytes, signature: bytes) -> bool:
        return signing.verify(self.peer_key, scheme, signed, signature)

    def take_finished(self, body: bytes) -> None:
        self.check_finished(self.verify_data(self.client_secret), body)
        self.noted_message()
        self.change_reads(self.client_traffic)
        self.state = "open"
        self.give_ticket()

    def give_ticket(self) -> None:
        if not self.setup.tickets:
            return
        most = _EARLY_DATA if self.setup.early_data else 0
        self.plan = replace(self.plan, early_data=most)
        lifetime = self.setup.lifetime or 3600
        age_add = self.rng.getrandbits(32)
        psk = self.ticket(lifetime=lifetime, age_add=age_add)
        self.store.tickets[psk.identity] = replace(
            psk, born=time.monotonic(), lifetime=lifetime, most_early_data=most
        )


@contextmanager
def serving(setup: Setup) -> Iterator[Server]:
    """A server in this process."""
    store = Store()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # The conversation is over then; what the client saw of it is what counts.
            with suppress(OSError):
                Connection(self.request, setup, store).serve()

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
        thread.start()
        try:
            yield Server("planted", server.server_address, None)
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        """A broken server is what this is about; the client sees how it breaks."""
