"""Wraps an IP packet in the framing of a link layer, by its number in the capture file."""

from collections.abc import Callable
from dataclasses import dataclass

from corpus.conversation import Direction

_CLIENT_MAC = bytes.fromhex("020000000001")
_SERVER_MAC = bytes.fromhex("020000000002")
_ARPHRD_ETHER = 1
_SLL_INCOMING = 0
_SLL_OUTGOING = 4


@dataclass(frozen=True)
class Link:
    """A link layer: its name, its LINKTYPE_ number, and how it frames an IP packet."""

    name: str
    link_type: int
    frame: Callable[[bytes, Direction], bytes]


def _ethertype(packet: bytes) -> bytes:
    return b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"


def _macs(direction: Direction) -> bytes:
    """Destination and source address."""
    if direction is Direction.TO_SERVER:
        return _SERVER_MAC + _CLIENT_MAC
    return _CLIENT_MAC + _SERVER_MAC


def _ethernet(packet: bytes, direction: Direction) -> bytes:
    frame = _macs(direction) + _ethertype(packet) + packet
    # Ethernet pads to 60 bytes: a reader must trust the IP length, not the frame's.
    return frame.ljust(60, b"\0")


def _vlan(packet: bytes, direction: Direction) -> bytes:
    return _macs(direction) + b"\x81\x00\x00\x2a" + _ethertype(packet) + packet


def _qinq(packet: bytes, direction: Direction) -> bytes:
    tags = b"\x88\xa8\x00\x64" + b"\x81\x00\x00\x2a"
    return _macs(direction) + tags + _ethertype(packet) + packet


def _linux_cooked(packet: bytes, direction: Direction) -> bytes:
    kind = _SLL_OUTGOING if direction is Direction.TO_CLIENT else _SLL_INCOMING
    header = kind.to_bytes(2, "big") + _ARPHRD_ETHER.to_bytes(2, "big") + b"\0\x06"
    return header + _macs(direction)[6:] + b"\0\0" + _ethertype(packet) + packet


def _linux_cooked_2(packet: bytes, direction: Direction) -> bytes:
    kind = _SLL_OUTGOING if direction is Direction.TO_CLIENT else _SLL_INCOMING
    header = _ethertype(packet) + b"\0\0" + (3).to_bytes(4, "big")
    header += _ARPHRD_ETHER.to_bytes(2, "big") + bytes([kind, 6])
    return header + _macs(direction)[6:] + b"\0\0" + packet


def _raw(packet: bytes, _direction: Direction) -> bytes:
    return packet


def _bsd_loopback(packet: bytes, _direction: Direction) -> bytes:
    # The address family stands in the byte order of the capturing machine; AF_INET6 is 30 on
    # macOS, 24 on NetBSD, 28 on FreeBSD.
    family = 30 if packet[0] >> 4 == 6 else 2
    return family.to_bytes(4, "little") + packet


ETHERNET = Link("Ethernet", 1, _ethernet)
VLAN = Link("Ethernet, 802.1Q", 1, _vlan)
QINQ = Link("Ethernet, 802.1ad", 1, _qinq)
LINUX_COOKED = Link("Linux cooked", 113, _linux_cooked)
LINUX_COOKED_2 = Link("Linux cooked v2", 276, _linux_cooked_2)
RAW_IP = Link("raw IP", 101, _raw)
BSD_LOOPBACK = Link("BSD loopback", 0, _bsd_loopback)
