"""Keys of certificates, and what they sign in a handshake."""

import hashlib
from functools import lru_cache
from pathlib import Path

from ecdsa import BadSignatureError
from ecdsa.util import sigdecode_der, sigencode_der
from tlslite.api import X509, parsePEMKey

from attack.wire import Version

KEYS = Path(__file__).resolve().parents[2] / "data" / "keys"

RSA_SHA1 = 0x0201
RSA_SHA256 = 0x0401
RSA_SHA384 = 0x0501
RSA_SHA512 = 0x0601
ECDSA_SHA1 = 0x0203
ECDSA_SHA256 = 0x0403
ECDSA_SHA384 = 0x0503
PSS_SHA256 = 0x0804

USUAL = (PSS_SHA256, RSA_SHA256, RSA_SHA384, ECDSA_SHA256, ECDSA_SHA384, RSA_SHA1, ECDSA_SHA1)
"""What a client offers that is told nothing else."""

_HASHES = {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}
_PSS = {0x0804: "sha256", 0x0805: "sha384", 0x0806: "sha512"}


@lru_cache
def certificate(name: str) -> bytes:
    """A certificate of `tests/data/keys` in DER."""
    found = X509()
    found.parse((KEYS / f"{name}.cert.pem").read_text())
    return bytes(found.bytes)


@lru_cache
def private_key(name: str):
    """The key of such a certificate."""
    return parsePEMKey((KEYS / f"{name}.pem").read_text(), private=True)


def hash_of(scheme: int) -> str | None:
    """The hash of a scheme of TLS 1.2 that is known here."""
    return _PSS.get(scheme) or _HASHES.get(scheme >> 8)


def is_ecdsa(scheme: int) -> bool:
    return scheme & 0xFF == 3 and scheme not in _PSS


def _digest(version: int, scheme: int, signed: bytes, on_curve: bool) -> tuple[bytes, str | None]:
    """What is signed of some bytes: before TLS 1.2 it is SHA-1, for RSA with MD5 before it."""
    if version == Version.TLS1_2:
        name = hash_of(scheme) or "sha256"
        return hashlib.new(name, signed).digest(), name
    if on_curve:
        return hashlib.sha1(signed).digest(), "sha1"
    return hashlib.md5(signed).digest() + hashlib.sha1(signed).digest(), None


def sign(key, version: int, scheme: int, signed: bytes) -> bytes:
    """Signs bytes as a version has it; a scheme stands for itself in TLS 1.2 only."""
    on_curve = not hasattr(key, "n")
    digest, name = _digest(version, scheme, signed, on_curve)
    if on_curve:
        return key.private_key.sign_digest(digest, sigencode=sigencode_der, allow_truncate=True)
    if version == Version.TLS1_2 and scheme in _PSS:
        length = hashlib.new(name).digest_size
        return bytes(key.sign(bytearray(digest), padding="pss", hashAlg=name, saltLen=length))
    return bytes(key.sign(bytearray(digest), padding="pkcs1", hashAlg=name))


def verify(key, version: int, scheme: int, signed: bytes, signature: bytes) -> bool:
    """Whether a signature is right."""
    on_curve = not hasattr(key, "n")
    digest, name = _digest(version, scheme, signed, on_curve)
    if on_curve:
        try:
            return key.public_key.verify_digest(signature, digest, sigdecode_der, True)
        except BadSignatureError:
            return False
    arguments = bytearray(signature), bytearray(digest)
    if version == Version.TLS1_2 and scheme in _PSS:
        length = hashlib.new(name).digest_size
        return bool(key.verify(*arguments, padding="pss", hashAlg=name, saltLen=length))
    return bool(key.verify(*arguments, padding="pkcs1", hashAlg=name))
