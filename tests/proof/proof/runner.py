"""Runs cases and judges them."""

import time
from dataclasses import dataclass
from random import Random

from proof import stubs
from proof.case import Case
from proof.engine import Execution, Outcome
from proof.finding import Finding
from proof.library import Library
from proof.processor import Processor
from proof.solver import refuse_if_possible


@dataclass
class Result:
    """What came of a case."""

    name: str
    covered: set[int]
    steps: int = 0
    executed: float = 0.0
    solved: float = 0.0
    calls: int = 0
    finding: Finding | None = None

    def __str__(self) -> str:
        if self.finding:
            return f"{self.name}: FAILED: {self.finding}"
        on_processor = f", as on the processor in {self.calls} calls" if self.calls else ""
        return (
            f"{self.name}: {self.steps} instructions on one path ({self.executed:.1f} s), "
            f"as specified ({self.solved:.1f} s){on_processor}"
        )


class Runner:
    """One library, loaded once for the lifter and once for the processor."""

    def __init__(self, library: Library, seed: int, calls: int) -> None:
        self.library = library
        self._processor: Processor | None = None
        self._seed = seed
        self._calls = calls

    @property
    def processor(self) -> Processor:
        """Loaded when it is first needed."""
        if self._processor is None:
            self._processor = Processor(self.library)
        return self._processor

    def execute(self, case: Case) -> Outcome:
        """Runs a case to its end."""
        library = self.library
        function = library.function(case.function)
        inside = [found for name in case.inside for found in library.all_of(name)]
        call = case.call()
        return Execution(library, function, call, inside, stubs.of(library, case)).run()

    def solve(self, case: Case, outcome: Outcome) -> None:
        """Compares the result with the specification, for all inputs."""
        refuse_if_possible(case.differs(outcome), outcome.execution.call.assumptions, case.split)

    def run(self, case: Case) -> Result:
        """Executes, solves, and compares with the processor."""
        result = Result(case.name, set())
        try:
            start = time.process_time()
            outcome = self.execute(case)
            result.covered, result.steps = outcome.covered, outcome.execution.steps
            result.executed = time.process_time() - start
            start = time.process_time()
            self.solve(case, outcome)
            result.solved = time.process_time() - start
            if case.sample:
                random = Random(f"{self._seed} {case.name}")
                self.processor.compare(case, outcome, self._calls, random)
                result.calls = self._calls
        except Finding as finding:
            result.finding = finding
        return result
