"""When all processes are told what changed of our servers: new ones at once, repeated changes gathered, projects in
turn; and when a `register` is answered: as soon as they all know of it.

What is told is read when its turn comes, so nothing waits here but names, however often they change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from relay.backplane.streams import OVERHEAD
from relay.core.connection import Connection
from relay.core.deadlines import Due
from relay.core.rates import Rate
from relay.core.tenant import answer

GATHERED = 0.25  # s in which a server's changes are gathered …
AT_ONCE = 2.0  # s: … but for the first 8, as a back end makes them that registers its functions one by one
PART = 16_384  # bytes told at a time; calls and messages go in between
PROJECT_RATE = 262_144  # bytes a second that the servers of one project make us tell …
PROJECT_BURST = 4.0  # s: … and 1 MiB at once, as a restart of all its back ends does
MOST_NAMES = 4_000  # that wait for one server; beyond them all that it has is told anew
KNOWN_WITHIN = 3.0  # s: more than a silent process has until it is given up; then a `register` is answered all the same
MOST_UNANSWERED = 1_000  # `register`s of one server that wait so; more are answered at once


class Change(Due):
    """What is to be told of one server, and the ids of its `register`s that wait until it is known."""

    __slots__ = (
        "asked", "asked_at", "flags", "is_known", "is_new", "is_stale", "names", "rate", "server", "told", "unanswered",
        "waits",
    )  # fmt: skip

    def __init__(self, server: Connection) -> None:
        super().__init__()
        self.server = server
        self.asked: list[str] = []  # not all of these was told …
        self.asked_at = 0.0  # when the first of them asked
        # … and of these all: the versions at which it was, and when the first of each asked
        self.told: deque[tuple[int, float, list[str]]] = deque()
        self.unanswered = 0
        self.names: dict[str, None] = {}  # functions that were registered or taken back
        self.flags = (True, False)  # as last told: whether it takes calls, and drains
        self.is_new = True  # not told to all
        self.is_stale = False  # told to all, who shall forget it and be told anew
        self.is_known = False  # told to somebody
        self.waits = False  # it is gathered, or in its project's queue
        self.rate = Rate(1 / GATHERED, AT_ONCE)

    def ask(self, request_id: str, now: float) -> bool:
        """Answer this `register` when all know of it. False: there is nothing to wait for, or too many wait."""
        if not self.waits or self.unanswered >= MOST_UNANSWERED:
            return False
        if not self.asked:
            self.asked_at = now
        self.asked.append(request_id)
        if not self.unanswered:
            self.server.hub.deadlines.set(self, now + KNOWN_WITHIN)
        self.unanswered += 1
        return True

    def was_told(self, version: int) -> bool:
        """Note that all that waits was told, the last of it at this version. Returns whether a `register` waits."""
        if not self.asked:
            return False
        self.told.append((version, self.asked_at, self.asked))
        self.asked = []
        return True

    def known(self, version: int) -> None:
        """Answer what all others know, up to this version."""
        while self.told and self.told[0][0] <= version:
            self._answer(self.told.popleft()[2])
        self._wait()

    def expire(self, now: float) -> None:
        """Answer what has waited long enough: nobody is waited for any longer."""
        while self.told and self.told[0][1] + KNOWN_WITHIN <= now:
            self._answer(self.told.popleft()[2])
        if not self.told and self.asked_at + KNOWN_WITHIN <= now:
            self._answer_untold()
        self._wait()

    def answer_all(self) -> None:
        """Nobody can be waited for."""
        while self.told:
            self._answer(self.told.popleft()[2])
        self._answer_untold()

    def _wait(self) -> None:
        """Let the deadline be that of who has waited for longest."""
        if self.unanswered:
            since = self.told[0][1] if self.told else self.asked_at
            self.server.hub.deadlines.set(self, since + KNOWN_WITHIN)

    def _answer_untold(self) -> None:
        asked, self.asked = self.asked, []
        self._answer(asked)

    def gone(self) -> None:
        """Its server went: nobody hears an answer."""
        self.server.hub.deadlines.drop(self)
        self.told.clear()
        self.asked.clear()
        self.unanswered = 0

    def _answer(self, ids: list[str]) -> None:
        for request_id in ids:
            answer(self.server, request_id)
        self.unanswered -= len(ids)
        if not self.unanswered:
            self.server.hub.deadlines.drop(self)


class Queue:
    """The servers of one project that have something to tell."""

    __slots__ = ("paid_until", "servers")

    def __init__(self) -> None:
        self.servers: dict[Connection, None] = {}
        self.paid_until = float("-inf")  # when it may tell again


class Announcements:
    """Of all servers of this process."""

    def __init__(self) -> None:
        self.changes: dict[Connection, Change] = {}
        self.ready: dict[str, Queue] = {}  # by project; the next one first
        self.resting: dict[str, Queue] = {}  # projects that have told all, or too much
        self.gathering: deque[tuple[float, Connection]] = deque()  # until when

    def changed(self, server: Connection, names: Iterable[str], now: float) -> bool:
        """Note that a server came or changed, and these of its functions. Returns whether it is told at once."""
        change = self._change(server)
        change.names.update(dict.fromkeys(names))
        if len(change.names) > MOST_NAMES:
            change.names = dict.fromkeys(server.seats)
            change.is_stale = not change.is_new
        if change.is_new or (server.takes_calls, server.draining) != change.flags:
            return self._queue(server, change, now)
        if change.waits or not change.names:
            return False
        if change.rate.take(now):
            return self._queue(server, change, now)
        change.waits = True
        self.gathering.append((now + GATHERED, server))
        return False

    def gone(self, server: Connection) -> bool:
        """Forget a server that went. Returns whether somebody knows it."""
        change = self.changes.pop(server, None)
        if change is not None:
            change.gone()
        assert server.tenant is not None
        for queues in (self.ready, self.resting):
            if queue := queues.get(server.tenant.project_id):
                queue.servers.pop(server, None)
        return change is not None and change.is_known

    def told_to_one(self, server: Connection) -> None:
        """Note that a process that asked knows it."""
        self._change(server).is_known = True

    def _change(self, server: Connection) -> Change:
        change = self.changes.get(server)
        if change is None:
            change = self.changes[server] = Change(server)
        return change

    def take(self, most: int, now: float) -> tuple[Connection, Change, list[str]] | None:
        """The next server to tell of, and at most so many of its functions; `told` follows."""
        while self.ready:
            project = next(iter(self.ready))
            queue = self.ready.pop(project)
            if queue.servers:
                server = next(iter(queue.servers))
                change = self.changes[server]
                names = list(change.names)[:most]
                for name in names:
                    del change.names[name]
                change.flags = (server.takes_calls, server.draining)
                if not change.names:
                    change.waits = False
                    del queue.servers[server]
                size = 4 * OVERHEAD + sum(OVERHEAD + len(name) for name in names)
                queue.paid_until = max(queue.paid_until, now - PROJECT_BURST) + size / PROJECT_RATE
                self._put(project, queue, now)
                return server, change, names
            self.resting[project] = queue
        return None

    def told(self, change: Change) -> None:
        """Note that all know the server."""
        change.is_known = True
        change.is_new = change.is_stale = False

    def tick(self, now: float) -> bool:
        """Let what was gathered be told, and who has rested. Returns whether there is something to tell."""
        while self.gathering and self.gathering[0][0] <= now:
            _, server = self.gathering.popleft()
            change = self.changes.get(server)
            if change is not None and change.names:
                change.rate.take(now)
                self._queue(server, change, now)
        for project, queue in tuple(self.resting.items()):
            if queue.servers:
                if queue.paid_until <= now:
                    self.ready[project] = self.resting.pop(project)
            elif queue.paid_until <= now - PROJECT_BURST:
                del self.resting[project]
        return bool(self.ready)

    def _queue(self, server: Connection, change: Change, now: float) -> bool:
        change.waits = True
        assert server.tenant is not None
        project = server.tenant.project_id
        queue = self.ready.get(project)
        if queue is None:
            queue = self.resting.pop(project, None) or Queue()
            self._put(project, queue, now)
        queue.servers[server] = None
        return project in self.ready

    def _put(self, project: str, queue: Queue, now: float) -> None:
        """Behind all others, or to rest."""
        queues = self.ready if queue.paid_until <= now else self.resting
        queues[project] = queue
