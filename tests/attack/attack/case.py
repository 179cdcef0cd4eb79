"""A conversation to be had with a server, and what the servers and the run allow."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from attack.client import Client, Offer, Session
from attack.groups import Group
from attack.reply import Expectation, Reply
from attack.suites import AES128_SHA, Profile, Suite
from attack.tls13 import client as tls13
from attack.tls13 import suites as suites13
from attack.tls13.schedule import Psk
from attack.wire import Version

T = TypeVar("T")


class Lab:
    """What one conversation works with: a server and random numbers of its own."""

    def __init__(self, address: tuple[str, int], rng: Random) -> None:
        self.address = address
        self.rng = rng
        self._clients: list[Client | tls13.Client] = []

    def client(self, profile: Profile, **offer: Any) -> Client:
        """A new connection."""
        client = Client(self.address, Offer(profile, **offer), self.rng)
        self._clients.append(client)
        return client

    def session(self, profile: Profile, **offer: Any) -> Session:
        """A session that the server keeps, of a connection that ended well."""
        client = self.client(profile, **offer)
        client.handshake()
        client.goodbye()
        return client.session

    def tls13(self, **offer: Any) -> tls13.Client:
        """A new connection of TLS 1.3."""
        client = tls13.Client(self.address, tls13.Offer(**offer), self.rng)
        self._clients.append(client)
        return client

    def ticket(self, **offer: Any) -> Psk:
        """What the server gives to resume with, in a connection of TLS 1.3 that ended well."""
        client = self.tls13(**offer)
        client.handshake()
        client.page()
        client.require(bool(client.server.tickets), "the server gives no ticket")
        return client.server.tickets[-1]

    def close(self) -> None:
        """Closes what the conversation left open."""
        for client in self._clients:
            client.close()


@dataclass(frozen=True)
class Case:
    """A conversation."""

    name: str
    expected: Expectation
    run: Callable[[Lab], Reply]
    group: str = ""
    """Conversations of one group must meet the very same reply. Empty for none."""


@dataclass(frozen=True)
class Scope:
    """What a run covers."""

    served: Sequence[Profile]
    """What the server speaks."""
    smoke: bool = False
    """A short run: few profiles, and a sample of what is tried at every position."""
    base: Suite = AES128_SHA
    """The suite of conversations that any suite would do for."""
    groups: Sequence[Group] = ()
    """The groups in which the server has ephemeral keys."""
    highest: Version = field(default=Version.TLS1_2)
    suites: Sequence[suites13.Suite] = ()
    """The suites of TLS 1.3 that the server speaks."""
    shares: Sequence[int] = ()
    """The groups of TLS 1.3 in which the server has keys."""
    hybrids: Sequence[int] = ()
    """The hybrid groups that it has; a library may lack ML-KEM."""

    def profiles(self, *, of: Callable[[Profile], bool] | None = None) -> list[Profile]:
        """The profiles to be tried, of those that `of` accepts. A short run takes two."""
        found = [profile for profile in self.served if of is None or of(profile)]
        if not self.smoke or len(found) < 2:
            return found
        return [found[0], found[-1]]

    def versions(self, suite: Suite | None = None) -> list[Profile]:
        """A profile per version, with this suite or the base, and without encrypt-then-MAC."""
        wanted = suite or self.base
        return self.profiles(
            of=lambda profile: profile.suite == wanted and not profile.encrypt_then_mac
        )

    def some(self, items: Iterable[T], count: int = 6) -> list[T]:
        """All of them, or in a short run so many, spread evenly with first and last."""
        items = list(items)
        if not self.smoke or len(items) <= count:
            return items
        if count == 1:
            return items[:1]
        return [items[index * (len(items) - 1) // (count - 1)] for index in range(count)]
