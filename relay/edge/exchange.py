"""One HTTP exchange of the bus: reading with a limit, answering once, CORS, problem+json (RFC 9457)."""

import asyncio
import re
import secrets
from http import HTTPStatus
from typing import Any

import msgspec

from relay.core.errors import OUTCOMES, Refused
from relay.edge.headers import header

REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
BODY_WITHIN = 30.0  # s until a request's body must have come
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, Idempotency-Key, Last-Event-ID, X-Request-ID, "
    "Gluer-Password, Gluer-Token, Gluer-Session, Gluer-Timeout"
)
PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE, OPTIONS"),
    (b"access-control-allow-headers", ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"7200"),  # s, the most Chromium keeps it
]


class Disconnected(Exception):
    """The client went away."""


class Exchange:
    """A request and its answer over ASGI."""

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.allow_origin = b"*"  # what CORS answers, until the project is known
        given = self.header(b"x-request-id") or ""
        named = REQUEST_ID.fullmatch(given) is not None
        self.request_id = given.encode() if named else secrets.token_hex(8).encode()  # to find the request in all logs

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    def header(self, name: bytes) -> str | None:
        return header(self.scope, name)

    async def body(self, most: int) -> bytes:
        """The whole body. Raises Refused above `most` bytes or when it does not come, Disconnected."""
        announced = self.header(b"content-length")
        if announced and announced.isdecimal() and int(announced) > most:
            raise too_large(most)
        parts, size = [], 0
        try:
            async with asyncio.timeout(BODY_WITHIN):
                while True:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise too_large(most)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused("bad_frame", f"The body did not come within {BODY_WITHIN:.0f} s.") from None

    async def disconnected(self) -> None:
        """Waits until the client goes away."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the status and the headers, with those that every answer of the bus has."""
        headers = [
            *headers,
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-request-id", self.request_id),
        ]
        if self.allow_origin:
            headers += [
                (b"access-control-allow-origin", self.allow_origin),
                (b"access-control-expose-headers", b"Retry-After, X-Request-ID"),
                (b"vary", b"Origin"),
            ]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def json(
        self, status: int, content: bytes, *more: tuple[bytes, bytes], kind: bytes = b"application/json"
    ) -> None:
        """Answer with JSON."""
        await self.begin(status, [(b"content-type", kind), (b"content-length", str(len(content)).encode()), *more])
        await self.send({"type": "http.response.body", "body": content})

    async def preflight(self) -> None:
        """What a browser may ask for, from anywhere: the key and the project's origins decide later."""
        await self.send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT})
        await self.send({"type": "http.response.body", "body": b""})

    async def problem(self, refused: Refused, status: int | None = None, *more: tuple[bytes, bytes]) -> None:
        """Answer with a problem; its status is the outcome's unless told otherwise."""
        outcome = OUTCOMES[refused.code]
        status = status or outcome.status
        problem: dict[str, Any] = {
            "type": f"urn:gluer:outcome:{refused.code}",
            "title": outcome.sentence,
            "status": status,
            "detail": refused.message,
            "code": refused.code,
            "message": refused.message,
            "retryable": outcome.retryable,
        }
        headers = list(more)
        if refused.data is not None:
            problem["data"] = refused.data
        if refused.retry_after is not None:
            problem["retry_after"] = refused.retry_after
            headers.append((b"retry-after", str(-(-refused.retry_after // 1000)).encode()))
        if status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b'Bearer realm="Gluer"'))
        await self.json(status, msgspec.json.encode(problem), *headers, kind=b"application/problem+json")


def too_large(most: int) -> Refused:
    return Refused("payload_too_large", f"The body is larger than {most} bytes.", data={"limit": most})
