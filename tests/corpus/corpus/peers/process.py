"""Peers that are other programs: started on a loopback port, with the pump in between.

Each writes an NSS key log where the environment variable SSLKEYLOGFILE says, or tells the master
secret in its own way.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from corpus.conversation import PeerFailure

_START_SECONDS = 10.0
_READ_SIZE = 65536

Secrets = dict[bytes, bytes]


@dataclass(frozen=True)
class Program:
    """How to start a peer. In `command`, `{port}` stands for the port."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    script: "Script" = ()
    """What to write to its standard input, and what to wait for before each."""
    directory: tempfile.TemporaryDirectory | None = None
    """Files the program needs; kept alive as long as this value."""


class ProcessEndpoint:
    """What both sides share: a connected socket, a process behind it, and its output."""

    waits = True

    def __init__(self, program: Program) -> None:
        self.name = program.name
        self._program = program
        self._directory = tempfile.TemporaryDirectory(prefix="corpus-")
        self._key_log = Path(self._directory.name) / "keys"
        self._output = (Path(self._directory.name) / "output").open("w+b")
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._unsent = b""
        self._end_is_due = False
        self._closed = False
        self._script = list(program.script)

    @property
    def closed(self) -> bool:
        return self._closed

    def master_secrets(self) -> Secrets:
        return read_key_log(self._key_log)

    def output(self) -> str:
        """What the program has printed so far."""
        self._output.seek(0)
        return self._output.read().decode("utf-8", "replace")

    def feed(self, data: bytes) -> None:
        self._unsent += data
        self._send()

    def feed_end(self) -> None:
        self._end_is_due = True
        self._send()

    def advance(self) -> bytes:
        if self._socket is None or self._closed:
            return b""
        if self._script and self._script[0][0](self):
            self._write_input(self._script.pop(0)[1])
        self._send()
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return b""
        except ConnectionResetError:
            data = b""
        self._closed = not data
        return data

    def release(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._end_process(self._process)

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [part.replace("{port}", str(port)) for part in self._program.command]
        environment = {
            **os.environ,
            "SSLKEYLOGFILE": str(self._key_log),
            **self._program.environment,
        }
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self._directory.name,
        )
        return self._process

    def _write_input(self, data: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        # A program that ended has said all it wanted; whether that was enough is checked later.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def failure(self, what: str) -> PeerFailure:
        tail = " | ".join(self.output().strip().splitlines()[-3:])
        return PeerFailure(f"{self.name} {what}: {tail}")

    def _send(self) -> None:
        if self._socket is None:
            return
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            if self._end_is_due:
                self._end_is_due = False
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:
            # The program closed first; what is left to say reaches nobody.
            self._unsent = b""

    def _end_process(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


Cue = Callable[[ProcessEndpoint], bool]
Script = tuple[tuple[Cue, bytes], ...]


def at_once(_endpoint: ProcessEndpoint) -> bool:
    """Wait for nothing."""
    return True


def sessions(count: int) -> Cue:
    """Wait until the program's key log has that many sessions."""
    return lambda endpoint: len(endpoint.master_secrets()) >= count


def printed(text: bytes) -> Cue:
    """Wait until the program has printed a text."""
    return lambda endpoint: text.decode("ascii") in endpoint.output()


class ClientProcess(ProcessEndpoint):
    """A client program: it connects to a port that we listen on."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._start(self._listener.getsockname()[1])

    def advance(self) -> bytes:
        if self._socket is None:
            self._accept()
        return super().advance()

    def release(self) -> None:
        self._listener.close()
        super().release()

    def _accept(self) -> None:
        try:
            self._socket, _address = self._listener.accept()
        except BlockingIOError:
            if self._process is not None and self._process.poll() is not None:
                raise self.failure("ended before it connected") from None
            return
        self._socket.setblocking(False)


class ServerProcess(ProcessEndpoint):
    """A server program: started for one connection, which we make."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        port = _free_port()
        process = self._start(port)
        deadline = time.monotonic() + _START_SECONDS
        while self._socket is None:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=1)
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    self.release()
                    raise self.failure("does not listen") from None
                time.sleep(0.01)
        self._socket.setblocking(False)


def read_key_log(path: Path) -> Secrets:
    """The CLIENT_RANDOM lines of an NSS key log; empty if there is no such file."""
    secrets: Secrets = {}
    if not path.exists():
        return secrets
    for line in path.read_text("ascii").splitlines():
        fields = line.split()
        # Stacks also log `RSA` lines, and other labels for TLS 1.3.
        if len(fields) == 3 and fields[0] == "CLIENT_RANDOM":
            secrets[bytes.fromhex(fields[1])] = bytes.fromhex(fields[2])
    return secrets


@cache
def version_line(*command: str) -> str | None:
    """The first line a program prints, or None if it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0] if lines else command[0]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
