"""The rules at the top of relay/core/calls.py, checked on its tables."""

from collections import Counter

from relay.core.calls import Call, State
from relay.core.hub import Hub
from relay.core.tenant import Tenant


def assert_rules(hub: Hub) -> None:
    """Every call is in the tables its state asks for, and in no other."""
    calls: set[Call] = set()
    for tenant in hub.tenants.values():
        calls |= assert_calls(tenant)
        assert_seats(tenant)
        assert_waiting(tenant)
        assert_repeats(tenant)
    due = [item for bucket in hub.deadlines.buckets.values() for item in bucket]
    connections = sum(len(tenant.connections) for tenant in hub.tenants.values())
    assert {item for item in due if isinstance(item, Call)} == calls
    assert len(due) == len(calls) + connections
    watched = {c for t in hub.tenants.values() for c in t.connections if c.peer == "backend" and is_watched(c)}
    assert set(hub.suspects.watched) == watched


def is_watched(connection) -> bool:  # type: ignore[no-untyped-def]
    return bool(connection.serving or connection.suspect_since)


def assert_calls(tenant: Tenant) -> set[Call]:
    """Rule 1. Returns all calls without an outcome."""
    running = set(tenant.calls.running.values())
    waiting = {call for function in tenant.functions.by_name.values() for call in function.waiting}
    following = {call for repeat in tenant.calls.repeats.by_scope.values() for call in repeat.followers}
    everything = running | waiting | following
    assert len(everything) == len(running) + len(waiting) + len(following)
    assert {call for c in tenant.connections for call in c.calling.values()} == {c for c in everything if c.caller}
    assert {call for c in tenant.connections for call in c.serving.values()} == running
    assert all(call.repeat is not None for call in everything if call.caller is None)
    for call in running:
        assert call.state is State.RUNNING
        assert call.callee is not None
        assert tenant.calls.running[call.id] is call.callee.serving[call.id] is call
    assert all(call.state is State.FOLLOWING for call in following)
    for connection in tenant.connections:
        for call_id, call in connection.calling.items():
            assert (call.caller, call.caller_id) == (connection, call_id)
    return everything


def assert_seats(tenant: Tenant) -> None:
    """GP-54 and the caps of GP-15."""
    loads = Counter(call.seat for call in tenant.calls.running.values() if call.seat is not None)
    for name, function in tenant.functions.by_name.items():
        assert function.name == name
        assert bool(function.seats) == (function.lost_at is None) == (name not in tenant.functions.lost)
        for connection, seat in function.seats.items():
            assert connection in tenant.connections
            assert connection.seats[name] is seat
            assert seat.in_flight == loads[seat]
            assert seat.concurrency is None or seat.in_flight <= seat.concurrency


def assert_waiting(tenant: Tenant) -> None:
    """Nobody waits for what is there."""
    functions = tenant.functions.by_name.values()
    for function in functions:
        if function.waiting:
            assert not any(seat.takes(False) for seat in function.seats.values())
        state = State.QUEUED if function.is_online else State.HELD
        assert all(call.state is state and call.function is function for call in function.waiting)
    waiting = [call for function in functions for call in function.waiting]
    may_run_again = [call for call in tenant.calls.running.values() if call.repeatable]
    assert tenant.calls.held.bytes == sum(len(call.data) for call in waiting + may_run_again)


def assert_repeats(tenant: Tenant) -> None:
    """GP-1A: what is remembered is in flight, or has an outcome that is kept."""
    repeats = tenant.calls.repeats
    first = {call.repeat: call for call in tenant.calls.running.values() if call.repeat}
    first |= {call.repeat: call for f in tenant.functions.by_name.values() for call in f.waiting if call.repeat}
    for scope, repeat in repeats.by_scope.items():
        assert repeat.scope == scope
        assert (repeat.outcome is not None) == (scope in repeats.kept) == (repeat not in first)
        assert repeat.first is first.get(repeat)
        assert not (repeat.outcome and repeat.followers)
    assert repeats.bytes == sum(repeat.size for repeat in repeats.kept.values())
