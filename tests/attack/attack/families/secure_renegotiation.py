"""A second handshake on a connection whose server allows it (RFC 5746).

It must be bound to the handshake before it, by the verify_data of both, else somebody else may have
had that one (CVE-2009-3555). Data of the client does not come within it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from attack.case import Case, Lab, Scope
from attack.client import REQUEST, Client
from attack.families.bleichenbacher import MALFORMED, Kind
from attack.groups import P256
from attack.reply import CLOSED, Expectation, Reply, alert_event, completes, fatal
from attack.suites import AES128_SHA, AES256_SHA, ECDHE_RSA_AES128_SHA, Profile
from attack.wire import (
    RENEGOTIATION_SCSV,
    WARNING,
    Alert,
    ContentType,
    Extension,
    HandshakeType,
    Version,
    extension,
    flip,
    message,
    vector,
)

_NOT_BOUND = fatal(Alert.HANDSHAKE_FAILURE)
_UNEXPECTED = fatal(Alert.UNEXPECTED_MESSAGE)

_MOST = 16
"""Renegotiations on a connection that the server allows."""


def cases(scope: Scope) -> Iterator[Case]:
    """With each kind of key exchange, in every version of TLS."""
    for suite in (AES128_SHA, ECDHE_RSA_AES128_SHA):
        for profile in scope.versions(suite):
            if profile.version == Version.SSL3:
                yield Case(f"{profile}: declined", _declined(profile), partial(_plain, profile))
                continue
            yield from _allowed(profile)
            yield from _not_bound(profile)
            yield from _changed(profile)
            yield from _out_of_place(profile)
            yield from _keys(profile, scope)


def _allowed(profile: Profile) -> Iterator[Case]:
    for count in (1, 2, _MOST):
        yield Case(
            f"{profile}: {count} times, one after the other",
            completes(),
            partial(_times, profile, count),
        )
    yield Case(
        f"{profile}: more often than is allowed",
        _declined(profile),
        partial(_times, profile, _MOST + 1),
    )
    for name, offer in {
        "with another suite": {"suites": (AES256_SHA.id,)},
        "with the same session id": {"session": True},
        "with the extended master secret added": {"extended": True},
        "with a higher version offered": {"client_version": 0x0304},
    }.items():
        first = {"extended": False} if name.endswith("added") else {}
        if name.startswith("with a higher") and profile.version != Version.TLS1_2:
            continue
        yield Case(f"{profile}: {name}", completes(), partial(_again, profile, first, offer))
    yield Case(f"{profile}: data right before it", completes(), partial(_data_before, profile))


def _not_bound(profile: Profile) -> Iterator[Case]:
    group = f"{profile} not bound"

    def case(name: str, make: Callable[[Client], bytes | None], expected=_NOT_BOUND) -> Case:
        shared = group if expected is _NOT_BOUND else ""
        return Case(f"{profile}: {name}", expected, partial(_wrong_info, profile, make, ()), shared)

    for at in range(12):
        yield case(
            f"byte {at} of verify_data changed",
            lambda client, at=at: flip(client.own_verify_data, at, 1 << at % 8),
        )
    for name, make in {
        "no verify_data": lambda _: b"",
        "the server's verify_data": lambda client: client.server.verify_data,
        "both verify_data": lambda c: c.own_verify_data + c.server.verify_data,
        "11 bytes of verify_data": lambda client: client.own_verify_data[:-1],
        "a byte behind verify_data": lambda client: client.own_verify_data + b"\0",
        "verify_data of zeros": lambda _: bytes(12),
        "255 bytes": lambda _: bytes(255),
        "no renegotiation_info": lambda _: None,
    }.items():
        yield case(name, make)
    for name, right in {"right": True, "no": False}.items():
        yield Case(
            # RFC 5746 section 3.7.
            f"{profile}: the signalling suite, and {name} renegotiation_info",
            _NOT_BOUND,
            partial(
                _wrong_info,
                profile,
                lambda client, right=right: client.own_verify_data if right else None,
                (RENEGOTIATION_SCSV,),
            ),
            group,
        )
    for name, content in {
        "no content": b"",
        "a length that is too high": b"\x0d" + bytes(12),
        "a length that is too low": b"\x0b" + bytes(12),
    }.items():
        yield Case(
            f"{profile}: renegotiation_info: {name}",
            fatal(Alert.DECODE_ERROR),
            partial(_misshapen_info, profile, content),
            f"{profile} misshapen renegotiation_info",
        )
    yield Case(
        f"{profile}: verify_data of the handshake before the last",
        _NOT_BOUND,
        partial(_outdated, profile),
    )
    yield Case(
        f"{profile}: after a first handshake without the signal",
        _declined(profile),
        partial(_unsignalled, profile),
    )


def _changed(profile: Profile) -> Iterator[Case]:
    """What a renegotiation must not change."""
    yield Case(
        f"{profile}: without the extended master secret",
        _NOT_BOUND,
        partial(_refused, profile, {"extended": False}),
    )
    for version in Version:
        if version < profile.version:
            expected = fatal(Alert.PROTOCOL_VERSION)
            yield Case(
                f"{profile}: in {version.label}",
                expected,
                partial(_refused, profile, {"client_version": int(version)}),
            )
    yield Case(
        f"{profile}: with unknown suites only",
        fatal(Alert.HANDSHAKE_FAILURE),
        partial(_refused, profile, {"suites": (0xE001,)}),
    )
    yield Case(
        f"{profile}: with compression only",
        fatal(Alert.ILLEGAL_PARAMETER),
        partial(_refused, profile, {"compression": b"\1"}),
    )


def _out_of_place(profile: Profile) -> Iterator[Case]:
    for name, reach in _PLACES.items():
        yield Case(f"{profile}: data {name}", _UNEXPECTED, partial(_data, profile, reach, REQUEST))
        yield Case(
            f"{profile}: empty data {name}", _UNEXPECTED, partial(_data, profile, reach, b"")
        )
        if name != "after ClientKeyExchange":
            yield Case(
                f"{profile}: ChangeCipherSpec {name}",
                _UNEXPECTED,
                partial(_early_change, profile, reach),
            )
        yield Case(
            f"{profile}: ClientHello {name}", _UNEXPECTED, partial(_hello_twice, profile, reach)
        )
    yield Case(
        f"{profile}: Finished under the keys before",
        _UNEXPECTED,
        partial(_without_change, profile),
    )
    yield Case(
        f"{profile}: ChangeCipherSpec without a handshake",
        _UNEXPECTED,
        partial(_lone_change, profile),
    )
    yield Case(
        f"{profile}: ClientKeyExchange without a hello",
        _UNEXPECTED,
        partial(_lone_key_exchange, profile),
    )
    yield Case(
        f"{profile}: Finished with a byte changed",
        fatal(Alert.DECRYPT_ERROR),
        partial(_wrong_finished, profile, False),
    )
    yield Case(
        f"{profile}: Finished of the handshake before",
        fatal(Alert.DECRYPT_ERROR),
        partial(_wrong_finished, profile, True),
    )
    yield Case(
        f"{profile}: a hello in the clear",
        fatal(Alert.BAD_RECORD_MAC),
        partial(_in_the_clear, profile),
    )


def _keys(profile: Profile, scope: Scope) -> Iterator[Case]:
    """The key exchange is no oracle in a renegotiation either."""
    if profile.suite.ephemeral:
        yield Case(
            f"{profile}: a share that is not on its curve",
            fatal(Alert.ILLEGAL_PARAMETER),
            partial(_bad_share, profile),
        )
        return
    for kind in scope.some(MALFORMED):
        yield Case(
            f"{profile}: {kind.name}",
            fatal(Alert.BAD_RECORD_MAC),
            partial(_malformed, profile, kind),
            group=f"{profile} malformed",
        )


def _declined(profile: Profile) -> Expectation:
    """A warning, and the session goes on; SSL 3.0 has no such warning."""
    if profile.version == Version.SSL3:
        return fatal(Alert.HANDSHAKE_FAILURE)

    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (event, *rest):
                page = Reply(tuple(rest), reply.end)
                return (
                    alert_event(event, WARNING, Alert.NO_RENEGOTIATION)
                    and completes().accepts(page)
                    and reply.end == CLOSED
                )
            case _:
                return False

    return Expectation("warning no_renegotiation, then a page", accepts)


def _first(profile: Profile, lab: Lab, **offer) -> Client:
    client = lab.client(profile, **offer)
    client.handshake()
    return client


def _info(content: bytes | None) -> bytes:
    if content is None:
        return b""
    return extension(Extension.RENEGOTIATION_INFO, vector(content, 1))


def _begin(client: Client, **offer) -> None:
    """Begins another handshake, bound to that before it unless told otherwise."""
    settings = {"signal_renegotiation": False, "extensions": _info(client.own_verify_data)}
    client.begin_again(replace(client.offer, **{"session": None} | settings | offer))


def _renegotiate(client: Client, **offer) -> None:
    both = client.own_verify_data + client.server.verify_data
    _begin(client, **offer)
    client.hello()
    client.require(client.server.renegotiated == both, "the server's renegotiation_info is wrong")
    if not client.server.resumed:
        client.key_exchange()
    client.finish()
    client.require(client.read_until(lambda: client.server.finished), "no Finished")
    client.mark()


def _times(profile: Profile, count: int, lab: Lab) -> Reply:
    client = _first(profile, lab)
    for _ in range(min(count, _MOST)):
        _renegotiate(client)
    if count > _MOST:
        _begin(client)
        client.send_hello()
        client.read_until(lambda: bool(client.server.events))
    return client.page()


def _again(profile: Profile, first: dict, offer: dict, lab: Lab) -> Reply:
    client = _first(profile, lab, **first)
    if offer.get("session"):
        offer = {"session": client.session}
    _renegotiate(client, **offer)
    return client.page()


def _data_before(profile: Profile, lab: Lab) -> Reply:
    """Half of a request comes before, and the rest behind it."""
    client = _first(profile, lab)
    client.send(ContentType.APPLICATION_DATA, REQUEST[:5])
    _renegotiate(client)
    client.send(ContentType.APPLICATION_DATA, REQUEST[5:])
    return client.reply()


def _plain(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab)
    client.begin_again(client.offer)
    client.send_hello()
    return client.reply()


def _refused(profile: Profile, offer: dict, lab: Lab) -> Reply:
    client = _first(profile, lab)
    _begin(client, **offer)
    client.send_hello()
    return client.reply()


def _wrong_info(
    profile: Profile,
    make: Callable[[Client], bytes | None],
    signals: tuple[int, ...],
    lab: Lab,
) -> Reply:
    client = _first(profile, lab)
    suites = (profile.suite.id, *signals)
    _begin(client, extensions=_info(make(client)), suites=suites)
    client.send_hello()
    return client.reply()


def _misshapen_info(profile: Profile, content: bytes, lab: Lab) -> Reply:
    client = _first(profile, lab)
    _begin(client, extensions=extension(Extension.RENEGOTIATION_INFO, content))
    client.send_hello()
    return client.reply()


def _outdated(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab)
    outdated = client.own_verify_data
    _renegotiate(client)
    _begin(client, extensions=_info(outdated))
    client.send_hello()
    return client.reply()


def _unsignalled(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab, signal_renegotiation=False)
    _begin(client)
    client.send_hello()
    client.read_until(lambda: bool(client.server.events))
    return client.page()


def _hello(client: Client) -> None:
    _begin(client)
    client.hello()


def _key_exchange(client: Client) -> None:
    _hello(client)
    client.key_exchange()


def _change(client: Client) -> None:
    _key_exchange(client)
    client.change_cipher_spec()


_PLACES: dict[str, Callable[[Client], None]] = {
    "after ServerHelloDone": _hello,
    "after ClientKeyExchange": _key_exchange,
    "after ChangeCipherSpec": _change,
}


def _data(profile: Profile, reach: Callable[[Client], None], data: bytes, lab: Lab) -> Reply:
    client = _first(profile, lab)
    reach(client)
    client.send(ContentType.APPLICATION_DATA, data)
    return client.reply()


def _early_change(profile: Profile, reach: Callable[[Client], None], lab: Lab) -> Reply:
    client = _first(profile, lab)
    reach(client)
    client.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")
    return client.reply()


def _hello_twice(profile: Profile, reach: Callable[[Client], None], lab: Lab) -> Reply:
    client = _first(profile, lab)
    reach(client)
    client.send(ContentType.HANDSHAKE, message(HandshakeType.CLIENT_HELLO, client.hello_body()))
    return client.reply()


def _without_change(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab)
    _key_exchange(client)
    client.finished()
    return client.reply()


def _lone_change(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab)
    client.send(ContentType.CHANGE_CIPHER_SPEC, b"\1")
    return client.reply()


def _lone_key_exchange(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab)
    client.send_handshake(HandshakeType.CLIENT_KEY_EXCHANGE, client.new_key_exchange()[0])
    return client.reply()


def _wrong_finished(profile: Profile, outdated: bool, lab: Lab) -> Reply:
    client = _first(profile, lab)
    before = client.own_verify_data
    _change(client)
    sent = before if outdated else flip(client.verify_data(), 3)
    client.send_handshake(HandshakeType.FINISHED, sent)
    return client.reply()


def _in_the_clear(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab)
    _begin(client)
    client.write = None
    client.send_hello()
    return client.reply()


def _bad_share(profile: Profile, lab: Lab) -> Reply:
    client = _first(profile, lab, groups=[P256.number])
    _begin(client)
    client.hello()
    client.send_share(flip(P256.share, -1))
    return client.reply()


def _malformed(profile: Profile, kind: Kind, lab: Lab) -> Reply:
    client = _first(profile, lab)
    _begin(client)
    client.hello()
    block, premaster = kind.make(client)
    client.send_key_exchange(client.public_key.encrypt(block))
    client.derive(premaster)
    client.finish()
    return client.complete()
