"""Asks z3 whether something is possible, and bitwuzla for a second opinion."""

from collections.abc import Sequence
from dataclasses import dataclass

import bitwuzla
import claripy
import z3
from claripy.ast.bool import Bool
from claripy.ast.bv import BV

from proof.finding import Finding, Kind


@dataclass(frozen=True)
class Split:
    """A symbol of which every value that the assumptions allow is asked for by itself."""

    symbol: BV
    values: range


def refuse_if_possible(
    question: Bool, assumptions: Sequence[Bool], split: Split | None = None
) -> None:
    """Fails with a counterexample if the question can be answered with yes."""
    assumed = [_z3(formula) for formula in assumptions]
    # Of a contradiction everything follows.
    if _solver(assumed).check() != z3.sat:
        raise Finding(Kind.UNDECIDED, "the assumptions contradict each other")
    asked = _z3(question)
    if split is None:
        _ask(asked, assumed)
        return
    symbol = _z3(split.symbol)
    others = [symbol != value for value in split.values]
    _ask(z3.And(*others), assumed)
    for value in split.values:
        number = z3.BitVecVal(value, symbol.size())
        simple = z3.simplify(z3.substitute(asked, (symbol, number)))
        if not z3.is_false(simple):
            _ask(simple, [*assumed, symbol == number])


def _solver(assumed: Sequence[z3.BoolRef]) -> z3.Solver:
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", _TIMEOUT * 1000)
    solver.add(*assumed)
    return solver


def _ask(question: z3.BoolRef, assumed: Sequence[z3.BoolRef]) -> None:
    solver = _solver(assumed)
    solver.add(question)
    first = solver.check()
    second = _second_opinion(solver.to_smt2())
    if first == z3.unknown or second == "unknown":
        raise Finding(Kind.UNDECIDED, f"z3 says {first}, bitwuzla says {second}")
    if str(first) != second:
        raise Finding(Kind.DISAGREEMENT, f"z3 says {first}, bitwuzla says {second}")
    if first == z3.sat:
        raise Finding(Kind.RESULT, _counterexample(solver.model()))


def _second_opinion(problem: str) -> str:
    terms = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, _TIMEOUT * 1000)
    parser = bitwuzla.Parser(terms, options)
    parser.parse(problem, True, False)
    return str(parser.bitwuzla().check_sat())


def _counterexample(model: z3.ModelRef) -> str:
    """The bytes of each region, as far as they matter."""
    regions: dict[str, dict[int, int]] = {}
    for symbol in model.decls():
        name, _, index = symbol.name().rpartition("_")
        if name and index.isdigit():
            regions.setdefault(name, {})[int(index)] = model[symbol].as_long()
    return "; ".join(
        f"{name} = " + "".join(f"{known.get(i, 0):02x}" for i in range(max(known) + 1))
        for name, known in sorted(regions.items())
    )


class Evaluator:
    """Computes what terms are for given bytes."""

    def __init__(self, terms: Sequence[BV]) -> None:
        self._term = _z3(claripy.Concat(*terms)) if terms else None
        self._size = len(terms)

    def evaluate(self, given: dict[str, int], widths: dict[str, int]) -> bytes:
        """The bytes, where each symbol has the given value."""
        if self._term is None:
            return b""
        pairs = [
            (z3.BitVec(name, widths.get(name, 8)), z3.BitVecVal(value, widths.get(name, 8)))
            for name, value in given.items()
        ]
        value = z3.simplify(z3.substitute(self._term, pairs))
        if not z3.is_bv_value(value):
            raise Finding(Kind.PROCESSOR, f"the result depends on more than the call: {value}")
        # Not in decimal, of which Python reads no more than 4300 digits.
        return int(value.as_binary_string(), 2).to_bytes(self._size, "big")


def _z3(formula: Bool | BV) -> z3.ExprRef:
    return claripy.backends.z3.convert(formula)


_TIMEOUT = 1800
"""Seconds for a question, of which the longest block takes some hundred."""
