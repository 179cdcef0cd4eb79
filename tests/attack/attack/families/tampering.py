"""Records that were changed on the way: every byte of them, and paddings and MACs that are wrong.

All get one and the same answer: bad_record_mac (RFC 5246 sections 6.2.3.2 and 7.2.2). Where only
padding is wrong, any other answer, or none, is a padding oracle.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.protection import Tamper
from attack.reply import Reply, completes, fatal
from attack.suites import Profile
from attack.wire import Alert, ContentType, Version, flip

_Send = Callable[[Profile, Tamper, Lab], Reply]


def cases(scope: Scope) -> Iterator[Case]:
    """The Finished message and a request, changed in every way."""
    for profile in scope.profiles():
        for send in (_finished, _request):
            bad = partial(_bad, profile, send)
            for name, tamper in _every_byte(profile, send, scope):
                yield bad(name, tamper)
            for name, tamper in _lengths(profile, send):
                yield bad(name, tamper)
            if profile.suite.mac:
                for name, tamper in _macs(profile, scope):
                    yield bad(name, tamper)
            if profile.suite.block:
                for name, tamper in _paddings(profile, scope):
                    yield bad(name, tamper)
        if profile.suite.block and profile.version != Version.SSL3:
            block = profile.suite.block
            for more in scope.some(range(256 // block)):
                yield Case(
                    f"{profile}: a request with {more} more blocks of padding",
                    completes(),
                    partial(
                        _request, profile, Tamper(padding=partial(_more, block=block, more=more))
                    ),
                )


def _bad(profile: Profile, send: _Send, name: str, tamper: Tamper) -> Case:
    what = send.__doc__ or ""
    return Case(
        f"{profile}: {what} with {name}",
        fatal(Alert.BAD_RECORD_MAC),
        partial(send, profile, tamper),
        group=f"{profile} {what}",
    )


def _finished(profile: Profile, tamper: Tamper, lab: Lab) -> Reply:
    """Finished"""
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    client.finished(tamper)
    return client.complete()


def _request(profile: Profile, tamper: Tamper, lab: Lab) -> Reply:
    """request"""
    client = lab.client(profile)
    client.handshake()
    client.send(ContentType.APPLICATION_DATA, REQUEST, tamper)
    return client.reply()


def _every_byte(profile: Profile, send: _Send, scope: Scope) -> Iterator[tuple[str, Tamper]]:
    """Each byte of the record changed, in its lowest or in its highest bit."""
    for at in scope.some(range(_length(profile, send))):
        mask = 0x80 if at % 2 else 0x01
        yield f"byte {at} changed by {mask:#04x}", Tamper(fragment=partial(flip, at=at, mask=mask))


def _lengths(profile: Profile, send: _Send) -> Iterator[tuple[str, Tamper]]:
    """Records that are too short or too long."""
    length = _length(profile, send)
    for count in (1, 8, 15, 16, 17):
        yield f"{count} bytes cut off", Tamper(fragment=lambda right, n=count: right[:-n])
        yield f"{count} bytes added", Tamper(fragment=lambda right, n=count: right + bytes(n))
    for left in (1, 7, 8, 15, 16, 17, 32):
        if left < length:
            yield f"{left} bytes left", Tamper(fragment=lambda right, n=left: right[:n])


def _macs(profile: Profile, scope: Scope) -> Iterator[tuple[str, Tamper]]:
    length = profile.suite.mac_length
    for at in scope.some(range(length)):
        yield f"byte {at} of the MAC changed", Tamper(mac=partial(flip, at=at, mask=0x10))
    yield "a MAC of zeros", Tamper(mac=lambda mac: bytes(len(mac)))
    yield "no MAC", Tamper(mac=lambda _: b"")
    yield "half a MAC", Tamper(mac=lambda mac: mac[: len(mac) // 2])
    yield "the MAC twice", Tamper(mac=lambda mac: mac * 2)


def _paddings(profile: Profile, scope: Scope) -> Iterator[tuple[str, Tamper]]:
    """Padding lengths that cannot be, and padding bytes that are not the length."""
    block = profile.suite.block
    for count in scope.some((0x10, 0x20, 0x40, 0x7F, 0x80, 0xBF, 0xFE, 0xFF)):
        yield f"padding length {count:#04x}", Tamper(padding=partial(_count, count=count))
    if profile.version == Version.SSL3:
        return
    for more in scope.some(range(0, 256 // block - 1), 2):
        tamper = Tamper(padding=partial(_more, block=block, more=more), mac=partial(flip, at=0))
        yield f"{more} more blocks of padding and a wrong MAC", tamper
        for at in scope.some((0, 1, 2, 3), 2):
            tamper = Tamper(padding=partial(_wrong, block=block, more=more + 1, at=at))
            yield f"{more + 1} more blocks of padding, wrong at {at} quarters", tamper
    if not profile.encrypt_then_mac:
        for blocks in (1, 2, 3, 8, 256 // block):
            length = blocks * block
            padding = bytes([length - 1]) * length
            yield (
                f"nothing but {blocks} blocks of padding",
                Tamper(plaintext=lambda _, p=padding: p),
            )


def _count(padding: bytes, count: int) -> bytes:
    """The length byte alone is another one."""
    return padding[:-1] + bytes([count])


def _more(padding: bytes, block: int, more: int) -> bytes:
    """Good padding, longer by so many blocks."""
    length = len(padding) + more * block
    return bytes([length - 1]) * length


def _wrong(padding: bytes, block: int, more: int, at: int) -> bytes:
    """Long padding with a wrong byte: at its start, within it, or before the length byte."""
    long = _more(padding, block, more)
    return flip(long, at * (len(long) - 2) // 3)


def _length(profile: Profile, send: _Send) -> int:
    """Bytes of the fragment of an honest record."""
    suite = profile.suite
    finished = 4 + (36 if profile.version == Version.SSL3 else 12)
    payload = len(REQUEST) if send is _request else finished
    match suite.cipher:
        case "gcm":
            return 8 + payload + 16
        case "ccm8":
            return 8 + payload + 8
        case "rc4":
            return payload + suite.mac_length
    iv = suite.block if profile.version >= Version.TLS1_1 else 0
    padded = payload if profile.encrypt_then_mac else payload + suite.mac_length
    padded += suite.block - padded % suite.block
    return iv + padded + (suite.mac_length if profile.encrypt_then_mac else 0)
