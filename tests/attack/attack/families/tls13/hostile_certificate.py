"""Servers of TLS 1.3 whose CertificateVerify is over something else, or with another key.

So RFC 8446 sections 4.4.2 and 4.4.3.
"""

from collections.abc import Callable, Iterator

from attack.case import Case, Scope
from attack.families.tls13.client_certificate import spoiled
from attack.families.tls13.hostile import (
    GOOD,
    ILLEGAL,
    MISMATCH,
    UNEXPECTED,
    UNREADABLE,
    case,
    on,
)
from attack.reply import refuses
from attack.tls13 import signing
from attack.tls13.hostile import Hostile, Plan
from attack.tls13.peer import encoded
from attack.wire import Alert, HandshakeType, flip, vector

_VERIFY = HandshakeType.CERTIFICATE_VERIFY
_RSA, _OTHER, _CURVE = "server-2048", "other-2048", "ec-p256"
_BAD = refuses(
    Alert.BAD_CERTIFICATE,
    Alert.UNSUPPORTED_CERTIFICATE,
    Alert.CERTIFICATE_UNKNOWN,
    Alert.UNKNOWN_CA,
    Alert.ILLEGAL_PARAMETER,
    Alert.DECODE_ERROR,
)
_UNTRUSTED = refuses(Alert.UNKNOWN_CA, Alert.BAD_CERTIFICATE)
_NEVER = {
    _RSA: (0x0401, 0x0501, 0x0601, 0x0201, 0x0403, 0x0807, 0x0000, 0xFFFF),
    _CURVE: (0x0203, 0x0503, 0x0603, 0x0804, 0x0401, 0x0807, 0x0000, 0xFFFF),
}


def cases(scope: Scope) -> Iterator[Case]:
    """The signature, then whose certificate it is, and what it looks like."""
    for key in (_RSA, _CURVE):
        plan = Plan(key)
        for name, content in spoiled(signing.CLIENT).items():
            yield _wrong(plan, name, lambda server, content=content: _signed(server, **content))
        for name, change in {
            "of no messages": lambda _: b"",
            "of another ClientHello": lambda it: flip(it, 40),
            "of one byte more": lambda it: it + b"\0",
            "of the last message left out": lambda it: it[:-10],
        }.items():
            yield _wrong(
                plan,
                name,
                lambda server, change=change: _sent(
                    server, lambda: server.signature(transcript=change(server.transcript))
                ),
            )
        bits = range(8 * 256) if key == _RSA else range(8 * 70)
        for bit in scope.some(bits[:: 8 if key == _RSA else 4], 4):
            expected = MISMATCH if key == _RSA else refuses(Alert.DECRYPT_ERROR, Alert.DECODE_ERROR)
            yield case(
                f"{key}: bit {bit} of the signature changed",
                expected.by("4.4.3"),
                lambda server, bit=bit: _changed(server, bit),
                group=f"{key} signature" if key == _RSA else "",
                plan=plan,
            )
        for name, signature in {
            "no bytes": b"",
            "one byte": b"\0",
            "zeros": bytes(256),
            "60000 bytes": bytes(60000),
        }.items():
            yield case(
                f"{key}: a signature of {name}",
                refuses(Alert.DECRYPT_ERROR, Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER).by(
                    "4.4.3"
                ),
                lambda server, signature=signature: _sent(
                    server, lambda: server.signature()[:2] + vector(signature, 2)
                ),
                plan=plan,
            )
        for scheme in scope.some(_NEVER[key], 3):
            yield case(
                f"{key}: scheme {scheme:#06x}",
                ILLEGAL.by("4.4.3"),
                lambda server, scheme=scheme: _sent(
                    server, lambda: server.signature(scheme=scheme)
                ),
                group=f"{key} scheme",
                plan=plan,
            )
        for name, change in {
            "a byte behind it": lambda body: body + b"\0",
            "a byte less": lambda body: body[:-1],
            "the scheme only": lambda body: body[:2],
            "nothing": lambda _: b"",
        }.items():
            yield case(
                f"{key}: CertificateVerify with {name}",
                UNREADABLE.by("4.4.3"),
                lambda server, change=change: _sent(server, lambda: change(server.signature())),
                plan=plan,
            )
    for scheme, named in ((0x0401, 0x0804), (0x0805, 0x0804), (0x0804, 0x0806)):
        yield _wrong(
            Plan(_RSA),
            f"a signature of {scheme:#06x} that says {named:#06x}",
            lambda server, scheme=scheme, named=named: _sent(
                server, lambda: named.to_bytes(2, "big") + server.signature(scheme=scheme)[2:]
            ),
        )
    yield case(
        f"{_RSA}: signed with another key",
        MISMATCH.by("4.4.3"),
        lambda server: _sent(server, lambda: server.signature(key=_OTHER)),
        plan=Plan(_RSA),
    )
    yield from _of_others()
    yield from _messages()


