"""GnuTLS through its own programs, gnutls-cli and gnutls-serv."""

from dataclasses import dataclass

from corpus.conversation import PeerMissing
from corpus.keys import KeyPair
from corpus.peers.memory import REQUEST
from corpus.peers.process import ClientProcess, Program, ServerProcess, at_once, version_line
from corpus.suites import Suite, Version

_VERSIONS = {
    Version.TLS1_0: "VERS-TLS1.0",
    Version.TLS1_1: "VERS-TLS1.1",
    Version.TLS1_2: "VERS-TLS1.2",
}


@dataclass(frozen=True)
class Settings:
    """What a side allows and demands."""

    suite: Suite
    lowest: Version
    highest: Version
    ems: bool = True
    etm: bool = True

    def priority(self) -> str:
        """A GnuTLS priority string with exactly these."""
        if self.suite.gnutls is None:
            raise PeerMissing(f"GnuTLS does not implement {self.suite.name}")
        cipher, mac = self.suite.gnutls
        parts = ["NONE", "+RSA", f"+{cipher}", f"+{mac}", "+SIGN-ALL", "+COMP-NULL", "+CTYPE-X509"]
        for version, name in _VERSIONS.items():
            if self.lowest <= version <= self.highest:
                parts.append(f"+{name}")
        if not self.ems:
            parts.append("%NO_SESSION_HASH")
        if not self.etm:
            parts.append("%NO_ETM")
        if Version.SSL3 in range(self.lowest, self.highest + 1):
            raise PeerMissing("GnuTLS of this machine has no SSL 3.0")
        return ":".join(parts)


def name() -> str:
    line = version_line("gnutls-cli", "--version")
    if line is None:
        raise PeerMissing("gnutls-cli is not installed; its package is called `gnutls-bin`")
    return f"GnuTLS {line.split()[-1]}"


def client(settings: Settings, client_key: KeyPair | None) -> ClientProcess:
    command = [
        "gnutls-cli", "--insecure", "--port", "{port}", "--priority", settings.priority(),
        "--disable-sni",
    ]  # fmt: skip
    if client_key is not None:
        command += ["--x509keyfile", str(client_key.key), "--x509certfile", str(client_key.cert)]
    return ClientProcess(Program(name(), [*command, "127.0.0.1"], script=((at_once, REQUEST),)))


def server(settings: Settings, server_key: KeyPair, client_auth: bool) -> ServerProcess:
    command = [
        "gnutls-serv", "--http", "--quiet", "--port", "{port}",
        "--priority", settings.priority(),
        "--x509keyfile", str(server_key.key), "--x509certfile", str(server_key.cert),
    ]  # fmt: skip
    command.append("--require-client-cert" if client_auth else "--disable-client-cert")
    return ServerProcess(Program(name(), command))
