"""The cast around the real hub: Alice's and Charlie's projects with the same names, peers that record, a clock by hand.

relay = CoreRelay()
page, server = relay.alice.frontend(), relay.alice.backend("calculator:add")
page.calls("calculator:add", data={"a": 5, "b": 3})
call = server.assert_received("call", cmd="calculator:add")
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from relay.core import frames
from relay.core.connection import Connection, State
from relay.core.errors import CLOSE_CODES, Refused
from relay.core.hub import Admission, Hub
from relay.core.limits import Limits
from relay.core.tenant import Tenant

Received = dict[str, Any]
START = 1_000.0  # s, of the hand-driven clock
MIDNIGHT = 1_764_547_200.0  # epoch s: 2025-12-01T00:00:00Z, when the quota's month ends
NOW_TEXT = "2025-11-21T12:00:00Z"
TICK = 0.05  # s between two ticks, as the relay's own
REGISTERED = {"type": "result", "id": "reg", "data": {}}


class Peer:
    """One client over a recorded socket. What the relay sends waits in `inbox` until a test asserts it."""

    def __init__(
        self,
        relay: CoreRelay,
        project_id: str,
        origin: str | None = None,
        ip: str = "192.0.2.1",
        transport: str = "ws",
    ) -> None:
        self.relay = relay
        self.inbox: deque[Received] = deque()
        self.raw: list[bytes] = []  # all that came, as it came
        self.closed: int | None = None  # the close code
        self.left = False
        self.registering = 0  # `register`s whose answer is still to come (CoreRelay.registered)
        self.connection = Connection(
            relay.hub,
            self._receive,
            self._close,
            address=relay.hub.address(ip),
            ip=ip,
            project_id=project_id,
            origin=origin,
            transport=transport,
            connected_at=NOW_TEXT,
            limits=relay.limits,
            now=relay.now,
        )
        self.pauses: list[float] = []  # s that the relay left it unread, each time
        self.connection.pause = self.pauses.append
        relay.peers.append(self)
        relay.hub.connect(self.connection, relay.now)

    # --- the socket --------------------------------------------------------------------------------------------------

    def _receive(self, raw: bytes) -> None:
        assert self.closed is None, f"sent after the close: {raw!r}"
        assert raw.startswith(b'{"type":'), raw
        if not self.left:
            assert not (self.inbox and self.inbox[-1]["type"] == "bye"), f"sent after bye: {raw!r}"
            self.raw.append(raw)
            frame = json.loads(raw)
            if self.registering and frame == REGISTERED:
                self.registering -= 1
            else:
                self.inbox.append(frame)

    def _close(self, code: int, reason: str) -> None:
        assert self.closed is None, "closed twice"
        assert reason == CLOSE_CODES[code].name
        self.closed = code

    # --- what it does ------------------------------------------------------------------------------------------------

    def sends(self, type_: str, **fields: object) -> None:
        """Send a frame."""
        self.sends_raw(json.dumps({"type": type_, **fields}, ensure_ascii=False).encode())

    def sends_raw(self, raw: bytes | str) -> None:
        """Send this text, whatever it is."""
        raw = raw.encode() if isinstance(raw, str) else raw
        self.relay.hub.receive(self.connection, raw, self.relay.now)

    def says_hello(self, key: str, **fields: object) -> None:
        self.sends("hello", key=key, **fields)

    def asks(self, frame: frames.AnyFrame, size: int = 0) -> None:
        """Over HTTP: the head of its request, a body of so many bytes, and the frame it stands for. Raises Refused."""
        hub, now = self.relay.hub, self.relay.now
        hub.expect(self.connection, getattr(frame, "cmd", None), now)
        hub.expect_bytes(self.connection, size, now)
        hub.request(self.connection, frame, now)

    def registers(self, *names: str) -> None:
        """Register functions, and see that they are."""
        self.sends("register", id="reg", functions=[{"name": name} for name in names])
        self.relay.registered(self)

    def offers(self, name: str, **options: object) -> None:
        """Register one function with options, and see that it is."""
        self.sends("register", id="reg", functions=[{"name": name, **options}])
        self.relay.registered(self)

    def unregisters(self, *names: str) -> None:
        """Take functions back, and see that it is done."""
        self.sends("unregister", id="unreg", functions=[{"name": name} for name in names])
        self.assert_received("result", id="unreg", data={})

    def drains(self) -> None:
        """Ask for no new calls, and see that none will come."""
        self.sends("drain", id="drain")
        self.assert_received("result", id="drain", data={})

    def subscribes(self, *channels: str) -> None:
        """Subscribe to channels, and see that it is done."""
        self.sends("subscribe", id="sub", channels=list(channels))
        self.assert_received("result", id="sub", data={channel: {} for channel in channels})

    def calls(self, cmd: str, call_id: str = "c1", **fields: object) -> None:
        self.sends("call", id=call_id, cmd=cmd, **fields)

    def answers(self, reply: object = None, **fields: object) -> Received:
        """The next frame is a call with these fields; answer it. Returns the call."""
        call = self.assert_received("call", **fields)
        self.sends("result", id=call["id"], data=reply)
        return call

    def leaves(self) -> None:
        """Its socket ends."""
        self.left = True
        self.relay.hub.disconnect(self.connection, self.relay.now)

    # --- what it sees ------------------------------------------------------------------------------------------------

    def receives(self) -> Received:
        """The next frame that waits."""
        assert self.inbox, "nothing came"
        return self.inbox.popleft()

    def assert_received(self, type_: str, **fields: object) -> Received:
        """The next frame is of this type and has these fields; others are free. Returns the frame."""
        frame = self.receives()
        listed = {name: frame.get(name, "(missing)") for name in fields}
        assert (frame["type"], listed) == (type_, fields), frame
        return frame

    def assert_silent(self) -> None:
        """Nothing waits, and the socket is open."""
        assert list(self.inbox) == []
        assert self.closed is None

    def assert_closed(self, code: int, **fields: object) -> Received:
        """`bye` with these fields, then this close code. Returns the bye."""
        close = CLOSE_CODES[code]
        bye = self.assert_received("bye", code=close.name, reconnect=close.reconnect, **fields)
        assert self.closed == code
        assert not self.inbox
        return bye

    def assert_alive(self) -> None:
        """The connection still works, and nothing else waits."""
        self.sends("ping")
        self.assert_received("pong")
        self.assert_silent()


class Project:
    """A project with a public and a private key."""

    def __init__(self, relay: CoreRelay, name: str, number: int) -> None:
        self.relay, self.id = relay, f"{name}project"
        self.workspace_id = number
        self.public_key, self.private_key = f"{name}-public", f"{name}-private"
        self.keys = {self.public_key: (2 * number, "frontend"), self.private_key: (2 * number + 1, "backend")}
        self.quota = (1_000_000, 0, MIDNIGHT)  # limit, used, reset time
        self.hold = 5.0  # s
        self.session_rate = self.address_rate = 1_000_000  # requests/s

    @property
    def tenant(self) -> Tenant:
        return self.relay.hub.tenants[self.id]

    def peer(self, ip: str = "192.0.2.1", origin: str | None = None) -> Peer:
        """A socket that has said nothing yet."""
        return Peer(self.relay, self.id, origin, ip)

    def frontend(self, ip: str = "192.0.2.1", origin: str | None = None, **hello: object) -> Peer:
        """A connected front end."""
        peer = self.peer(ip, origin)
        peer.says_hello(self.public_key, **hello)
        peer.assert_received("welcome", peer="frontend")
        return peer

    def by_http(self, key: str, ip: str = "192.0.2.1", session: str = "") -> Peer:
        """Whoever makes one HTTP request with this key of the project."""
        peer = Peer(self.relay, self.id, ip=ip, transport="http")
        self.relay.hub.admit_request(peer.connection, self.relay.admission(self, key, session))
        return peer

    def backend(self, *functions: str, **hello: object) -> Peer:
        """A connected back end with these functions."""
        peer = self.peer()
        peer.says_hello(self.private_key, **hello)
        peer.assert_received("welcome", peer="backend")
        if functions:
            peer.registers(*functions)
        return peer


class CoreRelay:
    """The hub, a clock by hand, a directory in memory. `slow_directory`: hellos wait for `look_up`."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        slow_directory: bool = False,
        settling: float = 0.0,
        choose: Callable[[int], int] = lambda below: 0,
        name: str = "",
    ) -> None:
        self.name = name  # in the ids of its connections
        self.limits = limits or Limits()
        self.now = START
        self.wall = MIDNIGHT - 86_400
        self.slow_directory = slow_directory
        self.waiting: deque[tuple[Connection, frames.Hello]] = deque()
        self.peers: list[Peer] = []
        self.hub = Hub(self.limits, self._authenticate, self.now, settling=settling, choose=choose)
        self.hub.tick(self.now, self.wall)
        self.alice = Project(self, "alice", 1)
        self.charlie = Project(self, "charlie", 2)
        self.projects = [self.alice, self.charlie]
        self.made = 0

    def advances(self, seconds: float) -> None:
        """Let time pass, tick by tick."""
        for _ in range(round(seconds / TICK)):
            self.leaps(TICK)

    def leaps(self, seconds: float) -> None:
        """Let time pass with one late tick at its end."""
        self.now += seconds
        self.wall += seconds
        self.hub.tick(self.now, self.wall)

    def registered(self, server: Peer) -> None:
        """See that what it registered is known."""
        server.assert_received("result", id="reg", data={})

    def look_up(self) -> None:
        """The slow directory answers all hellos that wait."""
        while self.waiting:
            self._answer(*self.waiting.popleft())

    def _authenticate(self, connection: Connection, hello: frames.Hello) -> None:
        if self.slow_directory:
            self.waiting.append((connection, hello))
        else:
            self._answer(connection, hello)

    def _answer(self, connection: Connection, hello: frames.Hello) -> None:
        project = next((p for p in self.projects if p.id == connection.project_id), None)
        if project is None or hello.key not in project.keys:
            self.hub.refuse(connection, Refused("unauthorized"), self.now)
            return
        self.hub.admit(connection, self.admission(project, hello.key, hello.session), self.now)

    def admission(self, project: Project, key: str, session: str) -> Admission:
        """What the directory answers of this key of the project."""
        key_id, peer = project.keys[key]
        self.made += 1
        return Admission(
            key_id=key_id,
            peer=peer,
            project_id=project.id,
            workspace_id=project.workspace_id,
            quota=project.quota,
            connection_id=f"{self.name}connection-{self.made}",
            session=session or f"session-of-{self.made:08}",
            password_digest=None,
            hold=project.hold,
            session_rate=project.session_rate,
            address_rate=project.address_rate,
            named=bool(session),
        )


def is_open(peer: Peer) -> bool:
    """Whether the hub holds it for connected."""
    return peer.connection.state is State.OPEN
