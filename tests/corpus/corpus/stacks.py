"""The stacks by name, and how each becomes the client or the server of a cell."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from corpus.cell import Cell, Recording, check, record
from corpus.conversation import Endpoint, PeerFailure, PeerMissing
from corpus.keys import KeyStore
from corpus.peers import gnutls, jsse, nss, openssl, openssl_cli, tlslite
from corpus.suites import Version, is_rsa_suite


class Stacks:
    """Makes peers that use the keys of one store."""

    def __init__(self, keys: KeyStore) -> None:
        self.keys = keys
        self._tlslite_certificate = cache(lambda name: tlslite.Certificate(keys.pair(name)))
        self._clients: dict[str, Callable[[Cell], Endpoint]] = {
            "openssl": self._openssl_client,
            "tlslite": self._tlslite_client,
            "gnutls": self._gnutls_client,
            "nss": self._nss_client,
            "jsse": self._jsse_client,
            "openssl-cli": lambda cell: openssl_cli.client(_openssl_settings(cell)),
        }
        self._servers: dict[str, Callable[[Cell], Endpoint]] = {
            "openssl": self._openssl_server,
            "tlslite": self._tlslite_server,
            "gnutls": self._gnutls_server,
            "nss": self._nss_server,
            "jsse": self._jsse_server,
            "openssl-cli": self._openssl_cli_server,
        }

    def record(self, cell: Cell) -> Recording:
        """Drives the session of a cell; raises `PeerFailure` unless it is as asked for."""
        try:
            client = self._clients[cell.client](cell)
            try:
                server = self._servers[cell.server](cell)
            except PeerFailure:
                client.release()
                raise
            recording = self.record_pair(client, server, cell.server_key)
            check(recording, cell)
        except PeerFailure as failure:
            failure.cell = cell
            raise
        return recording

    def record_openssl(
        self, settings: openssl.Settings, server_key: str = "server-2048"
    ) -> Recording:
        """Drives a session of OpenSSL with itself that no cell describes."""
        client = openssl.Context(settings, None).endpoint()
        server = openssl.Context(settings, self.keys.pair(server_key)).endpoint()
        return self.record_pair(client, server, server_key)

    def record_resumption(
        self, settings: openssl.Settings, server_key: str = "server-2048"
    ) -> tuple[Recording, Recording]:
        """Drives two sessions of OpenSSL with itself, where the second resumes the first."""
        client_context = openssl.Context(settings, None)
        server_context = openssl.Context(settings, self.keys.pair(server_key))
        client = client_context.endpoint()
        first = self.record_pair(client, server_context.endpoint(), server_key)
        again = client_context.endpoint(resume=client.session)
        second = self.record_pair(again, server_context.endpoint(), server_key)
        if not again.tls.session_reused:
            raise PeerFailure(f"OpenSSL did not resume its session ({settings})")
        return first, second

    def record_pair(self, client: Endpoint, server: Endpoint, server_key: str) -> Recording:
        """Drives a session of any two peers, and looks into the premaster."""
        recording = record(client, server, server_key)
        encrypted = recording.hellos.client_key_exchange
        if encrypted is None or not is_rsa_suite(recording.hellos.suite_id):
            return recording
        private_key = self._tlslite_certificate(server_key).private_key
        # TLS has a length in front of the ciphertext, SSL 3.0 has none but for some clients.
        modulus_length = len(private_key) // 8
        premaster = private_key.decrypt(encrypted[-modulus_length:])
        if not premaster:
            raise PeerFailure(f"{client.name} sent a premaster that {server_key} does not open")
        return replace(recording, premaster_version=int.from_bytes(premaster[:2], "big"))

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

    def _openssl_cli_server(self, cell: Cell) -> Endpoint:
        settings = _openssl_settings(cell, highest=cell.version)
        return openssl_cli.server(settings, self.keys.pair(cell.server_key))

    def _gnutls_client(self, cell: Cell) -> Endpoint:
        client_key = self.keys.pair("client-2048") if cell.client_auth else None
        return gnutls.client(_gnutls_settings(cell, cell.highest_offered), client_key)

    def _gnutls_server(self, cell: Cell) -> Endpoint:
        settings = _gnutls_settings(cell, cell.version)
        return gnutls.server(settings, self.keys.pair(cell.server_key), cell.client_auth)

    def _nss_client(self, cell: Cell) -> Endpoint:
        _refuse("NSS", client_auth=cell.client_auth, sslv2_hello=cell.sslv2_hello)
        return nss.client(_nss_settings(cell, cell.highest_offered), self.keys)

    def _nss_server(self, cell: Cell) -> Endpoint:
        return nss.server(_nss_settings(cell, cell.version), self.keys, cell.server_key)

    def _jsse_client(self, cell: Cell) -> Endpoint:
        _refuse("JSSE", client_auth=cell.client_auth)
        return jsse.client(_jsse_settings(cell, cell.highest_offered), self.keys)

    def _jsse_server(self, cell: Cell) -> Endpoint:
        return jsse.server(_jsse_settings(cell, cell.version), self.keys, cell.server_key)


def _openssl_settings(cell: Cell, highest: Version | None = None) -> openssl.Settings:
    if cell.suite.openssl is None or (
        cell.suite.openssl_legacy and "openssl" in (cell.client, cell.server)
    ):
        raise PeerMissing(f"OpenSSL does not implement {cell.suite.name}")
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
        raise PeerMissing(f"tlslite-ng does not implement {cell.suite.name}")
    return tlslite.Settings(
        suites=(cell.suite,),
        lowest=cell.version,
        highest=highest or cell.highest_offered,
        ems=cell.ems,
        etm=cell.etm,
    )


def _gnutls_settings(cell: Cell, highest: Version) -> gnutls.Settings:
    return gnutls.Settings(cell.suite, cell.version, highest, cell.ems, cell.etm)


def _nss_settings(cell: Cell, highest: Version) -> nss.Settings:
    _refuse("NSS", encrypt_then_mac=cell.etm and cell.suite.cbc)
    return nss.Settings(cell.suite, cell.version, highest, cell.ems)


def _jsse_settings(cell: Cell, highest: Version) -> jsse.Settings:
    _refuse("JSSE", encrypt_then_mac=cell.etm and cell.suite.cbc)
    return jsse.Settings(cell.suite, cell.version, highest, cell.ems, cell.sslv2_hello)


def _refuse(stack: str, **wanted: bool) -> None:
    """Raises `PeerMissing` if the cell wants something that the stack here does not do."""
    for what, is_wanted in wanted.items():
        if is_wanted:
            raise PeerMissing(f"{stack} does not do {what.replace('_', ' ')}")
