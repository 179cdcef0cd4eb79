"""What the server in C does not offer, and where it differs from `sslprov serve`.

It is the library that is attacked through it. Its own reading of hellos is that of a test program.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from attack.case import Case
from attack.reply import CLOSED, Expectation, Reply

NOT_OFFERED = frozenset(
    {
        "resumption",
        "tickets",
        "renegotiation",
        "secure-renegotiation",
        "tls13-hello",
        "tls13-key-share",
        "tls13-downgrade",
        "tls13-retry",
        "tls13-psk",
        "tls13-tickets",
        "tls13-early-data",
        "tls13-order",
        "tls13-change-cipher-spec",
        "tls13-fragmentation",
        "tls13-records",
        "tls13-finished",
        "tls13-key-update",
        "tls13-client-certificate",
    }
)
"""Classes about sessions that come back, about second handshakes, and about TLS 1.3."""

_SHORT = "takes messages of 4 KiB at most"
_NO_GOODBYE = "answers no alert, and takes any for the end"
_NOT_READ = "does not read the whole list"
_FORM = "has another alert for a field that is missing"


@dataclass(frozen=True)
class Differences:
    """Patterns of the names of such conversations in a class, and what the server does there."""

    differs: Mapping[str, Mapping[str, str]]
    """It ends the connection, perhaps after a page."""
    left_out: Mapping[str, tuple[str, ...]]
    """It goes on, and waits for the rest of a handshake; or it lacks what they are about."""

    def judged(self, family: str, cases: Iterable[Case]) -> Iterator[Case]:
        """The cases that mean something; of those that differ, only that they end orderly."""
        left_out = self.left_out.get(family, ())
        differs = self.differs.get(family, {})
        for case in cases:
            if any(re.search(names, case.name) for names in left_out):
                continue
            found = (why for names, why in differs.items() if re.search(names, case.name))
            why = next(found, None)
            if why is None:
                yield case
            else:
                yield replace(case, expected=_ends(why), group="")


def _ends(why: str) -> Expectation:
    def accepts(reply: Reply) -> bool:
        return reply.end == CLOSED

    return Expectation(f"closed, since the server {why}", accepts)


DIFFERENCES = Differences(
    differs={
        "key-exchange": {r"ciphertext of (4096|\d{5}) bytes": _SHORT},
        "order": {"half an alert, then ChangeCipherSpec": _NO_GOODBYE},
        "records": {
            r"1(638[5-9]|6[4-9]\d\d|[78]\d\d\d) bytes": "knows one failure of records only",
            "a request of 16384 bytes": _SHORT,
            "empty alert record": _NO_GOODBYE,
            "data in a record with 0x.. as byte": "does not look at the minor version of a record",
            "close_notify": _NO_GOODBYE,
            "after warnings of every number": _NO_GOODBYE,
        },
        "hello": {
            "with the fallback signal": "does not know it",
            "only a suite with Diffie-Hellman": "has it",
            "hello of SSL 2.0": "does not read it",
            "as many extensions as there is room for": _SHORT,
            "extension .* twice": _NOT_READ,
            "server_name: ": "passes names over",
            "signature_algorithms: ": _NOT_READ,
        },
        "key-agreement": {
            "the message: empty share": _FORM,
            "as much as there is room for": _SHORT,
            "zeros before the number": "takes a number as long as p at most",
        },
        "signature-algorithms": {
            "(groups|schemes): ": _NOT_READ,
            "point formats: ": _NOT_READ,
        },
        "client-certificate": {
            "an empty certificate": _FORM,
            "an empty CertificateVerify": _FORM,
        },
        "client-signatures": {
            "both numbers without DER": "takes them, as SslVerifySignature does",
            "the message: (no content|one byte)": _FORM,
        },
    },
    left_out={
        "extended-master-secret": ("resumed", r"extension with \d+ bytes"),
        "finished": ("resumed",),
        "order": ("ClientKeyExchange and Finished in one record",),
        "records": ("among a hundred connections",),
        "hello": (
            "half a suite$",
            "extensions: the same twice",
            "what the ServerHello has in it",
            "random and session id anew",
            "a ClientHello of the greatest length",
        ),
        "signature-algorithms": (
            "only the groups (29|24, 25|511|300)",
            "only the scheme 0x(0804|0501|0201|0503|0203)$",
            "no schemes$",
            "a scheme (among|many times)",
        ),
        "client-certificate": ("a certificate with a byte too many", "in a session that has one"),
    },
)
