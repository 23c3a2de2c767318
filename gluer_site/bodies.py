"""Requests' bodies: those of pages and REST are bounded, and what the application leaves unread is read and dropped.

A server that closes a socket with unread bytes in it resets the connection: the client may never read the answer that
was sent before, and a proxy in between takes the server for broken (RFC 9112, 9.6).
"""

import asyncio
from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string

from gluer_site.early_answers import messages_of
from relay.core.errors import OUTCOMES, Refused
from relay.edge.exchange import BODY_WITHIN, Exchange, too_large
from relay.edge.headers import header

MOST_OF_PAGES = 262_144  # bytes of a form, or of JSON: the largest has 100 allowed origins
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


class BoundedBodies:
    """Wraps Django, which reads bodies of any size into files, for any time. `most` bytes, `seconds` for the whole.

    Above them REST is answered by a problem, and a browser by a page.
    """

    def __init__(self, application: Any, most: int = MOST_OF_PAGES, seconds: float = BODY_WITHIN) -> None:
        self.application, self.most, self.seconds = application, most, seconds

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, began, size = Body(scope, receive), asyncio.get_running_loop().time(), 0
        refused: Refused | None = None

        async def bounded() -> dict[str, Any]:
            """To the application, a refused client is one that went away."""
            nonlocal size, refused
            try:
                async with asyncio.timeout_at(None if body.whole else began + self.seconds):
                    message = await body.receive()
            except TimeoutError:
                refused = Refused("bad_frame", f"The body did not come within {self.seconds:.0f} s.")
            else:
                size += len(message.get("body", b""))
                if size <= self.most:
                    return message
                refused = too_large(self.most)
            return {"type": "http.disconnect"}

        await self.application(scope, bounded, send)
        if refused is None:
            return
        if scope["path"].startswith("/api/"):
            exchange = Exchange(scope, receive, send)
            exchange.allow_origin = b""
            await exchange.problem(refused)
            return
        for message in messages_of(self.page(refused)):
            await send(message)

    def page(self, refused: Refused) -> HttpResponse:
        """What a browser is told."""
        status = OUTCOMES[refused.code].status
        context = {"too_large": status == 413, "most": self.most // 1024, "seconds": self.seconds}
        return HttpResponse(render_to_string("refused_body.html", context), status=status)
