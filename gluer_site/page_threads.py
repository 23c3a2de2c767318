"""How many pages and REST requests are worked on at once: Django gives each a thread of its own."""

import asyncio
from typing import Any

from gluer_site.early_answers import messages_of
from gluer_site.unavailable import unavailable

AT_ONCE = 16  # requests that have a thread
WAITING = 200  # requests that wait for one; beyond that they are answered with 503
LONGEST_WAIT = 5.0  # s


class NoPlace(Exception):
    """A request found no thread."""


class PageThreads:
    """Wraps Django's application, which needs a thread for each request.

    A request takes a place when its body has come whole, and gives it back when its answer is made: nobody who sends
    or reads slowly holds one. Answers are therefore sent when they are whole; pages are not streamed.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.places = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        answer: list[dict[str, Any]] = []
        placed = False

        async def receive_and_wait() -> Any:
            nonlocal placed
            message = await receive()
            if not placed and message["type"] == "http.request" and not message.get("more_body"):
                await self.take()
                placed = True
            return message

        async def keep(message: dict[str, Any]) -> None:
            answer.append(message)

        try:
            await self.application(scope, receive_and_wait, keep)
        except NoPlace:
            answer = messages_of(unavailable(scope["path"]))
        finally:
            if placed:
                self.places.release()
        for message in answer:
            await send(message)

    async def take(self) -> None:
        """Wait for a place. Raises NoPlace when too many wait already, or none is free within LONGEST_WAIT."""
        if self.waiting >= WAITING:
            raise NoPlace
        self.waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self.places.acquire()
        except TimeoutError:
            raise NoPlace from None
        finally:
            self.waiting -= 1
