"""What two peers said to each other, and the pump that lets them say it.

A peer is anything that follows `Endpoint`: a TLS stack in this process, or another program behind a
loopback socket. The pump carries bytes from one to the other and writes down every piece.
"""

import time
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class PeerFailure(Exception):
    """A peer did not do what was asked of it."""

    cell: object = None
    """The cell that asked, once that is known."""

    @property
    def reason(self) -> str:
        return super().__str__()

    def __str__(self) -> str:
        return self.reason if self.cell is None else f"{self.cell}: {self.reason}"


class PeerMissing(PeerFailure):
    """A program that is a peer is not installed on this machine, or lacks what a cell needs."""


class Direction(Enum):
    """Which way bytes travel."""

    TO_SERVER = "to-server"
    TO_CLIENT = "to-client"

    @property
    def reverse(self) -> "Direction":
        return Direction.TO_CLIENT if self is Direction.TO_SERVER else Direction.TO_SERVER


@dataclass(frozen=True)
class Flight:
    """Bytes that one peer sent before the other answered."""

    direction: Direction
    data: bytes


class Endpoint(Protocol):
    """One side of a conversation."""

    name: str
    """The stack and its version, for the manifest."""

    def master_secrets(self) -> dict[bytes, bytes]:
        """The oracle: client random to master secret, empty if this peer does not tell."""

    def advance(self) -> bytes:
        """Lets the peer work with what it has been fed, and returns what it wants to send."""

    def feed(self, data: bytes) -> None:
        """Gives the peer bytes that its counterpart sent."""

    def feed_end(self) -> None:
        """Tells the peer that its counterpart sends nothing more."""

    @property
    def closed(self) -> bool:
        """True when the peer will send nothing more."""

    @property
    def waits(self) -> bool:
        """True if the peer may still speak without being fed: it runs in another process."""

    def release(self) -> None:
        """Gives back sockets and processes. Called once, also after a failure."""


def converse(client: Endpoint, server: Endpoint, timeout: float = 10.0) -> list[Flight]:
    """Pumps bytes between the two until both are closed, and returns what was said.

    Raises `PeerFailure` if a peer fails, or if both fall silent before they close.
    """
    flights: list[Flight] = []
    told_end: set[Direction] = set()
    deadline = time.monotonic() + timeout
    try:
        while not (client.closed and server.closed):
            moved = False
            for speaker, listener, direction in (
                (client, server, Direction.TO_SERVER),
                (server, client, Direction.TO_CLIENT),
            ):
                data = speaker.advance()
                if data:
                    _append(flights, direction, data)
                    listener.feed(data)
                    moved = True
                if speaker.closed and direction not in told_end:
                    told_end.add(direction)
                    listener.feed_end()
                    moved = True
            if moved:
                continue
            if not (client.waits or server.waits):
                raise PeerFailure("both peers wait for each other")
            if time.monotonic() > deadline:
                raise PeerFailure(f"no end after {timeout:.0f} seconds")
            time.sleep(0.001)
    finally:
        client.release()
        server.release()
    return flights


def _append(flights: list[Flight], direction: Direction, data: bytes) -> None:
    """Adds bytes, joined to the last flight if the same peer is still speaking."""
    if flights and flights[-1].direction is direction:
        flights[-1] = Flight(direction, flights[-1].data + data)
    else:
        flights.append(Flight(direction, data))
