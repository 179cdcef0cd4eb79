"""What a server with a fault does: stands in for a method of the server or of tlslite-ng."""

import os
from collections.abc import Callable
from threading import Lock

from tlslite.constants import AlertLevel, ContentType, HandshakeType
from tlslite.defragmenter import Defragmenter
from tlslite.errors import (
    TLSAbruptCloseError,
    TLSDecodeError,
    TLSDecryptionFailed,
    TLSIllegalParameterException,
)
from tlslite.extensions import TLSExtension
from tlslite.keyexchange import DHE_RSAKeyExchange, ECDHKeyExchange, FFDHKeyExchange
from tlslite.mathtls import calc_key
from tlslite.messages import ClientHello, ServerHello, SessionTicketPayload
from tlslite.recordlayer import ct_check_cbc_mac_and_pad
from tlslite.session import Session
from tlslite.tlsconnection import TLSConnection
from tlslite.utils.cryptomath import bytesToNumber, numberToByteArray, powMod

from attack.planted.server import Connection, HangsUp, KeyExchange, again, is_padded

# Faults of the key exchange.


def alert_at_once(_: KeyExchange, block: bytes, good: bool) -> bytes:
    """Says at once that a block is bad."""
    if not good:
        raise TLSDecodeError("the block is bad")
    return block[-48:]


def hang_up_at_once(_: KeyExchange, block: bytes, good: bool) -> bytes:
    """Ends a connection at once for a bad block."""
    if not good:
        raise HangsUp
    return block[-48:]


def any_version(_: KeyExchange, block: bytes) -> bool:
    """Does not look at the version."""
    return is_padded(block)


def any_padding(_: KeyExchange, block: bytes, __: bool) -> bytes:
    """Takes the last 48 bytes, whatever is before them."""
    return block[-48:] or os.urandom(48)


def any_first_byte(exchange: KeyExchange, block: bytes) -> bool:
    """Does not look at the first byte."""
    return _TAKES(exchange, b"\0" + block[1:])


def negotiated_version(exchange: KeyExchange, block: bytes) -> bool:
    """Takes the version of the ServerHello too, as was done for old clients."""
    negotiated = is_padded(block) and block[-48:-46] == bytes(exchange.serverHello.server_version)
    return negotiated or _TAKES(exchange, block)


def modulo(exchange: KeyExchange, encrypted: bytearray) -> bytes:
    """Takes a ciphertext for what is left of it modulo the modulus."""
    number = int.from_bytes(encrypted, "big") % int(exchange.privateKey.n)
    return _BLOCK(exchange, bytearray(number.to_bytes(len(encrypted), "big")))


def key_exchange_and_more(message, parser):
    """Takes a ciphertext with bytes behind it."""
    parser.startLengthCheck(3)
    message.encryptedPreMasterSecret = parser.getVarBytes(2)
    return message


_TAKES = KeyExchange.takes
_BLOCK = KeyExchange.block


# Faults of the key agreement.


def point_taken(exchange: ECDHKeyExchange, private, share, *rest) -> bytearray:
    """Takes a point that is not on its curve, as if the secret were zero."""
    try:
        return _AGREE(exchange, private, share, *rest)
    except (TLSIllegalParameterException, TLSDecodeError):
        return bytearray(32)


def any_number(exchange: FFDHKeyExchange, private, share, _=None) -> bytearray:
    """Takes any number, of any length."""
    number = share if isinstance(share, int) else bytesToNumber(share)
    return numberToByteArray(powMod(number, private, exchange.prime))


def any_prime(exchange: DHE_RSAKeyExchange, _, message) -> bytearray:
    """Takes a prime of any length."""
    group = FFDHKeyExchange(None, exchange.serverHello.server_version, message.dh_g, message.dh_p)
    private = group.get_random_private_key()
    exchange.dh_Yc = group.calc_public_value(private)
    return group.calc_shared_key(private, message.dh_Ys)


