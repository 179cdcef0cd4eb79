"""The servers that are attacked: `sslprov serve`, one in C, and `openssl s_server` to compare."""

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from attack.signatures import KEYS
from attack.tls13 import suites as suites13
from attack.tls13.schedule import Psk

_EARLY_DATA = 16384
"""Bytes that a server takes early."""
_START_TIME = 30.0
"""Seconds that a server may take to start."""

_LISTENING = re.compile(r"listening on (\S+):(\d+)")
_LISTENING_AT = re.compile(r"listening on (\S+)()")
_PORT = re.compile(r"^(\d+)()$")
_ACCEPT = re.compile(r"ACCEPT (\S+):(\d+)")


class CannotStart(Exception):
    """A server does not come up."""


@dataclass
class Server:
    """A server that runs."""

    name: str
    address: tuple[str, int]
    process: subprocess.Popen[str] | None
    log: IO[str] | None = None
    key_server: "Server | None" = None
    at_the_end: str | None = None
    """What was wrong when it was told to end."""

    def trouble(self) -> str | None:
        """Whether the server or its key server has died, and its last words."""
        if self.at_the_end:
            return self.at_the_end
        if self.process is None or self.process.poll() is None:
            return self.key_server.trouble() if self.key_server else None
        return f"the server ended with status {self.process.returncode}: {self.last_words()}"

    def last_words(self) -> str:
        """The end of what it wrote on standard error."""
        if self.log is None:
            return ""
        self.log.seek(0)
        return self.log.read()[-2000:].strip()


@dataclass(frozen=True)
class Credentials:
    """The server's key and certificate, as PEM files, and those on a curve."""

    key: Path
    certificate: Path
    curve_key: Path = KEYS / "ec-p256.pem"
    curve_certificate: Path = KEYS / "ec-p256.cert.pem"


@dataclass(frozen=True)
class Setup:
    """What a server is asked to do."""

    client_auth: str = "none"
    ephemeral: bool = False
    """Has ephemeral keys, and a second certificate on a curve."""
    renegotiation: bool = False
    tickets: bool = False
    lifetime: int | None = None
    """Seconds for which sessions can be resumed; None for an hour."""
    tls13: bool = False
    """Speaks TLS 1.3 too."""
    early_data: bool = False
    shared_key: bool = False
    """Has the pre-shared key of `SHARED_KEY`."""


SHARED_KEY = Psk(
    b"somebody", bytes.fromhex("5ec2e700a77ac4") * 5, suites13.AES128_GCM, external=True
)
"""What client and server have from outside."""

PLAIN = Setup()
EPHEMERAL = Setup(ephemeral=True)


@contextmanager
def sslprov(
    program: Path,
    credentials: Credentials,
    backend: str,
    setup: Setup,
    *,
    old: bool,
    key_server: bool,
) -> Iterator[Server]:
    """`sslprov serve` on a free port of the loopback interface.

    With `old`, it speaks SSL 3.0, 3DES and RC4 too, which are findings of their own to a scanner.
    With `key_server`, a process of its own has the key.
    """
    command = [str(program), "serve", "--cert", str(credentials.certificate)]
    command += ["--listen", "127.0.0.1:0", "--backend", backend, "--quiet"]
    if old:
        command += ["--allow-ssl3", "--suites", "default,0x000a,0x0005"]
    if setup.client_auth != "none":
        command += ["--client-auth", setup.client_auth]
    if setup.ephemeral:
        command += ["--key-exchange", "ecdhe,dhe,rsa"]
        command += ["--ecdsa-key", str(credentials.curve_key)]
        command += ["--ecdsa-cert", str(credentials.curve_certificate)]
    if setup.renegotiation:
        command += ["--renegotiation"]
    if setup.tickets:
        command += ["--tickets"]
    if setup.lifetime is not None:
        command += ["--session-lifetime", str(setup.lifetime)]
    if setup.early_data:
        command += ["--early-data", str(_EARLY_DATA)]
    with tempfile.TemporaryDirectory() as folder:
        if setup.shared_key:
            keys = Path(folder) / "keys.psk"
            keys.write_text(f"{SHARED_KEY.identity.decode()} {SHARED_KEY.key.hex()} sha256\n")
            command += ["--external-psk", str(keys)]
        if not key_server:
            command += ["--key", str(credentials.key)]
            with _started(backend, command, _LISTENING) as server:
                yield server
            return
        socket = f"{folder}/keys.sock"
        holder = [str(program), "key-server", "--key", str(credentials.key), "--listen", socket]
        holder += ["--backend", backend, "--quiet"]
        if old:
            holder += ["--allow-ssl3"]
        command += ["--key-server", socket]
        with (
            _started(f"{backend} key server", holder, _LISTENING_AT) as keys,
            _started(backend, command, _LISTENING) as server,
        ):
            server.key_server = keys
            yield server


