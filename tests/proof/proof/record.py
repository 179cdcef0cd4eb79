"""A CBC record, the key of its MAC, and what stands for the library of a backend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proof.call import Code, Machine, Pointer, Region, Stub, Value
from proof.case import RESULT
from proof.finding import Finding, Kind, expect
from proof.layout import Layout, Tag
from proof.library import trait_methods
from proof.padding import protocol
from proof.specification import Hash

MD5 = Hash("MD5", "Md5", 16, is_little=True)
SHA1 = Hash("SHA-1", "Sha1", 20)
SHA256 = Hash("SHA-256", "Sha256", 32)
SHA384 = Hash("SHA-384", "Sha384", 48, block_len=128)

RECORD_MAC, RECORD_HEADER = "record::mac::RecordMac", "record::protection::RecordHeader"

ERROR = "ssl_provider_core::error::Error"

# The build has one with a box of another trait object, which lies alike.
COMPRESSION_RESULT = (
    "Result<alloc::boxed::Box<dyn ssl_provider_core::backend::hash::HashContext, "
    f"alloc::alloc::Global>, {ERROR}>"
)

MARK = b"not void"
"""What memory for secrets begins with (crates/ssl-provider-memory/src/slab.rs)."""

BACKENDS = Path(__file__).resolve().parents[3] / "crates/ssl-provider-core/src/backend"

TLS_1_2, SSL3 = 0x0303, 0x0300


@dataclass(frozen=True)
class Record:
    """A CBC record and the key that its MAC is checked with."""

    hash: Hash
    length: int
    """Bytes of MAC, payload and padding."""
    block_len: int = 16
    version: int = TLS_1_2
    knows_compression: bool = True
    """Whether the library has the compression function of the hash; else every length is hashed."""
    is_shared: bool = False
    """Whether the backend is behind a count of references, and its objects have destructors."""
    failure: str = ""
    """The method of the backend that fails."""

    @property
    def is_ssl3(self) -> bool:
        return self.version == SSL3

    @property
    def ssl3_block_len(self) -> int | None:
        return self.block_len if self.is_ssl3 else None

    @property
    def prefix_len(self) -> int:
        """What is hashed before the header: a block with the key, or the key and fixed bytes."""
        if not self.is_ssl3:
            return self.hash.block_len
        return self.hash.output_len + (48 if self.hash is MD5 else 40)

    @property
    def bounds(self) -> tuple[int, int]:
        room = self.length - self.hash.output_len
        return room - min(room, self.ssl3_block_len or 256), room - 1

    @property
    def backend_kind(self) -> str:
        return "Instance" if self.is_shared else "Static"

    def __str__(self) -> str:
        text = f"{protocol(self.ssl3_block_len)}, {self.hash.name}, {self.length} bytes"
        text += "" if self.knows_compression else ", hashed by lengths"
        text += ", shared" if self.is_shared else ""
        return f"{text}, {self.failure} fails" if self.failure else text


def record_mac_fields(layout: Layout, record: Record, region: Region, at: int = 0) -> Region:
    """Sets the fields of a `RecordMac` that begins at an offset."""

    def put(path: str, value: Value) -> None:
        layout.put(region, RECORD_MAC, path, value, at)

    kind = record.backend_kind
    layout.choose(region, RECORD_MAC, kind, "backend.__0", at)
    put(f"backend.__0.{kind}.__0..pointer", Pointer("backend"))
    put(f"backend.__0.{kind}.__0..vtable", Pointer("backend_methods"))
    put("prefix.bytes.slot", Pointer("prefix"))
    put("prefix.bytes.len", record.prefix_len)
    for context in ("inner", "outer"):
        put(f"{context}.pointer", Pointer(context))
        put(f"{context}.vtable", Pointer("context_methods"))
    put("hashes_key", int(record.is_ssl3))
    layout.choose(region, RECORD_MAC, record.hash.rust_name, "hash", at)
    return region


def header_of(layout: Layout, record: Record) -> Region:
    """A `RecordHeader`: sequence number, version, content type."""
    header = Region("header", layout.size(RECORD_HEADER))
    layout.put(header, RECORD_HEADER, "version", record.version)
    return header


def methods_of(
    record: Record, name: str, trait: tuple[str, str], wanted: Sequence[str]
) -> tuple[Region, dict[str, Stub]]:
    """The methods of a trait object, behind its destructor, size and alignment, with functions for
    those that must not be called."""
    methods = trait_methods(BACKENDS / trait[0], trait[1])
    region = Region(name, 8 * (3 + len(methods))).set(0, 8, Code("drop") if record.is_shared else 0)
    region.set(8, 8, 16 if record.is_shared else 0).set(16, 8, 8)
    if unknown := set(wanted) - set(methods):
        what = f"{trait[1]}: expected {sorted(unknown)}, found {methods}"
        raise Finding(Kind.LAYOUT, what)
    others = {}
    for index, method in enumerate(methods, 3):
        code = method if method in wanted else f"{trait[1]}::{method}"
        region.set(8 * index, 8, Code(code))
        if method not in wanted:
            others[code] = Stub(_refused(code), 0)
    return region, others


def _refused(name: str) -> Callable[[Machine, Sequence[int]], None]:
    def run(machine: Machine, arguments: Sequence[int]) -> None:
        del machine, arguments
        raise Finding(Kind.CALL, name)

    return run


def backend_of(layout: Layout, record: Record) -> tuple[list[Region], dict[str, Stub]]:
    """Stands for the library of a backend: each chaining value and each MAC may be anything."""
    regions = [Region(name, 16) for name in ("backend", "hashing", "compression")]
    regions += [Region(name, 16) for name in ("inner", "outer", "copy")]
    regions += [
        Region("prefix", len(MARK) + 128).set(0, len(MARK), int.from_bytes(MARK, "little")),
    ]
    refused: dict[str, Stub] = {}
    for name, trait, wanted in (
        ("backend", ("mod.rs", "KeyExchangeBackend"), ["hashing"]),
        ("hashing", ("hash.rs", "Hashing"), ["compression_function"]),
        ("compression", ("hash.rs", "CompressionFunction"), ["compress", "chaining_value"]),
        ("context", ("hash.rs", "HashContext"), ["update", "duplicate", "finish"]),
    ):
        region, others = methods_of(record, f"{name}_methods", trait, wanted)
        regions.append(region)
        refused |= others
    counts = {"chaining_value": 0, "finish": 0}

    def write_error(machine: Machine, address: int, result: str, error: str) -> None:
        write_tag(machine, address, layout.tag(result, "Err"))
        write_tag(
            machine, address + layout.field(result, "Err.__0").offset, layout.tag(ERROR, error)
        )

    def write_fresh(machine: Machine, what: str, address: int, size: int) -> None:
        value = machine.fresh(f"{what}{counts[what]}", size)
        counts[what] += 1
        machine.write(address, value)
        machine.note(what, value)

    def compression_function(machine: Machine, arguments: Sequence[int]) -> None:
        result, *_ = arguments
        is_known = record.knows_compression and record.failure != "compression_function"
        if is_known:
            write_tag(machine, result, layout.tag(COMPRESSION_RESULT, "Ok"))
            for part, region in ("pointer", "compression"), ("vtable", "compression_methods"):
                place = layout.field(COMPRESSION_RESULT, f"Ok.__0.{part}")
                machine.write_field(result + place.offset, place.size, Pointer(region))
        else:
            failed = record.failure == "compression_function"
            write_error(machine, result, COMPRESSION_RESULT, "Random" if failed else "Unsupported")

    def compress(machine: Machine, arguments: Sequence[int]) -> None:
        _, blocks, size = arguments
        machine.note("compress", machine.read(blocks, size))

    def chaining_value(machine: Machine, arguments: Sequence[int]) -> None:
        _, out, size = arguments
        write_fresh(machine, "chaining_value", out, size)

    def update(machine: Machine, arguments: Sequence[int]) -> None:
        _, message, size = arguments
        machine.note("update", machine.read(message, size))

    def duplicate(machine: Machine, arguments: Sequence[int]) -> None:
        [context] = arguments
        which = _which(machine, context, ("inner", "outer", "copy"))
        machine.note(f"duplicate {which}", [])

    def finish(machine: Machine, arguments: Sequence[int]) -> None:
        result, _, out, size = arguments
        if record.failure == "finish":
            write_error(machine, result, RESULT, "Random")
        else:
            write_tag(machine, result, layout.tag(RESULT, "Ok"))
        write_fresh(machine, "finish", out, size)

    def hashing(machine: Machine, arguments: Sequence[int]) -> None:
        # Behind a count of references, the value lies after the two counts.
        [backend] = arguments
        right = machine.address(Pointer("backend", 16 if record.is_shared else 0))
        expect(backend == right, "the backend of the key")

    def drop(machine: Machine, arguments: Sequence[int]) -> None:
        [dropped] = arguments
        machine.note(f"drop {_which(machine, dropped, ('compression', 'copy'))}", [])

    functions = refused | {
        "drop": Stub(drop, 1),
        "hashing": Stub(hashing, 1, (Pointer("hashing"), Pointer("hashing_methods"))),
        "compression_function": Stub(compression_function, 3),
        "compress": Stub(compress, 3),
        "chaining_value": Stub(chaining_value, 3),
        "update": Stub(update, 3),
        "duplicate": Stub(duplicate, 1, (Pointer("copy"), Pointer("context_methods"))),
        "finish": Stub(finish, 4),
    }
    return regions, functions


def write_tag(machine: Machine, address: int, tag: Tag) -> None:
    """Writes which variant a value is, which may be known by what is in it."""
    if tag.value is not None:
        machine.write_field(address + tag.offset, tag.size, tag.value)


def _which(machine: Machine, address: int, names: Sequence[str]) -> str:
    """The region that an address is the begin of."""
    found = [name for name in names if address == machine.address(Pointer(name))]
    expect(len(found) == 1, f"the address of one of {names}")
    return found[0]
