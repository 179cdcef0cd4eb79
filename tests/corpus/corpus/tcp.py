"""Turns a conversation into TCP segments, IP packets, and the accidents of a real network."""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from corpus.conversation import Direction, Flight

FIN, SYN, PSH, ACK = 0x01, 0x02, 0x08, 0x10
_MODULUS = 1 << 32
_PROTOCOL_TCP = 6


@dataclass(frozen=True)
class Flow:
    """The two ends of a connection, and where its sequence numbers start."""

    client: str = "192.0.2.10"
    server: str = "198.51.100.20"
    client_port: int = 49152
    server_port: int = 443
    client_isn: int = 1_000_000
    server_isn: int = 2_000_000
    mss: int = 1460


@dataclass(frozen=True)
class Segment:
    """One TCP segment of a flow."""

    flow: Flow
    direction: Direction
    seq: int
    ack: int
    flags: int
    payload: bytes = b""

    def ip_packet(self) -> bytes:
        """The segment with its TCP and IP headers, all checksums right."""
        flow = self.flow
        ports = (flow.client_port, flow.server_port)
        names = (flow.client, flow.server)
        if self.direction is Direction.TO_CLIENT:
            ports, names = ports[::-1], names[::-1]
        source, destination = (ipaddress.ip_address(name).packed for name in names)
        options = struct.pack("!BBH", 2, 4, flow.mss) if self.flags & SYN else b""
        header_words = 5 + len(options) // 4
        tcp = bytearray(
            struct.pack(
                "!HHIIBBHHH",
                *ports,
                self.seq % _MODULUS,
                self.ack % _MODULUS,
                header_words << 4,
                self.flags,
                65535,
                0,
                0,
            )
        )
        tcp += options + self.payload
        pseudo = source + destination + struct.pack("!IHBB", len(tcp), 0, 0, _PROTOCOL_TCP)
        tcp[16:18] = _checksum(pseudo + tcp).to_bytes(2, "big")
        return _ip_header(source, destination, len(tcp)) + bytes(tcp)


def segments(flow: Flow, flights: list[Flight]) -> list[Segment]:
    """The whole life of a connection: open, every flight cut at the MSS, acknowledge, close."""
    return list(_segments(flow, flights))


def interleave(flows: list[list[Segment]], at_once: int) -> Iterator[Segment]:
    """Mixes connections: up to `at_once` are open, each in turn sends one segment."""
    waiting = [iter(flow) for flow in flows]
    waiting.reverse()
    running: list[Iterator[Segment]] = []
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(waiting.pop())
        still_running = []
        for connection in running:
            segment = next(connection, None)
            if segment is not None:
                yield segment
                still_running.append(connection)
        running = still_running


# Accidents. Each takes the segments of a connection and returns them as a capture might show them.


def data_positions(connection: list[Segment]) -> list[int]:
    """Where the segments stand that carry data."""
    return [at for at, segment in enumerate(connection) if segment.payload]


def swap_neighbours(connection: list[Segment]) -> list[Segment]:
    """Every pair of neighbouring data segments of one direction arrives in the wrong order."""
    result = list(connection)
    at = 0
    while at + 1 < len(result):
        first, second = result[at], result[at + 1]
        if first.payload and second.payload and first.direction is second.direction:
            result[at], result[at + 1] = second, first
            at += 2
        else:
            at += 1
    return result


def duplicate_all(connection: list[Segment]) -> list[Segment]:
    """Every data segment is seen twice, as on a mirror port; the copy comes two segments later."""
    result: list[Segment] = []
    pending: list[tuple[int, Segment]] = []
    for at, segment in enumerate(connection):
        result.append(segment)
        if segment.payload:
            pending.append((at + 2, segment))
        while pending and pending[0][0] <= at:
            result.append(pending.pop(0)[1])
    return result + [segment for _, segment in pending]


def retransmit_overlapping(connection: list[Segment]) -> list[Segment]:
    """After each data segment comes another that repeats its second half and, if the next segment
    goes the same way, the first bytes of that one: edges of retransmissions rarely agree."""
    result: list[Segment] = []
    for at, segment in enumerate(connection):
        result.append(segment)
        if len(segment.payload) < 2:
            continue
        half = len(segment.payload) // 2
        tail = segment.payload[half:]
        following = connection[at + 1] if at + 1 < len(connection) else None
        if following is not None and following.direction is segment.direction:
            tail += following.payload[: len(following.payload) // 3]
        result.append(replace(segment, seq=segment.seq + half, payload=tail))
    return result


def lose_data(connection: list[Segment], nth: int) -> list[Segment]:
    """The nth data segment, counted from 0, was never captured."""
    position = data_positions(connection)[nth]
    return connection[:position] + connection[position + 1 :]


def _segments(flow: Flow, flights: list[Flight]) -> Iterator[Segment]:
    to_server, to_client = Direction.TO_SERVER, Direction.TO_CLIENT
    following = {to_server: flow.client_isn, to_client: flow.server_isn}

    def segment(direction: Direction, flags: int, payload: bytes = b"") -> Segment:
        ack = following[direction.reverse] if flags & ACK else 0
        made = Segment(flow, direction, following[direction], ack, flags, payload)
        following[direction] += len(payload) + bool(flags & (SYN | FIN))
        return made

    yield segment(to_server, SYN)
    yield segment(to_client, SYN | ACK)
    yield segment(to_server, ACK)
    for flight in flights:
        for start in range(0, len(flight.data), flow.mss):
            payload = flight.data[start : start + flow.mss]
            last = start + flow.mss >= len(flight.data)
            yield segment(flight.direction, ACK | PSH if last else ACK, payload)
        yield segment(flight.direction.reverse, ACK)
    yield segment(to_server, FIN | ACK)
    yield segment(to_client, FIN | ACK)
    yield segment(to_server, ACK)


def _ip_header(source: bytes, destination: bytes, length: int) -> bytes:
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, length, _PROTOCOL_TCP, 64) + source + destination
    header = bytearray(
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, _PROTOCOL_TCP, 0)
    )
    header += source + destination
    header[10:12] = _checksum(header).to_bytes(2, "big")
    return bytes(header)


def _checksum(data: bytes | bytearray) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = bytes(data) + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
