"""Bodies that an application reads to their end are bounded for it (gluer_site/bodies.py)."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gluer_site.bodies import BoundedBodies, ReadToEnd
from tests.relay.edge.server import EdgeServer

MOST = 1_024  # bytes


async def reads_all(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """As Django does: nothing is answered to a client that went away."""
    size, message = 0, {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % size})


@pytest.fixture
def client() -> Iterator[http.client.HTTPConnection]:
    server = EdgeServer(ReadToEnd(BoundedBodies(reads_all, MOST, seconds=0.2)))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    yield connection
    connection.close()
    server.stop()


ADDRESS = "/api/v1/projects"


def told(client: http.client.HTTPConnection) -> tuple[int, Any]:
    answer = client.getresponse()
    problem = json.loads(answer.read())
    return answer.status, problem if answer.status == 200 else problem["code"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("size", "answer"), [(0, (200, 0)), (MOST, (200, MOST)), (MOST + 1, (413, "payload_too_large"))]
)
def test_a_body_has_a_size(
    client: http.client.HTTPConnection, size: int, answer: tuple[int, Any], chunked: bool
) -> None:
    for _ in range(2):  # on one connection
        client.request("POST", ADDRESS, iter([b"x" * size]) if chunked else b"x" * size, encode_chunked=chunked)
        assert told(client) == answer


def test_and_a_time(client: http.client.HTTPConnection) -> None:
    client.putrequest("POST", ADDRESS)
    client.putheader("Content-Length", "100")
    client.endheaders(b"x")
    assert told(client) == (400, "bad_frame")


@pytest.mark.parametrize(("size", "status", "sentence"), [(MOST + 1, 413, "than 1 KiB"), (None, 400, "within 0.2 s")])
def test_a_browser_is_told_by_a_page(
    client: http.client.HTTPConnection, size: int | None, status: int, sentence: str
) -> None:
    client.putrequest("POST", "/ctx/profile/name")
    client.putheader("Content-Length", str(size or 100))
    client.endheaders(b"x" * (size or 1))
    answer = client.getresponse()
    page = answer.read().decode()
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert sentence in page
    assert "nothing was changed" in page
