"""OpenSSL through `openssl s_client` and `s_server`, for what Python's ssl module cannot ask for:
renegotiation, and the suites of the legacy provider (SEED)."""

import tempfile
from pathlib import Path

from corpus.keys import KeyPair
from corpus.peers.memory import REQUEST, RESPONSE
from corpus.peers.openssl import NAME, Settings
from corpus.peers.process import ClientProcess, Program, Script, ServerProcess, printed, sessions
from corpus.suites import Version

_VERSION_FLAGS = {Version.TLS1_0: "-tls1", Version.TLS1_1: "-tls1_1", Version.TLS1_2: "-tls1_2"}


def client(settings: Settings, *, renegotiate: bool = False) -> ClientProcess:
    """`s_client`; if it renegotiates, then between the handshake and the request."""
    # s_client takes a letter for a command only at the start of a read: it comes alone.
    handshakes = 2 if renegotiate else 1
    script: Script = ((sessions(handshakes), REQUEST), (printed(RESPONSE[-13:]), b"Q\n"))
    if renegotiate:
        script = ((sessions(1), b"R\n"), *script)
    command = ["openssl", "s_client", "-connect", "127.0.0.1:{port}", *_arguments(settings)]
    return ClientProcess(_program(settings, command, script))


def server(settings: Settings, server_key: KeyPair, *, renegotiate: bool = False) -> ServerProcess:
    """`s_server`; if it renegotiates, then by a HelloRequest before its response."""
    script: Script = ((printed(REQUEST[:14]), RESPONSE),)
    if renegotiate:
        script = ((sessions(1), b"r\n"), (sessions(2), RESPONSE))
    command = [
        "openssl", "s_server", "-accept", "127.0.0.1:{port}", "-naccept", "1",
        # Without a cache the renegotiation is a full handshake.
        "-no_cache", "-key", str(server_key.key), "-cert", str(server_key.cert),
        *_arguments(settings),
    ]  # fmt: skip
    return ServerProcess(_program(settings, command, script))


def _program(settings: Settings, command: list[str], script: Script) -> Program:
    """EMS and EtM have no command-line option in OpenSSL 3.0, only a configuration."""
    directory = tempfile.TemporaryDirectory(prefix="corpus-openssl-")
    configuration = Path(directory.name) / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = main\n"
        "[main]\nssl_conf = ssl\n"
        "[ssl]\nsystem_default = options\n"
        f"[options]\nOptions = {'' if settings.ems else '-'}ExtendedMasterSecret,"
        f"{'' if settings.etm else '-'}EncryptThenMac\n",
        "ascii",
    )
    environment = {"OPENSSL_CONF": str(configuration)}
    return Program(NAME, command, environment, script, directory)


def _arguments(settings: Settings) -> list[str]:
    arguments = [
        "-provider", "default", "-provider", "legacy", "-keylogfile", "keys",
        "-cipher", f"{settings.ciphers}:@SECLEVEL=0", _VERSION_FLAGS[settings.highest],
    ]  # fmt: skip
    if not settings.tickets:
        arguments.append("-no_ticket")
    return arguments
