"""A shop in a relay of its own, with a calculator, a steady caller, and visitors that only look."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.long.steady import SteadyCaller, percentile
from tests.long.visitors import Visitors
from tests.relay.harness.shop import Shop

ESTABLISHED = "01"  # as /proc/net/tcp writes it
CLEARED_WITHIN = 30.0  # s
THREADS = 8  # files of those that read the database
KIB = 1024


@dataclass
class Use:
    """Of a relay's process: resident bytes and open files."""

    memory: int
    descriptors: int


class Branch:
    """`sources`: how many visitors come from each loopback address."""

    def __init__(self, shop: Shop, sources: dict[str, int]) -> None:
        self.shop, self.relay, self.sources = shop, shop.relay, sources
        self.idle = sum(sources.values())

    async def open(self, rate: int) -> None:
        """With a back end, and a caller that has called for a second."""
        await self.shop.calculator()
        self.caller = SteadyCaller(await self.shop.frontend(), rate)
        await self.caller.call(seconds=1)
        self.empty_use = self.use()

    async def fill(self) -> None:
        """Until all visitors are welcome."""
        self.visitors = Visitors(self.shop, self.sources)
        entered = await asyncio.to_thread(self.visitors.entered)
        assert entered == {**entered, "open": self.idle, "told": []}
        self.full_use = self.use()

    async def clear(self) -> Use:
        """Until the relay has as few files open as before they came."""
        await asyncio.to_thread(self.visitors.leave)
        end = time.monotonic() + CLEARED_WITHIN
        while (left := self.relay.descriptors() - self.empty_use.descriptors) > THREADS:
            assert time.monotonic() < end, f"the relay still has {left} files open that it had not before"
            await asyncio.sleep(0.2)
        return self.use()

    async def close(self) -> None:
        self.visitors.leave()
        await self.shop.close()

    def use(self) -> Use:
        return Use(self.relay.memory(), self.relay.descriptors())

    def open_connections(self) -> int:
        """Sockets that the relay's process holds, of which both ends are open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        port = f":{self.relay.port:04X}"
        found = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == ESTABLISHED}
        folder = Path(f"/proc/{self.relay.process.pid}/fd")
        return sum(link(folder / name) in found for name in os.listdir(folder))

    def figures(self) -> str:
        """For who runs this with -s; while it is full."""
        took = self.caller.took
        times = f"p50 {percentile(took, 50):.1f}, p99 {percentile(took, 99):.1f}, max {max(took):.1f} ms"
        memory = (self.full_use.memory - self.empty_use.memory) / self.idle / KIB
        pings = self.visitors.report()["pings"]
        return f"{self.idle} idle, {memory:.1f} KiB each, {pings} pings answered; {len(took)} calls: {times}"


def link(path: Path) -> str:
    """Where it points; "" when it is gone."""
    try:
        return os.readlink(path)
    except OSError:
        return ""
