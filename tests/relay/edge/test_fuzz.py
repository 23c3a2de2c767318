"""Whatever a client sends, the edge goes on serving others, ends it in time, and answers what RFC 6455 makes of it."""

import contextlib
import gc
import logging
import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.embedded.installation import until
from tests.relay.edge.client import BINARY, CLOSE, PING, PONG, TEXT, Client, close_frame, connected, frame, pattern
from tests.relay.edge.echo import PATHS, ROOMY, echo
from tests.relay.edge.reader import Reader
from tests.relay.edge.server import EdgeServer
from tests.relay.edge.streams import conversations, handshakes, segments

MOST = 2_000  # bytes of a message, so that too long ones are short
OURS = {"Link", "Listener", "Wire", "DirectSocket", "DirectEcho", "FastWebSocketProtocol", "WSProtocol", "WSTransport"}
FEW, MANY = 300, 5_000  # examples of each kind
GROWTH = 4 * 1_048_576  # bytes that the allocator may keep; 3,000 connections would have 6 MiB of read buffers alone


class Troubles(logging.Handler):
    """What the server logs of its own faults."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.exc_info:
            self.said.append(f"{record.getMessage()} {record.exc_text or record.exc_info}")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The echo, and 404 for what is no WebSocket."""
    if scope["type"] == "websocket":
        await echo(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def troubles() -> Iterator[Troubles]:
    troubles = Troubles()
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    for logger in loggers:
        logger.addHandler(troubles)
    yield troubles
    for logger in loggers:
        logger.removeHandler(troubles)


@pytest.fixture(scope="module")
def port(troubles: Troubles) -> Iterator[int]:
    """At its end the server holds nothing of all those connections, and nothing failed."""
    server = EdgeServer(application, ROOMY, ws_max_size=MOST)
    yield server.port
    until(lambda: not held(), "the end of all connections")
    server.stop()
    assert troubles.said == []


def held() -> dict[str, int]:
    """Objects of connections that are still there, by type."""
    gc.collect()
    names = [type(thing).__name__ for thing in gc.get_objects()]
    return {name: names.count(name) for name in OURS if name in names}


def fuzz(number: int) -> settings:
    """Without shrinking: a failure may be a long wait, and shrinking would repeat it hundreds of times."""
    return settings(
        max_examples=number,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


# --- the properties --------------------------------------------------------------------------------------------------


def everything(client: Client, left: bool = False) -> tuple[list[tuple[int, bytes]], bool]:
    """All frames until the connection ends, and whether it was reset.

    A close is answered, and because that may stand within a broken frame, nothing more is sent then. `left`: the client
    has closed before.
    """
    heard: list[tuple[int, bytes]] = []
    try:
        while True:
            heard.append(client.hear())
            if heard[-1][0] == CLOSE and not left:
                with contextlib.suppress(OSError):
                    client.say(close_frame(1000))
                    client.socket.shutdown(socket.SHUT_WR)
    except EOFError:
        assert not client.unread, "It ends inside a frame."
        return heard, False
    except ConnectionResetError:
        return heard, True


def assert_begins(heard: list[tuple[int, bytes]], reader: Reader, whole: bool) -> None:
    """These frames are a beginning of what the reader allows, or all of it."""
    messages = [frame for frame in heard if frame[0] != PONG]
    pongs = [payload for kind, payload in heard if kind == PONG]
    assert messages == reader.messages[: len(messages)]
    assert pongs == reader.pongs[: len(pongs)]
    assert not whole or len(heard) == len(reader.messages) + len(reader.pongs)


def assert_answered(client: Client, reader: Reader) -> None:
    """The server answers as the reader says, and ends the connection."""
    if not reader.closes and not reader.may_close:
        heard = [client.hear() for _ in range(len(reader.messages) + len(reader.pongs))]
        assert_begins(heard, reader, whole=True)
        if reader.whole:
            client.say(frame(PING, b"end"))
            client.assert_heard(PONG, b"end")
    if not reader.closes:
        client.socket.shutdown(socket.SHUT_WR)
    heard, reset = everything(client, reader.left)
    closes = [payload[:2] for kind, payload in heard if kind == CLOSE]
    assert len(closes) <= 1
    if closes:
        assert heard.pop()[0] == CLOSE, "Something stands behind the close."
        assert closes[0] in reader.closes | {code.to_bytes(2) for code in reader.may_close}
    else:
        assert reset or not reader.closes
    if reader.closes or reader.may_close:
        assert_begins(heard, reader, whole=False)
    else:
        assert heard == []


def say(client: Client, said: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # it does not read all that is behind a fault
        for piece in said:
            client.say(piece)


def answers_as_the_reference(port: int, troubles: Troubles, path: str, said: list[bytes]) -> None:
    with connected(port, path) as client:
        say(client, said)
        assert_answered(client, Reader(b"".join(said), MOST))
    assert_serves(port, troubles)


def survives_a_cut(port: int, troubles: Troubles, path: str, said: list[bytes]) -> None:
    """The client is gone without a word, or resets the connection, while it is answered."""
    with connected(port, path) as client:
        say(client, said)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert_serves(port, troubles)


def ends_a_handshake(port: int, troubles: Troubles, said: list[bytes]) -> None:
    client = Client(port)
    say(client, said)
    heard = b""
    with contextlib.suppress(OSError):
        client.socket.shutdown(socket.SHUT_WR)
        while data := client.socket.recv(65_536):
            heard += data
    client.close()
    assert heard == b"" or heard.startswith(b"HTTP/1.1 ")
    assert_serves(port, troubles)


def assert_serves(port: int, troubles: Troubles) -> None:
    """Somebody else, and has nothing to complain about."""
    for path in PATHS:
        with connected(port, path) as other:
            other.assert_echo()
    assert troubles.said == []


# --- few examples, and many ------------------------------------------------------------------------------------------

paths = st.sampled_from(PATHS)
talk = segments(conversations())
noise = segments(st.binary(max_size=200) | handshakes())


@fuzz(FEW)
@given(path=paths, said=talk)
@example(path="/plain", said=[close_frame(1000) + frame(CLOSE)])
@example(path="/direct", said=[frame(TEXT, b"a") + frame(TEXT, b"b") + frame(3)])
@example(path="/direct", said=[frame(TEXT, b"", said=2**62)])
def test_frames_are_answered_as_the_reference_says(port: int, troubles: Troubles, path: str, said: list[bytes]) -> None:
    answers_as_the_reference(port, troubles, path, said)


@fuzz(FEW)
@given(path=paths, said=talk)
def test_a_cut_harms_nobody(port: int, troubles: Troubles, path: str, said: list[bytes]) -> None:
    survives_a_cut(port, troubles, path, said)


@fuzz(FEW)
@given(said=noise)
def test_broken_handshakes_end(port: int, troubles: Troubles, said: list[bytes]) -> None:
    ends_a_handshake(port, troubles, said)


@pytest.mark.long
@fuzz(MANY)
@given(path=paths, said=talk)
def test_many_frames_are_answered(port: int, troubles: Troubles, path: str, said: list[bytes]) -> None:
    answers_as_the_reference(port, troubles, path, said)


@pytest.mark.long
@fuzz(MANY)
@given(path=paths, said=talk)
def test_many_cuts_harm_nobody(port: int, troubles: Troubles, path: str, said: list[bytes]) -> None:
    survives_a_cut(port, troubles, path, said)


@pytest.mark.long
@fuzz(MANY)
@given(said=noise)
def test_many_broken_handshakes_end(port: int, troubles: Troubles, said: list[bytes]) -> None:
    ends_a_handshake(port, troubles, said)


def resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
def test_memory_does_not_grow(port: int, troubles: Troubles) -> None:
    """Without Hypothesis, which keeps what it has tried."""
    chance = random.Random(6455)  # noqa: S311 (no secret)

    def live(number: int) -> None:
        for _ in range(number):
            noise = chance.randbytes(chance.randrange(100))
            said = [frame(chance.choice([TEXT, BINARY]), pattern(chance.randrange(300))), frame(PING), noise]
            chance.choice([answers_as_the_reference, survives_a_cut])(port, troubles, chance.choice(PATHS), said)
        until(lambda: not held(), "the end of all connections")

    live(1_000)
    base = resident()
    live(3_000)
    assert resident() - base < GROWTH
