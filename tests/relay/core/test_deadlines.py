"""Deadlines fall due in time, in order, once."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.deadlines import STEP, Deadlines, Due

START = 1_000.0
pytestmark = pytest.mark.interpreted  # machine code has no subclasses that are interpreted


class Item(Due):
    """Something that waits; it notes when it fell due."""

    def __init__(self, name: str, log: list[str], then: Callable[[float], None] | None = None) -> None:
        super().__init__()
        self.name, self.log, self.then = name, log, then

    def expire(self, now: float) -> None:
        self.log.append(self.name)
        if self.then is not None:
            self.then(now)


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines(START)


def test_nothing_falls_due_early(deadlines: Deadlines, log: list[str]) -> None:
    deadlines.set(Item("tea", log), START + 1)
    deadlines.tick(START + 0.99)
    assert log == []


def test_an_item_falls_due_once(deadlines: Deadlines, log: list[str]) -> None:
    deadlines.set(Item("tea", log), START + 1)
    deadlines.tick(START + 1 + 2 * STEP)
    deadlines.tick(START + 60)
    assert log == ["tea"]
    assert deadlines.buckets == {}


def test_items_fall_due_in_order_of_time(deadlines: Deadlines, log: list[str]) -> None:
    for name, after in (("third", 3.0), ("first", 1.0), ("second", 2.0)):
        deadlines.set(Item(name, log), START + after)
    deadlines.tick(START + 10)
    assert log == ["first", "second", "third"]


@pytest.mark.parametrize("others", [0, 500])
def test_a_late_tick_keeps_the_order(deadlines: Deadlines, log: list[str], others: int) -> None:
    """Both ways through a jump: over the time that passed, and over the buckets that are there."""
    for name, after in (("second", 20.0), ("first", 10.0)):
        deadlines.set(Item(name, log), START + after)
    for number in range(others):
        deadlines.set(Item("later", log), START + 100 + number)
    deadlines.tick(START + 20 + 2 * STEP)
    assert log == ["first", "second"]


def test_a_dropped_item_never_falls_due(deadlines: Deadlines, log: list[str]) -> None:
    item = Item("tea", log)
    deadlines.set(item, START + 1)
    deadlines.drop(item)
    deadlines.drop(item)
    deadlines.tick(START + 10)
    assert log == []
    assert deadlines.buckets == {}


def test_an_item_dropped_by_one_that_expired_before_it_does_not_fall_due(deadlines: Deadlines, log: list[str]) -> None:
    second = Item("second", log)
    first = Item("first", log, then=lambda now: deadlines.drop(second))
    deadlines.set(first, START + 1)
    deadlines.set(second, START + 1)
    deadlines.tick(START + 10)
    assert log == ["first"]
    assert deadlines.buckets == {}


def test_setting_again_replaces_the_earlier_deadline(deadlines: Deadlines, log: list[str]) -> None:
    item = Item("tea", log)
    deadlines.set(item, START + 1)
    deadlines.set(item, START + 5)
    deadlines.tick(START + 2)
    assert log == []
    deadlines.tick(START + 6)
    assert log == ["tea"]


def test_an_item_may_set_itself_again_while_it_expires(deadlines: Deadlines, log: list[str]) -> None:
    item = Item("tea", log)
    item.then = lambda now: deadlines.set(item, now + 1)
    deadlines.set(item, START + 1)
    deadlines.tick(START + 1.5)
    assert log == ["tea"]
    deadlines.tick(START + 3)
    assert log == ["tea", "tea"]


@pytest.mark.parametrize("leap", [1.0, 86_400.0])
def test_a_deadline_that_is_set_into_the_past_while_expiring_falls_due_at_the_next_tick(
    deadlines: Deadlines, log: list[str], leap: float
) -> None:
    """A machine that was suspended for a day wakes up with one tick; nothing set in it may be lost."""
    late = Item("late", log)
    for number in range(100):
        deadlines.set(Item("tomorrow", log), START + 2 * leap + number)
    deadlines.set(Item("first", log, then=lambda now: deadlines.set(late, START + 0.5)), START + 0.25)
    deadlines.tick(START + leap)
    deadlines.tick(START + leap + 2 * STEP)
    assert log == ["first", "late"]
    assert len(deadlines.buckets) == 100


def test_a_deadline_in_the_past_falls_due_at_the_next_tick(deadlines: Deadlines, log: list[str]) -> None:
    deadlines.set(Item("tea", log), START - 100)
    deadlines.tick(START + 2 * STEP)
    assert log == ["tea"]


Step = tuple[str, int, float]
steps = st.lists(
    st.tuples(st.sampled_from(("set", "drop", "tick")), st.integers(0, 4), st.floats(0, 20) | st.just(5_000.0)),
    max_size=40,
)


@given(steps)
def test_every_item_falls_due_between_its_time_and_one_step_and_a_tick_later(steps: list[Step]) -> None:
    now, deadlines, log = START, Deadlines(START), list[str]()
    items = [Item(str(number), log) for number in range(5)]
    due: dict[str, float] = {}
    for what, number, seconds in steps:
        if what == "set":
            deadlines.set(items[number], now + seconds)
            due[str(number)] = now + seconds
        elif what == "drop":
            deadlines.drop(items[number])
            due.pop(str(number), None)
        else:
            now += seconds
            deadlines.tick(now)
            assert all(due.pop(name) <= now for name in log)
            assert not [name for name, when in due.items() if when <= now - 2 * STEP]
            log.clear()
    assert sum(len(bucket) for bucket in deadlines.buckets.values()) == len(due)
