"""Writes capture files: pcap in both byte orders and both clocks, pcapng, plain or gzip'ed."""

import gzip
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

# The first packet of every capture: 2020-01-01 00:00:00 UTC, so that a file depends on its peers
# and on nothing else.
EPOCH_NS = 1_577_836_800_000_000_000
PACKET_INTERVAL_NS = 137_001

_SNAP_LENGTH = 262_144


@dataclass(frozen=True)
class Packet:
    """A captured frame. `interface` counts from 0 and matters only to pcapng."""

    time_ns: int
    frame: bytes
    interface: int = 0


@dataclass(frozen=True)
class Format:
    """How a capture file is written."""

    suffix: str
    pcapng: bool = False
    big_endian: bool = False
    nanoseconds: bool = False
    gzipped: bool = False


PCAP = Format(".pcap")
PCAP_BIG_ENDIAN = Format(".pcap", big_endian=True)
PCAP_NANOSECONDS = Format(".pcap", nanoseconds=True)
PCAP_GZ = Format(".pcap.gz", gzipped=True)
PCAPNG = Format(".pcapng", pcapng=True)
PCAPNG_BIG_ENDIAN = Format(".pcapng", pcapng=True, big_endian=True)
PCAPNG_GZ = Format(".pcapng.gz", pcapng=True, gzipped=True)


def write(path: Path, form: Format, link_types: list[int], packets: Iterable[Packet]) -> int:
    """Writes the packets and returns how many there were.

    `link_types` has one entry per interface; a pcap file has exactly one.
    """
    if not form.pcapng and len(link_types) != 1:
        raise ValueError("a pcap file has one link type")
    body = _write_pcapng if form.pcapng else _write_pcap
    with path.open("wb") as raw:
        if not form.gzipped:
            return body(raw, form, link_types, packets)
        # No file name and no time in the gzip header: the same packets give the same file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            return body(cast(BinaryIO, packed), form, link_types, packets)


def _order(form: Format) -> str:
    return ">" if form.big_endian else "<"


def _write_pcap(
    out: BinaryIO, form: Format, link_types: list[int], packets: Iterable[Packet]
) -> int:
    order = _order(form)
    magic, per_second = (0xA1B23C4D, 10**9) if form.nanoseconds else (0xA1B2C3D4, 10**6)
    out.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, _SNAP_LENGTH, link_types[0]))
    count = 0
    for packet in packets:
        seconds, rest = divmod(packet.time_ns, 10**9)
        fraction = rest * per_second // 10**9
        size = len(packet.frame)
        out.write(struct.pack(order + "IIII", seconds, fraction, size, size) + packet.frame)
        count += 1
    return count


def _write_pcapng(
    out: BinaryIO, form: Format, link_types: list[int], packets: Iterable[Packet]
) -> int:
    order = _order(form)
    # Section header: byte-order magic, version 1.0, section length unknown.
    out.write(_block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)))
    # Interface description with if_tsresol: nanoseconds on the even interfaces, the default
    # microseconds on the odd ones.
    for interface, link_type in enumerate(link_types):
        body = struct.pack(order + "HHI", link_type, 0, _SNAP_LENGTH)
        if interface % 2 == 0:
            body += struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
        out.write(_block(order, 1, body))
    count = 0
    for packet in packets:
        ticks = packet.time_ns if packet.interface % 2 == 0 else packet.time_ns // 1000
        size = len(packet.frame)
        header = struct.pack(
            order + "IIIII", packet.interface, ticks >> 32, ticks & 0xFFFFFFFF, size, size
        )
        out.write(_block(order, 6, header + packet.frame))
        count += 1
    return count


def _block(order: str, kind: int, body: bytes) -> bytes:
    padded = body + b"\0" * (-len(body) % 4)
    total = 12 + len(padded)
    return struct.pack(order + "II", kind, total) + padded + struct.pack(order + "I", total)
