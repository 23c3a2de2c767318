"""The other processes of the relay, as the core sees them.

A server of another process is a Connection whose `process` names it, and whose `send` goes there. So is a caller: one
for each project and process stands for all its callers there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.core import frames
    from relay.core.connection import Connection
    from relay.core.tenant import Tenant


class Others:
    """What they have to be told. This one is of a relay that is alone."""

    def changed(self, server: Connection, functions: Iterable[str] = ()) -> None:
        """A back end of this process came, takes calls or takes none, or registers these functions or no longer."""

    def registered(self, server: Connection, request_id: str) -> bool:
        """Answer this `register` as soon as they all know of it, within seconds. False: they need not be waited for."""
        return False

    def gone(self, server: Connection) -> None:
        """A back end of this process went."""

    def send_counted(self, target: Connection, frame: bytes) -> None:
        """Send a frame to a peer of another process, and count one request when that process has read it."""

    @property
    def are_known(self) -> bool:
        """Whether all functions of the others are known here, so that another name is nobody's."""
        return True

    def publish(self, tenant: Tenant, publisher: Connection, frame: frames.Publish, now: float) -> bool:
        """Publish to the subscribers of all processes, this one's included. False: there are no others.

        It counts as a request when it reaches those of this process, unless it was refused before.
        Raises Refused `relay_unavailable` when they cannot be reached.
        """
        return False

    def catch_up(self, subscriber: Connection, request_id: str) -> bool:
        """Answer this request behind all messages that any process was given before it (GP-24). False: there are no
        others, it may be answered now.
        """
        return False

    def find(
        self,
        tenant: Tenant,
        to: frames.Target,
        size: int,
        found: Callable[[list[Connection], str, float], None],
        now: float,
    ) -> bool:
        """Look for the front ends that `to` names in all processes. False: there is no need to, they can only be here.

        `size` bytes wait for the answer. `found` gets them, the youngest last, then the outcome if there are none,
        and the time; within a second.
        Raises Refused `relay_unavailable` when they cannot be looked for.
        """
        return False
