"""Servers and clients with a fault planted in each, made of tlslite-ng's, to show what is found.

The same conversations must find nothing in the one without a fault, else they prove nothing.
"""

import os
import re
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

from attack import servers
from attack.case import Case, Lab, Scope
from attack.clients import ClientLab, Process
from attack.families import CLIENTS, SERVERS
from attack.groups import FFDHE2048, P256, X25519
from attack.planted import client13, faults13, server13
from attack.planted.client import Planted
from attack.planted.differences import CLIENT_AGREES, DIFFERENCES
from attack.planted.faults import CLIENT_FAULTS as CLIENT_FAULTS_BEFORE_13
from attack.planted.faults import FAULTS as FAULTS_BEFORE_13
from attack.planted.faults import Fault
from attack.planted.server import serving
from attack.runner import Outcome, Runner
from attack.servers import Credentials
from attack.suites import AES128_SHA, DHE_RSA_AES128_SHA, ECDHE_RSA_AES128_SHA, Profile
from attack.tls13 import shares
from attack.tls13 import suites as suites13
from attack.wire import Version

FAULTS = FAULTS_BEFORE_13 | faults13.FAULTS
CLIENT_FAULTS = CLIENT_FAULTS_BEFORE_13 | faults13.CLIENT_FAULTS

_OLD = ("tls13-downgrade", "tls13-server-downgrade")
"""Classes about older versions, which tlslite-ng has too."""

_NOT_PLANTED = (
    "no faults of a server that requires a certificate: tlslite-ng's can only ask for one"
)

_CASES = {family: parts[0][1] for family, parts in SERVERS.items()}
_SETUPS = {family: parts[0][0] for family, parts in SERVERS.items()}

_PATIENCE = 1.5
"""Seconds that a server with a fault may take for an answer; some never give one."""


def run(seed: int, credentials: Credentials, c_server: Path | None) -> int:
    """Attacks each one; 0 when every fault is found and nothing else is."""
    print(f"seed {seed}")
    wrong = 0
    all_faults = FAULTS | CLIENT_FAULTS
    named = FAULTS.keys() | DIFFERENCES.keys() | CLIENT_FAULTS.keys() | CLIENT_AGREES.keys()
    for family in named - (SERVERS.keys() | CLIENTS.keys()):
        wrong += 1
        print(f"{family}: no such class: WRONG")
    wrong += not _limits_hold()
    if c_server is None:
        print("NOT TESTED: whether a server in C that crashes or leaks is noticed (--c-server)")
    else:
        wrong += not _ends_are_seen(c_server)
    # Faults are planted in the whole process, so that each class has one of its own.
    # Most of them wait most of the time.
    with ProcessPoolExecutor(2 * (os.cpu_count() or 1), get_context("fork")) as pool:
        families = (*SERVERS, *CLIENTS)
        for lines, misses in pool.map(partial(_of_family, seed, credentials), families):
            wrong += misses
            print("\n".join(lines), flush=True)
    count = sum(map(len, all_faults.values()))
    print(_NOT_PLANTED)
    print(f"{wrong} times WRONG" if wrong else f"all {count} planted faults found")
    return 1 if wrong else 0


def _of_family(seed: int, credentials: Credentials, family: str) -> tuple[list[str], int]:
    """Attacks with every fault of a class: what to print, and how often something is wrong."""
    lines: list[str] = []
    faults = (FAULTS | CLIENT_FAULTS).get(family, ())
    wrong = 0
    for fault in (None, *faults):
        outcomes = _attack(family, fault, seed, credentials)
        wrong += not _judge(family, fault, outcomes, lines)
    if not faults:
        wrong += 1
        lines.append(f"no fault is planted for {family}: WRONG")
    return lines, wrong


def _attack(family: str, fault: Fault | None, seed: int, credentials: Credentials) -> list[Outcome]:
    with ExitStack() as stack:
        if fault is not None:
            stack.enter_context(mock.patch("attack.peer.PATIENCE", _PATIENCE))
            for target, replacement in fault.patches.items():
                stack.enter_context(mock.patch(target, replacement))
        if family in CLIENTS:
            if family in _OLD:
                stack.enter_context(mock.patch("attack.planted.client.HIGHEST", (3, 4)))
            program = client13.Planted() if _is_13(family) else Planted()
            open_lab = partial(ClientLab, program)
            runner = Runner("planted", open_lab, seed, workers=16, patient=fault is None)
            return runner.run(family, _meant(family, fault, _client_cases(family)))
        setup = _SETUPS[family]
        is_13 = _is_13(family)
        serves = server13.serving(setup) if is_13 else serving("planted", credentials, setup)
        server = stack.enter_context(serves)
        open_lab = partial(Lab, server.address)
        runner = Runner("planted", open_lab, seed, workers=64, patient=fault is None)
        return runner.run(family, _meant(family, fault, _cases(family)))