def _of_others() -> Iterator[Case]:
    plan = Plan(_RSA)
    yield case(
        "one that is not trusted",
        _UNTRUSTED,
        lambda server: _shown(server, [signing.certificate(_OTHER)], _OTHER),
        plan=plan,
    )
    yield case(
        "one that is not trusted, to a client that does not mind",
        GOOD,
        lambda server: (_shown(server, [signing.certificate(_OTHER)], _OTHER), _end(server)),
        plan=plan,
        options=("--insecure",),
    )
    yield case(
        "one that is not trusted, to a client that does not mind, signed with another key",
        MISMATCH.by("4.4.3"),
        lambda server: _shown(server, [signing.certificate(_OTHER)], _RSA),
        plan=plan,
        options=("--insecure",),
    )
    yield case(
        "one for another name",
        refuses(Alert.BAD_CERTIFICATE, Alert.CERTIFICATE_UNKNOWN),
        lambda server: _shown(server, None, _RSA),
        plan=plan,
        options=("--server-name", "other.test"),
    )


def _messages() -> Iterator[Case]:
    leaf = signing.certificate(_RSA)
    entry = vector(leaf, 3) + b"\0\0"
    for name, body, expected in (
        ("no certificate", bytes(4), refuses(Alert.DECODE_ERROR)),
        (
            "a context",
            b"\1x" + vector(entry, 3),
            refuses(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR),
        ),
        ("a byte behind it", b"\0" + vector(entry, 3) + b"\0", UNREADABLE),
        ("no list", b"\0", UNREADABLE),
        ("nothing", b"", UNREADABLE),
        ("a list longer than the message", b"\0\xff\xff\xff" + entry, UNREADABLE),
        ("no extensions", b"\0" + vector(vector(leaf, 3), 3), UNREADABLE),
        ("an empty certificate", b"\0" + vector(bytes(5), 3), _BAD),
        ("a certificate of zeros", b"\0" + vector(vector(bytes(500), 3) + b"\0\0", 3), _BAD),
        ("half a certificate", b"\0" + vector(vector(leaf[:300], 3) + b"\0\0", 3), _BAD),
        (
            "an extension that nobody asked for",
            b"\0" + vector(vector(leaf, 3) + encoded([(18, b"\0\0")]), 3),
            refuses(Alert.UNSUPPORTED_EXTENSION, Alert.ILLEGAL_PARAMETER),
        ),
        (
            "an unknown extension",
            b"\0" + vector(vector(leaf, 3) + encoded([(0xEEEE, b"")]), 3),
            refuses(Alert.UNSUPPORTED_EXTENSION, Alert.ILLEGAL_PARAMETER),
        ),
        (
            "extensions longer than their entry",
            b"\0" + vector(vector(leaf, 3) + b"\0\5\0\5\0\0", 3),
            UNREADABLE,
        ),
        ("a chain of a thousand", b"\0" + vector(entry * 1000, 3), _BAD),
    ):
        yield case(
            f"Certificate with {name}",
            expected.by("4.4.2"),
            lambda server, body=body: _certificate(server, body),
            plan=Plan(_RSA),
        )
    for name, body, expected in (
        (
            "without signature_algorithms",
            b"\0\0\0",
            refuses(Alert.MISSING_EXTENSION, Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
        ),
        (
            "with a context",
            b"\1x" + encoded([(13, b"\0\2\4\3")]),
            refuses(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR),
        ),
        ("with no schemes", b"\0" + encoded([(13, b"\0\0")]), UNREADABLE),
        ("cut", b"\0\0", UNREADABLE),
        (
            "with signature_algorithms twice",
            b"\0" + encoded([(13, b"\0\2\4\3")] * 2),
            refuses(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR),
        ),
    ):
        yield case(
            f"CertificateRequest {name}",
            expected.by("4.3.2"),
            lambda server, body=body: (
                server.greet(),
                server.encrypted_extensions(),
                server.certificate_request(body),
            ),
        )
    yield case(
        "CertificateRequest with an unknown extension",
        GOOD.by("4.3.2"),
        lambda server: (
            server.greet(),
            server.encrypted_extensions(),
            server.certificate_request(b"\0" + encoded([(13, b"\0\2\4\3"), (0xEEEE, b"x")])),
            server.certificate(),
            server.certificate_verify(),
            _end(server),
        ),
    )
    yield case(
        "CertificateVerify twice",
        UNEXPECTED.by("4.4.3"),
        lambda server: (_signed(server), server.certificate_verify()),
    )


def _wrong(plan: Plan, name: str, script) -> Case:
    return case(
        f"{plan.key}: {name}",
        MISMATCH.by("4.4.3"),
        script,
        group=f"{plan.key} signature",
        plan=plan,
    )


def _to_signature(server: Hostile) -> None:
    server.greet()
    server.encrypted_extensions()
    server.certificate()


def _signed(server: Hostile, **content) -> None:
    _to_signature(server)
    server.certificate_verify(**content)


def _sent(server: Hostile, make: Callable[[], bytes]) -> None:
    """The body is made when Certificate is in the transcript."""
    _to_signature(server)
    server.certificate_verify(make())


def _changed(server: Hostile, bit: int) -> None:
    _to_signature(server)
    body = server.signature()
    server.certificate_verify(flip(body, 4 + bit // 8 % (len(body) - 4), 1 << bit % 8))


def _shown(server: Hostile, chain: list[bytes] | None, signer: str) -> None:
    server.greet()
    server.hold()
    server.encrypted_extensions()
    server.certificate(chain)
    server.certificate_verify(key=signer)
    server.release()


def _certificate(server: Hostile, body: bytes) -> None:
    server.greet()
    server.hold()
    server.encrypted_extensions()
    server.send_handshake(HandshakeType.CERTIFICATE, body)
    server.certificate_verify()
    server.release()


def _end(server: Hostile) -> None:
    server.finished()
    on(server)
