"""Function names, and the servers that registered them (GP-15, GP-16, GP-54, GP-58).

A function outlives its servers: for REMEMBERED seconds after the last one was lost, calls to it are held, not refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from relay.core import frames
from relay.core.errors import Refused
from relay.core.reading import NAME_RULE, is_name

if TYPE_CHECKING:
    from relay.core.calls import Call
    from relay.core.connection import Connection

LEAST_IN_FLIGHT: Final = frames.LEAST_IN_FLIGHT
RANDOM: Final = frames.RANDOM
FIRST: Final = frames.FIRST
REMEMBERED = 300.0  # s that a function without servers stays known (GP-16)
MOST_REMEMBERED = 10_000  # of them in one project; those lost longest ago go first


class Seat:
    """One server's registration of one function."""

    __slots__ = ("concurrency", "connection", "function", "in_flight", "size", "turn")

    def __init__(self, connection: Connection, function: Function) -> None:
        self.connection, self.function = connection, function
        self.concurrency: int | None = None  # calls at once it takes; None: any number
        self.in_flight = 0
        self.turn = 0  # when it was last chosen, in calls of this function
        self.size = 0  # bytes of its name and description

    def takes(self, full: bool) -> bool:
        """Whether its server takes one more call now; `full`: even if it has all that it wanted."""
        return self.connection.takes_calls and (full or self.concurrency is None or self.in_flight < self.concurrency)


