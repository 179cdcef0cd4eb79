"""The test keys: every container format the tool reads, made by the `openssl` command line.

Nothing here protects anything. Keys are made once and reused when present, so that committed
captures keep fitting them.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "test"

_RSA_BITS = {
    "server-2048": 2048,
    "server-3072": 3072,
    "server-4096": 4096,
    "other-2048": 2048,
    "client-2048": 2048,
}

# The same key as server-2048 in other containers: file name, arguments of `openssl`.
_CONTAINERS = {
    "server-2048.pkcs1.pem": ["rsa", "-traditional"],
    "server-2048.pkcs1.der": ["rsa", "-traditional", "-outform", "DER"],
    "server-2048.der": ["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"],
    "server-2048.encrypted.pem": [
        "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", f"pass:{PASSWORD}",
    ],
    "server-2048.encrypted.der": [
        "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", f"pass:{PASSWORD}",
        "-outform", "DER",
    ],
}  # fmt: skip


@dataclass(frozen=True)
class KeyPair:
    """A private key (PKCS#8 PEM) and its self-signed certificate (PEM)."""

    name: str
    key: Path
    cert: Path


class KeyStore:
    """The key files in one directory."""

    def __init__(self, directory: Path) -> None:
        # Absolute: peers that are programs run in directories of their own.
        self.directory = directory.resolve()

    def pair(self, name: str) -> KeyPair:
        return KeyPair(name, self.directory / f"{name}.pem", self.directory / f"{name}.cert.pem")

    def ensure(self) -> list[Path]:
        """Makes the files that are absent, and returns them."""
        self.directory.mkdir(parents=True, exist_ok=True)
        before = set(self.directory.iterdir())
        for name, bits in _RSA_BITS.items():
            self._ensure_pair(name, ["RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}"])
        self._ensure_pair("ec-p256", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        self._ensure_containers()
        return sorted(set(self.directory.iterdir()) - before)

    def _ensure_pair(self, name: str, algorithm: list[str]) -> None:
        pair = self.pair(name)
        if not pair.key.exists():
            _openssl("genpkey", "-algorithm", *algorithm, "-out", str(pair.key))
        if not pair.cert.exists():
            _openssl(
                "req", "-x509", "-sha256", "-days", "36500", "-key", str(pair.key),
                "-subj", f"/CN={name}.test", "-addext", f"subjectAltName=DNS:{name}.test",
                "-out", str(pair.cert),
            )  # fmt: skip

    def _ensure_containers(self) -> None:
        pair = self.pair("server-2048")
        for file_name, arguments in _CONTAINERS.items():
            target = self.directory / file_name
            if not target.exists():
                _openssl(*arguments, "-in", str(pair.key), "-out", str(target))
        bundle = self.directory / "server-2048.p12"
        if not bundle.exists():
            _openssl(
                "pkcs12", "-export", "-inkey", str(pair.key), "-in", str(pair.cert),
                "-passout", f"pass:{PASSWORD}", "-out", str(bundle),
            )  # fmt: skip


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
