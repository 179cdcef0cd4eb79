"""Finished messages that are properly protected, and wrong (RFC 5246 section 7.4.9)."""

from collections.abc import Callable, Iterator
from functools import partial

from attack import schedule
from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.reply import Expectation, Reply, fatal
from attack.suites import Profile
from attack.wire import Alert, ContentType, HandshakeType, Version, flip, message

_Make = Callable[[Client], bytes]


def cases(scope: Scope) -> Iterator[Case]:
    """Every byte, every length, and what belongs to somebody else."""
    for profile in scope.profiles():
        length = 36 if profile.version == Version.SSL3 else 12
        for at in scope.some(range(length)):
            yield _wrong(profile, f"byte {at} changed", partial(_flipped, at))
        for name, make in _OTHERS.items():
            yield _wrong(profile, name, make)
        if profile.suite != scope.base or profile.encrypt_then_mac:
            continue
        for count in scope.some(
            sorted({*range(length), length + 1, length + 20, 12 if length == 36 else 36})
        ):
            yield Case(
                f"{profile}: {count} bytes of verify_data",
                _unreadable(profile),
                partial(_sent, profile, partial(_resized, count)),
                group=f"{profile} length",
            )
        for count in scope.some(range(1, 4 + length)):
            yield Case(
                f"{profile}: first {count} bytes of the message, then data",
                fatal(Alert.UNEXPECTED_MESSAGE),
                partial(_truncated, profile, count),
                group=f"{profile} truncated",
            )
        yield Case(
            f"{profile}: resumed, verify_data wrong",
            _mismatch(profile),
            partial(_resumed, profile),
        )


def _wrong(profile: Profile, name: str, make: _Make) -> Case:
    return Case(
        f"{profile}: {name}",
        _mismatch(profile),
        partial(_sent, profile, make),
        group=f"{profile} verify_data",
    )


def _mismatch(profile: Profile) -> Expectation:
    """Section 7.2.2: decrypt_error is for a Finished that cannot be validated. SSL 3.0 lacks it."""
    if profile.version == Version.SSL3:
        return fatal(Alert.HANDSHAKE_FAILURE, Alert.ILLEGAL_PARAMETER, Alert.DECRYPT_ERROR)
    return fatal(Alert.DECRYPT_ERROR)


def _unreadable(profile: Profile) -> Expectation:
    """Section 7.2.2: decode_error is for a message of incorrect length. SSL 3.0 lacks it."""
    if profile.version == Version.SSL3:
        return fatal(Alert.HANDSHAKE_FAILURE, Alert.ILLEGAL_PARAMETER, Alert.DECODE_ERROR)
    return fatal(Alert.DECODE_ERROR)


def _sent(profile: Profile, make: _Make, lab: Lab) -> Reply:
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    client.send_handshake(HandshakeType.FINISHED, make(client))
    return client.complete()


def _resumed(profile: Profile, lab: Lab) -> Reply:
    client = lab.client(profile, session=lab.session(profile))
    client.hello()
    client.change_cipher_spec()
    client.send_handshake(HandshakeType.FINISHED, flip(client.verify_data(), 0))
    return client.reply()


def _truncated(profile: Profile, count: int, lab: Lab) -> Reply:
    """Another record type may not come within a message (section 6.2.1)."""
    client = lab.client(profile)
    client.hello()
    client.key_exchange()
    client.change_cipher_spec()
    whole = message(HandshakeType.FINISHED, client.verify_data())
    client.hold()
    client.send(ContentType.HANDSHAKE, whole[:count])
    client.send(ContentType.APPLICATION_DATA, b"data")
    client.release()
    return client.reply()


def _flipped(at: int, client: Client) -> bytes:
    return flip(client.verify_data(), at)


def _resized(count: int, client: Client) -> bytes:
    return client.verify_data()[:count].ljust(count, b"\0")


def _of(sender: str, client: Client) -> bytes:
    return schedule.verify_data(client.profile, client.master, sender, client.transcript)


def _without_last_message(client: Client) -> bytes:
    """Covers one message less: without the ClientKeyExchange."""
    shorter = client.transcript[
        : -len(client.key_exchange_body(bytes(client.public_key.length))) - 4
    ]
    return schedule.verify_data(client.profile, client.master, "client", shorter)


def _of_other_transcript(client: Client) -> bytes:
    other = flip(client.transcript, 40)
    return schedule.verify_data(client.profile, client.master, "client", other)


_OTHERS: dict[str, _Make] = {
    "all zeros": lambda client: bytes(len(client.verify_data())),
    "of the server": partial(_of, "server"),
    "of fewer messages": _without_last_message,
    "of another ClientHello": _of_other_transcript,
    "backwards": lambda client: client.verify_data()[::-1],
}
