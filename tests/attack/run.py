#!/usr/bin/env python3
"""Attacks TLS servers with conversations that no honest client has, and judges their replies."""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from random import SystemRandom

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_KEYS = _ROOT / "tests" / "data" / "keys"

try:
    from attack import planted, scanners, servers
    from attack.case import Case, Scope
    from attack.families import ASKING, FAMILIES
    from attack.report import Report, in_words
    from attack.runner import Runner
    from attack.servers import CannotStart, Credentials, Server
    from attack.suites import REQUIRED
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: there is no Python module {missing.name}; "
        f"use an environment with {_HERE / 'requirements.txt'} installed"
    )

_BACKENDS = ("aws-lc", "openssl", "rustcrypto", "ring")
_CLASSES = (*FAMILIES, *ASKING)
_SCANNERS = "scanners"

_EXAMPLES = f"""\
classes: {", ".join((*_CLASSES, _SCANNERS))}

examples:
  cargo xtask attack                          everything, on all four backends
  cargo xtask attack --smoke                  a sample, in less than a minute
  cargo xtask attack --backend ring --only resumption
  cargo xtask attack --key-server --only bleichenbacher
  cargo xtask attack --planted                show that faults are found
"""


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.planted:
        return planted.run(arguments.seed, Credentials(arguments.key, arguments.cert))
    try:
        return _attack(arguments)
    except CannotStart as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2


def _attack(arguments: argparse.Namespace) -> int:
    print(f"seed {arguments.seed}", flush=True)
    report = Report(arguments.seed)
    for backend in ["s_server"] if arguments.openssl else arguments.backend or _BACKENDS:
        _attack_backend(backend, arguments, report)
    report.compare_backends()
    print(report.table())
    for line in report.failures():
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    print(report.summary())
    return 1 if report.failed else 0


def _attack_backend(backend: str, arguments: argparse.Namespace, report: Report) -> None:
    wanted = arguments.only or (_CLASSES if arguments.smoke else [*_CLASSES, _SCANNERS])
    if any(family in _CLASSES for family in wanted):
        with _server(backend, arguments, old=True) as server:
            runner = _runner(server, arguments)
            scope = Scope(runner.served(), arguments.smoke)
            report.add_served(backend, scope.served, REQUIRED)
            for family, cases in FAMILIES.items():
                if family in wanted:
                    _converse(runner, backend, family, cases(scope), report)
            report.add_trouble(backend, server.trouble())
    for family, by_asking in ASKING.items():
        for asking, cases in by_asking.items() if family in wanted else ():
            with _server(backend, arguments, old=True, client_auth=asking) as server:
                runner = _runner(server, arguments)
                _converse(runner, backend, family, cases(scope), report)
                report.add_trouble(backend, server.trouble())
    if _SCANNERS in wanted:
        with _server(backend, arguments, old=False) as server:
            scans = scanners.run(server.address)
            report.add_scans(backend, scans)
            report.add_trouble(backend, server.trouble())
            print(f"{backend}: {in_words(scans, 'scans')}", flush=True)


def _converse(
    runner: Runner, backend: str, family: str, cases: Iterable[Case], report: Report
) -> None:
    start = time.monotonic()
    outcomes = runner.run(family, list(cases))
    report.add(backend, outcomes)
    took = time.monotonic() - start
    print(f"{backend}: {family}: {in_words(outcomes, 'conversations')}, {took:.0f} s", flush=True)


def _runner(server: Server, arguments: argparse.Namespace) -> Runner:
    return Runner(server, arguments.seed, 1 if arguments.openssl else arguments.workers)


def _server(
    backend: str, arguments: argparse.Namespace, *, old: bool, client_auth: str = "none"
) -> AbstractContextManager[Server]:
    credentials = Credentials(arguments.key, arguments.cert)
    if arguments.openssl:
        return servers.openssl(credentials, client_auth=client_auth)
    return servers.sslprov(
        arguments.sslprov,
        credentials,
        backend,
        old=old,
        client_auth=client_auth,
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
    parser.add_argument("--smoke", action="store_true", help="a sample, and no scanners")
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
        help="attack `openssl s_server` instead, which differs in places, to compare with",
    )
    parser.add_argument("--json", type=Path, help="write every conversation to this file")
    parser.add_argument(
        "--seed", type=int, default=SystemRandom().randrange(1 << 32), help="repeat a run"
    )
    parser.add_argument("--workers", type=int, default=24, help="conversations at a time")
    parser.add_argument("--key", type=Path, default=_KEYS / "server-2048.pem")
    parser.add_argument("--cert", type=Path, default=_KEYS / "server-2048.cert.pem")
    return parser


if __name__ == "__main__":
    sys.exit(main())
