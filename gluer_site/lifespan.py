"""The server's start and end (ASGI lifespan), for servers that tell them; Daphne does not."""

from typing import Any

from gluer_site.heartbeat import Heartbeat
from relay.runtime import Relay


class Lifespan:
    """Starts the relay and the heartbeat with the server, and writes counts down before the server ends."""

    def __init__(self, relay: Relay, heartbeat: Heartbeat) -> None:
        self.relay, self.heartbeat = relay, heartbeat

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.relay.start()
                await self.relay.join()
                self.heartbeat.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.relay.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
