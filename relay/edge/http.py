"""The bus over HTTP (section 6): a Channels consumer that turns one request into one frame of a short-lived caller."""

import asyncio
import time
from typing import Any

import msgspec
from channels.consumer import AsyncConsumer

from relay.core import frames
from relay.core.connection import Connection, State
from relay.core.errors import CLOSE_CODES, Refused
from relay.core.hub import SHORTEST_SESSION
from relay.directory import Claim
from relay.edge.address import TrustedProxies, source_of
from relay.edge.exchange import Disconnected, Exchange
from relay.edge.headers import now_text
from relay.runtime import Relay

Answer = frames.ResultOut | frames.ErrorOut | frames.Notice
REQUEST_ID = "1"  # each HTTP request is a caller of its own, with one request
LONGEST_NAME = 128  # characters (GP-50)
_decoder: msgspec.json.Decoder[Answer | frames.ProgressOut] = msgspec.json.Decoder(Answer | frames.ProgressOut)


class BusConsumer(AsyncConsumer):
    """POST /v1/call/…, /v1/send/… and /v1/publish/…; `verb` and `name` come from the path."""

    def __init__(self, relay: Relay, proxies: TrustedProxies) -> None:
        self.relay, self.proxies = relay, proxies

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.relay.start()
        exchange = Exchange(scope, receive, send)
        if exchange.method == "OPTIONS":
            await exchange.preflight()
            return
        if exchange.method != "POST":
            await exchange.problem(Refused("bad_frame", "Use POST."), 405, (b"allow", b"POST, OPTIONS"))
            return
        try:
            await self.serve(exchange, **scope["url_route"]["kwargs"])
        except Refused as refused:
            await exchange.problem(refused)
        except Disconnected:
            return

    async def serve(self, exchange: Exchange, verb: str, name: str) -> None:
        """Answer the request. Raises Refused or Disconnected."""
        answers: asyncio.Queue[Answer] = asyncio.Queue()
        hub = self.relay.hub
        connection = self.open(exchange, answers)
        hub.connect(connection, time.monotonic())
        try:
            if connection.state is State.CLOSED or not connection.address.failures.ready(time.monotonic()):
                raise Refused("rate_limited", "Too many requests from this address.", retry_after=1_000)
            await self.identify(exchange, connection)
            frame = request_frame(verb, name, exchange, await exchange.body(hub.limits.frame))
            hub.request(connection, frame, time.monotonic())
            if verb == "send":
                await sent(exchange, answers)
            else:
                await answered(exchange, await outcome(exchange, answers), verb)
        finally:
            hub.disconnect(connection, time.monotonic())

    def open(self, exchange: Exchange, answers: "asyncio.Queue[Answer]") -> Connection:
        """The caller that this request is."""
        hub = self.relay.hub

        def keep(frame: bytes) -> None:
            answer = _decoder.decode(frame)
            if not isinstance(answer, frames.ProgressOut):
                answers.put_nowait(answer)

        def closed(number: int, name: str) -> None:
            answers.put_nowait(frames.Notice(code="rate_limited", message=CLOSE_CODES[number].sentence))

        ip = self.proxies.client(exchange.scope)
        return Connection(
            hub,
            keep,
            closed,
            address=hub.address(source_of(ip)),
            ip=ip,
            project_id="",
            origin=exchange.header(b"origin"),
            transport="http",
            connected_at=now_text(),
            limits=hub.limits,
            now=time.monotonic(),
        )

    async def identify(self, exchange: Exchange, connection: Connection) -> None:
        """Let the caller in by its key. Raises Refused."""
        try:
            admission = await self.relay.directory.identify(claim_of(exchange, connection.origin))
        except Refused as refused:
            if refused.code in ("unauthorized", "forbidden"):
                connection.address.failures.take(time.monotonic())
            if refused.code == "forbidden":
                exchange.allow_origin = b""
            raise
        if connection.origin is not None:
            exchange.allow_origin = connection.origin.encode("latin-1")
        self.relay.hub.admit_request(connection, admission)


def claim_of(exchange: Exchange, origin: str | None) -> Claim:
    """What the request's headers say of the caller. Raises Refused."""
    scheme, _, key = (exchange.header(b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Refused("unauthorized", "Show a key: `Authorization: Bearer <key>`.")
    session = exchange.header(b"gluer-session") or ""
    if session and not (SHORTEST_SESSION <= len(session) <= LONGEST_NAME and not session.startswith("$gluer")):
        raise Refused("bad_frame", f"A session id is a secret of {SHORTEST_SESSION} to {LONGEST_NAME} characters.")
    return Claim(key.strip(), exchange.header(b"gluer-password") or "", session, origin, None)


def request_frame(verb: str, name: str, exchange: Exchange, body: bytes) -> frames.AnyFrame:
    """The frame this request stands for. Raises Refused."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused("bad_frame", f"Names have 1 to {LONGEST_NAME} characters.")
    data = frames.parse_data(body)
    if verb == "send":
        return frames.Send(cmd=name, data=data)
    if verb == "publish":
        return frames.Publish(id=REQUEST_ID, channel=name, data=data)
    if exchange.header(b"idempotency-key") is not None:
        raise Refused("bad_frame", "Idempotency-Key is not supported by this relay yet.")
    return frames.Call(id=REQUEST_ID, cmd=name, data=data, timeout=timeout_of(exchange))


def timeout_of(exchange: Exchange) -> "int | msgspec.UnsetType":
    """The Gluer-Timeout header in ms (GP-5D). Raises Refused."""
    value = exchange.header(b"gluer-timeout")
    if value is None:
        return msgspec.UNSET
    if not (value.isascii() and value.isdecimal() and 1 <= len(value) <= 15 and int(value) > 0):
        raise Refused("bad_frame", "Gluer-Timeout takes a whole number of milliseconds, at least 1.")
    return int(value)


async def outcome(exchange: Exchange, answers: "asyncio.Queue[Answer]") -> Answer:
    """The first answer. Raises Disconnected when the client goes away before it."""
    if not answers.empty():
        return answers.get_nowait()
    answer = asyncio.ensure_future(answers.get())
    gone = asyncio.ensure_future(exchange.disconnected())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise Disconnected
        return answer.result()
    finally:
        answer.cancel()
        gone.cancel()


async def sent(exchange: Exchange, answers: "asyncio.Queue[Answer]") -> None:
    """A send has no answer but a refusal."""
    if answers.empty():
        await exchange.json(202, b"{}")
    else:
        await answered(exchange, answers.get_nowait(), "send")


async def answered(exchange: Exchange, answer: Answer, verb: str) -> None:
    """Answer with the outcome of a call, or the result of a publish."""
    if isinstance(answer, frames.ResultOut):
        if verb == "publish":
            await exchange.json(200, bytes(answer.data))
            return
        content: dict[str, Any] = {"data": answer.data}
        if answer.outcome is not msgspec.UNSET:
            content["outcome"] = answer.outcome
        await exchange.json(200, msgspec.json.encode(content))
        return
    data = None if answer.data is msgspec.UNSET else answer.data
    retry_after = None if answer.retry_after is msgspec.UNSET else answer.retry_after
    await exchange.problem(Refused(answer.code, answer.message, retry_after, data))
