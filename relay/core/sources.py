"""Who connections come from, with what each of them may use: keys, addresses, and visitors of one project."""

from __future__ import annotations

from relay.core.errors import Refused
from relay.core.limits import Limits
from relay.core.rates import Rate

MOST_SHARED = 100_000  # sessions, and addresses, remembered of one project; twice the connections of one key
SHARES = 16  # of an address, for the pages of all origins; programs have one of their own


def share_of(origin: str | None) -> int:
    """The share of an address that a page's origin belongs to, or a program (None).

    What a page makes its visitors' browsers do is held against its share only, not against others at their address.
    """
    return SHARES if origin is None else hash(origin) % SHARES


class Source:
    """What all connections of one key, or of one address, use together."""

    __slots__ = ("bytes", "connections", "hellos", "most_connections", "rate")

    def __init__(self, rate: int, rate_bytes: int, hellos: int, connections: int) -> None:
        self.rate = Rate(rate)
        self.bytes = Rate(rate_bytes)
        self.hellos = Rate(hellos)
        self.connections = 0  # open ones
        self.most_connections = connections

    def idle(self, now: float) -> bool:
        rates = self.rate, self.bytes, self.hellos
        return not self.connections and all(rate.idle(now) for rate in rates)


class Key(Source):
    """An API key in use."""

    __slots__ = ("id",)

    def __init__(self, key_id: int, limits: Limits) -> None:
        super().__init__(limits.key_rate, limits.key_rate_bytes, limits.key_hellos, limits.key_connections)
        self.id = key_id


class Address(Source):
    """An IP address, or an IPv6 network of 64 bits."""

    __slots__ = ("barred", "ip")

    def __init__(self, ip: str, limits: Limits) -> None:
        super().__init__(limits.ip_rate, limits.ip_rate_bytes, limits.ip_hellos, limits.ip_connections)
        self.ip = ip
        self.barred: dict[int, float] = {}  # until when a share of it opens no connection, since one has flooded

    def idle(self, now: float) -> bool:
        return super().idle(now) and not any(until > now for until in self.barred.values())

    def is_barred(self, origin: str | None, now: float) -> bool:
        """Whether pages of this origin, or programs (None), may open no connection from here now."""
        return bool(self.barred) and self.barred.get(share_of(origin), 0.0) > now


class SharedRate(Rate):
    """The requests a second that all front ends of one session, or of one address, make together in one project."""

    __slots__ = ("name", "rates", "users")

    def __init__(self, rates: SharedRates, name: str) -> None:
        """`rates`: the project's of this kind; `name`: of the session or the address."""
        super().__init__(rates.per_second)
        self.rates, self.name = rates, name
        self.users = 0  # connections that take from it

    def idle(self, now: float) -> bool:
        return not self.users and super().idle(now)

    def leave(self, now: float) -> None:
        """One connection less takes from it."""
        self.users -= 1
        if self.idle(now):
            del self.rates.by_name[self.name]

    def refusal(self, now: float) -> Refused:
        """`rate_limited`, with whose rate it is."""
        message = (
            f"The project takes {self.rates.per_second:,} requests a second of one {self.rates.of}. "
            "Wait for `retry_after` ms, or let its owner raise the limit."
        )
        return Refused("rate_limited", message, retry_after=self.wait(now))


class SharedRates:
    """The rates of all sessions, or of all addresses, whose front ends use one project."""

    def __init__(self, of: str) -> None:
        """`of`: "session" or "address"."""
        self.of = of
        self.per_second = 0  # of each; 0 before the first front end comes
        self.by_name: dict[str, SharedRate] = {}

    def change(self, per_second: int) -> None:
        """Set the requests a second of each; those in use follow."""
        if per_second != self.per_second:
            self.per_second = per_second
            for rate in self.by_name.values():
                rate.change(per_second)

    def join(self, name: str) -> SharedRate:
        """The rate of this session or address, for one more connection."""
        rate = self.by_name.get(name)
        if rate is None:
            if len(self.by_name) >= MOST_SHARED:
                name = "other"  # they share one rate until others are forgotten
            rate = self.by_name.setdefault(name, SharedRate(self, name))
        rate.users += 1
        return rate

    def forget(self, now: float) -> None:
        """Drop the rates that nobody uses and that are whole again."""
        self.by_name = {name: rate for name, rate in self.by_name.items() if not rate.idle(now)}
