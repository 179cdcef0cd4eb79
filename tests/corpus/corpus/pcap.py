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

# Block types and options of pcapng (draft-ietf-opsawg-pcapng).
_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE_DESCRIPTION = 1
_NAME_RESOLUTION = 4
_INTERFACE_STATISTICS = 5
_ENHANCED_PACKET = 6
_UNKNOWN_BLOCK = 0x7FFF1234
_OPTION_COMMENT = 1
_SHB_APPLICATION = 4
_IF_TIME_RESOLUTION = 9
_PACKETS_PER_SECTION = 10


@dataclass(frozen=True)
class Packet:
    """A captured frame. `interface` counts from 0 and matters only to pcapng."""

    time_ns: int
    frame: bytes
    interface: int = 0
    original_size: int | None = None
    """The size on the wire, if the capture has only the beginning of the frame."""

    @property
    def size_on_wire(self) -> int:
        return len(self.frame) if self.original_size is None else self.original_size


@dataclass(frozen=True)
class Format:
    """How a capture file is written."""

    suffix: str
    pcapng: bool = False
    big_endian: bool = False
    nanoseconds: bool = False
    gzipped: bool = False
    extras: bool = False
    """A pcapng file with what few of them have: options, blocks to be skipped, and a new section
    every ten packets, in the other byte order each time."""


PCAP = Format(".pcap")
PCAP_BIG_ENDIAN = Format(".pcap", big_endian=True)
PCAP_NANOSECONDS = Format(".pcap", nanoseconds=True)
PCAP_GZ = Format(".pcap.gz", gzipped=True)
PCAPNG = Format(".pcapng", pcapng=True)
PCAPNG_BIG_ENDIAN = Format(".pcapng", pcapng=True, big_endian=True)
PCAPNG_EXTRAS = Format(".pcapng", pcapng=True, extras=True)
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
        sizes = (len(packet.frame), packet.size_on_wire)
        out.write(struct.pack(order + "IIII", seconds, fraction, *sizes) + packet.frame)
        count += 1
    return count


def _write_pcapng(
    out: BinaryIO, form: Format, link_types: list[int], packets: Iterable[Packet]
) -> int:
    order = _order(form)
    out.write(_section(order, form, link_types))
    count = 0
    for packet in packets:
        if form.extras and count and count % _PACKETS_PER_SECTION == 0:
            order = "<" if order == ">" else ">"
            out.write(_section(order, form, link_types))
        ticks = packet.time_ns if packet.interface % 2 == 0 else packet.time_ns // 1000
        size = len(packet.frame)
        header = struct.pack(
            order + "IIIII",
            packet.interface,
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            size,
            packet.size_on_wire,
        )
        body = header + _padded(packet.frame)
        if form.extras:
            body += _options(order, (_OPTION_COMMENT, b"packet %d" % count))
        out.write(_block(order, _ENHANCED_PACKET, body))
        count += 1
    return count


def _section(order: str, form: Format, link_types: list[int]) -> bytes:
    """A section header and its interfaces: nanoseconds on the even ones, the default microseconds
    on the odd ones."""
    header = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    if form.extras:
        header += _options(order, (_OPTION_COMMENT, b"a comment"), (_SHB_APPLICATION, b"corpus"))
    section = _block(order, _SECTION_HEADER, header)
    for interface, link_type in enumerate(link_types):
        body = struct.pack(order + "HHI", link_type, 0, _SNAP_LENGTH)
        if interface % 2 == 0:
            body += _options(order, (_IF_TIME_RESOLUTION, b"\x09"))
        section += _block(order, _INTERFACE_DESCRIPTION, body)
    if form.extras:
        # No records, then statistics of an interface, then a block of a type that does not exist.
        section += _block(order, _NAME_RESOLUTION, bytes(4))
        section += _block(order, _INTERFACE_STATISTICS, bytes(12))
        section += _block(order, _UNKNOWN_BLOCK, b"to be skipped")
    return section


def _options(order: str, *options: tuple[int, bytes]) -> bytes:
    coded = (
        struct.pack(order + "HH", code, len(value)) + _padded(value) for code, value in options
    )
    return b"".join(coded) + bytes(4)


def _block(order: str, kind: int, body: bytes) -> bytes:
    padded = _padded(body)
    total = 12 + len(padded)
    return struct.pack(order + "II", kind, total) + padded + struct.pack(order + "I", total)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
