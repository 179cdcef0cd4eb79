"""The lengths that are run, and the functions that hold code of the routines."""

from pathlib import Path

from proof import names
from proof.case import Case
from proof.cbc import record_opened, record_padding
from proof.layout import Layout
from proof.mac import record_mac
from proof.padding import padding_removal
from proof.premaster import Convention, premaster
from proof.record import MD5, SHA1, SHA256, SHA384, SSL3, Record


def cases(layout: Layout, *, full: bool) -> list[Case]:
    """All cases, or those that CI runs."""
    convention = Convention.of(layout)
    return [
        *(premaster(convention, length) for length in (_PREMASTER_FULL if full else _PREMASTER)),
        *_padding(layout, _PADDING_FULL if full else _PADDING),
        *_padding_before_mac(layout, (16, 20, 32, 48) if full else (20,)),
        *_records(layout, full),
    ]


def _padding(layout: Layout, lengths: tuple[int, ...]) -> list[Case]:
    found = []
    for length in lengths:
        found.append(padding_removal(layout, length))
        found.append(padding_removal(layout, length, ssl3_block_len=16))
    return found


def _padding_before_mac(layout: Layout, mac_lens: tuple[int, ...]) -> list[Case]:
    """The lengths of the MAC with which `Cbc::open` calls it."""
    return [
        padding_removal(layout, 64, mac_len, ssl3_block_len)
        for mac_len in mac_lens
        for ssl3_block_len in (None, 8)
    ]


def _records(layout: Layout, full: bool) -> list[Case]:
    before_mac = [
        Record(SHA256, 64),
        Record(SHA1, 288),
        Record(SHA1, 48, 8, SSL3),
        # Refused before anything secret is read: no room for payload, a part of a block.
        Record(SHA256, 32),
        Record(SHA1, 40),
        Record(SHA1, (1 << 32) + 1, 8),
    ]
    opened = [
        record_opened(layout, Record(SHA256, 64), explicit_iv=True),
        record_opened(layout, Record(SHA1, 48, 8, SSL3), explicit_iv=False),
    ]
    macs = [
        Record(SHA1, 280, 8),
        Record(SHA384, 80),
        Record(SHA256, 64, is_shared=True),
        Record(MD5, 96, 8, SSL3),
        Record(SHA1, 64, knows_compression=False),
        Record(SHA384, 64, 8, SSL3, knows_compression=False),
        Record(SHA1, 64, 8, SSL3, knows_compression=False, is_shared=True),
        Record(SHA1, 64, 8, SSL3, knows_compression=False, failure="finish"),
        Record(SHA1, 64, 8, failure="finish"),
        Record(SHA1, 64, 8, failure="compression_function"),
    ]
    if full:
        before_mac += [Record(MD5, 256, 8), Record(SHA384, 256), Record(SHA1, 272)]
        macs += [
            *(Record(hash, 320) for hash in (MD5, SHA1, SHA256, SHA384)),
            *(Record(SHA1, length) for length in range(32, 160, 16)),
            *(Record(SHA256, length) for length in (48, 64, 128, 256, 272, 512)),
            *(Record(SHA384, length) for length in (64, 128, 192)),
            *(Record(hash, length, 8, SSL3) for hash in (MD5, SHA1) for length in (32, 64, 264)),
            *(Record(hash, 64, 8, SSL3, knows_compression=False) for hash in (MD5, SHA256)),
            *(Record(hash, 288, knows_compression=False) for hash in (SHA1, SHA384)),
        ]
    return [
        *(record_padding(layout, record) for record in before_mac),
        *opened,
        *(record_mac(layout, record) for record in macs),
    ]


COPIES = {
    ("premaster.rs", "recover_premaster"): {names.RECOVER_PREMASTER},
    ("record/padding.rs", "remove"): {names.REMOVE_PADDING, names.VERIFY_PADDING_AND_MAC},
    ("record/cbc.rs", "verify_padding_and_mac"): {names.VERIFY_PADDING_AND_MAC, names.OPEN},
    ("record/mac.rs", "verify_behind_padding"): {
        names.VERIFY_BEHIND_PADDING,
        names.BELOW,
    },
    ("record/mac.rs", "extract"): {names.VERIFY_BEHIND_PADDING},
    ("record/mac.rs", "hash_by_blocks"): {names.HASH_BY_BLOCKS},
    ("record/mac.rs", "hash_by_lengths"): {names.HASH_BY_LENGTHS},
}
"""Where the machine code of each function of our source is: in these functions and no others."""

USERS = {
    names.RECOVER_PREMASTER: {names.BELOW},
    names.REMOVE_PADDING: {names.OPEN},
    names.VERIFY_PADDING_AND_MAC: {"a table of methods"},
    names.VERIFY_BEHIND_PADDING: {names.OPEN, names.VERIFY_PADDING_AND_MAC},
    names.HASH_BY_BLOCKS: {names.VERIFY_BEHIND_PADDING, names.BELOW},
    names.HASH_BY_LENGTHS: {names.VERIFY_BEHIND_PADDING, names.BELOW},
}
"""Who refers to each function: these and no others."""

SOURCES = Path("crates/ssl-provider-core/src")

_PREMASTER = (47, 58, 59, 64, 83, 84, 128, 256, 257)
_PREMASTER_FULL = (47, 58, *range(59, 132), 192, 255, 256, 257, 384, 512, 768)
_PADDING = (0, 16, 256)
_PADDING_FULL = (0, *range(16, 272, 16), 320, 512)
