"""Connections to Redis that carry nothing any more and do not say so, as after a failover or behind a firewall."""

import asyncio
import re
import time
from pathlib import Path

import httpx

from tests.cluster.harness.account import Account
from tests.cluster.harness.celery import Celery
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.cut import Cut
from tests.cluster.harness.nginx import Nginx
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.cluster.test_mails import FORM, send
from tests.embedded.installation import until
from tests.relay.contract.conftest import until as until_true

BACK = 30  # s
MENDED = 5  # s
FOLDED = re.compile(r"billing\.tasks\.fold_usage\S* succeeded")


def test_worker_and_beat_come_back_from_connections_that_died_silently(cluster: Cluster, tmp_path: Path) -> None:
    cut = Cut(cluster.redis)
    with (
        Celery(cluster.home, "worker", tmp_path, REDIS_URL=cut.worker_url) as worker,
        Celery(cluster.home, "beat", tmp_path, REDIS_URL=cut.worker_url),
    ):
        try:
            until(lambda: folded(worker) >= 1, "counts to be folded", 30)
            cut.forget()
            before = folded(worker)
            until(lambda: folded(worker) >= before + 2, "counts to be folded again", BACK)
        finally:
            cut.close()


async def test_a_relay_comes_back_from_connections_that_died_silently(
    cluster: Cluster, alice: ClusterShop, tmp_path: Path
) -> None:
    cut = Cut(cluster.redis)
    relay = Relay(cluster.home, REDIS_URL=cut.url)
    nginx = Nginx(tmp_path / "nginx", [relay.port])
    try:
        relay.start()
        nginx.start()
        await alice.at(cluster.relays[0]).calculator()
        await alice.at(relay).sees(1)
        await asyncio.to_thread(ask_for_a_mail, nginx, "before")
        async with Account(await alice.at(relay).frontend(), "calculator:add") as account:
            await until_true(lambda: account.codes["result"] > 20, "calls before")
            cut.forget()
            forgotten = time.monotonic()
            async with asyncio.timeout(2 * MENDED):
                await asyncio.to_thread(ask_for_a_mail, nginx, "after")
            await until_true(lambda: len(account.made(forgotten + MENDED)) > 20, "calls afterwards")
        assert account.last_trouble() <= forgotten + MENDED
    finally:
        nginx.close()
        relay.close()
        cut.close()


def ask_for_a_mail(nginx: Nginx, name: str) -> None:
    """Sign up, which puts a mail into Celery's queue."""
    site = nginx.http
    with httpx.Client(base_url=site, verify=nginx.tls, headers={"Referer": f"{site}/"}, timeout=20) as browser:
        send(browser, "/accounts/signup/", **{**FORM, "email": f"{name}@example.org"})


def folded(worker: Celery) -> int:
    """How often the worker did what the beat asks for every 5 s."""
    return len(FOLDED.findall(worker.program.printed()))
