"""The tlslite-ng server of the interoperability matrix.

README.md describes its input and output.
"""

import secrets
import socket

from tlslite.api import SessionCache, TLSConnection
from tlslite_peer import TIMEOUT_SECONDS, Cell, after_handshake, identity, run


def converse(cell: Cell) -> None:
    settings = cell.settings()
    chain, key = identity(cell.server)
    cache = SessionCache() if cell.resumption == "id" else None
    if cell.resumption == "ticket":
        settings.ticketKeys = [secrets.token_bytes(32)]
        settings.ticketCipher = "aes256gcm"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_SECONDS)
        print("listening", listener.getsockname()[1], flush=True)
        for _ in range(cell.connections()):
            accepted, _address = listener.accept()
            with accepted:
                accepted.settimeout(TIMEOUT_SECONDS)
                connection = TLSConnection(accepted)
                connection.handshakeServer(
                    certChain=chain,
                    privateKey=key,
                    reqCert=cell.client is not None,
                    sessionCache=cache,
                    settings=settings,
                )
                check_client(cell, connection)
                after_handshake(cell, connection)
                echo(connection, accepted)


def check_client(cell: Cell, connection: TLSConnection) -> None:
    """A client certificate must be the one that the cell names."""
    if cell.client is None:
        return
    received = connection.session.clientCertChain
    if received is None or received.x509List[0].bytes != identity(cell.client)[0].x509List[0].bytes:
        raise ValueError("the client's certificate is not the one of the cell")


def echo(connection: TLSConnection, connected: socket.socket) -> None:
    """Sends a line back; a client may also close without one."""
    line = bytearray()
    while received := connection.recv(16384):
        line += received
        if line.endswith(b"\n"):
            break
    if not line:
        connection.close()
        return
    connection.sendall(line)
    # A socket that is closed with something unread in it resets the connection: the client may have
    # replaced its keys since.
    with connected.dup() as kept:
        kept.settimeout(TIMEOUT_SECONDS)
        connection.close()
        kept.shutdown(socket.SHUT_WR)
        while kept.recv(16384):
            pass


if __name__ == "__main__":
    run(converse)
