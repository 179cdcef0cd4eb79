"""The tlslite-ng client of the interoperability matrix.

README.md describes its input and output.
"""

import socket
import sys

import tlslite
from tlslite.api import HandshakeSettings, TLSConnection

REQUEST = b"GET /session.json HTTP/1.0\r\n\r\n"
TIMEOUT_SECONDS = 10.0

# Cipher and MAC of each suite that tlslite-ng knows, by the names of its settings.
SUITES = {
    0x0001: ("null", "md5"),
    0x0002: ("null", "sha"),
    0x0004: ("rc4", "md5"),
    0x0005: ("rc4", "sha"),
    0x000A: ("3des", "sha"),
    0x002F: ("aes128", "sha"),
    0x0035: ("aes256", "sha"),
    0x003B: ("null", "sha256"),
    0x003C: ("aes128", "sha256"),
    0x003D: ("aes256", "sha256"),
    0x009C: ("aes128gcm", "aead"),
    0x009D: ("aes256gcm", "aead"),
    0xC09C: ("aes128ccm", "aead"),
    0xC09D: ("aes256ccm", "aead"),
    0xC0A0: ("aes128ccm_8", "aead"),
    0xC0A1: ("aes256ccm_8", "aead"),
}


def main() -> None:
    """Arguments: the port and the certificate, or none to be told the version."""
    if len(sys.argv) < 2:
        print(tlslite.__version__)
        return
    port = int(sys.argv[1])
    for line in sys.stdin:
        try:
            converse(port, line.split())
            print("done", flush=True)
        # Whatever goes wrong is the cell's answer.
        except Exception as error:
            print("failed", repr(error).replace("\n", " "), flush=True)


def converse(port: int, cell: list[str]) -> None:
    settings = settings_of(cell)
    session = None
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connected:
            connection = TLSConnection(connected)
            connection.handshakeClientCert(session=session, settings=settings)
            session = connection.session
            client_random, secret = connection._clientRandom, session.masterSecret
            print("secret", client_random.hex(), secret.hex())
            connection.sendall(REQUEST)
            answer = bytearray()
            while received := connection.recv(16384):
                answer += received
            print("answer", answer.hex())
            connection.close()


def settings_of(cell: list[str]) -> HandshakeSettings:
    version, suite = int(cell[0], 16), int(cell[1], 16)
    cipher, mac = SUITES[suite]
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (version >> 8, version & 0xFF)
    settings.versions = [settings.minVersion]
    settings.cipherNames = [cipher]
    settings.macNames = [mac]
    settings.keyExchangeNames = ["rsa"]
    settings.useExtendedMasterSecret = cell[2] == "1"
    settings.useEncryptThenMAC = cell[3] == "1"
    settings.use_heartbeat_extension = False
    return settings


if __name__ == "__main__":
    main()
