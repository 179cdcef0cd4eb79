"""Tickets of TLS 1.3 that are altered, replayed, of another version or too old.

A ticket that is not taken is no error: a full handshake follows, and nothing says why (RFC 8446
section 4.6.1).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Session
from attack.reply import Reply, completes
from attack.suites import ECDHE_RSA_AES128_SHA, Profile
from attack.tls13.schedule import Psk
from attack.tls13.suites import AES128_GCM, CHACHA20
from attack.wire import FATAL, Alert, Version, flip

_LIFETIME = 2.0
"""Seconds for which the sessions of `cases_of_expiry` can be resumed."""
_LENGTH = 96
"""Bytes of a ticket at least, and so many parts are altered bit by bit."""
_WEEK = 7 * 24 * 3600


def cases(scope: Scope) -> Iterator[Case]:
    """What is good, what is forged, and what is of somebody else."""
    for suite in scope.some(scope.suites, 2):
        yield Case(f"{suite}: resumed", completes(), partial(_resumed, 1, {"suites": [suite.id]}))
    yield Case("resumed three times", completes(), partial(_resumed, 3, {}))
    group = "not taken"
    for at in scope.some(range(_LENGTH), 6):
        yield Case(
            f"part {at}, each of its bits changed",
            completes().by("4.2.11"),
            partial(_each_bit, at),
            group,
        )
    for name, change in _FORGED.items():
        yield Case(name, completes().by("4.2.11"), partial(_forged, change), group)
    yield Case("two halves of two tickets", completes(), _halves, group)
    yield Case("the key of another ticket", completes(), _none_twice)
    yield Case("lifetime, age and nonce of two tickets", completes().by("4.6.1"), _numbers)
    yield Case("a ticket of TLS 1.2 as one of TLS 1.3", completes(), _from_older)
    yield Case("a ticket of TLS 1.3 as one of TLS 1.2", completes(), _to_older)
    yield Case("with the other suite of its hash", completes().by("4.6.1"), _other_suite)
    for skew in (-3_600_000, 3_600_000, 1 << 31):
        # Only early data is bound to its time.
        yield Case(
            f"an age that is {skew} ms off", completes().by("4.2.11.1"), partial(_skewed, skew)
        )
    yield Case("of a connection that ended with a fatal alert", completes(), _after_fatal_alert)


def cases_of_expiry(scope: Scope) -> Iterator[Case]:
    """With a server that resumes sessions for two seconds."""
    del scope
    yield Case("a ticket that is too old", completes().by("4.6.1"), _expired)
    yield Case("a ticket that is too old, and says it is new", completes(), _expired_and_lies)


def _full(lab: Lab, psk: Psk, **offer) -> Reply:
    client = lab.tls13(suites=[AES128_GCM.id], psks=[psk], **offer)
    client.handshake(resumes=False)
    return client.page()


def _resumed(times: int, offer: dict, lab: Lab) -> Reply:
    psk = lab.ticket(**offer)
    for _ in range(times):
        client = lab.tls13(psks=[psk], suites=[psk.suite.id])
        client.handshake(resumes=True)
        reply = client.page()
    return reply


def _each_bit(at: int, lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    start, end = (it * len(psk.identity) // _LENGTH for it in (at, at + 1))
    for bit in range(8 * start, 8 * end):
        changed = replace(psk, identity=flip(psk.identity, bit // 8, 1 << bit % 8))
        reply = _full(lab, changed)
    return reply


_FORGED: dict[str, Callable[[bytes, Lab], bytes]] = {
    "random bytes": lambda ticket, lab: lab.rng.randbytes(len(ticket)),
    "zeros": lambda ticket, _: bytes(len(ticket)),
    "255s": lambda ticket, _: b"\xff" * len(ticket),
    "one byte": lambda ticket, _: ticket[:1],
    "its last byte changed": lambda ticket, _: flip(ticket, -1),
    "its last byte missing": lambda ticket, _: ticket[:-1],
    "its first byte missing": lambda ticket, _: ticket[1:],
    "a byte behind it": lambda ticket, _: ticket + b"\0",
    "a byte before it": lambda ticket, _: b"\0" + ticket,
    "twice": lambda ticket, _: ticket * 2,
    "backwards": lambda ticket, _: ticket[::-1],
    "its first 16 bytes": lambda ticket, _: ticket[:16],
    "its first 28 bytes": lambda ticket, _: ticket[:28],
    "another nonce": lambda ticket, lab: ticket[:16] + lab.rng.randbytes(12) + ticket[28:],
    "another tag": lambda ticket, lab: ticket[:-16] + lab.rng.randbytes(16),
    "60000 bytes": lambda _, lab: lab.rng.randbytes(60000),
}


def _forged(change: Callable[[bytes, Lab], bytes], lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    return _full(lab, replace(psk, identity=change(psk.identity, lab)))


def _halves(lab: Lab) -> Reply:
    first, second = (lab.ticket(suites=[AES128_GCM.id]) for _ in range(2))
    half = len(first.identity) // 2
    return _full(lab, replace(first, identity=first.identity[:half] + second.identity[half:]))


def _none_twice(lab: Lab) -> Reply:
    first, second = (lab.ticket(suites=[AES128_GCM.id]) for _ in range(2))
    client = lab.tls13(suites=[AES128_GCM.id], psks=[second])
    client.require(first.identity != second.identity, "two sessions have one ticket")
    client.require(first.key != second.key, "two sessions have one key")
    client.handshake(resumes=True)
    return client.page()


def _numbers(lab: Lab) -> Reply:
    found, reply = [], None
    for _ in range(2):
        client = lab.tls13()
        client.handshake()
        reply = client.page()
        found += client.server.tickets
    for psk in found:
        client.require(0 < psk.lifetime <= _WEEK, f"a lifetime of {psk.lifetime} seconds")
    client.require(found[0].age_add != found[-1].age_add, "ticket_age_add is no random number")
    given = [psk.nonce for psk in client.server.tickets]
    client.require(len(given) == len(set(given)), "two tickets of a connection have one nonce")
    return reply


def _from_older(lab: Lab) -> Reply:
    profile = Profile(Version.TLS1_2, ECDHE_RSA_AES128_SHA)
    session = lab.session(profile, tickets=True)
    ticket = session.ticket or lab.rng.randbytes(160)
    return _full(lab, Psk(ticket, session.master[:32], AES128_GCM))


def _to_older(lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    profile = Profile(Version.TLS1_2, ECDHE_RSA_AES128_SHA)
    master = psk.key.ljust(48, b"\0")
    session = Session(lab.rng.randbytes(32), profile, master, True, psk.identity)
    client = lab.client(profile, session=session)
    client.handshake(resumes=False)
    return client.page()


def _other_suite(lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    client = lab.tls13(suites=[CHACHA20.id], psks=[psk])
    client.handshake()
    return client.page()


def _skewed(skew: int, lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    client = lab.tls13(suites=[AES128_GCM.id], psks=[psk], skew=skew)
    client.handshake()
    return client.page()


def _after_fatal_alert(lab: Lab) -> Reply:
    first = lab.tls13(suites=[AES128_GCM.id])
    first.handshake()
    first.read_until(lambda: bool(first.server.tickets))
    first.send(21, bytes([FATAL, Alert.INTERNAL_ERROR]))
    first.reply()
    client = lab.tls13(suites=[AES128_GCM.id], psks=first.server.tickets[:1])
    client.handshake()
    return client.page()


def _expired(lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    time.sleep(_LIFETIME + 0.2)
    return _full(lab, psk)


def _expired_and_lies(lab: Lab) -> Reply:
    psk = lab.ticket(suites=[AES128_GCM.id])
    time.sleep(_LIFETIME + 0.2)
    return _full(lab, psk, skew=-int(1000 * _LIFETIME) - 200)
