"""Whatever befalls callers and servers, in any order: one outcome each, in time, and nothing runs twice that may not.

Servers stand still, come back, drain, are full, die; callers die and repeat themselves; the relay itself pauses.
"""

import itertools

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from relay.core.limits import Limits
from tests.relay.core.cast import TICK, CoreRelay, Project
from tests.relay.core.rules import assert_rules
from tests.relay.core.watcher import Watched, Watcher

PLENTY = 1_000_000  # a rate that is never met
MOST_PEERS = 8  # of one project
HOLD = 1.0  # s
AN_HOUR = 3_700.0  # s
OPTIONS: dict[str, dict[str, object]] = {
    "once:any": {},
    "once:one": {"concurrency": 1},
    "twice:any": {"idempotent": True},
    "twice:one": {"idempotent": True, "concurrency": 1},
}
SESSIONS = ("", "first-session-16", "second-session-16")

numbers = st.integers(0, 1)  # of the project
anybody = st.integers(0, MOST_PEERS - 1)
functions = st.sampled_from([*OPTIONS, "once:unknown"])
policies = st.sampled_from(["least_in_flight", "round_robin", "random", "first"])
timeouts = st.sampled_from([100, 1_000, 4_000])  # ms
keys = st.sampled_from([None] * 6 + ["k1", "k2"])


