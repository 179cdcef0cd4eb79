"""Servers with a fault planted in each, made of tlslite-ng's server, to show that faults are found.

The same conversations must find nothing in the server without a fault, else they prove nothing.
"""

import re
from contextlib import ExitStack
from unittest import mock

from attack.case import Case, Scope
from attack.families import ASKING, FAMILIES
from attack.planted.differences import DIFFERENCES
from attack.planted.faults import FAULTS, Fault
from attack.planted.server import serving
from attack.runner import Outcome, Runner
from attack.servers import Credentials
from attack.suites import AES128_SHA, Profile
from attack.wire import Version

_ASKS = "request"
_NOT_PLANTED = (
    "no faults of a server that requires a certificate: tlslite-ng's can only ask for one"
)

_FAMILIES = FAMILIES | {family: by_asking[_ASKS] for family, by_asking in ASKING.items()}

_PATIENCE = 1.5
"""Seconds that a server with a fault may take for an answer; some never give one."""


def run(seed: int, credentials: Credentials) -> int:
    """Attacks each server; 0 when every fault is found and nothing else is."""
    print(f"seed {seed}")
    wrong = 0
    for family in (FAULTS.keys() | DIFFERENCES.keys()) - _FAMILIES.keys():
        wrong += 1
        print(f"{family}: no such class: WRONG")
    for family in _FAMILIES:
        faults = FAULTS.get(family, ())
        for fault in (None, *faults):
            outcomes = _attack(family, fault, seed, credentials)
            wrong += not _judge(family, fault, outcomes)
        if not faults:
            wrong += 1
            print(f"no fault is planted for {family}: WRONG")
    count = sum(map(len, FAULTS.values()))
    print(_NOT_PLANTED)
    print(f"{wrong} times WRONG" if wrong else f"all {count} planted faults found")
    return 1 if wrong else 0


def _attack(family: str, fault: Fault | None, seed: int, credentials: Credentials) -> list[Outcome]:
    with ExitStack() as stack:
        if fault is not None:
            stack.enter_context(mock.patch("attack.client.PATIENCE", _PATIENCE))
            for target, replacement in fault.patches.items():
                stack.enter_context(mock.patch(target, replacement))
        server = stack.enter_context(serving("planted", credentials, asks=family in ASKING))
        return Runner(server, seed, workers=64).run(family, _cases(family))


def _judge(family: str, fault: Fault | None, outcomes: list[Outcome]) -> bool:
    """Whether a fault is found by the conversation that is meant for it, and only a fault."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    if fault is None:
        name, shown, right = "no fault", failed[:1], not failed
    else:
        shown = [outcome for outcome in failed if fault.found_by in outcome.case.name][:1]
        name, right = fault.name, bool(shown)
    print(
        f"{name}: {len(failed)} of {len(outcomes)} conversations of {family} fail: "
        f"{'as it should be' if right else 'WRONG'}",
        flush=True,
    )
    for outcome in shown:
        print(f"  such as {outcome.case.name}: {outcome.failure}")
    return right


def _cases(family: str) -> list[Case]:
    """A sample, without what tlslite-ng answers in a way of its own."""
    versions = [Version.TLS1_1, Version.TLS1_2] if family == "hello" else [Version.TLS1_2]
    scope = Scope([Profile(version, AES128_SHA) for version in versions], smoke=True)
    own = DIFFERENCES.get(family, {})
    cases = list(_FAMILIES[family](scope))
    for names in own:
        if not any(re.search(names, case.name) for case in cases):
            raise LookupError(f"no conversation of {family} has a name like {names!r}")
    return [case for case in cases if not any(re.search(names, case.name) for names in own)]
