"""What conversations of a client with hostile servers of TLS 1.3 have in common."""

from collections.abc import Callable
from functools import partial

from attack.case import Case
from attack.clients import ClientLab
from attack.hostile import PAGE
from attack.reply import Expectation, Reply, delivers, refuses
from attack.tls13.hostile import Hostile, Plan
from attack.wire import Alert

GOOD = delivers(PAGE)
PLAN = Plan()

ILLEGAL = refuses(Alert.ILLEGAL_PARAMETER)
UNREADABLE = refuses(Alert.DECODE_ERROR)
UNEXPECTED = refuses(Alert.UNEXPECTED_MESSAGE)
UNASKED = refuses(Alert.UNSUPPORTED_EXTENSION)
MISSING = refuses(Alert.MISSING_EXTENSION)
MISMATCH = refuses(Alert.DECRYPT_ERROR)
BAD_RECORD = refuses(Alert.BAD_RECORD_MAC)
TOO_LONG = refuses(Alert.RECORD_OVERFLOW)

Script = Callable[[Hostile], object]


def cut_short(*descriptions: Alert) -> Expectation:
    """An alert, exit code 3, and nothing delivered: the handshake was good, the rest was not."""
    once = refuses(*descriptions)
    names = " or ".join(description.name.lower() for description in descriptions)
    return Expectation(
        f"fatal {names}, exit code 3",
        lambda reply: (
            reply.end == "exit code 3" and once.accepts(Reply(reply.events, "exit code 1"))
        ),
    )


def case(
    name: str,
    expected: Expectation,
    script: Script,
    group: str = "",
    plan: Plan = PLAN,
    options: tuple[str, ...] = (),
) -> Case:
    """A server that does what a script says."""
    return Case(name, expected, partial(_met, plan, script, options), group)


def _met(plan: Plan, script: Script, options: tuple[str, ...], lab: ClientLab) -> Reply:
    return lab.meet(plan, script, options=options)


def on(server: Hostile) -> None:
    """Reads the client's flight and request, and answers it: the client has taken all."""
    server.read_flight()
    server.answer()
    server.goodbye()


def honest(server: Hostile) -> None:
    """Does everything as it should be done."""
    server.handshake()
    server.answer()
    server.goodbye()


def to_request(server: Hostile) -> None:
    """A good handshake, after which the client has sent its request."""
    server.handshake()
    server.read_request()
