"""Calls made with an idempotency key: a repeat gets the first one's outcome, and the function runs once (GP-1A)."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from relay.core import frames
from relay.core.errors import OUTCOMES, Refused

if TYPE_CHECKING:
    from relay.core.calls import Call

KEPT = 600.0  # s that an outcome is kept
LARGEST = 65_536  # bytes of an outcome that is kept
MOST_BYTES = 16_777_216  # of all outcomes of one project; the oldest go first
OVERHEAD = 512  # bytes that an entry costs besides its outcome
Scope = tuple[int, str, str, str]  # API key, session, command, idempotency key
Ending = frames.ResultOut | frames.ErrorOut


class Repeat:
    """The first call of a scope: what it was about, who else waits for it, and then its outcome."""

    __slots__ = ("digest", "ended_at", "first", "followers", "outcome", "scope", "size")

    def __init__(self, scope: Scope, digest: bytes) -> None:
        self.scope, self.digest = scope, digest
        self.first: Call | None = None  # until it has its outcome
        self.followers: dict[Call, None] = {}
        self.outcome: Ending | None = None
        self.ended_at = 0.0
        self.size = 0  # bytes kept


class Repeats:
    """Those of one project."""

    def __init__(self) -> None:
        self.by_scope: dict[Scope, Repeat] = {}
        self.kept: dict[Scope, Repeat] = {}  # those with an outcome, oldest first
        self.bytes = 0

    def find(self, scope: Scope, data: Raw, now: float) -> Repeat | None:
        """The first call of this scope. Raises Refused `invalid_arguments` when it was made with other data."""
        self.forget(now)
        repeat = self.by_scope.get(scope)
        if repeat is not None and repeat.digest != digest_of(data):
            raise Refused("invalid_arguments", "This idempotency key was used with other data; take a new key.")
        return repeat

    def begin(self, scope: Scope, data: Raw, now: float) -> Repeat:
        """Remember that a call of this scope was begun."""
        repeat = self.by_scope[scope] = Repeat(scope, digest_of(data))
        return repeat

    def keep(self, repeat: Repeat, outcome: Ending, now: float) -> None:
        """Keep the outcome for those who ask again."""
        size = len(outcome.data) if isinstance(outcome.data, Raw) else 0
        if size > LARGEST:
            outcome, size = _too_large(outcome.id), 0
        repeat.outcome, repeat.ended_at, repeat.size = outcome, now, size + OVERHEAD
        self.kept[repeat.scope] = repeat
        self.bytes += repeat.size
        while self.bytes > MOST_BYTES:
            self.drop(next(iter(self.kept.values())))

    def drop(self, repeat: Repeat) -> None:
        """Forget it."""
        self.by_scope.pop(repeat.scope, None)
        if self.kept.pop(repeat.scope, None) is not None:
            self.bytes -= repeat.size

    def forget(self, now: float) -> None:
        """Let go of what was kept long enough."""
        while self.kept and now - (oldest := next(iter(self.kept.values()))).ended_at >= KEPT:
            self.drop(oldest)


def digest_of(data: Raw) -> bytes:
    return blake2b(data, digest_size=16).digest()


def with_id(outcome: Ending, call_id: str) -> Ending:
    """The outcome as another call's."""
    return msgspec.structs.replace(outcome, id=call_id)


def _too_large(call_id: str) -> frames.ErrorOut:
    return frames.ErrorOut(
        id=call_id,
        code="payload_too_large",
        message=f"The call has ended; its outcome was larger than the {LARGEST} bytes that are kept for a repeat.",
        retryable=OUTCOMES["payload_too_large"].retryable,
    )
