"""What a server answered, in a form that can be compared, and what it should have answered."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from attack.wire import FATAL, WARNING, Alert, name_of


@dataclass(frozen=True)
class Event:
    """One thing that the server did."""

    kind: str
    """`alert`, `handshake`, `change_cipher_spec`, `data`, `quiet`, or what a record has wrong."""
    detail: str = ""
    version: int = 0
    """The version in the record's header."""
    length: int = 0
    """Bytes of the record's fragment."""

    def __str__(self) -> str:
        words = f"{self.kind} {self.detail}".strip()
        return f"{words} [{self.version:#06x}, {self.length} bytes]" if self.version else words


QUIET = Event("quiet")
"""The server waited, as long as the client did."""

CLOSED = "closed"
RESET = "reset"
SILENT = "silent"


@dataclass(frozen=True)
class Reply:
    """What the server did from a point on, and how the connection ended."""

    events: tuple[Event, ...]
    end: str
    """`closed` (FIN), `reset` (RST), or `silent`: still open when the client gave up."""

    @property
    def signature(self) -> tuple:
        """What an attacker can tell apart. Of a page, only that there is one."""
        events: list[Event] = []
        for event in self.events:
            if event.kind == "data":
                event = replace(event, detail="", length=0)
                if events and events[-1] == event:
                    continue
            events.append(event)
        return (*events, self.end)

    def __str__(self) -> str:
        return ", ".join(map(str, self.signature))


@dataclass(frozen=True)
class Expectation:
    """Which replies are right."""

    text: str
    accepts: Callable[[Reply], bool]

    def by(self, section: str) -> "Expectation":
        """The same, with the section of RFC 8446 that says so."""
        return replace(self, text=f"{self.text} (RFC 8446 section {section})")


def alert_event(event: Event, level: int, *descriptions: Alert) -> bool:
    """Whether an event is an alert of this level and one of these descriptions."""
    return event.kind == "alert" and event.detail in {
        alert_detail(level, description) for description in descriptions
    }


def alert_detail(level: int, description: int) -> str:
    """An alert in words."""
    return f"{'fatal' if level == FATAL else 'warning'} {name_of(Alert, description)}"


def fatal(*descriptions: Alert) -> Expectation:
    """One fatal alert and nothing else, then an orderly close (RFC 5246 section 7.2.2)."""

    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (event,):
                return reply.end == CLOSED and alert_event(event, FATAL, *descriptions)
            case _:
                return False

    names = " or ".join(name_of(Alert, description) for description in descriptions)
    return Expectation(f"fatal {names}, closed", accepts)


def completes() -> Expectation:
    """A page comes. The client asks for it only after a right Finished of the server."""

    def accepts(reply: Reply) -> bool:
        pages = [event.detail for event in reply.events if event.kind == "data"]
        return (
            "".join(pages).startswith("HTTP/1.")
            and reply.end == CLOSED
            and not any(e.kind == "alert" and e.detail.startswith("fatal") for e in reply.events)
        )

    return Expectation("the handshake completes and a page comes", accepts)


def waits() -> Expectation:
    """Nothing, until the client ends the connection; then the end, perhaps with an alert."""

    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (first, *rest):
                alerts = all(event.kind == "alert" for event in rest)
                return first == QUIET and alerts and len(rest) <= 1 and reply.end == CLOSED
            case _:
                return False

    return Expectation("silence until the client is done, closed", accepts)


def ends_with(*descriptions: Alert) -> Expectation:
    """A fatal alert at the end, and no page; also when the client went on sending meanwhile."""

    def accepts(reply: Reply) -> bool:
        return (
            bool(reply.events)
            and alert_event(reply.events[-1], FATAL, *descriptions)
            and not any(event.kind == "data" for event in reply.events)
            and reply.end in (CLOSED, RESET)
        )

    names = " or ".join(name_of(Alert, description) for description in descriptions)
    return Expectation(f"fatal {names} in the end", accepts)


def closes() -> Expectation:
    """The connection ends with at most a close_notify, and without waiting."""

    def accepts(reply: Reply) -> bool:
        farewell = all(
            event.kind == "alert" and event.detail.endswith(" close_notify")
            for event in reply.events
        )
        return farewell and reply.end == CLOSED

    return Expectation("closed", accepts)


