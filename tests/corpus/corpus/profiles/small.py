"""The committed corpus: one capture per thing that a reader of captures can get wrong."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from corpus import edit, link, pcap, tcp
from corpus.capture import Accident, Capture
from corpus.cell import Cell, Recording
from corpus.conversation import Direction, Flight
from corpus.manifest import SessionEntry, Verdict
from corpus.peers import openssl, openssl_cli, tlslite
from corpus.peers.memory import REQUEST, RESPONSE
from corpus.stacks import Stacks
from corpus.suites import SUITES, Version, suite

_TLS1_0, _TLS1_1, _TLS1_2 = Version.TLS1_0, Version.TLS1_1, Version.TLS1_2
_GCM = Cell(_TLS1_2, suite("AES_128_GCM_SHA256"))
_RARE = tuple(
    suite(name) for name in ("ARIA_128_GCM_SHA256", "ARIA_256_GCM_SHA384", "SEED_CBC_SHA")
)
_CBC = Cell(_TLS1_0, suite("AES_128_CBC_SHA"), ems=False, etm=False)


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
        recording = stacks.record(cell)
        capture.add(recording, note=_premaster_note(recording))
    return capture


def suites(stacks: Stacks) -> Capture:
    capture = Capture(
        "suites", pcap.PCAP_GZ, at_once=3, about="Every suite of the peers but the rare ones, once."
    )
    for tested in SUITES:
        if tested in _RARE:
            continue
        if tested.openssl is not None:
            peers = "openssl"
        elif tested.tlslite is not None:
            peers = "tlslite"
        elif tested.gnutls is not None:
            peers = "gnutls"
        else:
            # DES: only peers that are not required here; the full corpus has it.
            continue
        capture.add(stacks.record(Cell(_TLS1_2, tested, client=peers, server=peers)))
    return capture


def rare_ciphers(stacks: Stacks) -> Capture:
    capture = Capture("rare-ciphers", pcap.PCAP, about="ARIA and SEED, the ciphers of Korea.")
    for tested in _RARE:
        peers = "openssl-cli" if tested.openssl_legacy else "openssl"
        capture.add(stacks.record(Cell(_TLS1_2, tested, client=peers, server=peers)))
    return capture


def gnutls(stacks: Stacks) -> Capture:
    capture = Capture("gnutls", pcap.PCAP_BIG_ENDIAN, about="GnuTLS as client, server and both.")
    for cell in (
        Cell(_TLS1_2, suite("AES_256_GCM_SHA384"), client="gnutls"),
        Cell(_TLS1_2, suite("AES_128_CBC_SHA256"), client="gnutls", etm=False),
        Cell(_TLS1_1, suite("AES_128_CBC_SHA"), server="gnutls", ems=False),
        Cell(_TLS1_0, suite("3DES_EDE_CBC_SHA"), client="gnutls", server="tlslite"),
        Cell(_TLS1_0, suite("RC4_128_SHA"), client="gnutls", server="gnutls", ems=False),
        Cell(_TLS1_2, suite("AES_128_CCM_8"), client="gnutls", server="gnutls"),
    ):
        capture.add(stacks.record(cell))
    return capture


def ssl3(stacks: Stacks) -> Capture:
    capture = Capture("ssl3", pcap.PCAP, about="SSL 3.0, which a tool should refuse by default.")
    for name in (
        "RC4_128_MD5", "RC4_128_SHA", "3DES_EDE_CBC_SHA", "AES_128_CBC_SHA", "AES_256_CBC_SHA",
        "NULL_SHA", "NULL_MD5",
    ):  # fmt: skip
        capture.add(
            stacks.record(Cell(Version.SSL3, suite(name), client="tlslite", server="tlslite"))
        )
    # tlslite-ng would agree to extensions in SSL 3.0 and then fail on them.
    falling_back = replace(
        _CBC, version=Version.SSL3, client="tlslite", server="tlslite", offered=_TLS1_2
    )
    recording = stacks.record(falling_back)
    capture.add(recording, note=_premaster_note(recording))
    return capture


def ssl3_clients(stacks: Stacks) -> Capture:
    capture = Capture(
        "ssl3-clients", pcap.PCAPNG, about="SSL 3.0 as NSS and JSSE do it, quirks included."
    )
    ssl3 = Cell(Version.SSL3, suite("RC4_128_SHA"), ems=False, etm=False)
    for cell, note in (
        (replace(ssl3, client="nss", server="tlslite"), ""),
        (replace(ssl3, client="jsse", server="nss", suite=suite("DES_CBC_SHA")), ""),
        (replace(ssl3, client="jsse", server="jsse"), ""),
        (
            replace(ssl3, client="jsse", server="jsse", sslv2_hello=True),
            "ClientHello in SSL 2.0 framing",
        ),
        (
            replace(ssl3, client="jsse", server="jsse", offered=_TLS1_2),
            "the encrypted premaster has the two-byte length of TLS",
        ),
    ):
        capture.add(stacks.record(cell), note=note)
    return capture


def sslv2_hello(stacks: Stacks) -> Capture:
    capture = Capture(
        "sslv2-hello", pcap.PCAP, about="ClientHello in SSL 2.0 framing; the rest is TLS."
    )
    base = replace(_CBC, client="jsse", sslv2_hello=True)
    for cell in (
        base,
        replace(base, version=_TLS1_1),
        replace(base, offered=_TLS1_2),
        replace(base, version=_TLS1_2, suite=suite("AES_128_GCM_SHA256")),
    ):
        capture.add(stacks.record(cell))
    return capture


def des(stacks: Stacks) -> Capture:
    capture = Capture("des", pcap.PCAP, about="DES, which ended with TLS 1.1.")
    base = Cell(_TLS1_0, suite("DES_CBC_SHA"), client="jsse", server="jsse", ems=False, etm=False)
    for cell in (
        base,
        replace(base, version=_TLS1_1, ems=True),
        replace(base, client="nss"),
        replace(base, server="nss", ems=True),
    ):
        capture.add(stacks.record(cell))
    return capture


def nss(stacks: Stacks) -> Capture:
    capture = Capture("nss", pcap.PCAP_NANOSECONDS, about="NSS as client and as server.")
    for cell in (
        replace(_GCM, client="nss"),
        replace(_CBC, client="nss"),
        replace(_CBC, client="tlslite", server="nss", version=_TLS1_2, ems=True),
        replace(_CBC, client="nss", server="tlslite", suite=suite("3DES_EDE_CBC_SHA")),
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


def tls13(stacks: Stacks) -> Capture:
    capture = Capture("tls13", pcap.PCAP, about="TLS 1.3 has no RSA key exchange.")
    settings = openssl.Settings("DEFAULT", Version.TLS1_3, Version.TLS1_3)
    capture.add(stacks.record_openssl(settings), Verdict.FORWARD_SECRET, "TLS 1.3")
    return capture


def wrong_key(stacks: Stacks) -> Capture:
    capture = Capture(
        "wrong-key", pcap.PCAP, about="The server's key is other-2048, not server-2048."
    )
    for cell in (_GCM, _CBC, replace(_GCM, ems=False)):
        other = replace(cell, server_key="other-2048")
        capture.add(stacks.record(other), Verdict.WRONG_KEY)
    return capture


def mixed(stacks: Stacks) -> Capture:
    capture = Capture(
        "mixed",
        pcap.PCAPNG_BIG_ENDIAN,
        at_once=5,
        about="Some sessions proven, some not, each for its own reason; and a plain HTTP stream.",
    )
    settings = openssl.Settings("ECDHE-RSA-AES128-GCM-SHA256", _TLS1_2, _TLS1_2)
    capture.add(stacks.record(_GCM))
    capture.add(stacks.record(replace(_GCM, server_key="other-2048")), Verdict.WRONG_KEY)
    capture.add(stacks.record_openssl(settings), Verdict.FORWARD_SECRET)
    capture.add_stream(
        [Flight(Direction.TO_SERVER, REQUEST), Flight(Direction.TO_CLIENT, RESPONSE)]
    )
    aborted = stacks.record(_CBC)
    flights = edit.stop_before_client_finished(aborted.flights)
    capture.add(replace(aborted, flights=flights), Verdict.INCOMPLETE, "no client Finished")
    capture.add(stacks.record(_CBC))
    return capture


def key_sizes(stacks: Stacks) -> Capture:
    sizes = ("server-2048", "server-3072", "server-4096")
    capture = Capture("key-sizes", pcap.PCAP, keys=sizes, about="Three servers, three keys.")
    for name in sizes:
        capture.add(stacks.record(replace(_GCM, server_key=name)))
        capture.add(stacks.record(replace(_CBC, server_key=name)))
    return capture


def premaster_version(stacks: Stacks) -> Capture:
    capture = Capture(
        "premaster-version",
        pcap.PCAP_NANOSECONDS,
        about="The version in the premaster is the offered one, except for careless clients.",
    )
    lite = replace(_CBC, client="tlslite", server="tlslite")
    for cell in (
        replace(_CBC, offered=_TLS1_2),
        replace(_CBC, version=_TLS1_1, offered=_TLS1_2, ems=True),
        replace(lite, offered=_TLS1_1),
    ):
        recording = stacks.record(cell)
        capture.add(recording, note=_premaster_note(recording))
    recording = _with_negotiated_version_in_premaster(stacks)
    capture.add(recording, note=_premaster_note(recording))
    return capture


def resumption(stacks: Stacks) -> Capture:
    capture = Capture(
        "resumption",
        pcap.PCAP_NANOSECONDS,
        links=(link.RAW_IP,),
        about="By session id and by ticket; the last session's original is not in the capture.",
    )
    for version, ciphers, tickets, in_capture in (
        (_TLS1_2, "AES128-GCM-SHA256", False, True),
        (_TLS1_2, "AES256-SHA256", True, True),
        (_TLS1_0, "AES128-SHA", False, True),
        (_TLS1_2, "AES128-SHA", True, False),
    ):
        settings = openssl.Settings(ciphers, version, version, tickets=tickets)
        first, second = stacks.record_resumption(settings)
        how = "ticket" if tickets else "session id"
        if in_capture:
            capture.add(first)
        capture.add(
            second, Verdict.RESUMED, f"resumed by {how}", resumes=first.hellos.client_random
        )
    return capture


def renegotiation(stacks: Stacks) -> Capture:
    capture = Capture(
        "renegotiation",
        pcap.PCAP_BIG_ENDIAN,
        links=(link.BSD_LOOPBACK,),
        about="A second full handshake inside the first session's encryption.",
    )
    pair = stacks.keys.pair("server-2048")
    for version, name in (
        (_TLS1_2, "AES_128_GCM_SHA256"),
        (_TLS1_2, "AES_128_CBC_SHA"),
        (_TLS1_0, "AES_256_CBC_SHA"),
    ):
        settings = openssl.Settings(str(suite(name).openssl), version, version, renegotiation=True)
        in_memory_server = openssl.Context(settings, pair).endpoint()
        by_client = openssl_cli.client(settings, renegotiate=True)
        by_server = openssl_cli.server(settings, pair, renegotiate=True)
        in_memory_client = openssl.Context(settings, None).endpoint()
        recording = stacks.record_pair(by_client, in_memory_server, pair.name)
        _add_renegotiated(capture, recording, "the client")
        recording = stacks.record_pair(in_memory_client, by_server, pair.name)
        _add_renegotiated(capture, recording, "a HelloRequest")
    return capture


def client_certificate(stacks: Stacks) -> Capture:
    capture = Capture(
        "client-certificate",
        pcap.PCAP,
        links=(link.LINUX_COOKED,),
        about="The client proves who it is: Certificate and CertificateVerify are in the hash.",
    )
    for cell in (
        replace(_GCM, client_auth=True),
        replace(_CBC, client_auth=True),
        replace(_CBC, version=_TLS1_1, ems=True, etm=True, client_auth=True),
        replace(_GCM, client="tlslite", server="tlslite", client_auth=True),
    ):
        capture.add(stacks.record(cell))
    return capture


def ipv6(stacks: Stacks) -> Capture:
    capture = Capture("ipv6", pcap.PCAP, ipv6=True, about="IPv6 on Ethernet.")
    return _two_sessions(stacks, capture)


def vlan(stacks: Stacks) -> Capture:
    capture = Capture("vlan", pcap.PCAP, links=(link.VLAN,), about="One VLAN tag.")
    return _two_sessions(stacks, capture)


def qinq(stacks: Stacks) -> Capture:
    capture = Capture(
        "qinq", pcap.PCAPNG_GZ, links=(link.QINQ, link.VLAN), ipv6=True, about="Two VLAN tags."
    )
    return _two_sessions(stacks, capture)


def linux_cooked(stacks: Stacks) -> Capture:
    capture = Capture(
        "linux-cooked", pcap.PCAP, links=(link.LINUX_COOKED,), about="The `any` device of Linux."
    )
    return _two_sessions(stacks, capture)


def linux_cooked_2(stacks: Stacks) -> Capture:
    capture = Capture(
        "linux-cooked-2", pcap.PCAP, links=(link.LINUX_COOKED_2,), about="The same since 2018."
    )
    return _two_sessions(stacks, capture)


def raw_ip(stacks: Stacks) -> Capture:
    capture = Capture("raw-ip", pcap.PCAP, links=(link.RAW_IP,), about="No link layer at all.")
    return _two_sessions(stacks, capture)


def bsd_loopback(stacks: Stacks) -> Capture:
    capture = Capture(
        "bsd-loopback", pcap.PCAP, links=(link.BSD_LOOPBACK,), ipv6=True, about="Loopback of macOS."
    )
    return _two_sessions(stacks, capture)


def pcapng_extras(stacks: Stacks) -> Capture:
    capture = Capture(
        "pcapng-extras",
        pcap.PCAPNG_EXTRAS,
        links=(link.ETHERNET, link.RAW_IP),
        at_once=2,
        about="Options, blocks to skip, and sections that begin in the middle of a handshake.",
    )
    return _two_sessions(stacks, capture)


def port_reuse(stacks: Stacks) -> Capture:
    capture = Capture(
        "port-reuse", pcap.PCAP, about="One connection after another with the same two ports."
    )
    return _two_sessions(stacks, capture, client_port=50_000)


def snap_length(stacks: Stacks) -> Capture:
    capture = Capture(
        "snap-length", pcap.PCAP, snap_length=200, about="Only the beginning of each frame."
    )
    for cell in (_GCM, _CBC):
        capture.add(stacks.record(cell), Verdict.INCOMPLETE, "the encrypted premaster is cut off")
    return capture


def reordered(stacks: Stacks) -> Capture:
    capture = Capture("reordered", pcap.PCAP, about="Neighbouring segments change places.")
    return _two_sessions(stacks, capture, tcp.swap_neighbours, mss=200)


def duplicated(stacks: Stacks) -> Capture:
    capture = Capture("duplicated", pcap.PCAP, about="Every segment is seen twice.")
    return _two_sessions(stacks, capture, tcp.duplicate_all, mss=536)


def overlapping(stacks: Stacks) -> Capture:
    capture = Capture("overlapping", pcap.PCAP, about="Retransmissions across segment borders.")
    return _two_sessions(stacks, capture, tcp.retransmit_overlapping, mss=300)


def wraparound(stacks: Stacks) -> Capture:
    capture = Capture(
        "wraparound", pcap.PCAP, about="Sequence numbers wrap around within the handshake."
    )
    return _two_sessions(stacks, capture, mss=400, client_isn=2**32 - 100, server_isn=2**32 - 500)


def lost_segment(stacks: Stacks) -> Capture:
    capture = Capture("lost-segment", pcap.PCAP, about="A segment of the handshake is missing.")
    for cell, nth, what in (
        (_GCM, 1, "half of the ServerHello flight"),
        (_CBC, 1, "half of the ServerHello flight"),
        (_CBC, 3, "the ClientKeyExchange"),
        (_GCM, 3, "the ClientKeyExchange"),
    ):
        capture.add(
            stacks.record(cell),
            Verdict.INCOMPLETE,
            f"{what} was not captured",
            accident=partial(tcp.lose_data, nth=nth),
            mss=800,
        )
    capture.add(stacks.record(_GCM), note="a whole one, in between")
    return capture


def missing_start(stacks: Stacks) -> Capture:
    capture = Capture(
        "missing-start", pcap.PCAP, about="Capturing began after the ClientHello had passed."
    )
    for cell in (_GCM, _CBC):
        capture.add(
            stacks.record(cell),
            Verdict.INCOMPLETE,
            "SYN, SYN-ACK, ACK and ClientHello were not captured",
            accident=lambda connection: connection[4:],
        )
    return capture


def cut_off(stacks: Stacks) -> Capture:
    capture = Capture("cut-off", pcap.PCAP, about="Handshakes that nobody finished.")
    for cell in (_GCM, _CBC):
        recording = stacks.record(cell)
        flights = edit.stop_before_client_finished(recording.flights)
        capture.add(replace(recording, flights=flights), Verdict.INCOMPLETE, "no client Finished")
    recording = stacks.record(_GCM)
    capture.add(
        replace(recording, flights=recording.flights[:2]),
        Verdict.INCOMPLETE,
        "ends with the ServerHelloDone",
    )
    return capture


def no_close(stacks: Stacks) -> Capture:
    capture = Capture(
        "no-close", pcap.PCAP, about="Capturing ended right after the client's Finished."
    )
    for cell in (_GCM, _CBC):
        capture.add(stacks.record(cell), accident=_stop_after_client_finished)
    return capture


def fragmented(stacks: Stacks) -> Capture:
    capture = Capture(
        "fragmented", pcap.PCAP_GZ, about="Messages in many tiny records and tiny segments."
    )
    certificate = tlslite.Certificate(stacks.keys.pair("server-2048"))
    for version, name in ((_TLS1_2, "AES_128_GCM_SHA256"), (_TLS1_0, "AES_128_CBC_SHA")):
        settings = tlslite.Settings((suite(name),), version, version, record_size=19)
        recording = stacks.record_pair(
            tlslite.TlsliteEndpoint(settings, None),
            tlslite.TlsliteEndpoint(settings, certificate),
            "server-2048",
        )
        capture.add(recording, note="records of 19 bytes, Finished included", mss=64)
    recording = stacks.record(_GCM)
    flights = edit.split_handshake(recording.flights, 1)
    capture.add(
        replace(recording, flights=flights), note="clear handshake in records of one byte", mss=512
    )
    capture.add(stacks.record(_CBC), note="segments of seven bytes", mss=7)
    return capture


def coalesced(stacks: Stacks) -> Capture:
    capture = Capture(
        "coalesced", pcap.PCAP, about="The server's whole flight in one record, as some stacks do."
    )
    for cell in (_GCM, _CBC, replace(_GCM, client_auth=True)):
        recording = stacks.record(cell)
        capture.add(replace(recording, flights=edit.coalesce_handshake(recording.flights)))
    return capture


def malformed(stacks: Stacks) -> Capture:
    capture = Capture("malformed", pcap.PCAP, about="Messages whose length fields do not fit.")
    for damage in (edit.overstate_encrypted_premaster, edit.overstate_server_session_id):
        recording = stacks.record(_GCM)
        note = (damage.__doc__ or "").strip()
        capture.add(replace(recording, flights=damage(recording.flights)), Verdict.MALFORMED, note)
    return capture


def http(_stacks: Stacks) -> Capture:
    capture = Capture("http", pcap.PCAP, about="No TLS in it.")
    capture.add_stream(
        [Flight(Direction.TO_SERVER, REQUEST), Flight(Direction.TO_CLIENT, RESPONSE)],
        server_port=80,
    )
    return capture


def empty(_stacks: Stacks) -> Capture:
    return Capture("empty", pcap.PCAP, about="A capture file without a packet.")


_ALL: tuple[Callable[[Stacks], Capture], ...] = (
    handshakes, suites, rare_ciphers, gnutls, nss, des, ssl3, ssl3_clients, sslv2_hello,
    ecdhe, tls13, wrong_key, mixed, key_sizes,
    premaster_version, resumption, renegotiation, client_certificate,
    ipv6, vlan, qinq, linux_cooked, linux_cooked_2, raw_ip, bsd_loopback,
    pcapng_extras, port_reuse, snap_length,
    reordered, duplicated, overlapping, wraparound, lost_segment, missing_start,
    cut_off, no_close, fragmented, coalesced, malformed, http, empty,
)  # fmt: skip

CAPTURES = {function.__name__.replace("_", "-"): function for function in _ALL}
"""The captures by name, in the order of the manifest."""


def _two_sessions(
    stacks: Stacks, capture: Capture, accident: Accident | None = None, **flow_fields: Any
) -> Capture:
    """One session with long-hash EMS and one of the oldest kind, under the capture's conditions."""
    for cell in (_GCM, _CBC):
        capture.add(stacks.record(cell), accident=accident, **flow_fields)
    return capture


