"""A rate lets a burst through, then so many a second."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.core.rates import Rate

START = 1_000.0


def take_all(rate: Rate, now: float) -> int:
    taken = 0
    while rate.take(now):
        taken += 1
    return taken


@pytest.mark.parametrize("per_second", [1, 10, 1_000, 20_000])
def test_a_burst_is_two_seconds_worth(per_second: int) -> None:
    assert take_all(Rate(per_second), START) == 2 * per_second


def test_a_burst_may_be_shorter() -> None:
    assert take_all(Rate(10, burst=1.0), START) == 10


@pytest.mark.parametrize("per_second", [1, 10, 1_000])
def test_a_second_refills_one_seconds_worth(per_second: int) -> None:
    rate = Rate(per_second)
    take_all(rate, START)
    assert take_all(rate, START + 1) == per_second


def test_a_long_rest_refills_no_more_than_the_burst() -> None:
    rate = Rate(10)
    take_all(rate, START)
    assert take_all(rate, START + 3_600) == 20


def test_what_is_refused_takes_nothing() -> None:
    rate = Rate(1)
    take_all(rate, START)
    for _ in range(100):
        assert not rate.take(START)
    assert rate.take(START + 1.001)


def test_what_is_given_back_can_be_taken_again() -> None:
    rate = Rate(10)
    take_all(rate, START)
    for _ in range(3):
        rate.give_back()
    assert take_all(rate, START) == 3


@settings(deadline=None)
@given(st.sampled_from([1, 3, 7, 10, 300, 700, 1_000, 3_000]), st.floats(0, 3))
def test_who_waits_as_long_as_told_may_go_on(per_second: int, later: float) -> None:
    rate = Rate(per_second)
    take_all(rate, START)
    rate.take(START + later)
    take_all(rate, START + later)
    wait = rate.wait(START + later)
    assert wait >= 1
    assert rate.take(START + later + wait / 1000 + 1e-9)


def test_a_rate_is_idle_when_its_burst_is_whole_again() -> None:
    rate = Rate(10)
    assert rate.idle(START)
    take_all(rate, START)
    assert not rate.idle(START + 1.9)
    assert rate.idle(START + 2.1)
