"""A relay process that ends lets its peers move to another one first (GP-6).

Rule 1  Each peer is told once, by an early `bye`, when to open its next connection: servers first, since callers that
        have moved wait for them (GP-16), then all others, evenly over SPREAD s.
Rule 2  Until then, and until it closes the old connection itself, a peer is served as ever.
Rule 3  Servers hold two connections for a while, so that callers find them in both processes. Here they leave the
        rotation when no caller is left, and the process ends when their last call has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from relay.core import frames
from relay.core.connection import BACKEND
from relay.core.errors import CLOSE_CODES, Closing

if TYPE_CHECKING:
    from relay.core.connection import Connection
    from relay.core.hub import Hub

SPREAD = 5.0  # s in which the peers leave, so that the others are not overrun
SERVES = 15.0  # s; callers that have not moved by then find no server here any more
LONGEST = 20.0  # s until the end, whoever is still there
UNDER_WAY = 0.5  # s for calls that another process had sent to a server here before it left the rotation
RESTARTING = CLOSE_CODES[1012]


class Farewell:
    """The end of one hub's process. Drive it by `step`."""

    def __init__(self, hub: Hub, now: float) -> None:
        self.hub, self.began = hub, now
        self.told: set[Connection] = set()
        self.streams: list[tuple[float, Connection]] = []  # HTTP subscribers, which cannot move, and when they end
        self.retired_at: float | None = None  # when the servers left the rotation

    def step(self, now: float) -> bool:
        """Do what is due, several times a second; whether the process may end now."""
        self._tell(now)
        self._end_streams(now)
        if self.retired_at is None and self._callers_have_moved(now):
            self._retire(now)
        return now - self.began >= LONGEST or self._is_over(now)

    def _tell(self, now: float) -> None:
        """Say the early `bye` to those who have not heard it."""
        fresh = [c for tenant in self.hub.tenants.values() for c in tenant.connections if c not in self.told]
        fresh.sort(key=lambda connection: connection.peer != BACKEND)
        left = max(0.0, self.began + SPREAD - now)
        for number, connection in enumerate(fresh):
            self.told.add(connection)
            after = left * number / len(fresh)
            if connection.transport == "ws":
                connection.send(frames.encode(announcement(round(after * 1000))))
            else:
                self.streams.append((now + after, connection))

    def _end_streams(self, now: float) -> None:
        due = [connection for when, connection in self.streams if when <= now]
        self.streams = [(when, connection) for when, connection in self.streams if when > now]
        for connection in due:
            self.hub.close(connection, Closing(RESTARTING.number, after=0), now)

    def _callers_have_moved(self, now: float) -> bool:
        """All of them, or they had time enough."""
        elapsed = now - self.began
        return elapsed >= SERVES or (self._has_no_callers() and (elapsed >= SPREAD or not self.hub.connections))

    def _has_no_callers(self) -> bool:
        """Nobody is left but servers without calls of their own."""
        return self.hub.connections == sum(not server.calling for server in self._servers())

    def _retire(self, now: float) -> None:
        """Take the servers out of the rotation; their calls finish."""
        self.retired_at = now
        for server in tuple(self._servers()):
            assert server.tenant is not None
            server.tenant.drain(server, frames.Drain(), now)

    def _is_over(self, now: float) -> bool:
        """The servers have left the rotation, nobody can call any more, and no call is in flight."""
        if self.retired_at is None or not self._has_no_callers():
            return False
        if any(tenant.calls.running or tenant.calls.held.bytes for tenant in self.hub.tenants.values()):
            return False
        return not self.hub.connections or now - self.retired_at >= UNDER_WAY

    def _servers(self) -> Iterable[Connection]:
        tenants = self.hub.tenants.values()
        return (c for tenant in tenants for c in tenant.connections if c.peer == BACKEND and c.transport == "ws")


def announcement(after: int) -> frames.Bye:
    """The early `bye`. `after`: ms until the peer opens its next connection."""
    return frames.Bye(code=RESTARTING.name, message=RESTARTING.sentence, reconnect=True, after=after)
