"""Where the fields of a Rust type lie in this build, and how its enums are told apart, as the
debug information of the same source has it: Rust promises nothing about either."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

from proof.call import Region, Value
from proof.finding import Finding, Kind
from proof.library import CannotProve


@dataclass(frozen=True)
class Field:
    """Bytes of a value."""

    offset: int
    size: int


@dataclass(frozen=True)
class Tag:
    """The number by which a variant is known; none where it is any number of no other variant."""

    offset: int
    size: int
    value: int | None


class Layout:
    """The types of an object file with full debug information."""

    def __init__(self, path: Path) -> None:
        self._types: dict[str, DIE] = {}
        self._wanted: dict[str, DIE] = {}
        try:
            # In memory, since entries are read from it later, also by several processes.
            elf = ELFFile(BytesIO(path.read_bytes()))
        except OSError as error:
            raise CannotProve(f"{error}; `cargo xtask prove` makes it") from error
        for unit in elf.get_dwarf_info().iter_CUs():
            self._index(unit.get_top_DIE(), "")

    def size(self, name: str) -> int:
        return _size(self._type(name))

    def field(self, name: str, path: str) -> Field:
        """A field, by the names that lead to it: of fields, and of variants of enums. The name
        behind two dots is that of the only such field at any depth."""
        offset, found = self._walk(self._type(name), name, path)
        return Field(offset, _size(found))

    def tag(self, name: str, variant: str, path: str = "") -> Tag:
        """The variant of a type, or of one of its fields."""
        offset, die = self._walk(self._type(name), name, path)
        where = f"{name} {path}".strip()
        for child in die.iter_children():
            if child.tag == "DW_TAG_enumerator" and _name(child) == variant:
                value = child.attributes["DW_AT_const_value"].value
                return Tag(offset, _size(die), value)
        part, chosen = _variant(die, variant)
        if part is None:
            raise self._moved(where, die, variant)
        discriminant = part.get_DIE_from_attribute("DW_AT_discr")
        place, size = _location(discriminant), _size(_type_of(discriminant))
        value = chosen.attributes.get("DW_AT_discr_value")
        return Tag(offset + place, size, None if value is None else value.value % (1 << 8 * size))

    def put(self, region: Region, name: str, path: str, value: Value, at: int = 0) -> None:
        """Sets a field of a value that begins at an offset of a region."""
        field = self.field(name, path)
        region.set(at + field.offset, field.size, value)

    def choose(self, region: Region, name: str, variant: str, path: str = "", at: int = 0) -> None:
        """Sets which variant a value is, or one of its fields. One that has no number is what the
        fields of it make it."""
        tag = self.tag(name, variant, path)
        if tag.value is not None:
            region.set(at + tag.offset, tag.size, tag.value)

    def _walk(self, die: DIE, name: str, path: str) -> tuple[int, DIE]:
        offset, is_deep = 0, False
        for step in path.split(".") if path else ():
            if not step:
                is_deep = True
                continue
            found = _inside(die, step) if is_deep else _members(die).get(step)
            if found is None:
                raise self._moved(f"field {path} of {name}", die, step)
            at, die = found
            offset, is_deep = offset + at, False
        return offset, die

    def _moved(self, where: str, die: DIE, wanted: str) -> Finding:
        known = ", ".join(sorted(_members(die))) or "no fields"
        return Finding(Kind.LAYOUT, f"{where}: expected `{wanted}`, found {known}")

    def _type(self, name: str) -> DIE:
        if name in self._wanted:
            return self._wanted[name]
        found = [die for full, die in self._types.items() if f"::{full}".endswith(f"::{name}")]
        if len(found) != 1:
            raise Finding(Kind.LAYOUT, f"expected one type {name}, found {len(found)}")
        return self._wanted.setdefault(name, found[0])

    def _index(self, die: DIE, prefix: str) -> None:
        for child in die.iter_children():
            if child.tag == "DW_TAG_namespace":
                self._index(child, f"{prefix}{_name(child)}::")
            elif child.tag in ("DW_TAG_structure_type", "DW_TAG_enumeration_type"):
                self._types.setdefault(f"{prefix}{_name(child)}", child)


def _members(die: DIE) -> dict[str, tuple[int, DIE]]:
    """The fields of a structure, and the contents of the variants of an enum."""
    found = {_name(one): (_location(one), _type_of(one)) for one in _fields(die)}
    for _, variant in _variants(die):
        found |= {_name(one): (_location(one), _type_of(one)) for one in _fields(variant)}
    return found


def _inside(die: DIE, wanted: str) -> tuple[int, DIE] | None:
    """The one field of this name, however deep."""
    found = []
    for name, (offset, inner) in _members(die).items():
        if name == wanted:
            found.append((offset, inner))
        elif deeper := _inside(inner, wanted):
            found.append((offset + deeper[0], deeper[1]))
    return found[0] if len(found) == 1 else None


def _variants(die: DIE) -> Iterator[tuple[DIE, DIE]]:
    """Each variant of an enum, behind the part that it belongs to."""
    for part in die.iter_children():
        if part.tag == "DW_TAG_variant_part":
            for variant in part.iter_children():
                if variant.tag == "DW_TAG_variant":
                    yield part, variant


def _variant(die: DIE, wanted: str) -> tuple[DIE | None, DIE | None]:
    for part, variant in _variants(die):
        if any(_name(one) == wanted for one in _fields(variant)):
            return part, variant
    return None, None


def _fields(die: DIE) -> Iterator[DIE]:
    return (child for child in die.iter_children() if child.tag == "DW_TAG_member")


def _type_of(die: DIE) -> DIE:
    return die.get_DIE_from_attribute("DW_AT_type")


def _location(die: DIE) -> int:
    return die.attributes["DW_AT_data_member_location"].value


def _size(die: DIE) -> int:
    # A pointer has no size of its own.
    size = die.attributes.get("DW_AT_byte_size")
    return 8 if size is None else size.value


def _name(die: DIE) -> str:
    name = die.attributes.get("DW_AT_name")
    return name.value.decode() if name else ""
