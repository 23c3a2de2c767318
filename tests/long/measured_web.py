"""The relay's process as gluer_site/embedded/web.py starts it, which also measures how long its event loop is blocked.

A callback that asks for itself again runs once in each turn of the loop; the time between two runs is a turn. It is
this thread's CPU time: what other processes do on the same cores makes no turn longer. At SIGUSR1 the longest since the
last one is written into the file that MEASURED names: seconds of a turn, and of a pause of the collector.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn

from gluer_site.embedded import web


class Stretches:
    """The longest turn, and the longest pause of the collector."""

    def __init__(self, into: Path) -> None:
        self.into, self.loop = into, asyncio.get_running_loop()
        self.turn = self.pause = self.began = 0.0
        self.last = time.thread_time()
        self.loop.add_signal_handler(signal.SIGUSR1, self.tell)
        gc.callbacks.append(self.collects)
        self.loop.call_soon(self.runs)

    def runs(self) -> None:
        now = time.thread_time()
        self.turn, self.last = max(self.turn, now - self.last), now
        self.loop.call_soon(self.runs)

    def collects(self, phase: str, info: dict[str, int]) -> None:
        now = time.thread_time()
        if phase == "start":
            self.began = now
        else:
            self.pause = max(self.pause, now - self.began)

    def tell(self) -> None:
        """Written whole: whoever waits for the file finds all of it."""
        beside = self.into.with_suffix(".new")
        beside.write_text(json.dumps({"turn": self.turn, "pause": self.pause}))
        beside.rename(self.into)
        self.turn = self.pause = 0.0


class MeasuredServer(uvicorn.Server):
    """Begins to measure with its event loop; the relay's server is one, as soon as it is imported."""

    async def startup(self, *arguments: Any, **named: Any) -> None:
        await super().startup(*arguments, **named)
        self.stretches = Stretches(Path(os.environ["MEASURED"]))


if __name__ == "__main__":
    uvicorn.Server = MeasuredServer  # type: ignore[misc]
    web.main(int(sys.argv[1]))
