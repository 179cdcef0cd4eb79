"""A client made of tlslite-ng's, with the command line and the exit codes of `sslprov connect`.

Without a fault it does what a client should, but for what `attack.planted.differences` lists.
"""

import socket
import threading
from contextlib import suppress
from itertools import pairwise

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import AlertDescription
from tlslite.errors import TLSAbruptCloseError

from attack.client import REQUEST
from attack.clients import TIMEOUT
from attack.hostile import Plan
from attack.signatures import certificate

_FIRST_WAS_GOOD = 3

HIGHEST = (3, 3)
"""The highest version that the client offers, which conversations about downgrades raise."""


class Connection(TLSConnection):
    """A connection of the planted client."""

    def __init__(self, connected: socket.socket, trusted: bytes | None) -> None:
        super().__init__(connected)
        self.trusted = trusted

    def passes_over(self, header, parser) -> bool:
        """Whether the client goes on as if a record had not come."""
        del header, parser
        return False

    def _getNextRecord(self):
        for result in super()._getNextRecord():
            if result in (0, 1) or not self.passes_over(*result):
                yield result

    def _clientGetKeyFromChain(self, chain, settings, tack_ext=None):
        if self.trusted is not None and not self.trusts(bytes(chain.cert_chain.x509List[0].bytes)):
            for _ in self._sendError(AlertDescription.bad_certificate):
                pass
        yield from super()._clientGetKeyFromChain(chain, settings, tack_ext)

    def trusts(self, leaf: bytes) -> bool:
        """Whether this is the certificate to trust."""
        return leaf == self.trusted


class Planted:
    """Starts clients in threads of this process."""

    def start(self, port: int, plan: Plan, options: tuple[str, ...]) -> "Conversation":
        conversation = Conversation(port, plan, options)
        conversation.start()
        return conversation


class Conversation(threading.Thread):
    """A client that runs."""

    def __init__(self, port: int, plan: Plan, options: tuple[str, ...]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._plan = plan
        self._options = options
        self._delivered = b""
        self._code = 1

    def run(self) -> None:
        resumes = "--resume" in self._options
        session = None
        for last in (False, True) if resumes else (True,):
            connection = None
            try:
                connection = self._connect(session)
                if not last:
                    session = connection.session
                    connection.close()
                    self._code = _FIRST_WAS_GOOD
                    continue
                self._code = _FIRST_WAS_GOOD
                if self._carry(connection) and (not resumes or connection.resumed):
                    self._code = 0
            except Exception:
                # Whatever went wrong, the exit code says that it did.
                return
            finally:
                if connection is not None:
                    with suppress(OSError):
                        connection.sock.close()

    def _connect(self, session) -> Connection:
        connected = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT)
        connected.settimeout(TIMEOUT)
        insecure = "--insecure" in self._options
        connection = Connection(connected, None if insecure else certificate(self._plan.key))
        try:
            connection.handshakeClientCert(
                session=session,
                settings=settings(self._options),
                serverName=f"{self._plan.key}.test",
            )
        except BaseException:
            with suppress(OSError):
                connected.close()
            raise
        return connection

    def _carry(self, connection: Connection) -> bool:
        """Sends the request, and takes what comes; says whether it was whole."""
        connection.write(REQUEST)
        try:
            while data := connection.read(min=1):
                self._delivered += data
        except TLSAbruptCloseError:
            return not self.is_cut_off()
        return True

    def is_cut_off(self) -> bool:
        """Whether an end without close_notify is a cut."""
        return True

    def wait(self, seconds: float) -> str | None:
        self.join(seconds)
        return None if self.is_alive() else f"exit code {self._code}"

    def delivered(self) -> bytes:
        return self._delivered

    def close(self) -> None:
        """There is nothing to be forgotten."""


def settings(options: tuple[str, ...]) -> HandshakeSettings:
    """What the client offers."""
    found = HandshakeSettings()
    found.minVersion = (3, 1)
    found.maxVersion = HIGHEST
    found.keyExchangeNames = ["ecdhe_ecdsa", "ecdhe_rsa", "dhe_rsa", "rsa"]
    found.cipherNames = ["aes128gcm", "aes256gcm", "aes128", "aes256"]
    found.macNames = ["sha", "aead"]
    found.eccCurves = ["x25519", "secp256r1", "secp384r1", "secp521r1"]
    found.minKeySize = 1024
    found.useExtendedMasterSecret = True
    found.requireExtendedMasterSecret = False
    versions = {"tls1.0": (3, 1), "tls1.1": (3, 2), "tls1.2": (3, 3)}
    for name, value in pairwise(options):
        if name == "--min-version":
            found.minVersion = versions[value]
        if name == "--max-version":
            found.maxVersion = versions[value]
    return found
