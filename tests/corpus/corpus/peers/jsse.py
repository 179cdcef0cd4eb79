"""Java's own stack (JSSE) through a small program, compiled when first needed.

It still has DES and SSL 3.0, and it can frame its ClientHello as SSL 2.0 did.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corpus import wire
from corpus.conversation import Direction, Flight, PeerFailure, PeerMissing
from corpus.keys import PASSWORD, KeyStore
from corpus.peers.process import ClientProcess, Program, Secrets, ServerProcess, version_line
from corpus.suites import Suite, Version

_SOURCE = Path(__file__).with_name("JssePeer.java")
_VERSIONS = {
    Version.SSL3: "SSLv3",
    Version.TLS1_0: "TLSv1",
    Version.TLS1_1: "TLSv1.1",
    Version.TLS1_2: "TLSv1.2",
}
_SSLV2_HELLO = "SSLv2Hello"
# Java keeps the prefix that SSL 3.0 gave these names.
_SUITES_NAMED_SSL = 0x000A


@dataclass(frozen=True)
class Settings:
    """What a side allows and demands."""

    suite: Suite
    lowest: Version
    highest: Version
    ems: bool = True
    sslv2_hello: bool = False

    def protocols(self) -> str:
        names = [
            name for version, name in _VERSIONS.items() if self.lowest <= version <= self.highest
        ]
        return ",".join([*names, _SSLV2_HELLO] if self.sslv2_hello else names)

    def suite_name(self) -> str:
        if not self.suite.jsse:
            raise PeerMissing(f"JSSE does not implement {self.suite.name}")
        prefix = "SSL" if self.suite.id <= _SUITES_NAMED_SSL else "TLS"
        return f"{prefix}_RSA_WITH_{self.suite.name}"


class _Teller:
    """The oracle: Java tells the master secret, the conversation has the client random."""

    def __init__(self) -> None:
        self.heard = b""

    def secrets(self, output: str) -> Secrets:
        told = re.search(r"^MASTER_SECRET ([0-9a-f]{96})$", output, re.MULTILINE)
        if told is None:
            return {}
        hellos = wire.observe([Flight(Direction.TO_SERVER, self.heard)])
        return {hellos.client_random: bytes.fromhex(told[1])}


class JsseClient(ClientProcess):
    """JSSE as a client."""

    def __init__(self, program: Program) -> None:
        self._teller = _Teller()
        super().__init__(program)

    def advance(self) -> bytes:
        data = super().advance()
        self._teller.heard += data
        return data

    def master_secrets(self) -> Secrets:
        return self._teller.secrets(self.output())


class JsseServer(ServerProcess):
    """JSSE as a server."""

    def __init__(self, program: Program) -> None:
        self._teller = _Teller()
        super().__init__(program)

    def feed(self, data: bytes) -> None:
        self._teller.heard += data
        super().feed(data)

    def master_secrets(self) -> Secrets:
        return self._teller.secrets(self.output())


def client(settings: Settings, keys: KeyStore) -> JsseClient:
    return JsseClient(_program("client", settings, keys))


def server(settings: Settings, keys: KeyStore, server_key: str) -> JsseServer:
    if server_key != "server-2048":
        raise PeerMissing(f"there is no PKCS#12 of {server_key} for JSSE")
    return JsseServer(_program("server", settings, keys))


def _program(side: str, settings: Settings, keys: KeyStore) -> Program:
    classes = _classes()
    line = version_line("java", "--version")
    if line is None:
        raise PeerMissing("java is not installed")
    command = [
        "java",
        # A short-lived program: start fast rather than run fast.
        "-Xshare:auto", "-XX:TieredStopAtLevel=1",
        "--add-opens", "java.base/sun.security.ssl=ALL-UNNAMED",
        f"-Djdk.tls.useExtendedMasterSecret={str(settings.ems).lower()}",
        "-cp", classes.name, "JssePeer", side, "{port}",
        settings.protocols(), settings.suite_name(),
        str(keys.directory / "server-2048.p12"), PASSWORD,
    ]  # fmt: skip
    return Program(f"JSSE {line.split()[1]}", command, directory=classes)


@cache
def _classes() -> tempfile.TemporaryDirectory:
    """The compiled program."""
    if shutil.which("javac") is None:
        raise PeerMissing("javac is not installed; its package is called `default-jdk-headless`")
    directory = tempfile.TemporaryDirectory(prefix="corpus-jsse-")
    done = subprocess.run(
        ["javac", "-d", directory.name, str(_SOURCE)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PeerFailure(f"javac: {done.stderr.strip()}")
    return directory
