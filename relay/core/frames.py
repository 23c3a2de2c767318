"""Every frame as a msgspec Struct tagged by `type`, and the two doors: `decode` and `encode`.

Rule 1  `data` stays msgspec.Raw: its syntax is checked, its content never decoded, and it leaves as it came.
Rule 2  What arrives here is valid UTF-8; the edges see to it (GP-30).
Rule 3  A frame that decodes obeys GP-50, except the control characters of names: see `is_name`.
"""

import json
import re
from array import array
from itertools import accumulate
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from relay.core.errors import Refused, Unreadable

DEEPEST = 128  # levels of nesting, the frame itself being the first (GP-50)
NULL = Raw(b"null")

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
LEAST_IN_FLIGHT, ROUND_ROBIN, RANDOM, FIRST = "least_in_flight", "round_robin", "random", "first"
Milliseconds = Annotated[int, Meta(ge=1, le=2**53)]


class Frame(Struct, tag_field="type", kw_only=True):
    """What a client sends."""


class Hello(Frame, tag="hello"):
    key: Annotated[str, Meta(max_length=128)]
    password: Annotated[str, Meta(max_length=256)] = ""
    token: Annotated[str, Meta(max_length=16_384)] = ""
    session: Annotated[str, Meta(max_length=128)] = ""
    name: Annotated[str, Meta(max_length=128)] = ""
    sdk: Annotated[str, Meta(max_length=64)] = ""


class Target(Struct, kw_only=True):
    """Whom a back end calls: a session or a connection."""

    session: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    connection: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class Call(Frame, tag="call"):
    id: Id
    cmd: Name
    data: Raw = NULL
    timeout: Milliseconds | UnsetType = UNSET
    to: Target | UnsetType = UNSET
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=256)] | UnsetType = UNSET


class Send(Frame, tag="send"):
    cmd: Name
    data: Raw = NULL
    to: Target | UnsetType = UNSET


class Progress(Frame, tag="progress"):
    id: Id
    data: Raw = NULL


class Result(Frame, tag="result"):
    id: Id
    data: Raw = NULL
    outcome: Name | UnsetType = UNSET


class Error(Frame, tag="error"):
    id: Id
    code: Annotated[str, Meta(max_length=64)] = "app_error"
    message: str = ""
    data: Raw = NULL


class Cancel(Frame, tag="cancel"):
    id: Id


class FunctionSpec(Struct, kw_only=True):
    """A function as its back end describes it."""

    name: Name
    description: Annotated[str, Meta(max_length=1024)] = ""
    idempotent: bool = False
    policy: Literal["least_in_flight", "round_robin", "random", "first"] = "least_in_flight"
    concurrency: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class Register(Frame, tag="register"):
    id: Id
    functions: Annotated[list[FunctionSpec], Meta(max_length=10_000)]


class Unregister(Frame, tag="unregister"):
    id: Id
    functions: Annotated[list[FunctionSpec], Meta(max_length=10_000)]


class Subscribe(Frame, tag="subscribe"):
    id: Id
    channels: Annotated[list[Name], Meta(max_length=10_000)]
    since: dict[str, Raw] | UnsetType = UNSET


class Unsubscribe(Frame, tag="unsubscribe"):
    id: Id
    channels: Annotated[list[Name], Meta(max_length=10_000)]


class Publish(Frame, tag="publish"):
    channel: Name
    data: Raw = NULL
    id: Id | UnsetType = UNSET
    exclude_me: bool = False


class Drain(Frame, tag="drain"):
    id: Id | UnsetType = UNSET


class Ping(Frame, tag="ping"):
    pass


class Pong(Frame, tag="pong"):
    pass


AnyFrame = (
    Call
    | Result
    | Send
    | Progress
    | Error
    | Cancel
    | Hello
    | Register
    | Unregister
    | Subscribe
    | Unsubscribe
    | Publish
    | Drain
    | Ping
    | Pong
)


class Out(Struct, tag_field="type", kw_only=True, omit_defaults=True):
    """What the relay sends; `type` comes first."""


class ConnectionLimits(Struct):
    """What `welcome` tells the client: bytes, ms, calls, requests a second."""

    frame: int
    timeout: int
    in_flight: int
    rate: int


class Welcome(Out, tag="welcome"):
    connection: str
    session: str
    peer: str
    ping: int
    limits: ConnectionLimits


class Bye(Out, tag="bye"):
    code: str
    message: str
    reconnect: bool
    after: int | UnsetType = UNSET


class Notice(Out, tag="notice"):
    code: str
    message: str
    about: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET
    data: Any = UNSET


class CallOut(Out, tag="call"):
    id: str
    cmd: str
    data: Raw
    timeout: int
    header: Raw


class SendOut(Out, tag="send"):
    cmd: str
    data: Raw
    header: Raw


