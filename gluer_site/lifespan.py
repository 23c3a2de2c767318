"""The server's start and end (ASGI lifespan), for servers that tell them; Daphne does not."""

from typing import Any

from relay.runtime import Relay


class Lifespan:
    """Starts the relay with the server, and writes its counts down before the server ends."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.relay.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.relay.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
