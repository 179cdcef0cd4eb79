"""Session tickets (RFC 5077) that the server did not make, or that do not fit what is offered.

A ticket that is not taken is no error: a full handshake follows, and nothing says why (section
3.2). The rules of resumption hold for tickets as they do for session ids.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST, Session
from attack.protection import Tamper
from attack.reply import Reply, completes, either, fatal
from attack.suites import (
    AES128_SHA,
    AES256_SHA,
    ECDHE_RSA_AES128_SHA,
    Profile,
    Suite,
)
from attack.wire import (
    FATAL,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    extension,
    flip,
    vector,
)

_LIFETIME = 1.0
"""Seconds for which the sessions of `cases_of_expiry` can be resumed."""


def cases(scope: Scope) -> Iterator[Case]:
    """With a session of each kind of key exchange, in every version of TLS."""
    profiles = [
        profile
        for suite in (AES128_SHA, ECDHE_RSA_AES128_SHA)
        for profile in scope.versions(suite)
        if profile.version != Version.SSL3
    ]
    for profile in profiles:
        yield Case(f"{profile}: resumed", completes(), partial(_resumed, profile))
        yield Case(f"{profile}: resumed three times", completes(), partial(_replayed, profile))
        yield Case(
            f"{profile}: resumed with another master secret",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_other_master, profile),
        )
        group = f"{profile} ticket not taken"
        for at in scope.some(range(_LENGTH), 8):
            yield _not_taken(profile, f"byte {at} changed", partial(_changed, at), group)
        for name, change in _FORGED.items():
            yield _not_taken(profile, name, change, group)
        for length in scope.some(range(1, _LENGTH, 5), 4):
            yield _not_taken(profile, f"its first {length} bytes", partial(_first, length), group)
        yield Case(f"{profile}: two halves of two tickets", completes(), partial(_halves, profile))
        yield from _offered_otherwise(profile, profiles)
        for run in (_none_twice, _after_fatal_alert, _after_bad_record, _shown_once):
            yield Case(f"{profile}: {run.__doc__}", completes(), partial(run, profile))
        yield Case(
            f"{profile}: a NewSessionTicket of the client",
            fatal(Alert.UNEXPECTED_MESSAGE),
            partial(_of_client, profile),
        )
    for profile in scope.versions(AES128_SHA):
        if profile.version == Version.SSL3:
            yield Case(f"{profile}: no ticket", completes(), partial(_in_ssl3, profile))


def cases_of_expiry(scope: Scope) -> Iterator[Case]:
    """With a server that resumes sessions for a second."""
    for profile in scope.versions(AES128_SHA):
        by_id = partial(_expired, profile, False)
        yield Case(f"{profile}: a session that is too old", completes(), by_id)
        if profile.version != Version.SSL3:
            by_ticket = partial(_expired, profile, True)
            yield Case(f"{profile}: a ticket that is too old", completes(), by_ticket)


def _offered_otherwise(profile: Profile, profiles: list[Profile]) -> Iterator[Case]:
    def fresh(name: str, before: dict, now: dict, offered: Profile = profile) -> Case:
        return Case(
            f"{profile}: {name}", completes(), partial(_fresh, profile, before, offered, now)
        )

    named, other = _server_name(b"one.example"), _server_name(b"two.example")
    yield Case(
        f"{profile}: under the same name",
        completes(),
        partial(_resumed, profile, {"extensions": named}),
    )
    yield fresh("under another name", {"extensions": named}, {"extensions": other})
    yield fresh("of a name, without one", {"extensions": named}, {})
    yield fresh("of no name, with one", {}, {"extensions": named})
    yield fresh(
        "of a name, with its first part",
        {"extensions": named},
        {"extensions": _server_name(b"one.exam")},
    )
    for version in profiles:
        if version.suite == profile.suite and version != profile:
            yield fresh(f"offered in {version.version.label}", {}, {}, version)
    yield fresh("with the extended master secret added", {"extended": False}, {"extended": True})
    yield Case(
        # RFC 7627 section 5.3: the server MUST abort.
        f"{profile}: with the extended master secret dropped",
        fatal(Alert.HANDSHAKE_FAILURE),
        partial(_dropped, profile),
    )
    authenticated = replace(profile, encrypt_then_mac=True)
    # RFC 7366 section 3.1.
    yield Case(
        f"{profile}: with encrypt-then-MAC dropped",
        completes(),
        partial(_fresh, authenticated, {}, profile, {}),
    )
    for suite in (AES256_SHA,):
        yield Case(
            # RFC 5246 section 7.4.1.2: the suite of the session is offered.
            f"{profile}: offered with another suite only",
            either(completes(), fatal(Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE)),
            partial(_other_suite, profile, suite),
        )
    yield Case(
        f"{profile}: with a session id that the server keeps",
        completes(),
        partial(_with_known_id, profile),
    )


def _not_taken(
    profile: Profile, name: str, change: Callable[[bytes, Lab], bytes], group: str
) -> Case:
    return Case(f"{profile}: {name}", completes(), partial(_forged, profile, change), group)


def _session(lab: Lab, profile: Profile, **offer) -> Session:
    session = lab.session(profile, tickets=True, **offer)
    if not session.ticket:
        raise ConnectionError("the server gives no ticket")
    return session


def _full(lab: Lab, profile: Profile, session: Session, **offer) -> Reply:
    """A full handshake must follow, as if there had been no ticket. A new one comes with it."""
    client = lab.client(profile, session=session, **offer)
    client.hello()
    client.require(not client.server.resumed, "the server resumes")
    client.require(client.server.session_id != session.id, "the server repeats the session id")
    client.key_exchange()
    client.finish()
    client.require(client.read_until(lambda: client.server.finished), "no Finished")
    client.require(client.server.ticket != session.ticket, "the server gives the same ticket")
    return client.page()


def _resumed(profile: Profile, before: dict | None = None, lab: Lab | None = None) -> Reply:
    if lab is None:
        before, lab = {}, before
    session = _session(lab, profile, **before)
    client = lab.client(profile, session=session, **before)
    client.handshake(resumes=True)
    return client.page()


def _replayed(profile: Profile, lab: Lab) -> Reply:
    session = _session(lab, profile)
    for _ in range(2):
        client = lab.client(profile, session=session)
        client.handshake(resumes=True)
        client.goodbye()
    client = lab.client(profile, session=session)
    client.handshake(resumes=True)
    return client.page()


def _other_master(profile: Profile, lab: Lab) -> Reply:
    session = _session(lab, profile)
    client = lab.client(profile, session=session)
    client.hello()
    client.require(client.server.resumed, "the server does not resume")
    client.use(flip(session.master, 0))
    client.finish()
    return client.reply()


def _forged(profile: Profile, change: Callable[[bytes, Lab], bytes], lab: Lab) -> Reply:
    session = _session(lab, profile)
    return _full(lab, profile, replace(session, ticket=change(session.ticket, lab)))


def _halves(profile: Profile, lab: Lab) -> Reply:
    first, second = _session(lab, profile), _session(lab, profile)
    lab_half = len(first.ticket) // 2
    ticket = first.ticket[:lab_half] + second.ticket[lab_half:]
    return _full(lab, profile, replace(first, ticket=ticket))


_LENGTH = 136
"""Bytes of a ticket at least; those behind them are altered together."""


def _changed(at: int, ticket: bytes, _: Lab) -> bytes:
    return flip(ticket, at * len(ticket) // _LENGTH, 1 << at % 8)


def _first(length: int, ticket: bytes, _: Lab) -> bytes:
    return ticket[: min(length, len(ticket) - 1)]


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
    "its name and nothing else": lambda ticket, _: ticket[:16],
    "its name and random bytes": lambda ticket, lab: (
        ticket[:16] + lab.rng.randbytes(len(ticket) - 16)
    ),
    "another name": lambda ticket, lab: lab.rng.randbytes(16) + ticket[16:],
    "another nonce": lambda ticket, lab: ticket[:16] + lab.rng.randbytes(12) + ticket[28:],
    "another tag": lambda ticket, lab: ticket[:-16] + lab.rng.randbytes(16),
    "as much as there is room for": lambda _, lab: lab.rng.randbytes(60000),
}


def _server_name(name: bytes) -> bytes:
    return extension(Extension.SERVER_NAME, vector(b"\0" + vector(name, 2), 2))


def _fresh(profile: Profile, before: dict, offered: Profile, now: dict, lab: Lab) -> Reply:
    return _full(lab, offered, _session(lab, profile, **before), **now)


def _dropped(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile, session=_session(lab, profile), extended=False)
    client.send_hello()
    return client.reply()


def _other_suite(profile: Profile, suite: Suite, lab: Lab) -> Reply:
    session = _session(lab, profile)
    client = lab.client(replace(profile, suite=suite), session=session)
    client.send_hello()
    if not client.read_until(lambda: client.server.hello_done or client.server.finished):
        return client.reply()
    client.mark()
    client.require(not client.server.resumed, "the server resumes")
    client.key_exchange()
    client.finish()
    return client.complete()


def _with_known_id(profile: Profile, lab: Lab) -> Reply:
    """A client that sends a ticket asks for no other session (RFC 5077 section 3.4)."""
    kept = lab.session(profile)
    forged = replace(kept, ticket=lab.rng.randbytes(150))
    return _full(lab, profile, forged)


def _none_twice(profile: Profile, lab: Lab) -> Reply:
    """asked for twice, two of them"""
    first, second = _session(lab, profile), _session(lab, profile)
    client = lab.client(profile, session=second)
    client.require(first.ticket != second.ticket, "two sessions have one ticket")
    client.require(first.ticket[16:28] != second.ticket[16:28], "two tickets have one nonce")
    client.handshake(resumes=True)
    return client.page()


def _after_fatal_alert(profile: Profile, lab: Lab) -> Reply:
    """of a connection that ended with a fatal alert, which nobody can take back"""
    first = lab.client(profile, tickets=True)
    first.handshake()
    first.alert(FATAL, Alert.INTERNAL_ERROR)
    first.reply()
    client = lab.client(profile, session=first.session)
    client.handshake()
    return client.page()


def _after_bad_record(profile: Profile, lab: Lab) -> Reply:
    """of a connection that the server ended with a fatal alert"""
    first = lab.client(profile, tickets=True)
    first.handshake()
    tamper = Tamper(mac=partial(flip, at=0))
    first.send(ContentType.APPLICATION_DATA, REQUEST, tamper)
    first.reply()
    client = lab.client(profile, session=first.session)
    client.handshake()
    return client.page()


def _shown_once(profile: Profile, lab: Lab) -> Reply:
    """with the lifetime that the server says"""
    client = lab.client(profile, tickets=True)
    client.handshake()
    client.require(0 < client.server.lifetime <= 7 * 24 * 3600, "the lifetime is odd")
    return client.page()


def _of_client(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile, tickets=True)
    client.hello()
    client.key_exchange()
    client.send_handshake(HandshakeType.NEW_SESSION_TICKET, bytes(4) + vector(bytes(100), 2))
    return client.reply()


def _in_ssl3(profile: Profile, lab: Lab) -> Reply:
    """SSL 3.0 has no extensions; one that comes all the same is passed over."""
    asked = extension(Extension.SESSION_TICKET)
    client = lab.client(profile, extensions=asked)
    client.handshake()
    client.require(client.server.ticket is None, "the server gives a ticket in SSL 3.0")
    return client.page()


def _expired(profile: Profile, by_ticket: bool, lab: Lab) -> Reply:
    offer = {"tickets": True} if by_ticket else {}
    session = lab.session(profile, **offer)
    time.sleep(_LIFETIME + 0.1)
    client = lab.client(profile, session=session)
    client.handshake(resumes=False)
    return client.page()
