"""The bus over HTTP (section 6): a Channels consumer that turns one request into one frame of a short-lived caller."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
from channels.consumer import AsyncConsumer

from projects.credentials import parse_key
from relay.core import frames
from relay.core.connection import Connection, State
from relay.core.errors import CLOSE_CODES, Closing, Refused
from relay.core.hub import Admission
from relay.core.reading import parse_data
from relay.directory import LOOK_UP_WITHIN, Claim
from relay.edge.address import TrustedProxies, source_of
from relay.edge.exchange import Disconnected, Exchange
from relay.edge.headers import now_text
from relay.edge.outbox import Outbox
from relay.edge.stream import EventStream, is_last, refusal
from relay.runtime import Relay

REQUEST_ID = "1"  # each HTTP request is a caller of its own, with one request
LONGEST_NAME = 128  # characters (GP-50)
LONGEST_KEY = 256  # characters of an idempotency key
MOST_CHANNELS = 100  # in one request
TYPES = {"call": "call", "send": "send", "publish": "publish", "channels": "subscribe"}  # of the frame it stands for
METHODS = {"call": "POST", "send": "POST", "publish": "POST", "channels": "GET"}


class BusConsumer(AsyncConsumer):
    """/v1/call/…, /v1/send/…, /v1/publish/… and /v1/channels; `verb` and `name` come from the path."""

    def __init__(self, relay: Relay, proxies: TrustedProxies) -> None:
        self.relay, self.proxies = relay, proxies

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.relay.start()
        exchange = Exchange(scope, receive, send)
        verb, name = scope["url_route"]["kwargs"]["verb"], scope["url_route"]["kwargs"]["name"]
        method = METHODS[verb]
        if exchange.method == "OPTIONS":
            await exchange.preflight()
        elif exchange.method != method:
            refused = Refused("bad_frame", f"Use {method}.")
            await exchange.problem(refused, 405, (b"allow", f"{method}, OPTIONS".encode()))
        else:
            try:
                await self.serve(exchange, verb, name)
            except Refused as refused:
                await exchange.problem(refused)
            except Disconnected:
                return

    async def serve(self, exchange: Exchange, verb: str, name: str) -> None:
        """Answer the request. Raises Refused or Disconnected."""
        hub = self.relay.hub
        caller = Caller(self.relay, self.proxies, exchange)
        hub.connect(caller.connection, time.monotonic())
        try:
            began = time.monotonic()
            admission = await caller.identify(look_up_within(verb, exchange))
            waited = round((time.monotonic() - began) * 1_000)
            if verb == "channels":
                hub.admit_stream(caller.connection, admission, time.monotonic())
            else:
                hub.admit_request(caller.connection, admission)
            try:
                frame = await caller.frame(verb, name, waited)
            except Refused as refused:
                hub.refused(caller.connection, TYPES[verb], name, refused.code)
                raise
            if verb == "channels":
                await caller.listen(frame)
            elif verb == "call" and "text/event-stream" in (exchange.header(b"accept") or ""):
                await caller.listen(frame, until=is_last)
            elif verb == "send":
                await caller.tell(frame)
            else:
                await answered(exchange, await caller.ask(frame), verb)
        finally:
            hub.disconnect(caller.connection, time.monotonic())


class Caller:
    """The peer that one HTTP request is."""

    def __init__(self, relay: Relay, proxies: TrustedProxies, exchange: Exchange) -> None:
        self.relay, self.exchange = relay, exchange
        self.outbox: Outbox | None = None  # of a stream
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        hub, ip = relay.hub, proxies.client(exchange.scope)
        self.connection = Connection(
            hub,
            self._send,
            self._close,
            address=hub.address(source_of(ip)),
            ip=ip,
            project_id="",
            origin=exchange.header(b"origin"),
            transport="http",
            connected_at=now_text(),
            limits=hub.limits,
            now=time.monotonic(),
        )
        self.until: Callable[[bytes], bool] = lambda frame: False  # whether a stream ends with this frame

    def _send(self, frame: bytes) -> None:
        if self.outbox is not None:
            self.outbox.send(frame)
            if self.until(frame):
                self.outbox.close(1000, "")
        elif not self.answer.done() and not frame.startswith(b'{"type":"progress"'):
            self.answer.set_result(frame)

    def _close(self, number: int, name: str) -> None:
        if self.outbox is not None:
            self.outbox.close(number, name)
        elif not self.answer.done():
            self.answer.set_exception(Refused("relay_unavailable", CLOSE_CODES[number].sentence))

    async def identify(self, within: float) -> Admission:
        """Whose key this is; it is looked up for `within` s at most. Raises Refused."""
        connection, exchange = self.connection, self.exchange
        if connection.state is State.CLOSED:
            raise Refused("rate_limited", "Too many requests from this address.", retry_after=1_000)
        claim = claim_of(exchange, connection.origin)
        try:
            admission = await self.relay.directory.identify(claim, connection.address.ip, within)
        except Refused as refused:
            if refused.code == "forbidden":
                exchange.allow_origin = b""
            if (key := parse_key(claim.key)) is not None:
                self.relay.hub.refused_hello(connection, key.project_id, refused.code, refused.about)
            raise
        if connection.origin is not None:
            exchange.allow_origin = connection.origin.encode("latin-1")
        return admission

    async def frame(self, verb: str, name: str, waited: int) -> frames.AnyFrame:
        """Read what is asked for, within the caller's limits. Raises Refused or Disconnected.

        `waited`: ms of the call's time that the look-up of the key took.
        """
        hub, exchange = self.relay.hub, self.exchange
        if verb == "channels":
            hub.expect(self.connection, None, time.monotonic())
            return subscription(exchange)
        if not 1 <= len(name) <= LONGEST_NAME:
            raise Refused("bad_frame", f"Names have 1 to {LONGEST_NAME} characters.")
        hub.expect(self.connection, None if verb == "publish" else name, time.monotonic())
        body = await exchange.body(hub.limits.frame)
        hub.expect_bytes(self.connection, len(body), time.monotonic())
        return request_frame(verb, name, exchange, body, waited)

    async def ask(self, frame: frames.AnyFrame) -> bytes:
        """The frame that answers. Raises Refused, or Disconnected when the client goes away before it."""
        self.relay.hub.request(self.connection, frame, time.monotonic())
        if not await self._comes(self.answer):
            raise Disconnected
        return self.answer.result()

    async def tell(self, frame: frames.AnyFrame) -> None:
        """A send: its only answer is a refusal."""
        self.relay.hub.request(self.connection, frame, time.monotonic())
        if self.answer.done() and (refused := refusal(self.answer.result())) is not None:
            raise refused
        await self.exchange.json(202, b"{}")

    async def listen(self, frame: frames.AnyFrame, until: Callable[[bytes], bool] = lambda frame: False) -> None:
        """Answer with all frames that come, as events. Raises Refused when the first is a refusal."""
        stream = EventStream(self.exchange)
        self.relay.hub.request(self.connection, frame, time.monotonic())
        first = self.answer.result() if self.answer.done() else None
        if first is not None and (refused := refusal(first)) is not None:
            raise refused
        self.outbox = Outbox(
            stream.write,
            self.relay.hub.limits,
            slow=lambda: self.relay.hub.close(self.connection, Closing(4430), time.monotonic()),
            abort=stream.end,
        )
        self.outbox.traffic = self.relay.hub.traffic
        self.outbox.unsent = self.connection.unsent
        self.until = until
        await stream.begin()
        if first is not None:
            self._send(first)
        keep_alive = asyncio.ensure_future(stream.keep_alive())
        try:
            await self._comes(stream.ended)
        finally:
            keep_alive.cancel()
            self.outbox.end()

    async def _comes(self, awaited: "asyncio.Future[Any]") -> bool:
        """Wait for it; False when the client goes away before it."""
        if not awaited.done():
            gone = asyncio.ensure_future(self.exchange.disconnected())
            try:
                await asyncio.wait({awaited, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
        return awaited.done()


def claim_of(exchange: Exchange, origin: str | None) -> Claim:
    """What the request's headers say of the caller. Raises Refused."""
    scheme, _, key = (exchange.header(b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Refused("unauthorized", "Show a key: `Authorization: Bearer <key>`.")
    session, shortest = exchange.header(b"gluer-session"), frames.SHORTEST_SESSION
    if session is not None and not shortest <= len(session) <= LONGEST_NAME:
        raise Refused("bad_frame", f"A session id is a secret of {shortest} to {LONGEST_NAME} characters.")
    if session is not None and session.startswith("$gluer"):
        raise Refused("bad_frame", "Session ids that begin with $gluer are reserved.")
    return Claim(key.strip(), exchange.header(b"gluer-password") or "", session or "", origin, None)


def look_up_within(verb: str, exchange: Exchange) -> float:
    """Seconds that the look-up of its key may take: for a call no more than its deadline."""
    try:
        timeout = timeout_of(exchange) if verb == "call" else msgspec.UNSET
    except Refused:  # it is said when the key is known
        timeout = msgspec.UNSET
    return LOOK_UP_WITHIN if timeout is msgspec.UNSET else min(LOOK_UP_WITHIN, timeout / 1_000)


def request_frame(verb: str, name: str, exchange: Exchange, body: bytes, waited: int) -> frames.AnyFrame:
    """The frame this request stands for. `waited`: ms of a call's time that are over. Raises Refused."""
    data = parse_data(body)
    if verb == "send":
        return frames.Send(cmd=name, data=data)
    if verb == "publish":
        return frames.Publish(id=REQUEST_ID, channel=name, data=data)
    key = exchange.header(b"idempotency-key")
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise Refused("bad_frame", f"Idempotency-Key has 1 to {LONGEST_KEY} characters.")
    if key is not None and exchange.header(b"gluer-session") is None:
        raise Refused("bad_frame", "Idempotency-Key needs Gluer-Session: a key is yours only within your session.")
    timeout = timeout_of(exchange)
    return frames.Call(
        id=REQUEST_ID,
        cmd=name,
        data=data,
        timeout=timeout if timeout is msgspec.UNSET else max(1, timeout - waited),
        idempotency_key=msgspec.UNSET if key is None else key,
    )


def timeout_of(exchange: Exchange) -> "int | msgspec.UnsetType":
    """The Gluer-Timeout header in ms (GP-5D). Raises Refused."""
    value = exchange.header(b"gluer-timeout")
    if value is None:
        return msgspec.UNSET
    if not (value.isascii() and value.isdecimal() and 1 <= len(value) <= 15 and int(value) > 0):
        raise Refused("bad_frame", "Gluer-Timeout takes a whole number of milliseconds, at least 1.")
    return int(value)


def subscription(exchange: Exchange) -> frames.Subscribe:
    """The channels that the query names. Raises Refused."""
    try:
        query = parse_qs(exchange.scope["query_string"].decode(), max_num_fields=MOST_CHANNELS)
    except ValueError:
        raise Refused("bad_frame", f"At most {MOST_CHANNELS} channels in one request.") from None
    channels = query.get("channel", [])
    if not channels or any(len(channel) > LONGEST_NAME for channel in channels):
        raise Refused("bad_frame", f"Name channels of 1 to {LONGEST_NAME} characters: ?channel=a&channel=b")
    since = exchange.header(b"last-event-id")
    return frames.Subscribe(
        id=REQUEST_ID,
        channels=channels,
        since=msgspec.UNSET if since is None else dict.fromkeys(channels, frames.NULL),
    )


async def answered(exchange: Exchange, answer: bytes, verb: str) -> None:
    """Answer with the outcome of a call, or the result of a publish. Raises Refused when it is none."""
    refused = refusal(answer)
    if refused is not None:
        raise refused
    result = frames.decode_result(answer)
    if verb == "publish":
        await exchange.json(200, bytes(result.data))
        return
    content: dict[str, Any] = {"data": result.data}
    if result.outcome is not msgspec.UNSET:
        content["outcome"] = result.outcome
    await exchange.json(200, msgspec.json.encode(content))
