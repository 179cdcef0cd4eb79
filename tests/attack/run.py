#!/usr/bin/env python3
"""Attacks two TLS servers as hostile clients, and a TLS client as hostile servers."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import SystemRandom

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_KEYS = _ROOT / "tests" / "data" / "keys"

try:
    from attack import clients, planted, scanners, servers
    from attack.case import Case, Lab, Scope
    from attack.clients import ClientLab
    from attack.families import CLIENTS, IN_C_DIFFERS, NOT_IN_C, PROTOCOL_ONLY, SERVERS
    from attack.groups import Group
    from attack.report import CONNECT, IN_C, SERVE, Part, Report, in_words
    from attack.runner import Runner
    from attack.servers import PLAIN, CannotStart, Credentials, Server, Setup
    from attack.suites import (
        EPHEMERAL_SUITES,
        REQUIRED,
        REQUIRED_EPHEMERAL,
        Profile,
        profiles,
    )
    from attack.tls13.suites import REQUIRED as REQUIRED_13
    from attack.tls13.suites import Suite
    from attack.wire import Version
except ModuleNotFoundError as missing:
    # Help needs none of them.
    if not {"--help", "-h"}.intersection(sys.argv):
        sys.exit(
            f"error: there is no Python module {missing.name}; "
            f"use an environment with {_HERE / 'requirements.txt'} installed"
        )

_BACKENDS = ("aws-lc", "openssl", "rustcrypto", "ring")
# Those of SERVERS, then those of CLIENTS.
_CLASSES = (
    "bleichenbacher",
    "key-exchange",
    "key-agreement",
    "extended-master-secret",
    "tampering",
    "finished",
    "change-cipher-spec",
    "fragmentation",
    "order",
    "exchange-order",
    "records",
    "resumption",
    "tickets",
    "renegotiation",
    "secure-renegotiation",
    "hello",
    "signature-algorithms",
    "client-certificate",
    "client-signatures",
    "tls13-hello",
    "tls13-key-share",
    "tls13-downgrade",
    "tls13-retry",
    "tls13-psk",
    "tls13-tickets",
    "tls13-early-data",
    "tls13-order",
    "tls13-change-cipher-spec",
    "tls13-fragmentation",
    "tls13-records",
    "tls13-finished",
    "tls13-key-update",
    "tls13-client-certificate",
    "server-hello",
    "server-certificate",
    "server-key-exchange",
    "server-order",
    "server-records",
    "server-resumption",
    "tls13-server-hello",
    "tls13-server-retry",
    "tls13-server-downgrade",
    "tls13-server-certificate",
    "tls13-server-order",
    "tls13-server-finished",
    "tls13-server-key-update",
    "tls13-server-records",
    "tls13-server-resumption",
    "tls13-server-early-data",
)
_SCANNERS = "scanners"

_EXAMPLES = f"""\
classes: {", ".join((*_CLASSES, _SCANNERS))}

examples:
  cargo xtask attack                          everything, on all four backends
  cargo xtask attack --smoke                  a sample, in less than three minutes
  cargo xtask attack --backend ring --only resumption
  cargo xtask attack --program c --only key-agreement
  cargo xtask attack --key-server --only bleichenbacher
  cargo xtask attack --planted                show that faults are found
