"""The whole matrix: every version, suite and feature that two stacks of this machine share."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from corpus import link, pcap
from corpus.capture import Capture
from corpus.cell import Cell
from corpus.conversation import PeerFailure, PeerMissing
from corpus.manifest import Skipped, Verdict
from corpus.stacks import Stacks
from corpus.suites import SUITES, Suite, Version

_TLS = (Version.TLS1_0, Version.TLS1_1, Version.TLS1_2)
_SSL3_AND_TLS = (Version.SSL3, *_TLS)


@dataclass(frozen=True)
class Ability:
    """What a stack can be asked for."""

    versions: tuple[Version, ...]
    has: Callable[[Suite], bool]
    etm: bool
    client_auth: bool
    keys: tuple[str, ...] = ("server-2048",)
    slow: bool = False


_ALL_KEYS = ("server-2048", "server-3072", "server-4096")

ABILITIES = {
    "openssl": Ability(
        _TLS, lambda s: s.openssl is not None and not s.openssl_legacy, True, True, _ALL_KEYS
    ),
    "tlslite": Ability(_SSL3_AND_TLS, lambda s: s.tlslite is not None, True, True, _ALL_KEYS),
    "gnutls": Ability(_TLS, lambda s: s.gnutls is not None, True, True, _ALL_KEYS),
    "nss": Ability(_SSL3_AND_TLS, lambda s: s.nss, False, False),
    "jsse": Ability(_SSL3_AND_TLS, lambda s: s.jsse, False, False, slow=True),
    "openssl-cli": Ability(_TLS, lambda s: s.openssl_legacy, True, False),
}

# NSS tells no secrets, so it needs a counterpart that does; `openssl-cli` has only itself.
_NO_ORACLE = "nss"
_ALONE = "openssl-cli"

# File formats and link layers in turn, so that the matrix crosses those as well.
_FORMS = (
    pcap.PCAP, pcap.PCAPNG, pcap.PCAP_NANOSECONDS, pcap.PCAP_BIG_ENDIAN, pcap.PCAP_GZ,
    pcap.PCAPNG_BIG_ENDIAN,
)  # fmt: skip
_LINKS = (link.ETHERNET, link.LINUX_COOKED, link.RAW_IP, link.VLAN, link.LINUX_COOKED_2)
_OPEN_AT_ONCE = 8


@dataclass(frozen=True)
class PairResult:
    """The capture of one pair of stacks, and the cells that are not in it."""

    capture: Capture
    skipped: list[Skipped]
    failed: list[Skipped]


def pairs(stacks: list[str]) -> list[tuple[str, str]]:
    """The pairs of client and server that can be recorded."""
    return [
        (client, server)
        for client, server in itertools.product(stacks, stacks)
        if not (client == server == _NO_ORACLE)
        and (client == server or _ALONE not in (client, server))
    ]


def record_pair(stacks: Stacks, client: str, server: str, number: int) -> PairResult:
    """Records all cells of a pair; `number` picks the file format."""
    capture = Capture(
        f"matrix-{client}-{server}",
        _FORMS[number % len(_FORMS)],
        links=(_LINKS[number % len(_LINKS)],),
        ipv6=number % 2 == 1,
        at_once=_OPEN_AT_ONCE,
        keys=_ALL_KEYS,
        about=f"Every version, suite and feature that {client} as client and {server} share.",
    )
    result = PairResult(capture, [], [])
    for cell in cells(client, server):
        try:
            capture.add(stacks.record(cell), Verdict.PROVEN, str(cell))
        except PeerMissing as missing:
            result.skipped.append(Skipped(str(cell), missing.reason))
        except PeerFailure as failure:
            result.failed.append(Skipped(str(cell), failure.reason))
    return result


def cells(client: str, server: str) -> Iterator[Cell]:
    """The matrix of one pair."""
    one, other = ABILITIES[client], ABILITIES[server]
    etm_choices = (True, False) if one.etm and other.etm else (False,)
    slow = one.slow or other.slow
    for version in sorted(set(one.versions) & set(other.versions)):
        suites = [s for s in SUITES if s.allowed_in(version) and one.has(s) and other.has(s)]
        for number, suite in enumerate(suites):
            for ems in _ems_choices(version, slow, number):
                for etm in etm_choices if suite.cbc and version > Version.SSL3 else (False,):
                    yield Cell(version, suite, client, server, ems, etm)
        if suites:
            yield from _variations(version, suites[-1], client, server)


def _ems_choices(version: Version, slow: bool, number: int) -> tuple[bool, ...]:
    """Both; with a slow peer one of them, in turn."""
    if version == Version.SSL3:
        return (False,)
    return (number % 2 == 0,) if slow else (True, False)


def _variations(version: Version, suite: Suite, client: str, server: str) -> Iterator[Cell]:
    """What is crossed with one suite per version only: client certificates, keys, offers."""
    one, other = ABILITIES[client], ABILITIES[server]
    tls = version > Version.SSL3
    etm = one.etm and other.etm and suite.cbc and tls
    if one.client_auth and other.client_auth and tls:
        yield Cell(version, suite, client, server, tls, etm, client_auth=True)
    for key in other.keys[1:]:
        yield Cell(version, suite, client, server, tls, etm, server_key=key)
    for offered in one.versions:
        if offered > version and tls and _ALONE not in (client, server):
            yield Cell(version, suite, client, server, tls, etm, offered=offered)
    # JSSE as a server refuses such a hello for TLS 1.2.
    if client == "jsse" and (
        server == "openssl" or (server == "jsse" and version < Version.TLS1_2)
    ):
        yield Cell(version, suite, client, server, False, False, sslv2_hello=True)