@contextmanager
def in_c(program: Path, index: int, backend: str, client_auth: str) -> Iterator[Server]:
    """The server in C with the provider of this index, in many processes."""
    command = [str(program), "attacked", client_auth]
    environment = os.environ | {"SSL_PROVIDER_TEST_INDEX": str(index)}
    name = f"{backend} in C"
    with _started(name, command, _PORT, environment) as server:
        server.address = "127.0.0.1", int(server.address[0])
        yield server
        # It ends by itself, and says what it has left behind.
        server.process.terminate()
        status = server.process.wait(_START_TIME)
        if status != 0:
            server.at_the_end = f"the server in C ended with {status}: {server.last_words()}"


@contextmanager
def openssl(credentials: Credentials, setup: Setup) -> Iterator[Server]:
    """`openssl s_server`, which has one conversation at a time."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-naccept", "1000000"]
    command += ["-key", str(credentials.key), "-cert", str(credentials.certificate)]
    if setup.ephemeral:
        command += ["-dkey", str(credentials.curve_key)]
        command += ["-dcert", str(credentials.curve_certificate)]
    highest = "TLSv1.3" if setup.tls13 else "TLSv1.2"
    command += ["-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1", "-max_protocol", highest]
    names = "AES_128_GCM_SHA256 AES_256_GCM_SHA384 CHACHA20_POLY1305_SHA256"
    names += " AES_128_CCM_SHA256 AES_128_CCM_8_SHA256"
    command += ["-ciphersuites", ":".join(f"TLS_{name}" for name in names.split())]
    if setup.shared_key:
        command += ["-psk", SHARED_KEY.key.hex(), "-psk_identity", SHARED_KEY.identity.decode()]
    command += [] if setup.renegotiation else ["-no_renegotiation"]
    # In TLS 1.3 this only says whether a ticket holds the session.
    command += [] if setup.tickets or setup.tls13 else ["-no_ticket"]
    asks = {"none": [], "request": ["-verify", "0"], "require": ["-Verify", "0"]}
    command += asks[setup.client_auth]
    with _started("openssl s_server", command, _ACCEPT) as server:
        yield server


@contextmanager
def _started(
    name: str,
    command: list[str],
    sign: re.Pattern[str],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        except FileNotFoundError as error:
            raise CannotStart(f"{command[0]} is not there") from error
        server = Server(name, ("", 0), process, log)
        try:
            server.address = _address(server, command, sign)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(server: Server, command: list[str], sign: re.Pattern[str]) -> tuple[str, int]:
    """Waits for the line that says where the server listens; what follows is thrown away."""
    output = server.process.stdout
    # A server that says nothing is ended, and that ends the loop below.
    timer = threading.Timer(_START_TIME, server.process.kill)
    timer.start()
    try:
        for line in output:
            if found := sign.search(line):
                threading.Thread(target=output.read, daemon=True).start()
                return found[1], int(found[2] or 0)
    finally:
        timer.cancel()
    shown = " ".join(command)
    raise CannotStart(f"`{shown}` does not say where it listens: {server.last_words()}")
