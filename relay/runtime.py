"""The relay of this process, put together: hub, directory, metering, and the clock that drives them."""

import asyncio
import contextlib
import gc
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError

from relay.backplane.layer import Backplane
from relay.backplane.seal import Seal
from relay.core import frames
from relay.core.connection import BACKEND, Connection
from relay.core.deadlines import STEP
from relay.core.errors import Closing, Refused
from relay.core.farewell import Farewell
from relay.core.hub import Hub
from relay.core.limits import Limits
from relay.core.refusals import Refusals
from relay.core.statistics import BESIDES, MEANINGS, REASONS, Durations
from relay.database import DatabaseSilent, DatabaseThreads
from relay.directory import Claim, Directory
from relay.metering import Metering
from relay.unwritten import FOLDER

POLL_EVERY = 0.4  # s; a change reaches open sockets within 1 s
SEAL_EVERY = 1.0  # s; what a killed process loses of its counts at most
TIDY_EVERY = 10.0  # s
LOOK_EVERY = 0.1  # s, while the process drains
JOINED_WITHIN = 2.0  # s to hear the other processes; then Redis is away
WRITTEN_WITHIN = 5.0  # s that one piece of writing may take
MOST_SHOWN = 100  # functions of one server on pages and in REST; a server may have ten times as many
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """A connected back end, for pages and REST."""

    id: str
    name: str
    sdk: str
    since: datetime
    functions: list[str]  # the first MOST_SHOWN by name
    function_count: int  # all of them


@dataclass(frozen=True, slots=True)
class RegisteredFunction:
    """A function of the connected back ends. `before`: how another server had registered it, if not like this."""

    name: str
    policy: str
    idempotent: bool
    servers: int
    before: str


class RefusedRequest(NamedTuple):
    """What was refused so often in the last hour, for pages and REST (relay/core/refusals.py). `last`: epoch s."""

    request: str
    code: str
    name: str
    number: int
    last: float

    @property
    def meaning(self) -> str:
        """Why, in a sentence."""
        by_name, by_code = REASONS.get((self.request, self.name)), REASONS.get((self.request, self.code))
        return by_name or by_code or MEANINGS[self.code]


class CallsLastHour(NamedTuple):
    """What became of a project's calls: outcomes and what is none, by name, and what was refused; the most first."""

    outcomes: dict[str, int]
    besides: dict[str, int]
    refused: list[RefusedRequest]


