"""A CBC record, the key of its MAC, and what stands for the library of a backend."""

from collections.abc import Sequence
from dataclasses import dataclass

from proof.call import Code, Machine, Pointer, Region, Stub
from proof.case import OK
from proof.finding import expect
from proof.padding import protocol
from proof.specification import Hash

MD5 = Hash("MD5", 0, 16, is_little=True)
SHA1 = Hash("SHA-1", 1, 20)
SHA256 = Hash("SHA-256", 2, 32)
SHA384 = Hash("SHA-384", 3, 48, block_len=128)

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

    def __str__(self) -> str:
        text = f"{protocol(self.ssl3_block_len)}, {self.hash.name}, {self.length} bytes"
        text += "" if self.knows_compression else ", hashed by lengths"
        text += ", shared" if self.is_shared else ""
        return f"{text}, {self.failure} fails" if self.failure else text


def record_mac_fields(record: Record, region: Region, at: int = 0) -> Region:
    """Sets the fields of a `RecordMac` that begins at an offset."""
    region.set(at + 0x00, 8, int(record.is_shared))
    region.set(at + 0x08, 8, Pointer("backend")).set(at + 0x10, 8, Pointer("backend_methods"))
    region.set(at + 0x18, 8, Pointer("prefix")).set(at + 0x20, 8, record.prefix_len)
    region.set(at + 0x28, 8, Pointer("inner")).set(at + 0x30, 8, Pointer("context_methods"))
    region.set(at + 0x38, 8, Pointer("outer")).set(at + 0x40, 8, Pointer("context_methods"))
    region.set(at + 0x48, 1, int(record.is_ssl3)).set(at + 0x49, 1, record.hash.number)
    return region


def header_of(record: Record) -> Region:
    """A `RecordHeader`: sequence number, version, content type."""
    return Region("header", 16).set(8, 2, record.version)


def methods_of(record: Record, name: str, methods: dict[int, str]) -> Region:
    """The methods of a trait object, behind its destructor, size and alignment."""
    region = Region(name, 0x60).set(0, 8, Code("drop") if record.is_shared else 0)
    region.set(8, 8, 16 if record.is_shared else 0).set(16, 8, 8)
    for offset, method in methods.items():
        region.set(offset, 8, Code(method))
    return region


def backend_of(record: Record) -> tuple[list[Region], dict[str, Stub]]:
    """Stands for the library of a backend: each chaining value and each MAC may be anything."""
    regions = [Region(name, 16) for name in ("backend", "hashing", "compression")]
    regions += [Region(name, 16) for name in ("inner", "outer", "copy")]
    regions += [
        Region("prefix", 128),
        methods_of(record, "backend_methods", {0x38: "hashing"}),
        methods_of(record, "hashing_methods", {0x30: "compression_function"}),
        methods_of(record, "compression_methods", {0x20: "compress", 0x28: "chaining_value"}),
        methods_of(record, "context_methods", {0x20: "update", 0x28: "duplicate", 0x30: "finish"}),
    ]
    counts = {"chaining_value": 0, "finish": 0}

    def write_fresh(machine: Machine, what: str, address: int, size: int) -> None:
        value = machine.fresh(f"{what}{counts[what]}", size)
        counts[what] += 1
        machine.write(address, value)
        machine.note(what, value)

    def compression_function(machine: Machine, arguments: Sequence[int]) -> None:
        result, *_ = arguments
        is_known = record.knows_compression and record.failure != "compression_function"
        unknown = _FAILED if record.failure == "compression_function" else _UNSUPPORTED
        machine.write_field(result, 1, OK if is_known else unknown)
        machine.write_field(result + 8, 8, Pointer("compression"))
        machine.write_field(result + 16, 8, Pointer("compression_methods"))

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
        machine.write_field(result, 1, _FAILED if record.failure == "finish" else OK)
        write_fresh(machine, "finish", out, size)

    def hashing(machine: Machine, arguments: Sequence[int]) -> None:
        # Behind a count of references, the value lies after the two counts.
        [backend] = arguments
        right = machine.address(Pointer("backend", 16 if record.is_shared else 0))
        expect(backend == right, "the backend of the key")

    def drop(machine: Machine, arguments: Sequence[int]) -> None:
        [dropped] = arguments
        machine.note(f"drop {_which(machine, dropped, ('compression', 'copy'))}", [])

    functions = {
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


_UNSUPPORTED, _FAILED = 0x10, 0


def _which(machine: Machine, address: int, names: Sequence[str]) -> str:
    """The region that an address is the begin of."""
    found = [name for name in names if address == machine.address(Pointer(name))]
    expect(len(found) == 1, f"the address of one of {names}")
    return found[0]
