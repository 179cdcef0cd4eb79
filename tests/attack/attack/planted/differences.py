"""Where tlslite-ng's server differs from ours, so that conversations find it without a fault."""

_WAITS = "waits for the rest of what it takes for a message"
_WITHIN = "takes another type of record within a message"
_VERSIONS = "does not look at the version of a record"

DIFFERENCES: dict[str, dict[str, str]] = {
    "key-exchange": {
        "message with the first byte of another": _WAITS,
        r"ciphertext (of \d+ bytes?|cut by|with a zero|twice)": "has an alert for another length",
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
