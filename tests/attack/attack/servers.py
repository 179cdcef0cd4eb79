"""The servers that are attacked: `sslprov serve`, and `openssl s_server` to compare with."""

import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_START_TIME = 30.0
"""Seconds that a server may take to start."""

_LISTENING = re.compile(r"listening on (\S+):(\d+)")
_LISTENING_AT = re.compile(r"listening on (\S+)()")
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

    def trouble(self) -> str | None:
        """Whether the server or its key server has died, and its last words."""
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
    """The server's key and certificate, as PEM files."""

    key: Path
    certificate: Path


@contextmanager
def sslprov(
    program: Path,
    credentials: Credentials,
    backend: str,
    *,
    old: bool,
    client_auth: str,
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
    if client_auth != "none":
        command += ["--client-auth", client_auth]
    if not key_server:
        command += ["--key", str(credentials.key)]
        with _started(backend, command, _LISTENING) as server:
            yield server
        return
    with tempfile.TemporaryDirectory() as folder:
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
def openssl(credentials: Credentials, *, client_auth: str) -> Iterator[Server]:
    """`openssl s_server`, which has one conversation at a time."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-naccept", "1000000"]
    command += ["-key", str(credentials.key), "-cert", str(credentials.certificate)]
    command += ["-cipher", "ALL:@SECLEVEL=0", "-min_protocol", "TLSv1", "-max_protocol", "TLSv1.2"]
    command += ["-no_renegotiation"]
    command += {"none": [], "request": ["-verify", "0"], "require": ["-Verify", "0"]}[client_auth]
    with _started("openssl s_server", command, _ACCEPT) as server:
        yield server


@contextmanager
def _started(name: str, command: list[str], sign: re.Pattern[str]) -> Iterator[Server]:
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
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
