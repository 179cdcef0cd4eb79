"""The classes of conversations. Each module gives its cases for a scope."""

from collections.abc import Callable, Iterator

from attack.case import Case, Scope
from attack.families import (
    bleichenbacher,
    change_cipher_spec,
    client_certificate,
    extended_master_secret,
    finished,
    fragmentation,
    hello,
    key_exchange,
    order,
    records,
    renegotiation,
    resumption,
    tampering,
)

Cases = Callable[[Scope], Iterator[Case]]

FAMILIES: dict[str, Cases] = {
    "bleichenbacher": bleichenbacher.cases,
    "key-exchange": key_exchange.cases,
    "extended-master-secret": extended_master_secret.cases,
    "tampering": tampering.cases,
    "finished": finished.cases,
    "change-cipher-spec": change_cipher_spec.cases,
    "fragmentation": fragmentation.cases,
    "order": order.cases,
    "records": records.cases,
    "resumption": resumption.cases,
    "renegotiation": renegotiation.cases,
    "hello": hello.cases,
}

ASKING: dict[str, dict[str, Cases]] = {
    "client-certificate": {
        "request": client_certificate.cases_of_request,
        "require": client_certificate.cases_of_require,
    },
}
"""Classes for servers that ask for a certificate, by how they do."""
