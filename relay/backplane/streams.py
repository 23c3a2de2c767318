"""Numbered batches from one process to another, or to all: what waits, and what is kept until it was read."""

from __future__ import annotations

from collections import deque
from typing import Final

from relay.backplane.messages import (
    AnyEntry,
    Away,
    Batch,
    Changed,
    Counted,
    Find,
    ForPeer,
    FromPeer,
    Published,
    Server,
    Servers,
    pack,
)

MOST_BATCH = 262_144  # bytes of a batch, or one entry
MOST_WAITING = 67_108_864  # bytes that wait for one destination …
MOST_OF_PROJECT = 16_777_216  # … and those of one project
FEW = 65_536  # bytes that a project may let wait though more than MOST_WAITING do
TURN = 16_384  # bytes of one project, before it is another's turn
MOST_KEPT = 8_388_608  # bytes of batches that were sent and not yet read; the oldest are forgotten
OVERHEAD = 64  # bytes of an entry beside its frame
FRAMED: Final = (ForPeer, FromPeer, Published)  # made once: nearly all entries are of these
OF_PROJECT: Final = (ForPeer, FromPeer, Published, Find)
OWN: Final = ""  # whose entries are those that are no project's


def size_of(entry: AnyEntry) -> int:
    """About how many bytes it takes."""
    if isinstance(entry, FRAMED):
        return OVERHEAD + len(entry.frame)
    if isinstance(entry, Server):
        return 4 * OVERHEAD + sum(OVERHEAD + len(function.name) for function in entry.functions)
    if isinstance(entry, Changed):
        names = [function.name for function in entry.functions] + entry.removed
        return 4 * OVERHEAD + sum(OVERHEAD + len(name) for name in names)
    if isinstance(entry, Away):
        return 4 * OVERHEAD + sum(OVERHEAD + len(name) for name, _ in entry.functions)
    if isinstance(entry, Servers):
        return OVERHEAD * (1 + len(entry.ids))
    return OVERHEAD


class Waiting:
    """What waits of one project, in its order."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: deque[tuple[AnyEntry, int]] = deque()  # with their sizes
        self.bytes = 0


class Outgoing:
    """The stream to one destination; "" is all. Projects take turns in it."""

    __slots__ = ("destination", "entries", "kept", "kept_bytes", "number", "sends", "source", "stream", "waiting")

    def __init__(self, source: str, destination: str, stream: int) -> None:
        self.source, self.destination, self.stream = source, destination, stream
        self.number = 0  # of the last batch
        self.entries: dict[str, Waiting] = {}  # by project, the next one first
        self.waiting = 0  # bytes of all
        self.kept: deque[tuple[int, list[AnyEntry], int]] = deque()  # number, entries, bytes
        self.kept_bytes = 0
        # sends that are kept no longer, by the number of their batch, and their projects; they count when it was read
        self.sends: deque[tuple[int, str]] = deque()

    def is_full(self, project: str) -> bool:
        """Whether so much waits that this project has no room for more."""
        own = self.entries.get(project)
        if own is None:
            return False
        return own.bytes > MOST_OF_PROJECT or (self.waiting > MOST_WAITING and own.bytes > FEW)

    def put(self, entry: AnyEntry) -> None:
        size = size_of(entry)
        project = entry.project if isinstance(entry, OF_PROJECT) else OWN
        own = self.entries.get(project)
        if own is None:
            own = self.entries[project] = Waiting()
        own.entries.append((entry, size))
        own.bytes += size
        self.waiting += size

    def take(self) -> bytes:
        """The next batch, as it is sent. There must be entries."""
        taken: list[AnyEntry] = []
        size = 0
        while self.entries and size < MOST_BATCH:
            project, own = next(iter(self.entries.items()))
            before = size
            while own.entries and size - before < TURN:
                entry, more = own.entries[0]
                if taken and size + more > MOST_BATCH:
                    break
                own.entries.popleft()
                own.bytes -= more
                taken.append(entry)
                size += more
            if size == before:
                break  # it comes first in the next batch
            del self.entries[project]
            if own.entries:
                self.entries[project] = own
        self.waiting -= size
        self.number += 1
        self._keep(taken, size)
        return pack(Batch(self.source, self.destination, self.stream, self.number, taken))

    def _keep(self, entries: list[AnyEntry], size: int) -> None:
        if self.destination:  # what is sent to all is mended otherwise
            self.kept.append((self.number, entries, size))
            self.kept_bytes += size
            while self.kept_bytes > MOST_KEPT:
                self._let_go()

    def _let_go(self) -> None:
        """Keep the oldest batch no longer."""
        number, entries, size = self.kept.popleft()
        self.kept_bytes -= size
        self.sends.extend((number, entry.project) for entry in entries if isinstance(entry, Counted))

    def read(self, stream: int, number: int) -> list[str]:
        """The destination has read the batches up to this one; the project of each send in them, to be counted."""
        if stream != self.stream:
            return []
        while self.kept and self.kept[0][0] <= number:
            self._let_go()
        sends = []
        while self.sends and self.sends[0][0] <= number:
            sends.append(self.sends.popleft()[1])
        return sends

    def lost(self, stream: int, first: int, last: int) -> list[AnyEntry]:
        """What was in these batches, as far as it is known. It is told once."""
        if stream != self.stream:
            return []
        lost = [batch for batch in self.kept if first <= batch[0] <= last]
        self.kept = deque(batch for batch in self.kept if not first <= batch[0] <= last)
        self.kept_bytes -= sum(size for _, _, size in lost)
        self.sends = deque(send for send in self.sends if not first <= send[0] <= last)
        return [entry for _, entries, _ in lost for entry in entries]

    def drop(self) -> list[AnyEntry]:
        """All that waits; it will not be sent."""
        dropped = [entry for own in self.entries.values() for entry, _ in own.entries]
        self.entries.clear()
        self.waiting = 0
        return dropped


class Incoming:
    """How far a stream was read."""

    __slots__ = ("number", "stream")

    def __init__(self) -> None:
        self.stream = 0
        self.number = 0

    def follows(self, stream: int, number: int) -> tuple[int, int] | None:
        """Read a batch of this number: the numbers that were lost before it, first and last; last < first if none.

        None: it was read before, or is of an older stream.
        """
        if stream > self.stream:
            self.stream, self.number = stream, 0
        if stream < self.stream or number <= self.number:
            return None
        first = self.number + 1
        self.number = number
        return first, number - 1

    def reaches(self, stream: int, number: int) -> int:
        """It is this far, its sender says: the first number that was lost, if that is not above `number`."""
        gap = self.follows(stream, number + 1)
        if gap is None:
            return number + 1
        self.number = number
        return gap[0]
