"""Client certificates: CertificateVerify over something else, with another key, context or scheme.

So RFC 8446 sections 4.4.2 and 4.4.3.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import MISMATCH, UNEXPECTED, UNREADABLE
from attack.reply import Reply, completes, either, fatal
from attack.tls13 import signing
from attack.tls13.client import Client
from attack.wire import Alert, HandshakeType, flip, vector

_CERTIFICATE = HandshakeType.CERTIFICATE
_VERIFY = HandshakeType.CERTIFICATE_VERIFY
_RSA, _OTHER, _CURVE = "client-2048", "other-2048", "ec-p256"

_BAD = fatal(
    Alert.BAD_CERTIFICATE,
    Alert.UNSUPPORTED_CERTIFICATE,
    Alert.CERTIFICATE_UNKNOWN,
    Alert.DECODE_ERROR,
    Alert.ILLEGAL_PARAMETER,
)
_SCHEME = fatal(Alert.ILLEGAL_PARAMETER)
_CONTEXT = fatal(Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR)
"""The section has no alert for a context that is not that of the request."""
_Send = Callable[[Client, str], None]


def cases_of_request(scope: Scope) -> Iterator[Case]:
    """With a server that asks, and takes clients without one."""
    yield Case("none", completes().by("4.4.2.4"), partial(_met, _empty, ""))
    yield from _cases(scope)


def cases_of_require(scope: Scope) -> Iterator[Case]:
    """With a server that takes no client without one."""
    yield Case(
        "required: none",
        fatal(Alert.CERTIFICATE_REQUIRED).by("4.4.2.4"),
        partial(_met, _empty, ""),
    )
    for key in (_RSA, _CURVE):
        yield Case(f"required: {key}", completes(), partial(_met, _honest, key))
    yield Case(
        "required: Certificate left out", UNEXPECTED.by("4.4.4"), partial(_met, _nothing, _RSA)
    )
    yield Case("required: none, after a session without one", completes(), partial(_resumed, _RSA))
    del scope


def cases_unasked(scope: Scope) -> Iterator[Case]:
    """With a server that does not ask."""
    del scope
    yield Case("unasked", UNEXPECTED.by("4.4.2"), partial(_met, _honest_always, _RSA))
    yield Case("unasked, none", UNEXPECTED.by("4.4.2"), partial(_met, _empty_always, ""))


def _cases(scope: Scope) -> Iterator[Case]:
    for key in (_RSA, _CURVE):
        yield Case(f"{key}: good", completes(), partial(_met, _honest, key))
        bits = 8 * (256 if key == _RSA else 70)
        for bit in scope.some(range(0, bits, 1 if key == _CURVE else 8), 5):
            yield _wrong(
                key,
                f"bit {bit} of the signature changed",
                lambda client, key, bit=bit: _signed(
                    client, key, lambda: _flipped(client, key, bit)
                ),
                grouped=key == _RSA,
            )
        for name, content in spoiled(signing.SERVER).items():
            yield _wrong(
                key,
                name,
                lambda client, key, content=content: _signed(
                    client, key, lambda: client.signature(key, **content)
                ),
            )
        for name, change in _TRANSCRIPTS.items():
            yield _wrong(
                key,
                name,
                lambda client, key, change=change: _signed(
                    client, key, lambda: client.signature(key, transcript=change(client))
                ),
            )
        for name, signature in {
            "a signature of no bytes": b"",
            "a signature of one byte": b"\0",
            "a signature of zeros": bytes(256),
            "a signature of 255s": b"\xff" * 256,
            "a signature of 60000 bytes": bytes(60000),
        }.items():
            yield Case(
                f"{key}: {name}",
                fatal(Alert.DECRYPT_ERROR, Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER).by("4.4.3"),
                partial(
                    _met,
                    lambda client, key, signature=signature: _signed(
                        client, key, lambda: _scheme(key) + vector(signature, 2)
                    ),
                    key,
                ),
            )
        for scheme in _NEVER[key]:
            yield Case(
                f"{key}: scheme {scheme:#06x}",
                _SCHEME.by("4.4.3"),
                partial(
                    _met,
                    lambda client, key, scheme=scheme: _signed(
                        client, key, lambda: client.signature(key, scheme=scheme)
                    ),
                    key,
                ),
                group=f"{key} scheme",
            )
        yield Case(
            f"{key}: CertificateVerify left out", UNEXPECTED.by("4.4.2"), partial(_met, _alone, key)
        )
        yield Case(
            f"{key}: CertificateVerify twice", UNEXPECTED.by("4.4.3"), partial(_met, _twice, key)
        )
        yield Case(f"{key}: Certificate twice", UNEXPECTED.by("4.4.2"), partial(_met, _two, key))
        yield Case(
            f"{key}: CertificateVerify without a certificate",
            UNEXPECTED.by("4.4.3"),
            partial(_met, _unfounded, key),
        )
        yield Case(
            f"{key}: CertificateVerify first", UNEXPECTED.by("4.4.2"), partial(_met, _first, key)
        )
        for name, change in {
            "a byte behind it": lambda body: body + b"\0",
            "a byte less": lambda body: body[:-1],
            "the scheme only": lambda body: body[:2],
            "nothing": lambda _: b"",
            "half a scheme": lambda body: body[:1],
        }.items():
            yield Case(
                f"{key}: CertificateVerify with {name}",
                UNREADABLE.by("4.4.3"),
                partial(
                    _met,
                    lambda client, key, change=change: _signed(
                        client, key, lambda: change(client.signature(key))
                    ),
                    key,
                ),
            )
    yield from _pss()
    yield from _keys_of_others()
    yield from _certificates()


def _wrong(key: str, name: str, send: _Send, *, grouped: bool = True) -> Case:
    # A signature of ECDSA has a shape that can be read before it is verified.
    return Case(
        f"{key}: {name}",
        (MISMATCH if grouped else fatal(Alert.DECRYPT_ERROR, Alert.DECODE_ERROR)).by("4.4.3, 6.2"),
        partial(_met, send, key),
        group=f"{key} signature" if grouped else "",
    )


def spoiled(of_other_side: bytes) -> dict[str, dict]:
    """What a signature may cover that is not what it must cover (section 4.4.3)."""
    return {
        "the context of the other side": {"context": of_other_side},
        "no context": {"context": b""},
        "a context that is cut": {"context": of_other_side[:-1]},
        "no spaces": {"spaces": 0},
        "63 spaces": {"spaces": 63},
        "65 spaces": {"spaces": 65},
        "another separator": {"separator": b"\1"},
        "no separator": {"separator": b""},
    }


_TRANSCRIPTS: dict[str, Callable[[Client], bytes]] = {
    "of no messages": lambda _: b"",
    "of another ClientHello": lambda client: flip(client.transcript, 40),
    "without the client's Certificate": lambda client: client.before,
    "of one byte more": lambda client: client.transcript + b"\0",
}
_NEVER = {
    _RSA: (0x0401, 0x0501, 0x0601, 0x0201, 0x0403, 0x0807, 0x0000, 0xFFFF),
    _CURVE: (0x0203, 0x0503, 0x0603, 0x0804, 0x0401, 0x0807, 0x0000, 0xFFFF),
}
"""PKCS #1 and SHA-1 are for certificates only; the others are of another key."""


