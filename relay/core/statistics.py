"""What became of a project's calls in the last hour: never billed, for those who look after the project."""

from collections import Counter, deque

from relay.core.errors import OUTCOMES

MINUTES = 60
MEANINGS = {
    "result": "Answered by their function.",
    **{name: outcome.sentence for name, outcome in OUTCOMES.items()},
    "caller_lost": "The caller went away before the outcome.",
    "late": "Answers that came after their call had ended, and were dropped.",
    "forged": "Answers to calls that a back end was not asked, and were dropped.",
    "held": "Calls that waited for a back end to come back.",
    "rerouted": "Idempotent calls that went on at another server.",
    "suspected": "Servers that owed an answer and were silent.",
}


class Statistics:
    """Events by name: outcomes ("result", "cancelled" …), and "late", "forged", "held", "rerouted", "suspected"."""

    def __init__(self, minute: int) -> None:
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
