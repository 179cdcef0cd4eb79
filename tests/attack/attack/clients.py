"""The client that is attacked: `sslprov connect`, once for each conversation, with limits on it."""

import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import IO, Any, Protocol

from attack.client import REQUEST
from attack.hostile import GoneAway
from attack.peer import PATIENCE, Link
from attack.reply import Event, Reply, shown
from attack.signatures import KEYS

TIMEOUT = 15
"""Seconds that the client is told to wait at most."""
MEMORY = 96 << 20
"""Bytes of data that the client may have at most; an honest conversation takes a tenth."""

AT_A_TIME = 2 * (os.cpu_count() or 1)
"""Clients that run at a time."""

Script = Callable[[Any], None]
"""What a server does, of a version of TLS that the plan has."""


class Plans(Protocol):
    """A server to be met."""

    key: str

    def serve(self, connected: socket.socket, rng: Random) -> Link: ...


class Started(Protocol):
    """A client that runs."""

    def wait(self, seconds: float) -> str | None:
        """How it ended, in words; None if it has not ended in time, and then it is ended."""

    def delivered(self) -> bytes:
        """What came out of it."""

    def close(self) -> None:
        """Forgets all of it."""


class StartsClient(Protocol):
    """Starts a client for a port."""

    def start(self, port: int, plan: Plans, options: tuple[str, ...]) -> Started: ...


@dataclass(frozen=True)
class Program:
    """`sslprov connect` with a backend."""

    path: Path
    backend: str

    def start(self, port: int, plan: Plans, options: tuple[str, ...]) -> "Process":
        command = [str(self.path), "connect", f"127.0.0.1:{port}", "--backend", self.backend]
        command += ["--pipe", "--json"]
        if "--timeout" not in options:
            command += ["--timeout", str(TIMEOUT)]
        if "--insecure" not in options:
            # The server's own certificate is the one to trust.
            command += ["--ca-file", str(KEYS / f"{plan.key}.cert.pem")]
        if "--server-name" not in options:
            command += ["--server-name", f"{plan.key}.test"]
        return Process([*command, *options])


@dataclass(frozen=True)
class SClient:
    """`openssl s_client`, to compare with: its exit codes are less exact."""

    backend: str = "s_client"

    def start(self, port: int, plan: Plans, options: tuple[str, ...]) -> "Process":
        if "--resume" in options:
            raise ConnectionError("s_client connects once")
        del options
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-ign_eof"]
        command += ["-verify_return_error", "-CAfile", str(KEYS / f"{plan.key}.cert.pem")]
        return Process([*command, "-servername", f"{plan.key}.test"])


class Process:
    """A client in a process of its own."""

    def __init__(self, command: list[str]) -> None:
        self._files = ExitStack()
        self._output, self._report = (self._file() for _ in range(2))
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._output, stderr=self._report
        )
        with suppress(ProcessLookupError):
            limits = resource.RLIMIT_DATA, (MEMORY, MEMORY)
            resource.prlimit(self._process.pid, *limits)
        with suppress(BrokenPipeError):
            self._process.stdin.write(REQUEST)
            self._process.stdin.close()

    def _file(self) -> IO[bytes]:
        # It is closed with the others.
        return self._files.enter_context(tempfile.TemporaryFile())

    def wait(self, seconds: float) -> str | None:
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit code {status}"

    def delivered(self) -> bytes:
        self._output.seek(0)
        return self._output.read()

    def close(self) -> None:
        self._files.close()


class ClientLab:
    """What one conversation works with: a client to be started, and random numbers of its own."""

    def __init__(self, program: StartsClient, rng: Random) -> None:
        self.rng = rng
        self._program = program
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)

    def meet(
        self,
        plan: Plans,
        *scripts: Script,
        options: tuple[str, ...] = (),
        patience: float = PATIENCE,
        return_time: float = PATIENCE,
    ) -> Reply:
        """Starts the client, and has a script with each of its connections.

        The reply is what it did since the last mark, what it delivered, and how it ended. It may
        take `return_time` seconds for another connection.
        """
        port = self._listener.getsockname()[1]
        start = time.monotonic()
        client = self._program.start(port, plan, options)
        events: tuple[Event, ...] = ()
        try:
            for script in scripts:
                connected, _ = self._listener.accept()
                self._listener.settimeout(return_time)
                server = plan.serve(connected, self.rng)
                try:
                    script(server)
                    events = server.reply().events
                finally:
                    server.close()
        except (GoneAway, TimeoutError) as reason:
            events = (Event("the conversation did not get to the point", str(reason)),)
        finally:
            end = client.wait(max(patience - (time.monotonic() - start), 0.1))
        if delivered := client.delivered():
            events = (*events, _delivery(delivered))
        client.close()
        return Reply(events, end or f"still running after {patience:.0f} s")

    def close(self) -> None:
        self._listener.close()


def _delivery(delivered: bytes) -> Event:
    return Event("delivered", f"{len(delivered)} bytes: {shown(delivered)}")
