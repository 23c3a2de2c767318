"""What waits to be read by peers that do not read: how many bytes, and who has to go when they are too many (GP-5C).

A frame that waits for many peers is one object, and counted once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

WAITING_COST: Final = 64  # bytes that a waiting frame takes for each peer besides its own


class Unsent:
    """The frames that wait for the peers of one project, and with `whole` for all of this process together."""

    __slots__ = ("backlogs", "bytes", "frames", "most", "whole")

    def __init__(self, most: int, whole: Unsent | None = None) -> None:
        self.bytes = 0
        self.most = most
        self.whole = whole
        self.frames: dict[int, tuple[bytes, int]] = {}  # by its id: a frame, and for how many peers it waits
        self.backlogs: dict[Backlog, None] = {}  # the peer that has been slow for longest first

    def hold(self, frame: bytes) -> None:
        """Count a frame that waits for one more peer."""
        holders = self.frames[id(frame)][1] if id(frame) in self.frames else 0
        self.frames[id(frame)] = frame, holders + 1
        self.bytes += WAITING_COST if holders else WAITING_COST + len(frame)
        if self.whole is not None:
            self.whole.hold(frame)

    def release(self, frame: bytes) -> None:
        """Count a frame that waits for one peer less."""
        holders = self.frames.pop(id(frame))[1]
        if holders > 1:
            self.frames[id(frame)] = frame, holders - 1
        self.bytes -= WAITING_COST if holders > 1 else WAITING_COST + len(frame)
        if self.whole is not None:
            self.whole.release(frame)

    def begin(self, backlog: Backlog) -> None:
        """Remember a peer that is slow from now on."""
        self.backlogs[backlog] = None
        if self.whole is not None:
            self.whole.begin(backlog)

    def end(self, backlog: Backlog) -> None:
        """Forget a peer that is no longer slow, or gone."""
        self.backlogs.pop(backlog, None)
        if self.whole is not None:
            self.whole.end(backlog)

    def is_too_much(self) -> bool:
        """Whether more waits than may, for this project or in the whole process."""
        return self.bytes > self.most or (self.whole is not None and self.whole.is_too_much())

    def relieve(self) -> None:
        """Cut the peers that have been slow for longest, until what waits is no longer too much."""
        while self.bytes > self.most and self.backlogs:
            backlog = next(iter(self.backlogs))
            backlog.end()
            backlog.cut()
        if self.whole is not None:
            self.whole.relieve()


class Backlog:
    """The frames that wait for one peer, from when it became slow until it has read them. `cut` ends its connection."""

    __slots__ = ("cut", "frames", "size", "unsent")

    def __init__(self, unsent: Unsent, cut: Callable[[], None]) -> None:
        self.unsent, self.cut = unsent, cut
        self.frames: deque[bytes] = deque()
        self.size = 0  # bytes of them
        unsent.begin(self)

    def add(self, frame: bytes, waiting: int) -> None:
        """Count one more frame, now that `waiting` bytes have not left: older frames than these were read."""
        self.frames.append(frame)
        self.size += len(frame)
        self.unsent.hold(frame)
        while self.frames and self.size - len(self.frames[0]) >= waiting:
            self._release()

    def end(self) -> None:
        """Count none any more: all were read, or the connection has ended."""
        while self.frames:
            self._release()
        self.unsent.end(self)

    def _release(self) -> None:
        frame = self.frames.popleft()
        self.size -= len(frame)
        self.unsent.release(frame)
