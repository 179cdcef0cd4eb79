"""The classes of conversations. Each module gives its cases for a scope."""

from collections.abc import Callable, Iterator

from attack.case import Case, Scope
from attack.families import (
    bleichenbacher,
    change_cipher_spec,
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

FAMILIES: dict[str, Callable[[Scope], Iterator[Case]]] = {
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
