"""Reading what the application leaves unread of a request's body.

A server that closes a socket with unread bytes in it resets the connection: the client may never read the answer that
was sent before, and a proxy in between takes the server for broken (RFC 9112, 9.6).
"""

import asyncio
from typing import Any

from relay.edge.headers import header

MOST_DROPPED = 4_194_304  # bytes; twice of what nginx lets through
DROPPED_WITHIN = 5.0  # s
CLOSE = (b"connection", b"close")


class ReadToEnd:
    """Wraps an application: each answer begins when the request's body was read, or closes the connection."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = Body(scope, receive)

        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and not await body.drop():
                message = {**message, "headers": [*message.get("headers", []), CLOSE]}
            await send(message)

        await self.application(scope, body.receive, answer)


class Body:
    """One request's body, and how much of it is still to come."""

    def __init__(self, scope: dict[str, Any], receive: Any) -> None:
        self._receive = receive
        announced = header(scope, b"content-length") not in (None, "0")
        self.whole = not announced and header(scope, b"transfer-encoding") is None
        self.waits = header(scope, b"expect") is not None  # the client sends it once somebody receives

    async def receive(self) -> dict[str, Any]:
        """The next message from the server, for the application."""
        self.waits = False
        message: dict[str, Any] = await self._receive()
        self.whole = self.whole or not message.get("more_body")
        return message

    async def drop(self) -> bool:
        """Read the rest and forget it. False where some of it may still come: the connection must end."""
        if self.waits and not self.whole:
            return False
        size = 0
        try:
            async with asyncio.timeout(DROPPED_WITHIN):
                while not self.whole and size <= MOST_DROPPED:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
        return self.whole
