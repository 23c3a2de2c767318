"""Any interleaving of valid and invalid frames does what the reference says, and nothing else (GP-10 to GP-17, GP-40).

Two projects use the same names, and have the same call ids in flight. After each step every peer has received exactly
what the reference expected of it, and the hub's tables hold exactly the reference's calls. Here every server answers
pings and takes its functions back before it leaves, so no call waits: test_lifetimes.py is about those that do.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay.core.limits import Limits
from tests.relay.core.cast import TICK, CoreRelay, Project, Received
from tests.relay.core.reference import MOST_IN_FLIGHT, Actor, Expected, ReferenceCall, ReferenceProject

MOST_ACTORS = 7  # of one project
PLENTY = 1_000_000  # a rate that is never met
TIMEOUTS = (100, 1_000, 4_000)  # ms
LONGEST = 5.0  # s: after it every call has ended
NAMES = ("a:b", "c:d", "never:registered")
CALL_IDS = ("c1", "c2", "c3", "c4", "c5")

projects = st.integers(0, 1)
anybody = st.integers(0, MOST_ACTORS - 1)
functions = st.sampled_from(NAMES)
call_ids = st.sampled_from(CALL_IDS)
channels = st.sampled_from(["news", "sports"])
codes = st.sampled_from(
    ["app_error", "rejected", "invalid_arguments", "payload_too_large", "callee_lost", "deadline_exceeded"]
)
strange_frames = st.sampled_from(
    [
        '{"type":"dance"}',
        '{"type":"result","id":5}',
        '{"type":"send"}',
        '{"type":"cancel"}',
        '{"type":"hello","key":"alice-private"}',
        '{"type":"call","id":"\\ud800","cmd":"a:b"}',
        '{"type":"publish","channel":5}',
        "{}",
    ]
)
unreadable_frames = st.sampled_from(["", "[]", "garbage", '{"type":"call","id":"c1","cmd":"a:b"', '{"type":"x" y'])


class Interleavings(RuleBasedStateMachine):
    """Frames and events in any order."""

    def __init__(self) -> None:
        super().__init__()
        limits = Limits(rate=PLENTY, key_rate=PLENTY, ip_rate=PLENTY, ip_hellos=PLENTY, in_flight=MOST_IN_FLIGHT)
        self.relay = CoreRelay(limits)
        self.projects = (self.relay.alice, self.relay.charlie)
        self.references = (ReferenceProject(), ReferenceProject())
        self.tokens = itertools.count(1)

    # --- who is here -------------------------------------------------------------------------------------------------

    @initialize()
    def a_page_and_two_servers_each(self) -> None:
        for number in (0, 1):
            for backend in (False, True, True):
                self.connect(number, backend)
            self.register(number, 1, ["a:b", "c:d"])
            self.register(number, 2, ["a:b"])

    @rule(number=projects, backend=st.booleans())
    def connect(self, number: int, backend: bool) -> None:
        project, reference = self.projects[number], self.references[number]
        if len(reference.actors) < MOST_ACTORS:
            peer = project.backend() if backend else project.frontend()
            reference.actors.append(Actor(peer, backend))

    @rule(number=projects, who=anybody)
    def leave(self, number: int, who: int) -> None:
        actor = self.actor(number, who)
        self.take_back(number, actor)
        self.references[number].leave(actor)
        actor.peer.leaves()
        self.settle(ordered=False)

    @rule(number=projects, who=anybody, text=unreadable_frames)
    def be_unreadable(self, number: int, who: int, text: str) -> None:
        actor = self.actor(number, who)
        self.take_back(number, actor)
        self.references[number].leave(actor)
        actor.peer.sends_raw(text)
        assert (actor.peer.inbox[-1]["type"], actor.peer.closed) == ("bye", 4400)
        self.settle(ordered=False)

    def take_back(self, number: int, actor: Actor) -> None:
        if actor.backend:
            self.references[number].unregister(actor, list(NAMES))
            actor.peer.sends("unregister", id="r", functions=[{"name": name} for name in NAMES])
            self.settle()

    # --- functions ---------------------------------------------------------------------------------------------------

    @rule(number=projects, who=anybody, names=st.lists(functions, max_size=2))
    def register(self, number: int, who: int, names: list[str]) -> None:
        names = [name for name in names if name != "never:registered"]
        actor = self.actor(number, who)
        self.references[number].register(actor, names)
        actor.peer.sends("register", id="r", functions=[{"name": name} for name in names])
        self.settle()

    @rule(number=projects, who=anybody, names=st.lists(functions, max_size=2))
    def unregister(self, number: int, who: int, names: list[str]) -> None:
        actor = self.actor(number, who)
        self.references[number].unregister(actor, names)
        actor.peer.sends("unregister", id="r", functions=[{"name": name} for name in names])
        self.settle()

    # --- callers -----------------------------------------------------------------------------------------------------

    @rule(number=projects, who=anybody, ids=st.lists(call_ids, min_size=1, max_size=4), cmd=functions, data=st.data())
    def call(self, number: int, who: int, ids: list[str], cmd: str, data: st.DataObject) -> None:
        """Several in a row: what arrives is compared in order (GP-17)."""
        actor = self.actor(number, who)
        for call_id in ids:
            timeout, token = data.draw(st.sampled_from(TIMEOUTS)), self.token(number)
            self.references[number].call(actor, call_id, cmd, token, timeout, self.relay.now)
            actor.peer.calls(cmd, call_id, data=token, timeout=timeout)
        self.settle()

    @rule(number=projects, who=anybody, call_id=call_ids)
    def call_wrongly(self, number: int, who: int, call_id: str) -> None:
        actor = self.actor(number, who)
        self.references[number].wrong_call(actor, call_id)
        actor.peer.calls("a:b", call_id, timeout=0)
        self.settle()

    @rule(number=projects, who=anybody, cmd=functions)
    def send(self, number: int, who: int, cmd: str) -> None:
        actor, token = self.actor(number, who), self.token(number)
        self.references[number].send(actor, cmd, token)
        actor.peer.sends("send", cmd=cmd, data=token)
        self.settle()

    @rule(number=projects, who=anybody, call_id=call_ids)
    def cancel(self, number: int, who: int, call_id: str) -> None:
        actor = self.actor(number, who)
        self.references[number].cancel(actor, call_id)
        actor.peer.sends("cancel", id=call_id)
        self.settle()

    # --- callees -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(reference.in_flight for reference in self.references))
    @rule(number=projects, which=st.integers(0, 50), kind=st.sampled_from(["result", "progress", "error"]), code=codes)
    def answer(self, number: int, which: int, kind: str, code: str) -> None:
        """By the server that has the call."""
        calls = list(self.references[number].in_flight.values())
        if calls:
            call = calls[which % len(calls)]
            self.answer_as(number, call.seat.server, call.id, kind, code)

    @rule(number=projects, who=anybody, relay_id=st.integers(0, 12), kind=st.sampled_from(["result", "progress"]))
    def answer_anything(self, number: int, who: int, relay_id: int, kind: str) -> None:
        """By anybody, to a call of somebody else, of the past or of the future."""
        self.answer_as(number, self.actor(number, who), str(relay_id), kind, "app_error")

    def answer_as(self, number: int, actor: Actor, relay_id: str, kind: str, code: str) -> None:
        token, reference = self.token(number), self.references[number]
        if kind == "error":
            reference.error(actor, relay_id, code)
            actor.peer.sends("error", id=relay_id, code=code, message="No.")
        else:
            (reference.result if kind == "result" else reference.progress)(actor, relay_id, token)
            actor.peer.sends(kind, id=relay_id, data=token)
        self.settle()

    # --- channels and nonsense ---------------------------------------------------------------------------------------

    @rule(number=projects, who=anybody, channel=channels, leaves=st.booleans())
    def subscribe(self, number: int, who: int, channel: str, leaves: bool) -> None:
        actor, reference = self.actor(number, who), self.references[number]
        (reference.unsubscribe if leaves else reference.subscribe)(actor, channel)
        actor.peer.sends("unsubscribe" if leaves else "subscribe", id="s", channels=[channel])
        self.settle()

    @rule(number=projects, who=anybody, channel=channels)
    def publish(self, number: int, who: int, channel: str) -> None:
        actor, token = self.actor(number, who), self.token(number)
        self.references[number].publish(actor, channel, token)
        actor.peer.sends("publish", id="p", channel=channel, data=token)
        self.settle()

    @rule(number=projects, who=anybody, text=strange_frames)
    def be_strange(self, number: int, who: int, text: str) -> None:
        actor = self.actor(number, who)
        actor.expects("notice", code="bad_frame")
        actor.peer.sends_raw(text)
        self.settle()

    # --- time --------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.05, 0.2, 1.0, 3.0]), late=st.booleans())
    def time_passes(self, seconds: float, late: bool) -> None:
        """Tick by tick, or with one late tick at the end."""
        if late:
            self.relay.leaps(seconds)
        for _ in range(0 if late else round(seconds / TICK)):
            self.relay.advances(TICK)
            self.answer_pings()
        for reference in self.references:
            for call in self.deadlines_that_came(reference):
                reference.expire(call, self.relay.now)
            reference.assert_none_overdue(self.relay.now)
        self.answer_pings()
        self.settle(ordered=False)

    def deadlines_that_came(self, reference: ReferenceProject) -> list[ReferenceCall]:
        return [
            actor.calling[frame["id"]]
            for actor in reference.actors
            for frame in actor.peer.inbox
            if frame.get("code") == "deadline_exceeded"
        ]

    def answer_pings(self) -> None:
        self.relay.now += 0.001
        for actor in self.everybody():
            pings = [frame for frame in actor.peer.inbox if frame["type"] == "ping"]
            for ping in pings:
                actor.peer.inbox.remove(ping)
                actor.peer.sends("pong")

    # --- what has to hold --------------------------------------------------------------------------------------------

    def settle(self, *, ordered: bool = True) -> None:
        """Every peer has received what was expected of it: no more, no less; `ordered`: in this order."""
        for reference in self.references:
            for actor in reference.actors:
                came, actor.peer.inbox = list(actor.peer.inbox), type(actor.peer.inbox)()
                expected, actor.expected = actor.expected, []
                if not ordered:
                    came, expected = sorted(came, key=by_type_and_id), sorted(expected, key=by_type_and_id)
                assert len(came) == len(expected), (came, expected)
                for frame, wanted in zip(came, expected, strict=True):
                    self.compare(reference, frame, wanted)

    def compare(self, reference: ReferenceProject, frame: Received, wanted: Expected) -> None:
        call: ReferenceCall | None = wanted.pop("_call", None)
        assert {name: frame.get(name) for name in wanted} == wanted, frame
        if call is not None:
            reference.was_handed_over(call, frame["id"])
            assert frame["header"]["connection"] == call.caller.peer.connection.id

    @invariant()
    def tables_hold_the_calls_in_flight(self) -> None:
        for project, reference in zip(self.projects, self.references, strict=True):
            if project.id in self.relay.hub.tenants:
                assert_tables(project, reference)

    @invariant()
    def deadlines_hold_calls_and_connections(self) -> None:
        waiting = sum(len(bucket) for bucket in self.relay.hub.deadlines.buckets.values())
        in_flight = sum(len(reference.in_flight) for reference in self.references)
        assert waiting == in_flight + len(self.everybody())
        assert self.relay.hub.connections == len(self.everybody())

    def teardown(self) -> None:
        """Past all deadlines every call has ended, with one outcome."""
        for _ in range(3):
            self.time_passes(LONGEST / 2, late=False)
        for reference in self.references:
            assert not reference.in_flight
            assert all(len(call.outcomes) == 1 for call in reference.calls)
        self.tables_hold_the_calls_in_flight()

    # --- help --------------------------------------------------------------------------------------------------------

    def actor(self, number: int, who: int) -> Actor:
        """Somebody of this project; a new page when all have left."""
        actors = self.references[number].actors
        if not actors:
            self.connect(number, backend=False)
        return actors[who % len(actors)]

    def everybody(self) -> list[Actor]:
        return [actor for reference in self.references for actor in reference.actors]

    def token(self, number: int) -> str:
        """Data that nobody else sends: heard in another project it would be found."""
        return f"{self.projects[number].id}-{next(self.tokens)}"


def by_type_and_id(frame: dict[str, Any]) -> tuple[str, str]:
    return frame["type"], str(frame.get("id"))


def assert_tables(project: Project, reference: ReferenceProject) -> None:
    """Rule 1 and rule 3 of relay/core/calls.py."""
    tenant = project.tenant
    assert tenant.calls.running.keys() == reference.in_flight.keys()
    assert tenant.requests == tenant.quota.unrecorded == reference.counted
    assert tenant.statistics.last_hour() == +reference.ended
    connections = {actor.peer.connection for actor in reference.actors}
    assert set(tenant.connections) == connections
    assert {connection for session in tenant.sessions.values() for connection in session} == connections
    assert all(tenant.sessions.values())
    for actor in reference.actors:
        connection = actor.peer.connection
        serving = {call.id for call in reference.in_flight.values() if call.seat.server is actor}
        assert connection.calling.keys() == actor.calling.keys()
        assert connection.serving.keys() == serving
        assert set(connection.channels) == actor.channels
    loads = {
        name: Counter({seat.server.peer.connection: seat.load for seat in seats})
        for name, seats in reference.functions.items()
        if seats
    }
    assert loads == {
        name: Counter({connection: seat.in_flight for connection, seat in function.seats.items()})
        for name, function in tenant.functions.by_name.items()
    }


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
