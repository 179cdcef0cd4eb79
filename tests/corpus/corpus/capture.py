"""A capture file in the making: connections, how they are framed, and what a tool should say."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from corpus import link, pcap, tcp
from corpus.cell import Recording
from corpus.conversation import Flight
from corpus.manifest import CaptureEntry, SessionEntry, Verdict

Accident = Callable[[list[tcp.Segment]], list[tcp.Segment]]


@dataclass
class Capture:
    """The connections of one capture file. `keys` are the private keys to analyse it with."""

    name: str
    form: pcap.Format = pcap.PCAP
    links: tuple[link.Link, ...] = (link.ETHERNET,)
    at_once: int = 1
    ipv6: bool = False
    snap_length: int | None = None
    """Frames are cut to so many bytes, as `tcpdump -s` does."""
    keys: tuple[str, ...] = ("server-2048",)
    about: str = ""
    _connections: list[list[tcp.Segment]] = field(default_factory=list)
    _sessions: list[SessionEntry] = field(default_factory=list)

    @property
    def file_name(self) -> str:
        return self.name + self.form.suffix

    def add(
        self,
        recording: Recording,
        expected: Verdict = Verdict.PROVEN,
        note: str = "",
        *,
        accident: Accident | None = None,
        resumes: bytes | None = None,
        **flow_fields: Any,
    ) -> None:
        """Adds a connection and what is expected of its TLS session."""
        self.add_stream(recording.flights, accident, **flow_fields)
        entry = SessionEntry.of(recording, expected, note)
        if resumes is not None:
            entry = replace(entry, resumes=resumes.hex())
        self._sessions.append(entry)

    def add_stream(
        self, flights: list[Flight], accident: Accident | None = None, **flow_fields: Any
    ) -> None:
        """Adds a connection without a session that a tool should report."""
        flow = replace(self._next_flow(), **flow_fields)
        connection = tcp.segments(flow, flights)
        self._connections.append(accident(connection) if accident else connection)

    def add_session(self, entry: SessionEntry) -> None:
        """Adds a further session to the connection added last: a renegotiation."""
        self._sessions.append(entry)

    def write(self, directory: Path, *, keys: Path) -> CaptureEntry:
        """Writes the capture and its key log; returns the manifest's entry.

        `keys` is the directory of private keys; the manifest names it relative to itself.
        """
        where = Path(os.path.relpath(keys, directory))
        link_types = [layer.link_type for layer in self.links]
        count = pcap.write(directory / self.file_name, self.form, link_types, self._packets())
        lines = sorted(entry.key_log_line() for entry in self._sessions if entry.in_key_log)
        text = "".join(line + "\n" for line in lines)
        (directory / f"{self.name}.keys").write_text(text, "ascii")
        return CaptureEntry(
            file=self.file_name,
            key_log=f"{self.name}.keys",
            keys=[(where / f"{name}.pem").as_posix() for name in self.keys],
            about=self.about,
            format=self._format_name(),
            packets=count,
            sessions=self._sessions,
        )

    def _packets(self) -> Iterator[pcap.Packet]:
        interfaces = {id(c[0].flow): n % len(self.links) for n, c in enumerate(self._connections)}
        time_ns = pcap.EPOCH_NS
        for segment in tcp.interleave(self._connections, self.at_once):
            interface = interfaces[id(segment.flow)]
            frame = self.links[interface].frame(segment.ip_packet(), segment.direction)
            yield pcap.Packet(time_ns, frame[: self.snap_length], interface, len(frame))
            time_ns += pcap.PACKET_INTERVAL_NS

    def _next_flow(self) -> tcp.Flow:
        """Addresses, ports and initial sequence numbers that differ per connection."""
        n = len(self._connections)
        host = 10 + n // 10_000
        return tcp.Flow(
            client=f"2001:db8::{host:x}" if self.ipv6 else f"192.0.2.{host}",
            server="2001:db8:1::20" if self.ipv6 else "198.51.100.20",
            client_port=40_000 + n % 10_000,
            # Knuth's multiplier spreads them over the whole range.
            client_isn=(n + 1) * 2_654_435_761 % 2**32,
            server_isn=(n + 7) * 2_654_435_761 % 2**32,
        )

    def _format_name(self) -> str:
        form = self.form
        parts = ["pcapng" if form.pcapng else "pcap"]
        parts.append("big endian" if form.big_endian else "little endian")
        if not form.pcapng:
            parts.append("nanoseconds" if form.nanoseconds else "microseconds")
        if form.extras:
            parts.append("several sections of both byte orders")
        if form.gzipped:
            parts.append("gzip")
        if self.snap_length is not None:
            parts.append(f"frames cut to {self.snap_length} bytes")
        parts += [layer.name for layer in self.links]
        parts.append("IPv6" if self.ipv6 else "IPv4")
        return ", ".join(parts)
