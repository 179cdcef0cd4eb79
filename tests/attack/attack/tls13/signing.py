"""CertificateVerify (RFC 8446 section 4.4.3): signatures in TLS 1.3 and wrong ones."""

from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from attack.signatures import KEYS

ECDSA_P256 = 0x0403
ECDSA_P384 = 0x0503
ECDSA_P521 = 0x0603
PSS_SHA256 = 0x0804
PSS_SHA384 = 0x0805
PSS_SHA512 = 0x0806

USUAL = (ECDSA_P256, PSS_SHA256, ECDSA_P384, PSS_SHA384, PSS_SHA512)
"""What is offered by who is told nothing else."""

_HASHES = {1: hashes.MD5, 2: hashes.SHA1, 3: hashes.SHA224}
_HASHES |= {4: hashes.SHA256, 5: hashes.SHA384, 6: hashes.SHA512}
_PSS = {PSS_SHA256: hashes.SHA256, PSS_SHA384: hashes.SHA384, PSS_SHA512: hashes.SHA512}
_CURVES = {ECDSA_P256: "secp256r1", ECDSA_P384: "secp384r1", ECDSA_P521: "secp521r1"}

SERVER = b"TLS 1.3, server CertificateVerify"
CLIENT = b"TLS 1.3, client CertificateVerify"


def content(context: bytes, digest: bytes, spaces: int = 64, separator: bytes = b"\0") -> bytes:
    """What is signed of the hash of a transcript."""
    return b" " * spaces + context + separator + digest


@lru_cache
def certificate(name: str) -> bytes:
    """A certificate of `tests/data/keys` in DER."""
    found = x509.load_pem_x509_certificate((KEYS / f"{name}.cert.pem").read_bytes())
    return found.public_bytes(serialization.Encoding.DER)


@lru_cache
def private_key(name: str):
    """The key of such a certificate."""
    return serialization.load_pem_private_key((KEYS / f"{name}.pem").read_bytes(), None)


@lru_cache
def public_key(der: bytes):
    """The key of a certificate."""
    return x509.load_der_x509_certificate(der).public_key()


def usual_scheme(name: str) -> int:
    """What an honest holder of a key signs with."""
    key = private_key(name)
    return ECDSA_P256 if isinstance(key, ec.EllipticCurvePrivateKey) else PSS_SHA256


def sign(name: str, scheme: int, signed: bytes) -> bytes:
    """Signs bytes with the hash and padding of a scheme, also where TLS 1.3 has none such."""
    key = private_key(name)
    digest = _digest(scheme)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(signed, ec.ECDSA(digest))
    if scheme in _PSS or scheme & 0xFF == 3:
        length = digest.digest_size
        return key.sign(signed, padding.PSS(padding.MGF1(digest), length), digest)
    return key.sign(signed, padding.PKCS1v15(), digest)


def verify(key, scheme: int, signed: bytes, signature: bytes) -> bool:
    """Whether a signature is right, and of a scheme that TLS 1.3 has for this key."""
    on_curve = isinstance(key, ec.EllipticCurvePublicKey)
    try:
        if on_curve and _CURVES.get(scheme) == key.curve.name:
            key.verify(signature, signed, ec.ECDSA(_digest(scheme)))
        elif not on_curve and scheme in _PSS:
            digest = _digest(scheme)
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            key.verify(signature, signed, pss, digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _digest(scheme: int) -> hashes.HashAlgorithm:
    return (_PSS.get(scheme) or _HASHES.get(scheme >> 8) or hashes.SHA256)()
