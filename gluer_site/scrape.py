"""/metrics: the process's figures for Prometheus, to this machine and to who has the token (docs/metrics.md)."""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gluer_site.health import Check, only_reads
from relay.core.errors import Refused
from relay.edge.address import FORWARDED, TrustedProxies
from relay.edge.exchange import Exchange

CLOSED = "Metrics are for this machine, or show `Authorization: Bearer <GLUER_METRICS_TOKEN>`."


class Scrape:
    """Answers who may know. `collectors` are read in the event loop; an empty `token` is nobody's."""

    def __init__(
        self, collectors: Iterable[Collector], checks: Mapping[str, Check], proxies: TrustedProxies, token: str
    ) -> None:
        self.collectors, self.checks = list(collectors), checks
        self.proxies, self.token = proxies, token.encode()
        self.process = ProcessCollector(registry=CollectorRegistry())

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        exchange = Exchange(scope, receive, send)
        if not await only_reads(exchange):
            return
        if not (self.is_near(scope) or self.has_token(exchange)):
            await exchange.problem(Refused("forbidden", CLOSED))
        else:
            body = await self.text()
            await exchange.json(200, body, kind=CONTENT_TYPE_PLAIN_0_0_4.encode())

    def is_near(self, scope: Mapping[str, Any]) -> bool:
        """Whether the client is on this machine. One that a proxy speaks for is only if that proxy is trusted."""
        ip = self.proxies.client(scope)
        forwarded = any(name == FORWARDED for name, _ in scope["headers"])
        return is_loopback(ip) and (not forwarded or self.proxies.trusts(ip))

    def has_token(self, exchange: Exchange) -> bool:
        scheme, _, shown = (exchange.header(b"authorization") or "").partition(" ")
        same = secrets.compare_digest(shown.strip().encode(), self.token)
        return same and scheme.lower() == "bearer" and bool(self.token)

    async def text(self) -> bytes:
        """In Prometheus' text format. The process's open files are counted in a thread: there may be many."""
        needs = GaugeMetricFamily("gluer_dependency_up", "1: it answers.", labels=["dependency"])
        for name, check in self.checks.items():
            needs.add_metric([name], int(await check.holds()))
        read = [metric for collector in self.collectors for metric in collector.collect()]
        return await asyncio.to_thread(lambda: generate_latest(Read([*read, needs, *self.process.collect()])))


class Read(Collector):
    """Metrics that were read already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics = metrics

    def collect(self) -> list[Metric]:
        return self.metrics


def is_loopback(ip: str) -> bool:
    try:
        return ip_address(ip).is_loopback
    except ValueError:
        return False
