"""What picows is given for its transport and its logger, so that what it does on its own goes by the link.

Where picows finds a fault it logs an error, sends a close and cuts 10 ms later. That close would stand in place of the
answer to a close read just before, other frames or a second close could follow it, and nobody would cut a peer that
does not read. So the link refuses instead, as soon as the error is logged, and picows' close is dropped.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from weakref import proxy

if TYPE_CHECKING:
    from relay.edge.picows_link import Listener

INTERNAL_ERROR = 1011
log = logging.getLogger("uvicorn.error")


class Wire:
    """One socket's."""

    __slots__ = ("listener", "refused", "transport")

    def __init__(self, transport: Any, listener: Listener) -> None:
        self.transport = transport
        self.listener: Listener = proxy(listener)  # which reaches this object: no cycle
        self.refused = False

    # --- the transport -----------------------------------------------------------------------------------------------

    def get_extra_info(self, name: str) -> Any:
        return self.transport.get_extra_info(name)

    def get_write_buffer_size(self) -> int:
        """As if something waited, once refused: picows writes directly only when nothing does."""
        return self.refused or self.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if not self.refused:
            self.transport.write(data)

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    # --- the logger --------------------------------------------------------------------------------------------------

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the name logging gives it)
        return False

    def log(self, *args: Any) -> None:
        """Nothing that the relay does not know."""

    debug = info = warning = log

    def error(self, message: str, fault: tuple[int, str]) -> None:
        """The peer breaks the protocol; `fault` is the code and the reason of a close."""
        self._refuse(*fault)

    def exception(self, message: str, *args: Any) -> None:
        """A fault of ours: one of the link's callables has raised."""
        log.exception("Exception in a WebSocket's receiver")
        self._refuse(INTERNAL_ERROR, "")

    def _refuse(self, code: int, reason: str) -> None:
        if not self.refused:
            self.refused = True
            self.listener.refuse(code, reason)