class Function:
    """A name, its seats (one per server), and the calls that wait for one."""

    __slots__ = ("before", "idempotent", "lost_at", "name", "policy", "seats", "turns", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.policy = LEAST_IN_FLIGHT
        self.idempotent = False
        self.before: tuple[str, bool] | None = (
            None  # policy and idempotent, as a registration before the latest had them
        )
        self.seats: dict[Connection, Seat] = {}
        self.turns = 0
        self.waiting: dict[Call, None] = {}  # held or queued, oldest first
        self.lost_at: float | None = None  # when its last server was lost

    @property
    def is_online(self) -> bool:
        return any(server.takes_calls for server in self.seats)

    @property
    def is_cut(self) -> bool:
        """It has servers, but those that might take calls are where none can be sent now."""
        return not self.is_online and any(server.cut for server in self.seats)

    def is_known(self, now: float) -> bool:
        """Whether it has servers, or had some until not long ago."""
        return self.lost_at is None or now - self.lost_at < REMEMBERED

    def pick(self, choose: Callable[[int], int], full: bool = False) -> Seat | None:
        """A server with room (or also a `full` one), by the policy; None when there is none.

        `choose(n)` gives a random number below n.
        """
        best = self._any(choose, full) if self.policy == RANDOM else self._best(full)
        if best is not None:
            self.turns += 1
            best.turn = self.turns
        return best

    def _any(self, choose: Callable[[int], int], full: bool) -> Seat | None:
        free = [seat for seat in self.seats.values() if seat.takes(full)]
        return free[choose(len(free)) if len(free) > 1 else 0] if free else None

    def _best(self, full: bool) -> Seat | None:
        """The first, the one whose turn it is, or the one with the fewest calls in flight."""
        by_turn, by_load = self.policy != FIRST, self.policy == LEAST_IN_FLIGHT
        best = None
        for seat in self.seats.values():
            if not seat.takes(full):
                continue
            if best is None:
                best = seat
            elif by_load and seat.in_flight != best.in_flight:
                if seat.in_flight < best.in_flight:
                    best = seat
            elif by_turn and seat.turn < best.turn:
                best = seat
        return best


class Functions:
    """All functions of one project."""

    def __init__(self, most_per_server: int, most_bytes: int) -> None:
        self.by_name: dict[str, Function] = {}
        self.lost: dict[str, Function] = {}  # without servers, the one lost longest ago first
        self.most_per_server, self.most_bytes = most_per_server, most_bytes
        self.bytes = 0  # of names and descriptions that servers of this process have registered

    def register(self, server: Connection, specs: list[frames.FunctionSpec]) -> list[Function]:
        """All or nothing; the functions registered.

        Raises Refused: `bad_frame` for a wrong name or too many, `rate_limited` when the project has no room for them.
        """
        names = {spec.name: spec for spec in specs}
        for name in names:
            if not is_name(name):
                raise Refused("bad_frame", f"A function's name {NAME_RULE}.")
        if len(names.keys() | server.seats.keys()) > self.most_per_server:
            raise Refused("bad_frame", f"A back end registers at most {self.most_per_server} functions.")
        if not server.process:  # what others let in is counted there
            self._make_room(server, names)
        return [self._register(server, spec) for spec in specs]

    def _make_room(self, server: Connection, specs: dict[str, frames.FunctionSpec]) -> None:
        more = sum(size_of(spec) for spec in specs.values())
        more -= sum(server.seats[name].size for name in specs if name in server.seats)
        if more > 0 and self.bytes + more > self.most_bytes:
            sentence = f"Names and descriptions of a project's functions take at most {self.most_bytes} bytes in all."
            raise Refused("rate_limited", sentence, retry_after=10_000)

    def _register(self, server: Connection, spec: frames.FunctionSpec) -> Function:
        function = self.by_name.setdefault(spec.name, Function(spec.name))
        seat = server.seats.get(spec.name)
        if seat is None:
            seat = function.seats[server] = server.seats[spec.name] = Seat(server, function)
        seat.concurrency = spec.concurrency
        if not server.process:
            self.bytes -= seat.size
            seat.size = size_of(spec)
            self.bytes += seat.size
        if len(function.seats) > 1 and (function.policy, function.idempotent) != (spec.policy, spec.idempotent):
            function.before = function.policy, function.idempotent
        function.policy, function.idempotent = spec.policy, spec.idempotent  # the latest holds (GP-15)
        function.lost_at = None
        self.lost.pop(spec.name, None)
        return function

    def unregister(self, server: Connection, name: str) -> Function | None:
        """The function without this server, forgotten if that was its last (GP-58); None if it was not its own."""
        function = self._unseat(server, name)
        if function is not None and not function.seats:
            del self.by_name[name]
        return function

    def lose(self, server: Connection, now: float) -> list[Function]:
        """The functions of a server that is gone; those that have no other stay known."""
        functions = []
        for name in list(server.seats):
            function = self._unseat(server, name)
            assert function is not None
            functions.append(function)
            if not function.seats:
                self._remember(function, now)
        return functions

    def forget(self, now: float) -> None:
        """Let go of functions lost too long ago."""
        for function in list(self.lost.values()):
            if not function.waiting and not function.is_known(now):
                self._forget(function)

    def find(self, cmd: str) -> Function | None:
        """The function, with servers or remembered. Raises Refused `bad_frame` for an impossible name."""
        function = self.by_name.get(cmd)
        if function is None and not is_name(cmd):
            raise Refused("bad_frame", f"A function's name {NAME_RULE}.")
        return function

    def expect(self, cmd: str) -> Function:
        """A function that nobody has registered yet, and that may be in a moment (GP-16); forgotten if it is not."""
        function = self.by_name[cmd] = Function(cmd)
        self._remember(function, float("-inf"))
        return function

    def lost_names(self, now: float) -> list[tuple[str, float]]:
        """Names that have no servers and are still known, and when each lost its last one."""
        return [(f.name, f.lost_at) for f in self.lost.values() if f.lost_at is not None and f.is_known(now)]

    def was_lost(self, name: str, lost_at: float) -> None:
        """Its last server was lost then, as another process saw it."""
        function = self.by_name.get(name)
        if function is None:
            function = self.by_name[name] = Function(name)
            self._remember(function, lost_at)
        elif function.lost_at is not None:
            function.lost_at = max(function.lost_at, lost_at)

    def _unseat(self, server: Connection, name: str) -> Function | None:
        seat = server.seats.pop(name, None)
        if seat is None:
            return None
        del seat.function.seats[server]
        self.bytes -= seat.size
        return seat.function

    def _remember(self, function: Function, now: float) -> None:
        function.lost_at = now
        self.lost[function.name] = function
        if len(self.lost) > MOST_REMEMBERED:
            oldest = next(iter(self.lost.values()))
            if not oldest.waiting:
                self._forget(oldest)

    def _forget(self, function: Function) -> None:
        del self.lost[function.name], self.by_name[function.name]


def size_of(spec: frames.FunctionSpec) -> int:
    """Bytes of its name and description."""
    return len(spec.name.encode()) + len(spec.description.encode())
