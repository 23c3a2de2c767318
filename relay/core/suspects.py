"""Servers that owe an answer and are silent (GP-13).

Silent for ASK_AFTER: pinged. Nothing for SUSPECT_AFTER more: a suspect. Nothing for GONE_AFTER more: gone. Any frame
clears it, since frames arrive in order: who answers a ping has read the calls before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.core import frames
from relay.core.connection import BACKEND, Connection
from relay.core.errors import Closing

if TYPE_CHECKING:
    from relay.core.hub import Hub

ASK_AFTER = 1.0  # s
SUSPECT_AFTER = 1.0  # s
GONE_AFTER = 5.0  # s


class Suspects:
    """The servers of this process that owe an answer."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.watched: dict[Connection, None] = {}

    def owes(self, callee: Connection, now: float) -> None:
        """From now on the callee has calls to answer. Front ends are never suspect; each process judges its own."""
        if callee.peer == BACKEND and not callee.process:
            callee.owes_since = now
            self.watched[callee] = None

    def owes_nothing(self, callee: Connection) -> None:
        """It has answered all; a suspect stays one until it is heard."""
        if not callee.suspect_since:
            callee.asked_at = 0.0
            self.watched.pop(callee, None)

    def gone(self, connection: Connection) -> None:
        """Its socket ended."""
        self.watched.pop(connection, None)

    def heard(self, server: Connection, now: float) -> None:
        """A suspect is back."""
        server.suspect_since = server.asked_at = 0.0
        server.takes_calls = not server.draining
        server.owes_since = now
        if not server.serving:
            self.watched.pop(server, None)
        assert server.tenant is not None
        self.hub.others.changed(server)
        for seat in server.seats.values():
            server.tenant.calls.settle(seat.function, now)

    def tick(self, now: float) -> None:
        """Judge everybody who is watched."""
        for server in tuple(self.watched):
            if server.suspect_since:
                if now - server.suspect_since >= GONE_AFTER:
                    self.hub.close(server, Closing(4409), now)
            elif server.asked_at and server.heard <= server.asked_at:
                if now - server.asked_at >= SUSPECT_AFTER:
                    server.suspect_since = now
                    server.takes_calls = False
                    self.hub.others.changed(server)
                    assert server.tenant is not None
                    server.tenant.calls.suspected(server, now)
            elif now - max(server.heard, server.owes_since) >= ASK_AFTER:
                server.asked_at = now
                server.send(frames.PING)

    def slept(self, seconds: float, now: float) -> None:
        """This process itself was away until `now`: nobody is blamed for that time."""
        for server in self.watched:
            server.owes_since = min(now, server.owes_since + seconds)
            if server.heard > server.asked_at:
                server.asked_at = 0.0  # it has answered; moved on, the question would seem open again
            else:
                server.asked_at += seconds
            if server.suspect_since:
                server.suspect_since += seconds
