#!/usr/bin/env python3
"""Makes captures of real TLS peers doing RSA key exchange, with the peers' key log as oracle."""

import argparse
import shlex
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent

try:
    from corpus import manifest, tshark
    from corpus.capture import Capture
    from corpus.conversation import PeerFailure, PeerMissing
    from corpus.keys import KeyStore
    from corpus.profiles import bench, full, small
    from corpus.stacks import Stacks
except ModuleNotFoundError as missing:
    sys.exit(
        f"error: there is no Python module {missing.name}; "
        f"use an environment with {_HERE / 'requirements.txt'} installed"
    )

_ROOT = _HERE.parents[1]
_DATA = _ROOT / "tests" / "data"
_TARGET = _ROOT / "target" / "corpus"

_EXAMPLES = """\
examples:
  generate.py keys                      make the test keys that are absent
  generate.py small                     make the committed corpus again, in tests/data
  generate.py small --only handshakes   make one of its captures again
  generate.py full                      make the whole matrix, in target/corpus/full
  generate.py full --peers openssl tlslite   only the stacks that are always there
  generate.py verify tests/data         let tshark decrypt it with the oracle's key log
  generate.py bench --sessions 5000     make the capture for the benchmark, in target/corpus/bench
  generate.py tshark-baseline target/corpus/bench/bench.pcap tests/data/keys/server-2048.pem \
      target/corpus/bench/tshark.keys   time tshark's own key export on it
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
    unknown = set(arguments.only or ()) - small.CAPTURES.keys()
    if unknown:
        print(f"error: no such capture: {', '.join(sorted(unknown))}", file=sys.stderr)
        print(f"there are: {', '.join(small.CAPTURES)}", file=sys.stderr)
        return 2
    stacks = Stacks(_store(arguments.keys))
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = manifest.Manifest("small")
    kept = manifest.read_captures(arguments.out) if arguments.only else {}
    for name in small.CAPTURES:
        if arguments.only and name not in arguments.only:
            if name in kept:
                result.captures.append(kept[name])
        else:
            _make_small(name, stacks, arguments, result)
    return _finish(result, [], arguments.out)


def _full(arguments: argparse.Namespace) -> int:
    stacks = Stacks(_store(arguments.keys))
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = manifest.Manifest("full")
    failed: list[manifest.Skipped] = []
    for name in small.CAPTURES:
        _make_small(name, stacks, arguments, result)
    for number, (client, server) in enumerate(full.pairs(arguments.peers)):
        pair = full.record_pair(stacks, client, server, number)
        for skipped in pair.skipped:
            print(f"SKIPPED {skipped.cell}: {skipped.reason}", file=sys.stderr)
        for failure in pair.failed:
            print(f"FAILED {failure.cell}: {failure.reason}", file=sys.stderr)
        failed += pair.failed
        result.skipped += pair.skipped + pair.failed
        _write(pair.capture, arguments, result)
    return _finish(result, failed, arguments.out)


def _make_small(
    name: str, stacks: Stacks, arguments: argparse.Namespace, result: manifest.Manifest
) -> None:
    try:
        capture = small.CAPTURES[name](stacks)
    except PeerMissing as missing:
        print(f"SKIPPED {name}: {missing}", file=sys.stderr)
        result.skipped.append(manifest.Skipped(name, str(missing)))
    else:
        _write(capture, arguments, result)


def _write(capture: Capture, arguments: argparse.Namespace, result: manifest.Manifest) -> None:
    entry = capture.write(arguments.out, keys=arguments.keys)
    result.captures.append(entry)
    print(f"{entry.file}: {entry.packets} packets, {len(entry.sessions)} sessions", flush=True)


def _finish(result: manifest.Manifest, failed: list[manifest.Skipped], directory: Path) -> int:
    result.write(directory)
    print(
        f"{len(result.captures)} captures, {result.session_count()} sessions, "
        f"{len(result.skipped) - len(failed)} skipped, {len(failed)} failed"
    )
    return 1 if failed else 0


def _bench(arguments: argparse.Namespace) -> int:
    def progress(done: int) -> None:
        if done % 500 == 0:
            print(f"{done} of {arguments.sessions} sessions", flush=True)

    keys = _store(arguments.keys)
    capture = bench.sessions(keys, arguments.sessions, arguments.response_bytes, progress)
    arguments.out.mkdir(parents=True, exist_ok=True)
    result = manifest.Manifest("bench")
    _write(capture, arguments, result)
    return _finish(result, [], arguments.out)


def _verify(arguments: argparse.Namespace) -> int:
    if not manifest.read_captures(arguments.directory):
        print(f"error: no corpus in {arguments.directory}", file=sys.stderr)
        return 2
    print(tshark.version())
    print(f"{'capture':28} packets  decrypted  not by tshark")
    results = tshark.verify(arguments.directory)
    for result in results:
        print(
            f"{result.capture:28} {result.packets:7}  {result.readable:9}  "
            f"{result.unsupported or '':13}  {'ok' if result.good else 'FAILED'}"
        )
        if result.packets != result.expected_packets:
            print(f"  {result.expected_packets} packets were written")
        if result.bad_checksums:
            print(f"  {result.bad_checksums} packets with a bad checksum")
        for client_random in result.unreadable:
            print(f"  not decrypted: {client_random}")
    failed = sum(not result.good for result in results)
    print(f"{len(results)} captures, {failed} failed")
    return 1 if failed else 0


def _tshark_baseline(arguments: argparse.Namespace) -> int:
    result = tshark.baseline(arguments.capture, arguments.key, arguments.out)
    print(tshark.version())
    print(shlex.join(result.command))
    print(
        f"{result.sessions} sessions in {result.seconds:.2f} s: "
        f"{result.sessions / result.seconds:.0f} sessions per second"
    )
    return 0 if result.sessions else 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


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

    sub = with_keys(command("full", _full, "make the whole matrix"))
    sub.add_argument("--out", type=Path, default=_TARGET / "full", help="directory to write to")
    sub.add_argument(
        "--peers",
        nargs="+",
        choices=full.ABILITIES,
        default=list(full.ABILITIES),
        metavar="STACK",
        help=f"stacks to pair with each other, of: {', '.join(full.ABILITIES)}",
    )

    sub = with_keys(command("bench", _bench, "make one capture of many sessions"))
    sub.add_argument("--sessions", type=_positive, default=5000, help="how many (default 5000)")
    sub.add_argument(
        "--response-bytes", type=_positive, default=49152, metavar="N",
        help="application data of each session (default 49152, a page; 13 for next to none)",
    )  # fmt: skip
    sub.add_argument("--out", type=Path, default=_TARGET / "bench", help="directory to write to")

    sub = command("verify", _verify, "let tshark decrypt a corpus with the oracle's key logs")
    sub.add_argument("directory", type=Path, nargs="?", default=_DATA, metavar="DIR")

    sub = command("tshark-baseline", _tshark_baseline, "time tshark's export of session keys")
    sub.add_argument("capture", type=Path, metavar="FILE")
    sub.add_argument("key", type=Path, metavar="KEY", help="the server's private key, PEM")
    sub.add_argument("out", type=Path, metavar="OUT", help="key log that tshark writes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