def _meant(family: str, fault: Fault | None, cases: list[Case]) -> list[Case]:
    """In TLS 1.3, the conversations that are meant for a fault, and those compared with them."""
    if fault is None or not family.startswith("tls13-"):
        return cases
    groups = {case.group for case in cases if fault.found_by in case.name} - {""}
    return [case for case in cases if fault.found_by in case.name or case.group in groups]


def _is_13(family: str) -> bool:
    """Whether the planted server or client is one of TLS 1.3."""
    return family.startswith("tls13-") and family not in _OLD


def _judge(family: str, fault: Fault | None, outcomes: list[Outcome], lines: list[str]) -> bool:
    """Whether a fault is found by the conversation that is meant for it, and only a fault."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    if fault is None:
        name, shown, right = "no fault", failed[:1], not failed
    else:
        shown = [outcome for outcome in failed if fault.found_by in outcome.name][:1]
        name, right = fault.name, bool(shown)
    lines.append(
        f"{name}: {len(failed)} of {len(outcomes)} conversations of {family} fail: "
        f"{'as it should be' if right else 'WRONG'}"
    )
    lines += [f"  such as {outcome.name}: {outcome.failure}" for outcome in shown]
    return right


def _cases(family: str) -> list[Case]:
    """A sample, without what tlslite-ng answers in a way of its own."""
    versions = [Version.TLS1_1, Version.TLS1_2] if family == "hello" else [Version.TLS1_2]
    suites = (AES128_SHA, ECDHE_RSA_AES128_SHA, DHE_RSA_AES128_SHA)
    if not _SETUPS[family].ephemeral:
        suites = suites[:1]
    served = [Profile(version, suite) for version in versions for suite in suites]
    scope = Scope(
        served,
        smoke=True,
        groups=(X25519, P256, FFDHE2048),
        suites=suites13.REQUIRED,
        shares=(shares.X25519, shares.P256),
    )
    own = DIFFERENCES.get(family, {})
    cases = list(_CASES[family](scope))
    for names in own:
        if not any(re.search(names, case.name) for case in cases):
            raise LookupError(f"no conversation of {family} has a name like {names!r}")
    return [case for case in cases if not any(re.search(names, case.name) for names in own)]


def _client_cases(family: str) -> list[Case]:
    """Those that tlslite-ng's client has as ours does."""
    if _is_13(family):
        return list(CLIENTS[family](Scope((), smoke=True)))
    agrees = CLIENT_AGREES[family]
    cases = list(CLIENTS[family](Scope((), smoke=True)))
    for names in agrees:
        if not any(re.search(names, case.name) for case in cases):
            raise LookupError(f"no conversation of {family} has a name like {names!r}")
    return [case for case in cases if any(re.search(names, case.name) for names in agrees)]


def _ends_are_seen(program: Path) -> bool:
    """Whether it is noticed that a process of the server in C crashes, or leaves something."""
    found = {}
    with servers.in_c(program, 0, "planted", "none") as server:
        found["no fault of the server in C"] = server.trouble() is None
    at_the_end = server.at_the_end
    found["no fault at its end"] = at_the_end is None
    with servers.in_c(program, 0, "planted", "leaking") as server:
        pass
    found["a key that is left behind"] = "are left" in (server.at_the_end or "")
    with servers.in_c(program, 0, "planted", "none") as server:
        until = time.monotonic() + _START_TIME
        while not (processes := _children(server.process.pid)) and time.monotonic() < until:
            time.sleep(0.1)
        os.kill(processes[0], signal.SIGSEGV)
        server.process.wait(_START_TIME)
        found["a process that crashes"] = server.trouble() is not None
    for name, right in found.items():
        print(f"{name}: {'as it should be' if right else 'WRONG'}")
    if at_the_end:
        print(f"  {at_the_end}")
    return all(found.values())


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(each) for each in listed.split()]


_START_TIME = 30.0
"""Seconds until the processes of a server are there."""

_HOGS = {
    "memory without end": "held = []\nwhile True: held.append(bytearray(1 << 20))",
    "no end": "import time\ntime.sleep(60)",
}


def _limits_hold() -> bool:
    """Whether programs that take too much of something do not get it."""
    right = True
    for name, program in _HOGS.items():
        process = Process([sys.executable, "-c", program])
        ended = process.wait(10 if "memory" in name else 1)
        process.close()
        found = ended != "exit code 0" and (ended is None) == (name == "no end")
        print(f"{name}: {ended or 'still running'}: {'as it should be' if found else 'WRONG'}")
        right &= found
    return right
