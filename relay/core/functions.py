"""Function names, and the servers that registered them (GP-15, GP-54, GP-58)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.core import frames
from relay.core.errors import Refused

if TYPE_CHECKING:
    from relay.core.connection import Connection

NO_SUCH_FUNCTION = 'No back end has registered "{}". Check the name, and that its back end is connected.'


class Seat:
    """One server's registration of one function."""

    __slots__ = ("connection", "function", "in_flight", "turn")

    def __init__(self, connection: Connection, function: Function) -> None:
        self.connection, self.function = connection, function
        self.in_flight = 0
        self.turn = 0  # when it was last chosen, in calls of this function


class Function:
    """A name and its seats: one per server."""

    __slots__ = ("name", "seats", "turns")

    def __init__(self, name: str) -> None:
        self.name = name
        self.seats: dict[Connection, Seat] = {}
        self.turns = 0

    def pick(self) -> Seat:
        """The server with the least calls in flight; of equal ones the one that waited longest."""
        seat = min(self.seats.values(), key=_load) if len(self.seats) > 1 else next(iter(self.seats.values()))
        self.turns += 1
        seat.turn = self.turns
        return seat


def _load(seat: Seat) -> tuple[int, int]:
    return seat.in_flight, seat.turn


class Functions:
    """All functions of one project."""

    def __init__(self, most_per_server: int) -> None:
        self.by_name: dict[str, Function] = {}
        self.most_per_server = most_per_server

    def register(self, server: Connection, specs: list[frames.FunctionSpec]) -> None:
        """All or nothing. Raises Refused: `bad_frame` for a wrong name or a field not served, or above the limit."""
        names = {spec.name for spec in specs}
        for spec in specs:
            _check(spec)
        if len(names | server.seats.keys()) > self.most_per_server:
            raise Refused("bad_frame", f"A back end registers at most {self.most_per_server} functions.")
        for name in names - server.seats.keys():
            function = self.by_name.setdefault(name, Function(name))
            function.seats[server] = server.seats[name] = Seat(server, function)

    def unregister(self, server: Connection, names: list[str]) -> None:
        """Names it had not registered are passed over."""
        for name in names:
            seat = server.seats.pop(name, None)
            if seat is not None:
                del seat.function.seats[server]
                if not seat.function.seats:
                    del self.by_name[name]

    def pick(self, cmd: str) -> Seat:
        """The seat for a call of `cmd`. Raises Refused: `no_such_function`, `bad_frame` for an impossible name."""
        function = self.by_name.get(cmd)
        if function is None:
            if not frames.is_name(cmd):
                raise Refused("bad_frame", "A function's name has no control characters.")
            raise Refused("no_such_function", NO_SUCH_FUNCTION.format(cmd))
        return function.pick()


def _check(spec: frames.FunctionSpec) -> None:
    if not frames.is_name(spec.name):
        raise Refused("bad_frame", "A function's name has no control characters.")
    if spec.policy is not frames.NULL or spec.concurrency is not frames.NULL:
        raise Refused("bad_frame", f'"{spec.name}": policy and concurrency are not supported by this relay yet.')
