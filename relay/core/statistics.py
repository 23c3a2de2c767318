"""What is counted and never billed: of a project's calls in the last hour, and of all this process did (metrics.py).

All of it is plain numbers: nobody who counts waits for who reads.
"""

from collections import Counter, deque
from typing import Final

from relay.core.errors import OUTCOMES

MINUTES = 60
SHORTEST: Final = 0.00025  # s; the first bucket of Durations
DOUBLINGS: Final = 21  # up to 524 s, more than the longest deadline
MEANINGS = {
    "result": "Answered by their function.",
    **{name: outcome.sentence for name, outcome in OUTCOMES.items()},
    "rate_limited": "Refused above a limit, most often that of one session or one address in the project's settings.",
    "caller_lost": "The caller went away before the outcome.",
}
BESIDES = {  # what happens to calls and is no outcome
    "late": "Answers that came after their call had ended, and were dropped.",
    "forged": "Answers to calls that a back end was not asked, and were dropped.",
    "held": "Calls that waited for a back end to come back.",
    "rerouted": "Idempotent calls that went on at another server.",
    "suspected": "Servers that owed an answer and were silent.",
}
REASONS = {  # why one is refused, where the outcome's own sentence says less
    ("hello", "key"): "The key is not known: wrong, revoked, or of another project.",
    ("hello", "password"): "The project's password is missing or wrong.",
    ("hello", "private key in a browser"): "A page showed a private key. If it was published, revoke it.",
    ("hello", "forbidden"): "A page of this origin showed the public key; the settings do not allow it.",
}


class Statistics:
    """Events by name: outcomes ("result", "cancelled" …), and "late", "forged", "held", "rerouted", "suspected"."""

    def __init__(self, minute: int, totals: Counter[str]) -> None:
        self.totals = totals  # of the process: what was counted in ended minutes is added there
        self.minute = minute  # the one that is counted now, since the epoch
        self.now: Counter[str] = Counter()
        self.past: deque[tuple[int, Counter[str]]] = deque(maxlen=MINUTES - 1)

    def add(self, name: str) -> None:
        self.now[name] += 1

    def turn(self, minute: int) -> None:
        """The minute it is (since the epoch); what is older than an hour goes."""
        if minute != self.minute:
            if self.now:
                self.past.append((self.minute, self.now))
                self.totals.update(self.now)
                self.now = Counter()
            self.minute = minute
            while self.past and self.past[0][0] <= minute - MINUTES:
                self.past.popleft()

    def last_hour(self) -> Counter[str]:
        """Totals of the last 60 minutes, the running one included."""
        return sum((counts for _, counts in list(self.past)), self.now.copy())

    @property
    def is_empty(self) -> bool:
        return not self.now and not self.past


class Durations:
    """How long things took, in buckets: up to SHORTEST, twice that, and so on, and above all."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (DOUBLINGS + 2)
        self.seconds = 0.0  # of all together

    def add(self, seconds: float) -> None:
        """One that took so long."""
        self.seconds += seconds
        quarters, bucket = int(seconds / SHORTEST), 0
        while quarters > 0 and bucket <= DOUBLINGS:
            quarters >>= 1
            bucket += 1
        self.buckets[bucket] += 1


class Traffic:
    """Frames and their bytes, without what WebSocket or HTTP adds."""

    __slots__ = ("bytes_in", "bytes_out", "frames_in", "frames_out")

    def __init__(self) -> None:
        self.frames_in = self.bytes_in = self.frames_out = self.bytes_out = 0


class Totals:
    """What this process has done since it began."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.calls = Durations()  # from a call's frame to its outcome
        self.events: Counter[str] = Counter()  # of ended minutes, by the names of Statistics
        self.requests = 0  # sealed into batches (GP-40)
        self.published = self.delivered = 0  # messages
        self.refused: Counter[str] = Counter()  # requests and frames, by outcome
        self.hellos_refused: Counter[str] = Counter()  # by outcome
        self.closes: Counter[int] = Counter()  # by code
        self.opened: Counter[str] = Counter()  # connections, by transport
        self.connected: Counter[tuple[str, str]] = Counter()  # now, by peer and transport
