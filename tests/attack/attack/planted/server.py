"""A server made of tlslite-ng's, with places for faults.

Without a fault it does what a server should, but for what `attack.planted.differences` lists.
"""

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from unittest import mock

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import (
    AlertDescription,
    AlertLevel,
    CipherSuite,
    ContentType,
    ExtensionType,
    HandshakeType,
)
from tlslite.errors import BaseTLSException, TLSBadRecordMAC, TLSDecodeError
from tlslite.extensions import RenegotiationInfoExtension
from tlslite.keyexchange import RSAKeyExchange
from tlslite.messages import Alert, ClientHello, Finished, ServerHello
from tlslite.utils.codec import Parser
from tlslite.utils.cryptomath import numBytes

from attack.servers import Credentials, Server, Setup

_MOST_RENEGOTIATIONS = 16
_PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nplanted\n"
_LAST_WORDS = 5.0
"""Seconds that a client may go on sending after the end."""
_POLL = 0.02
"""Seconds until the server sees that it is to end."""


class HangsUp(Exception):
    """Ends a connection without a word."""


class Connection(TLSConnection):
    """A connection of the planted server."""

    late_alert: int | None = None
    """Stands in for bad_record_mac after a bad block."""

    def __init__(self, request, arguments: dict, setup: Setup) -> None:
        super().__init__(request)
        self.request = request
        self.arguments = arguments
        """Of each handshake."""
        self.setup = setup
        self.client_verify_data = b""
        self.server_verify_data = b""
        self.renegotiations = 0
        self.signalled = False
        """Whether the client has signalled that it can renegotiate securely."""

    def serve(self) -> None:
        """A handshake, a request and its page."""
        self.handshakeServer(**self.arguments)
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            if not (more := self.read(min=1)):
                return
            request += more
        self.write(_PAGE)
        self.close()

    def passes_over(self, header, parser) -> bool:
        """Whether the server goes on as if a record or a message had not come."""
        if not self.setup.renegotiation or self.closed or header.type != ContentType.handshake:
            return False
        if parser.bytes[0] != HandshakeType.client_hello or not self.session:
            return False
        self.renegotiate(header, parser)
        return True

    def renegotiate(self, header, parser) -> None:
        """Has another handshake, which begins with this message, if it is bound to the last one."""
        hello = ClientHello().parse(Parser(parser.bytes[1:]))
        if not self.signalled or self.renegotiations == _MOST_RENEGOTIATIONS:
            refusal = Alert().create(AlertDescription.no_renegotiation, AlertLevel.warning)
            _run(self._sendMsg(refusal))
            return
        refused = self.refuses(hello)
        if refused is not None:
            _run(self._sendError(refused))
        self.renegotiations += 1
        again(self, header, parser)

    def refuses(self, hello: ClientHello) -> int | None:
        """The alert for a hello that is not bound to the handshake before it, or less than that."""
        info = _GET_EXTENSION(hello, ExtensionType.renegotiation_info)
        signals = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites
        if signals or not self.is_bound(info and info.renegotiated_connection):
            return AlertDescription.handshake_failure
        if hello.client_version < self.version:
            return AlertDescription.protocol_version
        has_extended = hello.getExtension(ExtensionType.extended_master_secret)
        if self.extendedMasterSecret and not has_extended:
            return AlertDescription.handshake_failure
        return None

    def is_bound(self, sent: bytearray | None) -> bool:
        """Whether this is the client's verify_data of the handshake before."""
        return sent is not None and bytes(sent) == self.client_verify_data

    def _sendMsg(self, message, *arguments, **options):
        if isinstance(message, ServerHello) and message.extensions:
            self._complete(message)
        if isinstance(message, Finished):
            self.server_verify_data = bytes(message.verify_data)
        return super()._sendMsg(message, *arguments, **options)

    def _complete(self, hello: ServerHello) -> None:
        """tlslite-ng knows first handshakes only, and leaves renegotiation_info empty."""
        info = hello.getExtension(ExtensionType.renegotiation_info)
        self.signalled = info is not None
        if info is not None:
            both = self.client_verify_data + self.server_verify_data
            info.renegotiated_connection = bytearray(both)

    def _getMsg(self, *arguments, **options):
        for result in super()._getMsg(*arguments, **options):
            if isinstance(result, Finished):
                self.client_verify_data = bytes(result.verify_data)
            yield result

    def keeps(self, resumable: bool) -> bool:
        """Whether the session of a connection that ends can be resumed."""
        return resumable

    def _getNextRecord(self):
        for result in super()._getNextRecord():
            if result in (0, 1) or not self.passes_over(*result):
                yield result

    def _sendFinished(self, *arguments, **options):
        # tlslite-ng keeps the session a moment later, when the client may be back already.
        if self.session:
            self.arguments["sessionCache"][self.session.sessionID] = self.session
        return super()._sendFinished(*arguments, **options)

    def _shutdown(self, resumable):
        resumable = self.keeps(resumable)
        # tlslite-ng forgets the session a moment later.
        if not resumable and self.session:
            self.session.resumable = False
        self._end()
        super()._shutdown(resumable)

    def _end(self) -> None:
        """Reads what is there, for else the close is a reset."""
        with suppress(OSError):
            self.request.shutdown(socket.SHUT_WR)
            self.request.settimeout(_LAST_WORDS)
            while self.request.recv(1 << 16):
                pass

    def _sendError(self, description, text=None):
        if self.late_alert is not None and description == AlertDescription.bad_record_mac:
            description = self.late_alert
        return super()._sendError(description, text)


