"""The RSA-key-exchange cipher suites, and what each peer calls them.

Ids and names are IANA's (TLS Cipher Suites registry); a name is without its `TLS_RSA_WITH_`.
"""

from dataclasses import dataclass
from enum import IntEnum


class Version(IntEnum):
    """A protocol version as it stands on the wire."""

    SSL3 = 0x0300
    TLS1_0 = 0x0301
    TLS1_1 = 0x0302
    TLS1_2 = 0x0303
    TLS1_3 = 0x0304

    @property
    def label(self) -> str:
        return "SSL 3.0" if self is Version.SSL3 else f"TLS 1.{(self & 0xFF) - 1}"


@dataclass(frozen=True)
class Suite:
    """A cipher suite. A peer's field is None if that peer does not implement it."""

    id: int
    name: str
    openssl: str | None
    tlslite: tuple[str, str] | None  # cipher name, MAC name
    gnutls: tuple[str, str] | None  # cipher name, MAC name
    nss: bool
    jsse: bool
    openssl_legacy: bool = False
    """Only with OpenSSL's legacy provider, which Python's ssl module does not load."""
    cbc: bool = False
    tls12_only: bool = False
    before_tls12: bool = False

    def allowed_in(self, version: Version) -> bool:
        return not (self.before_tls12 if version == Version.TLS1_2 else self.tls12_only)


# fmt: off
SUITES = (
    Suite(0x0001, "NULL_MD5", "NULL-MD5", ("null", "md5"), ("NULL", "MD5"), True, True),
    Suite(0x0002, "NULL_SHA", "NULL-SHA", ("null", "sha"), ("NULL", "SHA1"), True, True),
    Suite(0x0004, "RC4_128_MD5", None, ("rc4", "md5"), ("ARCFOUR-128", "MD5"), True, True),
    Suite(0x0005, "RC4_128_SHA", None, ("rc4", "sha"), ("ARCFOUR-128", "SHA1"), True, True),
    Suite(0x0009, "DES_CBC_SHA", None, None, None, True, True, cbc=True, before_tls12=True),
    Suite(0x000A, "3DES_EDE_CBC_SHA", None, ("3des", "sha"), ("3DES-CBC", "SHA1"), True, True,
          cbc=True),
    Suite(0x002F, "AES_128_CBC_SHA", "AES128-SHA", ("aes128", "sha"), ("AES-128-CBC", "SHA1"),
          True, True, cbc=True),
    Suite(0x0035, "AES_256_CBC_SHA", "AES256-SHA", ("aes256", "sha"), ("AES-256-CBC", "SHA1"),
          True, True, cbc=True),
    Suite(0x0041, "CAMELLIA_128_CBC_SHA", "CAMELLIA128-SHA", None, ("CAMELLIA-128-CBC", "SHA1"),
          True, False, cbc=True),
    Suite(0x0084, "CAMELLIA_256_CBC_SHA", "CAMELLIA256-SHA", None, ("CAMELLIA-256-CBC", "SHA1"),
          True, False, cbc=True),
    Suite(0x0096, "SEED_CBC_SHA", "SEED-SHA", None, None, True, False, openssl_legacy=True,
          cbc=True),
    Suite(0x003B, "NULL_SHA256", "NULL-SHA256", ("null", "sha256"), ("NULL", "SHA256"),
          True, True, tls12_only=True),
    Suite(0x003C, "AES_128_CBC_SHA256", "AES128-SHA256", ("aes128", "sha256"),
          ("AES-128-CBC", "SHA256"), True, True, cbc=True, tls12_only=True),
    Suite(0x003D, "AES_256_CBC_SHA256", "AES256-SHA256", ("aes256", "sha256"),
          ("AES-256-CBC", "SHA256"), True, True, cbc=True, tls12_only=True),
    Suite(0x00BA, "CAMELLIA_128_CBC_SHA256", "CAMELLIA128-SHA256", None,
          ("CAMELLIA-128-CBC", "SHA256"), False, False, cbc=True, tls12_only=True),
    Suite(0x00C0, "CAMELLIA_256_CBC_SHA256", "CAMELLIA256-SHA256", None,
          ("CAMELLIA-256-CBC", "SHA256"), False, False, cbc=True, tls12_only=True),
    Suite(0x009C, "AES_128_GCM_SHA256", "AES128-GCM-SHA256", ("aes128gcm", "aead"),
          ("AES-128-GCM", "AEAD"), True, True, tls12_only=True),
    Suite(0x009D, "AES_256_GCM_SHA384", "AES256-GCM-SHA384", ("aes256gcm", "aead"),
          ("AES-256-GCM", "AEAD"), True, True, tls12_only=True),
    Suite(0xC050, "ARIA_128_GCM_SHA256", "ARIA128-GCM-SHA256", None, None,
          False, False, tls12_only=True),
    Suite(0xC051, "ARIA_256_GCM_SHA384", "ARIA256-GCM-SHA384", None, None,
          False, False, tls12_only=True),
    Suite(0xC07A, "CAMELLIA_128_GCM_SHA256", None, None, ("CAMELLIA-128-GCM", "AEAD"),
          False, False, tls12_only=True),
    Suite(0xC07B, "CAMELLIA_256_GCM_SHA384", None, None, ("CAMELLIA-256-GCM", "AEAD"),
          False, False, tls12_only=True),
    Suite(0xC09C, "AES_128_CCM", "AES128-CCM", ("aes128ccm", "aead"), ("AES-128-CCM", "AEAD"),
          False, False, tls12_only=True),
    Suite(0xC09D, "AES_256_CCM", "AES256-CCM", ("aes256ccm", "aead"), ("AES-256-CCM", "AEAD"),
          False, False, tls12_only=True),
    Suite(0xC0A0, "AES_128_CCM_8", "AES128-CCM8", ("aes128ccm_8", "aead"),
          ("AES-128-CCM-8", "AEAD"), False, False, tls12_only=True),
    Suite(0xC0A1, "AES_256_CCM_8", "AES256-CCM8", ("aes256ccm_8", "aead"),
          ("AES-256-CCM-8", "AEAD"), False, False, tls12_only=True),
)
# fmt: on

_BY_NAME = {suite.name: suite for suite in SUITES}

_IDS = frozenset(suite.id for suite in SUITES)


def is_rsa_suite(suite_id: int) -> bool:
    """Whether the table has that suite: its key exchange then is RSA."""
    return suite_id in _IDS


def suite(name: str) -> Suite:
    """The suite of that name; a name that is not in the table is a mistake of the caller."""
    return _BY_NAME[name]