def _pss() -> Iterator[Case]:
    for name, scheme in {"SHA-384": 0x0805, "SHA-512": 0x0806}.items():
        yield Case(
            f"{_RSA}: PSS with {name}",
            either(completes(), _SCHEME).by("4.2.3"),
            partial(
                _met,
                lambda client, key, scheme=scheme: _signed(
                    client, key, lambda: client.signature(key, scheme=scheme)
                ),
                _RSA,
            ),
        )
    for name, scheme, named in (
        ("PKCS #1 that says PSS", 0x0401, 0x0804),
        ("SHA-384 that says SHA-256", 0x0805, 0x0804),
        ("SHA-256 that says SHA-512", 0x0804, 0x0806),
    ):
        yield _wrong(
            _RSA,
            name,
            lambda client, key, scheme=scheme, named=named: _signed(
                client,
                key,
                lambda: named.to_bytes(2, "big") + client.signature(key, scheme=scheme)[2:],
            ),
        )


def _keys_of_others() -> Iterator[Case]:
    for shown, signer in ((_RSA, _OTHER), (_OTHER, _RSA)):
        yield Case(
            f"{shown}: signed with the key of {signer}",
            MISMATCH.by("4.4.3"),
            partial(
                _met,
                lambda client, key, signer=signer: _signed(
                    client, key, lambda: client.signature(signer)
                ),
                shown,
            ),
        )
    yield Case(
        f"{_RSA}: the server's signature",
        fatal(Alert.DECRYPT_ERROR, Alert.ILLEGAL_PARAMETER).by("4.4.3"),
        partial(
            _met,
            lambda client, key: _signed(client, key, lambda: client.server.messages[_VERIFY]),
            _RSA,
        ),
    )