def refuses(*descriptions: Alert) -> Expectation:
    """What a client does: one fatal alert, exit code 1, and nothing that it delivers."""

    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (event,):
                return reply.end == "exit code 1" and alert_event(event, FATAL, *descriptions)
            case _:
                return False

    names = " or ".join(name_of(Alert, description) for description in descriptions)
    return Expectation(f"fatal {names}, exit code 1", accepts)


def fails(code: int = 1) -> Expectation:
    """What a client does: it ends with this code, whatever it says, and delivers nothing."""

    def accepts(reply: Reply) -> bool:
        delivers_something = any(event.kind == "delivered" for event in reply.events)
        return reply.end == f"exit code {code}" and not delivers_something

    return Expectation(f"exit code {code}, nothing delivered", accepts)


def refuses_behind_its_share(*descriptions: Alert) -> Expectation:
    """As `refuses`, perhaps with its own ClientKeyExchange before."""
    refusal = refuses(*descriptions)

    def accepts(reply: Reply) -> bool:
        first, *rest = reply.events or (QUIET,)
        is_share = first.kind == "handshake" and first.detail == "client_key_exchange"
        return refusal.accepts(Reply(tuple(rest), reply.end) if is_share else reply)

    return Expectation(f"perhaps client_key_exchange, then {refusal.text}", accepts)


def ends_without_a_word(code: int) -> Expectation:
    """What a client does: no alert, this exit code, and nothing that it delivers."""
    return Expectation(
        f"nothing said, exit code {code}",
        lambda reply: not reply.events and reply.end == f"exit code {code}",
    )


def delivers(content: bytes, code: int = 0, *descriptions: Alert) -> Expectation:
    """What a client does: it delivers this, says nothing but these alerts or close_notify."""

    def accepts(reply: Reply) -> bool:
        *said, delivered = reply.events or (QUIET,)
        good = {alert_detail(FATAL, it) for it in descriptions} or {
            alert_detail(WARNING, Alert.CLOSE_NOTIFY)
        }
        return (
            delivered.kind == "delivered"
            and delivered.detail == f"{len(content)} bytes: {shown(content)}"
            and all(event.kind == "alert" and event.detail in good for event in said)
            and reply.end == f"exit code {code}"
        )

    return Expectation(f"delivers {len(content)} bytes, exit code {code}", accepts)


def shown(content: bytes) -> str:
    """The beginning of what a client delivered."""
    return (content if len(content) < 100 else content[:40] + b"...").decode("latin-1")


def says_goodbye() -> Expectation:
    """Nothing but a close_notify, then an orderly close (RFC 5246 section 7.2.1)."""

    def accepts(reply: Reply) -> bool:
        match reply.events:
            case (event,):
                return reply.end == CLOSED and alert_event(event, WARNING, Alert.CLOSE_NOTIFY)
            case _:
                return False

    return Expectation("close_notify, closed", accepts)


def completes_and_says_so() -> Expectation:
    """A page, and a close_notify behind it, so that nobody on the way can cut it off."""
    page = completes()

    def accepts(reply: Reply) -> bool:
        return page.accepts(reply) and alert_event(reply.events[-1], WARNING, Alert.CLOSE_NOTIFY)

    return Expectation("a page and a close_notify", accepts)


def splits_off_first_byte() -> Expectation:
    """A page and a close_notify; the page's first byte comes in a record of its own."""
    page = completes_and_says_so()

    def accepts(reply: Reply) -> bool:
        data = [event.detail for event in reply.events if event.kind == "data"]
        return page.accepts(reply) and [len(part) > 1 for part in data] == [False, True]

    return Expectation("a page in records of 1 and n - 1 bytes, and a close_notify", accepts)


def either(*expectations: Expectation) -> Expectation:
    """One of several."""
    return Expectation(
        " or ".join(f"({expectation.text})" for expectation in expectations),
        lambda reply: any(expectation.accepts(reply) for expectation in expectations),
    )
