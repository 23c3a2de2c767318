"""What a project of the relay has to do, written a second time, as plainly as possible: the state machine's model.

It knows nothing of the relay's code. Every verb changes the model, and notes in each actor's `expected` what it has to
receive. Deadlines are not foreseen to the tick: `expire` judges those that came.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.relay.core.cast import Peer

MOST_IN_FLIGHT = 4  # calls of one caller; few, so that the limit is met
PROMISE = 0.25  # s after its deadline a call has ended (GP-10)
Expected = dict[str, Any]


@dataclass(eq=False)
class Actor:
    """A connected peer."""

    peer: Peer
    backend: bool
    calling: dict[str, ReferenceCall] = field(default_factory=dict)
    channels: set[str] = field(default_factory=set)
    expected: list[Expected] = field(default_factory=list)

    def expects(self, type_: str, **fields: Any) -> None:
        self.expected.append({"type": type_, **fields})


@dataclass(eq=False)
class ReferenceSeat:
    """A server's registration of one function."""

    server: Actor
    load: int = 0
    chosen: int = 0  # when it was last chosen


@dataclass(eq=False)
class ReferenceCall:
    """A call that was handed over."""

    id: str
    caller: Actor
    caller_id: str
    seat: ReferenceSeat
    deadline: float
    outcomes: list[str] = field(default_factory=list)


