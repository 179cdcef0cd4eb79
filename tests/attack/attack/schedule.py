"""The key schedule of SSL 3.0 to TLS 1.2, on tlslite-ng's PRFs."""

from dataclasses import dataclass

from tlslite.handshakehashes import HandshakeHashes
from tlslite.mathtls import calc_key

from attack.suites import Profile
from attack.wire import Version


@dataclass(frozen=True)
class Keys:
    """The key block of a connection, cut up (RFC 5246 section 6.3)."""

    client_mac: bytes
    server_mac: bytes
    client_key: bytes
    server_key: bytes
    client_iv: bytes
    server_iv: bytes


def master_secret(
    profile: Profile, premaster: bytes, client_random: bytes, server_random: bytes
) -> bytes:
    """RFC 5246 section 8.1."""
    return bytes(
        calc_key(
            profile.version.pair,
            bytearray(premaster),
            profile.suite.id,
            b"master secret",
            client_random=bytearray(client_random),
            server_random=bytearray(server_random),
            output_length=48,
        )
    )


def extended_master_secret(profile: Profile, premaster: bytes, transcript: bytes) -> bytes:
    """RFC 7627 section 4; `transcript` ends with the ClientKeyExchange."""
    return bytes(
        calc_key(
            profile.version.pair,
            bytearray(premaster),
            profile.suite.id,
            b"extended master secret",
            handshake_hashes=_hashes(transcript),
            output_length=48,
        )
    )


def key_block(profile: Profile, master: bytes, client_random: bytes, server_random: bytes) -> Keys:
    """RFC 5246 section 6.3."""
    suite = profile.suite
    lengths = [suite.mac_length] * 2 + [suite.key_length] * 2 + [suite.fixed_iv_length] * 2
    block = bytes(
        calc_key(
            profile.version.pair,
            bytearray(master),
            suite.id,
            b"key expansion",
            client_random=bytearray(client_random),
            server_random=bytearray(server_random),
            output_length=sum(lengths),
        )
    )
    pieces = []
    for length in lengths:
        pieces.append(block[:length])
        block = block[length:]
    return Keys(*pieces)


def verify_data(profile: Profile, master: bytes, sender: str, transcript: bytes) -> bytes:
    """The body of a Finished message (RFC 5246 section 7.4.9; RFC 6101 section 5.6.9)."""
    return bytes(
        calc_key(
            profile.version.pair,
            bytearray(master),
            profile.suite.id,
            f"{sender} finished".encode(),
            handshake_hashes=_hashes(transcript),
            output_length=36 if profile.version == Version.SSL3 else 12,
        )
    )


def _hashes(transcript: bytes) -> HandshakeHashes:
    hashes = HandshakeHashes()
    hashes.update(bytearray(transcript))
    return hashes
