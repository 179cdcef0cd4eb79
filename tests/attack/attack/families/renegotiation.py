"""A second handshake on the same connection, and the signals against splicing (RFC 5746)."""

from collections.abc import Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.reply import CLOSED, Expectation, Reply, alert_event, completes, either, fatal
from attack.suites import AES128_SHA, Profile
from attack.wire import (
    WARNING,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    extension,
    message,
    vector,
)


def cases(scope: Scope) -> Iterator[Case]:
    """Attempts to renegotiate, and first handshakes that pretend to be a second one."""
    for profile in scope.profiles():
        for signal in (True, False):
            words = "with" if signal else "without"
            yield Case(
                f"{profile}: ClientHello after the handshake, {words} the signalling suite",
                _refusal(profile),
                partial(_second_hello, profile, signal),
                group=f"{profile} renegotiation",
            )
    for profile in scope.versions(AES128_SHA):
        yield Case(
            f"{profile}: a refused renegotiation, then a request",
            either(_refusal(profile), _refused_and_served()),
            partial(_second_hello_and_request, profile),
        )
        yield Case(
            f"{profile}: without any signal", completes(), partial(_first_hello, profile, None)
        )
        if profile.version == Version.SSL3:
            continue
        yield Case(
            f"{profile}: empty renegotiation_info", completes(), partial(_first_hello, profile, b"")
        )
        for length in (1, 12, 24, 255):
            yield Case(
                # RFC 5746 section 3.6: in a first handshake the field is empty, or it is aborted.
                f"{profile}: renegotiation_info with {length} bytes in it",
                fatal(Alert.HANDSHAKE_FAILURE),
                partial(_first_hello, profile, bytes(length)),
                group=f"{profile} filled renegotiation_info",
            )


def _refusal(profile: Profile) -> Expectation:
    """RFC 5746 section 4.4 and RFC 5246 section 7.2.2: no_renegotiation, or the end."""

    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (event, *rest):
                return (
                    alert_event(event, WARNING, Alert.NO_RENEGOTIATION)
                    and all(other.kind == "alert" for other in rest)
                    and reply.end == CLOSED
                )
            case _:
                return False

    ends = fatal(Alert.NO_RENEGOTIATION, Alert.HANDSHAKE_FAILURE, Alert.UNEXPECTED_MESSAGE)
    if profile.version == Version.SSL3:
        ends = fatal(Alert.HANDSHAKE_FAILURE, Alert.UNEXPECTED_MESSAGE)
    return either(Expectation("warning no_renegotiation", accepts), ends)


def _refused_and_served() -> Expectation:
    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (event, *rest):
                return alert_event(event, WARNING, Alert.NO_RENEGOTIATION) and completes().accepts(
                    Reply(tuple(rest), reply.end)
                )
            case _:
                return False

    return Expectation("warning no_renegotiation, then a page", accepts)


def _hello_again(profile: Profile, signal: bool, lab: Lab) -> Client:
    client = lab.client(profile, signal_renegotiation=signal)
    client.handshake()
    again = message(HandshakeType.CLIENT_HELLO, client.hello_body())
    client.send(ContentType.HANDSHAKE, again)
    return client


def _second_hello(profile: Profile, signal: bool, lab: Lab) -> Reply:
    client = _hello_again(profile, signal, lab)
    client.read_until(lambda: bool(client.server.events))
    client.end_sending()
    return client.reply()


def _second_hello_and_request(profile: Profile, lab: Lab) -> Reply:
    client = _hello_again(profile, True, lab)
    client.read_until(lambda: bool(client.server.events))
    return client.page()


def _first_hello(profile: Profile, verify_data: bytes | None, lab: Lab) -> Reply:
    sent = b""
    if verify_data is not None:
        sent = extension(Extension.RENEGOTIATION_INFO, vector(verify_data, 1))
    client = lab.client(profile, signal_renegotiation=False, extensions=sent)
    client.send_hello()
    if not client.read_until(lambda: client.server.hello_done):
        return client.reply()
    client.require(
        client.server.secure_renegotiation == (verify_data is not None),
        "the server answers renegotiation_info unasked, or not when asked",
    )
    client.key_exchange()
    client.finish()
    return client.complete()
