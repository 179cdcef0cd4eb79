"""What is in a corpus and what a tool should say about it: `manifest.json`."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from corpus.cell import Recording
from corpus.suites import Version

_SCHEMA = 1


class Verdict(StrEnum):
    """What `sslprov keylog` should answer for a session, given the capture's keys."""

    PROVEN = "proven"
    WRONG_KEY = "wrong-key"
    FORWARD_SECRET = "forward-secret"
    RESUMED = "resumed"
    INCOMPLETE = "incomplete"
    MALFORMED = "malformed"
    UNVERIFIED = "unverified"
    NOT_ALLOWED = "not-allowed"


@dataclass(frozen=True)
class SessionEntry:
    """One TLS session. Randoms and secrets are hex, versions and suites four hex digits."""

    client_random: str
    protocol: str
    offered_version: str
    """The version in the ClientHello: what a premaster is supposed to begin with."""
    premaster_version: str | None
    """What the premaster does begin with; null if there is none or nobody looked."""
    suite: str
    ems: bool
    etm: bool
    client: str
    server: str
    server_key: str
    expected: Verdict
    expected_allow_ssl3: Verdict
    """The verdict with `--allow-ssl3`; differs from `expected` only for SSL 3.0."""
    master_secret: str | None
    """The oracle, also where it is not in the capture's key log."""
    resumes: str | None = None
    """The client random of the session that this one resumes."""
    note: str = ""

    @classmethod
    def of(cls, recording: Recording, expected: Verdict, note: str = "") -> "SessionEntry":
        hellos, master = recording.hellos, recording.master_secret
        premaster = recording.premaster_version
        ssl3 = hellos.protocol == Version.SSL3
        return cls(
            client_random=hellos.client_random.hex(),
            protocol=f"{hellos.protocol:04x}",
            offered_version=f"{hellos.offered_version:04x}",
            premaster_version=f"{premaster:04x}" if premaster is not None else None,
            suite=f"{hellos.suite_id:04x}",
            ems=hellos.ems,
            etm=hellos.etm,
            client=recording.client,
            server=recording.server,
            server_key=recording.server_key,
            expected=Verdict.NOT_ALLOWED if ssl3 else expected,
            expected_allow_ssl3=expected,
            master_secret=master.hex() if master else None,
            note=note,
        )

    @property
    def in_key_log(self) -> bool:
        """Only what a tool can prove is in the capture's key log."""
        return self.expected_allow_ssl3 is Verdict.PROVEN

    def key_log_line(self) -> str:
        if self.master_secret is None:
            raise ValueError(f"{self.client_random} is to be proven and has no oracle")
        return f"CLIENT_RANDOM {self.client_random} {self.master_secret}"


@dataclass(frozen=True)
class CaptureEntry:
    """One capture file. Paths are relative to the manifest."""

    file: str
    key_log: str
    keys: list[str]
    about: str
    format: str
    packets: int
    sessions: list[SessionEntry]


@dataclass(frozen=True)
class Skipped:
    """A cell that a peer of this machine cannot do."""

    cell: str
    reason: str


@dataclass
class Manifest:
    """A whole corpus."""

    profile: str
    captures: list[CaptureEntry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def write(self, directory: Path) -> Path:
        path = directory / "manifest.json"
        document = {"schema": _SCHEMA, **asdict(self)}
        path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        return path

    def session_count(self) -> int:
        return sum(len(capture.sessions) for capture in self.captures)


def read_captures(directory: Path) -> dict[str, CaptureEntry]:
    """The captures of a corpus by name, empty if there is none yet."""
    path = directory / "manifest.json"
    if not path.exists():
        return {}
    entries = {}
    for fields in json.loads(path.read_text("utf-8"))["captures"]:
        sessions = [_session(session) for session in fields.pop("sessions")]
        entries[fields["file"].partition(".")[0]] = CaptureEntry(**fields, sessions=sessions)
    return entries


def _session(fields: dict) -> SessionEntry:
    for name in ("expected", "expected_allow_ssl3"):
        fields[name] = Verdict(fields[name])
    return SessionEntry(**fields)
