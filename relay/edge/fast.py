"""A WebSocket server for uvicorn (`ws=`) on picows' framing: any ASGI application runs on it.

It reads the upgrade request, runs the application, and after `websocket.accept` hands the transport to picows. To an
application that knows it, it offers the direct path (direct.py); whoever takes it may return, and its scope is let go.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected, get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from relay.core.limits import Limits
from relay.edge.direct import DirectSocket
from relay.edge.extension import EXTENSION, Receiver
from relay.edge.framing import BINARY_MESSAGE, framed
from relay.edge.gather import Gather
from relay.edge.picows_link import ABNORMAL, Link, take_over

MOST_EARLY = 65_536  # bytes a client may send before its 101
MOST_QUEUED = 16  # messages that wait for the application; above it the socket is not read
log = logging.getLogger("uvicorn.error")


class FastWebSocketProtocol(asyncio.Protocol):
    """One upgrade, and the ASGI side of the socket it becomes. `limits` and `gather`: see fast_protocol."""

    limits: Limits
    gather: Callable[[], Gather]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.config, self.server_state, self.app_state = config, server_state, app_state
        self.connections: set[Any] = server_state.connections  # those to shut down with the server
        self.loop = _loop or asyncio.get_running_loop()
        self.request = UpgradeRequest()
        self.parser: Any = httptools.HttpRequestParser(self.request)
        self.early = b""
        self.link: Link | None = None
        self.messages: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self.arrived = asyncio.Event()
        self.arrived.set()
        self.writable = asyncio.Event()
        self.writable.set()
        self.direct = self.answered = self.ended = False

    # --- the upgrade -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        http = transport.get_protocol()
        if isinstance(http, HttpToolsProtocol):
            del http.parser  # they hold each other; uvicorn lets go only when a connection ends as HTTP
        self.transport = transport
        self.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self.parser is None:
            self.early += data
            if len(self.early) > MOST_EARLY:
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.early, self.parser = data[upgrade.args[0] :], None
            self._requested()
        except httptools.HttpParserError:
            self.refuse(400, b"This is no HTTP request.")

    def _requested(self) -> None:
        refused = self.request.refusal()
        if refused is not None:
            self.refuse(*refused)
            return
        task = self.loop.create_task(self._run(self._scope()))
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    def _scope(self) -> dict[str, Any]:
        path, _, query = self.request.url.partition(b"?")
        root = self.config.root_path
        return {
            "type": "websocket",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(self.transport) else "ws",
            "server": get_local_addr(self.transport),
            "client": get_remote_addr(self.transport),
            "root_path": root,
            "path": root + unquote(path.decode("ascii")),
            "raw_path": root.encode() + path,
            "query_string": query,
            "headers": self.request.headers,
            "subprotocols": self.request.subprotocols(),
            "state": self.app_state.copy(),
            "extensions": {EXTENSION: self.take},
        }

    def refuse(self, status: int, sentence: bytes, *headers: bytes) -> None:
        """Answer the upgrade with an error, and close."""
        if not self.answered:
            self.answered = True
            lines = [b"HTTP/1.1 %d " % status, b"\r\ncontent-type: text/plain\r\nconnection: close\r\n", *headers]
            self.transport.write(b"".join([*lines, b"content-length: %d\r\n\r\n" % len(sentence), sentence]))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Before the 101; afterwards picows is told, and tells `_closed`."""
        self._closed(ABNORMAL, "")

    # --- the application ---------------------------------------------------------------------------------------------

    async def _run(self, scope: dict[str, Any]) -> None:
        try:
            await self.config.loaded_app(scope, self._receive, self._send)
        except ClientDisconnected:
            pass
        except Exception:
            log.exception("Exception in ASGI application")
            self._fail(1011)
        else:
            if not self.direct:
                self._fail(1000)

    def _fail(self, code: int) -> None:
        """The application returned or raised, and the socket is still there."""
        if self.link is None:
            self.refuse(500, b"Internal Server Error")
        else:
            self.link.close(code, "")

    async def _receive(self) -> dict[str, Any]:
        while not self.messages:
            self.arrived.clear()
            await self.arrived.wait()
        message = self.messages.popleft()
        if len(self.messages) == MOST_QUEUED - 1 and not self.ended:
            self.transport.resume_reading()
        return message

    async def _send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        kind = message["type"]
        if self.ended or (self.link is not None and self.link.closing):
            raise ClientDisconnected
        if self.link is None:
            if kind == "websocket.accept":
                self._accept(message)
            elif kind == "websocket.close":
                self.refuse(403, b"")
            else:
                raise RuntimeError(f"Expected websocket.accept or websocket.close, got {kind}.")
        elif kind == "websocket.send":
            text = message.get("text")
            if text is None:
                self.link.write(framed(message["bytes"], BINARY_MESSAGE))
            else:
                self.link.write(framed(text.encode()))
        elif kind == "websocket.close":
            self.link.close(message.get("code", 1000), message.get("reason") or "")
        else:
            raise RuntimeError(f"Expected websocket.send or websocket.close, got {kind}.")

    def _accept(self, message: dict[str, Any]) -> None:
        headers = [*self.server_state.default_headers, *message.get("headers", [])]
        named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        if message.get("subprotocol"):
            named.append(("Sec-WebSocket-Protocol", message["subprotocol"]))
        most = self.config.ws_max_size
        self.link = link = Link(most)
        link.on_text, link.on_binary = self._text, self._binary
        link.on_control = handle_control
        link.on_writable, link.on_closed = self._may_write, self._closed
        self.answered = True
        early, self.early = self.early, b""
        take_over(self.transport, self.request.key, link, named, early, most)

    # --- the socket --------------------------------------------------------------------------------------------------

    def _text(self, text: bytes) -> None:
        self._queue({"type": "websocket.receive", "text": text.decode()})

    def _binary(self, data: bytes) -> None:
        self._queue({"type": "websocket.receive", "bytes": data})

    def _queue(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.arrived.set()
        if len(self.messages) == MOST_QUEUED:
            self.transport.pause_reading()

    def _may_write(self, writable: bool) -> None:
        if writable:
            self.writable.set()
        else:
            self.writable.clear()

    def _closed(self, code: int, reason: str) -> None:
        if self.ended:
            return
        self.ended = True
        self.connections.discard(self)
        self.messages.append({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.arrived.set()
        self.writable.set()

    def shutdown(self) -> None:
        """The server stops."""
        if self.link is None:
            self.refuse(503, b"The server stops.", b"retry-after: 1\r\n")
        else:
            self.link.close(1012, "")

    # --- the direct path ---------------------------------------------------------------------------------------------

    def take(self, receiver_of: Callable[[DirectSocket], Receiver]) -> None:
        """Give the accepted socket to the receiver that is made of it, beginning with what has come meanwhile."""
        link = self.link
        if link is None:
            raise RuntimeError("Accept the connection first.")
        self.direct = True
        socket = DirectSocket(link, self.gather(), self.limits, self.connections)
        self.connections.discard(self)
        receiver = receiver_of(socket)
        socket.give_to(receiver)
        for message in self.messages:
            if message["type"] == "websocket.receive":
                deliver(message, receiver)
        if len(self.messages) >= MOST_QUEUED and not self.ended:
            self.transport.resume_reading()
        self.messages.clear()
        if self.ended:
            socket.gone(ABNORMAL, "")


def handle_control(fragment: bool) -> bool:
    """Let an ASGI application, which is never told of them, have all its pings answered."""
    return True


def deliver(message: dict[str, Any], receiver: Receiver) -> None:
    text = message.get("text")
    if text is None:
        receiver.on_binary(message["bytes"])
    else:
        receiver.on_text(text.encode())


class UpgradeRequest:
    """What httptools tells of a request."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name]

    def subprotocols(self) -> list[str]:
        offered = ",".join(self.all(b"sec-websocket-protocol"))
        return [name.strip() for name in offered.split(",") if name.strip()]

    @property
    def key(self) -> str:
        return (self.all(b"sec-websocket-key") or [""])[0].strip()

    def refusal(self) -> tuple[int, bytes, bytes] | tuple[int, bytes] | None:
        """Status, sentence and headers that refuse a wrong handshake (RFC 6455, 4.2)."""
        if self.all(b"sec-websocket-version") != ["13"]:
            return 426, b"Only WebSocket version 13 is spoken here.", b"sec-websocket-version: 13\r\n"
        try:
            good = len(base64.b64decode(self.key, validate=True)) == 16
        except (binascii.Error, ValueError):
            good = False
        return None if good else (400, b"Sec-WebSocket-Key must be 16 bytes in base64.")


def fast_protocol(limits: Limits) -> type[FastWebSocketProtocol]:
    """The class for uvicorn's `ws=`; all its sockets share one Gather per event loop."""
    gathers: dict[asyncio.AbstractEventLoop, Gather] = {}

    def gather() -> Gather:
        loop = asyncio.get_running_loop()
        return gathers.setdefault(loop, Gather(loop))

    return type("FastWebSocketProtocol", (FastWebSocketProtocol,), {"limits": limits, "gather": staticmethod(gather)})
