"""Who connections come from: keys and addresses, with what each of them may use (limits per key and per IP)."""

from relay.core.limits import Limits
from relay.core.rates import Rate

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

    __slots__ = ("barred", "failures", "ip")

    def __init__(self, ip: str, limits: Limits) -> None:
        super().__init__(limits.ip_rate, limits.ip_rate_bytes, limits.ip_hellos, limits.ip_connections)
        self.ip = ip
        self.failures = Rate(limits.ip_failures)
        self.barred: dict[int, float] = {}  # until when a share of it opens no connection, since one has flooded

    def idle(self, now: float) -> bool:
        return super().idle(now) and self.failures.idle(now) and not any(until > now for until in self.barred.values())

    def is_barred(self, origin: str | None, now: float) -> bool:
        """Whether pages of this origin, or programs (None), may open no connection from here now."""
        return bool(self.barred) and self.barred.get(share_of(origin), 0.0) > now
