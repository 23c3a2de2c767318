"""The closed list of outcomes and close codes (protocol section 7), each once.

The documents in protocol/ and the tables of the SDKs are made from this file by protocol/generate.py.

    Refused        one request, or one frame, is refused: becomes an `error` or a `notice` (hub.py)
    Unreadable     the frame cannot be read at all: the connection is closed with `bye`
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request can end besides a result. `status`: of HTTP; `retryable`: the same request may succeed later."""

    number: int
    name: str
    status: int
    retryable: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class CloseCode:
    """Why the relay closes a socket. `reconnect`: coming back with the same hello may help."""

    number: int
    name: str
    reconnect: bool
    sentence: str


OUTCOMES = {
    outcome.name: outcome
    for outcome in (
        Outcome(1, "app_error", 422, False, "The function failed; the message is its own."),
        Outcome(2, "no_such_function", 404, False, "No back end has registered a function of this name."),
        Outcome(3, "no_such_peer", 404, False, "Nobody with this session or connection is here."),
        Outcome(4, "no_server_online", 503, True, "The function is known, but none of its servers is connected."),
        Outcome(5, "server_busy", 429, True, "Every server of the function has all the calls it takes."),
        Outcome(6, "rejected", 403, False, "An interceptor of the back end refused the call."),
        Outcome(
            7, "callee_lost", 502, True, "The server's connection ended before it answered; it may have run the call."
        ),
        Outcome(8, "connection_lost", 502, True, "Your own connection ended before the answer came (told by the SDK)."),
        Outcome(9, "deadline_exceeded", 504, True, "No answer came before the call's deadline."),
        Outcome(10, "cancelled", 499, False, "The caller cancelled the call."),
        Outcome(11, "invalid_arguments", 422, False, "The data does not fit what the function takes."),
        Outcome(12, "payload_too_large", 413, False, "The frame or body is larger than the limit."),
        Outcome(13, "unauthorized", 401, False, "The key, project or password is wrong."),
        Outcome(14, "forbidden", 403, False, "This peer may not do that."),
        Outcome(15, "rate_limited", 429, True, "Too many requests; wait for `retry_after` ms."),
        Outcome(16, "quota_exceeded", 429, True, "The plan's requests of this month are used up."),
        Outcome(17, "bad_frame", 400, False, "The frame or request is not what the protocol asks for."),
        Outcome(18, "relay_unavailable", 503, True, "The relay cannot serve this now; try again."),
    )
}

CLOSE_CODES = {
    close.number: close
    for close in (
        CloseCode(1007, "not_utf8", False, "A text frame was not valid UTF-8."),
        CloseCode(1009, "unreadable_size", False, "A frame was larger than the server reads at all."),
        CloseCode(1012, "restarting", True, "The relay restarts; connect again."),
        CloseCode(4400, "bad_frame", False, "A frame could not be read, or the first one was no good hello."),
        CloseCode(4401, "unauthorized", False, "The key, project or password is wrong."),
        CloseCode(4403, "forbidden", False, "The page's origin, or this kind of key, is not allowed here."),
        CloseCode(4408, "no_hello", True, "No hello came in time."),
        CloseCode(4409, "no_pong", True, "No pong came in time."),
        CloseCode(4410, "revoked", False, "The key was revoked, or the project is gone."),
        CloseCode(4411, "token_expired", True, "The user's token has expired; come back with a new one."),
        CloseCode(4413, "payload_too_large", False, "More was sent before the welcome than may be."),
        CloseCode(4429, "rate_limited", True, "Too many connections or frames; come back later."),
        CloseCode(4430, "slow_consumer", True, "Too much waited to be read by this client."),
    )
}

LONGEST_MESSAGE = 256  # bytes of UTF-8 (GP-5A)


def cut(message: str) -> str:
    """The message cut to 256 bytes at a character."""
    if len(message) * 4 <= LONGEST_MESSAGE:
        return message
    return message.encode("utf-8", "replace")[:LONGEST_MESSAGE].decode("utf-8", "ignore")


@dataclass(slots=True)
class Refused(Exception):
    """A request or frame that is refused. `about`: of what, for a notice. `retry_after`: ms."""

    code: str
    message: str = ""
    retry_after: int | None = None
    data: Any = None  # whatever JSON can hold, for the error's `data`
    about: str | None = None
    id: str | None = field(default=None)  # of the request, where the frame itself could not be decoded

    def __post_init__(self) -> None:
        self.message = cut(self.message or OUTCOMES[self.code].sentence)


@dataclass(slots=True)
class Unreadable(Exception):
    """What arrived is no frame at all; its connection ends with 4400 (GP-30)."""

    message: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A close the relay decides on: its code of CLOSE_CODES, a sentence, and how long to stay away (ms)."""

    number: int
    message: str = ""
    after: int | None = None
