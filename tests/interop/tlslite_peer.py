"""What the tlslite-ng client and the tlslite-ng server share: settings of a cell, and keys."""

import os
import sys
from collections.abc import Callable

import tlslite
from tlslite.api import X509, HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import KeyUpdateMessageType
from tlslite.mathtls import FFDHE2048, FFDHE3072, FFDHE4096

TIMEOUT_SECONDS = 15.0

# Cipher and MAC of each suite that tlslite-ng knows, by the names of its settings.
SUITES = {
    0x1301: ("aes128gcm", "aead"),
    0x1302: ("aes256gcm", "aead"),
    0x1303: ("chacha20-poly1305", "aead"),
    0x1304: ("aes128ccm", "aead"),
    0x1305: ("aes128ccm_8", "aead"),
    0x0001: ("null", "md5"),
    0x0002: ("null", "sha"),
    0x0004: ("rc4", "md5"),
    0x0005: ("rc4", "sha"),
    0x000A: ("3des", "sha"),
    0x002F: ("aes128", "sha"),
    0x0033: ("aes128", "sha"),
    0x0035: ("aes256", "sha"),
    0x0039: ("aes256", "sha"),
    0x003B: ("null", "sha256"),
    0x003C: ("aes128", "sha256"),
    0x003D: ("aes256", "sha256"),
    0x009C: ("aes128gcm", "aead"),
    0x009D: ("aes256gcm", "aead"),
    0x009E: ("aes128gcm", "aead"),
    0x009F: ("aes256gcm", "aead"),
    0xC009: ("aes128", "sha"),
    0xC00A: ("aes256", "sha"),
    0xC013: ("aes128", "sha"),
    0xC014: ("aes256", "sha"),
    0xC023: ("aes128", "sha256"),
    0xC024: ("aes256", "sha384"),
    0xC027: ("aes128", "sha256"),
    0xC028: ("aes256", "sha384"),
    0xC02B: ("aes128gcm", "aead"),
    0xC02C: ("aes256gcm", "aead"),
    0xC02F: ("aes128gcm", "aead"),
    0xC030: ("aes256gcm", "aead"),
    0xC09C: ("aes128ccm", "aead"),
    0xC09D: ("aes256ccm", "aead"),
    0xC0A0: ("aes128ccm_8", "aead"),
    0xC0A1: ("aes256ccm_8", "aead"),
    0xCCA8: ("chacha20-poly1305", "aead"),
    0xCCA9: ("chacha20-poly1305", "aead"),
    0xCCAA: ("chacha20-poly1305", "aead"),
}

CURVES = {0x17: "secp256r1", 0x18: "secp384r1", 0x19: "secp521r1", 0x1D: "x25519"}
FIELDS = {0x100: "ffdhe2048", 0x101: "ffdhe3072", 0x102: "ffdhe4096"}
PARAMETERS = {0x100: FFDHE2048, 0x101: FFDHE3072, 0x102: FFDHE4096}
PSK = (b"interop", "00112233445566778899aabbccddeeff" * 2)
CLIENTS = {"rsa": "client-rsa", "ecdsa": "client-p256"}


class Cell:
    """One line of standard input."""

    def __init__(self, line: str) -> None:
        words = line.split()
        self.port = int(words[0])
        self.version, self.suite = int(words[1], 16), int(words[2], 16)
        self.extended_master_secret, self.encrypt_then_mac = words[3] == "1", words[4] == "1"
        self.groups = [int(group, 16) for group in words[5].split(",") if group != "-"]
        self.client = CLIENTS.get(words[6])
        self.resumption, self.server, self.extra = words[7:]

    def is_tls13(self) -> bool:
        return self.version == 0x0304

    def connections(self) -> int:
        """The number of connections to a server."""
        return 2 if self.resumption in ("id", "ticket") else 1

    def settings(self) -> HandshakeSettings:
        if self.suite not in SUITES:
            raise ValueError(f"no suite {self.suite:#06x}")
        cipher, mac = SUITES[self.suite]
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = (self.version >> 8, self.version & 0xFF)
        settings.versions = [settings.minVersion]
        settings.cipherNames = [cipher]
        settings.macNames = [mac]
        if self.resumption == "psk":
            key = bytearray(bytes.fromhex(PSK[1]))
            hash_name = "sha384" if self.suite == 0x1302 else "sha256"
            settings.pskConfigs = [(PSK[0], key, hash_name)]
            settings.psk_modes = ["psk_dhe_ke"]
        if self.is_tls13():
            # It compresses certificates for servers that did not offer to decompress them.
            settings.certificate_compression_send = []
        else:
            settings.keyExchangeNames = [self.exchange()]
        settings.useExtendedMasterSecret = self.extended_master_secret
        settings.useEncryptThenMAC = self.encrypt_then_mac
        settings.use_heartbeat_extension = False
        if self.groups:
            settings.eccCurves = [CURVES[group] for group in self.groups if group in CURVES]
            settings.dhGroups = [FIELDS[group] for group in self.groups if group in FIELDS]
            # For clients of SSL 3.0, which list no groups.
            if self.groups[0] in PARAMETERS:
                settings.dhParams = PARAMETERS[self.groups[0]]
            settings.keyShares = []
            if self.is_tls13():
                if unknown := [it for it in self.groups if it not in CURVES | FIELDS]:
                    raise ValueError(f"no group {unknown[0]:#06x}")
                settings.keyShares = [(CURVES | FIELDS)[self.groups[0]]]
            if settings.eccCurves:
                settings.defaultCurve = settings.eccCurves[0]
        return settings

    def exchange(self) -> str:
        if any(group in FIELDS for group in self.groups):
            return "dhe_rsa"
        if not self.groups:
            return "rsa"
        return "ecdhe_rsa" if self.server == "server-rsa" else "ecdhe_ecdsa"


def identity(name: str) -> tuple[X509CertChain, object]:
    with open(os.path.join(sys.argv[1], f"{name}.cert.pem")) as file:
        certificate = X509().parse(file.read())
    with open(os.path.join(sys.argv[1], f"{name}.key.pem")) as file:
        return X509CertChain([certificate]), parsePEMKey(file.read(), private=True)


def after_handshake(cell: Cell, connection: TLSConnection) -> None:
    """Tells the secrets; in TLS 1.3 also what is exported, and replaces keys if it is to."""
    # A server of TLS 1.3 does not keep it.
    client_random, session = connection._clientRandom.hex() or "-", connection.session
    if not cell.is_tls13():
        print("secret", client_random, session.masterSecret.hex())
        return
    for label, secret in (
        ("CLIENT_TRAFFIC_SECRET_0", session.cl_app_secret),
        ("SERVER_TRAFFIC_SECRET_0", session.sr_app_secret),
        ("EXPORTER_SECRET", session.exporterMasterSecret),
    ):
        print("log", label, client_random, secret.hex())
    print("export", connection.keyingMaterialExporter(bytearray(b"EXPERIMENTAL-interop"), 32).hex())
    if cell.extra == "key-update":
        for _ in connection.send_keyupdate_request(KeyUpdateMessageType.update_requested):
            pass


def run(converse: Callable[[Cell], None]) -> None:
    """Argument: the directory of the identities, or none to be told the version."""
    if len(sys.argv) < 2:
        print(tlslite.__version__)
        return
    for line in sys.stdin:
        try:
            converse(Cell(line))
            print("done", flush=True)
        # Whatever goes wrong is the cell's answer.
        except Exception as error:
            print("failed", repr(error).replace("\n", " "), flush=True)
