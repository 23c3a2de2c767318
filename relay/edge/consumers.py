"""The relay's WebSocket edge: a Channels consumer with a receive loop of its own.

Channels' routing, accept and close; but no thread hop per message, no channel layer and no task per connection
(`AsyncConsumer.dispatch` costs 300 µs a message, this loop 50: docs/architecture.md). Where the server offers the
direct path (extension.py) the consumer hands its socket over and returns; elsewhere its loop does the same work.
"""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from channels.consumer import AsyncConsumer

from relay.core.connection import Connection
from relay.core.errors import Closing
from relay.edge.address import TrustedProxies, source_of
from relay.edge.extension import EXTENSION
from relay.edge.headers import header, now_text
from relay.edge.outbox import Outbox
from relay.edge.peer import Peer
from relay.runtime import Relay

if TYPE_CHECKING:
    from relay.edge.direct import DirectSocket

SUBPROTOCOL = "gluer.v1.json"


class RelayConsumer(AsyncConsumer):
    """One socket at /v1/ws/{project id} (GP-1)."""

    def __init__(self, relay: Relay, proxies: TrustedProxies) -> None:
        self.relay, self.proxies = relay, proxies

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.relay.start()
        await receive()  # websocket.connect
        spoken = SUBPROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if spoken else None})
        take = scope.get("extensions", {}).get(EXTENSION)
        if take is not None:
            take(lambda socket: self.direct_peer(scope, spoken, socket))
        else:
            await self.loop(scope, spoken, receive, send)

    def direct_peer(self, scope: dict[str, Any], spoken: bool, socket: "DirectSocket") -> Peer:
        """The hub's view of a socket on the direct path, which is read in full only once it is welcomed (GP-2)."""
        peer = self.peer(scope, spoken, socket)
        peer.connection.let_in = socket.link.let_in
        socket.link.hold(self.relay.hub.limits.hello_bytes, peer.on_too_early)
        return peer

    def peer(self, scope: dict[str, Any], spoken: bool, socket: "DirectSocket | Outbox") -> Peer:
        """The hub's view of this socket, connected."""
        hub, ip = self.relay.hub, self.proxies.client(scope)
        socket.traffic = hub.traffic
        connection = Connection(
            hub,
            socket.send,
            socket.close,
            address=hub.address(source_of(ip)),
            ip=ip,
            project_id=scope["url_route"]["kwargs"]["project_id"],
            origin=header(scope, b"origin"),
            transport="ws",
            connected_at=now_text(),
            limits=hub.limits,
            now=monotonic(),
        )
        connection.pause = socket.pause
        socket.unsent = connection.unsent
        hub.connect(connection, monotonic())
        if not spoken:
            hub.close(connection, Closing(4400, f"Ask for the WebSocket subprotocol {SUBPROTOCOL}."), monotonic())
        return Peer(hub, connection)

    async def loop(self, scope: dict[str, Any], spoken: bool, receive: Any, send: Any) -> None:
        """The way of a server without the direct path."""
        task = asyncio.current_task()
        assert task is not None
        limits = self.relay.hub.limits
        outbox = Outbox(send, limits, slow=lambda: peer.on_slow(), abort=lambda: task.done() or task.cancel())
        peer = self.peer(scope, spoken, outbox)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                if text is None:
                    peer.on_binary(message["bytes"])
                else:
                    peer.on_text(text.encode())
                if outbox.pause_for:
                    await asyncio.sleep(outbox.take_pause())
        except asyncio.CancelledError:
            if outbox.closing is None:  # not our own abort
                raise
        finally:
            peer.on_gone()
            outbox.end()


async def unknown_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A WebSocket anywhere else is refused before it is accepted."""
    await receive()
    await send({"type": "websocket.close", "code": 4400})
