"""The results of a run: a table, the failures in words, and all of it as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from attack.runner import Outcome, judge_backends
from attack.scanners import Scan
from attack.suites import Profile

_SHOWN = 40
"""Lines of failures that are written out."""


def in_words(results: Sequence[Outcome] | Sequence[Scan], what: str) -> str:
    """How many there are, and how many of them failed."""
    failed = sum(result.failure is not None for result in results)
    return f"{len(results)} {what}" + (f", {failed} FAILED" if failed else "")


@dataclass
class Report:
    """What every server did."""

    seed: int
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    scans: dict[str, list[Scan]] = field(default_factory=dict)
    served: dict[str, list[str]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def add_served(
        self, backend: str, served: Sequence[Profile], required: Sequence[Profile]
    ) -> None:
        """Notes what a server speaks, and that it lacks something it must have."""
        self.served[backend] = [str(profile) for profile in served]
        for profile in required:
            if profile not in served:
                self.troubles.append(f"{backend}: {profile} is not served")

    def add(self, backend: str, outcomes: list[Outcome]) -> None:
        self.outcomes.setdefault(backend, []).extend(outcomes)

    def add_scans(self, backend: str, scans: list[Scan]) -> None:
        self.scans[backend] = scans

    def add_trouble(self, backend: str, trouble: str | None) -> None:
        """Notes that a server is gone, if it is."""
        if trouble is not None:
            self.troubles.append(f"{backend}: {trouble}")

    def compare_backends(self) -> None:
        """Backends must not be told from each other either."""
        judge_backends(self.outcomes)

    @property
    def failed(self) -> int:
        conversations = sum(
            outcome.failure is not None
            for outcomes in self.outcomes.values()
            for outcome in outcomes
        )
        scans = sum(scan.failure is not None for scans in self.scans.values() for scan in scans)
        return conversations + scans + len(self.troubles)

    def table(self) -> str:
        """A row per class and a column per backend."""
        backends = list(dict.fromkeys([*self.outcomes, *self.scans]))
        families = list(dict.fromkeys(o.family for some in self.outcomes.values() for o in some))
        rows = [["class", *backends]]
        for family in families:
            rows.append([family, *(self._cell(backend, family) for backend in backends)])
        rows.append(["conversations", *(self._cell(backend, None) for backend in backends)])
        if self.scans:
            rows.append(["scanners", *(self._cell(backend, "scanners") for backend in backends)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n" + "\n".join(lines) + "\n"

    def failures(self) -> list[str]:
        """Each failure in words. Those that read alike are one line, with the first one's name."""
        alike: dict[tuple[str, str, str], list[str]] = {}
        for backend, outcomes in self.outcomes.items():
            for outcome in outcomes:
                if outcome.failure:
                    key = backend, outcome.family, outcome.failure
                    alike.setdefault(key, []).append(outcome.case.name)
        for backend, scans in self.scans.items():
            for scan in scans:
                if scan.failure:
                    alike.setdefault((backend, scan.tool, scan.failure), []).append(scan.check)
        lines = [*self.troubles]
        for (backend, family, failure), names in alike.items():
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            lines.append(f"{backend}: {family}: {names[0]}{more}: {failure}")
        shown = [f"FAILED {line}" for line in lines[:_SHOWN]]
        if len(lines) > _SHOWN:
            shown.append(f"and {len(lines) - _SHOWN} kinds more; --json has them all")
        return shown

    def summary(self) -> str:
        conversations = sum(map(len, self.outcomes.values()))
        scans = sum(map(len, self.scans.values()))
        return (
            f"{conversations} conversations and {scans} scans with "
            f"{len({*self.outcomes, *self.scans})} servers, {self.failed} failures"
        )

    def as_json(self) -> dict:
        """Everything."""
        return {
            "seed": self.seed,
            "failures": self.failed,
            "troubles": self.troubles,
            "served": self.served,
            "conversations": [
                {
                    "backend": backend,
                    "class": outcome.family,
                    "name": outcome.case.name,
                    "group": outcome.case.group,
                    "expected": outcome.case.expected.text,
                    "reply": None if outcome.reply is None else str(outcome.reply),
                    "failure": outcome.failure,
                }
                for backend, outcomes in self.outcomes.items()
                for outcome in outcomes
            ],
            "scans": [
                {"backend": backend, **vars(scan)}
                for backend, scans in self.scans.items()
                for scan in scans
            ],
        }

    def _cell(self, backend: str, family: str | None) -> str:
        count, failed = self._count(backend, family)
        return f"{count}, {failed} FAILED" if failed else str(count)

    def _count(self, backend: str, family: str | None) -> tuple[int, int]:
        if family == "scanners":
            failures = [scan.failure for scan in self.scans.get(backend, [])]
        else:
            failures = [
                outcome.failure
                for outcome in self.outcomes.get(backend, [])
                if family in (None, outcome.family)
            ]
        return len(failures), sum(failure is not None for failure in failures)
