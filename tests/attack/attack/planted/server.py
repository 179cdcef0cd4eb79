"""A server made of tlslite-ng's, with places for faults.

Without a fault it does what a server should, but for what `attack.planted.differences` lists.
"""

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from unittest import mock

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import AlertDescription
from tlslite.errors import BaseTLSException, TLSBadRecordMAC, TLSDecodeError
from tlslite.keyexchange import RSAKeyExchange
from tlslite.utils.cryptomath import numBytes

from attack.servers import Credentials, Server

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

    def __init__(self, request, arguments: dict) -> None:
        super().__init__(request)
        self.request = request
        self.arguments = arguments
        """Of each handshake."""

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
        del header, parser
        return False

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


def is_padded(block: bytes) -> bool:
    """Whether a block has 48 bytes in it as RFC 8017 section 7.2.1 has them."""
    return block[:2] == b"\0\2" and 0 not in block[2:-49] and block[-49] == 0


@contextmanager
def serving(name: str, credentials: Credentials, *, asks: bool) -> Iterator[Server]:
    """A server in this process; it may ask for a certificate."""
    chain = X509CertChain()
    chain.parsePemList(credentials.certificate.read_text())
    arguments = {
        "certChain": chain,
        "privateKey": parsePEMKey(credentials.key.read_text(), private=True),
        "reqCert": asks,
        "sessionCache": SessionCache(),
        "settings": _settings(),
    }

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = KeyExchange.connection.now = Connection(self.request, arguments)
            # The conversation is over then; what the client saw of it is what counts.
            with suppress(BaseTLSException, HangsUp, OSError):
                connection.serve()

    with ExitStack() as stack:
        stack.enter_context(mock.patch("tlslite.tlsconnection.RSAKeyExchange", KeyExchange))
        # tlslite-ng has an alert of its own for a record that is no whole number of blocks.
        stack.enter_context(mock.patch("tlslite.recordlayer.TLSDecryptionFailed", TLSBadRecordMAC))
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


def _settings() -> HandshakeSettings:
    settings = HandshakeSettings()
    settings.minVersion = (3, 2)
    settings.maxVersion = (3, 3)
    settings.keyExchangeNames = ["rsa"]
    settings.cipherNames = ["aes256", "aes128"]
    settings.macNames = ["sha"]
    settings.useEncryptThenMAC = False
    return settings
