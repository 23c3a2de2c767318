"""The shipped nginx.conf with real traffic."""

import asyncio
import json
import socket
import ssl
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection

import httpx
import pytest

from accounts.alphabet import random_text
from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.relay import Relay
from tests.cluster.harness.shop import ClusterShop
from tests.embedded.installation import until

FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "Forwarded": "for=203.0.113.9"}
RANDOM = "a" * 32


def relay_of(cluster: Cluster, request_id: str) -> Relay:
    """Which relay the request with this id went to last."""
    until(lambda: [line for line in cluster.nginx.served() if line["request_id"] == request_id], "the log", 5)
    line = next(line for line in cluster.nginx.served() if line["request_id"] == request_id)
    port = int(line["relay"].split(", ")[-1].split(":")[1])
    return next(relay for relay in cluster.relays if relay.port == port)


async def home_of(cluster: Cluster, shop: ClusterShop, mark: str = "asked") -> Relay:
    """The relay that nginx gives this project."""
    name = f"{mark}-{shop.id}"
    await shop.post("/v1/call/nobody:here", json=None, headers={"X-Request-ID": name, "Gluer-Timeout": "50"})
    return relay_of(cluster, name)


async def test_calls_go_through_by_websocket_and_by_http(alice: ClusterShop, charlie: ClusterShop) -> None:
    await alice.calculator()
    assert (await (await alice.frontend()).call("calculator:add", {"a": 5, "b": 3}))["data"] == {"result": 8}
    assert (await alice.post("/v1/call/calculator:add", json={"a": 5, "b": 3})).json() == {"data": {"result": 8}}
    assert (await (await charlie.frontend()).call("calculator:add", {}))["code"] == "no_such_function"


@pytest.mark.parametrize("claimed", [{}, FORGED])
async def test_a_back_end_sees_the_caller_s_own_address(alice: ClusterShop, claimed: dict[str, str]) -> None:
    server = await alice.backend("calculator:add")
    frontend = await alice.socket(ip="127.0.0.7", additional_headers=claimed)
    await frontend.hello(key=alice.public)
    await frontend.send("call", id="1", cmd="calculator:add", data=None)
    assert (await server.assert_received("call"))["header"]["ip"] == "127.0.0.7"


@pytest.mark.parametrize("claimed", [{}, FORGED])
async def test_and_over_http(alice: ClusterShop, claimed: dict[str, str]) -> None:
    server = await alice.backend("calculator:add")
    alice.ip = "127.0.0.8"
    asked = asyncio.create_task(alice.post("/v1/call/calculator:add", json=None, headers=claimed))
    call = await server.assert_received("call")
    assert call["header"]["ip"] == "127.0.0.8"
    await server.send("result", id=call["id"], data=None)
    assert (await asked).status_code == 200


async def test_a_project_s_peers_meet_in_one_relay(cluster: Cluster, alice: ClusterShop) -> None:
    homes = {(await home_of(cluster, alice, mark)).port for mark in ("first", "second", "third")}
    for name in (f"{alice.id}-{number}" for number in range(3)):
        socket = await alice.socket(additional_headers={"X-Request-ID": name})
        await (await socket.hello(key=alice.public)).close()
        homes.add(relay_of(cluster, name).port)
    assert len(homes) == 1


ROUTES = {
    "/v1/call/secret:function": "/v1/call",
    "/v1/channels?channel=secret": "/v1/channels",
    "/v1/callsecret": "/…",
    "/v1/ws/secretsecre": "/v1/ws",
    "/ctx/projects/secret": "/ctx/…",
    "/accounts/confirm-email/secret/": "/accounts/…",
    "/api/v1/projects/secret?x=secret": "/api/v1/…",
    "/api/v1": "/…",
    "/secret?healthz": "/…",
    "/?secret": "/",
    "/healthz?secret": "/healthz",
}


