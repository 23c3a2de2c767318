"""All state of ONE project in this process.

A connection knows only its own Tenant: isolation between projects is the shape of the data, not a check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET, Raw

from relay.core import frames
from relay.core.calls import Calls
from relay.core.channels import Channels
from relay.core.connection import BACKEND, FRONTEND, Connection
from relay.core.errors import Refused
from relay.core.frames import encode
from relay.core.functions import Function, Functions
from relay.core.held import Held
from relay.core.quota import Quota
from relay.core.rates import Rate
from relay.core.sources import Key, SharedRates
from relay.core.statistics import Statistics
from relay.core.unsent import Unsent

if TYPE_CHECKING:
    from relay.core.hub import Hub


CALLS = ("call", "send")  # requests whose refusal is an outcome among those of calls


class Handler(NamedTuple):
    """What is done with one type of frame. `charged`: it counts against the rates (GP-53)."""

    charged: bool
    handle: Callable[[Connection, Any, float], None]


class Tenant:
    """A project's connections, functions, calls, channels and counters."""

    def __init__(self, project_id: str, quota: Quota, hold: float, hub: Hub) -> None:
        self.project_id, self.quota, self.hub = project_id, quota, hub
        self.hold = hold  # s that a call waits for a server to come back (GP-16)
        self.limits, self.deadlines, self.suspects, self.choose = hub.limits, hub.deadlines, hub.suspects, hub.choose
        self.statistics = Statistics(int(hub.wall) // 60, hub.totals.events)
        self.refusals = hub.strays.take(project_id)
        self.connections: dict[Connection, None] = {}
        self.by_id: dict[str, Connection] = {}
        self.remote: dict[str, Connection] = {}  # servers of other processes, by id (others.py)
        self.callers: dict[str, Connection] = {}  # each stands for all callers of another process, by its id
        self.sessions: dict[str, list[Connection]] = {}
        self.keys: dict[int, Key] = {}
        self.session_rates, self.address_rates = SharedRates("session"), SharedRates("address")
        self.functions = Functions(hub.limits.functions, hub.limits.function_bytes)
        self.calls = Calls(self)
        held = Held(hub.limits.project_subscription_bytes, hub.subscriptions)
        self.channels = Channels(hub.limits.subscriptions, held)
        self.unsent = Unsent(hub.limits.project_unsent, hub.unsent)
        self.deliveries = Rate(hub.limits.project_deliveries)
        self.delivery_bytes = Rate(hub.limits.project_delivery_bytes)
        self.requests = 0  # counted and not yet sealed into a batch (GP-40)
        self.in_doubt = 0  # of them: calls that another process has, and may not have handed over
        self.handlers: dict[type, Handler] = {
            frames.Call: Handler(True, self.calls.call),
            frames.Result: Handler(False, self.calls.result),
            frames.Send: Handler(True, self.calls.send),
            frames.Progress: Handler(False, self.calls.progress),
            frames.Error: Handler(False, self.calls.error),
            frames.Cancel: Handler(False, self.calls.cancel),
            frames.Publish: Handler(True, self.publish),
            frames.Subscribe: Handler(True, self.subscribe),
            frames.Unsubscribe: Handler(True, self.unsubscribe),
            frames.Register: Handler(True, self.register),
            frames.Unregister: Handler(True, self.unregister),
            frames.Drain: Handler(True, self.drain),
            frames.Hello: Handler(True, _second_hello),
            frames.Ping: Handler(False, _pong),
            frames.Pong: Handler(False, _heard),
        }

    # --- who is here -------------------------------------------------------------------------------------------------

    def enter(self, connection: Connection) -> None:
        """Let a peer in. Raises Refused when its session or the project is full."""
        if connection.peer != BACKEND and len(self.connections) >= self.limits.project_connections:
            raise Refused("rate_limited", "Too many connections of this project.", retry_after=1_000)
        session = self.sessions.get(connection.session, [])
        if len(session) >= self.limits.session_connections:
            raise Refused(
                "rate_limited",
                f"This session has {len(session)} connections, and no room for more: give each client its own session.",
            )
        self.sessions[connection.session] = [*session, connection]
        self.connections[connection] = None
        self.by_id[connection.id] = connection

    def leave(self, connection: Connection, now: float) -> None:
        """Take a peer out of everything: first the rotation, then its calls end."""
        if connection.peer == BACKEND:
            self.hub.others.gone(connection)
        del self.connections[connection], self.by_id[connection.id]
        session = self.sessions[connection.session]
        session.remove(connection)
        if not session:
            del self.sessions[connection.session]
        functions = self.functions.lose(connection, now)
        self.suspects.gone(connection)
        self.channels.unsubscribe(connection, list(connection.channels))
        self.calls.lost(connection, now)
        for function in functions:
            self.calls.settle(function, now)

    def leave_remote(self, server: Connection, now: float) -> list[Function]:
        """A server of another process leaves the rotation. Its calls go on; those that wait are to be settled."""
        del self.remote[server.id]
        return self.functions.lose(server, now)

    def check_target(self, caller: Connection, to: frames.Target) -> None:
        """Raises Refused when this caller may not name a front end, or does so wrongly."""
        _only_back_ends(caller, "Only back ends call a front end (`to`).")
        if (to.session is None) == (to.connection is None):
            raise Refused("bad_frame", "`to` takes either a session or a connection.")

    def targets(self, to: frames.Target) -> list[Connection]:
        """The front ends of this process that `to` names, the youngest last."""
        found = self.sessions.get(to.session, []) if to.session else [self.by_id.get(to.connection or "")]
        return [c for c in found if c is not None and c.peer == FRONTEND and c.transport == "ws"]  # who can answer

    def is_settling(self, now: float) -> bool:
        """The relay is so young that back ends may still be on their way (GP-16)."""
        return now < self.hub.settled_at

    def tidy(self, now: float) -> None:
        """Forget what was remembered long enough."""
        self.keys = {key_id: key for key_id, key in self.keys.items() if not key.idle(now)}
        self.session_rates.forget(now)
        self.address_rates.forget(now)
        self.functions.forget(now)
        self.calls.repeats.forget(now)
        self.refusals.forget(self.hub.wall)

    @property
    def is_idle(self) -> bool:
        """Nobody is here, and nothing is remembered."""
        return not (
            self.connections
            or self.remote
            or self.keys
            or self.session_rates.by_name
            or self.address_rates.by_name
            or self.calls.running
            or self.calls.repeats.by_scope
            or self.functions.by_name
            or self.requests
            or not self.statistics.is_empty
            or self.refusals.rows
        )

    # --- what is counted ---------------------------------------------------------------------------------------------

    def limit_visitors(self, session_rate: int, address_rate: int) -> None:
        """Set the calls and sends a second of all front ends of one session, and of one address (GP-53)."""
        self.session_rates.change(session_rate)
        self.address_rates.change(address_rate)

    def check_use(self, caller: Connection, now: float) -> None:
        """Take one call or send of this caller. Raises Refused `rate_limited` or `quota_exceeded`."""
        for rate in caller.shared:
            if not rate.take(now):
                raise rate.refusal(now)
        self.check_quota()

    def check_quota(self) -> None:
        """Raises Refused `quota_exceeded` when the workspace has used up its plan."""
        quota = self.quota
        if quota.recorded + quota.unrecorded >= quota.limit:
            raise quota.refusal(self.hub.wall)

    def check_deliveries(self, now: float) -> None:
        """Raises Refused `rate_limited` while more is delivered in this project than may be (GP-22)."""
        for rate in (self.deliveries, self.delivery_bytes):
            if rate.is_over(now):
                raise Refused("rate_limited", "Too much is delivered in this project.", retry_after=rate.wait(now))

    def delivered(self, receivers: int, size: int, now: float) -> None:
        """Charge a frame of `size` bytes that was sent to so many peers."""
        self.deliveries.pay(now, receivers)
        self.delivery_bytes.pay(now, receivers * size)

    def refused(self, connection: Connection, request: str, code: str, name: str) -> None:
        """Count a refused request of this type, for the project's people to see; without a name, it had no function."""
        self.refusals.add(request, code, name, connection.address.ip, self.hub.wall)
        if name and request in CALLS:
            self.statistics.add(code)

    def count(self) -> None:
        """Count one request (GP-40)."""
        self.requests += 1
        self.quota.unrecorded += 1

    def take_back(self) -> None:
        """Count a request no longer that is in doubt: nobody got it (GP-40)."""
        self.requests -= 1
        self.quota.unrecorded -= 1

    def take_requests(self) -> int:
        """Take the requests that were counted since the last call, without those in doubt."""
        taken = self.requests - self.in_doubt
        self.requests = self.in_doubt
        return taken

    def published(self) -> None:
        """Count a publish that was applied."""
        self.hub.totals.published += 1
        self.count()

    # --- requests that are no calls ----------------------------------------------------------------------------------

    def register(self, connection: Connection, frame: frames.Register, now: float) -> None:
        """A back end offers functions; once it is answered, a call finds them at any process (GP-58)."""
        _only_back_ends(connection, "Only back ends register functions; connect with the private key.")
        functions = self.functions.register(connection, frame.functions)
        self.hub.others.changed(connection, [function.name for function in functions])
        if not self.hub.others.registered(connection, frame.id):
            answer(connection, frame.id)
        for function in functions:
            self.calls.settle(function, now)

    def unregister(self, connection: Connection, frame: frames.Unregister, now: float) -> None:
        """A back end takes functions back; their calls in flight go on."""
        _only_back_ends(connection, "Only back ends unregister functions.")
        taken_back = []
        for spec in frame.functions:
            function = self.functions.unregister(connection, spec.name)
            if function is not None:
                self.calls.unregistered(function, now)
                taken_back.append(function.name)
        self.hub.others.changed(connection, taken_back)
        answer(connection, frame.id)

    def drain(self, connection: Connection, frame: frames.Drain, now: float) -> None:
        """A back end takes no new calls; those in flight finish (GP-59)."""
        _only_back_ends(connection, "Only back ends drain.")
        connection.draining, connection.takes_calls = True, False
        self.hub.others.changed(connection)
        for seat in connection.seats.values():
            self.calls.settle(seat.function, now)
        if frame.id is not UNSET:
            answer(connection, frame.id)

    def subscribe(self, connection: Connection, frame: frames.Subscribe, now: float) -> None:
        """The answer comes before the channel's first message (GP-20)."""
        answer(connection, frame.id, Raw(encode(self.channels.subscribe(connection, frame))))

    def unsubscribe(self, connection: Connection, frame: frames.Unsubscribe, now: float) -> None:
        """Without channels, the answer tells a subscriber that moves that it has had all there is (GP-24)."""
        self.channels.unsubscribe(connection, frame.channels)
        if frame.channels or not self.hub.others.catch_up(connection, frame.id):
            answer(connection, frame.id)

    def publish(self, connection: Connection, frame: frames.Publish, now: float) -> None:
        """A back end sends a message to a channel's subscribers."""
        _only_back_ends(connection, "Front ends may not publish in this project; publish from a back end.")
        self.check_deliveries(now)
        self.check_quota()
        if self.hub.others.publish(self, connection, frame, now):
            return  # what is answered, and whether it counts, they know
        receivers = self.channels.publish(connection, frame)
        self.hub.totals.delivered += receivers
        self.delivered(receivers, len(frame.data), now)
        self.published()
        if frame.id is not UNSET:
            answer(connection, frame.id, Raw(b'{"receivers":%d}' % receivers))


def answer(connection: Connection, request_id: str, data: Raw = frames.EMPTY) -> None:
    """The result of a request that the relay itself answers."""
    connection.send(encode(frames.ResultOut(id=request_id, data=data)))


def _second_hello(connection: Connection, frame: frames.Hello, now: float) -> None:
    raise Refused("bad_frame", "`hello` is only a connection's first frame.")


def _pong(connection: Connection, frame: frames.Ping, now: float) -> None:
    if connection.hub.charge_idle(connection, now):
        connection.send(frames.PONG)


def _heard(connection: Connection, frame: frames.Pong, now: float) -> None:
    """Charge a pong: that the peer lives, any frame says."""
    connection.hub.charge_idle(connection, now)


def _only_back_ends(connection: Connection, sentence: str) -> None:
    if connection.peer != BACKEND:
        raise Refused("forbidden", sentence)
