"""Every request of the bus by HTTP is charged, and so is every body (GP-53, GP-5E)."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.relay.conftest import running
from tests.relay.harness.home import Home
from tests.relay.harness.office import Office
from tests.relay.harness.server import RelayServer
from tests.relay.harness.shop import Shop, http

MOST = 30  # requests until one is refused; two pass at once, and one a second
addresses = map("127.0.3.{}".format, count(1))


@pytest.fixture(scope="module")
def relay(home: Home, office: Office) -> Iterator[RelayServer]:
    """It takes one request and 10,000 bytes a second from one address, and twice that at once."""
    with running(RelayServer(home, ip_rate=1, ip_rate_bytes=10_000), office) as server:
        yield server


@pytest.fixture(autouse=True)
def own_address(alice: Shop) -> None:
    """Her back end comes from an address of its own, in each test."""
    alice.ip = next(addresses)


async def asks(shop: Shop, verb: str, ip: str, body: bytes = b"") -> tuple[int, str]:
    """The status of one request, and why it was refused."""
    path = {"call": "call/calculator:add", "unknown": "call/no:where", "send": "send/calculator:add"}
    url = f"{shop.relay.http}/v1/{path.get(verb, 'publish/news' if verb == 'publish' else 'channels?channel=news')}"
    headers = {"Authorization": f"Bearer {shop.private if verb == 'publish' else shop.public}"}
    method = "GET" if verb == "channels" else "POST"
    async with http(ip) as client, client.stream(method, url, headers=headers, content=body or None) as answer:
        return answer.status_code, "" if answer.is_success else (await answer.aread()).decode()


@pytest.mark.parametrize("verb", ["call", "unknown", "send", "publish", "channels"])
async def test_every_request_is_charged(alice: Shop, verb: str) -> None:
    await alice.calculator()
    ip = next(addresses)
    answers: list[int] = []
    while len(answers) < MOST and 429 not in answers:
        status, _ = await asks(alice, verb, ip, b'{"a":5,"b":3}' if verb == "call" else b"")
        answers.append(status)
    passed = {"call": 200, "unknown": 404, "send": 202, "publish": 200, "channels": 200}[verb]
    assert answers[:2] == [passed, passed]
    assert answers[-1] == 429


@pytest.mark.parametrize("verb", ["call", "send", "publish"])
async def test_every_body_is_charged(alice: Shop, verb: str) -> None:
    """One that is larger than what two seconds bring is taken, and then none for a while."""
    await alice.calculator()
    ip, body = next(addresses), b'{"a":5,"b":3,"more":"' + b"x" * 100_000 + b'"}'
    status, _ = await asks(alice, verb, ip, body)
    assert status == {"call": 200, "send": 202, "publish": 200}[verb]
    status, why = await asks(alice, verb, ip, body)
    assert (status, "Too many bytes" in why) == (429, True)
