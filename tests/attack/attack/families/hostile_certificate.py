"""Servers with certificates that are none, that are somebody else's, or too many."""

from collections.abc import Iterator, Sequence
from functools import partial

from attack.case import Case, Scope
from attack.clients import ClientLab
from attack.families.hostile_hello import GOOD, PROFILES, TLS12, honest
from attack.hostile import Hostile, Plan
from attack.reply import Expectation, Reply, fails, refuses
from attack.signatures import certificate
from attack.suites import (
    AES128_GCM,
    DHE_RSA_AES128_GCM,
    ECDHE_ECDSA_AES128_GCM,
    ECDHE_RSA_AES128_GCM,
    Profile,
)
from attack.wire import Alert, ContentType, HandshakeType, Version, flip, vector

_UNREADABLE = refuses(Alert.DECODE_ERROR)
_BAD = refuses(Alert.BAD_CERTIFICATE)
_UNTRUSTED = refuses(Alert.UNKNOWN_CA, Alert.BAD_CERTIFICATE)
_ALTERED = refuses(
    Alert.BAD_CERTIFICATE,
    Alert.UNSUPPORTED_CERTIFICATE,
    Alert.CERTIFICATE_UNKNOWN,
    Alert.UNKNOWN_CA,
    Alert.ILLEGAL_PARAMETER,
    Alert.DECODE_ERROR,
    Alert.DECRYPT_ERROR,
)

_OTHER = "other-2048"


def cases(scope: Scope) -> Iterator[Case]:
    """Whose they are, what kind they are, what they look like, and how many they are."""
    yield from _of_others()
    yield from _of_another_kind()
    yield from _altered(scope)
    yield from _chains()


def _of_others() -> Iterator[Case]:
    for profile in PROFILES:
        plan, other = Plan(profile), ("--server-name", "other.test")
        if profile.suite.signer == "RSA":
            yield Case(
                f"{profile}: one that is not trusted",
                _UNTRUSTED,
                partial(_shows, plan, [certificate(_OTHER)]),
            )
            yield Case(
                # It is trusted here, but the server has not the key. What the client says then is
                # under keys that the server has not either.
                f"{profile}: one for another key",
                refuses(Alert.DECRYPT_ERROR) if profile.suite.ephemeral else fails(),
                partial(_without_key, plan),
            )
        yield Case(
            f"{profile}: one for another name",
            refuses(Alert.BAD_CERTIFICATE, Alert.CERTIFICATE_UNKNOWN),
            partial(_shows, plan, None, options=other),
        )
        yield Case(
            f"{profile}: one for another name, to a client that does not mind",
            GOOD,
            partial(honest, plan, options=(*other, "--insecure")),
        )


def _of_another_kind() -> Iterator[Case]:
    for suite, key in (
        (ECDHE_RSA_AES128_GCM, "ec-p256"),
        (DHE_RSA_AES128_GCM, "ec-p256"),
        (AES128_GCM, "ec-p256"),
        (ECDHE_ECDSA_AES128_GCM, "server-2048"),
    ):
        for options in ((), ("--insecure",)):
            profile = Profile(Version.TLS1_2, suite)
            words = "not verified" if options else "trusted"
            yield Case(
                f"{profile}: a key of another kind, {words}",
                refuses(Alert.ILLEGAL_PARAMETER),
                partial(_shows, Plan(profile, key=key), None, options=options),
            )


def _altered(scope: Scope) -> Iterator[Case]:
    for key in ("server-2048", "ec-p256"):
        suite = ECDHE_RSA_AES128_GCM if key == "server-2048" else ECDHE_ECDSA_AES128_GCM
        plan = Plan(Profile(Version.TLS1_2, suite))
        der = certificate(key)
        for at in scope.some(range(0, len(der), 6), 8):
            yield Case(
                f"{key}: byte {at} changed",
                _ALTERED,
                partial(_shows, plan, [flip(der, at, 1 << at % 8)]),
            )
        for length in scope.some(range(1, len(der), 25), 4):
            made = partial(_shows, plan, [der[:length]])
            yield Case(f"{key}: its first {length} bytes", _BAD, made)
    plan = Plan(TLS12)
    for name, der in {
        "zeros": bytes(700),
        "255s": b"\xff" * 700,
        "one byte": b"\x30",
        "an empty sequence": b"\x30\0",
        "a sequence of a length of 4 GiB": b"\x30\x84\xff\xff\xff\xff",
        "a thousand sequences in one another": _nested(1000),
        "a byte behind it": certificate("server-2048") + b"\0",
        "text": b"-----BEGIN CERTIFICATE-----\n",
    }.items():
        for options in ((), ("--insecure",)):
            words = "not verified" if options else "verified"
            yield Case(f"{name}, {words}", _BAD, partial(_shows, plan, [der], options=options))


