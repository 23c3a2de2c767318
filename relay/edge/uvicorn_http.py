"""HTTP for uvicorn (`http=`), where a client may neither hold a connection for nothing nor send heads without end.

Rule 1  A request's head has HEAD bytes and HEAD_WITHIN seconds, that of a WebSocket's upgrade too.
Rule 2  One request at a time: what follows an unanswered one is not read, and the connection ends behind the answer
        (RFC 9112, 9.3.2). uvicorn queues such requests without bound, and misses that their client went away.
Rule 3  A refused client is heard out for LINGER seconds, so that the refusal reaches it (RFC 9112, 9.6).
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from relay.core.limits import Limits
from relay.edge.address import TrustedProxies, source_of
from relay.edge.headers import header

HEAD = 32_768  # bytes of a request's line, headers and trailers
HEAD_WITHIN = 10.0  # s
KEEP_ALIVE = 75  # s that a connection may wait for its next request; nginx's default
LINGER = 2.0  # s
RETRY_AFTER = "retry-after: 1\r\n"


class TooMuch(Exception):
    """The parser shall stop: the head is too large, or a second request has come."""


class BoundedHttp(HttpToolsProtocol):
    """One connection, until it is upgraded. Its bounds: see http_protocol."""

    head_seconds = HEAD_WITHIN
    limits: Limits
    proxies: TrustedProxies
    most: int
    from_address: Counter[str]
    is_barred: Callable[[str, str | None], bool]

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.head = 0  # bytes of the head that is being read
        self.unparsed = 0  # bytes since the parser told something
        self.deaf = False  # nothing more is read
        self.address = ""
        self.head_timer: asyncio.TimerHandle | None = None
        self._enter()
        if not self.deaf:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._forget_head()
        super().connection_lost(exc)

    # --- how many ----------------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        """Count the connection; one too many is refused at once."""
        ip = self.client[0] if self.client else ""
        if len(self.connections) > self.most:
            self._refuse(503, "This server has too many connections.", RETRY_AFTER, linger=0)
        elif ip and not self.proxies.trusts(ip):
            self.address = source_of(ip)
            self.from_address[self.address] += 1
            if self.from_address[self.address] > self.limits.ip_connections:
                self._refuse(429, "Too many connections from this address.", RETRY_AFTER, linger=0)

    def _leave(self) -> None:
        if self.address:
            self.from_address[self.address] -= 1
            if not self.from_address[self.address]:
                del self.from_address[self.address]
            self.address = ""

    def handle_websocket_upgrade(self) -> None:
        asked = {"client": self.client, "headers": self.headers}
        if self.is_barred(source_of(self.proxies.client(asked)), header(asked, b"origin")):
            self._refuse(429, "Too many frames came from this address.", "retry-after: 5\r\n", linger=0)
            return
        self._leave()  # from now on the hub counts it
        self.deaf = True
        super().handle_websocket_upgrade()

    # --- what comes --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.unparsed += len(data)
        super().data_received(data)
        if self.deaf or self.transport.is_closing():
            return
        if self.unparsed > HEAD:
            self._too_large()
        elif self.head_timer is None and self.timeout_keep_alive_task is None and self.cycle.response_complete:
            self._wait_for_head()  # of the next request

    def on_message_begin(self) -> None:
        self.head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._grows(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grows(len(name) + len(value) + 4)
        super().on_header(name, value)

    def _grows(self, size: int) -> None:
        self.unparsed = 0
        self.head += size
        if self.head > HEAD:
            raise TooMuch

    def on_headers_complete(self) -> None:
        self.unparsed = 0
        if self.cycle is not None and not (self.cycle.response_complete or is_heard(self.cycle)):
            self.deaf = True
            self.cycle.keep_alive = False
            raise TooMuch
        self._forget_head()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unparsed = 0
        super().on_body(body)

    # --- refusals ----------------------------------------------------------------------------------------------------

    def _wait_for_head(self) -> None:
        self.head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _forget_head(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _head_is_late(self) -> None:
        self.head_timer = None
        self._refuse(408, f"The request's head did not come within {self.head_seconds:.0f} s.")

    def _too_large(self) -> None:
        self._refuse(431, f"The request's head is larger than {HEAD} bytes.")

    def send_400_response(self, msg: str) -> None:
        """The parser has stopped."""
        if self.head > HEAD:
            self._too_large()
        else:
            self._refuse(400, msg)

    def _refuse(self, status: int, sentence: str, more: str = "", linger: float = LINGER) -> None:
        """Answer and end the connection, unless it does so by itself."""
        if self.deaf or self.transport.is_closing():
            return
        self.deaf = True
        self._forget_head()
        if self.cycle is not None and not self.cycle.response_complete:  # it is this request's body that is wrong
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n{more}"
        text = f"{head}content-length: {len(sentence)}\r\nconnection: close\r\n\r\n{sentence}"
        self.transport.write(text.encode("ascii"))
        if linger:
            self.transport.write_eof()
            self.loop.call_later(linger, self.transport.close)
        else:
            self.transport.close()


def is_heard(cycle: RequestResponseCycle) -> bool:
    """Whether the client has the whole answer, though the application has still to end it."""
    whole = cycle.scope["method"] == "HEAD" or not (cycle.chunked_encoding or cycle.expected_content_length)
    return cycle.response_started and whole


def http_protocol(
    limits: Limits,
    proxies: TrustedProxies,
    most: int,
    is_barred: Callable[[str, str | None], bool] = lambda source, origin: False,
) -> type[BoundedHttp]:
    """The class for uvicorn's `http=`.

    `most`: open connections of this process, WebSockets included; `is_barred`: whether pages of an origin, or programs
    (None), may open no WebSocket from an address (address.source_of) now.
    """
    own: dict[str, Any] = {"limits": limits, "proxies": proxies, "most": most, "from_address": Counter()}
    own["is_barred"] = staticmethod(is_barred)
    return type("BoundedHttp", (BoundedHttp,), own)
