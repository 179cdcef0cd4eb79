"""The classes of conversations. Each module gives its cases for a scope."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from attack.case import Case, Scope
from attack.families import (
    bleichenbacher,
    change_cipher_spec,
    client_certificate,
    client_signatures,
    exchange_order,
    extended_master_secret,
    finished,
    fragmentation,
    hello,
    hostile_certificate,
    hostile_hello,
    hostile_key_exchange,
    hostile_order,
    hostile_records,
    hostile_resumption,
    key_agreement,
    key_exchange,
    order,
    records,
    renegotiation,
    resumption,
    secure_renegotiation,
    signature_algorithms,
    tampering,
    tickets,
)
from attack.families.in_c import DIFFERENCES as IN_C_DIFFERS
from attack.families.in_c import NOT_OFFERED as NOT_IN_C
from attack.servers import EPHEMERAL, PLAIN, Setup
from attack.suites import DHE_RSA_AES128_SHA, ECDHE_RSA_AES128_SHA

__all__ = ["CLIENTS", "IN_C_DIFFERS", "NOT_IN_C", "SERVERS", "Cases", "Part"]

Cases = Callable[[Scope], Iterator[Case]]
Part = tuple[Setup, Cases]
"""Conversations, and how the server is set up that has them."""


def _also_ephemeral(cases: Cases) -> tuple[Part, ...]:
    """Conversations that do not depend on the key exchange, with each kind of it."""

    def with_suites(scope: Scope) -> Iterator[Case]:
        suites = (ECDHE_RSA_AES128_SHA, DHE_RSA_AES128_SHA)
        for suite in suites[:1] if scope.smoke else suites:
            served = [profile for profile in scope.served if profile.suite == suite]
            yield from cases(replace(scope, base=suite, served=served))

    return (PLAIN, cases), (EPHEMERAL, with_suites)


_REQUESTS = Setup(client_auth="request")
_REQUIRES = Setup(client_auth="require")

SERVERS: dict[str, tuple[Part, ...]] = {
    "bleichenbacher": ((PLAIN, bleichenbacher.cases),),
    "key-exchange": ((PLAIN, key_exchange.cases),),
    "key-agreement": ((EPHEMERAL, key_agreement.cases),),
    "extended-master-secret": _also_ephemeral(extended_master_secret.cases),
    "tampering": ((PLAIN, tampering.cases),),
    "finished": _also_ephemeral(finished.cases),
    "change-cipher-spec": _also_ephemeral(change_cipher_spec.cases),
    "fragmentation": ((PLAIN, fragmentation.cases),),
    "order": _also_ephemeral(order.cases),
    "exchange-order": ((EPHEMERAL, exchange_order.cases),),
    "records": ((PLAIN, records.cases),),
    "resumption": _also_ephemeral(resumption.cases),
    "tickets": (
        (Setup(tickets=True, ephemeral=True), tickets.cases),
        (Setup(tickets=True, lifetime=1), tickets.cases_of_expiry),
    ),
    "renegotiation": ((PLAIN, renegotiation.cases),),
    "secure-renegotiation": (
        (Setup(renegotiation=True, ephemeral=True), secure_renegotiation.cases),
    ),
    "hello": ((PLAIN, hello.cases),),
    "signature-algorithms": ((EPHEMERAL, signature_algorithms.cases),),
    "client-certificate": (
        (_REQUESTS, client_certificate.cases_of_request),
        (_REQUIRES, client_certificate.cases_of_require),
    ),
    "client-signatures": ((Setup(client_auth="request", ephemeral=True), client_signatures.cases),),
}
"""Classes of attacks on servers."""

CLIENTS: dict[str, Cases] = {
    "server-hello": hostile_hello.cases,
    "server-certificate": hostile_certificate.cases,
    "server-key-exchange": hostile_key_exchange.cases,
    "server-order": hostile_order.cases,
    "server-records": hostile_records.cases,
    "server-resumption": hostile_resumption.cases,
}
"""Classes of attacks on clients."""
