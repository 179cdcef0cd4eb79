"""What a client lists for ephemeral keys: signature_algorithms, groups and forms of points.

Who lists none is old, and has what RFC 5246 section 7.4.1.4.1 and RFC 8422 section 4 say.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from attack import groups, signatures
from attack.case import Case, Lab, Scope
from attack.reply import Reply, completes, either, fatal
from attack.suites import (
    DHE_RSA_AES128_SHA,
    ECDHE_ECDSA_AES128_SHA,
    ECDHE_RSA_AES128_SHA,
    Profile,
)
from attack.wire import Alert, Extension, Version, extension, numbers

_NONE_IN_COMMON = fatal(Alert.HANDSHAKE_FAILURE)
_UNREADABLE = fatal(Alert.DECODE_ERROR)

_UNKNOWN_SCHEMES = (0x0000, 0x0101, 0x0402, 0x0202, 0x0708, 0x0807, 0x0808, 0xFFFF, 0x1A1A)
"""Also MD5 with RSA, DSA and the curves of Edwards, which nobody here signs with."""


def cases(scope: Scope) -> Iterator[Case]:
    """Lists that are usual, that have nothing in common with the server, and that are none."""
    for suite in (ECDHE_RSA_AES128_SHA, ECDHE_ECDSA_AES128_SHA, DHE_RSA_AES128_SHA):
        for profile in scope.versions(suite):
            if profile.version == Version.SSL3:
                continue
            if profile.version == Version.TLS1_2:
                yield from _schemes(profile)
            else:
                yield from _schemes_of_later(profile)
            yield from _groups(profile)
            if suite.exchange == "ECDHE":
                yield from _point_formats(profile)


def _schemes(profile: Profile) -> Iterator[Case]:
    on_curve = profile.suite.signer == "ECDSA"
    usual = [it for it in signatures.USUAL if signatures.is_ecdsa(it) == on_curve]
    others = [it for it in signatures.USUAL if signatures.is_ecdsa(it) != on_curve]
    for scheme in usual:
        yield _case(profile, f"only the scheme {scheme:#06x}", {"schemes": [scheme]}, scheme)
    yield _case(
        profile,
        "no schemes",
        {"schemes": None},
        signatures.ECDSA_SHA1 if on_curve else signatures.RSA_SHA1,
    )
    yield _case(
        profile,
        "a scheme among many unknown ones",
        {"schemes": [*range(0xE000, 0xE400), usual[0]]},
        usual[0],
    )
    yield _case(profile, "a scheme many times", {"schemes": [usual[-1]] * 500}, usual[-1])
    for scheme in _UNKNOWN_SCHEMES:
        yield Case(
            f"{profile}: only the unknown scheme {scheme:#06x}",
            _NONE_IN_COMMON,
            partial(_refused, profile, {"schemes": [scheme]}),
            group=f"{profile} no scheme",
        )
    yield Case(
        f"{profile}: only schemes of another kind of key",
        _NONE_IN_COMMON,
        partial(_refused, profile, {"schemes": others}),
        group=f"{profile} no scheme",
    )
    for name, content in _MISSHAPEN.items():
        yield Case(
            f"{profile}: schemes: {name}",
            _UNREADABLE,
            partial(_misshapen, profile, Extension.SIGNATURE_ALGORITHMS, content),
            group=f"{profile} misshapen schemes",
        )


def _schemes_of_later(profile: Profile) -> Iterator[Case]:
    """Versions before TLS 1.2 pass the extension over (RFC 5246 section 7.4.1.4.1)."""
    for name, content in {
        "unknown": numbers([0xEEEE]),
        "of another key": numbers([0x0202]),
    }.items():
        yield Case(
            f"{profile}: schemes that are {name}",
            completes(),
            partial(
                _negotiated,
                profile,
                {"extensions": extension(Extension.SIGNATURE_ALGORITHMS, content)},
                None,
            ),
        )
    for name, content in _MISSHAPEN.items():
        yield Case(
            f"{profile}: schemes: {name}",
            either(_UNREADABLE, completes()),
            partial(_misshapen, profile, Extension.SIGNATURE_ALGORITHMS, content),
        )


def _groups(profile: Profile) -> Iterator[Case]:
    if profile.suite.exchange == "ECDHE":
        unknown: list[Sequence[int]] = [[30], [0xEEEE, 0xFEED], [256, 257], [0], [0xFF01, 0xFF02]]
        if profile.suite.signer == "ECDSA":
            # The server's certificate is on P-256 (RFC 8422 section 5.3).
            unknown += [[29], [24, 25]]
        yield _case(profile, "no groups", {"groups": None}, None)
        yield _case(profile, "a group many times", {"groups": [23] * 500}, None)
    else:
        # RFC 7919 section 4: unknown fields are no reason to choose another one.
        unknown = [[511], [300, 301, 23]]
        yield _case(profile, "curves only", {"groups": [29, 23]}, None)
        yield _case(profile, "no groups", {"groups": None}, None)
    for listed in unknown:
        yield Case(
            f"{profile}: only the groups {', '.join(map(str, listed))}",
            _NONE_IN_COMMON,
            partial(_refused, profile, {"groups": listed}),
            group=f"{profile} no group",
        )
    yield _case(
        profile,
        "a group among many unknown ones",
        {"groups": [*range(0xE000, 0xE400), *groups.USUAL]},
        None,
    )
    for name, content in _MISSHAPEN.items():
        yield Case(
            f"{profile}: groups: {name}",
            _UNREADABLE,
            partial(_misshapen, profile, Extension.SUPPORTED_GROUPS, content),
            group=f"{profile} misshapen groups",
        )


def _point_formats(profile: Profile) -> Iterator[Case]:
    """RFC 8422 section 5.1.2: the uncompressed form must be among them."""
    for name, content, expected in (
        ("the usual one", b"\1\0", completes()),
        ("all three", b"\3\0\1\2", completes()),
        (
            "two hundred unknown ones, and the usual one",
            b"\xc9" + b"\x77" * 200 + b"\0",
            completes(),
        ),
        ("without the usual one", b"\2\1\2", fatal(Alert.ILLEGAL_PARAMETER)),
        ("none", b"\0", _UNREADABLE),
        ("no content", b"", _UNREADABLE),
        ("a list longer than the extension", b"\2\0", _UNREADABLE),
        ("a byte behind the list", b"\1\0\0", _UNREADABLE),
    ):
        sent = extension(Extension.EC_POINT_FORMATS, content)
        yield Case(
            f"{profile}: point formats: {name}",
            expected,
            partial(_offered, profile, {"extensions": sent}),
        )


_MISSHAPEN = {
    "no content": b"",
    "an empty list": b"\0\0",
    "half of one": b"\0\1\4",
    "one and a half": b"\0\3\4\1\4",
    "a list longer than the extension": b"\0\4\4\1",
    "a byte behind the list": b"\0\2\4\1\0",
    "a length of one byte": b"\2\4\1",
}


def _case(profile: Profile, name: str, offer: dict, scheme: int | None) -> Case:
    return Case(f"{profile}: {name}", completes(), partial(_negotiated, profile, offer, scheme))


def _negotiated(profile: Profile, offer: dict, scheme: int | None, lab: Lab) -> Reply:
    client = lab.client(profile, **offer)
    client.hello()
    if scheme is not None:
        signed = client.server_key.scheme
        client.require(signed == scheme, f"the server signed with {signed:#06x}")
    client.key_exchange()
    client.finish()
    return client.complete()


def _offered(profile: Profile, offer: dict, lab: Lab) -> Reply:
    client = lab.client(profile, **offer)
    client.send_hello()
    if not client.read_until(lambda: client.server.hello_done):
        return client.reply()
    client.mark()
    client.key_exchange()
    client.finish()
    return client.complete()


def _refused(profile: Profile, offer: dict, lab: Lab) -> Reply:
    client = lab.client(profile, **offer)
    client.send_hello()
    return client.reply()


def _misshapen(profile: Profile, kind: int, content: bytes, lab: Lab) -> Reply:
    without = "groups" if kind == Extension.SUPPORTED_GROUPS else "schemes"
    return _offered(profile, {without: None, "extensions": extension(kind, content)}, lab)
