"""Rates as a leaky bucket kept as one number (the generic cell rate algorithm, ITU-T I.371)."""

from math import ceil
from typing import Final

MOST_DEBT: Final = 10.0  # s of a rate that `pay` takes ahead at most


class Rate:
    """So many a second, with a burst of `burst` seconds' worth at once."""

    __slots__ = ("burst", "full_until", "interval")

    def __init__(self, per_second: float, burst: float = 2.0) -> None:
        self.full_until = 0.0  # when the bucket will have run empty
        self.change(per_second, burst)

    def change(self, per_second: float, burst: float = 2.0) -> None:
        """Set another rate; what was taken stays taken."""
        self.interval = 1 / per_second
        self.burst = burst + self.interval / 10  # so that sums of floats do not cost the last of a burst

    def take(self, now: float) -> bool:
        """Take one; False (and nothing taken) when the rate is exceeded."""
        full_until = self.full_until
        if full_until < now:
            full_until = now
        full_until += self.interval
        if full_until - now > self.burst:
            return False
        self.full_until = full_until
        return True

    def give_back(self) -> None:
        """Undo one `take`."""
        self.full_until -= self.interval

    def pay(self, now: float, amount: float) -> float:
        """Take `amount`, however much it is; return the seconds to wait until the rate is kept again, 0 if it is.

        What is taken ahead is forgotten above MOST_DEBT: one huge amount does not close the rate for long.
        """
        full_until = self.full_until
        if full_until < now:
            full_until = now
        full_until = min(full_until + amount * self.interval, now + self.burst + MOST_DEBT)
        self.full_until = full_until
        return self.delay(now)

    def delay(self, now: float) -> float:
        """Return the seconds to wait until the rate is kept again, after `pay` took more than it allows."""
        return max(0.0, self.full_until - now - self.burst)

    def is_over(self, now: float) -> bool:
        """Whether more was paid than the burst allows."""
        return self.delay(now) > 0.0

    def wait(self, now: float) -> int:
        """Milliseconds until one can be taken again, at least 1."""
        return max(1, ceil((self.full_until + self.interval - now - self.burst) * 1000))

    def idle(self, now: float) -> bool:
        """Nothing of the burst is in use: forgetting this rate changes nothing."""
        return self.full_until <= now
