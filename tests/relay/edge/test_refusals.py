"""One close, behind all frames, whoever finds the fault: picows reads ahead, and would close on its own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from relay.core.limits import Limits
from relay.edge.direct import DirectSocket
from relay.edge.extension import EXTENSION
from tests.embedded.installation import until
from tests.relay.edge.client import CLOSE, PING, TEXT, Client, close_frame, connected, frame, pattern
from tests.relay.edge.server import EdgeServer, in_loop

BAD = frame(3, b"x")  # a reserved kind, which picows refuses
ROOMY = Limits(unsent=100_000_000, unsent_kept=100_000_000)


class Writer:
    """Echoes on the direct path. `gone`: the code and reason of the peer that left."""

    def __init__(self) -> None:
        self.gone: tuple[int, str] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.loop = asyncio.get_running_loop()
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION](self.takes)

    def takes(self, socket: DirectSocket) -> "Writer":
        self.socket = socket
        tell = socket.gone

        def gone(code: int, reason: str) -> None:
            self.gone = code, reason
            tell(code, reason)

        self.loop.call_soon(setattr, socket.link, "on_closed", gone)
        return self

    def on_text(self, text: bytes) -> None:
        if text == b"raise":
            raise LookupError("The receiver fails.")
        self.socket.send(text)
        self.socket.flush()

    def on_control(self, fragment: bool) -> bool:
        return True

    def on_binary(self, data: bytes) -> None: ...

    def on_slow(self) -> None: ...

    def on_gone(self) -> None: ...

    def closes_behind_a_refusal(self) -> None:
        """Close and send as soon as the connection was refused."""
        link = self.socket.link
        if link.closing or link.transport.is_close_frame_sent:
            self.socket.send(b"behind")
            self.socket.close(4400, "again")
        else:
            self.loop.call_soon(self.closes_behind_a_refusal)


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def port(writer: Writer) -> Iterator[int]:
    server = EdgeServer(writer, ROOMY)
    yield server.port
    server.stop()


@pytest.fixture
def client(port: int, writer: Writer) -> Iterator[Client]:
    with connected(port, "/") as client:
        client.assert_echo()
        yield client


def test_nothing_is_sent_behind_a_refusal(client: Client, writer: Writer) -> None:
    writer.loop.call_soon_threadsafe(writer.closes_behind_a_refusal)
    client.say(BAD)
    assert client.hear()[0] == CLOSE
    client.assert_ended()
    until(lambda: writer.gone, "the end")
    assert writer.gone == (1006, "")


@pytest.mark.parametrize("bad", [BAD, frame(TEXT, b"x", masked=False), frame(PING, b"x", last=False)])
def test_a_refusal_stands_behind_what_was_written(client: Client, bad: bytes) -> None:
    """In the same turn of the loop, which holds what it writes until the turn's end."""
    client.say(*(frame(TEXT, b"%d" % number) for number in range(10)), bad)
    for number in range(9):  # the tenth is read together with the fault
        client.assert_heard(TEXT, b"%d" % number)
    assert client.hear()[1][:2] == (1002).to_bytes(2)
    client.assert_ended()


@pytest.mark.parametrize("behind", [frame(CLOSE), close_frame(1001), BAD, frame(TEXT, b"", said=2**62)])
@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "Schluß")])
def test_a_close_is_answered_whatever_stands_behind_it(
    client: Client, writer: Writer, code: int, reason: str, behind: bytes
) -> None:
    client.say(close_frame(code, reason.encode()), behind)
    client.assert_heard(CLOSE, code.to_bytes(2))
    client.assert_ended()
    until(lambda: writer.gone, "the end")
    assert writer.gone == (code, reason)


def test_an_empty_close_is_answered_whatever_stands_behind_it(client: Client, writer: Writer) -> None:
    client.say(frame(CLOSE), frame(CLOSE))
    client.assert_heard(CLOSE, b"")
    until(lambda: writer.gone, "the end")
    assert writer.gone == (1005, "")


@pytest.mark.parametrize("last_words", [BAD, close_frame(1000)])
def test_who_ends_and_does_not_read_is_cut(
    port: int, writer: Writer, monkeypatch: pytest.MonkeyPatch, last_words: bytes
) -> None:
    monkeypatch.setattr("relay.edge.picows_link.CLOSE_WITHIN", 0.3)
    client = Client(port, receive_buffer=4_096)
    client.upgrade("/")
    until(lambda: hasattr(writer, "socket"), "the socket")
    in_loop(writer.loop, lambda: writer.socket.send(pattern(8_000_000)))
    until(lambda: in_loop(writer.loop, writer.socket.link.waiting) > 0, "a full socket")
    client.say(last_words)
    until(lambda: writer.gone, "the end", 10)
    client.close()


def test_a_receiver_that_raises_closes_and_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.say(frame(TEXT, b"raise"))
    client.assert_closed(1011)
    assert "LookupError: The receiver fails." in caplog.text
