"""Asks tshark, an independent reader: does the oracle's key log decrypt what we wrote?

And measures it: the key-log export that people use today is the bar for our own tool.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from corpus.conversation import PeerFailure
from corpus.manifest import CaptureEntry, read_captures

_FINISHED = "20"
_GOOD_CHECKSUM = "1"

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
    in_key_log: int
    finished: int
    bad_checksums: int
    expected_packets: int

    @property
    def good(self) -> bool:
        """Every packet is there and sound, and both Finished of every session are readable."""
        return (
            self.packets == self.expected_packets
            and self.finished >= 2 * self.in_key_log
            and not self.bad_checksums
        )


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
    fields = ("tls.handshake.type", "ip.checksum.status", "tcp.checksum.status")
    arguments = ["-n", "-r", str(directory / entry.file), "-T", "fields"]
    for preference in (*_PREFERENCES, f"tls.keylog_file:{directory / entry.key_log}"):
        arguments += ["-o", preference]
    for field in fields:
        arguments += ["-e", field]
    packets = finished = bad = 0
    for line in _run(arguments).splitlines():
        types, ip_status, tcp_status = line.split("\t")
        packets += 1
        finished += types.split(",").count(_FINISHED)
        # IPv6 has no header checksum.
        bad += tcp_status != _GOOD_CHECKSUM or ip_status not in ("", _GOOD_CHECKSUM)
    return Verification(
        capture=entry.file,
        packets=packets,
        in_key_log=sum(session.in_key_log for session in entry.sessions),
        finished=finished,
        bad_checksums=bad,
        expected_packets=entry.packets,
    )


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
