"""Counts on their way to billing: one sealed batch a second, written by one thread, kept until it is committed (GP-40).

A batch has an identity (process, sequence), so one whose commit was not heard of is written again and applied once.
What cannot be written before the process ends goes into a file (unwritten.py).
"""

import asyncio
import logging
import uuid
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from billing.usage import Count, Quota, quotas, record_batch
from relay.core.hub import Hub
from relay.database import DatabaseThreads
from relay.unwritten import Kept, Sealed, files, keep, written

LAST_WRITTEN_WITHIN = 3.0  # s that the end of the process waits for the database
MOST_SEALED = 120  # batches that wait for the database; above it the newest one grows instead, …
MOST_ROWS = 5_000  # … up to this, since one batch is written within seconds
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """Requests by workspace, project and minute (epoch s)."""

    sequence: int
    sealed_at: datetime
    counts: Counter[tuple[int, str, int]] = field(default_factory=Counter)

    def by_workspace(self) -> Counter[int]:
        total: Counter[int] = Counter()
        for (workspace_id, _, _), requests in self.counts.items():
            total[workspace_id] += requests
        return total

    def rows(self) -> list[Count]:
        return [
            Count(workspace_id, project_id, datetime.fromtimestamp(minute, UTC), requests)
            for (workspace_id, project_id, minute), requests in self.counts.items()
        ]


class Metering:
    """Seals the hub's counts and writes them, from one thread. `folder`: for what cannot be written at the end."""

    def __init__(self, hub: Hub, database: DatabaseThreads, folder: Path) -> None:
        self.hub, self.database, self.folder = hub, database, folder
        self.process = uuid.uuid4().hex
        self.sealed: deque[Batch] = deque()  # oldest first; only the first is ever being written
        self.sequence = 0
        self.away = False  # the database, at the last attempt
        self.stuck: set[Path] = set()  # files of `folder` that are written and cannot be removed

    def seal(self, wall: float) -> None:
        """Take what was counted since the last time into a batch; `wall` is the time of day, epoch s."""
        counts = self.hub.take_counts()
        if not counts:
            return
        if len(self.sealed) < MOST_SEALED or len(self.sealed[-1].counts) >= MOST_ROWS:
            self.sequence += 1
            self.sealed.append(Batch(self.sequence, datetime.fromtimestamp(wall, UTC)))
        minute = int(wall) // 60 * 60
        for (workspace_id, project_id), requests in counts.items():
            self.sealed[-1].counts[workspace_id, project_id, minute] += requests

    async def write(self, wall: float) -> None:
        """Write what is sealed, and read how much every workspace has left that counts, or may again."""
        stopped = (quota for quota in self.hub.quotas.values() if quota.resets_at <= wall or quota.used >= quota.limit)
        asked = {quota.workspace_id for quota in stopped}
        try:
            while self.sealed:
                batch = self.sealed[0]
                await self.database.run(partial(self._record, batch))
                self.sealed.popleft()
                self._recorded(batch)
                asked |= batch.by_workspace().keys()
            if asked:
                self._refresh(await self.database.run(lambda: quotas(asked, datetime.now(UTC))))
        except Exception as error:
            self._failed(error)
        else:
            if self.away:
                log.warning("Counts are written again")
            self.away = False

    async def end(self, wall: float) -> None:
        """Write all that was counted, for LAST_WRITTEN_WITHIN s at most, and put the rest into a file."""
        self.hub.end_doubt()
        self.seal(wall)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WRITTEN_WITHIN):
                await self.write(wall)
        if not self.sealed:
            return
        requests = sum(batch.counts.total() for batch in self.sealed)
        batches = [Sealed(batch.sequence, batch.sealed_at, batch.rows()) for batch in self.sealed]
        try:
            keep(self.folder, Kept(self.process, batches))
        except OSError as problem:
            log.error("%d requests are lost: they were written neither to the database nor here: %s", requests, problem)
        else:
            log.warning("%d requests are kept in %s until a relay can write them", requests, self.folder)

    async def write_unwritten(self) -> None:
        """Write what relays before this one could not. Raises what the database raises."""
        for path in await self.database.run(lambda: files(self.folder)):
            if path in self.stuck:
                continue
            batches = written(path)
            try:
                while await self.database.run(partial(next, batches, None)) is not None:
                    pass  # what is counted meanwhile has its turn
            except OSError as problem:
                log.error("%s is written, and cannot be removed: %s", path, problem)
                self.stuck.add(path)

    def _record(self, batch: Batch) -> None:
        record_batch(self.process, batch.sequence, batch.sealed_at, batch.rows())

    def _recorded(self, batch: Batch) -> None:
        for workspace_id, requests in batch.by_workspace().items():
            quota = self.hub.quotas.get(workspace_id)
            if quota is not None:
                quota.unrecorded -= requests
                quota.recorded += requests

    def _refresh(self, now: dict[int, Quota]) -> None:
        for workspace_id, quota in now.items():
            if workspace_id in self.hub.quotas:
                self.hub.quotas[workspace_id].refresh(quota.limit, quota.used, quota.resets_at.timestamp())

    def _failed(self, error: Exception) -> None:
        if not self.away:
            log.error("Counts cannot be written; %d batches wait: %s", len(self.sealed), error)
        self.away = True
