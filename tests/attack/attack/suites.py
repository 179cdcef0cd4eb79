"""The cipher suites that the client can speak, and what they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from attack.wire import Version


@dataclass(frozen=True)
class Suite:
    """A cipher suite: its number and name of the IANA registry, and its parts."""

    id: int
    name: str
    cipher: str
    """`null`, `rc4`, `3des`, `aes` (both CBC), `gcm` or `ccm8`."""
    key_length: int
    mac: str | None
    """The hash of the MAC; None where the cipher authenticates."""
    tls12_only: bool = False
    exchange: str = "RSA"
    """The key exchange: `RSA`, `ECDHE` or `DHE`."""
    signer: str = "RSA"
    """What kind of key the certificate has: `RSA` or `ECDSA`."""

    @property
    def ephemeral(self) -> bool:
        """Whether the server has a key of its own for each key exchange, and signs it."""
        return self.exchange != "RSA"

    @property
    def block(self) -> int:
        """Bytes of a CBC block; 0 for the other modes."""
        return {"3des": 8, "aes": 16}.get(self.cipher, 0)

    @property
    def mac_length(self) -> int:
        return {"sha1": 20, "sha256": 32, None: 0}[self.mac]

    @property
    def fixed_iv_length(self) -> int:
        """Bytes of IV in the key block, in the versions that take one from there."""
        return self.block if self.mac else 4

    def allowed_in(self, version: Version) -> bool:
        return version == Version.TLS1_2 or not self.tls12_only


AES128_SHA = Suite(0x002F, "AES_128_CBC_SHA", "aes", 16, "sha1")
AES256_SHA = Suite(0x0035, "AES_256_CBC_SHA", "aes", 32, "sha1")
AES128_SHA256 = Suite(0x003C, "AES_128_CBC_SHA256", "aes", 16, "sha256", tls12_only=True)
AES128_GCM = Suite(0x009C, "AES_128_GCM_SHA256", "gcm", 16, None, tls12_only=True)
AES256_GCM = Suite(0x009D, "AES_256_GCM_SHA384", "gcm", 32, None, tls12_only=True)
AES128_CCM8 = Suite(0xC0A0, "AES_128_CCM_8", "ccm8", 16, None, tls12_only=True)
TRIPLE_DES_SHA = Suite(0x000A, "3DES_EDE_CBC_SHA", "3des", 24, "sha1")
RC4_SHA = Suite(0x0005, "RC4_128_SHA", "rc4", 16, "sha1")

NULL_SHA = Suite(0x0002, "NULL_SHA", "null", 0, "sha1")
ECDHE_RSA_AES128_SHA = Suite(
    0xC013, "ECDHE_RSA_AES_128_CBC_SHA", "aes", 16, "sha1", exchange="ECDHE"
)
ECDHE_RSA_AES256_SHA = Suite(
    0xC014, "ECDHE_RSA_AES_256_CBC_SHA", "aes", 32, "sha1", exchange="ECDHE"
)
ECDHE_RSA_AES128_SHA256 = Suite(
    0xC027, "ECDHE_RSA_AES_128_CBC_SHA256", "aes", 16, "sha256", True, "ECDHE"
)
ECDHE_RSA_AES128_GCM = Suite(0xC02F, "ECDHE_RSA_AES_128_GCM_SHA256", "gcm", 16, None, True, "ECDHE")
ECDHE_RSA_AES256_GCM = Suite(0xC030, "ECDHE_RSA_AES_256_GCM_SHA384", "gcm", 32, None, True, "ECDHE")
ECDHE_ECDSA_AES128_SHA = Suite(
    0xC009, "ECDHE_ECDSA_AES_128_CBC_SHA", "aes", 16, "sha1", False, "ECDHE", "ECDSA"
)
ECDHE_ECDSA_AES128_GCM = Suite(
    0xC02B, "ECDHE_ECDSA_AES_128_GCM_SHA256", "gcm", 16, None, True, "ECDHE", "ECDSA"
)
DHE_RSA_AES128_SHA = Suite(0x0033, "DHE_RSA_AES_128_CBC_SHA", "aes", 16, "sha1", exchange="DHE")
DHE_RSA_AES128_GCM = Suite(0x009E, "DHE_RSA_AES_128_GCM_SHA256", "gcm", 16, None, True, "DHE")

RSA_SUITES = (
    AES128_SHA,
    AES256_SHA,
    AES128_SHA256,
    AES128_GCM,
    AES256_GCM,
    AES128_CCM8,
    TRIPLE_DES_SHA,
    RC4_SHA,
)
"""Suites with RSA key exchange."""

EPHEMERAL_SUITES = (
    ECDHE_RSA_AES128_SHA,
    ECDHE_RSA_AES256_SHA,
    ECDHE_RSA_AES128_SHA256,
    ECDHE_RSA_AES128_GCM,
    ECDHE_RSA_AES256_GCM,
    ECDHE_ECDSA_AES128_SHA,
    ECDHE_ECDSA_AES128_GCM,
    DHE_RSA_AES128_SHA,
    DHE_RSA_AES128_GCM,
)
"""Suites with ephemeral keys."""

SUITES = (*RSA_SUITES, *EPHEMERAL_SUITES, NULL_SHA)


@dataclass(frozen=True)
class Profile:
    """What a conversation agrees on: a version and a suite, and encrypt-then-MAC (RFC 7366)."""

    version: Version
    suite: Suite
    encrypt_then_mac: bool = False

    def __str__(self) -> str:
        etm = " EtM" if self.encrypt_then_mac else ""
        return f"{self.version.label} {self.suite.name}{etm}"


REQUIRED = (
    Profile(Version.SSL3, AES128_SHA),
    Profile(Version.TLS1_0, AES128_SHA),
    Profile(Version.TLS1_1, AES128_SHA),
    Profile(Version.TLS1_2, AES128_SHA),
    Profile(Version.TLS1_2, AES128_SHA, encrypt_then_mac=True),
    Profile(Version.TLS1_2, AES128_SHA256),
    Profile(Version.TLS1_2, AES128_GCM),
    Profile(Version.TLS1_2, AES256_GCM),
)
"""What a server must speak for the conversations to mean anything."""

REQUIRED_EPHEMERAL = (
    Profile(Version.TLS1_0, ECDHE_RSA_AES128_SHA),
    Profile(Version.TLS1_1, DHE_RSA_AES128_SHA),
    Profile(Version.TLS1_2, ECDHE_ECDSA_AES128_SHA),
    Profile(Version.TLS1_2, ECDHE_RSA_AES128_GCM),
    Profile(Version.TLS1_2, ECDHE_ECDSA_AES128_GCM),
    Profile(Version.TLS1_2, DHE_RSA_AES128_GCM),
)
"""The same, for a server with ephemeral keys."""


def profiles(suites: Sequence[Suite] = RSA_SUITES) -> list[Profile]:
    """Every combination of a version with one of the suites."""
    found = []
    for version in Version:
        for suite in suites:
            if not suite.allowed_in(version):
                continue
            found.append(Profile(version, suite))
            if suite.cipher == "aes" and version != Version.SSL3:
                found.append(Profile(version, suite, encrypt_then_mac=True))
    return found
