"""Every HTTP request's id, its count and, if wanted, its line in the log; and when a refused one may come again."""

import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gluer_site.routes import route_of
from relay.edge.exchange import REQUEST_ID
from relay.edge.headers import header

HEADER = b"x-request-id"
PROBES = re.compile(r"/(healthz|readyz|metrics)")
PARTS = ("site", "bus", "probe")
RETRY_AFTER = {("site", 429): b"60", ("site", 503): b"5"}  # s, where the answer itself does not know better
SOON = b"1"  # s; of bus and probes
LOGGED = {"none": (), "site": ("site",), "all": PARTS}
log = structlog.get_logger("gluer.access")


class Answers(Collector):
    """How many there were, by part and class of status."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()

    def collect(self) -> Iterable[Metric]:
        answers = CounterMetricFamily("gluer_http_answers", "HTTP requests answered.", labels=["part", "status"])
        for part in PARTS:
            for status in range(2, 6):
                answers.add_metric([part, f"{status}xx"], self.counts[part, status])
        yield answers


class Requests:
    """Wraps an application. `logged`: a key of LOGGED."""

    def __init__(self, application: Any, answers: Answers, logged: str) -> None:
        self.application, self.answers, self.logged = application, answers, LOGGED[logged]

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        began, part = time.monotonic(), part_of(scope["path"])
        request_id = id_of(scope)
        others = [(name, value) for name, value in scope["headers"] if name != HEADER]
        named = {**scope, "headers": [*others, (HEADER, request_id)]}  # for the bus, which answers with it too

        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() != HEADER]
                message = {**message, "headers": [*kept, (HEADER, request_id), *when(part, message["status"], kept)]}
                self.answers.counts[part, message["status"] // 100] += 1
                if part in self.logged:
                    self.log(named, message["status"], time.monotonic() - began)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            await self.application(named, receive, answer)

    def log(self, scope: dict[str, Any], status: int, seconds: float) -> None:
        """One line: the route instead of the path, which may hold ids, names and secrets; never the query."""
        route = route_of(scope["path"])
        log.info("Answered", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))


def id_of(scope: dict[str, Any]) -> bytes:
    """The one the client gave, if it is a good one, or a new one."""
    given = header(scope, HEADER) or ""
    return given.encode() if REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()


def when(part: str, status: int, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Retry-After, if the answer needs one and has none."""
    if status not in (429, 503) or any(name.lower() == b"retry-after" for name, _ in headers):
        return []
    return [(b"retry-after", RETRY_AFTER.get((part, status), SOON))]


def part_of(path: str) -> str:
    """Who answers this path."""
    if PROBES.fullmatch(path):
        return "probe"
    return "bus" if path.startswith("/v1/") else "site"
