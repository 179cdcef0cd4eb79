"""Servers whose key exchange is weak, forged, or in a group that was never offered.

The signature is looked at first, and everything here but the signatures themselves is well signed:
the attacker has the key of the certificate.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.families.client_signatures import ECDSA_FORGERIES
from attack.families.hostile_hello import GOOD, TLS12, honest
from attack.families.key_agreement import WRONG_SHARES
from attack.groups import CURVES, FFDHE2048, FIELDS, P256, P384, P521, X25519, Field, Group
from attack.hostile import Hostile, Plan
from attack.reply import (
    Expectation,
    Reply,
    either,
    fails,
    refuses,
    refuses_behind_its_share,
)
from attack.suites import (
    AES128_GCM,
    DHE_RSA_AES128_GCM,
    DHE_RSA_AES128_SHA,
    ECDHE_ECDSA_AES128_GCM,
    ECDHE_RSA_AES128_SHA,
    Profile,
)
from attack.wire import Alert, HandshakeType, Version, flip, vector

_ILLEGAL = refuses(Alert.ILLEGAL_PARAMETER)
_NOT_OF_GROUP = refuses_behind_its_share(Alert.ILLEGAL_PARAMETER)
_UNREADABLE = refuses(Alert.DECODE_ERROR)
_FORGED = refuses(Alert.DECRYPT_ERROR)
_WEAK = refuses(Alert.INSUFFICIENT_SECURITY)

_ECDSA = Profile(Version.TLS1_2, ECDHE_ECDSA_AES128_GCM)
_DHE = Profile(Version.TLS1_2, DHE_RSA_AES128_GCM)
_DHE_OF_TLS10 = Profile(Version.TLS1_0, DHE_RSA_AES128_SHA)
_TLS10 = Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA)


def cases(scope: Scope) -> Iterator[Case]:
    """Signatures, groups, keys, and every cut."""
    for profile in (TLS12, _ECDSA) if scope.smoke else (TLS12, _ECDSA, _DHE, _TLS10):
        yield from _signatures(profile, scope)
        yield from _shapes(profile, scope)
    yield from _schemes()
    yield from _curves(scope)
    yield from _fields(scope)


def _signatures(profile: Profile, scope: Scope) -> Iterator[Case]:
    plan = Plan(profile)

    def case(name: str, forge: Callable[[Hostile, bytes], bytes]) -> Case:
        return Case(f"{profile}: {name}", _FORGED, partial(_forged, plan, forge))

    def changed(change: Callable[[bytes], bytes]) -> Callable[[Hostile, bytes], bytes]:
        return lambda server, signed: change(server.sign(signed))

    size = 70 if profile.suite.signer == "ECDSA" else 256
    for at in scope.some(range(0, size, 1 if size == 70 else 4), 4):
        yield case(
            f"byte {at} of the signature changed",
            changed(lambda good, at=at: flip(good, at % len(good), 1 << at % 8)),
        )
    yield case("a signature of zeros", changed(lambda good: bytes(len(good))))
    yield case("no signature", changed(lambda _: b""))
    yield case("its last byte missing", changed(lambda good: good[:-1]))
    yield case("a byte behind the signature", changed(lambda good: good + b"\0"))
    yield case("random bytes", lambda server, _: server.rng.randbytes(size))
    if profile.suite.signer == "RSA":
        yield case("by another key", lambda server, it: server.sign(it, key="other-2048"))
    else:
        for name, change in scope.some(ECDSA_FORGERIES.items(), 8):
            forged = f"forged: {name}"
            yield case(forged, lambda server, it, change=change: change(*_numbers(server.sign(it))))
    for name, other in {
        "the randoms swapped": lambda it: it[32:64] + it[:32] + it[64:],
        "another client random": lambda it: bytes(32) + it[32:],
        "another server random": lambda it: it[:32] + bytes(32) + it[64:],
        "no randoms": lambda it: it[64:],
        "other parameters": lambda it: flip(it, -1),
        "no parameters": lambda it: it[:64],
        "nothing": lambda _: b"",
    }.items():
        yield case(f"signed: {name}", lambda server, it, other=other: server.sign(other(it)))
    yield Case(
        f"{profile}: the ServerKeyExchange of another connection",
        _FORGED,
        partial(_replayed, plan),
    )


def _numbers(der: bytes) -> tuple[int, int]:
    length = der[3]
    return int.from_bytes(der[4 : 4 + length], "big"), int.from_bytes(der[6 + length :], "big")


def _forged(plan: Plan, forge: Callable[[Hostile, bytes], bytes], lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        parameters = server.parameters()
        signed = server.client_random + server.server_random + parameters
        server.key_exchange(parameters, signature=forge(server, signed))
        server.hello_done()

    return lab.meet(plan, script)


def _replayed(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        parameters = server.parameters()
        old = bytes(32) + server.server_random + parameters
        server.key_exchange(parameters, signature=server.sign(old))
        server.hello_done()

    return lab.meet(plan, script)


def _to_key_exchange(server: Hostile) -> None:
    server.read_hello()
    server.hello()
    server.certificate()


def _schemes() -> Iterator[Case]:
    """TLS 1.2 names the scheme: it must have been offered, and fit the key."""
    never = (0x0000, 0x0101, 0x0102, 0x0202, 0x0301, 0x0303, 0x0402, 0x0807, 0x0808, 0x0809, 0xFFFF)
    for profile, other in ((TLS12, (0x0403, 0x0503)), (_ECDSA, (0x0401, 0x0804, 0x0201))):
        for scheme in (*never, *other):
            words = "for another kind of key" if scheme in other else "never offered"
            yield Case(
                f"{profile}: the scheme {scheme:#06x}, {words}",
                _ILLEGAL,
                partial(_said, Plan(profile), scheme),
                group=f"{profile} scheme",
            )
    for made, said in ((0x0401, 0x0501), (0x0501, 0x0401), (0x0401, 0x0804), (0x0804, 0x0401)):
        yield Case(
            f"{TLS12}: the scheme {made:#06x} called {said:#06x}",
            _FORGED,
            partial(_said, Plan(TLS12), said, made),
        )


def _said(plan: Plan, said: int, made: int, lab: ClientLab | None = None) -> Reply:
    if lab is None:
        made, lab = 0, made

    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        parameters = server.parameters()
        signed = server.client_random + server.server_random + parameters
        server.key_exchange(parameters, signature=server.sign(signed, scheme=made), scheme=said)
        server.hello_done()

    return lab.meet(plan, script)


def _curves(scope: Scope) -> Iterator[Case]:
    for group in (X25519, P256, P384, P521):
        for profile in (TLS12, _TLS10):
            plan = Plan(profile, group=group)
            yield Case(f"{profile}: {group.name}", GOOD, partial(honest, plan))
        for name, share in scope.some(WRONG_SHARES[type(group)](group, scope), 12):
            if not 0 < len(share) < 256:
                continue
            yield Case(
                f"{TLS12}: {group.name}: {name}",
                _NOT_OF_GROUP,
                partial(_parameters, Plan(TLS12, group=group), group, share),
            )
    for group in CURVES:
        if group.number not in (29, 23, 24, 25):
            yield Case(
                f"{TLS12}: {group.name}, never offered",
                _ILLEGAL,
                partial(_parameters, Plan(TLS12), group, None),
                group="curve never offered",
            )
    for number in (0, 1, 9, 19, 21, 30, 256, 257, 0x1A1A, 0xFF01, 0xFF02, 0xFFFF):
        group = replace(P256, number=number)
        yield Case(
            f"{TLS12}: the curve {number}, never offered",
            _ILLEGAL,
            partial(_parameters, Plan(TLS12), group, None),
            group="curve never offered",
        )
    for group in (P256, P384):
        yield Case(
            f"{TLS12}: {group.name}, when only x25519 is offered",
            _ILLEGAL,
            partial(_parameters, Plan(TLS12), group, None, options=("--groups", "x25519")),
            group="curve never offered",
        )
    for kind, words in ((0, "no kind"), (1, "an explicit prime"), (2, "an explicit field of 2^n")):
        yield Case(
            f"{TLS12}: a curve of {words}",
            _UNREADABLE,
            partial(_raw, Plan(TLS12), bytes([kind]) + _explicit() if kind else b"\0\0\x17"),
        )
    for name, share in {"empty": b"", "255 bytes": b"\4" * 255}.items():
        expected = _UNREADABLE if not share else _ILLEGAL
        yield Case(
            f"{TLS12}: a point of {name}",
            expected,
            partial(_parameters, Plan(TLS12), P256, share),
        )


def _explicit() -> bytes:
    """A curve by its numbers (RFC 4492 section 5.4), with a base point that the server chose
    (CVE-2020-0601)."""
    curve = P256.curve.curve
    numbers = [int(curve.p()), int(curve.a()) % int(curve.p()), int(curve.b())]
    encoded = [vector(number.to_bytes(32, "big"), 1) for number in numbers]
    order = vector(int(P256.curve.order).to_bytes(32, "big"), 1)
    point = vector(P256.share, 1)
    return b"".join(encoded) + point + order + b"\1\1" + point


def _field(prime: int, generator: int = 2) -> Field:
    return Field(0, "", generator, prime)


def _prime(bits: int) -> int:
    """A number of so many bits that looks like a prime, and is odd."""
    return (1 << bits) - 1


def _fields(scope: Scope) -> Iterator[Case]:
    for profile in (_DHE,) if scope.smoke else (_DHE, _DHE_OF_TLS10):
        yield Case(f"{profile}: ffdhe2048", GOOD, partial(honest, Plan(profile)))
        yield from _of_field(profile, scope)


def _of_field(profile: Profile, scope: Scope) -> Iterator[Case]:
    plan = Plan(profile)
    prime = FFDHE2048.prime

    def case(name: str, expected: Expectation, group: Group, share: bytes | None = None) -> Case:
        shared = b"\2" if share is None else share
        return Case(f"{profile}: {name}", expected, partial(_parameters, plan, group, shared))

    # Logjam; what is no prime is not looked at before its length.
    for bits in (1, 2, 8, 64, 160, 256, 511, 512, 513, 768, 1000, 1023):
        weak = either(_WEAK, _ILLEGAL) if bits < 64 else _WEAK
        yield case(f"a prime of {bits} bits", weak, _field(_prime(bits) | 1))
    yield case("the prime of 512 bits that Apache had", _WEAK, _field(_APACHE_512))
    for name, group in {
        "p even": _field(prime - 1),
        "p = 2^2048": _field(1 << 2048),
        "g = 0": _field(prime, 0),
        "g = 1": _field(prime, 1),
        "g = p - 1": _field(prime, prime - 1),
        "g = p": _field(prime, prime),
        "g = p + 1": _field(prime, prime + 1),
        "g longer than p": _field(prime, prime << 64),
    }.items():
        yield case(name, _ILLEGAL, group)
    for name, share in WRONG_SHARES[Field](FFDHE2048, scope):
        if len(share) <= 1024:
            yield case(f"share: {name}", _ILLEGAL, FFDHE2048, share)
    for bits in (8193, 16384, 65536):
        long = either(_UNREADABLE, _ILLEGAL)
        yield case(f"a prime of {bits} bits", long, _field((1 << bits) - 1))
    for name, body in {
        "p = 0": vector(b"\0", 2) + vector(b"\2", 2) + vector(b"\4", 2),
        "p empty": bytes(2) + vector(b"\2", 2) + vector(b"\4", 2),
        "g empty": vector(prime.to_bytes(256, "big"), 2) + bytes(2) + vector(b"\4", 2),
        "share empty": vector(prime.to_bytes(256, "big"), 2) + vector(b"\2", 2) + bytes(2),
    }.items():
        expected = _ILLEGAL if name == "p = 0" else _UNREADABLE
        yield Case(f"{profile}: {name}", expected, partial(_raw, plan, body))
    for field in FIELDS[:2]:
        yield Case(
            f"{profile}: {field.name}, the generator as share",
            fails(),
            partial(_generator, plan, field),
        )


_APACHE_512 = int(
    "9fdb8b8a004544f0045f1737d0ba2e0b274cdf1a9f588218fb435316a16e3741"
    "71fd19d8d8f37c39bf863fd60e3e300680a3030c6e4c3757d08f70e6aa871033",
    16,
)


def _parameters(
    plan: Plan,
    group: Group,
    share: bytes | None,
    lab: ClientLab,
    options: tuple[str, ...] = (),
) -> Reply:
    """Well signed, whatever they are."""

    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        server.key_exchange(server.parameters(group, share))
        server.hello_done()

    return lab.meet(plan, script, options=options)


def _generator(plan: Plan, field: Field, lab: ClientLab) -> Reply:
    """Allowed, if foolish: the server goes on with other keys."""

    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        server.key_exchange(server.parameters(field, b"\2"))
        server.hello_done()
        server.read_until(lambda: bool(server.client.premaster))
        server.mark()
        server.use(bytes(48))
        server.finish()

    return lab.meet(plan, script)


def _raw(plan: Plan, parameters: bytes, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        server.key_exchange(parameters)
        server.hello_done()

    return lab.meet(plan, script)


def _shapes(profile: Profile, scope: Scope) -> Iterator[Case]:
    for part in scope.some(range(40), 5):
        yield Case(
            f"{profile}: {part} of 40 parts of a ServerKeyExchange",
            _UNREADABLE,
            partial(_cut, Plan(profile), part),
            group=f"{profile} cut ServerKeyExchange",
        )
    yield Case(
        f"{profile}: a byte behind a ServerKeyExchange",
        _UNREADABLE,
        partial(_shaped, Plan(profile), lambda body: body + b"\0"),
    )
    yield Case(
        f"{profile}: a ServerKeyExchange of 16 MiB",
        _UNREADABLE,
        partial(_announced, Plan(profile)),
    )
    if profile == TLS12:
        rsa = Plan(Profile(Version.TLS1_2, AES128_GCM))
        yield Case(
            f"{rsa.profile}: a ServerKeyExchange for RSA key exchange",
            refuses(Alert.UNEXPECTED_MESSAGE),
            partial(_parameters, rsa, P256, None),
        )


def _cut(plan: Plan, part: int, lab: ClientLab) -> Reply:
    return _shaped(plan, lambda body: body[: part * len(body) // 40], lab)


def _shaped(plan: Plan, change: Callable[[bytes], bytes], lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        body = change(server.key_exchange_body())
        server.send_handshake(HandshakeType.SERVER_KEY_EXCHANGE, body)

    return lab.meet(plan, script)


def _announced(plan: Plan, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        _to_key_exchange(server)
        header = bytes([HandshakeType.SERVER_KEY_EXCHANGE]) + b"\xff\xff\xff"
        server.send(22, header + bytes(100))

    return lab.meet(plan, script)
