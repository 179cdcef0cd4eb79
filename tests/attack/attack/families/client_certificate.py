"""Certificates of clients, and what stands for them without being one (RFC 5246 section 7.4.8).

The server asks for a certificate here. Who has none says so; who sends one must show that he has
the key too, in a CertificateVerify over all messages so far, between ClientKeyExchange and
ChangeCipherSpec.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.families.bleichenbacher import MALFORMED, Kind
from attack.reply import Reply, completes, fatal
from attack.signatures import certificate, private_key
from attack.suites import AES128_SHA, Profile
from attack.wire import Alert, ContentType, HandshakeType, Version, flip, message, vector

_CLIENT = "client-2048"
_OTHER = "other-2048"
_CURVE = "ec-p256"

_RSA_SHA256 = 0x0401
_RSA_SHA384 = 0x0501
_ECDSA_SHA256 = 0x0403

_UNEXPECTED = fatal(Alert.UNEXPECTED_MESSAGE)

_Signature = Callable[[Client], bytes]


def cases_of_request(scope: Scope) -> Iterator[Case]:
    """Conversations with a server that asks, and is content with none."""
    for profile in _profiles(scope):
        yield Case(f"{profile}: no certificate", completes(), partial(_without, profile))
        yield Case(f"{profile}: a certificate", completes(), partial(_with, profile, _signed))
        for run in (
            _no_message,
            _no_verify,
            _verify_without_certificate,
            _verify_first,
            _verify_twice,
            _certificate_twice,
        ):
            yield Case(f"{profile}: {run.__doc__}", _UNEXPECTED, partial(run, profile))
        yield from _signatures(profile, scope)
        yield from _on_a_curve(profile, scope)
        yield from _certificates(profile)
        for kind in scope.some(MALFORMED):
            yield Case(
                f"{profile}: a certificate, and {kind.name}",
                fatal(Alert.BAD_RECORD_MAC),
                partial(_malformed, profile, kind),
                group=f"{profile} malformed",
            )
        for size in (1, 7, 100):
            yield Case(
                f"{profile}: a certificate in records of {size} bytes",
                completes(),
                partial(_fragmented, profile, size),
            )


def cases_of_require(scope: Scope) -> Iterator[Case]:
    """Conversations with a server that goes on with a certificate only."""
    for profile in _profiles(scope):
        yield Case(
            # Section 7.4.6.
            f"{profile}: none, though it is required",
            fatal(Alert.HANDSHAKE_FAILURE),
            partial(_none_at_all, profile),
        )
        yield Case(
            f"{profile}: one, as it is required", completes(), partial(_with, profile, _signed)
        )
        yield Case(
            f"{profile}: none, in a session that has one", completes(), partial(_resumed, profile)
        )
        for run in (_no_message, _no_verify):
            yield Case(
                f"{profile}: {run.__doc__}, though it is required",
                _UNEXPECTED,
                partial(run, profile),
            )


def _profiles(scope: Scope) -> list[Profile]:
    """SSL 3.0 hashes its master secret into the signature, and is not asked."""
    return [profile for profile in scope.versions(AES128_SHA) if profile.version != Version.SSL3]


def _signatures(profile: Profile, scope: Scope) -> Iterator[Case]:
    wrong = dict(_WRONG)
    for at in scope.some(range(0, 256, 15)):
        wrong[f"byte {at} of the signature changed"] = partial(_flipped, at)
    if profile.version == Version.TLS1_2:
        wrong["another hash than it says"] = lambda client: _verify(
            client, _signature(client), scheme=_RSA_SHA384
        )
    for name, make in wrong.items():
        yield Case(
            f"{profile}: {name}",
            # Section 7.2.2: decrypt_error is for a signature that cannot be verified.
            fatal(Alert.DECRYPT_ERROR),
            partial(_with, profile, make),
            group=f"{profile} signature",
        )
    for name, make in _UNREADABLE.items():
        yield Case(
            f"{profile}: {name}",
            fatal(Alert.DECODE_ERROR),
            partial(_with, profile, make),
            group=f"{profile} unreadable signature",
        )
    if profile.version == Version.TLS1_2:
        for scheme in (0x0000, 0x0101, 0x0202, 0x0403, 0x0804, 0xFFFF):
            yield Case(
                # Section 7.4.8: it must be one that was asked for, and fit the key.
                f"{profile}: a signature of the scheme {scheme:#06x}",
                fatal(Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE, Alert.DECRYPT_ERROR),
                partial(_with, profile, partial(_of_scheme, scheme)),
            )


def _on_a_curve(profile: Profile, scope: Scope) -> Iterator[Case]:
    """A certificate with a key on a curve, which signs with ECDSA (RFC 8422 section 5.8)."""
    yield Case(
        f"{profile}: a certificate on a curve",
        completes(),
        partial(_with_curve, profile, _signed_on_curve),
    )
    wrong: dict[str, Callable[[bytes], bytes]] = {
        "a signature of no content": lambda _: b"",
        "a signature that is no sequence": lambda der: b"\x31" + der[1:],
        "a signature cut by a byte": lambda der: der[:-1],
        "a signature with a byte behind it": lambda der: der + b"\0",
        "a signature of zeros": lambda _: bytes.fromhex("3006020100020100"),
        "a signature of ones": lambda _: bytes.fromhex("3006020101020101"),
        "a signature of negative numbers": lambda _: bytes.fromhex("30060201ff0201ff"),
        "a signature of huge numbers": lambda _: b"\x30\x44" + (b"\x02\x20" + b"\x7f" * 32) * 2,
    }
    for at in scope.some(range(8, 64, 7)):
        wrong[f"byte {at} of the signature changed"] = partial(flip, at=at)
    for name, change in wrong.items():
        yield Case(
            f"{profile}: on a curve: {name}",
            fatal(Alert.DECRYPT_ERROR),
            partial(_with_curve, profile, partial(_changed, change)),
            group=f"{profile} signature on a curve",
        )
    if profile.version == Version.TLS1_2:
        for scheme in (_RSA_SHA256, _RSA_SHA384, 0x0603, 0x0807):
            yield Case(
                f"{profile}: on a curve: a signature of the scheme {scheme:#06x}",
                fatal(Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE, Alert.DECRYPT_ERROR),
                partial(_with_curve, profile, partial(_signed_on_curve, scheme=scheme)),
            )


def _with_curve(profile: Profile, verify: _Signature, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CERTIFICATE, _chain([certificate(_CURVE)]))
    client.key_exchange()
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, verify(client))
    client.finish()
    return client.complete()


def _curve_signature(client: Client) -> bytes:
    """Over all messages so far: with SHA-256 in TLS 1.2, before that with SHA-1."""
    name = "sha256" if client.profile.version == Version.TLS1_2 else "sha1"
    digest = hashlib.new(name, client.transcript).digest()
    return bytes(private_key(_CURVE).sign(bytearray(digest), padding=None, hashAlg=name))


def _signed_on_curve(client: Client, scheme: int = _ECDSA_SHA256) -> bytes:
    return _verify(client, _curve_signature(client), scheme=scheme)


def _changed(change: Callable[[bytes], bytes], client: Client) -> bytes:
    return _verify(client, change(_curve_signature(client)), scheme=_ECDSA_SHA256)


def _certificates(profile: Profile) -> Iterator[Case]:
    der = certificate(_CLIENT)
    for name, chain in {
        "a certificate of zeros": [bytes(700)],
        "half a certificate": [der[: len(der) // 2]],
        "a certificate with a byte too many": [der + b"\0"],
        "a certificate of one byte": [b"\x30"],
    }.items():
        yield Case(
            f"{profile}: {name}",
            fatal(Alert.BAD_CERTIFICATE, Alert.DECODE_ERROR, Alert.UNSUPPORTED_CERTIFICATE),
            partial(_odd_certificate, profile, _chain(chain)),
        )
    whole = _chain([der])
    for name, body in {
        "no list of certificates": b"",
        "a list longer than the message": whole[:-1],
        "a list shorter than the message": whole + b"\0",
        "an empty certificate": vector(vector(b"", 3), 3),
        "a certificate longer than its list": vector(b"\0\0\5abc", 3),
        "half of a length in the list": vector(b"\0\0", 3),
    }.items():
        yield Case(
            f"{profile}: {name}",
            fatal(Alert.DECODE_ERROR, Alert.BAD_CERTIFICATE),
            partial(_odd_certificate, profile, body),
            group=f"{profile} list of certificates",
        )


def _without(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CERTIFICATE, _chain([]))
    client.key_exchange()
    client.finish()
    return client.complete()


def _with(profile: Profile, verify: _Signature, lab: Lab) -> Reply:
    client = _after_certificate(profile, lab)
    client.key_exchange()
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, verify(client))
    client.finish()
    return client.complete()


def _malformed(profile: Profile, kind: Kind, lab: Lab) -> Reply:
    client = _after_certificate(profile, lab)
    block, premaster = kind.make(client)
    client.send_key_exchange(client.public_key.encrypt(block))
    client.derive(premaster)
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, _signed(client))
    client.finish()
    return client.complete()


def _fragmented(profile: Profile, size: int, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    chain = client.noted(HandshakeType.CERTIFICATE, _chain([certificate(_CLIENT)]))
    _in_pieces(client, chain, size)
    client.key_exchange()
    _in_pieces(client, client.noted(HandshakeType.CERTIFICATE_VERIFY, _signed(client)), size)
    client.finish()
    return client.complete()


def _in_pieces(client: Client, encoded: bytes, size: int) -> None:
    client.hold()
    for at in range(0, len(encoded), size):
        client.send(ContentType.HANDSHAKE, encoded[at : at + size])
    client.release()


def _resumed(profile: Profile, lab: Lab) -> Reply:
    first = _after_certificate(profile, lab)
    first.key_exchange()
    first.send_handshake(HandshakeType.CERTIFICATE_VERIFY, _signed(first))
    first.finish()
    first.read_until(lambda: first.server.finished)
    first.goodbye()
    client = lab.client(profile, session=first.session)
    client.handshake(resumes=True)
    return client.page()


def _none_at_all(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CERTIFICATE, _chain([]))
    return client.reply()


def _odd_certificate(profile: Profile, body: bytes, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CERTIFICATE, body)
    return client.reply()


def _no_message(profile: Profile, lab: Lab) -> Reply:
    """no Certificate message"""
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    return client.reply()


def _no_verify(profile: Profile, lab: Lab) -> Reply:
    """a certificate without CertificateVerify"""
    client = _after_certificate(profile, lab)
    client.key_exchange()
    client.change_cipher_spec()
    return client.reply()


def _verify_without_certificate(profile: Profile, lab: Lab) -> Reply:
    """CertificateVerify without a certificate"""
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CERTIFICATE, _chain([]))
    client.key_exchange()
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, _signed(client))
    return client.reply()


def _verify_first(profile: Profile, lab: Lab) -> Reply:
    """CertificateVerify before the ClientKeyExchange"""
    client = _after_certificate(profile, lab)
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, _signed(client))
    return client.reply()


def _verify_twice(profile: Profile, lab: Lab) -> Reply:
    """CertificateVerify twice"""
    client = _after_certificate(profile, lab)
    client.key_exchange()
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, _signed(client))
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, _signed(client))
    return client.reply()


def _certificate_twice(profile: Profile, lab: Lab) -> Reply:
    """Certificate twice"""
    client = _after_certificate(profile, lab)
    client.send(
        ContentType.HANDSHAKE, message(HandshakeType.CERTIFICATE, _chain([certificate(_CLIENT)]))
    )
    return client.reply()


def _after_certificate(profile: Profile, lab: Lab) -> Client:
    client = lab.client(profile)
    client.hello()
    client.send_handshake(HandshakeType.CERTIFICATE, _chain([certificate(_CLIENT)]))
    return client


def _chain(certificates: list[bytes]) -> bytes:
    """The body of a Certificate message (section 7.4.2)."""
    return vector(b"".join(vector(certificate, 3) for certificate in certificates), 3)


def _signature(client: Client, *, key: str = _CLIENT, messages: bytes | None = None) -> bytes:
    """Over all messages so far: with SHA-256 in TLS 1.2, before that with MD5 and SHA-1."""
    messages = client.transcript if messages is None else messages
    if client.profile.version == Version.TLS1_2:
        digest, name = hashlib.sha256(messages).digest(), "sha256"
    else:
        digest, name = hashlib.md5(messages).digest() + hashlib.sha1(messages).digest(), None
    return bytes(private_key(key).sign(bytearray(digest), padding="pkcs1", hashAlg=name))


def _verify(client: Client, signature: bytes, *, scheme: int = _RSA_SHA256) -> bytes:
    """The body of a CertificateVerify (section 7.4.8, and RFC 2246 section 7.4.8)."""
    encoded = vector(signature, 2)
    if client.profile.version == Version.TLS1_2:
        return scheme.to_bytes(2, "big") + encoded
    return encoded


def _signed(client: Client) -> bytes:
    return _verify(client, _signature(client))


def _flipped(at: int, client: Client) -> bytes:
    return _verify(client, flip(_signature(client), at))


def _of_scheme(scheme: int, client: Client) -> bytes:
    return _verify(client, _signature(client), scheme=scheme)


_WRONG: dict[str, _Signature] = {
    "a signature of another key": lambda client: _verify(client, _signature(client, key=_OTHER)),
    "a signature of zeros": lambda client: _verify(client, bytes(256)),
    "a signature of 255s": lambda client: _verify(client, b"\xff" * 256),
    "an empty signature": lambda client: _verify(client, b""),
    "a signature cut by a byte": lambda client: _verify(client, _signature(client)[:-1]),
    "a signature with a byte too many": lambda client: _verify(client, _signature(client) + b"\0"),
    "a signature of fewer messages": lambda client: _verify(
        client, _signature(client, messages=client.transcript[:-262])
    ),
    "a signature of another ClientHello": lambda client: _verify(
        client, _signature(client, messages=flip(client.transcript, 40))
    ),
    "a signature of nothing": lambda client: _verify(client, _signature(client, messages=b"")),
}

_UNREADABLE: dict[str, _Signature] = {
    "an empty CertificateVerify": lambda _: b"",
    "CertificateVerify cut by a byte": lambda client: _signed(client)[:-1],
    "CertificateVerify with a byte too many": lambda client: _signed(client) + b"\0",
}
