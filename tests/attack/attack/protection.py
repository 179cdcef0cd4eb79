"""Protection of records in every version, and the ways to get it wrong.

A `Tamper` changes a record before or after its encryption; without one, records are right.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tlslite.mathtls import createMAC_SSL
from tlslite.utils import cipherfactory

from attack.suites import Profile
from attack.wire import Version, vector


class CannotOpen(Exception):
    """A record of the server is not what its keys make."""


Change = Callable[[bytes], bytes]


def _same(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Tamper:
    """Changes to one record, each a function of the bytes that would be right."""

    mac: Change = _same
    """The MAC."""
    padding: Change = _same
    """CBC padding with its length byte."""
    plaintext: Change = _same
    """Content, MAC and padding, as they go into the cipher."""
    fragment: Change = _same
    """The fragment of the record, as it goes on the wire."""


HONEST = Tamper()


class _NoCipher:
    """Leaves everything as it is."""

    def encrypt(self, plaintext: bytearray) -> bytearray:
        return plaintext

    decrypt = encrypt


class Protection:
    """One direction of a connection."""

    def __init__(
        self, profile: Profile, mac_key: bytes, key: bytes, fixed_iv: bytes, rng: Random
    ) -> None:
        self.profile = profile
        self._suite = profile.suite
        self._mac_key = mac_key
        self._fixed_iv = fixed_iv
        self._rng = rng
        self._sequence = 0
        self.explicit_nonce: Callable[[], bytes] | None = None
        """Makes what AEAD records carry of their nonce; without it, that is their number."""
        self._cipher = self._make_cipher(bytearray(key))

    def seal(self, content_type: int, payload: bytes, tamper: Tamper = HONEST) -> bytes:
        """The fragment of the next record."""
        header = self._header(content_type)
        self._sequence += 1
        if self._suite.mac is None:
            return tamper.fragment(self._seal_aead(header, tamper.plaintext(payload)))
        if not self._suite.block:
            plaintext = payload + tamper.mac(self._mac(header, payload))
            return tamper.fragment(self._encrypt(tamper.plaintext(plaintext)))
        if self.profile.encrypt_then_mac:
            return tamper.fragment(self._seal_then_mac(header, payload, tamper))
        plaintext = payload + tamper.mac(self._mac(header, payload))
        plaintext += tamper.padding(self._padding(len(plaintext)))
        return tamper.fragment(self._encrypt_cbc(tamper.plaintext(plaintext)))

    def open(self, content_type: int, fragment: bytes) -> bytes:
        """The payload of the next record.

        Raises `CannotOpen` for one that is not what the keys make.
        """
        header = self._header(content_type)
        self._sequence += 1
        if self._suite.mac is None:
            return self._open_aead(header, fragment)
        length = self._suite.mac_length
        if self._suite.block and self.profile.encrypt_then_mac:
            fragment, mac = fragment[:-length], fragment[-length:]
            self._check(mac, self._mac(header, fragment))
            return self._without_padding(self._decrypt_cbc(fragment))
        if self._suite.block:
            plaintext = self._without_padding(self._decrypt_cbc(fragment))
        else:
            plaintext = bytes(self._cipher.decrypt(bytearray(fragment)))
        payload, mac = plaintext[:-length], plaintext[-length:]
        self._check(mac, self._mac(header, payload))
        return payload

    @property
    def explicit_iv(self) -> int:
        """Bytes of a record that come before its ciphertext."""
        if self._suite.mac is None:
            return 8
        return self._suite.block if self.profile.version >= Version.TLS1_1 else 0

    def _make_cipher(self, key: bytearray):
        match self._suite.cipher:
            case "gcm":
                return cipherfactory.createAESGCM(key)
            case "ccm8":
                return cipherfactory.createAESCCM_8(key)
            case "null":
                return _NoCipher()
            case "rc4":
                return cipherfactory.createRC4(key, bytearray())
            case "3des":
                return cipherfactory.createTripleDES(key, bytearray(self._fixed_iv))
            case _:
                return cipherfactory.createAES(key, bytearray(self._fixed_iv))

    def _header(self, content_type: int) -> bytes:
        """What a MAC or a tag covers besides the payload, without its length."""
        version = b"" if self.profile.version == Version.SSL3 else bytes(self.profile.version.pair)
        return self._sequence.to_bytes(8, "big") + bytes([content_type]) + version

    def _mac(self, header: bytes, payload: bytes) -> bytes:
        hashed = header + vector(payload, 2)
        if self.profile.version == Version.SSL3:
            mac = createMAC_SSL(self._mac_key, getattr(hashlib, self._suite.mac))
            mac.update(hashed)
            return bytes(mac.digest())
        return hmac.digest(self._mac_key, hashed, self._suite.mac)

    def _padding(self, length: int) -> bytes:
        block = self._suite.block
        count = block - 1 - length % block
        return bytes([count]) * (count + 1)

    def _seal_then_mac(self, header: bytes, payload: bytes, tamper: Tamper) -> bytes:
        plaintext = tamper.plaintext(payload + tamper.padding(self._padding(len(payload))))
        ciphertext = self._encrypt_cbc(plaintext)
        return ciphertext + tamper.mac(self._mac(header, ciphertext))

    def _encrypt_cbc(self, plaintext: bytes) -> bytes:
        # From TLS 1.1 on, a random block in front stands for the explicit IV: CBC makes it one.
        return self._encrypt(self._rng.randbytes(self.explicit_iv) + plaintext)

    def _encrypt(self, plaintext: bytes) -> bytes:
        return bytes(self._cipher.encrypt(bytearray(plaintext)))

    def _decrypt_cbc(self, fragment: bytes) -> bytes:
        if not fragment or len(fragment) % self._suite.block:
            raise CannotOpen("the record is no whole number of blocks")
        return bytes(self._cipher.decrypt(bytearray(fragment)))[self.explicit_iv :]

    def _without_padding(self, plaintext: bytes) -> bytes:
        count = plaintext[-1] + 1 if plaintext else 1
        padding = plaintext[-count:]
        free = self.profile.version == Version.SSL3
        if count > len(plaintext) or not (free or padding == bytes([count - 1]) * count):
            raise CannotOpen("the padding is wrong")
        return plaintext[:-count]

    def _seal_aead(self, header: bytes, payload: bytes) -> bytes:
        explicit = self.explicit_nonce() if self.explicit_nonce else header[:8]
        nonce = bytearray(self._fixed_iv + explicit)
        covered = bytearray(header + len(payload).to_bytes(2, "big"))
        return explicit + bytes(self._cipher.seal(nonce, bytearray(payload), covered))

    def _open_aead(self, header: bytes, fragment: bytes) -> bytes:
        nonce = bytearray(self._fixed_iv + fragment[:8])
        length = len(fragment) - 8 - self._cipher.tagLength
        if length < 0:
            raise CannotOpen("the record is too short")
        covered = bytearray(header + length.to_bytes(2, "big"))
        payload = self._cipher.open(nonce, bytearray(fragment[8:]), covered)
        if payload is None:
            raise CannotOpen("the tag is wrong")
        return bytes(payload)

    def _check(self, mac: bytes, right: bytes) -> None:
        if mac != right:
            raise CannotOpen("the MAC is wrong")
