"""Keys that this process has never found: how many of them are looked up.

A look-up of a made-up key costs the database the same as one of a good key. So each address has a rate of them, kept
apart for programs and for the pages of each origin: what a page makes its visitors' browsers do is not held against
others at their address.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from relay.core.errors import Refused
from relay.core.rates import Rate
from relay.core.sources import share_of

T = TypeVar("T")
AT_ONCE = 2  # look-ups of one source, as many as the lowest rate allows; the next ones wait for them
MOST_SOURCES = 100_000  # beyond it the new ones share one


class Source:
    """Programs at one address, or pages of some origins there."""

    def __init__(self, rate: int) -> None:
        self.rate = Rate(rate)
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0

    async def ask(self, look_up: Callable[[], Awaitable[T | None]]) -> T | None:
        now = time.monotonic()
        if not self.rate.take(now):
            message = "Too many unknown keys come from this address."
            raise Refused("rate_limited", message, retry_after=self.rate.wait(now))
        charged = True  # also of one who does not wait for the answer: the database gives it all the same
        try:
            found = await look_up()
            charged = found is None
            return found
        except Exception:
            charged = False
            raise
        finally:
            if not charged:
                self.rate.give_back()


class Strangers:
    """All sources. `rate`: unknown keys a second that each may have looked up."""

    def __init__(self, rate: int, most_waiting: int) -> None:
        self.rate, self.most_waiting = rate, most_waiting
        self.waiting = 0
        self.sources: dict[tuple[str, int], Source] = {}

    async def ask(self, ip: str, origin: str | None, look_up: Callable[[], Awaitable[T | None]]) -> T | None:
        """What the look-up finds when its turn has come. It is taken out of the rate if it finds nothing, or if its
        answer is not waited for.

        Raises Refused: `rate_limited` above the rate, `relay_unavailable` when too many wait.
        """
        if self.waiting >= self.most_waiting:
            raise Refused("relay_unavailable", "Too many keys are being checked; try again.", retry_after=1_000)
        source = self._source(ip, origin)
        self.waiting += 1
        source.waiting += 1
        try:
            async with source.turns:
                return await source.ask(look_up)
        finally:
            self.waiting -= 1
            source.waiting -= 1

    def _source(self, ip: str, origin: str | None) -> Source:
        name = (ip, share_of(origin))
        if name not in self.sources and len(self.sources) >= MOST_SOURCES:
            name = ("other", 0)
        return self.sources.setdefault(name, Source(self.rate))

    def sweep(self, now: float) -> None:
        """Forget who has asked for nothing lately."""
        self.sources = {n: source for n, source in self.sources.items() if source.waiting or not source.rate.idle(now)}