class ProgressOut(Out, tag="progress"):
    id: str
    data: Raw


class ResultOut(Out, tag="result"):
    id: str
    data: Raw
    outcome: str | UnsetType = UNSET


class ErrorOut(Out, tag="error"):
    id: str
    code: str
    message: str
    retryable: bool
    retry_after: int | UnsetType = UNSET
    data: Raw | UnsetType = UNSET


class CancelOut(Out, tag="cancel"):
    id: str


class Message(Out, tag="message"):
    channel: str
    data: Raw


class Header(Struct, omit_defaults=True):
    """Who calls, as the relay knows it; a caller cannot forge it (GP-18)."""

    session: str
    connection: str
    peer: str
    ip: str
    transport: str
    connected_at: str
    origin: str | UnsetType = UNSET


class PublicHeader(Struct):
    """Which back end calls, as a front end is told it."""

    connection: str
    peer: str


class Envelope(Struct):
    """What can still be read of a frame that is wrong elsewhere."""

    type: Any = ""
    id: Any = None


_decoder: msgspec.json.Decoder[AnyFrame] = msgspec.json.Decoder(AnyFrame)
_envelope = msgspec.json.Decoder(Envelope)
_any_json = msgspec.json.Decoder(Raw)
decode_result = msgspec.json.Decoder(ResultOut).decode
encode = msgspec.json.Encoder().encode
PING = encode(Ping())
PONG = encode(Pong())
EMPTY = Raw(b"{}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one level in, one level out


def decode(raw: bytes) -> AnyFrame:
    """The frame in `raw` (valid UTF-8). Raises Refused (`bad_frame`) if it is wrong, Unreadable if it is no object."""
    try:
        frame = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong(raw, str(error)) from None
    except RecursionError:
        raise _bad(Envelope(), f"Nested deeper than {DEEPEST} levels.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(raw, str(error)) from None
    if len(raw) > 2 * DEEPEST and raw.count(b"[") + raw.count(b"{") > DEEPEST and is_deep(raw):
        raise _wrong(raw, f"Nested deeper than {DEEPEST} levels.")
    return frame


def parse_data(body: bytes) -> Raw:
    """An HTTP body as `data`; an empty one is null. Raises Refused (`bad_frame`)."""
    if not body.strip():
        return NULL
    try:
        body.decode()
        _any_json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("bad_frame", f"The body must be JSON: {error}.") from None
    except RecursionError:
        raise Refused("bad_frame", f"Nested deeper than {DEEPEST} levels.") from None
    if is_deep(body):
        raise Refused("bad_frame", f"Nested deeper than {DEEPEST} levels.")
    return Raw(body)


def is_deep(raw: bytes) -> bool:
    """Whether valid JSON nests deeper than DEEPEST. 30 ms for the worst megabyte."""
    steps = _STRING.sub(b"", raw).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(array("b", steps)), default=0) > DEEPEST


def is_name(text: str) -> bool:
    """No control characters (GP-50). Asked where a name is first stored, or was not found."""
    return text.isprintable() or not _CONTROL.search(text)


def _wrong(raw: bytes, reason: str) -> Refused | Unreadable:
    """Not the frame it should be; what comes behind the mistake was not read yet, and may be no JSON."""
    try:
        return _bad(_envelope.decode(raw), reason)
    except (msgspec.ValidationError, RecursionError):
        return _bad(Envelope(), reason)
    except msgspec.DecodeError as error:
        return _malformed(raw, str(error))


def _malformed(raw: bytes, reason: str) -> Refused | Unreadable:
    """What msgspec refuses and the standard library reads holds lone surrogates: a bad frame; else it is no JSON."""
    try:
        read = json.loads(raw.decode())  # of bytes it would guess the encoding
    except (ValueError, RecursionError):
        return Unreadable(f"A frame is one JSON object: {reason}.")
    if not isinstance(read, dict):
        return Unreadable("A frame is one JSON object.")
    return _bad(Envelope(read.get("type"), read.get("id")), f"Not interoperable JSON (RFC 7493): {reason}.")


def _bad(envelope: Envelope, reason: str) -> Refused | Unreadable:
    if reason.startswith("Expected `object`, got") and "$" not in reason:
        return Unreadable("A frame is one JSON object.")
    kind = envelope.type if isinstance(envelope.type, str) and envelope.type.isascii() else ""
    about = kind[:128] if kind and is_name(kind) else None
    known = kind in REQUESTS and _is_id(envelope.id)
    return Refused("bad_frame", reason, about=about, id=envelope.id if known else None)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 64 and not _SURROGATE.search(value)


REQUESTS = frozenset(
    {"call", "register", "unregister", "subscribe", "unsubscribe", "publish", "drain"}
)  # answered by id
