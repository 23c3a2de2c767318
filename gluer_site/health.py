"""Whether this process lives (/healthz), and whether new peers may be sent to it (/readyz).

Answered before Django: a load balancer asks by IP address, which is no allowed host, and often.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import redis.asyncio as redis
from django.db import connection

from relay.core.errors import Refused
from relay.database import DatabaseThreads
from relay.edge.exchange import Exchange
from relay.runtime import Relay

WITHIN = 1.0  # s that an answer may take
KEPT = 1.0  # s that an answer is good: a flood of probes asks no more often


class Check:
    """Whether something this process needs answers. `ask` raises when it does not."""

    def __init__(self, ask: Callable[[], Awaitable[object]]) -> None:
        self.ask = ask
        self.task: asyncio.Task[bool] | None = None
        self.began = 0.0

    async def holds(self) -> bool:
        """What it answered within the last second; asked anew otherwise. A question that hangs is not asked twice."""
        if self.task is None or (self.task.done() and time.monotonic() - self.began >= KEPT):
            self.began = time.monotonic()
            self.task = asyncio.get_running_loop().create_task(self._holds())
        if not self.task.done():
            await asyncio.wait({self.task}, timeout=max(0.0, self.began + WITHIN - time.monotonic()))
        return self.task.done() and self.task.result()

    async def _holds(self) -> bool:
        try:
            await self.ask()
        except Exception:  # whatever the driver calls it
            return False
        return True


def database_check() -> Check:
    """Whether the database answers, with Gluer's tables in it."""
    threads = DatabaseThreads(1, "health", WITHIN)  # its own: the relay's may all be waiting

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")

    return Check(lambda: threads.run(ask))


def redis_check(url: str) -> Check:
    client = redis.Redis.from_url(url, socket_timeout=WITHIN, socket_connect_timeout=WITHIN)
    return Check(lambda: client.execute_command("PING"))  # type: ignore[no-untyped-call]


async def alive(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """/healthz: 200 as long as the event loop answers."""
    await told(Exchange(scope, receive, send), 200, {"status": "alive"})


class Readiness:
    """/readyz: 503 while the relay drains, or starts: until it has reached its database once.

    What goes away later degrades it. It does so for all relays at once, and calls go on with what they know.
    """

    def __init__(self, relay: Relay, checks: Mapping[str, Check]) -> None:
        self.relay, self.checks = relay, checks

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        status = self.status()
        holds = await asyncio.gather(*(check.holds() for check in self.checks.values()))
        needs = {name: "ok" if good else "degraded" for name, good in zip(self.checks, holds, strict=True)}
        body = {"status": status, "keys": self.relay.directory.keys, **needs}
        await told(Exchange(scope, receive, send), 200 if status == "ready" else 503, body)

    def status(self) -> str:
        """Begins the relay where the server has not."""
        if self.relay.draining:
            return "draining"
        if not self.relay.started:
            self.relay.start()
        return "starting" if self.relay.directory.heard_at is None else "ready"


async def told(exchange: Exchange, status: int, body: Mapping[str, str]) -> None:
    """Answer a GET with JSON; another method is refused."""
    if await only_reads(exchange):
        await exchange.json(status, msgspec.json.encode(body))


async def only_reads(exchange: Exchange) -> bool:
    """Whether it is a GET, or a HEAD; another method is refused."""
    exchange.allow_origin = b""  # no page is meant to read it
    reads = exchange.method in ("GET", "HEAD")
    if not reads:
        await exchange.problem(Refused("bad_frame", "Use GET."), 405, (b"allow", b"GET, HEAD"))
    return reads
