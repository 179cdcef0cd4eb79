"""The faults of each class of TLS 1.3, and the conversations that are meant for them."""

from collections.abc import Callable

from attack.planted.faults import Fault
from attack.planted.server13 import Connection as Server
from attack.planted.strict_records import Strict
from attack.tls13 import signing
from attack.tls13.shares import BadShare, KeyPair
from attack.wire import ContentType, HandshakeType

_SERVER = "attack.planted.server13.Connection"
_CLIENT = "attack.planted.client13.Connection"
_STRICT = "attack.planted.strict_records.Strict"


def _nothing(*_: object) -> None:
    """Looks at nothing."""


def _yes(*_: object) -> bool:
    """Takes everything."""
    return True


def _passes_over(kind: int, state: str = "") -> Callable:
    """Goes on as if a message had not come."""

    def take(connection: Strict, got: int, body: bytes) -> str:
        if got == kind and state in ("", connection.state):
            return ""
        return _TAKE_MESSAGE(connection, got, body)

    return take


def _data_passed_over(connection: Strict, content_type: int, content: bytes) -> None:
    """Application data before Finished."""
    early = connection.state != "open" and content_type == ContentType.APPLICATION_DATA
    if not early:
        _TAKE_CONTENT(connection, content_type, content)


def _alert_passed_over(connection: Strict, content: bytes) -> None:
    """An alert of level warning, whatever it says."""
    if content[0] == 1 and content[1] != 0:
        return
    _TAKE_ALERT(connection, content)


def _type_of_zeros(connection: Strict, inner: bytes) -> tuple[int, bytes]:
    """Takes nothing but zeros for no data."""
    if inner.strip(b"\0"):
        return _UNPADDED(connection, inner)
    return ContentType.APPLICATION_DATA, b""


def _any_type(connection: Strict, content_type: int, content: bytes) -> None:
    """Drops a record of a type that is unknown."""
    if content_type in (21, 22, 23):
        _TAKE_CONTENT(connection, content_type, content)


def _empty_dropped(connection: Strict, content_type: int, content: bytes) -> None:
    """Drops empty records of any type."""
    if content or content_type == ContentType.APPLICATION_DATA:
        _TAKE_CONTENT(connection, content_type, content)


def _whole_messages_only(connection: Strict, content: bytes) -> None:
    """Takes a message in a single record only."""
    _TAKE_MESSAGES(connection, content)
    if connection._messages:
        connection.unexpected()


def _record_again(connection: Strict, header: bytes, fragment: bytes) -> bytes:
    """Takes a record twice."""
    if getattr(connection, "last", None) == fragment:
        connection.reads[0].sequence -= 1
    connection.last = fragment
    return _OPEN(connection, header, fragment)


def _bits_ignored(connection: Strict, header: bytes, fragment: bytes) -> bytes:
    """Says that a record is too long when its tag is wrong in the first half."""
    try:
        return _OPEN(connection, header, fragment)
    except Exception:
        if len(fragment) % 2:
            connection.unexpected()
        raise


def _zeros_for_secret(_: object, key: KeyPair, share: bytes) -> bytes:
    """Agrees on zeros with a bad share."""
    try:
        return key.agree(share)
    except BadShare:
        return bytes(32)


