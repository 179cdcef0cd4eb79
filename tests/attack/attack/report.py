"""The results of a run: a table, the failures in words, and all of it as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from attack.runner import Outcome, judge_backends
from attack.scanners import Scan
from attack.suites import Profile
from attack.tls13.suites import Suite

_SHOWN = 40
"""Lines of failures that are written out."""


def in_words(results: Sequence[Outcome] | Sequence[Scan], what: str) -> str:
    """How many there are, and how many of them failed."""
    failed = sum(result.failure is not None for result in results)
    return f"{len(results)} {what}" + (f", {failed} FAILED" if failed else "")


SERVE = "sslprov serve"
IN_C = "the server in C"
CONNECT = "sslprov connect"
KINDS = (SERVE, IN_C, CONNECT)
"""What is attacked on each backend."""


@dataclass
class Part:
    """What one program did with one backend."""

    kind: str
    backend: str
    outcomes: list[Outcome] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    served: list[str] = field(default_factory=list)
    lacking: set[str] = field(default_factory=set)
    """Classes about what the program does not offer."""
    left_out: int = 0
    """Conversations that would mean nothing."""
    differing: int = 0
    """Conversations of which only the end is judged."""
    troubles: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.backend}"

    def add_served(self, served: Sequence[Profile], required: Sequence[Profile]) -> None:
        """Notes what a server speaks, and that it lacks something it must have."""
        known = [*self.served, *map(str, served)]
        self.served = list(dict.fromkeys(known))
        for profile in required:
            if profile not in served:
                self.troubles.append(f"{self.name}: {profile} is not served")

    def add_suites(self, served: Sequence[Suite], required: Sequence[Suite]) -> None:
        """The same, for the suites of TLS 1.3."""
        self.served += [f"TLS 1.3 {suite}" for suite in served]
        for suite in required:
            if suite not in served:
                self.troubles.append(f"{self.name}: TLS 1.3 {suite} is not served")

    def add_trouble(self, trouble: str | None) -> None:
        """Notes that a program is gone, if it is."""
        if trouble is not None:
            self.troubles.append(f"{self.name}: {trouble}")


@dataclass
class Report:
    """What every program did."""

    seed: int
    parts: list[Part] = field(default_factory=list)

    def compare_backends(self) -> None:
        """Backends must not be told from each other either."""
        for kind in KINDS:
            judge_backends(
                {part.backend: part.outcomes for part in self.parts if part.kind == kind}
            )

    @property
    def troubles(self) -> list[str]:
        return [trouble for part in self.parts for trouble in part.troubles]

    @property
    def failed(self) -> int:
        results = [result for part in self.parts for result in (*part.outcomes, *part.scans)]
        return sum(result.failure is not None for result in results) + len(self.troubles)

    def table(self) -> str:
        """A row per class and a column per backend, for each program."""
        backends = list(dict.fromkeys(part.backend for part in self.parts))
        rows = [["class", *backends]]
        for kind in KINDS:
            parts = [part for part in self.parts if part.kind == kind]
            families = list(dict.fromkeys(o.family for part in parts for o in part.outcomes))
            if not families:
                continue
            rows.append([f"{kind}:"])
            for family in families:
                rows.append([f"  {family}", *(self._cell(kind, b, family) for b in backends)])
        rows.append(["conversations", *(self._cell(None, b, None) for b in backends)])
        if any(part.scans for part in self.parts):
            rows.append(["scanners", *(self._cell(None, b, "scanners") for b in backends)])
        widths = [max(len(row[at]) for row in rows if at < len(row)) for at in range(len(rows[0]))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        for kind in KINDS:
            lacking = {name for part in self.parts if part.kind == kind for name in part.lacking}
            differing = sum(part.differing for part in self.parts if part.kind == kind)
            left_out = sum(part.left_out for part in self.parts if part.kind == kind)
            if differing or left_out:
                lines.append(
                    f"{kind} differs in {differing} conversations, of which only the end is "
                    f"judged; {left_out} more are left out"
                )
            if lacking:
                lines.append(
                    f"{kind} does not offer what these are about: {', '.join(sorted(lacking))}"
                )
        return "\n" + "\n".join(lines) + "\n"

    def failures(self) -> list[str]:
        """Each failure in words. Those that read alike are one line, with the first one's name."""
        alike: dict[tuple[str, str, str], list[str]] = {}
        for part in self.parts:
            for outcome in part.outcomes:
                if outcome.failure:
                    key = part.name, outcome.family, outcome.failure
                    alike.setdefault(key, []).append(outcome.name)
            for scan in part.scans:
                if scan.failure:
                    alike.setdefault((part.name, scan.tool, scan.failure), []).append(scan.check)
        lines = [*self.troubles]
        for (name, family, failure), names in alike.items():
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            lines.append(f"{name}: {family}: {names[0]}{more}: {failure}")
        shown = [f"FAILED {line}" for line in lines[:_SHOWN]]
        if len(lines) > _SHOWN:
            shown.append(f"and {len(lines) - _SHOWN} kinds more; --json has them all")
        return shown

    def summary(self) -> str:
        conversations = sum(len(part.outcomes) for part in self.parts)
        scans = sum(len(part.scans) for part in self.parts)
        backends = {part.backend for part in self.parts}
        return (
            f"{conversations} conversations and {scans} scans with "
            f"{len(backends)} backends, {self.failed} failures"
        )

    def as_json(self) -> dict:
        """Everything."""
        return {
            "seed": self.seed,
            "failures": self.failed,
            "troubles": self.troubles,
            "served": {part.name: part.served for part in self.parts if part.served},
            "conversations": [
                {
                    "program": part.kind,
                    "backend": part.backend,
                    "class": outcome.family,
                    "name": outcome.name,
                    "group": outcome.group,
                    "expected": outcome.expected,
                    "reply": None if outcome.reply is None else str(outcome.reply),
                    "failure": outcome.failure,
                }
                for part in self.parts
                for outcome in part.outcomes
            ],
            "scans": [
                {"backend": part.backend, **vars(scan)}
                for part in self.parts
                for scan in part.scans
            ],
        }

    def _cell(self, kind: str | None, backend: str, family: str | None) -> str:
        parts = [p for p in self.parts if p.backend == backend and kind in (None, p.kind)]
        if family == "scanners":
            failures = [scan.failure for part in parts for scan in part.scans]
        else:
            failures = [
                outcome.failure
                for part in parts
                for outcome in part.outcomes
                if family in (None, outcome.family)
            ]
        failed = sum(failure is not None for failure in failures)
        return f"{len(failures)}, {failed} FAILED" if failed else str(len(failures))
