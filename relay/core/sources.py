"""Who connections come from: keys and addresses, with what each of them may use (limits per key and per IP)."""

from relay.core.limits import Limits
from relay.core.rates import Rate


class Source:
    """What all connections of one key, or of one address, use together."""

    __slots__ = ("connections", "hellos", "most_connections", "rate")

    def __init__(self, rate: int, hellos: int, connections: int) -> None:
        self.rate = Rate(rate)
        self.hellos = Rate(hellos)
        self.connections = 0  # open ones
        self.most_connections = connections

    def idle(self, now: float) -> bool:
        return not self.connections and self.rate.idle(now) and self.hellos.idle(now)


class Key(Source):
    """An API key in use."""

    __slots__ = ("id",)

    def __init__(self, key_id: int, limits: Limits) -> None:
        super().__init__(limits.key_rate, limits.key_hellos, limits.key_connections)
        self.id = key_id


class Address(Source):
    """An IP address, or an IPv6 network of 64 bits."""

    __slots__ = ("failures", "ip")

    def __init__(self, ip: str, limits: Limits) -> None:
        super().__init__(limits.ip_rate, limits.ip_hellos, limits.ip_connections)
        self.ip = ip
        self.failures = Rate(limits.ip_failures)

    def idle(self, now: float) -> bool:
        return super().idle(now) and self.failures.idle(now)
