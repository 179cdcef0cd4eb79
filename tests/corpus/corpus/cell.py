"""A cell of the matrix, one combination of version, suite, peers and features; its recording."""

from dataclasses import dataclass

from corpus import wire
from corpus.conversation import Endpoint, Flight, PeerFailure, converse
from corpus.suites import Suite, Version


@dataclass(frozen=True)
class Cell:
    """What a session is to be like."""

    version: Version
    suite: Suite
    client: str = "openssl"
    server: str = "openssl"
    ems: bool = True
    etm: bool = True
    server_key: str = "server-2048"
    client_auth: bool = False
    sslv2_hello: bool = False
    """The client frames its ClientHello as SSL 2.0 did (RFC 5246 Appendix E.2)."""
    offered: Version | None = None
    """The highest version the client offers, if it is not the one to be negotiated."""

    @property
    def highest_offered(self) -> Version:
        return self.offered or self.version

    def __str__(self) -> str:
        features = [
            "EMS" if self.ems and self.version > Version.SSL3 else None,
            "EtM" if self.etm and self.suite.cbc and self.version > Version.SSL3 else None,
            "client certificate" if self.client_auth else None,
            "SSLv2 ClientHello" if self.sslv2_hello else None,
            f"offers {self.offered.label}" if self.offered else None,
        ]
        wanted = ", ".join(feature for feature in features if feature) or "plain"
        return (
            f"{self.version.label} {self.suite.name} ({wanted}), "
            f"{self.client} to {self.server}, {self.server_key}"
        )


@dataclass(frozen=True)
class Recording:
    """A conversation that took place, with what the wire and the peers tell about it."""

    flights: list[Flight]
    client: str
    server: str
    server_key: str
    hellos: wire.Hellos
    master_secrets: dict[bytes, bytes]
    premaster_version: int | None = None
    """What the decrypted premaster begins with, if somebody looked."""

    @property
    def master_secret(self) -> bytes | None:
        return self.master_secrets.get(self.hellos.client_random)


def record(client: Endpoint, server: Endpoint, server_key: str) -> Recording:
    """Lets the two talk, and checks that their oracles agree."""
    flights = converse(client, server)
    hellos = wire.observe(flights)
    of_client, of_server = client.master_secrets(), server.master_secrets()
    for random in of_client.keys() & of_server.keys():
        if of_client[random] != of_server[random]:
            raise PeerFailure(f"{client.name} and {server.name} report different master secrets")
    return Recording(flights, client.name, server.name, server_key, hellos, of_server | of_client)


def check(recording: Recording, cell: Cell) -> None:
    """Compares what stands on the wire with what the cell asked for."""
    seen = recording.hellos
    tls = cell.version > Version.SSL3
    wanted = {
        "version": cell.version,
        "suite": cell.suite.id,
        "extended master secret": cell.ems and tls,
        "offered version": cell.highest_offered,
        "SSLv2 framing": cell.sslv2_hello,
    }
    got = {
        "version": seen.protocol,
        "suite": seen.suite_id,
        "extended master secret": seen.ems,
        "offered version": seen.offered_version,
        "SSLv2 framing": seen.sslv2_framed,
    }
    # Only for CBC: OpenSSL agrees to it for NULL ciphers too, against RFC 7366 §3, where it
    # changes nothing.
    if cell.suite.cbc:
        wanted["encrypt-then-MAC"], got["encrypt-then-MAC"] = cell.etm and tls, seen.etm
    for what, value in wanted.items():
        if got[what] != value:
            raise PeerFailure(f"asked for {what} {value:#x}, negotiated {got[what]:#x}")
    if recording.master_secret is None:
        raise PeerFailure("no peer told the master secret")
