"""Servers with a fault planted in each, made of tlslite-ng's server, to show that faults are found.

The same conversations must find nothing in the server without a fault, else they prove nothing.
"""

import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import AlertDescription
from tlslite.errors import (
    BaseTLSException,
    TLSBadRecordMAC,
    TLSDecodeError,
    TLSDecryptionFailed,
)
from tlslite.keyexchange import RSAKeyExchange
from tlslite.recordlayer import ct_check_cbc_mac_and_pad

from attack.case import Case, Scope
from attack.families import FAMILIES
from attack.runner import Runner
from attack.servers import Credentials, Server
from attack.suites import AES128_SHA, Profile
from attack.wire import Version

_PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nplanted\n"

_PROFILE = Profile(Version.TLS1_2, AES128_SHA)


class _HangsUp(Exception):
    """Ends a connection without a word."""


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a server, and the class of conversations that must find it."""

    name: str
    family: str
    premaster: Callable[["_KeyExchange", bytes, bool], bytes] | None = None
    """The premaster secret of a decrypted block, given whether the block is a good one."""
    check: Callable[..., bool] | None = None
    """Checks padding and MAC of a record."""
    late_alert: int | None = None
    """Stands in for bad_record_mac after a bad block."""


class _Connection(TLSConnection):
    """A connection of the planted server."""

    late_alert: int | None = None

    def _sendError(self, description, text=None):
        if self.late_alert is not None and description == AlertDescription.bad_record_mac:
            description = self.late_alert
        return super()._sendError(description, text)


class _KeyExchange(RSAKeyExchange):
    """The key exchange of the planted server: it looks at the block as no server should."""

    fault: _Fault
    connection = threading.local()

    def processClientKeyExchange(self, message):
        encrypted = message.encryptedPreMasterSecret
        block = bytes(self.privateKey._raw_private_key_op_bytes(encrypted))
        version = bytes(self.clientHello.client_version)
        good = _is_padded(block) and block[-48:-46] == version
        if not good and self.fault.late_alert is not None:
            self.connection.now.late_alert = self.fault.late_alert
        if self.fault.premaster is not None:
            return bytearray(self.fault.premaster(self, block, good))
        return bytearray(block[-48:] if good else os.urandom(48))


def _is_padded(block: bytes) -> bool:
    return block[:2] == b"\0\2" and 0 not in block[2:-49] and block[-49] == 0


def _alert_at_once(_: _KeyExchange, block: bytes, good: bool) -> bytes:
    if not good:
        raise TLSDecodeError("the block is bad")
    return block[-48:]


def _hang_up_at_once(_: _KeyExchange, block: bytes, good: bool) -> bytes:
    if not good:
        raise _HangsUp
    return block[-48:]


def _any_version(_: _KeyExchange, block: bytes, __: bool) -> bytes:
    return block[-48:] if _is_padded(block) else os.urandom(48)


def _any_separator(_: _KeyExchange, block: bytes, __: bool) -> bytes:
    return block[-48:]


def _any_first_byte(exchange: _KeyExchange, block: bytes, good: bool) -> bytes:
    return _any_version(exchange, b"\0" + block[1:], good)


def _padding_first(data, *rest) -> bool:
    """Checks the padding, and only then the MAC."""
    count = data[-1]
    if count + 1 > len(data) or data[-count - 1 :] != bytearray([count]) * (count + 1):
        raise TLSDecryptionFailed("the padding is bad")
    return ct_check_cbc_mac_and_pad(data, *rest)


def _half_a_mac(data, mac, sequence, content_type, version, block) -> bool:
    """Compares the first half of the MAC only."""
    end = len(data) - data[-1] - 1 - mac.digest_size
    if ct_check_cbc_mac_and_pad(data, mac, sequence, content_type, version, block) or end < 0:
        return end >= 0
    right = mac.copy()
    right.update(sequence + bytes([content_type, *version]) + end.to_bytes(2, "big") + data[:end])
    half = mac.digest_size // 2
    return data[end : end + half] == right.digest()[:half]


_HONEST = (
    _Fault("no fault", "bleichenbacher"),
    _Fault("no fault", "tampering"),
)

_FAULTS = (
    _Fault("alert for bad padding at once", "bleichenbacher", premaster=_alert_at_once),
    _Fault(
        "connection closed for bad padding at once", "bleichenbacher", premaster=_hang_up_at_once
    ),
    _Fault(
        "other alert for bad padding after Finished",
        "bleichenbacher",
        late_alert=AlertDescription.handshake_failure,
    ),
    _Fault("version not checked", "bleichenbacher", premaster=_any_version),
    _Fault("padding not checked", "bleichenbacher", premaster=_any_separator),
    _Fault("first byte not checked", "bleichenbacher", premaster=_any_first_byte),
    _Fault("other alert for bad padding of a record", "tampering", check=_padding_first),
    _Fault("half of a MAC not checked", "tampering", check=_half_a_mac),
)


def run(seed: int, credentials: Credentials) -> int:
    """Attacks each server; 0 when every fault is found and nothing else is."""
    print(f"seed {seed}")
    wrong = 0
    for fault in (*_HONEST, *_FAULTS):
        with _serving(fault, credentials) as server:
            cases = _cases(fault.family)
            outcomes = Runner(server, seed, workers=32).run(fault.family, cases)
        failed = [outcome for outcome in outcomes if outcome.failure]
        right = bool(failed) == (fault in _FAULTS)
        wrong += not right
        print(
            f"{fault.name}: {len(failed)} of {len(outcomes)} conversations of {fault.family} fail: "
            f"{'as it should be' if right else 'WRONG'}",
            flush=True,
        )
        if failed:
            print(f"  such as {failed[0].case.name}: {failed[0].failure}")
    print(f"{wrong} servers judged WRONG" if wrong else f"all {len(_FAULTS)} planted faults found")
    return 1 if wrong else 0


def _cases(family: str) -> list[Case]:
    return list(FAMILIES[family](Scope([_PROFILE], smoke=True)))


@contextmanager
def _serving(fault: _Fault, credentials: Credentials) -> Iterator[Server]:
    """A server in this process."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection = _Connection(self.request)
            _KeyExchange.connection.now = connection
            try:
                connection.handshakeServer(certChain=chain, privateKey=key, settings=_settings())
                connection.read(max=1, min=1)
                connection.write(_PAGE)
                connection.close()
            except (BaseTLSException, _HangsUp, OSError):
                # The conversation is over; what the client saw of it is what counts.
                pass

    chain = X509CertChain()
    chain.parsePemList(credentials.certificate.read_text())
    key = parsePEMKey(credentials.key.read_text(), private=True)
    with ExitStack() as planted:
        exchange = type("KeyExchange", (_KeyExchange,), {"fault": fault})
        planted.enter_context(mock.patch("tlslite.tlsconnection.RSAKeyExchange", exchange))
        if fault.check is not None:
            patch = mock.patch("tlslite.recordlayer.ct_check_cbc_mac_and_pad", fault.check)
            planted.enter_context(patch)
        # tlslite-ng has an alert of its own for a record that is no whole number of blocks.
        planted.enter_context(
            mock.patch("tlslite.recordlayer.TLSDecryptionFailed", TLSBadRecordMAC)
        )
        server = planted.enter_context(_Server(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Server(fault.name, server.server_address, None)
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
    settings.minVersion = settings.maxVersion = (3, 3)
    settings.keyExchangeNames = ["rsa"]
    settings.cipherNames = ["aes128"]
    settings.macNames = ["sha"]
    settings.useEncryptThenMAC = False
    return settings
