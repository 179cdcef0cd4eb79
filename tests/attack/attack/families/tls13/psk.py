"""Pre-shared keys: binders, places, modes and hashes (RFC 8446 sections 4.2.9 and 4.2.11)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import ILLEGAL, MISMATCH, MISSING, UNREADABLE
from attack.reply import Reply, completes, either, fatal
from attack.servers import SHARED_KEY
from attack.tls13.client import Client
from attack.tls13.peer import PSK_DHE_KE, PSK_KE, Hello
from attack.tls13.schedule import Psk
from attack.tls13.suites import AES128_GCM, AES256_GCM, CHACHA20, Suite
from attack.wire import Alert, Extension, HandshakeType, flip, message, vector

_KIND = Extension.PRE_SHARED_KEY
_Get = Callable[[Lab], Psk]
_NO_BINDER = fatal(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR, Alert.DECRYPT_ERROR)


def cases(scope: Scope) -> Iterator[Case]:
    """Keys of tickets."""
    for suite in (AES128_GCM, AES256_GCM):
        get = partial(_ticket, suite)
        yield from _binders(f"ticket of {suite.hash}", get, suite, scope)
    yield from _shapes("ticket", partial(_ticket, AES128_GCM))
    yield from _modes("ticket", partial(_ticket, AES128_GCM))
    yield from _hashes()
    yield from _several()
    yield from _retries("ticket", partial(_ticket, AES128_GCM))
    yield Case("ticket, as a key from outside", MISMATCH.by("4.2.11.2"), _as_external)


def cases_of_external(scope: Scope) -> Iterator[Case]:
    """The key that both have from outside."""
    get = _shared
    yield Case("external: taken", completes().by("2.2"), partial(_good, get, {}))
    yield from _binders("external", get, AES128_GCM, scope)
    yield from _shapes("external", get)
    yield from _modes("external", get)
    yield from _retries("external", get)
    yield Case(
        "external: as that of a ticket",
        MISMATCH.by("4.2.11.2"),
        partial(_sent, lambda _: replace(SHARED_KEY, external=False), lambda it: it),
    )
    yield Case(
        "external: another key",
        MISMATCH.by("4.2.11"),
        partial(_sent, lambda _: replace(SHARED_KEY, key=bytes(35)), lambda it: it),
        group="external binder",
    )
    yield Case(
        "external: an age",
        completes().by("4.2.11"),
        partial(_aged, 0x12345678),
    )
    unknown = either(completes(), fatal(Alert.UNKNOWN_PSK_IDENTITY)).by("4.2.11")
    for bit in scope.some(range(8 * len(SHARED_KEY.identity)), 4):
        identity = flip(SHARED_KEY.identity, bit // 8, 1 << bit % 8)
        yield Case(
            f"external: identity with bit {bit} changed",
            unknown,
            partial(_unknown, identity),
            group="external identity",
        )
    for name, identity in {
        "cut": SHARED_KEY.identity[:-1],
        "longer": SHARED_KEY.identity + b"\0",
        "of 60000 bytes": bytes(60000),
        "of one byte": b"s",
    }.items():
        yield Case(f"external: identity {name}", unknown, partial(_unknown, identity))
    yield Case(
        "external: only suites with SHA-384",
        completes().by("4.2.11"),
        partial(_not_taken, get, {"suites": [AES256_GCM.id]}),
    )


def _ticket(suite: Suite, lab: Lab) -> Psk:
    return lab.ticket(suites=[suite.id])


def _shared(_: Lab) -> Psk:
    return SHARED_KEY


def _binders(name: str, get: _Get, suite: Suite, scope: Scope) -> Iterator[Case]:
    length = suite.hash_length
    group = f"{name} binder"

    def wrong(words: str, change: Callable[[bytes], bytes]) -> Case:
        return Case(
            f"{name}: {words}",
            MISMATCH.by("4.2.11, 6.2"),
            partial(_sent, get, change),
            group=group,
        )

    for bit in scope.some(range(8 * length)):
        yield wrong(f"binder with bit {bit} changed", partial(_flipped, bit))
    yield wrong("binder of zeros", lambda it: bytes(len(it)))
    yield wrong("binder backwards", lambda it: it[::-1])
    for count in scope.some(sorted({0, 1, 16, 31, length - 1, length + 1, 64, 255}), 4):
        if count == length:
            continue
        yield Case(
            f"{name}: binder of {count} bytes",
            _NO_BINDER.by("4.2.11"),
            partial(_sent, get, lambda it, count=count: it.ljust(count, b"\0")[:count]),
        )
    for run in (_over_all, _over_nothing, _over_another_hello):
        yield Case(
            f"{name}: {run.__doc__}",
            MISMATCH.by("4.2.11.2"),
            partial(run, get),
            group=group,
        )
    yield Case(
        f"{name}: binder of another key",
        MISMATCH.by("4.2.11.2"),
        partial(_sent, lambda lab: replace(get(lab), key=bytes(length)), lambda it: it),
        group=group,
    )


def _shapes(name: str, get: _Get) -> Iterator[Case]:
    for words, change in {
        "first": lambda hello: hello.extensions.insert(0, hello.extensions.pop()),
        "last but one": lambda hello: hello.extensions.append((0xEEEE, b"")),
        "last but one, before padding": lambda hello: hello.extensions.append((21, bytes(9))),
    }.items():
        yield Case(
            f"{name}: {words} of the extensions", ILLEGAL.by("4.2.11"), partial(_moved, get, change)
        )
    for words, change, expected in (
        ("no binder", lambda ids, _: ids + b"\0\0", _NO_BINDER),
        ("two binders for a key", lambda ids, b: ids + vector(vector(b, 1) * 2, 2), _NO_BINDER),
        ("no identity", lambda _, b: b"\0\0" + vector(vector(b, 1), 2), _NO_BINDER),
        ("nothing", lambda *_: b"", UNREADABLE),
        ("identities only", lambda ids, _: ids, UNREADABLE),
        ("a byte behind it", lambda ids, b: ids + vector(vector(b, 1), 2) + b"\0", UNREADABLE),
        (
            "an identity of no bytes",
            lambda _, b: vector(bytes(6), 2) + vector(vector(b, 1), 2),
            _NO_BINDER,
        ),
        (
            "an identity without its age",
            lambda _, b: b"\0\3\0\1x" + vector(vector(b, 1), 2),
            UNREADABLE,
        ),
        ("longer identities than there are", lambda ids, _: b"\xff\xff" + ids[2:], UNREADABLE),
    ):
        yield Case(f"{name}: {words}", expected.by("4.2.11"), partial(_misshapen, get, change))
    yield Case(
        f"{name}: twice",
        fatal(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR).by("4.2"),
        partial(_moved, get, lambda hello: hello.extensions.append((_KIND, b""))),
    )


def _modes(name: str, get: _Get) -> Iterator[Case]:
    yield Case(
        f"{name}: without psk_key_exchange_modes",
        # The section has no alert of its own.
        fatal(Alert.MISSING_EXTENSION, Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE).by(
            "4.2.9"
        ),
        partial(_moved, get, lambda hello: hello.drop(Extension.PSK_KEY_EXCHANGE_MODES)),
    )
    for words, modes in {"psk_ke": [PSK_KE], "both": [PSK_KE, PSK_DHE_KE], "0x0a": [0x0A]}.items():
        yield Case(
            f"{name}: with the mode {words}" if len(modes) == 1 else f"{name}: with {words} modes",
            completes().by("4.2.9"),
            partial(_mode, get, modes),
        )
    yield Case(
        f"{name}: without key_share, psk_dhe_ke only",
        MISSING.by("9.2"),
        partial(_moved, get, lambda hello: hello.drop(Extension.KEY_SHARE)),
    )


def _hashes() -> Iterator[Case]:
    for suite, others in (
        (AES128_GCM, [AES256_GCM]),
        (AES256_GCM, [AES128_GCM]),
        (AES256_GCM, [AES128_GCM, CHACHA20]),
    ):
        words = " and ".join(map(str, others))
        yield Case(
            f"ticket of {suite}, with {words}",
            completes().by("4.2.11"),
            partial(_not_taken, partial(_ticket, suite), {"suites": [it.id for it in others]}),
        )
    yield Case(
        "ticket with its hash exchanged",
        fatal(Alert.DECRYPT_ERROR, Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR).by("4.2.11"),
        _other_hash,
    )
    for first, second in ((AES128_GCM, AES256_GCM), (AES256_GCM, AES128_GCM)):
        yield Case(
            # The client finds out if the suite has another hash than the key that is taken.
            f"ticket of {first}, with {second} before it",
            completes().by("4.2.11"),
            partial(_good, partial(_ticket, first), {"suites": [second.id, first.id]}),
        )


def _several() -> Iterator[Case]:
    for words, first, second, taken in (
        ("two good ones", True, True, (0, 1)),
        ("an unknown one first", False, True, (1,)),
        ("an unknown one second", True, False, (0,)),
        ("unknown ones only", False, False, ()),
    ):
        yield Case(f"{words}", completes().by("4.2.11"), partial(_two, first, second, taken))
    yield Case("two, the binders exchanged", MISMATCH.by("4.2.11.2"), partial(_binders_exchanged))
    yield Case("a hundred unknown ones", completes().by("4.2.11"), _hundred)


def _retries(name: str, get: _Get) -> Iterator[Case]:
    yield Case(f"{name}: after a retry", completes().by("4.1.4"), partial(_after_retry, get, False))
    yield Case(
        f"{name}: after a retry, the binder of the first hello",
        MISMATCH.by("4.1.2, 4.2.11.2"),
        partial(_after_retry, get, True),
    )


def _flipped(bit: int, binder: bytes) -> bytes:
    return flip(binder, bit // 8, 1 << bit % 8)


def _client(get: _Get, lab: Lab, **offer) -> Client:
    psk = get(lab)
    return lab.tls13(**({"suites": [psk.suite.id], "psks": [psk]} | offer))


def _good(get: _Get, offer: dict, lab: Lab) -> Reply:
    client = _client(get, lab, **offer)
    client.handshake(resumes=None if offer else True)
    return client.page()


def _sent(get: _Get, change: Callable[[bytes], bytes], lab: Lab) -> Reply:
    client = _client(get, lab)
    client.send_hello(change=lambda binders: [change(binders[0])])
    return client.reply()


def _raw(client: Client, binder: bytes) -> Reply:
    client.send_hello(change=lambda _: [binder])
    return client.reply()


def _over_all(get: _Get, lab: Lab) -> Reply:
    """binder over the whole hello"""
    client = _client(get, lab)
    hello = client.hello()
    whole = message(HandshakeType.CLIENT_HELLO, client.encode(hello))
    return _raw(client, client.offer.psks[0].binder(whole))


def _over_nothing(get: _Get, lab: Lab) -> Reply:
    """binder over nothing"""
    client = _client(get, lab)
    return _raw(client, client.offer.psks[0].binder(b""))


def _over_another_hello(get: _Get, lab: Lab) -> Reply:
    """binder of another hello"""
    client = _client(get, lab)
    other = client.hello()
    other.random = bytes(32)
    found = client.encode(other)[-client.offer.psks[0].suite.hash_length :]
    return _raw(client, found)


def _moved(get: _Get, change: Callable[[Hello], None], lab: Lab) -> Reply:
    client = _client(get, lab)
    hello = client.hello()
    change(hello)
    client.send_hello(hello)
    return client.reply()


def _misshapen(get: _Get, change: Callable[[bytes, bytes], bytes], lab: Lab) -> Reply:
    client = _client(get, lab)
    hello = client.hello()
    binder = client.encode(hello)[-client.offer.psks[0].suite.hash_length :]
    body = change(client.identities(), binder)
    hello.put(_KIND, body)
    client.sent = hello
    client.send_handshake(HandshakeType.CLIENT_HELLO, hello.body())
    return client.reply()


def _mode(get: _Get, modes: list[int], lab: Lab) -> Reply:
    client = _client(get, lab, modes=modes)
    client.to_flight()
    server = client.server
    shares = Extension.KEY_SHARE in server.hello.extensions
    if server.psk is not None:
        mode = PSK_DHE_KE if shares else PSK_KE
        client.require(mode in modes, "the server takes a mode that was not offered")
    return client.complete()


def _not_taken(get: _Get, offer: dict, lab: Lab) -> Reply:
    client = _client(get, lab, **offer)
    client.handshake(resumes=False)
    return client.page()


def _other_hash(lab: Lab) -> Reply:
    """The key is one of SHA-256; binder and suite are of SHA-384."""
    psk = replace(_ticket(AES128_GCM, lab), suite=AES256_GCM)
    client = lab.tls13(suites=[AES128_GCM.id, AES256_GCM.id], psks=[psk])
    client.send_hello()
    return client.reply()


def _unknown_key(lab: Lab, suite: Suite) -> Psk:
    return Psk(lab.rng.randbytes(200), lab.rng.randbytes(32), suite)


def _two(first: bool, second: bool, taken: tuple[int, ...], lab: Lab) -> Reply:
    suite = AES128_GCM
    psks = [_ticket(suite, lab) if good else _unknown_key(lab, suite) for good in (first, second)]
    client = lab.tls13(suites=[suite.id], psks=psks)
    client.to_flight()
    chosen = client.server.psk
    client.require(
        chosen in taken if taken else chosen is None, f"the server takes key {chosen} of {taken}"
    )
    return client.complete()


def _binders_exchanged(lab: Lab) -> Reply:
    psks = [_ticket(AES128_GCM, lab) for _ in range(2)]
    client = lab.tls13(suites=[AES128_GCM.id], psks=psks)
    client.send_hello(change=lambda binders: binders[::-1])
    return client.reply()


def _hundred(lab: Lab) -> Reply:
    psks = [_unknown_key(lab, AES128_GCM) for _ in range(100)]
    client = lab.tls13(suites=[AES128_GCM.id], psks=psks)
    client.handshake(resumes=False)
    return client.page()


def _after_retry(get: _Get, stale: bool, lab: Lab) -> Reply:
    client = _client(get, lab, shares=())
    client.send_hello()
    client.read_retry()
    if not stale:
        client.send_hello(client.second_hello())
        client.read_flight()
        client.expect_resumption(True)
        return client.complete()
    transcript, client.transcript = client.transcript, b""
    second = client.second_hello()
    body = client.encode(second)
    client.transcript = transcript
    client.send_handshake(HandshakeType.CLIENT_HELLO, body)
    return client.reply()


def _as_external(lab: Lab) -> Reply:
    return _sent(lambda lab: replace(_ticket(AES128_GCM, lab), external=True), lambda it: it, lab)


def _aged(age: int, lab: Lab) -> Reply:
    """It is ignored; binders are those of a key from outside all the same."""

    client = lab.tls13(suites=[AES128_GCM.id], psks=[SHARED_KEY])
    listed = vector(vector(SHARED_KEY.identity, 2) + age.to_bytes(4, "big"), 2)
    client.identities = lambda: listed
    client.handshake(resumes=True)
    return client.page()


def _unknown(identity: bytes, lab: Lab) -> Reply:
    psk = replace(SHARED_KEY, identity=identity)
    client = lab.tls13(suites=[AES128_GCM.id], psks=[psk])
    client.send_hello()
    if not client.read_until(lambda: client.server.finished):
        return client.reply()
    client.mark()
    client.expect_resumption(False)
    return client.complete()
