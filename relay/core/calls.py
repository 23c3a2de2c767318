"""Calls from their frame to their one outcome (section 3). Each is in one state, and moves as TRANSITIONS says.

Rule 1  A call without an outcome is in its caller's `calling` (until that is lost) and in the deadlines; a RUNNING
        one also in `running` and its callee's `serving`, a HELD or QUEUED one in its function's `waiting`, a FOLLOWING
        one among its repeat's followers. `_leave` takes it out of all; `_end` is the only way to an outcome (GP-10).
Rule 2  An answer counts only from the connection the call runs at (GP-12); others are dropped and counted.
Rule 3  A call runs at one callee at a time, and a second time only if its function is idempotent (GP-11). One that
        another process took and handed to nobody has not run: it comes back with its data, and goes elsewhere.
Rule 4  A request is counted when it is first handed to a callee, once (GP-40). By way of another process it is in
        doubt until it has left there, and not counted if nobody there got it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from relay.core import frames
from relay.core.connection import FRONTEND, OPEN
from relay.core.deadlines import Due
from relay.core.errors import OUTCOMES, Refused, cut
from relay.core.functions import Function, Seat
from relay.core.held import Held
from relay.core.repeats import Repeat, Repeats, with_id

if TYPE_CHECKING:
    from relay.core.connection import Connection
    from relay.core.tenant import Tenant

UNSET: Final = msgspec.UNSET
encode: Final = frames.encode
CallOut: Final = frames.CallOut
ResultOut: Final = frames.ResultOut
DEFAULT_TIMEOUT: Final = 30_000  # ms
MOST_WAITING: Final = 1_000  # calls that wait for one function (GP-53)
NOT_TAKEN: Final = "not_taken"  # between processes: handed to nobody there; the error's data is the call's
# With these the callee's process ends a call that nobody there got, or whose outcome it cannot tell: both are free.
REFUSED_THERE = frozenset({"server_busy", "relay_unavailable"})
# Any other code becomes app_error (GP-5A).
FROM_CALLEE = frozenset({"app_error", "rejected", "invalid_arguments", "payload_too_large"})
NO_SUCH_FUNCTION = 'No back end has registered "{}". Check the name, and that its back end is connected.'
NO_SERVER = 'No server of "{}" is connected now. Start its back end again.'
BUSY = 'Every server of "{}" has all the calls it takes.'


class State(Enum):
    """Where a call is; the value says it in words."""

    NEW = "arrived; the front end it goes to may be looked for in other processes"
    FOLLOWING = "waits for the outcome of the same call, made before with its idempotency key"
    HELD = "waits for a server to come back"
    QUEUED = "waits for a server with room"
    RUNNING = "handed to a callee"
    ENDED = "has its one outcome"


# each looked up once: an enum takes its time to give a member away
NEW: Final = State.NEW
FOLLOWING: Final = State.FOLLOWING
HELD: Final = State.HELD
QUEUED: Final = State.QUEUED
RUNNING: Final = State.RUNNING
ENDED: Final = State.ENDED

TRANSITIONS: dict[State, dict[State, str]] = {
    NEW: {
        RUNNING: "a server has room, or the front end was found",
        HELD: "known, no server online",
        QUEUED: "every server is full",
        FOLLOWING: "idempotency key in flight",
        ENDED: "too many wait: server_busy; no_such_peer, deadline_exceeded, cancelled, caller lost",
    },
    HELD: {
        RUNNING: "a server comes back",
        QUEUED: "it is full",
        ENDED: "no_server_online, no_such_function, cancelled, caller lost",
    },
    QUEUED: {
        RUNNING: "a call ends there",
        HELD: "the last server is lost",
        ENDED: "server_busy, no_such_function, cancelled, caller lost",
    },
    RUNNING: {
        ENDED: "result, error, deadline_exceeded, callee_lost, cancelled, caller lost",
        RUNNING: "idempotent: callee lost or suspect, another has room; or another process handed it to nobody",
        HELD: "idempotent: callee lost or suspect, no other online; or as above",
        QUEUED: "idempotent: callee lost or suspect, others full; or as above",
    },
    FOLLOWING: {ENDED: "the first one's outcome, its own deadline, cancelled, caller lost"},
    ENDED: {},
}


class Call(Due):
    """One call. `caller` is None once it is lost and an idempotency key keeps the call alive (GP-1A)."""

    __slots__ = (
        "begun", "callee", "caller", "caller_id", "calls", "cmd", "counted", "data", "deadline", "function", "header",
        "id", "in_doubt", "pinned", "repeat", "repeatable", "reports", "seat", "state",
    )  # fmt: skip

    def __init__(
        self, calls: Calls, caller: Connection, frame: frames.Call | frames.CallOut, now: float, deadline: float
    ) -> None:
        super().__init__()
        self.calls, self.caller_id, self.cmd = calls, frame.id, frame.cmd
        self.begun, self.deadline = now, deadline
        self.caller: Connection | None = caller
        self.header = caller.header
        self.data = frame.data
        self.state = NEW
        self.counted = False
        self.in_doubt = False  # it is counted, and the process that it went to may not have handed it over
        self.repeatable = True  # `data` is still what the caller gave: it may be handed over (again)
        self.repeat: Repeat | None = None
        self.function: Function | None = None  # None: it goes to one peer directly
        self.reports = 0  # the number of its last `progress` that came from another process, or went to one
        self.pinned: Seat | None = None  # the only one it may run at: another process has chosen it
        # where it runs:
        self.id = ""  # of this hand-over, the callee's
        self.callee: Connection | None = None
        self.seat: Seat | None = None

    def expire(self, now: float) -> None:
        """Its deadline, or the end of its hold, came."""
        self.calls.expired(self, now)


class Calls:
    """The calls of one project."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        # the tenant's, at hand for every call
        self.functions, self.deadlines = tenant.functions, tenant.deadlines
        limits = tenant.limits
        self.most_in_flight, self.longest, self.largest = limits.in_flight, limits.timeout, limits.frame
        self.suspects, self.statistics, self.durations = tenant.suspects, tenant.statistics, tenant.hub.totals.calls
        self.running: dict[str, Call] = {}
        self.handed = 0  # hand-overs ever made; numbers them
        self.held = Held(limits.project_waiting_bytes, tenant.hub.waiting)  # data of calls that wait or may run again
        self.repeats = Repeats()

    # --- from callers ------------------------------------------------------------------------------------------------

    def call(self, caller: Connection, frame: frames.Call, now: float) -> None:
        """Begin a call. Raises Refused when it cannot begin; its outcome comes later otherwise."""
        calling = caller.calling
        if frame.id in calling:
            raise Refused("bad_frame", f'The call "{frame.id}" is in flight; ids are unique.')
        if len(calling) >= self.most_in_flight:
            raise Refused("rate_limited", f"At most {self.most_in_flight} calls in flight.", retry_after=1000)
        timeout = DEFAULT_TIMEOUT if frame.timeout is UNSET else frame.timeout
        call = Call(self, caller, frame, now, now + min(timeout, self.longest) / 1000)
        if frame.to is not UNSET:
            if frame.idempotency_key is not UNSET:
                raise Refused("bad_frame", "A call to a front end (`to`) takes no idempotency_key.")
            self._call_peer(call, caller, frame.to, now)
        elif frame.idempotency_key is not UNSET:
            self._call_once(call, caller, frame.idempotency_key, now)
        else:
            self._call_function(call, caller, now)

    def send(self, caller: Connection, frame: frames.Send, now: float) -> None:
        """Hand it over; there is no answer, and it does not wait. Raises Refused."""
        if frame.to is not UNSET:
            self._send_peers(caller, frame, frame.to, now)
            return
        function = self.function(frame.cmd, now)
        seat = function.pick(self.tenant.choose, full=True)
        if seat is None:
            if function.is_cut:
                raise Refused("relay_unavailable")
            raise Refused("no_server_online", NO_SERVER.format(frame.cmd))
        self.tenant.check_use(caller, now)
        self._hand_out(frame, [seat.connection], caller.header)

    def _send_peers(self, caller: Connection, frame: frames.Send, to: frames.Target, now: float) -> None:
        """To all connections of a session, or to one."""
        tenant, header = self.tenant, caller.public_header
        tenant.check_target(caller, to)
        tenant.check_quota()

        def found(targets: list[Connection], refusal: str, now: float) -> None:
            if targets:
                self._hand_out(frame, targets, header)
            elif caller.state is OPEN:
                tenant.hub.refused(caller, "send", frame.cmd, refusal)
                caller.notice(refusal, OUTCOMES[refusal].sentence, frame.cmd)

        if not tenant.hub.others.find(tenant, to, len(frame.data), found, now):
            targets = tenant.targets(to)
            if not targets:
                raise Refused("no_such_peer")
            self._hand_out(frame, targets, header)

    def _hand_out(self, frame: frames.Send, targets: list[Connection], header: Raw) -> None:
        """Send it to all of them; it is one request, which counts when the first of this process, or of all, has it."""
        out = encode(frames.SendOut(cmd=frame.cmd, data=frame.data, header=header))
        first = min(targets, key=lambda target: target.process != "")
        if first.process:
            self.tenant.hub.others.send_counted(first, out)
        else:
            self.tenant.count()
            first.send(out)
        for target in targets:
            if target is not first:
                target.send(out)

    def forwarded(self, caller: Connection, callee: Connection | None, frame: frames.CallOut, now: float) -> None:
        """A call that another process routed to this callee; `caller` stands for that process and is told the end."""
        if frame.id in caller.calling:
            return  # a call is taken once
        call = Call(self, caller, frame, now, now + frame.timeout / 1000)
        call.header, call.counted = frame.header, True
        caller.calling[call.caller_id] = call
        seat = None if callee is None else callee.seats.get(frame.cmd)
        if callee is not None and callee.peer == FRONTEND:
            self._run(call, callee, None, now)
        elif seat is None or not seat.connection.takes_calls:
            self._give_back(call, now)
        else:
            call.function, call.pinned = seat.function, seat
            self._place(call, now, "server_busy")

    def _give_back(self, call: Call, now: float) -> None:
        """Tell the process it came from that nobody here has it."""
        out = give_back(call.caller_id, call.data)
        self._end(call, NOT_TAKEN, out, encode(out), now)

    def cancel(self, caller: Connection, frame: frames.Cancel | frames.CancelOut, now: float) -> None:
        """End the call at once (GP-5B). An unknown id, which may have crossed with its outcome, is only charged."""
        call = caller.calling.get(frame.id)
        if call is None:
            if not caller.process:
                self.tenant.hub.charge_idle(caller, now)
            return
        if call.repeat is not None and call.repeat.followers and call.state is not FOLLOWING:
            self._leave_caller(call, "cancelled", now)  # others still wait for its outcome
            caller.send(encode(error_frame(frame.id, "cancelled")))
        else:
            self._cancel_at_callee(call)
            self.fail(call, "cancelled", now)

    def _call_function(self, call: Call, caller: Connection, now: float) -> None:
        call.function = self.function(call.cmd, now)
        self.tenant.check_use(caller, now)
        caller.calling[call.caller_id] = call
        self._place(call, now, "server_busy")

    def _call_peer(self, call: Call, caller: Connection, to: frames.Target, now: float) -> None:
        tenant = self.tenant
        tenant.check_target(caller, to)
        tenant.check_quota()
        call.header = caller.public_header

        def found(targets: list[Connection], refusal: str, now: float) -> None:
            if call.state is NEW:  # else it has ended in the meantime
                if targets:
                    self._run(call, targets[-1], None, now)
                else:
                    self.fail(call, refusal, now)

        if tenant.hub.others.find(tenant, to, len(call.data), found, now):
            caller.calling[call.caller_id] = call
            self.deadlines.set(call, call.deadline)
            return
        targets = tenant.targets(to)
        if not targets:
            raise Refused("no_such_peer")
        caller.calling[call.caller_id] = call
        self._run(call, targets[-1], None, now)  # of a session the youngest connection (GP-5)

    def _call_once(self, call: Call, caller: Connection, key: str, now: float) -> None:
        """Make the call, or give it the outcome of the one made before with this key (GP-1A)."""
        assert caller.key is not None
        scope = (caller.key.id, caller.session, call.cmd, key)
        repeat = self.repeats.find(scope, call.data, now)
        if repeat is None:
            call.repeat = self.repeats.begin(scope, call.data, now)
            call.repeat.first = call
            try:
                self._call_function(call, caller, now)
            except Refused:
                self.repeats.drop(call.repeat)
                raise
        elif repeat.outcome is not None:
            caller.send(encode(with_id(repeat.outcome, call.caller_id)))
        else:
            call.repeat, call.state, call.data = repeat, FOLLOWING, frames.NULL
            repeat.followers[call] = None
            caller.calling[call.caller_id] = call
            self.deadlines.set(call, call.deadline)

    def function(self, cmd: str, now: float) -> Function:
        """Return the function, if it is known or may be in a moment. Raises Refused."""
        function = self.functions.by_name.get(cmd)
        if function is not None and function.lost_at is None:
            return function  # nearly always
        function = self.functions.find(cmd)
        if function is not None and function.is_known(now):
            return function
        if not self.tenant.is_settling(now):
            if not self.tenant.hub.others.are_known:
                raise Refused("relay_unavailable")  # another process may have it
            raise Refused("no_such_function", NO_SUCH_FUNCTION.format(cmd))
        return function or self.functions.expect(cmd)

    # --- to a server -------------------------------------------------------------------------------------------------

    def _place(self, call: Call, now: float, otherwise: str) -> None:
        """Hand it to a server with room, or let it wait for one; `otherwise` is its outcome when too many wait."""
        function = call.function
        assert function is not None
        seat = self._seat(call, function)
        if seat is not None:
            self._run(call, seat.connection, seat, now)
        elif function.is_cut:
            self.fail(call, "relay_unavailable", now)
        elif len(function.waiting) >= MOST_WAITING or not self.held.fits(len(call.data)):
            self.fail(call, otherwise, now)
        else:
            function.waiting[call] = None
            self.held.add(len(call.data))
            self._wait(call, QUEUED if function.is_online else HELD, now)

    def _seat(self, call: Call, function: Function) -> Seat | None:
        """One with room that it may run at."""
        if call.pinned is None:
            return function.pick(self.tenant.choose)
        return call.pinned if call.pinned.takes(False) else None

    def _may_come(self, seat: Seat) -> bool:
        """Its server is here, and takes calls when it has room."""
        return seat.connection.takes_calls and seat.function.seats.get(seat.connection) is seat

    def _wait(self, call: Call, state: State, now: float) -> None:
        call.state = state
        if state is HELD:
            self.statistics.add("held")
        until = call.deadline if state is QUEUED else min(call.deadline, now + self.tenant.hold)
        self.deadlines.set(call, until)

    def _run(self, call: Call, callee: Connection, seat: Seat | None, now: float) -> None:
        """Hand it over."""
        self.handed += 1
        call.id = call_id = str(self.handed)
        call.state, call.callee, call.seat = RUNNING, callee, seat
        if not callee.serving:
            self.suspects.owes(callee, now)
        self.running[call_id] = callee.serving[call_id] = call
        if seat is not None:
            seat.in_flight += 1
        if not call.counted:
            call.counted = True
            self.tenant.count()
            if callee.process:
                call.in_doubt = True
                self.tenant.in_doubt += 1
        self.deadlines.set(call, call.deadline)
        left = max(1, int((call.deadline - now) * 1000 + 0.5))
        callee.send(encode(CallOut(id=call.id, cmd=call.cmd, data=call.data, timeout=left, header=call.header)))
        runs_once = call.function is None or call.pinned is not None or not call.function.idempotent
        if runs_once or not self.held.fits(len(call.data)):
            call.data, call.repeatable = frames.NULL, False
        else:
            self.held.add(len(call.data))

    def settle(self, function: Function, now: float) -> None:
        """Something changed for this function: whoever waits for it goes on, or waits for what is now missing."""
        for call in tuple(function.waiting):
            if call.deadline <= now:
                self.expired(call, now)
                continue
            if call.pinned is not None and not self._may_come(call.pinned):
                self._give_back(call, now)
                continue
            seat = self._seat(call, function)
            if seat is not None:
                self._leave_function(call)
                self._run(call, seat.connection, seat, now)
            elif call.pinned is None:
                if not function.is_cut:
                    break
                self.fail(call, "relay_unavailable", now)
        state = QUEUED if function.is_online else HELD
        for call in function.waiting:
            if call.state is not state:
                self._wait(call, state, now)

    def unregistered(self, function: Function, now: float) -> None:
        """A server took the function back; by the last one it is gone for those who wait, too (GP-58)."""
        if function.seats:
            self.settle(function, now)
        for call in tuple(function.waiting) if not function.seats else ():
            self.fail(call, "no_such_function", now, NO_SUCH_FUNCTION.format(function.name))

    # --- from callees ------------------------------------------------------------------------------------------------

    def result(self, callee: Connection, frame: frames.Result, now: float, number: int = 0) -> None:
        """Pass the result on and end the call. `number`: how many `progress` another process sent before."""
        call = callee.serving.get(frame.id)
        if call is None:
            self._unasked(callee, frame.id, now)
            return
        out = ResultOut(id=call.caller_id, data=frame.data, outcome=frame.outcome)
        if number:
            out.missed = self._missed(call, number + 1)
        elif call.reports and not callee.process:
            out.number = call.reports
        raw = encode(out)
        if len(raw) > self.largest:
            self.too_large(call, now)
        else:
            self._end(call, "result", out, raw, now)

    def progress(self, callee: Connection, frame: frames.Progress, now: float, number: int = 0) -> None:
        """Pass progress on, to all who wait for this call. Raises Refused above the project's rate of deliveries.

        `number`: the one that another process gave it.
        """
        call = callee.serving.get(frame.id)
        if call is None:
            self._unasked(callee, frame.id, now, ends=False)
            return
        waits = (call,) if call.repeat is None else (call, *call.repeat.followers)
        if not callee.process:
            self.tenant.check_deliveries(now)
        self.tenant.delivered(len(waits), len(frame.data), now)
        missed = self._missed(call, number) if number else 0
        for waiting in waits:
            caller = waiting.caller
            if caller is not None:
                out = frames.ProgressOut(id=waiting.caller_id, data=frame.data, missed=missed)
                if caller.process:
                    waiting.reports += 1
                    out.number = waiting.reports
                caller.send(encode(out))

    def _missed(self, call: Call, number: int) -> int:
        """How many `progress` were lost on their way from the callee's process, before the one of this number."""
        missed = max(0, number - call.reports - 1)
        call.reports = max(call.reports, number)
        return missed

    def error(self, callee: Connection, frame: frames.Error, now: float) -> None:
        """Pass the function's error on and end the call."""
        call = callee.serving.get(frame.id)
        if call is None:
            self._unasked(callee, frame.id, now)
            return
        code = frame.code if frame.code in FROM_CALLEE else "app_error"
        self.fail(call, code, now, frame.message, None if frame.data is frames.NULL else frame.data)

    def too_large(self, call: Call, now: float) -> None:
        """The answer is too large for the caller: both are told (GP-5A)."""
        message = f"The result is larger than {self.largest} bytes."
        if call.callee is not None:
            call.callee.notice("payload_too_large", message, call.cmd)
        self.fail(call, "payload_too_large", now, message)

    def relayed_error(self, callee: Connection, frame: frames.Error, now: float) -> None:
        """The callee's process says how the call ended: by its function, or as a relay ends it."""
        call = callee.serving.get(frame.id)
        if call is None:
            return
        if frame.code in FROM_CALLEE:
            self.error(callee, frame, now)
        elif frame.code == NOT_TAKEN:
            self.undelivered(callee, frame.id, frame.data, now)
        elif frame.code != "callee_lost" or not self._reroute(call, now):
            if frame.code in REFUSED_THERE:
                self._take_back(call)
                call.counted = call.counted or frame.code == "relay_unavailable"  # it may have run: its key is kept
            self.fail(call, frame.code if frame.code in OUTCOMES else "callee_lost", now, frame.message)

    def undelivered(self, callee: Connection, call_id: str, data: Raw, now: float) -> None:
        """This call, of this data, was handed to nobody in the callee's process: it goes elsewhere (GP-11)."""
        call = callee.serving.get(call_id)
        if call is None:
            return
        self._take_back(call)
        function = self.functions.by_name.get(call.cmd)
        if call.deadline <= now:
            self.expired(call, now)
        elif call.function is None:
            self.fail(call, "no_such_peer", now)
        elif function is None:
            self.fail(call, "no_such_function", now, NO_SUCH_FUNCTION.format(call.cmd))
        else:
            self._leave_callee(call)
            call.function, call.data, call.repeatable = function, data, True
            self._place(call, now, "server_busy")

    def _take_back(self, call: Call) -> None:
        """Count a call no longer that was counted for the callee's process: nobody there got it (GP-40)."""
        if call.in_doubt:
            self._no_doubt(call)
            call.counted = False
            self.tenant.take_back()

    def _no_doubt(self, call: Call) -> None:
        """Note that it is known now whether a call was handed over."""
        call.in_doubt = False
        self.tenant.in_doubt -= 1

    def end_doubt(self) -> None:
        """Let all calls in doubt count: this process ends, and will not hear how they ended."""
        for call in self.running.values():
            if call.in_doubt:
                self._no_doubt(call)

    def _unasked(self, callee: Connection, call_id: str, now: float, ends: bool = True) -> None:
        """Count an answer that nobody waits for from this peer, and charge it unless its call has ended without it.

        `ends`: it is the last one of its call. Other processes count and charge their own.
        """
        if callee.process:
            return
        self.statistics.add("forged" if self._is_another(call_id) else "late")
        if callee.unanswered:
            callee.unanswered -= ends
        else:
            self.tenant.hub.charge_idle(callee, now)

    def _is_another(self, call_id: str) -> bool:
        """Running at another callee, or never given out."""
        return call_id in self.running or not (call_id.isdecimal() and 0 < int(call_id[:20]) <= self.handed)

    # --- what befalls ------------------------------------------------------------------------------------------------

    def expired(self, call: Call, now: float) -> None:
        """Its time is over; the callee is told to stop (GP-5B). A follower is told where the first one is (GP-1A)."""
        self._cancel_at_callee(call)
        first = call.repeat.first if call.repeat is not None else None
        state = call.state if first is None else first.state
        if state is HELD:
            self.fail(call, "no_server_online", now, NO_SERVER.format(call.cmd))
        elif state is QUEUED:
            self.fail(call, "server_busy", now, BUSY.format(call.cmd))
        else:
            self.fail(call, "deadline_exceeded", now)

    def lost(self, connection: Connection, now: float) -> None:
        """The connection is gone: whom it served goes on elsewhere or is told, whom it called stops."""
        for call in tuple(connection.calling.values()):
            if call.state is not ENDED:  # the end of one may be the end of another that waited for its seat
                self._caller_lost(call, now)
        for call in tuple(connection.serving.values()):
            if call.callee is connection and not self._reroute(call, now):
                self.fail(call, "callee_lost", now)

    def suspected(self, server: Connection, now: float) -> None:
        """The server is silent: what may run twice goes elsewhere, the rest waits for it (GP-13)."""
        self.statistics.add("suspected")
        for call in tuple(server.serving.values()):
            self._reroute(call, now)
        for seat in server.seats.values():
            self.settle(seat.function, now)

    def _reroute(self, call: Call, now: float) -> bool:
        """Let an idempotent call run elsewhere; False when it may not."""
        function = self.functions.by_name.get(call.cmd)  # None: unregistered while it ran
        if not call.repeatable or function is None or not function.idempotent or call.deadline <= now:
            return False
        call.function = function
        self._cancel_at_callee(call)
        self._leave_callee(call)
        call.reports = 0  # it begins anew
        self.statistics.add("rerouted")
        self._place(call, now, "callee_lost")
        return True

    def _caller_lost(self, call: Call, now: float) -> None:
        if call.repeat is not None and call.state is not FOLLOWING:
            self._leave_caller(call, "caller_lost", now)  # it goes on: the caller may come back and ask (GP-1A)
        else:
            self._cancel_at_callee(call)
            self._end(call, "caller_lost", None, b"", now)

    def _cancel_at_callee(self, call: Call) -> None:
        """Tell the callee to stop; what it still answers is late."""
        if call.callee is not None:
            call.callee.unanswered += 1
            call.callee.send(encode(frames.CancelOut(id=call.id)))

    # --- ends --------------------------------------------------------------------------------------------------------

    def fail(self, call: Call, code: str, now: float, message: str = "", data: Raw | None = None) -> None:
        """End the call with an error."""
        out = error_frame(call.caller_id, code, message, data)
        self._end(call, code, out, encode(out), now)

    def _end(
        self, call: Call, name: str, out: frames.ResultOut | frames.ErrorOut | None, raw: bytes, now: float
    ) -> None:
        """The only way to an outcome: `out`, encoded as `raw`; None when nobody is there to hear it."""
        seat, follows = call.seat, call.state is FOLLOWING
        self._leave(call)
        call.state = ENDED
        caller = call.caller
        if caller is not None:
            del caller.calling[call.caller_id]
            if out is not None:
                caller.send(raw)
            if not caller.process:  # else that process counts it
                self.statistics.add(name)
                self.durations.add(now - call.begun)
        if call.repeat is not None and not follows:
            self._end_followers(call.repeat, call.counted, name, out, now)
        if seat is not None and seat.function.waiting:
            self.settle(seat.function, now)

    def _end_followers(
        self, repeat: Repeat, ran: bool, name: str, out: frames.ResultOut | frames.ErrorOut | None, now: float
    ) -> None:
        assert out is not None
        repeat.first = None
        if ran:
            self.repeats.keep(repeat, out, now)
        else:
            self.repeats.drop(repeat)
        for follower in tuple(repeat.followers):
            own = with_id(out, follower.caller_id)
            self._end(follower, name, own, encode(own), now)

    def _leave(self, call: Call) -> None:
        """Take it out of wherever it is."""
        self.deadlines.drop(call)
        if call.callee is not None:
            self._leave_callee(call)
        elif call.state is HELD or call.state is QUEUED:
            self._leave_function(call)
        elif call.state is FOLLOWING:
            assert call.repeat is not None
            del call.repeat.followers[call]

    def _leave_callee(self, call: Call) -> None:
        callee, call_id = call.callee, call.id
        assert callee is not None
        del self.running[call_id], callee.serving[call_id]
        if not callee.serving:
            self.suspects.owes_nothing(callee)
        if call.in_doubt:
            self._no_doubt(call)
        if call.seat is not None:
            call.seat.in_flight -= 1
        if call.repeatable:
            self.held.add(-len(call.data))
        call.callee = call.seat = None

    def _leave_function(self, call: Call) -> None:
        assert call.function is not None
        del call.function.waiting[call]
        self.held.add(-len(call.data))

    def _leave_caller(self, call: Call, name: str, now: float) -> None:
        """Its caller has an outcome of this name, and the call goes on."""
        assert call.caller is not None
        self.statistics.add(name)
        self.durations.add(now - call.begun)
        del call.caller.calling[call.caller_id]
        call.caller = None


def error_frame(call_id: str, code: str, message: str = "", data: Raw | None = None) -> frames.ErrorOut:
    """What ends this request with an error; `message` instead of the outcome's own sentence."""
    outcome = OUTCOMES[code]
    return frames.ErrorOut(
        id=call_id,
        code=code,
        message=cut(message or outcome.sentence),
        retryable=outcome.retryable,
        data=UNSET if data is None else data,
    )


def give_back(call_id: str, data: Raw) -> frames.ErrorOut:
    """The answer to a process whose call of this id and data was handed to nobody."""
    return frames.ErrorOut(id=call_id, code=NOT_TAKEN, message="", retryable=True, data=data)