async def test_logs_hold_routes_and_no_names(cluster: Cluster, alice: ClusterShop) -> None:
    for number, path in enumerate(ROUTES):
        headers = {"X-Request-ID": f"route-{number}", "Gluer-Session": "secret" * 3}
        await alice.post(path, content=b"secret" * 20_000, headers=headers)
    relay_of(cluster, f"route-{len(ROUTES) - 1}")  # it was logged
    logged = {line["request_id"]: line["route"] for line in cluster.nginx.served()}
    assert [logged[f"route-{number}"] for number in range(len(ROUTES))] == list(ROUTES.values())
    for log in ("access.log", "error.log", "output.log"):
        assert "secret" not in (cluster.nginx.folder / log).read_text()


async def test_projects_are_spread_over_the_relays(cluster: Cluster, alice: ClusterShop) -> None:
    for number in range(20):
        key = f"gluer_pub_{number % 8 + 2}{number // 8 + 2}aaaaaaaaaa_{RANDOM}"
        refused = await alice.post("/v1/call/x", key=key, headers={"X-Request-ID": f"spread-{number}"})
        assert refused.status_code == 401
    assert {relay_of(cluster, f"spread-{number}").port for number in range(20)} == {r.port for r in cluster.relays}


async def test_another_relay_takes_over_while_one_is_down(cluster: Cluster, alice: ClusterShop) -> None:
    first = await home_of(cluster, alice)
    first.kill()
    await alice.calculator()
    frontend = await alice.frontend()
    assert (await frontend.call("calculator:add", {"a": 5, "b": 3}))["data"] == {"result": 8}
    assert await home_of(cluster, alice, "meanwhile") is not first
    first.start()
    async with asyncio.timeout(5):
        number = 0
        while await home_of(cluster, alice, f"afterwards-{number}") is not first:
            number += 1


async def test_events_come_as_they_are_made(cluster: Cluster, alice: ClusterShop) -> None:
    server = await alice.backend("slow:work")
    headers = {"Authorization": f"Bearer {alice.public}", "Accept": "text/event-stream"}
    url = f"{cluster.nginx.http}/v1/call/slow:work"
    async with (
        httpx.AsyncClient(verify=cluster.nginx.tls, timeout=15, trust_env=False) as client,
        client.stream("POST", url, headers=headers, json=None) as answer,
    ):
        lines = answer.aiter_lines()
        call = await server.assert_received("call")
        for part in range(3):  # the next is made when the one before has arrived
            await server.send("progress", id=call["id"], data=part)
            assert await anext(lines) == "event: progress"
            assert json.loads((await anext(lines)).removeprefix("data: "))["data"] == part
            assert await anext(lines) == ""
        await server.send("result", id=call["id"], data="done")
        assert await anext(lines) == "event: result"
        assert json.loads((await anext(lines)).removeprefix("data: "))["data"] == "done"


async def test_a_frame_of_1_mib_goes_through(alice: ClusterShop) -> None:
    server = await alice.backend("echo:echo")
    frontend = await alice.frontend()
    text = "x" * (1_048_576 - 200)
    await frontend.send("call", id="1", cmd="echo:echo", data=text)
    call = await server.receive()
    assert call["data"] == text
    await server.send("result", id=call["id"], data=text)
    await frontend.assert_received("result", data=text)


async def test_a_body_above_the_relay_s_limit_is_refused_by_the_relay(alice: ClusterShop) -> None:
    await alice.calculator()
    refused = await alice.post("/v1/call/calculator:add", content=b'"' + b"x" * 1_048_577 + b'"')
    assert (refused.status_code, refused.json()["data"]) == (413, {"limit": 1_048_576})


async def test_a_body_above_nginx_s_limit_is_refused_by_the_same_name(alice: ClusterShop) -> None:
    refused = await alice.post("/v1/call/calculator:add", content=b'"' + b"x" * 2_200_000 + b'"')
    assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
    assert refused.headers["Content-Type"] == "application/problem+json"


async def test_plain_http_leads_to_tls(cluster: Cluster) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{cluster.nginx.plain}/v1/call/x?y=1", content=b"1")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://localhost/v1/call/x?y=1")


