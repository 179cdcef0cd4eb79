#!/usr/bin/env python3
"""Makes captures of real TLS peers doing RSA key exchange, with the peers' key log as oracle."""

import argparse
import sys
from pathlib import Path

from corpus import manifest
from corpus.conversation import PeerFailure
from corpus.keys import KeyStore
from corpus.profiles import small
from corpus.stacks import Stacks

_ROOT = Path(__file__).resolve().parents[2]
_DATA = _ROOT / "tests" / "data"

_EXAMPLES = """\
examples:
  generate.py keys                      make the test keys that are absent
  generate.py small                     make the committed corpus again, in tests/data
  generate.py small --only handshakes   make one of its captures again
"""


def main() -> int:
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments)
    except PeerFailure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1


def _keys(arguments: argparse.Namespace) -> int:
    made = KeyStore(arguments.keys).ensure()
    for path in made:
        print(f"made {path}")
    print(f"{len(made)} key files made in {arguments.keys}")
    return 0


def _small(arguments: argparse.Namespace) -> int:
    stacks = Stacks(_store(arguments.keys))
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = manifest.Manifest("small")
    kept = {}
    if arguments.only:
        unknown = set(arguments.only) - small.CAPTURES.keys()
        if unknown:
            print(f"error: no such capture: {', '.join(sorted(unknown))}", file=sys.stderr)
            return 2
        kept = manifest.read_captures(arguments.out)
    for name, make in small.CAPTURES.items():
        if arguments.only and name not in arguments.only:
            if name in kept:
                result.captures.append(kept[name])
            continue
        entry = make(stacks).write(arguments.out)
        print(f"{entry.file}: {entry.packets} packets, {len(entry.sessions)} sessions")
        result.captures.append(entry)
    result.write(arguments.out)
    print(f"{len(result.captures)} captures, {result.session_count()} sessions")
    return 0


def _store(directory: Path) -> KeyStore:
    store = KeyStore(directory)
    store.ensure()
    return store


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, about):
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    def with_keys(sub):
        sub.add_argument("--keys", type=Path, default=_DATA / "keys", help="directory of keys")
        return sub

    with_keys(command("keys", _keys, "make the test keys that are absent"))

    sub = with_keys(command("small", _small, "make the committed corpus"))
    sub.add_argument("--out", type=Path, default=_DATA, help="directory to write to")
    sub.add_argument("--only", nargs="+", metavar="NAME", help="make these captures, keep others")
    return parser


if __name__ == "__main__":
    sys.exit(main())