"""


def main() -> int:
    arguments = _parser().parse_args()
    if _CLASSES != (*SERVERS, *CLIENTS):
        sys.exit("error: the classes of run.py are not those of attack.families")
    try:
        if arguments.planted:
            credentials = Credentials(arguments.key, arguments.cert)
            return planted.run(arguments.seed, credentials, arguments.c_server)
        return _attack(arguments)
    except CannotStart as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2


def _attack(arguments: argparse.Namespace) -> int:
    print(f"seed {arguments.seed}", flush=True)
    report = Report(arguments.seed)
    backends = ["s_server"] if arguments.openssl else arguments.backend or _BACKENDS
    programs = arguments.program or _PROGRAMS
    if arguments.openssl:
        programs = arguments.program or ["serve"]
        if "c" in programs:
            raise CannotStart("--openssl has no program c; name serve or connect")
    if arguments.key_server:
        programs = ["serve"]
    if "c" in programs and arguments.c_server is None:
        programs = [program for program in programs if program != "c"]
        print("NOT TESTED: the server in C, which is not built here (--c-server)")
    # What the server in C and the client do of their own is the same on every backend. The client
    # is started for each conversation, which with aws-lc takes several times as long.
    few = {"c": backends[:1], "connect": ["openssl"]}
    if not arguments.smoke or arguments.backend or arguments.openssl:
        few = {}
    tasks = [(program, backend) for program in programs for backend in few.get(program, backends)]
    # Each has a process of its own, since Python runs one thread at a time.
    with ProcessPoolExecutor(min(arguments.jobs, len(tasks)), get_context("fork")) as pool:
        work = [pool.submit(_TASKS[program], backend, arguments) for program, backend in tasks]
        report.parts += [done.result() for done in work]
    report.compare_backends()
    print(report.table())
    for line in report.failures():
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    print(report.summary())
    return 1 if report.failed else 0


def _attack_serve(backend: str, arguments: argparse.Namespace) -> Part:
    """`sslprov serve`, or the server to compare with."""
    part = Part(SERVE, backend)
    wanted = _wanted(arguments)
    if arguments.smoke and not arguments.backend and backend in _BACKENDS[1:]:
        wanted = [family for family in wanted if family not in PROTOCOL_ONLY]
    probes = Probes(part)
    for setup, families in _by_setup(wanted).items():
        with _server(backend, arguments, setup) as server:
            runner = _runner(server, arguments)
            scope = probes.scope(runner, setup, arguments.smoke)
            for family, make in families:
                _converse(runner, part, family, make(scope))
            part.add_trouble(server.trouble())
    if _SCANNERS in wanted:
        with _server(backend, arguments, PLAIN, old=False) as server:
            part.scans = scanners.run(server.address)
            part.add_trouble(server.trouble())
            print(f"{part.name}: {in_words(part.scans, 'scans')}", flush=True)
    return part


def _attack_c(backend: str, arguments: argparse.Namespace) -> Part:
    """The server in C, with the classes about what it offers."""
    part = Part(IN_C, backend)
    wanted = [family for family in _wanted(arguments) if family in SERVERS]
    part.lacking = {family for family in wanted if family in NOT_IN_C}
    # It has ephemeral keys always.
    offered = [family for family in wanted if family not in NOT_IN_C]
    probes = Probes(part)
    for client_auth in ("none", "request", "require"):
        setups = {
            setup: families
            for setup, families in _by_setup(offered).items()
            if setup.client_auth == client_auth
        }
        if not setups:
            continue
        index = _BACKENDS.index(backend) + 1
        with servers.in_c(arguments.c_server, index, backend, client_auth) as server:
            runner = _runner(server, arguments)
            for setup, families in setups.items():
                scope = probes.scope(runner, setup, arguments.smoke)
                for family, make in families:
                    made = list(make(scope))
                    cases = list(IN_C_DIFFERS.judged(family, made))
                    part.left_out += len(made) - len(cases)
                    unchanged = {id(case) for case in made}
                    part.differing += sum(id(case) not in unchanged for case in cases)
                    _converse(runner, part, family, cases)
            part.add_trouble(server.trouble())
        part.add_trouble(server.at_the_end)
    return part


def _attack_connect(backend: str, arguments: argparse.Namespace) -> Part:
    """`sslprov connect`, with hostile servers."""
    part = Part(CONNECT, backend)
    program = clients.Program(arguments.sslprov, backend)
    if arguments.openssl:
        program = clients.SClient()
    runner = Runner(part.name, partial(ClientLab, program), arguments.seed, clients.AT_A_TIME)
    scope = Scope((), arguments.smoke)
    for family in _wanted(arguments):
        if family in CLIENTS:
            _converse(runner, part, family, CLIENTS[family](scope))
    return part


_TASKS = {"serve": _attack_serve, "c": _attack_c, "connect": _attack_connect}
_PROGRAMS = tuple(_TASKS)


def _wanted(arguments: argparse.Namespace) -> list[str]:
    return arguments.only or (_CLASSES if arguments.smoke else [*_CLASSES, _SCANNERS])


def _by_setup(wanted: Iterable[str]) -> dict[Setup, list[tuple[str, Callable]]]:
    """The classes that are wanted, by how the server is set up for them."""
    found: dict[Setup, list[tuple[str, Callable]]] = {}
    for family, parts in SERVERS.items():
        for setup, make in parts if family in wanted else ():
            found.setdefault(setup, []).append((family, make))
    return found


class Probes:
    """What a program speaks, and in which groups it has ephemeral keys. Each is asked once."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._found: dict[bool, tuple[list[Profile], list[Group]]] = {}
        self._found_13: tuple[list[Suite], list[int], list[int]] | None = None

    def scope(self, runner: Runner, setup: Setup, smoke: bool) -> Scope:
        if setup.tls13:
            if self._found_13 is None:
                self._found_13 = runner.suites(), runner.shares(), runner.hybrids()
                self._part.add_suites(self._found_13[0], REQUIRED_13)
            suites, shares, hybrids = self._found_13
            return Scope((), smoke, suites=suites, shares=shares, hybrids=hybrids)
        if setup.ephemeral not in self._found:
            self._found[setup.ephemeral] = self._probe(runner, setup)
        served, groups = self._found[setup.ephemeral]
        return Scope(served, smoke, groups=groups)

    def _probe(self, runner: Runner, setup: Setup) -> tuple[list[Profile], list[Group]]:
        required = REQUIRED
        if self._part.kind == IN_C:
            # It has neither SSL 3.0 nor encrypt-then-MAC.
            required = [it for it in REQUIRED if it.version > Version.SSL3]
            required = [it for it in required if not it.encrypt_then_mac]
        served = runner.served(profiles())
        self._part.add_served(served, required)
        if not setup.ephemeral:
            return served, []
        ephemeral = runner.served(profiles(EPHEMERAL_SUITES))
        self._part.add_served(ephemeral, REQUIRED_EPHEMERAL)
        return [*served, *ephemeral], runner.groups(ephemeral)