def zeros_kept(exchange: FFDHKeyExchange, private, share, _=None) -> bytearray:
    """Does not strip the leading zeros of a secret."""
    secret = _AGREE_IN_FIELD(exchange, private, share)
    return secret.rjust((exchange.prime.bit_length() + 7) // 8, b"\0")


_AGREE = ECDHKeyExchange.calc_shared_key
_AGREE_IN_FIELD = FFDHKeyExchange.calc_shared_key


# Faults of records. The arguments are those of tlslite-ng's check of padding and MAC.


def padding_first(data, *rest) -> bool:
    """Checks the padding, and only then the MAC."""
    count = data[-1]
    if count + 1 > len(data) or data[-count - 1 :] != bytearray([count]) * (count + 1):
        raise TLSDecryptionFailed("the padding is bad")
    return ct_check_cbc_mac_and_pad(data, *rest)


def length_of_padding_only(data, *rest) -> bool:
    """Looks at the last byte of the padding only."""
    count = min(data[-1], len(data) - 1)
    return ct_check_cbc_mac_and_pad(data[: -count - 1] + bytes([count]) * (count + 1), *rest)


def half_a_mac(data, mac, sequence, content_type, version, block) -> bool:
    """Compares the first half of the MAC only."""
    end = len(data) - data[-1] - 1 - mac.digest_size
    if ct_check_cbc_mac_and_pad(data, mac, sequence, content_type, version, block) or end < 0:
        return end >= 0
    right = mac.copy()
    right.update(sequence + bytes([content_type, *version]) + end.to_bytes(2, "big") + data[:end])
    half = mac.digest_size // 2
    return data[end : end + half] == right.digest()[:half]


def any_type(data, mac, sequence, _, *rest) -> bool:
    """Takes a MAC of any type of record."""
    types = ContentType.all
    return any(ct_check_cbc_mac_and_pad(data, mac, sequence, kind, *rest) for kind in types)


def sequence_or_the_one_before(data, mac, sequence, *rest) -> bool:
    """Takes a record a second time."""
    before = max(int.from_bytes(sequence, "big") - 1, 0).to_bytes(8, "big")
    return any(ct_check_cbc_mac_and_pad(data, mac, it, *rest) for it in (sequence, before))


def one_segment(records, length):
    """Takes what one read gives for all."""
    received = bytearray(records.sock.recv(length)) if length else bytearray()
    if length and not received:
        raise TLSAbruptCloseError
    yield received


def whole_messages_only(defragmenter, content_type, data) -> None:
    """Takes a message in a single record only."""
    _ADD_DATA(defragmenter, content_type, data)
    buffered = defragmenter.buffers[content_type]
    if defragmenter.decoders[content_type](buffered) is None:
        raise SyntaxError("the message goes on in another record")


def whole_headers_only(defragmenter, content_type, data) -> None:
    """Loses a record that is shorter than the header of a message."""
    if content_type != ContentType.handshake or len(data) >= 4:
        _ADD_DATA(defragmenter, content_type, data)


_ADD_DATA = Defragmenter.add_data


# Faults of order: what a server passes over.


def early_change_cipher_spec(connection: Connection, header, _) -> bool:
    """A ChangeCipherSpec before there are keys."""
    keys = connection._recordLayer._pendingReadState.macContext
    return header.type == ContentType.change_cipher_spec and keys is None


def second_change_cipher_spec(connection: Connection, header, _) -> bool:
    """A ChangeCipherSpec when keys are in use."""
    keys = connection._recordLayer._readState.macContext
    return header.type == ContentType.change_cipher_spec and keys is not None


def second_key_exchange(connection: Connection, header, parser) -> bool:
    """A ClientKeyExchange when there are keys."""
    keys = connection._recordLayer._pendingReadState.macContext
    return _is_message(header, parser, HandshakeType.client_key_exchange) and keys is not None


def server_key_exchange(_: Connection, header, parser) -> bool:
    """A ServerKeyExchange of the client."""
    return _is_message(header, parser, HandshakeType.server_key_exchange)


def hello_request(_: Connection, header, parser) -> bool:
    """A message that only a server sends."""
    return _is_message(header, parser, HandshakeType.hello_request)


def early_data(connection: Connection, header, _) -> bool:
    """Application data within a handshake."""
    return header.type == ContentType.application_data and connection.closed


def data_of_server(connection: TLSConnection, header, _) -> bool:
    """Application data before there is a session."""
    return header.type == ContentType.application_data and connection.closed


def data_within(connection: Connection, header, parser) -> bool:
    """Application data within a renegotiation."""
    within = connection.closed and connection.renegotiations
    if within and header.type == ContentType.application_data:
        return True
    return _PASSES_OVER(connection, header, parser)


_PASSES_OVER = Connection.passes_over


def fatal_alert(_: Connection, header, parser) -> bool:
    """An alert that ends the connection."""
    return header.type == ContentType.alert and parser.bytes[0] == AlertLevel.fatal


def second_hello(connection: Connection, header, parser) -> bool:
    """Has another handshake, which begins with this message."""
    if connection.closed or not _is_message(header, parser, HandshakeType.client_hello):
        return False
    again(connection, header, parser)
    return True


def hello_without_binding(connection: Connection, hello: ClientHello) -> int | None:
    """Renegotiates without the extended master secret, where the last handshake had it."""
    has_extended = connection.extendedMasterSecret
    connection.extendedMasterSecret = False
    try:
        return _REFUSES(connection, hello)
    finally:
        connection.extendedMasterSecret = has_extended


_REFUSES = Connection.refuses


def _is_message(header, parser, kind: int) -> bool:
    return header.type == ContentType.handshake and parser.bytes[0] == kind


# Faults of single messages.


def unread(message, parser):
    """Takes any content for that of a new message."""
    parser.getFixBytes(parser.getRemainingLength())
    return message


def hello_with(**more: int) -> Callable:
    """Reads a ClientHello, and believes that there was more in its lists."""

    def parse(hello, parser):
        _PARSE_HELLO(hello, parser)
        for name, item in more.items():
            getattr(hello, name).append(item)
        return hello

    return parse


def hello_of_server(**believed: int) -> Callable:
    """Reads a ServerHello, and believes that this stood in it."""

    def parse(hello, parser):
        _PARSE_SERVER_HELLO(hello, parser)
        for name, value in believed.items():
            setattr(hello, name, value)
        return hello

    return parse


_PARSE_SERVER_HELLO = ServerHello.parse


def hello_without_content(kind: int, extension: TLSExtension) -> Callable:
    """Looks up an extension, but never its content."""

    def get(hello, wanted):
        found = _GET_EXTENSION(hello, wanted)
        return extension if found is not None and wanted == kind else found

    return get


def finished_of_any_length(finished, parser):
    """Takes verify_data of any length."""
    parser.startLengthCheck(3)
    finished.verify_data = parser.getFixBytes(parser.getRemainingLength())
    return finished


def compared(equal: Callable[[bytes, bytes], bool], whose: bytes = b"client finished") -> Callable:
    """Makes the verify_data of the other side, which is compared in a way of its own."""

    class VerifyData(bytearray):
        __hash__ = None

        def __eq__(self, other):
            return equal(bytes(self), bytes(other))

        def __ne__(self, other):
            return not self == other

    def calculate(version, secret, suite, label, **options):
        made = calc_key(version, secret, suite, label, **options)
        return VerifyData(made) if label == whose else made

    return calculate


_PARSE_HELLO = ClientHello.parse
_GET_EXTENSION = ClientHello.getExtension


# Faults of sessions.


def with_extended(extended: bool) -> Callable:
    """Keeps a session, and something else about its master secret."""

    def create(session, *arguments, **options):
        options["extendedMasterSecret"] = extended
        return _CREATE_SESSION(session, *arguments, **options)

    return create


def any_ticket(connection: TLSConnection, settings, identity=None, ticket=None):
    """Takes any ticket for the last one that was good, or at least given."""
    result, found = _TRY_DECRYPT(connection, settings, identity, ticket)
    if found:
        return result, found
    with _given_lock:
        return None, _given[-1] if _given else None


def remembers_tickets(payload, *arguments, **options):
    """Makes a ticket, and keeps what is in it."""
    made = _CREATE_TICKET(payload, *arguments, **options)
    with _given_lock:
        _given.append(made)
    return made


_given: list[SessionTicketPayload] = []
_given_lock = Lock()
_TRY_DECRYPT = TLSConnection._tryDecrypt
_CREATE_TICKET = SessionTicketPayload.create


def by_half_an_id(method: Callable) -> Callable:
    """Looks at half of a session id."""
    return lambda cache, session_id, *value: method(cache, session_id[:16], *value)


_CREATE_SESSION = Session.create
