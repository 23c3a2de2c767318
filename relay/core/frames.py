"""Every frame as a msgspec Struct tagged by `type`, and the way out, `encode`; the way in is reading.py.

Rule 1  `data` stays msgspec.Raw: its syntax is checked, its content never decoded, and it leaves as it came.
Rule 2  What arrives here is valid UTF-8; the edges see to it (GP-30).
Rule 3  A frame that decodes obeys GP-50, except for the characters of names: see reading.is_name.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

NULL = Raw(b"null")

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
LEAST_IN_FLIGHT, ROUND_ROBIN, RANDOM, FIRST = "least_in_flight", "round_robin", "random", "first"
SHORTEST_SESSION: Final = 16  # characters (GP-5)
Milliseconds = Annotated[int, Meta(ge=1, le=2**53)]


class Frame(Struct, tag_field="type", kw_only=True, gc=False):  # a frame is never in a circle
    """What a client sends."""


class Hello(Frame, tag="hello"):
    key: Annotated[str, Meta(max_length=128)]
    password: Annotated[str, Meta(max_length=256)] = ""
    token: Annotated[str, Meta(max_length=16_384)] = ""
    session: Annotated[str, Meta(min_length=SHORTEST_SESSION, max_length=128)] = ""  # none: the relay makes one
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


class ProgressFrom(Progress, tag="progress"):
    """From another process of the relay. `number`: the call's first is 1; 0: it does not say."""

    number: int = 0


class ResultFrom(Result, tag="result"):
    """From another process of the relay. `number`: how many `progress` of the call it sent before."""

    number: int = 0


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


class Out(Struct, tag_field="type", kw_only=True, omit_defaults=True, gc=False):
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
    missed: int = 0  # `progress` that were lost before it
    number: int = 0  # to another process, see ProgressFrom


class ResultOut(Out, tag="result"):
    id: str
    data: Raw
    outcome: str | UnsetType = UNSET
    missed: int = 0
    number: int = 0  # to another process, see ResultFrom


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
    position: tuple[str, int] | UnsetType = UNSET  # epoch and offset (GP-23)


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


decode_result = msgspec.json.Decoder(ResultOut).decode
encode = msgspec.json.Encoder().encode
PING = encode(Ping())
PONG = encode(Pong())
EMPTY = Raw(b"{}")
REQUESTS = frozenset(
    {"call", "register", "unregister", "subscribe", "unsubscribe", "publish", "drain"}
)  # answered by id
TYPES = REQUESTS | {"send", "result", "error", "progress", "cancel", "ping", "pong", "hello"}  # from clients
