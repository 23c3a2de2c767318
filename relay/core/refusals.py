"""What was refused to a project's peers in the last hour: how often, by request, outcome and the name asked for.

Rule 1  Whoever asks chooses the name, and needs no more than a public key. So a project keeps MOST_NAMES names, and of
        one source OF_SOURCE at most. What finds no room for its name is counted without it.
Rule 2  Where there is no room, a new name takes the place of the one that was asked for least: one that many pages ask
        for stays.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from relay.core.reading import is_name

SLOT = 10  # minutes that are counted together
SLOTS = 6  # an hour
MOST_NAMES = 100  # of one project
OF_SOURCE = 10  # of them that one address brought
REPLACE_EVERY = 0.1  # s between two names that take the place of others: it means to look at all
LONGEST_NAME = 128  # characters; longer ones are cut
MOST_STRAYS = 1_000  # projects of which nobody is here, and some were refused to connect


class Asked(NamedTuple):
    """A refused request: its type ("hello": a connection, or an HTTP request with its key), its outcome, its name."""

    request: str
    code: str
    name: str


class Row:
    """How often one was refused: by slot of SLOT minutes since the epoch. `last`: epoch s. `source`: who brought it."""

    __slots__ = ("last", "slots", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.slots: Counter[int] = Counter()
        self.last = 0.0

    def add(self, wall: float) -> None:
        """Count one at this time (epoch s)."""
        self.last = wall
        self.slots[slot_of(wall)] += 1
        if len(self.slots) > SLOTS:
            del self.slots[min(self.slots)]

    def number(self, wall: float) -> int:
        """How many were refused in the hour until `wall`, epoch s. Other threads may ask."""
        oldest = slot_of(wall) - SLOTS
        return sum([number for slot, number in list(self.slots.items()) if slot > oldest])

    def is_over(self, wall: float) -> bool:
        """Whether none was refused in the hour until `wall`, epoch s."""
        return slot_of(self.last) <= slot_of(wall) - SLOTS


class Refusals:
    """Those of one project."""

    def __init__(self) -> None:
        self.rows: dict[Asked, Row] = {}
        self.brought: Counter[str] = Counter()  # names, by source
        self.nameless = 0  # rows without a name
        self.replaced = 0.0  # when a name last took another's place, epoch s

    def add(self, request: str, code: str, name: str, source: str, wall: float) -> None:
        """Count a refused request; `source`: the address it came from, `wall`: the time of day, epoch s."""
        name = name[:LONGEST_NAME]
        asked = Asked(request, code, name if is_name(name) else "")
        row = self.rows.get(asked)
        if row is None and asked.name and not self._make_room(source, wall):
            asked = asked._replace(name="")
            row = self.rows.get(asked)
        if row is None:
            row = self.rows[asked] = Row(source)
            if asked.name:
                self.brought[source] += 1
            else:
                self.nameless += 1
        row.add(wall)

    def _make_room(self, source: str, wall: float) -> bool:
        """Make room for one more name of this source; False when it may not have more."""
        if self.brought[source] >= OF_SOURCE:
            return False
        if len(self.rows) - self.nameless >= MOST_NAMES:
            if wall - self.replaced < REPLACE_EVERY:
                return False
            self.replaced = wall
            least = min((row.number(wall), row.last, asked) for asked, row in self.rows.items() if asked.name)[2]
            self._forget(least)
        return True

    def _forget(self, asked: Asked) -> None:
        source = self.rows.pop(asked).source
        if not asked.name:
            self.nameless -= 1
            return
        self.brought[source] -= 1
        if not self.brought[source]:
            del self.brought[source]

    def forget(self, wall: float) -> None:
        """Let go of what was not refused within the hour."""
        for asked, row in tuple(self.rows.items()):
            if row.is_over(wall):
                self._forget(asked)


class Strays:
    """Refused hellos for projects of which nobody is here: of few projects, and of OF_SOURCE that one source named."""

    def __init__(self) -> None:
        self.by_project: dict[str, tuple[str, Refusals]] = {}  # who named it first; the one refused longest ago first
        self.named: Counter[str] = Counter()  # projects, by source

    def of(self, project_id: str, source: str) -> Refusals | None:
        """The project's; None when this source may not name more projects."""
        found = self.by_project.pop(project_id, None)
        if found is None:
            if self.named[source] >= OF_SOURCE:
                return None
            if len(self.by_project) >= MOST_STRAYS:
                self.take(next(iter(self.by_project)))
            found = source, Refusals()
            self.named[source] += 1
        self.by_project[project_id] = found
        return found[1]

    def take(self, project_id: str) -> Refusals:
        """Let go of the project's; it may be none."""
        source, refusals = self.by_project.pop(project_id, ("", None))
        if refusals is None:
            return Refusals()
        self.named[source] -= 1
        if not self.named[source]:
            del self.named[source]
        return refusals

    def forget(self, wall: float) -> None:
        """Let go of what was not refused within the hour."""
        for project_id, (_, refusals) in tuple(self.by_project.items()):
            refusals.forget(wall)
            if not refusals.rows:
                self.take(project_id)


def slot_of(wall: float) -> int:
    return int(wall) // 60 // SLOT
