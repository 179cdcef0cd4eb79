"""The stacks by name, and how each becomes the client or the server of a cell."""

from collections.abc import Callable
from functools import cache

from corpus.cell import Cell, Recording, check, record
from corpus.conversation import Endpoint, PeerFailure
from corpus.keys import KeyStore
from corpus.peers import gnutls, openssl, tlslite
from corpus.suites import Version


class Stacks:
    """Makes peers that use the keys of one store."""

    def __init__(self, keys: KeyStore) -> None:
        self.keys = keys
        self._tlslite_certificate = cache(lambda name: tlslite.Certificate(keys.pair(name)))
        self._clients: dict[str, Callable[[Cell], Endpoint]] = {
            "openssl": self._openssl_client,
            "tlslite": self._tlslite_client,
            "gnutls": self._gnutls_client,
        }
        self._servers: dict[str, Callable[[Cell], Endpoint]] = {
            "openssl": self._openssl_server,
            "tlslite": self._tlslite_server,
            "gnutls": self._gnutls_server,
        }

    def record(self, cell: Cell) -> Recording:
        """Drives the session of a cell; raises `PeerFailure` unless it is as asked for."""
        try:
            recording = record(self.client(cell), self.server(cell), cell.server_key)
            check(recording, cell)
        except PeerFailure as failure:
            raise PeerFailure(f"{cell}: {failure}") from failure
        return recording

    def record_openssl(
        self, settings: openssl.Settings, server_key: str = "server-2048"
    ) -> Recording:
        """Drives a session of OpenSSL with itself that no cell describes, as it comes."""
        client = openssl.Context(settings, None).endpoint()
        server = openssl.Context(settings, self.keys.pair(server_key)).endpoint()
        return record(client, server, server_key)

    def client(self, cell: Cell) -> Endpoint:
        return self._clients[cell.client](cell)

    def server(self, cell: Cell) -> Endpoint:
        return self._servers[cell.server](cell)

    def _openssl_client(self, cell: Cell) -> Endpoint:
        client_key = self.keys.pair("client-2048") if cell.client_auth else None
        return openssl.Context(_openssl_settings(cell), None, client_key).endpoint()

    def _openssl_server(self, cell: Cell) -> Endpoint:
        client_key = self.keys.pair("client-2048") if cell.client_auth else None
        server_key = self.keys.pair(cell.server_key)
        settings = _openssl_settings(cell, highest=cell.version)
        return openssl.Context(settings, server_key, client_key).endpoint()

    def _tlslite_client(self, cell: Cell) -> Endpoint:
        client = self._tlslite_certificate("client-2048") if cell.client_auth else None
        settings = _tlslite_settings(cell)
        return tlslite.TlsliteEndpoint(settings, None, client=client)

    def _tlslite_server(self, cell: Cell) -> Endpoint:
        server = self._tlslite_certificate(cell.server_key)
        settings = _tlslite_settings(cell, highest=cell.version)
        return tlslite.TlsliteEndpoint(settings, server, ask_client=cell.client_auth)

    def _gnutls_client(self, cell: Cell) -> Endpoint:
        client_key = self.keys.pair("client-2048") if cell.client_auth else None
        return gnutls.client(_gnutls_settings(cell, cell.highest_offered), client_key)

    def _gnutls_server(self, cell: Cell) -> Endpoint:
        settings = _gnutls_settings(cell, cell.version)
        return gnutls.server(settings, self.keys.pair(cell.server_key), cell.client_auth)


def _openssl_settings(cell: Cell, highest: Version | None = None) -> openssl.Settings:
    if cell.suite.openssl is None:
        raise PeerFailure(f"OpenSSL does not implement {cell.suite.name}")
    return openssl.Settings(
        ciphers=cell.suite.openssl,
        lowest=cell.version,
        highest=highest or cell.highest_offered,
        ems=cell.ems,
        etm=cell.etm,
        client_auth=cell.client_auth,
    )


def _tlslite_settings(cell: Cell, highest: Version | None = None) -> tlslite.Settings:
    if cell.suite.tlslite is None:
        raise PeerFailure(f"tlslite-ng does not implement {cell.suite.name}")
    return tlslite.Settings(
        suites=(cell.suite,),
        lowest=cell.version,
        highest=highest or cell.highest_offered,
        ems=cell.ems,
        etm=cell.etm,
    )


def _gnutls_settings(cell: Cell, highest: Version) -> gnutls.Settings:
    return gnutls.Settings(cell.suite, cell.version, highest, cell.ems, cell.etm)
