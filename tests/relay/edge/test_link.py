"""The fast edge as an ASGI WebSocket server for any application (RFC 6455): an echo, asked on raw sockets."""

import asyncio
import contextlib
import datetime
import ipaddress
import queue
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.sync.client import connect

from tests.embedded.installation import until
from tests.relay.edge.client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    bytewise,
    close_frame,
    connected,
    frame,
    pattern,
    request,
)
from tests.relay.edge.server import MOST, EdgeServer

FLOOD, PIECE = 600, 65_536  # messages, and bytes of each: far more than all buffers of a loopback connection
SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, MOST]
HELLO = "Häl€lo 𝄞".encode()


class Application:
    """What it does depends on the path. `gone`: the disconnects it was told, by code and reason."""

    def __init__(self) -> None:
        self.gone: queue.Queue[tuple[int, str]] = queue.Queue()
        self.scope: dict[str, Any] = {}
        self.flooded = 0  # messages the server has taken
        self.waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None  # for `go_on`

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        self.scope = scope
        await getattr(self, scope["path"].strip("/"))(receive, send)

    async def echo(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", **{name: message.get(name) for name in ("text", "bytes")}})
        self.gone.put((message["code"], message["reason"]))

    async def named(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept", "subprotocol": "echo.v2", "headers": [(b"x-shop", b"open")]})
        await receive()

    async def patient(self, receive: Any, send: Any) -> None:
        """It accepts only when told to."""
        await self._told()
        await self.echo(receive, send)

    async def late(self, receive: Any, send: Any) -> None:
        """It reads only when told to."""
        await send({"type": "websocket.accept"})
        await self._told()
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    async def _told(self) -> None:
        self.waiting = asyncio.get_running_loop(), asyncio.Event()
        await self.waiting[1].wait()
        self.waiting = None

    def go_on(self) -> None:
        """Tell it, from another thread."""
        assert self.waiting is not None
        loop, event = self.waiting
        loop.call_soon_threadsafe(event.set)

    async def flood(self, receive: Any, send: Any) -> None:
        self.flooded = 0
        await send({"type": "websocket.accept"})
        for number in range(FLOOD):
            await send({"type": "websocket.send", "bytes": number.to_bytes(4) * (PIECE // 4)})
            self.flooded += 1

    async def goodbye(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "last words"})
        await send({"type": "websocket.close", "code": 4400, "reason": "Schluß"})
        self.gone.put(((message := await receive())["code"], message["reason"]))

    async def returns(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def raises(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise LookupError("The application fails.")

    async def refuses(self, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close"})

    async def silent(self, receive: Any, send: Any) -> None:
        """It returns without an answer."""

    async def raises_early(self, receive: Any, send: Any) -> None:
        raise LookupError("The application fails.")


@pytest.fixture(scope="module")
def application() -> Application:
    return Application()


@pytest.fixture(scope="module")
def port(application: Application) -> Iterator[int]:
    server = EdgeServer(application)
    yield server.port
    server.stop()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    """Connected to the echo."""
    with connected(port) as client:
        yield client


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_a_message_comes_back(client: Client, kind: int, size: int) -> None:
    client.say(frame(kind, pattern(size)))
    client.assert_heard(kind, pattern(size))
    client.assert_echo()


def test_a_library_is_served(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/echo", proxy=None) as socket:
        for message in ("", "ä" * 70_000, b"", bytes(range(256)) * 300):
            socket.send(message)
            assert socket.recv() == message


def test_a_library_may_send_fragments(port: int) -> None:
    with connect(f"ws://127.0.0.1:{port}/echo", proxy=None) as socket:
        socket.send(["Hä", "", "lo"])
        assert socket.recv() == "Hälo"


def test_binary_need_not_be_utf8(client: Client) -> None:
    client.say(frame(BINARY, b"\xff\xfe\x00"))
    client.assert_heard(BINARY, b"\xff\xfe\x00")


def test_many_frames_may_come_in_one_segment(client: Client) -> None:
    messages = [b"%d" % number * (number % 7) for number in range(2_000)]
    client.say(*(frame(TEXT, message) for message in messages))
    for message in messages:
        client.assert_heard(TEXT, message)


def test_a_frame_may_come_byte_by_byte(client: Client) -> None:
    for kind, payload, answer in ((TEXT, HELLO, TEXT), (BINARY, pattern(200), BINARY), (PING, b"?", PONG)):
        for piece in bytewise(frame(kind, payload)):
            client.say(piece)
        client.assert_heard(answer, payload)


def test_a_request_may_come_byte_by_byte(port: int) -> None:
    client = Client(port)
    for piece in bytewise(request("/echo")):
        client.say(piece)
    assert client.answer(body=False)[0] == 101
    client.assert_echo()
    client.close()


def test_frames_may_come_before_the_101(application: Application, port: int) -> None:
    client = Client(port)
    client.say(request("/patient"))
    until(lambda: application.waiting is not None, "the application")
    client.say(*(frame(TEXT, b"%d" % number) for number in range(100)), frame(PING, b"?")[:3])
    with connected(port) as other:
        for _ in range(5):  # turns of the loop, in which it reads them
            other.assert_echo()
    application.go_on()
    assert client.answer(body=False)[0] == 101
    for number in range(100):
        client.assert_heard(TEXT, b"%d" % number)
    client.say(frame(PING, b"?")[3:])
    client.assert_heard(PONG, b"?")
    client.assert_echo()
    client.close()


# --- fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_a_message_may_come_in_fragments_with_a_ping_between(client: Client, kind: int) -> None:
    client.say(frame(kind, b"one, ", last=False), frame(PING, b"between"))
    client.assert_heard(PONG, b"between")
    client.say(frame(CONTINUATION, b"", last=False), frame(PONG), frame(CONTINUATION, b"two"))
    client.assert_heard(kind, b"one, two")
    client.assert_echo()


def test_fragments_may_have_the_longest_length_together(client: Client) -> None:
    client.say(
        frame(TEXT, pattern(MOST)[:-2], last=False), *(frame(CONTINUATION, b"x", last=last) for last in (False, True))
    )
    client.assert_heard(TEXT, pattern(MOST)[:-2] + b"xx")


def test_fragments_may_all_be_empty(client: Client) -> None:
    client.say(frame(TEXT, last=False), frame(CONTINUATION, last=False) * 10_000, frame(CONTINUATION))
    client.assert_heard(TEXT, b"")
    client.assert_echo()


@pytest.mark.parametrize("cut", range(1, len(HELLO)))
def test_a_character_may_be_split_across_fragments(client: Client, cut: int) -> None:
    client.say(frame(TEXT, HELLO[:cut], last=False), frame(CONTINUATION, HELLO[cut:]))
    client.assert_heard(TEXT, HELLO)


# --- what is refused -------------------------------------------------------------------------------------------------

BEGUN = frame(TEXT, b"begun", last=False)
REFUSED = {
    "a first reserved bit": (1002, frame(TEXT, b"x", reserved=4)),
    "a second reserved bit": (1002, frame(BINARY, b"x", reserved=2)),
    "a third reserved bit on a ping": (1002, frame(PING, b"x", reserved=1)),
    "a reserved bit on a close": (1002, frame(CLOSE, b"\x03\xe8", reserved=4)),
    "a reserved bit inside a fragmented message": (1002, BEGUN + frame(CONTINUATION, b"x", reserved=4)),
    "an unmasked frame": (1002, frame(TEXT, b"x", masked=False)),
    "a fragmented ping": (1002, frame(PING, b"x", last=False)),
    "a fragmented close": (1002, frame(CLOSE, b"\x03\xe8", last=False)),
    "a long ping": (1002, frame(PING, b"x" * 126)),
    "a continuation of nothing": (1002, frame(CONTINUATION, b"x")),
    "an open continuation of nothing": (1002, frame(CONTINUATION, b"x", last=False)),
    "a message inside a fragmented one": (1002, BEGUN + frame(TEXT, b"x")),
    "a fragmented message inside another": (1002, BEGUN + frame(BINARY, b"x", last=False)),
    "a close of one byte": (1002, frame(CLOSE, b"\x03")),
    "a close whose reason is not UTF-8": (1007, close_frame(1000, b"\xff")),
    "a byte that is never UTF-8": (1007, frame(TEXT, b"ab\xff")),
    "an overlong character": (1007, frame(TEXT, b"\xc0\xaf")),
    "a surrogate": (1007, frame(TEXT, b"\xed\xa0\x80")),
    "a character above the last": (1007, frame(TEXT, b"\xf4\x90\x80\x80")),
    "half a character": (1007, frame(TEXT, "€".encode()[:2])),
    "not UTF-8 in fragments": (1007, BEGUN + frame(CONTINUATION, b"\xff")),
    "half a character in fragments": (1007, BEGUN + frame(CONTINUATION, "€".encode()[:2])),
    "a message too long": (1009, frame(TEXT, pattern(MOST + 1))),
    "a message too long, as its header says": (1009, frame(BINARY, b"", said=2**40)),
    "fragments too long together": (1009, frame(TEXT, pattern(MOST), last=False) + frame(CONTINUATION, b"x")),
}
REFUSED |= {f"the reserved kind {kind}": (1002, frame(kind, b"x")) for kind in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)}
REFUSED |= {
    f"a close with the code {code}": (1002, close_frame(code))
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
}


@pytest.mark.parametrize(("code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_is_refused(application: Application, client: Client, code: int, said: bytes) -> None:
    client.assert_echo()
    application.gone.queue.clear()
    client.say(said)
    client.assert_closed(code)
    application.gone.get(timeout=15)


def test_nothing_is_heard_behind_a_refusal(client: Client) -> None:
    client.say(frame(TEXT, b"\xff"), frame(TEXT, b"behind"), frame(PING))
    client.assert_closed(1007)


# --- pings and closes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"?", bytes(range(125))])
def test_a_ping_is_answered_with_its_payload(client: Client, payload: bytes) -> None:
    client.say(frame(PING, payload))
    client.assert_heard(PONG, payload)


def test_a_pong_nobody_asked_for_is_ignored(client: Client) -> None:
    client.say(frame(PONG, b"!"))
    client.assert_echo()


CLOSES = {
    "without a code": (frame(CLOSE), b"", (1005, "")),
    "with a code": (close_frame(1000), b"\x03\xe8", (1000, "")),
    "with a reason": (close_frame(4999, "Schluß".encode()), b"\x13\x87", (4999, "Schluß")),
    "with the longest reason": (close_frame(3000, b"x" * 123), b"\x0b\xb8", (3000, "x" * 123)),
}


@pytest.mark.parametrize(("said", "answer", "told"), CLOSES.values(), ids=CLOSES.keys())
def test_a_close_is_answered_with_its_code(
    application: Application, client: Client, said: bytes, answer: bytes, told: tuple[int, str]
) -> None:
    client.assert_echo()
    application.gone.queue.clear()
    client.say(said, frame(TEXT, b"behind the close"))
    client.assert_heard(CLOSE, answer)
    client.assert_ended()
    assert application.gone.get(timeout=15) == told


def test_the_application_is_told_of_a_cut(application: Application, client: Client) -> None:
    client.assert_echo()
    application.gone.queue.clear()
    client.close()
    assert application.gone.get(timeout=15) == (1006, "")


def test_the_application_may_close(application: Application, port: int) -> None:
    with connected(port, "/goodbye") as client:
        application.gone.queue.clear()
        client.assert_heard(TEXT, b"last words")
        client.assert_heard(CLOSE, (4400).to_bytes(2) + "Schluß".encode())
        client.say(close_frame(4400))
        client.assert_ended()
    assert application.gone.get(timeout=15)[0] == 4400


def test_an_application_that_returns_closes(port: int) -> None:
    with connected(port, "/returns") as client:
        client.assert_closed(1000)


def test_an_application_that_raises_closes(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with connected(port, "/raises") as client:
        client.assert_closed(1011)
    assert "LookupError: The application fails." in caplog.text


# --- the handshake ---------------------------------------------------------------------------------------------------


def test_the_101_has_subprotocol_and_headers(application: Application, port: int) -> None:
    client = Client(port)
    headers = client.upgrade("/named?a=%20b", Sec_WebSocket_Protocol="echo.v1, echo.v2", X_Visitor="Alice")
    assert headers["sec-websocket-protocol"] == "echo.v2"
    assert headers["x-shop"] == "open"
    assert "sec-websocket-extensions" not in headers
    scope = application.scope
    assert (scope["path"], scope["query_string"], scope["scheme"]) == ("/named", b"a=%20b", "ws")
    assert scope["subprotocols"] == ["echo.v1", "echo.v2"]
    assert (b"x-visitor", b"Alice") in scope["headers"]
    assert scope["client"] == client.socket.getsockname()
    client.close()


REFUSALS: dict[str, tuple[int, str, dict[str, str]]] = {
    "by the application": (403, "/refuses", {}),
    "an application without an answer": (500, "/silent", {}),
    "an application that raises": (500, "/raises_early", {}),
    "an old version": (426, "/echo", {"Sec_WebSocket_Version": "8"}),
    "no version": (426, "/echo", {"Sec_WebSocket_Version": ""}),
    "no key": (400, "/echo", {"Sec_WebSocket_Key": ""}),
    "a short key": (400, "/echo", {"Sec_WebSocket_Key": "c2hvcnQ="}),
    "a key that is not base64": (400, "/echo", {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=!"}),
}


@pytest.mark.parametrize(("status", "path", "headers"), REFUSALS.values(), ids=REFUSALS.keys())
def test_an_upgrade_is_refused(port: int, status: int, path: str, headers: dict[str, str]) -> None:
    client = Client(port)
    client.say(request(path, **headers))
    answered, told, body = client.answer()
    assert (answered, told["connection"]) == (status, "close")
    assert bool(body) is (status != 403)
    assert told.get("sec-websocket-version") == ("13" if status == 426 else None)
    client.assert_ended()
    client.close()


# --- slow ones -------------------------------------------------------------------------------------------------------


def test_an_application_waits_for_a_slow_reader(application: Application, port: int) -> None:
    with connected(port, "/flood") as slow, connected(port) as other:
        seen = 0
        while application.flooded > seen or not seen:  # twenty turns of the loop, and it has sent nothing more
            seen = application.flooded
            for _ in range(20):
                other.assert_echo()
        assert seen < FLOOD
        for number in range(FLOOD):
            slow.assert_heard(BINARY, number.to_bytes(4) * (PIECE // 4))
        slow.assert_closed(1000)


def sent_until_full(client: Client, said: bytes) -> int:
    """Say it again and again. Returns how many bytes the server took before it stopped reading."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 200_000_000:
            sent += client.socket.send(said[sent % len(said) :])
    return sent


def test_a_client_waits_for_a_slow_application(application: Application, port: int) -> None:
    with connected(port, "/late") as client, connected(port) as other:
        client.socket.settimeout(0.5)
        said = frame(TEXT, b"x" * PIECE)
        sent = sent_until_full(client, said)
        assert sent < 200_000_000
        other.assert_echo()
        client.socket.settimeout(15)
        application.go_on()
        for _ in range(sent // len(said)):
            client.assert_heard(TEXT, b"x" * PIECE)


def test_a_client_that_does_not_answer_a_close_is_cut(
    application: Application, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.edge.picows_link.CLOSE_WITHIN", 0.2)
    with connected(port, "/goodbye") as client:
        application.gone.queue.clear()
        client.assert_heard(TEXT, b"last words")
        assert client.hear()[0] == CLOSE
        client.assert_ended()
    assert application.gone.get(timeout=15) == (1006, "")


# --- TLS -------------------------------------------------------------------------------------------------------------


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    certificate_file.write_bytes(made.public_bytes(pem))
    return key_file, certificate_file


def test_tls_is_served(tmp_path: Path) -> None:
    key_file, certificate_file = certificate(tmp_path)
    application = Application()
    server = EdgeServer(application, ssl_keyfile=key_file, ssl_certfile=certificate_file)
    tls = ssl.create_default_context(cafile=str(certificate_file))
    with connected(server.port, tls=tls) as client:
        assert application.scope["scheme"] == "wss"
        for size in SIZES:
            client.say(frame(TEXT, pattern(size)))
            client.assert_heard(TEXT, pattern(size))
        client.say(close_frame(1000))
        client.assert_heard(CLOSE, b"\x03\xe8")
    until(lambda: not application.gone.empty(), "the disconnect")
    server.stop()
