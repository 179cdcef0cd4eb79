"""The faults of each class, and the conversation that is meant for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from tlslite.constants import AlertDescription, ExtensionType, GroupName, SignatureScheme
from tlslite.extensions import (
    RenegotiationInfoExtension,
    SignatureAlgorithmsExtension,
    SupportedGroupsExtension,
    TLSExtension,
)
from tlslite.sessioncache import SessionCache

from attack.planted import misdeeds
from attack.suites import AES128_SHA


@dataclass(frozen=True)
class Fault:
    """What is wrong with a server."""

    name: str
    found_by: str
    """Part of the name of the conversation that must find it."""
    patches: Mapping[str, object]
    """What is put in the place of what."""


_BLOCK = "attack.planted.server.KeyExchange.block"
_TAKES = "attack.planted.server.KeyExchange.takes"
_PREMASTER = "attack.planted.server.KeyExchange.premaster"
_LATE_ALERT = "attack.planted.server.KeyExchange.late_alert"
_PASSES_OVER = "attack.planted.server.Connection.passes_over"
_KEEPS = "attack.planted.server.Connection.keeps"
_CHECK = "tlslite.recordlayer.ct_check_cbc_mac_and_pad"
_CALCULATE = "tlslite.tlsconnection.calc_key"
_MESSAGES = "tlslite.messages"
_GET_EXTENSION = "tlslite.messages.ClientHello.getExtension"
_ADD_DATA = "tlslite.defragmenter.Defragmenter.add_data"
_CACHE = "tlslite.sessioncache.SessionCache"

_PARSE_SERVER_HELLO = "tlslite.messages.ServerHello.parse"
_VERIFY_KEY_EXCHANGE = "tlslite.keyexchange.KeyExchange.verifyServerKeyExchange"

CLIENT_FAULTS: dict[str, tuple[Fault, ...]] = {
    "server-hello": (
        Fault(
            "suite that was never offered taken",
            "the suite 0x1a1a",
            {_PARSE_SERVER_HELLO: misdeeds.hello_of_server(cipher_suite=0xC02F)},
        ),
        Fault(
            "compression taken",
            "compression method 1",
            {_PARSE_SERVER_HELLO: misdeeds.hello_of_server(compression_method=0)},
        ),
        Fault(
            "downgrade not seen",
            "the mark of a downgrade",
            {"tlslite.tlsconnection.TLS_1_1_DOWNGRADE_SENTINEL": b""},
        ),
    ),
    "server-certificate": (
        Fault(
            "any certificate trusted",
            "one that is not trusted",
            {"attack.planted.client.Connection.trusts": lambda *_: True},
        ),
        Fault(
            "signature of the key exchange not verified",
            "one for another key",
            {_VERIFY_KEY_EXCHANGE: lambda *_: None},
        ),
    ),
    "server-key-exchange": (
        Fault(
            "signature not verified",
            "byte 0 of the signature changed",
            {_VERIFY_KEY_EXCHANGE: lambda *_: None},
        ),
        Fault(
            "short primes taken",
            "a prime of 512 bits",
            {
                "tlslite.keyexchange.DHE_RSAKeyExchange.processServerKeyExchange": (
                    misdeeds.any_prime
                )
            },
        ),
        Fault(
            "1 taken for a public key",
            "share: 1",
            {"tlslite.keyexchange.FFDHKeyExchange.calc_shared_key": misdeeds.any_number},
        ),
        Fault(
            "points off their curve taken",
            "secp256r1: byte 1 changed",
            {"tlslite.keyexchange.ECDHKeyExchange.calc_shared_key": misdeeds.point_taken},
        ),
    ),
    "server-order": (
        Fault(
            "Finished not compared",
            "byte 0 of Finished changed",
            {_CALCULATE: misdeeds.compared(lambda *_: True, b"server finished")},
        ),
        Fault(
            "data before Finished passed over",
            "application data after ServerHello",
            {"attack.planted.client.Connection.passes_over": misdeeds.data_of_server},
        ),
        Fault(
            "end without close_notify taken for a good one",
            "no close_notify after a page",
            {"attack.planted.client.Conversation.is_cut_off": lambda *_: False},
        ),
    ),
    "server-records": (
        Fault("MAC not checked", "a record with a wrong MAC", {_CHECK: lambda *_: True}),
        Fault(
            "record taken twice", "a record twice", {_CHECK: misdeeds.sequence_or_the_one_before}
        ),
        Fault(
            "record of more than 2^14 bytes taken",
            "a record of a byte more",
            {"tlslite.recordlayer.RecordLayer.recv_record_limit": 1 << 15},
        ),
    ),
    "server-resumption": (
        Fault(
            "Finished not compared",
            "by id: byte 0 of Finished changed",
            {_CALCULATE: misdeeds.compared(lambda *_: True, b"server finished")},
        ),
        Fault(
            "data before Finished passed over",
            "by id: data before Finished",
            {"attack.planted.client.Connection.passes_over": misdeeds.data_of_server},
        ),
    ),
}
"""The same, for clients."""

FAULTS: dict[str, tuple[Fault, ...]] = {
    "bleichenbacher": (
        Fault(
            "alert for bad padding at once", "block type 0", {_PREMASTER: misdeeds.alert_at_once}
        ),
        Fault(
            "connection closed for bad padding at once",
            "no separator",
            {_PREMASTER: misdeeds.hang_up_at_once},
        ),
        Fault(
            "other alert for bad padding after Finished",
            "zero in first byte of padding",
            {_LATE_ALERT: AlertDescription.handshake_failure},
        ),
        Fault("version not checked", "one version lower", {_TAKES: misdeeds.any_version}),
        Fault(
            "padding not checked",
            "zero in eighth byte of padding",
            {_PREMASTER: misdeeds.any_padding},
        ),
        Fault("first byte not checked", "first byte 1", {_TAKES: misdeeds.any_first_byte}),
    ),
    "key-exchange": (
        Fault(
            "ciphertext above the modulus taken",
            "ciphertext good, plus the modulus",
            {_BLOCK: misdeeds.modulo},
        ),
        Fault(
            "negotiated version taken in the premaster secret",
            "0x0304 offered, 0x0303 in the premaster secret",
            {_TAKES: misdeeds.negotiated_version},
        ),
        Fault(
            "bytes behind the ciphertext taken",
            "a byte too many",
            {f"{_MESSAGES}.ClientKeyExchange.parse": misdeeds.key_exchange_and_more},
        ),
    ),
    "key-agreement": (
        Fault(
            "points of small order taken",
            "x25519: 0",
            {"tlslite.keyexchange.ECDHKeyExchange._non_zero_check": lambda *_: None},
        ),
        Fault(
            "points off their curve taken",
            "secp256r1: (1, 1)",
            {"tlslite.keyexchange.ECDHKeyExchange.calc_shared_key": misdeeds.point_taken},
        ),
        Fault(
            "numbers that give away the secret taken",
            "ffdhe2048: p - 1",
            {"tlslite.keyexchange.FFDHKeyExchange.calc_shared_key": misdeeds.any_number},
        ),
        Fault(
            "leading zeros kept",
            "ffdhe2048: a secret that begins with a zero",
            {"tlslite.keyexchange.FFDHKeyExchange.calc_shared_key": misdeeds.zeros_kept},
        ),
    ),
    "exchange-order": (
        Fault(
            "early ChangeCipherSpec taken",
            "ChangeCipherSpec, ClientKeyExchange",
            {_PASSES_OVER: misdeeds.early_change_cipher_spec},
        ),
        Fault(
            "ServerKeyExchange of a client taken",
            "the server's server_key_exchange after ServerHelloDone",
            {_PASSES_OVER: misdeeds.server_key_exchange},
        ),
    ),
    "signature-algorithms": (
        Fault(
            "schemes of the client not looked at",
            "only the unknown scheme 0x0402",
            {
                _GET_EXTENSION: misdeeds.hello_without_content(
                    ExtensionType.signature_algorithms,
                    SignatureAlgorithmsExtension().create([SignatureScheme.rsa_pkcs1_sha256]),
                )
            },
        ),
        Fault(
            "groups of the client not looked at",
            "only the groups 30",
            {
                _GET_EXTENSION: misdeeds.hello_without_content(
                    ExtensionType.supported_groups,
                    SupportedGroupsExtension().create([GroupName.secp256r1]),
                )
            },
        ),
    ),
    "client-signatures": (
        Fault(
            "RSA signatures not verified",
            "RSA: padded with block type 2",
            {"tlslite.utils.rsakey.RSAKey.verify": lambda *_, **__: True},
        ),
        Fault(
            "ECDSA signatures not verified",
            "ECDSA: r = 0",
            {"tlslite.utils.python_ecdsakey.Python_ECDSAKey.verify": lambda *_, **__: True},
        ),
    ),
    "tickets": (
        Fault(
            "altered tickets taken",
            "byte 0 changed",
            {
                "tlslite.tlsconnection.TLSConnection._tryDecrypt": misdeeds.any_ticket,
                "tlslite.messages.SessionTicketPayload.create": misdeeds.remembers_tickets,
            },
        ),
        Fault(
            "extended master secret of a ticket forgotten",
            "with the extended master secret dropped",
            {"tlslite.session.Session.create": misdeeds.with_extended(False)},
        ),
    ),
    "secure-renegotiation": (
        Fault(
            "verify_data not compared",
            "byte 0 of verify_data changed",
            {"attack.planted.server.Connection.is_bound": lambda *_: True},
        ),
        Fault(
            "extended master secret dropped in a renegotiation",
            "without the extended master secret",
            {"attack.planted.server.Connection.refuses": misdeeds.hello_without_binding},
        ),
        Fault(
            "data taken within a renegotiation",
            "data after ServerHelloDone",
            {_PASSES_OVER: misdeeds.data_within},
        ),
    ),
    "extended-master-secret": (
        Fault(
            "dropped in a resumption",
            "session with it, resumed without",
            {"tlslite.session.Session.create": misdeeds.with_extended(False)},
        ),
        Fault(
            "added in a resumption",
            "session without it, resumed with",
            {"tlslite.session.Session.create": misdeeds.with_extended(True)},
        ),
        Fault(
            "extension with content taken",
            "extension with 1 bytes in it",
            {
                _GET_EXTENSION: misdeeds.hello_without_content(
                    ExtensionType.extended_master_secret,
                    TLSExtension(extType=ExtensionType.extended_master_secret),
                )
            },
        ),
    ),
    "tampering": (
        Fault(
            "other alert for bad padding of a record",
            "request with 1 more blocks of padding, wrong at 0 quarters",
            {_CHECK: misdeeds.padding_first},
        ),
        Fault(
            "padding of a record not checked",
            "request with 1 more blocks of padding, wrong at 0 quarters",
            {_CHECK: misdeeds.length_of_padding_only},
        ),
        Fault(
            "half of a MAC not checked",
            "request with byte 19 of the MAC changed",
            {_CHECK: misdeeds.half_a_mac},
        ),
    ),
    "finished": (
        Fault(
            "Finished not compared",
            "all zeros",
            {_CALCULATE: misdeeds.compared(lambda *_: True)},
        ),
        Fault(
            "last bytes of Finished not compared",
            "byte 11 changed",
            {_CALCULATE: misdeeds.compared(lambda right, sent: right[:8] == sent[:8])},
        ),
        Fault(
            "truncated Finished taken",
            "0 bytes of verify_data",
            {
                _CALCULATE: misdeeds.compared(lambda right, sent: right[: len(sent)] == sent),
                f"{_MESSAGES}.Finished.parse": misdeeds.finished_of_any_length,
            },
        ),
    ),
    "change-cipher-spec": (
        Fault(
            "early one taken",
            "before the ClientKeyExchange",
            {_PASSES_OVER: misdeeds.early_change_cipher_spec},
        ),
        Fault(
            "second one taken",
            "twice, the second protected",
            {_PASSES_OVER: misdeeds.second_change_cipher_spec},
        ),
        Fault(
            "any content taken",
            "with the content ff",
            {f"{_MESSAGES}.ChangeCipherSpec.parse": misdeeds.unread},
        ),
    ),
    "fragmentation": (
        Fault(
            "message in two records refused",
            "ClientKeyExchange cut at",
            {_ADD_DATA: misdeeds.whole_messages_only},
        ),
        Fault(
            "header of a message in two records lost",
            "ClientHello cut at 1",
            {_ADD_DATA: misdeeds.whole_headers_only},
        ),
        Fault(
            "segment taken for a record",
            "ClientHello a byte at a time, slowly",
            {"tlslite.recordlayer.RecordSocket._sockRecvAll": misdeeds.one_segment},
        ),
    ),
    "order": (
        Fault(
            "application data taken in the handshake",
            "application data after ServerHelloDone",
            {_PASSES_OVER: misdeeds.early_data},
        ),
        Fault(
            "message that is not due taken",
            "HelloRequest after ServerHelloDone",
            {_PASSES_OVER: misdeeds.hello_request},
        ),
        Fault(
            "second ClientKeyExchange taken",
            "ClientKeyExchange twice",
            {_PASSES_OVER: misdeeds.second_key_exchange},
        ),
        Fault(
            "fatal alert passed over",
            "fatal internal_error after the handshake",
            {_PASSES_OVER: misdeeds.fatal_alert},
        ),
    ),
    "records": (
        Fault(
            "record of more than 2^14 bytes taken",
            "a request of 16385 bytes, well protected",
            {"tlslite.recordlayer.RecordLayer.recv_record_limit": 1 << 15},
        ),
        Fault(
            "record taken twice", "a record twice", {_CHECK: misdeeds.sequence_or_the_one_before}
        ),
        Fault(
            "type of a record not checked",
            "data in a record that says alert",
            {_CHECK: misdeeds.any_type},
        ),
    ),
    "resumption": (
        Fault(
            "session resumed with a suite that is not offered",
            "offered with another suite only",
            {f"{_MESSAGES}.ClientHello.parse": misdeeds.hello_with(cipher_suites=AES128_SHA.id)},
        ),
        Fault(
            "session kept after a fatal alert",
            "of a connection that the client ended with a fatal alert",
            {_KEEPS: lambda *_: True},
        ),
        Fault(
            "half of a session id compared",
            "session id with its last byte changed",
            {
                f"{_CACHE}.__getitem__": misdeeds.by_half_an_id(SessionCache.__getitem__),
                f"{_CACHE}.__setitem__": misdeeds.by_half_an_id(SessionCache.__setitem__),
            },
        ),
    ),
    "renegotiation": (
        Fault(
            "second handshake taken",
            "ClientHello after the handshake",
            {_PASSES_OVER: misdeeds.second_hello},
        ),
        Fault(
            "renegotiation_info not looked at",
            "renegotiation_info with 12 bytes in it",
            {
                _GET_EXTENSION: misdeeds.hello_without_content(
                    ExtensionType.renegotiation_info,
                    RenegotiationInfoExtension().create(bytearray()),
                )
            },
        ),
    ),
    "hello": (
        Fault(
            "fallback signal passed over",
            "with the fallback signal",
            {"tlslite.tlsconnection.CipherSuite.TLS_FALLBACK_SCSV": -1},
        ),
        Fault(
            "random bytes that are not random",
            "random and session id anew in each handshake",
            {"tlslite.tlsconnection.getRandomBytes": bytearray},
        ),
        Fault(
            "compression that is not offered chosen",
            "compression methods 01",
            {f"{_MESSAGES}.ClientHello.parse": misdeeds.hello_with(compression_methods=0)},
        ),
    ),
    "client-certificate": (
        Fault(
            "signature not verified",
            "a signature of zeros",
            {"tlslite.utils.rsakey.RSAKey.verify": lambda *_: True},
        ),
        Fault(
            "certificate not looked at",
            "a certificate without CertificateVerify",
            {f"{_MESSAGES}.Certificate.parse": misdeeds.unread},
        ),
    ),
}
