"""Has the conversations with a server, several at a time, and judges the replies."""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from attack.case import Case
from attack.client import Broken, Refused
from attack.groups import GROUPS, Field, Group
from attack.reply import QUIET, SILENT, Reply
from attack.suites import Profile
from attack.tls13 import shares
from attack.tls13 import suites as suites13
from attack.wire import Version

_BUSY = 2.0
"""Seconds until a conversation is had again in which there was no answer in time."""


class Lab(Protocol):
    """What one conversation works with."""

    def close(self) -> None:
        """Closes what the conversation left open."""


@dataclass
class Outcome:
    """What came of a conversation."""

    family: str
    name: str
    group: str
    expected: str
    reply: Reply | None
    failure: str | None = None


class Runner:
    """Conversations with one server, or with one client."""

    def __init__(
        self,
        name: str,
        open_lab: Callable[[Random], Lab],
        seed: int,
        workers: int,
        *,
        patient: bool = True,
    ) -> None:
        self._name = name
        self._patient = patient
        self._open_lab = open_lab
        self._seed = seed
        self._workers = workers

    def served(self, candidates: Iterable[Profile]) -> list[Profile]:
        """The combinations of version and suite with which a page can be had."""
        candidates = list(candidates)
        with ThreadPoolExecutor(self._workers) as pool:
            speaks = pool.map(self._speaks, candidates)
            return [profile for profile, it in zip(candidates, speaks, strict=True) if it]

    def _speaks(self, profile: Profile) -> bool:
        lab = self._open_lab(self._rng(f"probe {profile}"))
        try:
            client = lab.client(profile)
            client.handshake()
            return client.profile == profile
        except (Refused, Broken, OSError):
            return False
        finally:
            lab.close()

    def groups(self, profiles: Iterable[Profile]) -> list[Group]:
        """The groups in which the server has ephemeral keys, of those that we have too."""
        probes = [
            (replace(profile, encrypt_then_mac=False), group)
            for profile in profiles
            if profile.version == Version.TLS1_2 and profile.suite.id in (0xC02F, 0x009E)
            for group in GROUPS.values()
            if isinstance(group, Field) == (profile.suite.exchange == "DHE")
        ]
        with ThreadPoolExecutor(self._workers) as pool:
            has = pool.map(lambda probe: self._has(*probe), probes)
            return [group for (_, group), it in zip(probes, has, strict=True) if it]

    def _has(self, profile: Profile, group: Group) -> bool:
        lab = self._open_lab(self._rng(f"probe {group.name}"))
        try:
            client = lab.client(profile, groups=[group.number])
            client.hello()
            return client.server_key.group == group
        except (Refused, Broken, OSError):
            return False
        finally:
            lab.close()

    def suites(self) -> list[suites13.Suite]:
        """The suites of TLS 1.3 with which a page can be had."""
        return [it for it in suites13.SUITES if self._shakes_hands({"suites": [it.id]})]

    def shares(self) -> list[int]:
        """The groups in which the server has keys in TLS 1.3, of those that we have too."""
        return [it for it in shares.GROUPS if self._shakes_hands({"groups": [it]})]

    def hybrids(self) -> list[int]:
        """The hybrid groups that the server asks for where a client has no other."""
        return [it for it in shares.HYBRIDS if self._asks_for(it)]

    def _asks_for(self, group: int) -> bool:
        lab = self._open_lab(self._rng(f"probe {group:#06x}"))
        try:
            client = lab.tls13(groups=[group], shares=())
            client.send_hello()
            client.read_retry()
            return True
        except (Refused, Broken, OSError):
            return False
        finally:
            lab.close()

    def _shakes_hands(self, offer: dict) -> bool:
        lab = self._open_lab(self._rng(f"probe {offer}"))
        try:
            lab.tls13(**offer).handshake()
            return True
        except (Refused, Broken, OSError):
            return False
        finally:
            lab.close()

    def run(self, family: str, cases: Sequence[Case]) -> list[Outcome]:
        """Has every conversation, then judges each alone and with its group."""
        named = Counter(case.name for case in cases)
        if twice := [name for name, count in named.items() if count > 1]:
            raise ValueError(f"{family} has two conversations with the name {twice[0]!r}")
        with ThreadPoolExecutor(self._workers) as pool:
            replies = pool.map(self._converse, cases)
            outcomes = []
            for case, (reply, trouble) in zip(cases, replies, strict=True):
                expected = case.expected
                outcome = Outcome(family, case.name, case.group, expected.text, reply, trouble)
                if reply is not None and not expected.accepts(reply):
                    outcome.failure = f"expected {expected.text}; got {reply}"
                outcomes.append(outcome)
                if len(outcomes) % 100 == 0:
                    _progress(f"{self._name}: {family}: {len(outcomes)} of {len(cases)}")
        _progress("")
        judge_groups(outcomes)
        return outcomes

    def _converse(self, case: Case) -> tuple[Reply | None, str | None]:
        reply, trouble, seen = self._try(case)
        late = seen is not None and (QUIET in seen.events or seen.end == SILENT or not seen.events)
        if self._patient and late and (reply is None or not case.expected.accepts(reply)):
            # A busy machine answers late, or closes without a word. Who is wrong, is wrong again.
            time.sleep(_BUSY)
            reply, trouble, _ = self._try(case)
        return reply, trouble

    def _try(self, case: Case) -> tuple[Reply | None, str | None, Reply | None]:
        """The reply or what is wrong, and what was seen in any case."""
        lab = None
        try:
            lab = self._open_lab(self._rng(case.name))
            reply = case.run(lab)
            return reply, None, reply
        except Refused as refused:
            return None, str(refused), refused.reply
        except (Broken, OSError) as trouble:
            return None, f"{trouble}; expected {case.expected.text}", None
        except Exception as trouble:
            # Whatever the other side sends must not end the run.
            return None, f"our side cannot go on: {trouble!r}; expected {case.expected.text}", None
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
        if outcome.group and outcome.reply is not None:
            groups[outcome.group].append(outcome)
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
            if _but_for_quiet(outcome.reply) != _but_for_quiet(other.reply):
                outcome.failure = (
                    f"{name} can be told from {names[0]}: got {outcome.reply}; "
                    f"{names[0]} answers {other.reply}"
                )


def _but_for_quiet(reply: Reply) -> tuple:
    """How long an answer took depends on what else the machine does."""
    return tuple(event for event in reply.signature if event != QUIET)


def _key(outcome: Outcome) -> tuple[str, str]:
    return outcome.family, outcome.name


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
