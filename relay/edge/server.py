"""uvicorn, where the relay promises more than it does."""

import asyncio
import logging
import socket
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from relay.core.limits import Limits
from relay.edge.outbox import ABORT_AFTER
from relay.runtime import Relay, passes

NOTICED = 1.0  # s for a load balancer that asks /readyz to send new connections elsewhere
log = logging.getLogger(__name__)


class Socket(WebSocketsSansIOProtocol):
    """Cuts off a client that does not read (GP-5C); uvicorn would wait for it forever."""

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if self.transport.get_write_buffer_size():
            closing = self.close_sent or self.conn.close_rcvd is not None
            self.loop.call_later(ABORT_AFTER if closing else 0, self.transport.abort)


class Server(uvicorn.Server):
    """Says `bye` before it closes the sockets (GP-2).

    `drains`: its peers move to another process first (GP-6). A second signal asks for the end at once, a third one
    does not even wait for the counts to be written.
    """

    def __init__(self, config: uvicorn.Config, relay: Relay, *, drains: bool = False) -> None:
        super().__init__(config)
        self.relay, self.drains = relay, drains
        self.hurried = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.drains:  # `make run` says it in its own way
            for listener in sockets or []:
                address = listener.getsockname()
                log.info("Serving on %s", f"{address[0]} port {address[1]}" if isinstance(address, tuple) else address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.hurried.is_set():
            self.force_exit = True
        elif self.should_exit:
            self.hurried.set()
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.drains:
            await self.drain(sockets or [])
        self.relay.send_away()
        await asyncio.sleep(0)  # what was queued is written
        await super().shutdown(sockets)

    async def drain(self, sockets: list[socket.socket]) -> None:
        """Not ready; then no new connections; then wait for the peers to leave, and for calls in flight."""
        self.relay.draining = True
        await passes(NOTICED, self.hurried)
        self.stop_listening(sockets)
        await self.relay.drain(self.hurried)

    def stop_listening(self, sockets: list[socket.socket]) -> None:
        """New connections go to another process; those of HTTP end behind the answers that are due."""
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, HttpToolsProtocol):
                connection.shutdown()


def websocket_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """The fast edge; without a picows that fits, uvicorn's own, where a call costs several times as much."""
    try:
        from relay.edge.fast import fast_protocol
    except ImportError as error:
        log.warning("The fast edge is not available, calls will cost more: %s", error)
        return Socket
    return fast_protocol(limits)
