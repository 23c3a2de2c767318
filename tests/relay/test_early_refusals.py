"""A refused request's body is read to its end, so that its client hears the refusal instead of a reset."""

import http.client
import socket

import pytest

from tests.relay.harness.server import RelayServer

UNKNOWN = "gluer_pub_aaaaaaaaaaaa_" + "a" * 32
BODY = b"x" * 1_500_000  # more than the sockets' buffers hold
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

REFUSALS = {
    "an unknown key": ("POST /v1/call/x", 401),
    "no key": ("POST /v1/send/x", 401),
    "another method": ("PUT /v1/call/x", 405),
    "another method of a probe": ("POST /healthz", 405),
    "another method of the metrics": ("POST /metrics", 405),
    "a page": ("POST /accounts/login/", 413),
    "REST": ("POST /api/v1/projects", 413),
}


SENT = {"announced": (f"Content-Length: {len(BODY)}", BODY), "chunked": ("Transfer-Encoding: chunked", CHUNKED)}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("sent", SENT)
def test_a_refused_client_that_sends_on_hears_why(relay: RelayServer, refusal: str, sent: str) -> None:
    line, status = REFUSALS[refusal]
    key = f"Authorization: Bearer {UNKNOWN}\r\n" if "unknown" in refusal else ""
    framing, body = SENT[sent]
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\n{key}Connection: close\r\n{framing}\r\n\r\n"
    with connected(relay) as client:
        client.sendall(head.encode() + body)
        assert answer_of(client).status == status


def test_a_client_that_asks_first_is_refused_before_it_sends(relay: RelayServer) -> None:
    with connected(relay) as client:
        client.sendall(
            b"POST /v1/call/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        if relay.kind == "daphne":  # reads every body itself, before the application is asked
            client.sendall(b'"a body."')
        assert answer_of(client).status == 401


def test_a_connection_whose_body_was_read_serves_the_next_request(relay: RelayServer) -> None:
    with connected(relay) as client:
        for _ in range(3):
            client.sendall(
                b"POST /v1/call/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
            )
            assert answer_of(client).status == 401


def connected(relay: RelayServer) -> socket.socket:
    """A client whose kernel keeps little of what it sends: it still sends when the refusal is made."""
    client = socket.socket()
    client.settimeout(20)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
    client.connect(("127.0.0.1", relay.port))
    return client


def answer_of(client: socket.socket) -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(client)
    answer.begin()
    answer.read()
    return answer
