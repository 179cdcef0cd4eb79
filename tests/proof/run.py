#!/usr/bin/env python3
"""Proves, by symbolic execution of the shipped library, that the routines between a decrypted
secret and a result run on one path, use no address that depends on a secret, and compute what the
RFCs specify, for all inputs of the lengths that are run. Faults that are planted must be found."""

import argparse
import logging
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from random import SystemRandom

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]

try:
    for module in ("angr", "cle", "pyvex"):
        logging.getLogger(module).setLevel(logging.CRITICAL)
    from proof import names, planted
    from proof.case import Case
    from proof.cases import COPIES, SOURCES, USERS, cases
    from proof.claims import check_copies, check_coverage, check_users
    from proof.finding import Finding, Kind
    from proof.layout import Layout
    from proof.library import CannotProve, Library, LineTable
    from proof.runner import Result, Runner
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: there is no Python module {missing.name}; "
        f"use an environment with {_HERE / 'requirements.txt'} installed"
    )

_COVERED = {
    names.RECOVER_PREMASTER: 1.0,
    names.REMOVE_PADDING: 1.0,
    names.SECRET_BYTES: 1.0,
    names.VERIFY_PADDING_AND_MAC: 1.0,
    # The rest is for outputs of lengths that no hash has, and for messages without a byte.
    names.VERIFY_BEHIND_PADDING: 0.95,
    names.HASH_BY_BLOCKS: 0.92,
    names.HASH_BY_LENGTHS: 0.75,
}
"""Which share of the instructions of a function must be executed."""

_EXAMPLES = """\
examples:
  cargo xtask prove                 every routine with a few lengths, and the planted faults, as CI
  cargo xtask prove --full          all lengths
  cargo xtask prove --only premaster
"""


def main() -> int:
    arguments = _parser().parse_args()
    start = time.monotonic()
    print(f"seed {arguments.seed}", flush=True)
    try:
        failed = _prove(arguments)
    except (CannotProve, Finding) as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    took = time.monotonic() - start
    print(f"prove: {failed or 'nothing'} failed, {took:.0f} s")
    return 1 if failed else 0


def _prove(arguments: argparse.Namespace) -> int:
    layout = Layout(arguments.layout)
    runner = Runner(Library(arguments.library), arguments.seed, arguments.calls)
    wanted = [one for one in cases(layout, full=arguments.full) if arguments.only in one.name]
    if not wanted:
        raise CannotProve(f"no case has `{arguments.only}` in its name")
    results = _run(runner, wanted, arguments.workers)
    findings = [result.finding for result in results if result.finding]
    if arguments.only:
        print("NOT CHECKED: copies, callers and coverage, which take all cases")
    else:
        findings += _check_library(runner.library, arguments.lines, results)
    findings += planted.find_all(runner, layout, arguments.planted)
    return len(findings)


def _run(runner: Runner, wanted: list[Case], workers: int) -> list[Result]:
    """Runs the cases, several at a time, and prints each as it ends."""
    global _shared
    _shared = (runner, wanted)
    results = []
    # The library is loaded before, and a copy of the process has it.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        order = sorted(range(len(wanted)), key=lambda index: -wanted[index].weight)
        running = {pool.submit(_run_one, index): wanted[index].name for index in order}
        for done in as_completed(running):
            try:
                result = done.result()
            except BrokenProcessPool:
                crash = Finding(Kind.PROCESSOR, "a call ended the process; see --workers 1 --only")
                result = Result(running[done], set(), finding=crash)
            except Exception as error:
                # Of the tool itself; the other cases count all the same.
                crash = Finding(Kind.CRASH, f"{type(error).__name__}: {error}")
                result = Result(running[done], set(), finding=crash)
            print(result, flush=True)
            results.append(result)
    return results


def _run_one(index: int) -> Result:
    runner, wanted = _shared
    return runner.run(wanted[index])


_shared: tuple[Runner, list[Case]]


def _check_library(library: Library, lines: Path, results: list[Result]) -> list[Finding]:
    covered = set().union(*(result.covered for result in results))
    sources = _ROOT / SOURCES

    def copies() -> str:
        table = LineTable(lines, {sources / file for file, _ in COPIES})
        check_copies(table, sources, COPIES)
        return f"{len(COPIES)} functions have no copy that is not on the list"

    def users() -> str:
        check_users(library, USERS)
        return f"{len(USERS)} functions have no caller that is not on the list"

    def coverage(name: str, share: float) -> str:
        count = check_coverage(library, library.function(name), covered, share)
        return f"{name}: {count} instructions that can return are executed"

    findings = []
    checks = [partial(coverage, name, share) for name, share in _COVERED.items()]
    for check in (*checks, copies, users):
        try:
            print(check(), flush=True)
        except Finding as finding:
            print(f"FAILED: {finding}", flush=True)
            findings.append(finding)
    return findings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cargo xtask prove",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target = _ROOT / "target"
    parser.add_argument(
        "--library",
        type=Path,
        default=target / "release" / "libsslprovider.so",
        help="the shared library, with its symbols",
    )
    parser.add_argument(
        "--lines",
        type=Path,
        default=target / "proof" / "lines.so",
        help="the same object files, linked with their line tables",
    )
    parser.add_argument(
        "--layout",
        type=Path,
        default=target / "proof" / "core" / "layout.so",
        help="ssl-provider-core of the same source, with full debug information",
    )
    parser.add_argument(
        "--planted",
        type=Path,
        default=target / "proof" / "libplanted.so",
        help="xtask/planted/premaster.rs as a library",
    )
    parser.add_argument("--full", action="store_true", help="all lengths")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their name")
    parser.add_argument(
        "--calls", type=int, default=20, help="calls of each case on the processor, to compare"
    )
    parser.add_argument(
        "--seed", type=int, default=SystemRandom().randrange(1 << 32), help="repeat a run"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="cases at a time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