def test_tls_is_1_2_or_newer(cluster: Cluster) -> None:
    assert shaken(cluster, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert shaken(cluster, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.deprecated_call(), pytest.raises(ssl.SSLError):
        shaken(cluster, ssl.TLSVersion.TLSv1_1)


def shaken(cluster: Cluster, version: ssl.TLSVersion) -> str | None:
    """What a client that speaks this version only agrees on with nginx."""
    context = cluster.nginx.certificate.trusted()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", cluster.nginx.port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.version()


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics", "/readyz"])
async def test_metrics_and_readiness_are_not_for_strangers(cluster: Cluster, path: str) -> None:
    async with httpx.AsyncClient(verify=cluster.nginx.tls, trust_env=False) as client:
        answer = await client.get(cluster.nginx.http + path)
    assert answer.status_code == 404
    assert "nginx" in answer.text


async def test_what_a_stranger_provokes_costs_nobody_else_a_relay(alice: ClusterShop, charlie: ClusterShop) -> None:
    await alice.calculator()
    charlie.ip = "127.0.0.9"
    refused: list[int] = []

    async def posts() -> None:
        """Bodies that no relay wants to read, under keys that nobody made."""
        for _ in range(20):
            key = f"gluer_pub_{random_text(12)}_{RANDOM}"
            refused.append(
                (await charlie.post("/v1/call/x", key=key, content=b'"' + b"x" * 200_000 + b'"')).status_code
            )

    attack = asyncio.gather(*(posts() for _ in range(10)))
    served = []
    while not attack.done():
        served.append((await alice.post("/v1/call/calculator:add", json={"a": 5, "b": 3})).status_code)
        served.append((await charlie.post("/healthz")).status_code)
    await attack
    assert set(served) == {200, 405}
    assert set(refused) == {401, 429}


async def test_an_answer_that_nginx_cannot_take_costs_nobody_else_a_relay(alice: ClusterShop) -> None:
    await alice.calculator()
    async with httpx.AsyncClient(verify=alice.relay.tls, trust_env=False) as client:  # type: ignore[attr-defined]
        led = await client.get(f"{alice.relay.http}/ctx?" + "%20" * 2_000)  # where to go back after the log-in
        for _ in range(30):
            await client.get(f"{alice.relay.http}/ctx?" + "%20" * 2_000)
    assert led.status_code == 502
    assert (await alice.post("/v1/call/calculator:add", json={"a": 5, "b": 3})).status_code == 200


@pytest.mark.parametrize(
    ("path", "served", "kind", "told"),
    [
        ("/healthz", 200, "application/problem+json", '"code":"rate_limited"'),
        ("/api/v1/projects", 401, "application/problem+json", '"code":"rate_limited"'),
        ("/nothing", 404, "text/html; charset=utf-8", "load the page again"),
        ("/v1/ws/aaaaaaaaaaaa", 426, "application/problem+json", '"code":"rate_limited"'),
    ],
)
def test_a_flood_from_one_address_does_not_reach_the_relays(
    cluster: Cluster, path: str, served: int, kind: str, told: str
) -> None:
    def asks(ip: str, times: int) -> Counter[int]:
        """One after the other on one connection."""
        client = HTTPSConnection("localhost", cluster.nginx.port, context=cluster.nginx.tls, source_address=(ip, 0))
        statuses: Counter[int] = Counter()
        for _ in range(times):
            client.request("GET", path, headers={"Upgrade": "websocket"} if "/ws/" in path else {})
            answer = client.getresponse()
            content = answer.read().decode()
            statuses[answer.status] += 1
            if answer.status == 429:
                assert (answer.headers["Retry-After"], answer.headers["Content-Type"]) == ("1", kind)
                assert told in content
        client.close()
        return statuses

    with ThreadPoolExecutor(8) as threads:
        answered = sum(threads.map(asks, ["127.0.0.10"] * 8, [200] * 8), Counter())
    assert answered.keys() == {served, 429}
    assert asks("127.0.0.11", 50) == {served: 50}
