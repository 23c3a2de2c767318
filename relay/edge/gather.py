"""Frames written together: all that arise for one peer in one turn of the event loop leave in one write.

The kernel's send is most of what a call costs, so this halves it (docs/architecture.md has the figures). An idle relay
writes at once: only when the last turn was busy does a frame wait, and never longer than the turn it arose in.
"""

from __future__ import annotations

import asyncio
from typing import Final

from relay.core.statistics import Traffic

QUIET: Final = 2  # frames a turn; up to so many the relay is idle, and a frame is written at once
MOST_WRITES: Final = 1_000  # sockets written to in one turn, some 2 ms; a larger fan-out goes on in the next one


class Writer:
    """A socket that has frames to write."""

    __slots__ = ()

    def flush(self) -> None:
        """Write what was gathered."""
        raise NotImplementedError


class Gather:
    """One per event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.writers: list[Writer] = []
        self.traffic = Traffic()  # of sockets that nobody else counts
        self.frames = 0  # sent in this turn
        self.busy = False  # the last turn was
        self.ending = False  # `turn` will be called

    def at_once(self) -> bool:
        """A frame is sent: whether it goes at once, or the socket says `wait` and is flushed at the turn's end."""
        if not self.ending:
            self.ending = True
            self.loop.call_soon(self.turn)
        self.frames += 1
        return not self.busy and self.frames <= QUIET

    def wait(self, writer: Writer) -> None:
        self.writers.append(writer)

    def turn(self) -> None:
        """The turn is over."""
        self.busy = self.frames > QUIET
        self.frames = 0
        writers, self.writers = self.writers[:MOST_WRITES], self.writers[MOST_WRITES:]
        self.ending = bool(self.writers)
        if self.ending:
            self.loop.call_soon(self.turn)
        for writer in writers:
            writer.flush()
