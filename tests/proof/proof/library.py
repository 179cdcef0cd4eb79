"""A shared library: its functions, where their code was inlined, and who refers to them."""

import re
import subprocess
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import angr
import capstone
from elftools.elf.elffile import ELFFile

from proof.finding import Finding, Kind


class CannotProve(Exception):
    """The library or a tool is not as the proof needs it."""


@dataclass(frozen=True)
class Function:
    """A function of the symbol table."""

    name: str
    start: int
    end: int

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end


class Library:
    """A shared library that is not stripped, loaded at an address of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.project = angr.Project(
            path, auto_load_libs=False, main_opts={"base_addr": _BASE}, use_sim_procedures=False
        )
        if self.project.arch.name != "AMD64":
            raise CannotProve(f"{path} is for {self.project.arch.name}; this proof is for x86-64")
        self.base = _BASE

    @cached_property
    def functions(self) -> list[Function]:
        """All functions that have a name and a size, in the order of their addresses."""
        return functions_of(self.path, _BASE)

    def function(self, name: str) -> Function:
        """The one function of this name, without what precedes it in the path."""
        found = self.all_of(name)
        if len(found) != 1:
            raise Finding(Kind.COPY, f"expected one function {name}, found {len(found)}")
        return found[0]

    def all_of(self, name: str) -> list[Function]:
        """All functions of this name: a generic one has a copy for each use."""
        return [
            function
            for function in self.functions
            if function.name == name or function.name.endswith("::" + name)
        ]

    def holder(self, address: int) -> Function | None:
        """The function that an address is in."""
        return _holder(self.functions, address)

    def imported(self, name: str) -> int:
        """Where calls of an imported function go; 0 if the library does not import it."""
        symbol = self.project.loader.find_symbol(name)
        return symbol.rebased_addr if symbol is not None else 0

    def instructions(self, function: Function) -> Iterator[capstone.CsInsn]:
        """All instructions of a function."""
        code = self.project.loader.memory.load(function.start, function.end - function.start)
        disassembler = self.project.arch.capstone
        at = function.start
        for instruction in disassembler.disasm(code, function.start):
            yield instruction
            at = instruction.address + instruction.size
        if at != function.end:
            raise CannotProve(f"{function.name}: no instruction at {at - _BASE:#x}")

    def users_of(self, function: Function) -> set[str]:
        """The functions that refer to one: by a call, or through the table of global offsets.
        References of tables of methods are named as such."""
        users = set()
        places = {function.start}
        for start, words in self._pointers():
            for index, word in enumerate(words):
                if word == function.start:
                    places.add(start + 8 * index)
                    if not self._is_got(start):
                        users.add("a table of methods")
        for address in self._relative_to(places):
            user = self.holder(address)
            if user is None or user.name == function.name:
                continue
            # Bytes that only look like a reference are no operand of an instruction.
            for instruction in self.instructions(user):
                if instruction.address <= address < instruction.address + instruction.size:
                    if instruction.address + instruction.size == address + 4:
                        users.add(user.name)
                    break
        return users

    def _pointers(self) -> Iterator[tuple[int, memoryview]]:
        for section in self.project.loader.main_object.sections:
            if section.name in (".got", ".data.rel.ro", ".got.plt"):
                data = self.project.loader.memory.load(section.vaddr, section.memsize // 8 * 8)
                yield section.vaddr, memoryview(data).cast("Q")

    def _is_got(self, start: int) -> bool:
        section = self.project.loader.main_object.find_section_containing(start)
        return section.name.startswith(".got")

    def _relative_to(self, places: Iterable[int]) -> Iterator[int]:
        """The addresses of all 32-bit displacements in the code that lead to one of the places."""
        places = set(places)
        section = self.project.loader.main_object.sections_map[".text"]
        code = self.project.loader.memory.load(section.vaddr, section.memsize)
        for shift in range(4):
            words = memoryview(code)[shift : shift + (len(code) - shift) // 4 * 4].cast("i")
            end = section.vaddr + shift + 4
            for index, displacement in enumerate(words):
                if end + 4 * index + displacement in places:
                    yield end + 4 * index - 4

    def shown(self, address: int) -> str:
        """An address for a person: in which function, and how far."""
        holder = self.holder(address)
        if holder is None:
            return f"{address - _BASE:#x}" if address >= _BASE else f"{address:#x}"
        return f"{holder.name}+{address - holder.start:#x}"


class LineTable:
    """Which lines of our files the machine code of a library comes from."""

    def __init__(self, path: Path, sources: Iterable[Path]) -> None:
        self._path = path
        self._functions = functions_of(path, 0)
        self._rows: dict[Path, list[tuple[int, int]]] = {source: [] for source in sources}
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf.has_dwarf_info():
                self._read(elf.get_dwarf_info())

    def holders_of(self, source: Path, function: str) -> set[str]:
        """The functions that have machine code from lines of `function`."""
        first, last = _lines_of(source, function)
        rows = self._rows[source]
        if not rows:
            raise CannotProve(
                f"{self._path} has no line table for {source}; build it with the release profile "
                "of this workspace, and without CARGO_PROFILE_RELEASE_DEBUG"
            )
        holders = set()
        for address, line in rows:
            if first <= line <= last:
                holder = _holder(self._functions, address)
                holders.add(holder.name if holder else f"{address:#x}")
        return holders

    def _read(self, dwarf) -> None:
        names = {source.name for source in self._rows}
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            first = 0 if program["version"] >= 5 else 1
            files = {
                number: self._source(program, entry)
                for number, entry in enumerate(program["file_entry"], first)
                if Path(entry.name.decode()).name in names
            }
            if not any(files.values()):
                continue
            for entry in program.get_entries():
                row = entry.state
                if row is not None and not row.end_sequence and files.get(row.file):
                    self._rows[files[row.file]].append((row.address, row.line))

    def _source(self, program, entry) -> Path | None:
        """Which of our files an entry of the table names, by the end of its path."""
        first = 0 if program["version"] >= 5 else 1
        directory = ""
        if entry.dir_index >= first:
            directory = program["include_directory"][entry.dir_index - first].decode()
        path = Path(directory, entry.name.decode())
        for source in self._rows:
            if path.parts[-_TELLING:] == source.parts[-_TELLING:]:
                return source
        return None


def trait_methods(source: Path, trait: str) -> list[str]:
    """The methods of a trait, in their order in the table of a trait object: that of our source,
    behind the one of `Debug`, if that is the first of the traits before it."""
    lines = source.read_text().splitlines()
    start = re.compile(rf"pub(\([a-z]+\))? trait {trait}: (fmt::Debug \+ )?Send \+ Sync {{")
    for first, line in enumerate(lines):
        if found := start.match(line):
            end = lines.index("}", first)
            methods = (re.match(r"    fn ([a-z0-9_]+)", line) for line in lines[first:end])
            return ["fmt"] * bool(found[2]) + [method[1] for method in methods if method]
    raise Finding(Kind.LAYOUT, f"expected `pub trait {trait}: Send + Sync` in {source}")


def functions_of(path: Path, base: int) -> list[Function]:
    """All functions of a file that is loaded at an address, in the order of their addresses."""
    command = ["nm", "--demangle", "--defined-only", "--print-size", "--numeric-sort", path]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotProve(
            f"nm, of Debian's package binutils, cannot read {path}: {error}"
        ) from error
    found = []
    for line in done.stdout.splitlines():
        fields = line.split(maxsplit=3)
        if len(fields) == 4 and fields[2] in "tTwW":
            start = base + int(fields[0], 16)
            found.append(Function(fields[3], start, start + int(fields[1], 16)))
    if not found:
        raise CannotProve(f"{path} has no symbols; build it without stripping")
    return found


def _holder(functions: list[Function], address: int) -> Function | None:
    index = bisect_right(functions, address, key=lambda function: function.start) - 1
    return functions[index] if index >= 0 and address in functions[index] else None


def _lines_of(source: Path, function: str) -> tuple[int, int]:
    """First and last line of a function in a formatted source file."""
    lines = source.read_text().splitlines()
    start = re.compile(rf"( *)(pub(\([a-z]+\))? )?(extern \"C\" )?fn {function}\b")
    for first, line in enumerate(lines, 1):
        if found := start.match(line):
            last = lines.index(found[1] + "}", first) + 1
            return first, last
    raise CannotProve(f"there is no function {function} in {source}")


_BASE = 0x4000_0000_0000
"""Where the library is loaded: far from the memory of the calls."""

_TELLING = 3
"""Parts of a path by which a file is known: that of a crate may stand anywhere."""
