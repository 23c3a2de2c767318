"""Back ends and front ends in processes of their own, of which one after the other is killed and replaced."""

import asyncio
import random
import time
from pathlib import Path

from tests.relay.harness.killable import KillablePeer
from tests.relay.harness.shop import Shop

CALLEES, CALLERS = 3, 2  # at any time; with one callee killed there are others
IN_FLIGHT = 10  # calls of one caller
WORK = 40  # ms that a callee takes for a call
STEADY = "steady:add"  # what the callers call: a back end that is not killed, so that cancels have somebody to reach
PAUSE = (0.5, 2.5)  # s between two kills


class Crowd:
    """Of one project. The same `seed` kills in the same order."""

    def __init__(self, shop: Shop, folder: Path, seed: int) -> None:
        self.shop, self.folder = shop, folder
        self.random = random.Random(seed)  # noqa: S311 (nobody is to be surprised but the relay)
        self.present: list[tuple[str, KillablePeer]] = []
        self.callers: list[KillablePeer] = []  # all there ever were
        self.entered = 0
        self.killed = 0

    async def enter(self) -> None:
        for role in ["callee"] * CALLEES + ["caller"] * CALLERS:
            await asyncio.to_thread(self.add, role)

    def add(self, role: str) -> None:
        arguments = {"milliseconds": WORK} if role == "callee" else {"in_flight": IN_FLIGHT, "cmd": STEADY}
        self.entered += 1
        peer = KillablePeer(self.shop, self.folder / f"{role}-{self.entered}", role, **arguments)
        self.present.append((role, peer))
        if role == "caller":
            self.callers.append(peer)
        peer.ready()

    async def suffer(self, seconds: float) -> None:
        """For so long, somebody is killed now and then, and replaced."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(self.random.uniform(*PAUSE))
            role, victim = self.present.pop(self.random.randrange(len(self.present)))
            victim.kill()
            self.killed += 1
            await asyncio.to_thread(self.add, role)

    def leave(self) -> None:
        """Callers first: whoever they wait for is still there."""
        for _, peer in sorted(self.present, key=lambda entry: entry[0], reverse=True):
            peer.kill()
        self.present.clear()

    def outcomes(self) -> list[list[tuple[str, str]]]:
        """Of each caller the calls whose end it lived to see: id and outcome."""
        logs = [[line.split() for line in caller.lines()[1:]] for caller in self.callers]
        return [[(id, code) for id, code in log] for log in logs]
