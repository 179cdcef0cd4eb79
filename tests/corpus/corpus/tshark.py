"""Asks tshark, an independent reader: does the oracle's key log decrypt what we wrote?

And measures it: the key-log export that people use today is the bar for our own tool.
"""

import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from corpus.conversation import PeerFailure
from corpus.manifest import CaptureEntry, read_captures

_FINISHED = "20"
_GOOD_CHECKSUM = "1"
_SERVER_PORT = "443"

# tshark decrypts with libgcrypt, which has no ARIA.
_SUITES_TSHARK_LACKS = frozenset({0xC050, 0xC051})

_PREFERENCES = (
    "tls.desegment_ssl_records:TRUE",
    "tls.desegment_ssl_application_data:TRUE",
    "tcp.desegment_tcp_streams:TRUE",
    "tcp.reassemble_out_of_order:TRUE",
    "tcp.check_checksum:TRUE",
    "ip.check_checksum:TRUE",
)


@dataclass(frozen=True)
class Verification:
    """What tshark sees in a capture, given its key log."""

    capture: str
    packets: int
    expected_packets: int
    bad_checksums: int
    readable: int
    """Sessions of the key log whose client Finished tshark decrypts."""
    unsupported: int
    """Sessions of the key log with a cipher that tshark does not have."""
    unreadable: list[str]
    """Client randoms of the other sessions of the key log: each is a fault."""

    @property
    def good(self) -> bool:
        complete = self.packets == self.expected_packets
        return complete and not self.bad_checksums and not self.unreadable


@dataclass(frozen=True)
class Baseline:
    """One timed run of tshark's key export."""

    command: list[str]
    seconds: float
    sessions: int


def verify(directory: Path) -> list[Verification]:
    """Runs tshark over every capture of a corpus."""
    return [_verify(directory, entry) for entry in read_captures(directory).values()]


def version() -> str:
    first_line = _run(["--version"]).partition("\n")[0]
    return first_line.partition(" (Git")[0]


def baseline(capture: Path, key: Path, out: Path) -> Baseline:
    """Exports the session keys of a capture with the server's key, and takes the time."""
    arguments = [
        "-n", "-r", str(capture),
        "-o", f'uat:rsa_keys:"{key}",""',
        "--export-tls-session-keys", str(out),
    ]  # fmt: skip
    out.unlink(missing_ok=True)
    started = time.monotonic()
    _run(arguments, discard_output=True)
    seconds = time.monotonic() - started
    # Without a session to export tshark writes no file at all.
    text = out.read_text("ascii") if out.exists() else ""
    lines = [line for line in text.splitlines() if line.startswith("CLIENT_RANDOM ")]
    return Baseline(["tshark", *arguments], seconds, len(lines))


def _verify(directory: Path, entry: CaptureEntry) -> Verification:
    fields = (
        "tcp.stream", "tcp.dstport", "tls.handshake.type", "tls.handshake.random",
        "tls.handshake.challenge", "tcp.payload", "ip.checksum.status", "tcp.checksum.status",
        "frame.len", "frame.cap_len",
    )  # fmt: skip
    arguments = ["-n", "-r", str(directory / entry.file), "-T", "fields"]
    for preference in (*_PREFERENCES, f"tls.keylog_file:{directory / entry.key_log}"):
        arguments += ["-o", preference]
    for field in fields:
        arguments += ["-e", field]
    packets = bad = 0
    randoms: dict[str, list[str]] = {}
    finished: Counter[str] = Counter()
    for line in _run(arguments).splitlines():
        stream, port, types, seen, challenge, payload, *rest = line.split("\t")
        ip_status, tcp_status, size, captured_size = rest
        packets += 1
        # IPv6 has no header checksum, and what was cut off cannot be checked.
        tcp_sound = tcp_status == _GOOD_CHECKSUM or size != captured_size
        bad += not (tcp_sound and ip_status in ("", _GOOD_CHECKSUM))
        if port == _SERVER_PORT:
            # In SSL 2.0 framing the random is the challenge, which tshark marks without showing
            # it: the last 32 bytes of the packet.
            random = payload[-64:] if challenge else seen
            randoms.setdefault(stream, []).extend(random.split(","))
            finished[stream] += types.split(",").count(_FINISHED)
    proven = [session for session in entry.sessions if session.in_key_log]
    missing = []
    readable = unsupported = 0
    for session in proven:
        # A renegotiation shows its ClientHello only if the session before it could be decrypted.
        seen_in = [s for s, values in randoms.items() if session.client_random in values]
        if any(finished[stream] > 0 for stream in seen_in):
            readable += 1
            finished.subtract(seen_in)
        elif int(session.suite, 16) in _SUITES_TSHARK_LACKS:
            unsupported += 1
        else:
            missing.append(session.client_random)
    return Verification(entry.file, packets, entry.packets, bad, readable, unsupported, missing)


def _run(arguments: list[str], *, discard_output: bool = False) -> str:
    if shutil.which("tshark") is None:
        raise PeerFailure("tshark is not installed; its packet is called `tshark`")
    done = subprocess.run(
        ["tshark", *arguments],
        stdout=subprocess.DEVNULL if discard_output else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PeerFailure(f"tshark exits {done.returncode}: {done.stderr.strip()}")
    return done.stdout or ""
