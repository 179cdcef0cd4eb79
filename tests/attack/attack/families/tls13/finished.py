"""Finished messages that are properly protected, and wrong (RFC 8446 section 4.4.4)."""

from collections.abc import Callable, Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.families.tls13 import MISMATCH, UNEXPECTED
from attack.reply import Reply, completes, fatal
from attack.tls13 import schedule
from attack.tls13.client import Client
from attack.tls13.suites import Suite
from attack.wire import Alert, ContentType, HandshakeType, flip, message

_Make = Callable[[Client], bytes]


def cases(scope: Scope) -> Iterator[Case]:
    """Every bit, every length, and what belongs to somebody else."""
    for suite in scope.some(scope.suites, 2):
        yield Case(f"{suite}: right", completes(), partial(_honest, suite))
        for bit in scope.some(range(8 * suite.hash_length)):
            yield _wrong(suite, f"bit {bit} changed", partial(_flipped, bit))
        for name, make in _OTHERS.items():
            yield _wrong(suite, name, make)
        length = suite.hash_length
        for count in scope.some(sorted({*range(length), length + 1, length + 16, 64, 12})):
            yield Case(
                f"{suite}: {count} bytes of verify_data",
                fatal(Alert.DECODE_ERROR, Alert.DECRYPT_ERROR).by("4.4.4, 6.2"),
                partial(_sent, suite, partial(_resized, count)),
                group=f"{suite} length",
            )
        for count in scope.some(range(1, 4 + length), 3):
            yield Case(
                f"{suite}: first {count} bytes of the message, then data",
                UNEXPECTED.by("5.1"),
                partial(_truncated, suite, count),
                group=f"{suite} truncated",
            )
        yield Case(
            f"{suite}: resumed, verify_data wrong",
            MISMATCH.by("4.4.4"),
            partial(_resumed, suite),
        )


def _wrong(suite: Suite, name: str, make: _Make) -> Case:
    return Case(
        f"{suite}: {name}",
        MISMATCH.by("4.4.4"),
        partial(_sent, suite, make),
        group=f"{suite} verify_data",
    )


def _sent(suite: Suite, make: _Make, lab: Lab) -> Reply:
    client = lab.tls13(suites=[suite.id])
    client.to_flight()
    client.protect()
    client.finished(make(client))
    return client.reply()


def _honest(suite: Suite, lab: Lab) -> Reply:
    client = lab.tls13(suites=[suite.id])
    client.handshake()
    return client.page()


def _resumed(suite: Suite, lab: Lab) -> Reply:
    psk = lab.ticket(suites=[suite.id])
    client = lab.tls13(suites=[suite.id], psks=[psk])
    client.to_flight()
    client.expect_resumption(True)
    client.protect()
    client.finished(flip(_right(client), 0))
    return client.reply()


def _truncated(suite: Suite, count: int, lab: Lab) -> Reply:
    """Another record type may not come within a message."""
    client = lab.tls13(suites=[suite.id])
    client.to_flight()
    client.protect()
    whole = message(HandshakeType.FINISHED, _right(client))
    client.hold()
    client.send(ContentType.HANDSHAKE, whole[:count])
    client.send(ContentType.APPLICATION_DATA, b"data")
    client.release()
    return client.reply()


def _right(client: Client) -> bytes:
    return client.verify_data(client.client_secret)


def _flipped(bit: int, client: Client) -> bytes:
    return flip(_right(client), bit // 8, 1 << bit % 8)


def _resized(count: int, client: Client) -> bytes:
    return _right(client)[:count].ljust(count, b"\0")


def _of(secret: str, client: Client) -> bytes:
    return client.verify_data(getattr(client, secret))


def _of_transcript(change: Callable[[bytes], bytes], client: Client) -> bytes:
    return schedule.finished(client.suite, client.client_secret, change(client.transcript))


_OTHERS: dict[str, _Make] = {
    "all zeros": lambda client: bytes(client.suite.hash_length),
    "of the server": partial(_of, "server_secret"),
    "the server's own again": lambda client: client.server.messages[HandshakeType.FINISHED],
    "with the keys of application data": partial(_of, "client_traffic"),
    "without the server's Finished": lambda client: _of_transcript(
        lambda it: it[: -4 - client.suite.hash_length], client
    ),
    "of another ClientHello": partial(_of_transcript, lambda it: flip(it, 40)),
    "of no messages": partial(_of_transcript, lambda _: b""),
    "backwards": lambda client: _right(client)[::-1],
}
