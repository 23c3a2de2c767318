"""Calls in flight (section 3).

Rule 1  A call is in `in_flight`, in its caller's `calling`, in its server's `serving` and in the deadlines: in all of
        them or in none. `_end` is the only way out; who ends a call sends its outcome. So there is exactly one (GP-10).
Rule 2  An answer counts only from the connection the call went to (GP-12); others are dropped and counted.
Rule 3  A request is counted when it is handed to a server, once (GP-40).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw

from relay.core import frames
from relay.core.errors import OUTCOMES, Refused, cut
from relay.core.frames import encode

if TYPE_CHECKING:
    from relay.core.connection import Connection
    from relay.core.functions import Seat
    from relay.core.tenant import Tenant

DEFAULT_TIMEOUT = 30_000  # ms
FROM_CALLEE = frozenset({"app_error", "rejected", "invalid_arguments"})  # any other code becomes app_error (GP-5A)


class Call:
    """One call that was handed to a server and has no outcome yet."""

    __slots__ = ("caller", "caller_id", "calls", "id", "seat", "slot")

    def __init__(self, calls: Calls, call_id: str, caller: Connection, caller_id: str, seat: Seat) -> None:
        self.calls, self.id = calls, call_id
        self.caller, self.caller_id = caller, caller_id
        self.seat = seat
        self.slot = 0  # its place in Deadlines

    def expire(self, now: float) -> None:
        """Its deadline came: the caller has its outcome, the callee is told to stop (GP-5B)."""
        self.calls.cancel_at_callee(self)
        self.calls.fail(self, "deadline_exceeded")


class Calls:
    """The calls of one project. `ended` counts outcomes by name, and dropped answers as `late` and `forged`."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.in_flight: dict[str, Call] = {}
        self.made = 0
        self.ended: Counter[str] = Counter()

    # --- from callers ------------------------------------------------------------------------------------------------

    def call(self, caller: Connection, frame: frames.Call, now: float) -> None:
        """Hand the call to a server. Raises Refused when it cannot be."""
        tenant = self.tenant
        if frame.id in caller.calling:
            raise Refused("bad_frame", f'The call "{frame.id}" is in flight; ids are unique.')
        if len(caller.calling) >= tenant.limits.in_flight:
            raise Refused("rate_limited", f"At most {tenant.limits.in_flight} calls in flight.", retry_after=1000)
        if frame.idempotency_key is not UNSET:
            raise Refused("bad_frame", "idempotency_key is not supported by this relay yet.")
        timeout = self._timeout(frame)
        seat = self._seat(frame)
        tenant.count()
        self.made += 1
        call = Call(self, str(self.made), caller, frame.id, seat)
        self.in_flight[call.id] = caller.calling[frame.id] = seat.connection.serving[call.id] = call
        seat.in_flight += 1
        tenant.deadlines.set(call, now + timeout / 1000)
        seat.connection.send(
            encode(frames.CallOut(id=call.id, cmd=frame.cmd, data=frame.data, timeout=timeout, header=caller.header))
        )

    def send(self, caller: Connection, frame: frames.Send, now: float) -> None:
        """Hand it to a server; there is no answer. Raises Refused."""
        seat = self._seat(frame)
        self.tenant.count()
        seat.connection.send(encode(frames.SendOut(cmd=frame.cmd, data=frame.data, header=caller.header)))

    def cancel(self, caller: Connection, frame: frames.Cancel, now: float) -> None:
        """End the call at once (GP-5B). Unknown ids crossed with their outcome and are passed over."""
        call = caller.calling.get(frame.id)
        if call is not None:
            self.cancel_at_callee(call)
            self.fail(call, "cancelled")

    def _timeout(self, frame: frames.Call) -> int:
        longest = self.tenant.limits.timeout
        return min(DEFAULT_TIMEOUT if frame.timeout is UNSET else frame.timeout, longest)

    def _seat(self, frame: frames.Call | frames.Send) -> Seat:
        if frame.to is not frames.NULL:
            raise Refused("bad_frame", "`to` is not supported by this relay yet.")
        seat = self.tenant.functions.pick(frame.cmd)
        self.tenant.check_quota()
        return seat

    # --- from callees ------------------------------------------------------------------------------------------------

    def result(self, callee: Connection, frame: frames.Result, now: float) -> None:
        """Pass the result on and end the call."""
        call = self._answered(callee, frame.id)
        if call is None:
            return
        out = encode(frames.ResultOut(id=call.caller_id, data=frame.data, outcome=frame.outcome))
        if len(out) > self.tenant.limits.frame:
            self.too_large(call)
            return
        self._end(call, "result")
        call.caller.send(out)

    def progress(self, callee: Connection, frame: frames.Progress, now: float) -> None:
        """Pass progress on."""
        call = self._answered(callee, frame.id)
        if call is not None:
            call.caller.send(encode(frames.ProgressOut(id=call.caller_id, data=frame.data)))

    def error(self, callee: Connection, frame: frames.Error, now: float) -> None:
        """Pass the function's error on and end the call."""
        call = self._answered(callee, frame.id)
        if call is not None:
            code = frame.code if frame.code in FROM_CALLEE else "app_error"
            self.fail(call, code, frame.message, None if frame.data is frames.NULL else frame.data)

    def too_large(self, call: Call) -> None:
        """The answer is too large for the caller: both are told (GP-5A)."""
        message = f"The result is larger than {self.tenant.limits.frame} bytes."
        self.fail(call, "payload_too_large", message)
        call.seat.connection.notice("payload_too_large", message, call.seat.function.name)

    def _answered(self, callee: Connection, call_id: str) -> Call | None:
        call = callee.serving.get(call_id)
        if call is None:
            self.ended["forged" if self._is_another(call_id) else "late"] += 1
        return call

    def _is_another(self, call_id: str) -> bool:
        """In flight at another server, or never given out."""
        return call_id in self.in_flight or not (call_id.isdecimal() and 0 < int(call_id[:20]) <= self.made)

    # --- ends --------------------------------------------------------------------------------------------------------

    def lost(self, connection: Connection) -> None:
        """The connection is gone: whom it served is told, whom it called stops."""
        for call in tuple(connection.serving.values()):
            self.fail(call, "callee_lost")
        for call in tuple(connection.calling.values()):
            self.cancel_at_callee(call)
            self._end(call, "caller_lost")

    def cancel_at_callee(self, call: Call) -> None:
        """Tell the server to stop; what it still answers is late."""
        call.seat.connection.send(encode(frames.CancelOut(id=call.id)))

    def fail(self, call: Call, code: str, message: str = "", data: Raw | None = None) -> None:
        """End the call with an error."""
        self._end(call, code)
        outcome = OUTCOMES[code]
        call.caller.send(
            encode(
                frames.ErrorOut(
                    id=call.caller_id,
                    code=code,
                    message=cut(message or outcome.sentence),
                    retryable=outcome.retryable,
                    data=UNSET if data is None else data,
                )
            )
        )

    def _end(self, call: Call, outcome: str) -> None:
        del self.in_flight[call.id]
        del call.caller.calling[call.caller_id]
        del call.seat.connection.serving[call.id]
        call.seat.in_flight -= 1
        self.tenant.deadlines.drop(call)
        self.ended[outcome] += 1
