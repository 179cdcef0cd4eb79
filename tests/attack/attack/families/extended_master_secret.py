"""The extended master secret, and the rules against taking it away (RFC 7627)."""

from collections.abc import Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.reply import Reply, completes, fatal
from attack.suites import Profile
from attack.wire import Alert, Extension, HandshakeType, Version, extension


def cases(scope: Scope) -> Iterator[Case]:
    """With and without, and both ways to resume."""
    tls = scope.profiles(of=lambda profile: profile.version != Version.SSL3)
    for profile in tls:
        for offered in (True, False):
            words = "offered" if offered else "not offered"
            yield Case(
                f"{profile}: {words}", completes(), partial(_handshake, profile, offered, offered)
            )
            yield Case(
                f"{profile}: {words}, and the other master secret computed",
                fatal(Alert.BAD_RECORD_MAC),
                partial(_handshake, profile, offered, not offered),
                group=f"{profile} other master secret",
            )
            yield Case(
                f"{profile}: session with it {words}, resumed alike",
                completes(),
                partial(_resume, profile, offered, offered, True),
            )
        yield Case(
            # Section 5.3: the server MUST abort.
            f"{profile}: session with it, resumed without",
            fatal(Alert.HANDSHAKE_FAILURE),
            partial(_resume, profile, True, False, True),
        )
        yield Case(
            # Section 5.3: the server MUST NOT resume, and SHOULD go on with a full handshake.
            f"{profile}: session without it, resumed with",
            completes(),
            partial(_resume, profile, False, True, False),
        )
    for profile in scope.versions():
        if profile.version == Version.SSL3:
            continue
        for length in scope.some((1, 2, 48, 300), 2):
            yield Case(
                # Section 5.1: the extension is empty.
                f"{profile}: extension with {length} bytes in it",
                fatal(Alert.DECODE_ERROR),
                partial(_filled, profile, length),
                group=f"{profile} filled extension",
            )
        yield Case(
            f"{profile}: session hash without the ClientKeyExchange",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_early_hash, profile),
        )


def _handshake(profile: Profile, offered: bool, computed: bool, lab: Lab) -> Reply:
    client = lab.client(profile, extended=offered)
    client.hello()
    client.require(
        client.server.extended == offered,
        "the server answers an extension that was not sent, or does not answer one that was",
    )
    body, premaster = client.new_key_exchange()
    client.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    client.derive(premaster, extended=computed)
    client.finish()
    return client.complete()


def _resume(profile: Profile, before: bool, now: bool, resumes: bool, lab: Lab) -> Reply:
    session = lab.session(profile, extended=before)
    client = lab.client(profile, extended=now, session=session)
    if before and not now:
        client.send_hello()
        return client.reply()
    client.handshake(resumes=resumes)
    return client.page()


def _filled(profile: Profile, length: int, lab: Lab) -> Reply:
    filled = extension(Extension.EXTENDED_MASTER_SECRET, bytes(length))
    client = lab.client(profile, extended=False, extensions=filled)
    client.send_hello()
    return client.reply()


def _early_hash(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    body, premaster = client.new_key_exchange()
    before = client.transcript
    client.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, body)
    after, client.transcript = client.transcript, before
    client.derive(premaster)
    client.transcript = after
    client.finish()
    return client.complete()
