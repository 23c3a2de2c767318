"""uvicorn, where the relay promises more than it does."""

import asyncio
import logging
import socket

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from relay.core.limits import Limits
from relay.edge.outbox import ABORT_AFTER
from relay.runtime import Relay

log = logging.getLogger(__name__)


class Socket(WebSocketsSansIOProtocol):
    """Cuts off a client that does not read (GP-5C); uvicorn would wait for it forever."""

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if self.transport.get_write_buffer_size():
            closing = self.close_sent or self.conn.close_rcvd is not None
            self.loop.call_later(ABORT_AFTER if closing else 0, self.transport.abort)


class Server(uvicorn.Server):
    """Says `bye` before it closes the sockets (GP-2)."""

    def __init__(self, config: uvicorn.Config, relay: Relay) -> None:
        super().__init__(config)
        self.relay = relay

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.relay.send_away()
        await asyncio.sleep(0)  # what was queued is written
        await super().shutdown(sockets)


def websocket_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """The fast edge; without a picows that fits, uvicorn's own, where a call costs several times as much."""
    try:
        from relay.edge.fast import fast_protocol
    except ImportError as error:
        log.warning("The fast edge is not available, calls will cost more: %s", error)
        return Socket
    return fast_protocol(limits)