def _nested(depth: int) -> bytes:
    der = b""
    for _ in range(depth):
        length = len(der)
        size = bytes([length]) if length < 0x80 else b"\x82" + length.to_bytes(2, "big")
        der = b"\x30" + size + der
    return der


def _chains() -> Iterator[Case]:
    plan, der = Plan(TLS12), certificate("server-2048")
    for count in (1, 2, 31):
        yield Case(
            f"{count} certificates of others behind its own",
            GOOD,
            partial(_whole, plan, [der, *[certificate(_OTHER)] * count]),
        )
    for name, chain, expected in (
        ("itself twice", [der, der], GOOD),
        ("garbage behind its own", [der, bytes(100)], either_good_or(_ALTERED)),
    ):
        yield Case(name, expected, partial(_whole, plan, chain))
    yield Case(
        "somebody else's before its own",
        _UNTRUSTED,
        partial(_shows, plan, [certificate(_OTHER), der]),
    )
    for count in (32, 33, 100, 140):
        yield Case(
            f"{count} certificates too many",
            _BAD,
            partial(_shows, plan, [der, *[certificate(_OTHER)] * count]),
        )
    for count in (33, 1000, 30000):
        yield Case(
            f"{count} certificates of one byte",
            _BAD,
            partial(_shows, plan, [der, *[b"\x30"] * (count - 1)]),
        )
    for length in ((1 << 17) + 1, 1 << 20, (1 << 24) - 1):
        yield Case(
            f"a chain of {length} bytes",
            _UNREADABLE,
            partial(_announced, plan, length),
        )
    whole = vector(vector(der, 3), 3)
    for name, body in {
        "no list": b"",
        "an empty list": bytes(3),
        "a list longer than the message": whole[:-1],
        "a list shorter than the message": whole + b"\0",
        "an empty certificate": vector(vector(b"", 3), 3),
        "a certificate longer than its list": vector(b"\0\0\5abc", 3),
        "half of a length in the list": vector(vector(der, 3) + b"\0\0", 3),
        "a list of a length of 16 MiB": b"\xff\xff\xff" + whole[3:],
    }.items():
        yield Case(
            name,
            refuses(Alert.DECODE_ERROR, Alert.BAD_CERTIFICATE),
            partial(_body, plan, body),
        )


def either_good_or(other: Expectation) -> Expectation:
    """Either it does not matter, or it is refused."""
    return Expectation(
        f"({GOOD.text}) or ({other.text})",
        lambda reply: GOOD.accepts(reply) or other.accepts(reply),
    )


def _shows(
    plan: Plan, chain: Sequence[bytes] | None, lab: ClientLab, options: tuple[str, ...] = ()
) -> Reply:
    """The whole flight with this chain."""

    def script(server: Hostile) -> None:
        server.read_hello()
        server.hello()
        server.certificate(chain)
        if server.profile.suite.ephemeral:
            server.key_exchange()
        server.hello_done()

    return lab.meet(plan, script, options=options)


def _whole(plan: Plan, chain: Sequence[bytes], lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        server.hello()
        server.certificate(chain)
        server.key_exchange()
        server.hello_done()
        server.read_flight()
        server.finish()
        server.answer()
        server.goodbye()

    return lab.meet(plan, script)


def _without_key(plan: Plan, lab: ClientLab) -> Reply:
    """The certificate is the right one; the server signs, or goes on, with what it has."""

    def script(server: Hostile) -> None:
        server.read_hello()
        server.hello()
        server.certificate()
        if server.profile.suite.ephemeral:
            parameters = server.parameters()
            signed = server.client_random + server.server_random + parameters
            server.key_exchange(parameters, signature=server.sign(signed, key=_OTHER))
            server.hello_done()
            return
        server.hello_done()
        server.read_until(lambda: bool(server.client.premaster))
        server.mark()
        server.use(server.rng.randbytes(48))
        server.finish()

    return lab.meet(plan, script)


def _announced(plan: Plan, length: int, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        server.hello()
        header = bytes([HandshakeType.CERTIFICATE]) + length.to_bytes(3, "big")
        server.send(ContentType.HANDSHAKE, header + (length - 3).to_bytes(3, "big"))

    return lab.meet(plan, script)


def _body(plan: Plan, body: bytes, lab: ClientLab) -> Reply:
    def script(server: Hostile) -> None:
        server.read_hello()
        server.hello()
        server.send_handshake(HandshakeType.CERTIFICATE, body)

    return lab.meet(plan, script)
