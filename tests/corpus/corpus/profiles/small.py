"""The committed corpus: one capture per thing that a reader of captures can get wrong."""

from collections.abc import Callable

from corpus import link, pcap
from corpus.capture import Capture
from corpus.cell import Cell
from corpus.manifest import Verdict
from corpus.peers import openssl
from corpus.stacks import Stacks
from corpus.suites import Version, suite

_TLS1_0, _TLS1_1, _TLS1_2 = Version.TLS1_0, Version.TLS1_1, Version.TLS1_2


def handshakes(stacks: Stacks) -> Capture:
    capture = Capture(
        "handshakes",
        pcap.PCAPNG,
        links=(link.ETHERNET, link.LINUX_COOKED_2),
        at_once=4,
        about="TLS 1.0 to 1.2 over many suites, by two stacks, interleaved on two interfaces.",
    )
    for cell in (
        Cell(_TLS1_2, suite("AES_128_GCM_SHA256")),
        Cell(_TLS1_2, suite("AES_256_GCM_SHA384")),
        Cell(_TLS1_2, suite("AES_128_CBC_SHA256")),
        Cell(_TLS1_2, suite("AES_256_CBC_SHA"), etm=False),
        Cell(_TLS1_2, suite("AES_256_CBC_SHA256"), ems=False, etm=False),
        Cell(_TLS1_2, suite("AES_128_CCM")),
        Cell(_TLS1_2, suite("AES_128_GCM_SHA256"), ems=False),
        Cell(_TLS1_2, suite("CAMELLIA_128_CBC_SHA256")),
        Cell(_TLS1_2, suite("3DES_EDE_CBC_SHA"), client="tlslite", server="tlslite"),
        Cell(_TLS1_2, suite("AES_256_CCM_8"), client="tlslite"),
        Cell(_TLS1_2, suite("AES_128_CBC_SHA"), server="tlslite"),
        Cell(_TLS1_1, suite("AES_128_CBC_SHA")),
        Cell(_TLS1_1, suite("AES_256_CBC_SHA"), ems=False, client="tlslite", server="tlslite"),
        Cell(_TLS1_1, suite("RC4_128_SHA"), client="tlslite", server="tlslite"),
        Cell(_TLS1_0, suite("AES_128_CBC_SHA"), etm=False),
        Cell(_TLS1_0, suite("CAMELLIA_256_CBC_SHA"), ems=False, etm=False),
        Cell(_TLS1_0, suite("RC4_128_MD5"), ems=False, client="tlslite", server="tlslite"),
        Cell(_TLS1_0, suite("AES_256_CBC_SHA"), offered=_TLS1_2),
    ):
        capture.add(stacks.record(cell))
    return capture


def ecdhe(stacks: Stacks) -> Capture:
    capture = Capture(
        "ecdhe", pcap.PCAPNG, about="Key exchanges that the server's key does not open."
    )
    for version, ciphers in (
        (_TLS1_2, "ECDHE-RSA-AES128-GCM-SHA256"),
        (_TLS1_2, "ECDHE-RSA-CHACHA20-POLY1305"),
        (_TLS1_0, "ECDHE-RSA-AES256-SHA"),
    ):
        settings = openssl.Settings(ciphers, version, version)
        capture.add(stacks.record_openssl(settings), Verdict.FORWARD_SECRET, ciphers)
    return capture


CAPTURES: dict[str, Callable[[Stacks], Capture]] = {
    function.__name__: function for function in (handshakes, ecdhe)
}