class KeyExchange(RSAKeyExchange):
    """The key exchange of the planted server.

    It looks at the block as no server should that can be timed.
    """

    late_alert: int | None = None
    """What a connection says after a bad block in place of bad_record_mac."""
    connection = threading.local()

    def processClientKeyExchange(self, message):
        encrypted = message.encryptedPreMasterSecret
        if len(encrypted) != numBytes(self.privateKey.n):
            raise TLSDecodeError("the ciphertext is not as long as the modulus")
        block = self.block(encrypted)
        good = self.takes(block)
        if not good:
            self.connection.now.late_alert = self.late_alert
        return bytearray(self.premaster(block, good))

    def block(self, encrypted: bytearray) -> bytes:
        """What a ciphertext decrypts to; nothing when it is not below the modulus."""
        if int.from_bytes(encrypted, "big") >= self.privateKey.n:
            return b""
        return bytes(self.privateKey._raw_private_key_op_bytes(encrypted))

    def takes(self, block: bytes) -> bool:
        """Whether a block is a good one."""
        return is_padded(block) and block[-48:-46] == bytes(self.clientHello.client_version)

    def premaster(self, block: bytes, good: bool) -> bytes:
        """The premaster secret of a block."""
        return block[-48:] if good else os.urandom(48)


def again(connection: Connection, header, parser) -> None:
    """Begins a handshake with a message that has come."""
    # What a handshake begins with: nothing is open, and no message is there but this one.
    connection.closed = True
    messages = connection._defragmenter
    messages.clear_buffers = partial(messages.add_data, header.type, parser.bytes)
    connection.handshakeServer(**connection.arguments)


def _run(steps) -> None:
    """Has something done to its end."""
    for _ in steps:
        pass


def _get_extension(hello: ClientHello, kind: int):
    """In a renegotiation, what stands in renegotiation_info has been looked at before."""
    found = _GET_EXTENSION(hello, kind)
    connection = getattr(KeyExchange.connection, "now", None)
    if kind == ExtensionType.renegotiation_info and connection and connection.renegotiations:
        return found and RenegotiationInfoExtension().create(bytearray())
    return found


_GET_EXTENSION = ClientHello.getExtension


def is_padded(block: bytes) -> bool:
    """Whether a block has 48 bytes in it as RFC 8017 section 7.2.1 has them."""
    return block[:2] == b"\0\2" and 0 not in block[2:-49] and block[-49] == 0


@contextmanager
def serving(name: str, credentials: Credentials, setup: Setup) -> Iterator[Server]:
    """A server in this process."""
    chain = X509CertChain()
    chain.parsePemList(credentials.certificate.read_text())
    arguments = {
        "certChain": chain,
        "privateKey": parsePEMKey(credentials.key.read_text(), private=True),
        "reqCert": setup.client_auth != "none",
        "sessionCache": SessionCache(),
        "settings": _settings(setup),
    }

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = KeyExchange.connection.now = Connection(self.request, arguments, setup)
            # The conversation is over then; what the client saw of it is what counts.
            with suppress(BaseTLSException, HangsUp, OSError):
                connection.serve()

    with ExitStack() as stack:
        stack.enter_context(mock.patch("tlslite.tlsconnection.RSAKeyExchange", KeyExchange))
        # tlslite-ng has an alert of its own for a record that is no whole number of blocks.
        stack.enter_context(mock.patch("tlslite.recordlayer.TLSDecryptionFailed", TLSBadRecordMAC))
        if setup.renegotiation:
            stack.enter_context(
                mock.patch("tlslite.messages.ClientHello.getExtension", _get_extension)
            )
        server = stack.enter_context(_Server(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
        thread.start()
        try:
            yield Server(name, server.server_address, None)
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        """A broken server is what this is about; the client sees how it breaks."""


def _settings(setup: Setup) -> HandshakeSettings:
    settings = HandshakeSettings()
    settings.minVersion = (3, 1) if setup.tls13 else (3, 2)
    settings.maxVersion = (3, 4) if setup.tls13 else (3, 3)
    settings.keyExchangeNames = ["rsa"]
    if setup.ephemeral:
        settings.keyExchangeNames = ["ecdhe_rsa", "dhe_rsa", "rsa"]
        settings.eccCurves = ["x25519", "secp256r1"]
        settings.dhGroups = ["ffdhe2048"]
    if setup.tickets:
        settings.ticketKeys = [os.urandom(32)]
        settings.ticket_count = 1
    settings.cipherNames = ["aes256", "aes128"]
    settings.macNames = ["sha"]
    settings.useEncryptThenMAC = False
    return settings