def _certificates() -> Iterator[Case]:
    leaf = signing.certificate(_RSA)
    entry = vector(leaf, 3) + b"\0\0"
    for name, body, expected in (
        ("another context", b"\1x" + vector(entry, 3), _CONTEXT),
        ("a byte behind it", b"\0" + vector(entry, 3) + b"\0", UNREADABLE),
        ("no list", b"\0", UNREADABLE),
        ("nothing", b"", UNREADABLE),
        ("a list longer than the message", b"\0\xff\xff\xff" + entry, UNREADABLE),
        ("no extensions", b"\0" + vector(vector(leaf, 3), 3), UNREADABLE),
        (
            "an empty certificate",
            b"\0" + vector(bytes(5), 3),
            fatal(Alert.DECODE_ERROR, Alert.BAD_CERTIFICATE, Alert.ILLEGAL_PARAMETER),
        ),
        ("a certificate of zeros", b"\0" + vector(vector(bytes(500), 3) + b"\0\0", 3), _BAD),
        ("half a certificate", b"\0" + vector(vector(leaf[:300], 3) + b"\0\0", 3), _BAD),
        (
            "an extension that nobody asked for",
            b"\0" + vector(vector(leaf, 3) + vector(b"\0\x05\0\0", 2), 3),
            fatal(Alert.UNSUPPORTED_EXTENSION, Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR),
        ),
        (
            "extensions longer than their entry",
            b"\0" + vector(vector(leaf, 3) + b"\0\5\0\5\0\0", 3),
            UNREADABLE,
        ),
    ):
        yield Case(
            f"Certificate with {name}",
            expected.by("4.4.2"),
            partial(
                _met, lambda client, _, body=body: client.send_handshake(_CERTIFICATE, body), _RSA
            ),
        )


def _met(send: _Send, key: str, lab: Lab) -> Reply:
    """Sends what is due before Finished, then Finished, and a request if all of it is taken."""
    client = lab.tls13(certificate=key)
    client.to_flight()
    client.protect()
    client.before = client.transcript
    client.hold()
    send(client, key)
    client.finished()
    client.release()
    return client.page_if_taken()


def _scheme(key: str) -> bytes:
    return signing.usual_scheme(key).to_bytes(2, "big")


def _flipped(client: Client, key: str, bit: int) -> bytes:
    body = client.signature(key)
    return flip(body, 4 + bit // 8 % (len(body) - 4), 1 << bit % 8)


def _certificate(client: Client, key: str) -> None:
    client.send_handshake(_CERTIFICATE, client.certificate_body([key]))


def _signed(client: Client, key: str, make: Callable[[], bytes]) -> None:
    """The signature is made when Certificate is in the transcript."""
    _certificate(client, key)
    client.send_handshake(_VERIFY, make())


def _honest(client: Client, key: str) -> None:
    client.require(client.server.asks, "the server does not ask for a certificate")
    _honest_always(client, key)


def _honest_always(client: Client, key: str) -> None:
    _certificate(client, key)
    client.send_handshake(_VERIFY, client.signature(key))


def _empty(client: Client, _: str) -> None:
    client.require(client.server.asks, "the server does not ask for a certificate")
    _empty_always(client, _)


def _empty_always(client: Client, _: str) -> None:
    client.send_handshake(_CERTIFICATE, client.certificate_body([]))


def _nothing(_: Client, __: str) -> None:
    pass


def _alone(client: Client, key: str) -> None:
    _certificate(client, key)


def _twice(client: Client, key: str) -> None:
    _honest_always(client, key)
    client.send_handshake(_VERIFY, client.signature(key))


def _two(client: Client, key: str) -> None:
    _certificate(client, key)
    _certificate(client, key)


def _unfounded(client: Client, key: str) -> None:
    _empty_always(client, key)
    client.send_handshake(_VERIFY, client.signature(key))


def _first(client: Client, key: str) -> None:
    client.send_handshake(_VERIFY, client.signature(key))


def _resumed(key: str, lab: Lab) -> Reply:
    """Whoever resumes has shown one before."""
    psk = lab.ticket(certificate=key)
    client = lab.tls13(psks=[psk], suites=[psk.suite.id], certificate=key)
    client.handshake()
    return client.page()
