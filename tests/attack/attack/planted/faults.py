"""The faults of each class, and the conversation that is meant for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from tlslite.constants import AlertDescription, ExtensionType
from tlslite.extensions import RenegotiationInfoExtension, TLSExtension
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
