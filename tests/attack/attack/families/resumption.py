"""Resumption with parameters that changed, and of sessions that must be forgotten.

A session is resumed as it was, or not at all (RFC 5246 sections 7.4.1.2 and F.1.4). One of a
connection that ended with a fatal alert is gone (section 7.2).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST
from attack.protection import Tamper
from attack.reply import Reply, completes, either, fatal
from attack.suites import AES256_SHA, Profile
from attack.wire import FATAL, Alert, ContentType, Extension, Version, extension, flip, vector

_REFUSES = fatal(Alert.HANDSHAKE_FAILURE, Alert.ILLEGAL_PARAMETER)


def cases(scope: Scope) -> Iterator[Case]:
    """The right way, and everything else."""
    for profile in scope.profiles():
        yield Case(f"{profile}: resumed", completes(), partial(_resumed, profile))
        yield Case(
            f"{profile}: resumed with another master secret",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_other_master, profile),
        )
    profiles = scope.versions()
    for profile in profiles:
        yield Case(
            f"{profile}: offered with another suite only",
            either(completes(), _REFUSES),
            partial(_fresh, profile, replace(profile, suite=AES256_SHA)),
        )
        yield Case(
            f"{profile}: offered with another suite first",
            completes(),
            partial(_another_suite_first, profile),
        )
        for other in profiles:
            if other != profile:
                yield Case(
                    f"{profile}: offered in {other.version.label}",
                    either(completes(), _REFUSES),
                    partial(_fresh, profile, other),
                )
        for name, change in _IDS.items():
            yield Case(
                f"{profile}: session id {name}", completes(), partial(_changed_id, profile, change)
            )
        for length in (33, 64, 255):
            yield Case(
                # Section 7.4.1.2: at most 32 bytes.
                f"{profile}: session id of {length} bytes",
                fatal(Alert.DECODE_ERROR, Alert.ILLEGAL_PARAMETER),
                partial(_long_id, profile, length),
                group=f"{profile} long session id",
            )
        for run in (_after_fatal_alert, _after_bad_record, _of_unfinished_handshake):
            yield Case(f"{profile}: {run.__doc__}", completes(), partial(run, profile))
        yield Case(f"{profile}: resumed three times", completes(), partial(_three_times, profile))
        if profile.version != Version.SSL3:
            yield Case(
                f"{profile}: resumed under the same name",
                completes(),
                partial(_named, profile, b"one.example", True),
            )
            yield Case(
                # RFC 6066 section 3: never.
                f"{profile}: resumed under another name",
                completes(),
                partial(_named, profile, b"two.example", False),
            )
            authenticated = replace(profile, encrypt_then_mac=True)
            for before, now in ((profile, authenticated), (authenticated, profile)):
                # Each handshake negotiates it anew, and the server may go back to a full one
                # (RFC 7366 section 3.1).
                yield Case(
                    f"{before}: encrypt-then-MAC {'added' if now == authenticated else 'dropped'}",
                    completes(),
                    partial(_encrypt_then_mac, before, now),
                )


def _resumed(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile, session=lab.session(profile))
    client.handshake(resumes=True)
    return client.page()


def _three_times(profile: Profile, lab: Lab) -> Reply:
    session = lab.session(profile)
    for _ in range(2):
        client = lab.client(profile, session=session)
        client.handshake(resumes=True)
        client.goodbye()
    client = lab.client(profile, session=session)
    client.handshake(resumes=True)
    return client.page()


def _named(profile: Profile, name: bytes, resumes: bool, lab: Lab) -> Reply:
    session = lab.session(profile, extensions=_server_name(b"one.example"))
    client = lab.client(profile, session=session, extensions=_server_name(name))
    client.handshake(resumes=resumes)
    return client.page()


def _server_name(name: bytes) -> bytes:
    return extension(Extension.SERVER_NAME, vector(b"\0" + vector(name, 2), 2))


def _other_master(profile: Profile, lab: Lab) -> Reply:
    session = lab.session(profile)
    client = lab.client(profile, session=session)
    client.hello()
    client.use(flip(session.master, 47))
    client.finish()
    return client.reply()


def _fresh(profile: Profile, offered: Profile, lab: Lab) -> Reply:
    """The session comes with parameters that it does not have: never resumed."""
    session = lab.session(profile)
    client = lab.client(offered, session=session)
    client.send_hello()
    if not client.read_until(lambda: client.server.hello_done or client.server.finished):
        return client.reply()
    client.mark()
    client.require(not client.server.resumed, "the server resumes")
    client.key_exchange()
    client.finish()
    return client.complete()


def _another_suite_first(profile: Profile, lab: Lab) -> Reply:
    """The session's own suite is offered too: resumed with that, or not resumed."""
    session = lab.session(profile)
    client = lab.client(profile, suites=(AES256_SHA.id, profile.suite.id), session=session)
    client.handshake()
    if client.server.resumed:
        client.require(client.profile == profile, "resumed with another suite")
    return client.page()


def _changed_id(profile: Profile, change: Callable[[bytes], bytes], lab: Lab) -> Reply:
    session = lab.session(profile)
    client = lab.client(profile, session_id=change(session.id))
    client.hello()
    client.require(
        client.server.session_id != change(session.id), "a session that there never was is resumed"
    )
    client.key_exchange()
    client.finish()
    return client.complete()


_IDS: dict[str, Callable[[bytes], bytes]] = {
    "with its first byte changed": lambda right: flip(right, 0),
    "with its last byte changed": lambda right: flip(right, len(right) - 1),
    "without its last byte": lambda right: right[:-1],
    "without its first byte": lambda right: right[1:],
    "of zeros": lambda _: bytes(32),
    "of 255s": lambda _: b"\xff" * 32,
    "of one byte": lambda right: right[:1],
}


def _long_id(profile: Profile, length: int, lab: Lab) -> Reply:
    client = lab.client(profile, session_id=lab.rng.randbytes(length))
    client.send_hello()
    return client.reply()


def _after_fatal_alert(profile: Profile, lab: Lab) -> Reply:
    """of a connection that the client ended with a fatal alert"""
    first = lab.client(profile)
    first.handshake()
    first.alert(FATAL, Alert.INTERNAL_ERROR)
    first.reply()
    client = lab.client(profile, session=first.session)
    client.handshake(resumes=False)
    return client.page()


def _after_bad_record(profile: Profile, lab: Lab) -> Reply:
    """of a connection that the server ended with a fatal alert"""
    first = lab.client(profile)
    first.handshake()
    tamper = Tamper(mac=partial(flip, at=0))
    first.send(ContentType.APPLICATION_DATA, REQUEST, tamper)
    first.reply()
    client = lab.client(profile, session=first.session)
    client.handshake(resumes=False)
    return client.page()


def _of_unfinished_handshake(profile: Profile, lab: Lab) -> Reply:
    """of a handshake that never came to Finished"""
    first = lab.client(profile)
    first.hello()
    first.key_exchange()
    first.end_sending()
    first.reply()
    client = lab.client(profile, session=first.session)
    client.handshake(resumes=False)
    return client.page()


def _encrypt_then_mac(before: Profile, now: Profile, lab: Lab) -> Reply:
    client = lab.client(now, session=lab.session(before))
    client.handshake()
    return client.page()
