"""NSS through its own programs, tstclnt and selfserv.

Distributions build it without a key log, so its counterpart must be the oracle.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corpus.conversation import PeerFailure, PeerMissing
from corpus.keys import PASSWORD, KeyStore
from corpus.peers.memory import REQUEST
from corpus.peers.process import ClientProcess, Program, ServerProcess
from corpus.suites import Suite, Version

_VERSIONS = {
    Version.SSL3: "ssl3",
    Version.TLS1_0: "tls1.0",
    Version.TLS1_1: "tls1.1",
    Version.TLS1_2: "tls1.2",
}
_PACKAGE = "libnss3-tools"
_REQUEST_FILE = "request"


@dataclass(frozen=True)
class Settings:
    """What a side allows and demands."""

    suite: Suite
    lowest: Version
    highest: Version
    ems: bool = True

    def arguments(self) -> list[str]:
        if not self.suite.nss:
            raise PeerMissing(f"NSS does not implement {self.suite.name}")
        versions = f"{_VERSIONS[self.lowest]}:{_VERSIONS[self.highest]}"
        arguments = ["-V", versions, "-c", f":{self.suite.id:04X}"]
        return [*arguments, "-G"] if self.ems else arguments


def client(settings: Settings, keys: KeyStore) -> ClientProcess:
    database = _database(keys)
    command = [
        "tstclnt", "-h", "127.0.0.1", "-p", "{port}", "-d", f"sql:{database.name}", "-o",
        # From a file: at the end of a pipe it would spin and never close.
        "-A", str(Path(database.name) / _REQUEST_FILE), *settings.arguments(),
    ]  # fmt: skip
    return ClientProcess(Program(_name(), command, directory=database))


def server(settings: Settings, keys: KeyStore, server_key: str) -> ServerProcess:
    if server_key != "server-2048":
        raise PeerMissing(f"there is no PKCS#12 of {server_key} for NSS")
    database = _database(keys)
    command = ["selfserv", "-p", "{port}", "-d", f"sql:{database.name}", "-n", "server-2048.test"]
    return ServerProcess(Program(_name(), [*command, *settings.arguments()], directory=database))


@cache
def _name() -> str:
    """NSS programs do not tell their version; the package does, where there are packages."""
    if shutil.which("dpkg-query") is None:
        return "NSS"
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "libnss3"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    upstream = done.stdout.partition(":")[2].partition("-")[0]
    return f"NSS {upstream}".strip()


@cache
def _database(keys: KeyStore) -> tempfile.TemporaryDirectory:
    """A directory with a key database, the server's key in it, and a request to send."""
    if shutil.which("tstclnt") is None or shutil.which("selfserv") is None:
        raise PeerMissing(f"tstclnt is not installed; its package is called `{_PACKAGE}`")
    directory = tempfile.TemporaryDirectory(prefix="corpus-nss-")
    name = f"sql:{directory.name}"
    bundle = str(keys.directory / "server-2048.p12")
    for command in (
        ["certutil", "-N", "-d", name, "--empty-password"],
        ["pk12util", "-i", bundle, "-d", name, "-W", PASSWORD, "-K", ""],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PeerFailure(f"{command[0]}: {done.stderr.strip()}")
    (Path(directory.name) / _REQUEST_FILE).write_bytes(REQUEST)
    return directory
