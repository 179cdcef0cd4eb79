"""The tlslite-ng client of the interoperability matrix.

README.md describes its input and output.
"""

import socket

from tlslite.api import TLSConnection
from tlslite_peer import TIMEOUT_SECONDS, Cell, after_handshake, identity, run

REQUEST = b"GET /session.json HTTP/1.0\r\n\r\n"


def converse(cell: Cell) -> None:
    settings = cell.settings()
    chain, key = identity(cell.client) if cell.client else (None, None)
    session = None
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", cell.port), TIMEOUT_SECONDS) as connected:
            connection = TLSConnection(connected)
            connection.handshakeClientCert(chain, key, session=session, settings=settings)
            after_handshake(cell, connection)
            connection.sendall(REQUEST)
            answer = bytearray()
            while received := connection.recv(16384):
                answer += received
            print("answer", answer.hex())
            session = connection.session
            connection.close()


if __name__ == "__main__":
    run(converse)
