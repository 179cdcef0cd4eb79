"""OpenSSL through Python's ssl module, both sides in memory; its key log callback is the oracle."""

import contextlib
import ssl
import tempfile
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from corpus.conversation import PeerFailure
from corpus.keys import KeyPair
from corpus.peers.memory import REQUEST, RESPONSE, MemoryEndpoint
from corpus.peers.process import read_key_log
from corpus.suites import Version

NAME = ssl.OPENSSL_VERSION.rsplit(" ", 3)[0]

# Options that Python gives no name to (openssl/ssl.h).
_OP_NO_EXTENDED_MASTER_SECRET = 1 << 0
_OP_ALLOW_CLIENT_RENEGOTIATION = 1 << 8
_OP_NO_ENCRYPT_THEN_MAC = 1 << 19
_OP_NO_TICKET = 1 << 14

_READ_SIZE = 16384


@dataclass(frozen=True)
class Settings:
    """What a context allows and demands."""

    ciphers: str
    lowest: Version
    highest: Version
    ems: bool = True
    etm: bool = True
    tickets: bool = False
    client_auth: bool = False
    renegotiation: bool = False
    response: bytes = RESPONSE
    """What the server answers, which both sides have to know."""


class Context:
    """An SSL context for one side, with its key log."""

    def __init__(
        self, settings: Settings, server_key: KeyPair | None, client_key: KeyPair | None = None
    ) -> None:
        self.settings = settings
        self.server_side = server_key is not None
        self._directory = tempfile.TemporaryDirectory(prefix="corpus-")
        self._key_log = Path(self._directory.name) / "keys"
        side = ssl.PROTOCOL_TLS_SERVER if self.server_side else ssl.PROTOCOL_TLS_CLIENT
        context = ssl.SSLContext(side)
        with warnings.catch_warnings():
            # Python deprecates TLS 1.0 and 1.1, which are the point of this corpus.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = ssl.TLSVersion(settings.highest)
            context.minimum_version = ssl.TLSVersion(settings.lowest)
        context.set_ciphers(f"{settings.ciphers}:@SECLEVEL=0")
        options = int(context.options)
        if not settings.ems:
            options |= _OP_NO_EXTENDED_MASTER_SECRET
        if not settings.etm:
            options |= _OP_NO_ENCRYPT_THEN_MAC
        if settings.renegotiation:
            options |= _OP_ALLOW_CLIENT_RENEGOTIATION
        if settings.tickets:
            options &= ~_OP_NO_TICKET
        else:
            options |= _OP_NO_TICKET
        context.options = ssl.Options(options)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if server_key is not None:
            context.load_cert_chain(server_key.cert, server_key.key)
            if settings.client_auth and client_key is not None:
                context.load_verify_locations(client_key.cert)
                context.verify_mode = ssl.CERT_REQUIRED
        elif client_key is not None:
            context.load_cert_chain(client_key.cert, client_key.key)
        context.keylog_filename = str(self._key_log)
        self.ssl = context

    def endpoint(self, *, resume: ssl.SSLSession | None = None) -> "OpenSslEndpoint":
        """A new connection of this context, as a client offering to resume `resume`."""
        return OpenSslEndpoint(self, resume)

    def master_secrets(self) -> dict[bytes, bytes]:
        """Client random to master secret, for all sessions of this context so far."""
        return read_key_log(self._key_log)


class OpenSslEndpoint(MemoryEndpoint):
    """One OpenSSL connection on a pair of memory BIOs."""

    name = NAME

    def __init__(self, context: Context, resume: ssl.SSLSession | None) -> None:
        self._context = context
        self._server_side = context.server_side
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.ssl.wrap_bio(
            self._incoming, self._outgoing, server_side=self._server_side, session=resume,
            server_hostname=None if self._server_side else "server.test",
        )  # fmt: skip
        self.session: ssl.SSLSession | None = None
        super().__init__()

    def master_secrets(self) -> dict[bytes, bytes]:
        return self._context.master_secrets()

    def feed(self, data: bytes) -> None:
        self._incoming.write(data)

    def feed_end(self) -> None:
        self._incoming.write_eof()

    def _take_output(self) -> bytes:
        return self._outgoing.read()

    def _session(self) -> Generator[None, None, None]:
        try:
            yield from self._complete(self.tls.do_handshake)
            if self._server_side:
                if not (yield from self._complete(lambda: self.tls.read(_READ_SIZE))):
                    raise PeerFailure("OpenSSL server: no request")
                self.tls.write(self._context.settings.response)
            else:
                self.tls.write(REQUEST)
                missing = len(self._context.settings.response)
                while missing > 0:
                    part = yield from self._complete(lambda: self.tls.read(_READ_SIZE))
                    if not part:
                        raise PeerFailure("OpenSSL client: no whole response")
                    missing -= len(part)
            self.session = self.tls.session
            yield from self._close()
        except ssl.SSLError as error:
            side = "server" if self._server_side else "client"
            raise PeerFailure(f"OpenSSL {side}: {error}") from error

    def _complete(self, operation: Callable):
        """Repeats an operation, letting the pump run in between, until it has its input."""
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                yield

    def _close(self) -> Generator[None, None, None]:
        try:
            if self._server_side:
                # Some clients close only after the server has: do not wait for their alert.
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.tls.unwrap()
            else:
                yield from self._complete(self.tls.unwrap)
        except (ssl.SSLEOFError, ssl.SSLSyscallError):
            # The other side closed without an alert; nothing more to say.
            return
        except ssl.SSLError as error:
            # More of a response than the one read that was of interest.
            if error.reason != "APPLICATION_DATA_AFTER_CLOSE_NOTIFY":
                raise
