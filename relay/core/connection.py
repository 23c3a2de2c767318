"""One connected peer.

Rule 1  `send` and `close` are plain callables given by the edge. They never raise and never call back into the hub.
Rule 2  A connection lives through NEW → KNOWN → OPEN → CLOSED; only the hub moves it (hub.py).
Rule 3  Nothing is sent after `bye`, and nothing that arrives after it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final

from msgspec import UNSET, Raw

from relay.core import frames
from relay.core.deadlines import Due
from relay.core.errors import CLOSE_CODES, Closing, cut
from relay.core.rates import Rate

if TYPE_CHECKING:
    from relay.core.calls import Call
    from relay.core.functions import Seat
    from relay.core.hub import Hub
    from relay.core.limits import Limits
    from relay.core.sources import Address, Key, SharedRate
    from relay.core.tenant import Tenant
    from relay.core.unsent import Unsent

FRONTEND, BACKEND = "frontend", "backend"
PING_EVERY = {FRONTEND: 25, BACKEND: 10}  # s (GP-3)
PONG_WITHIN = {FRONTEND: 8, BACKEND: 5}  # s (GP-3)


FREE: Final = 16_384  # bytes that the first frames of a connection may cost


class State(Enum):
    NEW = "no hello yet"
    KNOWN = "hello is being looked up"
    OPEN = "welcome was sent"
    CLOSED = "gone"


NEW: Final = State.NEW
KNOWN: Final = State.KNOWN
OPEN: Final = State.OPEN
CLOSED: Final = State.CLOSED


def no_pause(seconds: float) -> None:
    """Go on reading: nothing that is read here could be left unread."""


def is_in() -> None:
    """Do nothing: all that the peer sends is read from the beginning."""


class Connection(Due):
    """A front end or back end, over WebSocket (`transport` "ws") or for one request over HTTP ("http")."""

    __slots__ = (
        "address", "asked_at", "backlog", "backlog_bytes", "bytes", "calling", "channels", "close",
        "connected_at", "credit", "cut", "draining", "flood", "header", "heard", "hello", "hub", "id", "ip",
        "key", "lease", "leased_at", "let_in", "name", "origin", "owes_since", "password_digest", "pause",
        "peer", "ping_sent", "process", "project_id", "public_header", "rate", "sdk", "seats", "send",
        "serving", "session", "shared", "state", "suspect_since", "takes_calls", "tenant", "transport",
        "unanswered",
    )  # fmt: skip

    def __init__(
        self,
        hub: Hub,
        send: Callable[[bytes], None],
        close: Callable[[int, str], None],
        *,
        address: Address,
        ip: str,
        project_id: str,
        origin: str | None,
        transport: str,
        connected_at: str,
        limits: Limits,
        now: float,
    ) -> None:
        super().__init__()
        self.hub, self.send, self.close = hub, send, close
        self.address, self.ip, self.project_id, self.origin = address, ip, project_id, origin
        self.transport, self.connected_at = transport, connected_at
        self.process = ""  # where its socket is, if not here (others.py)
        self.cut = False  # that process cannot be reached now
        self.state = NEW
        self.heard = now
        self.ping_sent = 0.0  # 0: none is unanswered
        self.pause: Callable[[float], None] = no_pause  # read nothing for so many s; 0: until the loop's next turn
        self.let_in: Callable[[], None] = is_in  # read frames of any size, from the welcome on
        self.credit = FREE  # bytes that its next frames may cost before the rates are asked (GP-5E)
        self.lease = FREE  # bytes taken out of them at once the last time
        self.leased_at = now  # when that was
        self.bytes = Rate(limits.rate_bytes)
        self.rate = Rate(limits.rate)
        self.flood = Rate(limits.rate, burst=1.0)  # refused requests; above it the client does not listen (GP-53)
        self.hello: frames.Hello | None = None
        self.backlog: list[bytes] = []  # frames that came before the welcome
        self.backlog_bytes = 0
        # known after the hello
        self.tenant: Tenant | None = None
        self.key: Key | None = None
        self.shared: tuple[SharedRate, ...] = ()  # of a front end's session and address in its project
        self.id = self.session = self.peer = self.name = self.sdk = ""
        self.password_digest: str | None = None  # of the password it showed
        self.header = Raw(b"{}")  # of its calls to back ends
        self.public_header = Raw(b"{}")  # of a back end's calls to front ends, without the session, a secret (GP-5)
        self.draining = False  # it said that it wants no new calls
        self.takes_calls = True  # neither draining, suspect nor cut
        # of a server that owes an answer, in s of the clock; 0: not so (suspects.py)
        self.owes_since = self.asked_at = self.suspect_since = 0.0
        self.calling: dict[str, Call] = {}  # its own calls without an outcome, by its own ids
        self.serving: dict[str, Call] = {}  # calls it has to answer, by the relay's ids
        self.unanswered = 0  # calls that ended without its answer, which may still come
        self.seats: dict[str, Seat] = {}  # what it registered, by function name
        self.channels: dict[str, None] = {}  # what it subscribed to

    def expire(self, now: float) -> None:
        """Its deadline came: no hello, a ping to send, or no pong."""
        self.hub.connection_due(self, now)

    def unsent(self) -> Unsent:
        """Where what waits for this peer is counted."""
        return self.hub.unsent if self.tenant is None else self.tenant.unsent

    def notice(self, code: str, message: str, about: str | None = None) -> None:
        """A complaint that is no request's outcome."""
        self.send(frames.encode(frames.Notice(code=code, message=cut(message), about=about or UNSET)))

    def bye(self, closing: Closing) -> None:
        """The last frame, and the close."""
        code = CLOSE_CODES[closing.number]
        message = cut(closing.message or code.sentence)
        after = closing.after if closing.after is not None else UNSET
        self.send(frames.encode(frames.Bye(code=code.name, message=message, reconnect=code.reconnect, after=after)))
        self.close(closing.number, code.name)
