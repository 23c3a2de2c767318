"""Whoever is refused for a while is told for how long."""

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from gluer_site.requests import Answers, Requests
from tests.relay.edge.server import EdgeServer


async def refuses(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """With the status and the Retry-After of the query."""
    status, _, after = scope["query_string"].partition(b",")
    headers = [(b"Retry-After", after)] if after else []
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def server() -> Iterator[EdgeServer]:
    server = EdgeServer(Requests(refuses, Answers(), "none"))
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("path", "after"),
    [
        ("/v1/call/x?429", ["1"]),
        ("/v1/call/x?503", ["1"]),
        ("/v1/call/x?429,86400", ["86400"]),
        ("/v1/call/x?200", []),
        ("/readyz?503", ["1"]),
        ("/accounts/login/?429", ["60"]),
        ("/accounts/login/?503", ["5"]),
        ("/api/v1/projects?429,7", ["7"]),
        ("/api/v1/projects?404", []),
    ],
)
def test_each_429_and_503_says_when_to_come_again(server: EdgeServer, path: str, after: list[str]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("GET", path)
    assert (client.getresponse().headers.get_all("Retry-After") or []) == after
    client.close()
