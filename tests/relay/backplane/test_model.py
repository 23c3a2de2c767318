"""Any interleaving of calls, deaths, losses and reconnects on two processes keeps the promises (GP-10 to GP-20).

The model knows what was asked and what the servers did, and notes each promise's breach when it comes. What happens
when, it does not foresee: that is for test_calls.py, test_faults.py and test_losses.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.relay.backplane.network import Network, Node
from tests.relay.core.cast import Peer, Received, is_open

NAMES = {"a:once": False, "c:again": True}  # whether they are idempotent
TO_PEERS = "show"  # what back ends call at front ends
REFUSED = {"relay_unavailable", "no_server_online", "no_such_function", "no_such_peer", "server_busy"}
PROMISE = 0.25  # s after its deadline a call has ended (GP-10)
ANSWERED = 1.2  # s for a publish
MENDED = 5.0  # s after the last fault
MOST_PEERS = 5  # of a process

processes = st.integers(0, 1)
anybody = st.integers(0, 2 * MOST_PEERS - 1)
names = st.sampled_from(sorted(NAMES))


@dataclass(eq=False)
class HandOver:
    """A call as a server has it."""

    server: Actor
    id: str
    is_over: bool = False  # answered, or cancelled


@dataclass(eq=False)
class Request:
    """A call or publish."""

    token: str
    cmd: str
    due: float
    handed: list[HandOver] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)  # what servers gave
    ended: bool = False
    code: str = ""  # with which it ended, if by an error

    @property
    def is_free(self) -> bool:
        """Whether it may not be counted: nobody got it, and its caller was told so (GP-40).

        One that may run twice may have gone to a process that died with it, before it was refused.
        """
        return self.code in REFUSED and not self.handed and not NAMES.get(self.cmd)


@dataclass(eq=False)
class Actor:
    """A peer, its requests by their ids, and the messages it heard."""

    peer: Peer
    node: Node
    requests: dict[str, Request] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    registering: int = 0  # `register`s that are not answered yet

    @property
    def is_here(self) -> bool:
        return is_open(self.peer)


class Mesh(RuleBasedStateMachine):
    """Two processes, of which one may be killed and replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network(2)
        self.actors: list[Actor] = []
        self.calls: list[Request] = []
        self.publishes: list[Request] = []
        self.strangers = [self.network.charlie(number).frontend() for number in (0, 1)]
        for number, stranger in enumerate(self.strangers):
            stranger.subscribes("news")
            self.network.charlie(number).backend("a:stranger")
        self.tokens = itertools.count(1)
        self.counted = 0  # requests of processes that died
        self.fault = 0.0  # when the last one was

    # --- who is here --------------------------------------------------------------------------------------------------

    @initialize()
    def pages_and_servers(self) -> None:
        for number in (0, 1):
            self.connect(number, False)
            self.connect(number, True)
            self.actors[-1].peer.subscribes("news")
            self.register(number, "a:once", None)
            self.register(number, "c:again", 1)

    @rule(number=processes, backend=st.booleans())
    def connect(self, number: int, backend: bool) -> None:
        node = self.network.nodes[number]
        if not node.frozen and len([actor for actor in self.actors if actor.node is node]) < MOST_PEERS:
            project = node.relay.alice
            self.actors.append(Actor(project.backend() if backend else project.frontend(), node))
            self.settle()

    @rule(who=anybody)
    def leave(self, who: int) -> None:
        for actor in self.some(who):
            actor.peer.leaves()
            self.settle()

    @rule(number=processes)
    def die(self, number: int) -> None:
        """A process is killed, and another one starts."""
        self.fails()
        dead = self.network.dies(number)
        self.counted += dead.relay.alice.tenant.requests if dead.relay.alice.id in dead.relay.hub.tenants else 0
        self.actors = [actor for actor in self.actors if actor.node is not dead]
        self.network.join()
        self.collect()

    # --- functions ----------------------------------------------------------------------------------------------------

    @rule(who=anybody, name=names, concurrency=st.sampled_from([None, 1, 2]))
    def register(self, who: int, name: str, concurrency: int | None) -> None:
        for actor in self.some(who, backend=True):
            function = {"name": name, "idempotent": NAMES[name], "concurrency": concurrency}
            actor.peer.sends("register", id="reg", functions=[function])
            actor.registering += 1
            self.settle()

    @rule(who=anybody, name=names)
    def unregister(self, who: int, name: str) -> None:
        for actor in self.some(who, backend=True):
            actor.peer.sends("unregister", id="r", functions=[{"name": name}])
            self.settle()

    @rule(who=anybody)
    def drain(self, who: int) -> None:
        for actor in self.some(who, backend=True):
            actor.peer.sends("drain")
            self.settle()

    @rule(who=anybody)
    def fall_silent(self, who: int) -> None:
        for actor in self.some(who, backend=True):
            self.fails()
            self.network.mute.add(actor.peer)

    # --- calls --------------------------------------------------------------------------------------------------------

    @rule(who=anybody, name=names, timeout=st.sampled_from([200, 1_000, 4_000, 9_000]), at_once=st.booleans())
    def call(self, who: int, name: str, timeout: int, at_once: bool) -> None:
        """`at_once`: before anything else is said."""
        for actor in self.some(who):
            token = self.token()
            request = actor.requests[token] = Request(token, name, actor.peer.relay.now + timeout / 1000)
            self.calls.append(request)
            actor.peer.calls(name, token, data=token, timeout=timeout)
            if at_once:
                self.settle()

    @rule(who=anybody, whom=anybody, by=st.sampled_from(["session", "connection"]), at_once=st.booleans())
    def call_a_peer(self, who: int, whom: int, by: str, at_once: bool) -> None:
        """A front end, wherever it is; or somebody who cannot be called."""
        for actor in self.some(who, backend=True):
            target = self.actors[whom % len(self.actors)].peer.connection
            token = self.token()
            request = actor.requests[token] = Request(token, TO_PEERS, actor.peer.relay.now + 2.0)
            self.calls.append(request)
            to = {by: target.id if by == "connection" else target.session}
            actor.peer.calls(TO_PEERS, token, data=token, timeout=2_000, to=to)
            if at_once:
                self.settle()

    @rule(who=anybody, which=st.integers(0, 9))
    def cancel(self, who: int, which: int) -> None:
        for actor in self.some(who):
            if open_ := [request for request in actor.requests.values() if not request.ended]:
                actor.peer.sends("cancel", id=open_[which % len(open_)].token)
                self.settle()

    @rule(which=st.integers(0, 20), kind=st.sampled_from(["result", "error", "progress"]), at_once=st.booleans())
    def answer(self, which: int, kind: str, at_once: bool) -> None:
        open_ = [(request, handed) for request in self.calls for handed in request.handed if self.can_answer(handed)]
        if open_:
            request, handed = open_[which % len(open_)]
            token = self.token()
            request.answers.add(token)
            handed.is_over = kind != "progress"
            handed.server.peer.sends(kind, id=handed.id, data=token)
            if at_once:
                self.settle()

    def can_answer(self, handed: HandOver) -> bool:
        return (
            not handed.is_over
            and handed.server.is_here
            and handed.server in self.actors
            and not handed.server.node.frozen
        )

    # --- channels -----------------------------------------------------------------------------------------------------

    @rule(who=anybody, leaves=st.booleans())
    def subscribe(self, who: int, leaves: bool) -> None:
        for actor in self.some(who):
            actor.peer.sends("unsubscribe" if leaves else "subscribe", id="s", channels=["news"])
            self.settle()

    @rule(who=anybody, at_once=st.booleans())
    def publish(self, who: int, at_once: bool) -> None:
        for actor in self.some(who, backend=True):
            token = self.token()
            request = actor.requests[token] = Request(token, "", actor.peer.relay.now + ANSWERED)
            self.publishes.append(request)
            actor.peer.sends("publish", id=token, channel="news", data=token)
            if at_once:
                self.settle()

    # --- time and faults ----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 2.5, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.collect()
        for _ in range(round(seconds / 0.05)):
            self.network.lives(0.05)
            self.collect()
            self.assert_none_is_late()

    @rule(source=processes, to_all=st.booleans())
    def lose_a_batch(self, source: int, to_all: bool) -> None:
        self.fails()
        self.network.loses(source, None if to_all else 1 - source)

    @rule(number=processes)
    def miss_a_batch(self, number: int) -> None:
        self.fails()
        self.network.misses(number)

    @rule(number=processes)
    def freeze(self, number: int) -> None:
        if not any(node.frozen for node in self.network.nodes):
            self.fails()
            self.network.settle()
            self.network.freezes(number)

    @rule()
    def go_on(self) -> None:
        for number, node in enumerate(self.network.nodes):
            if node.frozen:
                self.fails()
                self.network.goes_on(number)
        self.settle()

    @rule()
    def lose_redis(self) -> None:
        self.fails()
        self.network.redis_goes()

    @rule()
    def find_redis(self) -> None:
        if self.network.away:
            self.fails()
            self.network.redis_comes_back()

    def fails(self) -> None:
        self.fault = self.network.now

    # --- what has to hold ---------------------------------------------------------------------------------------------

    def settle(self) -> None:
        self.network.settle()
        self.collect()

    def collect(self) -> None:
        """Note what everybody received."""
        for actor in self.actors:
            kept = [frame for frame in actor.peer.inbox if frame["type"] == "ping"]
            frames = [frame for frame in actor.peer.inbox if frame["type"] != "ping"]
            actor.peer.inbox.clear()
            actor.peer.inbox.extend(kept)
            for frame in frames:
                self.note(actor, frame)
        for stranger in self.strangers:
            assert all(frame["type"] == "ping" for frame in stranger.inbox)

    def note(self, actor: Actor, frame: Received) -> None:
        kind = frame["type"]
        if kind == "call":
            self.handed(actor, frame)
        elif kind == "cancel":
            for handed in self.at(actor):
                if handed.id == frame["id"]:
                    handed.is_over = True
        elif kind == "message":
            assert frame["data"] not in actor.heard, "heard twice"
            actor.heard.append(frame["data"])
        elif frame.get("id") == "reg":
            actor.registering -= 1
        elif kind in ("result", "error", "progress") and (request := actor.requests.get(frame["id"])):
            assert not request.ended, "a second outcome"
            request.ended = kind != "progress"
            request.code = frame.get("code", "")
            assert not (kind == "result" and request.cmd) or frame["data"] in request.answers, "another's result"

    def handed(self, actor: Actor, frame: Received) -> None:
        request = next(request for request in self.calls if request.token == frame["data"])
        assert request.cmd == frame["cmd"]
        assert not request.handed or NAMES.get(request.cmd), "ran twice"
        assert all(earlier.server is not actor for earlier in request.handed if not earlier.is_over)
        request.handed.append(HandOver(actor, frame["id"]))

    def at(self, actor: Actor) -> Iterator[HandOver]:
        return (handed for request in self.calls for handed in request.handed if handed.server is actor)

    def assert_none_is_late(self) -> None:
        for actor in self.actors:
            if actor.is_here and not actor.node.frozen:
                for request in actor.requests.values():
                    assert request.ended or request.due + PROMISE > actor.peer.relay.now, request

    @invariant()
    def everybody_agrees_in_quiet_times(self) -> None:
        network = self.network
        quiet = not network.away and not any(node.frozen for node in network.nodes) and not network.mute
        quiet = quiet and not any(node.mesh.roster.announcements.gathering for node in network.nodes)
        if quiet and not any(network.losing.values()) and network.now - self.fault > MENDED:
            network.settle()
            network.assert_agreed()

    @invariant()
    def requests_are_counted_once(self) -> None:
        requests = self.counted
        for node in self.network.nodes:
            requests += node.relay.alice.tenant.requests if node.relay.alice.id in node.relay.hub.tenants else 0
        assert len([request for request in self.calls if request.handed]) <= requests
        assert requests <= len([request for request in (*self.calls, *self.publishes) if not request.is_free])

    def teardown(self) -> None:
        """When all faults are over, all calls are, too, and nothing is left of them."""
        self.network.redis_comes_back()
        self.network.losing.clear()
        for node in self.network.nodes:
            node.frozen, node.missing = False, 0
        self.network.mute.clear()
        self.time_passes(10.0)
        self.network.assert_quiet()
        self.requests_are_counted_once()
        for actor in self.actors:
            if actor.is_here:
                assert all(request.ended for request in actor.requests.values())
                assert not actor.registering
                assert all(handed.is_over for handed in self.at(actor)), "it still runs for nobody"
        self.assert_one_order()

    def assert_one_order(self) -> None:
        for one, other in itertools.combinations(self.actors, 2):
            both = set(one.heard) & set(other.heard)
            assert [token for token in one.heard if token in both] == [token for token in other.heard if token in both]

    # --- help ---------------------------------------------------------------------------------------------------------

    def some(self, who: int, backend: bool | None = None) -> list[Actor]:
        """One of those who can act, or nobody."""
        actors = [actor for actor in self.actors if actor.is_here and not actor.node.frozen]
        if backend is not None:
            actors = [actor for actor in actors if (actor.peer.connection.peer == "backend") is backend]
        return [actors[who % len(actors)]] if actors else []

    def token(self) -> str:
        return f"t{next(self.tokens)}"


TestMesh = Mesh.TestCase
TestMesh.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
