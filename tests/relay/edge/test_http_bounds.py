"""What a client may keep the server waiting for: heads, idle connections, and how many of them (uvicorn_http.py)."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from relay.core.limits import Limits
from relay.edge.address import TrustedProxies
from relay.edge.uvicorn_http import HEAD, http_protocol
from tests.embedded.installation import until
from tests.relay.edge.client import request
from tests.relay.edge.echo import PATHS, echo
from tests.relay.edge.server import EdgeServer

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
QUICK = {"head_seconds": 0.3}


class Application:
    """Answers, or streams until its client leaves; echoes on WebSockets. `gone`: how many have left."""

    def __init__(self) -> None:
        self.gone = 0
        self.asked = threading.Event()  # the next request has come

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await echo(scope, receive, send)
            return
        if scope["path"] == "/waits":
            await self.waits(receive)
        headers = [(b"content-length", b"6")] if scope["path"] == "/late" else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/late":
            await send({"type": "http.response.body", "body": b"answer", "more_body": True})
            await asyncio.to_thread(self.asked.wait, 10)
            await send({"type": "http.response.body", "body": b""})
            return
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"began", "more_body": True})
            await self.waits(receive)
        await send({"type": "http.response.body", "body": b"answer"})

    async def waits(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone += 1


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def server(application: Application) -> Iterator[EdgeServer]:
    """Heads have 0.3 s, idle connections 1 s; 3 from one address, 5 in all."""
    bounded = http_protocol(Limits(ip_connections=3), TrustedProxies(["127.0.0.9"]), 5)
    server = EdgeServer(application, http=type("Quick", (bounded,), QUICK), timeout_keep_alive=1)
    yield server
    server.stop()


def client(server: EdgeServer, ip: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 10, (ip, 0))


def answer(client: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(client)
    answer.begin()
    answer.read()
    return answer


def assert_ended(client: socket.socket) -> None:
    """By the server, without a reset."""
    assert client.recv(1) == b""


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nHost: loc", request(PATHS[0])[:-2], b"\r\n"])
def test_a_head_that_does_not_end_is_refused(server: EdgeServer, begun: bytes) -> None:
    with client(server) as slow:
        slow.sendall(begun)
        assert answer(slow).status == 408
        assert_ended(slow)


def test_one_that_trickles_too(server: EdgeServer) -> None:
    with client(server) as slow:
        slow.settimeout(0.05)
        slow.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(200):
            slow.sendall(b"a")
            try:
                assert b" 408 " in slow.recv(100)
                return
            except TimeoutError:
                pass
    raise AssertionError("It may trickle for ever.")


@pytest.mark.parametrize("begun", [b"", b"\r\n", GET[:9]])
def test_the_next_head_of_a_connection_has_no_more_time(server: EdgeServer, begun: bytes) -> None:
    with client(server) as slow:
        slow.sendall(GET)
        assert answer(slow).status == 200
        slow.sendall(begun)
        if begun:
            assert answer(slow).status == 408
        assert_ended(slow)


def test_a_socket_upgraded_on_a_used_connection_stays(server: EdgeServer) -> None:
    with client(server) as socket:
        socket.sendall(GET)
        assert answer(socket).status == 200
        socket.sendall(request(PATHS[0]))
        assert socket.recv(1_000).startswith(b"HTTP/1.1 101 ")
        socket.settimeout(3 * QUICK["head_seconds"])
        with pytest.raises(TimeoutError):
            socket.recv(1)


# --- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * HEAD,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 8 * HEAD,
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * HEAD,
        b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD + b"\r\n\r\n",
        b"\r\n" * HEAD,
        request(PATHS[0])[:-2] + b"X: " + b"a" * HEAD + b"\r\n\r\n",
    ],
    ids=["a path", "a value", "many headers", "a whole head", "nothing", "an upgrade"],
)
def test_a_head_that_is_too_large_is_refused(server: EdgeServer, head: bytes) -> None:
    with client(server) as large:
        large.sendall(head)
        assert answer(large).status == 431


def test_a_head_of_nearly_the_limit_is_read(server: EdgeServer) -> None:
    with client(server) as large:
        large.sendall(GET[:-2] + b"X: " + b"a" * (HEAD - 100) + b"\r\n\r\n")
        assert answer(large).status == 200


def test_a_refused_client_that_sends_on_hears_why(server: EdgeServer) -> None:
    with client(server) as wrong:
        wrong.sendall(b"GET / HTTP/1.1\r\n\x01: a\r\nContent-Length: 1500000\r\n\r\n" + b"x" * 1_500_000)
        assert answer(wrong).status == 400


# --- how many --------------------------------------------------------------------------------------------------------


def test_connections_of_one_address_are_bounded(server: EdgeServer) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(client(server))
        refused = answer(stack.enter_context(client(server)))
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        other = stack.enter_context(client(server, "127.0.0.2"))
        other.sendall(GET)
        assert answer(other).status == 200
    until(lambda: not server.server.server_state.connections, "the connections to end", 5)
    with client(server) as again:
        again.sendall(GET)
        assert answer(again).status == 200


def test_connections_of_the_process_are_bounded_and_proxies_have_no_other_bound(server: EdgeServer) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            proxied = stack.enter_context(client(server, "127.0.0.9"))
            proxied.sendall(request(PATHS[0]))
            assert proxied.recv(1_000).startswith(b"HTTP/1.1 101 ")
        refused = answer(stack.enter_context(client(server, "127.0.0.2")))
        assert (refused.status, refused.headers["Retry-After"]) == (503, "1")


def test_requests_that_do_not_wait_for_answers_are_not_queued(server: EdgeServer) -> None:
    with client(server) as hasty:
        hasty.sendall(GET * 20_000)
        assert answer(hasty).headers["Connection"] == "close"


def test_a_request_behind_a_whole_answer_is_answered(server: EdgeServer, application: Application) -> None:
    with client(server) as quick:
        quick.sendall(GET.replace(b"/", b"/late", 1))
        assert answer(quick).status == 200
        quick.sendall(GET)
        [connection] = server.server.server_state.connections
        until(lambda: bool(connection.pipeline), "the next request", 5)  # type: ignore[union-attr]
        application.asked.set()
        assert answer(quick).status == 200


def test_a_client_that_leaves_behind_a_second_request_is_missed(server: EdgeServer, application: Application) -> None:
    with client(server) as hasty:
        hasty.sendall(GET.replace(b"/", b"/stream", 1) + GET)
        assert hasty.recv(1)
    until(lambda: application.gone == 1, "the stream to end", 5)


@pytest.mark.parametrize("path", [b"/waits", b"/stream"])
def test_a_body_that_is_wrong_ends_its_request(server: EdgeServer, application: Application, path: bytes) -> None:
    with client(server) as wrong:
        wrong.sendall(b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % path)
        if path == b"/stream":
            assert wrong.recv(1)
        wrong.sendall(b"no chunk")
        assert (b" 400 " in read_all(wrong)) == (path == b"/waits")
    until(lambda: application.gone == 1, "the application to be told", 5)


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))