def _premaster_note(recording: Recording) -> str:
    hellos, premaster = recording.hellos, recording.premaster_version
    if premaster is None or premaster == hellos.protocol == hellos.offered_version:
        return ""
    return (
        f"offered {hellos.offered_version:04x}, negotiated {hellos.protocol:04x}, "
        f"premaster carries {premaster:04x}"
    )


def _with_negotiated_version_in_premaster(stacks: Stacks) -> Recording:
    suites_offered = (suite("AES_128_CBC_SHA"),)
    client = tlslite.Settings(
        suites_offered, _TLS1_0, _TLS1_2, negotiated_version_in_premaster=True
    )
    server = tlslite.Settings(suites_offered, _TLS1_0, _TLS1_0)
    certificate = tlslite.Certificate(stacks.keys.pair("server-2048"))
    return stacks.record_pair(
        tlslite.TlsliteEndpoint(client, None),
        tlslite.TlsliteEndpoint(server, certificate),
        "server-2048",
    )


def _add_renegotiated(capture: Capture, recording: Recording, asked_by: str) -> None:
    """Adds the connection's first session and the one that came after it."""
    capture.add(recording)
    first = recording.hellos.client_random
    later = [random for random in recording.master_secrets if random != first]
    for random in later:
        hellos = replace(recording.hellos, client_random=random)
        entry = SessionEntry.of(
            replace(recording, hellos=hellos, premaster_version=None),
            Verdict.PROVEN,
            f"renegotiation, asked for by {asked_by}",
        )
        capture.add_session(entry)


def _stop_after_client_finished(connection: list[tcp.Segment]) -> list[tcp.Segment]:
    from_client = [
        at
        for at in tcp.data_positions(connection)
        if connection[at].direction is Direction.TO_SERVER
    ]
    return connection[: from_client[1] + 1]
