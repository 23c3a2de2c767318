"""A caller that calls at a steady rate, whether answers come or not: a slow one delays no later call and hides none."""

import asyncio
import time
from math import ceil

from tests.relay.harness.peer import Peer


class SteadyCaller:
    """`rate` calls a second; `took`: of each, the ms from when it was due to its result."""

    def __init__(self, caller: Peer, rate: int) -> None:
        self.caller, self.rate = caller, rate
        self.took: list[float] = []

    async def call(self, seconds: int) -> None:
        """For so long, and until all are answered; one that is not raises."""
        self.began, self.took = time.monotonic(), []
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask(seconds * self.rate))
            tasks.create_task(self._hear(seconds * self.rate))

    def _due(self, call: int) -> float:
        return self.began + call / self.rate

    async def _ask(self, calls: int) -> None:
        for call in range(calls):
            await asyncio.sleep(self._due(call) - time.monotonic())
            await self.caller.send("call", id=str(call), cmd="calculator:add", data={"a": call, "b": 0})

    async def _hear(self, calls: int) -> None:
        """In order, since the only back end answers one call after the other."""
        for call in range(calls):
            await self.caller.assert_received("result", id=str(call), data={"result": call})
            self.took.append((time.monotonic() - self._due(call)) * 1000)


def percentile(values: list[float], percent: float) -> float:
    """The smallest of them that so many percent do not exceed."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1]
