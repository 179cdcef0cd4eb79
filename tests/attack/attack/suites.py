"""The cipher suites with RSA key exchange that the client can speak, and what they are made of."""

from dataclasses import dataclass

from attack.wire import Version


@dataclass(frozen=True)
class Suite:
    """A cipher suite: its number and name of the IANA registry, and its parts."""

    id: int
    name: str
    cipher: str
    """`rc4`, `3des`, `aes` (both CBC), `gcm` or `ccm8`."""
    key_length: int
    mac: str | None
    """The hash of the MAC; None where the cipher authenticates."""
    tls12_only: bool = False

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

SUITES = (
    AES128_SHA,
    AES256_SHA,
    AES128_SHA256,
    AES128_GCM,
    AES256_GCM,
    AES128_CCM8,
    TRIPLE_DES_SHA,
    RC4_SHA,
)


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
"""What a server must speak for the suite to mean anything."""


def profiles() -> list[Profile]:
    """Every combination that the client can speak."""
    found = []
    for version in Version:
        for suite in SUITES:
            if not suite.allowed_in(version):
                continue
            found.append(Profile(version, suite))
            if suite.cipher == "aes" and version != Version.SSL3:
                found.append(Profile(version, suite, encrypt_then_mac=True))
    return found