class Relay:
    """One per process. It starts with the first socket or request that reaches it, in that one's event loop."""

    def __init__(self, limits: Limits, settling: float, home: Path, layer: Any = None, secret: str = "") -> None:
        """`home`: the folder of the installation. `layer`: channels-redis' pub/sub layer to the other processes; None:
        this one is alone. `secret`: what is told to the others is sealed with it.
        """
        self.hub = Hub(limits, self.authenticate, time.monotonic(), settling=settling, choose=random.randrange)
        self.writer = DatabaseThreads(1, "relay-metering", WRITTEN_WITHIN)
        self.directory = Directory(limits.ip_failures)
        self.metering = Metering(self.hub, self.writer, home / FOLDER)
        self.layer, self.secret = layer, secret
        self.backplane: Backplane | None = None
        self.sealed = asyncio.Event()  # something may wait to be written
        self.tasks: set[asyncio.Task[None]] = set()
        self.lag = Durations()  # how late ticks come
        self.due = 0.0  # when the next one should
        self.started = False
        self.draining = False  # asked to end: not ready for new peers

    def start(self) -> None:
        """Let the clock run. Must be called in the event loop; later calls do nothing."""
        if not self.started:
            self.started = True
            calm_collector()
            self.due = time.monotonic()
            Context().run(self._begin)  # what runs on is no part of the request that came first

    def _begin(self) -> None:
        if self.layer is not None:
            self.backplane = Backplane(self.hub, self.layer, Seal(self.secret))
            self.spawn(self.backplane.run())
        self.tick()
        self.spawn(self.every(POLL_EVERY, lambda: self.directory.poll(self.hub)))
        self.spawn(self.every(SEAL_EVERY, self.seal))
        self.spawn(self.every(0, self.write))
        self.spawn(self.every(TIDY_EVERY, self.tidy))

    async def join(self) -> None:
        """Wait until this process hears the others, so that subscribers miss nothing, or Redis had its time."""
        if self.backplane is not None:
            await passes(JOINED_WITHIN, self.backplane.joined)

    def is_barred(self, source: str, origin: str | None) -> bool:
        """Whether pages of this origin, or programs (None), may open no WebSocket from this address now (GP-53)."""
        return self.hub.is_barred(source, origin, time.monotonic())

    async def drain(self, hurried: asyncio.Event) -> None:
        """Let the peers move to other processes (GP-6); at most 20 s, and no longer than until `hurried`."""
        farewell = Farewell(self.hub, time.monotonic())
        log.info("Draining: %d connections are asked to move", self.hub.connections)
        while not (farewell.step(time.monotonic()) or hurried.is_set()):
            await passes(LOOK_EVERY, hurried)
        log.info("Drained: %d connections are closed", self.hub.connections)

    def send_away(self) -> None:
        """Say `bye` to everybody: the process ends."""
        for tenant in tuple(self.hub.tenants.values()):
            for connection in tuple(tenant.connections):
                self.hub.close(connection, Closing(1012, after=1_000), time.monotonic())

    async def stop(self) -> None:
        """Send everybody away, and write down what was counted."""
        self.send_away()
        if self.backplane is not None:
            await self.backplane.leave()
        self.started = False
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.metering.end(time.time())
        self.directory.shutdown()
        self.writer.shutdown()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it as a task of this relay."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Drive the deadlines, again and again."""
        if self.started:
            asyncio.get_running_loop().call_later(STEP, self.tick)
            now = time.monotonic()
            self.lag.add(max(0.0, now - self.due))
            self.due = now + STEP
            try:
                self.hub.tick(now, time.time())
                if self.backplane is not None:
                    self.backplane.tick(time.monotonic())
            except Exception:
                log.exception("A tick failed")

    async def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work again and again; what fails is tried again the next time, and logged the first."""
        failing = False
        while True:
            try:
                await work()
                failing = False
            except Exception as error:
                if not failing:
                    bug = not isinstance(error, OperationalError)  # else the database is away, or its disk is full
                    log.error(
                        "A task of the relay fails; it is tried again every %s s: %s", seconds, error, exc_info=bug
                    )
                failing = True
            await asyncio.sleep(seconds)

    async def seal(self) -> None:
        """Put what was counted into a batch, however long the one before takes to write."""
        self.metering.seal(time.time())
        self.sealed.set()

    async def write(self) -> None:
        """Write the sealed batches down as soon as there may be some; those that could not be written, too."""
        await self.sealed.wait()
        self.sealed.clear()
        await self.metering.write(time.time())

    async def tidy(self) -> None:
        """Forget what is no longer in use, note when keys were used, and write what another relay could not."""
        self.hub.sweep(time.monotonic())
        self.directory.strangers.sweep(time.monotonic())
        with contextlib.suppress(
            InterfaceError, OperationalError, DatabaseSilent
        ):  # the directory says that it is away
            await self.directory.write_used(self.writer)
            await self.metering.write_unwritten()

    # --- who is it ---------------------------------------------------------------------------------------------------

    def authenticate(self, connection: Connection, hello: frames.Hello) -> None:
        """Find out whose hello this is: at once when the key is known, else in a task."""
        claim = Claim(hello.key, hello.password, hello.session, connection.origin, connection.project_id)
        try:
            admission = self.directory.known(claim)
        except Refused as refused:
            self.hub.refuse(connection, refused, time.monotonic())
            return
        if admission is None:
            self.spawn(self._identify(connection, claim))
        else:
            self.hub.admit(connection, admission, time.monotonic())

    async def _identify(self, connection: Connection, claim: Claim) -> None:
        try:
            admission = await self.directory.identify(claim, connection.address.ip)
        except Refused as refused:
            self.hub.refuse(connection, refused, time.monotonic())
        else:
            self.hub.admit(connection, admission, time.monotonic())

    # --- for pages and REST ------------------------------------------------------------------------------------------

    def back_ends(self, project_id: str) -> list[Connection]:
        """The project's connected back ends, oldest first. Called from other threads: copies are made in one step."""
        tenant = self.hub.tenants.get(project_id)
        if tenant is None:
            return []
        return [c for c in [*list(tenant.connections), *list(tenant.remote.values())] if c.peer == BACKEND]

    def functions(self, project_id: str) -> list[RegisteredFunction]:
        """The functions that have servers now, by name."""
        tenant = self.hub.tenants.get(project_id)
        functions = [] if tenant is None else list(tenant.functions.by_name.values())
        return [
            RegisteredFunction(f.name, f.policy, f.idempotent, len(f.seats), described(*f.before) if f.before else "")
            for f in sorted(functions, key=lambda function: function.name)
            if f.seats
        ]

    def calls_last_hour(self, project_id: str) -> CallsLastHour:
        """What became of the project's calls in the last hour. Called from other threads."""
        tenant = self.hub.tenants.get(project_id)
        counts = {} if tenant is None else tenant.statistics.last_hour()
        _, stray = self.hub.strays.by_project.get(project_id, ("", Refusals()))
        rows = list((stray if tenant is None else tenant.refusals).rows.items())
        refused = [RefusedRequest(*asked, row.number(self.hub.wall), row.last) for asked, row in rows]
        ordered = sorted(counts.items(), key=lambda count: (-count[1], count[0]))
        return CallsLastHour(
            {name: number for name, number in ordered if name not in BESIDES},
            {name: number for name, number in ordered if name in BESIDES},
            sorted((one for one in refused if one.number), key=lambda one: (-one.number, *one[:3])),
        )


def shown(back_end: Connection) -> Server:
    """A back end as pages and REST show it; made for those on the page alone, since there may be thousands."""
    names = list(back_end.seats)
    since = datetime.fromisoformat(back_end.connected_at)
    return Server(back_end.id, back_end.name, back_end.sdk, since, sorted(names)[:MOST_SHOWN], len(names))


async def passes(seconds: float, or_else: asyncio.Event) -> None:
    """Wait for the time, or for the event."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(or_else.wait(), seconds)


def described(policy: str, idempotent: bool) -> str:
    """A function's options in words."""
    return f"{policy}, {'idempotent' if idempotent else 'not idempotent'}"


@cache
def calm_collector() -> None:
    """Once per process: let Python's collector of circles seldom look through everything.

    By default it did so for 140 ms at a stretch while 10,000 connections came. What is there at the start it now leaves
    alone. Of what came since it looks at the newest 10,000 objects, at 50,000, and at all when two million more have
    stayed. Sockets leave no circles (tests/relay/edge/test_garbage.py): what waits for it is of web pages, and bounded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 40)
