"""Has the conversations with a server, several at a time, and judges the replies."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from attack.case import Case, Lab
from attack.client import Broken, Refused
from attack.reply import Reply
from attack.servers import Server
from attack.suites import Profile, profiles


@dataclass
class Outcome:
    """What came of a conversation."""

    family: str
    case: Case
    reply: Reply | None
    failure: str | None = None


class Runner:
    """Conversations with one server."""

    def __init__(self, server: Server, seed: int, workers: int) -> None:
        self._server = server
        self._seed = seed
        self._workers = workers

    def served(self) -> list[Profile]:
        """The combinations of version and suite with which a page can be had."""
        found = []
        for profile in profiles():
            lab = Lab(self._server.address, self._rng(f"probe {profile}"))
            try:
                client = lab.client(profile)
                client.handshake()
            except (Refused, Broken, OSError):
                continue
            finally:
                lab.close()
            if client.profile == profile:
                found.append(profile)
        return found

    def run(self, family: str, cases: Sequence[Case]) -> list[Outcome]:
        """Has every conversation, then judges each alone and with its group."""
        with ThreadPoolExecutor(self._workers) as pool:
            replies = pool.map(self._converse, cases)
            outcomes = []
            for case, (reply, trouble) in zip(cases, replies, strict=True):
                outcome = Outcome(family, case, reply, trouble)
                if reply is not None and not case.expected.accepts(reply):
                    outcome.failure = f"expected {case.expected.text}; got {reply}"
                outcomes.append(outcome)
                if len(outcomes) % 100 == 0:
                    _progress(f"{self._server.name}: {family}: {len(outcomes)} of {len(cases)}")
        _progress("")
        judge_groups(outcomes)
        return outcomes

    def _converse(self, case: Case) -> tuple[Reply | None, str | None]:
        lab = None
        try:
            lab = Lab(self._server.address, self._rng(case.name))
            return case.run(lab), None
        except Refused as refused:
            return None, str(refused)
        except (Broken, OSError) as trouble:
            return None, f"{trouble}; expected {case.expected.text}"
        except Exception as trouble:
            # Whatever a server sends must not end the run.
            return None, f"the client cannot go on: {trouble!r}; expected {case.expected.text}"
        finally:
            if lab is not None:
                lab.close()

    def _rng(self, name: str) -> Random:
        """Random numbers of a conversation's own, so that it can be had again."""
        return Random(f"{self._seed} {name}")


def judge_groups(outcomes: Iterable[Outcome]) -> None:
    """Marks the replies that differ from what most of their group met."""
    groups = defaultdict(list)
    for outcome in outcomes:
        if outcome.case.group and outcome.reply is not None:
            groups[outcome.case.group].append(outcome)
    for group, members in groups.items():
        counted = Counter(outcome.reply.signature for outcome in members)
        usual, count = counted.most_common(1)[0]
        for outcome in members:
            if outcome.reply.signature != usual and outcome.failure is None:
                shown = ", ".join(map(str, usual))
                outcome.failure = (
                    f"can be told from {count} others of `{group}`: got {outcome.reply}; "
                    f"they got {shown}"
                )


def judge_backends(outcomes: dict[str, list[Outcome]]) -> None:
    """Marks the replies of a backend that differ from those of the first one."""
    names = list(outcomes)
    if len(names) < 2:
        return
    first = {_key(outcome): outcome for outcome in outcomes[names[0]]}
    for name in names[1:]:
        for outcome in outcomes[name]:
            other = first.get(_key(outcome))
            if outcome.failure or other is None or other.failure:
                continue
            if outcome.reply.signature != other.reply.signature:
                outcome.failure = (
                    f"{name} can be told from {names[0]}: got {outcome.reply}; "
                    f"{names[0]} answers {other.reply}"
                )


def _key(outcome: Outcome) -> tuple[str, str]:
    return outcome.family, outcome.case.name


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