def _converse(runner: Runner, part: Part, family: str, cases: Iterable[Case]) -> None:
    start = time.monotonic()
    outcomes = runner.run(family, list(cases))
    part.outcomes += outcomes
    took = time.monotonic() - start
    count = in_words(outcomes, "conversations")
    print(f"{part.name}: {family}: {count}, {took:.0f} s", flush=True)


def _runner(server: Server, arguments: argparse.Namespace) -> Runner:
    workers = 1 if arguments.openssl else arguments.workers
    return Runner(server.name, partial(Lab, server.address), arguments.seed, workers)


def _server(
    backend: str, arguments: argparse.Namespace, setup: Setup, *, old: bool = True
) -> AbstractContextManager[Server]:
    credentials = Credentials(arguments.key, arguments.cert)
    if arguments.openssl:
        return servers.openssl(credentials, setup)
    return servers.sslprov(
        arguments.sslprov,
        credentials,
        backend,
        setup,
        old=old,
        key_server=arguments.key_server,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cargo xtask attack",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--sslprov", type=Path, default=_ROOT / "target" / "debug" / "sslprov", help="the program"
    )
    parser.add_argument(
        "--backend",
        action="append",
        choices=_BACKENDS,
        help="attack this backend only; may be given several times",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=(*_CLASSES, _SCANNERS),
        metavar="CLASS",
        help="have the conversations of this class only; may be given several times",
    )
    parser.add_argument(
        "--program",
        action="append",
        choices=_PROGRAMS,
        help="attack this program only: `sslprov serve`, the server in C, or `sslprov connect`",
    )
    parser.add_argument(
        "--c-server", type=Path, metavar="FILE", help="the server in C, which xtask builds"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="a sample, and no scanners; unless --backend is given, the server in C with aws-lc "
        "and the client with openssl only",
    )
    parser.add_argument(
        "--planted",
        action="store_true",
        help="attack servers with faults planted in them, and insist that each is found",
    )
    parser.add_argument(
        "--key-server",
        action="store_true",
        help="keep the key in `sslprov key-server`, a process of its own",
    )
    parser.add_argument(
        "--openssl",
        action="store_true",
        help="attack `openssl s_server` instead, or `s_client` with --program connect, to compare "
        "with; both differ in places",
    )
    parser.add_argument("--json", type=Path, help="write every conversation to this file")
    parser.add_argument(
        "--seed", type=int, default=SystemRandom().randrange(1 << 32), help="repeat a run"
    )
    parser.add_argument("--workers", type=int, default=24, help="conversations at a time")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="programs attacked at a time"
    )
    parser.add_argument(
        "--key", type=Path, default=_KEYS / "server-2048.pem", help="RSA key of `sslprov serve`"
    )
    parser.add_argument(
        "--cert", type=Path, default=_KEYS / "server-2048.cert.pem", help="certificate of --key"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
