"""ChangeCipherSpec early, late, twice, never, and with other contents.

It has one place: right before Finished (RFC 5246 section 7.1). An early one that is taken was
CVE-2014-0224.
"""

from collections.abc import Iterator
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import Client
from attack.reply import Reply, either, fatal, waits
from attack.suites import Profile
from attack.wire import Alert, ContentType, HandshakeType, message

_CCS = ContentType.CHANGE_CIPHER_SPEC

_UNEXPECTED = fatal(Alert.UNEXPECTED_MESSAGE)
_MISSHAPEN = fatal(
    Alert.DECODE_ERROR,
    Alert.ILLEGAL_PARAMETER,
    Alert.UNEXPECTED_MESSAGE,
    # For SSL 3.0, which has no decode_error.
    Alert.HANDSHAKE_FAILURE,
)


def cases(scope: Scope) -> Iterator[Case]:
    """Every wrong place and every wrong content."""
    for profile in scope.versions():
        for run in (
            _before_client_hello,
            _before_key_exchange,
            _with_keys_of_nothing,
            _within_key_exchange,
            _twice_protected,
            _after_handshake,
            _in_resumption_twice,
        ):
            yield Case(f"{profile}: {run.__doc__}", _UNEXPECTED, partial(run, profile))
        for run in (_never, _late):
            yield Case(
                f"{profile}: {run.__doc__}",
                # Without keys in use, Finished is a message in the wrong place, whatever it holds.
                fatal(Alert.UNEXPECTED_MESSAGE, Alert.DECODE_ERROR),
                partial(run, profile),
            )
        yield Case(
            f"{profile}: twice, the second in the clear",
            fatal(Alert.BAD_RECORD_MAC, Alert.UNEXPECTED_MESSAGE),
            partial(_twice_clear, profile),
        )
        for content in scope.some(_CONTENTS):
            yield Case(
                f"{profile}: with the content {content.hex() or 'of nothing'}",
                # An empty record must not be sent (section 6.2.1), but may be overlooked.
                _MISSHAPEN if content else either(_MISSHAPEN, waits()),
                partial(_content, profile, content),
            )


_CONTENTS = (b"", b"\0", b"\2", b"\xff", b"\1\1", b"\1\0", b"\0\1", b"\1" * 17, bytes(1024))


def _to_server_hello_done(profile: Profile, lab: Lab) -> Client:
    client = lab.client(profile)
    client.hello()
    return client


def _before_client_hello(profile: Profile, lab: Lab) -> Reply:
    """before the ClientHello"""
    client = lab.client(profile)
    client.send(_CCS, b"\1")
    return client.reply()


def _before_key_exchange(profile: Profile, lab: Lab) -> Reply:
    """before the ClientKeyExchange"""
    client = _to_server_hello_done(profile, lab)
    client.send(_CCS, b"\1")
    return client.reply()


def _with_keys_of_nothing(profile: Profile, lab: Lab) -> Reply:
    """before the ClientKeyExchange, and on with keys of an empty master secret"""
    client = _to_server_hello_done(profile, lab)
    client.use(b"")
    client.hold()
    client.change_cipher_spec()
    client.release()
    return client.reply()


def _within_key_exchange(profile: Profile, lab: Lab) -> Reply:
    """between two records of the ClientKeyExchange"""
    client = _to_server_hello_done(profile, lab)
    encoded = message(HandshakeType.CLIENT_KEY_EXCHANGE, client.new_key_exchange()[0])
    client.hold()
    client.send(ContentType.HANDSHAKE, encoded[: len(encoded) // 2])
    client.send(_CCS, b"\1")
    client.release()
    return client.reply()


def _twice_protected(profile: Profile, lab: Lab) -> Reply:
    """twice, the second protected"""
    client = _to_server_hello_done(profile, lab)
    client.key_exchange()
    client.hold()
    client.change_cipher_spec()
    client.send(_CCS, b"\1")
    client.release()
    return client.reply()


def _twice_clear(profile: Profile, lab: Lab) -> Reply:
    client = _to_server_hello_done(profile, lab)
    client.key_exchange()
    client.hold()
    client.send(_CCS, b"\1")
    client.send(_CCS, b"\1")
    client.release()
    return client.reply()


def _after_handshake(profile: Profile, lab: Lab) -> Reply:
    """after the handshake"""
    client = lab.client(profile)
    client.handshake()
    client.send(_CCS, b"\1")
    return client.reply()


def _in_resumption_twice(profile: Profile, lab: Lab) -> Reply:
    """twice in a resumed handshake"""
    client = lab.client(profile, session=lab.session(profile))
    client.hello()
    client.hold()
    client.change_cipher_spec()
    client.send(_CCS, b"\1")
    client.release()
    return client.reply()


def _never(profile: Profile, lab: Lab) -> Reply:
    """never, Finished protected"""
    client = _to_server_hello_done(profile, lab)
    client.key_exchange()
    client.protect()
    client.finished()
    return client.reply()


def _late(profile: Profile, lab: Lab) -> Reply:
    """after Finished in the clear"""
    client = _to_server_hello_done(profile, lab)
    client.key_exchange()
    client.finished()
    return client.reply()


def _content(profile: Profile, content: bytes, lab: Lab) -> Reply:
    client = _to_server_hello_done(profile, lab)
    client.key_exchange()
    client.send(_CCS, content)
    return client.reply() if content else client.reply_after_silence()