class Lifetimes(RuleBasedStateMachine):
    """The order of events is hypothesis' choice."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = itertools.count(1)

    @initialize(settling=st.sampled_from([0.0, 2.0]), chance=st.integers(0, 9))
    def three_servers_and_a_page_each(self, settling: float, chance: int) -> None:
        limits = Limits(rate=PLENTY, key_rate=PLENTY, ip_rate=PLENTY, ip_hellos=PLENTY, in_flight=6)
        self.relay = CoreRelay(limits, settling=settling, choose=lambda below: chance % below)
        self.projects = (self.relay.alice, self.relay.charlie)
        self.watchers = (Watcher("alice"), Watcher("charlie"))
        for number in (0, 1):
            self.projects[number].hold = HOLD
            self.connect(number, backend=False, session="")
            for who in (1, 2, 3):
                self.connect(number, backend=True, session="")
                for name in OPTIONS:
                    self.register(number, who, name, "least_in_flight")

    # --- who is here -------------------------------------------------------------------------------------------------

    @rule(number=numbers, backend=st.booleans(), session=st.sampled_from(SESSIONS))
    def connect(self, number: int, backend: bool, session: str) -> None:
        project, watcher = self.projects[number], self.watchers[number]
        if len(watcher.peers) < MOST_PEERS:
            named = {"session": session} if session else {}
            peer = (project.backend if backend else project.frontend)(**named)
            watcher.peers.append(Watched(peer, backend))

    @rule(number=numbers, who=anybody, name=functions, how=st.sampled_from(["leave", "drain", "unregister"]))
    def depart(self, number: int, who: int, name: str, how: str) -> None:
        watched = self.peer(number, who)
        if how == "leave":
            self.watchers[number].leaves(watched)
            watched.peer.leaves()
        elif how == "drain":
            watched.peer.sends("drain", id="drain")
        else:
            watched.peer.sends("unregister", id="unreg", functions=[{"name": name}])

    @rule(number=numbers, who=anybody)
    def stand_still(self, number: int, who: int) -> None:
        callees = [watched for watched in self.watchers[number].peers if watched.owes]
        if callees:
            callees[who % len(callees)].deaf = True

    @rule(number=numbers, who=anybody)
    def go_on(self, number: int, who: int) -> None:
        watched = self.peer(number, who)
        watched.deaf = False
        watched.peer.sends("pong")

    # --- functions ---------------------------------------------------------------------------------------------------

    @rule(number=numbers, who=anybody, name=st.sampled_from([*OPTIONS]), policy=policies)
    def register(self, number: int, who: int, name: str, policy: str) -> None:
        watched = self.peer(number, who)
        if watched.backend:
            spec = {"name": name, "policy": policy, **OPTIONS[name]}
            watched.peer.sends("register", id="reg", functions=[spec])

    # --- callers -----------------------------------------------------------------------------------------------------

    @rule(number=numbers, who=anybody, name=functions, timeout=timeouts, key=keys, times=st.integers(1, 4))
    def call(self, number: int, who: int, name: str, timeout: int, key: str | None, times: int) -> None:
        """With a key, the same call is the same token."""
        caller = self.peer(number, who)
        for _ in range(times):
            call_id, fields = f"c{next(self.ids)}", {}
            token = f"{self.projects[number].id} {name} {call_id}"
            if key is not None:
                fields = {"idempotency_key": key}
                token = f"{self.projects[number].id} {name} {caller.peer.connection.session} {caller.backend} {key}"
            self.watchers[number].makes(caller, call_id, token, self.relay.now, timeout)
            caller.peer.calls(name, call_id, data=token, timeout=timeout, **fields)

    @rule(number=numbers, who=anybody, name=st.sampled_from(["once:one", "twice:one"]), times=st.integers(2, 5))
    def call_more_than_fit(self, number: int, who: int, name: str, times: int) -> None:
        self.call(number, who, name, 4_000, None, times)

    @rule(number=numbers, who=anybody, whom=anybody, timeout=timeouts, by_session=st.booleans())
    def call_somebody(self, number: int, who: int, whom: int, timeout: int, by_session: bool) -> None:
        caller, target = self.peer(number, who), self.peer(number, whom).peer.connection
        to = {"session": target.session} if by_session else {"connection": target.id}
        call_id = f"c{next(self.ids)}"
        token = f"{self.projects[number].id} once:to {call_id}"
        self.watchers[number].makes(caller, call_id, token, self.relay.now, timeout)
        caller.peer.calls("show", call_id, data=token, timeout=timeout, to=to)

    @rule(number=numbers, who=anybody, name=functions)
    def send(self, number: int, who: int, name: str) -> None:
        token = f"{self.projects[number].id} send {next(self.ids)}"
        self.peer(number, who).peer.sends("send", cmd=name, data=token)

    @rule(number=numbers, who=anybody, which=st.integers(0, 20))
    def cancel(self, number: int, who: int, which: int) -> None:
        callers = [watched for watched in self.watchers[number].peers if watched.waits]
        if callers:
            caller = callers[who % len(callers)]
            caller.peer.sends("cancel", id=list(caller.waits)[which % len(caller.waits)])

    # --- callees -----------------------------------------------------------------------------------------------------

    @rule(number=numbers, who=anybody, which=st.integers(0, 20), kind=st.sampled_from(["result", "error", "progress"]))
    def answer(self, number: int, who: int, which: int, kind: str) -> None:
        watcher = self.watchers[number]
        callees = [watched for watched in watcher.peers if watched.owes and not watched.deaf]
        if callees:
            callee = callees[who % len(callees)]
            call_id = list(callee.owes)[which % len(callee.owes)]
            token = callee.owes[call_id]
            watcher.answers[token].add(f"{token} at {call_id}")
            callee.peer.sends(kind, id=call_id, data=f"{token} at {call_id}")
            if kind != "progress":
                del callee.owes[call_id]

    @rule(number=numbers, who=anybody, call_id=st.integers(0, 12))
    def forge(self, number: int, who: int, call_id: int) -> None:
        """Answer a call that it has not got: somebody else's, a past one, or none."""
        forger = self.peer(number, who)
        if str(call_id) not in forger.owes:
            forger.peer.sends("result", id=str(call_id), data="forged")

    # --- time --------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.2, 3.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.relay.advances(TICK)
            self.answer_pings()

    @rule(seconds=st.sampled_from([0.6, 3.0, 12.0]))
    def the_relay_pauses(self, seconds: float) -> None:
        self.relay.leaps(seconds)
        self.answer_pings()

    def answer_pings(self) -> None:
        self.relay.now += 0.001
        for watcher in self.watchers:
            for watched in watcher.peers:
                asked = any(frame["type"] == "ping" for frame in watched.peer.inbox)
                if asked and not watched.deaf:
                    watched.peer.sends("pong")
            watcher.reads(self.relay.now)

    # --- what has to hold --------------------------------------------------------------------------------------------

    @invariant()
    def all_is_accounted_for(self) -> None:
        if not hasattr(self, "relay"):
            return
        for project, watcher in zip(self.projects, self.watchers, strict=True):
            watcher.reads(self.relay.now)
            watcher.assert_ran_once("once:")
            assert counted(project) == watcher.counted

    @invariant()
    def the_rules_hold(self) -> None:
        if hasattr(self, "relay"):
            assert_rules(self.relay.hub)

    def teardown(self) -> None:
        """In time every call has its outcome, and when all have left nothing is kept."""
        if not hasattr(self, "relay"):
            return
        self.time_passes(6.0)
        for watcher in self.watchers:
            assert not any(watched.waits for watched in watcher.peers)
            for watched in tuple(watcher.peers):
                watcher.leaves(watched)
                watched.peer.leaves()
        self.relay.advances(HOLD + 6)
        self.all_is_accounted_for()
        self.the_rules_hold()
        self.relay.hub.take_counts()
        self.relay.leaps(AN_HOUR)
        self.relay.hub.sweep(self.relay.now)
        assert not self.relay.hub.tenants

    def peer(self, number: int, who: int) -> Watched:
        """Somebody of this project; a new page when all have left."""
        peers = self.watchers[number].peers
        if not peers:
            self.connect(number, backend=False, session="")
        return peers[who % len(peers)]


def counted(project: Project) -> int:
    tenant = project.relay.hub.tenants.get(project.id)
    return tenant.requests if tenant else 0


TestLifetimes = Lifetimes.TestCase
TestLifetimes.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def follow_a_queued_call(timeout: int) -> None:
    """Fill the server with calls of this timeout (ms), queue one with a key, and follow it for 100 ms."""
    journey = Lifetimes()
    journey.three_servers_and_a_page_each(settling=0.0, chance=0)
    journey.call(number=0, who=0, name="once:one", timeout=timeout, key=None, times=3)
    journey.call(number=0, who=0, name="once:one", timeout=1_000, key="k1", times=1)
    journey.call(number=0, who=0, name="once:one", timeout=100, key="k1", times=1)
    journey.all_is_accounted_for()
    journey.teardown()


def test_a_follower_of_a_queued_call_ends_before_it() -> None:
    """The journey, found by hypothesis, of a call that ended as if it had been handed over."""
    follow_a_queued_call(timeout=4_000)


def test_a_follower_ends_in_the_tick_that_hands_the_first_call_over() -> None:
    follow_a_queued_call(timeout=100)
