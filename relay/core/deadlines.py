"""Everything that falls due, in one structure: buckets of time, ticked by the loop.

Setting and dropping cost one dict operation each, whatever the number of items (Varghese and Lauck, "Hashed and
hierarchical timing wheels", 1987). An item falls due at most STEP late, plus the distance between two ticks.
"""

STEP = 0.05  # s; with a tick of the same length a deadline is kept within 100 ms of the 250 promised (GP-10)


class Due:
    """Something that can be waited for; `slot` belongs to Deadlines, and is 0 without a deadline."""

    __slots__ = ("slot",)

    def __init__(self) -> None:
        self.slot = 0

    def expire(self, now: float) -> None:
        """Called once, when due; it may set a new deadline."""
        raise NotImplementedError


class Deadlines:
    """At most one deadline per item."""

    def __init__(self, now: float) -> None:
        self.buckets: dict[int, dict[Due, None]] = {}
        self.reached = int(now / STEP)

    def set(self, item: Due, when: float) -> None:
        """Let `item` fall due at `when`, in place of any earlier deadline of its own."""
        if item.slot:
            self.drop(item)
        slot = int(when / STEP) + 1
        if slot <= self.reached:
            slot = self.reached + 1
        item.slot = slot
        bucket = self.buckets.get(slot)
        if bucket is None:
            bucket = self.buckets[slot] = {}
        bucket[item] = None

    def drop(self, item: Due) -> None:
        """Forget the item's deadline, if it has one."""
        slot = item.slot
        if slot:
            bucket = self.buckets[slot]
            del bucket[item]
            if not bucket:
                del self.buckets[slot]
            item.slot = 0

    def tick(self, now: float) -> None:
        """Expire all that fell due until `now`, in order of time."""
        until = int(now / STEP)
        passed = range(self.reached + 1, until + 1)
        self.reached = until  # what is set from here on waits for the next tick
        slots = passed if len(passed) < len(self.buckets) else sorted(s for s in self.buckets if s <= until)
        for slot in slots:
            for item in self.buckets.get(slot, {}).copy():
                if item.slot == slot:  # not dropped by one that expired before it
                    self.drop(item)
                    item.expire(now)
