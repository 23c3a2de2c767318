"""The relay of one process: frames in, frames out.

Rule 1  The hub moves connections through their states (connection.py) and is the only one that does.
Rule 2  What a frame does wrong costs its sender only: `receive` raises nothing and harms no other connection (GP-30).
Rule 3  The hub waits for nothing. Whose a hello is, is asked through `authenticate` and told by `admit` or `refuse`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from relay.core import frames
from relay.core.connection import BACKEND, CLOSED, FREE, FRONTEND, KNOWN, NEW, OPEN, PING_EVERY, PONG_WITHIN, Connection
from relay.core.deadlines import Deadlines
from relay.core.errors import OUTCOMES, Closing, Refused, Unreadable
from relay.core.frames import encode
from relay.core.held import Held
from relay.core.limits import Limits
from relay.core.others import Others
from relay.core.quota import Quota
from relay.core.rates import Rate
from relay.core.reading import NAME_RULE, decode, is_name
from relay.core.refusals import Strays
from relay.core.sources import Address, Key, share_of
from relay.core.statistics import Totals
from relay.core.suspects import Suspects
from relay.core.tenant import Tenant
from relay.core.unsent import Unsent

Call: Final = frames.Call
Result: Final = frames.Result
LATE = 0.5  # s; after a longer gap between two ticks this process reads its sockets before it judges (GP-13)
MOST_ADDRESSES = 100_000  # addresses remembered; idle ones are forgotten every 10 s
FRAME_COST: Final = 256  # bytes that a frame costs besides its own (GP-5E)
LEASE: Final = 262_144  # bytes that a busy connection takes out of the rates at once; others less, from FREE on
QUICK: Final = 0.002  # s; a connection that used up a lease sooner lets others have the loop's next turn
BARRED = 5.0  # s that an address may open no connection after a flood (GP-53)
LONGEST_PAUSE = {  # s that a connection is left unread at once
    BACKEND: 1.0,  # less than the silence that makes a suspect (GP-13)
    FRONTEND: 5.0,  # less than the time for a pong (GP-3)
    "": 5.0,  # before the hello
}
LONGEST_WAIT = 5.0  # s; whose own rate would take longer is closed
LONGEST_ID = 32  # characters of a project's id in the address of a WebSocket, as far as it is remembered
CLOSES = {"unauthorized": 4401, "forbidden": 4403, "rate_limited": 4429, "bad_frame": 4400, "relay_unavailable": 1012}


@dataclass(frozen=True, slots=True)
class Admission:
    """What the directory found out about a hello.

    `quota`: limit, used, reset time (epoch s) of the workspace; `hold`: s that a call waits for a server to come back.
    Of a front end, `session_rate` and `address_rate`: calls and sends a second of its session and of its address;
    `named`: it has said its session itself.
    """

    key_id: int
    peer: str
    project_id: str
    workspace_id: int
    quota: tuple[int, int, float]
    connection_id: str
    session: str
    password_digest: str | None
    hold: float
    session_rate: int = 0
    address_rate: int = 0
    named: bool = True


class Hub:
    """All tenants of this process."""

    def __init__(
        self,
        limits: Limits,
        authenticate: Callable[[Connection, frames.Hello], None],
        now: float,
        *,
        settling: float = 0.0,
        choose: Callable[[int], int] = lambda below: 0,
    ) -> None:
        """`settling`: s in which back ends may still be on their way (GP-16); `choose(n)`: a random number below n."""
        self.limits, self.authenticate, self.choose = limits, authenticate, choose
        self.most = limits.frame  # bytes of one frame
        self.settled_at = now + settling
        self.ticked = now
        self.totals = Totals()
        self.traffic = self.totals.traffic
        self.deadlines = Deadlines(now)
        self.suspects = Suspects(self)
        self.others = Others()  # alone, until a backplane joins
        self.wall = 0.0  # the time of day at the last tick, epoch s
        self.waiting = Held(limits.process_waiting_bytes)
        self.subscriptions = Held(limits.process_subscription_bytes)
        self.unsent = Unsent(limits.process_unsent)
        self.strays = Strays()
        self.tenants: dict[str, Tenant] = {}
        self.quotas: dict[int, Quota] = {}
        self.addresses: dict[str, Address] = {}
        self.connections = 0

    # --- a connection's life -----------------------------------------------------------------------------------------

    def address(self, ip: str) -> Address:
        """What is known of this address."""
        address = self.addresses.get(ip)
        if address is None:
            if len(self.addresses) >= MOST_ADDRESSES:
                ip = "other"  # they share one entry until the next sweep
            address = self.addresses.setdefault(ip, Address(ip, self.limits))
        return address

    def is_barred(self, source: str, origin: str | None, now: float) -> bool:
        """Whether this address (address.source_of) may open no connection now, since one of it has flooded."""
        address = self.addresses.get(source)
        return address is not None and address.is_barred(origin, now)

    def connect(self, connection: Connection, now: float) -> None:
        """A new socket; its hello has to come in time (GP-2)."""
        self.connections += 1
        self.totals.opened[connection.transport] += 1
        connection.address.connections += 1
        if connection.address.connections > connection.address.most_connections:
            self.close(connection, Closing(4429, "Too many connections from this address.", after=10_000), now)
            return
        if connection.transport == "ws":
            if connection.address.is_barred(connection.origin, now):
                self.close(connection, Closing(4429, after=5_000), now)
                return
            self.deadlines.set(connection, now + self.limits.hello_seconds)

    def admit(self, connection: Connection, admission: Admission, now: float) -> None:
        """The hello was good: the peer is let in, and what it sent behind its hello is handled."""
        if connection.state is not KNOWN:
            return
        tenant = self.tenant(admission)
        try:
            self._enter(connection, tenant, admission, now)
        except Refused as refused:
            self.refuse(connection, refused, now)
            return
        connection.let_in()
        connection.send(encode(self._welcome(connection)))
        if connection.peer == BACKEND:
            self.others.changed(connection)
        self.deadlines.set(connection, now + PING_EVERY[connection.peer])
        if connection.hello is not None and connection.hello.token:
            connection.notice("bad_frame", "Tokens are not verified by this relay yet; yours is ignored.", "hello")
        backlog, connection.backlog, connection.hello = connection.backlog, [], None
        for raw in backlog:
            self.receive(connection, raw, now)

    def admit_request(self, connection: Connection, admission: Admission) -> None:
        """Let the caller of one HTTP request in; `request` follows."""
        tenant = self.tenant(admission)
        key = self._key(tenant, admission.key_id)
        connection.state = OPEN
        self._identify(connection, tenant, key, admission)

    def admit_stream(self, connection: Connection, admission: Admission, now: float) -> None:
        """Let a subscriber by HTTP in, which stays; `request` follows. Raises Refused."""
        self._enter(connection, self.tenant(admission), admission, now)

    def refuse(self, connection: Connection, refused: Refused, now: float) -> None:
        """The hello was not good."""
        if connection.state is CLOSED:
            return
        self.totals.hellos_refused[refused.code] += 1
        self.refused_hello(connection, connection.project_id, refused.code, refused.about)
        self.close(connection, Closing(CLOSES[refused.code], refused.message, refused.retry_after), now)

    def refused_hello(self, connection: Connection, project_id: str, code: str, name: str | None) -> None:
        """Count for this project that a connection, or an HTTP request, was not let in; it may not exist.

        `name`: what was wrong with it, if that has a name.
        """
        tenant = self.tenants.get(project_id)
        ip = connection.address.ip
        refusals = self.strays.of(project_id[:LONGEST_ID], ip) if tenant is None else tenant.refusals
        if refusals is not None:
            refusals.add("hello", code, name or "", ip, self.wall)

    def refused(self, connection: Connection, request: str, name: str, code: str) -> None:
        """Count a request of a peer that was let in, and refused; `request`: the type of the frame that it is."""
        self.totals.refused[code] += 1
        if connection.tenant is not None:
            connection.tenant.refused(connection, request if request in frames.TYPES else "frame", code, name)

    def close(self, connection: Connection, closing: Closing, now: float) -> None:
        """End a connection from this side: out of everything, `bye`, close."""
        if connection.state is not CLOSED:
            self.totals.closes[closing.number] += 1
            self.disconnect(connection, now)
            connection.bye(closing)

    def disconnect(self, connection: Connection, now: float) -> None:
        """Its socket ended, or its HTTP request did. Told twice, the second time does nothing."""
        if connection.state is CLOSED:
            return
        connection.state = CLOSED
        connection.backlog, connection.hello = [], None
        self.deadlines.drop(connection)
        self.connections -= 1
        connection.address.connections -= 1
        if connection.tenant is None:
            return
        self.totals.connected[connection.peer, connection.transport] -= 1
        if connection.key is not None:
            connection.key.connections -= 1
        for rate in connection.shared:
            rate.leave(now)
        if connection in connection.tenant.connections:
            connection.tenant.leave(connection, now)
        else:
            connection.tenant.calls.lost(connection, now)

    def connection_due(self, connection: Connection, now: float) -> None:
        """Its deadline came (Connection.expire)."""
        if now - self.ticked > LATE:
            self.deadlines.set(connection, now + LATE)  # first its socket is read
        elif connection.state is not OPEN:
            self.close(connection, Closing(4408), now)
        elif not connection.ping_sent:
            connection.ping_sent = now
            connection.send(frames.PING)
            self.deadlines.set(connection, now + PONG_WITHIN[connection.peer])
        elif connection.heard > connection.ping_sent:
            next_ping = connection.ping_sent + PING_EVERY[connection.peer]
            connection.ping_sent = 0.0
            self.deadlines.set(connection, next_ping)
        else:
            self.close(connection, Closing(4409), now)

    # --- frames ------------------------------------------------------------------------------------------------------

    def receive(self, connection: Connection, raw: bytes, now: float) -> None:
        """One text frame (valid UTF-8) came from this peer."""
        connection.heard = now
        self.traffic.frames_in += 1
        self.traffic.bytes_in += len(raw)
        connection.credit -= len(raw) + FRAME_COST
        if connection.credit < 0:
            self._take_lease(connection, now)
            if connection.state is CLOSED:
                return
        if connection.suspect_since:
            self.suspects.heard(connection, now)
        frame: frames.AnyFrame | None = None
        try:
            if len(raw) > self.most:
                self._oversized(connection, raw, now)
                return
            if connection.state is not OPEN:
                self._before_welcome(connection, raw, now)
                return
            frame = decode(raw)
            tenant = connection.tenant
            assert tenant is not None
            if isinstance(frame, Call):  # these two are nearly all there are
                self._charge(connection, now)
                tenant.calls.call(connection, frame, now)
            elif isinstance(frame, Result):
                tenant.calls.result(connection, frame, now)
            else:
                handler = tenant.handlers[type(frame)]
                if handler.charged:
                    self._charge(connection, now)
                handler.handle(connection, frame, now)
        except Refused as refused:
            self._answer_refused(connection, frame, refused, now)
        except Unreadable as unreadable:
            self.close(connection, Closing(4400, unreadable.message), now)

    def control(self, connection: Connection, fragment: bool, now: float) -> bool:
        """Charge a frame of WebSocket's own: a ping, a pong, a small part of a message, or a `fragment` (GP-53, GP-5E).

        Return whether it is to be handled.
        """
        connection.credit -= FRAME_COST
        if connection.credit < 0:
            self._take_lease(connection, now)
        if not fragment:
            return self.charge_idle(connection, now)
        return connection.state is not CLOSED

    def _take_lease(self, connection: Connection, now: float) -> None:
        """Take the bytes of the last and the next frames out of the rates, and leave the rest unread meanwhile (GP-5E).

        A connection whose own rate would make it wait too long is closed.
        """
        before = now - connection.leased_at
        connection.lease = FREE if before > 1.0 else min(LEASE, 2 * connection.lease)
        size = connection.lease - connection.credit
        wait = self.pay(connection, size, now)
        connection.credit, connection.leased_at = connection.lease, now
        if connection.bytes.delay(now) > LONGEST_WAIT:
            self._bar(connection, "Too many bytes.", now)
        elif wait or before < QUICK:
            connection.pause(min(wait, LONGEST_PAUSE[connection.peer]))

    def pay(self, connection: Connection, size: int, now: float) -> float:
        """Take bytes out of the rates of the connection, its key and its address; return the s until all are kept."""
        wait = max(connection.bytes.pay(now, size), connection.address.bytes.pay(now, size))
        return wait if connection.key is None else max(wait, connection.key.bytes.pay(now, size))

    def expect(self, connection: Connection, cmd: str | None, now: float) -> None:
        """Charge an HTTP request whose body is still to come; `cmd` is the function it names, if it names one.

        Raises Refused `rate_limited`, or what the function's name alone decides: `no_such_function`, `bad_frame`.
        Whoever asked counts it (`refused`).
        """
        assert connection.tenant is not None
        self._charge(connection, now)
        if cmd is not None:
            connection.tenant.calls.function(cmd, now)

    def expect_bytes(self, connection: Connection, size: int, now: float) -> None:
        """Charge the body of an HTTP request before it is parsed. Raises Refused `rate_limited` (GP-5E).

        Whoever asked counts it (`refused`).
        """
        assert connection.key is not None
        wait = max(connection.address.bytes.delay(now), connection.key.bytes.delay(now))
        if wait:
            raise Refused("rate_limited", "Too many bytes a second.", retry_after=int(wait * 1000) + 1)
        self.pay(connection, size + FRAME_COST, now)

    def request(self, connection: Connection, frame: frames.AnyFrame, now: float) -> None:
        """Handle the frame that an HTTP request stands for; `expect` has charged it."""
        assert connection.tenant is not None
        try:
            connection.tenant.handlers[type(frame)].handle(connection, frame, now)
        except Refused as refused:
            self._answer_refused(connection, frame, refused, now)

    def _charge(self, connection: Connection, now: float) -> None:
        """Take one request out of the rates. Raises Refused."""
        assert connection.key is not None
        rate = connection.rate
        if rate.take(now):
            rate = connection.key.rate
            if rate.take(now):
                rate = connection.address.rate
                if rate.take(now):
                    return
        raise Refused("rate_limited", retry_after=rate.wait(now))

    def charge_idle(self, connection: Connection, now: float) -> bool:
        """Charge a frame that asks for nothing and answers nobody like a bad one (GP-53).

        Return False when the rate is exceeded: then nothing more is done for the frame.
        """
        if connection.rate.take(now) and connection.address.rate.take(now):
            return True
        self._may_go_on(connection, now)
        return False

    def _may_go_on(self, connection: Connection, now: float) -> bool:
        """Close a connection that stays far above its rate; return whether it is still open (GP-53)."""
        if connection.flood.take(now):
            return True
        self._bar(connection, "", now)
        return False

    def _bar(self, connection: Connection, message: str, now: float) -> None:
        """Close a connection that floods, and let its share of the address open none for a while (GP-53)."""
        connection.address.barred[share_of(connection.origin)] = now + BARRED
        self.close(connection, Closing(4429, message, after=int(BARRED * 1000)), now)

    def _answer_refused(
        self, connection: Connection, frame: frames.AnyFrame | None, refused: Refused, now: float
    ) -> None:
        if connection.state is not OPEN:
            self.totals.hellos_refused[refused.code] += 1
            self.refused_hello(connection, connection.project_id, refused.code, "")  # `about` is the frame's type
            self.close(connection, Closing(4400, refused.message), now)
            return
        kind = frame.__struct_config__.tag if frame is not None else refused.about
        self.refused(connection, str(kind), _name_in(frame), refused.code)
        over = refused.code == "rate_limited" if frame is not None else not connection.rate.take(now)
        if over and not self._may_go_on(connection, now):
            return
        request_id = refused.id if frame is None else getattr(frame, "id", None)
        outcome = OUTCOMES[refused.code]
        in_flight = request_id in connection.calling  # an `error` would end that call for its caller (GP-52)
        if kind in frames.REQUESTS and isinstance(request_id, str) and not in_flight:
            out: frames.Out = frames.ErrorOut(
                id=request_id,
                code=refused.code,
                message=refused.message,
                retryable=outcome.retryable,
                retry_after=UNSET if refused.retry_after is None else refused.retry_after,
                data=UNSET if refused.data is None else Raw(encode(refused.data)),
            )
        else:
            out = frames.Notice(
                code=refused.code,
                message=refused.message,
                about=_about(frame, kind),
                id=request_id if isinstance(request_id, str) else UNSET,
                retry_after=UNSET if refused.retry_after is None else refused.retry_after,
                data=UNSET if refused.data is None else refused.data,
            )
        connection.send(encode(out))

    def _oversized(self, connection: Connection, raw: bytes, now: float) -> None:
        """Above the limit, but still read. Raises Refused."""
        if len(raw) > 2 * self.limits.frame:
            self.close(connection, Closing(1009), now)
            return
        if connection.tenant is None:
            self.close(connection, Closing(4413), now)
            return
        frame = decode(raw)
        if isinstance(frame, frames.Result | frames.Error) and (call := connection.serving.get(frame.id)):
            connection.tenant.calls.too_large(call, now)
            return
        kind = str(frame.__struct_config__.tag)
        request_id = getattr(frame, "id", None) if kind in frames.REQUESTS else None
        message = f"The frame has {len(raw)} bytes; the limit is {self.limits.frame}."
        raise Refused(
            "payload_too_large", message, data={"limit": self.limits.frame}, about=kind, id=request_id or None
        )

    def _before_welcome(self, connection: Connection, raw: bytes, now: float) -> None:
        """The hello, or what was sent behind it. Raises Refused or Unreadable."""
        if connection.state is KNOWN:
            connection.backlog.append(raw)
            connection.backlog_bytes += len(raw)
            if len(connection.backlog) > self.limits.hello_frames or connection.backlog_bytes > self.limits.frame:
                self.close(connection, Closing(4413), now)
        elif len(raw) > self.limits.hello_bytes:
            self.close(connection, Closing(4413), now)
        elif connection.state is NEW:
            self._hello(connection, decode(raw), now)

    def _hello(self, connection: Connection, frame: frames.AnyFrame, now: float) -> None:
        """The first frame. Raises Refused; who it is, `authenticate` finds out."""
        if not isinstance(frame, frames.Hello):
            raise Refused("bad_frame", "The first frame must be `hello`.")
        if frame.session.startswith("$gluer"):
            raise Refused("bad_frame", "Session ids that begin with $gluer are reserved.")
        if not (is_name(frame.session) and is_name(frame.name) and is_name(frame.sdk)):
            raise Refused("bad_frame", f"Each of session, name and sdk {NAME_RULE}.")
        address = connection.address
        if not address.hellos.take(now):
            self.refuse(connection, Refused("rate_limited", "Too many connections from this address.", 1_000), now)
            return
        connection.state = KNOWN
        connection.hello = frame
        connection.name, connection.sdk = frame.name, frame.sdk
        self.authenticate(connection, frame)

    # --- tenants -----------------------------------------------------------------------------------------------------

    def tenant(self, admission: Admission) -> Tenant:
        tenant = self.tenants.get(admission.project_id)
        if tenant is None:
            quota = self.quotas.get(admission.workspace_id)
            if quota is None:
                quota = self.quotas[admission.workspace_id] = Quota(admission.workspace_id, *admission.quota)
            tenant = Tenant(admission.project_id, quota, admission.hold, self)
            self.tenants[admission.project_id] = tenant
        return tenant

    def _key(self, tenant: Tenant, key_id: int) -> Key:
        key = tenant.keys.get(key_id)
        if key is None:
            key = tenant.keys[key_id] = Key(key_id, self.limits)
        return key

    def _enter(self, connection: Connection, tenant: Tenant, admission: Admission, now: float) -> None:
        key = self._key(tenant, admission.key_id)
        if key.connections >= key.most_connections or not key.hellos.take(now):
            raise Refused("rate_limited", "Too many connections with this key.", retry_after=1_000)
        connection.id, connection.session, connection.peer = admission.connection_id, admission.session, admission.peer
        tenant.enter(connection)
        connection.state = OPEN
        self._identify(connection, tenant, key, admission)

    def _identify(self, connection: Connection, tenant: Tenant, key: Key, admission: Admission) -> None:
        """From now on the connection acts for this key; its header is built once (GP-18)."""
        key.connections += 1
        connection.tenant, connection.key = tenant, key
        connection.id, connection.session, connection.peer = admission.connection_id, admission.session, admission.peer
        connection.password_digest = admission.password_digest
        if connection.peer == BACKEND:
            connection.bytes = Rate(self.limits.backend_rate_bytes)
        else:
            tenant.limit_visitors(admission.session_rate, admission.address_rate)
            by_address = tenant.address_rates.join(connection.address.ip)
            alone = connection.transport == "http" and not admission.named  # a session of this one request
            connection.shared = (by_address,) if alone else (tenant.session_rates.join(connection.session), by_address)
        self.totals.connected[connection.peer, connection.transport] += 1
        connection.public_header = Raw(encode(frames.PublicHeader(connection.id, connection.peer)))
        connection.header = Raw(
            encode(
                frames.Header(
                    session=connection.session,
                    connection=connection.id,
                    peer=connection.peer,
                    ip=connection.ip,
                    transport=connection.transport,
                    connected_at=connection.connected_at,
                    origin=UNSET if connection.origin is None else connection.origin,
                )
            )
        )

    def _welcome(self, connection: Connection) -> frames.Welcome:
        limits = self.limits
        return frames.Welcome(
            connection=connection.id,
            session=connection.session,
            peer=connection.peer,
            ping=PING_EVERY[connection.peer],
            limits=frames.ConnectionLimits(limits.frame, limits.timeout, limits.in_flight, limits.rate),
        )

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self, now: float, wall: float) -> None:
        """Let everything that is due fall due. `wall` is the time of day, epoch s."""
        slept = now - self.ticked
        minute = int(wall) // 60
        if minute != int(self.wall) // 60:
            for tenant in self.tenants.values():
                tenant.statistics.turn(minute)
        self.wall = wall
        self.deadlines.tick(now)
        if slept > LATE:
            self.suspects.slept(slept, now)
        else:
            self.suspects.tick(now)
        self.ticked = now

    def take_counts(self) -> dict[tuple[int, str], int]:
        """Requests counted since the last call, by workspace and project."""
        counts = {}
        for tenant in self.tenants.values():
            if requests := tenant.take_requests():
                counts[tenant.quota.workspace_id, tenant.project_id] = requests
                self.totals.requests += requests
        return counts

    def end_doubt(self) -> None:
        """Let calls count that another process has, handed over or not: this process ends, and will not hear of it."""
        for tenant in self.tenants.values():
            tenant.calls.end_doubt()

    def sweep(self, now: float) -> None:
        """Forget what is no longer in use."""
        for tenant in list(self.tenants.values()):
            tenant.tidy(now)
            if tenant.is_idle:
                del self.tenants[tenant.project_id]
        self.strays.forget(self.wall)
        used = {tenant.quota.workspace_id for tenant in self.tenants.values()}
        self.quotas = {w: quota for w, quota in self.quotas.items() if w in used or quota.unrecorded}
        self.addresses = {ip: address for ip, address in self.addresses.items() if not address.idle(now)}


def _about(frame: frames.AnyFrame | None, kind: object) -> str | UnsetType:
    """What a notice is about: the command, the channel, or the frame's type."""
    return _name_in(frame) or (str(kind) if kind else UNSET)


def _name_in(frame: frames.AnyFrame | None) -> str:
    """The command or the channel that a frame names; empty if it names none."""
    for field in ("cmd", "channel"):
        if name := getattr(frame, field, None):
            return str(name)
    return ""
