"""The relay's WebSocket edge: a Channels consumer with a receive loop of its own.

Channels' routing, accept and close; but no thread hop per message, no channel layer and no task per connection
(`AsyncConsumer.dispatch` costs 300 µs a message, this loop 50: docs/architecture.md).
"""

import asyncio
import time
from typing import Any

from channels.consumer import AsyncConsumer

from relay.core.connection import Connection
from relay.core.errors import Closing
from relay.edge.address import TrustedProxies, source_of
from relay.edge.headers import header, now_text
from relay.edge.outbox import Outbox
from relay.runtime import Relay

SUBPROTOCOL = "gluer.v1.json"


class RelayConsumer(AsyncConsumer):
    """One socket at /v1/ws/{project id} (GP-1)."""

    relay: Relay
    proxies: TrustedProxies

    def __init__(self, relay: Relay, proxies: TrustedProxies) -> None:
        self.relay, self.proxies = relay, proxies

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.relay.start()
        await receive()  # websocket.connect
        spoken = SUBPROTOCOL in scope["subprotocols"]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if spoken else None})
        hub = self.relay.hub
        outbox, connection = self.open(scope, send)
        hub.connect(connection, time.monotonic())
        if not spoken:
            sentence = f"Ask for the WebSocket subprotocol {SUBPROTOCOL}."
            hub.close(connection, Closing(4400, sentence), time.monotonic())
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                if text is None:
                    sentence = "Frames are text, not binary."
                    hub.close(connection, Closing(4400, sentence), time.monotonic())
                else:
                    hub.receive(connection, text.encode(), time.monotonic())
        except asyncio.CancelledError:
            if outbox.closing is None:  # not our own abort
                raise
        finally:
            hub.disconnect(connection, time.monotonic())
            outbox.end()

    def open(self, scope: dict[str, Any], send: Any) -> tuple[Outbox, Connection]:
        """The hub's view of this socket, and the way back to it."""
        hub = self.relay.hub
        task = asyncio.current_task()
        assert task is not None
        outbox = Outbox(
            send,
            hub.limits,
            slow=lambda: hub.close(connection, Closing(4430), time.monotonic()),
            abort=lambda: task.done() or task.cancel(),
        )
        ip = self.proxies.client(scope)
        connection = Connection(
            hub,
            outbox.send,
            outbox.close,
            address=hub.address(source_of(ip)),
            ip=ip,
            project_id=scope["url_route"]["kwargs"]["project_id"],
            origin=header(scope, b"origin"),
            transport="ws",
            connected_at=now_text(),
            limits=hub.limits,
            now=time.monotonic(),
        )
        return outbox, connection


async def unknown_path(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """A WebSocket anywhere else is refused before it is accepted."""
    await receive()
    await send({"type": "websocket.close", "code": 4400})
