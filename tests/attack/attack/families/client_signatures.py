"""Signatures of clients that prove nothing: of other schemes, forged, in odd encodings.

The server asks for a certificate, and takes RSA and ECDSA keys. In TLS 1.2 the signature names its
scheme, which must be one that was asked for and fit the key (RFC 5246 section 7.4.8).
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial

from ecdsa import NIST256p

from attack import signatures
from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.reply import Reply, completes, either, fatal
from attack.signatures import certificate, private_key
from attack.suites import AES128_SHA, DHE_RSA_AES128_SHA, ECDHE_RSA_AES128_SHA, Profile
from attack.wire import Alert, HandshakeType, Version, flip, vector

_RSA = "client-2048"
_OTHER = "other-2048"
_CURVE = "ec-p256"
_ORDER = int(NIST256p.order)

_WRONG = fatal(Alert.DECRYPT_ERROR)
_NOT_ASKED_FOR = fatal(Alert.ILLEGAL_PARAMETER)
_UNREADABLE = fatal(Alert.DECODE_ERROR)

_Make = Callable[[Client], bytes]
"""The body of a CertificateVerify."""


def cases(scope: Scope) -> Iterator[Case]:
    """RSA and ECDSA keys, with each kind of key exchange."""
    for suite in (ECDHE_RSA_AES128_SHA, DHE_RSA_AES128_SHA, AES128_SHA):
        for profile in scope.versions(suite):
            if profile.version == Version.SSL3:
                continue
            yield from _of_rsa(profile, scope)
            yield from _of_curve(profile, scope)
            if profile.version == Version.TLS1_2:
                yield from _schemes(profile)


def _of_rsa(profile: Profile, scope: Scope) -> Iterator[Case]:
    yield _case(profile, _RSA, "RSA: a good signature", _good(_RSA), completes())
    group = f"{profile} RSA signature"
    for at in scope.some(range(256), 4):
        yield _case(profile, _RSA, f"RSA: byte {at} changed", _changed(_RSA, at), _WRONG, group)
    for name, forge in _PADDINGS.items():
        made = partial(_padded, forge)
        yield _case(profile, _RSA, f"RSA: padded with {name}", made, _WRONG, group)
    for name, change in {
        "zeros": lambda good: bytes(len(good)),
        "1": lambda good: bytes(len(good) - 1) + b"\1",
        "255s": lambda good: b"\xff" * len(good),
        "the modulus": lambda _: int(private_key(_RSA).n).to_bytes(256, "big"),
        "the modulus less 1": lambda _: (int(private_key(_RSA).n) - 1).to_bytes(256, "big"),
        "itself plus the modulus": lambda good: (
            int.from_bytes(good, "big") + int(private_key(_RSA).n)
        ).to_bytes(257, "big"),
        "nothing": lambda _: b"",
        "its last byte missing": lambda good: good[:-1],
        "a byte behind it": lambda good: good + b"\0",
        "a zero before it": lambda good: b"\0" + good,
        "itself twice": lambda good: good * 2,
    }.items():
        made = partial(_made_of, _RSA, change)
        yield _case(profile, _RSA, f"RSA: {name}", made, _WRONG, group)
    for name, made in _of_others(_RSA, _OTHER):
        yield _case(profile, _RSA, f"RSA: {name}", made, _WRONG, group)
    yield from _shapes(profile, _RSA)


def _of_curve(profile: Profile, scope: Scope) -> Iterator[Case]:
    yield _case(profile, _CURVE, "ECDSA: a good signature", _good(_CURVE), completes())
    # r and n - s are a signature too.
    yield _case(
        profile,
        _CURVE,
        "ECDSA: s negated",
        partial(_numbers, lambda r, s: _der(r, _ORDER - s)),
        completes(),
    )
    group = f"{profile} ECDSA signature"
    for name, change in ECDSA_FORGERIES.items():
        made = partial(_numbers, change)
        yield _case(profile, _CURVE, f"ECDSA: {name}", made, _WRONG, group)
    for at in scope.some(range(70), 4):
        made = _changed(_CURVE, at)
        yield _case(profile, _CURVE, f"ECDSA: byte {at} changed", made, _WRONG, group)
    for name, made in _of_others(_CURVE, None):
        yield _case(profile, _CURVE, f"ECDSA: {name}", made, _WRONG, group)
    yield from _shapes(profile, _CURVE)


def _schemes(profile: Profile) -> Iterator[Case]:
    """What a signature of TLS 1.2 says that it is."""
    good = {
        _RSA: (0x0401, 0x0501, 0x0601, 0x0201),
        _CURVE: (0x0403, 0x0503, 0x0603, 0x0203),
    }
    never = (0x0000, 0x0101, 0x0202, 0x0301, 0x0303, 0x0402, 0x0804, 0x0805, 0x0806, 0x0807, 0x0809)
    for key, schemes in good.items():
        others = next(it for name, it in good.items() if name != key)
        for scheme in schemes:
            yield _case(
                profile,
                key,
                f"{key}: the scheme {scheme:#06x}",
                _good(key, scheme),
                # Not every library signs with SHA-1, or has ECDSA of a longer hash than the curve.
                either(completes(), _NOT_ASKED_FOR),
            )
            for said in schemes:
                if said != scheme:
                    yield _case(
                        profile,
                        key,
                        f"{key}: the scheme {scheme:#06x} called {said:#06x}",
                        partial(_said, key, scheme, said),
                        either(_WRONG, _NOT_ASKED_FOR),
                    )
        for said in (*others, *never, 0x0400, 0x0404, 0x0703, 0xFFFF):
            yield _case(
                profile,
                key,
                f"{key}: called {said:#06x}",
                partial(_said, key, schemes[0], said),
                _NOT_ASKED_FOR,
                f"{profile} {key} scheme",
            )
    yield _case(
        profile,
        _RSA,
        "RSA: PSS, which was not asked for",
        _good(_RSA, signatures.PSS_SHA256),
        _NOT_ASKED_FOR,
    )
    yield _case(
        profile,
        _RSA,
        "RSA: PSS that calls itself PKCS #1",
        partial(_said, _RSA, signatures.PSS_SHA256, signatures.RSA_SHA256),
        _WRONG,
    )


def _shapes(profile: Profile, key: str) -> Iterator[Case]:
    kind = "RSA" if key == _RSA else "ECDSA"
    for name, change in {
        "no content": lambda _: b"",
        "one byte": lambda body: body[:1],
        "last byte of the message missing": lambda body: body[:-1],
        "a byte behind the signature": lambda body: body + b"\0",
        "without the signature": lambda body: body[: 4 if profile.version == 0x0303 else 2],
    }.items():
        made = partial(_shaped, key, change)
        yield _case(
            profile,
            key,
            f"{kind}, the message: {name}",
            made,
            _UNREADABLE,
            f"{profile} {kind} shape",
        )


def _of_others(key: str, other: str | None) -> Iterator[tuple[str, _Make]]:
    """Signatures that are good for something else."""
    if other is not None:
        yield "by another key", partial(_signed, other, lambda client: client.transcript)
    yield "of nothing", partial(_signed, key, lambda _: b"")
    yield "without the last message", partial(_signed, key, _without_last)
    yield "without the ClientHello", partial(_signed, key, _without_first)
    yield (
        "of the randoms",
        partial(_signed, key, lambda client: client.client_random + client.server_random),
    )
    yield "of the messages twice", partial(_signed, key, lambda client: client.transcript * 2)


def _case(profile: Profile, key: str, name: str, make: _Make, expected, group: str = "") -> Case:
    return Case(f"{profile}: {name}", expected, partial(_run, profile, key, make), group)


def _run(profile: Profile, key: str, make: _Make, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.require(client.server.asks, "the server does not ask for a certificate")
    client.send_handshake(HandshakeType.CERTIFICATE, vector(vector(certificate(key), 3), 3))
    client.key_exchange()
    client.send_handshake(HandshakeType.CERTIFICATE_VERIFY, make(client))
    client.finish()
    return client.complete()


def _scheme(key: str) -> int:
    return signatures.RSA_SHA256 if key != _CURVE else signatures.ECDSA_SHA256


def _signature(client: Client, key: str, signed: bytes, scheme: int = 0) -> bytes:
    scheme = scheme or _scheme(key)
    return signatures.sign(private_key(key), client.profile.version, scheme, signed)


def _body(client: Client, scheme: int, signature: bytes) -> bytes:
    named = scheme.to_bytes(2, "big") if client.profile.version == Version.TLS1_2 else b""
    return named + vector(signature, 2)


def _good(key: str, scheme: int = 0) -> _Make:
    return partial(_said, key, scheme or _scheme(key), scheme or _scheme(key))


def _said(key: str, scheme: int, said: int, client: Client) -> bytes:
    return _body(client, said, _signature(client, key, client.transcript, scheme))


def _changed(key: str, at: int) -> _Make:
    # The last bytes of a signature of ECDSA may be fewer.
    def change(good: bytes) -> bytes:
        return flip(good, at % len(good), 1 << at % 8)

    return partial(_made_of, key, change)


def _made_of(key: str, change: Callable[[bytes], bytes], client: Client) -> bytes:
    return _body(client, _scheme(key), change(_signature(client, key, client.transcript)))


def _signed(key: str, what: Callable[[Client], bytes], client: Client) -> bytes:
    return _body(client, _scheme(key), _signature(client, key, what(client)))


def _shaped(key: str, change: Callable[[bytes], bytes], client: Client) -> bytes:
    return change(_said(key, _scheme(key), _scheme(key), client))


def _without_last(client: Client) -> bytes:
    messages = _messages(client)
    return b"".join(messages[:-1])


def _without_first(client: Client) -> bytes:
    return b"".join(_messages(client)[1:])


def _messages(client: Client) -> list[bytes]:
    rest, found = client.transcript, []
    while rest:
        end = 4 + int.from_bytes(rest[1:4], "big")
        found.append(rest[:end])
        rest = rest[end:]
    return found


# RSA: what may stand in a block with the right hash, and is not PKCS #1.

_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_SHA256_WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201 0420")
_SHA512_INFO = bytes.fromhex("3051300d060960864801650304020305000440")


def _padded(forge: Callable[[bytes, bytes], bytes], client: Client) -> bytes:
    """A signature of a block that was made by hand."""
    key = private_key(_RSA)
    messages = client.transcript
    if client.profile.version == Version.TLS1_2:
        info, digest = _SHA256_INFO, hashlib.sha256(messages).digest()
    else:
        info, digest = b"", hashlib.md5(messages).digest() + hashlib.sha1(messages).digest()
    block = forge(info, digest).rjust(256, b"\0")
    block = (int.from_bytes(block, "big") % int(key.n)).to_bytes(256, "big")
    return _body(client, signatures.RSA_SHA256, bytes(key._raw_private_key_op_bytes(block)))


def _block(content: bytes, kind: int = 1, fill: bytes = b"\xff", count: int | None = None) -> bytes:
    count = 256 - 3 - len(content) if count is None else count
    return bytes([0, kind]) + fill * count + b"\0" + content


_PADDINGS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "nothing": lambda info, digest: info + digest,
    "block type 0": lambda info, digest: _block(info + digest, kind=0),
    "block type 2": lambda info, digest: _block(info + digest, kind=2),
    "the first byte 1": lambda info, digest: b"\1" + _block(info + digest)[1:],
    "0xfe": lambda info, digest: _block(info + digest, fill=b"\xfe"),
    "zeros": lambda info, digest: _block(info + digest, fill=b"\0"),
    "one byte that is not 0xff": lambda info, digest: flip(_block(info + digest), 100),
    "no zero behind it": lambda info, digest: flip(_block(info + digest), -len(info + digest) - 1),
    # Bleichenbacher 2006: garbage behind the hash, with an exponent of 3.
    "8 bytes, and garbage behind the hash": lambda info, digest: _block(
        info + digest, count=8
    ).ljust(256, b"\x77"),
    "8 bytes, and zeros behind the hash": lambda info, digest: _block(info + digest, count=8).ljust(
        256, b"\0"
    ),
    "8 bytes only": lambda info, digest: _block(info + digest, count=8),
    "no bytes": lambda info, digest: _block(info + digest, count=0),
    "a byte less": lambda info, digest: _block(info + digest, count=250 - len(info + digest)),
    "a hash that is cut": lambda info, digest: _block(info + digest[:-1]),
    "a hash and a byte behind it": lambda info, digest: _block(info + digest + b"\0"),
    "another hash in the same form": lambda info, digest: _block(info + flip(digest, 0)),
    "the name of SHA-512": lambda _, digest: _block(_SHA512_INFO + digest),
    "a name without NULL": lambda _, digest: _block(_SHA256_WITHOUT_NULL + digest),
    "a name with its length in two bytes": lambda _, digest: _block(
        b"\x30\x81\x31" + _SHA256_INFO[2:] + digest
    ),
    "a name with a byte in its NULL": lambda _, digest: _block(
        bytes.fromhex("3032300e06096086480165030402010501000420") + digest
    ),
    "no name, and a byte behind the hash": lambda _, digest: _block(digest + b"\0"),
    "a hash of zeros": lambda info, digest: _block(info + bytes(len(digest))),
}


# ECDSA: two numbers between 0 and the order, in DER.


def _number(value: int) -> bytes:
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    return b"\2" + bytes([len(encoded)]) + encoded


def _sequence(content: bytes) -> bytes:
    return b"\x30" + bytes([len(content)]) + content


def _der(r: int, s: int) -> bytes:
    return _sequence(_number(r) + _number(s))


def _numbers(change: Callable[[int, int], bytes], client: Client) -> bytes:
    """A good signature with its numbers taken apart."""
    good = _signature(client, _CURVE, client.transcript)
    length = good[3]
    r = int.from_bytes(good[4 : 4 + length], "big")
    s = int.from_bytes(good[6 + length :], "big")
    return _body(client, signatures.ECDSA_SHA256, change(r, s))


ECDSA_FORGERIES: dict[str, Callable[[int, int], bytes]] = {
    "r = 0": lambda _, s: _der(0, s),
    "s = 0": lambda r, _: _der(r, 0),
    "r = 0, s = 0": lambda *_: _der(0, 0),
    "r = 0, s = 1": lambda *_: _der(0, 1),
    "r = 1, s = 0": lambda *_: _der(1, 0),
    "r = 1, s = 1": lambda *_: _der(1, 1),
    "r = n": lambda _, s: _der(_ORDER, s),
    "s = n": lambda r, _: _der(r, _ORDER),
    "r = n, s = n": lambda *_: _der(_ORDER, _ORDER),
    "r = n - 1, s = 1": lambda *_: _der(_ORDER - 1, 1),
    "r = n + 1": lambda _, s: _der(_ORDER + 1, s),
    "r plus n": lambda r, s: _der(r + _ORDER, s),
    "s plus n": lambda r, s: _der(r, s + _ORDER),
    "r and s plus n": lambda r, s: _der(r + _ORDER, s + _ORDER),
    "r negated modulo n": lambda r, s: _der(_ORDER - r, s),
    "r and s swapped": lambda r, s: _der(s, r),
    "r less 2^256": lambda r, s: _der(r - (1 << 256), s),
    "s less 2^256": lambda r, s: _der(r, s - (1 << 256)),
    "r = -1": lambda _, s: _der(-1, s),
    "r = p": lambda _, s: _der(int(NIST256p.curve.p()), s),
    "huge numbers": lambda *_: b"\x30\x81\x86" + (b"\2\x41" + b"\x7f" * 65) * 2,
    "no content": lambda *_: b"",
    "an empty sequence": lambda *_: b"\x30\0",
    "one number": lambda r, _: _sequence(_number(r)),
    "three numbers": lambda r, s: _sequence(_number(r) + _number(s) + _number(1)),
    "a set": lambda r, s: b"\x31" + _der(r, s)[1:],
    "an empty number": lambda r, _: _sequence(_number(r) + b"\2\0"),
    "a bit string": lambda r, s: _sequence(b"\3" + _number(r)[1:] + _number(s)),
    "a zero too many before r": lambda r, s: _sequence(
        b"\2" + bytes([len(_number(r)) - 1]) + b"\0" + _number(r)[2:] + _number(s)
    ),
    "a length in two bytes": lambda r, s: b"\x30\x81" + _der(r, s)[1:],
    "a length in three bytes": lambda r, s: b"\x30\x82\0" + _der(r, s)[1:],
    "an indefinite length": lambda r, s: b"\x30\x80" + _der(r, s)[2:] + b"\0\0",
    "the length of a number in two bytes": lambda r, s: _sequence(
        b"\2\x81" + _number(r)[1:] + _number(s)
    ),
    "a byte behind it": lambda r, s: _der(r, s) + b"\0",
    "its last byte missing": lambda r, s: _der(r, s)[:-1],
    "a length that is too high": lambda r, s: b"\x30" + bytes([len(_der(r, s))]) + _der(r, s)[2:],
    "both numbers without DER": lambda r, s: r.to_bytes(32, "big") + s.to_bytes(32, "big"),
    "a sequence in a sequence": lambda r, s: _sequence(_der(r, s)),
    "255s": lambda *_: b"\xff" * 70,
    "zeros": lambda *_: bytes(70),
    "a number of RSA": lambda *_: b"\x5a" * 256,
}
