"""The tlslite-ng client of the interoperability matrix.

README.md describes its input and output.
"""

import socket

from tlslite.api import TLSConnection
from tlslite_peer import TIMEOUT_SECONDS, Cell, identity, run

REQUEST = b"GET /session.json HTTP/1.0\r\n\r\n"


def converse(cell: Cell) -> None:
    settings = cell.settings()
    chain, key = identity(cell.client) if cell.client else (None, None)
    session = None
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", cell.port), TIMEOUT_SECONDS) as connected:
            connection = TLSConnection(connected)
            connection.handshakeClientCert(chain, key, session=session, settings=settings)
            session = connection.session
            client_random, secret = connection._clientRandom, session.masterSecret
            print("secret", client_random.hex(), secret.hex())
            connection.sendall(REQUEST)
            answer = bytearray()
            while received := connection.recv(16384):
                answer += received
            print("answer", answer.hex())
            connection.close()


if __name__ == "__main__":
    run(converse)