class ReferenceProject:
    """One project."""

    def __init__(self) -> None:
        self.actors: list[Actor] = []
        self.functions: dict[str, list[ReferenceSeat]] = {}
        self.in_flight: dict[str, ReferenceCall] = {}
        self.calls: list[ReferenceCall] = []
        self.choices = 0
        self.counted = 0
        self.ended: Counter[str] = Counter()

    # --- functions ---------------------------------------------------------------------------------------------------

    def register(self, actor: Actor, names: list[str]) -> None:
        if not actor.backend:
            actor.expects("error", id="r", code="forbidden")
            return
        actor.expects("result", id="r", data={})
        for name in names:
            seats = self.functions.setdefault(name, [])
            if all(seat.server is not actor for seat in seats):
                seats.append(ReferenceSeat(actor))

    def unregister(self, actor: Actor, names: list[str]) -> None:
        if not actor.backend:
            actor.expects("error", id="r", code="forbidden")
            return
        actor.expects("result", id="r", data={})
        self._remove_seats(actor, names)

    def _remove_seats(self, actor: Actor, names: list[str]) -> None:
        for name in names:
            self.functions[name] = [seat for seat in self.functions.get(name, []) if seat.server is not actor]

    def _choose(self, cmd: str) -> ReferenceSeat | None:
        """Least in flight; of equal ones who was chosen longest ago; of these who came first."""
        seats = self.functions.get(cmd)
        if not seats:
            return None
        seat = sorted(seats, key=lambda seat: (seat.load, seat.chosen))[0]
        self.choices += 1
        seat.chosen = self.choices
        return seat

    # --- callers -----------------------------------------------------------------------------------------------------

    def call(self, actor: Actor, call_id: str, cmd: str, data: object, timeout: int, now: float) -> None:
        if call_id in actor.calling:
            self.ended["bad_frame"] += 1
            actor.expects("notice", code="bad_frame", id=call_id)
        elif len(actor.calling) >= MOST_IN_FLIGHT:
            self.ended["rate_limited"] += 1
            actor.expects("error", id=call_id, code="rate_limited")
        elif (seat := self._choose(cmd)) is None:
            self.ended["no_such_function"] += 1
            actor.expects("error", id=call_id, code="no_such_function")
        else:
            self._hand_over(ReferenceCall("", actor, call_id, seat, now + timeout / 1000), cmd, data, timeout)

    def _hand_over(self, call: ReferenceCall, cmd: str, data: object, timeout: int) -> None:
        self.counted += 1
        self.calls.append(call)
        call.seat.load += 1
        call.caller.calling[call.caller_id] = call
        call.seat.server.expects("call", cmd=cmd, data=data, timeout=timeout, _call=call)

    def was_handed_over(self, call: ReferenceCall, relay_id: str) -> None:
        """The server has it: now the relay's id is known, and must be a new one."""
        assert relay_id not in {earlier.id for earlier in self.calls}
        call.id = relay_id
        self.in_flight[relay_id] = call

    def wrong_call(self, actor: Actor, call_id: str) -> None:
        """A malformed one."""
        actor.expects("notice" if call_id in actor.calling else "error", id=call_id, code="bad_frame")

    def send(self, actor: Actor, cmd: str, data: object) -> None:
        seat = self._choose(cmd)
        if seat is None:
            self.ended["no_such_function"] += 1
            actor.expects("notice", code="no_such_function", about=cmd)
        else:
            self.counted += 1
            seat.server.expects("send", cmd=cmd, data=data)

    def cancel(self, actor: Actor, call_id: str) -> None:
        call = actor.calling.get(call_id)
        if call is not None:
            call.seat.server.expects("cancel", id=call.id)
            self._fail(call, "cancelled")

    # --- callees -----------------------------------------------------------------------------------------------------

    def progress(self, actor: Actor, relay_id: str, data: object) -> None:
        call = self._answered(actor, relay_id)
        if call is not None:
            call.caller.expects("progress", id=call.caller_id, data=data)

    def result(self, actor: Actor, relay_id: str, data: object) -> None:
        call = self._answered(actor, relay_id)
        if call is not None:
            self._end(call, "result")
            call.caller.expects("result", id=call.caller_id, data=data)

    def error(self, actor: Actor, relay_id: str, code: str) -> None:
        call = self._answered(actor, relay_id)
        if call is not None:
            self._fail(
                call,
                code if code in ("app_error", "rejected", "invalid_arguments", "payload_too_large") else "app_error",
            )

    def _answered(self, actor: Actor, relay_id: str) -> ReferenceCall | None:
        call = self.in_flight.get(relay_id)
        if call is not None and call.seat.server is actor:
            return call
        ended = call is None and relay_id in {earlier.id for earlier in self.calls}
        self.ended["late" if ended else "forged"] += 1
        return None

    # --- channels ----------------------------------------------------------------------------------------------------

    def subscribe(self, actor: Actor, channel: str) -> None:
        actor.channels.add(channel)
        actor.expects("result", id="s", data={channel: {}})

    def unsubscribe(self, actor: Actor, channel: str) -> None:
        actor.channels.discard(channel)
        actor.expects("result", id="s", data={})

    def publish(self, actor: Actor, channel: str, data: object) -> None:
        if not actor.backend:
            actor.expects("error", id="p", code="forbidden")
            return
        self.counted += 1
        listeners = [other for other in self.actors if channel in other.channels]
        for listener in listeners:
            listener.expects("message", channel=channel, data=data)
        actor.expects("result", id="p", data={"receivers": len(listeners)})

    # --- ends --------------------------------------------------------------------------------------------------------

    def leave(self, actor: Actor) -> None:
        """Its socket ended, whoever ended it."""
        self.actors.remove(actor)
        self._remove_seats(actor, list(self.functions))
        for call in list(self.in_flight.values()):
            if call.caller is actor:
                call.seat.server.expects("cancel", id=call.id)
                self._end(call, "caller_lost")
            elif call.seat.server is actor:
                self._fail(call, "callee_lost")

    def expire(self, call: ReferenceCall, now: float) -> None:
        """The relay says that its deadline came."""
        assert call.deadline <= now, "ended before its deadline"
        call.seat.server.expects("cancel", id=call.id)
        self._fail(call, "deadline_exceeded")

    def assert_none_overdue(self, now: float) -> None:
        assert all(call.deadline + PROMISE > now for call in self.in_flight.values())

    def _fail(self, call: ReferenceCall, code: str) -> None:
        self._end(call, code)
        call.caller.expects("error", id=call.caller_id, code=code)

    def _end(self, call: ReferenceCall, outcome: str) -> None:
        assert not call.outcomes, "a second outcome"
        call.outcomes.append(outcome)
        call.seat.load -= 1
        del self.in_flight[call.id], call.caller.calling[call.caller_id]
        self.ended[outcome] += 1
