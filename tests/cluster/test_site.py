"""Pages and REST while the database is away, or Redis: the limits of log-ins and requests are kept there."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.shop import ClusterShop


@pytest.fixture
async def browser(cluster: Cluster) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=cluster.nginx.tls, base_url=cluster.nginx.http, trust_env=False) as client:
        yield client


async def log_in(browser: httpx.AsyncClient) -> httpx.Response:
    form = (await browser.get("/accounts/login/")).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token
    data = {"csrfmiddlewaretoken": token[1], "login": "alice@example.org", "password": "wrong"}
    return await browser.post("/accounts/login/", data=data, headers={"Origin": "https://localhost"})


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_what_is_limited_says_so_and_comes_back(
    cluster: Cluster, alice: ClusterShop, browser: httpx.AsyncClient, how: str
) -> None:
    show = {"Authorization": f"Bearer {alice.token}"}
    rest = f"/api/v1/projects/{alice.id}"
    assert (await browser.get(rest, headers=show)).status_code == 200
    getattr(cluster.redis, how)()
    refused = await browser.get(rest, headers=show)
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, "unavailable", "5")
    assert refused.elapsed.total_seconds() < 3
    page = await log_in(browser)
    assert (page.status_code, "Try again in some seconds" in page.text) == (503, True)
    assert (await browser.get("/")).status_code == 200
    cluster.mend()
    assert (await browser.get(rest, headers=show)).status_code == 200
    assert (await log_in(browser)).status_code == 200


async def test_a_database_that_is_away_is_told_and_comes_back(
    cluster: Cluster, alice: ClusterShop, browser: httpx.AsyncClient
) -> None:
    show = {"Authorization": f"Bearer {alice.token}"}
    rest = f"/api/v1/projects/{alice.id}"
    assert (await log_in(browser)).status_code == 200
    cluster.postgres.stop()
    refused = await browser.get(rest, headers=show)
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (503, "unavailable", "5")
    page = await log_in(browser)
    assert (page.status_code, "Try again in some seconds" in page.text) == (503, True)
    printed = "".join(relay.printed() for relay in cluster.relays)
    assert "/api/v1/projects/<project:project_id> was answered with 503" in printed
    assert f"{rest} was answered" not in printed
    cluster.mend()
    assert (await browser.get(rest, headers=show)).status_code == 200
    assert (await log_in(browser)).status_code == 200
