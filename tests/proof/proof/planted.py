"""Faults that must be found: in functions that are compiled for it, and in what is claimed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from proof.call import Call
from proof.case import Case
from proof.claims import check_copies, check_coverage, check_users
from proof.finding import Finding, Kind
from proof.layout import Field, Layout, Tag
from proof.library import Library, LineTable
from proof.names import RECOVER_PREMASTER
from proof.padding import VERDICT, padding_removal
from proof.premaster import Convention, premaster
from proof.runner import Result, Runner

_LENGTH = 84

_CONVENTION = Convention(0, 16, 32, Tag(0, 1, 0x13), 1)
"""That of xtask/planted/premaster.rs."""


def find_all(runner: Runner, layout: Layout, path: Path) -> list[Finding]:
    """Returns a finding for each fault that is not found, and prints those that are."""
    library, convention = Library(path), Convention.of(layout)
    planted = Runner(library, 0, 20)
    missed = []
    clean = planted.run(_case("clean"))
    if clean.finding:
        missed.append(clean.finding)
    print(clean, flush=True)
    faults: list[tuple[str, Kind, Callable[[], None]]] = [
        *(
            (name, kind, lambda name=name: _raise(planted.run(_case(name))))
            for name, kind in _FUNCTIONS
        ),
        ("exchanged_arguments", Kind.RESULT, lambda: _raise(runner.run(_exchanged(convention)))),
        ("moved_field", Kind.RESULT, lambda: _raise(runner.run(_with_moved_field(layout)))),
        ("missing_field", Kind.LAYOUT, lambda: layout.field(VERDICT, "bounds.__2")),
        ("processor", Kind.PROCESSOR, lambda: _compare_with_other(planted)),
        ("coverage", Kind.COVERAGE, lambda: _cover_too_little(runner, convention)),
        ("copy", Kind.COPY, lambda: _miss_a_copy(path)),
        ("caller", Kind.COPY, lambda: check_users(library, {"not_inlined": set()})),
    ]
    for name, kind, run in faults:
        try:
            run()
            found = "nothing"
        except Finding as finding:
            found = str(finding)
            if finding.kind is kind:
                print(f"planted {name}: found: {found[:_SHOWN]}", flush=True)
                continue
        print(f"planted {name}: FAILED: expected that {kind.value}; found {found}")
        missed.append(Finding(kind, f"the planted fault `{name}` was not found"))
    return missed


def _raise(result: Result) -> None:
    if result.finding:
        raise result.finding


def _case(function: str) -> Case:
    return replace(premaster(_CONVENTION, _LENGTH), name=function, function=function)


def _exchanged(convention: Convention) -> Case:
    """The shipped routine, with fallback and output exchanged in the registers."""
    case = premaster(convention, _LENGTH)

    def call() -> Call:
        right = case.call()
        *others, fallback, out = right.arguments
        return replace(right, arguments=[*others, out, fallback])

    return replace(case, call=call)


def _with_moved_field(layout: Layout) -> Case:
    """The shipped routine, as if two fields of what it returns were exchanged."""

    class Moved(Layout):
        def __init__(self) -> None:
            self.__dict__ = layout.__dict__

        def field(self, name: str, path: str) -> Field:
            exchanged = {"bounds.__0": "bounds.__1", "bounds.__1": "bounds.__0"}
            return super().field(name, exchanged.get(path, path))

    return padding_removal(Moved(), 64)


def _compare_with_other(planted: Runner) -> None:
    """Compares what the lifter says of the clean function with another one on the processor."""
    case = _case("clean")

    def sample(random: Random, given: dict[str, int]) -> None:
        case.sample(random, given)
        given[f"block_{_LENGTH - 50}"] = 0

    other = replace(case, function="unchecked_byte", sample=sample)
    planted.processor.compare(other, planted.execute(case), 20, Random(1))


def _cover_too_little(runner: Runner, convention: Convention) -> None:
    """A length for which the loop over 32 bytes at a time is not entered."""
    outcome = runner.execute(premaster(convention, 59))
    function = runner.library.function(RECOVER_PREMASTER)
    check_coverage(runner.library, function, outcome.covered)


def _miss_a_copy(path: Path) -> None:
    """A function that was inlined into several, of which one is known."""
    source = Path(__file__).resolve().parents[3] / "xtask/planted/premaster.rs"
    table = LineTable(path, {source})
    check_copies(table, source.parent, {(source.name, "is_padded"): {"clean"}})


_FUNCTIONS = (
    ("early_exit", Kind.BRANCH),
    ("pointer_select", Kind.ADDRESS),
    ("table_look_up", Kind.ADDRESS),
    ("prefetch", Kind.ADDRESS),
    ("kept_copy", Kind.WRITE),
    ("secret_length", Kind.ARGUMENT),
    ("division", Kind.INSTRUCTION),
    ("unlisted_instruction", Kind.INSTRUCTION),
    ("unlisted_call", Kind.CALL),
    ("unchecked_byte", Kind.RESULT),
    ("backdoor", Kind.RESULT),
)
"""Functions of xtask/planted/premaster.rs, and what must be found in each."""

_SHOWN = 160
