"""Reads messages of TLS 1.3 strictly, for the planted server and client."""

from attack.wire import Alert


class Fatal(Exception):
    """Ends a connection with an alert."""

    def __init__(self, alert: int) -> None:
        super().__init__(f"alert {alert}")
        self.alert = alert


class Gone(Exception):
    """Ends a connection without an alert."""


def check(holds: bool, alert: int) -> None:
    """Raises `Fatal` unless something holds."""
    if not holds:
        raise Fatal(alert)


class Reader:
    """The rest of a message or of a part of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> bytes:
        """So many bytes."""
        check(len(self._data) >= count, Alert.DECODE_ERROR)
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "big")

    def vector(self, length: int, least: int = 0) -> bytes:
        """What has its length in front."""
        found = self.take(self.number(length))
        check(len(found) >= least, Alert.DECODE_ERROR)
        return found

    def numbers(self, length: int) -> list[int]:
        """A list of numbers of two bytes, which is not empty."""
        listed = Reader(self.vector(length, 2))
        found = []
        while listed:
            found.append(listed.number(2))
        return found

    def end(self) -> None:
        """Nothing may be left."""
        check(not self._data, Alert.DECODE_ERROR)

    def __bool__(self) -> bool:
        return bool(self._data)


def extensions(reader: Reader) -> list[tuple[int, bytes]]:
    """A block of extensions, in which none comes twice."""
    block = Reader(reader.vector(2))
    found: list[tuple[int, bytes]] = []
    while block:
        found.append((block.number(2), block.vector(2)))
    none_twice([kind for kind, _ in found])
    return found


def none_twice(kinds: list[int]) -> None:
    """No extension may come twice (section 4.2)."""
    check(len(set(kinds)) == len(kinds), Alert.ILLEGAL_PARAMETER)


def whole(body: bytes) -> Reader:
    """A message."""
    return Reader(body)


def alone(reader: Reader, length: int, least: int = 0) -> bytes:
    """A vector with nothing behind it."""
    found = reader.vector(length, least)
    reader.end()
    return found


def listed(body: bytes, length: int) -> list[int]:
    """Numbers with nothing behind them."""
    reader = Reader(body)
    found = reader.numbers(length)
    reader.end()
    return found


def entries(data: bytes) -> list[tuple[int, bytes]]:
    """The key shares of a list."""
    reader, found = Reader(data), []
    while reader:
        found.append((reader.number(2), reader.vector(2, 1)))
    return found


def identities(body: bytes) -> tuple[list[tuple[bytes, int]], list[bytes], int]:
    """Identities with their ages, binders, and bytes of the latter (section 4.2.11)."""
    reader = Reader(body)
    first, second = Reader(reader.vector(2)), reader.vector(2)
    reader.end()
    found, binders, rest = [], [], Reader(second)
    while first:
        found.append((first.vector(2, 1), first.number(4)))
    while rest:
        binders.append(rest.vector(1))
    check(bool(found), Alert.DECODE_ERROR)
    check(len(found) == len(binders), Alert.ILLEGAL_PARAMETER)
    return found, binders, 2 + len(second)


def certificates(body: bytes) -> tuple[bytes, list[tuple[bytes, list[tuple[int, bytes]]]]]:
    """The context of a Certificate message, and its entries (section 4.4.2)."""
    reader = Reader(body)
    context, chain = reader.vector(1), Reader(reader.vector(3))
    reader.end()
    found = []
    while chain:
        found.append((chain.vector(3, 1), extensions(chain)))
    return context, found


def signature(body: bytes) -> tuple[int, bytes]:
    """The scheme of a CertificateVerify, and the signature."""
    reader = Reader(body)
    scheme, found = reader.number(2), reader.vector(2)
    reader.end()
    return scheme, found
