"""Claims about the library as a whole: every instruction is covered, and there is no other copy."""

from collections.abc import Mapping, Set
from pathlib import Path

import capstone

from proof.finding import Finding, Kind
from proof.library import Function, Library, LineTable


def check_coverage(
    library: Library, function: Function, covered: Set[int], share: float = 1.0
) -> str:
    """Fails if less than a share of the instructions through which a function can return was
    executed by any case. What is left out of them ends in a panic. Returns how many there are."""
    instructions = list(library.instructions(function))
    returning = _returning(instructions, function)
    missed = [
        one for one in instructions if one.address in returning - covered and not _is_gap(one)
    ]
    executed = len(returning) - len(missed)
    if executed < share * len(returning):
        shown = ", ".join(
            f"`{one.mnemonic} {one.op_str}` at {library.shown(one.address)}"
            for one in missed[:_SHOWN]
        )
        raise Finding(Kind.COVERAGE, f"{executed} of {len(returning)} are executed; not {shown}")
    return f"{executed} of {len(returning)}"


def _returning(instructions: list[capstone.CsInsn], function: Function) -> set[int]:
    """The instructions after which the function may still return."""
    found: set[int] = set()
    while True:
        before = len(found)
        following = 0
        for one in reversed(instructions):
            if _may_return(one, following, function, found):
                found.add(one.address)
            following = one.address
        if len(found) == before:
            return found


def _may_return(
    one: capstone.CsInsn, following: int, function: Function, returning: Set[int]
) -> bool:
    if one.mnemonic == "ret":
        return True
    if one.mnemonic == "ud2":
        return False
    if not one.group(capstone.CS_GRP_JUMP):
        return following in returning
    target = one.operands[0]
    # A jump through a register or to another function.
    if target.type != capstone.CS_OP_IMM or target.imm not in function:
        return True
    return target.imm in returning or (one.mnemonic != "jmp" and following in returning)


def _is_gap(one: capstone.CsInsn) -> bool:
    """Whether it only aligns what follows."""
    return one.mnemonic == "nop" or (one.mnemonic, one.op_str) == ("xchg", "ax, ax")


def check_copies(
    lines: LineTable, sources: Path, copies: Mapping[tuple[str, str], Set[str]]
) -> None:
    """Fails if the code of a function of our source is anywhere but where it is proved."""
    for (file, function), expected in copies.items():
        found = lines.holders_of(sources / file, function)
        _compare(f"code of {function}", found, expected)


def check_users(library: Library, users: Mapping[str, Set[str]]) -> None:
    """Fails if anything refers to a function but what is known to."""
    for name, expected in users.items():
        _compare(f"users of {name}", library.users_of(library.function(name)), expected)


def _compare(what: str, found: Set[str], expected: Set[str]) -> None:
    """Compares names with their ends."""
    surplus = {one for one in found if not any(one.endswith(end) for end in expected)}
    missing = {end for end in expected if not any(one.endswith(end) for one in found)}
    if surplus or missing:
        raise Finding(
            Kind.COPY,
            f"{what}: not on the list: {sorted(surplus) or 'none'}; "
            f"on the list only: {sorted(missing) or 'none'}",
        )


_SHOWN = 8
"""Instructions that are written out."""
