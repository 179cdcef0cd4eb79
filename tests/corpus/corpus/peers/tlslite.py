"""tlslite-ng, both sides in memory; its session object tells the master secret.

The stack that is independent of C libraries and still speaks SSL 3.0, RC4 and 3DES.
"""

import errno
import socket
from collections.abc import Generator
from dataclasses import dataclass
from unittest import mock

import tlslite
from tlslite import tlsconnection
from tlslite.api import HandshakeSettings, Session, TLSConnection, X509CertChain, parsePEMKey
from tlslite.errors import TLSError
from tlslite.keyexchange import RSAKeyExchange
from tlslite.utils.cryptomath import getRandomBytes

from corpus.conversation import PeerFailure
from corpus.keys import KeyPair
from corpus.peers.memory import REQUEST, RESPONSE, MemoryEndpoint
from corpus.suites import Suite, Version

NAME = f"tlslite-ng {tlslite.__version__}"


@dataclass(frozen=True)
class Settings:
    """What a side allows and demands."""

    suites: tuple[Suite, ...]
    lowest: Version
    highest: Version
    ems: bool = True
    etm: bool = True
    key_exchange: str = "rsa"
    record_size: int | None = None
    """The longest fragment to send, in bytes."""
    negotiated_version_in_premaster: bool = False
    """As a client, put the negotiated version into the premaster instead of the offered one, as
    some clients do (RFC 5246 §7.4.7.1 mentions them)."""

    def handshake_settings(self) -> HandshakeSettings:
        known = [suite.tlslite for suite in self.suites if suite.tlslite is not None]
        settings = HandshakeSettings()
        settings.minVersion = _pair(self.lowest)
        settings.maxVersion = _pair(self.highest)
        settings.versions = [_pair(v) for v in Version if self.lowest <= v <= self.highest][::-1]
        settings.cipherNames = list(dict.fromkeys(cipher for cipher, _ in known))
        settings.macNames = list(dict.fromkeys(mac for _, mac in known))
        settings.keyExchangeNames = [self.key_exchange]
        settings.useExtendedMasterSecret = self.ems
        settings.useEncryptThenMAC = self.etm
        settings.use_heartbeat_extension = False
        return settings


class _NegotiatedVersionKeyExchange(RSAKeyExchange):
    """RSA key exchange of a client that gets the version in the premaster wrong."""

    def processServerKeyExchange(self, srvPublicKey, serverKeyExchange):
        super().processServerKeyExchange(srvPublicKey, serverKeyExchange)
        premaster = getRandomBytes(48)
        premaster[0:2] = bytes(self.serverHello.server_version)
        self.encPremasterSecret = srvPublicKey.encrypt(premaster)
        return premaster


class Certificate:
    """A key pair in the form that tlslite-ng takes; parsing it costs time, so it is kept."""

    def __init__(self, pair: KeyPair) -> None:
        self.private_key = parsePEMKey(pair.key.read_text("ascii"), private=True)
        self.chain = X509CertChain()
        self.chain.parsePemList(pair.cert.read_text("ascii"))


class TlsliteEndpoint(MemoryEndpoint):
    """One tlslite-ng connection on a socket that is made of two byte strings."""

    name = NAME

    def __init__(
        self,
        settings: Settings,
        server: Certificate | None,
        *,
        client: Certificate | None = None,
        ask_client: bool = False,
        resume: Session | None = None,
    ) -> None:
        self._settings = settings
        self._server, self._client, self._resume = server, client, resume
        self._ask_client = ask_client
        self._socket = _MemorySocket()
        self.connection = TLSConnection(self._socket)
        if settings.record_size is not None:
            self.connection.recordSize = settings.record_size
        super().__init__()

    @property
    def session(self) -> Session:
        return self.connection.session

    def master_secrets(self) -> dict[bytes, bytes]:
        """Client random to master secret, for this connection."""
        random, session = bytes(self.connection._clientRandom), self.connection.session
        if session is None or not session.masterSecret or not random:
            return {}
        return {random: bytes(session.masterSecret)}

    def feed(self, data: bytes) -> None:
        self._socket.incoming += data

    def feed_end(self) -> None:
        self._socket.ended = True

    def _take_output(self) -> bytes:
        data = bytes(self._socket.outgoing)
        self._socket.outgoing.clear()
        return data

    def _session(self) -> Generator[None, None, None]:
        try:
            yield from self._handshake_with_quirks()
            if self._server is not None:
                yield from self._read()
                yield from self._until_done(self.connection.writeAsync(RESPONSE))
            else:
                yield from self._until_done(self.connection.writeAsync(REQUEST))
                yield from self._read()
            yield from self._until_done(self.connection.closeAsync())
        except (TLSError, OSError, ValueError, AssertionError) as error:
            side = "server" if self._server is not None else "client"
            raise PeerFailure(f"tlslite-ng {side}: {error!r}") from error

    def _handshake_with_quirks(self) -> Generator[None, None, None]:
        if not self._settings.negotiated_version_in_premaster:
            yield from self._handshake()
            return
        # The connection finds the class by its name in the module; a server that runs in between
        # finds this one too, and its half is unchanged.
        with mock.patch.object(tlsconnection, "RSAKeyExchange", _NegotiatedVersionKeyExchange):
            yield from self._handshake()

    def _handshake(self) -> Generator[None, None, None]:
        settings = self._settings.handshake_settings()
        if self._server is not None:
            yield from self._until_done(
                self.connection.handshakeServerAsync(
                    certChain=self._server.chain,
                    privateKey=self._server.private_key,
                    reqCert=self._ask_client,
                    settings=settings,
                )
            )
            return
        client = self._client
        yield from self._until_done(
            self.connection.handshakeClientCert(
                certChain=client.chain if client else None,
                privateKey=client.private_key if client else None,
                session=self._resume,
                settings=settings,
                async_=True,
            )
        )

    def _read(self) -> Generator[None, None, None]:
        for result in self.connection.readAsync(max=16384, min=1):
            if not isinstance(result, int):
                if not result:
                    raise PeerFailure("tlslite-ng: connection ended before any data")
                return
            if result == _WANTS_INPUT:
                yield

    @staticmethod
    def _until_done(operation: Generator) -> Generator[None, None, None]:
        for state in operation:
            if state == _WANTS_INPUT:
                yield


_WANTS_INPUT = 0


class _MemorySocket:
    """As much of a non-blocking socket as tlslite-ng uses."""

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.ended = False

    def send(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.outgoing += data

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            if self.ended:
                return b""
            raise OSError(errno.EWOULDBLOCK, "no data yet")
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def setsockopt(self, *_arguments: object) -> None:
        """There is nothing to set."""

    def getsockopt(self, *_arguments: object) -> int:
        return socket.SO_KEEPALIVE

    def close(self) -> None:
        """There is nothing to close."""


def _pair(version: Version) -> tuple[int, int]:
    return version >> 8, version & 0xFF
