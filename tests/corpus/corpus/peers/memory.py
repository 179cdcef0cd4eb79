"""The common part of TLS stacks that run in this process and read and write memory.

The life of a session, the same for each stack: shake hands, one request, one response, close.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator

REQUEST = b"GET /index.html HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nHello, world!"


class MemoryEndpoint(ABC):
    """An endpoint whose work is a generator that yields whenever it needs more bytes."""

    name: str
    waits = False

    def __init__(self) -> None:
        self._work = self._session()
        self._finished = False

    @property
    def closed(self) -> bool:
        return self._finished

    def advance(self) -> bytes:
        if not self._finished:
            try:
                next(self._work)
            except StopIteration:
                self._finished = True
        return self._take_output()

    @abstractmethod
    def master_secrets(self) -> dict[bytes, bytes]: ...

    @abstractmethod
    def feed(self, data: bytes) -> None: ...

    @abstractmethod
    def feed_end(self) -> None: ...

    def release(self) -> None:
        self._work.close()

    @abstractmethod
    def _session(self) -> Generator[None, None, None]:
        """Does the session; yields when input is needed; raises `PeerFailure`."""

    @abstractmethod
    def _take_output(self) -> bytes:
        """Returns and forgets what the stack wants to send."""