def _half(_: object, right: bytes, sent: bytes) -> bool:
    """Compares the first half."""
    return right[: len(right) // 2] == sent[: len(right) // 2]


def _by_first_bytes(connection: Server, identity: bytes):
    """Looks at the first half of a ticket."""
    found = connection.store.tickets
    return next((psk for name, psk in found.items() if name[:40] == identity[:40]), None)


def _both_contexts(_: object) -> tuple[bytes, ...]:
    """Takes a signature of either side."""
    return signing.SERVER, signing.CLIENT


def _retries_again(server: Server, offered: list) -> None:
    """Takes the second hello for a first one, when it has another share."""
    del offered
    server.unexpected()


def _suite_of_second(server: Server, hello) -> object:
    """Chooses a suite anew."""
    retried, server.retried = server.retried, None
    try:
        return _CHOOSE_SUITE(server, hello)
    finally:
        server.retried = retried


_TAKE_MESSAGE = Strict.take_message
_TAKE_MESSAGES = Strict.take_messages
_TAKE_CONTENT = Strict.take_content
_TAKE_ALERT = Strict.take_alert
_UNPADDED = Strict.unpadded
_OPEN = Strict._open
_CHOOSE_SUITE = Server.choose_suite
_TAKE_END = Server.take_end

FAULTS: dict[str, tuple[Fault, ...]] = {
    "tls13-hello": (
        Fault("compression taken", "compression 0100", {f"{_SERVER}.check_compression": _nothing}),
        Fault(
            "extensions taken twice",
            "extension 13 twice",
            {"attack.planted.strict.none_twice": _nothing},
        ),
    ),
    "tls13-key-share": (
        Fault(
            "zeros agreed on with a bad share",
            "x25519: p - 1",
            {f"{_SERVER}.exchange": _zeros_for_secret},
        ),
    ),
    "tls13-downgrade": (
        Fault(
            "no mark",
            "TLS 1.2 offered: the mark",
            {"tlslite.tlsconnection.TLS_1_2_DOWNGRADE_SENTINEL": b""},
        ),
    ),
    "tls13-retry": (
        Fault(
            "share of the second hello not looked at",
            "no share",
            {f"{_SERVER}.check_second_share": _retries_again},
        ),
        Fault(
            "another suite after the retry",
            "in place of the one with SHA-384",
            {f"{_SERVER}.choose_suite": _suite_of_second, f"{_SERVER}.check_same": _nothing},
        ),
        Fault("changed hello taken", "another random", {f"{_SERVER}.check_same": _nothing}),
    ),
    "tls13-psk": (
        Fault("binder not checked", "binder of zeros", {f"{_SERVER}.is_binder": _yes}),
        Fault("half a binder checked", "binder with bit 255", {f"{_SERVER}.is_binder": _half}),
        Fault("key taken in any place", "last but one", {f"{_SERVER}.check_place": _nothing}),
        Fault("modes not wanted", "without psk_key", {f"{_SERVER}.check_modes": _nothing}),
        Fault("hash of a key not looked at", "ticket of AES_256", {f"{_SERVER}.fits": _yes}),
    ),
    "tls13-tickets": (
        Fault("half a ticket looked at", "part 95", {f"{_SERVER}.find": _by_first_bytes}),
    ),
    "tls13-early-data": (
        Fault("replay taken", "replayed at once", {f"{_SERVER}.is_new": _yes}),
        Fault(
            "no limit",
            "bytes more than there may be",
            {f"{_SERVER}.check_early_length": _nothing},
        ),
        Fault("age not looked at", "an age that is 3600000", {f"{_SERVER}.is_timely": _yes}),
        Fault(
            "content of EndOfEarlyData not looked at",
            "EndOfEarlyData with content",
            {f"{_SERVER}.take_end": lambda server, _: _TAKE_END(server, b"")},
        ),
    ),
    "tls13-order": (
        Fault(
            "message that is not due passed over",
            "NewSessionTicket after the flight",
            {f"{_STRICT}.take_message": _passes_over(HandshakeType.NEW_SESSION_TICKET)},
        ),
        Fault(
            "data before Finished passed over",
            "application data after the flight",
            {f"{_STRICT}.take_content": _data_passed_over},
        ),
        Fault(
            "error of level warning passed over",
            "of level 1 after Finished",
            {f"{_STRICT}.take_alert": _alert_passed_over},
        ),
    ),
    "tls13-change-cipher-spec": (
        Fault("taken anywhere", "after Finished", {f"{_STRICT}.check_change_place": _nothing}),
        Fault("any content taken", "content 00", {f"{_STRICT}.check_change_content": _nothing}),
    ),
    "tls13-fragmentation": (
        Fault(
            "messages span a change of keys",
            "Finished and KeyUpdate",
            {f"{_STRICT}.check_boundary": _nothing},
        ),
        Fault(
            "message in two records refused",
            "ClientHello cut at",
            {f"{_STRICT}.take_messages": _whole_messages_only},
        ),
        Fault(
            "empty records dropped",
            "empty alert record after Finished",
            {f"{_STRICT}.take_content": _empty_dropped},
        ),
    ),
    "tls13-records": (
        Fault(
            "no limit for what is inside",
            "bytes, well protected",
            {f"{_STRICT}.check_length": _nothing},
        ),
        Fault(
            "no limit for records",
            "random bytes as data",
            {f"{_STRICT}.longest_record": lambda *_: 1 << 16},
        ),
        Fault(
            "zeros taken for data", "zeros inside, as data", {f"{_STRICT}.unpadded": _type_of_zeros}
        ),
        Fault("unknown types dropped", "inner type 255", {f"{_STRICT}.take_content": _any_type}),
        Fault("record taken twice", "the request twice", {f"{_STRICT}._open": _record_again}),
        Fault(
            "other alert for some bad records",
            "AES_128_GCM_SHA256: data",
            {f"{_STRICT}._open": _bits_ignored},
        ),
    ),
    "tls13-finished": (
        Fault("not compared", "all zeros", {f"{_STRICT}.are_equal": _yes}),
        Fault("half of it compared", "bit 255 changed", {f"{_STRICT}.are_equal": _half}),
    ),
    "tls13-key-update": (
        Fault("any value taken", "with request 2", {f"{_STRICT}.check_update": _nothing}),
        Fault("taken before Finished", "before Finished", {f"{_STRICT}.may_update": _yes}),
        Fault("joined with more", "twice in one record", {f"{_STRICT}.check_boundary": _nothing}),
    ),
    "tls13-client-certificate": (
        Fault(
            "signature of a server taken",
            "the context of the other side",
            {f"{_SERVER}.contexts": _both_contexts},
        ),
        Fault("signature not verified", "a signature of zeros", {f"{_SERVER}.verify": _yes}),
        Fault("scheme not looked at", "scheme 0x0401", {f"{_SERVER}.check_scheme": _nothing}),
    ),
}

CLIENT_FAULTS: dict[str, tuple[Fault, ...]] = {
    "tls13-server-hello": (
        Fault(
            "compression taken", "compression method 1", {f"{_CLIENT}.check_compression": _nothing}
        ),
        Fault(
            "extensions that were not offered taken",
            "EncryptedExtensions with",
            {f"{_CLIENT}.check_extensions": _nothing},
        ),
        Fault(
            "zeros agreed on with a bad share",
            "a share: zeros",
            {f"{_CLIENT}.exchange": _zeros_for_secret},
        ),
    ),
    "tls13-server-retry": (
        Fault("retries without end", "two of them", {f"{_CLIENT}.check_first_retry": _nothing}),
        Fault(
            "another suite after the retry",
            "another suite after it",
            {f"{_CLIENT}.check_suite_again": _nothing},
        ),
    ),
    "tls13-server-downgrade": (
        Fault(
            "mark not seen",
            "the mark b'DOWNGRD\\x01'",
            {"tlslite.tlsconnection.TLS_1_2_DOWNGRADE_SENTINEL": b"-"},
        ),
    ),
    "tls13-server-certificate": (
        Fault("any certificate trusted", "not trusted", {f"{_CLIENT}.trusts": _yes}),
        Fault(
            "signature of a client taken",
            "the context of the other side",
            {f"{_CLIENT}.contexts": _both_contexts},
        ),
        Fault("signature not verified", "signed with another key", {f"{_CLIENT}.verify": _yes}),
        Fault("scheme not looked at", "scheme 0x0401", {f"{_CLIENT}.check_scheme": _nothing}),
    ),
    "tls13-server-order": (
        Fault(
            "message that is not due passed over",
            "HelloRequest after ServerHello",
            {f"{_STRICT}.take_message": _passes_over(HandshakeType.HELLO_REQUEST)},
        ),
        Fault(
            "data before Finished passed over",
            "application data after",
            {f"{_STRICT}.take_content": _data_passed_over},
        ),
        Fault(
            "end without close_notify taken for a good one",
            "no close_notify after a page",
            {f"{_CLIENT}.is_whole": _yes},
        ),
    ),
    "tls13-server-finished": (
        Fault("not compared", "all zeros", {f"{_STRICT}.are_equal": _yes}),
        Fault("half of it compared", "bit 255 changed", {f"{_STRICT}.are_equal": _half}),
    ),
    "tls13-server-key-update": (
        Fault("any value taken", "with request 2", {f"{_STRICT}.check_update": _nothing}),
        Fault("taken before Finished", "before Finished", {f"{_STRICT}.may_update": _yes}),
    ),
    "tls13-server-records": (
        Fault(
            "no limit for what is inside",
            "bytes, well protected",
            {f"{_STRICT}.check_length": _nothing},
        ),
        Fault(
            "zeros taken for data", "zeros inside, as page", {f"{_STRICT}.unpadded": _type_of_zeros}
        ),
        Fault("record taken twice", "a page twice", {f"{_STRICT}._open": _record_again}),
    ),
    "tls13-server-resumption": (
        Fault("any key taken", "the key number 1", {f"{_CLIENT}.check_index": _nothing}),
        Fault("Finished not compared", "of Finished changed", {f"{_STRICT}.are_equal": _yes}),
    ),
    "tls13-server-early-data": (
        Fault(
            "taken with any suite",
            "taken with another suite",
            {f"{_CLIENT}.check_early": _nothing},
        ),
        Fault(
            "more than a ticket allows",
            "a ticket for 100 bytes",
            {f"{_CLIENT}.most_early_data": lambda _: 1 << 14},
        ),
    ),
}
"""The same, for clients."""
