"""The capture for the benchmark: thousands of OpenSSL sessions with one RSA-2048 key."""

from collections.abc import Callable

from corpus import pcap, wire
from corpus.capture import Capture
from corpus.cell import Recording
from corpus.conversation import converse
from corpus.keys import KeyStore
from corpus.peers import openssl
from corpus.suites import Version

_SERVER_KEY = "server-2048"
_OPEN_AT_ONCE = 100

# Ten sessions in turn: eight of TLS 1.2, one each of TLS 1.1 and 1.0.
_MIX = (
    (Version.TLS1_2, "AES128-GCM-SHA256"),
    (Version.TLS1_2, "AES128-SHA"),
    (Version.TLS1_2, "AES256-SHA256"),
    (Version.TLS1_2, "AES128-GCM-SHA256"),
    (Version.TLS1_1, "AES128-SHA"),
    (Version.TLS1_2, "AES128-GCM-SHA256"),
    (Version.TLS1_2, "AES128-SHA"),
    (Version.TLS1_2, "AES256-SHA256"),
    (Version.TLS1_2, "AES128-GCM-SHA256"),
    (Version.TLS1_0, "AES256-SHA"),
)


def sessions(
    keys: KeyStore, count: int, response_bytes: int, progress: Callable[[int], None]
) -> Capture:
    """Records `count` sessions, each with a small request and a response with so long a body."""
    capture = Capture(
        "bench",
        pcap.PCAP,
        at_once=_OPEN_AT_ONCE,
        about=f"{count} sessions, {_OPEN_AT_ONCE} open at a time, "
        f"responses of {response_bytes} bytes.",
    )
    pairs = {}
    for version, ciphers in dict.fromkeys(_MIX):
        settings = openssl.Settings(ciphers, version, version, response=_response(response_bytes))
        server = openssl.Context(settings, keys.pair(_SERVER_KEY))
        pairs[version, ciphers] = (openssl.Context(settings, None), server)
    recorded = []
    for n in range(count):
        client, server = pairs[_MIX[n % len(_MIX)]]
        recorded.append((server, converse(client.endpoint(), server.endpoint())))
        progress(n + 1)
    # The key log of a context grows with every session: read it once, at the end.
    secrets = {server: server.master_secrets() for _client, server in pairs.values()}
    for server, flights in recorded:
        hellos = wire.observe(flights)
        capture.add(
            Recording(flights, openssl.NAME, openssl.NAME, _SERVER_KEY, hellos, secrets[server])
        )
    return capture


def _response(body_bytes: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {body_bytes}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + bytes(n * n % 251 for n in range(body_bytes))
