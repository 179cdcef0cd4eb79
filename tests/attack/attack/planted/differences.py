"""Where tlslite-ng's server differs from ours, so that conversations find it without a fault."""

_WAITS = "waits for the rest of what it takes for a message"
_WITHIN = "takes another type of record within a message"
_VERSIONS = "does not look at the version of a record"

DIFFERENCES: dict[str, dict[str, str]] = {
    "key-exchange": {
        "message with the first byte of another": _WAITS,
        r"ciphertext (of \d+ bytes?|cut by|with a zero|twice)": "has an alert for another length",
    },
    "tls13-downgrade": {"TLS 1.3: no mark": "has other certificates in TLS 1.3"},
    "tls13-tickets": {"TLS 1.2 as one|as one of TLS 1.2": "the one of TLS 1.3 has no TLS 1.2"},
    "key-agreement": {"a good point, . plus p": "ends without an alert"},
    "exchange-order": {
        r"TLS 1\.\d AES_128_CBC_SHA: (a point with a length|an identity)": (
            "has an alert for another length"
        ),
    },
    "signature-algorithms": {
        " DHE_RSA_AES_128_CBC_SHA: only the groups": "says insufficient_security",
    },
    "tickets": {
        "another name|of no name|its first part": "refuses, where a full handshake is expected",
        "of a name, without one": "does not mind",
        "encrypt-then-MAC dropped": "does not speak it here",
        "a NewSessionTicket of the client": "takes a ticket from a client",
    },
    "secure-renegotiation": {"renegotiation_info: no content": "has an alert of its own"},
    "client-signatures": {
        "called 0x(0301|0303|0804|0805|0806)": "asks for SHA-224 and PSS",
        "PSS, which was not asked for": "asks for SHA-224 and PSS",
    },
    "change-cipher-spec": {"never, Finished protected": _WAITS},
    "order": {
        r"record of type \d+ ": "has other alerts for unknown types",
        "NewSessionTicket after ClientKeyExchange": "takes a ticket from a client",
        "Finished and the beginning of another message": _WITHIN,
        "application data within a message after the handshake": _WITHIN,
        "half an alert, then ChangeCipherSpec": _WITHIN,
    },
    "records": {
        "first record of version": _VERSIONS,
        "ClientKeyExchange in a record of version": _VERSIONS,
        "as byte . of its version": _VERSIONS,
        "after warnings of every number": "ends a connection for a warning",
    },
    "resumption": {
        "resumed under another name": "refuses, where a full handshake is expected",
    },
    "hello": {
        "hello of SSL 2.0 with (a challenge of (15|33) bytes|a byte too many)": "takes them",
        "twice$": "takes an extension twice, or ends without an alert",
        "extension heartbeat": "speaks it",
        "extension supported versions": "refuses, since it knows TLS 1.3",
        "server_name: (the longest|bytes that|a name of)": "refuses names that it does not know",
        "signature_algorithms: only": "wants one that it knows, though nothing is signed",
    },
    "client-certificate": {"a certificate with a byte too many": "takes it"},
}
"""Patterns of the names of such conversations in a class, and what tlslite-ng does there."""

CLIENT_AGREES: dict[str, tuple[str, ...]] = {
    "server-hello": (
        "an honest server",
        "version 0x(0000|0300|0304|0305|0400|fefd|feff|ffff)$",
        "the mark of a",
        "the suite 0x....: ",
        "compression method",
        r"first \d+ bytes of a ServerHello",
    ),
    "tls13-server-downgrade": ("TLS 1.2 .*: the mark b", "TLS 1.[12] .*: no mark"),
    "server-certificate": (
        "one that is not trusted",
        "one for another key",
        r"byte \d+ changed",
        r"its first \d+ bytes",
        "itself twice",
    ),
    "server-key-exchange": (
        "of the signature changed",
        "by another key",
        "signed: ",
        "of another connection",
        "the curve .*, never offered",
        "share: [^lpm]",
        "a prime of (512|513|768) bits",
        "g = [01]$",
        "(x25519|secp256r1): (0|1|infinity|zeros|byte 1 changed)",
        r"parts of a ServerKeyExchange",
    ),
    "server-order": (
        "(Certificate|ServerHelloDone|ServerHello|Finished) "
        "(first|after ServerHello|before ServerHelloDone)$",
        "ChangeCipherSpec (first|after ServerHello|after Certificate)$",
        "^[^:]*: application data ",
        r"byte \d+ of Finished changed",
        "Finished of zeros",
        "Finished in the clear$",
        "no close_notify",
        "fatal .* (first|after ServerHello)",
    ),
    "server-records": (
        "AES_128_CBC_SHA: byte .* of a record changed",
        "a record with",
        "a record twice",
        "a record left out",
        "every message in records of",
        "a record of the greatest length",
        "a record of a byte more",
    ),
    "server-resumption": (
        "by id: (resumed|not resumed)$",
        "by id: another master secret",
        r"by id: byte \d+ of Finished changed",
        "by id: data before Finished",
    ),
}
"""Patterns of the names of conversations in a class that tlslite-ng's client has as ours does.

It takes much that it did not ask for, and is not told apart by its alerts elsewhere.
"""
