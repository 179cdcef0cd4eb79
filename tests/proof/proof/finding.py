"""What refutes a claim about a routine."""

from enum import Enum


class Kind(Enum):
    """Which claim."""

    BRANCH = "a branch depends on a secret"
    ADDRESS = "an address depends on a secret"
    WRITE = "something is written outside the stack and the memory of the call"
    ARGUMENT = "an argument of a call depends on a secret"
    INSTRUCTION = "the time of an instruction may depend on a secret"
    CALL = "code is reached that is not on the list"
    LIFTER = "an instruction cannot be run"
    RESULT = "the result differs from the specification"
    UNDECIDED = "a solver did not answer in time"
    DISAGREEMENT = "the two solvers disagree"
    CRASH = "a case did not end"
    LAYOUT = "a structure of the build has changed, and tests/proof/proof must follow"
    COVERAGE = "too few instructions are executed by any case"
    COPY = "there is a copy or a caller that is not on the list"
    PROCESSOR = "the lifter and the processor disagree"


class Finding(Exception):
    """A claim does not hold."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


def expect(holds: bool, what: str) -> None:
    """Fails if the routine did not do what is expected."""
    if not holds:
        raise Finding(Kind.RESULT, f"expected {what}")
