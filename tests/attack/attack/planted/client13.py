"""A client of TLS 1.3 with what is due in it, in whose methods faults are planted.

It has the command line and the exit codes of `sslprov connect`.
"""

import threading
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import SystemRandom

from cryptography import x509

from attack.client import REQUEST
from attack.planted import strict
from attack.planted.strict import Fatal, Gone, check
from attack.planted.strict_records import Strict
from attack.tls13 import shares, signing
from attack.tls13.client import Client, Offer
from attack.tls13.hostile import Plan
from attack.tls13.peer import RETRY, Hello, ServerHello
from attack.tls13.protection import Protection
from attack.tls13.schedule import Psk
from attack.tls13.suites import AES256_GCM, suite_of
from attack.wire import (
    FATAL,
    TLS1_3,
    WARNING,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    vector,
)

_FIRST_WAS_GOOD = 3
_LONGEST_CHAIN = 10


class Connection(Strict, Client):
    """A connection of the planted client."""

    state = "server hello"

    def __init__(self, port: int, offer: Offer, plan: Plan, options: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", port), offer, SystemRandom())
        self.plan = plan
        self.options = options
        self.asked = False
        self.early: Protection | None = None
        self.takes_early = False
        self.peer_key = None
        self.delivered = b""
        self.alerts = b""
        self.ended = False

    def connect(self) -> None:
        """A handshake."""
        self.send_hello()
        self.early = self.write
        if self.early is not None:
            self.send(ContentType.APPLICATION_DATA, self.early_data()[: self.most_early_data()])
        self._socket.settimeout(15)
        if not self.read_until(lambda: self.state == "open"):
            raise Gone

    def early_data(self) -> bytes:
        """What is sent before standard input where there is a ticket."""
        path = self.options.get("--early-data")
        return Path(path).read_bytes() if path and self.offer.psks else b""

    def most_early_data(self) -> int:
        return self.offer.psks[0].most_early_data

    def unsent(self) -> bytes:
        """Early data that the server does not have."""
        sent = self.most_early_data() if self.takes_early else 0
        return self.early_data()[sent:]

    def hello(self) -> Hello:
        hello = super().hello()
        name = f"{self.plan.key}.test".encode()
        hello.put(Extension.SERVER_NAME, vector(b"\0" + vector(name, 2), 2))
        if "--alpn" in self.options:
            names = self.options["--alpn"].encode().split(b",")
            listed = b"".join(vector(name, 1) for name in names)
            hello.put(Extension.APPLICATION_PROTOCOLS, vector(listed, 2))
        return hello

    def read_to_end(self) -> bool:
        """Takes what comes; says whether it was whole."""
        with suppress(Gone):
            self.read_until(lambda: False)
        return self.is_whole()

    def is_whole(self) -> bool:
        return self.alerts == bytes([WARNING, Alert.CLOSE_NOTIFY])

    # Order.

    def due(self) -> dict:
        certificate = {HandshakeType.CERTIFICATE: self.take_certificate}
        return {
            "server hello": {HandshakeType.SERVER_HELLO: self.take_server_hello},
            "extensions": {HandshakeType.ENCRYPTED_EXTENSIONS: self.take_extensions},
            "request or certificate": certificate
            | {HandshakeType.CERTIFICATE_REQUEST: self.take_request},
            "certificate": certificate,
            "verify": {HandshakeType.CERTIFICATE_VERIFY: self.take_verify},
            "finished": {HandshakeType.FINISHED: self.take_finished},
            "open": {HandshakeType.NEW_SESSION_TICKET: self.take_ticket},
        }[self.state]

    def check_change_place(self) -> None:
        check(self.state != "open", Alert.UNEXPECTED_MESSAGE)

    def took_data(self, data: bytes) -> None:
        self.delivered += data

    # ServerHello.

    def take_server_hello(self, body: bytes) -> None:
        hello = self.parse(body)
        retries = hello.random == RETRY
        self.check_hello(hello)
        self.check_boundary()
        allowed = {43, 51, 44} if retries else {43, 51, 41}
        self.check_extensions(hello.extensions, allowed)
        self.suite = suite_of(hello.suite)
        self.noted_message()
        if retries:
            self.take_retry(hello)
            return
        first = self.server.retry
        self.check_suite_again(first is None or first.suite == hello.suite)
        self.server.hello = hello
        self._agree_on(hello.extensions)
        self.change_reads(self.server_secret)
        self.protect()
        self.state = "extensions"

    def parse(self, body: bytes) -> ServerHello:
        reader = strict.whole(body)
        version, random, session_id = reader.number(2), reader.take(32), reader.vector(1)
        suite, compression = reader.number(2), reader.number(1)
        found = strict.extensions(reader) if reader else []
        reader.end()
        return ServerHello(version, random, session_id, suite, compression, dict(found))

    def check_hello(self, hello: ServerHello) -> None:
        check(hello.version == 0x0303, Alert.ILLEGAL_PARAMETER)
        chosen = hello.extensions.get(Extension.SUPPORTED_VERSIONS)
        check(chosen is not None, Alert.PROTOCOL_VERSION)
        check(len(chosen) == 2, Alert.DECODE_ERROR)
        check(int.from_bytes(chosen, "big") == TLS1_3, Alert.ILLEGAL_PARAMETER)
        check(len(hello.session_id) <= 32, Alert.DECODE_ERROR)
        check(hello.session_id == self.session_id, Alert.ILLEGAL_PARAMETER)
        self.check_compression(hello)
        self.check_suite(hello)

    def check_compression(self, hello: ServerHello) -> None:
        check(hello.compression == 0, Alert.ILLEGAL_PARAMETER)

    def check_suite(self, hello: ServerHello) -> None:
        check(hello.suite in self.offer.suites, Alert.ILLEGAL_PARAMETER)

    def check_suite_again(self, same: bool) -> None:
        check(same, Alert.ILLEGAL_PARAMETER)

    def check_extensions(self, found: dict[int, bytes], allowed: set[int]) -> None:
        """Nothing that was not offered, and all in their places (section 4.2)."""
        for kind in found:
            offered = self.sent.get(kind) is not None or kind == Extension.COOKIE
            check(offered, Alert.UNSUPPORTED_EXTENSION)
            check(kind in allowed, Alert.ILLEGAL_PARAMETER)

    def take_retry(self, hello: ServerHello) -> None:
        self.check_first_retry()
        self.server.retry = hello
        found = hello.extensions
        check(Extension.KEY_SHARE in found or Extension.COOKIE in found, Alert.ILLEGAL_PARAMETER)
        if Extension.KEY_SHARE in found:
            check(len(found[Extension.KEY_SHARE]) == 2, Alert.DECODE_ERROR)
            group = int.from_bytes(found[Extension.KEY_SHARE], "big")
            self.check_group(group)
        if Extension.COOKIE in found:
            strict.alone(strict.whole(found[Extension.COOKIE]), 2, 1)
        self.after_retry(self._raw)
        self.write = None
        self.send_hello(self.second_hello())

    def check_first_retry(self) -> None:
        check(self.server.retry is None, Alert.UNEXPECTED_MESSAGE)

    def check_group(self, group: int) -> None:
        fits = group in self.offer.groups and group not in self.shared()
        check(fits, Alert.ILLEGAL_PARAMETER)

    def shared(self) -> list[int]:
        """Groups of the key shares of the last hello."""
        listed = self.sent.get(Extension.KEY_SHARE)
        return [group for group, _ in strict.entries(listed[2:])]

    def _agree_on(self, found: dict[int, bytes]) -> None:
        check(Extension.KEY_SHARE in found, Alert.MISSING_EXTENSION)
        reader = strict.whole(found[Extension.KEY_SHARE])
        group, share = reader.number(2), reader.vector(2, 1)
        reader.end()
        check(group in self.shared(), Alert.ILLEGAL_PARAMETER)
        secret = self.exchange(self.keys[group], share)
        key = b""
        if Extension.PRE_SHARED_KEY in found:
            check(len(found[Extension.PRE_SHARED_KEY]) == 2, Alert.DECODE_ERROR)
            index = int.from_bytes(found[Extension.PRE_SHARED_KEY], "big")
            self.check_index(index)
            taken = self.offer.psks[min(index, len(self.offer.psks) - 1)]
            check(taken.suite.hash == self.suite.hash, Alert.ILLEGAL_PARAMETER)
            self.server.psk, key = index, taken.key
        self.agree(key, secret)

    def exchange(self, key: shares.KeyPair, share: bytes) -> bytes:
        try:
            return key.agree(share)
        except shares.BadShare as reason:
            raise Fatal(Alert.ILLEGAL_PARAMETER) from reason

    def check_index(self, index: int) -> None:
        check(index < len(self.offer.psks), Alert.ILLEGAL_PARAMETER)

    # The rest of the flight.

    def take_extensions(self, body: bytes) -> None:
        reader = strict.whole(body)
        found = dict(strict.extensions(reader))
        reader.end()
        self.check_extensions(found, {0, 10, 16, 42})
        self.takes_early = Extension.EARLY_DATA in found
        if self.takes_early:
            check(not found[Extension.EARLY_DATA], Alert.DECODE_ERROR)
            self.check_early()
        check(not found.get(Extension.SERVER_NAME), Alert.DECODE_ERROR)
        if Extension.SUPPORTED_GROUPS in found:
            strict.listed(found[Extension.SUPPORTED_GROUPS], 2)
        if Extension.APPLICATION_PROTOCOLS in found:
            names = strict.whole(found[Extension.APPLICATION_PROTOCOLS])
            one = strict.whole(strict.alone(names, 2, 1))
            name = strict.alone(one, 1, 1)
            offered = self.options.get("--alpn", "").encode().split(b",")
            check(name in offered, Alert.ILLEGAL_PARAMETER)
        self.noted_message()
        self.state = "request or certificate" if self.server.psk is None else "finished"

    def check_early(self) -> None:
        """It is taken with the first ticket and its suite only."""
        right = self.server.psk == 0 and self.offer.psks[0].suite == self.suite
        check(right, Alert.ILLEGAL_PARAMETER)

    def take_request(self, body: bytes) -> None:
        reader = strict.whole(body)
        check(reader.vector(1) == b"", Alert.ILLEGAL_PARAMETER)
        found = dict(strict.extensions(reader))
        reader.end()
        check(Extension.SIGNATURE_ALGORITHMS in found, Alert.MISSING_EXTENSION)
        strict.listed(found[Extension.SIGNATURE_ALGORITHMS], 2)
        self.noted_message()
        self.asked, self.state = True, "certificate"

    def take_certificate(self, body: bytes) -> None:
        context, chain = strict.certificates(body)
        check(context == b"", Alert.ILLEGAL_PARAMETER)
        check(bool(chain), Alert.DECODE_ERROR)
        check(not any(extensions for _, extensions in chain), Alert.UNSUPPORTED_EXTENSION)
        check(len(chain) <= _LONGEST_CHAIN, Alert.BAD_CERTIFICATE)
        try:
            self.peer_key = x509.load_der_x509_certificate(chain[0][0]).public_key()
        except ValueError as reason:
            raise Fatal(Alert.BAD_CERTIFICATE) from reason
        check(self.trusts(chain[0][0]), Alert.BAD_CERTIFICATE)
        self.noted_message()
        self.state = "verify"

    def trusts(self, leaf: bytes) -> bool:
        """Whether this is the certificate to trust."""
        wanted = self.options.get("--server-name", f"{self.plan.key}.test")
        right = leaf == signing.certificate(self.plan.key) and wanted == f"{self.plan.key}.test"
        return right or "--insecure" in self.options

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
        return (signing.SERVER,)

    def check_scheme(self, scheme: int) -> None:
        on_curve = hasattr(self.peer_key, "curve")
        usable = (0x0403,) if on_curve else (0x0804, 0x0805, 0x0806)
        check(scheme in usable, Alert.ILLEGAL_PARAMETER)

    def verify(self, scheme: int, signed: bytes, signature: bytes) -> bool:
        return signing.verify(self.peer_key, scheme, signed, signature)

    def take_finished(self, body: bytes) -> None:
        self.check_finished(self.verify_data(self.server_secret), body)
        self.noted_message()
        self.check_boundary()
        self.agree_on_traffic()
        self.hold()
        self.change_cipher_spec()
        if self.takes_early:
            self.write = self.early
            self.send_handshake(HandshakeType.END_OF_EARLY_DATA, b"")
            self.protect()
        if self.asked:
            self.send_handshake(HandshakeType.CERTIFICATE, self.certificate_body([]))
        self.finished()
        self.release()
        self.change_reads(self.server_traffic)
        self.use_traffic()
        self.state = "open"

    def take_ticket(self, body: bytes) -> None:
        reader = strict.whole(body)
        reader.take(8)
        reader.vector(1)
        reader.vector(2, 1)
        most = dict(strict.extensions(reader)).get(Extension.EARLY_DATA, bytes(4))
        reader.end()
        check(len(most) == 4, Alert.DECODE_ERROR)
        psk = self._ticket(body)
        if psk.lifetime:
            self.server.tickets.append(psk)


class Conversation(threading.Thread):
    """A client that runs."""

    def __init__(self, port: int, plan: Plan, options: tuple[str, ...]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._plan = plan
        self._resumes = "--resume" in options
        self._options = dict(pairwise((*options, "")))
        self._delivered = b""
        self._code = 1

    def run(self) -> None:
        psks: list[Psk] = []
        for last in (False, True) if self._resumes else (True,):
            connection = None
            try:
                connection = Connection(self._port, self._offer(psks), self._plan, self._options)
                connection.connect()
                self._code = _FIRST_WAS_GOOD
                if last:
                    if rest := connection.unsent() if psks else b"":
                        connection.send(ContentType.APPLICATION_DATA, rest)
                    connection.send(ContentType.APPLICATION_DATA, REQUEST)
                good = connection.read_to_end()
                psks = connection.server.tickets[-1:]
                connection.send(ContentType.ALERT, bytes([WARNING, Alert.CLOSE_NOTIFY]))
                resumed = connection.server.psk is not None
                if last and good and (not self._resumes or resumed):
                    self._code = 0
            except Fatal as fatal:
                connection.send(ContentType.ALERT, bytes([FATAL, fatal.alert]))
                return
            except (Gone, OSError):
                return
            finally:
                if connection is not None:
                    self._delivered += connection.delivered
                    connection.close()

    def _offer(self, psks: list[Psk]) -> Offer:
        offer = {"psks": psks, "groups": (29, 23, 24, 25)}
        if psks and psks[0].most_early_data and "--early-data" in self._options:
            offer["early_data"] = True
        if "--suites" in self._options:
            offer["suites"] = [AES256_GCM.id]
        return Offer(**offer)

    def wait(self, seconds: float) -> str | None:
        self.join(seconds)
        return None if self.is_alive() else f"exit code {self._code}"

    def delivered(self) -> bytes:
        return self._delivered

    def close(self) -> None:
        """There is nothing to be forgotten."""


class Planted:
    """Starts clients in threads of this process."""

    def start(self, port: int, plan: Plan, options: tuple[str, ...]) -> Conversation:
        conversation = Conversation(port, plan, options)
        conversation.start()
        return conversation
