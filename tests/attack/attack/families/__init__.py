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
from attack.families.tls13 import change_cipher_spec as change_cipher_spec_13
from attack.families.tls13 import client_certificate as client_certificate_13
from attack.families.tls13 import early_data as early_data_13
from attack.families.tls13 import finished as finished_13
from attack.families.tls13 import fragmentation as fragmentation_13
from attack.families.tls13 import hello as hello_13
from attack.families.tls13 import hostile_certificate as hostile_certificate_13
from attack.families.tls13 import hostile_early_data as hostile_early_data_13
from attack.families.tls13 import hostile_hello as hostile_hello_13
from attack.families.tls13 import hostile_order as hostile_order_13
from attack.families.tls13 import hostile_records as hostile_records_13
from attack.families.tls13 import hostile_resumption as hostile_resumption_13
from attack.families.tls13 import key_update as key_update_13
from attack.families.tls13 import order as order_13
from attack.families.tls13 import psk as psk_13
from attack.families.tls13 import records as records_13
from attack.families.tls13 import retry as retry_13
from attack.families.tls13 import tickets as tickets_13
from attack.servers import EPHEMERAL, PLAIN, Setup
from attack.suites import DHE_RSA_AES128_SHA, ECDHE_RSA_AES128_SHA

__all__ = ["CLIENTS", "IN_C_DIFFERS", "NOT_IN_C", "PROTOCOL_ONLY", "SERVERS", "Cases", "Part"]

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
_TLS13 = Setup(tls13=True, ephemeral=True, tickets=True)
_REQUESTS_13 = replace(_TLS13, client_auth="request")
_REQUIRES_13 = replace(_TLS13, client_auth="require")

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
    "tls13-hello": ((_TLS13, hello_13.cases),),
    "tls13-key-share": ((_TLS13, hello_13.cases_of_shares),),
    "tls13-downgrade": ((_TLS13, hello_13.cases_of_downgrade),),
    "tls13-retry": ((_TLS13, retry_13.cases),),
    "tls13-psk": (
        (_TLS13, psk_13.cases),
        (replace(_TLS13, shared_key=True), psk_13.cases_of_external),
    ),
    "tls13-tickets": (
        (_TLS13, tickets_13.cases),
        (replace(_TLS13, lifetime=2), tickets_13.cases_of_expiry),
    ),
    "tls13-early-data": (
        (replace(_TLS13, early_data=True), early_data_13.cases),
        (_TLS13, early_data_13.cases_of_refusal),
    ),
    "tls13-order": ((_TLS13, order_13.cases),),
    "tls13-change-cipher-spec": ((_TLS13, change_cipher_spec_13.cases),),
    "tls13-fragmentation": (
        (_TLS13, fragmentation_13.cases),
        (_REQUESTS_13, fragmentation_13.cases_with_certificate),
    ),
    "tls13-records": ((_TLS13, records_13.cases),),
    "tls13-finished": ((_TLS13, finished_13.cases),),
    "tls13-key-update": ((_TLS13, key_update_13.cases),),
    "tls13-client-certificate": (
        (_REQUESTS_13, client_certificate_13.cases_of_request),
        (_REQUIRES_13, client_certificate_13.cases_of_require),
        (_TLS13, client_certificate_13.cases_unasked),
    ),
}
"""Classes of attacks on servers."""

PROTOCOL_ONLY = frozenset(
    {
        "tls13-hello",
        "tls13-downgrade",
        "tls13-retry",
        "tls13-psk",
        "tls13-tickets",
        "tls13-early-data",
        "tls13-order",
        "tls13-change-cipher-spec",
        "tls13-fragmentation",
        "tls13-key-update",
    }
)
"""Classes of TLS 1.3 in which little depends on the backend; a short run has them with one."""

CLIENTS: dict[str, Cases] = {
    "server-hello": hostile_hello.cases,
    "server-certificate": hostile_certificate.cases,
    "server-key-exchange": hostile_key_exchange.cases,
    "server-order": hostile_order.cases,
    "server-records": hostile_records.cases,
    "server-resumption": hostile_resumption.cases,
    "tls13-server-hello": hostile_hello_13.cases,
    "tls13-server-retry": hostile_hello_13.cases_of_retry,
    "tls13-server-downgrade": hostile_hello_13.cases_of_downgrade,
    "tls13-server-certificate": hostile_certificate_13.cases,
    "tls13-server-order": hostile_order_13.cases,
    "tls13-server-finished": hostile_order_13.cases_of_finished,
    "tls13-server-key-update": hostile_order_13.cases_of_key_update,
    "tls13-server-records": hostile_records_13.cases,
    "tls13-server-resumption": hostile_resumption_13.cases,
    "tls13-server-early-data": hostile_early_data_13.cases,
}
"""Classes of attacks on clients."""
