"""Peers of one project whose frames are all accounted for: who was handed what, and who was told how it ended.

Every call carries a token nobody else's carries, so that it is recognised wherever it turns up.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.relay.core.cast import Peer, Received

PROMISE = 0.25  # s after its deadline a call has ended (GP-10)
OUTCOMES = ("result", "error")


@dataclass(eq=False)
class Watched:
    """A connected peer. `deaf`: its process stands still, its socket does not (SIGSTOP)."""

    peer: Peer
    backend: bool
    deaf: bool = False
    waits: dict[str, Waiting] = field(default_factory=dict)  # its calls without an outcome, by its ids
    owes: dict[str, str] = field(default_factory=dict)  # tokens of the calls it has, by the relay's ids
    stopped: set[str] = field(default_factory=set)  # the relay's ids of calls it was told to stop


@dataclass(frozen=True)
class Waiting:
    """A call its caller waits for."""

    token: str
    made: float
    deadline: float


class Watcher:
    """Of one project; `name` stands in all its tokens."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.peers: list[Watched] = []
        self.runs: defaultdict[str, list[tuple[Watched, str]]] = defaultdict(list)  # hand-overs by token, in order
        self.sent: set[str] = set()  # tokens of sends that were delivered
        self.answers: dict[str, set[str]] = defaultdict(set)  # what callees answered, by token

    def makes(self, caller: Watched, call_id: str, token: str, now: float, timeout: int) -> None:
        """It is going to make this call."""
        assert call_id not in caller.waits
        caller.waits[call_id] = Waiting(token, now, now + timeout / 1000)

    def reads(self, now: float) -> None:
        """What has come since the last time: hand-overs first, since one tick may hand over and end."""
        came = [(watched, frame) for watched in self.peers for frame in watched.peer.inbox]
        for watched, frame in sorted(came, key=lambda each: each[1]["type"] != "call"):
            self._read(watched, frame, now)
        for watched in self.peers:
            watched.peer.inbox.clear()
        self.peers = [watched for watched in self.peers if watched.peer.closed is None]
        self._assert_one_at_a_time()
        self._assert_in_time(now)

    def _read(self, watched: Watched, frame: Received, now: float) -> None:
        kind = frame["type"]
        if kind == "call":
            self._handed(watched, frame, now)
        elif kind == "send":
            assert frame["data"].startswith(self.name)
            self.sent.add(frame["data"])
        elif kind == "cancel":
            del watched.owes[frame["id"]]
            watched.stopped.add(frame["id"])
        elif kind == "progress":
            assert watched.waits[frame["id"]].token in frame["data"]
        elif kind in OUTCOMES and frame["id"] in watched.waits:
            self._told(watched, frame, now)
        else:
            assert kind in ("ping", "pong", "notice", "bye") or frame["id"] in ("reg", "unreg", "drain"), frame

    def _handed(self, watched: Watched, frame: Received, now: float) -> None:
        token: str = frame["data"]
        assert token.startswith(self.name), "it crossed from another project, or lost its data"
        self.runs[token].append((watched, frame["id"]))
        assert frame["id"] not in watched.owes
        watched.owes[frame["id"]] = token

    def _told(self, watched: Watched, frame: Received, now: float) -> None:
        """The one outcome: a second one finds nothing in `waits`."""
        waiting = watched.waits.pop(frame["id"])
        if frame["type"] == "result":
            assert frame["data"] in self.answers[waiting.token]
        elif frame["code"] == "deadline_exceeded" and len(self.runs[waiting.token]) == 0:
            raise AssertionError("it was never handed over")

    def leaves(self, watched: Watched) -> None:
        """Nobody hears how its calls end."""
        self.peers.remove(watched)

    # --- what has to hold --------------------------------------------------------------------------------------------

    def _assert_one_at_a_time(self) -> None:
        """Before a call is handed over again, whoever had it is gone, or was told to stop."""
        for runs in self.runs.values():
            in_order = sorted(runs, key=lambda run: int(run[1]))  # those of one tick were read peer by peer
            for watched, relay_id in in_order[:-1]:
                assert watched not in self.peers or relay_id in watched.stopped

    def _assert_in_time(self, now: float) -> None:
        for watched in self.peers:
            for waiting in watched.waits.values():
                assert now <= waiting.deadline + PROMISE, "no outcome in time"

    @property
    def counted(self) -> int:
        """Requests, as they have to be counted: each once, however often it was handed over (GP-40)."""
        return len(self.runs) + len(self.sent)

    def assert_ran_once(self, prefix: str) -> None:
        """Calls whose token has this word in it reached at most one server, once (GP-11)."""
        assert all(len(runs) <= 1 for token, runs in self.runs.items() if prefix in token)
